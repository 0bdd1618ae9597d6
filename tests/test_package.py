"""The package as strangers get it: what is in the sdist and the wheel, twice the same bytes, on every Python.

The plain wheel is built here, which takes seconds; the compiled ones differ in what the compiler adds, and are tried by
.ci/run and cibuildwheel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from importlib.util import find_spec
from pathlib import Path

import pytest

import microgradlike as mg

ROOT = Path(__file__).resolve().parent.parent
EPOCH = "1700000000"
BUILD = """
import os, sys, tarfile
from setuptools import build_meta
folder = sys.argv[1]
name = build_meta.build_sdist(folder)
tarfile.open(os.path.join(folder, name)).extractall(folder)
os.chdir(os.path.join(folder, name.removesuffix(".tar.gz")))
build_meta.build_wheel(folder)
"""


def built(tmp_path: Path) -> tuple[Path, Path]:
    """The source distribution of a copy of this tree, and the wheel that is built from it alone."""
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "_build", "out", "*.egg-info", "build", ".*")
    (tmp_path / "tree").mkdir(parents=True)
    for name in ("microgradlike", "tests", "docs"):
        shutil.copytree(ROOT / name, tmp_path / "tree" / name, ignore=ignored, copy_function=shutil.copyfile)
    for name in ("README.md", "LICENSE", "pyproject.toml"):
        shutil.copyfile(ROOT / name, tmp_path / "tree" / name)
    environment = os.environ | {"MICROGRADLIKE_ENGINE": "python", "SOURCE_DATE_EPOCH": EPOCH}
    command = [sys.executable, "-c", BUILD, str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path / "tree", env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (source,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    return source, wheel


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not a checkout")
    setuptools = pytest.importorskip("setuptools", reason="building needs setuptools")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip(f"building needs setuptools 77, not {setuptools.__version__}")
    return built(tmp_path_factory.mktemp("package"))


def test_the_source_distribution_has_all_that_is_built_tested_and_read(package):
    with tarfile.open(package[0]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = [
        path.relative_to(ROOT).as_posix()
        for top in ("microgradlike", "tests", "docs")
        for path in (ROOT / top).rglob("*")
        if path.suffix in (".py", ".c", ".h", ".pyx", ".pxd", ".md", ".js", ".svg", ".gz", ".json", ".ttf", ".css")
        and not {"_build", "__pycache__", "out"} & set(path.parts)
        and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]
    assert len(wanted) > 250 and [name for name in wanted if name not in held] == []
    assert {"README.md", "LICENSE", "pyproject.toml"} <= held


def test_the_wheel_has_what_runs_and_nothing_else(package):
    with zipfile.ZipFile(package[1]) as archive:
        held = set(archive.namelist())
    assert package[1].name == f"microgradlike-{mg.__version__}-py3-none-any.whl"
    assert {name.split("/")[0] for name in held} == {"microgradlike", f"microgradlike-{mg.__version__}.dist-info"}
    assert {Path(name).suffix for name in held if name.startswith("microgradlike/")} == {
        ".py", ".typed", ".csv", ".ttf", ".js", ".css", ".html",
    }  # fmt: skip
    left_out = {f"microgradlike/{name}" for name in ("_build.py", "native/loops.py", "native/rows.py")}
    left_out.add("microgradlike/draw/picture/fonts/build.py")
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "microgradlike").rglob("*.py")}
    assert modules - held == left_out and left_out < modules


def test_two_builds_are_the_same_bytes(package, tmp_path):
    """Of copies of the tree made at other times, in other places."""
    for one, other in zip(package, built(tmp_path), strict=True):
        assert one.name == other.name and one.read_bytes() == other.read_bytes()


def test_metadata(package):
    with zipfile.ZipFile(package[1]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        told = HeaderParser().parsestr(archive.read(name).decode("utf-8"))
        licences = [n for n in archive.namelist() if "/licenses/" in n]
    assert told["Version"] == mg.__version__ and told["License-Expression"] == "MIT AND OFL-1.1"
    assert {url.split(",")[0] for url in told.get_all("Project-URL")} == {
        "Documentation", "Source", "Issues", "Changelog",
    }  # fmt: skip
    assert {n.rpartition("/")[2] for n in licences} == {"LICENSE", "NOTICE.md", "OFL.txt"}


CHECKS = {
    "twine": ["-m", "twine", "check", "--strict"],
    "check_wheel_contents": ["-m", "check_wheel_contents", "--no-config"],
    "pyroma": ["-m", "pyroma", "--min=10"],
}


@pytest.mark.parametrize("tool", CHECKS)
def test_what_checkers_say(tool, package):
    if find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed")
    files = [str(package[tool == "check_wheel_contents"])] if tool != "twine" else [str(file) for file in package]
    command = [sys.executable, "-W", "ignore", *CHECKS[tool], *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


INTERPRETERS = {
    minor: next((str(p) for p in sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"))), None)
    or shutil.which(f"python3.{minor}")
    for minor in range(10, 15)
}


@pytest.mark.parametrize("minor", INTERPRETERS)
def test_the_wheel_runs_on_every_python(minor, package, tmp_path):
    """With nothing else installed: values, derivatives, pictures, training, files; and no warning."""
    python = INTERPRETERS[minor]
    if python is None:
        pytest.skip(f"there is no CPython 3.{minor} on this machine")
    with zipfile.ZipFile(package[1]) as archive:
        archive.extractall(tmp_path / "site")
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path / "site")!r})
import microgradlike as mg
from microgradlike import Value, datasets, losses, nn, optim
assert mg.__file__.startswith({str(tmp_path)!r})
assert mg.grad(mg.grad(mg.tanh))(0.5) == mg.jvp(mg.grad(mg.tanh), (0.5,), (1.0,))[1]
x = Value(3.0, label="x"); J = mg.tanh(x) * x; J.backward()
picture = mg.draw(J); picture.to_svg(); str(picture); mg.live(J).to_html()
X, y = datasets.iris(); net = nn.MLP(4, [3], seed=1)
step = mg.compile(lambda x, label: losses.cross_entropy(net(x), label)); descent = optim.Adam(net.parameters(), 0.1)
costs = []
for _ in range(4):
    descent.zero_grad(); costs.append(step.backward(X[::10], y[::10])); descent.step()
assert costs[-1] < costs[0]
net.save("net.json"); assert mg.load("net.json")(X[0])[0].data == net(X[0])[0].data
print(sys.version_info[:2], mg.compiled)
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("MICROGRADLIKE_ENGINE", "PYTHONPATH")}
    done = subprocess.run(
        [python, "-I", "-W", "error", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.returncode) == (f"(3, {minor}) False", 0), done.stderr


# ── papers ──────────────────────────────────────────────────────────────────────────────────────
def test_the_version_stands_in_one_place_and_is_repeated_right():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert 'dynamic = ["version"]' in text and 'attr = "microgradlike.__version__"' in text
    citation = (ROOT / "docs" / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE).group(1) == mg.__version__
    assert f"\n## {mg.__version__}" in (ROOT / "docs" / "CHANGELOG.md").read_text("utf-8")


def test_forms_and_workflows_can_be_read():
    yaml = pytest.importorskip("yaml", reason="workflows are YAML")
    if not (ROOT / ".github").exists():
        pytest.skip("not a checkout")
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / "docs" / "CITATION.cff"]
    read = {path.name: yaml.safe_load(path.read_text("utf-8")) for path in files}
    publish = read["release.yml"]["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"} and publish["environment"] == "pypi"  # no token anywhere
    assert set(publish["needs"]) == {"source", "wheels"}
    assert not re.search(r"secrets\.|password", (ROOT / ".github/workflows/release.yml").read_text("utf-8"))
    assert read["CITATION.cff"]["cff-version"] == "1.2.0"
    for name in ("bug.yml", "idea.yml"):
        assert {"name", "description", "body"} <= read[name].keys()


def test_without_a_global_lock_no_extension_is_built(monkeypatch):
    """They count on it. (Simulated: what a free-threaded CPython answers.)"""
    pytest.importorskip("setuptools.command.bdist_wheel", reason="building needs setuptools 77")
    import sysconfig

    from microgradlike import _build

    monkeypatch.setattr(_build, "PLAIN", False)
    assert _build.why_plain() is None or sysconfig.get_config_var("Py_GIL_DISABLED")
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else None)
    assert "no global lock" in _build.why_plain()
