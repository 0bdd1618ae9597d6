"""What a picture is made of before it becomes a file: rectangles, paths and texts in groups. Colours by role.

paint.py makes these; svg.py and pdf.py write them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Point = tuple[float, float]


@dataclass(slots=True)
class Path:
    """Commands ("M", x, y), ("L", x, y), ("C", x1, y1, x2, y2, x, y), ("Z",)."""

    commands: Sequence[tuple[object, ...]]
    fill: str = ""
    stroke: str = ""
    width: float = 1.0
    dashed: bool = False
    name: str = ""
    opacity: float = 1.0  # of the fill


@dataclass(slots=True)
class Rect:
    """A rectangle whose corners are rounded by `radius`."""

    x: float
    y: float
    width: float
    height: float
    radius: float = 0.0
    fill: str = ""
    stroke: str = ""
    line: float = 1.0
    dashed: bool = False
    name: str = ""


@dataclass(slots=True)
class Text:
    """One line of text, its baseline at y; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    bold: bool = False
    anchor: str = "start"
    name: str = ""


@dataclass(slots=True)
class Mark:
    """A group of shapes that stands for something: a card or an edge, with its tooltip and data."""

    shapes: list[Shape]
    name: str = ""
    tooltip: str = ""
    data: dict[str, str] = field(default_factory=dict)
    dimmed: bool = False


Shape = Path | Rect | Text | Mark


@dataclass(slots=True)
class Canvas:
    """A finished picture: its size, its shapes from back to front, its title and description for readers."""

    width: float
    height: float
    shapes: list[Shape]
    title: str
    description: str


def every(shapes: Sequence[Shape]) -> Iterator[Path | Rect | Text]:
    """All shapes, those in groups included."""
    for shape in shapes:
        if isinstance(shape, Mark):
            yield from every(shape.shapes)
        else:
            yield shape


def line(points: Sequence[Point]) -> list[tuple[object, ...]]:
    """Commands for a polygon line."""
    return [("M", *points[0]), *(("L", *p) for p in points[1:])]
