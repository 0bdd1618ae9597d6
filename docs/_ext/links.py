"""After a build: every link of every page leads to a file and an anchor that exist; nothing is loaded from afar.

The build uses no network, so a link to another site cannot be followed. Such links are few, and each is listed below
with its reason: one that is not listed fails the build.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.util import logging

logger = logging.getLogger(__name__)
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data"), ("embed", "src")}

OUTSIDE = {
    "https://www.sphinx-doc.org/": "made by it: in the theme's footer of every page",
    "https://github.com/pradyunsg/furo": "the theme: in its footer",
    "https://pradyunsg.me": "the theme's author: in its footer",
    "https://hypothesis.readthedocs.io": "where chapter 12 sends readers who want to know more of Hypothesis",
}
STYLES = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """The links and the anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[tuple[str, str, str]] = []
        self.anchors: set[str] = {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        self.links += [(tag, name, values[name]) for name in ("href", "src", "data") if name in values]


def broken_links(root: Path) -> list[str]:
    """One line for every link of the HTML files under `root` that leads nowhere, or loads something from afar."""
    pages: dict[Path, Page] = {}

    def page(path: Path) -> Page:
        if path not in pages:
            pages[path] = Page(path.read_text(encoding="utf-8"))
        return pages[path]

    problems = []
    for path in sorted(root.rglob("*.html")):
        for tag, name, link in page(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if parts.scheme != "data" and ((tag, name) in LOADED or tag == "link"):
                    problems.append(f"{path.relative_to(root)}: <{tag}> loads {link} from the network")
                elif parts.scheme in ("http", "https") and link not in OUTSIDE:
                    problems.append(
                        f"{path.relative_to(root)}: {link} is another site: list it in links.py, with its reason"
                    )
                elif parts.scheme not in ("data", "http", "https", "mailto"):
                    problems.append(f"{path.relative_to(root)}: {link} is no address")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                problems.append(f"{path.relative_to(root)}: {link} leads to no file")
            elif target.suffix == ".html" and unquote(parts.fragment) not in page(target).anchors:
                problems.append(f"{path.relative_to(root)}: {link} leads to no anchor")
    for path in sorted(root.rglob("*.css")):
        loaded = STYLES.findall(path.read_text(encoding="utf-8"))
        problems += [f"{path.relative_to(root)}: the style loads {link} from the network" for link in loaded]
    return problems


def _check(app: Any, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        for problem in broken_links(Path(app.outdir).resolve()):
            logger.warning("%s", problem, type="links")


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
