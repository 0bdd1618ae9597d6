"""What recorded rows must fulfil: the outcomes of their tests, and what must hold of their data. No recording here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .inputs import Rows

if TYPE_CHECKING:
    from .recording import Check

__all__ = ["fitting", "verify"]


def fitting(outcomes: Sequence[float], tested: Any) -> list[bool]:
    """For each row, whether its tests come out as recorded; one answer for all of them, if they all do."""
    width = len(outcomes)
    if not width:
        return [True]
    if hasattr(tested, "shape"):
        fits = (tested[:, :width] == outcomes).all(1)
        return [True] if fits.all() else fits.tolist()
    return [list(row[:width]) == outcomes for row in tested]


def verify(checks: Sequence[Check], rows: Rows, tested: Any) -> None:
    """Raise the error of the first check that a row does not pass."""
    for check in checks:
        columns = [_column(place, rows, tested) for place in check.places]
        if rows.count > 1 and all(hasattr(x, "shape") or type(x) is float for x in columns):
            with sys.modules["numpy"].errstate(all="ignore"):
                if not check.wrong(*columns).any():
                    continue
        lists = [[x] * rows.count if type(x) is float else x for x in columns]
        for numbers in zip(*lists, strict=True):
            if check.wrong(*map(float, numbers)):
                raise check.error(*map(float, numbers))


def _column(place: Any, rows: Rows, tested: Any) -> Any:
    """The numbers of all rows at a place: a constant, a column of the arguments, or of what the tests computed."""
    if type(place) is float:
        return place
    if place < 0:
        return tested[:, -1 - place] if hasattr(tested, "shape") else [row[-1 - place] for row in tested]
    for block in rows.blocks:
        width = block.shape[1] if hasattr(block, "shape") else len(block[0])
        if place < width:
            return block[:, place] if hasattr(block, "shape") else [row[place] for row in block]
        place -= width
    raise IndexError(place)
