"""Programs too long for generated Python: they are interpreted row by row, with the same bits."""

from __future__ import annotations

import pytest

import microgradlike as mg
from microgradlike import Value
from microgradlike.compile import python_backend

w = Value(0.75, label="w")

PROGRAMS = {
    "a chain": lambda x: mg.tanh(w * x) ** 3 - x / w,
    "shared": lambda x: (w * x) * (w * x) + w,
    "a sum of many": lambda x: mg.sum([w * x, w, x, 2.0, w]),
    "selection": lambda x: mg.where(mg.less(0.5, x), mg.exp(w * x), mg.log(w + x)),
    "a parameter alone": lambda x: w,
}
ROWS = [0.25, 0.5, 1.5, -0.125]


@pytest.mark.parametrize("name", PROGRAMS)
def test_interpreted_as_generated(name, monkeypatch):
    """Values, mean and mean gradient of a program that counts as long are those of its generated source, bit by bit."""
    found = []
    for limit in (python_backend._LONG, -1):
        monkeypatch.setattr(python_backend, "_LONG", limit)
        step = mg.compile(PROGRAMS[name], backend="python", cache=False)
        w.grad = 0.0
        found.append((list(step.map(ROWS)), step.backward(ROWS), w.grad))
    assert found[0] == found[1]
