"""Runs every benchmark here, and keeps the results: `python docs/benchmarks/run.py [--small] [name ...]`.

Each bench_*.py runs in a process of its own. A full run writes results.json, results.md and, with matplotlib, pictures
(ratios.svg, growth.svg) into this folder; a small one, which only shows that everything runs, into out/ beside them.
With names ("engine", "compile" ...), only those files run, and the other results are kept as they are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import HERE, figure, table, write


def main(argv=None):
    """The command line; returns the exit status: the number of benchmarks that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="small sizes: does everything still run?")
    parser.add_argument("names", nargs="*", help="which ones, say engine; all if none is named")
    options = parser.parse_args(argv)
    files = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    if unknown := sorted(set(options.names) - set(files)):
        parser.error(f"no benchmark is named {', '.join(unknown)}; there are: {', '.join(files)}")

    folder = HERE / "out" if options.small else HERE
    folder.mkdir(exist_ok=True)
    kept = folder / "results.json"
    results = json.loads(kept.read_text(encoding="utf-8")) if options.names and kept.exists() else {}
    failed = []
    for name in options.names or files:
        found = run(files[name], options.small)
        if found is None:
            failed.append(name)
        else:
            results[name] = found
    results = {name: results[name] for name in files if name in results}
    write(kept, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write(folder / "results.md", report(results))
    plot(results, folder)
    print(f"results: {folder}" + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    return len(failed)


def run(path, small):
    """One file in a process of its own: its results, or None if it failed."""
    print(f"── {path.name} " + "─" * 60, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "results.json"
        command = [sys.executable, str(path), "--json", str(kept), *(["--small"] if small else [])]
        status = subprocess.run(command, check=False).returncode
        return json.loads(kept.read_text(encoding="utf-8")) if status == 0 else None


def report(results):
    """results.md: where and with what, then every table."""
    lines = [
        "# Benchmarks\n",
        "Made by `python docs/benchmarks/run.py`. Every table: one process pinned to one core, the peers in turn,\n"
        "their answers compared before any time is taken; medians and quartiles of the rounds. Ratios count: they\n"
        "are taken within each round, and above 1 the peer is slower.\n",
    ]
    for name, found in results.items():
        machine = ", ".join(f"{key}: {value}" for key, value in found["machine"].items())
        installed = ", ".join(f"{key} {value}" for key, value in found["versions"].items() if value)
        lines += [f"## bench_{name}.py\n", f"{machine}  ", f"{installed}\n", table(found["cases"])]
    return "\n".join(lines).rstrip() + "\n"


# ── pictures ────────────────────────────────────────────────────────────────────────────────────
GROWTH = {  # case: (what makes a line, what grows, what it costs), by the names of columns
    "W6 deep graphs: chain": ("engine", "nodes", "ns a node, in all"),
    "W6 deep graphs: fan-out": ("engine", "nodes", "ns a node, in all"),
    "W7 compile latency": ("", "operations", "seconds"),
    "W7 compile latency, layer": ("", "operations", "seconds"),
    "How cost grows": ("", "operations", "µs"),
    "How cost grows with rows": ("", "examples", "µs"),
}


def plot(results, folder):
    """ratios.svg: how many times as long each peer takes. growth.svg: cost by size. Without matplotlib, nothing."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        print("no pictures: they need matplotlib")
        return
    matplotlib.rcParams["svg.hashsalt"] = "microgradlike"
    cases = [case for found in results.values() for case in found["cases"]]
    compared = [case for case in cases if case.get("ratios")]
    if compared:
        bars = sum(len(case["ratios"]) + 1 for case in compared)
        drawing = Figure(figsize=(8, 0.6 + 0.26 * bars), layout="constrained")
        axes = drawing.subplots(
            len(compared), 1, sharex=True, squeeze=False, height_ratios=[len(case["ratios"]) + 1 for case in compared]
        )
        for case, (ax,) in zip(compared, axes, strict=True):
            ratios = sorted(case["ratios"].items(), key=lambda item: item[1]["median"])
            low, high = ([abs(r["median"] - r[end]) for _, r in ratios] for end in ("low", "high"))
            widths = [r["median"] - 1.0 for _, r in ratios]
            ax.barh([label for label, _ in ratios], widths, left=1.0, xerr=[low, high], color="#0060a8")
            for i, (_, r) in enumerate(ratios):
                ax.annotate(f" {figure(r['median'])}×", (max(r["high"], r["median"], 1.0), i), va="center", fontsize=8)
            ax.axvline(1.0, color="#1a1d21", linewidth=1)
            ax.set(xscale="log", title=f"{case['name']}: time ÷ {case['ours']}")
            ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}×")
            ax.title.set(fontsize=9, fontweight="bold")
            ax.tick_params(labelsize=8)
            ax.spines[["top", "right"]].set_visible(False)
            ax.margins(x=0.15)
        drawing.savefig(folder / "ratios.svg", metadata={"Date": None})
    growing = [case for case in cases if case["name"] in GROWTH and case.get("rows")]
    if growing:
        drawing = Figure(figsize=(4.2 * min(2, len(growing)), 3.4 * ((len(growing) + 1) // 2)), layout="constrained")
        axes = drawing.subplots((len(growing) + 1) // 2, min(2, len(growing)), squeeze=False)
        for ax in axes.flat[len(growing) :]:
            ax.remove()
        for case, ax in zip(growing, axes.flat, strict=False):
            line, size, cost = (case["columns"].index(column) for column in GROWTH[case["name"]])
            rows = [row for row in case["rows"] if not isinstance(row[cost], str)]
            if "rows" in case["columns"]:
                rows = [row for row in rows if row[case["columns"].index("rows")] == "1"]
            for label in dict.fromkeys(row[line] for row in rows):
                points = [(int(row[size].replace(",", "")), row[cost]) for row in rows if row[line] == label]
                ax.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label)
            ax.set(xscale="log", yscale="log", title=case["name"], xlabel=case["columns"][size])
            ax.set_ylabel(case["columns"][cost])
            ax.title.set(fontsize=9, fontweight="bold")
            ax.legend(fontsize=7)
            ax.tick_params(labelsize=8)
        drawing.savefig(folder / "growth.svg", metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
