"""What readers need who do not see the page: its language, and a text for every picture that a cell made."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

OTHER = {"tutorial": ("ko", "ko", "한국어로 읽기"), "ko": ("tutorial", "en", "Read in English")}
PICTURE = re.compile(r'(<img (?=[^>]*alt="(?:result of |[^"]*의 결과))[^>]*src="([^"]+)"[^>]*>)')


def _language(app: Any, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Korean pages say that they are Korean, every chapter leads to its other edition, and pictures open alone."""
    edition, _, chapter = pagename.partition("/")
    if edition == "ko":
        context["language"] = "ko"
    if "body" in context:
        context["body"] = PICTURE.sub(r'<a class="picture" href="\2">\1</a>', context["body"])
    if edition in OTHER and "body" in context:
        folder, language, text = OTHER[edition]
        link = f'<a lang="{language}" hreflang="{language}" href="../{folder}/{chapter}.html">{text}</a>'
        context["body"] = context["body"].replace("</h1>", f'</h1>\n<p class="edition">{link}</p>', 1)


def _alternatives(app: Any, doctree: Any) -> None:
    """A picture that a cell made is described by the line that made it; what it shows, the text around it says."""
    korean = app.env.docname.startswith("ko/")
    for cell in doctree.findall(lambda node: isinstance(node, nodes.container) and "cell" in node.get("classes", [])):
        code = next(cell.findall(nodes.literal_block), None)
        if code is None:
            continue
        lines = [line for line in code.astext().splitlines() if line.strip()]
        for image in cell.findall(nodes.image):
            image["alt"] = f"{lines[-1]} 의 결과" if korean else f"result of {lines[-1]}"


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("html-page-context", _language)
    app.connect("doctree-read", _alternatives)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
