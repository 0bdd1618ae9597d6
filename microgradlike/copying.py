"""Copying and pickling graphs of any depth: node by node in topological order, never by recursion."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from .engine import Value, restore, topological_order


def deep_copy(root: Value, memo: dict[int, Any]) -> Any:
    """A copy of the graph below root; nodes that `memo` knows (copied in the same call) are shared."""
    for v in topological_order(root):
        if id(v) not in memo:
            args = tuple([x if type(x) is float else memo[id(x)] for x in v.args])
            memo[id(v)] = restore(type(v), v.data, v.grad, v.op, args, v.label)
            memo.setdefault(id(memo), []).append(v)  # keeps v alive as long as its id is used
    return memo[id(root)]


class _Shallow:
    """One node as pickle sees it: its operands are wrappers that the same pickle has written before.

    pickle would follow operands by recursion. So a root is written as the list of all its nodes in
    topological order; each wrapper then finds its operands in pickle's memo, one level down. The
    wrappers live as long as a pickler remembers them, so that several roots in one pickle share nodes.
    """

    __slots__ = ("__weakref__", "args", "node")

    def __init__(self, node: Value, args: tuple[Any, ...]) -> None:
        self.node, self.args = node, args

    def __reduce__(self) -> tuple[Any, ...]:
        v = self.node
        return restore, (type(v), v.data, v.grad, v.op, self.args, v.label)


_wrappers: WeakValueDictionary[int, _Shallow] = WeakValueDictionary()


def reduced(root: Value) -> tuple[Any, ...]:
    """What `root.__reduce_ex__` answers."""
    wrappers: list[_Shallow] = []
    for v in topological_order(root):
        wrapper = _wrappers.get(id(v))
        if wrapper is None or wrapper.node is not v:
            wrapper = _Shallow(v, tuple([x if type(x) is float else _wrappers[id(x)] for x in v.args]))
            _wrappers[id(v)] = wrapper
        wrappers.append(wrapper)
    return _last, (wrappers,)


def _last(nodes: list[Value]) -> Value:
    return nodes[-1]
