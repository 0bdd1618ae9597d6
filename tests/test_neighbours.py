"""What other libraries expect: Hypothesis' from_type, NetworkX, IPython's terminal, frames and series as arrays."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, datasets, draw, losses, models, nn
from microgradlike.testing import Program, check_gradients, graphs, register_with_hypothesis

ROOT = Path(__file__).resolve().parent.parent


# ── Hypothesis ──────────────────────────────────────────────────────────────────────────────────
register_with_hypothesis()  # as Hypothesis itself does where the package is installed


@given(...)
def test_annotated_tests_get_values(x: Value, pair: tuple[Value, Value], program: Program):
    assert x.is_leaf and -10 <= x.data <= 10 and type(pair[1]) is Value
    assert isinstance(program(*program.numbers), float)


@given(st.from_type(list[Value]))
def test_values_of_a_list_are_different_nodes(values):
    assert len({id(v) for v in values}) == len(values)


@pytest.mark.parametrize("first", ["hypothesis", "microgradlike", "microgradlike.testing.strategies"])
def test_the_entry_point_is_called_when_hypothesis_is_imported(first, tmp_path):
    """In whatever order the two are imported; the entry point is that of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    entry = re.search(r"\[project.entry-points.hypothesis\]\n(.*?)\n\n", text, re.DOTALL)
    assert entry is not None
    info = tmp_path / "simulated-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: simulated\nVersion: 1\n", "utf-8")
    (info / "entry_points.txt").write_text("[hypothesis]\n" + entry.group(1).replace('"', "") + "\n", "utf-8")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {first}\n"
        "from microgradlike import Value\nfrom hypothesis import strategies as st, find\n"
        "print(type(find(st.from_type(Value), lambda v: True)).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout.strip(), done.returncode) == ("Value", 0), done.stderr


# ── NetworkX ────────────────────────────────────────────────────────────────────────────────────
@settings(max_examples=25)
@given(graphs(["tanh", "multiply", "add", "subtract", "sin", "sigmoid"], max_size=8))
def test_a_gradient_is_the_sum_over_paths_of_a_digraph(root):
    networkx = pytest.importorskip("networkx", reason="to_networkx makes NetworkX graphs")
    root.backward()
    graph = draw(root, detail="full").to_networkx()
    (end,) = (n for n, output in graph.nodes(data="output") if output)
    order = list(networkx.topological_sort(graph))
    arrives = dict.fromkeys(order, 0.0) | {end: 1.0}
    for node in reversed(order):
        for tail, _, derivative in graph.in_edges(node, data="derivative"):
            arrives[tail] += derivative * arrives[node]
    for node, card in graph.nodes(data=True):
        assert card["grad"] == pytest.approx(arrives[node], rel=1e-12, abs=1e-300)


def test_a_digraph_says_what_the_picture_says():
    pytest.importorskip("networkx", reason="to_networkx makes NetworkX graphs")
    x = Value(3, label="x")
    J = 2 * x * x + x**0.5
    before = draw(J).to_networkx()
    assert {grad for _, grad in before.nodes(data="grad")} == {None}
    J.backward()
    graph = draw(J).to_networkx()
    (leaf,) = (n for n, card in graph.nodes(data=True) if card["label"] == "x")
    assert graph.nodes[leaf]["data"] == 3.0 and graph.nodes[leaf]["kind"] == "input"
    assert {0: 2.0} in [card["constants"] for _, card in graph.nodes(data=True)]
    y = Value(3, label="y")
    S = y * y
    S.backward()
    (uses,) = draw(S).to_networkx().edges.values()
    assert uses == {"positions": [0, 1], "derivative": 6.0, "sent": 6.0}
    net = nn.MLP(2, [8, 8, 1], seed=0)
    folded = draw(net, [1.0, 2.0], detail="neurons").to_networkx()
    assert sum(folded.nodes[n]["count"] for n in folded) > len(folded)


def test_without_networkx_the_cure_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(ImportError, match="pip install networkx"):
        draw(Value(1) * 2).to_networkx()


# ── IPython's terminal ──────────────────────────────────────────────────────────────────────────
def test_a_terminal_shows_text_that_can_be_read():
    shell = pytest.importorskip("IPython.core.formatters", reason="IPython asks objects how to show themselves")
    formatter = shell.DisplayFormatter(active_types=["text/plain"])
    x = Value(3, label="x")
    J = mg.tanh(x) * 2
    J.backward()
    shown = {
        name: formatter.format(thing)[0]["text/plain"]
        for name, thing in {
            "drawing": draw(J), "explained": mg.explain(J, x), "page": mg.live(J), "data": datasets.iris(),
            "split": datasets.iris(test_size=0.2), "report": check_gradients(mg.tanh, 1.0),
            "compiled": mg.compile(mg.tanh), "net": nn.MLP(2, [3, 1], seed=1), "list": [x, x],
        }.items()
    }  # fmt: skip
    assert "└─ tanh(x)" in shown["drawing"] or "├─ tanh(x)" in shown["drawing"]
    assert shown["data"] == "Data(X: 150, y: 150 rows of 4 features; classes setosa, versicolor, virginica)"
    assert shown["split"].startswith("Data(X_train: 120, X_test: 30, ")
    assert shown["report"].startswith("4 derivatives are right")
    for name, text in shown.items():
        assert " at 0x" not in text and max(map(len, text.splitlines())) <= 120, name


# ── pandas and polars ───────────────────────────────────────────────────────────────────────────
def _pandas():
    pandas = pytest.importorskip("pandas", reason="frames and series of pandas")
    index = lambda n: [f"row {n - i}" for i in range(n)]  # labels, not places
    return (
        lambda rows: pandas.DataFrame(rows, columns=list("abcd"), index=index(len(rows))),
        lambda xs: pandas.Series(xs, index=range(len(xs), 0, -1)),
    )


def _polars():
    polars = pytest.importorskip("polars", reason="frames and series of polars")
    return (lambda rows: polars.DataFrame(rows, schema=list("abcd"), orient="row"), polars.Series)


@pytest.fixture(params=[_pandas, _polars], ids=["pandas", "polars"])
def kinds(request):
    pytest.importorskip("numpy", reason="pandas and polars hand over arrays")
    return request.param()


@pytest.fixture(scope="module")
def iris():
    X, y = datasets.iris()
    return [[float(x) for x in row] for row in X], [int(label) for label in y]


def test_compiled_functions_take_frames(kinds, iris):
    frame, series = kinds
    rows, labels = iris
    net = nn.MLP(4, [5, 3], activation="tanh", seed=1)
    step = mg.compile(lambda x, label: losses.cross_entropy(net(x), label))
    expected = step.backward(rows, labels)
    grads = [p.grad for p in net.parameters()]
    for p in net.parameters():
        p.grad = 0.0
    assert step.backward(frame(rows), series(labels)) == pytest.approx(expected, rel=1e-12)
    assert [p.grad for p in net.parameters()] == pytest.approx(grads, rel=1e-9, abs=1e-12)


def test_functions_and_transforms_take_series(kinds):
    _, series = kinds
    xs = [1.0, 2.0, 3.0]
    v = series(xs)
    f = lambda x: mg.logsumexp([a * a for a in x])
    for name in ("sum", "logsumexp", "norm", "prod", "mean"):
        assert getattr(mg, name)(v) == getattr(mg, name)(xs), name
    assert list(mg.softmax(v)) == list(mg.softmax(xs)) and mg.dot(v, v) == 14.0
    assert losses.mean_squared_error([Value(x) for x in xs], v).data == 0.0
    assert list(mg.grad(f)(v)) == list(mg.grad(f)(xs))
    assert mg.hessian(f)(v).tolist() == mg.hessian(f)(xs)
    assert mg.value_and_grad(f)(v)[0] == f(xs)
    assert list(mg.compile(mg.grad(f))(v)) == pytest.approx(list(mg.grad(f)(xs)))
    assert check_gradients(f, v).worst.ulps < 8
    assert "x[2]" in str(draw(f, v))


def test_models_take_frames(kinds, iris):
    frame, series = kinds
    rows, labels = iris
    for make in (
        lambda: models.SoftmaxRegression(epochs=5, progress=False),
        lambda: models.MLPClassifier(hidden_layer_sizes=(3,), epochs=2, progress=False, seed=0),
    ):
        X = frame(rows)
        model, twin = make().fit(X, series(labels)), make().fit(rows, labels)
        assert model.score(X, series(labels)) == twin.score(rows, labels)
        assert list(model.predict(X)) == list(twin.predict(rows))
        assert list(model.feature_names_in_) == list("abcd")


def test_a_frame_is_split_by_place_and_stays_a_frame(kinds, iris):
    frame, series = kinds
    rows, labels = iris
    parts = datasets.train_test_split(frame(rows), series(labels), test_size=0.2, seed=3, stratify=True)
    expected = datasets.train_test_split(rows, labels, test_size=0.2, seed=3, stratify=True)
    for part, plain in zip(parts, expected, strict=True):
        assert not isinstance(part, list)
        assert part.to_numpy().tolist() == plain
