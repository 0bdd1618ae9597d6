"""How installing writes the table as C and compiles with it value.py to `microgradlike._value`, native/calls.pyx to
`microgradlike._calls` and native/module.c to `microgradlike._native`; or does without.

compile/passes.py becomes `microgradlike.compile._passes` likewise. What wheels and the sdist hold is said here, too: a
wheel what runs, the sdist all that is built, tested and read. Two builds with one SOURCE_DATE_EPOCH are equal bytes.

setuptools calls this (pyproject.toml names it); the package never imports it.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import os
import platform
import sys
import sysconfig
import tarfile
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

from setuptools import Extension
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = os.path.dirname(os.path.abspath(__file__))

FLAGS = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math"]  # the last: else gcc makes no vectors of comparisons
PROCESSORS = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": [
        "-mavx2",
        "-mfma",
        *(f"-mavx512{x}" for x in ("f", "dq", "vl", "bw", "cd")),
        "-mprefer-vector-width=512",
    ],
}


# What the C of the table is made of, and what each extension is; engine.py compares, lest one that was built in place
# shadows later edits.
TABLE = (
    "ops.py", "floats/careful.py", "floats/coefficients.py", "native/rows.py", "native/c_text.py", "native/lists.h",
    "native/maths.h", "native/pairs.h", "native/scalar.h", "native/trigonometry.h",
)  # fmt: skip
SOURCES = {
    "microgradlike._value": ("value.py", "value.pxd", "native/eager.h", "native/buffers.h", *TABLE),
    "microgradlike._calls": ("native/calls.pyx", "native/interpreter.h", "native/buffers.h", *TABLE),
    "microgradlike.compile._passes": ("compile/passes.py",),
}
BUILDING = ("_build.py", "native/loops.py", "native/rows.py", "draw/picture/fonts/build.py")  # no wheel has them
PLAIN = os.environ.get("MICROGRADLIKE_ENGINE") == "python"


def why_plain() -> str | None:
    """Why no extension is built here, or None. Their locks count on the GIL, so without one the plain engine runs."""
    if PLAIN:
        return "MICROGRADLIKE_ENGINE=python"
    return "this Python has no global lock" if sysconfig.get_config_var("Py_GIL_DISABLED") else None


def fingerprint(texts: Iterable[str]) -> str:
    """What tells these texts from later ones."""
    return hashlib.sha256("".join(texts).encode("utf-8")).hexdigest()


def source_module(name: str) -> Any:
    """A module of the package as it lies here, say "native.rows", without running the package's __init__."""
    package = sys.modules.get("_microgradlike_source")
    if package is None:
        package = sys.modules["_microgradlike_source"] = ModuleType("_microgradlike_source")
        package.__path__ = [HERE]
    return importlib.import_module(f"_microgradlike_source.{name}")


def _read(*path: str) -> str:
    with open(os.path.join(HERE, *path), encoding="utf-8") as file:
        return file.read()


class BuildExtension(build_ext):  # type: ignore[misc]  # setuptools has no types
    """Translates each extension with Cython and compiles it; without Cython or a compiler, skips it and says so."""

    _one_at_a_time = threading.RLock()  # writing C takes Python; only compilers run side by side

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel: Any = self.parallel or True
        self._headers: set[str] = set()

    def build_extension(self, ext: Any) -> None:
        if reason := why_plain():
            self.warn(f"{reason}: the compiled engine is not built")
            return
        self.force = True  # generated text may be new where the sources are not
        try:
            ext.include_dirs = [self._folder("microgradlike"), os.path.join(HERE, "native")]
            native = ext.name.endswith("_native")
            with self._one_at_a_time:
                self._write("rows")
                if native:
                    self._write("loops")
                else:
                    ext.sources = [self._translated(ext.name)]
            if native:
                self._for_each_processor(ext)
            if self.compiler.compiler_type == "unix":
                # Every operation is rounded as written. Debugging symbols would be four fifths of the file, and -O3
                # takes a third more of the compiler's time for what -O2 does as well.
                ext.extra_compile_args = ["-O2", "-g0", "-ffp-contract=off", "-fno-math-errno"]
            super().build_extension(ext)
        except Exception as error:  # whatever is missing, the plain engine works
            self.warn(f"{ext.name} was not built, the plain engine will run: {error}")

    def _folder(self, *packages: str) -> str:
        folder = os.path.join(self.build_temp, *packages)
        os.makedirs(folder, exist_ok=True)
        return folder

    def _write(self, name: str) -> None:
        """A header that native/ generates, rows.h say; once, for others may be reading it."""
        if name in self._headers:
            return
        self._headers.add(name)
        with open(os.path.join(self._folder("microgradlike"), f"{name}.h"), "w", encoding="utf-8") as file:
            file.write(source_module(f"native.{name}").text())

    def _for_each_processor(self, ext: Any) -> None:
        """The runtime once for each kind of processor, from one text; native/module.c chooses when it is loaded."""
        kinds: dict[str, list[str]] = {"plain": []}
        unix = self.compiler.compiler_type == "unix"
        if (
            unix
            and platform.machine().lower() in ("x86_64", "amd64")
            and "arm64" not in os.environ.get("ARCHFLAGS", "")
        ):
            kinds |= PROCESSORS
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(lambda kind: self._objects(ext, kind, kinds[kind], unix), kinds))
        ext.define_macros = [(f"HAVE_{kind.upper()}", "1") for kind, made in zip(kinds, objects, strict=True) if made]
        ext.extra_objects = [each for made in objects for each in made]

    def _objects(self, ext: Any, kind: str, flags: list[str], unix: bool) -> list[str]:
        """The objects for one kind of processor; none if the compiler does not know it."""

        def compiled(source: str, contract: str) -> list[str]:
            options = [*FLAGS, f"-ffp-contract={contract}", *flags] if unix else []
            source, target = os.path.join(HERE, "native", source), os.path.join(self.build_temp, kind)
            macros, include = [("ISA", f"_{kind}")], ext.include_dirs
            made = self.compiler.compile(
                [source], output_dir=target, macros=macros, include_dirs=include, extra_postargs=options
            )
            return list(made)

        try:
            return compiled("runtime.c", "off") + compiled("products.c", "fast")  # as written; with fused sums
        except Exception:
            if kind == "plain":
                raise
            return []

    def _translated(self, extension: str) -> str:
        """The C source of an extension, which Cython makes of copies in the build's folder."""
        from Cython.Build import cythonize

        # Under its own name an extension would shadow value.py and later edits of it.
        *packages, name = extension.split(".")
        sources = SOURCES[extension]
        built = fingerprint(_read(*path.split("/")) for path in sources)
        text = _read(*sources[0].split("/"))
        kind = sources[0].rpartition(".")[2]
        copies = {f"{name}.{kind}": f"{text}\n\nSOURCES, BUILT_FROM = {sources!r}, {built!r}\n"}
        if name == "_value":
            copies["_value.pxd"] = _read("value.pxd")
        folder = self._folder(*packages)
        for depth in range(1, len(packages) + 1):
            open(os.path.join(self.build_temp, *packages[:depth], "__init__.py"), "w").close()
        for file, text in copies.items():
            with open(os.path.join(folder, file), "w", encoding="utf-8") as copy:
                copy.write(text)
        made = Extension(extension, [os.path.join(folder, next(iter(copies)))])
        directives = {"language_level": "3", "annotation_typing": True, "cdivision": False, "binding": True}
        (translated,) = cythonize([made], compiler_directives=directives, quiet=True, force=True)  # type: ignore[no-untyped-call]
        return str(translated.sources[0])

    def copy_extensions_to_source(self) -> None:
        try:
            super().copy_extensions_to_source()
        except Exception as error:
            self.warn(f"no compiled engine to put beside the source: {error}")

    def get_outputs(self) -> list[str]:
        return [path for path in super().get_outputs() if os.path.exists(path)]

    def get_source_files(self) -> list[str]:
        native = sorted(file for file in os.listdir(os.path.join(HERE, "native")) if not file.startswith("_"))
        sources = ["value.pxd", *(f"native/{file}" for file in native if file.endswith((".c", ".h", ".pyx")))]
        return [*super().get_source_files(), *(f"microgradlike/{file}" for file in sources)]


class BuildModules(build_py):  # type: ignore[misc]
    """Copies the modules that run; what only building needs stays behind."""

    def build_module(self, module: str, module_file: str, package: str) -> Any:
        path = "/".join([*(package if isinstance(package, (list, tuple)) else package.split(".")), f"{module}.py"])
        return None if path.partition("/")[2] in BUILDING else super().build_module(module, module_file, package)


class Wheel(bdist_wheel):  # type: ignore[misc]
    """Without extensions, a wheel for every platform."""

    def finalize_options(self) -> None:
        if PLAIN:
            self.distribution.ext_modules = []
        super().finalize_options()


class SourceDistribution(sdist):  # type: ignore[misc]
    """Adds tests and docs, and makes the same archive from the same files, whoever packs them."""

    def make_release_tree(self, base_dir: str, files: Iterable[str]) -> None:
        more: list[str] = []
        for top in ("tests", "docs"):
            for folder, folders, names in os.walk(top):
                folders[:] = [f for f in folders if f not in ("_build", "__pycache__", "out") and f[0] != "."]
                more += [os.path.join(folder, name) for name in names if name[0] != "." and not name.endswith(".pyc")]
        super().make_release_tree(base_dir, sorted({*files, *more}))

    def make_archive(self, base_name: str, format: str, root_dir: Any = None, base_dir: Any = None, **who: Any) -> str:
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if format != "gztar" or epoch is None:
            made: str = super().make_archive(base_name, format, root_dir, base_dir, **who)
            return made

        def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = int(epoch)
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        name = f"{base_name}.tar.gz"
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with (
            gzip.GzipFile(name, "wb", mtime=int(epoch)) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(base_dir, filter=plain)  # in the order of names
        return name
