"""What all models share: scikit-learn's conventions, and how hyperparameters and data become a training.

scikit-learn is never imported here unless it asks for its own tags. The conventions: `__init__` only stores its
arguments, `fit` checks them; what is learnt ends in an underscore; `get_params`, `set_params` and `clone` see the
arguments and nothing else.
"""

# ruff: noqa: ARG002  (methods that subclasses override take the same arguments, used or not)

from __future__ import annotations

import dataclasses
import math
import random
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from .. import floats, losses, optim
from ..arguments.checks import choice, flag, integer, real
from ..arguments.habits import Familiar
from ..arguments.rows import Rows, check_lengths, is_array, like, read_column, read_rows
from ..datasets import Standardizer, train_test_split
from ..graph.engine import Value
from ..nn import Module
from ..optim.schedules import as_schedule
from ..saving import save
from .training import BACKENDS, Plan, outputs, train

Self = TypeVar("Self", bound="Model")


class NotFittedError(ValueError, AttributeError):
    """A model is asked for what only a fitted one knows. scikit-learn's error of that name where that is loaded."""


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class Model(Familiar):
    """The hyperparameters and methods common to all models.

    Args:
        optimizer: "gradient_descent", "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "adamw"
            or "nadam"; or "lbfgs", which needs no learning rate and reaches the minimum of a convex cost to all
            digits; or a function that takes (parameters, learning_rate) and returns an `optim.Optimizer`.
        learning_rate: a number, or a schedule over the steps (`optim.Cosine(0.1, steps=300)`).
        epochs: how often, at most, all rows are gone through.
        batch_size: rows per step; None means all of them, which is batch gradient descent.
        shuffle: whether mini-batches are drawn anew in each epoch.
        l2: λ of the penalty ½·λ·Σw² that is added to the mean loss; biases are free. scikit-learn's C is 1/(λ·m).
        standardize: whether features are brought to mean 0 and deviation 1, as measured on the rows trained on.
        tolerance: training on all rows stops where no partial derivative is larger than this.
        clip_norm: the largest norm a gradient may have, or None.
        early_stopping: whether to hold back a validation part, stop when its loss no longer falls, and keep the best.
        validation_fraction: the share of the rows held back.
        patience: how many epochs without improvement are borne.
        seed: of the initial weights, the mini-batches and the validation part.
        backend: "auto" for the fastest installed, "eager", or a backend of `microgradlike.compile`.
        progress: whether a progress bar is shown.
    """

    optimizer: str | Callable[..., optim.Optimizer] = "gradient_descent"
    learning_rate: float | optim.Schedule = 0.1
    epochs: int = 300
    batch_size: int | None = None
    shuffle: bool = True
    l2: float = 0.0
    standardize: bool = False
    tolerance: float = 0.0
    clip_norm: float | None = None
    early_stopping: bool = False
    validation_fraction: float = 0.1
    patience: int = 10
    seed: int = 0
    backend: str = "auto"
    progress: bool = True

    _estimator_type: ClassVar[str]
    _arguments: ClassVar = {
        "lr": "the learning rate is called learning_rate",
        "learning_rate_init": "the learning rate is called learning_rate",
        "eta0": "the learning rate is called learning_rate",
        "max_iter": "how often all rows are gone through is called epochs",
        "n_iter": "how often all rows are gone through is called epochs",
        "random_state": "it is called seed",
        "solver": "it is called optimizer",
        "C": "the penalty is l2; C corresponds to l2 = 1/(C·m) for m rows",
        "alpha": "the penalty is called l2",
        "penalty": "give the size of the penalty, l2",
        "tol": "it is called tolerance",
        "verbose": "whether a progress bar is shown is called progress",
        "n_iter_no_change": "it is called patience",
        "momentum": "write optimizer='momentum', or a function that makes an optim.SGD",
        "hidden_sizes": "it is called hidden_layer_sizes",
        "hidden_layers": "it is called hidden_layer_sizes",
    }
    _attributes: ClassVar = {
        "partial_fit": "fit(X, y) begins anew each time; train an nn.MLP and an optimiser yourself to go on",
        "transform": "features are standardised within the model, standardize=True",
    }

    # ── hyperparameters ─────────────────────────────────────────────────────────────────────────
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every hyperparameter by its name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def set_params(self: Self, **params: Any) -> Self:
        """Changes hyperparameters; ValueError, with the near names, for one there is not. They are checked by fit."""
        names = self.get_params()
        for name in params:
            if name in self._arguments and name not in names:
                raise ValueError(f"unknown hyperparameter {name!r} of {type(self).__name__}: {self._arguments[name]}")
            choice(f"hyperparameter of {type(self).__name__}", name, names)
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def clone(self: Self) -> Self:
        """A model with the same hyperparameters that has learnt nothing, as `sklearn.base.clone` makes."""
        return type(self)(**self.get_params())

    def __repr__(self) -> str:
        changed = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if repr(getattr(self, field.name)) != repr(field.default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _plan(self) -> Plan:
        """The hyperparameters, checked. Raises TypeError or ValueError that names one, its value and what it can be."""
        rate = as_schedule("learning_rate", self.learning_rate)
        known = optim.by_name()
        make: Callable[[Sequence[Value]], optim.Optimizer] | None
        if callable(self.optimizer):
            given = self.optimizer
            make = lambda parameters: given(parameters, learning_rate=rate)
        elif choice("optimizer", self.optimizer, [*known, "lbfgs"]) == "lbfgs":
            make = None
            if self.batch_size is not None:
                raise ValueError(
                    f"optimizer='lbfgs' works on all rows: batch_size must be None, not {self.batch_size!r}"
                )
        else:
            kind: Any = known[self.optimizer]
            make = lambda parameters: kind(parameters, rate)
        real("validation_fraction", self.validation_fraction, 0.0, 1.0, above=True, below=True)
        patience = integer("patience", self.patience, 0)
        flag("standardize", self.standardize)
        return Plan(
            make_optimizer=make,
            epochs=integer("epochs", self.epochs),
            batch_size=None if self.batch_size is None else integer("batch_size", self.batch_size),
            shuffle=flag("shuffle", self.shuffle),
            rng=random.Random(integer("seed", self.seed, 0)),
            l2=real("l2", self.l2, 0.0),
            tolerance=real("tolerance", self.tolerance, 0.0),
            clip_norm=None if self.clip_norm is None else real("clip_norm", self.clip_norm, 0.0, above=True),
            patience=patience if flag("early_stopping", self.early_stopping) else None,
            backend=choice("backend", self.backend, BACKENDS),
            title=type(self).__name__,
            progress=flag("progress", self.progress),
        )

    # ── what a kind of model says ───────────────────────────────────────────────────────────────
    def _network(self, n_features: int, n_outputs: int, rng: random.Random) -> Module:
        """The untrained network, from standardised features to scores."""
        raise NotImplementedError

    def _outputs(self, network: Any, x: Any) -> list[Any]:
        """The network's outputs for one example."""
        return _listed(network(x))

    def _loss(self, outputs: list[Any], target: Any) -> Any:
        """The loss of one example, given the network's outputs for it."""
        raise NotImplementedError

    def _read_off(self, network: Any, scaler: Standardizer | None, X: Any) -> dict[str, Any]:
        """Further attributes that tell what was learnt."""
        return {}

    # ── training ────────────────────────────────────────────────────────────────────────────────
    def _fit(self: Self, X: Any, y: Any, read_targets: Callable[[Any, Rows], tuple[Any, int, dict[str, Any]]]) -> Self:
        plan = self._plan()
        rows = read_rows(X)
        targets, n_outputs, learnt = read_targets(y, rows)
        part, validation = (rows, targets), None
        if plan.patience is not None:
            stratify = self._estimator_type == "classifier"
            X_part, X_held, t_part, t_held = train_test_split(
                rows, targets, test_size=float(self.validation_fraction), seed=self.seed, stratify=stratify
            )
            part, validation = (X_part, t_part), (X_held, t_held)
        scaler = Standardizer().fit(part[0]) if self.standardize else None
        prepared = [None if p is None else (_prepare(scaler, p[0]), p[1]) for p in (part, validation)]
        network = self._network(len(rows[0]), n_outputs, plan.rng)
        named = list(network.named_parameters())
        course = train(
            lambda x, t: self._loss(self._outputs(network, x), t),
            [parameter for _, parameter in named],
            [name.rsplit(".")[-1] != "b" for name, _ in named],
            prepared[0],  # type: ignore[arg-type]
            prepared[1],
            plan,
        )
        learnt |= {
            "n_features_in_": len(rows[0]),
            "n_iter_": course.epochs,
            "network_": network,
            "standardizer_": scaler,
            "loss_curve_": course.loss,
            "validation_loss_curve_": course.validation_loss if validation else None,
            "learning_rate_curve_": course.learning_rate,
            **self._read_off(network, scaler, X),
        }
        names = _column_names(X)
        if names is not None:
            learnt["feature_names_in_"] = names
        # One assignment: whatever was learnt before stays whole until all of the new is there.
        kept = {name: thing for name, thing in vars(self).items() if not name.endswith("_")}
        self.__dict__ = {**kept, **learnt}
        if course.interrupted:
            self._say(
                f"{plan.title}.fit was interrupted in epoch {course.epochs + 1} of {plan.epochs}: "
                f"the model keeps the {course.epochs} it completed"
            )
        return self

    @staticmethod
    def _say(message: str) -> None:
        warnings.warn(message, UserWarning, stacklevel=4)

    # ── what was learnt ─────────────────────────────────────────────────────────────────────────
    def _check_fitted(self) -> None:
        if not hasattr(self, "network_"):
            exceptions = sys.modules.get("sklearn.exceptions")
            error = exceptions.NotFittedError if exceptions else NotFittedError
            raise error(f"this {type(self).__name__} is not fitted yet: call fit(X, y) first")

    def _read(self, X: Any) -> Rows:
        """Rows to predict for: checked, as many features as were learnt from, standardised."""
        self._check_fitted()
        rows = read_rows(X)
        if len(rows[0]) != self.n_features_in_:
            raise ValueError(
                f"X has {len(rows[0])} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                "features as input"
            )
        names, learnt = _column_names(X), getattr(self, "feature_names_in_", None)
        if names is not None and learnt is not None and list(names) != list(learnt):
            raise ValueError(
                f"The feature names should match those that were passed during fit: {list(learnt)!r:.200}, "
                f"not {list(names)!r:.200}"
            )
        return _prepare(self.standardizer_, rows)

    def _all_outputs(self, X: Any) -> list[list[float]]:
        """The network's outputs for every row."""
        return outputs(lambda x: self._outputs(self.network_, x), self._read(X), self.backend)

    n_features_in_: ClassVar[int]
    network_: ClassVar[Any]
    standardizer_: ClassVar[Standardizer | None]
    loss_curve_: ClassVar[list[float]]

    def graph(self, x: Any, y: Any) -> Value:
        """The loss of one example as a graph of Values: to draw, to step through, to differentiate.

        Args:
            x: one row of features, as they were given to fit; standardised ones are shown where the model does so.
            y: its target; for a classifier, a class seen in training.

        Returns the loss, a Value; `backward()` has not run.
        """
        row = self._read([x.tolist() if hasattr(x, "tolist") else x])[0]
        names = getattr(self, "feature_names_in_", None)
        labels = names if names is not None else [f"x{i}" for i in range(1, self.n_features_in_ + 1)]
        inputs = [Value(float(number), str(label)) for number, label in zip(row, labels, strict=True)]
        loss = self._graph(inputs, y)
        loss.label = "L"
        return loss

    def _graph(self, inputs: list[Value], y: Any) -> Value:
        raise NotImplementedError

    def _problem(self, learnt: dict[str, Any]) -> str | None:
        """What is wrong with attributes that are said to have been learnt (they come from a file); None if nothing."""
        expected = {
            "n_features_in_", "n_iter_", "network_", "standardizer_", "loss_curve_", "validation_loss_curve_",
            "learning_rate_curve_", *self._learnt_names(),
        }  # fmt: skip
        if learnt.keys() - {"feature_names_in_"} != expected:
            return f"must hold {sorted(expected)}, not {sorted(learnt)}"
        n, network, scaler = learnt["n_features_in_"], learnt["network_"], learnt["standardizer_"]
        if type(n) is not int or n < 1 or type(learnt["n_iter_"]) is not int or learnt["n_iter_"] < 0:
            return "n_features_in_ and n_iter_ must be counts"
        if not self._is_scaler(scaler, n):
            return f"standardizer_ must be {f'a Standardizer of {n} columns' if self.standardize else None}"
        for name in ("loss_curve_", "validation_loss_curve_", "learning_rate_curve_"):
            curve = learnt[name]
            empty = name == "validation_loss_curve_" and curve is None
            if not empty and not (type(curve) is list and all(type(x) is float for x in curve)):
                return f"{name} must be a list of floats"
        names = learnt.get("feature_names_in_")
        if names is not None and len(names) != n:
            return f"feature_names_in_ must name {n} features"
        if not self._fits(network, n, self._n_outputs_of(learnt)):
            return f"network_ is not that of a {type(self).__name__} with {n} features: {network!r:.200}"
        return None

    def _is_scaler(self, scaler: Any, columns: int) -> bool:
        if not self.standardize:
            return scaler is None
        return type(scaler) is Standardizer and len(getattr(scaler, "mean_", ())) == columns

    def _fits(self, network: Any, n_features: int, n_outputs: int) -> bool:
        """Whether `_network` makes such a network, judged without making one."""
        raise NotImplementedError

    def _learnt_names(self) -> list[str]:
        """The attributes that only this kind of model learns."""
        return []

    def _n_outputs_of(self, learnt: dict[str, Any]) -> int:
        """How many outputs the network has, judging by the other attributes."""
        return 1

    def save(self, path: Any) -> None:
        """Writes the model, fitted or not, to a JSON file that `microgradlike.load` reads back, exact to the bit."""
        save(self, path)

    # ── for scikit-learn ────────────────────────────────────────────────────────────────────────
    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        classifier = self._estimator_type == "classifier"
        return Tags(
            estimator_type=self._estimator_type,
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags() if classifier else None,
            regressor_tags=None if classifier else RegressorTags(),
            input_tags=InputTags(),
        )


def _prepare(scaler: Standardizer | None, rows: Rows) -> Rows:
    return rows if scaler is None else scaler.transform(rows)


def _column_names(X: Any) -> Any:
    """The names of a data frame's columns, if all are text."""
    names = getattr(X, "columns", None)
    if names is None or not all(isinstance(name, str) for name in names):
        return None
    import numpy as np

    return np.array(list(names), dtype=object)


class Classifier(Model):
    """What classifiers share: labels of any type, and accuracy."""

    _estimator_type = "classifier"
    classes_: ClassVar[Any]

    def fit(self: Any, X: Any, y: Any) -> Any:
        """Learns from rows of features and their labels.

        Args:
            X: m rows of n finite numbers, lists or an array.
            y: m labels of any one hashable type; floats must be whole.

        Returns itself. Raises TypeError or ValueError that says which argument, row or hyperparameter is wrong,
        FloatingPointError if the cost overflows; then, and if interrupted before one epoch is done, everything
        learnt before is kept as it was. Interrupted later, it keeps the last completed epoch and warns.
        """
        return self._fit(X, y, self._read_labels)

    def _read_labels(self, y: Any, rows: Rows) -> tuple[list[Any], int, dict[str, Any]]:
        labels = read_column(y)
        check_lengths(rows, labels)
        classes = _classes(labels)
        if len(classes) < 2:
            raise ValueError(f"y has one class only, {classes[0]!r}: there is nothing to tell apart")
        number = {label: k for k, label in enumerate(classes)}
        targets = [float(number[label]) for label in labels]
        return targets, self._n_outputs(classes), {"classes_": like(y, classes, labels=True)}

    def _n_outputs(self, classes: list[Any]) -> int:
        """One output for two classes, the logit of the second; else one score per class."""
        return 1 if len(classes) == 2 else len(classes)

    def _loss(self, outputs: list[Any], target: Any) -> Any:
        if len(outputs) == 1:
            return losses.binary_cross_entropy_with_logits(outputs[0], target)
        return losses.cross_entropy(outputs, target)

    def _graph(self, inputs: list[Value], y: Any) -> Value:
        loss: Value = self._loss(_listed(self.network_.graph(inputs)), float(self._class_number(y)))
        return loss

    def _class_number(self, label: Any) -> int:
        classes = list(self.classes_)
        plain = label.item() if hasattr(label, "item") else label
        try:
            return classes.index(plain)
        except ValueError:
            raise ValueError(f"label {plain!r} was not seen in training: the classes are {classes!r:.200}") from None

    def _learnt_names(self) -> list[str]:
        return ["classes_"]

    def _n_outputs_of(self, learnt: dict[str, Any]) -> int:
        classes = learnt["classes_"]
        if not isinstance(classes, list) and getattr(classes, "ndim", 0) != 1:
            raise ValueError(f"classes_ must be a list of labels, not {classes!r:.80}")
        labels = list(classes)
        if len(labels) < 2 or _classes(labels) != labels:
            raise ValueError(f"classes_ must be two or more different labels, sorted, not {labels!r:.80}")
        return self._n_outputs(labels)

    def _logit_threshold(self) -> float:
        """Above which logit the second of two classes is predicted."""
        return 0.0

    def _predicted(self, X: Any) -> list[int]:
        """The number of the predicted class of every row."""
        outputs = self._all_outputs(X)
        if len(self.classes_) == 2:
            threshold = self._logit_threshold()
            return [int(_logit(zs) > threshold) for zs in outputs]
        return [zs.index(max(zs)) for zs in outputs]

    def predict(self, X: Any) -> Any:
        """The class of every row: an array if X is one, else a list."""
        numbers = self._predicted(X)
        if is_array(X) and is_array(self.classes_):
            return self.classes_[numbers]
        return like(X, [self.classes_[k] for k in numbers], labels=True)

    def predict_proba(self, X: Any) -> Any:
        """The probability of every class, in the order of `classes_`, for every row; they add up to 1."""
        return like(X, [_probabilities(zs) for zs in self._all_outputs(X)])

    def decision_function(self, X: Any) -> Any:
        """The logit of the second of two classes, or the score of every class, for every row."""
        outputs = self._all_outputs(X)
        if len(self.classes_) == 2:
            return like(X, [_logit(zs) for zs in outputs])
        return like(X, outputs)

    def score(self, X: Any, y: Any) -> float:
        """The accuracy: the share of rows whose predicted class is the right one.

        Raises ValueError for a label that was not seen in training.
        """
        numbers = self._predicted(X)
        labels = read_column(y)
        check_lengths(numbers, labels)
        known = {label: self._class_number(label) for label in dict.fromkeys(labels)}
        return sum(k == known[label] for k, label in zip(numbers, labels, strict=True)) / len(labels)


def _logit(zs: list[float]) -> float:
    return zs[0] if len(zs) == 1 else zs[1] - zs[0]


def _probabilities(zs: list[float]) -> list[float]:
    if len(zs) == 1:
        return [floats.sigmoid(-zs[0]), floats.sigmoid(zs[0])]
    return [floats.softmax(float(k), *zs) for k in range(len(zs))]


def _classes(labels: list[Any]) -> list[Any]:
    """The different labels, sorted where they can be, else by type and text."""
    for i, label in enumerate(labels):
        if isinstance(label, float) and label != int(label if label - label == 0.0 else 0):
            raise ValueError(
                f"Unknown label type: y[{i}] is {label!r}, but class labels that are floats must be whole: "
                "use a regressor for numbers, or str(label)"
            )
        if label is None or type(label).__name__ in ("NaTType", "NAType"):
            raise ValueError(f"y[{i}] is missing: {label!r}")
        if isinstance(label, complex):
            raise ValueError(f"Complex data not supported: y[{i}] is {label!r}")
    try:
        different = list(dict.fromkeys(labels))
    except TypeError as error:
        raise TypeError(f"labels must be hashable, to be told apart: {error}") from None
    try:
        return sorted(different)
    except TypeError:
        return sorted(different, key=lambda label: (type(label).__name__, str(label)))


class Regressor(Model):
    """What regressors share: one finite number per example, and R²."""

    _estimator_type = "regressor"
    target_standardizer_: ClassVar[Standardizer | None]

    def fit(self: Any, X: Any, y: Any) -> Any:
        """Learns from rows of features and their numbers.

        Args:
            X: m rows of n finite numbers, lists or an array.
            y: m finite numbers.

        Returns itself; errors and interrupts as for the classifiers.
        """
        return self._fit(X, y, self._read_numbers)

    def _read_numbers(self, y: Any, rows: Rows) -> tuple[list[Any], int, dict[str, Any]]:
        column = _numbers(y)
        check_lengths(rows, column)
        if len(column) < 2:
            raise ValueError("y has 1 sample: a regression needs two at least")
        scaler = Standardizer().fit([[t] for t in column]) if self.standardize else None
        targets = [t for [t] in _prepare(scaler, [[t] for t in column])]
        return targets, 1, {"target_standardizer_": scaler}

    def _learnt_names(self) -> list[str]:
        return ["target_standardizer_"]

    def _problem(self, learnt: dict[str, Any]) -> str | None:
        problem = super()._problem(learnt)
        if problem is None and not self._is_scaler(learnt["target_standardizer_"], 1):
            problem = f"target_standardizer_ must be {'a Standardizer of 1 column' if self.standardize else None}"
        return problem

    def _loss(self, outputs: list[Any], target: Any) -> Any:
        return losses.half_squared_error(outputs[0], target)

    def _graph(self, inputs: list[Value], y: Any) -> Value:
        [target] = _prepare(self.target_standardizer_, [_numbers([y])])[0]
        loss: Value = self._loss(_listed(self.network_.graph(inputs)), target)
        return loss

    def _predicted(self, X: Any) -> list[float]:
        outputs = self._all_outputs(X)
        scaler = self.target_standardizer_
        if scaler is None:
            return [output for [output] in outputs]
        return [scaler.mean_[0] + scaler.scale_[0] * output for [output] in outputs]

    def predict(self, X: Any) -> Any:
        """The number of every row: an array if X is one, else a list."""
        return like(X, self._predicted(X))

    def score(self, X: Any, y: Any) -> float:
        """R² = 1 − Σ(y − prediction)² / Σ(y − mean of y)²: 1 is perfect, 0 is as good as the mean."""
        predicted, column = self._predicted(X), _numbers(y)
        check_lengths(predicted, column)
        mean = math.fsum(column) / len(column)
        missed = math.fsum([(a - b) ** 2 for a, b in zip(column, predicted, strict=True)])
        spread = math.fsum([(a - mean) ** 2 for a in column])
        return 1.0 - missed / spread if spread else float(not missed)


def _numbers(y: Any) -> list[float]:
    return [row[0] for row in read_rows([[t] for t in read_column(y)], "y")]


def _listed(answer: Any) -> list[Any]:
    """A network's outputs as a list, also where there is one."""
    return answer if isinstance(answer, list) else [answer]
