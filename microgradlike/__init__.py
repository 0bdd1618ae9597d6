"""microgradlike: scalar automatic differentiation that can be read, seen, trusted and run fast.

    import microgradlike as mg
    from microgradlike import Value

The table of primitives is ops.py, the engine value.py; this file only gathers the public names. Every
public row of the table is a function here (`mg.tanh`, `mg.logsumexp` ...). What needs more than the
standard library (`draw`, `nn`, `compile` ...) is imported when it is first asked for.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, overload

from .graph import attributes as _attributes  # noqa: F401  (what a Value answers beside its own)
from .graph.anomaly import AnomalyError, detect_anomaly
from .graph.engine import GraphError, Value, compiled, topological_order
from .graph.functions import function as _function
from .graph.functions import namespaces as _namespaces
from .graph.functions import primitive
from .graph.functions import taken as _taken
from .graph.modes import no_grad
from .graph.transforms import grad, gradients, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .ops import TABLE

if TYPE_CHECKING:  # for type checkers only: what __getattr__ brings later (draw and compile are functions)
    from . import datasets as datasets
    from . import losses as losses
    from . import models as models
    from . import nn as nn
    from . import ops as ops
    from . import optim as optim
    from . import plots as plots
    from . import testing as testing
    from .compile import compile
    from .draw import Drawing as Drawing
    from .draw import draw, label, live, playground, rich_values, step_through
    from .graph.explain import explain
    from .graph.groups import group
    from .saving import load

    class _Operation(Protocol):
        """A function of the table: numbers in, a number out; with a Value among them, a Value."""

        @overload
        def __call__(self, *numbers: float, **options: Any) -> float: ...
        @overload
        def __call__(self, *operands: Value | float, **options: Any) -> Value: ...
        @overload
        def __call__(self, *sequences: Any, **options: Any) -> Any: ...


__version__ = "0.1.0"

_LATER = {
    "draw": "draw", "label": "draw", "live": "draw", "playground": "draw",
    "step_through": "draw", "rich_values": "draw", "Drawing": "draw",
    "compile": "compile",
    "explain": "graph.explain", "group": "graph.groups",
    "load": "saving",
    "cross_entropy": "losses",
}  # fmt: skip
_MODULES = ("datasets", "losses", "models", "nn", "ops", "optim", "plots", "testing")

__all__ = [  # noqa: PLE0604  (grouped by what they are; the rest is the table's)
    "Value", "compiled", "topological_order", "no_grad", "detect_anomaly", "AnomalyError", "GraphError",
    "grad", "value_and_grad", "gradients", "jacobian", "hessian", "jvp", "vjp", "hvp",
    "primitive", *(row.name for row in TABLE.values() if row.public),
    "compile", "draw", "explain", "group", "label", "live", "load", "playground", "rich_values", "step_through",
]  # fmt: skip


_namespaces.append(globals())
_taken.update({*__all__, *_MODULES} - set(TABLE))


class _Package(ModuleType):
    """Keeps `mg.draw` the function: importing the submodule `microgradlike.draw` would put the module in its place."""

    def __setattr__(self, name: str, thing: Any) -> None:
        if not (name in _LATER and isinstance(thing, ModuleType)):
            super().__setattr__(name, thing)


sys.modules[__name__].__class__ = _Package


def _found(name: str) -> Any:
    if name in _LATER:
        found = getattr(import_module(f".{_LATER[name]}", __name__), name)
    elif name in _MODULES:
        return import_module(f".{name}", __name__)
    elif name.startswith("_"):
        raise AttributeError(f"microgradlike has no {name!r}")
    else:
        try:
            found = _function(name)
        except LookupError as error:
            raise AttributeError(f"microgradlike has no {name!r}: {error}") from None
        if name not in __all__:  # a user's, who may take it out of the table again
            return found
    globals()[name] = found
    return found


if TYPE_CHECKING:

    def __getattr__(name: str) -> _Operation: ...

else:
    __getattr__ = _found


def __dir__() -> list[str]:
    rows = (row.name for row in TABLE.values() if row.public)  # those that were added, too
    return sorted({*__all__, *rows, *_MODULES, "__version__"})
