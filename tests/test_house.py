"""The house: which file may import which, what lies at the top level, and that the README says what is true."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import microgradlike as mg

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "microgradlike"

FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_file_says_on_its_first_line_what_lives_there(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert len(docstring.splitlines()[0]) >= 40, docstring.splitlines()[0]


def test_imports_only_go_down():
    """The contracts in pyproject.toml: rooms above rooms, no circle within one."""
    pytest.importorskip("importlinter", reason="import-linter, of the extra `lint`, reads the contracts")
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_how_it_works_names_every_room():
    text = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    files = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    rooms = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(name for name in files | rooms if f"`{name}`" not in text) == []


@pytest.mark.parametrize("name", ["", ".nn", ".losses", ".optim", ".models", ".datasets", ".plots", ".testing"])
def test_tab_completion_shows_what_is_public(name):
    module = importlib.import_module(f"microgradlike{name}")
    public = set(module.__all__) | ({*mg._MODULES, "__version__"} if not name else set())
    assert set(dir(module)) == public
    assert [each for each in dir(module) if not hasattr(module, each)] == []


def test_core_imports_nothing_heavy():
    code = (
        "import sys, microgradlike as mg; mg.Value(1).exp(); mg.grad(mg.tanh)(1.0); "
        "heavy = {'numpy', 'scipy', 'matplotlib', 'sklearn', 'torch', 'jax', 'graphviz', 'hypothesis'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_top_level_is_the_users_design():
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: other files may lie around")
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False).stdout.split()
    if not listed:
        pytest.skip("git is not installed")
    top = {name.split("/")[0] for name in listed}
    assert {name for name in top if not name.startswith(".")} == {
        "README.md", "pyproject.toml", "LICENSE", "microgradlike", "tests", "docs",
    }  # fmt: skip


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_two_commands_are_one_line_each():
    commands = [
        line
        for block in re.findall(r"```shell\n(.*?)```", README, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("python -m pip install")
    ]
    assert len(commands) == 2
    assert "microgradlike tour" in commands[0]
    assert "pytest" in commands[1]


def test_readme_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "readme"}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)


def test_readme_pictures_exist():
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


def doctest_modules() -> list[str]:
    skip = {"_build", "__main__", "_value"}
    return [
        "microgradlike." + p.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for p in FILES
        if p.stem not in skip
    ]


@pytest.mark.parametrize("name", doctest_modules())
def test_docstring_examples_run(name, monkeypatch, tmp_path):
    import doctest

    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name if not name.endswith("__init__") else "microgradlike")
    except ImportError as error:
        pytest.skip(f"needs an optional library: {error}")

    class Runner(doctest.DocTestRunner):
        def report_unexpected_exception(self, out, test, example, exc_info):
            if issubclass(exc_info[0], ImportError):
                pytest.skip(f"needs an optional library: {exc_info[1]}")
            super().report_unexpected_exception(out, test, example, exc_info)

    before = set(mg.ops.TABLE)  # the rows that an example adds are gone after it
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = Runner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in finder.find(module, name):
        runner.run(test, clear_globs=False)
    for row in set(mg.ops.TABLE) - before:
        del mg.ops.TABLE[row]
    assert runner.failures == 0
