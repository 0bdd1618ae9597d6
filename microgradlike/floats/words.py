"""The words of careful.py on Python floats. No formulas (careful.py has them), no rows (floats/__init__.py)."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import inf, nan

__all__ = [
    "abs", "copysign", "divide", "exp", "expm1", "fmod", "log", "log1p", "pow", "rarely", "scale", "split", "sqrt",
    "two_product", "where",
]  # fmt: skip

abs, copysign = math.fabs, math.copysign


def divide(x: float, y: float) -> float:
    if y:
        return x / y
    return copysign(inf, x) * copysign(1.0, y) if x < 0.0 or x > 0.0 else nan


def two_product(a: float, b: float) -> tuple[float, float]:
    p = a * b
    t = 134217729.0 * a  # 2²⁷ + 1 splits 53 bits into two halves whose products are exact
    a1 = t - (t - a)
    a2 = a - a1
    t = 134217729.0 * b
    b1 = t - (t - b)
    b2 = b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def where(test: bool, x: float, y: float) -> float:
    return x if test else y


def rarely(test: bool, x: float, better: Callable[[], float]) -> float:
    return better() if test else x


def scale(x: float, k: float) -> float:
    if k - k != 0.0:
        return nan
    try:
        return math.ldexp(x, int(k))
    except OverflowError:
        return copysign(inf, x)


def split(x: float) -> tuple[float, float]:
    if x - x != 0.0:
        return x, 0.0
    f, k = math.frexp(x)
    return (f, float(k)) if f >= 0.7071067811865476 else (2.0 * f, k - 1.0)


def pow(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return -inf if x < 0.0 and math.fmod(y, 2.0) else inf
    except ValueError:
        if x:
            return nan
        return copysign(inf, x) if y - y == 0.0 and math.fmod(y, 2.0) in (1.0, -1.0) else inf


def fmod(x: float, y: float) -> float:
    return math.fmod(x, y) if x - x == 0.0 and y else nan


def sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0.0 else nan


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
