"""Names for values without labels: on a page, no sentence can speak of a number that will change."""

from __future__ import annotations

from ..picture.fold import Folding
from ..picture.graph import Graph
from ..picture.scene import Names


def name_all(graph: Graph, folding: Folding) -> None:
    """Give every card, and every parameter listed in one, a name of its own: x1, w1, v1 …, and "output".

    What serves one card alone (the steps inside a neuron) needs none: its card writes it out.
    """
    shown = [v for group in folding.groups if group.kind != "layer" for v in (*group.listed, group.result)]
    labels = graph.labels
    names = Names(graph, 4)
    taken = {name for v in range(len(graph)) if (name := names.label(v)) is not None}
    counts = dict.fromkeys("xwv", 0)
    seen = set[str]()
    for v in dict.fromkeys(shown):
        name = names.label(v)
        if name is None:
            name = labels[v] = _fresh(graph, v, counts, taken)
            taken.add(name)
        if name in seen:  # two cards of one name: a number tells them apart
            k = 2
            while f"{name}#{k}" in taken:
                k += 1
            name = labels[v] = f"{name}#{k}"
            taken.add(name)
        seen.add(name)


def _fresh(graph: Graph, v: int, counts: dict[str, int], taken: set[str]) -> str:
    if v == graph.roots[0] and graph.rows[v] is not None and "output" not in taken:
        return "output"
    letter = "v" if graph.rows[v] is not None else "w" if graph.kinds[v] == "parameter" else "x"
    while True:
        counts[letter] += 1
        if (name := f"{letter}{counts[letter]}") not in taken:
            return name
