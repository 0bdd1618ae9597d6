"""`step_through`: a computation, or several steps of gradient descent, to go through one operation at a time."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...files import write_atomically
from ...graph.engine import GraphError, Value
from ..picture.fold import DETAILS, Folding, fold
from ..picture.graph import Graph
from ..picture.paint import Painter
from ..picture.scene import Scene, scene
from ..picture.text import number, visible
from .steps import Step, hidden, steps, update

FORMATS = (".html", ".svg", ".gif", ".txt")


@dataclass(slots=True)
class Pass:
    """One forward and backward pass, ready to be shown in `pictures[picture]`."""

    graph: Graph
    folding: Folding
    scene: Scene
    steps: list[Step]
    picture: int
    hidden: dict[tuple[object, ...], str] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)
    loss: str = ""


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
) -> StepThrough:
    """The forward and the backward pass of a computation, step by step: a page, an animation, or text.

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
    film = StepThrough(
        detail=detail, title=title, theme=theme, direction=direction, max_nodes=max_nodes, inside=inside, digits=digits
    )
    several: Iterable[Value] = [losses] if isinstance(losses, Value) else losses
    for loss in several:
        film.add(loss)
    return film


class StepThrough:
    """Passes to step through; `add` records one more, `save` writes .html, .svg (animated), .gif or .txt."""

    def __init__(
        self, detail: str = "auto", title: str | None = None, theme: str = "auto", direction: str = "LR",
        max_nodes: int | None = None, inside: bool = False, digits: int = 4,
    ) -> None:  # fmt: skip
        from ..drawing import DIRECTIONS, THEMES, _known

        _known("detail", detail, DETAILS)
        _known("theme", theme, THEMES)
        _known("direction", direction, DIRECTIONS)
        self.detail, self.title, self.theme, self.direction = detail, title, theme, direction
        self.max_nodes, self.inside, self.digits = max_nodes, inside, digits
        self._graphs: list[Graph] = []

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
            shown = scene(graph, folding, digits=self.digits)
            shape = (
                graph.rows,
                [tuple(x if type(x) is int else repr(x) for x in operands) for operands in graph.operands],
                graph.labels,
            )
            if shape not in pictures:
                pictures.append(shape)
            told = steps(graph, folding, shown, self.digits)
            picture = pictures.index(shape)
            if k:
                told[0].sentence = [("", "Forward again, with the new numbers.")]
                result = max(i for i, step in enumerate(told) if step.phase == "forward")
                was = self._graphs[k - 1].data[self._graphs[k - 1].roots[0]]
                told[result].sentence += [
                    ("", " In the pass before it was "),
                    ("value", number(was, self.digits)),
                    ("", "."),
                ]
                if found[-1].picture == picture:
                    change = update(self._graphs[k - 1], graph, shown, self.digits, folding.group_of)
                    if change:
                        found[-1].steps.append(change)
            root = graph.data[graph.roots[0]]
            tips = {str(i): card.tooltip for i, card in enumerate(shown.cards)}
            found.append(Pass(graph, folding, shown, told, picture, hidden(shown), tips, number(root, self.digits)))
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

    def __str__(self) -> str:
        return "\n".join(f"{k:4}  {step.phase:9} {step.text}" for k, step in enumerate(self.steps))

    def __repr__(self) -> str:
        count = len(self._graphs)
        return f"<StepThrough of {count} pass{'es' * (count != 1)}; save() writes .html, .svg, .gif or .txt>"

    def to_html(self) -> str:
        """One self-contained page."""
        from ..formats.svg import svg
        from ..picture.theme import LIGHT
        from .page import letters, stepping

        more = letters(self.passes)
        pictures = [svg(painter.canvas(), LIGHT, roles=True, letters=more) for painter in self.painters()]
        return stepping(
            self.title or f"Step by step: {self.loss_name}", pictures, self.passes, self.theme, self.loss_name
        )

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
            ".html": self.to_html, ".svg": self.to_svg, ".gif": self.to_gif, ".txt": lambda: str(self) + "\n",
        }  # fmt: skip
        if suffix not in makers:
            raise ValueError(
                f"cannot save {str(path)!r}: end its name in one of {' '.join(FORMATS)}, not {suffix or 'nothing'!r}"
            )
        return write_atomically(path, makers[suffix]())

    def _repr_html_(self) -> str:
        page = html.escape(self.to_html(), quote=True)
        title = html.escape(visible(self.title or "Step by step"))
        return f'<iframe srcdoc="{page}" style="width:100%;height:640px;border:0" title="{title}"></iframe>'

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}
