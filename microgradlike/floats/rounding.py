"""Python's x // y and round(x, digits), over any namespace m: as on floats, with the derivatives of rounding.

The table has ⌊x⌋ and rounding to integers; these are made of them.
"""

from __future__ import annotations

from typing import Any

from ..ops import NAN

_SPLIT = 134217729.0  # 2²⁷ + 1
_ALL_WHOLE = 4503599627370496.0  # 2⁵²: from here on, all floats are integers


def floor_quotient(m: Any, x: Any, y: Any) -> Any:
    """⌊x / y⌋ of the exact quotient, as Python has it: where x / y was rounded up to an integer, one less."""
    quotient = m.divide(x, y)
    whole = m.floor(quotient)
    rounded_up = m.greater_equal(2.0 * m.abs(m.remainder(x, y)), m.abs(y))
    whole = whole - m.equal(quotient, whole) * rounded_up
    return m.where(m.equal(m.abs(x), float("inf")), NAN, whole)


def rounded(m: Any, x: Any, digits: int) -> Any:
    """round(x, digits), as Python has it: by the exact value of x, ties to even.

    Where x·10ᵈ was rounded to a half, its rounding error tells on which side x lies (Dekker 1971, the exact product).
    """
    if digits < 0:
        scale = 10.0 ** min(-digits, 308)
        return m.round(m.divide(x, scale)) * scale
    if digits > 22:  # 10ᵈ is a float no longer, and few numbers have so many decimals
        scale = 10.0 ** min(digits, 308)
        shifted = x * scale
        return m.where(m.less(m.abs(shifted), _ALL_WHOLE), m.round(shifted) / scale, _unmoved(m, x))
    scale = 10.0**digits
    shifted = x * scale
    below = m.floor(shifted)
    x_high, scale_high = _SPLIT * x - (_SPLIT * x - x), _SPLIT * scale - (_SPLIT * scale - scale)
    x_low, scale_low = x - x_high, scale - scale_high
    lost = ((x_high * scale_high - shifted) + x_high * scale_low + x_low * scale_high) + x_low * scale_low
    at_half = m.where(m.greater(lost, 0.0), below + 1.0, m.where(lost, below, m.round(shifted)))
    nearest = m.where(m.equal(shifted - below, 0.5), at_half, m.round(shifted))
    return m.where(m.less(m.abs(shifted), _ALL_WHOLE), nearest / scale, _unmoved(m, x))


def _unmoved(m: Any, x: Any) -> Any:
    """x itself, with the derivative 0 of rounding: its integer part, and the rest in units too small to matter."""
    whole = m.trunc(x)
    rest = m.trunc((x - whole) * 2.0**80) * 2.0**-80
    return m.where(m.less(m.abs(x), float("inf")), whole + rest, whole)
