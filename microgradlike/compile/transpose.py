"""Gradients of array instructions: the groups of vectorise.py, swept backward by the rules of the table.

Cotangents are pulled: `adjoint[slot]` is the slot where a slot's cotangent lies. One contribution is an alias and needs
no instruction, several are one sum over an index table.

Parameters are shared by all rows of a batch, arguments are not. Where a batched cotangent reaches something shared, it
is averaged over the rows, which is right because every rule is linear in g.

Absent is not zero: what a gate lets through under a condition (ops.Gated) is carried on as 0 by the quick plan, which
shows only where it meets an infinite slope, as nan; who runs it then runs the exact plan. There the conditions travel
along (`mask[slot]` is the slot of a number that is 0 where nothing has arrived) and select wherever cotangents are
added up, averaged or leave. The quick plan also takes `defined(z, x)` for x in the rules of an operation whose result
is z: where z is nan, so is the value of the program, or the upstream.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ..graph.program import Trace
from .lowering import Lowering
from .plan import POST, PRE, REDUCE, Instruction, Operand, Plan, U, V
from .vectorise import DOT, MEAN, Group, Vectors

__all__ = ["Gradient"]

Parts = list[tuple[Any, Any, Any]]  # what has reached slots: (slots, where it lies, its masks or −1)


class Gradient(Vectors):
    """The mean over the rows of output 0, and its gradient with respect to the leaves that are no inputs, as a plan."""

    def __init__(self, trace: Trace, single: bool, tape: tuple[frozenset[str], Lowering, bool]) -> None:
        super().__init__(trace, single, tape, gradient=True)
        self.masked = tape[2]
        self.parts: dict[tuple[int, int], Parts] = defaultdict(list)  # by buffer and group; −1: leaves
        self.reduced: list[
            tuple[Any, int, Any]
        ] = []  # (slots of U, the first sum over the rows that reaches them, masks)
        self.sums: list[Instruction] = []
        self.summed = 0
        self._places()
        (root,) = self.plan.outputs
        value = root if type(root) is float else root[1]
        if type(root) is not float:
            seed = Operand(U, np.array([self.constant(1.0)]))
            if root[0] == V:
                value = self._reduce("rowsum", 1, [Operand(V, np.array([[root[1]]]))])
                if not self.groups or not self.groups[-1].root or self.groups[-1].kind != "each":
                    seed = self.in_rows(seed)
            self.pend(root[0], np.array([root[1]]), seed.index)
        for group in reversed([g for g in self.groups if g.buffer == V]):
            self._back(group)
        base = self.take(U, self.summed)  # one range without holes, which is set to 0 before the rows
        for i in self.sums:
            i.start += base
        self.plan.instructions += self.sums
        for slots, first, masks in self.reduced:
            self.pend(U, slots, np.arange(len(slots)) + first + base, None if masks is None else masks + base)
        if type(root) is not float and root[0] == V:
            value += base
        self.phase[U] = PRE if single else POST
        for group in reversed([g for g in self.groups if g.buffer == U]):
            self._back(group)
        self._gather(U, -1)
        self._finish(value if type(root) is float else (U, value))

    def _finish(self, value: Any) -> None:
        plan = self.plan
        slots = plan.parameters
        places, masks = self.adjoint[U][slots], self.mask[U][slots]
        gated = np.flatnonzero(masks >= 0)
        if len(gated):
            places[gated] = self._settled(U, places[gated], masks[gated])
        plan.outputs = [value, *((U, p) if p >= 0 else 0.0 for p in places.tolist())]
        plan.instructions.sort(key=lambda i: i.phase)
        self.finish()

    def _places(self) -> None:
        """For each slot of the values: the group that computes it, whether it depends on a parameter, its original."""
        self.adjoint = [np.full(n, -1) for n in self.size]
        self.mask = [np.full(n, -1) for n in self.size]
        self.owner = [np.full(n, -1) for n in self.size]
        self.reaches = [np.zeros(n, bool) for n in self.size]
        self.original = np.full(self.size[V], -1)  # of copies
        for copy, at in ((at, s) for s, at in self.copies.items()):
            self.original[copy] = at
        for b in (U, V):
            nodes = np.flatnonzero((self.flag == b) & (self.active != 0))
            self.reaches[b][self.slot[nodes]] = True
        for n, group in enumerate(self.groups):
            self.owner[group.buffer][group.start : group.start + group.count] = n

    # ── what reaches a slot ─────────────────────────────────────────────────────────────────────
    def pend(self, buffer: int, slots: Any, places: Any, masks: Any = None) -> None:
        """Keep contributions until all are there."""
        if len(slots) == 0:
            return
        masks = np.full(len(slots), -1) if masks is None else masks
        owners = self.owner[buffer][slots]
        order = np.argsort(owners, kind="stable")
        for some in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1):
            self.parts[buffer, int(owners[some[0]])].append((slots[some], places[some], masks[some]))

    def _contribute(self, operand: Operand, places: Any, buffer: int, masks: Any = None) -> None:
        """Contributions to all slots of an operand; they lie in `buffer`."""
        slots, places = operand.index.ravel(), places.ravel()
        masks = np.full(len(slots), -1) if masks is None else masks.ravel()
        if operand.buffer == V:
            copied = self.original[slots] >= 0
            if copied.any():
                self._contribute(Operand(U, self.original[slots[copied]]), places[copied], V, masks[copied])
                slots, places, masks = slots[~copied], places[~copied], masks[~copied]
        some = self.reaches[operand.buffer][slots]
        slots, places, masks = slots[some], places[some], masks[some]
        if buffer == operand.buffer:
            self.pend(buffer, slots, places, masks)
            return
        # something shared: the mean over the rows of all that reaches it
        gated = masks >= 0
        if gated.any():
            places = places.copy()
            places[gated] = self._settled(V, places[gated], masks[gated])
        order = np.argsort(slots, kind="stable")
        unique, counts = np.unique(slots, return_counts=True)
        ends = np.cumsum(counts)
        for k in np.unique(counts).tolist():
            mine = np.flatnonzero(counts == k)
            which = order[(ends[mine] - k)[:, None] + np.arange(k)]
            at = self._reduce("rowsum", len(mine), [Operand(V, places[which])])
            there = None
            if gated[which].any():
                one = self.in_rows(Operand(U, np.array([self.constant(1.0)]))).index[0]
                table = np.where(gated[which], masks[which], one)
                there = self._reduce("rowsum", len(mine), [Operand(V, table)]) + np.arange(len(mine))
            self.reduced.append((unique[mine], at, there))

    def _reduce(self, name: str, count: int, operands: list[Any]) -> int:
        """Sums over the rows, whose slots count from that of the first; they get their place when all are known."""
        at = self.summed
        self.summed += count
        self.sums.append(Instruction(name, REDUCE, U, at, count, operands))
        return at

    def _settled(self, buffer: int, places: Any, masks: Any) -> Any:
        """Cotangents as numbers: 0 where nothing has arrived."""
        operands = [Operand(buffer, masks), Operand(buffer, places), 0.0]
        return np.arange(len(places)) + self.emit("where", buffer, len(places), operands)

    def _gather(self, buffer: int, owner: int) -> None:
        """Add up what has reached the slots of a group; where one thing has, it is that."""
        mine = self.parts.pop((buffer, owner), None)
        if not mine:
            return
        s, p, m = (np.concatenate(x) for x in zip(*mine, strict=True))
        order = np.argsort(s, kind="stable")
        s, p, m = s[order], p[order], m[order]
        unique, first, counts = np.unique(s, return_index=True, return_counts=True)
        gated = (m >= 0) & (counts[np.searchsorted(unique, s)] > 1)
        if gated.any():
            p[gated] = self._settled(buffer, p[gated], m[gated])
        for k in np.unique(counts).tolist():
            some = counts == k
            which = first[some][:, None] + np.arange(k)
            self.adjoint[buffer][unique[some]] = self._added(buffer, p[which])
            masks = m[which]
            always = (masks < 0).any(1)
            found = np.full(len(masks), -1)
            if not always.all():
                found[~always] = self._added(buffer, masks[~always])
            self.mask[buffer][unique[some]] = found

    def _added(self, buffer: int, table: Any) -> Any:
        """The sums of the rows of a table of slots."""
        count, k = table.shape
        if k == 1:
            return table[:, 0]
        operands = [Operand(buffer, table)] if k > 2 else [Operand(buffer, table[:, j].copy()) for j in range(2)]
        return np.arange(count) + self.emit("sum" if k > 2 else "add", buffer, count, operands)

    # ── groups ──────────────────────────────────────────────────────────────────────────────────
    def _back(self, group: Group) -> None:
        """What the cotangents of a group are at its operands."""
        b = group.buffer
        self._gather(b, int(self.owner[b][group.start]))
        if not any(group.wanted):
            return
        results = slice(group.start, group.start + group.count)
        g, masks = self.adjoint[b][results], self.mask[b][results]
        some = np.flatnonzero(g >= 0)  # nothing at all reaches the others
        if len(some) == 0:
            return
        if group.kind == "each":
            self._back_each(group, some, g[some], masks[some])
        elif group.kind == "take":
            self._back_take(group, some, g[some], masks[some])
        elif group.row is DOT:
            self._back_dot(group, some, g, masks)
        else:
            self._back_sum(group, g, masks)

    def _back_each(self, group: Group, some: Any, g: Any, masks: Any) -> None:
        b, t, n = group.buffer, group.template, len(group.operands)
        where = group.where
        if len(some) < group.count:
            where = {k: x if type(x) is float else Operand(x.buffer, x.index[some]) for k, x in where.items()}
        if not group.root:
            where[n] = Operand(b, g)
        self.steps(t.back, group, where, len(some))
        for j, pair in enumerate(t.cotangents):
            if pair is None or not group.wanted[j]:
                continue
            found = [where[x] if type(x) is int else x for x in pair]
            condition = None if found[0] is None else self._lying(found[0], b, len(some))
            c, present = self._lying(found[1], b, len(some)), self._both(b, masks, condition)
            operand = Operand(group.operands[j].buffer, group.operands[j].index[some])
            self._contribute(operand, c.index, b, present)

    def _lying(self, x: Any, buffer: int, count: int) -> Operand:
        """Something that a template answers, in this buffer."""
        if type(x) is float:
            x = Operand(U, np.full(count, self.constant(x)))
        return self.in_rows(x) if buffer == V else x  # type: ignore[no-any-return]

    def _both(self, b: int, masks: Any, condition: Operand | None) -> Any:
        """The masks of contributions: of what was there under a condition, under another condition."""
        if condition is None:
            return masks
        gated = masks >= 0
        if not gated.any():
            return condition.index
        found = condition.index.copy()
        operands = [Operand(b, masks[gated]), Operand(b, found[gated]), 0.0]
        found[gated] = np.arange(int(gated.sum())) + self.emit("where", b, int(gated.sum()), operands)
        return found

    def _back_take(self, group: Group, some: Any, g: Any, masks: Any) -> None:
        b = group.buffer
        index, table = group.operands[0].index[some], group.operands[1].index[some]
        count, width = table.shape
        places = np.tile([self.constant(float(j)) for j in range(width)], count)
        chosen = [Operand(group.operands[0].buffer, np.repeat(index, width)), Operand(U, places)]
        wide = np.repeat(g, width)
        if self.masked:
            equal = Operand(b, np.arange(table.size) + self.emit("equal", b, table.size, chosen))
            present = self._both(b, np.repeat(masks, width), equal)
        else:
            wide = np.arange(table.size) + self.emit("where equal", b, table.size, [*chosen, Operand(b, wide), 0.0])
            present = None
        self._contribute(Operand(group.operands[1].buffer, table), wide, b, present)

    def _back_sum(self, group: Group, g: Any, masks: Any) -> None:
        b, (x,) = group.buffer, group.operands
        if group.row is MEAN:
            n = self.over(group)
            there = np.where(g < 0, g[g >= 0][0], g)
            g = np.where(
                g < 0, -1, np.arange(group.count) + self.emit("divide", b, group.count, [Operand(b, there), n])
            )
        which = np.repeat(np.arange(group.count), x.index.shape[1]) if group.which is None else group.which
        some = g[which] >= 0
        self._contribute(Operand(x.buffer, x.index.ravel()[some]), g[which][some], b, masks[which][some])

    def _back_dot(self, group: Group, some: Any, g: Any, masks: Any) -> None:
        b, (left, right) = group.buffer, group.operands
        ai, bi = left.index, right.index
        if len(some) < group.count or (masks >= 0).any() or group.kind != "matrix":
            self._back_pairs(group, g, masks)
            return
        n, r, k = ai.shape
        c = bi.shape[1]
        gg = g.reshape(n, c, r)
        turned = np.ascontiguousarray(gg.transpose(0, 2, 1))
        if group.wanted[0]:  # Σ over the columns of g · right
            columns = np.ascontiguousarray(bi.transpose(0, 2, 1))
            if left.buffer != b:
                at = self._reduce("rowdot", n * r * k, [Operand(V, columns), Operand(V, turned)])
                slots = ai.ravel()
                one = self.reaches[U][slots]
                if one.all():
                    self.reduced.append((slots, at, None))
                else:
                    for j in np.flatnonzero(one).tolist():
                        self.reduced.append((slots[j : j + 1], at + j, None))
            else:
                if c == 1:
                    wide = Operand(b, np.repeat(turned.reshape(n, r, 1), k, 2).ravel())
                    at = self.emit("multiply", b, n * r * k, [wide, Operand(right.buffer, np.repeat(bi, r, 1).ravel())])
                else:
                    at = self.emit("dot", b, n * r * k, [Operand(right.buffer, columns), Operand(b, turned)])
                self._contribute(Operand(left.buffer, ai), np.arange(at, at + n * r * k), b)
        if group.wanted[1]:
            if r == 1 and b == U:
                wide = Operand(b, np.repeat(gg.reshape(n, c, 1), k, 2).ravel())
                at = self.emit("multiply", b, n * c * k, [wide, Operand(left.buffer, np.repeat(ai, c, 1).ravel())])
            else:
                rows = Operand(left.buffer, np.ascontiguousarray(ai.transpose(0, 2, 1)))
                at = self.emit("dot", b, n * c * k, [rows, Operand(b, np.ascontiguousarray(gg))])
            self._contribute(Operand(right.buffer, bi), np.arange(at, at + n * c * k), b)

    def _back_pairs(self, group: Group, g: Any, masks: Any) -> None:
        """A dot is a sum of products: each factor gets g times the other."""
        b, count = group.buffer, group.count
        left, right = (x.index for x in group.operands)
        if group.kind == "matrix":
            n, r, k = left.shape
            c = right.shape[1]
            left = np.broadcast_to(left[:, None], (n, c, r, k)).reshape(count, k)
            right = np.broadcast_to(right[:, :, None], (n, c, r, k)).reshape(count, k)
        which = np.repeat(np.arange(count), left.shape[1]) if group.which is None else group.which
        left, right = left.ravel(), right.ravel()
        some = g[which] >= 0
        left, right, wide, present = left[some], right[some], g[which][some], masks[which][some]
        sides = Operand(group.operands[0].buffer, left), Operand(group.operands[1].buffer, right)
        for want, mine, other in ((group.wanted[0], *sides), (group.wanted[1], *sides[::-1])):
            if not want:
                continue
            if mine.buffer != b and not (present >= 0).any():
                live = np.flatnonzero(self.reaches[U][mine.index])
                operands = [Operand(V, x[live].reshape(-1, 1, 1)) for x in (wide, other.index)]
                self.reduced.append((mine.index[live], self._reduce("rowdot", len(live), operands), None))
            else:
                at = self.emit("multiply", b, len(wide), [other, Operand(b, wide)])
                self._contribute(mine, np.arange(at, at + len(wide)), b, present)


def gradient(trace: Trace, single: bool, tape: tuple[frozenset[str], Lowering, bool]) -> Plan:
    """The plan of the gradient."""
    return Gradient(trace, single, tape).plan
