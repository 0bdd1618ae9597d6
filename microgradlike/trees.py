"""Nested lists, tuples, dicts and arrays of numbers: flatten, and build the same shape again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of `tree` in order, and a function that puts a list of as many leaves into its shape.

    Lists, tuples (named ones too) and dicts nest; a NumPy array counts as a tree of its elements, and comes
    back as an array. Anything else is a leaf.

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
        return partial(_dict, type(tree), list(tree)), [_shape(x, leaves) for x in tree.values()]
    if isinstance(tree, tuple):
        make = type(tree)._make if hasattr(tree, "_make") else type(tree)
        return make, [_shape(x, leaves) for x in tree]
    if isinstance(tree, list):
        return list, [_shape(x, leaves) for x in tree]
    if hasattr(tree, "__array__") and getattr(tree, "shape", None):
        import numpy as np

        elements = np.asarray(tree)
        leaves.extend(elements.ravel().tolist())
        return partial(_array, np, elements.shape), [None] * elements.size
    leaves.append(tree)
    return None


def _dict(kind: type, keys: list[Any], items: list[Any]) -> Any:
    pairs = dict(zip(keys, items, strict=True))
    return pairs if kind is dict else kind(pairs)


def _array(np: Any, shape: tuple[int, ...], items: list[Any]) -> Any:
    if items and all(isinstance(x, np.ndarray) for x in items):  # a Jacobian: an array for each element
        return np.stack(items).reshape(shape + items[0].shape)
    numbers = all(isinstance(x, float) for x in items)
    array = np.empty(len(items), dtype=float if numbers else object)
    array[:] = items
    return array.reshape(shape)


def _build(shape: Any, leaves: Any) -> Any:
    if shape is None:
        return next(leaves)
    make, children = shape
    return make([_build(child, leaves) for child in children])
