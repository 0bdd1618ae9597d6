"""Training: the parameters of an optimiser as one vector, while compiled gradients and its rule run."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Sequence
from typing import Any

from ..graph.engine import Value
from ..graph.engine import compiled as native_engine
from .compiled import Compiled, _data, _fields, find_llvm, find_numpy

__all__ = ["Training"]


class Training:
    """Steps of an optimiser over compiled functions, without touching the Values in between.

    Within the context the numbers live in vectors; on leaving it (also by an error), or by `sync()`, parameters and
    the optimiser's state are written back, all at once. One recording for each shape of the arguments serves, and
    several compiled functions may take turns.

    Args:
        optimizer: any of `microgradlike.optim`; its parameters are those that move.

    Example:
        >>> import microgradlike as mg
        >>> from microgradlike import optim
        >>> w = mg.Value(0.0)
        >>> step = mg.compile(lambda x, y: (w * x - y) ** 2)
        >>> with Training(optim.GradientDescent([w], learning_rate=0.2)) as training:
        ...     losses = [training.step(step, [1.0, 2.0], [2.0, 4.0]) for _ in range(20)]
        >>> round(w.data, 6)
        2.0
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.parameters: list[Value] = optimizer.parameters
        self._index = {v: i for i, v in enumerate(self.parameters)}
        self._arrays = find_numpy() is not None
        self._theta: Any = self._vector(_data(self.parameters))
        self._native: _NativeSteps | None = None
        self._maps: dict[int, tuple[Compiled, tuple[int, Any, bool, Any]]] = {}
        if self._arrays and find_llvm() is not None:
            self._native = _NativeSteps.of(self)

    def __enter__(self) -> Training:
        return self

    def __exit__(self, *error: Any) -> None:
        self.sync()

    def _vector(self, numbers: Sequence[float]) -> Any:
        if not self._arrays:
            return list(numbers)
        import numpy as np

        return np.array(numbers, dtype=float)

    def step(self, compiled: Compiled, *arguments: Any) -> float:
        """One step of the optimiser along the gradient of the mean over these rows; returns that mean."""
        if self._native is not None:
            done = self._native.step(compiled, arguments)
            if done is not None:
                return done
        value, gradient = self.gradient(compiled, *arguments)
        if self._native is not None:
            self._native.pull()
        self._theta = self.optimizer.update(self._theta, gradient)
        if self._native is not None:
            self._native.push()
        return value

    def gradient(self, compiled: Compiled, *arguments: Any) -> tuple[float, Any]:
        """(mean over the rows, its gradient in the order of the optimiser's parameters), at the current numbers."""
        theta = self._theta if self._native is None else self._native.theta
        if not compiled._index:
            compiled.gradient(None, *arguments)  # the first call records, and shows what the parameters are
        count, moved, kept, places = self._map(compiled)
        if self._arrays:
            numbers = theta[places] if not kept else self._vector(_data(compiled.parameters))
            if kept:
                numbers[moved] = theta[places]
        else:
            numbers = _data(compiled.parameters)
            for j, k in zip(moved, places, strict=True):
                numbers[j] = theta[k]
        value, found = compiled.gradient(numbers, *arguments)
        if len(compiled._index) != count:  # another branch, with more parameters
            return self.gradient(compiled, *arguments)
        gradient = self._vector([0.0] * len(self.parameters))
        if self._arrays:
            gradient[places] = self._vector(found)[moved]
        else:
            for j, k in zip(moved, places, strict=True):
                gradient[k] = found[j]
        return value, gradient

    def _map(self, compiled: Compiled) -> tuple[int, Any, bool, Any]:
        """(how many parameters the function has, which of them move, whether some do not, their places)."""
        entry = self._maps.get(id(compiled))
        if entry is None or entry[1][0] != len(compiled._index):
            where = [self._index.get(v, -1) for v in compiled.parameters]
            moved: Any = [j for j, k in enumerate(where) if k >= 0]
            places: Any = [k for k in where if k >= 0]
            if self._arrays:
                import numpy as np

                moved, places = np.array(moved, np.int64), np.array(places, np.int64)
            entry = self._maps[id(compiled)] = (compiled, (len(where), moved, len(moved) < len(where), places))
        return entry[1]

    def sync(self) -> None:
        """Write the numbers back to the Values, and the state to the optimiser."""
        if self._native is not None:
            self._native.pull()
        numbers = self._theta.tolist() if self._arrays else [float(x) for x in self._theta]
        if native_engine:
            for v, x in zip(self.parameters, numbers, strict=True):
                v.data = x
        else:
            deque(map(_fields.data.fset, self.parameters, numbers), maxlen=0)


class _NativeSteps:
    """Native code does it all: parameters in, sweep, rule. Results go to other vectors, taken over if all is finite."""

    def __init__(self, training: Training, address: int, coefficients: int) -> None:
        import numpy as np

        self.np = np
        self.training = training
        self.address = address
        count = len(training.parameters)
        names = list(training.optimizer.state)
        self.names = names
        self.vectors = [np.zeros((1 + len(names), count)) for _ in range(2)]
        self.now = 0
        self.coefficients = np.zeros(max(1, coefficients))
        self.flag = np.zeros(8)
        self.flag_at = int(self.flag.ctypes.data)
        self.codes: dict[int, Any] = {}
        self.push()

    @staticmethod
    def of(training: Training) -> _NativeSteps | None:
        """The native steps of this optimiser, if its rule can be native."""
        from .llvm_engine import engine
        from .llvm_update import rule_program, update_text

        optimizer = training.optimizer
        try:
            c = optimizer.coefficients(optimizer.steps + 1, optimizer.current_learning_rate)
            program = rule_program(optimizer, len(c))
        except (TypeError, AttributeError):
            return None
        if program is None:
            return None
        import hashlib

        text = update_text("update", program, len(optimizer.state))
        name = "update." + hashlib.sha256(text.encode()).hexdigest()[:24]
        address = engine().function(update_text(name, program, len(optimizer.state)), name, True)
        return _NativeSteps(training, address, len(c))

    @property
    def theta(self) -> Any:
        return self.vectors[self.now][0]

    def push(self) -> None:
        """Numbers from the training and the optimiser into the vectors."""
        vectors = self.vectors[self.now]
        vectors[0] = self.training._theta
        for row, name in zip(vectors[1:], self.names, strict=True):
            row[:] = self.training.optimizer.state[name]
        self.vectors[1 - self.now][1:] = vectors[1:]  # native code does not write what stays as it is

    def pull(self) -> None:
        """And back."""
        vectors = self.vectors[self.now]
        self.training._theta = vectors[0].copy()
        state = self.training.optimizer.state
        for row, name in zip(vectors[1:], self.names, strict=True):
            state[name] = row.copy()

    def step(self, compiled: Compiled, arguments: tuple[Any, ...]) -> float | None:
        """One step; None if this call needs the general way (several branches, another backend, nan)."""
        backend = compiled._options["backend"]
        if backend not in ("auto", "llvm"):
            return None
        rows = compiled._rows(arguments, {})
        parts = compiled._split(rows)
        if len(parts) != 1 or not parts[0][0].scalar:
            return None
        recording = parts[0][0]
        runner = compiled._runner(recording, "llvm")
        optimizer = self.training.optimizer
        c = optimizer.coefficients(optimizer.steps + 1, optimizer._schedule(optimizer.steps))
        with runner._lock:
            native = runner.native("gradient", rows.count == 1)
            code = self.codes.get(id(native))
            if code is None:
                code = self.codes[id(native)] = _Code(self, recording, native)
            self.coefficients[: len(c)] = c
            u = native.u
            if code.others is not None:
                u[code.others] = _data(code.fixed)
            if code.whole is not None:
                u[code.inputs] = (
                    rows.blocks[0][0]
                    if len(rows.blocks) == 1
                    else self.np.concatenate([block[0] for block in rows.arrays(self.np)])
                )
                native.run(code.whole[self.now], code.length, native.u_at, 0, self.flag_at, 1)
            else:
                self._in_parts(native, code, rows, runner)
            output = native.plan.outputs[0]
            value = output if isinstance(output, float) else u.item(output[1])
        if value != value or self.flag[0] != 0.0:
            return None
        self.now = 1 - self.now
        optimizer.steps += 1
        return value

    def _in_parts(self, native: Any, code: _Code, rows: Any, runner: Any) -> None:
        """Parameters, sweep and rule by themselves: where there are many rows, or NumPy computes in between."""
        native.run(code.load[self.now], 1, native.u_at, 0, 0, 1)
        arrays = rows.arrays(self.np)
        if rows.count == 1:
            native.u[code.inputs] = self.np.concatenate([a[0] for a in arrays])
            native.shared_part(native.pre)
        else:
            native.shared_part(native.pre)
            runner._reduce(native, arrays, rows.count)
            native.shared_part(native.post)
        native.run(code.update[self.now], 1, native.u_at, 0, self.flag_at, 1)


class _Code:
    """For one native program: parameters into its buffer, and the rule on its gradients; for either set of vectors."""

    def __init__(self, steps: _NativeSteps, recording: Any, native: Any) -> None:
        np = steps.np
        from .llvm_engine import engine

        index = steps.training._index
        plan = native.plan
        slots = plan.parameters
        where = [index.get(v, -1) for v in recording.parameters]
        moved = [j for j, k in enumerate(where) if k >= 0]
        kept = [j for j, k in enumerate(where) if k < 0]
        self.native = native
        self.others = slots[kept] if kept else None
        self.fixed = [recording.parameters[j] for j in kept]
        self.targets = np.ascontiguousarray(slots[moved])
        self.sources = np.array([where[j] for j in moved], np.int64)
        self.keep: list[Any] = []
        scatter = engine().kernels(["scatter"], True)["scatter"]
        zero = native.zero_slot
        table = np.full(len(steps.training.parameters), zero, np.int64)
        constant: list[int] = []
        for j, output in zip(range(len(where)), plan.outputs[1:], strict=True):
            if where[j] >= 0:
                if isinstance(output, float):
                    if output != 0.0:
                        constant.append(j)
                else:
                    table[where[j]] = output[1]
        if constant:
            for j in constant:
                table[where[j]] = native.constant_slot(plan.outputs[1 + j])
        self.table = table
        self.load, self.update = [], []
        for now in range(2):
            old, new = steps.vectors[now], steps.vectors[1 - now]
            d = [len(self.targets), self.targets.ctypes.data, old[0].ctypes.data, self.sources.ctypes.data]
            self.load.append(self._code(scatter, d))
            states = range(1, 1 + len(steps.names))
            d = [len(table), old[0].ctypes.data, new[0].ctypes.data, table.ctypes.data, steps.coefficients.ctypes.data]
            d += [old[s].ctypes.data for s in states] + [new[s].ctypes.data for s in states]
            self.update.append(self._code(steps.address, d))
        self.inputs = _range(plan.inputs)
        self.whole: list[int] | None = None
        self.length = 0
        if plan.single and all(isinstance(part, tuple) for part in native.pre):
            calls = [[*self._pair(at), *self._pairs(native.pre), *self._pair(then)]
                     for at, then in zip(self.load, self.update, strict=True)]  # fmt: skip
            self.length = len(calls[0]) // 2
            codes = [(ctypes.c_int64 * len(c))(*c) for c in calls]
            self.keep += codes
            self.whole = [ctypes.addressof(code) for code in codes]

    @staticmethod
    def _pair(address: int) -> list[int]:
        return list((ctypes.c_int64 * 2).from_address(address))

    @staticmethod
    def _pairs(segments: list[Any]) -> list[int]:
        return [x for address, n in segments for x in (ctypes.c_int64 * (2 * n)).from_address(address)]

    def _code(self, address: int, fields: list[int]) -> int:
        d = (ctypes.c_int64 * len(fields))(*fields)
        code = (ctypes.c_int64 * 2)(address, ctypes.addressof(d))
        self.keep += [d, code]
        return ctypes.addressof(code)


def _range(slots: Any) -> Any:
    """Slots as a slice, where they are neighbours: quicker to assign to."""
    first, count = (int(slots[0]), len(slots)) if len(slots) else (0, 0)
    return slice(first, first + count) if (slots == range(first, first + count)).all() else slots
