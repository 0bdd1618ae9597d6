"""A character-level GPT written scalar by scalar: one layer, 16 wide, 4 heads, 4,192 parameters. The model of W2 and W9.

The architecture is GPT-2's with RMS normalisation in place of layer normalisation, no biases, ReLU in the
feed-forward part (Radford et al. 2019; Zhang & Sennrich 2019, arXiv:1910.07467). `m` is whatever computes:
the package, or any other scalar engine that offers exp, log, relu and take.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

WIDTH, HEADS, BLOCK, HIDDEN = 16, 4, 16, 64
NAMES = (
    "emma olivia ava isabella sophia charlotte mia amelia harper evelyn abigail emily elizabeth mila ella avery sofia camila "
    "aria scarlett victoria madison luna grace chloe penelope layla riley zoey nora lily eleanor hannah lillian addison"
).split()


class Gpt:
    """The parameters, and the loss of one document."""

    def __init__(self, value: Any, m: Any, seed: int = 1, names: Sequence[str] = NAMES) -> None:
        chance = random.Random(seed)
        self.m = m
        self.letters = sorted(set("".join(names)))
        self.names = list(names)
        self.stop = len(self.letters)
        vocabulary = self.stop + 1

        def matrix(rows: int, columns: int, scale: float = 0.08) -> list[list[Any]]:
            return [[value(chance.gauss(0.0, scale)) for _ in range(columns)] for _ in range(rows)]

        self.token, self.position, self.head = (
            matrix(vocabulary, WIDTH),
            matrix(BLOCK, WIDTH),
            matrix(vocabulary, WIDTH),
        )
        self.query, self.key, self.value, self.out = (matrix(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = matrix(HIDDEN, WIDTH), matrix(WIDTH, HIDDEN)

    def parameters(self) -> list[Any]:
        """All of them, matrix by matrix."""
        matrices = (
            self.token,
            self.position,
            self.head,
            self.query,
            self.key,
            self.value,
            self.out,
            self.up,
            self.down,
        )
        return [p for matrix in matrices for row in matrix for p in row]

    def document(self, i: int) -> list[int]:
        """Name number i as token ids, between two stops."""
        letters = self.names[i % len(self.names)][: BLOCK - 1]
        return [self.stop, *[self.letters.index(c) for c in letters], self.stop]

    def loss(self, tokens: Sequence[Any]) -> Any:
        """The mean cross-entropy of each token given those before it; tokens are integers, or Values that hold them."""
        m, keys, values, losses = self.m, [], [], []
        for t in range(len(tokens) - 1):
            x = [a + b for a, b in zip(m.take(self.token, tokens[t]), self.position[t], strict=True)]
            x = self._normalised(x)
            y = self._normalised(x)
            q = _linear(self.query, y)
            keys.append(_linear(self.key, y))
            values.append(_linear(self.value, y))
            mixed = []
            size = WIDTH // HEADS
            for h in range(0, WIDTH, size):
                scores = [_dot(q[h : h + size], k[h : h + size]) * size**-0.5 for k in keys]
                weights = self._softmax(scores)
                mixed += [_dot(weights, [v[j] for v in values]) for j in range(h, h + size)]
            x = [a + b for a, b in zip(x, _linear(self.out, mixed), strict=True)]
            hidden = [m.relu(a) for a in _linear(self.up, self._normalised(x))]
            x = [a + b for a, b in zip(x, _linear(self.down, hidden), strict=True)]
            p = self._softmax(_linear(self.head, x))
            losses.append(-m.log(m.take(p, tokens[t + 1])))
        return _sum(losses) * (1.0 / len(losses))

    def _normalised(self, x: list[Any]) -> list[Any]:
        scale = (_dot(x, x) * (1.0 / len(x)) + 1e-5) ** -0.5
        return [a * scale for a in x]

    def _softmax(self, x: list[Any]) -> list[Any]:
        e = [self.m.exp(a) for a in x]  # scores of this model are small: no overflow to guard against
        total = _sum(e)
        return [a / total for a in e]


def _sum(xs: Sequence[Any]) -> Any:
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total


def _dot(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    return _sum([x * y for x, y in zip(xs, ys, strict=True)])


def _linear(matrix: list[list[Any]], x: list[Any]) -> list[Any]:
    return [_dot(row, x) for row in matrix]
