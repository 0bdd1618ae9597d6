"""Learning pictures: what they show is checked against the models and functions, not the pixels alone."""

from __future__ import annotations

import io
import math
import re
import subprocess
import sys

import pytest
from helpers import run

import microgradlike as mg
from microgradlike import datasets, losses, optim, plots
from microgradlike.models import LogisticRegression, MLPClassifier, SoftmaxRegression

matplotlib = pytest.importorskip("matplotlib", reason="the pictures are matplotlib's")


def drawn(figure):
    """The figure rendered: nothing warns (warnings are errors) and something is there."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    assert file.getvalue().startswith(b"\x89PNG")
    return figure


@pytest.fixture(scope="module")
def two():
    X, y = datasets.iris()
    X, y = [[float(row[2]), float(row[3])] for row in X[50:]], ["versicolor"] * 50 + ["virginica"] * 50
    return LogisticRegression(optimizer="lbfgs", l2=0.01, epochs=50, progress=False).fit(X, y), X, y


@pytest.fixture(scope="module")
def three():
    X, y = datasets.iris()
    X, y = [[float(row[2]), float(row[3])] for row in X], [int(label) for label in y]
    return SoftmaxRegression(optimizer="lbfgs", l2=0.01, epochs=50, progress=False).fit(X, y), X, y


@pytest.mark.parametrize("name", ["sigmoid", "relu", "gelu", "sin"])
def test_an_activation_and_its_derivative(name):
    figure = drawn(plots.activation(name, low=-3.0, high=3.0))
    curve, slope = figure.axes[0].lines[-2:]
    for x, value, derivative in zip(curve.get_xdata(), curve.get_ydata(), slope.get_ydata(), strict=True):
        assert value == getattr(mg, name)(x)
        assert derivative == mg.grad(getattr(mg, name))(x)
    assert not re.search(r"\bx\b|ˣ", figure.axes[0].get_title())  # the formula of the table, in the letter of the axis
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == (["σ(z)", "σ′(z)"] if name == "sigmoid" else [f"{name}(z)", f"{name}′(z)"])


def test_a_notebook_shows_a_figure_without_pyplot():
    """IPython's own formatters find a PNG, and pyplot, which keeps global state, is not imported for it."""
    pytest.importorskip("IPython", reason="the formatters are IPython's")
    code = (
        "import sys; from IPython.core.formatters import DisplayFormatter; from microgradlike import plots;"
        "shown, _ = DisplayFormatter().format(plots.activation());"
        "print(sorted(shown), shown['image/png'][:4], 'matplotlib.pyplot' in sys.modules)"
    )
    assert run(code).strip() == r"['image/png', 'text/plain'] b'\x89PNG' False"


def test_the_derivative_of_sigmoid_is_at_most_a_quarter():
    assert max(plots.activation().axes[0].lines[-1].get_ydata()) == 0.25


def test_a_cost_surface_is_the_mean_loss():
    x, y = [1.0, -2.0, 0.5], [1, 0, 0]
    J = plots.cost_surface(x, y, [-1.0, 0.5], [0.0, 2.0, 3.0])
    squared = plots.cost_surface(x, y, [-1.0, 0.5], [0.0, 2.0, 3.0], "squared error")
    assert (len(J), len(J[0])) == (3, 2)
    for i, b in enumerate([0.0, 2.0, 3.0]):
        for j, w in enumerate([-1.0, 0.5]):
            ps = [mg.sigmoid(w * xi + b) for xi in x]
            logs = [-math.log(p if yi else 1.0 - p) for p, yi in zip(ps, y, strict=True)]
            assert J[i][j] == pytest.approx(math.fsum(logs) / 3, rel=1e-13)
            halves = [0.5 * (p - yi) ** 2 for p, yi in zip(ps, y, strict=True)]
            assert squared[i][j] == pytest.approx(math.fsum(halves) / 3, rel=1e-13)


def test_both_surfaces_side_by_side():
    figure = drawn(plots.cost_surfaces(steps=15))
    assert [ax.get_title() for ax in figure.axes] == ["log loss: convex", "squared error: not convex"]
    assert [ax.get_zlabel() for ax in figure.axes] == ["J(w, b)", "J(w, b)"]


def test_a_path_is_the_optimisers():
    path = plots.descent_path("gradient_descent", [1.0], [1], start=(0.0, 0.0), steps=1)
    assert path[0] == (0.0, 0.0, math.log(2.0))
    assert path[1][:2] == (0.5, 0.5)  # learning rate 1, and dz = ½ − 1
    assert path[1][2] == losses.binary_cross_entropy_with_logits(1.0, 1)
    own = plots.descent_path(
        lambda parameters: optim.GradientDescent(parameters, 1.0), [1.0], [1], start=(0, 0), steps=1
    )
    assert own == path


def test_paths_over_the_contours():
    figure = drawn(plots.descent_paths({"plain": "gradient_descent", "with momentum": "momentum"}, steps=12))
    lines = figure.axes[0].lines[:2]
    for line, name in zip(lines, ["gradient_descent", "momentum"], strict=True):
        path = plots.descent_path(name, steps=12)
        assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == [(w, b) for w, b, _ in path]
        assert f"({path[-1][2]:.3g})" in line.get_label()
    assert len({line.get_color() for line in lines}) == len({line.get_marker() for line in lines}) == 2


def test_loss_curves_of_models_and_lists(two):
    model, X, y = two
    stopped = MLPClassifier(early_stopping=True, epochs=4, progress=False).fit(X, y)
    figure = drawn(plots.loss_curves({"one": model, "two": stopped, "three": [3.0, 2.0]}, log=True))
    curves = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert curves == {
        "one": model.loss_curve_, "two": stopped.loss_curve_, "two, validation": stopped.validation_loss_curve_,
        "three": [3.0, 2.0],
    }  # fmt: skip
    assert figure.axes[0].get_yscale() == "log"
    assert list(plots.loss_curves(model).axes[0].lines[0].get_ydata()) == model.loss_curve_


def test_the_boundary_of_two_classes_is_where_the_model_changes_its_mind(two):
    model, X, y = two
    figure = drawn(plots.decision_boundary(model, X, y, steps=40))
    ax = figure.axes[0]
    [thick] = [c for c in ax.collections if list(getattr(c, "get_linewidths", list)()) == [2.0] and c.get_paths()]
    points = [tuple(point) for path in thick.get_paths() for point in path.vertices]
    assert len(points) > 5
    for p in model.predict_proba([list(map(float, point)) for point in points]):
        assert p[1] == pytest.approx(0.5, abs=0.02)
    offsets = [tuple(point) for c in ax.collections[-2:] for point in c.get_offsets().tolist()]
    assert sorted(offsets) == sorted(map(tuple, X))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["versicolor", "virginica"]


def test_regions_of_three_classes_have_the_colour_of_the_prediction(three):
    model, X, y = three
    figure = drawn(plots.decision_boundary(model, X, y, steps=20))
    ax = figure.axes[0]
    [image] = ax.images
    left, right, bottom, top = image.get_extent()
    colours = [matplotlib.colors.to_rgb(colour) for colour in plots.COLOURS[:3]]
    grid = image.get_array().tolist()
    for i in (0, 7, 19):
        for j in (0, 11, 19):
            x = [left + (right - left) * j / 19, bottom + (top - bottom) * i / 19]
            [k], [p] = model.predict([x]), model.predict_proba([x])
            pale = [0.5 * max(p) * c + 1.0 - 0.5 * max(p) for c in colours[k]]
            assert grid[i][j] == pytest.approx(pale, abs=1e-9)
    boundaries = [c for c in ax.collections if hasattr(c, "levels")]
    points = [list(map(float, point)) for c in boundaries for path in c.get_paths() for point in path.vertices]
    assert len(points) > 5
    for point in points:  # two scores are equal on a boundary, which is what makes it straight
        _, second, first = sorted(model.predict_proba([point])[0])
        assert first == pytest.approx(second, abs=0.02)


def test_confusion_counts_every_row(three):
    model, X, y = three
    figure = drawn(plots.confusion_matrix(model, X, y))
    ax = figure.axes[0]
    counts = [[0] * 3 for _ in range(3)]
    for label, guess in zip(y, model.predict(X), strict=True):
        counts[label][guess] += 1
    assert [text.get_text() for text in ax.texts] == [str(count) for row in counts for count in row]
    right = sum(counts[k][k] for k in range(3))
    assert ax.get_title() == f"{right} of 150 right"
    assert right / 150 == model.score(X, y)


def test_they_draw_on_given_axes(two):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6))
    axes = figure.subplots(2, 3).ravel()
    model, X, y = two
    made = [
        plots.activation(ax=axes[0]), plots.descent_paths(["adam"], steps=3, ax=axes[1]),
        plots.loss_curves(model, ax=axes[2]),
        plots.decision_boundary(model, X, y, steps=10, ax=axes[3]), plots.confusion_matrix(model, X, y, ax=axes[4]),
    ]  # fmt: skip
    assert all(one is figure for one in made)
    drawn(figure)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, X, y: plots.activation("sigmoyd"), "unknown activation 'sigmoyd': did you mean 'sigmoid'"),
        (lambda m, X, y: plots.activation(low=1.0, high=1.0), "high must be .*not 1.0"),
        (
            lambda m, X, y: plots.cost_surface([1.0], [1], [0.0], [0.0], "log"),
            "unknown cost 'log': did you mean 'log loss'",
        ),
        (lambda m, X, y: plots.cost_surface([1.0], [2], [0.0], [0.0]), r"y\[0\] must be 0 or 1, not 2"),
        (lambda m, X, y: plots.cost_surface([1.0, 2.0], [1], [0.0], [0.0]), "X has 2 rows, y 1 entries"),
        (lambda m, X, y: plots.cost_surface([math.nan], [1], [0.0], [0.0]), "x contains NaN: row 0"),
        (lambda m, X, y: plots.cost_surfaces(steps=2), "steps must be at least 3, not 2"),
        (lambda m, X, y: plots.descent_path("adamm"), "unknown optimizer 'adamm': did you mean 'adam"),
        (lambda m, X, y: plots.descent_path("adam", steps=0), "steps must be at least 1, not 0"),
        (lambda m, X, y: plots.loss_curves({}), "curves is empty"),
        (lambda m, X, y: plots.loss_curves(LogisticRegression()), "is not fitted yet"),
        (lambda m, X, y: plots.decision_boundary(m, [[1.0, 2.0, 3.0]], y[:1]), "over two features, X has 3"),
        (lambda m, X, y: plots.decision_boundary(m, X[:2], y), "X has 2 rows, y 100 entries"),
        (lambda m, X, y: plots.confusion_matrix(m, X[:1], ["x"]), "label 'x' was not seen"),
    ],
)
def test_errors_name_the_argument_the_value_and_the_cure(two, call, words):
    with pytest.raises(ValueError, match=words):
        call(*two)


def test_without_matplotlib_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from microgradlike import plots\n"
        "print(len(plots.descent_path('adam', steps=2)))\n"
        "try:\n    plots.activation()\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "3", 'pictures of learning need matplotlib: pip install "microgradlike[plots]"',
    ]  # fmt: skip


def test_no_window_is_opened_and_no_global_state_is_touched():
    code = (
        "import sys\nfrom microgradlike import plots\nplots.activation(); plots.descent_paths(['adam'], steps=2)\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_descent_goes_down_within_no_grad_too():
    with mg.no_grad():
        within = plots.descent_path("gradient_descent", steps=12)
    assert within == plots.descent_path("gradient_descent", steps=12)
    assert within[-1][2] < within[0][2]


def test_names_are_shown_letter_by_letter():
    """No formulas between $, and a name that begins with _ is in the legend, too."""
    figure = plots.loss_curves({"$lr_$": [1, 2], "_a": [1, 2], "\ud800": [2, 1]})
    figure.savefig(io.BytesIO())
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == [r"\$lr_\$", "\u200b_a", "?"]
    rows = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]]
    model = LogisticRegression(epochs=2, progress=False).fit(rows, ["_a", "$b_$", "_a", "$b_$"])
    figure = plots.decision_boundary(model, rows, ["_a", "$b_$", "_a", "$b_$"], steps=5)
    figure.savefig(io.BytesIO())
    assert len(figure.axes[0].get_legend().get_texts()) == 2
    plots.confusion_matrix(model, rows, ["_a", "$b_$", "_a", "$b_$"]).savefig(io.BytesIO())
