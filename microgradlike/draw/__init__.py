"""Pictures of computation graphs, and pages that compute them. The public names; the files beside do the work.

graph.py reads Values into lists, fold.py decides which share a card, scene.py says what is on the cards and
edges, layout.py where they go, paint.py what they look like; svg.py, png.py, pdf.py, dot.py, mermaid.py,
tree.py and page.py write that down.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from .drawing import Drawing, draw, label
from .notebook import rich_values
from .pages.live import Live, live, step_through
from .pages.playground import Playground, playground

__all__ = ["Drawing", "Live", "Playground", "draw", "label", "live", "playground", "rich_values", "step_through"]


class _Callable(ModuleType):
    """`microgradlike.draw` is this package once it is imported, and the function to whoever calls it."""

    def __call__(self, *args: Any, **options: Any) -> Drawing:
        return draw(*args, **options)


sys.modules[__name__].__class__ = _Callable
