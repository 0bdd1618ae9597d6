"""Namespace `floats`: every row of the table on Python floats, with the results of IEEE 754. No rules, no graphs.

What a function computes is its row's business (ops.py); here is how it gets there on a machine. Nothing
raises: a division by 0, log(0) and an overflow are infinite, what has no value is nan. A comparison is
1.0 or 0.0, and `where` takes any condition but 0 as true, nan too. Arguments are floats, and so is the result.

One line of mathematics stands here. What takes several steps to come out to the last place is in careful.py, once for
all engines, or, where Python has a shorter road to it, in accurate.py; here it is only named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from math import copysign, fabs, inf, nan

from . import accurate, careful, words

# Of these rows the shorter road ends within 2 ulp too, but not at the same bits.
SHORTER = (
    "silu", "silu_slope", "gelu", "gelu_slope", "erf", "erf_slope", "normal_density", "normal_cdf", "logit",
    "logaddexp", "sigmoid_minus", "pow_slope", "pow_log",
)  # fmt: skip


def have_the_bits_of_c() -> None:
    """Leave the shorter roads, so that what replays a program here agrees to the bit with the compiled engine."""
    globals().update({name: _careful(name) for name in SHORTER})


def _careful(name: str) -> Callable[..., float]:
    """The row by its careful formula."""
    return partial(careful.ROWS[name], words)


# ── arithmetic ──────────────────────────────────────────────────────────────────────────────────
divide, over_square, difference_over = words.divide, accurate.over_square, accurate.difference_over
pow_slope, pow_log = accurate.pow_slope, accurate.pow_log
cbrt, cbrt_slope = _careful("cbrt"), _careful("cbrt_slope")


def positive(x: float) -> float:
    return x


def negative(x: float) -> float:
    return -x


def add(x: float, y: float) -> float:
    return x + y


def subtract(x: float, y: float) -> float:
    return x - y


def multiply(x: float, y: float) -> float:
    return x * y


def reciprocal(x: float) -> float:
    return 1.0 / x if x else copysign(inf, x)


def remainder(x: float, y: float) -> float:
    return x % y if y and x - x == 0.0 else nan


def fraction(x: float, y: float) -> float:
    return x / y if y else 0.0


def square(x: float) -> float:
    return x * x


def pow(x: float, y: float) -> float:
    return x * x if y == 2.0 else words.pow(x, y)  # the square rounds once, what C calls pow not always


sqrt = words.sqrt


def abs(x: float) -> float:
    return fabs(x)


def sign(x: float) -> float:
    return copysign(1.0, x) if x < 0.0 or x > 0.0 else x


side = sign


def share(x: float, y: float) -> float:
    return 0.5 if x == y else 1.0


# ── exponentials and logarithms ─────────────────────────────────────────────────────────────────
exp, expm1, log, log1p = words.exp, words.expm1, words.log, words.log1p
exp_times, exp_quotient = _careful("exp_times"), _careful("exp_quotient")
logaddexp, sigmoid_difference = accurate.logaddexp, _careful("sigmoid_difference")


def log2(x: float) -> float:
    if x > 0.0:
        return math.log2(x)
    return -inf if x == 0.0 else nan


def log10(x: float) -> float:
    if x > 0.0:
        return math.log10(x)
    return -inf if x == 0.0 else nan


def xlogy(x: float, y: float) -> float:
    if x == 0.0:
        return 0.0 if y == y else nan
    return x * log(y)


# ── trigonometry and hyperbolic functions ───────────────────────────────────────────────────────
sin, cos, tan, sec2 = accurate.sin, accurate.cos, accurate.tan, accurate.sec2
over_norm2, unit_component = _careful("over_norm2"), _careful("unit_component")
tanh, sech2 = accurate.tanh, accurate.sech2
acosh, acosh_slope = _careful("acosh"), _careful("acosh_slope")
asin_slope, atanh_slope, lorentzian = _careful("asin_slope"), _careful("atanh_slope"), _careful("lorentzian")
erfc, erf_slope = _careful("erfc"), accurate.erf_slope
normal_density, normal_cdf = accurate.normal_density, accurate.normal_cdf


def asin(x: float) -> float:
    return math.asin(x) if -1.0 <= x <= 1.0 else nan


def acos(x: float) -> float:
    return math.acos(x) if -1.0 <= x <= 1.0 else nan


def atan(x: float) -> float:
    return math.atan(x)


def atan2(y: float, x: float) -> float:
    return math.atan2(y, x)


def hypot(x: float, y: float) -> float:
    return math.hypot(x, y)


def sinh(x: float) -> float:
    try:
        return math.sinh(x)
    except OverflowError:
        return copysign(inf, x)


def cosh(x: float) -> float:
    try:
        return math.cosh(x)
    except OverflowError:
        return inf


def asinh(x: float) -> float:
    return math.asinh(x)


def atanh(x: float) -> float:
    if -1.0 < x < 1.0:
        return math.atanh(x)
    return copysign(inf, x) if x in (1.0, -1.0) else nan


def erf(x: float) -> float:
    return math.erf(x)


# ── selection, rounding, comparison ─────────────────────────────────────────────────────────────
def maximum(x: float, y: float) -> float:
    if x >= y:
        return x
    return y if x == x else x


def minimum(x: float, y: float) -> float:
    if x <= y:
        return x
    return y if x == x else x


def clip(x: float, low: float, high: float) -> float:
    return minimum(maximum(x, low), high)


def where(condition: float, x: float, y: float) -> float:
    return x if condition else y


def defined(test: float, x: float) -> float:
    return x if test == test else nan


def gate(condition: float, g: float) -> float | None:
    """The cotangent g, or None: nothing at all flows back, which is not the same as 0."""
    return g if condition else None


def less(x: float, y: float) -> float:
    return 1.0 if x < y else 0.0


def less_equal(x: float, y: float) -> float:
    return 1.0 if x <= y else 0.0


def greater(x: float, y: float) -> float:
    return 1.0 if x > y else 0.0


def greater_equal(x: float, y: float) -> float:
    return 1.0 if x >= y else 0.0


def equal(x: float, y: float) -> float:
    return 1.0 if x == y else 0.0


def not_equal(x: float, y: float) -> float:
    return 1.0 if x != y else 0.0


_WHOLE = 2.0**52  # from here on every float is a whole number, or infinite, or nan


def floor(x: float) -> float:
    return copysign(float(math.floor(x)), x) if -_WHOLE < x < _WHOLE else x


def ceil(x: float) -> float:
    return copysign(float(math.ceil(x)), x) if -_WHOLE < x < _WHOLE else x


def round(x: float) -> float:
    return copysign(float(x.__round__()), x) if -_WHOLE < x < _WHOLE else x


def trunc(x: float) -> float:
    return copysign(float(math.trunc(x)), x) if -_WHOLE < x < _WHOLE else x


# ── activations ─────────────────────────────────────────────────────────────────────────────────
sigmoid, logistic_density = accurate.sigmoid, accurate.logistic_density
silu, silu_slope = accurate.silu, accurate.silu_slope
mish, mish_slope = _careful("mish"), _careful("mish_slope")
gelu, gelu_slope = accurate.gelu, accurate.gelu_slope
gelu_tanh, gelu_tanh_slope = _careful("gelu_tanh"), _careful("gelu_tanh_slope")
selu, selu_slope = _careful("selu"), _careful("selu_slope")
celu, celu_gap = _careful("celu"), _careful("celu_gap")


def relu(x: float) -> float:
    if x > 0.0:
        return x
    return 0.0 if x == x else x


def leaky_relu(x: float, slope: float) -> float:
    return x if x > 0.0 else slope * x


def elu(x: float, alpha: float) -> float:
    return x if x > 0.0 else alpha * math.expm1(x)


def softplus(x: float) -> float:
    if x > 0.0:
        return x + math.log1p(math.exp(-x))
    return math.log1p(math.exp(x))


def log_sigmoid(x: float) -> float:
    return -softplus(-x)


# ── many arguments ──────────────────────────────────────────────────────────────────────────────
sum, prod, mean, dot = accurate.exact_sum, accurate.prod, accurate.mean, accurate.dot
logsumexp, softmax, log_softmax = accurate.logsumexp, accurate.softmax, accurate.log_softmax
softmax_slope, one_minus_softmax = accurate.softmax_slope, accurate.one_minus_softmax


def norm(*xs: float) -> float:
    return math.hypot(*xs)


def take(index: float, *xs: float) -> float:
    return xs[int(index)]


# ── losses of one example ───────────────────────────────────────────────────────────────────────
half_squared_error, mean_squared_error, hinge = accurate.half_squared_error, accurate.mean_squared_error, accurate.hinge
binary_cross_entropy, logit = accurate.binary_cross_entropy, accurate.logit
binary_cross_entropy_slope = _careful("binary_cross_entropy_slope")
binary_cross_entropy_with_logits, sigmoid_minus = accurate.binary_cross_entropy_with_logits, accurate.sigmoid_minus
cross_entropy, soft_cross_entropy = accurate.cross_entropy, accurate.soft_cross_entropy
softmax_minus = accurate.softmax_minus


# ── all elements of a list at once, in time that grows as the list does (see ops._nth) ─────────────────
products_of_others, unit_vector = accurate.products_of_others, accurate.unit_vector
elements_back = {"softmax": accurate.softmax_back, "log_softmax": accurate.log_softmax_back}


def nth(name: str, xs: tuple[float, ...], *head: float) -> Callable[[float], float]:
    w = accurate.weights_of(xs)
    if w is None:
        return lambda _: nan
    return partial(_OF_WEIGHTS[name], w, *head)


_OF_WEIGHTS: dict[str, Callable[..., float]] = {
    "softmax": accurate.softmax_of,
    "softmax_slope": accurate.softmax_slope_of,
    "log_softmax": lambda w, k: -accurate.cross_entropy_of(w, k),
}
