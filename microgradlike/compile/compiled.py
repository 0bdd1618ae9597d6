"""Compiled: what `compile` returns. Chooses a recording for the arguments, and a backend for the recording."""

from __future__ import annotations

import copy
import inspect
import os
import sys
import threading
import types
import warnings
import weakref
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, overload

from ..graph.engine import Value, add_grads, data_of, values
from ..graph.engine import compiled as native_engine
from ..graph.installed import installed, numpy
from ..graph.program import Program
from .conditions import fitting, verify
from .derivatives import Derivative
from .inputs import (
    HoldsValueError,
    Keyword,
    Rows,
    Signature,
    alike,
    build,
    described,
    flatten,
    plain_rows,
    rows_of,
    stacked,
)
from .interpreted import EAGER, Caller, calls, program, quick, quick_call
from .python_backend import PythonRunner
from .recording import BranchError, Recording, RecordingWarning, is_recorded, record, recorded_graph
from .tiers import Tier, choose
from .watch import Watch

__all__ = ["Compiled", "compile"]

BACKENDS = ("auto", "python", "numpy", "native")
_MOST_BRANCHES = 64
_MANY_SPLITS = 30  # batches that were split by branches, after which that is said
_MOST_SHAPES = 256  # of the arguments: the oldest is forgotten, and recorded again if it comes back


@overload
def compile(
    function: Callable[..., Any] | Value,
    /,
    *,
    inputs: Any = ...,
    backend: str = ...,
    on_branch: str = ...,
    threads: int | None = ...,
    exact: bool = ...,
    has_aux: bool = ...,
) -> Compiled: ...
@overload
def compile(
    function: None = ...,
    /,
    *,
    inputs: Any = ...,
    backend: str = ...,
    on_branch: str = ...,
    threads: int | None = ...,
    exact: bool = ...,
    has_aux: bool = ...,
) -> Callable[[Callable[..., Any]], Compiled]: ...


def compile(
    function: Any = None,
    /,
    *,
    inputs: Any = None,
    backend: str = "auto",
    on_branch: str = "rerecord",
    threads: int | None = None,
    exact: bool = False,
    has_aux: bool = False,
) -> Any:
    """Record a computation on Values once, and replay it over whole data sets.

    Args:
        function: computes ONE example with Values and returns a Value (or Values in lists, tuples, dicts). Its
            arguments are numbers, arrays, and lists, tuples, dicts of them, and arrive as what they are, with Values
            for the numbers (an array as an array of Values); results leave as what is returned, with floats.
            Other leaf Values that it uses are parameters: their data is read at every call. Or a finished
            graph, a Value; then `inputs` says which leaves vary. Without a function: a decorator.
        inputs: for a finished graph, its inputs in the order of the arguments of a replay.
        backend: "python", "numpy", "native", or "auto": the fastest that is installed and pays.
        on_branch: what to do where a Python branch on a Value would go another way than it was recorded:
            "rerecord" (each way gets its own program) or "raise".
        threads: how many may share the rows in native code; None: as many as there are processors, where they pay.
            The result does not depend on it.
        exact: whether many rows, too, are run step by step, with the eager engine's bits, however long it takes.
            `step(x)` always is. `step.tier` says what ran, and why.
        has_aux: whether the function returns (what is differentiated, anything else); then `value_and_grad` answers
            ((mean, anything else for each row), gradient), and `backward` (mean, anything else for each row).

    Returns:
        A `Compiled`.

    The compiled function is the function. What Python decides by a number (`<`, `==`, `in`, `match`, a dict look-up,
    np.isnan, text) is tested at every call, and each way is recorded as a program of its own; within one program, and
    many times faster over a batch, `mg.where(mg.greater(x, 0), a, b)` and `mg.take(items, k)` choose. What losses
    demand of targets is asked of every row. What no replay can follow is an error that names the line. Globals,
    closure cells, defaults, attributes, and items of lists, dicts and arrays that the function has read are looked at
    in every call: if they have changed, it is recorded anew. Not noticed is what is reached in no such way (files,
    the clock, containers of other libraries, arrays of over a million numbers). isinstance sees a Value: an error, if
    numbers would give another result. Side effects happen when it is recorded, not at replays.

    Raises:
        TypeError: `function` is neither a function nor a Value.
        ValueError: an option has no such choice.
        ImportError: the backend is not installed; the message says what is missing.

    Example:
        >>> import microgradlike as mg
        >>> w = mg.Value(2.0)
        >>> step = mg.compile(lambda x, y: (w * x - y) ** 2, backend="python")
        >>> step(3.0, 5.0)
        1.0
        >>> step.value_and_grad([3.0, 1.0], [5.0, 1.0])
        (1.0, [4.0])
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(map(repr, BACKENDS))}, not {backend!r}")
    if on_branch not in ("rerecord", "raise"):
        raise ValueError(f"on_branch must be 'rerecord' or 'raise', not {on_branch!r}")
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads must be a whole number of at least 1, or None, not {threads!r}")
    if exact and backend not in ("auto", "python"):
        raise ValueError(f"exact=True goes step by step, so it leaves no choice of a backend: not {backend!r}")
    _require(backend)
    options = {"backend": backend, "on_branch": on_branch, "threads": threads, "exact": exact, "has_aux": has_aux}
    if function is None:
        return lambda f: Compiled(f, inputs, options)
    return Compiled(function, inputs, options)


def _require(backend: str) -> None:
    if backend in ("numpy", "native") and not installed("numpy"):
        raise ImportError(
            f'backend {backend!r} needs numpy, which is not installed: pip install "microgradlike[numpy]"'
        )
    if backend == "native" and not find_native():
        raise ImportError(
            "backend 'native' needs the package's native code, which is not there: the package was installed without a "
            "C compiler, or MICROGRADLIKE_ENGINE=python turns it off. Install a wheel, or install again with a compiler"
        )


@quick
class Compiled(Caller):
    """A recorded computation. Call it with one example; `map`, `value_and_grad` and `backward` take many.

    Attributes:
        parameters: the captured leaves, in the order of first use (empty until the first call of a function).
    """

    def __init__(self, function: Any, inputs: Any, options: dict[str, Any]) -> None:
        self._options = options
        self._made_of = (function, inputs)
        self._recordings: dict[tuple[Signature, ...], list[Recording]] = {}
        self._lock = threading.RLock()
        self._index: dict[Value, int] = {}
        self._last: Recording | None = None
        self._splits = 0  # how many batches had rows of several recordings
        self._watch: Watch | None = None  # what the function has read elsewhere
        self._tier: Tier | None = None  # of the last call that is not one example
        self._bind: inspect.Signature | None = None
        self._names: list[str] = []
        self._positional = range(0)  # how many arguments there may be, if they can only be positional ones
        self.function: Callable[..., Any] | None = None
        self._derivative: Derivative | None = None  # what sweeps, if the function is grad(f) or the like
        self._seen: tuple[tuple[Signature, ...], list[float]] | None = None  # what that was called with last
        _alive.add(self)
        if isinstance(function, Value):
            if inputs is None:
                raise TypeError("compiling a graph needs inputs=[...], the leaves that a replay is given numbers for")
            recording, signature = recorded_graph(function, inputs)
            self._keep(tuple(signature), recording)
            self._names = [getattr(x, "label", None) or f"inputs[{i}]" for i, x in enumerate(inputs)]
            self.__name__ = function.label or "graph"
        elif callable(function):
            if inputs is not None:
                raise TypeError("inputs= is for a finished graph; a function is given its inputs as arguments")
            self.function = function
            self.__name__ = getattr(function, "__name__", type(function).__name__)
            self.__doc__ = getattr(function, "__doc__", None) or type(self).__doc__
            self.__module__ = getattr(function, "__module__", None) or type(self).__module__
            self.__qualname__ = getattr(function, "__qualname__", self.__name__)
            kind, of, argnums, has_aux = getattr(function, "derivative", ("", None, None, True))
            if self._small == "interpreter" and not has_aux:
                self._derivative = Derivative(Compiled(of, None, options), kind, argnums)
            try:
                self._bind = inspect.signature(function)
                self._names = list(self._bind.parameters)
                kinds = {p.kind for p in self._bind.parameters.values()}
                if kinds <= {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}:
                    needed = [p for p in self._bind.parameters.values() if p.default is inspect.Parameter.empty]
                    self._positional = range(len(needed), len(self._names) + 1)
            except (TypeError, ValueError):
                pass
        else:
            raise TypeError(f"compile takes a function or a Value, not {type(function).__name__}: {function!r:.60}")

    def __repr__(self) -> str:
        count = sum(map(len, self._recordings.values()))
        return f"<compiled {self.__name__}: {count} recording{'s' * (count != 1)}, {len(self._index)} parameters>"

    # ── as functions are: bound to an instance, copied, pickled; what was recorded stays behind ─────
    def __get__(self, instance: Any, owner: Any = None) -> Compiled:
        """Bound to an instance, as a function in a class body is; each instance has recordings of its own."""
        bound = getattr(self.function, "__get__", lambda *_: None)(instance, owner)
        if instance is None or not isinstance(bound, types.MethodType):
            return self
        kept = getattr(instance, "__dict__", {})
        known = kept.get(key := f"_compiled_{self.__name__}")
        if isinstance(known, Compiled) and known.function == bound and known._made_of[0].__self__ is instance:
            return known
        made = Compiled(bound, None, self._options)
        if isinstance(kept, dict):
            kept[key] = made
        return made

    def __copy__(self) -> Compiled:
        return Compiled(*self._made_of, self._options)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        made = memo[id(self)] = Compiled(*copy.deepcopy(self._made_of, memo), self._options)
        return made

    def __reduce__(self) -> Any:
        function = self.function
        if isinstance(function, types.MethodType) and self is getattr(function.__self__, self.__name__, None):
            return getattr, (function.__self__, self.__name__)
        found: Any = sys.modules.get(self.__module__)
        for name in getattr(self, "__qualname__", "").split("."):
            found = getattr(found, name, None)
        return self.__qualname__ if found is self else (Compiled, (*self._made_of, self._options))

    # ── what it consists of ─────────────────────────────────────────────────────────────────────
    @property
    def parameters(self) -> list[Value]:
        """The captured leaf Values, in the order of first use; gradients are in this order."""
        self._record_seen()
        return list(self._index)

    @property
    def recording(self) -> Recording:
        """The recording that was used last.

        Raises:
            RuntimeError: nothing was recorded yet.
        """
        self._record_seen()
        if self._last is None:
            raise RuntimeError(f"{self.__name__} is not recorded yet: call it once, or use record(...)")
        return self._last

    def _record_seen(self) -> None:
        """A derivative that was only called has no recording of its own yet, but of its function."""
        if self._last is None and self._seen is not None:
            self._recording(*self._seen)

    @property
    def program(self) -> CompiledProgram:
        """The recorded operations: `len`, `str`, `.graph()` to draw, `.source("python")`."""
        return CompiledProgram(self, self.recording)

    def record(self, *arguments: Any, **named: Any) -> Compiled:
        """Record for arguments like these (one example) without running anything else; returns self."""
        signature, numbers = self._flat(arguments, named)
        self._recording(signature, numbers)
        return self

    # ── one example ─────────────────────────────────────────────────────────────────────────────
    def _call(self, *arguments: Any, **named: Any) -> Any:
        """The result for one example: floats, exactly those of the eager engine, in the shape the function returns.

        Called with Values, or while another function is recorded, it is the function itself, and answers Values.
        Calls of the class come here where no quick call takes them: the first time, and for other kinds of arguments.
        """
        if is_recorded():
            return self._itself(arguments, named)
        self._tier = None
        try:
            signature, numbers = self._flat(arguments, named)
            if self._derivative is not None and not named:
                found = self._derivative(arguments)
                if found is not None:
                    self._seen = signature, numbers
                    return self._taken(*found)
        except HoldsValueError:
            return self._itself(arguments, named)
        recording = self._recording(signature, numbers)
        results = self._small_results(recording, numbers)
        made = None if recording.result is None else lambda found: build(recording.result, iter(found))
        answer = results[0] if made is None else made(results)
        if self._small != "interpreter" or named:
            return answer
        runner = self._runner(recording, self._small)
        return self._taken(answer, quick_call(runner, recording, arguments, calls.VALUE, (), made, self._away))

    def _taken(self, answer: Any, call: Any) -> Any:
        if call is not None:
            self._take(call)  # type: ignore[attr-defined]  # the extension's
            self._tier = call.tier
        return answer

    @property
    def _small(self) -> str:
        """The backend for one example: the interpreter, or Python where that is not there (or not wanted)."""
        return "python" if calls is None or self._options["backend"] == "python" else "interpreter"

    @property
    def tier(self) -> Tier:
        """What ran the last call, and why: "interpreter", "python", "native" or "numpy".

        `step(x)` always runs step by step, with the eager engine's bits. `map`, `value_and_grad`, `backward` and
        compiled `mg.grad(f)` do so until a plan of array instructions pays, then run that; `exact=True` keeps them
        from it.

        Raises:
            RuntimeError: nothing ran yet.

        Example:
            >>> import microgradlike as mg
            >>> step = mg.compile(lambda x: x * x)
            >>> step(3.0)
            9.0
            >>> step.tier.why
            "one example, with the eager engine's bits"
        """
        if self._last is None and self._seen is None:
            raise RuntimeError(f"{self.__name__} is not recorded yet: call it once")
        return self.tier_of_call or self._tier or EAGER._replace(name=self._small)

    def _itself(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """The result as Values, which record what is computed with them."""
        if self.function is not None:
            return self.function(*arguments, **named)
        leaves: list[Any] = []
        given, keywords = self._arguments(arguments, named)
        for x, name in zip(given, self._labels(given, keywords), strict=True):
            flatten(x, leaves, name, values=True)
        recording = next(iter(self._recordings.values()))[0]
        results = recording.program.run(values, [*leaves, *recording.parameters])
        return results[0] if recording.result is None else build(recording.result, iter(results))

    # ── many examples ───────────────────────────────────────────────────────────────────────────
    def map(self, *arguments: Any, **named: Any) -> Any:
        """The result for every row: an array (a list without NumPy) with the batch as its leading axis.

        Args:
            arguments: each with a leading axis, the examples: X (m, n), y (m,), lists of rows, dicts of such.

        Raises:
            ValueError: different numbers of rows, an empty batch, rows of different shape.
            TypeError: no leading axis, or not numeric.
        """
        rows = self._rows(arguments, named)
        parts: list[tuple[list[int] | None, Any, Recording]] = []
        for recording, which, chosen in self._split(rows):
            runner = self._runner(recording, self._choose(recording, chosen.count))
            parts.append((which, runner.values(data_of(recording.parameters), _fed(runner, chosen)), recording))
        return _gathered(parts, rows.count)

    def value_and_grad(self, *arguments: Any, **named: Any) -> tuple[Any, list[float]]:
        """(mean of the result over the rows, its gradient with respect to `parameters`), by one compiled sweep."""
        value, gradient = self.gradient(None, *arguments, **named)
        gradient = gradient if isinstance(gradient, list) else gradient.tolist()
        return self._with_aux(value, arguments, named), gradient

    def _with_aux(self, value: float, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if not self._options["has_aux"]:
            return value
        found = self.map(*arguments, **named)
        return value, found[1] if isinstance(found, tuple) else [aux for _, aux in found]

    def gradient(self, theta: Any, *arguments: Any, **named: Any) -> tuple[float, Any]:
        """Like `value_and_grad`, with the parameters' numbers given as a vector (None: read from the parameters).

        The gradient comes as a vector, too: an array, where NumPy is installed.
        """
        value, recording, gradient = self._swept(theta, arguments, named)
        if recording is None or (where := self._where(recording)) is None:
            return value, gradient
        total = [0.0] * len(self._index)
        for i, g in zip(where, gradient, strict=True):
            total[i] = g
        return value, total

    def _swept(self, theta: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[float, Any, Any]:
        """(the mean, its gradient by the parameters of one recording, or of all if that is None)."""
        rows = self._rows(arguments, named)
        parts = self._split(rows)
        if theta is not None and len(theta) < len(self._index):  # these rows were recorded anew, with more parameters
            theta = [*theta, *data_of(self.parameters[len(theta) :])]
        value, total = 0.0, [0.0] * len(self._index)
        for recording, _, chosen in parts:
            of = recording.first if self._options["has_aux"] else recording
            if not of.scalar:
                raise TypeError(
                    f"{self.__name__} must return one Value to be differentiated, not {recording.results}: what else "
                    "it returns comes along with compile(..., has_aux=True) and a pair (result, anything else)"
                )
            runner = self._runner(of, self._choose(of, chosen.count, gradient=True))
            if theta is None:
                data = data_of(recording.parameters)
            elif (where := self._where(recording)) is None:
                data = theta
            else:
                data = [theta[i] for i in where] if isinstance(theta, list) else theta[where]
            part, gradient = runner.gradient(data, _fed(runner, chosen))
            if len(parts) == 1:
                return part, recording, gradient
            share = chosen.count / rows.count
            value += share * part
            for i, g in zip(self._where(recording) or range(len(gradient)), gradient, strict=True):
                total[i] += share * float(g)
        return value, None, total

    def backward(self, *arguments: Any, **named: Any) -> Any:
        """The mean of the result over the rows; adds its gradient to the grad of every parameter, all or nothing."""
        value, recording, gradient = self._swept(None, arguments, named)
        value = self._with_aux(value, arguments, named)
        add_grads(self._index if recording is None else recording.parameters, gradient)
        return value

    def to(self, library: Any) -> Any:
        """The program as a plain function of another library: `f(parameters, *arguments)` for one example.

        Args:
            library: "jax", "torch" or "numpy"; or the module of an Array API namespace (`array_api_strict`, say).

        Returns:
            A function `f(theta, *arguments)` for one example. `theta` is one vector with a number for each of
            `parameters`, in that order (a sequence is made one). The arguments are those that the recorded function
            takes, in number, order and shape: a number (or array without dimensions) for a number, an array or
            nested lists for a list. It returns what the function returns, as arrays of the library. Batch,
            differentiate and shard it with the library's own means: `jax.vmap(f, in_axes=(None, 0, 0))`.

        Raises:
            RuntimeError: nothing is recorded yet: call it once, or use `record(...)`.
            TypeError: the function branches in Python on a Value, or the module is no Array API namespace.
        """
        from .array_api import exported

        return exported(self, library)

    # ── choosing ────────────────────────────────────────────────────────────────────────────────
    def _arguments(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        """All arguments, and the names of the last ones, which are passed by name."""
        if not named and len(arguments) in self._positional:
            return arguments, ()
        if self._bind is None:
            if self.function is None:
                if named:
                    raise TypeError(f"{self.__name__} takes no named arguments: {', '.join(named)}")
                if len(arguments) != len(self._names):
                    raise TypeError(
                        f"{self.__name__} takes {len(self._names)} arguments, as many as inputs, not {len(arguments)}"
                    )
            return (*arguments, *named.values()), tuple(named)
        bound = self._bind.bind(*arguments, **named)
        return (*bound.args, *bound.kwargs.values()), tuple(bound.kwargs)

    def _flat(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Signature, ...], list[float]]:
        given, keywords = self._arguments(arguments, named)
        numbers: list[float] = []
        shapes = [flatten(x, numbers, name) for x, name in zip(given, self._labels(given, keywords), strict=True)]
        return _named(shapes, keywords), numbers

    def _labels(self, arguments: Sequence[Any], keywords: tuple[str, ...]) -> list[str]:
        count = len(arguments) - len(keywords)
        names = self._names[:count]
        return names + [f"argument {i}" for i in range(len(names), count)] + list(keywords)

    def _rows(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Rows:
        if is_recorded():
            raise RuntimeError(
                f"{self.__name__} is given many rows while another function is recorded, which would keep the "
                "numbers for good: call it with one row, or compute them outside and pass them as arguments"
            )
        given, keywords = self._arguments(arguments, named)
        rows = plain_rows(given) or rows_of(given, self._labels(given, keywords))
        rows.signature = list(_named(rows.signature, keywords))
        return rows

    def _keep(self, signature: tuple[Signature, ...], recording: Recording) -> None:
        for v in recording.parameters:  # first, so that an interrupt leaves no recording without its parameters
            self._index.setdefault(v, len(self._index))
        if signature not in self._recordings and len(self._recordings) >= _MOST_SHAPES:
            del self._recordings[next(iter(self._recordings))]
        self._recordings.setdefault(signature, []).append(recording)
        self._last = recording

    def _where(self, recording: Recording) -> list[int] | None:
        """Where the recording's parameters are among all; None if they are all, in this order."""
        count, where = recording.where
        if count != len(self._index):
            found = [self._index[v] for v in recording.parameters]
            where = None if found == list(range(len(self._index))) else found
            recording.where = (len(self._index), where)
        return where

    def _new(self, signature: tuple[Signature, ...], numbers: Sequence[float]) -> Recording:
        if self.function is None:
            expected, recorded = next(iter(self._recordings.items()))
            if not alike(signature, expected):
                raise ValueError(
                    f"arguments of shapes {', '.join(map(described, signature))}, but the graph's inputs are "
                    f"{', '.join(map(described, expected))}"
                )
            self._keep(signature, recorded[0])
            return recorded[0]
        known = self._recordings.get(signature, ())
        if known and self._options["on_branch"] == "raise":
            raise BranchError(
                f"{self.__name__} would take another branch for these numbers than the one recorded. Write mg.where "
                "instead of `if`, or compile with on_branch='rerecord'"
            )
        if len(known) >= _MOST_BRANCHES:
            raise BranchError(
                f"{self.__name__} was recorded {len(known)} times for arguments of this shape, "
                "and meets new branches: write mg.where, mg.maximum, mg.take instead of Python branches on Values"
            )
        recording = record(self.function, signature, numbers)
        watch = Watch(self.function)  # after it has run: what it changes itself is its own business
        self._keep(signature, recording)
        self._watch = watch or None
        return recording

    def _forget_changed(self) -> None:
        """Record anew, if what the function has read elsewhere is another now."""
        if self._watch is not None and self._watch.changed():
            self._recordings.clear()
            self._index.clear()
            self._last = self._watch = None

    @property
    def _away(self) -> Callable[[], bool] | None:
        """Tells whether what was recorded may not be called quickly any more; None if only a recording can tell."""
        if (watch := self._watch) is None:
            return None
        return lambda: watch.changed() or is_recorded()

    def _recording(self, signature: tuple[Signature, ...], numbers: list[float]) -> Recording:
        """The recording for one example: of its shape, and with the outcomes its numbers have."""
        with self._lock:
            self._forget_changed()
            for recording in self._recordings.get(signature, ()):
                tested = self._small_results(recording.tests, numbers) if recording.tests is not None else ()
                if list(tested[: len(recording.outcomes)]) == recording.outcomes:
                    if recording.checks:
                        verify(recording.checks, Rows(1, [], [[numbers]]), [tested])
                    self._last = recording
                    return recording
            return self._new(signature, numbers)

    def _split(self, rows: Rows) -> list[tuple[Recording, list[int] | None, Rows]]:
        """The rows by the recording that fits them: [(recording, which rows or None for all, those rows)]."""
        signature = tuple(rows.signature)
        left: list[int] | None = None  # all
        found: list[tuple[Recording, list[int] | None, Rows]] = []
        with self._lock:
            self._forget_changed()
            for tried in count():
                known = self._recordings.get(signature, [])
                if tried == len(known):
                    self._new(signature, rows.row(0 if left is None else left[0]))
                    known = self._recordings[signature]
                recording = known[tried]
                part = rows if left is None else rows.chosen(left)
                tested = () if recording.tests is None else self._tested(recording, part, recording.tests)
                fits = fitting(recording.outcomes, tested) if recording.outcomes else ()
                if all(fits):
                    mine, left = left, []
                elif any(fits):
                    places = range(rows.count) if left is None else left
                    mine = [i for i, fit in zip(places, fits, strict=True) if fit]
                    left = [i for i, fit in zip(places, fits, strict=True) if not fit]
                    part, tested = rows.chosen(mine), [row for row, fit in zip(tested, fits, strict=True) if fit]
                else:
                    left = list(range(rows.count)) if left is None else left
                    continue
                if recording.checks:
                    verify(recording.checks, part, tested)
                found.append((recording, mine, part))
                self._last = recording
                if not left:
                    self._count_splits(len(found))
                    return found
        raise AssertionError

    def _small_results(self, recording: Recording, numbers: list[float]) -> Any:
        """The results for one example, and what the backend gives behind them."""
        return self._runner(recording, self._small).values(data_of(recording.parameters), [numbers])[0]

    def _count_splits(self, parts: int) -> None:
        """Say once what it costs that Python branches on the data."""
        self._splits += parts > 1
        if self._splits == _MANY_SPLITS:
            self._splits += 1
            warnings.warn(
                f"{self.__name__} branches in Python on its data: {_MANY_SPLITS} batches were split into rows that go "
                "the same way, and each part runs alone. mg.where(mg.greater(x, 0), a, b) chooses within one program, "
                "many times faster",
                RecordingWarning,
                stacklevel=5,
            )

    def _tested(self, recording: Recording, rows: Rows, tests: Recording) -> Any:
        """What the tests of a recording give for each row."""
        compares_data = len(tests.trace) <= len(recording.outcomes)  # else eager's bits decide at a tie
        runner = self._runner(tests, self._choose(tests, rows.count) if compares_data else self._small)
        return runner.values(data_of(tests.parameters), _fed(runner, rows))

    def _choose(self, recording: Recording, count: int, gradient: bool = False, before: int = 0) -> str:
        """The backend for this many rows, before which so many were not counted."""
        wanted: str = self._options["backend"]
        self._ran()
        if wanted != "auto":
            self._tier = Tier(wanted, f"backend={wanted!r}")
            return wanted
        if self._options["exact"]:
            self._tier = Tier(self._small, "exact=True")
        else:
            plan = "native" if find_native() else "numpy" if installed("numpy") else None
            self._tier = choose(recording, count, gradient, self._small, plan, before)
        return self._tier.name

    def _runner(self, recording: Recording, backend: str) -> Any:
        runner = recording.runners.get(backend)
        if runner is None:
            with self._lock:
                runner = make_runner(recording, backend, self._options)
                recording.runners[backend] = runner
        return runner


def _named(shapes: list[Signature], keywords: tuple[str, ...]) -> tuple[Signature, ...]:
    """The shapes of all arguments; that of a keyword argument bears its name."""
    count = len(shapes) - len(keywords)
    return (*shapes[:count], *map(Keyword, keywords, shapes[count:]))


def make_runner(recording: Recording, backend: str, options: dict[str, Any]) -> Any:
    """The program of a recording on a backend."""
    if backend == "interpreter":
        return program(recording)
    trace = recording.trace
    if backend == "python":
        return PythonRunner(trace.program(), trace.inputs)
    if backend == "numpy":
        from .numpy_backend import NumpyRunner

        return NumpyRunner(trace)
    from .native_backend import NativeRunner

    if backend == "arguments":  # native, by the arguments: they count as parameters
        trace = trace.extended(trace.outputs, [])
        trace.inputs = 0
    return NativeRunner(trace, options["threads"])


def find_native() -> bool:
    """Whether there is native code for array instructions, and what writes these down, and it may be used."""
    return native_engine and installed("numpy") and installed(f"{__package__.partition('.')[0]}._native")


_alive: weakref.WeakSet[Compiled] = weakref.WeakSet()


def _forked() -> None:
    """A child has none of the threads that held a lock."""
    for each in list(_alive):
        each._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _fed(runner: Any, rows: Rows) -> Any:
    return rows.lists() if runner.name in ("python", "interpreter") else rows


def _gathered(parts: list[tuple[list[int] | None, Any, Recording]], count: int) -> Any:
    """The results of all rows in order, in the shape of the result with the batch in front."""
    which, outputs, recording = parts[0]
    results = recording.results
    if any(r.result != recording.result for _, _, r in parts):
        raise TypeError("the function returns results of different shapes for different rows, which map cannot stack")
    if len(parts) > 1 or which is not None:
        merged: list[Any] = [None] * count
        for which, found, _ in parts:
            for i, row in zip(range(count) if which is None else which, found, strict=True):
                merged[i] = list(row[:results])  # the interpreter gives the tests, too
        outputs = merged
    np = numpy()
    if np is None:
        return [row[0] if recording.result is None else build(recording.result, iter(row)) for row in outputs]
    return stacked(recording.result, np.asarray(outputs, dtype=float).reshape(count, -1))


class CompiledProgram:
    """The recorded operations of a compiled function, to look at."""

    def __init__(self, step: Compiled, recording: Recording) -> None:
        self._step = step
        self._recording = recording

    @property
    def recorded(self) -> Program:
        """The program itself: its inputs are the arguments' numbers, then the parameters."""
        program, results = self._recording.program, self._recording.results
        return Program(program.inputs, program.rows, program.args, program.outputs[:results], program.names)

    def __len__(self) -> int:
        return len(self._recording.program)

    def __str__(self) -> str:
        return str(self.recorded)

    def __repr__(self) -> str:
        return repr(self.recorded)

    def graph(self, *arguments: Any) -> Any:
        """The results as Values, at these arguments (0 unless given): `mg.draw(step.program.graph())`."""
        numbers = [0.0] * self._recording.inputs
        if arguments:
            numbers = self._step._flat(arguments, {})[1]
        roots = self.recorded.graph([*numbers, *data_of(self._recording.parameters)])
        return roots[0] if self._recording.scalar else build(self._recording.result, iter(roots))

    def source(self, backend: str = "python") -> str:
        """What a backend made of it, as text: generated "python", or the array instructions of "numpy" or "native"."""
        if backend not in BACKENDS[1:]:
            raise ValueError(f"backend must be one of {', '.join(map(repr, BACKENDS[1:]))}, not {backend!r}")
        _require(backend)
        return self._step._runner(self._recording, backend).source()  # type: ignore[no-any-return]
