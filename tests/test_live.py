"""Pages that compute: what they show beside what `draw` writes, hands and keys, questions, branches, training."""

from __future__ import annotations

import json
import math
import random
import re

import pytest
from drawn import Weight, branching, named, network, perceptron, product, random_values

import microgradlike as mg
from microgradlike import Value, draw, live, nn, optim, playground, topological_order
from microgradlike.draw.picture.text import number

READ = """() => Object.fromEntries([...document.querySelectorAll('.card, .edge')].map((g) => [
  g.dataset.edge === undefined ? 'card ' + g.dataset.card : 'edge ' + g.dataset.edge,
  [...g.querySelectorAll('.value, .gradient, .derivative, .sent, text.name')].map((t) => t.textContent)]))"""
LEAVES = "() => JSON.parse(document.getElementById('data').textContent).pictures[0].leaves.map((l) => l.name)"


def texts(root, detail="auto"):
    """What `draw` writes of a graph whose gradients are those of a fresh backward()."""
    for v in topological_order(root):
        v.grad = 0.0
    root.backward()
    scene = draw(root, detail=live(root).passes[0].folding.detail if detail == "auto" else detail).scene
    found = {}
    for i, card in enumerate(scene.cards):
        found[f"card {i}"] = [t for line in card.lines for t in (line.value, line.gradient)] or [
            card.value,
            card.gradient,
        ]
    for j, edge in enumerate(scene.edges):
        order = [text for kind in ("name", "derivative", "sent") for text, own in edge.texts if own == kind]
        found[f"edge {j}"] = order
    return found


def numbers_of(shown):
    """Texts without the names before their numbers: draw calls an unlabelled value by its number, a page by a name."""
    return {
        key: [re.sub(r"^.* ?(?:=|×) (?=\S+$)", "", t) if key[0] == "e" else t for t in row]
        for key, row in shown.items()
    }


def until(page, condition):
    """Wait for a condition of the page, whose policy lets nothing be compiled in it."""
    for _ in range(300):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"it never came true: {condition}")


def settle(page, settings):
    """Type numbers into the leaves, each on its own card."""
    for name, x in settings.items():
        box = page.locator(f".leaf[aria-label^={json.dumps(name + ',')}]").first
        box.focus()
        page.keyboard.press("Enter")
        page.locator(".typing").fill(repr(x))
        page.keyboard.press("Enter")


GRAPHS = {
    "product": (product, "auto"),
    "branching": (branching, "auto"),
    "network": (lambda: network()[1], "auto"),
    "neurons": (lambda: network()[1], "neurons"),
    "layers": (lambda: perceptron([2, 3, 1], random.Random(1)), "layers"),
    "cards": (lambda: network()[1], "cards"),
    **{f"random {seed}": (lambda seed=seed: random_values(random.Random(seed), 14), "auto") for seed in range(6)},
}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_number_is_that_of_draw(visit, name):
    make, detail = GRAPHS[name]
    random_numbers = random.Random(name)
    root = make()
    page = visit(live(root, detail=detail).to_html())
    leaves = [v for v in topological_order(root) if v.is_leaf]
    assert numbers_of(page.evaluate(READ)) == numbers_of(texts(root, detail))
    for _ in range(2):
        chosen = {}
        for v, called in zip(leaves, page.evaluate(LEAVES), strict=True):
            v.data = round(v.data + random_numbers.gauss(0, 1), 3)
            chosen[called] = v.data
        if detail == "layers":  # its leaves have no cards of their own
            continue
        settle(page, chosen)
        again = rebuilt(root, leaves)
        assert numbers_of(page.evaluate(READ)) == numbers_of(texts(again, detail))


def rebuilt(root, leaves):
    """The same graph, computed anew from the leaves as they are."""
    made = {id(v): v for v in leaves}
    for v in topological_order(root):
        if id(v) not in made:
            made[id(v)] = v.op.on(mg.graph.engine.values)(*[made[id(x)] if isinstance(x, Value) else x for x in v.args])
            made[id(v)].label = v.label
    return made[id(root)]


@pytest.mark.parametrize("name", ["network", "neurons", "random 1", "random 4"])
def test_every_number_is_that_of_draw_in_firefox(firefox, tmp_path, name):
    make, detail = GRAPHS[name]
    root, chance = make(), random.Random(name)
    page = live(root, detail=detail).save(tmp_path / "page.html")
    firefox.visit(page.as_uri())
    assert numbers_of(firefox.ask(f"({READ})()")) == numbers_of(texts(root, detail))
    leaves = [v for v in topological_order(root) if v.is_leaf]
    for v, called in zip(leaves, firefox.ask(f"({LEAVES})()"), strict=True):
        v.data = round(v.data + chance.gauss(0, 1), 3)
        box = json.dumps(f".leaf[aria-label^={json.dumps(called + ',')}]")
        firefox.ask(
            f"""(() => {{ const box = document.querySelector({box}), exact = document.getElementById('exact');
            box.dispatchEvent(new Event('focus')); exact.value = '{v.data!r}';
            exact.dispatchEvent(new Event('change')); return 1; }})()"""
        )
    again = rebuilt(root, leaves)
    assert numbers_of(firefox.ask(f"({READ})()")) == numbers_of(texts(again, detail))
    assert firefox.console == []


def test_numbers_are_written_as_python_writes_them(visit):
    from microgradlike.draw.picture.text import number, ranged, total

    chance = random.Random(4)
    xs = [
        0.0,
        -0.0,
        1.0625,
        1.1875,
        0.5,
        2.5,
        12344.5,
        12345.5,
        99999.5,
        1e-4,
        9.99995e-5,
        1e6,
        999999.5,
        math.inf,
        -math.inf,
    ]
    xs += [math.nan, 5e-324, 1.7976931348623157e308, 9999.5, 10000.5, 1.00005, 0.00012345]
    xs += [chance.gauss(0, 1) * 10.0 ** chance.randrange(-12, 12) for _ in range(500)]
    xs += [chance.randrange(-(2**20), 2**20) / 2 ** chance.randrange(24) for _ in range(500)]
    page = visit(live(product()).to_html())
    script = re.search(r'"use strict";\n\(\(\) => \{(.*?)const fill', live(product()).to_html(), re.DOTALL).group(1)
    helpers = script[script.index("const rounded") :].replace("data.digits", "4")
    ask = f"""([xs, digits]) => {{ {helpers}
      const ys = xs.map(Number);
      return [ys.map((x) => number(x, digits)), total(ys.slice(0, 3), ys[3]), ranged(ys), ranged(ys.slice(-9))]; }}"""
    sent = [repr(x).replace("inf", "Infinity").replace("nan", "NaN") for x in xs]
    for digits in (1, 3, 4, 7, 12):
        got = page.evaluate(ask, [sent, digits])
        assert got[0] == [number(x, digits) for x in xs]
    assert got[1:] == [total(xs[:3], xs[3]), ranged(xs), ranged(xs[-9:])]


# ── hands, keys, eyes ───────────────────────────────────────────────────────────────────────────
def test_a_number_is_dragged_stepped_and_typed(visit):
    page = visit(live(product()).to_html())
    result = lambda: page.locator("#result").inner_text()
    assert result() == "J = 33"
    card = page.locator(".leaf[aria-label^='b,']")
    box = card.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 30)
    page.mouse.up()
    assert card.get_attribute("aria-valuenow") == "5"  # 20 steps of a hundredth of 10 in either direction
    assert result() == "J = 45"
    page.keyboard.press("ArrowLeft")
    assert (card.get_attribute("aria-valuenow"), result()) == ("4.9", "J = 44.4")
    page.keyboard.press("Shift+ArrowUp")
    assert card.get_attribute("aria-valuenow") == "5.9"
    page.keyboard.type("-2.5")
    page.keyboard.press("Enter")
    assert result() == "J = 0"
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert result() == "J = 0"
    page.fill("#exact", "1e400")  # no number that one can compute with
    page.keyboard.press("Enter")
    assert result() == "J = 0"
    page.fill("#exact", "0,5")
    page.keyboard.press("Enter")
    assert result() == "J = 18"
    page.locator("#range").evaluate("(e) => { e.value = 4; e.dispatchEvent(new Event('input')); }")
    assert result() == "J = 39"
    page.click("#reset")
    assert result() == "J = 33"
    assert (
        page.locator("#message").inner_text() == "b = 3, and ∂J/∂b = 6: a small change of b changes J 6 times as much."
    )


def test_a_nudge_arrives_beside_what_the_gradient_predicted(visit):
    page = visit(live(product()).to_html())
    page.locator(".leaf[aria-label^='c,']").focus()
    page.keyboard.press("n")
    until(page, "document.getElementById('message').textContent.includes('said')")
    assert page.locator("#message").inner_text() == (
        "c grows by 0.001, and J by 0.009. The gradient said ∂J/∂c × 0.001 = 9 × 0.001 = 0.009.\n"
        "Exactly: along this path everything is a straight line."
    )
    seen = page.evaluate(
        """() => [...document.querySelectorAll('.card.moved')].map((g) =>
          [...g.querySelectorAll('.value-name, .value')].map((t) => t.textContent))"""
    )
    assert seen == [["+0.001", "2.001"], ["+0.003", "6.003"], ["+0.003", "11.003"], ["+0.009", "33.009"]]
    page.keyboard.press("n")
    assert page.evaluate("document.querySelectorAll('.moved').length") == 0
    x = Value(1.0, label="x")
    page = visit(live(named(mg.exp(x), "y")).to_html(), reduced_motion="reduce")
    page.click("#nudge")
    assert "is the bend of the curve" in page.locator("#message").inner_text()


def test_descending_moves_the_parameters_alone_and_plots_the_loss(visit):
    w, E = network()
    page = visit(live(E, rate=0.5).to_html())
    page.click("#descend")
    expected = "0.2996 0.2492 0.3996 0.3493 0.437 0.3869 0.6963 0.5962".split()
    seen = [page.locator(f".leaf[aria-label^='w{i},'] .value").text_content() for i in range(1, 9)]
    assert seen == expected
    assert page.locator(".leaf[aria-label^='x1,'] .value").text_content() == "0.1"
    assert page.locator("#result").inner_text() == "E = 0.02324"
    assert page.locator("#chart figcaption").inner_text() == "E over 1 step: 0.02397 → 0.02324"
    assert [v.data for v in w] == [0.3, 0.25, 0.4, 0.35, 0.45, 0.4, 0.7, 0.6]
    box = page.locator("#descend").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 15)
    page.mouse.down()
    until(page, "document.querySelector('#chart figcaption').textContent.includes('over 1') === false")
    page.wait_for_timeout(700)
    page.mouse.up()
    assert int(re.search(r"over (\d+) steps", page.locator("#chart figcaption").inner_text()).group(1)) > 3
    page.click("#reset")
    assert page.locator("#result").inner_text() == "E = 0.02397"
    assert not page.locator("#chart").is_visible()


def test_both_passes_are_stepped_through_at_any_setting(visit):
    page = visit(live(product()).to_html(), reduced_motion="reduce")
    settle(page, {"b": 4.0})
    page.click("#first")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    message = page.locator("#message")
    assert message.inner_text() == "Forward: u = b × c = 4 × 2 = 8."
    page.locator(".leaf[aria-label^='b,']").focus()
    page.keyboard.press("ArrowRight")  # the step stays, the numbers move
    assert message.inner_text() == "Forward: u = b × c = 4.1 × 2 = 8.2."
    page.keyboard.type("-4")
    page.keyboard.press("Enter")
    assert message.inner_text() == "Forward: u = b × c = −4 × 2 = −8."
    page.click("#last")
    assert "∂J/∂u · ∂u/∂c = 3 × (−4) = −12" in message.inner_text()
    page.locator(".card[aria-label^='u =']").click()
    assert message.inner_text() == "Forward: u = b × c = −4 × 2 = −8."
    page.locator(".card[aria-label^='u =']").press("Enter")
    assert message.inner_text().startswith("Chain rule, v → u")


def test_the_arrow_of_a_gradient_points_back_and_both_ends_are_lit(visit):
    page = visit(live(product()).to_html(), "#6", reduced_motion="reduce")
    seen = page.evaluate("""() => {
      const edge = document.querySelector('.edge.on'), look = (s) => getComputedStyle(edge.querySelector(s)).visibility;
      const tail = document.querySelector(`.card[data-card="${edge.dataset.tail}"] .frame`).getBBox();
      const gap = Math.abs(edge.querySelector('.back-tip').getBBox().x - (tail.x + tail.width));
      const count = (s) => document.querySelectorAll(s).length;
      return [look('.tip'), look('.back-tip'), gap < 2, count('.card.on'), count('.card.sends')];
    }""")
    assert seen == ["hidden", "visible", True, 1, 1]


def test_on_a_phone_sender_and_receiver_are_both_seen(visit):
    page = visit(
        live(network()[1]).to_html(), viewport={"width": 390, "height": 800}, reduced_motion="reduce", has_touch=True
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#turn")
    for _ in range(12):
        page.click("#next")
        frame = page.locator("#view").bounding_box()
        for selector in (".card.on", ".card.sends"):
            box = page.locator(selector).first.bounding_box()
            assert frame["x"] - 2 <= box["x"]
            assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 2
    page.set_viewport_size({"width": 700, "height": 800})
    page.wait_for_timeout(100)
    frame, box = page.locator("#view").bounding_box(), page.locator(".card.on").first.bounding_box()
    assert frame["x"] - 2 <= box["x"] <= frame["x"] + frame["width"]


def test_it_speaks_to_screen_readers(visit):
    page = visit(live(product()).to_html())
    leaf = page.locator(".leaf[aria-label^='b,']")
    assert [leaf.get_attribute(a) for a in ("role", "tabindex", "aria-label", "aria-valuetext")] == [
        "slider", "0", "b, input", "3, gradient 6",
    ]  # fmt: skip
    card = page.locator(".card.output")
    assert [card.get_attribute(a) for a in ("role", "tabindex", "aria-label")] == [
        "button", "0", "J = 3 × v, value 33, gradient 1",
    ]  # fmt: skip
    card.hover()
    assert card.locator("title").text_content() == "J = 3 × v\nvalue 33\ngradient 1\nmultiply: x · y"


def test_names_that_are_javascripts_or_pythons_or_markup(visit):
    names = [
        "top",
        "__proto__",
        "</script>",
        "constructor",
        "round",
        "NaN",
        "v1",
        "d_x",
        "s0",
        "x y",
        "1",
        "p",
        "await",
        "eval",
        "ω",
        "손실",
    ]
    leaves = [Value(i / 4, label=name) for i, name in enumerate(names)]
    root = named(mg.sum([mg.round(v) + mg.tanh(v) for v in leaves]), "arguments")
    page = visit(live(root).to_html())
    assert numbers_of(page.evaluate(READ)) == numbers_of(texts(root))
    assert page.evaluate("document.scripts.length") == 2


def test_unlabelled_values_have_names_and_sentences_are_true():
    a, b = Value(2.0), Weight(3.0)
    page = live(mg.tanh(a * b + 1) * mg.tanh(a * b + 1))
    sentences = [step.text for step in page.steps if step.phase == "forward"]
    assert sentences[0] == "Given: x1 = 2, w1 = 3."
    assert len({s.split(" = ")[0] for s in sentences}) == len(sentences)  # each is about a value of its own
    root = named(mg.sigmoid(Value(0.5, label="long" * 20)), "same")
    named(root.args[0], "same")
    heads = [card.name for card in live(root).passes[0].scene.cards]
    assert len(set(heads)) == 2


# ── functions ───────────────────────────────────────────────────────────────────────────────────
def bent(x, y):
    if x < y:
        return x * y
    return x + y


@pytest.mark.parametrize("inputs", [([1.0, 2.0],), (1.0, 2.0)])
def test_a_branch_that_would_go_another_way_is_told(visit, inputs):
    page = visit(live(bent, *inputs).to_html())
    message = page.locator("#message")
    assert "another way" not in message.inner_text()
    settle(page, {"x": 2.5})
    assert "Here the function goes another way: x < y is false (test_live.py, line" in message.inner_text()
    page.click("#first")
    assert "another way" in message.inner_text()
    settle(page, {"y": 3.0})
    assert "another way" not in message.inner_text()


def test_what_cannot_be_live_is_told():
    net = nn.MLP(2, [2, 2], seed=0)
    with pytest.raises(ValueError, match="gradients of one result, and this has 2"):
        live(net, [1.0, 2.0])
    with pytest.raises(TypeError, match="draw takes a Value"):
        live(3.0)
    with pytest.raises(ValueError, match="quiz must be True, False"):
        live(product(), quiz="hard")
    with pytest.raises(ValueError, match="rate must be"):
        live(product(), rate=0.0)
    x = Value(2.0)
    y = x * x
    x.data = 3.0
    with pytest.raises(mg.GraphError, match="a leaf was assigned"):
        live(y)


def test_the_2_2_2_network_is_a_small_page_that_repeats_itself():
    page = live(network()[1]).to_html()
    assert len(page.encode()) <= 150_000
    assert page == live(network()[1]).to_html()
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


# ── questions ───────────────────────────────────────────────────────────────────────────────────
def test_questions_hide_numbers_and_name_the_missing_factor(visit):
    page = visit(live(branching(), quiz=True).to_html(), reduced_motion="reduce")
    message, asked = page.locator("#message"), page.locator("#asked")

    def answer(x):
        page.fill("#answer", x)
        page.click("#check")
        return message.inner_text()

    hidden = lambda: page.evaluate(
        "[...document.querySelectorAll('.gradient, .derivative, .sent')].filter((t) => t.textContent === '?').length"
    )
    before = hidden()
    assert before == 14
    assert asked.inner_text() == "∂J/∂p ="
    assert "Not yet." in answer("4")
    assert "Right: ∂J/∂p = 3." in answer("3")
    assert hidden() == before - 3  # the pill's two numbers, and the card's
    assert asked.inner_text() == "∂p/∂y ="
    assert "with respect to another operand" in answer("10")
    assert "Right" in answer("5")
    assert "factor ∂J/∂p = 3, which arrives from above, is missing" in answer("5")
    assert "multiplied, not added" in answer("8")
    assert "the sign is not" in answer("-15")
    assert "Right: ∂J/∂y = 15." in answer("15")
    answer("10"), answer("30"), answer("1"), answer("30"), answer("2"), answer("30")
    assert asked.inner_text() == "∂J/∂x ="
    assert "one path alone: 2 paths reach it, and contributions add" in answer("30")
    assert page.locator(".card[data-card='0'] .gradient").text_content() == "?"
    assert "every gradient is known" in answer("60")
    assert page.locator(".card[data-card='0'] .gradient").text_content() == "30 + 30 = 60"
    assert hidden() == 0


def test_questions_about_half_of_it(visit):
    page = visit(live(product(), quiz="local derivatives").to_html())
    assert page.locator("#asked").inner_text() == "∂J/∂v ="
    page.click("#tell")
    assert "∂J/∂v = 3." in page.locator("#message").inner_text()
    assert page.evaluate("JSON.parse(document.getElementById('data').textContent).pictures[0].questions.length") == 5
    page = visit(live(product(), quiz="gradients").to_html())
    settle(page, {"b": 5.0})  # the questions follow the numbers
    for x in ("3", "3", "3", "6", "15"):
        page.fill("#answer", x)
        page.keyboard.press("Enter")
    assert "every gradient is known" in page.locator("#message").inner_text()


# ── playground ──────────────────────────────────────────────────────────────────────────────────
def moons(n=40):
    X, y = mg.datasets.moons(n, noise=0.1, seed=0) if hasattr(mg.datasets, "moons") else ([], [])
    if not X:
        chance = random.Random(0)
        for i in range(n):
            t = math.pi * (i // 2) / (n // 2 - 1)
            x = (math.cos(t), math.sin(t)) if i % 2 else (1 - math.cos(t), 0.5 - math.sin(t))
            X.append([round(v + chance.gauss(0, 0.1), 3) for v in x])
            y.append(i % 2)
    return [list(map(float, row)) for row in X], [int(t) for t in y]


def mean_loss(net, X, y):
    return sum(mg.binary_cross_entropy_with_logits(net(x), t) for x, t in zip(X, y, strict=True)) / len(X)


@pytest.mark.parametrize("name", optim.by_name())
def test_every_optimiser_takes_the_packages_steps(visit, name):
    X, y = moons(12)
    net = nn.MLP(2, [3, 1], "tanh", seed=1)
    page = visit(playground(net, X, y, optimizer=name, learning_rate=0.1).to_html())
    step = optim.by_name()[name](net.parameters(), 0.1)
    for _ in range(5):
        page.click("#one")
        step.zero_grad()
        mean_loss(net, X, y).backward()
        step.step()
    assert page.locator("#steps").inner_text() == "5"
    for p in net.parameters():
        line = page.locator(f".line.leaf[aria-label^='{p.label},']")
        assert float(line.get_attribute("aria-valuenow")) == pytest.approx(p.data, rel=1e-12, abs=1e-14)
    assert page.locator("#loss").inner_text() == number(mean_loss(net, X, y).data)


def test_training_shows_the_boundary_and_one_example(visit):
    X, y = moons()
    net = nn.MLP(2, [4, 1], "tanh", seed=1)
    page = visit(playground(net, X, y, optimizer="adam").to_html())
    pixel = "document.getElementById('plane').toDataURL()"
    before = page.evaluate(pixel)
    first = page.locator("#said").inner_text()
    page.focus("#plane")
    page.keyboard.press("ArrowRight")
    second = page.locator("#said").inner_text()
    assert first.startswith("Example 1 of 40 (x1 =")
    assert second.startswith("Example 2 of 40")
    logit = net.graph(X[1])
    logit = logit[0] if isinstance(logit, list) else logit
    loss = mg.binary_cross_entropy_with_logits(logit, Value(float(y[1]), label="y"))
    loss.label = "loss"
    assert page.evaluate(READ) == texts(loss, "neurons")
    page.click("#train")
    until(page, "+document.getElementById('steps').textContent.replace(',', '') > 60")
    page.click("#train")
    assert page.evaluate(pixel) != before
    assert page.locator("#chart polyline").count() == 1
    page.locator(".card.neuron").first.click(position={"x": 10, "y": 10})
    assert "The plane shows a1.1 = tanh(z1.1)" in page.locator("#said").inner_text()
    page.click("#whole")
    assert "plane shows" not in page.locator("#said").inner_text()
    page.click("#start")
    assert page.locator("#steps").inner_text() == "0"
    page.select_option("#batch", "8")
    page.click("#fresh")
    for _ in range(6):
        page.click("#one")
    assert page.locator("#steps").inner_text() == "6"


def test_models_of_all_kinds_and_projections(visit):
    X, _, y, _ = mg.datasets.iris(test_size=0.2, seed=0)
    iris = mg.models.SoftmaxRegression(optimizer="lbfgs", l2=1e-3, standardize=True, progress=False).fit(X, y)
    page = visit(playground(iris, X, y, columns=(2, 3)).to_html())
    right = sum(a == b for a, b in zip(iris.predict(X), y, strict=True))
    assert page.locator("#score").inner_text() == f"{right} of {len(y)}"
    assert "Of 4 columns the plane shows x3 and x4; the others are held" in page.locator("#projection").inner_text()
    page.select_option("#across", "3")  # never the same column twice
    assert page.locator("#up").input_value() == "2"
    rows = [[i / 4] for i in range(-8, 9)]
    curve = [math.sin(x) for [x] in rows]
    fitted = mg.models.MLPRegressor(hidden_layer_sizes=(3,), epochs=5, standardize=True, progress=False).fit(
        rows, curve
    )
    page = visit(playground(fitted, rows, curve).to_html())
    error = math.sqrt(sum((a - b) ** 2 for a, b in zip(fitted.predict(rows), curve, strict=True)) / len(rows))
    assert float(page.locator("#score").inner_text()) == pytest.approx(error, rel=1e-3)
    assert "x1 = −2" in page.locator("#said").inner_text()
    logistic = mg.models.LogisticRegression(epochs=20, progress=False).fit(*moons(20))
    assert visit(playground(logistic, *moons(20)).to_html()).locator("#score").inner_text().endswith("of 20")
    soft = nn.MLP(2, [3, 2], "sigmoid", output_activation="softmax", seed=0)
    page = visit(playground(soft, *moons(20)).to_html())
    page.click("#one")
    assert page.locator("#steps").inner_text() == "1"


def test_what_cannot_be_played_with_is_told():
    net, X = nn.MLP(2, [1], seed=0), [[0.0, 1.0], [1.0, 0.0]]
    for arguments, options, error, message in (
        ((net, X, [0]), {}, ValueError, "X has 2 rows, y 1"),
        ((net, X, [1, 1]), {}, ValueError, "one class only"),
        ((net, X, [0, 1]), {"optimizer": "best"}, ValueError, "unknown optimizer 'best'"),
        ((net, X, [0, 1]), {"columns": (0, 2)}, ValueError, "columns must be two different ones of 0 to 1"),
        ((net, X, [0, 1]), {"learning_rate": 0}, ValueError, "learning_rate must be"),
        ((3, X, [0, 1]), {}, TypeError, "takes a module with parameters"),
        ((nn.MLP(2, [3], seed=0), X, [0, 1]), {}, ValueError, "2 classes, and the model 3 outputs"),
        ((net, [*X, [1.0, 1.0]], ["a", "b", "c"]), {}, ValueError, "3 classes, and the model one output"),
        ((nn.MLP(2, [3], seed=0), X, [0.5, 1.5]), {}, ValueError, "3 outputs for one number of y"),
        ((mg.models.LogisticRegression(), X, [0, 1]), {}, ValueError, "not fitted"),
    ):
        with pytest.raises(error, match=message):
            playground(*arguments, **options)
    kinds = [
        playground(net, X, y).subject.kind for y in ([0, 1], [False, True], [0.0, 1.0], ["a", "b"], [-1, 1], [0.5, 1.0])
    ]
    assert kinds == [*["logit"] * 5, "number"]
    assert playground(net, [*X, [1.0, 1.0]], [1, 2, 3]).subject.kind == "number"
    own = playground(net, X, [0, 1], loss=lambda z, t: mg.losses.hinge(z, 2 * t - 1))
    assert own.subject.loss.op.name == "hinge"
    with pytest.raises(ValueError, match=r"end its name in \.html"):
        playground(net, X, [0, 1]).save("a.svg")
