"""Which engine runs: the compiled Value where it is installed, the plain one else. Nothing but the choice.

Both are the same source, value.py. `MICROGRADLIKE_ENGINE=python` forces the plain engine,
`MICROGRADLIKE_ENGINE=compiled` makes a missing extension an error instead of a slower program.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from .. import floats

_wanted = os.environ.get("MICROGRADLIKE_ENGINE", "").strip().lower()
if _wanted not in ("", "python", "compiled"):
    raise ValueError(f"MICROGRADLIKE_ENGINE is {_wanted!r}: set it to 'python' or 'compiled', or leave it unset")


def outdated(extension: Any) -> bool:
    """Whether one of its sources was edited after the extension was built in place from them (see _build.py)."""
    package = os.path.dirname(os.path.dirname(__file__))
    try:
        paths = [os.path.join(package, *source.split("/")) for source in extension.SOURCES]
        built = os.path.getmtime(extension.__file__)
        if all(os.path.getmtime(path) <= built for path in paths):
            return False
        from hashlib import sha256

        now = sha256()
        for path in paths:
            with open(path, encoding="utf-8") as file:
                now.update(file.read().encode("utf-8"))
    except OSError:
        return False
    except AttributeError:  # built before it said what it was built from
        return True
    return bool(now.hexdigest() != extension.BUILT_FROM)


__all__ = [
    "GraphError", "Value", "add_grads", "assign", "check_fresh", "compiled", "connect", "contributions",
    "cotangents", "data_of", "elements", "epoch", "grads_of", "is_observed", "is_recording", "observe",
    "observer", "open_modes", "opened", "outdated", "record", "recorder", "restore", "restored_all",
    "set_grads", "topological_order", "traced", "values",
]  # fmt: skip

if TYPE_CHECKING:
    from .. import value as _engine
    from ..value import *  # noqa: F403  (of it, what __all__ names)
elif _wanted == "python":
    from .. import value as _engine
else:
    try:
        from .. import _value as _engine
    except ImportError:
        if _wanted == "compiled":
            raise ImportError(
                "MICROGRADLIKE_ENGINE is 'compiled', but this installation has no compiled engine: install a C "
                "compiler and reinstall with `pip install --force-reinstall --no-binary microgradlike microgradlike`"
            ) from None
        from .. import value as _engine
    if _engine.COMPILED and outdated(_engine):
        message = (
            "the compiled engine was built from another value.py or another table{}: "
            "build it again with `python -m pip install -e .`"
        )
        if _wanted == "compiled":
            raise ImportError(message.format(""))
        warnings.warn(message.format(", so the plain one runs"), stacklevel=2)
        from .. import value as _engine

compiled: bool = _engine.COMPILED
if not TYPE_CHECKING:
    globals().update({name: getattr(_engine, name) for name in __all__ if hasattr(_engine, name)})
if compiled:
    floats.have_the_bits_of_c()
