"""Gradient programs: the sweep written down as a program, by the same rows of the table. No second set of rules.

Parameters are shared by all rows of a batch, arguments are not. What depends on an argument is *batched*; where
a batched cotangent reaches something shared, it is averaged over the rows (`row_mean`), which is right because every
rule is linear in g.

The fast program differs from the eager sweep in two ways that can only show as nan in the results, and whoever
runs it then runs the exact one (`exact=True`) instead:
an upstream of exactly 0 is not skipped (0·inf is nan, not 0), and `defined(z, x)` is x in the rules of an operation
whose result is z (where z is nan, so is the value of the program, or the upstream).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..graph.program import Program, Slot, Tape
from ..ops import TABLE, Op
from .lowering import LOWERED, Lowering

__all__ = ["ROW_MEAN", "batched_slots", "forward_program", "gradient_program"]

ROW_MEAN = Op("row_mean", (lambda m, g, z, x: g,), doc="The mean over the rows of a batch.")


def batched_slots(program: Program, inputs: int) -> bytearray:
    """Which slots differ from row to row: the first `inputs`, and what depends on them."""
    flags = bytearray(program.inputs + len(program))
    flags[:inputs] = b"\1" * inputs
    for k, (row, args) in enumerate(zip(program.rows, program.args, strict=True)):
        if row is not ROW_MEAN and any(type(a) is int and flags[a] for a in args):
            flags[program.inputs + k] = 1
    return flags


def forward_program(program: Program, native: Collection[str], lowered: Lowering = LOWERED) -> Program:
    """The program written with native operations only."""
    tape = Tape(program.inputs, native, lowered)
    slots = _forward(program, tape)
    return tape.program([slots[a] if type(a) is int else a for a in program.outputs], program.names)


def _forward(program: Program, tape: Tape) -> list[Any]:
    slots: list[Any] = [Slot(tape, i) for i in range(program.inputs)]
    functions: dict[Op, Any] = {}
    for row, args in zip(program.rows, program.args, strict=True):
        function = functions.get(row)
        if function is None:
            function = functions[row] = getattr(tape, row.name)
        slots.append(function(*[slots[a] if type(a) is int else a for a in args]))
    return slots


def gradient_program(
    program: Program, inputs: int, native: Collection[str], exact: bool = False, lowered: Lowering = LOWERED
) -> Program:
    """Output 0 of `program`, averaged over the rows, and its gradients with respect to inputs `inputs` … of it."""
    tape = Tape(program.inputs, native, lowered, strict=exact)
    values = _forward(program, tape)
    batched = batched_slots(program, inputs)
    first, root = program.inputs, program.outputs[0]
    active = bytearray(len(values))
    active[inputs:first] = b"\1" * (first - inputs)
    for k, args in enumerate(program.args):
        active[first + k] = any(type(a) is int and active[a] for a in args)
    parts: list[list[Any] | None] = [None] * len(values)
    if type(root) is int and active[root]:
        parts[root] = [1.0]
    flags = _Flags(tape, inputs)
    last = root - first if type(root) is int else -1
    for k in range(last, -1, -1):
        node = first + k
        contributions = parts[node]
        if contributions is None:
            continue
        parts[node] = None
        g = _total(tape, contributions, flags, bool(batched[node]))
        if type(g) is float and g == 0.0:
            continue
        args = program.args[k]
        x = [values[a] if type(a) is int else a for a in args]
        tape.given = values[node] if type(values[node]) is Slot else None
        for a, c in zip(args, program.rows[k].cotangents(tape, g, values[node], *x), strict=True):
            if c is None or type(a) is not int or not active[a] or (type(c) is float and c == 0.0):
                continue
            if exact and not _harmless(tape, c, g):
                c = tape.where(g, c, 0.0)
            before = parts[a]
            if before is None:
                parts[a] = [c]
            else:
                before.append(c)
    gradients = [_total(tape, parts[a] or [], flags, False) for a in range(inputs, first)]
    value = values[root] if type(root) is int else root
    return tape.program([_mean(tape, value, flags), *gradients], program.names)


def _harmless(tape: Tape, c: Any, g: Any) -> bool:
    """Whether c is 0 if g is: g itself or its negative."""
    if type(g) is float or type(c) is float:
        return type(g) is float
    if c.index == g.index:
        return True
    k = c.index - tape.inputs
    return k >= 0 and tape.rows[k] is TABLE["negative"] and tape.args[k][0] == g.index


class _Flags:
    """Which slots of a growing tape are batched."""

    def __init__(self, tape: Tape, inputs: int) -> None:
        self.tape = tape
        self.flags = bytearray(b"\1" * inputs + b"\0" * (tape.inputs - inputs))

    def __call__(self, x: Any) -> bool:
        if type(x) is not Slot:
            return False
        flags, tape = self.flags, self.tape
        if x.index >= len(flags):
            for k in range(len(flags) - tape.inputs, len(tape.rows)):
                if tape.rows[k] is ROW_MEAN:
                    flags.append(0)
                    continue
                for a in tape.args[k]:
                    if type(a) is int and flags[a]:
                        flags.append(1)
                        break
                else:
                    flags.append(0)
        return bool(flags[x.index])


def _mean(tape: Tape, x: Any, flags: _Flags) -> Any:
    return tape.step(ROW_MEAN, [x]) if flags(x) else x


def _total(tape: Tape, contributions: list[Any], flags: _Flags, batched: bool) -> Any:
    """The sum of the contributions; for something shared, of their means over the rows."""
    if len(contributions) == 1 and (batched or type(contributions[0]) is float):
        return contributions[0]
    if not batched:
        varying = [c for c in contributions if flags(c)]
        if varying:
            contributions = [c for c in contributions if not flags(c)]
            contributions.append(_mean(tape, _sum(tape, varying), flags))
    return _sum(tape, contributions)


def _sum(tape: Tape, xs: list[Any]) -> Any:
    if len(xs) < 2:
        return xs[0] if xs else 0.0
    return tape.step(TABLE["sum"] if len(xs) > 2 else TABLE["add"], xs)
