"""What NumPy's functions do with Values: `np.exp(v)` and `np.float64(2) * v` record. Needs no NumPy to import."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

from ..floats.reading import number
from ..ops import PI, TABLE
from .engine import Value, is_observed, values
from .observed import decided

_NAMES = {
    "power": "pow", "float_power": "pow", "true_divide": "divide", "absolute": "abs", "fabs": "abs",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "rint": "round", "mod": "remainder",
    "conjugate": "positive",
}  # fmt: skip

_COMPOSED: dict[str, Callable[..., Any]] = {
    "floor_divide": operator.floordiv,
    "divmod": divmod,
    "exp2": lambda x: 2.0**x,
    "deg2rad": lambda x: x * (PI / 180.0), "radians": lambda x: x * (PI / 180.0),
    "rad2deg": lambda x: x * (180.0 / PI), "degrees": lambda x: x * (180.0 / PI),
}  # fmt: skip

_COMPARISONS: dict[str, Any] = {
    "less": operator.lt, "less_equal": operator.le, "greater": operator.gt, "greater_equal": operator.ge,
    "equal": operator.eq, "not_equal": operator.ne,
}  # fmt: skip

_TESTS: dict[str, Callable[[float], bool]] = {
    "isnan": lambda x: x != x,
    "isinf": lambda x: x in (inf, -inf),
    "isfinite": lambda x: x - x == 0.0,
    "signbit": lambda x: str(x).startswith("-"),
}


def _tested(name: str, x: Any) -> bool:
    """The outcome of a test; a recording holds where it is the same."""
    outcome = _TESTS[name](x.data if isinstance(x, Value) else x)
    if isinstance(x, Value) and is_observed():
        if name == "isnan":
            decided(x, "!=", x, outcome)
        elif name == "isinf":
            decided(values.abs(x), "==", inf, outcome)
        elif name == "isfinite":
            decided(x - x, "==", 0.0, outcome)
        elif x.data == 0.0:
            decided(values.divide(1.0, x), "<", 0.0, outcome)
            decided(x, "==", 0.0, True)
        else:
            decided(x, "<", 0.0, outcome)
            decided(x, "==", 0.0, False)
    return outcome


def ufunc_on_values(ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What `Value.__array_ufunc__` answers: one node for scalars; for arrays, an object array of nodes."""
    import numpy as np

    name = ufunc.__name__
    # A long double compares as an array without dimensions, which would compare as one for ever.
    inputs = tuple([x[()] if isinstance(x, np.ndarray) and x.shape == () and x.dtype != object else x for x in inputs])
    for array in [*options.get("out", ()), *(inputs[:1] if method == "at" else ())]:
        if isinstance(array, np.ndarray) and array.dtype != object:
            raise TypeError(
                f"np.{name}: an array of {array.dtype} cannot hold Values: make a new array (x = x + v, not x += v), "
                "or an array of objects first, x.astype(object)"
            )
    if method == "__call__" and not options and ufunc.signature is None and name not in _COMPARISONS:
        if not any(isinstance(x, np.ndarray) for x in inputs):
            return _on_scalars(name, inputs)
        if ufunc.nout == 1:
            elements = np.frompyfunc(lambda *xs: _on_scalars(name, xs), ufunc.nin, 1)(*[_lifted(np, x) for x in inputs])
            return elements.astype(bool) if name in _TESTS else elements
    elif method == "__call__" and not options and not any(isinstance(x, np.ndarray) for x in inputs):
        return _on_scalars(name, inputs)
    return getattr(ufunc, method)(*[_lifted(np, x) for x in inputs], **options)


def _on_scalars(name: str, inputs: tuple[Any, ...]) -> Any:
    try:
        x = [each if isinstance(each, Value) else number(each) for each in inputs]
    except TypeError as error:
        raise TypeError(f"np.{name}: an operand {error}") from None
    if name in _COMPARISONS:
        return _COMPARISONS[name](*x)
    if name in _TESTS:
        return _tested(name, x[0])
    if name in _COMPOSED:
        return _COMPOSED[name](*x)
    row = TABLE.get(_NAMES.get(name, name))
    if row is None or not row.public or row.arity is None:
        raise TypeError(
            f"np.{name} cannot be recorded on Values: no primitive of that name; "
            "use a function of microgradlike, or v.data for the number alone"
        )
    return getattr(values, row.name)(*x)


def method(v: Value, name: str) -> Callable[..., Any] | None:
    """NumPy's own name for an operation, as a method: on an array of objects it calls `x.arctan2(y)` on each."""
    if name in _COMPOSED:
        return partial(_COMPOSED[name], v)
    return partial(getattr(values, _NAMES[name]), v) if name in _NAMES else None


def _lifted(np: Any, x: Any) -> Any:
    """x as an object array, so that NumPy works element by element."""
    if isinstance(x, np.ndarray):
        return x.astype(object, copy=False)
    box = np.empty((), dtype=object)
    box[()] = x
    return box
