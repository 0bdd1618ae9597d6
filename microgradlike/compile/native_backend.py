"""Backend `native`: the array instructions of a plan as integers, for `microgradlike._native`, which runs them.

An instruction is a list of integers: a kernel (by its place in `_native.kernels`), then its fields, which the kernel's
comment in native/runtime.c or products.c names. Where operands lie is a start and steps, or a place in one table of
slots. What no kernel knows (a user's own function without a formula, say) runs on NumPy, the whole program of it.
"""

from __future__ import annotations

import importlib
import os
import struct
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from ..graph.program import Trace
from ..ops import TABLE
from .inputs import Rows
from .lowering import LOWERED
from .numpy_backend import NumpyRunner
from .numpy_functions import NATIVE
from .plan import BODY, POST, PRE, REDUCE, Instruction, Plan, U, V
from .recording import uncollected

_native: Any = importlib.import_module(f"{__package__.partition('.')[0]}._native")  # compiled, so without types

__all__ = ["NativeRunner"]

_REDUCTIONS = ("sum", "top", "rest", "prod", "norm")  # as runtime.c has them
_CHUNK, _CONSTANT, _LINES = 256, 1 << 30, 64  # of runtime.c: numbers gathered at a time, no step; doubles of spare room
_TILE = 20_000  # numbers of V at a time: a sixth of the second-level cache; an instruction and tile takes 10 ns
# Nanoseconds for one number of a row, roughly: a product and its sum, an elementwise operation, one that is a series.
_MAC, _CHEAP, _DEAR = 0.04, 0.3, 1.5
_WORTH_A_THREAD = 300_000.0  # nanoseconds: what module.c cuts into parts
_AGAIN = 24  # of so many calls, one tries the way that was slower
_QUICK = frozenset("add subtract multiply divide negative positive square abs where maximum minimum relu sign".split())


class _MissingError(Exception):
    """There is no kernel for an instruction."""


class Code:
    """The instructions of a plan as integers.

    Attributes:
        machine: what runs them.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lanes: int = _native.lanes
        self.width = _tile_width(plan)
        self.tables: list[Any] = [np.zeros(1, np.int32)]
        self.places = 1  # in the table; place 0 says that there is none
        self.shared = plan.shared + _LINES  # packed matrices and constants lie behind what the plan has
        self.constants: dict[str, int] = {}
        self.partial = 0
        self.scratch = 8 * _CHUNK
        self.macs = 0.0
        self.numbers = 0.0
        steps: dict[int, list[list[int]]] = {PRE: [], BODY: [], REDUCE: [], POST: []}
        self.packs: list[list[int]] = []
        self.folds: list[list[int]] = []
        self.ends = _ends(plan)
        merged: dict[int, Any] = {id(end): None for ends in self.ends.values() for end in ends.values()}
        slopes = _slopes(plan)
        merged |= dict.fromkeys(map(id, slopes.values()))
        for i in plan.instructions:
            ends = self.ends.get(id(i))
            if ends is not None:  # where its first end stands: what that needs is there by then
                merged[id(ends.get("bias") or ends["gate"])] = i
            elif id(i) in slopes:
                steps[i.phase].append(self._with_slope(i, slopes[id(i)]))
            elif id(i) not in merged:
                steps[i.phase].append(self._lowered(i))
            elif merged[id(i)] is not None:
                steps[i.phase].append(self._lowered(merged[id(i)]))
        parts = [steps[PRE] + self.packs, steps[BODY] + steps[REDUCE], self.folds + steps[POST]]
        self.machine = self._machine(parts)

    def _machine(self, parts: list[list[list[int]]]) -> Any:
        plan = self.plan
        steps = [step for part in parts for step in part]
        slots, numbers = plan.constants
        outputs = np.array([(0, 0) if isinstance(o, float) else (1 + o[0], o[1]) for o in plan.outputs], np.int32)
        fixed = np.array([o if isinstance(o, float) else 0.0 for o in plan.outputs])
        inputs = plan.inputs if plan.single else np.arange(len(plan.inputs))
        self.cost = _MAC * self.macs + self.numbers
        return _native.Machine(
            np.array([x for step in steps for x in step], np.int64),
            np.cumsum([0, *map(len, steps)], dtype=np.int64)[:-1].copy(),
            np.array([len(part) for part in parts], np.int64),
            np.concatenate(self.tables),
            np.array([*slots, *self.constants.values()], np.int32),
            np.array([*numbers, *map(float.fromhex, self.constants)], float),
            _runs(plan.parameters),
            np.array(inputs, np.int32),
            outputs,
            fixed,
            np.array(
                [self.shared + _LINES, plan.batched + 1, self.partial + _LINES, self.scratch, self.width, plan.single],
                np.int64,
            ),
            self.cost,
        )

    # ── operands ────────────────────────────────────────────────────────────────────────────────
    def _table(self, index: Any) -> int:
        table = np.ascontiguousarray(index, np.int32).ravel()
        self.tables.append(table)
        start = self.places
        self.places += len(table)
        return start

    def _where(self, x: Any, axes: int) -> list[int]:
        """[table or 0, start, steps …]"""
        where = (x.slot, *[0] * axes) if x.slot is not None else x.strides()
        if where is not None and len(where) == axes + 1:
            return [0, *where]
        return [self._table(x.index), *[0] * (axes + 1)]

    def _operand(self, x: Any) -> list[int]:
        """[kind, start or bits, step, table or 0]"""
        if isinstance(x, float):
            return [0, _bits(x), 0, 0]
        table, start, step = self._where(x, 1)
        return [1 if x.buffer == V else 2, start, step, table]

    def _needs(self, scratch: int) -> None:
        self.scratch = max(self.scratch, scratch + _LINES)

    def _whole(self, n: int) -> int:
        return -(-n // self.lanes) * self.lanes

    # ── instructions ────────────────────────────────────────────────────────────────────────────
    def _lowered(self, i: Instruction) -> list[int]:
        if i.name == "dot":
            return self._dot(i)
        if i.name == "rowdot":
            return self._rowdot(i)
        if i.name == "rowsum":
            return self._rowsum(i)
        if i.name in _REDUCTIONS:
            return self._reduction(i)
        if i.name == "take":
            return self._take(i)
        operation = _OPERATIONS.get(i.name)
        if operation is None:
            raise _MissingError(i.name)
        if i.phase == BODY:
            self.numbers += i.count * (_CHEAP if i.name in _QUICK or i.name.startswith("where") else _DEAR)
            return self._rows(i, operation)
        if i.count == 1:  # one number: one call, its constants in slots of their own
            slots = [self._constant(x) if isinstance(x, float) else int(self._first(x)) for x in i.operands]
            return [_KERNELS["single"], operation, i.start, *slots]
        return self._stretches(i, operation) or self._numbers(i, operation)

    @staticmethod
    def _first(x: Any) -> Any:
        return x.slot if x.slot is not None else x.index.flat[0]

    def _constant(self, x: float) -> int:
        key = x.hex()
        slot = self.constants.get(key)
        if slot is None:
            slot = self.constants[key] = self.shared
            self.shared += 1
        return slot

    def _rows(self, i: Instruction, operation: int) -> list[int]:
        operands = [self._operand(x) for x in i.operands]
        flat = all(
            kind == 0 or (not table and (step == (kind == 1) or i.count == 1)) for kind, _, step, table in operands
        )
        fields = [operation, i.count, i.start, len(operands), int(flat)]
        return [_KERNELS["rows"], *fields, *[x for o in operands for x in o]]

    def _with_slope(self, i: Instruction, j: Instruction) -> list[int]:
        """A row and its slope, of the same operand: they share an exponential. Whichever of the two comes first."""
        value, slope = (i, j) if (i.name, j.name) in _WITH_SLOPE else (j, i)
        self.numbers += i.count * 2 * _DEAR
        operand = self._operand(i.operands[0])
        flat = i.count == 1 or (operand[2] == 1 and not operand[3])
        fields = [_WITH_SLOPE[value.name, slope.name], i.count, value.start, slope.start, int(flat)]
        return [_KERNELS["with_slope"], *fields, *operand]

    def _numbers(self, i: Instruction, operation: int) -> list[int]:
        operands = [self._operand(x) for x in i.operands]
        gathered = any(table or step not in (0, 1) for _, _, step, table in operands)
        fields = [operation, i.count, i.start, len(operands), int(gathered)]
        return [_KERNELS["numbers"], *fields, *[x for o in operands for x in o]]

    def _stretches(self, i: Instruction, operation: int) -> list[int]:
        """Runs in which each operand has one step, if there are gathers and the runs are long; else nothing."""
        gathers = [x for x in i.operands if not isinstance(x, float) and x.strides() is None]
        if not gathers:
            return []
        indices = [None if isinstance(x, float) else np.broadcast_to(x.index, (i.count,)) for x in i.operands]
        steps = np.stack([np.diff(x) for x in indices if x is not None])
        breaks = np.flatnonzero(~(steps[:, 1:] == steps[:, :-1]).all(0)) + 2  # here a new run may begin
        starts = [0]
        for b in breaks.tolist():
            if b - starts[-1] >= 2:
                starts.append(b)
            if len(starts) > i.count // 16:
                return []
        table: list[int] = []
        for start, stop in zip(starts, [*starts[1:], i.count], strict=True):
            table.append(stop - start)
            for x in indices:
                if x is None:
                    table += [0, _CONSTANT]
                else:
                    table += [int(x[start]), int(x[start + 1] - x[start]) if stop - start > 1 else 0]
        constants = [_bits(x) if isinstance(x, float) else 0 for x in i.operands]
        fields = [operation, len(starts), i.start, len(indices), self._table(np.array(table))]
        return [_KERNELS["runs"], *fields, *constants]

    def _reduction(self, i: Instruction) -> list[int]:
        x = i.operands[0]
        n, k = x.index.shape
        table, *where = self._where(x, 2)
        which = _REDUCTIONS.index(i.name)
        if i.phase == BODY:
            if x.buffer == U:
                raise _MissingError("a reduction of shared numbers for each row")
            self.numbers += n * k * _CHEAP * (3 if which > 1 else 1)
            self._needs(k)
            return [_KERNELS["reduce_rows"], which, n, k, i.start, *where, table]
        if table and n > 1 and (np.diff(x.index, axis=0) == 1).all():  # neighbours: each after the one before
            table, where = self._table(x.index[0]), [0, 1, 0]
        self._needs(k + max(1, min(n, _CHUNK)) * k)
        return [_KERNELS["reduce"], which, n, k, i.start, *where, table]

    def _take(self, i: Instruction) -> list[int]:
        index, items = i.operands
        n, k = items.index.shape
        table, *where = self._where(items, 2)
        kind = 1 if items.buffer == V else 2
        return [_KERNELS["take"], n, k, int(i.phase == BODY), i.start, *self._operand(index), kind, *where, table]

    def _dot(self, i: Instruction) -> list[int]:
        a, b = i.operands
        blocks, rows, k = a.index.shape
        columns = b.index.shape[1]
        left, right = self._where(a, 3), self._where(b, 3)
        if i.phase == BODY:
            self.macs += blocks * rows * columns * k
            if a.buffer == V:
                return [_KERNELS["pairs"], blocks, rows, columns, k, *left, *right, i.start]
            return self._product(i, [blocks, rows, k], columns, left, right)
        fields = [blocks, rows, columns, k, *left, *right, i.start]
        direct = not left[0] and left[3] == 1
        vectors = not left[0] and not right[0] and left[4] == right[4] == 1
        if rows == 1 or (columns == 1 and not direct) or (columns == 2 and vectors) or (rows < 4 and columns < 4):
            return [_KERNELS["dots"], *fields]
        self._needs(rows + self._whole(rows) * k + columns * k + 8 * self.lanes)
        return [_KERNELS["matrix"], *fields]

    def _product(self, i: Instruction, size: list[int], columns: int, left: list[int], right: list[int]) -> list[int]:
        """Shared matrices × rows: packed once, before the rows. The sum with biases, a relu or its gate go along."""
        blocks, rows, k = size
        packed = self.shared
        self.shared += blocks * rows * k + _LINES
        self.packs.append([_KERNELS["pack"], *size, *left, packed])
        self._needs(k)
        ends = self.ends.get(id(i), {})
        first = ends.get("bias") or ends.get("gate") or i
        bias = ends["bias"].operands[_BIAS].strides()[0] if "bias" in ends else -1
        gate = ends["gate"].operands[0].strides()[0] if "gate" in ends else -1
        relu = ends["relu"].start - first.start if "relu" in ends else 0
        return [_KERNELS["product"], *size, columns, packed, *right, first.start, bias, gate, relu]

    def _rowdot(self, i: Instruction) -> list[int]:
        a, b = i.operands
        blocks, rows, k = a.index.shape
        columns = b.index.shape[1]
        self.macs += blocks * rows * columns * k
        few = min(rows, columns) <= 2 or rows * columns < 16
        if few:
            turned = rows >= columns
        else:  # lanes along the side that fills vectors better
            turned = (self._whole(rows) / rows, -rows) <= (self._whole(columns) / columns, -columns)
        x, y, nx, ny = (b, a, columns, rows) if turned else (a, b, rows, columns)
        steps = (rows, 1) if turned else (1, rows)
        fields = [blocks, nx, ny, k, *self._where(x, 3), *self._where(y, 3), self.partial]
        self.folds.append([_KERNELS["fold"], int(few), blocks, nx, ny, self.partial, i.start, *steps])
        if few:
            self.partial += i.count * self.lanes
            self._needs(9 * k)
            return [_KERNELS["thin"], *fields]
        self.partial += blocks * nx * self._whole(ny)
        self._needs(self._whole(ny) + (self.width + 8) * self._whole(ny))
        return [_KERNELS["rowdot"], *fields]

    def _rowsum(self, i: Instruction) -> list[int]:
        x = i.operands[0]
        n, k = x.index.shape
        self.numbers += n * k * _CHEAP
        table, start, step, along = self._where(x, 2)
        none = [0, -1, 0, 0, 0]
        fields = [1, 1, n, k, *none, table, start, 0, step, along, self.partial]
        self.folds.append([_KERNELS["fold"], 1, 1, 1, n, self.partial, i.start, 0, 1])
        self.partial += n * self.lanes
        self._needs(9 * k)
        return [_KERNELS["thin"], *fields]


def _slopes(plan: Plan) -> dict[int, Instruction]:
    """Of rows over the batch and their slopes at the same place: for the first of the two, the other."""
    single: dict[Any, Instruction] = {}  # what has no partner yet
    found: dict[int, Instruction] = {}
    for i in plan.instructions:
        if i.phase != BODY or len(i.operands) != 1 or isinstance(i.operands[0], float) or i.operands[0].buffer != V:
            continue
        place = i.operands[0].index.tobytes()
        for partner in _PARTNERS.get(i.name, ()):
            first = single.pop((partner, place), None)
            if first is not None:
                found[id(first)] = i
                break
        else:
            single[i.name, place] = i
    return found


_BIAS = 1  # which operand of the addition is the bias: the shared one comes second


def _ends(plan: Plan) -> dict[int, dict[str, Instruction]]:
    """For products of a shared matrix: the addition of biases, the relu, the gate of a relu that they take along."""
    if not any(i.name == "dot" and i.phase == BODY for i in plan.instructions):
        return {}
    users: list[list[Any]] = [[] for _ in range(plan.batched)]
    for i in plan.instructions:
        for x in i.operands:
            if not isinstance(x, float) and x.buffer == V:
                for s in set(x.index.ravel().tolist()):
                    users[s].append(i)
    for o in plan.outputs:
        if not isinstance(o, float) and o[0] == V:
            users[o[1]].append(None)

    def whole(x: Any, of: Instruction) -> bool:
        if isinstance(x, float) or x.buffer != V or x.index.size != of.count:
            return False
        return bool((x.index.ravel() == np.arange(of.start, of.start + of.count)).all())

    def regular(x: Any, buffer: int, count: int) -> bool:
        where = None if isinstance(x, float) or x.buffer != buffer else x.strides()
        return where is not None and len(where) == 2 and (where[1] == 1 or count == 1)

    def only(i: Instruction) -> Any:
        found = {id(u): u for s in range(i.start, i.start + i.count) for u in users[s]}
        return next(iter(found.values())) if len(found) == 1 else None

    ends: dict[int, dict[str, Instruction]] = {}
    for i in plan.instructions:
        if i.name != "dot" or i.phase != BODY or i.operands[0].buffer != U:
            continue
        u = only(i)
        if u is None or u.count != i.count or u.phase != BODY:
            continue
        if u.name == "add" and whole(u.operands[0], i) and regular(u.operands[_BIAS], U, u.count):
            ends[id(i)] = {"bias": u}
            for s in users[u.start]:
                if s is not None and s.name == "relu" and s.count == u.count and whole(s.operands[0], u):
                    ends[id(i)]["relu"] = s
        elif (
            u.name == "where greater"
            and u.operands[1] == u.operands[3] == 0.0
            and whole(u.operands[2], i)
            and regular(u.operands[0], V, u.count)
        ):
            ends[id(i)] = {"gate": u}
    return ends


def _runs(slots: Any) -> Any:
    """Slots as (start, length) of runs."""
    slots = np.asarray(slots, np.int64)
    new = np.ones(len(slots), bool)
    new[1:] = np.diff(slots) != 1
    starts = np.flatnonzero(new)
    return np.ascontiguousarray(np.stack([slots[starts], np.diff(np.append(starts, len(slots)))], 1), np.int32)


def _tile_width(plan: Plan) -> int:
    """How many rows at a time: an odd number of 24s, for rows a power of two apart share sets of the cache."""
    if not plan.batched:
        return 8
    return min(504, max(72, 24 * (_TILE // plan.batched // 24 | 1)))


def _bits(x: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", x))[0])


_KERNELS: dict[str, int] = {name: k for k, name in enumerate(_native.kernels)}
_OPERATIONS: dict[str, int] = {name.replace("where_", "where "): k for k, name in enumerate(_native.operations)}
_WITH_SLOPE: dict[tuple[str, str], int] = {pair: k for k, pair in enumerate(_native.pairs)}
_PARTNERS: dict[str, list[str]] = {}
for _row, _slope in _WITH_SLOPE:
    _PARTNERS.setdefault(_row, []).append(_slope)
    _PARTNERS.setdefault(_slope, []).append(_row)
# A row that has a loop is one instruction, for the numbers on its way stay in registers; but for these, of which some
# are shorter where an operand is constant, or part of a norm.
_TAKEN_APART = {"pow", "pow_slope", "over_square", "fraction", "cbrt_slope"}
_LOWERED = {name: f for name, f in LOWERED.items() if name not in _OPERATIONS or name in _TAKEN_APART}


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Pace:
    """Whether several threads pay for a program: both ways are timed now and then, the quicker one is taken."""

    def __init__(self) -> None:
        self.times = {False: 0.0, True: 0.0}  # seconds a row, by one thread and by several; 0 if not known
        self.calls = 0

    def several(self) -> bool:
        """Which way to take this time."""
        self.calls += 1
        quicker = self.times[True] < self.times[False]
        return quicker if self.calls % _AGAIN else not quicker

    def took(self, several: bool, time: float) -> None:
        """What a way took; the latest times count most."""
        before = self.times[several]
        self.times[several] = 0.7 * before + 0.3 * time if before else time


class NativeRunner(NumpyRunner):
    """Runs a recording as native code.

    Args:
        trace: its inputs are the arguments; output 0 is what `gradient` differentiates.
        threads: how many threads may share the rows; None: as many as there are processors.
    """

    name = "native"
    native_rows = NATIVE | frozenset(_OPERATIONS) & frozenset(TABLE)
    lowered = _LOWERED

    def __init__(self, trace: Trace, threads: int | None = None) -> None:
        super().__init__(trace)
        self._arrays: NumpyRunner | None = None  # for programs with something that only NumPy knows
        self.threads = threads or _processors()
        self._paces: dict[str, _Pace] | None = {} if threads is None and self.threads > 1 else None
        self._machines: dict[tuple[str, bool], Any] = {}

    def machine(self, kind: str, single: bool) -> Any:
        """What runs a plan, and the number of its outputs; None if it holds an instruction that only NumPy knows."""
        found = self._machines.get((kind, single), self)
        if found is self:
            with self._lock, uncollected():
                plan = self.plan(kind, single)
                try:
                    code = Code(plan)
                    found = code.machine, len(plan.outputs), code.cost
                except _MissingError:
                    found = None
                self._machines[kind, single] = found
        return found

    def values(self, parameters: Sequence[float], rows: Rows) -> Any:
        """The outputs for each row: (rows, outputs)."""
        found = self.machine("values", rows.count == 1)
        if found is None:
            return self._on_arrays().values(parameters, rows)
        machine, outputs, cost = found
        results = np.empty((rows.count, outputs))
        self._run("values", machine.values, cost, parameters, rows, results)
        return results

    def gradient(self, parameters: Sequence[float], rows: Rows) -> tuple[float, Any]:
        """The mean of output 0 over the rows and the mean of its gradients with respect to the parameters."""
        single = rows.count == 1
        for kind in ("gradient", "exact"):
            found = self.machine(kind, single)
            if found is None:
                return self._on_arrays().gradient(parameters, rows)
            machine, outputs, cost = found
            results = np.empty(outputs)
            if not self._run(kind, machine.gradient, cost, parameters, rows, results):
                break
        return float(results[0]), results[1:]

    def _run(self, kind: str, call: Any, cost: float, parameters: Sequence[float], rows: Rows, results: Any) -> Any:
        """On as many threads as were asked for; else on several where these pay. The results are the same."""
        arrays, count = tuple(rows.arrays(np)), rows.count
        if self._paces is None or count * cost < _WORTH_A_THREAD:
            return call(parameters, arrays, count, self.threads, results)
        pace = self._paces.setdefault(kind, _Pace())
        several = pace.several()
        began = perf_counter()
        found = call(parameters, arrays, count, self.threads if several else 1, results)
        pace.took(several, (perf_counter() - began) / count)
        return found

    def _on_arrays(self) -> NumpyRunner:
        if self._arrays is None:
            self._arrays = NumpyRunner(self.trace)
        return self._arrays
