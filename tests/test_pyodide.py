"""Pyodide, CPython compiled to WebAssembly, runs the plain engine: the tour in Node and in Chromium, tests in Node.

Needs the npm package `pyodide`: MICROGRADLIKE_PYODIDE names its folder, and MICROGRADLIKE_PYODIDE_SITE a folder of
pure-Python packages (pytest, hypothesis, mpmath and what they need) for the tests. .ci/run makes both.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYODIDE = os.environ.get("MICROGRADLIKE_PYODIDE", "")
SITE = os.environ.get("MICROGRADLIKE_PYODIDE_SITE", "")
pytestmark = pytest.mark.skipif(not PYODIDE, reason="MICROGRADLIKE_PYODIDE names no folder of the npm package pyodide")

TOUR = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "/src")
import microgradlike as mg
from microgradlike.tour import tour
assert not mg.compiled
assert tour("/tmp/tour") == 0
x = mg.Value(2.0, label="x")
drawing = mg.draw(mg.tanh(x))
assert drawing.to_svg().startswith("<svg") and "tanh" in mg.live(mg.tanh(x)).to_html()
try:
    drawing.to_png()
except ImportError as error:
    assert "resvg-py" in str(error)
else:
    raise AssertionError("a PNG without resvg-py")
y = x
for _ in range(2000):  # at some 5,000, even tuples within tuples overflow the stack when they are freed
    y = y + 1.0
y.backward()
assert x.grad == 1.0
"""

TESTS = """
import os, sys
sys.dont_write_bytecode = True
sys.path[:0] = ["/src", "/site"]
os.chdir("/src")
import pytest
files = ["test_accuracy.py::test_every_case_of_the_reference_is_met", "test_parsing.py", "test_losses.py"]
plain = ["-p", "no:cacheprovider", "-o", "faulthandler_timeout=0", "-o", "addopts=", "-q", "-k", "not careful"]
assert pytest.main([*plain, *("tests/" + file for file in files)]) == 0
"""


def run(code, tmp_path, *folders):
    if shutil.which("node") is None:
        pytest.skip("there is no Node on this machine")
    (tmp_path / "code.py").write_text(code, "utf-8")
    module = str(Path(PYODIDE) / "pyodide.mjs")
    command = ["node", str(ROOT / "tests" / "pyodide.mjs"), module, str(tmp_path / "code.py"), *folders]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_tour_in_node(tmp_path):
    assert "57 figures" in run(TOUR, tmp_path, f"/src={ROOT}")


@pytest.mark.skipif(not SITE, reason="MICROGRADLIKE_PYODIDE_SITE names no folder of pytest, hypothesis and mpmath")
def test_every_reference_case_and_some_tests_in_node(tmp_path):
    """61 operations by another C library's exp, log, sin: values, partials, specials."""
    told = run(TESTS, tmp_path, f"/src={ROOT}", f"/site={SITE}")
    assert " passed" in told and "failed" not in told


def test_the_tour_in_chromium(browser, tmp_path):
    """Served from this machine, as Pyodide cannot be loaded from a file; nothing is asked of any other."""
    for file in Path(PYODIDE).iterdir():
        if file.suffix in (".mjs", ".js", ".wasm", ".zip", ".json"):
            shutil.copyfile(file, tmp_path / file.name)
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for file in (ROOT / "microgradlike").rglob("*"):
            if file.suffix in (".py", ".css", ".js", ".html", ".csv", ".ttf"):
                archive.write(file, file.relative_to(ROOT).as_posix())
    (tmp_path / "index.html").write_text("<!doctype html><title>Pyodide</title>", "utf-8")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
            ".mjs": "text/javascript", ".wasm": "application/wasm",
        }  # fmt: skip

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    here = f"http://127.0.0.1:{server.server_port}/"
    asked = []
    try:
        tab = browser.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(here)
        told = tab.evaluate(
            """async (code) => {
                const { loadPyodide } = await import("/pyodide.mjs");
                const python = await loadPyodide();
                const zip = await (await fetch("/package.zip")).arrayBuffer();
                python.unpackArchive(zip, "zip", { extractDir: "/src" });
                let said = "";
                python.setStdout({ batched: (line) => (said += line + "\\n") });
                await python.runPythonAsync(code);
                return said;
            }""",
            TOUR,
        )
        tab.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert "57 figures" in told
    assert asked and all(url.startswith((here, "blob:", "data:")) for url in asked), asked
