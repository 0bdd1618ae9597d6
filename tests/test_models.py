"""Models: scikit-learn's conventions and optimum, accuracy on held-back rows, every way of training, bad input."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
import warnings
from functools import cache, partial
from itertools import islice, pairwise

import pytest
from helpers import FACTOR, interrupted

import microgradlike as mg
from microgradlike import Value, datasets, nn, optim, topological_order
from microgradlike.models import LogisticRegression, MLPClassifier, MLPRegressor, NotFittedError, SoftmaxRegression
from microgradlike.models.lbfgs import _between, _Try, minimize
from microgradlike.models.training import BACKENDS

quiet = {"progress": False}
MODELS = [LogisticRegression, SoftmaxRegression, MLPClassifier, MLPRegressor]
X2 = [[0.0, 1.0], [1.0, 0.5], [0.5, 2.0], [3.0, 3.5], [4.0, 2.5], [3.5, 4.0], [0.2, 0.1], [3.9, 3.1]]
Y2 = [0, 0, 0, 1, 1, 1, 0, 1]


def backends():
    found = {"auto": None, "eager": None, "python": None, "numpy": "numpy", "native": "microgradlike._native"}
    assert set(found) == set(BACKENDS)
    return [
        pytest.param(
            name, marks=pytest.mark.skipif(library is not None and not _installed(library), reason=f"needs {library}")
        )
        for name, library in found.items()
    ]


def _installed(library):
    if library.startswith("microgradlike") and not mg.compiled:
        return False
    try:
        __import__(library)
    except ImportError:
        return False
    return True


# ── scikit-learn ────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(**quiet),
        SoftmaxRegression(**quiet),
        MLPClassifier(epochs=40, **quiet),
        MLPRegressor(epochs=40, **quiet),
    ],
    ids=lambda model: type(model).__name__,
)
def test_check_estimator_passes(model):
    checks = pytest.importorskip("sklearn.utils.estimator_checks", reason="these are scikit-learn's checks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke scikit-learn's own warnings
        results = checks.check_estimator(model, on_fail=None, on_skip=None)
    failed = [(result["check_name"], result["exception"]) for result in results if result["status"] == "failed"]
    assert failed == []
    assert sum(result["status"] == "passed" for result in results) >= 40


@pytest.mark.parametrize("C", [1.0, 100.0])
@pytest.mark.parametrize("standardize", [False, True])
def test_logistic_regression_reaches_scikit_learns_optimum(C, standardize):
    linear = pytest.importorskip("sklearn.linear_model", reason="compares with scikit-learn")
    X, y = datasets.breast_cancer()
    Z = datasets.Standardizer().fit_transform(X)
    theirs = linear.LogisticRegression(C=C, tol=1e-14, max_iter=100_000, solver="newton-cholesky").fit(Z, y)
    ours = LogisticRegression(optimizer="lbfgs", epochs=5000, l2=1.0 / (C * len(X)), standardize=standardize, **quiet)
    ours.fit(X if standardize else Z, y)
    coef, intercept = ours.coef_, ours.intercept_
    if standardize:  # ours are in the units of X, theirs in those of Z
        intercept = intercept + coef @ ours.standardizer_.mean_
        coef = coef * ours.standardizer_.scale_
    assert abs(coef - theirs.coef_).max() < 1e-6
    assert abs(intercept - theirs.intercept_).max() < 1e-6
    assert abs(ours.predict_proba(X if standardize else Z) - theirs.predict_proba(Z)).max() < 1e-7
    assert ours.n_iter_ < 5000


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_softmax_regression_reaches_scikit_learns_optimum(name):
    linear = pytest.importorskip("sklearn.linear_model", reason="compares with scikit-learn")
    X, y = getattr(datasets, name)()
    X = datasets.Standardizer().fit_transform(X)
    theirs = linear.LogisticRegression(C=1.0, tol=1e-12, max_iter=1000, solver="newton-cg").fit(X, y)
    ours = SoftmaxRegression(optimizer="lbfgs", epochs=5000, l2=1.0 / len(X), **quiet).fit(X, y)
    assert abs(ours.coef_ - theirs.coef_).max() < 1e-6
    assert abs(ours.intercept_ - theirs.intercept_).max() < 1e-6


def test_gradient_descent_reaches_it_too():
    """E4: the cost is convex, so gradient descent ends in its global minimum."""
    linear = pytest.importorskip("sklearn.linear_model", reason="compares with scikit-learn")
    X, y = datasets.iris()
    X, y = X[:, :2], (y == 2).astype(int)
    theirs = linear.LogisticRegression(C=0.1, tol=1e-14, solver="newton-cholesky").fit(X - X.mean(axis=0), y)
    ours = LogisticRegression(learning_rate=1.0, epochs=20_000, tolerance=1e-9, l2=10.0 / len(X), **quiet)
    ours.fit(X - X.mean(axis=0), y)
    assert ours.n_iter_ < 20_000  # it stopped because the gradient vanished
    assert abs(ours.coef_ - theirs.coef_).max() < 1e-6
    rounding = 1e-15
    assert all(after <= before + rounding for before, after in pairwise(ours.loss_curve_))


def test_they_work_in_scikit_learns_machines():
    sklearn = pytest.importorskip("sklearn", reason="uses scikit-learn's pipelines and searches")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = datasets.iris()
    model = SoftmaxRegression(learning_rate=0.5, epochs=60, **quiet)
    assert cross_val_score(make_pipeline(StandardScaler(), model), X, y).mean() > 0.9
    search = GridSearchCV(model, {"l2": [0.0, 0.1]}, cv=2).fit(X, y)
    assert set(search.best_params_) == {"l2"}
    twin = clone(model.fit(X, y))
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "network_")
    assert sklearn.base.is_classifier(model)


def test_they_work_without_numpy_and_scikit_learn():
    code = (
        "import sys\n"
        "for name in ('numpy', 'sklearn', 'scipy', 'tqdm', 'matplotlib'): sys.modules[name] = None\n"
        "from microgradlike import datasets\n"
        "from microgradlike.models import SoftmaxRegression, MLPRegressor\n"
        "X, X_test, y, y_test = datasets.iris(test_size=0.2)\n"
        "model = SoftmaxRegression(learning_rate=0.5, epochs=40, standardize=True).fit(X, y)\n"
        "print(model.score(X_test, y_test) > 0.8, type(model.predict(X)).__name__, type(model.coef_).__name__)\n"
        "try:\n    MLPRegressor().predict(X)\nexcept ValueError as error:\n    print(type(error).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True list list", "NotFittedError"]
    assert done.stderr.startswith("SoftmaxRegression: epoch 40 of 40, loss ")


# ── accuracy on held-back rows ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("name", "options", "model", "accuracy"),
    [
        ("breast_cancer", {}, LogisticRegression(learning_rate=0.5, epochs=300, standardize=True, **quiet), 0.96),
        ("iris", {}, SoftmaxRegression(learning_rate=0.5, epochs=300, standardize=True, **quiet), 0.95),
        ("digits", {}, SoftmaxRegression(learning_rate=0.5, epochs=200, standardize=True, **quiet), 0.95),
        ("digits", {"classes": (3, 8)}, LogisticRegression(learning_rate=0.1, standardize=True, **quiet), 0.97),
        ("two_moons", {"noise": 0.2}, MLPClassifier(hidden_layer_sizes=(16, 16), **quiet), 0.9),
    ],
    ids=["breast cancer", "iris", "digits", "3 or 8", "two moons"],
)
def test_accuracy_on_rows_not_trained_on(name, options, model, accuracy):
    pytest.importorskip("sklearn", reason="most of these data sets are scikit-learn's")
    X_train, X_test, y_train, y_test = getattr(datasets, name)(test_size=0.25, seed=0, **options)
    assert model.clone().fit(X_train, y_train).score(X_test, y_test) >= accuracy


def test_a_perceptron_draws_what_a_line_cannot():
    X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    y = ["same", "different", "different", "same"]
    model = MLPClassifier(hidden_layer_sizes=(8,), activation="tanh", epochs=300, batch_size=None, seed=1, **quiet)
    assert model.fit(X, y).predict(X) == y
    assert LogisticRegression(epochs=300, **quiet).fit(X, y).score(X, y) <= 0.75


def test_a_regressor_fits_a_curve_in_any_units():
    X = [[i / 10.0] for i in range(-20, 21)]
    y = [1e6 + 1e4 * math.sin(x) for [x] in X]
    model = MLPRegressor(hidden_layer_sizes=(16,), activation="tanh", epochs=300, standardize=True, **quiet).fit(X, y)
    assert model.score(X, y) > 0.98
    assert model.score(X, [sum(y) / len(y)] * len(y)) == 0.0  # the same rows, a constant that was not hit
    scaled = [(t - model.target_standardizer_.mean_[0]) / model.target_standardizer_.scale_[0] for t in y]
    output = model.network_(model.standardizer_.transform(X)[3])
    assert model.graph(X[3], y[3]).data == 0.5 * (output.data - scaled[3]) ** 2
    assert model.predict(X)[3] == pytest.approx(1e6 + 1e4 * math.sin(X[3][0]), abs=3e3)


# ── the ways of training ────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("backend", backends())
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(learning_rate=0.5, l2=0.01),
        LogisticRegression(optimizer="lbfgs", l2=0.1),
        SoftmaxRegression(optimizer="adam", batch_size=3, clip_norm=0.5),
        MLPClassifier(hidden_layer_sizes=(4, 3), activation="tanh", batch_size=4, l2=0.01),
        MLPRegressor(hidden_layer_sizes=(4,), activation="gelu", optimizer="nadam", standardize=True),
    ],
    ids=lambda model: f"{type(model).__name__}, {model.optimizer}",
)
def test_every_backend_gives_the_result_of_the_eager_path(model, backend):
    y = [0, 0, 1, 1, 2, 2, 0, 1] if isinstance(model, SoftmaxRegression) else Y2
    model = model.clone().set_params(epochs=12, early_stopping=False, **quiet)
    eager = model.clone().set_params(backend="eager").fit(X2, y)
    other = model.clone().set_params(backend=backend).fit(X2, y)
    assert other.loss_curve_ == pytest.approx(eager.loss_curve_, rel=1e-11)
    for mine, theirs in zip(other.network_.parameters(), eager.network_.parameters(), strict=True):
        assert mine.data == pytest.approx(theirs.data, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("optimizer", optim.by_name())
def test_every_optimiser_by_its_name(optimizer):
    rate = {"adadelta": 10.0}.get(optimizer, 0.1)
    model = LogisticRegression(optimizer=optimizer, learning_rate=rate, epochs=60, **quiet).fit(X2, Y2)
    assert model.score(X2, Y2) == 1.0
    assert model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]
    assert model.loss_curve_[0] == pytest.approx(math.log(2.0), rel=1e-15)  # all weights are 0 before the first step


def test_an_optimiser_of_ones_own():
    mine = partial(optim.SGD, momentum=0.9, nesterov=True)
    model = LogisticRegression(optimizer=mine, epochs=30, **quiet).fit(X2, Y2)
    w, b = [0.0, 0.0], 0.0
    velocity = [0.0] * 3
    for _ in range(30):
        errors = [mg.sigmoid(w[0] * x1 + w[1] * x2 + b) - y for (x1, x2), y in zip(X2, Y2, strict=True)]
        g = [sum(e * x[j] for e, x in zip(errors, X2, strict=True)) / 8 for j in (0, 1)] + [sum(errors) / 8]
        velocity = [0.9 * v + gi for v, gi in zip(velocity, g, strict=True)]
        *w, b = [p - 0.1 * (gi + 0.9 * v) for p, gi, v in zip([*w, b], g, velocity, strict=True)]
    assert [p.data for p in model.network_.parameters()] == pytest.approx([*w, b], rel=1e-10)


def test_the_cost_holds_the_penalty_and_biases_are_free():
    l2 = 0.3
    model = LogisticRegression(optimizer="lbfgs", l2=l2, **quiet).fit(X2, Y2)
    w, b = model.coef_[0], model.intercept_[0]
    ps = [mg.sigmoid(w[0] * x1 + w[1] * x2 + b) for x1, x2 in X2]
    # At the minimum the mean error is 0 (the bias is free), and the mean of error · x is −l2 · w.
    errors = [p - y for p, y in zip(ps, Y2, strict=True)]
    assert math.fsum(errors) / 8 == pytest.approx(0.0, abs=1e-12)
    for j in (0, 1):
        assert math.fsum(e * x[j] for e, x in zip(errors, X2, strict=True)) / 8 == pytest.approx(-l2 * w[j], rel=1e-9)
    mean = math.fsum(-math.log(p if y else 1.0 - p) for p, y in zip(ps, Y2, strict=True)) / 8
    assert model.loss_curve_[-1] == pytest.approx(mean + 0.5 * l2 * (w[0] ** 2 + w[1] ** 2), rel=1e-12)


def test_mini_batches_are_seeded_and_every_row_counts_once():
    def fit(**options):
        model = MLPClassifier(hidden_layer_sizes=(3,), epochs=5, **{"batch_size": 3, **quiet, **options}).fit(X2, Y2)
        return [p.data for p in model.network_.parameters()]

    assert fit(seed=1) == fit(seed=1) != fit(seed=2)
    assert fit(seed=1) != fit(seed=1, shuffle=False)
    # One batch that holds all rows is batch gradient descent.
    assert fit(batch_size=100, shuffle=True) == fit(batch_size=None)


def test_a_schedule_goes_over_the_steps():
    schedule = optim.StepDecay(0.4, every=4, factor=0.5)
    model = LogisticRegression(learning_rate=schedule, epochs=6, batch_size=4, **quiet).fit(X2, Y2)
    assert model.learning_rate_curve_ == [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]  # two steps in each epoch


def test_tolerance_stops_where_the_gradient_vanishes():
    model = LogisticRegression(learning_rate=0.5, l2=0.5, epochs=10_000, tolerance=1e-6, **quiet).fit(X2, Y2)
    assert model.n_iter_ == len(model.loss_curve_) < 10_000
    longer = LogisticRegression(learning_rate=0.5, l2=0.5, epochs=model.n_iter_ + 1, **quiet).fit(X2, Y2)
    assert longer.n_iter_ == model.n_iter_ + 1


def test_early_stopping_keeps_the_best_of_the_validation_part():
    pytest.importorskip("sklearn", reason="the moons are scikit-learn's")
    X, _, y, _ = datasets.two_moons(80, noise=0.45, test_size=0.25, seed=3)
    options = {"hidden_layer_sizes": (32,), "learning_rate": 0.05, "epochs": 400, "batch_size": None, **quiet}
    model = MLPClassifier(early_stopping=True, validation_fraction=0.3, patience=8, **options).fit(X, y)
    curve = model.validation_loss_curve_
    best = curve.index(min(curve))
    assert model.n_iter_ == len(curve) == best + 1 + 9 < 400  # one epoch more than patience bears
    _, X_held, _, y_held = datasets.train_test_split(X, y, test_size=0.3, seed=0, stratify=True)
    p = model.predict_proba(X_held)[range(len(y_held)), y_held]
    assert -sum(map(math.log, p)) / len(p) == pytest.approx(min(curve), rel=1e-9)
    assert MLPClassifier(**{**options, "epochs": 2}).fit(X, y).validation_loss_curve_ is None


def test_lbfgs_minimises_a_curved_valley():
    def rosenbrock(x):
        a, b = x[1] - x[0] ** 2, 1.0 - x[0]
        return 100.0 * a * a + b * b, [-400.0 * a * x[0] - 2.0 * b, 200.0 * a]

    points = list(minimize(rosenbrock, [-1.2, 1.0], tolerance=1e-10))
    assert points[0].x == [-1.2, 1.0]
    assert points[-1].x == pytest.approx([1.0, 1.0], abs=1e-9)
    assert len(points) < 60
    assert all(after.f <= before.f for before, after in pairwise(points))


def test_lbfgs_stays_inside_a_domain_and_survives_what_has_no_minimum():
    def barrier(x):
        return (x[0] - math.log(x[0]), [1.0 - 1.0 / x[0]]) if x[0] > 0.0 else (math.inf, [math.nan])

    for start in (0.01, 50.0):
        points = list(minimize(barrier, [start], tolerance=1e-10))
        assert points[-1].x == pytest.approx([1.0], abs=1e-9) and all(p.x[0] > 0.0 for p in points)
    slope = list(islice(minimize(lambda x: (x[0], [1.0]), [0.0]), 4))  # a line: ever on, and no endless search
    assert [p.f for p in slope] == [p.x[0] for p in slope] and all(b.f < a.f for a, b in pairwise(slope))
    kink = list(islice(minimize(lambda x: (abs(x[0]), [math.copysign(1.0, x[0])]), [1.3]), 6))
    assert all(b.f < a.f for a, b in pairwise(kink))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ((0.0, 1.0, -2.0), (2.0, 1.0, 2.0), 1.0),  # (t − 1)²
        ((2.0, 1.0, 2.0), (0.0, 1.0, -2.0), 1.0),
        ((0.0, 0.0, -1.0), (1.0, math.inf, math.inf), 0.1),  # outside of the domain: much nearer to what is known
        ((0.0, 0.0, -1.0), (1.0, -1.0, -1.0), 0.5),  # a line: no minimum, the middle
        ((0.0, 0.0, -1.0), (1.0, -4.0, -1.0), 0.5),
        ((0.0, 0.0, -1e-3), (1.0, 1.0, 1.0), 0.5),  # the minimum lies too near to an end
    ],
)
def test_the_minimum_of_the_cubic_between_two_steps(low, high, expected):
    assert _between(*(_Try(*t, None) for t in (low, high))) == pytest.approx(expected, abs=1e-15)


# ── what is learnt, and how it answers ──────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "labels",
    [["no", "yes"], [False, True], [3, 8], [-1.0, 1.0], [(1, 2), (0, 5)], ["b", 7]],
    ids=str,
)
def test_labels_may_be_of_any_type(labels):
    y = [labels[k] for k in Y2]
    for kind in (LogisticRegression, SoftmaxRegression, MLPClassifier):
        model = kind(optimizer="lbfgs", batch_size=None, l2=0.01, **quiet).fit(X2, y)
        assert model.predict(X2) == y
        assert [type(label) for label in model.predict(X2)] == [type(label) for label in y]
        assert sorted(map(str, model.classes_)) == sorted(map(str, labels))
        assert model.score(X2, y) == 1.0


def test_lists_give_lists_and_arrays_give_arrays():
    np = pytest.importorskip("numpy", reason="arrays need NumPy")
    lists = LogisticRegression(epochs=20, **quiet).fit(X2, Y2)
    arrays = LogisticRegression(epochs=20, **quiet).fit(np.array(X2), np.array(Y2))
    assert lists.coef_ == arrays.coef_.tolist()
    for name in ("predict", "predict_proba", "decision_function"):
        as_list, as_array = getattr(lists, name)(X2), getattr(arrays, name)(np.array(X2))
        assert type(as_list) is list
        assert isinstance(as_array, np.ndarray)
        assert as_list == as_array.tolist()
        assert getattr(lists, name)(np.array(X2)).tolist() == as_list
        assert getattr(arrays, name)(X2) == as_list
    assert arrays.predict(np.array(X2)).dtype == np.array(Y2).dtype


def test_probabilities_and_the_threshold():
    model = LogisticRegression(epochs=50, **quiet).fit(X2, Y2)
    proba = model.predict_proba(X2)
    assert [a + b for a, b in proba] == pytest.approx([1.0] * 8, rel=1e-15)
    assert proba[0][1] == mg.sigmoid(model.decision_function(X2)[0])
    for threshold in (0.01, 0.3, 0.9):
        strict = model.clone().set_params(threshold=threshold).fit(X2, Y2)
        assert strict.predict(X2) == [int(p > threshold) for _, p in proba]
    softmax = SoftmaxRegression(epochs=50, **quiet).fit(X2, [0, 1, 2, 2, 1, 0, 1, 2])
    for row, ps, k in zip(X2, softmax.predict_proba(X2), softmax.predict(X2), strict=True):
        assert math.fsum(ps) == pytest.approx(1.0, rel=1e-15)
        scores = [w[0] * row[0] + w[1] * row[1] + b for w, b in zip(softmax.coef_, softmax.intercept_, strict=True)]
        assert ps == pytest.approx(mg.softmax(scores), rel=1e-13)
        assert k == max(range(3), key=ps.__getitem__)


def test_extreme_rows_are_answered_without_overflow():
    model = LogisticRegression(epochs=20, **quiet).fit(X2, Y2)
    [[p0, p1]] = model.predict_proba([[1e300, 1e300]])
    assert (p0, p1) == (0.0, 1.0)
    [[small, _]] = model.predict_proba([[40.0, 40.0]])
    assert small == mg.sigmoid(-model.decision_function([[40.0, 40.0]])[0]) > 0.0


@pytest.mark.parametrize("standardize", [False, True])
def test_coefficients_are_in_the_units_of_the_features(standardize):
    for model in (LogisticRegression, SoftmaxRegression):
        y = Y2 if model is LogisticRegression else [0, 1, 2, 2, 1, 0, 1, 2]
        fitted = model(epochs=30, standardize=standardize, **quiet).fit(X2, y)
        for x, answer in zip(X2, fitted.decision_function(X2), strict=True):
            scores = [
                math.fsum([w[0] * x[0], w[1] * x[1], b]) for w, b in zip(fitted.coef_, fitted.intercept_, strict=True)
            ]
            assert scores == pytest.approx(answer if isinstance(answer, list) else [answer], rel=1e-11, abs=1e-12)


def test_standardising_uses_the_training_rows_alone():
    model = LogisticRegression(standardize=True, epochs=20, **quiet).fit(X2, Y2)
    assert model.standardizer_.mean_ == datasets.Standardizer().fit(X2).mean_
    shifted = [[x + 100.0, y] for x, y in X2]
    before = list(model.standardizer_.mean_)
    model.predict(shifted)
    assert model.standardizer_.mean_ == before
    held = LogisticRegression(standardize=True, early_stopping=True, validation_fraction=0.25, **quiet).fit(X2, Y2)
    assert held.standardizer_.mean_ != before  # the validation part is not trained on, so not measured either


def test_the_graph_of_one_example_is_the_texts():
    """E3: z = w·x + b, a = σ(z), L; dL/dz = a − y, dL/dw = x·(a − y)."""
    model = LogisticRegression(epochs=20, **quiet).fit(X2, ["no"] * 4 + ["yes"] * 4)
    loss = model.graph(X2[0], "yes")
    assert isinstance(loss, Value)
    by_label = {v.label: v for v in topological_order(loss)}
    assert {"x1", "x2", "w1", "w2", "b", "z", "a", "L"} <= set(by_label)
    loss.backward()
    error = by_label["a"].data - 1.0
    assert by_label["z"].grad == pytest.approx(error, rel=1e-14)
    assert by_label["w2"].grad == pytest.approx(error * X2[0][1], rel=1e-14)
    assert by_label["b"].grad == pytest.approx(error, rel=1e-14)
    assert loss.data == pytest.approx(-math.log(model.predict_proba(X2)[0][1]), rel=1e-14)


def test_graphs_of_the_others():
    softmax = SoftmaxRegression(epochs=20, standardize=True, **quiet).fit(X2, list("aabbccab"))
    loss = softmax.graph(X2[4], "c")
    assert [v.label for v in loss.args[1:]] == ["z1", "z2", "z3"]
    assert loss.data == pytest.approx(-math.log(softmax.predict_proba(X2)[4][2]), rel=1e-13)
    perceptron = MLPClassifier(hidden_layer_sizes=(2,), epochs=2, **quiet).fit(X2, Y2)
    labels = {v.label for v in topological_order(perceptron.graph(X2[0], 0))}
    assert {"x1", "x2", "z1.1", "a1.1", "z1.2", "a1.2", "z2.1", "L"} <= labels


def test_names_of_columns_are_kept_where_there_are_some():
    np = pytest.importorskip("numpy", reason="a data frame needs NumPy")

    class Frame:
        """As much of a data frame as matters."""

        def __init__(self, rows, columns):
            self.rows, self.columns = rows, columns

        def __array__(self, dtype=None, copy=None):
            return np.array(self.rows, dtype=dtype)

    model = LogisticRegression(epochs=5, **quiet).fit(Frame(X2, ["height", "width"]), Y2)
    assert list(model.feature_names_in_) == ["height", "width"]
    assert "height" in {v.label for v in topological_order(model.graph(X2[0], 0))}
    model.predict(Frame(X2, ["height", "width"]))
    with pytest.raises(
        ValueError, match=r"feature names should match.*\['height', 'width'\], not \['width', 'height'\]"
    ):
        model.predict(Frame(X2, ["width", "height"]))


def test_hyperparameters_are_the_arguments_and_nothing_else():
    model = LogisticRegression(threshold=0.3, epochs=7)
    assert model.get_params()["threshold"] == 0.3
    assert model.set_params(epochs=9) is model
    assert model.clone().get_params() == model.get_params()
    assert repr(model) == "LogisticRegression(epochs=9, threshold=0.3)"
    with pytest.raises(ValueError, match="unknown hyperparameter of LogisticRegression 'epoch': did you mean 'epochs'"):
        model.set_params(epoch=9)
    with pytest.raises(TypeError, match="epoch"):
        LogisticRegression(epoch=9)


@pytest.mark.parametrize("kind", MODELS)
def test_a_fitted_model_is_pickled_whole(kind):
    model = kind(epochs=5, standardize=True, **quiet).fit(X2, Y2)
    twin = pickle.loads(pickle.dumps(model))
    assert twin.predict(X2) == model.predict(X2)
    assert twin.loss_curve_ == model.loss_curve_


def test_fitting_again_starts_afresh():
    once = SoftmaxRegression(epochs=10, **quiet).fit(X2, Y2)
    twice = SoftmaxRegression(epochs=10, **quiet).fit([[1.0], [2.0], [3.0]], list("abc")).fit(X2, Y2)
    assert (twice.coef_, twice.classes_, twice.n_features_in_) == (once.coef_, once.classes_, 2)


# ── progress ────────────────────────────────────────────────────────────────────────────────────
def test_progress_is_a_bar_a_line_or_nothing(capsys, monkeypatch):
    LogisticRegression(epochs=5, progress=False).fit(X2, Y2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    LogisticRegression(epochs=5).fit(X2, Y2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("LogisticRegression: epoch 5 of 5, loss 0.")
    monkeypatch.undo()
    pytest.importorskip("tqdm", reason="the bar is tqdm's")
    LogisticRegression(epochs=5).fit(X2, Y2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "5/5" in err
    assert "loss 0." in err


# ── interrupts and failures ─────────────────────────────────────────────────────────────────────
class _Interrupting(optim.GradientDescent):
    at = 0

    def step(self):
        if self.steps == self.at:
            raise KeyboardInterrupt
        super().step()


def interrupting(at):
    def make(parameters, learning_rate):
        made = _Interrupting(parameters, learning_rate)
        made.at = at
        return made

    return make


@pytest.mark.parametrize("backend", ["eager", "auto"])
def test_an_interrupted_fit_keeps_the_last_completed_epoch_and_says_so(backend):
    options = {"batch_size": 3, "epochs": 10, "backend": backend, **quiet}  # three steps in each epoch
    model = SoftmaxRegression(optimizer=interrupting(at=3 * 4 + 2), **options)
    message = "SoftmaxRegression.fit was interrupted in epoch 5 of 10: the model keeps the 4 it completed"
    with pytest.warns(UserWarning, match=message):
        model.fit(X2, Y2)
    whole = SoftmaxRegression(**{**options, "epochs": 4}).fit(X2, Y2)
    assert model.coef_ == whole.coef_
    assert model.loss_curve_ == whole.loss_curve_
    assert model.n_iter_ == 4
    assert model.predict(X2) == whole.predict(X2)


def test_a_fit_interrupted_in_its_first_epoch_leaves_what_was_learnt_before():
    model = LogisticRegression(epochs=5, **quiet).fit(X2, Y2)
    before = dict(vars(model))
    model.set_params(optimizer=interrupting(at=0))
    with pytest.raises(KeyboardInterrupt):
        model.fit([[1.0], [2.0]], ["a", "b"])
    model.set_params(optimizer="gradient_descent")
    assert vars(model) == before
    fresh = LogisticRegression(optimizer=interrupting(at=0), **quiet)
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X2, Y2)
    assert not hasattr(fresh, "network_")


def test_a_cost_that_overflows_is_an_error_and_leaves_what_was_learnt_before():
    model = MLPRegressor(epochs=3, **quiet).fit(X2, Y2)
    before = dict(vars(model))
    model.set_params(optimizer="gradient_descent", learning_rate=1e9, epochs=200)
    with pytest.raises(FloatingPointError, match=r"epoch .*: lower learning_rate"):
        model.fit(X2, Y2)
    model.set_params(optimizer="adam", learning_rate=0.01, epochs=3)
    assert vars(model) == before


# ── bad input ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"learning_rate": -0.1}, ValueError, "learning_rate must be finite and at least 0, not -0.1"),
        ({"learning_rate": math.nan}, ValueError, "learning_rate must be finite and at least 0, not nan"),
        ({"learning_rate": math.inf}, ValueError, "learning_rate must be finite and at least 0, not inf"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a real number, not 'fast'"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1, not 0"),
        ({"epochs": 2.5}, TypeError, "epochs must be a whole number, not 2.5"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, not 0"),
        ({"l2": -1.0}, ValueError, "l2 must be finite and at least 0, not -1.0"),
        ({"l2": math.inf}, ValueError, "l2 must be finite and at least 0, not inf"),
        ({"tolerance": math.nan}, ValueError, "tolerance must be"),
        ({"clip_norm": 0.0}, ValueError, "clip_norm must be finite and greater than 0, not 0.0"),
        ({"patience": -1}, ValueError, "patience must be at least 0, not -1"),
        ({"validation_fraction": 1.0}, ValueError, r"validation_fraction must be in \(0, 1\), not 1.0"),
        ({"seed": -1}, ValueError, "seed must be at least 0, not -1"),
        ({"seed": None}, TypeError, "seed must be a whole number, not None"),
        ({"shuffle": 1}, TypeError, "shuffle must be True or False, not 1"),
        ({"standardize": "yes"}, TypeError, "standardize must be True or False, not 'yes'"),
        ({"optimizer": "adan"}, ValueError, "unknown optimizer 'adan': did you mean .*'adam'"),
        ({"optimizer": "gradient descent"}, ValueError, "unknown optimizer .* did you mean 'gradient_descent'"),
        ({"optimizer": None}, TypeError, "unknown optimizer None: choose 'adadelta', "),
        ({"optimizer": "lbfgs", "batch_size": 2}, ValueError, "works on all rows: batch_size must be None, not 2"),
        ({"backend": "numpi"}, ValueError, "unknown backend 'numpi': did you mean 'numpy'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [LogisticRegression, MLPRegressor])
def test_hyperparameters_are_refused_by_name(kind, settings, error, words):
    with pytest.raises(error, match=words):
        kind(**{**quiet, **({"batch_size": None} if kind is MLPRegressor else {}), **settings}).fit(X2, Y2)


@pytest.mark.parametrize(
    ("kind", "settings", "error", "words"),
    [
        (LogisticRegression, {"threshold": 1.0}, ValueError, r"threshold must be in \(0, 1\), not 1.0"),
        (LogisticRegression, {"threshold": -0.5}, ValueError, "threshold must be in"),
        (MLPClassifier, {"activation": "rely"}, ValueError, "unknown activation 'rely': did you mean 'relu'"),
        (MLPClassifier, {"hidden_layer_sizes": 16}, TypeError, r"hidden_layer_sizes must list .* \(16, 16\), not 16"),
        (MLPClassifier, {"hidden_layer_sizes": (4, 0)}, ValueError, r"hidden_layer_sizes\[1\] must be at least 1"),
        (MLPRegressor, {"initializer": "xavierr"}, ValueError, "unknown initializer 'xavierr': did you mean 'xavier'"),
    ],
)
def test_further_hyperparameters_are_refused_by_name(kind, settings, error, words):
    with pytest.raises(error, match=words):
        kind(**quiet, **settings).fit(X2, Y2)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(
    ("X", "y", "error", "words"),
    [
        (X2[:3], Y2, ValueError, "X has 3 rows, y 8 entries"),
        ([[1.0, 2.0], [1.0]], [0, 1], ValueError, "X is ragged: row 0 has 2 columns, row 1 has 1"),
        ([[1.0], [math.nan]], [0, 1], ValueError, r"X contains NaN: row 1, column 0 \(counted from 0\) is nan"),
        ([[1.0, math.inf], [1.0, 2.0]], [0, 1], ValueError, r"X contains infinity \(inf\): row 0, column 1"),
        ([[1.0], ["2"]], [0, 1], TypeError, "row 1, column 0 of X must be a real number, not str"),
        ([[1.0], [2j]], [0, 1], ValueError, "Complex data not supported: row 1, column 0"),
        ([1.0, 2.0], [0, 1], ValueError, r"X\[0\] is one number: Reshape your data"),
        ([], [], ValueError, "X is empty: 0 sample"),
        ([[], []], [0, 1], ValueError, "0 feature"),
        ("text", [0, 1], TypeError, "X must be rows of numbers, a list of lists or an array, not str"),
        (3, [0, 1], TypeError, "X must be rows of numbers, a list of lists or an array, not int"),
        ([[1.0], [2.0]], None, ValueError, "requires y to be passed, but the target y is None"),
        ([[1.0], [2.0]], 3, TypeError, "y must be a list or array with one entry per example, not int"),
    ],
)
def test_data_are_refused_with_the_place(kind, X, y, error, words):
    with pytest.raises(error, match=words):
        kind(**quiet).fit(X, y)


def test_arrays_are_refused_with_the_place():
    np = pytest.importorskip("numpy", reason="arrays need NumPy")
    X = np.array(X2)
    X[5, 1] = math.nan
    with pytest.raises(ValueError, match="X contains NaN: row 5, column 1"):
        LogisticRegression(**quiet).fit(X, Y2)
    with pytest.raises(ValueError, match=r"not shape \(2, 2, 2\)"):
        LogisticRegression(**quiet).fit(np.zeros((2, 2, 2)), [0, 1])
    with pytest.raises(ValueError, match=r"y must have one dimension, not shape \(8, 2\)"):
        LogisticRegression(**quiet).fit(np.array(X2), np.zeros((8, 2)))
    with pytest.raises(TypeError, match=r"row 0, column 0 of X must be a real number, not str"):
        LogisticRegression(**quiet).fit(np.array([["a", "b"], ["c", "d"]]), [0, 1])


@pytest.mark.parametrize(
    ("kind", "y", "error", "words"),
    [
        (LogisticRegression, ["a"] * 8, ValueError, "y has one class only, 'a'"),
        (SoftmaxRegression, [1] * 8, ValueError, "y has one class only, 1"),
        (LogisticRegression, list("abcabcab"), ValueError, "Only binary .* 3 classes.* use SoftmaxRegression"),
        (MLPClassifier, [0.5, 0, 1, 1, 0, 0, 1, 1], ValueError, r"Unknown label type: y\[0\] is 0.5"),
        (MLPClassifier, [0, math.nan, 1, 1, 0, 0, 1, 1], ValueError, r"Unknown label type: y\[1\] is nan"),
        (SoftmaxRegression, [[], 0, 1, 1, 0, 0, 1, 1], TypeError, "labels must be hashable"),
        (MLPRegressor, [0, math.inf, 1, 1, 0, 0, 1, 1], ValueError, r"y contains infinity \(inf\): row 1"),
        (MLPRegressor, [0, "1", 1, 1, 0, 0, 1, 1], TypeError, "row 1, column 0 of y must be a real number"),
    ],
)
def test_targets_are_refused_with_the_reason(kind, y, error, words):
    with pytest.raises(error, match=words):
        kind(**quiet).fit(X2, y)


@pytest.mark.parametrize("kind", MODELS)
def test_before_fit_there_is_nothing_to_predict(kind):
    model = kind(**quiet)
    calls = [lambda: model.predict(X2), lambda: model.score(X2, Y2), lambda: model.graph(X2[0], 0)]
    if kind is not MLPRegressor:
        calls += [lambda: model.predict_proba(X2), lambda: model.decision_function(X2)]
    for call in calls:
        with pytest.raises((ValueError, NotFittedError), match=r"this .* is not fitted yet: call fit\(X, y\) first"):
            call()


def test_what_was_not_learnt_is_not_predicted():
    model = LogisticRegression(epochs=5, **quiet).fit(X2, Y2)
    with pytest.raises(ValueError, match="X has 3 features, but LogisticRegression is expecting 2 features"):
        model.predict([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match=r"label 7 was not seen in training: the classes are \[0, 1\]"):
        model.score(X2, [7] * 8)
    with pytest.raises(ValueError, match="label 'x' was not seen"):
        model.graph(X2[0], "x")
    with pytest.raises(ValueError, match="X has 8 rows, y 1 entries"):
        model.score(X2, [0])


def test_a_neuron_is_what_logistic_regression_trains():
    model = LogisticRegression(epochs=5, **quiet).fit(X2, Y2)
    assert isinstance(model.network_, nn.Neuron)
    assert model.network_(X2[0]).data == model.decision_function(X2)[0]


@pytest.mark.parametrize("kind", [LogisticRegression, SoftmaxRegression])
def test_an_interrupt_at_any_line_leaves_a_whole_model(kind):
    """After a KeyboardInterrupt at any line of the training a model is as it was, or as after some completed epoch."""
    options = {"epochs": 3, "backend": "eager", "batch_size": 4, **quiet}

    def learnt(model):
        return (
            [(name, p.data) for name, p in model.network_.named_parameters()],
            list(model.classes_),
            model.loss_curve_,
        )

    wholes = [learnt(kind(**{**options, "epochs": epochs}).fit(X2, Y2)) for epochs in (1, 2, 3)]
    earlier = [["a", "b"][k] for k in Y2]

    def interrupted_at(line):
        """How a fit ends that is interrupted when it comes to its `line`th line; False if it ends before."""
        count = 0

        def trace(frame, event, argument):
            nonlocal count
            if frame.f_globals.get("__name__", "").startswith("microgradlike.models"):
                count += event == "line"
                if count == line:
                    count += 1
                    raise KeyboardInterrupt
                return trace
            return None

        model = kind(**options).fit(X2, earlier)
        before = learnt(model)
        old = sys.gettrace()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sys.settrace(trace)
            try:
                model.fit(X2, Y2)
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(old)
        assert learnt(model) in (before, *wholes[: model.n_iter_]), f"interrupted at line {line}"
        assert learnt(model) == before or learnt(model) == wholes[model.n_iter_ - 1]
        return count > line, learnt(model) == before

    line, kept = 1, []
    while True:
        happened, as_before = interrupted_at(line)
        if not happened:
            break
        kept.append(not as_before)
        line += 41  # every line would take long; 41 has no rhythm in common with the loops
    assert any(kept)
    assert not all(kept)


def test_lbfgs_trains_a_perceptron_too():
    model = MLPClassifier(
        hidden_layer_sizes=(6,), activation="tanh", optimizer="lbfgs", batch_size=None, l2=1e-3, epochs=300, **quiet
    )
    X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    assert model.fit(X, [0, 1, 1, 0]).score(X, [0, 1, 1, 0]) == 1.0
    assert all(after <= before + 1e-15 for before, after in pairwise(model.loss_curve_))


@pytest.mark.parametrize("backend", ["eager", "auto"])
def test_a_fit_learns_within_no_grad(backend):
    plain = LogisticRegression(epochs=3, backend=backend, **quiet).fit(X2, Y2)
    with mg.no_grad():
        within = LogisticRegression(epochs=3, backend=backend, **quiet).fit(X2, Y2)
    assert within.coef_ == plain.coef_
    assert within.loss_curve_[-1] < within.loss_curve_[0]


@pytest.mark.parametrize("options", [{"optimizer": "adam"}, {"optimizer": "lbfgs"}, {"backend": "eager"}], ids=str)
def test_ctrl_c_at_any_instant_of_a_fit(options):
    """As at any line, but at any bytecode of everything that runs, replayed too."""
    options = {"epochs": 3 if "backend" in options else 20, **options, **quiet}

    def learnt(model):
        return [p.data for p in model.network_.parameters()], list(model.classes_), model.loss_curve_

    @cache
    def whole(epochs):
        return learnt(LogisticRegression(**{**options, "epochs": epochs}).fit(X2, Y2))

    def fresh():
        return LogisticRegression(**options).fit(X2, [["a", "b"][k] for k in Y2])

    model, raised, kept = fresh(), 0, 0  # before the first epoch is complete it is raised, afterwards a warning
    before, complete = learnt(model), whole(options["epochs"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for hit in interrupted(lambda: model.fit(X2, Y2), tries=15 * FACTOR):
            raised += hit
            if learnt(model) != before:
                kept += learnt(model) != complete
                assert learnt(model) == whole(model.n_iter_)
            assert learnt(model.fit(X2, Y2)) == complete
            model = fresh()
    assert raised
    assert kept


@pytest.mark.parametrize(
    "missing", [None, type("NaTType", (), {})(), type("NAType", (), {})()], ids=["None", "NaT", "NA"]
)
def test_a_missing_label_is_none_to_learn(missing):
    with pytest.raises(ValueError, match=r"y\[1\] is missing"):
        LogisticRegression(**quiet).fit([[0.0], [1.0], [2.0]], ["yes", missing, "no"])


def test_without_a_stderr_there_is_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert LogisticRegression(epochs=2).fit(X2, Y2).n_iter_ == 2
