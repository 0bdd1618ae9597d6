"""Accuracy: value and every partial of every row, in units in the last place. Two judges, neither of them ours.

1. data/primitives-sample.jsonl.gz: 9,845 cases of 61 operations, ordinary and extreme, computed with 1,400 bits
   elsewhere. Not one may be off by more than 2 ulp, and infinities, nan and zeros must be those of the file.
2. mpmath: the value of each row, written once more below in arbitrary precision, and its partials as central
   differences of that value (so no rule of ours is involved), at points that Hypothesis chooses: anywhere among the
   doubles, in the row's domain, and a few floats beside its trouble points and beside the places where
   floats.py changes its formula.
"""

from __future__ import annotations

import gzip
import json
import math
import platform
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from functools import partial as partial_function
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from microgradlike import floats
from microgradlike.floats import accurate, careful, words
from microgradlike.graph.sweep import Slopes
from microgradlike.ops import TABLE, Op

mpmath = pytest.importorskip("mpmath", reason="the judge computes in arbitrary precision with mpmath")
from mpmath import mp, mpf  # noqa: E402

# The bounds hold where they were measured: glibc on 64-bit machines. exp, log, sin, pow are within 0.52 ulp there;
# another C library's may err by one ulp more, which a product of two then doubles.
MEASURED_HERE = platform.libc_ver()[0] == "glibc" and platform.machine() in ("x86_64", "aarch64")
ULPS = 2.0 if MEASURED_HERE else 6.0


class Careful:
    """The namespace of C and NumPy where both take care: the careful formulas, and floats for the rest."""

    def __getattr__(self, name: str) -> Any:
        formula = careful.ROWS.get(name)
        return getattr(floats, name) if formula is None else partial_function(formula, words)


NAMESPACES = {"floats": floats, "careful": Careful()}
either = pytest.mark.parametrize("m", NAMESPACES.values(), ids=NAMESPACES)


def computed(row: Op, *x: float, m: Any = floats) -> tuple[float, list[float | None]]:
    """Value and partials, as a Value gets them."""
    z = row.on(m)(*x)
    return z, list(row.cotangents(Slopes(m), 1.0, z, *x))


# ── the reference file ──────────────────────────────────────────────────────────────────────────
NAMES = {
    "neg": "negative", "sub": "subtract", "mul": "multiply", "div": "divide", "min": "minimum", "max": "maximum",
    "gelu_erf": "gelu", "elu_a0.7": "elu", "celu_a1.5": "celu", "bce": "binary_cross_entropy",
    "bce_logits": "binary_cross_entropy_with_logits", "ce_logits": "cross_entropy", "mse": "mean_squared_error",
}  # fmt: skip


@lru_cache
def reference() -> dict[str, list[dict[str, Any]]]:
    cases: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(Path(__file__).with_name("data") / "primitives-sample.jsonl.gz", "rt") as lines:
        for line in lines:
            case = json.loads(line)
            cases.setdefault(case["op"], []).append(case)
    return cases


def distance(got: float, nearest: float, fraction: float) -> float:
    """The error in ulp of `got`, where the truth is `nearest` and `fraction` of its last place."""
    if math.isnan(nearest) or math.isnan(got):
        return 0.0 if math.isnan(nearest) == math.isnan(got) else math.inf
    if math.isinf(nearest) or math.isinf(got):
        return 0.0 if got == nearest else math.inf
    return abs(float((Fraction(got) - Fraction(nearest)) / Fraction(math.ulp(nearest))) - fraction)


def inputs(case: dict[str, Any]) -> tuple[list[float], list[float], bool]:
    """The operands, the parameters, and whether these come first (an index) or last."""
    x = [float.fromhex(number) for number in case["inputs"]]
    return x, [float(number) for number in case["params"].values()], bool({"index", "target"} & set(case["params"]))


@either
@pytest.mark.parametrize("name", sorted(reference()))
def test_every_case_of_the_reference_is_met(name, m, record_property):
    row, wrong, worst, numbers, specials = TABLE[NAMES.get(name, name)], [], 0.0, 0, 0
    for case in reference()[name]:
        x, parameters, leading = inputs(case)
        z, partials = computed(row, *parameters, *x, m=m) if leading else computed(row, *x, *parameters, m=m)
        partials = partials[1:] if leading else partials[: len(x)]
        expected = [("v", case["value"], case["value_frac"], z)]
        for i, g in enumerate(zip(case["grads"], case["grads_frac"], partials, strict=True)):
            expected.append((f"g{i}", *g))
        for field, truth, fraction, got in expected:
            if field not in case["soft"]:  # soft: a convention, not mathematics
                nearest = float.fromhex(truth)
                error = distance(got, nearest, fraction)
                worst, numbers, specials = (
                    max(worst, error),
                    numbers + 1,
                    specials + (not nearest or nearest - nearest != 0),
                )
                if not error <= ULPS:
                    wrong.append(f"{case['kind']}: {field} at {x} is {nearest!r}, not {got!r}: {error:.3g} ulp")
    assert not wrong, "\n".join(wrong)
    if m is floats:
        for figure, found in (("cases", len(reference()[name])), ("numbers", numbers), ("specials", specials)):
            record_property(figure, found)
        record_property("worst", worst)


# ── mpmath: the value of each row, once more ────────────────────────────────────────────────────
ONE = mpf(1)


def sigma(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def softplus(x: Any) -> Any:
    return max(x, 0) + mp.log1p(mp.exp(-abs(x)))


def cube_root(x: Any) -> Any:
    return mp.sign(x) * mp.cbrt(abs(x))


def erfc(x: Any) -> Any:  # far out mpmath refuses
    return mp.erfc(x) if abs(x) < 1e4 else mpf(0 if x > 0 else 2)


def normal(x: Any) -> Any:
    return erfc(-x / mp.sqrt(2)) / 2


def density(x: Any) -> Any:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def power(x: Any, y: Any) -> Any:
    return x**y if x > 0 else abs(x) ** y * (-1) ** (int(mp.nint(y)) % 2)


def elu(x: Any, alpha: Any) -> Any:
    return x if x > 0 else alpha * mp.expm1(x)


def selu(x: Any) -> Any:  # the constants of Klambauer et al., to 32 digits
    return mpf("1.0507009873554804934193349852946") * elu(x, mpf("1.6732632423543772848170429916717"))


def gelu_argument(x: Any) -> Any:
    return 2 * mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3)


def others(k: Any, xs: Sequence[Any]) -> list[Any]:
    return [*xs[: int(k)], *xs[int(k) + 1 :]]


def excess(xs: Sequence[Any]) -> Any:
    """ln Σ exp(x − largest)."""
    top = max(xs)
    return mp.log1p(mp.fsum(mp.exp(x - top) for x in others(list(xs).index(top), xs)))


def log_sum(*xs: Any) -> Any:
    top = max(xs)
    if not -1 < top <= 0:
        return top + excess(xs)
    return mp.log1p(mp.expm1(top) + mp.fsum(mp.exp(x) for x in others(xs.index(top), xs)))


def share(k: Any, *xs: Any) -> Any:
    return mp.exp(xs[int(k)] - max(xs)) / mp.fsum(mp.exp(x - max(xs)) for x in xs)


def share_of_others(k: Any, *xs: Any) -> Any:
    top = max(xs)
    return mp.fsum(mp.exp(x - top) for x in others(k, xs)) / mp.fsum(mp.exp(x - top) for x in xs)


def surprise(k: Any, *xs: Any) -> Any:
    return (max(xs) - xs[int(k)]) + excess(xs)


def halves(xs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    return xs[: len(xs) // 2], xs[len(xs) // 2 :]


def of_halves(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *xs: f(*halves(xs))


def dot(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    return mp.fsum(x * y for x, y in zip(xs, ys, strict=True))


TRUTH: dict[str, Callable[..., Any]] = {
    "positive": lambda x: +x,
    "negative": lambda x: -x,
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "reciprocal": lambda x: 1 / x,
    "remainder": lambda x, y: x - y * mp.floor(x / y),
    "pow": power,
    "square": lambda x: x * x,
    "sqrt": lambda x: mp.sqrt(x),
    "cbrt": cube_root,
    "abs": lambda x: abs(x),
    "sign": lambda x: mp.sign(x),
    "side": lambda x: mp.sign(x),
    "share": lambda x, y: mpf(0.5 if x == y else 1),
    "exp": lambda x: mp.exp(x),
    "expm1": lambda x: mp.expm1(x),
    "log": lambda x: mp.log(x),
    "log1p": lambda x: mp.log1p(x),
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "logaddexp": log_sum,
    "xlogy": lambda x, y: x * mp.log(y),
    "sin": lambda x: mp.sin(x),
    "cos": lambda x: mp.cos(x),
    "tan": lambda x: mp.tan(x),
    "asin": lambda x: mp.asin(x),
    "acos": lambda x: mp.acos(x),
    "atan": lambda x: mp.atan(x),
    "atan2": lambda y, x: mp.atan2(y, x),
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "sinh": lambda x: mp.sinh(x),
    "cosh": lambda x: mp.cosh(x),
    "tanh": lambda x: mp.tanh(x),
    "asinh": lambda x: mp.asinh(x),
    "acosh": lambda x: mp.acosh(x),
    "atanh": lambda x: mp.atanh(x),
    "erf": lambda x: 1 - erfc(x) if x > 5 else erfc(-x) - 1 if x < -5 else mp.erf(x),
    "erfc": erfc,
    "maximum": lambda x, y: max(x, y),
    "minimum": lambda x, y: min(x, y),
    "clip": lambda x, low, high: min(max(x, low), high),
    "where": lambda c, x, y: x if c else y,
    "floor": lambda x: mp.floor(x),
    "ceil": lambda x: mp.ceil(x),
    "round": lambda x: mp.nint(x),
    "trunc": lambda x: mp.sign(x) * mp.floor(abs(x)),
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "elu": elu,
    "selu": selu,
    "celu": lambda x, alpha: x if x > 0 else alpha * mp.expm1(x / alpha),
    "sigmoid": sigma,
    "log_sigmoid": lambda x: -softplus(-x),
    "softplus": softplus,
    "silu": lambda x: x * sigma(x),
    "mish": lambda x: x * mp.tanh(softplus(x)),
    "gelu": lambda x: x * normal(x),
    "gelu_tanh": lambda x: x * sigma(gelu_argument(x)),
    "sum": lambda *xs: mp.fsum(xs),
    "prod": lambda *xs: mp.fprod(xs),
    "mean": lambda *xs: mp.fsum(xs) / len(xs),
    "dot": of_halves(dot),
    "norm": lambda *xs: mp.sqrt(dot(xs, xs)),
    "logsumexp": log_sum,
    "softmax": share,
    "log_softmax": lambda k, *xs: -surprise(k, *xs),
    "take": lambda k, *xs: xs[int(k)],
    "half_squared_error": lambda p, t: (p - t) ** 2 / 2,
    "mean_squared_error": of_halves(lambda p, t: mp.fsum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / len(p)),
    "binary_cross_entropy": lambda p, y: -(y * mp.log(p) + (1 - y) * mp.log1p(-p)),
    "binary_cross_entropy_with_logits": lambda x, y: softplus(x) - x * y,
    "hinge": lambda s, y: max(0, 1 - s * y),
    "cross_entropy": surprise,
    "soft_cross_entropy": of_halves(lambda xs, ys: dot(ys, [surprise(k, *xs) for k in range(len(xs))])),
    # the helper rows
    "over_square": lambda x, y: x / y**2,
    "difference_over": lambda x, y, n: (x - y) / n,
    "pow_slope": lambda x, y: y * power(x, y) / x,
    "pow_log": lambda x, y: power(x, y) * mp.log(x),
    "cbrt_slope": lambda x: 1 / (3 * cube_root(x) ** 2),
    "sec2": lambda x: mp.sec(x) ** 2,
    "sech2": lambda x: 4 * sigma(2 * x) * sigma(-2 * x),
    "lorentzian": lambda x: 1 / (1 + x * x),
    "asin_slope": lambda x: 1 / mp.sqrt(1 - x * x),
    "atanh_slope": lambda x: 1 / (1 - x * x),
    "acosh_slope": lambda x: 1 / mp.sqrt(x * x - 1),
    "erf_slope": lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x),
    "normal_density": density,
    "normal_cdf": normal,
    "over_norm2": lambda x, y: x / (x * x + y * y),
    "unit_component": lambda x, y: x / mp.sqrt(x * x + y * y),
    "fraction": lambda x, y: x / y,
    "sigmoid_difference": lambda x, y: sigma(x - y),
    "logistic_density": lambda x: sigma(x) * sigma(-x),
    "selu_slope": lambda x: selu(ONE) * (1 if x > 0 else mpf("1.6732632423543772848170429916717") * mp.exp(x)),
    "exp_times": lambda x, y: y * mp.exp(x),
    "exp_quotient": lambda x, y: mp.exp(x / y),
    "celu_gap": lambda x, y: mp.expm1(x / y) - x / y * mp.exp(x / y),
    "silu_slope": lambda x: sigma(x) * (1 + x * sigma(-x)),
    "mish_slope": lambda x: mp.tanh(softplus(x)) + x * sigma(x) * mp.sech(softplus(x)) ** 2,
    "gelu_slope": lambda x: normal(x) + x * density(x),
    "gelu_tanh_slope": lambda x: (
        sigma(gelu_argument(x)) * (1 + (3 * gelu_argument(x) - 4 * mp.sqrt(2 / mp.pi) * x) * sigma(-gelu_argument(x)))
    ),
    "softmax_slope": lambda k, j, *xs: share(k, *xs) * (share_of_others(k, *xs) if k == j else -share(j, *xs)),
    "one_minus_softmax": share_of_others,
    "softmax_minus": lambda k, *xs: share(k, *halves(xs)[0]) * mp.fsum(halves(xs)[1]) - halves(xs)[1][int(k)],
    "logit": lambda p: mp.log(p) - mp.log1p(-p),
    "binary_cross_entropy_slope": lambda p, y: (p - y) / (p * (1 - p)),
    "sigmoid_minus": lambda x, y: sigma(x) - y,
}
COMPARISONS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "defined"}  # see test_floats.py

# Where floats.py changes its formula, and where doubles end.
EDGES = (
    5e-324, 2.2250738585072014e-308, 1e-300, 1e-160, 1e-16, 1e-8, 0.15, 0.2, 0.46, 0.5, 0.55, 0.66, 1.0, 1.4, 2.0, 9.0,
    20.0, 23.0, 27.3, 39.0, 40.0, 350.0, 700.0, 708.0, 709.78, 744.4, 800.0, 1e9, 2.0**52, 2.0**53, 1e16, 1e150, 1e155,
    1e300, 1.7976931348623157e308,
)  # fmt: skip


def beside(x: float, steps: int) -> float:
    for _ in range(abs(steps)):
        x = math.nextafter(x, math.copysign(math.inf, steps))
    return x


def numbers(row: Op, i: int) -> st.SearchStrategy[float]:
    """Argument i of a row: anywhere, in its domain, where exp is neither 0 nor infinite, and beside awkward points."""
    low, high = row.domain[min(i, len(row.domain) - 1)]
    awkward = st.sampled_from([*row.trouble, *EDGES, *(-x for x in EDGES)])
    return st.one_of(
        st.floats(low, high),
        st.floats(allow_nan=False, allow_infinity=False),
        st.floats(-760.0, 760.0),
        st.builds(beside, awkward, st.integers(-4, 4)),
        st.builds(lambda x, y: x + y, st.sampled_from(row.trouble or (0.0,)), st.floats(-0.01, 0.01)),
    )


INDICES = {
    "softmax": 1, "log_softmax": 1, "cross_entropy": 1, "take": 1, "one_minus_softmax": 1, "softmax_minus": 1,
    "softmax_slope": 2,
}  # fmt: skip


@st.composite
def arguments(draw: st.DrawFn, row: Op) -> list[float]:
    """Operands of a row; some of them such that its terms nearly cancel."""
    name = row.name
    if row.arity is None:
        n = draw(st.integers(1, 3))
        probabilities = name in ("soft_cross_entropy", "softmax_minus")
        wide = st.floats(-800.0, 800.0) if probabilities else numbers(row, 0)
        number = draw(st.sampled_from([st.floats(-3.0, 3.0), st.floats(-40.0, 40.0), wide]))
        x = [draw(number) for _ in range(n)]
        if TABLE[name].lists == 2:
            x += [draw(st.floats(0.0, 1.0) if probabilities else number) for _ in range(n)]
        return [float(draw(st.integers(0, n - 1))) for _ in range(INDICES.get(name, 0))] + x
    x = [draw(numbers(row, i)) for i in range(row.arity)]
    if name.startswith(("binary", "logit", "sigmoid_minus")):  # probabilities
        at = slice(1, None) if name.endswith("logits") or name == "sigmoid_minus" else slice(None)
        x[at] = [draw(st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 0.5, 1.0]))) for _ in x[at]]
    if len(x) == 2 and draw(st.integers(0, 2)) == 0:  # the last operand is what makes the result small
        cancel = CANCELLING.get(name)
        if cancel and math.isfinite(y := cancel(x[0])):
            x[1] = beside(y, draw(st.integers(-3, 3)))
    return x


def _log_of_rest(x: float) -> float:
    return math.log(-math.expm1(x)) if -700.0 < x < -1e-300 else math.nan


CANCELLING: dict[str, Callable[[float], float]] = {
    "subtract": lambda x: x,
    "half_squared_error": lambda x: x,
    "logaddexp": _log_of_rest,
    "binary_cross_entropy_with_logits": lambda x: min(floats.sigmoid(x), 0.9999999999999994),
    "sigmoid_minus": lambda x: min(floats.sigmoid(x), 0.9999999999999994),
    "binary_cross_entropy": lambda p: min(max(p, 1e-300), 0.9999999999999994),
    "binary_cross_entropy_slope": lambda p: min(max(p, 1e-300), 0.9999999999999994),
    "hinge": lambda s: 1.0 / s if abs(s) > 1e-300 else math.nan,
    "pow": lambda x: 700.0 / math.log(x) if x > 0.0 and x != 1.0 else math.nan,
    "pow_slope": lambda x: 700.0 / math.log(x) if x > 0.0 and x != 1.0 else math.nan,
}


def _whole(y: float) -> bool:
    return y == math.floor(y)


# Poles, kinks, branch points and points outside the domain: the reference file and test_floats.py have those.
EXCLUDED: dict[str, Callable[..., bool]] = {
    "divide": lambda x, y: not y,
    "over_square": lambda x, y: not y,
    "fraction": lambda x, y: not y,
    "difference_over": lambda x, y, n: not n,
    "exp_quotient": lambda x, y: not y or math.isinf(x / y),
    "celu_gap": lambda x, y: not y or math.isinf(x / y),
    "celu": lambda x, alpha: not alpha or not x or math.isinf(x / alpha),
    "remainder": lambda x, y: not y or abs(x / y) > 1e15 or x % y in (0.0, y),  # no difference fits between jumps
    "reciprocal": lambda x: not x,
    "pow": lambda x, y: not x or (x < 0 and not _whole(y)),
    "pow_slope": lambda x, y: not x or (x < 0 and not _whole(y)),
    "pow_log": lambda x, y: x <= 0.0,
    "sqrt": lambda x: x <= 0.0,
    "cbrt": lambda x: not x,
    "cbrt_slope": lambda x: not x,
    "abs": lambda x: not x,
    "sign": lambda x: not x,
    "side": lambda x: not x,
    "share": lambda x, y: x == y,
    "relu": lambda x: not x,
    "leaky_relu": lambda x, slope: not x,
    "elu": lambda x, alpha: not x,
    "selu": lambda x: not x,
    "selu_slope": lambda x: not x,
    "log": lambda x: x <= 0.0,
    "log2": lambda x: x <= 0.0,
    "log10": lambda x: x <= 0.0,
    "log1p": lambda x: x <= -1.0,
    "xlogy": lambda x, y: y <= 0.0,
    "asin": lambda x: abs(x) >= 1.0,
    "acos": lambda x: abs(x) >= 1.0,
    "atanh": lambda x: abs(x) >= 1.0,
    "asin_slope": lambda x: abs(x) >= 1.0,
    "atanh_slope": lambda x: abs(x) == 1.0,
    "acosh": lambda x: x <= 1.0,
    "acosh_slope": lambda x: x <= 1.0,
    "atan2": lambda y, x: not y,
    "hypot": lambda x, y: not x and not y,
    "over_norm2": lambda x, y: not x and not y,
    "unit_component": lambda x, y: not x and not y,
    "maximum": lambda x, y: x == y,
    "minimum": lambda x, y: x == y,
    "clip": lambda x, low, high: len({x, low, high}) < 3,
    "floor": lambda x: _whole(x),
    "ceil": lambda x: _whole(x),
    "trunc": lambda x: _whole(x),
    "round": lambda x: _whole(2.0 * math.fmod(x, 1.0)),
    "hinge": lambda s, y: mpf(s) * mpf(y) == 1,
    "norm": lambda *xs: not any(xs),
    "binary_cross_entropy": lambda p, y: not 0.0 < p < 1.0 or p == y,  # (the slope is 0: no difference shows that)
    "binary_cross_entropy_slope": lambda p, y: not 0.0 < p < 1.0,
    "logit": lambda p: not 0.0 < p < 1.0,
    # (a slope of 0: no difference shows that)
    "soft_cross_entropy": of_halves(
        lambda xs, ys: len(set(ys)) == 1 or (len(set(xs)) == 1 and sum(ys) / len(ys) in ys)
    ),
    "exp_times": lambda x, y: not y,
}


def partial(f: Callable[..., Any], i: int, x: Sequence[Any]) -> Any:
    """∂f/∂xᵢ as a central difference over 2^-160 of the smallest operand; its error is some 10^-90 of it."""
    sizes = [mpf(1), *(abs(number) for number in x if number)]
    h = min(sizes) / max(sizes) / mpf(2) ** 160
    return (f(*x[:i], x[i] + h, *x[i + 1 :]) - f(*x[:i], x[i] - h, *x[i + 1 :])) / (2 * h)


def enough_bits(x: Sequence[float]) -> int:
    """So many that such a difference keeps its digits beside the largest operand, and beside 1 where exp is tiny."""
    exponents = [0, *(math.frexp(number)[1] for number in x)]
    return 1700 + 3 * (max(exponents) - min(exponents))


LARGEST = mpf(2) ** 1024


def ulps(got: float, truth: Any) -> float:
    """The error of a float in units in the last place of the truth; infinity counts as 2^1024."""
    truth = min(max(truth, -LARGEST), LARGEST)
    if math.isnan(got):
        return math.inf
    place = math.ulp(float(truth)) if abs(truth) < LARGEST * (1 - mpf(2) ** -54) else 2.0**971
    return float(abs((mpf(got) if math.isfinite(got) else mp.sign(got) * LARGEST) - truth) / place)


# The worst errors of value and partials at 40,000 points a row (glibc 2.36, x86-64) and a little more, at most 2 ulp.
# A row that is not listed may err by ½ ulp in its value, and by nothing in its partials.
BOUNDS: dict[str, tuple[float, float]] = {
    "divide": (0.5, 1.6), "reciprocal": (0.5, 1.4), "remainder": (0.5, 2.0), "pow": (0.7, 1.9), "sqrt": (0.5, 1.6),
    "cbrt": (0.5, 1.2), "exp": (0.7, 0.7), "expm1": (1.0, 0.7), "log": (0.7, 0.5), "log1p": (1.0, 1.7),
    "log2": (0.7, 0.8), "log10": (1.7, 0.9), "logaddexp": (1.7, 1.5), "xlogy": (1.6, 0.7), "sin": (0.7, 0.7),
    "cos": (0.7, 0.7), "tan": (0.7, 2.0), "asin": (0.7, 0.5), "acos": (0.7, 0.5), "atan": (0.7, 1.3),
    "atan2": (0.7, 1.2), "hypot": (0.5, 1.6), "sinh": (2.0, 2.0), "cosh": (1.9, 1.9), "tanh": (1.7, 1.9),
    "asinh": (1.7, 1.7), "acosh": (1.3, 0.8), "atanh": (1.7, 1.2), "erf": (1.1, 1.7), "erfc": (1.8, 1.7),
    "elu": (1.5, 1.5), "selu": (1.7, 1.6), "celu": (1.5, 1.4), "sigmoid": (1.7, 1.9), "log_sigmoid": (1.6, 1.8),
    "softplus": (1.6, 1.8), "silu": (1.5, 1.5), "mish": (1.6, 1.7), "gelu": (1.8, 1.7), "gelu_tanh": (1.7, 1.8),
    "prod": (0.8, 0.8), "mean": (1.4, 0.5), "dot": (1.6, 0.0), "norm": (0.8, 1.6), "logsumexp": (1.9, 1.5),
    "softmax": (1.6, 1.9), "log_softmax": (1.9, 1.5), "half_squared_error": (1.2, 0.5),
    "mean_squared_error": (1.4, 1.2), "binary_cross_entropy": (1.7, 1.7),
    "binary_cross_entropy_with_logits": (1.9, 1.6), "cross_entropy": (1.9, 1.5), "soft_cross_entropy": (1.9, 1.8),
    "difference_over": (1.6, 0.0), "over_square": (1.6, 0.0),
    "pow_slope": (1.9, 0.0), "pow_log": (2.0, 0.0), "cbrt_slope": (1.2, 0.0),
    "sec2": (2.0, 0.0), "sech2": (1.9, 0.0), "lorentzian": (1.2, 0.0), "asin_slope": (0.7, 0.0),
    "atanh_slope": (1.2, 0.0), "acosh_slope": (0.8, 0.0), "erf_slope": (1.7, 0.0), "normal_density": (1.9, 0.0),
    "normal_cdf": (1.7, 0.0), "over_norm2": (1.2, 0.0), "unit_component": (1.6, 0.0),
    "sigmoid_difference": (1.4, 0.0), "logistic_density": (1.9, 0.0), "selu_slope": (1.5, 0.0),
    "exp_quotient": (1.2, 0.0), "exp_times": (1.8, 0.0), "celu_gap": (1.5, 0.0),
    "silu_slope": (1.5, 0.0), "mish_slope": (1.7, 0.0),
    "gelu_slope": (1.7, 0.0), "gelu_tanh_slope": (1.8, 0.0), "softmax_slope": (1.5, 0.0),
    "one_minus_softmax": (1.3, 0.0), "softmax_minus": (1.3, 0.0), "logit": (1.7, 0.0),
    "binary_cross_entropy_slope": (1.6, 0.0), "sigmoid_minus": (1.5, 0.0),
}  # fmt: skip


QUICK = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def truths(row, x):
    """Value and partials by mpmath."""
    f, exact = TRUTH[row.name], [mpf(number) for number in x]
    return f(*exact), lambda i: partial(f, i, exact)


@pytest.mark.parametrize(
    ("row", "m"),
    [pytest.param(row, floats, id=row.name) for row in TABLE.values() if row.name not in COMPARISONS]
    + [pytest.param(TABLE[name], NAMESPACES["careful"], id=f"{name} by careful.py") for name in careful.ROWS],
)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=QUICK)
@given(data=st.data())
def test_rows_are_judged_by_mpmath(row, m, data):
    x = data.draw(arguments(row))
    assume(all(map(math.isfinite, x)) and not EXCLUDED.get(row.name, lambda *_: False)(*x))
    z, partials = computed(row, *x, m=m)
    of_value, of_partials = BOUNDS.get(row.name, (0.5, 0.0)) if MEASURED_HERE and m is floats else (ULPS, ULPS)
    with mp.workprec(enough_bits(x)):
        value, slope = truths(row, x)
        assert ulps(z, value) <= of_value
        for i, got in enumerate(partials if row.public else []):
            if got is not None and not (row.name == "pow" and i and x[0] < 0.0):  # no derivative by the exponent there
                assert ulps(got, slope(i)) <= of_partials, f"partial {i}"


# ── corners that points chosen at random seldom meet ────────────────────────────────────────────
def judged(name, *x):
    """The worst error of the value and of the partials, in ulp."""
    row = TABLE[name]
    z, partials = computed(row, *x)
    with mp.workprec(enough_bits(x)):
        value, slope = truths(row, x)
        return max([ulps(z, value), *(ulps(got, slope(i)) for i, got in enumerate(partials) if got is not None)])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(x=st.floats(1e-300, 1e300), exponent=st.floats(-760.0, -690.0) | st.floats(690.0, 720.0))
def test_slopes_of_a_power_that_is_out_of_range_itself(x, exponent):
    assume(abs(x - 1.0) > 1e-9)
    assert judged("pow", x, exponent / math.log(x)) <= BOUNDS["pow"][1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.floats(-1.7e308, 1.7e308) | st.integers(-9, 9).map(lambda k: k * 5e-324), min_size=1, max_size=4))
def test_the_norm_of_numbers_at_the_ends_of_the_range(xs):
    for each in (xs, [x * 1e-300 for x in xs]):
        assume(any(each))
        assert judged("norm", *each) <= BOUNDS["norm"][1]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.tuples(*[st.floats(-1.7e308, 1.7e308)] * 2), min_size=2, max_size=4))
def test_losses_of_numbers_whose_difference_overflows(pairs):
    ps, ts = zip(*pairs, strict=True)
    assert judged("mean_squared_error", *ps, *ts) <= BOUNDS["mean_squared_error"][1]
    weights = [2.0 ** -(k + 1) for k in range(len(ps))]
    assert judged("soft_cross_entropy", *ps, *weights) <= BOUNDS["soft_cross_entropy"][1]


def test_a_softmax_that_two_share_but_for_a_rest_near_nothing():
    assert judged("soft_cross_entropy", 0.0, 102.0, 102.0, 0.0, 1.0, 1.0) <= BOUNDS["soft_cross_entropy"][1]
    assert judged("soft_cross_entropy", 0.0, 702.0, 702.0, 0.0, 1.0, 1.0) <= BOUNDS["soft_cross_entropy"][1]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(logits=st.lists(st.floats(-5.0, 5.0), min_size=2, max_size=4), factor=st.floats(0.2, 2.5))
def test_a_distribution_near_the_softmax(logits, factor):
    """The slope is their difference."""
    assume(len(set(logits)) == len(logits))
    targets = [min(1.0, factor * floats.softmax(float(k), *logits)) for k in range(len(logits))]
    assert judged("soft_cross_entropy", *logits, *targets) <= BOUNDS["soft_cross_entropy"][1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.tuples(*[st.floats(-1e160, 1e160)] * 2), min_size=1, max_size=3))
def test_a_dot_product_of_which_one_product_overflows(pairs):
    xs, ys = zip(*pairs, strict=True)
    assert judged("dot", *xs, 1e200, *ys, -1.5e108) <= BOUNDS["dot"][0]
    assert judged("dot", *xs, 1e200, -1e200, *ys, 1e200, 1e200) <= BOUNDS["dot"][0]


@pytest.mark.parametrize(
    "x",
    [(-329.5956068194854, 249.24765541374677), (-709.7800000000004, 541.5179877323844), (1.4799e-319, 1.156e-321)],
)
def test_what_the_quotient_in_celu_loses(x):
    assert judged("celu_gap", *x) <= ULPS


def test_the_gap_of_celu_overflows_to_infinity():
    assert floats.celu_gap(709.78, 1.0000000000000007) == -math.inf


@settings(max_examples=100, deadline=None, derandomize=True)
@given(x=st.floats(allow_nan=False, allow_infinity=False), y=st.floats(allow_nan=False, allow_infinity=False))
def test_the_slope_of_a_remainder_is_the_quotient_without_its_fraction(x, y):
    assume(y)
    _, (_, slope) = computed(TABLE["remainder"], x, y)
    truth = math.floor(Fraction(x) / Fraction(y))
    with mp.workprec(2200):
        assert ulps(slope, mpf(-truth)) <= 1.0


# A helper row's own rules give second derivatives. They are plain formulas: right to many digits in the row's domain,
# except that a curvature near its zero keeps the absolute error of its terms.
@pytest.mark.parametrize(
    "row", [row for row in TABLE.values() if not row.public and row.name in TRUTH], ids=lambda row: row.name
)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=QUICK)
@given(data=st.data())
def test_second_derivatives_are_sane(row, data):
    if row.arity is None:
        x = data.draw(arguments(row))
        assume(max(map(abs, x)) < 40.0)
    else:
        x = [data.draw(st.floats(*domain)) for domain in (row.domain * 2)[: row.arity]]
    assume(not EXCLUDED.get(row.name, lambda *_: False)(*x))
    _, partials = computed(row, *x)
    with mp.workprec(enough_bits(x)):
        _, slope = truths(row, x)
        for i, got in enumerate(partials):
            if got is not None:
                truth = slope(i)
                assert abs(got - truth) <= 2.0**-47 * max(1, abs(truth)), f"partial {i}"


@pytest.mark.parametrize("name", sorted(reference()))
def test_the_judges_agree(name):
    """The values below and the differences are those of the file, to a millionth of a place."""
    row = TABLE[NAMES.get(name, name)]
    ordinary = [case for case in reference()[name] if case["kind"] == "ordinary" and not case["soft"]]
    assert ordinary
    for case in ordinary[:5]:
        x, parameters, leading = inputs(case)
        operands = [*parameters, *x] if leading else [*x, *parameters]
        with mp.workprec(enough_bits(operands)):
            value, slope = truths(row, operands)
            for nearest, fraction, truth in [
                (case["value"], case["value_frac"], value),
                *(
                    (g, f, slope(i + leading))
                    for i, (g, f) in enumerate(zip(case["grads"], case["grads_frac"], strict=True))
                ),
            ]:
                nearest = float.fromhex(nearest)
                assert abs(truth - nearest - mpf(fraction) * math.ulp(nearest)) <= 1e-6 * math.ulp(nearest)


# ── the constants that accurate.py adds to those of careful.py ──────────────────────────────────
def test_the_exponential_at_the_root_of_silu():
    with mp.workprec(200):
        root = sum(map(mpf, careful.SILU[0]))
        assert abs(TRUTH["silu_slope"](root)) < mpf(10) ** -31
        assert float(mp.exp(root)) == accurate.SILU_E
