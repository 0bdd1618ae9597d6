"""What readers need who do not see the page: its language, and a text for every picture that a cell made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes

OTHER = {"tutorial": ("ko", "ko", "한국어로 읽기"), "ko": ("tutorial", "en", "Read in English")}
PICTURE = re.compile(r'(<img (?=[^>]*alt="(?:result of |[^"]*의 결과))[^>]*src="([^"]+)"[^>]*>)')


GRAPH = re.compile(r'<img (?=[^>]*alt="([^"]*)")[^>]*src="[^"]*?_images/([^"/]+\.svg)"[^>]*>')
FOLLOWS = re.compile(r"@media \(prefers-color-scheme:dark\)\{(.*?\})\}(?=</style>)", re.DOTALL)


def _inline(found: re.Match[str], folder: Any, files: dict[str, str]) -> str:
    """A graph in the page itself: its tooltips show, and it is as dark as the page, whoever chose that."""
    alternative, name = found.groups()
    path = Path(folder) / files.get(name, name)
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    dark = FOLLOWS.search(text)
    if 'class="mg-' not in text or dark is None:
        return found.group()
    rules = dark.group(1)
    chosen = re.sub(r"\.mg-", "body[data-theme=dark] .mg-", rules)
    unless = re.sub(r"\.mg-", "body:not([data-theme=light]) .mg-", rules)
    text = text.replace(dark.group(), f"{chosen}@media (prefers-color-scheme:dark){{{unless}}}")
    wide = float(
        re.search(r'<svg [^>]*?width="([\d.]+)"', text).group(1)
    )  # letters of 10 units are at least 9 pixels high
    looks = f"max-width:100%;min-width:{0.9 * wide:.0f}px;height:auto"
    text = text[text.index("<svg") :].replace("<svg ", f'<svg aria-label="{alternative}" style="{looks}" ', 1)
    return f'<div class="graph">{text}</div>'


def _language(app: Any, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Korean pages say that they are Korean, every chapter leads to its other edition, and pictures open alone."""
    edition, _, chapter = pagename.partition("/")
    if edition == "ko":
        context["language"] = "ko"
    if "body" in context:
        files = {name: path for path, name in app.builder.images.items()}
        context["body"] = GRAPH.sub(lambda found: _inline(found, app.srcdir, files), context["body"])
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
