"""The transforms: shapes, nesting, any order of derivative, against PyTorch and JAX."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value

moderate = st.floats(-3, 3, allow_subnormal=False)


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def test_numbers_in_floats_out():
    assert type(mg.grad(mg.tanh)(0.3)) is float
    assert mg.value_and_grad(lambda x: x * x)(3) == (9.0, 6.0)
    assert mg.grad(lambda x: 5.0)(1.0) == 0.0
    assert mg.grad(lambda x: x)(1.0) == 1.0
    assert mg.grad(lambda x, y: x * y, argnums=1)(2.0, 3.0) == 2.0
    assert mg.grad(lambda x, y: x * y, argnums=-1)(2.0, 3.0) == 2.0
    assert mg.grad(lambda x, y: x * y, argnums=(1, 0))(2.0, 3.0) == (2.0, 3.0)
    assert mg.grad(lambda x, scale=1: x * scale)(2.0, scale=4) == 4.0


def test_values_in_values_out():
    x = Value(2.0)
    d = mg.grad(lambda t: t * t * t)(x)
    assert isinstance(d, Value)
    assert d.data == 12.0
    d.backward()
    assert x.grad == 12.0


@given(moderate)
def test_any_order(x):
    f = mg.sin
    derivatives = [math.cos, lambda t: -math.sin(t), lambda t: -math.cos(t), math.sin, math.cos]
    for expected in derivatives:
        f = mg.grad(f)
        assert f(x) == pytest.approx(expected(x), rel=1e-15, abs=1e-300)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "silu", "mish", "gelu", "gelu_tanh", "atan", "erf"])
def test_high_orders_are_right_at_zero(name):
    """Accurate formulas use |x|, whose kink at 0 must not leak into higher derivatives."""
    mpmath = pytest.importorskip("mpmath", reason="mpmath judges the derivatives")
    one = mpmath.mpf(1)
    reference = {
        "sigmoid": lambda x: one / (1 + mpmath.exp(-x)),
        "tanh": mpmath.tanh,
        "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
        "silu": lambda x: x / (1 + mpmath.exp(-x)),
        "mish": lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))),
        "gelu": lambda x: x * mpmath.ncdf(x),
        "gelu_tanh": lambda x: (
            x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)))
        ),
        "atan": mpmath.atan,
        "erf": mpmath.erf,
    }[name]
    with mpmath.workdps(40):
        for point in (0.0, 0.75):
            f = getattr(mg, name)
            for order in range(1, 5):
                f = mg.grad(f)
                expected = mpmath.diff(reference, point, order)
                assert abs(f(point) - expected) <= 1e-14 * max(1, abs(expected)), (name, point, order)


def test_no_perturbation_is_confused_with_another():
    assert mg.grad(lambda x: x * mg.grad(lambda y: x + y)(x))(3.0) == 1.0
    assert mg.grad(lambda x: mg.grad(lambda y: x * y)(2.0))(3.0) == 1.0
    assert mg.grad(lambda x: x * mg.grad(lambda y: x * y)(x))(3.0) == 6.0
    assert mg.grad(lambda x: mg.jvp(lambda y: x * y * y, (2.0,), (1.0,))[1])(3.0) == 4.0
    assert mg.grad(lambda x: mg.vjp(lambda y: x * y * y, 2.0)[1](1.0)[0])(3.0) == 4.0
    assert mg.grad(lambda x: mg.value_and_grad(lambda y: x * y * y)(2.0)[0])(3.0) == 4.0


def test_captured_parameters_keep_their_gradients():
    w = Value(3.0)
    w.grad = 7.0
    assert mg.grad(lambda x: w * x * x)(2.0) == 12.0
    assert w.grad == 7.0


def test_shapes_of_arguments():
    Point = namedtuple("Point", "x y")
    f = mg.grad(lambda tree: tree["a"] * tree["b"][0] + tree["b"][1][0] ** 2)
    assert f({"a": 2.0, "b": [3.0, (4.0,)]}) == {"a": 3.0, "b": [2.0, (8.0,)]}
    assert mg.grad(lambda p: p.x * p.y)(Point(2.0, 3.0)) == Point(3.0, 2.0)
    result = mg.grad(lambda d: d["w"] * 2)(OrderedDict(w=1.0))
    assert isinstance(result, OrderedDict)
    assert mg.grad(lambda xs: mg.sum(xs))([]) == []


def test_arrays_keep_their_shape():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    A = np.array([[2.0, 1.0], [1.0, 3.0]])
    f = lambda x: (x @ A @ x) / 2
    gradient = mg.grad(f)(np.array([1.0, 2.0]))
    assert isinstance(gradient, np.ndarray)
    assert gradient.dtype == float
    assert gradient.tolist() == (A @ [1.0, 2.0]).tolist()
    assert np.array_equal(mg.hessian(f)(np.array([1.0, 2.0])), A)
    assert mg.grad(lambda M: M[0, 1] * M[1, 0])(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[0.0, 3.0], [2.0, 0.0]]


def test_jacobian_and_hessian():
    f = lambda v: [v[0] * v[1], mg.sin(v[0]), 5.0]
    assert mg.jacobian(f)([2.0, 3.0]) == [[3.0, 2.0], [math.cos(2.0), 0.0], [0.0, 0.0]]
    assert mg.jacobian(lambda x, y: {"s": x + y}, argnums=(0, 1))(1.0, 2.0) == {"s": (1.0, 1.0)}
    assert mg.hessian(rosenbrock, argnums=(0, 1))(1.0, 1.0) == ((802.0, -400.0), (-400.0, 200.0))
    assert mg.hessian(lambda x: x**3)(2.0) == 12.0


@given(moderate, moderate, moderate, moderate)
def test_jvp_vjp_hvp_agree_with_gradient_and_hessian(x, y, s, t):
    gx, gy = mg.grad(rosenbrock, argnums=(0, 1))(x, y)
    value, along = mg.jvp(rosenbrock, (x, y), (s, t))
    assert value == rosenbrock(Value(x), Value(y)).data
    scale = abs(gx * s) + abs(gy * t) + 1
    assert abs(along - (gx * s + gy * t)) <= 1e-12 * scale
    value, pull = mg.vjp(rosenbrock, x, y)
    assert pull(1.0) == (gx, gy)
    assert pull(2.0) == (2 * gx, 2 * gy)
    (a, b), (c, d) = mg.hessian(rosenbrock, argnums=(0, 1))(x, y)
    left, right = mg.hvp(rosenbrock, (x, y), (s, t))
    scale = 1 + (abs(a) + abs(b) + abs(d)) * (abs(s) + abs(t))
    assert abs(left - (a * s + b * t)) <= 1e-12 * scale
    assert abs(right - (c * s + d * t)) <= 1e-12 * scale


def test_vjp_of_several_results():
    value, pull = mg.vjp(lambda x, y: [x * y, x + y], 2.0, 3.0)
    assert value == [6.0, 5.0]
    assert pull([1.0, 10.0]) == (13.0, 12.0)
    with pytest.raises(ValueError, match="cotangent has 1"):
        pull([1.0])


def test_gradients_are_values_anywhere_in_the_graph():
    a, b, c = Value(5.0), Value(3.0), Value(2.0)
    u = b * c
    J = 3 * (a + u)
    db, du, unrelated = mg.gradients(J, [b, u, Value(1.0)])
    assert (db.data, du.data, unrelated.data) == (6.0, 3.0, 0.0)
    assert [v.data for v in mg.gradients(db, [c])] == [3.0]
    assert J.grad == 0.0
    with pytest.raises(TypeError, match="y must be a Value"):
        mg.gradients(3.0, [a])
    with pytest.raises(TypeError, match="xs must be Values"):
        mg.gradients(J, [1.0])


def test_gradient_graphs_are_clean():
    """The gradient of x·y with respect to x is y itself, not 1·y."""
    x, y = Value(2.0), Value(3.0)
    (d,) = mg.gradients(x * y, [x])
    assert d is y


def test_what_cannot_be_differentiated_says_so():
    with pytest.raises(TypeError, match="must return one Value"):
        mg.grad(lambda x: [x, x])(1.0)
    with pytest.raises(TypeError, match="must return one Value"):
        mg.grad(lambda x: None)(1.0)
    with pytest.raises(TypeError, match="str"):
        mg.grad(lambda x: x)("1")
    with pytest.raises(ValueError, match="argnums is 1"):
        mg.grad(lambda x: x, argnums=1)(1.0)
    with pytest.raises(TypeError, match="argnums"):
        mg.grad(lambda x: x, argnums="x")(1.0)
    with pytest.raises(TypeError, match="f must be a function"):
        mg.grad(3)(1.0)
    with pytest.raises(ValueError, match="tangents have 1"):
        mg.jvp(rosenbrock, (1.0, 2.0), (1.0,))


def test_deep_graphs_at_second_order():
    def chain(x):
        for _ in range(3000):
            x = x + x * 1e-4
        return x

    assert mg.grad(mg.grad(lambda x: chain(x) ** 2))(1.0) == pytest.approx(2 * (1 + 1e-4) ** 6000, rel=1e-12)


def test_against_jax():
    jax = pytest.importorskip("jax", reason="JAX is an optional peer")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def program(m):
        return lambda x, y: m.tanh(x * y) + m.exp(-x * x) * m.log(y * y + 1.0) / (1.0 + m.sin(x) ** 2)

    ours, theirs = program(mg), program(jnp)
    for x, y in [(0.3, -1.2), (1.7, 0.4), (-2.2, 2.5)]:
        assert list(mg.grad(ours, (0, 1))(x, y)) == pytest.approx(
            [float(d) for d in jax.grad(theirs, (0, 1))(x, y)], rel=1e-12
        )
        for row, expected in zip(mg.hessian(ours, (0, 1))(x, y), jax.hessian(theirs, (0, 1))(x, y), strict=True):
            assert list(row) == pytest.approx([float(e) for e in expected], rel=1e-11)
        third = mg.grad(mg.grad(mg.grad(ours)))(x, y)
        assert third == pytest.approx(float(jax.grad(jax.grad(jax.grad(theirs)))(x, y)), rel=1e-10)


def test_random_graphs_with_shared_nodes_against_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from random import Random

    for seed in range(30):
        random = Random(seed)
        numbers = [random.uniform(-2, 2) for _ in range(3)]
        ours: list = [Value(x) for x in numbers]
        theirs: list = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in numbers]
        leaves = list(ours), list(theirs)
        for _ in range(40):
            i, j, kind = random.randrange(len(ours)), random.randrange(len(ours)), random.randrange(6)
            for nodes, m in ((ours, mg), (theirs, torch)):
                x, y = nodes[i], nodes[j]
                nodes.append(
                    [
                        lambda: x + y,
                        lambda: x * y,
                        lambda: x - y,
                        lambda: m.tanh(x),
                        lambda: m.sigmoid(y) * x,
                        lambda: m.sin(x + x),
                    ][kind]()
                )
        root, other = m_sum(ours[-8:]), m_sum(theirs[-8:])
        if not math.isfinite(root.data):
            continue
        root.backward()
        other.backward()
        assert root.data == pytest.approx(other.item(), rel=1e-12, abs=1e-12)
        for a, b in zip(*leaves, strict=True):
            expected = 0.0 if b.grad is None else b.grad.item()
            assert a.grad == pytest.approx(expected, rel=1e-9, abs=1e-9), seed


def m_sum(terms):
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def test_take_selects_by_an_index_that_may_be_a_value():
    rows = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
    assert mg.take(rows, 1) is rows[1]
    assert mg.take(rows, -1) is rows[1]
    picked = mg.take(rows, Value(1))
    assert [v.data for v in picked] == [3.0, 4.0]
    (2 * picked[0]).backward()
    assert [v.grad for row in rows for v in row] == [0.0, 0.0, 2.0, 0.0]
    for index in (2, -3, 0.5, Value(-1), Value(2), Value(0.5)):
        with pytest.raises(IndexError, match="take: "):
            mg.take(rows[0], index)


def test_functions_may_return_something_else_beside_the_result():
    """has_aux, as in JAX: what else comes back, its Values as numbers."""

    def f(x, y):
        u = x * y
        return u * x, {"u": u, "text": "kept", "list": [1, None]}

    aux = {"u": 6.0, "text": "kept", "list": [1, None]}
    assert mg.grad(f, has_aux=True)(2.0, 3.0) == (12.0, aux)
    assert mg.grad(f, argnums=(0, 1), has_aux=True)(2.0, 3.0) == ((12.0, 4.0), aux)
    assert mg.value_and_grad(f, has_aux=True)(2.0, 3.0) == ((12.0, aux), 12.0)
    assert mg.jacobian(f, has_aux=True)(2.0, 3.0) == (12.0, aux)
    assert mg.hessian(f, argnums=(0, 1), has_aux=True)(2.0, 3.0) == (((6.0, 4.0), (4.0, 0.0)), aux)
    assert mg.jvp(f, (2.0, 3.0), (1.0, 0.0), has_aux=True) == (12.0, 12.0, aux)
    y, pull, other = mg.vjp(f, 2.0, 3.0, has_aux=True)
    assert (y, pull(1.0), other) == (12.0, (12.0, 4.0), aux)
    outer = mg.grad(lambda x: mg.grad(f, has_aux=True)(x, 3.0)[1]["u"])
    assert outer(2.0) == 3.0
    for returned in (1.0, [1.0, 2.0], (1.0,)):
        with pytest.raises(TypeError, match=r"has_aux=True the function must return a pair"):
            mg.grad(lambda x, returned=returned: returned, has_aux=True)(1.0)


def test_what_is_no_function_is_refused_at_once():
    for transform in (mg.grad, mg.value_and_grad, mg.jacobian, mg.hessian):
        with pytest.raises(TypeError, match="f must be a function, not int: 5"):
            transform(5)


@pytest.mark.parametrize("size", [1e-320, 1e-310, 1e-200, 1.0, 1.5e308])
def test_the_gradient_of_a_norm_as_a_graph_is_that_of_the_sweep(size):
    """Also where the norm overflows or is subnormal; and so is what is differentiated once more."""
    xs = [Value(x * size) for x in (0.3, -0.7, 0.9)]
    norm = mg.norm(xs)
    norm.backward()
    found = mg.gradients(norm, xs)
    assert [g.data for g in found] == [x.grad for x in xs]
    second = mg.gradients(found[0], xs)[0].data
    unit = [x.grad for x in xs]
    expected = (1.0 - unit[0] ** 2) / size / math.hypot(0.3, -0.7, 0.9)
    assert second == pytest.approx(expected, rel=1e-3 if size < 1e-307 else 1e-12)


def test_a_direction_of_zero_is_a_number():
    """0·inf is nan forward as it is backward; a direction that is to take no part is an argument that takes none."""
    assert math.isnan(mg.jvp(lambda x, y: mg.sqrt(x) + y, (0.0, 1.0), (0.0, 1.0))[1])
    assert mg.jvp(lambda y: mg.sqrt(0.0) + y, (1.0,), (1.0,)) == (1.0, 1.0)
    assert mg.jvp(lambda x, y: mg.sqrt(x) + y, (4.0, 1.0), (0.0, 1.0)) == (3.0, 1.0)


@pytest.mark.parametrize("f", [mg.log, mg.log1p, mg.log2, mg.atanh, mg.sqrt])
def test_outside_the_domain_no_derivative_exists(f):
    for _ in range(3):
        f = mg.grad(f)
        assert math.isnan(f(-2.0))


# ── rules that do more than they should ──────────────────────────────────────────────────────────
@pytest.fixture
def rule():
    """Makes the function of a primitive x ↦ x whose rule runs what it is given first."""

    def make(before):
        return mg.primitive(
            "meddling",
            lambda m, g, z, x: (before(), g)[1],
            formula=lambda m, x: x * 1.0,
            doc="x",
        )

    yield make
    mg.ops.TABLE.pop("meddling", None)


def test_a_rule_that_assigns_a_leaf_on_the_way_is_found_out(rule):
    w = Value(3.0, label="w")

    def assign():
        w.data = 100.0

    same = rule(assign)
    f = lambda x: same(w * x)
    x = Value(1.0)
    for sweep in (
        lambda: f(x).backward(),
        lambda: mg.grad(f)(1.0),
        lambda: mg.vjp(f, 1.0)[1](1.0),
        lambda: mg.jacobian(lambda v: [f(v[0])])([1.0]),
        lambda: mg.gradients(f(x), [x]),
        lambda: mg.jvp(f, (1.0,), (1.0,)),
    ):
        w.data = 3.0
        with pytest.raises(mg.GraphError, match="data of 'w' was assigned after it was used"):
            sweep()
    assert x.grad == 0.0


def test_what_another_thread_records_is_none_of_a_sweeps_business(rule):
    """A rule that starts a recording in another thread, and waits until it runs, changes no answer."""
    running, done, threads = threading.Event(), threading.Event(), []

    def slow(x):
        running.set()
        done.wait(10)
        return x * x

    def start():
        if not threads:
            threads.append(threading.Thread(target=lambda: mg.compile(slow)(2.0)))
            threads[0].start()
            assert running.wait(10)

    same = rule(start)
    try:
        v = Value(0.0)
        y = same(mg.where(0.0, mg.sqrt(v), 2.0 * v))
        assert [g.data for g in mg.gradients(y, [v])] == [2.0]
        y.backward()
        assert v.grad == 2.0
        assert threads[0].is_alive()
    finally:
        done.set()
        for thread in threads:
            thread.join()
