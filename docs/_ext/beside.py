"""What lies beside the pages and belongs into them: the last results of the benchmarks, and the example programs."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
TITLES = {"gpt": "GPT"}


def benchmarks() -> str:
    """docs/benchmarks/results.md, as the benchmarks wrote it, and their pictures."""
    folder = DOCS / "benchmarks"
    results = folder / "results.md"
    if not results.exists():
        return "No results are committed yet."
    pictures = [name for name in ("ratios.svg", "growth.svg") if (folder / name).exists()]
    lines = [
        f"```{{image}} benchmarks/{name}\n:alt: {name.removesuffix('.svg')} of the benchmarks\n```\n"
        for name in pictures
    ]
    _, _, tables = results.read_text(encoding="utf-8").partition("\n")
    return "\n".join([*lines, tables.replace("__", r"\_\_")])  # __slots__ is a name, and not in bold type


def examples() -> str:
    """Every program of docs/examples: what its docstring says, and its source, folded away."""
    parts = []
    for path in sorted((DOCS / "examples").glob("*.py")):
        about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
        head, commands, prose = about.split("\n\n", 2)  # the commands are indented, the rest are paragraphs
        title = TITLES.get(path.stem, path.stem.replace("_", " ").capitalize())
        parts += [f"## {title}\n", head, "", "```text", dedent(commands), "```", "", prose, ""]
        parts += [
            "<details><summary>The program</summary>",
            "",
            f"```{{literalinclude}} examples/{path.name}",
            "```",
            "",
        ]
        parts += ["</details>", ""]
    return "\n".join(parts)


def fill(app: Any, docname: str, source: list[str]) -> None:
    """Put it where a page asks for it."""
    for mark, made in (("<!-- benchmarks -->", benchmarks), ("<!-- examples -->", examples)):
        if mark in source[0]:
            source[0] = source[0].replace(mark, made())


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
