"""Nested lists, tuples, dicts and arrays of numbers: flatten, and build the same shape again."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of `tree` in order, and a function that puts a list of as many leaves into its shape.

    Lists, tuples (named ones too) and dicts nest; a NumPy array counts as a tree of its elements, and comes
    back as an array (one without dimensions as a number). Anything else is a leaf.

    Example:
        >>> leaves, build = flatten({"w": [1, 2], "b": 3})
        >>> leaves, build([10, 20, 30])
        ([1, 2, 3], {'w': [10, 20], 'b': 30})
    """
    leaves: list[Any] = []
    shape = _shape(tree, leaves)
    return leaves, lambda new: _build(shape, iter(new))


def _shape(tree: Any, leaves: list[Any]) -> Any:
    if isinstance(tree, dict):
        return partial(_dict, copy(tree)), [_shape(x, leaves) for x in tree.values()]
    if isinstance(tree, tuple):
        make = type(tree)._make if hasattr(tree, "_make") else type(tree)
        return make, [_shape(x, leaves) for x in tree]
    if isinstance(tree, list):
        return list, [_shape(x, leaves) for x in tree]
    if hasattr(tree, "__array__") and hasattr(tree, "__setitem__"):  # NumPy's scalars are numbers, and have none
        import numpy as np

        elements = np.asarray(tree)
        if elements.shape == ():
            leaves.append(elements.item())
            return None
        leaves.extend(elements.ravel().tolist())
        return partial(_array, np, elements.shape), [None] * elements.size
    leaves.append(tree)
    return None


def _dict(tree: dict[Any, Any], items: list[Any]) -> Any:
    pairs = dict(zip(tree, items, strict=True))
    if type(tree) is dict:
        return pairs
    new = copy(tree)  # a defaultdict keeps its default, an OrderedDict its class
    for key in pairs:
        new[key] = pairs[key]
    return new


def _array(np: Any, shape: tuple[int, ...], items: list[Any]) -> Any:
    # A Jacobian has a tree for each element of an array; as in JAX it becomes a tree of arrays.
    first = items[0] if items else None
    if isinstance(first, np.ndarray):
        return np.stack(items).reshape(shape + first.shape)
    if isinstance(first, (dict, list, tuple)):
        make, children = _shape(first, [])
        rows = [list(x.values()) if isinstance(x, dict) else list(x) for x in items]
        return make([_array(np, shape, [row[j] for row in rows]) for j in range(len(children))])
    numbers = all(isinstance(x, float) for x in items)
    array = np.empty(len(items), dtype=float if numbers else object)
    array[:] = items
    return array.reshape(shape)


def _build(shape: Any, leaves: Any) -> Any:
    if shape is None:
        return next(leaves)
    make, children = shape
    return make([_build(child, leaves) for child in children])
