"""The compiled function is the function: over random programs with branches, early returns, loops, containers,
constants and ties, near the numbers that were recorded and far from them, with derivatives, on every backend; or it
raises."""

import random

import pytest
from helpers import FACTOR

import microgradlike as mg
from microgradlike import Value
from microgradlike.compile.compiled import BACKENDS, find_native
from microgradlike.graph.installed import installed
from microgradlike.testing.programs import branching

POINTS = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 0.3, -1.7]


def numbers(result):
    """All numbers of a result in a row, Values read."""
    if isinstance(result, (list, tuple)):
        return [x for each in result for x in numbers(each)]
    return [float(result.data if isinstance(result, Value) else result)]


def rows(found):
    """What `map` answers, a result for each row."""
    return list(zip(*map(rows, found), strict=True)) if isinstance(found, tuple) else list(found)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("block", range(4))
def test_the_compiled_function_is_the_function(backend, block):
    if (backend == "numpy" and not installed("numpy")) or (backend == "native" and not find_native()):
        pytest.skip(f"{backend} is not installed")
    for seed in range(block * 10 * FACTOR, (block + 1) * 10 * FACTOR):
        choice = random.Random(f"{backend} {seed}")
        program = branching(choice.choice, 5)
        x, y = program.numbers
        points = [(x, y), (x + 1e-3, y), (x, y - 1e-3)]
        points += [(choice.choice(POINTS), choice.choice(POINTS)) for _ in range(6)]
        for f in (
            lambda *xs: program(*map(mg.positive, xs)),
            mg.grad(program, argnums=(0, 1)),
            mg.hessian(program, argnums=(0, 1)),
        ):
            step = mg.compile(f, backend=backend)
            expected = [numbers(f(*map(Value, point))) for point in points]
            report = f"{program!r}, seed {seed}"
            for point, z in zip(points, expected, strict=True):
                assert numbers(step(*point)) == pytest.approx(z, rel=1e-10, abs=1e-13, nan_ok=True), report
            found = rows(step.map(*map(list, zip(*points, strict=True))))
            for row, z in zip(found, expected, strict=True):
                assert numbers(row) == pytest.approx(z, rel=1e-10, abs=1e-13, nan_ok=True), report
