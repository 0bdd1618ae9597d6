"""What a recording cannot follow is guarded, checked at each call, or an error that names the line; never frozen."""

import copy
import dataclasses
import math
import warnings

import pytest

import microgradlike as mg
from microgradlike import Value, losses
from microgradlike.compile import RecordingWarning
from microgradlike.compile.compiled import BACKENDS, find_native
from microgradlike.graph.installed import installed


@pytest.fixture(params=[b for b in BACKENDS if b != "auto"])
def backend(request):
    if (request.param == "numpy" and not installed("numpy")) or (request.param == "native" and not find_native()):
        pytest.skip(f"{request.param} is not installed")
    return request.param


w = Value(0.5)


def _matched(x):
    match x:
        case 0:
            return w
        case 1 | 2:
            return 10 * w
    return 100 * w


def _popped(x):
    known = {0: w, 1: 10 * w}
    return known.pop(x, 100 * w)


# Each on plain numbers is the truth for the compiled one.
BY_NUMBER = {
    "==": lambda x: w if x == 1 else -w,
    "!=": lambda x: mg.sin(x * w) / x if x != 0 else 1.0,
    "1 == x": lambda x: w if 1.0 == x else -w,  # noqa: SIM300
    "in": lambda x: w * x if x in (1, 3) else w,
    "not in": lambda x: w if x not in [2.0, 7.0] else 5.0,
    "in a set": lambda x: w if x in {1, 2} else -w,
    "match": _matched,
    "dict.get": lambda x: w * {0: 1.0, 1: 5.0}.get(x, 100.0),
    "dict": lambda x: w * {0: 1.0, 1: 5.0, 2: 7.0, 3: 9.0}[x % 4],
    "dict.pop": _popped,
    "index": lambda x: w * [2.0, 1.0, 0.0, 3.0].index(x % 4),
    "count": lambda x: w * [1, 2, 1].count(x),
    "hash": lambda x: w * hash(x + 1.0),
    "one hot": lambda x: mg.sum([w * k if k == x else -w for k in range(3)]),
    "round": lambda x: w if round(x * 0.6) == 1 else -w,
    "round, 2": lambda x: w * round(x * 1e15 / 3, 2),
    "format": lambda x: w * float(f"{x / 3:.1f}"),
    "text as a key": lambda x: w * {"0": 1.0, "1": 2.0}.get(f"{x:.0f}", 3.0),
    "where": lambda x: mg.where(x == 0, w, 2 * w),
    "assert": lambda x: w if [x].count(2) == 1 else w * 3,
    "%": lambda x: w if x % 2 == 0 else -w,
    "//": lambda x: w if x // 2 == 1 else -w,
    "int division": lambda x: w if divmod(x, 2)[1] == 1 else -w,
    "abs": lambda x: w if abs(x) == 1 else -w,
    "max": lambda x: w * max(x, 1) if min(x, 2) == 2 else w,
    "sorted": lambda x: w * sorted([2.0, x, 1.0])[1],
    "bool": lambda x: w if x else -w,
    "chained": lambda x: w if 0 < x <= 2 else -w,
}


@pytest.mark.parametrize("kind", BY_NUMBER)
def test_what_depends_on_a_number_is_guarded(backend, kind):
    f = BY_NUMBER[kind]
    for numbers in ([0.0, 1.0, 2.0, 3.0, 7.0], [7.0, 3.0, 2.0, 1.0, 0.0], [1.0, 1.0, 2.0], [3.0, -1.0, 0.0, 5.0]):
        w.data = 0.5
        expected = [y.data if isinstance(y, Value) else y for y in map(f, numbers)]
        step = mg.compile(f, backend=backend)
        assert [step(x) for x in numbers] == pytest.approx(expected, rel=1e-14)
        assert list(step.map(numbers)) == pytest.approx(expected, rel=1e-14)
        w.data = 0.25
        slopes = []
        for x in numbers:
            w.grad = 0.0
            y = f(x)
            if isinstance(y, Value):
                y.backward()
            slopes.append(w.grad)
        w.grad = 0.0
        value, gradient = step.value_and_grad(numbers)
        again = [y.data if isinstance(y, Value) else y for y in map(f, numbers)]
        assert value == pytest.approx(sum(again) / len(numbers), rel=1e-14)
        assert sum(gradient) == pytest.approx(sum(slopes) / len(numbers), rel=1e-14)


BY_NUMPY = {
    "isnan": lambda np, x: 0.0 if np.isnan(x) else w * x,
    "isinf": lambda np, x: 1.0 if np.isinf(x) else w * x,
    "isfinite": lambda np, x: w * x if np.isfinite(x) else 2.0,
    "signbit": lambda np, x: -w if np.signbit(x) else w,
    "equal": lambda np, x: w if np.equal(x, 1) else 3 * w,
    "not_equal": lambda np, x: w if np.not_equal(x, 1.0) else 3 * w,
    "array ==": lambda np, x: w * (np.array([x, 1.0]) == 1.0).sum(),
    "greater": lambda np, x: w if np.greater(x, 1) else 3 * w,
    "argmax": lambda np, x: w * int(np.argmax(np.array([x, 1.5]))),
    "round": lambda np, x: w * np.round(x * 1e14 / 3, 2),
    "nan_to_num": lambda np, x: w if np.isnan(x) or np.isinf(x) else w * x,
}


@pytest.mark.parametrize("kind", BY_NUMPY)
def test_what_numpy_asks_of_a_number_is_guarded(backend, kind):
    np = pytest.importorskip("numpy", reason="functions of NumPy")
    f = lambda x: BY_NUMPY[kind](np, x)
    w.data = 0.5
    numbers = [1.0, -1.0, math.nan, 2.0, -math.inf, 0.0, -0.0, math.inf, 100.0]
    if kind in ("argmax", "round"):
        numbers = [x for x in numbers if x - x == 0.0]
    with np.errstate(all="ignore"):
        expected = [float(y.data if isinstance(y, Value) else y) for y in map(f, numbers)]
    for order in (1, -1):
        step = mg.compile(f, backend=backend)
        for found in ([step(x) for x in numbers[::order]], list(step.map(numbers[::order]))):
            assert found == pytest.approx(expected[::order], rel=1e-14, nan_ok=True)


def test_text_that_decides_nothing_is_no_guard(capsys):
    def f(x):
        y = w * x
        y.label = f"weighted {x:.2f}"
        print(f"y is {y.data:.3f}" if False else f"x is {x:.3f}")
        return y

    step = mg.compile(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [step(x) for x in (1.0, 2.0, 3.0)] == [w.data * x for x in (1.0, 2.0, 3.0)]
    assert capsys.readouterr().out == "x is 1.000\n"


def test_identity_is_no_number():
    def f(x, y):
        seen = {w}
        assert w in seen
        assert {w: 1}[w] == 1
        return (w if x is not y else 2 * w) * x

    step = mg.compile(f)
    assert [step(k, 1.0) for k in range(100)] == [w.data * k for k in range(100)]


REFUSED = {
    "two Values": (lambda x, y: w if x == y else -w, RuntimeError, r"mg\.equal"),
    "in a list of Values": (lambda x, y: w if x in [y, w] else -w, RuntimeError, r"mg\.equal"),
    "equal keys": (lambda x, y: w * len({x, y}), RuntimeError, r"mg\.equal"),
    "int": (lambda x, y: w * int(x), TypeError, r"mg\.trunc"),
    "list[x]": (lambda x, y: w * [1.0, 2.0][x], TypeError, r"mg\.take"),
    "range": (lambda x, y: w * len(range(x)), TypeError, r"mg\.take"),
    "repeat": (lambda x, y: w * len([1] * x), TypeError, r"mg\.take"),
    "float": (lambda x, y: w * math.exp(x), TypeError, r"mg\.exp"),
    "math.isnan": (lambda x, y: w if math.isnan(x) else -w, TypeError, r"records"),
    "%": (lambda x, y: w * float("%.1f" % x), TypeError, r"v\.data"),  # noqa: UP031
    "grad": (lambda x, y: (x * x).backward() or x.grad * w, RuntimeError, r"mg\.grad\(f\)"),
    "isinstance": (lambda x, y: w if isinstance(x, (int, float)) else -w, RuntimeError, "isinstance"),
    "type": (lambda x, y: w if type(x) is float else -w, RuntimeError, "isinstance"),
    "assigned": (lambda x, y: setattr(w, "data", 3.0) or w * x, RuntimeError, "assigns the data"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_guarded_is_refused(kind):
    f, error, cure = REFUSED[kind]
    before = w.data, w.grad
    step = mg.compile(f)
    with pytest.raises(error, match=cure) as caught:
        step(1.0, 1.0)
    if error is RuntimeError and cure != "isinstance":
        assert "test_compile_guards.py:" in str(caught.value)
    assert (w.data, w.grad) == before
    assert mg.compile(lambda x: x + 1)(1.0) == 2.0


# ── transforms within a recording ───────────────────────────────────────────────────────────────
WITHIN = {
    "grad": lambda x: mg.grad(lambda t: x * t * t)(2.0) * x,
    "of a parameter": lambda x: mg.grad(lambda t: w * t * t)(2.0) * x,
    "value_and_grad": lambda x: mg.value_and_grad(lambda t: w * t * t)(2.0)[0] * x,
    "jvp": lambda x: mg.jvp(lambda t: w * t * t, (2.0,), (1.0,))[1] * x,
    "jvp, value": lambda x: mg.jvp(lambda t: w * t * t, (2.0,), (1.0,))[0] * x,
    "vjp": lambda x: mg.vjp(lambda t: w * t * t, 2.0)[1](1.0)[0] * x,
    "hessian": lambda x: mg.hessian(lambda t: w * t * t)(2.0) * x,
    "no_grad": lambda x: _without_grad(x),
}


def _without_grad(x):
    with mg.no_grad():
        slope = mg.grad(lambda t: x * t * t)(2.0)
    return slope * x


@pytest.mark.parametrize("kind", WITHIN)
def test_transforms_within_a_recording(backend, kind):
    f = WITHIN[kind]
    step = mg.compile(f, backend=backend)
    for number in (0.5, 2.0):
        w.data = number
        for x in (3.0, 1.0):
            y = f(Value(x))
            assert step(x) == pytest.approx(y.data, rel=1e-14)
            w.grad = 0.0
            y.backward()
            assert sum(step.value_and_grad([x])[1]) == pytest.approx(w.grad, rel=1e-14)
            w.grad = 0.0
            assert step.map([x, x, x])[1] == pytest.approx(y.data, rel=1e-14)
            derivative = mg.grad(lambda x: mg.positive(f(x)))(x)
            assert mg.compile(mg.grad(f), backend=backend)(x) == pytest.approx(derivative, rel=1e-14)
    w.data = 0.5


# ── copies of arguments ─────────────────────────────────────────────────────────────────────────
@dataclasses.dataclass
class Point:
    a: object


COPIES = {
    "asdict": lambda x: dataclasses.asdict(Point(x))["a"] ** 2,
    "copy": lambda x: copy.copy(x) ** 2,
    "deepcopy": lambda x: copy.deepcopy([x, 1.0])[0] ** 2,
    "of a result": lambda x: copy.deepcopy(x * x),
    "replace": lambda x: dataclasses.replace(Point(x), a=x).a ** 2,
    "twice": lambda x: copy.deepcopy(copy.copy(x)) * copy.deepcopy((x, x))[1],
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_an_input_is_the_input(backend, kind):
    f = COPIES[kind]
    assert mg.grad(f)(3.0) == 6.0
    assert mg.hessian(f)(3.0) == 2.0
    assert mg.jvp(f, (3.0,), (1.0,)) == (9.0, 6.0)
    assert mg.grad(mg.grad(mg.grad(f)))(3.0) == 0.0
    assert mg.compile(f, backend=backend)(3.0) == 9.0
    assert mg.compile(mg.grad(f), backend=backend)(3.0) == 6.0
    x = Value(3.0)
    twin = copy.copy(x)
    twin.data = 4.0
    assert (x.data, twin.is_leaf) == (3.0, True)


def test_a_value_of_an_argument_passes():
    rows = [1.0, 2.0]
    f = lambda xs: mg.sum([w * Value(x, label="x") for x in xs])
    assert mg.compile(f)(rows) == f(rows).data
    assert mg.compile(mg.grad(f))(rows) == [0.5, 0.5]
    with pytest.raises(TypeError, match="data must be a real number, not Value"):
        Value(Value(1.0))


# ── what losses check of their data ─────────────────────────────────────────────────────────────
DATA = {
    "logits": (lambda x, y: losses.binary_cross_entropy_with_logits(w * x, y), [0.0, 1.0, 0.3], [2.0, -1.0, 1.1]),
    "probability": (lambda x, y: losses.binary_cross_entropy(mg.sigmoid(w * x), y), [0.0, 1.0], [2.0, -1.0]),
    "computed": (lambda x, y: losses.binary_cross_entropy(mg.sigmoid(w * x), (y + 1) / 2), [-1.0, 1.0], [2.0, -2.0]),
    "hinge": (lambda x, y: losses.hinge(w * x, y), [1.0, -1.0], [0.0]),
    "hinge, computed": (lambda x, y: losses.hinge(w * x, 2 * y - 1), [1.0, 0.0], [0.5]),
    "class": (lambda x, k: losses.cross_entropy([w * x, 0.0, 0.0], k), [0.0, 1.0, 2.0], [-1.0, 3.0, 1.5, math.nan]),
    "class, computed": (lambda x, k: losses.cross_entropy([w * x, 0.0], k - 1), [1.0, 2.0], [0.0, 3.0, 1.5]),
    "categorical": (
        lambda x, k: losses.categorical_cross_entropy(mg.softmax([w * x, 0.0]), k), [0.0, 1.0], [-1.0, 2.0, math.inf],
    ),
    "take": (lambda x, k: w * mg.take([x, 2.0, 3.0], k), [0.0, 2.0], [3.0, -1.0, 0.5]),
    "take, computed": (lambda x, k: w * mg.take([x, 2.0, 3.0], 2 * k), [0.0, 1.0], [2.0, -1.0, 0.25]),
}  # fmt: skip


@pytest.mark.parametrize("kind", DATA)
def test_data_are_checked_at_every_call(backend, kind):
    f, good, bad = DATA[kind]
    step = mg.compile(f, backend=backend)
    x = [0.5] * len(good)
    w.data = 0.5
    expected = [f(0.5, y).data for y in good]
    assert list(step.map(x, good)) == pytest.approx(expected, rel=1e-14)
    assert [step(0.5, y) for y in good] == pytest.approx(expected, rel=1e-14)
    for y in bad:
        negative = kind.startswith("take") and y == -1.0  # a number may count from the end
        with pytest.raises((ValueError, IndexError, TypeError)) as eager:
            f(0.5, y if not negative else 9.0)
        for call in (
            lambda: step(0.5, y),
            lambda: step.map([0.5, 0.5], [good[0], y]),
            lambda: step.value_and_grad([0.5] * 3, [y, good[0], good[0]]),
            lambda: step.backward([0.5], [y]),
            lambda: mg.compile(f, backend=backend).map([0.5], [y]),
        ):
            with pytest.raises(eager.type):
                call()
    assert step.value_and_grad(x, good)[0] == pytest.approx(sum(expected) / len(good), rel=1e-14)


def test_distributions_are_checked(backend):
    f = lambda x, q: losses.cross_entropy([w * x, 0.0, 1.0], q)
    step = mg.compile(f, backend=backend)
    good = [[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]]
    assert list(step.map([1.0, 2.0], good)) == pytest.approx(
        [f(x, q).data for x, q in zip((1.0, 2.0), good, strict=True)]
    )
    for bad in ([1.0, 0.8, 0.0], [1.5, -0.5, 0.0]):
        with pytest.raises(ValueError, match="target"):
            step.map([1.0] * 3, [*good, bad])
        with pytest.raises(ValueError, match="target"):
            step(1.0, bad)


def test_targets_that_depend_on_parameters_are_no_data():
    q = Value(2.0)
    step = mg.compile(lambda x: losses.binary_cross_entropy_with_logits(x, q))
    assert step(1.0) == losses.binary_cross_entropy_with_logits(1.0, q).data


def test_branches_on_data_say_once_what_they_cost():
    step = mg.compile(lambda x: w * x if x > 0 else -w, backend="python")
    with pytest.warns(RecordingWarning, match=r"mg\.where\(mg\.greater") as told:
        for _ in range(100):
            step.map([1.0, -1.0])
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(100):
            step.map([1.0, 2.0])
