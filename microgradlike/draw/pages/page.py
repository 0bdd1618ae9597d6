"""One self-contained HTML page: a picture to look at, to compute with, or a model to train. No request leaves it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graph.program import trace
from ..formats.svg import svg
from ..picture.font import FALLBACKS
from ..picture.scene import Card
from ..picture.shapes import Canvas, Mark
from ..picture.text import visible
from ..picture.theme import DARK, LIGHT, Theme
from .numbers import Number, Words
from .programs import PictureProgram, branches_source
from .quiz import questions
from .steps import Key, Step, key_text, spans

if TYPE_CHECKING:
    from ..drawing import Drawing
    from .live import Live, Pass
    from .playground import Playground

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
_CODE = """<details><summary>The program of this page</summary>
<p class="hint">The table of primitives, run on JavaScript text. Nothing else computes here.</p>
<pre id="code"></pre></details>"""
_STEPS_HINT = (
    "Drag a number sideways, or choose it and use the arrow keys (with Shift, ten times as far) or type. Arrow keys "
    "step elsewhere, space plays, a click on a card tells its story. Hold “Descend” to go on."
)
_OPEN_HINT = "A click on a card (or Enter) opens what is folded into it."
_SIGNS = "∂−×·…←→›²³∞Σ½₁₂₃₄₅₆₇₈₉₀"
_INDENT = re.compile(r"^(?: +|//.*\n)", re.MULTILINE)  # of scripts: a page carries neither indents nor comments
_NUMBERS = ("data", "grad", "local", "sent")  # attributes of the marks in a picture
LETTERS = (
    string.ascii_letters + string.digits + " .,:;?!()[]+=/%_'-“”–−×·∂→∞…←Σ"
)  # what pages write beside their own names


MOST_OPENED = 20  # pictures of what is folded, in one page


def still(drawing: Drawing) -> str:
    """A page with one picture, and with those of what its cards hold, for as long as there are not too many."""
    first = svg(drawing.canvas, LIGHT, roles=True, letters=string.printable + _SIGNS)
    family = re.search(r'class="(mg-\w+)"', first)
    title = drawing.scene.title or "Computation graph"
    drawings, names, opens, queue = [drawing], [title], [], 0
    while queue < len(drawings):
        found: dict[int, int] = {}
        for i, card in enumerate(drawings[queue].scene.cards):
            inner = drawings[queue].opened(i) if len(drawings) < MOST_OPENED else None
            if inner is not None:
                found[i] = len(drawings)
                drawings.append(inner)
                names.append(inner.scene.title or card.head)
        opens.append(found)
        queue += 1
    pictures = [first]
    for inner in drawings[1:]:
        text = svg(inner.canvas, LIGHT, roles=True, carry_font=False)
        pictures.append(text.replace('"microgradlike Sans', f'"{family.group(1) if family else "sans-serif"}'))
    way = '<p id="way"></p>' if len(pictures) > 1 else ""
    body = f"<main><h1>{_text(title)}</h1>{way}{view(pictures)}{tools(_OPEN_HINT if way else '')}</main>"
    data: dict[str, Any] = {"digits": drawing.digits, "opens": opens, "names": [visible(name) for name in names]}
    scripts = ["numbers.js", "view.js", *(["open.js"] if way else [])]
    return page(title, body, data, drawing.theme, first, scripts)


def live_page(film: Live, canvases: Sequence[Canvas]) -> str:
    """The page of `live` and of `step_through`."""
    firsts = [next(p for p in film.passes if p.picture == k) for k in range(len(canvases))]
    asked = [questions(part, film.quiz) if film.quiz else [] for part in firsts]
    pictures = [_drawn(canvas, film) for canvas in canvases]
    programs = [PictureProgram(part.graph, part.scene) for part in firsts]
    source = f"const computes = [{', '.join(program.source() for program in programs)}];"
    data = {
        "pictures": [_picture(*each) for each in zip(firsts, programs, asked, strict=True)],
        "passes": [_pass(part) for part in film.passes],
        "digits": film.digits, "opens": film.opens, "quiz": bool(film.quiz),
        "branches": [{"test": b.test, "place": b.place, "outcome": b.outcome} for b in film.branches],
    }  # fmt: skip
    source += f"\nconst branches = {_branches(film) if film.branches else 'null'};"
    names = ["numbers.js", "code.js", "view.js", "bind.js", *(["quiz.js"] if film.quiz else []), "live.js"]
    what = (
        f"Step by step: {film.loss_name}" if film.opens == "steps" else f"{film.loss_name}, computed as you change it"
    )
    title = film.title or (f"{film.loss_name}: what are the gradients?" if film.quiz else what)
    body = (FOLDER / "live.html").read_text(encoding="utf-8")
    body = body.format(
        title=_text(title), view=view(pictures), tools=tools(_STEPS_HINT), rate=film.log_rate, code=_CODE
    )  # fmt: skip
    return page(title, body, data, film.theme, pictures[0], names, source)


def _drawn(canvas: Canvas, film: Live) -> str:
    """A picture whose numbers are the script's."""
    for shape in canvas.shapes:
        if isinstance(shape, Mark):
            shape.tooltip = ""
            shape.data = {key: text for key, text in shape.data.items() if key not in _NUMBERS}
    written = "".join(sorted({c for part in film.passes for c in _letters(part.steps)}))
    return svg(canvas, LIGHT, roles=True, letters=LETTERS + written).replace('role="img"', 'role="group"', 1)


def playground_page(play: Playground, optimisers: str) -> str:
    """The page of `playground`: the plane and the training above, the live picture of one example below.

    `optimisers` is their source, as the page's script runs it.
    """
    film = play.live
    [part], [canvas] = film.passes, [painter.canvas() for painter in film.roomy_painters()]
    graph, program = part.graph, PictureProgram(part.graph, part.scene)
    picture = _drawn(canvas, film)
    known = play.data(graph)
    looking = PictureProgram(graph, part.scene).values_source()
    source = "\n".join([
        f"const computes = [{program.source()}];", "const branches = null;", f"const look = {looking};",
        f"const optimisers = {optimisers};",
    ])  # fmt: skip
    data: dict[str, Any] = {
        "pictures": [_picture(part, program, [])], "passes": [_pass(part)], "digits": film.digits, "opens": "numbers",
        "quiz": False, "branches": [], "play": known,
    }  # fmt: skip
    for leaf in data["pictures"][0]["leaves"]:
        if leaf["node"] == known["target"] and known["classes"]:
            leaf["kind"] = "class"  # which is none of the numbers that can be dragged
    title = play.title or "Playground"
    text = (FOLDER / "live.html").read_text(encoding="utf-8")
    for part_of_both in (r"<h1>.*</h1>\n", r"</?main>\n", r"<label class=\"rate\">.*</label>", r"<figure.*</figure>\n"):
        text = re.sub(part_of_both, "", text)
    text = text.replace('id="descend"', 'id="descend" hidden').replace('id="reset"', 'id="reset" hidden')
    text = text.format(view=view([picture]), tools=tools(_STEPS_HINT), code=_CODE)
    body = (FOLDER / "playground.html").read_text(encoding="utf-8")
    body = body.format(title=_text(title), live=text, rate=play.live.log_rate)
    names = ["numbers.js", "code.js", "view.js", "bind.js", "live.js", "playground.js"]
    return page(title, body, data, film.theme, picture, names, source)


def _branches(film: Live) -> str:
    """`branches(p)` of a recorded function, its leaves in the order of the picture's."""
    root, graph = film._roots[0], film.passes[0].graph
    order = {index: key for key, index in graph.index_of.items()}
    by_id = {id(v): v for v in _leaves([root, *(x for b in film.branches for x in b.sides)])}
    leaves = [by_id[order[v]] for v, row in enumerate(graph.rows) if row is None and v in order]
    sides = [x for b in film.branches for x in b.sides]
    fixed = [v for v in by_id.values() if all(v is not leaf for leaf in leaves)]
    program, _ = trace(sides, leaves, fixed)
    pairs = zip(program.outputs[::2], program.outputs[1::2], strict=True)
    return branches_source(
        program, [(b.name, left, right) for b, (left, right) in zip(film.branches, pairs, strict=True)]
    )


def _leaves(roots: Sequence[Any]) -> list[Any]:
    from ...graph.engine import Value, topological_order

    return [v for v in topological_order([v for v in roots if isinstance(v, Value)]) if v.is_leaf]


def _letters(steps: Sequence[Step]) -> set[str]:
    """Every character that a step may show in the picture or in its sentence."""
    found: set[str] = set()
    for step in steps:
        found.update(step.text)
        for text in step.texts.values():
            found.update(text)
    return found


def _picture(part: Pass, program: PictureProgram, asked: Sequence[dict[str, Any]]) -> dict[str, Any]:
    graph, shown = part.graph, part.scene
    values: dict[Key, int] = {}
    for i, card in enumerate(shown.cards):
        if not card.lines:
            values["value", i] = card.node
        for k, line in enumerate(card.lines):
            if line.node >= 0:
                values["line-value", i, k] = line.node
    leaves = [
        {"node": v, "name": visible(graph.labels[v] or f"leaf {v}"), "kind": graph.kinds[v]} for v in program.leaves
    ]
    again: dict[Key, Words] = {}
    for j, edge in enumerate(shown.edges):
        for text, kind in edge.texts:
            if kind == "name":
                again["name", j] = Number("value", (shown.cards[edge.tail].node,), before=text[: text.rindex(" ") + 1])
    steps = [_step(step) for step in part.told]
    steps[0]["changes"] |= _texts(again)
    return {
        "leaves": leaves, "root": graph.roots[0], "output": visible(graph.labels[graph.roots[0]] or "output"),
        "boxes": [_box(part, card) for card in shown.cards], "values": _keys(values),
        "uses": [[v, [x for x in graph.operands[v] if type(x) is int]] for v, row in enumerate(graph.rows) if row],
        "hidden": _keys(part.hidden), "steps": steps, "questions": asked,
    }  # fmt: skip


def _box(part: Pass, card: Card) -> dict[str, Any]:
    row = part.graph.rows[card.node]
    found = {"node": card.node, "name": card.head, "short": card.name, "single": card.kind != "layer"}
    return found | ({"doc": f"{row.name}: {row.doc}"} if row and row.doc and found["single"] else {})


def _pass(part: Pass) -> dict[str, Any]:
    leaves = [x for x, row in zip(part.graph.data, part.graph.rows, strict=True) if row is None]
    return {
        "picture": part.picture, "leaves": [json_number(x) for x in leaves],
        "changed": {str(k): spans(sentence) for k, sentence in part.changed.items()},
        "update": _step(part.update) if part.update else None,
    }  # fmt: skip


def json_number(x: float) -> float | str:
    """A number as JSON can hold it, and as `Number(…)` reads it back."""
    return x if math.isfinite(x) else "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"


def _step(step: Step) -> dict[str, Any]:
    return {
        "phase": step.phase, "sentence": spans(step.sentence), "cards": step.cards, "edges": step.edges,
        "senders": step.senders, "changes": _texts(step.changes),
    }  # fmt: skip


def _keys(found: dict[Key, Any]) -> dict[str, Any]:
    return {key_text(key): item for key, item in found.items()}


def _texts(changes: dict[Key, Words]) -> dict[str, Any]:
    return {key_text(key): words if isinstance(words, str) else words.json() for key, words in changes.items()}


def view(pictures: Sequence[str]) -> str:
    """Pictures in a frame, of which one is seen."""
    shown = "".join(
        f'<div class="picture"{" hidden" if i else ""}>{picture}</div>' for i, picture in enumerate(pictures)
    )
    return f'<div class="view" id="view" tabindex="0" role="group" aria-label="The graph">{shown}</div>'


def tools(hint: str) -> str:
    """A line below the picture: what one can do, and buttons for the view."""
    buttons = "".join(
        f'<button type="button" id="{name}" title="{tip}">{text}</button>'
        for name, text, tip in (
            ("nearer", "Zoom in", "key +"),
            ("farther", "Zoom out", "key −"),
            ("fit", "Fit", "key 0"),
            ("dark", "Dark", "colours"),
        )
    )
    return f'<div class="under"><p class="hint">{hint}</p><div class="tools">{buttons}</div></div>'


def page(
    title: str, body: str, data: dict[str, Any], theme: str, picture: str, scripts: Sequence[str], program: str = ""
) -> str:
    """Everything in one file; the only script that may run is this one, by its digest."""
    family = re.search(r'class="(mg-\w+)"', picture)  # the page is written in the letters of its picture
    parts = ['"use strict";\n(() => {', f"/* program */\n{program}\n/* end */" if program else ""]
    parts += [_INDENT.sub("", (FOLDER / name).read_text(encoding="utf-8")) for name in scripts]
    script = "\n".join([*parts, "})();\n"])
    assert "</script" not in script and "<!--" not in script
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # Inside <script>, only "<" (and, to old parsers, a line separator) could end the data.
    packed = packed.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return _TEMPLATE.format(
        policy=_POLICY.format(digest=digest), title=_text(title),
        colours=_colours(family.group(1) if family else "sans-serif"),
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        attributes="" if theme == "auto" else f' data-theme="{theme}"', body=body, data=packed, script=script,
    ).encode("utf-8", "backslashreplace").decode("utf-8")  # fmt: skip


def _text(text: str) -> str:
    return html.escape(visible(text))


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
