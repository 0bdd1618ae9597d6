"""Training: the mean loss over rows and its gradient, and the loop of epochs around it. Knows no labels, no shapes.

Everything that runs over many rows goes through `Examples`: it records the loss of one example once and replays it
over all rows (microgradlike.compile), or, with backend="eager", builds and sweeps a graph for each row.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import Any

from ..arguments.rows import as_lists, take
from ..compile.compiled import find_native
from ..graph.engine import Value, add_grads, assign, data_of, grads_of, set_grads
from ..graph.installed import installed
from ..graph.modes import no_grad, recording_again
from ..optim import Optimizer, clip_grad_norm
from .lbfgs import minimize
from .progress import Progress

BACKENDS = ("auto", "eager", "python", "numpy", "native")


class Examples:
    """The mean of `loss(x, t)` over rows: `mean`, and `backward`, which adds its gradient to the parameters' grads."""

    def __init__(self, loss: Callable[[Any, Any], Any], example: tuple[Any, Any], backend: str):
        self._loss = loss
        self._compiled = _compiled(loss, example, backend)

    def backward(self, X: Any, T: Any) -> float:
        """The mean loss of these rows; its gradient is added to the grads."""
        if self._compiled is not None:
            return float(self._compiled.backward(X, T))
        losses, m = [], len(X)
        with recording_again():  # a fit within no_grad() learns, too
            for row, target in zip(as_lists(X), T, strict=True):
                loss = self._loss(row, target)
                loss.backward(1.0 / m)
                losses.append(loss.data)
        return math.fsum(losses) / m

    def mean(self, X: Any, T: Any) -> float:
        """The mean loss alone."""
        if self._compiled is not None:
            losses = [float(loss) for loss in self._compiled.map(X, T)]
        else:
            with no_grad():
                losses = [self._loss(row, target).data for row, target in zip(as_lists(X), T, strict=True)]
        return math.fsum(losses) / len(losses)


# A training knows how often it will call what it compiles, so it can choose better than compile's "auto", which sees
# one call. Products of a weight and an input, from which arrays pay for their start (measured):
_ARRAYS_PAY = 150


def _chosen(plan: Plan, rows: int, weights: int) -> str:
    """The backend for this training."""
    if plan.backend != "auto":
        return plan.backend
    per_step = weights * (rows if plan.batch_size is None else min(plan.batch_size, rows))
    if per_step < _ARRAYS_PAY or not installed("numpy"):
        return "python"
    return "native" if find_native() else "numpy"


def _compiled(function: Callable[..., Any], example: tuple[Any, Any], backend: str) -> Any:
    """The function recorded, or None where it is to be run as it is."""
    if backend == "eager":
        return None
    from ..compile import compile as compile_

    return compile_(function, backend=backend).record(*example)


_FEW = 8  # rows up to which building the graphs is quicker than recording one


def outputs(function: Callable[[Any], list[Any]], X: Any, backend: str) -> list[list[float]]:
    """What `function(x)` gives for every row, as numbers."""
    if backend == "auto":  # one pass over all rows: the plan is made either way, and NumPy runs it as it is
        backend = "numpy" if installed("numpy") else "eager"
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
    assign(run.parameters, course.kept[1] if plan.patience is None or course.interrupted else run.best)
    set_grads(run.parameters)
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
        self.examples = Examples(loss, (self.X[0], self.T[0]), backend)
        self.parameters = list(parameters)
        self.l2 = [plan.l2 * flag for flag in penalised]
        start = data_of(self.parameters)
        self.course = Course((0, start))
        self.best, self._lowest, self._stale = start, math.inf, 0

    def backward(self, X: Any, T: Any) -> float:
        """The penalised cost of these rows; its gradient is in the parameters' grads."""
        set_grads(self.parameters)
        cost = self.examples.backward(X, T)
        if self.plan.l2:
            x = data_of(self.parameters)
            pulls = list(map(mul, self.l2, x))
            add_grads(self.parameters, pulls)
            cost += 0.5 * math.fsum(map(mul, pulls, x))
        return cost

    # ── the two ways to the minimum ─────────────────────────────────────────────────────────────
    def by_steps(self, optimizer: Optimizer, progress: Progress) -> None:
        """Epochs of gradient steps, each on all rows or on mini-batches."""
        plan, m = self.plan, len(self.X)
        size = m if plan.batch_size is None else min(plan.batch_size, m)
        order = list(range(m))
        for _ in range(plan.epochs):
            rate = optimizer.current_learning_rate
            if size < m and plan.shuffle:
                plan.rng.shuffle(order)
            total = []
            for start in range(0, m, size):
                batch = order[start : start + size]
                X, T = (self.X, self.T) if size == m else (take(self.X, batch), take(self.T, batch))
                cost = self.backward(X, T)
                if not math.isfinite(cost):
                    raise FloatingPointError(
                        f"the cost became {cost} in epoch {self.course.epochs + 1}: lower learning_rate, standardise "
                        "the features (standardize=True), or limit the gradient (clip_norm=1.0)"
                    )
                total.append(cost * len(batch))
                if size == m and plan.tolerance and _largest(grads_of(self.parameters)) <= plan.tolerance:
                    self.course.converged = True
                    raise _Stop
                if plan.clip_norm is not None:
                    clip_grad_norm(self.parameters, plan.clip_norm)
                optimizer.step()
            self.completed(math.fsum(total) / m, rate, progress)

    def by_lbfgs(self, progress: Progress) -> None:
        """Iterations of L-BFGS on all rows; each counts as an epoch."""

        def cost(x: list[float]) -> tuple[float, list[float]]:
            assign(self.parameters, x)
            value = self.backward(self.X, self.T)  # where it is not finite, a shorter step will be tried
            return value, list(grads_of(self.parameters))

        for i, point in enumerate(minimize(cost, list(self.course.kept[1]), tolerance=self.plan.tolerance)):
            if i:
                assign(self.parameters, point.x)
                self.completed(point.f, math.nan, progress)
            if i >= self.plan.epochs:
                return
        self.course.converged = True

    def completed(self, loss: float, rate: float, progress: Progress) -> None:
        """One more epoch is done: note it, and stop if the validation part has stopped improving."""
        course, x = self.course, data_of(self.parameters)
        if math.isnan(_largest(x)):
            raise FloatingPointError(
                f"a parameter is no longer finite after epoch {course.epochs + 1}: lower learning_rate"
            )
        check = self.examples.mean(*self.validation) if self.validation else math.nan
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
    numbers = list(x)
    return max(map(abs, numbers)) if all(map(math.isfinite, numbers)) else math.nan
