"""detect_anomaly: what it catches, that it catches the first, and everything its message must name."""

from __future__ import annotations

import inspect
import math
import re

import pytest
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value
from microgradlike.ops import TABLE


def caught(compute):
    with pytest.raises(mg.AnomalyError) as info, mg.detect_anomaly():
        compute()
    return info.value


def leaf(number, label=None):
    return Value(number, label=label)


# ── the traps of the issue: operation, labels, numbers, trap and cure ───────────────────────────
FORWARD = [
    (lambda: mg.log(leaf(0, "p")), "log(p = 0.0) is -inf", "Log of 0", "log_softmax"),
    (lambda: mg.log(leaf(0, "p") * 3), "log(0.0) is -inf", "Log of 0", "log_softmax"),
    (lambda: mg.log2(leaf(0, "p")), "log2(p = 0.0) is -inf", "Log of 0", "loss from logits"),
    (lambda: mg.log1p(leaf(-1, "p")), "log1p(p = -1.0) is -inf", "Log of 0", "log_sigmoid"),
    (lambda: mg.xlogy(2.0, leaf(0, "p")), "xlogy(2.0, p = 0.0) is -inf", "Log of 0", "log_softmax"),
    (
        lambda: mg.binary_cross_entropy(leaf(0, "p"), 1),
        "binary_cross_entropy(p = 0.0, 1.0) is inf",
        "Log of 0",
        "logits",
    ),
    (lambda: mg.exp(leaf(1000, "z")), "exp(z = 1000.0) is inf", "Overflow of exp", "logsumexp"),
    (lambda: mg.expm1(leaf(1000, "z")), "expm1(z = 1000.0) is inf", "Overflow of exp", "softplus"),
    (lambda: mg.cosh(leaf(-1000, "z")), "cosh(z = -1000.0) is inf", "Overflow of exp", "scale"),
    (lambda: leaf(-2, "b") ** 0.5, "pow(b = -2.0, 0.5) is nan", "negative base", "mg.abs(x)**y"),
    (lambda: leaf(-2, "b") ** leaf(0.5, "e"), "pow(b = -2.0, e = 0.5) is nan", "negative base", "mg.cbrt"),
    (lambda: leaf(0, "b") ** -1, "pow(b = 0.0, -1.0) is inf", "0 to a negative power", "away from 0"),
    (lambda: leaf(1e200, "b") ** 2, "pow(b = 1e+200, 2.0) is inf", "Overflow of pow", "logarithms"),
    (lambda: 1 / leaf(0, "d"), "divide(1.0, d = 0.0) is inf", "Division by 0", "mg.where"),
    (lambda: leaf(3, "n") % leaf(0, "d"), "remainder(n = 3.0, d = 0.0) is nan", "Division by 0", "mg.where"),
    (lambda: mg.sqrt(leaf(-1, "s")), "sqrt(s = -1.0) is nan", "Outside the domain of sqrt", "nan left of 0"),
    (lambda: mg.atanh(leaf(1, "t")), "atanh(t = 1.0) is inf", "pole", "away from 1.0"),
    (lambda: leaf(1e300, "h") * 1e300, "multiply(h = 1e+300, 1e+300) is inf", "Overflow", "scale the operands"),
    (lambda: mg.sum([leaf(1e308, "h")] * 3), "sum(h = 1e+308, h = 1e+308, h = 1e+308) is inf", "Overflow", "scale"),
    (lambda: leaf(math.nan, "q") + 1, "add(q = nan, 1.0) is nan", "leaf q = nan is not finite to begin with", ""),
    (lambda: leaf(math.inf, "q") * 0, "multiply(q = inf, 0.0) is nan", "0·inf", "to begin with"),
]

BACKWARD = [
    (lambda: mg.sqrt(leaf(0, "s")), "the gradient of s in sqrt(s = 0.0) is inf", "infinite slope at 0", "mg.hypot"),
    (lambda: leaf(0, "s") ** 0.5, "the gradient of s in pow(s = 0.0, 0.5) is inf", "infinite slope at 0", "away"),
    (lambda: mg.asin(leaf(1, "s")), "the gradient of s in asin(s = 1.0) is inf", "infinite slope", "0·inf"),
    (
        lambda: leaf(-2, "b") ** leaf(2, "e"),
        "the gradient of e in pow(b = -2.0, e = 2.0) is nan",
        "x**y at a negative base",
        "plain number",
    ),
    (
        lambda: leaf(1e200) * leaf(0, "x") * 1e200 * 1e200,
        "the gradient of x in multiply(0.0, 1e+200) is inf",
        "Overflow",
        "scale the loss",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("compute", "what", "trap", "cure"), FORWARD, ids=[row[1] for row in FORWARD])
def test_values(compute, what, trap, cure):
    error = caught(compute)
    text = str(error)
    assert text.splitlines()[0] == what
    assert trap in text and cure in text
    assert isinstance(error.node, Value) and error.node.op.name == what.split("(")[0]
    assert f'File "{__file__}"' in text


@pytest.mark.parametrize(("build", "what", "trap", "cure"), BACKWARD, ids=[row[1] for row in BACKWARD])
def test_gradients(build, what, trap, cure):
    text = str(caught(lambda: build().backward()))
    assert text.splitlines()[0].startswith(what + ": local derivative ")
    assert trap in text and cure in text
    assert f'File "{__file__}"' in text


def test_zero_times_infinity_in_a_backward_pass():
    x = leaf(0.0, "x")
    text = str(caught(lambda: mg.sqrt(x * x).backward()))
    assert "Next, multiply(x = 0.0, x = 0.0) has the derivative 0: 0·inf in the backward pass" in text
    mg.sqrt(x * x).backward()  # without the detective it is what IEEE 754 says
    assert math.isnan(x.grad)


def test_a_sum_of_gradients_that_overflows():
    x, big = leaf(0.0, "x"), leaf(1.5e308, "big")
    text = str(caught(lambda: mg.sum([x * big, x * big, x * big]).backward()))
    assert text.startswith("the gradient of x, summed over its uses up to multiply(x = 0.0, big = 1.5e+308), is inf")
    assert "Overflow" in text


# ── the line of user code ───────────────────────────────────────────────────────────────────────
def test_the_line_that_created_the_node():
    def model(p):
        return mg.log(p) * 2  # the line to be found

    line = next(n for n, text in enumerate(inspect.getsource(model).splitlines()) if "to be found" in text)
    line += model.__code__.co_firstlineno
    expected = f'  made at: File "{__file__}", line {line}, in model: return mg.log(p) * 2  # the line to be found'
    assert str(caught(lambda: model(leaf(0.0)))).splitlines()[1] == expected
    with mg.detect_anomaly():
        y = model(leaf(5e-324, "p"))
    assert y.args[0].origin.line == line
    text = str(caught(lambda: y.backward()))
    assert expected in text and "the gradient of p in log(p = 5e-324) is inf" in text


def test_the_line_is_the_users_also_for_functions_of_the_package():
    text = str(caught(lambda: mg.losses.binary_cross_entropy(leaf(0.0, "p"), 1.0)))
    assert f'File "{__file__}"' in text


def test_code_without_a_file():
    text = str(caught(lambda: exec("mg.log(mg.Value(0.0))", {"mg": mg})))
    assert 'File "<string>", line 1' in text and "(source not available)" in text


def test_graphs_built_outside_say_so_and_their_values_count():
    x = leaf(0.0, "x")
    y = mg.log(x) * 2
    y.label = "y"
    text = str(caught(lambda: y.backward()))
    assert text.splitlines()[0] == "y = multiply(-inf, 2.0) is -inf, and a gradient reaches it"
    assert "Before that, log(x = 0.0) is -inf: Log of 0" in text
    assert "build the graph within it" in text
    assert "Before that, log(x = 0.0)" in str(caught(lambda: mg.tanh(y) + y))


def test_higher_orders_say_what_was_differentiated():
    x = leaf(0.0, "x")
    text = str(caught(lambda: mg.gradients(mg.sqrt(x), [x])))
    assert "in the derivative of sqrt(x = 0.0)" in text and text.count(f'File "{__file__}"') == 2


# ── what it must not do ─────────────────────────────────────────────────────────────────────────
def test_a_branch_not_taken_is_no_anomaly_on_the_way_back():
    x = leaf(0.0, "x")
    y = mg.where(x > 0, mg.sqrt(x), x * 2)
    with mg.detect_anomaly():
        y.backward()
    assert x.grad == 2.0


def test_no_gradient_is_changed_by_an_error():
    x, w = leaf(0.0), leaf(3.0)
    y = mg.sqrt(x) * w
    x.grad, w.grad, y.grad = 1.0, 2.0, 3.0
    caught(lambda: y.backward())
    assert (x.grad, w.grad, y.grad) == (1.0, 2.0, 3.0)


def test_it_ends_with_its_context_and_nests():
    with mg.detect_anomaly():
        with mg.detect_anomaly():
            pass
        with pytest.raises(mg.AnomalyError):
            mg.log(leaf(0.0))
    assert mg.log(leaf(0.0)).data == -math.inf
    with pytest.raises(mg.AnomalyError), mg.detect_anomaly(), mg.no_grad():
        mg.log(leaf(0.0))
    assert leaf(1.0).__add__(1.0).origin is None


def test_as_a_decorator():
    @mg.detect_anomaly()
    def compute():
        return mg.log(leaf(0.0))

    for _ in range(2):
        with pytest.raises(mg.AnomalyError):
            compute()


@given(st.floats(-3, 3), st.floats(-3, 3))
@examples(25)
def test_finite_computations_are_the_same_under_it(a, b):
    def compute():
        x, y = leaf(a), leaf(b)
        z = mg.tanh(x * y) + mg.softmax([x, y])[0] * mg.maximum(x, y) + mg.hypot(x, 1 + y * y)
        z.backward()
        return z.data, x.grad, y.grad

    with mg.detect_anomaly():
        watched = compute()
    assert watched == pytest.approx(compute(), rel=1e-14, abs=1e-15)  # watched sweeps are Python's, others C's


@given(st.data())
@examples(120)
def test_the_first_result_that_is_not_finite_raises_and_nothing_else_does(data):
    rows = [row for row in TABLE.values() if row.public]
    row = data.draw(st.sampled_from(rows))
    count = len(row.rules) if row.pullback is None else 4
    xs = data.draw(st.lists(st.floats(allow_nan=False), min_size=count, max_size=count))
    if row.parameters[0] in ("index", "class"):
        xs = [0.0, *map(leaf, xs)]
    else:
        xs = list(map(leaf, xs))
    result = mg.graph.engine.record(row, *xs)
    if math.isfinite(result.data):
        with mg.detect_anomaly():
            mg.graph.engine.record(row, *xs)
    else:
        text = str(caught(lambda: mg.graph.engine.record(row, *xs)))
        assert text.startswith(f"{row.name}(") and f") is {result.data}\n" in text
        for x in xs[1:]:
            assert repr(x.data) in text


@given(st.text())
@examples(60)
def test_labels_are_any_text(label):
    text = str(caught(lambda: mg.log(leaf(0.0, label))))
    assert len(text.splitlines()) == 3
    name = re.fullmatch(r"log\((.*) = 0\.0\) is -inf", text.splitlines()[0]).group(1)
    assert name == label or name == repr(label)


def test_many_operands_are_shortened():
    xs = [leaf(1e308) for _ in range(1000)]
    assert "… 992 more) is inf" in str(caught(lambda: mg.sum(xs)))


def test_in_a_notebook_the_line_is_that_of_a_cell(monkeypatch):
    """IPython keeps cells in files that nobody has written; it knows their numbers."""
    IPython = pytest.importorskip("IPython", reason="cells are IPython's")

    class Compiler:
        def format_code_name(self, name):
            return ("Cell", "In[3]") if name == "/somewhere/1234.py" else None

    class Shell:
        compile = Compiler()

    monkeypatch.setattr(IPython, "get_ipython", Shell)
    code = compile("\n\nmg.log(mg.Value(0.0))", "/somewhere/1234.py", "exec")
    with mg.detect_anomaly(), pytest.raises(mg.AnomalyError, match=r"made at: Cell In\[3\], line 3: "):
        exec(code, {"mg": mg})
    with mg.detect_anomaly(), pytest.raises(mg.AnomalyError, match=r'made at: File ".*test_anomaly.py", line \d+, in '):
        mg.log(mg.Value(0.0))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x + -math.inf, "The constant -inf in add(x = 1.0, -inf) is not finite to begin with: write a large"),
        (lambda x: mg.where(mg.greater(x, 0.0), -math.inf, x), "large number instead, -1e+09 say"),
        (lambda x: mg.exp((x - x) * math.inf), "0·inf is nan. The constant inf"),
        (lambda x: x * math.nan, "The constant nan in multiply(x = 1.0, nan) is not finite to begin with."),
    ],
)
def test_a_constant_that_is_not_finite(function, words):
    """A mask of -inf, say: nothing before it is to blame."""
    with pytest.raises(mg.AnomalyError) as info, mg.detect_anomaly():
        function(Value(1.0, label="x"))
    assert words in str(info.value)
    x = Value(1.0, label="x")
    y = function(x)  # outside, so that it is found by the sweep
    with pytest.raises(mg.AnomalyError) as info, mg.detect_anomaly():
        y.backward()
    assert "not finite" in str(info.value) or "derivative" in str(info.value)


def test_the_pole_of_a_users_primitive_is_no_overflow():
    inverse = mg.primitive(
        "inverse_of_test", lambda m, g, z, x: -(g * m.square(z)), formula=lambda m, x: m.reciprocal(x), doc="1/x"
    )
    try:
        with pytest.raises(mg.AnomalyError, match="A pole of inverse_of_test"), mg.detect_anomaly():
            inverse(Value(0.0))
    finally:
        TABLE.pop("inverse_of_test")
