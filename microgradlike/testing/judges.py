"""The judges of check_gradients: what the derivative of a recorded computation is, found without our rules.

    mpmath        one-sided differences of the formulas in hundreds of bits, so that no digit is lost
    complex       the complex step: the formulas at x + ih, whose imaginary part is h times the derivative
    differences   the function itself at nearby doubles, extrapolated to step 0 (Ridders 1982)

Each answers an interval: at a kink the one-sided derivatives, elsewhere one number, with the judge's own error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from ..graph.engine import Value, record, topological_order
from ..ops import Op
from .arithmetic import Arithmetic, Complexes, NoisyComplex, multiprecision

Direction = Sequence[float]


class Verdict(NamedTuple):
    """The derivative lies in [low, high], give or take `error`; numbers of the judge's own kind."""

    low: Any
    high: Any
    error: float
    judge: str

    def distance(self, got: float) -> float:
        """How far `got` lies outside the interval."""
        if not math.isfinite(got):
            return math.inf
        return float(max(self.low - got, got - self.high, 0))

    def nearest(self, got: float) -> float:
        """The number of the interval that is nearest to `got`."""
        if not math.isfinite(got):
            got = float(self.low)
        return float(min(max(self.low, got), self.high))


class Recording:
    """What was computed: `outputs` as functions of the leaves `inputs`, to be run again in other arithmetic."""

    def __init__(self, outputs: Sequence[Value], inputs: Sequence[Value]) -> None:
        self.outputs, self.inputs = list(outputs), list(inputs)
        self.order = topological_order(self.outputs)

    @classmethod
    def of_row(cls, row: Op, numbers: Sequence[float], active: Sequence[bool]) -> Recording | None:
        """One row of the table alone, at these operands; those that are not active stay constants."""
        operands = [Value(x) if moves else x for x, moves in zip(numbers, active, strict=True)]
        y = record(row, *operands)
        return cls([y], [x for x in operands if isinstance(x, Value)]) if isinstance(y, Value) else None

    def run(self, m: Any, xs: Sequence[Any]) -> list[Any]:
        """The outputs, computed from `xs` in namespace m; nan where they are not defined."""
        at: dict[Value, Any] = dict(zip(self.inputs, xs, strict=True))
        for v in self.order:
            if v in at:
                continue
            if v.op is None:
                at[v] = m.number(v.data)
                continue
            try:
                at[v] = v.op.on(m)(*[x if type(x) is float else at[x] for x in v.args])
            except (ArithmeticError, ValueError):  # Python's own functions raise where they overflow or are undefined
                at[v] = m.f.nan
        return [at[y] for y in self.outputs]

    def depends(self, y: Value) -> bool:
        """Whether y depends on anything at all, a constant of the computation not being an input."""
        return y.op is not None or y in self.inputs

    def at_a_kink(self) -> bool:
        """Whether a comparison or a rounding step is decided by equality, so that derivatives are conventions."""
        m, random = Arithmetic(Complexes), Random(0)
        steps = [max(abs(v.data or 1.0) * 2.0**-100, 2.0**-1060) * random.uniform(0.5, 1.5) for v in self.inputs]
        self.run(m, [complex(v.data, step) for v, step in zip(self.inputs, steps, strict=True)])
        return m.at_a_kink

    def bits(self) -> int:
        """The precision in which differences of this computation lose nothing."""
        numbers = [v.data for v in self.order] + [x for v in self.order for x in v.args if type(x) is float]
        exponents = [abs(math.frexp(x)[1]) for x in numbers if x and math.isfinite(x)]
        return 400 + 3 * max(exponents, default=0)


# ── mpmath ──────────────────────────────────────────────────────────────────────────────────────
def by_mpmath(recording: Recording, direction: Direction) -> list[Verdict | None]:
    """The derivative of every output along `direction`; None outside the domain."""
    return _differences_in_bits(recording, direction, recording.bits(), 100)


def carefully_by_mpmath(recording: Recording, direction: Direction) -> list[Verdict | None]:
    """The same with more bits and another step; None too where the step matters: at a jump, or an infinite slope."""
    once = _differences_in_bits(recording, direction, recording.bits(), 100)
    twice = _differences_in_bits(recording, direction, 2 * recording.bits(), 150)
    verdicts: list[Verdict | None] = []
    for a, b in zip(once, twice, strict=True):
        if a is None or b is None or abs(b.low) > 2 * abs(a.low) or abs(b.high) > 2 * abs(a.high):
            verdicts.append(None)
        else:
            verdicts.append(b._replace(error=float(abs(a.low - b.low) + abs(a.high - b.high))))
    return verdicts


def _differences_in_bits(recording: Recording, direction: Direction, bits: int, step: int) -> list[Verdict | None]:
    numbers = multiprecision(bits)
    m = Arithmetic(numbers)
    xs = [numbers.number(v.data) for v in recording.inputs]
    scale = min(
        (abs(v.data / d) for v, d in zip(recording.inputs, direction, strict=True) if v.data and d), default=1.0
    )
    h = numbers.number(min(scale, 1.0)) * numbers.number(2) ** -step

    def at(sign: int) -> list[Any]:
        return recording.run(m, [x + sign * h * d for x, d in zip(xs, direction, strict=True)])

    verdicts: list[Verdict | None] = []
    for before, here, after in zip(at(-1), at(0), at(1), strict=True):
        left, right = (here - before) / h, (after - here) / h
        if left != left or right != right:
            verdicts.append(None)
            continue
        verdicts.append(Verdict(min(left, right), max(left, right), 0.0, "mpmath"))
    return verdicts


def values_by_mpmath(recording: Recording) -> list[Any]:
    """The outputs themselves."""
    numbers = multiprecision(recording.bits())
    return recording.run(Arithmetic(numbers), [numbers.number(v.data) for v in recording.inputs])


# ── the complex step ────────────────────────────────────────────────────────────────────────────
def by_complex_step(recording: Recording, direction: Direction) -> list[Verdict | None]:
    """The derivative of every output along `direction`; None at a kink, and where numbers over- or underflow."""
    scale = min(
        (abs(v.data / d) for v, d in zip(recording.inputs, direction, strict=True) if v.data and d), default=1.0
    )
    h = 2.0**-100 * min(scale, 1.0)
    if not all(1e-100 < abs(v.data) < 1e100 for v in recording.order if v.data):  # imaginary parts could underflow
        return [None] * len(recording.outputs)
    xs = [complex(v.data, h * d) for v, d in zip(recording.inputs, direction, strict=True)]
    exact = Arithmetic(Complexes)
    steps = recording.run(exact, xs)
    noisy = [
        recording.run(Arithmetic(Complexes, noise), [NoisyComplex.near(x, noise) for x in xs])
        for noise in map(Random, range(4))
    ]
    verdicts: list[Verdict | None] = []
    for k, z in enumerate(steps):
        imaginary = complex(z).imag
        if exact.at_a_kink or not math.isfinite(imaginary) or 0.0 < abs(imaginary) < 1e-290:
            verdicts.append(None)
            continue
        spread = max(abs(complex(run[k]).imag - imaginary) for run in noisy)
        derivative = imaginary / h
        error = (8.0 * spread / h if spread == spread else math.inf) + 4.0 * math.ulp(derivative)
        error += 2.0**-160 * (1.0 + abs(z)) / min(scale, 1.0)  # a third derivative times h²
        verdicts.append(Verdict(derivative, derivative, error, "complex step") if math.isfinite(error) else None)
    return verdicts


# ── extrapolated differences ────────────────────────────────────────────────────────────────────
def by_differences(f: Callable[[float], float], size: float) -> Verdict | None:
    """The derivative at 0 of f(t), a function of doubles that varies over distances of `size` or less.

    One-sided derivatives at a kink; None where no step gives an estimate worth the name.
    """
    scales = [size / 32.0**k for k in range(5)]
    left, right, central = (_best([_extrapolated(f, scale, side) for scale in scales]) for side in (-1, 1, 0))
    if left is None or right is None or central is None:
        return None
    (a, a_error), (b, b_error) = left, right
    verdict = Verdict(central[0], central[0], 10.0 * central[1], "differences")
    if abs(a - b) > 20.0 * (a_error + b_error):  # a kink
        verdict = Verdict(min(a, b), max(a, b), 10.0 * (a_error + b_error), "differences")
    worthless = verdict.error > 1e-3 * max(abs(verdict.low), abs(verdict.high)) and verdict.error > 1e-6
    return None if worthless else verdict


def _best(estimates: Sequence[tuple[float, float] | None]) -> tuple[float, float] | None:
    return min((e for e in estimates if e is not None), key=lambda e: e[1], default=None)


def _extrapolated(f: Callable[[float], float], scale: float, side: int) -> tuple[float, float] | None:
    """Ridders' method: a tableau of differences at shrinking steps, and the estimate whose neighbours agree best."""
    shrink, here = 1.6, f(0.0)
    tableau: list[list[tuple[float, float]]] = [[]]  # of estimates and the error their neighbours let expect
    h = scale
    for _ in range(12):
        if h < 1e-290:
            break
        up, down = (f(side * h), here) if side else (f(h), f(-h))
        width = side * h if side else 2.0 * h
        h /= shrink
        if not (math.isfinite(up) and math.isfinite(down)):
            tableau.append([])  # outside the domain: start again nearer
            h /= 5.0
            continue
        new = [((up - down) / width, 16.0 * (math.ulp(up) + math.ulp(down)) / abs(width))]
        factor = 1.0
        for old, _ in tableau[-1][:8]:
            factor *= shrink if side else shrink * shrink
            last, rounding = new[-1]
            better = (factor * last - old) / (factor - 1.0)
            new.append((better, max(abs(better - last), abs(better - old), rounding)))
        tableau.append(new)
    best, best_error = 0.0, math.inf
    for row, following in pairwise(tableau):
        for (estimate, error), (confirmation, _) in zip(row[1:], following[1:], strict=False):
            error = max(error, abs(confirmation - estimate))  # two that agree may do so by chance, three do not
            if error < best_error:
                best, best_error = estimate, error
    return (best, best_error) if math.isfinite(best_error) else None
