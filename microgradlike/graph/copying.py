"""Copying and pickling graphs of any depth: node by node in topological order, never by recursion.

A copy keeps data, grad, label, operation, operands, class and the attributes of a subclass; nodes that are
shared stay shared, and a graph that is stale (a leaf was assigned after it was used) stays stale.
What is being differentiated or recorded (an input of a transform that runs) is not copied but computed on: a copy of
it that depended on nothing would have no derivative.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from typing import Any
from weakref import ref

from .engine import Value, epoch, restore, restored_all, topological_order, values
from .observed import is_input


def shallow_copy(v: Value) -> Any:
    """A second node with the same operands; of an input of a transform or a recording, one that depends on it."""
    if is_input(v):
        return _labelled(values.positive(v), v.label)
    twin = restore(type(v), v.data, v.grad, v.op, v.args, v.label, epoch(v))
    restored_all()
    return _with_state(twin, _state(v))


def deep_copy(root: Value, memo: dict[int, Any]) -> Any:
    """A copy of the graph below root; nodes that `memo` knows (copied in the same call) are shared."""
    order = topological_order(root)
    for v in order:
        if id(v) not in memo and is_input(v):
            memo[id(v)] = _labelled(values.positive(v), v.label)
        elif id(v) not in memo:
            args = tuple([x if type(x) is float else memo[id(x)] for x in v.args])
            twin = memo[id(v)] = restore(type(v), v.data, v.grad, v.op, args, v.label, epoch(v))
            if type(v) is not Value:
                _with_state(twin, copy.deepcopy(_state(v), memo))
    restored_all()
    memo.setdefault(id(memo), []).extend(order)  # keeps them alive as long as their ids are used
    return memo[id(root)]


def _labelled(v: Value, label: str | None) -> Value:
    v.label = label
    return v


def reduced(v: Value) -> tuple[Any, ...]:
    """What `v.__reduce_ex__` answers.

    pickle follows operands by recursion, so a root is written as the list of all its nodes, operands first: each
    then finds its operands in pickle's memo, one level down. The root is in that list too, and so in the memo
    before it is finished, as in a recursive tuple; pickle handles it in the same way.
    """
    listing = _current.listing()
    if listing is None or id(v) not in listing.ids:
        listing = _Listing(v)
        return _root, ([_Begin(listing), *listing.order, _End(listing)],)
    # Epochs count from the start of a process, so they are written as negative: older than all that comes later.
    since = min(epoch(v) - listing.now, 0)
    made = (type(v), v.data, v.grad, v.op, since, v.label, *v.args)
    state = None if type(v) is Value else _state(v)
    return (_restored, made) if state is None else (_restored, made, state)


class _Listing:
    """The nodes below a root while pickle writes them one by one. It ends with its pickle, however that ends."""

    def __init__(self, root: Value) -> None:
        self.order = topological_order(root)
        self.ids = frozenset(map(id, self.order))
        self.outer = _current.listing
        outer = self.outer()
        self.now: int = epoch() if outer is None else outer.now


class _Current(threading.local):
    """The innermost listing that this thread's pickle is writing: a weak reference to it."""

    def __init__(self) -> None:
        self.listing: Callable[[], _Listing | None] = _no_listing


def _no_listing() -> None:
    return None


_current = _Current()


class _Begin:
    """Written before the nodes of a listing; writing it makes the listing the current one."""

    def __init__(self, listing: _Listing) -> None:
        self.listing = listing

    def __reduce__(self) -> tuple[Any, ...]:
        _current.listing = ref(self.listing)
        return _no_listing, ()


class _End(_Begin):
    """Written after the nodes of a listing."""

    def __reduce__(self) -> tuple[Any, ...]:
        _current.listing = self.listing.outer
        return _no_listing, ()


def _root(nodes: list[Any]) -> Any:
    restored_all()
    return nodes[-2]


def _restored(cls: type, data: float, grad: float, op: Any, since: int, label: str | None, *args: Any) -> Any:
    return restore(cls, data, grad, op, args, label, since)


def _state(v: Value) -> Any:
    """The attributes that a subclass adds, as pickle has them: a dict, or (dict, slots); None for none."""
    slots = {
        name: getattr(v, name)
        for kind in type(v).__mro__
        if kind is not Value and issubclass(kind, Value)
        for name in _names(kind)
        if hasattr(v, name)
    }
    attributes = getattr(v, "__dict__", None) or None
    return (attributes, slots) if slots else attributes


def _names(kind: type) -> Iterator[str]:
    slots = kind.__dict__.get("__slots__", ())
    for name in (slots,) if isinstance(slots, str) else slots:
        if name not in ("__dict__", "__weakref__"):
            hidden = name.startswith("__") and not name.endswith("__")
            yield f"_{kind.__name__.lstrip('_')}{name}" if hidden else name


def _with_state(twin: Any, state: Any) -> Any:
    for part in state if isinstance(state, tuple) else (state,):
        for name, x in (part or {}).items():
            setattr(twin, name, x)
    return twin
