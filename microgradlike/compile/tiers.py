"""Tiers: whether a recording is run step by step, or as a plan of array instructions. Which of them pays, by counting.

Step by step (the interpreter in C; generated Python without it) starts at once and takes any program. A plan costs
time to make and then runs many numbers at a time. So `auto` counts what the steps would have cost so far, and makes the
plan when that is as much as the plan costs: whatever comes, the total is never far from that of the better choice.
It counts operands, not seconds: the same calls get the same tiers, and so the same digits, on every machine.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from .recording import Recording

__all__ = ["Tier", "choose", "patience"]

# Nanoseconds, roughly, on a machine of these years: for an operand of a step, (values, gradient as well).
_STEP = {"interpreter": (1.0, 3.0), "python": (60.0, 150.0)}
# Of a plan: to make it (all, an operand, a level); to run it (a level, an operand and row).
_MAKE = (2e6, 150.0, 100e3)
_RUN = {"native": (100.0, 0.1), "numpy": (6e3, 0.3)}


class Tier(NamedTuple):
    """What ran last: "interpreter", "python", "native" or "numpy"; and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


def choose(recording: Recording, rows: int, gradient: bool, steps: str, plan: str | None, before: int = 0) -> Tier:
    """The tier for a call with so many rows, which is counted.

    Args:
        before: how many rows went step by step that were not counted.
        steps: the tier that goes step by step here.
        plan: the tier of plans, None if there is none.
    """
    if plan is None:
        return Tier(steps, "plans need NumPy, which is not installed")
    now = rows * recording.work * _STEP[steps][gradient]
    recording.spent += now + before * recording.work * _STEP[steps][gradient]
    price = _price(recording)
    if recording.spent >= price and not recording.measured:  # the depth is counted only where it matters
        _ = recording.depth
        price = _price(recording)
    if recording.spent < price:
        return Tier(steps, f"{_text(recording.spent)} so far, and a plan takes {_text(price)} to make")
    level, operand = _RUN[plan]
    planned = level * recording.depth + operand * rows * recording.work * (3.0 if gradient else 1.0)
    if planned >= now:
        return Tier(steps, f"deep: {recording.depth} operations follow one another, too few at a time for arrays")
    return Tier(plan, f"{_text(recording.spent)} step by step by now, and the plan took {_text(price)} to make")


def patience(recording: Recording) -> int:
    """How many gradients of one row the interpreter may take before `choose` can say otherwise; −1: any number."""
    left = _price(recording) - recording.spent
    return math.ceil(left / (recording.work * _STEP["interpreter"][True])) if left > 0.0 and recording.work else -1


def _price(recording: Recording) -> float:
    all_of_it, operand, level = _MAKE
    return all_of_it + operand * recording.work + (level * recording.depth if recording.measured else 0.0)


def _text(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.3g} ms"
