"""What a bug report needs to know of an installation: `python -m microgradlike version --all`. It changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
from importlib import import_module, metadata

OPTIONAL = (
    "graphviz", "resvg-py", "numpy", "scipy", "scikit-learn", "matplotlib", "ipython", "reportlab", "pillow", "tqdm",
    "hypothesis", "mpmath", "networkx", "pandas", "polars", "jax", "torch", "Cython",
)  # fmt: skip


def described() -> list[tuple[str, str]]:
    """(name, what it is here) of everything that may decide how the package behaves."""
    import microgradlike as mg

    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    versions = {name: _version_of(name) for name in OPTIONAL}
    settings = [f"{name}={text}" for name, text in sorted(os.environ.items()) if name.startswith("MICROGRADLIKE_")]
    return [
        ("microgradlike", mg.__version__),
        ("engine", "compiled" if mg.compiled else f"plain ({_why_plain()})"),
        ("backends of compile", ", ".join(_backends())),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}{'' if gil else ', without GIL'}"),
        ("built by", platform.python_compiler()),
        ("platform", f"{platform.platform()}, {sysconfig.get_platform()}"),
        ("processors", str(os.cpu_count())),
        ("text", f"console {sys.stdout.encoding}, names of files {sys.getfilesystemencoding()}"),
        ("Graphviz's dot", "found" if shutil.which("dot") else "not found"),
        ("settings", ", ".join(settings) or "none"),
        ("installed", ", ".join(f"{name} {version}" for name, version in versions.items() if version)),
        ("not installed", ", ".join(name for name, version in versions.items() if not version) or "none"),
    ]


def _version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _why_plain() -> str:
    if os.environ.get("MICROGRADLIKE_ENGINE", "").strip().lower() == "python":
        return "MICROGRADLIKE_ENGINE asks for it"
    try:
        import_module("microgradlike._value")
    except ImportError as error:
        return "no extension was built" if isinstance(error, ModuleNotFoundError) else f"the extension fails: {error}"
    return "the extension was built from other sources"


def _backends() -> list[str]:
    from .compile.compiled import find_native
    from .graph.installed import installed

    found = ["python", *(["numpy"] if installed("numpy") else [])]
    if find_native():
        found.append(f"native ({import_module('microgradlike._native').isa})")
    return found
