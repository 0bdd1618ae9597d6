"""Compiled calls: the C interpreter has the eager engine's bits, and a call takes and answers what eager does."""

from __future__ import annotations

import gc
import math
import random
import threading

import pytest
from hypothesis import given, settings

import microgradlike as mg
from microgradlike import Value
from microgradlike.compile import BranchError, interpreted
from microgradlike.graph.engine import record
from microgradlike.ops import TABLE
from microgradlike.testing import graphs

needs_c = pytest.mark.skipif(interpreted.calls is None, reason="the interpreter is the compiled engine's")
SPECIALS = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -20.0, 40.0, 1e-310, 1e300, math.inf, -math.inf, math.nan]


def bits(x):
    """A tree of numbers with what `==` cannot tell apart told apart, and nan equal to nan."""
    if isinstance(x, dict):
        return {k: bits(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(map(bits, x))
    if hasattr(x, "tolist"):
        return (type(x).__name__, x.dtype.name, x.shape, bits(x.ravel().tolist()))
    if not mg.compiled:
        x += 0.0  # generated Python sums without a first 0: a gradient of −0 is +0 in the sweep of eager
    return type(x), "nan" if x != x else x.hex()


def same(step, function, *arguments):
    """The answer of a compiled function, if it is eager's to the bit: the first time, and by the quick call."""
    want = function(*arguments)
    assert bits(step(*arguments)) == bits(want)
    assert bits(step(*arguments)) == bits(want)
    return want


# ── bits ────────────────────────────────────────────────────────────────────────────────────────
def heads_and_points(row, rng):
    """Indices of a row with lists, and arguments: in its domain, at its trouble, and special."""
    indices = sum(name[0] != "*" for name in row.parameters) if row.arity is None else 0
    for _ in range(40):
        head = [float(rng.randrange(4 if indices == len(row.parameters) - 1 else 2)) for _ in range(indices)]
        xs = []
        for i in range(4 if row.arity is None else row.arity):
            low, high = row.domain[min(i, len(row.domain) - 1)]
            xs.append(rng.choice([rng.uniform(low, high)] * 6 + [*row.trouble, *SPECIALS]))
        yield head, xs


@pytest.mark.parametrize("name", list(TABLE))
def test_every_row_and_its_slopes_have_the_eager_engines_bits(name):
    row = TABLE[name]
    rng = random.Random(name)
    for head, xs in heads_and_points(row, rng):
        f = mg.value_and_grad(lambda *xs, head=head: record(row, *head, *xs), argnums=range(len(xs)))
        same(mg.compile(f), f, *xs)


@given(graphs(draw=False))
@settings(max_examples=60, deadline=None)
def test_random_graphs(root):
    root.backward()
    leaves = [v for v in mg.topological_order(root) if v.is_leaf]
    step = mg.compile(root, inputs=leaves[:1])
    assert bits(step(leaves[0].data)) == bits(root.data)
    value, gradient = step.value_and_grad([leaves[0].data])
    assert bits(value) == bits(root.data + 0.0)  # a mean of one, which has no −0
    assert bits(gradient) == bits([v.grad for v in step.parameters])


def test_a_chain_of_100_000():
    def chain(x):
        for i in range(100_000):
            x = x * 0.999999 + 1e-6 if i % 3 else mg.sin(x)
        return x

    same(mg.compile(mg.value_and_grad(chain)), mg.value_and_grad(chain), 0.3)


# ── what calls take and answer ──────────────────────────────────────────────────────────────────
def rosenbrock(x):
    return mg.sum([100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(len(x) - 1)])


@pytest.mark.parametrize("transform", [mg.grad, mg.value_and_grad, mg.jacobian, mg.hessian])
def test_numbers_sequences_and_arrays(transform):
    f = transform(rosenbrock)
    step = mg.compile(f)
    same(step, f, [0.5, -1.0, 2.0])
    same(step, f, (0.5, -1.0, 2.0))
    same(step, f, [0.25, -1.0, 2.0, 3.0])
    same(step, f, [1, 2, 3])
    g = transform(lambda x, y: x * y**2 + mg.exp(x), argnums=(1, 0))
    step = mg.compile(g)
    for x, y in [(1.0, 2.0), (1, 2), (1.0, True), (0.5, -0.0), (10, 3.0)]:
        same(step, g, x, y)
    np = pytest.importorskip("numpy", reason="arrays are NumPy's")
    step = mg.compile(f)
    for x in (np.array([0.5, -1.0, 2.0]), np.arange(6.0)[::2], np.arange(3), np.ones(3, "f4"), np.ones(3, ">f8")):
        same(step, f, x)
    step = mg.compile(g)
    same(step, g, np.float64(1.5), np.float32(2.5))


def test_matrices_and_several_arguments():
    np = pytest.importorskip("numpy", reason="matrices are NumPy's")
    f = mg.value_and_grad(lambda m, v: mg.sum([mg.dot(list(row), list(v)) ** 2 for row in m]), argnums=(0, 1))
    step = mg.compile(f)
    m, v = np.arange(6.0).reshape(2, 3), np.array([1.0, -2.0, 0.5])
    same(step, f, m, v)
    same(step, f, m + 1.0, v)
    same(step, f, np.asfortranarray(m), v)
    same(step, f, m.T.copy()[:, :2].T.copy(), v[:3])


def test_results_in_lists_and_dicts():
    def f(x, y):
        return {"a": [x * y, x + y], "b": mg.sin(x)}

    step = mg.compile(f)
    for _ in range(2):
        assert step(3.0, 4.0) == {"a": [12.0, 7.0], "b": math.sin(3.0)}
    same(mg.compile(mg.jacobian(f)), mg.jacobian(f), 3.0, 4.0)
    same(mg.compile(mg.jacobian(f, argnums=(0, 1))), mg.jacobian(f, argnums=(0, 1)), 3.0, 4.0)


def test_arguments_of_other_kinds_after_a_quick_call():
    step = mg.compile(mg.value_and_grad(lambda x: x * x))
    assert step(3.0) == step(3) == step(3.0) == (9.0, 6.0)
    for wrong in ("3", None, 1j, [3.0]):
        with pytest.raises(TypeError):
            step(wrong)
    with pytest.raises(OverflowError):
        step(10**400)
    for wrong in ((), (1.0, 2.0)):
        with pytest.raises((TypeError, ValueError)):
            step(*wrong)
    assert step(4.0) == (16.0, 8.0)


def test_branches_are_taken_by_the_numbers():
    def f(x):
        return x * 3.0 if x > 1.0 else x * x

    step = mg.compile(mg.value_and_grad(f))
    for x in (0.5, 2.0, 0.25, 1.0, 1.5, -3.0, math.nan):
        same(step, mg.value_and_grad(f), x)
    strict = mg.compile(f, on_branch="raise")
    assert strict(2.0) == strict(3.0) - 3.0 == 6.0
    with pytest.raises(BranchError):
        strict(0.5)
    assert strict(2.0) == 6.0


def test_indices_are_checked():
    step = mg.compile(lambda k, x: mg.take([x, 2 * x, 3 * x], k))
    assert [step(k, 5.0) for k in (0, 1, 2, 1.0)] == [5.0, 10.0, 15.0, 10.0]
    for k in (3, 0.5, math.nan, math.inf):
        with pytest.raises(IndexError):
            step(k, 5.0)
    computed = mg.compile(lambda x: mg.take([x, 2 * x], mg.floor(x)))
    assert computed(0.5) == 0.5
    assert computed(1.5) == 3.0
    with pytest.raises(IndexError):
        computed(7.0)
    assert computed(1.5) == 3.0


def test_parameters_are_read_and_leave_with_what_holds_them():
    w = Value(2.0)
    step = mg.compile(mg.value_and_grad(lambda x: w * x * x))
    assert step(3.0) == (18.0, 12.0)
    w.data = 5.0
    assert step(3.0) == (45.0, 30.0)
    assert step.parameters == [w]


def test_named_arguments_and_defaults():
    step = mg.compile(lambda x, y=2.0: x * y)
    assert [step(3.0), step(3.0, 4.0), step(3.0, y=5.0), step(y=1.0, x=2.0), step(3.0)] == [6.0, 12.0, 15.0, 2.0, 6.0]


@needs_c
def test_a_primitive_of_the_users_is_called_back():
    calls = []

    def formula(m, x):
        calls.append(x)
        return m.sin(x) * 2.0

    twice = mg.primitive("twice_sine", lambda m, g, z, x: g * (2.0 * m.cos(x)), formula=formula, doc="2·sin x")
    try:
        f = mg.value_and_grad(lambda x: twice(x) * x)
        step = mg.compile(f)
        same(step, f, 0.5)
        before = len(calls)
        step(0.7)
        assert len(calls) == before + 1
    finally:
        del TABLE["twice_sine"]


def test_a_formula_that_raises_leaves_the_call_usable():
    def formula(m, x):
        if x == 13.0:
            raise RuntimeError("unlucky")
        return x * 1.0

    careful = mg.primitive("unlucky", lambda m, g, z, x: g, formula=formula, doc="x but not 13")
    try:
        step = mg.compile(mg.value_and_grad(lambda x: careful(x) * x))
        assert step(2.0) == (4.0, 4.0)
        with pytest.raises(RuntimeError, match="unlucky"):
            step(13.0)
        assert step(3.0) == (9.0, 6.0)
    finally:
        del TABLE["unlucky"]


@needs_c
def test_a_call_within_a_call():
    depth = [0]
    inner = []

    def formula(m, x):
        if depth[0] and not isinstance(x, Value):
            depth[0] = 0
            inner.append(step(10.0))
        return x * 2.0

    double = mg.primitive("double_with_a_guest", lambda m, g, z, x: g * 2.0, formula=formula, doc="2x")
    try:
        step = mg.compile(mg.value_and_grad(lambda x: double(x) * x))
        assert step(1.0) == (2.0, 4.0)
        depth[0] = 1
        assert step(3.0) == (18.0, 12.0)
        assert inner == [(200.0, 40.0)]
    finally:
        del TABLE["double_with_a_guest"]


def test_threads():
    step = mg.compile(mg.value_and_grad(rosenbrock))
    want = {k: mg.value_and_grad(rosenbrock)([0.1 * k, 0.2, -0.3 * k]) for k in range(8)}
    wrong = []

    def work(k):
        for _ in range(300 if mg.compiled else 5):
            wrong.extend([k] * (step([0.1 * k, 0.2, -0.3 * k]) != want[k]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_was_recorded_can_still_be_looked_at():
    w = Value(2.0)
    step = mg.compile(mg.grad(lambda x: w * x**3))
    with pytest.raises(RuntimeError, match="not recorded yet"):
        _ = step.program
    assert step(2.0) == 24.0
    assert "return" in str(step.program)
    assert step.parameters == [w]
    assert step.value_and_grad([2.0]) == (24.0, [12.0])
    assert list(step.map([1.0, 2.0])) == [6.0, 24.0]


@needs_c
def test_memory_of_dropped_functions_returns():
    import weakref

    step = mg.compile(mg.value_and_grad(lambda x: x * x))
    step(1.0)
    gone = weakref.ref(step)
    del step
    gc.collect()
    assert gone() is None


@needs_c
def test_a_mistaken_trace_is_refused_not_run():
    step = mg.compile(lambda x: x * 2.0)
    step(1.0)
    runner = step.recording.runners["interpreter"]
    with pytest.raises(ValueError, match="numbers for"):
        runner.values([], [[1.0, 2.0]])
    with pytest.raises(TypeError):
        runner.values([], [["x"]])
    assert runner.values([], [[4.0]]) == [(8.0,)]


# ── tiers ───────────────────────────────────────────────────────────────────────────────────────
def test_the_tier_says_what_ran_and_why():
    np = pytest.importorskip("numpy", reason="plans are of arrays")
    w = Value(0.5)
    step = mg.compile(lambda x: mg.exp(w * x) * w)
    with pytest.raises(RuntimeError, match="not recorded"):
        _ = step.tier
    small = "python" if interpreted.calls is None else "interpreter"
    for _ in range(3):
        step(1.0)
        assert step.tier.name == small
        assert "eager" in str(step.tier)
    step.value_and_grad([1.0, 2.0])
    assert step.tier.name == small
    many = np.linspace(0.0, 1.0, 300_000)
    planned = step.value_and_grad(many)
    assert step.tier.name in ("native", "numpy")
    step.map(many[:10])
    assert step.tier.name == small
    exact = mg.compile(step.function, exact=True)
    value, gradient = exact.value_and_grad(many)
    assert exact.tier == (small, "exact=True")
    assert planned == (pytest.approx(value, rel=1e-13), pytest.approx(gradient, rel=1e-13))
    step(1.0)
    assert step.tier.name == small
    assert mg.compile(step.function, backend="numpy").value_and_grad([1.0])[0] == pytest.approx(step(1.0))


def test_exact_is_eager_over_rows():
    xs = [0.1 * k - 3.0 for k in range(60)]
    w = Value(0.7)

    def f(x):
        return mg.tanh(w * x) * mg.gelu(x) + w

    for x in xs:
        f(Value(x)).backward()
    step = mg.compile(f, exact=True)
    assert bits([float(y) for y in step.map(xs)]) == bits([f(x).data for x in xs])
    _, gradient = step.value_and_grad(xs)
    assert bits(gradient) == bits([w.grad / 60.0])
    with pytest.raises(ValueError, match="exact=True"):
        mg.compile(f, exact=True, backend="numpy")


def test_a_plan_is_made_when_it_pays():
    """Many calls of one row: step by step until that cost as much as a plan, which then takes over."""
    pytest.importorskip("numpy", reason="plans are of arrays")
    w = [Value(0.01 * k) for k in range(400)]
    step = mg.compile(lambda x: mg.sum([mg.tanh(wi * x) for wi in w]))
    names = []
    for _ in range(2_000):
        step.value_and_grad([0.5])
        names.append(step.tier.name)
        if names[-1] != names[0]:
            break
    assert names[0] in ("interpreter", "python")
    assert names[-1] in ("native", "numpy")
    chain = mg.compile(lambda x: _chained(w[1] * x, 3_000))
    for _ in range(300):
        chain.value_and_grad([0.5])
    assert chain.tier.name == names[0]


def _valley(x, scale=1.0):
    total = 0.0
    for a, b in zip(x[:-1], x[1:]):  # noqa: B905, RUF007  (as users write it)
        total = total + 100.0 * (b - a * a) ** 2 + scale * (1.0 - a) ** 2
    return total


@needs_c
@pytest.mark.parametrize("kind", [list, tuple, "array"])
def test_a_derivative_of_many_numbers_takes_a_plan_when_it_pays(kind):
    np = pytest.importorskip("numpy", reason="plans are of arrays")
    numbers = np.linspace(-1.2, 1.1, 300)
    x = numbers if kind == "array" else kind(numbers.tolist())
    w = Value(1.5)
    f = mg.value_and_grad(lambda x, y: y * _valley(x, w), argnums=(0, 1))
    step, exact = mg.compile(f), mg.compile(f, exact=True)
    tiers = []
    for _ in range(2_000):
        value, gradient = step(x, 2.0)
        tiers.append(step.tier.name)
        if tiers[-1] == "native":
            break
    assert tiers[0] == "interpreter"
    assert tiers[-1] == "native"
    assert 1 < len(tiers) < 2_000
    for y, weight in ((2.0, 1.5), (-0.5, 1.5), (2.0, -0.25)):
        w.data = weight
        value, gradient = step(x, y)
        assert step.tier.name == "native"
        want, slopes = exact(x, y)
        assert exact.tier.name == "interpreter"
        assert value == pytest.approx(want, rel=1e-13)
        assert type(gradient[0]) is type(slopes[0])
        assert np.allclose(gradient[0], slopes[0], rtol=1e-13, atol=1e-12)
        assert gradient[1] == pytest.approx(slopes[1], rel=1e-13)
    broken = list(numbers)
    broken[7] = math.inf
    broken = np.array(broken) if kind == "array" else kind(broken)
    assert bits(step(broken, 2.0)) == bits(exact(broken, 2.0))  # nan: the interpreter says which
    assert isinstance(step([*numbers, 1.0] if kind != "array" else np.append(numbers, 1.0), 2.0), tuple)


@needs_c
def test_a_derivative_by_a_wanted_backend():
    np = pytest.importorskip("numpy", reason="plans are of arrays")
    x = np.linspace(-1.0, 1.0, 20)
    native = mg.compile(mg.grad(_valley), backend="native")
    assert np.allclose(native(x), mg.grad(_valley)(x), rtol=1e-13)
    assert native.tier == ("native", "backend='native'")
    jacobian = mg.compile(mg.jacobian(lambda x: [x[0] * x[1], x[1]]), backend="native")
    assert jacobian([2.0, 3.0]) == [[3.0, 2.0], [0.0, 1.0]]
    assert jacobian.tier.name == "interpreter"


def _chained(x, n):
    for _ in range(n):
        x = x * 0.5 + 0.1
    return x
