"""Laws over the table: they hold for every row, those of users included; a new row is tested without another line."""

from __future__ import annotations

import math

import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, floats
from microgradlike.graph.engine import values
from microgradlike.ops import TABLE, Op

WITH_INDEX = {"softmax", "log_softmax", "take", "cross_entropy", "one_minus_softmax", "softmax_minus", "softmax_slope"}
HALVES = {"dot", "mean_squared_error", "soft_cross_entropy", "softmax_minus"}  # operands come in pairs of lists
ROWS = pytest.mark.parametrize("row", list(TABLE.values()), ids=list(TABLE))
SMOOTH = pytest.mark.parametrize("row", [row for row in TABLE.values() if row.differentiable], ids=lambda row: row.name)


def interval(row: Op, i: int) -> tuple[float, float]:
    return row.domain[min(i, len(row.domain) - 1)]


@st.composite
def operands(draw: st.DrawFn, row: Op) -> tuple[list[float], list[float]]:
    """(constants that come first, numbers to differentiate), in the row's domain and away from its kinks."""
    indices: list[float] = []
    if row.arity is None:
        count = draw(st.integers(2, 4))
        if row.name in WITH_INDEX:
            indices = [float(draw(st.integers(0, count - 1))) for _ in range(2 if row.name == "softmax_slope" else 1)]
        count *= 2 if row.name in HALVES else 1
    else:
        count = len(row.rules)
    numbers = [
        draw(st.floats(*interval(row, i), allow_subnormal=False).map(lambda x: round(x, 6))) for i in range(count)
    ]
    return indices, numbers


def near_a_kink(row: Op, numbers: list[float], margin: float = 2e-2) -> bool:
    """Whether differences would straddle a point without a derivative."""
    if row.name in ("maximum", "minimum", "clip", "where", "remainder", "hinge") or row.kinks:
        points = [abs(x - round(2 * x) / 2) for x in numbers]
        gaps = [abs(x - y) for i, x in enumerate(numbers) for y in numbers[:i]]
        if row.name == "remainder":
            x, y = numbers
            moved = margin * (1 + abs(x / y)) / y  # how far the quotient goes when x or y moves by the margin
            gaps.append(margin * abs(x / y - round(x / y)) / moved)
        if row.name == "hinge":
            gaps.append(abs(1 - numbers[0] * numbers[1]))
        return min([*points, *gaps]) < margin
    return any(abs(x - point) < margin for x in numbers for point in row.trouble)


def extrapolated(f, x: float, scale: float = 1e-2) -> tuple[float, float]:
    """f′(x) by central differences, extrapolated to step 0 (Richardson), and a bound of its error."""
    rows: list[list[float]] = []
    for i in range(5):
        h = scale / 2**i
        line = [(f(x + h) - f(x - h)) / (2 * h)]
        for k, before in enumerate(rows[-1] if rows else []):
            line.append(line[k] + (line[k] - before) / (4 ** (k + 1) - 1))
        rows.append(line)
    best, previous = rows[-1][-1], rows[-1][-2]
    rounding = 40 * math.ulp(max(abs(f(x)), 1e-3)) / (scale / 16)
    return best, 10 * abs(best - previous) + rounding


@SMOOTH
@examples(15)
@given(st.data())
def test_derivative_is_the_limit_of_differences(row, data):
    indices, numbers = data.draw(operands(row).filter(lambda drawn: not near_a_kink(row, drawn[1])))
    forward = row.on(floats)
    z = forward(*indices, *numbers)
    partials = row.cotangents(floats, 1.0, z, *indices, *numbers)[len(indices) :]
    for i, partial in enumerate(partials):
        if partial is None:
            continue

        def along(x, i=i):
            return forward(*indices, *numbers[:i], x, *numbers[i + 1 :])

        limit, error = extrapolated(along, numbers[i])
        assert abs(partial - limit) <= error + 1e-9 * abs(limit), (row, i, numbers, partial, limit)


@SMOOTH
@examples(8)
@given(st.data())
def test_second_order_is_the_derivative_of_the_first(row, data):
    indices, numbers = data.draw(operands(row).filter(lambda drawn: not near_a_kink(row, drawn[1])))
    record = getattr(values, row.name)
    constants = {i for i, rule in enumerate(row.rules) if rule is None}

    def gradient(xs: list[float]) -> list[float]:
        return mg.grad(lambda v: record(*indices, *(xs[i] if i in constants else x for i, x in enumerate(v))))(list(xs))

    hessian = mg.hessian(lambda v: record(*indices, *v))(numbers)
    for i in range(len(numbers)):
        for j in range(len(numbers)):

            def along(x, i=i, j=j):
                return gradient([*numbers[:j], x, *numbers[j + 1 :]])[i]

            limit, error = extrapolated(along, numbers[j])
            assert abs(hessian[i][j] - limit) <= error + 1e-8 * abs(limit) + 1e-10, (row, i, j, numbers)
            assert hessian[i][j] == pytest.approx(hessian[j][i], rel=1e-9, abs=1e-10)


def beside(a, b):
    """The same number; of a row with any number of operands, that of the compiled engine's C within 2 ulp each."""
    return a == b or (a != a and b != b) or (mg.compiled and abs(a - b) <= 4.0 * math.ulp(b))


@SMOOTH
@examples(15)
@given(st.data())
def test_eager_symbolic_and_forward_sweeps_agree(row, data):
    indices, numbers = data.draw(operands(row))
    record = getattr(values, row.name)
    leaves = [Value(x) for x in numbers]
    z = record(*indices, *leaves)
    z.backward()
    eager = [v.grad for v in leaves]
    partials = row.cotangents(floats, 1.0, z.data, *indices, *numbers)[len(indices) :]
    assert all(map(beside, eager, [0.0 if d is None else 0.0 + d for d in partials]))
    symbolic = [g.data for g in mg.gradients(z, leaves)]
    assert symbolic == pytest.approx(eager, rel=1e-12, abs=1e-14)
    for i in range(len(numbers)):
        direction = [float(i == j) for j in range(len(numbers))]
        _, pushed = mg.jvp(lambda v: record(*indices, *v), (numbers,), (direction,))
        assert pushed == pytest.approx(eager[i], rel=1e-12, abs=1e-14), (row, i)


@ROWS
@examples(15)
@given(st.data())
def test_the_value_is_the_same_recorded_and_plain(row, data):
    indices, numbers = data.draw(operands(row))
    plain = row.on(floats)(*indices, *numbers)
    record = getattr(values, row.name)
    assert type(plain) is float
    assert beside(record(*indices, *numbers), plain)
    z = record(*indices, *[Value(x) for x in numbers])
    assert z.data == record(*indices, *numbers)
    if row.name == "defined":  # known at once among Values: it needs no node
        return
    assert z.op is row
    assert z.args[: len(indices)] == tuple(indices)


class Stone:
    """What no row may look at: raises if Python asks it for its truth or its number."""

    def __bool__(self):
        raise AssertionError("a row branched in Python")

    __float__ = __int__ = __index__ = __lt__ = __gt__ = __le__ = __ge__ = __bool__
    __hash__ = None

    def __eq__(self, other):
        raise AssertionError("a row compared in Python")

    def _same(self, *others):
        return Stone()

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _same


class Stones:
    """A namespace of stones: every name of the table is answered."""

    def __getattr__(self, name):
        if name not in TABLE:
            raise AttributeError(name)
        return lambda *args: Stone()


@ROWS
def test_rows_do_not_branch(row):
    count = 4 if row.arity is None else row.arity
    stones = [Stone() for _ in range(count)]
    row.cotangents(Stones(), Stone(), Stone(), *stones)
    if row.formula is not None:
        row.formula(Stones(), *stones)


@ROWS
def test_rows_are_documented_and_can_be_written(row):
    assert row.doc
    names = ["x", "y", "z", "u"][: row.arity] if row.arity is not None else ["x", "y", "z", "u"]
    assert row.expression(*names)
    assert len(row.parameters) == (row.arity if row.arity is not None else len(row.parameters))
    if row.public:
        function = getattr(mg, row.name)
        assert callable(function)
        assert row.doc in function.__doc__ or row.name == "cross_entropy"  # that of losses, which says more


def sinc(m, x):
    """sin(x)/x. Where sin x/x and its derivatives cancel, its series; both sides of `where` are computed, 0/0 too."""
    u = m.square(x)
    series = 1 - u * (1 / 6) * (1 - u * (1 / 20) * (1 - u * (1 / 42) * (1 - u * (1 / 72) * (1 - u * (1 / 110)))))
    return m.where(m.less(m.abs(x), 0.5), series, m.divide(m.sin(x), x))


def sinc_slope(m, g, z, x):
    u = m.square(x)
    series = x * (-1 / 3) * (1 - u * (1 / 10) * (1 - u * (1 / 28) * (1 - u * (1 / 54) * (1 - u * (1 / 88)))))
    return g * m.where(m.less(m.abs(x), 0.5), series, m.divide(m.cos(x) - z, x))


ADDED = {
    "cube": (lambda m, g, z, x: g * (3.0 * m.square(x)), lambda m, x: x * x * x, [1.7, 0.0]),
    "sinc": (sinc_slope, sinc, [1.7, 0.0, 1e-9, -0.3, 0.4999, 5e-324, 40.0]),
}


@pytest.mark.parametrize("name", ADDED)
def test_an_added_row_obeys_the_same_laws(name):
    rule, formula, points = ADDED[name]
    named = f"{name}_for_a_test"
    function = mg.primitive(named, rule, formula=formula, doc=name)
    try:
        row = TABLE[named]
        for x in points:
            test_derivative_is_the_limit_of_differences.hypothesis.inner_test(row, Fixed(([], [x])))
            test_second_order_is_the_derivative_of_the_first.hypothesis.inner_test(row, Fixed(([], [x])))
            test_eager_symbolic_and_forward_sweeps_agree.hypothesis.inner_test(row, Fixed(([], [x])))
            step = mg.compile(lambda v: function(v) + 0.0 * v)
            assert beside(step(x), function(x)) and beside(mg.grad(step)(x), mg.grad(function)(x))
        test_rows_do_not_branch(row)
        x = Value(2.0)
        assert function(x).data == getattr(x, named)().data == getattr(mg, named)(2.0)
    finally:
        del TABLE[named]
        vars(mg).pop(named, None)


def test_sinc_has_its_limits_at_0():
    rule, formula, _ = ADDED["sinc"]
    function = mg.primitive("sinc_at_0", rule, formula=formula, doc="sin(x)/x")
    try:
        assert function(0.0) == 1.0 and mg.grad(function)(0.0) == 0.0
        assert mg.grad(mg.grad(function))(0.0) == pytest.approx(-1 / 3, rel=1e-15)
        assert mg.grad(mg.grad(mg.grad(mg.grad(function))))(0.0) == pytest.approx(1 / 5, rel=1e-14)
        assert mg.hessian(lambda v: function(v[0]) * v[1])([0.0, 2.0]) == [[pytest.approx(-2 / 3), 0.0], [0.0, 0.0]]
    finally:
        del TABLE["sinc_at_0"]
        vars(mg).pop("sinc_at_0", None)


def test_a_primitive_can_be_taken_out_and_registered_again():
    for factor in (2.0, 3.0):
        times = mg.primitive(
            "times_for_a_test", lambda m, g, z, x, k=factor: g * k, formula=lambda m, x, k=factor: x * k, doc="k·x"
        )
        try:
            x = Value(5.0)
            assert times(5.0) == mg.times_for_a_test(5.0) == x.times_for_a_test().data == 5.0 * factor
            assert mg.grad(times)(5.0) == mg.grad(lambda v: v.times_for_a_test())(5.0) == factor
            assert mg.compile(lambda v: mg.times_for_a_test(v) + 1.0)(5.0) == 5.0 * factor + 1.0
            assert mg.draw(times(x)).to_svg()
        finally:
            del TABLE["times_for_a_test"]
        assert not hasattr(x, "times_for_a_test") and "times_for_a_test" not in dir(mg)


class Fixed:
    """Stands in for Hypothesis' data."""

    def __init__(self, drawn):
        self.drawn = drawn

    def draw(self, strategy):
        return self.drawn


def test_misuse_of_primitive_is_named():
    formula = lambda m, x: x
    rule = lambda m, g, z, x: g
    for error, match, arguments, columns in [
        (ValueError, "taken", ("tanh", rule), {}),
        (ValueError, "identifier", ("no good", rule), {}),
        (ValueError, "rule for each argument", ("nothing",), {}),
        (TypeError, "functions", ("nothing", 3), {}),
        (TypeError, "no column named colour", ("nothing", rule), {"colour": "red"}),
    ]:
        with pytest.raises(error, match=match):
            mg.primitive(*arguments, formula=formula, doc="x", **columns)
        assert "nothing" not in TABLE


# ── lists: elements computed together are those computed one by one ──────────────────────────────
logits = st.lists(st.floats(-800, 800) | st.sampled_from([0.0, math.inf, -math.inf, math.nan]), min_size=1, max_size=6)


@given(logits)
@examples(50)
def test_all_elements_of_softmax_are_each_of_them(xs):
    for name in ("softmax", "log_softmax"):
        at, one = floats.nth(name, tuple(xs)), getattr(floats, name)
        assert [repr(at(float(i))) for i in range(len(xs))] == [repr(one(float(i), *xs)) for i in range(len(xs))]
    slope = floats.nth("softmax_slope", tuple(xs), 0.0)
    each = [floats.softmax_slope(0.0, float(i), *xs) for i in range(len(xs))]
    assert [repr(slope(float(i))) for i in range(len(xs))] == [repr(s) for s in each]


@given(st.lists(st.floats(), max_size=8))
@examples(100)
def test_products_of_others_are_products(xs):
    exact = [floats.prod(*xs[:i], *xs[i + 1 :]) for i in range(len(xs))]
    for found, expected in zip(floats.products_of_others(tuple(xs)), exact, strict=True):
        same = found == expected or (found != found and expected != expected)
        assert same or abs(found - expected) <= math.ulp(expected)


def test_gradients_of_long_lists_take_time_that_grows_as_the_list():
    xs = [Value(1.0 + i * 1e-5) for i in range(20_000)]  # minutes for each, were it the square
    for y in (mg.prod(xs), mg.logsumexp(xs), mg.losses.cross_entropy(xs, 3)):
        y.backward()
    share = math.fsum(math.exp(x.data) for x in xs)
    x = xs[7]
    assert math.isclose(x.grad, mg.prod([v.data for v in xs]) / x.data + 2 * math.exp(x.data) / share, rel_tol=1e-14)
