"""What several test files share: sizes of random tests, fresh interpreters, random graphs."""

from __future__ import annotations

import dis
import gc
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


CHECKED = {"RESUME", "CALL", "CALL_FUNCTION", "CALL_METHOD", "CALL_FUNCTION_KW", "CALL_FUNCTION_EX", "CALL_KW",
           "JUMP_BACKWARD", "JUMP_ABSOLUTE"}  # fmt: skip


def places(code):
    """The bytecodes of `code` at which a signal can arrive: after one at which Python looks for signals.

    What Python raises after the last call within a `with` is still raised within it: between it and `__exit__` no
    signal arrives, or no lock could be held by `with`.
    """
    handlers = {}
    if hasattr(code, "co_exceptiontable"):
        for entry in dis._parse_exception_table(code):
            handlers.update(dict.fromkeys(range(entry.start, entry.end, 2), entry.target))
    found, before = set(), None
    for each in dis.get_instructions(code):
        if before and before.opname in CHECKED and handlers.get(before.offset) == handlers.get(each.offset):
            found.add(each.offset)
        before = each
    return found


def interrupted(call, tries=200):
    """Run `call()` again and again, each time with a KeyboardInterrupt at a later place of it; yield after each.

    Yields whether the call was interrupted; ends after the first call that was not, or after so many tries, spread
    over the whole call.
    """
    known = {}

    def run(stop):
        count = 0

        def trace(frame, event, argument):
            nonlocal count
            frame.f_trace_opcodes = True
            if event == "opcode":
                code = frame.f_code
                if code not in known:
                    known[code] = places(code)
                count += frame.f_lasti in known[code]
                if count == stop:
                    count += 1
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        gc.disable()  # what others do when it collects is not interrupted: nobody would hear of it
        sys.settrace(trace)
        try:
            call()
        except KeyboardInterrupt:
            return True, count
        finally:
            sys.settrace(before)
            gc.enable()
        return False, count

    _, total = run(-1)
    yield False
    for k in range(tries):
        stop = 1 + k * max(1, total // tries)
        if stop > total:
            break
        yield run(stop)[0]
