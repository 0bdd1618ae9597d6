"""A canvas as SVG: one self-contained file that carries the letters it uses. Plain attributes, no ids."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..picture.font import FALLBACKS, FOREIGN, embedded, font, runs, width
from ..picture.shapes import Canvas, Mark, Path, Rect, Shape, Text, every
from ..picture.text import visible
from ..picture.theme import Theme


def escaped(text: str) -> str:
    """Text for XML, as content or between double quotes; what XML cannot hold is written out."""
    if not text.isascii() or not text.isprintable():
        text = "".join(c if c in "\n\t" or _is_xml(c) else visible(c) for c in text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text.replace("\n", "&#10;").replace("\t", "&#9;")


def _is_xml(c: str) -> bool:
    return (" " <= c <= "\ud7ff" and c != "\x7f") or "\ue000" <= c <= "\ufffd" or c >= "\U00010000"


def _n(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0").replace("-0", "0") if abs(x) < 0.05 else f"{x:.1f}".removesuffix(".0")


def svg(
    canvas: Canvas,
    theme: Theme,
    *,
    scale: float = 1.0,
    carry_font: bool = True,
    dark: Theme | None = None,
    roles: bool = False,
    letters: str = "",
) -> str:
    """The picture as SVG text.

    Args:
        canvas: the shapes.
        theme: their colours.
        scale: how many pixels one unit takes.
        carry_font: embed the letters that are used, so that it looks the same everywhere.
        dark: colours for readers who prefer a dark page; then the SVG follows them.
        roles: name what each colour is for in a class, and leave the colours to the page.
        letters: further characters to embed.
    """
    bare = roles and dark is None
    roles = roles or dark is not None
    texts = [shape for shape in every(canvas.shapes) if isinstance(shape, Text)]
    regular, bold = (letters + "".join(t.text for t in texts if t.bold is b) for b in (False, True))
    family, rules = embedded(regular, bold) if carry_font else ("microgradlike Sans", "")
    w, h = canvas.width, canvas.height
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(w * scale)}" height="{_n(h * scale)}" '
        f'viewBox="0 0 {_n(w)} {_n(h)}" '
        f'role="img" font-family="{family}, {FALLBACKS}" class="{family}">',
        f"<title>{escaped(visible(canvas.title))}</title>",
        f"<desc>{escaped(canvas.description)}</desc>",
    ]
    styles = rules + (_follow_reader(theme, dark, family) if dark else "")
    if styles:
        out.append(f"<style>{styles}</style>")
    fill = "" if bare else f' fill="{theme.paper}"'
    out.append(f'<rect width="{_n(w)}" height="{_n(h)}"{fill}{_class("paper" if roles else "")}/>')
    _write(out, canvas.shapes, None if bare else theme, roles)
    out.append("</svg>")
    return "\n".join(out)


def _follow_reader(theme: Theme, dark: Theme, family: str) -> str:
    rules = "".join(
        f".{family} .f-{role}{{fill:{getattr(dark, role)}}}.{family} .s-{role}{{stroke:{getattr(dark, role)}}}"
        for role in _roles(dark)
    )
    return f"@media (prefers-color-scheme:dark){{{rules}.{family} .paper{{fill:{dark.paper}}}}}"


def _roles(theme: Theme) -> list[str]:
    return [role for role in theme.__dataclass_fields__ if role != "name"]


def _class(*names: str) -> str:
    joined = " ".join(name for name in names if name)
    return f' class="{joined}"' if joined else ""


_STYLED = ("value", "gradient", "head", "sent", "derivative", "wire", "frame")  # whose looks web/page.css has, too


def _colour(name: str, theme: Theme | None, role: str) -> str:
    return "" if theme is None else f' {name}="{getattr(theme, role)}"'


def _paint(shape: Path | Rect, theme: Theme | None, roles: bool, line: float) -> str:
    text = (
        _colour("fill", theme, shape.fill)
        if shape.fill
        else ""
        if theme is None and shape.name in _STYLED
        else ' fill="none"'
    )
    if shape.stroke:
        text += f'{_colour("stroke", theme, shape.stroke)} stroke-width="{_n(line)}"'
        if shape.dashed:
            text += ' stroke-dasharray="4 3"'
    if isinstance(shape, Path) and shape.opacity != 1.0:
        text += f' fill-opacity="{shape.opacity:.2f}"'
    names = [shape.name.split(" ")[0]]
    if roles:
        names += [f"f-{shape.fill}" if shape.fill else "", f"s-{shape.stroke}" if shape.stroke else ""]
    return text + _class(*names)


def _write(out: list[str], shapes: Sequence[Shape], theme: Theme | None, roles: bool) -> None:
    for shape in shapes:
        if isinstance(shape, Mark):
            data = "".join(
                f' data-{key}="{escaped(json.dumps(v) if key == "label" else v)}"' for key, v in shape.data.items()
            )
            faint = ' opacity="0.22"' if shape.dimmed else ""
            out.append(f"<g{_class(shape.name)}{data}{faint}>")
            if shape.tooltip:
                out.append(f"<title>{escaped(shape.tooltip)}</title>")
            _write(out, shape.shapes, theme, roles)
            out.append("</g>")
        elif isinstance(shape, Rect):
            radius = f' rx="{_n(shape.radius)}"' if shape.radius else ""
            place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}"{radius}'
            out.append(f"<rect {place}{_paint(shape, theme, roles, shape.line)}/>")
        elif isinstance(shape, Path):
            out.append(f'<path d="{path_data(shape)}"{_paint(shape, theme, roles, shape.width)}/>')
        else:
            styled = theme is None and shape.name in _STYLED
            weight = ' font-weight="bold"' if shape.bold and not styled else ""
            anchor = f' text-anchor="{shape.anchor}"' if shape.anchor != "start" and not styled else ""
            names = _class(shape.name, f"f-{shape.colour}" if roles else "")
            place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" font-size="{_n(shape.size)}"'
            place += _colour("fill", theme, shape.colour)
            if font(shape.bold).has(shape.text):
                out.append(f"<text {place}{weight}{anchor}{names}>{escaped(shape.text)}</text>")
            else:
                own = ' style="text-anchor:start"' if styled else ""
                out.append(f"<text {place}{weight}{own}{names}>{_pieces(shape)}</text>")


def _pieces(shape: Text) -> str:
    """A text with letters of other fonts: each piece in its place, made to fit the width that was reserved for it."""
    x = shape.x
    if shape.anchor != "start":
        x -= width(shape.text, shape.size, shape.bold) / (2 if shape.anchor == "middle" else 1)
    text = ""
    for piece, own in runs(shape.text, shape.bold):
        room = width(piece, shape.size, shape.bold)
        other = "" if own else f' font-family="{FOREIGN}"'
        length = f' textLength="{_n(room)}" lengthAdjust="spacingAndGlyphs"' if room and not own else ""
        text += f'<tspan x="{_n(x)}"{other}{length}>{escaped(piece)}</tspan>'
        x += room
    return text


def path_data(shape: Path) -> str:
    """The `d` of a path."""
    return "".join(
        str(command[0]) + " ".join(_n(x) for x in command[1:] if isinstance(x, float | int))
        for command in shape.commands
    )
