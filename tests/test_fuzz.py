"""Fuzzing: any text as label, operand or name, and random programs against PyTorch and JAX.

A short run by default; MICROGRADLIKE_FUZZ=50 makes it fifty times as long. What labels become in SVG and HTML is
fuzzed in test_draw_formats.py.
"""

from __future__ import annotations

import ast
import copy
import math
import pickle
import shutil
import subprocess
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from drawn import SVG
from helpers import examples
from hypothesis import assume, example, given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, draw
from microgradlike.draw.picture.text import shortened, visible
from microgradlike.graph.formulas import formulas_of
from microgradlike.ops import TABLE, Op
from microgradlike.testing import Program, expressions, graphs
from microgradlike.testing.judges import Recording
from microgradlike.testing.rounding import ULPS, rounding_bounds

MARKUP = st.sampled_from(
    ["\\", '"', "'", "{}", "{0}", "%s", "<b>", "&amp;", "\n", "\r", "\0", "</script>", "]]>", "\u202e", "\ud800", "->"]
)
TEXT = st.text(st.characters(), max_size=20) | st.lists(MARKUP | st.text(max_size=3), max_size=5).map("".join)
DOT = shutil.which("dot")


# ── text ────────────────────────────────────────────────────────────────────────────────────────
@given(label=TEXT, number=st.floats())
@examples(100)
def test_any_label_survives_repr_and_copying(label, number):
    x = Value(number, label=label)
    y = mg.tanh(x)
    y.label = label
    for v in (x, y):
        text = repr(v)
        assert text == str(v) == f"{v}"
        assert len(text.splitlines()) == 1
        call = ast.parse(text, mode="eval").body
        shown = {k.arg: k.value for k in call.keywords}
        assert ast.literal_eval(shown["label"]) == v.label == label
        assert copy.deepcopy(v).label == label
        assert pickle.loads(pickle.dumps(v)).label == label


@given(label=TEXT)
@examples(60)
def test_messages_with_any_label_are_single_lines(label):
    x = Value(1.0, label=label)
    y = x * x
    x.data = 2.0
    with pytest.raises(mg.GraphError) as info:
        y.backward()
    assert repr(label) in str(info.value)
    assert len(str(info.value).splitlines()) == 1


def leading(row: Op) -> int:
    """How many indices come before the operands."""
    return {"index": 1, "class": 1, "k": 2}.get(row.parameters[0], 0) if row.arity is None else 0


@pytest.mark.parametrize("row", list(TABLE.values()), ids=list(TABLE))
@given(data=st.data())
@examples(6)
def test_operands_are_never_interpreted_in_an_expression(row, data):
    count = 4 if row.arity is None else row.arity
    operands = data.draw(st.lists(TEXT, min_size=count, max_size=count))
    text = row.expression(*["0", "1"][: leading(row)], *operands[leading(row) :])
    assert all(operand in text for operand in operands[leading(row) :])


@given(program=expressions(), names=st.lists(TEXT, min_size=12, max_size=12))
@example(program=Program("mg.prod([x])", x=3.0), names=["x", "y"])  # the rest of the product is an empty one
@examples(40)
def test_formulas_and_explanations_with_any_labels(program, names):
    order = mg.topological_order(program.root)
    for v, name in zip(order, names, strict=False):
        v.label = name
    for v, term in formulas_of(order).items():
        assert term.text is None or term.text.isprintable()
        assert term.value == v.data or v.data != v.data
    for leaf in program.inputs:
        for line in str(mg.explain(program.root, leaf)).split("\n"):
            assert line.isprintable()


@pytest.mark.skipif(DOT is None, reason="the program dot of Graphviz is not installed")
@given(labels=st.lists(TEXT, min_size=1, max_size=40))
@examples(3)
def test_any_label_survives_into_dot(labels):
    source = draw([Value(k, label=label) for k, label in enumerate(labels)], detail="cards").to_dot()
    done = subprocess.run([DOT, "-Tsvg"], input=source.encode(), capture_output=True, timeout=120, check=True)
    assert done.stderr == b""
    root = ET.fromstring(done.stdout)
    found = {"".join(text.itertext()).replace("\xa0", " ") for text in root.iter(f"{SVG}text")}
    for label in filter(str.strip, labels):
        shown = shortened(visible(label), 180, 13, bold=True).replace("\xa0", " ")
        assert shown in found, label


@given(name=TEXT | st.sampled_from([name + "x" for name in TABLE]))
@examples(60)
def test_any_unknown_name_is_an_attribute_error_that_quotes_it(name):
    assume(name not in TABLE and not hasattr(Value(1.0), name) and name not in dir(mg))  # (NumPy names: rint)
    for thing in (Value(1.0), mg):
        with pytest.raises(AttributeError) as info:
            getattr(thing, name)
        assert repr(name) in str(info.value)


@given(name=TEXT)
@examples(40)
def test_primitives_are_named_by_identifiers(name):
    assume(not name.isidentifier())
    with pytest.raises(ValueError, match="must be an identifier"):
        mg.primitive(name, lambda m, g, z, x: g, formula=lambda m, x: x, doc="x")


@given(program=expressions(), point=st.lists(st.floats(), min_size=3, max_size=3))
@examples(40)
def test_a_program_survives_its_own_text(program, point):
    """What a failing example prints is the example."""
    twin = eval(repr(program), {"Program": Program})
    assert twin == program
    assert repr(twin) == repr(program)
    variables: dict[str, Any] = {}
    exec(program.code, variables)
    result = variables[program.root.label]
    assert same(result.data, program.root.data)
    moved = dict(zip(program.names, point, strict=False))
    copied = eval(
        repr(Program("; ".join(program.lines), **moved)), {"Program": Program, "nan": math.nan, "inf": math.inf}
    )
    assert all(map(same, copied.numbers, moved.values()))


def same(x: float, y: float) -> bool:
    return x == y or (x != x and y != y)


# ── random programs against peers ───────────────────────────────────────────────────────────────
class Peer:
    """The rows of the table as functions of another library: `like` in ours, under its own names."""

    class f:
        nan = math.nan

    def __init__(self, lib: Any, number: Any, own: dict[str, Any]) -> None:
        self.lib, self.number = lib, number
        for name in (
            "reciprocal square sqrt abs sign exp expm1 log log1p log2 log10 logaddexp sin cos tan asin acos atan atan2 "
            "hypot sinh cosh tanh asinh acosh atanh maximum minimum floor ceil round trunc pow"
        ).split():
            self.define(name, getattr(lib, name))
        for name, operate in {
            "less": lambda x, y: x < y,
            "less_equal": lambda x, y: x <= y,
            "greater": lambda x, y: x > y,
            "greater_equal": lambda x, y: x >= y,
            "equal": lambda x, y: x == y,
            "not_equal": lambda x, y: x != y,
        }.items():
            self.define(name, lambda x, y, operate=operate: lib.where(operate(x, y), number(1.0), number(0.0)))
        for name, function in {
            "positive": lambda x: x * 1.0,
            "negative": lambda x: -x,
            "add": lambda x, y: x + y,
            "subtract": lambda x, y: x - y,
            "multiply": lambda x, y: x * y,
            "divide": lambda x, y: x / y,
            "remainder": lambda x, y: lib.remainder(x, y),
            "cbrt": lambda x: lib.sign(x) * lib.abs(x) ** (1.0 / 3.0),
            "clip": lambda x, low, high: lib.minimum(lib.maximum(x, low), high),
            "where": lambda c, x, y: lib.where(c != 0.0, x, y),
            "leaky_relu": lambda x, slope: lib.where(x > 0, x, slope * x),
            "elu": lambda x, alpha: lib.where(x > 0, x, alpha * lib.expm1(x)),
            "celu": lambda x, alpha: lib.where(x > 0, x, alpha * lib.expm1(x / alpha)),
            "half_squared_error": lambda p, t: 0.5 * (p - t) ** 2,
            "binary_cross_entropy": lambda p, y: -(y * lib.log(p) + (1.0 - y) * lib.log1p(-p)),
            "binary_cross_entropy_with_logits": lambda x, y: (1.0 - y) * x - own["log_sigmoid"](x),
            "hinge": lambda s, y: own["relu"](1.0 - s * y),
            **own,
        }.items():
            self.define(name, function)

    def define(self, name: str, function: Any) -> None:
        setattr(self, name, lambda *xs: function(*map(self.number, xs)))

    def vector(self, xs: Any) -> Any:
        return self.lib.stack([self.number(x) for x in xs])

    def vectors(self, xs: Any) -> tuple[Any, Any]:
        return self.vector(xs[: len(xs) // 2]), self.vector(xs[len(xs) // 2 :])

    def log_weights(self, xs: Any) -> Any:
        return self._log_softmax(self.vector(xs))

    def sum(self, *xs: Any) -> Any:
        return self.vector(xs).sum()

    def prod(self, *xs: Any) -> Any:
        return self.vector(xs).prod()

    def mean(self, *xs: Any) -> Any:
        return self.vector(xs).mean()

    def norm(self, *xs: Any) -> Any:
        return self.lib.sqrt((self.vector(xs) ** 2).sum())

    def dot(self, *xs: Any) -> Any:
        v, w = self.vectors(xs)
        return (v * w).sum()

    def softmax(self, k: float, *xs: Any) -> Any:
        return self.lib.exp(self.log_weights(xs)[int(k)])

    def log_softmax(self, k: float, *xs: Any) -> Any:
        return self.log_weights(xs)[int(k)]

    def logsumexp(self, *xs: Any) -> Any:
        return self._logsumexp(self.vector(xs))

    def take(self, k: float, *xs: Any) -> Any:
        return self.number(xs[int(k)])

    def mean_squared_error(self, *xs: Any) -> Any:
        v, w = self.vectors(xs)
        return ((v - w) ** 2).mean()

    def cross_entropy(self, k: float, *xs: Any) -> Any:
        return -self.log_weights(xs)[int(k)]

    def soft_cross_entropy(self, *xs: Any) -> Any:
        half = len(xs) // 2
        return -(self.vector(xs[half:]) * self.log_weights(xs[:half])).sum()


class PyTorch(Peer):
    def __init__(self) -> None:
        torch = self.torch = pytest.importorskip("torch", reason="PyTorch is an optional peer")
        functional = torch.nn.functional
        own = {name: getattr(torch, name) for name in ("erf", "erfc", "xlogy", "relu", "selu", "sigmoid")}
        own |= {name: getattr(functional, name) for name in ("silu", "mish", "gelu")}
        own |= {
            "log_sigmoid": functional.logsigmoid,
            "softplus": lambda x: functional.softplus(x, threshold=1e9),
            "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
        }
        super().__init__(torch, lambda x: torch.as_tensor(x, dtype=torch.float64), own)
        self._log_softmax = lambda v: torch.log_softmax(v, 0)
        self._logsumexp = lambda v: torch.logsumexp(v, 0)

    def differentiated(self, recording: Recording, point: list[float]) -> tuple[float, list[float]]:
        """The value and the gradient at the point."""
        xs = [self.torch.tensor(x, dtype=self.torch.float64, requires_grad=True) for x in point]
        y = recording.run(self, xs)[0]
        if y.requires_grad:
            y.backward()
        return y.item(), [0.0 if x.grad is None else x.grad.item() for x in xs]


class Jax(Peer):
    def __init__(self) -> None:
        jax = self.jax = pytest.importorskip("jax", reason="JAX is an optional peer")
        jnp, nn = jax.numpy, jax.nn
        own = {name: getattr(jax.scipy.special, name) for name in ("erf", "erfc", "xlogy")}
        own |= {
            name: getattr(nn, name) for name in ("relu", "selu", "sigmoid", "log_sigmoid", "softplus", "silu", "mish")
        }
        own |= {
            "gelu": lambda x: nn.gelu(x, approximate=False),
            "gelu_tanh": lambda x: nn.gelu(x, approximate=True),
        }

        def log1p(x: Any) -> Any:  # XLA's own is wrong by up to 128 ulp between these (jaxlib 0.10)
            return jnp.where((x > -0.42) & (x < -0.35), jnp.log(1.0 + x), jnp.log1p(x))

        own |= {
            "log1p": log1p,
            "binary_cross_entropy": lambda p, y: -(y * jnp.log(p) + (1.0 - y) * log1p(-p)),
        }
        super().__init__(jnp, lambda x: jnp.asarray(x, dtype=jnp.float64), own)
        self._log_softmax, self._logsumexp = nn.log_softmax, nn.logsumexp

    def differentiated(self, recording: Recording, point: list[float]) -> tuple[float, list[float]]:
        """The value and the gradient at the point."""
        with self.jax.enable_x64(True):
            every = tuple(range(len(point)))
            value, gradient = self.jax.value_and_grad(lambda *xs: recording.run(self, xs)[0], argnums=every)(*point)
            return float(value), [float(g) for g in gradient]


def plainly(row: Op, z: float, x: list[float]) -> float:
    """The error a row may add in a library that forms its result from terms as large as its operands, or as 1.

    tanh′ as 1 − t², say, or a cross-entropy as max + ln Σ − xₖ: what cancels is lost, a few units in the last place
    of the terms. Ours loses a few of the result, which is less.
    """
    return ULPS * max(map(math.ulp, [1.0, z, *x]))


def close(recording: Recording, peer: Peer) -> None:
    """The peer's value and gradient are ours, but for what rounding explains: ours and the peer's, to first order.

    Each step adds an error of its own (`plainly`) and passes on those of its operands times its local derivatives;
    once for the peer, and once for us. Where that moves a comparison, or is no longer small, nothing can be said.
    """
    root, leaves = recording.outputs[0], recording.inputs
    gs = mg.gradients(root, leaves)
    order = mg.topological_order([root, *gs])
    assume(all(math.isfinite(v.data) for v in order) and not recording.at_a_kink())
    bounds = rounding_bounds(order, leaves, True, plainly)
    assume(all(bounds[v] <= 1e-6 * max(1.0, abs(v.data)) for v in order))
    value, gradient = peer.differentiated(recording, [v.data for v in leaves])
    for ours, theirs in zip([root, *gs], [value, *gradient], strict=True):
        assert abs(ours.data - theirs) <= 2.0 * bounds[ours], (ours, theirs)


@given(program=expressions())
@examples(50)
def test_random_programs_against_pytorch(program):
    close(Recording([program.root], program.inputs), PyTorch())


@given(root=graphs(max_size=20))
@examples(20)
def test_random_graphs_against_pytorch(root):
    close(Recording([root], [v for v in mg.topological_order(root) if v.is_leaf]), PyTorch())


@given(program=expressions(max_size=6))
@examples(15)
def test_random_programs_against_jax(program):
    close(Recording([program.root], program.inputs), Jax())


@given(root=graphs(max_size=8))
@examples(5)
def test_random_graphs_against_jax(root):
    close(Recording([root], [v for v in mg.topological_order(root) if v.is_leaf]), Jax())


# ── the same at infinities, nan, zeros and the ends of the range ────────────────────────────────
# Rows whose specials PyTorch and JAX have right, by IEEE 754 and the same conventions at kinks. (Not those of, say,
# abs: its slope at 0 is 1 in JAX; and sums of many may overflow on the way, in both.) The others are judged by the
# reference file (test_accuracy.py) and test_floats.py.
AGREED = "add subtract multiply negative square exp expm1 sin cos tanh atan relu maximum minimum".split()
SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e300, -1e300, 1.7976931348623157e308, 1e-300]
SUBNORMAL = [5e-324, -5e-324, 2.2250738585072e-308]


def plainly_if_finite(row: Op, z: float, x: list[float]) -> float:
    return plainly(row, z, [number for number in x if math.isfinite(number)]) if math.isfinite(z) else 0.0


def agree_at(point: list[float], program: Program, peer: Peer) -> None:
    """The same infinities and nan, and what is finite within rounding. Where a peer has nan, ours may have a number.

    Slopes at nan are not compared: in PyTorch that of relu is 1 there.
    """
    leaves = [Value(x) for x in point]
    root = program(*leaves)
    gs = mg.gradients(root, leaves)
    bounds = rounding_bounds(mg.topological_order([root, *gs]), leaves, True, plainly_if_finite)
    value, gradient = peer.differentiated(Recording([root], leaves), point)
    assert same(value, root.data) or abs(value - root.data) <= 2.0 * bounds[root]
    assume(value == value)
    for ours, theirs in zip(gs, gradient, strict=True):
        assert theirs != theirs or same(theirs, ours.data) or abs(ours.data - theirs) <= 2.0 * bounds[ours]


@given(program=expressions(AGREED, max_size=5), data=st.data())
@examples(60)
def test_random_programs_at_special_points_against_pytorch(program, data):
    special = st.sampled_from(SPECIAL + SUBNORMAL)
    agree_at([data.draw(special) for _ in program.names], program, PyTorch())


@given(program=expressions(AGREED, max_size=4), data=st.data())
@examples(10)
def test_random_programs_at_special_points_against_jax(program, data):
    """Without subnormal numbers, which JAX takes for 0 on a CPU."""
    agree_at([data.draw(st.sampled_from(SPECIAL)) for _ in program.names], program, Jax())
