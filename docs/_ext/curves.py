"""Small SVG plots of a primitive and of its derivative over the row's own domain, as text. No library needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from microgradlike import floats
from microgradlike.graph.sweep import sent
from microgradlike.ops import Op

WIDTH, HEIGHT, MARGIN = 300, 180, 8
LIMIT = 6.0  # no axis reaches beyond ±6 times what is typical
POINTS = 241


def arguments(row: Op) -> tuple[int, list[float]] | None:
    """(which argument varies, a point in the row's domain); None if there is nothing to plot."""
    if row.name in ("where", "take"):
        return None
    ordinary = [name for name in row.parameters if name not in ("index", "class")]
    starred = any(name.startswith("*") for name in ordinary)
    if starred:
        many = 3 if len(ordinary) == 1 else 4
        point = [0.0, 1.0, -1.0] if many == 3 else [0.5, 1.0, 1.0, 0.0]
        return len(row.parameters) - len(ordinary), [0.0] * (len(row.parameters) - len(ordinary)) + point
    domain = [row.domain[min(i, len(row.domain) - 1)] for i in range(len(row.parameters))]
    point = [(low + high) / 2 or 0.6 * high for low, high in domain]  # not 0, where x·y would show nothing
    point[len(point) - len(row.defaults) :] = row.defaults
    if row.loss and row.parameters[-1] == "target":
        point[-1] = 1.0
    return 0, point


def curve(row: Op) -> str:
    """The plot as an <svg> element; empty if there is nothing to plot."""
    found = arguments(row)
    if found is None:
        return ""
    place, point = found
    low, high = row.domain[0] if not any(p.startswith("*") for p in row.parameters) else (-5.0, 5.0)
    forward = row.on(floats)

    def at(x: float) -> list[float]:
        return [x if i == place else fixed for i, fixed in enumerate(point)]

    def value(x: float) -> float:
        return float(forward(*at(x)))

    def slope(x: float) -> float:
        arguments = at(x)
        found = sent(row, 1.0, float(forward(*arguments)), arguments)[place]
        return math.nan if found is None else float(found)

    xs = [low + (high - low) * i / (POINTS - 1) for i in range(POINTS)]
    lines = [("curve-value", [value(x) for x in xs])]
    if row.differentiable:
        lines.append(("curve-slope", [slope(x) for x in xs]))
    shown = sorted(y for _, ys in lines for y in ys if math.isfinite(y))
    bottom, top = max(min(shown[0], 0.0), -LIMIT), min(max(shown[-1], 0.0), LIMIT)
    bottom, top = (bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom)) if top > bottom else (-1.0, 1.0)

    def px(x: float) -> float:
        return MARGIN + (x - low) / (high - low) * (WIDTH - 2 * MARGIN)

    def py(y: float) -> float:
        return HEIGHT - MARGIN - (y - bottom) / (top - bottom) * (HEIGHT - 2 * MARGIN)

    parts = [_line("curve-axis", [(MARGIN, py(0.0)), (WIDTH - MARGIN, py(0.0))])]
    if low < 0.0 < high:
        parts.append(_line("curve-axis", [(px(0.0), MARGIN), (px(0.0), HEIGHT - MARGIN)]))
    for style, ys in lines:
        runs = _runs(xs, ys, lambda y: bottom <= y <= top, top - bottom)
        parts += [_line(style, [(px(x), py(y)) for x, y in run]) for run in runs]
    parts += [
        _text(MARGIN, py(0.0) - 3, f"{low:g}", "start"), _text(WIDTH - MARGIN, py(0.0) - 3, f"{high:g}", "end"),
        _text(px(0.0) + 3 if low < 0.0 < high else MARGIN, MARGIN + 9, f"{top:.3g}", "start"),
    ]  # fmt: skip
    label = f"{row.name} and its derivative" if row.differentiable else row.name
    return (
        f'<svg class="curve" role="img" aria-label="{label} for x from {low:g} to {high:g}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>'
    )


def fixed_arguments(row: Op) -> str:
    """What the arguments that do not vary are in the plot, say `y = 1`."""
    found = arguments(row)
    if found is None:
        return ""
    place, point = found
    if any(p.startswith("*") for p in row.parameters):
        return "first argument varied, the others fixed at " + ", ".join(f"{x:g}" for x in point[place + 1 :])
    return ", ".join(
        f"{name} = {x:g}" for i, (name, x) in enumerate(zip(row.parameters, point, strict=True)) if i != place
    )


def _runs(
    xs: list[float], ys: list[float], inside: Callable[[float], bool], height: float
) -> list[list[tuple[float, float]]]:
    """The pieces of a curve that lie in the picture; a jump ends a piece."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(xs, ys, strict=True):
        if not (math.isfinite(y) and inside(y)) or (runs[-1] and abs(y - runs[-1][-1][1]) > 0.15 * height):
            runs.append([])
        if math.isfinite(y) and inside(y):
            runs[-1].append((x, y))
    return [run for run in runs if len(run) > 1]


def _line(style: str, points: list[tuple[float, float]]) -> str:
    return f'<polyline class="{style}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _text(x: float, y: float, text: Any, anchor: str) -> str:
    return f'<text class="curve-text" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{text}</text>'
