"""What several test files share: sizes of random tests, fresh interpreters, random graphs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

import microgradlike as mg
from microgradlike import Value

FACTOR = int(os.environ.get("MICROGRADLIKE_FUZZ", "1"))  # 50 makes random tests 50 times as long: a nightly run
SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def examples(count: int, **options: Any) -> Any:
    """Hypothesis settings for `count` examples, times the factor. No deadline: no test here is timed."""
    options.setdefault("suppress_health_check", SLOW_TO_DRAW)
    return settings(max_examples=count * FACTOR, deadline=None, **options)


def run(script: str) -> str:
    """What a fresh interpreter, with the same engine and default limits, prints for this script."""
    root = str(Path(mg.__file__).resolve().parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr or f"ended with {done.returncode}"
    return done.stdout


def random_graph(random, size):
    leaves = [Value(random.uniform(0.5, 1.5), label="xyz"[k]) for k in range(3)]
    nodes = list(leaves)
    for _ in range(size):
        a, b, c = (random.choice(nodes) for _ in range(3))
        make = [
            lambda: a + b,
            lambda: a * b * 0.5,
            lambda: a - 2 * b,
            lambda: mg.tanh(a),
            lambda: mg.sum([a, b, c, a]),
            lambda: mg.where(c, a, b),
            lambda: mg.softmax([a, b, c])[1],
        ]
        nodes.append(random.choice(make)())
    return leaves, nodes, mg.sum(nodes[-3:])
