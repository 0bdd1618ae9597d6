"""What all benchmarks share: interleaved timing, agreement before time, the machine, tables. No workload.

A benchmark is a file bench_*.py with a function `cases(small)` that yields what `case(...)` returns, and ends with

    if __name__ == "__main__":
        main(cases)

How time is taken: the process is pinned to one core; every peer first computes the answer, and all answers must
agree; then rounds go through the peers in turn, so that a busy machine slows all of them alike; the garbage of
one peer is collected before the next begins, and the collector stays on. In its turn each peer works once
unmeasured, then at least three times on end, as in a loop: so collecting one's own garbage counts, which comes a pass
later. The clock is the processor time of this
process (on an idle machine the same as the time on the wall), unless a case names another. A ratio is taken within
each round: what is printed is the median of the rounds' ratios with their quartiles, never a single absolute time;
the ratio of the best times stands beside it, since a busy machine blurs short work more than long.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import sys
import time
from datetime import date
from pathlib import Path
from statistics import median, quantiles

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6, "ns": 1e9}
PACKAGES = (
    "micrograd", "xad", "torch", "jax", "casadi", "numpy", "scikit-learn", "graphviz",
)  # fmt: skip

sys.path.insert(0, str(ROOT)) if importlib.util.find_spec("microgradlike") is None else None


class Missing(str):
    """Stands where a peer would: why it could not take part."""

    __slots__ = ()


def optional(module, install=None):
    """The module, or a `Missing` that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        return Missing(f"not installed ({error}); pip install {install or module.split('.')[0]}")


def example(name):
    """docs/examples/<name>.py as a module: what is measured is what is taught."""
    spec = importlib.util.spec_from_file_location(name, HERE.parent / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def case(name, unit, peers, check=None, *, ours=None, rounds=None, seconds=20.0, small=False, note="",
         clock=time.process_time):  # fmt: skip
    """Measure some peers at one piece of work.

    Args:
        name: the row's title; starts with the workload, say "W1 ...".
        unit: of the times that are printed: s, ms, µs or ns.
        peers: {label: function without arguments that does the work once and returns its numbers}, or a
            `Missing` in place of the function. The first that is present and starts with "microgradlike"
            is what the others are compared with, unless `ours` names another.
        check: called with {label: what it returned}; must raise if they disagree. Without it, all numbers
            (nested lists of them) must agree to 1e-9, relative to the largest.
        rounds: how often each peer is timed; None fits them into `seconds`. At least 5; 1 if `small`.
        clock: a function that tells seconds. `time.perf_counter` where a peer waits for other processes.

    Returns:
        A dict for JSON: name, unit, note, rounds, peers {label: {median, low, high, best}},
        ratios {label: {median, low, high, best}} = its time ÷ ours, missing {label: reason}. A file may yield
        tables of its own shape instead: {name, unit, note, columns, rows, missing}.
    """
    present = {label: work for label, work in peers.items() if not isinstance(work, Missing)}
    missing = {label: str(work) for label, work in peers.items() if isinstance(work, Missing)}
    ours = ours or next((label for label in present if label.startswith("microgradlike")), next(iter(present)))

    answers, once = {}, {}
    for label, work in present.items():
        gc.collect()
        began = clock()
        answers[label] = work()
        once[label] = clock() - began
    (check or agree)(answers)
    del answers

    fewest, shortest = (1, 0.0) if small else (3, 0.1)  # long enough to be warm
    repeats = {label: max(fewest, math.ceil(shortest / max(once[label], 1e-7))) for label in present}
    if rounds is None:
        rounds = 1 if small else min(25, max(5, int(seconds / sum(once[p] * repeats[p] for p in present))))
    times = {label: [] for label in present}
    for _ in range(rounds):
        for label, work in present.items():
            gc.collect()
            if not small:
                work()
            times[label].append(_time(work, repeats[label], clock))

    scale = UNITS[unit]
    return {
        "name": name,
        "unit": unit,
        "note": note,
        "ours": ours,
        "rounds": rounds,
        "peers": {label: spread([t * scale for t in ts]) for label, ts in times.items()},
        "ratios": {
            label: {
                **spread([t / base for t, base in zip(ts, times[ours], strict=True)]),
                "best": min(ts) / min(times[ours]),
            }
            for label, ts in times.items()
            if label != ours
        },
        "missing": missing,
    }


def _time(work, repeats, clock):
    began = clock()
    for _ in range(repeats):
        work()
    return (clock() - began) / repeats


def spread(xs):
    """Median, quartiles (of two or three numbers: the extremes), and the best."""
    xs = sorted(xs)
    low, high = (xs[0], xs[-1]) if len(xs) < 4 else (quantiles(xs, n=4)[0], quantiles(xs, n=4)[2])
    return {"median": median(xs), "low": low, "high": high, "best": xs[0]}


def flat(x):
    """The numbers in nested lists, tuples and arrays."""
    if hasattr(x, "tolist"):
        x = x.tolist()
    return [n for part in x for n in flat(part)] if isinstance(x, (list, tuple)) else [float(x)]


def agree(answers, tolerance=1e-9):
    """Raise unless all answers are the same numbers, to a tolerance relative to the largest of them."""
    labels = list(answers)
    first = flat(answers[labels[0]])
    size = max(map(abs, first), default=0.0) or 1.0
    for label in labels[1:]:
        other = flat(answers[label])
        if len(other) != len(first):
            raise AssertionError(f"{label} returned {len(other)} numbers, {labels[0]} {len(first)}")
        for a, b in zip(first, other, strict=True):
            if a != b and not abs(a - b) <= tolerance * size:
                raise AssertionError(f"{label}: {b!r}, {labels[0]}: {a!r}; more than {tolerance:g} × {size:.3g} apart")


# ── where and with what ─────────────────────────────────────────────────────────────────────────
def pin():
    """Keep this process on one core, where the system lets it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def machine():
    """Processor, system and Python, and whether the compiled engine is here."""
    processor = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        processor = names[0] if names else processor
    from microgradlike import compiled

    return {
        "processor": processor or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "engine": "compiled" if compiled else "plain Python",
        "date": date.today().isoformat(),
    }


def versions():
    """The version of everything that may take part; None for what is not installed."""
    import microgradlike

    found = {"microgradlike": microgradlike.__version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


# ── tables ──────────────────────────────────────────────────────────────────────────────────────
def figure(x):
    """Three significant digits, thousands with commas."""
    if x >= 1000:
        return f"{float(f'{x:.3g}'):,.0f}"
    return f"{x:.3g}" if x < 99.95 else f"{x:.0f}"


def table(results):
    """Markdown: one table for each case, its peers from fast to slow."""
    lines = []
    for r in results:
        lines += [f"### {r['name']}", ""]
        if r["note"]:
            lines += [r["note"], ""]
        if "columns" in r:
            lines += ["| " + " | ".join(r["columns"]) + " |", "|---" * len(r["columns"]) + "|"]
            lines += [
                "| " + " | ".join(x if isinstance(x, str) else figure(x) for x in row) + " |" for row in r["rows"]
            ]
        else:
            lines += [f"| | {r['unit']}, median (quartiles) | time ÷ {r['ours']} | best ÷ best |", "|---|---|---|---|"]
            for label, t in sorted(r["peers"].items(), key=lambda item: item[1]["median"]):
                ratio = r["ratios"].get(label)
                times = f"{figure(t['median'])} ({figure(t['low'])}–{figure(t['high'])})"
                best = f"{figure(ratio['best'])}×" if ratio else "1"
                lines.append(f"| {label} | {times} | {_ratio(ratio) if ratio else '1'} | {best} |")
        for label, reason in r["missing"].items():
            lines.append(f"| {label} | {reason} |" + " |" * (len(r.get("columns", "....")) - 2))
        lines.append("")
    return "\n".join(lines)


def _ratio(ratio):
    return f"**{figure(ratio['median'])}×** ({figure(ratio['low'])}–{figure(ratio['high'])})"


def write(path, text):
    """Write a file whole or not at all."""
    path = Path(path)
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


def main(cases, argv=None):
    """The command line of one benchmark: runs its cases, prints their tables, writes JSON if asked."""
    parser = argparse.ArgumentParser(description=(sys.modules["__main__"].__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="small sizes, one round: does it still run?")
    parser.add_argument("--json", metavar="FILE", help="also write the results there")
    options = parser.parse_args(argv)
    pin()
    results = []
    for result in cases(options.small):
        print(table([result]), flush=True)
        results.append(result)
    if options.json:
        write(options.json, json.dumps({"machine": machine(), "versions": versions(), "cases": results}))
    return results
