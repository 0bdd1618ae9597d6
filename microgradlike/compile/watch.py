"""What a recorded function has read outside of its arguments, and whether that has changed. Data of Values is no part.

Looked at are the globals that its code names, its closure cells and defaults, those of the functions it calls and of
methods, attributes of objects that its code names, and the items of lists, dicts and arrays found there, at any depth.
"""

from __future__ import annotations

import sys
from array import array
from collections import UserList, deque
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from operator import attrgetter, itemgetter
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from ..graph.engine import Value

__all__ = ["Watch", "names_of"]

_PLAIN = (int, float, str, bool, complex, bytes, type(None))
_MOST_ITEMS = 1_000_000  # of an array, which is compared number by number
_NOT_CALLED = {"__init__", "__new__", "__post_init__", "__repr__", "__str__", "__setattr__", "__delattr__", "__del__"}
_OURS = __name__.partition(".")[0]


class Watch:
    """How things were when it was made."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._cells: list[tuple[Any, Any]] = []  # a closure cell, what it held
        self._names: list[tuple[Any, Any, Any]] = []  # a namespace, how to read names, what they were
        self._items: list[tuple[Any, Any]] = []  # a list or dict, a copy of it
        self._arrays: list[tuple[Any, Any]] = []
        self._seen: dict[int, Any] = {}
        self._objects: list[Any] = []
        self._attributes: set[str] = set()
        self._find(function)
        self._attend()
        del self._seen, self._objects, self._attributes

    def __bool__(self) -> bool:
        """Whether there is anything to watch."""
        return bool(self._cells or self._names or self._items or self._arrays)

    def changed(self) -> bool:
        """Whether something is another now; what is the same object is not looked at by ==, which makes this quick."""
        try:
            for cell, x in self._cells:
                if cell.cell_contents is not x and not _same(cell.cell_contents, x):
                    return True
            for space, read, found in self._names:
                if read(space) != found:
                    return True
            for items, before in self._items:
                if items != before:
                    return True
            return not all(_equal_arrays(array, before) for array, before in self._arrays)
        except (KeyError, ValueError, AttributeError):  # a name or a cell is gone, or an array is another
            return True

    # ── finding what there is to watch ──────────────────────────────────────────────────────────
    def _find(self, x: Any) -> None:
        """Look into x, and into what is found there; without recursion, since lists may be nested deeply."""
        stack = [x]
        while stack:
            x = stack.pop()
            if type(x) in _PLAIN or isinstance(x, Value) or id(x) in self._seen:
                continue
            self._seen[id(x)] = x
            stack.extend(self._within(x))

    def _within(self, x: Any) -> Iterator[Any]:
        if isinstance(x, FunctionType):
            yield from self._function(x)
        elif isinstance(x, MethodType):
            yield from (x.__func__, x.__self__)
        elif isinstance(x, partial):
            yield from (x.func, x.args, x.keywords)
        elif isinstance(x, (staticmethod, classmethod)):
            yield x.__func__
        elif isinstance(x, property):
            yield x.fget
        elif isinstance(x, (list, tuple)):
            if isinstance(x, list):
                self._items.append((x, list(x)))
            yield from x
        elif isinstance(x, (deque, set, bytearray, array, UserList)):
            self._items.append((x, copy(x)))
            yield from x
        elif isinstance(x, dict):
            self._items.append((x, dict(x)))
            yield from x.values()
        elif type(x).__module__ == "numpy" and hasattr(x, "__array__") and hasattr(x, "__setitem__"):
            if x.size <= _MOST_ITEMS:
                self._arrays.append((x, x.copy()))
            if x.dtype == object:
                yield from x.ravel().tolist()
        elif isinstance(x, (ModuleType, type)):
            if _is_users(x.__name__ if isinstance(x, ModuleType) else x.__module__):
                self._objects.append(x)
        elif hasattr(x, "_made_of"):  # a compiled function
            yield x.function
        elif hasattr(x, "__dict__") or _is_users(type(x).__module__):
            self._objects.append(x)
            yield from type(x).__mro__

    def _function(self, f: FunctionType) -> Iterator[Any]:
        users = _is_users(f.__module__ or "")
        for cell in f.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:
                continue
            if users:
                self._cells.append((cell, content))
            if users or callable(content):  # grad(f) is the package's, f the user's
                yield content
        if not users:
            return
        yield from (f.__defaults__ or (), f.__kwdefaults__ or ())
        names = names_of(f.__code__)
        self._attributes |= names
        yield from self._read(f.__globals__, names)

    def _read(self, space: Any, names: Any) -> list[Any]:
        """Watch the names that a namespace has, and answer what they stand for."""
        known = [name for name in sorted(names) if name in space and not isinstance(space[name], ModuleType)]
        modules = [space[name] for name in names if name in space and isinstance(space[name], ModuleType)]
        if known:
            found = tuple([space[name] for name in known])
            read = itemgetter(*known) if len(known) > 1 else partial(_single, known[0])
            self._names.append((space, read, found))
            modules += found
        return modules

    def _attend(self) -> None:
        """The attributes that code names, of objects; methods are code again, which names more."""
        done: set[tuple[int, str]] = set()
        before: tuple[int, int] | None = None
        while before != (before := (len(self._objects), len(self._attributes))):
            for x in list(self._objects):
                space = getattr(x, "__dict__", {})
                if isinstance(x, type):
                    wanted = {n for n in space if n in self._attributes or (n[:2] == "__" and n not in _NOT_CALLED)}
                    wanted = {n for n in wanted if n in self._attributes or isinstance(space[n], FunctionType)}
                elif type(x).__module__ == f"{_OURS}.nn":  # which reads all that it has
                    wanted = {n for n in space if not n.startswith("_compiled_")}
                else:
                    wanted = self._attributes & space.keys()
                new = {n for n in wanted if (id(x), n) not in done}
                done |= {(id(x), n) for n in new}
                for found in self._read(space, new):
                    self._find(found)
                if isinstance(x, (type, ModuleType)):
                    continue
                new = {n for n in self._attributes - space.keys() if hasattr(type(x), n) and (id(x), n) not in done}
                done |= {(id(x), n) for n in new}
                slots = [n for n in sorted(new) if isinstance(getattr(type(x), n), MemberDescriptorType)]
                for name in slots:
                    if hasattr(x, name):
                        self._names.append((x, attrgetter(name), getattr(x, name)))
                        self._find(getattr(x, name))
                if hasattr(x, "__dict__") and (defaults := new.difference(slots)):  # of the class, until it has its own
                    self._names.append((space, defaults.isdisjoint, True))


def _single(name: str, space: Any) -> tuple[Any]:
    return (space[name],)


def names_of(code: CodeType | None) -> set[str]:
    """The names that code reads, functions within it included."""
    if code is None:
        return set()
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, str) and constant.isidentifier():  # getattr(x, "name")
            found.add(constant)
        if isinstance(constant, CodeType):
            found |= names_of(constant)
    return found


def _is_users(module: str) -> bool:
    """Whether a module is the user's: neither this package, nor Python's, nor installed."""
    top = module.partition(".")[0]
    if top in (_OURS, "builtins") or top in sys.stdlib_module_names:
        return top == "__main__"
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return "site-packages" not in file and "dist-packages" not in file


def _same(x: Any, y: Any) -> bool:
    return x is y or (type(x) is type(y) and type(x) in _PLAIN and (x == y or x != x))


def _equal_arrays(x: Any, y: Any) -> bool:
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    if x.dtype == object:
        return x.ravel().tolist() == y.ravel().tolist()  # type: ignore[no-any-return]
    return x.tobytes() == y.tobytes() if x.dtype.kind in "fc" else bool((x == y).all())
