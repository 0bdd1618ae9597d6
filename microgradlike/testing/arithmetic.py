"""Namespaces for the judges of check_gradients: the table's formulas on complex numbers, and in arbitrary precision.

Both are the same class over another set of elementary functions. Neither knows a derivative rule of the table: a
complex number carries a derivative in its imaginary part (Squire & Trapp 1998, "Using complex variables to estimate
derivatives of real functions"), and the differences of numbers with hundreds of digits need none.
"""

from __future__ import annotations

import cmath
import math
from functools import lru_cache, partial
from random import Random
from typing import Any

from .. import floats
from ..ops import TABLE

TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)


class Complexes:
    """The elementary functions on Python's complex numbers, whose imaginary parts are tiny."""

    pi, nan = math.pi, complex(math.nan, math.nan)
    exp, sin, cos, tan = cmath.exp, cmath.sin, cmath.cos, cmath.tan
    sinh, cosh, tanh = cmath.sinh, cmath.cosh, cmath.tanh
    asin, acos, atan = cmath.asin, cmath.acos, cmath.atan
    asinh, acosh, atanh = cmath.asinh, cmath.acosh, cmath.atanh
    sqrt, log = cmath.sqrt, cmath.log

    @staticmethod
    def number(x: float) -> complex:
        return complex(x)

    # To first order in the imaginary part, which is all there is of it.
    @staticmethod
    def expm1(x: complex) -> complex:
        return complex(math.expm1(x.real), x.imag * math.exp(x.real))

    @staticmethod
    def log1p(x: complex) -> complex:
        return complex(math.log1p(x.real), x.imag / (1.0 + x.real))

    @staticmethod
    def erf(x: complex) -> complex:
        return complex(math.erf(x.real), x.imag * TWO_OVER_SQRT_PI * math.exp(-x.real * x.real))

    @staticmethod
    def erfc(x: complex) -> complex:
        return complex(math.erfc(x.real), -x.imag * TWO_OVER_SQRT_PI * math.exp(-x.real * x.real))

    @staticmethod
    def floor(x: float) -> float:
        return float(math.floor(x)) if abs(x) < 2.0**52 else x

    @staticmethod
    def floor_quotient(x: float, y: float) -> float:
        return x // y


@lru_cache
def multiprecision(bits: int) -> Any:
    """The elementary functions of mpmath at this precision, apart from the user's own mpmath.mp."""
    from mpmath import MPContext

    context = MPContext()
    context.prec = bits

    class Reals:
        pi, nan = +context.pi, context.nan
        exp, expm1, log, log1p, sqrt = context.exp, context.expm1, context.log, context.log1p, context.sqrt
        sin, cos, tan = context.sin, context.cos, context.tan
        sinh, cosh, tanh = context.sinh, context.cosh, context.tanh
        asin, acos, atan = context.asin, context.acos, context.atan
        asinh, acosh, atanh = context.asinh, context.acosh, context.atanh
        floor, number = context.floor, context.mpf

        @staticmethod
        def erf(x: Any) -> Any:
            return context.erf(x) if abs(x) < 1e4 else context.mpf(1 if x > 0 else -1)

        @staticmethod
        def erfc(x: Any) -> Any:
            return context.erfc(x) if abs(x) < 1e4 else context.mpf(0 if x > 0 else 2)

        @staticmethod
        def floor_quotient(x: Any, y: Any) -> Any:
            return context.floor(x / y)

    return Reals


class NoisyComplex(complex):
    """A complex number whose every operation errs by a unit in the last place, at random.

    What becomes of a result then shows how many of its digits can be trusted (Vignes 1993, "A stochastic
    arithmetic for reliable scientific computation").
    """

    noise: Random

    @classmethod
    def near(cls, z: complex, noise: Random) -> NoisyComplex:
        re, im = (1.0 + noise.choice((-1, 0, 1)) * 2.0**-52 for _ in range(2))
        near = cls(complex(z.real * re, z.imag * im))
        near.noise = noise
        return near

    def _of(self, z: Any) -> Any:
        return z if z is NotImplemented else self.near(z, self.noise)

    def __add__(self, other: Any) -> Any:
        return self._of(complex.__add__(self, other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._of(complex.__sub__(self, other))

    def __rsub__(self, other: Any) -> Any:
        return self._of(complex.__rsub__(self, other))

    def __mul__(self, other: Any) -> Any:
        return self._of(complex.__mul__(self, other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._of(complex.__truediv__(self, other))

    def __rtruediv__(self, other: Any) -> Any:
        return self._of(complex.__rtruediv__(self, other))

    def __neg__(self) -> Any:
        return self._of(complex.__neg__(self))


class Arithmetic:
    """A namespace `m` for the rows of the table: their formulas over the elementary functions of `numbers`.

    Outside its domain a function is nan, and so is all that depends on it: a branch that is not taken does no harm.

    Attributes:
        at_a_kink: whether a comparison so far was decided by equality of two numbers of which one would move.
    """

    def __init__(self, numbers: Any, noise: Random | None = None) -> None:
        self.f = numbers
        self.noise = noise
        self.at_a_kink = False

    def __getattr__(self, name: str) -> Any:
        row = TABLE.get(name)
        if row is None or row.formula is None:
            raise AttributeError(f"no formula for {name!r}")
        return partial(row.formula, self)

    def number(self, x: float) -> Any:
        return self._rounded(self.f.number(x))

    def _rounded(self, z: Any) -> Any:
        return z if self.noise is None else NoisyComplex.near(z, self.noise)

    def _meets(self, x: Any, y: Any) -> None:
        if x.real == y.real and x.imag != y.imag:
            self.at_a_kink = True

    # ── arithmetic ──────────────────────────────────────────────────────────────────────────────
    def divide(self, x: Any, y: Any) -> Any:
        return x / y if y.real != 0 else self.f.nan

    def reciprocal(self, x: Any) -> Any:
        return self.divide(1.0, x)

    def remainder(self, x: Any, y: Any) -> Any:
        if y.real == 0:
            return self.f.nan
        whole = self.f.floor_quotient(x.real, y.real)
        self._meets(x, whole * y)
        return x - whole * y

    def square(self, x: Any) -> Any:
        return x * x

    def pow(self, x: Any, y: Any) -> Any:
        if y.imag == 0 and abs(y.real) < 1e6 and y.real == int(y.real):
            return self._rounded(x ** int(y.real)) if x.real != 0 or y.real >= 0 else self.f.nan
        return self._rounded(self.f.exp(y * self.f.log(x))) if x.real > 0 else self.f.nan

    def sqrt(self, x: Any) -> Any:
        return self._rounded(self.f.sqrt(x)) if x.real > 0 or (x.imag == 0 and x.real == 0) else self.f.nan

    def cbrt(self, x: Any) -> Any:
        if x.real == 0:
            return x if x.imag == 0 else self.f.nan
        root = self.f.exp(self.f.log(x if x.real > 0 else -x) / 3)
        return self._rounded(root if x.real > 0 else -root)

    def abs(self, x: Any) -> Any:
        self._meets(x, 0.0)
        return -x if x.real < 0 else x

    def sign(self, x: Any) -> float:
        self._meets(x, 0.0)
        return float((x.real > 0) - (x.real < 0))

    # ── exponentials and logarithms ─────────────────────────────────────────────────────────────
    def exp(self, x: Any) -> Any:
        return self._rounded(self.f.exp(x))

    def expm1(self, x: Any) -> Any:
        return self._rounded(self.f.expm1(x))

    def log(self, x: Any) -> Any:
        return self._rounded(self.f.log(x)) if x.real > 0 else self.f.nan

    def log1p(self, x: Any) -> Any:
        return self._rounded(self.f.log1p(x)) if x.real > -1 else self.f.nan

    def log2(self, x: Any) -> Any:
        return self.log(x) / self.f.log(self.number(2.0))

    def log10(self, x: Any) -> Any:
        return self.log(x) / self.f.log(self.number(10.0))

    def xlogy(self, x: Any, y: Any) -> Any:
        if x.imag == 0 and x.real == 0:
            return x * 0.0
        return x * self.log(y)

    def logsumexp(self, *xs: Any) -> Any:
        largest = max(range(len(xs)), key=lambda i: xs[i].real)
        top = xs[largest]
        rest = self.sum(*[self.exp(x - top) for i, x in enumerate(xs) if i != largest])
        return top + self.log1p(rest) if len(xs) > 1 else top

    def logaddexp(self, x: Any, y: Any) -> Any:
        return self.logsumexp(x, y)

    # ── trigonometry ────────────────────────────────────────────────────────────────────────────
    def sin(self, x: Any) -> Any:
        return self._rounded(self.f.sin(x))

    def cos(self, x: Any) -> Any:
        return self._rounded(self.f.cos(x))

    def tan(self, x: Any) -> Any:
        return self._rounded(self.f.tan(x))

    def sinh(self, x: Any) -> Any:
        return self._rounded(self.f.sinh(x))

    def cosh(self, x: Any) -> Any:
        return self._rounded(self.f.cosh(x))

    def tanh(self, x: Any) -> Any:
        return self._rounded(self.f.tanh(x))

    def asin(self, x: Any) -> Any:
        return self._rounded(self.f.asin(x)) if -1 < x.real < 1 else self.f.nan

    def acos(self, x: Any) -> Any:
        return self._rounded(self.f.acos(x)) if -1 < x.real < 1 else self.f.nan

    def atan(self, x: Any) -> Any:
        return self._rounded(self.f.atan(x))

    def atan2(self, y: Any, x: Any) -> Any:
        if abs(x.real) >= abs(y.real):
            if x.real == 0:
                return self.f.nan
            turn = 0 if x.real > 0 else self.f.pi if y.real >= 0 else -self.f.pi
            return self._rounded(turn + self.f.atan(y / x))
        return self._rounded((self.f.pi if y.real > 0 else -self.f.pi) / 2 - self.f.atan(x / y))

    def asinh(self, x: Any) -> Any:
        return self._rounded(self.f.asinh(x))

    def acosh(self, x: Any) -> Any:
        return self._rounded(self.f.acosh(x)) if x.real > 1 else self.f.nan

    def atanh(self, x: Any) -> Any:
        return self._rounded(self.f.atanh(x)) if -1 < x.real < 1 else self.f.nan

    def erf(self, x: Any) -> Any:
        return self._rounded(self.f.erf(x))

    def erfc(self, x: Any) -> Any:
        return self._rounded(self.f.erfc(x))

    # ── selection and rounding ──────────────────────────────────────────────────────────────────
    def where(self, condition: Any, x: Any, y: Any) -> Any:
        self._meets(condition, 0.0)
        return x if condition.real else y

    def defined(self, test: Any, x: Any) -> Any:
        return x if test == test else self.f.nan

    def less(self, x: Any, y: Any) -> float:
        self._meets(x, y)
        return float(x.real < y.real)

    def less_equal(self, x: Any, y: Any) -> float:
        self._meets(x, y)
        return float(x.real <= y.real)

    def greater(self, x: Any, y: Any) -> float:
        self._meets(x, y)
        return float(x.real > y.real)

    def greater_equal(self, x: Any, y: Any) -> float:
        self._meets(x, y)
        return float(x.real >= y.real)

    def equal(self, x: Any, y: Any) -> float:
        self._meets(x, y)
        return float(x.real == y.real)

    def not_equal(self, x: Any, y: Any) -> float:
        self._meets(x, y)
        return float(x.real != y.real)

    def floor(self, x: Any) -> Any:
        whole = self.f.floor(x.real)
        self._meets(x, whole)
        return whole

    def ceil(self, x: Any) -> Any:
        return -self.floor(-x)

    def trunc(self, x: Any) -> Any:
        return self.floor(x) if x.real >= 0 else self.ceil(x)

    def round(self, x: Any) -> Any:
        low = self.f.floor(x.real)
        self._meets(x - low, 0.5)
        up = x.real - low > 0.5 or (x.real - low == 0.5 and self.f.floor(low / 2) * 2 != low)
        return low + 1 if up else low

    # ── functions whose formulas have a kink that they have not ─────────────────────────────────
    def sigmoid(self, x: Any) -> Any:
        e = self.exp(-x if x.real >= 0 else x)
        return 1.0 / (1.0 + e) if x.real >= 0 else e / (1.0 + e)

    def softplus(self, x: Any) -> Any:
        return x + self.log1p(self.exp(-x)) if x.real >= 0 else self.log1p(self.exp(x))

    def log_sigmoid(self, x: Any) -> Any:
        return -self.softplus(-x)

    def logistic_density(self, x: Any) -> Any:
        return self.sigmoid(x) * self.sigmoid(-x)

    def sigmoid_difference(self, x: Any, y: Any) -> Any:
        return self.sigmoid(x - y)

    def binary_cross_entropy_with_logits(self, x: Any, y: Any) -> Any:
        return self.softplus(x) - x * y

    # ── functions whose formulas have a rounded constant within an exponent ─────────────────────
    def normal_cdf(self, x: Any) -> Any:
        return 0.5 * self.erfc(-x / self.f.sqrt(self.number(2.0)))

    def normal_density(self, x: Any) -> Any:
        return self.exp(-0.5 * (x * x)) / self.f.sqrt(self.number(2.0) * self.f.pi)

    def gelu(self, x: Any) -> Any:
        return x * self.normal_cdf(x)

    def _gelu_tanh_argument(self, x: Any) -> tuple[Any, Any]:
        k = 2.0 * self.f.sqrt(self.number(2.0) / self.f.pi)
        c = self.number(44715.0) / 1e6
        return k * (x + c * x * x * x), k * (1.0 + 3.0 * c * x * x)

    def gelu_tanh(self, x: Any) -> Any:
        return x * self.sigmoid(self._gelu_tanh_argument(x)[0])

    def gelu_tanh_slope(self, x: Any) -> Any:
        u, du = self._gelu_tanh_argument(x)
        return self.sigmoid(u) + x * (self.logistic_density(u) * du)

    # ── many arguments ──────────────────────────────────────────────────────────────────────────
    def sum(self, *xs: Any) -> Any:
        total = self.number(0.0)
        for x in xs:
            total = total + x
        return total

    def prod(self, *xs: Any) -> Any:
        total = self.number(1.0)
        for x in xs:
            total = total * x
        return total

    def dot(self, *xs: Any) -> Any:
        n = len(xs) // 2
        return self.sum(*[x * y for x, y in zip(xs[:n], xs[n:], strict=True)])

    def take(self, index: Any, *xs: Any) -> Any:
        return xs[int(index.real)]


class Doubles:
    """The namespace of floats, to run a recorded computation at other inputs."""

    class f:  # noqa: N801
        nan = math.nan

    number = float

    def __getattr__(self, name: str) -> Any:
        own = getattr(floats, name, None)
        formula = TABLE[name].formula if own is None and name in TABLE else None
        return own if formula is None else partial(formula, self)
