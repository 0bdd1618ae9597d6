"""The worked examples E3 to E7 of the texts, to their printed digits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, datasets, losses, nn, optim, plots
from microgradlike.models import LogisticRegression, SoftmaxRegression

moderate = st.floats(-4.0, 4.0)


def printed(number, digits=8):
    return f"{number:.{digits}f}"


# ── E3: logistic regression, one example ────────────────────────────────────────────────────────
@given(moderate, moderate, moderate, moderate, moderate, st.sampled_from([0, 1]))
def test_e3_the_chain_of_derivatives(w1, w2, b, x1, x2, y):
    neuron = nn.Neuron(2, None)
    for parameter, number in zip(neuron.parameters(), (w1, w2, b), strict=True):
        parameter.data = number
    z = neuron([x1, x2])
    a = mg.sigmoid(z)
    loss = -(y * mg.log(a) + (1 - y) * mg.log(1 - a))  # as the texts write it
    loss.backward()
    assert z.data == pytest.approx(w1 * x1 + w2 * x2 + b, rel=1e-13, abs=1e-14)
    assert a.data == pytest.approx(1.0 / (1.0 + math.exp(-z.data)), rel=1e-14)
    assert loss.data == pytest.approx(losses.binary_cross_entropy(a.data, y), rel=1e-10)
    p, scale = a.data, 1.0 / min(a.data, 1.0 - a.data)
    assert a.grad == pytest.approx(-y / p + (1 - y) / (1 - p), rel=1e-15)
    assert z.grad == pytest.approx(p - y, rel=1e-15 * scale + 1e-13)
    assert [w.grad for w in neuron.w] == pytest.approx([x1 * z.grad, x2 * z.grad], rel=1e-14)
    assert neuron.b.grad == z.grad


@given(moderate)
def test_e3_derivatives_of_sigmoid_and_log(z):
    s = mg.sigmoid(z)
    assert mg.grad(mg.sigmoid)(z) == pytest.approx(s * (1.0 - s), rel=1e-13)
    assert mg.grad(mg.log)(s) == pytest.approx(1.0 / s, rel=1e-15)


def test_e3_losses_grow_without_bound_as_the_answer_goes_wrong():
    wrong = [10.0**-k for k in range(1, 300, 13)]
    for y, answers in [(1, wrong), (0, [1.0 - a for a in wrong[:1]])]:
        costs = [losses.binary_cross_entropy(a, y) for a in answers]
        assert costs == pytest.approx([-math.log(a if y else 1.0 - a) for a in answers], rel=1e-14)
        assert costs == sorted(costs)
    assert losses.binary_cross_entropy(0.0, 1) == losses.binary_cross_entropy(1.0, 0) == math.inf


def test_e3_one_update_and_the_prediction():
    x, y = [1.0, 2.0], 1
    neuron = nn.Neuron(2, None, initializer="zeros")
    step = optim.GradientDescent(neuron.parameters(), learning_rate=0.1)
    loss = losses.binary_cross_entropy_with_logits(neuron(x), y)
    assert printed(loss.data) == printed(math.log(2.0)) == "0.69314718"
    loss.backward()
    step()
    # a = ½, dz = −½, so w ← 0.1·½·x and b ← 0.1·½.
    assert [p.data for p in neuron.parameters()] == [0.05, 0.1, 0.05]
    assert int(mg.sigmoid(neuron(x)).data > 0.5) == 1


# ── E4: logistic regression, m examples ─────────────────────────────────────────────────────────
def test_e4_the_model_is_the_texts_loop():
    X, y = datasets.iris()
    rows = [[float(x) for x in row] for row in X]
    labels = [int(label == 2) for label in y]
    w, b, m, rate = [0.0] * 4, 0.0, len(rows), 0.05
    costs = []
    for _ in range(30):
        cost, dw, db = 0.0, [0.0] * 4, 0.0
        for x, t in zip(rows, labels, strict=True):  # forward and backward for each example, then the mean
            a = 1.0 / (1.0 + math.exp(-(sum(wi * xi for wi, xi in zip(w, x, strict=True)) + b)))
            cost += -math.log(a if t else 1.0 - a) / m
            dw = [d + xi * (a - t) / m for d, xi in zip(dw, x, strict=True)]
            db += (a - t) / m
        w, b = [wi - rate * d for wi, d in zip(w, dw, strict=True)], b - rate * db
        costs.append(cost)
    model = LogisticRegression(learning_rate=rate, epochs=30, progress=False).fit(rows, labels)
    assert model.coef_[0] == pytest.approx(w, rel=1e-11)
    assert model.intercept_[0] == pytest.approx(b, rel=1e-11)
    assert model.loss_curve_ == pytest.approx(costs, rel=1e-12)
    assert model.loss_curve_ == sorted(model.loss_curve_, reverse=True)


def test_e4_log_loss_is_convex_in_w_and_b_and_squared_error_is_not():
    grid = [i / 2.0 for i in range(-16, 17)]

    def dips(cost):
        """How often the cost at the middle of two points is above the mean of their costs."""
        J = plots.cost_surface(plots.EXAMPLE_X, plots.EXAMPLE_Y, grid, grid, cost)
        n = range(1, len(grid) - 1)
        bends = [
            J[i + di][j + dj] + J[i - di][j - dj] - 2.0 * J[i][j]
            for i in n for j in n for di, dj in [(0, 1), (1, 0), (1, 1), (1, -1)]
        ]  # fmt: skip
        return sum(bend < -1e-12 for bend in bends)

    assert dips("log loss") == 0
    assert dips("squared error") > 1000


def test_e4_badly_scaled_inputs_saturate_and_standardising_cures_it():
    pytest.importorskip("sklearn", reason="the tumours are scikit-learn's")
    X_train, y_train = datasets.breast_cancer()

    def saturated(**options):
        model = LogisticRegression(learning_rate=0.1, epochs=3, progress=False, **options).fit(X_train, y_train)
        return sum(min(p) < 1e-6 for p in model.predict_proba(X_train.tolist())) / len(X_train)

    assert saturated() > 0.9
    assert saturated(standardize=True) < 0.05


def test_e4_an_image_is_flattened_and_answered_with_1_or_0():
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    X_train, X_test, y_train, y_test = datasets.digits(classes=(3, 8), test_size=0.25, seed=0)
    image = [[[float(X_test[0][8 * i + j])] for j in range(8)] for i in range(8)]  # height × width × channels
    assert datasets.flatten_image(image) == X_test[0].tolist()
    model = LogisticRegression(learning_rate=0.1, standardize=True, progress=False).fit(X_train, y_train == 8)
    assert model.score(X_test, y_test == 8) >= 0.97
    [answer] = model.predict([datasets.flatten_image(image)])
    assert answer == bool(y_test[0] == 8)


# ── E5: softmax regression ──────────────────────────────────────────────────────────────────────
def test_e5_cross_entropies():
    assert printed(losses.categorical_cross_entropy([0.2, 0.7, 0.1], 1), 5) == printed(-math.log(0.7), 5) == "0.35667"
    assert printed(losses.categorical_cross_entropy([0.4, 0.4, 0.2], 1), 5) == printed(-math.log(0.4), 5) == "0.91629"
    assert printed(losses.categorical_cross_entropy([0.2, 0.7, 0.1], [0, 1, 0]), 5) == "0.35667"
    logits = [Value(math.log(q)) for q in (0.2, 0.7, 0.1)]
    assert printed(losses.cross_entropy(logits, 1).data, 5) == "0.35667"


def test_e5_softmax_tells_apart_what_argmax_does_not():
    clear, close = mg.softmax([1.37, 0.0]), mg.softmax([1.37, 1.36])
    assert clear.index(max(clear)) == close.index(max(close)) == 0
    assert (printed(clear[0], 4), printed(close[0], 4)) == ("0.7974", "0.5025")


def test_e5_iris_takes_a_3_by_4_matrix():
    X_train, X_test, y_train, y_test = datasets.iris(test_size=0.25, seed=0)
    model = SoftmaxRegression(learning_rate=0.5, standardize=True, progress=False).fit(X_train, y_train)
    assert (len(model.coef_), len(model.coef_[0]), len(model.intercept_)) == (3, 4, 3)
    assert model.score(X_test, y_test) >= 0.95
    scores = model.decision_function(X_test)
    assert [max(range(3), key=list(row).__getitem__) for row in scores] == list(model.predict(X_test))


def test_e5_two_classes_are_e3():
    X, y = datasets.iris()
    rows, labels = [[float(x) for x in row] for row in X[50:]], [int(label) for label in y[50:]]
    options = {"optimizer": "lbfgs", "standardize": True, "progress": False}
    softmax = SoftmaxRegression(l2=0.02, **options).fit(rows, labels)
    logistic = LogisticRegression(l2=0.01, **options).fit(rows, labels)  # ‖w₁‖² + ‖w₂‖² = ½‖w₂ − w₁‖²
    difference = [b - a for a, b in zip(*softmax.coef_, strict=True)]
    assert difference == pytest.approx(logistic.coef_[0], rel=1e-7)
    assert softmax.loss_curve_[-1] == pytest.approx(logistic.loss_curve_[-1], rel=1e-12)


# ── E6: the 2-2-2 sigmoid perceptron ────────────────────────────────────────────────────────────
X6, TARGETS6, W6 = [0.1, 0.2], [0.4, 0.6], [0.3, 0.25, 0.4, 0.35, 0.45, 0.4, 0.7, 0.6]


def test_e6_forward_backward_update_forward():
    net = nn.MLP(2, [2, 2], activation="sigmoid", bias=False)
    for i, (parameter, number) in enumerate(zip(net.parameters(), W6, strict=True), 1):
        parameter.data, parameter.label = number, f"w{i}"
    w = net.parameters()
    step = optim.GradientDescent(w, learning_rate=0.5)

    def forward():
        h = net.layers[0](X6)
        o = net.layers[1](h)
        e = [losses.half_squared_error(oi, t) for oi, t in zip(o, TARGETS6, strict=True)]
        assert [oi.data for oi in o] == [oi.data for oi in net(X6)]
        z = [node.args[0] for node in (*h, *o)]
        return z, h, o, e, e[0] + e[1]

    z, h, o, e, total = forward()
    assert [printed(v.data) for v in z] == ["0.08000000", "0.11000000", "0.44498412", "0.68047592"]
    assert [printed(v.data) for v in h] == ["0.51998934", "0.52747230"]
    assert [printed(v.data) for v in o] == ["0.60944600", "0.66384491"]
    assert [printed(v.data) for v in (*e, total)] == ["0.02193381", "0.00203809", "0.02397190"]

    total.backward()
    assert printed(o[0].grad) == "0.20944600"
    assert printed(mg.grad(mg.sigmoid)(z[2].data)) == "0.23802157"
    assert z[2].args[2] is h[0]  # dz3/dw5 = h1
    assert printed(w[4].grad) == "0.02592286"
    assert printed(h[0].grad) == "0.03240681"
    assert printed(mg.grad(mg.sigmoid)(z[0].data)) == "0.24960043"
    assert printed(w[0].grad) == "0.00080888"
    assert [printed(mg.gradients(ei, [h[0]])[0].data) for ei in e] == ["0.02243370", "0.00997311"]

    step()
    assert [printed(p.data) for p in w] == [
        "0.29959556", "0.24919112", "0.39964496", "0.34928991", "0.43703857", "0.38685205", "0.69629578", "0.59624247",
    ]  # fmt: skip

    z, h, o, e, after = forward()
    assert [printed(v.data) for v in z] == ["0.07979778", "0.10982248", "0.43126996", "0.67650625"]
    assert [printed(v.data) for v in h] == ["0.51993887", "0.52742806"]
    assert [printed(v.data) for v in o] == ["0.60617688", "0.66295848"]
    assert [printed(v.data) for v in (*e, after)] == ["0.02125445", "0.00198189", "0.02323634"]
    assert after.data < total.data


def test_e6_training_goes_on_to_the_targets():
    net = nn.MLP(2, [2, 2], activation="sigmoid", bias=False)
    net.load_state_dict(dict(zip(net.state_dict(), W6, strict=True)))
    step = optim.GradientDescent(net.parameters(), learning_rate=0.5)
    for _ in range(2000):
        total = sum(losses.half_squared_error(o, t) for o, t in zip(net(X6), TARGETS6, strict=True))
        net.zero_grad()
        total.backward()
        step()
    assert [o.data for o in net(X6)] == pytest.approx(TARGETS6, abs=1e-6)


# ── E7: gradient descent and its descendants ────────────────────────────────────────────────────
def test_e7_the_rule_in_one_and_in_many_dimensions():
    x = Value(3.0)
    step = optim.GradientDescent([x], learning_rate=0.1)
    (x**2).backward()
    step()
    assert x.data == 3.0 - 0.1 * 6.0
    a, b = Value(1.0), Value(-2.0)
    step = optim.GradientDescent([a, b], learning_rate=0.25)
    (a * a * b + b).backward()
    step()
    assert (a.data, b.data) == (1.0 - 0.25 * (2.0 * 1.0 * -2.0), -2.0 - 0.25 * (1.0 + 1.0))


@pytest.mark.parametrize("name", optim.by_name())
def test_e7_every_descendant_finds_the_bottom_of_the_bowl(name):
    path = plots.descent_path(name, steps=300)
    lowest = min(J for _, _, J in plots.descent_path("gradient_descent", steps=3000))
    assert path[-1][2] - lowest < 0.01 * (path[0][2] - lowest)


def test_e7_what_the_descendants_are_for():
    """In a narrow valley momentum outruns the plain rule; Adam's steps do not depend on the gradient's scale."""

    def valley(step_of, scale=1.0, steps=60):
        x, y = Value(4.0), Value(1.0)
        step = step_of([x, y])
        for _ in range(steps):
            step.zero_grad()
            (scale * (0.02 * x * x + y * y)).backward()
            step()
        return 0.02 * x.data**2 + y.data**2

    plain = valley(lambda p: optim.GradientDescent(p, 0.5))
    assert valley(lambda p: optim.SGD(p, 0.5, momentum=0.8)) < 0.1 * plain
    assert valley(lambda p: optim.SGD(p, 0.5, momentum=0.8, nesterov=True)) < 0.1 * plain
    adam = [valley(lambda p: optim.Adam(p, 0.1, eps=0.0), scale) for scale in (1.0, 1024.0)]
    assert adam[0] == pytest.approx(adam[1], rel=1e-12)
