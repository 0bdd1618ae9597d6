"""Expressions as text, and the command line that draws them: what is read, and what is refused at which column."""

from __future__ import annotations

import math
import webbrowser

import pytest

import microgradlike as mg
from microgradlike.__main__ import main
from microgradlike.graph.parsing import ExpressionError, assignments, graph_of


@pytest.mark.parametrize(
    ("text", "numbers", "expected"),
    [
        ("3*(a + b*c)", {"a": 5, "b": 3, "c": 2}, lambda a, b, c: 3 * (a + b * c)),
        ("-a**2 % 3 - +b/2e-1", {"a": 5, "b": 3}, lambda a, b: -(a**2) % 3 - b / 0.2),
        ("tanh(w*x) if x > 0 else exp(w)", {"w": 0.5, "x": -1}, lambda w, x: mg.exp(w)),
        ("sum([a, b, 2]) * logsumexp([a, b])", {"a": 1, "b": 2}, lambda a, b: (a + b + 2) * mg.logsumexp([a, b])),
        ("leaky_relu(a, slope=0.2) + pi", {"a": -3}, lambda a: mg.leaky_relu(a, 0.2) + math.pi),
        ("take([a, b], 1)", {"a": 1, "b": 2}, lambda a, b: mg.take([a, b], 1)),
        ("u = b*c; v = a + u\nJ = 3*v", {"a": 5, "b": 3, "c": 2}, lambda a, b, c: 3 * (a + b * c)),
        ("9**9**9*a", {"a": 0.5}, lambda a: a * math.inf),
        ("λ*λ + ω", {"λ": 2, "ω": 1}, lambda x, y: x * x + y),
    ],
)
def test_an_expression_is_the_graph_that_python_makes(text, numbers, expected):
    result, leaves = graph_of(text, numbers)
    same = [mg.Value(x) for x in numbers.values()]
    other = expected(*same)
    result.backward()
    other.backward()
    assert result.data == other.data
    assert [v.grad for v in leaves.values()] == [v.grad for v in same]


def test_steps_name_their_values():
    result, _ = graph_of("u = b*c; J = 3*(a + u)", {"a": 5, "b": 3, "c": 2})
    assert sorted(v.label for v in mg.topological_order(result) if v.label) == ["J", "a", "b", "c", "u"]
    result, _ = graph_of("y = x; J = y*y", {"x": 3})
    assert (result.data, result.args[0].label) == (9.0, "y")


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("a + b^c", 5, "a power is written"),
        ("a + math.exp(b)", 4, r"write exp\(…\)"),
        ("a + (b", 4, "no expression"),
        ("a + d", 4, "d has no number: add d=…"),
        ("a + tnh(b)", 4, "did you mean tanh"),
        ("손실 + a.real", 5, "a dot is not part"),
        ("a + tanh", 4, r"write tanh\(…\)"),
        ("a + 3(b)", 4, r"a product with \*"),
        ("a + 'text'", 4, "is no number"),
        ("a + True", 4, "is no number"),
        ("a + 1" + "0" * 400, 4, "beyond the range"),
        ("a < b < c", 0, "one sign"),
        ("a and b", 0, "and, or is not part"),
        ("a + [b][0]", 4, r"\[…\] is not part"),
        ("a + (lambda: b)()", 5, "called by its own name"),
        ("__import__('os').system('true')", 0, "called by its own name"),
        ("import os", 0, "a step is an expression"),
        ("a = 3", 0, "a has a value already"),
        ("tanh(a, b, c)", 0, "tanh"),
        ("1 + 2", 0, "depends on no name"),
        ("", 0, "there is no expression"),
        ("(" * 300 + "a" + ")" * 300, None, "nested|no expression|read"),
        ("-" * 9_000 + "a", None, "nested|read"),
        ("a" * 20_000, 0, "at most 10,000 characters"),
    ],
)
def test_what_is_no_expression_is_told_at_its_column(text, column, reason):
    with pytest.raises(ExpressionError, match=reason) as caught:
        graph_of(text, {"a": 5.0, "b": 3.0, "c": 2.0, "손실": 1.0})
    assert column is None or caught.value.column == column


def test_every_number_needs_its_name():
    with pytest.raises(ExpressionError, match="d is not in the expression: its names are a"):
        graph_of("a + a", {"a": 1.0, "d": 2.0})
    with pytest.raises(ValueError, match="a is given twice"):
        assignments(["a=1", "a=2"])


# ── the command line ────────────────────────────────────────────────────────────────────────────
def test_draw_writes_every_format(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["draw", "3*(a + b*c)", "a=5", "b=3", "c=2"]) == 0
    assert capsys.readouterr().out.strip() == "graph.svg"
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8").startswith("<svg")
    assert main(["draw", "-a*b", "a=5", "b=-3", "-o", "x.txt", "--title", "t"]) == 0
    assert "15" in (tmp_path / "x.txt").read_text(encoding="utf-8")
    assert main(["draw", "a*b", "a=5", "b=3", "-o", "no/where.svg"]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_explain_tells_the_paths(capsys):
    assert main(["explain", "x", "2*x * x", "x=5"]) == 0
    assert "20, the sum over 2 paths" in capsys.readouterr().out
    assert main(["explain", "y", "2*x * x", "x=5"]) == 2
    assert "its names are x" in capsys.readouterr().err


def test_live_and_step_open_a_page_or_write_it(tmp_path, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or len(opened) < 2)
    assert main(["live", "3*(a + b*c)", "a=5", "b=3", "c=2"]) == 0
    assert opened[0].startswith("file:")
    assert main(["step", "3*(a + b*c)", "a=5", "b=3", "c=2"]) == 0
    assert "open the file" in capsys.readouterr().err
    target = tmp_path / "page.html"
    assert (
        main(["live", "tanh(w*x)", "w=1", "x=2", "--quiz", "--rate", "0.5", "--theme", "dark", "-o", str(target)]) == 0
    )
    page = target.read_text(encoding="utf-8")
    assert "<title>tanh(w*x)</title>" in page
    assert 'data-theme="dark"' in page
    assert '"quiz":true' in page
    assert len(opened) == 2


def test_an_error_points_at_its_column_and_is_no_traceback(capsys):
    assert main(["live", "3*(a + b^c)", "a=5", "b=3", "c=2"]) == 2
    assert capsys.readouterr().err.splitlines()[1:] == ["    3*(a + b^c)", "            ^"]
    assert main(["live", "3*a", "a=five"]) == 2
    assert "'a=five' is no name=number" in capsys.readouterr().err
