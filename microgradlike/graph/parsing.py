"""An expression as text, read into a graph: `3*(a + b*c)` and numbers for its names. It is parsed, never evaluated.

Python's own parser reads it; what is allowed are numbers, names, arithmetic, comparisons, `x if c else y`, and calls
of the table's functions. Whatever else stands there is an error that points at its column.
"""

from __future__ import annotations

import ast
import math
import operator
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .engine import Value
from .functions import function

__all__ = ["ExpressionError", "graph_of"]

LONGEST = 10_000
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf, "nan": math.nan}
_OPERATORS: dict[type[ast.operator], tuple[Callable[[Any, Any], Any], str]] = {
    ast.Add: (operator.add, "add"), ast.Sub: (operator.sub, "subtract"), ast.Mult: (operator.mul, "multiply"),
    ast.Div: (operator.truediv, "divide"), ast.Mod: (operator.mod, "remainder"), ast.Pow: (operator.pow, "pow"),
}  # fmt: skip
_RELATIONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal", ast.Eq: "equal",
    ast.NotEq: "not_equal",
}  # fmt: skip


class ExpressionError(ValueError):
    """An expression that cannot be read: the message shows it, with a mark below the place."""

    def __init__(self, text: str, line: int, column: int, reason: str) -> None:
        shown = text.splitlines()[line - 1] if text.splitlines() else text
        wide = sum(unicodedata.east_asian_width(c) in "WF" for c in shown[:column])  # two places in a terminal
        super().__init__(f"{reason}\n    {shown}\n    {' ' * (column + wide)}^")
        self.line, self.column, self.reason = line, column, reason


def graph_of(text: str, numbers: Mapping[str, float]) -> tuple[Value, dict[str, Value]]:
    """The result of an expression as a Value, and its leaves by their names.

    Args:
        text: an expression, `J = …` to name its result, or several steps: `u = b*c; J = 3*(a + u)`.
        numbers: the number of each name.

    Raises:
        ExpressionError: it cannot be read, or a name has no number, or a number no name.

    Example:
        >>> J, leaves = graph_of("3*(a + b*c)", {"a": 5, "b": 3, "c": 2})
        >>> J.backward()
        >>> J.data, leaves["b"].grad
        (33.0, 6.0)
        >>> graph_of("3*(a + b^c)", {"a": 5, "b": 3, "c": 2})
        Traceback (most recent call last):
            ...
        microgradlike.graph.parsing.ExpressionError: a power is written **, not ^
            3*(a + b^c)
                    ^
    """
    return _Reader(text, numbers).read()


class _Reader:
    def __init__(self, text: str, numbers: Mapping[str, float]) -> None:
        self.text = text
        self.leaves = {unicodedata.normalize("NFKC", name): Value(x, label=name) for name, x in numbers.items()}
        self.steps: dict[str, Any] = {}
        self.used = set[str]()

    def error(self, node: ast.AST, reason: str, sign: str = "") -> ExpressionError:
        """An error at a node, or at the first `sign` after it."""
        line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        shown = (self.text.splitlines() or [""])[line - 1].encode()  # Python counts bytes
        if sign:
            offset = max(shown.find(sign.encode(), getattr(node, "end_col_offset", 0)), 0)
        return ExpressionError(self.text, line, len(shown[:offset].decode("utf-8", "replace")), reason)

    def read(self) -> tuple[Value, dict[str, Value]]:
        if len(self.text) > LONGEST:
            reason = f"an expression has at most {LONGEST:,} characters, not {len(self.text):,}"
            raise ExpressionError(self.text[:60] + " …", 1, 0, reason)
        self.text = self.text.strip()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's own advice
                steps = ast.parse(self.text).body
        except SyntaxError as error:
            raise ExpressionError(
                self.text, min(error.lineno or 1, max(len(self.text.splitlines()), 1)), max((error.offset or 1) - 1, 0),
                f"this is no expression: {error.msg}",
            ) from None  # fmt: skip
        except (ValueError, MemoryError, RecursionError) as error:
            raise ExpressionError(
                self.text, 1, 0, f"this cannot be read: {error or 'it is nested too deeply'}"
            ) from None
        if not steps:
            raise ExpressionError(self.text, 1, 0, "there is no expression")
        try:
            result = [self.step(node) for node in steps][-1]
        except RecursionError:
            raise ExpressionError(self.text, 1, 0, "it is nested too deeply") from None
        if not isinstance(result, Value):
            raise self.error(steps[-1], "the result depends on no name, so there is nothing to differentiate")
        unused = [name for name in self.leaves if name not in self.used]
        if unused:
            known = f": its names are {', '.join(sorted(self.used))}" if self.used else ""
            raise ExpressionError(self.text, 1, 0, f"{unused[0]} is not in the expression{known}")
        return result, self.leaves

    def step(self, node: ast.stmt) -> Any:
        if isinstance(node, ast.Expr):
            return self.value(node.value)
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            raise self.error(node, "a step is an expression, or a name = an expression")
        name = node.targets[0].id
        if name in self.leaves or name in self.steps or name in CONSTANTS:
            raise self.error(node, f"{name} has a value already: give this step another name")
        found = self.value(node.value)
        if isinstance(found, Value):
            if found.label is not None:
                found = function("positive")(found)
            found.label = name
        self.steps[name] = found
        return found

    def value(self, node: ast.expr) -> Any:
        """A Value, or a float where nothing varies."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self.error(node, f"{_described(node)} is not part of an expression")
        return method(node)

    def _constant(self, node: ast.Constant) -> float:
        if type(node.value) not in (int, float):
            raise self.error(node, f"{node.value!r} is no number")
        try:
            return float(node.value)  # type: ignore[arg-type]
        except OverflowError:
            raise self.error(node, "this number is beyond the range of floats") from None

    def _name(self, node: ast.Name) -> Any:
        if node.id in self.steps:
            return self.steps[node.id]
        if node.id in self.leaves:
            self.used.add(node.id)
            return self.leaves[node.id]
        if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        try:
            function(node.id)
        except LookupError:
            raise self.error(node, f"{node.id} has no number: add {node.id}=…") from None
        raise self.error(node, f"{node.id} is a function: write {node.id}(…)")

    def _binop(self, node: ast.BinOp) -> Any:
        if isinstance(node.op, ast.BitXor):
            raise self.error(node.left, "a power is written **, not ^", "^")
        if type(node.op) not in _OPERATORS:
            raise self.error(node, f"{_described(node)} is not part of an expression: there are + − * / % **")
        own, name = _OPERATORS[type(node.op)]
        x, y = self.value(node.left), self.value(node.right)
        varies = isinstance(x, Value) or isinstance(y, Value)
        return own(x, y) if varies else function(name)(x, y)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        if not isinstance(node.op, (ast.USub, ast.UAdd)):
            raise self.error(node, f"{_described(node)} is not part of an expression")
        x = self.value(node.operand)
        return -x if isinstance(node.op, ast.USub) else x

    def _compare(self, node: ast.Compare) -> Any:
        if len(node.ops) != 1 or type(node.ops[0]) not in _RELATIONS:
            raise self.error(node, "a comparison has one sign of < <= > >= == !=")
        return function(_RELATIONS[type(node.ops[0])])(self.value(node.left), self.value(node.comparators[0]))

    def _ifexp(self, node: ast.IfExp) -> Any:
        return function("where")(self.value(node.test), self.value(node.body), self.value(node.orelse))

    def _call(self, node: ast.Call) -> Any:
        if not isinstance(node.func, ast.Name):
            cure = f": write {node.func.attr}(…)" if isinstance(node.func, ast.Attribute) else ", and a product with *"
            raise self.error(node.func, f"a function is called by its own name{cure}")
        try:
            called = function(node.func.id)
        except LookupError as error:
            reason = f"{node.func.id} is a number, not a function" if node.func.id in self.leaves else str(error)
            raise self.error(node.func, reason) from None
        arguments = [self.argument(each) for each in node.args]
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self.error(keyword.value, "** is not part of a call")
            named[keyword.arg] = self.argument(keyword.value)
        try:
            return called(*arguments, **named)
        except (TypeError, ValueError, IndexError) as error:
            raise self.error(node.func, str(error)) from None

    def argument(self, node: ast.expr) -> Any:
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self.argument(each) for each in node.elts]
        found = self.value(node)
        whole = isinstance(found, float) and isinstance(node, ast.Constant) and type(node.value) is int
        return int(found) if whole else found  # an index stays an integer


def _described(node: ast.AST) -> str:
    names = {
        "Attribute": "a dot", "Subscript": "[…]", "BoolOp": "and, or", "Lambda": "lambda", "NamedExpr": ":=",
        "ListComp": "a comprehension", "JoinedStr": "text", "Starred": "*", "Await": "await", "Yield": "yield",
        "List": "a list", "Tuple": "a comma", "Dict": "{…}", "Set": "{…}", "BinOp": "this sign", "UnaryOp": "this sign",
    }  # fmt: skip
    return names.get(type(node).__name__, type(node).__name__)


def assignments(words: Sequence[str]) -> tuple[list[str], dict[str, float]]:
    """The words of a command line that are no `name=number`, and the numbers.

    >>> assignments(["3*(a + b)", "a=5", "b=-1e3"])
    (['3*(a + b)'], {'a': 5.0, 'b': -1000.0})
    """
    rest: list[str] = []
    numbers: dict[str, float] = {}
    for word in words:
        name, sign, text = (part.strip() for part in word.partition("="))
        if not sign or not name.isidentifier() or text.startswith("="):
            rest.append(word)
            continue
        try:
            number = float(text.replace("−", "-"))
        except ValueError:
            rest.append(word)  # a step, such as J = 3*a
            continue
        if name in numbers:
            raise ValueError(f"{name} is given twice: {numbers[name]!r} and {number!r}")
        numbers[name] = number
    return rest, numbers
