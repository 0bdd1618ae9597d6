"""A Value rounds, divides with a floor and compares as Python's float does; modes hold where they were entered."""

from __future__ import annotations

import asyncio
import math
import random
import threading
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec

import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value
from microgradlike.ops import TABLE

INF = math.inf
MODERATE = st.one_of(
    st.integers(-1000, 1000).map(float), st.floats(-1e6, 1e6), st.integers(-999, 999).map(lambda k: k / 10)
)

BACKENDS = ["python", *(["numpy"] if find_spec("numpy") else [])]  # what is installed


def same(x, y):
    return (x == y and math.copysign(1.0, x) == math.copysign(1.0, y)) or (x != x and y != y)


# ── // and round ────────────────────────────────────────────────────────────────────────────────
@examples(300)
@given(MODERATE, MODERATE.filter(lambda y: abs(y) > 1e-3))
def test_floor_division_is_pythons(x, y):
    q, r = divmod(Value(x), y)
    assert same(q.data, x // y)
    assert same(r.data, x % y)
    assert same((x // Value(y)).data, x // y)
    assert mg.grad(lambda v: v // y)(x) == 0.0


@pytest.mark.parametrize(
    ("x", "y"), [(1.0, 0.1), (-1.0, INF), (1.0, -INF), (1.0, INF), (INF, 2.0), (-0.0, 1.0), (6.0, 0.1), (-7.0, 2.0)]
)
@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_floor_division_at_the_edges(x, y, backend):
    def f(v, w):
        return v // w

    got = f(Value(x), y).data if backend is None else mg.compile(f, backend=backend)(x, y)
    assert same(got, x // y)


@pytest.mark.parametrize("digits", [-2, -1, 1, 2, 3, 5])
def test_round_is_pythons(digits):
    rng = random.Random(digits)
    ends_in_5 = [(10 * k + 5) / 10.0 ** (digits + 1) for k in range(-500, 500)]
    others = [rng.uniform(-1e6, 1e6) for _ in range(200)] + [
        1e16,
        2.0**52 + 1,
        5e-324,
        1e300,
        INF,
        -INF,
        math.nan,
        -0.0,
    ]
    for x in ends_in_5 + others:
        assert round(Value(x), digits).data == pytest.approx(round(x, digits), rel=0, abs=0, nan_ok=True), x
    assert mg.grad(lambda v: round(v, digits))(1e16) == 0.0
    assert mg.grad(lambda v: round(v, digits))(2.675) == 0.0


def test_round_recorded_for_a_large_number_rounds_small_ones():
    for backend in BACKENDS:
        c = mg.compile(lambda x: round(x, 2), backend=backend)
        assert (c(1e16), c(1.234), c(2.675)) == (1e16, 1.23, 2.67)


# ── comparison ──────────────────────────────────────────────────────────────────────────────────
BESIDE = [
    2**53 + 1,
    -(2**53) - 1,
    Fraction(1, 10),
    Fraction(-1, 3),
    Decimal("0.1"),
    10**400,
    -(10**400),
    3,
    True,
    Decimal("1e400"),
]


@pytest.mark.parametrize("other", BESIDE, ids=lambda x: f"{x!s:.12}")
def test_a_value_compares_as_its_float_does(other):
    for x in (0.1, -0.1, 2.0**53, -(2.0**53), 1.0, 3.0, -1 / 3, INF, -INF, math.nan, 1.7976931348623157e308):
        if x != x and isinstance(other, Decimal):
            continue  # which Decimal refuses to order
        v = Value(x)
        assert [v < other, v <= other, v > other, v >= other] == [x < other, x <= other, x > other, x >= other], x
        assert [other > v, other >= v, other < v, other <= v] == [x < other, x <= other, x > other, x >= other], x
        assert (v == other) == (x == other)
        assert (v != other) == (x != other)


def test_a_branch_on_such_a_comparison_is_guarded():
    c = mg.compile(lambda x: x * 2.0 if x < 2**53 + 1 else -x)
    assert [c(1.0), c(2.0**53), c(2.0**53 + 2)] == [2.0, 2.0**54, -(2.0**53) - 2]


def test_long_doubles_compare():
    np = pytest.importorskip("numpy")
    two, v = np.longdouble(2), Value(1.5)
    assert [two < v, two <= v, two > v, two >= v, two == v, two != v] == [False, False, True, True, False, True]
    assert (np.array([1, 2], np.longdouble) < v).tolist() == [True, False]


class ByValue(Value):
    def __eq__(self, other):
        return isinstance(other, Value) and self.data == other.data

    def __hash__(self):
        return hash(self.data)


def test_nodes_that_compare_by_value_are_still_two():
    a, b = ByValue(2.0), ByValue(2.0)
    assert [g.data for g in mg.gradients(3 * a + 5 * b, [a, b])] == [3.0, 5.0]
    assert [g.data for g in mg.gradients(a * b, [a, b])] == [2.0, 2.0]
    assert mg.jvp(lambda x, y: 3 * x + 5 * y, (a, b), (1.0, 10.0))[1] == 53.0
    assert mg.hessian(lambda x, y: x * y * y, argnums=(0, 1))(2.0, 2.0) == ((0.0, 4.0), (4.0, 4.0))


# ── modes ───────────────────────────────────────────────────────────────────────────────────────
def test_blocks_that_do_not_nest_leave_nothing_behind():
    x, a, b = Value(3.0), mg.no_grad(), mg.no_grad()
    a.__enter__()
    b.__enter__()
    a.__exit__(None, None, None)
    assert (x * x).is_leaf
    b.__exit__(None, None, None)
    with mg.detect_anomaly():
        y = x * x
    assert not y.is_leaf
    y.backward()
    assert x.grad == 6.0
    assert mg.grad(lambda v: v * v)(Value(2.0)).op is not None


@pytest.mark.parametrize("mode", [mg.no_grad, mg.detect_anomaly])
def test_a_task_that_waits_within_a_mode_keeps_it_to_itself(mode):
    x = Value(0.0)

    async def waits():
        with mode():
            await asyncio.sleep(0.01)
            return (x * 2.0).is_leaf

    async def works():
        await asyncio.sleep(0.001)
        y = mg.sqrt(x)
        y.backward()
        return y.is_leaf, x.grad

    async def both():
        return await asyncio.gather(waits(), works())

    within, (leaf, grad) = asyncio.run(both())
    assert within == (mode is mg.no_grad)
    assert (leaf, grad) == (False, INF)


def test_decorated_functions():
    @mg.no_grad
    def plain(x, depth):
        return x * 2.0 if depth == 0 else plain(x, depth - 1)

    @mg.no_grad
    async def waiting(x):
        await asyncio.sleep(0)
        return x * 2.0

    x = Value(1.0)
    assert plain(x, 3).is_leaf
    assert asyncio.run(waiting(x)).is_leaf
    assert not (x * 2.0).is_leaf


def test_a_rule_that_assigns_a_leaf_is_an_error_and_changes_nothing():
    x, w = Value(3.0), Value(2.0)

    def rule(m, g, z, u):
        w.data = 100.0
        return g

    bad = mg.primitive("assigning", rule, formula=lambda m, u: u, doc="x, badly")
    try:
        y = bad(w * x)
        with pytest.raises(mg.GraphError, match="was assigned after"):
            y.backward()
        assert (x.grad, w.grad) == (0.0, 0.0)
    finally:
        del TABLE["assigning"]


def test_a_recording_of_another_thread_changes_no_derivative():
    """Whether a derivative is itself recorded is asked of the thread that computes it."""
    started, enough, threads = threading.Event(), threading.Event(), []

    def recorded(x):
        started.set()
        enough.wait(20)
        return 2.0 * x

    def rule(m, g, z, x):
        if not threads:
            threads.append(threading.Thread(target=lambda: mg.compile(recorded)(1.0)))
            threads[0].start()
            assert started.wait(20)
        return g

    waiting = mg.primitive("waiting", rule, formula=lambda m, x: x, doc="x, while another thread records")
    try:
        v = Value(0.0)
        assert mg.gradients(waiting(mg.where(0.0, mg.sqrt(v), 2.0 * v)), [v])[0].data == 2.0
        assert threads[0].is_alive()
        assert mg.grad(mg.grad(lambda x: mg.where(0.0, mg.sqrt(x), x * x)))(0.0) == 2.0
    finally:
        enough.set()
        for thread in threads:
            thread.join()
        del TABLE["waiting"]


# ── names of primitives ─────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ["x0", "v1", "g1", "total", "row", "rows", "outputs", "run", "parameters"])
def test_a_primitive_may_be_called_as_generated_code_calls_its_own(name):
    three = mg.primitive(name, lambda m, g, z, x: g * 3.0, formula=lambda m, x: 3.0 * x, doc="3x")
    try:
        assert mg.compile(lambda x: three(x) * x + 1.0, backend="python")(2.0) == 13.0
        w = Value(2.0)
        assert mg.compile(lambda x: three(w) * x, backend="python").value_and_grad([1.0, 3.0]) == (12.0, [6.0])
    finally:
        del TABLE[name]


@pytest.mark.parametrize("word", ["inf", "nan", "copysign", "accurate"])
def test_a_word_of_the_namespace_is_taken(word):
    with pytest.raises(ValueError, match="is taken: the namespace of floats uses it"):
        mg.primitive(word, lambda m, g, z, x: g, formula=lambda m, x: x, doc="breaks the namespace")


def test_a_name_is_what_python_reads():
    with pytest.raises(ValueError, match="name 'cos' is taken by a primitive"):
        mg.primitive("ｃｏｓ", lambda m, g, z, x: g, formula=lambda m, x: x, doc="looks like cos")


def test_a_primitive_that_is_registered_again_is_the_new_one():
    for factor in (2.0, 3.0):
        f = mg.primitive(
            "again", lambda m, g, z, x, k=factor: g * k, formula=lambda m, x, k=factor: k * x, doc="a multiple"
        )
        try:
            assert (f(1.0), f(Value(1.0)).data, mg.grad(f)(1.0), Value(1.0).again().data) == (factor,) * 4
            assert mg.compile(lambda x, f=f: f(x) + 0.0)(1.0) == factor
        finally:
            del TABLE["again"]
