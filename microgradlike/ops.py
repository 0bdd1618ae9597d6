"""The table of primitives: every operation and its derivatives, written once.

Nothing here computes. A row says what an operation *is*, in terms of a namespace `m` that answers
the names of the table (`m.exp`, `m.where`, `m.less` ...); what the row *does* depends on who reads it:

    m = floats    the eager forward value and the backward sweep     (floats.py)
    m = values    derivatives that are graphs again                  (value.py)
    m = text      the table in the docs, generated Python source
    m = arrays    a recorded computation over whole data sets        (compile/)

A row never branches in Python on a number (`m.where` selects), so it can be replayed anywhere.
Absent is not zero: `m.gate(condition, g)` is g where the condition is not 0, and elsewhere no cotangent at all.
A namespace in which sweeps run answers it: with g or None where the condition is known (the sweep goes no further),
else with a Gated pair; for any other it is `where(condition, g, 0)`. It is the outermost word of a rule. A cotangent
of 0 is a number like any other: 0·inf is nan.
A namespace may answer a row under its own name where it knows better than the row's plain
formula: floats.py answers nearly all of them, to within 2 ulp.

How to read a row:  op(name, cotangent of x from g, cotangent of y from g, ..., formula=..., ...)
where z is the result, x, y, ... are the arguments, and g is the gradient that reaches z.
The map from g is linear with a symmetric (1x1) matrix, so the same lambda also carries a tangent forward.

Names are the Array API's where it has one (https://data-apis.org/array-api/), else PyTorch's.
This file imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

Rule = Callable[..., Any]
Interval = tuple[float, float]

REAL: Interval = (-5.0, 5.0)
POSITIVE: Interval = (0.1, 5.0)
UNIT: Interval = (-0.9, 0.9)
PROBABILITY: Interval = (0.05, 0.95)

NAN = float("nan")
PI = 3.141592653589793
LN2, LN10 = 0.6931471805599453, 2.302585092994046
LOG2_E, LOG10_E = 1.4426950408889634, 0.4342944819032518
TWO_OVER_SQRT_PI = 1.1283791670955126
SQRT_HALF, INVERSE_SQRT_2PI = 0.7071067811865476, 0.3989422804014327
GELU_K, GELU_C = 0.7978845608028654, 0.044715  # sqrt(2/pi), and Hendrycks & Gimpel's cubic coefficient
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, arXiv:1706.02515


@dataclass(frozen=True, eq=False, slots=True)
class Gated:
    """What `m.gate` answers while the condition is not known: a cotangent that is there where `condition` is not 0."""

    condition: Any
    cotangent: Any


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Op:
    """One row of the table.

    Attributes:
        name: how `microgradlike.<name>` and every namespace call it.
        rules: `rules[i](m, g, z, *x)` is the cotangent of x[i]; None where there is no derivative.
            Empty for rows with any number of arguments, which have a `pullback` instead.
        pullback: `pullback(m, g, z, *x)` lists the cotangents of all arguments (None: no derivative).
        formula: `formula(m, *x)` computes the operation from others, for a namespace that lacks it.
        write: the operation as an expression: `"{} + {}"`; a callable gets the operands' texts.
        symbol: one or a few characters for a drawing.
        parameters: names of the arguments, as docs and errors call them.
        domain: one (low, high) per argument, where the operation is smooth enough to sample (the last
            one repeats for further arguments).
        trouble: points that deserve a test of their own: kinks, poles, branch points, saturation.
        kinks: what the derivative is where mathematics has none.
        doc: one line for the reference.
        source: paper or text the definition follows.
        relation: of a comparison: how Python writes it.
        public: False for a derivative that has a name only so that it can be accurate.
        number: its place in ROWS, which recordings write down for it.
    """

    name: str
    rules: tuple[Rule | None, ...] = ()
    pullback: Rule | None = None
    formula: Rule | None = None
    write: str | Callable[..., str] = ""
    symbol: str = ""
    parameters: tuple[str, ...] = ("x",)
    defaults: tuple[float, ...] = ()
    domain: tuple[Interval, ...] = (REAL,)
    trouble: tuple[float, ...] = ()
    kinks: str = ""
    doc: str = ""
    source: str = ""
    relation: str = ""
    public: bool = True
    loss: bool = False
    number: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", len(ROWS))
        ROWS.append(self)

    @property
    def arity(self) -> int | None:
        """The number of arguments; None if there may be any number."""
        return None if self.pullback is not None else len(self.rules)

    @property
    def indices(self) -> int:
        """How many operands are indices into the list that follows them, and have no derivative."""
        return 0 if self.pullback is None else sum(not name.startswith("*") for name in self.parameters)

    @property
    def lists(self) -> int:
        """How many lists its operands are, of one length: 1, 2 (pairs, the halves of the operands), or 0."""
        return sum(name.startswith("*") for name in self.parameters)

    @property
    def differentiable(self) -> bool:
        """Whether any argument has a derivative."""
        return self.pullback is not None or any(rule is not None for rule in self.rules)

    def on(self, m: Any) -> Callable[..., Any]:
        """This operation as a function of things that live in namespace `m`."""
        own = getattr(m, self.name, None)
        if own is not None:
            return own  # type: ignore[no-any-return]
        if self.formula is None:
            raise NotImplementedError(f"namespace {m!r} has no {self.name!r}, and its row no formula")
        return partial(self.formula, m)

    def cotangents(self, m: Any, g: Any, z: Any, *x: Any) -> Sequence[Any]:
        """The cotangent of every argument, in namespace `m` (None where there is no derivative)."""
        if self.pullback is not None:
            return self.pullback(m, g, z, *x)  # type: ignore[no-any-return]
        return [rule(m, g, z, *x) if rule else None for rule in self.rules]

    def expression(self, *operands: str) -> str:
        """How the operation reads with these operands, say `b × c` or `tanh(x)`."""
        if callable(self.write):
            return self.write(*operands)
        if self.write:
            return self.write.format(*operands)
        return f"{self.name}({', '.join(operands)})"

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _row, (self.name,)


ROWS: list[Op] = []  # every row by its number: first the package's, in the order below; a row keeps its number
TABLE: dict[str, Op] = {}


def _row(name: str) -> Op:
    if name == GIVEN.name:
        return GIVEN
    try:
        return TABLE[name]
    except KeyError:
        raise LookupError(f"no primitive named {name!r} here: register it before loading what uses it") from None


def op(name: str, *rules: Rule | None, **columns: Any) -> Op:
    """Add a row. `microgradlike.primitive` is the checked, documented way for users."""
    if not columns.get("doc") and columns.get("public", True):
        raise ValueError(f"row {name!r} needs a doc line")
    if rules and "parameters" not in columns:
        columns["parameters"] = ("x", "y", "z")[: len(rules)]
    row = TABLE[name] = Op(name, rules, **columns)
    return row


helper = partial(op, public=False)  # a derivative with a name of its own


def _halves(xs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    return xs[: len(xs) // 2], xs[len(xs) // 2 :]


def _listed(*xs: str) -> str:
    return ", ".join(xs)


def _element(m: Any, k: Any, xs: Sequence[Any]) -> Any:
    """xₖ, whether the index is a constant or computed."""
    return xs[int(k)] if type(k) is float else m.take(k, *xs)


def _at(m: Any, k: Any, j: Any, same: Rule, other: Rule) -> Any:
    """`same()` where j is the index k, else `other()`: known at once if k is a constant, else selected."""
    if type(k) is float and type(j) in (int, float):
        return same() if j == k else other()
    return m.where(m.equal(k, j), same(), other())


def _gate(m: Any, condition: Any, g: Any) -> Any:
    own = getattr(m, "gate", None)
    return own(condition, g) if own is not None else m.where(condition, g, 0.0)


def _through(m: Any, z: Any, condition: Any, g: Any) -> Any:
    """g where the condition is not 0; nan where z is, which nothing may hide; elsewhere no cotangent."""
    return _gate(m, m.defined(z, condition), m.defined(z, g))


def _nth(m: Any, name: str, xs: Sequence[Any], *head: Any) -> Callable[[float], Any]:
    """j ↦ m.name(*head, j, *xs). All of them together take time n² unless the namespace shares what they have in
    common, as floats.py does."""
    own = getattr(m, "nth", None)
    return own(name, xs, *head) if own is not None else lambda j: getattr(m, name)(*head, j, *xs)


def _each(m: Any, name: str, xs: Sequence[Any], *head: Any) -> list[Any]:
    """m.name(*head, j, *xs) for every j."""
    nth = _nth(m, name, xs, *head)
    return [nth(float(j)) for j in range(len(xs))]


def _products_of_others(m: Any, xs: Sequence[Any]) -> Sequence[Any]:
    own = getattr(m, "products_of_others", None)
    return own(xs) if own is not None else [m.prod(*xs[:i], *xs[i + 1 :]) for i in range(len(xs))]


def _unit_vector(m: Any, xs: Sequence[Any], norm: Any) -> Sequence[Any]:
    own = getattr(m, "unit_vector", None)
    return own(xs, norm) if own is not None else [m.fraction(x, norm) for x in xs]


def _unless_both_0(m: Any, x: Any, y: Any, other: Any) -> Any:
    """0 where x and y are 0, else the other."""
    return m.where(m.equal(m.abs(x) + m.abs(y), 0.0), 0.0, other)


def _ratio(m: Any, x: Any, y: Any) -> Any:
    return _unless_both_0(m, x, y, m.divide(x, y))


# fmt: off
# (columns of rules are easier to compare than to wrap)

# ── arithmetic ──────────────────────────────────────────────────────────────────────────────────
op("positive", lambda m, g, z, x: g,
   formula=lambda m, x: x, write="{}", symbol="=", doc="x itself, as a new node.")
op("negative", lambda m, g, z, x: -g,
   formula=lambda m, x: -x, write="−{}", symbol="−", doc="−x")
op("add",      lambda m, g, z, x, y: g,
               lambda m, g, z, x, y: g,
   formula=lambda m, x, y: x + y, write="{} + {}", symbol="+", doc="x + y")
op("subtract", lambda m, g, z, x, y: g,
               lambda m, g, z, x, y: -g,
   formula=lambda m, x, y: x - y, write="{} − {}", symbol="−", doc="x − y")
op("multiply", lambda m, g, z, x, y: g * y,
               lambda m, g, z, x, y: g * x,
   formula=lambda m, x, y: x * y, write="{} × {}", symbol="×", doc="x · y")
op("divide",   lambda m, g, z, x, y: g * m.reciprocal(y),
               lambda m, g, z, x, y: -(g * m.over_square(x, y)),
   write="{} / {}", symbol="÷", domain=(REAL, POSITIVE), trouble=(0.0,),
   doc="x / y, with 1/0 = inf as IEEE 754 has it.")
op("reciprocal", lambda m, g, z, x: -(g * m.over_square(1.0, x)),
   formula=lambda m, x: m.divide(1.0, x), write="1/{}", symbol="1/x", domain=(POSITIVE,), trouble=(0.0,), doc="1 / x")
op("remainder", lambda m, g, z, x, y: m.defined(z, g),
                lambda m, g, z, x, y: -(g * m.round(m.divide(x, y) - m.divide(z, y))),
   formula=lambda m, x, y: x - y * m.floor(m.divide(x, y)), write="{} mod {}", symbol="mod", domain=(REAL, POSITIVE),
   kinks="at multiples of y: the derivative of the branch that the value is on",
   doc="x − y·⌊x / y⌋, with the sign of y as in Python.")
op("pow",      lambda m, g, z, x, y: g * m.pow_slope(x, y),
               lambda m, g, z, x, y: g * m.pow_log(x, y),
   write="{} ^ {}", symbol="xʸ", domain=(POSITIVE, REAL), trouble=(0.0,),
   doc="x to the power y; 0 to the power 0 is 1, with derivative 0 for x and −∞ for y.")
op("square",   lambda m, g, z, x: g * (2.0 * x),
   formula=lambda m, x: x * x, write="{}²", symbol="x²", doc="x²")
op("sqrt",     lambda m, g, z, x: g * m.divide(0.5, m.abs(z)),
   write="√{}", symbol="√", domain=(POSITIVE,), trouble=(0.0,), doc="Square root; nan left of 0.")
op("cbrt",     lambda m, g, z, x: g * m.cbrt_slope(x),
   formula=lambda m, x: m.sign(x) * m.pow(m.abs(x), 1.0 / 3.0),
   write="∛{}", symbol="∛", domain=(POSITIVE,), trouble=(0.0,), doc="Cube root, real for negative x too.")
op("abs",      lambda m, g, z, x: g * m.side(x),
   write="|{}|", symbol="|x|", trouble=(0.0,), kinks="0 at x = 0, and nan the second", doc="|x|")
op("sign",     lambda m, g, z, x: _through(m, z, 0.0, 0.0),
   formula=lambda m, x: m.defined(x, m.where(m.greater(x, 0.0), 1.0, m.where(m.less(x, 0.0), -1.0, x))),
   symbol="sgn", trouble=(0.0,), kinks="0 everywhere", doc="−1, 0 or 1 by the sign of x.")

# ── exponentials and logarithms ─────────────────────────────────────────────────────────────────
op("exp",      lambda m, g, z, x: g * z,
   symbol="eˣ", trouble=(-745.2, 709.8), doc="eˣ")
op("expm1",    lambda m, g, z, x: g * m.exp(x),
   symbol="eˣ−1", trouble=(-50.0, 0.0, 709.8), doc="eˣ − 1, accurate near 0.")
op("log",      lambda m, g, z, x: g * m.defined(z, m.reciprocal(x)),
   symbol="ln", domain=(POSITIVE,), trouble=(0.0, 1.0), doc="Natural logarithm; −inf at 0, nan left of it.")
op("log1p",    lambda m, g, z, x: g * m.defined(z, m.reciprocal(1.0 + x)),
   symbol="ln(1+x)", domain=(UNIT,), trouble=(-1.0, 0.0), doc="ln(1 + x), accurate near 0.")
op("log2",     lambda m, g, z, x: g * m.defined(z, m.divide(LOG2_E, x)),
   formula=lambda m, x: m.log(x) * LOG2_E,
   symbol="log₂", domain=(POSITIVE,), trouble=(0.0, 1.0), doc="Logarithm to base 2.")
op("log10",    lambda m, g, z, x: g * m.defined(z, m.divide(LOG10_E, x)),
   formula=lambda m, x: m.log(x) * LOG10_E,
   symbol="log₁₀", domain=(POSITIVE,), trouble=(0.0, 1.0), doc="Logarithm to base 10.")
op("logaddexp", lambda m, g, z, x, y: g * m.sigmoid_difference(x, y),
                lambda m, g, z, x, y: g * m.sigmoid_difference(y, x),
   formula=lambda m, x, y: m.maximum(x, y) + m.log1p(m.exp(-m.abs(x - y))),
   trouble=(0.0,), doc="ln(eˣ + eʸ), without overflow.")
op("xlogy",    lambda m, g, z, x, y: g * m.defined(x, m.log(y)),
               lambda m, g, z, x, y: g * m.defined(m.log(y), _ratio(m, x, y)),
   formula=lambda m, x, y: m.where(m.equal(x, 0.0), m.defined(y, 0.0), x * m.log(y)),
   write="{} ln {}", symbol="x ln y", domain=(REAL, POSITIVE), trouble=(0.0,), doc="x·ln(y), and 0 where x is 0.")

# ── trigonometry and hyperbolic functions ───────────────────────────────────────────────────────
op("sin",      lambda m, g, z, x: g * m.cos(x), doc="Sine of x in radians.")
op("cos",      lambda m, g, z, x: -(g * m.sin(x)), doc="Cosine of x in radians.")
op("tan",      lambda m, g, z, x: g * m.sec2(x), domain=(UNIT,), trouble=(PI / 2,), doc="Tangent of x in radians.")
op("asin",     lambda m, g, z, x: g * m.asin_slope(x),
   domain=(UNIT,), trouble=(-1.0, 1.0), doc="Arc sine, in [−π/2, π/2].")
op("acos",     lambda m, g, z, x: -(g * m.asin_slope(x)),
   domain=(UNIT,), trouble=(-1.0, 1.0), doc="Arc cosine, in [0, π].")
op("atan",     lambda m, g, z, x: g * m.lorentzian(x), doc="Arc tangent, in [−π/2, π/2].")
op("atan2",    lambda m, g, z, y, x: g * m.over_norm2(x, y),
               lambda m, g, z, y, x: -(g * m.over_norm2(y, x)),
   parameters=("y", "x"), domain=(POSITIVE, REAL), trouble=(0.0,), kinks="0 at the origin",
   doc="Angle of the point (x, y), in [−π, π].")
op("hypot",    lambda m, g, z, x, y: g * m.unit_component(x, y),
               lambda m, g, z, x, y: g * m.unit_component(y, x),
   formula=lambda m, x, y: m.sqrt(x * x + y * y),
   domain=(POSITIVE, POSITIVE), trouble=(0.0,), kinks="0 at the origin", doc="√(x² + y²), without overflow.")
op("sinh",     lambda m, g, z, x: g * m.cosh(x), trouble=(710.5,), doc="Hyperbolic sine.")
op("cosh",     lambda m, g, z, x: g * m.sinh(x), trouble=(710.5,), doc="Hyperbolic cosine.")
op("tanh",     lambda m, g, z, x: g * m.sech2(x), trouble=(0.0, 20.0, 375.0), doc="Hyperbolic tangent.")
op("asinh",    lambda m, g, z, x: g * m.reciprocal(m.hypot(1.0, x)), doc="Inverse hyperbolic sine.")
op("acosh",    lambda m, g, z, x: g * m.acosh_slope(x),
   domain=((1.5, 5.0),), trouble=(1.0,), doc="Inverse hyperbolic cosine; nan left of 1.")
op("atanh",    lambda m, g, z, x: g * m.defined(z, m.atanh_slope(x)),
   domain=(UNIT,), trouble=(-1.0, 1.0), doc="Inverse hyperbolic tangent.")
op("erf",      lambda m, g, z, x: g * m.erf_slope(x),
   trouble=(0.0, 6.0, 27.3), doc="Error function, (2/√π)·∫₀ˣ exp(−t²) dt.")
op("erfc",     lambda m, g, z, x: -(g * m.erf_slope(x)),
   trouble=(-6.0, 0.5, 27.3), doc="1 − erf(x), accurate for large x.")

# ── selection, rounding, comparison ─────────────────────────────────────────────────────────────
op("maximum",  lambda m, g, z, x, y: _through(m, z, m.greater_equal(x, y), g * m.share(x, y)),
               lambda m, g, z, x, y: _through(m, z, m.less_equal(x, y), g * m.share(x, y)),
   formula=lambda m, x, y: m.where(m.greater_equal(x, y), x, m.defined(x, y)),
   symbol="max", write="max({}, {})", trouble=(0.0,), kinks="a tie is split evenly, ½ each; nan the second",
   doc="The larger of x and y; nan if either is.")
op("minimum",  lambda m, g, z, x, y: _through(m, z, m.less_equal(x, y), g * m.share(x, y)),
               lambda m, g, z, x, y: _through(m, z, m.greater_equal(x, y), g * m.share(x, y)),
   formula=lambda m, x, y: m.where(m.less_equal(x, y), x, m.defined(x, y)),
   symbol="min", write="min({}, {})", trouble=(0.0,), kinks="a tie is split evenly, ½ each; nan the second",
   doc="The smaller of x and y; nan if either is.")
op("clip",     lambda m, g, z, x, low, high: _through(m, z, m.where(m.less(x, low), 0.0, m.less_equal(x, high)), g),
               lambda m, g, z, x, low, high: _through(m, z, m.where(m.greater(low, high), 0.0, m.less(x, low)), g),
               lambda m, g, z, x, low, high: _through(m, z, m.greater(m.maximum(x, low), high), g),
   formula=lambda m, x, low, high: m.minimum(m.maximum(x, low), high),
   parameters=("x", "low", "high"), domain=(REAL, (-9.0, -6.0), (6.0, 9.0)), trouble=(0.0,),
   kinks="1 on the boundary, as in PyTorch", doc="x limited to [low, high].")
op("where",    None,
               lambda m, g, z, c, x, y: _gate(m, c, g),
               lambda m, g, z, c, x, y: _gate(m, m.equal(c, 0.0), g),
   parameters=("condition", "x", "y"), symbol="?:", write="{} ? {} : {}",
   doc="x where the condition is not 0, else y; the branch not taken gets no gradient.")
op("defined",  None,
               lambda m, g, z, test, x: m.defined(test, g),
   formula=lambda m, test, x: m.where(m.equal(test, test), x, NAN),
   parameters=("test", "x"), public=False,
   doc="x, and nan where test is nan: outside its domain a function has no derivative.")
for _name, _relation, _symbol, _text in (
    ("less", "<", "<", "less than"), ("less_equal", "<=", "≤", "at most"),
    ("greater", ">", ">", "greater than"), ("greater_equal", ">=", "≥", "at least"),
    ("equal", "==", "=", "equal to"), ("not_equal", "!=", "≠", "not equal to"),
):
    op(_name, None, None, relation=_relation, symbol=_symbol, write="{} " + _symbol + " {}",
       doc=f"1 where x is {_text} y, else 0; not differentiable.")
COMPARISONS = {row.relation: row for row in TABLE.values() if row.relation}  # by how Python writes them
for _name, _symbol, _text in (
    ("floor", "⌊x⌋", "largest integer at most x"), ("ceil", "⌈x⌉", "smallest integer at least x"),
    ("round", "≈", "nearest integer, ties to even"), ("trunc", "[x]", "integer part of x"),
):
    op(_name, lambda m, g, z, x: _through(m, z, 0.0, 0.0), symbol=_symbol, trouble=(0.0, 0.5, 1.0),
       kinks="0 everywhere", doc=f"The {_text}; derivative 0.")

# ── activations ─────────────────────────────────────────────────────────────────────────────────
op("relu",     lambda m, g, z, x: _through(m, z, m.greater(x, 0.0), g),
   formula=lambda m, x: m.defined(x, m.where(m.greater(x, 0.0), x, 0.0)),
   symbol="ReLU", trouble=(0.0,), kinks="0 at x = 0", doc="max(x, 0)", source="Nair & Hinton 2010")
op("leaky_relu", lambda m, g, z, x, slope: m.defined(z, m.where(m.greater(x, 0.0), g, g * slope)),
                 lambda m, g, z, x, slope: _through(m, z, m.less_equal(x, 0.0), g * x),
   formula=lambda m, x, slope: m.where(m.greater(x, 0.0), x, slope * x),
   parameters=("x", "slope"), defaults=(0.01,), domain=(REAL, UNIT), trouble=(0.0,), kinks="slope at x = 0",
   doc="x where positive, else slope·x.")
op("elu",      lambda m, g, z, x, alpha: m.where(m.greater(x, 0.0), g, g * m.exp_times(x, alpha)),
               lambda m, g, z, x, alpha: _through(m, z, m.less_equal(x, 0.0), g * m.expm1(x)),
   formula=lambda m, x, alpha: m.where(m.greater(x, 0.0), x, alpha * m.expm1(x)),
   parameters=("x", "alpha"), defaults=(1.0,), domain=(REAL, POSITIVE), trouble=(0.0,), kinks="alpha at x = 0",
   doc="x where positive, else alpha·(eˣ − 1).", source="Clevert et al. 2015, arXiv:1511.07289")
op("selu",     lambda m, g, z, x: g * m.selu_slope(x),
   formula=lambda m, x: SELU_SCALE * m.elu(x, SELU_ALPHA),
   trouble=(0.0,), kinks="the left slope, 1.758, at x = 0", doc="Scaled ELU that keeps mean 0 and variance 1.",
   source="Klambauer et al. 2017, arXiv:1706.02515")
op("celu",     lambda m, g, z, x, alpha: m.where(m.greater(x, 0.0), g, g * m.exp_quotient(x, alpha)),
               lambda m, g, z, x, alpha: _through(m, z, m.less_equal(x, 0.0), g * m.celu_gap(x, alpha)),
   formula=lambda m, x, alpha: m.where(m.greater(x, 0.0), x, alpha * m.expm1(m.divide(x, alpha))),
   parameters=("x", "alpha"), defaults=(1.0,), domain=(REAL, POSITIVE), trouble=(0.0,), kinks="1 at x = 0 (smooth)",
   doc="x where positive, else alpha·(exp(x/alpha) − 1).", source="Barron 2017, arXiv:1704.07483")
op("sigmoid",  lambda m, g, z, x: g * m.logistic_density(x),
   formula=lambda m, x: m.divide(m.where(m.greater(x, 0.0), 1.0, m.exp(-m.abs(x))), 1.0 + m.exp(-m.abs(x))),
   write="σ({})", symbol="σ", trouble=(-745.0, 0.0, 40.0), doc="1 / (1 + e⁻ˣ)")
op("log_sigmoid", lambda m, g, z, x: g * m.sigmoid(-x),
   formula=lambda m, x: -m.softplus(-x),
   write="ln σ({})", symbol="ln σ", trouble=(-745.0, 0.0, 40.0), doc="ln(1 / (1 + e⁻ˣ)), without overflow.")
op("softplus", lambda m, g, z, x: g * m.sigmoid(x),
   formula=lambda m, x: m.maximum(x, 0.0) + m.log1p(m.exp(-m.abs(x))),
   trouble=(-745.0, 0.0, 20.0, 40.0), doc="ln(1 + eˣ), without overflow or threshold.")
op("silu",     lambda m, g, z, x: g * m.silu_slope(x),
   formula=lambda m, x: x * m.sigmoid(x),
   trouble=(-745.0, -1.2784645427610738, 0.0), doc="x·σ(x), also called swish.",
   source="Elfwing et al. 2017, arXiv:1702.03118")
op("mish",     lambda m, g, z, x: g * m.mish_slope(x),
   formula=lambda m, x: x * m.tanh(m.softplus(x)),
   trouble=(-745.0, -1.1924312145154952, 0.0), doc="x·tanh(softplus(x))", source="Misra 2019, arXiv:1908.08681")
op("gelu",     lambda m, g, z, x: g * m.gelu_slope(x),
   formula=lambda m, x: 0.5 * x * m.erfc(-SQRT_HALF * x),
   trouble=(-38.0, -0.7517915246935645, 0.0, 9.0), doc="x·Φ(x), Φ the normal distribution function.",
   source="Hendrycks & Gimpel 2016, arXiv:1606.08415")
op("gelu_tanh", lambda m, g, z, x: g * m.gelu_tanh_slope(x),
   formula=lambda m, x: x * m.sigmoid(2.0 * GELU_K * (x + GELU_C * x * x * x)),
   trouble=(-21.0, -0.7524614220710163, 0.0, 9.0), doc="GELU by its tanh approximation.",
   source="Hendrycks & Gimpel 2016, arXiv:1606.08415")

# ── many arguments, one node ────────────────────────────────────────────────────────────────────
op("sum",      pullback=lambda m, g, z, *xs: [g for _ in xs],
   write=lambda *xs: " + ".join(xs), symbol="Σ", parameters=("*xs",), doc="x₁ + … + xₙ, rounded once.")
op("prod",     pullback=lambda m, g, z, *xs: [g * rest for rest in _products_of_others(m, xs)],
   write=lambda *xs: " × ".join(xs), symbol="Π", parameters=("*xs",), doc="x₁ · … · xₙ")
op("mean",     pullback=lambda m, g, z, *xs: [m.divide(g, float(len(xs))) for _ in xs],
   formula=lambda m, *xs: m.divide(m.sum(*xs), float(len(xs))),
   symbol="mean", parameters=("*xs",), doc="(x₁ + … + xₙ) / n")
op("dot",      pullback=lambda m, g, z, *xs: [g * w for part in reversed(_halves(xs)) for w in part],
   write=lambda *xs: " + ".join(f"{x}·{y}" for x, y in zip(*_halves(xs), strict=True)), symbol="·",
   parameters=("*xs", "*ys"), doc="x₁y₁ + … + xₙyₙ")
op("norm",     pullback=lambda m, g, z, *xs: [g * x for x in _unit_vector(m, xs, z)],
   formula=lambda m, *xs: m.sqrt(m.sum(*[x * x for x in xs])),
   write=lambda *xs: f"‖{_listed(*xs)}‖", symbol="‖x‖", parameters=("*xs",), domain=(POSITIVE,), trouble=(0.0,),
   kinks="0 at the origin", doc="√(x₁² + … + xₙ²), without overflow.")
op("logsumexp", pullback=lambda m, g, z, *xs: [g * s for s in _each(m, "softmax", xs)],
   symbol="ln Σ eˣ", parameters=("*xs",), trouble=(0.0,), doc="ln(eˣ¹ + … + eˣⁿ), without overflow.")
op("softmax",  pullback=lambda m, g, z, k, *xs: [None, *(g * s for s in _each(m, "softmax_slope", xs, k))],
   formula=lambda m, k, *xs: m.exp(_element(m, k, xs) - m.logsumexp(*xs)),
   write=lambda k, *xs: f"softmax{_subscript(k)}({_listed(*xs)})", symbol="softmax", parameters=("index", "*xs"),
   doc="Element `index` of softmax(x): e^xₖ / (eˣ¹ + … + eˣⁿ).")
op("log_softmax", pullback=lambda m, g, z, k, *xs: [None, *_one_hot_minus_softmax(m, g, k, xs)],
   formula=lambda m, k, *xs: _element(m, k, xs) - m.logsumexp(*xs),
   write=lambda k, *xs: f"ln softmax{_subscript(k)}({_listed(*xs)})", symbol="ln softmax", parameters=("index", "*xs"),
   doc="Element `index` of ln softmax(x).")
op("take",     pullback=lambda m, g, z, k, *xs: [None, *(_gate(m, m.equal(k, float(j)), g) for j in range(len(xs)))],
   write=lambda k, *xs: f"[{_listed(*xs)}][{k}]", symbol="[i]", parameters=("index", "*xs"),
   doc="The x that an integer index selects.")

# ── losses of one example ───────────────────────────────────────────────────────────────────────
loss = partial(op, loss=True)
loss("half_squared_error", lambda m, g, z, p, t: g * (p - t),
                           lambda m, g, z, p, t: -(g * (p - t)),
   formula=lambda m, p, t: 0.5 * m.square(p - t),
   parameters=("prediction", "target"), write="½({} − {})²", symbol="½(p−t)²", doc="½·(prediction − target)²")
loss("mean_squared_error", pullback=lambda m, g, z, *xs: _mean_squared_error(m, g, *_halves(xs)),
   formula=lambda m, *xs: m.mean(*[m.square(p - t) for p, t in zip(*_halves(xs), strict=True)]),
   parameters=("*predictions", "*targets"), symbol="MSE", doc="Mean of (prediction − target)².")
loss("binary_cross_entropy", lambda m, g, z, p, y: g * m.defined(z, m.binary_cross_entropy_slope(p, y)),
                             lambda m, g, z, p, y: -(g * m.defined(z, m.logit(p))),
   formula=lambda m, p, y: -(m.xlogy(y, p) + m.where(m.equal(y, 1.0), 0.0, (1.0 - y) * m.log1p(-p))),
   parameters=("probability", "target"), symbol="BCE", domain=(PROBABILITY, PROBABILITY), trouble=(0.0, 1.0),
   doc="−(y·ln p + (1 − y)·ln(1 − p)) for a probability p and a target y in [0, 1].")
loss("binary_cross_entropy_with_logits", lambda m, g, z, x, y: g * m.defined(z, m.sigmoid_minus(x, y)),
                                         lambda m, g, z, x, y: g * m.defined(z, -x),
   formula=lambda m, x, y: _logit_times_miss(m, x, y) + m.log1p(m.exp(-m.abs(x))),
   parameters=("logit", "target"), symbol="BCE∘σ", domain=(REAL, PROBABILITY), trouble=(-745.0, 0.0, 40.0),
   doc="Binary cross-entropy of σ(logit), without overflow.")
loss("hinge",  lambda m, g, z, s, y: _through(m, z, m.greater(z, 0.0), -(g * y)),
               lambda m, g, z, s, y: _through(m, z, m.greater(z, 0.0), -(g * s)),
   formula=lambda m, s, y: m.relu(1.0 - s * y),
   parameters=("score", "target"), domain=((-0.9, 0.9), (-0.9, 0.9)), trouble=(1.0,),
   kinks="0 where the margin is exactly 1", doc="max(0, 1 − score·target) for a target of ±1.",
   source="Cortes & Vapnik 1995")
loss("cross_entropy", pullback=lambda m, g, z, k, *xs: [None, *(-c for c in _one_hot_minus_softmax(m, g, k, xs))],
   formula=lambda m, k, *xs: -m.log_softmax(k, *xs),
   write=lambda k, *xs: f"cross-entropy{_subscript(k)}({_listed(*xs)})", parameters=("class", "*logits"), symbol="CE",
   doc="−ln softmax(logits) at the true class.")
loss("soft_cross_entropy", pullback=lambda m, g, z, *xs: _soft_cross_entropy(m, g, *_halves(xs)),
   formula=lambda m, *xs: -m.sum(*_targets_times_log_softmax(m, *_halves(xs))),
   parameters=("*logits", "*targets"), domain=(PROBABILITY,), symbol="CE",
   doc="−Σ target·ln softmax(logits) for a distribution of targets.")


def _mean_squared_error(m: Any, g: Any, predictions: Sequence[Any], targets: Sequence[Any]) -> list[Any]:
    n = len(predictions)
    slopes = [g * m.difference_over(p, t, 0.5 * n) for p, t in zip(predictions, targets, strict=True)]
    return [*slopes, *(-slope for slope in slopes)]


def _logit_times_miss(m: Any, x: Any, y: Any) -> Any:
    """x·(1 − y) or −x·y, whichever is not negative; 0 where the logit is right, infinite too."""
    positive = m.greater(x, 0.0)
    return m.where(m.equal(y, positive), 0.0, m.where(positive, x * (1.0 - y), -(x * y)))


def _targets_times_log_softmax(m: Any, logits: Sequence[Any], targets: Sequence[Any]) -> list[Any]:
    return [m.where(m.equal(q, 0.0), 0.0, q * m.log_softmax(float(i), *logits)) for i, q in enumerate(targets)]


def _soft_cross_entropy(m: Any, g: Any, logits: Sequence[Any], targets: Sequence[Any]) -> list[Any]:
    log_softmax = _nth(m, "log_softmax", logits)
    return [*(g * m.softmax_minus(float(j), *logits, *targets) for j in range(len(logits))),
            *(-(g * log_softmax(float(j))) for j in range(len(logits)))]


def _subscript(index: str) -> str:
    digits = index.removesuffix(".0")
    return digits.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) if digits.isdecimal() else f"[{index}]"


# ── derivatives that have a name, so that they can be accurate and are smooth themselves ────────
# A formula such as e/(1 + e)² with e = exp(−|x|) is accurate, but differentiating it again is wrong
# at x = 0 (|x| has a kink there that the function has not). With a row of its own it is right at any order.
helper("over_square", lambda m, g, z, x, y: g * m.over_square(1.0, y),
                      lambda m, g, z, x, y: g * (-2.0 * m.divide(z, y)),
   formula=lambda m, x, y: m.divide(m.divide(x, y), y),
   write="{}/{}²", domain=(REAL, POSITIVE), trouble=(0.0,), doc="x / y²")
helper("difference_over", lambda m, g, z, x, y, n: g * m.reciprocal(n),
                          lambda m, g, z, x, y, n: -(g * m.reciprocal(n)),
                          lambda m, g, z, x, y, n: -(g * m.divide(z, n)),
   formula=lambda m, x, y, n: m.divide(x - y, n),
   write="({} − {})/{}", parameters=("x", "y", "n"), domain=(REAL, REAL, POSITIVE),
   doc="(x − y) / n, also where the difference overflows.")
helper("pow_slope", lambda m, g, z, x, y: g * _unless_both_0(m, x, y, y * m.pow_slope(x, y - 1.0)),
                    lambda m, g, z, x, y: g * (m.pow(x, y - 1.0) + y * m.pow_log(x, y - 1.0)),
   formula=lambda m, x, y: m.where(m.equal(y, 0.0), 0.0, y * m.pow(x, y - 1.0)),
   write="∂({} ^ {})", domain=(POSITIVE, REAL), doc="y·x^(y−1), and 0 where y is 0.")
helper("pow_log", lambda m, g, z, x, y: g * (m.pow(x, y - 1.0) + y * m.pow_log(x, y - 1.0)),
                  lambda m, g, z, x, y: g * m.xlogy(m.pow_log(x, y), x),
   formula=lambda m, x, y: m.xlogy(m.pow(x, y), x), domain=(POSITIVE, REAL), doc="xʸ·ln x")
helper("cbrt_slope", lambda m, g, z, x: g * (-2.0 * m.divide(z, 3.0 * x)),
   formula=lambda m, x: m.divide(1.0 / 3.0, m.square(m.cbrt(x))), domain=(POSITIVE,), trouble=(0.0,), doc="1 / (3·∛x²)")
helper("sec2", lambda m, g, z, x: g * (2.0 * z * m.tan(x)),
   formula=lambda m, x: 1.0 + m.square(m.tan(x)), domain=(UNIT,), trouble=(PI / 2,), doc="1 + tan²x")
helper("sech2", lambda m, g, z, x: g * (-2.0 * z * m.tanh(x)),
   formula=lambda m, x: 4.0 * m.logistic_density(2.0 * x),
   trouble=(0.0, 20.0, 375.0), doc="1 − tanh²x = 4e/(1 + e)², e = exp(−2|x|)")
helper("lorentzian", lambda m, g, z, x: g * (-2.0 * x * m.square(z)),
   formula=lambda m, x: m.reciprocal(1.0 + x * x), doc="1 / (1 + x²)")
helper("asin_slope", lambda m, g, z, x: g * (x * z * m.square(z)),
   formula=lambda m, x: m.reciprocal(m.sqrt((1.0 - x) * (1.0 + x))),
   domain=(UNIT,), trouble=(-1.0, 1.0), doc="1 / √(1 − x²)")
helper("atanh_slope", lambda m, g, z, x: g * (2.0 * x * m.square(z)),
   formula=lambda m, x: m.reciprocal((1.0 - x) * (1.0 + x)), domain=(UNIT,), trouble=(-1.0, 1.0), doc="1 / (1 − x²)")
helper("acosh_slope", lambda m, g, z, x: g * -(x * z * m.square(z)),
   formula=lambda m, x: m.reciprocal(m.sqrt(x - 1.0) * m.sqrt(x + 1.0)),
   domain=((1.5, 5.0),), trouble=(1.0,), doc="1 / √(x² − 1)")
helper("erf_slope", lambda m, g, z, x: g * (-2.0 * x * z),
   formula=lambda m, x: TWO_OVER_SQRT_PI * m.exp(-(x * x)), trouble=(0.0, 27.3), doc="(2/√π)·exp(−x²)")
helper("normal_density", lambda m, g, z, x: g * -(x * z),
   formula=lambda m, x: INVERSE_SQRT_2PI * m.exp(-0.5 * (x * x)),
   write="φ({})", trouble=(0.0, 38.6), doc="φ(x) = exp(−x²/2)/√(2π)")
helper("normal_cdf", lambda m, g, z, x: g * m.normal_density(x),
   formula=lambda m, x: 0.5 * m.erfc(-SQRT_HALF * x), write="Φ({})", trouble=(0.0, -38.0), doc="Φ(x) = ½·erfc(−x/√2)")
helper("side", lambda m, g, z, x: _gate(m, m.equal(x, 0.0), g * NAN),
   formula=lambda m, x: m.sign(x), write="sgn({})", symbol="sgn", domain=(POSITIVE,), trouble=(0.0,),
   doc="sgn(x), whose derivative at 0 is nan: |x| has a first derivative there by convention, but no second.")
helper("share", lambda m, g, z, x, y: _gate(m, m.equal(x, y), g * NAN),
                lambda m, g, z, x, y: _gate(m, m.equal(x, y), g * NAN),
   formula=lambda m, x, y: m.where(m.equal(x, y), 0.5, 1.0), domain=(POSITIVE, (-5.0, -0.1)), trouble=(0.0,),
   doc="½ where x = y, else 1: at a tie the larger of two has a first derivative by convention, but no second.")
helper("over_norm2", lambda m, g, z, x, y: g * ((m.over_norm2(y, x) - z) * (m.over_norm2(y, x) + z)),
                     lambda m, g, z, x, y: g * (-2.0 * z * m.over_norm2(y, x)),
   formula=lambda m, x, y: m.fraction(x, x * x + y * y),
   domain=(POSITIVE, REAL), trouble=(0.0,), doc="x / (x² + y²), and 0 at the origin.")
helper("unit_component", lambda m, g, z, x, y: g * m.divide(m.square(m.unit_component(y, x)), m.hypot(x, y)),
                         lambda m, g, z, x, y: -(g * m.divide(z * m.unit_component(y, x), m.hypot(x, y))),
   formula=lambda m, x, y: m.fraction(x, m.hypot(x, y)),
   domain=(POSITIVE, POSITIVE), trouble=(0.0,), doc="x / √(x² + y²), and 0 at the origin.")
helper("fraction", lambda m, g, z, x, y: g * m.reciprocal(y),
                   lambda m, g, z, x, y: -(g * m.divide(z, y)),
   formula=lambda m, x, y: m.where(m.equal(y, 0.0), 0.0, m.divide(x, y)),
   write="{}/{}", domain=(REAL, POSITIVE), doc="x / y, and 0 where y is 0.")
helper("sigmoid_difference", lambda m, g, z, x, y: g * m.logistic_density(x - y),
                             lambda m, g, z, x, y: -(g * m.logistic_density(x - y)),
   formula=lambda m, x, y: m.where(m.equal(x, y), 0.5, m.sigmoid(x - y)),
   write="σ({} − {})", trouble=(0.0,), doc="σ(x − y), and ½ where x = y, infinite too.")
helper("logistic_density", lambda m, g, z, x: -(g * (z * m.tanh(0.5 * x))),
   formula=lambda m, x: m.divide(m.exp(-m.abs(x)), m.square(1.0 + m.exp(-m.abs(x)))),
   write="σ′({})", trouble=(-745.0, 0.0, 745.0), doc="σ′(x) = e/(1 + e)², e = exp(−|x|)")
helper("selu_slope", lambda m, g, z, x: _through(m, z, m.less_equal(x, 0.0), g * z),
   formula=lambda m, x: m.where(m.greater(x, 0.0), SELU_SCALE, SELU_SCALE * SELU_ALPHA * m.exp(x)),
   trouble=(0.0,), doc="Derivative of selu.")
helper("exp_times", lambda m, g, z, x, y: g * z,
                    lambda m, g, z, x, y: g * m.exp(x),
   formula=lambda m, x, y: y * m.exp(x), doc="y·eˣ")
helper("exp_quotient", lambda m, g, z, x, y: g * m.divide(z, y),
                       lambda m, g, z, x, y: -(g * (z * m.over_square(x, y))),
   formula=lambda m, x, y: m.exp(m.divide(x, y)), domain=(REAL, POSITIVE), doc="exp(x / y)")
helper("celu_gap", lambda m, g, z, x, y: -(g * (m.over_square(x, y) * m.exp_quotient(x, y))),
                   lambda m, g, z, x, y: g * (m.divide(m.square(m.divide(x, y)), y) * m.exp_quotient(x, y)),
   formula=lambda m, x, y: m.expm1(m.divide(x, y)) - m.divide(x, y) * m.exp_quotient(x, y),
   domain=(REAL, POSITIVE), trouble=(0.0,), doc="exp(q) − 1 − q·exp(q), q = x / y")
helper("silu_slope", lambda m, g, z, x: g * (m.logistic_density(x) * (2.0 - x * m.tanh(0.5 * x))),
   formula=lambda m, x: m.sigmoid(x) + x * m.logistic_density(x),
   trouble=(-745.0, -1.2784645427610738, 0.0), doc="σ(x) + x·σ′(x)")
helper("mish_slope", lambda m, g, z, x: g * _mish_curvature(m, x),
   formula=lambda m, x: m.tanh(m.softplus(x)) + x * (m.sech2(m.softplus(x)) * m.sigmoid(x)),
   trouble=(-745.0, -1.1924312145154952, 0.0), doc="Derivative of mish.")
helper("gelu_slope", lambda m, g, z, x: g * (m.normal_density(x) * (2.0 - x * x)),
   formula=lambda m, x: m.normal_cdf(x) + x * m.normal_density(x),
   trouble=(-38.0, -0.7517915246935645, 0.0), doc="Φ(x) + x·φ(x)")
helper("gelu_tanh_slope", lambda m, g, z, x: g * _gelu_tanh_curvature(m, x),
   formula=lambda m, x: m.sigmoid(_gelu_u(x)) + x * (m.logistic_density(_gelu_u(x)) * _gelu_du(x)),
   trouble=(-21.0, -0.7524614220710163, 0.0), doc="Derivative of gelu_tanh.")
helper("softmax_slope", pullback=lambda m, g, z, k, j, *xs: [None, None, *_softmax_curvatures(m, g, k, j, xs)],
   formula=lambda m, k, j, *xs: m.softmax(k, *xs) * _one_or_0_minus_softmax(m, k, j, xs),
   parameters=("k", "j", "*xs"), doc="∂softmaxₖ/∂xⱼ = sₖ(δₖⱼ − sⱼ)")
helper("one_minus_softmax", pullback=lambda m, g, z, k, *xs: [None, *_minus_softmax_slopes(m, g, k, xs)],
   formula=lambda m, k, *xs: m.sum(*_other_softmaxes(m, k, xs)),
   parameters=("index", "*xs"), doc="1 − softmaxₖ(x), as the sum of the others.")
helper("softmax_minus", pullback=lambda m, g, z, k, *xs: [None, *_softmax_minus(m, g, k, *_halves(xs))],
   formula=lambda m, k, *xs: m.softmax(k, *_halves(xs)[0]) * m.sum(*_halves(xs)[1]) - _element(m, k, _halves(xs)[1]),
   parameters=("index", "*xs", "*ys"), domain=(PROBABILITY,), doc="softmaxₖ(x)·Σy − yₖ")
helper("logit", lambda m, g, z, p: g * m.reciprocal(p * (1.0 - p)),
   formula=lambda m, p: m.log(p) - m.log1p(-p),
   parameters=("p",), domain=(PROBABILITY,), trouble=(0.0, 0.5, 1.0), doc="ln(p / (1 − p))")
helper("binary_cross_entropy_slope", lambda m, g, z, p, y: g * m.divide(1.0 - z * (1.0 - 2.0 * p), p * (1.0 - p)),
                                     lambda m, g, z, p, y: -(g * m.reciprocal(p * (1.0 - p))),
   formula=lambda m, p, y: m.where(m.equal(y, 0.0), m.reciprocal(1.0 - p),
                           m.where(m.equal(y, 1.0), -m.reciprocal(p), m.divide(p - y, p * (1.0 - p)))),
   parameters=("p", "y"), domain=(PROBABILITY, PROBABILITY), trouble=(0.0, 1.0), doc="(p − y) / (p(1 − p))")
helper("sigmoid_minus", lambda m, g, z, x, y: g * m.logistic_density(x),
                        lambda m, g, z, x, y: -g,
   formula=lambda m, x, y: m.sigmoid(x) - y, domain=(REAL, PROBABILITY), doc="σ(x) − y")
# fmt: on


# ── not in the table: a number of somebody's, with its slopes ───────────────────────────────────
NO_FORMULA = (
    "Value(x, operands, slopes) is a number and its slopes at one place, without a formula: backward() can take it, "
    "but no compiled function and no derivative of it as a graph (second ones, jvp). "
    "mg.primitive(name, rule, formula=...) makes an operation that all of them take"
)


def _no_formula(*_: Any) -> Any:
    raise TypeError(NO_FORMULA)


def _given_slopes(m: Any, g: Any, z: Any, *xs: Any) -> Sequence[Any]:
    slopes, _ = _halves(xs)
    if type(z) is not float:
        _no_formula()
    return [*(None for _ in slopes), *(g * slope for slope in slopes)]


GIVEN = Op(
    "given slopes", pullback=_given_slopes, formula=_no_formula, public=False, parameters=("*slopes", "*operands"),
    write=lambda *xs: f"given({_listed(*_halves(xs)[1])})", symbol="∂",
)  # fmt: skip


def _softmax_minus(m: Any, g: Any, k: Any, xs: Sequence[Any], ys: Sequence[Any]) -> list[Any]:
    total = m.sum(*ys)
    return [
        *(g * (m.softmax_slope(k, float(j), *xs) * total) for j in range(len(xs))),
        *(
            _at(m, k, j, lambda: -(g * m.one_minus_softmax(k, *xs)), lambda: g * m.softmax(k, *xs))
            for j in range(len(xs))
        ),
    ]


def _one_or_0_minus_softmax(m: Any, k: Any, j: Any, xs: Sequence[Any]) -> Any:
    """δₖⱼ − sⱼ"""
    return _at(m, k, j, lambda: m.one_minus_softmax(k, *xs), lambda: -m.softmax(j, *xs))


def _one_hot_minus_softmax(m: Any, g: Any, k: Any, xs: Sequence[Any]) -> list[Any]:
    """g·(δₖⱼ − sⱼ) for every j."""
    softmax = _nth(m, "softmax", xs)

    def element(j: int) -> Any:
        return _at(m, k, j, lambda: g * m.one_minus_softmax(k, *xs), lambda: -(g * softmax(float(j))))

    return [element(j) for j in range(len(xs))]


def _other_softmaxes(m: Any, k: Any, xs: Sequence[Any]) -> list[Any]:
    def element(j: int) -> Any:
        return _at(m, k, j, lambda: 0.0, lambda: m.softmax(float(j), *xs))

    return [element(j) for j in range(len(xs))]


def _minus_softmax_slopes(m: Any, g: Any, k: Any, xs: Sequence[Any]) -> list[Any]:
    return [-(g * slope) for slope in _each(m, "softmax_slope", xs, k)]


def _softmax_curvatures(m: Any, g: Any, k: Any, j: Any, xs: Sequence[Any]) -> list[Any]:
    return [g * _softmax_curvature(m, k, j, i, xs) for i in range(len(xs))]


def _mish_curvature(m: Any, x: Any) -> Any:
    """sech²(p)·(2σ + x·(σ′ − 2σ²·tanh p)), p = softplus(x)"""
    p, s = m.softplus(x), m.sigmoid(x)
    return m.sech2(p) * (2.0 * s + x * (m.logistic_density(x) - 2.0 * m.square(s) * m.tanh(p)))


def _gelu_u(x: Any) -> Any:
    return 2.0 * GELU_K * (x + GELU_C * x * x * x)


def _gelu_du(x: Any) -> Any:
    return 2.0 * GELU_K * (1.0 + 3.0 * GELU_C * x * x)


def _gelu_tanh_curvature(m: Any, x: Any) -> Any:
    """(x·σ(u))″ = 2σ′(u)u′ + x(σ″(u)u′² + σ′(u)u″), with σ″(u) = −σ′(u)·tanh(u/2)."""
    u, du, ddu = _gelu_u(x), _gelu_du(x), 12.0 * GELU_K * GELU_C * x
    return m.logistic_density(u) * (2.0 * du + x * (ddu - m.tanh(0.5 * u) * du * du))


def _softmax_curvature(m: Any, k: Any, j: Any, i: int, xs: Sequence[Any]) -> Any:
    """∂²softmaxₖ/∂xⱼ∂xᵢ, by the product rule on sₖ(δₖⱼ − sⱼ)."""
    rest = _one_or_0_minus_softmax(m, k, j, xs)
    return m.softmax_slope(k, float(i), *xs) * rest - m.softmax(k, *xs) * m.softmax_slope(j, float(i), *xs)
