"""Vectors out of scalars: a scalar program as a short list of array instructions.

1. Chains of additions become n-ary sums, sums of products become dots, means over the rows of products become
   dots over the rows (`_Linear`).
2. Every node gets its phase and depth. The nodes of one depth and one operation are one instruction: gather, operate,
   store. The number of instructions follows the depth of the program, not its size (`_groups`).
3. Results are stored in the order in which their operands lie, so that most gathers are slices; dots that share
   operands become matrix products (`_grid`).

Phases: 0 shared by all rows, before them; 1 per row; 2 reductions over the rows; 3 shared, after them.
There are two buffers: U holds one number per shared node, V one row of numbers (the batch) per batched node.

The idea is dynamic batching done ahead of time (Neubig et al. 2017, arXiv:1705.07860).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ..graph.program import Program
from .differentiate import ROW_MEAN, batched_slots
from .lowering import SHORT

__all__ = ["Instruction", "Operand", "Plan", "vectorise"]

U, V = 0, 1
PRE, BODY, REDUCE, POST = 0, 1, 2, 3
Node = Any  # an int: a node; a float: a constant
# any number of operands, one result
_SEVERAL = {"sum", "top", "rest", "prod", "norm", "take", "rowsum", "sum_tail", "exact_sum", "settled_logsumexp"}
_TESTS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}
_COMMUTATIVE = {"add", "multiply", "maximum", "minimum", "equal", "not_equal"}


class Operand:
    """Where an instruction finds an operand: slots of buffer U or V, one for each result (or each pair of a dot)."""

    __slots__ = ("_index", "buffer", "slot")

    def __init__(self, buffer: int, index: Any) -> None:
        self.buffer = buffer
        self.slot: int | None = None  # the only one, if `index` is a number: deep programs are made of these
        self._index = index
        if type(index) is int:
            self.slot, self._index = index, None

    @property
    def index(self) -> Any:
        """The slots as an array."""
        if self._index is None:
            self._index = np.array([self.slot])
        return self._index

    def strides(self) -> tuple[int, ...] | None:
        """(start, stride of each axis) where the slots lie regularly, else None."""
        if self.slot is not None:
            return self.slot, 0
        index = self._index
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

    def __init__(self, name: str, phase: int, buffer: int, start: int, count: int, operands: list[Any]) -> None:
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

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.shared = 0
        self.batched = 0
        self.constants: tuple[Any, Any] = (np.zeros(0, np.int64), np.zeros(0))
        self.inputs: Any = None
        self.parameters: Any = None
        self.outputs: list[Any] = []
        self.single = False
        self.where: Any = None  # the outputs' slots as arrays, made when first asked for

    def __len__(self) -> int:
        return len(self.instructions)

    def __str__(self) -> str:
        head = f"# {len(self)} array instructions, {self.shared} shared slots (U), {self.batched} slots per row (V)"
        return "\n".join([head, *(f"{'pre body reduce post'.split()[i.phase]}: {i!r}" for i in self.instructions)])


def _alone(program: Program) -> set[int]:
    """The short dots that share neither side with another: they keep their digits, others become matrix products."""
    dots = {k: args for k, (row, args) in enumerate(zip(program.rows, program.args, strict=True)) if row.name == "dot"}
    sides: dict[tuple[Node, ...], int] = defaultdict(int)
    for args in dots.values():
        half = len(args) // 2
        for side in {args[:half], args[half:]}:
            sides[side] += 1
    return {
        k
        for k, args in dots.items()
        if 2 <= len(args) <= 2 * SHORT and sides[args[: len(args) // 2]] == sides[args[len(args) // 2 :]] == 1
    }


class _Linear:
    """Step 1: nodes as (name, arguments), with n-ary sums and dots."""

    def __init__(self, program: Program, inputs: int, single: bool) -> None:
        self.first = program.inputs
        count = program.inputs + len(program)
        self.single = single
        self.flags = bytearray(count) if single else batched_slots(program, inputs)
        self.nodes: dict[int, tuple[str, tuple[Node, ...]]] = {}
        self.next = count
        self.alias: dict[int, Node] = {}
        uses = self._uses(program, count)
        self.pairs: dict[int, tuple[list[tuple[Node, Node]], list[Node]]] = {}
        absorbed: set[int] = set()
        alone = _alone(program)
        for k, (row, args) in enumerate(zip(program.rows, program.args, strict=True)):
            i = self.first + k
            if uses[i] == 0:
                continue
            if self.alias:
                args = tuple([self.alias.get(a, a) if type(a) is int else a for a in args])
            name = row.name
            if name == "add" or name == "sum":
                self._gather(i, args, uses, absorbed)
            elif name == "dot" and k in alone:
                self.nodes[i] = ("exact_dot", args)
            elif name == "dot":
                half = len(args) // 2
                self.pairs[i] = (list(zip(args[:half], args[half:], strict=True)), [])
            elif row is ROW_MEAN:
                a = args[0]
                if single or type(a) is not int or not self.flags[a]:
                    self.alias[i] = a
                else:
                    self._reduce(i, a, uses, absorbed)
            elif name == "where" and type(args[0]) is int and self.nodes.get(args[0], ("",))[0] in _TESTS:
                test, sides = self.nodes[args[0]]
                self.nodes[i] = (f"where {test}", (*sides, *args[1:]))
            else:
                self.nodes[i] = (name, args)
        for i, (pairs, terms) in self.pairs.items():
            if i not in absorbed:
                self._finish(i, pairs, terms)
        for i in absorbed:
            self.nodes.pop(i, None)
        self.outputs = [self.alias.get(a, a) if type(a) is int else a for a in program.outputs]

    def _uses(self, program: Program, count: int) -> list[int]:
        uses = [0] * count
        for a in program.outputs:
            if type(a) is int:
                uses[a] += 1
        for k in range(len(program) - 1, -1, -1):
            n = uses[self.first + k]
            if n:
                # where single rows make a mean the thing itself, whoever uses the mean uses the thing
                weight = n if self.single and program.rows[k] is ROW_MEAN else 1
                for a in program.args[k]:
                    if type(a) is int:
                        uses[a] += weight
        return uses

    def _gather(self, i: int, args: tuple[Node, ...], uses: list[int], absorbed: set[int]) -> None:
        """An addition: take over the terms of additions, and the factors of products, that nobody else uses."""
        pairs: list[tuple[Node, Node]] = []
        terms: list[Node] = []
        flags = self.flags
        for a in args:
            if type(a) is int and self.first <= a < len(uses) and uses[a] == 1 and flags[a] == flags[i]:
                inner = self.pairs.get(a)
                if inner is not None:
                    absorbed.add(a)
                    if len(inner[0]) > len(pairs):
                        pairs, more = inner[0], pairs
                        pairs.extend(more)
                    else:
                        pairs.extend(inner[0])
                    if len(inner[1]) > len(terms):
                        terms, others = inner[1], terms
                        terms.extend(others)
                    else:
                        terms.extend(inner[1])
                    continue
                name, factors = self.nodes.get(a, ("", ()))
                if name == "multiply":
                    absorbed.add(a)
                    pairs.append((factors[0], factors[1]))
                    continue
            terms.append(a)
        self.pairs[i] = (pairs, terms)

    def _new(self, name: str, args: tuple[Node, ...], flag: int) -> int:
        i = self.next
        self.next += 1
        self.nodes[i] = (name, args)
        self.flags.append(flag)
        return i

    def _flag(self, a: Node) -> int:
        return self.flags[a] if type(a) is int else 0

    def _finish(self, i: int, pairs: list[tuple[Node, Node]], terms: list[Node]) -> None:
        """Write the sum as dots (one for each kind of operands) plus the other terms."""
        kinds: dict[tuple[int, int], list[tuple[Node, Node]]] = defaultdict(list)
        for a, b in pairs:
            fa, fb = self._flag(a), self._flag(b)
            if fa > fb:
                a, b, fa, fb = b, a, fb, fa
            kinds[fa, fb].append((a, b))
        parts = list(terms)
        whole = len(kinds) == 1 and not terms
        for found in kinds.values():
            if len(found) == 1:
                name, args = "multiply", found[0]
            else:
                name, args = "dot", (*[a for a, _ in found], *[b for _, b in found])
            if whole:
                self.nodes[i] = (name, args)
                return
            parts.append(self._new(name, args, self._flag(found[0][1])))
        if len(parts) < 2:  # a dot of nothing, a sum of one
            self.nodes[i] = ("positive", (parts[0] if parts else 0.0,))
            return
        self.nodes[i] = ("add" if len(parts) == 2 else "sum", tuple(parts))

    def _reduce(self, i: int, x: int, uses: list[int], absorbed: set[int]) -> None:
        """A mean over the rows: of products, as one dot over the rows; of sums, term by term."""
        pairs: list[tuple[Node, Node]] = []
        rest: list[Node] = []
        inner = self.pairs.get(x) if uses[x] == 1 else None
        name, args = self.nodes.get(x, ("", ()))
        sign = 1.0
        if uses[x] == 1 and name == "negative" and type(args[0]) is int:
            absorbed.add(x)
            sign, x = -1.0, args[0]
            if uses[x] == 1:
                inner = self.pairs.get(x)
            name, args = self.nodes.get(x, ("", ()))
        if inner is not None and uses[x] == 1:
            absorbed.add(x)
            pairs, rest = inner
        elif name == "multiply" and uses[x] == 1:
            absorbed.add(x)
            pairs = [(args[0], args[1])]
        else:
            rest = [x]
        parts: list[Node] = []
        both = [(a, b) for a, b in pairs if self._flag(a) and self._flag(b)]
        if both:
            parts.append(self._new("rowdot", (*[a for a, _ in both], *[b for _, b in both]), 0))
        for a, b in pairs:
            if not (self._flag(a) or self._flag(b)):
                parts.append(self._new("multiply", (a, b), 0))
            elif not (self._flag(a) and self._flag(b)):
                a, b = (a, b) if self._flag(b) else (b, a)
                parts.append(self._new("multiply", (a, self._new("rowsum", (b,), 0)), 0))
        varying = [t for t in rest if self._flag(t)]
        if varying:
            parts.append(self._new("rowsum", tuple(varying), 0))
        parts += [t for t in rest if not self._flag(t)]
        if sign < 0.0:
            inside = parts[0] if len(parts) == 1 else self._new("sum", tuple(parts), 0)
            self.nodes[i] = ("negative", (inside,))
        elif len(parts) == 1:
            self.alias[i] = parts[0]
        else:
            self.nodes[i] = ("add" if len(parts) == 2 else "sum", tuple(parts))


def vectorise(program: Program, inputs: int, single: bool) -> Plan:
    """The array instructions of a lowered program whose first `inputs` inputs differ from row to row."""
    linear = _Linear(program, inputs, single)
    return _Layout(linear, program, inputs, single).plan


class _Layout:
    """Steps 2 and 3: groups of nodes, their order, their slots."""

    def __init__(self, linear: _Linear, program: Program, inputs: int, single: bool) -> None:
        self.flags, self.nodes = linear.flags, linear.nodes
        self.plan = Plan()
        self.plan.single = single
        self.first = program.inputs
        self.inputs = inputs
        self.outputs = linear.outputs
        self.group: dict[int, int] = {}  # the instruction that computes a node
        self.spread: dict[Node, int] = {}  # slots in V that hold a copy of something shared
        self.buffer_sizes = [0, 0]
        self.slot: dict[int, int] = {}  # of a node, in its buffer
        self.fixed: list[tuple[int, float]] = []
        self.known: dict[float, int] = {}
        if not single:
            for i in range(inputs):
                self.slot[i] = i
            self.buffer_sizes[V] = inputs
        for key, members in self._groups():
            self._emit(key, members)
        leaves = range(program.inputs)
        for i in leaves:
            self._place(i)
        plan = self.plan
        plan.inputs = np.array([self.slot[i] for i in leaves[:inputs]], np.int64)
        plan.parameters = np.array([self.slot[i] for i in leaves[inputs:]], np.int64)
        plan.outputs = [(self.flags[a], self.slot[a]) if type(a) is int else a for a in linear.outputs]
        plan.shared, plan.batched = self.buffer_sizes
        plan.constants = (np.array([s for s, _ in self.fixed], np.int64), np.array([x for _, x in self.fixed]))

    # ── groups ──────────────────────────────────────────────────────────────────────────────────
    def _groups(self) -> list[tuple[Any, list[int]]]:
        phase: dict[int, int] = {}
        level: dict[int, int] = {}
        groups: dict[Any, list[int]] = defaultdict(list)
        for i in self._order():
            name, args = self.nodes[i]
            here, depth = PRE, 0
            if name in ("rowdot", "rowsum"):
                here = REDUCE
            elif self.flags[i]:
                here = BODY
            else:
                for a in args:
                    if type(a) is int and phase.get(a, 0) >= REDUCE:
                        here = POST
            for a in args:
                if type(a) is int and a >= self.first and phase[a] == here and level[a] >= depth:
                    depth = level[a] + 1
            phase[i], level[i] = here, depth
            key = (here, depth, name, *self._kind(i, name, args))
            groups[key].append(i)
        return sorted(groups.items(), key=lambda item: (item[0][0], item[0][1]))

    def _order(self) -> list[int]:
        """The nodes that the outputs need, arguments first."""
        nodes, first = self.nodes, self.first
        seen = bytearray(len(self.flags))
        order: list[int] = []
        for root in sorted({a for a in self.outputs if type(a) is int and a >= first}):
            stack = [root]
            while stack:
                i = stack.pop()
                if i < 0:  # all its arguments are there
                    order.append(~i)
                elif not seen[i]:
                    seen[i] = 1
                    stack.append(~i)
                    stack += [a for a in nodes[i][1] if type(a) is int and a >= first and not seen[a]]
        return order

    def _kind(self, i: int, name: str, args: tuple[Node, ...]) -> tuple[Any, ...]:
        """What else must agree within a group: the number of operands, their buffers, some constants."""
        flags = self.flags
        if name in ("dot", "rowdot", "rowsum", "sum"):
            if name == "sum":
                return len(args), sum([flags[a] if type(a) is int else 0 for a in args])
            return len(args), (flags[args[0]] if type(args[0]) is int else 0)
        if name in _COMMUTATIVE:
            args = self.nodes[i][1]
            a, b = args
            ra = 2 - flags[a] if type(a) is int else 3
            rb = 2 - flags[b] if type(b) is int else 3
            if ra > rb:
                args = (b, a)
                self.nodes[i] = (name, args)
        classes = tuple([("ub"[flags[a]] if type(a) is int else "c") for a in args])
        if name == "pow" and type(args[1]) is float:
            return (*classes, args[1])
        return classes

    # ── slots ───────────────────────────────────────────────────────────────────────────────────
    def _place(self, a: Node) -> int:
        """The slot of a node or a constant; leaves get one when they are first asked for."""
        if type(a) is float:
            key = a.hex()
            slot = self.known.get(key)  # type: ignore[call-overload]
            if slot is None:
                slot = self.known[key] = self._take(U, 1)  # type: ignore[index]
                self.fixed.append((slot, a))
            return slot  # type: ignore[no-any-return]
        slot = self.slot.get(a)
        if slot is None:
            slot = self.slot[a] = self._take(U, 1)
        return slot

    def _take(self, buffer: int, count: int) -> int:
        start = self.buffer_sizes[buffer]
        self.buffer_sizes[buffer] = start + count
        return start

    def _rank(self, a: Node) -> tuple[int, int]:
        """Where a node lies, for sorting; a leaf without a slot after all others, in its natural order."""
        if type(a) is float:
            return 2, 0
        slot = self.slot.get(a)
        return (1, a) if slot is None else (0, slot)

    def _buffer(self, a: Node) -> int:
        return self.flags[a] if type(a) is int else U

    def _operand(self, nodes: list[Node], shape: tuple[int, ...]) -> Any:
        """Where these nodes lie."""
        if all(type(a) is float for a in nodes) and len({a.hex() for a in nodes}) == 1:
            if len(shape) == 1:
                return nodes[0]
        elif any(type(a) is float for a in nodes) and len(shape) == 1:
            start = self._take(U, len(nodes))  # a vector of constants
            self.fixed.extend([(start + i, a) for i, a in enumerate(nodes)])
            return Operand(U, np.arange(start, start + len(nodes)))
        index = np.array([self._place(a) for a in nodes], np.int64)
        return Operand(self._buffer(nodes[0]), index.reshape(shape))

    def _in_rows(self, a: Node) -> int:
        """A slot of V that holds `a`, a copy if it is shared."""
        if self._buffer(a) == V:
            return self._place(a)
        slot = self.spread.get(a)
        if slot is None:
            slot = self.spread[a] = self._take(V, 1)
            copy = Operand(U, np.array([self._place(a)]))
            self.plan.instructions.append(Instruction("positive", BODY, V, slot, 1, [copy]))
        return slot

    def _store(self, name: str, phase: int, members: list[int], operands: list[Any]) -> None:
        buffer = V if phase == BODY else U
        start = self._take(buffer, len(members))
        number = len(self.plan.instructions)
        for n, i in enumerate(members):
            self.slot[i] = start + n
            self.group[i] = number
        self.plan.instructions.append(Instruction(name, phase, buffer, start, len(members), operands))

    # ── instructions ────────────────────────────────────────────────────────────────────────────
    def _emit(self, key: Any, members: list[int]) -> None:
        phase, _, name = key[:3]
        nodes, rank = self.nodes, self._rank
        if name in ("dot", "rowdot"):
            self._emit_dots(name, phase, members)
            return
        if len(members) == 1:
            if name not in _SEVERAL:  # the usual case of a deep program
                i = members[0]
                operands: list[Any] = [
                    a if type(a) is float else Operand(self._buffer(a), self._place(a)) for a in nodes[i][1]
                ]
                self._store(name, phase, members, operands)
                return
        else:
            members.sort(key=lambda i: [rank(a) for a in nodes[i][1][:3] if type(a) is int])
        width = len(nodes[members[0]][1])
        if name in _SEVERAL:
            lead = 1 if name == "take" else 0
            operands = []
            if lead:
                operands.append(self._operand([nodes[i][1][0] for i in members], (len(members),)))
            table = [a for i in members for a in nodes[i][1][lead:]]
            if len({self._buffer(a) for a in table}) == 1:
                operands.append(self._operand(table, (len(members), width - lead)))
            else:  # shared and batched operands of one reduction
                index = np.array([self._in_rows(a) for a in table], np.int64)
                operands.append(Operand(V, index.reshape(len(members), width - lead)))
            self._store(name, phase, members, operands)
            return
        operands = [self._operand([nodes[i][1][j] for i in members], (len(members),)) for j in range(width)]
        self._store(name, phase, members, operands)

    def _emit_dots(self, name: str, phase: int, members: list[int]) -> None:
        """Dots, as matrix products wherever each row of one side meets each column of the other."""
        left: dict[tuple[Node, ...], int] = {}
        right: dict[tuple[Node, ...], int] = {}
        edges: list[tuple[int, int, int]] = []
        for i in members:
            args = self.nodes[i][1]
            half = len(args) // 2
            a, b = args[:half], args[half:]
            pairs = list(zip(a, b, strict=True))
            if self._buffer(a[0]) == self._buffer(b[0]):
                pairs = [(x, y) if self._side(x) <= self._side(y) else (y, x) for x, y in pairs]
            pairs.sort(key=lambda p: (self._rank(p[0]), self._rank(p[1])))
            a, b = tuple([x for x, _ in pairs]), tuple([y for _, y in pairs])
            edges.append((left.setdefault(a, len(left)), right.setdefault(b, len(right)), i))
        rows, columns = list(left), list(right)
        if phase != BODY and len(rows) < len(columns):
            rows, columns = columns, rows
            edges = [(y, x, i) for x, y, i in edges]
        for shape, blocks in _grid(edges).items():
            r, c = shape
            ordered: list[tuple[list[int], list[int], dict[tuple[int, int], int]]] = []
            for rs, cs, cells in blocks:
                rs = sorted(rs, key=lambda n: [self._rank(x) for x in rows[n][:2]])
                cs = sorted(cs, key=lambda n: [self._rank(x) for x in columns[n][:2]])
                ordered.append((rs, cs, cells))
            ordered.sort(key=lambda t: (self._rank(rows[t[0][0]][0]), self._rank(columns[t[1][0]][0])))
            half = len(rows[0])
            a_nodes = [x for rs, _, _ in ordered for n in rs for x in rows[n]]
            b_nodes = [x for _, cs, _ in ordered for n in cs for x in columns[n]]
            results = [cells[n, k] for rs, cs, cells in ordered for k in cs for n in rs]
            blocks_count = len(ordered)
            a_operand = self._operand(a_nodes, (blocks_count, r, half))
            b_operand = self._operand(b_nodes, (blocks_count, c, half))
            self._store(name, phase, results, [a_operand, b_operand])

    def _side(self, a: Node) -> tuple[int, int]:
        """Which factor of a product of the same kind counts as the left one: leaves, then what was computed first."""
        if type(a) is float:
            return 3, 0
        if a < self.first:
            return 0, int(a < self.inputs)
        return 1, self.group[a]


def _grid(edges: list[tuple[int, int, int]]) -> dict[tuple[int, int], list[Any]]:
    """Edges (row, column, node) as blocks where every row meets every column: {shape: [(rows, columns, cells)]}."""
    meets: dict[int, list[int]] = defaultdict(list)
    cell: dict[tuple[int, int], int] = {}
    for row, column, node in edges:
        meets[row].append(column)
        cell[row, column] = node
    together: dict[frozenset[int], list[int]] = defaultdict(list)
    for row, columns in meets.items():
        together[frozenset(columns)].append(row)
    blocks: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for shared, rows in together.items():
        blocks[len(rows), len(shared)].append((rows, list(shared), cell))
    return blocks
