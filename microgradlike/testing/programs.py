"""Program: a function as straight-line source text, with a point to call it at. Random programs are made of it."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

from ..graph.engine import Value, topological_order
from ..ops import TABLE

_INFIX = {"add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "remainder": "{} % {}"}


class Program:
    """A function of numbers or Values, written as assignments, and a number for each of its inputs.

    Its repr is the call that makes it again, so that a failing example can be pasted; `code` is a script
    without this class.

    Args:
        source: lines of Python: assignments, of which the last is the result; or a last line without one.
            `mg` is this package.
        **point: the inputs: their names and numbers.

    Raises:
        TypeError: source is no text, or an input no number.
        ValueError: source is empty, ends with something that has no value, or is not Python.

    Example:
        >>> from microgradlike.testing import Program, check_gradients
        >>> program = Program("a = mg.tanh(x); a * y", x=0.5, y=2.0)
        >>> program(0.0, 3.0)
        0.0
        >>> program.root.backward()
        >>> [v.grad > 0 for v in program.inputs]
        [True, True]
        >>> print(program.code)
        import microgradlike as mg
        <BLANKLINE>
        x = mg.Value(0.5, label="x")
        y = mg.Value(2.0, label="y")
        a = mg.tanh(x)
        result = a * y
        >>> check_gradients(program, *program.numbers).unjudged
        ()
    """

    def __init__(self, source: str, /, **point: float) -> None:
        if not isinstance(source, str):
            raise TypeError(f"source must be text, not {type(source).__name__}")
        self.point: Mapping[str, float] = {name: float(x) for name, x in point.items()}
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            raise ValueError(f"source is not Python: {error}") from None
        if not tree.body:
            raise ValueError("source is empty: it needs at least one line, whose value is the result")
        last = tree.body[-1]
        if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
            self._result = last.targets[0].id
        elif isinstance(last, ast.Expr):
            self._result = "result"
            tree.body[-1] = ast.Assign([ast.Name("result", ast.Store())], last.value)
            ast.fix_missing_locations(tree)
        else:
            raise ValueError(f"source must end with an assignment or an expression, not {ast.unparse(last)!r}")
        self.lines = [ast.unparse(statement) for statement in tree.body]
        self._compiled = compile(tree, "<program>", "exec")
        self._root: Value | None = None
        self._inputs: list[Value] = []
        self.__name__ = "f"
        named = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in self.point]
        self.__signature__ = Signature(named)

    # ── as a function ───────────────────────────────────────────────────────────────────────────
    @property
    def names(self) -> list[str]:
        """The names of the inputs."""
        return list(self.point)

    @property
    def numbers(self) -> list[float]:
        """The point: a number for each input."""
        return list(self.point.values())

    def __call__(self, *inputs: Any) -> Any:
        """The result for these inputs: Values, numbers, or whatever the operations of `mg` accept."""
        if len(inputs) != len(self.point):
            raise TypeError(f"the program has {len(self.point)} inputs ({', '.join(self.point)}), not {len(inputs)}")
        return self.run(dict(zip(self.point, inputs, strict=True)))[self._result]

    def run(self, inputs: Mapping[str, Any], mg: Any = None) -> dict[str, Any]:
        """All variables after running the lines; `mg` may be another library's functions under these names."""
        if mg is None:
            import microgradlike as mg
        variables: dict[str, Any] = {"mg": mg, **inputs}
        exec(self._compiled, variables)
        del variables["mg"], variables["__builtins__"]
        return variables

    # ── as a graph ──────────────────────────────────────────────────────────────────────────────
    def _record(self) -> None:
        inputs = {name: Value(x, label=name) for name, x in self.point.items()}
        variables = self.run(inputs)
        for name, v in variables.items():
            if isinstance(v, Value) and v.label is None:
                v.label = name
        root = variables[self._result]
        if not isinstance(root, Value):
            raise TypeError(f"the result of the program is {root!r}, no Value: it depends on no input")
        self._root, self._inputs = root, list(inputs.values())

    @property
    def root(self) -> Value:
        """The result at the point, as a graph with the names as labels; the same at every use."""
        if self._root is None:
            self._record()
        assert self._root is not None
        return self._root

    @property
    def inputs(self) -> list[Value]:
        """The leaves of that graph."""
        return self._inputs if self.root is not None else []

    @property
    def operations(self) -> list[str]:
        """The names of the primitives in that graph, in order."""
        return [v.op.name for v in topological_order(self.root) if v.op is not None]

    # ── as text ─────────────────────────────────────────────────────────────────────────────────
    @property
    def code(self) -> str:
        """A script that computes the result."""
        inputs = [f'{name} = mg.Value({x!r}, label="{name}")' for name, x in self.point.items()]
        return "\n".join(["import microgradlike as mg", "", *inputs, *self.lines])

    def _arguments(self) -> str:
        return "".join(f", {name}={x!r}" for name, x in self.point.items())

    def _source(self) -> list[str]:
        *lines, last = self.lines
        return [*lines, last.removeprefix("result = ")]

    def __repr__(self) -> str:
        return f"Program({'; '.join(self._source())!r}{self._arguments()})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """For Hypothesis and IPython: a line for each statement."""
        lines = self._source()
        if len(lines) == 1:
            printer.text(repr(self))
            return
        printer.text("Program(" + '"""')
        for line in lines:
            printer.break_()
            printer.text(line)
        printer.break_()
        printer.text('"""' + f"{self._arguments()})")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Program):
            return NotImplemented
        return self.lines == other.lines and repr(self.point) == repr(other.point)

    def __hash__(self) -> int:
        return hash((tuple(self.lines), repr(self.point)))


def written(name: str, operands: list[str]) -> str:
    """A call of the primitive `name` on these operands as Python source; the order is that of the table's row."""
    if name in _INFIX:
        return _INFIX[name].format(*operands)
    if name == "negative":
        return f"-{operands[0]}" if operands[0].isidentifier() else f"-({operands[0]})"
    if name == "pow":
        return f"{operands[0]} ** {operands[1]}" if operands[0].isidentifier() else f"mg.pow({', '.join(operands)})"
    if TABLE[name].lists == 2:
        return _two_sequences(name, operands)
    if name in _FORMS:
        return _FORMS[name](name, operands)
    return (
        f"mg.{name}({', '.join(operands)})" if TABLE[name].arity is not None else f"mg.{name}([{', '.join(operands)}])"
    )


def _two_sequences(name: str, xs: list[str]) -> str:
    half = len(xs) // 2
    return f"mg.{name}([{', '.join(xs[:half])}], [{', '.join(xs[half:])}])"


def _element(name: str, xs: list[str]) -> str:
    return f"mg.{name}([{', '.join(xs[1:])}])[{xs[0]}]"


def _selected(name: str, xs: list[str]) -> str:
    return f"mg.{name}([{', '.join(xs[1:])}], {xs[0]})"


_FORMS = {
    **dict.fromkeys(("softmax", "log_softmax"), _element),
    **dict.fromkeys(("take", "cross_entropy"), _selected),
}


def name_of(k: int, names: str, taken: Any = ()) -> str:
    """The k-th of one-letter names, and names with numbers after the last."""
    free = [n for n in names if n not in taken and not keyword.iskeyword(n)]
    return free[k] if k < len(free) else f"{free[-1]}{k - len(free) + 2}"


# ── programs that branch ────────────────────────────────────────────────────────────────────────
def branching(choose: Callable[[Sequence[Any]], Any], size: int = 6) -> Program:
    """A random function with what straight lines have not: branches, early returns, loops, containers, constants, ties.

    Args:
        choose: picks one of a sequence: `random.choice`, or a draw of Hypothesis.
        size: how many statements.
    """
    writer = _Branching(choose)
    body = [line for _ in range(size) for line in writer.statement()]
    lines = ["def f(x, y):", *[f"    {line}" for line in [*body, f"return {writer.expression()}"]], "f(x, y)"]
    return Program("\n".join(lines), x=choose(_POINTS), y=choose(_POINTS))


_POINTS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 0.3, -1.7)


class _Branching:
    """Writes statements of a function of x and y; every variable is a number, or a Value."""

    def __init__(self, choose: Callable[[Sequence[Any]], Any]) -> None:
        self.choose = choose
        self.names = ["x", "y"]

    def name(self) -> str:
        return str(self.choose(self.names))

    def operand(self) -> str:
        return self.name() if self.choose((True, True, True, False)) else repr(self.choose(_POINTS))

    def expression(self) -> str:
        a, b, c = self.name(), self.operand(), self.operand()
        return str(
            self.choose(
                (
                    f"{a} + {b}", f"{a} - {b}", f"{a} * {b}", f"{a} / (1.0 + {c} * {c})", f"mg.tanh({a})",
                    f"mg.sin({a})",
                    f"mg.maximum({a}, {b})", f"mg.relu({a} - {b})", f"abs({a})", f"mg.maximum({a}, {a})", f"-{a}",
                    f"mg.where(mg.greater({a}, {b}), {a} * {a}, {b})", f"mg.exp(-({a} * {a}))", f"{a} ** 2",
                    f"mg.sum([{a}, {b}, {c}])", f"sum([{a}, {b}])", f"max({a}, {b})", f"min([{a}, {b}, {c}])",
                    f"sorted([{a}, {b}, {c}])[1]", f"{{'k': {a}, 'c': {b}}}['k']", f"({a}, {b}, {c})[-1]",
                    f"mg.dot([{a}, {b}], ({c}, {a}))", f"round({a}) * {b}", f"round({a}, 1) + {b}",
                    repr(self.choose(_POINTS)),
                )
            )
        )  # fmt: skip

    def condition(self) -> str:
        a, b = self.name(), self.name()
        c, d = self.choose(_POINTS), self.choose(_POINTS)
        return str(
            self.choose(
                (
                    f"{a} < {c}", f"{a} >= {b}", f"{a} == {c}", f"{a} != {c}", f"{a} in ({c}, {d})",
                    f"{c} <= {a} < {d}",
                    f"round({a}) == {round(c)}", f"{a} - {b} == 0", f"not {a}", f"{a} and {b} > {c}",
                    f"abs({a}) > {abs(c)}",
                    f"[{c}, {d}].count({a}) == 1", f"any(v > {c} for v in [{a}, {b}])",
                )
            )
        )  # fmt: skip

    def statement(self) -> list[str]:
        kind = self.choose(("assign", "assign", "if", "else", "return", "loop", "while", "list", "match"))
        new = f"v{len(self.names)}"
        target = self.name()
        if kind == "if":
            lines = [f"if {self.condition()}:", f"    {target} = {self.expression()}"]
        elif kind == "else":
            lines = [f"if {self.condition()}:", f"    {new} = {self.expression()}"]
            lines += ["else:", f"    {new} = {self.expression()}"]
        elif kind == "return":
            lines = [f"if {self.condition()}:", f"    return {self.expression()}"]
        elif kind == "loop":
            lines = [f"for k in range(2):\n        {target} = {self.expression()} + k"]
        elif kind == "while":
            lines = [f"{new} = {target}", f"while {new} > 1:", f"    {new} = {new} / 2"]
        elif kind == "list":
            lines = [f"items = [{target}, {self.operand()}]", f"items.append({self.expression()})"]
            lines += [f"{new} = items[{self.choose((0, 1, 2))}] + len(items)"]
        elif kind == "match":
            lines = [f"match round({target}):", f"    case 1:\n            {new} = {self.expression()}"]
            lines += [f"    case _:\n            {new} = {self.expression()}"]
        else:
            lines = [f"{new} = {self.expression()}"]
        if f"{new} =" in " ".join(lines):
            self.names.append(new)
        return lines
