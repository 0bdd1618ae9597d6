"""Pictures of what people build: they fit a screen, parts of the program share cards, nothing is lost."""

from __future__ import annotations

import importlib.util
import math
import random
from pathlib import Path

import pytest
from drawn import Picture, random_values
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st
from test_draw_layout import check

import microgradlike as mg
from microgradlike import Value, draw, nn
from microgradlike.draw.drawing import SCREEN
from microgradlike.draw.picture.graph import Graph
from microgradlike.graph.groups import call_in_places, place_of

GPT = Path(__file__).resolve().parent.parent / "docs" / "examples" / "gpt.py"


def fits(drawing):
    return drawing.canvas.width <= SCREEN[0] and drawing.canvas.height <= SCREEN[1]


def swept_network(sizes, seed=1):
    loss = nn.MLP(*sizes, seed=seed).graph([0.5, -0.3])
    loss.backward()
    return loss


# ── a screen ────────────────────────────────────────────────────────────────────────────────────
def test_the_16_16_1_network_can_be_projected():
    drawing = draw(nn.MLP(2, [16, 16, 1], seed=1), [0.5, -0.3])
    assert fits(drawing)
    assert [card.head for card in drawing.scene.cards] == ["2 inputs", "layer 1", "layer 2", "layer 3"]
    assert "404 values and 673 edges drawn as 4 cards" in drawing.scene.caption[0]
    second = drawing.scene.cards[2].lines[0].heat
    assert [len(row) for row in second.values] == [17] * 16  # a row for each neuron: 16 weights and the bias
    pytest.importorskip("resvg_py", reason="PNG needs resvg-py")
    assert drawing.to_png()[:4] == b"\x89PNG"


def test_a_png_of_any_picture_is_as_large_as_a_png_can_be():
    pytest.importorskip("resvg_py", reason="PNG needs resvg-py")
    v = Value(0.5, label="x")
    for _ in range(700):
        v = mg.tanh(v)
    assert draw(v, detail="cards").to_png()[:4] == b"\x89PNG"  # 160,000 units wide


@pytest.mark.parametrize("sizes", [(2, [2, 1]), (2, [4, 4, 1]), (2, [8, 8, 8, 1]), (2, [40, 1])])
def test_networks_fit_and_are_sound(sizes):
    drawing = draw(swept_network(sizes))
    assert fits(drawing)
    check(drawing.to_svg())


def test_the_finest_picture_that_fits():
    def kind(sizes):
        drawing = draw(swept_network(sizes))
        return drawing.scene.detail, drawing.folding.short

    assert [kind(s) for s in ((2, [1]), (2, [4, 4, 1]), (2, [16, 16, 1]))] == [
        ("full", False), ("neurons", False), ("layers", False),
    ]  # fmt: skip
    out = nn.MLP(3, [4, 4, 1], seed=1).graph([2.0, 3.0, -1.0])  # the network of the lecture
    out.backward()
    assert draw(out).scene.detail == "neurons"
    assert draw(out).folding.short


def test_long_computations_go_on_in_the_next_row():
    v = Value(0.5, label="x")
    for _ in range(50):
        v = mg.tanh(v)
    v.backward()
    drawing = draw(v)
    assert fits(drawing)
    assert len(drawing.scene.cards) == 51
    assert "without their local derivatives" in drawing.scene.caption[0]
    picture = check(drawing.to_svg())
    assert len({round(card.area.top) for card in picture.cards}) > 3
    assert len({round(card.area.top) for card in check(draw(v, detail="cards").to_svg()).cards}) == 1  # as asked


@examples(15)
@given(st.integers(0, 10**6), st.integers(5, 300))
def test_default_pictures_of_anything_hold_everything(seed, size):
    root = random_values(random.Random(seed), size)
    root.backward()
    drawing = draw(root)
    inside = {v for group in drawing.folding.groups for v in (*group.nodes, *group.listed)}
    assert inside == set(range(len(drawing.graph)))
    check(drawing.to_svg())


def test_a_softmax_regression_on_64_pixels():
    weights = [[nn.Parameter(0.01 * (i - j), f"w[{i}][{j}]") for j in range(64)] for i in range(10)]
    pixels = [Value(j % 17 / 16, label=f"x[{j}]") for j in range(64)]
    loss = mg.cross_entropy([mg.dot(w, pixels) for w in weights], 3)
    loss.backward()
    drawing = draw(loss)
    assert fits(drawing)
    image = drawing.scene.cards[0].lines[0].heat.values
    assert [len(row) for row in image] == [8] * 8
    assert image[0][1] == (1 / 16) / 1.0
    matrix = drawing.scene.cards[1].lines[0].heat.values
    assert (len(matrix), len(matrix[0])) == (10, 32)  # each cell the larger of two columns
    check(drawing.to_svg())


# ── colours and edges ───────────────────────────────────────────────────────────────────────────
def test_edges_are_as_thick_as_the_gradient():
    a, b = Value(1.0, label="a"), Value(1.0, label="b")
    loss = 10 * a + 1 * b
    loss.backward()
    picture = Picture(draw(loss, detail="cards").to_svg())
    flows = {edge.data["tail"]: edge for edge in picture.edges if "local" in edge.data}
    drawing = draw(loss, detail="cards")
    sent = {edge.tail: abs(edge.sent) for edge in drawing.scene.edges if edge.sent is not None}
    assert {e.tail: e.flow for e in drawing.scene.edges if e.sent is not None} == {t: s / 10 for t, s in sent.items()}
    assert set(flows) == {str(tail) for tail in sent}
    assert all(edge.flow == 0.0 for edge in draw(10 * a).scene.edges)  # before backward


def test_what_is_no_number_is_crossed_out():
    x = [Value(math.nan if i == 3 else i / 80 - 1, label=f"x[{i}]") for i in range(80)]
    total = mg.sum([mg.tanh(v) * 2 for v in x])
    drawing = draw(total, detail="layers")
    heat = drawing.scene.cards[0].lines[0].heat
    assert math.isnan(heat.values[0][3])
    assert heat.values[0][0] == -1.0
    assert not heat.gradients
    check(drawing.to_svg())


# ── parts of a program ──────────────────────────────────────────────────────────────────────────
def test_groups_note_where_values_are_made():
    with mg.group("outer"):
        a = Value(2.0) * 3
        with mg.group("inner"):
            b = a + 1
        c = b * b
    d = c + 1
    assert [str(v.origin) for v in (a, b, c, d)] == ["outer", "outer › inner", "outer", "None"]
    assert place_of(a) is place_of(c)

    @mg.group("decorated")
    def square(v):
        return v * v

    first, second = square(a), square(b)
    assert first.origin.name == second.origin.name == "decorated"
    assert first.origin is not second.origin
    first.label = "kept"
    assert (first.label, first.origin.name) == ("kept", "decorated")
    assert mg.grad(lambda x: square(x))(3.0) == 6.0
    assert mg.compile(square)(3.0) == 9.0


@pytest.mark.parametrize(("name", "error"), [(3, TypeError), (None, TypeError), ("", ValueError), (" ", ValueError)])
def test_a_group_needs_a_name(name, error):
    with pytest.raises(error, match=r"group takes a name"):
        mg.group(name)


def test_groups_and_anomalies():
    with mg.group("outside"), mg.detect_anomaly():
        y = mg.sqrt(Value(0.0))
        with pytest.raises(mg.AnomalyError, match=r"made at: .*test_draw_scale"):
            y.backward()
    with mg.group("only"):
        y = mg.sqrt(Value(0.0))
    with pytest.raises(mg.AnomalyError, match=r"made at: outside detect_anomaly"), mg.detect_anomaly():
        y.backward()


def cell(state, x, w):
    with mg.group("cell"):
        return mg.tanh(state * w[0] + x * w[1])


def model(xs, w):
    hidden = []
    for x in xs:
        with mg.group("embed"):
            hidden.append(mg.tanh(x * w[0] + 1))
    with mg.group("mix"):
        total = mg.sum([mg.exp(h) / 3 for h in hidden])
    return mg.log(total) * w[1]


def test_the_same_part_is_drawn_once_with_its_number():
    w = [nn.Parameter(0.5, "w[0]"), nn.Parameter(0.25, "w[1]")]
    out = model([Value(k / 10) for k in range(40)], w)
    out.backward()
    drawing = draw(out, detail="parts")
    heads = [card.head for card in drawing.scene.cards]
    assert "embed × 40" in heads
    assert "mix" in heads
    [embed] = [card for card in drawing.scene.cards if card.head == "embed × 40"]
    assert embed.lines[-1].name == "40 values"
    check(drawing.to_svg())
    inner = drawing.opened(heads.index("embed × 40"))
    assert inner.scene.title == "embed × 40 (one of them)"
    assert len(inner.graph) == 5  # of one run: x, w, their product, 1 added, tanh
    assert drawing.opened(len(heads) - 1) is None  # one operation


def test_parts_that_feed_each_other_stay_in_order():
    """A loop whose turns feed the next: one card with its number; what comes twice on the way is told apart."""
    w = [nn.Parameter(0.5, "w[0]"), nn.Parameter(0.25, "w[1]")]
    state = Value(0.0, label="start")
    for k in range(30):
        state = cell(state, Value(k / 30), w)
    drawing = draw(state, detail="parts", backward=True)
    assert "cell × 30" in [card.head for card in drawing.scene.cards]

    def norm(v):
        return v / mg.sqrt(v * v + 1)

    def program(v):
        return mg.exp(norm(mg.sin(norm(v))))

    drawing = draw(lambda v: program(v), 0.5, detail="parts", max_nodes=12)
    assert [card.head for card in drawing.scene.cards].count("norm") == 2


def test_a_function_without_arguments_is_called_and_its_gradients_shown():
    w = nn.Parameter(3.0, "w")
    drawing = draw(lambda: w * w, backward=True)
    assert drawing.scene.cards[0].exact == (3.0, 6.0)
    assert w.grad == 0.0
    with pytest.raises(ValueError, match=r"backward=True takes one result, and this has 2"):
        draw([w * 2, w * 3], backward=True)
    with pytest.raises(TypeError, match=r"came without inputs"):
        draw(lambda x: x)


def test_functions_are_seen_without_leaving_a_profiler():
    import sys

    def helper(v):
        return mg.exp(v) + 1

    def whole(v):
        return helper(v) * mg.sum([helper(x) for x in [2 * v]])

    v = call_in_places(whole, Value(0.1))
    assert sys.getprofile() is None
    assert str(v.origin) == "whole"
    assert [str(x.origin) for x in v.args] == ["whole › helper", "whole"]
    assert str(v.args[1].args[0].origin) == "whole › helper"
    assert v.args[0].origin is not v.args[1].args[0].origin

    def fails(v):
        return helper(v) + int("no")

    with pytest.raises(ValueError, match="no"):
        call_in_places(fails, Value(0.1))
    assert sys.getprofile() is None
    assert (Value(1.0) * 2).origin is None


@pytest.mark.parametrize("seed", range(5))
def test_a_part_of_a_graph_has_its_numbers(seed):
    root = random_values(random.Random(seed), 60)
    root.backward()
    graph = Graph([root])
    some = [v for v in range(len(graph) // 3, len(graph) - 5) if graph.rows[v] is not None]
    part = graph.part(some)
    operations = [v for v in range(len(part)) if part.rows[v] is not None]
    assert len(operations) == len(some)
    assert sorted(part.data[v] for v in operations) == sorted(graph.data[v] for v in some)
    for here, there in zip(operations, some, strict=True):
        assert part.inputs_of(here) == graph.inputs_of(there)
        assert list(part.sent(here)) == list(graph.sent(there))


@pytest.fixture(scope="module")
def gpt():
    spec = importlib.util.spec_from_file_location("drawn_gpt", GPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    letters = module.Letters(["ab"])
    made = module.GPT(len(letters), random.Random(1), leaf=nn.Parameter)
    mg.label(vars(made))
    return draw(lambda: made.loss(letters.encode("ab")), backward=True, title="A GPT reads ab")


def test_the_scalar_gpt_reads_as_it_was_written(gpt):
    heads = [card.head for card in gpt.scene.cards]
    assert heads[:4] == ["embedding × 3", "attention × 3", "mlp × 3", "logits × 3"]
    assert fits(gpt)
    attention = gpt.scene.cards[1]
    assert attention.note == "normalise · 4 linear · 4 head · add"
    assert {line.name for line in attention.lines[:-1]} == {"query", "key", "value", "mix"}
    assert all(len(line.heat.values) == len(line.heat.gradients) == 16 for line in attention.lines[:-1])
    assert sum(len(card.nodes) for card in gpt.scene.cards) == sum(row is not None for row in gpt.graph.rows)
    check(gpt.to_svg())
    inner = gpt.opened(1)
    assert "head × 4" in [card.head for card in inner.scene.cards]
    check(inner.to_svg())


def test_a_click_opens_a_part(gpt, visit):
    page = visit(gpt.to_html())
    way = page.locator("#way button")
    assert way.all_inner_texts() == ["A GPT reads ab"]
    page.locator(".picture:not([hidden]) .card:has-text('attention')").click()
    assert way.all_inner_texts() == ["A GPT reads ab", "attention × 3 (one of them)"]
    assert page.locator(".picture:not([hidden]) .card:has-text('head × 4')").count() == 1
    card = page.locator(".picture:not([hidden]) .card:has-text('head × 4')")
    card.focus()
    card.press("Enter")
    assert way.count() == 3
    page.keyboard.press("Escape")
    way.nth(0).click()
    assert page.locator(".picture:not([hidden]) .card:has-text('embedding')").count() == 1


# ── one gradient, explained ─────────────────────────────────────────────────────────────────────
def test_what_is_explained_is_lit():
    x = Value(5.0, label="x")
    y, z = 2 * x, mg.positive(x)
    y.label, z.label = "y", "z"
    J = 3 * y * z
    J.backward()
    found = mg.explain(J, x)
    scene = draw(J, highlight=found).scene
    assert not any(card.dimmed for card in scene.cards)
    assert sum(edge.lit for edge in scene.edges) == 5
    through_y, through_z = (draw(J, highlight=path).scene for path in found.paths)
    assert [card.name for card in through_y.cards if card.dimmed] == ["z"]
    assert [card.name for card in through_z.cards if not card.dimmed] == ["x", "z", "3 × y × z"]
    assert sum(edge.lit for edge in through_z.edges) == 2
    assert all(edge.lit != edge.dimmed for edge in through_z.edges)
    picture = Picture(draw(J, highlight=found.paths[1]).to_svg())
    assert len(picture.edges) == 7
    one, two = mg.explain(square := x * x, x).paths  # two uses of one operand are two paths
    assert [e.lit for e in draw(square, highlight=one).scene.edges] == [True, False]
    assert [e.lit for e in draw(square, highlight=[two]).scene.edges] == [False, True]
    with pytest.raises(TypeError, match="highlight must be a Value, an explanation or a path of one, not float"):
        draw(J, highlight=[3.0])
    with pytest.raises(ValueError, match="not in the graph that is drawn"):
        draw(square, highlight=mg.explain(J, z))


def test_what_python_adds_by_itself_is_not_named():
    x = [Value(k / 10, label=f"x{k}") for k in range(1, 4)]
    out = mg.tanh(sum(x))
    assert draw(out).scene.cards[-1].head == "tanh(x1 + x2 + x3)"
    assert draw(out, detail="neurons").scene.cards[-1].head == "tanh(x1 + x2 + x3)"


def test_a_drawing_opens_in_the_browser(monkeypatch, capsys):
    import webbrowser

    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or len(opened) < 2)
    draw(Value(2.0) * 3).show()
    mg.live(Value(2.0) * 3).show()
    assert all(url.startswith("file:") and url.endswith("page.html") for url in opened)
    assert "there is no browser to open it here: open file:" in capsys.readouterr().out


def test_a_sum_of_100_000_leaves_is_drawn_in_seconds():
    """In time that grows as the graph does: what compares each edge with all others would take hours."""
    total = mg.sum([mg.Value(i / 100_000) for i in range(100_000)])
    total.backward()
    assert len(mg.draw(total).to_svg()) < 1_000_000
    assert "100" in str(mg.draw(total))
