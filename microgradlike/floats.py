"""Namespace `floats`: every row of the table on Python floats, with IEEE 754 results. Nothing here raises.

The careful algorithms live in accurate.py; this file holds what one line of mathematics and the
treatment of infinities settle.
"""

from __future__ import annotations

import math
from math import copysign, inf, nan

from .accurate import exact_sum
from .accurate import exp_ieee as exp
from .accurate import expm1_ieee as expm1
from .accurate import power as pow
from .accurate import acosh as acosh
from .accurate import acosh_slope as acosh_slope
from .accurate import asin_slope as asin_slope
from .accurate import atanh_slope as atanh_slope
from .accurate import binary_cross_entropy as binary_cross_entropy
from .accurate import binary_cross_entropy_slope as binary_cross_entropy_slope
from .accurate import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from .accurate import cbrt as cbrt
from .accurate import cbrt_slope as cbrt_slope
from .accurate import celu as celu
from .accurate import celu_gap as celu_gap
from .accurate import cos as cos
from .accurate import cross_entropy as cross_entropy
from .accurate import divide as divide
from .accurate import dot as dot
from .accurate import erf_slope as erf_slope
from .accurate import erfc as erfc
from .accurate import exp_quotient as exp_quotient
from .accurate import exp_times as exp_times
from .accurate import gelu as gelu
from .accurate import gelu_slope as gelu_slope
from .accurate import gelu_tanh as gelu_tanh
from .accurate import gelu_tanh_slope as gelu_tanh_slope
from .accurate import half_squared_error as half_squared_error
from .accurate import hinge as hinge
from .accurate import log_softmax as log_softmax
from .accurate import logaddexp as logaddexp
from .accurate import logistic_density as logistic_density
from .accurate import logit as logit
from .accurate import logsumexp as logsumexp
from .accurate import lorentzian as lorentzian
from .accurate import mean as mean
from .accurate import mean_squared_error as mean_squared_error
from .accurate import mish as mish
from .accurate import mish_slope as mish_slope
from .accurate import normal_cdf as normal_cdf
from .accurate import normal_density as normal_density
from .accurate import one_minus_softmax as one_minus_softmax
from .accurate import over_norm2 as over_norm2
from .accurate import over_square as over_square
from .accurate import pow_log as pow_log
from .accurate import pow_slope as pow_slope
from .accurate import prod as prod
from .accurate import sec2 as sec2
from .accurate import sech2 as sech2
from .accurate import selu as selu
from .accurate import selu_slope as selu_slope
from .accurate import sigmoid as sigmoid
from .accurate import sigmoid_difference as sigmoid_difference
from .accurate import sigmoid_minus as sigmoid_minus
from .accurate import silu as silu
from .accurate import silu_slope as silu_slope
from .accurate import sin as sin
from .accurate import soft_cross_entropy as soft_cross_entropy
from .accurate import softmax as softmax
from .accurate import softmax_minus as softmax_minus
from .accurate import softmax_slope as softmax_slope
from .accurate import tan as tan
from .accurate import tanh as tanh
from .accurate import unit_component as unit_component


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


def reciprocal(x: float) -> float:
    return 1.0 / x if x else copysign(inf, x)


def remainder(x: float, y: float) -> float:
    if not y or x - x != 0.0:
        return nan
    return x % y


def square(x: float) -> float:
    return x * x


def sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0.0 else nan


def abs(x: float) -> float:
    return math.fabs(x)


def sign(x: float) -> float:
    return copysign(1.0, x) if x < 0.0 or x > 0.0 else x


# ── exponentials and logarithms ─────────────────────────────────────────────────────────────────


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


def xlogy(x: float, y: float) -> float:
    if x == 0.0:
        return 0.0 if y == y else nan
    return x * log(y)


# ── trigonometry and hyperbolic functions ───────────────────────────────────────────────────────


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


def log_sigmoid(x: float) -> float:
    return minimum(x, 0.0) - math.log1p(math.exp(-math.fabs(x)))


def softplus(x: float) -> float:
    return maximum(x, 0.0) + math.log1p(math.exp(-math.fabs(x)))


# ── many arguments ──────────────────────────────────────────────────────────────────────────────
def sum(*xs: float) -> float:
    return exact_sum(xs)


def norm(*xs: float) -> float:
    return math.hypot(*xs)


def take(index: float, *xs: float) -> float:
    return xs[int(index)]


# ── losses ──────────────────────────────────────────────────────────────────────────────────────


# ── derivatives that have a name ────────────────────────────────────────────────────────────────


def fraction(x: float, y: float) -> float:
    return x / y if y else 0.0


