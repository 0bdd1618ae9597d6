"""Writes guarantees.md: what is promised, the tests that hold it, and the figures that those tests measured.

    python docs/guarantees.py          runs the tests named below, on the engine that is installed (a minute or two)

A test gives a figure by `record_property(name, number)`; of several the sum counts, of "worst" and "bytes" the largest.
"""

from __future__ import annotations

import datetime
import platform
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LARGEST = ("worst", "bytes")

# topic, promise, how its figures read, tests (all parameters of each count)
GUARANTEES: list[tuple[str, str, str, list[str]]] = [
    ("Accuracy", "Every eager value and partial derivative is within 2 units in the last place of the exact one.",
     "{numbers:,} numbers of {cases:,} cases; the worst is off by {worst:.2f} ulp",
     ["test_accuracy.py::test_every_case_of_the_reference_is_met"]),
    ("Accuracy", "So it is at points that a search chooses, judged by mpmath.", "{tests} searches",
     ["test_accuracy.py::test_rows_are_judged_by_mpmath"]),
    ("Specials", "inf, nan and ±0 go through every operation as IEEE 754 and the limit say.",
     "{specials:,} special numbers among those cases, none wrong",
     ["test_accuracy.py::test_every_case_of_the_reference_is_met"]),
    ("Absent is not zero", "A branch that was not taken sends nothing back; a gradient of 0 is a number: 0·inf is nan.",
     "{tests} tests, every row", ["test_absent.py"]),
    ("Compiled is eager", "A compiled function answers what the function answers, or refuses and says why.",
     "{tests} tests", ["test_compile_guards.py", "test_as_python.py"]),
    ("Depth", "No recursion: graphs of any depth are swept, copied, pickled and freed at the default limit.",
     "{nodes:,} nodes deep on a stack of 256 kB",
     ["test_behaviour.py::test_a_million_nodes_deep_with_the_default_limit_and_a_small_stack"]),
    ("Memory", "A node takes no more than a few words, and a graph is freed with its last reference.",
     "{bytes:.0f} bytes a node after a sweep, everything included", ["test_behaviour.py::test_bytes_per_node"]),
    ("Memory", "What is dropped is freed: compiled functions, native programs.", "{tests} tests",
     ["test_calls.py::test_memory_of_dropped_functions_returns",
      "test_native.py::test_the_memory_of_dropped_programs_returns"]),
    ("Threads", "Threads that share parameters lose no update.", "{sweeps:,} sweeps of 8 threads, every one counted",
     ["test_behaviour.py::test_threads_that_share_parameters_lose_no_update"]),
    ("Threads", "Compiled functions may be shared; the number of threads changes no bit.", "{tests} tests",
     ["test_calls.py::test_threads", "test_compile.py::test_threads_share_a_compiled_function",
      "test_compile_backends.py::test_threads_change_no_bit"]),
    ("Interrupts", "Ctrl-C in a backward pass writes all gradients or none, and leaves no lock.",
     "{interrupts:,} interrupts", ["test_behaviour.py::test_an_interrupt_at_any_moment_changes_all_gradients_or_none"]),
    ("Interrupts", "An optimiser's step is taken or not; a fit keeps its last whole epoch.", "{tests} tests",
     ["test_optim.py::test_an_interrupted_step_is_taken_or_not",
      "test_models.py::test_an_interrupted_fit_keeps_the_last_completed_epoch_and_says_so",
      "test_models.py::test_an_interrupt_at_any_line_leaves_a_whole_model"]),
    ("Files", "A file is written whole or not at all.", "{tests} tests",
     ["test_draw_formats.py::test_a_failure_leaves_the_old_file_whole",
      "test_other_systems.py::test_a_file_that_another_program_holds_open_stays_whole"]),
    ("Files", "A model's file is data, never code; a damaged one is refused, and what is read is exact to the bit.",
     "{tests} tests", ["test_saving.py"]),
    ("Text stays text", "Expressions are parsed, never evaluated; labels become no markup in pages and pictures.",
     "{tests} tests", ["test_parsing.py", "test_draw_formats.py::test_labels_survive_into_mermaid"]),
    ("Caches", "Compiled functions notice that what they read has changed: globals, closures, attributes, items.",
     "{tests} tests", ["test_compile_watch.py"]),
    ("Other systems", "Other locales, line ends, `spawn` and what Windows lacks change no file that is written.",
     "{tests} tests", ["test_other_systems.py"]),
]  # fmt: skip


class Results:
    """A plugin of pytest: outcomes and figures, by test and file."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[str]] = {}
        self.figures: dict[str, list[tuple[str, float]]] = {}

    def pytest_runtest_logreport(self, report) -> None:
        if report.when == "call" or report.outcome != "passed":
            file = report.nodeid.partition("::")[0].rpartition("/")[2]
            name = report.nodeid.partition("::")[2].partition("[")[0]
            for key in (file, f"{file}::{name}"):
                self.outcomes.setdefault(key, []).append(report.outcome)
                self.figures.setdefault(key, []).extend(report.user_properties)


def told(results: Results, wording: str, tests: list[str]) -> str:
    """The figures of one guarantee in words; an error if a test failed, or none ran."""
    outcomes = [outcome for test in tests for outcome in results.outcomes.get(test, [])]
    if "failed" in outcomes or "passed" not in outcomes:
        raise SystemExit(f"not held: {tests}: {outcomes or 'no such test'}")
    figures: dict[str, float] = {"tests": outcomes.count("passed")}
    for test in tests:
        for name, number in results.figures[test]:
            figures[name] = max(figures.get(name, 0), number) if name in LARGEST else figures.get(name, 0) + number
    return wording.format(**figures)


def main() -> int:
    """Run the tests and write the page."""
    import pytest

    sys.path.insert(0, str(ROOT))
    import microgradlike

    chosen = list(dict.fromkeys(f"{ROOT}/tests/{test}" for *_, tests in GUARANTEES for test in tests))
    results = Results()
    pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *chosen], plugins=[results])
    engine = "compiled" if microgradlike.compiled else "plain"
    where = f"CPython {platform.python_version()}, {platform.system()} {platform.machine()}, {engine} engine"
    lines = [
        "<!-- written by guarantees.py: edit that -->", "", "# Guarantees", "",
        "What is promised, which test holds it, and what that test measured when this page was written:",
        f"{datetime.datetime.now(datetime.timezone.utc):%d %B %Y}, {where}.",
        "Both engines run them before a change lands, and one that fails stops it.",
        "`python docs/guarantees.py` runs them and writes this page again.", "",
    ]  # fmt: skip
    before = ""
    for topic, promise, wording, tests in GUARANTEES:
        if topic != before:
            lines += [f"## {topic}", ""]
        lines += [
            f"- {promise} **{told(results, wording, tests)}.**",
            *(f"  `{test}`" for test in tests),
            "",
        ]
        before = topic
    lines += [
        "## Not promised", "",
        "Last bits from one version to the next ([what a version promises](releasing.md)); what others",
        "do with a pickle ([security](SECURITY.md)); and the accuracy of sums of many terms that cancel, compiled: see",
        "[accuracy](reference/accuracy.md).", "",
    ]  # fmt: skip
    (HERE / "guarantees.md").write_text("\n".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
