"""Docstrings as their authors write them: `name` is code, a star is a star. Sphinx's markup would trip over both."""

from __future__ import annotations

import inspect
import re
from typing import Any

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
SECTIONS = {"Args:", "Attributes:", "Keyword Args:", "Raises:", "Returns:", "Yields:"}  # napoleon escapes their names


def plain(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Translate the prose of a docstring; examples stay as they are."""
    if what == "property":
        lines[:0] = ["..", ""]  # a remark: napoleon takes what stands before a colon in the first line for a type
    example = section = False
    for i, line in enumerate(lines):
        section = line.strip() in SECTIONS or (section and (not line.strip() or line.startswith(" ")))
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if example:
            continue
        pieces = CODE.split(line)
        for j, piece in enumerate(pieces):
            if j % 2:
                pieces[j] = f"``{piece}``" + ("\\ " if j + 1 < len(pieces) and pieces[j + 1][:1].isalnum() else "")
            elif "``" not in piece and not re.match(r"\s*\*\*?\w+:", piece):
                piece = re.sub(r"(?<!\\)([*|])", r"\\\1", piece)
                if not (section and j == 0):
                    piece = re.sub(r"(\w)_(?=\W|$)", r"\1\\_", piece)
                pieces[j] = piece
        lines[i] = "".join(pieces)


def as_called(app: Any, what: str, name: str, thing: Any, options: Any, signature: Any, returned: Any) -> Any:
    """The arguments of a class as Python tells them: Sphinx prefers a `__new__` that only looks at them in passing."""
    if what != "class" or "(*_" not in str(signature):
        return None
    from sphinx.util.inspect import stringify_signature

    return stringify_signature(inspect.signature(thing), show_annotation=False), returned


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", plain, priority=100)
    app.connect("autodoc-process-signature", as_called)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
