"""Saving and loading: models, networks and plain state as JSON, exact to the bit. What is read is never executed.

A file says what it is (`"format"`, `"schema"`) and holds only data. Floats are written by `float.hex`, so that the
bits come back; names are looked up in the table of kinds below, never imported. Whatever does not fit exactly, an
unknown key or a number of the wrong kind, is a `LoadError` that says where.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from .files import write_atomically
from .graph.engine import Value

__all__ = ["LoadError", "load", "save"]

FORMAT, SCHEMA = "microgradlike", 1


class LoadError(ValueError):
    """A file is not what `save` writes; the message says where it differs."""


def save(thing: Any, path: str | os.PathLike[str]) -> None:
    """Writes a model, a network or plain data to a JSON file, whole or not at all.

    Args:
        thing: a model of `microgradlike.models`, fitted or not; an `nn.MLP`, `nn.Layer` or `nn.Neuron`; or plain
            data: None, bool, int, float, str, lists, tuples and dicts of them with text as keys, and arrays. A state
            dict is plain data, that of your own Module or of an optimiser, too.
        path: the file; its folder must exist.

    Raises TypeError for anything else (a function as activation, say), ValueError for a model whose hyperparameters
    make no sense, OSError if the file cannot be written.

    >>> import tempfile, os
    >>> from microgradlike import nn
    >>> net = nn.MLP(2, [3, 1], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.json")
    ...     save(net, path)
    ...     again = load(path)
    >>> again.state_dict() == net.state_dict()
    True
    """
    if isinstance(thing, Value):
        raise TypeError(f"a {type(thing).__name__} cannot be saved by itself: save its .data")
    document = {"format": FORMAT, "schema": SCHEMA, "content": to_json(thing, "it")}
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomically(path, re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text) + "\n")


def load(path: str | os.PathLike[str]) -> Any:
    """What `save` wrote to this file.

    Raises LoadError (a ValueError) for a file that is malformed, of a newer schema, or describes nothing that can
    be; OSError if it cannot be read. Nothing in the file is executed.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        document = json.loads(text, object_pairs_hook=_object, parse_float=_bare_number, parse_constant=_bare_number)
        return _document(document)
    except LoadError as error:
        raise LoadError(f"{os.fspath(path)!r} is no file of microgradlike's: {error}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise LoadError(f"{os.fspath(path)!r} is no file of microgradlike's: no JSON text ({error})") from None
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise LoadError(f"{os.fspath(path)!r} holds what cannot be: {error}") from None


def _document(document: Any) -> Any:
    expect(isinstance(document, dict) and document.get("format") == FORMAT, f'it does not say "format": "{FORMAT}"')
    schema = document.get("schema")
    expect(type(schema) is int and schema >= 1, f"its schema is {schema!r}, not a number")
    expect(schema <= SCHEMA, f"its schema is {schema}, this version reads up to {SCHEMA}: update microgradlike")
    expect(document.keys() == {"format", "schema", "content"}, f"it holds {sorted(document)}")
    return from_json(document["content"], "content")


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise LoadError(otherwise)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    expect(len(found) == len(pairs), f"a key is there twice: {[key for key, _ in pairs]!r:.200}")
    return found


def _bare_number(text: str) -> Any:
    raise LoadError(f"the number {text} is not written exactly: floats are hexadecimal text")


# ── plain data ──────────────────────────────────────────────────────────────────────────────────
# None, bool, int, str and lists are themselves; all else is an object with one key that tells its kind.
def to_json(x: Any, place: str) -> Any:
    kind = type(x)
    if x is None or kind in (bool, int, str):
        return x
    if kind is float:
        return {"float": x.hex()}
    if kind is list:
        if x and all(type(item) is float for item in x):
            return {"floats": [item.hex() for item in x]}
        return [to_json(item, f"{place}[{i}]") for i, item in enumerate(x)]
    if kind is tuple:
        return {"tuple": [to_json(item, f"{place}[{i}]") for i, item in enumerate(x)]}
    if kind is dict:
        strange = [key for key in x if type(key) is not str]
        if strange:
            raise TypeError(f"{place} has the key {strange[0]!r}, which is no text, and cannot be saved")
        return {"dict": {key: to_json(item, f"{place}[{key!r}]") for key, item in x.items()}}
    for name, (base, written, _) in _kinds.items():
        if isinstance(x, base):
            return {name: written(x, place)}
    if hasattr(x, "dtype") and hasattr(x, "tolist"):
        return _write_array(x, place)
    cure = ": save its state_dict()" if hasattr(x, "state_dict") else f": {x!r:.80}"
    raise TypeError(f"{place} is of type {kind.__name__} and cannot be saved{cure}")


def _write_array(x: Any, place: str) -> Any:
    if not getattr(x, "shape", ()):
        return to_json(x.item(), place)
    if x.dtype.kind not in "biufUO":
        raise TypeError(f"{place} is an array of {x.dtype} and cannot be saved")
    return {
        "array": {
            "type": "object" if x.dtype.kind == "O" else str(x.dtype),
            "shape": list(x.shape),
            "items": to_json(x.ravel().tolist(), place),
        }
    }


def from_json(x: Any, place: str) -> Any:
    if x is None or type(x) in (bool, int, str):
        return x
    if type(x) is list:
        return [from_json(item, f"{place}[{i}]") for i, item in enumerate(x)]
    expect(len(x) == 1, f"{place} must have one key that tells its kind, not {sorted(x)!r:.200}")
    [(kind, content)] = x.items()
    if kind in _HOMES:
        import_module(_HOMES[kind])
    reader = _kinds[kind][2] if kind in _kinds else _READERS.get(kind)
    if reader is None:
        raise LoadError(f"{place} is of the unknown kind {kind!r}")
    return reader(content, place)


def float_of(text: Any, place: str) -> float:
    try:
        number = float.fromhex(text)
    except (TypeError, ValueError, OverflowError):
        raise LoadError(f"{place} is {text!r:.80}, no hexadecimal float") from None
    expect(number.hex() == text, f"{place} is {text!r:.80}, which is not how a float is written")
    return number


def _floats(items: Any, place: str) -> list[float]:
    expect(items != [], f"{place} is empty: a list without floats is written as a list")
    return [float_of(text, f"{place}[{i}]") for i, text in enumerate(list_of(items, place))]


def list_of(items: Any, place: str) -> list[Any]:
    expect(type(items) is list, f"{place} must be a list, not {items!r:.80}")
    return items  # type: ignore[no-any-return]


def _tuple(items: Any, place: str) -> tuple[Any, ...]:
    return tuple(from_json(item, f"{place}[{i}]") for i, item in enumerate(list_of(items, place)))


def dict_of(items: Any, place: str) -> dict[str, Any]:
    expect(type(items) is dict, f"{place} must be an object, not {items!r:.80}")
    return {key: from_json(item, f"{place}[{key!r}]") for key, item in items.items()}


def fields_of(content: Any, place: str, names: set[str]) -> dict[str, Any]:
    expect(type(content) is dict, f"{place} must be an object, not {content!r:.80}")
    expect(content.keys() == names, f"{place} must hold {sorted(names)}, not {sorted(content)!r:.200}")
    return content  # type: ignore[no-any-return]


_WIDEST = 1000  # letters that an array of text may have room for, if no item is longer


def _array(content: Any, place: str) -> Any:
    fields = fields_of(content, place, {"type", "shape", "items"})
    items = list_of(from_json(fields["items"], f"{place}.items"), f"{place}.items")
    shape = list_of(fields["shape"], f"{place}.shape")
    count = 1
    for n in shape:
        expect(type(n) is int and n >= 0, f"{place}.shape is {shape!r:.80}")
        count *= n
    expect(bool(shape) and count == len(items), f"{place} has {len(items)} items for the shape {shape!r:.80}")
    kind = fields["type"]
    known = type(kind) is str and (kind in _ARRAY_TYPES or (kind[:2] in ("<U", ">U") and kind[2:].isdecimal()))
    expect(known, f"{place} is an array of the unknown type {kind!r:.80}")
    if kind[1] == "U":  # each item takes as much room as the type says
        longest = max((len(item) for item in items if type(item) is str), default=0)
        expect(int(kind[2:]) <= max(longest, _WIDEST), f"{place} is an array of type {kind}, for items of {longest}")
    try:
        import numpy as np
    except ImportError:
        expect(len(shape) == 1, f"{place} is an array with rows and columns, which needs NumPy")
        return items
    array = np.empty(count, dtype=kind)
    try:
        array[:] = items
    except (TypeError, ValueError, OverflowError) as error:
        raise LoadError(f"{place} is no array of {kind}: {error}") from None
    expect(kind == "object" or array.tolist() == items or any(i != i for i in items), f"{place} does not fit {kind}")
    return array.reshape(shape)


_ARRAY_TYPES = {
    "bool", "object", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64",
}  # fmt: skip


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "float": float_of, "floats": _floats, "tuple": _tuple, "dict": dict_of, "array": _array,
}  # fmt: skip

# ── kinds that live elsewhere, each with its class ──────────────────────────────────────────────
_HOMES = {
    "schedule": "microgradlike.optim",
    "standardizer": "microgradlike.datasets",
    "module": "microgradlike.nn",
    "model": "microgradlike.models",
}
_kinds: dict[str, tuple[type, Callable[[Any, str], Any], Callable[[Any, str], Any]]] = {}


def saved_as(name: str, base: type, written: Callable[[Any, str], Any], read: Callable[[Any, str], Any]) -> None:
    """Things of this class are written and read like that: `written(x, place)` is plain JSON, `read(content, place)` x.

    Raises ValueError for a name that a file may not hold: what is read is known here, whatever else is loaded.
    """
    if name not in _HOMES:
        raise ValueError(f"no file holds the kind {name!r}: choose {', '.join(_HOMES)}")
    _kinds[name] = (base, written, read)
