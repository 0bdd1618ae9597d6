"""Value: recording, sorting, the sweep, its semantics, and what it refuses. Rules are tested over the table."""

from __future__ import annotations

import gc
import math
import sys
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, floats
from microgradlike.graph.sweep import sent
from microgradlike.ops import TABLE

finite = st.floats(allow_nan=False, allow_infinity=False)


# ── E1 and E2, to the digits ────────────────────────────────────────────────────────────────────
def test_e1_computation_graph():
    a, b, c = Value(5, label="a"), Value(3, label="b"), Value(2, label="c")
    u = b * c
    v = a + u
    J = 3 * v
    J.backward()
    assert (u.data, v.data, J.data) == (6.0, 11.0, 33.0)
    assert (J.grad, v.grad, u.grad, a.grad, b.grad, c.grad) == (1.0, 3.0, 3.0, 3.0, 6.0, 9.0)
    raised = 3 * (Value(5.001) + Value(3) * Value(2))
    assert raised.data - J.data == pytest.approx(0.003, abs=1e-13)


@given(st.integers(-100, 100))
def test_e2_paths_add(number):
    x = Value(number)
    y, z = 2 * x, mg.positive(x)
    J = 3 * y * z
    J.backward()
    assert x.grad == 3 * y.data + 6 * z.data


def test_the_same_operand_twice_keeps_both_edges():
    x = Value(3.0)
    y = x * x
    assert y.args == (x, x)
    y.backward()
    assert x.grad == 6.0


# ── backward ────────────────────────────────────────────────────────────────────────────────────
def test_backward_twice_adds_to_leaves_and_replaces_inner_gradients():
    x = Value(2.0)
    y = x * x
    z = y * x
    z.backward()
    assert (x.grad, y.grad) == (12.0, 2.0)
    z.backward()
    assert (x.grad, y.grad, z.grad) == (24.0, 2.0, 1.0)


def test_backward_of_a_leaf_and_with_a_gradient():
    x = Value(2.0)
    x.backward()
    assert x.grad == 1.0
    (3 * x).backward(gradient=2)
    assert x.grad == 7.0
    with pytest.raises(TypeError, match="gradient"):
        x.backward("1")


def test_zero_grad_reaches_the_whole_graph():
    x, w = Value(2.0), Value(3.0)
    y = x * w
    (y + x).backward()
    (top := y + x).backward()
    top.zero_grad()
    assert [v.grad for v in mg.topological_order(top)] == [0.0] * 4


def test_a_stale_graph_is_refused_and_changes_nothing():
    a, b = Value(2.0, label="alpha"), Value(3.0)
    J = a * b + a
    a.data = 5.0
    with pytest.raises(mg.GraphError, match=r"'alpha' was assigned after it was used"):
        J.backward()
    assert (a.grad, b.grad, J.grad) == (0.0, 0.0, 0.0)
    with pytest.raises(mg.GraphError):
        mg.gradients(J, [a])
    (a * b).backward()
    assert (a.grad, b.grad) == (3.0, 5.0)


def test_assigning_before_use_is_no_change_under_a_graph():
    a, b = Value(2.0), Value(3.0)
    b.data = 4.0
    J = a * b
    c = Value(1.0)
    c.data = 2.0
    J.backward()
    assert (a.grad, b.grad) == (4.0, 2.0)


def test_a_computed_value_cannot_be_assigned():
    v = Value(1.0) + 1
    with pytest.raises(mg.GraphError, match="computed by add"):
        v.data = 3.0
    assert v.data == 2.0
    v.grad = 5
    assert v.grad == 5.0


def test_a_branch_not_taken_cannot_poison():
    x = Value(0.0)
    y = mg.where(x > 0, mg.log(x), x * 2)  # a Python bool: the outcome of a comparison
    y.backward()
    assert x.grad == 2.0
    x = Value(0.0)
    y = mg.where(mg.greater(x, 0.0), mg.log(x), x * 2)
    y.backward()
    assert x.grad == 2.0
    assert mg.grad(lambda x: mg.where(mg.greater(x, 0.0), mg.sqrt(x), 3 * x))(0.0) == 3.0


# ── order ───────────────────────────────────────────────────────────────────────────────────────
def random_graph(random: Random, size: int) -> list[Value]:
    nodes = [Value(random.uniform(-2, 2)) for _ in range(3)]
    for _ in range(size):
        x, y = random.choice(nodes), random.choice(nodes)
        nodes.append(random.choice([lambda: x + y, lambda: x * y, lambda: x - y, lambda: mg.tanh(x), lambda: -x])())
    return nodes


@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_topological_order_is_complete_and_sorted(random, size):
    root = random_graph(random, size)[-1]
    order = mg.topological_order(root)
    place = {v: i for i, v in enumerate(order)}
    assert len(place) == len(order)
    assert order[-1] is root
    for v in order:
        assert all(place[x] < place[v] for x in v.args if isinstance(x, Value))
    assert order == mg.topological_order(root)


def test_topological_order_is_depth_first_and_first_operand_first():
    a, b, c = Value(1), Value(2), Value(3)
    u = a * b
    w = c + u
    assert mg.topological_order(w) == [c, a, b, u, w]
    assert mg.topological_order([u, w]) == [a, b, u, c, w]
    with pytest.raises(TypeError, match="roots"):
        mg.topological_order([1.0])


# ── the arithmetic that value.py writes out equals the table ────────────────────────────────────
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "pow"])
@given(x=st.floats(), y=st.floats())
def test_written_out_arithmetic_equals_the_table(name, x, y):
    row = TABLE[name]
    operator = {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
        "pow": lambda a, b: a**b,
    }[name]
    expected = row.on(floats)(x, y)
    partials = [0.0 + d for d in row.cotangents(floats, 1.0, expected, x, y)]
    for a, b in [(Value(x), Value(y)), (Value(x), y), (x, Value(y))]:
        z = operator(a, b)
        assert same(z.data, expected)
        assert z.op is row
        z.backward()
        for v, d in zip((a, b), partials, strict=True):
            if isinstance(v, Value):
                assert same(v.grad, d), (v, d)


@pytest.mark.parametrize("name", ["negative", "relu"])
@given(x=st.floats())
def test_written_out_unary_arithmetic_equals_the_table(name, x):
    row = TABLE[name]
    v = Value(x)
    z = -v if name == "negative" else v.relu()
    assert same(z.data, row.on(floats)(x))
    z.backward()
    assert same(v.grad, 0.0 + sent(row, 1.0, z.data, [x])[0])


def same(x: float, y: float) -> bool:
    """Equal to the bit, any nan being as good as another, and a zero as good as minus zero."""
    return x == y or (x != x and y != y)


# ── what data may be ────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("number", [3, True, 2.5, Fraction(1, 4), Decimal("1.5"), float("inf"), -0.0])
def test_real_numbers_are_stored_as_float(number):
    v = Value(number)
    assert type(v.data) is float
    assert v.data == float(number)
    assert v.grad == 0.0


def test_numpy_scalars_are_real_numbers():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    for number in (np.float64(1.5), np.float32(1.5), np.int64(3), np.uint8(3), np.bool_(True), np.float16(0.5)):
        assert type(Value(number).data) is float
        assert (Value(2.0) * number).data == 2.0 * float(number)
    for array in (np.array([1.0]), np.array([[1.0]])):
        with pytest.raises(TypeError, match="one Value for each element"):
            Value(array)
    with pytest.raises(TypeError, match=r"its number is x\.item\(\)"):
        Value(np.array(1.0))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("3", "str.*float"),
        (None, "NoneType"),
        (1j, "complex.*real"),
        ([1], "list.*each element"),
        ((1,), "tuple"),
        (Value(1), "Value.*itself"),
        (object(), "object"),
        ({}, "dict"),
        (b"1", "bytes"),
    ],
)
def test_anything_else_is_refused_by_name(data, message):
    with pytest.raises(TypeError, match=message):
        Value(data)
    with pytest.raises(TypeError):
        Value(1).data = data
    with pytest.raises(TypeError):
        Value(1).grad = data


def test_too_large_an_integer():
    with pytest.raises(OverflowError, match="too large"):
        Value(10**400)
    with pytest.raises(OverflowError):
        Value(1.0) + 10**400


def test_operands_that_are_no_numbers():
    for operand in ("3", None, [1], 1j):
        for attempt in (
            lambda x: Value(1) + x,
            lambda x: x * Value(1),
            lambda x: Value(1) / x,
            lambda x: Value(1) ** x,
            lambda x: Value(1) < x,
        ):
            with pytest.raises(TypeError):
                attempt(operand)


def test_labels_are_any_text():
    v = Value(1, label='"]; \\ <b>\n\0 한국어')
    assert v.label == '"]; \\ <b>\n\0 한국어'
    v.label = None
    assert v.label is None
    with pytest.raises(TypeError, match="label"):
        v.label = 3
    with pytest.raises(TypeError, match="label"):
        Value(1, label=3)


# ── nothing drops the graph ─────────────────────────────────────────────────────────────────────
def test_conversions_that_would_lose_the_graph_say_what_to_write():
    v = Value(2.0)
    for convert in (float, math.exp, math.sqrt, complex):
        with pytest.raises(TypeError, match=r"v\.data"):
            convert(v)
    with pytest.raises(TypeError, match=r"v\.data"):
        int(v)
    with pytest.raises(TypeError):
        [1, 2, 3][v]


def test_rounding_records():
    v = Value(2.6)
    assert [round(v).data, math.floor(v).data, math.ceil(v).data, math.trunc(v).data] == [3.0, 2.0, 3.0, 2.0]
    assert not round(v).is_leaf
    assert round(Value(2.678), 2).data == 2.68
    assert (v // 2).data == 1.0
    assert (7 // v).data == 2.0
    assert (v % 2).data == 2.6 % 2
    assert (7 % v).data == 7 % 2.6
    assert abs(Value(-3)).data == 3.0
    assert (+v) is v


def test_numpy_functions_record():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    a, b, c = Value(5.0), Value(3.0), Value(2.0)
    for recorded, number in [
        (np.exp(a), math.exp(5)),
        (np.float64(2) * a, 10.0),
        (np.float64(2) ** a, 32.0),
        (np.float64(2) - a, -3.0),
        (a / np.float64(2), 2.5),
        (np.maximum(a, 7.0), 7.0),
        (np.arctan2(a, b), math.atan2(5, 3)),
        (np.power(a, 2), 25.0),
        (np.array([a, b]) @ np.array([b, c]), 21.0),
        (np.dot(np.array([a, b]), np.array([1.0, 2.0])), 11.0),
        (np.sum(np.array([a, b])), 8.0),
        (np.mean(np.array([a, b])), 4.0),
        (np.array([a, b]).sum(), 8.0),
    ]:
        assert isinstance(recorded, Value), recorded
        assert not recorded.is_leaf
        assert recorded.data == pytest.approx(number, rel=1e-15)
    product = np.array([1.0, 2.0]) * a
    assert [v.data for v in product] == [5.0, 10.0]
    assert [v.data for v in np.tanh(np.array([a, b]))] == [math.tanh(5), math.tanh(3)]
    assert np.float64(2) < a
    assert not np.float64(7) < a
    with pytest.raises(TypeError, match=r"np\.gcd"):
        np.gcd(a, b)


# ── comparison, hashing, text ───────────────────────────────────────────────────────────────────
def test_identity_equality_and_ordering_by_data():
    a, b = Value(1.0), Value(1.0)
    assert a == a
    assert a != b
    assert len({a, b, a}) == 2
    assert a <= b
    assert a >= 1
    assert not a < b
    assert 0 < a < 2
    assert max(a, Value(3), key=lambda v: v.data).data == 3.0
    assert sorted([Value(3), Value(1), Value(2)])[0].data == 1.0
    assert not Value(0.0)
    assert Value(-1)
    nan = Value(math.nan)
    assert not (nan < 1 or nan > 1 or nan <= 1)


def test_text():
    v = Value(2.5, label="x")
    assert repr(v) == "Value(data=2.5, grad=0.0, label='x')"
    assert repr(v * 2) == "Value(data=5.0, grad=0.0, op=multiply)"
    assert f"{v:.3f}" == "2.500"
    assert f"{v}" == repr(v)
    assert format(v, ">8.2f") == "    2.50"


def test_methods_come_from_the_table():
    x = Value(0.5)
    for row in TABLE.values():
        if row.public and row.arity == 1:
            assert getattr(x, row.name)().op is row
    assert x.pow(2).data == 0.25
    assert x.leaky_relu().data == 0.5
    assert "tanh" in dir(x)
    with pytest.raises(AttributeError, match="did you mean tanh"):
        x.tanhh()
    assert not hasattr(x, "__array__")


# ── contexts ────────────────────────────────────────────────────────────────────────────────────
def test_no_grad_records_nothing():
    x = Value(3.0)
    with mg.no_grad():
        y = x * x + mg.tanh(x)
        assert y.is_leaf
    assert not (x * x).is_leaf

    @mg.no_grad()
    def predict(v):
        return v * 2

    assert predict(x).is_leaf
    with pytest.raises(RuntimeError, match="from the inside"), mg.no_grad():
        raise RuntimeError("from the inside")
    assert not (x * x).is_leaf


def test_detach():
    x = Value(3.0, label="x")
    y = (x * x).detach()
    assert y.is_leaf
    assert (y.data, y.label, x.detach().label) == (9.0, None, "x")


# ── engine ──────────────────────────────────────────────────────────────────────────────────────
def test_the_engine_that_runs_is_the_one_asked_for(monkeypatch):
    import os

    wanted = os.environ.get("MICROGRADLIKE_ENGINE", "")
    if wanted:
        assert mg.compiled is (wanted == "compiled")
    assert type(mg.compiled) is bool


def test_a_subclass_without_slots_of_its_own_works():
    class Weight(Value):
        __slots__ = ()
        kind = "parameter"

    w = Weight(2.0, label="w")
    y = w * w + 3 * w
    y.backward()
    assert w.grad == 7.0
    assert y.args[0].args == (w, w)
    assert repr(w).startswith("Weight(")


def test_ieee_754_everywhere():
    zero, inf = Value(0.0), math.inf
    assert mg.log(zero).data == -inf
    assert mg.exp(Value(1000)).data == inf
    assert (1 / zero).data == inf
    assert (-1 / zero).data == -inf
    assert math.isnan((zero / zero).data)
    assert math.isnan(mg.sqrt(Value(-1.0)).data)
    assert (Value(10.0) ** 400).data == inf
    assert math.isnan((Value(-8.0) ** (1 / 3)).data)
    assert (zero**-1).data == inf
    assert (zero**0).data == 1.0


def test_a_node_is_small():
    """At most 150 bytes compiled, 250 plain: measured as memory, not as sys.getsizeof of the node alone."""
    import tracemalloc

    count = 20_000
    gc.collect()
    tracemalloc.start()
    try:
        x = Value(1.5)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(count):
            x = x + 1.0
        after = tracemalloc.get_traced_memory()[0]
        x.backward()
        swept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    limit = 150 if mg.compiled else 250
    assert (after - before) / count <= limit
    assert (swept - before) / count <= limit
    assert sys.getsizeof(x) <= limit
