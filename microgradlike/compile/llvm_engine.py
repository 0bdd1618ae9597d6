"""Native code in this process: kernels are compiled once, when first needed, and kept on disk for the next process."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from .. import floats
from .llvm_kernels import DRIVER, kernel
from .llvm_text import AGAIN

__all__ = ["Engine", "cache_folder", "engine"]

_MAGIC = b"microgradlike native code 1\n"
_DRIVER = ("run", "tiles")


def cache_folder() -> Path | None:
    """Where native code is kept: MICROGRADLIKE_CACHE, or the user's cache folder; None if the variable is empty."""
    chosen = os.environ.get("MICROGRADLIKE_CACHE")
    if chosen is not None:
        return Path(chosen) if chosen.strip() else None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~\\AppData\\Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(base).expanduser() / "microgradlike"
    except RuntimeError:
        return None


class Engine:
    """The machine code of this process."""

    def __init__(self) -> None:
        from llvmlite import binding

        self._binding = binding
        with suppress(RuntimeError):  # newer versions initialise by themselves, and say so
            binding.initialize()
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        self._cpu = binding.get_host_cpu_name()
        features = binding.get_host_cpu_features().flatten()
        self._features = features
        self._machine = binding.Target.from_default_triple().create_target_machine(
            cpu=self._cpu, features=features, opt=2, codemodel="jitdefault"
        )
        self._jit = binding.create_mcjit_compiler(binding.parse_assembly(""), self._machine)
        for name in AGAIN:
            binding.add_symbol(f"microgradlike.{name}", ctypes.cast(_again(name), ctypes.c_void_p).value)
        self._addresses: dict[str, int] = {}
        self._lock = threading.RLock()

    def kernels(self, names: Iterable[str], cache: bool) -> dict[str, int]:
        """The addresses of these kernels."""
        with self._lock:
            missing = sorted({n for n in names if n not in self._addresses})
            if "run" not in self._addresses:
                self._add(DRIVER, _DRIVER, cache)
            if missing:
                functions = [kernel(name) for name in missing]
                declared = sorted(set().union(*[f.declared for f in functions]))
                self._add("\n".join([*declared, *(f.text() for f in functions)]), missing, cache)
            return self._addresses

    def function(self, text: str, name: str, cache: bool) -> int:
        """The address of one function of its own text."""
        with self._lock:
            if name not in self._addresses:
                self._add(text, [name], cache)
            return self._addresses[name]

    def _add(self, text: str, names: Iterable[str], cache: bool) -> None:
        binding = self._binding
        # Not the version of our own code: the text that is compiled is part of the key itself.
        key = hashlib.sha256(
            "\0".join([text, self._cpu, self._features, ".".join(map(str, binding.llvm_version_info))]).encode()
        ).hexdigest()
        code = _read(key) if cache else None
        if code is None:
            code = self._compiled(text)
            if cache:
                _write(key, code)
        self._jit.add_object_file(binding.ObjectFileRef.from_data(code))
        self._jit.finalize_object()
        for name in names:
            address = self._jit.get_function_address(name)
            if not address:
                raise RuntimeError(f"native code for {name!r} was not linked")
            self._addresses[name] = address

    def _compiled(self, text: str) -> bytes:
        binding = self._binding
        module = binding.parse_assembly(text)
        module.triple = self._machine.triple
        options = binding.create_pipeline_tuning_options(speed_level=2)
        builder = binding.create_pass_builder(self._machine, options)
        builder.getModulePassManager().run(module, builder)
        return bytes(self._machine.emit_object(module))


_engine: list[Engine] = []
_engine_lock = threading.Lock()


def engine() -> Engine:
    """The engine of this process."""
    with _engine_lock:
        if not _engine:
            _engine.append(Engine())
        return _engine[0]


# ── the cache on disk ───────────────────────────────────────────────────────────────────────────
def _read(key: str) -> bytes | None:
    """The code kept under this key, if the file is whole and ours."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / f"{key}.o"
    try:
        if hasattr(os, "getuid"):
            about = path.stat()
            if about.st_uid != os.getuid() or about.st_mode & 0o022:
                return None  # somebody else could have written it
        data = path.read_bytes()
    except OSError:
        return None
    head = len(_MAGIC) + 32
    code = data[head:]
    if not data.startswith(_MAGIC) or hashlib.sha256(key.encode() + code).digest() != data[len(_MAGIC) : head]:
        return None
    return code


def _write(key: str, code: bytes) -> None:
    """Keep the code, whole or not at all; a folder that cannot be written to is no error."""
    folder = cache_folder()
    if folder is None:
        return
    name = None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(key.encode() + code).digest() + code)
        os.replace(name, folder / f"{key}.o")
    except OSError:
        if name is not None:
            with suppress(OSError):
                os.unlink(name)
    except BaseException:
        if name is not None:
            with suppress(OSError):
                os.unlink(name)
        raise


# ── from native code back to the eager engine ───────────────────────────────────────────────────
_NUMBERS = ctypes.POINTER(ctypes.c_double)
_AGAIN = ctypes.CFUNCTYPE(
    None, _NUMBERS, ctypes.POINTER(ctypes.c_int64), ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, _NUMBERS
)
_raised = threading.local()  # what a function called from native code has raised, say KeyboardInterrupt


@cache  # kept as long as the code that calls it
def _again(name: str) -> Any:
    """The eager engine's function as one that native code can call for some lanes: see `again` of llvm_text.py."""

    def again(base: Any, table: Any, stride: int, k: int, lanes: int, result: Any) -> None:
        try:
            if result[0] == 2.0:  # the last call ended before this line: only a signal can do that
                _raised.error = KeyboardInterrupt()
            exact, lane = getattr(floats, name), 0
            while lanes >> lane:
                if lanes >> lane & 1:
                    result[lane + 1] = exact(*[base[(table[j] if table else j * stride) + lane] for j in range(k)])
                lane += 1
            result[0] = 0.0
        except BaseException as error:  # native code cannot pass it on
            _raised.error = error
            result[0] = 0.0

    return _AGAIN(again)


def _raise(result: Any, function: Any, arguments: Any) -> None:
    """After every call of native code: what has been raised on its way."""
    error = getattr(_raised, "error", None)
    if error is not None:
        del _raised.error
        raise error


RUN = ctypes.CFUNCTYPE(
    None, *[ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
)
TILES = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64,
    ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
)  # fmt: skip


def prototypes(addresses: dict[str, int]) -> tuple[Any, Any]:
    """The two drivers as Python functions; they run without the interpreter's lock."""
    run, tiles = RUN(addresses["run"]), TILES(addresses["tiles"])
    run.errcheck = tiles.errcheck = _raise  # type: ignore[assignment]
    return run, tiles
