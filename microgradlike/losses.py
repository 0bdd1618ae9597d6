"""Losses of one example, each one node of the graph, and their mean over examples. The rules are the table's (ops.py).

Numbers in, float out; with a Value among the arguments, a Value. Predictions that make no sense give what IEEE 754
gives (log(0) is −inf, a probability of 2 gives nan) and never raise; targets that make no sense are an error.

A picture shows a loss as one card, or opens it (`mg.draw(loss, inside=True)`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .arguments.habits import no_such_name
from .floats.reading import number
from .graph.engine import Value, values
from .graph.observed import require

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "categorical_cross_entropy", "cross_entropy",
    "half_squared_error", "hinge", "mean", "mean_squared_error",
]  # fmt: skip


def half_squared_error(prediction: Any, target: Any) -> Any:
    """½·(prediction − target)², whose derivative is prediction − target.

    Args:
        prediction: a Value or a real number.
        target: the same.

    >>> round(half_squared_error(0.60944600, 0.4), 8)
    0.02193381
    """
    return values.half_squared_error(prediction, target)


def mean_squared_error(predictions: Any, targets: Any) -> Any:
    """(1/n)·Σ (predictionᵢ − targetᵢ)², over the outputs of one example or over examples.

    Args:
        predictions: a sequence of Values or numbers.
        targets: a sequence of the same length.

    Raises ValueError if the lengths differ or nothing is given.

    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    ps, ts = _sequence("predictions", predictions), _sequence("targets", targets)
    _same_length("predictions", ps, "targets", ts)
    return values.mean_squared_error(*ps, *ts)


def binary_cross_entropy(p: Any, y: Any) -> Any:
    """−(y·ln p + (1 − y)·ln(1 − p)), in nats: the logistic loss of a probability.

    At y = 1 it is −ln p, at y = 0 −ln(1 − p); both grow without bound as p goes wrong.

    Args:
        p: the predicted probability of class 1. Outside [0, 1] the loss is nan.
        y: the target, 0 or 1, or a probability between them.

    Raises ValueError for a target outside [0, 1].

    >>> round(binary_cross_entropy(0.9, 1), 6), binary_cross_entropy(0.0, 1)
    (0.105361, inf)
    """
    y = _probability("y", y)
    return values.binary_cross_entropy(p, y)


def binary_cross_entropy_with_logits(z: Any, y: Any) -> Any:
    """binary_cross_entropy(σ(z), y), in nats, without overflow or cancellation; its derivative is σ(z) − y.

    Args:
        z: the logit, any real number: the weighted sum before the sigmoid.
        y: the target, 0 or 1, or a probability between them.

    Raises ValueError for a target outside [0, 1].

    >>> round(binary_cross_entropy_with_logits(0.0, 1), 6), binary_cross_entropy_with_logits(-1000.0, 1)
    (0.693147, 1000.0)
    """
    y = _probability("y", y)
    return values.binary_cross_entropy_with_logits(z, y)


def cross_entropy(logits: Any, target: Any) -> Any:
    """−Σ qₖ·ln softmax(logits)ₖ, in nats, without overflow or cancellation; its derivative is softmax − q.

    Args:
        logits: a sequence of scores, one per class.
        target: the index of the true class, from 0; or a distribution q over the classes (one-hot, say).

    Raises:
        IndexError: there is no class of that index.
        ValueError: a distribution of another length, with negative entries or of another sum than 1; no logits.

    >>> round(cross_entropy([2.0, 1.0, 0.0], 0), 6)
    0.407606
    >>> round(cross_entropy([2.0, 1.0, 0.0], [1, 0, 0]), 6)
    0.407606
    """
    scores = _sequence("logits", logits)
    if _is_distribution(target):
        return values.soft_cross_entropy(*scores, *_distribution("logits", scores, target))
    return values.cross_entropy(_class_index(target, len(scores)), *scores)


def categorical_cross_entropy(probabilities: Any, target: Any) -> Any:
    """−Σ qₖ·ln pₖ, in nats, of probabilities; prefer `cross_entropy` where there are logits.

    Args:
        probabilities: a sequence with one probability per class. That they add up to 1 is not checked.
        target: the index of the true class, from 0; or a distribution q over the classes.

    Raises as `cross_entropy`.

    >>> round(categorical_cross_entropy([0.2, 0.7, 0.1], 1), 5)
    0.35667
    >>> round(categorical_cross_entropy([0.4, 0.4, 0.2], [0, 1, 0]), 5)
    0.91629
    """
    ps = _sequence("probabilities", probabilities)
    if _is_distribution(target):
        q = _distribution("probabilities", ps, target)
        return -values.sum(*[values.xlogy(w, p) for w, p in zip(q, ps, strict=True)])
    k = _class_index(target, len(ps))
    return -values.log(values.take(k, *ps) if isinstance(k, Value) else ps[int(k)])


def hinge(score: Any, y: Any) -> Any:
    """max(0, 1 − y·score): the maximum-margin loss; its derivative where the margin is exactly 1 is 0.

    Args:
        score: the signed score, any real number.
        y: the target, −1 or +1 (another number counts as that many times its sign).

    Raises ValueError for a target of 0: labels 0 and 1 become −1 and +1 by 2·y − 1.

    >>> hinge(0.25, 1), hinge(0.25, -1), hinge(3.0, 1)
    (0.75, 1.25, 0.0)
    """
    y = _scalar("y", y)
    require(_is_zero, _no_sign, y)
    return values.hinge(score, y)


def mean(losses: Iterable[Any]) -> Any:
    """The cost: the mean of the losses of the examples, as one node. Its gradient is the mean of their gradients.

    Args:
        losses: Values or numbers, one per example; any iterable, so a generator will do.

    Raises ValueError if there is none.

    >>> mean(half_squared_error(p, t) for p, t in [(1.0, 0.0), (2.0, 2.0)])
    0.25
    """
    items = _sequence("losses", losses)
    return values.mean(*items)


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:
    _SQUARED, _LOGISTIC = "it is losses.mean_squared_error", "it is losses.binary_cross_entropy"
    _OF_LOGITS, _CLASSES = "it is losses.binary_cross_entropy_with_logits", "it is losses.cross_entropy, of logits"
    _ABSOLUTE = "write mg.mean(mg.abs(p - t) for p, t in zip(predictions, targets))"
    _CURES = {
        "mse": _SQUARED, "mse_loss": _SQUARED, "MSELoss": _SQUARED,
        "bce": _LOGISTIC, "BCELoss": _LOGISTIC, "log_loss": _LOGISTIC, "binary_crossentropy": _LOGISTIC,
        "bce_with_logits": _OF_LOGITS, "BCEWithLogitsLoss": _OF_LOGITS,
        "CrossEntropyLoss": _CLASSES, "nll_loss": _CLASSES, "NLLLoss": _CLASSES,
        "mae": _ABSOLUTE, "l1_loss": _ABSOLUTE, "L1Loss": _ABSOLUTE,
        "hinge_loss": "it is losses.hinge", "svm": "it is losses.hinge",
    }  # fmt: skip

    def __getattr__(name: str) -> Any:
        raise no_such_name(__name__, name, __all__, _CURES)


# ── what the arguments may be ───────────────────────────────────────────────────────────────────
def _scalar(name: str, x: Any) -> Any:
    if isinstance(x, Value):
        return x
    try:
        return number(x)
    except (TypeError, OverflowError) as error:
        raise type(error)(f"{name} {error}") from None


def _sequence(name: str, xs: Any) -> list[Any]:
    if isinstance(xs, (Value, str)) or not isinstance(xs, Iterable):
        raise TypeError(f"{name} must be a sequence of Values or numbers, not {type(xs).__name__}: write [x] for one")
    items = [x if isinstance(x, Value) else _scalar(f"{name}[{i}]", x) for i, x in enumerate(xs)]
    if not items:
        raise ValueError(f"{name} is empty: it needs at least one element")
    return items


def _same_length(name: str, xs: list[Any], other: str, ys: list[Any]) -> None:
    if len(xs) != len(ys):
        raise ValueError(f"{name} and {other} must have the same length, not {len(xs)} and {len(ys)}")


def _probability(name: str, y: Any) -> Any:
    """A target that is a probability. That of a Value is not looked at, unless it is an argument that is recorded."""
    y = _scalar(name, y)
    require(_is_no_probability, _no_probability, y)
    return y


def _is_no_probability(y: Any) -> Any:
    return (y < 0.0) | (y > 1.0)


def _no_probability(y: float) -> ValueError:
    return ValueError(f"y must be 0, 1 or a probability between them, not {y!r}: map the labels to 0 and 1")


def _is_zero(y: Any) -> Any:
    return y == 0.0


def _no_sign(_y: float) -> ValueError:
    return ValueError("y must be −1 or +1, not 0: labels 0 and 1 become −1 and +1 by 2·y − 1")


def _is_distribution(target: Any) -> bool:
    return (
        not isinstance(target, (Value, str)) and isinstance(target, Iterable) and getattr(target, "shape", None) != ()
    )


def _distribution(name: str, xs: list[Any], target: Any) -> list[Any]:
    q = _sequence("target", target)
    _same_length(name, xs, "target", q)
    require(_is_no_distribution, _no_distribution, *q)
    return q


def _is_no_distribution(*q: Any) -> Any:
    wrong = abs(sum(q) - 1.0) > 1e-6
    for w in q:
        wrong = wrong | (w < 0.0)
    return wrong


def _no_distribution(*q: float) -> ValueError:
    for i, w in enumerate(q):
        if w < 0.0:
            return ValueError(f"target[{i}] must be a probability, not {w!r}")
    return ValueError(f"target must add up to 1, not {math.fsum(q)!r}: divide it by its sum")


def _class_index(target: Any, classes: int) -> Any:
    k = _scalar("target", target)
    require(*_class_among(classes), k, always=True)
    return k


@lru_cache(maxsize=1000)  # one check for one number of classes, however many losses ask for it
def _class_among(classes: int) -> tuple[Any, Any]:
    def wrong(k: Any) -> Any:
        return (k % 1.0 != 0.0) | (k < 0.0) | (k >= classes)

    def error(k: float) -> Exception:
        if k % 1.0 != 0.0:
            return TypeError(f"target must be the index of a class or a distribution, not {k!r}")
        return IndexError(f"target {k:g} is no class: there are {classes}, numbered from 0 to {classes - 1}")

    wrong.limit = classes  # type: ignore[attr-defined]  # for who checks an index in C
    return wrong, error
