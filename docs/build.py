"""Build the documentation: `python docs/build.py`. Warnings are errors; no network is used.

python docs/build.py                 the site, in docs/_build/html
python docs/build.py --fresh         from nothing, as a release is built
python docs/build.py docs/tutorial/01-computation-graph.md    only this page again (and what it needs)
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(arguments: list[str] | None = None) -> int:
    """Run sphinx-build as the release does; the exit status is Sphinx's."""
    parser = argparse.ArgumentParser(description="Build the documentation into docs/_build/html.")
    parser.add_argument("pages", nargs="*", help="pages to build again; all that changed if none is given")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier builds left")
    options = parser.parse_args(arguments)
    try:
        from sphinx.cmd.build import main as sphinx_build
    except ImportError:
        print('The documentation needs Sphinx: pip install -e ".[docs]"', file=sys.stderr)
        return 2
    output = HERE / "_build"
    site = output / "html"
    if options.fresh:
        shutil.rmtree(output, ignore_errors=True)
    began = time.perf_counter()
    strict = ["-W", "--keep-going", "-q"]
    status: int = sphinx_build([*strict, "-d", str(output / "doctrees"), str(HERE), str(site), *options.pages])
    verdict = "built" if status == 0 else "FAILED"
    print(f"{verdict} in {time.perf_counter() - began:.0f} s: {site / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
