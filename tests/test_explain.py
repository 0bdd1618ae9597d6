"""explain: a derivative as the sum over paths: what it adds up to, how it reads, where it stops listing."""

from __future__ import annotations

import math
import re
from random import Random

import pytest
from helpers import examples, random_graph
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value
from microgradlike.graph.explain import MANY
from microgradlike.graph.formulas import Term, formulas, local_formulas


def e1():
    a, b, c = Value(5, label="a"), Value(3, label="b"), Value(2, label="c")
    u = b * c
    v = a + u
    J = 3 * v
    u.label, v.label, J.label = "u", "v", "J"
    return a, b, c, u, v, J


def e2(number=5.0):
    x = Value(number, label="x")
    y, z = 2 * x, mg.positive(x)
    y.label, z.label = "y", "z"
    J = 3 * y * z
    J.label = "J"
    return x, y, z, J


# ── the worked examples ─────────────────────────────────────────────────────────────────────────
@given(st.integers(1, 100))
def test_e2_shows_6z_and_3y(number):
    x, y, z, J = e2(number)
    explained = mg.explain(J, x)
    assert [path.formula for path in explained.paths] == ["6z", "3y"]
    assert [path.product for path in explained.paths] == [6.0 * z.data, 3.0 * y.data]
    assert [path.share for path in explained.paths] == [0.5, 0.5]
    assert [path.nodes[0] for path in explained.paths] == [x, x]
    assert [path.nodes[1] for path in explained.paths] == [y, z]
    assert (explained.total, explained.count) == (12.0 * number, 2)


def test_e2_reads():
    x, _, _, J = e2()
    assert str(mg.explain(J, x)).splitlines() == [
        "∂J/∂x = 6z + 3y = 60, the sum over 2 paths",
        "",
        "  6z = 30   50 %   x → y → 3y → J   2 · 3 · z = 2 · 3 · 5",
        "  3y = 30   50 %   x → z → J        1 · 3y = 1 · 30",
    ]


def test_e1_chain_rule_edge_by_edge():
    a, b, c, u, v, J = e1()
    (path,) = mg.explain(J, b).paths
    assert path.nodes == (b, u, v, J)
    assert [(edge.source, edge.target, edge.local, edge.formula) for edge in path.edges] == [
        (b, u, 2.0, "c"),
        (u, v, 1.0, "1"),
        (v, J, 3.0, "3"),
    ]
    assert (path.product, path.formula, path.share) == (6.0, "3c", 1.0)
    assert mg.explain(J, a).total == 3.0
    assert mg.explain(J, c).paths[0].formula == "3b"
    assert mg.explain(J, u).paths[0].nodes == (u, v, J)  # with respect to an inner node


def test_e3_with_formulas_of_the_labels():
    w, x, b = Value(0.5, label="w"), Value(2.0, label="x"), Value(-0.5, label="b")
    z = w * x + b
    p = mg.sigmoid(z)
    z.label, p.label = "z", "p"
    loss = -mg.log(p)
    (path,) = mg.explain(loss, w).paths
    assert path.formula == "−x·σ′(z)·1/p"
    assert path.product == pytest.approx((p.data - 1) * x.data, rel=1e-15)


# ── laws ────────────────────────────────────────────────────────────────────────────────────────
@given(st.randoms(use_true_random=False), st.integers(1, 14))
@examples(60)
def test_paths_and_edges_add_up_to_the_gradient(random, size):
    leaves, nodes, J = random_graph(random, size)
    J.backward()
    for v in [*leaves, nodes[-1]]:
        explained = mg.explain(J, v, max_paths=5000)
        largest = max([abs(e.flow) for e in explained.edges], default=0.0)  # explained in Python, swept in C
        assert explained.total == pytest.approx(v.grad, rel=0.0, abs=1e-14 * largest)
        if not explained.edges:
            assert v.grad == 0.0
            continue
        tolerance = 1e-13 * sum(abs(path.product) for path in explained.paths)
        if explained.paths:
            assert len(explained.paths) == explained.count
            assert math.fsum(path.product for path in explained.paths) == pytest.approx(v.grad, abs=tolerance)
            for edge in explained.edges:
                through = math.fsum(path.product for path in explained.paths if edge in path.edges)
                assert edge.flow == pytest.approx(through, abs=tolerance)
            for path in explained.paths:
                assert path.nodes[0] is v and path.nodes[-1] is J
                assert [e.source for e in path.edges] == list(path.nodes[:-1])
                assert [e.target for e in path.edges] == list(path.nodes[1:])
                assert path.product == pytest.approx(math.prod(e.local for e in path.edges), rel=1e-13)
        # Every path leaves v once and arrives at J once, so each of these cuts carries the whole derivative.
        for cut in ([e for e in explained.edges if e.source is v], [e for e in explained.edges if e.target is J]):
            scale = sum(abs(e.flow) for e in cut)
            assert math.fsum(e.flow for e in cut) == pytest.approx(v.grad, abs=1e-13 * scale)
        assert str(explained)


@given(st.integers(1, 30), st.integers(0, 3000))
def test_the_limit_is_exact(doublings, max_paths):
    x = Value(1.0, label="x")
    v = x
    for _ in range(doublings):
        v = v + v
    explained = mg.explain(v, x, max_paths=max_paths)
    assert explained.count == 2**doublings == explained.total
    assert len(explained.paths) == (explained.count if explained.count <= max_paths else 0)
    assert len(explained.edges) == 2 * doublings
    assert ("summed per edge" in str(explained)) == (explained.count > max_paths)


def test_numbers_of_paths_beyond_all_counting():
    x = Value(0.999)
    v = x
    for _ in range(2000):
        v = 0.5 * (v + v)
    explained = mg.explain(v, x)
    assert explained.count == MANY and explained.paths == ()
    assert explained.total == 1.0
    assert "more than 10^18 paths" in str(explained)
    assert len(str(explained).splitlines()) < 40


def test_a_deep_chain():
    x = Value(0.0, label="x")
    v = x
    for _ in range(20_000):
        v = v + 1.0
    explained = mg.explain(v, x)
    assert (explained.count, len(explained.paths[0].edges)) == (1, 20_000)
    assert max(map(len, str(explained).splitlines())) < 200


# ── special cases ───────────────────────────────────────────────────────────────────────────────
def test_the_same_operand_twice_is_two_paths():
    x = Value(3.0, label="x")
    explained = mg.explain(x * x, x)
    assert [(p.product, p.formula, p.edges[0].position) for p in explained.paths] == [(3.0, "x", 0), (3.0, "x", 1)]


def test_no_path_and_the_empty_path():
    x, y = Value(1.0, label="x"), Value(2.0, label="y")
    nothing = mg.explain(y * y, x)
    assert (nothing.total, nothing.count, nothing.paths, nothing.edges) == (0.0, 0, (), ())
    assert "does not depend on x" in str(nothing)
    same = mg.explain(x, x)
    assert (same.total, same.count, [p.product for p in same.paths]) == (1.0, 1, [1.0])
    assert mg.explain(x * 2, x * 2).count == 0  # another node, though it looks the same


def test_paths_that_cancel_have_no_share():
    x = Value(3.0, label="x")
    explained = mg.explain(x - x, x)
    assert [p.product for p in explained.paths] == [1.0, -1.0]
    assert (explained.total, [p.share for p in explained.paths]) == (0.0, [None, None])
    assert str(explained).startswith("∂(x − x)/∂x = 1 − 1 = 0") or "= 0," in str(explained)


def test_a_path_that_is_not_taken_contributes_exactly_nothing():
    x = Value(0.0, label="x")
    y = mg.where(x > 0, mg.log(x), 2 * x)
    explained = mg.explain(y, x)
    assert explained.total == 2.0
    assert sorted(p.product for p in explained.paths) == [0.0, 2.0]


def test_without_labels_there_are_numbers():
    x = Value(0.5)
    explained = mg.explain(x * x * x, x)
    assert [p.product for p in explained.paths] == [0.25, 0.25, 0.25]
    assert {p.formula for p in explained.paths} == {None}
    assert "∂J/∂a = 0.75" in str(explained)


@given(st.text(), st.text())
@examples(60)
def test_labels_are_any_text(first, second):
    x, y = Value(2.0, label=first), Value(3.0, label=second)
    text = str(mg.explain(x * y + mg.tanh(x), x))
    assert len(text.splitlines()) < 12
    assert all(line.isprintable() for line in text.split("\n"))


def test_every_differentiable_row_explains_itself():
    from microgradlike.ops import TABLE

    random = Random(3)
    for row in TABLE.values():
        if not row.differentiable or not row.public or row.pullback is not None:
            continue
        xs = [Value(random.uniform(*(row.domain * 3)[k]), label="abc"[k]) for k in range(len(row.rules))]
        y = mg.graph.engine.record(row, *xs)
        y.backward()
        for x in xs:
            explained = mg.explain(y, x)
            assert explained.total == x.grad, row
            assert len(explained.paths) <= 1 and str(explained), row


# ── bad input ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((1.0, Value(1.0)), TypeError, "J must be a Value, not float"),
        ((Value(1.0), [Value(1.0)]), TypeError, "a must be a Value, not list"),
        ((Value(1.0), Value(1.0), -1), ValueError, "max_paths must be at least 0, not -1"),
        ((Value(1.0), Value(1.0), 2.5), TypeError, "max_paths must be an integer, not 2.5"),
    ],
)
def test_bad_input_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        mg.explain(*arguments)


def test_a_stale_graph_is_refused():
    x = Value(1.0, label="x")
    y = x * x
    x.data = 2.0
    with pytest.raises(mg.GraphError, match="'x'"):
        mg.explain(y, x)


A, B = Term(2.0, 1.0, ("a",)), Term(3.0, 1.0, ("b",))


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (lambda m: 5 - A, "5 − a"), (lambda m: A - (A - B), "a − (a − b)"), (lambda m: -(A - B), "−(a − b)"),
        (lambda m: A + 0.0, "a"), (lambda m: A - 0.0, "a"), (lambda m: 0.0 + A, "a"), (lambda m: 0.0 - A, "−a"),
        (lambda m: Term(2.0) + Term(3.0), "5"), (lambda m: Term(2.0) - Term(3.0), "−1"),
        (lambda m: 2 * A * B * A, "2a²b"),
        (lambda m: m.pow(A, 3.0), "a³"), (lambda m: m.pow(A, 0.0), "1"), (lambda m: m.exp(A) * B, "exp(a)·b"),
    ],
)  # fmt: skip
def test_formulas_are_written_as_on_paper_and_are_true(term, text):
    """The text is the short one, and read as Python (at a = 2, b = 3) it has the term's value."""
    found = term(formulas)
    assert found.text == text
    python = re.sub(r"(?<=[\da-z²³])(?=[ab])", "*", re.sub(r"exp\((\w)\)", r"E**\1", text))
    for sign, operator in {"−": "-", "·": "*", "²": "**2", "³": "**3"}.items():
        python = python.replace(sign, operator)
    assert eval(python, {"a": 2.0, "b": 3.0, "E": math.e}) == pytest.approx(found.value, rel=1e-15)


def test_a_rule_that_cannot_be_run_on_texts_leaves_a_number():
    made = mg.primitive(
        "by_table", lambda m, g, z, x: g * {2.0: 3.0}[x], formula=lambda m, x: x * m.square(x), doc="of 2 only"
    )
    try:
        x = Value(2.0, label="x")
        y = made(x)
        y.backward()
        assert mg.explain(y, x).total == 3.0
        assert local_formulas(y, {x: Term(2.0, 1.0, ("x",)), y: Term(8.0)}) == {}
    finally:
        del mg.ops.TABLE["by_table"]
