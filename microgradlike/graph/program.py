"""A recorded computation as a flat list of operations, run in any namespace; and a namespace that writes such lists.

A program has slots: first its inputs, then one for each step. An argument of a step is a slot (an int) or a
constant (a float). Nothing here knows Values beyond reading a finished graph, and nothing here computes:
`run` asks the table for each operation on a namespace, `Tape` is the namespace whose answers are new steps.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from typing import Any

from .. import floats
from ..ops import ROWS, TABLE, Gated, Op
from .engine import Value, traced, values

__all__ = ["Program", "Slot", "Tape", "Trace", "trace"]

Argument = Any  # an int: a slot; a float: a constant


class Program:
    """A straight-line computation.

    Attributes:
        inputs: how many inputs there are; they are slots 0 … inputs − 1.
        rows: the operation of each step, a row of the table; step k fills slot inputs + k.
        args: the arguments of each step, slots (int) or constants (float).
        outputs: the slots (or constants) that are the results.
        names: what the inputs are called in the text.

    Example:
        >>> from microgradlike import Value, floats
        >>> a, b = Value(2.0), Value(3.0)
        >>> program, leaves = trace([a * b + a], [a, b])
        >>> program.run(floats, [2.0, 3.0])
        [8.0]
        >>> print(program)
        program of 2 inputs, 2 operations, 1 output
        %2 = multiply(%0, %1)
        %3 = add(%2, %0)
        return %3
    """

    __slots__ = ("args", "inputs", "names", "outputs", "rows")

    def __init__(
        self,
        inputs: int,
        rows: list[Op],
        args: list[tuple[Argument, ...]],
        outputs: list[Argument],
        names: dict[int, str] | None = None,
    ) -> None:
        self.inputs = inputs
        self.rows = rows
        self.args = args
        self.outputs = outputs
        self.names = names or {}

    def __len__(self) -> int:
        return len(self.rows)

    def slots(self, m: Any, inputs: Sequence[Any]) -> list[Any]:
        """What every slot holds, the inputs given, in namespace `m`."""
        if len(inputs) != self.inputs:
            raise ValueError(f"the program has {self.inputs} inputs, not {len(inputs)}")
        found: dict[Op, Callable[..., Any]] = {}
        slots = list(inputs)
        for row, args in zip(self.rows, self.args, strict=True):
            function = found.get(row)
            if function is None:
                function = found[row] = row.on(m)
            slots.append(function(*[slots[a] if type(a) is int else a for a in args]))
        return slots

    def run(self, m: Any, inputs: Sequence[Any]) -> list[Any]:
        """The outputs, the inputs given, in namespace `m`."""
        slots = self.slots(m, inputs)
        return [slots[a] if type(a) is int else a for a in self.outputs]

    def graph(self, inputs: Sequence[Any] | None = None) -> list[Any]:
        """The outputs as Values, computed anew from leaves with the given numbers: to draw, or to look at."""
        numbers = inputs or [0.0] * self.inputs
        return self.run(values, [Value(x, self.names.get(i)) for i, x in enumerate(numbers)])

    def __str__(self) -> str:
        def text(a: Argument) -> str:
            return self.names.get(a, f"%{a}") if type(a) is int else repr(a)

        count = f"{self.inputs} inputs, {len(self)} operations, {len(self.outputs)} output"
        lines = [f"program of {count}{'s' * (len(self.outputs) != 1)}"]
        for k, (row, args) in enumerate(zip(self.rows, self.args, strict=True)):
            lines.append(f"%{self.inputs + k} = {row.name}({', '.join(map(text, args))})")
        lines.append(f"return {', '.join(map(text, self.outputs))}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<program: {self.inputs} inputs, {len(self)} operations, {len(self.outputs)} outputs>"


class Trace:
    """How some roots were computed, as arrays of numbers: what is quick to make, compare, vectorise and interpret.

    Nodes are numbered: `inputs`, then the other leaves in the order of first use, then what was computed, in the
    order of `topological_order`, which is the order in which backward() sweeps it.

    Args:
        roots: Values, and numbers.
        inputs: the leaves that are numbered first, used or not.
        constants: leaves that count as constants.

    Attributes:
        operations: the k-th computed node is of row `ROWS[operations[k]]`, ...
        start: ... its operands are those from start[k] to start[k + 1] ...
        operands: ... in here: a number ≥ 0 is a node, a number n < 0 is constant −1 − n.
        constants: the numbers among the operands.
        leaves: the nodes that were not computed.
        inputs: how many of them are inputs.
        outputs: the roots, written as operands are.

    Example:
        >>> from microgradlike import Value
        >>> a, b = Value(2.0), Value(3.0)
        >>> trace = Trace([a * b + 1.0], [a, b])
        >>> [ROWS[k].name for k in trace.operations], trace.start.tolist(), trace.operands.tolist()
        (['multiply', 'add'], [0, 2, 4], [0, 1, 2, -1])
        >>> trace.constants.tolist(), trace.outputs.tolist()
        ([1.0], [3])
    """

    __slots__ = ("constants", "inputs", "leaves", "operands", "operations", "outputs", "start")

    def __init__(self, roots: Sequence[Any], inputs: Sequence[Value], constants: Collection[Value] = ()) -> None:
        self.inputs = len(inputs)
        self.operations, self.start, self.operands, self.constants, self.leaves, self.outputs = traced(
            roots, inputs, constants
        )

    def __len__(self) -> int:
        return len(self.operations)

    def same(self, other: Trace) -> bool:
        """Whether the other does the same with the same leaves; constants by their bits: nan is nan, 0 is not −0."""
        mine, theirs = ([*map(id, t.leaves[t.inputs :])] for t in (self, other))
        fields = ("operations", "start", "operands", "constants", "outputs")
        return mine == theirs and all(getattr(self, f).tobytes() == getattr(other, f).tobytes() for f in fields)

    def extended(self, outputs: Iterable[int], steps: Sequence[tuple[Op, Iterable[int]]]) -> Trace:
        """The same with further steps of these rows on these operands, whose results follow `outputs`."""
        trace = Trace.__new__(Trace)
        trace.inputs, trace.leaves, trace.constants = self.inputs, self.leaves, self.constants
        count = len(self.leaves) + len(self)
        trace.outputs = array("i", [*outputs, *range(count, count + len(steps))])
        trace.operations, trace.start, trace.operands = self.operations[:], self.start[:], self.operands[:]
        for row, operands in steps:
            trace.operations.append(row.number)
            trace.operands.extend(operands)
            trace.start.append(len(trace.operands))
        return trace

    def program(self) -> Program:
        """The same as steps to read, to write down and to run in any namespace."""
        constants, start = self.constants, self.start
        arguments = [a if a >= 0 else constants[-1 - a] for a in self.operands]
        names = {i: v.label for i, v in enumerate(self.leaves) if v.label}
        return Program(
            len(self.leaves),
            [ROWS[k] for k in self.operations],
            [tuple(arguments[i:j]) for i, j in pairwise(start)],
            [a if a >= 0 else constants[-1 - a] for a in self.outputs],
            names,
        )


def trace(
    roots: Sequence[Any], inputs: Sequence[Value], constants: Collection[Value] = ()
) -> tuple[Program, list[Value]]:
    """The program that computes `roots` from `inputs` and from the other leaves they depend on, and those leaves.

    Steps, inputs and constants are those of a `Trace`.
    """
    found = Trace(roots, inputs, constants)
    return found.program(), found.leaves[found.inputs :]


class Slot:
    """What a Tape answers: the result of a step that will run later."""

    __slots__ = ("index", "tape")

    def __init__(self, tape: Tape, index: int) -> None:
        self.tape = tape
        self.index = index

    def __add__(self, other: Any) -> Any:
        return self.tape.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return self.tape.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return self.tape.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.tape.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return self.tape.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.tape.multiply(other, self)

    def __neg__(self) -> Any:
        return self.tape.negative(self)

    def __repr__(self) -> str:
        return f"%{self.index}"


class Tape:
    """The namespace that writes a program down: `tape.exp(x)` is a new step.

    The same step is written once (common subexpressions), and a step whose arguments are all constants not
    at all (constant folding). Both keep every bit of the result.

    Args:
        inputs: the number of inputs.
        native: the names of operations that whoever runs the program knows; the others are replaced by
            their formulas. None: all.
        lower: other ways to write an operation, by name, which come before its row's formula.
        strict: whether `defined(given, x)` is written, too. Without it, the result is nan wherever `given` is nan
            only because nan spreads; see compile/transpose.py.
    """

    given: Any = None  # the result of the operation whose rules are being written down

    def __init__(
        self,
        inputs: int,
        native: Collection[str] | None = None,
        lower: dict[str, Callable[..., Any]] | None = None,
        strict: bool = True,
    ) -> None:
        self.inputs = inputs
        self.rows: list[Op] = []
        self.args: list[tuple[Argument, ...]] = []
        self._native = native
        self._lower = lower or {}
        self._strict = strict
        self._seen: dict[tuple[Any, ...], int] = {}
        self.notes: dict[Any, Any] = {}  # what `lower` remembers of the steps that it has written

    def slot(self, a: Argument) -> Any:
        """Argument `a` of a step as something to compute with."""
        return Slot(self, a) if type(a) is int else a

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or not (name in TABLE or name in self._lower):
            raise AttributeError(name)
        function = self._function(name)
        setattr(self, name, function)
        return function

    def _function(self, name: str) -> Callable[..., Any]:
        lower = self._lower.get(name)
        if lower is not None:
            return lambda *xs: lower(self, *xs)
        if name == "defined" and not self._strict:
            return self._defined
        row = TABLE[name]
        formula = row.formula
        if self._native is not None and name not in self._native and formula is not None:
            return lambda *xs: formula(self, *xs)
        if name in ("where", "positive"):
            return lambda *xs: self.step(row, xs)
        seen, rows, args, inputs, mixed = self._seen, self.rows, self.args, self.inputs, self.step

        def step(*xs: Any) -> Any:  # as the method, in a hurry
            for x in xs:
                if type(x) is not Slot:
                    return mixed(row, xs)
            if not xs:
                return mixed(row, xs)
            slots = tuple([x.index for x in xs])
            key = (name, *slots)
            index = seen.get(key)
            if index is None:
                index = seen[key] = inputs + len(rows)
                rows.append(row)
                args.append(slots)
            return Slot(self, index)

        return step

    def gate(self, condition: Any, g: Any) -> Any:
        """The cotangent g where the condition is not 0; see ops.py."""
        if type(condition) is Slot:
            return Gated(condition, g)
        return g if condition else None

    def _defined(self, test: Any, x: Any) -> Any:
        return x if test is self.given else self.step(TABLE["defined"], (test, x))

    def record(self, name: str, *xs: Any) -> Any:
        """The operation `name` of slots and numbers."""
        return getattr(self, name)(*xs)

    def step(self, row: Op, xs: Sequence[Any]) -> Any:
        """One step, unless it is known already."""
        args = tuple([x.index if type(x) is Slot else float(x) for x in xs])
        name = row.name
        key: tuple[Any, ...]
        if not args or float in map(type, args):
            key = (name, *[a.hex() if type(a) is float else a for a in args])
            if int not in map(type, args):
                function = getattr(floats, name, None)
                if function is not None:
                    return function(*args)
            short = _SHORT.get(name)
        else:
            key = (name, *args)
            short = _where if name == "where" else _positive if name == "positive" else None
        if short is not None:
            found = short(*args)
            if found is not None:
                return self.slot(found)
        index = self._seen.get(key)
        if index is None:
            index = self._seen[key] = self.inputs + len(self.rows)
            self.rows.append(row)
            self.args.append(args)
        return Slot(self, index)

    def program(self, outputs: Iterable[Any], names: dict[int, str] | None = None) -> Program:
        """The program of the steps that `outputs` need."""
        roots: list[Argument] = [x.index if type(x) is Slot else float(x) for x in outputs]
        return pruned(Program(self.inputs, self.rows, self.args, roots, names))


def pruned(program: Program) -> Program:
    """The program without the steps that no output needs."""
    first = program.inputs
    live = bytearray(first + len(program))
    for a in program.outputs:
        if type(a) is int:
            live[a] = 1
    for k in range(len(program) - 1, -1, -1):
        if live[first + k]:
            for a in program.args[k]:
                if type(a) is int:
                    live[a] = 1
    slot = list(range(first)) + [0] * len(program)
    rows: list[Op] = []
    args: list[tuple[Argument, ...]] = []
    for k in range(len(program)):
        if live[first + k]:
            slot[first + k] = first + len(rows)
            rows.append(program.rows[k])
            args.append(tuple([slot[a] if type(a) is int else a for a in program.args[k]]))
    outputs = [slot[a] if type(a) is int else a for a in program.outputs]
    return Program(first, rows, args, outputs, program.names)


# ── what needs no step, whatever the numbers are: identities that hold to the last bit ─────────────────
def _multiply(x: Argument, y: Argument) -> Argument | None:
    if type(x) is float and x == 1.0:
        return y
    return x if type(y) is float and y == 1.0 else None


def _divide(x: Argument, y: Argument) -> Argument | None:
    return x if type(y) is float and y == 1.0 else None


def _subtract(x: Argument, y: Argument) -> Argument | None:
    return x if type(y) is float and y == 0.0 and y.hex()[0] != "-" else None


def _where(condition: Argument, x: Argument, y: Argument) -> Argument | None:
    if type(condition) is float:
        return x if condition else y
    return x if type(x) is int and x == y and type(y) is int else None


def _positive(x: Argument) -> Argument | None:
    return x


def _defined(test: Argument, x: Argument) -> Argument | None:
    if type(test) is float:
        return x if test == test else test
    return None


_SHORT: dict[str, Callable[..., Any]] = {
    "positive": _positive, "multiply": _multiply, "divide": _divide, "subtract": _subtract, "where": _where,
    "defined": _defined,
}  # fmt: skip
