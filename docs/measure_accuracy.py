"""Measure the accuracy of values and derivatives, ours and our peers', and write docs/accuracy.json.

    python docs/measure_accuracy.py [reference.jsonl.gz]

The reference holds inputs, values and partial derivatives from arithmetic of 1,400 bits, with the part that a float
cannot hold, so errors come out in ulp (units in the last place) to a few digits. Rows that it lacks get cases of the
same kind here, computed with mpmath. PyTorch and JAX are measured where they are installed, on the same cases, in
float64, on the CPU; so are our own compiled programs, by each backend, all cases of a kind as one batch. `soft` fields
are convention and not counted.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import json
import math
import os
import platform
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parent / "tests" / "data" / "primitives-sample.jsonl.gz"
sys.path.insert(0, str(HERE.parent))

import microgradlike as mg  # noqa: E402

OUR_NAMES = {
    "neg": "negative", "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "max": "maximum",
    "min": "minimum", "gelu_erf": "gelu", "elu_a0.7": "elu", "celu_a1.5": "celu", "bce": "binary_cross_entropy",
    "bce_logits": "binary_cross_entropy_with_logits", "ce_logits": "cross_entropy", "mse": "mean_squared_error",
}  # fmt: skip
Answer = tuple[float, Sequence[float]]


# ── the same operation in three libraries ───────────────────────────────────────────────────────
def ours(op: str, params: dict[str, Any]) -> Callable[..., Any]:
    """The function of microgradlike, of as many arguments as the case has inputs."""
    name = OUR_NAMES.get(op, op)
    if name in ("softmax", "log_softmax"):
        return lambda *x: getattr(mg, name)(x)[params["index"]]
    if name == "cross_entropy":
        return lambda *x: mg.losses.cross_entropy(x, params["target"])
    if name == "mean_squared_error":
        return lambda *x: mg.losses.mean_squared_error(x[: len(x) // 2], x[len(x) // 2 :])
    if name in ("logsumexp", "sum", "prod", "mean", "norm"):
        return lambda *x: getattr(mg, name)(x)
    if name == "dot":
        return lambda *x: mg.dot(x[: len(x) // 2], x[len(x) // 2 :])
    if name == "soft_cross_entropy":  # (the function of losses.py checks that the targets are a distribution)
        return lambda *x: mg.soft_cross_entropy(x[: len(x) // 2], x[len(x) // 2 :])
    if name == "gelu_tanh":
        return lambda x: mg.gelu(x, approximate="tanh")
    function = getattr(mg, name)
    return (lambda *x: function(*x, *params.values())) if params else function


def torchs(op: str, params: dict[str, Any]) -> Callable[..., Any] | None:
    """The function of PyTorch; None if it has none."""
    import torch
    from torch.nn import functional as F

    half = lambda x: (torch.stack(x[: len(x) // 2]), torch.stack(x[len(x) // 2 :]))
    table: dict[str, Callable[..., Any]] = {
        "neg": torch.neg, "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "max": torch.maximum,
        "min": torch.minimum, "gelu_erf": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "relu": F.relu, "leaky_relu": lambda x: F.leaky_relu(x, *params.values()),
        "elu": lambda x: F.elu(x, *params.values()), "elu_a0.7": lambda x: F.elu(x, *params.values()), "selu": F.selu,
        "celu": lambda x: F.celu(x, *params.values()), "celu_a1.5": lambda x: F.celu(x, *params.values()),
        "silu": F.silu, "mish": F.mish, "softplus": F.softplus, "log_sigmoid": F.logsigmoid,
        "logsumexp": lambda *x: torch.logsumexp(torch.stack(x), 0),
        "softmax": lambda *x: torch.softmax(torch.stack(x), 0)[params["index"]],
        "log_softmax": lambda *x: torch.log_softmax(torch.stack(x), 0)[params["index"]],
        "ce_logits": lambda *x: F.cross_entropy(torch.stack(x)[None], torch.tensor([params["target"]])),
        "mse": lambda *x: F.mse_loss(*half(x)), "half_squared_error": lambda p, t: 0.5 * (p - t) ** 2,
        "bce": F.binary_cross_entropy, "bce_logits": F.binary_cross_entropy_with_logits,
        "hinge": lambda s, y: F.relu(1 - s * y),
        "sum": lambda *x: torch.stack(x).sum(), "prod": lambda *x: torch.stack(x).prod(),
        "mean": lambda *x: torch.stack(x).mean(), "norm": lambda *x: torch.linalg.vector_norm(torch.stack(x)),
        "dot": lambda *x: torch.dot(*half(x)), "clip": torch.clamp,
        "soft_cross_entropy": lambda *x: F.cross_entropy(half(x)[0][None], half(x)[1][None]),
    }  # fmt: skip
    return table.get(op, getattr(torch, op, None))


def jaxs(op: str, params: dict[str, Any]) -> Callable[..., Any] | None:
    """The function of JAX; None if it has none."""
    import jax
    import jax.numpy as jnp

    half = lambda x: (jnp.stack(x[: len(x) // 2]), jnp.stack(x[len(x) // 2 :]))
    table: dict[str, Callable[..., Any]] = {
        "neg": jnp.negative, "sub": jnp.subtract, "mul": jnp.multiply, "div": jnp.divide, "max": jnp.maximum,
        "min": jnp.minimum, "gelu_erf": lambda x: jax.nn.gelu(x, approximate=False),
        "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True), "relu": jax.nn.relu,
        "leaky_relu": lambda x: jax.nn.leaky_relu(x, *params.values()), "selu": jax.nn.selu,
        "elu": lambda x: jax.nn.elu(x, *params.values()), "elu_a0.7": lambda x: jax.nn.elu(x, *params.values()),
        "celu": lambda x: jax.nn.celu(x, *params.values()), "celu_a1.5": lambda x: jax.nn.celu(x, *params.values()),
        "silu": jax.nn.silu, "mish": jax.nn.mish, "softplus": jax.nn.softplus, "sigmoid": jax.nn.sigmoid,
        "log_sigmoid": jax.nn.log_sigmoid, "erf": jax.scipy.special.erf, "erfc": jax.scipy.special.erfc,
        "xlogy": jax.scipy.special.xlogy, "logsumexp": lambda *x: jax.nn.logsumexp(jnp.stack(x)),
        "softmax": lambda *x: jax.nn.softmax(jnp.stack(x))[params["index"]],
        "log_softmax": lambda *x: jax.nn.log_softmax(jnp.stack(x))[params["index"]],
        "ce_logits": lambda *x: -jax.nn.log_softmax(jnp.stack(x))[params["target"]],
        "mse": lambda *x: jnp.mean((half(x)[0] - half(x)[1]) ** 2),
        "half_squared_error": lambda p, t: 0.5 * (p - t) ** 2, "hinge": lambda s, y: jax.nn.relu(1 - s * y),
        "sum": lambda *x: jnp.stack(x).sum(), "prod": lambda *x: jnp.stack(x).prod(),
        "mean": lambda *x: jnp.stack(x).mean(), "norm": lambda *x: jnp.linalg.norm(jnp.stack(x)),
        "dot": lambda *x: jnp.dot(*half(x)), "clip": jnp.clip,
        "soft_cross_entropy": lambda *x: -jnp.dot(half(x)[1], jax.nn.log_softmax(half(x)[0])),
    }  # fmt: skip
    return table.get(op, getattr(jnp, op, None))


# ── rows that the reference lacks ───────────────────────────────────────────────────────────────
Exact = tuple[Any, list[Any]]


def exactly(op: str, x: list[Any]) -> Exact:
    """Value and partials of the operation by mpmath, from their definitions."""
    from mpmath import mp

    half = len(x) // 2
    first, second = x[:half], x[half:]
    if op in ("floor", "ceil", "round", "trunc"):
        whole = {"floor": mp.floor, "ceil": mp.ceil, "round": mp.nint, "trunc": lambda v: mp.sign(v) * mp.floor(abs(v))}
        return whole[op](x[0]), [0]
    if op == "remainder":
        return x[0] - x[1] * mp.floor(x[0] / x[1]), [1, -mp.floor(x[0] / x[1])]
    if op == "clip":
        v, low, high = x
        return min(max(v, low), high), [low <= v <= high, v < low <= high, high < max(v, low)]
    if op == "sum":
        return mp.fsum(x), [1] * len(x)
    if op == "mean":
        return mp.fsum(x) / len(x), [mp.mpf(1) / len(x)] * len(x)
    if op == "prod":
        return mp.fprod(x), [mp.fprod(x[:i] + x[i + 1 :]) for i in range(len(x))]
    if op == "dot":
        return mp.fsum(a * b for a, b in zip(first, second, strict=True)), second + first
    if op == "norm":
        norm = mp.sqrt(mp.fsum(v * v for v in x))
        return norm, [v / norm for v in x]
    assert op == "soft_cross_entropy"
    top = max(first)
    weights = [mp.exp(v - top) for v in first]
    lost = [top - v + mp.log(mp.fsum(weights)) for v in first]
    total, targets = mp.fsum(weights), mp.fsum(second)
    slopes = [w / total * targets - q for w, q in zip(weights, second, strict=True)]
    return mp.fsum(q * e for q, e in zip(second, lost, strict=True)), slopes + lost


def further_cases(count: int = 100) -> list[dict[str, Any]]:
    """As many cases of each, in the form of the reference's; half of them in its domain, half anywhere."""
    from mpmath import mp, mpf

    rng = random.Random(0)

    def anywhere() -> float:
        size = rng.choice([rng.uniform(-1074, 1023), rng.uniform(-60, 60), rng.choice([-1074, -1022, -540, 511, 1023])])
        return math.ldexp(rng.uniform(1.0, 2.0), int(size)) * rng.choice([1.0, -1.0])

    def nearest(truth: Any) -> tuple[str, float]:
        x = float(truth)
        return x.hex(), 0.0 if math.isinf(x) else float((truth - mpf(x)) / mpf(math.ulp(x)))

    cases = []
    for op in ("remainder", "clip", "floor", "ceil", "round", "trunc", "sum", "prod", "mean", "dot", "norm",
               "soft_cross_entropy"):  # fmt: skip
        row = mg.ops.TABLE[op]
        for k in range(count):
            ordinary = k < count // 2
            n = {"dot": 6, "soft_cross_entropy": 6}.get(op, 4) if row.arity is None else row.arity
            domain = (row.domain * n)[:n] if len(row.domain) == 1 else row.domain
            x = [rng.uniform(*each) if ordinary else anywhere() for each in domain]
            if op == "soft_cross_entropy":
                scale = rng.choice([1.0, 5.0, 40.0]) if ordinary else 10.0 ** rng.uniform(-9, 300)
                weights = [rng.random() for _ in x[:3]]
                x = [rng.gauss(0.0, scale) for _ in x[:3]] + [w / math.fsum(weights) for w in weights]
            if op == "clip" and x[1] > x[2]:
                x[1:] = x[:0:-1]
            bits = 4400 if op != "soft_cross_entropy" else 2500
            with mp.workprec(bits):
                value, partials = exactly(op, [mpf(v) for v in x])
                z, z_fraction = nearest(value)
                grads = [nearest(mpf(int(d)) if isinstance(d, bool) else mpf(d)) for d in partials]
            cases.append({
                "op": op, "params": {}, "inputs": [v.hex() for v in x], "kind": "ordinary" if ordinary else "extreme",
                "value": z, "value_frac": z_fraction, "grads": [g for g, _ in grads],
                "grads_frac": [f for _, f in grads], "soft": [],
            })  # fmt: skip
    return cases


# ── running them ────────────────────────────────────────────────────────────────────────────────
def run_ours(function: Callable[..., Any], inputs: list[list[float]]) -> list[Answer]:
    """Value and gradient of every case, by backward()."""
    answers = []
    for x in inputs:
        leaves = [mg.Value(number) for number in x]
        y = function(*leaves)
        y.backward()
        answers.append((y.data, [leaf.grad for leaf in leaves]))
    return answers


def run_torch(function: Callable[..., Any], inputs: list[list[float]]) -> list[Answer]:
    """Value and gradient of every case, by autograd."""
    import torch

    answers = []
    for x in inputs:
        leaves = [torch.tensor(number, dtype=torch.float64, requires_grad=True) for number in x]
        y = function(*leaves)
        gradients = torch.autograd.grad(y, leaves, allow_unused=True)
        answers.append((y.item(), [0.0 if g is None else g.item() for g in gradients]))
    return answers


def run_jax(function: Callable[..., Any], inputs: list[list[float]]) -> list[Answer]:
    """Value and gradient of all cases at once, by grad and vmap."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    columns = jnp.asarray(inputs, dtype=jnp.float64).T
    arguments = tuple(range(len(columns)))
    values, gradients = jax.vmap(jax.value_and_grad(function, arguments))(*columns)
    return [(float(v), [float(g[i]) for g in gradients]) for i, v in enumerate(values)]


def run_compiled(backend: str) -> Callable[..., list[Answer]]:
    """Value and gradient of all cases as one batch of a compiled program: of the recorded gradient's graph."""

    def run(function: Callable[..., Any], inputs: list[list[float]]) -> list[Answer]:
        def both(x: list[Any]) -> list[Any]:
            y = function(*x)
            return [y, *mg.gradients(y, list(x))]

        answers = mg.compile(both, backend=backend).map(inputs)
        rows = (
            list(zip(*answers, strict=True)) if isinstance(answers, list) and len(answers) != len(inputs) else answers
        )
        return [(float(row[0]), [float(g) for g in row[1:]]) for row in rows]

    return run


LIBRARIES = {
    "microgradlike": (ours, run_ours),
    "torch": (torchs, run_torch),
    "jax": (jaxs, run_jax),
    "compiled python": (ours, run_compiled("python")),
    "compiled numpy": (ours, run_compiled("numpy")),
    "compiled native": (ours, run_compiled("native")),
}
MODULES = {
    "compiled python": "sys",
    "compiled numpy": "numpy",
    "compiled native": "microgradlike._native",
}  # what each needs


# ── judging ─────────────────────────────────────────────────────────────────────────────────────
def error(got: float, reference: float, fraction: float) -> float:
    """The error of `got` in ulp of the reference; inf for a special value that is wrong."""
    if math.isfinite(got) and math.isfinite(reference):
        return abs((got - reference) / math.ulp(reference) - fraction)
    return 0.0 if got == reference or (got != got and reference != reference) else math.inf


def errors(case: dict[str, Any], value: float, gradient: Sequence[float]) -> list[tuple[str, float]]:
    """The error of "value", "g0", "g1" ... of an answer, without what is convention."""
    fields = [("value", value, case["value"], case["value_frac"])]
    fields += [
        (f"g{i}", g, case["grads"][i], case["grads_frac"][i]) for i, g in enumerate(gradient[: len(case["grads"])])
    ]
    return [(f, error(got, float.fromhex(x), part)) for f, got, x, part in fields if f not in case["soft"]]


def cases(path: Path) -> dict[tuple[str, str, int], list[dict[str, Any]]]:
    """The cases of the reference and those that it lacks, by operation, parameters and number of inputs."""
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            groups[case["op"], json.dumps(case["params"], sort_keys=True), len(case["inputs"])].append(case)
    for case in further_cases():
        groups[case["op"], "{}", len(case["inputs"])].append(case)
    return groups


def main(arguments: list[str] | None = None) -> int:
    """Measure everything and write the JSON; prints a table."""
    arguments = sys.argv[1:] if arguments is None else arguments
    groups = cases(Path(arguments[0]) if arguments else REFERENCE)
    rows: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    versions = {"python": platform.python_version()}
    for library, (find, run) in LIBRARIES.items():
        if library != "microgradlike":
            try:
                __import__(MODULES.get(library, library))
            except ImportError:
                print(f"{library} is not installed and not measured")
                continue
        versions[library] = version(library)
        for (op, params, _), group in groups.items():
            function = find(op, json.loads(params))
            if function is None:
                continue
            inputs = [[float.fromhex(x) for x in case["inputs"]] for case in group]
            row = rows[OUR_NAMES.get(op, op)].setdefault(
                library, {"ordinary": [0.0, 0.0], "anywhere": [0.0, 0.0], "wrong": 0, "cases": 0}
            )
            try:
                answers = run(function, inputs)
            except RuntimeError as problem:  # PyTorch refuses inputs outside a loss's domain
                print(f"{library} {op}: {problem}"[:100])
                answers = [_alone(run, function, x) for x in inputs]
            for case, (value, gradient) in zip(group, answers, strict=True):
                row["cases"] += 1
                for field, off in errors(case, value, gradient):
                    if math.isinf(off):
                        row["wrong"] += 1
                    else:
                        for place in ("anywhere", "ordinary")[: 1 + (case["kind"] == "ordinary")]:
                            row[place][field != "value"] = max(row[place][field != "value"], float(f"{off:.3g}"))
    result = {
        "what": "worst error in ulp of [value, gradient], on ordinary inputs and anywhere; how many specials are wrong",
        "cases": sum(map(len, groups.values())),
        "machine": f"{platform.machine()}, {platform.system()}, {_libc()}",
        "versions": versions,
        "rows": rows,
    }
    target = HERE / "accuracy.json"
    fresh = target.with_suffix(".tmp")
    fresh.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(fresh, target)
    for name, row in rows.items():
        print(f"{name:34}", *(f"{k}: {v['ordinary']} {v['anywhere']} {v['wrong']} wrong; " for k, v in row.items()))
    return 0


def _alone(run: Callable[..., list[Answer]], function: Callable[..., Any], x: list[float]) -> Answer:
    try:
        return run(function, [x])[0]
    except RuntimeError:
        return math.nan, [math.nan] * len(x)


def version(library: str) -> str:
    """Of the library, or of what a compiled program runs on."""
    if library in ("microgradlike", "compiled native"):
        return mg.__version__
    if library == "compiled python":
        return platform.python_version()
    return importlib.metadata.version(MODULES.get(library, library))


def _libc() -> str:
    return " ".join(platform.libc_ver()).strip() or "libm of the system"


if __name__ == "__main__":
    sys.exit(main())
