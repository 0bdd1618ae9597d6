"""Networks made of Values: Parameter, Module, Neuron, Layer, MLP and how weights begin. No losses, no training.

The shapes, and the order of the parameters, are micrograd's: a neuron's weights and then its bias, neuron by
neuron, layer by layer. A neuron is one `dot` node, w₁·x₁ + … + wₙ·xₙ + b·1, and one node for its activation: the
bias is the weight of an input that is always 1, so that the sum is rounded once, a picture shows one card per
neuron, and a compiled layer is one matrix product.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from .arguments.checks import choice, flag, integer
from .arguments.habits import Familiar, no_such_name
from .graph.engine import Value, assign, elements, set_grads, topological_order, values
from .messages import printable
from .ops import TABLE, Op
from .saving import LoadError, expect, fields_of, float_of, from_json, list_of, save, saved_as, to_json

__all__ = ["MLP", "Layer", "Module", "Neuron", "Parameter", "activations", "initializers"]

Activation = str | Callable[[Any], Any] | None


class Parameter(Value):
    """A leaf Value that training moves. Modules find it by its type; pictures draw it in its own colour.

    >>> Parameter(0.5, "w1")
    Parameter(data=0.5, grad=0.0, label='w1')
    """

    __slots__ = ()
    kind = "parameter"


class Parameters(list[Value]):
    """The parameters of a module, and their names: with them, an optimiser's saved state finds its parameter again."""

    __slots__ = ("names",)

    def __init__(self, named: Iterable[tuple[str, Value]]):
        pairs = list(named)
        super().__init__(parameter for _, parameter in pairs)
        self.names = [name for name, _ in pairs]


class Module(Familiar):
    """Anything with parameters. A subclass sets attributes and defines `__call__`; the rest is found.

    Parameters are the leaf Values in attributes, in Modules in attributes, and in lists, tuples, deques, dicts, object
    arrays and namespaces of them, in the order in which they were assigned; names are the paths to them. A shared one
    counts once. A set has no order, so Values in one are a TypeError.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.start = Parameter(2.0), Parameter(1.0)
    ...
    ...     def __call__(self, x):
    ...         return self.slope * x + self.start
    >>> line = Line()
    >>> line(3).data, [name for name, _ in line.named_parameters()], line
    (7.0, ['slope', 'start'], Line(2 parameters))
    """

    _arguments: ClassVar = {
        "nonlin": "a neuron without non-linearity has activation=None",
        "nin": "it is called n_inputs",
        "nout": "it is called n_outputs",
        "nouts": "the widths of the layers are called sizes",
        "in_features": "it is called n_inputs",
        "out_features": "it is called n_outputs",
        "hidden_layer_sizes": "the widths of all layers, the last one too, are called sizes",
        "random_state": "it is called seed",
    }
    _attributes: ClassVar = {
        "nonlin": "a neuron's activation is None where it has no non-linearity",
        "forward": "call the module itself, net(x)",
        "eval": "there is no training mode to leave; within mg.no_grad() nothing is recorded",
        "train": "there is no training mode to enter",
        "to": "all numbers are Python's floats; mg.compile chooses where a program runs",
        "weights": "parameters() lists them all; a Neuron has w and b",
        "weight": "parameters() lists them all; a Neuron has w and b",
        "bias": "a Neuron has w and b",
        "modules": "an MLP has layers, a Layer has neurons",
        "children": "an MLP has layers, a Layer has neurons",
        "requires_grad_": "detach() the Values, or leave them out of the optimiser's parameters",
        "step": "an optimiser steps: optim.SGD(net.parameters(), 0.1)",
        "fit": "the models of microgradlike.models have fit(X, y)",
        "predict": "call the module itself, net(x); the models of microgradlike.models have predict(X)",
    }

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """(name, parameter) for each, in order; a name is a path such as `layers.0.neurons.2.w.1`."""
        seen: set[int] = set()
        stack: list[tuple[str, Any]] = [("", self)]
        while stack:
            path, thing = stack.pop()
            if isinstance(thing, Value):
                if thing.is_leaf and id(thing) not in seen:
                    seen.add(id(thing))
                    yield path, thing
                continue
            inside = _parts(thing, path)
            if inside is None or id(thing) in seen:
                continue
            seen.add(id(thing))
            prefix = f"{path}." if path else ""
            stack.extend(reversed([(f"{prefix}{name}", part) for name, part in inside]))

    def _by_name(self) -> dict[str, Value]:
        """The parameters by name; ValueError if two have the same."""
        named: dict[str, Value] = {}
        for name, parameter in self.named_parameters():
            if name in named:
                raise ValueError(
                    f"two parameters of {self!r} are called {name!r}: use keys of one type, without dots, in its dicts"
                )
            named[name] = parameter
        return named

    def parameters(self) -> Parameters:
        """All parameters, in order: a list, which also has their `names`."""
        return Parameters(self.named_parameters())

    def zero_grad(self) -> None:
        """Sets the gradient of every parameter to 0."""
        set_grads(self.parameters())

    def state_dict(self) -> dict[str, float]:
        """The number of every parameter by its name: plain data, to keep or save. ValueError if two have one name."""
        return {name: parameter.data for name, parameter in self._by_name().items()}

    def load_state_dict(self, saved: dict[str, float]) -> None:
        """Sets every parameter to what `state_dict` gave for it.

        Raises ValueError that lists the missing and the unknown names, and then changes nothing.
        """
        named = self._by_name()
        missing, unknown = sorted(named.keys() - saved.keys()), sorted(saved.keys() - named.keys())
        if missing or unknown:
            raise ValueError(
                f"the state does not fit {self!r}: missing {missing[:5] or 'nothing'}, "
                f"unknown {unknown[:5] or 'nothing'}"
            )
        fresh = {name: Value(saved[name]).data for name in named}  # refuses what is no real number
        assign(list(named.values()), list(fresh.values()))

    def graph(self, x: Sequence[Any]) -> Any:
        """What the module answers to `x`, with names in the graph: inputs x1, x2 …, and what a subclass can name.

        Neurons name their weighted sums z and outputs a, by layer and position: `z1.2`, `a1.2`. Values keep the
        labels they have. For drawing; calling the module is the faster way to the same numbers.

        >>> a = MLP(2, [3, 1], seed=0).graph([0.5, -1.0])
        >>> a.label, [x.label for x in a.args[:-1]]
        ('z2.1', ['w2.1.1', 'w2.1.2', 'w2.1.3', 'b2.1', 'a1.1', 'a1.2', 'a1.3'])
        """
        return self._named(_named_inputs(x), "")

    def _named(self, x: list[Any], place: str) -> Any:  # noqa: ARG002  (where in the network this module is)
        return self(x)

    def save(self, path: Any) -> None:
        """Writes the module to a JSON file that `microgradlike.load` reads back, exact to the bit. See saving.py."""
        save(self, path)

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def _summary(self) -> str:
        return ""

    def __repr__(self) -> str:
        count, summary = len(self.parameters()), self._summary()
        return printable(
            f"{type(self).__name__}({summary}{', ' if summary else ''}{count} parameter{'s' * (count != 1)})"
        )


def _parts(thing: Any, path: str) -> Iterable[tuple[Any, Any]] | None:
    """What may hold parameters inside a thing, by name or position; None if it is no container."""
    if isinstance(thing, (Module, SimpleNamespace)):
        slots = [name for kind in type(thing).__mro__ for name in vars(kind).get("__slots__", ()) if name[:2] != "__"]
        return [(name, getattr(thing, name)) for name in slots if hasattr(thing, name)] + list(vars(thing).items())
    if isinstance(thing, Mapping):
        return thing.items()
    if isinstance(thing, (list, tuple, deque)):
        return enumerate(thing)
    if getattr(getattr(thing, "dtype", None), "kind", "") == "O":
        return enumerate(thing.ravel().tolist())
    if isinstance(thing, (set, frozenset)) and any(isinstance(part, Value) for part in thing):
        raise TypeError(f"{path} is a set, so the Values in it have no order: keep them in a list")
    return None


class Neuron(Module):
    """activation(w₁·x₁ + … + wₙ·xₙ + b), recorded as one dot node and one for the activation.

    Args:
        n_inputs: how many inputs it has, at least 1.
        activation: a name from `activations()`, a function of one Value, or None for none.
        bias: whether it has a bias, which starts at 0.
        initializer: how its weights start, a name from `initializers()`; None suits the activation.
        seed: an int, a `random.Random`, or None for Python's global generator.

    Attributes: `w`, the list of weights; `b`, the bias or None.

    >>> neuron = Neuron(2, "sigmoid", seed=0)
    >>> neuron.w[0].data, neuron.w[1].data, neuron.b.data = 1.0, 2.0, -0.5
    >>> neuron([0.25, 0.125]).data
    0.5
    """

    def __init__(
        self,
        n_inputs: int,
        activation: Activation = "relu",
        *,
        bias: bool = True,
        initializer: str | None = None,
        seed: int | random.Random | None = None,
    ):
        n_inputs = integer("n_inputs", n_inputs)
        draw = _drawer(initializer, activation, n_inputs, 1, seed)
        self._build(n_inputs, activation, flag("bias", bias), draw, "")

    def _build(self, n_inputs: int, activation: Activation, bias: bool, draw: Callable[[], float], place: str) -> None:
        separator = "." if place else ""
        self.w = [Parameter(draw(), f"w{place}{separator}{i}") for i in range(1, n_inputs + 1)]
        self.b = Parameter(0.0, f"b{place}") if bias else None
        self.activation = checked_activation(activation)

    def __call__(self, x: Sequence[Any]) -> Any:
        """The neuron's output for inputs `x`: Values or numbers."""
        return self._respond(_inputs(x, len(self.w), self))

    def _respond(self, x: list[Any]) -> Any:
        z = values.dot(*self.w, *x) if self.b is None else values.dot(*self.w, self.b, *x, 1.0)
        return z if self.activation is None else _activate(self.activation, z)

    def _named(self, x: list[Any], place: str) -> Any:
        output = self(x)
        weighted = output if output.op is TABLE["dot"] else _inner(output)
        if weighted is not output:
            output.label = f"a{place}"
        if weighted is not None:
            weighted.label = f"z{place}"
        return output

    def _summary(self) -> str:
        return f"{len(self.w)} → 1{_word(self.activation)}{'' if self.b is not None else ', no bias'}"


class Layer(Module):
    """Neurons side by side on the same inputs: the list of their outputs; a single one is a Value, as in micrograd.

    Arguments as for Neuron, with `n_outputs` neurons; `activation` may also be "softmax" or "log_softmax", which
    work on all outputs together.

    >>> layer = Layer(2, 3, "tanh", seed=0)
    >>> len(layer([1.0, 2.0])), layer
    (3, Layer(2 → 3 tanh, 9 parameters))
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        activation: Activation = "relu",
        *,
        bias: bool = True,
        initializer: str | None = None,
        seed: int | random.Random | None = None,
    ):
        self._build(n_inputs, n_outputs, activation, bias, initializer, seed, "")

    def _build(
        self, n_inputs: int, n_outputs: int, activation: Activation, bias: bool, initializer: str | None,
        seed: int | random.Random | None, place: str,
    ) -> None:  # fmt: skip
        n_inputs, n_outputs = integer("n_inputs", n_inputs), integer("n_outputs", n_outputs)
        draw = _drawer(initializer, activation, n_inputs, n_outputs, seed)
        self.activation = activation if activation in _JOINT else checked_activation(activation)
        self.neurons: list[Neuron] = []
        for j in range(1, n_outputs + 1):
            neuron = Neuron.__new__(Neuron)
            alone = None if activation in _JOINT else activation
            neuron._build(n_inputs, alone, flag("bias", bias), draw, f"{place}{'.' if place else ''}{j}")
            self.neurons.append(neuron)

    def __call__(self, x: Sequence[Any]) -> Any:
        """The output, or the list of outputs, for inputs `x`: Values or numbers."""
        x = _inputs(x, len(self.neurons[0].w), self)
        outputs = [neuron._respond(x) for neuron in self.neurons]
        return _answer(_together(str(self.activation), outputs) if self.activation in _JOINT else outputs)

    def _named(self, x: list[Any], place: str) -> Any:
        separator = "." if place else ""
        outputs = [neuron._named(x, f"{place}{separator}{j}") for j, neuron in enumerate(self.neurons, 1)]
        if self.activation in _JOINT:
            outputs = _together(str(self.activation), outputs)
            for j, output in enumerate(outputs, 1):
                output.label = f"a{place}{separator}{j}"
        return _answer(outputs)

    def _summary(self) -> str:
        neuron = self.neurons[0]
        shape = f"{len(neuron.w)} → {len(self.neurons)}{_word(self.activation)}"
        return shape if neuron.b is not None else f"{shape}, no bias"


class MLP(Module):
    """A multi-layer perceptron: layers one after the other, each fully connected to the one before.

    Args:
        n_inputs: how many features an example has.
        sizes: the width of each layer, the output layer's last.
        activation: of the hidden layers: a name from `activations()`, a function of one Value, or None.
        output_activation: of the last layer: the same choices, and "softmax" or "log_softmax". The default "auto" is
            the sigmoid in a network of sigmoids (the classical one of the texts, whose outputs lie between 0 and 1)
            and none in every other, as in micrograd: such a network gives scores, or logits, of any size.
        bias: whether neurons have biases, which start at 0.
        initializer: how weights start, a name from `initializers()`. None means He for the ReLU family and Glorot
            for other activations; "uniform", from −1 to 1, is micrograd's.
        seed: an int, a `random.Random`, or None for Python's global generator.

    Raises TypeError or ValueError that names the argument; an unknown name is answered with the near ones.

    >>> net = MLP(2, [16, 16, 1], seed=0)
    >>> net
    MLP(2 → 16 relu → 16 relu → 1, 337 parameters)
    >>> net([0.5, -1.0]).op.name, len(MLP(2, [16, 3])([0.5, -1.0]))     # one output is a Value, several are a list
    ('dot', 3)
    """

    def __init__(
        self,
        n_inputs: int,
        sizes: Sequence[int],
        activation: Activation = "relu",
        *,
        output_activation: Activation = "auto",
        bias: bool = True,
        initializer: str | None = None,
        seed: int | random.Random | None = None,
    ):
        if isinstance(sizes, (str, int)) or not len(sizes):
            raise ValueError(f"sizes must list the width of each layer, say [16, 1], not {sizes!r}")
        if activation in _JOINT:
            raise ValueError(f"activation {activation!r} is for the last layer: pass it as output_activation")
        if output_activation == "auto":
            output_activation = "sigmoid" if activation == "sigmoid" else None
        widths = [integer("n_inputs", n_inputs), *(integer(f"sizes[{i}]", size) for i, size in enumerate(sizes))]
        self.activation, self.output_activation = checked_activation(activation), output_activation
        generator = _generator(seed)
        self.layers: list[Layer] = []
        for number, (fan_in, fan_out) in enumerate(pairwise(widths), 1):
            layer = Layer.__new__(Layer)
            last = number == len(sizes)
            layer._build(
                fan_in, fan_out, output_activation if last else activation, bias, initializer, generator, str(number)
            )
            self.layers.append(layer)

    def __call__(self, x: Sequence[Any]) -> Any:
        """What the last layer answers for inputs `x`, Values or numbers: a Value, or a list where it has several."""
        y: Any = x
        for layer in self.layers:
            y = layer([y] if isinstance(y, Value) else y)
        return y

    def _named(self, x: list[Any], place: str) -> Any:  # noqa: ARG002
        y: Any = x
        for number, layer in enumerate(self.layers, 1):
            y = layer._named([y] if isinstance(y, Value) else y, str(number))
        return y

    def _summary(self) -> str:
        parts = [str(len(self.layers[0].neurons[0].w))]
        parts += [f"{len(layer.neurons)}{_word(layer.activation)}" for layer in self.layers]
        return " → ".join(parts) + ("" if self.layers[0].neurons[0].b is not None else ", no bias")


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:
    _BY_NAME = "an activation is a name, nn.MLP(2, [16, 1], activation='relu'), or a function, microgradlike.relu(x)"
    _OF_LOSSES = "losses are in microgradlike.losses: mean_squared_error, cross_entropy, ..."
    _CURES = {
        "Linear": "it is nn.Layer(n_inputs, n_outputs, None)",
        "Dense": "it is nn.Layer(n_inputs, n_outputs, activation)",
        "Sequential": "nn.MLP(n_inputs, sizes) puts layers one after the other; else write a Module",
        "functional": "functions are in microgradlike itself, losses in microgradlike.losses",
        "init": "pass initializer='he', or another name of nn.initializers()",
        **dict.fromkeys(["ReLU", "Tanh", "Sigmoid", "Softmax", "GELU", "SiLU", "LeakyReLU", "ELU", "SELU"], _BY_NAME),
        **dict.fromkeys(["MSELoss", "CrossEntropyLoss", "BCELoss", "BCEWithLogitsLoss", "NLLLoss"], _OF_LOSSES),
    }

    def __getattr__(name: str) -> Any:
        raise no_such_name(__name__, name, __all__, _CURES)


# ── activations ─────────────────────────────────────────────────────────────────────────────────
_JOINT = ("softmax", "log_softmax")  # these work on all outputs of a layer together
_NONE = ("linear", "identity", "none")


def _is_activation(row: Op) -> bool:
    return row.public and not row.loss and row.differentiable and row.arity == 1 + len(row.defaults)


def activations() -> list[str]:
    """The names an activation can have: every differentiable row of the table that takes one number.

    Rows with a parameter (leaky_relu, elu, celu) use its default; pass a function for another value:
    `activation=lambda z: mg.leaky_relu(z, slope=0.2)`.

    >>> {"relu", "sigmoid", "tanh", "gelu", "leaky_relu", "sin"} <= set(activations())
    True
    """
    return [name for name, row in TABLE.items() if _is_activation(row)]


def checked_activation(activation: Activation) -> Activation:
    """The activation as neurons keep it: a name of the table, a function, or None for none (by whichever name)."""
    if activation is None or callable(activation):
        return activation
    name = choice("activation", activation, [*activations(), *_NONE])
    return None if name in _NONE else name


def _answer(outputs: list[Any]) -> Any:
    """A layer's outputs: a list, or the only one."""
    return outputs if len(outputs) > 1 else outputs[0]


def _activate(activation: str | Callable[[Any], Any], z: Any) -> Any:
    return getattr(values, activation)(z) if isinstance(activation, str) else activation(z)


def _together(name: str, zs: list[Any]) -> list[Any]:
    return elements(TABLE[name], zs)  # type: ignore[no-any-return]


def _word(activation: Activation) -> str:
    if activation is None:
        return ""
    return f" {activation if isinstance(activation, str) else getattr(activation, '__name__', 'custom')}"


# ── how weights begin ───────────────────────────────────────────────────────────────────────────
Initializer = Callable[[random.Random, int, int], float]
_GLOROT_UNIFORM: Initializer = lambda rng, fan_in, fan_out: _uniform(rng, math.sqrt(6.0 / (fan_in + fan_out)))
_GLOROT_NORMAL: Initializer = lambda rng, fan_in, fan_out: rng.gauss(0.0, math.sqrt(2.0 / (fan_in + fan_out)))
_HE_NORMAL: Initializer = lambda rng, fan_in, fan_out: rng.gauss(0.0, math.sqrt(2.0 / fan_in))
_INITIALIZERS: dict[str, Initializer] = {
    "glorot": _GLOROT_UNIFORM,
    "xavier": _GLOROT_UNIFORM,
    "he": _HE_NORMAL,
    "glorot_uniform": _GLOROT_UNIFORM,
    "glorot_normal": _GLOROT_NORMAL,
    "xavier_uniform": _GLOROT_UNIFORM,
    "xavier_normal": _GLOROT_NORMAL,
    "he_uniform": lambda rng, fan_in, fan_out: _uniform(rng, math.sqrt(6.0 / fan_in)),
    "he_normal": _HE_NORMAL,
    "lecun_normal": lambda rng, fan_in, fan_out: rng.gauss(0.0, math.sqrt(1.0 / fan_in)),
    "uniform": lambda rng, fan_in, fan_out: _uniform(rng, 1.0),
    "zeros": lambda rng, fan_in, fan_out: 0.0,
}
_HE = ("relu", "leaky_relu", "elu", "celu", "silu", "mish", "gelu", "gelu_tanh", "softplus")


def initializers() -> list[str]:
    """The names an initializer can have.

    With n inputs and m outputs of a layer, uniform ones draw from (−limit, limit), normal ones with mean 0 and a
    standard deviation: glorot (Xavier Glorot, so also xavier) limit √(6/(n + m)), deviation √(2/(n + m)), Glorot &
    Bengio 2010; he √(6/n), √(2/n), He et al. 2015, arXiv:1502.01852; lecun_normal √(1/n), LeCun et al. 1998;
    uniform 1. By the name alone they are as in the paper: glorot and xavier uniform, he normal.

    >>> initializers()[:3]
    ['glorot', 'xavier', 'he']
    """
    return list(_INITIALIZERS)


def _uniform(rng: random.Random, limit: float) -> float:
    return rng.uniform(-limit, limit)


def _generator(seed: Any) -> Any:
    """A generator: the one given, a new one from an int, or the module `random`, whose functions share one."""
    if seed is None:
        return random
    return seed if seed is random or isinstance(seed, random.Random) else random.Random(integer("seed", seed, 0))


def _drawer(
    initializer: str | None, activation: Activation, fan_in: int, fan_out: int, seed: Any
) -> Callable[[], float]:
    if initializer is None:
        initializer = (
            "he_uniform" if activation in _HE else "lecun_normal" if activation == "selu" else "glorot_uniform"
        )
    draw, rng = _INITIALIZERS[choice("initializer", initializer, _INITIALIZERS)], _generator(seed)
    return lambda: draw(rng, fan_in, fan_out)


def _named_inputs(x: Any) -> list[Any]:
    items = x.tolist() if hasattr(x, "tolist") else list(x)
    return [item if isinstance(item, Value) else Value(item, f"x{i}") for i, item in enumerate(items, 1)]


def _inner(output: Any) -> Any:
    """The weighted sum below an activation: the dot node that one walks to first."""
    return next((v for v in reversed(topological_order(output)) if v.op is TABLE["dot"]), None)


_SIMPLE = frozenset([float, int, Value, Parameter])


def _inputs(x: Any, count: int, module: Module) -> list[Any]:
    if type(x) is list and len(x) == count and _SIMPLE.issuperset(map(type, x)):
        return x
    if isinstance(x, (str, Value)) or not isinstance(x, Iterable):
        raise TypeError(f"x must be a sequence of {count} Values or numbers, not {type(x).__name__}")
    items = x.tolist() if hasattr(x, "tolist") else list(x)
    odd = [item for item in items if not isinstance(item, (Value, float, int))]
    if any(isinstance(item, (list, tuple)) or getattr(item, "shape", ()) != () for item in odd):
        raise TypeError(f"x must be one example, {count} Values or numbers; for several: [net(x) for x in X]")
    if len(items) != count:
        raise ValueError(f"x has {len(items)} elements, but {type(module).__name__} takes {count}")
    return items


# ── in files ────────────────────────────────────────────────────────────────────────────────────
_SETTINGS: dict[type[Module], Callable[[Any], dict[str, Any]]] = {
    MLP: lambda net: {
        "n_inputs": len(net.layers[0].neurons[0].w),
        "sizes": [len(layer.neurons) for layer in net.layers],
        "activation": net.activation,
        "output_activation": net.output_activation,
        "bias": net.layers[0].neurons[0].b is not None,
    },
    Layer: lambda layer: {
        "n_inputs": len(layer.neurons[0].w),
        "n_outputs": len(layer.neurons),
        "activation": layer.activation,
        "bias": layer.neurons[0].b is not None,
    },
    Neuron: lambda neuron: {
        "n_inputs": len(neuron.w),
        "activation": neuron.activation,
        "bias": neuron.b is not None,
    },
}
_MODULES: dict[str, Any] = {kind.__name__: kind for kind in _SETTINGS}


def _to_file(module: Module, place: str) -> dict[str, Any]:
    if type(module) not in _SETTINGS:
        raise TypeError(
            f"{place} is a {type(module).__name__}, which cannot be built again from data: save its state_dict(), and "
            "give that to load_state_dict of a new one"
        )
    named = list(module.named_parameters())
    return {
        "kind": type(module).__name__,
        "settings": to_json(_SETTINGS[type(module)](module), f"the settings of {place}"),
        "names": [name for name, _ in named],
        "numbers": [parameter.data.hex() for _, parameter in named],
        "labels": [parameter.label for _, parameter in named],
    }


def _from_file(content: Any, place: str) -> Module:
    fields = fields_of(content, place, {"kind", "settings", "names", "numbers", "labels"})
    kind, settings = _MODULES.get(str(fields["kind"])), from_json(fields["settings"], f"{place}.settings")
    if kind is None or type(settings) is not dict:
        raise LoadError(f"{place} is a network of the unknown kind {fields['kind']!r:.80}")
    names, labels = list_of(fields["names"], f"{place}.names"), list_of(fields["labels"], f"{place}.labels")
    numbers = [float_of(text, f"{place}.numbers") for text in list_of(fields["numbers"], f"{place}.numbers")]
    try:
        # A size that the numbers do not bear out is refused before anything of that size is built.
        if _n_parameters(settings) != len(numbers):
            raise ValueError(f"there are {len(numbers)} numbers, not as many as its sizes say")
        module: Module = kind(**settings, initializer="zeros")
    except (TypeError, ValueError, KeyError) as error:
        raise LoadError(f"{place} describes no {kind.__name__}: {error}") from None
    expect(_SETTINGS[kind](module) == settings, f"{place} has settings that no {kind.__name__} has: {settings!r:.200}")
    named = list(module.named_parameters())
    expect([name for name, _ in named] == names, f"{place} has other parameters than a {module!r}")
    expect(len(labels) == len(named), f"{place} has {len(labels)} labels for {len(named)} parameters")
    for (_, parameter), number, label in zip(named, numbers, labels, strict=True):
        expect(label is None or type(label) is str, f"{place} has the label {label!r:.80}, which is no text")
        parameter.data, parameter.label = number, label
    return module


def _n_parameters(settings: dict[str, Any]) -> int:
    widths = [settings["n_inputs"], *settings.get("sizes", [settings.get("n_outputs", 1)])]
    if not all(type(width) is int and width > 0 for width in widths):
        raise ValueError(f"widths {widths!r:.80}")
    return sum((n + bool(settings["bias"])) * m for n, m in pairwise(widths))


saved_as("module", Module, _to_file, _from_file)
