"""Where things are in a picture: nothing overlaps, texts fit, wires avoid cards, operands keep their order."""

from __future__ import annotations

import itertools
import random
import time

import pytest
from drawn import Area, Picture, branching, network, perceptron, product, random_values
from helpers import examples
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, draw
from microgradlike.draw.picture.font import FOLDER
from microgradlike.draw.picture.layout import Box, Link, layered

fonttools = pytest.importorskip("fontTools.ttLib", reason="texts are measured with fontTools, which is not installed")
FONTS = {bold: fonttools.TTFont(FOLDER / ("bold.ttf" if bold else "regular.ttf")) for bold in (False, True)}


def measured(text):
    """Where a text element lies, measured by an independent reader of the font."""
    face = FONTS[text.get("font-weight") == "bold"]
    glyphs, metrics, size = face.getBestCmap(), face["hmtx"], float(text.get("font-size"))
    content = "".join(text.itertext())
    width = sum(metrics[glyphs[ord(c)]][0] for c in content) * size / face["head"].unitsPerEm
    x, y = float(text.get("x")), float(text.get("y"))
    left = x - {"middle": width / 2, "end": width}.get(text.get("text-anchor"), 0.0)
    return Area(left, y - 0.75 * size, left + width, y + 0.22 * size)


def check(svg):
    """The laws of every picture."""
    picture = Picture(svg)
    page = Area(0, 0, picture.width, picture.height)
    cards = [card.area for card in picture.cards]
    pills = [edge.area for edge in picture.edges if edge.area]
    for one, other in itertools.combinations(cards + pills, 2):
        assert not one.overlaps(other), (one, other)
    for area in cards + pills:
        assert page.contains(area)
    for text in picture.texts:
        assert page.contains(measured(text), 0.6), "".join(text.itertext())
    for card in picture.cards:
        boxes = [measured(text) for text in card.texts]
        for box in boxes:
            assert card.area.contains(box, 0.5), (card.data, box)
        for one, other in itertools.combinations(boxes, 2):
            assert not one.overlaps(other, 0.1), card.data
    for edge in picture.edges:
        if edge.area:
            for text in edge.texts:
                assert edge.area.contains(measured(text), 0.5), edge.data
        own = {edge.data["head"], edge.data["tail"]}
        others = [card.area for card in picture.cards if card.data["card"] not in own]
        others += [other.area for other in picture.edges if other.area and other is not edge]
        for wire in edge.wires:
            for x, y in wire:
                spot = Area(x, y, x, y)
                assert not any(area.contains(spot, -1.0) for area in others), (edge.data, x, y)
    arrivals = {}
    for edge in picture.edges:
        arrivals.setdefault(edge.data["head"], []).append((int(edge.data["position"]), edge))
    for entries in arrivals.values():
        ends = [edge.wires[-1][-1] for _, edge in sorted(entries, key=lambda entry: entry[0])]
        along_y = len({round(x) for x, _ in ends}) == 1
        assert ends == sorted(ends, key=lambda p: p[1] if along_y else p[0]), "operands keep their order"
    return picture


@examples(30)
@given(
    st.integers(0, 10**6),
    st.integers(4, 60),
    st.sampled_from(["full", "cards", "neurons", "layers"]),
    st.sampled_from(["LR", "TB"]),
    st.booleans(),
)
def test_nothing_overlaps_and_texts_fit(seed, size, detail, direction, legend):
    root = random_values(random.Random(seed), size)
    if seed % 3:
        root.backward()
    title = "A title that is wider than a small graph would be, " * 3 + "w" * 60 if legend else None
    check(draw(root, detail=detail, direction=direction, legend=legend, title=title).to_svg())


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("detail", ["full", "cards", "neurons", "layers"])
def test_networks(detail, direction):
    out = perceptron([3, 4, 3, 2], random.Random(1), tell=detail != "cards")
    out.backward()
    check(draw(out, detail=detail, direction=direction).to_svg())


def test_worked_examples_have_no_crossing():
    for root in (product(), branching()):
        assert layout_of(root).crossings == 0


def layout_of(root, **options):
    from microgradlike.draw.picture.paint import Painter

    return Painter(draw(root, **options).scene, "LR").plan


@examples(30)
@given(st.integers(0, 10**6), st.integers(2, 60))
def test_trees_are_drawn_without_a_crossing(seed, size):
    rng = random.Random(seed)
    parts = [Value(rng.random()) for _ in range(size)]
    while len(parts) > 1:
        k = rng.randrange(len(parts) - 1)
        parts[k : k + 2] = [parts[k] + parts[k + 1]]
        if rng.random() < 0.2:
            parts[k] = mg.tanh(parts[k])
    assert layout_of(parts[0], detail="cards").crossings == 0


def test_neurons_of_a_layer_line_up():
    _, E = network()
    scene = draw(E, detail="neurons").scene
    plan = layout_of(E, detail="neurons")
    places = {card.name: (plan.along[i], plan.length[i]) for i, card in enumerate(scene.cards)}
    assert places["h1"] == places["h2"]
    assert places["o1"] == places["o2"]
    assert places["E1"] == places["E2"]


# ── the layout by itself ────────────────────────────────────────────────────────────────────────
@st.composite
def tasks(data):
    count = data(st.integers(1, 40))
    boxes = [
        Box(data(st.floats(1, 200)), data(st.floats(1, 100)), data(st.sampled_from([0.0, 30.0, 80.0])))
        for _ in range(count)
    ]
    links = []
    for head in range(1, count):
        tails = data(st.lists(st.integers(0, head - 1), max_size=4))
        offsets = [(i - (len(tails) - 1) / 2) * boxes[head].across / (len(tails) + 1) for i in range(len(tails))]
        links += [Link(t, head, o) for t, o in zip(tails, offsets, strict=True)]
    return boxes, links


def lies_apart(boxes, plan):
    for i, j in itertools.combinations(range(len(boxes)), 2):
        if plan.rank[i] == plan.rank[j]:
            assert abs(plan.across[i] - plan.across[j]) >= (boxes[i].across + boxes[j].across) / 2 + 10 - 1e-6
        else:
            a, b = sorted((i, j), key=plan.rank.__getitem__)
            assert plan.along[a] + plan.length[a] <= plan.along[b] - boxes[b].lead


@examples(60)
@given(tasks())
def test_boxes_lie_apart_and_links_lead_on(task):
    boxes, links = task
    plan = layered(boxes, links, space=10, gap=20)
    lies_apart(boxes, plan)
    for link, route in zip(links, plan.routes, strict=True):
        assert plan.rank[link.tail] < plan.rank[link.head]
        assert route[0] == (plan.along[link.tail] + plan.length[link.tail], plan.across[link.tail])
        assert route[-1] == pytest.approx((plan.along[link.head] - link.entry, plan.across[link.head] + link.offset))
        assert all(a[0] <= b[0] for a, b in itertools.pairwise(route))
    assert all(length >= box.along for length, box in zip(plan.length, boxes, strict=True))


@examples(30)
@given(tasks(), st.integers(0, 3))
def test_edges_beyond_the_budget_run_outside(task, most):
    boxes, links = task
    plan = layered(boxes, links, space=10, gap=20, most_bends=most)
    lies_apart(boxes, plan)
    assert all(route[0][0] < route[-1][0] for route in plan.routes)
    assert min([0.0, *(y for route in plan.routes for _, y in route)]) >= 0.0


def test_long_edges_are_straight():
    boxes = [Box(40, 20) for _ in range(30)]
    links = [Link(i, i + 1) for i in range(29)] + [Link(0, 29, 8.0), Link(3, 20, 8.0)]
    plan = layered(boxes, links)
    for route in plan.routes[29:]:
        levels = [y for _, y in route]
        assert sum(a != b for a, b in itertools.pairwise(levels)) <= 2  # down once, up once


def test_a_hub_and_a_shared_weight_do_not_blow_up():
    hub = layered([Box(60, 64) for _ in range(5_001)], [Link(i, 5_000, float(i) / 100) for i in range(5_000)])
    assert hub.crossings == 0
    n = 400
    boxes = [Box(60, 64) for _ in range(n + 1)]
    shared = layered(boxes, [link for i in range(1, n) for link in (Link(0, i + 1, -9), Link(i, i + 1, 9))])
    assert len(set(shared.rank)) == n
    assert shared.crossings <= n
    thick = layered(
        [Box(10, 10) for _ in range(600)],
        [Link(i, i + 1) for i in range(599)] + [Link(i, j, 3.0) for i in range(300) for j in (599,)],
    )
    assert len(thick.routes) == 899


def test_a_thousand_boxes_on_different_machines_lie_alike():
    rng = random.Random(5)
    boxes = [Box(60, rng.choice([20, 64])) for _ in range(1_000)]
    links = [Link(max(0, head - rng.randint(1, 12)), head, k * 9.0) for head in range(1, 1_000) for k in (0, 1)]
    first, second = layered(boxes, links), layered(boxes, links)
    assert first == second
    for column in set(first.rank):
        members = sorted((first.across[i], boxes[i].across) for i in range(1_000) if first.rank[i] == column)
        assert all(a + (h + k) / 2 + 16 <= b + 1e-6 for (a, h), (b, k) in itertools.pairwise(members))


def test_nothing_to_place():
    assert layered([], []).extent == (0.0, 0.0)
    with pytest.raises(ValueError, match="cycle"):
        layered([Box(1, 1), Box(1, 1)], [Link(0, 1), Link(1, 0)])


def test_a_fan_takes_time_in_proportion_to_its_wires():
    """Each wire of a block was compared with all others of it: a sum of 100,000 Values took an hour to draw."""

    def seconds(n):
        boxes, links = [Box(60, 20)] * (n + 1), [Link(k, n) for k in range(n)]
        start = time.process_time()
        layered(boxes, links)
        return time.process_time() - start

    few, many = (min(seconds(n) for _ in range(2)) for n in (2_000, 8_000))
    assert many < 9.0 * few  # four times as many; squared, it is 16
