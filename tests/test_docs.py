"""The documentation is true: every cell runs, its assertions hold, and both editions run the same code.

Without Sphinx: cells are taken from the Markdown and executed in order, one namespace per page. `python docs/build.py`
executes them once more in kernels, draws the pictures and checks the links.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
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
    and "\n```{code-cell}" in path.read_text("utf-8")
)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"\A(?::[^\n]*\n)+\n?")
EXTRAS = {  # what a page needs beyond the package, by a word that its cells contain
    "numpy": r"\bnumpy\b",
    "scipy": r"\bscipy\b",
    "sklearn": r"datasets\.(?:breast_cancer|digits|two_moons)|LogisticRegression|SoftmaxRegression|MLPClassifier",
    "matplotlib": r"\bmatplotlib\b|\bplots\b",
    "hypothesis": r"\bhypothesis\b",
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


@pytest.mark.parametrize("path", [p for p in PAGES if p.parent.name != "ko"], ids=name)
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


# ── the generated reference ─────────────────────────────────────────────────────────────────────
sys.path.insert(0, str(DOCS / "_ext"))
PUBLIC = [row for row in ops.TABLE.values() if row.public]


@pytest.fixture(scope="module")
def accuracy():
    """What docs/measure_accuracy.py measured."""
    return json.loads((DOCS / "accuracy.json").read_text("utf-8"))


@pytest.mark.parametrize("row", PUBLIC, ids=lambda row: row.name)
def test_every_row_is_written_in_latex(row):
    """Each public row writes its formula, and one derivative for each argument that its rules differentiate."""
    import latex

    assert latex.formula(row)
    found = latex.derivatives(row)
    x, names = latex.letters(row)
    has = row.cotangents(latex.latex, 1.0, latex.Tex("z"), *x)
    assert [name for name, _ in found] == [name for name, d in zip(names, has, strict=True) if d is not None and name]
    for text in (latex.formula(row), *(d for _, d in found)):
        assert text.count("{") == text.count("}") and text.count(r"\left") == text.count(r"\right")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("multiply", ["y", "x"]),
        ("divide", [r"\frac{1}{y}", r"-\frac{x}{{y}^{2}}"]),
        ("exp", ["e^{x}"]),
        ("log2", [r"\frac{1}{x\,\ln 2}"]),
        ("softmax", [r"s_1\,\left(s_2 + s_3\right)", r"-s_1\,s_2", r"-s_1\,s_3"]),
    ],
)
def test_derivatives_read_as_mathematics(name, expected):
    """The rules, run on letters, come out as a textbook prints them."""
    import latex

    assert [text for _, text in latex.derivatives(ops.TABLE[name])] == expected


def test_reference_has_an_entry_and_a_curve_for_every_row():
    """No public row is left out of the groups, and every one with something to plot has a curve."""
    import curves
    import primitives

    rows = [row for group in primitives.groups().values() for row in group]
    assert [row for row in rows if row in PUBLIC] == PUBLIC and "others" not in primitives.groups()
    text = primitives.reference(None)
    for row in PUBLIC:
        assert f"\n### {row.name}\n" in text
        assert ("<polyline" in curves.curve(row)) == (curves.arguments(row) is not None)


def test_measured_accuracy_keeps_the_promise(accuracy):
    """The committed measurement shows at most 2 ulp and no wrong special for every primitive of ours."""
    assert accuracy["cases"] > 5000
    for name, libraries in accuracy["rows"].items():
        ours = libraries["microgradlike"]
        assert max(ours["anywhere"]) <= 2.0 and ours["wrong"] == 0, name
        assert max(ours["ordinary"]) <= max(ours["anywhere"])


def test_links_are_checked(tmp_path):
    """The check after the build finds missing files and anchors, and whatever is loaded from the network."""
    pytest.importorskip("sphinx", reason="the documentation is built with Sphinx")
    from links import broken_links

    (tmp_path / "a.html").write_text('<h1 id="here"></h1><a href="b.html#there"></a><a href="#here"></a>', "utf-8")
    (tmp_path / "b.html").write_text('<p id="there"></p><a href="https://www.sphinx-doc.org/">fine</a>', "utf-8")
    assert broken_links(tmp_path) == []
    (tmp_path / "b.html").write_text('<a href="c.html"></a><img src="https://example.org/x.png">', "utf-8")
    problems = broken_links(tmp_path)
    assert len(problems) == 3
    assert "leads to no anchor" in problems[0] and "no file" in problems[1] and "network" in problems[2]
    (tmp_path / "a.html").write_text(
        '<a href="https://example.org/">who?</a><a href="htp://example.org">x</a>', "utf-8"
    )
    (tmp_path / "b.html").write_text("", "utf-8")
    (tmp_path / "c.css").write_text("p { background: url(//example.org/x.png) } q { background: url(x.png) }", "utf-8")
    problems = broken_links(tmp_path)
    assert len(problems) == 3
    assert "another site" in problems[0] and "no address" in problems[1] and "the style loads //" in problems[2]


def test_docstrings_keep_their_stars_and_underscores():
    """Code in docstrings stays code, and names that end in an underscore are no links."""
    from docstrings import plain

    lines = ["`a` and `Value`s, f(*xs), coef_ is", "", ">>> f(*xs_)", "2"]
    plain(None, "function", "f", None, None, lines)
    assert lines == [r"``a`` and ``Value``\ s, f(\*xs), coef\_ is", "", ">>> f(*xs_)", "2"]


def test_a_property_says_what_it_is_and_not_its_type():
    """Napoleon would take the words before a colon, in the first line of the docstring, for the type."""
    pytest.importorskip("sphinx", reason="the documentation is built with Sphinx")
    from docstrings import plain
    from sphinx.ext.napoleon import Config, GoogleDocstring

    lines = ["The number: a computed one follows from its operands."]
    plain(None, "property", "data", None, None, lines)
    made = str(GoogleDocstring(lines, Config(napoleon_use_ivar=True), None, "property", "data"))
    assert lines[-1] in made and ":type:" not in made


def test_the_project_of_the_how_to_page_passes_its_tests(tmp_path):
    """Its files as a reader would copy them, with a pytest of their own."""
    pytest.importorskip("mpmath", reason="the project asks for mpmath")
    text = (DOCS / "how-to" / "use-it-in-tests.md").read_text("utf-8")
    for file, code in re.findall(r"^:tags: \[file-(\S+)\]\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        head = "from pinball import pinball\n" if file.startswith("test_") else ""
        (tmp_path / file).write_text(head + code, "utf-8")
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "pyproject.toml").write_text(toml, "utf-8")
    environment = os.environ | {"PYTHONPATH": str(DOCS.parent)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "4 passed" in done.stdout and done.returncode == 0, done.stdout + done.stderr


def test_the_page_of_guarantees_is_that_of_its_table():
    """Every promise of guarantees.py is on the page, with a figure; every test that it names exists."""
    sys.path.insert(0, str(DOCS))
    from guarantees import GUARANTEES

    page = (DOCS / "guarantees.md").read_text("utf-8")
    told = re.findall(r"^- (.*?) \*\*(.*)\*\*\n((?:  `.*`\n)+)", page, re.MULTILINE)
    assert [promise for promise, _, _ in told] == [promise for _, promise, _, _ in GUARANTEES]
    for (_, figure, named), (_, _, _, tests) in zip(told, GUARANTEES, strict=True):
        assert re.search(r"\d", figure) and "{" not in figure
        for test in tests:
            assert f"`{test}`" in named
            file, _, name = test.partition("::")
            source = (DOCS.parent / "tests" / file).read_text("utf-8")
            assert not name or re.search(rf"^def {name}\(", source, re.MULTILINE), test
