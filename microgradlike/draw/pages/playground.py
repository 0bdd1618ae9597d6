"""`playground`: a model with data as a page that trains it, beside the live picture of one example in it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import optim
from ...arguments.checks import choice, integer, real
from ...arguments.rows import as_lists, check_lengths, read_column, read_rows
from ...files import write_atomically
from ...graph.engine import Value, values
from ...graph.functions import function
from ...graph.source import bare
from ..picture.graph import Graph
from .javascript import JavaScript, Script, literal, scoped
from .live import Live, framed

MOST_ROWS, MOST_CLASSES = 1_000, 12
RATES = {
    "gradient_descent": 0.3, "sgd": 0.3, "momentum": 0.05, "nesterov": 0.05, "adagrad": 0.1, "rmsprop": 0.01,
    "adadelta": 1.0, "adam": 0.03, "adamw": 0.03, "nadam": 0.03,
}  # fmt: skip


@dataclass(slots=True)
class Subject:
    """A model and its data, as a page needs them.

    Attributes:
        kind: what the outputs are: "logit", "probability", "scores", "probabilities" or "number".
        rows: the features of each example, as the network gets them, with its target at the end.
        names: of the columns. classes: the labels, empty for a regression.
        scale: mean and deviation of each column before it was standardised, or None; of the target last.
        inputs, target, parameters: the leaves of one example's graph. outputs, loss: its results.
    """

    kind: str
    rows: list[list[float]]
    names: list[str]
    classes: list[str]
    inputs: list[Value]
    target: Value
    parameters: list[Value]
    outputs: list[Value]
    loss: Value
    scale: list[tuple[float, float] | None] = field(default_factory=list)
    left_out: int = 0


def playground(
    model: Any,
    X: Any,
    y: Any,
    *,
    loss: Callable[[Any, Any], Any] | None = None,
    optimizer: str = "gradient_descent",
    learning_rate: float | None = None,
    batch_size: int | None = None,
    columns: tuple[int, int] = (0, 1),
    detail: str = "neurons",
    title: str | None = None,
    theme: str = "auto",
    digits: int = 4,
) -> Playground:
    """A model with data as a page that trains it: the decision boundary (or the curve) moves as the parameters do.

    The page is one file that works offline. It trains with every optimiser of the package, on all rows or in
    mini-batches; shows what the model says of every point of the plane; and, of a chosen example, its values and
    gradients in the network's picture, which can be stepped through as `live` can. A click on a neuron shows what it
    computes over the plane. Points can be moved. Nothing is written back: `model` stays as it is.

    Args:
        model: a module of `mg.nn` (or anything with `parameters()` that is called with a row), or a fitted model of
            `mg.models`, whose network goes on from where it is (its penalty `l2` does not act in the page).
        X: m rows of n numbers. y: m labels, for classes (text, whole numbers, booleans, 0.0 and 1.0), or m numbers to
            be met; to a model with one output, more than two whole numbers are such numbers.
        loss: `loss(output, target)` of one example; None takes the one that fits: cross-entropy, or half the squared
            error. The target is a Value: the number, or the class, counted from 0.
        optimizer: what the page starts with, a name as the models have it; the page can change it.
        learning_rate: a number from 0.0001 to 10; None takes one that suits the optimiser.
        batch_size: rows of a step; None is all of them.
        columns: of more than two features, the two that the plane shows, counted from 0; the others are held at the
            chosen example's, and the page says so.
        detail, title, digits: as for `draw`. theme: "auto", "light" or "dark".

    Raises:
        TypeError, ValueError: an argument that does not fit, by name.
        NotFittedError: a model of `mg.models` that was not fitted.

    Example:
        >>> import microgradlike as mg
        >>> net = mg.nn.MLP(2, [3, 1], "tanh", seed=1)
        >>> page = mg.playground(net, [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
        >>> page
        <Playground: 4 rows, 2 classes, 13 parameters; save() writes .html>
    """
    known = list(optim.by_name())
    choice("optimizer", optimizer, known)
    rate = RATES[optimizer] if learning_rate is None else real("learning_rate", learning_rate, 1e-4, 10.0)
    batch = None if batch_size is None else integer("batch_size", batch_size)
    subject = _subject(model, X, y, loss)
    shown = [integer(f"columns[{i}]", c, 0) for i, c in enumerate(columns)]
    n = len(subject.names)
    if n > 1 and (len(shown) != 2 or any(c >= n for c in shown) or shown[0] == shown[1]):
        raise ValueError(f"columns must be two different ones of 0 to {n - 1}, not {columns!r}")
    return Playground(subject, optimizer, rate, batch, shown[:n], detail, title, theme, digits)


class Playground:
    """A page that trains a model; `save` writes it, a notebook shows it."""

    def __init__(
        self, subject: Subject, optimizer: str, rate: float, batch_size: int | None, columns: list[int], detail: str,
        title: str | None, theme: str, digits: int,
    ) -> None:  # fmt: skip
        self.subject, self.optimizer, self.rate, self.batch_size = subject, optimizer, rate, batch_size
        self.columns, self.title = columns, title
        self.live = Live(detail=detail, theme=theme, digits=digits, opens="numbers", rate=rate)
        self.live.add(subject.loss)

    def __repr__(self) -> str:
        s = self.subject
        what = f"{len(s.classes)} classes" if s.classes else "a regression"
        return f"<Playground: {len(s.rows):,} rows, {what}, {len(s.parameters):,} parameters; save() writes .html>"

    def data(self, graph: Graph) -> dict[str, Any]:
        """What the page knows of the model and its rows; `graph` is the picture's."""
        s = self.subject
        at = {index: key for key, index in graph.index_of.items()}
        order = {id(v): i for i, v in enumerate([*s.inputs, s.target, *s.parameters])}
        leaves = [v for v, row in enumerate(graph.rows) if row is None]
        fixed = [v for v in leaves if at.get(v) not in order]
        count = len(order)
        places = [order[at[v]] if v not in fixed else count + fixed.index(v) for v in leaves]
        spreads, biases = _spreads(graph, [graph.index_of.get(id(p), -1) for p in s.parameters])
        return {
            "kind": s.kind, "rows": s.rows, "names": s.names, "classes": s.classes, "from": places,
            "start": [p.data for p in s.parameters], "fixed": [graph.data[v] for v in fixed],
            "spreads": spreads, "biases": biases, "outputs": [graph.index_of[id(v)] for v in s.outputs],
            "target": graph.index_of.get(id(s.target), -1), "scale": s.scale, "columns": self.columns,
            "optimizer": self.optimizer, "batch": self.batch_size or 0, "rates": RATES, "leftOut": s.left_out,
        }  # fmt: skip

    def to_html(self) -> str:
        """One self-contained page."""
        from .page import playground_page

        return playground_page(self, optimisers_source())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file that ends in .html.

        Raises:
            ValueError: another suffix.
            FileNotFoundError: the folder does not exist.
        """
        if Path(path).suffix.lower() != ".html":
            raise ValueError(f"cannot save {str(path)!r}: a playground is a page, end its name in .html")
        return write_atomically(path, self.to_html())

    def _repr_html_(self) -> str:
        return framed(self.to_html(), self.title or "Playground", self.live.height() + 480)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}


# ── a model and its data ────────────────────────────────────────────────────────────────────────
def _subject(model: Any, X: Any, y: Any, loss: Callable[[Any, Any], Any] | None) -> Subject:
    rows = as_lists(read_rows(X))
    targets = read_column(y)
    check_lengths(rows, targets)
    names = [str(name) for name in getattr(X, "columns", [f"x{i + 1}" for i in range(len(rows[0]))])]
    scales: list[tuple[float, float] | None] = [None] * (len(names) + 1)
    network, labels, classification = model, None, _are_classes(targets)
    if hasattr(model, "_estimator_type"):
        labels, classification = _fitted(model, rows, names)
        network = model.network_
        rows = _standardised(model.standardizer_, rows, scales)
        target_scaler = getattr(model, "target_standardizer_", None)
        if target_scaler is not None:
            targets = [t for [t] in as_lists(target_scaler.transform([[float(t)] for t in targets]))]
            scales[-1] = (target_scaler.mean_[0], target_scaler.scale_[0])
    elif not callable(model) or not callable(getattr(model, "parameters", None)):
        raise TypeError(
            f"playground takes a module with parameters(), or a fitted model of mg.models, not {type(model).__name__}"
        )
    inputs = [Value(x, label=name) for x, name in zip(rows[0], names, strict=True)]
    named = getattr(network, "graph", None)
    returned = named(inputs) if callable(named) else network(inputs)
    outputs = [returned] if isinstance(returned, Value) else list(returned)
    if labels is None and len(outputs) == 1 and len(set(targets)) > 2 and not isinstance(targets[0], str):
        classification = False  # one output for many whole numbers: they are to be met
    classes = _class_list(targets, labels) if classification else []
    if classification:
        number = {label: float(k) for k, label in enumerate(classes)}
        unseen = next((t for t in targets if t not in number), None)
        if unseen is not None:
            raise ValueError(f"y has the label {unseen!r}, which the model does not know: {classes!r:.200}")
        column = [number[t] for t in targets]
    else:
        column = [real(f"y[{i}]", t) for i, t in enumerate(targets)]
    target = Value(column[0], label="y" if "y" not in names else "target")
    kind, result = _loss(outputs, target, len(classes), loss)
    result.label = "loss" if result.label is None else result.label
    parameters = list(network.parameters())
    if not parameters:
        raise ValueError("the model has no parameters, so there is nothing to train")
    joined = [[*row, t] for row, t in zip(rows, column, strict=True)]
    stride = math.ceil(len(joined) / MOST_ROWS)
    return Subject(
        kind, joined[::stride], names, [str(c) for c in classes], inputs, target, parameters, outputs, result, scales,
        len(joined) - len(joined[::stride]),
    )  # fmt: skip


def _fitted(model: Any, rows: Sequence[Sequence[float]], names: list[str]) -> tuple[list[Any] | None, bool]:
    """The classes of a fitted model of `mg.models` (None for a regressor), after a look at the rows."""
    model.graph(rows[0], _first_target(model))  # raises if it is not fitted, or fitted to other columns
    known = getattr(model, "feature_names_in_", None)
    if known is not None:
        names[:] = map(str, known)
    classes: Any = getattr(model, "classes_", None)
    plain = classes.tolist() if hasattr(classes, "tolist") else classes
    return plain, classes is not None


def _first_target(model: Any) -> Any:
    classes = getattr(model, "classes_", None)
    return 0.0 if classes is None else classes[0]


def _standardised(scaler: Any, rows: list[list[float]], scales: list[Any]) -> list[list[float]]:
    if scaler is None:
        return rows
    scales[:-1] = list(zip(scaler.mean_, scaler.scale_, strict=True))
    return as_lists(scaler.transform(rows))


def _are_classes(targets: Sequence[Any]) -> bool:
    """Whether these are labels, rather than numbers to be met: text, whole numbers, or 0.0 and 1.0."""
    kinds = set(targets)
    labels = all(isinstance(t, (str, bool, int)) for t in targets) or kinds <= {0.0, 1.0}
    return labels and len(kinds) <= MOST_CLASSES


def _class_list(targets: Sequence[Any], known: list[Any] | None) -> list[Any]:
    classes = known if known is not None else sorted(set(targets), key=lambda t: (str(type(t)), t))
    if len(classes) < 2:
        raise ValueError(f"y has one class only, {classes[0]!r}: there is nothing to tell apart")
    return classes


def _loss(
    outputs: list[Value], target: Value, classes: int, own: Callable[[Any, Any], Any] | None
) -> tuple[str, Value]:
    """What the outputs are, and the loss of one example."""
    last = outputs[0].op.name if outputs[0].op is not None else ""
    kind = "number"
    if classes and len(outputs) == 1:
        kind = "probability" if last == "sigmoid" else "logit"
    elif classes:
        kind = "probabilities" if last == "softmax" else "scores"
    if kind in ("number", "logit", "probability") and len(outputs) != 1:
        raise ValueError(f"the model has {len(outputs)} outputs for one number of y: playground shows one")
    if kind in ("logit", "probability") and classes > 2:
        raise ValueError(f"y has {classes} classes, and the model one output: it needs one for each class")
    if kind in ("scores", "probabilities") and len(outputs) != classes:
        raise ValueError(f"y has {classes} classes, and the model {len(outputs)} outputs: it needs one for each class")
    if own is not None:
        found = own(outputs[0] if len(outputs) == 1 else outputs, target)
        if not isinstance(found, Value) or found.is_leaf:
            raise TypeError(f"loss must return a Value that it computed, not {found!r:.60}")
        return kind, found
    if kind == "logit":
        return kind, function("binary_cross_entropy_with_logits")(outputs[0], target)
    if kind == "probability":
        return kind, function("binary_cross_entropy")(outputs[0], target)
    if kind == "scores":
        return kind, values.cross_entropy(target, *outputs)
    if kind == "probabilities":
        return kind, -function("log")(values.take(target, *outputs))
    return kind, function("half_squared_error")(outputs[0], target)


def _spreads(graph: Graph, parameters: Sequence[int]) -> tuple[list[float], list[bool]]:
    """How far from 0 each parameter starts anew (by its neuron's inputs), and which are biases, which start at 0."""
    spreads, biases = [], []
    for v in parameters:
        user = graph.users[v][0] if v >= 0 and graph.users[v] else -1
        operands = graph.operands[user] if user >= 0 else ()
        row = graph.rows[user].name if user >= 0 else ""  # type: ignore[union-attr]
        half = len(operands) // 2
        is_bias = row == "dot" and operands[(operands.index(v) + half) % len(operands)] == 1.0
        alone = row in ("add", "sum")  # w·x + b
        biases.append(is_bias or alone)
        spreads.append(math.sqrt(3.0 / max(half if row == "dot" else 2, 1)))
    return spreads, biases


# ── optimisers ──────────────────────────────────────────────────────────────────────────────────
def optimisers_source() -> str:
    """Every optimiser as JavaScript: its coefficients at step t, its rule for one parameter, its first state."""
    m, parts = JavaScript(), []
    for name, make in optim.by_name().items():
        made = make([Value(0.0)])
        first = [made.state[key][0] for key in made.state]
        state = [Script(f"s{i}") for i in range(len(first))]
        c = made.coefficients(Script("t"), Script("rate"), m)
        cs = [Script(f"c{i}") for i in range(len(c))]
        after = made.rule(m, tuple(cs), Script("x"), Script("g"), *state)
        head = f"(x, g, [{', '.join(cs)}], [{', '.join(state)}])"
        listed = ", ".join(bare(literal(a)) for a in after[1:])
        parts.append(
            f"  {name}: {{ state: [{', '.join(map(literal, first))}],\n"
            f"    coefficients: (t, rate) => [{', '.join(bare(literal(a)) for a in c)}],\n"
            f"    rule: {head} => [{bare(literal(after[0]))}, [{listed}]] }},"
        )
    return scoped("\n".join([m.prelude(), "const optimisers = {", *parts, "};"]), "optimisers")
