"""The shorter roads of Python floats: rows whose steps `math.exp` and `math.fsum` take quicker than careful.py's.

Each is within 2 ulp, as careful.py's formula of the row is, but need not have its bits; a corner that would take many
lines is left to that formula. Here are the rows that training is made of, and those of many operands; all others that
need care run careful.py on floats. Every function has the results of IEEE 754 and does not raise. No derivative rules.

Besides the ideas of careful.py: *whole numbers*. A float is an integer times 2^−1074. Where a range overflows, sums
are taken in Python's integers, exactly, and rounded once: microseconds, but rare, and short to read.

The C library's exp, log, pow, sin and others are used as they are; not its erfc, cbrt, acosh and tanh (in glibc up
to 5.2, 3.7, 2.3, 2.2 ulp: P. Zimmermann, Accuracy of Mathematical Functions, hal-03141101), nor its sin, cos, tan
beside a multiple of π/2.

The promise is 2 ulp for the value and each partial. tests/test_accuracy.py has the figures of each row. Where a
last half ulp, or a corner, would cost more lines than it is worth:

| what | worst | why, and what it would take |
| --- | --- | --- |
| sinh, cosh, asinh, atanh, log10 | 1.8 ulp | the C library's own |
| tan′, sec2 | 1.7 | 1 + tan² doubles the error of tan; tan as a pair |
| softmax′, σ′, φ | 1.7 | exp as a pair |
| norm′ in compiled programs and second derivatives where ‖x‖ overflows or is subnormal | wrong | x/‖x‖ as it is |
| second derivatives | 10⁻¹⁴ of the larger of 1 and the result | the helper rows' rules, as plain formulas |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from math import copysign, exp, expm1, fabs, frexp, fsum, inf, ldexp, log1p, nan
from typing import Any, NamedTuple

from . import careful, words
from .coefficients import GELU, INVERSE_SQRT_2PI, SILU, SQRT_HALF, TWO_OVER_SQRT_PI
from .words import divide

Pair = tuple[float, float]
two_sum: Callable[[float, float], Pair] = careful.two_sum

NORMAL = 2.2250738585072014e-308  # the smallest float with all its bits


# ── pairs ───────────────────────────────────────────────────────────────────────────────────────
def two_product(a: float, b: float) -> Pair:
    """a·b exactly (Dekker); just the rounded product where the second float would leave the range."""
    p = a * b
    if not 1e-290 < fabs(p) < 1e290:
        return p, 0.0
    t = 134217729.0 * a  # 2^27 + 1 splits 53 bits into two halves whose products are exact
    a1 = t - (t - a)
    a2 = a - a1
    t = 134217729.0 * b
    b1 = t - (t - b)
    b2 = b - b1
    e = ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2
    if e == e:
        return p, e
    a, j = frexp(a)  # one factor was too large to split
    b, k = frexp(b)
    return p, ldexp(two_product(a, b)[1], j + k)


def one_minus(x: float) -> Pair:
    """1 − x exactly."""
    return two_sum(1.0, -x)


def minus(x: float, y: Pair) -> Pair:
    """x − (y + y2), with all digits also where x is next to y."""
    d, d2 = two_sum(x, -y[0])
    return two_sum(d, d2 - y[1])


def product(a: float, a2: float, b: float, b2: float) -> Pair:
    """(a + a2)·(b + b2)."""
    p, e = two_product(a, b)
    return p, e + (a * b2 + a2 * b)


def quotient(a: float, a2: float, b: float, b2: float) -> Pair:
    """(a + a2) / (b + b2), b not 0: long division with a second digit."""
    q = a / b
    if not 1e-290 < fabs(a) < 1e290:
        return q, q * (a2 / a - b2 / b) if a else 0.0
    p, e = two_product(q, b)
    return q, ((a - p) - e + a2 - q * b2) / b


def times(x: float, y: float, y2: float) -> float:
    """x·(y + y2), rounded once; a zero keeps its sign."""
    p, e = two_product(x, y)
    return p + (e + x * y2) if p else p


# ── whole numbers ───────────────────────────────────────────────────────────────────────────────
UNIT = 1074  # every finite float is a multiple of 2^-1074


def whole(x: float) -> int:
    """x·2^1074."""
    numerator, denominator = x.as_integer_ratio()
    return (numerator << UNIT) // denominator


def ratio(numerator: int, denominator: int) -> float:
    """The float nearest to numerator / denominator; infinite if that is too large."""
    try:
        return numerator / denominator
    except OverflowError:
        return inf if (numerator < 0) == (denominator < 0) else -inf


def scaled(m: float, k: int) -> float:
    """m·2^k; infinite if that is too large."""
    try:
        return ldexp(m, k)
    except OverflowError:
        return copysign(inf, m)


def digits(n: int) -> AbstractContextManager[Any]:
    """A context in which Decimals have n digits: for sums that cancel, where nothing shorter was found.

    `decimal` takes 2 ms to load and is rarely needed, so it is imported where it is.
    """
    from decimal import Context, localcontext

    return localcontext(Context(prec=n, Emin=-999999, Emax=999999, traps=[]))


# ── quotients, roots and powers ─────────────────────────────────────────────────────────────────
def over_square(x: float, y: float) -> float:
    """x / y² as (x / y) / y, unless x / y leaves the range."""
    if y == 0.0:
        return copysign(inf, x) if x < 0.0 or x > 0.0 else nan
    q = x / y
    if 1e-290 < fabs(q) < 1e290 or x == 0.0 or x - x != 0.0 or y - y != 0.0:
        return q / y
    return float(careful.over_square(words, x, y))


def unit_vector(xs: tuple[float, ...], norm: float) -> list[float]:
    """xᵢ / ‖x‖ for every i, and 0 at the origin; scaled where the norm is subnormal (few bits) or overflows."""
    if NORMAL <= norm < inf:
        return [x / norm for x in xs]
    if norm == 0.0 or not all(x - x == 0.0 for x in xs):
        return [x / norm if norm else 0.0 for x in xs]
    k = -frexp(max(map(fabs, xs)))[1]
    ys = [ldexp(x, k) for x in xs]
    norm = math.hypot(*ys)
    return [y / norm for y in ys]


def pow_slope(x: float, y: float) -> float:
    """y·x^(y−1): y − 1 is the pair z + d, and x^(z+d) = x^z·(1 + d·ln x) for such small d."""
    if x > 0.0 and y - y == 0.0:
        z, d = two_sum(y, -1.0)
        p = words.pow(x, z)
        slope = y * p
        if NORMAL < p < inf and NORMAL < fabs(slope) < inf:
            return slope + slope * (d * math.log(x)) if d and x < inf else slope
    return float(careful.pow_slope(words, x, y))


def pow_log(x: float, y: float) -> float:
    """x^y·ln x, and 0 where x^y is 0."""
    if 0.0 < x < inf:
        p = words.pow(x, y)
        slope = p * math.log(x)
        if NORMAL < p < inf and (NORMAL < fabs(slope) < inf or x == 1.0):
            return slope
    return float(careful.pow_log(words, x, y))


# ── trigonometry ────────────────────────────────────────────────────────────────────────────────
# Beside a multiple of π/2 the result is as small as the rounding of π in the C library (glibc is wrong by
# 100,000 ulp at sin(1.2853022199154463e+174)). There π to 1300 bits settles it: x is an exact integer.
PI_BITS = 1300


@lru_cache(maxsize=1)
def half_pi() -> int:
    """π/2·2^1300 by π/4 = 4·atan(1/5) − atan(1/239) (Machin 1706)."""
    one = 1 << (PI_BITS + 32)

    def arctan_of_inverse(n: int) -> int:
        result, term, k = 0, one // n, 1
        while term:
            result += term // k if k % 4 == 1 else -(term // k)
            term //= n * n
            k += 2
        return result

    return (8 * arctan_of_inverse(5) - 2 * arctan_of_inverse(239)) >> 32


def reduced(x: float) -> tuple[int, float, float]:
    """(k mod 4, r, r2) with x = k·π/2 + (r + r2), |r| ≤ π/4; for |x| ≥ 1, which is a whole number of 2^-52."""

    def shifted(number: float) -> int:
        numerator, denominator = number.as_integer_ratio()
        return (numerator << PI_BITS) // denominator

    half = half_pi()
    k, rest = divmod(shifted(x) + half // 2, half)
    rest -= half // 2
    r = ratio(rest, 1 << PI_BITS)
    return k % 4, r, ratio(rest - shifted(r), 1 << PI_BITS)


def sin(x: float) -> float:
    """Sine of x in radians."""
    if x - x != 0.0:
        return nan
    s = math.sin(x)
    if -1e-7 < s < 1e-7 and not -1.0 < x < 1.0:
        k, r, r2 = reduced(x)
        s = r + (r2 - r * r * r / 6.0)
        return -s if k == 2 else s
    return s


def cos(x: float) -> float:
    """Cosine of x in radians."""
    if x - x != 0.0:
        return nan
    c = math.cos(x)
    if -1e-7 < c < 1e-7:
        k, r, r2 = reduced(x)
        c = r + (r2 - r * r * r / 6.0)
        return -c if k == 1 else c
    return c


def tan_pair(x: float) -> Pair:
    """tan x, as a pair where it is small or large."""
    t = math.tan(x)
    if 1e-7 < fabs(t) < 1e7 or -1.0 < x < 1.0:
        return t, 0.0
    k, r, r2 = reduced(x)
    r2 += r * r * r / 3.0
    return quotient(-1.0, 0.0, r, r2) if k % 2 else (r, r2)


def tan(x: float) -> float:
    """Tangent of x in radians."""
    if x - x != 0.0:
        return nan
    t, t2 = tan_pair(x)
    return t + t2 if t2 else t


def sec2(x: float) -> float:
    """1 + tan²x, the square as a pair."""
    t = tan(x)
    p, p2 = words.two_product(t, t)
    s, s2 = two_sum(1.0, p)
    return s + (s2 + p2)


# ── the logistic family ─────────────────────────────────────────────────────────────────────────
def logistic(x: float, x2: float = 0.0) -> Pair:
    """σ(x + x2), with small x2, from e = exp(−|x|): 1/(1 + e) or e/(1 + e)."""
    if x >= 0.0:
        e = exp(-x)
        e2 = -e * x2
        d = 1.0 + e
        return quotient(1.0, 0.0, d, (1.0 - d) + e + e2)
    e = exp(x)
    e2 = e * x2
    d = 1.0 + e
    return quotient(e, e2, d, (1.0 - d) + e + e2)


def sigmoid(x: float) -> float:
    """1 / (1 + e) or e / (1 + e) with e = exp(−|x|), 1 + e as a pair."""
    e = exp(-fabs(x))
    d = 1.0 + e
    s = 1.0 / d if x >= 0.0 else e / d
    return s - s * (((1.0 - d) + e) / d)


def logistic_density(x: float) -> float:
    """σ′(x) = s − s² with s = σ(−|x|) ≤ ½, where the subtraction is harmless.

    s = e/(1 + e) falls short by (e − s − s·e)/(1 + e), and e − s is exact.
    """
    e = exp(-fabs(x))
    d = 1.0 + e
    s = e / d
    return (s - s * s) + ((e - s) - s * e) / d * (1.0 - 2.0 * s)


def tanh(x: float) -> float:
    """t/(t + 2) with t = exp(2|x|) − 1, which halves what expm1 errs."""
    a = fabs(x)
    if not a <= 20.0:
        return copysign(1.0, x) if a == a else x
    t = expm1(2.0 * a)
    d = t + 2.0
    q = t / d
    return copysign(q - q * (((2.0 - d) + t) / d), x)


def sech2(x: float) -> float:
    """4·σ′(2x)."""
    a = fabs(x)
    return 4.0 * logistic_density(2.0 * a) if a <= 350.0 else float(careful.sech2(words, x))


def sigmoid_minus(x: float, y: float) -> float:
    """σ(x) − y. For y > ½ that is (1 − y) − σ(−x), whose operands are small where the result is."""
    if y > 0.5 and x > 0.0:
        return -sigmoid_minus(-x, 1.0 - y)  # 1 − y is exact
    if y == 0.0 or x - x != 0.0:
        return sigmoid(x) - y
    if y == 0.5:
        return 0.5 * tanh(0.5 * x) if fabs(x) > 1e-300 else 0.25 * x
    s, s2 = logistic(x)
    g, g2 = two_sum(s, -y)
    if fabs(g) > 0.5 * s or y - y != 0.0:
        return g + (s2 + g2) if y - y == 0.0 else g
    return float(careful.sigmoid_minus(words, x, y))


def silu(x: float) -> float:
    """x·σ(x)."""
    if x > 40.0:
        return x
    if x < -708.0:
        return float(careful.silu(words, x))
    return times(x, *logistic(x))


SILU_E = 0.2784645427610738  # exp(root)


def silu_slope(x: float) -> float:
    """(1 + e + x)·e/(1 + e)², e = eˣ; for x > 0 as σ + x·σ′.

    With t = x − root the first factor is t + exp(root)·(eᵗ − 1).
    """
    if x > 0.0:
        s, s2 = logistic(-x)  # σ(x) = 1 − s
        return 1.0 + (x * (s - s * s) - s - s2) if x < 40.0 else 1.0
    if x < -708.0:
        return float(careful.silu_slope(words, x))
    t, t2 = minus(x, SILU[0])
    e = exp(x)
    f, f2 = two_sum(t, SILU_E * expm1(t))
    f2 += t2 * (1.0 + e)
    d, d2 = two_sum(1.0, e)
    q, q2 = quotient(f, f2, *product(d, d2, d, d2))
    return times(e, q, q2)


# ── the error function and its kin ──────────────────────────────────────────────────────────────
def erf_slope(x: float) -> float:
    """(2/√π)·exp(−x²), x² as a pair."""
    p, e = two_product(x, x)
    g = TWO_OVER_SQRT_PI[0] * exp(-p)
    return g + g * (TWO_OVER_SQRT_PI[1] / TWO_OVER_SQRT_PI[0] - e)


def normal_density(x: float) -> float:
    """φ(x) = exp(−x²/2)/√(2π), x² as a pair."""
    p, e = two_product(x, x)
    g = INVERSE_SQRT_2PI[0] * exp(-0.5 * p)
    return g + g * (INVERSE_SQRT_2PI[1] / INVERSE_SQRT_2PI[0] - 0.5 * e)


def normal_pair(x: float) -> Pair:
    """Φ(x) = ½ + ½·erf(x/√2) for x ≥ −0.66, with erf(u)′ = (2/√π)·exp(−u²) for the lower half of u = x/√2."""
    u, u2 = product(x, 0.0, *SQRT_HALF)
    s, s2 = two_sum(0.5, 0.5 * math.erf(u))
    return s, s2 + u2 * (0.5 * TWO_OVER_SQRT_PI[0] * exp(-u * u))


def normal_cdf(x: float) -> float:
    """Φ(x) = ½·erfc(−x/√2)."""
    if not x < -0.66:
        s, s2 = normal_pair(min(x, 40.0))
        return s + s2
    if x < -39.0:
        return 0.0
    p, e = two_product(x, x)
    r, r2 = careful.mills(words, -x)
    return times(exp(-0.5 * p), r, r2 - 0.5 * r * e)


def gelu(x: float) -> float:
    """x·Φ(x)."""
    if not x < -0.66:
        return x if x > 9.0 else times(x, *normal_pair(x))
    if x < -39.0:
        return -0.0
    p, e = two_product(x, x)
    w, w2 = product(x, 0.0, *careful.mills(words, -x))
    return times(exp(-0.5 * p), w, w2 - 0.5 * w * e)


def gelu_slope(x: float) -> float:
    """Φ(x) + x·φ(x): at the root by its Taylor series there; left of it exp(−x²/2)·(½·erfcx(−x/√2) + x/√(2π))."""
    near, inside = careful.beside_root(words, x, GELU) if -1.0 < x < -0.15 else (0.0, False)
    if inside:
        return float(near)
    if x > -0.51:
        return 1.0 if x > 9.0 else normal_cdf(x) + x * normal_density(x)
    return float(careful.gelu_slope(words, x))


# ── sums of many ────────────────────────────────────────────────────────────────────────────────
def exact_sum(*xs: float) -> float:
    """x₁ + … + xₙ rounded once: `math.fsum`, in integers where that overflows on the way."""
    try:
        return fsum(xs)
    except (OverflowError, ValueError):
        if all(x - x == 0.0 for x in xs):
            return ratio(sum(map(whole, xs)), 1 << UNIT)
        return sum(x for x in xs if x - x != 0.0)


def mean(*xs: float) -> float:
    """(x₁ + … + xₙ) / n."""
    n = len(xs)
    s = exact_sum(*xs)
    if n and (s - s == 0.0 or not all(x - x == 0.0 for x in xs)):
        return s / n
    return ratio(sum(map(whole, xs)), n << UNIT) if n else nan


def prod(*xs: float) -> float:
    """x₁ · … · xₙ: mantissas multiplied as pairs, exponents added."""
    if len(xs) <= 2:
        return math.prod(xs, start=1.0)
    m, m2, k = 1.0, 0.0, 0
    for x in xs:
        if x - x != 0.0:  # of the others only their signs and zeros count
            return math.prod([x if x - x != 0.0 or x == 0.0 else copysign(1.0, x) for x in xs])
        c, j = frexp(x)
        m, m2 = product(m, m2, c, 0.0)
        m, i = frexp(m)
        m2 = ldexp(m2, -i)
        k += i + j
    return scaled(m + m2, k)


def products_of_others(xs: tuple[float, ...]) -> list[float]:
    """prod of all but x₁, of all but x₂, ...: what comes before times what comes after, as pairs with exponents."""
    if len(xs) <= 3 or not all(x - x == 0.0 for x in xs):
        return [prod(*xs[:i], *xs[i + 1 :]) for i in range(len(xs))]
    before, after = running_products(xs), running_products(xs[::-1])
    found = []
    for (a, a2, i), (b, b2, j) in zip(before, reversed(after), strict=True):
        c, c2 = product(a, a2, b, b2)
        found.append(scaled(c + c2, i + j))
    return found


def running_products(xs: tuple[float, ...]) -> list[tuple[float, float, int]]:
    """The product of the numbers before each one: (m, m2, k) for (m + m2)·2ᵏ, with 1/2 ≤ |m| ≤ 1, or m = 0."""
    m, m2, k = 1.0, 0.0, 0
    found = []
    for x in xs:
        found.append((m, m2, k))
        c, j = frexp(x)
        m, m2 = product(m, m2, c, 0.0)
        m, i = frexp(m)
        m2 = ldexp(m2, -i)
        k += i + j
    return found


def halves(xs: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The two lists that a row with one list of operands stands for."""
    n = len(xs) // 2
    return xs[:n], xs[n:]


def dot(*xs: float) -> float:
    """x₁y₁ + … + xₙyₙ.

    The rounded products will do unless their sum is small beside them; then their errors are added, which pairs
    know; and outside the range of pairs it takes integers.
    """
    xs, ys = halves(xs)
    products = [x * y for x, y in zip(xs, ys, strict=True)]
    try:
        s = fsum(products)
        size = fsum(map(fabs, products))
        if 1e-280 < size < inf and size <= 1.5 * fabs(s):
            return s
        s = fsum(products + [two_product(x, y)[1] for x, y in zip(xs, ys, strict=True)])
        if fabs(s) > 1e-250 and size < 1e290:
            return s
    except (OverflowError, ValueError):
        pass
    if all(x - x == 0.0 for x in xs + ys):
        return ratio(sum(whole(x) * whole(y) for x, y in zip(xs, ys, strict=True)), 1 << 2 * UNIT)
    return sum(p for x, y, p in zip(xs, ys, products, strict=True) if x - x != 0.0 or y - y != 0.0)


def mean_squared_error(*xs: float) -> float:
    """Mean of (p − t)², the differences and squares as pairs; in integers where squares leave the range."""
    predictions, targets = halves(xs)
    n = len(targets)
    differences = [two_sum(p, -t) for p, t in zip(predictions, targets, strict=True)]
    largest = max([fabs(d) for d, _ in differences], default=0.0)
    if 1e-130 < largest < 1e140 and all(d == d for d, _ in differences):
        parts = []
        for d, d2 in differences:
            p, e = two_product(d, d)
            parts += [p, e, 2.0 * d * d2]
        return fsum(parts) / n
    if not n or not all(x - x == 0.0 for x in xs):
        return sum(d * d for d, _ in differences) / n if n else nan
    return ratio(sum((whole(p) - whole(t)) ** 2 for p, t in zip(predictions, targets, strict=True)), n << 2 * UNIT)


def difference_over(p: float, t: float, n: float) -> float:
    """(p − t) / n, also where p − t overflows."""
    d = p - t
    if d - d == 0.0 or p - p != 0.0 or t - t != 0.0:
        return divide(d, n)
    return divide(0.5 * p - 0.5 * t, 0.5 * n)


def half_squared_error(p: float, t: float) -> float:
    """½·(p − t)², the difference as a pair."""
    d, d2 = two_sum(p, -t)
    v = 0.5 * d * d
    return v + d * d2 if v - v == 0.0 else v


def hinge(score: float, target: float) -> float:
    """max(0, 1 − score·target), the product as a pair."""
    p, e = two_product(score, target)
    s, s2 = two_sum(1.0, -p)
    margin = s + (s2 - e) if s - s == 0.0 else s
    return margin if margin > 0.0 else 0.0 if margin == margin else nan


# ── softmax and its kin ─────────────────────────────────────────────────────────────────────────
class Weights(NamedTuple):
    """exp(xᵢ − max) of a list of logits, from exact differences: what all of softmax is made of."""

    top: int
    differences: list[Pair]
    weights: list[Pair]
    total: Pair
    log_total: Pair


@lru_cache(maxsize=8)
def weights_of(xs: tuple[float, ...]) -> Weights | None:
    """Remembered, for the partials of one softmax ask for the same list n² times. None where there is no limit."""
    if not xs or any(x != x for x in xs):
        return None
    largest = max(xs)
    if largest - largest != 0.0:
        return None
    differences = [two_sum(x, -largest) for x in xs]
    weights = [(e := exp(d), e * d2) if d > -800.0 else (0.0, 0.0) for d, d2 in differences]
    top = xs.index(largest)
    rest, rest2 = without(top, weights)
    s, s2 = two_sum(1.0, rest)
    return Weights(top, differences, weights, (s, s2 + rest2), (log1p(rest), rest2 / (1.0 + rest)))


def add_up(pairs: list[Pair]) -> Pair:
    """The sum of pairs, as a pair."""
    parts = [part for pair in pairs for part in pair]
    s = fsum(parts)
    return s, fsum([*parts, -s])


def without(k: int, pairs: list[Pair]) -> Pair:
    """The sum of all pairs but one."""
    return add_up(pairs[:k] + pairs[k + 1 :])


def softmax(index: float, *xs: float) -> float:
    """e^xₖ / Σ e^xᵢ."""
    w = weights_of(xs)
    return nan if w is None else softmax_of(w, index)


def softmax_of(w: Weights, index: float) -> float:
    """softmax of weights that are known."""
    q, q2 = quotient(*w.weights[int(index)], *w.total)
    return q + q2


def one_minus_softmax(index: float, *xs: float) -> float:
    """The sum of the other weights over that of all: no 1 − s."""
    w = weights_of(xs)
    if w is None:
        return nan
    q, q2 = quotient(*without(int(index), w.weights), *w.total)
    return q + q2


def softmax_slope(k: float, j: float, *xs: float) -> float:
    """sₖ(δₖⱼ − sⱼ): wₖ·(sum of the others)/S², or −exp(dₖ + dⱼ)/S²."""
    w = weights_of(xs)
    return nan if w is None else softmax_slope_of(w, k, j)


def softmax_slope_of(w: Weights, k: float, j: float) -> float:
    """softmax_slope of weights that are known."""
    square = product(*w.total, *w.total)
    if k == j:
        e, e2 = w.weights[int(k)]
        q, q2 = quotient(*without(int(k), w.weights), *square)
        return times(e, q, q2) + q * e2
    (a, a2), (b, b2) = w.differences[int(k)], w.differences[int(j)]
    d, d2 = two_sum(a, b) if a + b > -800.0 else (-800.0, 0.0)
    e = exp(d)
    q, q2 = quotient(e, e * (d2 + a2 + b2), *square)
    return -(q + q2)


def difference(a: Pair, b: Pair) -> Pair:
    """a − b."""
    s, e = two_sum(a[0], -b[0])
    return two_sum(s, e + (a[1] - b[1]))


def softmax_back(xs: tuple[float, ...], gs: Sequence[float]) -> list[float]:
    """What gₖ at softmaxₖ(x), for every k, is together at each xⱼ: sⱼ·(gⱼ·(1 − sⱼ) − Σ gₖsₖ over the others)."""
    w = weights_of(xs)
    if w is None:
        return [nan for _ in xs]
    shares = [quotient(*e, *w.total) for e in w.weights]
    owns = [product(g, 0.0, *s) for g, s in zip(gs, shares, strict=True)]
    everything = add_up(owns)
    found = []
    for g, s, e, own in zip(gs, shares, w.weights, owns, strict=True):
        q = product(g, 0.0, *quotient(*difference(w.total, e), *w.total))
        d = difference(q, difference(everything, own))
        found.append(times(s[0], *d) + d[0] * s[1])
    return found


def log_softmax_back(xs: tuple[float, ...], gs: Sequence[float]) -> list[float]:
    """The same for ln softmaxₖ(x): gⱼ·(1 − sⱼ) − sⱼ·Σ gₖ over the others."""
    w = weights_of(xs)
    if w is None:
        return [nan for _ in xs]
    everything = add_up([(g, 0.0) for g in gs])
    found = []
    for g, e in zip(gs, w.weights, strict=True):
        q = product(g, 0.0, *quotient(*difference(w.total, e), *w.total))
        d, d2 = difference(q, product(*difference(everything, (g, 0.0)), *quotient(*e, *w.total)))
        found.append(d + d2)
    return found


def logsumexp(*xs: float) -> float:
    """max + ln Σ exp(xᵢ − max); where those two cancel, log1p(Σ exp(xᵢ) − 1) with as many digits as it takes."""
    w = weights_of(xs)
    if w is None:
        return -inf if not xs else nan if any(x != x for x in xs) else max(xs)
    largest = xs[w.top]
    v, v2 = w.log_total
    s, s2 = two_sum(largest, v)
    if not (largest < 0.0 and fabs(s) < 2.0 * v):
        return s + (s2 + v2)
    from decimal import Decimal

    with digits(60 - frexp(largest)[1]):  # exp(max) − 1 loses as many as max has zeros behind the point
        return log1p(float(sum([Decimal(x).exp() for x in xs if x > -800.0], Decimal(-1))))


def logaddexp(x: float, y: float) -> float:
    """ln(eˣ + eʸ)."""
    return logsumexp(x, y)


def cross_entropy(index: float, *logits: float) -> float:
    """(max − xₖ) + ln Σ exp(xᵢ − max): nothing to cancel."""
    w = weights_of(logits)
    return nan if w is None else cross_entropy_of(w, index)


def cross_entropy_of(w: Weights, index: float) -> float:
    """cross_entropy of weights that are known."""
    d, d2 = w.differences[int(index)]
    v, v2 = w.log_total
    s, s2 = two_sum(-d, v)
    return s + ((s2 + v2) - d2) if s < inf else s


def log_softmax(index: float, *xs: float) -> float:
    """xₖ − ln Σ e^xᵢ."""
    return -cross_entropy(index, *xs)


def soft_cross_entropy(*xs: float) -> float:
    """−Σ target·ln softmax(logits)."""
    logits, targets = halves(xs)
    lost = [0.0 if q == 0.0 else cross_entropy(float(i), *logits) for i, q in enumerate(targets)]
    if inf in lost and all(x - x == 0.0 for x in xs):  # logits too far apart for a difference: half of each will do
        largest = 0.5 * max(logits)
        halved = [largest - 0.5 * x if e == inf else 0.5 * e for x, e in zip(logits, lost, strict=True)]
        return 2.0 * dot(*halved, *targets)
    return dot(*lost, *targets)


def softmax_minus(index: float, *xs: float) -> float:
    """softmaxₖ·Σy − yₖ.

    For a softmax above ½ that is (Σy − yₖ) − (1 − softmaxₖ)·Σy, whose operands are small where the result is.
    """
    xs, ys = halves(xs)
    k, w = int(index), weights_of(xs)
    if w is None or not sum(map(fabs, ys)) < inf:
        return softmax(index, *xs) * exact_sum(*ys) - ys[k]
    targets = [(y, 0.0) for y in ys]
    small = w.weights[k][0] <= 0.5 * w.total[0]
    share = w.weights[k] if small else without(k, w.weights)
    y, y2 = targets[k] if small else without(k, targets)
    a, a2 = product(*quotient(*share, *w.total), *add_up(targets))
    g, g2 = two_sum(a, -y)
    if fabs(g) > fabs(a) or y == 0.0 or a == 0.0:
        g += g2 + a2 - y2
        return g if small else -g
    from decimal import Decimal

    places, exact, whole_weight = exact_weights_of(xs)
    with digits(places):
        kept = [k] if small else [i for i in range(len(ys)) if i != k]  # (for one or two k at most that is all but one)
        weighed = sum([exact[i] for i in kept], Decimal(0)) * sum(map(Decimal, ys), Decimal(0))
        difference = float((weighed - sum([Decimal(ys[i]) for i in kept], Decimal(0)) * whole_weight) / whole_weight)
        return difference if small else -difference


@lru_cache(maxsize=1)
def exact_weights_of(xs: tuple[float, ...]) -> tuple[int, list[Any], Any]:
    """Digits that tell exp(xᵢ − max) from 1 for every i, these weights as Decimals, and their sum."""
    from decimal import Decimal

    w = weights_of(xs)
    differences = [d for d, _ in w.differences if d > -800.0] if w else []
    smallest = min([frexp(d)[1] for d in differences if d], default=0)
    # exp of a difference of 10^-n is 1 up to there, and a weight of 10^-n counts beside 1 from there
    places = 60 - min(smallest, 0) - int(0.44 * min(differences, default=0.0))
    with digits(places):
        largest = Decimal(max(xs))
        weights = [(Decimal(x) - largest).exp() for x in xs]
        return places, weights, sum(weights, Decimal(0))


# ── cross-entropy of two ────────────────────────────────────────────────────────────────────────
def binary_cross_entropy(p: float, y: float) -> float:
    """−(y·ln p + (1 − y)·ln(1 − p)), 1 − y as a pair."""
    if not 0.0 <= p <= 1.0:
        return nan
    ones = -math.log(p) if p else inf
    zeros = -log1p(-p) if p < 1.0 else inf
    if y == 0.0:
        return zeros + 0.0
    if y == 1.0:
        return ones + 0.0
    a, a2 = two_product(y, ones)
    b, b2 = product(zeros, 0.0, *one_minus(y))
    s, s2 = two_sum(a, b)
    return s + (s2 + (a2 + b2)) if s - s == 0.0 else s


def logit(p: float) -> float:
    """ln(p / (1 − p)): beside ½ as ± log1p of (2p − 1)/(1 − p) or (1 − 2p)/p, whose numerator is exact."""
    if 0.25 < p < 0.75:
        return log1p((2.0 * p - 1.0) / (1.0 - p)) if p >= 0.5 else -log1p((1.0 - 2.0 * p) / p)
    if 0.0 < p < 1.0:
        return math.log(p) - log1p(-p)
    return -inf if p == 0.0 else inf if p == 1.0 else nan


def binary_cross_entropy_with_logits(x: float, y: float) -> float:
    """x·(1 − y) + ln(1 + e⁻ˣ) for x > 0, −x·y + ln(1 + eˣ) else: two terms of one sign for y in [0, 1]."""
    if y == (1.0 if x > 0.0 else 0.0):
        a, a2 = 0.0, 0.0  # an infinite logit too
    else:
        a, a2 = product(x, 0.0, *one_minus(y)) if x > 0.0 else two_product(-x, y)
    v = log1p(exp(-fabs(x)))
    s, s2 = two_sum(a, v)
    return s + (s2 + a2) if s - s == 0.0 else s
