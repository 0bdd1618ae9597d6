"""The namespace of formulas: run a row of the table with it, and the row writes itself in LaTeX.

A row is written against a namespace `m`; here `m.divide(x, y)` is a fraction and `m.where` a case distinction. What
a row is called in print is said below only where notation differs from the name; the mathematics is the table's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from microgradlike import ops
from microgradlike.ops import TABLE, Op

SUM, PRODUCT, POWER, ATOM = range(4)  # how tightly an expression binds
IF, OTHERWISE = r"\text{if }", r"\text{otherwise}"

NAMED_NUMBERS = {
    ops.PI: r"\pi", ops.LN2: r"\ln 2", ops.LN10: r"\ln 10", ops.LOG2_E: r"\tfrac{1}{\ln 2}",
    ops.LOG10_E: r"\tfrac{1}{\ln 10}", ops.TWO_OVER_SQRT_PI: r"\tfrac{2}{\sqrt\pi}",
    ops.SQRT_HALF: r"\tfrac{1}{\sqrt2}", ops.INVERSE_SQRT_2PI: r"\tfrac{1}{\sqrt{2\pi}}",
    ops.GELU_K: r"\sqrt{\tfrac2\pi}", ops.SELU_SCALE: r"\lambda", ops.SELU_ALPHA: r"\alpha",
    2.0 * ops.GELU_K: r"2\sqrt{\tfrac2\pi}", ops.SELU_SCALE * ops.SELU_ALPHA: r"\lambda\alpha",
    0.5: r"\tfrac12", 0.25: r"\tfrac14", 0.75: r"\tfrac34", 1.0 / 3.0: r"\tfrac13", 2.0 / 3.0: r"\tfrac23",
}  # fmt: skip


class Tex:
    """A formula: its LaTeX, how tightly it binds, and its branches if it is a case distinction."""

    def __init__(self, text: str, level: int = ATOM, cases: list[tuple[Any, str]] | None = None) -> None:
        self.text, self.level, self.cases = text, level, cases
        self.factors: list[Tex] = []  # of a product
        self.opposite: Tex | None = None  # x, if this is −x
        self.constant = False

    def __str__(self) -> str:
        if self.cases is None:
            return self.text
        rows = [
            f"{x} & " + (rf"\text{{if }} {condition}" if condition else r"\text{otherwise}")
            for x, condition in self.cases
        ]
        return r"\begin{cases}" + r" \\ ".join(rows) + r"\end{cases}"

    def at(self, level: int) -> str:
        """The formula, in brackets if it binds less tightly than `level`."""
        if self.cases is not None:
            return str(self) if level == SUM else rf"\left({self}\right)"
        return self.text if self.level >= level else rf"\left({self.text}\right)"

    def __neg__(self) -> Any:
        if self.cases is not None:
            return Tex("", ATOM, [(-x, condition) for x, condition in self.cases])
        if self.opposite is not None:
            return self.opposite
        negated = Tex(f"-{self.at(PRODUCT)}", SUM)
        negated.opposite = self
        return negated

    def __add__(self, other: Any) -> Any:
        return _plus(self, other)

    def __radd__(self, other: Any) -> Any:
        return _plus(other, self)

    def __sub__(self, other: Any) -> Any:
        return _minus(self, other)

    def __rsub__(self, other: Any) -> Any:
        return _minus(other, self)

    def __mul__(self, other: Any) -> Any:
        return _times(self, other)

    def __rmul__(self, other: Any) -> Any:
        return _times(other, self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tex) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def tex(x: Any) -> Tex:
    """A formula or a number as a formula."""
    if isinstance(x, Tex):
        return x
    number = float(x)
    if abs(number) in NAMED_NUMBERS:
        text = NAMED_NUMBERS[abs(number)]
    elif number != number:
        text = r"\mathrm{nan}"
    else:
        text = str(int(abs(number))) if number == int(number) else repr(abs(number))
    written = Tex(text)
    written.constant = True
    return -written if number < 0 else written


def _number(x: Any) -> float | None:
    return None if isinstance(x, Tex) else float(x)


def _plus(x: Any, y: Any) -> Any:
    if _number(y) == 0.0:
        return x
    if _number(x) == 0.0:
        return y
    second = tex(y)
    if second.opposite is not None:
        return _minus(x, second.opposite)
    return Tex(f"{tex(x).at(SUM)} + {second.at(SUM if second.cases is None else PRODUCT)}", SUM)


def _minus(x: Any, y: Any) -> Any:
    if _number(y) == 0.0:
        return x
    if _number(x) == 0.0:
        return -tex(y)
    second = tex(y)
    return Tex(f"{tex(x).at(SUM)} - {second.at(PRODUCT)}", SUM)


def _times(x: Any, y: Any) -> Any:
    for number, other in ((_number(x), y), (_number(y), x)):
        if number == 1.0:
            return other
        if number == 0.0:
            return 0.0
        if number is not None and number < 0.0:
            return -tex(_times(-number, other))
    x, y = tex(x), tex(y)
    for factor, cases in ((y, x.cases), (x, y.cases)):
        if cases is not None:
            return Tex("", ATOM, [(_times(factor, branch), condition) for branch, condition in cases])
    negative = False
    factors: list[Tex] = []
    for part in (x, y):
        for factor in part.factors or [part]:
            if factor.opposite is not None:
                negative, factor = not negative, factor.opposite
            factors += factor.factors or [factor]
    counts: dict[str, int] = {}
    first = {str(factor): factor for factor in reversed(factors)}
    for factor in sorted(factors, key=lambda factor: not factor.constant):
        counts[str(factor)] = counts.get(str(factor), 0) + 1
    parts = [first[text] if n == 1 else _power(first[text], float(n)) for text, n in counts.items()]
    product = Tex(r"\,".join(part.at(PRODUCT) for part in parts), PRODUCT)
    product.factors = factors
    return -product if negative else product


def _power(x: Any, y: Any) -> Tex:
    base = tex(x)
    return Tex(f"{{{base.at(ATOM)}}}^{{{tex(y)}}}", POWER)


def _fraction(x: Any, y: Any) -> Any:
    if _number(y) == 1.0:
        return x
    top = tex(x)
    if top.opposite is not None:
        return -_fraction(top.opposite, y)
    for number, base in ((ops.LOG2_E, "2"), (ops.LOG10_E, "10")):
        if _number(x) == number:
            return _fraction(1.0, _times(y, Tex(rf"\ln {base}")))
    for divisor in (2.0, 3.0):
        if _number(x) == 1.0 / divisor:
            return _fraction(1.0, _times(divisor, y))
    return Tex(rf"\frac{{{top}}}{{{tex(y)}}}", ATOM)


def _call(name: str, *x: Any) -> Tex:
    return Tex(rf"{name}\!\left({', '.join(str(tex(v)) for v in x)}\right)", POWER)


def _function(name: str) -> Any:
    """An elementary function, with brackets only around what needs them: \\sin x, \\sin(x + y)."""

    def write(x: Any) -> Tex:
        inner = tex(x)
        plain = inner.level == ATOM and inner.cases is None and len(inner.text) < 12
        return Tex(f"{name} {inner.text}", POWER) if plain else _call(name, x)

    return staticmethod(write)


def _relation(sign: str) -> Any:
    def write(x: Any, y: Any) -> Any:
        if not isinstance(x, Tex) and not isinstance(y, Tex):
            return {"=": x == y, "<": x < y, ">": x > y}.get(sign, False)
        return Tex(f"{tex(x)} {sign} {tex(y)}", SUM)

    return staticmethod(write)


def _upper(name: str) -> str:
    return rf"\operatorname{{{name}}}".replace("_", r"\_")


class Latex:
    """Rows answered in LaTeX. What has no answer here is written out by the formula of its row."""

    def __getattr__(self, name: str) -> Any:
        row = TABLE.get(name)
        if row is None or name.startswith("__"):
            raise AttributeError(name)
        if row.public:
            return lambda *x: _call(_upper(name), *x)
        if row.formula is None:
            raise AttributeError(name)
        return lambda *x: row.formula(self, *x)  # type: ignore[misc]

    sin, cos, tan, sinh, cosh, tanh = (_function(rf"\{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh"))
    log, asin, acos, atan = _function(r"\ln"), _function(r"\arcsin"), _function(r"\arccos"), _function(r"\arctan")
    log2, log10 = _function(r"\log_2"), _function(r"\log_{10}")
    asinh, acosh, atanh = (_function(rf"\operatorname{{{name}}}") for name in ("arsinh", "arcosh", "artanh"))
    erf, erfc, sign, relu = (_function(_upper(name)) for name in ("erf", "erfc", "sgn", "relu"))
    less, less_equal, greater, greater_equal = _relation("<"), _relation(r"\le"), _relation(">"), _relation(r"\ge")
    equal, not_equal = _relation("="), _relation(r"\ne")

    def divide(self, x: Any, y: Any) -> Any:
        return _fraction(x, y)

    fraction = divide

    def reciprocal(self, x: Any) -> Any:
        return _fraction(1.0, x)

    def over_square(self, x: Any, y: Any) -> Any:
        return _fraction(x, _power(y, 2.0))

    def pow(self, x: Any, y: Any) -> Any:
        return _power(x, y)

    def pow_slope(self, x: Any, y: Any) -> Any:
        return y * _power(x, tex(y) - 1.0)

    def pow_log(self, x: Any, y: Any) -> Any:
        return _power(x, y) * self.log(x)

    def square(self, x: Any) -> Any:
        return _power(x, 2.0)

    def sqrt(self, x: Any) -> Any:
        return Tex(rf"\sqrt{{{tex(x)}}}")

    def cbrt(self, x: Any) -> Any:
        return Tex(rf"\sqrt[3]{{{tex(x)}}}")

    def hypot(self, x: Any, y: Any) -> Any:
        return self.sqrt(_power(x, 2.0) + _power(y, 2.0) if isinstance(x, Tex) else tex(x) + _power(y, 2.0))

    def abs(self, x: Any) -> Any:
        return x if str(tex(x)).startswith(r"\sqrt{") else Tex(rf"\left|{tex(x)}\right|")  # a root is no less than 0

    def exp(self, x: Any) -> Any:
        return Tex(f"e^{{{tex(x)}}}", POWER)

    def expm1(self, x: Any) -> Any:
        return self.exp(x) - 1.0

    def log1p(self, x: Any) -> Any:
        return self.log(1.0 + tex(x))

    def xlogy(self, x: Any, y: Any) -> Any:
        return x * self.log(y)

    def atan2(self, y: Any, x: Any) -> Any:
        return _call(_upper("atan2"), y, x)

    def sec2(self, x: Any) -> Any:
        return _fraction(1.0, Tex(rf"\cos^2 {tex(x).at(ATOM)}"))

    def sech2(self, x: Any) -> Any:
        return _fraction(1.0, Tex(rf"\cosh^2 {tex(x).at(ATOM)}"))

    def asin_slope(self, x: Any) -> Any:
        return _fraction(1.0, self.sqrt(1.0 - _power(x, 2.0)))

    def acosh_slope(self, x: Any) -> Any:
        return _fraction(1.0, self.sqrt(_power(x, 2.0) - 1.0))

    def atanh_slope(self, x: Any) -> Any:
        return _fraction(1.0, 1.0 - _power(x, 2.0))

    def maximum(self, x: Any, y: Any) -> Any:
        return _call(r"\max", x, y)

    def minimum(self, x: Any, y: Any) -> Any:
        return _call(r"\min", x, y)

    def floor(self, x: Any) -> Any:
        return Tex(rf"\left\lfloor {tex(x)} \right\rfloor")

    def ceil(self, x: Any) -> Any:
        return Tex(rf"\left\lceil {tex(x)} \right\rceil")

    def defined(self, test: Any, x: Any) -> Any:
        return x  # outside the domain the result is nan; the domain has a line of its own

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        if not isinstance(condition, Tex):
            return x if condition else y
        if str(tex(x)) == str(tex(y)) or (_number(x) == 0.0 and " = " in str(condition)):
            return y  # the latter is 0·ln 0 = 0, which is a limit of the formula
        branches = [
            (inner, f"{condition}, {more}" if more else str(condition))
            for inner, more in tex(x).cases or [(tex(x), "")]
        ]
        branches += tex(y).cases or [(tex(y), "")]
        joined = branches[:1]
        for branch, when in branches[1:]:
            before, earlier = joined[-1]
            if str(before) == str(branch) and earlier and when:
                joined[-1] = before, rf"{earlier} \text{{ or }} {when}"
            else:
                joined.append((branch, when))
        return Tex("", ATOM, joined)

    def gate(self, condition: Any, g: Any) -> Any:
        """A cotangent that is not there is written as 0."""
        if not isinstance(condition, Tex):
            return g if condition else 0.0
        if not condition.cases:
            return self.where(condition, g, 0.0)
        branches = [(tex(g), str(branch)) if str(branch) != "0" else (branch, when) for branch, when in condition.cases]
        return Tex("", ATOM, [*branches, (tex(0.0), "")])

    def sigmoid(self, x: Any) -> Any:
        return _call(r"\sigma", x)

    def logistic_density(self, x: Any) -> Any:
        return _call(r"\sigma'", x)

    def sigmoid_difference(self, x: Any, y: Any) -> Any:
        return self.sigmoid(x - y)

    def normal_density(self, x: Any) -> Any:
        return _call(r"\varphi", x)

    def normal_cdf(self, x: Any) -> Any:
        return _call(r"\Phi", x)

    def binary_cross_entropy_slope(self, p: Any, y: Any) -> Any:
        return _fraction(p - y, p * (1.0 - p))

    def logit(self, p: Any) -> Any:
        return self.log(_fraction(p, 1.0 - p))

    def sum(self, *xs: Any) -> Any:
        total: Any = 0.0
        for x in xs:
            total = total + x
        return total

    def prod(self, *xs: Any) -> Any:
        total: Any = 1.0
        for x in xs:
            total = total * x
        return total

    def mean(self, *xs: Any) -> Any:
        return _fraction(self.sum(*xs), float(len(xs)))

    def logsumexp(self, *xs: Any) -> Any:
        return self.log(Tex(str(self.sum(*[self.exp(x) for x in xs])), SUM))

    def softmax_minus(self, k: Any, *xs_and_targets: Any) -> Any:
        return self.softmax(k) - xs_and_targets[len(xs_and_targets) // 2 + int(k)]

    def softmax(self, k: Any, *xs: Any) -> Any:
        return Tex(f"s_{int(k) + 1}")

    def one_minus_softmax(self, k: Any, *xs: Any) -> Any:
        return self.sum(*[Tex(f"s_{j + 1}") for j in range(len(xs)) if j != int(k)])

    def log_softmax(self, k: Any, *xs: Any) -> Any:
        return self.log(self.softmax(k))

    def dot(self, *xs: Any) -> Any:
        half = len(xs) // 2
        return self.sum(*[x * y for x, y in zip(xs[:half], xs[half:], strict=True)])

    def norm(self, *xs: Any) -> Any:
        return self.sqrt(self.sum(*[_power(x, 2.0) for x in xs]))


latex = Latex()
GREEK = {"alpha": r"\alpha", "slope": r"s", "low": r"\ell", "high": "h", "condition": "c", "probability": "p",
         "target": "y", "prediction": "p", "logit": "x", "score": "s", "index": "k", "class": "k"}  # fmt: skip


def letters(row: Op) -> tuple[list[Any], list[str]]:
    """What to pass to the rules of a row, and how each argument is called; three numbers stand for any number."""
    x: list[Any] = []
    names: list[str] = []
    starred = sum(name.startswith("*") for name in row.parameters)
    for name in row.parameters:
        if name in ("index", "class", "k", "j"):
            x.append(0.0)  # the element or class in question: the first
            names.append("")
            continue
        stem = name.removeprefix("*")
        if name.startswith("*"):
            letter = {"xs": "x", "ys": "y", "logits": "x", "targets": "q", "predictions": "p"}.get(stem, stem[0])
            if row.name == "mean_squared_error" and stem == "targets":
                letter = "y"
            names += [f"{letter}_{i}" for i in range(1, 4 if starred == 1 else 3)]
            x += [Tex(f"{letter}_{i}") for i in range(1, 4 if starred == 1 else 3)]
        else:
            names.append(GREEK.get(name, name))
            x.append(Tex(names[-1]))
    return x, names


def formula(row: Op) -> str:
    """The right-hand side of z = … for this row."""
    x, _ = letters(row)
    if row.name in vars(Latex):
        plain = getattr(latex, row.name)(*x)
        if row.name not in ("softmax", "log_softmax", "sigmoid", "relu", "sign"):
            return str(tex(plain))
    if row.name == "sigmoid":
        return r"\frac{1}{1 + e^{-x}}"
    if row.name in ("softmax", "log_softmax"):
        share = r"\frac{e^{x_1}}{e^{x_1} + e^{x_2} + e^{x_3}}"
        return share if row.name == "softmax" else rf"\ln {share}"
    if row.name == "take":
        return "x_k"
    if row.formula is not None:
        return str(tex(row.formula(latex, *x)))
    return str(_call(_upper(row.name), *[v for v in x if isinstance(v, Tex)]))


def derivatives(row: Op) -> list[tuple[str, str]]:
    """(argument, derivative) of every argument that has one, by running the rules with g = 1."""
    x, names = letters(row)
    own = row.name in vars(Latex) and row.name not in ("softmax", "log_softmax")
    z = getattr(latex, row.name)(*x) if own else Tex("z")
    found: Sequence[Any] = row.cotangents(latex, 1.0, z, *x)
    return [(name, str(tex(d))) for name, d in zip(names, found, strict=True) if d is not None and name]
