"""The steps as a film: an SVG that animates itself, or a GIF. What moves is what changes from step to step."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..formats.png import png
from ..formats.svg import svg
from ..picture.paint import SIDE, Painter, wrapped
from ..picture.scene import Scene
from ..picture.shapes import Canvas, Mark, Shape, Text
from ..picture.text import visible
from ..picture.theme import DARK, LIGHT
from .steps import Step

if TYPE_CHECKING:
    from .live import Live

MOST_FRAMES = 2_000


def frames(film: Live) -> Iterator[tuple[int, Canvas]]:
    """For each step the number of its picture, and the picture as it is then, its sentence below it."""
    if len(film.steps) > MOST_FRAMES:
        raise ValueError(
            f"{len(film.steps):,} steps are too many for an animation (at most {MOST_FRAMES:,}): "
            "use step_through(..., detail='neurons' or 'layers'), or save as .html"
        )
    painters = film.painters()
    widest = {id(painter): max(painter.canvas().width - 2 * SIDE, 420.0) for painter in painters}
    lines = [len(wrapped(step.text, 13, min(widest.values()))) for step in film.steps]
    room = max(lines)
    for part in film.passes:
        painter = painters[part.picture]
        state = dict(part.hidden)
        for step in part.steps:
            state.update(step.texts)
            painter.scene = _at(part.scene, state, step, film.title or "")
            yield part.picture, _with_sentence(painter, step, widest[id(painter)], room)


def _at(scene: Scene, state: dict[tuple[object, ...], str], step: Step, title: str) -> Scene:
    """The scene with the texts and lights of one step."""
    lit = "gradient" if step.phase == "backward" else "parameter_line" if step.phase == "update" else "value"
    cards = []
    for i, card in enumerate(scene.cards):
        lines = [
            replace(line, value=state["line-value", i, k], gradient=state["line-gradient", i, k])
            for k, line in enumerate(card.lines)
        ]  # fmt: skip
        active = lit if i in step.cards or i in step.senders else ""
        value, gradient = state["value", i], state["gradient", i]
        cards.append(replace(card, value=value, gradient=gradient, lines=lines, active=active, tooltip=""))
    edges = []
    for j, edge in enumerate(scene.edges):
        keys = {"derivative": "local", "sent": "sent"}
        texts = [(state[keys[kind], j] if kind in keys else text, kind) for text, kind in edge.texts]
        edges.append(replace(edge, texts=texts, active=lit if j in step.edges else ""))
    return replace(scene, cards=cards, edges=edges, title=title or None, legend=False, caption=[])


def _with_sentence(painter: Painter, step: Step, wide: float, room: int) -> Canvas:
    canvas = painter.canvas()
    colour = "gradient" if step.phase == "backward" else "value" if step.phase == "forward" else "ink"
    texts: list[Shape] = [
        Text(SIDE, canvas.height + 8 + 18 * k, line, 13, colour, name="sentence")
        for k, line in enumerate(wrapped(visible(step.text), 13, wide))
    ]
    sentence = Mark(texts, "sentence")
    return Canvas(
        max(canvas.width, round(wide + 2 * SIDE)),
        canvas.height + 18 * room + 10,
        [*canvas.shapes, sentence],
        canvas.title,
        canvas.description,
    )


def animated_svg(film: Live, seconds: float) -> str:
    """The steps as an SVG that plays in a loop; where animation is off, it shows the last step."""
    _positive(seconds)
    variants: dict[
        tuple[int, int], list[tuple[Shape, list[int]]]
    ] = {}  # (picture, place) → what is there, at which steps
    count, tall, wide = 0, 0.0, 0.0
    canvas = Canvas(0, 0, [], "", "")
    for k, (picture, canvas) in enumerate(frames(film)):
        wide, tall, count = max(wide, canvas.width), max(tall, canvas.height), k + 1
        for place, shape in enumerate(canvas.shapes):
            seen = variants.setdefault((picture, place), [])
            for other, at in seen:
                if other == shape:
                    at.append(k)
                    break
            else:
                seen.append((shape, [k]))
    rules: dict[tuple[int, ...], str] = {}
    shapes: list[Shape] = []
    for seen in variants.values():
        for shape, at in seen:
            if len(at) == count:
                shapes.append(shape)
                continue
            name = rules.setdefault(tuple(at), f"m{len(rules)}")
            shapes.append(Mark([shape], f"m {name}" if at[-1] != count - 1 else f"m {name} end"))
    drawn = svg(Canvas(wide, tall, shapes, canvas.title, canvas.description), DARK if film.theme == "dark" else LIGHT)
    length = seconds * count
    css = [".m{visibility:hidden}.m.end{visibility:visible}"]
    for steps, name in rules.items():
        there = set(steps)
        changes = [k for k in range(count) if k == 0 or (k in there) != (k - 1 in there)]
        stops = [f"{100 * k / count:.4f}%{{visibility:{'visible' if k in there else 'hidden'}}}" for k in changes]
        css.append(f"@keyframes {name}{{{''.join(stops)}}}.{name}{{animation:{name} {length:g}s step-end infinite}}")
    css.append("@media (prefers-reduced-motion:reduce){.m{animation:none}}")
    return drawn.replace("</style>", "".join(css) + "</style>", 1)


def animated_gif(film: Live, seconds: float, scale: float) -> bytes:
    """The steps as a GIF that plays in a loop."""
    _positive(seconds)
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            'GIF needs Pillow: `pip install "microgradlike[animation]"`; an animated .svg needs nothing'
        ) from None
    theme = DARK if film.theme == "dark" else LIGHT
    pictures = []
    for _, canvas in frames(film):
        with Image.open(io.BytesIO(png(canvas, theme, scale))) as image:
            pictures.append(image.convert("RGB"))
    size = (max(p.width for p in pictures), max(p.height for p in pictures))
    sheets = []
    for picture in pictures:
        sheet = Image.new("RGB", size, theme.paper)
        sheet.paste(picture)
        sheets.append(sheet.quantize(128))
    out = io.BytesIO()
    durations = [round(1000 * seconds)] * (len(sheets) - 1) + [round(2500 * seconds)]
    sheets[0].save(
        out, format="GIF", save_all=True, append_images=sheets[1:], duration=durations, loop=0, optimize=True
    )
    return out.getvalue()


def _positive(seconds: float) -> None:
    if not (isinstance(seconds, (int, float)) and 0 < seconds < 1e6):
        raise ValueError(f"seconds must be a positive number, not {seconds!r}")
