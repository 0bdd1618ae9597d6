"""Ways to run that hold within a `with`: no_grad, and what transforms, anomaly detection and recordings enter.

value.py asks what is open; nothing here computes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ContextDecorator, contextmanager, nullcontext
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from .engine import is_recording, observe, open_modes, opened


class _Mode(ContextDecorator):
    """A way to run that holds from enter to exit, in this thread and task.

    What is open is a tuple in a ContextVar, so each task has its own; whoever leaves takes out only its own entry, so
    blocks need not nest.
    """

    def __init__(self, kind: str, mode: Any) -> None:
        self.kind, self.mode, self.thread = kind, mode, 0

    def _recreate_cm(self) -> _Mode:  # one for each call of a function that is decorated
        return _Mode(self.kind, self.mode)

    def __enter__(self) -> None:
        self.thread = threading.get_ident()
        opened(1)
        open_modes.set((*open_modes.get(), self))

    def __exit__(self, *_error: object) -> None:
        open_modes.set(tuple([mode for mode in open_modes.get() if mode is not self]))
        opened(-1)


def no_grad(function: Any = None) -> Any:
    """Within `with no_grad():` (or a function decorated `@no_grad`), results are plain leaves: nothing is recorded.

    It holds for the thread and the task (asyncio) that enters it. A generator that is suspended within it leaves it on
    for its caller, so let none yield there. `grad` and the other transforms still differentiate their function within
    it; the derivatives are numbers or plain leaves then.

    Example:
        >>> import microgradlike as mg
        >>> x = mg.Value(3)
        >>> with mg.no_grad():
        ...     y = x * x
        >>> y.data, y.is_leaf
        (9.0, True)
    """
    if function is not None and not callable(function):
        raise TypeError(f"no_grad() decorates a function or stands in a with statement; it takes no {function!r}")
    mode = _Mode("recording", False)
    if iscoroutinefunction(function):  # to call it makes a coroutine; what counts is when that runs

        @wraps(function)
        async def without_graph(*args: Any, **named: Any) -> Any:
            with _Mode("recording", False):
                return await function(*args, **named)

        return without_graph
    return mode if function is None else mode(function)


def recording_again() -> Any:
    """Within it this thread records, also within no_grad(): what a transform does for its own function."""
    return nullcontext() if is_recording() else _Mode("recording", True)  # what is open slows every operation down


def inspecting(inspector: Any) -> Any:
    """Within it, `inspector.created(node)` sees each new node of this thread (and returns its origin), and
    `inspector.swept(node, g, contributions)` each step of a sweep, `inspector.overflowed(node, operand, g)` a sum of
    gradients that is not finite; all may raise. See anomaly.py."""
    return _Mode("inspector", inspector)


@contextmanager
def recording(observer: Any) -> Iterator[None]:
    """Within it, `observer` hears of all that a recorded graph cannot show.

    `observer.thread` is the thread that records; `branched(left, relation, right, outcome)`: Python branched on a
    Value's data; `compared(v, w)`: two nodes by ==; `data_read(v)`; `grad_read(v)`, also by a sweep; `assigned(v)`:
    the data of a leaf; `created(v)`: a new leaf; `shown(v, number)` answers the number to write as text,
    `hashed(v, number)` the hash. One at a time, which is the caller's business; one that an interrupt left behind
    gives way.
    """
    try:
        try:
            observe(observer)
            yield
        finally:
            observe(None)
    finally:
        observe(None)  # again: the line before can be interrupted, too
