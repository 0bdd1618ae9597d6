"""Defects that once were: each test here failed before its fix."""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict, namedtuple
from decimal import Decimal

import pytest

import microgradlike as mg
from microgradlike import Value


@pytest.fixture
def primitive():
    """mg.primitive, whose rows are gone after the test."""
    before = set(mg.ops.TABLE)
    yield mg.primitive
    for name in set(mg.ops.TABLE) - before:
        del mg.ops.TABLE[name]


# ── methods ─────────────────────────────────────────────────────────────────────────────────────
def test_methods_called_on_something_else_never_read_its_memory():
    """Compiled, `self` of such a method was whatever was passed: garbage, or a crash."""
    v = Value(2.0)
    assert list(map(Value.relu, [1.0, -2, 3])) == [1.0, 0.0, 3.0]
    assert Value.relu(v).data == 2.0
    with pytest.raises(TypeError, match="relu: x must be a real number, not NoneType"):
        Value.relu(None)
    for name in ("backward", "zero_grad", "detach"):
        for other in (None, 3, 3.0, "x", [v]):
            with pytest.raises(TypeError, match=rf"{name}\(\) is a method of a Value, not of {type(other).__name__}"):
                getattr(Value, name)(other)


def test_methods_take_names_and_defaults_like_the_functions():
    v = Value(-0.5)
    assert v.leaky_relu(slope=0.2).data == -0.1
    assert v.elu(alpha=2.0).data == mg.elu(-0.5, alpha=2.0)
    assert v.gelu(approximate="tanh").data == mg.gelu(-0.5, approximate="tanh")
    with pytest.raises(TypeError, match=r"atan2\(\) takes 2 argument\(s\) \(y, x\), not 1"):
        v.atan2()
    with pytest.raises(ValueError, match="approximate"):
        v.gelu(approximate="erf")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("sum", r"microgradlike\.sum\(\[\.\.\.\]\)"),
        ("item", r"v\.data"),
        ("numpy", r"v\.data"),
        ("requires_grad", "detach"),
        ("clamp", "clip"),
        ("sine", "did you mean sin"),
    ],
)
def test_an_attribute_that_is_missing_says_what_to_write(name, remedy):
    with pytest.raises(AttributeError, match=f"a Value has no '{name}'.*{remedy}"):
        getattr(Value(1.0), name)


def test_divmod_is_floor_division_and_remainder():
    v = Value(7.0)
    for (q, r), expected in [(divmod(v, 2), divmod(7.0, 2)), (divmod(-9, v), divmod(-9, 7.0)), (divmod(v, v), (1, 0))]:
        assert (q.data, r.data) == expected
        assert not q.is_leaf
        assert not r.is_leaf
    with pytest.raises(TypeError):
        divmod(v, "x")


def test_round_takes_an_integer_number_of_digits():
    assert round(Value(12345.0), -2).data == 12300.0
    assert round(Value(1.0), 400).data == 1.0
    assert round(Value(1.0), -400).data == 0.0
    with pytest.raises(TypeError, match="integer"):
        round(Value(2.0), 1.5)


def test_roots_must_be_values():
    for roots in (3, None, "ab"):
        with pytest.raises(TypeError, match=f"roots must be .*Value.*, not {type(roots).__name__}"):
            mg.topological_order(roots)


def test_errors_name_the_element():
    with pytest.raises(TypeError, match=r"sum: element 1 .* not str"):
        mg.sum([1.0, "x"])
    with pytest.raises(TypeError, match=r"clip: high .* not NoneType"):
        mg.clip(1.0, 0.0, None)
    for index in ("x", None):
        with pytest.raises(TypeError, match="take: index must be a real number"):
            mg.take([1.0, 2.0], index)
    with pytest.raises(IndexError, match="take: index nan"):
        mg.take([1.0, 2.0], float("nan"))


# ── NumPy ───────────────────────────────────────────────────────────────────────────────────────
def test_numpy_names_work_on_arrays_too():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    v, x = np.array([Value(0.25), Value(0.5)]), np.array([0.75, 2.0])
    numbers = np.array([0.25, 0.5])
    for name in "arcsin arccos arctan arcsinh arctanh rint exp2 deg2rad degrees conjugate var std".split():
        found = np.atleast_1d(getattr(np, name)(v))
        assert all(isinstance(each, Value) for each in found), name
        assert np.allclose([each.data for each in found], getattr(np, name)(numbers), rtol=1e-15, atol=0), name
    for name in "arctan2 hypot logaddexp maximum minimum float_power copysign".split():
        for args, plain in [((x, v[0]), (x, 0.25)), ((v[0], x), (0.25, x))]:
            if name == "copysign":
                with pytest.raises(TypeError, match=r"np\.copysign cannot be recorded"):
                    getattr(np, name)(*args)
                continue
            found = getattr(np, name)(*args)
            assert all(isinstance(each, Value) for each in found), name
            assert np.allclose([each.data for each in found], getattr(np, name)(*plain), rtol=4e-16, atol=0), name
    assert np.vdot(v, x).data == 0.25 * 0.75 + 1.0


def test_numpy_clip_and_round_record():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    v = Value(2.678)
    assert np.clip(v, 0.0, 1.0).op is mg.ops.TABLE["clip"]
    assert np.round(v, 2).data == 2.68
    assert np.round(v).op is mg.ops.TABLE["round"]
    assert np.divmod(v, 2)[0].data == 1.0


def test_numpy_cannot_lose_values_in_an_array_of_floats():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    v, x = Value(2.0), np.array([1.0, 2.0])
    with pytest.raises(TypeError, match=r"np\.add: an array of float64 cannot hold Values.*astype\(object\)"):
        np.add.at(x, np.array([0]), v)
    with pytest.raises(TypeError, match="cannot hold Values"):
        x += v
    objects = x.astype(object)
    objects += v
    assert [each.data for each in objects] == [3.0, 4.0]


def test_numpy_complex_numbers_keep_their_imaginary_part_by_being_refused():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    v = Value(2.0)
    for add in (lambda: np.complex128(1j) + v, lambda: v + np.complex128(1j), lambda: np.array([1j]) + v):
        with pytest.raises(TypeError, match=r"np\.add: an operand must be a real number.*\.imag"):
            add()


# ── transforms ──────────────────────────────────────────────────────────────────────────────────
def test_dicts_keep_their_class():
    counted = defaultdict(list, {"a": 2.0, "b": 3.0})
    gradient = mg.grad(lambda d: d["a"] * d["b"])(counted)
    assert gradient == {"a": 3.0, "b": 2.0}
    assert gradient.default_factory is list
    assert counted == {"a": 2.0, "b": 3.0}
    ordered = mg.grad(lambda d: d["a"] * d["b"])(OrderedDict(b=3.0, a=2.0))
    assert list(ordered.items()) == [("b", 2.0), ("a", 3.0)]
    assert type(ordered) is OrderedDict


def test_arrays_without_dimensions_are_numbers():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    assert mg.grad(lambda x: mg.sin(x) * x)(np.array(0.0)) == 0.0
    assert mg.grad(lambda v: np.tensordot(v, v, 1))(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert mg.value_and_grad(lambda x: np.array(x * x))(3.0) == (9.0, 6.0)
    assert mg.grad(lambda x: np.array(3.0))(3.0) == 0.0


def test_jacobians_of_arrays_by_several_arguments_are_trees_of_arrays():
    """As in JAX: one array for each argument, not an array of objects."""
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    jx, jy = mg.jacobian(lambda x, y: x * y, argnums=(0, 1))(x, y)
    assert jx.tolist() == [[3.0, 0.0], [0.0, 4.0]]
    assert jy.tolist() == [[1.0, 0.0], [0.0, 2.0]]
    (hxx, hxy), (hyx, hyy) = mg.hessian(lambda x, y: (x * x * y).sum(), argnums=(0, 1))(x, y)
    assert hxx.tolist() == [[6.0, 0.0], [0.0, 8.0]]
    assert hxy.tolist() == hyx.tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert hyy.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    Pair = namedtuple("Pair", "w b")
    by_name = mg.jacobian(lambda p: p.w * x + p.b)(Pair(2.0, 1.0))
    assert type(by_name) is Pair
    assert (by_name.w.tolist(), by_name.b.tolist()) == ([1.0, 2.0], [1.0, 1.0])
    nested = mg.jacobian(lambda d: d["x"] * d["k"][0])({"x": x, "k": [5.0]})
    assert nested["x"].tolist() == [[5.0, 0.0], [0.0, 5.0]]
    assert nested["k"][0].tolist() == [1.0, 2.0]


def test_wrong_calls_of_transforms_say_what_is_wrong():
    f = lambda x, y: x * y
    with pytest.raises(ValueError, match="argnums names an argument twice"):
        mg.grad(f, argnums=(0, -2))(2.0, 3.0)
    with pytest.raises(TypeError, match=r"argnums must be an integer .* not 1\.0"):
        mg.grad(f, argnums=1.0)(2.0, 3.0)
    with pytest.raises(TypeError, match=r"primals must be a list or tuple .* not float"):
        mg.jvp(mg.sin, 1.0, 1.0)
    with pytest.raises(TypeError, match=r"tangents must be a list or tuple .* not float"):
        mg.hvp(mg.sin, (1.0,), 1.0)
    with pytest.raises(ValueError, match=r"tangents have \[1, 2\] numbers"):
        mg.jvp(lambda v, s: v[0] * s, ([1.0, 2.0], 3.0), (1.0, [0.0, 0.0]))
    with pytest.raises(TypeError, match="tangents must be numbers"):
        mg.jvp(mg.sin, (1.0,), ("x",))
    with pytest.raises(TypeError, match="results of the function must be numbers"):
        mg.jacobian(lambda x: "ab")(1.0)


def test_transforms_differentiate_within_no_grad():
    """They gave 0: the function of the transform was not recorded. As in PyTorch, only an inner no_grad() counts."""
    cube = lambda x: x * x * x
    with mg.no_grad():
        assert mg.grad(cube)(2.0) == 12.0
        assert mg.value_and_grad(cube)(2.0) == (8.0, 12.0)
        assert mg.hessian(cube)(2.0) == 12.0
        assert mg.jacobian(lambda x: [cube(x), x])(2.0) == [12.0, 1.0]
        assert mg.jvp(cube, (2.0,), (1.0,)) == (8.0, 12.0)
        assert mg.hvp(cube, (2.0,), (1.0,)) == 12.0
        y, pull = mg.vjp(cube, 2.0)
        assert (y, pull(1.0)) == (8.0, (12.0,))
        x = Value(2.0)
        slope = mg.grad(cube)(x)
        assert slope.is_leaf
        assert slope.data == 12.0
        assert (x * x).is_leaf

    def held(x):
        with mg.no_grad():
            constant = mg.grad(cube)(x)
        return constant * x

    assert mg.grad(held)(2.0) == 12.0
    assert not (Value(1.0) * 2).is_leaf


# ── primitives of the user ──────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("gradients", [1, 3])
def test_a_pullback_of_the_wrong_length_is_an_error_not_a_wrong_gradient(primitive, gradients):
    total = primitive(
        f"total{gradients}",
        pullback=lambda m, g, z, *xs: [g] * gradients,
        formula=lambda m, *xs: m.sum(*xs),
        doc="sum",
        parameters=("*xs",),
    )
    a, b = Value(1.0), Value(2.0)
    with pytest.raises(ValueError, match=f"of total{gradients} gave {gradients} gradients for 2 arguments"):
        total([a, b]).backward()
    with pytest.raises(ValueError, match="pullback of total"):
        mg.grad(total)([1.0, 2.0])
    with pytest.raises(ValueError, match="pullback of total"), mg.detect_anomaly():
        total([a, b]).backward()
    assert (a.grad, b.grad) == (0.0, 0.0)


def test_a_formula_computes_floats_or_says_that_it_does_not(primitive):
    step = primitive("step", None, formula=lambda m, x: 1 if x > 0 else 0, doc="Heaviside")
    assert type(step(2.0)) is float
    assert type(step(Value(2.0)).data) is float
    wrong = primitive("wrong", None, formula=lambda m, x: "text", doc="no number")
    for x in (1.0, Value(1.0)):
        with pytest.raises(TypeError, match="wrong: the result of its formula must be a real number, not str"):
            wrong(x)


@pytest.mark.parametrize("name", ["grad", "Value", "data", "backward", "lambda", "_x", "compile"])
def test_a_primitive_cannot_take_a_name_in_use(primitive, name):
    with pytest.raises(ValueError, match=f"name '{name}' is taken"):
        primitive(name, lambda m, g, z, x: g, formula=lambda m, x: x, doc="identity")


def test_a_primitive_has_rules_or_a_pullback_that_can_be_called(primitive):
    identity = {"formula": lambda m, x: x, "doc": "identity"}
    with pytest.raises(ValueError, match="not both"):
        primitive("both", lambda m, g, z, x: g, pullback=lambda m, g, z, x: [g], **identity)
    with pytest.raises(TypeError, match="must be functions, not 3"):
        primitive("uncallable", pullback=3, **identity)


# ── numbers at the end of the range ─────────────────────────────────────────────────────────────
def test_decimals_too_large_for_a_float_are_refused():
    for x in (Decimal("1e400"), Decimal("-1e400")):
        with pytest.raises(OverflowError, match="too large for a float64"):
            Value(x)
    assert Value(Decimal("-Infinity")).data == -float("inf")
    assert Value(Decimal("NaN")).data != Value(Decimal("NaN")).data
    assert Value(Decimal("1e-400")).data == 0.0


def test_rounding_to_decimals_does_not_overflow():
    for x, digits in ((1e300, 10), (-1e308, 1), (123456789.125, 2), (float("inf"), 3)):
        assert round(Value(x), digits).data == round(x, digits)


# ── higher derivatives at special points ────────────────────────────────────────────────────────
def test_xlogy_has_its_mixed_derivative_where_x_is_zero():
    """It was 0 in one order of differentiation and 1/y in the other; x^x at 1 had 7 for its fourth derivative, 8."""
    assert mg.hessian(mg.xlogy, argnums=(0, 1))(0.0, 2.0) == ((0.0, 0.5), (0.5, 0.0))
    derivative, found = lambda x: x**x, []
    for _ in range(5):
        derivative = mg.grad(derivative)
        found.append(derivative(1.0))
    assert found == [1.0, 2.0, 3.0, 8.0, 10.0]


@pytest.mark.parametrize("power", [0, 1, 2, 3])
def test_powers_have_every_derivative_at_zero(power):
    """That of order power + 2 was nan, and so was the Hessian of a polynomial with a constant term."""
    derivative = lambda x: x**power
    for order in range(1, 7):
        derivative = mg.grad(derivative)
        assert derivative(0.0) == (math.factorial(power) if order == power else 0.0)
    assert mg.hessian(lambda x: sum(c * x**k for k, c in enumerate([5, 3, 2])))(0.0) == 4.0
