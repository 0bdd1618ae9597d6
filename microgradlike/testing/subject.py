"""The function that check_gradients looks at: calling it with fresh Values, and whether it is a function of them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..floats.reading import number
from ..graph.engine import Value, topological_order
from ..graph.trees import flatten
from .judges import Recording


class Subject:
    """f and the point: calls f with fresh Values, and sees to it that f is a function of them."""

    def __init__(self, f: Callable[..., Any], inputs: tuple[Any, ...], name: str) -> None:
        self.f, self.name = f, name
        leaves, self.build = flatten(inputs)
        self.arguments = _argument_names(f, len(inputs))
        self.names = [name for tree, label in zip(inputs, self.arguments, strict=True) for name in _names(tree, label)]
        self.numbers = []
        self.labels = []
        for label, x in zip(self.names, leaves, strict=True):
            try:
                data = x.data if isinstance(x, Value) else number(x)
            except TypeError as error:
                raise TypeError(
                    f"input {label} {error}; or fix it with a lambda: check_gradients(lambda x: f(x, ...), ...)"
                ) from None
            if not math.isfinite(data):
                raise ValueError(f"input {label} is {data!r}: gradients are checked at finite inputs")
            self.numbers.append(data)
            self.labels.append(x.label if isinstance(x, Value) else None)
        if not self.numbers:
            raise ValueError("inputs hold no number")
        self.outputs: list[str] = []

    def point(self) -> str:
        shown = [f"{n} = {x!r}" for n, x in zip(self.names[:8], self.numbers[:8], strict=True)]
        return ", ".join(shown + ["…"] * (len(self.names) > 8))

    def call(self, numbers: Sequence[float]) -> tuple[list[Value], list[Any]]:
        """Fresh leaves and what f returns for them, flat."""
        inputs = [Value(x, label) for x, label in zip(numbers, self.labels, strict=True)]
        arguments = self.build(list(inputs))
        results, _ = flatten(self.f(*arguments))
        for label, x, before in zip(self.names, inputs, numbers, strict=True):
            if x.data != before:
                raise ValueError(
                    f"f changes its inputs: the data of {label} was {before!r} and is {x.data!r} after the call"
                )
            if x.grad != 0.0:
                raise ValueError(f"f changes its inputs: it leaves grad {x.grad!r} in {label} (it calls backward())")
        for name, argument, before in zip(self.arguments, arguments, self.build(list(inputs)), strict=True):
            found, expected = flatten(argument)[0], flatten(before)[0]
            if len(found) != len(expected) or any(x is not y for x, y in zip(found, expected, strict=True)):
                raise ValueError(
                    f"f changes its inputs: {name} holds something else after the call, {found!r:.80} instead of "
                    f"{expected!r:.80}; let f work on a copy"
                )
        return inputs, results

    def recorded(self) -> Recording:
        inputs, results = self.call(self.numbers)
        outputs = [y for y in results if isinstance(y, Value)]
        if not outputs:
            kinds = ", ".join(sorted({type(y).__name__ for y in results})) or "nothing"
            raise TypeError(
                f"f returns no Value but {kinds}: its computation is not recorded. It must compute with the Values "
                "it is given (mg.exp(x), not math.exp(x.data)) and return the result itself, not its data"
            )
        first = _signature(inputs, outputs)  # before the second call, which may change what both have captured
        again = self.call(self.numbers)
        second = _signature(again[0], [y for y in again[1] if isinstance(y, Value)])
        if first != second:
            difference = next(((a, b) for a, b in zip(first, second, strict=False) if a != b), ("more", "fewer steps"))
            raise ValueError(
                "f depends on chance, or on something that changes between calls: two calls at the same inputs "
                f"computed {difference[0]} and {difference[1]}; draw random numbers outside, and pass them as inputs"
            )
        for y in outputs:
            if not math.isfinite(y.data):
                raise ValueError(f"f is {y.data!r} at {self.point()}: choose a point where it is finite")
        several = len(outputs) > 1
        self.outputs = [f"{self.name}[{k}]" if several else self.name for k in range(len(outputs))]
        return Recording(outputs, inputs)

    def along(self, direction: Sequence[float], k: int) -> Callable[[float], float]:
        """Output k of f itself as a function of the distance along a direction."""

        def g(t: float) -> float:
            _, results = self.call([x + t * d for x, d in zip(self.numbers, direction, strict=True)])
            ys = [y for y in results if isinstance(y, Value)]
            return ys[k].data if k < len(ys) else math.nan

        return g


def _signature(inputs: list[Value], outputs: list[Value]) -> list[str]:
    """The computation as text, to compare two of them."""
    index: dict[Value, str] = {x: f"input {k}" for k, x in enumerate(inputs)}
    steps = []
    for k, v in enumerate(topological_order(outputs)):
        if v in index:
            continue
        if v.op is None:
            index[v] = repr(v.data)
        else:
            operands = ", ".join(repr(x) if type(x) is float else index[x] for x in v.args)
            steps.append(f"{v.op.name}({operands})")
            index[v] = f"step {k}"
    return [*steps, *(index[y] for y in outputs)]


def _argument_names(f: Any, count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in plain]
    return (names + [f"x{k}" for k in range(len(names), count)])[:count]


def _names(tree: Any, name: str) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, x in tree.items():
            yield from _names(x, f"{name}[{key!r}]")
    elif isinstance(tree, (list, tuple)):
        for k, x in enumerate(tree):
            yield from _names(x, f"{name}[{k}]")
    elif hasattr(tree, "__array__") and getattr(tree, "shape", None):
        yield from (f"{name}[{k}]" for k in range(math.prod(tree.shape)))
    else:
        yield tree.label if isinstance(tree, Value) and tree.label else name
