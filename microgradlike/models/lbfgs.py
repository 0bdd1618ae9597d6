"""L-BFGS: minimise a smooth function from its value and gradient. Plain vectors in and out; knows no Values.

Liu & Nocedal 1989; the two-loop recursion and the line search follow Nocedal & Wright, Numerical Optimization, 2nd ed.,
algorithms 7.4, 3.5 and 3.6. Near the optimum the decrease of f drowns in its rounding; there a step is also accepted
by its slope alone ("approximate Wolfe conditions", Hager & Zhang 2005), so that the gradient can shrink further.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from operator import mul
from typing import NamedTuple

Vector = list[float]
Function = Callable[[Vector], tuple[float, Vector]]

_DECREASE, _CURVATURE = 1e-4, 0.9  # c₁ and c₂ of the Wolfe conditions
_TRIES = 30
_PATIENCE = 10  # iterations without progress beyond rounding, after which the optimum counts as reached


class Point(NamedTuple):
    """A vector with the function's value and gradient there."""

    x: Vector
    f: float
    g: Vector


def minimize(function: Function, x: Vector, *, memory: int | None = None, tolerance: float = 0.0) -> Iterator[Point]:
    """The iterates, the start first; ends when max |g| ≤ tolerance, or when rounding allows no further progress.

    Args:
        function: f and its gradient at a vector.
        x: where to start.
        memory: how many steps are remembered; by itself 50 for short vectors, and 10 for long ones.
        tolerance: of the gradient, at least 0.

    >>> def bowl(x):
    ...     return (x[0] - 1.0) ** 2 + 10.0 * (x[1] + 2.0) ** 2, [2.0 * (x[0] - 1.0), 20.0 * (x[1] + 2.0)]
    >>> *_, last = minimize(bowl, [0.0, 0.0])
    >>> [round(coordinate, 9) for coordinate in last.x]
    [1.0, -2.0]
    """
    memory = memory or max(10, min(50, 10_000 // len(x)))
    point = Point(list(x), *function(list(x)))
    yield point
    best, stale = _size(point.g), 0
    pairs: list[tuple[Vector, Vector, float]] = []  # (s, y, 1/s·y): steps and what they did to the gradient
    while _size(point.g) > tolerance and stale < _PATIENCE:
        direction = _direction(point.g, pairs)
        slope = _dot(point.g, direction)
        if not slope < 0.0:  # not downhill, by rounding: forget what was learnt
            pairs.clear()
            direction = [-gi for gi in point.g]
            slope = _dot(point.g, direction)
        first = 1.0 if pairs else min(1.0, 1.0 / math.sqrt(-slope))
        found = _line_search(function, point, direction, slope, first)
        if found is None:
            if not pairs:
                return
            pairs.clear()
            continue
        s = [a - b for a, b in zip(found.x, point.x, strict=True)]
        y = [a - b for a, b in zip(found.g, point.g, strict=True)]
        curvature = _dot(s, y)
        if curvature > 0.0:
            pairs.append((s, y, 1.0 / curvature))
            del pairs[:-memory]
        progress = found.f < point.f - _noise(point.f) or _size(found.g) < 0.9 * best
        best, stale = min(best, _size(found.g)), 0 if progress else stale + 1
        point = found
        yield point


def _size(g: Vector) -> float:
    return max(map(abs, g))


def _noise(f: float) -> float:
    """What rounding may do to f: a smaller decrease tells nothing."""
    return 4.0 * math.ulp(f)


def _dot(a: Vector, b: Vector) -> float:
    return float(sum(map(mul, a, b)))


def _direction(g: Vector, pairs: list[tuple[Vector, Vector, float]]) -> Vector:
    """−H·g, where H stands for the inverse Hessian that the last steps suggest."""
    q = list(g)
    weights: list[float] = []
    for s, y, rho in reversed(pairs):
        weight = rho * _dot(s, q)
        weights.append(weight)
        q = [a - weight * b for a, b in zip(q, y, strict=True)]
    if pairs:
        s, y, rho = pairs[-1]
        scale = 1.0 / (rho * _dot(y, y))
        q = [scale * a for a in q]
    for (s, y, rho), weight in zip(pairs, reversed(weights), strict=True):
        change = weight - rho * _dot(y, q)
        q = [a + change * b for a, b in zip(q, s, strict=True)]
    return [-a for a in q]


class _Try(NamedTuple):
    """A step length with the value and the slope along the line there."""

    step: float
    f: float
    slope: float
    point: Point


def _line_search(function: Function, start: Point, direction: Vector, slope: float, first: float) -> Point | None:
    """A point along `direction` that fulfils the strong (or, by rounding, the approximate) Wolfe conditions."""

    def at(step: float) -> _Try:
        x = [a + step * b for a, b in zip(start.x, direction, strict=True)]
        f, g = function(x)
        along = _dot(g, direction)
        if not (math.isfinite(f) and math.isfinite(along)):
            f = along = math.inf
        return _Try(step, f, along, Point(x, f, g))

    noise = _noise(start.f)

    def low_enough(t: _Try) -> bool:
        if t.f <= start.f + _DECREASE * t.step * slope:
            return True
        return t.f <= start.f + noise and t.slope <= (2.0 * _DECREASE - 1.0) * slope

    def flat_enough(t: _Try) -> bool:
        return abs(t.slope) <= -_CURVATURE * slope

    low = _Try(0.0, start.f, slope, start)
    step = first
    for _ in range(_TRIES):
        now = at(step)
        if now.point.x == start.x:
            return None
        if not low_enough(now) or (now.f >= low.f + noise and low.step > 0.0):
            return _zoom(at, low_enough, flat_enough, low, now)
        if flat_enough(now):
            return now.point
        if now.slope >= 0.0:
            return _zoom(at, low_enough, flat_enough, now, low)
        low, step = now, 2.0 * step
    return low.point


def _zoom(
    at: Callable[[float], _Try],
    low_enough: Callable[[_Try], bool],
    flat_enough: Callable[[_Try], bool],
    low: _Try,
    high: _Try,
) -> Point | None:
    """The same between two steps, of which `low` is low enough and slopes down towards `high`."""
    for _ in range(_TRIES):
        now = at(_between(low, high))
        if now.step in (low.step, high.step):
            break
        if not low_enough(now) or now.f > low.f:
            if flat_enough(now) and low_enough(now):
                return now.point
            high = now
            continue
        if flat_enough(now):
            return now.point
        if now.slope * (high.step - low.step) >= 0.0:
            high = low
        low = now
    return low.point if low.step > 0.0 else None


def _between(low: _Try, high: _Try) -> float:
    """The minimum of the cubic through both ends, kept off the ends; the middle where there is none."""
    middle, width = 0.5 * (low.step + high.step), high.step - low.step
    if not math.isfinite(high.f):
        return low.step + 0.1 * width
    d1 = low.slope + high.slope - 3.0 * (high.f - low.f) / width
    square = d1 * d1 - low.slope * high.slope
    if not square >= 0.0:
        return middle
    d2 = math.copysign(math.sqrt(square), width)
    denominator = high.slope - low.slope + 2.0 * d2
    if not denominator:
        return middle
    step = high.step - width * (high.slope + d2 - d1) / denominator
    share = (step - low.step) / width
    return step if 0.1 <= share <= 0.9 else middle
