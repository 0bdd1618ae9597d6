"""The loops of passes.py, compiled where they are installed and up to date. Nothing but the choice."""

from __future__ import annotations

from typing import Any

from ..graph.engine import compiled, outdated
from ..graph.program import Trace
from ..ops import TABLE
from . import passes

__all__ = ["NAMES", "depth", "loops"]

loops: Any = passes
if compiled:
    try:
        from . import _passes  # type: ignore[attr-defined]
    except ImportError:
        pass
    else:
        if not outdated(_passes):
            loops = _passes

NAMES = tuple([TABLE[name].number for name in ("add", "sum", "multiply", "dot")])  # what `linear` asks for


def depth(trace: Trace) -> int:
    """How many array operations must follow one another; a long sum is one."""
    first, constants = len(trace.leaves), trace.constants
    flags = loops.reached(trace.start, trace.operands, first, 0, 0)
    _, start, operands, _ = loops.linear(
        trace.operations, trace.start, trace.operands, constants, first, trace.outputs, flags, NAMES
    )
    flags = loops.reached(start, operands, first, 0, 0)
    return max(loops.levels(start, operands, flags, first, True), default=0)
