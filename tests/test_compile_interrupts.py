"""Ctrl-C at any instant of recording or replaying leaves a compiled function, and everything else, usable."""

import threading
import time

import pytest
from helpers import interrupted

import microgradlike as mg
from microgradlike import Value
from microgradlike.compile.compiled import BACKENDS, find_native
from microgradlike.graph.installed import installed

XS, YS = [0.5, 1.0, -1.0, 2.0], [1.0, 0.0, 1.0, 0.0]
SCENES = {
    "one example": lambda step: step(0.5, 1.0),
    "rows": lambda step: step.map(XS, YS),
    "gradient": lambda step: step.backward(XS, YS),
}


def loss(w, b):
    def f(x, y):
        z = w * x + b
        return mg.square(z - y) if y > 0 else mg.softplus(z)

    return f


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scene", SCENES)
def test_ctrl_c_at_any_instant(backend, scene):
    if (backend == "numpy" and not installed("numpy")) or (backend == "native" and not find_native()):
        pytest.skip(f"{backend} is not installed")
    expected = [loss(Value(0.3), Value(-0.2))(x, y).data for x, y in zip(XS, YS, strict=True)]
    state = {}

    def prepared():
        w, b = Value(0.3), Value(-0.2)
        state.update(parameters=(w, b), step=mg.compile(loss(w, b), backend=backend))
        return state["step"]

    SCENES[scene](prepared())
    whole = [p.grad for p in state["parameters"]]
    hits = 0
    for hit in interrupted(lambda: SCENES[scene](prepared()), tries=100):
        hits += hit
        if not state:  # it came before there was anything
            continue
        step, parameters = state["step"], state["parameters"]
        assert [p.grad for p in parameters] in ([0.0, 0.0], whole)
        assert list(step.map(XS, YS)) == pytest.approx(expected, rel=1e-13)
        assert step(2.0, 1.0) == pytest.approx((0.3 * 2.0 - 0.2 - 1.0) ** 2, rel=1e-13)
        step.backward(XS, YS)
        assert set(step.parameters) == set(parameters)
        x = Value(3.0)
        (x * x).backward()
        assert x.grad == 6.0  # nobody listens any more
        assert mg.compile(lambda x: x + 1)(1.0) == 2.0
        state.clear()
    assert hits > 50


def test_a_recording_and_a_call_in_two_threads_do_not_wait_for_each_other():
    """One records and calls f; the other is in f and wants to record: neither holds what the other needs."""
    f = mg.compile(lambda v: mg.sum(v) if isinstance(v, list) else v * 2.0)
    recording, calling = threading.Event(), threading.Event()
    found = []

    def outer(x):
        recording.set()
        calling.wait(5)
        time.sleep(0.05)  # by now the other thread waits for this recording
        return x * f(1.0)

    def call():
        recording.wait(5)
        calling.set()
        found.append(f([1.0, 2.0]))

    threads = [threading.Thread(target=call), threading.Thread(target=lambda: found.append(mg.compile(outer)(3.0)))]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [3.0, 6.0]
