"""Pictures hold what the graph holds: every node, edge, number and sum, read back from the SVG."""

from __future__ import annotations

import math
import random
import re

import pytest
from drawn import (
    Area,
    Picture,
    Weight,
    branching,
    named,
    network,
    perceptron,
    product,
    random_values,
)
from helpers import examples, run
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, draw, label, topological_order
from microgradlike.draw import Drawing
from microgradlike.draw.formats.mermaid import quoted
from microgradlike.draw.picture import expression, theme
from microgradlike.draw.picture.font import font
from microgradlike.draw.picture.text import elided, number, total
from microgradlike.graph.engine import values
from microgradlike.graph.sweep import sent
from microgradlike.ops import TABLE


def sweep(node):
    """What every node sends to each operand, as the engine's sweep has it."""
    x = [each.data if isinstance(each, Value) else each for each in node.args]
    return sent(node.op, 1.0, node.data, x), sent(node.op, node.grad, node.data, x)


# ── the drawing against the graph ───────────────────────────────────────────────────────────────
@examples(25)
@given(st.integers(0, 10**6), st.integers(5, 40), st.sampled_from(["full", "cards"]), st.sampled_from(["LR", "TB"]))
def test_every_node_edge_number_and_sum_is_drawn(seed, size, detail, direction):
    root = random_values(random.Random(seed), size)
    root.backward()
    order = topological_order(root)
    picture = Picture(draw(root, detail=detail, direction=direction).to_svg())

    assert len(picture.cards) == len(order)
    for node, card in zip(order, picture.cards, strict=True):
        assert card.data["data"] == repr(node.data)
        assert card.data["grad"] == repr(node.grad)
        assert card.text("value") == number(node.data)
        kind = "operation" if node.op else "parameter" if isinstance(node, Weight) else "input"
        assert card.data["kind"] == kind
        assert ("output" in card.classes) == (node is root)
        assert repr(node.data) in card.tooltip
        assert repr(node.grad) in card.tooltip
        if node.label:
            assert card.text("head").startswith(node.label)
            assert card.text("gradient-name") == f"∂J/∂{node.label}"

    expected, sums = [], {}
    for user in reversed(range(len(order))):
        node = order[user]
        if node.op is None:
            continue
        local, flows = sweep(node)
        for position, x in enumerate(node.args):
            if isinstance(x, Value):
                tail = next(i for i, other in enumerate(order) if other is x)
                expected.append((tail, user, position, repr(local[position]), repr(flows[position])))
                if flows[position] is not None:
                    sums.setdefault(tail, []).append(flows[position])
            elif not (node.op.arity is None and (local[position] is None or (node.op.name == "dot" and x == 1.0))):
                expected.append((-1, user, position, repr(x), None))
    found = []
    for edge in picture.edges:
        place = (int(edge.data["tail"]), int(edge.data["head"]), int(edge.data["position"]))
        if "constant" in edge.classes:
            found.append((*place, edge.data["constant"], None))
            assert edge.text("constant") == number(float(edge.data["constant"]))
        else:
            sent_here = edge.data.get("sent", "None")
            if order[user := place[1]].grad == 0.0 and sent_here == "0.0":  # nothing came, and nothing is no −0
                sent_here = repr(sweep(order[user])[1][place[2]])
            found.append((*place, edge.data.get("local", "None"), sent_here))
            if detail == "full" and "local" in edge.data:
                assert edge.text("derivative").endswith(f" {number(float(edge.data['local']))}")
                assert edge.text("sent") == number(float(edge.data["sent"]))
    assert sorted(found, key=str) == sorted(expected, key=str)

    for i, terms in sums.items():  # what the pills say adds up, in the sweep's order, to what the card says
        grad = order[i].grad
        largest = max(map(abs, [*terms, grad]))  # what C and Python add may differ in the last place
        assert abs(sum(terms) - grad) <= 4.0 * math.ulp(largest) or math.isnan(grad)
        if len(terms) > 1:
            assert picture.cards[i].text("gradient") == total(terms, grad)


def test_products_of_a_value_with_itself_have_two_edges_and_a_sum():
    x = Value(3, label="x")
    J = named(x * x, "J")
    J.backward()
    picture = Picture(draw(J).to_svg())
    assert [(e.data["position"], e.text("derivative")) for e in picture.edges] == [
        ("0", "∂J/∂x = 3"),
        ("1", "∂J/∂x = 3"),
    ]
    assert picture.cards[0].text("gradient") == "3 + 3 = 6"


def test_paths_that_meet_are_summed_e2():
    picture = Picture(draw(branching()).to_svg())
    assert picture.cards[0].text("gradient") == "30 + 30 = 60"
    assert picture.cards[0].text("head") == "x"


def test_texts_of_e1():
    picture = Picture(draw(product()).to_svg())
    assert [c.text("head") for c in picture.cards] == ["a", "b", "c", "u = b × c", "v = a + u", "J = 3 × v"]
    assert [c.text("value") for c in picture.cards] == ["5", "3", "2", "6", "11", "33"]
    assert [c.text("gradient") for c in picture.cards] == ["3", "6", "9", "3", "3", "1"]
    assert picture.cards[1].text("gradient-name") == "∂J/∂b"
    pills = {e.text("derivative"): e.text("sent") for e in picture.edges if "wire" in e.classes}
    assert pills == {"∂u/∂b = 2": "6", "∂u/∂c = 3": "9", "∂v/∂a = 1": "3", "∂v/∂u = 1": "3", "∂J/∂v = 3": "3"}
    assert [e.text("constant") for e in picture.edges if "constant" in e.classes] == ["3"]


RECORDED = [row for row in TABLE.values() if row.name != "defined"]  # which Values answer without a node


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: row.name)
def test_every_row_of_the_table_draws_itself(row):
    count = row.arity or 2 * (2 if len(row.parameters) > 1 else 1) + (not row.parameters[0].startswith("*"))
    lead = 0 if row.arity else sum(not p.startswith("*") for p in row.parameters)
    operands = []
    for i in range(count):
        low, high = row.domain[min(i, len(row.domain) - 1)]
        operands.append(0.0 if i < lead else Value(low + (high - low) * (0.3 + 0.1 * i), label=f"p{i}"))
    z = getattr(values, row.name)(*operands)
    assert z.op is row
    z.backward()
    drawing = draw(z)
    picture = Picture(drawing.to_svg())
    head = picture.cards[-1].text("head")
    texts = [each.label if isinstance(each, Value) else number(each) for each in z.args]
    assert head == elided(row.expression(*texts), 260, 13, bold=True)
    assert font(bold=True).has(head), "the font lacks a sign of this expression"
    assert font(bold=True).has(row.symbol)
    assert quoted(head) in drawing.to_mermaid()
    assert head.replace("<", "&lt;").replace(">", "&gt;") in drawing.to_dot()


def test_a_new_primitive_draws_itself():
    name = "draw_test_area"
    area = mg.primitive(
        name,
        lambda m, g, z, x, y: g * y,
        lambda m, g, z, x, y: g * x,
        formula=lambda m, x, y: x * y,
        write="{} by {}",
        symbol="□",
        doc="width times height",
    )
    try:
        w, h = Value(2, label="w"), Value(3, label="h")
        z = area(w + 1, h)
        z.backward()
        picture = Picture(draw(z).to_svg())
        assert picture.cards[-1].text("head") == "(w + 1) by h"
        assert [e.text("derivative") for e in picture.edges if e.data["head"] == "3"] == ["× 3", "× 3"]
    finally:
        del TABLE[name]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda a, b, c: (a + b) * c, "(a + b) × c"),
        (lambda a, b, c: a * b * c, "a × b × c"),
        (lambda a, b, c: a - (b - c), "a − (b − c)"),
        (lambda a, b, c: a - b - c, "a − b − c"),
        (lambda a, b, c: a / (b * c), "a / (b × c)"),
        (lambda a, b, c: -(a + b), "−(a + b)"),
        (lambda a, b, c: a + (-3) * b, "a + (−3 × b)"),
        (lambda a, b, c: (a + b) ** 2, "(a + b) ^ 2"),
        (lambda a, b, c: mg.tanh(a + b) * c, "tanh(a + b) × c"),
        (lambda a, b, c: mg.sqrt(a + b), "√(a + b)"),
        (lambda a, b, c: mg.half_squared_error(a - b, c), "½(a − b − c)²"),
        (lambda a, b, c: mg.sigmoid(mg.sigmoid(mg.sigmoid(mg.sigmoid(a)))), "σ(σ(σ(σ(a))))"),
        (lambda a, b, c: mg.softmax([a, b, c])[1], "softmax₁(a, b, c)"),
        (lambda a, b, c: mg.sum([a, b, c] * 9), "a + b + c + … + c"),
        (lambda a, b, c: mg.dot([a, b] * 20, [c, a] * 20), "a·c + b·a + a·c + … + b·a"),
    ],
)
def test_expressions_have_the_brackets_they_need(make, expected):
    a, b, c = Value(4, label="a"), Value(2, label="b"), Value(1, label="c")
    picture = Picture(draw(make(a, b, c), detail="cards").to_svg())
    assert picture.cards[-1].text("head") == expected


def test_binding_reads_operators_outside_of_brackets_only():
    assert expression.binding("f(a + b)") == expression.TIGHTEST
    assert expression.binding("(a + b) × (c)") == 2
    assert expression.binding("|a − b|") == expression.TIGHTEST


# ── what it says of itself ──────────────────────────────────────────────────────────────────────
def test_before_backward_there_is_a_dash_and_the_caption_says_so():
    a, b = Value(2, label="a"), Value(3, label="b")
    drawing = draw(a * b)
    picture = Picture(drawing.to_svg())
    assert {c.text("gradient") for c in picture.cards} == {"–"}
    assert {e.text("sent") for e in picture.edges} == {"–"}
    assert any("backward() has not run" in "".join(t.itertext()) for t in picture.texts)
    assert "backward() has not run" in str(drawing)
    assert [e.text("derivative") for e in picture.edges] == ["× 3", "× 2"]  # local derivatives are there all the same


def test_gradients_from_elsewhere_are_told_apart():
    x = Value(2, label="x")
    J = named(x * 3, "J")
    J.backward()
    J.backward()
    picture = Picture(draw(J).to_svg())
    assert picture.cards[0].text("gradient") == "3 elsewhere + 3 = 6"
    assert any("elsewhere" in "".join(t.itertext()) for t in picture.texts if t.get("class") == "caption")


def test_a_part_of_a_larger_graph_does_not_claim_its_gradients():
    x = Value(2, label="x")
    y = named(x * 3, "y")
    J = named(y * y, "J")
    J.backward()
    picture = Picture(draw(y).to_svg())
    assert picture.cards[0].text("gradient-name") == "gradient"  # dJ/dx, not dy/dx


def test_a_stale_graph_shows_no_derivatives():
    w = Value(2, label="w")
    J = named(w * w, "J")
    J.backward()
    w.data = 5
    drawing = draw(J)
    assert all("local" not in e.data for e in Picture(drawing.to_svg()).edges)
    assert "assigned after" in str(drawing)


def test_unlabelled_and_blank_labels():
    a = Value(2)
    b = Value(3, label="  ")
    z = a * b
    picture = Picture(draw(z).to_svg())
    assert [c.text("head") for c in picture.cards] == ["input", "input", "2 × 3"]


def test_several_results():
    x = Value(2, label="x")
    a, b = named(x * 2, "a"), named(x * 3, "b")
    picture = Picture(draw([a, b]).to_svg())
    assert [c.text("head") for c in picture.cards if "output" in c.classes] == ["a = x × 2", "b = x × 3"]
    assert len(Picture(draw({"a": a, "b": (b,)}).to_svg()).cards) == 3


def test_modules_and_functions_are_called_with_example_inputs():
    from microgradlike import nn

    drawing = draw(nn.MLP(2, [2, 1], activation="tanh", seed=0), [0.5, -1.0], detail="neurons")
    heads = [c.text("head") for c in Picture(drawing.to_svg()).cards]
    assert [h.split(" = ")[0] for h in heads] == ["x1", "x2", "a1.1", "a1.2", "z2.1"]
    picture = Picture(draw(lambda u, v: u * v[0] + v[1], 2, [3, 4]).to_svg())
    assert [c.text("head") for c in picture.cards][:3] == ["u", "v[0]", "u × v[0]"]


def test_label_names_what_variables_hold():
    a, w, table = Value(1), [Value(2), [Value(3)]], {"k": Value(4)}
    kept = Value(5, label="kept")
    again = a
    w.append(w)  # a list that holds itself
    label({"a": a, "again": again, "w": w, "table": table, "_hidden": Value(6), "kept": kept, "n": 3}, extra=Value(7))
    assert (a.label, w[0].label, w[1][0].label, table["k"].label, kept.label) == (
        "a",
        "w[0]",
        "w[1][0]",
        "table['k']",
        "kept",
    )
    with pytest.raises(TypeError, match=r"such as locals\(\), not list"):
        label([a])


def test_highlight_dims_what_lies_on_no_path():
    a, b = Value(2, label="a"), Value(3, label="b")
    u, v = named(a * 2, "u"), named(b * 2, "v")
    J = named(u + v, "J")
    J.backward()
    scene = draw(J, highlight=a).scene
    assert [card.name for card in scene.cards if not card.dimmed] == ["a", "u", "J"]
    assert draw(J, highlight=[a, b]).scene.cards[3].dimmed is False
    with pytest.raises(ValueError, match="'c' is not in the graph"):
        draw(J, highlight=Value(1, label="c"))


def test_inside_shows_the_steps_of_a_loss_and_their_gradients():
    p, t = Value(0.75, label="p"), 0.25
    L = named(mg.half_squared_error(p, t), "L")
    L.backward()
    closed, opened = draw(L), draw(L, inside=True)
    assert len(closed.scene.cards) == 2
    names = [card.head for card in opened.scene.cards]
    assert names == ["p", "p − 0.25", "(p − 0.25)²", "L = 0.5 × (p − 0.25)²"]
    assert [card.exact for card in opened.scene.cards] == [(0.75, 0.5), (0.5, 0.5), (0.25, 0.5), (0.125, 1.0)]
    assert p.grad == 0.5  # the Values themselves are untouched


# ── detail ──────────────────────────────────────────────────────────────────────────────────────
def test_neurons_of_the_2_2_2_network_are_one_card_each():
    _, E = network()
    E.backward()
    drawing = draw(E, detail="neurons", digits=8)
    cards = {card.name: card for card in drawing.scene.cards}
    assert list(cards) == ["x1", "x2", "h1", "h2", "o1", "E1", "o2", "E2", "E"]
    assert [(line.name, line.value) for line in cards["h1"].lines] == [
        ("w1", "0.3"), ("w2", "0.25"), ("z1", "0.08"), ("h1", "0.51998934"),
    ]  # fmt: skip
    assert cards["o1"].lines[0].gradient == "0.025922856"
    edge = next(e for e in drawing.scene.edges if cards["o1"] is drawing.scene.cards[e.head] and e.position == 0)
    h1 = next(v for v in topological_order(E) if v.label == "h1")
    o1 = next(v for v in topological_order(E) if v.label == "o1")
    [slope] = mg.gradients(o1, [h1])
    assert edge.local == pytest.approx(slope.data if isinstance(slope, Value) else slope, rel=1e-15)
    assert "29 values drawn as 9 cards" in drawing.scene.caption[0]


@pytest.mark.parametrize("tell", [True, False])
def test_every_neuron_of_a_network_is_one_card(tell):
    out = perceptron([3, 4, 4, 2], random.Random(1), tell)
    out.backward()
    scene = draw(out, detail="neurons").scene
    neurons = [card for card in scene.cards if card.kind == "neuron"]
    assert len(neurons) == 9  # of the last layer, one is drawn
    assert sorted({card.band for card in neurons}) == ["layer 1", "layer 2"] or {c.band for c in neurons} == {
        "layer 1", "layer 2", "layer 3",
    }  # fmt: skip
    listed = [line.node for card in neurons for line in card.lines if line.kind == "parameter"]
    assert len(listed) == len(set(listed)) == 4 * 4 + 4 * 5 + 5  # every parameter once


@examples(20)
@given(st.integers(0, 10**6), st.integers(5, 60), st.sampled_from(["neurons", "layers"]))
def test_folding_loses_nothing(seed, size, detail):
    root = random_values(random.Random(seed), size, labels=seed % 2 == 0)
    root.backward()
    order = topological_order(root)
    scene = draw(root, detail=detail).scene
    inside = [node for card in scene.cards for node in card.nodes]
    lines = [line.node for card in scene.cards for line in card.lines if line.kind == "parameter"]
    shared = [i for i, v in enumerate(order) if isinstance(v, Weight) and i not in inside]
    assert sorted(inside + shared) == list(range(len(order)))  # every value is in one card
    if detail == "neurons":
        assert set(shared) <= set(lines)  # or, a shared parameter, in all that use it
    assert all(edge.tail < edge.head for edge in scene.edges if edge.kind != "constant")
    if len(scene.cards) < len(order):
        assert f"{len(order)} values" in scene.caption[0]


def test_gradients_through_folded_cards_add_up():
    out = perceptron([3, 4, 2, 1], random.Random(2))
    out.backward()
    for card in draw(out, detail="neurons").scene.cards:
        if card.terms:
            assert sum(card.terms) == pytest.approx(card.exact[1], rel=1e-13)


def test_a_neuron_with_many_weights_lists_some_and_counts_the_rest():
    xs = [Value(0.1 * i) for i in range(40)]
    ws = [Weight(0.01 * i - 0.2, label=f"layers.0.neurons.1.w[{i}]") for i in range(40)]
    out = mg.tanh(mg.dot(ws, xs))
    out.backward()
    [card] = [card for card in draw(out, detail="neurons").scene.cards if card.kind == "neuron"]
    assert card.note == "layers.0.neurons.1"
    assert [line.name for line in card.lines[:2]] == ["w[0]", "w[1]"]
    rest = card.lines[-2]
    assert (rest.name, rest.value) == ("28 more", "−0.08 … 0.19")
    low, high = min(w.grad for w in ws[12:]), max(w.grad for w in ws[12:])
    assert rest.gradient == f"{number(low, 3)} … {number(high, 3)}"


def test_ranges_count_what_is_not_finite():
    leaves = [Value(x) for x in (1.0, math.inf, math.nan, 3.0, *range(100))]
    scene = draw([leaf * 1.0 for leaf in leaves], detail="layers").scene
    assert scene.cards[-1].value == "0 … 99, 2 not finite"
    scene = draw([Value(math.nan) * 1.0 for _ in range(100)], detail="layers").scene
    assert scene.cards[-1].value == "nan"


def test_detail_follows_size():
    def chain(n):
        v = Value(0.5, label="x")
        for _ in range(n):
            v = mg.tanh(v)
        return v

    assert [draw(chain(n)).scene.detail for n in (4, 500)] == ["full", "layers"]
    assert draw(chain(100), max_nodes=50).scene.detail == "layers"
    with pytest.raises(ValueError, match=r"needs 101 cards, more than max_nodes=100.*detail='auto'"):
        draw(chain(100), detail="cards", max_nodes=100)


@examples(20)
@given(st.integers(0, 10**6), st.integers(5, 90), st.integers(1, 30))
def test_there_are_never_more_cards_than_asked_for(seed, size, most):
    root = random_values(random.Random(seed), size)
    scene = draw(root, max_nodes=most).scene
    assert len(scene.cards) <= most
    assert sum(card.output for card in scene.cards) == 1


@pytest.mark.parametrize("detail", ["auto", "full", "cards", "neurons", "layers"])
def test_a_single_value_can_be_drawn(detail):
    for value in (Value(3.0), Weight(3.0, label="w"), Value(math.nan), Value(3.0) * 2):
        [card] = [card for card in draw(value, detail=detail).scene.cards if card.output]
        assert card.value == number(value.data)
    assert len(draw([Value(1.0), Weight(2.0)], detail=detail).scene.cards) == 2


def test_numpy_inputs():
    numpy = pytest.importorskip("numpy", reason="NumPy is an extra")
    drawing = draw(lambda x, k: x[0] * x[1] + k, numpy.array([1.5, 2.0]), numpy.float32(0.5))
    assert [card.name for card in drawing.scene.cards[:2]] == ["x[0]", "x[1]"]
    assert drawing.scene.cards[-1].exact[0] == 3.5


def test_a_hundred_thousand_values_make_an_overview():
    v = Value(0.5, label="x")
    for _ in range(50_000):
        v = v * 0.9999 + 0.0001
    v.backward()
    drawing = draw(v)
    assert len(drawing.scene.cards) == 12
    assert "100,001 values" in drawing.scene.caption[0]
    assert sum(len(card.nodes) for card in drawing.scene.cards) == 100_001
    assert len(str(drawing).splitlines()) < 60


def test_layers_count_what_they_hold():
    rng = random.Random(3)
    x = [[Value(rng.uniform(-1, 1)) for _ in range(2)] for _ in range(30)]
    w = [[Weight(rng.uniform(-1, 1), label=f"w1.{j}.{i}") for i in (1, 2)] for j in range(1, 6)]
    outs = [mg.tanh(mg.dot(ws, xs)) for xs in x for ws in w]
    loss = mg.mean([(o - 1.0) ** 2 for o in outs])
    loss.backward()
    scene = draw(loss).scene
    [layer] = [card for card in scene.cards if card.head == "layer 1"]
    assert layer.note.startswith("5 neurons · 30 uses each")
    assert [line.name for line in layer.lines] == ["10 parameters", "150 values"]
    low, high = min(o.data for o in outs), max(o.data for o in outs)
    assert layer.lines[1].value == f"{number(low, 3)} … {number(high, 3)}"


def test_a_leaf_with_many_uses_is_drawn_again_at_each():
    w = Value(0.5, label="w")
    v = Value(0.1, label="x")
    for _ in range(6):
        v = mg.tanh(v * w)
    v.backward()
    drawing = draw(v)
    again = [e for e in Picture(drawing.to_svg()).edges if "again" in e.classes]
    assert len(again) == 6
    assert {e.text("name") for e in again} == {"w = 0.5"}
    assert "used more than 4 times" in drawing.scene.caption[0]


# ── appearance ──────────────────────────────────────────────────────────────────────────────────
PAPERS = {
    "ink": ["paper", "band", "card", "input_paper", "parameter_paper", "output_paper", "value_paper"],
    "muted": ["paper", "band", "card", "input_paper", "parameter_paper", "output_paper"],
    "value": ["paper", "band", "card", "value_paper", "parameter_paper", "output_paper"],
    "gradient": ["paper", "band", "card", "gradient_paper", "parameter_paper", "output_paper", "value_paper"],
}


@pytest.mark.parametrize("name", ["light", "dark"])
def test_texts_and_borders_stand_out(name):
    colours = theme.THEMES[name]
    for text, papers in PAPERS.items():
        for paper in papers:
            assert theme.contrast(getattr(colours, text), getattr(colours, paper)) >= 4.5, (text, paper)
    for border in ("line", "input_line", "parameter_line", "output_line"):
        assert theme.contrast(getattr(colours, border), colours.paper) >= 3, border


def test_numbers():
    xs = (0.0, -0.0, 1.0, 0.02397190, 12345.6, 999999.0, 1e6, 1.93e-5, -1.5e-300, math.nan, -math.inf)
    assert [number(x) for x in xs] == [
        "0", "0", "1", "0.02397", "12346", "999999", "1e6", "1.93e−5", "−1.5e−300", "nan", "−∞",
    ]  # fmt: skip


@examples(200)
@given(st.floats(-1e308, 1e308), st.integers(1, 17))
def test_numbers_read_back_to_their_digits(x, digits):
    text = number(x, digits).replace("−", "-")
    assert float(text) == pytest.approx(x, rel=0.51 * 10.0 ** (1 - max(digits - 1, 1)), abs=0)


def test_the_same_graph_gives_the_same_picture_in_any_process():
    script = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "import random, hashlib\n"
        "from drawn import random_values\n"
        "from microgradlike import draw\n"
        "v = random_values(random.Random(7), 50); v.backward()\n"
        "print(hashlib.sha256(draw(v).to_svg().encode()).hexdigest())"
    )
    import os

    seeds = []
    for seed in ("1", "2"):
        os.environ["PYTHONHASHSEED"] = seed
        try:
            seeds.append(run(script))
        finally:
            del os.environ["PYTHONHASHSEED"]
    assert seeds[0] == seeds[1]


# ── bad input ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("option", ["theme", "detail", "direction", "engine"])
def test_unknown_choices_are_named_with_the_known(option):
    with pytest.raises(ValueError, match=rf"{option} must be one of '.*', not 'purple'"):
        draw(product(), **{option: "purple"})


@pytest.mark.parametrize("nothing", [3.0, "text", None, [], [1.0], {"a": 2}])
def test_what_is_no_value_is_refused_with_what_draw_takes(nothing):
    with pytest.raises(TypeError, match=r"draw takes a Value, a list of Values, or a function or module"):
        draw(nothing)


def test_bad_options():
    J = product()
    with pytest.raises(TypeError, match="without inputs"):
        draw(lambda x: x)
    with pytest.raises(TypeError, match="1 inputs were given with a Value"):
        draw(J, 2.0)
    with pytest.raises(ValueError, match="max_nodes must be a whole number"):
        draw(J, max_nodes=0)
    with pytest.raises(ValueError, match="digits must be a whole number from 1 to 17"):
        draw(J, digits=0)
    with pytest.raises(TypeError, match="title must be text"):
        draw(J, title=3)
    with pytest.raises(TypeError, match="highlight must be a Value"):
        draw(J, highlight=["a"])


def test_the_package_is_callable_by_either_import():
    import microgradlike.draw as package

    assert isinstance(package(product()), Drawing)
    assert isinstance(mg.draw(product()), Drawing)


def test_areas():  # the tests' own ruler
    assert Area(0, 0, 2, 2).overlaps(Area(1, 1, 3, 3))
    assert not Area(0, 0, 2, 2).overlaps(Area(2, 0, 3, 3))
    assert re.fullmatch(r"\d+", str(len(Picture(draw(product()).to_svg()).cards)))
