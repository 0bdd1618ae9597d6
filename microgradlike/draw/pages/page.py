"""One self-contained HTML page: a picture to pan and zoom, or a computation to step through. No request leaves it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..formats.svg import svg
from ..picture.font import FALLBACKS
from ..picture.text import visible
from ..picture.theme import DARK, LIGHT, Theme
from .steps import Step

if TYPE_CHECKING:
    from ..drawing import Drawing
    from .film import Pass

FOLDER = Path(__file__).parent / "web"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; script-src 'sha256-{digest}'"  # no request
_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{colours}{style}</style>
</head>
<body{attributes}>
{body}
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def still(drawing: Drawing) -> str:
    """A page with one picture."""
    picture = svg(drawing.canvas, LIGHT, roles=True, letters=string.printable)
    title = drawing.scene.title or "Computation graph"
    body = f"<main><h1>{_text(title)}</h1>{_view([picture])}</main>"
    return _page(title, body, {"steps": [], "passes": []}, ' class="still"' + _theme(drawing.theme), picture)


def stepping(title: str, pictures: Sequence[str], passes: Sequence[Pass], theme: str, loss: str) -> str:
    """A page that steps through passes; `pictures[p.picture]` is the SVG of pass p."""
    steps: list[dict[str, Any]] = []
    starts: list[dict[str, Any]] = []
    for number, part in enumerate(passes):
        backward = next((k for k, step in enumerate(part.steps) if step.phase == "backward"), 0)
        starts.append({
            "at": len(steps), "backward": len(steps) + backward, "picture": part.picture, "hidden": _texts(part.hidden),
            "tips": part.tips, "loss": part.loss,
        })  # fmt: skip
        steps += [_step(step, number) for step in part.steps]
    body = (_HERE.read_text(encoding="utf-8")).format(title=_text(title), view=_view(pictures), last=len(steps) - 1)
    if len(passes) < 2:
        body = body.replace('<span class="passes">', '<span class="passes" hidden>')
    return _page(title, body, {"steps": steps, "passes": starts, "loss": loss}, _theme(theme), pictures[0])


_HERE = FOLDER / "stepping.html"


def letters(passes: Sequence[Pass]) -> str:
    """Every character that a step may show in the picture or in its sentence."""
    found: set[str] = set(string.printable) | set("?–−×·∂→")
    for part in passes:
        for step in part.steps:
            found.update(step.text)
            for text in step.changes.values():
                found.update(text)
    return "".join(sorted(found))


def _step(step: Step, number: int) -> dict[str, Any]:
    return {
        "pass": number, "phase": step.phase, "html": step.html, "cards": step.cards, "edges": step.edges,
        "changes": _texts(step.changes), "exact": {_key(key): repr(x) for key, x in step.exact.items()},
    }  # fmt: skip


def _key(key: tuple[object, ...]) -> str:
    return " ".join(map(str, key))


def _texts(changes: dict[tuple[object, ...], str]) -> dict[str, str]:
    return {_key(key): text for key, text in changes.items()}


def _view(pictures: Sequence[str]) -> str:
    shown = "".join(
        f'<div class="picture"{" hidden" if i else ""}>{picture}</div>' for i, picture in enumerate(pictures)
    )
    buttons = "".join(
        f'<button type="button" id="{name}" title="{tip}">{text}</button>'
        for name, text, tip in (
            ("nearer", "Zoom in", "key +"),
            ("farther", "Zoom out", "key −"),
            ("fit", "Fit", "key 0"),
            ("dark", "Dark", "colours"),
        )
    )
    view = 'class="view" id="view" tabindex="0" role="group" aria-label="The graph; drag to move it"'
    return f'<div class="tools">{buttons}</div><div {view}>{shown}</div>'


def _page(title: str, body: str, data: dict[str, Any], attributes: str, picture: str) -> str:
    family = re.search(r'class="(mg-\w+)"', picture)  # the page is written in the letters of its picture
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # Inside <script>, only "<" (and, to old parsers, a line separator) could end the data.
    packed = packed.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return _TEMPLATE.format(
        policy=_POLICY.format(digest=digest), title=_text(title),
        colours=_colours(family.group(1) if family else "sans-serif"),
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        attributes=attributes, body=body, data=packed, script=script,
    ).encode("utf-8", "backslashreplace").decode("utf-8")  # fmt: skip


def _text(text: str) -> str:
    return html.escape(visible(text))


def _theme(theme: str) -> str:
    return "" if theme == "auto" else f' data-theme="{theme}"'


def _colours(family: str) -> str:
    """Both themes as CSS variables, and the picture's roles painted with them."""

    def variables(theme: Theme) -> str:
        return "".join(
            f"--{role.replace('_', '-')}:{getattr(theme, role)};"
            for role in theme.__dataclass_fields__
            if role != "name"
        )

    roles = [role for role in LIGHT.__dataclass_fields__ if role != "name"]
    painted = "".join(
        f".f-{role}{{fill:var(--{role.replace('_', '-')})}}.s-{role}{{stroke:var(--{role.replace('_', '-')})}}"
        for role in roles
    )
    return (
        f":root{{color-scheme:light;--font:{family},{FALLBACKS};{variables(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{color-scheme:dark;{variables(DARK)}}}}}"
        f"[data-theme=light]{{color-scheme:light;{variables(LIGHT)}}}"
        f"[data-theme=dark]{{color-scheme:dark;{variables(DARK)}}}"
        f".paper{{fill:var(--paper)}}{painted}"
    )
