"""What NumPy's functions do with Values: `np.exp(v)` and `np.float64(2) * v` record. Needs no NumPy to import."""

from __future__ import annotations

import operator
from typing import Any

from .engine import Value, values
from .ops import TABLE

_NAMES = {
    "power": "pow", "float_power": "pow", "true_divide": "divide", "absolute": "abs", "fabs": "abs",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "rint": "round", "mod": "remainder",
}  # fmt: skip

_COMPARISONS: dict[str, Any] = {
    "less": operator.lt, "less_equal": operator.le, "greater": operator.gt, "greater_equal": operator.ge,
    "equal": operator.is_, "not_equal": operator.is_not,
}  # fmt: skip

_TESTS: dict[str, Any] = {
    "isnan": lambda x: x != x,
    "isinf": lambda x: x in (float("inf"), float("-inf")),
    "isfinite": lambda x: x - x == 0.0,
    "signbit": lambda x: str(x).startswith("-"),
}


def ufunc_on_values(ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What `Value.__array_ufunc__` answers: one node for scalars; for arrays, an object array of nodes."""
    import numpy as np

    arrays = any(isinstance(x, np.ndarray) for x in inputs)
    if method != "__call__" or options or arrays:
        lifted = [_lifted(np, x) for x in inputs]
        return getattr(ufunc, method)(*lifted, **options)
    name = ufunc.__name__
    if name in _COMPARISONS:
        return _COMPARISONS[name](*[_plain(x) for x in inputs])
    if name in _TESTS:
        return _TESTS[name](inputs[0].data)
    if name == "floor_divide":
        return _plain(inputs[0]) // _plain(inputs[1])
    row = TABLE.get(_NAMES.get(name, name))
    if row is None or not row.public:
        raise TypeError(
            f"np.{name} cannot be recorded on Values: no primitive of that name; "
            "use a function of microgradlike, or v.data for the number alone"
        )
    return getattr(values, row.name)(*[_plain(x) for x in inputs])


def _plain(x: Any) -> Any:
    return x if isinstance(x, Value) else float(x)


def _lifted(np: Any, x: Any) -> Any:
    """x as an object array, so that NumPy works element by element."""
    if isinstance(x, np.ndarray):
        return x.astype(object)
    box = np.empty((), dtype=object)
    box[()] = x
    return box
