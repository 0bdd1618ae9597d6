"""A character-level GPT, written scalar by scalar and trained on first names. Nothing in it but arithmetic on Values.

    python docs/examples/gpt.py             # 500 steps, each builds its graph and sweeps it
    python docs/examples/gpt.py --replay    # the same steps, each length of name recorded once
    python docs/examples/gpt.py --small     # 3 steps, to see that it works

500 eager steps take some 10 s with the compiled engine and 90 s in plain Python; replayed, a step takes less than a
millisecond once its length is recorded and compiled (with native code: 20 s in all, most of them for that).

The model is a transformer decoder of one layer, 16 wide, with 4 attention heads and 16 positions: 4,192
parameters for 27 tokens (26 letters, and one for "a name begins or ends here"). As in GPT-2, but smaller in
every way: RMSNorm in place of LayerNorm, ReLU in place of GELU, and no biases.

The program asks its numbers for + - * / **, exp(), log(), relu(), sum(), .data and .grad: any scalar engine
that has these can run it (`GPT(tokens, rng, leaf=...)` says which), and the benchmarks do just that. To be replayed,
it needs one thing more: a token selects rows by `mg.take`, so that it can be an input of the recording.

Sources: Vaswani et al. 2017, arXiv:1706.03762 (attention); Radford et al. 2019 (GPT-2); Zhang and Sennrich
2019, arXiv:1910.07467 (RMSNorm); Kingma and Ba 2015, arXiv:1412.6980 (Adam).
"""

from __future__ import annotations

import argparse
import random
import time
from itertools import pairwise
from operator import getitem
from pathlib import Path

import microgradlike as mg
from microgradlike import Value

WIDTH, HEADS, BLOCK = 16, 4, 16
HEAD = WIDTH // HEADS
EDGE = "."  # the token before the first letter and after the last


# ── the model ───────────────────────────────────────────────────────────────────────────────────
def dot(x, y):
    """Σ xᵢ·yᵢ"""
    return sum(xi * yi for xi, yi in zip(x, y, strict=True))


def linear(x, rows):
    """W·x: one inner product for each row of W."""
    return [dot(row, x) for row in rows]


def normalise(x):
    """x divided by its root mean square (RMSNorm without gains); 1e-5 keeps a zero vector from 0/0."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def softmax(scores):
    """exp(s) over its sum. The scores of a normalised network this small are far from overflow."""
    exponentials = [s.exp() for s in scores]
    total = sum(exponentials)
    return [e / total for e in exponentials]


def add(x, y):
    """x + y, element by element."""
    return [xi + yi for xi, yi in zip(x, y, strict=True)]


class GPT:
    """The parameters, and what they compute.

    Args:
        tokens: the size of the vocabulary.
        rng: a `random.Random`; the weights start normal with standard deviation 0.08.
        leaf: what makes a parameter from a float.
        take: take(rows, i) is row i; `mg.take` accepts a Value for i, as recordings need it.
    """

    def __init__(self, tokens, rng, leaf=Value, take=getitem):
        def matrix(rows, columns):
            return [[leaf(rng.gauss(0.0, 0.08)) for _ in range(columns)] for _ in range(rows)]

        self.take = take
        self.tokens = matrix(tokens, WIDTH)  # what a token means
        self.positions = matrix(BLOCK, WIDTH)  # what standing in a place means
        self.query, self.key, self.value, self.mix = [matrix(WIDTH, WIDTH) for _ in range(4)]
        self.up, self.down = matrix(4 * WIDTH, WIDTH), matrix(WIDTH, 4 * WIDTH)
        self.scores = matrix(tokens, WIDTH)  # how well each token would come next

    def parameters(self):
        """All of them, in order."""
        matrices = [matrix for matrix in vars(self).values() if isinstance(matrix, list)]
        return [p for matrix in matrices for row in matrix for p in row]

    def __call__(self, token, position, keys, values):
        """The probability of each next token. `keys` and `values` remember the tokens before, and grow by one."""
        x = self.embedding(token, position)
        x = self.attention(x, keys, values)
        return self.logits(self.mlp(x))

    def embedding(self, token, position):
        """What the token means, and where it stands."""
        return normalise(add(self.take(self.tokens, token), self.positions[position]))

    def attention(self, x, keys, values):
        """x, and what it finds in the tokens before: four heads, each with a quarter of the width."""
        h = normalise(x)
        query = linear(h, self.query)
        keys.append(linear(h, self.key))
        values.append(linear(h, self.value))
        attended = []
        for start in range(0, WIDTH, HEAD):
            part = slice(start, start + HEAD)
            attended += self.head(query[part], [key[part] for key in keys], [value[part] for value in values])
        return add(x, linear(attended, self.mix))

    def head(self, query, keys, values):
        """The values, weighted by how well their keys answer the query."""
        weights = softmax([dot(query, key) / HEAD**0.5 for key in keys])
        return linear(weights, list(zip(*values, strict=True)))

    def mlp(self, x):
        """x, and what a hidden layer of four times the width makes of it."""
        h = linear(normalise(x), self.up)
        return add(x, linear([hi.relu() for hi in h], self.down))

    def logits(self, x):
        """The probability of each next token."""
        return softmax(linear(x, self.scores))

    def loss(self, document):
        """Mean of −log p(next token) over a document, a list of up to BLOCK + 1 tokens."""
        keys, values, losses = [], [], []
        for position, (token, following) in enumerate(pairwise(document)):
            losses.append(-self.take(self(token, position, keys, values), following).log())
        return sum(losses) / len(losses)


# ── training and sampling ───────────────────────────────────────────────────────────────────────
class Adam:
    """Adam with a learning rate that falls linearly to 0; a plain loop over the parameters."""

    def __init__(self, parameters, steps, rate=0.01, beta1=0.85, beta2=0.99):
        self.parameters, self.steps, self.rate = parameters, steps, rate
        self.beta1, self.beta2, self.taken = beta1, beta2, 0
        self.mean, self.square = [0.0] * len(parameters), [0.0] * len(parameters)

    def step(self):
        """Moves every parameter and clears its gradient."""
        rate = self.rate * (1 - self.taken / self.steps)
        self.taken += 1
        beta1, beta2, mean, square = self.beta1, self.beta2, self.mean, self.square
        unbias1, unbias2 = 1 - beta1**self.taken, 1 - beta2**self.taken
        for i, p in enumerate(self.parameters):
            mean[i] = beta1 * mean[i] + (1 - beta1) * p.grad
            square[i] = beta2 * square[i] + (1 - beta2) * p.grad**2
            p.data -= rate * (mean[i] / unbias1) / ((square[i] / unbias2) ** 0.5 + 1e-8)
            p.grad = 0.0


def read_names():
    """The names that are shipped beside this file."""
    return (Path(__file__).parent / "names.txt").read_text(encoding="ascii").split()


class Letters:
    """The vocabulary of some names: text to tokens and back."""

    def __init__(self, names):
        self.alphabet = EDGE + "".join(sorted(set("".join(names))))

    def __len__(self):
        return len(self.alphabet)

    def encode(self, name):
        """The tokens of a name, an edge on either side."""
        return [self.alphabet.index(letter) for letter in f"{EDGE}{name}{EDGE}"]

    def sample(self, model, rng, temperature=0.5):
        """A new name, letter by letter, likelier letters more often."""
        keys, values, token, name = [], [], 0, ""
        for position in range(BLOCK):
            chances = [p.data ** (1 / temperature) for p in model(token, position, keys, values)]
            token = rng.choices(range(len(self)), chances)[0]
            if token == 0:
                break
            name += self.alphabet[token]
        return name


def train(model, documents, steps):
    """Eager: yields the loss of each step."""
    optimizer = Adam(model.parameters(), steps)
    for step in range(steps):
        loss = model.loss(documents[step % len(documents)])
        loss.backward()
        optimizer.step()
        yield loss.data


def train_by_replay(model, documents, steps):
    """The same steps as `train`, from recordings: one for every length of document."""
    from microgradlike import optim

    loss = mg.compile(model.loss)
    optimizer = optim.Adam(model.parameters(), optim.Linear(0.01, end=0.0, steps=steps), betas=(0.85, 0.99))
    for step in range(steps):
        optimizer.zero_grad()
        yield loss.backward([documents[step % len(documents)]])
        optimizer.step()


def main(argv=None):
    """Trains, prints the loss as it falls, and invents some names. Returns the losses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="3 steps only")
    parser.add_argument("--replay", action="store_true", help="record every length of name once, then replay")
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args(argv)
    steps = 3 if options.small else options.steps

    rng = random.Random(42)
    names = read_names()
    rng.shuffle(names)
    letters = Letters(names)
    model = GPT(len(letters), rng, take=mg.take)
    kind = "replayed" if options.replay else f"eager, {'compiled' if mg.compiled else 'plain Python'} engine"
    print(f"{len(names)} names, {len(letters)} tokens, {len(model.parameters()):,} parameters; {kind}")

    losses, times, before = [], [], time.perf_counter()
    every = max(1, steps // 10)
    for loss in (train_by_replay if options.replay else train)(model, [letters.encode(n) for n in names], steps):
        losses.append(loss)
        times.append(time.perf_counter() - before)
        before = time.perf_counter()
        if len(losses) % every == 0:
            print(f"step {len(losses):4d}  mean loss of the last {every}: {sum(losses[-every:]) / every:.4f}")
    print(f"{sum(times):.2f} s; the middle one of the steps took {sorted(times)[len(times) // 2] * 1000:.2f} ms")
    print("new names:", ", ".join(letters.sample(model, rng) for _ in range(3 if options.small else 12)))
    return losses


if __name__ == "__main__":
    main()
