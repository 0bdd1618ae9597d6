"""The computation step by step: forward, the chain rule backward, the update. Sentences and numbers, made in Python.

A step changes some texts of the picture and lights up some cards and edges; page.py shows them in a
browser, animate.py as a film. The numbers are those of the engine: the same rows on the same floats,
added in the same order.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..picture import expression
from ..picture.fold import Folding
from ..picture.graph import Graph
from ..picture.scene import Card, Edge, Names, Scene
from ..picture.text import number, total, visible

_DIGITS = re.compile(r"(\d+)")
Span = tuple[str, str]  # what it is ("", "name", "value", "gradient"), and the text


@dataclass(slots=True)
class Step:
    """One step.

    Attributes:
        phase: "start", "forward", "backward" or "update".
        sentence: what happens, in spans.
        cards, edges: what lights up.
        changes: new texts: by ("value" | "gradient", card), ("line-value" | "line-gradient", card, line) or
            ("local" | "sent", edge).
        exact: the numbers behind them, by the same keys.
    """

    phase: str
    sentence: list[Span]
    cards: list[int] = field(default_factory=list)
    edges: list[int] = field(default_factory=list)
    changes: dict[tuple[object, ...], str] = field(default_factory=dict)
    exact: dict[tuple[object, ...], float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence without colours."""
        return "".join(text for _, text in self.sentence)

    @property
    def html(self) -> str:
        """The sentence as HTML."""
        tags = {"": "{}", "name": "<b>{}</b>", "value": '<b class="v">{}</b>', "gradient": '<b class="g">{}</b>'}
        return "".join(tags[kind].format(html.escape(text)) for kind, text in self.sentence)


def hidden(scene: Scene) -> dict[tuple[object, ...], str]:
    """What the picture shows before the first step."""
    texts: dict[tuple[object, ...], str] = {}
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
        self.names = Names(graph, digits)
        self.edges_of: list[list[int]] = [[] for _ in scene.cards]
        for j, edge in enumerate(scene.edges):
            self.edges_of[edge.head].append(j)
        root = graph.roots[0]
        self.root_card = folding.group_of[root]
        label = self.names.label(root)
        self.root = label if label is not None else "output"

    def number(self, x: float) -> str:
        return number(x, self.digits)

    def factor(self, x: float) -> str:
        text = self.number(x)
        return f"({text})" if text.startswith("−") else text

    def told(self) -> list[Step]:
        told = [
            Step(
                "start", [("", "Forward: from the inputs to the result. Backward: from the result to every gradient.")]
            )
        ]
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
            step.changes["value", i], step.exact["value", i] = card.value, card.exact[0]
        if gradients:
            step.changes["gradient", i], step.exact["gradient", i] = card.gradient, card.exact[1]
        for k, line in enumerate(card.lines):
            if values:
                step.changes["line-value", i, k] = line.value
                if line.node >= 0:
                    step.exact["line-value", i, k] = self.graph.data[line.node]
            if gradients:
                step.changes["line-gradient", i, k] = line.gradient
                if line.node >= 0:
                    step.exact["line-gradient", i, k] = self.graph.grad[line.node]

    # ── forward ─────────────────────────────────────────────────────────────────────────────────
    def given(self, cards: list[int]) -> Step:
        listed = sum(line.kind == "parameter" for card in self.scene.cards for line in card.lines)
        sentence: list[Span] = [("", "Given: ")]
        for k, i in enumerate(cards[:12]):
            card = self.scene.cards[i]
            sentence += [("", ", " if k else ""), ("name", card.name)]
            if self.names.label(card.node) is not None:  # the name of an unlabelled one says its value
                sentence += [("", " = "), ("value", card.value)]
        more = [f"{len(cards) - 12} more"] if len(cards) > 12 else []
        more += ["the parameters"] if listed else []
        sentence.append(("", "".join(f", and {each}" for each in more) + "."))
        step = Step("forward", sentence, cards=list(cards))
        for i in cards:
            self.place(i, step, values=True, gradients=False)
        for i, card in enumerate(self.scene.cards):
            for k, line in enumerate(card.lines):
                if line.node >= 0 and self.graph.rows[line.node] is None:
                    step.changes["line-value", i, k] = line.value
                    step.exact["line-value", i, k] = self.graph.data[line.node]
        return step

    def forward(self, i: int, card: Card) -> Step:
        edges = self.edges_of[i]
        sentence: list[Span]
        if card.kind == "layer":
            sentence = [
                ("", "Forward through "),
                ("name", card.name),
                ("", f" ({card.note}): values "),
                ("value", card.value),
                ("", "."),
            ]
        else:
            sentence = [("", "Forward: ")]
            inner = [
                v
                for v in card.nodes
                if self.graph.rows[v] is not None and v != card.node and self.graph.labels[v] is not None
            ]
            for v in [*inner[:3], card.node]:
                sentence += self.computed(v)
                sentence.append(("", "." if v == card.node else "; then "))
        step = Step("forward", sentence, [i], edges)
        self.place(i, step, values=True, gradients=False)
        for j in self.edges_of[i]:
            edge = self.scene.edges[j]
            shown = [text for text, kind in edge.texts if kind == "derivative"]
            if shown and edge.local is not None:
                step.changes["local", j], step.exact["local", j] = shown[0], edge.local
        return step

    def computed(self, node: int) -> list[Span]:
        """`u = b × c = 3 × 2 = 6`"""
        graph = self.graph
        row, operands = graph.rows[node], graph.operands[node]
        assert row is not None
        inputs = graph.inputs_of(node)
        substituted = expression.described(row, len(operands), lambda k: self.number(inputs[k]))
        written = self.names.expression(node)
        label = self.names.label(node)
        spans: list[Span] = [("name", f"{label} = {written}" if label else written), ("", " = ")]
        if substituted not in (written, self.number(graph.data[node])):
            spans += [("", substituted), ("", " = ")]
        return [*spans, ("value", self.number(graph.data[node]))]

    # ── backward ────────────────────────────────────────────────────────────────────────────────
    def slope(self, name: str) -> str:
        """∂J/∂name"""
        loose = expression.binding(name) < expression.TIGHTEST
        return f"∂{self.root}/∂({name})" if loose else f"∂{self.root}/∂{name}"

    def backward(self) -> list[Step]:
        scene, told = self.scene, []
        seed: list[Span] = [
            ("", "Backward starts at the result: "), ("name", f"∂{self.root}/∂{self.root}"), ("", " = "),
            ("gradient", "1"), ("", f", because {self.root} changes one for one with itself."),
        ]  # fmt: skip
        start = Step("backward", seed, [self.root_card])
        for i, card in enumerate(scene.cards):
            if i != self.root_card:
                start.changes["gradient", i], start.exact["gradient", i] = "0", 0.0
                for k in range(len(card.lines)):
                    start.changes["line-gradient", i, k] = "0"
        if scene.cards[self.root_card].lines:
            self.place(self.root_card, start, values=False, gradients=True)
        start.changes["gradient", self.root_card], start.exact["gradient", self.root_card] = "1", 1.0
        told.append(start)
        gathered: dict[int, list[float]] = {}
        for i in range(len(scene.cards) - 1, -1, -1):
            card = scene.cards[i]
            if card.lines and (i != self.root_card or any(line.kind == "parameter" for line in card.lines)):
                told.append(self.inside(i, card))
            for j in sorted(self.edges_of[i], key=lambda j: scene.edges[j].position):
                edge = scene.edges[j]
                if edge.sent is None or edge.local is None:
                    continue
                told.append(self.along(j, edge, card, gathered.setdefault(edge.tail, [])))
        last = told[-1]
        last.sentence = [*last.sentence, ("", " Every gradient is known.")]
        return told

    def inside(self, i: int, card: Card) -> Step:
        parameters = [line for line in card.lines if line.kind == "parameter"]
        if card.kind == "layer":
            sentence: list[Span] = [
                ("", "Backward through "),
                ("name", card.name),
                ("", ": gradients "),
                ("gradient", card.lines[-1].gradient),
            ]
            if parameters:
                sentence += [("", ", of its parameters "), ("gradient", parameters[0].gradient)]
            sentence.append(("", "."))
        else:
            sentence = [("", "Inside "), ("name", card.name), ("", ", the same rule gives ")]
            for k, line in enumerate(card.lines[:-1][:6]):
                sentence += [
                    ("", ", " if k else ""),
                    ("name", self.slope(line.name)),
                    ("", " = "),
                    ("gradient", line.gradient),
                ]
            sentence.append(("", ", …" if len(card.lines) > 7 else "."))
            if len(card.lines) == 1:
                sentence = [
                    ("", "Through "), ("name", card.name), ("", ", where "), ("name", self.slope(card.name)),
                    ("", " = "), ("gradient", card.gradient), ("", "."),
                ]  # fmt: skip
        step = Step("backward", sentence, [i])
        self.place(i, step, values=False, gradients=True)
        return step

    def along(self, j: int, edge: Edge, head: Card, arrived: list[float]) -> Step:
        """One use of the chain rule: what head sends back along edge j."""
        assert edge.sent is not None and edge.local is not None
        tail = self.scene.cards[edge.tail]
        arrived.append(edge.sent)
        complete = len(arrived) == max(len(tail.terms), 1)
        running = tail.exact[1] if complete else sum(arrived)
        local = f"∂{_short(head.name)}/∂{_short(tail.name)}"
        sentence: list[Span] = [
            ("", "Chain rule, "), ("name", f"{head.name} → {tail.name}"),
            ("", f": {self.slope(head.name)} · {local} = "), ("gradient", self.number(head.exact[1])),
            ("", f" × {self.factor(edge.local)} = "), ("gradient", self.number(edge.sent)), ("", "."),
        ]  # fmt: skip
        if len(arrived) > 1:
            text = total(arrived, running, self.digits)
            again = "A second path reaches" if len(arrived) == 2 else "One more path reaches"
            sentence += [
                ("", f" {again} "), ("name", tail.name), ("", f", and contributions add: {self.slope(tail.name)} = "),
                ("gradient", text), ("", "."),
            ]  # fmt: skip
        else:
            text = self.number(running)
            if self.slope(tail.name) != f"{self.slope(head.name)} · {local}":
                so_far = "" if complete else " so far"
                sentence += [("", f" So {self.slope(tail.name)} = "), ("gradient", text), ("", f"{so_far}.")]
        step = Step("backward", sentence, [edge.tail], [j])
        key: tuple[object, ...] = (
            ("line-gradient", edge.tail, len(tail.lines) - 1) if tail.lines else ("gradient", edge.tail)
        )
        step.changes[key], step.exact[key] = text if not tail.lines else self.number(running), running
        if any(kind == "sent" for _, kind in edge.texts):
            step.changes["sent", j] = self.number(edge.sent)
        step.exact["sent", j] = edge.sent
        return step


def _short(name: str) -> str:
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
    if rate is not None and any(abs(r - rate) > 1e-6 * abs(rate) for r in rates):
        rate = None
    names = Names(before, digits)
    changed.sort(
        key=lambda v: [
            (part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _DIGITS.split(names.name(v))
        ]
    )
    root = visible(before.labels[before.roots[0]] or "output")
    sentence: list[Span] = [("", "Update: ")]
    if rate is not None and rate > 0:
        sentence.append(
            ("", f"each parameter moves against its gradient, w ← w − {number(rate, digits)} · ∂{root}/∂w: ")
        )
    for k, v in enumerate(changed[:8]):
        sentence += [
            ("", ", " if k else ""),
            ("name", names.name(v)),
            ("", ": "),
            ("value", number(before.data[v], digits)),
        ]
        if rate is not None and rate > 0:
            slope = number(before.grad[v], digits)
            sentence += [
                ("", f" − {number(rate, digits)} × "),
                ("gradient", f"({slope})" if slope.startswith("−") else slope),
                ("", " = "),
            ]
        else:
            sentence.append(("", " → "))
        sentence.append(("value", number(after.data[v], digits)))
    sentence.append(("", f", and {len(changed) - 8} more." if len(changed) > 8 else "."))
    step = Step("update", sentence, sorted({cards[v] for v in changed if cards[v] >= 0}))
    for v in changed:
        i = cards[v]
        for c, card in enumerate(scene.cards):
            for k, line in enumerate(card.lines):
                if line.node == v:
                    step.changes["line-value", c, k] = number(after.data[v], digits)
                    step.exact["line-value", c, k] = after.data[v]
        if i >= 0 and scene.cards[i].node == v:
            step.changes["value", i], step.exact["value", i] = number(after.data[v], digits), after.data[v]
    return step
