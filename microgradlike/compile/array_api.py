"""The program as a function of JAX, PyTorch, NumPy or any Array API namespace: `step.to("jax")`, `step.to(xp)`.

The vectoriser's instructions are written with gathers, elementwise operations, sums and matrix products; the library
differentiates, compiles, batches and shards them with its own means.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ..graph.installed import installed
from ..ops import TABLE
from .lowering import PLAIN
from .plan import Instruction, Plan
from .vectorise import Vectors

__all__ = ["exported"]

_INSTALL = {"jax": "jax", "torch": "torch", "numpy": "numpy"}
# Operations that have a formula, and are better left to the library.
_BETTER = {
    "sqrt", "cbrt", "square", "reciprocal", "hypot", "maximum", "minimum", "relu", "sign", "log2", "log10", "norm",
    "defined", "add", "subtract", "multiply", "negative", "positive", "remainder", "top", "rest",
}  # fmt: skip


def exported(step: Any, library: str) -> Callable[..., Any]:
    """`f(theta, *arguments)`, the result for one example in arrays of this library."""
    m = _namespace(library)
    recording = step.recording
    if recording.outcomes:
        raise TypeError(
            f"{step.__name__} branches in Python on a Value, which an exported function cannot repeat: write mg.where"
        )
    plan = Vectors(recording.trace, True, (m.native, PLAIN, True)).plan
    plan.parameters = np.concatenate([plan.inputs, plan.parameters])
    steps = _steps(plan, m)
    inputs, scalar = recording.inputs, recording.scalar
    structure = step

    def function(theta: Any, *arguments: Any) -> Any:
        theta = m.array(theta)
        numbers = m.numbers(arguments)
        if numbers.shape[0] != inputs:
            raise ValueError(f"{structure.__name__} was recorded for {inputs} numbers, not {numbers.shape[0]}")
        u = m.start(plan, m.joined([numbers, theta]))
        for run in steps:
            u = run(u)
        outputs = m.stack([u[o[1]] if not isinstance(o, float) else m.array(o) for o in plan.outputs])
        return outputs[0] if scalar else outputs

    function.__name__ = f"{step.__name__}_{library if isinstance(library, str) else 'array'}"
    function.__doc__ = f"{step.__name__}(theta, *arguments) for one example, exported by microgradlike."
    return function


def _steps(plan: Plan, m: Any) -> list[Callable[[Any], Any]]:
    return [_step(i, m) for i in plan.instructions]


def _step(i: Instruction, m: Any) -> Callable[[Any], Any]:
    gathers = [x if isinstance(x, float) else m.gather(x.index) for x in i.operands]
    start, stop = i.start, i.start + i.count

    def run(u: Any) -> Any:
        x = [g if isinstance(g, float) else g(u) for g in gathers]
        if i.name == "dot":
            result = m.dot(x[0], x[1])
        elif i.name == "take":
            result = m.chosen(x[0], x[1])
        else:
            result = m.operation(i.name)(*x)
        return m.put(u, start, stop, result)

    return run


class _Library:
    """What the three libraries have in common: the operations by name, on module `xp`."""

    names: ClassVar[dict[str, str]] = {
        "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh",
        "acosh": "arccosh", "atanh": "arctanh", "pow": "power", "round": "rint", "abs": "abs",
    }  # fmt: skip

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        known = (name for name, row in TABLE.items() if row.formula is None or name in _BETTER)
        self.native = frozenset(known) - {"logsumexp"}

    def operation(self, name: str) -> Callable[..., Any]:
        own = getattr(self, "_" + name.replace(" ", "_"), None)
        if own is not None:
            return own  # type: ignore[no-any-return]
        if name.startswith("where "):
            test = self.operation(name[6:])
            return lambda a, b, x, y: self.xp.where(test(a, b) != 0, self.array(x), self.array(y))
        function = getattr(self.xp, self.names.get(name, name), None) or getattr(self.xp, name)
        return lambda *xs: function(*[self.array(x) for x in xs])

    def array(self, x: Any) -> Any:
        return self.xp.asarray(x)

    def joined(self, parts: list[Any]) -> Any:
        return self.xp.concatenate(parts)

    def stack(self, parts: list[Any]) -> Any:
        return self.xp.stack(parts)

    def numbers(self, arguments: Any) -> Any:
        """All numbers of the arguments in one vector."""
        leaves: list[Any] = []
        for x in arguments:
            _leaves(x, leaves)
        parts = [self.xp.reshape(self.array(x), (-1,)) for x in leaves]
        return self.joined(parts) if parts else self.xp.zeros(0)

    def dot(self, a: Any, b: Any) -> Any:
        return self.xp.matmul(b, self.xp.swapaxes(a, 1, 2)).reshape(-1)

    def _positive(self, x: Any) -> Any:
        return self.array(x)

    def _reciprocal(self, x: Any) -> Any:
        return 1.0 / x

    def _relu(self, x: Any) -> Any:
        return self.xp.where(x > 0, x, self.xp.where(x == x, self.xp.zeros_like(x), x))

    def _where(self, c: Any, x: Any, y: Any) -> Any:
        return self.xp.where(self.array(c) != 0, self.array(x), self.array(y))

    def _defined(self, test: Any, x: Any) -> Any:
        return self.xp.where(self.array(test) == self.array(test), self.array(x), self.array(math.nan))

    def _sum(self, x: Any) -> Any:
        return x.sum(1)

    def _prod(self, x: Any) -> Any:
        return x.prod(1)

    def _norm(self, x: Any) -> Any:
        return self.xp.sqrt((x * x).sum(1))

    def _top(self, x: Any) -> Any:
        return x.max(1)

    def _weight(self, x: Any, top: Any) -> Any:
        return self.xp.exp(self.array(x) - self.array(top))

    def _rest(self, w: Any) -> Any:
        first = self.xp.arange(w.shape[1])[None, :] == w.argmax(1)[:, None]
        return self.xp.where(first, self.xp.zeros_like(w), w).sum(1)


class _Jax(_Library):
    def __init__(self) -> None:
        import jax
        import jax.numpy as jnp

        super().__init__(jnp)
        self.special = jax.scipy.special
        self._stop = jax.lax.stop_gradient

    def gather(self, index: Any) -> Callable[[Any], Any]:
        return lambda u: u[index]

    def put(self, u: Any, start: int, stop: int, x: Any) -> Any:
        return u.at[start:stop].set(x)

    def start(self, plan: Plan, numbers: Any) -> Any:
        u = self.xp.zeros(plan.shared, numbers.dtype).at[plan.parameters].set(numbers)
        slots, fixed = plan.constants
        return u.at[slots].set(self.xp.asarray(fixed, numbers.dtype))

    def chosen(self, k: Any, table: Any) -> Any:
        rows = self.xp.arange(table.shape[0])
        return table[rows, self.array(k).astype(int)]

    def _erf(self, x: Any) -> Any:
        return self.special.erf(x)

    def _erfc(self, x: Any) -> Any:
        return self.special.erfc(x)


class _Numpy(_Library):
    def __init__(self) -> None:
        import numpy as np

        super().__init__(np)

    def gather(self, index: Any) -> Callable[[Any], Any]:
        return lambda u: u[index]

    def put(self, u: Any, start: int, stop: int, x: Any) -> Any:
        u[start:stop] = x
        return u

    def start(self, plan: Plan, numbers: Any) -> Any:
        u = self.xp.zeros(plan.shared, numbers.dtype)
        u[plan.parameters] = numbers
        u[plan.constants[0]] = plan.constants[1]
        return u

    def chosen(self, k: Any, table: Any) -> Any:
        return table[self.xp.arange(len(table)), self.array(k).astype(int)]

    def _erf(self, x: Any) -> Any:
        return self.xp.vectorize(math.erf, otypes=[float])(x)

    def _erfc(self, x: Any) -> Any:
        return self.xp.vectorize(math.erfc, otypes=[float])(x)


class _Standard(_Library):
    """What the array API standard promises (2022.12, data-apis.org/array-api), and nothing else."""

    names: ClassVar[dict[str, str]] = {}

    def __init__(self, xp: Any) -> None:
        super().__init__(xp)
        self.native -= {"cbrt", "hypot"}

    def operation(self, name: str) -> Callable[..., Any]:
        try:
            return super().operation(name)
        except AttributeError:
            raise TypeError(
                f"{self.xp.__name__} has no {name}, which this program needs: export to jax or torch"
            ) from None

    def array(self, x: Any) -> Any:
        own = getattr(x, "__array_namespace__", None)
        if own is not None and own() is self.xp:
            return x
        return self.xp.asarray(x.tolist() if hasattr(x, "tolist") else x, dtype=self.xp.float64)

    def joined(self, parts: list[Any]) -> Any:
        return self.xp.concat(parts)

    def gather(self, index: Any) -> Callable[[Any], Any]:
        where, shape = self.xp.asarray(index.ravel().tolist(), dtype=self.xp.int64), index.shape
        return lambda u: self.xp.reshape(self.xp.take(u, where, axis=0), shape)

    def put(self, u: Any, start: int, stop: int, x: Any) -> Any:
        return self.joined([u[:start], self.xp.broadcast_to(self.array(x), (stop - start,)), u[stop:]])

    def start(self, plan: Plan, numbers: Any) -> Any:
        slots, fixed = plan.constants
        all_of_it = self.joined([numbers, self.xp.asarray([*fixed.tolist(), 0.0], dtype=numbers.dtype)])
        place = [all_of_it.shape[0] - 1] * plan.shared
        for i, slot in enumerate([*plan.parameters.tolist(), *slots.tolist()]):
            place[slot] = i
        return self.xp.take(all_of_it, self.xp.asarray(place, dtype=self.xp.int64), axis=0)

    def dot(self, a: Any, b: Any) -> Any:
        return self.xp.reshape(self.xp.matmul(b, self.xp.matrix_transpose(a)), (-1,))

    def chosen(self, k: Any, table: Any) -> Any:
        xp = self.xp
        rows, columns = table.shape
        which = xp.astype(self.array(k), xp.int64)
        which = xp.where(which < 0, which + columns, which)
        return xp.take(xp.reshape(table, (-1,)), xp.arange(rows) * columns + which, axis=0)

    def _sum(self, x: Any) -> Any:
        return self.xp.sum(x, axis=1)

    def _prod(self, x: Any) -> Any:
        return self.xp.prod(x, axis=1)

    def _norm(self, x: Any) -> Any:
        return self.xp.sqrt(self.xp.sum(x * x, axis=1))

    def _top(self, x: Any) -> Any:
        return self.xp.max(x, axis=1)

    def _rest(self, w: Any) -> Any:
        xp = self.xp
        first = xp.arange(w.shape[1])[None, :] == xp.argmax(w, axis=1, keepdims=True)
        return xp.sum(xp.where(first, xp.zeros_like(w), w), axis=1)

    def _maximum(self, x: Any, y: Any) -> Any:
        x, y = self.array(x), self.array(y)
        return self.xp.where(x >= y, x, self.xp.where(x == x, y, x))

    def _minimum(self, x: Any, y: Any) -> Any:
        x, y = self.array(x), self.array(y)
        return self.xp.where(x <= y, x, self.xp.where(x == x, y, x))

    def _test(self, found: Any) -> Any:
        return self.xp.astype(found, self.xp.float64)

    def _less(self, a: Any, b: Any) -> Any:
        return self._test(self.array(a) < self.array(b))

    def _less_equal(self, a: Any, b: Any) -> Any:
        return self._test(self.array(a) <= self.array(b))

    def _greater(self, a: Any, b: Any) -> Any:
        return self._test(self.array(a) > self.array(b))

    def _greater_equal(self, a: Any, b: Any) -> Any:
        return self._test(self.array(a) >= self.array(b))

    def _equal(self, a: Any, b: Any) -> Any:
        return self._test(self.array(a) == self.array(b))

    def _not_equal(self, a: Any, b: Any) -> Any:
        return self._test(self.array(a) != self.array(b))


class _Torch(_Library):
    names: ClassVar[dict[str, str]] = {"round": "round", "abs": "abs"}

    def __init__(self) -> None:
        import torch

        super().__init__(torch)

    def array(self, x: Any) -> Any:
        return x if isinstance(x, self.xp.Tensor) else self.xp.as_tensor(x, dtype=self.xp.float64)

    def gather(self, index: Any) -> Callable[[Any], Any]:
        where = self.xp.as_tensor(index)
        return lambda u: u[where]

    def put(self, u: Any, start: int, stop: int, x: Any) -> Any:
        return self.xp.cat([u[:start], self.xp.broadcast_to(self.array(x), (stop - start,)), u[stop:]])

    def start(self, plan: Plan, numbers: Any) -> Any:
        torch = self.xp
        u = torch.zeros(plan.shared, dtype=numbers.dtype)
        u = u.index_put((torch.as_tensor(plan.parameters),), numbers)
        slots, fixed = plan.constants
        return u.index_put((torch.as_tensor(slots),), torch.as_tensor(fixed, dtype=numbers.dtype)) if len(slots) else u

    def chosen(self, k: Any, table: Any) -> Any:
        return table[self.xp.arange(len(table)), self.array(k).to(self.xp.int64)]

    def _top(self, x: Any) -> Any:
        return x.amax(1)

    def _cbrt(self, x: Any) -> Any:
        return self.xp.sign(x) * self.xp.abs(x) ** (1.0 / 3.0)

    def _less(self, a: Any, b: Any) -> Any:
        return (self.array(a) < self.array(b)).to(self.xp.float64)

    def _less_equal(self, a: Any, b: Any) -> Any:
        return (self.array(a) <= self.array(b)).to(self.xp.float64)

    def _greater(self, a: Any, b: Any) -> Any:
        return (self.array(a) > self.array(b)).to(self.xp.float64)

    def _greater_equal(self, a: Any, b: Any) -> Any:
        return (self.array(a) >= self.array(b)).to(self.xp.float64)

    def _equal(self, a: Any, b: Any) -> Any:
        return (self.array(a) == self.array(b)).to(self.xp.float64)

    def _not_equal(self, a: Any, b: Any) -> Any:
        return (self.array(a) != self.array(b)).to(self.xp.float64)


def _leaves(x: Any, leaves: list[Any]) -> None:
    """The arrays in nested arguments, in the order in which they were recorded."""
    if isinstance(x, dict):
        for v in x.values():
            _leaves(v, leaves)
    elif isinstance(x, (list, tuple)):
        for v in x:
            _leaves(v, leaves)
    else:
        leaves.append(x)


def _namespace(library: Any) -> Any:
    if isinstance(library, ModuleType):
        root = library.__name__.partition(".")[0]
        if root not in _INSTALL:
            if not hasattr(library, "__array_api_version__"):
                raise TypeError(
                    f"library must be an Array API namespace (array_api_strict, say), not {library.__name__}"
                )
            return _Standard(library)
        library = root
    if not isinstance(library, str) or library not in _INSTALL:
        names = ", ".join(map(repr, _INSTALL))
        raise ValueError(f"library must be one of {names}, or the module of an Array API namespace, not {library!r}")
    for needed in ("numpy", library):
        if not installed(needed):
            raise ImportError(f"step.to({library!r}) needs {needed}, which is not installed: pip install {needed}")
    return {"jax": _Jax, "torch": _Torch, "numpy": _Numpy}[library]()
