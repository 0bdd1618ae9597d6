"""The names that a Value answers beyond its own: functions of the table as methods, micrograd's and NumPy's names.

And what to write instead of a name that it has not. value.py asks here, by `connect`.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from ..messages import did_you_mean
from ..ops import TABLE, Op
from . import copying
from .arrays import method, ufunc_on_values
from .engine import Value, connect, contributions
from .functions import function


def attribute(v: Value, name: str) -> Any:
    """What `v.name` is; AttributeError with the cure if it is nothing."""
    row = TABLE.get(name)
    if row is not None and row.public and row.arity is not None:
        return partial(function(name), v)
    if name == "_prev":  # these three for programs that look inside micrograd's Values, to draw or to teach
        return {x for x in v.args if isinstance(x, Value)}
    if name == "_op":
        return _symbol(v.op, v.args)
    if name == "_backward":
        return partial(_one_step_back, v)
    if not name.startswith("_"):
        found = method(v, name)  # NumPy calls x.arctan2(y), x.rint() ... on the elements of an array
        if found is not None:
            return found
    for kind in Value.__subclasses__():
        if name in vars(kind) and type(v) is Value:
            raise AttributeError(
                f"a Value has no {name!r}: {kind.__name__} has, but what operations compute are plain Values; "
                f"write a function {name}(v), or an operation by mg.primitive"
            )
    raise AttributeError(f"a Value has no {name!r}{_remedy(name)}")


def methods() -> list[str]:
    """The functions of the table that Values have as methods."""
    return [name for name, row in TABLE.items() if row.public and row.arity is not None]


def _symbol(row: Op | None, args: tuple[Any, ...]) -> str:
    """micrograd's `_op`."""
    if row is None:
        return ""
    if row.name == "pow":
        return f"**{args[1]:g}" if type(args[1]) is float else "**"
    known = {"add": "+", "subtract": "-", "negative": "-", "multiply": "*", "divide": "/", "relu": "ReLU"}
    return known.get(row.name, row.name)


def _one_step_back(node: Value) -> None:
    """micrograd's `v._backward()`, a pass by hand: v.grad times each local derivative, added to the operands."""
    operands = node.args
    for x, contribution in zip(operands, contributions(node, node.grad, operands) if operands else (), strict=True):
        if contribution is not None and isinstance(x, Value):
            x.grad += contribution


_INSTEAD = {
    "item": "v.data is the number",
    "value": "v.data is the number",
    "numpy": "v.data is the number",
    "tolist": "v.data is the number",
    "requires_grad": "every Value records, except within no_grad(); v.detach() is a leaf of its own",
    "clone": "copy.copy(v) is a copy, mg.positive(v) a new node with the same number",
    "clamp": "it is v.clip(low, high)",
    "name": "its name is v.label",
    "gradient": "it is v.grad",
    **dict.fromkeys(("_children", "_parents", "children", "parents", "_inputs"), "the operands are v.args"),
    "_local_grads": "the slope along every edge is in mg.explain(v)",
    **dict.fromkeys(("topo", "build_topo", "topological_sort"), "it is mg.topological_order(v)"),
    "__dict__": "it holds v.data, v.grad, v.op, v.args and v.label",
}


@lru_cache(maxsize=256)  # other libraries ask for attributes by the thousand: has it a shape, a dtype ...
def _remedy(name: str) -> str:
    """What to write instead of an attribute that a Value has not."""
    row = TABLE.get(name)
    if row is not None and row.public:
        return f": it takes a sequence of Values, microgradlike.{name}([...])"
    if name in _INSTEAD:
        return f": {_INSTEAD[name]}"
    if name.startswith("_"):
        return ""
    hint = did_you_mean(name, [*methods(), "backward", "data", "grad", "label", "zero_grad", "detach"])
    return hint and f"; {hint}"


connect(
    attribute=attribute,
    methods=methods,
    array_ufunc=ufunc_on_values,
    shallow_copy=copying.shallow_copy,
    deep_copy=copying.deep_copy,
    reduced=copying.reduced,
)
