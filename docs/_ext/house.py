"""The directive `{house}`: the rooms of the package as a picture, made from its imports and the contract in pyproject.

A box is a room or a file of the package, with its lines of code; an arrow goes to what it imports, unless one of
the others that it imports leads there.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "microgradlike"
WIDTH, GAP, BOX, ROW = 760, 26, 104, 58


def layers() -> list[list[str]]:
    """The rooms, floor by floor, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return [floor.split(" : ") for floor in contracts[0]["layers"]]


def lines(room: str) -> int:
    """How many lines the room has, in all its languages."""
    file = PACKAGE / f"{room}.py"
    files = [file] if file.exists() else (PACKAGE / room).rglob("*")
    sources = [path for path in files if path.suffix in (".py", ".pyx", ".c", ".h", ".js") and path.is_file()]
    return sum(path.read_text("utf-8").count("\n") for path in sources)


def imports(rooms: list[str]) -> dict[str, set[str]]:
    """Which rooms each room imports, lazy imports included."""
    import grimp

    graph = grimp.build_graph("microgradlike", exclude_type_checking_imports=True, cache_dir=None)
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            here, there = ([*name.split("."), ""][1] for name in (module, other))
            if here != there and here in found and there in found:
                found[here].add(there)
    return found


def reduced(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that others imply."""

    def below(room: str) -> set[str]:
        return {room}.union(*map(below, found[room]))

    return {
        room: {other for other in others if not any(other in below(third) for third in others - {other})}
        for room, others in found.items()
    }


def named(room: str) -> str:
    """As how-it-works.md writes it."""
    return f"{room}/" if (PACKAGE / room).is_dir() else f"{room}.py"


def picture() -> str:
    """The house as SVG, in the colours of the page."""
    floors = layers()
    place: dict[str, tuple[float, float]] = {}
    for i, floor in enumerate(floors):
        span = len(floor) * BOX + (len(floor) - 1) * GAP
        for j, room in enumerate(floor):
            drift = ((i * 5) % 7 - 3) * 34 if len(floor) == 1 else 0  # so that arrows do not hide behind boxes
            place[room] = ((WIDTH - span) / 2 + j * (BOX + GAP) + drift, 8 + i * ROW)
    drawn = []
    for room, others in reduced(imports(list(place))).items():
        for other in sorted(others):
            (x, y), (u, v) = place[room], place[other]
            x, y, u = x + BOX / 2, y + 32, u + BOX / 2
            bend = (v - y) / 2
            drawn.append(f'<path d="M{x:g} {y:g} C{x:g} {y + bend:g} {u:g} {v - bend:g} {u:g} {v - 5:g}"/>')
    boxes = [
        f'<g><rect x="{x:g}" y="{y:g}" width="{BOX}" height="32" rx="6"/>'
        f'<text x="{x + BOX / 2:g}" y="{y + 14:g}" class="name">{escape(named(room))}</text>'
        f'<text x="{x + BOX / 2:g}" y="{y + 26:g}" class="lines">{lines(room):,} lines</text></g>'
        for room, (x, y) in place.items()
    ]
    return (
        f'<svg class="house" viewBox="0 0 {WIDTH} {len(floors) * ROW}" role="img" xmlns="http://www.w3.org/2000/svg" '
        f'aria-label="The rooms of the package, floor above floor, and which imports which">'
        "<style>.house{width:100%;max-width:760px;display:block;margin:1em auto}"
        ".house rect{fill:var(--color-background-secondary,#f4f4f8);stroke:var(--color-foreground-border,#889)}"
        ".house path{fill:none;stroke:var(--color-foreground-muted,#778);stroke-width:1.2;marker-end:url(#head)}"
        ".house text{text-anchor:middle;fill:var(--color-foreground-primary,#111);font-size:11.5px}"
        ".house .name{font-weight:600}.house .lines{font-size:9.5px;opacity:.75}</style>"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" style="fill:var(--color-foreground-muted,#778);stroke:none;marker-end:none"/>'
        "</marker></defs>" + "".join(drawn) + "".join(boxes) + "</svg>"
    )


class House(SphinxDirective):
    """`{house}`"""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", picture(), format="html")]


def setup(app: Any) -> dict[str, Any]:
    app.add_directive("house", House)
    return {"parallel_read_safe": True}
