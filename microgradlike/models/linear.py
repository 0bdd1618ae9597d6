"""Logistic and softmax regression: networks of one layer, whose cost is convex."""

# ruff: noqa: ARG002  (methods of one interface take the same arguments, used or not)

from __future__ import annotations

import dataclasses
import math
import random
from typing import Any, ClassVar

from .. import floats, losses, nn
from ..arguments.checks import real
from ..arguments.rows import is_array
from ..datasets import Standardizer
from ..graph.engine import Value, values
from .base import Classifier
from .training import Plan


class _Linear(Classifier):
    """A classifier whose network is one layer without activation: it has coefficients to read off."""

    coef_: ClassVar[Any]
    intercept_: ClassVar[Any]

    def _read_off(self, network: Any, scaler: Standardizer | None, X: Any) -> dict[str, Any]:
        """The weights and biases, in the units of the features as they were given."""
        neurons = network.neurons if isinstance(network, nn.Layer) else [network]
        coef, intercept = [], []
        for neuron in neurons:
            *w, b = [p.data for p in neuron.parameters()]
            if scaler is not None:
                w = [wi / scale for wi, scale in zip(w, scaler.scale_, strict=True)]
                b = math.fsum([b, *(-wi * mean for wi, mean in zip(w, scaler.mean_, strict=True))])
            coef.append(w)
            intercept.append(b)
        if is_array(X):
            import numpy as np

            return {"coef_": np.array(coef), "intercept_": np.array(intercept)}
        return {"coef_": coef, "intercept_": intercept}

    def _learnt_names(self) -> list[str]:
        return [*super()._learnt_names(), "coef_", "intercept_"]

    def _problem(self, learnt: dict[str, Any]) -> str | None:
        problem = super()._problem(learnt)
        if problem is None:
            read = self._read_off(learnt["network_"], learnt["standardizer_"], learnt["coef_"])
            if any(_bits(read[name]) != _bits(learnt[name]) for name in read):
                problem = "coef_ and intercept_ are not those of the network"
        return problem


def _is_linear(neuron: nn.Neuron, n_inputs: int) -> bool:
    return len(neuron.w) == n_inputs and neuron.b is not None and neuron.activation is None


def _bits(numbers: Any) -> str:
    """All numbers and their shape as text, to compare exactly."""
    return repr(numbers.tolist() if hasattr(numbers, "tolist") else numbers)


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class LogisticRegression(_Linear):
    """Two classes: p = σ(w·x + b), fitted to the mean of −(y·ln p + (1 − y)·ln(1 − p)) + ½·l2·‖w‖².

    The cost is convex, so gradient descent reaches its global minimum; `optimizer="lbfgs"` does in few iterations.

    Args:
        threshold: the second class is predicted where p is greater; between 0 and 1.

    All others as for every model (`help(microgradlike.models.Model)`).

    Attributes after fit:
        classes_: the two labels, sorted; p is the probability of the second.
        coef_, intercept_: w as a row, and b, in the units of the features as given, standardised or not.
        loss_curve_: the cost of each epoch, as it was before the epoch's step (with mini-batches: their mean).
        validation_loss_curve_: the mean loss of the validation part after each epoch, or None.
        n_iter_: how many epochs were done.
        n_features_in_: how many features there are.
        network_: the `nn.Neuron`; standardizer_: the `datasets.Standardizer`, or None.

    Raises, from fit: ValueError if there are not exactly two classes.

    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], ["no", "no", "yes", "yes"]
    >>> model = LogisticRegression(learning_rate=1.0, epochs=50, progress=False).fit(X, y)
    >>> model.predict([[0.5], [3.5]]), model.score(X, y)
    (['no', 'yes'], 1.0)
    """

    threshold: float = 0.5

    def _plan(self) -> Plan:
        real("threshold", self.threshold, 0.0, 1.0, above=True, below=True)
        return super()._plan()

    def _network(self, n_features: int, n_outputs: int, rng: random.Random) -> nn.Module:
        return nn.Neuron(n_features, None, initializer="zeros")

    def _fits(self, network: Any, n_features: int, n_outputs: int) -> bool:
        return type(network) is nn.Neuron and _is_linear(network, n_features)

    def _n_outputs(self, classes: list[Any]) -> int:
        if len(classes) != 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass: "
                f"y has {len(classes)} classes, {classes!r:.100}; use SoftmaxRegression"
            )
        return 1

    def _logit_threshold(self) -> float:
        return floats.log(self.threshold) - floats.log1p(-self.threshold)

    def _graph(self, inputs: list[Value], y: Any) -> Value:
        """The texts' three steps, z, a = σ(z) and the loss of a."""
        z = self.network_.graph(inputs)
        a = values.sigmoid(z)
        a.label = "a"
        loss: Value = losses.binary_cross_entropy(a, float(self._class_number(y)))
        return loss

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class SoftmaxRegression(_Linear):
    """k classes: p = softmax(W·x + b), fitted to the mean cross-entropy + ½·l2·‖W‖² (multinomial logistic regression).

    The cost is convex. Without a penalty one class's weights are superfluous; gradients then keep the sums over
    the classes at 0. With two classes it is logistic regression with w = w₂ − w₁.

    Arguments as for every model (`help(microgradlike.models.Model)`); attributes as for LogisticRegression, with one
    row of `coef_` and one entry of `intercept_` per class, and `network_`, an `nn.Layer`.

    >>> from microgradlike import datasets
    >>> X_train, X_test, y_train, y_test = datasets.iris(test_size=0.2, seed=0)
    >>> model = SoftmaxRegression(optimizer="lbfgs", l2=1e-3, standardize=True, progress=False).fit(X_train, y_train)
    >>> len(model.coef_), len(model.coef_[0]), model.score(X_test, y_test) >= 0.9
    (3, 4, True)
    """

    def _network(self, n_features: int, n_outputs: int, rng: random.Random) -> nn.Module:
        return nn.Layer(n_features, n_outputs, None, initializer="zeros")

    def _fits(self, network: Any, n_features: int, n_outputs: int) -> bool:
        if type(network) is not nn.Layer or len(network.neurons) != n_outputs or network.activation is not None:
            return False
        return all(_is_linear(neuron, n_features) for neuron in network.neurons)

    def _n_outputs(self, classes: list[Any]) -> int:
        return len(classes)
