"""From a scene to shapes: how large cards and pills are, where the layout puts them, how they look."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from .font import width
from .layout import Box, Layout, Link, in_rows, layered
from .scene import Card, Edge, Line, Scene
from .shapes import Canvas, Mark, Path, Point, Rect, Shape, Text, line
from .text import shortened, visible

HEADER, ROW, NOTE, LINE, COLUMNS = 25.0, 20.0, 14.0, 18.0, 16.0  # heights of a card's parts
PAD = 10.0  # beside texts
SIDE = 18.0  # around the picture
ENTRY = 18.0  # between a pill and its card
BETWEEN = 5.0  # between pills of one card
PLAIN_SLOT = 15.0  # what an edge without a pill takes beside a card
RADIUS = {"input": 14.0}
PILL_SIZES = {"derivative": (10.5, False), "sent": (11.0, True), "constant": (12.0, False), "name": (11.0, True)}
PILL_LINE = 14.0
BACK = 10.0  # the arrow before a gradient that flows back

PAPERS = {"input": "input_paper", "parameter": "parameter_paper"}
LINES = {"input": "input_line", "parameter": "parameter_line"}


@dataclass(slots=True)
class Slot:
    """The place of one operand beside its card: a pill, or just an arrow."""

    edge: Edge
    number: int
    width: float
    height: float
    across: float = 0.0  # from the card's centre
    port: float = 0.0
    slack: float = 0.0  # how far it may move to make its edge straight


@dataclass(slots=True)
class Frame:
    """The size of a card and of its attachments."""

    width: float
    height: float
    slots: list[Slot] = field(default_factory=list)
    entry: float = ENTRY  # between its pills and itself
    lead: float = 0.0  # the room that its pills take before it; 0 if it has none, and its edges arrive at itself
    columns: tuple[float, float] = (0.0, 0.0)  # of a folded card: where values and gradients end, from its right


def paint(scene: Scene, direction: str = "LR", widest: float = math.inf) -> Canvas:
    """Lay the scene out, reading left to right ("LR") or top to bottom ("TB"), and paint it; see `Painter`."""
    return Painter(scene, direction, widest=widest).canvas()


class Painter:
    """One picture in the making; `plan` and `frames` are there for whoever wants to know where things are."""

    def __init__(self, scene: Scene, direction: str, others: Sequence[Scene] = (), widest: float = math.inf) -> None:
        """Make room for `scene`, and for the numbers of `others`, which have the same structure.

        A picture wider than `widest` goes on in a second row, where that is easy to read.
        """
        self.scene, self.widest = scene, widest
        self.sideways = direction == "LR"
        self.frames = [self.measure(card) for card in scene.cards]
        for other in others:
            for frame, card in zip(self.frames, other.cards, strict=True):
                wanted = self.measure(card)
                frame.width = max(frame.width, wanted.width)
                if wanted.columns > frame.columns:
                    frame.columns = wanted.columns
        self.bare = not any(edge.texts for edge in scene.edges)
        for number, edge in enumerate(scene.edges):
            w, h = self.pill_size(edge)
            w = max([w, *(self.pill_size(other.edges[number])[0] for other in others)])
            self.frames[edge.head].slots.append(Slot(edge, number, w, h))
        for frame in self.frames:
            self.stack(frame)
        self.plan = self.place()

    # ── sizes ───────────────────────────────────────────────────────────────────────────────────
    def measure(self, card: Card) -> Frame:
        head = width(card.head, 13, bold=True) + 2 * PAD + 4
        if not card.lines:
            value = width("value", 10) + 10 + width(card.value, 13, bold=True)
            gradient = width(card.gradient_name, 10) + 10 + width(card.gradient, 13, bold=True)
            return Frame(round(max(head, value + 2 * PAD, gradient + 2 * PAD, 72.0)), HEADER + 2 * ROW)
        names = max(width(line.name, 11, bold=line.kind == "output") for line in card.lines)
        values = max([width("value", 10), *(width(line.value, 11.5, bold=True) for line in card.lines)])
        gradients = max(
            [width(self.gradient_title(card), 10), *(width(line.gradient, 11.5, bold=True) for line in card.lines)]
        )
        table = names + values + gradients + 28 + 2 * PAD
        table = max([table, *(2 * heat_wide(entry) + 12 + 2 * PAD for entry in card.lines)])
        note = width(card.note, 10) + 2 * PAD if card.note else 0.0
        w = round(max(head, table, note, 96.0))
        h = (
            HEADER
            + (NOTE if card.note else 0.0)
            + COLUMNS
            + LINE * len(card.lines)
            + sum(map(heat_tall, card.lines))
            + 3
        )
        return Frame(w, h, columns=(PAD + gradients + 14, PAD))

    def gradient_title(self, card: Card) -> str:
        name = card.gradient_name
        return name.split("/")[0] + "/∂·" if "/∂" in name else "gradient"

    def pill_size(self, edge: Edge) -> tuple[float, float]:
        if not edge.texts:
            return 0.0, PLAIN_SLOT
        widest = 0.0
        for text, kind in edge.texts:
            size, bold = PILL_SIZES[kind]
            widest = max(widest, width(text, size, bold) + (BACK if kind == "sent" else 0.0))
        tall = PILL_LINE * len(edge.texts) + 6
        return round(widest + 14), tall if len(edge.texts) > 1 else 22.0

    def stack(self, frame: Frame) -> None:
        """Operands in order beside the card, around its middle; ports where their edges meet the card."""
        frame.slots.sort(key=lambda slot: slot.edge.position)
        slots = frame.slots
        if not slots:
            return
        side = frame.height if self.sideways else frame.width
        if not any(slot.edge.texts for slot in slots):
            room = min(PLAIN_SLOT, (side - 16) / len(slots))
            for i, slot in enumerate(slots):
                slot.across = slot.port = (i - (len(slots) - 1) / 2) * room
                slot.slack = 0.45 * room
            return
        sizes = [slot.height if self.sideways else max(slot.width, PLAIN_SLOT) for slot in slots]
        total = sum(sizes) + BETWEEN * (len(slots) - 1)
        at = -total / 2
        reach = side / 2 - 12
        if self.sideways:  # pills of one card are equally wide
            widest = max((slot.width for slot in slots if len(slot.edge.texts) > 1), default=0.0)
            for slot in slots:
                if len(slot.edge.texts) > 1:
                    slot.width = widest
        for slot, size in zip(slots, sizes, strict=True):
            slot.across = at + size / 2
            at += size + BETWEEN
        extreme = max(abs(slot.across) for slot in slots)
        squeeze = reach / extreme if extreme > reach else 1.0
        frame.entry = ENTRY + min(24.0, 0.2 * max(extreme - reach, 0.0))
        frame.lead = frame.entry + max(self.pill_length(slot) for slot in slots)
        for slot in slots:
            slot.port = slot.across * squeeze

    # ── places ──────────────────────────────────────────────────────────────────────────────────
    def place(self) -> Layout:
        boxes, links = [], []
        for frame in self.frames:
            along, across = (frame.width, frame.height) if self.sideways else (frame.height, frame.width)
            if frame.lead:
                first, last = frame.slots[0], frame.slots[-1]
                for slot, sign in ((first, -1), (last, 1)):
                    size = slot.height if self.sideways else slot.width
                    across = max(across, 2 * (sign * slot.across + size / 2))
            boxes.append(Box(along, across, frame.lead, grows=self.sideways))
        for head, frame in enumerate(self.frames):
            staged = frame.lead > 0
            for slot in frame.slots:
                if slot.edge.kind == "wire":
                    entry = frame.entry + self.pill_length(slot) if staged else 0.0
                    links.append(Link(slot.edge.tail, head, slot.across, entry, slot.slack))
        if self.sideways:
            plan = layered(boxes, links, space=16, gap=34 if self.bare else 26)
            return in_rows(plan, boxes, links, self.widest - 2 * SIDE)
        return layered(boxes, links, space=22, gap=30 if self.bare else 22)

    def pill_length(self, slot: Slot) -> float:
        if not slot.edge.texts:
            return 0.0
        return slot.width if self.sideways else slot.height

    def xy(self, along: float, across: float) -> Point:
        return (along + self.left, across + self.top) if self.sideways else (across + self.left, along + self.top)

    # ── painting ────────────────────────────────────────────────────────────────────────────────
    def canvas(self) -> Canvas:
        scene, plan = self.scene, self.plan
        inner = plan.extent if self.sideways else plan.extent[::-1]
        title = wrapped(visible(scene.title), 18, max(inner[0], 480.0), bold=True) if scene.title else []
        least = 300.0 if scene.caption or scene.legend else 0.0
        wide = max([inner[0], least, *(width(text, 18, bold=True) for text in title)])
        self.left, self.top = SIDE + (wide - inner[0]) / 2, SIDE + (24.0 * len(title) + 14.0 if title else 0.0)
        bands = self.bands()
        above = min([0.0, *(band.y - self.top for band in bands)])
        if above < 0:
            self.top -= above
            bands = self.bands()
        shapes: list[Shape] = []
        for k, text in enumerate(title):
            shapes.append(Text(SIDE, SIDE + 16 + 24 * k, text, 18, "ink", bold=True, name="title"))
        for band in bands:
            name = shortened(visible(band.name.removeprefix("band ")), band.width - 24, 11, bold=True)
            shapes += [band, Text(band.x + 12, band.y + 16, name, 11, "muted", bold=True, name="band-title")]
        wires: list[Shape] = []
        routes = iter(plan.routes)
        for head, frame in enumerate(self.frames):
            for slot in frame.slots:
                route = next(routes) if slot.edge.kind == "wire" else []
                wires.append(self.edge(head, slot, route))
        cards: list[Shape] = [self.card(i) for i in range(len(scene.cards))]
        shapes += [*wires, *cards]
        y = self.top + inner[1] + 14
        if scene.legend:
            y = self.legend(shapes, y + 16, wide) + 4
        for note in scene.caption:
            for text in wrapped(note, 11, wide):
                y += 16
                shapes.append(Text(SIDE, y, text, 11, "muted", name="caption"))
        bottom = y + (SIDE - 6 if scene.caption or scene.legend else 4)
        return Canvas(
            math.ceil(wide + 2 * SIDE), math.ceil(bottom), shapes, scene.title or "Computation graph", scene.description
        )

    def corner(self, i: int) -> tuple[float, float, float, float]:
        """x, y, width, height of card i."""
        frame, plan = self.frames[i], self.plan
        w, h = (plan.length[i], frame.height) if self.sideways else (frame.width, frame.height)
        across = h if self.sideways else w
        x, y = self.xy(plan.along[i], plan.across[i] - across / 2)
        return x, y, w, h

    def card(self, i: int) -> Mark:
        card, frame = self.scene.cards[i], self.frames[i]
        x, y, w, h = self.corner(i)
        radius = RADIUS.get(card.kind, 5.0)
        paper = PAPERS.get(card.kind, "card")
        edge = LINES.get(card.kind, "line")
        if card.output:
            paper, edge = "output_paper", "output_line"
        shapes: list[Shape] = []
        if card.lines:
            shapes.append(Rect(x, y, w, h, radius, fill="card"))
            head = HEADER + (NOTE if card.note else 0.0)
            shapes.append(Path(rounded(x, y, w, head, radius, 0), fill=paper))
            self.table(shapes, card, frame, x, y + head, w)
        else:
            shapes.append(Path(rounded(x, y, w, HEADER, radius, 0), fill=paper))
            shapes.append(Rect(x, y + HEADER, w, ROW, fill="value_paper"))
            shapes.append(Path(rounded(x, y + HEADER + ROW, w, ROW, 0, radius), fill="gradient_paper"))
            for at, name, text, role in (
                (HEADER, "value", card.value, "value"),
                (HEADER + ROW, card.gradient_name, card.gradient, "gradient"),
            ):
                shapes.append(Text(x + PAD, y + at + 14, name, 10, role, name=f"{role}-name"))
                shapes.append(Text(x + w - PAD, y + at + 14.5, text, 13, role, bold=True, anchor="end", name=role))
        if card.kind == "parameter":
            shapes.append(Path(rounded(x, y, 5, h, radius, radius, right=False), fill="parameter_line"))
        shapes.append(Text(x + w / 2, y + 17, card.head, 13, "ink", bold=True, anchor="middle", name="head"))
        if card.note:
            shapes.append(Text(x + w / 2, y + HEADER + 7, card.note, 10, "muted", anchor="middle", name="note"))
        thick = 2.6 if card.output else 1.3
        if card.active:
            edge, thick = card.active, 4.0
        shapes.append(Rect(x, y, w, h, radius, stroke=edge, line=thick, name="frame"))
        data = {
            "card": str(i),
            "kind": card.kind,
            "data": repr(card.exact[0]),
            "grad": repr(card.exact[1]) if self.scene.swept else "",
        }
        if card.label is not None:
            data["label"] = card.label
        return Mark(shapes, f"card {card.kind}" + (" output" if card.output else ""), card.tooltip, data, card.dimmed)

    def table(self, shapes: list[Shape], card: Card, frame: Frame, x: float, y: float, w: float) -> None:
        middle, right = x + w - frame.columns[0], x + w - frame.columns[1]
        shapes.append(Path(line([(x, y), (x + w, y)]), stroke="faint"))
        shapes.append(Text(middle, y + 12, "value", 10, "value", anchor="end"))
        shapes.append(Text(right, y + 12, self.gradient_title(card), 10, "gradient", anchor="end"))
        y += COLUMNS
        for entry in card.lines:
            paper = {"parameter": "parameter_paper", "output": "output_paper" if card.output else "value_paper"}.get(
                entry.kind
            )
            last = entry.kind == "output"
            if paper:
                deep = LINE + heat_tall(entry) + (3 if last else 0)
                shapes.append(Path(rounded(x, y, w, deep, 0, 5 if last else 0), fill=paper))
            if entry.kind == "parameter":
                shapes.append(Rect(x, y, 4, LINE + heat_tall(entry), fill="parameter_line"))
            tall = heat_tall(entry)
            mark: list[Shape] = [
                Text(x + PAD, y + 13, entry.name, 11, "ink", bold=last, name="line-name"),
                Text(middle, y + 13, entry.value, 11.5, "value", bold=True, anchor="end", name="value"),
                Text(right, y + 13, entry.gradient, 11.5, "gradient", bold=True, anchor="end", name="gradient"),
            ]
            shapes.append(Mark(mark, "line", data={"node": str(entry.node)} if entry.node >= 0 else {}))
            if entry.heat:
                side = heat_side(entry)
                shapes += heat(entry.heat.values, x + PAD, y + LINE, side, "value")
                wide = side * max(map(len, entry.heat.values))
                shapes += heat(entry.heat.gradients, right - wide, y + LINE, side, "gradient")
            y += LINE + tall

    def edge(self, head: int, slot: Slot, route: Sequence[Point]) -> Mark:
        edge, plan = self.scene.edges[slot.number], self.plan
        shapes: list[Shape] = []
        dashed = edge.kind == "constant" or (
            edge.kind == "wire"
            and edge.local is None
            and not edge.texts
            and self.scene.detail not in ("layers", "parts")
            and not self.bare
        )
        thick = 3.0 if edge.active else 1.4 if edge.count == 1 else 2.2
        if self.scene.swept and self.scene.flows and not edge.active:
            thick = 1.1 + 2.6 * edge.flow

        if edge.lit:
            thick = max(thick, 2.6)
        colour, back = edge.active or ("gradient" if edge.lit else "line"), edge.active == "gradient"

        def wire(points: Sequence[Point], tip: bool) -> None:
            path = self.curve(points, short=7.0 if tip and not back else 0.0)
            shapes.append(Path(path, stroke=colour, width=thick, dashed=dashed, name="wire"))
            if tip and not back:
                shapes.append(self.arrow(*points[-1], colour))

        frame = self.frames[head]
        staged = frame.lead > 0
        if route:
            wire(route, tip=not staged)
            if back:  # a gradient arrives where the wire begins
                shapes.append(self.arrow(*route[0], colour, back=True))
        if staged:  # on to the pill, and from there to the card
            at_card, middle = plan.along[head], plan.across[head]
            wire([(at_card - frame.entry, middle + slot.across), (at_card, middle + slot.port)], tip=True)
            if edge.texts:
                along = at_card - frame.entry - self.pill_length(slot) / 2
                self.pill(shapes, edge, *self.xy(along, middle + slot.across), slot)
        data = {"edge": str(slot.number), "head": str(head), "tail": str(edge.tail), "position": str(edge.position)}
        if edge.constant is not None:
            data["constant"] = repr(edge.constant)
        if edge.local is not None:
            data["local"] = repr(edge.local)
        if edge.sent is not None:
            data["sent"] = repr(edge.sent)
        tooltip = self.edge_tooltip(edge)
        return Mark(shapes, f"edge {edge.kind}", tooltip, data, edge.dimmed)

    def edge_tooltip(self, edge: Edge) -> str:
        cards = self.scene.cards
        if edge.kind == "constant":
            return f"constant {edge.constant!r}"
        lines = [f"{cards[edge.tail].name} → {cards[edge.head].name}"]
        if edge.count > 1:
            lines.append(f"{edge.count:,} uses")
        if edge.local is not None:
            lines.append(f"local derivative {edge.local!r}")
        if edge.sent is not None:
            lines.append(f"gradient sent back {edge.sent!r}")
        return "\n".join(lines)

    def pill(self, shapes: list[Shape], edge: Edge, cx: float, cy: float, slot: Slot) -> None:
        w, h = slot.width, slot.height
        x, y = cx - w / 2, cy - h / 2
        if edge.kind == "constant":
            shapes.append(Rect(x, y, w, h, h / 2, fill="paper", stroke="line", line=1.2, dashed=True, name="pill"))
        elif edge.kind == "again":
            kind = self.scene.cards[edge.tail].kind
            paper, border = PAPERS.get(kind, "card"), LINES.get(kind, "line")
            radius = min(h / 2, 11) if kind == "input" else 5
            shapes.append(Rect(x, y, w, h, radius, fill=paper, stroke=border, line=1.1, name="pill"))
        else:
            shapes.append(Rect(x, y, w, h, 7, fill="paper", stroke="faint", line=1.2, name="pill"))
        top = cy - PILL_LINE * len(edge.texts) / 2
        for i, (text, kind) in enumerate(edge.texts):
            size, bold = PILL_SIZES[kind]
            baseline = top + PILL_LINE * i + 10.5
            if not text:
                continue
            if kind == "sent":
                start = cx - (width(text, size, bold) + BACK) / 2
                middle = baseline - 3.9
                tip = [(start, middle), (start + 6.5, middle - 3.6), (start + 6.5, middle + 3.6)]
                if not self.sideways:
                    tip = [(start + 3.2, middle - 3.4), (start, middle + 3.0), (start + 6.5, middle + 3.0)]
                shapes.append(Path([*line(tip), ("Z",)], fill="gradient", name="back"))
                shapes.append(Text(start + BACK, baseline, text, size, "gradient", bold=True, name="sent"))
            else:
                colour = "ink" if kind == "name" else "muted"
                shapes.append(Text(cx, baseline, text, size, colour, bold=bold, anchor="middle", name=kind))

    def curve(self, points: Sequence[Point], short: float = 0.0) -> list[tuple[object, ...]]:
        """A path through points that leaves and arrives straight; `short` of its end, for an arrow."""
        points = [*points[:-1], (points[-1][0] - short, points[-1][1])] if short else list(points)
        commands: list[tuple[object, ...]] = [("M", *self.xy(*points[0]))]
        for (a0, c0), (a1, c1) in itertools.pairwise(points):
            if abs(c1 - c0) < 1e-6:
                commands.append(("L", *self.xy(a1, c1)))
            else:
                middle = (a0 + a1) / 2
                commands.append(("C", *self.xy(middle, c0), *self.xy(middle, c1), *self.xy(a1, c1)))
        return commands

    def arrow(self, along: float, across: float, colour: str, back: bool = False) -> Path:
        far = along + (8.5 if back else -8.5)
        corners = [(along, across), (far, across - 3.6), (far, across + 3.6)]
        return Path([*line([self.xy(*c) for c in corners]), ("Z",)], fill=colour, name="tip")

    # ── what goes around ────────────────────────────────────────────────────────────────────────
    def bands(self) -> list[Rect]:
        """A quiet rectangle behind the cards of each layer, where nothing else is in the way."""
        spans: dict[str, list[tuple[float, float, float, float]]] = {}
        everything: list[tuple[str, tuple[float, float, float, float]]] = []
        for i, card in enumerate(self.scene.cards):
            x, y, w, h = self.corner(i)
            frame = self.frames[i]
            lead = frame.lead
            reach = max(
                [abs(s.across) + (s.height if self.sideways else s.width) / 2 for s in frame.slots if s.edge.texts],
                default=0.0,
            )
            if self.sideways:
                box = (x - lead, min(y, y + h / 2 - reach), x + w, max(y + h, y + h / 2 + reach))
            else:
                box = (min(x, x + w / 2 - reach), y - lead, max(x + w, x + w / 2 + reach), y + h)
            everything.append((card.band, box))
            if card.band:
                spans.setdefault(card.band, []).append(box)
        found: list[tuple[str, tuple[float, float, float, float]]] = []
        for name, boxes in spans.items():
            if len(boxes) < 2:
                continue
            x0, y0 = min(b[0] for b in boxes) - 10, min(b[1] for b in boxes) - 24
            x1, y1 = max(b[2] for b in boxes) + 10, max(b[3] for b in boxes) + 10
            if not any(other != name and overlap((x0, y0, x1, y1), box) for other, box in everything):
                found.append((name, (x0, y0, x1, y1)))
        kept = [(n, b) for n, b in found if not any(m != n and overlap(b, c) for m, c in found)]
        return [
            Rect(b[0], b[1], b[2] - b[0], b[3] - b[1], 10, fill="band", stroke="faint", name=f"band {n}")
            for n, b in kept
        ]

    def legend(self, shapes: list[Shape], y: float, wide: float) -> float:
        scene = self.scene
        kinds = {card.kind for card in scene.cards}
        lined = {entry.kind for card in scene.cards for entry in card.lines}
        items: list[tuple[str, str, str, float, bool]] = []
        if "input" in kinds:
            items.append(("input", "input_paper", "input_line", 6, False))
        if "parameter" in kinds | lined:
            items.append(("parameter", "parameter_paper", "parameter_line", 2, False))
        if any(edge.kind == "constant" for edge in scene.edges):
            items.append(("constant", "paper", "line", 6, True))
        if kinds & {"operation", "neuron", "layer"}:
            items.append(("operation", "card", "line", 2, False))
        items.append(("output", "output_paper", "output_line", 2, False))
        items.append(("value", "value_paper", "value", 2, False))
        items.append(
            (
                "gradient, flowing back (the more, the thicker)"
                if scene.swept and scene.flows
                else "gradient, flowing back",
                "gradient_paper",
                "gradient",
                2,
                False,
            )
        )
        x = SIDE
        for name, paper, edge, radius, dashed in items:
            step = 24 + width(name, 11) + 18
            if x > SIDE and x + step > SIDE + wide + 18:
                x, y = SIDE, y + 20
            shapes.append(Rect(x, y - 11, 17, 14, radius, fill=paper, stroke=edge, line=1.3, dashed=dashed))
            shapes.append(Text(x + 24, y, name, 11, "muted", name="legend"))
            x += step
        return y


SHADES = 12  # of one colour in a heat map
HEAT_SIDE, HEAT_WIDE, HEAT_TALL = 11.0, 140.0, 90.0


def heat_side(entry: Line) -> float:
    """How large a cell of a heat map is."""
    if not entry.heat:
        return 0.0
    rows = entry.heat.values
    return max(min(HEAT_SIDE, HEAT_WIDE / max(map(len, rows)), HEAT_TALL / len(rows)), 2.5)


def heat_wide(entry: Line) -> float:
    """How wide a heat map is."""
    return heat_side(entry) * max(map(len, entry.heat.values)) if entry.heat else 0.0


def heat_tall(entry: Line) -> float:
    """How much room a heat map takes below its line."""
    return heat_side(entry) * len(entry.heat.values) + 5 if entry.heat else 0.0


def heat(rows: Sequence[Sequence[float]], x: float, y: float, side: float, colour: str) -> list[Shape]:
    """Cells: positive ones in `colour`, negative ones grey, the stronger the larger; a cross where there is no number.

    Cells of one shade are one path.
    """
    if not rows:
        return []
    cells: dict[tuple[str, int], list[tuple[object, ...]]] = {}
    inner = side * (0.9 if side > 4 else 1.0)
    for j, row in enumerate(rows):
        for i, shade in enumerate(row):
            left, top = x + i * side, y + j * side
            right, bottom = left + inner, top + inner
            if shade != shade:
                path = cells.setdefault(("output_line", SHADES), [])
                path += [("M", left, top), ("L", right, top), ("L", left, bottom), ("L", right, bottom), ("Z",)]
                continue
            level = max(round(abs(shade) * SHADES), 0)
            path = cells.setdefault((colour if shade > 0 else "ink", level), [])
            path += [("M", left, top), ("L", right, top), ("L", right, bottom), ("L", left, bottom), ("Z",)]
    wide = side * max(map(len, rows))
    found: list[Shape] = [Rect(x, y, wide, side * len(rows), fill="paper", name="heat")]
    for (role, level), commands in sorted(cells.items()):
        found.append(Path(commands, fill=role, name="heat", opacity=max(level / SHADES, 0.03)))
    return found


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    """Whether two boxes (left, top, right, bottom) have an area in common."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def rounded(
    x: float, y: float, w: float, h: float, top: float, bottom: float, right: bool = True
) -> list[tuple[object, ...]]:
    """A rectangle whose upper and lower corners are rounded differently; on the left only, if `right` is false."""
    k = 0.4477  # 1 − 4/3·(√2 − 1): control points of a quarter circle
    a, b = (top, bottom) if right else (0.0, 0.0)
    t, u = top if right else min(top, w), bottom if right else min(bottom, w)
    path: list[tuple[object, ...]] = [("M", x + t, y), ("L", x + w - a, y)]
    if a:
        path.append(("C", x + w - k * a, y, x + w, y + k * a, x + w, y + a))
    path.append(("L", x + w, y + h - b))
    if b:
        path.append(("C", x + w, y + h - k * b, x + w - k * b, y + h, x + w - b, y + h))
    path.append(("L", x + u, y + h))
    if u:
        path.append(("C", x + k * u, y + h, x, y + h - k * u, x, y + h - u))
    path.append(("L", x, y + t))
    if t:
        path.append(("C", x, y + k * t, x + k * t, y, x + t, y))
    return [*path, ("Z",)]


def wrapped(text: str, size: float, most: float, bold: bool = False) -> list[str]:
    """`text` in lines of at most `most` pixels, broken at spaces; a longer word is shortened."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width(f"{lines[-1]} {word}", size, bold) <= most:
            lines[-1] += f" {word}"
        else:
            lines.append(shortened(word, most, size, bold))
    return lines
