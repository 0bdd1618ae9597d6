"""Every program in docs/examples runs at its small size, and finds what it promises. Nothing about speed."""

from __future__ import annotations

import importlib.util
import math
import random
import runpy
import sys
from pathlib import Path

import pytest

import microgradlike as mg

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look there for their module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_runs_as_a_program(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(path), "--small"])
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.count("\n") >= 3


def test_moons_are_told_apart():
    assert example("moons").main(["--small"]) == 1.0


def test_moons_loss_is_the_hinge_loss_with_weight_decay():
    moons = example("moons")
    rng = random.Random(1)
    points, labels = moons.moons(6, rng)
    layers = moons.network((2, 3, 1), rng)

    def by_hand(point):
        hidden = [
            max(0.0, bias.data + sum(w.data * x for w, x in zip(weights, point, strict=True)))
            for weights, bias in layers[0]
        ]
        ((weights, bias),) = layers[1]
        return bias.data + sum(w.data * h for w, h in zip(weights, hidden, strict=True))

    hinges = [max(0.0, 1 - label * by_hand(point)) for point, label in zip(points, labels, strict=True)]
    decay = 1e-4 * sum(p.data**2 for p in moons.parameters(layers))
    loss = moons.hinge_loss(layers, points, labels).data
    assert loss == pytest.approx(sum(hinges) / 6 + decay, rel=1e-14)


def test_gpt_has_the_promised_size_and_learns():
    gpt = example("gpt")
    letters = gpt.Letters(gpt.read_names())
    model = gpt.GPT(len(letters), random.Random(0))
    assert (len(letters), len(model.parameters())) == (27, 4192)
    optimizer = gpt.Adam(model.parameters(), steps=8)
    losses = []
    for _ in range(4):
        loss = model.loss(letters.encode("ada"))
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
    assert losses[0] == pytest.approx(math.log(27), abs=0.2)  # it knows nothing yet
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.5


def test_gpt_probabilities_add_up_to_one_and_look_back_only():
    gpt = example("gpt")
    model = gpt.GPT(5, random.Random(0))

    def chances(document):
        keys, values = [], []
        return [[p.data for p in model(t, i, keys, values)] for i, t in enumerate(document)]

    one, other = chances([0, 3, 1, 2]), chances([0, 3, 1, 4])
    assert one[:3] == other[:3]
    assert one[3] != other[3]
    assert [sum(row) for row in one] == pytest.approx([1.0] * 4, rel=1e-14)


def test_the_names_are_a_clean_list():
    names = (EXAMPLES / "names.txt").read_text(encoding="ascii").splitlines()
    assert names == sorted(set(names))
    assert len(names) >= 300
    assert all(name.isalpha() and name.islower() and len(name) < 16 for name in names)
    assert set("".join(names)) == set("abcdefghijklmnopqrstuvwxyz")


def test_newton_finds_the_end_of_the_valley():
    rosenbrock = example("rosenbrock")
    flat, history = rosenbrock.newton([-1.2, 1.0])
    assert flat == [1.0, 1.0]
    # The well-known course of Newton's method from this start: it climbs once, then converges quadratically.
    assert history[:5] == pytest.approx(
        [24.2, 4.731884325266609, 1411.8451793099182, 0.05596551683387446, 0.31318907611571806], rel=1e-9
    )
    deep, falling, products = rosenbrock.newton_cg([0.0] * 6)
    assert deep == pytest.approx([1.0] * 6, abs=1e-9)
    assert falling == sorted(falling, reverse=True)
    assert products > len(falling) - 1


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", ["Misra1a", "Misra1c", "DanWood", "BoxBOD", "MGH09"])
def test_fits_agree_with_nist_on_ten_digits(name, start):
    fitting = example("curve_fitting")
    (problem,) = [p for p in fitting.PROBLEMS if p.name == name]
    b, deviations, total, _ = fitting.fit(problem, problem.starts[start])
    assert fitting.digits(b, problem.certified) >= 10
    assert fitting.digits(deviations, problem.deviations) >= 10
    assert fitting.digits([total], [problem.residual]) >= 10


def test_gpt_replayed_takes_the_same_steps():
    gpt = example("gpt")
    letters = gpt.Letters("ab")
    documents = [letters.encode("ab"), letters.encode("ba")]
    losses = []
    for train in (gpt.train, gpt.train_by_replay):
        model = gpt.GPT(len(letters), random.Random(0), take=mg.take)
        losses.append(list(train(model, documents, 4)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)
