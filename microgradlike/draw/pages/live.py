"""`live` and `step_through`: a picture that computes, and the steps of its two passes, as a page or a film."""

from __future__ import annotations

import copy
import html
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import log10
from pathlib import Path
from typing import Any

from ...arguments.checks import real
from ...files import in_browser, write_atomically
from ...graph.engine import GraphError, Value
from ...graph.modes import recording
from ...graph.places import cell
from ...messages import printable
from ...ops import COMPARISONS
from ..formats.png import most_scale, png
from ..picture.fold import DETAILS, Folding, fold
from ..picture.graph import Graph
from ..picture.paint import Painter
from ..picture.scene import Scene, scene
from ..picture.text import number, total, visible
from ..picture.theme import DARK, LIGHT
from ..targets import DIRECTIONS, THEMES, known, roots_of, takes_list
from .names import name_all
from .steps import Key, Span, Step, hidden, steps, update

FORMATS = (".html", ".svg", ".gif", ".txt")
QUIZZES = ("local derivatives", "gradients")
WIDE, ROOM = "−0.08888", -0.08888  # the widest number that a picture makes room for


@dataclass(slots=True)
class Pass:
    """One forward and backward pass, ready to be shown in `pictures[picture]`.

    Attributes:
        told: the steps of its picture; changed: sentences that are other in this pass; update: what comes after it.
    """

    graph: Graph
    folding: Folding
    scene: Scene
    told: list[Step]
    picture: int
    changed: dict[int, list[Span]] = field(default_factory=dict)
    update: Step | None = None
    hidden: dict[Key, str] = field(default_factory=dict)

    @property
    def steps(self) -> list[Step]:
        """All steps of the pass."""
        told = [replace(s, sentence=self.changed[k]) if k in self.changed else s for k, s in enumerate(self.told)]
        return told + ([self.update] if self.update else [])


@dataclass(slots=True)
class Branch:
    """A comparison that a recorded function made: its text, where it stands, its outcome, and its two sides."""

    test: str
    place: str
    outcome: bool
    name: str
    sides: tuple[Any, Any]


def live(
    target: Any,
    *inputs: Any,
    detail: str = "auto",
    title: str | None = None,
    theme: str = "auto",
    direction: str = "LR",
    max_nodes: int | None = None,
    inside: bool = False,
    digits: int = 4,
    rate: float = 0.1,
    quiz: bool | str = False,
) -> Live:
    """A computation graph as a page that computes: change any leaf, and every value and every gradient follows.

    The page is one file that works offline. Numbers are dragged on their cards, stepped with the arrow keys, or
    typed. "Nudge" shows a change of 0.001 arriving at the result, beside what the gradient predicted; "Descend" moves
    the parameters (or the inputs, where there are none) against their gradients and plots the result. The forward and
    the backward pass can be stepped through at any setting. No `backward()` is needed, and no Value is touched.

    Args:
        target: a Value, or a function or module to call with `inputs`. Of a function that branches on a number, the
            page says where another number would go another way.
        inputs: example inputs, as for `draw`; a function of several numbers also takes them in one list.
        detail, title, direction, max_nodes, inside, digits: as for `draw`.
        theme: "auto" (as the reader prefers), "light" or "dark".
        rate: the learning rate that "Descend" starts with, from 0.0001 to 10.
        quiz: hide the numbers of the backward pass and ask for them, in the order of the sweep: True, or only the
            "local derivatives", or only the "gradients". Answers stay on the page.

    Raises:
        TypeError: target is no Value and cannot be called to get one.
        ValueError: several results, or an unknown option.
        GraphError: a leaf was assigned after the result was computed.
        NotImplementedError: a primitive of the user's own has no formula.

    Example:
        >>> from microgradlike import Value, live
        >>> a, b, c = Value(5, label="a"), Value(3, label="b"), Value(2, label="c")
        >>> page = live(3 * (a + b * c))
        >>> page
        <Live page of 6 cards: .show() opens it in the browser, .save('page.html') writes it (or .svg, .gif)>
        >>> print(page.steps[3].text)
        Forward: v2 = a + v1 = 5 + 6 = 11.
    """
    if quiz not in (False, True, *QUIZZES):
        raise ValueError(f"quiz must be True, False, {' or '.join(map(repr, QUIZZES))}, not {quiz!r}")
    rate = real("rate", rate, 1e-4, 10.0)
    page = Live(
        detail=detail, title=title, theme=theme, direction=direction, max_nodes=max_nodes, inside=inside, digits=digits,
        opens="numbers", rate=rate, quiz=quiz,
    )  # fmt: skip
    root, branches = _result(target, inputs)
    page.add(root)
    page.branches = branches
    return page


def step_through(
    losses: Value | Iterable[Value] = (),
    *,
    detail: str = "auto",
    title: str | None = None,
    theme: str = "auto",
    direction: str = "LR",
    max_nodes: int | None = None,
    inside: bool = False,
    digits: int = 4,
) -> Live:
    """The page of `live`, opened on its steps: the forward and the backward pass, one operation at a time.

    Every step comes with its sentence: what is computed, the chain rule with its numbers, and the sum where
    paths meet. The backward pass shown is that of a fresh `backward()` from the result; no Value is touched.

    Args:
        losses: a Value; or one for each step of gradient descent, in which case each must be recorded before the
            parameters are updated: start with `step_through()` and call `add(loss)` in the loop.
        detail, title, direction, max_nodes, inside, digits: as for `draw`.
        theme: "auto" (as the reader prefers), "light" or "dark".

    Raises:
        TypeError: losses are no Values.
        GraphError: a leaf was assigned after a loss was computed.

    Example:
        >>> from microgradlike import Value, step_through
        >>> w = Value(0.5, label="w")
        >>> film = step_through(title="w² by gradient descent")
        >>> for _ in range(2):
        ...     loss = w * w
        ...     loss.label = "loss"
        ...     film.add(loss)
        ...     w.grad = 0.0
        ...     loss.backward()
        ...     w.data -= 0.25 * w.grad
        >>> print(film.steps[2].text)
        Forward: loss = w × w = 0.5 × 0.5 = 0.25.
        >>> print(film.steps[6].text)
        Update: each parameter moves against its gradient, w ← w − 0.25 · ∂loss/∂w: w: 0.5 − 0.25 × 1 = 0.25.
    """
    film = Live(
        detail=detail, title=title, theme=theme, direction=direction, max_nodes=max_nodes, inside=inside, digits=digits
    )
    several: Iterable[Value] = [losses] if isinstance(losses, Value) else losses
    for loss in several:
        film.add(loss)
    return film


def _result(target: Any, inputs: Sequence[Any]) -> tuple[Value, list[Branch]]:
    """The one Value that `target` is or returns, and the comparisons that were made on the way."""

    if callable(target) and not isinstance(target, Value) and len(inputs) == 1 and not takes_list(target, inputs[0]):
        inputs = list(inputs[0])
    listener = _Listener()
    with recording(listener):
        roots = roots_of(target, inputs)
    if len(roots) != 1:
        raise ValueError(
            f"live shows the gradients of one result, and this has {len(roots)}: give it one of them, or a loss"
        )
    return roots[0], listener.branches


class _Listener:
    """Hears which comparisons a function makes while it is recorded; to all else that happens it is deaf."""

    def __init__(self) -> None:
        self.branches: list[Branch] = []

    def branched(self, left: Any, relation: str, right: Any, outcome: bool) -> None:
        left_text, right_text = (
            visible(x.label or "the value") if isinstance(x, Value) else number(float(x)) for x in (left, right)
        )
        test = f"{left_text} {relation} {right_text}"
        self.branches.append(Branch(test, _line(), bool(outcome), COMPARISONS[relation].name, (left, right)))

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


def _line() -> str:
    """The line of the user's code that is running."""
    frame = sys._getframe(2)
    own = __name__.partition(".")[0] + "."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(own):
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    return f"{cell(file) or os.path.basename(file)}, line {line}"


class Live:
    """A page that computes; `add` records one more pass, `save` writes .html, .svg (animated), .gif or .txt."""

    def __init__(
        self, detail: str = "auto", title: str | None = None, theme: str = "auto", direction: str = "LR",
        max_nodes: int | None = None, inside: bool = False, digits: int = 4, opens: str = "steps", rate: float = 0.1,
        quiz: bool | str = False,
    ) -> None:  # fmt: skip
        known("detail", detail, DETAILS)
        known("theme", theme, THEMES)
        known("direction", direction, DIRECTIONS)
        self.detail, self.title, self.theme, self.direction = detail, title, theme, direction
        self.max_nodes, self.inside, self.digits = max_nodes, inside, digits
        self.opens, self.rate, self.quiz = opens, rate, quiz
        self.branches: list[Branch] = []
        self._graphs: list[Graph] = []
        self._roots: list[Value] = []

    def add(self, loss: Value) -> None:
        """Record one pass, with the numbers as they are now: call it before the parameters are updated.

        Raises:
            TypeError: loss is no Value.
            GraphError: a leaf was assigned after loss was computed.
        """
        if not isinstance(loss, Value):
            raise TypeError(
                "step_through takes a Value, or one for each step of a training loop; "
                f"not {type(loss).__name__}: {loss!r:.60}"
            )
        graph = Graph([loss], inside=self.inside)
        if graph.stale:
            raise GraphError(
                "a leaf was assigned after this loss was computed, so its numbers are gone: record each pass before "
                "the update, with film = step_through() before the loop and film.add(loss) in it"
            )
        graph.sweep()
        self._graphs.append(graph)
        self._roots.append(loss)
        self.__dict__.pop("passes", None)

    @cached_property
    def passes(self) -> list[Pass]:
        """All passes, those of the same structure sharing a picture."""
        if not self._graphs:
            raise ValueError("nothing to step through: give step_through a Value, or call add(loss) first")
        found: list[Pass] = []
        pictures: list[object] = []
        for k, graph in enumerate(self._graphs):
            folding = fold(graph, self.detail, self.max_nodes)
            name_all(graph, folding)
            shown = scene(graph, folding, digits=self.digits)
            shown.flows = False
            shape = (
                graph.rows,
                [tuple(x if type(x) is int else repr(x) for x in operands) for operands in graph.operands],
                graph.labels,
            )
            if shape not in pictures:
                pictures.append(shape)
            told = steps(graph, folding, shown, self.digits)
            part = Pass(graph, folding, shown, told, pictures.index(shape), hidden=hidden(shown))
            if k:
                part.changed[0] = [("", "Forward again, with the new numbers.")]
                result = max(i for i, step in enumerate(told) if step.phase == "forward")
                before = self._graphs[k - 1].data[self._graphs[k - 1].roots[0]]
                was: list[Span] = [
                    ("", " In the pass before it was "),
                    ("value", number(before, self.digits)),
                    ("", "."),
                ]
                part.changed[result] = [*told[result].sentence, *was]
                if found[-1].picture == part.picture:
                    found[-1].update = update(self._graphs[k - 1], graph, shown, self.digits, folding.group_of)
            found.append(part)
        return found

    @property
    def steps(self) -> list[Step]:
        """The steps of all passes, one after the other."""
        return [step for part in self.passes for step in part.steps]

    @property
    def loss_name(self) -> str:
        """What the result is called."""
        return visible(self._graphs[0].labels[self._graphs[0].roots[0]] or "output") if self._graphs else "output"

    def painters(self) -> list[Painter]:
        """One painter for each picture, with room for the numbers of all its passes."""
        painters = []
        for picture in range(max(part.picture for part in self.passes) + 1):
            scenes = [part.scene for part in self.passes if part.picture == picture]
            painters.append(Painter(scenes[0], self.direction, scenes[1:]))
        return painters

    def roomy_painters(self) -> list[Painter]:
        """One painter for each picture, with room for any number."""
        painters = []
        for picture in range(max(part.picture for part in self.passes) + 1):
            scenes = [part.scene for part in self.passes if part.picture == picture]
            painters.append(Painter(scenes[0], self.direction, [*scenes[1:], roomy(scenes[0])]))
        return painters

    def __str__(self) -> str:
        return printable(self.to_text())

    def to_text(self) -> str:
        """The steps as sentences, a line for each."""
        return "\n".join(f"{k:4}  {step.phase:9} {step.text}" for k, step in enumerate(self.steps))

    def __repr__(self) -> str:
        count = len(self._graphs)
        what = "no pass yet"
        if count:
            cards = len(self.passes[0].scene.cards)
            what = f"{cards:,} cards" if count == 1 else f"{count:,} passes"
        return f"<Live page of {what}: .show() opens it in the browser, .save('page.html') writes it (or .svg, .gif)>"

    def to_html(self) -> str:
        """One self-contained page."""
        from .page import live_page

        return live_page(self, [painter.canvas() for painter in self.roomy_painters()])

    def to_svg(self, seconds: float = 1.6) -> str:
        """The steps as an animated SVG that plays in a loop, each shown for `seconds`."""
        from .animate import animated_svg

        return animated_svg(self, seconds)

    def to_gif(self, seconds: float = 1.6, scale: float = 1.0) -> bytes:
        """The steps as an animated GIF, each shown for `seconds`.

        Raises:
            ImportError: Pillow is not installed (`pip install "microgradlike[animation]"`).
        """
        from .animate import animated_gif

        return animated_gif(self, seconds, scale)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the steps to a file: .html (a page), .svg or .gif (animated), .txt (the sentences).

        Raises:
            ValueError: an unknown suffix, or there is nothing to step through.
            FileNotFoundError: the folder does not exist.
        """
        suffix = Path(path).suffix.lower()
        makers: dict[str, Callable[[], str | bytes]] = {
            ".html": self.to_html, ".svg": self.to_svg, ".gif": self.to_gif, ".txt": lambda: self.to_text() + "\n",
        }  # fmt: skip
        if suffix not in makers:
            raise ValueError(
                f"cannot save {str(path)!r}: end its name in one of {' '.join(FORMATS)}, not {suffix or 'nothing'!r}"
            )
        return write_atomically(path, makers[suffix]())

    @property
    def log_rate(self) -> float:
        """The learning rate as the page's slider has it."""
        return round(log10(self.rate), 1)

    def height(self) -> int:
        """About how high the page is, in a notebook that does not let it say so itself."""
        tallest = max(painter.canvas().height for painter in self.painters())
        return round(min(tallest, 640) + 330)

    def show(self) -> None:
        """Open the page in the browser."""
        in_browser(self.to_html())

    def _repr_html_(self) -> str:
        return framed(self.to_html(), self.title or "Computation graph", self.height())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/html": self._repr_html_(), "text/plain": repr(self)}
        with suppress(ImportError):  # what a notebook shows that was not made here and is not trusted
            canvas = self.painters()[0].canvas()
            bundle["image/png"] = png(canvas, DARK if self.theme == "dark" else LIGHT, min(1.5, most_scale(canvas)))
        return bundle


def framed(page: str, title: str, height: int) -> str:
    """A page within another, say a notebook."""
    source = html.escape(page, quote=True)
    style = f"width:100%;height:{height}px;border:0"
    return f'<iframe srcdoc="{source}" style="{style}" title="{html.escape(visible(title))}"></iframe>'


def roomy(shown: Scene) -> Scene:
    """The scene with numbers as wide as they get."""
    wide = copy.deepcopy(shown)
    for card in wide.cards:
        sums = len(card.terms) > 1 and not card.lines and not card.output
        card.gradient = total([ROOM] * len(card.terms), ROOM) if sums else WIDE
        card.value = f"{WIDE}88888"  # beside it, a nudge writes the change where else "value" stands
        for line in card.lines:
            line.value = line.gradient = f"{WIDE} … {WIDE}" if line.nodes else WIDE
    for edge in wide.edges:
        edge.texts = [
            (f"{text[: text.rindex(' ') + 1]}{WIDE}" if kind in ("derivative", "name") else WIDE, kind)
            if kind != "constant"
            else (text, kind)
            for text, kind in edge.texts
        ]
    return wide
