"""What a recorded function has read outside of its arguments is noticed when it changes, and recorded anew."""

from array import array
from collections import UserList, deque
from functools import partial

import pytest

import microgradlike as mg
from microgradlike import Value, nn

SCALE = 2.0
WEIGHT = Value(1.0)
TABLE = {"a": [1.0, 2.0], "b": (3.0, [4.0])}


def helper(x):
    return x * SCALE


def other_helper(x):
    return x * 100.0


def calls_helper(x):
    return helper(x) + TABLE["b"][1][0]


class Config:
    k = 2.0
    unused = 0

    def __init__(self):
        self.rate = 3.0
        self.epoch = 0
        self.weights = [Value(1.0), Value(2.0)]

    def scaled(self, x):
        return self.inner(x) * self.k

    def inner(self, x):
        return mg.dot(self.weights, [x, x]) * self.rate

    def __call__(self, x):
        return self.scaled(x)

    @property
    def doubled(self):
        return 2 * self.rate

    def fit(self):
        self.epoch += 1


def _cell():
    k, w, rows = 2.0, Value(3.0), [1.0, [2.0, 3.0]]

    def f(x):
        return k * w * x + rows[1][0]

    def change(what):
        nonlocal k, w
        if what == "k":
            k = 5.0
        elif what == "w":
            w = Value(7.0)
        else:
            rows[1][0] = 11.0

    return f, change


def _module(change):
    net = nn.MLP(1, [2, 1], seed=0)
    f = lambda x: mg.sum(y if isinstance(y := net([x]), list) else [y])
    return f, lambda: change(net)


def _config(make, change):
    config = Config()
    return make(config), lambda: change(config)


def _global(name, x, f):
    return f, lambda: globals().__setitem__(name, x)


def _item(space, key, x, f):
    return f, lambda: space.__setitem__(key, x)


KINDS = {
    "cell, a number": lambda: (lambda f, change: (f, lambda: change("k")))(*_cell()),
    "cell, a Value": lambda: (lambda f, change: (f, lambda: change("w")))(*_cell()),
    "cell, a nested list": lambda: (lambda f, change: (f, lambda: change("rows")))(*_cell()),
    "global number": lambda: _global("SCALE", 5.0, lambda x: x * SCALE),
    "global Value": lambda: _global("WEIGHT", Value(4.0), lambda x: x * WEIGHT),
    "global of a helper": lambda: _global("SCALE", 7.0, calls_helper),
    "a helper": lambda: _global("helper", other_helper, calls_helper),
    "nested containers": lambda: _item(TABLE["b"][1], 0, 9.0, calls_helper),
    "dict item": lambda: _item(TABLE, "a", [5.0], lambda x: x * TABLE["a"][0]),
    "new dict item": lambda: _item(TABLE, "c", 3.0, lambda x: x * len(TABLE)),
    "attribute": lambda: _config(lambda c: lambda x: x * c.rate, lambda c: setattr(c, "rate", 5.0)),
    "class attribute": lambda: _config(lambda c: lambda x: x * c.k, lambda _: setattr(Config, "k", Config.k + 1)),
    "method": lambda: _config(lambda c: c.scaled, lambda c: setattr(c, "rate", 5.0)),
    "called object": lambda: _config(lambda c: c, lambda c: setattr(c, "rate", 5.0)),
    "list of Values": lambda: _config(lambda c: c.scaled, lambda c: c.weights.__setitem__(0, Value(9.0))),
    "appended": lambda: _config(lambda c: lambda x: x * len(c.weights), lambda c: c.weights.append(Value(1.0))),
    "property": lambda: _config(lambda c: lambda x: x * c.doubled, lambda c: setattr(c, "rate", 5.0)),
    "method redefined": lambda: _config(
        lambda c: c.scaled, lambda _: setattr(Config, "inner", lambda self, x: x * 50.0)
    ),
    "partial": lambda: _config(lambda c: partial(lambda c, x: x * c.rate, c), lambda c: setattr(c, "rate", 5.0)),
    "default": lambda: _config(lambda c: lambda x, c=c: x * c.rate, lambda c: setattr(c, "rate", 5.0)),
    "lambda within": lambda: _global("SCALE", 11.0, lambda x: mg.sum([g(x) for g in [lambda y: y * SCALE]])),
    "grad": lambda: _config(lambda c: mg.grad(lambda x: x * x * c.rate), lambda c: setattr(c, "rate", 5.0)),
    "compiled": lambda: _config(lambda c: mg.compile(lambda x: x * c.rate), lambda c: setattr(c, "rate", 5.0)),
    "a weight": lambda: _module(lambda net: net.layers[0].neurons[0].w.__setitem__(0, nn.Parameter(100.0))),
    "a bias": lambda: _module(lambda net: setattr(net.layers[-1].neurons[0], "b", nn.Parameter(50.0))),
    "a layer": lambda: _module(lambda net: net.layers.append(nn.Layer(1, 1, seed=3))),
}  # fmt: skip


@pytest.fixture(autouse=True)
def as_before():
    yield
    globals().update(SCALE=2.0, WEIGHT=Value(1.0), helper=_HELPER)
    TABLE.clear()
    TABLE.update({"a": [1.0, 2.0], "b": (3.0, [4.0])})
    Config.k, Config.inner = 2.0, _INNER


_HELPER, _INNER = helper, Config.inner


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_elsewhere_is_noticed_when_it_changes(kind):
    f, change = KINDS[kind]()

    def truth(x):
        y = f(x)
        return y.data if isinstance(y, Value) else y

    step = mg.compile(f)
    for _ in range(3):
        assert step(0.5) == pytest.approx(truth(0.5), rel=1e-14)
    assert list(step.map([0.5, 2.0])) == pytest.approx([truth(0.5), truth(2.0)], rel=1e-14)
    recorded = step.recording
    step(0.5)
    assert step.recording is recorded
    before = truth(0.5)
    change()
    assert truth(0.5) != before
    for _ in range(3):
        assert step(0.5) == pytest.approx(truth(0.5), rel=1e-14)
    assert list(step.map([0.5, 2.0])) == pytest.approx([truth(0.5), truth(2.0)], rel=1e-14)
    value, _ = step.value_and_grad([0.5, 2.0])
    assert value == pytest.approx((truth(0.5) + truth(2.0)) / 2, rel=1e-14)


def test_arrays_are_compared():
    np = pytest.importorskip("numpy", reason="arrays")
    X, weights = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([Value(1.0), Value(2.0)], dtype=object)
    step = mg.compile(lambda x: (weights * X[1]).sum() * x)
    assert step(1.0) == 11.0
    X[1, 0] = 5.0
    assert step(1.0) == 13.0
    weights[0] = Value(10.0)
    assert step(1.0) == 58.0
    assert step.parameters[0] is weights[0]


def test_what_is_not_read_does_not_matter():
    config = Config()
    step = mg.compile(config.scaled)
    step(1.0)
    recorded = step.recording
    config.fit()
    config.unused = 5
    Config.unused = 7
    config.weights[0].data = 3.0
    assert step(1.0) == config.scaled(1.0).data
    assert step.recording is recorded


def test_gradients_are_by_the_new_parameters():
    config = Config()
    step = mg.compile(config.scaled)
    assert step.value_and_grad([1.0])[1] == [6.0, 6.0]
    old, config.weights = config.weights, [Value(5.0)] * 2
    assert step.value_and_grad([1.0]) == (60.0, [12.0])
    assert step.parameters == [config.weights[0]]
    config.weights = old
    assert step.value_and_grad([1.0])[1] == [6.0, 6.0]


class Defaults:
    k = 2.0


class Slots:
    __slots__ = ("k",)


@pytest.mark.parametrize("kind", [Defaults, Slots])
def test_an_attribute_that_hides_a_default_or_is_a_slot(kind):
    settings = kind()
    if kind is Slots:
        settings.k = 2.0
    f = mg.compile(lambda x: x * settings.k)
    assert f(1.0) == 2.0
    settings.k = 3.0
    assert f(1.0) == 3.0
    assert list(f.map([1.0, 2.0])) == [3.0, 6.0]
    del settings.k
    if kind is Defaults:
        assert f(1.0) == 2.0
    else:
        with pytest.raises(AttributeError):
            f(1.0)


@pytest.mark.parametrize(
    "items", [deque([2]), UserList([2]), bytearray([2]), array("d", [2])], ids=lambda x: type(x).__name__
)
def test_items_of_any_sequence_that_changes(items):
    f = mg.compile(lambda x: x * items[0])
    assert f(1.0) == 2.0
    items[0] = 3
    assert f(1.0) == 3.0


def test_a_set_that_grows_and_an_attribute_named_by_text():
    numbers, settings = {2.0}, Defaults()
    settings.k = 2.0
    f = mg.compile(lambda x: x * sum(numbers) * getattr(settings, "k"))  # noqa: B009  (as programs have it)
    assert f(1.0) == 4.0
    numbers.add(1.0)
    assert f(1.0) == 6.0
    settings.k = 3.0
    assert f(1.0) == 9.0
