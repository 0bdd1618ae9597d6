"""What callers are told: each wrong call is refused with an error that names the argument, the value, and the cure.

Messages of the engine itself are in test_value.py, of models in test_models.py; here are those of what lies between.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

import microgradlike as mg
from microgradlike import Value, datasets, losses, nn, optim, saving
from microgradlike.arguments import rows
from microgradlike.files import write_atomically
from microgradlike.graph import engine

a, b = Value(2.0, label="a"), Value(3.0, label="b")


def keyword_only(x, *, scale):
    return x * scale


def replayed():
    step = mg.compile(lambda x: x * x)
    step(2.0)
    return step


WRONG = [
    (lambda: mg.sin(a, x=b), TypeError, r"sin\(\) got multiple values for argument 'x'"),
    (lambda: mg.atan2(a, z=b), TypeError, r"atan2\(\) got 'z' but takes y, x"),
    (lambda: mg.atan2(x=b), TypeError, r"atan2\(\) misses y"),
    (lambda: mg.atan2(a), TypeError, r"atan2\(\) takes 2 argument\(s\) \(y, x\), not 1"),
    (lambda: engine.values.atan2(a, b, a), TypeError, r"\(\) takes (exactly )?2 positional arguments \(?(but )?3"),
    (lambda: mg.logsumexp(a), TypeError, "logsumexp: xs must be a sequence of Values or numbers, not Value"),
    (lambda: mg.sum("12"), TypeError, "sum: xs must be a sequence of Values or numbers, not str"),
    (lambda: mg.softmax([]), ValueError, "softmax: xs is empty; it needs at least one element"),
    (lambda: mg.logsumexp([]), ValueError, "logsumexp: xs is empty"),
    (lambda: mg.dot([a, b], [1.0]), ValueError, "dot: xs and ys must have the same length, not 2 and 1"),
    (lambda: mg.take([[a, b], [a]], Value(0.0)), ValueError, r"take: rows must have the same length, not \[1, 2\]"),
    (lambda: mg.take([a, b], Value(-1.0)), IndexError, "must be an integer from 0 to 1, not -1"),
    (lambda: mg.primitive("sec2", None, formula=None, doc=""), ValueError, "'sec2' is taken by a primitive: "),
    (lambda: optim.SGD(3.0, 0.1), TypeError, "parameters must be a list of Values, not 3.0"),
    (lambda: optim.Adam([a], 0.1, betas=(0.9,)), ValueError, r"betas must be a pair \(β₁, β₂\), not \(0.9,\)"),
    (lambda: rows.read_rows([[1.0], "2"]), TypeError, r"X\[1\] must be a row of numbers, not str"),
    (lambda: rows.read_column([]), ValueError, "y is empty"),
    (lambda: rows.read_column(None), ValueError, "requires y to be passed, but the target y is None"),
    (
        lambda: rows.read_column(SimpleNamespace(toarray=None), "labels"),
        TypeError,
        r"labels is a sparse matrix, which is not supported: pass labels\.toarray\(\)",
    ),
    (lambda: mg.compile(keyword_only)(1.0), TypeError, "scale"),
    (lambda: mg.compile(lambda x: x * x)(), TypeError, "missing a required argument: 'x'"),
    (lambda: replayed().program.source("fortran"), ValueError, "backend must be one of .*, not 'fortran'"),
    (lambda: losses.cross_entropy([a, b], 2), IndexError, "2"),
    (lambda: nn.MLP(2, [3], activation="sinus"), ValueError, "unknown activation 'sinus': did you mean 'sin'"),
    (lambda: mg.draw(3.0), TypeError, "draw takes"),
    (lambda: datasets.train_test_split([[1.0]], [1], test_size=2.0), ValueError, "test_size"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[message[:40] for _, _, message in WRONG])
def test_a_wrong_call_is_refused_in_words(call, error, message):
    before = dict(mg.ops.TABLE)
    with pytest.raises(error, match=message):
        call()
    assert before == mg.ops.TABLE


def test_a_primitive_whose_rules_do_not_fit_leaves_nothing_behind():
    rule = lambda m, g, z, x: g / 3.0
    with pytest.raises(ValueError, match="primitive 'third' has 2 rules but parameters"):
        mg.primitive("third", rule, rule, formula=lambda m, x: x / 3.0, parameters=("x",), doc="x/3")
    assert "third" not in mg.ops.TABLE and not hasattr(mg, "third")


def test_a_folder_is_not_written_over(tmp_path):
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        write_atomically(tmp_path, "text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "items", "message"),
    [("float64", ["one"], "is no array of float64"), ("int8", [300.0], "is no array of int8|does not fit int8")],
)
def test_an_array_that_is_none_is_refused_on_loading(kind, items, message):
    pytest.importorskip("numpy", reason="the array is NumPy's")
    with pytest.raises(saving.LoadError, match=message):
        saving._array({"type": kind, "shape": [1], "items": saving.to_json(items, "x")}, "model.x")


def test_an_array_of_complex_numbers_is_not_saved():
    np = pytest.importorskip("numpy", reason="the array is NumPy's")
    with pytest.raises(TypeError, match="x is an array of complex128 and cannot be saved"):
        saving._write_array(np.array([1j]), "x")


# ── optional libraries ──────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("missing", "call", "extra"),
    [
        ("sklearn", lambda: datasets.digits(), "models"),
        ("matplotlib", lambda: mg.plots.activation(), "plots"),
        ("reportlab", lambda: mg.draw(a).to_pdf(), "pdf"),
        ("hypothesis", lambda: mg.testing.expressions, "testing"),
    ],
)
def test_what_is_missing_is_named_with_its_extra(missing, call, extra, monkeypatch):
    """An optional library that cannot be imported is an ImportError that says what to install."""
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, missing, None)
    for name in ("microgradlike.testing.strategies", "microgradlike.figure"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr(mg.testing, "strategies", raising=False)
    with pytest.raises(ImportError, match=rf"microgradlike\[{extra}\]"):
        call()


def test_without_numpy_data_sets_are_lists(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    X, y = datasets.iris()
    assert type(X) is list and type(y) is list and X[0] == [5.1, 3.5, 1.4, 0.2]
    content = {"type": "float64", "shape": [2], "items": saving.to_json([1.0, 2.0], "x")}
    assert saving._array(content, "x") == [1.0, 2.0]
    with pytest.raises(saving.LoadError, match="needs NumPy"):
        saving._array({**content, "shape": [1, 2]}, "x")


def test_an_extension_older_than_its_source_is_noticed(tmp_path):
    """The engine compares what the extension was built from with its sources, and only if one of them is newer."""
    names = ("value.py", "ops.py", "native/lists.h")
    source = "".join(Path(engine.__file__).parents[1].joinpath(name).read_text("utf-8") for name in names)
    built = tmp_path / "_value.so"
    built.write_bytes(b"")
    for when, of, outdated in [(0, source, False), (0, source + "#", True), (2**33, source + "#", False)]:
        os.utime(built, (when, when))
        extension = SimpleNamespace(__file__=str(built), SOURCES=names, BUILT_FROM=sha256(of.encode()).hexdigest())
        assert engine.outdated(extension) is outdated
    gone = SimpleNamespace(__file__=str(tmp_path / "none"), SOURCES=names, BUILT_FROM="")
    assert engine.outdated(gone) is False
    assert engine.outdated(SimpleNamespace(__file__=str(built))) is True


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp949", "utf-8"])
def test_what_is_printed_has_only_letters_of_the_terminal(encoding):
    code = """
import microgradlike as mg
from microgradlike.testing import check_gradients
a, b = mg.Value(2, "a"), mg.Value(3, "b")
J = a * b + a
J.backward()
print(mg.draw(J), mg.explain(J, a), mg.nn.MLP(2, [3, 1]), check_gradients(lambda x: x * x, 2.0))
print(mg.step_through(J), repr(mg.draw(J)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode(encoding)
    assert "13 parameters" in text and ("├─ a × b" if encoding == "utf-8" else "") in text
