"""Compiled programs agree with the eager engine on every backend: random programs, every row, specials, training."""

from __future__ import annotations

import importlib.util
import json
import math
import operator
import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, floats
from microgradlike.compile.compiled import find_native
from microgradlike.graph.engine import values
from microgradlike.ops import TABLE
from microgradlike.testing import expressions, graphs

np = pytest.importorskip("numpy", reason="compares the array backends")
ARRAYS = ["numpy"] + ["native"] * find_native()
BACKENDS = ["python", *ARRAYS]
ROWS = [row for row in TABLE.values() if row.arity is not None and row.name != "defined"]


# ── random programs ─────────────────────────────────────────────────────────────────────────────
# No subnormal ones: what they lose depends on the order of a sum, and x % a makes anything of that.
SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e3, 1e-300, 1e300, math.inf, -math.inf, math.nan]


@st.composite
def calls(draw):
    """(function, the numbers of its arguments, its parameters): a program over the whole table, also at specials."""
    program = draw(expressions(max_inputs=4, draw=False))
    numbers = [draw(st.just(x) | st.sampled_from(SPECIAL)) for x in program.numbers]
    count = draw(st.integers(0, len(numbers) - 1))
    parameters = [Value(x) for x in numbers[count:]]
    return (lambda one, *arguments: program(*arguments, *parameters) * one), [1.0, *numbers[:count]], parameters


def eager(function, arguments, parameters):
    result = function(*map(Value, arguments))
    for p in parameters:
        p.grad = 0.0
    result.backward()
    return result.data, [p.grad for p in parameters]


def compiled(step, arguments, count, parameters):
    """The value and the gradient over `count` equal rows."""
    value, gradient = step.value_and_grad(*([x] * count for x in arguments))
    by_parameter = dict(zip(step.parameters, gradient, strict=True))
    return value, [by_parameter.get(p, 0.0) for p in parameters]


def same(a, b):
    return a == b or (a != a and b != b)


def close(a, b, size, tolerance):
    if not (math.isfinite(a) and math.isfinite(b)):
        return same(a, b) or max(abs(a), abs(b)) > 1e290  # what overflows in another order
    return abs(a - b) <= tolerance * size


@given(calls())
@settings(max_examples=60, deadline=None)
def test_generated_python_is_the_eager_engine_to_the_last_bit(call):
    function, arguments, parameters = call
    value, gradients = eager(function, arguments, parameters)
    step = mg.compile(function, backend="python")
    assert mg.compiled or same(step(*arguments), value)
    found, gradient = compiled(step, arguments, 1, parameters)
    if mg.compiled:  # whose hypot is the C library's, not Python's: a last place, and what comes of it
        size = max([1.0, *(abs(x) for x in (value, *gradients) if math.isfinite(x))])
        assert all(close(a, b, size, 1e-13) for a, b in zip([found, *gradient], [value, *gradients], strict=True))
        return
    assert same(found, value)
    assert all(map(same, gradient, gradients))


@pytest.mark.parametrize("backend", ARRAYS)
@given(calls(), st.sampled_from([1, 3]))
@settings(max_examples=40, deadline=None)
def test_array_backends_agree_on_random_programs(backend, call, count):
    function, arguments, parameters = call
    value, gradients = eager(function, arguments, parameters)
    size = max([1.0, *(abs(x) for x in (value, *gradients) if math.isfinite(x))])
    if size > 1e12:
        return  # sums of such numbers cancel in one order and not in another
    step = mg.compile(function, backend=backend)
    assert all(close(z, value, size, 1e-9) for z in step.map(*([x] * count for x in arguments)))
    found, gradient = compiled(step, arguments, count, parameters)
    assert close(found, value, size, 1e-9)
    assert all(close(a, b, size, 1e-7) for a, b in zip(gradient, gradients, strict=True))


@pytest.mark.parametrize("backend", ARRAYS)
@given(calls(), st.data())
@settings(max_examples=25, deadline=None)
def test_rows_at_specials_leave_the_other_rows_alone(backend, call, data):
    function, arguments, parameters = call
    other = st.tuples(st.just(1.0), *(st.just(x) | st.sampled_from(SPECIAL) for x in arguments[1:]))
    rows = [arguments, *data.draw(st.lists(other, min_size=1, max_size=9))]
    expected = [eager(function, row, parameters) for row in rows]
    numbers = [x for value, gradients in expected for x in (value, *gradients)]
    size = max([1.0, *(abs(x) for x in numbers if math.isfinite(x))])
    if size > 1e12:
        return
    step = mg.compile(function, backend=backend)
    columns = list(zip(*rows, strict=True))
    found = step.map(*columns)
    assert all(close(a, value, size, 1e-9) for a, (value, _) in zip(found, expected, strict=True))
    _, gradient = step.value_and_grad(*columns)
    by_parameter = dict(zip(step.parameters, gradient, strict=True))
    for j, p in enumerate(parameters):
        assert close(by_parameter.get(p, 0.0), sum(g[j] for _, g in expected) / len(rows), size, 1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
@given(graphs(draw=False))
@settings(max_examples=25, deadline=None)
def test_random_graphs_are_replayed(backend, root):
    root.backward()
    leaves = [v for v in mg.topological_order(root) if v.is_leaf]
    gradients = [v.grad for v in leaves[1:]]
    size = max([1.0, abs(root.data), *map(abs, gradients)])
    tolerance = 0.0 if backend == "python" else 1e-12
    step = mg.compile(root, inputs=leaves[:1], backend=backend)
    assert step(leaves[0].data) == root.data
    found, gradient = compiled(step, [leaves[0].data], 1, leaves[1:])
    assert abs(found - root.data) <= tolerance * size
    assert all(abs(a - b) <= tolerance * size for a, b in zip(gradient, gradients, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_slope_that_is_not_defined_where_the_value_is(backend):
    y = Value(-1.0)
    step = mg.compile(lambda x: mg.xlogy(x, y), backend=backend)  # 0, but ln y is nan, and so is the slope
    for rows in ([0.0], [0.0, 0.0]):
        value, (slope,) = step.value_and_grad(rows)
        assert value == 0.0
        assert math.isnan(slope)


# ── every row, at ordinary points and at specials ───────────────────────────────────────────────
SPECIALS = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -20.0, 40.0, 1e-310, 1e300, math.inf, -math.inf, math.nan]
# What native code keeps by formulas where NumPy asks floats.py: more than 4 ulp, and where.
OUTSIDE = {  # rules wrap these in `defined`: where they differ, the row that they are the slope of is nan
    "atanh_slope": lambda x: abs(x) <= 1.0,
    "binary_cross_entropy_slope": lambda p, y: 0.0 <= p <= 1.0 and 0.0 <= y <= 1.0,
}


def anywhere(rng):
    """A float of any size, or one of the sizes that programs have."""
    exponent = rng.choice([rng.randint(-1074, 1023), rng.randint(-40, 9), rng.randint(-40, 9)])
    return math.ldexp(rng.uniform(1.0, 2.0), exponent) * rng.choice([1.0, -1.0])


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_row_keeps_its_digits_and_specials(row, backend):
    rng = random.Random(row.name)
    domain = [row.domain[min(i, len(row.domain) - 1)] for i in range(row.arity)]
    points = [tuple(rng.choice(SPECIALS) for _ in domain) for _ in range(60)]
    points += [tuple(rng.choice((0.0, -0.0, 1.0, -795.0, 795.0)) for _ in domain) for _ in range(30)]
    points += [tuple(rng.uniform(*d) for d in domain) for _ in range(60)]
    points += [tuple(rng.choice(row.trouble or (1.0,)) + rng.uniform(-1e-3, 1e-3) for _ in domain) for _ in range(20)]
    inside = OUTSIDE.get(row.name, lambda *x: True)
    if row.name == "exp_times":  # 0 times what overflows
        points = [x for x in points if x[1] or x[0] < 700.0]
    points += [x for _ in range(300) if inside(*(x := tuple(anywhere(rng) for _ in domain)))]
    names = "abc"[: row.arity]
    function = {1: lambda a: record(a), 2: lambda a, b: record(a, b), 3: lambda a, b, c: record(a, b, c)}[len(names)]
    record = getattr(values, row.name)
    found = mg.compile(function, backend=backend).map(*map(list, zip(*points, strict=True)))
    for point, got in zip(points, found.tolist(), strict=True):
        want = row.on(floats)(*point)
        if not (math.isfinite(want) and math.isfinite(got)):
            assert same(want, got), (point, want, got)
        else:
            assert abs(got - want) <= 4.0 * math.ulp(want), (point, want, got)
            if want == got == 0.0:  # of −0 and 0, too
                assert math.copysign(1.0, got) == math.copysign(1.0, want), point


@pytest.fixture(scope="module")
def measured():
    """docs/measure_accuracy.py and its cases, by operation, parameters and number of inputs."""
    pytest.importorskip("mpmath", reason="the cases that the reference lacks are computed with mpmath")
    path = Path(__file__).resolve().parents[1] / "docs" / "measure_accuracy.py"
    spec = importlib.util.spec_from_file_location("measure_accuracy", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script, script.cases(script.REFERENCE)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_promise_holds_at_every_case_of_the_reference(backend, measured):
    script, groups = measured
    run = script.run_compiled(backend)
    for (op, params, _), cases in groups.items():
        name = script.OUR_NAMES.get(op, op)
        promised = 2.0 if backend == "python" else 16.0 if TABLE[name].arity is None else 4.0
        inputs = [[float.fromhex(x) for x in case["inputs"]] for case in cases]
        for case, answer in zip(cases, run(script.ours(op, json.loads(params)), inputs), strict=True):
            for field, off in script.errors(case, *answer):
                limit = promised
                if name in ("sum", "mean", "dot") and backend != "python":  # as accurate as their terms allow
                    x = [float.fromhex(each) for each in case["inputs"]]
                    terms = [*map(operator.mul, x[: len(x) // 2], x[len(x) // 2 :])] if name == "dot" else x
                    size = sum(map(abs, terms))
                    limit += len(x) * 2.0**-53 * size / math.ulp(answer[0]) if math.isfinite(answer[0]) else 0.0
                    if size > 1e308:
                        continue  # what overflows on the way
                elif TABLE[name].arity is None and backend != "python":  # as the largest term allows
                    reference = case["value"] if field == "value" else case["grads"][int(field[1:])]
                    largest = max(abs(float.fromhex(x)) for x in case["inputs"])
                    off *= min(1.0, 4.0 * math.ulp(float.fromhex(reference)) / math.ulp(largest))
                assert off <= limit, (name, case["inputs"], field, answer)


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("scale", [1e-9, 1.0, 30.0, 700.0, 1e8])
def test_softmaxes_of_distant_logits(backend, scale):
    """The difference of two logits is rounded; exp of it is not allowed to show that. (Sums of 3 terms.)"""
    rng = random.Random(scale)
    rows = [[rng.gauss(0.0, scale) + rng.choice([0.0, scale]) for _ in range(3)] for _ in range(200)]
    rows += [[-math.inf, 0.0, scale], [scale, scale, -scale], [math.inf, 0.0, scale], [math.nan, 0.0, scale]]

    def everything(x):
        y = mg.softmax(x)
        slopes = mg.gradients(mg.losses.cross_entropy(x, 2), list(x))
        return [*y, mg.losses.cross_entropy(x, 0), *slopes, *mg.gradients(y[1], list(x))]

    found = mg.compile(everything, backend=backend).map(rows)
    for x, got in zip(rows, np.asarray(found).tolist(), strict=True):
        for a, want in zip(got, [y.data for y in everything([Value(v) for v in x])], strict=True):
            assert same(a, want) or abs(a - want) <= 4.0 * math.ulp(want), (x, got)


def ulps(got, want):
    return 0.0 if got == want or (got != got and want != want) else abs(got - want) / math.ulp(want)


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_logsumexp_near_zero(backend, n):
    """Where max + ln Σ exp(x − max) cancels: as good as the larger of the two. By rows, and of shared numbers."""
    rng = random.Random(n)
    rows = [[math.log(p) - rng.choice([0.0, 1e-9, 1e-3]) for p in mg.softmax([rng.gauss(0, 2) for _ in range(n)])]
            for _ in range(37)]  # fmt: skip
    rows += [[-math.log(n)] * n, [3.0] * n, [-math.inf] * n, [math.nan] * n, [-700.0] * n]
    wants = [floats.logsumexp(*row) for row in rows]
    step = mg.compile(lambda x: mg.logsumexp(x), backend=backend)

    def good(got, row, want):
        return same(got, want) or abs(got - want) <= 4.0 * math.ulp(max(map(abs, row)))

    assert all(map(good, step.map(rows).tolist(), rows, wants))
    parameters = [Value(x) for x in rows[0]]
    of_parameters = mg.compile(lambda t: mg.logsumexp(parameters) * t, backend=backend)
    assert good(of_parameters.value_and_grad([1.0] * 5)[0], rows[0], wants[0])
    if n == 2:
        pairs = list(zip(*rows, strict=True))
        found = mg.compile(lambda x, y: mg.logaddexp(x, y), backend=backend).map(*map(list, pairs))
        assert max(map(ulps, found.tolist(), wants)) <= 4.0


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("n", [1, 2, 3, 8, 70])
def test_sums_and_dots_are_as_accurate_as_their_terms_allow(backend, n):
    """To n·2⁻⁵³ of the sum of the terms' sizes, also where they cancel; and what is no number stays none."""
    rng = random.Random(n)
    rows = [[rng.uniform(-5.0, 5.0) for _ in range(2 * n)] for _ in range(300)]
    for _ in range(100):  # the last term takes nearly all of the others away
        xs = [rng.uniform(-5.0, 5.0) * 2.0 ** rng.randint(-30, 30) for _ in range(2 * n)]
        xs[n - 1] = -math.fsum(xs[: n - 1]) * rng.choice([1.0, 1.0 + 1e-9])
        rows.append(xs)
    rows += [[rng.choice([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan]) for _ in range(2 * n)]
             for _ in range(100)]  # fmt: skip
    for function, row, terms in (
        (lambda x: mg.sum(x[:n]), lambda x: floats.sum(*x[:n]), lambda x: x[:n]),
        (lambda x: mg.mean(x[:n]), lambda x: floats.mean(*x[:n]), lambda x: [v / n for v in x[:n]]),
        (lambda x: mg.dot(x[:n], x[n:]), lambda x: floats.dot(*x), lambda x: [*map(operator.mul, x[:n], x[n:])]),
    ):
        step = mg.compile(function, backend=backend)
        for x, got in zip(rows, step.map(rows).tolist(), strict=True):
            want = row(x)
            assert same(got, want) or abs(got - want) <= (n + 1) * 2.0**-53 * math.fsum(map(abs, terms(x))), (x, got)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("function", "points"),
    [
        (lambda x: mg.log(x), [1.0, -1.0, 0.0, 2.0]),
        (lambda x: mg.relu(x) * x, [1.0, math.nan, -1.0]),
        (lambda x: mg.where(mg.greater(x, 0.0), mg.sqrt(x), 0.0), [1.0, 0.0, -1.0, 4.0]),
        (lambda x: mg.where(mg.greater(x, 0.0), x * mg.log(x), 0.0), [1.0, 0.0, -1.0, 4.0]),
        (lambda x: mg.where(mg.less(x, 100.0), x * mg.exp(x), 0.0), [1.0, 1000.0, 2.0]),
        (lambda x: mg.sigmoid(x / (x * x)) ** 0.5, [1.0, 0.0, -2.0]),
    ],
)
def test_recorded_gradients_do_not_know_the_numbers_they_were_recorded_with(backend, function, points):
    """Neither where a slope is not defined nor which branch is not taken: whatever row comes first."""
    for first in range(len(points)):
        rows = points[first:] + points[:first]
        step = mg.compile(lambda x: mg.gradients(function(x), [x])[0], backend=backend)
        twice = mg.compile(lambda x: mg.grad(mg.grad(function))(x), backend=backend)
        assert step.map(rows).tolist() == pytest.approx([mg.grad(function)(x) for x in rows], rel=1e-14, nan_ok=True)
        found = [mg.grad(mg.grad(function))(x) for x in rows]
        assert twice.map(rows).tolist() == pytest.approx(found, rel=1e-13, nan_ok=True)


@pytest.mark.parametrize("backend", ARRAYS)
def test_digits_where_exp_magnifies_the_error_of_its_argument(backend):
    rng = random.Random(1)
    xs = [rng.uniform(-22.0, 2.5) for _ in range(3000)] + [rng.uniform(-2.0, -1.8) for _ in range(1000)]
    found = mg.compile(lambda x: mg.gelu(x, approximate="tanh"), backend=backend).map(xs).tolist()
    assert max(ulps(got, floats.gelu_tanh(x)) for got, x in zip(found, xs, strict=True)) <= 4.0
    pairs = [(rng.choice([1.0, -1.0]) * 2.0 ** rng.uniform(-60, 0), rng.uniform(-40.0, 1.0)) for _ in range(4000)]
    for rows in (pairs, [(y, x) for x, y in pairs]):
        found = mg.compile(lambda x, y: mg.logaddexp(x, y), backend=backend).map(*map(list, zip(*rows, strict=True)))
        assert max(ulps(got, floats.logaddexp(*row)) for got, row in zip(found.tolist(), rows, strict=True)) <= 4.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_losses_and_sums_at_the_ends_of_the_range(backend):
    large, small = 1.7e308, 3e-318
    rows = [[large, -large, 3.0, 1e306], [small, -2.0 * small, small, 0.0], [1e308, 9e307, -1.5e308, 1.2e308]]
    for function in (
        lambda x: mg.mean(x),
        lambda x: mg.gradients(mg.losses.mean_squared_error(x, [-1e308, 0.0, 0.0, 0.0]), x)[0],
        lambda x: mg.losses.mean_squared_error([1e-154 * y for y in x], [4e153, -2e154, 1e154, 0.0]),
        lambda x: mg.losses.half_squared_error(x[2] * 0.0, 1.6e154),
        lambda x: mg.gradients(mg.norm(x), x)[1],
        lambda x: mg.gradients(mg.norm(x), x)[2],
    ):
        found = mg.compile(function, backend=backend).map(rows).tolist()
        assert max(map(ulps, found, [function([Value(x) for x in row]).data for row in rows])) <= 4.0
    tiny = mg.compile(lambda x, y: mg.gradients(values.binary_cross_entropy_with_logits(x, y), [x])[0], backend=backend)
    assert tiny.map([-745.0, -800.0, -700.0], [5e-324, 1e-300, 1e-304]).tolist() == [
        floats.sigmoid_minus(*row) for row in ((-745.0, 5e-324), (-800.0, 1e-300), (-700.0, 1e-304))
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_power_without_value_has_no_slope(backend):
    """y − 1 may round to an integer where y is none."""
    rows = [(-2.0, 1e-20), (-1e-16, math.nextafter(-1.0, 0.0)), (-2.0, -1e-60), (-2.0, 2.5), (-2.0, 3.0)]
    step = mg.compile(lambda x, y: mg.gradients(x**y, [x])[0], backend=backend)
    found = step.map(*map(list, zip(*rows, strict=True))).tolist()
    assert [mg.grad(lambda x, y=y: x**y)(x) for x, y in rows] == pytest.approx(found, nan_ok=True)
    assert [x == x for x in found] == [False] * 4 + [True]


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("apart", [0.0, 1e-5, 1e-2, 0.3])
def test_differences_from_targets_keep_their_digits(backend, apart):
    """softmax − y and σ(x) − y near 0, which is where training ends: softmax's to some ulp of y."""
    rng = random.Random(apart)
    logits = [[rng.gauss(0.0, 2.0) for _ in range(4)] for _ in range(100)] + [[x] * 4 for x in (0.0, -3.0, 1e8)]
    targets = []
    for row in logits:
        shares = [p * (1.0 + apart * rng.uniform(-1.0, 1.0)) for p in mg.softmax(row)]
        targets.append([p / math.fsum(shares) for p in shares])
    step = mg.compile(lambda xs, ys: mg.gradients(mg.soft_cross_entropy(xs, ys), xs), backend=backend)
    for x, y, found in zip(logits, targets, step.map(logits, targets), strict=True):
        for k, got in enumerate(found):
            want = floats.softmax_minus(float(k), *x, *y)
            assert abs(got - want) <= 8.0 * math.ulp(y[k]), (x, y, k)
    xs = [x for row in logits for x in row if abs(x) < 30.0]
    ys = [min(1.0, mg.sigmoid(x) * (1.0 + apart * rng.uniform(-1.0, 1.0))) for x in xs]
    step = mg.compile(lambda x, y: mg.gradients(mg.losses.binary_cross_entropy_with_logits(x, y), [x])[0],
                      backend=backend)  # fmt: skip
    for x, y, got in zip(xs, ys, step.map(xs, ys).tolist(), strict=True):
        want = floats.sigmoid_minus(x, y)
        assert ulps(got, want) <= 4.0, (x, y)


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("size", [1e-320, 1e-310, 1e-200, 1.0, 1e200, 1.5e308])
def test_norms_and_means_at_the_ends_of_the_range(backend, size):
    rng = random.Random(size)
    rows = [[rng.uniform(-1.0, 1.0) * size for _ in range(5)] for _ in range(30)] + [[0.0] * 5, [size] * 5]
    rows += [[math.inf, *rows[0][1:]], [math.nan, *rows[0][1:]]]
    for function, row in ((mg.norm, TABLE["norm"]), (mg.mean, TABLE["mean"])):
        step = mg.compile(lambda xs: [function(xs), *mg.gradients(function(xs), xs)], backend=backend)
        for x, found in zip(rows, step.map(rows), strict=True):
            z = row.on(floats)(*x)
            wants = [z, *row.cotangents(floats, 1.0, z, *x)]
            for got, want in zip(found, wants, strict=True):
                scale = max(map(abs, x)) if function is mg.mean and 0.0 < max(map(abs, x)) < math.inf else want
                assert got == want or abs(got - want) <= 4.0 * math.ulp(scale) or (got != got and want != want), x


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("c", [-9.0, -5.0, -4.0, 3.0, 5.0, 6.0, 20.0, 33.0, 63.0, 10.5, -12.5])
def test_slopes_of_powers_at_the_ends_of_the_range(backend, c):
    rng = random.Random(c)
    xs = [math.ldexp(rng.uniform(1.0, 2.0), int((rng.choice([-1070, -1022, 1023]) + rng.uniform(-9.0, 0.0)) / (c - 1)))
          for _ in range(200)]  # fmt: skip
    xs += [-x for x in xs] + [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0]
    step = mg.compile(lambda x: mg.gradients(x**c, [x])[0], backend=backend)
    for x, got in zip(xs, step.map(xs).tolist(), strict=True):
        want = floats.pow_slope(x, c)
        assert got == want or ulps(got, want) <= 4.0, (x, got, want)
        assert math.copysign(1.0, got) == math.copysign(1.0, want) or want != want, (x, got, want)


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("count", [1, 3, 40, 1500])
def test_products_keep_their_range_on_the_way(backend, count):
    rng = random.Random(count)
    rows = [[math.ldexp(rng.uniform(1.0, 2.0), rng.randint(-1070, 1020)) for _ in range(count)] for _ in range(5)]
    rows += [[*row[: count // 2], *(1.0 / x for x in row[: count // 2]), 1.0][:count] for row in rows]
    rows += [[0.0] * count, [-math.inf] * count, [5e-324] * count, [-1.7e308] * count]
    rows = [[x if len(row) == count else 1.0 for x in row] + [1.0] * (count - len(row)) for row in rows]
    found = mg.compile(lambda x: mg.prod(x), backend=backend).map(rows)
    for x, got in zip(rows, found.tolist(), strict=True):
        want = mg.prod(x)
        assert same(got, want) or abs(got - want) <= max(4.0, 0.75 * count) * math.ulp(want), (x[:5], got, want)


@pytest.mark.parametrize(
    "xs", [[1e308, 1.7e308, 1e308], [5e-324, 1e-323], [0.0, 0.0], [1e-200, 1e300, -3.0], [math.inf, 1.0, 2.0]]
)
def test_generated_python_has_the_eager_partials_of_many(xs):
    for function in (mg.norm, mg.prod, mg.logsumexp, lambda v: mg.softmax(v)[1], lambda v: mg.log_softmax(v)[0]):
        w = [Value(x) for x in xs]
        _, expected = eager(lambda one, w=w, f=function: f(w) * one, [1.0], w)
        _, found = compiled(mg.compile(lambda one, w=w, f=function: f(w) * one, backend="python"), [1.0], 1, w)
        assert all(map(same, found, expected))


@pytest.mark.parametrize("backend", ARRAYS)
def test_a_branch_not_taken_does_not_poison(backend):
    w = Value(2.0)
    step = mg.compile(lambda x: mg.where(x > 0 if False else mg.greater(x, 0), mg.log(w * x), w * x), backend=backend)
    value, gradient = step.value_and_grad([0.0, 1.0, -1.0])
    assert value == pytest.approx((0.0 + math.log(2.0) - 2.0) / 3)
    assert gradient == pytest.approx([(0.0 + 0.5 - 1.0) / 3])
    value, gradient = step.value_and_grad([0.0])
    assert (value, gradient) == (0.0, [0.0])


@pytest.mark.parametrize("backend", ARRAYS)
def test_true_nan_stays_nan(backend):
    w = Value(-2.0)
    step = mg.compile(lambda x: mg.log(w) * x, backend=backend)
    value, gradient = step.value_and_grad([1.0, 2.0])
    assert math.isnan(value)
    assert math.isnan(gradient[0])


# ── structure ───────────────────────────────────────────────────────────────────────────────────
def network(sizes, seed=1):
    rng = random.Random(seed)
    layers = [
        [([Value(rng.uniform(-1, 1)) for _ in range(a)], Value(rng.uniform(-1, 1))) for _ in range(b)]
        for a, b in pairwise(sizes)
    ]

    def net(x):
        for depth, layer in enumerate(layers):
            x = [sum((w * xi for w, xi in zip(ws, x, strict=True)), b) for ws, b in layer]
            if depth < len(layers) - 1:
                x = [v.relu() for v in x]
        return x

    return net


@pytest.mark.parametrize("width", [3, 8, 17])
def test_scalar_loops_become_matrix_products(width):
    net = network([5, width, width, 3])
    step = mg.compile(lambda x, y: mg.sum([(a - y) ** 2 for a in net(x)]), backend="numpy")
    step.value_and_grad([[0.1] * 5] * 4, [0.5] * 4)
    (runner,) = step.recording.runners.values()
    plan = runner.plan("gradient", False)
    assert len(plan) < 40  # whatever the width
    shapes = {i.operands[0].index.shape[1:] for i in plan.instructions if i.name == "dot"}
    assert {(width, 5), (width, width), (3, width), (width, 3)} <= shapes
    for i in plan.instructions:
        if i.name == "dot":
            assert i.operands[0].strides() is not None
            assert i.operands[1].strides() is not None


@pytest.mark.parametrize("backend", ARRAYS)
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 100, 1001])
@pytest.mark.parametrize("sizes", [(2, 3, 1), (4, 9, 5, 2), (3, 8, 16, 4)])
def test_any_number_of_rows_and_neurons(backend, rows, sizes):
    net = network(sizes)
    rng = random.Random(rows)
    xs = [[rng.uniform(-1, 1) for _ in range(sizes[0])] for _ in range(rows)]
    ys = [rng.uniform(-1, 1) for _ in range(rows)]

    def cost(x, y):
        return mg.mean([(a - y) ** 2 for a in net(x)])

    exact, step = mg.compile(cost, backend="python"), mg.compile(cost, backend=backend)
    value, gradient = exact.value_and_grad(xs, ys)
    found, found_gradient = step.value_and_grad(np.array(xs), np.array(ys))
    assert found == pytest.approx(value, rel=1e-13)
    assert found_gradient == pytest.approx(gradient, rel=1e-11, abs=1e-15)
    assert step.map(xs, ys).tolist() == pytest.approx(exact.map(xs, ys).tolist(), rel=1e-13)


@pytest.mark.skipif("native" not in BACKENDS, reason="only native code has threads")
@pytest.mark.parametrize("rows", [3000, 20_001, 60_000])
def test_threads_change_no_bit(rows):
    net = network([6, 20, 20, 1])
    rng = np.random.default_rng(1)
    xs, ys = rng.normal(size=(rows, 6)), rng.normal(size=rows)
    steps = [mg.compile(lambda x, y: (net(x)[0] - y) ** 2, backend="native", threads=n) for n in (1, 2, 3, 7, None)]
    value, gradient = steps[0].value_and_grad(xs, ys)
    plain, plain_gradient = mg.compile(lambda x, y: (net(x)[0] - y) ** 2, backend="numpy").value_and_grad(xs, ys)
    assert value == pytest.approx(plain, rel=1e-13)
    assert gradient == pytest.approx(plain_gradient, rel=1e-11, abs=1e-14)
    for step in steps[1:]:
        assert step.value_and_grad(xs, ys) == (value, gradient)
        assert (step.map(xs, ys) == steps[0].map(xs, ys)).all()


def test_arrays_in_any_memory_order():
    net = network([4, 5, 1])
    base = np.random.default_rng(2).normal(size=(8, 50))
    for backend in BACKENDS:
        step = mg.compile(lambda x: net(x)[0], backend=backend)
        wanted = step.map(base[:4].T.copy())
        assert step.map(base[:4].T).tolist() == wanted.tolist()
        assert step.value_and_grad(base[::2].T)[0] == pytest.approx(step.map(base[::2].T.copy()).mean(), rel=1e-12)
        assert step.map(base[:4].T.astype(np.float32)).tolist() == pytest.approx(wanted.tolist(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("backend", ARRAYS)
def test_a_users_primitive_runs_everywhere(backend):
    cube = mg.primitive(
        "cube_of_test", lambda m, g, z, x: g * (3.0 * m.square(x)), formula=lambda m, x: x * x * x, doc="x³"
    )
    try:
        w = Value(2.0)
        step = mg.compile(lambda x: cube(w * x), backend=backend)
        assert step.value_and_grad([1.0, 2.0]) == (36.0, [54.0])
    finally:
        TABLE.pop("cube_of_test")


# ── other libraries ─────────────────────────────────────────────────────────────────────────────
def exported_example():
    net = network([3, 6, 1])
    table = [[Value(0.1 * i), Value(0.2 - i)] for i in range(4)]

    def loss(x, k, y):
        a, b = mg.take(table, k)
        return mg.softplus(net(x)[0] * a - y) + mg.logsumexp([a, b, x[0]]) + mg.maximum(b, y)

    rng = np.random.default_rng(3)
    rows = rng.normal(size=(16, 3)), rng.integers(0, 4, 16).astype(float), rng.normal(size=16)
    step = mg.compile(loss, backend="numpy")
    value, gradient = step.value_and_grad(*rows)
    return step, rows, value, np.array(gradient), np.array([p.data for p in step.parameters])


def test_numpy_export():
    step, rows, _, _, theta = exported_example()
    f = step.to("numpy")
    assert [float(f(theta, *row)) for row in zip(*rows, strict=True)] == pytest.approx(
        step.map(*rows).tolist(), rel=1e-13
    )


@pytest.mark.parametrize("library", ["numpy", "torch", "array_api_strict"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_libraries_take_every_row(row, library):
    library = pytest.importorskip(library, reason="exports to it")
    record = getattr(values, row.name)
    function = {1: lambda a: record(a), 2: lambda a, b: record(a, b), 3: lambda a, b, c: record(a, b, c)}[row.arity]
    domain = [row.domain[min(i, len(row.domain) - 1)] for i in range(row.arity)]
    point = [min(max(0.6 + 0.1 * i, low), high) for i, (low, high) in enumerate(domain)]
    recording = mg.compile(function, backend="python").record(*point)
    try:
        exported = recording.to(library)
        found = float(exported([], *point))
    except TypeError as error:  # the standard has no erf, and some of it only for torch's tensors
        assert library.__name__ == "array_api_strict", error
        assert "export to jax or torch" in str(error)
    else:
        assert found == pytest.approx(row.on(floats)(*point), rel=1e-13)


def test_array_api_export():
    xp = pytest.importorskip("array_api_strict", reason="exports to an Array API namespace")
    step, rows, _, _, theta = exported_example()
    f = step.to(xp)
    found = [f(xp.asarray(theta), *row) for row in zip(*rows, strict=True)]
    assert all(type(x) is type(xp.asarray(0.0)) for x in found)
    assert [float(x) for x in found] == pytest.approx(step.map(*rows).tolist(), rel=1e-13)


def test_torch_export():
    torch = pytest.importorskip("torch", reason="exports to PyTorch")
    step, rows, value, gradient, theta = exported_example()
    f = step.to("torch")
    leaf = torch.tensor(theta, requires_grad=True)
    cost = torch.stack([f(leaf, *map(torch.tensor, row)) for row in zip(*rows, strict=True)]).mean()
    cost.backward()
    assert float(cost.detach()) == pytest.approx(value, rel=1e-12)
    assert leaf.grad.numpy() == pytest.approx(gradient, rel=1e-10, abs=1e-14)


SHARDED = """
import sys
sys.path.insert(0, {tests!r})
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from test_compile_backends import exported_example

step, rows, value, gradient, theta = exported_example()
f = step.to("jax")
cost = jax.jit(jax.value_and_grad(lambda t, *rows: jax.vmap(f, (None, 0, 0, 0))(t, *rows).mean()))
one, one_gradient = cost(theta, *rows)
np.testing.assert_allclose(one, value, rtol=1e-12)
np.testing.assert_allclose(one_gradient, gradient, rtol=1e-10, atol=1e-14)
assert len(jax.devices()) == 8
mesh = Mesh(np.array(jax.devices()), ("rows",))
spread = [jax.device_put(r, NamedSharding(mesh, PartitionSpec("rows"))) for r in rows]
many, many_gradient = cost(theta, *spread)
np.testing.assert_allclose(many, one, rtol=1e-13)
np.testing.assert_allclose(many_gradient, one_gradient, rtol=1e-11, atol=1e-15)
"""


def test_jax_export_sharded_over_eight_devices():
    pytest.importorskip("jax", reason="exports to JAX")
    environment = dict(os.environ, XLA_FLAGS="--xla_force_host_platform_device_count=8", JAX_PLATFORMS="cpu")
    code = SHARDED.format(tests=os.path.dirname(__file__))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_export_refuses_what_is_no_namespace():
    step = exported_example()[0]
    with pytest.raises(TypeError, match="library must be an Array API namespace"):
        step.to(math)


def test_export_refuses():
    step = mg.compile(lambda x: x * x if x > 0 else -x, backend="numpy")
    step(1.0)
    with pytest.raises(TypeError, match="branches in Python"):
        step.to("jax")
    with pytest.raises(ValueError, match="library must be one of"):
        step.to("tensorflow")


# ── native logarithms, and chains of operations ─────────────────────────────────────────────────
@pytest.mark.skipif("native" not in BACKENDS, reason="the installation has no native code")
@pytest.mark.parametrize("name", ["log", "log1p"])
def test_native_logarithms_keep_specials_and_digits(name):
    one = Value(1.0)
    step = mg.compile(lambda x: getattr(mg, name)(x) * one, backend="native")
    rng = random.Random(7)
    numbers = [0.0, -0.0, 1.0, -1.0, -2.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324, 1e-310, 1.7e308, 2.0**-1022]
    numbers += [math.ldexp(rng.uniform(1, 2), rng.randint(-1070, 1020)) for _ in range(300)]
    numbers += [rng.choice((-1, 1)) * 10 ** rng.uniform(-20, 0) for _ in range(300)]
    numbers += [1.0 + rng.gauss(0, 1) * 10 ** rng.uniform(-15, -1) for _ in range(300)]
    for x, found in zip(numbers, step.map(np.array(numbers)).tolist(), strict=True):
        expected = getattr(floats, name)(x)
        if expected == 0.0 or not math.isfinite(expected):
            assert repr(found) == repr(expected), x
        else:
            assert abs(found - expected) <= 2.0 * math.ulp(expected), x


@pytest.mark.parametrize("backend", ARRAYS)
def test_results_inside_a_chain_that_others_need_are_kept(backend):
    w = [Value(0.5), Value(-0.25), Value(2.0)]

    def loss(x, y):
        a = mg.tanh(w[0] * x + w[1])
        b = mg.relu(a - y)
        c = mg.exp(-a) + b
        return c * a + mg.sum([a, b, c]) * w[2] + mg.where(mg.sin(c), b, a)

    step = mg.compile(loss, backend=backend)
    rng = random.Random(3)
    X, Y = [rng.uniform(-2, 2) for _ in range(37)], [rng.uniform(-1, 1) for _ in range(37)]
    costs = [loss(x, y) for x, y in zip(X, Y, strict=True)]
    assert step.map(np.array(X), np.array(Y)).tolist() == pytest.approx([v.data for v in costs], rel=1e-13)
    gradients = mg.gradients(sum(costs) * (1 / 37), step.parameters)
    found = step.value_and_grad(np.array(X), np.array(Y))[1]
    assert found == pytest.approx([float(getattr(g, "data", g)) for g in gradients], rel=1e-12)
