"""Backend `llvm`: the array instructions of a plan as native kernels, rows in tiles, on two threads if they pay.

What no kernel knows (a user's own function without a formula, say) NumPy computes in between, on the same buffers.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..graph.program import Trace
from .inputs import Rows
from .llvm_chains import Member, chains
from .llvm_engine import engine, prototypes
from .llvm_operations import REGISTERS
from .llvm_text import LANES
from .numpy_backend import NumpyRunner, Tile, _calls, _outputs, _sums_of, any_nan
from .plan import BODY, POST, PRE, REDUCE, Instruction, Operand, Plan, U, V
from .recording import uncollected

__all__ = ["LlvmRunner", "Native"]

_CACHE_BYTES = 30_720  # of rows that meet in one product: they should stay in the first-level cache
_MOST_CHAINS = 16  # kinds of chains in one program: each is compiled, which takes some milliseconds
_THREAD_WORK = 150_000  # slots × rows from which a second thread pays


class Native:
    """The instructions of a plan as native code for rows in tiles of `width`, and the buffers it runs on."""

    def __init__(self, plan: Plan, width: int, cache: bool) -> None:
        self.plan = plan
        self.width = width
        self.shared = plan.shared
        self.keep: list[Any] = []
        sums = _sums_of(plan)
        self.first_sum, self.sum_count = sums.start, sums.stop - sums.start
        steps: dict[int, list[Any]] = {PRE: [], BODY: [], REDUCE: [], POST: []}
        self._packs: list[Any] = []
        for i in plan.instructions:
            if i.phase != BODY:
                steps[i.phase] += self._lowered(i)
        steps[BODY] = self._body()
        steps[PRE] += self._packs
        if self.sum_count:
            self._fold = ("fold", [self.sum_count, 0, self.first_sum])
        names = [s[0] for part in steps.values() for s in part if isinstance(s, tuple)] + ["fold"]
        self.names = set(names)
        addresses = engine().kernels(names, cache)
        self.run, self.tiles = prototypes(addresses)
        self.zero_slot = self.shared
        self._spare = self.shared + 1  # slots for constants that are gradients
        self.u = np.zeros(self.shared + 64)
        slots, numbers = plan.constants
        self.u[slots] = numbers
        self.u_at = _address(self.u)
        self.workers = [self._worker()]
        self._scratch = Tile.__new__(Tile)
        tile = self._scratch
        tile.plan, tile.width, tile.u, tile.v = plan, width, self.u, self.workers[0][0]
        self.pre = self._segments(steps[PRE], addresses)
        self.body = self._segments(steps[BODY] + steps[REDUCE], addresses)
        self.post = self._segments(steps[POST], addresses)
        self.fold = self._segments([self._fold], addresses)[0] if self.sum_count else None
        self.native = len(self.body) == 1 and not callable(self.body[0])

    def constant_slot(self, x: float) -> int:
        """A slot of U that holds this number."""
        held = self.u[self.zero_slot : self._spare]
        found = np.flatnonzero(held == x)
        if len(found):
            return self.zero_slot + int(found[0])
        if self._spare == len(self.u):
            raise OverflowError("more than 63 different constant gradients")
        self.u[self._spare] = x
        self._spare += 1
        return self._spare - 1

    def _worker(self) -> tuple[Any, Any, int, int]:
        v, p = np.zeros((self.plan.batched, self.width)), np.zeros((self.sum_count + 1) * LANES)
        return v, p, _address(v), _address(p)

    # ── code ────────────────────────────────────────────────────────────────────────────────────
    def _segments(self, steps: list[Any], addresses: dict[str, int]) -> list[Any]:
        """Runs of native instructions, each one array of (kernel, description), and between them what NumPy does."""
        found: list[Any] = []
        native: list[int] = []  # the kernel's address, and where its description begins
        fields: list[int] = []

        def close() -> None:
            if native:
                descriptions, code = np.array(fields, np.int64), np.array(native, np.int64)
                code[1::2] = descriptions.ctypes.data + 8 * code[1::2]
                self.keep += [descriptions, code]
                found.append((code.ctypes.data, len(native) // 2))
                native.clear()
                fields.clear()

        for step in steps:
            if isinstance(step, tuple):
                native += (addresses[step[0]], len(fields))
                fields += step[1]
            else:
                close()
                found.extend(_calls(step, self._scratch))
        close()
        return found

    def _table(self, index: Any, scale: int = 1) -> int:
        table = np.ascontiguousarray(index, np.int64) * scale
        self.keep.append(table)
        return int(table.ctypes.data)

    def _offsets(self, operand: Operand) -> int:
        return self._table(operand.index, self.width if operand.buffer == V else 1)

    def _lowered(self, i: Instruction) -> list[Any]:
        """One array instruction as calls of kernels; itself, if there is no kernel for it."""
        if i.name == "dot":
            if i.phase == BODY:
                return self._products(i) if i.operands[0].buffer == U else self._pair_rows(i)
            return self._matrices(i)
        if i.name == "rowdot":
            return self._rowdots(i)
        if i.name == "rowsum":
            x = i.operands[0]
            n, k = x.index.shape
            return [("rowsum", [n, k, self._offsets(x), i.start - self.first_sum])]
        if i.name in ("sum", "top", "rest", "prod", "sum_tail", "exact_sum", "settled_logsumexp"):
            return self._reduction(i)
        if i.name == "take":
            return self._take(i)
        if i.name not in REGISTERS:
            return [i]
        return [self._elementwise(i)]

    def _body(self) -> list[Any]:
        """What runs on the rows: chains of elementwise operations as one loop each, where that is possible."""
        steps: list[Any] = []
        kinds: set[str] = set()
        for members in chains(self.plan):
            if len(members) > 1:
                chain, fields = self._chain(members)
                if chain in kinds or len(kinds) < _MOST_CHAINS:
                    kinds.add(chain)
                    head = members[0][0]
                    if head.name == "dot":
                        steps += self._products(head, chain, fields)
                    else:
                        steps.append((f"fused.{chain}", [head.count, self.width, *fields]))
                    continue
            for i, _, _ in members:
                steps += self._lowered(i)
        return steps

    def _chain(self, members: list[Member]) -> tuple[str, list[int]]:
        """The text of a chain, and its fields; see `_Chain` in llvm_kernels.py."""
        texts, fields = [], []
        for i, inner, stored in members:
            if stored:
                fields.append(i.start * self.width)
            kinds = []
            for x, member in zip(i.operands, inner, strict=True):
                if member >= 0:
                    kinds.append(f"m{member}")
                elif isinstance(x, float):
                    kinds.append("c")
                    fields.append(_bits(x))
                else:
                    kinds.append("vu"[x.buffer == U])
                    fields.append(self._offsets(x))
            texts.append(f"{i.name},{'+'.join(kinds)},{'!' * stored}")
        return ";".join(texts), fields

    def _elementwise(self, i: Instruction) -> Any:
        kinds, fields = "", []
        for x in i.operands:
            if isinstance(x, float):
                kinds += "c"
                fields.append(_bits(x))
            elif i.phase == BODY:
                kinds += "vu"[x.buffer == U]
                fields.append(self._offsets(x))
            elif x.slot is not None:
                kinds += "b"
                fields.append(x.slot)
            else:
                where = x.strides()
                step = None if where is None else where[1]
                if where is not None and step == 0:
                    kinds += "b"
                    fields.append(where[0])
                elif where is not None and step == 1:
                    kinds += "s"
                    fields.append(where[0])
                else:
                    kinds += "g"
                    fields.append(self._offsets(x))
        if i.phase == BODY:
            return f"rows.{i.name}.{kinds}", [i.count, i.start * self.width, self.width, *fields]
        return f"shared.{i.name}.{kinds}", [i.count, i.start, *fields]

    def _reduction(self, i: Instruction) -> list[Any]:
        x = i.operands[0]
        n, k = x.index.shape
        if i.phase == BODY:
            if x.buffer == U:
                return [i]
            return [(f"rowsof.{i.name}", [n, k, i.start * self.width, self.width, self._offsets(x)])]
        where = x.strides()
        if where is not None and (where[1] == 1 or n == 1):
            return [(f"sharedof.{i.name}.s", [n, k, i.start, where[0], where[2]])]
        return [(f"sharedof.{i.name}.g", [n, k, i.start, self._offsets(x)])]

    def _take(self, i: Instruction) -> list[Any]:
        index, table = i.operands
        if isinstance(index, float):
            return [i]
        where = "vu"[index.buffer == U] + "vu"[table.buffer == U]
        if i.phase == BODY and where == "uu":
            return [i]
        n, k = table.index.shape
        wide = self.width if i.phase == BODY else 1
        indices = self._table(np.broadcast_to(index.index, (n,)), self.width if index.buffer == V else 1)
        name = ".".join(["take", *where])
        return [(name, [n, k, indices, self._offsets(table), i.start * wide, wide])]

    def _pack(self, index: Any, steps: list[Any]) -> int:
        """Copy numbers of U into a regular order, and say where they are then."""
        start = self.shared
        self.shared += index.size
        steps.append(("shared.positive.g", [index.size, start, self._table(index.ravel())]))
        return start

    def _products(self, i: Instruction, chain: str = "", more: Sequence[int] = ()) -> list[Any]:
        """Shared matrix × batched rows: the matrix is packed once, before the rows."""
        a, b = i.operands
        blocks, rows, k = a.index.shape
        columns = b.index.shape[1]
        found = []
        for n in range(blocks):
            table = self._table(b.index[n], self.width)
            for first, height, groups in _cut(rows, 4):
                part = a.index[n, first : first + height * groups].reshape(groups, height, k).transpose(0, 2, 1)
                start = self._pack(part, self._packs)
                out = (i.start + n * columns * rows + first) * self.width
                fields = [groups, k, columns, start, table, out, self.width, rows * self.width]
                if chain:
                    fields += [n * columns * rows + first, rows, *more]
                found.append((f"product.{height}" + f".{chain}" * bool(chain), fields))
        return found

    def _pair_rows(self, i: Instruction) -> list[Any]:
        a, b = i.operands
        blocks, rows, k = a.index.shape
        columns = b.index.shape[1]
        shape = (blocks, columns, rows, k)
        left = np.broadcast_to(a.index[:, None], shape).reshape(-1, k)
        right = np.broadcast_to(b.index[:, :, None], shape).reshape(-1, k)
        fields = [len(left), k, self._table(left, self.width), self._table(right, self.width)]
        return [("pairs", [*fields, i.start * self.width, self.width])]

    def _rowdots(self, i: Instruction) -> list[Any]:
        """Sums over the rows: blocks of 4 × 2 results at a time stay in registers."""
        a, b = (x.index for x in i.operands)
        blocks, rows, k = a.shape
        columns = b.shape[1]
        across, along = rows, 1
        if rows < columns:
            a, b, rows, columns, across, along = b, a, columns, rows, along, across
        size = i.count // blocks
        found = []
        for n in range(blocks):
            for r, height, row_groups in _cut(rows, 4):
                for c, width, column_groups in _cut(columns, 2):
                    left = self._table(a[n, r : r + height * row_groups], self.width)
                    right = self._table(b[n, c : c + width * column_groups], self.width)
                    out = i.start - self.first_sum + n * size + c * across + r * along
                    fields = [row_groups, column_groups, k, left, right, out, across, along]
                    found.append((f"rowdot.{height}.{width}", fields))
        return found

    def _matrices(self, i: Instruction) -> list[Any]:
        """Matrix products within U."""
        a, b = i.operands
        blocks, rows, k = a.index.shape
        columns = b.index.shape[1]
        steps: list[Any] = []
        where = a.strides()
        direct = where is not None and where[2] == 1
        if (columns == 1 and not direct) or rows == 1:
            shape = (blocks, columns, rows, k)
            left = Operand(U, np.broadcast_to(a.index[:, None], shape).reshape(-1, k))
            right = Operand(U, np.broadcast_to(b.index[:, :, None], shape).reshape(-1, k))
            how, starts, strides = "", [], []
            for side in (left, right):
                regular = side.strides()
                how += "g" if regular is None else "s"
                starts.append(self._offsets(side) if regular is None else regular[0])
                strides += [0, 0] if regular is None else list(regular[1:])
            return [(f"dots.{how}", [i.count, k, *starts, i.start, *strides])]
        if direct:
            assert where is not None
            start, a_block, _, across = where
            along, how = 0, "d"
        else:
            panels = -(-rows // LANES)
            padded = np.minimum(np.arange(panels * LANES), rows - 1)
            index = a.index[:, padded].reshape(blocks, panels, LANES, k).transpose(0, 1, 3, 2)
            start = self._pack(index, steps)
            across, along, a_block, how = LANES, LANES * k, panels * LANES * k, "p"
        for c, width, groups in _cut(columns, 4):
            table = self._table(b.index[:, c : c + width * groups])
            fields = [blocks, groups, rows, k, start, across, along, a_block, table]
            steps.append((f"matrix.{width}.{how}", [*fields, i.start + c * rows, rows, rows * columns]))
        return steps

    # ── running ─────────────────────────────────────────────────────────────────────────────────
    def shared_part(self, segments: list[Any]) -> None:
        """Run a phase that has no rows."""
        for s in segments:
            if isinstance(s, tuple):
                self.run(s[0], s[1], self.u_at, 0, 0, 1)
            else:
                with np.errstate(all="ignore"):
                    s()

    def rows(self, worker: int, blocks: Any, count: int, start: int, stop: int) -> None:
        """Run the rows from start to stop."""
        _, _, v, p = self.workers[worker]
        code, n = self.body[0]
        self.tiles(code, n, self.u_at, v, p, self.width, blocks, count, start, stop)

    def rows_with_python(self, arrays: list[Any], start: int, stop: int) -> int:
        """One tile of rows, where some instructions are NumPy's."""
        v, _, v_at, p_at = self.workers[0]
        size = min(self.width, stop - start)
        at = 0
        for block in arrays:
            v[at : at + block.shape[1], :size] = block[start : start + size].T
            at += block.shape[1]
        for s in self.body:
            if isinstance(s, tuple):
                self.run(s[0], s[1], self.u_at, v_at, p_at, size)
            else:
                s()
        return size


def _cut(count: int, size: int) -> list[tuple[int, int, int]]:
    """`count` things in groups of `size`, and the rest: (first, size of a group, number of groups)."""
    whole = count // size
    parts = [(0, size, whole)] if whole else []
    return parts + ([(whole * size, count - whole * size, 1)] if count % size else [])


def _tile_width(plan: Plan) -> int:
    """How many rows at a time: so many that what a product reads stays in the cache, and its overhead small."""
    meeting = [
        sum(x.index[0].size for x in i.operands if x.buffer == V)
        for i in plan.instructions
        if i.name in ("dot", "rowdot")
    ]
    vectors = min(32, max(3, _CACHE_BYTES // (8 * LANES * max([8, *meeting]))))
    return int(vectors - (vectors % 2 == 0)) * LANES  # an odd number: rows a power of two apart share cache sets


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _address(array: Any) -> int:
    try:  # the fast way, for contiguous arrays that may be written to
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError, BufferError):
        return array.__array_interface__["data"][0]  # type: ignore[no-any-return]


def _bits(x: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", x))[0])


class LlvmRunner(NumpyRunner):
    """Runs a recorded program as native code.

    Args:
        program: inputs are arguments, then parameters; output 0 is what `gradient` differentiates.
        inputs: how many inputs are arguments.
        cache: whether native code is kept on disk.
        threads: how many threads may share the rows; None: two, where there are two processors.
    """

    name = "llvm"

    def __init__(self, trace: Trace, cache: bool = True, threads: int | None = None) -> None:
        super().__init__(trace)
        self.cache = cache
        self.threads = threads or min(2, _processors())
        self._natives: dict[tuple[str, bool], Native] = {}

    def source(self) -> str:
        """The text of the kernels that the program uses."""
        from .llvm_kernels import kernel

        native = self.native("gradient", False)
        names = sorted(native.names)
        return "\n".join([f"; {line}" for line in str(native.plan).splitlines()] + [kernel(n).text() for n in names])

    def native(self, kind: str, single: bool) -> Native:
        """The native code of a plan."""
        found = self._natives.get((kind, single))
        if found is None:
            plan = self.plan(kind, single)
            with uncollected():
                found = self._natives[kind, single] = Native(plan, LANES if single else _tile_width(plan), self.cache)
        return found

    def _start(self, native: Native, parameters: Sequence[float]) -> None:
        native.u[native.plan.parameters] = parameters
        native.shared_part(native.pre)

    def values(self, parameters: Sequence[float], rows: Rows) -> Any:
        """The outputs for each row: (rows, outputs)."""
        arrays = rows.arrays(np)
        results = np.empty((rows.count, len(self.trace.outputs)))
        with self._lock, np.errstate(all="ignore"):
            if rows.count == 1:
                return self._single("values", parameters, arrays)[None]
            native = self.native("values", False)
            self._start(native, parameters)
            outputs = native.plan.outputs
            start = 0
            while start < rows.count:
                size = native.rows_with_python(arrays, start, rows.count)
                for j, output in enumerate(outputs):
                    if isinstance(output, float):
                        results[start : start + size, j] = output
                    else:
                        buffer, slot = output
                        source = native.u[slot] if buffer == U else native.workers[0][0][slot, :size]
                        results[start : start + size, j] = source
                start += size
        return results

    def gradient(self, parameters: Sequence[float], rows: Rows) -> tuple[float, Any]:
        """The mean of output 0 over the rows and the mean of its gradients with respect to the parameters."""
        with self._lock:
            found = self._gradient("gradient", parameters, rows)
            if found[0] != found[0] or any_nan(found[1]):
                found = self._gradient("exact", parameters, rows)
        return found

    def _gradient(self, kind: str, parameters: Sequence[float], rows: Rows) -> tuple[float, Any]:
        arrays = rows.arrays(np)
        if rows.count == 1:
            found = self._single(kind, parameters, arrays)
        else:
            native = self.native(kind, False)
            self._start(native, parameters)
            self._reduce(native, arrays, rows.count)
            native.shared_part(native.post)
            found = _outputs(native.plan, native.u)
        return float(found[0]), found[1:]

    def _single(self, kind: str, parameters: Sequence[float], blocks: list[Any]) -> Any:
        native = self.native(kind, True)
        native.u[native.plan.inputs] = np.concatenate([b[0] for b in blocks]) if len(blocks) != 1 else blocks[0][0]
        self._start(native, parameters)
        return _outputs(native.plan, native.u)

    def _reduce(self, native: Native, arrays: list[Any], count: int) -> None:
        """All rows, and the means over them."""
        if native.native:
            arrays = [a if a.strides[1] == 8 or a.shape[1] == 1 else np.ascontiguousarray(a) for a in arrays]
            blocks, at = [], 0
            for a in arrays:
                blocks += [_address(a), a.shape[1], a.strides[0] // 8, at]
                at += a.shape[1]
            table = (ctypes.c_int64 * len(blocks))(*blocks)
            address = ctypes.addressof(table)
            tiles = -(-count // native.width)
            threads = min(self.threads, tiles, 1 + count * native.plan.batched // _THREAD_WORK)
            while len(native.workers) < threads:
                native.workers.append(native._worker())
            cuts = [tiles * t // threads * native.width for t in range(threads)] + [count]
            for _, p, _, _ in native.workers[:threads]:
                p[:] = 0.0
            futures = [
                _pool().submit(native.rows, t, address, len(arrays), cuts[t], cuts[t + 1]) for t in range(1, threads)
            ]
            native.rows(0, address, len(arrays), cuts[0], cuts[1])
            for future in futures:
                future.result()
            for _, p, _, _ in native.workers[1:threads]:
                native.workers[0][1][:] += p
        else:
            native.workers[0][1][:] = 0.0
            start = 0
            while start < count:
                with np.errstate(all="ignore"):
                    start += native.rows_with_python(arrays, start, count)
        if native.fold is not None:
            scale = ctypes.c_double(1.0 / count)
            code, n = native.fold
            native.run(code, n, native.u_at, ctypes.addressof(scale), native.workers[0][3], 1)


_pools: dict[int, ThreadPoolExecutor] = {}
_pool_lock = threading.Lock()


def _pool() -> ThreadPoolExecutor:
    """The threads of this process (a forked child makes its own)."""
    with _pool_lock:
        pool = _pools.get(os.getpid())
        if pool is None:
            _pools.clear()
            pool = _pools[os.getpid()] = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="microgradlike")
        return pool
