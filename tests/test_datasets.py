"""Data sets, splitting, standardising and flattening: exact, seeded, and the same for lists and arrays."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgradlike import datasets


# ── the data ────────────────────────────────────────────────────────────────────────────────────
def test_iris_is_fishers():
    X, y = datasets.iris()
    assert (len(X), len(X[0]), len(y)) == (150, 4, 150)
    assert Counter(int(label) for label in y) == {0: 50, 1: 50, 2: 50}
    # Means of the paper's table, species by species.
    means = [[round(float(sum(row[j] for row in X[50 * k : 50 * k + 50])) / 50, 3) for j in range(4)] for k in range(3)]
    assert means == [[5.006, 3.428, 1.462, 0.246], [5.936, 2.77, 4.26, 1.326], [6.588, 2.974, 5.552, 2.026]]
    assert [float(x) for x in X[34]] == [4.9, 3.1, 1.5, 0.2]  # where the copy at UCI has a slip
    data = datasets.iris()
    assert data.target_names == ["setosa", "versicolor", "virginica"]
    assert data.feature_names[0] == "sepal length (cm)"


def test_iris_needs_nothing_but_python():
    code = (
        "import sys; sys.modules['numpy'] = sys.modules['sklearn'] = None\n"
        "from microgradlike import datasets\n"
        "X, X_test, y, y_test = datasets.iris(test_size=0.2, seed=1)\n"
        "print(type(X).__name__, len(X), len(X_test), X[0][0] in (row[0] for row in datasets.iris()[0]))\n"
        "try:\n    datasets.digits()\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "list 120 30 True",
        'datasets.digits comes with scikit-learn: pip install "microgradlike[models]"',
    ]


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("breast_cancer", (569, 30), {0: 212, 1: 357}),
        ("digits", (1797, 64), None),
        ("two_moons", (200, 2), {0: 100, 1: 100}),
    ],
)
def test_the_others_come_through_scikit_learn(name, shape, classes):
    pytest.importorskip("sklearn", reason="these data sets are scikit-learn's")
    data = getattr(datasets, name)()
    X, y = data
    assert X.shape == shape
    assert classes is None or Counter(y.tolist()) == classes
    assert len(data.feature_names) == shape[1]
    assert len(data.target_names) == len(set(y.tolist()))


def test_three_against_eight():
    pytest.importorskip("sklearn", reason="these data sets are scikit-learn's")
    X_train, X_test, y_train, y_test = datasets.digits(classes=(3, 8), test_size=0.25)
    assert set(y_train.tolist()) == set(y_test.tolist()) == {3, 8}
    assert len(X_train) + len(X_test) == 357
    with pytest.raises(ValueError, match=r"two different digits from 0 to 9, not \[3, 3\]"):
        datasets.digits(classes=(3, 3))
    with pytest.raises(ValueError, match=r"not \[3, 10\]"):
        datasets.digits(classes=(3, 10))


def test_moons_are_seeded():
    pytest.importorskip("sklearn", reason="these data sets are scikit-learn's")
    one, same, other = (datasets.two_moons(50, noise=0.2, seed=seed)[0] for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    exact, _ = datasets.two_moons(50, noise=0.0)
    assert exact[:25].tolist() != exact[25:].tolist()
    with pytest.raises(ValueError, match=r"noise must be finite and at least 0, not -0\.1"):
        datasets.two_moons(noise=-0.1)


# ── splitting ───────────────────────────────────────────────────────────────────────────────────
@given(st.integers(2, 60), st.data())
def test_a_split_keeps_every_row_with_its_label_once(m, data):
    count = data.draw(st.integers(1, m - 1))
    seed = data.draw(st.integers(0, 1000))
    X, y = [[float(i)] for i in range(m)], [f"label {i}" for i in range(m)]
    X_train, X_test, y_train, y_test = datasets.train_test_split(X, y, test_size=count, seed=seed)
    assert len(X_test) == count
    pairs = [(row[0], label) for row, label in zip(X_train + X_test, y_train + y_test, strict=True)]
    assert sorted(pairs) == [(float(i), f"label {i}") for i in range(m)]
    assert datasets.train_test_split(X, y, test_size=count, seed=seed) == (X_train, X_test, y_train, y_test)


@given(st.lists(st.integers(0, 3), min_size=8, max_size=80), st.floats(0.05, 0.5), st.integers(0, 99))
def test_a_stratified_split_keeps_the_shares(labels, share, seed):
    sizes = Counter(labels)
    rows = [[float(i)] for i in range(len(labels))]
    _, _, y_train, y_test = datasets.train_test_split(rows, labels, test_size=share, seed=seed, stratify=True) if (
        math.ceil(share * len(labels)) <= len(labels) - len(sizes)
    ) else (None, None, labels, [])  # fmt: skip
    for label, size in sizes.items():
        expected = len(y_test) * size / len(labels)
        if size > expected + 1:
            assert abs(y_test.count(label) - expected) < 2.0
        assert label in y_train


def test_a_split_is_the_same_on_every_machine():
    _, X_test, _, y_test = datasets.train_test_split(
        [[i] for i in range(10)], list("ababababab"), test_size=0.3, seed=3
    )
    assert ([row[0] for row in X_test], y_test) == ([7, 4, 3], ["b", "a", "b"])


def test_arrays_are_split_into_arrays():
    np = pytest.importorskip("numpy", reason="arrays need NumPy")
    parts = datasets.train_test_split(np.arange(12).reshape(6, 2), np.arange(6), test_size=2)
    assert [part.shape for part in parts] == [(4, 2), (2, 2), (4,), (2,)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"test_size": 1.0}, r"test_size must be in \(0, 1\), not 1\.0"),
        ({"test_size": 0.0}, r"test_size must be in \(0, 1\), not 0\.0"),
        ({"test_size": math.nan}, "test_size must be in"),
        ({"test_size": 4}, "test_size 4 of 4 rows leaves nothing to train on"),
        ({"test_size": 0}, "test_size must be at least 1, not 0"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"test_size": 3, "stratify": True}, "would leave a class without a training row"),
    ],
)
def test_a_split_that_cannot_be_says_why(options, words):
    with pytest.raises(ValueError, match=words):
        datasets.train_test_split([[1], [2], [3], [4]], [0, 0, 1, 1], **options)
    with pytest.raises(ValueError, match="X has 1 rows, y 2 entries"):
        datasets.train_test_split([[1]], [0, 1])


# ── standardising ───────────────────────────────────────────────────────────────────────────────
table = st.integers(2, 12).flatmap(
    lambda m: st.lists(
        st.lists(st.integers(-(10**9), 10**9).map(lambda n: n / 1000), min_size=3, max_size=3), min_size=m, max_size=m
    )
)


@given(table)
def test_standardised_columns_have_mean_0_and_deviation_1(rows):
    for column, original in zip(
        zip(*datasets.Standardizer().fit_transform(rows), strict=True), zip(*rows, strict=True), strict=True
    ):
        spread, size = max(original) - min(original), max(map(abs, original))
        if spread > 1e-6 * size:
            rounding = 1e-15 * size / spread
            assert math.fsum(column) / len(column) == pytest.approx(0.0, abs=20 * rounding * len(column))
            assert math.hypot(*column) / math.sqrt(len(column)) == pytest.approx(1.0, abs=1e-9)
        elif spread == 0.0:
            assert max(map(abs, column)) <= 1e-9 * max(1.0, size)


def test_it_knows_the_training_part_only_and_equals_scikit_learns():
    sklearn = pytest.importorskip("sklearn.preprocessing", reason="compares with scikit-learn")
    X_train, X_test, _, _ = datasets.breast_cancer(test_size=0.25)
    ours, theirs = datasets.Standardizer().fit(X_train), sklearn.StandardScaler().fit(X_train)
    assert ours.mean_ == pytest.approx(theirs.mean_.tolist(), rel=1e-13)
    assert ours.scale_ == pytest.approx(theirs.scale_.tolist(), rel=1e-12)
    assert abs(ours.transform(X_test) - theirs.transform(X_test)).max() < 1e-13
    assert ours.transform(X_test.tolist()) == ours.transform(X_test).tolist()


def test_a_constant_column_is_only_centred():
    assert datasets.Standardizer().fit_transform([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]])[0][0] == 0.0
    with pytest.raises(ValueError, match="not fitted yet"):
        datasets.Standardizer().transform([[1.0]])
    with pytest.raises(ValueError, match="X has 1 features, but the Standardizer was fitted on 2"):
        datasets.Standardizer().fit([[1.0, 2.0]]).transform([[1.0]])
    assert repr(datasets.Standardizer().fit([[1.0, 2.0]])) == "Standardizer(2 columns)"


# ── images ──────────────────────────────────────────────────────────────────────────────────────
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 3))
def test_flattening_is_row_by_row_with_channels_together(height, width, channels):
    np = pytest.importorskip("numpy", reason="arrays need NumPy")
    shape = (height, width, channels) if channels else (height, width)
    image = np.arange(float(math.prod(shape))).reshape(shape)
    assert datasets.flatten_image(image).tolist() == image.reshape(-1).tolist()
    assert datasets.flatten_image(image.tolist()) == image.reshape(-1).tolist()


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        ([[1, 2], [3]], ValueError, r"ragged: image\[1\] has 1 elements where the first of its kind has 2"),
        ([[[1, 2]], [[3]]], ValueError, r"ragged: image\[1\]\[0\] has 1"),
        ([[1, 2], 3], ValueError, r"ragged: image\[1\] has no elements"),
        ([1, 2], ValueError, r"not of shape \(2,\)"),
        ([[[[1]]]], ValueError, r"not of shape \(1, 1, 1, 1\)"),
        ([[]], ValueError, r"not of shape \(1, 0\)"),
        (3, ValueError, r"not of shape \(\)"),
        ([["a"]], TypeError, r"image\[0\]\[0\] must be a real number, not str"),
    ],
)
def test_what_is_no_image_is_refused(image, error, words):
    with pytest.raises(error, match=words):
        datasets.flatten_image(image)
