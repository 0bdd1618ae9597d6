"""The documentation is true: every cell runs, its assertions hold, and both editions run the same code.

Without Sphinx: cells are taken from the Markdown and executed in order, one namespace per page. `python docs/build.py`
executes them once more in kernels, draws the pictures and checks the links.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import microgradlike as mg
from microgradlike import ops

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if not {"_build", "examples", "benchmarks"} & set(path.relative_to(DOCS).parts)
    and "{code-cell}" in path.read_text("utf-8")
)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"\A(?::[^\n]*\n)+\n?")
EXTRAS = {  # what a page needs beyond the package, by a word that its cells contain
    "numpy": r"\bnumpy\b",
    "scipy": r"\bscipy\b",
    "sklearn": r"datasets\.(?:breast_cancer|digits|two_moons)|LogisticRegression|SoftmaxRegression|MLPClassifier",
    "matplotlib": r"\bmatplotlib\b|\bplots\b",
    "hypothesis": r"\bhypothesis\b",
    "llvmlite": r"backend=\"llvm\"",
    "jax": r"\bjax\b",
    "mpmath": r"\bmpmath\b",
}


def cells(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, code) of every cell of a page."""
    text = path.read_text("utf-8")
    for found in CELL.finditer(text):
        code = found.group(1)
        options = OPTIONS.match(code)
        skipped = options.group() if options else ""
        yield text.count("\n", 0, found.start(1)) + skipped.count("\n"), code[len(skipped) :]


def name(path: Path) -> str:
    """A page as tests are called: `tutorial/01-computation-graph`."""
    return path.relative_to(DOCS).with_suffix("").as_posix()


@pytest.fixture
def page_surroundings(tmp_path, monkeypatch):
    """A page may write files and add primitives: neither outlives it."""
    (tmp_path / "page").mkdir()
    (tmp_path / "examples").mkdir()
    shutil.copy(DOCS / "examples" / "names.txt", tmp_path / "examples")  # what a page finds beside its own folder
    monkeypatch.chdir(tmp_path / "page")
    monkeypatch.setenv("MPLBACKEND", "agg")
    before = dict(ops.TABLE)
    yield
    for added in set(ops.TABLE) - set(before):
        del ops.TABLE[added]
        vars(mg).pop(added, None)
    if "matplotlib" in sys.modules:
        from matplotlib import pyplot

        pyplot.close("all")


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_cells_run(path, page_surroundings):
    """Every cell of the page runs, in order; its last expression can be displayed."""
    code = "".join(source for _, source in cells(path))
    for module, word in EXTRAS.items():
        if re.search(word, code):
            pytest.importorskip(module, reason=f"the page uses {module}")
    namespace = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for line, source in cells(path):
            tree = ast.parse("\n" * line + source, str(path))
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, str(path), "exec"), namespace)
            if last is not None:
                display(eval(compile(ast.Expression(last.value), str(path), "eval"), namespace))


def display(result: object) -> None:
    """What a notebook asks of a result."""
    for method in ("_repr_mimebundle_", "_repr_svg_", "_repr_html_"):
        if callable(getattr(result, method, None)) and getattr(result, method)():
            return
    assert result is None or repr(result)


def shape(path: Path) -> list[str]:
    """The code of a page without its comments, cell by cell."""
    return [ast.dump(ast.parse(source)) for _, source in cells(path)]


@pytest.mark.parametrize("path", [p for p in PAGES if p.parent.name == "ko"], ids=name)
def test_korean_edition_runs_the_same_code(path):
    """A Korean chapter differs from the English one in its prose only."""
    assert shape(path) == shape(DOCS / "tutorial" / path.name)


def test_every_chapter_has_a_korean_one():
    """Neither edition has a chapter that the other lacks."""
    english = {p.name for p in (DOCS / "tutorial").glob("*.md")}
    assert english == {p.name for p in (DOCS / "ko").glob("*.md")}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_exercises_have_answers(path):
    """Answers are folded away and every fold is closed."""
    text = path.read_text("utf-8")
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    exercises = re.findall(r"^\*\*\d+\.\*\*", text, re.MULTILINE)
    assert len(exercises) == text.count("<details>")
