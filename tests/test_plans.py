"""Plans: traces as array instructions, and their derivatives."""

from __future__ import annotations

import importlib.util
import math
import random
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, nn
from microgradlike.compile import passes
from microgradlike.compile.loops import NAMES, depth, loops
from microgradlike.graph.program import Trace
from microgradlike.ops import TABLE
from microgradlike.testing import graphs

np = pytest.importorskip("numpy", reason="plans are arrays")

from microgradlike.compile.lowering import LOWERED  # noqa: E402
from microgradlike.compile.numpy_functions import NATIVE  # noqa: E402
from microgradlike.compile.transpose import Gradient  # noqa: E402
from microgradlike.compile.vectorise import Vectors  # noqa: E402

TAPE = NATIVE, LOWERED, False


def gradient_plan(root, inputs=(), single=True):
    return Gradient(Trace([root], inputs), single, TAPE).plan


def same_as_eager(function, rows, parameters, rel=1e-13):
    """Value and gradient of the mean over rows, and the values of each, by arrays and by the eager engine."""
    step = mg.compile(function, backend="numpy")
    columns = [list(column) for column in zip(*rows, strict=True)]
    values, totals = [], [0.0] * len(parameters)
    for row in rows:
        for p in parameters:
            p.grad = 0.0
        y = function(*map(Value, row))
        values.append(y.data)
        y.backward()
        totals = [t + p.grad / len(rows) for t, p in zip(totals, parameters, strict=True)]
    assert step.map(*columns).tolist() == pytest.approx(values, rel=rel, abs=rel, nan_ok=True)
    found, gradient = step.value_and_grad(*columns)
    assert found == pytest.approx(sum(values) / len(rows), rel=rel, abs=rel, nan_ok=True)
    by_parameter = dict(zip(step.parameters, gradient, strict=True))
    got = [by_parameter.get(p, 0.0) for p in parameters]
    assert got == pytest.approx(totals, rel=10 * rel, abs=rel, nan_ok=True)
    return step


# ── the loops ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.skipif(loops is passes, reason="the loops are not compiled here")
@given(graphs(draw=False), st.integers(0, 2))
@settings(max_examples=100, deadline=None)
def test_compiled_loops_answer_what_plain_ones_do(root, inputs):
    leaves = [v for v in mg.topological_order(root) if v.is_leaf]
    trace = Trace([root], leaves[:inputs])
    first, arrays = len(trace.leaves), (trace.operations, trace.start, trace.operands)
    flags = loops.reached(*arrays[1:], first, 0, trace.inputs)
    for run in (
        lambda m: m.repeated(*arrays, first),
        lambda m: m.reached(*arrays[1:], first, 0, trace.inputs),
        lambda m: (m.levels(*arrays[1:], flags, first, True), m.levels(*arrays[1:], flags, first, False)),
        lambda m: m.linear(*arrays, trace.constants, first, trace.outputs, flags, NAMES),
    ):
        assert run(loops) == run(passes)


def test_levels_are_as_late_as_users_or_as_early_as_operands_allow():
    a, b = Value(1.0), Value(2.0)
    early = a.exp()
    trace = Trace([early + (a * b).tanh().sin()], [])
    flags = passes.reached(trace.start, trace.operands, 2, 0, 0)
    late, early = (passes.levels(trace.start, trace.operands, flags, 2, late) for late in (True, False))
    names = [row.name for row in trace.program().rows]
    assert dict(zip(names, late[2:], strict=True)) == {"multiply": 1, "tanh": 2, "exp": 3, "sin": 3, "add": 4}
    assert dict(zip(names, early[2:], strict=True)) == {"multiply": 0, "tanh": 1, "exp": 0, "sin": 2, "add": 3}


def test_strands_that_a_long_chain_takes_in_one_by_one_are_one_group():
    ws = [Value(0.1 * i) for i in range(60)]
    total = ws[0]
    for a, b in pairwise(ws):
        total = total - mg.logsumexp([a, b])
    plan = Vectors(Trace([total], []), True, TAPE).plan
    assert [i.name for i in plan.instructions].count("log1p") == 1


def test_the_depth_counts_a_long_sum_once():
    xs = [Value(0.1 * i) for i in range(200)]
    assert depth(Trace([sum([x * x for x in xs])], [])) == 1
    assert depth(Trace([sum([x.tanh() for x in xs]).exp()], [])) == 3
    deep = xs[0]
    for _ in range(50):
        deep = deep.sin()
    assert depth(Trace([deep], [])) == 50


def test_a_sum_of_many_products_is_one_dot():
    xs = [Value(0.001 * i) for i in range(20_000)]
    plan = gradient_plan(sum([x * y for x, y in zip(xs, reversed(xs), strict=True)]))
    assert [i.name for i in plan.instructions] == ["dot", "multiply", "multiply", "add"]


def test_repeated_steps_are_one_step():
    x, y = Value(0.5), Value(2.0)
    trace = Trace([(x * y).tanh() * (x * y).tanh() + (y * x).tanh()], [])
    found = passes.repeated(trace.operations, trace.start, trace.operands, 2)
    assert found.tolist() == [0, 1, 2, 3, 2, 3, 6, 7, 8, 9]
    w = Value(2.0)
    once, twice = (gradient_plan(f(w)) for f in (lambda w: w.tanh(), lambda w: w.tanh() + w.tanh()))
    assert [i.name for i in twice.instructions].count("exp") == [i.name for i in once.instructions].count("exp")


@pytest.mark.parametrize("x", [0.0, -0.0])
def test_sums_keep_the_sign_of_zero(x):
    """0 + (−0) is 0, and −0 + (−0) is −0: 1 / it tells."""
    for function in (lambda x: 0.0 + x, lambda x: x + x, lambda x: sum([x, x, x])):
        step = mg.compile(function, backend="numpy")
        assert [math.copysign(1.0, y) for y in step.map([x, x])] == [math.copysign(1.0, function(Value(x)).data)] * 2


# ── shape of plans ──────────────────────────────────────────────────────────────────────────────
def test_the_number_of_instructions_does_not_depend_on_the_number_of_nodes():
    def layer(n):
        w = [Value(0.1 * i) for i in range(n)]
        return mg.sum([(a * b).tanh() * mg.exp(a) for a, b in pairwise(w)])

    assert len(gradient_plan(layer(10))) == len(gradient_plan(layer(2000)))


def test_a_loss_over_the_whole_batch_is_made_of_matrix_products():
    net = nn.MLP(2, [5, 1], "tanh", seed=1)
    rng = random.Random(1)
    rows = [([rng.gauss(0, 1), rng.gauss(0, 1)], rng.choice([-1.0, 1.0])) for _ in range(40)]

    def one(x, t):
        return mg.losses.hinge(net(x), t)

    whole = mg.compile(lambda: mg.mean([one(x, t) for x, t in rows]), backend="numpy")
    each = mg.compile(one, backend="numpy")
    value, gradient = whole.value_and_grad()
    other, expected = each.value_and_grad(*map(list, zip(*rows, strict=True)))
    assert value == pytest.approx(other, rel=1e-14)
    by_parameter = dict(zip(each.parameters, expected, strict=True))
    assert gradient == pytest.approx([by_parameter[p] for p in whole.parameters], rel=1e-12)
    plan = whole._runner(whole.recording, "numpy").plan("gradient", True)
    dots = [i for i in plan.instructions if i.name == "dot" and i.count > 40]
    assert {i.operands[0].index.shape[0] for i in dots} == {1}
    assert len(plan) < 60


def test_all_of_a_softmax_costs_no_more_than_its_inputs():
    for n in (10, 300):
        xs = [Value(0.01 * i) for i in range(n)]
        trace = Trace([*mg.softmax(xs)], [])
        plan = Vectors(trace, True, TAPE).plan
        assert sum(i.count for i in plan.instructions) <= 6 * n + 10


def test_a_primitive_that_is_registered_again_is_the_new_one():
    w = Value(3.0)
    for k in (2.0, 5.0):
        times = mg.primitive("times", lambda m, g, z, x, k=k: g * k, formula=lambda m, x, k=k: x * k, doc="x·k")
        value, gradient = mg.compile(lambda x, f=times: f(w) * x, backend="numpy").value_and_grad([1.0, 1.0])
        assert (value, gradient) == (3.0 * k, [k])
        del TABLE["times"]


# ── what the rows and operands of a group may be ────────────────────────────────────────────────
def test_lists_of_what_all_rows_share_and_what_they_do_not():
    a, b, c = Value(0.3), Value(-0.7), Value(1.2)
    rows = [(0.5, 2.0, 0.0), (-1.5, 0.1, 1.0), (3.0, -2.0, 2.0)]
    for function in (
        lambda x, y, k: mg.sum([a, x, b, y, 2.0, c]) * mg.sum([a, b, 1.0]),
        lambda x, y, k: mg.mean([a, x, b]) + mg.mean([a, b, c, 1.0]) + mg.mean([x, y]),
        lambda x, y, k: mg.dot([a, x, 2.0, y, b], [x, y, c, 3.0, c]),
        lambda x, y, k: mg.softmax([a, x, b, 0.5])[1] + mg.softmax([a, b])[0] * y,
        lambda x, y, k: mg.logsumexp([a * x, b, y]) + mg.norm([a, x, b]) * mg.prod([a, y, c]),
        lambda x, y, k: mg.take([a, x, b * y], k) + mg.take([a, b, c], k) + mg.take([x, y, a * x], k),
        lambda x, y, k: mg.losses.cross_entropy([a, b * x, c], k) + mg.losses.mean_squared_error([x, a], [b, y]),
        lambda x, y, k: mg.where(mg.greater(x, a), b, y * c) + mg.where(mg.greater(a, b), c, x),
        lambda x, y, k: a * b + c,
        lambda x, y, k: x * 2.0 + y,
        lambda x, y, k: mg.sum([a, 1.0, x]) * mg.sum([x, y, a * x, b * x, a * b, b * c]),
    ):
        same_as_eager(function, rows, [a, b, c])


def test_groups_of_powers_constants_and_lengths():
    ws = [Value(0.5 + 0.1 * i) for i in range(12)]

    def powers(x):
        parts = [w ** [2.0, 3.0, 0.5, -1.0, x][i % 5] for i, w in enumerate(ws)]
        return mg.sum(parts) + mg.sum([w / (i + 1.0) for i, w in enumerate(ws)])

    def ragged(x):
        sums = [mg.sum(ws[: 3 + i]) * x for i in range(5)]
        means = [mg.mean([w * x for w in ws[i:]]) for i in range(6)]
        dots = [mg.dot(ws[:i], ws[-i:]) for i in range(3, 9)]
        return mg.prod(sums[:3]) + mg.sum([m.tanh() for m in (*sums, *means, *dots)])

    for function in (powers, ragged):
        same_as_eager(function, [(0.3,), (1.7,)], ws)
        same_as_eager(function, [(0.3,)], ws)


def test_results_that_are_leaves_constants_or_each_other():
    w = Value(2.0)
    step = mg.compile(lambda x, y: [x, w, x * y, 3.0, x * y, w * w], backend="numpy")
    assert np.array(step.map([1.0, 2.0], [5.0, 7.0])).tolist() == [[1, 2, 5, 3, 5, 4], [2, 2, 14, 3, 14, 4]]
    for function, value, gradient in (
        (lambda x: w * 1.0, 2.0, [1.0]),
        (lambda x: mg.exp(x) if False else +w, 2.0, [1.0]),
        (lambda x: x + 0.0 * w, 4.0, [0.0]),
    ):
        assert mg.compile(function, backend="numpy").value_and_grad([3.0, 5.0]) == (value, gradient)


@given(graphs(draw=False))
@settings(max_examples=60, deadline=None)
def test_second_derivatives_of_random_graphs(root):
    leaves = [v for v in mg.topological_order(root) if v.is_leaf]
    first = mg.gradients(root, leaves)
    total = mg.sum(first)
    assume(all(math.isfinite(v.data) for v in mg.topological_order(total)) and not total.is_leaf)
    expected = [g.data for g in mg.gradients(total, leaves)]  # nan at ties
    size = max([1.0, *[abs(want) for want in expected if want == want]])
    assume(size <= 1e10)
    step = mg.compile(total, inputs=[], backend="numpy")
    _, gradient = step.value_and_grad()
    by_parameter = dict(zip(step.parameters, gradient, strict=True))
    for v, want in zip(leaves, expected, strict=True):
        found = by_parameter.get(v, 0.0)
        assert abs(found - want) <= 1e-9 * size or (found != found and want != want)


def test_the_norm_of_numbers_out_of_range_divides_what_it_is_the_norm_of():
    for scale in (1e-320, 1e-200, 1e308):
        step = mg.compile(lambda x, y: mg.gradients(mg.norm([x, y]), [x, y]), backend="numpy")
        ((found, other),) = np.array(step.map([0.75 * scale], [1.0 * scale])).reshape(1, 2).tolist()
        want = [float(g) for g in mg.grad(lambda x, y: mg.norm([x, y]), argnums=(0, 1))(0.75 * scale, 1.0 * scale)]
        assert [found, other] == pytest.approx(want, rel=1e-15)


GATED = [
    (lambda x, w, v: mg.where(mg.greater(x, 0), mg.log(w * x), w * x), [0.0, 1.0, -1.0]),
    (lambda x, w, v: mg.where(mg.greater(x, 0), mg.log(mg.dot([w, v], [x, x * x])), w), [0.0, 1.0, -1.0]),
    (lambda x, w, v: mg.where(mg.greater(x, 0), mg.log(mg.sum([w * x, v * x, x * w * v])), w), [0.0, 1.0, -1.0]),
    (lambda x, w, v: mg.where(mg.greater(x, 0), mg.log(mg.mean([w * x, v * x, x * w * v])), w), [0.0, 1.0, -1.0]),
    (lambda x, w, v: mg.where(mg.greater(x, 1), mg.sqrt(w * x - 2.0 * x), v), [4.0, 1.0, 0.0]),
    (lambda x, w, v: mg.take([mg.sqrt(w * 0.0 * x), w * x, v], mg.where(mg.greater(x, 0), 1.0, 2.0)), [4.0, -1.0]),
    (lambda x, w, v: mg.where(mg.greater(w, 3.0), mg.log(v - 0.5) * x, v * x), [1.0, 2.0]),
    (lambda x, w, v: mg.where(mg.greater(x, 0), mg.where(mg.greater(x, 2), mg.log(w * x), w), v), [1.0, -1.0, 3.0]),
    (lambda x, w, v: mg.maximum(mg.sqrt(w * x), v) + mg.minimum(mg.log(w * x), v), [0.0, 4.0, 1e-9]),
    (lambda x, w, v: mg.clip(mg.sqrt(w * x), 0.5, 1.0), [0.0, 4.0, 0.3]),
    (lambda x, w, v: mg.where(mg.greater(x, 0), mg.softmax([mg.log(w * x), v * x, w])[0], w), [0.0, 1.0, -1.0]),
    (lambda x, w, v: mg.where(mg.greater(x, 0), mg.sum([mg.log(w * x) * x, mg.sqrt(w * x)]), w), [0.0, 1.0]),
    (lambda x, w, v: mg.sqrt(w * x) ** 2, [0.0, 1.0]),  # reached, by a gradient of 0: nan
    (lambda x, w, v: mg.log(1 + mg.exp(w * x)), [1000.0, 1.0]),
]


@pytest.mark.parametrize(("function", "points"), GATED)
def test_what_a_gate_stops_stays_away_through_every_kind_of_group(function, points):
    w, v = Value(2.0), Value(0.5)
    for rows in (points, *[[x] for x in points]):
        same_as_eager(lambda x: function(x, w, v), [(x,) for x in rows], [w, v], rel=1e-12)


def test_no_numpy_is_needed_for_the_loops():
    spec = importlib.util.find_spec("microgradlike.compile.passes")
    with open(spec.origin, encoding="utf-8") as file:
        assert "numpy" not in file.read().split('"""', 2)[2]
