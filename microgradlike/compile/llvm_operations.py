"""The operations of the table as LLVM's instructions on registers: numbers, or vectors of them."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction
from functools import partial

from .llvm_text import Writer, kind, mangled
from .lowering import LEAST, LN2, LN2_TAIL, TINY

__all__ = ["REGISTERS", "Function"]

_LIBRARY = {  # what the C library computes, one lane at a time
    "expm1": 1, "log2": 1, "log10": 1, "sin": 1, "cos": 1, "tan": 1, "asin": 1,
    "acos": 1, "atan": 1, "sinh": 1, "cosh": 1, "tanh": 1, "asinh": 1, "acosh": 1, "atanh": 1, "cbrt": 1, "erf": 1,
    "erfc": 1, "pow": 2, "atan2": 2, "hypot": 2,
}  # fmt: skip
_RELATIONS = {
    "less": "olt", "less_equal": "ole", "greater": "ogt", "greater_equal": "oge", "equal": "oeq", "not_equal": "une",
}  # fmt: skip
_INTRINSICS = {
    "sqrt": "llvm.sqrt", "abs": "llvm.fabs", "floor": "llvm.floor", "ceil": "llvm.ceil", "trunc": "llvm.trunc",
    "round": "llvm.roundeven",
}  # fmt: skip
REGISTERS = frozenset({
    "add", "subtract", "multiply", "divide", "negative", "reciprocal", "square", "positive", "relu", "where", "defined",
    "maximum", "minimum", "sign", "hinge", "over_square", "exp", "weight", "weight_tail", "share_minus",
    "sigmoid_minus", "binary_cross_entropy_with_logits", "logaddexp", "exact_dot", "log", "log1p", *_LIBRARY,
    *_RELATIONS, *_INTRINSICS, *(f"where {r}" for r in _RELATIONS),
})  # fmt: skip
_PAIRS = 14  # terms of the exponential series that _exp_pair adds as pairs
Two = tuple[str, str]


class Function(Writer):
    """A function whose text may use the operations of the table."""

    def operation(self, name: str, lanes: int, *x: str) -> str:
        """The operation on numbers (lanes = 1) or vectors."""
        t = kind(lanes)
        arithmetic = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}.get(name)
        if arithmetic:
            return self.new(f"{arithmetic} {t} {x[0]}, {x[1]}")
        if name == "square":
            return self.new(f"fmul {t} {x[0]}, {x[0]}")
        if name == "negative":
            return self.new(f"fneg {t} {x[0]}")
        if name == "positive":
            return x[0]
        if name == "reciprocal":
            return self.new(f"fdiv {t} {self.constant(1.0, lanes)}, {x[0]}")
        if name in _RELATIONS:
            return self.select(self.test(_RELATIONS[name], lanes, x[0], x[1]), lanes,
                                self.constant(1.0, lanes), self.constant(0.0, lanes))  # fmt: skip
        if name.startswith("where "):
            return self.select(self.test(_RELATIONS[name[6:]], lanes, x[0], x[1]), lanes, x[2], x[3])
        if name in _INTRINSICS:
            function = f"@{_INTRINSICS[name]}.{mangled(lanes)}"
            self.declared.add(f"declare {t} {function}({t})")
            return self.new(f"call {t} {function}({t} {x[0]})")
        special: dict[str, Callable[..., str]] = {
            "where": self._where, "defined": self._defined, "relu": self._relu, "maximum": self._maximum,
            "minimum": self._minimum, "sign": self._sign, "hinge": self._hinge,
            "over_square": self._over_square, "exp": self._exp,
            "weight": self._weight, "weight_tail": self._weight_tail, "share_minus": self._share_minus,
            "sigmoid_minus": self._sigmoid_minus,
            "binary_cross_entropy_with_logits": self._binary_cross_entropy_with_logits,
            "logaddexp": self._logaddexp, "exact_dot": self._exact_dot, "log": self._log, "log1p": self._log1p,
        }  # fmt: skip
        if name in special:
            return special[name](lanes, *x)
        return self._called(name, lanes, *x)

    def _where(self, lanes: int, c: str, x: str, y: str) -> str:
        return self.select(self.test("une", lanes, c, self.constant(0.0, lanes)), lanes, x, y)

    def _defined(self, lanes: int, test: str, x: str) -> str:
        return self.select(self.test("ord", lanes, test, test), lanes, x, self.constant(float("nan"), lanes))

    def _relu(self, lanes: int, x: str) -> str:
        zero = self.constant(0.0, lanes)
        return self.select(self.test("ugt", lanes, x, zero), lanes, x, zero)

    def _maximum(self, lanes: int, x: str, y: str) -> str:
        other = self.select(self.test("ord", lanes, x, x), lanes, y, x)
        return self.select(self.test("oge", lanes, x, y), lanes, x, other)

    def _minimum(self, lanes: int, x: str, y: str) -> str:
        other = self.select(self.test("ord", lanes, x, x), lanes, y, x)
        return self.select(self.test("ole", lanes, x, y), lanes, x, other)

    def _sign(self, lanes: int, x: str) -> str:
        zero, one = self.constant(0.0, lanes), self.constant(1.0, lanes)
        below = self.select(self.test("olt", lanes, x, zero), lanes, self.constant(-1.0, lanes), x)
        return self.select(self.test("ogt", lanes, x, zero), lanes, one, below)

    def _hinge(self, lanes: int, s: str, y: str) -> str:
        """1 − s·y in one rounding: it cancels near the margin."""
        margin = self.fused(lanes, self.operation("negative", lanes, s), y, self.constant(1.0, lanes))
        return self._relu(lanes, margin)

    def _over_square(self, lanes: int, x: str, y: str) -> str:
        """x / y² as (x / y) / y; where x / y is subnormal and has few bits, as x / (y·y): then y·y keeps its range."""
        q = self.operation("divide", lanes, x, y)
        few = self.test("olt", lanes, self.operation("abs", lanes, q), self.constant(TINY, lanes))
        square = self.operation("maximum", lanes, self.operation("square", lanes, y), self.constant(LEAST, lanes))
        return self.operation("divide", lanes, self.select(few, lanes, x, q), self.select(few, lanes, square, y))

    # Pairs of registers, the second what the first has lost: as in accurate.py.
    def sum_of_two(self, lanes: int, a: str, b: str) -> Two:
        s = self.operation("add", lanes, a, b)
        t = self.operation("subtract", lanes, s, a)
        first = self.operation("subtract", lanes, a, self.operation("subtract", lanes, s, t))
        return s, self.operation("add", lanes, first, self.operation("subtract", lanes, b, t))

    def _product_of_two(self, lanes: int, a: str, b: str) -> Two:
        p = self.operation("multiply", lanes, a, b)
        return p, self.fused(lanes, a, b, self.operation("negative", lanes, p))

    def finite_or_zero(self, lanes: int, x: str) -> str:
        nothing = self.operation("subtract", lanes, x, x)
        zero = self.constant(0.0, lanes)
        return self.select(self.test("oeq", lanes, nothing, zero), lanes, x, zero)

    def _weight(self, lanes: int, x: str, top: str) -> str:
        """exp(x − top), with what the difference loses put back."""
        d, lost = self.sum_of_two(lanes, x, self.operation("negative", lanes, top))
        counts = self.test("ogt", lanes, d, self.constant(-746.0, lanes))
        return self._exp(lanes, d, self.select(counts, lanes, lost, self.constant(0.0, lanes)))

    def _weight_tail(self, lanes: int, x: str, top: str, w: str) -> str:
        """What exp(x − top) has beyond its float; far below the others it does not count."""
        e, tail = self.weight_pair(lanes, x, top)
        found = self.operation("add", lanes, self.operation("subtract", lanes, e, w), tail)
        counts = self.test("ogt", lanes, w, self.constant(1e-290, lanes))
        return self.select(counts, lanes, found, self.constant(0.0, lanes))

    def _share_minus(self, lanes: int, w: str, w2: str, rest: str, rest2: str, t: str, t2: str, y: str) -> str:
        """(w·t − y·(1 + rest)) / (1 + rest), the numerator rounded once."""
        add, minus = partial(self.operation, "add", lanes), partial(self.operation, "subtract", lanes)
        p, e = self._product_of_two(lanes, w, t)
        q, f = self._product_of_two(lanes, y, rest)
        s, a = self.sum_of_two(lanes, p, self.operation("negative", lanes, y))
        s, b = self.sum_of_two(lanes, s, self.operation("negative", lanes, q))
        e = self.fused(lanes, w2, t, self.fused(lanes, w, t2, e))
        f = self.fused(lanes, y, rest2, f)
        lost = self.finite_or_zero(lanes, add(add(a, b), minus(e, f)))
        return self.operation("divide", lanes, add(s, lost), add(rest, self.constant(1.0, lanes)))

    def _sigmoid_minus(self, lanes: int, x: str, y: str) -> str:
        """σ(x) − y; where they are near each other as the share of two weights, 1 and exp(−|x|), less y."""
        zero, one = self.constant(0.0, lanes), self.constant(1.0, lanes)
        low = self.operation("negative", lanes, self.operation("abs", lanes, x))
        e = self._exp(lanes, low)
        up = self.test("oge", lanes, x, zero)
        # From 1 where y is nearer to it: a target of 1 leaves −σ(−x), with all its digits.
        above = self.test("ogt", lanes, y, self.constant(0.5, lanes))
        whole = self.select(above, lanes, self.operation("subtract", lanes, one, y), y)
        bit = "i1" if lanes == 1 else f"<{lanes} x i1>"
        large = self.new(f"xor {bit} {up}, {above}")  # the share that is meant is that of 1
        share = self.select(large, lanes, one, e)
        share = self.operation("divide", lanes, share, self.operation("add", lanes, one, e))
        share = self.select(self.test("uno", lanes, x, x), lanes, x, share)
        d = self.operation("subtract", lanes, share, whole)
        result = self.select(above, lanes, self.operation("negative", lanes, d), d)
        larger = self._maximum(lanes, share, whole)
        near = self.test("olt", lanes, self.operation("abs", lanes, d),
                         self.operation("multiply", lanes, self.constant(0.7, lanes), larger))  # fmt: skip

        def better() -> str:
            e, tail = self._exp_pair(lanes, low, zero)
            w, w2 = self.select(up, lanes, one, e), self.select(up, lanes, zero, tail)
            found = self._share_minus(lanes, w, w2, e, tail, one, zero, y)
            few = self.operation("multiply", lanes, y, self.constant(2.0**-44, lanes))
            few = self._maximum(lanes, few, self.constant(1e-280, lanes))  # where _exp_pair has nothing to say
            few = self.test("olt", lanes, self.operation("abs", lanes, found), few)
            return self.again("sigmoid_minus", few, lanes, found, self.in_memory(lanes, x, y))

        return self.only_where(near, lanes, result, better)

    def _binary_cross_entropy_with_logits(self, lanes: int, x: str, y: str) -> str:
        """As the row's formula; the eager engine's for targets that are no probabilities, where its terms cancel."""
        zero, one = self.constant(0.0, lanes), self.constant(1.0, lanes)
        low = self.operation("negative", lanes, self.operation("abs", lanes, x))
        more = self._log1p(lanes, self._exp(lanes, low))
        up = self.test("ogt", lanes, x, zero)
        minus = self.operation("negative", lanes, self.operation("multiply", lanes, x, y))
        rest = self.operation("multiply", lanes, x, self.operation("subtract", lanes, one, y))
        lost = self.select(up, lanes, rest, minus)
        right = self.test("oeq", lanes, y, self.select(up, lanes, one, zero))
        found = self.operation("add", lanes, self.select(right, lanes, zero, lost), more)
        outside = self.test("ogt", lanes, self.operation("abs", lanes, self.operation("subtract", lanes, y,
                            self.constant(0.5, lanes))), self.constant(0.5, lanes))  # fmt: skip
        return self.again("binary_cross_entropy_with_logits", outside, lanes, found, self.in_memory(lanes, x, y))

    def _exact_dot(self, lanes: int, *xs: str) -> str:
        """x₁y₁ + … + xₙyₙ with what products and sums lose (Ogita, Rump & Oishi 2005); the eager engine's where that
        is not enough, or leaves the range."""
        half = len(xs) // 2
        total, lost = self._product_of_two(lanes, xs[0], xs[half])
        size = self.operation("abs", lanes, total)
        for x, y in zip(xs[1:half], xs[half + 1 :], strict=True):
            p, e = self._product_of_two(lanes, x, y)
            total, e2 = self.sum_of_two(lanes, total, p)
            lost = self.operation("add", lanes, lost, self.operation("add", lanes, e, e2))
            size = self.operation("add", lanes, size, self.operation("abs", lanes, p))
        found = self.operation("add", lanes, total, lost)
        least = self.operation("multiply", lanes, size, self.constant(2.0**-40, lanes))
        some = self.test("ogt", lanes, size, self.constant(0.0, lanes))
        tiny = self.select(some, lanes, self.constant(1e-270, lanes), self.constant(0.0, lanes))
        bit = "i1" if lanes == 1 else f"<{lanes} x i1>"
        doubtful = self.test("ult", lanes, self.operation("abs", lanes, found), least)
        doubtful = self.new(f"or {bit} {doubtful}, {self.test('olt', lanes, size, tiny)}")
        return self.again("dot", doubtful, lanes, found, self.in_memory(lanes, *xs))

    def _logaddexp(self, lanes: int, x: str, y: str) -> str:
        """max + ln(1 + exp(min − max)), and the eager engine's where that cancels."""
        top = self._maximum(lanes, x, y)
        more = self._log1p(lanes, self._weight(lanes, self._minimum(lanes, x, y), top))
        alike = self.test("oeq", lanes, x, y)  # infinite, too
        more = self.select(alike, lanes, self.constant(math.log(2.0), lanes), more)
        found = self.operation("add", lanes, top, more)

        def small(x: str, share: float) -> str:
            least = self.operation("multiply", lanes, self.constant(share, lanes), more)
            return self.test("olt", lanes, self.operation("abs", lanes, x), least)

        def better() -> str:
            e, e2 = self.weight_pair(lanes, self._minimum(lanes, x, y), top)
            s, lost = self.sum_of_two(lanes, self.constant(1.0, lanes), e)
            near = self.log_near_zero(lanes, top, more, s, self.operation("add", lanes, e2, lost))
            return self.again("logaddexp", small(near, 2.0**-44), lanes, near, self.in_memory(lanes, x, y))

        return self.only_where(small(found, 0.5), lanes, found, better)

    def log_near_zero(self, lanes: int, top: str, log_total: str, s: str, s2: str) -> str:
        """top + ln(s + s2), which cancel: a Newton step from log_total."""
        v, v2 = self._exp_pair(lanes, self.operation("negative", lanes, log_total), self.constant(0.0, lanes))
        p, e = self._product_of_two(lanes, s, v)
        e = self.fused(lanes, s, v2, self.fused(lanes, s2, v, e))
        off = self.operation("add", lanes, self.operation("subtract", lanes, p, self.constant(1.0, lanes)), e)
        r, lost = self.sum_of_two(lanes, top, log_total)
        return self.operation("add", lanes, r, self.operation("add", lanes, lost, off))

    def weight_pair(self, lanes: int, x: str, top: str) -> Two:
        """exp(x − top) as a float, and what is missing."""
        d, lost = self.sum_of_two(lanes, x, self.operation("negative", lanes, top))
        counts = self.test("ogt", lanes, d, self.constant(-746.0, lanes))
        return self._exp_pair(lanes, d, self.select(counts, lanes, lost, self.constant(0.0, lanes)))

    def _exp_pair(self, lanes: int, x: str, x2: str) -> Two:
        """exp(x + x2) for x ≤ 0 as a float, and what is missing: together to about 2⁻¹⁰⁰ of it. 0 below 10⁻²⁹⁰.

        x = k·ln 2 + r, and eʳ by its series: from r¹⁵/15! in single registers, the larger terms in pairs.
        """
        mul = partial(self.operation, "multiply", lanes)
        y = self.select(self.test("olt", lanes, x, self.constant(-700.0, lanes)), lanes,
                         self.constant(-700.0, lanes), x)  # fmt: skip
        k = self.operation("round", lanes, mul(y, self.constant(1.0 / LN2, lanes)))
        minus = self.operation("negative", lanes, k)
        p, e = self._product_of_two(lanes, minus, self.constant(LN2, lanes))
        r, r2 = self.sum_of_two(lanes, y, p)
        r2 = self.operation("add", lanes, self.operation("add", lanes, r2, e),
                            self.fused(lanes, minus, self.constant(LN2_TAIL, lanes), x2))  # fmt: skip
        r, r2 = self.sum_of_two(lanes, r, r2)
        s = self.constant(1.0 / math.factorial(20), lanes)
        for n in range(19, _PAIRS, -1):
            s = self.fused(lanes, s, r, self.constant(1.0 / math.factorial(n), lanes))
        s2 = self.constant(0.0, lanes)
        for n in range(_PAIRS, -1, -1):
            high = 1.0 / math.factorial(n)
            low = float(Fraction(1, math.factorial(n)) - Fraction(high))
            p, e = self._product_of_two(lanes, s, r)
            e = self.fused(lanes, s, r2, self.fused(lanes, s2, r, e))
            s, s2 = self.sum_of_two(lanes, self.constant(high, lanes), p)
            s2 = self.operation("add", lanes, s2, self.operation("add", lanes, e, self.constant(low, lanes)))
        s, s2 = self.sum_of_two(lanes, s, s2)
        scale = self._power_of_two(lanes, k)
        return mul(s, scale), mul(s2, scale)

    def _power_of_two(self, lanes: int, k: str) -> str:
        """2ᵏ for a whole k that a float has the exponent for. Adding 1.5·2⁵² leaves the integer in the low bits."""
        t, integers = kind(lanes), "i64" if lanes == 1 else f"<{lanes} x i64>"

        def whole(i: int) -> str:
            return str(i) if lanes == 1 else "<" + ", ".join([f"i64 {i}"] * lanes) + ">"

        shifted = self.operation("add", lanes, k, self.constant(6755399441055744.0, lanes))
        bits = self.new(f"bitcast {t} {shifted} to {integers}")
        exponent = self.new(f"shl {integers} {bits}, {whole(52)}")
        scale = self.new(f"add {integers} {exponent}, {whole(1023 << 52)}")
        return self.new(f"bitcast {integers} {scale} to {t}")

    def _exp(self, lanes: int, x: str, more: str = "") -> str:
        """eˣ = 2ᵏ·eʳ, k the nearest integer to x/ln 2, eʳ by its series to r¹³; within 1 ulp, subnormal results too.

        `more` is a small number to add to x, with digits that x has not.
        """

        def constant(c: float) -> str:
            return self.constant(c, lanes)

        fma = partial(self.fused, lanes)
        low = self.select(self.test("olt", lanes, x, constant(-746.0)), lanes, constant(-746.0), x)
        y = self.select(self.test("ogt", lanes, low, constant(710.0)), lanes, constant(710.0), low)
        k = self.operation("round", lanes, self.operation("multiply", lanes, y, constant(1.0 / LN2)))
        minus = self.operation("negative", lanes, k)
        r = fma(minus, constant(LN2), y)
        r = fma(minus, constant(LN2_TAIL), r)
        if more:
            r = self.operation("add", lanes, r, more)
        series = constant(1.0 / math.factorial(13))
        for n in range(12, 1, -1):
            series = fma(series, r, constant(1.0 / math.factorial(n)))
        tail = fma(self.operation("square", lanes, r), series, r)
        power = self.operation("add", lanes, tail, constant(1.0))
        # 2ᵏ in two factors, so that neither overflows.
        half = self.operation("trunc", lanes, self.operation("multiply", lanes, k, constant(0.5)))
        for part in (half, self.operation("subtract", lanes, k, half)):
            power = self.operation("multiply", lanes, power, self._power_of_two(lanes, part))
        return power

    def _log(self, lanes: int, x: str) -> str:
        """ln x; a subnormal number is scaled up first. Within 1 ulp."""
        zero, infinity = self.constant(0.0, lanes), self.constant(math.inf, lanes)
        small = self.test("olt", lanes, x, self.constant(2.0**-1022, lanes))
        large = self.operation("multiply", lanes, x, self.constant(2.0**54, lanes))
        shift = self.select(small, lanes, self.constant(-54.0, lanes), zero)
        y = self._logarithm(lanes, self.select(small, lanes, large, x), shift, None)
        y = self.select(self.test("ogt", lanes, x, zero), lanes, y, self.constant(math.nan, lanes))
        y = self.select(self.test("oeq", lanes, x, zero), lanes, self.constant(-math.inf, lanes), y)
        return self.select(self.test("oeq", lanes, x, infinity), lanes, x, y)

    def _log1p(self, lanes: int, x: str) -> str:
        """ln(1 + x): u = 1 + x as rounded, and c what the rounding lost; then ln u + c/u. Within 2 ulp."""
        zero, one, infinity = (self.constant(c, lanes) for c in (0.0, 1.0, math.inf))
        u = self.operation("add", lanes, x, one)
        near = self.operation("subtract", lanes, x, self.operation("subtract", lanes, u, one))
        far = self.operation("subtract", lanes, one, self.operation("subtract", lanes, u, x))
        lost = self.select(self.test("ogt", lanes, x, one), lanes, far, near)
        y = self._logarithm(lanes, u, None, self.operation("divide", lanes, lost, u))
        y = self.select(self.test("ogt", lanes, u, zero), lanes, y, self.constant(math.nan, lanes))
        y = self.select(self.test("oeq", lanes, u, zero), lanes, self.constant(-math.inf, lanes), y)
        same = self.select(self.test("oeq", lanes, x, infinity), lanes, x, y)
        return self.select(self.test("oeq", lanes, x, zero), lanes, x, same)

    def _logarithm(self, lanes: int, x: str, shift: str | None, more: str | None) -> str:
        """ln x + shift·ln 2 + more of normal positive x = 2ᵏ·(1 + f), f from √½ − 1 to √2 − 1.

        ln(1 + f) = 2 artanh s, s = f/(2 + f), by its series to s²³, so written that f, which is exact, comes last.
        """
        t, integers = kind(lanes), "i64" if lanes == 1 else f"<{lanes} x i64>"

        def whole(i: int) -> str:
            return str(i) if lanes == 1 else "<" + ", ".join([f"i64 {i}"] * lanes) + ">"

        def do(name: str, a: str, b: str) -> str:
            return self.operation(name, lanes, a, b)

        def constant(c: float) -> str:
            return self.constant(c, lanes)

        root = struct.unpack("<q", struct.pack("<d", 0.5**0.5))[0]
        bits = self.new(f"bitcast {t} {x} to {integers}")
        biased = self.new(f"add {integers} {bits}, {whole((1023 << 52) - root)}")
        exponent = self.new(f"lshr {integers} {biased}, {whole(52)}")  # k + 1023
        # In the low bits of 2⁵² an integer is itself.
        number = self.new(f"or {integers} {exponent}, {whole(0x433 << 52)}")
        k = do("subtract", self.new(f"bitcast {integers} {number} to {t}"), constant(2.0**52 + 1023.0))
        part = self.new(f"shl {integers} {exponent}, {whole(52)}")
        part = self.new(f"sub {integers} {part}, {whole(1023 << 52)}")
        mantissa = self.new(f"sub {integers} {bits}, {part}")
        f = do("subtract", self.new(f"bitcast {integers} {mantissa} to {t}"), constant(1.0))
        if shift is not None:
            k = do("add", k, shift)
        s = do("divide", f, do("add", f, constant(2.0)))
        z = do("multiply", s, s)
        series = constant(2.0 / 23.0)
        for n in range(21, 1, -2):
            series = self.fma(series, z, constant(2.0 / n), lanes)
        half = do("multiply", do("multiply", f, f), constant(0.5))
        low = do("multiply", k, constant(float.fromhex("0x1.a39ef35793c76p-33")))
        if more is not None:
            low = do("add", low, more)
        tail = do("add", do("multiply", s, do("add", half, do("multiply", series, z))), low)
        # ln 2 in two parts, of which the first times k is exact.
        high = do("multiply", k, constant(float.fromhex("0x1.62e42fee00000p-1")))
        return do("subtract", high, do("subtract", do("subtract", half, tail), f))

    def _called(self, name: str, lanes: int, *x: str) -> str:
        count = _LIBRARY[name]
        self.declared.add(f"declare double @{name}({', '.join(['double'] * count)})")
        if lanes == 1:
            return self.new(f"call double @{name}({', '.join(f'double {a}' for a in x)})")
        result = "poison"
        for lane in range(lanes):
            parts = [self.new(f"extractelement {kind(lanes)} {a}, i64 {lane}") for a in x]
            value = self.new(f"call double @{name}({', '.join(f'double {a}' for a in parts)})")
            result = self.new(f"insertelement {kind(lanes)} {result}, double {value}, i64 {lane}")
        return result
