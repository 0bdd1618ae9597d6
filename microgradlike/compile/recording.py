"""From a function to a recorded program: run it once on fresh Values, watch what a graph cannot show, keep the rest."""

from __future__ import annotations

import gc
import io
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NamedTuple

from ..graph.engine import Value, is_observed, topological_order, values
from ..graph.modes import recording, recording_again
from ..graph.observed import open_inputs
from ..graph.places import cell
from ..graph.program import Program, Trace
from ..ops import COMPARISONS
from .inputs import Keyword, Signature, build, described, flatten
from .loops import depth
from .watch import names_of

__all__ = ["BranchError", "Recording", "RecordingWarning", "record", "recorded_graph", "uncollected"]

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


class Check(NamedTuple):
    """What must hold of the data at every call, as it must where numbers are passed to the function itself."""

    wrong: Callable[..., Any]  # of one number or several: true (for arrays: where it is true) if that is not allowed
    error: Callable[..., Exception]
    places: tuple[int, ...]  # where the numbers are: a column of the arguments, or −1 − k for output k of the tests


class Recording:
    """One recorded run: a program for arguments of one shape and, if it branches, for one outcome of its tests.

    Attributes:
        trace: the computation. Its leaves are the arguments' numbers, then the parameters; its outputs are the results.
        joint: the same together with the tests, for who computes both at once; its outputs are the results, then the
            left and right sides of the tests.
        guards: the tests, each (name of the comparison, outcome).
        program: the same as a Program, made when first asked for.
        inputs: how many of the leaves are arguments.
        parameters: the captured leaves, in the order of first use.
        results: how many results there are.
        result: the shape of the results.
        tests: the tests of Python branches as a recording of its own (so it is no longer than they are), None if
            there are none; its results are 1 or 0 for each test, then the numbers that only `checks` want.
        outcomes: what the tests must give for this recording to be the one that fits.
        checks: what must hold of the data, or the call is an error.
        work: how many operands its operations have, which says how long one row takes (a dot can have hundreds).
    """

    def __init__(
        self,
        trace: Trace,
        result: Signature,
        tests: Recording | None = None,
        joint: Trace | None = None,
        guards: Sequence[tuple[str, bool]] = (),
        checks: Sequence[Check] = (),
    ) -> None:
        self.trace = trace
        self.joint = trace if joint is None else joint
        self.guards = list(guards)
        self.inputs = trace.inputs
        self.parameters = trace.leaves[trace.inputs :]
        self.result = result
        self.results = len(trace.outputs)
        self.tests = tests
        self.outcomes = [float(outcome) for _, outcome in guards]
        self.checks = list(checks)
        self.work = len(trace.operands)
        self._depth = -1
        self._first: Recording | None = None
        self._program: Program | None = None
        self.runners: dict[str, Any] = {}
        self.spent = 0.0  # what its runs would have taken step by step, for tiers.py
        self.where: tuple[int, list[int] | None] = (-1, None)  # among so many parameters, where its own are

    @property
    def program(self) -> Program:
        """The computation as steps."""
        if self._program is None:
            self._program = self.trace.program()
        return self._program

    @property
    def measured(self) -> bool:
        """Whether the depth is known."""
        return self._depth >= 0

    @property
    def depth(self) -> int:
        """How many array operations must follow one another."""
        if self._depth < 0:
            self._depth = depth(self.trace)
        return self._depth

    @property
    def scalar(self) -> bool:
        """Whether the result is one number, which is what can be differentiated."""
        return self.result is None

    @property
    def first(self) -> Recording:
        """The first of a pair of results alone, which is to be differentiated; this one, if it is no such pair."""
        if self._first is None:
            shape = self.result
            is_pair = isinstance(shape, tuple) and shape[0] is tuple and shape in ((tuple, 2, None), (tuple, shape[1]))
            if not is_pair or (len(shape) == 2 and (len(shape[1]) != 2 or shape[1][0] is not None)):
                return self
            self._first = Recording(self.trace.extended(self.trace.outputs[:1], []), None)
        return self._first

    def same(self, other: Recording) -> bool:
        """Whether it does the same with the same leaves, and tests the same."""
        if (self.tests is None) != (other.tests is None) or self.outcomes != other.outcomes:
            return False
        return self.trace.same(other.trace) and (self.tests is None or self.tests.same(other.tests))  # type: ignore[arg-type]


class _Observer:
    """Listens while the function runs.

    Where the number itself decides (as text, or as a key), the recording is for that number only: a test asks for it
    exactly. Whether text decides anything comes out when the function runs again and Values show other numbers.
    """

    def __init__(self, name: str, arguments: Sequence[Value], shows: Callable[[float], float] | None) -> None:
        self.name = name
        self.thread = threading.get_ident()
        self.arguments = {id(v): i for i, v in enumerate(arguments)}
        self.shows = shows
        self.constants: list[Value] = []
        self.tests: dict[tuple[Any, ...], tuple[Any, str, Any, bool]] = {}
        self.checks: list[tuple[Callable[..., Any], Callable[..., Exception], tuple[Any, ...]]] = []
        self.read: list[str] = []
        self.texts: list[Value] = []
        self.keys: dict[int, tuple[Value, int]] = {}

    # ── what the engine tells ───────────────────────────────────────────────────────────────────
    def created(self, v: Value) -> None:
        if threading.get_ident() == self.thread:
            self.constants.append(v)

    def branched(self, left: Any, relation: str, right: Any, outcome: bool) -> None:
        if threading.get_ident() == self.thread:
            self.tests[_key(left), relation, _key(right)] = left, relation, right, outcome

    def compared(self, _left: Value, _right: Value) -> None:
        """Two Values by ==, which are equal only if they are the same node."""
        if threading.get_ident() == self.thread and (line := _user_line()):
            self.refuse(
                f"compares two Values with == (at {line}), which asks whether they are the same node: "
                "write x - y == 0, or mg.equal(x, y), to compare their numbers"
            )

    def data_read(self, _v: Value) -> None:
        if threading.get_ident() == self.thread and (line := _user_line()):
            self.read.append(line)

    def grad_read(self, _v: Value) -> None:
        if threading.get_ident() == self.thread and (line := _user_line()):
            self.refuse(
                f"reads .grad or calls backward() (at {line}), and the numbers would stay as they are now: "
                "write mg.grad(f)(x) within it, or differentiate the compiled function"
            )

    def refuse(self, what: str) -> None:
        raise RuntimeError(f"{self.name} {what}")

    def assigned(self, _v: Value) -> None:
        if threading.get_ident() == self.thread:
            self.refuse(
                f"assigns the data of a Value (at {_user_line() or 'this package'}), which a replay cannot repeat: "
                "return the new number instead, and assign it outside"
            )

    def shown(self, v: Value, number: float) -> float:
        """The number to write as text."""
        if threading.get_ident() != self.thread or not _user_line() or not self.varies(v):
            return number
        self.texts.append(v)
        return number if self.shows is None else self.shows(number)

    def hashed(self, v: Value, number: float) -> int:
        """The hash of a Value: that of its number, where it is the user's key and varies with the arguments."""
        if threading.get_ident() != self.thread:
            return object.__hash__(v)
        if id(v) not in self.keys:
            if not _user_line() or not self.varies(v):
                return object.__hash__(v)
            self.keys[id(v)] = v, hash(number)
            self.exactly(v, number)
        return self.keys[id(v)][1]

    def required(
        self, wrong: Callable[..., Any], error: Callable[..., Exception], xs: tuple[Any, ...], always: bool
    ) -> None:
        """`wrong` must not hold of the numbers. What depends on parameters is no data, and only asked for `always`."""
        if threading.get_ident() != self.thread:
            return
        leaves = [x for x in topological_order([x for x in xs if isinstance(x, Value)]) if x.op is None]
        constants = {*map(id, self.constants)}
        data = [id(x) in self.arguments for x in leaves if id(x) not in constants]
        if data and (all(data) or always):
            if wrong(*(numbers := [x.data if isinstance(x, Value) else x for x in xs])):
                raise error(*numbers)
            self.checks.append((wrong, error, xs))

    def exactly(self, v: Value, number: float) -> None:
        """The recording holds only where v is this number, to the bit."""
        if threading.get_ident() != self.thread or not self.varies(v, True):
            return
        if number != number:
            self.branched(v, "!=", v, True)
            return
        self.branched(v, "==", number, True)
        if number == 0.0:
            self.branched(values.divide(1.0, v), ">", 0.0, str(number)[0] != "-")

    def varies(self, v: Value, parameters: bool = False) -> bool:
        """Whether v depends on the arguments (or on anything but constants)."""
        leaves = [x for x in topological_order(v) if x.op is None]
        constants = {*map(id, self.constants)} if parameters else ()
        return any(id(x) in self.arguments or (parameters and id(x) not in constants) for x in leaves)


def _key(x: Any) -> Any:
    return id(x) if isinstance(x, Value) else float(x).hex()


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
        if frame.f_code is _Run.__init__.__code__:
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


class _Quiet:
    """Standard output while a function runs again: what it prints has been printed."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if is_observed() else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def record(function: Callable[..., Any], signature: Sequence[Signature], numbers: Sequence[float]) -> Recording:
    """Run `function` on arguments of this shape and these numbers, twice, and keep what it computed.

    Raises:
        TypeError: the function returns something else than Values and numbers in lists, tuples, dicts, arrays.
        RuntimeError: it does what a replay cannot repeat, or does not do the same twice.
    """
    name = getattr(function, "__qualname__", None) or type(function).__name__
    if is_recorded():
        raise RuntimeError(f"{name} cannot be recorded while another function is: call it, which records both as one")
    with _one_at_a_time, uncollected(), recording_again():
        run = _Run(function, name, signature, numbers)
        first = run.recording()
        with redirect_stdout(_Quiet(sys.stdout)):
            exact = bool(run.observer.texts) and not _same_with_other_texts(first, function, name, signature, numbers)
            if exact:
                first = run.recording(exact)
            again = _Run(function, name, signature, numbers).recording(exact)
    if not first.same(again):
        raise RuntimeError(
            f"{name} recorded two different programs for the same arguments: it depends on chance, or on something "
            "that changes outside of it (pass what varies as an argument), or makes leaves of its own (under no_grad, "
            "from a pickle)"
        )
    if {"isinstance", "type"} & names_of(getattr(function, "__code__", None)):
        _check_plain(run, function, name, signature, numbers)
    if read := run.observer.read:
        warnings.warn(
            f"{name} reads .data or detaches (at {read[0]}{' and elsewhere' if len(read) > 1 else ''}): the number is "
            "that of the recording at every replay. Compute with the Value itself, choose with mg.where or mg.take, "
            "normalise with mg.softmax or mg.log_softmax",
            RecordingWarning,
            stacklevel=4,
        )
    return first


def _check_plain(
    run: _Run, function: Callable[..., Any], name: str, signature: Sequence[Signature], numbers: Sequence[float]
) -> None:
    """Refuse a function that asks what its arguments are, if it does another thing with numbers than with Values."""
    source = iter(numbers)
    arguments = [build(s, source) for s in signature if not isinstance(s, Keyword)]
    named = {s.name: build(s.shape, source) for s in signature if isinstance(s, Keyword)}
    found: list[Any] = []
    results: list[Any] = []
    try:
        with redirect_stdout(io.StringIO()):
            flatten(function(*arguments, **named), found, name, values=True)
    except Exception:
        return  # it is made for Values
    flatten(run.returned, results, name, values=True)
    pairs = [[v.data if isinstance(v, Value) else v for v in pair] for pair in zip(found, results)]  # noqa: B905
    for x, y in pairs:
        if x - y == x - y and abs(x - y) > 1e-6 * max(1.0, abs(x), abs(y)):
            raise RuntimeError(
                f"{name} gives {x!r} for numbers and {y!r} for Values of the same numbers: it asks for their type "
                "(isinstance, type), which a recording answers for Values. Ask for the number, or pass a flag"
            )


_OTHER_NUMBERS: tuple[Callable[[float], float], ...] = (
    lambda x: x + 1.0 + abs(x) if x - x == 0.0 else -1.0,
    lambda _: 0.0,
    lambda _: 1.0,  # 0 and 1 are what tables are often asked for
)


def _same_with_other_texts(
    first: Recording, function: Callable[..., Any], name: str, signature: Sequence[Signature], numbers: Sequence[float]
) -> bool:
    """Whether the function does the same where Values, as text, show other numbers."""
    try:
        return all(first.same(_Run(function, name, signature, numbers, shows).recording()) for shows in _OTHER_NUMBERS)
    except Exception:
        return False  # it may look for the text where it is not


class _Run:
    """One run of the function, and what was seen of it."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        signature: Sequence[Signature],
        numbers: Sequence[float],
        shows: Callable[[float], float] | None = None,
    ) -> None:
        self.name = name
        self.leaves = [Value(x) for x in numbers]
        source = iter(self.leaves)
        arguments = [build(s, source) for s in signature if not isinstance(s, Keyword)]
        named = {s.name: build(s.shape, source) for s in signature if isinstance(s, Keyword)}
        self.observer = _Observer(name, self.leaves, shows)
        try:
            with open_inputs(self.leaves), recording(self.observer):
                self.returned = function(*arguments, **named)
        except Exception as error:
            if hasattr(error, "add_note"):  # since Python 3.11
                error.add_note(
                    f"while {name} was recorded for {', '.join(map(described, signature)) or 'no arguments'}"
                )
            raise

    def recording(self, exact: bool = False) -> Recording:
        """What is kept of it; `exact`: for no other numbers than those that it wrote as text."""
        observer = self.observer
        for v in observer.texts if exact else ():
            observer.exactly(v, v.data)
        asked: list[Any] = []
        sides: list[Any] = []
        guards: list[tuple[str, bool]] = []
        for left, relation, right, outcome in observer.tests.values():
            asked.append(getattr(values, COMPARISONS[relation].name)(left, right))
            sides += left, right
            guards.append((COMPARISONS[relation].name, outcome))
        checks: dict[Any, Check] = {}
        for wrong, error, xs in observer.checks:
            places: list[Any] = []
            for x in xs:
                if isinstance(x, Value) and id(x) not in observer.arguments:
                    asked.append(x)
                    places.append(-len(asked))
                else:
                    places.append(observer.arguments[id(x)] if isinstance(x, Value) else float(x))
            checks[wrong, error, tuple(places)] = Check(wrong, error, tuple(places))
        tests = None
        if asked:
            tests = Recording(Trace(asked, self.leaves, observer.constants), (list, len(asked), None))
        return _recording(
            self.returned, self.leaves, observer.constants, self.name, tests, sides, guards, checks.values()
        )


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
    return _recording(root, leaves, [], "the graph"), signature


def _recording(
    returned: Any,
    leaves: list[Value],
    constants: list[Value],
    name: str,
    tests: Recording | None = None,
    sides: Sequence[Any] = (),
    guards: Sequence[tuple[str, bool]] = (),
    checks: Iterable[Check] = (),
) -> Recording:
    results: list[Any] = []
    try:
        shape = flatten(returned, results, "the result", values=True)
    except TypeError as error:
        raise TypeError(
            f"{name} must return a Value or a number (or such in lists, tuples, dicts, arrays): {error}"
        ) from None
    trace = joint = Trace([*results, *sides], leaves, constants)
    if sides:
        trace = Trace(results, joint.leaves, constants)  # the same leaves, so that both take the same numbers
        trace.inputs = joint.inputs
    return Recording(trace, shape, tests, joint, guards, list(checks))
