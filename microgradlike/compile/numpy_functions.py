"""Elementwise operations on arrays, `function(out, *operands)`, with the specials of floats.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np

from .. import floats
from ..floats import accurate
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


def _difference(x: Any, top: Any) -> tuple[Any, Any]:
    """x − top, and what that loses: two_sum of accurate.py."""
    d = np.subtract(x, top)
    b = d - x
    lost = np.subtract(d, b)  # (x − (d − b)) − (top + b)
    np.subtract(x, lost, lost)
    np.subtract(lost, np.add(top, b, b), lost)
    np.fmax(lost, -1.0, lost)  # nan where d is −inf, and the result 0
    return d, lost


def _weight(out: Any, x: Any, top: Any) -> None:
    d, lost = _difference(x, top)
    np.exp(d, d)
    np.add(d, np.multiply(d, lost, lost), out)


def _product(a: Any, b: Any) -> tuple[Any, Any]:
    """a·b, and what that loses (Dekker 1971); nan where a factor is too large for that."""
    p = a * b
    t, u = 134217729.0 * a, 134217729.0 * b
    a1, b1 = t - (t - a), u - (u - b)
    a2, b2 = a - a1, b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def _sum_of_two(a: Any, b: Any) -> tuple[Any, Any]:
    """two_sum of accurate.py."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@cache
def _powers() -> tuple[Any, Any, float, float, float]:
    """2^(j/4096) for j < 4096 as 26 bits and the rest; ln(2)/4096 as 30 bits, 30 bits and the rest."""

    def leading(x: Decimal, bits: int) -> float:
        m, k = math.frexp(float(x))
        return math.ldexp(math.floor(math.ldexp(m, bits)), k - bits)

    with localcontext(Context(prec=60)):
        step = Decimal(2).ln() / 4096
        factor, powers = step.exp(), [Decimal(1)]
        for _ in range(4095):
            powers.append(powers[-1] * factor)
        high = [leading(each, 26) for each in powers]
        low = [float(each - Decimal(h)) for each, h in zip(powers, high, strict=True)]
        first = leading(step, 30)
        second = leading(step - Decimal(first), 30)
        return np.array(high), np.array(low), first, second, float(step - Decimal(first) - Decimal(second))


def _exp_pair(x: Any, x2: Any) -> tuple[Any, Any]:
    """exp(x + x2) for x ≤ 0 as a float, and what is missing: together to 2⁻⁷⁷ of it. 0 below 10⁻²⁹⁰.

    x = n·ln(2)/4096 + a, so it is 2^(n/4096)·(1 + a + q), the power from a table, and q = a²/2 + … so small that its
    own rounding does not count.
    """
    high, low, first, second, third = _powers()
    x = np.maximum(x, -700.0)
    n = np.rint(x * (1.0 / (first + second)))
    r, p = x - n * first, n * second  # exact, as are the products
    a = r - p
    b = a - r
    lost = (r - (a - b)) - (p + b)
    lost += x2
    lost -= n * third
    n = n.astype(np.int64)
    j = n & 4095
    t, t2 = high[j], low[j]
    q = a * a * (0.5 + a * (1 / 6 + a * (1 / 24 + a * (1 / 120))))
    q += lost * (1.0 + a)
    c = 134217729.0 * a
    a1 = c - (c - a)  # 26 bits: t·a1 is exact
    p = t * a1
    tail = t * ((a - a1) + q) + t2 * (1.0 + (a + q))
    s = t + p
    tail += p - (s - t)
    result = s + tail
    tail -= result - s
    n >>= 12
    n += 1023
    n <<= 52  # the exponent of a float: 2ⁿ
    scale = n.view(np.float64)
    return result * scale, tail * scale


def _by_blocks(function: Function) -> Function:
    """Some thousand numbers at a time: what many steps leave on their way should stay in the first-level cache."""

    def call(out: Any, *xs: Any) -> None:
        if out.size <= 4096:
            function(out, *xs)
            return
        flat = out.reshape(-1)
        xs = tuple([np.broadcast_to(x, out.shape).reshape(-1) for x in xs])
        for start in range(0, len(flat), 2048):
            function(flat[start : start + 2048], *[x[start : start + 2048] for x in xs])

    return call


def _parts(x: Any) -> tuple[Any, Any]:
    """The sum along axis 1 in two parts: of the digits above a common place, which add up exactly, and of the rest."""
    _, exponent = np.frexp(np.maximum.reduce(np.abs(x), 1))
    place = np.ldexp(6755399441055744.0, exponent - 42)[:, None]  # (x + place) − place is a multiple of 2⁻⁴² of them
    high = (x + place) - place
    return np.add.reduce(high, 1), np.add.reduce(x - high, 1)


@_by_blocks
def _share_minus(out: Any, w: Any, w2: Any, rest: Any, rest2: Any, t: Any, t2: Any, y: Any) -> None:
    """(w·t − y·(1 + rest)) / (1 + rest), the numerator rounded once."""
    p, e = _product(w, t)
    q, f = _product(y, rest)
    s, a = _sum_of_two(p, -y)
    s, b = _sum_of_two(s, -q)
    lost = (a + b) + ((e - f) + ((w2 * t + w * t2) - y * rest2))
    np.divide(s + np.where(np.equal(lost, lost), lost, 0.0), 1.0 + rest, out)


def _near_zero(top: Any, log_total: Any, terms: Any) -> Any:
    """top + ln Σ exp(x − top), which cancel: a Newton step from log_total, with pairs. One for each row."""
    w, w2 = _exp_pair(*_difference(terms, top[:, None]))
    s, s2 = _sum_of_two(*_parts(w))
    s2 = s2 + np.add.reduce(w2, 1)
    v, v2 = _exp_pair(-log_total, 0.0)
    p, e = _product(s, v)
    r, lost = _sum_of_two(top, log_total)
    return r + (lost + ((p - 1.0) + (e + (s * v2 + s2 * v))))


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
    """relu(1 − s·y) with the rounding error of the product put back: 1 − s·y cancels near the margin."""
    p, error = _product(s, y)
    return np.maximum((1.0 - p) - error, 0.0)


def _sigmoid_minus(m: Any, x: Any, y: Any) -> Any:
    """σ(x) − y; where they are near each other as the share of two weights, 1 and exp(−|x|), less y."""
    result = np.where(np.equal(y, 1.0), -m.sigmoid(-x), m.sigmoid(x) - y)
    near = (np.abs(result) < 0.25) & np.not_equal(y, 0.0) & np.not_equal(y, 1.0)
    if near.any():
        x, y = (np.broadcast_to(each, result.shape)[near] for each in (x, y))
        e, tail = _exp_pair(-np.abs(x), 0.0)
        better = np.empty(x.shape)
        up = x >= 0.0
        _share_minus(better, np.where(up, 1.0, e), np.where(up, 0.0, tail), e, tail, 1.0, 0.0, y)
        result[near] = better
    return result


def _pow_slope(m: Any, x: Any, y: Any) -> Any:
    """y·x^z·(1 + d·ln x), where z + d is y − 1 exactly (two_sum of accurate.py)."""
    z = y - 1.0
    t = z - y
    d = (y - (z - t)) - (1.0 + t)
    slope = y * m.pow(x, z)
    return slope + slope * (d * m.log(np.abs(x)))


def _logaddexp(m: Any, x: Any, y: Any) -> Any:
    """max + ln(1 + w), w with what the difference of x and y loses: it counts where max is near 0."""
    top, low = np.maximum(x, y), np.minimum(x, y)
    w = np.empty(np.shape(top))
    _weight(w, low, top)
    more = np.log1p(w)
    result = np.asarray(top + more)
    near = np.abs(result) < 0.5 * more
    if near.any():
        top, low = (np.broadcast_to(each, result.shape)[near] for each in (top, low))
        result[near] = _near_zero(top, more[near], np.stack([top, low], 1))
    return result


def _gelu_tanh(m: Any, x: Any) -> Any:
    """x·σ(u), u = 2√(2/π)·(x + c·x³) as a pair, for exp magnifies its error |u| times: as in accurate.py."""
    (c, c2), (k, k2) = accurate.GELU_C, accurate.TWICE_GELU_K
    p, p2 = _product(x, x)
    q, q2 = _product(c, p)
    s, s2 = _sum_of_two(1.0, q)
    t, t2 = _product(x, s)
    u, u2 = _product(k, t)
    lost = u2 + (k2 * t + k * (t2 + x * (s2 + (q2 + (c * p2 + c2 * p)))))
    up = u > 0.0
    e = np.exp(-np.abs(u))
    e += e * np.where(up, -lost, lost)
    return x * (np.where(up, 1.0, e) / (1.0 + e))


def _silu_slope(m: Any, x: Any) -> Any:
    return m.sigmoid(x) * (1.0 + x * m.sigmoid(-x))


ELEMENTWISE |= {
    name: _trusting(name, *rest)
    for name, *rest in (
        ("silu", lambda r, x: True), ("mish", lambda r, x: True), ("gelu", lambda r, x: x > -1.0),
        ("gelu_tanh", lambda r, x: True, _gelu_tanh), ("silu_slope", lambda r, x: np.abs(r) > 0.13, _silu_slope),
        ("mish_slope", lambda r, x: np.abs(r) > 0.26), ("gelu_slope", lambda r, x: np.abs(r) > 0.2),
        ("gelu_tanh_slope", lambda r, x: (np.abs(r) > 0.27) & (np.abs(x) < 2.0)),
        ("celu", lambda r, x, alpha: _moderate(alpha) & ((x > 0.0) | (x / alpha < 2.0))),
        ("logaddexp", lambda r, x, y: np.abs(r) > 2.0**-22 * np.abs(r - np.maximum(x, y)), _logaddexp),
        ("binary_cross_entropy", lambda r, p, y: (p > 0.0) & (p < 1.0) & (y >= 0.0) & (y <= 1.0)),
        ("binary_cross_entropy_with_logits", lambda r, x, y: (y >= 0.0) & (y <= 1.0)),
        ("pow_slope", lambda r, x, y: _moderate(x, y) & (np.abs(y) < 64.0) & (x > 0.0), _pow_slope),
        ("pow_log", lambda r, x, y: _moderate(x, y)),
        ("erf_slope", lambda r, x: np.abs(x) < 2.0), ("normal_density", lambda r, x: np.abs(x) < 2.0),
        ("normal_cdf", lambda r, x: x > -1.5), ("over_norm2", lambda r, x, y: _moderate(x, y)),
        ("unit_component", lambda r, x, y: _moderate(x, y)), ("logit", lambda r, p: np.abs(r) > 0.5),
        ("sigmoid_difference", lambda r, x, y: np.abs(x - y) < 4.0),
        ("exp_quotient", lambda r, x, y: _moderate(x, y) & (np.abs(x) < 4.0 * np.abs(y))),
        ("sigmoid_minus", lambda r, x, y: (np.abs(r) > 1e-7 * y + 1e-280) | (y == 0.0) | (y == 1.0), _sigmoid_minus),
        ("hinge", lambda r, s, y: _moderate(s, y), _hinge_margin),
        ("exp_times", lambda r, *xs: False), ("celu_gap", lambda r, *xs: False),
    )
    if name in TABLE
}  # fmt: skip

# What a program may use as it is; everything else is replaced by formulas that do.
NATIVE = frozenset(ELEMENTWISE) & frozenset(TABLE) | {"dot", "take"}
