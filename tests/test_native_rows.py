"""The table as C: what the compiled engine computes is what floats.py computes, for every row, its slopes and specials.

On the plain engine the same laws hold trivially; the reference file is met through Values on either (test_accuracy.py).
"""

from __future__ import annotations

import copy
import gc
import math
import random
import tracemalloc

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_floats import INDICES, anything, operands

import microgradlike as mg
from microgradlike import Value, floats
from microgradlike.graph.engine import record
from microgradlike.ops import TABLE

PUBLIC = [row for row in TABLE.values() if row.public]
# The C library's functions and single operations: the same bits.
EXACT = {
    "positive", "negative", "add", "subtract", "multiply", "divide", "reciprocal", "remainder", "square", "sqrt", "abs",
    "sign", "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "maximum", "minimum", "clip", "where", "less", "less_equal", "greater", "greater_equal", "equal",
    "not_equal",
    "floor", "ceil", "round", "trunc", "relu", "leaky_relu", "sum", "mean", "prod", "take",
}  # fmt: skip


def apart(x: float, y: float) -> float:
    """How many units in the last place lie between two numbers; infinitely many if only one is nan or infinite."""
    if x == y or (x != x and y != y):
        return 0.0
    return abs(x - y) / math.ulp(y) if math.isfinite(x) and math.isfinite(y) else math.inf


def both(row, x):
    """Value and partials through Values, and those of floats; no partial where there is none."""
    leading = INDICES.get(row.name, 0)
    leaves = [*x[:leading], *map(Value, x[leading:])]
    z = record(row, *leaves)
    z.backward()
    expected = row.on(floats)(*x)
    partials = row.cotangents(floats, 1.0, expected, *x)
    pairs = [(v.grad, p or 0.0) for v, p in zip(leaves, partials, strict=True) if isinstance(v, Value)]
    return (z.data, expected), pairs


@pytest.mark.parametrize("row", PUBLIC, ids=lambda row: row.name)
@given(data=st.data())
def test_every_row_and_its_slopes_equal_floats(row, data):
    smooth = [st.floats(low, high) for low, high in row.domain]
    wild = row.name != "soft_cross_entropy"  # of targets that are a distribution it is a sum of one sign
    x = data.draw(st.one_of(operands(row, anything), operands(row, *smooth)) if wild else operands(row, *smooth))
    (z, expected), partials = both(row, x)
    assert apart(z, expected) <= (0.0 if row.name in EXACT else 4.0), (z, expected)  # 2 each from the truth
    for got, partial in partials:
        assert apart(got, partial) <= 4.0, (x, partials)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
@given(st.integers(1, 10**6), st.integers(-1, 1), st.integers(0, 900))
def test_beside_multiples_of_half_pi(name, k, neighbour, power):
    x = float(k) * (math.pi / 2) * 2.0**power
    x = math.nextafter(x, math.inf * neighbour) if neighbour else x
    for number in (x, -x):
        assert getattr(mg, name)(Value(number)).data == getattr(floats, name)(number)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
@pytest.mark.parametrize("x", [1.2853022199154463e174, 6381956970095103.0 * 2.0**797, 22.0, 355.0, 1e22])
def test_the_worst_multiples_of_half_pi(name, x):
    assert getattr(mg, name)(Value(x)).data == getattr(floats, name)(x)


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=6), st.integers(0, 60))
def test_sums_and_dots_that_cancel_are_those_of_floats(pairs, spread):
    """Each term once more with the other sign and a power of two beside: what is left is small, or exactly nothing."""
    pairs += [(-x, y) for x, y in pairs] + [(y, 2.0**-spread) for _, y in pairs[:1]]
    xs, ys = zip(*pairs, strict=True)
    assert apart(mg.dot([Value(x) for x in xs], ys).data, floats.dot(*xs, *ys)) <= 1.0
    assert apart(mg.sum([Value(x) for x in xs]).data, floats.sum(*xs)) == 0.0


# ── elements that share their operands ──────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@given(data=st.data())
def test_all_elements_together_are_each_of_them_alone(name, data):
    n = data.draw(st.integers(1, 6))
    xs = data.draw(st.lists(st.floats(-50.0, 50.0), min_size=n, max_size=n))
    gs = data.draw(st.lists(st.floats(-2.0, 2.0), min_size=n, max_size=n))
    row, leaves = TABLE[name], [Value(x) for x in xs]
    elements = getattr(mg, name)(leaves)
    assert [z.data for z in elements] == [record(row, float(k), *leaves).data for k in range(n)]
    assert [z.args for z in elements] == [(float(k), *leaves) for k in range(n)]
    chosen = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=n))
    mg.sum([elements[k] * gs[k] for k in chosen]).backward()
    for j, v in enumerate(leaves):
        terms = [row.cotangents(floats, gs[k], elements[k].data, float(k), *xs)[1 + j] for k in chosen]
        assert v.grad == pytest.approx(math.fsum(terms), rel=1e-15, abs=1e-300 + 4e-16 * max(map(abs, terms)))


def test_one_element_alone_keeps_its_last_place():
    for case in ([40.0, 0.0, 0.0], [0.0, -745.0], [1.0, 1.0, 1.0 + 2**-52]):
        for k in range(len(case)):
            leaves = [Value(x) for x in case]
            z = mg.softmax(leaves)[k]
            z.backward()
            expected = TABLE["softmax"].cotangents(floats, 1.0, z.data, float(k), *case)[1:]
            assert [apart(v.grad, g) <= 2.0 for v, g in zip(leaves, expected, strict=True)] == [True] * len(case)


def test_a_softmax_takes_memory_as_its_list():
    random_ = random.Random(1)
    peaks = []
    for n in (500, 4000):
        leaves = [Value(random_.uniform(-1, 1)) for _ in range(n)]
        gc.collect()
        tracemalloc.start()
        loss = mg.sum([s * float(k) for k, s in enumerate(mg.softmax(leaves))])
        loss.backward()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert sum(v.grad for v in leaves) == pytest.approx(0.0, abs=1e-9)
    assert peaks[1] < 12 * peaks[0]


def test_elements_with_labels_and_copies_of_them():
    xs = [Value(x, label=f"x{i}") for i, x in enumerate([0.5, -1.0, 2.0])]
    elements = mg.softmax(xs)
    elements[1].label = "middle"
    loss = mg.sum([s * w for s, w in zip(elements, [1.0, 2.0, 3.0], strict=True)])
    twin = copy.deepcopy(loss)
    loss.backward()
    twin.backward()
    assert [v.label for v in elements] == [None, "middle", None]
    assert elements[1].args == (1.0, *xs)
    assert [v.grad for v in mg.topological_order(twin)] == [v.grad for v in mg.topological_order(loss)]


@settings(max_examples=50)
@given(st.lists(st.floats(-700.0, 0.0), min_size=2, max_size=5))
def test_logsumexp_beside_0_keeps_its_digits(xs):
    """The last operand makes the sum of exponentials 1 as nearly as floats can."""
    missing = 1.0 - math.fsum(map(math.exp, xs))
    assume(missing > 1e-12)
    xs = [*xs, math.log(missing)]
    assert apart(mg.logsumexp([Value(x) for x in xs]).data, floats.logsumexp(*xs)) <= 2.0
