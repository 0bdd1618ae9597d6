"""Native code: any array in memory, indices, interrupts, threads, forks, memory; and what it does without."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise

import pytest

import microgradlike as mg
from microgradlike import Value, floats
from microgradlike.compile.compiled import find_native
from microgradlike.graph.engine import values
from microgradlike.ops import TABLE

np = pytest.importorskip("numpy", reason="plans are made with NumPy")
if not find_native():
    pytest.skip("the installation has no native code", allow_module_level=True)

from microgradlike import _native  # noqa: E402
from microgradlike.compile.native_backend import NativeRunner  # noqa: E402


def network(sizes, seed=1, activation=mg.tanh):
    rng = random.Random(seed)
    layers = [
        [([Value(rng.uniform(-1, 1)) for _ in range(a)], Value(rng.uniform(-1, 1))) for _ in range(b)]
        for a, b in pairwise(sizes)
    ]

    def net(x):
        for depth, layer in enumerate(layers):
            x = [mg.dot(ws, x) + b for ws, b in layer]
            if depth < len(layers) - 1:
                x = [activation(v) for v in x]
        return x

    return net


def squared(net):
    return lambda x, y: mg.mean([(a - y) ** 2 for a in net(x)])


# ── arrays ──────────────────────────────────────────────────────────────────────────────────────
def laid_out(x):
    """The same numbers in every way that memory allows."""
    n, k = x.shape
    record = np.zeros(n, [("t", "i4"), ("x", "f8", (k,)), ("u", "i1")])
    record["x"] = x
    aligned = np.zeros(n, np.dtype([("t", "i4"), ("x", "f8", (k,))], align=True))
    aligned["x"] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    wide = np.zeros((2 * n, 3 * k))
    wide[::2, ::3] = x
    shifted = np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(np.float64).reshape(n, k)
    yield from (x, x[::-1][::-1], np.asfortranarray(x), record["x"], aligned["x"], frozen, wide[::2, ::3], shifted)
    yield np.ascontiguousarray(x[::-1])[::-1]  # strides below 0
    yield x.astype(">f8")
    yield x.tolist()


@pytest.mark.parametrize("rows", [1, 300])
def test_rows_of_any_stride_and_type(rows):
    net = network([4, 6, 1])
    x = np.random.default_rng(1).normal(size=(rows, 4))
    y = np.arange(rows) / 7.0
    step = mg.compile(squared(net), backend="native")
    value, gradient = step.value_and_grad(x, y)
    exact = mg.compile(squared(net), backend="python").value_and_grad(x, y)
    assert value == pytest.approx(exact[0], rel=1e-13)
    assert gradient == pytest.approx(exact[1], rel=1e-11, abs=1e-14)
    for other in laid_out(x):
        assert step.value_and_grad(other, y) == (value, gradient)
    assert step.value_and_grad(x.astype(np.float32), y)[0] == pytest.approx(value, rel=1e-5)
    targets = np.zeros(rows, [("y", "f8"), ("z", "i2")])
    targets["y"] = y
    assert step.value_and_grad(x, targets["y"]) == (value, gradient)
    assert step.value_and_grad(x, np.broadcast_to(2.5, rows)) == step.value_and_grad(x, np.full(rows, 2.5))


def test_the_buffers_that_the_machine_is_given_are_checked():
    step = mg.compile(squared(network([2, 3, 1])), backend="native")
    step.value_and_grad([[1.0, 2.0]] * 4, [1.0] * 4)
    machine, outputs, _ = step.recording.runners["native"].machine("gradient", False)
    theta, x, y, out = np.zeros(outputs - 1), np.zeros((5, 2)), np.zeros((5, 1)), np.zeros(outputs)
    assert machine.gradient(theta, (x, y), 5, 1, out) is False
    for arguments, error in (
        ((theta, (x,), 5, 1, out), "rows of 3 numbers, not 2"),
        ((theta, (x, y), 4, 1, out), "one line for each row"),
        ((theta, (x.astype("f4"), y), 5, 1, out), "float64"),
        ((theta[1:], (x, y), 5, 1, out), "parameters must be"),
        ((theta.tolist()[1:], (x, y), 5, 1, out), "parameters must be"),
        ((theta, (x, y), 5, 1, out[1:]), "no room"),
        ((theta, (x, y), 0, 1, out), "no room"),
    ):
        with pytest.raises((TypeError, ValueError), match=error):
            machine.gradient(*arguments)
    with pytest.raises(TypeError):
        machine.gradient([None] * len(theta), (x, y), 5, 1, out)
    assert machine.gradient(theta.tolist(), (x, y), 5, 1, out) is False


def test_indices_that_select_nothing():
    table = [Value(10.0 * i) for i in range(3)]
    step = mg.compile(lambda k, x: mg.take(table, mg.floor(k)) * x, backend="native")
    assert step.map([0.5, 2.0, 1.0], [1.0, 1.0, 1.0]).tolist() == [0.0, 20.0, 10.0]
    for bad in (3.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(IndexError, match="must be an integer from 0 to 2"):
            step.map([0.0, bad, 1.0], [1.0, 1.0, 1.0])
        with pytest.raises(IndexError):
            step.value_and_grad([0.0] * 30 + [bad], [1.0] * 31)
    assert step.map([0.5, 2.0, 1.0], [1.0, 1.0, 1.0]).tolist() == [0.0, 20.0, 10.0]
    machine, outputs, _ = step.recording.runners["native"].machine("values", False)
    with pytest.raises(IndexError, match=r"index 7.0 must be an integer from 0 to 2"):  # who asks it directly
        theta, rows = [v.data for v in step.parameters], (np.array([0.0, 7.0]), np.ones(2))
        machine.values(theta, rows, 2, 1, np.zeros((2, outputs)))


# ── rows of the table ───────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("name", "slope"), _native.pairs)
def test_a_row_and_its_slope_in_one_loop_are_what_they_are_alone(name, slope):
    row, other = getattr(values, name), getattr(values, slope)
    rng = random.Random(name)
    low, high = TABLE[name].domain[0]
    points = [*TABLE[name].trouble, *(rng.uniform(low, high) for _ in range(100)), 0.0, -0.0]
    points += [float("inf"), float("-inf"), float("nan")]
    both = mg.compile(lambda x: [row(x), other(x)], backend="native").map(points)
    alone = [mg.compile(lambda x, f=f: f(x), backend="native").map(points) for f in (row, other)]
    for found, expected in zip(both.T, alone, strict=True):
        assert np.array_equal(found, expected, equal_nan=True)


def test_every_row_has_a_loop():
    missing = {name for name, row in TABLE.items() if row.arity is not None} - set(_native.operations)
    assert missing == set()


def test_what_only_numpy_knows_runs_on_numpy(monkeypatch):
    w = Value(0.5)
    step = mg.compile(lambda x: mg.cbrt(w * x), backend="native")
    expected = step.value_and_grad([1.0, 2.0])
    monkeypatch.setattr(NativeRunner, "machine", lambda self, kind, single: None)
    again = mg.compile(lambda x: mg.cbrt(w * x), backend="native")
    value, gradient = again.value_and_grad([1.0, 2.0])
    assert [value, *gradient] == pytest.approx([expected[0], *expected[1]], rel=1e-14)
    assert again.map([8.0, 1.0]).tolist() == pytest.approx(step.map([8.0, 1.0]).tolist(), rel=1e-14)


@pytest.mark.parametrize("isa", ["plain", "avx2", "avx512"])
def test_all_builds_agree(isa):
    """Each processor's build, where this one has what it needs, on the same network."""
    code = (
        "import numpy as np, microgradlike as mg\nfrom microgradlike import Value, _native\n"
        "w = [Value(0.1 * i - 0.4) for i in range(12)]\n"
        "f = lambda x: mg.sum([mg.tanh(mg.dot(w[3*i:3*i+3], x)) * mg.exp(w[i] * x[0]) for i in range(4)])\n"
        "x = np.random.default_rng(0).normal(size=(1003, 3))\n"
        "v, g = mg.compile(f, backend='native').value_and_grad(x)\n"
        "print(_native.isa, v, *g)"
    )
    environment = {**os.environ, "MICROGRADLIKE_ISA": isa}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    found, *numbers = done.stdout.split()
    if found != isa:
        pytest.skip(f"this processor or build has no {isa}")
    w = [Value(0.1 * i - 0.4) for i in range(12)]
    step = mg.compile(
        lambda x: mg.sum([mg.tanh(mg.dot(w[3 * i : 3 * i + 3], x)) * mg.exp(w[i] * x[0]) for i in range(4)]),
        backend="numpy",
    )
    value, gradient = step.value_and_grad(np.random.default_rng(0).normal(size=(1003, 3)))
    assert [float(x) for x in numbers] == pytest.approx([value, *gradient], rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("exp", -745.0, 709.7),
        ("log", 5e-324, 1e308),
        ("log1p", -0.99, 1e300),
        ("tanh", -20.0, 20.0),
        ("expm1", -40.0, 700.0),
    ],
)
def test_vectorised_functions_beside_those_of_the_c_library(name, low, high):
    rng = random.Random(name)
    xs = [rng.uniform(low, high) for _ in range(2000)] + [rng.uniform(max(low, -1.0), 1.0) for _ in range(2000)]
    function = getattr(mg, name)
    found = mg.compile(lambda x: function(x), backend="native").map(xs)
    expected = [getattr(floats, name)(x) for x in xs]
    errors = [abs(a - b) / math.ulp(b) for a, b in zip(found.tolist(), expected, strict=True)]
    assert max(errors) <= 3.0  # 2 of the loop's, 1 of the library's


# ── threads, interrupts, forks, memory ──────────────────────────────────────────────────────────
def big():
    net = network([8, 16, 3])
    rng = np.random.default_rng(3)
    return squared(net), rng.normal(size=(60_000, 8)), rng.normal(size=60_000)


def test_many_callers_at_once():
    loss, x, y = big()
    step = mg.compile(loss, backend="native", threads=2)
    parts = [slice(i * 5000, (i + 1) * 5000) for i in range(8)]
    expected = [step.value_and_grad(x[p], y[p]) for p in parts]
    wrong = []

    def work(i):
        wrong.extend(n for n in range(10) if step.value_and_grad(x[parts[i]], y[parts[i]]) != expected[i])

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert wrong == []


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts")
def test_an_interrupt_waits_for_all_threads():
    loss, x, y = big()
    step = mg.compile(loss, backend="native", threads=4)
    expected = step.value_and_grad(x, y)
    rng = random.Random(1)
    interrupted = 0

    def stop(_signal, _frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        for _ in range(60):
            block = x.copy()
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, 2e-2))
                for _ in range(5):
                    step.value_and_grad(block, y)
                signal.setitimer(signal.ITIMER_REAL, 0.0)
            except KeyboardInterrupt:
                interrupted += 1
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            block[:] = np.nan  # nobody may be reading it any more
            del block
            assert step.value_and_grad(x, y) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork")  # JAX, where another test has loaded it, warns of any
def test_a_forked_child_computes_the_same():
    loss, x, y = big()
    step = mg.compile(loss, backend="native", threads=2)
    expected = step.value_and_grad(x, y)
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            step.value_and_grad(x[:20_000], y[:20_000])

    other = threading.Thread(target=busy)
    other.start()
    try:
        children = []
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0 if step.value_and_grad(x, y) == expected else 1)
            children.append(child)
        deadline = time.monotonic() + 60.0
        codes = {}
        while len(codes) < len(children) and time.monotonic() < deadline:
            for child in children:
                if child not in codes:
                    done, status = os.waitpid(child, os.WNOHANG)
                    if done:
                        codes[child] = os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        for child in set(children) - set(codes):
            os.kill(child, signal.SIGKILL)
        assert list(codes.values()) == [0] * 5
    finally:
        stop.set()
        other.join()


def test_the_memory_of_dropped_programs_returns():
    resource = pytest.importorskip("resource", reason="measures memory")

    def once(i):
        w = [Value(0.01 * j + i) for j in range(40)]
        step = mg.compile(lambda x: mg.tanh(mg.dot(w, [x * float(j) for j in range(40)])), backend="native")
        step.value_and_grad(np.linspace(0.0, 1.0, 3000))

    for i in range(30):
        once(i)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for i in range(150):
        once(i)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 8_000 * (1024 if sys.platform == "darwin" else 1)  # kB; V alone takes 20 MB in all
