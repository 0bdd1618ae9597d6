"""The numbers that the texts of a page refer to: a text is written once, and filled in at any setting of the leaves.

web/live.js fills in the same texts in the browser; here they are filled in for sentences, animations and tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..picture.graph import Graph
from ..picture.scene import Edge, Scene
from ..picture.text import MINUS, number, ranged, total


@dataclass(frozen=True, slots=True)
class Number:
    """A reference to a number, or to several.

    Attributes:
        what: "value", "gradient" of a node, "next" (its value in the pass after); "local", "sent" of an edge;
            "sum" of what edges sent, "total" (that sum written out; with `node`, it is the whole gradient of it);
            "values", "gradients" (the range of several nodes).
        at: the nodes or edges. node: of a complete total, whose gradient it is.
        factor: whether it stands where a negative number needs brackets.
        before: what is written before it.
    """

    what: str
    at: tuple[int, ...]
    node: int = -1
    factor: bool = False
    before: str = ""

    def json(self) -> list[Any]:
        """For the page: [what, at, node, factor, before], without what goes without saying at its end."""
        at = self.at[0] if len(self.at) == 1 and self.what not in ("values", "gradients") else list(self.at)
        found: list[Any] = [self.what, at, self.node, int(self.factor), self.before]
        while len(found) > 2 and found[-1] in (-1, 0, ""):
            found.pop()
        return found


Words = str | Number


def of(what: str, *at: int, factor: bool = False) -> Number:
    """`Number`, in short."""
    return Number(what, at, factor=factor)


class Numbers:
    """What references stand for in one pass."""

    def __init__(self, graph: Graph, scene: Scene, digits: int) -> None:
        self.graph, self.digits = graph, digits
        self.edges: Sequence[Edge] = scene.edges
        self.after: Graph | None = None

    def exact(self, of: Number) -> float:
        """The number itself; of several, the first."""
        at = of.at[0]
        if of.what in ("value", "values"):
            return self.graph.data[at]
        if of.what in ("gradient", "gradients"):
            return self.graph.grad[at]
        if of.what == "next":
            assert self.after is not None
            return self.after.data[at]
        if of.what == "local":
            return self.edges[at].local or 0.0
        if of.node >= 0:
            return self.graph.grad[of.node]
        return sum(self.sent(of))

    def sent(self, of: Number) -> list[float]:
        """What its edges sent."""
        return [self.edges[j].sent or 0.0 for j in of.at]

    def text(self, words: Words) -> str:
        """The number as it is written in a picture; a text as it is."""
        if isinstance(words, str):
            return words
        if words.what == "values":
            return ranged([self.graph.data[v] for v in words.at], self.digits)
        if words.what == "gradients":
            return ranged([self.graph.grad[v] for v in words.at], self.digits)
        if words.what == "total" and len(words.at) > 1:
            return total(self.sent(words), self.exact(words), self.digits)
        text = number(self.exact(words), self.digits)
        return words.before + (f"({text})" if words.factor and text.startswith(MINUS) else text)
