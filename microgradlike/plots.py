"""Learning pictures (matplotlib): activations, cost surfaces, paths of optimisers, loss curves, boundaries, confusion.

Every function returns a `matplotlib.figure.Figure` (`figure.savefig("name.png")`), which a notebook shows as the result
of a cell; no window is opened and no global state of matplotlib is touched. What a picture shows is computed by
functions of its own, with the package's losses, derivatives and optimisers. For pictures of the graph itself, see
`microgradlike.draw`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import losses, nn, optim
from .arguments.checks import choice, integer, real
from .arguments.rows import as_lists, check_lengths, read_column, read_rows
from .graph.engine import Value, values
from .graph.modes import recording_again
from .graph.transforms import grad
from .ops import TABLE

__all__ = [
    "activation", "confusion_matrix", "cost_surface", "cost_surfaces", "decision_boundary", "descent_path",
    "descent_paths", "loss_curves",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__


BLUE, ORANGE, INK, GREY = "#0060a8", "#b84a00", "#1a1d21", "#858f9b"
# Okabe & Ito's colours, which colour-blind readers can tell apart.
COLOURS = [BLUE, ORANGE, "#00795a", "#9a7300", "#7b3294", "#56b4e9", "#cc79a7", "#69747f", "#d55e00", "#1a1d21"]
MARKERS = "osD^vPX*<>"

# One feature, two classes that overlap: so few that every example leaves its mark on the surface.
EXAMPLE_X = [-2.5, -1.5, -1.0, -0.5, 0.5, 0.75, 1.5, 2.5]
EXAMPLE_Y = [0, 0, 0, 1, 0, 1, 1, 1]

COSTS: dict[str, Callable[[Any, float], Any]] = {
    "log loss": losses.binary_cross_entropy_with_logits,
    "squared error": lambda z, y: losses.half_squared_error(values.sigmoid(z), y),
}


def _figure(
    columns: int = 1, *, width: float = 5.2, height: float = 4.2, ax: Any = None, **options: Any
) -> tuple[Any, Any]:
    """(figure, axes): those of `ax`, or new ones side by side."""
    if ax is not None:
        return ax.figure, ax
    try:
        from .figure import Figure
    except ImportError:
        raise ImportError('pictures of learning need matplotlib: pip install "microgradlike[plots]"') from None
    figure = Figure(figsize=(width * columns, height), layout="constrained")
    return figure, figure.subplots(1, columns, **options)


def activation(name: str = "sigmoid", *, low: float = -6.0, high: float = 6.0, ax: Any = None) -> Any:
    """An activation and its derivative on [low, high]: a curve each.

    Args:
        name: a name from `nn.activations()`; "sigmoid" shows σ and σ′ = σ(1 − σ), at most ¼.
        low, high: the range of the argument.
        ax: matplotlib axes to draw on, instead of a new figure.
    """
    choice("activation", name, nn.activations())
    low = real("low", low)
    high = real("high", high, low, above=True)
    function: Callable[[Any], Any] = getattr(values, name)
    xs = _spaced(low, high, 241)
    figure, ax = _figure(ax=ax)
    symbol = {"sigmoid": "σ"}.get(name, name)
    ax.axhline(0.0, color=GREY, linewidth=0.6)
    ax.axvline(0.0, color=GREY, linewidth=0.6)
    ax.plot(xs, [function(x) for x in xs], color=BLUE, linewidth=2, label=f"{symbol}(z)")
    ax.plot(xs, [grad(function)(x) for x in xs], color=ORANGE, linewidth=2, linestyle="--", label=f"{symbol}′(z)")
    formula = re.sub(r"\bx\b", "z", TABLE[name].doc.removesuffix(".")).replace("ˣ", "ᶻ")  # the table calls it x
    ax.set(xlabel="z", title=formula)
    ax.legend(frameon=False)
    return figure


def cost_surface(
    x: Sequence[float], y: Sequence[int], ws: Sequence[float], bs: Sequence[float], cost: str = "log loss"
) -> list[list[float]]:
    """J(w, b), the mean cost of p = σ(w·x + b) over the examples: a row for each b, a column for each w.

    Args:
        x: the examples' one feature.
        y: their labels, 0 or 1.
        ws, bs: the weights and biases of the grid.
        cost: "log loss", which is convex in (w, b), or "squared error", ½(p − y)², which is not.

    >>> [[round(J, 6) for J in row] for row in cost_surface([1.0], [1], [0.0, 1.0], [0.0])]
    [[0.693147, 0.313262]]
    """
    loss = COSTS[choice("cost", cost, COSTS)]
    pairs = _examples(x, y)
    return [[losses.mean(loss(w * xi + b, yi) for xi, yi in pairs) for w in ws] for b in bs]


def cost_surfaces(
    x: Sequence[float] = EXAMPLE_X, y: Sequence[int] = EXAMPLE_Y, *, reach: float = 8.0, steps: int = 41
) -> Any:
    """The cost over (w, b) of log loss, a convex bowl, beside that of squared error, which has plateaus and is not.

    On each lies the path of 60 steps of gradient descent, a dot where it ends, and on the floor the contours.

    Args:
        x, y: one feature and the labels, 0 or 1; eight examples unless told otherwise.
        reach: w and b go from −reach to reach.
        steps: points of the grid along each.
    """
    grid = _spaced(-real("reach", reach, 0.0, above=True), reach, integer("steps", steps, 3))
    figure, axes = _figure(2, height=4.8, subplot_kw={"projection": "3d"})
    import numpy as np

    W, B = np.meshgrid(grid, grid)
    for ax, (cost, shape) in zip(axes, [("log loss", "convex"), ("squared error", "not convex")], strict=True):
        J = np.array(cost_surface(x, y, grid, grid, cost))
        ax.plot_surface(W, B, J, cmap="viridis", linewidth=0.2, edgecolor="#00000030", zorder=2)
        floor = float(J.min()) - 0.15 * float(np.ptp(J))
        ax.contour(W, B, J, levels=12, offset=floor, cmap="viridis", zorder=1)
        path = [
            point
            for point in descent_path("gradient_descent", x, y, cost=cost, start=(-reach / 2, reach / 2))
            if max(map(abs, point[:2])) <= reach
        ]
        ax.computed_zorder = False  # the path lies on the surface, and is seen
        ax.plot(*zip(*path, strict=True), color=COLOURS[1], marker=".", markersize=4, linewidth=1.4, zorder=5)
        ax.plot(*([number] for number in path[-1]), "o", color=INK, markersize=6, zorder=6)
        ax.set(xlabel="w", ylabel="b", title=f"{cost}: {shape}")
        ax.set_zlabel("J(w, b)", labelpad=9)
        ax.set_box_aspect(None, zoom=0.9)  # the layout does not know of the label beside the box
    return figure


def descent_path(
    optimizer: str | Callable[[list[Value]], optim.Optimizer],
    x: Sequence[float] = EXAMPLE_X,
    y: Sequence[int] = EXAMPLE_Y,
    *,
    start: tuple[float, float] = (-4.0, 4.0),
    steps: int = 60,
    cost: str = "log loss",
) -> list[tuple[float, float, float]]:
    """(w, b, J) before the first step and after each: gradient descent on `cost_surface`, or what improves on it.

    Args:
        optimizer: "gradient_descent", "sgd", … as the models name them, with a learning rate to see something by;
            or a function of the two parameters that returns an optimiser.
        x, y, cost: as for `cost_surface`.
        start: w and b before the first step.
        steps: how many steps.
    """
    loss = COSTS[choice("cost", cost, COSTS)]
    pairs = _examples(x, y)
    w, b = (nn.Parameter(number, name) for number, name in zip(start, "wb", strict=True))
    step = _made(optimizer, [w, b])
    path = []
    for _ in range(integer("steps", steps) + 1):
        with recording_again():  # also within no_grad()
            J = losses.mean(loss(w * xi + b, yi) for xi, yi in pairs)
        path.append((w.data, b.data, J.data))
        step.zero_grad()
        J.backward()
        step.step()
    return path


# What each needs to cover the distance on the example surface in some tens of steps.
_RATES = {
    "gradient_descent": 1.0, "sgd": 1.0, "momentum": 0.3, "nesterov": 0.3, "adagrad": 1.0, "rmsprop": 0.2,
    "adadelta": 20.0, "adam": 0.3, "adamw": 0.3, "nadam": 0.3,
}  # fmt: skip


def _made(optimizer: Any, parameters: list[Value]) -> optim.Optimizer:
    if callable(optimizer):
        made: optim.Optimizer = optimizer(parameters)
        return made
    kinds: dict[str, Any] = optim.by_name()
    name = choice("optimizer", optimizer, kinds)
    built: optim.Optimizer = kinds[name](parameters, _RATES[name])
    return built


def descent_paths(
    optimizers: Mapping[str, Any] | Sequence[str] = (
        "gradient_descent",
        "momentum",
        "nesterov",
        "adagrad",
        "rmsprop",
        "adam",
        "nadam",
    ),
    x: Sequence[float] = EXAMPLE_X,
    y: Sequence[int] = EXAMPLE_Y,
    *,
    start: tuple[float, float] = (-4.0, 4.0),
    steps: int = 60,
    cost: str = "log loss",
    ax: Any = None,
) -> Any:
    """The paths of several optimisers from one start, over the contours of the cost.

    Args:
        optimizers: names, or a mapping of titles to names or functions, as `descent_path` takes them.
        Others as for `descent_path`; ax: matplotlib axes to draw on, instead of a new figure.
    """
    chosen = dict(optimizers) if isinstance(optimizers, Mapping) else {name: name for name in optimizers}
    paths = {
        title: descent_path(optimizer, x, y, start=start, steps=steps, cost=cost) for title, optimizer in chosen.items()
    }
    figure, ax = _figure(width=6.4, height=5.2, ax=ax)
    ws = _margins([w for path in paths.values() for w, _, _ in path])
    bs = _margins([b for path in paths.values() for _, b, _ in path])
    J = cost_surface(x, y, ws, bs, cost)
    heights = sorted(height for row in J for height in row)
    levels = sorted({heights[i * (len(heights) - 1) // 20] for i in range(21)})  # as much area between any two
    ax.contourf(ws, bs, J, levels=levels, cmap="Greys", alpha=0.4)
    ax.contour(ws, bs, J, levels=levels, colors=GREY, linewidths=0.4)
    for (title, path), colour, marker in zip(paths.items(), COLOURS * len(paths), MARKERS * len(paths), strict=False):
        ax.plot(
            [w for w, _, _ in path], [b for _, b, _ in path],
            color=colour, marker=marker, markersize=3, linewidth=1.2, label=_text(f"{title} ({path[-1][2]:.3g})"),
        )  # fmt: skip
    ax.plot(*start, "o", color=INK, markersize=7)
    lowest = min((point for path in paths.values() for point in path), key=lambda point: point[2])
    ax.plot(*lowest[:2], "X", color=INK, markersize=8, label=f"lowest ({lowest[2]:.3g})")
    ax.set(xlabel="w", ylabel="b", title=f"{steps} steps on the cost ({cost}); last cost in brackets")
    ax.legend(frameon=True, fontsize=8)
    return figure


def _text(x: Any) -> str:
    """x as matplotlib shows it letter by letter: no formulas between $, nothing left out of a legend for its _."""
    text = str(x).encode("utf-8", "replace").decode().replace("$", r"\$")
    return f"\u200b{text}" if text.startswith("_") else text


def loss_curves(curves: Any, *, log: bool = False, ax: Any = None) -> Any:
    """The cost of each epoch: one curve for each model, and its validation loss, dashed, where there is one.

    Args:
        curves: a fitted model, a list of costs, or a mapping of titles to either.
        log: whether the cost axis is logarithmic.
        ax: matplotlib axes to draw on, instead of a new figure.
    """
    chosen = curves if isinstance(curves, Mapping) else {"": curves}
    if not chosen:
        raise ValueError("curves is empty: pass a fitted model, a list of costs, or a mapping of titles to either")
    figure, ax = _figure(ax=ax)
    for (title, curve), colour in zip(chosen.items(), COLOURS * len(chosen), strict=False):
        training, validation = _curves(curve)
        ax.plot(range(1, len(training) + 1), training, color=colour, label=_text(title or "training cost"))
        if validation:
            label = f"{title}, validation" if title else "validation loss"
            ax.plot(range(1, len(validation) + 1), validation, color=colour, linestyle="--", label=_text(label))
    ax.set(xlabel="epoch", ylabel="cost", yscale="log" if log else "linear")
    ax.legend(frameon=False)
    return figure


def _curves(curve: Any) -> tuple[list[float], list[float]]:
    if hasattr(curve, "get_params"):
        if not hasattr(curve, "loss_curve_"):
            raise ValueError(f"{curve!r} is not fitted yet: call fit(X, y) first")
        return curve.loss_curve_, curve.validation_loss_curve_ or []
    return [float(cost) for cost in curve], []


def decision_boundary(model: Any, X: Any, y: Any, *, steps: int = 120, ax: Any = None) -> Any:
    """The rows as points in the plane of their two features, over what the model says of every point of it.

    With two classes: shades and contours of the probability of the second, the boundary (where the prediction
    changes) thick. With more: the colour of the class predicted, paler where it is less probable.

    Args:
        model: a fitted classifier.
        X, y: rows of two features, and their labels.
        steps: points of the grid along each feature.
        ax: matplotlib axes to draw on, instead of a new figure.
    """
    rows, labels = as_lists(read_rows(X)), read_column(y)
    check_lengths(rows, labels)
    if len(rows[0]) != 2:
        raise ValueError(f"a decision boundary is drawn over two features, X has {len(rows[0])}: fit on two columns")
    classes = list(model.classes_)
    steps = integer("steps", steps, 2)
    xs, ys = (_margins([row[k] for row in rows], steps) for k in (0, 1))
    figure, ax = _figure(width=6.0, height=4.8, ax=ax)
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    P = np.array(model.predict_proba([[a, b] for b in ys for a in xs])).reshape(steps, steps, len(classes))
    if len(classes) == 2:
        shades = LinearSegmentedColormap.from_list("classes", [COLOURS[0], "#ffffff", COLOURS[1]])
        filled = ax.contourf(xs, ys, P[:, :, 1], levels=np.linspace(0.0, 1.0, 21), cmap=shades, alpha=0.6)
        figure.colorbar(filled, ax=ax, ticks=[0.0, 0.25, 0.5, 0.75, 1.0], label=_text(f"probability of {classes[1]}"))
        threshold = getattr(model, "threshold", 0.5)
        lines = ax.contour(xs, ys, P[:, :, 1], levels=[0.1, 0.25, 0.75, 0.9], colors=INK, linewidths=0.5)
        for label in ax.clabel(lines, fontsize=7):
            across, up = ax.transAxes.inverted().transform(ax.transData.transform(label.get_position()))
            if not (0.05 < across < 0.95 and 0.03 < up < 0.97):  # it would be cut by the edge
                label.set_visible(False)
        ax.contour(xs, ys, P[:, :, 1], levels=[threshold], colors=INK, linewidths=2)
    else:
        colours = np.array([to_rgb(COLOURS[k % len(COLOURS)]) for k in range(len(classes))])
        best = P.argmax(axis=2)
        weight = (0.5 * P.max(axis=2))[:, :, None]
        box = (xs[0], xs[-1], ys[0], ys[-1])
        ax.imshow(weight * colours[best] + 1.0 - weight, origin="lower", extent=box, aspect="auto")
        for k in range(len(classes)):  # the boundary of a class: as probable as the best of the others
            lead = P[:, :, k] - np.delete(P, k, axis=2).max(axis=2)
            if lead.min() < 0.0 < lead.max():
                ax.contour(xs, ys, lead, levels=[0.0], colors=INK, linewidths=1)
    for k, label in enumerate(classes):
        mine = [row for row, own in zip(rows, labels, strict=True) if own == label]
        ax.scatter(
            [row[0] for row in mine], [row[1] for row in mine],
            s=22, color=COLOURS[k % len(COLOURS)], marker=MARKERS[k % len(MARKERS)], edgecolor="white", linewidth=0.6,
            label=_text(label),
        )  # fmt: skip
    names = getattr(model, "feature_names_in_", ["x1", "x2"])
    ax.set(xlabel=_text(names[0]), ylabel=_text(names[1]))
    ax.legend(frameon=True, fontsize=8)
    return figure


def confusion_matrix(model: Any, X: Any, y: Any, *, ax: Any = None) -> Any:
    """How often each true class (row) was predicted as each class (column): right ones on the diagonal.

    Args:
        model: a fitted classifier.
        X, y: rows it has not been trained on, and their labels.
        ax: matplotlib axes to draw on, instead of a new figure.
    """
    classes = list(model.classes_)
    counts = _confusion(classes, read_column(y), read_column(model.predict(X)))
    side = 2.6 + 0.4 * len(classes)
    figure, ax = _figure(width=side + 0.8, height=side, ax=ax)
    most = max(max(row) for row in counts)
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=most or 1)
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            ax.text(
                j, i, str(count), ha="center", va="center", color="white" if count > 0.55 * most else INK, fontsize=9
            )
    ticks, names = range(len(classes)), [_text(label) for label in classes]
    ax.set_xticks(ticks, names, rotation=45 if max(map(len, names)) > 3 else 0)
    ax.set_yticks(ticks, names)
    right, total = sum(counts[k][k] for k in ticks), sum(map(sum, counts))
    ax.set(xlabel="predicted", ylabel="true", title=f"{right} of {total} right")
    return figure


def _confusion(classes: list[Any], labels: list[Any], predicted: list[Any]) -> list[list[int]]:
    check_lengths(predicted, labels)
    counts = [[0] * len(classes) for _ in classes]
    for label, guess in zip(labels, predicted, strict=True):
        if label not in classes:
            raise ValueError(f"label {label!r} was not seen in training: the classes are {classes!r:.200}")
        counts[classes.index(label)][classes.index(guess)] += 1
    return counts


# ── helpers ─────────────────────────────────────────────────────────────────────────────────────
def _spaced(low: float, high: float, count: int) -> list[float]:
    return [low + (high - low) * i / (count - 1) for i in range(count)]


def _margins(numbers: list[float], count: int = 61) -> list[float]:
    """A grid from below the least to above the largest number."""
    low, high = min(numbers), max(numbers)
    margin = 0.1 * (high - low) or 1.0
    return _spaced(low - margin, high + margin, count)


def _examples(x: Any, y: Any) -> list[tuple[float, int]]:
    xs = [row[0] for row in as_lists(read_rows([[xi] for xi in x], "x"))]
    labels = read_column(y)
    check_lengths(xs, labels)
    for i, label in enumerate(labels):
        if label not in (0, 1):
            raise ValueError(f"y[{i}] must be 0 or 1, not {label!r}")
    return list(zip(xs, labels, strict=True))
