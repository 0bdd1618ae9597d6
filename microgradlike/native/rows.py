"""Every row of the table and its rules as C functions, the text of `rows.h`: ops.py run on a namespace that writes C.

_build.py calls `text()` when the package is built; the package itself never imports this. What the text holds:

    mg_tanh(x0)                    a row of fixed arity
    mg_tanh_d0(g, z, x0)           what g at its result z is at x0
    mg_dot_n(x, n)                 a row with any number of operands, and
    mg_dot_pull(g, z, x, n, out)   what g is at each of them (both by hand, in lists.h; and for arity 3, from the above)
    MG_OP_tanh                     the row's place in the table
    MG_EACH_1(X), MG_EACH_2(X), MG_EACH_3(X), MG_EACH_LIST(X)
                                   X(name) for every row of so many operands whose C is as accurate as floats.py; the
                                   others have functions, too, but in doubt floats.py is to be asked
    MG_EACH_NAME(X)                X(name) for every row, in the table's order
    MG_LEADING[], MG_LISTS[]       how many operands stand in front of a row's lists (indices), and how many lists

"Nothing flows" (a rule that is None, a gate that is shut) is −0.0, the only number whose addition changes no bit; every
other cotangent that is a zero is +0.0. So a sum that starts at −0.0 and still is −0.0 has received nothing, and there
is no test on the way.

Elementary functions are macros, M_EXP(x): the C library's (scalar.h) unless MG_VECTOR is defined, for an includer that
has its own. C does not raise, so what IEEE 754 says of specials needs no care here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from ..floats import accurate, careful
from ..ops import TABLE, Op
from .c_text import Name, Statements, careful_functions, function

HERE = os.path.dirname(os.path.abspath(__file__))

# Rows that are C already: an operator, or a function of the C library.
DIRECT = {
    "sec2": "mc_one_plus_square(M_TAN({0}))",
    "positive": "{0}", "negative": "-{0}", "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}",
    "divide": "{0} / {1}", "reciprocal": "1.0 / {0}", "square": "{0} * {0}", "where": "{0} != 0.0 ? {1} : {2}",
    "less": "{0} < {1} ? 1.0 : 0.0", "less_equal": "{0} <= {1} ? 1.0 : 0.0", "greater": "{0} > {1} ? 1.0 : 0.0",
    "greater_equal": "{0} >= {1} ? 1.0 : 0.0", "equal": "{0} == {1} ? 1.0 : 0.0",
    "not_equal": "{0} != {1} ? 1.0 : 0.0", "remainder": "M_MODULO({0}, {1})",
    **{name: f"M_{name.upper()}({{0}})" for name in (
        "exp expm1 log log1p log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc sqrt cbrt "
        "abs floor ceil trunc round").split()},
    **{name: f"M_{name.upper()}({{0}}, {{1}})" for name in ("atan2", "hypot")},
    "pow": "{1} == 2.0 ? {0} * {0} : M_POW({0}, {1})",  # as floats.pow
}  # fmt: skip

# Rows that floats.py answers better than C does, in a case or everywhere: wrong by more than 2 ulp, or other specials.
# Whatever c_text.py writes is careful; what is made of a row in doubt is in doubt as well.
IN_DOUBT = frozenset(
    "cbrt cbrt_slope tanh sech2 sigmoid logistic_density logaddexp erf erfc erf_slope normal_density "
    "normal_cdf lorentzian atanh_slope acosh over_square over_norm2 unit_component exp_times exp_quotient "
    "pow_slope pow_log celu celu_gap selu selu_slope silu silu_slope mish mish_slope gelu gelu_slope gelu_tanh "
    "gelu_tanh_slope sigmoid_difference sigmoid_minus logit hinge binary_cross_entropy binary_cross_entropy_slope "
    "binary_cross_entropy_with_logits difference_over "
    "half_squared_error".split()
)


class Number:
    """A C expression that needs no brackets: a variable or a literal. Operators write statements."""

    def __init__(self, m: C, text: str) -> None:
        self.m = m
        self.text = text

    def __add__(self, other: Any) -> Number:
        return self.m.new("{} + {}", self, other)

    def __radd__(self, other: Any) -> Number:
        return self.m.new("{} + {}", other, self)

    def __sub__(self, other: Any) -> Number:
        return self.m.new("{} - {}", self, other)

    def __rsub__(self, other: Any) -> Number:
        return self.m.new("{} - {}", other, self)

    def __mul__(self, other: Any) -> Number:
        return self.m.new("{} * {}", self, other)

    def __rmul__(self, other: Any) -> Number:
        return self.m.new("{} * {}", other, self)

    def __neg__(self) -> Number:
        return self.m.new("-{}", self)


def literal(x: Any) -> str:
    """An operand as C."""
    if isinstance(x, Number):
        return x.text
    x = float(x)
    if x - x != 0.0:
        return "NAN" if x != x else "INFINITY" if x > 0 else "(-INFINITY)"
    return repr(x) if x >= 0.0 and repr(x)[0] != "-" else f"({x!r})"


class C:
    """The namespace whose answers are C variables: a row's formula run on it writes the statements of a function.

    The same statement is written once. A row that has no C (neither here, nor in lists.h, nor a formula) is an
    AttributeError, and what is made of it has no C either.
    """

    def __init__(self, has_c: Callable[[str], bool]) -> None:
        self.lines: list[str] = []
        self.asked: set[str] = set()  # the rows that it is made of
        self._seen: dict[str, Number] = {}
        self._has_c = has_c

    def new(self, pattern: str, *xs: Any) -> Number:
        """A variable for this expression."""
        text = pattern.format(*map(literal, xs))
        found = self._seen.get(text)
        if found is None:
            found = self._seen[text] = Number(self, f"t{len(self.lines)}")
            self.lines.append(f"double {found.text} = {text};")
        return found

    def gate(self, condition: Any, g: Any) -> Number:
        """g where the condition is not 0; else nothing."""
        return self.new("{} != 0.0 ? {} + 0.0 : -0.0", condition, g)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in TABLE or not self._has_c(name):
            raise AttributeError(name)
        self.asked.add(name)
        return lambda *xs: self.new(f"mg_{name}({', '.join('{}' for _ in xs)})", *xs)


class Rows:
    """The functions of all rows, as far as they have C."""

    def __init__(self) -> None:
        self.careful = careful_functions()
        if "" not in self.careful:
            self.careful = {}
        self.forward: dict[str, str] = {}  # row → definition
        self._asked: dict[str, set[str]] = {}  # row → those in its formula, ...
        self._asked_by_rules: dict[str, set[str]] = {}  # ... and in its rules
        self._under_way: set[str] = set()
        for name in TABLE:
            self.has_c(name)
        self.slopes = {name: found for name in self.forward if (found := self._slopes(TABLE[name])) is not None}
        with open(os.path.join(HERE, "lists.h"), encoding="utf-8") as file:
            by_hand = set(re.findall(r"\bmg_(\w+)_pull\(", file.read()))
        self.lists = [name for name, row in TABLE.items() if row.arity is None and name in by_hand]

    def has_c(self, name: str) -> bool:
        """Whether the row has a C function of fixed arity; on first asking, writes it."""
        row = TABLE[name]
        if name not in self.forward and name not in self._under_way and row.arity is not None:
            self._under_way.add(name)
            found = self.careful.get(name) or self._attempt(self._forward, row)
            self._under_way.discard(name)
            if found:
                self.forward[name] = found
        return name in self.forward or name in self._under_way

    def of_arity(self, arity: int) -> list[str]:
        """The names of the rows that have C for themselves and all their rules."""
        return [name for name, row in TABLE.items() if name in self.slopes and row.arity == arity]

    def trusted(self, name: str) -> bool:
        """Whether its C is known to be as accurate as floats.py, and that of all it is made of."""
        return self._sound(name) and all(map(self._sound, self._asked_by_rules.get(name, ())))

    def _sound(self, name: str) -> bool:
        sound = name not in IN_DOUBT and all(map(self._sound, self._asked.get(name, ())))
        return name in self.careful or sound

    @staticmethod
    def _attempt(write: Callable[..., Any], *args: Any) -> Any:
        try:
            return write(*args)
        except (AttributeError, TypeError):  # it asks for a row that has no C, or for more than C can say
            return None

    def _forward(self, row: Op) -> str | None:
        x = [f"x{j}" for j in range(len(row.rules))]
        if row.name in DIRECT:
            return _function(f"mg_{row.name}", x, [], DIRECT[row.name].format(*x))
        if row.formula is None:
            return None
        m = C(self.has_c)
        result = row.formula(m, *[Number(m, each) for each in x])
        self._asked[row.name] = m.asked
        return _function(f"mg_{row.name}", x, m.lines, literal(result))

    def _slopes(self, row: Op) -> list[str] | None:
        found = [self._attempt(self._slope, row, i) for i in range(len(row.rules))]
        return None if None in found else found

    def _slope(self, row: Op, i: int) -> str:
        rule = row.rules[i]
        m = C(self.has_c)
        x = ["g", "z", *[f"x{j}" for j in range(len(row.rules))]]
        result = "-0.0" if rule is None else literal(rule(m, *[Number(m, each) for each in x]))
        self._asked_by_rules.setdefault(row.name, set()).update(m.asked)
        gate = result == "-0.0" or (
            m.lines and m.lines[-1].startswith(f"double {result} =") and ": -0.0;" in m.lines[-1]
        )
        return _function(f"mg_{row.name}_d{i}", x, m.lines, result if gate else f"{result} + 0.0")


def _function(name: str, arguments: list[str], lines: list[str], result: str) -> str:
    head = f"MG_INLINE double {name}({', '.join(f'double {x}' for x in arguments)}) {{"
    unused = [f"(void){x};" for x in arguments if not any(re.search(rf"\b{x}\b", each) for each in [*lines, result])]
    return " ".join([head, *unused, *lines, f"return {result}; }}"])


def text() -> str:
    """The text of rows.h."""
    rows = Rows()
    definitions = [*rows.forward.values(), *[each for found in rows.slopes.values() for each in found]]
    out: list[str] = [
        "/* Generated from ops.py by native/rows.py: the rows of the table as C. */",
        "#ifndef MG_ROWS_H\n#define MG_ROWS_H\n#include <math.h>\n#include <string.h>",
        "#ifndef MG_VECTOR",
        two_over_pi(),
        '#include "scalar.h"\n#endif',
        "#define MG_ABSENT (-0.0)\n#define mg_absent(g) ((g) == 0.0 && signbit(g))",
        f"#define MG_ROWS {len(TABLE)}",
        *[f"#define MG_OP_{name} {k}" for k, name in enumerate(TABLE)],
        _each("NAME", TABLE),
        *[_each(str(n), filter(rows.trusted, rows.of_arity(n))) for n in (1, 2, 3)],
        _each("LIST", filter(rows.trusted, rows.lists)),
        rows.careful.get("", ""),
        *[each[: each.index("{")].rstrip() + ";" for each in definitions],
        *definitions,
    ]
    out += ["#ifndef MG_VECTOR", exp3(), '#include "lists.h"']
    for name in rows.of_arity(3):
        out += _as_list(name, "x[0], x[1], x[2]", 3)
    for table, star in (("MG_LEADING", False), ("MG_LISTS", True)):  # parameters that are one operand, or a list
        counts = [sum(name.startswith("*") == star for name in row.parameters) for row in TABLE.values()]
        out.append(f"static const int {table}[MG_ROWS] = {{{', '.join(map(str, counts))}}};")
    out.append("#endif\n#endif\n")
    return "\n".join(out)


def _each(kind: str, names: Iterable[str]) -> str:
    return f"#define MG_EACH_{kind}(X) {' '.join(f'X({name})' for name in names)}"


def two_over_pi() -> str:
    """2/π in digits of 32 bits, for trigonometry.h: as many as the largest float asks for."""
    words = 40
    number = (1 << (32 * words + accurate.PI_BITS)) // accurate.half_pi()
    digits = [number >> 32 * k & 0xFFFFFFFF for k in reversed(range(words))]
    table = f"static const uint32_t MG_TWO_OVER_PI[] = {{{', '.join(f'0x{digit:x}' for digit in digits)}}};"
    return f"#include <stdint.h>\n#define MG_TWO_OVER_PI_WORDS {words}\n{table}"


def exp3() -> str:
    """exp(x + x2) as three floats, x2 small beside 1: for lists.h, where a sum of exponentials cancels."""
    c = Statements()
    x, x2 = Name(c, "x0"), Name(c, "x1")
    square, error = c.two_product(x2, x2)
    more = careful.distil([1.0, x2, 0.5 * square, 0.5 * error, square * x2 * (1.0 / 6.0)])
    parts = careful.distil(careful.product3(c, careful.exp3(c, x), more))
    ends = [f"out[{i}] = {part.text};" for i, part in enumerate(parts)]
    return function("void mg_exp3(double x0, double x1, double *out)", c, *ends)


def _as_list(name: str, x: str, arity: int) -> list[str]:
    """A row of fixed arity as one of many operands."""
    pulls = " ".join(f"out[{i}] = mg_{name}_d{i}(g, z, {x});" for i in range(arity))
    arguments = "double g, double z, const double *x, int n, double *out"
    return [
        f"MG_INLINE double mg_{name}_n(const double *x, int n) {{ (void)n; return mg_{name}({x}); }}",
        f"MG_INLINE void mg_{name}_pull({arguments}) {{ (void)n; {pulls} }}",
    ]
