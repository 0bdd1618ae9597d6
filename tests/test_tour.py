"""The tour and the command line, as a user runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import microgradlike as mg
from microgradlike import tour
from microgradlike.__main__ import main


def test_the_tour_checks_every_figure_and_writes_pictures(tmp_path, capsys):
    folder = tmp_path / "pictures"
    assert main(["tour", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith("57 figures agree with the worked examples (--figures lists them)")
    assert len(out.splitlines()) < 40
    assert "expected" not in out
    assert [line[0] for line in out.splitlines() if line[:1].isdigit()] == [*"12345678", "5"]  # a lesson in order
    assert "└─ c            2          9     × 3" in out or "only the DOT text" in out
    assert "accuracy on 30 held-back rows 0.9" in out
    assert "three species" in out
    assert "nadam" in out
    for page in ("E1-computation-graph.html", "E6-network.html", "iris.html"):
        assert (folder / page).resolve().as_uri() in out
    written = {path.stem for path in folder.iterdir()}
    assert {"E1-computation-graph", "E2-branching-graph", "E3-logistic-regression", "E6-network"} <= written
    learning = {"E3-sigmoid", "E4-cost-surfaces", "E7-descent-paths"}
    assert learning <= written or "no pictures of learning" in out
    assert all(path.stat().st_size > 500 for path in folder.iterdir())


def test_a_figure_that_is_off_fails_the_tour(tmp_path, monkeypatch, capsys):
    def wrong(check, show):
        check("1 + 1", 2.0, "3")

    monkeypatch.setattr(tour, "computation_graph", wrong)
    monkeypatch.setattr(tour, "first_model", lambda: 1.0)
    monkeypatch.setattr(tour, "more_models", lambda folder: (1.0, []))
    monkeypatch.setattr(tour, "descendants", lambda: None)
    monkeypatch.setattr(tour, "learning_pictures", lambda folder: [])
    assert tour.tour(tmp_path) == 1
    out = capsys.readouterr().out
    assert "expected            3   OFF" in out
    assert "1 of 49 figures OFF" in out


def test_all_figures_are_listed_for_who_asks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tour, "first_model", lambda: 1.0)
    monkeypatch.setattr(tour, "more_models", lambda folder: (1.0, []))
    monkeypatch.setattr(tour, "descendants", lambda: None)
    monkeypatch.setattr(tour, "learning_pictures", lambda folder: [])
    monkeypatch.setattr(tour, "picture", lambda *_: [])
    assert main(["tour", str(tmp_path), "--figures"]) == 0
    assert sum(line.endswith("   ok") for line in capsys.readouterr().out.splitlines()) == 57


def test_without_the_drawing_libraries_the_tour_writes_dot_and_says_why(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "microgradlike.draw", None)
    tour.computation_graph(tour.Checks(), lambda v, name, title: tour.picture(v, tmp_path, name, title))
    text = (tmp_path / "E1-computation-graph.dot").read_text(encoding="utf-8")
    assert text.startswith("digraph {")
    assert text.count("->") == 5
    assert "only the DOT text" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["tour", "--nonsense"]])
def test_wrong_usage_is_a_message_and_a_status(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "microgradlike", *arguments],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 2
    assert "usage" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["tour", str(blocked / "pictures")]) == 2
    assert "name another folder" in capsys.readouterr().err


def test_version(capsys):
    assert main(["version"]) == 0
    assert "engine" in capsys.readouterr().out
    assert main(["version", "--all"]) == 0
    told = dict(re.split(" {2,}", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert told["microgradlike"] == mg.__version__
    assert told["engine"].startswith("compiled" if mg.compiled else "plain (")
    assert {"Python", "platform", "backends of compile", "settings", "installed", "not installed"} <= told.keys()


@pytest.mark.parametrize(("arguments", "shown"), [(["microgradlike"], "usage"), (["microgradlike", "version"], "0.")])
def test_the_arguments_are_those_of_the_command_line(arguments, shown, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", arguments)
    status = main()
    told = capsys.readouterr()
    assert (status, shown in told.out, shown in told.err) == (
        (2, False, True) if shown == "usage" else (0, True, False)
    )


def test_an_interrupt_ends_the_tour_without_a_traceback(tmp_path, monkeypatch, capsys):
    def interrupted(folder, figures):
        raise KeyboardInterrupt

    monkeypatch.setattr(tour, "tour", interrupted)
    assert main(["tour", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_without_optional_libraries_the_tour_says_what_it_leaves_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith(("sklearn.", "matplotlib.", "microgradlike.figure"))]:
        monkeypatch.setitem(sys.modules, name, None)
    tour.more_models()
    assert tour.learning_pictures(tmp_path) == []
    out = capsys.readouterr().out
    assert (
        'tumours left out: datasets.breast_cancer comes with scikit-learn: pip install "microgradlike[models]"' in out
    )
    assert 'no pictures of learning: pictures of learning need matplotlib: pip install "microgradlike[plots]"' in out


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_a_bar_in_a_terminal_and_nothing_in_a_file(terminal, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    for done in range(1, 61):
        tour.progress(done, 60, 1.0 / done)
    out = capsys.readouterr().out
    assert (out.count("\r"), "█" * 24 in out) == ((60, True) if terminal else (0, False))
    assert out.endswith("loss 0.0167\n") if terminal else not out
