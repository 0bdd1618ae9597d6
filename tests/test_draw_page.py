"""The step-through page in a real browser, and pictures in a real notebook."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
from drawn import SVG, Weight, branching, named, network, perceptron, product, random_values

import microgradlike as mg
from microgradlike import Value, draw, step_through, topological_order
from microgradlike.draw import rich_values
from microgradlike.draw.picture.text import number
from microgradlike.graph.sweep import sent

STATE = """() => {
  const read = (selector) => [...document.querySelectorAll('.picture:not([hidden]) ' + selector)];
  const text = (g, name) => { const t = g.querySelector('.' + name); return t && t.textContent; };
  return {
    step: +document.body.dataset.step,
    phase: document.body.dataset.phase,
    message: document.getElementById('message').textContent,
    cards: read('.card').map((g) => [text(g, 'value'), text(g, 'gradient')]),
    lines: read('.line').map((g) => [text(g, 'value'), text(g, 'gradient')]),
    sent: Object.fromEntries(read('.edge').map((g) => [g.dataset.edge, text(g, 'sent')])),
    lit: read('.card.on').map((g) => +g.dataset.card),
  };
}"""


# ── every number of every step ──────────────────────────────────────────────────────────────────
def engine_states(root):
    """After the seed and after each use of the chain rule, the gradients gathered so far: the engine's own sweep."""
    order = topological_order(root)
    place = {id(v): i for i, v in enumerate(order)}
    grads = [0.0] * len(order)
    grads[place[id(root)]] = 1.0
    states = [list(grads)]
    for node in reversed(order):
        if node.op is None:
            continue
        x = [each.data if isinstance(each, Value) else each for each in node.args]
        g = grads[place[id(node)]]
        for each, c in zip(node.args, sent(node.op, g, node.data, x), strict=True):
            if isinstance(each, Value) and c is not None:
                grads[place[id(each)]] += c
                states.append(list(grads))
    return order, states


@pytest.mark.parametrize("seed", range(8))
def test_every_step_equals_the_engine(seed):
    root = random_values(random.Random(seed), 30)
    film = step_through(root, detail="full")
    assert all(v.grad == 0.0 for v in topological_order(root))  # nothing was touched
    order, states = engine_states(root)
    root.backward()
    forward = [step for step in film.steps if step.phase == "forward"]
    backward = [step for step in film.steps if step.phase == "backward"]
    known = {key: x for step in forward for key, x in step.exact.items() if key[0] == "value"}
    assert known == {("value", i): v.data for i, v in enumerate(order)}
    assert len(backward) == len(states)
    now = {}
    for step, state in zip(backward, states, strict=True):
        now |= {key[1]: x for key, x in step.exact.items() if key[0] == "gradient"}
        assert [now[i] for i in range(len(order))] == state
    # the engine sweeps the elements of a softmax together, the page one by one: the last bit may differ
    assert [now[i] for i in range(len(order))] == pytest.approx([v.grad for v in order], rel=1e-15, abs=0.0)
    drawing = draw(root, detail="full")
    shown = {}
    for step in film.steps:
        shown |= step.texts
    assert [shown["gradient", i] for i in range(len(order))] == [card.gradient for card in drawing.scene.cards]


def test_sentences_of_e2():
    texts = [step.text for step in step_through(branching()).steps]
    assert texts[1:6] == [
        "Given: x = 5.",
        "Forward: y = 2 × x = 2 × 5 = 10.",
        "Forward: z = x = 5.",
        "Forward: p = y × z = 10 × 5 = 50.",
        "Forward: J = 3 × p = 3 × 50 = 150.",
    ]
    assert texts[-2:] == [
        "Chain rule, z → x: ∂J/∂z · ∂z/∂x = 30 × 1 = 30. So ∂J/∂x = 30 so far.",
        "Chain rule, y → x: ∂J/∂y · ∂y/∂x = 15 × 2 = 30. A second path reaches x, and contributions add: "
        "∂J/∂x = 30 + 30 = 60. Every gradient is known.",
    ]


def descent(detail):
    """E6: two passes, with the update between them."""
    w, E = network()
    film = step_through(detail=detail, digits=7, title="E6")
    for _ in range(2):
        _, E = network(w)
        film.add(E)
        for v in w:
            v.grad = 0.0
        E.backward()
        for v in w:
            v.data -= 0.5 * v.grad
    return w, E, film


@pytest.mark.parametrize("detail", ["full", "neurons"])
def test_two_passes_of_e6(detail):
    _, E, film = descent(detail)
    assert len(film.passes) == 2
    assert film.passes[0].picture == film.passes[1].picture
    update = next(step for step in film.steps if step.phase == "update")
    assert "w ← w − 0.5 · ∂E/∂w" in update.text
    assert "w5: 0.45 − 0.5 × 0.02592286 = 0.4370386" in update.text
    assert any(
        "E = E1 + E2 = 0.02125445 + 0.001981885 = 0.02323634. In the pass before it was 0.0239719." in s.text
        for s in film.steps
    )
    exact = [x for key, x in update.exact.items() if key[0] in ("value", "line-value")]
    assert sorted(exact) == pytest.approx(
        sorted([0.29959556, 0.24919112, 0.39964496, 0.34928991, 0.43703857, 0.38685205, 0.69629578, 0.59624247]),
        abs=5e-9,
    )
    last = {}
    for step in film.passes[1].steps:
        last |= {key: x for key, x in step.exact.items() if "gradient" in key[0]}
    grads = {v.label: v.grad for v in topological_order(E)}
    scene = film.passes[1].scene
    for key, x in last.items():
        card = scene.cards[key[1]]
        name = card.lines[key[2]].name if key[0] == "line-gradient" else card.name
        if name in grads:  # labelled
            assert x == pytest.approx(grads[name], rel=1e-15, abs=0)


def test_passes_of_different_structure_have_pictures_of_their_own():
    x = Value(2, label="x")
    film = step_through([named(x * x, "J"), named(x * x * x, "J")])
    assert [part.picture for part in film.passes] == [0, 1]
    assert film.to_html().count("<svg xmlns") == 2


def test_an_update_that_is_no_plain_descent_is_told_without_a_rate():
    x = Value(2, label="x")
    film = step_through()
    for _ in range(2):
        film.add(named(x * x, "J"))
        x.data = x.data - 1.0 if x.data == 2.0 else 0.0
    assert [s.text for s in film.steps if s.phase == "update"] == [
        "Update: each parameter moves against its gradient, w ← w − 0.25 · ∂J/∂w: x: 2 − 0.25 × 4 = 1."
    ]
    x, y = Value(2, label="x"), Value(2, label="y")
    film = step_through()
    for _ in range(2):
        film.add(named(x * x + y, "J"))
        x.data, y.data = x.data - 1.0, y.data - 1.0
    assert [s.text for s in film.steps if s.phase == "update"] == ["Update: x: 2 → 1, y: 2 → 1."]


def test_what_cannot_be_stepped_through_is_told():
    w = Value(2, label="w")
    J = w * w
    w.data = 3
    with pytest.raises(mg.GraphError, match=r"record each pass before the update, with film = step_through"):
        step_through(J)
    with pytest.raises(TypeError, match="takes a Value, or one for each step of a training loop; not float"):
        step_through([2.0])
    with pytest.raises(ValueError, match="nothing to step through"):
        step_through().to_html()
    with pytest.raises(ValueError, match="theme must be one of"):
        step_through(product(), theme="red")
    with pytest.raises(ValueError, match="seconds must be a positive number"):
        step_through(product()).to_svg(seconds=0)


# ── in the browser ──────────────────────────────────────────────────────────────────────────────
def replayed(film, upto):
    """What the page must show after step `upto`, from the steps themselves."""
    part = max(
        (p for p in film.passes if film.steps.index(p.steps[0]) <= upto), key=lambda p: film.steps.index(p.steps[0])
    )
    state = dict(part.hidden)
    for step in film.steps[film.steps.index(part.steps[0]) : upto + 1]:
        state |= step.texts
    return part, state


@pytest.mark.parametrize(
    "film",
    [
        lambda: step_through(branching()),
        lambda: step_through(product(), direction="TB"),
        lambda: descent("neurons")[2],
        lambda: step_through(random_values(random.Random(3), 12)),
        lambda: step_through(perceptron([2, 3, 1], random.Random(1)), detail="layers"),
    ],
    ids=["branching", "product", "descent", "random", "layers"],
)
def test_every_step_shows_its_numbers(visit, film):
    film = film()
    page = visit(film.to_html())
    for k, step in enumerate(film.steps):
        found = page.evaluate(STATE)
        part, state = replayed(film, k)
        assert found["step"] == k
        assert found["phase"] == step.phase
        assert found["message"] == step.text
        assert found["lit"] == sorted(step.cards)
        cards, lines = part.scene.cards, []
        for i, card in enumerate(cards):
            if not card.lines:
                assert found["cards"][i] == [state["value", i], state["gradient", i]]
            lines += [[state["line-value", i, n], state["line-gradient", i, n]] for n in range(len(card.lines))]
        assert found["lines"] == lines
        for key, text in state.items():
            if key[0] == "sent":
                assert found["sent"][str(key[1])] == text
        page.keyboard.press("ArrowRight")
    assert page.evaluate(STATE)["step"] == len(film.steps) - 1
    assert page.locator("#next").is_disabled()


def test_buttons_keys_slider_and_links(visit):
    film = step_through(branching())
    last = len(film.steps) - 1
    page = visit(film.to_html(), "#7")
    step = lambda: page.evaluate("+document.body.dataset.step")
    assert step() == 7
    for press, expected in (
        ("#first", 0), ("#next", 1), ("#last", last), ("#back", last - 1), ("#turn", 6),
    ):  # fmt: skip
        page.click(press)
        assert step() == expected
    assert page.locator("#turn").inner_text() == "Backward pass"
    for key, expected in (("Home", 0), ("ArrowRight", 1), ("End", last), ("ArrowLeft", last - 1), ("b", 6)):
        page.keyboard.press(key)
        assert step() == expected
    page.locator("#position").fill("3")
    assert step() == 3
    assert page.evaluate("location.hash") == "#3"
    page.evaluate("location.hash = '#9'")
    page.wait_for_selector("body[data-step='9']")
    page.evaluate("location.hash = '#nonsense'")
    page.wait_for_selector("body[data-step='0']")
    page.evaluate("location.hash = '#99999'")
    page.wait_for_selector(f"body[data-step='{last}']")
    page.click("#play")  # from the end, it starts again
    assert page.locator("#play").inner_text() == "Pause"
    assert page.locator("#play").get_attribute("aria-pressed") == "true"
    page.wait_for_selector("body[data-step='1']")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#play").get_attribute("aria-pressed") == "false"


def test_passes_have_buttons(visit):
    film = descent("neurons")[2]
    page = visit(film.to_html())
    assert "pass 1 of 2, E = 0.0239719" in page.locator("#pass").inner_text()
    page.click("#later")
    assert "pass 2 of 2, E = 0.02323634" in page.locator("#pass").inner_text()
    assert page.locator("#later").is_disabled()
    page.click("#earlier")
    assert page.evaluate("document.body.dataset.step") == "0"
    assert not visit(step_through(product()).to_html()).locator(".passes").is_visible()


def test_pan_and_zoom(visit):
    page = visit(step_through(network()[1]).to_html(), reduced_motion="reduce")
    width = page.evaluate("document.querySelector('svg').viewBox.baseVal.width")
    scale = lambda: page.evaluate("document.querySelector('.picture svg').getBoundingClientRect().width") / width
    left = lambda: page.evaluate("document.getElementById('view').scrollLeft")
    before = scale()
    page.click("#nearer")
    assert scale() == pytest.approx(before * 1.25, rel=1e-3)
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert scale() == pytest.approx(page.evaluate("document.getElementById('view').clientWidth") / width, rel=5e-3)
    page.click("#nearer")
    page.click("#nearer")
    was = left()
    box = page.locator("#view").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 100)
    page.mouse.up()
    assert left() == pytest.approx(was + 40, abs=1)


def test_the_active_card_is_brought_into_view(visit):
    film = step_through(network()[1])
    page = visit(film.to_html(), f"#{len(film.steps) - 40}", reduced_motion="reduce")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
        view, card = page.locator("#view").bounding_box(), page.locator(".card.on").first.bounding_box()
        assert view["x"] - 2 <= card["x"]
        assert card["x"] + card["width"] <= view["x"] + view["width"] + 2


def test_light_and_dark(visit):
    page = step_through(product()).to_html()
    paper = "getComputedStyle(document.querySelector('.paper')).fill"
    assert visit(page, color_scheme="light").evaluate(paper) == "rgb(255, 255, 255)"
    tab = visit(page, color_scheme="dark")
    assert tab.evaluate(paper) == "rgb(20, 24, 29)"
    tab.click("#dark")
    assert tab.evaluate(paper) == "rgb(255, 255, 255)"
    assert (
        visit(step_through(product(), theme="dark").to_html(), color_scheme="light").evaluate(paper)
        == "rgb(20, 24, 29)"
    )


def test_it_can_be_used_without_seeing_or_a_mouse(visit):
    page = visit(step_through(product()).to_html(), reduced_motion="reduce")
    message = page.locator("#message")
    assert (message.get_attribute("role"), message.get_attribute("aria-live")) == ("status", "polite")
    assert page.locator("#position").get_attribute("aria-valuetext") == "step 0 of 10, start"
    assert page.locator("svg").first.get_attribute("role") == "group"  # there is something in it to use
    names = [
        page.evaluate("(e) => e.innerText || e.getAttribute('aria-label') || e.labels[0].innerText", h)
        for h in page.locator("button:visible, input:visible").element_handles()
    ]
    assert all(name.strip() for name in names)
    page.focus("#play")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "next"
    page.keyboard.press("Enter")
    assert page.evaluate("document.body.dataset.step") == "1"
    assert page.evaluate("getComputedStyle(document.querySelector('.frame')).transitionDuration") == "0s"
    assert page.evaluate("document.documentElement.lang") == "en"


def test_no_label_becomes_markup_or_script(visit):
    evil = "<img src=x onerror='window.evil=1'><script>window.evil=1</script>"
    x = Weight(2, label=evil)
    y = named(x * 3, "</script><script>window.evil=1</script>")
    page = visit(step_through(y, title=evil).to_html())
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("window.evil === undefined && document.images.length === 0 && document.scripts.length === 2")
    assert page.title() == evil


def test_texts_fit_their_cards_in_the_browser(visit):
    x = named(Value(1.5), "손실 함수")
    y = named(x * Value(2, label="λ損🙂"), "ŷ خسارة")
    J = named(mg.tanh(y) * y, "J")
    J.backward()
    for drawing in (draw(J), draw(network()[1], detail="neurons")):
        page = visit(drawing.to_html())
        page.evaluate("document.fonts.ready")
        over = page.evaluate(
            """() => [...document.querySelectorAll('.card')].flatMap((card) => {
              const frame = card.querySelector('.frame').getBBox();
              return [...card.querySelectorAll('text')].map((t) => [t.textContent, t.getBBox()])
                .filter(([, b]) => b.x < frame.x - 0.5 || b.x + b.width > frame.x + frame.width + 0.5)
                .map(([text]) => text);
            })"""
        )
        assert over == []


def test_still_page(visit):
    page = visit(draw(product(), title="J").to_html())
    assert page.locator(".card").count() == 6
    assert page.locator("h1").inner_text() == "J"
    page.click("#nearer")


# ── animation ───────────────────────────────────────────────────────────────────────────────────
def test_animated_svg_shows_each_step_in_its_time(visit, browser, tmp_path):
    film = step_through(branching(), theme="light")
    svg = film.to_svg(seconds=1)
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    file = tmp_path / "film.svg"
    file.write_text(svg, encoding="utf-8")
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(file.as_uri())
    seen = """(at) => {
      for (const a of document.getAnimations()) { a.pause(); a.currentTime = at; }
      const there = [...document.querySelectorAll('text')].filter((t) => getComputedStyle(t).visibility === 'visible');
      return there.map((t) => [t.getAttribute('class'), t.textContent]);
    }"""
    for k, step in enumerate(film.steps):
        texts = tab.evaluate(seen, 1000 * k + 500)
        assert " ".join(text for name, text in texts if name == "sentence") == step.text
        _, state = replayed(film, k)
        assert sorted(text for name, text in texts if name == "gradient") == sorted(
            text for key, text in state.items() if key[0] == "gradient"
        )
        assert sorted(text for name, text in texts if name == "sent") == sorted(
            text for key, text in state.items() if key[0] == "sent" and text
        )
    context.close()


def test_gif_has_a_frame_for_each_step(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="GIF is an extra")
    film = step_through(product(), title="J")
    target = film.save(tmp_path / "film.gif")
    with image.open(target) as picture:
        assert picture.n_frames == len(film.steps)
        assert picture.info["loop"] == 0


# ── notebook ────────────────────────────────────────────────────────────────────────────────────
def test_drawing_in_a_bundle():
    drawing = draw(product())
    bundle = drawing._repr_mimebundle_()
    assert set(bundle) - {"image/png"} == {"image/svg+xml", "text/plain"}  # PNG where resvg-py is installed
    assert bundle["text/plain"] == str(drawing)
    assert set(drawing._repr_mimebundle_(include=["image/png"])) == {"image/png"}
    assert set(drawing._repr_mimebundle_(exclude=["image/svg+xml", "image/png"])) == {"text/plain"}
    assert (
        repr(drawing)
        == "<Drawing of 6 cards: .show() opens it in the browser, .save('graph.svg') writes it, print() shows text>"
    )
    assert "srcdoc=" in step_through(product())._repr_html_()


def test_a_value_stays_text_outside_of_a_notebook():
    assert not hasattr(Value(1), "_repr_svg_")
    with pytest.raises(RuntimeError, match="rich_values needs a notebook"):
        rich_values()


def test_rich_values_are_switched_on_and_off(monkeypatch):
    formatters = pytest.importorskip("IPython.core.formatters", reason="the notebook's formatters are IPython's")
    import IPython

    shell = SimpleNamespace(display_formatter=formatters.DisplayFormatter())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    for on in (True, False, False):  # off twice is no error
        mg.rich_values(on, theme="dark")
        shown, _ = shell.display_formatter.format(product())
        assert ("image/svg+xml" in shown, "text/plain" in shown) == (on, True)


@pytest.mark.filterwarnings("ignore")  # of the notebook's own machinery
def test_in_an_executed_notebook(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="notebooks are executed with nbclient")
    nbformat = pytest.importorskip("nbformat", reason="notebooks are written with nbformat")
    pytest.importorskip("ipykernel", reason="notebooks are executed by ipykernel")
    from pathlib import Path

    cells = [
        f"import sys; sys.path.insert(0, {str(Path(mg.__file__).parent.parent)!r})\n"
        "import microgradlike as mg\nfrom microgradlike import Value\n"
        "a, b = Value(2, label='a'), Value(3, label='b')\nJ = a * b; J.label = 'J'; J.backward()",
        "mg.draw(J)",
        "J",
        "mg.rich_values(theme='dark')",
        "J",
        "mg.rich_values(False)\nJ",
        "mg.step_through(J)",
        "print(mg.draw(J))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [cell.outputs for cell in notebook.cells]
    ET.fromstring(outputs[1][0].data["image/svg+xml"])
    assert outputs[1][0].data["text/plain"].splitlines()[1].startswith("J = a × b")
    assert set(outputs[2][0].data) == {"text/plain"}
    assert outputs[2][0].data["text/plain"] == "Value(data=6.0, grad=1.0, label='J', op=multiply)"
    assert "#14181d" in outputs[4][0].data["image/svg+xml"]
    assert set(outputs[5][0].data) == {"text/plain"}
    assert outputs[6][0].data["text/html"].startswith("<iframe srcdoc=")
    assert "├─ a" in outputs[7][0].text
    json.dumps(notebook)


def test_numbers_of_the_page_are_those_of_the_drawing():
    J = product()
    film = step_through(J)
    values = {}
    for step in film.steps:
        values |= step.texts
    assert [values["value", i] for i in range(6)] == [number(v.data) for v in topological_order(J)]
