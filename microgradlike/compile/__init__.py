"""compile(): a function of Values recorded once, then replayed over whole data sets as generated or native code.

recording.py runs the function and keeps its trace, vectorise.py finds the vectors in it, transpose.py differentiates
their operations with the rules of the table, and there is one file per backend. Here is what users see.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from .compiled import Compiled, compile
from .recording import BranchError, RecordingWarning

__all__ = ["BranchError", "Compiled", "RecordingWarning", "compile"]


class _Callable(types.ModuleType):
    """`microgradlike.compile` is the function, also where the package of that name was imported first.

    And the function has the package's modules: `import microgradlike.compile.inputs as inputs` asks it for them.
    """

    def __call__(self, *args: Any, **options: Any) -> Any:
        return compile(*args, **options)

    def __setattr__(self, name: str, thing: Any) -> None:
        super().__setattr__(name, thing)
        if isinstance(thing, types.ModuleType):
            setattr(compile, name, thing)


sys.modules[__name__].__class__ = _Callable
for _name, _module in list(globals().items()):
    if isinstance(_module, types.ModuleType) and _module.__name__.startswith(f"{__name__}."):
        setattr(compile, _name, _module)
