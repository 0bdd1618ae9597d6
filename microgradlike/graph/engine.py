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


if TYPE_CHECKING or _wanted == "python":
    from .. import value as _engine
else:
    try:
        from .. import _value as _engine

        if outdated(_engine):
            warnings.warn(
                "the compiled engine was built from another value.py or another table, so the plain one runs: "
                "build it again with `python -m pip install -e .`",
                stacklevel=2,
            )
            from .. import value as _engine
    except ImportError:
        if _wanted == "compiled":
            raise ImportError(
                "MICROGRADLIKE_ENGINE is 'compiled', but this installation has no compiled engine: install a C "
                "compiler and reinstall with `pip install --force-reinstall --no-binary microgradlike microgradlike`"
            ) from None
        from .. import value as _engine

compiled: bool = _engine.COMPILED  # type: ignore[has-type]
if compiled:
    floats.have_the_bits_of_c()

GraphError = _engine.GraphError
Value = _engine.Value
add_grads = _engine.add_grads
assign = _engine.assign
check_fresh = _engine.check_fresh
connect = _engine.connect
contributions = _engine.contributions
cotangents = _engine.cotangents
data_of = _engine.data_of
elements = _engine.elements
epoch = _engine.epoch
grads_of = _engine.grads_of
is_observed = _engine.is_observed
is_recording = _engine.is_recording
observe = _engine.observe
observer = _engine.observer  # type: ignore[has-type]
open_modes = _engine.open_modes
opened = _engine.opened
record = _engine.record
recorder = _engine.recorder
restore = _engine.restore
restored_all = _engine.restored_all
set_grads = _engine.set_grads
topological_order = _engine.topological_order
traced = _engine.traced  # type: ignore[has-type]
values = _engine.values  # type: ignore[has-type]
