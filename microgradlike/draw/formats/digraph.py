"""A scene as a NetworkX DiGraph, for algorithms on graphs; nothing about how it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..picture.scene import Scene

if TYPE_CHECKING:
    import networkx


def digraph(scene: Scene) -> networkx.DiGraph:
    """The picture as a DiGraph whose nodes are cards, and whose edges run from operand to result."""
    try:
        import networkx
    except ImportError:
        raise ImportError("to_networkx needs NetworkX: pip install networkx") from None
    made = networkx.DiGraph()
    for i, card in enumerate(scene.cards):
        data, grad = card.exact
        made.add_node(
            i, label=card.label or card.name, expression=card.head, kind=card.kind, data=data,
            grad=grad if scene.swept else None, output=card.output, count=len(card.nodes), constants={},
        )  # fmt: skip
    for edge in scene.edges:
        if edge.kind == "constant":
            made.nodes[edge.head]["constants"][edge.position] = edge.constant
            continue
        if not made.has_edge(edge.tail, edge.head):
            made.add_edge(edge.tail, edge.head, positions=[], derivative=None, sent=None)
        uses = made.edges[edge.tail, edge.head]  # x·x is one edge: what its two uses say adds up
        uses["positions"].append(edge.position)
        for name, number in (("derivative", edge.local), ("sent", edge.sent)):
            if number is not None:
                uses[name] = number if uses[name] is None else uses[name] + number
    return made
