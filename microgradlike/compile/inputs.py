"""Arguments of a compiled function: nested lists, dicts and arrays as flat numbers, for one example or many rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ..graph.engine import Value, number

__all__ = ["Rows", "Signature", "build", "described", "flatten", "plain_rows", "rows_of"]

# The shape of an argument: None for a number; a tuple of ints for an array or regular nested lists;
# (kind, children) for what is irregular, and (dict, keys, children).
Signature = Any


def flatten(x: Any, leaves: list[Any], name: str, values: bool = False) -> Signature:
    """Append the numbers in `x` to `leaves` and return the shape; `values` lets Values pass.

    Raises:
        TypeError: there is something else in it; the message says where.
    """
    if isinstance(x, Value):
        if not values:
            raise TypeError(f"{name} holds a Value: pass its number, v.data; captured Values are parameters")
        leaves.append(x)
        return None
    if type(x) is float:
        leaves.append(x)
        return None
    if isinstance(x, dict):
        return dict, tuple(x), tuple([flatten(v, leaves, f"{name}[{k!r}]", values) for k, v in x.items()])
    if isinstance(x, (list, tuple)):
        children = tuple([flatten(v, leaves, f"{name}[{i}]", values) for i, v in enumerate(x)])
        kind = type(x) if hasattr(x, "_fields") else list
        if kind is list and children and all(c == children[0] for c in children) and _regular(children[0]):
            return (len(children), *(children[0] or ()))
        return kind, children
    if getattr(x, "shape", None):
        array = _numeric(x, name, values)
        leaves.extend(array.ravel().tolist())
        return tuple(array.shape)
    try:
        leaves.append(number(x))
    except TypeError as error:
        raise TypeError(f"{name} {error}") from None
    except OverflowError as error:
        raise OverflowError(f"{name} {error}") from None
    return None


def _regular(shape: Signature) -> bool:
    return shape is None or (isinstance(shape, tuple) and all(type(n) is int for n in shape))


def build(shape: Signature, leaves: Iterator[Any]) -> Any:
    """The argument of this shape, made of the next leaves; arrays become nested lists."""
    if shape is None:
        return next(leaves)
    if _regular(shape):
        return [build(shape[1:] or None, leaves) for _ in range(shape[0])]
    if shape[0] is dict:
        return {k: build(s, leaves) for k, s in zip(shape[1], shape[2], strict=True)}
    kind, children = shape
    items = [build(s, leaves) for s in children]
    return items if kind is list else kind._make(items)


def size(shape: Signature) -> int:
    """How many numbers an argument of this shape holds."""
    if shape is None:
        return 1
    if _regular(shape):
        count = 1
        for n in shape:
            count *= n
        return count
    return sum([size(s) for s in shape[-1]])


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
    if not arguments:
        raise ValueError("no arguments: pass at least one array whose leading axis is the batch")
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
        return dict, tuple(x), tuple([_batch(v, f"{name}[{k!r}]", blocks, counts) for k, v in x.items()])
    if isinstance(x, tuple) and any(isinstance(v, dict) or getattr(v, "shape", None) for v in x):
        children = tuple([_batch(v, f"{name}[{i}]", blocks, counts) for i, v in enumerate(x)])
        return (type(x) if hasattr(x, "_fields") else list), children
    if getattr(x, "shape", None):
        array = _numeric(x, name)
        return _columns(array, name, blocks, counts)
    if isinstance(x, (list, tuple)):
        regular = _as_array(x)
        if regular is not None:
            return _columns(regular, name, blocks, counts)
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
    what = "a single Value" if isinstance(x, Value) else f"{type(x).__name__} {x!r:.40}"
    raise TypeError(f"{name} must have a leading axis, the examples (a list of rows, or an array), not {what}")


def _columns(array: Any, name: str, blocks: list[Any], counts: list[tuple[str, int]]) -> Signature:
    count = array.shape[0]
    blocks.append(array.reshape(count, -1) if count else array)
    counts.append((name, count))
    return tuple(array.shape[1:]) or None


def _as_array(x: Any) -> Any:
    """Regular numeric lists as an array, where NumPy is at hand already."""
    np = sys.modules.get("numpy")
    if np is None or not x:
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


def described(shape: Signature) -> str:
    """A shape in words."""
    if shape is None:
        return "a number"
    if _regular(shape):
        return f"{shape[0]} number{'s' * (shape[0] != 1)}" if len(shape) == 1 else f"an array of shape {shape}"
    if shape[0] is dict:
        return f"a dict of {', '.join(map(repr, shape[1]))}"
    return f"a sequence of {len(shape[1])}"
