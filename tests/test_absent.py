"""Absent is not zero: a branch not taken sends nothing back, and a gradient of 0 is a number, by which 0·inf is nan.

One rule for every row, forward and reverse, at any order, in eager and compiled programs on every backend.
"""

from __future__ import annotations

import math
from importlib.util import find_spec

import pytest

import microgradlike as mg
from microgradlike import Value, floats
from microgradlike.compile.compiled import find_native
from microgradlike.graph.engine import record, values
from microgradlike.graph.sweep import sent
from microgradlike.ops import TABLE

INF, NAN = math.inf, math.nan
UPSTREAM = [1.0, 0.0, INF, -INF, NAN]
FIXED = [row for row in TABLE.values() if row.arity is not None and row.differentiable and row.name != "defined"]
LISTS = [row for row in TABLE.values() if row.arity is None and row.public]
BACKENDS = {"python": {"backend": "python"}}  # what is installed
if find_spec("numpy"):
    BACKENDS["numpy"] = {"backend": "numpy"}
if find_native():
    BACKENDS |= {"native": {"backend": "native"}, "interpreter": {"exact": True}}


def same(x, y):
    """The same kind of nan, infinity or zero, or the same number within rounding."""
    return x == y or (x != x and y != y) or math.isclose(x, y, rel_tol=1e-11)


def numbers(results):
    return [x for each in results for x in numbers(each)] if isinstance(results, (list, tuple)) else [float(results)]


def points(row):
    """In the domain; at each point that deserves a test; at the ends of the floats."""
    middle = [0.75 * low + 0.25 * high for low, high in (row.domain * 3)[: row.arity]]
    for i in range(row.arity):
        for special in (middle[i], *row.trouble, 0.0, -1.0, 1e300, INF, -INF):
            yield [special if k == i else x for k, x in enumerate(middle)]


def expected(row, g, z, x):
    """By IEEE 754: g times the local derivative where there is one; None where nothing flows back."""
    ones = row.cotangents(floats, 1.0, z, *x)
    return [None if one is None else g * one for one in ones]


@pytest.mark.parametrize("row", FIXED, ids=lambda row: row.name)
def test_what_a_row_sends_back_and_on(row):
    for x in points(row):
        z = row.on(floats)(*x)
        for g in UPSTREAM:
            want = expected(row, g, z, x)
            leaves = [Value(each) for each in x]
            record(row, *leaves).backward(g)
            _, pull = mg.vjp(lambda *v: record(row, *v), *x)
            graphs = mg.vjp(lambda *v: record(row, *v), *x)[1](Value(g))
            for i, each in enumerate(want):
                found = [leaves[i].grad, pull(g)[i], getattr(graphs[i], "data", graphs[i])]
                along = [*x[:i], Value(x[i]), *x[i + 1 :]]
                tangent = mg.jvp(lambda v, i=i, along=along: record(row, *along[:i], v, *along[i + 1 :]), (x[i],), (g,))
                found.append(tangent[1])
                assert all(same(got, each or 0.0) for got in found), (row, x, g, i, found, each)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", FIXED, ids=lambda row: row.name)
def test_compiled_as_eager(row, backend):
    """Derivatives of order 1 and 2 of c·f, at points where the slopes are infinite and c is 0, too."""
    if row.name == "where":
        return_types = (mg.grad,)
    else:
        return_types = (mg.grad, mg.hessian)
    for i in range(row.arity):

        def f(v, c, rest, i=i):
            return c * record(row, *rest[:i], v, *rest[i:])

        def recorded(transform, f=f):  # a Value even where the derivative is constant
            derivative = transform(f)
            return lambda v, c, rest: mg.where(mg.equal(v, v), d := derivative(v, c, rest), d)

        compiled = [mg.compile(recorded(transform), **BACKENDS[backend]) for transform in return_types]
        for x in list(points(row))[: 8 if backend == "python" else 4]:
            rest = [*x[:i], *x[i + 1 :]]
            for c in UPSTREAM:
                for transform, step in zip(return_types, compiled, strict=True):
                    got, want = step(x[i], c, rest), transform(f)(x[i], c, rest)
                    assert same(got, want), (row, i, x, c, transform, got, want)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", LISTS, ids=lambda row: row.name)
def test_rows_of_lists_as_eager(row, backend):
    """The same of c·f for rows that take lists, at ordinary numbers, ties, zeros and infinities."""
    index = [0.0] * row.indices

    def f(xs, c):
        return c * record(row, *index, *xs)

    transforms = (mg.grad, mg.hessian)
    compiled = [mg.compile(transform(f), **BACKENDS[backend]) for transform in transforms]
    for xs in ([0.3, 0.2, 0.1, 0.4], [0.5] * 4, [0.0, 1.0, 0.0, 1.0], [1e300, 1.0, 0.5, 2.0], [INF, 1.0, 0.5, 0.5]):
        for c in UPSTREAM:
            for transform, step in zip(transforms, compiled, strict=True):
                got, want = numbers(step(xs, c)), numbers(transform(f)(xs, c))
                assert all(map(same, got, want)), (row, xs, c, transform, got, want)


# ── what is not taken ───────────────────────────────────────────────────────────────────────────
BAD = [
    ("an infinite slope", mg.sqrt, 0.0),
    ("a pole", lambda x: 1.0 / x, 0.0),
    ("log of 0", mg.log, 0.0),
    ("a power that overflows", lambda x: x**40, 1e10),
    ("nan", mg.log, -1.0),
    ("a product that overflows", lambda x: (x * 1e300) * (x * 1e300), 1e10),
]
NOT_TAKEN = {
    "where": lambda bad, x: mg.where(mg.equal(x, x), 3.0 * x, bad),
    "where, a condition of Values": lambda bad, x: mg.where(x * 0.0, bad, 3.0 * x),
    "take": lambda bad, x: mg.take([bad, 3.0 * x], mg.equal(x, x)),
    "relu": lambda bad, x: 3.0 * x + mg.relu(-1.0 - mg.abs(bad)),
    "maximum": lambda bad, x: 3.0 * x + mg.maximum(-mg.abs(bad), 7.0),
    "minimum": lambda bad, x: 3.0 * x + mg.minimum(mg.abs(bad), -7.0),
    "clip": lambda bad, x: 3.0 * x + mg.clip(mg.abs(bad), -2.0, -1.0),
    "hinge": lambda bad, x: 3.0 * x + mg.losses.hinge(1.0 + mg.abs(bad), 1.0),
    "round": lambda bad, x: 3.0 * x + mg.minimum(mg.round(mg.abs(bad)), -3.0),
}  # fmt: skip
NAN_SPREADS = {"relu", "maximum", "minimum", "clip", "hinge", "round"}


@pytest.mark.parametrize("gate", NOT_TAKEN)
@pytest.mark.parametrize(("what", "bad", "at"), BAD, ids=[name for name, *_ in BAD])
def test_a_branch_not_taken_has_no_say_at_any_order(gate, what, bad, at):
    if what == "nan" and gate in NAN_SPREADS:
        pytest.skip("nan is the result of these")

    def f(x):
        return NOT_TAKEN[gate](bad(x), x)

    right = [3.0, 0.0, 0.0]
    for order, truth in enumerate(right):
        d = mg.grad(f)
        for _ in range(order):
            d = mg.grad(d)
        assert d(at) == truth
        for backend in BACKENDS:
            assert mg.compile(lambda v: mg.where(mg.equal(v, v), g := d(v), g), **BACKENDS[backend])(at) == truth, (
                backend
            )
    assert mg.jvp(f, (at,), (1.0,))[1] == 3.0
    assert mg.hvp(f, (at,), (1.0,)) == 0.0
    w = Value(at)
    for backend in BACKENDS:
        assert mg.compile(lambda s: s * f(w), **BACKENDS[backend]).value_and_grad([1.0, 2.0])[1] == [4.5]


def test_what_is_taken_in_some_rows_only_counts_in_those():
    """A shared cotangent is there if it is in one row; the others add nothing to it."""
    w = Value(0.0)
    for backend in BACKENDS:
        step = mg.compile(lambda x: mg.where(mg.greater(x, 0.0), mg.sqrt(w), w), **BACKENDS[backend])
        assert step.value_and_grad([-1.0, -2.0])[1] == [1.0]
        assert step.value_and_grad([-1.0, 2.0])[1] == [INF]


# ── a gradient of 0 is a number ─────────────────────────────────────────────────────────────────
ZERO_TIMES_INFINITY = [
    (lambda x: mg.sqrt(x) ** 2, 0.0),
    (lambda x: 1.0 / (1.0 / x), 0.0),
    (lambda x: mg.log(1.0 + mg.exp(x)), 1000.0),
    (lambda x: 1.0 / (1.0 + mg.exp(-x)), -1000.0),
    (lambda x: mg.log(mg.exp(x)), -1000.0),
    (lambda x: mg.relu(mg.sqrt(x)) * 0.0 + mg.sqrt(x) * mg.sqrt(x), 0.0),
]


@pytest.mark.parametrize(("f", "x"), ZERO_TIMES_INFINITY)
def test_zero_times_infinity_is_nan_in_every_mode(f, x):
    w = Value(x)
    f(w).backward()
    found = [w.grad, mg.grad(f)(x), mg.jvp(f, (x,), (1.0,))[1], mg.gradients(f(w), [w])[0].data]
    for backend in BACKENDS:
        found.append(mg.compile(mg.grad(f), **BACKENDS[backend])(x))
        found.append(mg.compile(lambda s: s * f(w), **BACKENDS[backend]).value_and_grad([1.0])[1][0])
    assert all(map(math.isnan, found)), found


@pytest.mark.parametrize(("f", "x"), ZERO_TIMES_INFINITY)
def test_it_is_explained(f, x):
    why = r"0·inf is nan, and a gradient of 0 is a number|Overflow of exp|Division by 0|Log of 0"
    with pytest.raises(mg.AnomalyError, match=why), mg.detect_anomaly():
        f(Value(x)).backward()


# ── the second derivative where the first is 0 ──────────────────────────────────────────────────
PERFECT_FITS = [
    (lambda x: mg.log(x) ** 2, 1.0, 2.0),
    (lambda w: (mg.exp(2 * w) - 1) ** 2, 0.0, 8.0),
    (lambda x: x * mg.exp(x), 0.0, 2.0),
    (lambda x: mg.exp(x * x), 0.0, 2.0),
    (lambda x: mg.log(1 + x * x), 0.0, 2.0),
    (lambda x: mg.sqrt(1 + x * x), 0.0, 1.0),
    (lambda x: 1 / (1 + x * x), 0.0, -2.0),
    (lambda x: mg.log(mg.cosh(x)), 0.0, 1.0),
    (lambda x: (mg.norm([x, 3.0]) - 5.0) ** 2, 4.0, 1.28),
    (lambda x: (mg.hypot(x, 3.0) - 5.0) ** 2, 4.0, 1.28),
    (lambda x: (mg.tan(x) - mg.tan(0.5)) ** 2, 0.5, 2.0 / math.cos(0.5) ** 4),
    (lambda x: mg.relu(mg.exp(x) - 0.5) ** 2 - mg.exp(x), 0.0, 2.0),
]


@pytest.mark.parametrize(("f", "x", "truth"), PERFECT_FITS)
@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_second_derivatives_where_the_first_is_zero(f, x, truth, backend):
    def compiled(g):
        return g if backend is None else mg.compile(g, **BACKENDS[backend])

    assert compiled(mg.hessian(f))(x) == pytest.approx(truth, rel=1e-12)
    assert compiled(mg.grad(mg.grad(f)))(x) == pytest.approx(truth, rel=1e-12)
    assert compiled(lambda v: mg.hvp(f, (v,), (1.0,)))(x) == pytest.approx(truth, rel=1e-12)
    twice = compiled(lambda v: mg.jvp(lambda u: mg.jvp(f, (u,), (1.0,))[1], (v,), (1.0,))[1])
    assert twice(x) == pytest.approx(truth, rel=1e-12)
    mixed = compiled(mg.grad(lambda u: mg.jvp(f, (u,), (1.0,))[1]))
    assert mixed(x) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda v: mg.norm(v) ** 2,
        lambda v: mg.hypot(v[0], v[1]) ** 2,
        lambda v: mg.exp(-(mg.norm(v) ** 2)),
        lambda v: mg.norm(v),
    ],
)
def test_through_the_origin_of_a_norm_no_second_derivative_exists(f):
    for transform in (mg.hessian(f), mg.compile(mg.hessian(f))):
        assert all(math.isnan(d) for row in transform([0.0, 0.0]) for d in row)
    assert mg.grad(f)([0.0, 0.0]) == [0.0, 0.0]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: abs(x) ** 2,
        lambda x: mg.square(abs(x)) + mg.exp(x),
        lambda x: abs(x) * abs(x),
        lambda x: mg.maximum(x, -x) ** 2,
        lambda x: mg.minimum(x, -x) ** 2,
        lambda x: mg.maximum(2 * x, x) * x,
        lambda x: mg.sqrt(x * x) ** 2,
    ],
)
@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_through_a_kink_that_is_squared_away_no_second_derivative_is_made_up(f, backend):
    def compiled(g):
        return g if backend is None else mg.compile(g, **BACKENDS[backend])

    for second in (mg.hessian(f), lambda v: mg.hvp(f, (v,), (1.0,)), mg.grad(lambda u: mg.jvp(f, (u,), (1.0,))[1])):
        assert math.isnan(compiled(second)(0.0))
    smooth = mg.hessian(f)(0.5)  # beside it, it exists
    assert compiled(mg.hessian(f))(0.5) == pytest.approx(smooth, rel=1e-12)
    assert math.isfinite(smooth)


def test_beside_a_kink_second_derivatives_are_exact():
    for x in (5e-324, 1e-300, 0.5, -0.5, 1e300, -INF):
        assert mg.hessian(lambda v: abs(v))(x) == 0.0
        assert mg.hessian(lambda v: mg.maximum(v, -v))(x) == 0.0
    assert mg.hessian(lambda v: abs(v) ** 2)(-3.0) == mg.hessian(lambda v: mg.maximum(v, -v) ** 2)(-3.0) == 2.0
    assert mg.grad(lambda v: mg.maximum(v, -v) + abs(v))(0.0) == 0.0  # conventions at kinks hold for the first order


# ── gates of one's own ──────────────────────────────────────────────────────────────────────────
def test_a_primitive_may_gate():
    hard = mg.primitive(
        "hard_limit",
        lambda m, g, z, x: m.gate(m.less(m.abs(x), 1.0), g),
        formula=lambda m, x: m.where(m.less(m.abs(x), 1.0), x, m.sign(x)),
        doc="x where |x| < 1, else its sign",
    )
    try:
        for f in (mg.grad(lambda x: hard(x**40)), mg.compile(mg.grad(lambda x: hard(x**40)))):
            assert f(1e10) == 0.0
            assert f(0.5) == pytest.approx(40 * 0.5**39)
        assert sent(TABLE["hard_limit"], 1.0, 1.0, [2.0]) == [0.0]
        assert values.gate(Value(0.0), Value(1.0)) is None
    finally:
        del TABLE["hard_limit"]
