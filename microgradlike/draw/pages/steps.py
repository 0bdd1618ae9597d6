"""The computation step by step: forward, the chain rule backward, the update. Texts with places for numbers.

A step changes some texts of the picture and lights up some cards and edges; page.py shows them in a browser, where the
numbers may change, and animate.py as a film. The order is that of the engine's own sweep.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..picture import expression
from ..picture.fold import Folding
from ..picture.graph import Graph
from ..picture.scene import Card, Edge, Names, Scene
from ..picture.text import MINUS, number, visible
from .numbers import Number, Numbers, Words, of

_DIGITS = re.compile(r"(\d+)")
_PLACE = re.compile("(\\()?(" + MINUS + ")?\ue100(\\d+)\ue101(?(1)\\))")
Span = tuple[str, Words]  # what it is ("", "name", "value", "gradient"), and the text or the number
Key = tuple[object, ...]


@dataclass(slots=True)
class Step:
    """One step.

    Attributes:
        phase: "start", "forward", "backward" or "update".
        sentence: what happens, in spans.
        numbers: what the references in it stand for.
        cards, edges: what lights up; senders: the cards that a gradient comes from.
        changes: new texts: by ("value" | "gradient", card), ("line-value" | "line-gradient", card, line) or
            ("local" | "sent", edge).
    """

    phase: str
    sentence: list[Span]
    numbers: Numbers
    cards: list[int] = field(default_factory=list)
    edges: list[int] = field(default_factory=list)
    senders: list[int] = field(default_factory=list)
    changes: dict[Key, Words] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence with its numbers, without colours."""
        return "".join(self.numbers.text(words) for _, words in self.sentence)

    @property
    def html(self) -> str:
        """The sentence as HTML."""
        tags = {"": "{}", "name": "<b>{}</b>", "value": '<b class="v">{}</b>', "gradient": '<b class="g">{}</b>'}
        return "".join(tags[kind].format(html.escape(self.numbers.text(words))) for kind, words in self.sentence)

    @property
    def texts(self) -> dict[Key, str]:
        """The changes, filled in."""
        return {key: self.numbers.text(words) for key, words in self.changes.items()}

    @property
    def exact(self) -> dict[Key, float]:
        """The numbers behind the changes."""
        found = {}
        for key, words in self.changes.items():
            if isinstance(words, Number):
                found[key] = self.numbers.exact(words)
            elif words in ("0", "1"):
                found[key] = float(words)
        return found


def hidden(scene: Scene) -> dict[Key, str]:
    """What the picture shows before the first step."""
    texts: dict[Key, str] = {}
    for i, card in enumerate(scene.cards):
        texts["value", i], texts["gradient", i] = "?", "–"
        for k in range(len(card.lines)):
            texts["line-value", i, k], texts["line-gradient", i, k] = "?", "–"
    for j, edge in enumerate(scene.edges):
        if any(kind == "sent" for _, kind in edge.texts):
            texts["sent", j] = texts["local", j] = ""
    return texts


def steps(graph: Graph, folding: Folding, scene: Scene, digits: int = 4) -> list[Step]:
    """Every step of the forward and the backward pass through this picture."""
    return _Teller(graph, folding, scene, digits).told()


class _Teller:
    def __init__(self, graph: Graph, folding: Folding, scene: Scene, digits: int) -> None:
        self.graph, self.folding, self.scene, self.digits = graph, folding, scene, digits
        self.names, self.numbers = Names(graph, digits), Numbers(graph, scene, digits)
        self.edges_of: list[list[int]] = [[] for _ in scene.cards]
        for j, edge in enumerate(scene.edges):
            self.edges_of[edge.head].append(j)
        root = graph.roots[0]
        self.root_card = folding.group_of[root]
        label = self.names.label(root)
        self.root = label if label is not None else "output"

    def step(self, phase: str, sentence: Sequence[Span], cards: Sequence[int] = ()) -> Step:
        return Step(phase, list(sentence), self.numbers, list(cards))

    def told(self) -> list[Step]:
        both = "Forward: from the inputs to the result. Backward: from the result to every gradient."
        told = [self.step("start", [("", both)])]
        given = [i for i, card in enumerate(self.scene.cards) if self.is_given(card)]
        if given:
            told.append(self.given(given))
        for i, card in enumerate(self.scene.cards):
            if not self.is_given(card):
                told.append(self.forward(i, card))
        told += self.backward()
        return told

    def is_given(self, card: Card) -> bool:
        return all(self.graph.rows[v] is None for v in card.nodes)

    def place(self, i: int, step: Step, values: bool, gradients: bool) -> None:
        """The final texts of a card."""
        card = self.scene.cards[i]
        if values:
            step.changes["value", i] = shown_number("value", card.node, card.lines[-1].nodes if card.lines else [])
        if gradients:
            step.changes["gradient", i] = self.gradient(i, card)
        for k, line in enumerate(card.lines):
            if values:
                step.changes["line-value", i, k] = shown_number("value", line.node, line.nodes)
            if gradients:
                step.changes["line-gradient", i, k] = shown_number("gradient", line.node, line.nodes)

    def gradient(self, i: int, card: Card) -> Number:
        """The gradient of a card, as its picture writes it."""
        if len(card.terms) > 1 and not card.lines and not card.output:
            return Number("total", tuple(arrivals(self.scene, i)), card.node)
        return shown_number("gradient", card.node, card.lines[-1].nodes if card.lines else [])

    # ── forward ─────────────────────────────────────────────────────────────────────────────────
    def given(self, cards: list[int]) -> Step:
        listed = sum(line.kind == "parameter" for card in self.scene.cards for line in card.lines)
        sentence: list[Span] = [("", "Given: ")]
        for k, i in enumerate(cards[:12]):
            card = self.scene.cards[i]
            sentence += [("", ", " if k else ""), ("name", card.name)]
            if self.names.label(card.node) is not None:  # the name of an unlabelled one says its value
                sentence += [("", " = "), ("value", of("value", card.node))]
        more = [f"{len(cards) - 12} more"] if len(cards) > 12 else []
        more += ["the parameters"] if listed else []
        sentence.append(("", "".join(f", and {each}" for each in more) + "."))
        step = self.step("forward", sentence, cards)
        for i in cards:
            self.place(i, step, values=True, gradients=False)
        for i, card in enumerate(self.scene.cards):
            for k, line in enumerate(card.lines):
                if line.node >= 0 and self.graph.rows[line.node] is None:
                    step.changes["line-value", i, k] = of("value", line.node)
        return step

    def forward(self, i: int, card: Card) -> Step:
        sentence: list[Span]
        if card.kind == "layer":
            value = shown_number("value", card.node, card.lines[-1].nodes)
            sentence = [
                ("", "Forward through "), ("name", card.name), ("", f" ({card.note}): values "), ("value", value),
                ("", "."),
            ]  # fmt: skip
        else:
            sentence = [("", "Forward: ")]
            graph = self.graph
            inner = [
                v for v in card.nodes if graph.rows[v] is not None and v != card.node and graph.labels[v] is not None
            ]
            for v in [*inner[:3], card.node]:
                sentence += self.computed(v)
                sentence.append(("", "." if v == card.node else "; then "))
        step = self.step("forward", sentence, [i])
        step.edges = list(self.edges_of[i])
        self.place(i, step, values=True, gradients=False)
        for j in self.edges_of[i]:
            edge = self.scene.edges[j]
            written = [text for text, kind in edge.texts if kind == "derivative"]
            if edge.local is not None and written:
                step.changes["local", j] = Number("local", (j,), before=written[0][: written[0].rindex(" ") + 1])
        return step

    def computed(self, node: int) -> list[Span]:
        """`u = b × c = 3 × 2 = 6`"""
        graph = self.graph
        row, operands = graph.rows[node], graph.operands[node]
        assert row is not None
        written = self.names.expression(node)
        label = self.names.label(node)
        spans: list[Span] = [("name", f"{label} = {written}" if label else written), ("", " = ")]
        substituted = self.substituted(node)
        if written != "".join(w if isinstance(w, str) else "#" for w in substituted) and not (
            len(substituted) == 1 and type(operands[0]) is int
        ):
            spans += [*(("", words) for words in substituted), ("", " = ")]
        return [*spans, ("value", of("value", node))]

    def substituted(self, node: int) -> list[Words]:
        """The operation with the numbers of its operands, in brackets where a negative one needs them."""
        row, operands = self.graph.rows[node], self.graph.operands[node]
        assert row is not None

        def put(sign: str) -> str:
            def operand(k: int) -> str:
                x = operands[k]
                return f"{sign}\ue100{k}\ue101" if type(x) is int else number(x, self.digits)

            return expression.described(row, len(operands), operand)

        plain, negative = put(""), put(MINUS)
        factors = {int(k) for bracket, sign, k in _PLACE.findall(negative) if bracket and sign}
        found: list[Words] = []
        for k, piece in enumerate(re.split("\ue100(\\d+)\ue101", plain)):
            if k % 2 == 0:
                found += [piece] if piece else []
            else:
                x = operands[int(piece)]
                assert type(x) is int
                found.append(of("value", x, factor=int(piece) in factors))
        return found

    # ── backward ────────────────────────────────────────────────────────────────────────────────
    def slope(self, name: str) -> str:
        """∂J/∂name"""
        return f"∂{self.root}/∂{short(name)}"

    def backward(self) -> list[Step]:
        scene, told = self.scene, []
        seed: list[Span] = [
            ("", "Backward starts at the result: "), ("name", f"∂{self.root}/∂{self.root}"), ("", " = "),
            ("gradient", "1"), ("", f", because {self.root} changes one for one with itself."),
        ]  # fmt: skip
        start = self.step("backward", seed, [self.root_card])
        for i, card in enumerate(scene.cards):
            if i != self.root_card:
                start.changes["gradient", i] = "0"
                for k in range(len(card.lines)):
                    start.changes["line-gradient", i, k] = "0"
        if scene.cards[self.root_card].lines:
            self.place(self.root_card, start, values=False, gradients=True)
        start.changes["gradient", self.root_card] = "1"
        told.append(start)
        arrived: dict[int, list[int]] = {}
        for i in range(len(scene.cards) - 1, -1, -1):
            card = scene.cards[i]
            if card.lines and (i != self.root_card or any(line.kind == "parameter" for line in card.lines)):
                told.append(self.inside(i, card))
            for j in sorted(self.edges_of[i], key=lambda j: scene.edges[j].position):
                edge = scene.edges[j]
                if edge.sent is None or edge.local is None:
                    continue
                told.append(self.along(j, edge, card, arrived.setdefault(edge.tail, [])))
        last = told[-1]
        last.sentence = [*last.sentence, ("", " Every gradient is known.")]
        return told

    def inside(self, i: int, card: Card) -> Step:
        parameters = [line for line in card.lines if line.kind == "parameter"]
        if card.kind == "layer":
            own = shown_number("gradient", card.node, card.lines[-1].nodes)
            sentence: list[Span] = [
                ("", "Backward through "), ("name", card.name), ("", ": gradients "), ("gradient", own),
            ]  # fmt: skip
            if parameters:
                first = parameters[0]
                sentence += [
                    ("", ", of its parameters "), ("gradient", shown_number("gradient", first.node, first.nodes)),
                ]  # fmt: skip
            sentence.append(("", "."))
        else:
            sentence = [("", "Inside "), ("name", card.name), ("", ", the same rule gives ")]
            for k, line in enumerate(card.lines[:-1][:6]):
                sentence += [
                    ("", ", " if k else ""), ("name", self.slope(line.name)), ("", " = "),
                    ("gradient", shown_number("gradient", line.node, line.nodes)),
                ]  # fmt: skip
            sentence.append(("", ", …" if len(card.lines) > 7 else "."))
            if len(card.lines) == 1:
                sentence = [
                    ("", "Through "), ("name", card.name), ("", ", where "), ("name", self.slope(card.name)),
                    ("", " = "), ("gradient", of("gradient", card.node)), ("", "."),
                ]  # fmt: skip
        step = self.step("backward", sentence, [i])
        self.place(i, step, values=False, gradients=True)
        return step

    def along(self, j: int, edge: Edge, head: Card, arrived: list[int]) -> Step:
        """One use of the chain rule: what head sends back along edge j."""
        tail = self.scene.cards[edge.tail]
        arrived.append(j)
        complete = len(arrived) == max(len(tail.terms), 1)
        running = Number("total" if len(arrived) > 1 else "sum", tuple(arrived), tail.node if complete else -1)
        local = f"∂{short(head.name)}/∂{short(tail.name)}"
        sentence: list[Span] = [
            ("", "Chain rule, "), ("name", f"{head.name} → {tail.name}"),
            ("", f": {self.slope(head.name)} · {local} = "), ("gradient", of("gradient", head.node)),
            ("", " × "), ("", of("local", j, factor=True)), ("", " = "), ("gradient", of("sent", j)), ("", "."),
        ]  # fmt: skip
        if len(arrived) > 1:
            again = "A second path reaches" if len(arrived) == 2 else "One more path reaches"
            sentence += [
                ("", f" {again} "), ("name", tail.name), ("", f", and contributions add: {self.slope(tail.name)} = "),
                ("gradient", running), ("", "."),
            ]  # fmt: skip
        elif self.slope(tail.name) != f"{self.slope(head.name)} · {local}":
            so_far = "" if complete else " so far"
            sentence += [("", f" So {self.slope(tail.name)} = "), ("gradient", running), ("", f"{so_far}.")]
        step = Step("backward", sentence, self.numbers, [edge.tail], [j], [edge.head])
        if tail.lines:
            step.changes["line-gradient", edge.tail, len(tail.lines) - 1] = Number("sum", running.at, running.node)
        else:
            step.changes["gradient", edge.tail] = running
        if any(kind == "sent" for _, kind in edge.texts):
            step.changes["sent", j] = of("sent", j)
        return step


def shown_number(what: str, node: int, nodes: Sequence[int]) -> Number:
    """The value or the gradient of one node, or the range of several."""
    return Number(f"{what}s", tuple(nodes)) if nodes else of(what, node)


def arrivals(scene: Scene, i: int) -> list[int]:
    """The edges that bring gradients to card i, in the order of the sweep."""
    found = [j for j, e in enumerate(scene.edges) if e.tail == i and e.kind != "constant" and e.sent is not None]
    return sorted(found, key=lambda j: -scene.cards[scene.edges[j].head].node)


def short(name: str) -> str:
    return f"({name})" if expression.binding(name) < expression.TIGHTEST else name


def update(before: Graph, after: Graph, scene: Scene, digits: int, cards: Sequence[int]) -> Step | None:
    """What changed between two passes: the step of gradient descent, with its learning rate where there is one.

    `before` and `after` have the same structure; `cards[node]` is the card that shows a node.
    """
    changed = [
        v
        for v, (old, new) in enumerate(zip(before.data, after.data, strict=True))
        if before.rows[v] is None and old != new and (old == old or new == new)
    ]
    if not changed:
        return None
    rates = {(before.data[v] - after.data[v]) / before.grad[v] for v in changed if before.grad[v] != 0.0}
    rate = next(iter(rates)) if rates and all(before.grad[v] != 0.0 for v in changed) else None
    if rate is not None and (rate <= 0 or any(abs(r - rate) > 1e-6 * abs(rate) for r in rates)):
        rate = None
    names, numbers = Names(before, digits), Numbers(before, scene, digits)
    numbers.after = after
    changed.sort(
        key=lambda v: [
            (part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _DIGITS.split(names.name(v))
        ]
    )
    root = visible(before.labels[before.roots[0]] or "output")
    sentence: list[Span] = [("", "Update: ")]
    if rate is not None:
        rule = f"w ← w − {number(rate, digits)} · ∂{root}/∂w"
        sentence.append(("", f"each parameter moves against its gradient, {rule}: "))
    for k, v in enumerate(changed[:8]):
        sentence += [("", ", " if k else ""), ("name", names.name(v)), ("", ": "), ("value", of("value", v))]
        if rate is not None:
            slope = of("gradient", v, factor=True)
            sentence += [("", f" − {number(rate, digits)} × "), ("gradient", slope), ("", " = ")]
        else:
            sentence.append(("", " → "))
        sentence.append(("value", of("next", v)))
    sentence.append(("", f", and {len(changed) - 8} more." if len(changed) > 8 else "."))
    step = Step("update", sentence, numbers, sorted({cards[v] for v in changed if cards[v] >= 0}))
    for v in changed:
        i = cards[v]
        for c, card in enumerate(scene.cards):
            for k, line in enumerate(card.lines):
                if line.node == v:
                    step.changes["line-value", c, k] = of("next", v)
        if i >= 0 and scene.cards[i].node == v:
            step.changes["value", i] = of("next", v)
    return step


# ── for the page ─────────────────────────────────────────────────────────────────────────────────────
def spans(sentence: Sequence[Span]) -> list[list[Any]]:
    """A sentence for the page."""
    return [[kind, words if isinstance(words, str) else words.json()] for kind, words in sentence]


def key_text(key: Key) -> str:
    """The key of a text, as the page has it."""
    return " ".join(map(str, key))
