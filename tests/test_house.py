"""The house: which file may import which, what lies at the top level, and that the README says what is true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import microgradlike as mg

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "microgradlike"

# Lower floors first. A module may import, when it is imported itself, only from floors below its own.
FLOORS = [
    ["ops", "files", "figure", "_build"],
    ["floats"],
    ["native"],
    ["value"],
    ["graph"],
    ["arguments"],
    ["__init__"],
]


def floor_of(module: str) -> int:
    top = module.split(".")[0]
    for height, modules in enumerate(FLOORS):
        if top in modules:
            return height
    return len(FLOORS)  # leaf modules and packages: they may import one another and all below


def imports_of(path: Path) -> set[str]:
    """The modules of ours that a file imports at its top level (not inside functions or TYPE_CHECKING)."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    depth = len(path.relative_to(PACKAGE).parts) - 1
    nodes = list(tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, (ast.Try, ast.If)):
            if (
                isinstance(node, ast.If)
                and "TYPE_CHECKING" in ast.unparse(node.test)
                and "or" not in ast.unparse(node.test)
            ):
                nodes += node.orelse
                continue
            nodes += [*node.body, *node.orelse, *(h for handler in getattr(node, "handlers", []) for h in handler.body)]
        if isinstance(node, ast.ImportFrom):
            if node.level:
                inside = node.level <= depth
                if inside:
                    continue  # within its own package
                found |= {node.module} if node.module else {alias.name for alias in node.names}
            elif node.module and node.module.split(".")[0] == "microgradlike":
                rest = node.module.split(".")[1:]
                found |= {".".join(rest)} if rest else {"__init__"}
        if isinstance(node, ast.Import):
            found |= {
                a.name.partition(".")[2] or "__init__" for a in node.names if a.name.split(".")[0] == "microgradlike"
            }
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_go_down(path):
    module = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
    height = floor_of(module)
    for name in imports_of(path):
        if name == "_value":
            continue
        assert floor_of(name) < height or height == len(FLOORS), f"{module} imports {name}, which is not below it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_file_says_on_its_first_line_what_lives_there(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert len(docstring.splitlines()[0]) >= 40, docstring.splitlines()[0]


def test_the_floors_are_those_of_how_it_works():
    """The documentation names every file of a floor; leaves it names at least as a package or a file."""
    text = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    floors = re.search(r"## Floors(.*?)\n## ", text, re.DOTALL)
    assert floors is not None
    assert [name for floor in FLOORS for name in floor if not re.search(rf"`{name}(\.py|/)`", floors.group(1))] == []


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
    skip = {"_build", "__main__", "value" if False else "_value"}
    return [
        "microgradlike." + p.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for p in FILES
        if p.stem not in skip
    ]


@pytest.mark.parametrize("name", doctest_modules())
def test_docstring_examples_run(name, monkeypatch, tmp_path):
    import doctest
    import importlib

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
