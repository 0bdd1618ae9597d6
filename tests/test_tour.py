"""The tour and the command line, as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from microgradlike import tour
from microgradlike.__main__ import main


def test_the_tour_checks_every_figure_and_writes_pictures(tmp_path, capsys):
    folder = tmp_path / "pictures"
    assert main(["tour", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "57 figures checked, all as expected" in out
    assert "OFF" not in out
    assert "accuracy on 30 held-back rows 0.9" in out
    assert "three species" in out
    assert "nadam" in out
    written = {path.stem for path in folder.iterdir()}
    assert {"E1-computation-graph", "E2-branching-graph", "E3-logistic-regression", "E6-network"} <= written
    learning = {"E3-sigmoid", "E4-cost-surfaces", "E7-descent-paths"}
    assert learning <= written or "no pictures of learning" in out
    assert all(path.stat().st_size > 500 for path in folder.iterdir())


def test_a_figure_that_is_off_fails_the_tour(tmp_path, monkeypatch, capsys):
    def wrong(check, show):
        check("1 + 1", 2.0, "3")

    monkeypatch.setattr(tour, "computation_graph", wrong)
    for slow in ("first_model", "more_models"):
        monkeypatch.setattr(tour, slow, lambda: 1.0)
    monkeypatch.setattr(tour, "descendants", lambda: None)
    monkeypatch.setattr(tour, "learning_pictures", lambda folder: [])
    assert tour.tour(tmp_path) == 1
    out = capsys.readouterr().out
    assert "OFF" in out
    assert "1 OFF" in out


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
