"""Where a line of code is, in the words of whoever wrote it: a file, or a cell of a notebook. Nothing about frames."""

from __future__ import annotations

import sys

__all__ = ["cell"]


def cell(file: str) -> str | None:
    """`Cell In[3]` for code of a notebook or IPython session, which lives in no file of the user's; else None."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    named = getattr(getattr(shell, "compile", None), "format_code_name", None)
    found = named(file) if named is not None else None
    return " ".join(found) if found else None
