"""Models to fit to data, with scikit-learn's conventions, built out of Values. This file only gathers the names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments.habits import no_such_name
from . import files as _files  # noqa: F401  (how models are saved)
from .base import Model, NotFittedError
from .linear import LogisticRegression, SoftmaxRegression
from .mlp import MLPClassifier, MLPRegressor

__all__ = ["LogisticRegression", "MLPClassifier", "MLPRegressor", "Model", "NotFittedError", "SoftmaxRegression"]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        linear = "a linear model of numbers is MLPRegressor(hidden_layer_sizes=())"
        raise no_such_name(
            __name__, name, __all__, dict.fromkeys(["LinearRegression", "Ridge", "SGDRegressor"], linear)
        )
