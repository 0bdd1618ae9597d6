"""The losses of one example and their mean: values, gradients, stability, and what targets may be."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, losses

logits = st.floats(-30.0, 30.0)


def leaves(numbers):
    return [Value(number) for number in numbers]


ONE_NODE = {
    "half_squared_error": lambda x: losses.half_squared_error(x[0], 0.5),
    "mean_squared_error": lambda x: losses.mean_squared_error(x, [0.5, 0.25, 1.0]),
    "binary_cross_entropy": lambda x: losses.binary_cross_entropy(x[0], 1),
    "binary_cross_entropy_with_logits": lambda x: losses.binary_cross_entropy_with_logits(x[0], 0),
    "cross_entropy": lambda x: losses.cross_entropy(x, 2),
    "soft_cross_entropy": lambda x: losses.cross_entropy(x, [0.25, 0.5, 0.25]),
    "hinge": lambda x: losses.hinge(x[0], -1),
    "mean": lambda x: losses.mean(x),
}


@pytest.mark.parametrize("name", ONE_NODE)
def test_a_loss_is_one_node_and_of_numbers_a_float(name):
    numbers = [0.25, 0.5, 0.75]
    loss = ONE_NODE[name](leaves(numbers))
    assert loss.op.name == name
    assert all(not isinstance(x, Value) or x.is_leaf for x in loss.args)
    plain = ONE_NODE[name](numbers)
    assert type(plain) is float
    assert plain == loss.data


@pytest.mark.parametrize("name", ONE_NODE)
def test_gradients_are_the_limits_of_differences(name):
    numbers, h = [0.3, 0.6, 0.8], 1e-5
    x = leaves(numbers)
    ONE_NODE[name](x).backward()
    for i, xi in enumerate(x):
        up, down = list(numbers), list(numbers)
        up[i] += h
        down[i] -= h
        slope = (ONE_NODE[name](up) - ONE_NODE[name](down)) / (2.0 * h)
        assert xi.grad == pytest.approx(slope, rel=1e-8, abs=1e-10)


@given(logits, st.sampled_from([0, 1]))
def test_logistic_loss_pulls_by_the_error(z, y):
    """dL/dz = σ(z) − y."""
    leaf = Value(z)
    losses.binary_cross_entropy_with_logits(leaf, y).backward()
    error = mg.sigmoid(z) if y == 0 else -mg.sigmoid(-z)
    assert leaf.grad == pytest.approx(error, rel=1e-15)


@given(st.lists(logits, min_size=2, max_size=6), st.data())
def test_cross_entropy_pulls_by_the_error(zs, data):
    """dL/dz = softmax(z) − one-hot, whose parts add up to 0."""
    k = data.draw(st.integers(0, len(zs) - 1))
    x = leaves(zs)
    losses.cross_entropy(x, k).backward()
    probabilities = mg.softmax(zs)
    for i, (leaf, p) in enumerate(zip(x, probabilities, strict=True)):
        assert leaf.grad == pytest.approx(p - (i == k), abs=2e-16)
    assert math.fsum(leaf.grad for leaf in x) == pytest.approx(0.0, abs=1e-15)


@given(logits, logits, st.sampled_from([0, 1]))
def test_two_classes_are_logistic_regression(z0, z1, k):
    """E5: with two classes the cross-entropy equals the logistic loss of the difference."""
    both = losses.cross_entropy([z0, z1], k)
    assert both == pytest.approx(losses.binary_cross_entropy_with_logits(z1 - z0, k), rel=1e-14, abs=1e-300)


@given(st.lists(logits, min_size=2, max_size=5), st.data())
def test_an_index_is_a_one_hot_distribution(zs, data):
    k = data.draw(st.integers(0, len(zs) - 1))
    one_hot = [float(i == k) for i in range(len(zs))]
    assert losses.cross_entropy(zs, k) == pytest.approx(losses.cross_entropy(zs, one_hot), rel=4e-16)
    ps = mg.softmax(zs)
    assert losses.categorical_cross_entropy(ps, k) == losses.categorical_cross_entropy(ps, one_hot)
    assert losses.categorical_cross_entropy(ps, k) == pytest.approx(losses.cross_entropy(zs, k), rel=1e-12, abs=3e-16)


def test_no_digit_is_lost_where_a_class_is_nearly_certain():
    x = leaves([40.0, 0.0, 0.0])
    loss = losses.cross_entropy(x, 0)
    loss.backward()
    tail = 2.0 * math.exp(-40.0)
    assert loss.data == pytest.approx(tail, rel=1e-15)
    assert x[0].grad == pytest.approx(-tail, rel=1e-15)
    assert losses.binary_cross_entropy_with_logits(40.0, 1) == pytest.approx(math.exp(-40.0), rel=1e-15)


def test_no_overflow_and_no_clamp():
    assert losses.binary_cross_entropy_with_logits(-1000.0, 1) == 1000.0
    assert losses.cross_entropy([1000.0, -1000.0], 1) == 2000.0
    assert losses.binary_cross_entropy(1e-50, 1) == pytest.approx(50.0 * math.log(10.0), rel=1e-15)
    p = Value(1e-50)
    losses.binary_cross_entropy(p, 1).backward()
    assert p.grad == pytest.approx(-1e50, rel=1e-15)


def test_senseless_predictions_give_what_ieee_754_gives():
    assert losses.binary_cross_entropy(0.0, 1) == math.inf
    assert math.isnan(losses.binary_cross_entropy(2.0, 0))
    assert math.isnan(losses.cross_entropy([math.nan, 0.0], 1))
    assert losses.categorical_cross_entropy([1.0, 0.0], 1) == math.inf


@settings(max_examples=30)
@given(st.lists(st.tuples(logits, st.sampled_from([0, 1])), min_size=1, max_size=8), st.floats(-2, 2))
def test_the_gradient_of_the_mean_is_the_mean_of_the_gradients(examples, w0):
    """E4: the cost's gradient averages those of the examples."""
    w = Value(w0)
    losses.mean(losses.binary_cross_entropy_with_logits(w * x, y) for x, y in examples).backward()
    each = []
    for x, y in examples:
        one = Value(w0)
        losses.binary_cross_entropy_with_logits(one * x, y).backward()
        each.append(one.grad)
    assert w.grad == pytest.approx(math.fsum(each) / len(each), rel=1e-13, abs=1e-14)


def test_targets_may_be_values():
    y = Value(0.25)
    losses.binary_cross_entropy_with_logits(Value(2.0), y).backward()
    assert y.grad == -2.0
    k = Value(1.0)
    assert losses.cross_entropy(leaves([0.0, 3.0]), k).data == losses.cross_entropy([0.0, 3.0], 1)
    assert losses.categorical_cross_entropy([0.25, 0.75], k).data == losses.categorical_cross_entropy([0.25, 0.75], 1)


def test_arrays_are_sequences():
    np = pytest.importorskip("numpy", reason="arrays need NumPy")
    assert losses.cross_entropy(np.array([0.0, 1.0]), np.int64(1)) == losses.cross_entropy([0.0, 1.0], 1)
    assert losses.mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 2.0
    assert losses.cross_entropy([0.0, 1.0], np.array([0.0, 1.0])) == losses.cross_entropy([0.0, 1.0], 1)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: losses.binary_cross_entropy(0.5, 2), ValueError, r"y must be 0, 1 .* not 2\.0.*map the labels"),
        (lambda: losses.binary_cross_entropy_with_logits(0.5, -1), ValueError, r"y must be .*-1\.0"),
        (lambda: losses.binary_cross_entropy(0.5, "1"), TypeError, "y must be a real number, not str"),
        (lambda: losses.hinge(0.5, 0), ValueError, r"y must be .* not 0: labels 0 and 1 become"),
        (lambda: losses.cross_entropy([], 0), ValueError, "logits is empty"),
        (lambda: losses.cross_entropy(3.0, 0), TypeError, "logits must be a sequence .* not float"),
        (lambda: losses.cross_entropy([1.0, 2.0], 2), IndexError, "target 2 is no class: there are 2"),
        (lambda: losses.cross_entropy([1.0, 2.0], -1), IndexError, "target -1 is no class"),
        (lambda: losses.cross_entropy([1.0, 2.0], 0.5), TypeError, "index of a class"),
        (lambda: losses.cross_entropy([1.0, 2.0], math.nan), TypeError, "index of a class"),
        (lambda: losses.cross_entropy([1.0, 2.0], math.inf), TypeError, "index of a class"),
        (lambda: losses.cross_entropy([1.0, 2.0], [1.0]), ValueError, "same length, not 2 and 1"),
        (lambda: losses.cross_entropy([1.0, 2.0], [2.0, -1.0]), ValueError, r"target\[1\] must be a probability"),
        (lambda: losses.cross_entropy([1.0, 2.0], [0.5, 0.6]), ValueError, "add up to 1.*divide"),
        (lambda: losses.cross_entropy([1.0, "2"], 0), TypeError, r"logits\[1\] must be a real number"),
        (lambda: losses.categorical_cross_entropy([], 0), ValueError, "probabilities is empty"),
        (lambda: losses.mean_squared_error([1.0], [1.0, 2.0]), ValueError, "same length, not 1 and 2"),
        (lambda: losses.mean_squared_error(Value(1.0), [1.0]), TypeError, r"write \[x\]"),
        (lambda: losses.mean([]), ValueError, "losses is empty"),
        (lambda: losses.half_squared_error("a", 1.0), TypeError, "prediction must be a real number"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_value_and_the_cure(call, error, words):
    with pytest.raises(error, match=words):
        call()
