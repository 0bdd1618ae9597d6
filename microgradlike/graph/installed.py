"""What is installed beside this package. Asked once: looking for a module takes longer than a step of training."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

__all__ = ["installed", "numpy"]


@cache
def installed(module: str) -> bool:
    """Whether a module is there to be imported."""
    return find_spec(module) is not None


def numpy() -> Any:
    """NumPy; None where it is not installed."""
    if not installed("numpy"):
        return None
    import numpy as np

    return np
