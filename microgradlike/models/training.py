"""Training: the mean loss over rows and its gradient, and the loop of epochs around it. Knows no labels, no shapes.

Everything that runs over many rows goes through `Examples`: it records the loss of one example once and replays it
over all rows (microgradlike.compile), or, with backend="eager", builds and sweeps a graph for each row.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from operator import add, mul
from typing import Any

from ..arguments.rows import as_lists, take
from ..graph.engine import Value, no_grad
from ..optim import Optimizer, clipped
from .lbfgs import minimize
from .progress import Progress

BACKENDS = ("auto", "eager", "python", "numpy", "llvm")


class Examples:
    """The mean of `loss(x, t)` over rows, and its gradient with respect to `parameters`, as vectors of numbers.

    Attributes:
        parameters: the leaves that the loss uses, in the order of the vectors.
    """

    def __init__(
        self, loss: Callable[[Any, Any], Any], parameters: Sequence[Value], example: tuple[Any, Any], backend: str
    ):
        self._loss = loss
        self.parameters = list(parameters)
        self._compiled = _compiled(loss, example, backend)
        if self._compiled is not None:
            self.parameters = list(self._compiled.parameters)
            if len(self.parameters) != len(parameters):  # a branch in the loss hides some: too rare to replay
                self.parameters, self._compiled = list(parameters), None

    def gradient(self, x: Any, X: Any, T: Any) -> tuple[float, Any]:
        """The mean loss of these rows at the parameters' numbers `x`, and its gradient: a list, or an array."""
        if self._compiled is not None:
            value, gradient = self._compiled.gradient(x, X, T)
            return float(value), gradient
        self.set(x)
        for parameter in self.parameters:
            parameter.grad = 0.0
        losses = []
        for row, target in zip(as_lists(X), T, strict=True):
            loss = self._loss(row, target)
            loss.backward()
            losses.append(loss.data)
        m = len(losses)
        return math.fsum(losses) / m, [parameter.grad / m for parameter in self.parameters]

    def mean(self, x: Any, X: Any, T: Any) -> float:
        """The mean loss alone."""
        self.set(x)
        if self._compiled is not None:
            losses = [float(loss) for loss in self._compiled.map(X, T)]
        else:
            with no_grad():
                losses = [self._loss(row, target).data for row, target in zip(as_lists(X), T, strict=True)]
        return math.fsum(losses) / len(losses)

    def set(self, x: Any) -> None:
        """Gives the parameters these numbers."""
        for parameter, number in zip(self.parameters, x.tolist() if hasattr(x, "tolist") else x, strict=True):
            parameter.data = number


# A training knows how often it will call what it compiles, so it can choose better than compile's "auto", which sees
# one call. Products of a weight and an input, from which arrays and native code pay for their start (measured):
_ARRAYS_PAY, _NATIVE_PAYS = 150, 30_000_000


def _chosen(plan: Plan, rows: int, weights: int) -> str:
    """The backend for this training."""
    if plan.backend != "auto":
        return plan.backend
    per_step = weights * (rows if plan.batch_size is None else min(plan.batch_size, rows))
    if per_step < _ARRAYS_PAY or not find_spec("numpy"):
        return "python"
    return "llvm" if plan.epochs * rows * weights >= _NATIVE_PAYS and find_spec("llvmlite") else "numpy"


def _compiled(function: Callable[..., Any], example: tuple[Any, Any], backend: str) -> Any:
    """The function recorded, or None where it is to be run as it is."""
    if backend == "eager":
        return None
    from ..compile import compile as compile_

    return compile_(function, backend=backend).record(*example)


_FEW = 8  # rows up to which building the graphs is quicker than recording one


def outputs(function: Callable[[Any], list[Any]], X: Any, backend: str) -> list[list[float]]:
    """What `function(x)` gives for every row, as numbers."""
    if backend == "auto":  # arrays answer at once; native code would have to be compiled for one pass
        backend = "numpy" if find_spec("numpy") else "eager"
    if backend == "eager" or len(X) <= _FEW:
        with no_grad():
            return [[output.data for output in function(x)] for x in as_lists(X)]
    from ..compile import compile as compile_

    found = compile_(function, backend=backend).map(X)
    answers: list[list[float]] = found.tolist() if hasattr(found, "tolist") else found
    return answers


@dataclass
class Plan:
    """Everything `train` needs to know beside the data; the hyperparameters of a model, checked."""

    make_optimizer: Callable[[Sequence[Value]], Optimizer] | None  # None means L-BFGS
    epochs: int
    batch_size: int | None
    shuffle: bool
    rng: random.Random
    l2: float
    tolerance: float
    clip_norm: float | None
    patience: int | None  # None means no early stopping
    backend: str
    title: str
    progress: bool


@dataclass
class Course:
    """What a training did: one entry per completed epoch in each history."""

    kept: tuple[int, Any]  # how many epochs are completed, and the parameters then
    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    interrupted: bool = False
    converged: bool = False

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return self.kept[0]


class _Stop(Exception):  # noqa: N818  (no error: it ends the loops from inside)
    """Training has reached what it was asked for."""


def train(
    loss: Callable[[Any, Any], Any],
    parameters: Sequence[Value],
    penalised: Sequence[bool],
    part: tuple[Any, Any],
    validation: tuple[Any, Any] | None,
    plan: Plan,
) -> Course:
    """Minimises the cost, (1/m)·Σ loss(x, t) + ½·l2·Σ w² over the penalised parameters; leaves the best found in them.

    Interrupted (Ctrl-C), it keeps the last completed epoch; before the first is completed, the interrupt goes on.
    Raises FloatingPointError if the cost is no longer a finite number.
    """
    run = _Run(loss, parameters, penalised, part, validation, plan)
    with Progress(plan.title, plan.epochs, plan.progress) as progress:
        try:
            if plan.make_optimizer is None:
                run.by_lbfgs(progress)
            else:
                run.by_steps(plan.make_optimizer(parameters), progress)
        except _Stop:
            pass
        except KeyboardInterrupt:
            if not run.course.epochs:
                raise
            run.course.interrupted = True
    course = run.course
    for history in (course.loss, course.validation_loss, course.learning_rate):
        del history[course.epochs :]
    run.examples.set(course.kept[1] if plan.patience is None or course.interrupted else run.best)
    return course


class _Run:
    """One training under way. `best` is what the parameters were when the validation loss was lowest."""

    def __init__(
        self,
        loss: Callable[[Any, Any], Any],
        parameters: Sequence[Value],
        penalised: Sequence[bool],
        part: tuple[Any, Any],
        validation: tuple[Any, Any] | None,
        plan: Plan,
    ):
        self.plan, self.validation = plan, validation
        self.X, self.T = part
        backend = _chosen(plan, len(self.X), len(parameters))
        self.examples = Examples(loss, parameters, (self.X[0], self.T[0]), backend)
        is_weight = {id(p): flag for p, flag in zip(parameters, penalised, strict=True)}
        self.l2 = [plan.l2 * is_weight[id(p)] for p in self.examples.parameters]
        start = [p.data for p in self.examples.parameters]
        self.course = Course((0, start))
        self.best, self._lowest, self._stale = start, math.inf, 0

    def cost(self, x: Any, X: Any, T: Any) -> tuple[float, Any]:
        """The penalised cost of these rows at x, and its gradient."""
        cost, gradient = self.examples.gradient(x, X, T)
        if self.plan.l2 and hasattr(gradient, "dtype"):
            import numpy as np

            x = np.asarray(x)
            pull = np.asarray(self.l2) * x
            return cost + 0.5 * float(pull @ x), gradient + pull
        if self.plan.l2:
            pulls = [rate * xi for rate, xi in zip(self.l2, x, strict=True)]
            return cost + 0.5 * math.fsum(map(mul, pulls, x)), list(map(add, gradient, pulls))
        return cost, gradient

    def finite_cost(self, x: Any, X: Any, T: Any) -> tuple[float, Any]:
        cost, gradient = self.cost(x, X, T)
        if not math.isfinite(cost):
            raise FloatingPointError(
                f"the cost became {cost} in epoch {self.course.epochs + 1}: lower learning_rate, standardise the "
                "features (standardize=True), or limit the gradient (clip_norm=1.0)"
            )
        return cost, gradient

    # ── the two ways to the minimum ─────────────────────────────────────────────────────────────
    def by_steps(self, optimizer: Optimizer, progress: Progress) -> None:
        """Epochs of gradient steps, each on all rows or on mini-batches."""
        plan, m = self.plan, len(self.X)
        size = m if plan.batch_size is None else min(plan.batch_size, m)
        order = list(range(m))
        x: Any = self.course.kept[1]
        for _ in range(plan.epochs):
            rate = optimizer.current_learning_rate
            if size < m and plan.shuffle:
                plan.rng.shuffle(order)
            total = []
            for start in range(0, m, size):
                batch = order[start : start + size]
                X, T = (self.X, self.T) if size == m else (take(self.X, batch), take(self.T, batch))
                cost, gradient = self.finite_cost(x, X, T)
                total.append(cost * len(batch))
                if size == m and plan.tolerance and _largest(gradient) <= plan.tolerance:
                    self.course.converged = True
                    raise _Stop
                if plan.clip_norm is not None:
                    _, gradient = clipped(gradient, plan.clip_norm)
                x = optimizer.update(x, gradient)
            self.completed(x, math.fsum(total) / m, rate, progress)

    def by_lbfgs(self, progress: Progress) -> None:
        """Iterations of L-BFGS on all rows; each counts as an epoch."""

        def cost(x: list[float]) -> tuple[float, list[float]]:
            value, gradient = self.cost(x, self.X, self.T)  # where it is not finite, a shorter step will be tried
            return value, gradient.tolist() if hasattr(gradient, "tolist") else gradient

        for i, point in enumerate(minimize(cost, self.course.kept[1], tolerance=self.plan.tolerance)):
            if i:
                self.completed(point.x, point.f, math.nan, progress)
            if i >= self.plan.epochs:
                return
        self.course.converged = True

    def completed(self, x: Any, loss: float, rate: float, progress: Progress) -> None:
        """One more epoch is done: note it, and stop if the validation part has stopped improving."""
        course = self.course
        if math.isnan(_largest(x)):
            raise FloatingPointError(
                f"a parameter is no longer finite after epoch {course.epochs + 1}: lower learning_rate"
            )
        check = self.examples.mean(x, *self.validation) if self.validation else math.nan
        course.loss.append(loss)
        course.validation_loss.append(check)
        course.learning_rate.append(rate)
        course.kept = (len(course.loss), x)  # one assignment: an interrupt finds the epoch done, or not done
        progress.epoch(loss)
        if self.plan.patience is not None:
            if check < self._lowest:
                self._lowest, self.best, self._stale = check, x, 0
            else:
                self._stale += 1
            if self._stale > self.plan.patience:
                raise _Stop


def _largest(x: Any) -> float:
    """The largest magnitude in a vector; nan if a number in it is not finite."""
    numbers = x.tolist() if hasattr(x, "tolist") else x
    return max(map(abs, numbers)) if all(map(math.isfinite, numbers)) else math.nan
