"""Plan: array instructions on two buffers, which vectorise.py writes and every backend over rows runs.

Phases: 0 shared by all rows, before them; 1 per row; 2 reductions over the rows; 3 shared, after them.
There are two buffers: U holds one number per shared slot, V one row of numbers (the batch) per batched slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["BODY", "POST", "PRE", "REDUCE", "Instruction", "Operand", "Plan", "U", "V"]

U, V = 0, 1
PRE, BODY, REDUCE, POST = 0, 1, 2, 3


class Operand:
    """Where an instruction finds an operand: slots of buffer U or V, one for each result (or each pair of a dot)."""

    __slots__ = ("buffer", "index", "slot")

    def __init__(self, buffer: int, index: Any) -> None:
        self.buffer = buffer
        self.index = index
        self.slot: int | None = int(index[0]) if index.shape == (1,) else None  # the only one, if there is only one

    def strides(self) -> tuple[int, ...] | None:
        """(start, stride of each axis) where the slots lie regularly, else None."""
        index = self.index
        start = int(index.flat[0])
        if index.size == 1:
            return (start, *[0] * index.ndim)
        if index.size == 2:
            step = int(index.flat[1]) - start
            return (start, *[step * (n > 1) for n in index.shape])
        steps = []
        expected: Any = np.int64(start)
        for axis, n in enumerate(index.shape):
            if n > 1:
                first = [0] * index.ndim
                first[axis] = 1
                step = int(index[tuple(first)]) - start
            else:
                step = 0
            steps.append(step)
            shape = [1] * index.ndim
            shape[axis] = n
            expected = expected + step * np.arange(n).reshape(shape)
        return (start, *steps) if np.array_equal(np.broadcast_to(expected, index.shape), index) else None

    def __repr__(self) -> str:
        where = self.strides()
        name = "UV"[self.buffer]
        if where is None:
            return f"{name}[gather {'×'.join(map(str, self.index.shape))}]"
        steps = ", ".join(f"{n}·{s}" for n, s in zip(self.index.shape, where[1:], strict=True))
        return f"{name}[{where[0]} + ({steps})]"


class Instruction:
    """One array instruction.

    Attributes:
        name: an operation of the table, or "dot", "sum", "rowdot", "rowsum" ...
        phase: when it runs.
        buffer, start, count: where the results go: slots start … start + count − 1 of U or V.
        operands: Operand or float. For elementwise operations one index per result; for sums and other
            reductions (count, k); for dots (blocks, rows, k) and (blocks, columns, k), which
            make (blocks, columns, rows).
    """

    __slots__ = ("buffer", "count", "name", "operands", "phase", "start")

    def __init__(self, name: str, phase: int, buffer: int, start: int, count: int, operands: Sequence[Any]) -> None:
        self.name = name
        self.phase = phase
        self.buffer = buffer
        self.start = start
        self.count = count
        self.operands = operands

    def __repr__(self) -> str:
        result = f"{'UV'[self.buffer]}[{self.start}:{self.start + self.count}]"
        return f"{result} = {self.name}({', '.join(map(repr, self.operands))})"


class Plan:
    """The array instructions of a program.

    Attributes:
        instructions: in the order of execution, by phase.
        shared, batched: how many slots U and V have.
        constants: (slots of U, numbers) to fill once.
        inputs: for each argument number of the program, its slot in V (in U, if the plan is for single rows).
        parameters: for each parameter of the program, its slot in U.
        outputs: for each output (buffer, slot) or a float.
        single: whether the plan is for one row at a time (then there is no V).
    """

    def __init__(self, single: bool) -> None:
        self.instructions: list[Instruction] = []
        self.shared = 0
        self.batched = 0
        self.constants: tuple[Any, Any] = (np.zeros(0, np.int64), np.zeros(0))
        self.inputs: Any = None
        self.parameters: Any = None
        self.outputs: list[Any] = []
        self.single = single
        self.where: Any = None  # the outputs' slots as arrays, made when first asked for

    def __len__(self) -> int:
        return len(self.instructions)

    def __str__(self) -> str:
        head = f"# {len(self)} array instructions, {self.shared} shared slots (U), {self.batched} slots per row (V)"
        return "\n".join([head, *(f"{'pre body reduce post'.split()[i.phase]}: {i!r}" for i in self.instructions)])
