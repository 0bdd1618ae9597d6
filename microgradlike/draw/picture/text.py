"""Text in pictures: numbers as a reader wants them, labels made visible, long texts shortened."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

from .font import width

MINUS = "−"
ELLIPSIS = "…"


def number(x: float, digits: int = 4) -> str:
    """A number for a picture: `digits` significant ones, a true minus sign, no noise.

    >>> [number(x) for x in (33.0, 0.1 + 0.2, -1234.5678, 1.93e-5, -2.5e21, float("inf"), float("nan"))]
    ['33', '0.3', '−1235', '1.93e−5', '−2.5e21', '∞', 'nan']
    """
    if x != x:
        return "nan"
    if math.isinf(x):
        return "∞" if x > 0 else MINUS + "∞"
    size = abs(x)
    if size == 0.0:
        return "0"
    if 1e-4 <= size < 1e6:
        text = f"{size:.0f}" if size >= 10.0**digits else f"{size:.{digits}g}"
        if "e" in text:
            text = f"{size:.0f}"
    else:
        mantissa, exponent = f"{size:.{max(digits - 2, 0)}e}".split("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        text = f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    return MINUS + text if x < 0 else text


def total(terms: Sequence[float], result: float, digits: int = 4, most: int = 4) -> str:
    """A sum written out, `30 + 30 = 60`; from more than `most` terms on, how many there are.

    >>> total([30.0, 30.0], 60.0), total([1.0, -2.5], -1.5)
    ('30 + 30 = 60', '1 − 2.5 = −1.5')
    >>> total([1.0] * 200, 200.0)
    '200 paths, Σ = 200'
    """
    if len(terms) > most:
        return f"{len(terms)} paths, Σ = {number(result, digits)}"
    text = number(terms[0], digits)
    for term in terms[1:]:
        written = number(term, digits)
        text += f" {MINUS} {written[1:]}" if written.startswith(MINUS) else f" + {written}"
    return f"{text} = {number(result, digits)}"


def ranged(numbers: Sequence[float], digits: int = 4) -> str:
    """The range of several numbers, and how many of them are not finite.

    >>> ranged([1.0, -2.0, 0.5]), ranged([3.0, 3.0, float("inf")])
    ('−2 … 1', '3, 1 not finite')
    """
    finite = [x for x in numbers if math.isfinite(x)]
    if not finite:
        return "nan" if numbers and numbers[0] != numbers[0] else number(numbers[0], digits) if numbers else "–"
    low, high = number(min(finite), 3), number(max(finite), 3)
    text = low if low == high else f"{low} … {high}"
    strange = len(numbers) - len(finite)
    return f"{text}, {strange:,} not finite" if strange else text


def visible(text: str) -> str:
    """`text` as one line that every format can hold: what cannot be seen is written out.

    Line breaks and tabs become signs; control characters, unpaired surrogates and characters that reverse
    the direction of writing become escapes, so that no label can break a file or pose as another.

    >>> visible("loss\\nof x"), visible("a\\x00b"), visible("손실 <b>")
    ('loss⏎of x', 'a\\\\x00b', '손실 <b>')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(c) for c in text)


def _visible(character: str) -> str:
    if character in "\n\r\u2028\u2029\x85":
        return "⏎"
    if character == "\t":
        return "⇥"
    code = ord(character)
    category = unicodedata.category(character)
    joins = code in (0x200C, 0x200D, 0xAD)
    if category in ("Cc", "Cs", "Cn", "Co") or (category == "Cf" and not joins):
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    return " " if category == "Zs" else character


def shortened(text: str, most: float, size: float, bold: bool = False) -> str:
    """`text`, or as much of it as `most` pixels hold, with "…" for the rest.

    >>> shortened("a label that goes on", 60, 10)
    'a label tha…'
    """
    if width(text, size, bold) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle].rstrip() + ELLIPSIS, size, bold) <= most:
            low = middle
        else:
            high = middle - 1
    while low and unicodedata.combining(text[low : low + 1] or " "):  # never part a letter from its accent
        low -= 1
    return text[:low].rstrip() + ELLIPSIS


_GAP = f"({ELLIPSIS})"


def elided(text: str, most: float, size: float, bold: bool = False) -> str:
    """An expression shortened to `most` pixels: cut between terms, with the brackets closed again.

    >>> elided("tanh(b + w1 × x1 + w2 × x2)", 110, 10)
    'tanh(b + w1 × x1 + …)'
    >>> elided("tanh((a + b × c) × (d + e))", 60, 13)
    'tanh(…)'
    """
    if width(text, size, bold) <= most:
        return text
    for at in range(len(text) - 1, 0, -1):
        if (text[at] == " " and text[at + 1 : at + 2] not in ("", "+", MINUS, "×", "/")) or text[at] in "([":
            head = text[: at + 1]
            open_ones = [c for c in head if c in "()"]
            closing = ")" * max(open_ones.count("(") - open_ones.count(")"), 0)
            candidate = head + ELLIPSIS + closing
            while f"({_GAP})" in candidate:  # one pair of brackets says it
                candidate = candidate.replace(f"({_GAP})", _GAP)
            if width(candidate, size, bold) <= most:
                return candidate
    return shortened(text, most, size, bold)
