"""Formulas: the table's rules run on texts with numbers, to write a value or derivative in terms of labels.

Only products are simplified (3·y·2 is 6y); what depends on a comparison is settled by the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

from .. import floats
from ..ops import TABLE, Op
from .engine import Value

_LONGEST = 40


def written_number(x: float) -> str:
    """Six significant digits and a true minus sign."""
    return f"{x:.6g}".replace("-", "−")


def in_parentheses(text: str) -> str:
    """As a factor in a product: sums and negative numbers get parentheses."""
    return f"({text})" if " " in text or text.startswith("−") else text


class Term:
    """A number that knows how it is written: as coefficient × factors, say 6z."""

    __slots__ = ("coefficient", "factors", "value")

    def __init__(self, value: float, coefficient: float | None = None, factors: tuple[str, ...] | None = ()) -> None:
        self.value = value
        self.coefficient = value if coefficient is None else coefficient
        self.factors = factors  # None: it cannot be written

    @property
    def text(self) -> str | None:
        """The term written out; None if it cannot be, or not in short."""
        if self.factors is None:
            return None
        if not self.factors or self.coefficient == 0.0:
            return written_number(self.coefficient)
        powers = {factor: self.factors.count(factor) for factor in self.factors}
        written = [
            (in_parentheses(factor) if len(powers) > 1 or self.coefficient != 1.0 or n > 1 else factor)
            + (str(n).translate(_SUPERSCRIPTS) if n > 1 else "")
            for factor, n in powers.items()
        ]
        sign = {1.0: "", -1.0: "−"}.get(self.coefficient, written_number(self.coefficient))
        simple = all(len(factor) == 1 or not factor[0].isalnum() for factor in powers)
        text = sign + ("" if simple else "·").join(written if not sign or simple or sign == "−" else ["", *written])
        return text if len(text) <= _LONGEST else None

    def __mul__(self, other: Any) -> Term:
        other = _term(other)
        factors = None if self.factors is None or other.factors is None else self.factors + other.factors
        coefficient = self.coefficient * other.coefficient
        if coefficient == 0.0:
            return Term(0.0)
        return Term(self.value * other.value, coefficient, factors)

    __rmul__ = __mul__

    def __neg__(self) -> Term:
        return Term(-self.value, -self.coefficient, self.factors)

    def __add__(self, other: Any) -> Term:
        return _sum(self, _term(other), " + ")

    def __radd__(self, other: Any) -> Term:
        return _sum(_term(other), self, " + ")

    def __sub__(self, other: Any) -> Term:
        return _sum(self, _term(other), " − ")

    def __rsub__(self, other: Any) -> Term:
        return _sum(_term(other), self, " − ")


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _term(x: Any) -> Term:
    return x if isinstance(x, Term) else Term(float(x))


def _named(value: float, text: str | None) -> Term:
    return Term(value, 1.0, None if text is None or len(text) > _LONGEST else (text,))


def _sum(x: Term, y: Term, sign: str) -> Term:
    value = x.value + y.value if sign == " + " else x.value - y.value
    if x.factors == () and y.factors == ():
        return Term(value)
    if y.factors == () and y.coefficient == 0.0:
        return x
    if x.factors == () and x.coefficient == 0.0:
        return y if sign == " + " else -y
    texts = (x.text, y.text if sign == " + " else in_parentheses(y.text) if y.text is not None else None)
    return _named(value, None if None in texts else f"{texts[0]}{sign}{texts[1]}")


class _Formulas:
    """The namespace of texts with numbers: what depends on a comparison is settled by the numbers."""

    def __getattr__(self, name: str) -> Any:
        row = TABLE.get(name)
        if row is None:
            raise AttributeError(name)

        def call(*args: Any) -> Any:
            terms = [_term(x) for x in args]
            value = row.on(floats)(*[t.value for t in terms])
            return _applied(row, value, terms) if row.differentiable else value

        return call

    def where(self, condition: Any, x: Any, y: Any) -> Term:
        return _term(x) if _term(condition).value else _term(y)

    def gate(self, condition: Any, g: Any) -> Term:
        return _term(g) if _term(condition).value else Term(0.0)

    def defined(self, test: Any, x: Any) -> Term:
        return _term(x) if _term(test).value == _term(test).value else Term(nan)

    def positive(self, x: Any) -> Term:
        return _term(x)

    def negative(self, x: Any) -> Term:
        return -_term(x)

    def add(self, x: Any, y: Any) -> Term:
        return _term(x) + _term(y)

    def subtract(self, x: Any, y: Any) -> Term:
        return _term(x) - _term(y)

    def multiply(self, x: Any, y: Any) -> Term:
        return _term(x) * _term(y)

    def square(self, x: Any) -> Term:
        return _term(x) * _term(x)

    def sign(self, x: Any) -> Term:
        return Term(floats.sign(_term(x).value))

    side = sign

    def share(self, x: Any, y: Any) -> Term:
        return Term(floats.share(_term(x).value, _term(y).value))

    def pow(self, x: Any, y: Any) -> Term:
        x, y = _term(x), _term(y)
        if y.factors == () and y.value in (0.0, 1.0, 2.0, 3.0, 4.0):
            term = Term(1.0)
            for _ in range(int(y.value)):
                term = term * x
            return term
        return _applied(TABLE["pow"], TABLE["pow"].on(floats)(x.value, y.value), [x, y])

    def pow_slope(self, x: Any, y: Any) -> Term:
        return _term(y) * self.pow(x, _term(y) - 1.0)

    def pow_log(self, x: Any, y: Any) -> Term:
        log: Term = self.log(x)
        return self.pow(x, y) * log


def _applied(row: Op, value: float, terms: Sequence[Term]) -> Term:
    """The operation written with these operands: in parentheses, unless they stand in those of a call already."""
    texts = [term.text for term in terms]
    if not texts:  # an empty sum or product
        return Term(value)
    if None in texts:
        return Term(value, 1.0, None)
    return _named(value, row.expression(*[in_parentheses(str(t)) if row.write else str(t) for t in texts]))


formulas = _Formulas()


def formulas_of(order: list[Value]) -> dict[Value, Term]:
    """How each node is written: by its label, or by its operation where its operands can be."""
    terms: dict[Value, Term] = {}
    for v in order:
        if v.label is not None and v.label.isprintable() and v.label.strip():
            terms[v] = _named(v.data, v.label)
        elif v.op is None:
            terms[v] = Term(v.data, 1.0, None)
        else:
            operands = [Term(x) if type(x) is float else terms[x] for x in v.args]
            own = vars(_Formulas).get(v.op.name)
            terms[v] = _applied(v.op, v.data, operands) if own is None else own(formulas, *operands)
    return terms


def local_formulas(v: Value, terms: dict[Value, Term]) -> dict[int, Term]:
    """The local derivatives of v by each operand, written; a rule that cannot be run on texts stays a number."""
    row: Any = v.op
    operands = [x if type(x) is float else terms[x] for x in v.args]
    try:
        found = row.cotangents(formulas, Term(1.0), terms[v], *operands)
    except Exception:  # a user's rule may do anything with its arguments
        return {}
    return {k: _term(t) for k, t in enumerate(found) if t is not None and _term(t).factors is not None}
