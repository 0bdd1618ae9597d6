"""compile(): recording, replaying, gradients, guards, what it refuses. Agreement is in test_compile_backends.py."""

from __future__ import annotations

import math
import threading
from collections import namedtuple

import pytest

import microgradlike as mg
from microgradlike import Value
from microgradlike.compile import BranchError, Compiled, RecordingWarning, compiled
from microgradlike.graph.engine import open_modes

BACKENDS = ["python", "numpy", "native"]


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param != "python":
        pytest.importorskip("numpy", reason="the backend is NumPy's")
    if request.param == "native" and not compiled.find_native():
        pytest.skip("the installation has no native code")
    return request.param


def neuron():
    w, b = [Value(0.5), Value(-1.5)], Value(0.25)

    def loss(x, y):
        return mg.relu(1 - y * mg.tanh(sum((wi * xi for wi, xi in zip(w, x, strict=True)), b)))

    return loss, [*w, b]


X = [[0.1, -0.3], [2.0, 1.0], [-1.0, 0.5], [0.0, 0.0], [3.0, -2.0]]
Y = [1.0, -1.0, 1.0, -1.0, 1.0]


def eager(loss, parameters, rows):
    """Mean value and mean gradients, by graphs."""
    values, sums = [], [0.0] * len(parameters)
    for row in rows:
        for p in parameters:
            p.grad = 0.0
        cost = loss(*row)
        cost.backward()
        values.append(cost.data)
        sums = [s + p.grad for s, p in zip(sums, parameters, strict=True)]
    for p in parameters:
        p.grad = 0.0
    return sum(values) / len(rows), [s / len(rows) for s in sums]


# ── what a user can do ──────────────────────────────────────────────────────────────────────────
def test_one_example_is_exactly_the_eager_result(backend):
    loss, _ = neuron()
    step = mg.compile(loss, backend=backend)
    for x, y in zip(X, Y, strict=True):
        assert step(x, y) == loss(x, y).data
        assert type(step(x, y)) is float


def test_map(backend):
    loss, _ = neuron()
    step = mg.compile(loss, backend=backend)
    assert list(step.map(X, Y)) == pytest.approx([loss(x, y).data for x, y in zip(X, Y, strict=True)], rel=1e-14)


def test_value_and_grad_and_backward(backend):
    loss, parameters = neuron()
    step = mg.compile(loss, backend=backend)
    value, gradient = step.value_and_grad(X, Y)
    expected, expected_gradient = eager(loss, parameters, list(zip(X, Y, strict=True)))
    assert value == pytest.approx(expected, rel=1e-14)
    assert set(step.parameters) == set(parameters)
    found = dict(zip(step.parameters, gradient, strict=True))
    assert [found[p] for p in parameters] == pytest.approx(expected_gradient, rel=1e-13, abs=1e-16)
    parameters[0].grad = 10.0
    assert step.backward(X, Y) == value
    assert parameters[0].grad == 10.0 + found[parameters[0]]
    assert parameters[2].grad == found[parameters[2]]


def test_parameters_are_read_at_every_call(backend):
    w = Value(2.0)
    step = mg.compile(lambda x: w * x, backend=backend)
    assert step(3.0) == 6.0
    w.data = 5.0
    assert step(3.0) == 15.0
    assert list(step.map([1.0, 2.0])) == [5.0, 10.0]
    assert step.value_and_grad([1.0, 3.0]) == (10.0, [2.0])


def test_a_decorator_with_and_without_options():
    w = Value(2.0)

    @mg.compile
    def f(x):
        """Doubles."""
        return w * x

    @mg.compile(backend="python")
    def g(x):
        return w * x

    assert isinstance(f, Compiled)
    assert f(1.0) == g(1.0) == 2.0
    assert (f.__name__, f.__doc__) == ("f", "Doubles.")


def test_a_finished_graph(backend):
    a, b, c = Value(5.0, "a"), Value(3.0, "b"), Value(2.0)
    w = Value(3.0)
    J = w * (a + b * c)
    step = mg.compile(J, inputs=[a, [b, c]], backend=backend)
    assert step(5, [3, 2]) == 33.0
    assert step.parameters == [w]
    assert step.value_and_grad([1.0, 2.0], [[3.0, 4.0], [5.0, 6.0]]) == (67.5, [22.5])
    with pytest.raises(TypeError, match="takes 2 arguments"):
        step(1.0)
    with pytest.raises(ValueError, match="the graph's inputs are"):
        step(1.0, [2.0, 3.0, 4.0])


def test_nested_arguments_and_results(backend):
    Pair = namedtuple("Pair", "left right")

    def f(d, pair):
        return {"sum": d["a"] + d["b"][1], "more": [pair.left * pair.right, 7.0]}

    step = mg.compile(f, backend=backend)
    assert step({"a": 1.0, "b": [2.0, 3.0]}, Pair(4.0, 5.0)) == {"sum": 4.0, "more": [20.0, 7.0]}
    np = pytest.importorskip("numpy", reason="batches in named tuples are arrays")
    found = step.map({"a": [1.0, 2.0], "b": [[2.0, 3.0], [4.0, 5.0]]}, Pair(np.array([4.0, 6.0]), np.array([5.0, 7.0])))
    assert found["sum"].tolist() == [4.0, 7.0]
    assert found["more"].tolist() == [[20.0, 7.0], [42.0, 7.0]]


def test_arrays_of_any_rank(backend):
    np = pytest.importorskip("numpy", reason="the arguments are arrays")
    step = mg.compile(lambda m: m[0][1] * m[1][0], backend=backend)
    assert step(np.array([[1, 2], [3, 4]])) == 6.0
    assert step.map(np.arange(8).reshape(2, 2, 2)).tolist() == [2.0, 30.0]
    assert len(step._recordings) == 1


def test_each_shape_has_its_own_recording(backend):
    step = mg.compile(lambda xs: mg.sum([x * x for x in xs]), backend=backend)
    assert step([1.0, 2.0]) == 5.0
    assert step([1.0, 2.0, 3.0]) == 14.0
    assert list(step.map([[1.0], [2.0]])) == [1.0, 4.0]


def test_parameters_of_several_recordings(backend):
    w = [Value(1.0), Value(2.0), Value(3.0)]
    step = mg.compile(lambda xs: mg.sum([wi * x for wi, x in zip(w, xs, strict=False)]), backend=backend)
    assert step.value_and_grad([[1.0, 2.0]]) == (5.0, [1.0, 2.0])
    assert step.value_and_grad([[1.0, 2.0, 4.0]]) == (17.0, [1.0, 2.0, 4.0])
    assert step.value_and_grad([[1.0, 2.0]]) == (5.0, [1.0, 2.0, 0.0])


def test_the_program_can_be_looked_at():
    a, b = Value(1.0, "a"), Value(2.0, "b")
    step = mg.compile(a * b + a, inputs=[a, b], backend="python")
    assert len(step.program) == 2
    assert "%2 = multiply(a, b)" in str(step.program)
    root = step.program.graph(3.0, 4.0)
    assert root.data == 15.0
    assert "def run(parameters, rows):" in step.program.source("python")
    assert "float" not in repr(step.program)


def test_sources_of_array_backends():
    pytest.importorskip("numpy", reason="shows array instructions")
    loss, _ = neuron()
    step = mg.compile(loss, backend="numpy")
    step.value_and_grad(X, Y)
    assert "dot(" in step.program.source("numpy")
    if compiled.find_native():
        assert "tanh(" in step.program.source("native")


def test_keyword_arguments():
    step = mg.compile(lambda x, y=2.0: x * y, backend="python")
    assert step(3.0) == 6.0
    assert step(3.0, y=4.0) == 12.0


def test_leaves_made_while_recording_are_constants(backend):
    w = Value(2.0)
    step = mg.compile(lambda x: w * x + Value(1.0), backend=backend)
    assert step.value_and_grad([3.0]) == (7.0, [3.0])
    assert step.parameters == [w]


# ── selection by an argument ────────────────────────────────────────────────────────────────────
def test_take_selects_by_an_argument(backend):
    table = [[Value(float(3 * i + j)) for j in range(3)] for i in range(4)]
    step = mg.compile(lambda k, x: mg.dot(mg.take(table, k), x), backend=backend)
    x = [1.0, 10.0, 100.0]
    assert list(step.map([0, 3, 1], [x, x, x])) == [210.0, 1209.0, 543.0]
    _, gradient = step.value_and_grad([2, 2, 0, 1], [x, x, x, x])
    expected = [0.25, 2.5, 25.0, 0.25, 2.5, 25.0, 0.5, 5.0, 50.0, 0.0, 0.0, 0.0]
    found = dict(zip(step.parameters, gradient, strict=True))
    assert [found[p] for row in table for p in row] == expected
    for wrong in (4, 1.5, math.nan, -5):
        with pytest.raises(IndexError, match="index"):
            step.map([0, wrong], [x, x])


def test_a_class_as_an_argument(backend):
    from microgradlike.losses import cross_entropy

    w = [Value(1.0), Value(-0.5), Value(0.25)]
    step = mg.compile(lambda x, k: cross_entropy([wi * x for wi in w], k), backend=backend)
    rows = [(1.0, 0.0), (2.0, 2.0), (-1.0, 1.0)]
    xs, ks = zip(*rows, strict=True)
    value, gradient = step.value_and_grad(list(xs), list(ks))
    expected, expected_gradient = eager(lambda x, k: cross_entropy([wi * x for wi in w], int(k)), w, rows)
    assert value == pytest.approx(expected, rel=1e-14)
    found = dict(zip(step.parameters, gradient, strict=True))
    assert [found[p] for p in w] == pytest.approx(expected_gradient, rel=1e-14)


# ── guards ──────────────────────────────────────────────────────────────────────────────────────
def branching():
    w = Value(3.0)

    def f(x):
        if x > 0:
            return w * x * x
        return -x if x < -2 else x / w

    return f, w


def test_branches_are_recorded_again(backend):
    f, w = branching()
    step = mg.compile(f, backend=backend)
    xs = [1.0, -1.0, 2.0, -3.0, -0.5]
    assert [step(x) for x in xs] == [f(Value(x)).data for x in xs]
    assert list(step.map(xs)) == pytest.approx([f(Value(x)).data for x in xs], rel=1e-15)
    value, gradient = step.value_and_grad(xs)
    expected, expected_gradient = eager(lambda x: f(Value(x)), [w], [(x,) for x in xs])
    assert value == pytest.approx(expected, rel=1e-14)
    assert gradient == pytest.approx(expected_gradient, rel=1e-14)


def test_branches_can_be_refused(backend):
    f, _ = branching()
    step = mg.compile(f, on_branch="raise", backend=backend)
    assert step(1.0) == 3.0
    assert step(2.0) == 12.0
    with pytest.raises(BranchError, match=r"mg\.where"):
        step(-1.0)
    with pytest.raises(BranchError):
        step.map([1.0, -1.0])


def test_branches_on_parameters_and_truth_and_maximum(backend):
    w = Value(1.0)
    step = mg.compile(lambda x, y: max(x, y) if w else x, backend=backend)
    assert list(step.map([1.0, 5.0], [2.0, 3.0])) == [2.0, 5.0]
    w.data = 0.0
    assert list(step.map([1.0, 5.0], [2.0, 3.0])) == [1.0, 5.0]
    assert step(4.0, 9.0) == 4.0


def test_endless_branches_are_an_error():
    def f(x):
        n = 0
        while x > n:
            n += 1
        return x * n

    step = mg.compile(f, backend="python")
    with pytest.raises(BranchError, match="recorded 64 times"):
        step.map([float(k) for k in range(100)])


def test_modules_of_the_package_can_be_imported():
    mg.compile(lambda x: x)  # now the package has the function where the sub-package's name is
    import microgradlike.compile.inputs as inputs
    import microgradlike.compile.lowering as lowering

    assert callable(inputs.flatten)
    assert "mean" in lowering.LOWERED
    assert callable(mg.compile)


def test_a_long_chain_is_no_work_for_arrays(monkeypatch):
    pytest.importorskip("numpy", reason="chooses between Python and NumPy")
    monkeypatch.setattr(compiled, "find_native", lambda: False)
    w = Value(0.5)

    def chain(x):
        for _ in range(5_000):
            x = mg.tanh(w * x + 0.1)
        return x

    step = mg.compile(chain)
    step.value_and_grad([1.0])
    assert set(step.recording.runners) <= {"python", "interpreter"}
    table = mg.compile(lambda x: mg.sum([mg.tanh(w * x * float(i)) for i in range(9_000)]))
    for _ in range(300):  # so many that a plan pays
        table.value_and_grad([1.0])
    assert table.tier.name == "numpy"


def test_a_number_frozen_by_detaching_is_reported():
    w = Value(2.0)
    for frozen in (lambda x: (w * x).detach() * w, lambda x: (w * w).detach() * x):
        with pytest.warns(RecordingWarning, match=r"reads \.data or detaches \(at .*test_compile\.py"):
            mg.compile(frozen)(1.0)
    assert (
        mg.compile(lambda x: (Value(3.0) + x) * w)(1.0) == 8.0
    )  # a leaf of its own is a constant, and nothing to report


def test_reading_data_is_reported():
    step = mg.compile(lambda x: x * x.data, backend="python")
    with pytest.warns(RecordingWarning, match=r"reads \.data or detaches \(at .*test_compile\.py"):
        assert step(3.0) == 9.0


# ── what it refuses ─────────────────────────────────────────────────────────────────────────────
def test_bad_options():
    with pytest.raises(ValueError, match="backend must be one of 'auto', 'python', 'numpy', 'native', not 'gpu'"):
        mg.compile(lambda x: x, backend="gpu")
    with pytest.raises(ValueError, match="on_branch must be"):
        mg.compile(lambda x: x, on_branch="guess")
    with pytest.raises(ValueError, match="threads must be"):
        mg.compile(lambda x: x, threads=0)
    with pytest.raises(TypeError, match="a function or a Value, not int"):
        mg.compile(3)
    with pytest.raises(TypeError, match="inputs="):
        mg.compile(Value(1.0) * 2)
    with pytest.raises(TypeError, match="inputs= is for a finished graph"):
        mg.compile(lambda x: x, inputs=[])


def test_bad_inputs_of_a_graph():
    a = Value(1.0)
    b = a * 2
    with pytest.raises(TypeError, match="leaf Values"):
        mg.compile(b * 2, inputs=[b])
    with pytest.raises(ValueError, match="twice"):
        mg.compile(b, inputs=[a, a])
    with pytest.raises(TypeError, match="a list of Values"):
        mg.compile(b, inputs=a)


def test_bad_batches(backend):
    loss, _ = neuron()
    step = mg.compile(loss, backend=backend)
    with pytest.raises(ValueError, match="x has 5 rows, but y has 4"):
        step.map(X, Y[:4])
    with pytest.raises(ValueError, match=r"x\[0\] is 2 numbers, x\[1\] is 1 number"):
        step.map([[1.0, 2.0], [1.0]], [1.0, 1.0])
    with pytest.raises(ValueError, match="x has no rows"):
        step.value_and_grad([], [])
    with pytest.raises(TypeError, match="y must have a leading axis"):
        step.map(X, 1.0)
    with pytest.raises(TypeError, match="x"):
        step.map([["a", "b"]], [1.0])
    with pytest.raises(TypeError, match=r"x\[0\]\[0\] holds a Value"):
        step.map([[Value(1.0), 2.0]], [1.0])
    with pytest.raises(TypeError, match="missing"):
        step.map(X)


def test_arrays_that_are_not_numbers():
    np = pytest.importorskip("numpy", reason="the arguments are arrays")
    loss, _ = neuron()
    step = mg.compile(loss)
    with pytest.raises(TypeError, match="x must be an array of real numbers"):
        step.map(np.array([["a", "b"]]), np.array([1.0]))
    with pytest.raises(TypeError, match="x must be an array of real numbers"):
        step.map(np.array([[1j, 2.0]]), np.array([1.0]))


def test_functions_that_cannot_be_recorded():
    with pytest.raises(TypeError, match="must return a Value"):
        mg.compile(lambda x: None)(1.0)
    with pytest.raises(TypeError, match="must return a Value"):
        mg.compile(lambda x: "text")(1.0)
    w = Value(1.0)

    def assigns(x):
        w.data = 2.0
        return w * x

    with pytest.raises(RuntimeError, match="assigns the data of a Value"):
        mg.compile(assigns)(1.0)
    count = []

    def varies(x):
        count.append(1)
        return x * float(len(count))

    with pytest.raises(RuntimeError, match="two different programs"):
        mg.compile(varies)(1.0)
    two = mg.compile(lambda x: [x * w, x])
    with pytest.raises(TypeError, match="must return one Value"):
        two.value_and_grad([1.0])


def test_nothing_recorded_yet():
    step = mg.compile(lambda x: x * 2)
    with pytest.raises(RuntimeError, match="not recorded yet"):
        _ = step.program
    assert step.record(1.0) is step
    assert len(step.program) == 1


def test_a_failed_recording_leaves_nothing_behind():
    w = Value(1.0)

    def f(x):
        if x > 1:
            raise ZeroDivisionError
        return w * x

    step = mg.compile(f, backend="python")
    with pytest.raises(ZeroDivisionError):
        step(2.0)
    assert step(1.0) == 1.0
    assert Value(3.0).data == 3.0  # nobody observes any more


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_missing_backends_say_what_is_missing(monkeypatch, backend):
    monkeypatch.setattr(compiled, "installed", lambda _name: False)
    with pytest.raises(ImportError, match=r'needs numpy.*pip install "microgradlike\[numpy\]"'):
        mg.compile(lambda x: x, backend=backend)


def test_native_code_that_is_not_there_says_how_to_get_it(monkeypatch):
    pytest.importorskip("numpy", reason="without it, that is what is missing")
    monkeypatch.setattr(compiled, "find_native", lambda: False)
    with pytest.raises(ImportError, match=r"without a C compiler.*wheel"):
        mg.compile(lambda x: x, backend="native")


def test_llvm_is_no_longer_a_backend():
    with pytest.raises(ValueError, match="'native', not 'llvm'"):
        mg.compile(lambda x: x, backend="llvm")
    with pytest.raises(TypeError, match="cache"):
        mg.compile(lambda x: x, cache=False)


def test_without_numpy_everything_is_python(monkeypatch):
    monkeypatch.setattr(compiled, "installed", lambda name: name != "numpy")
    monkeypatch.setattr(compiled, "numpy", lambda: None)
    loss, _ = neuron()
    step = mg.compile(loss)
    found = step.map(X * 400, Y * 400)
    assert type(found) is list
    assert found[:5] == [loss(x, y).data for x, y in zip(X, Y, strict=True)]
    value, gradient = step.value_and_grad(X * 400, Y * 400)
    assert type(value) is float
    assert type(gradient) is list


def test_recording_opens_no_mode_which_would_slow_every_operation_down():
    seen = []

    def f(x):
        seen.append(open_modes.get())
        return x * 2.0

    assert mg.compile(f)(1.0) == 2.0
    assert {*seen} == {()}
    seen.clear()
    with mg.no_grad():
        assert mg.compile(f)(1.0) == 2.0
    assert all(seen)


# ── all or nothing, and threads ─────────────────────────────────────────────────────────────────
def test_backward_changes_nothing_if_it_fails(backend):
    loss, parameters = neuron()
    step = mg.compile(loss, backend=backend)
    step.backward(X, Y)
    before = [p.grad for p in parameters]
    with pytest.raises(ValueError, match="rows"):
        step.backward(X, Y[:2])
    assert [p.grad for p in parameters] == before


def test_threads_share_a_compiled_function(backend):
    loss, parameters = neuron()
    step = mg.compile(loss, backend=backend)
    expected = dict(zip(step.record(X[0], Y[0]).parameters, step.value_and_grad(X, Y)[1], strict=True))

    def work():
        for _ in range(20):
            step.backward(X, Y)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for t in workers:
        t.start()
    for t in workers:
        t.join()
    for p in parameters:
        assert p.grad == pytest.approx(80 * expected[p], rel=1e-12)


# ── interruptions ───────────────────────────────────────────────────────────────────────────────
def interrupted(*_arguments, **_named):
    raise KeyboardInterrupt


def test_an_interrupted_run_touches_no_gradient(monkeypatch, backend):
    loss, parameters = neuron()
    step = mg.compile(loss, backend=backend)
    before = step.backward(X, Y)
    grads = [p.grad for p in parameters]
    runner = step.recording.runners[backend]
    inner = {"python": "_function", "numpy": "_sums", "native": "machine"}[backend]
    with monkeypatch.context() as patch:
        patch.setattr(runner, inner, interrupted)
        with pytest.raises(KeyboardInterrupt):
            step.backward(X, Y)
    assert [p.grad for p in parameters] == grads
    assert step.backward(X, Y) == before
    assert [p.grad for p in parameters] == [2.0 * g for g in grads]


def test_an_interrupted_recording_leaves_none(monkeypatch):
    from microgradlike.compile import recording

    loss, parameters = neuron()
    step = mg.compile(loss, backend="python")
    with monkeypatch.context() as patch:
        patch.setattr(recording, "Trace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            step.backward(X, Y)
    assert step.parameters == []
    assert [p.grad for p in parameters] == [0.0] * len(parameters)
    assert step.value_and_grad(X, Y)[0] == pytest.approx(eager(loss, parameters, list(zip(X, Y, strict=True)))[0])


def test_training_meets_a_recording_with_more_parameters(backend):
    """Rows of another shape are recorded when they come, and may use parameters that no row has used before."""
    from microgradlike import optim

    def line(w):
        return lambda xs: mg.square(mg.sum([wi * x for wi, x in zip(w, xs, strict=False)]))

    rows = [[1.0], [1.0, 2.0], [0.5], [0.25, -1.0, 3.0], [2.0, 1.0]]
    eager_w, w = ([Value(1.0), Value(2.0), Value(3.0)] for _ in range(2))
    replayed, steps = mg.compile(line(w), backend=backend), [optim.GradientDescent(v, 0.01) for v in (eager_w, w)]
    for row in rows:
        for step in steps:
            step.zero_grad()
        cost = line(eager_w)(row)
        cost.backward()
        assert replayed.backward([row]) == pytest.approx(cost.data, rel=1e-13)
        for step in steps:
            step()
    assert [v.data for v in w] == pytest.approx([v.data for v in eager_w], rel=1e-13)
