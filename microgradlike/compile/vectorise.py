"""Vectors out of scalars: a trace as a short list of array instructions. Forward only; transpose.py goes back.

1. Repeated steps are one, chains of additions become sums, sums of products become dots (passes.py).
2. Every node gets its level. The nodes of one level and one operation are one group: gather, operate, store. The number
   of instructions follows the depth of the program, not its size.
3. Results are stored group by group, leaves in the order of their use, so that most gathers are slices; dots that share
   operands become matrix products. An operation that arrays do not know is put together by a template.

The idea is dynamic batching done ahead of time (Neubig et al. 2017, arXiv:1705.07860).
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..graph.program import Program, Slot, Tape, Trace
from ..graph.sweep import parts, settled
from ..ops import ROWS, TABLE, Op
from .loops import NAMES, loops
from .lowering import PART_OF_NORM, Lowering
from .plan import BODY, PRE, Instruction, Operand, Plan, U, V

__all__ = ["Group", "Template", "Vectors", "template"]

SUM, DOT, TAKE, MEAN, NORM, FRACTION = (TABLE[name] for name in ("sum", "dot", "take", "mean", "norm", "fraction"))
# any number of operands, one result
_SEVERAL = {"sum", "top", "rest", "prod", "norm", "take", "dot"}
_TESTS = {name for name, row in TABLE.items() if row.relation}
_WEIGHTS = np.random.default_rng(1).integers(1, 2**62, 1 << 16, dtype=np.int64) | 1  # of columns, for hashes of rows


class Template:
    """An operation, and the cotangents of its operands, as one small program: what both need is written once.

    Its inputs are the operands, then the cotangent of the result.

    Attributes:
        output: the result.
        scaled: of a norm: a power of two that brings its operands in range, and the norm of these.
        cotangents: for each operand (condition, cotangent), see ops.Gated; None where there is none.
        ahead, back: the steps of each direction, grouped as those of a whole program are: [(name, [(slot, args)])].
    """

    def __init__(self, tape: Tape, output: Any, cotangents: Sequence[Any]) -> None:
        pairs = [None if c is None else parts(c) for c in cotangents]
        flat = [x for pair in pairs if pair is not None for x in pair if x is not None]
        scaled = next(iter(tape.notes.values()), ())
        program = tape.program([output, *scaled, *flat])
        found = iter(program.outputs[1:])
        self.output = program.outputs[0]
        self.scaled = [next(found) for _ in scaled]
        self.cotangents = [
            None if pair is None else tuple([None if x is None else next(found) for x in pair]) for pair in pairs
        ]
        needed, stack = set(), [self.output]
        while stack:
            a = stack.pop()
            if type(a) is int and a >= program.inputs and a not in needed:
                needed.add(a)
                stack += program.args[a - program.inputs]
        self.ahead, self.back = self._steps(program, needed)

    @staticmethod
    def _steps(program: Program, needed: set[int]) -> Any:
        users: dict[int, list[int]] = defaultdict(list)
        for k, args in enumerate(program.args):
            for a in args:
                if type(a) is int:
                    users[a].append(k)
        outputs = {a for a in program.outputs if type(a) is int}
        tests: dict[int, tuple[str, tuple[Any, ...]]] = {}
        level: dict[int, int] = {}
        groups: tuple[dict[Any, Any], dict[Any, Any]] = ({}, {})
        for k, (row, args) in enumerate(zip(program.rows, program.args, strict=True)):
            number, name = program.inputs + k, row.name
            level[number] = 1 + max([level.get(a, 0) for a in args if type(a) is int], default=0)
            if (
                name in _TESTS
                and number not in outputs
                and all(program.rows[u].name == "where" and number not in program.args[u][1:] for u in users[number])
            ):  # a test that only chooses is part of the choice
                tests[number] = name, args
                level[number] -= 1
                continue
            if name == "where" and args[0] in tests:
                test, sides = tests[args[0]]
                name, args = f"where {test}", (*sides, *args[1:])
            key = level[number], name, len(args)
            groups[number not in needed].setdefault(key, []).append((number, args))
        return [[(name, steps) for (_, name, _), steps in sorted(g.items(), key=lambda i: i[0][0])] for g in groups]


_templates: dict[Any, Template] = {}


def template(
    row: Op,
    constants: Sequence[float | None],
    wanted: Sequence[bool],
    seed: float | None,
    tape: tuple[frozenset[str], Lowering, bool],
) -> Template:
    """The template of a row, for these operands (None: they vary) and the cotangents that are wanted.

    Args:
        seed: the cotangent of the result, if it is known.
        tape: the operations that arrays know, other ways to write the rest, and whether all of `defined` is written.
    """
    native, lowered, strict = tape
    key = (row.number, *[x if x is None else x.hex() for x in constants], *wanted, seed, native, id(lowered), strict)
    found = _templates.get(key)
    if found is None:
        if len(_templates) > 5000:
            _templates.clear()
        n = len(constants)
        m = Tape(n + 1, native, lowered, strict)
        x = [Slot(m, j) if c is None else c for j, c in enumerate(constants)]
        known = TABLE.get(row.name) is row
        z = getattr(m, row.name)(*x) if known or row.formula is None else row.formula(m, *x)
        cs: Sequence[Any] = [None] * n
        if any(wanted):
            m.given = z if type(z) is Slot else None
            g = Slot(m, n) if seed is None else seed
            if row.pullback is not None:
                cs = [c if w else None for c, w in zip(row.pullback(m, g, z, *x), wanted, strict=True)]
            else:
                cs = [r(m, g, z, *x) if r and w else None for r, w in zip(row.rules, wanted, strict=True)]
        cs = [c if c is None or strict else settled(m, c) for c in cs]
        found = _templates[key] = Template(m, z, cs)
    return found


class Group:
    """The nodes of one level and one operation, which are computed at once.

    Attributes:
        row: the operation.
        kind: how its operands lie: "each" (one index for each), "table" or "ragged" (lists, of one length or of
            several), "matrix" (the rows of the first by the rows of the second operand), "take".
        buffer, start, count: where the results are.
        operands: Operand or float.
        which: of ragged operands, the result to which each of them belongs.
        template, where: of kind "each": the template, and what its inputs and steps are.
        wanted: whether an operand depends on a parameter.
        root: whether it is what is differentiated.
    """

    template: Template
    where: dict[int, Any]
    count: int

    def __init__(self, row: Op, kind: str, buffer: int, start: int, operands: list[Any], which: Any) -> None:
        self.row, self.kind, self.buffer, self.start = row, kind, buffer, start
        self.operands, self.which = operands, which
        self.wanted: list[bool] = []
        self.root = False


class _Writer:
    """Slots, constants and instructions of a plan."""

    def __init__(self, single: bool, tape: tuple[frozenset[str], Lowering, bool]) -> None:
        self.plan = Plan(single)
        self.tape = tape
        self.size = [0, 0]
        self.phase = [PRE, BODY]  # of what is stored in U and in V
        self._constants: dict[str, int] = {}  # of templates
        self._fixed: list[tuple[Any, Any]] = []  # of the trace: (slots, numbers)
        self.copies: dict[int, int] = {}  # slots in V that hold a copy of something shared

    def take(self, buffer: int, count: int) -> int:
        """New slots."""
        start = self.size[buffer]
        self.size[buffer] += count
        return start

    def constant(self, x: float) -> int:
        """The slot of U that holds x."""
        slot = self._constants.get(x.hex())
        if slot is None:
            slot = self._constants[x.hex()] = self.take(U, 1)
        return slot

    def _numbers(self) -> tuple[Any, Any]:
        """The slots of constants, and the numbers they hold."""
        own = np.array([*self._constants.values()], np.int64), np.array([float.fromhex(x) for x in self._constants])
        slots, numbers = zip(own, *self._fixed, strict=True)
        return np.concatenate(slots), np.concatenate(numbers)

    def emit(self, name: str, buffer: int, count: int, operands: Sequence[Any], start: int | None = None) -> int:
        """A new instruction; the first slot of its results."""
        if start is None:
            start = self.take(buffer, count)
        self.plan.instructions.append(Instruction(name, self.phase[buffer], buffer, start, count, operands))
        return start

    def in_rows(self, x: Operand) -> Operand:
        """The operand in V: copies, if it is shared."""
        if x.buffer == V:
            return x
        new = [s for s in dict.fromkeys(x.index.ravel().tolist()) if s not in self.copies]
        if new:
            start = self.emit("positive", V, len(new), [Operand(U, np.array(new))])
            self.copies.update(zip(new, range(start, start + len(new)), strict=True))
        return Operand(V, np.array([self.copies[s] for s in x.index.ravel().tolist()]).reshape(x.index.shape))

    def joined(self, found: Sequence[Any], count: int, scalar: bool = True) -> Any:
        """Several operands as one, whose slots follow one another; each has `count` results."""
        if len(found) == 1 and (scalar or type(found[0]) is not float):
            return found[0]
        if scalar and all(type(x) is float for x in found) and len({x.hex() for x in found}) == 1:
            return found[0]
        found = [Operand(U, np.full(count, self.constant(x))) if type(x) is float else x for x in found]
        if len({x.buffer for x in found}) > 1:
            found = [self.in_rows(x) for x in found]
        return Operand(found[0].buffer, np.concatenate([x.index for x in found]))

    def steps(self, steps: Iterable[Any], group: Group, where: dict[int, Any], count: int, end: Any = None) -> None:
        """Steps of a group's template as instructions, for `count` nodes at once.

        Args:
            where: what the inputs and earlier steps are; the steps join them.
            end: the step whose results go to the group's slots.
        """
        buffer, common = group.buffer, group.row.pullback is not None  # lists of operands may have much in common
        for name, members in steps:
            columns = []
            for j in range(len(members[0][1])):
                found = [where[a] if type(a) is int else a for a in (args[j] for _, args in members)]
                columns.append(self.joined(found, count, name not in _SEVERAL))
            total = count * len(members)
            if name == "take" and (known := self._chosen(columns, total)):
                for m, (number, _) in enumerate(members):
                    where[number] = Operand(known.buffer, known.index[m * count : (m + 1) * count])
                continue
            if name in _SEVERAL:
                columns = self._lists(name, columns, buffer)
            last = len(members) == 1 and members[0][0] == end
            if common and total > 1 and not last:
                first, which = _different(columns, total)
                if len(first) < total:
                    columns = [x if type(x) is float else Operand(x.buffer, x.index[first]) for x in columns]
                    at = self.emit(name, buffer, len(first), columns)
                    for m, (number, _) in enumerate(members):
                        where[number] = Operand(buffer, at + which[m * count : (m + 1) * count])
                    continue
            at = self.emit(name, buffer, total, columns, group.start if last else None)
            for m, (number, _) in enumerate(members):
                where[number] = Operand(buffer, np.arange(at + m * count, at + (m + 1) * count))

    def _chosen(self, columns: list[Any], total: int) -> Operand | None:
        """What `take` answers for indices that are constants: no step at all."""
        index, items = columns[0], columns[1:]
        slots, numbers = self._numbers()
        if index.buffer == V or len({x.buffer for x in items}) > 1 or not np.isin(index.index, slots).all():
            return None
        order = np.argsort(slots)
        chosen = numbers[order][np.searchsorted(slots[order], index.index)].astype(np.int64)
        return Operand(items[0].buffer, np.stack([x.index for x in items])[chosen, np.arange(total)])

    def _lists(self, name: str, columns: list[Any], buffer: int) -> list[Any]:
        """The columns of an operation on lists: a table of (results, items) for each list."""
        lead = columns[: name == "take"]
        rest = columns[len(lead) :]
        if buffer == V and (name != "take" or len({x.buffer for x in rest}) > 1):
            rest = [self.in_rows(x) for x in rest]
        table = np.stack([x.index for x in rest], 1)
        if name == "dot":
            half = table.shape[1] // 2
            return [Operand(rest[0].buffer, t[:, None]) for t in (table[:, :half], table[:, half:])]
        return [*lead, Operand(rest[0].buffer, table)]


def _different(columns: Sequence[Any], total: int) -> tuple[Any, Any]:
    """Which results have operands of their own: (the first of each kind, the kind of every result)."""
    key = np.zeros(total, np.int64)
    for j, x in enumerate(columns):
        if type(x) is not float:
            key = key * 31 + rows_of(x.index.reshape(total, -1)) * _WEIGHTS[j]
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return first, which


def rows_of(table: Any) -> Any:
    """A number for each row of a table, the same for equal rows."""
    columns = np.arange(table.shape[1])
    return (table.astype(np.int64) * (_WEIGHTS[columns & 65535] * (2 * (columns >> 16) + 1))).sum(1)


def numbered(table: Any) -> tuple[Any, int]:
    """The different rows of a table, numbered in the order of their first appearance; and how many there are."""
    _, first, which = np.unique(rows_of(table), return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[which], len(first)


class Vectors(_Writer):
    """The values of a trace as a plan.

    Args:
        trace: what to compute.
        single: whether the plan is for one row (then inputs are shared, too).
        tape: see `template`.
        gradient: whether output 0 is to be differentiated with respect to the leaves that are no inputs; then the
            other outputs are left out.
    """

    def __init__(
        self, trace: Trace, single: bool, tape: tuple[frozenset[str], Lowering, bool], gradient: bool = False
    ) -> None:
        super().__init__(single, tape)
        self.gradient = gradient
        self.inputs, self.first = trace.inputs, len(trace.leaves)
        self.batch = 0 if single else trace.inputs  # how many leaves differ from row to row
        outputs = np.frombuffer(trace.outputs, np.int32)[: 1 if gradient else None]
        self._simplify(trace, outputs)
        self.groups: list[Group] = []
        self.norms: dict[int, dict[int, list[Operand]]] = {}  # for each norm, for what it is of: see Template.scaled
        self.constant_slot = np.full(len(self.constants), -1)
        order, bounds = self._ordered()
        for a, b in pairwise(bounds):
            self._group(order[a:b])
        self.plan.inputs = self.slot[: self.inputs].copy()
        self.plan.parameters = self.slot[self.inputs : self.first].copy()
        self.plan.outputs = [
            (int(self.flag[a]), int(self.slot[a])) if a >= 0 else float(self.constants[-1 - a])
            for a in self.outputs.tolist()
        ]
        if not gradient:
            self.finish()

    def finish(self) -> Plan:
        """The plan, its sizes and constants filled in."""
        plan = self.plan
        plan.shared, plan.batched = self.size
        plan.constants = self._numbers()
        return plan

    # ── nodes ───────────────────────────────────────────────────────────────────────────────────
    def _simplify(self, trace: Trace, outputs: Any) -> None:
        """Steps 1 and 2: `op`, `start`, `args`, `flag` (whether batched), `level`, `active` of what is left."""
        first = self.first
        self.constants, known = _unique(np.frombuffer(trace.constants))

        operands, outputs = (_put(a, known, True) for a in (np.frombuffer(trace.operands, np.int32), outputs))
        same = np.frombuffer(loops.repeated(trace.operations, trace.start, _ints(operands), first), np.int32)
        args, outputs = _ints(_put(operands, same)), _put(outputs, same)
        flags = loops.reached(trace.start, args, first, 0, self.batch)
        numbers = array("d", self.constants.tobytes())
        op, start, args, new = loops.linear(
            trace.operations, trace.start, args, numbers, first, _ints(outputs), flags, NAMES
        )
        self.outputs = _put(outputs, np.frombuffer(new, np.int32))
        flags = loops.reached(start, args, first, 0, self.batch)
        key = np.frombuffer(op, np.int32).astype(np.int64) << 32
        both = [loops.levels(start, args, flags, first, late) for late in (True, False)]
        level = min(both, key=lambda each: len(np.unique(key + np.frombuffer(each, np.int32)[first:])))
        active = loops.reached(start, args, first, self.inputs, first if self.gradient else self.inputs)
        self.op, self.start, self.args, self.flag, self.level, self.active = (
            np.frombuffer(a, np.int32) for a in (op, start, args, flags, level, active)
        )

    def _ordered(self) -> tuple[Any, list[int]]:
        """The nodes group by group, and where each group begins; leaves get their slots."""
        op, start, args, flag, first, batch = self.op, self.start, self.args, self.flag, self.first, self.batch
        n = len(op)
        self.slot = np.zeros(first + n, np.int64)
        self.slot[:batch] = np.arange(batch)
        self.slot[batch:first] = np.arange(first - batch)
        self.size = [first - batch, batch]
        if n == 0:
            return np.zeros(0, np.int64), [0]
        length, at = np.diff(start), start[:-1]
        place = np.arange(len(args)) - np.repeat(at, length)
        kinds = np.where(args < 0, 2, flag[np.maximum(args, 0)])
        pattern = np.add.reduceat(kinds * 3 ** np.minimum(place, 12), at)
        lists = (op == SUM.number) | (op == MEAN.number) | (op == DOT.number)
        pattern[lists] = kinds[at][lists] & 1
        pairs = op == DOT.number
        pattern[pairs] += 2 * (kinds[at + length // 2] & 1)[pairs]
        powers = (op == TABLE["pow"].number) & (kinds[np.minimum(at + 1, len(args) - 1)] == 2)
        pattern[powers] -= 101 * args[at[powers] + 1]  # powers of one exponent
        key = (flag[first:].astype(np.int64) << 62) | (self.level[first:].astype(np.int64) << 38)
        key += (np.unique(op, return_inverse=True)[1] << 26) + (pattern & (2**26 - 1))
        order = np.argsort(key, kind="stable")
        ends = np.cumsum(length[order])
        used = args[np.arange(ends[-1]) + np.repeat(at[order] - ends + length[order], length[order])]
        used = used[(used >= batch) & (used < first)]
        seen = np.full(first, len(used) + 1, np.int64)
        seen[used[::-1]] = np.arange(len(used))[::-1]  # the first use
        self.slot[batch + np.argsort(seen[batch:first], kind="stable")] = np.arange(first - batch)
        return order, [0, *(np.flatnonzero(np.diff(key[order])) + 1).tolist(), n]

    def _operand(self, nodes: Any, scalar: bool = True) -> Any:
        """Where nodes (or constants) lie, all in one buffer; a number, if it is one constant for all."""
        flat = nodes.ravel()
        fixed = flat < 0
        if scalar and flat[0] < 0 and (flat == flat[0]).all():
            return float(self.constants[-1 - flat[0]])
        slots = self.slot[np.maximum(flat, 0)]
        if fixed.any():
            numbers = -1 - flat[fixed]
            new = np.unique(numbers[self.constant_slot[numbers] < 0])
            if len(new):
                self.constant_slot[new] = self.take(U, len(new)) + np.arange(len(new))
                self._fixed.append((self.constant_slot[new], self.constants[new]))
            slots[fixed] = self.constant_slot[numbers]
        varies = np.where(fixed, 0, self.flag[np.maximum(flat, 0)])
        if varies.any() and not varies.all():
            slots[varies == 0] = self.in_rows(Operand(U, slots[varies == 0])).index
        return Operand(V if varies.any() else U, slots.reshape(nodes.shape))

    # ── groups ──────────────────────────────────────────────────────────────────────────────────
    def _group(self, members: Any) -> None:
        row = ROWS[self.op[members[0]]]
        begin = self.start[members]
        length = self.start[members + 1] - begin
        if row is DOT:
            self._dots(members, begin, length // 2)
        elif row is SUM or row is MEAN:
            self._several(row, members, [(begin, length)])
        else:
            for k in {*length.tolist()}:  # (one, as a rule)
                some = length == k
                table = self.args[begin[some][:, None] + np.arange(k)]
                if row is FRACTION and self.norms:
                    self._fractions(members[some], table)
                elif row is TAKE and "take" in self.tape[0]:
                    operands = [self._operand(t, False) for t in (table[:, 0], table[:, 1:])]
                    self._store(row, "take", members[some], operands, [table[:, :0], table[:, 1:]])
                else:
                    columns = [table[:, j] for j in range(k)]
                    self._store(row, "each", members[some], [self._operand(c) for c in columns], columns)

    def _store(self, row: Op, kind: str, members: Any, operands: Any, nodes: Any, which: Any = None) -> None:
        """The members as a group: their slots, and the instructions that compute them."""
        buffer, count = int(self.flag[self.first + members[0]]), len(members)
        start = self.take(buffer, count)
        self.slot[self.first + members] = np.arange(start, start + count)
        group = Group(row, kind, buffer, start, operands, which)
        group.count = count
        group.wanted = [self.gradient and bool((self.active[n[n >= 0]] != 0).any()) for n in nodes]
        group.root = self.gradient and bool(self.first + members[0] == self.outputs[0])
        self.groups.append(group)
        if kind == "each":
            fixed = [x if type(x) is float else None for x in operands]
            group.template = template(row, fixed, group.wanted, 1.0 if group.root else None, self.tape)
            group.where = dict(enumerate(operands))
            end = group.template.output
            self.steps(group.template.ahead, group, group.where, count, end)
            result = group.where[end] if type(end) is int else end
            if row is NORM and group.template.scaled:
                where = [group.where[x] for x in group.template.scaled]
                scaled = [[Operand(x.buffer, x.index[i : i + 1]) for x in where] for i in range(count)]
                for node, places, *operands in zip((self.first + members).tolist(), scaled, *nodes, strict=True):
                    self.norms[node] = dict.fromkeys(operands, places)
            if type(result) is float or result.buffer != buffer or result.index[0] != start:
                self.emit("positive", buffer, count, [result], start)
        elif kind == "take":
            self.emit("take", buffer, count, operands, start)
        elif row is DOT:
            self._emit_dot(group)
        else:
            self._emit_sum(group)

    def _fractions(self, members: Any, table: Any) -> None:
        """Quotients; of a number by a norm that it is part of from both in range, for the norm may be out of it."""
        parts = [self.norms.get(y, {}).get(x) for x, y in table.tolist()]
        plain = np.array([p is None for p in parts])
        if plain.any():
            nodes = [*table[plain].T]
            self._store(FRACTION, "each", members[plain], [self._operand(x) for x in nodes], nodes)
        if not plain.all():
            nodes = [*table[~plain].T, table[:0, 0], table[:0, 0]]
            found = [[p[j] for p in parts if p is not None] for j in range(2)]
            operands = [*map(self._operand, nodes[:2]), *(self.joined(x, 1) for x in found)]
            self._store(PART_OF_NORM, "each", members[~plain], operands, nodes)

    def _several(self, row: Op, members: Any, lists: list[tuple[Any, Any]]) -> None:
        """Sums, means and single dots: lists of one length as a table, of several lengths as ragged ones."""
        length = lists[0][1]
        if (length == length[0]).all():
            tables = [self.args[b[:, None] + np.arange(int(length[0]))] for b, _ in lists]
            self._store(row, "table", members, [self._operand(t, False) for t in tables], tables)
            return
        ends = np.cumsum(length)
        which = np.repeat(np.arange(len(members)), length)
        inside = np.arange(ends[-1]) - np.repeat(ends - length, length)
        flat = [self.args[b[which] + inside] for b, _ in lists]
        self._store(row, "ragged", members, [self._operand(x, False) for x in flat], flat, which)

    def _tables(self, group: Group) -> list[Any]:
        """The lists as tables; ragged ones filled up with a slot that holds 0."""
        if group.which is None:
            return [x.index for x in group.operands]
        length = np.bincount(group.which)
        inside = np.arange(len(group.which)) - np.repeat(np.cumsum(length) - length, length)
        found = []
        for x in group.operands:
            zero = Operand(U, np.array([self.constant(0.0)]))
            table = np.full((group.count, int(length.max())), (self.in_rows(zero) if x.buffer else zero).index[0])
            table[group.which, inside] = x.index
            found.append(table)
        return found

    def _emit_sum(self, group: Group) -> None:
        b, count = group.buffer, group.count
        (x,), (table,) = group.operands, self._tables(group)
        table = Operand(x.buffer, table) if x.buffer == b else self.in_rows(Operand(x.buffer, table))
        if group.row is SUM:
            self.emit("sum", b, count, [table], group.start)
            return
        # A mean is the sum over n; where the sum overflows, that of 2⁻⁶⁴·x, with the power of two given back.
        n = self.over(group)

        def over(name: str, operands: list[Any], *more: tuple[str, list[Any]]) -> Operand:
            found = Operand(b, np.arange(count) + self.emit(name, b, count, operands))
            for name, rest in more:
                found = Operand(b, np.arange(count) + self.emit(name, b, count, [found, *rest]))
            return found

        wide = Operand(b, table.index[:, None])
        small = Operand(U, np.full(wide.index.shape, self.constant(2.0**-64)))
        mean = over("sum", [table], ("divide", [n]))
        scaled = over("dot", [small, wide], ("divide", [n]), ("multiply", [2.0**64]))
        size = over("abs", [mean])
        self.emit("where less", b, count, [size, float("inf"), mean, scaled], group.start)

    def over(self, group: Group) -> Any:
        """How many terms each of the means of a group has."""
        if group.which is None:
            return float(group.operands[0].index.shape[1])
        return Operand(U, np.array([self.constant(float(n)) for n in np.bincount(group.which).tolist()]))

    def _emit_dot(self, group: Group) -> None:
        a, b = group.operands
        if group.kind == "matrix":
            operands = [a, b]
        else:
            left, right = self._tables(group)
            operands = [Operand(a.buffer, left[:, None]), Operand(b.buffer, right[:, None])]
        self.emit("dot", group.buffer, group.count, operands, group.start)

    def _dots(self, members: Any, begin: Any, half: Any) -> None:
        """Dots, as matrix products wherever each row of one side meets each column of the other."""
        rest = []
        for k in np.unique(half).tolist():
            mine = np.flatnonzero(half == k)
            m, b, along = members[mine], begin[mine], np.arange(k)
            left, rows = numbered(self.args[b[:, None] + along])
            right, columns = numbered(self.args[b[:, None] + k + along])
            whole = rows * columns == len(m)
            if len(np.unique(left * columns + right)) < len(m) or (not whole and rows + columns > 0.8 * len(m) + 1):
                rest.append(mine)  # too few rows meet the same columns
                continue
            shapes = defaultdict(list)
            for some, r, c in [(np.arange(len(m)), rows, columns)] if whole else _blocks(left, right, rows):
                shapes[r, c].append(some)
            for (r, c), blocks in shapes.items():
                if (r * c < 4 and not whole) or any(len(some) != r * c for some in blocks):
                    rest.append(mine[np.concatenate(blocks)])
                    continue
                ordered = np.concatenate([some[np.lexsort((left[some], right[some]))] for some in blocks])
                at = b[ordered].reshape(len(blocks), c, r)
                nodes = [self.args[at[:, 0, :, None] + along], self.args[at[:, :, 0, None] + k + along]]
                self._store(DOT, "matrix", m[ordered], [self._operand(x, False) for x in nodes], nodes)
        if rest:
            some = np.sort(np.concatenate(rest))
            self._several(DOT, members[some], [(begin[some], half[some]), (begin[some] + half[some], half[some])])


def _blocks(left: Any, right: Any, rows: int) -> list[tuple[Any, int, int]]:
    """Rows that meet the same columns, together: [(members, rows, columns)]."""
    key = np.zeros(rows, np.int64)
    np.add.at(key, left, _WEIGHTS[right & 65535] * (1 + (right >> 16)))
    of = np.unique(key, return_inverse=True)[1][left]
    order = np.argsort(of, kind="stable")
    found = np.split(order, np.flatnonzero(np.diff(of[order])) + 1)
    return [(some, len(np.unique(left[some])), len(np.unique(right[some]))) for some in found]


def _unique(numbers: Any) -> tuple[Any, Any]:
    """Different numbers, by their bits, and which of them each is."""
    bits, which = np.unique(numbers.view(np.int64), return_inverse=True)
    return bits.view(float), which


def _put(args: Any, numbers: Any, constants: bool = False) -> Any:
    """Operands with the new numbers of the nodes (or of the constants) among them."""
    found = args.copy()
    if constants:
        fixed = args < 0
        found[fixed] = -1 - numbers[-1 - args[fixed]]
    else:
        found[args >= 0] = numbers[args[args >= 0]]
    return found


def _ints(numbers: Any) -> Any:
    """As an array of the standard library, which the loops take with and without a compiler."""
    return array("i", numbers.astype(np.int32).tobytes())
