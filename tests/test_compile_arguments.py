"""Arguments arrive in a compiled function as what they were, results leave as what was returned; and what else a
compiled function has in common with a function: keywords, methods, copies, pickles, calls with Values."""

import copy
import os
import pickle
import signal
import threading
import time
from collections import OrderedDict, namedtuple

import pytest

import microgradlike as mg
from microgradlike import Value, losses, nn
from microgradlike.compile.compiled import BACKENDS, find_native
from microgradlike.graph.installed import installed

Pair = namedtuple("Pair", "left right")
MODULE_WEIGHT = Value(3.0)


@pytest.fixture(params=[b for b in BACKENDS if b != "auto"])
def backend(request):
    if (request.param == "numpy" and not installed("numpy")) or (request.param == "native" and not find_native()):
        pytest.skip(f"{request.param} is not installed")
    return request.param


@mg.compile
def module_level(x):
    return MODULE_WEIGHT * x


class Model:
    def __init__(self, w):
        self.w = Value(w)

    @mg.compile
    def f(self, x, power=2):
        return self.w * x**power

    @staticmethod
    @mg.compile
    def doubled(x):
        return x * 2

    @mg.compile(backend="python")
    def loss(self):
        return mg.square(self.w - 1.0)


# ── arguments ───────────────────────────────────────────────────────────────────────────────────
ARRAYS = {
    "scaled": (lambda v: mg.mean(v * 2), 7.0),
    "sum": (lambda v: mg.norm(v + v), 10.0),
    "dot": (lambda v: mg.dot(v * 2, v * 2), 100.0),
    "largest": (lambda v: max(v * 2), 8.0),
    "power": (lambda v: (v**2).sum(), 25.0),
    "product": (lambda v: v @ v, 25.0),
    "transposed": (lambda v: v.T[0] * v.shape[0], 6.0),
    "mean": (lambda v: v.mean(), 3.5),
    "reversed": (lambda v: v[::-1][0] - len(v), 2.0),
    "reshaped": (lambda v: v.reshape(2, 1)[1, 0], 4.0),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_is_an_array(backend, kind):
    np = pytest.importorskip("numpy", reason="arrays")
    f, expected = ARRAYS[kind]
    v = np.array([3.0, 4.0])
    step = mg.compile(f, backend=backend)
    assert step(v) == pytest.approx(expected, rel=1e-15)
    assert step.map(np.array([v, 2 * v]))[0] == pytest.approx(expected, rel=1e-15)
    assert mg.value_and_grad(f)(v)[0] == pytest.approx(expected, rel=1e-15)
    compiled = mg.compile(mg.value_and_grad(f), backend=backend)(v)
    assert compiled[0] == pytest.approx(expected, rel=1e-15)
    assert compiled[1].tolist() == pytest.approx(mg.grad(f)(v).tolist(), rel=1e-15)


def test_lists_tuples_dicts_and_arrays_are_told_apart(backend):
    np = pytest.importorskip("numpy", reason="arrays")
    seen = []

    def f(x):
        seen.append(type(x))
        return x[0]

    step = mg.compile(f, backend=backend)
    for x in ([1.0, 2.0], (1.0, 2.0), np.array([1.0, 2.0]), Pair(1.0, 2.0), {0: 1.0}, OrderedDict({0: 1.0})):
        seen.clear()
        assert step(x) == 1.0
        assert set(seen) == {type(x)}
        assert len(step._recordings) == 1
        step._recordings.clear()
    assert list(step.map([[1.0, 2.0], [3.0, 4.0]])) == [1.0, 3.0]
    assert list(step.map([(1.0, 2.0), (3.0, 4.0)])) == [1.0, 3.0]
    assert list(step.map(np.array([[1.0, 2.0], [3.0, 4.0]]))) == [1.0, 3.0]
    assert list(step.map([np.array([1.0, 2.0]), np.array([3.0, 4.0])])) == [1.0, 3.0]
    assert len(step._recordings) == 3


def test_a_tuple_joins_and_is_a_key(backend):
    step = mg.compile(lambda p: mg.sum(p + (p[0],)) * {p: 1.0}[p], backend=backend)  # noqa: RUF005
    assert step((1.0, 2.0)) == 4.0
    assert step((2.0, 3.0)) == 7.0


# ── results ─────────────────────────────────────────────────────────────────────────────────────
def test_results_leave_as_what_was_returned(backend):
    np = pytest.importorskip("numpy", reason="arrays")
    for f in (
        lambda x: (x, x * x),
        lambda x: [x, (x, 3.0)],
        lambda x: Pair(x, [x, 2 * x]),
        lambda x: {"a": x, "b": (x, {"c": x})},
        lambda x: OrderedDict(b=x, a=2 * x),
    ):
        found, expected = mg.compile(f, backend=backend)(2.0), f(2.0)
        assert (found, type(found)) == (expected, type(expected))
    for f in (
        lambda x: np.array([x, 2 * x]),
        lambda x: np.array([[x, 1.0]]),
        lambda x: np.array([x, x]).sum(keepdims=True),
        lambda x: np.array(x * 3),
    ):
        found, expected = mg.compile(f, backend=backend)(2.0), f(2.0)
        assert (type(found), found.shape, found.dtype) == (np.ndarray, expected.shape, np.dtype(float))
        assert (found == expected).all()


def test_map_puts_the_rows_in_front(backend):
    np = pytest.importorskip("numpy", reason="arrays")
    rows = np.array([1.0, 2.0, 3.0])
    left, right = mg.compile(lambda x: (x, x * x), backend=backend).map(rows)
    assert (left.tolist(), right.tolist()) == ([1.0, 2.0, 3.0], [1.0, 4.0, 9.0])
    pair = mg.compile(lambda x: Pair(x, [x, 2 * x]), backend=backend).map(rows)
    assert type(pair) is Pair
    assert pair.right.tolist() == [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]
    assert mg.compile(lambda x: np.array([[x, 1.0]]), backend=backend).map(rows).shape == (3, 1, 2)


def test_numbers_are_results_too(backend):
    w = Value(0.5)
    f = lambda x: max(0.0, 1 - w * x)
    step = mg.compile(f, backend=backend)
    value, gradient = step.value_and_grad([0.1, 10.0, 1.0])
    assert (value, *gradient) == pytest.approx(((0.95 + 0.0 + 0.5) / 3, -1.1 / 3))
    assert list(step.map([0.1, 10.0])) == [0.95, 0.0]
    constant = mg.compile(lambda x: 3, backend=backend)
    assert constant(1.0) == 3.0
    assert list(constant.map([1.0, 2.0])) == [3.0, 3.0]
    assert constant.value_and_grad([1.0, 2.0]) == (3.0, [])
    assert constant.backward([1.0]) == 3.0
    assert mg.compile(lambda x: x if x > 0 else 0.0, backend=backend).map([1.0, -1.0])[1] == 0.0
    assert mg.compile(mg.grad(lambda x: 3 * x), backend=backend)(1.0) == 3.0
    assert mg.compile(mg.hessian(lambda x: x * x), backend=backend)(1.0) == 2.0
    assert mg.compile(mg.jacobian(lambda v: [v[0] + v[1], 2 * v[1]]), backend=backend)([1.0, 2.0]) == [
        [1.0, 1.0],
        [0.0, 2.0],
    ]


# ── no arguments, keywords ──────────────────────────────────────────────────────────────────────
def test_no_arguments_are_one_row(backend):
    net = nn.MLP(2, [3, 1], seed=0)
    rows = [([0.5, -0.2], 1.0), ([-1.0, 0.3], 0.0), ([0.1, 0.9], 1.0)]

    def loss():
        outputs = [net(x) for x, _ in rows]
        logits = [z if isinstance(z, Value) else z[0] for z in outputs]
        return mg.mean(losses.binary_cross_entropy_with_logits(z, y) for z, (_, y) in zip(logits, rows, strict=True))

    root = loss()
    root.backward()
    expected = [p.grad for p in net.parameters()]
    net.zero_grad()
    step = mg.compile(loss, backend=backend)
    assert step() == root.data
    assert step.backward() == pytest.approx(root.data, rel=1e-14)
    assert [p.grad for p in net.parameters()] == pytest.approx(expected, rel=1e-12, abs=1e-16)
    graph = mg.compile(loss(), inputs=[], backend=backend)
    assert graph.value_and_grad()[0] == pytest.approx(root.data, rel=1e-14)
    assert list(graph.map()) == pytest.approx([root.data], rel=1e-14)


def test_keywords_that_skip_defaults(backend):
    f = lambda x, a=1.0, b=2.0, *, c=3.0: x * a + b * c
    step = mg.compile(f, backend=backend)
    for arguments, named in (
        ((1.0,), {"b": 5.0}),
        ((1.0, 2.0), {"c": 4.0}),
        ((1.0,), {"c": 0.5, "a": 3.0}),
        ((2.0,), {}),
    ):
        assert step(*arguments, **named) == f(*arguments, **named)
    assert list(step.map([1.0, 2.0], b=[5.0, 6.0])) == [16.0, 20.0]
    assert mg.compile(lambda **k: k["x"] - k["y"], backend=backend)(y=1.0, x=3.0) == 2.0
    with pytest.raises(TypeError, match="unexpected keyword"):
        step(1.0, d=2.0)
    with pytest.raises(TypeError, match="b must have a leading axis"):
        step.map([1.0], b=2.0)


# ── methods, copies, pickles ────────────────────────────────────────────────────────────────────
def test_a_method_is_bound():
    one, two = Model(2.0), Model(5.0)
    assert (one.f(3.0), two.f(3.0), one.f(3.0, power=1.0), Model.doubled(4.0)) == (18.0, 45.0, 6.0, 8.0)
    assert one.f is one.f
    assert one.f.parameters == [one.w]
    one.w.data = 1.0
    assert (one.f(3.0), Model.f.function(two, 3.0).data) == (9.0, 45.0)
    assert one.loss.backward() == 0.0
    assert Model(4.0).loss.value_and_grad() == (9.0, [6.0])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_record_anew(copied):
    model = Model(2.0)
    assert model.f(3.0) == 18.0
    twin = copied(model)
    twin.w = Value(10.0)
    assert (twin.f(3.0), model.f(3.0)) == (90.0, 18.0)
    assert copied(module_level)(2.0) == 6.0
    bound = copied(Model(2.0).f)
    assert bound(3.0) == 18.0
    a = Value(2.0)
    w = Value(3.0)
    graph = copied(mg.compile(w * a, inputs=[a]))
    w.data = 4.0
    assert graph(5.0) == (20.0 if copied is copy.copy else 15.0)


def test_a_module_that_holds_a_compiled_function_is_copied():
    class Net(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(2.0)
            self.step = mg.compile(self.forward)

        def forward(self, x):
            return self.w * x

    net = Net()
    assert net.step(3.0) == 6.0
    twin = copy.deepcopy(net)
    twin.w.data = 5.0
    assert (twin.step(3.0), net.step(3.0)) == (15.0, 6.0)


# ── with Values, within one another, within no_grad ─────────────────────────────────────────────
def test_called_with_values_it_is_the_function():
    w = Value(2.0)
    g = mg.compile(lambda z: w * z * z)
    assert g(3.0) == 18.0
    x = Value(3.0)
    g(x).backward()
    assert (x.grad, w.grad) == (12.0, 9.0)
    assert mg.grad(g)(3.0) == 12.0
    assert mg.hessian(g)(3.0) == 4.0
    a = Value(1.0)
    graph = mg.compile(w * a * a, inputs=[a])
    assert mg.grad(graph)(3.0) == 12.0


def test_compiled_within_compiled(backend):
    w = Value(2.0)
    inner = mg.compile(lambda z: w * z, backend=backend)
    assert inner(1.0) == 2.0
    outer = mg.compile(lambda x: inner(x) + inner(1.0), backend=backend)
    assert outer(3.0) == 8.0
    w.data = 5.0
    assert outer(3.0) == 20.0
    assert outer.value_and_grad([3.0]) == (20.0, [4.0])
    assert mg.compile(mg.grad(inner), backend=backend)(3.0) == 5.0
    for many in (lambda x: x * inner.value_and_grad([1.0])[0], lambda x: x * inner.map([1.0])[0]):
        with pytest.raises(RuntimeError, match="while another function is recorded"):
            mg.compile(many, backend=backend)(1.0)
    assert outer(3.0) == 20.0


def test_no_grad_does_not_reach_into_a_recording(backend):
    w = Value(2.0)
    f = lambda x: mg.tanh(w * x)
    rows = [0.1 * k for k in range(20)]
    with mg.no_grad():
        step = mg.compile(f, backend=backend)
        found = list(step.map(rows))
        assert step(0.5) == f(0.5).data
        assert step.value_and_grad([0.0]) == (0.0, [0.0])
    assert found == pytest.approx([f(x).data for x in rows], rel=1e-14)


def test_two_threads_record_functions_that_call_each_other():
    first, second = threading.Event(), threading.Event()
    inner = mg.compile(lambda x: x * 2)

    def waits(x):
        first.set()
        second.wait(0.2)
        return x * inner(1.0)

    outer = mg.compile(waits)
    found = []

    def other():
        first.wait()
        found.append(inner(2.0))
        second.set()

    threads = [threading.Thread(target=lambda: found.append(outer(1.0))), threading.Thread(target=other)]
    for t in threads:
        t.daemon = True
        t.start()
    for t in threads:
        t.join(20)
        assert not t.is_alive()
    assert sorted(found) == [2.0, 4.0]


def test_old_shapes_are_forgotten():
    w = Value(1.0)
    step = mg.compile(lambda xs: w * mg.sum(xs), backend="python")
    for n in range(1, 300):
        assert step([1.0] * n) == n
    assert len(step._recordings) <= 256
    assert step([1.0]) == 1.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork")  # JAX, where another test has loaded it, warns of any
def test_a_fork_inherits_no_held_lock():
    started, stop = threading.Event(), threading.Event()

    def waits(x):
        started.set()
        stop.wait(20)
        return x * 2

    slow = mg.compile(waits)
    other = threading.Thread(target=lambda: slow(1.0))
    other.start()
    started.wait()
    child = os.fork()
    if child == 0:
        try:
            x = Value(3.0)
            (x * x).backward()
            stop.set()
            os._exit(0 if mg.compile(lambda x: x + 1)(1.0) == 2.0 and slow(1.0) == 2.0 and x.grad == 6.0 else 1)
        finally:
            os._exit(2)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    stop.set()
    other.join()
    assert (done, os.waitstatus_to_exitcode(status)) == (child, 0)


def test_auxiliary_results_come_along(backend):
    v = Value(2.0)

    def f(x, y):
        z = v * x
        return mg.square(z - y), {"prediction": z, "right": 1.0 if z > 0 else 0.0}

    step = mg.compile(f, backend=backend, has_aux=True)
    assert step(1.0, 1.0) == (1.0, {"prediction": 2.0, "right": 1.0})
    (value, aux), gradient = step.value_and_grad([1.0, -1.0], [1.0, 0.0])
    assert (value, gradient) == (2.5, [1.0 * 2 / 2 + 4.0 / 2])
    rows = (
        zip(aux["prediction"], aux["right"], strict=True)
        if isinstance(aux, dict)
        else [(a["prediction"], a["right"]) for a in aux]
    )
    assert [tuple(map(float, row)) for row in rows] == [(2.0, 1.0), (-2.0, 0.0)]
    assert step.backward([1.0, 1.0], [1.0, 1.0])[0] == 1.0
    assert v.grad == 2.0
    alone = mg.compile(lambda x: v * x, backend=backend)
    assert alone.value_and_grad([1.0]) == (2.0, [1.0])
    with pytest.raises(TypeError, match="has_aux=True"):
        mg.compile(f, backend=backend).value_and_grad([1.0], [1.0])
