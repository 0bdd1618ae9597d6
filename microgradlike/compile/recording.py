"""From a function to a recorded program: run it once on fresh Values, watch what a graph cannot show, keep the rest."""

from __future__ import annotations

import gc
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from ..graph.engine import Value, is_observed, recording, recording_again
from ..graph.places import cell
from ..graph.program import Program, Trace
from ..ops import ROWS, TABLE
from .inputs import Keyword, Signature, build, described, flatten

__all__ = ["BranchError", "Recording", "RecordingWarning", "record", "recorded_graph", "uncollected"]

_RELATIONS = {"<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal", "!=": "not_equal"}
_one_at_a_time = threading.RLock()


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: what compiling makes stays, and it would look through all of it time and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class RecordingWarning(UserWarning):
    """A recorded function did something that will be frozen: the number it read is the same at every replay."""


class BranchError(RuntimeError):
    """The numbers take another branch than the one that was recorded."""


class Recording:
    """One recorded run: a program for arguments of one shape and, if it branches, for one outcome of its tests.

    Attributes:
        trace: the computation. Its leaves are the arguments' numbers, then the parameters; its outputs
            the results, then the left and right sides of the recorded tests.
        program: the same as a Program, made when first asked for.
        inputs: how many of the leaves are arguments.
        parameters: the captured leaves, in the order of first use.
        results: how many of the outputs are results.
        result: the shape of the results.
        guards: the tests, each (name of the comparison, outcome).
        work: how many operands its operations have, which says how long one row takes (a dot can have hundreds).
    """

    def __init__(
        self,
        trace: Trace,
        result: Signature,
        results: int,
        guards: list[tuple[str, bool]],
    ) -> None:
        self.trace = trace
        self.inputs = trace.inputs
        self.parameters = trace.leaves[trace.inputs :]
        self.result = result
        self.results = results
        self.guards = guards
        self.work = len(trace.operands)
        self._depth = -1
        self._program: Program | None = None
        self.limits = _index_limits(trace)
        self.frozen = False  # whether it made leaves of its own, which became constants
        self.selecting = sorted(self.limits.items())
        self.runners: dict[str, Any] = {}
        self.where: tuple[int, list[int] | None] = (-1, None)  # among so many parameters, where its own are

    @property
    def program(self) -> Program:
        """The computation as steps."""
        if self._program is None:
            self._program = self.trace.program()
        return self._program

    @property
    def depth(self) -> int:
        """How many operations follow one another: array instructions of a program are so many at least."""
        if self._depth < 0:
            trace = self.trace
            level = [0] * len(trace.leaves)
            for i, j in pairwise(trace.start):
                level.append(1 + max([level[a] for a in trace.operands[i:j] if a >= 0], default=0))
            self._depth = max(level, default=0)
        return self._depth

    @property
    def scalar(self) -> bool:
        """Whether the result is one number, which is what can be differentiated."""
        return self.result is None


def _index_limits(trace: Trace) -> dict[int, int]:
    """For each argument that is an index of take (or a class of cross_entropy ...): how many items there are."""
    limits: dict[int, int] = {}
    choosing = {k for k in {*trace.operations} if ROWS[k].pullback and ROWS[k].parameters[0] in ("index", "class")}
    for k in [k for k, number in enumerate(trace.operations) if number in choosing] if choosing else ():
        a, b = trace.start[k : k + 2]
        if 0 <= (place := trace.operands[a]) < trace.inputs:
            limits[place] = min(limits.get(place, b - a), b - a - 1)
    return limits


class _Observer:
    """Listens while the function runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.thread = threading.get_ident()
        self.constants: list[Value] = []
        self.tests: list[tuple[Any, str, Any, bool]] = []
        self.read: list[str] = []
        self.mutated: list[str] = []

    def created(self, v: Value) -> None:
        if threading.get_ident() == self.thread:
            self.constants.append(v)

    def branched(self, left: Any, relation: str, right: Any, outcome: bool) -> None:
        if threading.get_ident() == self.thread:
            self.tests.append((left, relation, right, outcome))

    def data_read(self, _v: Value) -> None:
        if threading.get_ident() == self.thread and (line := _user_line()):
            self.read.append(line)

    def assigned(self, _v: Value) -> None:
        if threading.get_ident() == self.thread:
            self.mutated.append(_user_line() or "this package")


_OURS = __name__.partition(".")[0] + "."


def _user_line() -> str | None:
    """The line of code that touched a Value, unless it is the package's own."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__") in (_OURS + "value", _OURS + "_value"):
        frame = frame.f_back
    if frame.f_globals.get("__name__", "").startswith(_OURS):
        return None
    file, line = frame.f_code.co_filename, frame.f_lineno
    place = cell(file)
    return f"{file}:{line}" if place is None else f"{place}, line {line}"


def is_recorded() -> bool:
    """Whether a function is being recorded by this thread; what an interrupt left of a recording is cleared away."""
    if not is_observed():
        return False
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _run.__code__:
            return True
        frame = frame.f_back
    with recording(None):
        return False


def _forked() -> None:
    """A child process has none of the threads that were recording."""
    if not is_recorded():
        _one_at_a_time._at_fork_reinit()  # type: ignore[attr-defined]
        with recording(None):
            pass


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def record(function: Callable[..., Any], signature: Sequence[Signature], numbers: Sequence[float]) -> Recording:
    """Run `function` on arguments of this shape and these numbers, twice, and keep what it computed.

    Raises:
        TypeError: the function returns something else than Values and numbers in lists, tuples or dicts.
        RuntimeError: it assigns the data of Values, or does not do the same twice.
    """
    name = getattr(function, "__qualname__", None) or type(function).__name__
    if is_recorded():
        raise RuntimeError(f"{name} cannot be recorded while another function is: call it, which records both as one")
    with _one_at_a_time, uncollected():
        first, read = _run(function, name, signature, numbers)
        again, _ = _run(function, name, signature, numbers)
    if not first.trace.same(again.trace):
        raise RuntimeError(
            f"{name} recorded two different programs for the same arguments: it depends on chance, or on something "
            "that changes outside of it (pass what varies as an argument), or makes leaves of its own (under no_grad, "
            "by backward)"
        )
    if not read and first.frozen and _varies(function, name, signature, numbers, first):
        warnings.warn(
            f"{name} makes a new leaf of what it computed (from its text, say): its number is that of the recording at "
            "every replay. Compute with the Value itself",
            RecordingWarning,
            stacklevel=4,
        )
    if read:
        warnings.warn(
            f"{name} reads .data or detaches (at {read[0]}{' and elsewhere' if len(read) > 1 else ''}): the number is "
            "that of the recording at every replay. Compute with the Value itself, or use mg.where, mg.take to choose",
            RecordingWarning,
            stacklevel=4,
        )
    return first


def _varies(
    function: Callable[..., Any], name: str, signature: Sequence[Signature], numbers: Sequence[float], first: Recording
) -> bool:
    """Whether, with slightly other arguments, the function records the same operations with other constants."""
    moved = [x if i in first.limits else x + 1e-6 * (1.0 + abs(x)) for i, x in enumerate(numbers)]
    try:
        with warnings.catch_warnings(), _one_at_a_time, uncollected():
            warnings.simplefilter("ignore")
            other = _run(function, name, signature, moved)[0]
    except Exception:
        return False  # other arguments may be wrong in a hundred ways
    same = other.trace.operations == first.trace.operations and other.guards == first.guards
    return same and not other.trace.same(first.trace)


def _run(
    function: Callable[..., Any], name: str, signature: Sequence[Signature], numbers: Sequence[float]
) -> tuple[Recording, list[str]]:
    leaves = [Value(x) for x in numbers]
    source = iter(leaves)
    arguments = [build(s, source) for s in signature if not isinstance(s, Keyword)]
    named = {s.name: build(s.shape, source) for s in signature if isinstance(s, Keyword)}
    observer = _Observer(name)
    try:
        with recording_again(), recording(observer):
            returned = function(*arguments, **named)
    except Exception as error:
        if hasattr(error, "add_note"):  # since Python 3.11
            error.add_note(f"while {name} was recorded for {', '.join(map(described, signature)) or 'no arguments'}")
        raise
    if observer.mutated:
        raise RuntimeError(
            f"{name} assigns the data of a Value (at {observer.mutated[0]}), which a replay cannot repeat: return the "
            "new number instead, and assign it outside"
        )
    found = _recording(returned, leaves, observer.constants, observer.tests, name)
    found.frozen = bool(observer.constants)
    return found, observer.read


def recorded_graph(root: Any, inputs: Any) -> tuple[Recording, list[Signature]]:
    """A finished graph as a recording: `inputs` are the leaves that vary, in the shapes that a replay is given."""
    if not isinstance(inputs, (list, tuple)):
        raise TypeError(f"inputs must be a list of Values (or of nested lists of them), not {type(inputs).__name__}")
    leaves: list[Any] = []
    signature = [flatten(x, leaves, f"inputs[{i}]", values=True) for i, x in enumerate(inputs)]
    for v in leaves:
        if not isinstance(v, Value) or not v.is_leaf:
            raise TypeError(f"inputs must be leaf Values, not {v!r}: the graph is replayed from them")
    if len({*map(id, leaves)}) != len(leaves):
        raise ValueError("inputs name the same Value twice")
    return _recording(root, leaves, [], [], "the graph"), signature


def _recording(
    returned: Any, leaves: list[Value], constants: list[Value], tests: list[tuple[Any, str, Any, bool]], name: str
) -> Recording:
    results: list[Any] = []
    try:
        shape = flatten(returned, results, "the result", values=True)
    except TypeError as error:
        raise TypeError(
            f"{name} must return a Value or a number (or such in lists, tuples, dicts, arrays): {error}"
        ) from None
    sides = [x for left, _, right, _ in tests for x in (left, right)]
    guards = [(_RELATIONS[relation], outcome) for _, relation, _, outcome in tests]
    return Recording(Trace([*results, *sides], leaves, constants), shape, len(results), guards)


def guarded(recording: Recording) -> Trace:
    """The trace whose outputs are the results and then 1 or 0 for each recorded test."""
    trace, results = recording.trace, recording.results
    sides = trace.outputs[results:]
    tests = [(TABLE[name], sides[2 * i : 2 * i + 2]) for i, (name, _) in enumerate(recording.guards)]
    return trace.extended(trace.outputs[:results], tests)
