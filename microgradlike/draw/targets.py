"""What users give to draw, live and step_through, read: which Values to draw, which of the options were meant."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from ..graph.engine import Value
from ..graph.groups import call_in_places

THEMES = ("light", "dark", "auto")
DIRECTIONS = ("LR", "TB")


def known(name: str, given: object, choices: Sequence[str]) -> None:
    """Raise ValueError unless it is one of the choices."""
    if given not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {given!r}")


def roots_of(target: Any, inputs: Sequence[Any] = ()) -> list[Value]:
    """The Values to draw; see `draw` for what target may be."""
    takes = "a Value, a list of Values, or a function or module and example inputs: draw(model, [1.0, 2.0])"
    if callable(target) and not isinstance(target, Value):
        if not inputs and not takes_nothing(target):
            raise TypeError(f"draw takes {takes}; {type(target).__name__} came without inputs")
        named = getattr(target, "graph", None)  # a module of nn.py names what it records
        target = named(*inputs) if callable(named) else call_in_places(target, *_as_values(target, inputs))
    elif inputs:
        raise TypeError(f"draw takes {takes}; {len(inputs)} inputs were given with a {type(target).__name__}")
    roots: list[Value] = []
    stack = [target]
    while stack:
        item = stack.pop()
        if isinstance(item, Value):
            roots.append(item)
        elif isinstance(item, (list, tuple)):
            stack.extend(reversed(item))
        elif isinstance(item, Mapping):
            stack.extend(reversed(list(item.values())))
        else:
            raise TypeError(f"draw takes {takes}; not {type(item).__name__}: {item!r:.60}")
    if not roots:
        raise TypeError(f"draw takes {takes}; the {type(target).__name__} is empty")
    return roots


def takes_nothing(function: Any) -> bool:
    """Whether `function` can be called without arguments."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


def takes_list(function: Any, inputs: Any) -> bool:
    """Whether `function` wants these inputs as one list, as a module does, rather than one by one."""
    if not isinstance(inputs, (list, tuple)) or callable(getattr(function, "graph", None)):
        return True
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in places if p.default is p.empty]
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters) and not needed
    return not (several or len(needed) > 1 or (len(needed) == 1 == len(inputs)))


def _as_values(function: Any, inputs: Sequence[Any]) -> list[Any]:
    """Numbers among the inputs as Values named after the arguments of `function`."""
    try:
        parameters = [
            p
            for p in inspect.signature(function).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        names = [p.name for p in parameters]
    except (TypeError, ValueError):
        names = []
    names += [f"x{i}" for i in range(len(names), len(inputs))]

    def convert(x: Any, name: str) -> Any:
        if hasattr(x, "tolist") or hasattr(x, "to_list"):  # arrays and scalars of NumPy, series
            x = x.tolist() if hasattr(x, "tolist") else x.to_list()
        if isinstance(x, (list, tuple)):
            return type(x)(convert(y, f"{name}[{i}]") for i, y in enumerate(x))
        if isinstance(x, (int, float)) and not isinstance(x, bool):
            return Value(x, label=name)
        return x

    return [convert(x, name) for x, name in zip(inputs, names, strict=False)]
