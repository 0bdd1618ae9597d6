"""compile(): a function of Values recorded once, then replayed over whole data sets as generated or native code.

recording.py runs the function and keeps the program, differentiate.py makes gradient programs with the rules of the
table, vectorise.py turns scalars into array instructions, and there is one file per backend. Here is what users see.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from .compiled import Compiled, compile
from .recording import BranchError, RecordingWarning

__all__ = ["BranchError", "Compiled", "RecordingWarning", "compile"]


class _Callable(types.ModuleType):
    """`microgradlike.compile` is the function, also where the package of that name was imported first."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return compile(*args, **options)


sys.modules[__name__].__class__ = _Callable
