"""Saving and loading: models, networks and plain state as JSON, exact to the bit. What is read is never executed.

A file says what it is (`"format"`, `"schema"`) and holds only data. Floats are written by `float.hex`, so that the
bits come back; names are looked up in the table of kinds below, never imported. Whatever does not fit exactly, an
unknown key or a number of the wrong kind, is a `LoadError` that says where.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from .arguments.checks import choice
from .datasets import Standardizer
from .files import write_atomically
from .graph.engine import Value
from .nn import MLP, Layer, Module, Neuron
from .optim import Optimizer, Schedule

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
    if isinstance(thing, (Optimizer, Value)):
        cure = "its state_dict()" if isinstance(thing, Optimizer) else "its .data"
        raise TypeError(f"a {type(thing).__name__} cannot be saved by itself: save {cure}")
    document = {"format": FORMAT, "schema": SCHEMA, "content": _write(thing, "it")}
    write_atomically(path, json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


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


def _document(document: Any) -> Any:
    _expect(isinstance(document, dict) and document.get("format") == FORMAT, f'it does not say "format": "{FORMAT}"')
    schema = document.get("schema")
    _expect(type(schema) is int and schema >= 1, f"its schema is {schema!r}, not a number")
    _expect(schema <= SCHEMA, f"its schema is {schema}, this version reads up to {SCHEMA}: update microgradlike")
    _expect(document.keys() == {"format", "schema", "content"}, f"it holds {sorted(document)}")
    return _read(document["content"], "content")


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise LoadError(otherwise)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    _expect(len(found) == len(pairs), f"a key is there twice: {[key for key, _ in pairs]!r:.200}")
    return found


def _bare_number(text: str) -> Any:
    raise LoadError(f"the number {text} is not written exactly: floats are hexadecimal text")


# ── plain data ──────────────────────────────────────────────────────────────────────────────────
# None, bool, int, str and lists are themselves; all else is an object with one key that tells its kind.
def _write(x: Any, place: str) -> Any:
    kind = type(x)
    if x is None or kind in (bool, int, str):
        return x
    if kind is float:
        return {"float": x.hex()}
    if kind is list:
        if x and all(type(item) is float for item in x):
            return {"floats": [item.hex() for item in x]}
        return [_write(item, f"{place}[{i}]") for i, item in enumerate(x)]
    if kind is tuple:
        return {"tuple": [_write(item, f"{place}[{i}]") for i, item in enumerate(x)]}
    if kind is dict:
        strange = [key for key in x if type(key) is not str]
        if strange:
            raise TypeError(f"{place} has the key {strange[0]!r}, which is no text, and cannot be saved")
        return {"dict": {key: _write(item, f"{place}[{key!r}]") for key, item in x.items()}}
    if isinstance(x, Schedule):
        return {"schedule": _write(x.to_dict(), place)}
    if kind is Standardizer:
        return {"standardizer": _write(vars(x), place)}
    if isinstance(x, Module):
        return {"module": _write_module(x, place)}
    if kind.__name__ in _model_kinds() and kind is _model_kinds()[kind.__name__]:
        return {"model": _write_model(x)}
    if hasattr(x, "dtype") and hasattr(x, "tolist"):
        return _write_array(x, place)
    raise TypeError(f"{place} is of type {kind.__name__} and cannot be saved: {x!r:.80}")


def _write_array(x: Any, place: str) -> Any:
    if not getattr(x, "shape", ()):
        return _write(x.item(), place)
    if x.dtype.kind not in "biufUO":
        raise TypeError(f"{place} is an array of {x.dtype} and cannot be saved")
    return {
        "array": {
            "type": "object" if x.dtype.kind == "O" else str(x.dtype),
            "shape": list(x.shape),
            "items": _write(x.ravel().tolist(), place),
        }
    }


def _read(x: Any, place: str) -> Any:
    if x is None or type(x) in (bool, int, str):
        return x
    if type(x) is list:
        return [_read(item, f"{place}[{i}]") for i, item in enumerate(x)]
    _expect(len(x) == 1, f"{place} must have one key that tells its kind, not {sorted(x)!r:.200}")
    [(kind, content)] = x.items()
    reader = _READERS.get(kind)
    if reader is None:
        raise LoadError(f"{place} is of the unknown kind {kind!r}")
    return reader(content, place)


def _float(text: Any, place: str) -> float:
    try:
        number = float.fromhex(text)
    except (TypeError, ValueError, OverflowError):
        raise LoadError(f"{place} is {text!r:.80}, no hexadecimal float") from None
    _expect(number.hex() == text, f"{place} is {text!r:.80}, which is not how a float is written")
    return number


def _floats(items: Any, place: str) -> list[float]:
    _expect(items != [], f"{place} is empty: a list without floats is written as a list")
    return [_float(text, f"{place}[{i}]") for i, text in enumerate(_list(items, place))]


def _list(items: Any, place: str) -> list[Any]:
    _expect(type(items) is list, f"{place} must be a list, not {items!r:.80}")
    return items  # type: ignore[no-any-return]


def _tuple(items: Any, place: str) -> tuple[Any, ...]:
    return tuple(_read(item, f"{place}[{i}]") for i, item in enumerate(_list(items, place)))


def _dict(items: Any, place: str) -> dict[str, Any]:
    _expect(type(items) is dict, f"{place} must be an object, not {items!r:.80}")
    return {key: _read(item, f"{place}[{key!r}]") for key, item in items.items()}


def _fields(content: Any, place: str, names: set[str]) -> dict[str, Any]:
    _expect(type(content) is dict, f"{place} must be an object, not {content!r:.80}")
    _expect(content.keys() == names, f"{place} must hold {sorted(names)}, not {sorted(content)!r:.200}")
    return content  # type: ignore[no-any-return]


def _schedule(content: Any, place: str) -> Schedule:
    plain = _read(content, place)
    _expect(type(plain) is dict, f"{place} describes no schedule")
    try:
        schedule = Schedule.from_dict(plain)
    except (TypeError, ValueError) as error:
        raise LoadError(f"{place} describes no schedule: {error}") from None
    _expect(_write(schedule.to_dict(), place) == content, f"{place} is not how a {type(schedule).__name__} is written")
    return schedule


def _array(content: Any, place: str) -> Any:
    fields = _fields(content, place, {"type", "shape", "items"})
    items = _list(_read(fields["items"], f"{place}.items"), f"{place}.items")
    shape = _list(fields["shape"], f"{place}.shape")
    count = 1
    for n in shape:
        _expect(type(n) is int and n >= 0, f"{place}.shape is {shape!r:.80}")
        count *= n
    _expect(bool(shape) and count == len(items), f"{place} has {len(items)} items for the shape {shape!r:.80}")
    kind = fields["type"]
    known = type(kind) is str and (kind in _ARRAY_TYPES or (kind[:2] in ("<U", ">U") and kind[2:].isdecimal()))
    _expect(known, f"{place} is an array of the unknown type {kind!r:.80}")
    try:
        import numpy as np
    except ImportError:
        _expect(len(shape) == 1, f"{place} is an array with rows and columns, which needs NumPy")
        return items
    array = np.empty(count, dtype=kind)
    try:
        array[:] = items
    except (TypeError, ValueError, OverflowError) as error:
        raise LoadError(f"{place} is no array of {kind}: {error}") from None
    _expect(kind == "object" or array.tolist() == items or any(i != i for i in items), f"{place} does not fit {kind}")
    return array.reshape(shape)


_ARRAY_TYPES = {
    "bool", "object", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64",
}  # fmt: skip


def _standardizer(content: Any, place: str) -> Standardizer:
    plain = _read(content, place)
    scaler = Standardizer()
    if plain == {}:
        return scaler
    _expect(type(plain) is dict and plain.keys() == {"mean_", "scale_"}, f"{place} describes no Standardizer")
    mean, scale = plain["mean_"], plain["scale_"]
    _expect(_are_finite(mean) and _are_finite(scale) and len(mean) == len(scale), f"{place} describes no Standardizer")
    _expect(all(number > 0.0 for number in scale), f"{place} has a scale that is not positive")
    scaler.mean_, scaler.scale_ = mean, scale
    return scaler


def _are_finite(numbers: Any) -> bool:
    return type(numbers) is list and all(type(x) is float and x - x == 0.0 for x in numbers)


# ── networks ────────────────────────────────────────────────────────────────────────────────────
_SETTINGS: dict[type[Module], Callable[[Any], dict[str, Any]]] = {
    MLP: lambda net: {
        "n_inputs": len(net.layers[0].neurons[0].w),
        "sizes": [len(layer.neurons) for layer in net.layers],
        "activation": net.activation,
        "output_activation": net.output_activation,
        "bias": net.layers[0].neurons[0].b is not None,
    },
    Layer: lambda layer: {
        "n_inputs": len(layer.neurons[0].w),
        "n_outputs": len(layer.neurons),
        "activation": layer.activation,
        "bias": layer.neurons[0].b is not None,
    },
    Neuron: lambda neuron: {
        "n_inputs": len(neuron.w),
        "activation": neuron.activation,
        "bias": neuron.b is not None,
    },
}
_MODULES: dict[str, Any] = {kind.__name__: kind for kind in _SETTINGS}


def _write_module(module: Module, place: str) -> dict[str, Any]:
    if type(module) not in _SETTINGS:
        raise TypeError(
            f"{place} is a {type(module).__name__}, which cannot be built again from data: save its state_dict(), and "
            "give that to load_state_dict of a new one"
        )
    named = list(module.named_parameters())
    return {
        "kind": type(module).__name__,
        "settings": _write(_SETTINGS[type(module)](module), f"the settings of {place}"),
        "names": [name for name, _ in named],
        "numbers": [parameter.data.hex() for _, parameter in named],
        "labels": [parameter.label for _, parameter in named],
    }


def _module(content: Any, place: str) -> Module:
    fields = _fields(content, place, {"kind", "settings", "names", "numbers", "labels"})
    kind, settings = _MODULES.get(str(fields["kind"])), _read(fields["settings"], f"{place}.settings")
    if kind is None or type(settings) is not dict:
        raise LoadError(f"{place} is a network of the unknown kind {fields['kind']!r:.80}")
    names, labels = _list(fields["names"], f"{place}.names"), _list(fields["labels"], f"{place}.labels")
    numbers = [_float(text, f"{place}.numbers") for text in _list(fields["numbers"], f"{place}.numbers")]
    try:
        # A size that the numbers do not bear out is refused before anything of that size is built.
        if _n_parameters(settings) != len(numbers):
            raise ValueError(f"there are {len(numbers)} numbers, not as many as its sizes say")
        module: Module = kind(**settings, initializer="zeros")
    except (TypeError, ValueError, KeyError) as error:
        raise LoadError(f"{place} describes no {kind.__name__}: {error}") from None
    _expect(_SETTINGS[kind](module) == settings, f"{place} has settings that no {kind.__name__} has: {settings!r:.200}")
    named = list(module.named_parameters())
    _expect([name for name, _ in named] == names, f"{place} has other parameters than a {module!r}")
    _expect(len(labels) == len(named), f"{place} has {len(labels)} labels for {len(named)} parameters")
    for (_, parameter), number, label in zip(named, numbers, labels, strict=True):
        _expect(label is None or type(label) is str, f"{place} has the label {label!r:.80}, which is no text")
        parameter.data, parameter.label = number, label
    return module


def _n_parameters(settings: dict[str, Any]) -> int:
    widths = [settings["n_inputs"], *settings.get("sizes", [settings.get("n_outputs", 1)])]
    if not all(type(width) is int and width > 0 for width in widths):
        raise ValueError(f"widths {widths!r:.80}")
    return sum((n + bool(settings["bias"])) * m for n, m in pairwise(widths))


# ── models ──────────────────────────────────────────────────────────────────────────────────────
def _model_kinds() -> dict[str, Any]:
    from . import models

    return {
        kind.__name__: kind
        for kind in (models.LogisticRegression, models.SoftmaxRegression, models.MLPClassifier, models.MLPRegressor)
    }


def _write_model(model: Any) -> dict[str, Any]:
    name = type(model).__name__
    model._plan()  # what load would refuse is not written
    params = {key: _write(value, f"{key} of {name}") for key, value in model.get_params().items()}
    learnt = {key: _write(value, f"{key} of {name}") for key, value in vars(model).items() if key.endswith("_")}
    return {"kind": name, "hyperparameters": params, "learnt": learnt}


def _model(content: Any, place: str) -> Any:
    fields = _fields(content, place, {"kind", "hyperparameters", "learnt"})
    kinds = _model_kinds()
    try:
        kind = kinds[choice("kind of model", fields["kind"], kinds)]
    except (TypeError, ValueError) as error:
        raise LoadError(f"{place}: {error}") from None
    params = _dict(fields["hyperparameters"], f"{place}.hyperparameters")
    known = kind().get_params()
    _expect(
        params.keys() == known.keys(),
        f"{place} must have the hyperparameters {sorted(known)}, not {sorted(params)!r:.300}",
    )
    model = kind(**params)
    try:
        model._plan()
    except (TypeError, ValueError) as error:
        raise LoadError(f"{place}.hyperparameters: {error}") from None
    learnt = _dict(fields["learnt"], f"{place}.learnt")
    if learnt:
        try:
            problem = model._problem(learnt)
        except (TypeError, ValueError) as error:
            problem = str(error)
        _expect(problem is None, f"{place}.learnt: {problem}")
        model.__dict__.update(learnt)
    return model


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "float": _float, "floats": _floats, "tuple": _tuple, "dict": _dict, "schedule": _schedule,
    "array": _array, "standardizer": _standardizer, "module": _module, "model": _model,
}  # fmt: skip
