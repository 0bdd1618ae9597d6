"""Elementwise operations on arrays, `function(out, *operands)`, with the specials of floats.py. Which are native, and which not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import floats
from ..ops import TABLE

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


def _rest(out: Any, x: Any) -> None:
    e = np.exp(x - np.maximum.reduce(x, 1, keepdims=True))
    np.put_along_axis(e, np.expand_dims(np.argmax(x, 1), 1), 0.0, 1)
    np.add.reduce(e, 1, None, out)


def _prod(out: Any, x: Any) -> None:
    np.multiply.reduce(x, 1, None, out)


def _norm(out: Any, x: Any) -> None:
    np.hypot.reduce(x, 1, None, out)


def _remainder(out: Any, x: Any, y: Any) -> None:
    np.mod(x, y, out=out)
    np.copyto(out, np.nan, where=~np.isfinite(x) & np.ones(out.shape, bool))


_COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")

ELEMENTWISE: dict[str, Function] = {
    **{name: _ufunc(getattr(np, name)) for name in (
        "add", "subtract", "multiply", "divide", "negative", "square", "sqrt", "cbrt", "abs", "exp", "expm1", "log", "log1p",
        "log2", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "hypot", "maximum", "minimum", "floor", "ceil",
        "trunc", *_COMPARISONS,
    )},
    "pow": _ufunc(np.power), "round": _ufunc(np.rint), "asin": _ufunc(np.arcsin), "acos": _ufunc(np.arccos),
    "atan": _ufunc(np.arctan), "atan2": _ufunc(np.arctan2), "asinh": _ufunc(np.arcsinh), "acosh": _ufunc(np.arccosh),
    "atanh": _ufunc(np.arctanh), "positive": _positive, "reciprocal": _reciprocal, "sign": _sign, "relu": _relu,
    "where": _where, "defined": _defined, "remainder": _remainder,
    **{f"where {name}": _where_test(getattr(np, name)) for name in _COMPARISONS},
    "sum": _sum, "top": _top, "rest": _rest, "prod": _prod, "norm": _norm,
    "erf": _python("erf"), "erfc": _python("erfc"),
}  # fmt: skip

# What a program may use as it is; everything else is replaced by formulas that do.
NATIVE = frozenset(ELEMENTWISE) & frozenset(TABLE) | {"dot", "take"}
