"""Careful formulas, each written once over a namespace `m`: Python floats, NumPy and C run them to the same bits.

A formula is here if one rounding a step would leave more than 2 ulp. The namespace is smaller than that of ops.py:
operators, comparisons (joined by & and |), and the words

    divide(x, y), abs(x), copysign(x, y), pow(x, y), fmod(x, y)     as IEEE 754 has them
    where(test, x, y)         x or y, both computed: a formula never branches on a number
    two_product(x, y)         x·y as a pair of floats (Dekker 1971, or a fused multiplication)
    scale(x, k)               x·2ᵏ for |k| up to 2000, rounded once
    split(x)                  (f, k) with x = f·2ᵏ and f in [√½, √2)
    rarely(test, x, better)   better() where the test holds, which is rare, else x
    sqrt(x), exp(x), expm1(x), log(x), log1p(x)     the library's, where one ulp more does no harm

answered for floats in floats/words.py, for NumPy in floats/arrays.py, as C text in native/c_text.py. Where an ulp
counts, exponentials and logarithms are formulas themselves, and no library has a say in the bits: all of `SAME`.
What the words promise of subnormal and infinite numbers is little: a formula selects last what is known there.

Three ideas carry all of it. *Pairs*: a number as an unevaluated sum of two floats, the second what the first has lost
(Knuth 1969; Dekker 1971), added up once at the end. *e = exp(−|x|) is the friend*: logistic functions are quotients of
polynomials in e with positive terms, so nothing cancels; 1 − σ and 1 − tanh² do. *Measure from the root*: a slope with
a zero is its Taylor series there, in x − root, the root known to 32 digits. No derivative rules here (ops.py has them).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .coefficients import (  # fmt: skip
    CBRT,
    CBRT_2,
    ERF,
    ERFCX,
    FACTORIALS,
    GELU,
    GELU_C,
    GELU_TANH,
    INVERSE_SQRT_2PI,
    LN2,
    LN2_4,
    LN2_64,
    MILLS,
    MISH,
    SELU_SCALE,
    SELU_SCALE_ALPHA,
    SIGMOID,
    SILU,
    SQRT_HALF,
    TWICE_GELU_K,
    TWO_OVER_SQRT_PI,
)

Pair = tuple[Any, Any]
Root = tuple[tuple[float, float], tuple[tuple[float, float], tuple[float, ...]]]

INF, NAN = float("inf"), float("nan")
SHIFTER = 6755399441055744.0  # 1.5·2⁵²: what is added to it is rounded to an integer
LOG2_E = 1.4426950408889634


# ── pairs ───────────────────────────────────────────────────────────────────────────────────────
def two_sum(a: Any, b: Any) -> Pair:
    """a + b exactly, whichever is larger."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def fast_sum(a: Any, b: Any) -> Pair:
    """a + b exactly, for |a| ≥ |b|."""
    s = a + b
    return s, b - (s - a)


def added(a: Pair, b: Pair) -> Pair:
    s, e = two_sum(a[0], b[0])
    return fast_sum(s, e + (a[1] + b[1]))


def negated(a: Pair) -> Pair:
    return -a[0], -a[1]


def doubled(a: Pair) -> Pair:
    return 2.0 * a[0], 2.0 * a[1]


def product(m: Any, a: Pair, b: Pair) -> Pair:
    p, e = m.two_product(a[0], b[0])
    return p, e + (a[0] * b[1] + a[1] * b[0])


def quotient(m: Any, a: Pair, b: Pair) -> Pair:
    r = m.divide(1.0, b[0])
    q = a[0] * r
    p, e = m.two_product(q, b[0])
    return fast_sum(q, (((a[0] - p) - e) + a[1] - q * b[1]) * r)


def exactly(x: Any) -> Pair:
    return x, 0.0


def chosen(m: Any, test: Any, a: Pair, b: Pair) -> Pair:
    return m.where(test, a[0], b[0]), m.where(test, a[1], b[1])


def horner(t: Any, coefficients: Sequence[float]) -> Any:
    """c₀ + c₁t + c₂t² + …"""
    *rest, result = coefficients
    for c in reversed(rest):
        result = result * t + c
    return result


def series(t: Any, first: tuple[float, float], rest: Sequence[float]) -> Pair:
    """c₀ + t·(c₁ + c₂t + …), c₀ a pair."""
    s, e = two_sum(first[0], t * horner(t, rest))
    return s, e + first[1]


def beside_root(m: Any, x: Any, root: Root) -> tuple[Any, Any]:
    """The Taylor series at a root, to the last place however near; and whether it holds here."""
    (r, r2), coefficients = root
    d, d2 = two_sum(x, -r)
    t = fast_sum(d, d2 - r2)
    v = product(m, t, series(t[0], *coefficients))
    return v[0] + v[1], m.abs(d) < 0.25


# ── exponentials and logarithms as pairs, to about 2⁻⁶⁰ ─────────────────────────────────────────
# An exponential is a triple (e, e2, k) that stands for (e + e2)·2ᵏ: scaled last, a subnormal result is rounded once.
INVERSE_FACTORIALS = tuple([f[0] for f in FACTORIALS[3:16]])
ARTANH = tuple([2.0 / n for n in range(3, 27, 2)])  # artanh s = s + s³/3 + …


def reduced(x: Any, x2: Any) -> tuple[Any, Any, Any]:
    """k and the pair x + x2 − k·ln 2."""
    k = (x * LOG2_E + SHIFTER) - SHIFTER
    r, r2 = two_sum(x - k * LN2[0], -(k * LN2[1]))
    return k, r, (r2 - k * LN2[2]) + x2


def power_tail(m: Any, r: Any, r2: Any) -> Pair:
    """eʳ − 1 − r."""
    q, q2 = m.two_product(r, r)
    tail = q * r * horner(r, INVERSE_FACTORIALS)
    return fast_sum(0.5 * q, tail + (0.5 * q2 + r2 * (r + (0.5 * q + tail))))


def exp_pair(m: Any, x: Any, x2: Any = 0.0) -> tuple[Any, Any, Any]:
    """exp(x + x2). Overflow and far underflow are the caller's, who selects."""
    k, r, r2 = reduced(x, x2)
    p, p2 = power_tail(m, r, r2)
    s, e = fast_sum(1.0, r)
    s, e2 = fast_sum(s, p)
    s, e = fast_sum(s, e + e2 + (p2 + r2))
    return s, e, k


def expm1_parts(m: Any, x: Any, x2: Any = 0.0) -> tuple[Pair, Pair]:
    """Pairs h and r with exp(x + x2) − 1 = h + r; where it is small, h is the argument itself."""
    k, r, r2 = reduced(x, x2)
    p = power_tail(m, r, r2)
    power = m.scale(1.0, k)
    whole = added(added(exactly(1.0), (r, r2)), p)
    whole = added((whole[0] * power, whole[1] * power), exactly(-1.0))
    near = k == 0.0
    return chosen(m, near, (r, r2), whole), chosen(m, near, p, exactly(0.0))


def log_pair(m: Any, x: Any, x2: Any = 0.0) -> Pair:
    """ln(x + x2) for x > 0: x is f·2ᵏ, and ln f = 2 artanh s with s = (f − 1)/(f + 1), so written that f comes last."""
    u, k = m.split(x)
    f = u - 1.0
    s = m.divide(f, f + 2.0)
    z = s * s
    q, q2 = m.two_product(f, f)
    tail = s * (0.5 * q + z * horner(z, ARTANH))
    h, h2 = fast_sum(f, -0.5 * q)
    a, a2 = two_sum(k * LN2[0], k * LN2[1])
    a, a3 = two_sum(a, h)
    return fast_sum(a, a3 + (a2 + k * LN2[2] + h2 + (tail - 0.5 * q2 + m.divide(x2, x))))


def scaled(m: Any, e: tuple[Any, Any, Any]) -> Pair:
    """An exponential as a pair of floats."""
    return m.scale(e[0], e[2]), m.scale(e[1], e[2])


# ── three floats, where two cancel: for `rarely` ────────────────────────────────────────────────
def distil(xs: Sequence[Any]) -> tuple[Any, Any, Any]:
    """A sum of floats as three, largest first: sweeps of two_sum (Ogita, Rump & Oishi 2005)."""
    found = []
    for _ in range(3):
        total, rest = xs[0], []
        for x in xs[1:]:
            total, e = two_sum(total, x)
            rest.append(e)
        found.append(total)
        xs = rest or [0.0]
    s, e = two_sum(found[0], found[1])
    t, u = two_sum(e, found[2])
    return s, t, u


def product3(m: Any, a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
    p, e = m.two_product(a[0], b[0])
    q, f = m.two_product(a[0], b[1])
    r, g = m.two_product(a[1], b[0])
    return [p, q, r, e, a[1] * b[1] + (a[0] * b[2] + a[2] * b[0]) + (f + g)]


def exp3(m: Any, x: Any) -> list[Any]:
    """eˣ to about 2⁻¹⁵⁰, in some 1,500 steps."""
    k = (x * LOG2_E + SHIFTER) - SHIFTER
    r = distil([x, *[-(k * part) for part in LN2_4]])
    s = distil(FACTORIALS[27])
    for n in range(26, -1, -1):
        s = distil([*product3(m, s, r), *FACTORIALS[n]])
    return [m.scale(v, k) for v in s]


# ── the logistic family ─────────────────────────────────────────────────────────────────────────
class Share:
    """What logistic functions of x + x2 are made of, e = exp(−|x + x2|): σ = numerator·2ᵏ / denominator."""

    def __init__(self, m: Any, x: Any, x2: Any = 0.0) -> None:
        self.up = x >= 0.0
        e, e2, k = exp_pair(m, -m.abs(x), m.where(self.up, -x2, x2))
        self.e = chosen(m, m.abs(x) > 745.5, exactly(0.0), scaled(m, (e, e2, k)))
        self.numerator = chosen(m, self.up, exactly(1.0), (e, e2))
        self.k = m.where(self.up, 0.0, k)
        s, s2 = fast_sum(1.0, self.e[0])
        self.denominator = s, s2 + self.e[1]


def sigmoid(m: Any, x: Any) -> Any:
    """1/(1 + e) or e/(1 + e), 1 + e as a pair."""
    e = m.exp(-m.abs(x))
    d = 1.0 + e
    s = m.divide(m.where(x >= 0.0, 1.0, e), d)
    return s - s * m.divide((1.0 - d) + e, d)


def softplus(m: Any, x: Any) -> Any:
    """ln(1 + eˣ) = max(x, 0) + ln(1 + e)."""
    return m.where(x > 0.0, x, 0.0) + m.log1p(m.exp(-m.abs(x)))


def density_of(m: Any, e: Any) -> Any:
    """e/(1 + e)² as s − s², s = e/(1 + e) ≤ ½; what s lacks is (e − s − s·e)/(1 + e), and e − s is exact."""
    d = 1.0 + e
    s = m.divide(e, d)
    return (s - s * s) + m.divide((e - s) - s * e, d) * (1.0 - 2.0 * s)


def logistic_density(m: Any, x: Any) -> Any:
    """σ′(x) = e/(1 + e)²."""
    return density_of(m, m.exp(-m.abs(x)))


def tanh(m: Any, x: Any) -> Any:
    """t/(t + 2) with t = exp(2|x|) − 1, which halves what expm1 errs."""
    a = m.abs(x)
    t = m.expm1(2.0 * a)
    d = t + 2.0
    q = m.divide(t, d)
    return m.copysign(m.where(a > 20.0, 1.0, q - q * m.divide((2.0 - d) + t, d)), x)


def sech2(m: Any, x: Any) -> Any:
    """4·σ′(2x); where exp(−2|x|) would be subnormal, and have few bits, 2⁶⁴ times as large on the way."""
    a = m.abs(x)
    far = a > 350.0
    h, h2 = two_sum(-2.0 * a, m.where(far, LN2_64[0], 0.0))
    e = m.exp(h)
    e = e + m.where(far & (a < 1e300), e * (h2 + LN2_64[1]), 0.0)
    return m.where(far, 2.0**-62 * e, 4.0 * density_of(m, e))


def gated(m: Any, x: Any, u: Any, u2: Any) -> Any:
    """x·σ(u + u2), u of the sign of x."""
    share = Share(m, u, u2)
    q = product(m, exactly(x), quotient(m, share.numerator, share.denominator))
    v = m.copysign(m.scale(q[0] + q[1], share.k), x)
    return m.where(u < -760.0, m.copysign(0.0, x), m.where(u > 60.0, x, v))


def gated_slope(m: Any, x: Any, u: Any, u2: Any, w: Pair, root: Root) -> Any:
    """σ(u) + w·σ′(u), w = x·du/dx: (1 + e + w)·e/(1 + e)² for u < 0, (1 + e + w·e)/(1 + e)² else."""
    share = Share(m, u, u2)
    f = added(share.denominator, chosen(m, share.up, product(m, w, share.e), w))
    square = product(m, share.denominator, share.denominator)
    q = quotient(m, product(m, share.numerator, f), square)
    near, inside = beside_root(m, x, root)
    v = m.where(inside, near, m.scale(q[0] + q[1], share.k))
    return m.where(u < -760.0, -0.0, m.where(u > 60.0, 1.0, v))


def silu(m: Any, x: Any) -> Any:
    """x·σ(x)."""
    return gated(m, x, x, 0.0)


def silu_slope(m: Any, x: Any) -> Any:
    """σ(x) + x·σ′(x)."""
    return gated_slope(m, x, x, 0.0, exactly(x), SILU)


def gelu_tanh_argument(m: Any, x: Any) -> Pair:
    """u = 2√(2/π)·(x + c·x³), so that gelu_tanh(x) = x·σ(u): a pair, for exp magnifies its error |u| times."""
    s = added(exactly(1.0), product(m, GELU_C, m.two_product(x, x)))
    return product(m, TWICE_GELU_K, product(m, exactly(x), s))


def gelu_tanh(m: Any, x: Any) -> Any:
    """x·σ(u)."""
    u, u2 = gelu_tanh_argument(m, x)
    return m.where(m.abs(x) > 30.0, m.where(x > 0.0, x, -0.0), gated(m, x, u, u2))


def gelu_tanh_slope(m: Any, x: Any) -> Any:
    """σ(u) + x·u′·σ′(u), with x·u′ = 3u − 4√(2/π)·x."""
    u = gelu_tanh_argument(m, x)
    w = added(product(m, exactly(3.0), u), negated(product(m, doubled(TWICE_GELU_K), exactly(x))))
    v = gated_slope(m, x, *u, w, GELU_TANH)
    return m.where(m.abs(x) > 30.0, m.where(x > 0.0, 1.0, -0.0), v)


def sigmoid_difference(m: Any, x: Any, y: Any) -> Any:
    """σ(x − y), the difference as a pair; ½ where x = y, infinite too."""
    d, d2 = two_sum(x, -y)
    share = Share(m, d, m.where(d2 == d2, d2, 0.0))
    q = quotient(m, share.numerator, share.denominator)
    v = m.where(d < -760.0, 0.0, m.where(d > 60.0, 1.0, m.scale(q[0] + q[1], share.k)))
    return m.where(x == y, 0.5, v)


def sigmoid_minus(m: Any, x: Any, y: Any) -> Any:
    """σ(x) − y: from 1 where y > ½; for |x| < 1 as ½·tanh(x/2) − (y − ½)."""
    small, above = m.abs(x) < 1.0, y > 0.5
    t = added(*expm1_parts(m, -m.abs(x)))  # ½·tanh(|x|/2) = −½t/(2 + t)
    half = quotient(m, (-0.5 * t[0], -0.5 * t[1]), added(exactly(2.0), t))
    half = chosen(m, x < 0.0, negated(half), half)
    share = Share(m, x)
    q = quotient(m, chosen(m, share.up == above, share.e, exactly(1.0)), share.denominator)
    first = chosen(m, small, half, chosen(m, above, negated(q), q))
    second = chosen(m, small, two_sum(0.5, -y), exactly(m.where(above, 1.0 - y, -y)))
    s, e = two_sum(first[0], second[0])
    v = s + (e + (first[1] + second[1]))

    def better() -> Any:
        """(1 or e) − y·(1 + e) over 1 + e in three floats; for small x from x/4 + (½ − y), exact, and its series."""
        e = exp3(m, -m.abs(x))
        up = x > 0.0
        share = [m.where(up, 1.0, e[0]), m.where(up, 0.0, e[1]), m.where(up, 0.0, e[2])]
        n = distil([-y, *share, *[-v for v in product3(m, e, (y, 0.0, 0.0))]])
        z = m.two_product(x, x)
        t = added(exactly(horner(z[0], SIGMOID[1]) * z[0]), SIGMOID[0])
        c = distil([0.25 * x, 0.5, -y, *product(m, product(m, exactly(x), z), t)])
        return m.where(m.abs(x) < 2.0**-15, c[0] + c[1], m.divide(n[0] + n[1], 1.0 + e[0]))

    close = m.abs(v) < m.abs(first[0]) * 2.0**-4
    v = m.rarely(close & (m.abs(x) < 700.0) & (y != 0.5), v, better)
    v = m.where((y == 1.0) & (v == 0.0), -0.0, v)  # −σ(−x)
    tiny = m.abs(x) < 1e-290
    v = m.where(tiny, m.where(y == 0.5, 0.25 * x, 0.5 - y), m.where((m.abs(y) > 1e17) & (x == x), -y, v))
    return m.where(x == INF, m.where(y == 1.0, -0.0, 1.0 - y), m.where(x == -INF, 0.0 - y, v))


class MishShare:
    """What mish and its slope are made of: e = exp(−|x|) as a triple and as a pair of floats."""

    def __init__(self, m: Any, x: Any) -> None:
        self.up = x >= 0.0
        e, e2, k = exp_pair(m, -m.abs(x))
        self.fraction = e, e2
        self.k = m.where(self.up, 0.0, k)
        self.e = chosen(m, m.abs(x) > 745.5, exactly(0.0), scaled(m, (e, e2, k)))


def mish(m: Any, x: Any) -> Any:
    """x·n/(n + 2) with n = e(2 + e), e = eˣ; for x ≥ 0 x·(1 + 2e)/(1 + 2e + 2e²), e = e⁻ˣ."""
    share = MishShare(m, x)
    twice, square = doubled(share.e), product(m, share.e, share.e)
    low = product(m, share.fraction, added(exactly(2.0), share.e))
    high = added(exactly(1.0), twice)
    d = added(
        chosen(m, share.up, high, exactly(2.0)),
        chosen(m, share.up, doubled(square), added(twice, square)),
    )
    q = product(m, exactly(x), quotient(m, chosen(m, share.up, high, low), d))
    v = m.copysign(m.scale(q[0] + q[1], share.k), x)
    return m.where(x < -760.0, -0.0, m.where(x > 60.0, x, v))


def mish_slope(m: Any, x: Any) -> Any:
    """e·(4(x + 1) + e(4x + 6) + 4e² + e³)/(2 + 2e + e²)², e = eˣ; for x ≥ 0 all of it times e⁻⁴ˣ."""
    share = MishShare(m, x)
    e, up = share.e, share.up
    a, b = two_sum(4.0 * x, 4.0), two_sum(4.0 * x, 6.0)
    f = added(chosen(m, up, b, exactly(4.0)), product(m, e, chosen(m, up, a, exactly(1.0))))
    f = added(chosen(m, up, exactly(4.0), b), product(m, e, f))
    f = added(chosen(m, up, exactly(1.0), a), product(m, e, f))
    d = added(exactly(2.0), product(m, e, chosen(m, up, exactly(2.0), exactly(1.0))))
    d = added(chosen(m, up, exactly(1.0), exactly(2.0)), product(m, e, d))
    q = quotient(m, product(m, chosen(m, up, exactly(1.0), share.fraction), f), product(m, d, d))
    near, inside = beside_root(m, x, MISH)
    v = m.where(inside, near, m.scale(q[0] + q[1], share.k))
    return m.where(x < -760.0, -0.0, m.where(x > 60.0, 1.0, v))


# ── the error function and its kin ──────────────────────────────────────────────────────────────
def gauss(m: Any, x: Any, c: float) -> tuple[Any, Any, Any]:
    """exp(−c·x²), c a power of two."""
    p, e = m.two_product(x, x)
    return exp_pair(m, -c * p, -c * e)


def density(m: Any, x: Any, c: float, factor: Pair, end: float) -> Any:
    """factor·exp(−c·x²), 0 beyond the end."""
    e, e2, k = gauss(m, x, c)
    v = product(m, factor, (e, e2))
    return m.where(m.abs(x) > end, 0.0, m.scale(v[0] + v[1], k))


def erf_slope(m: Any, x: Any) -> Any:
    """(2/√π)·exp(−x²)."""
    return density(m, x, 1.0, TWO_OVER_SQRT_PI, 28.0)


def normal_density(m: Any, x: Any) -> Any:
    """φ(x) = exp(−x²/2)/√(2π)."""
    return density(m, x, 0.5, INVERSE_SQRT_2PI, 39.0)


def erfc_tail(m: Any, a: Any) -> tuple[Pair, Any]:
    """erfc(a) for a ≥ 0 as a pair and an exponent: exp(−a²) times a polynomial in (a − 3)/(a + 3), over 1 + 2a."""
    e, e2, k = gauss(m, a, 1.0)
    s = series(m.divide(a - 3.0, a + 3.0), *ERFCX)
    return product(m, (e, e2), quotient(m, s, two_sum(1.0, 2.0 * a))), k


def from_one(m: Any, v: Pair, k: Any) -> Pair:
    """1 − v·2ᵏ."""
    return added(exactly(1.0), (-m.scale(v[0], k), -m.scale(v[1], k)))


def erf(m: Any, x: Any) -> Any:
    """Error function: its series for |x| < 0.7, else 1 − erfc."""
    a = m.abs(x)
    near = product(m, exactly(a), series(a * a, *ERF))
    far = from_one(m, *erfc_tail(m, a))
    y = m.where(a < 0.7, near[0] + near[1], far[0] + far[1])
    return m.copysign(m.where(a > 6.0, 1.0, y), x)


def erfc(m: Any, x: Any) -> Any:
    """1 − erf(x)."""
    a = m.abs(x)
    v, k = erfc_tail(m, a)
    w = from_one(m, v, k)
    near = added(exactly(1.0), negated(product(m, exactly(x), series(x * x, *ERF))))
    y = m.where(x < 0.0, 1.0 + (w[0] + w[1]), m.scale(v[0] + v[1], k))
    y = m.where(a < 0.5, near[0] + near[1], y)
    return m.where(a > 28.0, m.where(x > 0.0, 0.0, 2.0), y)


def mills(m: Any, a: Any) -> Pair:
    """½·exp(a²/2)·erfc(a/√2) for a ≥ 0: a polynomial in (a − 4)/(a + 4), over 1 + a."""
    return quotient(m, series(m.divide(a - 4.0, a + 4.0), *MILLS), two_sum(1.0, a))


def normal_tail(m: Any, a: Any) -> tuple[Pair, Any]:
    """Φ(−a) for a ≥ 0 as a pair and an exponent."""
    e, e2, k = gauss(m, a, 0.5)
    return product(m, (e, e2), mills(m, a)), k


def normal_cdf(m: Any, x: Any) -> Any:
    """Φ(x) = ½·erfc(−x/√2)."""
    a = m.abs(x)
    v, k = normal_tail(m, a)
    w = from_one(m, v, k)
    y = m.where(x < 0.0, m.scale(v[0] + v[1], k), w[0] + w[1])
    return m.where(a > 39.0, m.where(x < 0.0, 0.0, 1.0), y)


def gelu(m: Any, x: Any) -> Any:
    """x·Φ(x)."""
    a = m.abs(x)
    v, k = normal_tail(m, a)
    low = product(m, exactly(x), v)
    high = product(m, exactly(x), from_one(m, v, k))
    y = m.where(x < 0.0, m.scale(low[0] + low[1], k), high[0] + high[1])
    y = m.where(a < 1e-290, 0.5 * x, y)
    return m.where(a > 39.0, m.where(x < 0.0, -0.0, x), y)


def gelu_slope(m: Any, x: Any) -> Any:
    """Φ(x) + x·φ(x) = w for x < 0, else 1 − w, where w = exp(−a²/2)·(½·erfcx(a/√2) − a/√(2π)), a = |x|."""
    a = m.abs(x)
    e, e2, k = gauss(m, a, 0.5)
    v = product(m, (e, e2), added(mills(m, a), negated(product(m, exactly(a), INVERSE_SQRT_2PI))))
    w = from_one(m, v, k)
    y = m.where(x < 0.0, m.scale(v[0] + v[1], k), w[0] + w[1])
    near, inside = beside_root(m, x, GELU)
    return m.where(a > 40.0, m.where(x < 0.0, -0.0, 1.0), m.where(inside, near, y))


# ── quotients, logarithms and powers ────────────────────────────────────────────────────────────
def finite(m: Any, x: Any) -> Any:
    return m.abs(x) < INF


def clipped(m: Any, k: Any) -> Any:
    """An exponent that `scale` takes."""
    return m.where(m.abs(k) > 2000.0, m.copysign(2000.0, k), k)


def settled(m: Any, s: Any, lost: Any) -> Any:
    """s + lost, and s where the range left nothing to say about `lost`."""
    return m.where(finite(m, s) & (lost == lost), s + lost, s)


def exact_product(m: Any, x: Any, y: Any) -> Pair:
    """x·y as a pair, also where one factor is too large to split; infinite or nan: only the product."""
    f, i = m.split(m.abs(x))
    g, j = m.split(m.abs(y))
    sign, k = m.copysign(1.0, x) * m.copysign(1.0, y), i + j
    p, e = m.two_product(f, g)
    inner = m.abs(k) < 1020.0
    return m.where(inner, m.scale(sign * p, k), x * y), m.where(inner, m.scale(sign * e, k), 0.0)


def difference_over(m: Any, x: Any, y: Any, n: Any) -> Any:
    """(x − y) / n, of halves where the difference overflows."""
    d = x - y
    return m.where(finite(m, d), m.divide(d, n), m.divide(0.5 * x - 0.5 * y, 0.5 * n))


def half_squared_error(m: Any, p: Any, t: Any) -> Any:
    """½·(p − t)², the difference as a pair."""
    d, d2 = two_sum(p, -t)
    return settled(m, 0.5 * d * d, d * d2)


def over_square(m: Any, x: Any, y: Any) -> Any:
    """x / y² as (x / y) / y; exponents apart where x / y leaves the range."""
    q = m.divide(x, y)
    f, i = m.split(m.abs(x))
    g, j = m.split(m.abs(y))
    far = m.scale(m.copysign(m.divide(m.divide(f, g), g), x), clipped(m, i - 2.0 * j))
    leaves = (m.abs(q) <= 1e-290) | (m.abs(q) >= 1e290)
    inner = (m.abs(x) > 0.0) & finite(m, x) & (m.abs(y) > 0.0) & finite(m, y)
    return m.where(leaves & inner, far, m.divide(q, y))


def inverse(m: Any, p: Pair) -> Any:
    """1 / (p + p2)."""
    r = m.divide(1.0, p[0])
    return r - r * m.divide(p[1], p[0])


def inverse_root(m: Any, p: Pair) -> Any:
    """1 / √(p + p2), the second float by the binomial series."""
    r = m.divide(1.0, m.sqrt(p[0]))
    q, e = product(m, p, m.two_product(r, r))
    return r - 0.5 * r * ((q - 1.0) + e)


def square_minus_one(m: Any, x: Any) -> Pair:
    """x² − 1: the subtraction is exact near 1, so only what x² loses counts."""
    p, e = m.two_product(x, x)
    s, s2 = two_sum(p, -1.0)
    return s, s2 + e


def lorentzian(m: Any, x: Any) -> Any:
    """1 / (1 + x²)."""
    p, e = m.two_product(x, x)
    s, s2 = two_sum(1.0, p)
    return m.where(m.abs(x) < 1e9, inverse(m, (s, s2 + e)), m.divide(m.divide(1.0, x), x))


def asin_slope(m: Any, x: Any) -> Any:
    """1 / √(1 − x²)."""
    v = inverse_root(m, negated(square_minus_one(m, x)))
    return m.where(m.abs(x) < 1.0, v, m.where(m.abs(x) == 1.0, INF, NAN))


def atanh_slope(m: Any, x: Any) -> Any:
    """1 / (1 − x²)."""
    v = inverse(m, negated(square_minus_one(m, x)))
    v = m.where(m.abs(x) < 1e9, v, m.divide(m.divide(-1.0, x), x))
    return m.where(m.abs(x) == 1.0, INF, v)


def acosh_slope(m: Any, x: Any) -> Any:
    """1 / √(x² − 1)."""
    v = m.where(x < 1e9, inverse_root(m, square_minus_one(m, x)), m.divide(1.0, x))
    return m.where(x > 1.0, v, m.where(x == 1.0, INF, NAN))


def acosh(m: Any, x: Any) -> Any:
    """ln(1 + (t + √(t(t + 2)))), t = x − 1; ln 2x for a large x."""
    t = x - 1.0
    s = t + 2.0
    p, e = product(m, exactly(t), (s, t - (s - 2.0)))
    root = m.sqrt(p)
    q, q2 = m.two_product(root, root)
    root2 = m.where(root > 0.0, m.divide(((p - q) - q2) + e, 2.0 * root), 0.0)
    v, v2 = two_sum(root, t)
    u, u2 = two_sum(1.0, v)
    large = x > 1e9
    u, u2 = m.where(large, x, u), m.where(large, 0.0, u2 + (v2 + root2))
    s, s2 = added(log_pair(m, u, u2), chosen(m, large, (LN2_64[0] / 64.0, LN2_64[1] / 64.0), exactly(0.0)))
    return m.where(x > 1.0, m.where(x < INF, s + s2, x), m.where(x == 1.0, 0.0, NAN))


def cbrt_pair(m: Any, x: Any) -> tuple[Any, Any, Any]:
    """(y + y2)·2ʲ = ∛|x|: a polynomial, a step of Halley's, and one of Newton's with the exact residual."""
    f, k = m.split(m.abs(x))
    j = (k * (1.0 / 3.0) + SHIFTER) - SHIFTER
    k = k - 3.0 * j  # −1, 0, 1
    y = horner(f, CBRT)
    cube = y * y * y
    y = y * m.divide(cube + 2.0 * f, 2.0 * cube + f) * m.where(k > 0.0, CBRT_2, m.where(k < 0.0, 1.0 / CBRT_2, 1.0))
    f = f * m.where(k > 0.0, 2.0, m.where(k < 0.0, 0.5, 1.0))
    square, square2 = m.two_product(y, y)
    p, p2 = m.two_product(square, y)
    y, y2 = fast_sum(y, m.divide(((f - p) - p2) - square2 * y, 3.0 * square))
    return y, y2, j


def cbrt(m: Any, x: Any) -> Any:
    """∛x."""
    y, y2, j = cbrt_pair(m, x)
    return m.where((m.abs(x) > 0.0) & finite(m, x), m.copysign(m.scale(y + y2, j), x), x)


def cbrt_slope(m: Any, x: Any) -> Any:
    """1 / (3·∛x²)."""
    y, y2, j = cbrt_pair(m, x)
    v = m.scale(inverse(m, product(m, exactly(3.0), product(m, (y, y2), (y, y2)))), -2.0 * j)
    return m.where(x == 0.0, INF, m.where(finite(m, x), v, m.where(x == x, 0.0, x)))


def norm2(m: Any, x: Any, y: Any) -> tuple[Any, Any, Pair]:
    """The larger of |x| and |y|, its exponent k, and x² + y² without it."""
    top = m.where(m.abs(x) > m.abs(y), m.abs(x), m.abs(y))
    k = m.split(top)[1]
    x, y = m.scale(x, -k), m.scale(y, -k)
    p, p2 = m.two_product(x, x)
    q, q2 = m.two_product(y, y)
    s, s2 = two_sum(p, q)
    return top, k, (s, s2 + (p2 + q2))


def over_norm2(m: Any, x: Any, y: Any) -> Any:
    """x / (x² + y²), and 0 at the origin."""
    top, k, s = norm2(m, x, y)
    q, q2 = quotient(m, exactly(1.0), s)
    u = m.scale(x, 200.0 - k)  # 2²⁰⁰, lest a subnormal result is rounded twice
    v = m.where((top > 0.0) & finite(m, top) & (u != 0.0), m.scale(u * q + u * q2, -200.0 - k), m.copysign(0.0, x))
    return m.where((x == x) & (y == y), v, NAN)


def unit_component(m: Any, x: Any, y: Any) -> Any:
    """x / √(x² + y²), and 0 at the origin; of two infinities √½."""
    top, k, s = norm2(m, x, y)
    v = m.where((top > 0.0) & finite(m, top), m.scale(x, -k) * inverse_root(m, s), x * 0.0)
    infinite = m.where(m.abs(y) == INF, m.where(m.abs(x) == INF, SQRT_HALF[0], 0.0), 1.0)
    v = m.where(top == INF, m.copysign(infinite, x), v)
    return m.where((x == x) & (y == y), v, NAN)


def ratio_pair(m: Any, x: Any, y: Any) -> Pair:
    """x / y, mantissas and exponents apart: nothing leaves the range on the way."""
    a, i = m.split(m.abs(x))
    b, j = m.split(m.abs(y))
    k = i - j
    sign = m.copysign(1.0, x) * m.copysign(1.0, y)
    q = quotient(m, exactly(a), exactly(b))
    q = m.scale(sign * q[0], k), m.scale(sign * q[1], k)
    plain = m.divide(x, y)
    inner = (m.abs(plain) < INF) & (m.abs(plain) > 0.0) & (m.abs(y) < INF) & (m.abs(k) <= 1000.0)
    return chosen(m, inner, q, exactly(plain))


def exp_quotient(m: Any, x: Any, y: Any) -> Any:
    """exp(x / y)."""
    q, q2 = ratio_pair(m, x, y)
    e, e2, k = exp_pair(m, q, q2)
    return m.where(q < -746.0, 0.0, m.where(q > 710.0, INF, m.scale(e + e2, k)))


def celu_gap(m: Any, x: Any, y: Any) -> Any:
    """(e^q − 1) − q·e^q, q = x / y: with e^q − 1 = q + r for small q it is r − q·(q + r)."""
    q, q2 = ratio_pair(m, x, y)
    h, r = expm1_parts(m, q, q2)
    t = added(h, r)
    first = chosen(m, m.abs(q) < 0.34, r, added(t, (-q, -q2)))
    v = added(first, negated(product(m, (q, q2), t)))
    e, e2, k = exp_pair(m, q, q2)
    far = product(m, (e, e2), two_sum(1.0, -q))  # all that is left far to the right
    v = m.where(q < -60.0, -1.0, m.where(q > 60.0, m.scale(far[0] + far[1], k), v[0] + v[1]))
    square, lost = m.two_product(2.0**200 * q, 2.0**200 * q)  # −q²/2 is left, whose pair would leave the range
    square = m.scale(0.5 * square + (0.5 * lost + 2.0**200 * q * (2.0**200 * q2)), -400.0)
    v = m.where(m.abs(q) < 2.0**-60, square, v)
    return m.where(q == -INF, -1.0, m.where(q > 720.0, -INF, -m.abs(v)))


def celu(m: Any, x: Any, alpha: Any) -> Any:
    """x, or alpha·(exp(x/alpha) − 1), the quotient as a pair."""
    q, q2 = ratio_pair(m, x, alpha)
    t = chosen(m, q < -60.0, exactly(-1.0), added(*expm1_parts(m, q, q2)))
    e, e2, i = exp_pair(m, q, q2)  # all that is left far to the right
    f, k = m.split(m.abs(alpha))
    v = product(m, exactly(m.copysign(f, alpha)), chosen(m, q > 60.0, (e, e2), t))
    v = m.scale(v[0] + v[1], clipped(m, k + m.where(q > 60.0, i, 0.0)))
    v = m.where(q > 1500.0, alpha * INF, v)
    return m.where((x > 0.0) | ((m.abs(q) < 1e-17) & (m.abs(alpha) > 0.0)), x, v)


def selu(m: Any, x: Any) -> Any:
    """scale·x, or scale·alpha·(eˣ − 1), the constants as pairs."""
    t = m.expm1(x)
    v = product(m, exactly(t), SELU_SCALE_ALPHA)
    return m.where(
        x > 0.0,
        settled(m, SELU_SCALE[0] * x, SELU_SCALE[1] * x),
        m.where(m.abs(t) > 1e-290, v[0] + v[1], SELU_SCALE_ALPHA[0] * t),
    )


def selu_slope(m: Any, x: Any) -> Any:
    """scale, or scale·alpha·eˣ."""
    e, e2, k = exp_pair(m, x)
    v = product(m, SELU_SCALE_ALPHA, (e, e2))
    return m.where(x > 0.0, SELU_SCALE[0], m.where(x < -760.0, 0.0, m.scale(v[0] + v[1], k)))


def exp_times(m: Any, x: Any, y: Any) -> Any:
    """y·eˣ, also where eˣ alone would leave the range."""
    e, e2, k = exp_pair(m, x)
    f, i = m.split(m.abs(y))
    v = product(m, exactly(m.copysign(f, y)), (e, e2))
    v = m.scale(v[0] + v[1], clipped(m, k + i))
    inner = (m.abs(x) < 1500.0) & finite(m, y)
    return m.where(inner | ((y == 0.0) & finite(m, x)), m.where(y == 0.0, y, v), y * m.exp(x))


def binary_cross_entropy(m: Any, p: Any, y: Any) -> Any:
    """−(y·ln p + (1 − y)·ln(1 − p)), 1 − y as a pair."""
    ones, zeros = -m.log(p), -m.log1p(-p)
    a, a2 = m.two_product(y, ones)
    b, b2 = product(m, exactly(zeros), two_sum(1.0, -y))
    s, s2 = two_sum(a, b)
    v = m.where(
        y == 0.0,
        zeros + 0.0,
        m.where(y == 1.0, ones + 0.0, settled(m, s, m.where(m.abs(y) < 1e280, s2 + (a2 + b2), 0.0))),
    )
    return m.where((p >= 0.0) & (p <= 1.0), v, NAN)


def binary_cross_entropy_slope(m: Any, p: Any, y: Any) -> Any:
    """(p − y) / (p·(1 − p)), numerator and denominator as pairs."""
    d = product(m, exactly(p), two_sum(1.0, -p))
    q = quotient(m, two_sum(p, -y), d)
    plain = m.divide(m.divide(p - y, p), 1.0 - p)
    inner = (m.abs(d[0]) > 1e-280) & (m.abs(d[0]) < 1e280) & (m.abs(plain) < 1e280) & (m.abs(y) < 1e280)
    v = m.where(inner, q[0] + q[1], plain)
    return m.where(y == 0.0, m.divide(1.0, 1.0 - p), m.where(y == 1.0, -m.divide(1.0, p), v))


def binary_cross_entropy_with_logits(m: Any, x: Any, y: Any) -> Any:
    """x·(1 − y) + ln(1 + e⁻ˣ) for x > 0, −x·y + ln(1 + eˣ) else: two terms of one sign for y in [0, 1]."""
    up = x > 0.0
    a, a2 = product(m, exactly(m.where(up, x, -x)), chosen(m, up, two_sum(1.0, -y), exactly(y)))
    right = y == m.where(up, 1.0, 0.0)  # nothing is lost, an infinite logit too
    s, s2 = two_sum(m.where(right, 0.0, a), m.log1p(m.exp(-m.abs(x))))
    return settled(m, s, m.where(right | (m.abs(a) > 1e280), 0.0, a2) + s2)


def hinge(m: Any, s: Any, y: Any) -> Any:
    """max(0, 1 − s·y), the product as a pair."""
    p, e = exact_product(m, s, y)
    t, t2 = two_sum(1.0, -p)
    margin = settled(m, t, t2 - e)
    return m.where(margin > 0.0, margin, m.where(margin == margin, 0.0, NAN))


def logit(m: Any, p: Any) -> Any:
    """ln(p / (1 − p)), the quotient as a pair: beside 1 nothing of it is lost."""
    q = log_pair(m, *quotient(m, exactly(p), two_sum(1.0, -p)))
    v = m.where(p == 0.5, 0.0, m.where((p > 0.0) & (p < 1.0), q[0] + q[1], NAN))
    return m.where(p == 0.0, -INF, m.where(p == 1.0, INF, v))


def logaddexp(m: Any, x: Any, y: Any) -> Any:
    """max + ln(1 + exp(min − max)); where these cancel log1p(eˣ + eʸ − 1), the sum in three floats."""
    above = x >= y
    top, low = m.where(above, x, y), m.where(above, y, x)
    d, d2 = two_sum(low, -top)
    e = scaled(m, exp_pair(m, d, m.where(d2 == d2, d2, 0.0)))
    e = chosen(m, d < -745.5, exactly(0.0), e)
    u, u2 = fast_sum(1.0, e[0])
    v = chosen(m, m.abs(e[0]) < 2.0**-54, e, log_pair(m, u, u2 + e[1]))
    s, s2 = two_sum(top, v[0])
    r = s + (s2 + v[1])

    def better() -> Any:
        c = distil([-1.0, *exp3(m, top), *exp3(m, low)])
        u, u2 = two_sum(1.0, c[0])
        r = log_pair(m, u, u2 + c[1])
        return r[0] + r[1]

    r = m.rarely((m.abs(r) < v[0] * 0.125) & (d > -700.0), r, better)
    r = m.where((m.abs(top) == INF) | (d < -745.5), top, r) + 0.0  # ln e⁻⁰ is +0
    return m.where((x == x) & (y == y), r, x + y)


def pow_slope(m: Any, x: Any, y: Any) -> Any:
    """y·x^(y−1), and 0 where y is 0. y − 1 is a pair z + d, and x^(z+d) = x^z·(1 + d·ln x) for such small d.

    Where the power or the product leaves the range, exponents are kept apart and the power is the square of x^(z/2).
    The sign of a negative x asks y: from 2⁵³ on y − 1 rounds to an integer of another parity.
    """
    a = m.abs(x)
    z, d = two_sum(y, -1.0)
    p = m.pow(a, z)
    inner = (a > 0.0) & (a < INF) & (m.abs(y) < INF) & (a != 1.0)
    more = m.where(inner, d * log_pair(m, m.where(inner, a, 1.0))[0], 0.0)
    s = y * p
    s = m.where(m.abs(s) < INF, s + s * more, s)
    normal = (p > 2.3e-308) & (p < INF)

    def better() -> Any:
        c, k = m.split(m.abs(y))
        f, i = m.split(m.where(normal, p, m.pow(a, 0.5 * z)))
        v = chosen(m, normal, exactly(c * f), product(m, exactly(c), m.two_product(f, f)))
        k = k + m.where(normal, i, 2.0 * i)
        v = m.scale(v[0] + (v[1] + v[0] * more), clipped(m, k))
        return m.copysign(m.where(f < INF, v, f), y)

    leaves = (p < 2.3e-308) | (p == INF) | (m.abs(s) < 2.3e-308) | (m.abs(s) == INF)
    s = m.rarely(inner & leaves, s, better)
    whole, odd = m.fmod(y, 1.0) == 0.0, m.fmod(y, 2.0) != 0.0
    s = m.where((m.copysign(1.0, x) < 0.0) & whole, m.where(odd, s, -s), s)
    s = m.where((x < 0.0) & (x > -INF) & (m.fmod(y, 1.0) != 0.0), NAN, s)
    s = m.rarely(m.abs(y) == INF, s, lambda: y * m.pow(x, y))
    return m.where(y == 0.0, 0.0, s)


def pow_log(m: Any, x: Any, y: Any) -> Any:
    """xʸ·ln x, and 0 where xʸ is 0; where the power or the product leaves the range, exponents apart as above."""
    p = m.pow(x, y)
    inner = (x > 0.0) & (x < INF) & finite(m, y)
    log = log_pair(m, m.where(inner, x, 1.0))
    s = p * log[0]
    normal = (p > 2.3e-308) & (p < INF)

    def better() -> Any:
        f, i = m.split(m.where(normal, p, m.pow(x, 0.5 * y)))
        v = chosen(m, normal, product(m, exactly(f), log), product(m, m.two_product(f, f), log))
        k = m.where(normal, i, 2.0 * i)
        v = m.scale(v[0] + v[1], clipped(m, k))
        return m.copysign(m.where(f < INF, v, f), log[0])

    leaves = (p < 2.3e-308) | (p == INF) | (m.abs(s) < 2.3e-308) | (m.abs(s) == INF)
    s = m.rarely(inner & leaves & (x != 1.0), s, better)
    outer = p * m.where(x == 0.0, -INF, m.where(x == INF, INF, NAN))
    return m.where(inner, s, m.where(p == 0.0, 0.0, outer))


def remainder(m: Any, x: Any, y: Any) -> Any:
    """x − y·⌊x / y⌋: fmod is exact; it has the sign of x, and Python's remainder that of y."""
    r = m.fmod(x, y)
    other = (r != 0.0) & ((r < 0.0) != (y < 0.0))
    return m.where(other, r + y, m.where(r == 0.0, m.copysign(r, y), r))


Formula = Callable[..., Any]
SAME: dict[str, Formula] = {  # the same bits wherever they run
    f.__name__: f
    for f in (
        silu, silu_slope, gelu_tanh, gelu_tanh_slope, sigmoid_difference, sigmoid_minus, mish, mish_slope,
        erf, erfc, erf_slope, normal_density, normal_cdf, gelu, gelu_slope,
        difference_over, half_squared_error, over_square, lorentzian, asin_slope, atanh_slope, acosh_slope, acosh,
        cbrt, cbrt_slope, over_norm2, unit_component, exp_quotient, celu_gap, selu_slope, hinge,
        binary_cross_entropy_slope, logit, logaddexp, remainder,
    )
}  # fmt: skip
ROWS: dict[str, Formula] = SAME | {  # up to what the library's exp, expm1, log, log1p and pow differ in
    f.__name__: f
    for f in (
        sigmoid, softplus, logistic_density, tanh, sech2, celu, selu, exp_times, binary_cross_entropy,
        binary_cross_entropy_with_logits, pow_slope, pow_log,
    )
}  # fmt: skip
