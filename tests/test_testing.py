"""The testing kit itself: that it accepts what is right, finds what is wrong, and shrinks and prints well."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from helpers import examples, run
from hypothesis import find, given, settings
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value
from microgradlike.ops import TABLE
from microgradlike.testing import (
    GradientError,
    Program,
    check_gradients,
    expressions,
    finite_floats,
    graphs,
    values,
)

try:
    import mpmath  # noqa: F401
except ImportError:
    HAVE_MPMATH = False
else:
    HAVE_MPMATH = True

with_mpmath = pytest.mark.skipif(not HAVE_MPMATH, reason="mpmath is optional")
JUDGES = [pytest.param("mpmath", marks=with_mpmath), "complex", "differences"]
FORWARD_REVERSE = [("forward",), ("reverse",)]
fresh_names = (f"wrong_{k}" for k in count())


@pytest.fixture
def primitive():
    """`mg.primitive` under a name of its own; what it adds is taken out of the table again."""
    before = set(TABLE)
    yield lambda *rules, **columns: mg.primitive(next(fresh_names), *rules, doc="for a test", **columns)
    for name in set(TABLE) - before:
        del TABLE[name]


# ── what is right is accepted ───────────────────────────────────────────────────────────────────
def smooth(x, y):
    return mg.tanh(x * y) / x + mg.exp(-x) * mg.hypot(x, y)


@pytest.mark.parametrize("judge", JUDGES)
@given(x=st.floats(0.1, 5), y=st.floats(-5, 5))
@examples(8)
def test_a_smooth_function(judge, x, y):
    report = check_gradients(smooth, x, y, judge=judge)
    assert len(report.findings) + len(report.unjudged) == 2 * (2 + 4)
    assert "right" in str(report) and report.worst.what in str(report)


@pytest.mark.parametrize("judge", JUDGES)
@given(program=expressions(max_size=5))
@examples(15)
def test_random_programs(judge, program):
    check_gradients(program, *program.numbers, judge=judge)


@given(root=graphs(max_size=6))
@examples(15)
def test_random_graphs(root):
    leaves = [v for v in mg.topological_order(root) if v.is_leaf]

    def again(*xs):
        at = dict(zip(leaves, xs, strict=True))
        for v in mg.topological_order(root):
            if v not in at:
                at[v] = mg.graph.engine.record(v.op, *[x if type(x) is float else at[x] for x in v.args])
        return at[root]

    check_gradients(again, *leaves)


@with_mpmath
@pytest.mark.parametrize("order", [1, 3, 5])
def test_any_order(order):
    report = check_gradients(mg.sigmoid, 0.3, order=order)
    assert [f.order for f in report.findings] == [k for k in range(1, order + 1) for _ in range(2)]
    assert report.worst.ulps < 64


def test_inputs_of_any_shape_and_several_results():
    def layer(weights, bias, *, scale=2.0):
        return {"out": [mg.dot(row, [1.0, 2.0]) * scale + bias["b"] for row in weights], "bias": bias["b"]}

    report = check_gradients(layer, [[0.1, 0.2], [0.3, 0.4]], {"b": Value(1.0, label="bias")}, order=1)
    whats = {finding.what for finding in report.findings}
    assert len(whats) == 3 * 5
    assert "∂layer[0]/∂weights[0][1]" in whats and "∂layer[1]/∂bias" in whats


def test_arrays():
    np = pytest.importorskip("numpy", reason="NumPy is an extra")
    report = check_gradients(lambda v: mg.logsumexp(list(v)), np.array([1.0, 2.0]))
    assert {"∂f/∂v[0]", "∂f/∂v[1]"} <= {finding.what for finding in report.findings}


def test_many_inputs_are_judged_along_directions():
    report = check_gradients(lambda xs: mg.sum([mg.tanh(x) * xs[0] for x in xs]), [0.01 * k for k in range(100)])
    assert len(report.findings) == 2 * 8 * 2
    with pytest.raises(GradientError):
        check_gradients(lambda xs: mg.sum([x * x.detach() for x in xs]), [0.01 * k for k in range(1, 100)])


def test_a_branch_not_taken_may_be_undefined():
    check_gradients(lambda x: mg.where(x > 0, mg.log(x), x * x), -1.0)
    check_gradients(lambda x: x * x if x < 0 else mg.log(x), -1.0)


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(
    ("f", "point"),
    [
        pytest.param(mg.abs, [0.0], id="abs"),
        pytest.param(mg.relu, [0.0], id="relu"),
        pytest.param(mg.selu, [0.0], id="selu"),
        pytest.param(mg.maximum, [1.0, 1.0], id="a tie"),
        pytest.param(mg.clip, [1.0, 1.0, 2.0], id="the edge of clip"),
        pytest.param(mg.hinge, [2.0, 0.5], id="the margin of hinge"),
    ],
)
def test_at_kinks_a_derivative_lies_between_the_one_sided_ones(judge, f, point):
    check_gradients(f, *point, judge=judge, order=1)


def test_conventions_at_kinks_do_not_compose_and_are_not_judged():
    def identity(x):
        return mg.minimum(x, mg.relu(x))

    with pytest.raises(ValueError, match=r"nothing could be judged at x = 0\.0: it is a kink"):
        check_gradients(identity, 0.0, order=1)
    report = check_gradients(lambda x, y: identity(x) + y * y, 0.0, 1.0)
    assert "∂f/∂x" in {finding.what for finding in report.unjudged}
    assert "∂f/∂y" in {finding.what for finding in report.findings}


@with_mpmath
def test_ordinary_to_extreme_numbers():
    check_gradients(mg.cosh, 1e-300)
    check_gradients(lambda x: mg.exp(x) + mg.sin(1e5 * x), 1.0, order=3)
    check_gradients(lambda xs: mg.softmax(xs)[0], [1.0, 2.0, 300.0])
    check_gradients(lambda x: mg.log(mg.exp(x * 700.0) * 1e-300), 1.0)


# ── what is wrong is found ──────────────────────────────────────────────────────────────────────
SENSITIVITY = {"mpmath": 2.0**-40, "complex": 2.0**-30, "differences": 2.0**-10}


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("mode", FORWARD_REVERSE)
def test_an_error_in_any_rule_is_found_and_blamed(judge, mode, primitive):
    """Every row of the table, with each of its rules off by a little in turn."""
    missed = []
    for row in [r for r in TABLE.values() if r.public and r.pullback is None and r.differentiable]:
        x = [low + (0.75 - 0.1 * i) * (high - low) for i, (low, high) in enumerate((row.domain * 3)[: len(row.rules)])]
        local = row.cotangents(mg.floats, 1.0, row.on(mg.floats)(*x), *x)
        for i, rule in enumerate(row.rules):
            if rule is None or not local[i]:
                continue
            off = 1.0 + SENSITIVITY[judge]
            rules = list(row.rules)
            rules[i] = lambda m, g, z, *x, rule=rule, off=off: rule(m, g, z, *x) * off
            wrong = primitive(
                *rules,
                formula=lambda m, *x, name=row.name: getattr(m, name)(*x),
                parameters=row.parameters,
                domain=row.domain,
            )
            try:
                check_gradients(lambda *a: wrong(*a) * 3.0 + a[0], *x, order=1, judge=judge, modes=mode)
            except GradientError as error:
                if error.culprit != wrong.__name__:
                    missed.append((row.name, i, error.culprit))
            else:
                missed.append((row.name, i, "not found"))
    assert missed == []


def test_the_message_names_derivative_numbers_and_primitive(primitive):
    cube = primitive(lambda m, g, z, x: g * (2.0 * m.square(x)), formula=lambda m, x: x * x * x)
    with pytest.raises(GradientError) as info:
        check_gradients(lambda x, y: mg.exp(cube(x)) * y, 0.5, 2.0)
    error = info.value
    assert isinstance(error, AssertionError)
    assert (error.culprit, error.finding.order, error.finding.right) == (cube.__name__, 1, False)
    text = str(error)
    for words in ("∂f/∂x is wrong at x = 0.5, y = 2.0", "got  ", "reference", "ulp", "rounding explains"):
        assert words in text
    assert f"primitive '{cube.__name__}': ∂{cube.__name__}/∂x at (0.5) is 0.5, not 0.75" in text


def test_an_error_in_the_second_order_only(primitive):
    """A rule that is right as a number, but forgets how it depends on x."""
    square = primitive(lambda m, g, z, x: g * (2.0 * getattr(x, "data", x)), formula=lambda m, x: x * x)
    check_gradients(lambda x: mg.sin(square(x)), 0.5, order=1)
    with pytest.raises(GradientError, match="derivatives of order 2 are wrong") as info:
        check_gradients(lambda x: mg.sin(square(x)), 0.5)
    assert info.value.culprit == square.__name__


def test_an_error_in_the_rule_of_a_rule(primitive):
    slope = primitive(lambda m, g, z, x: g * 3.0, formula=lambda m, x: x + x)
    square = primitive(lambda m, g, z, x: g * getattr(m, slope.__name__)(x), formula=lambda m, x: x * x)
    with pytest.raises(GradientError) as info:
        check_gradients(lambda x: mg.sin(square(x)), 0.5)
    assert (info.value.finding.order, info.value.culprit) == (2, slope.__name__)


def test_a_rule_that_is_not_linear_in_the_gradient(primitive):
    double = primitive(lambda m, g, z, x: 2.0 * g * g, formula=lambda m, x: x + x)
    with pytest.raises(GradientError, match="not linear in g") as info:
        check_gradients(lambda x: 5.0 * double(x), 0.5)
    assert info.value.culprit == double.__name__


@with_mpmath
@pytest.mark.skipif(mg.compiled, reason="replaces a function of the plain engine; the compiled one's are in C")
def test_a_value_that_is_not_that_of_its_formula(monkeypatch):
    monkeypatch.setattr(mg.floats, "tanh", lambda x: math.tanh(x) * (1 + 1e-12))
    monkeypatch.setattr(mg.graph.engine.values, "tanh", mg.graph.engine.recorder(TABLE["tanh"]))
    with pytest.raises(GradientError, match="tanh itself") as info:
        check_gradients(lambda x: mg.graph.engine.values.tanh(x) * 2.0, 0.5)
    assert info.value.culprit == "tanh" and info.value.finding.mode == "value"


def hides():
    yield "detach", lambda x: x * x.detach()
    yield "data", lambda x: x * x.data
    yield "math", lambda x: x + math.sin(x.data)
    yield "a new Value", lambda x: x * Value(x.data) + x
    yield "no_grad", lambda x: mg.no_grad()(mg.exp)(x) + x


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in hides()])
def test_what_the_graph_does_not_show(judge, f):
    with pytest.raises(GradientError, match="depends on x in a way that its graph does not show"):
        check_gradients(lambda x, y: f(x) * y, 1.5, 2.0, judge=judge)


def test_a_wrong_transform_is_found(monkeypatch):
    """The sweep over floats and the gradient graph are both looked at, not only the rules."""
    from microgradlike.testing import check

    right = check.cotangents
    monkeypatch.setattr(check, "cotangents", lambda *a: [g * (1 + 1e-9) for g in right(*a)])
    with pytest.raises(GradientError, match="reverse"):
        check_gradients(mg.tanh, 0.5)


def test_an_error_can_be_allowed(primitive):
    rounded = primitive(lambda m, g, z, x: g * (m.cos(x) * (1 + 2.0**-45)), formula=lambda m, x: m.sin(x))
    with pytest.raises(GradientError):
        check_gradients(rounded, 0.5, order=1, judge="complex", ulps=10)
    check_gradients(rounded, 0.5, order=1, judge="complex", ulps=1000)


# ── bad input ───────────────────────────────────────────────────────────────────────────────────
def changes_data(x):
    x.data = 3.0
    return x * x


def calls_backward(x):
    y = x * x
    y.backward()
    return y


def random_numbers():
    import random

    return lambda x: x * random.random()


def different_steps():
    calls = count()
    return lambda x: x * 2.0 if next(calls) % 2 else x + x


BAD = [
    (lambda x: 3.0, [1.0], TypeError, "f returns no Value but float"),
    (lambda x: x.data, [1.0], TypeError, "f returns no Value but float: its computation is not recorded"),
    (lambda x: None, [1.0], TypeError, "f returns no Value but NoneType"),
    (lambda x: [], [1.0], TypeError, "f returns no Value but nothing"),
    (changes_data, [1.0], ValueError, "f changes its inputs: the data of x was 1.0 and is 3.0"),
    (calls_backward, [1.0], ValueError, "f changes its inputs: it leaves grad 2.0 in x"),
    (lambda xs: xs.append(xs[0]) or xs[0] * 2, [[1.0]], ValueError, "f changes its inputs: xs holds"),
    (lambda p: p.update(w=p["w"] * 2) or p["w"], [{"w": 1.0}], ValueError, "f changes its inputs: p holds"),
    (random_numbers(), [1.0], ValueError, "f depends on chance"),
    (different_steps(), [1.0], ValueError, "f depends on chance"),
    (mg.log, [0.0], ValueError, "is -inf at x = 0.0"),
    (mg.sqrt, [0.0], ValueError, "nothing could be judged at x = 0.0"),
    (mg.exp, [math.inf], ValueError, "input x is inf"),
    (lambda text: Value(1.0), ["a"], TypeError, "input text must be a real number, not str"),
    (lambda x: x, [], TypeError, "inputs are missing"),
    (lambda x: x[0], [[]], ValueError, "inputs hold no number"),
    (3.0, [1.0], TypeError, "f must be a function, not float"),
]


@pytest.mark.parametrize(("f", "inputs", "error", "words"), BAD, ids=[row[3] for row in BAD])
def test_bad_functions_say_what_they_do(f, inputs, error, words):
    with pytest.raises(error) as info:
        check_gradients(f, *inputs)
    assert words in str(info.value)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"order": 0}, ValueError, "order must be at least 1, not 0"),
        ({"order": 1.5}, TypeError, "order must be an integer, not 1.5"),
        ({"modes": "forward"}, ValueError, "modes must be some of"),
        ({"modes": ("backward",)}, ValueError, "modes must be some of"),
        ({"modes": ()}, ValueError, "modes must be some of"),
        ({"judge": "jury"}, ValueError, "judge must be one of"),
        ({"ulps": -1}, ValueError, "ulps must be at least 0"),
        ({"ulps": math.nan}, ValueError, "ulps must be at least 0"),
    ],
)
def test_bad_options_are_named(options, error, words):
    with pytest.raises(error, match=words):
        check_gradients(mg.tanh, 0.5, **options)


@pytest.mark.parametrize("strategy", [expressions, graphs])
def test_unknown_primitives_are_named_with_their_near_ones(strategy):
    with pytest.raises(LookupError, match=r"'tahn'.*did you mean.*tanh"):
        strategy(["sin", "tahn"])
    with pytest.raises(LookupError, match="'sech2'"):
        strategy(["sech2"])  # a helper, not public
    with pytest.raises(ValueError, match="ops is empty"):
        strategy([])
    with pytest.raises(TypeError, match="ops must be a sequence of names"):
        strategy("tanh")
    with pytest.raises(TypeError, match="names of primitives, not 3"):
        strategy([3])
    with pytest.raises(ValueError, match="max_size must be an integer of at least 1, not 0"):
        strategy(max_size=0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((math.nan, 1.0), "min_value must be finite"),
        ((2.0, 1.0), "min_value is 2.0, which is more than max_value"),
        ((None, math.inf), "max_value must be finite"),
    ],
)
def test_bad_bounds_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        finite_floats(*arguments)
    with pytest.raises(ValueError, match=words):
        values(*arguments)


def test_near_must_be_inside():
    with pytest.raises(ValueError, match=r"near holds 3\.0"):
        finite_floats(0.0, 1.0, near=[3.0])


def blocked(module, script):
    return run(f"import sys\nsys.modules[{module!r}] = None\n{script}")


def test_without_hypothesis_the_extra_is_named_and_checks_still_work():
    printed = blocked(
        "hypothesis",
        """
import microgradlike as mg
from microgradlike.testing import check_gradients
check_gradients(mg.tanh, 0.5)
try:
    from microgradlike.testing import expressions
except ImportError as error:
    print(error)
""",
    )
    assert 'pip install "microgradlike[testing]"' in printed


def test_without_mpmath_the_complex_step_judges():
    printed = blocked(
        "mpmath",
        """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "mpmath" else find(name, *rest)
import microgradlike as mg
from microgradlike.testing import check_gradients
print(check_gradients(mg.tanh, 0.5).worst.judge)
try:
    check_gradients(mg.tanh, 0.5, judge="mpmath")
except ImportError as error:
    print(error)
""",
    )
    assert printed.splitlines()[0] == "complex step" and "pip install mpmath" in printed


# ── strategies ──────────────────────────────────────────────────────────────────────────────────
@given(finite_floats())
@examples(50)
def test_finite_floats(x):
    assert type(x) is float and math.isfinite(x)


@given(finite_floats(-1, 2, near=[0.5]))
@examples(50)
def test_finite_floats_within_bounds(x):
    assert -1 <= x <= 2


def test_finite_floats_reach_the_neighbours_of_a_point():
    assert find(finite_floats(near=[0.3]), lambda x: 0 < abs(x - 0.3) < 1e-15)
    assert find(finite_floats(0.3, 1.0, near=[0.3]), lambda x: x > 0.3) <= 1.0


@given(values(), values(0, 1))
@examples(30)
def test_values(x, y):
    assert isinstance(x, Value) and x.is_leaf and x.grad == 0.0
    assert -10 <= x.data <= 10 and 0 <= y.data <= 1


@given(expressions())
@examples(60)
def test_programs_stay_in_the_domains_and_print_as_code(program):
    root = program.root
    assert math.isfinite(root.data)
    for v in mg.topological_order(root):
        if v.op is not None and v.op.name != "sum":
            domain = v.op.domain
            skip = len(v.args) - (v.op.arity or len(v.args)) + (v.op.parameters[0] in ("index", "class"))
            for i, x in enumerate(v.args[skip:]):
                low, high = domain[min(i, len(domain) - 1)]
                assert low <= (x if type(x) is float else x.data) <= high, v.op
    assert eval(repr(program), {"Program": Program}) == program
    variables = {}
    exec(program.code, variables)
    assert variables["result"].data == root.data
    assert program(*program.numbers) == root.data
    assert {v.label for v in program.inputs} == set(program.names)


@given(expressions(["tanh", "multiply"], max_size=3, max_inputs=2))
@examples(40)
def test_programs_of_chosen_primitives_and_sizes(program):
    assert set(program.operations) <= {"tanh", "multiply"}
    assert len(program.operations) <= 3 and len(program.inputs) <= 2


@given(st.data())
@examples(4)
def test_every_public_primitive_appears(data):
    for row in TABLE.values():
        if row.public and row.name != "take":  # a constant index of take selects without a node
            program = data.draw(expressions([row], max_size=1, draw=False))
            assert program.operations in ([row.name], ["positive"])  # the latter where the result overflows


quick = settings(max_examples=200, deadline=None, database=None)


def test_users_primitives_appear_too(primitive):
    cube = primitive(lambda m, g, z, x: g * (3.0 * m.square(x)), formula=lambda m, x: x * x * x)
    program = find(expressions([cube.__name__, "add"]), lambda p: cube.__name__ in p.operations, settings=quick)
    assert program.operations == [cube.__name__]


def test_programs_shrink_to_what_matters():
    def bad(program):
        return "tanh" in program.operations and "exp" in program.operations

    program = find(expressions(["tanh", "exp", "add", "multiply", "sin"]), bad, settings=quick)
    assert sorted(program.operations) == ["exp", "tanh"]
    assert program.point == {"x": 0.0}


def test_graphs_share_and_repeat_nodes():
    def repeats(root):
        return any(len({*v.args}) < len(v.args) for v in mg.topological_order(root) if v.op is not None)

    def shares(root):
        uses = [x for v in mg.topological_order(root) for x in v.args if isinstance(x, Value) and not x.is_leaf]
        return len(set(uses)) < len(uses)

    for interesting in (repeats, shares):
        root = find(graphs(), interesting, settings=quick)
        assert len(mg.topological_order(root)) <= 8  # as small as the shrinker finds in its time


@given(graphs())
@examples(40)
def test_graphs_use_all_they_compute_and_have_labels(root):
    order = mg.topological_order(root)
    assert math.isfinite(root.data)
    assert all(v.label for v in order) and len({v.label for v in order}) == len(order)
    uses = [x for v in order for x in v.args]
    assert all(v is root or v in uses for v in order)


FAILING = """
from hypothesis import Phase, given, settings
from microgradlike.testing import {strategy}
import microgradlike as mg

@settings(database=None, deadline=None, phases=[Phase.generate, Phase.shrink])
@given({strategy}())
def test(example):
    root = getattr(example, "root", example)
    assert len(mg.topological_order(root)) < 4
"""


@pytest.mark.parametrize("strategy", ["expressions", "graphs"])
def test_a_failing_example_prints_as_code_and_saves_its_drawing(strategy, tmp_path):
    (tmp_path / "test_failing.py").write_text(FAILING.format(strategy=strategy))
    root = str(Path(mg.__file__).resolve().parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_failing.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    shown = done.stdout.replace("E   ", "")
    assert ("Program(" if strategy == "expressions" else "mg.Value(") in shown
    (drawing,) = (tmp_path / ".hypothesis" / "drawings").glob("*.svg")
    assert f"drawing: .hypothesis/drawings/{drawing.name}" in shown.replace(os.sep, "/")
    assert drawing.read_text(encoding="utf-8").lstrip().startswith("<svg")


# ── programs ────────────────────────────────────────────────────────────────────────────────────
def test_a_program_is_a_function():
    program = Program("a = mg.tanh(x)\nb = a * y", x=0.5, y=2.0)
    assert program.lines == ["a = mg.tanh(x)", "b = a * y"]
    assert program(0.5, 2.0) == program.root.data == math.tanh(0.5) * 2.0
    assert program.root.label == "b" and program.operations == ["tanh", "multiply"]
    assert mg.grad(program)(0.0, 3.0) == 3.0
    assert program == Program(repr(program)[9:].split("'")[0], x=0.5, y=2.0)
    assert len({program, Program("a = mg.tanh(x); b = a * y", x=0.5, y=2.0)}) == 1
    assert program != Program("a = mg.tanh(x); b = a * y", x=0.25, y=2.0)


@pytest.mark.parametrize(
    ("source", "point", "error", "words"),
    [
        ("", {}, ValueError, "source is empty"),
        ("a = ", {}, ValueError, "source is not Python"),
        ("if x: pass", {"x": 1.0}, ValueError, "must end with an assignment or an expression"),
        (3, {}, TypeError, "source must be text, not int"),
    ],
)
def test_bad_programs_are_named(source, point, error, words):
    with pytest.raises(error, match=words):
        Program(source, **point)


def test_a_program_needs_its_inputs():
    with pytest.raises(TypeError, match=r"has 2 inputs \(x, y\), not 1"):
        Program("x + y", x=1.0, y=2.0)(1.0)
    with pytest.raises(TypeError, match="depends on no input"):
        _ = Program("mg.exp(1.0)", x=1.0).root


@pytest.mark.parametrize("constant", [9.698292948757122e-266, 1e-150, 1e250])
def test_constants_of_any_size_are_judged_in_enough_digits(constant):
    """A constant is no node, but as much as any its size decides how many digits differences lose."""
    pytest.importorskip("mpmath", reason="the judge is mpmath's")
    assert check_gradients(lambda x: mg.atan2(x, constant), 1.0, judge="mpmath")
    assert check_gradients(lambda x: (x * constant) / constant, 1.0, judge="mpmath")


@pytest.mark.parametrize("judge", ["mpmath", "complex"])
@pytest.mark.parametrize("n", [100, 1000])
def test_constants_that_a_sweep_multiplies_and_adds_round_too(n, judge):
    """No graph of a linear function's derivative shows how it was computed."""
    if judge == "mpmath":
        pytest.importorskip("mpmath", reason="it judges")
    rng = random.Random(n)
    weights = [rng.uniform(-1.0, 1.0) for _ in range(n)]

    def linear(x, y):
        total = 0.0
        for w in weights:
            total = total + (x * w - y) * 0.37
        return total / n

    def power(x):
        for _ in range(n):
            x = x * 1.0001
        return x

    check_gradients(linear, 0.3, 0.2, judge=judge)
    check_gradients(lambda x: mg.sin(linear(x, x)), 0.3, judge=judge)
    check_gradients(power, 0.3, judge=judge)
    slightly = mg.primitive(
        "slightly_wrong", lambda m, g, z, x: g * (1.0 + 1e-11), formula=lambda m, x: 1.0 * x, doc="x, and not quite 1"
    )
    try:
        with pytest.raises(GradientError, match="slightly_wrong"):
            check_gradients(lambda x: slightly(power(x)), 0.3, judge=judge)
    finally:
        TABLE.pop("slightly_wrong")


@pytest.mark.parametrize("judge", ["complex", "differences"])
def test_a_derivative_of_zero_is_right_to_every_judge(judge):
    check_gradients(lambda x: x**3, 0.0, order=2, judge=judge)
    check_gradients(lambda x: x * mg.sin(x) ** 2, 0.0, judge=judge)


def test_a_function_that_changes_what_it_captures():
    w = Value(2.0)

    def f(x):
        y = w * x
        w.data += 1.0
        return y

    with pytest.raises(ValueError, match="something that changes between calls"):
        check_gradients(f, 0.7)


@pytest.mark.parametrize("x", [1.0, 0.0, 1e-200, 9.145214619085858e-303, 1e-320, 5e-324])
def test_a_kink_is_seen_at_numbers_of_any_size(x):
    """On it, the derivative is one of the slopes beside it: no error, though it differs from both neighbours'."""
    check_gradients(lambda p: mg.maximum(0.9 * (x - p), -0.1 * (x - p)), x)


def test_gradients_are_checked_within_no_grad_too():
    with mg.no_grad():
        assert check_gradients(lambda x: x * mg.sin(x), 2.0).worst.right
        with pytest.raises(GradientError):
            check_gradients(lambda x: x * x.data, 2.0)


def test_where_there_is_no_second_derivative_nan_is_right():
    for f in (lambda x: abs(x) ** 2, lambda x: mg.maximum(x, -x) ** 2):
        report = check_gradients(f, 0.0)
        assert math.isnan(next(finding.got for finding in report.findings if finding.order == 2))
    assert not any(math.isnan(finding.got) for finding in check_gradients(lambda x: abs(x) ** 2, 1.0).findings)
