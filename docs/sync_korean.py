"""Copy the cells of the English chapters into the Korean ones, one by one; the prose stays. No arguments."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n.*?^```$", re.MULTILINE | re.DOTALL)


def synchronised(korean: str, english: str) -> str:
    """The Korean page with the cells of the English one; ValueError if their numbers differ."""
    cells = CELL.findall(english)
    places = CELL.findall(korean)
    if len(cells) != len(places):
        raise ValueError(f"{len(places)} cells, but the English chapter has {len(cells)}")
    remaining = iter(cells)
    return CELL.sub(lambda _: next(remaining), korean)


def main() -> int:
    """Synchronise every chapter; the exit status is the number of those that could not be."""
    failures = 0
    for path in sorted((HERE / "ko").glob("[0-9]*.md")):
        korean = path.read_text(encoding="utf-8")
        try:
            fresh = synchronised(korean, (HERE / "tutorial" / path.name).read_text(encoding="utf-8"))
        except (ValueError, FileNotFoundError) as problem:
            print(f"{path.name}: {problem}", file=sys.stderr)
            failures += 1
            continue
        if fresh != korean:
            path.write_text(fresh, encoding="utf-8")
            print(f"{path.name}: cells copied")
    return failures


if __name__ == "__main__":
    sys.exit(main())
