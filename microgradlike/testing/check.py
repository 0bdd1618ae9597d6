"""check_gradients: are the derivatives of a function right, to the last digits that rounding leaves?"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from .. import floats
from ..graph.engine import Value, cotangents, topological_order, values
from ..graph.installed import installed
from ..graph.modes import recording_again
from ..graph.transforms import _push, gradients
from ..messages import printable
from .arithmetic import Doubles
from .judges import (
    Recording,
    Verdict,
    by_complex_step,
    by_differences,
    by_mpmath,
    carefully_by_mpmath,
    values_by_mpmath,
)
from .rounding import own_error, rounding_bounds, sweep_bounds
from .subject import Subject

JUDGES = ("mpmath", "complex", "differences")
MODES = ("forward", "reverse")
_EACH_UP_TO = 24  # inputs that are judged one by one; more are judged along some random directions
_OUTPUTS_UP_TO = 12  # derivatives that are differentiated again one by one; more are summed with random weights
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class GradientError(AssertionError):
    """A derivative is wrong. The message says which, by how much, and which primitive is to blame.

    Attributes:
        finding: the derivative that is off by most.
        culprit: the name of the primitive whose own derivative or value is wrong; None if each is right by itself.
    """

    def __init__(self, message: str, finding: Finding | None = None, culprit: str | None = None) -> None:
        super().__init__(message)
        self.finding, self.culprit = finding, culprit


class Finding(NamedTuple):
    """One derivative and what the judge says of it.

    Attributes:
        what: which derivative, say "∂²f/∂x∂y".
        order: its order.
        mode: how it was computed, "forward" or "reverse"; "value" for the result of f itself.
        got: the number.
        reference: the judge's; None if it could not be judged, at a pole or where numbers overflow.
        ulps: the error in units in the last place of the reference.
        allowed: how many ulps rounding alone explains, by a first-order error analysis.
        judge: "mpmath", "complex step" or "differences".
    """

    what: str
    order: int
    mode: str
    got: float
    reference: float | None
    ulps: float
    allowed: float
    judge: str

    @property
    def right(self) -> bool:
        """Whether the error is one of rounding, or could not be judged."""
        return self.reference is None or self.ulps <= self.allowed


@dataclass(frozen=True)
class GradientReport:
    """What check_gradients looked at; all of it was right.

    Attributes:
        findings: every derivative that was judged.
        unjudged: those that could not be, because they are infinite or rounding decides them.
    """

    findings: tuple[Finding, ...]
    unjudged: tuple[Finding, ...] = field(default=())

    @property
    def worst(self) -> Finding:
        """The one with the largest error in ulp."""
        return max(self.findings, key=lambda finding: finding.ulps)

    def __str__(self) -> str:
        judges = " and ".join(sorted({finding.judge for finding in self.findings}))
        worst = self.worst
        text = f"{len(self.findings)} derivatives are right, judged by {judges}; the worst is {_described(worst)}"
        return printable(text + (f"; {len(self.unjudged)} could not be judged" if self.unjudged else ""))

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(str(self))  # in IPython


def check_gradients(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 2,
    modes: Sequence[str] = MODES,
    judge: str | None = None,
    ulps: float = 0.0,
) -> GradientReport:
    """Check the derivatives of f at these inputs, forward and reverse, up to an order.

    The computation that f records is run again by a judge that knows none of the derivative rules: with mpmath in
    hundreds of bits where it is installed, else by the complex step, else by extrapolated differences. An error is
    accepted only if rounding explains it, to a few ulp of each operation. f itself is also called at nearby
    inputs, which shows what it hides from the graph. Derivatives are then differentiated and checked in the same
    way, up to `order`. At a kink of a primitive, the primitive's own derivative must lie between the one-sided ones.

    Args:
        f: a function that returns one Value, or lists, tuples or dicts of them.
        *inputs: where to check: numbers, Values, or nested lists, tuples, dicts or arrays of them, all finite.
        order: the highest order of derivative, at least 1.
        modes: "forward", "reverse" or both.
        judge: "mpmath", "complex" or "differences" to insist on one (with differences to fall back on).
        ulps: an error, in units in the last place, to allow on top of what rounding explains.

    Returns:
        A GradientReport: how many derivatives were judged, and the worst error in ulp.

    Raises:
        GradientError: an AssertionError; it names the derivative, the error in ulp and the primitive to blame.
        TypeError: f returns no Value, or an input is no number.
        ValueError: f changes its inputs or depends on chance; an input or the result is not finite; nothing could
            be judged there (within a Hypothesis test such an example is rejected, as by assume()); an argument is
            out of range.

    Example:
        >>> import microgradlike as mg
        >>> from microgradlike.testing import check_gradients
        >>> report = check_gradients(lambda x, y: mg.tanh(x * y) / x, 0.5, 2.0)
        >>> report.worst.ulps < 20
        True

        A rule with a mistake, found at the primitive that has it:

        >>> wrong = mg.primitive(
        ...     "wrong_cube", lambda m, g, z, x: g * (2.0 * m.square(x)), formula=lambda m, x: x * x * x, doc="x³"
        ... )
        >>> try:
        ...     check_gradients(lambda x: mg.exp(wrong(x)), 0.5)
        ... except AssertionError as error:
        ...     print(error.culprit)
        wrong_cube
        >>> del mg.ops.TABLE["wrong_cube"]
    """
    _check_arguments(f, inputs, order, modes, judge, ulps)
    name = getattr(f, "__name__", "f")
    subject = Subject(f, inputs, name if name.isidentifier() else "f")
    check = _Check(subject, judge, tuple(modes), ulps)
    with recording_again():  # also within no_grad()
        check.level(subject.recorded(), [(output, ()) for output in subject.outputs], 1, order)
    if not check.findings:
        _reject_in_hypothesis()
        raise ValueError(
            f"nothing could be judged at {subject.point()}: it is a kink or a pole, or rounding decides the "
            "derivatives there; choose another point"
        )
    return GradientReport(tuple(check.findings), tuple(check.unjudged))


def _has_no_second(recording: Recording) -> bool:
    """Whether derivatives go through |x| at 0 or a tie: a first one is there by convention, a second one is nan."""
    at: dict[str, Callable[..., bool]] = {"side": lambda x: x == 0.0, "share": lambda x, y: x == y}
    return any(
        at[v.op.name](*[x if type(x) is float else x.data for x in v.args])
        for v in recording.order
        if v.op is not None and v.op.name in at
    )


def _reject_in_hypothesis() -> None:
    """Within a test by Hypothesis, give up on this example as assume() does."""
    if "hypothesis" in sys.modules:
        from hypothesis import currently_in_test_context, reject

        if currently_in_test_context():
            reject()


def _check_arguments(f: Any, inputs: Any, order: Any, modes: Any, judge: Any, ulps: Any) -> None:
    if not callable(f):
        raise TypeError(f"f must be a function, not {type(f).__name__}")
    if not inputs:
        raise TypeError("inputs are missing: check_gradients(f, *inputs) needs a point to check f at")
    if not isinstance(order, int) or isinstance(order, bool):
        raise TypeError(f"order must be an integer, not {order!r}")
    if order < 1:
        raise ValueError(f"order must be at least 1, not {order}")
    if isinstance(modes, str) or not modes or any(mode not in MODES for mode in modes):
        raise ValueError(f"modes must be some of {MODES}, not {modes!r}")
    if judge not in (None, *JUDGES):
        raise ValueError(f"judge must be one of {JUDGES}, not {judge!r}")
    if judge == "mpmath" and not installed("mpmath"):
        raise ImportError("judge='mpmath' needs mpmath, which is not installed: pip install mpmath")
    if not ulps >= 0.0:
        raise ValueError(f"ulps must be at least 0, not {ulps!r}")


# ── the check ───────────────────────────────────────────────────────────────────────────────────
class _Check:
    def __init__(self, subject: Subject, judge: str | None, modes: tuple[str, ...], ulps: float) -> None:
        self.subject, self.modes, self.ulps = subject, modes, ulps
        self.judge = judge or ("mpmath" if installed("mpmath") else "complex")
        self.findings: list[Finding] = []
        self.unjudged: list[Finding] = []

    def level(self, recording: Recording, names: list[tuple[str, tuple[str, ...]]], order: int, highest: int) -> None:
        """Check the first derivatives of every output of `recording`, then those of its derivatives."""
        if order == 1 and self.judge == "mpmath":
            self._values(recording, [name for name, _ in names])
        derivatives = [gradients(y, recording.inputs) for y in recording.outputs]
        failures: list[tuple[Finding, int]] = []
        for what, direction in self._directions():
            verdicts = self._verdicts(recording, direction)
            for k, (y, (output, by)) in enumerate(zip(recording.outputs, names, strict=True)):
                for mode in self.modes if recording.depends(y) else ():
                    got, bound = _computed(mode, y, derivatives[k], recording.inputs, direction)
                    finding = self._judged(_derivative(output, (*by, what)), order, mode, got, bound, verdicts[k])
                    if not finding.right:
                        finding = self._judged(
                            finding.what, order, mode, got, bound, self._second_opinion(recording, direction, k)
                        )
                    if math.isnan(finding.got) and _has_no_second(recording):
                        self.findings.append(finding._replace(reference=math.nan, ulps=0.0))
                    elif not finding.right:
                        failures.append((finding, k))
                    elif finding.reference is None:
                        self.unjudged.append(finding)
                    else:
                        self.findings.append(finding)
        if failures:
            culprit = self._culprit(recording)
            if culprit is not None or not recording.at_a_kink():
                self._fail(max(failures, key=lambda failure: failure[0].ulps)[0], culprit)
            # Conventions at kinks do not compose: of min(x, relu(x)), which is x, the rules make ½ at 0.
            self.unjudged.extend(finding._replace(reference=None) for finding, _ in failures)
        if order == 1:
            self._hidden(recording)
        if order < highest and any(recording.depends(g) for gs in derivatives for g in gs):
            following = _following(recording)
            self._same_nearby(recording, following, order)
            further = [(output, (*by, x)) for output, by in names for x in self.subject.names]
            if len(further) > len(following.outputs):
                further = [(names[0][0], ("(all inputs)",) * order)]
            self.level(following, further, order + 1, highest)

    def _directions(self) -> list[tuple[str, list[float]]]:
        n = len(self.subject.numbers)
        if n <= _EACH_UP_TO:
            return list(zip(self.subject.names, self._each(n), strict=True))
        random = Random(0)
        return [(f"(direction {k})", self._direction(random)) for k in range(8)]

    def _direction(self, random: Random) -> list[float]:
        return [random.choice((-1.0, 1.0)) * random.uniform(0.5, 1.5) * (abs(x) or 1.0) for x in self.subject.numbers]

    # ── judging ─────────────────────────────────────────────────────────────────────────────────
    def _verdicts(self, recording: Recording, direction: Sequence[float]) -> list[Verdict | None]:
        if self.judge == "mpmath":
            return by_mpmath(recording, direction)
        none: list[Verdict | None] = [None] * len(recording.outputs)
        verdicts = by_complex_step(recording, direction) if self.judge == "complex" else none
        return [_differences(recording, direction, k) if v is None else v for k, v in enumerate(verdicts)]

    def _second_opinion(self, recording: Recording, direction: Sequence[float], k: int) -> Verdict | None:
        """Before anything is called wrong: the judge once more, with more care."""
        if self.judge == "mpmath":
            return carefully_by_mpmath(recording, direction)[k]
        if self.judge == "complex":
            return by_complex_step(recording, direction)[k] or _differences(recording, direction, k)
        return _differences(recording, direction, k, 0.037)

    def _judged(self, what: str, order: int, mode: str, got: float, bound: float, verdict: Verdict | None) -> Finding:
        if verdict is None or not (bound < math.inf or not math.isfinite(got)):
            return Finding(what, order, mode, got, None, 0.0, math.inf, self.judge)
        reference = verdict.nearest(got)
        if not math.isfinite(reference):
            return Finding(what, order, mode, got, None, 0.0, math.inf, verdict.judge)
        ulp = math.ulp(reference)
        allowed = self.ulps + ((bound + verdict.error) / ulp if math.isfinite(got) else 0.0)
        return Finding(what, order, mode, got, reference, verdict.distance(got) / ulp, allowed, verdict.judge)

    def _values(self, recording: Recording, names: list[str]) -> None:
        """The results of f themselves: a formula and what computes it must agree."""
        bounds = rounding_bounds(recording.order, recording.inputs)
        for name, y, exact in zip(names, recording.outputs, values_by_mpmath(recording), strict=True):
            if exact == exact and abs(exact) < 1.7e308 and bounds[y] < math.inf:
                verdict = Verdict(exact, exact, 0.0, "mpmath")
                finding = self._judged(name, 0, "value", y.data, bounds[y], verdict)
                if not finding.right:
                    self._fail(finding, self._culprit(recording))

    def _hidden(self, recording: Recording) -> None:
        """Call f itself at nearby inputs: it must compute there what its graph computes."""
        names = self.subject.names
        directions = [self._direction(Random(1)), *self._each(len(names) if len(names) <= 200 else 0)]
        for k in range(len(recording.outputs)):
            if not self._strays(recording, k, directions[0]):
                continue
            y = recording.outputs[k]
            gs = cotangents([y], [1.0], recording.inputs)
            bounds = _gradient_bounds(y, gradients(y, recording.inputs), recording.inputs)
            if self._agrees(k, gs, bounds, directions[0]):
                continue  # another branch just beside the point, which joins smoothly
            to_blame = [
                name
                for name, direction in zip(names, directions[1:], strict=False)
                if self._strays(recording, k, direction)
            ]
            if len(to_blame) > 5:
                to_blame[4:] = [f"{len(to_blame) - 4} more"]
            raise GradientError(
                f"{self.subject.outputs[k]} depends on {', '.join(to_blame) or 'its inputs'} in a way that its graph "
                f"does not show, at {self.subject.point()}: nearby, f computes something else than the graph it "
                "recorded. It reads .data, calls detach(), or computes beside the graph"
            )

    def _strays(self, recording: Recording, k: int, direction: list[float]) -> bool:
        """Whether f differs from its graph on both sides of the point, however near."""
        f, doubles = self.subject.along(direction, k), Doubles()
        size = _size(self.subject.numbers, direction)
        for exponent in (-16, -24, -32):
            for sign in (1.0, -1.0):
                t = sign * size * 2.0**exponent
                xs = [x.data + t * d for x, d in zip(recording.inputs, direction, strict=True)]
                expected = float(recording.run(doubles, xs)[k])
                got = f(t)
                if got == expected or (got != got and expected != expected):
                    return False
        return True

    def _same_nearby(self, recording: Recording, following: Recording, order: int) -> None:
        """The graph of the derivatives must be that of their function: the same as is made anew at nearby inputs."""
        direction = self._direction(Random(2))
        size = _size(self.subject.numbers, direction)
        doubles, odd = Doubles(), 0
        for sign in (1.0, -1.0):
            numbers = [x + sign * size * 2.0**-16 * d for x, d in zip(self.subject.numbers, direction, strict=True)]
            inputs, results = self.subject.call(numbers)
            anew = Recording([y for y in results if isinstance(y, Value)], inputs)
            for _ in range(order):
                anew = _following(anew)
            if len(anew.outputs) != len(following.outputs):
                return  # another branch there
            replayed = following.run(doubles, numbers)
            odd += any(_apart(y.data, z) for y, z in zip(anew.outputs, replayed, strict=True))
        if odd == 2 and not recording.at_a_kink():
            culprit = self._forgetful(recording)
            blame = f"primitive {culprit!r}: its rule computes with plain numbers" if culprit else "no single primitive"
            raise GradientError(
                f"derivatives of order {order + 1} are wrong at {self.subject.point()}: those of order {order} "
                f"depend on the inputs in a way that their graph does not show\n  culprit    {blame}",
                None,
                culprit,
            )

    def _forgetful(self, recording: Recording) -> str | None:
        """The primitive whose derivative, as a graph, does not follow its operands."""
        doubles = Doubles()
        for v in recording.order:
            if v.op is None:
                continue
            x = [a if type(a) is float else a.data for a in v.args]
            near = [a if type(b) is float else a * (1.0 + 2.0**-16) + 2.0**-40 for a, b in zip(x, v.args, strict=True)]
            active = [type(a) is not float for a in v.args]
            here, there = Recording.of_row(v.op, x, active), Recording.of_row(v.op, near, active)
            if here is None or there is None:
                continue
            replayed = _following(here).run(doubles, [leaf.data for leaf in there.inputs])
            if any(_apart(y.data, z) for y, z in zip(_following(there).outputs, replayed, strict=True)):
                return v.op.name
        return None

    @staticmethod
    def _each(n: int) -> list[list[float]]:
        return [[float(k == i) for k in range(n)] for i in range(n)]

    def _agrees(self, k: int, gs: list[float], bounds: list[float], direction: list[float]) -> bool:
        got = math.fsum(g * d for g, d in zip(gs, direction, strict=True))
        bound = math.fsum(b * abs(d) for b, d in zip(bounds, direction, strict=True))
        f = self.subject.along(direction, k)
        size = 0.1 * _size(self.subject.numbers, direction)
        for factor in (1.0, 0.037, 0.0011):
            verdict = by_differences(f, factor * size)
            if verdict is None or not bound < math.inf or verdict.distance(got) <= verdict.error + bound:
                return True
        return False

    # ── blaming ─────────────────────────────────────────────────────────────────────────────────
    def _fail(self, finding: Finding, culprit: tuple[str, str] | None) -> None:
        lines = [
            f"{finding.what} is wrong at {self.subject.point()}",
            f"  got        {finding.got!r}  ({finding.mode})" if finding.order else f"  got        {finding.got!r}",
            f"  reference  {finding.reference!r}  ({finding.judge})",
            f"  error      {finding.ulps:.3g} ulp, of which rounding explains {finding.allowed:.3g}",
            f"  culprit    {culprit[1]}" if culprit else "  culprit    none: each primitive alone is right to rounding",
        ]
        raise GradientError("\n".join(lines), finding, culprit[0] if culprit else None)

    def _culprit(self, recording: Recording) -> tuple[str, str] | None:
        """The primitive that is worst by itself, at the operands it had."""
        worst, found = 0.0, None
        seen: set[Any] = set()
        for v in recording.order:
            if v.op is None or len(seen) > 2000:
                continue
            x = [a if type(a) is float else a.data for a in v.args]
            active = tuple(type(a) is not float for a in v.args)
            if (v.op, tuple(x), active) in seen:
                continue
            seen.add((v.op, tuple(x), active))
            row = Recording.of_row(v.op, x, active)
            if row is None or not all(map(math.isfinite, [v.data, *x])):
                continue
            operands = ", ".join(f"{number:.17g}" for number in x)
            parameters = [_parameter(v.op, i, len(x)) for i, moves in enumerate(active) if moves]
            if not _linear(row.outputs[0]):
                return v.op.name, f"primitive {v.op.name!r}: its rule is not linear in g, at ({operands})"
            for finding in self._alone(row, parameters):
                excess = finding.ulps - finding.allowed
                if excess > worst:
                    worst = excess
                    found = (
                        v.op.name,
                        f"primitive {v.op.name!r}: {finding.what} at ({operands}) is {finding.got!r}, "
                        f"not {finding.reference!r} ({finding.ulps:.3g} ulp)",
                    )
        return found

    def _alone(self, row: Recording, parameters: list[str]) -> Iterator[Finding]:
        (y,) = row.outputs
        name = y.op.name if y.op is not None else "?"
        if self.judge == "mpmath":
            (exact,) = values_by_mpmath(row)
            if exact == exact and abs(exact) < 1.7e308:
                bound = rounding_bounds(row.order, row.inputs)[y]
                yield self._judged(f"{name} itself", 0, "value", y.data, bound, Verdict(exact, exact, 0.0, "mpmath"))
        derivatives = gradients(y, row.inputs)
        for i, parameter in enumerate(parameters):
            direction = [float(i == j) for j in range(len(parameters))]
            (verdict,) = self._verdicts(row, direction)
            for mode in self.modes:
                got, bound = _computed(mode, y, derivatives, row.inputs, direction)
                yield self._judged(_derivative(name, (parameter,)), 1, mode, got, bound, verdict)


def _following(recording: Recording) -> Recording:
    """The derivatives of all outputs by all inputs; where these are many, their sum with random weights."""
    derivatives = [g for y in recording.outputs for g in gradients(y, recording.inputs)]
    if len(derivatives) > _OUTPUTS_UP_TO:
        random = Random(0)
        weights = [random.choice((-1.0, 1.0)) * random.uniform(0.5, 1.5) for _ in derivatives]
        derivatives = [values.dot(*weights, *derivatives)]
    return Recording(derivatives, recording.inputs)


def _apart(x: float, y: float) -> bool:
    return abs(x - y) > 1e-9 * (abs(x) + abs(y))


def _linear(y: Value) -> bool:
    """Whether the rule of y's row gives, for a gradient of -3, -3 times what it gives for 1."""
    row: Any = y.op
    x = [a if type(a) is float else a.data for a in y.args]
    ones, threes = (row.cotangents(floats, g, y.data, *x) for g in (1.0, -3.0))
    for one, three in zip(ones, threes, strict=True):
        if one is not None and math.isfinite(one) and abs(three + 3.0 * one) > 64.0 * math.ulp(3.0 * one):
            return False
    return True


def _parameter(row: Any, i: int, count: int) -> str:
    names = row.parameters
    return names[i] if len(names) == count and "*" not in names[i] else f"operand {i}"


def _computed(
    mode: str, y: Value, derivatives: list[Value], inputs: list[Value], direction: Sequence[float]
) -> tuple[float, float]:
    """The derivative of y along a direction by one mode, and how far rounding may have moved it."""
    if mode == "forward":
        along = {x: d for x, d in zip(inputs, direction, strict=True) if d}
        tangent: Any = _push(y, along.items())
        lost = math.fsum(b * abs(d) for b, d in zip(sweep_bounds(y, inputs), direction, strict=True) if d)
        if not isinstance(tangent, Value):
            return float(tangent), own_error(float(tangent)) + lost
        return tangent.data, rounding_bounds(topological_order(tangent), inputs, True)[tangent] + lost
    swept = cotangents([y], [1.0], inputs)
    bounds = _gradient_bounds(y, derivatives, inputs)
    for g, derivative in zip(swept, derivatives, strict=True):
        if g != derivative.data and not (g != g and derivative.data != derivative.data):
            # The sweep over floats and the graph of the gradient interpret the same rules: both are checked.
            worse = max(abs(g - derivative.data) - 2 * max(bounds), 0.0)
            if worse > 0.0:
                return g, max(bounds)
    pairs = [(g, b, d) for g, b, d in zip(swept, bounds, direction, strict=True) if d]
    got = math.fsum(g * d for g, _, d in pairs) if len(pairs) > 1 else pairs[0][0] * pairs[0][2]
    return got, math.fsum(b * abs(d) for _, b, d in pairs) + (math.ulp(got) * 4 if len(pairs) > 1 else 0.0)


def _gradient_bounds(y: Value, derivatives: list[Value], inputs: list[Value]) -> list[float]:
    bounds = rounding_bounds(topological_order(derivatives), inputs, True)
    return [bounds[g] + lost for g, lost in zip(derivatives, sweep_bounds(y, inputs), strict=True)]


def _differences(recording: Recording, direction: Sequence[float], k: int, factor: float = 1.0) -> Verdict | None:
    """Extrapolated differences of the recorded computation in doubles."""
    doubles = Doubles()

    def f(t: float) -> float:
        xs = [x.data + t * d for x, d in zip(recording.inputs, direction, strict=True)]
        return float(recording.run(doubles, xs)[k])

    return by_differences(f, 0.1 * factor * _size([x.data for x in recording.inputs], direction))


def _size(numbers: Sequence[float], direction: Sequence[float]) -> float:
    """How far one can go along a direction before an input changes as a whole."""
    return min((abs(x / d) for x, d in zip(numbers, direction, strict=True) if x and d), default=1.0)


def _derivative(output: str, by: tuple[str, ...]) -> str:
    n = "" if len(by) == 1 else str(len(by)).translate(_SUPERSCRIPTS)
    return f"∂{n}{output}/" + "".join(f"∂{x}" for x in by)


def _described(finding: Finding) -> str:
    how = f" ({finding.mode})" if finding.order else ""
    return f"{finding.what}{how}, off by {finding.ulps:.2g} ulp where rounding explains {finding.allowed:.2g}"
