"""The engine beside other scalar engines: W1 the moons network, W2 a training step of a GPT, W6 deep graphs, W7 import;
and W11 the package's own parts beside the same by hand.

W1 and W2 are the programs of docs/examples; each peer runs the same functions with its own kind of number. Both
builds of our engine are measured side by side in one process. W6 and W7 run in processes of their own, since
memory and imports cannot be measured twice in one.
"""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from common import Missing, agree, case, example, main, optional, spread
from own_value import Value as OwnValue

from microgradlike import value as plain

try:
    from microgradlike import _value as compiled
except ImportError:
    compiled = Missing("this installation has no compiled engine; reinstall with a C compiler")

ENGINES = {"microgradlike, compiled": compiled, "microgradlike, plain Python": plain}


def cases(small):
    """All workloads of this file."""
    yield moons(small)
    yield gpt(small)
    yield from deep(small)
    yield imports(small)
    yield from parts(small)


# ── W1: the moons network ───────────────────────────────────────────────────────────────────────
def moons(small):
    """Loss and gradient of the 2-16-16-1 network over 100 points."""
    program = example("moons")
    points, labels = program.moons(3 if small else 100, random.Random(1))

    def with_values(Value):
        layers = program.network((2, 16, 16, 1), random.Random(2), Value)
        parameters = program.parameters(layers)

        def work():
            for p in parameters:
                p.grad = 0.0
            loss = program.hinge_loss(layers, points, labels, Value.relu)
            loss.backward()
            return [loss.data, [p.grad for p in parameters]]

        return work

    def with_xad():
        Tape, Real, largest = xad.Tape, xad.Real, optional("xad.math").max
        layers = program.network((2, 16, 16, 1), random.Random(2), Real)
        parameters = program.parameters(layers)
        tape = Tape()

        def work():
            with tape:
                tape.registerInputs(parameters)
                tape.newRecording()
                loss = program.hinge_loss(layers, points, labels, lambda x: largest(x, 0.0))
                tape.registerOutput(loss)
                loss.setDerivative(1.0)
                tape.computeAdjoints()
                return [loss.getValue(), [p.getDerivative() for p in parameters]]

        return work

    def with_torch():
        def leaf(x):
            return torch.tensor(x, dtype=torch.float64, requires_grad=True)

        torch.set_num_threads(1)
        layers = program.network((2, 16, 16, 1), random.Random(2), leaf)
        parameters = program.parameters(layers)

        def work():
            for p in parameters:
                p.grad = None
            loss = program.hinge_loss(layers, points, labels, torch.relu)
            loss.backward()
            return [loss.item(), [p.grad.item() for p in parameters]]

        return work

    micrograd, xad, torch = optional("micrograd.engine", "micrograd"), optional("xad.adj_1st", "xad"), optional("torch")
    peers = {label: _or(engine, lambda: with_values(engine.Value)) for label, engine in ENGINES.items()}
    peers["micrograd"] = _or(micrograd, lambda: with_values(micrograd.Value))
    peers["XAD"] = _or(xad, with_xad)
    peers["PyTorch scalars"] = _or(torch, with_torch)
    note = f"Gradient of the max-margin loss, 2-16-16-1, {len(points)} points, written as plain arithmetic."
    return case("W1 moons, eager", "ms", peers, small=small, seconds=60, note=note)


def _or(module, make):
    """make(), or why the peer is missing."""
    return module if isinstance(module, Missing) else make()


# ── W2: one training step of a GPT ──────────────────────────────────────────────────────────────
def gpt(small):
    """Forward, backward and Adam for one name."""
    program = example("gpt")
    letters = program.Letters(program.read_names())
    document = letters.encode("al" if small else "beatrice")

    def with_values(Value):
        model = program.GPT(len(letters), random.Random(3), Value)
        optimizer = program.Adam(model.parameters(), steps=10**6)

        def work():
            loss = model.loss(document)
            loss.backward()
            optimizer.step()
            return loss.data

        def first_steps():
            work.losses = work.losses or [work() for _ in range(3)]
            return work.losses

        work.losses = None
        return work, first_steps

    ready = {label: _or(e, lambda: with_values(e.Value)) for label, e in ENGINES.items()}
    ready["the program's own __slots__ class"] = with_values(OwnValue)
    works = {label: r if isinstance(r, Missing) else r[0] for label, r in ready.items()}

    def check(_):
        agree({label: r[1]() for label, r in ready.items() if not isinstance(r, Missing)})

    note = f"One step on a document of {len(document) - 1} positions, optimiser included: 4,192 parameters."
    return case("W2 GPT step, eager", "ms", works, check, small=small, note=note)


# ── W6: deep and huge graphs ────────────────────────────────────────────────────────────────────
SHAPES = {"chain": "y = y·1 + x, n times", "fan-out": "Σ x·c, n/2 products of one leaf, summed two by two"}


def deep(small):
    """Build, sort, backward and free; nanoseconds and bytes per node."""
    sizes = (1_000, 10_000) if small else (10_000, 100_000, 1_000_000, 10_000_000)
    columns = ["engine", "nodes", "build", "sort", "backward", "free", "ns a node, in all", "bytes a node"]
    for shape, what in SHAPES.items():
        rows, missing = [], {}
        for label in (*ENGINES, "XAD", "micrograd"):
            for size in sizes:
                if label == "micrograd" and size > 100_000:
                    continue
                runs = [_child(shape, label, size) for _ in range(1 if small or size > 1_000_000 else 3)]
                if "missing" in runs[0]:
                    missing[label] = runs[0]["missing"]
                    break
                if "failed" in runs[0]:
                    rows.append([label, f"{size:,}", runs[0]["failed"], *[""] * 5])
                    continue
                mid = {key: spread([run[key] for run in runs])["median"] for key in runs[0]}
                phases = [mid[key] / size * 1e9 for key in ("build", "sort", "backward", "free")]
                total = phases[0] + phases[2] + phases[3]  # backward sorts too
                rows.append([label, f"{size:,}", *phases, total, mid["bytes"]])
        yield {
            "name": f"W6 deep graphs: {shape}",
            "unit": "ns",
            "note": f"{what}. Nanoseconds a node. Bytes: growth of the process while the graph stands, after backward.",
            "columns": columns,
            "rows": rows,
            "missing": missing,
        }


def _child(shape, label, size):
    command = [sys.executable, __file__, "--deep", shape, label, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _graph(shape, leaf, size):
    """The root of a graph of about `size` nodes, its leaf, and the derivative that must come out."""
    x = leaf(1.0)
    if shape == "chain":
        y = x
        for _ in range(size // 2):
            y = y * 1.0 + x
        return y, x, size // 2 + 1.0
    level = [x * 2.0 for _ in range(size // 2)]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [a + b for a, b in zip(level[::2], level[1::2])] + odd  # noqa: B905  (the last one may be over)
    return level[0], x, size // 2 * 2.0


def _resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure_deep(shape, label, size):
    """In a process of its own: the phases of one graph's life, in seconds, and its bytes a node."""
    clock = time.process_time
    if label == "XAD":
        return _measure_deep_xad(shape, size)
    engine = {**ENGINES, "micrograd": optional("micrograd.engine", "micrograd")}[label]
    if isinstance(engine, Missing):
        return {"missing": str(engine)}
    before = _resident() if Path("/proc/self/statm").exists() else None
    t0 = clock()
    y, x, expected = _graph(shape, engine.Value, size)
    t1 = clock()
    if label != "micrograd":
        order = engine.topological_order(y)
        assert len(order) >= size - 1
        del order
    t2 = clock()
    try:
        y.backward()
    except RecursionError:
        return {"failed": "RecursionError in backward()"}
    t3 = clock()
    assert x.grad == expected, (x.grad, expected)
    grown = 0 if before is None else _resident() - before
    t4 = clock()
    del y
    if label == "micrograd":
        gc.collect()  # its nodes refer to themselves, through their closures: nothing else frees them
    t5 = clock()
    return {"build": t1 - t0, "sort": t2 - t1, "backward": t3 - t2, "free": t5 - t4, "bytes": grown / size}


def _measure_deep_xad(shape, size):
    clock, xad = time.process_time, optional("xad.adj_1st", "xad")
    if isinstance(xad, Missing):
        return {"missing": str(xad)}
    before = _resident() if Path("/proc/self/statm").exists() else None
    inputs = []

    def leaf(number):
        x = xad.Real(number)
        tape.registerInput(x)
        tape.newRecording()
        inputs.append(x)
        return x

    with xad.Tape() as tape:
        t0 = clock()
        y, _, expected = _graph(shape, leaf, size)
        t1 = clock()
        tape.registerOutput(y)
        y.setDerivative(1.0)
        tape.computeAdjoints()
        t2 = clock()
        assert inputs[0].getDerivative() == expected
        grown = 0 if before is None else _resident() - before
        t3 = clock()
        del y
        tape.clearAll()
        t4 = clock()
    return {"build": t1 - t0, "sort": 0.0, "backward": t2 - t1, "free": t4 - t3, "bytes": grown / size}


# ── W7: import ──────────────────────────────────────────────────────────────────────────────────
def imports(small):
    """What it takes a fresh interpreter to start, import a package and exit."""

    def start(code):
        def work():
            subprocess.run([sys.executable, "-c", code], check=True, cwd=folder, env=environment)
            return 0

        return work

    import microgradlike

    folder = Path(microgradlike.__file__).parents[1]
    environment = {name: x for name, x in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    peers = {"microgradlike": start("import microgradlike"), "an empty interpreter": start("pass")}
    for name in ("micrograd.engine", "xad.adj_1st", "numpy", "casadi", "torch", "jax"):
        found = optional(name)
        peers[name.split(".")[0]] = found if isinstance(found, Missing) else start(f"import {name}")
    note = "A fresh process with warm files: start, import, exit. Processor time of that process."
    return case("W7 import", "ms", peers, small=small, note=note, clock=children_time)


def children_time():
    """Seconds of processor time that processes started from here have used."""
    try:
        import resource
    except ImportError:  # not a Unix
        return time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# ── W11: the package's own parts beside the same by hand ────────────────────────────────────────
def parts(small):
    """A network, a layer of tanh, softmax and a loss: the package's, and written with * and + and exp; eager."""
    import microgradlike as mg

    def beside(name, ours, other, leaves, label="by hand", check=None):
        def work(f):
            def run():
                for v in leaves:
                    v.grad = 0.0
                loss = f()
                loss.backward()
                return [loss.data, [v.grad for v in leaves]]

            return run

        peers = {"microgradlike's own": work(ours), label: work(other)}
        return case(f"W11 {name}", "µs", peers, check, small=small, seconds=8, note="Value and gradient, eager.")

    def weighted(xs):
        return mg.sum([x * (1.0 + k) for k, x in enumerate(xs)])

    def network(x):
        for layer in net.layers:
            zs = []
            for neuron in layer.neurons:
                z = neuron.b
                for w, each in zip(neuron.w, x, strict=True):
                    z = z + w * each
                zs.append(z if layer is net.layers[-1] else z.relu())
            x = zs
        return x[0]

    def softmax(xs):
        exponentials = [mg.exp(x) for x in xs]
        total = sum(exponentials)
        return [e / total for e in exponentials]

    def leaves(n):
        return [mg.Value(numbers.uniform(-1, 1)) for _ in range(n)]

    net, numbers = mg.nn.MLP(2, [16, 16, 1], seed=1), random.Random(4)
    point = [0.5, -0.3]
    yield beside("nn.MLP 2-16-16-1", lambda: +first(net(point)), lambda: network(point), net.parameters())
    xs = leaves(20 if small else 1000)
    products = lambda: weighted([x * 0.75 for x in xs])
    tanhs = lambda: weighted([x.tanh() for x in xs])
    yield beside(f"{len(xs)} tanh", tanhs, products, xs, "as many products", lambda _: None)
    for n in (10, 100) if small else (10, 100, 1000):
        zs = leaves(n)
        ours, other = [lambda f=f, zs=zs: weighted(f(zs)) for f in (mg.softmax, softmax)]
        yield beside(f"softmax of {n}", ours, other, zs)
    zs = leaves(10)
    by_hand = lambda: mg.log(sum([mg.exp(z) for z in zs])) - zs[3]
    yield beside("cross-entropy of 10", lambda: mg.losses.cross_entropy(zs, 3), by_hand, zs)


def first(output):
    """The Value that a network with one output answers."""
    return output[0] if isinstance(output, list) else output


if __name__ == "__main__":
    if sys.argv[1:2] == ["--deep"]:
        print(json.dumps(measure_deep(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        main(cases)
