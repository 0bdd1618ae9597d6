"""Networks: micrograd's shape and order, one dot node per neuron, names, states, how weights begin, bad input."""

from __future__ import annotations

import copy
import math
import pickle
import random
from collections import deque
from types import MappingProxyType, SimpleNamespace

import pytest
from helpers import interrupted
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, nn, topological_order
from microgradlike.ops import TABLE

numbers = st.floats(-3.0, 3.0)


def nodes(root, name):
    return [v for v in topological_order(root) if v.op is TABLE[name]]


# ── the shape ───────────────────────────────────────────────────────────────────────────────────
@given(st.lists(numbers, min_size=3, max_size=3), st.lists(numbers, min_size=4, max_size=4))
def test_a_neuron_is_one_dot_node_and_its_activation(x, weights):
    neuron = nn.Neuron(3, "tanh", seed=0)
    for parameter, number in zip(neuron.parameters(), weights, strict=True):
        parameter.data = number
    output = neuron(x)
    assert [v.op.name for v in topological_order(output) if not v.is_leaf] == ["dot", "tanh"]
    terms = [w * xi for w, xi in zip(weights, [*x, 1.0], strict=True)]
    z = output.args[0].data
    assert z == pytest.approx(math.fsum(terms), rel=0, abs=1e-15 * math.fsum(map(abs, terms)))
    assert output.data == mg.tanh(z)
    output.backward()
    slope = 1.0 / mg.cosh(z) ** 2
    assert [p.grad for p in neuron.parameters()] == pytest.approx([*(slope * xi for xi in x), slope], rel=1e-13)


def test_parameters_are_in_micrograds_order():
    micrograd = pytest.importorskip("micrograd.nn", reason="compares with micrograd")
    theirs, ours = micrograd.MLP(2, [16, 16, 1]), nn.MLP(2, [16, 16, 1])
    assert len(ours.parameters()) == len(theirs.parameters()) == 337
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        mine.data = other.data
    for x in ([0.5, -1.0], [2.0, 0.25]):
        mine, other = ours(x), theirs(x)
        assert mine.data == pytest.approx(other.data, rel=1e-13)
        ours.zero_grad()
        theirs.zero_grad()
        mine.backward()
        other.backward()
        assert [p.grad for p in ours.parameters()] == pytest.approx([p.grad for p in theirs.parameters()], rel=1e-12)


def test_micrograds_draws_are_drawn_too():
    micrograd = pytest.importorskip("micrograd.nn", reason="compares with micrograd")
    random.seed(1337)
    theirs = [p.data for p in micrograd.MLP(2, [3, 1]).parameters()]
    random.seed(1337)
    assert [p.data for p in nn.MLP(2, [3, 1], initializer="uniform").parameters()] == theirs


def test_names_are_paths_in_the_order_of_parameters():
    net = nn.MLP(2, [2, 1])
    assert [name for name, _ in net.named_parameters()] == [
        "layers.0.neurons.0.w.0", "layers.0.neurons.0.w.1", "layers.0.neurons.0.b",
        "layers.0.neurons.1.w.0", "layers.0.neurons.1.w.1", "layers.0.neurons.1.b",
        "layers.1.neurons.0.w.0", "layers.1.neurons.0.w.1", "layers.1.neurons.0.b",
    ]  # fmt: skip
    assert [p.label for p in net.parameters()] == [
        "w1.1.1", "w1.1.2", "b1.1", "w1.2.1", "w1.2.2", "b1.2", "w2.1.1", "w2.1.2", "b2.1",
    ]  # fmt: skip
    assert [p.label for p in nn.Neuron(2).parameters()] == ["w1", "w2", "b"]
    assert [p.label for p in nn.Layer(1, 2).parameters()] == ["w1.1", "b1", "w2.1", "b2"]
    assert {p.kind for p in net.parameters()} == {"parameter"}


def test_without_biases_there_are_none():
    net = nn.MLP(3, [4, 2], bias=False)
    assert len(net.parameters()) == 3 * 4 + 4 * 2
    hidden = net.layers[0]([1.0, 2.0, 3.0])
    output = net.layers[1](hidden)[0]
    assert output.args == (*net.layers[1].neurons[0].w, *hidden)


@pytest.mark.parametrize(
    ("activation", "given_", "hidden", "output"),
    [
        ("relu", "auto", "relu", None),
        ("tanh", "auto", "tanh", None),
        ("sigmoid", "auto", "sigmoid", "sigmoid"),
        ("sigmoid", None, "sigmoid", None),
        ("relu", "tanh", "relu", "tanh"),
        (None, "auto", None, None),
        ("linear", "identity", None, None),
        ("relu", "softmax", "relu", "softmax"),
    ],
)
def test_which_layers_have_which_activation(activation, given_, hidden, output):
    net = nn.MLP(2, [3, 4, 2], activation, output_activation=given_, seed=0)
    assert [layer.activation for layer in net.layers] == [hidden, hidden, output]
    outputs = net([0.5, 0.25])
    assert outputs[0].op.name == (output or "dot")


@pytest.mark.parametrize("name", nn.activations())
def test_every_activation_of_the_table_works(name):
    neuron = nn.Neuron(2, name, seed=0)
    neuron.w[0].data, neuron.w[1].data = 0.75, 0.5
    output = neuron([0.5, 0.25])
    assert output.op.name == name
    assert output.data == pytest.approx(getattr(mg, name)(0.5), nan_ok=True, rel=0)


def test_an_activation_may_be_any_function():
    net = nn.MLP(1, [2, 1], lambda z: mg.leaky_relu(z, slope=0.2), seed=3)
    hidden = net.layers[0]([-4.0])
    assert [a.op.name for a in hidden] == ["leaky_relu"] * 2
    assert [a.args[1] for a in hidden] == [0.2, 0.2]


def test_softmax_works_on_all_outputs_together():
    layer = nn.Layer(2, 3, "softmax", seed=0)
    outputs = layer([1.0, -1.0])
    assert math.fsum(v.data for v in outputs) == pytest.approx(1.0, rel=1e-15)
    assert [v.data for v in outputs] == mg.softmax([v.data for v in outputs[0].args[1:]])
    logs = nn.MLP(2, [3], output_activation="log_softmax", seed=0)([1.0, -1.0])
    assert math.fsum(math.exp(v.data) for v in logs) == pytest.approx(1.0, rel=1e-15)


def test_inputs_may_be_values_numbers_or_arrays():
    np = pytest.importorskip("numpy", reason="arrays need NumPy")
    net = nn.MLP(2, [3, 1], seed=0)
    x = [Value(0.5), Value(-0.25)]
    output = net(x)
    assert output.data == net([0.5, -0.25]).data == net(np.array([0.5, -0.25])).data
    output.backward()
    assert any(v.grad for v in x)


def test_graph_names_inputs_sums_and_outputs():
    net = nn.MLP(2, [2, 1], activation="sigmoid", seed=0)
    a = net.graph([0.5, -0.25])
    labels = {v.label for v in topological_order(a) if not isinstance(v, nn.Parameter)}
    assert labels == {"x1", "x2", "z1.1", "a1.1", "z1.2", "a1.2", "z2.1", "a2.1"}
    assert a.data == net([0.5, -0.25]).data
    z = nn.Layer(1, 1, None).graph([Value(1.0, "height")])
    assert z.label == "z1"
    assert [v.label for v in z.args[:3]] == ["w1.1", "b1", "height"]


# ── modules ─────────────────────────────────────────────────────────────────────────────────────
class Tied(nn.Module):
    def __init__(self):
        self.shared = nn.Parameter(2.0)
        self.parts = {"a": nn.Neuron(1, None, seed=0), "b": [nn.Parameter(1.0), (nn.Parameter(3.0),)]}
        self.again = self.shared
        self.me = self
        self.computed = self.shared * 2.0
        self.plain = Value(4.0)

    def __call__(self, x):
        return self.shared * self.parts["a"](x) + self.again


def test_a_module_finds_its_parameters_and_a_shared_one_once():
    module = Tied()
    assert [name for name, _ in module.named_parameters()] == [
        "shared", "parts.a.w.0", "parts.a.b", "parts.b.0", "parts.b.1.0", "plain",
    ]  # fmt: skip
    module([1.0]).backward()
    assert module.shared.grad == module.parts["a"].w[0].data + 1.0
    module.zero_grad()
    assert {p.grad for p in module.parameters()} == {0.0}
    assert repr(module) == "Tied(6 parameters)"


def test_replaced_weights_are_used():
    neuron = nn.Neuron(2, None, seed=0)
    neuron.w[0] = neuron.w[1]  # tied
    neuron.w[1].data = 3.0
    assert neuron([1.0, 10.0]).data == 33.0
    assert len(neuron.parameters()) == 2


def test_state_survives_and_what_does_not_fit_changes_nothing():
    net, twin = nn.MLP(2, [3, 1], seed=1), nn.MLP(2, [3, 1], seed=2)
    twin.load_state_dict(net.state_dict())
    assert twin.state_dict() == net.state_dict()
    state = net.state_dict()
    for change, words in [
        (lambda s: s.pop("layers.0.neurons.0.b"), r"missing \['layers.0.neurons.0.b'\], unknown nothing"),
        (lambda s: s.update(extra=1.0), r"missing nothing, unknown \['extra'\]"),
    ]:
        broken = dict.fromkeys(state, 0.0)
        change(broken)
        with pytest.raises(ValueError, match=words):
            twin.load_state_dict(broken)
    with pytest.raises(TypeError, match="real number"):
        twin.load_state_dict({**dict.fromkeys(state, 0.0), "layers.1.neurons.0.b": "0"})
    assert twin.state_dict() == state


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["deepcopy", "pickle"]
)
def test_copies_are_whole_and_apart(copied):
    net = nn.MLP(2, [3, 1], activation="gelu", output_activation="tanh", seed=1)
    twin = copied(net)
    assert twin([1.0, 2.0]).data == net([1.0, 2.0]).data
    assert [(n, p.data, p.label, type(p)) for n, p in twin.named_parameters()] == [
        (n, p.data, p.label, type(p)) for n, p in net.named_parameters()
    ]
    twin.parameters()[0].data = 99.0
    assert net.parameters()[0].data != 99.0


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.MLP(2, [16, 16, 1]), "MLP(2 → 16 relu → 16 relu → 1, 337 parameters)"),
        (nn.MLP(2, [2, 2], "sigmoid", bias=False), "MLP(2 → 2 sigmoid → 2 sigmoid, no bias, 8 parameters)"),
        (nn.Layer(4, 3, "softmax"), "Layer(4 → 3 softmax, 15 parameters)"),
        (nn.Neuron(1, None, bias=False), "Neuron(1 → 1, no bias, 1 parameter)"),
    ],
)
def test_repr_counts(module, text):
    assert repr(module) == text


# ── how weights begin ───────────────────────────────────────────────────────────────────────────
def drawn(initializer, n=40, m=50):
    layer = nn.Layer(n, m, initializer=initializer, seed=7)
    return [p.data for neuron in layer.neurons for p in neuron.w]


@pytest.mark.parametrize(
    ("name", "variance", "limit"),
    [
        ("glorot", 2 / 90, math.sqrt(6 / 90)), ("xavier", 2 / 90, math.sqrt(6 / 90)), ("he", 2 / 40, math.inf),
        ("glorot", 2 / 90, math.sqrt(6 / 90)), ("xavier", 2 / 90, math.sqrt(6 / 90)), ("he", 2 / 40, math.inf),
        ("glorot_uniform", 2 / 90, math.sqrt(6 / 90)), ("glorot_normal", 2 / 90, math.inf),
        ("xavier_uniform", 2 / 90, math.sqrt(6 / 90)), ("xavier_normal", 2 / 90, math.inf),
        ("he_uniform", 2 / 40, math.sqrt(6 / 40)), ("he_normal", 2 / 40, math.inf),
        ("lecun_normal", 1 / 40, math.inf), ("uniform", 1 / 3, 1.0), ("zeros", 0.0, 0.0),
    ],
)  # fmt: skip
def test_weights_begin_with_the_spread_of_their_paper(name, variance, limit):
    assert name in nn.initializers()
    ws = drawn(name)
    assert max(map(abs, ws)) <= limit
    # 2,000 draws: the variance of a normal sample is known to 3 % (one deviation), five of them are allowed.
    assert math.fsum(w * w for w in ws) / len(ws) == pytest.approx(variance, rel=0.16)
    assert abs(math.fsum(ws) / len(ws)) <= 5 * math.sqrt(variance / len(ws))


def test_the_activation_chooses_how_weights_begin():
    def first(activation, initializer=None):
        return nn.Layer(9, 4, activation, initializer=initializer, seed=0).neurons[0].w[0].data

    assert first("relu") == first("relu", "he_uniform") != first("relu", "glorot_uniform")
    assert first("tanh") == first("tanh", "glorot_uniform")
    assert first("selu") == first("selu", "lecun_normal")


def test_seeds_reproduce_and_differ_and_biases_are_zero():
    def numbers(seed):
        return [p.data for p in nn.MLP(3, [4, 2], seed=seed).parameters()]

    assert numbers(1) == numbers(1) != numbers(2)
    assert numbers(random.Random(1)) == numbers(1)
    random.seed(5)
    first = numbers(None)
    random.seed(5)
    assert numbers(None) == first != numbers(None)
    assert {layer.neurons[0].b.data for layer in nn.MLP(3, [4, 2]).layers} == {0.0}


# ── bad input ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.MLP(2, [3], activation="rellu"), ValueError, "unknown activation 'rellu': did you mean .*'relu'"),
        (lambda: nn.MLP(2, [3], output_activation="softmx"), ValueError, "unknown activation 'softmx'.*"),
        (lambda: nn.MLP(2, [3], activation=3), TypeError, "unknown activation 3: choose"),
        (lambda: nn.MLP(2, [3], activation="softmax"), ValueError, "pass it as output_activation"),
        (lambda: nn.Neuron(2, "softmax"), ValueError, "unknown activation 'softmax'"),
        (lambda: nn.Neuron(2, "add"), ValueError, "unknown activation 'add'"),
        (lambda: nn.Neuron(2, "floor_"), ValueError, "unknown activation 'floor_'"),
        (lambda: nn.Neuron(2, initializer="he_unifrom"), ValueError, "'he_unifrom': did you mean 'he_uniform'"),
        (lambda: nn.MLP(2, []), ValueError, "sizes must list the width of each layer"),
        (lambda: nn.MLP(2, 3), ValueError, "sizes must list the width of each layer"),
        (lambda: nn.MLP(2, [3, 0]), ValueError, r"sizes\[1\] must be at least 1, not 0"),
        (lambda: nn.MLP(2.5, [3]), TypeError, "n_inputs must be a whole number, not 2.5"),
        (lambda: nn.Layer(2, -1), ValueError, "n_outputs must be at least 1, not -1"),
        (lambda: nn.Neuron(2, bias="no"), TypeError, "bias must be True or False, not 'no'"),
        (lambda: nn.Neuron(2, seed="a"), TypeError, "seed must be a whole number"),
        (lambda: nn.MLP(2, [1])([1.0]), ValueError, "x has 1 elements, but Layer takes 2"),
        (lambda: nn.Neuron(2)(Value(1.0)), TypeError, "x must be a sequence of 2 Values or numbers, not Value"),
        (lambda: nn.Neuron(1)(["a"]), TypeError, "must be a real number, not str"),
        (lambda: nn.Module()(1.0), NotImplementedError, "Module must define __call__"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_value_and_the_cure(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_single_output_is_a_value_and_several_are_a_list():
    for net in (nn.MLP(2, [3, 1], seed=0), nn.Layer(2, 1, "softmax", seed=0), nn.Neuron(2, seed=0)):
        for answer in (net([0.5, -1.0]), net.graph([0.5, -1.0])):
            assert isinstance(answer, Value)
            answer.label = "score"
            assert f"{answer:.3f}" == f"{answer.data:.3f}"
    assert mg.grad(lambda a: nn.MLP(2, [3, 1], seed=0)([a, 2.0]))(1.0) != 0.0
    two = nn.MLP(2, [2])([0.5, -1.0])
    assert isinstance(two, list)
    with pytest.raises(TypeError, match="must be a real number, not list"):
        mg.tanh(two)
    with pytest.raises(TypeError, match=r"jacobian\(\)"):
        mg.grad(lambda a: nn.MLP(2, [2])([a, 2.0]))(1.0)


# ── where parameters may be ─────────────────────────────────────────────────────────────────────
def test_weights_set_by_hand_are_parameters():
    net = nn.MLP(2, [3, 1], seed=0)
    for layer in net.layers:
        for neuron in layer.neurons:
            neuron.w = [Value(0.1) for _ in neuron.w]
    assert len(net.parameters()) == 13
    assert [name for name, _ in net.named_parameters()] == net.parameters().names


def holders():
    class Slots(nn.Module):
        __slots__ = ("p",)

        def __init__(self, p):
            self.p = p

    return {
        "list": lambda p: [p],
        "tuple": lambda p: (p,),
        "dict": lambda p: {"a": p},
        "proxy": lambda p: MappingProxyType({"a": p}),
        "deque": lambda p: deque([p]),
        "namespace": lambda p: SimpleNamespace(a=p),
        "slots": Slots,
        "nested": lambda p: [({"a": deque([SimpleNamespace(b=p)])},)],
    }


@pytest.mark.parametrize("holder", holders())
def test_parameters_are_found_wherever_they_sit(holder):
    module, p = nn.Module(), Value(1.0)
    module.part = holders()[holder](p)
    assert [id(found) for found in module.parameters()] == [id(p)]
    module.load_state_dict(dict.fromkeys(module.state_dict(), 3.0))
    assert p.data == 3.0


def test_parameters_in_arrays_and_sets():
    np = pytest.importorskip("numpy", reason="arrays need NumPy")
    module = nn.Module()
    module.W = np.array([[nn.Parameter(1.0), nn.Parameter(2.0)]], dtype=object)
    module.data = np.zeros(3)
    assert module.state_dict() == {"W.0": 1.0, "W.1": 2.0}
    module.bag = {nn.Parameter(1.0)}
    with pytest.raises(TypeError, match="bag is a set, so the Values in it have no order"):
        module.parameters()


@pytest.mark.parametrize("parts", [{1: Value(1.0), "1": Value(2.0)}, {"a.b": Value(1.0), "a": {"b": Value(2.0)}}])
def test_two_parameters_of_one_name_are_refused_and_none_is_lost(parts):
    module = nn.Module()
    module.d = parts
    assert len(module.parameters()) == 2
    with pytest.raises(ValueError, match=r"two parameters of .* are called 'd"):
        module.state_dict()
    with pytest.raises(ValueError, match=r"two parameters of .* are called 'd"):
        module.load_state_dict({"d.1": 1.0})


def test_an_attribute_missing_within_a_property_is_the_one_that_is_named():
    class Net(nn.Module):
        depth = property(lambda self: self.missing)

    with pytest.raises(AttributeError, match="'missing'"):
        Net().depth  # noqa: B018


def test_an_interrupted_load_or_zero_grad_changes_all_or_nothing():
    net = nn.MLP(2, [3, 1], seed=0)
    states = [dict.fromkeys(net.state_dict(), x) for x in (1.0, 2.0)]
    net.load_state_dict(states[0])
    for k, _ in enumerate(interrupted(lambda: net.load_state_dict(states[1]), tries=100)):
        assert net.state_dict() in states, k
        net.load_state_dict(states[0])
        for p in net.parameters():
            p.grad = 1.0
    for _ in interrupted(net.zero_grad, tries=100):
        assert len({p.grad for p in net.parameters()}) == 1
