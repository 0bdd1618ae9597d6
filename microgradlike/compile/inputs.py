"""Arguments and results of a compiled function: nested lists, dicts, arrays as flat numbers, and built again."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..floats.reading import number
from ..graph.engine import Value

__all__ = ["HoldsValueError", "Keyword", "Rows", "Signature", "build", "described", "flatten", "plain_rows", "rows_of"]

# The shape of an argument or a result:
#   None                     a number
#   (3, 2)                   an array of that shape
#   (list, 3, shape)         three items alike, in a list or a tuple
#   (list, (shape, …))       items that differ, in a list, a tuple or a named tuple
#   (dict, keys, (shape, …))
Signature = Any


class Keyword(NamedTuple):
    """The shape of an argument that is passed by name."""

    name: str
    shape: Signature


class HoldsValueError(TypeError):
    """An argument holds a Value where a number is expected."""


def flatten(x: Any, leaves: list[Any], name: str, values: bool = False) -> Signature:
    """Append the numbers in `x` to `leaves` and return the shape; `values` lets Values pass.

    Raises:
        TypeError: there is something else in it; the message says where.
    """
    if type(x) is float:
        leaves.append(x)
        return None
    if isinstance(x, Value):
        if not values:
            raise HoldsValueError(f"{name} holds a Value: pass its number, v.data; captured Values are parameters")
        leaves.append(x)
        return None
    if isinstance(x, dict):
        return _dict_kind(x), tuple(x), tuple([flatten(v, leaves, f"{name}[{k!r}]", values) for k, v in x.items()])
    if isinstance(x, (list, tuple)):
        kind = _kind(x)
        if x and kind in (list, tuple) and set(map(type, x)) == {float}:
            leaves.extend(x)
            return kind, len(x), None
        return _sequence(kind, [flatten(v, leaves, f"{name}[{i}]", values) for i, v in enumerate(x)])
    if _is_array(x):
        array = _numeric(x, name, values)
        items = array.ravel().tolist()
        leaves.extend([v if isinstance(v, Value) else _number(v, name) for v in items] if values else items)
        return tuple(array.shape)
    leaves.append(_number(x, name))
    return None


def _kind(x: Any) -> type:
    return type(x) if hasattr(x, "_fields") else tuple if isinstance(x, tuple) else list


def _dict_kind(x: Any) -> type:
    return OrderedDict if isinstance(x, OrderedDict) else dict


def _sequence(kind: type, children: list[Signature]) -> Signature:
    if kind in (list, tuple) and children and all(c == children[0] for c in children):
        return kind, len(children), children[0]
    return kind, tuple(children)


def _is_array(x: Any) -> bool:
    """Whether it has a shape; NumPy's scalars have one, too, and are numbers."""
    shape = getattr(x, "shape", None)
    return bool(shape) or (shape == () and hasattr(x, "__setitem__"))


def _number(x: Any, name: str) -> float:
    try:
        return number(x)
    except (TypeError, OverflowError) as error:
        raise type(error)(f"{name} {error}") from None


def is_array(shape: Signature) -> bool:
    """Whether this is the shape of an array."""
    return isinstance(shape, tuple) and all(type(n) is int for n in shape)


def build(shape: Signature, leaves: Iterator[Any]) -> Any:
    """What has this shape, made of the next leaves: an array of floats, or of objects if there are Values."""
    if shape is None:
        return next(leaves)
    if is_array(shape):
        return _array(shape, [next(leaves) for _ in range(size(shape))])
    kind, *rest = shape
    if issubclass(kind, dict):
        return kind((k, build(s, leaves)) for k, s in zip(*rest, strict=True))
    children = (rest[1],) * rest[0] if len(rest) == 2 else rest[0]
    items = [build(s, leaves) for s in children]
    return items if kind is list else kind(items) if kind is tuple else kind._make(items)


def _array(shape: tuple[int, ...], items: list[Any]) -> Any:
    import numpy as np

    array = np.empty(len(items), object if any(isinstance(x, Value) for x in items) else float)
    array[:] = items
    return array.reshape(shape)


def size(shape: Signature) -> int:
    """How many numbers it holds."""
    if shape is None:
        return 1
    if is_array(shape):
        count = 1
        for n in shape:
            count *= n
        return count
    if len(shape) == 3 and type(shape[1]) is int:
        return shape[1] * size(shape[2])  # type: ignore[no-any-return]
    return sum([size(s) for s in shape[-1]])


def stacked(shape: Signature, table: Any) -> Any:
    """The results of many rows, a column of `table` for each number, with the rows in front: an array for a number,
    for an array, for lists of numbers; tuples and dicts of such."""
    return _stacked(shape, table, [0])


def _stacked(shape: Signature, table: Any, column: list[int]) -> Any:
    regular = _regular(shape)
    if regular is not None:
        width = size(shape)
        part = table[:, column[0] : column[0] + width]
        column[0] += width
        return part.reshape(len(table), *regular)
    kind, *rest = shape
    if issubclass(kind, dict):
        return kind((k, _stacked(s, table, column)) for k, s in zip(*rest, strict=True))
    children = (rest[1],) * rest[0] if len(rest) == 2 else rest[0]
    items = [_stacked(s, table, column) for s in children]
    return items if kind is list else kind(items) if kind is tuple else kind._make(items)


def _regular(shape: Signature) -> tuple[int, ...] | None:
    """The shape as an array of what is a number, an array, or lists of so many such; else None."""
    if shape is None:
        return ()
    if is_array(shape):
        return shape  # type: ignore[no-any-return]
    if shape[0] is list and len(shape) == 3 and (inner := _regular(shape[2])) is not None:
        return (shape[1], *inner)
    return None


class Rows:
    """Many examples.

    Attributes:
        count: how many.
        signature: the shape of each argument of one example.
        blocks: for each array among the arguments, its numbers: a (count, width) array, or a list of lists.
    """

    def __init__(self, count: int, signature: list[Signature], blocks: list[Any]) -> None:
        self.count = count
        self.signature = signature
        self.blocks = blocks

    def row(self, i: int) -> list[float]:
        """The numbers of example i."""
        return [float(x) for block in self.blocks for x in block[i]]

    def lists(self) -> list[Any]:
        """All examples as flat lists of floats."""
        blocks = [block.tolist() if hasattr(block, "tolist") else block for block in self.blocks]
        if len(blocks) == 1:
            return list(blocks[0])
        return [[x for part in parts for x in part] for parts in zip(*blocks, strict=True)]

    def arrays(self, np: Any) -> list[Any]:
        """The blocks as arrays of shape (count, width)."""
        return [np.asarray(block, dtype=float) for block in self.blocks]

    def chosen(self, which: list[int]) -> Rows:
        """Some of the examples."""
        blocks = [block[which] if hasattr(block, "tolist") else [block[i] for i in which] for block in self.blocks]
        return Rows(len(which), self.signature, blocks)


def rows_of(arguments: Sequence[Any], names: Sequence[str]) -> Rows:
    """The arguments of map, value_and_grad, backward: each has a leading axis, the examples.

    Raises:
        TypeError: an argument has no leading axis, or holds something that is not a number.
        ValueError: the arguments have different numbers of rows, none, or rows of different shape.
    """
    if not arguments:  # one row of nothing
        return Rows(1, [], [[[]]])
    blocks: list[Any] = []
    counts: list[tuple[str, int]] = []
    signature = [_batch(x, n, blocks, counts) for x, n in zip(arguments, names, strict=False)]
    first, count = counts[0]
    for name, other in counts:
        if other != count:
            raise ValueError(f"{first} has {count} rows, but {name} has {other}")
    if count == 0:
        raise ValueError(f"{first} has no rows: an empty batch has no mean")
    return Rows(count, signature, blocks)


def plain_rows(arguments: Sequence[Any]) -> Rows | None:
    """The short way for what training passes over and over: vectors and matrices of float64, one row each."""
    np = sys.modules.get("numpy")
    if np is None or not arguments:
        return None
    count = 0
    signature: list[Signature] = []
    blocks = []
    for x in arguments:
        if type(x) is not np.ndarray or x.dtype != float or not 1 <= x.ndim <= 2 or x.shape[0] == 0:
            return None
        if count not in (0, x.shape[0]):
            return None
        count = x.shape[0]
        signature.append((x.shape[1],) if x.ndim == 2 else None)
        blocks.append(x if x.ndim == 2 else x[:, None])
    return Rows(count, signature, blocks)


def _batch(x: Any, name: str, blocks: list[Any], counts: list[tuple[str, int]]) -> Signature:
    if isinstance(x, dict):
        return _dict_kind(x), tuple(x), tuple([_batch(v, f"{name}[{k!r}]", blocks, counts) for k, v in x.items()])
    if hasattr(x, "_fields") or (isinstance(x, tuple) and any(isinstance(v, dict) or _is_array(v) for v in x)):
        return _sequence(_kind(x), [_batch(v, f"{name}[{i}]", blocks, counts) for i, v in enumerate(x)])
    if _is_array(x) and x.shape:
        return _columns(_numeric(x, name), name, blocks, counts)
    if isinstance(x, (list, tuple)):
        regular = _as_array(x)
        if regular is not None:
            _columns(regular, name, blocks, counts)
            return flatten(x[0], [], name)
        return _listed(x, name, blocks, counts)
    what = "a single Value" if isinstance(x, Value) else f"{type(x).__name__} {x!r:.40}"
    raise TypeError(f"{name} must have a leading axis, the examples (a list of rows, or an array), not {what}")


def _listed(x: Sequence[Any], name: str, blocks: list[Any], counts: list[tuple[str, int]]) -> Signature:
    """Rows one by one."""
    table: list[list[float]] = []
    shape: Signature = None
    for i, row in enumerate(x):
        leaves: list[Any] = []
        found = flatten(row, leaves, f"{name}[{i}]")
        if i == 0:
            shape = found
        elif found != shape:
            raise ValueError(
                f"{name} has rows of different shape: {name}[0] is {described(shape)}, "
                f"{name}[{i}] is {described(found)}"
            )
        table.append(leaves)
    blocks.append(table)
    counts.append((name, len(table)))
    return shape


def _columns(array: Any, name: str, blocks: list[Any], counts: list[tuple[str, int]]) -> Signature:
    count = array.shape[0]
    blocks.append(array.reshape(count, -1) if count else array)
    counts.append((name, count))
    return tuple(array.shape[1:]) or None


def _as_array(x: Any) -> Any:
    """Regular numeric rows, all lists or all arrays, as an array, where NumPy is at hand already."""
    np = sys.modules.get("numpy")
    kinds = set(map(type, x))
    if np is None or not x or isinstance(x[0], tuple) or (len(kinds) > 1 and not kinds <= {int, float, bool}):
        return None
    try:
        array = np.array(x)
    except (TypeError, ValueError):
        return None
    return array.astype(float) if array.dtype.kind in "biuf" else None


def _numeric(x: Any, name: str, values: bool = False) -> Any:
    import numpy as np

    array = np.asarray(x)
    if array.dtype == object and values:
        return array
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers, not of {array.dtype}")
    return array.astype(float, copy=False)


def alike(shapes: Sequence[Signature], others: Sequence[Signature]) -> bool:
    """Whether a finished graph, which holds no arrays and lists itself, takes the one for the other."""
    return len(shapes) == len(others) and all(
        a == b or (_regular(a) is not None and _regular(a) == _regular(b)) for a, b in zip(shapes, others, strict=True)
    )


def described(shape: Signature) -> str:
    """A shape in words."""
    if isinstance(shape, Keyword):
        return f"{shape.name}={described(shape.shape)}"
    if shape is None:
        return "a number"
    if is_array(shape):
        return f"{shape[0]} number{'s' * (shape[0] != 1)}" if len(shape) == 1 else f"an array of shape {shape}"
    if issubclass(shape[0], dict):
        return f"a dict of {', '.join(map(repr, shape[1]))}"
    count = shape[1] if len(shape) == 3 else len(shape[1])
    if len(shape) == 3 and shape[2] is None:
        return f"{count} number{'s' * (count != 1)}"
    return f"a sequence of {count}"
