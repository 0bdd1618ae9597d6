"""Backend `interpreter`: a recording as a program of the C interpreter, and as a quick call. Compiled engine only.

What runs is native/calls.pyx, with the eager engine's bits; rows without C (a user's primitives) are called back.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .. import floats
from ..graph.engine import compiled as native_engine
from ..graph.engine import outdated, recorder
from ..ops import COMPARISONS, ROWS
from .recording import Recording, is_recorded
from .tiers import Tier

__all__ = ["EAGER", "Caller", "calls", "program", "quick", "quick_call"]

calls: Any = None  # the extension, if it was built from this table
if native_engine:
    try:
        from .. import _calls as calls  # type: ignore[no-redef]
    except ImportError:  # the plain replay stands in
        calls = None
    if calls is not None and outdated(calls):
        calls = None
if calls is not None:
    lists = {row.number: [name[0] == "*" for name in row.parameters] for row in ROWS if row.arity is None}
    calls.use_indices([(number, each.count(False) + 16 * each.count(True)) for number, each in lists.items()])


_COMPARISONS = [row.name for row in COMPARISONS.values()]  # as calls.pyx numbers them


EAGER = Tier("interpreter", "one example, with the eager engine's bits")


class Caller:
    """Without the extension: every call goes the way that any call can go."""

    tier_of_call = None

    def _ran(self) -> None:
        pass

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._call(*arguments, **named)  # type: ignore[attr-defined]


def quick(kind: type) -> type:
    """A class whose instances are called in C, where there is the extension."""
    return kind


if calls is not None:
    Caller, quick = calls.Caller, calls.quick  # type: ignore[misc]


class _ByNumber(dict[int, Callable[..., Any]]):
    """Functions of rows by their numbers, made when first asked for."""

    def __init__(self, make: Callable[[Any], Callable[..., Any]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, number: int) -> Callable[..., Any]:
        found = self[number] = self._make(ROWS[number])
        return found


_functions = _ByNumber(recorder)  # which answers floats for floats
_rules = _ByNumber(lambda row: partial(row.cotangents, floats))


def program(recording: Recording) -> Any:
    """The recording as the interpreter has it."""
    tests = [n for name, outcome in recording.guards for n in (_COMPARISONS.index(name), int(outcome))]
    return calls.Interpreter(recording.joint, recording.results, array("i", tests), _functions, _rules)


def quick_call(
    runner: Any,
    recording: Recording,
    arguments: Sequence[Any],
    what: int,
    wanted: Any,
    build: Any,
    away: Any,
    plan: Any = None,
    tier: Tier = EAGER,
) -> Any:
    """A call bound to what takes such arguments; None if they are of kinds that C code does not read."""
    shapes = [_shape(x) for x in arguments]
    limits = [(check.places[0], getattr(check.wrong, "limit", None)) for check in recording.checks]
    if NotImplemented in shapes or any(limit is None or place < 0 for place, limit in limits):
        return None
    np = sys.modules.get("numpy")
    if np is not None:
        calls.use_numpy(np)
    return calls.Call(
        runner,
        shapes,
        recording.parameters,
        limits,
        what,
        wanted,
        build,
        away or (is_recorded if recording.parameters else None),
        plan,
        tier,
    )


def _shape(x: Any) -> Any:
    kind = type(x)
    if kind is float or kind is int:
        return None
    if kind is list or kind is tuple:
        return (kind, len(x)) if all(type(y) in (float, int) for y in x) else NotImplemented
    np = sys.modules.get("numpy")
    if np is not None and kind is np.ndarray and x.dtype == float and x.shape and x.flags.c_contiguous:
        return x.shape
    return None if np is not None and kind is np.float64 else NotImplemented
