"""How Sphinx builds the documentation: `python docs/build.py`. Every cell is executed, every warning is an error."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "_ext"), str(ROOT)]

# The reference is read from the plain engine, whose docstrings and signatures Python can see; kernels choose freely.
_chosen = os.environ.get("MICROGRADLIKE_ENGINE")
os.environ["MICROGRADLIKE_ENGINE"] = "python"
import microgradlike  # noqa: E402

os.environ.pop("MICROGRADLIKE_ENGINE")
if _chosen is not None:
    os.environ["MICROGRADLIKE_ENGINE"] = _chosen
os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(HERE / "_build" / "hypothesis")
os.environ["IPYTHONDIR"] = str(HERE / "_kernel")  # the same settings for every builder, not their own
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

project = "microgradlike"
author = "the microgradlike authors"
copyright = author
version = release = microgradlike.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "offline",  # _ext/: MathJax copied in, no request leaves a page
    "links",  # _ext/: every link of every page leads somewhere
    "primitives",  # _ext/: the reference of primitives, made from the table
    "beside",  # _ext/: benchmarks and examples, which lie beside the pages
    "readers",  # _ext/: languages, editions, a text for every picture
    "house",  # _ext/: the rooms of the package as a picture, made from its imports
    "docstrings",  # _ext/: `name` is code in docstrings, too
]
exclude_patterns = ["_build", "_ext", "_kernel", "examples", "benchmarks", "**/.ipynb_checkpoints"]
nitpicky = False

# ── pages and cells ─────────────────────────────────────────────────────────────────────────────
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = (
    "cache"  # within one build: a Korean page has the cells of the English one, and shares their results
)
nb_execution_cache_path = str(HERE / "_build" / "cells")
shutil.rmtree(nb_execution_cache_path, ignore_errors=True)  # nothing is remembered from one build to the next
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove-warn"  # a page has nothing to complain about
suppress_warnings = ["config.cache"]

# ── reference ───────────────────────────────────────────────────────────────────────────────────
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what an argument may be
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_preprocess_types = False

# ── look ────────────────────────────────────────────────────────────────────────────────────────
html_theme = "furo"
html_title = f"microgradlike {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
mathjax3_config = {
    "tex": {"macros": {"d": [r"\frac{\partial #1}{\partial #2}", 2]}},
    "options": {"enableMenu": True, "menuOptions": {"settings": {"explorer": False}}},
}
