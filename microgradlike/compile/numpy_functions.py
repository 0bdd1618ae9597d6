"""Elementwise operations on arrays, `function(out, *operands)`, with the specials of floats.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import floats
from ..ops import TABLE
from .lowering import LEAST, TINY

__all__ = ["ELEMENTWISE", "NATIVE"]

Function = Callable[..., Any]


def _ufunc(ufunc: Any) -> Function:
    def call(out: Any, *xs: Any) -> None:
        ufunc(*xs, out=out)

    return call


def _python(name: str) -> Function:
    """What NumPy has not: Python's function for each number."""
    function = np.frompyfunc(getattr(floats, name), len(TABLE[name].parameters), 1)

    def call(out: Any, *xs: Any) -> None:
        out[...] = function(*xs)

    return call


def _relu(out: Any, x: Any) -> None:
    np.maximum(x, 0.0, out=out)


def _sign(out: Any, x: Any) -> None:
    np.sign(x, out=out)


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
    d = np.subtract(x, top)
    b = d - x
    lost = np.subtract(d, b)  # two_sum of accurate.py: (x − (d − b)) − (top + b)
    np.subtract(x, lost, lost)
    np.subtract(lost, np.add(top, b, b), lost)
    np.fmax(lost, -1.0, lost)  # nan where d is −inf, and the result 0
    np.exp(d, d)
    np.add(d, np.multiply(d, lost, lost), out)


def _rest(out: Any, w: Any) -> None:
    first = np.equal(w, 1.0).astype(float)
    others = w - first
    if w.shape[1] > 16:  # by groups: fewer roundings one after the other
        others = np.add.reduceat(others, range(0, w.shape[1], 8), 1)
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


_COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")

ELEMENTWISE: dict[str, Function] = {
    **{name: _ufunc(getattr(np, name)) for name in (
        "add", "subtract", "multiply", "divide", "negative", "square", "sqrt", "cbrt", "abs", "exp", "expm1", "log",
        "log1p", "log2", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "hypot", "maximum", "minimum", "floor",
        "ceil", "trunc", *_COMPARISONS,
    )},
    "pow": _ufunc(np.power), "round": _ufunc(np.rint), "asin": _ufunc(np.arcsin), "acos": _ufunc(np.arccos),
    "atan": _ufunc(np.arctan), "atan2": _ufunc(np.arctan2), "asinh": _ufunc(np.arcsinh), "acosh": _ufunc(np.arccosh),
    "atanh": _ufunc(np.arctanh), "positive": _positive, "reciprocal": _reciprocal, "sign": _sign, "relu": _relu,
    "where": _where, "defined": _defined, "remainder": _remainder,
    "over_square": _over_square,
    **{f"where {name}": _where_test(getattr(np, name)) for name in _COMPARISONS},
    "sum": _sum, "top": _top, "weight": _weight, "rest": _rest, "prod": _prod, "norm": _norm,
    "erf": _python("erf"), "erfc": _python("erfc"),
}  # fmt: skip


# ── rows whose plain formula is not accurate everywhere ─────────────────────────────────────────
class _Arrays:
    """The namespace of arrays that a row's formula is run on."""

    def __getattr__(self, name: str) -> Function:
        function = ELEMENTWISE.get(name)
        row = TABLE.get(name)
        if function is None and row is not None and row.formula is not None:
            return lambda *xs: row.formula(self, *xs)  # type: ignore[misc]
        if function is None:
            raise AttributeError(name)

        def call(*xs: Any) -> Any:
            out = np.empty(np.broadcast_shapes(*[np.shape(x) for x in xs]))
            function(out, *xs)
            return out

        return call


_arrays = _Arrays()


def _trusting(name: str, trusted: Function, formula: Function | None = None) -> Function:
    """The formula where it keeps its digits (`trusted(result, *operands)`, finite, not subnormal), else floats.py."""
    exact = getattr(floats, name)
    formula = formula or TABLE[name].formula
    assert formula is not None

    def call(out: Any, *xs: Any) -> None:
        result = formula(_arrays, *xs)
        size = np.abs(result)
        doubtful = ~((size > 1e-290) & (size < np.inf) & trusted(result, *xs))
        out[...] = result
        doubtful = np.broadcast_to(doubtful, out.shape)
        if doubtful.any():
            operands = [np.broadcast_to(x, out.shape)[doubtful].tolist() for x in xs]
            out[doubtful] = [exact(*row) for row in zip(*operands, strict=True)]

    return call


def _moderate(*xs: Any) -> Any:
    """Neither so large nor so small that a square or a quotient overflows."""
    found: Any = True
    for x in xs:
        size = np.abs(x)
        found = found & (size > 1e-70) & (size < 1e70)
    return found


def _hinge_margin(m: Any, s: Any, y: Any) -> Any:
    """relu(1 − s·y) with the rounding error of the product put back (Dekker 1971): 1 − s·y cancels near the margin."""
    p = s * y
    a, b = 134217729.0 * s, 134217729.0 * y
    s1, y1 = a - (a - s), b - (b - y)
    s2, y2 = s - s1, y - y1
    error = ((s1 * y1 - p) + s1 * y2 + s2 * y1) + s2 * y2
    return np.maximum((1.0 - p) - error, 0.0)


def _sigmoid_minus(m: Any, x: Any, y: Any) -> Any:
    return np.where(np.equal(y, 1.0), -m.sigmoid(-x), m.sigmoid(x) - y)


def _pow_slope(m: Any, x: Any, y: Any) -> Any:
    """y·x^z·(1 + d·ln x), where z + d is y − 1 exactly (two_sum of accurate.py)."""
    z = y - 1.0
    t = z - y
    d = (y - (z - t)) - (1.0 + t)
    slope = y * m.pow(x, z)
    return slope + slope * (d * m.log(np.abs(x)))


def _silu_slope(m: Any, x: Any) -> Any:
    return m.sigmoid(x) * (1.0 + x * m.sigmoid(-x))


ELEMENTWISE |= {
    name: _trusting(name, *rest)
    for name, *rest in (
        ("silu", lambda r, x: True), ("mish", lambda r, x: True), ("gelu", lambda r, x: x > -1.0),
        ("gelu_tanh", lambda r, x: np.abs(x) < 2.0), ("silu_slope", lambda r, x: np.abs(r) > 0.1, _silu_slope),
        ("mish_slope", lambda r, x: np.abs(r) > 0.2), ("gelu_slope", lambda r, x: np.abs(r) > 0.2),
        ("gelu_tanh_slope", lambda r, x: (np.abs(r) > 0.2) & (np.abs(x) < 2.0)),
        ("celu", lambda r, x, alpha: _moderate(alpha) & ((x > 0.0) | (x / alpha < 2.0))),
        ("logaddexp", lambda r, x, y: np.abs(r) > 0.5 * np.abs(np.maximum(x, y))),
        ("binary_cross_entropy", lambda r, p, y: (p > 0.0) & (p < 1.0) & (y >= 0.0) & (y <= 1.0)),
        ("binary_cross_entropy_with_logits", lambda r, x, y: (y >= 0.0) & (y <= 1.0)),
        ("pow_slope", lambda r, x, y: _moderate(x, y) & (np.abs(y) < 64.0), _pow_slope),
        ("pow_log", lambda r, x, y: _moderate(x, y)),
        ("erf_slope", lambda r, x: np.abs(x) < 2.0), ("normal_density", lambda r, x: np.abs(x) < 2.0),
        ("normal_cdf", lambda r, x: x > -1.5), ("over_norm2", lambda r, x, y: _moderate(x, y)),
        ("unit_component", lambda r, x, y: _moderate(x, y)), ("logit", lambda r, p: np.abs(r) > 0.5),
        ("sigmoid_difference", lambda r, x, y: np.abs(x - y) < 4.0),
        ("exp_quotient", lambda r, x, y: _moderate(x, y) & (np.abs(x) < 4.0 * np.abs(y))),
        ("sigmoid_minus", lambda r, x, y: (np.abs(r) > 0.2) | (y == 0.0) | (y == 1.0), _sigmoid_minus),
        ("hinge", lambda r, s, y: _moderate(s, y), _hinge_margin),
        ("exp_times", lambda r, *xs: False), ("celu_gap", lambda r, *xs: False),
    )
    if name in TABLE
}  # fmt: skip

# What a program may use as it is; everything else is replaced by formulas that do.
NATIVE = frozenset(ELEMENTWISE) & frozenset(TABLE) | {"dot", "take"}
