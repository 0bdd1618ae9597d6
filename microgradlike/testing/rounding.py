"""How far rounding alone can move the results of a recorded computation: a first-order error analysis, node by node.

Every node adds a few units in the last place of its own, and passes on the errors of its operands times its local
derivatives (Higham 2002, "Accuracy and Stability of Numerical Algorithms", ch. 3). The bound says what a right
gradient may be off by; what is off by more is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import floats
from ..graph.engine import Value, topological_order, values
from ..ops import Op

ULPS = 4.0  # of a row: 2 promised, and the rounding of the constants in its formula

_ADDITIONS = {"add", "subtract", "sum", "mean"}
_PRODUCTS = {"multiply", "divide", "dot"}
_STEPS = {"floor", "ceil", "round", "trunc", "sign"}


def rounding_bounds(
    order: Sequence[Value],
    exact: Sequence[Value],
    computed_constants: bool = False,
    own: Callable[[Op, float, list[float]], float] | None = None,
) -> dict[Value, float]:
    """A bound on the absolute error of each node of a topological order, if those of `exact` have none.

    It is inf where rounding can decide a comparison or a step, and nan or inf where a node is not finite. Numbers
    in a derivative's graph were computed too (say 1/3 in that of a mean): `computed_constants` says so. What a row
    itself adds, given its result and operands, is `own`; that of this package if None.
    """
    own = own or _own

    def error_of(x: float) -> float:
        return own_error(x) if computed_constants else 0.0

    known = set(exact)
    bounds: dict[Value, float] = {}
    for v in order:
        if v.op is None or v in known:
            bounds[v] = 0.0 if v in known else error_of(v.data)
            continue
        x = [a if type(a) is float else a.data for a in v.args]
        errors = [error_of(a) if type(a) is float else bounds[a] for a in v.args]
        same = len(v.args) == 2 and v.args[0] is v.args[1]  # it errs in both places alike
        bounds[v] = own(v.op, v.data, x) + (0.0 if same and v.op.relation else _passed_on(v.op, v.data, x, errors))
    return bounds


def sweep_bounds(y: Value, inputs: Sequence[Value]) -> list[float]:
    """A bound on what a sweep of either direction loses on the way through linear steps, for each input.

    There its numbers are constants, which no graph of the derivatives shows. Every path from an input to y may lose
    a unit in the last place of its product at each of its steps, and where it meets others.
    """
    size, lost = {y: 1.0}, {y: 0.0}
    for v in reversed(topological_order(y)):
        if v.op is None or v not in size:
            continue
        x = [a if type(a) is float else a.data for a in v.args]
        moving = sum(type(a) is not float for a in v.args)
        linear = v.op.name in _ADDITIONS or (v.op.name in _PRODUCTS and moving == 1)
        for a, d in zip(v.args, v.op.cotangents(floats, 1.0, v.data, *x), strict=True):
            if type(a) is float or d is None or not math.isfinite(d * size[v]):
                continue
            part = abs(d) * size[v]
            before = size.get(a, 0.0)
            size[a] = before + part
            lost[a] = lost.get(a, 0.0) + abs(d) * lost[v] + (math.ulp(part) if linear else 0.0)
            if before:
                lost[a] += math.ulp(size[a])
    return [lost.get(x, 0.0) for x in inputs]


def own_error(x: float) -> float:
    """What a number that was computed may be off by; whole numbers and simple fractions are taken for exact."""
    return ULPS * math.ulp(x) if math.isfinite(x) and not (x * 2.0**20).is_integer() else 0.0


def _passed_on(row: Op, z: float, x: list[float], errors: list[float]) -> float:
    if not any(errors):
        return 0.0
    if row.relation:
        gap = abs(x[0] - x[1])
        return math.inf if gap <= errors[0] + errors[1] and not (gap == 0.0 == min(errors)) else 0.0
    if row.name in _STEPS:
        edge = x[0] - math.floor(x[0]) if math.isfinite(x[0]) else 0.0
        reach = abs(x[0]) if row.name == "sign" else min(abs(edge - e) for e in (0.0, 0.5, 1.0))
        return math.inf if reach <= errors[0] else 0.0
    if row.name in ("where", "take") and errors[0]:
        return math.inf
    local = row.cotangents(floats, 1.0, z, *x)
    return math.fsum(abs(d) * e for d, e in zip(local, errors, strict=True) if d is not None and e)


def _own(row: Op, z: float, x: list[float]) -> float:
    """What computing the row adds."""
    if row.relation or row.name in ("positive", "negative", "where", "take", "abs"):
        return 0.0
    if not math.isfinite(z):
        return math.nan
    function = getattr(floats, row.name, None)
    if row.formula is None or not (function is None or getattr(function, "func", None) is row.formula):
        return ULPS * math.ulp(z)
    # A user's row computes by its formula, whose own rounding errors count.
    leaves = [Value(number) for number in x]
    result: Any = row.formula(values, *leaves)
    if not isinstance(result, Value) or result.op is row:
        return ULPS * math.ulp(z)
    return rounding_bounds(topological_order(result), leaves)[result] + math.ulp(z)
