"""Optimisers: how parameters move, given their gradients. Schedules are in schedules.py, L-BFGS in models/lbfgs.py.

Every update rule is written once, for one parameter or for a whole vector alike: `rule(m, c, x, g, *state)`
takes the parameter x, its gradient g and its state to their next values, in a namespace `m` that knows `sqrt`,
`divide` and `maximum`: `floats` for Python floats, NumPy (or any Array API) for a vector at once. What changes
with time but not with the parameter (learning rate, bias corrections) is computed once per step, as `c`.

Rules, defaults and the order of operations are PyTorch's, so that the sequence of updates is, too.
"""

# ruff: noqa: ARG002  (the rules of all optimisers take the same arguments, used or not)

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from .. import floats
from ..arguments.checks import flag, real
from ..arguments.habits import Familiar, no_such_name
from ..graph.engine import Value, assign, data_of, grads_of, set_grads
from ..graph.installed import numpy
from .schedules import Constant, Cosine, Linear, Schedule, StepDecay, WarmUp, as_schedule

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Constant", "Cosine", "GradientDescent", "Linear", "Nadam",
    "Optimizer", "RMSprop", "Schedule", "StepDecay", "WarmUp", "clip_grad_norm",
]  # fmt: skip


class Optimizer(Familiar):
    """What all optimisers share: the parameters, the learning rate, the state, saving and restoring.

    Attributes:
        parameters: the leaf Values that `step` moves, in a fixed order; assigning others keeps the state of those that
            stay.
        learning_rate: a number or a `Schedule`; like all settings it may be assigned between steps, and is checked.
        steps: how many steps have been taken.
        state: one flat list (or array) of numbers per name in `state_names`, in the order of `parameters`.

    `optimizer.step()` and `optimizer()` are the same.
    """

    state_names: ClassVar[tuple[str, ...]] = ()
    hyperparameter_names: ClassVar[tuple[str, ...]] = ("weight_decay",)
    _arguments: ClassVar = {
        "lr": "the learning rate is called learning_rate",
        "params": "they are called parameters",
        "alpha": "call it rho in RMSprop; the learning rate is learning_rate",
        "beta1": "write betas=(beta1, beta2)",
        "beta2": "write betas=(beta1, beta2)",
        "lr_decay": "it is called learning_rate_decay",
        "initial_accumulator_value": "it is called initial_accumulator",
    }
    _attributes: ClassVar = {
        "lr": "the learning rate is called learning_rate",
        "param_groups": "there is one group: its parameters and learning_rate are attributes, which may be assigned",
        "minimize": "call loss.backward() and then step()",
    }
    weight_decay: float = 0.0
    _leaves: list[Value] = []  # noqa: RUF012  (none yet; never changed in place)
    _names: list[str | None] = []  # noqa: RUF012

    def __init__(self, parameters: Iterable[Value], learning_rate: float | Schedule, **settings: Any):
        self.learning_rate = learning_rate
        for name, value in settings.items():
            setattr(self, name, value)
        self.steps = 0
        self.state: dict[str, Any] = {name: [] for name in self.state_names}
        self.parameters = parameters

    @property
    def parameters(self) -> Parameters:
        """The leaf Values that `step` moves."""
        return Parameters(self._leaves)

    @parameters.setter
    def parameters(self, parameters: Iterable[Value]) -> None:
        leaves, names = _checked_parameters(parameters)
        place = {id(p): i for i, p in enumerate(self._leaves)}
        where = [place.get(id(p)) for p in leaves]
        first = self._initial()
        state = {
            name: [first if i is None else float(numbers[i]) for i in where] for name, numbers in self.state.items()
        }
        vars(self).update(_leaves=leaves, _names=names, state=state)  # one step: no interrupt finds them torn

    def _initial(self) -> float:
        return 0.0

    @property
    def learning_rate(self) -> float | Schedule:
        """The learning rate as it was given: a number, or a schedule over the steps."""
        rate = self._schedule
        return rate.learning_rate if isinstance(rate, Constant) else rate

    @learning_rate.setter
    def learning_rate(self, rate: float | Schedule) -> None:
        self._schedule = as_schedule("learning_rate", rate)

    @property
    def current_learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self._schedule(self.steps)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._attributes and not hasattr(type(self), name):
            raise AttributeError(f"assigning {name!r} would change nothing: {self._attributes[name]}")
        check = _CHECKS.get(name) if name in self.hyperparameter_names else None
        super().__setattr__(name, value if check is None else check(name, value))

    # ── one step ────────────────────────────────────────────────────────────────────────────────
    def coefficients(self, t: Any, rate: Any, m: Any = math) -> tuple[Any, ...]:
        """What step number `t` (from 1) at rate `rate` needs beside x, g and the state, by `m.sqrt` and `m.pow`."""
        return (rate,)

    def rule(self, m: Any, c: tuple[Any, ...], x: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        """The next x and the next state, in namespace `m`."""
        raise NotImplementedError

    def step(self) -> None:
        """Moves every parameter by one step along its `.grad`. Gradients are kept: zero them before the next backward.

        All or nothing: parameters, state and the number of steps change together, or, after an error or an
        interrupt, not at all.
        """
        x, state, steps = self._next(data_of(self._leaves), grads_of(self._leaves))
        assign(self._leaves, x, vars(self), {"state": state, "steps": steps})

    __call__ = step

    def update(self, x: Any, g: Any) -> Any:
        """One step on the whole vector `x` with gradient `g`: advances the state and returns the new x.

        `x` and `g` are sequences of floats; or `g` is an array (NumPy's, or of another Array API namespace), then the
        step is a handful of array operations, and x and the state become arrays. The parameters are not touched.
        """
        x, state, steps = self._next(x, g)
        vars(self).update(state=state, steps=steps)
        return x

    def _next(self, x: Any, g: Any) -> tuple[Any, dict[str, Any], int]:
        """The next x, state and number of steps; nothing is changed."""
        t = self.steps + 1
        c = self.coefficients(t, self._schedule(self.steps))
        states = list(self.state.values())
        np = numpy() if isinstance(g, memoryview) and len(g) > _FEW else None
        if np is not None:
            x, g = np.frombuffer(x), np.frombuffer(g)
        if hasattr(g, "dtype"):
            m = _namespace(g)
            x = m.asarray(x)
            with m.errstate(all="ignore") if hasattr(m, "errstate") else nullcontext():  # IEEE 754, as the floats
                if self._couples_weight_decay():
                    g = g + self.weight_decay * x
                x, *states = self.rule(m, c, x, g, *(m.asarray(s) for s in states))
        else:
            if self._couples_weight_decay():
                decay = self.weight_decay
                g = [gi + decay * xi for xi, gi in zip(x, g, strict=True)]
            rule = self.rule
            rows = [rule(floats, c, *row) for row in zip(x, g, *states, strict=True)]
            x, *states = map(list, zip(*rows, strict=True))
        return x, dict(zip(self.state, states, strict=True)), t

    def _couples_weight_decay(self) -> bool:
        return self.weight_decay != 0.0

    def zero_grad(self) -> None:
        """Sets the gradient of every parameter to 0."""
        set_grads(self._leaves)

    # ── saving and restoring ────────────────────────────────────────────────────────────────────
    def hyperparameters(self) -> dict[str, Any]:
        """Every setting by its name, as plain data."""
        rate = self._schedule
        plain = rate.learning_rate if isinstance(rate, Constant) else rate.to_dict()
        return {"learning_rate": plain, **{name: getattr(self, name) for name in self.hyperparameter_names}}

    def state_dict(self) -> dict[str, Any]:
        """Settings, number of steps and state as plain data: what a later `load_state_dict` continues from exactly.

        The parameters' values are not in it: they belong to the model's state dict.
        """
        return {
            "optimizer": type(self).__name__,
            "steps": self.steps,
            "hyperparameters": self.hyperparameters(),
            "state": {name: [float(number) for number in numbers] for name, numbers in self.state.items()},
            "names": list(self._names),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continues where the optimiser that wrote `saved` stopped; settings are taken over, too.

        State goes to the parameter of the same name, where all have one: those of `net.parameters()`,
        `net.named_parameters()`, or labels. Otherwise it goes by position.

        Raises ValueError, and changes nothing, if it was another kind of optimiser, had other parameters, or is
        malformed.
        """
        steps, plain, state = self._checked_state(saved)
        rate = plain.pop("learning_rate")
        fresh = copy.copy(self)
        fresh.learning_rate = Schedule.from_dict(rate) if isinstance(rate, dict) else rate
        for name, value in plain.items():
            setattr(fresh, name, tuple(value) if isinstance(value, list) else value)
        fresh.coefficients(steps + 1, fresh.current_learning_rate)  # refuses settings that do not go together
        vars(self).update({**vars(fresh), "steps": steps, "state": state})

    def _checked_state(self, saved: Any) -> tuple[int, dict[str, Any], dict[str, Any]]:
        name = type(self).__name__
        if not isinstance(saved, dict) or not {"optimizer", "steps", "hyperparameters", "state"} <= saved.keys():
            raise ValueError(f"not the state dict of an optimiser: {saved!r:.80}")
        if saved["optimizer"] != name:
            raise ValueError(
                f"the state of {saved['optimizer']!r} cannot continue as {name}: make that optimiser first"
            )
        plain, state, steps = saved["hyperparameters"], saved["state"], saved["steps"]
        expected = {"learning_rate", *self.hyperparameter_names}
        if not isinstance(plain, dict) or plain.keys() != expected:
            raise ValueError(f"hyperparameters of {name} must be {sorted(expected)}, not {plain!r:.200}")
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
            raise ValueError(f"steps must be a whole number of at least 0, not {steps!r}")
        if not isinstance(state, dict) or state.keys() != set(self.state_names):
            raise ValueError(f"the state of {name} must hold {sorted(self.state_names)}, not {state!r:.200}")
        count = len(self._leaves)
        for key in self.state_names:
            numbers = state[key]
            if not isinstance(numbers, list) or not all(type(number) is float for number in numbers):
                raise ValueError(f"state {key!r} must be a list of floats, not {numbers!r:.80}")
            if len(numbers) != count:
                raise ValueError(f"state {key!r} is for {len(numbers)} parameters, this optimiser has {count}")
        order = self._order(saved.get("names"))
        return steps, dict(plain), {key: [state[key][i] for i in order] for key in self.state_names}

    def _order(self, names: Any) -> Sequence[int]:
        """Where each parameter's state is among that of parameters with these names."""
        own = [name for name in self._names if name is not None]
        if not isinstance(names, list) or None in names or len(own) < len(self._names) or len(set(names)) < len(names):
            return range(len(self._leaves))
        place = {name: i for i, name in enumerate(names)}
        if place.keys() != set(own):
            missing, unknown = sorted(set(own) - place.keys()), sorted(place.keys() - set(own))
            raise ValueError(f"the state is of other parameters: missing {missing[:5]}, unknown {unknown[:5]}")
        return [place[name] for name in own]

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{name}={getattr(self, name)!r}" for name in ("learning_rate", *self.hyperparameter_names)
        )
        return f"{type(self).__name__}({len(self._leaves)} parameters, {settings}, steps={self.steps})"


class GradientDescent(Optimizer):
    """x ← x − α·∂f/∂x: the plain rule; with the gradient of the whole data set it is batch gradient descent.

    Args:
        parameters: leaf Values, say `net.parameters()`.
        learning_rate: α, a number ≥ 0 or a schedule.

    Raises TypeError or ValueError that names the argument. Source: Cauchy 1847.

    >>> from microgradlike import Value
    >>> x = Value(3.0)
    >>> step = GradientDescent([x], learning_rate=0.25)
    >>> (x * x).backward(); step(); x.data
    1.5
    """

    def __init__(
        self, parameters: Iterable[Value], learning_rate: float | Schedule = 0.1, *, weight_decay: float = 0.0
    ):
        super().__init__(parameters, learning_rate, weight_decay=weight_decay)

    def rule(self, m: Any, c: tuple[Any, ...], x: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        (rate,) = c
        return (x - rate * g,)


class SGD(Optimizer):
    """Stochastic gradient descent: GradientDescent's rule on mini-batches, with momentum.

    v ← μ·v + (1 − dampening)·g (v = g at the first step), x ← x − α·v; with Nesterov's momentum x ← x − α·(g + μ·v).

    Args:
        parameters: leaf Values.
        learning_rate: α, a number ≥ 0 or a schedule.
        momentum: μ in [0, 1).
        nesterov: look ahead along the velocity; needs momentum > 0 and dampening 0.
        dampening: how much of the gradient is withheld from the velocity, in [0, 1].
        weight_decay: λ ≥ 0; adds λ·x to the gradient (an L2 penalty ½λx²).

    Sources: Robbins & Monro 1951; Polyak 1964; Nesterov 1983 in the form of Sutskever et al. 2013.

    >>> from microgradlike import Value
    >>> x = Value(1.0)
    >>> step = SGD([x], learning_rate=0.1, momentum=0.5)
    >>> for _ in range(2):
    ...     x.grad = 1.0
    ...     step()
    >>> round(x.data, 12)
    0.75
    """

    state_names = ("velocity",)
    hyperparameter_names = ("momentum", "nesterov", "dampening", "weight_decay")
    momentum: float
    nesterov: bool
    dampening: float

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.01,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
    ):
        super().__init__(
            parameters,
            learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            dampening=dampening,
            weight_decay=weight_decay,
        )
        self.coefficients(1, 0.0)

    def coefficients(self, t: Any, rate: Any, m: Any = math) -> tuple[Any, ...]:
        if self.nesterov and (self.momentum == 0.0 or self.dampening != 0.0):
            raise ValueError(
                f"nesterov=True needs momentum > 0 and dampening = 0, not momentum={self.momentum!r} and "
                f"dampening={self.dampening!r}"
            )
        return rate, 1.0 if t == 1 else 1.0 - self.dampening

    def rule(self, m: Any, c: tuple[Any, ...], x: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        rate, share = c
        (velocity,) = state
        if not self.momentum:  # no velocity, so that what is not finite in one step is not in the next
            return x - rate * g, velocity
        velocity = self.momentum * velocity + share * g
        direction = g + self.momentum * velocity if self.nesterov else velocity
        return x - rate * direction, velocity


class Adagrad(Optimizer):
    """s ← s + g², x ← x − α·g / (√s + ε): a step size per parameter that shrinks with all the gradients it has seen.

    Args:
        parameters: leaf Values.
        learning_rate: α, a number ≥ 0 or a schedule; divided by 1 + (t − 1)·learning_rate_decay at step t.
        learning_rate_decay: ≥ 0.
        initial_accumulator: s before the first step, ≥ 0.
        eps: ε ≥ 0, keeps the quotient finite.
        weight_decay: λ ≥ 0; adds λ·x to the gradient.

    Source: Duchi, Hazan & Singer 2011, JMLR 12.

    >>> from microgradlike import Value
    >>> x = Value(1.0)
    >>> step = Adagrad([x], learning_rate=0.5)
    >>> x.grad = 8.0
    >>> step(); x.data                                   # the first step is α, whatever the gradient's size
    0.50000000000625
    """

    state_names = ("sum_of_squares",)
    hyperparameter_names = ("learning_rate_decay", "initial_accumulator", "eps", "weight_decay")
    learning_rate_decay: float
    initial_accumulator: float
    eps: float

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.01,
        *,
        learning_rate_decay: float = 0.0,
        initial_accumulator: float = 0.0,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
    ):
        super().__init__(
            parameters,
            learning_rate,
            initial_accumulator=initial_accumulator,
            learning_rate_decay=learning_rate_decay,
            eps=eps,
            weight_decay=weight_decay,
        )

    def _initial(self) -> float:
        return self.initial_accumulator

    def coefficients(self, t: Any, rate: Any, m: Any = math) -> tuple[Any, ...]:
        return (rate / (1.0 + (t - 1) * self.learning_rate_decay),)

    def rule(self, m: Any, c: tuple[Any, ...], x: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        (rate,) = c
        (total,) = state
        total = total + g * g
        return x - m.divide(rate * g, m.sqrt(total) + self.eps), total


class RMSprop(Optimizer):
    """s ← ρ·s + (1 − ρ)·g², x ← x − α·g / (√s + ε): Adagrad with a memory that fades.

    Args:
        parameters: leaf Values.
        learning_rate: α, a number ≥ 0 or a schedule.
        rho: ρ in [0, 1), how much of the squared gradients is remembered (PyTorch calls it alpha).
        eps: ε ≥ 0.
        momentum: μ in [0, 1); the quotient is gathered in a velocity v ← μ·v + g/(√s + ε).
        centered: divide by the standard deviation, √(s − mean²), instead.
        weight_decay: λ ≥ 0; adds λ·x to the gradient.

    Sources: Hinton 2012, lecture 6e; centred: Graves 2013, arXiv:1308.0850.

    >>> from microgradlike import Value
    >>> x = Value(1.0)
    >>> step = RMSprop([x], learning_rate=0.1, rho=0.75)
    >>> x.grad = 8.0
    >>> step(); round(x.data, 9)                         # 1 − 0.1·8/√(0.25·64)
    0.8
    """

    state_names = ("mean_square", "mean", "velocity")
    hyperparameter_names = ("rho", "eps", "momentum", "centered", "weight_decay")
    rho: float
    eps: float
    momentum: float
    centered: bool

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.01,
        *,
        rho: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        weight_decay: float = 0.0,
    ):
        super().__init__(
            parameters, learning_rate, rho=rho, eps=eps, momentum=momentum, centered=centered, weight_decay=weight_decay
        )

    def rule(self, m: Any, c: tuple[Any, ...], x: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        (rate,) = c
        square, mean, velocity = state
        square = self.rho * square + (1.0 - self.rho) * g * g
        spread = square
        if self.centered:
            mean = _lerp(mean, g, 1.0 - self.rho)
            spread = square - mean * mean
        spread = m.sqrt(spread) + self.eps
        if not self.momentum:
            return x - m.divide(rate * g, spread), square, mean, velocity
        velocity = self.momentum * velocity + m.divide(g, spread)
        return x - rate * velocity, square, mean, velocity


class Adadelta(Optimizer):
    """Δ = √(d + ε)/√(s + ε)·g, x ← x − α·Δ: the step has the unit of x, and hardly needs a learning rate.

    s ← ρ·s + (1 − ρ)·g² before, d ← ρ·d + (1 − ρ)·Δ² after.

    Args:
        parameters: leaf Values.
        learning_rate: α, a number ≥ 0 or a schedule; 1 in the paper.
        rho: ρ in [0, 1).
        eps: ε ≥ 0; it also sets the size of the first steps.
        weight_decay: λ ≥ 0; adds λ·x to the gradient.

    Source: Zeiler 2012, arXiv:1212.5701.

    >>> from microgradlike import Value
    >>> x = Value(1.0)
    >>> step = Adadelta([x], rho=0.75, eps=0.01)
    >>> x.grad = 8.0
    >>> step(); round(x.data, 6)                         # 1 − 8·0.1/√16.01
    0.800062
    """

    state_names = ("mean_square", "mean_square_step")
    hyperparameter_names = ("rho", "eps", "weight_decay")
    rho: float
    eps: float

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 1.0,
        *,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ):
        super().__init__(parameters, learning_rate, rho=rho, eps=eps, weight_decay=weight_decay)

    def rule(self, m: Any, c: tuple[Any, ...], x: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        (rate,) = c
        square, square_step = state
        square = self.rho * square + (1.0 - self.rho) * g * g
        delta = m.divide(m.sqrt(square_step + self.eps), m.sqrt(square + self.eps)) * g
        square_step = self.rho * square_step + (1.0 - self.rho) * delta * delta
        return x - rate * delta, square, square_step


class Adam(Optimizer):
    """x ← x − α·m̂ / (√v̂ + ε), with m̂ and v̂ the fading means of g and g², corrected for their start at 0.

    m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g², m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).

    Args:
        parameters: leaf Values.
        learning_rate: α, a number ≥ 0 or a schedule.
        betas: (β₁, β₂), both in [0, 1).
        eps: ε ≥ 0.
        amsgrad: divide by the largest v so far.
        weight_decay: λ ≥ 0; adds λ·x to the gradient (AdamW shrinks x itself instead).

    Sources: Kingma & Ba 2014, arXiv:1412.6980; AMSGrad: Reddi, Kale & Kumar 2018, arXiv:1904.09237.

    >>> from microgradlike import Value
    >>> x = Value(1.0)
    >>> step = Adam([x], learning_rate=0.01)
    >>> x.grad = 123.0
    >>> step(); round(x.data, 9)                         # the first step is α, whatever the gradient's size
    0.99
    """

    state_names: ClassVar[tuple[str, ...]] = ("mean", "mean_square", "largest_mean_square")
    hyperparameter_names = ("betas", "eps", "amsgrad", "weight_decay")
    betas: tuple[float, float]
    eps: float
    amsgrad: bool

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        amsgrad: bool = False,
        weight_decay: float = 0.0,
    ):
        super().__init__(parameters, learning_rate, betas=betas, eps=eps, amsgrad=amsgrad, weight_decay=weight_decay)

    def coefficients(self, t: Any, rate: Any, m: Any = math) -> tuple[Any, ...]:
        beta1, beta2 = self.betas
        return rate / (1.0 - m.pow(beta1, t)), m.sqrt(1.0 - m.pow(beta2, t)), 1.0

    def rule(self, m: Any, c: tuple[Any, ...], x: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        rate, correction, shrink = c
        mean, square, largest = state
        beta1, beta2 = self.betas
        mean = _lerp(mean, g, 1.0 - beta1)
        square = beta2 * square + (1.0 - beta2) * g * g
        if self.amsgrad:
            largest = m.maximum(largest, square)
        spread = m.divide(m.sqrt(largest if self.amsgrad else square), correction) + self.eps
        return shrink * x - m.divide(rate * mean, spread), mean, square, largest


class AdamW(Adam):
    """Adam with decoupled weight decay: x ← (1 − α·λ)·x first, and the moments see the loss alone.

    Arguments as Adam's; weight_decay λ is 0.01 unless told otherwise.

    Source: Loshchilov & Hutter 2017, arXiv:1711.05101.

    >>> from microgradlike import Value
    >>> x = Value(1.0)
    >>> step = AdamW([x], learning_rate=0.1, weight_decay=0.5)
    >>> step(); x.data                                   # no gradient: 1 − 0.1·0.5
    0.95
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        amsgrad: bool = False,
        weight_decay: float = 0.01,
    ):
        super().__init__(parameters, learning_rate, betas=betas, eps=eps, amsgrad=amsgrad, weight_decay=weight_decay)

    def _couples_weight_decay(self) -> bool:
        return False

    def coefficients(self, t: Any, rate: Any, m: Any = math) -> tuple[Any, ...]:
        step_size, correction, _ = super().coefficients(t, rate, m)
        return step_size, correction, 1.0 - rate * self.weight_decay


class Nadam(Optimizer):
    """Adam with Nesterov's momentum: the mean looks one step ahead.

    μₜ = β₁(1 − ½·0.96^(t·ψ)), Mₜ = μ₁·…·μₜ,
    x ← x − α·((1 − μₜ)·g/(1 − Mₜ) + μₜ₊₁·m/(1 − Mₜ₊₁)) / (√v̂ + ε), with m, v and v̂ as in Adam.

    Args:
        parameters: leaf Values.
        learning_rate: α, a number ≥ 0 or a schedule.
        betas: (β₁, β₂), both in [0, 1).
        eps: ε ≥ 0.
        momentum_decay: ψ ≥ 0.
        weight_decay: λ ≥ 0; adds λ·x to the gradient.

    The sequence equals PyTorch's NAdam where that keeps Mₜ in double precision (under
    `torch.set_default_dtype(torch.float64)`); otherwise PyTorch rounds Mₜ to single precision.

    Source: Dozat 2016, ICLR workshop, "Incorporating Nesterov momentum into Adam".

    >>> from microgradlike import Value
    >>> x = Value(1.0)
    >>> step = Nadam([x], learning_rate=0.01)
    >>> x.grad = 2.0
    >>> step(); round(x.data, 6)
    0.989435
    """

    state_names = ("mean", "mean_square")
    hyperparameter_names = ("betas", "eps", "momentum_decay", "weight_decay")
    betas: tuple[float, float]
    eps: float
    momentum_decay: float

    def __init__(
        self,
        parameters: Iterable[Value],
        learning_rate: float | Schedule = 0.002,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        momentum_decay: float = 0.004,
        weight_decay: float = 0.0,
    ):
        super().__init__(
            parameters, learning_rate, betas=betas, eps=eps, momentum_decay=momentum_decay, weight_decay=weight_decay
        )
        self._product = (0, 1.0)  # (t, Mₜ), so that a step costs one factor and not t

    def _momentum(self, t: Any, m: Any = math) -> Any:
        return self.betas[0] * (1.0 - 0.5 * m.pow(0.96, t * self.momentum_decay))

    def _momenta(self, t: int) -> float:
        """μ₁·…·μₜ, gone on with from the step before."""
        done, product = self._product if self._product[0] == t - 1 else (0, 1.0)
        for i in range(done + 1, t + 1):
            product *= self._momentum(i)
        self._product = (t, product)
        return product

    def coefficients(self, t: Any, rate: Any, m: Any = math) -> tuple[Any, ...]:
        product = self._momenta(t) if m is math else m.product(lambda i: self._momentum(i, m), t)
        now, ahead = self._momentum(t, m), self._momentum(t + 1, m)
        correction = 1.0 - m.pow(self.betas[1], t)
        return rate * (1.0 - now) / (1.0 - product), rate * ahead / (1.0 - product * ahead), correction

    def rule(self, m: Any, c: tuple[Any, ...], x: Any, g: Any, *state: Any) -> tuple[Any, ...]:
        rate_now, rate_ahead, correction = c
        mean, square = state
        beta1, beta2 = self.betas
        mean = _lerp(mean, g, 1.0 - beta1)
        square = beta2 * square + (1.0 - beta2) * g * g
        spread = m.sqrt(m.divide(square, correction)) + self.eps
        return x - m.divide(rate_now * g, spread) - m.divide(rate_ahead * mean, spread), mean, square


def clip_grad_norm(parameters: Iterable[Value], max_norm: float, *, eps: float = 1e-6) -> float:
    """Scales all gradients by min(1, max_norm / (‖g‖ + eps)), so that their joint Euclidean norm is at most max_norm.

    Args:
        parameters: leaf Values; their `.grad` is changed.
        max_norm: the bound, > 0.
        eps: PyTorch's 1e-6 unless told otherwise; with 0 a clipped gradient has the norm max_norm itself.

    Returns the norm before clipping, computed without overflow.
    Source: Pascanu, Mikolov & Bengio 2012, arXiv:1211.5063.

    >>> from microgradlike import Value
    >>> x, y = Value(0.0), Value(0.0)
    >>> x.grad, y.grad = 3.0, 4.0
    >>> clip_grad_norm([x, y], max_norm=1.0, eps=0.0)
    5.0
    >>> round(x.grad, 12), round(y.grad, 12)
    (0.6, 0.8)
    """
    leaves, _ = _checked_parameters(parameters)
    limit, eps = real("max_norm", max_norm, 0.0, above=True), real("eps", eps, 0.0)
    gradient = grads_of(leaves)
    total = math.hypot(*gradient)
    scale = 1.0 if total + eps == 0.0 else limit / (total + eps)
    if not scale >= 1.0:  # also where it is nan: a gradient that is not a number must not pass for a small one
        set_grads(leaves, [g * scale for g in gradient])
    return total


def by_name() -> dict[str, Callable[..., Optimizer]]:
    """The optimisers as the models call them: a name, and what makes one from (parameters, learning_rate).

    "momentum" and "nesterov" are SGD with a momentum of 0.9.

    >>> list(by_name())
    ['gradient_descent', 'sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adadelta', 'adam', 'adamw', 'nadam']
    """
    return {
        "gradient_descent": GradientDescent,
        "sgd": SGD,
        "momentum": partial(SGD, momentum=0.9),
        "nesterov": partial(SGD, momentum=0.9, nesterov=True),
        "adagrad": Adagrad,
        "rmsprop": RMSprop,
        "adadelta": Adadelta,
        "adam": Adam,
        "adamw": AdamW,
        "nadam": Nadam,
    }


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise no_such_name(
            __name__,
            name,
            __all__,
            {
                "lr_scheduler": "a schedule is passed as the learning rate, optim.Cosine(0.1, steps=300)",
                "CosineAnnealingLR": "pass optim.Cosine(0.1, steps=300) as the learning rate",
                "StepLR": "pass optim.StepDecay(...) as the learning rate",
                "LBFGS": "the models have it, optimizer='lbfgs'",
                "clip_grad_norm_": "it is optim.clip_grad_norm",
            },
        )


def _lerp(start: Any, end: Any, weight: float) -> Any:
    """start + weight·(end − start), from whichever end is nearer, as PyTorch's lerp does."""
    return start + weight * (end - start) if weight < 0.5 else end - (end - start) * (1.0 - weight)


def _namespace(array: Any) -> Any:
    """The functions that work on this array; NumPy 1 does not know the Array API's way to ask."""
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    import numpy as np

    return np


_FEW = 16  # parameters up to which a loop over floats is quicker than array operations


class Parameters(tuple[Value, ...]):
    """An optimiser's parameters: a tuple, so that its state cannot fall out of step; added to a list, a list."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return [*self, *other]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"an optimiser's parameters have no {name!r}: assign them all, "
            "optimizer.parameters = [*optimizer.parameters, p]"
        )


def _checked_betas(name: str, betas: Any) -> tuple[float, float]:
    if not isinstance(betas, Sequence) or len(betas) != 2:
        raise ValueError(f"{name} must be a pair (β₁, β₂), not {betas!r}")
    return _below_1("betas[0]", betas[0]), _below_1("betas[1]", betas[1])


_at_least_0 = partial(real, low=0.0)
_below_1 = partial(real, low=0.0, high=1.0, below=True)
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "weight_decay": _at_least_0,
    "learning_rate_decay": _at_least_0,
    "initial_accumulator": _at_least_0,
    "momentum_decay": _at_least_0,
    "eps": _at_least_0,
    "momentum": _below_1,
    "rho": _below_1,
    "betas": _checked_betas,
    "dampening": partial(real, low=0.0, high=1.0),
    "nesterov": flag,
    "centered": flag,
    "amsgrad": flag,
}


def _checked_parameters(parameters: Any) -> tuple[list[Value], list[str | None]]:
    """The leaves, and a name for each: from (name, parameter) pairs, from a module, or its label."""
    if isinstance(parameters, Value):
        raise TypeError("parameters must be a list of Values, not one Value: write [x]")
    if hasattr(parameters, "parameters"):
        raise TypeError(f"parameters must be a list of Values, not {parameters!r:.60}: write net.parameters()")
    if isinstance(parameters, (Set, dict)):
        raise TypeError(f"parameters must be a list of Values: a {type(parameters).__name__} has no order of its own")
    try:
        leaves = list(parameters)
    except TypeError:
        raise TypeError(f"parameters must be a list of Values, not {parameters!r:.60}") from None
    if not leaves:
        raise ValueError("parameters is empty: there is nothing to optimise")
    names: list[str | None] = list(getattr(parameters, "names", ()))
    if all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in leaves):
        names, leaves = [name for name, _ in leaves], [leaf for _, leaf in leaves]
    seen: set[int] = set()
    for i, leaf in enumerate(leaves):
        if not isinstance(leaf, Value):
            raise TypeError(f"parameters[{i}] must be a Value, not {leaf!r} ({type(leaf).__name__})")
        if not leaf.is_leaf:
            raise ValueError(
                f"parameters[{i}] is a result, {leaf!r}, and cannot be moved: pass the leaves it came from"
            )
        if id(leaf) in seen:
            raise ValueError(f"parameters[{i}] is there twice: {leaf!r}")
        seen.add(id(leaf))
    return leaves, names if len(names) == len(leaves) else [leaf.label for leaf in leaves]
