"""What code that computes with numbers of Values says where it may run within a recording, which is run for others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .engine import Value, observer

__all__ = ["decided", "inputs_of", "is_input", "open_inputs", "plain", "require"]


def require(
    wrong: Callable[..., Any], error: Callable[..., Exception], *xs: Any, always: bool = False, eager: bool = False
) -> None:
    """Raise error(*xs) if wrong(*xs). A recording asks at every call; of a Value, numbers are asked only there.

    Args:
        wrong: of numbers, written with operators that arrays have too (`|`, `<` …).
        error: the exception for such numbers.
        xs: Values and numbers.
        always: also if they depend on parameters, not only on the arguments.
        eager: also if they are Values and nothing is recorded.
    """
    if any(isinstance(x, Value) for x in xs):
        if (listener := observer()) is not None:
            listener.required(wrong, error, xs, always)
            return
        if not eager:
            return
        xs = tuple([x.data if isinstance(x, Value) else x for x in xs])
    if wrong(*xs):
        raise error(*xs)


def decided(left: Any, relation: str, right: Any, outcome: bool) -> bool:
    """The outcome of a comparison that Python branches on; a recording holds where it is the same."""
    if (listener := observer()) is not None:
        listener.branched(left, relation, right, outcome)
    return outcome


def plain(x: Any) -> Any:
    """The number of a Value, for code that goes on without its graph; a recording holds where it is the same."""
    if not isinstance(x, Value):
        return x
    if (listener := observer()) is not None:
        listener.exactly(x, x.data)
    return x.data


# ── inputs of what runs: a copy of one is still the input ───────────────────────────────────────
class _Open(threading.local):
    """The inputs of the transforms and recordings that are calling their functions right now, outermost first."""

    def __init__(self) -> None:
        self.frames: list[Sequence[Value]] = []


_open = _Open()


@contextmanager
def open_inputs(inputs: Sequence[Value]) -> Iterator[None]:
    """Within it, these are inputs."""
    _open.frames.append(inputs)
    try:
        yield
    finally:
        _open.frames.pop()


def inputs_of() -> list[Sequence[Value]]:
    """The inputs of all that run, outermost first."""
    return _open.frames


def is_input(v: Value) -> bool:
    """Whether v is an input of what runs."""
    return any(v is x for frame in _open.frames for x in frame)
