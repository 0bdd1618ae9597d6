"""The graph of Values, read once into plain lists. Everything above works on these lists, not on Values.

Derivatives come from the table's rows, on floats, as in the engine's own sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from ... import floats
from ...graph.engine import GraphError, Value, check_fresh, topological_order, values
from ...graph.groups import Place, place_of
from ...graph.sweep import Step, pull, sent
from ...ops import Op

Operand = int | float  # an int is the index of a node, a float a constant


class Graph:
    """Nodes 0 … n−1, operands before results.

    Attributes:
        rows: the row of the table that computed each node, None for a leaf.
        operands: of each node, in order: the index of a node (int) or a constant (float).
        data, grad: the numbers, as they were when the graph was read.
        labels: the user's names, or None.
        places: the part of the program that made each node, where that was noted.
        kinds: "input", "parameter" (leaves) or "operation".
        roots: the nodes that were asked for.
        users: for each node, the nodes that use it, one entry for each use, in the order of the graph.
        swept: whether backward() has run from a root.
        stale: whether a leaf was assigned after the graph was computed, so that its numbers do not belong together.
        index_of: the index of a Value, by its id; good for as long as the roots are alive.
    """

    def __init__(self, roots: Sequence[Value], inside: bool = False) -> None:
        order = topological_order(roots)
        self.index_of = {id(v): i for i, v in enumerate(order)}
        index_of = self.index_of
        self.rows: list[Op | None] = [v.op for v in order]
        self.data: list[float] = [v.data for v in order]
        self.grad: list[float] = [v.grad for v in order]
        self.labels: list[str | None] = [v.label for v in order]
        self.kinds: list[str] = [
            "operation" if row is not None else getattr(type(v), "kind", "input")
            for v, row in zip(order, self.rows, strict=True)
        ]
        self.operands: list[tuple[Operand, ...]] = [
            tuple([x if type(x) is float else index_of[id(x)] for x in v.args]) for v in order
        ]
        self.places: list[Place | None] = [place_of(v) for v in order]
        self.roots: list[int] = list(dict.fromkeys(index_of[id(v)] for v in roots))
        self.swept = any(self.grad[root] != 0.0 for root in self.roots)
        self.stale = _is_stale(order)
        if inside:
            self._open_losses()
        self.users: list[list[int]] = [[] for _ in self.rows]
        for i, operands in enumerate(self.operands):
            for x in operands:
                if type(x) is int:
                    self.users[x].append(i)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def edges(self) -> int:
        """How many edges there are, `x * x` counting twice; constants are none."""
        return sum(len(users) for users in self.users)

    def inputs_of(self, node: int) -> list[float]:
        """The numbers that a node's row was given."""
        data = self.data
        return [data[x] if type(x) is int else float(x) for x in self.operands[node]]

    def cotangents(self, node: int, gradient: float) -> Sequence[float | None]:
        """What a node sends back to each operand when `gradient` reaches it; None where there is no derivative."""
        row = self.rows[node]
        return () if row is None else sent(row, gradient, self.data[node], self.inputs_of(node))

    def sent(self, node: int) -> Sequence[float | None]:
        """What a node sent back to each operand in the sweep: nothing, shown as 0, if nothing reached it."""
        sends = self.cotangents(node, self.grad[node])
        return sends if node in self.reached else [None if c is None else 0.0 for c in sends]

    @cached_property
    def reached(self) -> dict[int, float]:
        """The nodes that a sweep from the roots reaches, which closed gates may keep it from."""
        return self.pulled(range(len(self)), dict.fromkeys(self.roots, 1.0))

    def pulled(self, nodes: Iterable[int], arrived: dict[int, float]) -> dict[int, float]:
        """What arrives where in a sweep over these nodes, given what has arrived at some."""
        steps: list[Step] = []
        for node in sorted(nodes, reverse=True):
            row = self.rows[node]
            if row is not None:
                keys = [x if type(x) is int else None for x in self.operands[node]]
                steps.append((node, row, keys, self.data[node], self.inputs_of(node)))
        pull(floats, steps, arrived)
        return arrived

    def derivatives(self, node: int) -> Sequence[float | None]:
        """The local derivative with respect to each operand: the row's rule on a gradient of 1."""
        return self.cotangents(node, 1.0)

    def part(self, nodes: Iterable[int]) -> Graph:
        """Some nodes as a graph of their own, with their gradients; what they take from others are its inputs."""
        inside = set(nodes)
        order = sorted(inside | {x for v in inside for x in self.operands[v] if type(x) is int})
        moved = {v: i for i, v in enumerate(order)}
        found = object.__new__(Graph)
        found.rows = [self.rows[v] if v in inside else None for v in order]
        found.data, found.grad = [self.data[v] for v in order], [self.grad[v] for v in order]
        found.labels, found.places = [self.labels[v] for v in order], [self.places[v] for v in order]
        found.kinds = [self.kinds[v] if v in inside or self.rows[v] is None else "input" for v in order]
        found.operands = [
            tuple([moved[x] if type(x) is int else x for x in self.operands[v]]) if v in inside else () for v in order
        ]
        found.users = [[moved[u] for u in self.users[v] if u in inside] for v in order]
        found.roots = [moved[v] for v in order if v in inside and self._leaves_part(v, inside)]
        found.swept, found.stale, found.index_of = self.swept, self.stale, {}
        found.__dict__["reached"] = {moved[v]: 1.0 for v in order if v in self.reached} if self.swept else {}
        return found

    def _leaves_part(self, v: int, inside: set[int]) -> bool:
        return self.rows[v] is not None and (v in self.roots or any(u not in inside for u in self.users[v]))

    def sweep(self) -> None:
        """Put in `grad` what backward() from the first root would give if it started from 0; no Value is touched."""
        arrived = self.pulled(range(len(self)), {self.roots[0]: 1.0})
        self.grad, self.swept = [arrived.get(node, 0.0) for node in range(len(self))], True

    def _open_losses(self) -> None:
        """Put the steps of its formula in the place of each loss, with their gradients."""
        rows: list[Op | None] = []
        data: list[float] = []
        grad: list[float] = []
        labels: list[str | None] = []
        kinds: list[str] = []
        operands: list[tuple[Operand, ...]] = []
        places: list[Place | None] = []
        moved: list[int] = []

        def append(
            row: Op | None, number: float, gradient: float, label: str | None, kind: str, args: tuple[Operand, ...]
        ) -> int:
            rows.append(row)
            data.append(number)
            grad.append(gradient)
            labels.append(label)
            kinds.append(kind)
            operands.append(args)
            places.append(self.places[i])
            return len(rows) - 1

        for i, row in enumerate(self.rows):
            args: tuple[Operand, ...] = tuple([moved[x] if type(x) is int else x for x in self.operands[i]])
            steps = _formula(row, self.inputs_of(i), args) if row is not None and row.loss else []
            if not steps:
                moved.append(append(row, self.data[i], self.grad[i], self.labels[i], self.kinds[i], args))
                continue
            if self.grad[i]:
                steps[-1][0].backward(self.grad[i])
            at: dict[int, int] = {}
            for step, place in steps:
                if place is not None:
                    at[id(step)] = place
                    continue
                is_result = step is steps[-1][0]
                mapped = tuple([x if type(x) is float else at[id(x)] for x in step.args])
                at[id(step)] = append(
                    step.op, step.data, step.grad, self.labels[i] if is_result else None, "operation", mapped
                )
            moved.append(at[id(steps[-1][0])])
        self.rows, self.data, self.grad = rows, data, grad
        self.labels, self.kinds, self.operands, self.places = labels, kinds, operands, places
        self.index_of = {key: moved[i] for key, i in self.index_of.items()}
        self.roots = [moved[i] for i in self.roots]


def _is_stale(order: list[Value]) -> bool:
    try:
        check_fresh(order)
    except GraphError:
        return True
    return False


def _formula(row: Op, numbers: Sequence[float], args: Sequence[Operand]) -> list[tuple[Any, Any]]:
    """A row's formula run on Values: (step, None), or (stand-in, where the operand is) for an operand."""
    if row.formula is None:
        return []
    stand_ins = {place: Value(x) for x, place in zip(numbers, args, strict=True) if type(place) is int}
    inner: list[Any] = [stand_ins[place] if type(place) is int else x for x, place in zip(numbers, args, strict=True)]
    result = row.formula(values, *inner)
    if not isinstance(result, Value) or result.is_leaf:
        return []
    places = {id(v): place for place, v in stand_ins.items()}
    return [(v, places.get(id(v))) for v in topological_order(result)]
