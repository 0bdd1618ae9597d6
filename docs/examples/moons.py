"""Two moons told apart by a small network, written as plain arithmetic on Values: micrograd's demo in our terms.

    python docs/examples/moons.py            # 100 points, 100 steps of gradient descent
    python docs/examples/moons.py --small    # 24 points, 40 steps, a smaller network

A network 2-16-16-1 with ReLU scores every point; the labels are −1 and +1. The loss is the mean of
relu(1 − label·score), the max-margin or hinge loss, which is 0 for a point that is on the right side by a
margin of 1, plus a little weight decay. Every step looks at all points.

`nn.MLP` is the same network as a class; here nothing is hidden.
"""

from __future__ import annotations

import argparse
import random
from itertools import pairwise
from math import cos, pi, sin

from microgradlike import Value


def moons(count, rng, noise=0.1):
    """`count` points on two interleaving half circles, and their labels −1 and +1 by turns."""
    points, labels = [], []
    for i in range(count):
        angle, label = pi * rng.random(), 1 if i % 2 else -1
        x, y = (1 - cos(angle), 0.5 - sin(angle)) if label == 1 else (cos(angle), sin(angle))
        points.append((x + rng.gauss(0, noise), y + rng.gauss(0, noise)))
        labels.append(label)
    return points, labels


def network(sizes, rng, leaf=Value):
    """One list of neurons for each layer; a neuron is its weights and its bias, which starts at 0."""
    return [
        [([leaf(rng.uniform(-1, 1)) for _ in range(before)], leaf(0.0)) for _ in range(after)]
        for before, after in pairwise(sizes)
    ]


def parameters(layers):
    """Every weight and bias, in order."""
    return [p for layer in layers for weights, bias in layer for p in (*weights, bias)]


def score(layers, x, relu=Value.relu):
    """The network's answer for one point: positive for label +1."""
    for layer in layers:
        x = [sum((w * xi for w, xi in zip(weights, x, strict=True)), bias) for weights, bias in layer]
        if layer is not layers[-1]:
            x = [relu(xi) for xi in x]
    return x[0]


def hinge_loss(layers, points, labels, relu=Value.relu, decay=1e-4):
    """The mean of relu(1 − label·score), plus decay·(sum of the squared parameters)."""
    losses = [relu(1 - label * score(layers, x, relu)) for x, label in zip(points, labels, strict=True)]
    return sum(losses) / len(losses) + decay * sum(p * p for p in parameters(layers))


def accuracy(layers, points, labels):
    """The share of points that lie on the right side."""
    right = [(score(layers, x).data > 0) == (label > 0) for x, label in zip(points, labels, strict=True)]
    return sum(right) / len(right)


def main(argv=None):
    """Trains, prints loss and accuracy, and draws the boundary in text. Returns the accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="fewer points, fewer steps, a smaller network")
    small = parser.parse_args(argv).small
    count, steps, sizes = (24, 40, (2, 8, 8, 1)) if small else (100, 100, (2, 16, 16, 1))

    rng = random.Random(1337)
    points, labels = moons(count, rng)
    layers = network(sizes, rng)
    print(f"{count} points, a {'-'.join(map(str, sizes))} network of {len(parameters(layers))} parameters")
    for step in range(steps):
        for p in parameters(layers):
            p.grad = 0.0
        loss = hinge_loss(layers, points, labels)
        loss.backward()
        rate = 1 - 0.9 * step / steps
        for p in parameters(layers):
            p.data -= rate * p.grad
        if step % (steps // 10) == 0 or step == steps - 1:
            print(f"step {step:3d}  loss {loss.data:.4f}  accuracy {accuracy(layers, points, labels):.0%}")

    for row in range(12):  # the boundary: where the score changes its sign
        y = 1.6 - 2.7 * row / 11
        print("  ".join("+" if score(layers, (-1.6 + 4.2 * column / 23, y)).data > 0 else "·" for column in range(24)))
    return accuracy(layers, points, labels)


if __name__ == "__main__":
    main()
