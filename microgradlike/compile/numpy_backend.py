"""Backend `numpy`: the array instructions of a plan as NumPy calls on views that are made once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph.program import Trace
from .inputs import Rows
from .lowering import LOWERED, Lowering
from .numpy_functions import ELEMENTWISE, NATIVE
from .plan import BODY, POST, PRE, REDUCE, Instruction, Operand, Plan, U
from .recording import uncollected
from .transpose import Gradient
from .vectorise import Vectors

__all__ = ["NumpyRunner", "Tile"]

_BYTES = 4_000_000  # of V at a time: as much as stays in the cache


class Tile:
    """The buffers of a plan for `width` rows, and its instructions as calls on views of them."""

    def __init__(self, plan: Plan, width: int, shared: Any = None) -> None:
        self.plan = plan
        self.width = width
        self.u = np.zeros(plan.shared) if shared is None else shared
        self.v = np.zeros((plan.batched, width))
        slots, numbers = plan.constants
        self.u[slots] = numbers
        calls: dict[int, list[Callable[[], Any]]] = {PRE: [], BODY: [], REDUCE: [], POST: []}
        for i in plan.instructions:
            calls[i.phase].extend(_calls(i, self))
        self.pre, self.body, self.post = calls[PRE], calls[BODY] + calls[REDUCE], calls[POST]


def _view(tile: Tile, operand: Operand, batched: bool, calls: list[Callable[[], Any]]) -> Any:
    """The numbers of an operand: a view of a buffer where they lie regularly, else a copy that a call refreshes."""
    base = tile.u if operand.buffer == U else tile.v
    if operand.slot is not None:
        view = base[operand.slot : operand.slot + 1]
        return view[:, None] if batched and operand.buffer == U else view
    index = operand.index
    where = operand.strides()
    if where is not None and _friendly(where[1:], index.ndim):
        start, *steps = where
        shape, strides = index.shape, tuple([s * base.strides[0] for s in steps])
        if index.ndim == 1 and strides[0] == 0:
            shape = (1,)
        if operand.buffer == U:
            view = np.lib.stride_tricks.as_strided(base[start:], shape, strides)
        else:
            view = np.lib.stride_tricks.as_strided(base[start:], (*shape, tile.width), (*strides, base.strides[1]))
    else:
        view = np.empty(index.shape if operand.buffer == U else (*index.shape, tile.width))
        take = base.take
        calls.append(lambda: take(index, 0, view, "clip"))
    return view[..., None] if batched and operand.buffer == U else view


def _friendly(steps: Sequence[int], axes: int) -> bool:
    """Whether matrix products take such a view as it is (one axis contiguous)."""
    return axes < 3 or steps[-1] == 1 or (steps[-2] == 1 and steps[-1] >= 1) or steps[-1] == 0


def _calls(i: Instruction, tile: Tile) -> list[Callable[[], Any]]:
    calls: list[Callable[[], Any]] = []
    batched = i.phase == BODY
    target = (tile.u if i.buffer == U else tile.v)[i.start : i.start + i.count]
    if i.name == "dot":
        calls.append(_dot(i, tile, target, calls))
    elif i.name == "rowdot":
        calls.append(_rowdot(i, tile, target, calls))
    elif i.name == "rowsum":
        x = _view(tile, i.operands[0], False, calls)
        calls.append(lambda: np.add(target, np.add.reduce(x, (1, 2)), target))
    elif i.name == "take":
        calls.append(_take(i, tile, target, calls))
    else:
        views = [x if isinstance(x, float) else _view(tile, x, batched, calls) for x in i.operands]
        function = ELEMENTWISE[i.name]
        calls.append(lambda: function(target, *views))
    return calls


def _dot(i: Instruction, tile: Tile, target: Any, calls: list[Callable[[], Any]]) -> Callable[[], Any]:
    a_operand, b_operand = i.operands
    blocks, rows, _ = a_operand.index.shape
    columns = b_operand.index.shape[1]
    a, b = _view(tile, a_operand, False, calls), _view(tile, b_operand, False, calls)
    if i.phase != BODY:
        if rows == columns == 1:
            x, y = a[:, 0], b[:, 0]
            return lambda: np.einsum("nk,nk->n", x, y, out=target)
        out = target.reshape(blocks, columns, rows)
        if blocks == 1:
            left, right, flat = b[0], a[0].T, out[0]
            if columns == 1:
                vector, line = b[0, 0], out[0, 0]
                matrix = a[0]
                return lambda: np.matmul(matrix, vector, line)
            return lambda: np.matmul(left, right, flat)
        turned = a.swapaxes(1, 2)
        return lambda: np.matmul(b, turned, out)
    if a_operand.buffer == U:
        out = target.reshape(blocks, columns, rows, tile.width)
        if blocks == columns == 1:
            matrix, table, flat = a[0], b[0, 0], out[0, 0]
            return lambda: np.matmul(matrix, table, flat)
        left = a[:, None]
        return lambda: np.matmul(left, b, out)
    out = target.reshape(blocks, columns, rows, tile.width)
    if rows == columns == 1:
        x, y, flat = a[:, 0], b[:, 0], out[:, 0, 0]
        return lambda: np.einsum("nkb,nkb->nb", x, y, out=flat)
    return lambda: np.einsum("nrkb,nckb->ncrb", a, b, out=out)


def _rowdot(i: Instruction, tile: Tile, target: Any, calls: list[Callable[[], Any]]) -> Callable[[], Any]:
    a, b = (_view(tile, x, False, calls) for x in i.operands)
    blocks, rows, _, _ = a.shape
    columns = b.shape[1]
    out = target.reshape(blocks, columns, rows)
    part = np.empty(out.shape)
    if rows == columns == 1:
        x, y, line, flat = a[:, 0], b[:, 0], part[:, 0, 0], out[:, 0, 0]

        def single() -> None:
            np.einsum("nkb,nkb->n", x, y, out=line)
            np.add(flat, line, flat)

        return single
    if a.shape[2] == 1:  # a plain outer product over the rows
        left, right = b[:, :, 0], a[:, :, 0].swapaxes(1, 2)
        if blocks == 1:
            matrix, other, result = left[0], right[0], part[0]

            def product() -> None:
                np.matmul(matrix, other, result)
                np.add(out, part, out)

            return product

        def products() -> None:
            np.matmul(left, right, part)
            np.add(out, part, out)

        return products
    turned, upright = b.swapaxes(1, 2), a.transpose(0, 2, 3, 1)

    def summed() -> None:
        np.add(out, np.matmul(turned, upright).sum(1), out)

    return summed


def _take(i: Instruction, tile: Tile, target: Any, calls: list[Callable[[], Any]]) -> Callable[[], Any]:
    index, table = i.operands
    k = index if isinstance(index, float) else _view(tile, index, i.phase == BODY, calls)
    slots = table.index
    base = tile.u if table.buffer == U else tile.v
    count = len(slots)
    rows = np.arange(count)

    if i.phase != BODY:

        def one() -> None:
            target[:] = base[slots[rows, np.asarray(k).astype(np.int64)]]

        return one
    across = np.arange(tile.width)

    def many() -> None:
        chosen = np.broadcast_to(np.asarray(k), (count, tile.width)).astype(np.int64)
        found = slots[rows[:, None], chosen]
        target[:] = base[found] if table.buffer == U else base[found, across]

    return many


class NumpyRunner:
    """Runs a recording on arrays.

    Args:
        trace: its inputs are the arguments; output 0 is what `gradient` differentiates.
    """

    name = "numpy"
    tile: type[Tile] = Tile
    native_rows: frozenset[str] = NATIVE
    lowered: Lowering = LOWERED

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._plans: dict[tuple[str, bool], Plan] = {}
        self._tiles: dict[tuple[str, bool, int], Any] = {}
        self._lock = threading.RLock()

    def source(self) -> str:
        """The array instructions: of the values, of the gradient over rows, of the gradient of one row."""
        return "\n".join([f"# values\n{self.plan('values', False)}", f"# gradient\n{self.plan('gradient', False)}"])

    def plan(self, kind: str, single: bool) -> Plan:
        """The plan for "values", "gradient" or "exact" (the gradient with the zero rule), for many rows or one."""
        plan = self._plans.get((kind, single))
        if plan is None:
            with uncollected():
                tape = self.native_rows, self.lowered, kind == "exact"
                made = Vectors(self.trace, single, tape) if kind == "values" else Gradient(self.trace, single, tape)
                plan = self._plans[kind, single] = made.plan
        return plan

    def _tile(self, kind: str, single: bool, width: int) -> Any:
        tile = self._tiles.get((kind, single, width))
        if tile is None:
            if len(self._tiles) > 8:
                self._tiles.clear()
            plan = self.plan(kind, single)
            shared = next((t.u for (k, s, _), t in self._tiles.items() if (k, s) == (kind, single)), None)
            with uncollected():
                tile = self._tiles[kind, single, width] = self.tile(plan, width, shared)
        return tile

    def _width(self, plan: Plan, count: int) -> int:
        """How many rows at a time."""
        limit = max(64, _BYTES // (8 * max(1, plan.batched)))
        return min(count, -(-count // -(-count // limit)))

    def values(self, parameters: Sequence[float], rows: Rows) -> Any:
        """The outputs for each row: (rows, outputs)."""
        blocks = rows.arrays(np)
        results = np.empty((rows.count, len(self.trace.outputs)))
        with self._lock, np.errstate(all="ignore"):
            if rows.count == 1:
                return self._single("values", parameters, blocks)[None]
            plan = self.plan("values", False)
            width = self._width(plan, rows.count)
            for start in range(0, rows.count, width):
                stop = min(start + width, rows.count)
                tile = self._tile("values", False, stop - start)
                if start == 0:
                    tile.u[plan.parameters] = parameters
                    _run(tile.pre)
                _load(tile, blocks, start, stop)
                _run(tile.body)
                for j, output in enumerate(plan.outputs):
                    if isinstance(output, float):
                        results[start:stop, j] = output
                    else:
                        buffer, slot = output
                        results[start:stop, j] = tile.u[slot] if buffer == U else tile.v[slot]
        return results

    def gradient(self, parameters: Sequence[float], rows: Rows) -> tuple[float, Any]:
        """The mean of output 0 over the rows and the mean of its gradients with respect to the parameters."""
        with self._lock, np.errstate(all="ignore"):
            found = self._gradient("gradient", parameters, rows)
            if found[0] != found[0] or any_nan(found[1]):
                found = self._gradient("exact", parameters, rows)
        return found

    def _gradient(self, kind: str, parameters: Sequence[float], rows: Rows) -> tuple[float, Any]:
        blocks = rows.arrays(np)
        if rows.count == 1:
            found = self._single(kind, parameters, blocks)
        else:
            plan = self.plan(kind, False)
            found = _outputs(plan, self._sums(kind, plan, parameters, blocks, rows.count))
        return float(found[0]), found[1:]

    def _single(self, kind: str, parameters: Sequence[float], blocks: list[Any]) -> Any:
        """The outputs for one row."""
        plan = self.plan(kind, True)
        tile = self._tile(kind, True, 1)
        tile.u[plan.parameters] = parameters
        tile.u[plan.inputs] = np.concatenate([b[0] for b in blocks]) if len(blocks) != 1 else blocks[0][0]
        _run(tile.pre)
        return _outputs(plan, tile.u)

    def _sums(self, kind: str, plan: Plan, parameters: Sequence[float], blocks: list[Any], count: int) -> Any:
        """Run all rows, and what depends on the means over them; U, which holds the results."""
        width = self._width(plan, count)
        sums = _sums_of(plan)
        for start in range(0, count, width):
            stop = min(start + width, count)
            tile = self._tile(kind, False, stop - start)
            if start == 0:
                tile.u[plan.parameters] = parameters
                tile.u[sums] = 0.0
                _run(tile.pre)
            _load(tile, blocks, start, stop)
            _run(tile.body)
        tile.u[sums] *= 1.0 / count
        _run(tile.post)
        return tile.u


def _sums_of(plan: Plan) -> Any:
    """The slots of U that gather sums over the rows: one range, because reductions are one phase."""
    reductions = [i for i in plan.instructions if i.phase == REDUCE]
    if not reductions:
        return slice(0, 0)
    return slice(min(i.start for i in reductions), max(i.start + i.count for i in reductions))


def _outputs(plan: Plan, u: Any) -> Any:
    """All outputs as a vector, if all are shared."""
    where = plan.where
    if where is None:
        slots = np.array([-1 if isinstance(o, float) else o[1] for o in plan.outputs], np.int64)
        fixed = np.array([o if isinstance(o, float) else 0.0 for o in plan.outputs])
        where = plan.where = (slots, fixed, bool((slots < 0).any()))
    slots, fixed, some = where
    found = u[slots] if len(u) else fixed
    if some:
        found = np.where(slots < 0, fixed, found)
    return found


def any_nan(x: Any) -> bool:
    """Whether a vector holds a nan: the place of the minimum is that of the first nan."""
    return len(x) > 0 and bool((least := x[x.argmin()]) != least)


def _load(tile: Any, blocks: list[Any], start: int, stop: int) -> None:
    at = 0
    for block in blocks:
        width = block.shape[1]
        tile.v[at : at + width] = block[start:stop].T
        at += width


def _run(calls: list[Callable[[], Any]]) -> None:
    for call in calls:
        call()
