"""Careful algorithms: rows that need several steps so that about one rounding error is left. No derivative rules here.

Every function that answers a row does so with the results of IEEE 754 and without raising; floats.py hands it on.
Four ideas carry all of them:

1. *Pairs.* A number as an unevaluated sum of two floats, hi + lo. Sums and products of floats are exact
   as pairs (Knuth 1969; Dekker 1971). A pair is added up once, at the end.
2. *e = exp(−|x|) is the friend.* Every logistic function is a quotient of polynomials in e with positive
   terms, so nothing cancels; 1 − σ and 1 − tanh² do.
3. *Measure from the root.* Where a slope has a zero r, f(x) is written as f(x) − f(r), and the differences
   are taken term by term with x − r in front: what remains has one sign. r is known to 32 digits, as a pair.
4. *Whole numbers.* A float is an integer times 2^−1074. Where a range overflows, quotients and sums are
   taken in Python's integers, exactly, and rounded once: microseconds, but rare, and short to read.

The C library's exp, log, pow, sin and others are used as they are; not its erfc, cbrt, acosh and tanh (in glibc up
to 5.2, 3.7, 2.3, 2.2 ulp: P. Zimmermann, Accuracy of Mathematical Functions, hal-03141101), nor its sin, cos, tan
beside a multiple of π/2.

The promise is 2 ulp for the value and each partial. tests/test_accuracy.py has the figures of each row. Where a
last half ulp, or a corner, would cost more lines than it is worth:

| what | worst | why, and what it would take |
| --- | --- | --- |
| sinh, cosh, asinh, atanh, log10 | 1.8 ulp | the C library's own |
| tan′, sec2 | 1.9 | 1 + tan² doubles the error of tan; tan as a pair |
| softmax′, σ′, φ | 1.7 | exp as a pair |
| norm′ in compiled programs and second derivatives where ‖x‖ overflows or is subnormal | wrong | x/‖x‖ as it is |
| second derivatives | 10⁻¹⁴ of the larger of 1 and the result | the helper rows' rules, as plain formulas |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from math import copysign, exp, expm1, fabs, frexp, fsum, inf, ldexp, log1p, nan
from typing import Any, NamedTuple

Pair = tuple[float, float]

SQRT_HALF: Pair = (0.7071067811865476, -4.833646656726457e-17)
TWO_OVER_SQRT_PI: Pair = (1.1283791670955126, 1.533545961316588e-17)
INVERSE_SQRT_2PI: Pair = (0.3989422804014327, -2.49232720227773e-17)
SELU_SCALE: Pair = (1.0507009873554805, 3.9874847667154144e-17)
SELU_SCALE_ALPHA: Pair = (1.7580993408473768, 1.41535193800845e-17)
TWICE_GELU_K: Pair = (1.5957691216057308, -9.96930880911092e-17)  # 2·√(2/π)
GELU_C: Pair = (0.044715, 2.1960211427085595e-18)
LN2_64: Pair = (44.3614195558365, 1.4841899608616317e-15)  # 64·ln 2
NORMAL = 2.2250738585072014e-308  # the smallest float with all its bits


# ── pairs ───────────────────────────────────────────────────────────────────────────────────────
def two_sum(a: float, b: float) -> Pair:
    """a + b exactly, whichever is larger (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


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


def exp_tail(a: float, a2: float, x: float, x2: float) -> float:
    """(a + a2)·exp(x + x2) near or below the smallest normal float.

    There exp itself has few bits left, and a large factor would magnify what is missing. So exp is taken
    2^64 times too large, and the power of two is given back in one rounding.
    """
    if x < -800.0:
        return copysign(0.0, a)
    h, h2 = two_sum(x, LN2_64[0])
    e = exp(h)
    p, p2 = product(a, a2, e, e * (h2 + LN2_64[1] + x2))
    return ldexp(p + p2, -64)


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
    return ratio(whole(x) << UNIT, whole(y) ** 2)


def inverse_root(p: float, p2: float) -> float:
    """1 / √(p + p2), the second float by the binomial series."""
    r = 1.0 / math.sqrt(p)
    q, e = two_product(r, r)
    q, e = product(p, p2, q, e)
    return r - 0.5 * r * ((q - 1.0) + e)


def inverse(p: float, p2: float) -> float:
    """1 / (p + p2)."""
    r = 1.0 / p
    return r - r * (p2 / p)


def square_minus_one(x: float) -> Pair:
    """x² − 1: the subtraction is exact near 1, so only what x² loses counts."""
    p, e = two_product(x, x)
    s, s2 = two_sum(p, -1.0)
    return s, s2 + e


def lorentzian(x: float) -> float:
    """1 / (1 + x²)."""
    if not -1e9 < x < 1e9:
        return (1.0 / x) / x
    p, e = two_product(x, x)
    s, s2 = two_sum(1.0, p)
    return inverse(s, s2 + e)


def asin_slope(x: float) -> float:
    """1 / √(1 − x²)."""
    if -1.0 < x < 1.0:
        s, s2 = square_minus_one(x)
        return inverse_root(-s, -s2)
    return inf if x in (-1.0, 1.0) else nan


def atanh_slope(x: float) -> float:
    """1 / (1 − x²)."""
    if not -1e9 < x < 1e9:
        return (-1.0 / x) / x
    s, s2 = square_minus_one(x)
    return inverse(-s, -s2) if s else inf


def acosh_slope(x: float) -> float:
    """1 / √(x² − 1)."""
    if not 1.0 < x < 1e9:
        return inf if x == 1.0 else 1.0 / x if x > 1.0 else nan
    return inverse_root(*square_minus_one(x))


def acosh(x: float) -> float:
    """ln(x + √(x² − 1)) = log1p(t + √(t(t + 2))), t = x − 1, with the argument of log1p as a pair below 2."""
    if not 1.0 <= x < 2.0:
        return math.acosh(x) if x >= 2.0 else nan
    t = x - 1.0
    s = t + 2.0
    p, e = product(t, 0.0, s, t - (s - 2.0))
    root = math.sqrt(p)
    q, q2 = two_product(root, root)
    u, u2 = two_sum(root, t)
    if root:
        u2 += ((p - q) - q2 + e) / (2.0 * root)
    return log1p(u) + u2 / (1.0 + u)


def cbrt_pair(x: float) -> tuple[float, float, int]:
    """(y, y2, k) with |x| = (y + y2)³·8^k: a Newton step from y = m^⅓ with the exact residual m − y³."""
    m, exponent = frexp(fabs(x))
    shift = exponent % 3
    m = ldexp(m, shift)
    y = m ** (1.0 / 3.0)
    square, square2 = two_product(y, y)
    cube, cube2 = two_product(square, y)
    return y, ((m - cube) - cube2 - square2 * y) / (3.0 * square), (exponent - shift) // 3


def cbrt(x: float) -> float:
    """∛x."""
    if x == 0.0 or x - x != 0.0:
        return x
    y, y2, k = cbrt_pair(x)
    return copysign(ldexp(y + y2, k), x)


def cbrt_slope(x: float) -> float:
    """1 / (3·∛x²)."""
    if x == 0.0 or x - x != 0.0:
        return inf if x == 0.0 else x - x if x != x else 0.0
    y, y2, k = cbrt_pair(x)
    square, square2 = product(y, y2, y, y2)
    d, d2 = product(3.0, 0.0, square, square2)
    return scaled(inverse(d, d2), -2 * k)


def over_norm2(x: float, y: float) -> float:
    """x / (x² + y²), and 0 at the origin."""
    top = max(fabs(x), fabs(y))
    if 1e-140 < top < 1e140 and y == y:
        p, p2 = two_product(x, x)
        q, q2 = two_product(y, y)
        s, s2 = two_sum(p, q)
        r = x / s
        return r - r * ((s2 + (p2 + q2)) / s) if r else r
    if x != x or y != y:
        return nan
    if top == 0.0 or top == inf:
        return copysign(0.0, x)
    a, b = whole(x), whole(y)
    return ratio(a << UNIT, a * a + b * b)


def unit_component(x: float, y: float) -> float:
    """x / √(x² + y²), and 0 at the origin; scaled where the root is subnormal (few bits) or overflows."""
    root = math.hypot(x, y)
    if 1e-290 < root < 1e300:
        return x / root
    if x == 0.0 or x != x or y != y:
        return x * 0.0 if y == y else nan
    if root == inf and (x - x != 0.0 or y - y != 0.0):
        if y - y == 0.0:
            return copysign(1.0, x)
        return copysign(SQRT_HALF[0], x) if x - x != 0.0 else copysign(0.0, x)
    k = -frexp(max(fabs(x), fabs(y)))[1]
    x, y = ldexp(x, k), ldexp(y, k)
    return x / math.hypot(x, y)


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


def power(x: float, y: float) -> float:
    """x to the power y; `math.pow` with the results of IEEE 754 where it raises."""
    try:
        return math.pow(x, y)
    except OverflowError:
        return -inf if x < 0.0 and math.fmod(y, 2.0) else inf
    except ValueError:
        if x:
            return nan
        return copysign(inf, x) if y - y == 0.0 and math.fmod(y, 2.0) in (1.0, -1.0) else inf


def square_times(c: float, root: float) -> float:
    """c·root² where root² alone may leave the range: exponents kept apart."""
    if root == 0.0 or root == inf:
        return c * root
    m, k = frexp(root)
    c, j = frexp(c)
    return scaled(times(c, *two_product(m, m)), 2 * k + j)


def power_in_digits(x: float, y: float, less: float, factor: float | None) -> float:
    """factor·x^(y − less), x > 0, where the power leaves the range but the product need not; None stands for ln x."""
    from decimal import Decimal

    with digits(40):
        log_x = Decimal(x).ln()
        return float(((Decimal(y) - Decimal(less)) * log_x).exp() * (log_x if factor is None else Decimal(factor)))


def pow_slope(x: float, y: float) -> float:
    """y·x^(y−1), and 0 where y is 0.

    y − 1 need not be a float: it is the pair z + d, and x^(z+d) = x^z·(1 + d·ln x) for such small d.
    From |y| = 2^53 on z is y, and the sign of x^(y−1) for a negative x must come from y: negative if y is even.
    """
    if y == 0.0:
        return 0.0
    if y - y != 0.0:
        return y * power(x, y)
    if x < 0.0 and math.fmod(y, 1.0):  # asked of y, for y − 1 may round to an integer
        return nan if x > -inf else y * power(x, y - 1.0)
    a = fabs(x)
    z, d = two_sum(y, -1.0)
    p = power(a, z)
    slope = y * p
    if 0.0 < a < inf and a != 1.0:
        if not (NORMAL < p < inf and NORMAL < fabs(slope) < inf):
            slope = power_in_digits(a, y, 1.0, y)
        elif d:
            slope += slope * (d * math.log(a))
    return -slope if copysign(1.0, x) < 0.0 and math.fmod(y, 2.0) == 0.0 else slope


def pow_log(x: float, y: float) -> float:
    """x^y·ln x, and 0 where x^y is 0."""
    p = power(x, y)
    if not 0.0 < x < inf or y - y != 0.0:
        return p * (-inf if x == 0.0 else inf if x == inf else nan) if p else 0.0
    log_x = math.log(x)
    slope = p * log_x
    if (NORMAL < p < inf and NORMAL < fabs(slope) < inf) or log_x == 0.0:
        return slope
    return power_in_digits(x, y, 0.0, None)


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
    """1 + tan²x."""
    if x - x != 0.0:
        return nan
    t, t2 = tan_pair(x)
    p, p2 = product(t, t2, t, t2)
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
    """With t = expm1(2|x|): t/(t + 2), which halves what expm1 errs; from ½ on 1 − 2/(t + 2)."""
    a = fabs(x)
    if a < 0.55:
        t = expm1(2.0 * a)
        d = t + 2.0
        q = t / d
        return copysign(q - q * (((2.0 - d) + t) / d), x)
    if a < 20.0:
        e = exp(-2.0 * a)
        d = 1.0 + e
        q = 2.0 * e / d
        return copysign(1.0 - (q - q * (((1.0 - d) + e) / d)), x)
    return copysign(1.0, x) if a == a else x


def sech2(x: float) -> float:
    """4·σ′(2x); (2·exp(−|x|))² where exp(−2|x|) would be subnormal."""
    a = fabs(x)
    if a < 350.0:
        return 4.0 * logistic_density(2.0 * a)
    e = 2.0 * exp(-a)
    return e * e


def sigmoid_difference(x: float, y: float) -> float:
    """σ(x − y) with the exact difference; ½ where x = y, infinite too."""
    if x == y:
        return 0.5
    d, d2 = two_sum(x, -y)
    if not -700.0 < d < 700.0:
        return exp_tail(1.0, 0.0, d, d2) if d < 0.0 and d2 == d2 else 0.0 if d < 0.0 else 1.0 if d > 0.0 else d
    s, s2 = logistic(d, d2)
    return s + s2


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
    from decimal import Decimal

    with digits(60):
        return float(1 / (1 + Decimal(-x).exp()) - Decimal(y))


def silu(x: float) -> float:
    """x·σ(x)."""
    if x > 40.0:
        return x
    if x < -708.0:
        return exp_tail(x, 0.0, x, 0.0)
    return times(x, *logistic(x))


SILU_ROOT: Pair = (-1.2784645427610737, -1.0946994183093437e-16)  # 1 + x + eˣ = 0
SILU_E = 0.2784645427610738  # exp(root)


def silu_slope(x: float) -> float:
    """(1 + e + x)·e/(1 + e)², e = eˣ; for x > 0 as σ + x·σ′.

    With t = x − root the first factor is t + exp(root)·(eᵗ − 1).
    """
    if x > 0.0:
        s, s2 = logistic(-x)  # σ(x) = 1 − s
        return 1.0 + (x * (s - s * s) - s - s2) if x < 40.0 else 1.0
    if x < -708.0:
        return exp_tail(1.0 + x, 0.0, x, 0.0)
    t, t2 = minus(x, SILU_ROOT)
    e = exp(x)
    f, f2 = two_sum(t, SILU_E * expm1(t))
    f2 += t2 * (1.0 + e)
    d, d2 = two_sum(1.0, e)
    q, q2 = quotient(f, f2, *product(d, d2, d, d2))
    return times(e, q, q2)


def mish(x: float) -> float:
    """x·tanh(softplus(x)) = x·n/(n + 2) with n = e² + 2e, e = eˣ; for x > 0 divided by e²."""
    if x > 20.0:
        return x
    if x < -708.0:
        return exp_tail(x, 0.0, x, 0.0)
    return times(x, *mish_gate(x))


def mish_gate(x: float) -> Pair:
    """tanh(softplus(x))."""
    if x > 0.0:
        e = exp(-x)
        n, n2 = two_sum(1.0, 2.0 * e)
        p, p2 = two_product(2.0 * e, e)
        d, d2 = two_sum(n, p)
        return quotient(n, n2, d, d2 + (n2 + p2))
    e = exp(x)
    d, d2 = two_sum(2.0, e)
    n, n2 = product(e, 0.0, d, d2)
    d, d2 = two_sum(2.0, n)
    return quotient(n, n2, d, d2 + n2)


MISH_ROOT: Pair = (-1.1924312145154952, -4.8484829848031044e-17)
MISH_E = 0.3034825352815289  # exp(root)


def mish_slope(x: float) -> float:
    """e·(1 + e)·f/(1 + (1 + e)²)² with f = 4x + e² + 3e + 3 + 1/(1 + e), e = eˣ, which grows with x.

    With t = x − root, E = exp(root) and d = e − E = E·(eᵗ − 1): f = 4t + d·(e + E + 3 − 1/((1 + e)(1 + E))).
    For x > 0 as gate + x·gate′.
    """
    if x > 0.0:
        if x > 20.0:
            return 1.0
        e = exp(-x)
        d = 1.0 + 2.0 * e * (1.0 + e)
        w, w2 = mish_gate(x)
        return w + (w2 + x * (4.0 * e * e * (1.0 + e)) / (d * d))
    if x < -708.0:
        return exp_tail(1.0 + x, 0.0, x, 0.0)
    e = exp(x)
    t, t2 = minus(x, MISH_ROOT)
    g, g2 = two_sum(1.0, e)
    difference = MISH_E * expm1(t) * ((e + (3.0 + MISH_E)) - 1.0 / (g * (1.0 + MISH_E)))
    f, f2 = two_sum(4.0 * t, difference)
    f, f2 = product(f, f2 + 4.0 * t2, g, g2)
    g, g2 = product(g, g2, g, g2)
    d, d2 = two_sum(1.0, g)
    d2 += g2
    q, q2 = quotient(f, f2, *product(d, d2, d, d2))
    return times(e, q, q2)


# ── the error function and its kin ──────────────────────────────────────────────────────────────
# (1 + 2x)·exp(x²)·erfc(x) as a polynomial in t = (x − 3)/(x + 3), for x ≥ 0.46: the truncated Chebyshev
# series, in powers of t; relative error 9e-18. After Shepherd & Laframboise, Math. Comp. 36 (1981) 249-253.
ERFCX_0: Pair = (1.2530080582697296, 4.62256432342747e-17)
ERFCX = (
    -0.13562110612458123, -0.0475622943534516, 0.12964515870276663, -0.11927366341524559,
    0.0683080273437483, -0.023770514920419823, 0.002529391820311898, 0.0018886903838212655,
    -0.0007798323176452472, -0.00010515999282439826, 0.00012509966347188636, 4.950403097616697e-06,
    -2.010198041905275e-05, -7.342426705334716e-07, 3.4767266396939354e-06, 3.618379529043694e-07,
    -6.253857100349468e-07, -1.466945820630069e-07, 1.131139364743656e-07, 4.36000449734416e-08,
    -2.1636302868501665e-08, -7.23981425897191e-09, 3.6707470762544168e-09, -1.3708911561295614e-10,
)  # fmt: skip


def horner(t: float, coefficients: Sequence[float]) -> float:
    """c₀ + c₁t + c₂t² + …"""
    result = 0.0
    for c in reversed(coefficients):
        result = result * t + c
    return result


def erfcx(x: float) -> Pair:
    """exp(x²)·erfc(x) for 0.46 ≤ x ≤ 30."""
    t = (x - 3.0) / (x + 3.0)
    n, n2 = two_sum(ERFCX_0[0], t * horner(t, ERFCX))
    d, d2 = two_sum(1.0, 2.0 * x)
    return quotient(n, n2 + ERFCX_0[1], d, d2)


def erfc(x: float) -> float:
    """1 − erf(x); from 0.46 on exp(−x²)·erfcx(x), x² as a pair."""
    if not x > 0.46:
        return 1.0 - math.erf(x)
    if x > 27.3:
        return 0.0
    p, e = two_product(x, x)
    r, r2 = erfcx(x)
    return times(exp(-p), r, r2 - r * e)


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


def half_mills(y: float) -> Pair:
    """½·exp(y²/2)·erfc(y/√2) for 0.66 ≤ y ≤ 40, with d erfcx(u)/du = 2u·erfcx(u) − 2/√π for the lower half of y/√2."""
    u, u2 = product(y, 0.0, *SQRT_HALF)
    r, r2 = erfcx(u)
    return 0.5 * r, 0.5 * (r2 + u2 * (2.0 * u * r - TWO_OVER_SQRT_PI[0]))


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
    r, r2 = half_mills(-x)
    return times(exp(-0.5 * p), r, r2 - 0.5 * r * e)


def gelu(x: float) -> float:
    """x·Φ(x)."""
    if not x < -0.66:
        return x if x > 9.0 else times(x, *normal_pair(x))
    if x < -39.0:
        return -0.0
    p, e = two_product(x, x)
    w, w2 = product(x, 0.0, *half_mills(-x))
    return times(exp(-0.5 * p), w, w2 - 0.5 * w * e)


GELU_ROOT: Pair = (-0.7517915246935645, 1.4956759177009883e-17)  # Φ(r) + r·φ(r) = 0
GELU_CURVATURE: Pair = (0.4314939923140469, 2.7308688141129613e-17)  # φ(r)·(2 − r²)


def gelu_series() -> tuple[float, ...]:
    """The Taylor series of Φ + x·φ at the root, from the square of x − r on.

    φ′ = −x·φ gives the coefficients of φ, (k + 1)·aₖ₊₁ = −(r·aₖ + aₖ₋₁), and those of Φ + x·φ are
    cₖ₊₁ = aₖ/(k + 1) + aₖ + r·aₖ₊₁.
    """
    r = GELU_ROOT[0]
    before, a = 0.0, 0.3007325998969753  # φ(r)
    series = []
    for k in range(28):
        after = -(r * a + before) / (k + 1.0)
        series.append(a / (k + 1.0) + a + r * after)
        before, a = a, after
    return tuple(series[1:])


GELU_SERIES = gelu_series()


def gelu_slope(x: float) -> float:
    """Φ(x) + x·φ(x): its Taylor series around the root; left of it exp(−x²/2)·(½·erfcx(−x/√2) + x/√(2π))."""
    if x > -0.15:
        return 1.0 if x > 9.0 else normal_cdf(x) + x * normal_density(x)
    if x > -1.0:
        t, t2 = minus(x, GELU_ROOT)
        f, f2 = two_sum(GELU_CURVATURE[0], t * horner(t, GELU_SERIES))
        f, f2 = product(t, t2, f, f2 + GELU_CURVATURE[1])
        return f + f2
    if not x > -40.0:
        return -0.0 if x == x else x
    p, e = two_product(x, x)
    r, r2 = half_mills(-x)
    a, a2 = product(x, 0.0, *INVERSE_SQRT_2PI)
    f, f2 = two_sum(a, r)
    return exp_tail(f, f2 + (a2 + r2), -0.5 * p, -0.5 * e)


def gelu_tanh_argument(x: float) -> Pair:
    """u = 2√(2/π)·(x + c·x³), so that gelu_tanh(x) = x·σ(u)."""
    p, p2 = two_product(x, x)
    p, p2 = product(*GELU_C, p, p2)
    s, s2 = two_sum(1.0, p)
    s, s2 = product(x, 0.0, s, s2 + p2)
    return product(*TWICE_GELU_K, s, s2)


def gelu_tanh(x: float) -> float:
    """x·σ(u), u = 2√(2/π)·(x + c·x³) as a pair, for exp magnifies its error |u| times."""
    if x > 9.0:
        return x
    if x < -23.0:
        return -0.0
    u, u2 = gelu_tanh_argument(x)
    if u < -708.0:
        return exp_tail(x, 0.0, u, u2)
    return times(x, *logistic(u, u2))


GELU_TANH_ROOT: Pair = (-0.7524614220710163, 3.635560509207687e-17)
GELU_TANH_E = 0.29195521191476714  # exp(u) at the root


def gelu_tanh_slope(x: float) -> float:
    """σ(u) + x·u′·σ′(u) = (1 + e + x·u′)·e/(1 + e)², e = exp(u), where x·u′ = 3u − 2k·x with k = 2√(2/π).

    Around the root, with t = x − r and q = x² + x·r + r², u − u(r) = k·t·(1 + c·q) and
    x·u′ − r·u′(r) = k·t·(1 + 3c·q), both with the sign of t.
    """
    if x > 9.0:
        return 1.0
    if x < -23.0:
        return -0.0
    u, u2 = gelu_tanh_argument(x)
    k, k2 = TWICE_GELU_K
    a, a2 = product(3.0, 0.0, u, u2)
    b, b2 = product(-2.0 * k, -2.0 * k2, x, 0.0)
    w, w2 = two_sum(a, b)  # x·u′
    w2 += a2 + b2
    if not x <= 0.0:
        s, s2 = logistic(-u, -u2)  # σ(u) = 1 − s
        a, a2 = product(w, w2, s - s * s, 0.0)
        f, f2 = one_minus(s)
        f, f3 = two_sum(f, a)
        return f + (f2 + f3 + a2 - s2)
    e = exp(u)
    d, d2 = two_sum(1.0, e)
    if -1.4 < x < -0.2:
        t, t2 = minus(x, GELU_TANH_ROOT)
        q = x * x + GELU_TANH_ROOT[0] * (x + GELU_TANH_ROOT[0])
        a, a2 = two_sum(1.0, 3.0 * GELU_C[0] * q)
        a, a2 = product(t, t2, *product(k, k2, a, a2))
        f, f2 = two_sum(a, GELU_TANH_E * expm1(k * t * (1.0 + GELU_C[0] * q)))
        f2 += a2
    else:
        f, f2 = two_sum(w, d)
        f2 += w2 + d2
    if u < -708.0:
        return exp_tail(f, f2, u, u2)
    d2 += e * u2
    q, q2 = quotient(f, f2, *product(d, d2, d, d2))
    return times(e, q, q2 + q * u2)


# ── exponential units ───────────────────────────────────────────────────────────────────────────
def selu(x: float) -> float:
    """scale·x, or scale·alpha·(eˣ − 1): the constants as pairs."""
    if x > 0.0:
        v = SELU_SCALE[0] * x
        return v + SELU_SCALE[1] * x if v < inf else v
    return times(expm1(x), *SELU_SCALE_ALPHA)


def selu_slope(x: float) -> float:
    """scale, or scale·alpha·eˣ."""
    if x > 0.0:
        return SELU_SCALE[0]
    return times(exp(x), *SELU_SCALE_ALPHA) if x > -708.0 or x != x else exp_tail(*SELU_SCALE_ALPHA, x, 0.0)


def exp_ieee(x: float) -> float:
    """eˣ; `math.exp` with infinity where it raises."""
    try:
        return exp(x)
    except OverflowError:
        return inf


def expm1_ieee(x: float) -> float:
    """eˣ − 1; `math.expm1` with infinity where it raises."""
    try:
        return expm1(x)
    except OverflowError:
        return inf


def divide(x: float, y: float) -> float:
    """x / y with IEEE 754 results where y is 0."""
    if y:
        return x / y
    return copysign(inf, x) * copysign(1.0, y) if x < 0.0 or x > 0.0 else nan


def quotient_ieee(x: float, y: float) -> Pair:
    """x / y as a pair where it is finite."""
    q = divide(x, y)
    if q == 0.0 or q - q != 0.0 or y - y != 0.0:
        return q, 0.0
    if not 1e-290 < fabs(x) < 1e290:  # there the product of q and y is not exact
        k = -frexp(x)[1]
        x, y = ldexp(x, k), scaled(y, k)
        if not 1e-290 < fabs(y) < 1e290:
            return q, 0.0
    return quotient(x, 0.0, y, 0.0)


def exp_times(x: float, y: float) -> float:
    """y·eˣ, also where eˣ alone would leave the range."""
    if -708.0 < x < 709.0 or x - x != 0.0 or y - y != 0.0:
        return y * exp_ieee(x)
    return exp_tail(y, 0.0, x, 0.0) if -750.0 < x < 0.0 and fabs(y) < 1e250 else square_times(y, exp_ieee(0.5 * x))


def exp_quotient(x: float, y: float) -> float:
    """exp(x / y), with what the division loses."""
    q, q2 = quotient_ieee(x, y)
    e = exp_ieee(q)
    return e + e * q2 if e < inf else e


def celu(x: float, alpha: float) -> float:
    """x, or alpha·(exp(x/alpha) − 1), with what the division loses."""
    if x > 0.0:
        return x
    q, q2 = quotient_ieee(x, alpha)
    if fabs(q) < 1e-17 and alpha:
        return x
    t = expm1_ieee(q)
    return times(alpha, t, (1.0 + t) * q2) if t < inf else alpha * t


EXP_SERIES = tuple([1.0 / math.factorial(k) for k in range(3, 27)])  # (eᵖ − 1 − p)/p² = ½ + p·(1/3! + p/4! + …)
GAP_SERIES = tuple([(k - 1.0) / math.factorial(k) for k in range(3, 22)])  # −gap/q² = ½ + q·(2/3! + 3q/4! + …)


def celu_gap(x: float, y: float) -> float:
    """(eᵠ − 1) − q·eᵠ, q = x / y: for small q, where that cancels, by a series of one sign.

    For q > 0 that of the function itself; for q = −p < 0 that of −eᵖ·gap = eᵖ − 1 − p. The derivative, −q·eᵠ, times
    what the division loses is added in the end.
    """
    q, q2 = quotient_ieee(x, y)
    e = exp_ieee(q)
    if e == 0.0 or e == inf:
        return -1.0 if e == 0.0 else -inf
    if not -1.4 < q < 1.0:
        f, f2 = product(e, 0.0, *one_minus(q))
        return (f - 1.0) + (f2 - q * e * q2) if f > -inf else f
    a = fabs(q)
    first, *rest = GAP_SERIES if q > 0.0 else EXP_SERIES
    f, f2 = product(a, 0.0, *two_sum(first, a * horner(a, rest)))
    f, f3 = two_sum(0.5, f)
    f, f2 = product(*two_product(q, q), f, f2 + f3)
    return times(-e, f, f2 + q * q2) if q < 0.0 else -(f + (f2 + q * e * q2))


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
    smallest = min([frexp(d)[1] for d, _ in w.differences if d], default=0) if w else 0
    places = 60 - min(smallest, 0)  # exp of a difference of 10^-n is 1 up to there
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


def binary_cross_entropy_slope(p: float, y: float) -> float:
    """(p − y) / (p·(1 − p)), numerator and denominator as pairs."""
    if y == 0.0:
        return divide(1.0, 1.0 - p)
    if y == 1.0:
        return -divide(1.0, p)
    if p == 0.0 or p == 1.0 or p - p != 0.0 or y - y != 0.0:
        return divide(p - y, p * (1.0 - p))
    d, d2 = product(p, 0.0, *one_minus(p))
    if not fabs(d) > 1e-280:
        return (p - y) / d
    q, q2 = quotient(*two_sum(p, -y), d, d2)
    return q + q2 if fabs(q) < inf else q


def logit(p: float) -> float:
    """ln(p / (1 − p)): beside ½ as ± log1p of (2p − 1)/(1 − p) or (1 − 2p)/p, whose numerator is exact."""
    if 0.25 < p < 0.75:
        return log1p((2.0 * p - 1.0) / (1.0 - p)) if p > 0.5 else -log1p((1.0 - 2.0 * p) / p)
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
