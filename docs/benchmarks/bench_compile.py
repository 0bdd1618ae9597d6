"""Compiled programs beside JAX, PyTorch, CasADi, NumPy and C by hand: W3, W4, W5, W7, W8 and W9.

Ours are functions of scalar Values, written in plain Python loops, recorded once. The peers' are written the way each
peer likes best (whole arrays). All get float64 and compute the same numbers, which is checked before anything is timed.
"""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from common import Missing, agree, case, example, main, optional

import microgradlike as mg
from microgradlike import Value, optim

np = optional("numpy")
torch, jax, casadi = optional("torch"), optional("jax"), optional("casadi")
OURS = {"microgradlike, native": "native", "microgradlike, numpy": "numpy", "microgradlike, python": "python"}

if not isinstance(jax, Missing):
    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
if not isinstance(torch, Missing):
    torch.set_num_threads(1)


def cases(small):
    """All workloads of this file."""
    yield mlp(small)
    yield logistic(small)
    yield fit(small)
    yield digits(small)
    yield from latency(small)
    yield from overhead(small)
    yield gpt(small)
    yield from growth(small)


def missing_backend(backend):
    """Why a backend of ours cannot take part, or None."""
    for module in {"python": (), "numpy": ("numpy",), "native": ("numpy", "microgradlike._native")}[backend]:
        if isinstance(found := optional(module), Missing):
            return found
    return None


# ── networks of scalars ─────────────────────────────────────────────────────────────────────────
def network(sizes, seed=2):
    """Weights as nested lists of floats: [(rows of weights, biases)]."""
    rng = random.Random(seed)
    return [
        ([[rng.uniform(-1, 1) / a**0.5 for _ in range(a)] for _ in range(b)], [rng.uniform(-1, 1) for _ in range(b)])
        for a, b in pairwise(sizes)
    ]


def forward(layers, x):
    """The network, one scalar at a time; ReLU between the layers."""
    for depth, (weights, biases) in enumerate(layers):
        x = [sum((w * xi for w, xi in zip(row, x, strict=True)), b) for row, b in zip(weights, biases, strict=True)]
        if depth < len(layers) - 1:
            x = [mg.relu(v) for v in x]
    return x


def of_values(layers):
    """The same weights as parameters, and all of them in a list."""
    made = [([[Value(w) for w in row] for row in weights], [Value(b) for b in biases]) for weights, biases in layers]
    return made, [p for weights, biases in made for p in [*(w for row in weights for w in row), *biases]]


def compiled(loss, parameters, rows, backend):
    """A function without arguments: value and gradient, in the order of `parameters`."""
    reason = missing_backend(backend)
    if reason is not None:
        return reason
    step = mg.compile(loss, backend=backend)
    step.value_and_grad(*rows)
    if backend == "python":
        position = {p: i for i, p in enumerate(step.parameters)}
        order = [position[p] for p in parameters]

        def plain():
            value, gradient = step.value_and_grad(*rows)
            return [value, [gradient[i] for i in order]]

        return plain
    position = {p: i for i, p in enumerate(step.parameters)}
    order = np.array([position[p] for p in parameters])
    theta = np.array([p.data for p in step.parameters])

    def work():
        value, gradient = step.gradient(theta, *rows)
        return [value, np.asarray(gradient)[order]]

    return work


def with_jax(cost, layers, X, y):
    """JAX jit of value and gradient."""
    P = [(jnp.array(w), jnp.array(b)) for w, b in layers]
    f = jax.jit(jax.value_and_grad(cost))
    X, y = jnp.array(X), jnp.array(y)

    def work():
        value, gradient = jax.block_until_ready(f(P, X, y))
        return [value, gradient]

    return lambda: [float(work()[0]), [np.concatenate([np.asarray(w).ravel(), b]) for w, b in work()[1]]], work


def with_torch(cost, layers, X, y):
    """PyTorch over the whole batch."""
    P = [(torch.tensor(w, requires_grad=True), torch.tensor(b, requires_grad=True)) for w, b in map(doubles, layers)]
    X, y = torch.tensor(X), torch.tensor(y)
    leaves = [p for pair in P for p in pair]

    def work():
        value = cost(P, X, y)
        return [value, torch.autograd.grad(value, leaves)]

    def answer():
        value, gradient = work()
        return [float(value.detach()), [g.numpy().ravel() for g in gradient]]

    return answer, work


def doubles(layer):
    """Weights and biases as arrays of float64."""
    return np.array(layer[0], float), np.array(layer[1], float)


def two_ways(made):
    """(answer, work): the answer for the check, the work alone for the clock."""
    answer, work = made

    def once():
        once.calls += 1
        return answer() if once.calls == 1 else work()

    once.calls = 0
    return once


# ── W3: the moons network, 1,000 examples ───────────────────────────────────────────────────────
def mlp(small):
    """Value and gradient of the mean max-margin loss."""
    count = 50 if small else 1000
    layers = network((2, 16, 16, 1))
    rng = random.Random(1)
    X = [[rng.uniform(-1, 1), rng.uniform(-1, 1)] for _ in range(count)]
    y = [rng.choice([-1.0, 1.0]) for _ in range(count)]
    arrays = (X, y) if isinstance(np, Missing) else (np.array(X), np.array(y))

    peers = {}
    for label, backend in OURS.items():
        values, parameters = of_values(layers)
        rows = (X, y) if backend == "python" else arrays
        peers[label] = compiled(lambda x, t, v=values: mg.relu(1 - t * forward(v, x)[0]), parameters, rows, backend)

    def eager():
        values, parameters = of_values(layers)
        cost = sum(mg.relu(1 - t * forward(values, x)[0]) for x, t in zip(X, y, strict=True)) * (1.0 / count)
        cost.backward()
        return [cost.data, [p.grad for p in parameters]]

    peers["microgradlike, eager"] = eager
    if isinstance(np, Missing):
        return case("W3 compiled MLP", "µs", peers, small=small)

    def hidden(m, P, X):
        for w, b in P[:-1]:
            X = m.maximum(X @ w.T + b, 0.0)
        return (X @ P[-1][0].T + P[-1][1])[:, 0]

    peers["JAX jit"] = jax if isinstance(jax, Missing) else two_ways(with_jax(
        lambda P, X, y: jnp.maximum(1 - y * hidden(jnp, P, X), 0.0).mean(), layers, *arrays))  # fmt: skip

    def margin(P, X, y):
        for w, b in P[:-1]:
            X = (X @ w.T + b).relu()
        return (1 - y * (X @ P[-1][0].T + P[-1][1])[:, 0]).relu().mean()

    peers["PyTorch, batched"] = torch if isinstance(torch, Missing) else two_ways(with_torch(margin, layers, *arrays))
    peers["CasADi map"] = casadi if isinstance(casadi, Missing) else with_casadi(layers, *arrays)
    peers["NumPy by hand"] = by_hand(layers, *arrays)
    peers["C by hand, gcc -O3"] = in_c(layers, *arrays)
    note = f"Value and gradient of the mean over {count:,} examples; 337 parameters, some 1,800 operations an example."
    return case("W3 compiled MLP", "µs", peers, small=small, seconds=60, note=note)


def with_casadi(layers, X, y):
    """One example as an expression, its gradient, mapped over the rows."""
    x, t = casadi.SX.sym("x", 2), casadi.SX.sym("t")
    symbols, numbers, h = [], [], x
    for depth, (w, b) in enumerate(map(doubles, layers)):
        W, B = casadi.SX.sym("W", *w.shape), casadi.SX.sym("b", len(b))
        symbols += [casadi.vec(W.T), B]
        numbers += [w.ravel(), b]
        h = W @ h + B
        if depth < len(layers) - 1:
            h = casadi.fmax(h, 0)
    theta = casadi.vertcat(*symbols)
    cost = casadi.fmax(1 - t * h[0], 0)
    f = casadi.Function("f", [theta, x, t], [cost, casadi.gradient(cost, theta)])
    mapped = f.map(len(y))
    theta_value = casadi.DM(np.concatenate(numbers))
    repeated, columns, targets = casadi.repmat(theta_value, 1, len(y)), casadi.DM(X.T), casadi.DM(y).T

    def work():
        value, gradient = mapped(repeated, columns, targets)
        return [float(casadi.sum2(value)) / len(y), np.asarray(casadi.sum2(gradient)).ravel() / len(y)]

    return work


def by_hand(layers, X, y):
    """Forward and backward passes in whole arrays."""
    (w1, b1), (w2, b2), (w3, b3) = map(doubles, layers)
    scale = 1.0 / len(y)

    def work():
        z1 = X @ w1.T + b1
        h1 = np.maximum(z1, 0.0)
        z2 = h1 @ w2.T + b2
        h2 = np.maximum(z2, 0.0)
        loss = 1.0 - y * (h2 @ w3[0] + b3[0])
        g = np.where(loss > 0.0, -y * scale, 0.0)
        g2 = np.outer(g, w3[0]) * (z2 > 0.0)
        g1 = (g2 @ w2) * (z1 > 0.0)
        return [float(np.maximum(loss, 0.0).sum()) * scale,
                [g1.T @ X, g1.sum(0), g2.T @ h1, g2.sum(0), g @ h2, g.sum()]]  # fmt: skip

    return lambda: (lambda v, parts: [v, np.concatenate([np.ravel(p) for p in parts])])(*work())


C_SOURCE = r"""
void f(long n, const double *restrict w, const double *restrict X, const double *restrict y, double *restrict g) {
  const double *w1 = w, *b1 = w1 + 32, *w2 = b1 + 16, *b2 = w2 + 256, *w3 = b2 + 16, *b3 = w3 + 16;
  double *v1 = g + 1, *c1 = v1 + 32, *v2 = c1 + 16, *c2 = v2 + 256, *v3 = c2 + 16, *c3 = v3 + 16;
  for (int i = 0; i < 338; i++) g[i] = 0;
  for (long e = 0; e < n; e++) {
    const double *x = X + 2 * e;
    double h1[16], h2[16], d1[16], d2[16], s = b3[0];
    for (int i = 0; i < 16; i++) { double z = b1[i] + w1[2*i]*x[0] + w1[2*i+1]*x[1]; h1[i] = z > 0 ? z : 0; d1[i] = 0; }
    for (int i = 0; i < 16; i++) {
      double z = b2[i];
      for (int j = 0; j < 16; j++) z += w2[16*i+j] * h1[j];
      h2[i] = z > 0 ? z : 0;
      s += w3[i] * h2[i];
    }
    double loss = 1 - y[e] * s;
    if (!(loss > 0)) continue;
    g[0] += loss;
    double d = -y[e];
    c3[0] += d;
    for (int i = 0; i < 16; i++) { v3[i] += d * h2[i]; d2[i] = h2[i] > 0 ? d * w3[i] : 0; c2[i] += d2[i]; }
    for (int i = 0; i < 16; i++)
      for (int j = 0; j < 16; j++) { v2[16*i+j] += d2[i] * h1[j]; d1[j] += d2[i] * w2[16*i+j]; }
    for (int i = 0; i < 16; i++) {
      double q = h1[i] > 0 ? d1[i] : 0;
      c1[i] += q; v1[2*i] += q*x[0]; v1[2*i+1] += q*x[1];
    }
  }
  for (int i = 0; i < 338; i++) g[i] /= n;
}
"""


def built(source):
    """C compiled for this processor and loaded."""
    folder = Path(tempfile.mkdtemp())
    (folder / "f.c").write_text(source, encoding="ascii")
    options = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    subprocess.run(["gcc", *options, "-o", folder / "f.so", folder / "f.c", "-lm"], check=True)
    library = ctypes.CDLL(str(folder / "f.so"))
    shutil.rmtree(folder)
    return library


def in_c(layers, X, y):
    """Example by example in C, compiled for this processor; sums may be reassociated (-ffast-math)."""
    if shutil.which("gcc") is None:
        return Missing("no gcc on this machine")
    f = built(C_SOURCE).f
    f.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 4
    f.restype = None
    w = np.concatenate([part.ravel() for layer in map(doubles, layers) for part in layer])
    g = np.zeros(338)
    X, y = np.ascontiguousarray(X), np.ascontiguousarray(y)

    def work():
        f(len(y), w.ctypes.data, X.ctypes.data, y.ctypes.data, g.ctypes.data)
        return [g[0], g[1:]]

    return work


# ── W4: logistic regression ─────────────────────────────────────────────────────────────────────
def sklearn_data(name, fallback):
    """(X standardised, y) of a data set that scikit-learn ships; made-up numbers of that shape without it."""
    datasets = optional("sklearn.datasets", "scikit-learn")
    if isinstance(datasets, Missing):
        rows, columns, classes = fallback
        rng = np.random.default_rng(1)
        return rng.normal(size=(rows, columns)), rng.integers(0, classes, rows).astype(float)
    X, y = getattr(datasets, name)(return_X_y=True)
    X = (X - X.mean(0)) / np.maximum(X.std(0), 1e-9) if name == "load_breast_cancer" else X / 16.0
    return np.ascontiguousarray(X), y.astype(float)


def logistic(small):
    """One gradient of the mean binary cross-entropy, 569 × 30."""
    if isinstance(np, Missing):
        return case("W4 logistic regression", "µs", {"microgradlike, numpy": np}, lambda _: None)
    X, y = sklearn_data("load_breast_cancer", (569, 30, 2))
    if small:
        X, y = X[:40], y[:40]
    start = [0.01 * (i - 15) for i in range(X.shape[1])]
    from microgradlike.losses import binary_cross_entropy_with_logits

    peers = {}
    for label, backend in OURS.items():
        w, b = [Value(x) for x in start], Value(0.1)

        def loss(x, t, w=w, b=b):
            return binary_cross_entropy_with_logits(sum((wi * xi for wi, xi in zip(w, x, strict=True)), b), t)

        rows = (X.tolist(), y.tolist()) if backend == "python" else (X, y)
        peers[label] = compiled(loss, [*w, b], rows, backend)
    layers = [([start], [0.1])]

    def cost(P, X, y):
        z = (X @ P[0][0].T + P[0][1])[:, 0]
        return (jnp.logaddexp(0.0, z) - y * z).mean()

    peers["JAX jit"] = jax if isinstance(jax, Missing) else two_ways(with_jax(cost, layers, X, y))
    peers["PyTorch, batched"] = torch if isinstance(torch, Missing) else two_ways(with_torch(
        lambda P, X, y: torch.nn.functional.binary_cross_entropy_with_logits((X @ P[0][0].T + P[0][1])[:, 0], y),
        layers, X, y))  # fmt: skip

    def numpy_by_hand():
        z = X @ np.array(start) + 0.1
        e = np.exp(-np.abs(z))
        value = (np.maximum(z, 0.0) - y * z + np.log1p(e)).mean()
        g = (np.where(z > 0.0, 1.0, e) / (1.0 + e) - y) / len(y)
        return [value, np.append(g @ X, g.sum())]

    peers["NumPy by hand"] = numpy_by_hand
    note = f"Value and gradient of the mean loss, {X.shape[0]} × {X.shape[1]} (breast cancer, standardised)."
    return case("W4 compiled logistic regression", "µs", peers, small=small, seconds=30, note=note)


def fit(small):
    """The whole fit of a penalised logistic regression, from data to minimum."""
    name = "W4 logistic regression, fitted"
    if isinstance(np, Missing):
        return case(name, "ms", {"microgradlike, numpy": np}, lambda _: None)
    from microgradlike.models import LogisticRegression

    X, y = sklearn_data("load_breast_cancer", (569, 30, 2))
    if small:
        X, y = X[:60], y[:60]
    l2 = 1.0 / len(y)  # scikit-learn's C = 1

    def cost(w, b):
        z = X @ np.ravel(w) + np.ravel(b)[0]
        return [float((np.logaddexp(0.0, z) - y * z).mean() + 0.5 * l2 * np.sum(np.square(w)))]

    peers = {}
    for label, backend in OURS.items():

        def ours(backend=backend):
            model = LogisticRegression(
                optimizer="lbfgs", l2=l2, epochs=1000, tolerance=1e-6, backend=backend, progress=False
            )
            model.fit(X, y)
            return cost(model.coef_, model.intercept_)

        if backend != "python":
            peers[label] = missing_backend(backend) or ours
    sklearn = optional("sklearn.linear_model", "scikit-learn")

    def theirs():
        model = sklearn.LogisticRegression(C=1.0, tol=1e-6, max_iter=1000).fit(X, y)
        return cost(model.coef_, model.intercept_)

    peers["scikit-learn, lbfgs"] = sklearn if isinstance(sklearn, Missing) else theirs
    note = (
        "fit(X, y) with the penalty C = 1, recording and compiling included, to a gradient below 1e-6; "
        "the costs that are reached agree to 1e-8."
    )
    return case(
        name, "ms", peers, lambda found: agree(found, 1e-8), small=small, seconds=15, note=note, clock=time.perf_counter
    )


# ── W5: digits ──────────────────────────────────────────────────────────────────────────────────
def digits(small):
    """One gradient of a 64-32-10 softmax network, 1,797 images."""
    if isinstance(np, Missing):
        return case("W5 digits", "µs", {"microgradlike, numpy": np}, lambda _: None)
    X, y = sklearn_data("load_digits", (1797, 64, 10))
    sizes = (64, 32, 10)
    if small:
        X, y, sizes = X[:30, :16], y[:30], (16, 6, 10)
    layers = network(sizes)
    from microgradlike.losses import cross_entropy

    peers = {}
    for label, backend in OURS.items():
        if backend == "python":
            continue  # five thousand operations an example, twice a thousand examples: not a peer, a wait
        values, parameters = of_values(layers)
        peers[label] = compiled(lambda x, k, v=values: cross_entropy(forward(v, x), k), parameters, (X, y), backend)

    def cost(P, X, y):
        for w, b in P[:-1]:
            X = jnp.maximum(X @ w.T + b, 0.0)
        z = X @ P[-1][0].T + P[-1][1]
        return -jnp.take_along_axis(jax.nn.log_softmax(z), y.astype(int)[:, None], 1).mean()

    peers["JAX jit"] = jax if isinstance(jax, Missing) else two_ways(with_jax(cost, layers, X, y))

    def torch_cost(P, X, y):
        for w, b in P[:-1]:
            X = (X @ w.T + b).relu()
        return torch.nn.functional.cross_entropy(X @ P[-1][0].T + P[-1][1], y.long())

    peers["PyTorch, batched"] = torch if isinstance(torch, Missing) else two_ways(with_torch(torch_cost, layers, X, y))
    note = f"Value and gradient of the mean cross-entropy, {'-'.join(map(str, sizes))}, {len(y):,} images."
    return case("W5 compiled digits", "µs", peers, small=small, seconds=40, note=note)


# ── W7: compile latency ─────────────────────────────────────────────────────────────────────────
LATENCY = r"""
import sys, time
kind, shape, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
def chain(x, tanh):
    a, b = x[0], x[1]
    n = 0
    while n < count:
        a, b = tanh(a * b + x[2]), b * x[3] + a
        n += 5
    return a + b
side = max(1, int((count / 2) ** 0.5))
def layer(x, tanh):
    total, n = 0.0, side * side
    for i in range(side):
        z = 0.0
        for j in range(side):
            z = z + x[i * side + j] * x[n + j]
        total = total + tanh(z)
    return total
program = {"chain": chain, "layer": layer}[shape]
numbers = [0.5, 0.25, 0.125, 0.0625] if shape == "chain" else [0.3 / (1 + i % 7) for i in range(side * side + side)]
if kind == "JAX jit":
    import jax, jax.numpy as jnp
    jax.config.update("jax_enable_x64", True)
    began = time.perf_counter()
    sys.setrecursionlimit(10**6)
    value, gradient = jax.jit(jax.value_and_grad(lambda x: program(x, jnp.tanh)))(jnp.array(numbers))
    gradient = [float(g) for g in gradient]
else:
    import microgradlike as mg
    import numpy
    w = [mg.Value(v) for v in numbers]
    step = mg.compile(lambda one: program(w, mg.tanh) * one, backend=kind)
    began = time.perf_counter()
    value, found = step.value_and_grad([1.0])
    found = dict(zip(step.parameters, found))
    gradient = [found[p] for p in w]
print(time.perf_counter() - began, float(value), *gradient)
"""
LIMIT = 60  # seconds that a peer may take


def latency(small):
    """From a Python function to its first value and gradient, each in a process of its own."""
    sizes = (200,) if small else (2_000, 20_000, 100_000)
    kinds = ["native", "numpy", "JAX jit"]
    for shape, about in (
        ("chain", "each operation needs the one before"),
        ("layer", "√(n/2) tanh of sums of as many products, the widest program there is"),
    ):
        rows, missing, answers = [], {}, {}
        for kind in kinds:
            needed = jax if kind == "JAX jit" else missing_backend(kind)
            if isinstance(needed, Missing):
                missing[kind] = str(needed)
                continue
            times = 0.0
            for size in sizes:
                if isinstance(times, str):
                    times = "not tried after that"
                else:
                    times, answer = latency_of(kind.replace(",", ""), shape, size, 2 if small or size > 2000 else 4)
                    if answer:
                        agree({"first": answers.setdefault(size, answer), kind: answer})
                rows.append([kind if kind == "JAX jit" else f"microgradlike, {kind}", f"{size:,}", times])
        yield {
            "name": "W7 compile latency" + ", layer" * (shape == "layer"), "unit": "s",
            "note": "Scalar operations in a Python function → its first value and gradient, seconds; best of several "
            f"processes, imports not counted. A {shape}: {about}.",
            "columns": ["", "operations", "seconds"], "rows": rows, "missing": missing, "peers": {}, "ratios": {},
        }  # fmt: skip


def latency_of(kind, shape, size, processes):
    """(best time, or what went wrong; value and gradient)."""
    best, answer = float("inf"), None
    for _ in range(processes):
        try:
            done = subprocess.run(
                [sys.executable, "-c", LATENCY, kind, shape, str(size)],
                capture_output=True, text=True, timeout=LIMIT, check=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"more than {LIMIT} s", None
        except subprocess.CalledProcessError as error:
            return "fails: " + (error.stderr.strip().splitlines() or ["?"])[-1][:60], None
        seconds, *answer = map(float, done.stdout.split())
        best = min(best, seconds)
    return best, answer


# ── W8: what a gradient costs ───────────────────────────────────────────────────────────────────
def objectives(size):
    """Name: (function of a list of Values, the same for JAX, the same for CasADi, a starting point)."""
    rng = random.Random(4)
    x0 = [rng.uniform(-0.5, 0.5) for _ in range(size)]

    def rosenbrock(x):
        return sum(100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x))

    def jax_rosenbrock(x):
        return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()

    points = [[rng.gauss(0, 1) for _ in range(2)] for _ in range(max(4, size // 20))]

    def mixture(x, exp=mg.exp, logsumexp=mg.logsumexp):
        total = 0.0
        for p in points:
            parts = []
            for k in range(4):
                mean, spread, weight = x[5 * k : 5 * k + 2], x[5 * k + 2 : 5 * k + 4], x[5 * k + 4]
                parts.append(
                    weight - sum(((a - m) * exp(s)) ** 2 * 0.5 - s for a, m, s in zip(p, mean, spread, strict=True))
                )
            total = total - logsumexp(parts)
        return total

    def jax_mixture(x):
        z = x[:20].reshape(4, 5)
        P = jnp.array(points)[:, None]
        q = ((P - z[:, :2]) * jnp.exp(z[:, 2:4])) ** 2 * 0.5 - z[:, 2:4]
        return -jax.scipy.special.logsumexp(z[:, 4] - q.sum(-1), axis=1).sum()

    def log_sum_exp(x):
        return casadi.logsumexp(casadi.vertcat(*x))

    return {
        f"Rosenbrock-{size}": (rosenbrock, jax_rosenbrock, rosenbrock, x0),
        f"log-sum-exp of {size}": (mg.logsumexp, lambda x: jax.scipy.special.logsumexp(x), log_sum_exp, x0),
        "Gaussian mixture": (mixture, jax_mixture, lambda x: mixture(x, casadi.exp, log_sum_exp), x0[:20]),
    }


def overhead(small):
    """Time of value and gradient ÷ time of the value alone."""
    if isinstance(np, Missing):
        return
    rows, missing = [], {}
    for name, (f, jf, cf, x0) in objectives(20 if small else 1000).items():
        answers = {}
        for backend in ("native", "numpy"):
            reason = missing_backend(backend)
            if reason is not None:
                missing[f"microgradlike, {backend}"] = str(reason)
                continue
            w = [Value(x) for x in x0]
            step = mg.compile(lambda one, f=f, w=w: f(w) * one, backend=backend)
            answer = step.value_and_grad([1.0])
            order = dict(zip(step.parameters, answer[1], strict=True))
            answers[backend] = [answer[0], [order[p] for p in w]]
            theta = np.array([p.data for p in step.parameters])
            runner = step.recording.runners[backend]
            batch = step._rows(([1.0],), {})
            value, gradient = pair(lambda: runner.values(theta, batch), lambda: runner.gradient(theta, batch), small)
            rows.append([name, f"microgradlike, {backend}", 1e6 * value, 1e6 * gradient, gradient / value])
        if isinstance(jax, Missing):
            missing["JAX jit"] = str(jax)
        else:
            x, only, both = jnp.array(x0), jax.jit(jf), jax.jit(jax.value_and_grad(jf))
            v, g = both(x)
            answers["JAX jit"] = [float(v), np.asarray(g)]
            value, gradient = pair(lambda: only(x).block_until_ready(), lambda: jax.block_until_ready(both(x)), small)
            rows.append([name, "JAX jit", 1e6 * value, 1e6 * gradient, gradient / value])
        if isinstance(casadi, Missing):
            missing["CasADi"] = str(casadi)
        else:
            answers["CasADi"], only, both = in_casadi(cf, x0)
            value, gradient = pair(only, both, small)
            rows.append([name, "CasADi", 1e6 * value, 1e6 * gradient, gradient / value])
        agree(answers)
    yield {
        "name": "W8 what a gradient costs", "unit": "µs", "note": "Theory: at most 4 to 5 times the objective.",
        "columns": ["objective", "", "value, µs", "value and gradient, µs", "ratio"],
        "rows": rows, "missing": missing, "peers": {}, "ratios": {},
    }  # fmt: skip


def in_casadi(f, x0):
    """(value and gradient, a function that computes the value, one that computes both): calls without conversions."""
    x = casadi.SX.sym("x", len(x0))
    y = f(casadi.vertsplit(x))
    start = np.array(x0)
    made = []
    for outputs in ([y], [y, casadi.densify(casadi.gradient(y, x))]):
        results = [np.zeros(o.numel()) for o in outputs]
        buffer, call = casadi.Function("f", [x], outputs).buffer()
        buffer.set_arg(0, memoryview(start))
        for i, result in enumerate(results):
            buffer.set_res(i, memoryview(result))
        made.append((call, results, buffer))  # all of it must stay
    (only, *kept), (both, results, _) = made
    both()
    return [float(results[0][0]), results[1]], lambda _=(kept, start): only(), lambda _=(made, start): both()


def pair(first, second, small):
    """Shortest times of two functions, in turn."""
    best = [float("inf")] * 2
    for _ in range(3 if small else 60):
        for i, f in enumerate((first, second)):
            began = time.perf_counter()
            for _ in range(1 if small else 10):
                f()
            best[i] = min(best[i], (time.perf_counter() - began) / (1 if small else 10))
    return best


# ── W9: a GPT, trained ──────────────────────────────────────────────────────────────────────────
def gpt(small):
    """A training step, Adam included, of the scalar program in docs/examples/gpt.py."""
    program = example("gpt")
    letters = program.Letters(program.read_names())
    names = ["al", "bo"] if small else ["beatrice", "angelica", "florence"]
    documents = [letters.encode(name) for name in names]

    class Table(list):
        """Rows that a Value can select."""

        __slots__ = ()

        def __getitem__(self, i):
            return mg.take(list(self), i) if isinstance(i, Value) else list.__getitem__(self, i)

    class Replayed(program.GPT):
        """The same model, whose tokens may be Values."""

        def __init__(self, tokens, rng):
            super().__init__(tokens, rng)
            self.tokens = Table(self.tokens)

        def loss(self, document):
            keys, values, losses = [], [], []
            for position, (token, following) in enumerate(pairwise(document)):
                losses.append(-mg.take(self(token, position, keys, values), following).log())
            return sum(losses) / len(losses)

    def original(leaf):
        model = program.GPT(len(letters), random.Random(3), leaf)
        optimizer = program.Adam(model.parameters(), steps=10**9)
        taken = [0]

        def work():
            document = documents[taken[0] % len(documents)]
            taken[0] += 1
            loss = model.loss(document)
            loss.backward()
            optimizer.step()
            return loss.data

        return work

    def replayed(backend):
        reason = missing_backend(backend)
        if reason is not None:
            return reason
        model = Replayed(len(letters), random.Random(3))
        step = mg.compile(model.loss, backend=backend)
        rows = [np.array([d], float) for d in documents]

        optimizer = optim.Adam(model.parameters(), optim.Linear(0.01, 0.0, 10**9), betas=(0.85, 0.99))
        step.record(rows[0][0])
        taken = [0]

        def work():
            row = rows[taken[0] % len(rows)]
            taken[0] += 1
            optimizer.zero_grad()
            loss = step.backward(row)
            optimizer.step()
            return loss

        return work

    def by_hand(make):
        def ready():
            weights = [p.data for p in program.GPT(len(letters), random.Random(3)).parameters()]
            step, taken = make(np.array(weights), len(letters)), [0]

            def work():
                document = documents[taken[0] % len(documents)]
                taken[0] += 1
                return step(document, taken[0], 0.01 * (1 - (taken[0] - 1) / 10**9))

            return work

        if isinstance(np, Missing):
            return np
        return Missing("no gcc on this machine") if make is gpt_in_c and shutil.which("gcc") is None else ready()

    from own_value import Value as Own

    peers = {
        "microgradlike, native": replayed("native"),
        "microgradlike, numpy": replayed("numpy"),
        "C by hand, gcc -O3": by_hand(gpt_in_c),
        "NumPy by hand": by_hand(gpt_in_numpy),
        "microgradlike, eager": original(Value),
        "the original program": original(Own),
    }

    steps = 3 if small else 100

    def check(_):
        fresh = {
            "microgradlike, native": replayed("native"), "microgradlike, numpy": replayed("numpy"),
            "C by hand": by_hand(gpt_in_c), "NumPy by hand": by_hand(gpt_in_numpy), "original": original(Own),
        }  # fmt: skip
        agree({label: [work() for _ in range(steps)] for label, work in fresh.items() if not isinstance(work, Missing)})

    note = (
        f"One step on a name of {len(documents[0]) - 1} positions, Adam included: 4,192 parameters. "
        f"The losses of the first {steps} steps agree to 1e-9."
    )
    return case("W9 compiled GPT", "µs", peers, check, small=small, seconds=90, note=note)


def gpt_in_numpy(weights, letters):
    """step(document, number, rate): all positions of a document at once, the backward pass and Adam by hand."""
    sizes = [(letters, 16), (16, 16), (16, 16), (16, 16), (16, 16), (16, 16), (64, 16), (16, 64), (letters, 16)]
    cuts = np.cumsum([a * b for a, b in sizes])[:-1]
    g, mean, square = np.zeros((3, len(weights)))

    def parts(x):
        return [p.reshape(shape) for p, shape in zip(np.split(x, cuts), sizes, strict=True)]

    W, G = parts(weights), parts(g)

    def norm(x):
        scale = (np.einsum("ti,ti->t", x, x)[:, None] / 16 + 1e-5) ** -0.5
        return x * scale, scale

    def norm_back(d, x, scale):
        return scale * d - x * (scale**3 * np.einsum("ti,ti->t", d, x)[:, None] / 16)

    def heads(x):
        return x.reshape(-1, 4, 4).transpose(1, 0, 2)

    def step(document, number, rate):
        tokens, positions, query, key, value, mix, up, down, scores = W
        n = len(document) - 1
        ids, after = document[:-1], document[1:]
        a = tokens[ids] + positions[:n]
        x0, s0 = norm(a)
        h1, s1 = norm(x0)
        q, k, v = heads(h1 @ query.T), heads(h1 @ key.T), heads(h1 @ value.T)
        e = np.tril(np.exp(q @ k.swapaxes(1, 2) * 0.5))
        w = e / e.sum(2, keepdims=True)
        attended = (w @ v).transpose(1, 0, 2).reshape(n, 16)
        x1 = x0 + attended @ mix.T
        h2, s2 = norm(x1)
        z = h2 @ up.T
        r = np.maximum(z, 0.0)
        x2 = x1 + r @ down.T
        p = np.exp(x2 @ scores.T)
        p /= p.sum(1, keepdims=True)
        rows = np.arange(n)
        loss = -np.log(p[rows, after]).mean()

        d = p
        d[rows, after] -= 1.0
        d /= n
        np.matmul(d.T, x2, out=G[8])
        dx = d @ scores
        np.matmul(dx.T, r, out=G[7])
        dz = (dx @ down) * (z > 0.0)
        np.matmul(dz.T, h2, out=G[6])
        dx = dx + norm_back(dz @ up, x1, s2)
        np.matmul(dx.T, attended, out=G[5])
        da = heads(dx @ mix)
        dw = da @ v.swapaxes(1, 2)
        ds = w * (dw - (w * dw).sum(2, keepdims=True)) * 0.5
        back = [
            part.transpose(1, 0, 2).reshape(n, 16) for part in (ds @ k, ds.swapaxes(1, 2) @ q, w.swapaxes(1, 2) @ da)
        ]
        dh = 0.0
        for matrix, gradient, part in zip((query, key, value), G[2:5], back, strict=True):
            np.matmul(part.T, h1, out=gradient)
            dh = dh + part @ matrix
        dx = norm_back(dx + norm_back(dh, x0, s1), a, s0)
        G[0][:] = 0.0
        np.add.at(G[0], ids, dx)
        G[1][:n], G[1][n:] = dx, 0.0

        mean[:] = 0.85 * mean + (1 - 0.85) * g
        square[:] = 0.99 * square + (1 - 0.99) * (g * g)
        weights[:] -= rate * (mean / (1 - 0.85**number)) / (np.sqrt(square / (1 - 0.99**number)) + 1e-8)
        return float(loss)

    return step


GPT_IN_C = r"""
#include <math.h>
#include <string.h>
enum { D = 16, H = 4, T = 16, F = 64, L = LETTERS };
typedef struct {
  double token[L][D], position[T][D], q[D][D], k[D][D], v[D][D], mix[D][D], up[F][D], down[D][F], score[L][D];
} P;
#define COUNT (sizeof(P) / sizeof(double))
static double a[T][D], x0[T][D], h1[T][D], q[T][D], k[T][D], v[T][D], w[T][4][T], att[T][D], x1[T][D], h2[T][D];
static double z[T][F], r[T][F], x2[T][D], p[T][L], s0[T], s1[T], s2[T], dk[T][D], dv[T][D];
static double norm(const double *x, double *y) {
  double s = 0;
  for (int i = 0; i < D; i++) s += x[i] * x[i];
  s = 1 / sqrt(s / D + 1e-5);
  for (int i = 0; i < D; i++) y[i] = x[i] * s;
  return s;
}
static void norm_back(const double *d, const double *x, double s, double *out, int add) {
  double t = 0;
  for (int i = 0; i < D; i++) t += d[i] * x[i];
  t *= s * s * s / D;
  for (int i = 0; i < D; i++) out[i] = (add ? out[i] : 0) + s * d[i] - t * x[i];
}
#define TIMES(rows, columns, W, x, y) \
  for (int i = 0; i < rows; i++) { double s = 0; for (int j = 0; j < columns; j++) s += W[i][j] * x[j]; y[i] = s; }
#define BACK(rows, columns, W, GW, x, d, dx) \
  for (int i = 0; i < rows; i++) { \
    const double e = d[i]; \
    for (int j = 0; j < columns; j++) GW[i][j] += e * x[j]; \
    for (int j = 0; j < columns; j++) dx[j] += e * W[i][j]; \
  }
double step(long n, const long *ids, double *restrict weights, double *restrict gradient,
            double *restrict mean, double *restrict square, double rate, double unbias1, double unbias2) {
  const P *restrict W = (const P *)weights;
  P *restrict G = (P *)gradient;
  double loss = 0;
  memset(gradient, 0, sizeof(P));
  memset(dk, 0, sizeof dk);
  memset(dv, 0, sizeof dv);
  for (int t = 0; t < n; t++) {
    for (int i = 0; i < D; i++) a[t][i] = W->token[ids[t]][i] + W->position[t][i];
    s0[t] = norm(a[t], x0[t]);
    s1[t] = norm(x0[t], h1[t]);
    TIMES(D, D, W->q, h1[t], q[t])
    TIMES(D, D, W->k, h1[t], k[t])
    TIMES(D, D, W->v, h1[t], v[t])
    for (int h = 0; h < 4; h++) {
      double total = 0;
      for (int u = 0; u <= t; u++) {
        double s = 0;
        for (int i = 4 * h; i < 4 * h + 4; i++) s += q[t][i] * k[u][i];
        total += w[t][h][u] = exp(s / 2);
      }
      for (int u = 0; u <= t; u++) w[t][h][u] /= total;
      for (int i = 4 * h; i < 4 * h + 4; i++) {
        double s = 0;
        for (int u = 0; u <= t; u++) s += w[t][h][u] * v[u][i];
        att[t][i] = s;
      }
    }
    TIMES(D, D, W->mix, att[t], x1[t])
    for (int i = 0; i < D; i++) x1[t][i] += x0[t][i];
    s2[t] = norm(x1[t], h2[t]);
    TIMES(F, D, W->up, h2[t], z[t])
    for (int i = 0; i < F; i++) r[t][i] = z[t][i] > 0 ? z[t][i] : 0;
    TIMES(D, F, W->down, r[t], x2[t])
    for (int i = 0; i < D; i++) x2[t][i] += x1[t][i];
    TIMES(L, D, W->score, x2[t], p[t])
    double total = 0;
    for (int i = 0; i < L; i++) total += p[t][i] = exp(p[t][i]);
    for (int i = 0; i < L; i++) p[t][i] /= total;
    loss -= log(p[t][ids[t + 1]]);
  }
  for (int t = n - 1; t >= 0; t--) {
    double dx[D] = {0}, dr[F] = {0}, dh[D] = {0}, datt[D] = {0}, dq[D] = {0}, d0[D];
    p[t][ids[t + 1]] -= 1;
    for (int i = 0; i < L; i++) p[t][i] /= n;
    BACK(L, D, W->score, G->score, x2[t], p[t], dx)
    BACK(D, F, W->down, G->down, r[t], dx, dr)
    for (int i = 0; i < F; i++) dr[i] = z[t][i] > 0 ? dr[i] : 0;
    BACK(F, D, W->up, G->up, h2[t], dr, dh)
    norm_back(dh, x1[t], s2[t], dx, 1);
    BACK(D, D, W->mix, G->mix, att[t], dx, datt)
    for (int h = 0; h < 4; h++) {
      double dw[T], inner = 0;
      for (int u = 0; u <= t; u++) {
        double s = 0;
        for (int i = 4 * h; i < 4 * h + 4; i++) { s += datt[i] * v[u][i]; dv[u][i] += datt[i] * w[t][h][u]; }
        dw[u] = s;
        inner += s * w[t][h][u];
      }
      for (int u = 0; u <= t; u++) {
        double ds = w[t][h][u] * (dw[u] - inner) / 2;
        for (int i = 4 * h; i < 4 * h + 4; i++) { dq[i] += ds * k[u][i]; dk[u][i] += ds * q[t][i]; }
      }
    }
    memset(dh, 0, sizeof dh);
    BACK(D, D, W->q, G->q, h1[t], dq, dh)
    BACK(D, D, W->k, G->k, h1[t], dk[t], dh)
    BACK(D, D, W->v, G->v, h1[t], dv[t], dh)
    norm_back(dh, x0[t], s1[t], dx, 1);
    norm_back(dx, a[t], s0[t], d0, 0);
    for (int i = 0; i < D; i++) { G->token[ids[t]][i] += d0[i]; G->position[t][i] += d0[i]; }
  }
  for (long i = 0; i < COUNT; i++) {
    mean[i] = 0.85 * mean[i] + (1 - 0.85) * gradient[i];
    square[i] = 0.99 * square[i] + (1 - 0.99) * gradient[i] * gradient[i];
    weights[i] -= rate * (mean[i] / unbias1) / (sqrt(square[i] / unbias2) + 1e-8);
  }
  return loss / n;
}
"""


def gpt_in_c(weights, letters):
    """The same, position by position, in C."""
    f = built(GPT_IN_C.replace("LETTERS", str(letters))).step
    f.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 5, *[ctypes.c_double] * 3]
    f.restype = ctypes.c_double
    buffers = [weights, *np.zeros((3, len(weights)))]
    addresses = [x.ctypes.data for x in buffers]
    known = {}

    def step(document, number, rate):
        ids = known.get(id(document))
        if ids is None:
            ids = known[id(document)] = (ctypes.c_long * len(document))(*document)
        return f(len(document) - 1, ids, *addresses, rate, 1 - 0.85**number, 1 - 0.99**number)

    step.buffers = buffers
    return step


# ── how cost grows ──────────────────────────────────────────────────────────────────────────────
def growth(small):
    """Microseconds of a gradient by length of the program and by number of rows."""
    by_length, by_rows = [], []
    reasons = {b: missing_backend(b) for b in ("native", "numpy")}
    missing = {f"microgradlike, {b}": str(r) for b, r in reasons.items() if r is not None}
    backends = [b for b, r in reasons.items() if r is None]
    lengths = (10, 100) if small else (10, 100, 1_000, 10_000, 100_000, 1_000_000)
    batches = (1, 10) if small else (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)

    def measured(step, arguments):
        step.value_and_grad(*arguments)
        best = float("inf")
        stop = time.perf_counter() + (0.0 if small else 0.5)
        while best == float("inf") or time.perf_counter() < stop:
            began = time.perf_counter()
            step.value_and_grad(*arguments)
            best = min(best, time.perf_counter() - began)
        return 1e6 * best

    for backend in backends:
        for length in lengths:
            w = [Value(0.5 + 1e-6 * i) for i in range(max(2, length // 4))]
            step = mg.compile(lambda x, w=w: mg.sum([mg.exp(a * x) * a for a in w]), backend=backend)
            by_length.append([f"microgradlike, {backend}", f"{4 * len(w):,}", measured(step, ([0.5],))])
        w = [Value(0.1 * i) for i in range(25)]
        for count in batches:
            step = mg.compile(lambda x, w=w: mg.sum([mg.exp(a * x) * a for a in w]), backend=backend)
            X = np.linspace(-1, 1, count)
            by_rows.append([f"microgradlike, {backend}", f"{count:,}", measured(step, (X,))])
    for name, column, rows, note in (
        ("How cost grows", "operations", by_length, "Value and gradient of one row; tables of independent terms."),
        ("How cost grows with rows", "examples", by_rows, "Value and gradient of 100 operations over many rows."),
    ):
        yield {
            "name": name, "unit": "µs", "note": note,
            "columns": ["", column, "µs"], "rows": rows, "missing": missing, "peers": {}, "ratios": {},
        }  # fmt: skip


if __name__ == "__main__":
    main(cases)
