"""Multi-layer perceptrons as a classifier and as a regressor."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any

from .. import nn, optim
from ..arguments.checks import choice, integer
from .base import Classifier, Model, Regressor
from .training import Plan


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class _Perceptron(Model):
    """The hyperparameters of both, and their network."""

    hidden_layer_sizes: Sequence[int] = (16,)
    activation: str | Callable[[Any], Any] | None = "relu"
    initializer: str | None = None
    optimizer: str | Callable[..., optim.Optimizer] = "adam"
    learning_rate: float | optim.Schedule = 0.01
    epochs: int = 100
    batch_size: int | None = 32

    def _plan(self) -> Plan:
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, (str, bytes)) or not hasattr(sizes, "__iter__"):
            raise TypeError(f"hidden_layer_sizes must list the width of each hidden layer, say (16, 16), not {sizes!r}")
        for i, size in enumerate(sizes):
            integer(f"hidden_layer_sizes[{i}]", size)
        nn.checked_activation(self.activation)
        if self.initializer is not None:
            choice("initializer", self.initializer, nn.initializers())
        return super()._plan()

    def _network(self, n_features: int, n_outputs: int, rng: random.Random) -> nn.Module:
        return nn.MLP(
            n_features, [*self.hidden_layer_sizes, n_outputs], self.activation,
            output_activation=None, initializer=self.initializer, seed=rng,
        )  # fmt: skip

    def _fits(self, network: Any, n_features: int, n_outputs: int) -> bool:
        if type(network) is not nn.MLP or network.output_activation is not None:
            return False
        first = network.layers[0].neurons[0]
        widths = [len(first.w), *(len(layer.neurons) for layer in network.layers)]
        activation = nn.checked_activation(self.activation)
        return (
            widths == [n_features, *self.hidden_layer_sizes, n_outputs]
            and first.b is not None
            and network.activation == activation
        )


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class MLPClassifier(_Perceptron, Classifier):
    """A multi-layer perceptron for classes: a logit for two, else a score per class, fitted to the mean cross-entropy.

    Args:
        hidden_layer_sizes: the width of each hidden layer.
        activation: of the hidden layers: a name from `nn.activations()`, a function of one Value, or None.
        initializer: how weights start: a name from `nn.initializers()`, or None for what suits the activation.

    All others as for every model (`help(microgradlike.models.Model)`); here the optimiser is "adam" with
    learning_rate 0.01, for 100 epochs of mini-batches of 32 rows, unless told otherwise. Attributes as for
    LogisticRegression, without coef_ and intercept_; `network_` is the `nn.MLP`.

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["same", "different", "different", "same"]
    >>> model = MLPClassifier(hidden_layer_sizes=(8,), activation="tanh", seed=1, progress=False).fit(X, y)
    >>> model.predict(X)
    ['same', 'different', 'different', 'same']
    """


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class MLPRegressor(_Perceptron, Regressor):
    """A multi-layer perceptron for numbers: one output without activation, fitted to the mean of ½(prediction − y)².

    With `standardize=True` the targets are standardised, too, for training; predictions are in the units of y.
    Arguments as for MLPClassifier.

    >>> X, y = [[i / 10] for i in range(-10, 11)], [(i / 10) ** 2 for i in range(-10, 11)]
    >>> model = MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", epochs=300, progress=False).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """
