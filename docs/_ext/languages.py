"""Pages of the Korean edition say in their markup that they are Korean, for screen readers, search and hyphenation."""

from __future__ import annotations

from typing import Any


def _language(app: Any, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if pagename.startswith("ko/"):
        context["language"] = "ko"


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("html-page-context", _language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
