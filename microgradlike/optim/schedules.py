"""Learning-rate schedules: the learning rate as a function of the number of steps taken. Re-exported by optim."""

from __future__ import annotations

import math
from dataclasses import dataclass
from inspect import signature
from typing import Any, ClassVar

from ..arguments.checks import choice, integer, real
from ..saving import LoadError, expect, from_json, saved_as, to_json


class Schedule:
    """A learning rate for every step: `schedule(t)` is the rate of the step that follows `t` completed ones.

    Plain numbers and immutable, so it can be shared, compared, copied and saved. One of your own is best a frozen
    dataclass; any class that keeps its arguments in attributes of their names does.
    """

    known: ClassVar[dict[str, type[Schedule]]] = {}

    def __init_subclass__(cls) -> None:
        Schedule.known[cls.__name__] = cls

    def __call__(self, t: int) -> float:
        """The learning rate after `t` completed steps (0 before the first)."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The schedule as plain data, for state dicts and files.

        Raises TypeError if it does not keep its arguments in attributes of their names.
        """
        names = list(signature(type(self)).parameters)
        missing = [name for name in names if not hasattr(self, name)]
        if missing:
            raise TypeError(
                f"{type(self).__name__} cannot be saved: it keeps no {', '.join(missing)}. Assign each argument of "
                "__init__ to the attribute of its name, or write to_dict()"
            )
        return {"schedule": type(self).__name__, **{name: getattr(self, name) for name in names}}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self)))

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> Schedule:
        """The schedule that `to_dict` described; ValueError if it describes none."""
        fields = dict(plain)
        kind = Schedule.known[choice("schedule", fields.pop("schedule", None), Schedule.known)]
        if isinstance(fields.get("then"), dict):
            fields["then"] = Schedule.from_dict(fields["then"])
        try:
            return kind(**fields)
        except TypeError as error:
            raise ValueError(f"not a {kind.__name__} schedule: {plain!r} ({error})") from None


def _check(schedule: Schedule, name: str, value: float) -> None:
    object.__setattr__(schedule, name, value)


def _check_descent(schedule: Linear | Cosine) -> None:
    """The fields of a schedule that goes from one rate to another in so many steps."""
    _check(schedule, "learning_rate", real("learning_rate", schedule.learning_rate, 0.0))
    _check(schedule, "end", real("end", schedule.end, 0.0))
    _check(schedule, "steps", integer("steps", schedule.steps))


@dataclass(frozen=True)
class Constant(Schedule):
    """The same learning rate at every step.

    >>> Constant(0.1)(0), Constant(0.1)(1000)
    (0.1, 0.1)
    """

    learning_rate: float

    def __post_init__(self) -> None:
        _check(self, "learning_rate", real("learning_rate", self.learning_rate, 0.0))

    def __call__(self, t: int) -> float:  # noqa: ARG002
        return self.learning_rate


@dataclass(frozen=True)
class StepDecay(Schedule):
    """learning_rate · factor^⌊t / every⌋: a staircase (PyTorch's StepLR).

    >>> [StepDecay(0.1, every=10, factor=0.5)(t) for t in (0, 9, 10, 20)]
    [0.1, 0.1, 0.05, 0.025]
    """

    learning_rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check(self, "learning_rate", real("learning_rate", self.learning_rate, 0.0))
        _check(self, "every", integer("every", self.every))
        _check(self, "factor", real("factor", self.factor, 0.0, above=True))

    def __call__(self, t: int) -> float:
        return self.learning_rate * self.factor ** (t // self.every)


@dataclass(frozen=True)
class Linear(Schedule):
    """From `learning_rate` to `end` on a straight line over `steps` steps, then `end`.

    >>> [Linear(0.1, end=0.0, steps=4)(t) for t in (0, 2, 4, 9)]
    [0.1, 0.05, 0.0, 0.0]
    """

    learning_rate: float
    end: float = 0.0
    steps: int = 100

    def __post_init__(self) -> None:
        _check_descent(self)

    def __call__(self, t: int) -> float:
        if t >= self.steps:
            return self.end
        return self.learning_rate + (self.end - self.learning_rate) * (t / self.steps)


@dataclass(frozen=True)
class Cosine(Schedule):
    """end + ½(learning_rate − end)(1 + cos(π·t/steps)): half a cosine wave, then `end`.

    Loshchilov & Hutter 2016, arXiv:1608.03983, without restarts.

    >>> [round(Cosine(0.2, steps=4)(t), 12) for t in (0, 2, 4, 9)]
    [0.2, 0.1, 0.0, 0.0]
    """

    learning_rate: float
    end: float = 0.0
    steps: int = 100

    def __post_init__(self) -> None:
        _check_descent(self)

    def __call__(self, t: int) -> float:
        if t >= self.steps:
            return self.end
        return self.end + 0.5 * (self.learning_rate - self.end) * (1.0 + math.cos(math.pi * (t / self.steps)))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A linear rise over the first `steps` steps to the rate that `then` starts with, then `then` from its beginning.

    Step t (counted from 0) of the rise has the rate then(0)·(t + 1)/(steps + 1), so that no step is wasted at rate 0.
    Goyal et al. 2017, arXiv:1706.02677.

    >>> [round(WarmUp(3, then=0.4)(t), 12) for t in (0, 1, 2, 3, 50)]
    [0.1, 0.2, 0.3, 0.4, 0.4]
    """

    steps: int
    then: Schedule | float

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", integer("steps", self.steps))
        object.__setattr__(self, "then", as_schedule("then", self.then))

    def __call__(self, t: int) -> float:
        then = as_schedule("then", self.then)
        if t < self.steps:
            return then(0) * ((t + 1) / (self.steps + 1))
        return then(t - self.steps)

    def to_dict(self) -> dict[str, Any]:
        """The schedule as plain data, the following one inside it."""
        return {"schedule": "WarmUp", "steps": self.steps, "then": as_schedule("then", self.then).to_dict()}


def as_schedule(name: str, rate: Any) -> Schedule:
    """A schedule as it is, and a number as the constant schedule; `name` is what errors call it.

    Raises TypeError for anything else, ValueError for a negative or non-finite number.
    """
    return rate if isinstance(rate, Schedule) else Constant(real(name, rate, 0.0))


def _from_file(content: Any, place: str) -> Schedule:
    plain = from_json(content, place)
    expect(type(plain) is dict, f"{place} describes no schedule")
    try:
        schedule = Schedule.from_dict(plain)
    except (TypeError, ValueError) as error:
        raise LoadError(f"{place} describes no schedule: {error}") from None
    expect(to_json(schedule.to_dict(), place) == content, f"{place} is not how a {type(schedule).__name__} is written")
    return schedule


saved_as("schedule", Schedule, lambda schedule, place: to_json(schedule.to_dict(), place), _from_file)
