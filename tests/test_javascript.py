"""The table as JavaScript in a real browser: every row and every partial beside the eager engine's."""

from __future__ import annotations

import gzip
import json
import math
import random
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import pytest

from microgradlike import floats
from microgradlike.draw.pages.javascript import JavaScript, Script, literal
from microgradlike.ops import TABLE

REFERENCE = Path(__file__).parent / "data" / "primitives-sample.jsonl.gz"
NAMES = {
    "neg": "negative", "sub": "subtract", "mul": "multiply", "div": "divide", "min": "minimum", "max": "maximum",
    "gelu_erf": "gelu", "elu_a0.7": "elu", "celu_a1.5": "celu", "bce": "binary_cross_entropy",
    "bce_logits": "binary_cross_entropy_with_logits", "ce_logits": "cross_entropy", "mse": "mean_squared_error",
}  # fmt: skip
MOST, OF_LARGEST = 16, 4  # units in the last place of the number; or of the largest beside it, where terms cancel
RUN = """(jobs) => jobs.map(([source, cases]) => {
  const f = new Function(source)();
  return cases.map((xs) => f(...xs.map(Number)).map((x) => x === null ? null : Object.is(x, -0) ? '-0.0' : String(x)));
})"""


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def run(request):
    """Runs jobs in each browser."""
    if request.param == "firefox":
        firefox = request.getfixturevalue("firefox")
        return lambda jobs: firefox.ask(f"({RUN})({json.dumps(jobs)})")
    page = request.getfixturevalue("browser").new_page()
    return lambda jobs: page.evaluate(RUN, jobs)


def spelled(x):
    return repr(x).replace("inf", "Infinity").replace("nan", "NaN")


def read(text):
    return 0.0 if text is None else float(text.replace("Infinity", "inf"))


def source(row, count, fixed=()):
    """A function of `count` numbers that lists the row's value and its partials; `fixed` are constant arguments."""
    m = JavaScript()
    names = [Script(f"a{i}") for i in range(count)]
    args = [fixed[i] if i < len(fixed) else names[i] for i in range(count)]
    value = literal(row.on(m)(*args))
    parts = []
    for c in row.cotangents(m, 1.0, Script("out"), *args):
        gate = getattr(c, "condition", None)
        parts.append(
            "null" if c is None else literal(c if gate is None else m.where(gate, c.cotangent, Script("null")))
        )
    return (
        f"{m.prelude()}\nreturn ({', '.join(names)}) => {{ const out = {value}; return [out, {', '.join(parts)}]; }};"
    )


def eager(row, xs):
    z = row.on(floats)(*xs)
    return [z, *(0.0 if c is None else c for c in row.cotangents(floats, 1.0, z, *xs))]


def ulps(got, expected, unit=0.0):
    if got != got or expected != expected or math.isinf(got) or math.isinf(expected):
        return 0.0 if got == expected or (got != got and expected != expected) else math.inf
    return abs(float((Fraction(got) - Fraction(expected)) / Fraction(max(math.ulp(expected), unit))))


def judged(run, groups, cancelling=False):
    """The cases whose numbers are off, of (row, number of arguments, constants) → lists of arguments."""
    jobs = [
        [source(row, count, fixed), [[spelled(x) for x in xs] for xs in cases]] for (row, count, fixed), cases in groups
    ]
    off = []
    for ((row, _, _), cases), answers in zip(groups, run(jobs), strict=True):
        for xs, answer in zip(cases, answers, strict=True):
            expected = eager(row, xs)
            largest = max([abs(e) for e in expected if abs(e) < math.inf], default=0.0)
            unit = math.ulp(largest) * OF_LARGEST / MOST if cancelling else 0.0
            worst = max(ulps(read(a), e, unit) for a, e in zip(answer, expected, strict=True))
            if worst > MOST:
                off.append((row.name, worst, xs, answer, expected))
    return off


def test_every_case_of_the_reference(run):
    groups = defaultdict(list)
    with gzip.open(REFERENCE, "rt") as lines:
        for line in lines:
            case = json.loads(line)
            row = TABLE[NAMES.get(case["op"], case["op"])]
            x, given = [float.fromhex(t) for t in case["inputs"]], [float(v) for v in case["params"].values()]
            leads = bool({"index", "target"} & case["params"].keys())
            xs = given + x if leads else x + given
            groups[row, len(xs), tuple(given) if leads and row.arity is None else ()].append(xs)
    assert sum(map(len, groups.values())) > 9_000
    off = judged(run, list(groups.items()))
    assert off == [], off[:5]


def arguments_of(row, chance):
    """Some arguments in the row's domain, and the same with one of them at a troublesome point."""
    leads = 0 if row.arity is not None else sum(not p.startswith("*") for p in row.parameters)
    lists = len(row.parameters) - leads
    count = row.arity or leads + 3 * lists
    domain = [*row.domain, *[row.domain[-1]] * count][:count]
    inside = [
        [float(chance.randrange(3)) if i < leads else chance.uniform(*d) for i, d in enumerate(domain)]
        for _ in range(60)
    ]
    trouble = [
        [t if i == at else x for i, x in enumerate(xs)]
        for t in (*row.trouble, 0.0, math.inf, -math.inf, math.nan)
        for xs in inside[:4]
        for at in range(leads, count)
    ]
    return count, inside, trouble


@pytest.mark.parametrize("where", ["inside", "trouble"])
def test_every_row_of_the_table(run, where):
    chance, groups = random.Random(1), []
    for row in TABLE.values():
        count, inside, trouble = arguments_of(row, chance)
        groups.append(((row, count, ()), inside if where == "inside" else trouble))
    off = judged(run, groups, cancelling=True)
    assert off == [], (len(off), sorted({o[0] for o in off}), off[:5])


def test_a_primitive_of_the_users_own_is_written_from_its_formula(run):
    import microgradlike as mg

    mg.primitive("softclip", lambda m, g, z, x: g * m.sech2(x), formula=lambda m, x: 2.0 * m.tanh(x), doc="2·tanh(x)")
    try:
        assert judged(run, [((TABLE["softclip"], 1, ()), [[0.3], [-2.0]])]) == []
        page = mg.live(mg.softclip(mg.Value(0.5, label="x"))).to_html()
        assert "const softclip = (x) => 2 * tanh(x);" in page
    finally:
        del TABLE["softclip"]
