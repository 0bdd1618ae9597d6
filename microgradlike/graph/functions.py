"""The package-level functions, made from the table: `mg.sin(x)`, `mg.dot(xs, ys)`, `mg.primitive(...)`.

One function for each public row; what differs from the row is only how arguments are written
(a sequence instead of many arguments, defaults, a choice of two rows).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, wraps
from itertools import zip_longest
from keyword import iskeyword
from typing import Any
from unicodedata import normalize

from .. import floats
from ..floats.reading import number
from ..messages import did_you_mean
from ..ops import TABLE, Gated, Op
from ..ops import op as _add_row
from .engine import Value, elements, recorder, values
from .observed import require
from .sweep import slopes

_functions: dict[Op, Callable[..., Any]] = {}
namespaces = [vars(floats), vars(values)]  # where functions of rows are kept by name
taken: set[str] = set()  # names that the package uses for other things
_WORDS = frozenset(vars(floats))  # what the namespace of floats is made of, which no primitive may replace


def function(name: str) -> Callable[..., Any]:
    """The package-level function of a public row; LookupError names the near ones if there is none."""
    row = TABLE.get(name)
    if row not in _functions:
        if row is None or not row.public:
            hint = did_you_mean(name, [r.name for r in TABLE.values() if r.public])
            raise LookupError(f"no primitive is named {name!r}" + (hint and f"; {hint}"))
        made = _special_forms.get(name, _pairs if row.lists == 2 else _plain_form)(row)
        made.__name__ = made.__qualname__ = name
        made.__module__ = "microgradlike"
        made.__doc__ = _documentation(row)
        _functions[row] = made
    return _functions[row]


def _documentation(row: Op) -> str:
    lines = [row.doc]
    if row.kinks:
        lines.append(f"Derivative where there is none: {row.kinks}.")
    if row.source:
        lines.append(f"Source: {row.source}.")
    return "\n\n".join(lines)


def _plain_form(row: Op) -> Callable[..., Any]:
    if row.pullback is not None:
        return _of_one_sequence(row)
    record, names, defaults = getattr(values, row.name), row.parameters, row.defaults
    if names == ("x",) and not defaults:

        def function(x: Any) -> Any:  # the most called; Python says well enough what is wrong with other arguments
            return record(x)

        return function

    def call(*args: Any, **named: Any) -> Any:
        missing = len(names) - len(args)
        if named:
            args = _bound(row, args, named)
        elif 0 < missing <= len(defaults):
            args += defaults[len(defaults) - missing :]
        if len(args) != len(names):
            raise TypeError(f"{row.name}() takes {len(names)} argument(s) ({', '.join(names)}), not {len(args)}")
        return record(*args)

    return call


def _bound(row: Op, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """Positional and named arguments and defaults, in the row's order."""
    names = row.parameters
    given = dict(zip(names, args))  # noqa: B905  (too many arguments are refused by the caller)
    for name, x in named.items():
        if name not in names or name in given:
            problem = "twice" if name in given else f"but takes {', '.join(names)}"
            raise TypeError(f"{row.name}() got {name!r} {problem}")
        given[name] = x
    for name, x in zip(names[len(names) - len(row.defaults) :], row.defaults, strict=True):
        given.setdefault(name, x)
    missing = [name for name in names if name not in given]
    if missing:
        raise TypeError(f"{row.name}() misses {', '.join(missing)}")
    return tuple([given[name] for name in names]) + args[len(names) :]


def _items(row: Op, xs: Any, name: str = "xs", empty: bool = False) -> list[Any]:
    if isinstance(xs, (Value, int, float, str)) or not isinstance(xs, Iterable):
        raise TypeError(f"{row.name}: {name} must be a sequence of Values or numbers, not {type(xs).__name__}")
    items = list(xs)
    if not items and not empty:
        raise ValueError(f"{row.name}: {name} is empty; it needs at least one element")
    return items


def _of_one_sequence(row: Op) -> Callable[..., Any]:
    record, empty = getattr(values, row.name), row.name in ("sum", "prod", "norm")

    def call(xs: Any, *more: Any) -> Any:
        if more:
            raise _one_sequence_only(row)
        return record(*_items(row, xs, empty=empty))

    return call


def _one_sequence_only(row: Op) -> TypeError:
    return TypeError(f"{row.name}() takes one sequence: write {row.name}([x, y, ...])")


def _pairs(row: Op) -> Callable[..., Any]:
    record = getattr(values, row.name)

    def dot(xs: Any, ys: Any) -> Any:
        left, right = _items(row, xs, "xs", empty=True), _items(row, ys, "ys", empty=True)
        if len(left) != len(right):
            raise ValueError(f"{row.name}: xs and ys must have the same length, not {len(left)} and {len(right)}")
        return record(*left, *right)

    return dot


def _each_element(row: Op) -> Callable[..., Any]:
    def call(xs: Any, *more: Any) -> list[Any]:
        if more:
            raise _one_sequence_only(row)
        items = _items(row, xs)
        return elements(row, items)  # type: ignore[no-any-return]

    return call


def _take(row: Op) -> Callable[..., Any]:
    record = getattr(values, row.name)

    def take(rows: Any, index: Any) -> Any:
        items = _items(row, rows, "rows")
        if not isinstance(index, Value):
            return items[_position(index, len(items))]
        if any(isinstance(x, (list, tuple)) for x in items):
            widths = {len(x) for x in items}
            if len(widths) != 1:
                raise ValueError(f"take: rows must have the same length, not {sorted(widths)}")
            return [take([x[j] for x in items], index) for j in range(widths.pop())]
        # The rule finds the item that is selected by its number, which must be known from 0 on.
        require(*_item_among(len(items)), index, always=True, eager=True)
        return record(index, *items)

    return take


@lru_cache(maxsize=1000)  # one check for one number of items, however often they are selected from
def _item_among(count: int) -> tuple[Any, Any]:
    def wrong(k: Any) -> Any:
        return (k % 1.0 != 0.0) | (k < 0.0) | (k >= count)

    def error(k: float) -> IndexError:
        return IndexError(f"take: an index that is a Value must be an integer from 0 to {count - 1}, not {k:g}")

    wrong.limit = count  # type: ignore[attr-defined]  # for who checks an index in C
    return wrong, error


def _position(index: Any, length: int) -> int:
    try:
        at = number(index)
    except TypeError as error:
        raise TypeError(f"take: index {error}") from None
    if not at.is_integer() or not -length <= at < length:
        raise IndexError(f"take: index {index!r} must be an integer from 0 to {length - 1}")
    return int(at)


def _gelu(row: Op) -> Callable[..., Any]:
    def gelu(x: Any, approximate: str = "none") -> Any:
        if approximate not in ("none", "tanh"):
            raise ValueError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
        return values.gelu(x) if approximate == "none" else values.gelu_tanh(x)

    return gelu


_special_forms: dict[str, Callable[[Op], Callable[..., Any]]] = {
    "softmax": _each_element,
    "log_softmax": _each_element,
    "take": _take,
    "gelu": _gelu,
}


def _forget(name: str) -> None:
    """What is remembered of a primitive of this name, which somebody has taken out of the table."""
    for namespace in namespaces:
        namespace.pop(name, None)


def _checked(f: Callable[..., Any], what: str) -> Callable[..., Any]:
    """A user's rule, whose result must be a number wherever numbers are computed with."""

    @wraps(f)
    def checked(m: Any, *x: Any) -> Any:
        result = f(m, *x)
        if result is None:  # a closed gate, or a rule that returns nothing: with its gates open, that shows
            result = f(slopes, *[v.data if isinstance(v, Value) else v for v in x]) if m in (floats, values) else None
            if result is not None:
                return None
        return result if type(result) is Gated else _number_from(result, m, what)

    return checked


def _checked_list(f: Callable[..., Any], what: str) -> Callable[..., Any]:
    """A user's pullback, which lists None or a number for each argument; how many is counted by the engine."""

    @wraps(f)
    def checked(m: Any, g: Any, z: Any, *x: Any) -> Any:
        found = f(m, g, z, *x)
        if not isinstance(found, (list, tuple)):
            raise TypeError(f"{what} must list the gradients of its {len(x)} arguments, not return {found!r:.60}")
        return [
            each if each is None or type(each) is Gated else _number_from(each, m, f"{what}, at {i},")
            for i, each in enumerate(found)
        ]

    return checked


def _number_from(result: Any, m: Any, what: str) -> Any:
    if type(result) is float or (m is values and isinstance(result, Value)):
        return result
    if m is floats or m is values:
        try:
            return number(result)
        except (TypeError, ValueError):
            pass
    elif result is not None and not isinstance(result, (list, tuple, set, dict)):
        return result
    raise TypeError(f"{what} must return a number computed with the functions of m, not {result!r:.60}")


def primitive(
    name: str,
    *rules: Callable[..., Any] | None,
    formula: Callable[..., Any],
    doc: str,
    **columns: Any,
) -> Callable[..., Any]:
    """Add a row to the table of primitives, and return its function.

    The function then works on Values and numbers, at any order of derivative, in pictures, in compiled
    programs and in the laws of `microgradlike.testing`, like those of the package.

    Args:
        name: an identifier that the table does not have yet; also the name of the function.
        *rules: for each argument, `rule(m, g, z, *x)`: the gradient of that argument, given the gradient g of
            the result z; None where there is no derivative. Write it with + - * and the functions of the
            namespace `m` (`m.exp(x)`, `m.where(c, x, y)` ...), never with `if`, and linear in g. Where a condition
            keeps the gradient from the argument altogether, return `m.gate(condition, gradient)`.
        formula: `formula(m, *x)` computes the result in the same way.
        doc: one line that says what it computes.
        **columns: any other field of `microgradlike.ops.Op`: `symbol`, `write`, `domain`, `trouble`, `kinks` ...;
            `pullback=` instead of rules for a function of any number of arguments.

    Raises:
        ValueError: the name is taken or no identifier, or neither rules nor a pullback are given.
        TypeError: a rule or the formula cannot be called, or a column is unknown; and later, when the function is
            used, the formula or a rule returns something else than a number.

    Example:
        >>> import microgradlike as mg
        >>> cube = mg.primitive(
        ...     "cube", lambda m, g, z, x: g * (3.0 * m.square(x)), formula=lambda m, x: x * x * x, doc="x³"
        ... )
        >>> cube(2.0), mg.grad(cube)(2.0), mg.grad(mg.grad(cube))(2.0)
        (8.0, 12.0, 12.0)
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"name must be an identifier, not {name!r}")
    name = normalize("NFKC", name)  # as Python reads it: "ｃｏｓ" is cos
    if iskeyword(name) or name.startswith("_") or hasattr(Value, name) or name in taken:
        raise ValueError(f"name {name!r} is taken: it is a word of Python or the package, or starts with _")
    if name in TABLE:
        raise ValueError(f"name {name!r} is taken by a primitive: {TABLE[name].doc}")
    if name in _WORDS:
        raise ValueError(f"name {name!r} is taken: the namespace of floats uses it itself")
    if bool(rules) == (columns.get("pullback") is not None):
        raise ValueError(f"primitive {name!r} needs a rule for each argument, or a pullback, and not both")
    for rule in (formula, *rules, columns.get("pullback")):
        if rule is not None and not callable(rule):
            raise TypeError(f"primitive {name!r}: rules and formula must be functions, not {rule!r}")
    unknown = sorted(set(columns) - set(Op.__dataclass_fields__))
    if unknown:
        raise TypeError(f"primitive {name!r}: no column named {', '.join(unknown)}")
    try:
        given = columns.pop("parameters", None)
        labels = given or ("x", "y", "z")[: len(rules)]
        checked = [
            rule and _checked(rule, f"primitive {name!r}: the rule for {label}")
            for rule, label in zip_longest(rules, labels, fillvalue=None)
        ][: len(rules)]
        if columns.get("pullback") is not None:
            columns["pullback"] = _checked_list(columns["pullback"], f"primitive {name!r}: the pullback")
        if given is not None:
            columns["parameters"] = given
        _forget(name)
        row = _add_row(name, *checked, formula=formula, doc=doc, **columns)
        if row.pullback is None and len(row.parameters) != len(rules):
            raise ValueError(f"primitive {name!r} has {len(rules)} rules but parameters {row.parameters}")
        recorder(row)
        made = function(name)
        setattr(floats, name, row.on(floats))  # so that the rules of other primitives can call it as m.<name>
        return made
    except BaseException:
        TABLE.pop(name, None)
        raise
