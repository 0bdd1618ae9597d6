"""What the tests of pictures share: graphs to draw, and an SVG read back as cards, pills, wires and texts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

import microgradlike as mg
from microgradlike import Value

SVG = "{http://www.w3.org/2000/svg}"


class Weight(Value):
    __slots__ = ()
    kind = "parameter"


def named(value, name):
    value.label = name
    return value


def product():
    """E1: J = 3(a + b·c)"""
    a, b, c = Value(5, label="a"), Value(3, label="b"), Value(2, label="c")
    u = named(b * c, "u")
    v = named(a + u, "v")
    J = named(3 * v, "J")
    J.backward()
    return J


def branching():
    """E2: y = 2x, z = x, J = 3yz"""
    x = Value(5, label="x")
    y, z = named(2 * x, "y"), named(mg.positive(x), "z")
    p = named(y * z, "p")
    J = named(3 * p, "J")
    J.backward()
    return J


def network(weights=None):
    """E6: the 2-2-2 network of sigmoids"""
    starts = (0.3, 0.25, 0.4, 0.35, 0.45, 0.4, 0.7, 0.6)
    w = weights or [Weight(x, label=f"w{i}") for i, x in enumerate(starts, 1)]
    x1, x2 = Value(0.1, label="x1"), Value(0.2, label="x2")
    h1 = named(mg.sigmoid(named(w[0] * x1 + w[1] * x2, "z1")), "h1")
    h2 = named(mg.sigmoid(named(w[2] * x1 + w[3] * x2, "z2")), "h2")
    o1 = named(mg.sigmoid(named(w[4] * h1 + w[5] * h2, "z3")), "o1")
    o2 = named(mg.sigmoid(named(w[6] * h1 + w[7] * h2, "z4")), "o2")
    E1 = named(mg.half_squared_error(o1, 0.4), "E1")
    E2 = named(mg.half_squared_error(o2, 0.6), "E2")
    return w, named(E1 + E2, "E")


def random_values(random, size, labels=True):
    """A random graph with constants, repeated operands, many-argument rows, shared leaves; the result last."""
    leaves = [
        (Weight if k % 2 else Value)(random.uniform(-2, 2), label=f"x{k}" if labels and k != 2 else None)
        for k in range(4)
    ]
    nodes = list(leaves)
    while len(nodes) < size:
        a, b, c = (random.choice(nodes[-8:]) for _ in range(3))
        make = [
            lambda: a + b,
            lambda: a * b,
            lambda: a * a,
            lambda: a - 2 * b,
            lambda: 0.5 / (1.5 + a * a),
            lambda: mg.tanh(a),
            lambda: mg.sum([a, b, c, a]),
            lambda: mg.where(c, a, b),
            lambda: mg.softmax([a, b, c])[1],
            lambda: mg.dot([a, b, 1.0], [c, a, b]),
            lambda: mg.half_squared_error(a, 0.25),
        ]
        nodes.append(random.choice(make)())
        if labels and random.random() < 0.3:
            nodes[-1].label = f"v{len(nodes)}"
    return named(mg.mean(nodes[-4:]), "J")


def perceptron(sizes, random, tell=True):
    """A network whose parameters are labelled by layer, neuron and place; its output."""
    x = [Value(random.uniform(-1, 1), label=f"x{i}") for i in range(1, sizes[0] + 1)]
    for layer, (before, after) in enumerate(zip(sizes, sizes[1:]), 1):  # noqa: B905, RUF007
        outputs = []
        for j in range(1, after + 1):
            w = [Weight(random.uniform(-1, 1), label=f"w{layer}.{j}.{i}") for i in range(1, before + 1)]
            z = mg.dot([*w, Weight(0.1, label=f"b{layer}.{j}")], [*x, 1.0])
            outputs.append(mg.tanh(named(z, f"z{layer}.{j}") if tell else z))
            if tell:
                outputs[-1].label = f"a{layer}.{j}"
        x = outputs
    return x[0]


# ── an SVG read back ────────────────────────────────────────────────────────────────────────────
@dataclass
class Area:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other, slack=0.0):
        return (
            self.left < other.right - slack
            and other.left < self.right - slack
            and self.top < other.bottom - slack
            and other.top < self.bottom - slack
        )

    def contains(self, other, slack=0.0):
        return (
            self.left - slack <= other.left
            and other.right <= self.right + slack
            and self.top - slack <= other.top
            and other.bottom <= self.bottom + slack
        )


@dataclass
class Drawn:
    """A card or an edge of the picture: its data attributes, its texts by class, where its frame or pill is."""

    data: dict
    classes: list
    texts: list
    tooltip: str
    area: Area | None = None
    wires: list = field(default_factory=list)

    def text(self, name):
        found = ["".join(t.itertext()) for t in self.texts if t.get("class", "").split(" ")[0] == name]
        assert len(found) == 1, (name, found)
        return found[0]


class Picture:
    """An SVG, parsed."""

    def __init__(self, svg):
        self.root = ET.fromstring(svg)
        self.width, self.height = float(self.root.get("width")), float(self.root.get("height"))
        self.cards = [self._drawn(g, "frame") for g in self._marks("card")]
        self.edges = [self._drawn(g, "pill") for g in self._marks("edge")]

    def _marks(self, name):
        return [g for g in self.root.iter(f"{SVG}g") if g.get("class", "").split(" ")[0] == name]

    def _drawn(self, g, name):
        data = {key.removeprefix("data-"): value for key, value in g.attrib.items() if key.startswith("data-")}
        frames = [r for r in g.iter(f"{SVG}rect") if r.get("class") == name]
        wires = [points(p.get("d")) for p in g.iter(f"{SVG}path") if p.get("class") == "wire"]
        title = g.find(f"{SVG}title")
        return Drawn(
            data,
            g.get("class").split(" "),
            list(g.iter(f"{SVG}text")),
            title.text if title is not None and title.text else "",
            area_of(frames[0]) if frames else None,
            wires,
        )

    @property
    def texts(self):
        return list(self.root.iter(f"{SVG}text"))


def area_of(rect):
    x, y, w, h = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
    return Area(x, y, x + w, y + h)


def points(d, steps=12):
    """Points along a path of M, L and C commands."""
    found, here = [], (0.0, 0.0)
    for command, numbers in re.findall(r"([MLC])([^MLCZ]*)", d):
        values = [float(n) for n in numbers.split()]
        if command == "C":
            p = [here, *zip(values[::2], values[1::2])]  # noqa: B905
            for k in range(1, steps + 1):
                t = k / steps
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                found.append(tuple(sum(w * q[axis] for w, q in zip(weights, p)) for axis in (0, 1)))  # noqa: B905
            here = p[3]
        else:
            if command == "L":
                found += [tuple(a + (b - a) * k / 8 for a, b in zip(here, values)) for k in range(1, 8)]  # noqa: B905
            here = tuple(values)
            found.append(here)
    return found
