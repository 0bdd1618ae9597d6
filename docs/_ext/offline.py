"""MathJax, copied into the site from the PyPI package that ships it, so that a page works without a network."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.errors import ExtensionError

PACKAGE = "sphinx-mathjax-offline"  # also the name of the module: MathJax 3.2.2, Apache licence
PARTS = ["tex-chtml.js", "output/chtml/fonts/woff-v2"]  # of its 24 MB, what our pages load


def copy_mathjax(app: Any) -> None:
    """Put the parts of MathJax that pages load into a folder of static files."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ExtensionError(f'formulas need MathJax: pip install {PACKAGE} (it is in the extra "docs")')
    source = Path(spec.origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / part, target / part)


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("builder-inited", lambda app: copy_mathjax(app) if app.builder.format == "html" else None)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
