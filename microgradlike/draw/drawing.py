"""`draw`: from a Value (or several, or a module with example inputs) to a Drawing that saves itself in any format."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import in_browser, write_atomically
from ..graph.engine import Value
from ..graph.explain import Explanation
from ..graph.explain import Path as Steps
from ..messages import printable
from .formats.png import most_scale
from .formats.tree import tree
from .picture import theme as themes
from .picture.fold import DETAILS, MOST_CARDS, Folding, fold, foldings
from .picture.graph import Graph
from .picture.paint import paint
from .picture.scene import Scene, scene
from .picture.shapes import Canvas
from .picture.text import visible
from .targets import DIRECTIONS, THEMES, known, roots_of

if TYPE_CHECKING:
    import graphviz
    import networkx

ENGINES = ("layered", "dot")
FORMATS = (".svg", ".png", ".pdf", ".dot", ".mmd", ".html", ".txt")


def draw(
    target: Any,
    *inputs: Any,
    theme: str = "light",
    detail: str = "auto",
    local_derivatives: bool | None = None,
    highlight: Value | Explanation | Steps | Iterable[Value | Explanation | Steps] | None = None,
    direction: str = "LR",
    engine: str = "layered",
    max_nodes: int | None = None,
    title: str | None = None,
    legend: bool = False,
    inside: bool = False,
    digits: int = 4,
    backward: bool = False,
) -> Drawing:
    """Draw a computation graph.

    Every value is a card with its operation, its number (blue) and its gradient (orange); every edge carries
    the local derivative and, below it, the gradient it sent back. Where paths meet, the sum is written out.
    Names are the labels of the Values; see `label`.

    Args:
        target: a Value, a sequence of Values, or a function or module to call with `inputs` (a function may take
            none).
        inputs: example inputs; numbers (and lists of them) become Values named after the arguments.
        theme: "light", "dark", or "auto" for an SVG that follows the reader's settings.
        detail: "full" (cards and derivatives), "cards", "neurons" (what serves one result alone is one card), "parts"
            (the functions that a target calls, and `group`s), "layers" (cards of the same depth and kind are one);
            "auto" takes the first of these that fits a screen. What was folded is said in the caption.
        local_derivatives: whether edges carry derivatives; None leaves that to `detail`.
        highlight: a Value, what `explain` found, one of its paths, or several of these; the paths from it to the result
            are lit, and everything else steps back.
        direction: "LR", left to right, or "TB", top to bottom.
        engine: "layered" (built in) or "dot" (Graphviz lays out and renders, where it is installed).
        max_nodes: the most cards there may be.
        title: a heading.
        legend: whether to explain the colours.
        inside: draw the steps of losses instead of one card for each.
        digits: how many significant digits numbers have; tooltips have all.
        backward: show the gradients that a fresh `backward()` would give; no Value is touched.

    Raises:
        TypeError: target is no Value and cannot be called to get one.
        ValueError: an unknown theme, detail, direction or engine, or more cards than max_nodes.

    Example:
        >>> from microgradlike import Value, draw
        >>> a, b = Value(2, label="a"), Value(3, label="b")
        >>> J = a * b
        >>> J.label = "J"
        >>> J.backward()
        >>> print(draw(J))
                    value   gradient   local
        J = a × b       6          1
        ├─ a            2          3     × 3
        └─ b            3          2     × 2
    """
    known("theme", theme, THEMES)
    known("detail", detail, DETAILS)
    known("direction", direction, DIRECTIONS)
    known("engine", engine, ENGINES)
    if max_nodes is not None and (not isinstance(max_nodes, int) or isinstance(max_nodes, bool) or max_nodes < 1):
        raise ValueError(f"max_nodes must be a whole number of at least 1, not {max_nodes!r}")
    if not isinstance(digits, int) or not 1 <= digits <= 17:
        raise ValueError(f"digits must be a whole number from 1 to 17, not {digits!r}")
    if title is not None and not isinstance(title, str):
        raise TypeError(f"title must be text, not {type(title).__name__}")
    roots = roots_of(target, inputs)
    graph = Graph(roots, inside=inside)
    if backward:
        if len(roots) > 1:
            raise ValueError(f"backward=True takes one result, and this has {len(roots)}: draw one of them, or a loss")
        graph.sweep()
    chosen, lit = _lit(graph, highlight)
    looks: dict[str, Any] = {"title": title, "legend": legend, "local_derivatives": local_derivatives, "digits": digits}

    def drawn(folding: Folding) -> Drawing:
        found = Drawing(scene(graph, folding, highlight=chosen, lit=lit, **looks), theme, direction, engine, digits)
        found.widest = SCREEN[0] if detail == "auto" else math.inf
        found.graph, found.folding = graph, folding
        return found

    if detail == "auto":
        return _first_that_fits(graph, drawn, max_nodes)
    return drawn(fold(graph, detail, max_nodes))


CARD, PILL = 10_000.0, 3_000.0  # pixels that they take at least, with what lies between them
SCREEN = (1600.0, 1060.0)  # the largest default picture: about 16:10, its smallest text 9 px on a page of 1,440


def _lit(graph: Graph, highlight: Any) -> tuple[list[int], set[tuple[int, int]] | None]:
    """The nodes that are highlighted, and the uses (node, which operand) on single paths, where all are such."""
    if highlight is None:
        return [], None
    wanted = [highlight] if isinstance(highlight, (Value, Explanation, Steps)) else list(highlight)
    chosen: list[int] = []
    uses: set[tuple[int, int]] = set()
    for item in wanted:
        if not isinstance(item, (Value, Explanation, Steps)):
            raise TypeError(f"highlight must be a Value, an explanation or a path of one, not {type(item).__name__}")
        value = item.wrt if isinstance(item, Explanation) else item.nodes[0] if isinstance(item, Steps) else item
        if id(value) not in graph.index_of:
            raise ValueError(f"highlight: {value.label or value!r} is not in the graph that is drawn")
        chosen.append(graph.index_of[id(value)])
        if isinstance(item, Steps):
            uses |= {(graph.index_of[id(edge.target)], edge.position) for edge in item.edges}
    return chosen, uses if all(isinstance(item, Steps) for item in wanted) else None


def _excess(drawing: Drawing) -> float:
    """How many times a picture is larger than a screen; more than 1 if it does not fit."""
    return max(drawing.canvas.width / SCREEN[0], drawing.canvas.height / SCREEN[1])


def _fits(drawing: Drawing, tall: float = 1.0) -> bool:
    most = max(drawing.canvas.width / SCREEN[0], drawing.canvas.height / SCREEN[1] / tall)
    return len(drawing.scene.cards) <= MOST_CARDS and most <= 1.0


def _first_that_fits(
    graph: Graph, drawn: Callable[[Folding], Drawing], max_nodes: int | None = None, tall: float = 1.0
) -> Drawing:
    """The finest picture that fits a screen, or several one below the other, or else the one that comes closest."""
    best: Drawing | None = None
    for folding in foldings(graph, max_nodes, lambda folding: _fits(drawn(folding), tall)):
        edges = graph.edges if folding.pills and folding.detail == "full" else 0
        if CARD * len(folding.groups) + PILL * edges > SCREEN[0] * SCREEN[1] and folding.detail in (
            "full",
            "cards",
            "neurons",
        ):
            continue  # it cannot
        found = drawn(folding)
        if best is None or _excess(found) < _excess(best):
            best = found
        if _fits(found, tall):
            return found
    assert best is not None
    return best


class Drawing:
    """A picture of a graph as it was when `draw` was called; later changes to the Values do not show.

    `save` writes any format; in a notebook it shows itself; `print` gives a text tree.
    """

    def __init__(
        self, scene: Scene, theme: str = "light", direction: str = "LR", engine: str = "layered", digits: int = 4
    ) -> None:
        self.scene = scene
        self.theme = theme
        self.direction = direction
        self.engine = engine
        self.digits = digits
        self.widest = math.inf
        self.graph: Graph | None = None
        self.folding: Folding | None = None

    def to_text(self) -> str:
        """The graph as text: a line for each card, operands below their results."""
        return tree(self.scene, self.digits)

    def __str__(self) -> str:
        return printable(self.to_text())

    def __repr__(self) -> str:
        what = f"Drawing of {len(self.scene.cards):,} cards"
        return f"<{what}: .show() opens it in the browser, .save('graph.svg') writes it, print() shows text>"

    @property
    def _colours(self) -> themes.Theme:
        return themes.DARK if self.theme == "dark" else themes.LIGHT

    @cached_property
    def canvas(self) -> Canvas:
        """The picture as shapes with their places."""
        return paint(self.scene, self.direction, self.widest)

    def to_svg(self) -> str:
        """The picture as SVG: self-contained, with the letters it uses."""
        if self.engine == "dot":
            return self._dot("svg").decode("utf-8")
        from .formats.svg import svg

        return svg(self.canvas, self._colours, dark=themes.DARK if self.theme == "auto" else None)

    def to_png(self, scale: float | None = None) -> bytes:
        """The picture as PNG, `scale` pixels for one unit of the SVG: 2, or as many as a PNG can hold.

        Raises:
            ValueError: scale is no positive number, or the picture would have more than 60 million pixels.
            ImportError: resvg-py is not installed.
        """
        from .formats.png import check_scale, png

        if scale is None:
            scale = 2.0 if self.engine == "dot" else min(2.0, most_scale(self.canvas))
        check_scale(scale)
        if self.engine == "dot":
            return self._dot("png", f"-Gdpi={max(round(72 * scale), 1)}")
        return png(self.canvas, self._colours, scale)

    def to_pdf(self) -> bytes:
        """The picture as one page of PDF, in vectors.

        Raises:
            ImportError: reportlab is not installed (`pip install "microgradlike[pdf]"`).
        """
        if self.engine == "dot":
            return self._dot("pdf")
        from .formats.pdf import pdf

        return pdf(self.canvas, self._colours)

    def to_graphviz(self) -> graphviz.Digraph:
        """The picture as a `graphviz.Digraph`, with HTML-like labels."""
        from .formats.dot import digraph

        return digraph(self.scene, self._colours, self.direction)

    def to_dot(self) -> str:
        """The picture as DOT text, for Graphviz."""
        return str(self.to_graphviz().source)

    def to_mermaid(self) -> str:
        """The picture as Mermaid text, for a README."""
        from .formats.mermaid import mermaid

        return mermaid(self.scene, self._colours, self.direction)

    def to_networkx(self) -> networkx.DiGraph:
        """The picture as a `networkx.DiGraph`: a node for each card, an edge from each operand to its result.

        Nodes have the attributes label, expression, kind, data, grad (None before a sweep), output, count (how many
        values the card stands for) and constants (position → number). Edges have positions (of the operand),
        derivative (∂result/∂operand) and sent (what the sweep sent back): the sums over the uses, as in x·x; None where
        there is none. The gradient of a leaf is the sum over paths to the output of the products of the derivatives.

        Raises:
            ImportError: NetworkX is not installed.
        """
        from .formats.digraph import digraph

        return digraph(self.scene)

    def to_html(self) -> str:
        """One self-contained page with the picture, to pan and zoom; a click on what is folded opens it."""
        from .pages.page import still

        return still(self)

    def opened(self, i: int) -> Drawing | None:
        """What is in card i, as a picture of its own; None where the card shows everything."""
        if self.graph is None or self.folding is None:
            return None
        group = self.folding.groups[i]
        nodes = [v for v in group.run or group.nodes if self.graph.rows[v] is not None]
        if group.whole or group.kind not in ("neuron", "layer") or len(nodes) < 2 or len(nodes) == len(self.graph):
            return None
        part = self.graph.part(nodes)
        title = visible(group.title) + (" (one of them)" if group.run else "") if group.title else None

        def drawn(folding: Folding) -> Drawing:
            found = Drawing(
                scene(part, folding, title=title, digits=self.digits), self.theme, self.direction, digits=self.digits
            )
            found.widest, found.graph, found.folding = SCREEN[0], part, folding
            return found

        return _first_that_fits(part, drawn, tall=1.6)  # a page scrolls

    def _dot(self, format: str, *options: str) -> bytes:
        from .formats.dot import run_dot

        return run_dot(self.to_dot(), format, options)

    def save(self, path: str | os.PathLike[str], scale: float | None = None) -> Path:
        """Write the picture to a file; the suffix says how: .svg .png .pdf .dot .mmd .html .txt

        Args:
            path: where to. A file that is there is replaced in one step, or left whole if something fails.
            scale: of a PNG, pixels for one unit: 2, or as many as it can hold.

        Raises:
            ValueError: an unknown suffix.
            FileNotFoundError: the folder does not exist.
            OSError: the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        makers: dict[str, Callable[[], str | bytes]] = {
            ".svg": self.to_svg, ".png": lambda: self.to_png(scale), ".pdf": self.to_pdf, ".dot": self.to_dot,
            ".gv": self.to_dot, ".mmd": self.to_mermaid, ".html": self.to_html, ".txt": lambda: self.to_text() + "\n",
        }  # fmt: skip
        if suffix not in makers:
            raise ValueError(
                f"cannot save {str(path)!r}: end its name in one of {' '.join(FORMATS)}, not {suffix or 'nothing'!r}"
            )
        made = makers[suffix]()
        return write_atomically(path, made)

    def show(self) -> None:
        """Open the picture in the browser, on a page of its own."""
        in_browser(self.to_html())

    # ── notebooks ───────────────────────────────────────────────────────────────────────────────
    def _repr_svg_(self) -> str:
        return self.to_svg()

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, Any]:
        makers: dict[str, Callable[[], Any]] = {"image/svg+xml": self.to_svg, "text/plain": self.to_text}
        makers["image/png"] = lambda: self.to_png(min(1.5, most_scale(self.canvas)))
        wanted = set(makers if include is None else include) - set(exclude or ())
        made = {mime: make() for mime, make in makers.items() if mime in wanted - {"image/png"}}
        with suppress(ImportError):  # what a notebook shows that was made elsewhere and is not trusted
            made |= {"image/png": makers["image/png"]()} if "image/png" in wanted else {}
        return made


def label(names: Mapping[str, Any] | None = None, /, **more: Any) -> None:
    """Name Values after the variables that hold them: `label(locals())`, or `label(a=a, b=b)`.

    Elements of lists are named `w[0]`, `w[1]` …, those of dictionaries `w['key']`. A Value that has a label keeps it;
    of two names for one Value the first counts. Names that begin with "_" are left out.

    Args:
        names: names and what they stand for; whatever is no Value (or collection of them) is ignored.

    Example:
        >>> from microgradlike import Value, label
        >>> def f():
        ...     a, ws = Value(1), [Value(2), Value(3)]
        ...     label(locals())
        ...     return a.label, ws[1].label
        >>> f()
        ('a', 'ws[1]')
    """
    if names is not None and not isinstance(names, Mapping):
        raise TypeError(f"label takes a mapping of names, such as locals(), not {type(names).__name__}")
    seen: set[int] = set()
    for name, item in {**(names or {}), **more}.items():
        if name.startswith("_"):
            continue
        stack: list[tuple[str, Any]] = [(name, item)]
        while stack:
            text, found = stack.pop()
            if isinstance(found, Value):
                if found.label is None:
                    found.label = text
            elif isinstance(found, (list, tuple, dict)) and id(found) not in seen:
                seen.add(id(found))
                entries = found.items() if isinstance(found, dict) else enumerate(found)
                stack.extend(reversed([(f"{text}[{key!r}]", inner) for key, inner in entries]))
