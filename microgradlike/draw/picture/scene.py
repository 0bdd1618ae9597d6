"""What a picture shows, as plain data: cards, the edges between them with their pills, and a caption.

Made from a Graph and a way of folding it (fold.py). Holds texts and numbers; where things go and what they
look like is for others (layout.py, paint.py), and so is every file format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...ops import Op
from . import expression
from .fold import MOST_IN_SHORT, Folding, Group
from .graph import Graph, Operand
from .text import MINUS, elided, number, ranged, shortened, total, visible

_LAST_NAME = re.compile(r"^.*\.(?=[^\W\d])")  # of the path layers.0.neurons.1.w[2], all but the last name
_TIMES_ONE = re.compile(r"·1(?= |$)")  # a bias enters a dot product with a 1
WIDEST_NAME, WIDEST_HEAD = 180.0, 260.0  # pixels
MOST_LINES = 12
MOST_WIRES = 4  # to one value among folded cards, each for itself


@dataclass(slots=True)
class Line:
    """One value inside a folded card."""

    name: str
    value: str
    gradient: str
    kind: str  # "parameter", "inner", "output", "rest"
    node: int = -1  # −1: stands for several, which are
    nodes: list[int] = field(default_factory=list)
    heat: Heat | None = None


@dataclass(slots=True)
class Heat:
    """Numbers as colours: rows of values and of gradients between −1 and 1, relative to the largest."""

    values: list[list[float]]
    gradients: list[list[float]]


@dataclass(slots=True)
class Card:
    """One value, or a group of them folded into one card.

    Attributes:
        kind: "input", "parameter", "operation", "neuron" or "layer".
        name: short name for sentences and derivatives; label: the user's own text, or None.
        head: the heading; note: a second, smaller heading.
        value, gradient: the numbers as text; exact: (data, grad) of the card's result.
        gradient_name: "∂J/∂a", or "gradient".
        terms: what each path sent back, in the order of the sweep; elsewhere: what came from outside of them.
        lines: what a folded card lists.
        node: the node it shows (a folded card: its result), or −1.
        nodes: all nodes in it. output: whether it is a root.
    """

    kind: str
    name: str
    head: str
    node: int
    nodes: list[int]
    label: str | None = None
    note: str = ""
    value: str = ""
    gradient: str = ""
    gradient_name: str = "gradient"
    exact: tuple[float, float] = (0.0, 0.0)
    terms: list[float] = field(default_factory=list)
    elsewhere: float = 0.0
    lines: list[Line] = field(default_factory=list)
    output: bool = False
    tooltip: str = ""
    band: str = ""
    dimmed: bool = False
    active: str = ""  # a colour: what a step is about


@dataclass(slots=True)
class Edge:
    """A use of one card by another; or a constant, or a leaf that is drawn again, attached to its user.

    Attributes:
        kind: "wire" (runs from card `tail`), "constant", or "again" (card `tail`, drawn again here).
        position: where among the operands of `head`.
        local, sent: the local derivative and the gradient sent back; None where there is none.
        texts: the lines of the pill, each with what it is: "derivative", "sent", "constant", "name".
        count: how many uses it stands for.
    """

    kind: str
    tail: int
    head: int
    position: int
    texts: list[tuple[str, str]] = field(default_factory=list)
    local: float | None = None
    sent: float | None = None
    constant: float | None = None
    count: int = 1
    flow: float = 0.0  # what flows back along it in all, without signs, relative to the most in the picture
    dimmed: bool = False
    lit: bool = False  # on a path that is highlighted
    active: str = ""  # a colour; where it is that of gradients, the arrow points back


@dataclass(slots=True)
class Scene:
    """All of a picture, without geometry."""

    cards: list[Card]
    edges: list[Edge]
    title: str | None
    caption: list[str]
    swept: bool
    legend: bool
    detail: str
    description: str = ""
    flows: bool = True  # edges are as thick as the gradient that flows back; not where the numbers will change


MOST_SHADES = 40  # rows and columns of a heat map


def shades(rows: Sequence[Sequence[int]], numbers: Sequence[float]) -> list[list[float]]:
    """The numbers of some nodes between −1 and 1, relative to the largest; of a large grid the largest of each field.

    >>> shades([[0, 1], [2, 3]], [1.0, -4.0, 0.0, math.inf])
    [[0.25, -1.0], [0.0, nan]]
    """
    tall, wide = math.ceil(len(rows) / MOST_SHADES), math.ceil(max(map(len, rows)) / MOST_SHADES)
    found: list[list[float]] = []
    for top in range(0, len(rows), tall):
        fields: dict[int, float] = {}
        for row in rows[top : top + tall]:
            for k, v in enumerate(row):
                x = numbers[v]
                if not abs(x) <= abs(fields.get(k // wide, 0.0)):  # nan wins, too
                    fields[k // wide] = x
                else:
                    fields.setdefault(k // wide, x)
        found.append(list(fields.values()))
    most = max((abs(x) for row in found for x in row if math.isfinite(x)), default=0.0) or 1.0
    return [[x / most if math.isfinite(x) else math.nan for x in row] for row in found]


class Names:
    """What nodes are called: by label, or else by their expression, shortened."""

    def __init__(self, graph: Graph, digits: int) -> None:
        self.graph = graph
        self.digits = digits
        self._names: dict[int, str] = {}

    def label(self, node: int) -> str | None:
        """The user's label made visible; of a dotted path of a module, the last part."""
        label = self.graph.labels[node]
        if label is None or not label.strip():
            return None
        if self.graph.kinds[node] == "parameter":
            label = _LAST_NAME.sub("", label)
        return shortened(visible(label), WIDEST_NAME, 13, bold=True)

    def name(self, node: int, depth: int = 2) -> str:
        """A short text for a node inside an expression; deeper than `depth`, "…"."""
        if node in self._names:
            return self._names[node]
        found = self.label(node)
        if found is None:
            row = self.graph.rows[node]
            if row is None:
                found = number(self.graph.data[node], self.digits)
            elif (begun := self.begun(node)) is not None:
                found = self.name(begun, depth)
            elif depth == 0:
                return "…"
            else:
                found = elided(self.expression(node, depth - 1), WIDEST_NAME, 13, bold=True)
        if depth == 2:
            self._names[node] = found
        return found

    def begun(self, node: int) -> int | None:
        """x of the 0 + x that Python's sum begins with, which nobody wrote."""
        row, operands = self.graph.rows[node], self.graph.operands[node]
        if row is None or row.name != "add" or self.graph.labels[node] is not None:
            return None
        first, second = operands
        return second if type(second) is int and type(first) is not int and first == 0.0 else None

    def expression(self, node: int, depth: int = 2) -> str:
        """The operation of a node, written with its operands' names."""
        row, operands = self.graph.rows[node], self.graph.operands[node]
        assert row is not None

        def name(i: int) -> str:
            x = operands[i]
            return self.name(x, depth) if type(x) is int else number(x, self.digits)

        return self._written(row, operands, name)

    def _written(self, row: Op, operands: Sequence[Operand], name: Callable[[int], str]) -> str:
        text = expression.described(row, len(operands), name)
        return _TIMES_ONE.sub("", text) if row.name == "dot" and 1.0 in operands[len(operands) // 2 :] else text

    def unfolded(self, node: int, inside: set[int], depth: int = 6) -> str:
        """The expression of a folded card's result, its own unnamed steps written out."""
        row, operands = self.graph.rows[node], self.graph.operands[node]
        assert row is not None

        def name(i: int) -> str:
            x = operands[i]
            if type(x) is not int:
                return number(x, self.digits)
            begun = self.begun(x) if x in inside else None
            x = x if begun is None else begun
            if self.graph.labels[x] is None and self.graph.rows[x] is not None:
                return self.unfolded(x, inside, depth - 1) if x in inside and depth else "…"
            return self.name(x)

        return self._written(row, operands, name)


def scene(
    graph: Graph,
    folding: Folding,
    *,
    title: str | None = None,
    legend: bool = False,
    local_derivatives: bool | None = None,
    highlight: Sequence[int] = (),
    lit: set[tuple[int, int]] | None = None,
    digits: int = 4,
) -> Scene:
    """The picture of `graph`, folded as `folding` says; of what is highlighted, only the uses in `lit` if given."""
    return _Builder(graph, folding, digits, local_derivatives).build(title, legend, highlight, lit)


class _Builder:
    def __init__(self, graph: Graph, folding: Folding, digits: int, local_derivatives: bool | None) -> None:
        self.graph = graph
        self.folding = folding
        self.digits = digits
        self.names = Names(graph, digits)
        self.pills = folding.pills if local_derivatives is None else local_derivatives and not folding.coarse
        root = graph.roots[0]
        alone = len(graph.roots) == 1 and (not graph.swept or graph.grad[root] == 1.0)
        self.root_name = self.names.label(root) if alone else None
        self.cards: list[Card] = []
        self.edges: list[Edge] = []
        self.caption: list[str] = []
        self.somewhere_else = False
        self.derives = not folding.coarse and not graph.stale
        self.locals: list[Sequence[float | None]] = []
        self.sent: list[Sequence[float | None]] = []
        if self.derives:
            self.locals = [graph.derivatives(node) for node in range(len(graph))]
            if graph.swept:
                self.sent = [graph.sent(node) for node in range(len(graph))]
        self.flows: dict[int, Sequence[float | None]] = {}
        self.folded_sweeps: dict[int, tuple[dict[int, float], dict[int, float]]] = {}

    def number(self, x: float) -> str:
        return number(x, self.digits)

    def build(
        self, title: str | None, legend: bool, highlight: Sequence[int], lit: set[tuple[int, int]] | None
    ) -> Scene:
        graph, folding = self.graph, self.folding
        self.cards = [self.card(group) for group in folding.groups]
        self.join()
        if self.derives and graph.swept:
            self.add_up()
        for card in self.cards:
            self.describe(card)
        if highlight:
            self.dim(highlight, lit)
        if graph.stale:
            self.caption.append(
                "a leaf was assigned after this graph was computed: computed values are the old ones, "
                "and edges show no derivatives"
            )
        if not graph.swept:
            self.caption.append("backward() has not run: there are no gradients yet")
        if self.somewhere_else:
            self.caption.append("“elsewhere”: gradient from an earlier backward() or from uses outside of this picture")
        if any(line.heat for card in self.cards for line in card.lines):
            self.caption.append("in the grids, stronger is larger, and grey is negative")
        self.caption = [*folding.notes, *self.caption]
        n, e = len(graph), graph.edges
        what = f"Computation graph of {self.root_name or 'a computation'}: {n:,} values, {e:,} edges"
        return Scene(self.cards, self.edges, title, self.caption, graph.swept, legend, folding.detail, what)

    # ── cards ───────────────────────────────────────────────────────────────────────────────────
    def card(self, group: Group) -> Card:
        if group.kind == "layer":
            return self.layer(group)
        graph, names, node = self.graph, self.names, group.result
        label = names.label(node)
        output = node in graph.roots
        if graph.rows[node] is None:
            what = graph.kinds[node] if graph.kinds[node] in ("input", "parameter") else "input"
            head, name = label or what, label or f"{what} {names.name(node)}"
        else:
            expr = names.unfolded(node, set(group.nodes)) if group.kind == "neuron" else names.expression(node)
            head = f"{label} = {expr}" if label else expr
            name = label or names.name(node)
        card = Card(
            kind=group.kind,
            name=name,
            head=elided(head, WIDEST_HEAD, 13, bold=True),
            node=node,
            nodes=group.nodes,
            label=graph.labels[node],
            value=self.number(graph.data[node]),
            gradient=self.number(graph.grad[node]) if graph.swept else "–",
            gradient_name=self.gradient_name(label),
            exact=(graph.data[node], graph.grad[node]),
            output=output,
            band=group.band,
        )
        if group.kind == "neuron":
            card.note = shortened(visible(group.title), WIDEST_HEAD, 10)
            card.lines = self.lines(group)
        return card

    def gradient_name(self, label: str | None) -> str:
        if label is None or self.root_name is None:
            return "gradient"
        return f"∂{self.root_name}/∂{label}"

    def lines(self, group: Group) -> list[Line]:
        graph = self.graph
        lines: list[Line] = []
        listed = group.listed[:MOST_LINES] if len(group.listed) > MOST_LINES + 1 else group.listed
        if self.folding.short and len(group.listed) > MOST_IN_SHORT:
            listed = []
        for node in listed:
            kind = graph.kinds[node] if graph.rows[node] is None else "inner"
            name = self.names.label(node) or self.names.name(node)
            gradient = self.number(graph.grad[node]) if graph.swept else "–"
            lines.append(Line(shortened(name, 90, 11), self.number(graph.data[node]), gradient, kind, node))
        rest = group.listed[len(listed) :]
        if rest:
            values, gradients = [graph.data[v] for v in rest], [graph.grad[v] for v in rest]
            lines.append(
                Line(
                    f"{len(rest):,} more" if listed else f"{len(rest):,} inside",
                    self.range(values),
                    self.range(gradients) if graph.swept else "–",
                    "rest",
                    nodes=rest,
                    heat=None if listed else self.heat([rest]),
                )
            )
        node = group.result
        name = self.names.label(node) or "output"
        gradient = self.number(graph.grad[node]) if graph.swept else "–"
        lines.append(Line(shortened(name, 90, 11, bold=True), self.number(graph.data[node]), gradient, "output", node))
        return lines

    def range(self, numbers: Sequence[float]) -> str:
        return ranged(numbers, self.digits)

    def heat(self, rows: Sequence[Sequence[int]]) -> Heat | None:
        """Nodes in rows as colours; of a large matrix, the largest of each field of it."""
        if not rows or not any(rows) or (self.folding.coarse and self.folding.short):
            return None
        gradients = shades(rows, self.graph.grad) if self.graph.swept else []
        return Heat(shades(rows, self.graph.data), gradients)

    def layer(self, group: Group) -> Card:
        graph = self.graph
        values = [graph.data[v] for v in group.outputs]
        gradients = [graph.grad[v] for v in group.outputs]
        head = shortened(visible(group.title), WIDEST_HEAD, 13, bold=True)
        card = Card("layer", head, head, group.result, group.nodes)
        card.note = group.subtitle
        card.output = (
            any(v in graph.roots for v in group.outputs) if len(graph.roots) < 50 else group.result in graph.roots
        )
        card.value, card.gradient = self.range(values), self.range(gradients) if graph.swept else "–"
        if len(group.outputs) == 1:
            card.exact = (values[0], gradients[0])
            card.label = graph.labels[group.outputs[0]]
        for name, rows in group.matrices:
            nodes = [v for row in rows for v in row]
            slope = self.range([graph.grad[v] for v in nodes]) if graph.swept else "–"
            given = self.range([graph.data[v] for v in nodes])
            what = shortened(visible(name), 90, 11)
            card.lines.append(Line(what, given, slope, "parameter", nodes=nodes, heat=self.heat(rows)))
        if group.listed and not group.matrices:
            numbers = [graph.data[v] for v in group.listed]
            slopes = [graph.grad[v] for v in group.listed]
            what = f"{len(group.listed):,} parameters" if len(group.listed) > 1 else "1 parameter"
            gradient = self.range(slopes) if graph.swept else "–"
            heat = self.heat(group.rows)
            card.lines.append(Line(what, self.range(numbers), gradient, "parameter", nodes=group.listed, heat=heat))
        what = f"{len(group.outputs):,} values" if len(group.outputs) != 1 else "value"
        wide = max(group.wide, 1)
        rows = [group.outputs[k : k + wide] for k in range(0, len(group.outputs), wide)]
        heat = self.heat(rows) if len(group.outputs) > 1 else None
        card.lines.append(Line(what, card.value, card.gradient, "output", nodes=group.outputs, heat=heat))
        return card

    # ── edges ───────────────────────────────────────────────────────────────────────────────────
    def join(self) -> None:
        """Every use between cards as an edge; the uses of one value by a folded card as one edge."""
        graph, folding = self.graph, self.folding
        folded: dict[tuple[int, int], Edge] = {}
        arrivals: dict[int, int] = {}  # how many edges a folded card has so far
        for user in range(len(graph)):
            head = folding.group_of[user]
            alone = head >= 0 and folding.groups[head].kind not in ("neuron", "layer")
            crowded = alone and folding.coarse and len(graph.operands[user]) > MOST_WIRES
            for position, x in enumerate(graph.operands[user]):
                if type(x) is not int:
                    if alone and not crowded and not self.is_plain_constant(user, position):
                        pill = [(self.number(x), "constant")]
                        self.edges.append(Edge("constant", -1, head, position, pill, constant=x))
                    continue
                tail = folding.group_of[x]
                if tail in (head, -1) or head < 0:
                    continue
                if alone and not crowded:
                    edge = Edge("again" if x in folding.again else "wire", tail, head, position)
                    edge.local, edge.sent = self.local_and_sent(user, position)
                else:
                    key = (tail if folding.coarse else x, head)
                    if key in folded:
                        folded[key].count += 1
                        folded[key].flow += self.flow(user, position)
                        continue
                    edge = folded[key] = Edge("wire", tail, head, arrivals.get(head, 0))
                    arrivals[head] = edge.position + 1
                    edge.local, edge.sent = self.through(head, x)
                edge.flow += self.flow(user, position)
                self.edges.append(edge)
                self.write_pill(edge, x)
        most = max((edge.flow for edge in self.edges if edge.flow < math.inf), default=0.0) or 1.0
        for edge in self.edges:
            edge.flow = min(edge.flow / most, 1.0)

    def flow(self, user: int, position: int) -> float:
        """How much of the gradient one use sends back, without its sign; 0 where that is not known."""
        if not self.graph.swept or self.graph.stale:
            return 0.0
        if self.folding.coarse and user not in self.flows:
            self.flows[user] = self.graph.sent(user)
        sent = (self.flows[user] if self.folding.coarse else self.sent[user])[position]
        return 0.0 if sent is None else math.inf if sent != sent else abs(sent)

    def is_plain_constant(self, user: int, position: int) -> bool:
        """Whether a constant needs no pill: an index, which the expression shows, or the 1 of a bias."""
        row = self.graph.rows[user]
        if row is None or row.arity is not None:
            return False
        if row.name == "dot" and self.graph.operands[user][position] == 1.0:
            return True
        return self.derives and self.locals[user][position] is None

    def local_and_sent(self, user: int, position: int) -> tuple[float | None, float | None]:
        """The local derivative of a node by one operand, and the gradient that it sends back there."""
        if not self.derives:
            return None, None
        return self.locals[user][position], self.sent[user][position] if self.graph.swept else None

    def through(self, head: int, source: int) -> tuple[float | None, float | None]:
        """The derivative of a folded card's result by one of its sources, and what the card sends back to it."""
        if not self.derives:
            return None, None
        if head not in self.folded_sweeps:
            self.folded_sweeps[head] = self.sweep_through(self.folding.groups[head])
        slopes, sent = self.folded_sweeps[head]
        return slopes.get(source), sent.get(source) if self.graph.swept else None

    def sweep_through(self, group: Group) -> tuple[dict[int, float], dict[int, float]]:
        """For each value that a group uses: d(result)/d(value), and what the group's uses of it send back in all."""
        graph = self.graph
        arrived = graph.pulled(group.nodes, {group.result: 1.0})
        slopes, sent = {group.result: 1.0}, dict[int, float]()
        for node in sorted(group.nodes, reverse=True):
            for k, (x, local) in enumerate(zip(graph.operands[node], self.locals[node], strict=False)):
                if type(x) is not int or local is None:
                    continue
                slopes[x] = arrived.get(x, 0.0)
                if graph.swept and (c := self.sent[node][k]) is not None:
                    sent[x] = sent.get(x, 0.0) + c
        return slopes, sent

    def write_pill(self, edge: Edge, source: int) -> None:
        if edge.kind == "again":
            edge.texts.append((f"{self.names.name(source)} = {self.number(self.graph.data[source])}", "name"))
        if not self.pills or edge.local is None:
            return
        head = self.names.label(self.folding.groups[edge.head].result)
        tail = self.names.label(source)
        named = f"∂{head}/∂{tail} =" if head and tail else "×"
        edge.texts.append((f"{named} {self.number(edge.local)}", "derivative"))
        edge.texts.append((self.number(edge.sent) if edge.sent is not None else "–", "sent"))

    def add_up(self) -> None:
        """Where paths meet, the sum: what each sent, in the order in which the sweep adds."""
        groups = self.folding.groups
        for edge in sorted(self.edges, key=lambda edge: -groups[edge.head].result):
            if edge.kind != "constant" and edge.sent is not None:
                self.cards[edge.tail].terms.append(edge.sent)
        for card in self.cards:
            if card.output or not card.terms:
                continue
            gathered, grad = sum(card.terms), card.exact[1]
            exact = gathered == grad or gathered != gathered
            if not exact and abs(gathered - grad) > 1e-9 * max(abs(grad), *map(abs, card.terms)):
                card.elsewhere = grad - gathered
                self.somewhere_else = True
                terms = f" + {total(card.terms, grad, self.digits)}".replace(f" + {MINUS}", f" {MINUS} ", 1)
                card.gradient = f"{self.number(card.elsewhere)} elsewhere{terms}"
            elif len(card.terms) > 1 and not card.lines:
                card.gradient = total(card.terms, grad, self.digits)

    # ── the rest ────────────────────────────────────────────────────────────────────────────────
    def describe(self, card: Card) -> None:
        """The tooltip: everything in full."""
        lines = [visible(card.label)] if card.label else [card.head]
        if card.label and card.head != card.label:
            lines.append(card.head)
        if card.kind == "layer":
            lines += [card.note, *(f"{line.name}: value {line.value}, gradient {line.gradient}" for line in card.lines)]
        else:
            lines.append(f"value {card.exact[0]!r}")
            lines.append(f"gradient {card.exact[1]!r}" if self.graph.swept else "gradient – (backward has not run)")
            row = self.graph.rows[card.node]
            if row is not None:
                lines.append(f"{row.name}: {row.doc}" if row.doc else row.name)
        card.tooltip = "\n".join(line for line in lines if line)

    def dim(self, highlight: Sequence[int], lit: set[tuple[int, int]] | None) -> None:
        """The paths from the highlighted cards to an output are lit; what is on none steps back."""
        group_of, groups = self.folding.group_of, self.folding.groups
        if lit is None:
            ways = {(edge.tail, edge.head) for edge in self.edges if edge.kind != "constant"}
        else:
            ways = {(group_of[x], group_of[v]) for v, k in lit if type(x := self.graph.operands[v][k]) is int}
        on_path = {group_of[node] for node in highlight}
        after: dict[int, list[int]] = {}
        for tail, head in ways:
            after.setdefault(tail, []).append(head)
        stack = list(on_path)
        while stack:
            for head in after.get(stack.pop(), ()):
                if head not in on_path:
                    on_path.add(head)
                    stack.append(head)
        for i, card in enumerate(self.cards):
            card.dimmed = i not in on_path
        for edge in self.edges:
            edge.lit = (edge.tail, edge.head) in ways and edge.tail in on_path
            if edge.lit and lit is not None and groups[edge.head].kind not in ("neuron", "layer"):
                edge.lit = (groups[edge.head].result, edge.position) in lit
            edge.dimmed = not edge.lit
