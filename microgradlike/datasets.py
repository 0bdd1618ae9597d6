"""Data to learn on: real data sets that need no network, splitting, standardising, flattening images. No models.

Iris ships with the package (Fisher 1936, "The use of multiple measurements in taxonomic problems", Annals of Eugenics
7, 179–188; rows 35 and 38 as in the paper, where the copy at UCI has slips). The others are scikit-learn's copies.

Every data set comes as `X, y`, or with `test_size` as `X_train, X_test, y_train, y_test`: NumPy arrays where NumPy
is installed, nested lists otherwise. `feature_names` and `target_names` are attributes of what is returned.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

from .arguments.checks import flag, integer, real
from .arguments.rows import Rows, as_lists, check_lengths, is_array, like, read_column, read_rows, take
from .saving import expect, from_json, saved_as, to_json

__all__ = [
    "Data", "Standardizer", "breast_cancer", "digits", "flatten_image", "iris", "train_test_split", "two_moons",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__


class Data(tuple):  # type: ignore[type-arg]
    """(X, y) or (X_train, X_test, y_train, y_test), to unpack, with the names of the columns and of the classes.

    >>> data = iris()
    >>> X, y = data
    >>> len(X), data.feature_names[0], data.target_names
    (150, 'sepal length (cm)', ['setosa', 'versicolor', 'virginica'])
    """

    feature_names: list[str]
    target_names: list[str]

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """What IPython shows: a line, rather than every row."""
        parts = "X y" if len(self) == 2 else "X_train X_test y_train y_test"
        lengths = ", ".join(f"{name}: {len(part):,}" for name, part in zip(parts.split(), self, strict=True))
        classes = ", ".join(self.target_names)
        printer.text(f"Data({lengths} rows of {len(self.feature_names)} features; classes {classes})")


def iris(*, test_size: float | int | None = None, seed: int = 0) -> Data:
    """150 flowers of three species, 4 lengths each in cm; labels 0, 1, 2. Ships with the package.

    Args:
        test_size: the share (a float below 1) or number of rows to hold back for testing; None to split nothing.
        seed: of the split, which keeps the shares of the classes.

    Source: Fisher 1936.

    >>> X_train, X_test, y_train, y_test = iris(test_size=0.2, seed=0)
    >>> len(X_train), len(X_test), sorted(int(label) for label in y_test).count(2)
    (120, 30, 10)
    """
    text = (resources.files(__package__) / "data" / "iris.csv").read_text(encoding="utf-8")
    header, *lines = csv.reader(text.splitlines())
    names = sorted({line[-1] for line in lines})
    X = [[float(cell) for cell in line[:-1]] for line in lines]
    y = [names.index(line[-1]) for line in lines]
    features = [name.removesuffix("_cm").replace("_", " ") + " (cm)" for name in header[:-1]]
    return _data(X, y, features, names, test_size, seed)


def breast_cancer(*, test_size: float | int | None = None, seed: int = 0) -> Data:
    """569 tumours, 30 measurements of cell nuclei each; label 0 malignant, 1 benign. Needs the extra "models".

    Arguments as for `iris`. Source: Wolberg, Mangasarian, Street & Street 1993, UCI, through scikit-learn.
    """
    bunch = _scikit_learn("breast_cancer").load_breast_cancer()
    return _data(bunch.data, bunch.target, list(bunch.feature_names), list(bunch.target_names), test_size, seed)


def digits(*, classes: Iterable[int] = range(10), test_size: float | int | None = None, seed: int = 0) -> Data:
    """Up to 1,797 handwritten digits as 8 × 8 grey images of 0 to 16, flattened row by row. Needs the extra "models".

    Args:
        classes: the digits wanted, all ten unless told otherwise; (3, 8) is the task "a 3 or an 8?".
        test_size, seed: as for `iris`.

    Source: Alpaydin & Kaynak 1998, UCI, through scikit-learn.
    """
    wanted = list(classes)
    strange = [digit for digit in wanted if digit not in range(10)]
    if strange or len(set(wanted)) < 2:
        raise ValueError(f"classes must be at least two different digits from 0 to 9, not {wanted!r}")
    bunch = _scikit_learn("digits").load_digits()
    chosen = [i for i, label in enumerate(bunch.target.tolist()) if label in wanted]
    names = [f"pixel {i // 8}, {i % 8}" for i in range(64)]
    return _data(
        bunch.data[chosen], bunch.target[chosen], names, [str(digit) for digit in sorted(set(wanted))], test_size, seed
    )


def two_moons(n: int = 200, *, noise: float = 0.1, test_size: float | int | None = None, seed: int = 0) -> Data:
    """Two interleaving half circles in the plane; labels 0 and 1. Needs the extra "models".

    Args:
        n: how many points, half of them on each moon.
        noise: the standard deviation of the normal noise on each coordinate, at least 0.
        test_size: as for `iris`.
        seed: of the noise and of the split.
    """
    n, noise = integer("n", n, 2), real("noise", noise, 0.0)
    X, y = _scikit_learn("two_moons").make_moons(
        n_samples=n, noise=noise or None, random_state=integer("seed", seed, 0)
    )
    return _data(X, y, ["x1", "x2"], ["upper", "lower"], test_size, seed)


def _scikit_learn(name: str) -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(f'datasets.{name} comes with scikit-learn: pip install "microgradlike[models]"') from None
    return datasets


def _data(
    X: Any, y: Any, feature_names: list[str], target_names: list[str], test_size: float | int | None, seed: int
) -> Data:
    try:
        import numpy as np
    except ImportError:
        pass
    else:
        X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
    parts = (X, y) if test_size is None else train_test_split(X, y, test_size=test_size, seed=seed, stratify=True)
    data = Data(parts)
    data.feature_names, data.target_names = [str(name) for name in feature_names], [str(name) for name in target_names]
    return data


def train_test_split(
    X: Any, y: Any, *, test_size: float | int = 0.25, seed: int = 0, stratify: bool = False
) -> tuple[Any, Any, Any, Any]:
    """(X_train, X_test, y_train, y_test): the rows shuffled and cut in two, the same way on every machine.

    Args:
        X: rows of features, lists or an array.
        y: as many targets.
        test_size: a share between 0 and 1 (rounded up) or a number of rows.
        seed: of the shuffle.
        stratify: whether both parts keep the shares of the classes in y.

    Raises ValueError if X and y differ in length or a part would be empty.

    >>> X_train, X_test, y_train, y_test = train_test_split([[0], [1], [2], [3]], list("aabb"), test_size=0.5)
    >>> [label for [label], name in zip(X_test, y_test) if name != "aabb"[label]]
    []
    """
    rows, labels = (X if is_array(X) else list(X)), (y if is_array(y) else list(y))
    check_lengths(rows, labels)
    m = len(rows)
    if isinstance(test_size, float):
        count = math.ceil(real("test_size", test_size, 0.0, 1.0, above=True, below=True) * m)
    else:
        count = integer("test_size", test_size)
    if not 0 < count < m:
        raise ValueError(f"test_size {test_size!r} of {m} rows leaves nothing to train on")
    rng = random.Random(integer("seed", seed, 0))
    keys = [rng.random() for _ in range(m)]  # of the generator's methods, only random() is the same in every Python
    order = sorted(range(m), key=keys.__getitem__, reverse=True)
    if flag("stratify", stratify):
        order = _stratified(order, read_column(y), count)
    test, train = order[:count], order[count:]
    return take(rows, train), take(rows, test), take(labels, train), take(labels, test)


def _stratified(order: list[int], labels: list[Any], count: int) -> list[int]:
    """The order, rearranged so that its first `count` rows have every class by its share (largest remainders)."""
    members: dict[Any, list[int]] = {}
    for i in order:
        members.setdefault(labels[i], []).append(i)
    shares = {label: count * len(rows) / len(order) for label, rows in members.items()}
    quota = {label: min(int(share), len(members[label]) - 1) for label, share in shares.items()}
    missing = count - sum(quota.values())
    for label in sorted(shares, key=lambda label: quota[label] - shares[label]) * 2:
        if missing and quota[label] < len(members[label]) - 1:
            quota[label] += 1
            missing -= 1
    if missing:
        raise ValueError(
            f"a stratified test part of {count} rows would leave a class without a training row: lower test_size"
        )
    chosen = {i for label, rows in members.items() for i in rows[: quota[label]]}
    return [i for i in order if i in chosen] + [i for i in order if i not in chosen]


class Standardizer:
    """(x − mean) / deviation for every column, with the mean and deviation of the rows it was fitted on.

    Fit it on the training part only: what is known of the test part must not leak into the model. A column that is
    constant is only centred.

    Attributes: `mean_` and `scale_`, a float per column, after `fit`.

    >>> scaler = Standardizer().fit([[1.0, 5.0], [3.0, 5.0]])
    >>> scaler.transform([[1.0, 5.0], [2.0, 6.0]])
    [[-1.0, 0.0], [0.0, 1.0]]
    """

    mean_: list[float]
    scale_: list[float]

    def fit(self, X: Any, y: Any = None) -> Standardizer:  # noqa: ARG002  (scikit-learn's pipelines pass y)
        """Measures mean and (population) standard deviation of each column; `y` is ignored."""
        self.mean_, self.scale_ = _moments(read_rows(X))
        return self

    def transform(self, X: Any) -> Rows:
        """The rows in units of standard deviations from the mean; arrays for arrays, lists for lists."""
        if not hasattr(self, "mean_"):
            raise ValueError("this Standardizer is not fitted yet: call fit with the training rows first")
        rows = read_rows(X)
        if len(rows[0]) != len(self.mean_):
            raise ValueError(f"X has {len(rows[0])} features, but the Standardizer was fitted on {len(self.mean_)}")
        if hasattr(rows, "dtype"):
            return (rows - self.mean_) / self.scale_
        columns = list(zip(self.mean_, self.scale_, strict=True))
        return [[(x - mean) / scale for x, (mean, scale) in zip(row, columns, strict=True)] for row in rows]

    def fit_transform(self, X: Any, y: Any = None) -> Rows:  # noqa: ARG002
        """`fit` and `transform` of the same rows."""
        return self.fit(X).transform(X)

    def __repr__(self) -> str:
        return f"Standardizer({len(self.mean_)} columns)" if hasattr(self, "mean_") else "Standardizer(not fitted)"


def _moments(rows: Rows) -> tuple[list[float], list[float]]:
    means, deviations = [], []
    for column in zip(*as_lists(rows), strict=True):
        mean = column[0] if min(column) == max(column) else math.fsum(column) / len(column)
        deviation = math.hypot(*[x - mean for x in column]) / math.sqrt(len(column))
        # What rounding leaves of a constant column is no spread.
        constant = deviation <= 8.0 * math.ulp(max(abs(x) for x in column))
        means.append(mean)
        deviations.append(1.0 if constant else deviation)
    return means, deviations


def flatten_image(image: Any) -> Any:
    """A height × width × channels image (or height × width) as one feature vector, row by row, channels together.

    Args:
        image: nested sequences of numbers, or an array; every row as long as the first.

    Returns a list, or a one-dimensional array for an array: `[flatten_image(image) for image in images]` is an X.
    Raises ValueError that says which row is ragged.

    >>> flatten_image([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]])
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]
    """
    nested = image.tolist() if is_array(image) and hasattr(image, "tolist") else image
    flat: list[float] = []
    _flatten(nested, "image", _shape(nested), flat)
    return like(image, flat)


def _shape(nested: Any) -> list[int]:
    """The lengths along the first elements."""
    shape: list[int] = []
    while isinstance(nested, Sequence) and not isinstance(nested, (str, bytes)):
        shape.append(len(nested))
        if not nested:
            break
        nested = nested[0]
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"image must be height × width or height × width × channels, not of shape {tuple(shape)}")
    return shape


def _flatten(nested: Any, place: str, shape: list[int], flat: list[float]) -> None:
    if not shape:
        from .floats.reading import number

        try:
            flat.append(number(nested))
        except TypeError as error:
            raise TypeError(f"{place} {error}") from None
        return
    if not isinstance(nested, Sequence) or isinstance(nested, (str, bytes)) or len(nested) != shape[0]:
        length = len(nested) if isinstance(nested, Sequence) else "no"
        raise ValueError(f"image is ragged: {place} has {length} elements where the first of its kind has {shape[0]}")
    for i, part in enumerate(nested):
        _flatten(part, f"{place}[{i}]", shape[1:], flat)


def _standardizer_from_file(content: Any, place: str) -> Standardizer:
    plain = from_json(content, place)
    scaler = Standardizer()
    if plain == {}:
        return scaler
    expect(type(plain) is dict and plain.keys() == {"mean_", "scale_"}, f"{place} describes no Standardizer")
    mean, scale = plain["mean_"], plain["scale_"]
    expect(_are_finite(mean) and _are_finite(scale) and len(mean) == len(scale), f"{place} describes no Standardizer")
    expect(all(number > 0.0 for number in scale), f"{place} has a scale that is not positive")
    scaler.mean_, scaler.scale_ = mean, scale
    return scaler


def _are_finite(numbers: Any) -> bool:
    return type(numbers) is list and all(type(x) is float and x - x == 0.0 for x in numbers)


def _standardizer_to_file(scaler: Standardizer, place: str) -> Any:
    if type(scaler) is not Standardizer:
        raise TypeError(
            f"{place} is a {type(scaler).__name__}, of which load would make a Standardizer: save vars of it"
        )
    return to_json(vars(scaler), place)


saved_as("standardizer", Standardizer, _standardizer_to_file, _standardizer_from_file)
