"""A canvas as one page of PDF, in vectors and with the font embedded. Needs reportlab."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from ..picture.font import FOLDER, runs, width
from ..picture.shapes import Canvas, Mark, Path, Rect, Shape, Text
from ..picture.text import visible
from ..picture.theme import Theme

# Characters that the font lacks are left to fonts that every PDF reader brings.
_ASIAN = (
    ("HANGUL", "HYGothic-Medium"),
    ("HIRAGANA", "HeiseiKakuGo-W5"),
    ("KATAKANA", "HeiseiKakuGo-W5"),
    ("CJK", "STSong-Light"),
)
_REGULAR, _BOLD = "microgradlike-Regular", "microgradlike-Bold"


def pdf(canvas: Canvas, theme: Theme) -> bytes:
    """The picture as PDF; one unit is one CSS pixel, 3/4 point.

    Raises:
        ImportError: reportlab is not installed.
    """
    try:
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.ttfonts import TTFont
        from reportlab.pdfgen.canvas import Canvas as Page
    except ImportError:
        raise ImportError(
            'PDF needs reportlab: `pip install "microgradlike[pdf]"`; '
            "or engine='dot' where Graphviz is installed; .svg needs neither"
        ) from None
    for name, file in ((_REGULAR, "regular.ttf"), (_BOLD, "bold.ttf")):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(FOLDER / file)))
    out = io.BytesIO()
    page = Page(out, pagesize=(0.75 * canvas.width, 0.75 * canvas.height), invariant=1)
    page.setTitle(visible(canvas.title))
    page.setSubject(visible(canvas.description))
    page.setCreator("microgradlike")
    page.scale(0.75, -0.75)
    page.translate(0, -canvas.height)
    page.setFillColor(theme.paper)
    page.rect(0, 0, canvas.width, canvas.height, stroke=0, fill=1)
    _write(page, canvas.shapes, theme)
    page.showPage()
    page.save()
    return out.getvalue()


def _write(page: Any, shapes: Sequence[Shape], theme: Theme) -> None:
    for shape in shapes:
        if isinstance(shape, Mark):
            page.saveState()
            if shape.dimmed:
                page.setFillAlpha(0.22)
                page.setStrokeAlpha(0.22)
            _write(page, shape.shapes, theme)
            page.restoreState()
        elif isinstance(shape, Text):
            _text(page, shape, theme)
        else:
            _outline(page, shape, theme)


def _outline(page: Any, shape: Path | Rect, theme: Theme) -> None:
    if shape.fill:
        page.setFillColor(getattr(theme, shape.fill), alpha=shape.opacity if isinstance(shape, Path) else None)
    if shape.stroke:
        page.setStrokeColor(getattr(theme, shape.stroke))
        page.setLineWidth(shape.line if isinstance(shape, Rect) else shape.width)
        page.setDash([4, 3] if shape.dashed else [])
    painted = {"fill": int(bool(shape.fill)), "stroke": int(bool(shape.stroke))}
    if isinstance(shape, Rect):
        radius = min(shape.radius, shape.width / 2, shape.height / 2)
        if radius:
            page.roundRect(shape.x, shape.y, shape.width, shape.height, radius, **painted)
        else:
            page.rect(shape.x, shape.y, shape.width, shape.height, **painted)
        return
    path = page.beginPath()
    for command in shape.commands:
        name, numbers = command[0], command[1:]
        if name == "M":
            path.moveTo(*numbers)
        elif name == "L":
            path.lineTo(*numbers)
        elif name == "C":
            path.curveTo(*numbers)
        else:
            path.close()
    page.drawPath(path, **painted)


def _text(page: Any, shape: Text, theme: Theme) -> None:
    x = shape.x
    if shape.anchor != "start":
        x -= width(shape.text, shape.size, shape.bold) / (2 if shape.anchor == "middle" else 1)
    page.saveState()
    page.translate(x, shape.y)
    page.scale(1, -1)  # the page is upside down, letters are not
    writer = page.beginText(0, 0)
    writer.setFillColor(getattr(theme, shape.colour))
    for run, face in _runs(shape.text, shape.bold):
        writer.setFont(face, shape.size)
        thick = shape.bold and face not in (_REGULAR, _BOLD)  # these fonts have one weight: an outline makes the other
        writer.setTextRenderMode(2 if thick else 0)
        if thick:
            page.setStrokeColor(getattr(theme, shape.colour))
            page.setLineWidth(0.035 * shape.size)
            page.setDash([])
        writer.textOut(run)
    page.drawText(writer)
    page.restoreState()


def _runs(text: str, bold: bool) -> Iterator[tuple[str, str]]:
    """`text` in pieces, each with a font that has it; a character that none has becomes "□"."""
    face = _BOLD if bold else _REGULAR
    for piece, own in runs(text, bold):
        if own:
            yield piece, face
            continue
        for other, characters in groupby(piece, key=_asian):
            run = "".join(characters)
            yield (run, other) if other else ("□" * len(run), face)


def _asian(character: str) -> str:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont

    name = unicodedata.name(character, "")
    for script, face in _ASIAN:
        if name.startswith(script):
            if face not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(UnicodeCIDFont(face))
            return face
    return ""
