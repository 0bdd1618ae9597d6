"""Namespace `floats`: every row of the table on Python floats, with IEEE 754 results. Nothing here raises.

The careful algorithms live in accurate.py; this file holds what one line of mathematics and the
treatment of infinities settle.
"""

from __future__ import annotations

import math
from math import copysign, inf, nan

LOG2_E, LOG10_E = 1.4426950408889634, 0.4342944819032518
TWO_OVER_SQRT_PI = 1.1283791670955126
SQRT_HALF, INVERSE_SQRT_2PI = 0.7071067811865476, 0.3989422804014327
GELU_K, GELU_C = 0.7978845608028654, 0.044715
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


# ── arithmetic ──────────────────────────────────────────────────────────────────────────────────
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


def divide(x: float, y: float) -> float:
    if y:
        return x / y
    if not x or x != x:
        return nan
    return copysign(inf, x) * copysign(1.0, y)


def reciprocal(x: float) -> float:
    return 1.0 / x if x else copysign(inf, x)


def remainder(x: float, y: float) -> float:
    if not y or x - x != 0.0:
        return nan
    return x % y


def pow(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return -inf if x < 0.0 and math.fmod(y, 2.0) else inf
    except ValueError:
        if x:
            return nan
        return copysign(inf, x) if y - y == 0.0 and math.fmod(y, 2.0) in (1.0, -1.0) else inf


def square(x: float) -> float:
    return x * x


def sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0.0 else nan


def cbrt(x: float) -> float:
    return copysign(pow(math.fabs(x), 1.0 / 3.0), x)


def abs(x: float) -> float:
    return math.fabs(x)


def sign(x: float) -> float:
    return copysign(1.0, x) if x < 0.0 or x > 0.0 else x


# ── exponentials and logarithms ─────────────────────────────────────────────────────────────────
def exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return inf


def expm1(x: float) -> float:
    try:
        return math.expm1(x)
    except OverflowError:
        return inf


def log(x: float) -> float:
    if x > 0.0:
        return math.log(x)
    return -inf if x == 0.0 else nan


def log1p(x: float) -> float:
    if x > -1.0:
        return math.log1p(x)
    return -inf if x == -1.0 else nan


def log2(x: float) -> float:
    if x > 0.0:
        return math.log2(x)
    return -inf if x == 0.0 else nan


def log10(x: float) -> float:
    if x > 0.0:
        return math.log10(x)
    return -inf if x == 0.0 else nan


def logaddexp(x: float, y: float) -> float:
    return logsumexp(x, y)


def xlogy(x: float, y: float) -> float:
    if x == 0.0:
        return 0.0 if y == y else nan
    return x * log(y)


# ── trigonometry and hyperbolic functions ───────────────────────────────────────────────────────
def sin(x: float) -> float:
    return math.sin(x) if x - x == 0.0 else nan


def cos(x: float) -> float:
    return math.cos(x) if x - x == 0.0 else nan


def tan(x: float) -> float:
    return math.tan(x) if x - x == 0.0 else nan


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


def tanh(x: float) -> float:
    return math.tanh(x)


def asinh(x: float) -> float:
    return math.asinh(x)


def acosh(x: float) -> float:
    return math.acosh(x) if x >= 1.0 else nan


def atanh(x: float) -> float:
    if -1.0 < x < 1.0:
        return math.atanh(x)
    return copysign(inf, x) if x in (1.0, -1.0) else nan


def erf(x: float) -> float:
    return math.erf(x)


def erfc(x: float) -> float:
    return math.erfc(x)


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


_WHOLE = 2.0**52  # a float of at least this size is whole (and inf and nan stay what they are)


def floor(x: float) -> float:
    return copysign(float(math.floor(x)), x) if -_WHOLE < x < _WHOLE else x


def ceil(x: float) -> float:
    return copysign(float(math.ceil(x)), x) if -_WHOLE < x < _WHOLE else x


def round(x: float) -> float:
    return copysign(float(x.__round__()), x) if -_WHOLE < x < _WHOLE else x


def trunc(x: float) -> float:
    return copysign(float(int(x)), x) if -_WHOLE < x < _WHOLE else x


# ── activations ─────────────────────────────────────────────────────────────────────────────────
def relu(x: float) -> float:
    if x > 0.0:
        return x
    return 0.0 if x == x else x


def leaky_relu(x: float, slope: float) -> float:
    return x if x > 0.0 else slope * x


def elu(x: float, alpha: float) -> float:
    return x if x > 0.0 else alpha * math.expm1(x)


def selu(x: float) -> float:
    return SELU_SCALE * elu(x, SELU_ALPHA)


def celu(x: float, alpha: float) -> float:
    return x if x > 0.0 else alpha * expm1(divide(x, alpha))


def sigmoid(x: float) -> float:
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def log_sigmoid(x: float) -> float:
    return minimum(x, 0.0) - math.log1p(math.exp(-math.fabs(x)))


def softplus(x: float) -> float:
    return maximum(x, 0.0) + math.log1p(math.exp(-math.fabs(x)))


def silu(x: float) -> float:
    return x * sigmoid(x) if x != -inf else -0.0


def mish(x: float) -> float:
    return x * math.tanh(softplus(x)) if x != -inf else -0.0


def gelu(x: float) -> float:
    return x * normal_cdf(x) if x != -inf else -0.0


def gelu_tanh(x: float) -> float:
    return x * sigmoid(_gelu_u(x)) if x != -inf else -0.0


# ── many arguments ──────────────────────────────────────────────────────────────────────────────
def sum(*xs: float) -> float:
    try:
        return math.fsum(xs)
    except (OverflowError, ValueError):
        total = 0.0
        for x in xs:
            total += x
        return total


def prod(*xs: float) -> float:
    return float(math.prod(xs))


def mean(*xs: float) -> float:
    return divide(sum(*xs), float(len(xs)))


def dot(*xs: float) -> float:
    half = len(xs) // 2
    return sum(*[x * y for x, y in zip(xs[:half], xs[half:])])


def norm(*xs: float) -> float:
    return math.hypot(*xs)


def logsumexp(*xs: float) -> float:
    top = max(xs)
    if any(x != x for x in xs):
        return nan
    if top - top != 0.0:
        return top
    i = xs.index(top)
    return top + math.log1p(math.fsum([math.exp(x - top) for j, x in enumerate(xs) if j != i]))


def softmax(index: float, *xs: float) -> float:
    top = max(xs)
    if any(x != x for x in xs) or top - top != 0.0:
        return nan
    return math.exp(xs[int(index)] - top) / math.fsum([math.exp(x - top) for x in xs])


def log_softmax(index: float, *xs: float) -> float:
    return xs[int(index)] - logsumexp(*xs)


def take(index: float, *xs: float) -> float:
    return xs[int(index)]


# ── losses ──────────────────────────────────────────────────────────────────────────────────────
def half_squared_error(prediction: float, target: float) -> float:
    return 0.5 * (prediction - target) * (prediction - target)


def mean_squared_error(*xs: float) -> float:
    half = len(xs) // 2
    return mean(*[square(p - t) for p, t in zip(xs[:half], xs[half:])])


def binary_cross_entropy(probability: float, target: float) -> float:
    return -(xlogy(target, probability) + (0.0 if target == 1.0 else (1.0 - target) * log1p(-probability)))


def binary_cross_entropy_with_logits(logit: float, target: float) -> float:
    linear = logit * (1.0 - target) if logit > 0.0 else -(logit * target)
    return linear + math.log1p(math.exp(-math.fabs(logit)))


def hinge(score: float, target: float) -> float:
    return relu(1.0 - score * target)


def cross_entropy(index: float, *logits: float) -> float:
    return -log_softmax(index, *logits)


def soft_cross_entropy(*xs: float) -> float:
    half = len(xs) // 2
    logits, targets = xs[:half], xs[half:]
    return -sum(*[0.0 if t == 0.0 else t * log_softmax(float(i), *logits) for i, t in enumerate(targets)])


# ── derivatives that have a name ────────────────────────────────────────────────────────────────
def over_square(x: float, y: float) -> float:
    return divide(divide(x, y), y)


def pow_slope(x: float, y: float) -> float:
    return y * pow(x, y - 1.0) if y else 0.0


def pow_log(x: float, y: float) -> float:
    return xlogy(pow(x, y), x)


def cbrt_slope(x: float) -> float:
    return divide(1.0 / 3.0, square(cbrt(x)))


def sec2(x: float) -> float:
    return 1.0 + square(tan(x))


def sech2(x: float) -> float:
    return 4.0 * logistic_density(2.0 * x)


def lorentzian(x: float) -> float:
    return 1.0 / (1.0 + x * x)


def acosh_slope(x: float) -> float:
    return reciprocal(sqrt(x - 1.0) * sqrt(x + 1.0))


def erf_slope(x: float) -> float:
    return TWO_OVER_SQRT_PI * math.exp(-(x * x))


def normal_density(x: float) -> float:
    return INVERSE_SQRT_2PI * math.exp(-0.5 * (x * x))


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-SQRT_HALF * x)


def over_norm2(x: float, y: float) -> float:
    return fraction(x, x * x + y * y)


def unit_component(x: float, y: float) -> float:
    return fraction(x, math.hypot(x, y))


def fraction(x: float, y: float) -> float:
    return x / y if y else 0.0


def sigmoid_difference(x: float, y: float) -> float:
    return 0.5 if x == y else sigmoid(x - y)


def logistic_density(x: float) -> float:
    e = math.exp(-math.fabs(x))
    return e / ((1.0 + e) * (1.0 + e))


def selu_slope(x: float) -> float:
    return SELU_SCALE if x > 0.0 else SELU_SCALE * SELU_ALPHA * exp(x)


def exp_quotient(x: float, y: float) -> float:
    return exp(divide(x, y))


def silu_slope(x: float) -> float:
    return sigmoid(x) + fraction(x, 1.0) * logistic_density(x) if x - x == 0.0 else sigmoid(x)


def mish_slope(x: float) -> float:
    return math.tanh(softplus(x)) + x * (sech2(softplus(x)) * sigmoid(x)) if x - x == 0.0 else sigmoid(x)


def gelu_slope(x: float) -> float:
    return normal_cdf(x) + x * normal_density(x) if x - x == 0.0 else sigmoid(x)


def _gelu_u(x: float) -> float:
    return 2.0 * GELU_K * (x + GELU_C * x * x * x)


def gelu_tanh_slope(x: float) -> float:
    if x - x != 0.0:
        return sigmoid(x)
    return sigmoid(_gelu_u(x)) + x * (logistic_density(_gelu_u(x)) * (2.0 * GELU_K * (1.0 + 3.0 * GELU_C * x * x)))


def softmax_slope(k: float, j: float, *xs: float) -> float:
    return softmax(k, *xs) * (one_minus_softmax(k, *xs) if k == j else -softmax(j, *xs))


def one_minus_softmax(index: float, *xs: float) -> float:
    return sum(*[softmax(float(j), *xs) for j in range(len(xs)) if j != int(index)])


def logit(p: float) -> float:
    return log(p) - log1p(-p)


def binary_cross_entropy_slope(p: float, y: float) -> float:
    if y == 0.0:
        return reciprocal(1.0 - p)
    if y == 1.0:
        return -reciprocal(p)
    return divide(p - y, p * (1.0 - p))


def sigmoid_minus(x: float, y: float) -> float:
    return sigmoid(x) - y
