"""Habits from PyTorch, scikit-learn and micrograd: what is written by their names works, or says what to write here."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import microgradlike as mg
from microgradlike import Value, losses, models, nn, optim

NET = nn.MLP(2, [3, 1], seed=0)

WRONG = {
    "SGD(lr)": (lambda: optim.SGD(NET.parameters(), lr=0.1), TypeError, "SGD takes no 'lr': .* learning_rate"),
    "Adam(beta1)": (lambda: optim.Adam(NET.parameters(), beta1=0.9), TypeError, r"betas=\(beta1, beta2\)"),
    "RMSprop(alpha)": (lambda: optim.RMSprop(NET.parameters(), alpha=0.9), TypeError, "rho"),
    "optim.sgd": (lambda: optim.sgd, AttributeError, "did you mean SGD"),
    "optim.lr_scheduler": (lambda: optim.lr_scheduler, AttributeError, r"optim\.Cosine"),
    "lr": (lambda: optim.SGD(NET.parameters()).lr, AttributeError, "learning_rate"),
    "lr = 1": (lambda: setattr(optim.SGD(NET.parameters()), "lr", 1.0), AttributeError, "nothing.*learning_rate"),
    "param_groups": (lambda: optim.SGD(NET.parameters()).param_groups, AttributeError, "one group"),
    "losses.mse": (lambda: losses.mse, AttributeError, r"losses\.mean_squared_error"),
    "losses.hinge_": (lambda: losses.hinge_, AttributeError, "did you mean hinge"),
    "nn.Linear": (lambda: nn.Linear(2, 3), AttributeError, r"nn\.Layer\(n_inputs, n_outputs, None\)"),
    "nn.ReLU": (lambda: nn.ReLU(), AttributeError, "activation='relu'"),
    "nn.MSELoss": (lambda: nn.MSELoss(), AttributeError, r"microgradlike\.losses"),
    "nonlin": (lambda: nn.Neuron(2, nonlin=False), TypeError, "Neuron takes no 'nonlin': .*activation=None"),
    "net.eval()": (lambda: NET.eval(), AttributeError, "no training mode"),
    "net.forward": (lambda: NET.forward([1, 2]), AttributeError, r"net\(x\)"),
    "net(batch)": (lambda: NET([[1, 2], [3, 4]]), TypeError, r"one example, 2 Values.*\[net\(x\) for x in X\]"),
    "LR(lr)": (lambda: models.LogisticRegression(lr=0.1), TypeError, "takes no 'lr': .*learning_rate"),
    "LR(C)": (lambda: models.LogisticRegression(C=2.0), TypeError, r"l2 = 1/\(C·m\)"),
    "MLP(random_state)": (lambda: models.MLPClassifier(random_state=0), TypeError, "called seed"),
    "set_params(max_iter)": (lambda: models.MLPClassifier().set_params(max_iter=9), ValueError, "called epochs"),
    "partial_fit": (lambda: models.SoftmaxRegression().partial_fit([], []), AttributeError, "begins anew"),
    "LinearRegression": (lambda: models.LinearRegression, AttributeError, r"MLPRegressor\(hidden_layer_sizes=\(\)\)"),
    "v.grad = None": (lambda: setattr(Value(1.0), "grad", None), TypeError, r"not NoneType: set it to 0\.0"),
    "v.name": (lambda: Value(1.0).name, AttributeError, r"v\.label"),
    "no_grad(True)": (lambda: mg.no_grad(True), TypeError, "decorates a function or stands in a with statement"),
    "sum(a, b)": (lambda: mg.sum(Value(1.0), Value(2.0)), TypeError, r"sum\(\) takes one sequence: write sum\(\["),
    "softmax(a, b)": (lambda: mg.softmax(1.0, 2.0), TypeError, r"softmax\(\) takes one sequence: write softmax\(\["),
    "logsumexp(a, b)": (lambda: mg.logsumexp(1.0, 2.0), TypeError, r"logsumexp\(\) takes one sequence"),
}  # fmt: skip


@pytest.mark.parametrize("habit", WRONG)
def test_an_error_names_what_to_write_here(habit):
    call, error, cure = WRONG[habit]
    with pytest.raises(error, match=cure):
        call()


def test_an_attribute_nobody_knows_has_the_usual_error():
    for thing in (NET, optim.SGD(NET.parameters()), models.LogisticRegression()):
        with pytest.raises(AttributeError, match=f"^'{type(thing).__name__}' object has no attribute 'flavour'$"):
            thing.flavour  # noqa: B018
        assert type(pickle.loads(pickle.dumps(thing))) is type(copy.deepcopy(thing)) is type(thing)


def test_a_subclass_may_use_such_names_itself():
    class Net(nn.Module):
        def __init__(self, nin, **others):
            self.weights, self.others = [nn.Parameter(1.0) for _ in range(nin)], others

        def forward(self, x):
            return mg.dot(self.weights, x)

    class Step(optim.SGD):
        def __init__(self, parameters, lr):
            super().__init__(parameters, lr)

    net = Net(nin=2, nouts=1)
    assert net.others == {"nouts": 1}
    assert net.forward([1.0, 2.0]).data == 3.0
    assert Step(net.parameters(), lr=0.25).learning_rate == 0.25


def test_no_grad_decorates_with_and_without_brackets():
    x = Value(3.0)

    @mg.no_grad
    def bare(x, factor=2.0):
        """Doubled."""
        return x * factor

    @mg.no_grad()
    def called(x):
        return bare(x, factor=4.0)

    for _ in range(2):
        assert (bare(x).is_leaf, bare(x).data, called(x).is_leaf, called(x).data) == (True, 6.0, True, 12.0)
    assert (bare.__name__, bare.__doc__) == ("bare", "Doubled.")
    assert not (x * 2).is_leaf


def test_an_array_without_dimensions_is_answered_with_its_item():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    with pytest.raises(TypeError, match=r"data must be a real number, not ndarray: its number is x\.item\(\)"):
        Value(np.array(2.0))
    with pytest.raises(TypeError, match="make one Value for each element"):
        Value(np.array([2.0]))


# ── a network's outputs ─────────────────────────────────────────────────────────────────────────
def test_a_single_output_under_numpys_numbers():
    np = pytest.importorskip("numpy", reason="NumPy is optional")
    for y in (np.int64(-1), np.float64(2.5)):
        assert (1 + -y * NET([0.5, -1.0])).data == (1 + -float(y) * NET([0.5, -1.0])).data
        assert (NET([0.5, -1.0]) * y - y).data == (NET([0.5, -1.0]) * float(y) - float(y)).data


def test_type_checkers_see_values(tmp_path):
    """Operators, methods and functions of the table have types: a user's strict program needs no casts."""
    pytest.importorskip("mypy", reason="asks a type checker")
    program = tmp_path / "program.py"
    program.write_text(
        "import microgradlike as mg\nfrom microgradlike import Value\n\n\n"
        "def f(x: Value, ys: list[Value]) -> Value:\n"
        "    z: Value = -(2.0 * x) ** 2 + mg.tanh(x) / mg.maximum(1.0, x).exp()\n"
        "    s: Value = mg.dot(ys, [1.0, 2.0])\n"
        "    return z - s\n\n\n"
        "n: float = mg.tanh(1.0) + f(Value(1), [Value(2), Value(3)]).data\n"
        "wrong: str = mg.tanh(Value(1.0))\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path / "cache"),
        str(program),
    ]
    env = {**os.environ, "MYPYPATH": str(Path(mg.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert done.stdout.count("error:") == 1 and "program.py:12" in done.stdout, done.stdout
