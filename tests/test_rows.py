"""Every row of the table by the kit of testing/: its derivatives of any order, how it is written, how it is called.

That rows are accurate to 2 ulp over the whole range of doubles is the business of test_accuracy.py; that a new row
obeys the laws without the kit, of test_laws.py.
"""

from __future__ import annotations

import math
from itertools import count

import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, floats
from microgradlike.graph.engine import cotangents, record, values
from microgradlike.ops import TABLE, Op
from microgradlike.testing import check_gradients, expressions, graphs
from microgradlike.testing.judges import Recording
from microgradlike.testing.rounding import rounding_bounds

LEADING = {"index": 1, "class": 1, "k": 2}  # indices come before the operands of these rows


def indices(row: Op) -> int:
    return LEADING.get(row.parameters[0], 0) if row.arity is None else 0


@st.composite
def operands(draw, row, size=None):
    """Numbers from the domain of the row, after indices where it has some."""
    if row.arity is not None:
        return [draw(st.floats(low, high, allow_subnormal=False)) for low, high in (row.domain * 3)[: row.arity]]
    n = size or draw(st.integers(1, 3))
    first = [float(draw(st.integers(0, n - 1))) for _ in range(indices(row))]
    low, high = row.domain[0]
    numbers = st.floats(low, high, allow_subnormal=False)
    return first + [draw(numbers) for _ in range(n * max(row.lists, 1))]


def rows(condition=lambda row: True):
    return [pytest.param(row, id=row.name) for row in TABLE.values() if condition(row)]


def differentiable(row):
    return row.differentiable


# ── derivatives ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("row", rows(differentiable))
@given(data=st.data())
@examples(4)
def test_derivatives_to_second_order_are_limits_of_differences(row, data):
    """Forward and reverse, judged by mpmath or the complex step to what rounding explains; helpers too."""
    x = data.draw(operands(row))
    fixed = x[: indices(row)]
    check_gradients(lambda *xs: record(row, *fixed, *xs), *x[indices(row) :])


@pytest.mark.parametrize(
    "row", rows(lambda row: row.name in ("sigmoid", "tanh", "softplus", "gelu", "pow", "hypot", "softmax"))
)
def test_third_and_fourth_order(row):
    x = [0.25 * low + 0.75 * high for low, high in (row.domain * 3)[: row.arity or 2]]
    fixed = [1.0] * indices(row)
    check_gradients(lambda *xs: record(row, *fixed, *xs), *x, order=3 if row.arity != 1 else 4)


@pytest.mark.parametrize("row", rows(lambda row: row.trouble and row.arity == 1 and row.differentiable))
def test_at_the_points_that_deserve_a_test_of_their_own(row):
    """Where the value is finite: the derivative is right, or lies between the one-sided ones."""
    for x in row.trouble:
        if math.isfinite(row.on(floats)(x)):
            try:
                check_gradients(lambda v: record(row, v), x)
            except ValueError as error:  # a pole of the derivative, or the jump of sign
                assert "nothing could be judged" in str(error)
                slope = row.cotangents(floats, 1.0, row.on(floats)(x), x)[0]
                assert slope is None or not math.isfinite(slope), (row, x)


@pytest.mark.parametrize("row", rows(differentiable))
@given(data=st.data(), g=st.sampled_from([-3.0, 0.5, 1e10]))
@examples(4)
def test_rules_are_linear_in_the_gradient(row, data, g):
    """Which is why one rule serves both modes."""
    x = data.draw(operands(row))
    z = row.on(floats)(*x)
    for one, other in zip(row.cotangents(floats, 1.0, z, *x), row.cotangents(floats, g, z, *x), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert other == pytest.approx(g * one, rel=1e-15, abs=1e-300)


# ── how rows are written ────────────────────────────────────────────────────────────────────────
class Opaque:
    """Something that can be computed with, and not looked at: what a row sees in a namespace of arrays or registers."""

    def _same(self, *_):
        return Opaque()

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _same

    def _never(self, *_):
        raise AssertionError("a row looked at a number")

    __bool__ = __float__ = __int__ = __index__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _never
    __abs__ = __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __mod__ = __floor__ = __round__ = __iter__ = _never
    __hash__ = None


class AnyNamespace:
    """Answers every row of the table, and nothing else."""

    def __getattr__(self, name):
        if name not in TABLE:
            raise AttributeError(f"a row uses {name!r}, which is not in the table")
        row = TABLE[name]

        def answer(*args):
            if row.arity is not None:
                assert len(args) == row.arity, f"{name} takes {row.arity} arguments, not {len(args)}"
            return Opaque()

        return answer


@pytest.mark.parametrize("row", rows())
def test_rows_use_the_table_only_and_never_branch_on_a_number(row):
    m = AnyNamespace()
    for n in (1, 2, 3):
        if row.arity is None:
            xs = [float(k) for k in range(indices(row))] if n > 1 else [0.0] * indices(row)
            xs += [Opaque() for _ in range(n * max(row.lists, 1))]
        else:
            xs = [Opaque() for _ in range(row.arity)]
        found = row.cotangents(m, Opaque(), Opaque(), *xs)
        assert len(found) == len(xs)
        if row.formula is not None:
            row.formula(m, *xs)


@pytest.mark.parametrize("row", rows())
def test_columns_fit_together(row):
    assert row.name.isidentifier()
    assert TABLE[row.name] is row
    assert "\n" not in row.doc
    assert hasattr(floats, row.name) or row.formula is not None
    if row.arity is not None:
        assert len(row.domain) in (1, row.arity)
        assert len(row.defaults) < row.arity
    assert all(-math.inf < low < high < math.inf for low, high in row.domain)
    assert all(map(math.isfinite, row.trouble))
    assert repr(row) == f"<op {row.name}>"


@pytest.mark.parametrize("row", rows(lambda row: row.formula is not None and row.name in vars(floats)))
@given(data=st.data())
@examples(6)
def test_formulas_agree_with_what_floats_answers(row, data):
    """The plain formula, run on floats: within rounding of the careful function."""
    x = data.draw(operands(row))
    fixed = indices(row)
    leaves = [Value(number) for number in x[fixed:]]
    result = row.formula(values, *x[:fixed], *leaves)
    if not isinstance(result, Value):
        result = Value(result)
    bound = rounding_bounds(mg.topological_order(result), leaves)[result]
    exact = row.on(floats)(*x)
    assert abs(result.data - exact) <= bound + 4 * math.ulp(exact) or not bound < math.inf


# ── every way to call a row ─────────────────────────────────────────────────────────────────────
def called(row, xs):
    """mg.<name>(...), as its documentation says."""
    function = getattr(mg, row.name)
    if row.lists == 2:
        return function(xs[: len(xs) // 2], xs[len(xs) // 2 :])
    if row.name in ("softmax", "log_softmax"):
        return function(xs[1:])[int(xs[0])]
    if row.name in ("take", "cross_entropy"):
        return function(xs[1:], int(xs[0]))
    return function(xs) if row.arity is None else function(*xs)


@pytest.mark.parametrize("row", rows(lambda row: row.public and row.name != "take"))
@given(data=st.data())
@examples(4)
def test_every_public_row_is_a_function_of_numbers_and_values_and_a_method(row, data):
    x = data.draw(operands(row))
    plain, number = row.on(floats)(*x), called(row, x)
    assert type(number) is float
    assert number.hex() == plain.hex() or abs(number - plain) <= 2.0 * math.ulp(plain)  # the compiled engine's is in C
    fixed = indices(row)
    inputs = x[:fixed] + [Value(each) for each in x[fixed:]]
    z = called(row, inputs)
    assert isinstance(z, Value) and z.data.hex() == number.hex()
    assert z.op is row and list(z.args) == inputs
    if row.arity is not None:
        method = getattr(inputs[0], row.name)(*inputs[1:])
        assert method.data.hex() == number.hex() and method.op is row
    if row.name != "cross_entropy":  # a function of losses, which takes distributions, too
        assert getattr(mg, row.name).__doc__.startswith(row.doc)
    assert row.name in mg.__all__ and row.name in dir(mg)


def test_an_index_of_take_may_be_computed():
    xs, index = [Value(3.0), Value(5.0)], Value(1.0)
    z = mg.take(xs, index)
    z.backward()
    assert (z.data, [x.grad for x in xs], index.grad) == (5.0, [0.0, 1.0], 0.0)


@pytest.mark.parametrize("row", rows(lambda row: row.public and row.defaults))
def test_defaults(row):
    x = 0.5
    assert getattr(mg, row.name)(x) == row.on(floats)(x, *row.defaults)
    assert getattr(mg, row.name)(x, **{row.parameters[1]: 0.25}) == row.on(floats)(x, 0.25)
    assert getattr(Value(x), row.name)().args[1:] == row.defaults


# ── the three ways to differentiate agree ───────────────────────────────────────────────────────
def same(a, b):
    return a == b or (a != a and b != b)


@given(program=expressions())
@examples(60)
def test_the_sweep_over_floats_is_the_gradient_graph_to_the_bit(program):
    root, inputs = program.root, program.inputs
    graph = [g.data for g in mg.gradients(root, inputs)]
    swept = cotangents([root], [1.0], inputs)
    root.backward()
    assert all(map(same, swept, graph))
    assert all(same(x.grad, g) for x, g in zip(inputs, graph, strict=True))


@given(root=graphs(max_size=25), seed=st.floats(0.25, 4))
@examples(60)
def test_forward_and_reverse_agree_within_rounding(root, seed):
    leaves = [v for v in mg.topological_order(root) if v.is_leaf]
    recording = Recording([root], leaves)

    class Again:
        def __getattr__(self, name):
            return getattr(values, name)

        class f:
            nan = math.nan

    tangents = [seed * (k + 1) for k in range(len(leaves))]
    xs = [v.data for v in leaves]
    _, pushed = mg.jvp(lambda *inner: recording.run(Again(), inner)[0], xs, tangents)
    gs = mg.gradients(root, leaves)
    bounds = rounding_bounds(mg.topological_order(gs), leaves)
    pulled = math.fsum(g.data * t for g, t in zip(gs, tangents, strict=True))
    scale = math.fsum(abs(g.data * t) for g, t in zip(gs, tangents, strict=True))
    bound = math.fsum(bounds[g] * abs(t) for g, t in zip(gs, tangents, strict=True))
    if bound < math.inf:
        assert abs(pushed - pulled) <= 4 * bound + 1e-14 * scale


@given(root=graphs())
@examples(40)
def test_backward_twice_is_twice_the_gradient(root):
    order = mg.topological_order(root)
    root.backward()
    once = [v.grad for v in order]
    root.backward()
    assert [v.grad for v in order] == [2 * g if v.is_leaf else g for v, g in zip(order, once, strict=True)]


# ── a user's row is as good as any ──────────────────────────────────────────────────────────────
fresh_names = (f"users_row_{k}" for k in count())


@pytest.fixture
def users_rows():
    before = set(TABLE)
    names = [next(fresh_names) for _ in range(4)]
    cube, product, slope, spread = names
    mg.primitive(
        cube,
        lambda m, g, z, x: g * (3.0 * m.square(x)),
        formula=lambda m, x: x * x * x,
        doc="x³",
        domain=((-2.0, 2.0),),
    )
    mg.primitive(
        product,
        lambda m, g, z, x, y: g * (m.sin(y) + y),
        lambda m, g, z, x, y: g * (x * (m.cos(y) + 1.0)),
        formula=lambda m, x, y: x * (m.sin(y) + y),
        doc="x·(sin y + y)",
    )
    mg.primitive(
        slope,
        lambda m, g, z, x: g * -(z * z),
        formula=lambda m, x: m.reciprocal(x),
        doc="1/x again",
        domain=((0.5, 2.0),),
    )
    mg.primitive(
        spread,
        pullback=lambda m, g, z, *xs: [g * (2.0 * x) for x in xs],
        formula=lambda m, *xs: m.sum(*[m.square(x) for x in xs]),
        parameters=("*xs",),
        doc="Σx²",
    )
    yield [TABLE[name] for name in names]
    for name in set(TABLE) - before:
        del TABLE[name]


def test_users_rows_pass_the_laws(users_rows):
    @given(st.data())
    @examples(6)
    def law(data):
        for row in users_rows:
            test_derivatives_to_second_order_are_limits_of_differences.hypothesis.inner_test(row, data)
            test_rules_are_linear_in_the_gradient.hypothesis.inner_test(row, data, 3.0)
            x = data.draw(operands(row))
            assert called(row, x) == called(row, [Value(each) for each in x]).data == row.on(floats)(*x)
        program = data.draw(expressions([*users_rows, "tanh", "add"], max_size=5))
        check_gradients(program, *program.numbers)

    law()
    for row in users_rows:
        test_rows_use_the_table_only_and_never_branch_on_a_number(row)
        test_columns_fit_together(row)


def test_a_row_that_branches_would_be_noticed():
    branching = Op("branching", (lambda m, g, z, x: g if x > 0 else 0.0 * g,), formula=lambda m, x: m.relu(x), doc="x")
    with pytest.raises(AssertionError, match="looked at a number"):
        test_rows_use_the_table_only_and_never_branch_on_a_number(branching)
    outside = Op("outside", (lambda m, g, z, x: g * m.heaviside(x),), formula=lambda m, x: m.relu(x), doc="x")
    with pytest.raises(AttributeError, match="'heaviside', which is not in the table"):
        test_rows_use_the_table_only_and_never_branch_on_a_number(outside)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"rule": lambda m, g, z, x: None}, "the rule for x must return a number .* not None"),
        ({"rule": lambda m, g, z, x: [g]}, r"the rule for x must return a number .* not \["),
        ({"pullback": lambda m, g, z, *xs: None}, "the pullback must list the gradients of its 1 arguments"),
        ({"pullback": lambda m, g, z, *xs: ["g"]}, "the pullback, at 0, must return a number .* not 'g'"),
    ],
)
def test_a_users_row_that_answers_nonsense_is_named(columns, words):
    columns = {"formula": lambda m, x: m.square(x), "doc": "x²", **columns}
    rule = [columns.pop("rule", lambda m, g, z, x: g * x)] * ("pullback" not in columns)
    name = next(fresh_names)
    f = mg.primitive(name, *rule, **columns, **({} if rule else {"parameters": ("*xs",)}))
    try:
        x = Value(3.0)
        with pytest.raises(TypeError, match=f"primitive '{name}': {words}"):
            f(*([x] if rule else [[x]])).backward()
        with pytest.raises(TypeError, match=f"primitive '{name}': "):
            mg.gradients(f(*([x] if rule else [[x]])), [x])
    finally:
        del TABLE[name]
