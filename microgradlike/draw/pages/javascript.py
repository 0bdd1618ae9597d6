"""The namespace of JavaScript text: the rows of the table, run on it, become the source of a page that computes.

A row is written by the first that knows it: an operator or a function of `Math`; web/rows.js, which has the few
functions that JavaScript lacks; or a function of the row's own name, made from its formula, repeated parts shared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ...floats import careful
from ...graph.program import Program, Slot, Tape
from ...graph.source import RELATIONS, Source, Text, bare
from ...native.c_text import Name, Statements
from ...ops import TABLE, Op

__all__ = ["JavaScript", "Script", "Truth", "forward", "identifiers", "scoped"]

MATH = frozenset(
    "abs sign exp expm1 log log1p log2 log10 sin cos tan asin acos atan atan2 hypot sinh cosh tanh asinh acosh atanh "
    "sqrt cbrt floor ceil trunc".split()
)
# Rows that are accurate enough as a formula that one can read.
PLAIN = frozenset("sigmoid logistic_density tanh sech2 softplus log_sigmoid exp log divide reciprocal sqrt".split())
_WORD = re.compile(r"[A-Za-z_]\w*")


@cache
def library() -> dict[str, str]:
    """The functions of web/rows.js: the source of each, by its name."""
    text = (Path(__file__).parent / "web" / "rows.js").read_text(encoding="utf-8")
    return {part.split(" ", 2)[1]: part.strip() for part in re.split(r"^(?=const )", text, flags=re.MULTILINE)[1:]}


class Script(Text):
    """JavaScript text."""

    __slots__ = ()

    @classmethod
    def literal(cls, x: Any) -> str:
        if isinstance(x, Truth):
            return f"({bare(x)} ? 1 : 0)"
        if isinstance(x, str):
            return x
        x = float(x)
        text = repr(x).removesuffix(".0").replace("inf", "Infinity").replace("nan", "NaN")
        return f"({text})" if text[0] == "-" else text

    @classmethod
    def infix(cls, symbol: str, x: Any, y: Any) -> Script:
        """x∘y, in brackets; to multiply by 1 leaves no trace."""
        x, y = cls.literal(x), cls.literal(y)
        if symbol == "*" and "1" in (x, y):
            return Script(y if x == "1" else x)
        return Script(f"({x} {symbol} {y})")

    def __truediv__(self, other: Any) -> Any:
        return self.infix("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.infix("/", other, self)


class Truth(Script):
    """A comparison, which JavaScript holds as true or false, and the table as 1 or 0."""

    __slots__ = ()


literal = Script.literal


class Gate(NamedTuple):
    """A cotangent that there is only where a condition holds."""

    condition: Any
    cotangent: Any


class JavaScript(Source):
    """The namespace. `prelude()` is the source of all functions that what was written so far calls."""

    text = Script

    def __init__(self) -> None:
        self.math: dict[str, None] = {}
        self.functions: dict[str, str] = {}

    def where(self, c: Any, x: Any, y: Any) -> Script:
        test = bare(c) if isinstance(c, Truth) else f"{literal(c)} !== 0"
        return Script(f"({test} ? {literal(x)} : {literal(y)})")

    def defined(self, test: Any, x: Any) -> Script:
        return Script(f"({literal(test)} === {literal(test)} ? {literal(x)} : NaN)")

    def gate(self, condition: Any, g: Any) -> Any:
        """A cotangent that flows where the condition holds; elsewhere there is none."""
        return Gate(condition, g) if isinstance(condition, str) else g if condition else None

    def compared(self, name: str, x: Any, y: Any) -> Truth:
        symbol = {"==": "===", "!=": "!=="}.get(RELATIONS[name], RELATIONS[name])
        return Truth(f"({literal(x)} {symbol} {literal(y)})")

    def divide(self, x: Any, y: Any) -> Script:
        return Script.infix("/", x, y)

    def reciprocal(self, x: Any) -> Script:
        return Script.infix("/", 1.0, x)

    def square(self, x: Any) -> Script:
        text = literal(x)
        return Script(f"({text} * {text})") if re.fullmatch(r"[\w.$\[\]]+", text) else self.call("square", [x])

    def sum(self, *xs: Any) -> Script:
        if len(xs) < 3:  # one rounding, as it is
            return Script(f"({' + '.join(map(literal, xs))})") if xs else Script("0")
        return self.call("sum", xs)

    def product(self, factor: Callable[[Script], Script], n: Any) -> Script:
        """factor(1)·…·factor(n)"""
        self.need("upTo")
        return Script(f"upTo({n}, (k) => {bare(literal(factor(Script('k'))))})")

    def function(self, name: str) -> Callable[..., Script]:
        if name in careful.ROWS and name not in PLAIN:
            return lambda *xs: self.carefully(name, xs)
        if name in MATH or name in library():
            return lambda *xs: self.call(name, xs)
        row = TABLE[name]
        if row.formula is None:
            raise NotImplementedError(
                f"the primitive {name!r} has no formula, so it cannot be written as JavaScript: "
                "give one to mg.primitive(…, formula=…)"
            )
        return lambda *xs: self.generated(row, xs)

    def call(self, name: str, xs: Sequence[Any]) -> Script:
        self.need(name)
        return Script(f"{name}({', '.join(bare(literal(x)) for x in xs)})")

    def need(self, name: str) -> None:
        """Take a function of `Math` or of the library, and what it calls."""
        if name in library():
            if name not in self.functions:
                self.functions[name] = library()[name]
                for word in sorted(set(_WORD.findall(self.functions[name])) - {name}):
                    self.need(word)
        elif name in MATH:
            self.math[name] = None

    def carefully(self, name: str, xs: Sequence[Any]) -> Script:
        """A call of a row whose plain formula would lose digits: its careful one, run on statements."""
        if name not in self.functions:
            self.functions[name] = ""
            body = Steps(self)
            names = [f"x{i}" for i in range(len(xs))]
            result = body.text(careful.ROWS[name](body, *[Name(body, x) for x in names]))
            lines = needed(body.lines, result)
            self.functions[name] = f"const {name} = ({', '.join(names)}) => {{\n{lines}\n  return {result};\n}};"
        return Script(f"{name}({', '.join(bare(literal(x)) for x in xs)})")

    def generated(self, row: Op, xs: Sequence[Any]) -> Script:
        """A call of this row's own function, written from its formula; a constant index is part of its name."""
        lead = [p for p in row.parameters if not p.startswith("*")] if row.arity is None else []
        fixed = {i: x for i, x in enumerate(xs[: len(lead)]) if isinstance(x, float)}
        name = row.name + (f"_of_{len(xs) - len(lead)}" if row.arity is None else "")
        name = "_".join([_identifier(name), *(f"{x:g}".replace("-", "m").replace(".", "_") for x in fixed.values())])
        given = [x for i, x in enumerate(xs) if i not in fixed]
        if name not in self.functions:
            self.functions[name] = ""  # its place, should it need others
            tape = Tape(len(given), MATH | library().keys() | TABLE.keys() - {row.name})
            slots = iter([Slot(tape, i) for i in range(len(given))])
            assert row.formula is not None
            result = row.formula(tape, *[fixed[i] if i in fixed else next(slots) for i in range(len(xs))])
            names = "x y z".split()[: len(given)] if len(given) <= 3 else [f"x{i}" for i in range(len(given))]
            lines, value = shared(tape.program([result]), self, names)
            body = value if not lines else "{\n" + "\n".join(lines) + f"\n  return {value};\n}}"
            self.functions[name] = f"const {name} = ({', '.join(names)}) => {body};"
        return Script(f"{name}({', '.join(bare(literal(x)) for x in given)})")

    def prelude(self) -> str:
        """All functions that are called, none before those it needs when it is made."""
        head = [f"const {{ {', '.join(self.math)} }} = Math;"] if self.math else []
        return "\n".join([*head, *self.functions.values()])


def _called(function: str) -> Callable[..., Name]:
    return lambda self, *xs: self.called(function, *xs)


class Steps(Statements):
    """The words of the careful formulas as statements of a JavaScript function."""

    abs, copysign, pow, scale = _called("abs"), _called("copysign"), _called("pow"), _called("scale")
    sqrt, exp, expm1, log, log1p = map(_called, ("sqrt", "exp", "expm1", "log", "log1p"))

    def __init__(self, m: JavaScript) -> None:
        super().__init__()
        self.m = m

    def text(self, x: Any) -> str:
        return x.text if isinstance(x, Name) else literal(x)

    def new(self, text: str) -> Name:
        name = self._known.get(text)
        if name is None:
            name = self._known[text] = Name(self, self._fresh())
            self.lines.append(f"const {name.text} = {text};")
        return name

    def called(self, function: str, *xs: Any) -> Name:
        self.m.need(function)
        return self.new(f"{function}({', '.join(map(self.text, xs))})")

    def fmod(self, x: Any, y: Any) -> Name:
        return self.new(f"{self.text(x)} % {self.text(y)}")

    def two_product(self, a: Any, b: Any) -> tuple[Name, Name]:
        return self.new(f"{self.text(a)} * {self.text(b)}"), self.called("lost", a, b)

    def split(self, x: Any) -> tuple[Name, Name]:
        k = self.called("exponent", x)
        return self.called("scale", x, -k), k

    def rarely(self, test: Any, x: Any, better: Callable[[], Any]) -> Name:
        name, known, lines = self._fresh(), dict(self._known), self.lines
        self.lines = []
        found = self.text(better())
        inner, self.lines, self._known = self.lines, lines, known
        self.lines += [f"let {name} = {self.text(x)};", f"if ({test.text}) {{", *inner, f"{name} = {found};", "}"]
        return Name(self, name)


def needed(lines: Sequence[str], result: str) -> str:
    """The statements whose name something reads."""
    read, kept = set(re.findall(r"\bt\d+\b", result)), []
    for line in reversed(lines):
        declared = re.match(r"const (t\d+) = ", line)
        if declared is None or declared[1] in read:
            read.update(re.findall(r"\bt\d+\b", line))
            kept.append("  " + line)
    return "\n".join(reversed(kept))


def shared(program: Program, m: JavaScript, names: Sequence[str]) -> tuple[list[str], str]:
    """Lines for the steps that are used more than once, and the text of the output."""
    texts: list[Script] = [Script(n) for n in names]
    uses, lines = [0] * (program.inputs + len(program)), list[str]()
    for args in [*program.args, tuple(program.outputs)]:
        for a in args:
            if type(a) is int:
                uses[a] += 1
    for k, (row, args) in enumerate(zip(program.rows, program.args, strict=True)):
        text = row.on(m)(*[texts[a] if type(a) is int else a for a in args])
        if uses[program.inputs + k] > 1 and len(text) > 4 and not isinstance(text, Truth):
            lines.append(f"  const t{k} = {bare(literal(text))};")
            text = Script(f"t{k}")
        texts.append(text)
    root = program.outputs[0]
    return lines, bare(literal(texts[root] if type(root) is int else root))


# ── programs ────────────────────────────────────────────────────────────────────────────────────
RESERVED = frozenset(
    "await break case catch class const continue debugger default delete do else enum export extends false finally "
    "for function if implements import in instanceof interface let new null package private protected public return "
    "static super switch this throw true try typeof var void while with yield eval arguments undefined NaN Infinity "
    "Math Number Object Array p g i n data chain compute total rate step".split()
)


def _identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_α-ωΑ-Ω]", "_", text)


def identifiers(labels: Sequence[str | None]) -> list[Script]:
    """A JavaScript name for every slot: its label, where that can be one."""
    names: list[Script] = []
    taken = RESERVED | MATH | library().keys() | TABLE.keys()
    seen = set[str]()
    for i, label in enumerate(labels):
        name = _identifier(label or "") or f"v{i}"
        if name[0].isdigit() or name in taken or re.match(r"_|d_|[stv]\d+$|\w+_of_\d", name):
            name = f"v{i}" if not label else f"v_{name}"
        while name in seen:
            name += "_"
        seen.add(name)
        names.append(Script(name))
    return names


def forward(program: Program, m: JavaScript, names: Sequence[Script], pad: str) -> list[str]:
    """One readable line for each step."""
    lines = []
    for k, (row, args) in enumerate(zip(program.rows, program.args, strict=True)):
        text = row.on(m)(*[names[a] if type(a) is int else a for a in args])
        lines.append(f"{pad}const {names[program.inputs + k]} = {bare(literal(text))};")
    return lines


def scoped(source: str, name: str) -> str:
    """What `name` is in a source, as an expression: in a scope of its own, no name of it meets one of the page's."""
    inner = "\n".join(f"  {line}" for line in source.splitlines())
    return f"(() => {{\n{inner}\n  return {name};\n}})()"
