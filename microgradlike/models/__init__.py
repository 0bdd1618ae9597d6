"""Models to fit to data, with scikit-learn's conventions, built out of Values. This file only gathers the names."""

from __future__ import annotations

from .base import Model, NotFittedError
from .linear import LogisticRegression, SoftmaxRegression
from .mlp import MLPClassifier, MLPRegressor

__all__ = ["LogisticRegression", "MLPClassifier", "MLPRegressor", "Model", "NotFittedError", "SoftmaxRegression"]
