"""The guided tour, `python -m microgradlike tour`: a lesson in order, from one graph to models of real data.

Every figure of the worked examples is compared with what the engine computes; `--figures` lists them. Pictures and
pages go to one folder.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import microgradlike as mg
from microgradlike import Value, datasets, losses, nn, optim
from microgradlike.files import write_atomically
from microgradlike.graph.explain import explain


class Checks:
    """Compares figures with the digits that are expected of them, counts those that are off and keeps the list."""

    def __init__(self) -> None:
        self.off = self.made = 0
        self.lines: list[str] = []

    def __call__(self, name: str, found: Any, expected: str) -> None:
        """One figure: `expected` is a decimal text; found must print as it, with as many digits."""
        number = found.data if isinstance(found, Value) else float(found)
        digits = len(expected.partition(".")[2])
        shown = f"{number:.{digits}f}"
        self.made += 1
        self.off += shown != expected
        line = f"  {name:<14} {shown:>14}   expected {expected:>12}   {'ok' if shown == expected else 'OFF'}"
        self.lines.append(line)
        if shown != expected:
            print(line)


Show = Callable[[Value, str, str], None]  # saves a picture of a Value under a name, with a title


def heading(text: str) -> None:
    """A section of the tour."""
    print(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text)


def tree(v: Value) -> None:
    """The graph of a Value as text, if this machine can draw."""
    try:
        from microgradlike.draw import draw
    except ImportError:
        return
    print("\n".join(f"   {line}" for line in str(draw(v, detail="full")).splitlines()))


def computation_graph(check: Checks, show: Show) -> None:
    """E1: J = 3(a + b·c), forward and backward."""
    heading("1. A computation graph, forward and backward: J = 3(a + b·c)")
    a, b, c = Value(5, label="a"), Value(3, label="b"), Value(2, label="c")
    u = b * c
    v = a + u
    J = 3 * v
    u.label, v.label, J.label = "u", "v", "J"
    J.backward()
    for name, found, expected in [
        ("u", u, "6"), ("v", v, "11"), ("J", J, "33"), ("dJ/dv", v.grad, "3"), ("dJ/du", u.grad, "3"),
        ("dJ/da", a.grad, "3"), ("dJ/db", b.grad, "6"), ("dJ/dc", c.grad, "9"),
    ]:  # fmt: skip
        check(name, found, expected)
    raised = 3 * (Value(5.001) + b * c)
    check("J(a + 0.001)", raised, "33.003")
    tree(J)
    print(f"   a grows by 0.001, and J by {raised.data - J.data:.3f}: that is what ∂J/∂a = {a.grad:g} says.")
    show(J, "E1-computation-graph", "J = 3(a + b·c)")


def branching_graph(check: Checks, show: Show) -> None:
    """E2: y = 2x, z = x, J = 3yz: the gradients of two paths add."""
    heading("2. Where paths meet, gradients add: J = 3·y·z with y = 2x, z = x")
    x = Value(5, label="x")
    y = 2 * x
    z = mg.positive(x)
    J = 3 * y * z
    y.label, z.label, J.label = "y", "z", "J"
    J.backward()
    through_y, through_z = y.grad * 2, z.grad * 1
    check("through y, 6z", through_y, "30")
    check("through z, 3y", through_z, "30")
    check("dJ/dx", x.grad, "60")
    print("   " + str(explain(J, x)).replace("\n\n", "\n").replace("\n", "\n   "))
    show(J, "E2-branching-graph", "J = 3·y·z with y = 2x, z = x")


def logistic_regression_by_hand(check: Checks, show: Show) -> None:
    """E3: one example through one neuron; the gradients are a − y times the inputs."""
    heading("3. One neuron and one example: z = w1·x1 + w2·x2 + b, a = σ(z), L = −ln a")
    x1, x2, y = 1.5, -2.0, 1.0
    w1, w2, b = (nn.Parameter(number, name) for number, name in [(0.8, "w1"), (0.3, "w2"), (-0.1, "b")])
    z = w1 * x1 + w2 * x2 + b
    a = mg.sigmoid(z)
    L = losses.binary_cross_entropy(a, y)
    z.label, a.label, L.label = "z", "a", "L"
    L.backward()
    check("z", z, "0.5")
    check("a = σ(z)", a, "0.62245933")
    check("L = −ln a", L, "0.47407698")
    for name, found, by_hand in [
        ("da = −y/a", a.grad, -y / a.data), ("dz = a − y", z.grad, a.data - y),
        ("dw1 = x1·dz", w1.grad, x1 * (a.data - y)), ("dw2 = x2·dz", w2.grad, x2 * (a.data - y)),
        ("db = dz", b.grad, a.data - y),
    ]:  # fmt: skip
        check(name, found, f"{by_hand:.8f}")
    print(f"   a = {a.data:.4f}, L = {L.data:.4f}. Every gradient is a − y = {z.grad:.4f} times an input:")
    print(f"   dw1 = {w1.grad:.4f}, dw2 = {w2.grad:.4f}, db = {b.grad:.4f}")
    show(L, "E3-logistic-regression", "Logistic regression, one example")


def cross_entropies(check: Checks, _show: Show) -> None:
    """E5: the loss of a distribution over classes; softmax from scores."""
    heading("4. Several classes: the cross-entropy of what was said and what is true, the second class")
    sure, unsure = (losses.categorical_cross_entropy(q, 1) for q in ([0.2, 0.7, 0.1], [0.4, 0.4, 0.2]))
    check("Q=(.2,.7,.1)", sure, "0.35667")
    check("Q=(.4,.4,.2)", unsure, "0.91629")
    clear, close = mg.softmax([1.37, 0.0]), mg.softmax([1.37, 1.36])
    print(f"   (0.2, 0.7, 0.1) costs {float(sure):.4f}, (0.4, 0.4, 0.2) costs {float(unsure):.4f}")
    print(f"   argmax treats scores (1.37, 0) and (1.37, 1.36) alike; softmax says {clear[0]:.3f} and {close[0]:.3f}")
    z = 0.7
    two = losses.cross_entropy([z, 0.0], 0)
    check("two classes", two - losses.binary_cross_entropy_with_logits(z, 1.0), "0.000000000000")


def network_by_hand(check: Checks, show: Show) -> None:
    """E6: the 2-2-2 sigmoid network, forward, backward, one step, forward again."""
    heading("5. A network of 2-2-2 sigmoid neurons: forward, backward, one step against the gradient")
    net = nn.MLP(2, [2, 2], activation="sigmoid", bias=False)
    w = net.parameters()
    for i, number in enumerate([0.3, 0.25, 0.4, 0.35, 0.45, 0.4, 0.7, 0.6]):
        w[i].data, w[i].label = number, f"w{i + 1}"

    def forward() -> tuple[list[Value], Value, list[Value]]:
        hidden = net.layers[0]([0.1, 0.2])
        outputs = net.layers[1](hidden)
        errors = [losses.half_squared_error(o, t) for o, t in zip(outputs, [0.4, 0.6], strict=True)]
        named = [*hidden, *outputs, *errors, *(v.args[0] for v in [*hidden, *outputs])]
        for v, name in zip(named, "h1 h2 o1 o2 E1 E2 z1 z2 z3 z4".split(), strict=True):
            v.label = name
        total = errors[0] + errors[1]
        total.label = "E"
        return [*hidden, *outputs], total, errors

    (h1, h2, o1, o2), E, (E1, E2) = forward()
    E.backward()
    rows = [
        ("z1", h1.args[0], "0.08"), ("z2", h2.args[0], "0.11"), ("h1", h1, "0.51998934"), ("h2", h2, "0.52747230"),
        ("z3", o1.args[0], "0.44498412"), ("z4", o2.args[0], "0.68047592"), ("o1", o1, "0.60944600"),
        ("o2", o2, "0.66384491"), ("E1", E1, "0.02193381"), ("E2", E2, "0.00203809"), ("E", E, "0.02397190"),
        ("dE/do1", o1.grad, "0.20944600"), ("dE/dw5", w[4].grad, "0.02592286"), ("dE/dh1", h1.grad, "0.03240681"),
        ("dE/dw1", w[0].grad, "0.00080888"),
    ]  # fmt: skip
    for name, found, expected in rows:
        check(name, found, expected)
    show(E, "E6-network", "The 2-2-2 network, before the step")
    optim.GradientDescent(w, learning_rate=0.5).step()
    after = "0.29959556 0.24919112 0.39964496 0.34928991 0.43703857 0.38685205 0.69629578 0.59624247".split()
    for i, (parameter, expected) in enumerate(zip(w, after, strict=True), 1):
        check(f"w{i} updated", parameter, expected)
    before = E.data
    (h1, h2, o1, o2), E, (E1, E2) = forward()
    print(f"   the error falls from {before:.6f} to {E.data:.6f}; its page plays every step of both passes")
    for name, found, expected in [
        ("z1", h1.args[0], "0.07979778"), ("z2", h2.args[0], "0.10982248"), ("h1", h1, "0.51993887"),
        ("h2", h2, "0.52742806"), ("z3", o1.args[0], "0.43126996"), ("z4", o2.args[0], "0.67650625"),
        ("o1", o1, "0.60617688"), ("o2", o2, "0.66295848"), ("E1", E1, "0.02125445"), ("E2", E2, "0.00198189"),
        ("E", E, "0.02323634"),
    ]:  # fmt: skip
        check(name, found, expected)


def first_model(epochs: int = 60) -> float:
    """E4: logistic regression written in Values, trained on real flowers; the accuracy on held-back rows."""
    X, y = datasets.iris()
    pairs = [(list(map(float, x)), float(label) - 1.0) for x, label in zip(X, y, strict=True) if label > 0]
    X_train, X_test, y_train, y_test = datasets.train_test_split(
        [x for x, _ in pairs], [label for _, label in pairs], test_size=0.3, seed=0, stratify=True
    )
    heading(f"6. The same neuron on real flowers: versicolor or virginica, from {len(X_train)} measured ones")
    scaler = datasets.Standardizer().fit(X_train)
    rows, held_back = scaler.transform(X_train), scaler.transform(X_test)
    w = [nn.Parameter(0.0, f"w{i + 1}") for i in range(4)]
    b = nn.Parameter(0.0, "b")
    descent = optim.GradientDescent([*w, b], learning_rate=0.5)
    started = time.perf_counter()
    for epoch in range(1, epochs + 1):
        descent.zero_grad()
        cost = losses.mean(
            [losses.binary_cross_entropy_with_logits(mg.dot(w, x) + b, t) for x, t in zip(rows, y_train, strict=True)]
        )
        cost.backward()
        descent.step()
        progress(epoch, epochs, cost.data)
    with mg.no_grad():
        hits = [(mg.dot(w, x) + b > 0) == (t == 1.0) for x, t in zip(held_back, y_test, strict=True)]
    accuracy: float = sum(hits) / len(hits)
    print(
        f"   loss {cost.data:.4f} after {epochs} epochs ({time.perf_counter() - started:.1f} s); "
        f"accuracy on {len(hits)} held-back rows {accuracy:.3f}"
    )
    return accuracy


def more_models(folder: Path | None = None) -> tuple[float, list[Path]]:
    """Real data through the models, three species at once, then tumours: the lower accuracy, and a playground."""
    from microgradlike.models import LogisticRegression, SoftmaxRegression

    X_train, X_test, y_train, y_test = datasets.iris(test_size=0.25, seed=0)
    species = SoftmaxRegression(learning_rate=0.5, epochs=150, standardize=True, progress=False).fit(X_train, y_train)
    lowest = float(species.score(X_test, y_test))
    print(f"   three species, 3 × 4 weights: accuracy on {len(X_test)} held-back rows {lowest:.3f}")
    pages: list[Path] = []
    if folder is not None:
        with suppress(ImportError):
            from microgradlike.draw import playground

            pages.append(
                playground(species, X_train, y_train, title="Three species of iris").save(folder / "iris.html")
            )
    try:
        X_train, X_test, y_train, y_test = datasets.breast_cancer(test_size=0.25, seed=0)
    except ImportError as error:
        print(f"   tumours left out: {error}")
        return lowest, pages
    tumours = LogisticRegression(learning_rate=0.5, epochs=300, standardize=True, progress=False).fit(X_train, y_train)
    accuracy = float(tumours.score(X_test, y_test))
    print(f"   tumours, 30 features: accuracy on {len(X_test)} held-back rows {accuracy:.3f}")
    return min(lowest, accuracy), pages


def descendants() -> None:
    """E7: gradient descent and its descendants on one cost, from one start."""
    from microgradlike.plots import descent_path

    names = "gradient_descent momentum nesterov adagrad rmsprop adadelta adam adamw nadam".split()
    paths = {name: descent_path(name) for name in names}
    heading(f"7. Ways down one slope, 60 steps each: the cost falls from {paths['adam'][0][2]:.2f} to")
    costs = [f"{name} {path[-1][2]:.3f}" for name, path in paths.items()]
    print("   " + ", ".join(costs[:5]) + ",\n   " + ", ".join(costs[5:]))


def learning_pictures(folder: Path) -> list[Path]:
    """What learning looks like: σ, the two costs, the paths of the optimisers. Says so if matplotlib is missing."""
    from microgradlike import plots

    saved: list[Path] = []
    exhibits: dict[str, Callable[[], Any]] = {
        "E3-sigmoid": plots.activation,
        "E4-cost-surfaces": plots.cost_surfaces,
        "E7-descent-paths": plots.descent_paths,
    }
    for name, make in exhibits.items():
        try:
            figure = make()
        except ImportError as error:
            print(f"   no pictures of learning: {error}")
            return saved
        figure.savefig(folder / f"{name}.png", dpi=120)
        saved.append(folder / f"{name}.png")
    return saved


def progress(done: int, total: int, cost: float) -> None:
    """A progress line, redrawn in place: in a terminal only."""
    if sys.stdout.isatty():
        bar = "█" * (24 * done // total)
        print(f"\r   {bar:<24} epoch {done}/{total}  loss {cost:.4f}", end="\n" if done == total else "", flush=True)


def picture(v: Value, folder: Path, name: str, title: str) -> list[Path]:
    """Save the graph of v as a picture and a page to play with, if this machine can; else as DOT text, saying why."""
    try:
        from microgradlike.draw import draw, live, step_through

        page = step_through(v, title=title) if name == "E6-network" else live(v, title=title)
        return [page.save(folder / f"{name}.html"), draw(v, title=title).save(folder / f"{name}.png")]
    except ImportError as error:
        print(f"   only the DOT text of this graph can be written: {error}")
        return [write_atomically(folder / f"{name}.dot", dot_text(v))]


def dot_text(root: Value) -> str:
    """The graph in Graphviz's language, with nothing but the standard library."""
    order = mg.topological_order(root)
    number = {v: i for i, v in enumerate(order)}

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    lines = ["digraph {", "  rankdir=LR; node [shape=box];"]
    for v, i in number.items():
        made = "" if v.op is None else f" = {v.op.name}"
        lines.append(f"  n{i} [label={quoted(f'{v.label or v.data}{made}')}];")
        lines += [f"  n{number[x]} -> n{i};" for x in v.args if isinstance(x, Value)]
    return "\n".join([*lines, "}", ""])


def tour(folder: str | Path = "microgradlike-tour", figures: bool = False) -> int:
    """Run the whole tour; the exit status: 0, or 1 if a figure is off or the model does not learn."""
    started = time.perf_counter()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    engine = "compiled" if mg.compiled else "plain Python"
    print(f"microgradlike {mg.__version__} on Python {sys.version.split()[0]}, {engine} engine")
    check = Checks()
    written: list[Path] = []

    def show(v: Value, name: str, title: str) -> None:
        written.extend(picture(v, folder, name, title))

    for exhibit in (computation_graph, branching_graph, logistic_regression_by_hand, cross_entropies, network_by_hand):
        exhibit(check, show)
    accuracy = first_model()
    lowest, pages = more_models(folder)
    descendants()
    heading("8. Pages to play with: numbers to drag, steps to play, a model that trains as you watch")
    written += [*pages, *learning_pictures(folder)]
    for path in written:
        if path.suffix == ".html":
            print(f"   {path.resolve().as_uri()}")
    print(f"   and {sum(path.suffix != '.html' for path in written)} pictures in {folder}")
    if figures:
        print("\n" + "\n".join(check.lines))
    verdict = f"{check.made} figures agree" if not check.off else f"{check.off} of {check.made} figures OFF"
    more = "" if figures else " (--figures lists them)"
    print(f"{verdict} with the worked examples{more}; {time.perf_counter() - started:.1f} s in all")
    return int(check.off > 0 or min(accuracy, lowest) < 0.85)
