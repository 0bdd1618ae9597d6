"""The careful formulas as C text: their namespace whose operators write statements. Other rows are in rows.py.

Text and functions of a row named `silu`:

    double mg_silu(double x0)                                    the row
    void mg_silu_both(double x0, double *value, double *slope)   with its slope, which shares the exponential (BOTH)
    double mg_logaddexp_most(double x0, double x1, int64_t *doubt)   (RARE rows) without a branch; sets *doubt where
                                                                 mg_logaddexp must be asked instead

All but the rows themselves in RARE are free of branches and calls, so loops over them become vector code. Their words
are in maths.h; the compiler must neither contract (-ffp-contract=off) nor reorder.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..floats import careful

__all__ = ["BOTH", "RARE", "careful_functions"]

RARE = ("sigmoid_minus", "logaddexp", "pow_slope", "pow_log")
BOTH = {
    "sigmoid": "logistic_density", "softplus": "sigmoid", "tanh": "sech2", "silu": "silu_slope", "mish": "mish_slope",
    "gelu": "gelu_slope", "gelu_tanh": "gelu_tanh_slope", "erf": "erf_slope",
}  # fmt: skip


def literal(x: float) -> str:
    """A number in C; hexadecimal, so exact."""
    if x != x:
        return "NAN"
    if x in (careful.INF, -careful.INF):
        return "INFINITY" if x > 0.0 else "(-INFINITY)"
    return f"({x.hex()})"


class Test:
    """A condition."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __and__(self, other: Test) -> Test:
        return Test(f"({self.text} & {other.text})")

    def __or__(self, other: Test) -> Test:
        return Test(f"({self.text} | {other.text})")

    def __eq__(self, other: Test) -> Test:  # type: ignore[override]
        return Test(f"({self.text} == {other.text})")

    def __ne__(self, other: Test) -> Test:  # type: ignore[override]
        return Test(f"({self.text} != {other.text})")

    __hash__ = None  # type: ignore[assignment]


def _operator(sign: str, kind: str = "plain") -> Callable[[Name, Any], Any]:
    def call(self: Name, other: Any) -> Any:
        a, b = self.text, self.c.text(other)
        text = f"{b} {sign} {a}" if kind == "turned" else f"{a} {sign} {b}"
        return Test(f"({text})") if kind == "test" else self.c.new(text)

    return call


class Name:
    """A C variable; operators write statements."""

    def __init__(self, c: Statements, text: str) -> None:
        self.c, self.text = c, text

    __add__, __radd__ = _operator("+"), _operator("+", "turned")
    __sub__, __rsub__ = _operator("-"), _operator("-", "turned")
    __mul__, __rmul__ = _operator("*"), _operator("*", "turned")
    __lt__, __le__ = _operator("<", "test"), _operator("<=", "test")
    __gt__, __ge__ = _operator(">", "test"), _operator(">=", "test")
    __eq__, __ne__ = _operator("==", "test"), _operator("!=", "test")  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> Name:
        return self.c.new(f"-{self.text}")


def _call(function: str) -> Callable[..., Name]:
    return lambda self, *xs: self.new(f"{function}({', '.join(map(self.text, xs))})")


class Statements:
    """The words of careful.py as statements of one function; what repeats is written once.

    Args:
        branches: whether `rarely` is a branch; else a note in `*doubt`.
    """

    def __init__(self, branches: bool = True) -> None:
        self.branches = branches
        self.lines: list[str] = []
        self._known: dict[str, Name] = {}
        self._count = 0

    def text(self, x: Any) -> str:
        return x.text if isinstance(x, Name) else literal(float(x))

    def new(self, text: str) -> Name:
        name = self._known.get(text)
        if name is None:
            name = self._known[text] = Name(self, self._fresh())
            self.lines.append(f"double {name.text} = {text};")
        return name

    def _fresh(self) -> str:
        self._count += 1
        return f"t{self._count}"

    abs, copysign, pow, fmod = _call("fabs"), _call("copysign"), _call("M_POW"), _call("fmod")
    sqrt, exp, expm1, log, log1p = map(_call, ("M_SQRT", "M_EXP", "M_EXPM1", "M_LOG", "M_LOG1P"))
    scale = _call("mc_scale")

    def divide(self, x: Any, y: Any) -> Name:
        return self.new(f"{self.text(x)} / {self.text(y)}")

    def where(self, test: Test, x: Any, y: Any) -> Any:
        a, b = self.text(x), self.text(y)
        return x if a == b else self.new(f"{test.text} ? {a} : {b}")

    def two_product(self, a: Any, b: Any) -> tuple[Name, Name]:
        p = self.new(f"{self.text(a)} * {self.text(b)}")
        return p, self.new(f"mc_lost({self.text(a)}, {self.text(b)}, {p.text})")

    def split(self, x: Any) -> tuple[Name, Name]:
        return self.new(f"mc_mantissa({self.text(x)})"), self.new(f"mc_exponent({self.text(x)})")

    def rarely(self, test: Test, x: Any, better: Callable[[], Any]) -> Any:
        if not self.branches:
            self.lines.append(f"*doubt |= {test.text};")
            return x
        name, known, lines = self._fresh(), dict(self._known), self.lines
        self.lines = []
        found = self.text(better())
        inner, self.lines, self._known = self.lines, lines, known
        self.lines += [f"double {name} = {self.text(x)};", f"if ({test.text}) {{"]
        self.lines += [*inner, f"{name} = {found};", "}"]
        return Name(self, name)


def function(head: str, c: Statements, *ends: str) -> str:
    """The function's text, without statements whose name nothing reads."""
    read = set(re.findall(r"\bt\d+\b", " ".join(ends)))
    lines = []
    for line in reversed(c.lines):
        declared = re.match(r"double (t\d+) = ", line)
        if declared is None or declared[1] in read:
            read.update(re.findall(r"\bt\d+\b", line))
            lines.append(line)
    lines = [*reversed(lines), *ends]
    return "\n".join([f"MG_INLINE {head} {{", *["  " + line for line in lines], "}"])


def careful_functions() -> dict[str, str]:
    """The C definition of each careful row, by its name; and under "" what they need and their `_most` and `_both`."""
    found, others = {}, ['#include "maths.h"']
    for name, formula in careful.ROWS.items():
        arity = formula.__code__.co_argcount - 1
        heads = ", ".join(f"double x{j}" for j in range(arity))

        def written(suffix: str, more: str, c: Statements) -> str:
            result = formula(c, *[Name(c, f"x{j}") for j in range(arity)])  # noqa: B023  (called at once)
            return function(f"double mg_{name}{suffix}({heads}{more})", c, f"return {c.text(result)};")  # noqa: B023

        found[name] = written("", "", Statements())
        if name in RARE:
            others.append(written("_most", ", int64_t *doubt", Statements(branches=False)))
    for name, slope in BOTH.items():
        c = Statements()
        x = Name(c, "x0")
        value, derivative = (c.text(careful.ROWS[row](c, x)) for row in (name, slope))
        head = f"void mg_{name}_both(double x0, double *value, double *slope)"
        others.append(function(head, c, f"*value = {value};", f"*slope = {derivative};"))
    return {"": "\n".join(others), **found}
