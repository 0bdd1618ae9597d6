"""floats: every row answered, nothing raises, the specials of IEEE 754, agreement with the rows' own formulas."""

from __future__ import annotations

import inspect
import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from microgradlike import floats
from microgradlike.floats import accurate
from microgradlike.graph.sweep import sent
from microgradlike.ops import TABLE, Op

INF, NAN = math.inf, math.nan
ROWS = list(TABLE.values())
COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
SPECIAL = [
    0.0,
    5e-324,
    1e-308,
    0.5,
    1.0,
    2.0,
    3.0,
    40.0,
    745.2,
    800.0,
    2.0**53,
    1e160,
    1.7976931348623157e308,
    INF,
    NAN,
]


def each(rows):
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


def same(a, b):
    """Equal, signs of zeros included; all nan are one."""
    return (a != a and b != b) or (a == b and math.copysign(1.0, a) == math.copysign(1.0, b))


INDICES = {
    "softmax_slope": 2,
    **dict.fromkeys(["softmax", "log_softmax", "cross_entropy", "take", "one_minus_softmax", "softmax_minus"], 1),
}


@st.composite
def operands(draw, row: Op, *numbers):
    """Operands of a row, `numbers[i]` the strategy of the i-th; the last one for all that follow."""
    if row.arity is not None:
        return [draw(numbers[min(i, len(numbers) - 1)]) for i in range(row.arity)]
    n = draw(st.integers(1, 4))
    indices = [float(draw(st.integers(0, n - 1))) for _ in range(INDICES.get(row.name, 0))]
    return indices + [draw(numbers[-1]) for _ in range(max(row.lists, 1) * n)]


anything = st.one_of(st.floats(), st.sampled_from([*SPECIAL, *(-x for x in SPECIAL)]), st.floats(-800.0, 800.0))


# ── the namespace ───────────────────────────────────────────────────────────────────────────────
def test_every_row_is_answered_under_its_own_name():
    assert [name for name in TABLE if not callable(getattr(floats, name, None))] == []


def test_nothing_else_is_public():
    ours = {name for name, f in inspect.getmembers(floats, inspect.isfunction) if not name.startswith("_")}
    hooks = {"gate", "nth", "products_of_others", "unit_vector", "have_the_bits_of_c"}  # see ops.py
    assert ours - set(TABLE) == hooks


@each(ROWS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_float_makes_a_row_or_its_rules_raise(row, data):
    x = data.draw(operands(row, anything))
    z = row.on(floats)(*x)
    assert type(z) is float
    for g in (1.0, 0.0, INF):
        for cotangent in row.cotangents(floats, g, z, *x):
            assert cotangent is None or type(cotangent) is float


# Rows that compute their own formula in another order, or from the same functions: a few roundings apart, at most
# the number of operations in the formula, where nothing cancels.
@each([row for row in ROWS if row.formula])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_row_agrees_with_its_own_formula(row, data):
    x = data.draw(operands(row, *(st.floats(low, high) for low, high in row.domain)))
    assume(row.name != "remainder" or abs(x[0] / x[1] - math.floor(x[0] / x[1] + 0.5)) > 1e-9)
    expected, got = row.formula(floats, *x), row.on(floats)(*x)
    size = max(1.0, *map(abs, x))  # what the operands' rounding makes of differences
    assert math.isclose(got, expected, rel_tol=2.0**-45, abs_tol=2.0**-48 * size**2), (x, got, expected)


# ── nan ─────────────────────────────────────────────────────────────────────────────────────────
# Where nan does not decide: the parameter of a branch not taken, and what a comparison says is known.
KNOWN = {("leaky_relu", 1), ("elu", 1), ("celu", 1), ("where", 0), ("where", 2), ("share", 0), ("share", 1)}


@each([row for row in ROWS if row.arity])
def test_nan_in_nan_out(row):
    for i in range(row.arity):
        x = [0.75] * row.arity
        x[i] = NAN
        z = row.on(floats)(*x)
        if row.name in COMPARISONS:
            assert z == (1.0 if row.name == "not_equal" else 0.0)
        else:
            assert math.isnan(z) != ((row.name, i) in KNOWN), x


@each([row for row in ROWS if not row.arity])
def test_nan_in_a_list_is_nan(row):
    indices = [0.0] * INDICES.get(row.name, 0)
    xs = [NAN, 0.75, 0.5, 0.25]
    assert math.isnan(row.on(floats)(*indices, *xs))


def test_where_takes_all_but_zero_as_true():
    assert [floats.where(c, 1.0, 2.0) for c in (1.0, -3.0, NAN, INF, 0.0, -0.0)] == [1.0, 1.0, 1.0, 1.0, 2.0, 2.0]


def test_signs_of_zero_are_kept():
    for name in (
        "floor",
        "ceil",
        "round",
        "trunc",
        "sin",
        "tan",
        "tanh",
        "cbrt",
        "sqrt",
        "asinh",
        "expm1",
        "gelu",
        "sign",
    ):
        assert same(getattr(floats, name)(-0.0), -0.0), name
    assert same(floats.ceil(-0.5), -0.0)
    assert same(floats.round(-0.5), -0.0)
    assert [floats.round(x) for x in (0.5, 1.5, 2.5, -3.5)] == [0.0, 2.0, 2.0, -4.0]


# ── what is exact ───────────────────────────────────────────────────────────────────────────────
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite)
def test_a_pair_holds_a_sum_or_a_product_exactly(a, b):
    s, e = accurate.two_sum(a, b)
    if math.isfinite(s):
        assert Fraction(s) + Fraction(e) == Fraction(a) + Fraction(b)
    p, e = accurate.two_product(a, b)
    if 1e-290 < abs(p) < 1e290:
        assert Fraction(p) + Fraction(e) == Fraction(a) * Fraction(b)


@given(st.floats(0.01, 100.0), st.integers(-8, 8))
def test_powers_of_small_whole_numbers_are_those_of_python_and_micrograd(x, y):
    assert floats.pow(x, float(y)) == x**y
    assert floats.pow_slope(x, float(y)) == (y * x ** (y - 1) if y else 0.0)
    assert floats.pow_slope(-x, float(y)) == (y * (-x) ** (y - 1) if y else 0.0)


@given(st.lists(st.tuples(finite, finite), max_size=6), st.booleans())
def test_sums_and_dots_are_as_if_exact_and_rounded_once_or_twice(pairs, cancelling):
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    if cancelling and math.isfinite(almost := floats.dot(*xs, *ys)):
        xs, ys = [*xs, -almost], [*ys, 1.0]
    for got, exact in [
        (floats.sum(*xs), sum(map(Fraction, xs))),
        (floats.dot(*xs, *ys), sum(Fraction(x) * Fraction(y) for x, y in zip(xs, ys, strict=True))),
    ]:
        largest = Fraction(1.7976931348623157e308)
        if abs(exact) > largest:
            assert abs(got) >= largest
        else:
            assert abs(Fraction(got) - exact) <= Fraction(3, 2) * Fraction(math.ulp(float(exact)))


def test_pi_to_1300_bits():
    mpmath = pytest.importorskip("mpmath", reason="knows π")
    with mpmath.workprec(1400):
        assert accurate.half_pi() == int(mpmath.floor(mpmath.ldexp(mpmath.pi, 1299)))


# ── specials, value first, then the partials ────────────────────────────────────────────────────
def run(row, *x):
    z = TABLE[row].on(floats)(*x)
    return [z, *sent(TABLE[row], 1.0, z, x)]


CASES = [
    # poles and branch points
    ("divide", (1.0, 0.0), [INF, INF, -INF]),
    ("divide", (-1.0, 0.0), [-INF, INF, INF]),
    ("divide", (1.0, -0.0), [-INF, -INF, -INF]),
    ("divide", (0.0, 0.0), [NAN, INF, NAN]),
    ("reciprocal", (0.0,), [INF, -INF]),
    ("log", (0.0,), [-INF, INF]),
    ("log", (-1.0,), [NAN, NAN]),
    ("log", (INF,), [INF, 0.0]),
    ("log1p", (-1.0,), [-INF, INF]),
    ("log1p", (-2.0,), [NAN, NAN]),
    ("sqrt", (0.0,), [0.0, INF]),
    ("sqrt", (-1.0,), [NAN, NAN]),
    ("cbrt", (-8.0,), [-2.0, 1.0 / 12.0]),
    ("cbrt", (0.0,), [0.0, INF]),
    ("asin", (1.0,), [math.pi / 2, INF]),
    ("asin", (2.0,), [NAN, NAN]),
    ("acosh", (1.0,), [0.0, INF]),
    ("acosh", (0.5,), [NAN, NAN]),
    ("atanh", (1.0,), [INF, INF]),
    ("atanh", (2.0,), [NAN, NAN]),
    ("atan2", (0.0, 0.0), [0.0, 0.0, -0.0]),
    ("atan2", (1e200, 1e200), [math.pi / 4, 5e-201, -5e-201]),
    ("hypot", (0.0, 0.0), [0.0, 0.0, 0.0]),
    ("xlogy", (0.0, 0.0), [0.0, -INF, 0.0]),
    ("xlogy", (INF, 1.0), [NAN, 0.0, INF]),
    ("xlogy", (2.0, -1.0), [NAN, NAN, NAN]),
    ("sin", (INF,), [NAN, NAN]),
    # beside a multiple of π/2, where the C library's π is too short
    ("sin", (1.2853022199154463e174,), [-4.970732575237069e-18, -1.0]),
    ("cos", (1.5986289000543612e74,), [-4.796584752012325e-18, 1.0]),
    ("tan", (1.5986289000543612e74,), [2.0848167012590928e17, 4.346460677848845e34]),
    # overflow is infinite, not an exception
    ("exp", (1000.0,), [INF, INF]),
    ("exp", (-INF,), [0.0, 0.0]),
    ("expm1", (1000.0,), [INF, INF]),
    ("cosh", (-1000.0,), [INF, -INF]),
    ("sinh", (-1000.0,), [-INF, INF]),
    ("square", (1e200,), [INF, 2e200]),
    # powers
    ("pow", (0.0, 0.0), [1.0, 0.0, -INF]),
    ("pow", (NAN, 0.0), [1.0, 0.0, NAN]),
    ("pow", (0.0, 1.0), [0.0, 1.0, 0.0]),
    ("pow", (0.0, 2.0), [0.0, 0.0, 0.0]),
    ("pow", (0.0, -1.0), [INF, -INF, -INF]),
    ("pow", (-0.0, -1e160), [INF, INF, -INF]),
    ("pow", (-2.0, 3.0), [-8.0, 12.0, NAN]),
    ("pow", (-2.0, 0.5), [NAN, NAN, NAN]),
    ("pow", (10.0, 400.0), [INF, INF, INF]),
    ("pow", (-1.0, 2.0**53), [1.0, -(2.0**53), NAN]),  # y − 1 is odd, though it rounds to y
    # kinks, as the table's column says
    ("relu", (0.0,), [0.0, 0.0]),
    ("abs", (0.0,), [0.0, 0.0]),
    ("sign", (-0.0,), [-0.0, 0.0]),
    ("leaky_relu", (0.0, 0.01), [0.0, 0.01, 0.0]),
    ("maximum", (2.0, 2.0), [2.0, 0.5, 0.5]),
    ("maximum", (NAN, 2.0), [NAN, NAN, NAN]),
    ("minimum", (2.0, NAN), [NAN, NAN, NAN]),
    ("clip", (1.0, 1.0, 2.0), [1.0, 1.0, 0.0, 0.0]),
    ("hinge", (1.0, 1.0), [0.0, 0.0, 0.0]),
    # limits of the activations
    ("sigmoid", (-INF,), [0.0, 0.0]),
    ("tanh", (-INF,), [-1.0, 0.0]),
    ("silu", (-INF,), [-0.0, -0.0]),
    ("mish", (-INF,), [-0.0, -0.0]),
    ("gelu", (-INF,), [-0.0, -0.0]),
    ("gelu_tanh", (-INF,), [-0.0, -0.0]),
    ("gelu", (INF,), [INF, 1.0]),
    ("softplus", (INF,), [INF, 1.0]),
    ("log_sigmoid", (-INF,), [-INF, 1.0]),
    # what a threshold or a naive formula loses
    ("softplus", (20.000000000000004,), [20.000000002061156, 0.9999999979388463]),
    ("sigmoid", (40.0,), [1.0, 4.248354255291589e-18]),
    ("tanh", (20.0,), [1.0, 1.699341702116635e-17]),
    ("expm1", (-50.0,), [-1.0, 1.9287498479639178e-22]),
    ("gelu", (-9.0,), [-1.0157295653584566e-18, -9.138937373906639e-18]),
    (
        "cross_entropy",
        (0.0, 40.0, 0.0, 0.0),
        [8.496708510583178e-18, None, -8.496708510583178e-18, 4.248354255291589e-18, 4.248354255291589e-18],
    ),
    ("binary_cross_entropy_with_logits", (INF, 1.0), [0.0, -0.0, -INF]),
    ("binary_cross_entropy_with_logits", (-INF, 0.25), [INF, -0.25, INF]),
    ("binary_cross_entropy", (1e-50, 1.0), [115.12925464970229, -1e50, 115.12925464970229]),
    # many arguments
    ("sum", (1e308, 1e308, -1e308), [1e308, 1.0, 1.0, 1.0]),
    ("sum", (INF, -INF), [NAN, 1.0, 1.0]),
    ("sum", (1e308, 1e308, -INF), [-INF, 1.0, 1.0, 1.0]),
    ("sum", (), [0.0]),
    ("mean", (1.5e308, 1.5e308), [1.5e308, 0.5, 0.5]),
    ("mean", (), [NAN]),
    ("prod", (), [1.0]),
    ("prod", (1e-200, 1e-200, 1e300), [1e-100, 1e100, 1e100, 0.0]),
    ("prod", (0.0, INF), [NAN, INF, 0.0]),
    ("prod", (1e-200, 1e-200, -INF), [-INF, -INF, -INF, 0.0]),
    ("dot", (1e200, -1e200, 1.0, 1e200, 1e200, 3.0), [3.0, 1e200, 1e200, 3.0, 1e200, -1e200, 1.0]),
    ("dot", (INF, 1.0, 0.0, 1.0), [NAN, 0.0, 1.0, INF, 1.0]),
    ("dot", (), [0.0]),
    ("norm", (3e200, 4e200), [5e200, 0.6, 0.8]),
    ("norm", (0.0, 0.0), [0.0, 0.0, 0.0]),
    ("logsumexp", (-INF, 0.0), [0.0, 0.0, 1.0]),
    ("logsumexp", (), [-INF]),
    ("softmax", (0.0, -INF, 0.0), [0.0, None, 0.0, -0.0]),
    (
        "mean_squared_error",
        (1e308, 0.0, 0.0, -1.0, 2.0, 3.0),
        [INF, 6.666666666666667e307, -4 / 3, -2.0, -6.666666666666667e307, 4 / 3, 2.0],
    ),
]


@pytest.mark.parametrize(("row", "x", "expected"), CASES, ids=[f"{row}{x}" for row, x, _ in CASES])
def test_specials(row, x, expected):
    for got, truth in zip(run(row, *x), expected, strict=True):
        if truth is None or math.isnan(truth) or not math.isfinite(truth) or not truth:
            assert got is truth is None or same(got, truth)
        else:
            assert abs(got - truth) <= 2.0 * math.ulp(truth)
