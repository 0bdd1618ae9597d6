"""The careful formulas: Python floats, NumPy and C run them to the same bits. Their accuracy is test_accuracy.py's."""

from __future__ import annotations

import ctypes
import importlib.util
import math
import random
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from microgradlike import floats
from microgradlike.floats import careful, coefficients, words
from microgradlike.native import c_text, rows

ROOT = Path(__file__).parents[1]
EDGES = (
    0.0, 5e-324, 2.2250738585072014e-308, 1e-300, 1e-160, 1e-16, 1e-8, 0.15, 0.25, 0.46, 0.5, 0.66, 0.7, 1.0, 1.4, 2.0,
    3.0, 9.0, 20.0, 28.0, 30.0, 39.0, 40.0, 60.0, 350.0, 700.0, 708.0, 709.78, 744.4, 745.13, 760.0, 790.0, 800.0,
    2.0**52, 2.0**53, 1e150, 1e155, 1e300, 1.7976931348623157e308, math.inf,
)  # fmt: skip
ROOTS = [coefficients.SILU, coefficients.MISH, coefficients.GELU, coefficients.GELU_TANH]


def arity(name: str) -> int:
    return careful.ROWS[name].__code__.co_argcount - 1


def points(name: str) -> list[tuple[float, ...]]:
    """Edges, all with all; ordinary numbers; beside the roots of slopes; and pairs that nearly cancel."""
    grid = [sign * x for x in EDGES for sign in (1.0, -1.0)] + [math.nan]
    rng = random.Random(name)

    def ordinary() -> float:
        return rng.choice([rng.gauss(0, 3), rng.uniform(-45, 45), rng.gauss(0, 1) * 10 ** rng.uniform(-8, 2.9)])

    if arity(name) == 1:
        found = [(x,) for x in grid] + [(ordinary(),) for _ in range(400)] + [(rng.random(),) for _ in range(100)]
        return found + [(root[0][0] * (1 + 10 ** rng.uniform(-16, -1)),) for root in ROOTS for _ in range(30)]
    if arity(name) == 3:
        return [(x, y, z) for x in rng.sample(grid, 12) for y in rng.sample(grid, 12) for z in rng.sample(grid, 12)]
    found = [(x, y) for x in rng.sample(grid, 30) for y in grid] + [(ordinary(), ordinary()) for _ in range(400)]
    found += [(rng.random(), rng.random()) for _ in range(100)]
    if name.startswith("binary_cross_entropy"):  # a target outside [0, 1] lets the terms cancel
        found = [(x, y) for x, y in found if not (y < 0.0 or y > 1.0)]
    if name == "sigmoid_minus":
        found += [(x, 1 / (1 + math.exp(-x)) + rng.choice([0.0, 1e-17, 1e-9])) for x, _ in found[-200:]]
    if name == "logaddexp":
        found += [(x, math.log(-math.expm1(x))) for x in (-(10 ** rng.uniform(-6, 1)) for _ in range(100))]
    return found


def bits(xs: list[float]) -> list[str]:
    return ["nan" if x != x else x.hex() for x in xs]


def on_floats(name: str, xs: list[tuple[float, ...]]) -> list[float]:
    return [careful.ROWS[name](words, *x) for x in xs]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctypes.CDLL]:
    """The C text as a library: rows as they are, and with `_many` as the loop that compilers vectorise."""
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("careful")
    text = [rows.text()]
    for name in careful.ROWS:
        n = arity(name)
        heads, args = ([f"{word}x{j}" for j in range(n)] for word in ("double ", ""))
        call, many = f"mg_{name}({', '.join(args)})", f"mg_{name}({', '.join(f'x{j}[i]' for j in range(n))})"
        arrays = ", ".join(f"const double *x{j}" for j in range(n))
        text += [f"double one_{name}({', '.join(heads)}) {{ return {call}; }}"]
        text += [f"void many_{name}(int n, double *o, {arrays}) {{ for (int i = 0; i < n; i++) o[i] = {many}; }}"]
    for name in c_text.BOTH:
        text += [f"void both_{name}(double x, double *v, double *s) {{ mg_{name}_both(x, v, s); }}"]
    (folder / "careful.c").write_text("\n".join(text))
    flags = ["-O2", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
    flags += ["-I", str(ROOT / "microgradlike" / "native")]
    target = folder / "careful.so"
    subprocess.run([compiler, *flags, folder / "careful.c", "-o", target, "-lm"], check=True)
    yield ctypes.CDLL(str(target))


def function(library: ctypes.CDLL, name: str) -> Callable[..., float]:
    f = getattr(library, f"one_{name}")
    f.restype, f.argtypes = ctypes.c_double, [ctypes.c_double] * arity(name)
    return f


@pytest.mark.parametrize("name", careful.ROWS)
def test_c_has_the_bits_of_floats(name, compiled):
    xs = points(name)
    expected = bits(on_floats(name, xs))
    f = function(compiled, name)
    assert bits([f(*x) for x in xs]) == expected
    many = getattr(compiled, f"many_{name}")
    out = (ctypes.c_double * len(xs))()
    many(len(xs), out, *[(ctypes.c_double * len(xs))(*column) for column in zip(*xs, strict=True)])
    assert bits(list(out)) == expected


@pytest.mark.parametrize("name", [name for name in careful.ROWS if name not in floats.SHORTER])
def test_a_shorter_road_of_floats_ends_at_the_same_bits(name):
    xs = points(name)
    assert bits([getattr(floats, name)(*x) for x in xs]) == bits(on_floats(name, xs))


@pytest.mark.parametrize("name", c_text.BOTH)
def test_a_row_and_its_slope_in_one_function(name, compiled):
    f = getattr(compiled, f"both_{name}")
    f.restype, f.argtypes = None, [ctypes.c_double, *[ctypes.POINTER(ctypes.c_double)] * 2]
    value, slope = ctypes.c_double(), ctypes.c_double()
    found = []
    xs = points(name)
    for (x,) in xs:
        f(x, value, slope)
        found.append((value.value, slope.value))
    assert bits([v for v, _ in found]) == bits(on_floats(name, xs))
    assert bits([s for _, s in found]) == bits(on_floats(c_text.BOTH[name], xs))


@pytest.mark.parametrize("name", careful.ROWS)
def test_numpy_has_the_bits_of_floats(name):
    np = pytest.importorskip("numpy")
    from microgradlike.floats.arrays import ARRAYS

    xs = points(name)
    out = np.empty(len(xs))
    ARRAYS[name](out, *map(np.array, zip(*xs, strict=True)))
    expected = on_floats(name, xs)
    if name in careful.SAME:
        assert bits(out.tolist()) == bits(expected)
    else:  # NumPy has exp, log and pow of its own, and promises 4 ulp
        for x, got, wanted in zip(xs, out.tolist(), expected, strict=True):
            assert got == wanted or abs(got - wanted) <= 2 * math.ulp(wanted) or (got != got and wanted != wanted), x
            assert math.copysign(1.0, got) == math.copysign(1.0, wanted) or got != got, x


def test_numbers_and_arrays_of_one_shape_come_together():
    np = pytest.importorskip("numpy")
    from microgradlike.floats.arrays import ARRAYS

    out = np.empty((3, 4))
    ARRAYS["sigmoid_difference"](out, np.array([[1.0], [2.0], [3.0]]), 2.0)
    assert out.tolist() == [[careful.sigmoid_difference(words, x, 2.0)] * 4 for x in (1.0, 2.0, 3.0)]


@pytest.mark.parametrize("name", ["silu", "mish", "gelu", "gelu_tanh", "silu_slope", "mish_slope", "gelu_slope"])
def test_far_left_is_a_negative_zero_without_a_gap(name):
    xs = [(-(10 ** (k / 50)),) for k in range(140, 300)]
    assert {x.hex() for x in on_floats(name, [x for x in xs if x[0] < -760.0])} == {"-0x0.0p+0"}


def test_the_coefficients_are_those_that_the_script_computes():
    pytest.importorskip("mpmath")
    spec = importlib.util.spec_from_file_location("script", ROOT / "docs" / "careful_coefficients.py")
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name, (_, value) in script.CONSTANTS.items():
        assert getattr(coefficients, name) == value, name
