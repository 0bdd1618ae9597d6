"""The built-in layout beside Graphviz: crossings, straightness and time on the same graphs.

    python docs/benchmarks/bench_layout.py [--small]

Both get the same boxes and links (cards without pills). Crossings are counted in the drawings themselves: how
often the curves of two edges that share no end meet. For `dot`, the same curves are read from its own output. A
graph that `dot` does not finish within 60 s is given as such.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from common import main

import microgradlike as mg
from microgradlike import Value
from microgradlike.draw import draw
from microgradlike.draw.picture.paint import Painter

Point = tuple[float, float]
Curves = dict[int, tuple[int, int, list[Point]]]  # tail, head, points along the curve
SECONDS = 60.0


class Weight(Value):
    """A leaf that is drawn as a parameter."""

    __slots__ = ()
    kind = "parameter"


# ── graphs ──────────────────────────────────────────────────────────────────────────────────────
def perceptron(*sizes: int) -> Value:
    """A network written with + and ×, one output."""
    rng = random.Random(1)
    x = [Value(rng.uniform(-1, 1), label=f"x{i}") for i in range(sizes[0])]
    for before, after in itertools.pairwise(sizes):
        outputs = []
        for _ in range(after):
            z: Value = Weight(0.1, label="b")
            for i in range(before):
                z = z + Weight(rng.uniform(-1, 1), label="w") * x[i]
            outputs.append(mg.tanh(z))
        x = outputs
    return x[0]


def branching() -> Value:
    x = Value(5, label="x")
    y: Value = 3 * ((2 * x) * mg.positive(x))
    return y


def random_dag(size: int) -> Value:
    rng = random.Random(size)
    nodes: list[Value] = [Value(rng.uniform(-1, 1)) for _ in range(12)]
    while len(nodes) < size:
        a, b = rng.choice(nodes[-20:]), rng.choice(nodes[-20:] if rng.random() < 0.9 else nodes)
        kind = rng.randrange(3)
        nodes.append(a + b if kind == 0 else a * b if kind == 1 else mg.tanh(a))
    y: Value = mg.sum(nodes[-6:])
    return y


def shared(times: int) -> Value:
    """One computed weight that is used at every step."""
    w, v = mg.tanh(Value(0.5, label="w")), Value(0.1, label="x")
    for _ in range(times):
        v = mg.tanh(v * w)
    return v


GRAPHS: dict[str, Callable[[], Value]] = {
    "branching (E2)": branching,
    "MLP 2-3-3-1": lambda: perceptron(2, 3, 3, 1),
    "MLP 4-8-8-1": lambda: perceptron(4, 8, 8, 1),
    "random, 100": lambda: random_dag(100),
    "random, 300": lambda: random_dag(300),
    "MLP 8-16-16-1": lambda: perceptron(8, 16, 16, 1),
    "random, 1,000": lambda: random_dag(1_000),
    "weight shared 166 times": lambda: shared(166),
    "hub of 5,000 operands": lambda: mg.sum([Value(i) for i in range(5_000)]),
}


# ── both layouts as curves ──────────────────────────────────────────────────────────────────────
def ours(painter: Painter) -> tuple[Curves, float]:
    start = time.perf_counter()
    plan = painter.place()
    spent = time.perf_counter() - start
    curves = {}
    wires = [
        (head, slot.edge.tail)
        for head, frame in enumerate(painter.frames)
        for slot in frame.slots
        if slot.edge.kind == "wire"
    ]
    for k, ((head, tail), route) in enumerate(zip(wires, plan.routes, strict=True)):
        points: list[Point] = [route[0]]
        for (x0, y0), (x1, y1) in itertools.pairwise(route):
            middle = (x0 + x1) / 2
            points += cubic((x0, y0), (middle, y0), (middle, y1), (x1, y1)) if y0 != y1 else [(x1, y1)]
        curves[k] = (tail, head, points)
    return curves, spent


def dots(painter: Painter) -> tuple[Curves, float] | None:
    lines = [
        "digraph g { rankdir=LR ranksep=0.47 nodesep=0.22",
        'node [shape=box fixedsize=true label=""] edge [arrowhead=none]',
    ]
    for i, frame in enumerate(painter.frames):
        lines.append(f"n{i} [width={frame.width / 72:.3f} height={frame.height / 72:.3f} ordering=in]")
    wires = [
        (head, slot.edge.tail)
        for head, frame in enumerate(painter.frames)
        for slot in frame.slots
        if slot.edge.kind == "wire"
    ]
    lines += [f"n{tail}:e -> n{head}:w" for head, tail in wires]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            ["dot", "-Tjson"],
            input="\n".join([*lines, "}"]),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return None
    spent = time.perf_counter() - start
    curves = {}
    for k, edge in enumerate(json.loads(done.stdout).get("edges", [])):
        control = [(float(x), float(y)) for x, y in (p.split(",") for p in edge["pos"].split(" ") if p[0] not in "es")]
        points: list[Point] = [control[0]]
        for i in range(1, len(control), 3):
            points += cubic(control[i - 1], control[i], control[i + 1], control[i + 2])
        names = [int(edge[end]) for end in ("tail", "head")]
        curves[k] = (names[0], names[1], points)
    return curves, spent


def cubic(a: Point, b: Point, c: Point, d: Point, steps: int = 8) -> list[Point]:
    found = []
    for k in range(1, steps + 1):
        t = k / steps
        w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        found.append(tuple(sum(wi * p[axis] for wi, p in zip(w, (a, b, c, d), strict=True)) for axis in (0, 1)))
    return found  # type: ignore[return-value]


def crossings(curves: Curves, cell: float = 60.0) -> int:
    """Pairs of edges without a common end whose curves meet."""
    grid: dict[tuple[int, int], list[tuple[int, Point, Point]]] = defaultdict(list)
    for k, (_, _, points) in curves.items():
        for p, q in itertools.pairwise(points):
            for i in range(int(min(p[0], q[0]) // cell), int(max(p[0], q[0]) // cell) + 1):
                for j in range(int(min(p[1], q[1]) // cell), int(max(p[1], q[1]) // cell) + 1):
                    grid[i, j].append((k, p, q))
    met = set()
    for entries in grid.values():
        for x in range(len(entries)):
            for y in range(x):
                a, b = entries[x], entries[y]
                pair = (min(a[0], b[0]), max(a[0], b[0]))
                if pair in met or a[0] == b[0] or set(curves[a[0]][:2]) & set(curves[b[0]][:2]):
                    continue
                if meet(a[1], a[2], b[1], b[2]):
                    met.add(pair)
    return len(met)


def meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def straight(curves: Curves, long: float = 600.0) -> str:
    """Of the edges that run further than `long` pixels, the part of their way on which they run level."""
    level = way = 0.0
    for _, _, points in curves.values():
        if points[-1][0] - points[0][0] > long:
            for (x0, y0), (x1, y1) in itertools.pairwise(points):
                way += abs(x1 - x0)
                level += abs(x1 - x0) * (abs(y1 - y0) <= 0.02 * abs(x1 - x0))
    return f"{100 * level / way:.0f} %" if way else "–"


def cases(small: bool) -> Iterator[dict[str, Any]]:
    """One table: the graphs of up to 110 cards if small, as CI runs it; else all."""
    has_dot = shutil.which("dot") is not None
    columns = ["graph", "cards", "edges", "crossings: ours", "dot", "long edges level: ours", "dot"]
    rows = []
    for name, make in GRAPHS.items():
        root = make()
        drawing = draw(root, detail="cards", max_nodes=10_000)
        if small and len(drawing.scene.cards) > 110:
            continue
        painter = Painter(drawing.scene, "LR")
        edges = sum(edge.kind == "wire" for edge in drawing.scene.edges)
        mine, mine_time = ours(painter)
        row = [name, f"{len(drawing.scene.cards):,}", f"{edges:,}"]
        theirs = dots(painter) if has_dot else None
        few = edges < 2_000  # counting compares curves pair by pair
        if theirs:
            curves, spent = theirs
            # dot names nodes by their order in the file: those are the cards
            row += [f"{crossings(mine):,}" if few else "–", f"{crossings(curves):,}" if few else "–"]
            row += [straight(mine), straight(curves), f"{mine_time:.2f}", f"{spent:.2f}"]
        else:
            late = f"> {SECONDS:.0f} s" if has_dot else "–"
            row += [f"{crossings(mine):,}" if few else "–", "–", straight(mine), "–", f"{mine_time:.2f}", late]
        rows.append(row)
    yield {
        "name": "W7 layout of a drawing",
        "unit": "s",
        "note": "The built-in layout beside Graphviz on the same boxes and links.",
        "columns": [*columns, "seconds: ours", "dot"],
        "rows": rows,
        "missing": {} if has_dot else {"dot": "not installed: it is Graphviz's program"},
    }


if __name__ == "__main__":
    main(cases)
