"""The words of careful.py on NumPy arrays, and its rows as functions of arrays. No formulas, no other rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .careful import ROWS, SHIFTER, Formula

__all__ = ["ARRAYS", "careful_row"]

_BLOCK = 2048  # numbers at a time: what many steps leave on their way should stay in the second-level cache


class Arrays:
    """The namespace. The first time, `rarely` only notes the numbers in doubt; for those the row is run `again`."""

    def __init__(self, again: bool = False) -> None:
        self.again = again
        self.doubt: Any = False

    abs, copysign, divide, pow, fmod = np.abs, np.copysign, np.divide, np.power, np.fmod
    sqrt, exp, expm1, log, log1p = np.sqrt, np.exp, np.expm1, np.log, np.log1p
    where = staticmethod(np.where)

    @staticmethod
    def two_product(a: Any, b: Any) -> tuple[Any, Any]:
        p = a * b
        t, u = 134217729.0 * a, 134217729.0 * b  # 2²⁷ + 1 splits 53 bits into two halves whose products are exact
        a1, b1 = t - (t - a), u - (u - b)
        a2, b2 = a - a1, b - b1
        return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2

    def rarely(self, test: Any, x: Any, better: Callable[[], Any]) -> Any:
        if self.again:
            return np.where(test, better(), x)
        self.doubt = self.doubt | test
        return x

    @staticmethod
    def scale(x: Any, k: Any) -> Any:
        half = (0.5 * k + SHIFTER) - SHIFTER  # 2ᵏ in two factors, so that neither overflows
        return x * _power_of_two(half) * _power_of_two(k - half)

    @staticmethod
    def split(x: Any) -> tuple[Any, Any]:
        f, k = np.frexp(x)
        low = f < 0.7071067811865476
        return np.where(low, 2.0 * f, f), k - low.astype(float)


def _power_of_two(k: Any) -> Any:
    """2ᵏ: adding SHIFTER leaves the integer in the low bits."""
    return ((np.asarray(k + SHIFTER).view(np.int64) << 52) + (1023 << 52)).view(np.float64)


def careful_row(formula: Formula) -> Callable[..., None]:
    """`function(out, *operands)` by the formula; `out` is contiguous, operands are arrays or numbers."""

    def run(out: Any, xs: list[Any], again: bool) -> Any:
        """Some thousand numbers at a time; which of them are in doubt."""
        doubt = np.zeros(len(out), bool)
        for start in range(0, len(out), _BLOCK):
            here = slice(start, start + _BLOCK)
            m = Arrays(again)
            out[here] = formula(m, *[x[here] for x in xs])
            doubt[here] = m.doubt
        return doubt

    def call(out: Any, *xs: Any) -> None:
        flat = out.reshape(-1)
        columns = [np.broadcast_to(x, out.shape).reshape(-1) for x in xs]
        with np.errstate(all="ignore"):
            doubt = run(flat, columns, again=False)
            if doubt.any():
                better = np.empty(np.count_nonzero(doubt))
                run(better, [x[doubt] for x in columns], again=True)
                flat[doubt] = better

    return call


ARRAYS: dict[str, Callable[..., None]] = {name: careful_row(formula) for name, formula in ROWS.items()}
