"""Colours, by what they are for. Every text colour has a contrast of at least 4.5 on what it is written on (tests)."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Theme:
    """A set of colours; the names say what is painted with them."""

    name: str
    paper: str  # behind everything
    ink: str  # text
    muted: str  # text of lesser weight: captions, local derivatives
    line: str  # edges and the borders of operations
    faint: str  # borders of pills and bands
    band: str  # behind the cards of one layer
    card: str  # an operation's header
    value: str  # forward numbers
    value_paper: str
    gradient: str  # backward numbers
    gradient_paper: str
    input_paper: str
    input_line: str
    parameter_paper: str
    parameter_line: str
    output_paper: str
    output_line: str

    def __post_init__(self) -> None:
        assert all(getattr(self, f.name).startswith("#") for f in fields(self) if f.name != "name")


LIGHT = Theme(
    "light",
    paper="#ffffff", ink="#1a1d21", muted="#565f6b", line="#858f9b", faint="#ccd3db", band="#f6f7f9", card="#ffffff",
    value="#0060a8", value_paper="#e8f2fa", gradient="#b84a00", gradient_paper="#fdeee2",
    input_paper="#eceff3", input_line="#69747f", parameter_paper="#fff5cc", parameter_line="#9a7300",
    output_paper="#e3f4ec", output_line="#00795a",
)  # fmt: skip

DARK = Theme(
    "dark",
    paper="#14181d", ink="#e8ebef", muted="#a9b4c0", line="#77828f", faint="#3d4752", band="#191e24", card="#1f262d",
    value="#6cb8f0", value_paper="#16303f", gradient="#ff9e57", gradient_paper="#3d2616",
    input_paper="#2b333c", input_line="#909ca8", parameter_paper="#3a3317", parameter_line="#d8b64a",
    output_paper="#17382d", output_line="#4fc39a",
)  # fmt: skip

THEMES = {"light": LIGHT, "dark": DARK}


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2).

    >>> round(contrast("#ffffff", "#000000"), 1)
    21.0
    """
    a, b = sorted((_luminance(one), _luminance(other)))
    return (b + 0.05) / (a + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
