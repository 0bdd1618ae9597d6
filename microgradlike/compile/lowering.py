"""How an operation is put together from those that arrays know, where that is better than its row's formula.

What is here keeps the accuracy of floats.py: no difference of nearly equal numbers that its row avoids.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops import TABLE, Op

__all__ = ["LOWERED", "PLAIN", "Lowering"]

Lowering = dict[str, Callable[..., Any]]

# What the softmax family shares. It has no derivative: what is differentiated is the family.
TOP = Op("top", pullback=lambda m, g, z, *xs: [None for _ in xs], doc="The largest of x; nan if one is nan.")
WEIGHT = Op("weight", (None, None), doc="exp(x − top), with what the rounded difference loses put back.")
REST = Op("rest", pullback=lambda m, g, z, *xs: [None for _ in xs], doc="The sum of weights without the first 1.")

TINY, LEAST = 2.2250738585072014e-308, 5e-324  # the smallest normal float, and the smallest of all


def _top(m: Any, xs: Any) -> Any:
    return m.step(TOP, xs)


def _weight(m: Any, x: Any, xs: Any) -> Any:
    return m.step(WEIGHT, (x, _top(m, xs)))


def _rest(m: Any, xs: Any) -> Any:
    top = _top(m, xs)
    # nan where the maximum is infinite: there is no softmax then
    return m.step(REST, [m.step(WEIGHT, (x, top)) for x in xs]) + (top - top)


def _element(m: Any, k: Any, xs: Any) -> Any:
    return m.take(k, *xs) if not isinstance(k, float) else xs[int(k)]


def _logsumexp(m: Any, *xs: Any) -> Any:
    top = _top(m, xs)
    return m.where(m.equal(top - top, 0.0), top + m.log1p(_rest(m, xs)), top)


def _log_softmax(m: Any, k: Any, *xs: Any) -> Any:
    return -m.cross_entropy(k, *xs)


def _cross_entropy(m: Any, k: Any, *xs: Any) -> Any:
    return m.log1p(_rest(m, xs)) + (_top(m, xs) - _element(m, k, xs))


def _softmax(m: Any, k: Any, *xs: Any) -> Any:
    return m.divide(_weight(m, _element(m, k, xs), xs), 1.0 + _rest(m, xs))


def _one_minus_softmax(m: Any, k: Any, *xs: Any) -> Any:
    e, rest = _weight(m, _element(m, k, xs), xs), _rest(m, xs)
    # e is 1 for the maximum: the others are `rest`. Else e is one of the terms of rest, and 1 stays: no cancellation.
    return m.divide(m.where(m.equal(e, 1.0), rest, (1.0 - e) + rest), 1.0 + rest)


def _soft_cross_entropy(m: Any, *xs: Any) -> Any:
    half = len(xs) // 2
    logits, targets = xs[:half], xs[half:]
    lost = [m.cross_entropy(float(i), *logits) for i in range(half)]
    return m.sum(*[m.where(m.equal(q, 0.0), 0.0, q * c) for q, c in zip(targets, lost, strict=True)])


def _softmax_minus(m: Any, k: Any, *xs: Any) -> Any:
    half = len(xs) // 2
    logits, targets = xs[:half], xs[half:]
    return m.softmax(k, *logits) * m.sum(*targets) - _element(m, k, targets)


def _logaddexp(m: Any, x: Any, y: Any) -> Any:
    top = m.maximum(x, y)
    return m.where(m.equal(top - top, 0.0), top + m.log1p(m.exp(-m.abs(x - y))), top)


def _logistic_density(m: Any, x: Any) -> Any:
    """e / (1 + e)², the square as 1 + (2 + e)·e: what is small is rounded while it is small."""
    e = m.exp(-m.abs(x))
    return m.divide(e, 1.0 + (2.0 + e) * e)


def _plain_mean(m: Any, *xs: Any) -> Any:
    return m.divide(m.sum(*xs), float(len(xs)))


def _mean(m: Any, *xs: Any) -> Any:
    """The sum over n; where the sum overflows, the sum of 2⁻⁶⁴·x, with the power of two given back at the end."""
    mean = _plain_mean(m, *xs)
    if len(xs) < 2:
        return mean
    scaled = 2.0**64 * m.divide(m.sum(*[2.0**-64 * x for x in xs]), float(len(xs)))
    return m.where(m.less(m.abs(mean), float("inf")), mean, scaled)


def _scaled(m: Any, xs: Any) -> tuple[list[Any], Any]:
    """x times a power of two that keeps the norm in range and its bits; and that power, which is 1 as a rule."""
    size = _top(m, [m.abs(x) for x in xs])
    up = m.where(m.less(size, 2.0**-900), 2.0**120, 1.0)
    scale = m.where(m.greater(size, 2.0**1000), 2.0**-64, up)
    return [scale * x for x in xs], scale


def _norm(m: Any, *xs: Any) -> Any:
    scaled, scale = _scaled(m, xs)
    norm = m.step(TABLE["norm"], scaled)
    result = m.divide(norm, scale)
    for x in xs:
        m.notes[_place(x), _place(result)] = scale, norm
    return result


PART_OF_NORM = Op(
    "part_of_norm",
    (*(lambda m, g, z, x, y, *_, rule=rule: rule(m, g, z, x, y) for rule in TABLE["fraction"].rules), None, None),
    formula=lambda m, x, y, scale, scaled: TABLE["fraction"].formula(m, scale * x, scaled),  # type: ignore[misc]
    doc="x / y, from a power of two and the norm of what is y the norm of times this.",
)


def _place(x: Any) -> Any:
    return x if isinstance(x, float) else x.index


def _fraction(m: Any, x: Any, y: Any) -> Any:
    """x / y, and 0 where y is 0. Of x by the norm that it is part of: both scaled, for that may be out of range."""
    scale, norm = m.notes.get((_place(x), _place(y)), (1.0, y))
    return TABLE["fraction"].formula(m, scale * x, norm)  # type: ignore[misc]


def _pow(m: Any, x: Any, y: Any) -> Any:
    if type(y) is float:  # whole exponents, with the specials that pow has
        if y == 0.0:
            return 1.0
        if y in (1.0, 2.0, 3.0):
            return x if y == 1.0 else x * x if y == 2.0 else x * x * x
        if y == -1.0:
            return m.reciprocal(x)
    return m.step(TABLE["pow"], (x, y))


def _pow_slope(m: Any, x: Any, y: Any) -> Any:
    if not (type(y) is float and (y - 1.0) + 1.0 == y and abs(y) < 64.0):
        return m.step(TABLE["pow_slope"], (x, y))
    whole = y == int(y)
    if abs(y) < (3.0 if whole else 8.0):
        return y * m.pow(x, y - 1.0) if y else 0.0
    # y comes before the last multiplication: x^(y−1) may be subnormal, with few bits, where y times it is not.
    half = (y - 1.0) / 2.0
    half = float(int(half)) if whole else half
    root = m.pow(x, half)
    odd = y - 1.0 - 2.0 * half
    first = y * root if odd == 0.0 else y * root * x if odd > 0.0 else m.divide(y * root, x)
    return first * root


def _over_square(m: Any, x: Any, y: Any) -> Any:
    if type(x) is float and abs(x) >= 1.0:  # where x / y is subnormal, and has few bits, the result is 0
        return m.divide(m.divide(x, y), y)
    return m.step(TABLE["over_square"], (x, y))


def _half_squared_error(m: Any, p: Any, t: Any) -> Any:
    d = p - t
    return 0.5 * d * d  # not ½·d²: the square may overflow


def _mean_squared_error(m: Any, *xs: Any) -> Any:
    n = len(xs) // 2
    differences = [p - t for p, t in zip(xs[:n], xs[n:], strict=True)]
    return m.sum(*[1.0 / n * d * d for d in differences])


def _difference_over(m: Any, x: Any, y: Any, n: Any) -> Any:
    """Where the difference overflows, of halves."""
    d = x - y
    return m.where(m.less(m.abs(d), float("inf")), m.divide(d, n), m.divide(0.5 * x - 0.5 * y, 0.5 * n))


def _lorentzian(m: Any, x: Any) -> Any:
    """1 / (1 + x²) as s² / (s² + (s·x)²), where s keeps the square of a large x in range."""
    large = m.greater(m.abs(x), 1e100)
    return m.divide(m.where(large, 2.0**-128, 1.0), m.where(large, m.square(2.0**-64 * x), 1.0 + m.square(x)))


def _cbrt_slope(m: Any, x: Any) -> Any:
    """y / (3x), y the cube root after a Newton step (libraries' are wrong by up to 4 ulp); 1 / (3y²) at 0 and ±inf."""
    y = m.cbrt(x)
    slope = m.divide(y - (y - m.divide(x, m.square(y))) * (1.0 / 3.0), x) * (1.0 / 3.0)
    return m.where(m.equal(slope, slope), slope, m.divide(1.0 / 3.0, m.square(y)))


LOWERED: Lowering = {
    "over_square": _over_square,
    "difference_over": _difference_over,
    "half_squared_error": _half_squared_error,
    "mean_squared_error": _mean_squared_error,
    "lorentzian": _lorentzian,
    "pow": _pow,
    "pow_slope": _pow_slope,
    "logistic_density": _logistic_density,
    "logsumexp": _logsumexp,
    "log_softmax": _log_softmax,
    "cross_entropy": _cross_entropy,
    "softmax": _softmax,
    "one_minus_softmax": _one_minus_softmax,
    "soft_cross_entropy": _soft_cross_entropy,
    "softmax_minus": _softmax_minus,
    "mean": _mean,
    "norm": _norm,
    "fraction": _fraction,
}


def _sigmoid_minus(m: Any, x: Any, y: Any) -> Any:
    """σ(x) − y, from 1 where y is nearer to it: to the last digits of the larger of σ(x) and y, or of their rests."""
    return m.where(m.greater(y, 0.5), (1.0 - y) - m.sigmoid(-x), m.sigmoid(x) - y)


# Another library, which differentiates what it gets, gets no step that it cannot see through.
PLAIN: Lowering = {
    "lorentzian": _lorentzian, "cbrt_slope": _cbrt_slope, "pow": _pow, "logsumexp": _logsumexp,
    "log_softmax": _log_softmax, "cross_entropy": _cross_entropy, "softmax": _softmax,
    "one_minus_softmax": _one_minus_softmax, "soft_cross_entropy": _soft_cross_entropy, "mean": _plain_mean,
    "logaddexp": _logaddexp, "sigmoid_minus": _sigmoid_minus,
}  # fmt: skip
