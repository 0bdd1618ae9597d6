"""Writes microgradlike/floats/coefficients.py: the constants of the careful formulas, by mpmath.

    python docs/careful_coefficients.py

Run it only to change a fit; tests/test_careful.py computes what it wrote once more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpmath import (
    cbrt,
    cos,
    erfc,
    exp,
    factorial,
    findroot,
    floor,
    ldexp,
    log,
    lu_solve,
    matrix,
    mp,
    mpf,
    pi,
    sqrt,
    taylor,
)

mp.dps = 60
TARGET = Path(__file__).parents[1] / "microgradlike" / "floats" / "coefficients.py"
SELU_SCALE = mpf("1.0507009873554804934193349852946")
SELU_ALPHA = mpf("1.6732632423543772848170429916717")
GELU_K, GELU_C = 2 * sqrt(2 / pi), mpf(44715) / 10**6


def pair(v: Any) -> tuple[float, float]:
    return float(v), float(v - mpf(float(v)))


def triple(v: Any) -> tuple[float, float, float]:
    a, b = pair(v)
    return a, b, float(v - mpf(a) - mpf(b))


def parts(v: Any, count: int) -> tuple[float, ...]:
    """v as floats of 40 bits, so that their products with a small integer are exact, and a last one of 53."""
    found = []
    for _ in range(count - 1):
        k = int(floor(log(abs(v), 2))) - 39
        found.append(float(ldexp(floor(ldexp(v, -k)), k)))
        v -= mpf(found[-1])
    return (*found, float(v))


def polynomial(coefficients: Any) -> tuple[tuple[float, float], tuple[float, ...]]:
    """The first coefficient as a pair, the others as floats."""
    first, *rest = coefficients
    return pair(first), tuple(float(c) for c in rest)


def interpolated(f: Callable[..., Any], middle: int, n: int) -> tuple[tuple[float, float], tuple[float, ...]]:
    """f as a polynomial in t = (x − middle)/(x + middle) for x ≥ 0, through n Chebyshev nodes."""
    nodes = [cos(pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    rows = matrix([[t**j for j in range(n)] for t in nodes])
    values = matrix([f(middle * (1 + t) / (1 - t)) for t in nodes])
    return polynomial(lu_solve(rows, values))


def cube_root() -> tuple[float, ...]:
    """∛x as a polynomial through four Chebyshev nodes."""
    low, high = sqrt(mpf(1) / 2), sqrt(mpf(2))
    nodes = [(low + high) / 2 + (high - low) / 2 * cos(pi * (2 * i + 1) / 8) for i in range(4)]
    rows = matrix([[x**j for j in range(4)] for x in nodes])
    return tuple(float(c) for c in lu_solve(rows, matrix([cbrt(x) for x in nodes])))


def at_root(f: Callable[..., Any], start: float) -> Any:
    """The root as a pair, and the Taylor series of f / (x − root) there."""
    mp.dps = 120
    root = findroot(f, mpf(start))
    series = taylor(f, root, 19)
    mp.dps = 60
    return pair(root), polynomial(series[1:])


def sigmoid(x: Any) -> Any:
    return 1 / (1 + exp(-x))


def silu_slope(x: Any) -> Any:
    return sigmoid(x) * (1 + x * sigmoid(-x))


def gelu_slope(x: Any) -> Any:
    return erfc(-x / sqrt(2)) / 2 + x * exp(-x * x / 2) / sqrt(2 * pi)


def gelu_tanh_slope(x: Any) -> Any:
    u = GELU_K * (x + GELU_C * x**3)
    return sigmoid(u) * (1 + GELU_K * (x + 3 * GELU_C * x**3) * sigmoid(-u))


def mish_slope(x: Any) -> Any:
    n = exp(2 * x) + 2 * exp(x)
    return n / (n + 2) + x * 4 * exp(x) * (exp(x) + 1) / (n + 2) ** 2


CONSTANTS: dict[str, tuple[str, Any]] = {
    "LN2": ("ln 2 in three parts, the first two of 40 bits", parts(log(2), 3)),
    "LN2_4": ("ln 2 in four parts", parts(log(2), 4)),
    "LN2_64": ("64·ln 2", pair(64 * log(2))),
    "SQRT_HALF": ("√½", pair(sqrt(mpf(1) / 2))),
    "SELU_SCALE": ("Klambauer et al. 2017, arXiv:1706.02515", pair(SELU_SCALE)),
    "SELU_SCALE_ALPHA": ("scale·alpha", pair(SELU_SCALE * SELU_ALPHA)),
    "CBRT": ("∛x for x from √½ to √2, to 10⁻⁴", cube_root()),
    "CBRT_2": ("∛2", float(cbrt(mpf(2)))),
    "TWO_OVER_SQRT_PI": ("2/√π", pair(2 / sqrt(pi))),
    "INVERSE_SQRT_2PI": ("1/√(2π)", pair(1 / sqrt(2 * pi))),
    "TWICE_GELU_K": ("2√(2/π)", pair(GELU_K)),
    "GELU_C": ("0.044715", pair(GELU_C)),
    "FACTORIALS": ("1/n! in three floats", tuple(triple(1 / factorial(n)) for n in range(28))),
    "SIGMOID": (
        "(σ(x) − ½ − x/4)/x³ in powers of x²",
        polynomial([mpf(-1) / 48, mpf(1) / 480, mpf(-17) / 80640, mpf(31) / 1451520, mpf(-691) / 319334400]),
    ),
    "ERF": (
        "erf(x)/x in powers of x²",
        polynomial([(-1) ** n * 2 / sqrt(pi) / factorial(n) / (2 * n + 1) for n in range(14)]),
    ),
    "ERFCX": (
        "exp(x²)·erfc(x)·(1 + 2x) in powers of (x − 3)/(x + 3) (Shepherd & Laframboise, Math. Comp. 36, 1981)",
        interpolated(lambda x: erfc(x) * exp(x * x) * (1 + 2 * x), 3, 28),
    ),
    "MILLS": (
        "½·exp(x²/2)·erfc(x/√2)·(1 + x) in powers of (x − 4)/(x + 4)",
        interpolated(lambda x: erfc(x / sqrt(2)) / 2 * exp(x * x / 2) * (1 + x), 4, 28),
    ),
    "SILU": ("the root of silu′ and its Taylor series", at_root(silu_slope, -1.2784645427610738)),
    "MISH": ("the root of mish′ and its Taylor series", at_root(mish_slope, -1.1924312145154952)),
    "GELU": ("the root of gelu′ and its Taylor series", at_root(gelu_slope, -0.7517915246935645)),
    "GELU_TANH": ("the root of gelu_tanh′ and its Taylor series", at_root(gelu_tanh_slope, -0.7524614220710163)),
}

HEAD = '''"""Constants of careful.py, from docs/careful_coefficients.py. A pair of floats is one number to 32 digits.

A polynomial is its first coefficient, as a pair, and the others.
"""

# fmt: off
'''


def written(value: Any, indent: str = "") -> str:
    """Nested tuples of floats, wrapped at 120 columns."""
    if isinstance(value, float):
        return repr(value)
    inner = indent + "    "
    items = [written(v, inner) for v in value]
    line = f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if len(indent) + len(line) < 96:
        return line
    lines = [inner]
    for item in items:
        if len(lines[-1]) + len(item) > 116 and lines[-1] != inner:
            lines.append(inner)
        lines[-1] += item + ", "
    return "(\n" + "\n".join(line.rstrip() for line in lines) + f"\n{indent})"


def main() -> None:
    text = [f"# {what}\n{name} = {written(value)}" for name, (what, value) in CONSTANTS.items()]
    TARGET.write_text(HEAD + "\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
