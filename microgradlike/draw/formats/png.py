"""An SVG as PNG, by resvg and the font of this package. Needs nothing of the operating system."""

from __future__ import annotations

import math

from ..picture.font import FAMILY, FOLDER, font
from ..picture.shapes import Canvas, Text, every
from ..picture.theme import Theme
from .svg import svg

MOST_PIXELS = 60_000_000
MOST_ACROSS = 32_000


def check_scale(scale: object) -> None:
    """Refuse what is no positive number."""
    if not (isinstance(scale, (int, float)) and math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale must be a positive number, not {scale!r}")


def most_scale(canvas: Canvas) -> float:
    """The largest scale at which a PNG has no more pixels than it may have."""
    w, h = canvas.width, canvas.height
    return 0.999999 * min(math.sqrt(MOST_PIXELS / (w * h)), MOST_ACROSS / max(w, h))


def png(canvas: Canvas, theme: Theme, scale: float = 2.0) -> bytes:
    """The picture as PNG, `scale` pixels for one unit of the SVG.

    Raises:
        ValueError: scale is no positive number, or the picture would be too large.
    """
    check_scale(scale)
    w, h = canvas.width * scale, canvas.height * scale
    if w * h > MOST_PIXELS or max(w, h) > MOST_ACROSS:
        fits = math.floor(most_scale(canvas) * 100) / 100
        raise ValueError(
            f"the PNG would be {w:,.0f} × {h:,.0f} pixels; the limits are {MOST_PIXELS // 10**6} million, "
            f"and {MOST_ACROSS:,} on a side: use scale={fits:g} or less, save as .svg, "
            "or fold the graph with detail='neurons' or 'layers'"
        )
    try:
        import resvg_py
    except ImportError:
        raise ImportError("PNG needs resvg-py: `pip install resvg-py`; .svg works without") from None
    foreign = any(not font(t.bold).has(t.text) for t in every(canvas.shapes) if isinstance(t, Text))
    source = svg(canvas, theme, scale=scale, carry_font=False)
    image = resvg_py.svg_to_bytes(
        svg_string=source, dpi=96, skip_system_fonts=not foreign,
        font_files=[str(FOLDER / "regular.ttf"), str(FOLDER / "bold.ttf")],
        font_family=FAMILY, sans_serif_family=FAMILY,
    )  # fmt: skip
    return bytes(image)
