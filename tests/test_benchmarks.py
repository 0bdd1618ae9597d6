"""The benchmarks run at their smallest size and refuse to time peers that disagree. Nothing here looks at a time."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "docs" / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    """Imports a file of docs/benchmarks by its name, and forgets it afterwards."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_engines_agree_with_their_peers(module):
    """W1 and W2 at their smallest: `case` raises if any peer's loss or gradient is another."""
    bench = module("bench_engine")
    for result in (bench.moons(small=True), bench.gpt(small=True)):
        assert "microgradlike, plain Python" in result["peers"]
        assert set(result["ratios"]) == set(result["peers"]) - {result["ours"]}
        for spread in (*result["peers"].values(), *result["ratios"].values()):
            assert spread["best"] > 0
            assert 0 < spread["low"] <= spread["median"] <= spread["high"]
        assert all(reason for reason in result["missing"].values())


@pytest.mark.parametrize("shape", ["chain", "fan-out"])
def test_deep_graphs_are_measured(module, shape):
    found = module("bench_engine").measure_deep(shape, "microgradlike, plain Python", 3_000)
    assert set(found) == {"build", "sort", "backward", "free", "bytes"}


def test_a_deep_chain_is_too_deep_for_micrograd(module):
    pytest.importorskip("micrograd", reason="micrograd is not installed")
    assert "RecursionError" in module("bench_engine").measure_deep("chain", "micrograd", 3_000)["failed"]


def test_disagreement_is_an_error_before_any_time_is_taken(module):
    common, calls = module("common"), []

    def wrong():
        calls.append(1)
        return [1.0, [2.0, 3.0 + 1e-7]]

    peers = {"microgradlike": lambda: [1.0, [2.0, 3.0]], "a peer": wrong}
    with pytest.raises(AssertionError, match=r"a peer: 3\.0000001, microgradlike: 3\.0; more than 1e-09 × 3 apart"):
        common.case("W0", "ms", peers, small=True)
    assert calls == [1]
    with pytest.raises(AssertionError, match="2 numbers, microgradlike 3"):
        common.case("W0", "ms", {**peers, "a peer": lambda: [1.0, 2.0]}, small=True)
    with pytest.raises(AssertionError, match=r"a peer: nan, microgradlike: 3\.0"):
        common.case("W0", "ms", {**peers, "a peer": lambda: [1.0, 2.0, float("nan")]}, small=True)


def test_missing_peers_are_named(module):
    common = module("common")
    gone = common.optional("a_package_that_is_nowhere")
    result = common.case("W0", "µs", {"microgradlike": lambda: 1.0, "gone": gone}, small=True)
    assert "pip install a_package_that_is_nowhere" in result["missing"]["gone"]
    assert "pip install a_package_that_is_nowhere" in common.table([result])


def test_results_become_tables_and_files(module, monkeypatch, tmp_path, capsys):
    """run.py, with a benchmark of three lines in place of the real ones."""
    run = module("run")
    (tmp_path / "bench_tiny.py").write_text(
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "from common import case, main\n"
        "def cases(small):\n"
        "    yield case('W0 tiny', 'ns', {'microgradlike': lambda: 2.0, 'a peer': lambda: 2.0}, small=small)\n"
        "    rows = [['a', 1234.5]]\n"
        "    yield {'name': 'T', 'unit': 's', 'note': '', 'columns': ['', 'x'], 'rows': rows, 'missing': {}}\n"
        "main(cases)\n",
        encoding="utf-8",
    )
    (tmp_path / "bench_wrong.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "plot", lambda results, folder: None)
    assert run.main(["--small"]) == 1
    assert "FAILED: wrong" in capsys.readouterr().out
    kept = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert [case["name"] for case in kept["tiny"]["cases"]] == ["W0 tiny", "T"]
    assert {"processor", "python", "engine", "date"} <= set(kept["tiny"]["machine"])
    report = (tmp_path / "out" / "results.md").read_text(encoding="utf-8")
    assert "| a peer |" in report
    assert "| a | 1,230 |" in report
    assert run.main(["tiny"]) == 0
    assert (tmp_path / "results.md").exists()


def test_pictures_of_results(module, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    common, run = module("common"), module("run")
    compared = common.case("W0", "µs", {"microgradlike": lambda: 1.0, "a peer": lambda: 1.0}, small=True)
    growing = {
        "name": "W7 compile latency", "columns": ["", "operations", "seconds"],
        "rows": [["a", "1,000", 0.5], ["a", "2,000", 1.0], ["b", "1,000", "more than 240 s"]],
    }  # fmt: skip
    run.plot({"x": {"cases": [compared, growing]}}, tmp_path)
    for name in ("ratios.svg", "growth.svg"):
        assert (tmp_path / name).read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_an_unknown_benchmark_is_refused_by_name():
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--small", "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no benchmark is named nonsense; there are: compile, engine" in done.stderr


def test_figures_in_the_readme_are_those_of_the_last_results(module):
    run = module("run")
    results = (BENCHMARKS / "results.md").read_text(encoding="utf-8")
    assert results == run.report(json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8")))
    quoted = re.findall(r"\*\*[\d.,]+×\*\* \([^)]*\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert quoted
    assert [ratio for ratio in quoted if ratio not in results] == []
