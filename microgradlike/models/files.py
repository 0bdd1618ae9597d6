"""Models in files: hyperparameters and what was learnt, checked before anything is built. The format is saving.py's."""

from __future__ import annotations

from typing import Any

from ..arguments.checks import choice
from ..saving import LoadError, dict_of, expect, fields_of, saved_as, to_json
from .base import Model
from .linear import LogisticRegression, SoftmaxRegression
from .mlp import MLPClassifier, MLPRegressor

_KINDS = {kind.__name__: kind for kind in (LogisticRegression, SoftmaxRegression, MLPClassifier, MLPRegressor)}


def _to_file(model: Model, place: str) -> dict[str, Any]:
    name = type(model).__name__
    if _KINDS.get(name) is not type(model):
        raise TypeError(f"{place} is of type {name}, which load does not know, and cannot be saved")
    model._plan()  # what load would refuse is not written
    params = {key: to_json(value, f"{key} of {name}") for key, value in model.get_params().items()}
    learnt = {key: to_json(value, f"{key} of {name}") for key, value in vars(model).items() if key.endswith("_")}
    return {"kind": name, "hyperparameters": params, "learnt": learnt}


def _from_file(content: Any, place: str) -> Any:
    fields = fields_of(content, place, {"kind", "hyperparameters", "learnt"})
    try:
        kind: Any = _KINDS[choice("kind of model", fields["kind"], _KINDS)]
    except (TypeError, ValueError) as error:
        raise LoadError(f"{place}: {error}") from None
    params = dict_of(fields["hyperparameters"], f"{place}.hyperparameters")
    known = kind().get_params()
    expect(
        params.keys() == known.keys(),
        f"{place} must have the hyperparameters {sorted(known)}, not {sorted(params)!r:.300}",
    )
    model = kind(**params)
    try:
        model._plan()
    except (TypeError, ValueError) as error:
        raise LoadError(f"{place}.hyperparameters: {error}") from None
    learnt = dict_of(fields["learnt"], f"{place}.learnt")
    if learnt:
        try:
            problem = model._problem(learnt)
        except (TypeError, ValueError) as error:
            problem = str(error)
        expect(problem is None, f"{place}.learnt: {problem}")
        model.__dict__.update(learnt)
    return model


saved_as("model", Model, _to_file, _from_file)
