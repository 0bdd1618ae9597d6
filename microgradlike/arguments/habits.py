"""Errors for habits from elsewhere: what PyTorch, scikit-learn and micrograd call by another name. No behaviour."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from inspect import signature
from typing import Any, ClassVar

from ..messages import did_you_mean


def no_such_name(module: str, name: str, known: Collection[str], cures: Mapping[str, str]) -> AttributeError:
    """The error for a name that a module has not: what to write instead, or the names that are near.

    >>> no_such_name("microgradlike.optim", "sgd", ["SGD", "Adam"], {})
    AttributeError("module 'microgradlike.optim' has no attribute 'sgd': did you mean SGD?")
    """
    return AttributeError(f"module {module!r} has no attribute {name!r}{_hint(name, known, cures)}")


def _hint(name: str, known: Collection[str], cures: Mapping[str, str]) -> str:
    if name in cures:
        return f": {cures[name]}"
    hint = "" if name.startswith("_") else did_you_mean(name, known, 2)
    return hint and f": {hint}"


class Familiar:
    """A class whose users may know it from another library: arguments and attributes of there are answered with ours.

    Subclasses say what to write instead, by name: `_arguments`, `_attributes`. Only what would be an error anyway is
    looked up there, so a subclass may use these names for things of its own.
    """

    _arguments: ClassVar[dict[str, str]] = {}
    _attributes: ClassVar[dict[str, str]] = {}

    def __new__(cls, *_: Any, **named: Any) -> Any:
        for name in named:
            if name in cls._arguments and not _takes(cls, name):
                raise TypeError(f"{cls.__name__} takes no {name!r}: {cls._arguments[name]}")
        return super().__new__(cls)

    def __getattr__(self, name: str) -> Any:
        own: Any = getattr(type(self), name, None)
        if hasattr(type(own), "__get__") and not callable(own):  # a property that failed: its own error is the one
            return own.__get__(self, type(self))
        cure = type(self)._attributes.get(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{f': {cure}' if cure else ''}")


def _takes(kind: type, name: str) -> bool:
    parameters = signature(kind.__init__).parameters  # type: ignore[misc]  # (of whichever class it is)
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
