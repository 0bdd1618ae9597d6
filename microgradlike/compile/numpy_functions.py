"""Elementwise operations on arrays, `function(out, *operands)`, with the specials of floats.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..floats.arrays import ARRAYS
from ..floats.careful import two_sum
from ..ops import COMPARISONS, TABLE
from .lowering import LEAST, TINY

__all__ = ["ELEMENTWISE", "NATIVE"]

Function = Callable[..., Any]


def _ufunc(ufunc: Any) -> Function:
    def call(out: Any, *xs: Any) -> None:
        ufunc(*xs, out=out)

    return call


def _relu(out: Any, x: Any) -> None:
    np.maximum(x, 0.0, out=out)
    np.add(out, 0.0, out)  # of −0 and 0 NumPy takes either


def _maximum(out: Any, x: Any, y: Any) -> None:
    out[...] = np.where(np.greater_equal(x, y), x, np.maximum(x, y))  # of −0 and 0 the first, as in floats.py


def _minimum(out: Any, x: Any, y: Any) -> None:
    out[...] = np.where(np.less_equal(x, y), x, np.minimum(x, y))


def _sign(out: Any, x: Any) -> None:
    out[...] = np.where(np.equal(x, 0.0), x, np.sign(x))


def _reciprocal(out: Any, x: Any) -> None:
    np.divide(1.0, x, out=out)


def _positive(out: Any, x: Any) -> None:
    out[...] = x


def _where(out: Any, c: Any, x: Any, y: Any) -> None:
    out[...] = np.where(np.not_equal(c, 0.0), x, y)


def _where_test(test: Any) -> Function:
    def where(out: Any, a: Any, b: Any, x: Any, y: Any) -> None:
        out[...] = np.where(test(a, b), x, y)

    return where


def _defined(out: Any, test: Any, x: Any) -> None:
    out[...] = np.where(np.equal(test, test), x, np.nan)


def _sum(out: Any, x: Any) -> None:
    np.add.reduce(x, 1, None, out)


def _top(out: Any, x: Any) -> None:
    np.maximum.reduce(x, 1, None, out)


def _weight(out: Any, x: Any, top: Any) -> None:
    d, lost = two_sum(x, -top)
    np.exp(d, d)
    np.add(d, d * np.fmax(lost, -1.0), out)  # `lost` is nan where d is −inf, and the result 0


def _parts(x: Any) -> tuple[Any, Any]:
    """The sum along axis 1 in two parts: of the digits above a common place, which add up exactly, and of the rest."""
    _, exponent = np.frexp(np.maximum.reduce(np.abs(x), 1))
    place = np.ldexp(6755399441055744.0, exponent - 42)[:, None]  # (x + place) − place is a multiple of 2⁻⁴² of them
    high = (x + place) - place
    return np.add.reduce(high, 1), np.add.reduce(x - high, 1)


def _rest(out: Any, w: Any) -> None:
    first = np.equal(w, 1.0).astype(float)
    others = w - first
    if w.shape[1] > 16:  # roundings one after the other would show
        np.add(*_parts(others), out)
    else:
        np.add.reduce(others, 1, None, out)
    np.add(out, np.add.reduce(first, 1) - 1.0, out)


def _prod(out: Any, x: Any) -> None:
    """Mantissas and exponents apart, 512 factors at a time: nothing leaves the range on the way."""
    mantissas, exponents = np.frexp(x)
    product, exponent = np.ones(out.shape), np.add.reduce(exponents, 1)
    for start in range(0, mantissas.shape[1], 512):
        part, more = np.frexp(np.multiply.reduce(mantissas[:, start : start + 512], 1))
        product, again = np.frexp(product * part)
        exponent += more + again
    np.ldexp(product, exponent, out=out)


def _norm(out: Any, x: Any) -> None:
    np.hypot.reduce(x, 1, None, out)


def _over_square(out: Any, x: Any, y: Any) -> None:
    """x / y² as (x / y) / y; where x / y is subnormal and has few bits, as x / (y·y): then y·y keeps its range."""
    np.divide(x, y, out)
    size = np.abs(out)
    if not size.item(size.argmin()) >= TINY:
        few = size < TINY
        np.divide(np.where(few, x, out), np.where(few, np.maximum(y * y, LEAST), y), out)
    else:
        np.divide(out, y, out)


def _remainder(out: Any, x: Any, y: Any) -> None:
    np.mod(x, y, out=out)
    np.copyto(out, np.nan, where=~np.isfinite(x) & np.ones(out.shape, bool))


_COMPARISONS = [row.name for row in COMPARISONS.values()]  # as NumPy names them, too

ELEMENTWISE: dict[str, Function] = {
    **{name: _ufunc(getattr(np, name)) for name in (
        "add", "subtract", "multiply", "divide", "negative", "square", "sqrt", "abs", "exp", "expm1", "log",
        "log1p", "log2", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "hypot", "floor",
        "ceil", "trunc", *_COMPARISONS,
    )},
    "pow": _ufunc(np.power), "round": _ufunc(np.rint), "asin": _ufunc(np.arcsin), "acos": _ufunc(np.arccos),
    "atan": _ufunc(np.arctan), "atan2": _ufunc(np.arctan2), "asinh": _ufunc(np.arcsinh), "acosh": _ufunc(np.arccosh),
    "atanh": _ufunc(np.arctanh), "positive": _positive, "reciprocal": _reciprocal, "sign": _sign, "relu": _relu,
    "where": _where, "defined": _defined, "remainder": _remainder,
    "over_square": _over_square,
    **{f"where {name}": _where_test(getattr(np, name)) for name in _COMPARISONS},
    "sum": _sum, "top": _top, "weight": _weight, "rest": _rest, "prod": _prod, "norm": _norm,
    "maximum": _maximum, "minimum": _minimum,
}  # fmt: skip


# ── rows whose plain formula is not accurate everywhere: the formulas of careful.py ─────────────
def _mostly(name: str, quick: Callable[..., tuple[Any, Any]]) -> Function:
    """A quick formula, and where its digits may be missing the careful one: `quick(*operands)` tells both."""
    careful = ARRAYS[name]

    def call(out: Any, *xs: Any) -> None:
        out[...], trusted = quick(*xs)
        doubtful = np.broadcast_to(~trusted, out.shape)
        if doubtful.any():
            found = np.empty(np.count_nonzero(doubtful))
            careful(found, *[np.broadcast_to(x, out.shape)[doubtful] for x in xs])
            out[doubtful] = found

    return call


def _sigmoid_minus(x: Any, y: Any) -> tuple[Any, Any]:
    """Of a target of 0 or 1 a share is left."""
    e = np.exp(-np.abs(x))
    up = np.equal(x >= 0.0, np.equal(y, 0.0))
    share = np.where(up, 1.0, e) / (1.0 + e)
    return np.where(np.equal(y, 0.0), share, -share), (np.equal(y, 0.0) | np.equal(y, 1.0)) & np.equal(x, x)


def _logaddexp(x: Any, y: Any) -> tuple[Any, Any]:
    """max + ln(1 + exp(min − max)), unless these cancel."""
    top, low = np.maximum(x, y), np.minimum(x, y)
    w = np.empty(np.shape(top))
    _weight(w, low, top)
    more = np.log1p(w)
    result = top + more
    return result, np.abs(result) > 0.5 * more


_CAREFUL = (
    "silu", "silu_slope", "mish", "mish_slope", "gelu", "gelu_slope", "gelu_tanh", "gelu_tanh_slope", "celu",
    "celu_gap", "erf", "erfc", "erf_slope", "normal_density", "normal_cdf", "binary_cross_entropy", "logit", "hinge",
    "binary_cross_entropy_slope", "binary_cross_entropy_with_logits", "pow_slope", "pow_log", "over_norm2",
    "unit_component", "sigmoid_difference", "exp_quotient", "exp_times", "cbrt", "cbrt_slope", "selu", "selu_slope",
)  # fmt: skip
ELEMENTWISE |= {name: ARRAYS[name] for name in _CAREFUL if name in TABLE}
ELEMENTWISE["sigmoid_minus"] = _mostly("sigmoid_minus", _sigmoid_minus)
ELEMENTWISE["logaddexp"] = _mostly("logaddexp", _logaddexp)

# What a program may use as it is; everything else is replaced by formulas that do.
NATIVE = frozenset(ELEMENTWISE) & frozenset(TABLE) | {"dot", "take"}
