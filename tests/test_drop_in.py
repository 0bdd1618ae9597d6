"""Programs written for another scalar engine run with only their import changed, and give the same bits.

The programs below are texts. Each is run twice: as it is, and with its first line replaced. What is compared is every
loss and every gradient of several training steps, exactly: where the formulas are the same, floating point gives the
same numbers only if every sum is taken in the same order. The originals are docs/benchmarks/own_value.py, the kind of
class that such a program brings along, and micrograd itself where it is installed.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import math
import pickle
import random
import sys
from pathlib import Path

import pytest

import microgradlike as mg
from microgradlike import Value
from microgradlike.graph.engine import compiled

BENCHMARKS = Path(__file__).parents[1] / "docs" / "benchmarks"

NETWORK = """
from original import Value
import random

rng = random.Random(7)

class Neuron:
    def __init__(self, n, nonlinear=True):
        self.w = [Value(rng.uniform(-1, 1)) for _ in range(n)]
        self.b = Value(0)
        self.nonlinear = nonlinear
    def __call__(self, x):
        act = sum((wi * xi for wi, xi in zip(self.w, x)), self.b)
        return act.relu() if self.nonlinear else act

layers = [[Neuron(2) for _ in range(5)], [Neuron(5) for _ in range(4)], [Neuron(4, False)]]
parameters = [p for layer in layers for n in layer for p in (*n.w, n.b)]
points = [(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(12)]
labels = [1 if x * y > 0 else -1 for x, y in points]

losses, gradients = [], []
for step in range(6):
    scores = []
    for point in points:
        x = [Value(c) for c in point]
        for layer in layers:
            x = [n(x) for n in layer]
        scores.append(x[0])
    hinge = [(1 + -label * score).relu() for label, score in zip(labels, scores)]
    data_loss = sum(hinge) * (1.0 / len(hinge))
    reg_loss = 1e-3 * sum((p * p for p in parameters))
    spread = sum((s - 0.25) ** 2 for s in scores) / 8 + (2 - scores[0]) ** 3 * 0.01
    total = data_loss + reg_loss + spread * 0.1
    for p in parameters:
        p.grad = 0
    total.backward()
    losses.append(total.data)
    gradients.append([p.grad for p in parameters])
    for p in parameters:
        p.data -= (0.5 - 0.05 * step) * p.grad
"""

GPT = """
from original import Value
import random

random.seed(42)
docs = ["ada", "bea", "abe", "dab"]
chars = sorted(set("".join(docs)))
BOS, vocab = len(chars), len(chars) + 1
n_embd, n_head, block = 8, 2, 8
head = n_embd // n_head

matrix = lambda rows, cols, std=0.3: [[Value(random.gauss(0, std)) for _ in range(cols)] for _ in range(rows)]
state = {"wte": matrix(vocab, n_embd), "wpe": matrix(block, n_embd), "lm_head": matrix(vocab, n_embd)}
for name in ("wq", "wk", "wv", "wo"):
    state[name] = matrix(n_embd, n_embd)
state["fc1"], state["fc2"] = matrix(4 * n_embd, n_embd), matrix(n_embd, 4 * n_embd)
params = [p for m in state.values() for row in m for p in row]

def linear(x, w):
    return [sum(wi * xi for wi, xi in zip(row, x)) for row in w]

def softmax(logits):
    top = max(v.data for v in logits)
    exps = [(v - top).exp() for v in logits]
    total = sum(exps)
    return [e * total ** -1 for e in exps]

def rmsnorm(x):
    ms = sum(xi * xi for xi in x) / len(x)
    scale = (ms + 1e-5) ** -0.5
    return [xi * scale for xi in x]

def gpt(token, pos, keys, values):
    x = [t + p for t, p in zip(state["wte"][token], state["wpe"][pos])]
    x = rmsnorm(x)
    residual = x
    x = rmsnorm(x)
    q = linear(x, state["wq"])
    keys.append(linear(x, state["wk"]))
    values.append(linear(x, state["wv"]))
    out = []
    for h in range(0, n_embd, head):
        scores = [sum(q[h + j] * k[h + j] for j in range(head)) / head ** 0.5 for k in keys]
        weights = softmax(scores)
        out += [sum(weights[t] * values[t][h + j] for t in range(len(values))) for j in range(head)]
    x = [a + b for a, b in zip(linear(out, state["wo"]), residual)]
    residual = x
    x = [u.relu() ** 2 for u in linear(rmsnorm(x), state["fc1"])]
    x = [a + b for a, b in zip(linear(x, state["fc2"]), residual)]
    return linear(x, state["lm_head"])

lr, beta1, beta2, eps = 1e-2, 0.9, 0.95, 1e-8
m, v = [0.0] * len(params), [0.0] * len(params)
losses, gradients = [], []
for step in range(5):
    doc = docs[step % len(docs)]
    tokens = [BOS] + [chars.index(c) for c in doc] + [BOS]
    n = min(block, len(tokens) - 1)
    keys, values, each = [], [], []
    for pos in range(n):
        probs = softmax(gpt(tokens[pos], pos, keys, values))
        each.append(-probs[tokens[pos + 1]].log())
    loss = (1 / n) * sum(each)
    loss.backward()
    losses.append(loss.data)
    gradients.append([p.grad for p in params])
    rate = lr * (1 - step / 5)
    for i, p in enumerate(params):
        m[i] = beta1 * m[i] + (1 - beta1) * p.grad
        v[i] = beta2 * v[i] + (1 - beta2) * p.grad ** 2
        p.data -= rate * (m[i] / (1 - beta1 ** (step + 1))) / ((v[i] / (1 - beta2 ** (step + 1))) ** 0.5 + eps)
        p.grad = 0
"""


def run(program, module):
    """The program with the import of its Value changed to `module`: what it computed."""
    first = "from original import Value"
    assert program.strip().startswith(first)
    names = {"__name__": "program"}
    exec(compile(program.replace(first, f"from {module} import Value", 1), "<program>", "exec"), names)
    return names["losses"], names["gradients"]


@pytest.fixture
def own(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield "own_value"
    sys.modules.pop("own_value", None)


class Ordered(dict):
    """A set that keeps the order in which its members came."""

    def __init__(self, members=()):
        super().__init__(dict.fromkeys(members))

    def add(self, member):
        self[member] = None


@pytest.fixture
def micrograd(monkeypatch):
    """micrograd with its sets made ordered: in sets of addresses, its sums are in another order on every run."""
    engine = pytest.importorskip("micrograd.engine", reason="micrograd, the original, is not installed")
    monkeypatch.setattr(engine, "set", Ordered, raising=False)
    return "micrograd.engine"


@pytest.mark.parametrize("program", [NETWORK, GPT], ids=["network", "gpt"])
def test_same_bits_as_the_programs_own_class(program, own):
    losses, gradients = run(program, own)
    ours, our_gradients = run(program, "microgradlike")
    assert len(set(losses)) == len(losses) > 4
    assert ours == losses
    assert our_gradients == gradients


def test_same_bits_as_micrograd(micrograd):
    losses, gradients = run(NETWORK, micrograd)
    assert len(set(losses)) == len(losses) > 4
    assert run(NETWORK, "microgradlike") == (losses, gradients)


def test_micrograds_own_networks_run_on_our_value(micrograd):
    """micrograd/nn.py, with its line `from micrograd.engine import Value` changed, trains to the same bits."""
    source = Path(importlib.util.find_spec("micrograd.nn").origin).read_text(encoding="utf-8")
    line = "from micrograd.engine import Value"
    assert line in source

    def train(engine):
        names = {"__name__": "nn"}
        exec(compile(source.replace(line, f"from {engine} import Value"), "nn.py", "exec"), names)
        random.seed(1337)
        model, results = names["MLP"](2, [6, 6, 1]), []
        for step in range(5):
            inputs = [(math.cos(i), math.sin(2 * i)) for i in range(10)]
            scores = [model(x) for x in inputs]
            each = [(1 + -(1 if i % 2 else -1) * score).relu() for i, score in enumerate(scores)]
            loss = sum(each) * (1.0 / len(each)) + 1e-4 * sum(p * p for p in model.parameters())
            model.zero_grad()
            loss.backward()
            results.append((loss.data, [p.grad for p in model.parameters()]))
            for p in model.parameters():
                p.data -= (1.0 - 0.9 * step / 100) * p.grad
        return results, repr(model)

    assert train("microgradlike") == train(micrograd)


def test_micrograds_drawing_code_finds_its_way():
    """The notebook code that draws micrograd graphs walks `_prev` and prints `_op`, `data` and `grad`."""
    a, b = Value(2.0), Value(-3.0)
    root = (a * b + a**2).relu() - b / a
    nodes, edges = set(), set()

    def build(v):
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)

    build(root)
    assert {"+", "*", "**2", "ReLU", ""} <= {v._op for v in nodes}
    assert a in nodes and b in nodes
    assert all("{:.4f}".format(v.data) and f"{v.grad:.4f}" for v in nodes)  # noqa: UP032  (as it is written there)
    assert len(edges) == sum(len(v._prev) for v in nodes)


def test_division_differs_in_the_last_bit_only(own):
    """Programs of this kind compute x / y as x·y⁻¹, which is rounded twice; ours is the correctly rounded quotient."""
    divided = GPT.replace("e * total ** -1", "e / total")
    assert divided != GPT
    losses, gradients = run(divided, own)
    ours, our_gradients = run(divided, "microgradlike")
    assert ours == pytest.approx(losses, rel=1e-12)
    for mine, theirs in zip(our_gradients, gradients, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    assert (Value(1.0) / 49.0 * 49.0).data == 1 / 49.0 * 49.0  # Python's own quotient
    assert (Value(5.0) / 49.0).data == 5.0 / 49.0 != 5.0 * 49.0**-1


def test_several_sweeps_before_a_step_add_up(own):
    """One backward() for each example, no zeroing between them. Ours adds each sweep's total, theirs each summand."""
    sweeps = "    for part in [h * (1.0 / 12) for h in hinge] + [reg_loss]:\n        part.backward()\n"
    program = NETWORK.replace("    total.backward()\n", sweeps)
    assert program != NETWORK
    losses, gradients = run(program, own)
    ours, our_gradients = run(program, "microgradlike")
    assert ours == pytest.approx(losses, rel=1e-12)
    for mine, theirs in zip(our_gradients, gradients, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-14)


def test_whole_numbers_are_welcome_wherever_programs_write_them():
    p = Value(3)
    p.grad = 0
    p.data -= 1
    p.data = 5
    loss = 2 * p - p * 1 + 0
    loss.backward()
    assert (p.data, p.grad, loss.data) == (5, 1, 5)
    assert f"{p.data:.4f} {p.grad:.4f}" == "5.0000 1.0000"
    assert sum([p, p, 1]).data == 11
    assert [isinstance(x, float) for x in (p.data, p.grad, loss.data)] == [True] * 3
    assert loss.backward() is None


def test_numpy_labels_and_inputs_stay_in_the_graph():
    """A data set in arrays: labels are NumPy integers and coordinates NumPy floats, on the left of an operator too."""
    np = pytest.importorskip("numpy", reason="NumPy is not installed")
    X, y = np.array([[0.5, -1.0], [2.0, 0.25]]), np.array([1, -1])
    w, b = [Value(0.5), Value(-1.5)], Value(0.1)
    losses = []
    for row, label in zip(X, y, strict=True):
        score = sum((wi * xi for wi, xi in zip(w, map(Value, row), strict=True)), b)
        losses.append((1 + -label * score).relu())
        losses.append((1 - label * sum(xi * wi for xi, wi in zip(row, w, strict=True))).relu())
    loss = sum(losses) * (1.0 / len(losses))
    loss.backward()
    # Only the second point counts, twice: 1 + score, with score = 1 − 0.375 (+ 0.1)
    assert (w[0].grad, w[1].grad, b.grad) == (2.0 * 2 / 4, 0.25 * 2 / 4, 1 / 4)


# ── what micrograd's own tests check: the same expression in PyTorch, forward and backward ──────────────────────
def _tanh_by_exp(x):
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


EXPRESSIONS = {
    "a sum used twice": lambda a, b: (a + b) * (a + b + 1) + (a + b) ** 2,
    "relu on and off": lambda a, b: (a * b).relu() + (-a * b).relu() * b + (a - a).relu(),
    "division both ways": lambda a, b: a / b + 3.0 / a - b / 7 + 1 / (b * b),
    "powers": lambda a, b: a**2 + a**3 * b - b**-1 + (a * a + 1) ** 0.5 + (b * b) ** -1.5,
    "assigned in place": lambda a, b: _in_place(a, b),
    "exp and log": lambda a, b: (a * a + b * b + 1).log() * (a / 4).exp() - (-b).exp(),
    "tanh written with exp": lambda a, b: _tanh_by_exp(a * 0.3 + b * -0.2) * b,
    "x times x": lambda a, b: a * a * a + (b - a) * (b - a),
}  # fmt: skip


def _in_place(a, b):
    c = a + b
    c += c + 1
    c += 1 + c + (-a)
    d = a * b + b**3
    d += d * 2 + (b + a).relu()
    d *= 0.5
    e = c - d
    e -= a
    f = e**2 / 2.0
    f += 10.0 / (f + 1)
    return f


@pytest.mark.parametrize("point", [(-4.0, 2.0), (0.7, -1.3), (3.25, 0.125)], ids=str)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_agrees_with_pytorch(name, point):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ours = [Value(x) for x in point]
    result = EXPRESSIONS[name](*ours)
    result.backward()
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in point]
    expected = EXPRESSIONS[name](*theirs)
    expected.backward()
    assert result.data == pytest.approx(expected.item(), rel=1e-14, abs=1e-14)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.grad == pytest.approx(other.grad.item(), rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("point", [(-4.0, 2.0), (0.7, -1.3), (3.25, 0.125)], ids=str)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_agrees_with_differences(name, point):
    """The same, without PyTorch: the derivative of the expression on plain numbers, by complex steps or differences."""

    class Number(float):
        """A float with the methods that the expressions use."""

        def relu(self):
            return Number(max(0.0, self))

        def exp(self):
            return Number(math.exp(self))

        def log(self):
            return Number(math.log(self))

    for operator in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "neg"):
        method = getattr(float, f"__{operator}__")
        setattr(Number, f"__{operator}__", lambda *args, method=method: Number(method(*map(float, args))))

    def f(*x):
        return float(EXPRESSIONS[name](*map(Number, x)))

    ours = [Value(x) for x in point]
    result = EXPRESSIONS[name](*ours)
    result.backward()
    assert result.data == f(*point)
    h = 1e-4
    for i, v in enumerate(ours):

        def at(t, i=i):
            return f(*(x + t * (j == i) for j, x in enumerate(point)))

        slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)  # error h⁴ · fifth derivative
        assert v.grad == pytest.approx(slope, rel=1e-8, abs=1e-8)


def test_scalar_gpt_example_runs_on_the_programs_own_class(own):
    """docs/examples/gpt.py with own_value.Value as its leaf: the same losses, training included."""
    spec = importlib.util.spec_from_file_location("example_gpt", BENCHMARKS.parent / "examples" / "gpt.py")
    gpt = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gpt)
    letters = gpt.Letters("adel")
    documents = [letters.encode("ad"), letters.encode("e")]
    found = []
    for leaf in (mg.Value, importlib.import_module(own).Value):
        model = gpt.GPT(len(letters), random.Random(5), leaf)
        found.append(list(gpt.train(model, documents, 3)))
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_backward_passes_by_hand():
    """The lecture that builds micrograd calls `_backward` of one Value after the other before it sorts them."""
    x1, x2, w1, w2, b = Value(2.0), Value(0.0), Value(-3.0), Value(1.0), Value(6.8813735870195432)
    x1w1, x2w2 = x1 * w1, x2 * w2
    s = x1w1 + x2w2
    n = s + b
    o = n.tanh()
    o.grad = 1.0
    for v in (o, n, b, s, x2w2, x1w1):
        v._backward()
    by_hand = [v.grad for v in (x1, x2, w1, w2, b)]
    assert by_hand == pytest.approx([-1.5, 0.5, 1.0, 0.0, 0.5], abs=1e-15)
    for v in (x1, x2, w1, w2, b):
        v.grad = 0.0
    o.backward()
    assert [v.grad for v in (x1, x2, w1, w2, b)] == by_hand
    (mean := mg.mean([x1, x1, 3.0])).grad = 3.0
    mean._backward()
    assert x1.grad == by_hand[0] + 2.0


# ── operations of one's own, and names from there ────────────────────────────────────────────────
def test_a_value_with_given_slopes():
    """microgpt makes its operations so: Value(number, operands, local derivatives)."""
    x, y = Value(2.0, "x"), Value(3.0)
    cube = Value(x.data**3, (x,), (3 * x.data**2,))
    root = cube * y + Value(x.data * y.data, [x, y], [y.data, x.data], label="product") * x + Value(7, (), ())
    root.backward()
    assert (root.data, x.grad, y.grad) == (24.0 + 12.0 + 7.0, 36.0 + 6.0 + 6.0, 8.0 + 4.0)
    assert Value(5.0, "name").label == Value(5.0, label="name").label == "name" and root.is_leaf is False
    assert mg.grad(lambda v: Value(v.data**2, (v,), (2 * v.data,)) * v)(3.0) == 27.0
    twice = Value(1.0, (x, x, 4.0), (1.0, 2.0, 5.0))
    x.zero_grad()
    twice.backward()
    assert x.grad == 3.0
    with mg.no_grad():
        assert Value(1.0, (x,), (1.0,)).is_leaf
    for copied in (copy.deepcopy(cube), pickle.loads(pickle.dumps(cube))):
        leaf = next(v for v in mg.topological_order(copied) if v.label == "x")
        copied.zero_grad()
        copied.backward()
        assert (copied.data, leaf.grad) == (8.0, 12.0)
    assert "given" in str(mg.draw(cube)) and "12" in str(mg.explain(cube, x))
    with mg.detect_anomaly(), pytest.raises(mg.AnomalyError):
        Value(math.inf, (x,), (1.0,)).backward()


def test_given_slopes_say_where_they_end():
    x = Value(2.0)
    square = lambda v: Value(v.data**2, (v,), (2 * v.data,))
    node = square(x)
    for use in (
        lambda: mg.compile(square)(2.0),
        lambda: mg.compile(node, inputs=[x])(2.0),
        lambda: mg.gradients(node, [x]),
        lambda: mg.hessian(square)(2.0),
        lambda: mg.jvp(square, (2.0,), (1.0,)),
        lambda: mg.live(node).to_html(),
    ):
        with pytest.raises(TypeError, match="primitive"):
            use()
    with pytest.raises(TypeError, match=r"no(t 'tanh')?.*_backward.*mg.primitive"):
        Value(0.5, (x,), "tanh")
    with pytest.raises(TypeError, match="primitive"):
        Value(0.5, (x,))
    with pytest.raises(ValueError, match="2 operands, but 1 slopes"):
        Value(0.5, (x, x), (1.0,))
    with pytest.raises(TypeError, match="slope must be a real number"):
        Value(0.5, (x,), (x,))
    with pytest.raises(TypeError, match="operands must be a tuple"):
        Value(0.5, x, 1.0)
    with pytest.raises(TypeError, match="slopes without operands"):
        Value(0.5, slopes=(1.0,))
    with pytest.raises(TypeError, match="given slopes"):
        Value(0.5, ("x",), (1.0,))


def test_names_from_there_have_a_cure():
    a, b = Value(2.0), Value(3.0)
    assert [(2**a)._op, (a**b)._op, (a**0.5)._op, (a - b)._op, (a / b)._op, a.exp()._op, a.tanh()._op, (-a)._op] == [
        *("**", "**", "**0.5", "-", "/", "exp", "tanh", "-")
    ]
    for name, cure in {
        "_children": "v.args",
        "children": "v.args",
        "_local_grads": "mg.explain",
        "topo": "mg.topological_order",
    }.items():
        with pytest.raises(AttributeError, match=cure):
            getattr(a, name)

    class V(Value):
        def softplus2(self):
            return self.softplus() * 2

    assert V(1.0).softplus2().data > 0
    with pytest.raises(AttributeError, match=r"V has.*softplus2\(v\)"):
        (V(1.0) + 1).softplus2()
    computed = a * b
    with pytest.raises(mg.GraphError, match=r"v = v.detach\(\)"):
        computed.data += 0.1
    with pytest.raises(AttributeError, match="by the Value" if compiled else "no attribute 'm'"):
        a.m = 0.0
    with pytest.raises(AttributeError):
        a.args = ()
    V(1.0).colour = "red"


def test_a_lecture_on_scalar_autograd():
    """The steps of a lecture that builds one: slopes by nudging, a neuron by hand and in pieces, a net."""
    h, a, b, c, f = 1e-6, Value(2.0, label="a"), Value(-3.0, label="b"), Value(10.0, label="c"), Value(-2.0, label="f")
    loss = lambda: (a * b + c) * f
    loss().backward()
    for leaf in (a, b, c, f):
        before = loss().data
        leaf.data += h
        assert leaf.grad == pytest.approx((loss().data - before) / h, rel=1e-4)
        leaf.data -= h

    def neuron(activation):
        x1, x2, w1, w2 = (Value(x, label=n) for x, n in ((2.0, "x1"), (0.0, "x2"), (-3.0, "w1"), (1.0, "w2")))
        total = x1 * w1 + x2 * w2 + Value(6.8813735870195432, label="b")
        return activation(total), (x1, w1, x2, w2)

    def in_pieces(n):
        e = (2 * n).exp()
        return (e - 1) / (e + 1)

    def own(n):
        t = math.tanh(n.data)
        return Value(t, (n,), (1 - t**2,), label="tanh")

    for activation in (Value.tanh, in_pieces, own):
        out, leaves = neuron(activation)
        out.backward()
        assert out.data == pytest.approx(0.7071067811865476)
        assert [leaf.grad for leaf in leaves] == pytest.approx([-1.5, 1.0, 0.5, 0.0])

    out, leaves = neuron(Value.tanh)
    out.grad = 1.0  # the sweep by hand
    for node in reversed(mg.topological_order(out)):
        node._backward()
    assert [leaf.grad for leaf in leaves] == pytest.approx([-1.5, 1.0, 0.5, 0.0])

    net = mg.nn.MLP(3, [4, 4, 1], activation="tanh", seed=1)
    xs, ys = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]], [1.0, -1.0, -1.0, 1.0]
    assert len(net.parameters()) == 41
    history = []
    for _ in range(60):
        total = sum((net(x) - y) ** 2 for x, y in zip(xs, ys, strict=True))
        for p in net.parameters():
            p.grad = 0.0
        total.backward()
        for p in net.parameters():
            p.data += -0.05 * p.grad
        history.append(total.data)
    assert history[-1] < 0.05 < history[0]
    assert "<svg" in mg.draw(net(xs[0])).to_svg()


def test_moons_with_weights_set_by_hand():
    """A program that sets all weights itself, and trains by hinge loss and weight decay as micrograd's demo does."""
    rng = random.Random(3)
    net = mg.nn.MLP(2, [6, 6, 1], activation="relu", seed=0)
    for layer in net.layers:
        for neuron in layer.neurons:
            neuron.w = [Value(rng.uniform(-1, 1)) for _ in neuron.w]
            neuron.b = Value(0.0)
    points = [(t, side) for side in (0, 1) for t in [math.pi * (i + 0.5) / 12 for i in range(12)]]
    X = [(math.cos(t), math.sin(t)) if side == 0 else (1 - math.cos(t), 0.5 - math.sin(t)) for t, side in points]
    y = [2 * side - 1 for _, side in points]
    assert len(net.parameters()) == 6 * 3 + 6 * 7 + 7

    def loss():
        scores = [net(x) for x in X]
        data = sum((1 + -yi * s).relu() for yi, s in zip(y, scores, strict=True)) * (1.0 / len(y))
        hits = [(yi > 0) == (s.data > 0) for yi, s in zip(y, scores, strict=True)]
        return data + 1e-4 * sum(p * p for p in net.parameters()), sum(hits) / len(hits)

    for step in range(80):
        total, accuracy = loss()
        net.zero_grad()
        total.backward()
        for p in net.parameters():
            p.data -= (1.0 - 0.9 * step / 80) * p.grad
    assert accuracy > 0.95
