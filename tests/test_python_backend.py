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
        step = mg.compile(PROGRAMS[name], backend="python")
        w.grad = 0.0
        found.append((list(step.map(ROWS)), step.backward(ROWS), w.grad))
    assert found[0] == found[1]


def test_rules_may_be_written_with_operators():
    """A user's rule may say g + x and 1.0 - x where the table's say m.add: generated source says it too."""
    made = mg.primitive(
        "logistic_step",
        lambda m, g, z, x: g * (1.0 - z * z + x * 0.0 - (0.0 + z - z) + 2.0 * x - (x + x)),
        formula=lambda m, x: 0.5 - (-(m.tanh(x) - 0.25) + 1.0 * 0.5) + (0.125 + x * 0.0) - 0.125 + 0.25,
        doc="tanh in disguise",
    )
    try:
        step = mg.compile(lambda x: made(w * x), backend="python")
        w.grad = 0.0
        costs = [step.backward([x]) for x in ROWS]
        replayed, w.grad = w.grad, 0.0
        for x, cost in zip(ROWS, costs, strict=True):
            eager = made(w * x)
            eager.backward()
            assert eager.data == cost
        assert replayed == w.grad
    finally:
        del mg.ops.TABLE["logistic_step"]
