"""What counts as a real number: read as an exact float, or refused with the cure."""

from __future__ import annotations

from typing import Any


def checked(x: Any, name: str = "data") -> float:
    """x as a float; errors say which argument it is.

    Raises as `number`.
    """
    try:
        return number(x)
    except TypeError as error:
        if x is None and name == "grad":
            raise TypeError("grad must be a real number, not NoneType: set it to 0.0") from None
        raise TypeError(f"{name} {error}") from None
    except OverflowError as error:
        raise OverflowError(f"{name} {error}") from None


def number(x: Any) -> float:
    """x as a float, if x is a real number.

    Raises:
        TypeError: x is anything else; the message says what to write.
        OverflowError: x is an integer too large for a float.
    """
    if type(x) is float:
        return x
    try:
        if isinstance(x, (int, float)):
            return float(x)
        if _is_real_scalar(x):
            z = float(x)
            if z - z == 0.0 or x != x or x == z:
                return z
            raise OverflowError  # float(Decimal("1e400")) is infinite without a word
    except OverflowError:
        raise OverflowError(f"is too large for a float64 (at most 1.8e308): {type(x).__name__}") from None
    cure = "pass an int, float, Fraction, Decimal or NumPy scalar"
    if isinstance(x, str):
        cure = "convert text with float(...) first"
    elif isinstance(x, complex):
        cure = "use its .real or .imag"
    elif getattr(x, "shape", None) == () and hasattr(x, "item"):  # an array or tensor without dimensions
        cure = "its number is x.item()"
    elif hasattr(type(x), "backward"):
        cure = "use the Value itself, v.data for its number, or v.detach() for a new leaf"
    elif isinstance(x, (list, tuple)) or hasattr(x, "__array__"):
        cure = "make one Value for each element"
    raise TypeError(f"must be a real number, not {type(x).__name__}: {cure}")


def _is_real_scalar(x: Any) -> bool:
    kind = getattr(getattr(x, "dtype", None), "kind", None)
    if kind is not None:  # NumPy: scalars have no shape; arrays are no numbers, whatever their size
        return kind in "biuf" and getattr(x, "shape", None) == () and not hasattr(x, "__setitem__")
    from decimal import Decimal
    from numbers import Real

    return isinstance(x, (Real, Decimal))
