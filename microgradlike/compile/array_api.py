"""The program as a plain function in another library: JAX, PyTorch or NumPy (`step.to("jax")`).

The vectoriser's instructions are written with gathers, elementwise operations, sums and matrix products; the library
differentiates, compiles, batches and shards them with its own means.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from ..program import Program
from .differentiate import forward_program
from .vectorise import Instruction, Plan, vectorise

__all__ = ["exported"]

_INSTALL = {"jax": "jax", "torch": "torch", "numpy": "numpy"}


def exported(step: Any, library: str) -> Callable[..., Any]:
    """`f(theta, *arguments)`, the result for one example in arrays of this library."""
    m = _namespace(library)
    recording = step.recording
    if recording.guards:
        raise TypeError(
            f"{step.__name__} branches in Python on a Value, which an exported function cannot repeat: write mg.where"
        )
    program = recording.program
    results = recording.results
    program = Program(program.inputs, program.rows, program.args, program.outputs[:results], program.names)
    lowered = forward_program(program, m.native)
    plan = vectorise(lowered, 0, True)
    # With no batched inputs, inputs of the program count as parameters of the plan: arguments first, then parameters.
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
        from .numpy_functions import NATIVE

        self.native = NATIVE

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

    def _rest(self, x: Any) -> Any:
        top = x.max(1)
        e = self.xp.exp(x - top[:, None])
        first = self.xp.arange(x.shape[1])[None, :] == x.argmax(1)[:, None]
        return self.xp.where(first, self.xp.zeros_like(e), e).sum(1)


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

    def _rest(self, x: Any) -> Any:
        e = self.xp.exp(x - x.amax(1)[:, None])
        first = self.xp.arange(x.shape[1])[None, :] == x.argmax(1)[:, None]
        return self.xp.where(first, self.xp.zeros_like(e), e).sum(1)

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
    if library not in _INSTALL:
        raise ValueError(f"library must be one of {', '.join(map(repr, _INSTALL))}, not {library!r}")
    from importlib.util import find_spec

    for needed in ("numpy", library):
        if find_spec(needed) is None:
            raise ImportError(f"step.to({library!r}) needs {needed}, which is not installed: pip install {needed}")
    return {"jax": _Jax, "torch": _Torch, "numpy": _Numpy}[library]()
