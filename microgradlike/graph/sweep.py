"""The chain rule, once: one sweep back and one forward, in whatever namespace `m` the rules of the table are run.

Absent is not zero: a node that nothing reaches is not swept, whereas a gradient of 0 is a number. Where a program is
written down, whether something arrives depends on numbers that are not known yet. There a cotangent is a `Gated` pair:
its condition travels along, and selects where cotangents are added up or leave the sweep, so that what an infinite
slope makes of a branch not taken is never seen. The condition knows nothing of the cotangent: it has no derivative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import floats
from ..ops import Gated, Op

Step = tuple[Any, Op, Sequence[Any], Any, Sequence[Any]]
"""A node's key, its row, the keys of its operands (None: of no interest), its result and its operands in `m`."""


def pull(m: Any, steps: Iterable[Step], arrived: dict[Any, Any]) -> None:
    """Carry what has arrived at nodes on to their operands; `steps` are results first. Changes `arrived`."""
    for node, row, keys, z, xs in steps:
        if node not in arrived:
            continue
        condition, g = parts(arrived[node])
        if row.pullback is not None:
            contributions = row.pullback(m, g, z, *xs)
        else:
            contributions = [
                rule(m, g, z, *xs) if rule is not None and key is not None else None
                for rule, key in zip(row.rules, keys, strict=True)
            ]
        for key, contribution in zip(keys, contributions, strict=True):
            if key is not None and contribution is not None:
                arrive(m, arrived, key, passed(m, condition, contribution))


def push(m: Any, steps: Iterable[Step], arrived: dict[Any, Any]) -> None:
    """Carry tangents on from operands to results; `steps` are operands first. Changes `arrived`.

    Every rule is linear in g, and its matrix symmetric, so that it carries a tangent, too.
    """
    for node, row, keys, z, xs in steps:
        if node in arrived or not any(key in arrived for key in keys):
            continue
        local = None if row.pullback is None else row.pullback(m, 1.0, z, *xs)
        for i, key in enumerate(keys):
            if key not in arrived:
                continue
            condition, t = parts(arrived[key])
            if local is None:
                rule = row.rules[i]
                part = None if rule is None else rule(m, t, z, *xs)
            else:
                part = local[i]
                if part is not None:
                    own, slope = parts(part)
                    part = t * slope if own is None else Gated(own, t * slope)
            if part is not None:
                arrive(m, arrived, node, passed(m, condition, part))


class Slopes:
    """Namespace `m`, but a cotangent that is not there is 0: for local derivatives that somebody looks at."""

    def __init__(self, m: Any = floats) -> None:
        self._m = m

    def gate(self, condition: Any, g: Any) -> Any:
        return g if condition else 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._m, name)


slopes = Slopes()


def sent(row: Op, g: float, z: float, x: Sequence[float]) -> Sequence[float | None]:
    """What g at a result is at each operand, to be shown: 0 through a closed gate, None without a derivative."""
    return row.cotangents(slopes, g, z, *x)


def arrive(m: Any, arrived: dict[Any, Any], key: Any, contribution: Any) -> None:
    """Add a contribution, which is there if it or what is there already is."""
    if key not in arrived:
        arrived[key] = contribution
        return
    before = arrived[key]
    condition = either(m, parts(before)[0], parts(contribution)[0])
    total = settled(m, before) + settled(m, contribution)
    arrived[key] = total if condition is None else Gated(condition, total)


def either(m: Any, one: Any, other: Any) -> Any:
    """The condition under which one of two contributions is there; None: always."""
    if one is None or other is None:
        return None
    return one if one is other else m.where(one, 1.0, other)


def settled(m: Any, contribution: Any) -> Any:
    """A contribution as a number of `m`: 0 where it is not there."""
    if type(contribution) is Gated:
        return m.where(contribution.condition, contribution.cotangent, 0.0)
    return contribution


def parts(contribution: Any) -> tuple[Any, Any]:
    """The condition of a contribution (None: it is there) and its number."""
    if type(contribution) is Gated:
        return contribution.condition, contribution.cotangent
    return None, contribution


def passed(m: Any, condition: Any, contribution: Any) -> Any:
    """A contribution of something that is itself there under a condition only."""
    if condition is None:
        return contribution
    if type(contribution) is Gated:
        return Gated(m.where(condition, contribution.condition, 0.0), contribution.cotangent)
    return Gated(condition, contribution)
