"""Checks of hyperparameters: each error names the argument, its value and the cure. Data are checked in rows.py."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from typing import Any

from ..messages import near


def real(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, above: bool = False, below: bool = False
) -> float:
    """A finite number in [low, high] as a float; `above`/`below` exclude the end point itself."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, not {value!r} ({type(value).__name__})")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond 1.8e308
        number = math.inf
    fits = (
        math.isfinite(number)
        and low <= number <= high
        and not (above and number == low)
        and not (below and number == high)
    )
    if not fits:
        raise ValueError(f"{name} must be {_interval(low, high, above, below)}, not {value!r:.60}")
    return number


def integer(name: str, value: Any, low: int = 1) -> int:
    """A whole number of at least `low` as an int."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number, not {value!r} ({type(value).__name__})")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, not {value!r}")
    return int(value)


def flag(name: str, value: Any) -> bool:
    """True or False, nothing merely truthy (a NumPy bool is a bool)."""
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def choice(name: str, value: Any, options: Collection[str]) -> str:
    """One of the named options; the error lists the near ones, or all if none is near."""
    if isinstance(value, str) and value in options:
        return value
    like = near(value, options, cutoff=0.5) if isinstance(value, str) else []
    hint = f"did you mean {_or(like)}?" if like else f"choose {_or(sorted(options))}"
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"unknown {name} {value!r}: {hint}")


def _or(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _interval(low: float, high: float, above: bool, below: bool) -> str:
    if math.isinf(low) and math.isinf(high):
        return "finite"
    if math.isinf(high):
        return "finite and " + (f"greater than {low:g}" if above else f"at least {low:g}")
    return f"in {'(' if above else '['}{low:g}, {high:g}{')' if below else ']'}"
