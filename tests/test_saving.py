"""Saving: what comes back is the same to the bit, files are whole or not there, and nothing malformed is taken."""

from __future__ import annotations

import copy
import json
import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, datasets, nn, optim, saving
from microgradlike.models import LogisticRegression, MLPClassifier, MLPRegressor, SoftmaxRegression

X = [[0.0, 1.0], [1.0, 0.5], [0.5, 2.0], [3.0, 3.5], [4.0, 2.5], [3.5, 4.0]]
Y = ["a", "a", "b", "b", "c", "c"]


def bits(x):
    return struct.pack("<d", x)


def same(a, b):
    """Equal to the bit, types included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return bits(a) == bits(b) or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


def there_and_back(thing, folder):
    path = folder / "thing.json"
    saving.save(thing, path)
    return mg.load(path)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(plain)
def test_plain_data_come_back_to_the_bit(tmp_path_factory, thing):
    assert same(there_and_back(thing, tmp_path_factory.getbasetemp()), thing)


def test_floats_of_every_kind(tmp_path):
    numbers = [0.0, -0.0, 5e-324, -1.7976931348623157e308, math.inf, -math.inf, 0.1, 1 / 3]
    numbers += [random.Random(1).uniform(-1, 1) * 2.0**k for k in range(-1000, 1000, 37)]
    assert same(there_and_back(numbers, tmp_path), numbers)
    assert math.isnan(there_and_back(math.nan, tmp_path))


def test_arrays_come_back_as_they_were(tmp_path):
    np = pytest.importorskip("numpy", reason="arrays need NumPy")
    arrays = [
        np.array([0.1, -0.0, np.inf]), np.arange(6, dtype=np.int32).reshape(2, 3), np.array([True, False]),
        np.array(["iris", "été"]), np.array([1, "a", None, (2, 3)], dtype=object), np.float32([0.1, 0.2]),
    ]  # fmt: skip
    for array in arrays:
        again = there_and_back(array, tmp_path)
        assert again.dtype == array.dtype
        assert again.shape == array.shape
        assert again.tolist() == array.tolist()
    assert same(
        there_and_back({"scalar": np.float64(0.1), "count": np.int64(3)}, tmp_path), {"scalar": 0.1, "count": 3}
    )


# ── networks, optimisers, models ────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "net",
    [
        nn.MLP(2, [16, 16, 1], seed=0),
        nn.MLP(2, [2, 2], "sigmoid", bias=False, seed=1),
        nn.MLP(3, [4, 3], "gelu", output_activation="softmax", seed=2),
        nn.Layer(2, 3, None, seed=3),
        nn.Neuron(3, "tanh", seed=4),
    ],
    ids=repr,
)
def test_a_network_comes_back_whole(net, tmp_path):
    net.parameters()[0].label = '"quoted" <b> \\ \n'
    net.save(tmp_path / "net.json")
    again = mg.load(tmp_path / "net.json")
    assert type(again) is type(net)
    assert repr(again) == repr(net)
    assert same(again.state_dict(), net.state_dict())
    assert [p.label for p in again.parameters()] == [p.label for p in net.parameters()]
    x = [0.25, -1.5, 2.0][: len(net.parameters()) and _inputs(net)]
    assert _numbers(again(x)) == _numbers(net(x))


def _inputs(net):
    first = net.layers[0] if isinstance(net, nn.MLP) else net
    return len(first.neurons[0].w if isinstance(first, nn.Layer) else first.w)


def _numbers(outputs):
    return [v.data for v in (outputs if isinstance(outputs, list) else [outputs])]


def test_training_continues_from_files_exactly(tmp_path):
    def steps(net, step, count):
        for _ in range(count):
            loss = (net([1.0, -1.0]) - 2.0) ** 2
            net.zero_grad()
            loss.backward()
            step()

    net = nn.MLP(2, [3, 1], seed=0)
    step = optim.Nadam(net.parameters(), optim.WarmUp(3, optim.Cosine(0.1, steps=20)))
    steps(net, step, 5)
    net.save(tmp_path / "net.json")
    saving.save(step.state_dict(), tmp_path / "step.json")
    steps(net, step, 5)
    twin = mg.load(tmp_path / "net.json")
    again = optim.Nadam(twin.parameters())
    again.load_state_dict(mg.load(tmp_path / "step.json"))
    steps(twin, again, 5)
    assert same(twin.state_dict(), net.state_dict())
    assert same(again.state_dict(), step.state_dict())


MODELS = [
    LogisticRegression(threshold=0.3, standardize=True),
    SoftmaxRegression(learning_rate=optim.Linear(0.5, end=0.1, steps=3), early_stopping=True, validation_fraction=0.3),
    MLPClassifier(hidden_layer_sizes=(3, 2), activation="tanh"),
    MLPRegressor(hidden_layer_sizes=[3], standardize=True),
]


def fitted(model, arrays=False):
    y = {"LogisticRegression": ["yes", "no"] * 3, "MLPRegressor": [0.1, 2.0, 3.0, -1.0, 0.0, 5.0]}.get(
        type(model).__name__, Y
    )
    rows = X
    if arrays:
        np = pytest.importorskip("numpy", reason="arrays need NumPy")
        rows, y = np.array(X), np.array(y)
    return model.clone().set_params(epochs=3, progress=False).fit(rows, y)


@pytest.mark.parametrize("arrays", [False, True], ids=["lists", "arrays"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_fitted_model_comes_back_whole(model, arrays, tmp_path):
    model = fitted(model, arrays)
    model.save(tmp_path / "m.json")
    again = mg.load(tmp_path / "m.json")
    assert type(again) is type(model)
    assert same(again.get_params(), model.get_params())
    assert vars(again).keys() == vars(model).keys()
    assert again.loss_curve_ == model.loss_curve_
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            assert list(map(str, getattr(again, method)(X))) == list(map(str, getattr(model, method)(X)))
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "m.json").read_bytes()


def test_an_unfitted_model_comes_back_unfitted(tmp_path):
    model = LogisticRegression(l2=0.1, learning_rate=optim.Cosine(0.5))
    again = there_and_back(model, tmp_path)
    assert again.get_params() == model.get_params()
    assert not hasattr(again, "network_")


# ── what cannot be saved, and files that are in the way ─────────────────────────────────────────
class Mine(nn.Module):
    def __init__(self):
        self.w = nn.Parameter(1.0)


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (lambda: LogisticRegression(optimizer=optim.Adam), "optimizer of LogisticRegression is of type type"),
        (lambda: nn.MLP(1, [1], lambda z: z), r"settings of it\['activation'\] is of type function"),
        (lambda: Mine(), "it is a Mine, which cannot be built again from data: save its state_dict"),
        (lambda: optim.SGD([Value(1.0)]), r"it is of type SGD and cannot be saved: save its state_dict\(\)"),
        (lambda: Value(1.0), "a Value cannot be saved by itself: save its .data"),
        (lambda: {1: 2}, "it has the key 1, which is no text"),
        (lambda: [{"a": (object(),)}], r"it\[0\]\['a'\]\[0\] is of type object"),
        (lambda: 1j, "it is of type complex"),
        (lambda: LogisticRegression(epochs="x"), "epochs must be a whole number"),
    ],
)
def test_what_cannot_be_saved_is_named_and_leaves_the_old_file(thing, words, tmp_path):
    path = tmp_path / "m.json"
    saving.save("old", path)
    with pytest.raises(TypeError, match=words):
        saving.save(thing(), path)
    assert mg.load(path) == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["m.json"]


def test_own_modules_are_saved_by_their_state(tmp_path):
    mine, twin = Mine(), Mine()
    mine.w.data = 0.1
    twin.load_state_dict(there_and_back(mine.state_dict(), tmp_path))
    assert twin.w.data == 0.1


def test_folders_must_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        nn.Neuron(1).save(tmp_path / "nowhere" / "n.json")
    with pytest.raises(FileNotFoundError):
        mg.load(tmp_path / "nothing.json")


# ── nothing malformed is taken ──────────────────────────────────────────────────────────────────
def document(thing, tmp_path):
    saving.save(thing, tmp_path / "good.json")
    return json.loads((tmp_path / "good.json").read_text(encoding="utf-8"))


def refused(text, tmp_path, words=""):
    path = tmp_path / "bad.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(saving.LoadError, match=words) as caught:
        mg.load(path)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON text"),
        ("{", "no JSON text"),
        (b"\xff\xfe", "no JSON text"),
        ("[" * 100_000, "no JSON text"),
        ("[]", '"format": "microgradlike"'),
        ('{"format": "other"}', '"format": "microgradlike"'),
        ('{"format": "microgradlike", "schema": 2, "content": null}', "its schema is 2.*update microgradlike"),
        ('{"format": "microgradlike", "schema": true, "content": null}', "its schema is True"),
        ('{"format": "microgradlike", "schema": 1}', "it holds"),
        ('{"format": "microgradlike", "schema": 1, "content": null, "more": 1}', "it holds"),
        ('{"format": "microgradlike", "format": "microgradlike", "schema": 1, "content": 1}', "a key is there twice"),
        ('{"format": "microgradlike", "schema": 1, "content": 0.5}', "the number 0.5 is not written exactly"),
        ('{"format": "microgradlike", "schema": 1, "content": NaN}', "the number NaN"),
        ('{"format": "microgradlike", "schema": 1, "content": {"python": "os.system"}}', "unknown kind 'python'"),
        ('{"format": "microgradlike", "schema": 1, "content": {"float": "0.5"}}', "not how a float is written"),
        ('{"format": "microgradlike", "schema": 1, "content": {"float": "x"}}', "no hexadecimal float"),
        ('{"format": "microgradlike", "schema": 1, "content": {"float": 1}}', "no hexadecimal float"),
        ('{"format": "microgradlike", "schema": 1, "content": {"float": "0x1p99999"}}', "no hexadecimal float"),
        ('{"format": "microgradlike", "schema": 1, "content": {}}', "must have one key"),
        ('{"format": "microgradlike", "schema": 1, "content": {"tuple": 1}}', "must be a list"),
        ('{"format": "microgradlike", "schema": 1, "content": {"model": {"kind": "Popen"}}}', "must hold"),
        (
            '{"format": "microgradlike", "schema": 1, "content": {"schedule": {"dict": {"schedule": "x"}}}}',
            "no schedule",
        ),
    ],
)
def test_texts_that_are_no_files_of_ours(text, words, tmp_path):
    refused(text, tmp_path, words)


def set_at(path, value):
    def change(tree):
        for key in path[:-1]:
            tree = tree[key]
        if value is KeyError:
            del tree[path[-1]]
        else:
            tree[path[-1]] = value

    return change


LEARNT = ("content", "model", "learnt")
MODULE = (*LEARNT, "network_", "module")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("content", "model", "kind"), "LogisticRegresion", "did you mean 'LogisticRegression'"),
        (("content", "model", "kind"), "__class__", "unknown kind of model"),
        (("content", "model", "kind"), ["x"], "unknown kind of model"),
        (("content", "model", "hyperparameters", "epochs"), KeyError, "must have the hyperparameters"),
        (("content", "model", "hyperparameters", "threshold"), "x", "threshold must be a real number"),
        (("content", "model", "hyperparameters", "__class__"), "x", "must have the hyperparameters"),
        ((*LEARNT, "n_features_in_"), 3, "standardizer_ must be a Standardizer of 3 columns"),
        ((*LEARNT, "n_features_in_"), "2", "must be counts"),
        ((*LEARNT, "n_iter_"), -1, "must be counts"),
        ((*LEARNT, "fit"), None, "learnt: must hold"),
        ((*LEARNT, "coef_"), KeyError, "learnt: must hold"),
        ((*LEARNT, "coef_"), [[1, 2]], "coef_ and intercept_ are not those of the network"),
        ((*LEARNT, "coef_"), None, "coef_ and intercept_ are not those of the network"),
        ((*LEARNT, "loss_curve_"), ["a"], "loss_curve_ must be a list of floats"),
        ((*LEARNT, "classes_"), ["yes"], "two or more different labels"),
        ((*LEARNT, "classes_"), ["yes", "no"], "two or more different labels, sorted"),
        ((*LEARNT, "classes_"), ["a", "b", "c"], "y has 3 classes"),
        ((*LEARNT, "classes_"), 7, "classes_ must be a list"),
        ((*LEARNT, "standardizer_"), None, "standardizer_ must be a Standardizer of 2"),
        ((*LEARNT, "standardizer_"), "x", "standardizer_ must be"),
        ((*LEARNT, "standardizer_", "standardizer", "dict", "scale_", "floats", 0), "0x0.0p+0", "not positive"),
        ((*LEARNT, "standardizer_", "standardizer", "dict", "mean_", "floats", 0), "nan", "describes no Standardizer"),
        ((*LEARNT, "network_"), None, "network_ is not that of a LogisticRegression with 2"),
        ((*MODULE, "kind"), "Module", "unknown kind 'Module'"),
        ((*MODULE, "settings", "dict", "n_inputs"), 10**12, "not as many as its sizes say"),
        ((*MODULE, "settings", "dict", "n_inputs"), -2, "describes no Neuron"),
        ((*MODULE, "settings", "dict", "activation"), "tanh", "network_ is not that of a LogisticRegression with 2"),
        ((*MODULE, "settings", "dict", "activation"), "reluu", "describes no Neuron: unknown activation 'reluu'"),
        ((*MODULE, "settings", "dict", "seed"), 1, "settings that no Neuron has"),
        ((*MODULE, "numbers", 0), "1.5", "not how a float is written"),
        ((*MODULE, "numbers"), [], "not as many as its sizes say"),
        ((*MODULE, "names", 0), "w.9", "has other parameters"),
        ((*MODULE, "labels", 0), 3, "has the label 3, which is no text"),
        ((*MODULE, "labels"), [], "has 0 labels for 3 parameters"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_is_refused(path, value, words, tmp_path):
    tree = document(fitted(MODELS[0]), tmp_path)
    set_at(path, value)(tree)
    refused(json.dumps(tree), tmp_path, words)


@settings(max_examples=80)
@given(st.data())
def test_no_damage_passes_for_another_model(tmp_path_factory, data):
    """A file with one piece replaced is refused with a LoadError, or loads what it then says: nothing else happens."""
    folder = tmp_path_factory.getbasetemp()
    model = fitted(data.draw(st.sampled_from(MODELS)))
    tree = document(model, folder)
    places = []
    stack = [((), tree)]
    while stack:
        path, part = stack.pop()
        for key, inner in part.items() if isinstance(part, dict) else enumerate(part):
            places.append((*path, key))
            if isinstance(inner, (dict, list)):
                stack.append(((*path, key), inner))
    path = data.draw(st.sampled_from(places))
    wrong = data.draw(
        st.sampled_from([KeyError, None, -1, 7, "x", "0x1.8p+1", [], {}, {"float": "nan"}, {"tuple": []}])
    )
    broken = copy.deepcopy(tree)
    set_at(path, wrong)(broken)
    file = folder / "broken.json"
    file.write_text(json.dumps(broken), encoding="utf-8")
    try:
        again = mg.load(file)
    except saving.LoadError:
        return
    saving.save(again, file)
    assert json.loads(file.read_text(encoding="utf-8")) == broken


def test_data_sets_standardizers_come_back(tmp_path):
    scaler = datasets.Standardizer().fit(X)
    assert vars(there_and_back(scaler, tmp_path)) == vars(scaler)
    assert vars(there_and_back(datasets.Standardizer(), tmp_path)) == {}
