"""Which part of the program made a node: `group("attention")`, or the functions that ran. Nothing is drawn here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from types import FrameType
from typing import Any

from .modes import inspecting

__all__ = ["Place", "call_in_places", "group", "place_of"]

_PACKAGE = __name__.partition(".")[0]
_NAMELESS = ("__call__", "forward")  # methods that their class names


class Place:
    """One run of a part of the program: its name, and the run that it was part of."""

    __slots__ = ("name", "parent")

    def __init__(self, name: str, parent: Place | None) -> None:
        self.name, self.parent = name, parent

    def __str__(self) -> str:
        return self.name if self.parent is None else f"{self.parent} › {self.name}"


_now: ContextVar[Place | None] = ContextVar("place", default=None)


class _Keeper:
    """What the engine reports to: every new node is told where it is made."""

    def created(self, _: Any) -> Place | None:
        return _now.get()

    def swept(self, *_: Any) -> None:
        """Sweeps are no business of it."""

    overflowed = swept


_KEEPER = _Keeper()


class group(ContextDecorator):  # noqa: N801  (used as a statement)
    """`with mg.group("attention"):` what is computed within it is one part of the graph, and pictures draw it so.

    A large picture shows a part as one card; parts of one name that do the same share it, with their number (×4);
    within a page a click opens it. Groups may hold groups. A function can be one, too: `@mg.group("attention")`.
    Within a group each operation takes about twice as long; `mg.draw(f, x)` sees the functions that f calls
    without any.

    Args:
        name: what the part is called.

    Raises:
        TypeError: name is no text. ValueError: it is empty.

    Example:
        >>> import microgradlike as mg
        >>> x = mg.Value(2, label="x")
        >>> with mg.group("square"):
        ...     y = x * x
        >>> str(y.origin)
        'square'
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"group takes a name, such as group('attention'), not {type(name).__name__}: {name!r:.60}")
        if not name.strip():
            raise ValueError("group takes a name, such as group('attention'); this one is empty")
        self.name = name
        self._open: list[Any] = []

    def _recreate_cm(self) -> group:
        return group(self.name)

    def __enter__(self) -> None:
        mode = inspecting(_KEEPER)
        mode.__enter__()
        self._open.append((mode, _now.set(Place(self.name, _now.get()))))

    def __exit__(self, *problem: Any) -> None:
        mode, before = self._open.pop()
        _now.reset(before)
        mode.__exit__(*problem)


def place_of(v: Any) -> Place | None:
    """Where a Value was made, if that was noted."""
    origin = v.origin
    return origin if type(origin) is Place else None


def call_in_places(function: Callable[..., Any], *arguments: Any) -> Any:
    """function(*arguments), every node with its place: the user's functions that were running.

    Code of this package, comprehensions and lambdas are no places of their own. Where a profiler runs already,
    only groups are seen.
    """
    if sys.getprofile() is not None:
        return function(*arguments)
    stack: list[Place | None] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event not in ("call", "return") or frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
            return
        if event == "return":
            if stack:
                _now.set(stack.pop())
            return
        stack.append(_now.get())
        name = frame.f_code.co_name
        if name in _NAMELESS:
            name = type(frame.f_locals.get("self", note)).__name__
        if not name.startswith("<"):
            _now.set(Place(name, _now.get()))

    before = _now.set(_now.get())
    try:
        with inspecting(_KEEPER):
            sys.setprofile(note)
            try:
                return function(*arguments)
            finally:
                sys.setprofile(None)
    finally:
        _now.reset(before)
