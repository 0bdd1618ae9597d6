"""Optimisers: PyTorch's sequences of updates, one rule for numbers and arrays, schedules, clipping, exact restarts."""

from __future__ import annotations

import copy
import math
import random
from functools import partial

import pytest
from helpers import interrupted
from hypothesis import given, settings
from hypothesis import strategies as st

from microgradlike import Value, nn, optim

# Ours, PyTorch's name for it, PyTorch's settings.
KINDS = {
    "gradient descent": (partial(optim.GradientDescent, learning_rate=0.1), "SGD", {"lr": 0.1}),
    "sgd, weight decay": (
        partial(optim.SGD, learning_rate=0.1, weight_decay=0.02), "SGD", {"lr": 0.1, "weight_decay": 0.02},
    ),
    "momentum": (partial(optim.SGD, learning_rate=0.05, momentum=0.9), "SGD", {"lr": 0.05, "momentum": 0.9}),
    "momentum, dampening": (
        partial(optim.SGD, learning_rate=0.1, momentum=0.9, dampening=0.3), "SGD",
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
    ),
    "nesterov": (
        partial(optim.SGD, learning_rate=0.05, momentum=0.9, nesterov=True, weight_decay=0.01), "SGD",
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ),
    "adagrad": (
        partial(
            optim.Adagrad, learning_rate=0.1, learning_rate_decay=0.01, initial_accumulator=0.1, weight_decay=0.02
        ),
        "Adagrad", {"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.1, "weight_decay": 0.02},
    ),
    "rmsprop": (partial(optim.RMSprop), "RMSprop", {}),
    "rmsprop, centred, momentum": (
        partial(optim.RMSprop, rho=0.9, centered=True, momentum=0.5, weight_decay=0.01), "RMSprop",
        {"alpha": 0.9, "centered": True, "momentum": 0.5, "weight_decay": 0.01},
    ),
    "adadelta": (partial(optim.Adadelta, weight_decay=0.01), "Adadelta", {"weight_decay": 0.01}),
    "adam": (partial(optim.Adam), "Adam", {}),
    "adam, weight decay": (
        partial(optim.Adam, learning_rate=0.01, betas=(0.8, 0.99), weight_decay=0.01), "Adam",
        {"lr": 0.01, "betas": (0.8, 0.99), "weight_decay": 0.01},
    ),
    "amsgrad": (partial(optim.Adam, learning_rate=0.01, amsgrad=True), "Adam", {"lr": 0.01, "amsgrad": True}),
    "adamw": (partial(optim.AdamW, learning_rate=0.01), "AdamW", {"lr": 0.01}),
    "nadam": (partial(optim.Nadam), "NAdam", {}),
    "nadam, settings": (
        partial(optim.Nadam, learning_rate=0.01, betas=(0.8, 0.99), momentum_decay=0.1, weight_decay=0.1), "NAdam",
        {"lr": 0.01, "betas": (0.8, 0.99), "momentum_decay": 0.1, "weight_decay": 0.1},
    ),
}  # fmt: skip
STEPS = 200


def leaves(numbers):
    return [Value(number) for number in numbers]


def gradients(seed, count):
    """Gradients of all sizes, some exactly 0."""
    rng = random.Random(seed)
    for _ in range(STEPS):
        yield [rng.choice([0.0, 1.0, 1.0, 1.0]) * rng.gauss(0, 1) * 10 ** rng.uniform(-4, 2) for _ in range(count)]


def data(parameters):
    return [p.data for p in parameters]


@pytest.mark.parametrize("kind", KINDS)
def test_the_sequence_of_updates_is_pytorchs(kind):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    make, name, settings = KINDS[kind]
    start = [0.5, -1.0, 2.0, 0.0, 1e-3, -30.0]
    ours = leaves(start)
    step = make(ours)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # else NAdam keeps its product of momenta in single precision
    try:
        theirs = torch.tensor(start, requires_grad=True)
        their_step = getattr(torch.optim, name)([theirs], **settings)
        for g in gradients(1, len(start)):
            for p, gi in zip(ours, g, strict=True):
                p.grad = gi
            theirs.grad = torch.tensor(g)
            step()
            their_step.step()
            # PyTorch fuses some products with their sums; one rounding in each step is what may differ.
            largest = max(1.0, *map(abs, data(ours)))
            assert data(ours) == pytest.approx(theirs.tolist(), rel=0, abs=2e-14 * largest)
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("kind", KINDS)
def test_one_rule_serves_numbers_and_arrays_bit_for_bit(kind):
    np = pytest.importorskip("numpy", reason="arrays need NumPy")
    make, _, _ = KINDS[kind]
    start = [0.5, -1.0, 2.0, 0.0]
    one, many = make(leaves(start)), make(leaves(start))
    x, y = start, np.array(start)
    for g in gradients(2, len(start)):
        x, y = one.update(x, g), many.update(y, np.array(g))
        assert x == y.tolist()
    assert one.state_dict() == many.state_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_continues_exactly(kind):
    make, _, _ = KINDS[kind]
    start = [0.5, -1.0, 2.0]
    ours = leaves(start)
    step = make(ours)
    all_gradients = list(gradients(3, len(start)))

    def go(step, parameters, part):
        for g in part:
            for p, gi in zip(parameters, g, strict=True):
                p.grad = gi
            step()

    go(step, ours, all_gradients[:7])
    saved = step.state_dict()
    twin = leaves(data(ours))
    again = type(step)(twin)  # with other settings: they come from the saved state
    again.load_state_dict(saved)
    assert again.state_dict() == saved
    go(step, ours, all_gradients[7:])
    assert step.steps == STEPS
    assert saved["steps"] == 7  # a state dict is a copy
    go(again, twin, all_gradients[7:])
    assert data(ours) == data(twin)
    assert again.state_dict() == step.state_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_downhill(kind):
    make, _, _ = KINDS[kind]
    x = Value(1.5)
    step = make([x])
    step.learning_rate = 0.05
    costs = []
    for _ in range(80):
        cost = (x - 0.5) ** 2
        step.zero_grad()
        cost.backward()
        costs.append(cost.data)
        step()
    assert costs[-1] < costs[0]


def test_a_step_keeps_the_gradient_until_it_is_zeroed():
    x = Value(1.0)
    step = optim.Adam([x])
    x.grad = 3.0
    step()
    assert x.grad == 3.0
    step.zero_grad()
    assert x.grad == 0.0


def test_weight_decay_is_an_l2_penalty_and_adamw_shrinks_instead():
    plain, decayed = leaves([2.0]), leaves([2.0])
    for parameters, step in [(plain, optim.SGD(plain, 0.1)), (decayed, optim.SGD(decayed, 0.1, weight_decay=0.5))]:
        parameters[0].grad = 1.0 if parameters is decayed else 1.0 + 0.5 * 2.0
        step()
    assert plain[0].data == decayed[0].data
    x = Value(2.0)
    optim.AdamW([x], 0.1, weight_decay=0.5)()
    assert x.data == 2.0 * (1.0 - 0.1 * 0.5)


def test_all_new_values_are_computed_before_one_is_assigned():
    x, y = Value(1.0), Value(1.0)
    step = optim.Adam([x, y])
    x.grad, y.grad = 1.0, 1.0

    def broken(*args):
        if args[2] == 1.0 and broken.calls:
            raise KeyboardInterrupt
        broken.calls += 1
        return (0.0, 0.0, 0.0, 0.0)

    broken.calls = 0
    step.rule = broken
    with pytest.raises(KeyboardInterrupt):
        step()
    assert (x.data, y.data, step.steps) == (1.0, 1.0, 0)
    assert step.state["mean"] == [0.0, 0.0]


def test_step_works_on_parameters_of_a_network():
    net = nn.MLP(2, [3, 1], seed=0)
    step = optim.Nadam(net.parameters(), learning_rate=0.05)
    first = None
    for _ in range(50):
        loss = (net([1.0, -1.0]) - 2.0) ** 2
        first = loss.data if first is None else first
        net.zero_grad()
        loss.backward()
        step.step()
    assert loss.data < 0.01 * first


# ── all or nothing ──────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("count", [2, 40])
@pytest.mark.parametrize("kind", ["adam", "momentum", "nadam"])
def test_an_interrupted_step_is_taken_or_not(kind, count):
    """An interrupt at any bytecode leaves parameters, state and number of steps before the step or after it."""
    make, _, _ = KINDS[kind]
    parameters = leaves([0.5] * count)
    for p in parameters:
        p.grad = 1.0
    step = make(parameters)
    outcomes = set()

    def state():
        return data(parameters), step.state_dict()

    twin = copy.deepcopy(step)
    before = state()
    for hit in interrupted(step):
        after = state()
        outcomes.add((hit, after == before))
        if after != before:
            twin()
            assert after == (data(twin.parameters), twin.state_dict())
        before = after
    assert {(True, True), (False, False)} <= outcomes


def test_an_interrupted_zero_grad_or_clipping_sets_all_or_none():
    parameters = leaves([0.0] * 30)
    step = optim.SGD(parameters)
    for call, after in [(step.zero_grad, 0.0), (partial(optim.clip_grad_norm, parameters, 1.0), None)]:
        for _ in interrupted(call):
            assert len({p.grad for p in parameters}) == 1
            assert after is None or parameters[0].grad in (after, 1.0)
            for p in parameters:
                p.grad = 1.0


# ── parameters and settings may be assigned ─────────────────────────────────────────────────────
def test_other_parameters_keep_the_state_of_those_that_stay():
    a, b, c = leaves([1.0, 1.0, 1.0])
    step = optim.SGD([a, b], 0.1, momentum=0.5)
    a.grad, b.grad, c.grad = 1.0, 2.0, 3.0
    step()
    step.parameters = [c, b]
    assert step.state == {"velocity": [0.0, 2.0]}
    step()
    assert (c.data, b.data) == pytest.approx((1.0 - 0.3, 0.8 - 0.1 * 3.0), abs=1e-15)
    step.parameters += [a]
    assert list(map(id, step.parameters)) == list(map(id, [c, b, a]))
    for change in (lambda: step.parameters.append(a), lambda: step.parameters.clear()):
        with pytest.raises(AttributeError, match=r"assign them all, optimizer\.parameters = "):
            change()
    with pytest.raises(ValueError, match="parameters is empty"):
        step.parameters = []
    assert len(step.parameters) == 3


@pytest.mark.parametrize(
    ("kind", "name", "bad"),
    [
        (optim.Adam, "betas", (2.0, 3.0)), (optim.Adam, "eps", -1.0), (optim.SGD, "momentum", 1.0),
        (optim.SGD, "learning_rate", 10**400), (optim.RMSprop, "centered", 1), (optim.AdamW, "weight_decay", math.inf),
    ],
)  # fmt: skip
def test_assigned_settings_are_checked(kind, name, bad):
    step = kind([Value(1.0)])
    before = step.hyperparameters()
    with pytest.raises((ValueError, TypeError), match=name):
        setattr(step, name, bad)
    assert step.hyperparameters() == before


@pytest.mark.parametrize("parameters", [{Value(1.0)}, {Value(1.0): 1}, frozenset([Value(1.0)]), {"a": Value(1.0)}])
def test_parameters_without_an_order_are_refused(parameters):
    with pytest.raises(TypeError, match="has no order"):
        optim.SGD(parameters)


@pytest.mark.parametrize("kind", ["gradient descent", "sgd, weight decay"])
def test_plain_descent_forgets_a_step_that_was_not_finite(kind):
    make, _, _ = KINDS[kind]
    x, y = leaves([1.0, 1.0])
    step, fresh = make([x]), make([y])
    x.grad = math.inf
    step()
    x.data = x.grad = y.grad = 1.0
    step()
    fresh()
    assert x.data == y.data


# ── state by name ───────────────────────────────────────────────────────────────────────────────
def test_state_goes_to_the_parameter_of_its_name():
    class One(nn.Module):
        def __init__(self, names):
            for name in names:
                setattr(self, name, nn.Parameter(0.0))

    first, second, third = One("pq"), One("qp"), One("pr")
    step = optim.Adam(first.parameters(), 0.1)
    first.p.grad, first.q.grad = 1.0, -2.0
    step()
    again = optim.Adam(second.parameters())
    again.load_state_dict(step.state_dict())
    assert again.state["mean"] == step.state["mean"][::-1] != step.state["mean"]
    other = optim.Adam(third.named_parameters())
    with pytest.raises(ValueError, match=r"of other parameters: missing \['r'\], unknown \['q'\]"):
        other.load_state_dict(step.state_dict())
    assert other.steps == 0
    unnamed = optim.Adam(leaves([0.0, 0.0]))
    unnamed.load_state_dict(step.state_dict())  # no names here: by position
    assert unnamed.state == step.state


def test_a_subclass_with_its_own_arguments_continues():
    class Heavy(optim.SGD):
        def __init__(self, parameters):
            super().__init__(parameters, 0.1, momentum=0.5)

    step = Heavy(leaves([1.0]))
    step()
    again = Heavy(leaves([1.0]))
    again.load_state_dict(step.state_dict())
    assert again.state_dict() == step.state_dict()


def test_a_schedule_of_ones_own_need_be_no_dataclass():
    class Half(optim.Schedule):
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, t):
            return self.rate * 0.5**t

    class Silent(Half):
        def __init__(self, speed):
            super().__init__(speed)

    assert Half(0.1) == Half(0.1) != Half(0.9)
    step = optim.SGD([Value(1.0)], Half(0.1))
    again = optim.SGD([Value(1.0)])
    again.load_state_dict(step.state_dict())
    assert again.learning_rate == Half(0.1)
    with pytest.raises(TypeError, match="Silent cannot be saved: it keeps no speed"):
        optim.SGD([Value(1.0)], Silent(0.1)).state_dict()


def test_an_error_within_a_property_is_its_own():
    class Broken(optim.Schedule):
        def __call__(self, t):
            return self.missing

    with pytest.raises(AttributeError, match="'missing'"):
        optim.SGD([Value(1.0)], Broken()).current_learning_rate  # noqa: B018


# ── schedules ───────────────────────────────────────────────────────────────────────────────────
def test_schedules_against_pytorch():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    lr = torch.optim.lr_scheduler
    pairs = [
        (optim.StepDecay(0.3, every=7, factor=0.5), lambda o: lr.StepLR(o, 7, 0.5)),
        (optim.Linear(0.3, end=0.03, steps=20), lambda o: lr.LinearLR(o, 1.0, 0.1, 20)),
        (optim.Cosine(0.3, end=0.01, steps=50), lambda o: lr.CosineAnnealingLR(o, 50, 0.01)),
        (optim.Constant(0.3), lambda o: lr.ConstantLR(o, 1.0, 1)),
    ]
    for ours, theirs in pairs:
        step = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
        schedule = theirs(step)
        for t in range(50):
            assert ours(t) == pytest.approx(schedule.get_last_lr()[0], rel=1e-12)  # theirs accumulates step by step
            step.step()
            schedule.step()


@given(st.integers(1, 50), st.floats(1e-6, 10.0))
def test_warm_up_rises_evenly_and_then_hands_over(steps, rate):
    schedule = optim.WarmUp(steps, then=optim.Cosine(rate, steps=30))
    rates = [schedule(t) for t in range(steps)]
    rises = [b - a for a, b in zip([0.0, *rates], rates, strict=False)]
    assert rises == pytest.approx([rate / (steps + 1)] * steps, rel=1e-9)
    assert [schedule(steps + t) for t in range(40)] == [optim.Cosine(rate, steps=30)(t) for t in range(40)]


def test_an_optimiser_follows_its_schedule():
    x = Value(0.0)
    step = optim.GradientDescent([x], optim.Linear(1.0, end=0.0, steps=4))
    moves = []
    for _ in range(6):
        before, x.grad = x.data, -1.0
        step()
        moves.append(x.data - before)
    assert moves == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert step.current_learning_rate == 0.0


@pytest.mark.parametrize(
    "schedule",
    [
        optim.Constant(0.5), optim.StepDecay(0.5, every=3), optim.Linear(0.5, end=0.1, steps=9),
        optim.Cosine(0.5, steps=9), optim.WarmUp(3, then=optim.WarmUp(2, then=optim.Cosine(0.5, steps=4))),
    ],
)  # fmt: skip
def test_a_schedule_is_plain_data_and_survives_a_restart(schedule):
    assert optim.Schedule.from_dict(schedule.to_dict()) == schedule
    step = optim.SGD([Value(1.0)], schedule)
    step()
    again = optim.SGD([Value(1.0)])
    again.load_state_dict(step.state_dict())
    assert [again._schedule(t) for t in range(12)] == [schedule(t) for t in range(12)]
    assert again.steps == 1


# ── clipping ────────────────────────────────────────────────────────────────────────────────────
@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), st.floats(1e-3, 1e3))
def test_clipping_shortens_and_keeps_the_direction(gs, limit):
    parameters = leaves([0.0] * len(gs))
    for p, g in zip(parameters, gs, strict=True):
        p.grad = g
    norm = optim.clip_grad_norm(parameters, limit, eps=0.0)
    assert norm == math.hypot(*gs)
    scale = min(1.0, limit / norm) if norm else 1.0
    assert [p.grad for p in parameters] == [g * scale if scale < 1.0 else g for g in gs]
    assert math.hypot(*[p.grad for p in parameters]) <= limit * (1.0 + 1e-15)


def test_clipping_equals_pytorchs():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    for limit in (0.5, 100.0):
        parameters = leaves([0.0, 0.0, 0.0])
        theirs = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        theirs.grad = torch.tensor([3.0, -4.0, 12.0], dtype=torch.float64)
        for p, g in zip(parameters, theirs.grad.tolist(), strict=True):
            p.grad = g
        assert optim.clip_grad_norm(parameters, limit) == 13.0
        torch.nn.utils.clip_grad_norm_([theirs], limit)
        assert [p.grad for p in parameters] == pytest.approx(theirs.grad.tolist(), rel=4e-16)


def test_clipping_does_not_overflow_and_lets_no_nan_pass_for_small():
    parameters = leaves([0.0, 0.0])
    for p in parameters:
        p.grad = 1e200
    assert optim.clip_grad_norm(parameters, 1.0) == pytest.approx(math.sqrt(2.0) * 1e200)
    assert parameters[0].grad == pytest.approx(math.sqrt(0.5))
    parameters[0].grad = math.nan
    assert math.isnan(optim.clip_grad_norm(parameters, 1e9))
    assert math.isnan(parameters[1].grad)


# ── bad input ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (optim.GradientDescent, "learning_rate"), (optim.SGD, "learning_rate"), (optim.SGD, "momentum"),
        (optim.SGD, "dampening"), (optim.SGD, "weight_decay"), (optim.Adagrad, "learning_rate_decay"),
        (optim.Adagrad, "initial_accumulator"), (optim.Adagrad, "eps"), (optim.RMSprop, "rho"), (optim.RMSprop, "eps"),
        (optim.RMSprop, "momentum"), (optim.Adadelta, "rho"), (optim.Adadelta, "eps"), (optim.Adam, "eps"),
        (optim.AdamW, "weight_decay"), (optim.Nadam, "momentum_decay"), (optim.Nadam, "eps"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_by_name(kind, name, bad):
    with pytest.raises(ValueError, match=rf"{name} must be .*{bad!r}"):
        kind([Value(1.0)], **{name: bad})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: optim.Adam([Value(1.0)], betas=(0.9, 1.0)), ValueError, r"betas\[1\] must be in \[0, 1\), not 1\.0"),
        (lambda: optim.Adam([Value(1.0)], betas=0.9), ValueError, "betas must be a pair"),
        (lambda: optim.SGD([Value(1.0)], nesterov=True), ValueError, "needs momentum > 0"),
        (lambda: optim.SGD([Value(1.0)], momentum=1.0), ValueError, r"momentum must be in \[0, 1\)"),
        (lambda: optim.SGD([Value(1.0)], "0.1"), TypeError, "learning_rate must be a real number, not '0.1'"),
        (lambda: optim.SGD([Value(1.0)], True), TypeError, "learning_rate must be a real number, not True"),
        (lambda: optim.SGD([Value(1.0)], momentum=0.9, nesterov=1), TypeError, "nesterov must be True or False"),
        (lambda: optim.SGD([]), ValueError, "parameters is empty"),
        (lambda: optim.SGD(Value(1.0)), TypeError, r"write \[x\]"),
        (lambda: optim.SGD(nn.Neuron(2)), TypeError, r"write net\.parameters\(\)"),
        (lambda: optim.SGD([1.0]), TypeError, r"parameters\[0\] must be a Value, not 1\.0"),
        (lambda: optim.SGD([Value(1.0) * 2]), ValueError, r"parameters\[0\] is a result"),
        (lambda: optim.SGD([x := Value(1.0), x]), ValueError, r"parameters\[1\] is there twice"),
        (lambda: optim.clip_grad_norm([Value(1.0)], 0.0), ValueError, "max_norm must be finite and greater than 0"),
        (lambda: optim.StepDecay(0.1, every=0), ValueError, "every must be at least 1, not 0"),
        (lambda: optim.Linear(0.1, steps=2.5), TypeError, "steps must be a whole number, not 2.5"),
        (lambda: optim.Cosine(math.nan), ValueError, "learning_rate must be finite and at least 0, not nan"),
        (lambda: optim.WarmUp(3, then="fast"), TypeError, "then must be a real number, not 'fast'"),
        (lambda: optim.Schedule.from_dict({"schedule": "Cosin"}), ValueError, "did you mean 'Cosine'"),
        (lambda: optim.Schedule.from_dict({"schedule": "Cosine", "speed": 1}), ValueError, "not a Cosine schedule"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_value_and_the_cure(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.update(optimizer="SGD"), "the state of 'SGD' cannot continue as Adam"),
        (lambda s: s.pop("steps"), "not the state dict of an optimiser"),
        (lambda s: s.update(steps=-1), "steps must be a whole number"),
        (lambda s: s["hyperparameters"].pop("eps"), "hyperparameters of Adam must be"),
        (lambda s: s["hyperparameters"].update(eps=-1.0), "eps must be"),
        (lambda s: s["state"].pop("mean"), "the state of Adam must hold"),
        (lambda s: s["state"].update(mean=[0.0]), "is for 1 parameters, this optimiser has 2"),
        (lambda s: s["state"].update(mean=[0.0, "0"]), "must be a list of floats"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, words):
    step = optim.Adam(leaves([1.0, 2.0]))
    step()
    before = step.state_dict()
    saved = step.state_dict()
    change(saved)
    with pytest.raises(ValueError, match=words):
        step.load_state_dict(saved)
    assert step.state_dict() == before


def test_repr_tells_the_settings():
    assert repr(optim.SGD(leaves([1.0]), 0.5, momentum=0.9)) == (
        "SGD(1 parameters, learning_rate=0.5, momentum=0.9, nesterov=False, dampening=0.0, weight_decay=0.0, steps=0)"
    )
