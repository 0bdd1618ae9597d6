"""Source text with operators: the namespace on which the table's rows write themselves down, in no language of its own.

Generated Python (compile/python_backend.py) and the pages that compute (draw/pages/javascript.py) share what is here:
operators, comparisons and literals, each with a spelling for every language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..ops import COMPARISONS, TABLE

__all__ = ["RELATIONS", "Source", "Text", "bare"]

OPERATORS = {"add": "+", "subtract": "-", "multiply": "*"}
RELATIONS = {row.name: sign for sign, row in COMPARISONS.items()}


class Text(str):
    """Source text with operators; a language spells its numbers in `literal`."""

    __slots__ = ()

    @classmethod
    def literal(cls, x: Any) -> str:
        """A number, or a text, as source."""
        if isinstance(x, str):
            return x
        text = repr(float(x))
        return f"({text})" if text[0] == "-" else text

    @classmethod
    def infix(cls, symbol: str, x: Any, y: Any) -> Any:
        """x∘y, in brackets."""
        return cls(f"({cls.literal(x)} {symbol} {cls.literal(y)})")

    def __add__(self, other: Any) -> Any:
        return self.infix("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return self.infix("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return self.infix("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.infix("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return self.infix("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.infix("*", other, self)

    def __neg__(self) -> Any:
        return type(self)(f"(-{self})")


class Source:
    """The namespace of texts. What one operator says is written as such, the rest is a call: see `function`."""

    text: ClassVar[type[Text]] = Text

    def positive(self, x: Any) -> Text:
        return self.text(self.text.literal(x))

    def negative(self, x: Any) -> Text:
        return self.text(f"(-{self.text.literal(x)})")

    def compared(self, name: str, x: Any, y: Any) -> Any:
        """A comparison, by the row's name."""
        raise NotImplementedError

    def function(self, name: str) -> Callable[..., Any]:
        """What row `name` is in this language, as a function of texts."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in TABLE:
            raise AttributeError(name)
        if name in OPERATORS:
            return lambda x, y: self.text.infix(OPERATORS[name], x, y)
        if name in RELATIONS:
            return lambda x, y: self.compared(name, x, y)
        return self.function(name)


def bare(text: str) -> str:
    """`text` without the brackets around all of it.

    >>> bare("(a + b)"), bare("(a) * (b)")
    ('a + b', '(a) * (b)')
    """
    if text[:1] != "(" or text[-1] != ")":
        return text
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0 and i < len(text) - 1:
            return text
    return text[1:-1]
