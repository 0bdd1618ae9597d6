"""copy, deepcopy and pickle: everything a graph holds survives, shared nodes stay shared, and nothing recurses."""

from __future__ import annotations

import copy
import io
import pickle
import sys
import threading
from random import Random

import pytest
from helpers import examples, random_graph, run
from hypothesis import given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value
from microgradlike.nn import Parameter


def pickled(protocol, pickler=pickle.Pickler):
    def duplicate(x):
        file = io.BytesIO()
        pickler(file, protocol).dump(x)
        return pickle.loads(file.getvalue())

    return duplicate


WAYS = [
    pytest.param(copy.deepcopy, id="deepcopy"),
    *[pytest.param(pickled(p), id=f"pickle{p}") for p in range(pickle.HIGHEST_PROTOCOL + 1)],
    pytest.param(pickled(5, pickle._Pickler), id="pickle in Python"),
]


def assert_same(roots, twins):
    """Node by node the same graph, and not one node in common."""
    order, copied = mg.topological_order(roots), mg.topological_order(twins)
    assert len(order) == len(copied)
    twin_of = {}
    for v, w in zip(order, copied, strict=True):
        assert v is not w and type(v) is type(w)
        assert (v.data, v.grad, v.label, v.op, v.is_leaf) == (w.data, w.grad, w.label, w.op, w.is_leaf)
        assert [twin_of.get(id(x), x) for x in v.args] == list(w.args)
        twin_of[id(v)] = w


@pytest.mark.parametrize("duplicate", WAYS)
@given(random=st.randoms(use_true_random=False), size=st.integers(0, 40), label=st.none() | st.text())
@examples(15)
def test_random_graphs_survive(duplicate, random, size, label):
    leaves, nodes, root = random_graph(random, size)
    root.backward()
    root.label = label
    roots = [root, nodes[len(nodes) // 2], leaves[0], root]
    twins = duplicate(roots)
    assert twins[0] is twins[3]
    assert_same(roots, twins)
    before = [v.grad for v in mg.topological_order(roots)]
    twins[0].backward()
    assert [v.grad for v in mg.topological_order(roots)] == before
    root.backward()
    assert_same([root], [twins[0]])


@pytest.mark.parametrize("duplicate", WAYS)
@pytest.mark.parametrize("number", [0.0, -0.0, float("inf"), 5e-324, 1e308, 0.1])
def test_numbers_survive_to_the_bit(duplicate, number):
    x = Value(number)
    x.grad = number
    twin = duplicate(x)
    assert (twin.data.hex(), twin.grad.hex()) == (number.hex(), number.hex())


@pytest.mark.parametrize("duplicate", WAYS)
def test_values_in_containers_share_nodes(duplicate):
    x = Value(2.0, label="x")
    model = {"x": x, "loss": x * x, "again": [x * 3.0]}
    twin = duplicate(model)
    assert twin["loss"].args == (twin["x"], twin["x"])
    assert twin["again"][0].args == (twin["x"], 3.0)


@pytest.mark.parametrize("pickler", [pickle.Pickler, pickle._Pickler])
@pytest.mark.parametrize("depth", [0, 1, 2, 998, 999, 1000, 1001, 1002, 1999, 2000, 2001, 5000])
def test_depths_around_the_batches_of_pickle(depth, pickler):
    v = Value(1.0)
    for _ in range(depth):
        v = v + 1.0
    twin = pickled(5, pickler)(v)
    assert twin.data == depth + 1 and len(mg.topological_order(twin)) == depth + 1


def test_copy_is_a_second_node_on_the_same_operands():
    x = Value(2.0, label="x")
    y = x * 3.0
    y.label, y.grad = "y", 5.0
    twin = copy.copy(y)
    assert twin is not y
    assert (twin.data, twin.grad, twin.label, twin.op, twin.args) == (6.0, 5.0, "y", y.op, (x, 3.0))
    twin.backward()
    assert (x.grad, twin.grad, y.grad) == (3.0, 1.0, 5.0)
    assert copy.copy(x).is_leaf


# ── stale graphs ────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("duplicate", [*WAYS, pytest.param(copy.copy, id="copy")])
def test_the_copy_of_a_stale_graph_is_stale(duplicate):
    x, w = Value(2.0, label="x"), Value(3.0)
    y = x * x + w
    fresh = w * 2.0
    x.data = 5.0
    stale_twin, fresh_twin = duplicate(y), duplicate(fresh)
    with pytest.raises(mg.GraphError, match="'x'"):
        stale_twin.backward()
    fresh_twin.backward()
    for v in (x, w):  # a node made later from a copied one is as fresh as any
        twin = duplicate(v)
        z = twin * twin
        z.backward()
        assert z.data == v.data**2
        twin.data = 7.0
        with pytest.raises(mg.GraphError):
            z.backward()


def test_stale_and_fresh_are_told_apart_in_another_process(tmp_path):
    x, w = Value(2.0, label="x"), Value(3.0)
    for _ in range(5):
        x.data += 1.0
    y, fresh = x * x, w * 2.0
    x.data = 5.0
    (tmp_path / "graphs").write_bytes(pickle.dumps({"stale": y, "fresh": fresh, "leaf": x}))
    printed = run(
        f"""
import pickle
import microgradlike as mg
graphs = pickle.load(open({str(tmp_path / "graphs")!r}, "rb"))
graphs["fresh"].backward()
(graphs["leaf"] * graphs["leaf"]).backward()
print(graphs["leaf"].grad)
try:
    graphs["stale"].backward()
except mg.GraphError:
    print("refused")
"""
    )
    assert printed.split() == ["10.0", "refused"]


# ── subclasses ──────────────────────────────────────────────────────────────────────────────────
class Tagged(Value):
    """With attributes of its own: in slots, hidden ones too, and in a dict."""

    __slots__ = ("__dict__", "__hidden", "tag")

    def __init__(self, data, tag):
        super().__init__(data)
        self.tag, self.__hidden, self.note = tag, ["hidden"], {"any": "thing"}

    @property
    def hidden(self):
        return self.__hidden


@pytest.mark.parametrize("duplicate", [p for p in WAYS if p.id not in ("pickle0", "pickle1")])
def test_subclasses_keep_their_class_and_attributes(duplicate):
    p, q = Parameter(1.0, label="p"), Tagged(2.0, ["tag"])
    root = mg.tanh(p * q) + q
    p2, q2 = (duplicate([root, p, q]))[1:]
    assert type(p2) is Parameter and p2.label == "p"
    assert type(q2) is Tagged and (q2.tag, q2.hidden, q2.note) == (["tag"], ["hidden"], {"any": "thing"})
    assert q2.tag is not q.tag


def test_a_shallow_copy_of_a_subclass_shares_its_attributes():
    q = Tagged(2.0, ["tag"])
    twin = copy.copy(q)
    assert type(twin) is Tagged and twin.tag is q.tag and twin.note is q.note and twin.hidden is q.hidden


@pytest.mark.parametrize(
    "duplicate", [pytest.param(copy.deepcopy, id="deepcopy"), pytest.param(pickled(5), id="pickle")]
)
def test_attributes_may_refer_to_the_graph_itself(duplicate):
    q = Tagged(2.0, None)
    root = q * q + 1.0
    q.tag, q.note = root, [q]
    twin = duplicate(root)
    leaf = mg.topological_order(twin)[0]
    assert leaf.tag is twin and leaf.note[0] is leaf


# ── what can go wrong ───────────────────────────────────────────────────────────────────────────
def test_a_pickle_that_fails_leaves_nothing_behind():
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError("disk full")

    v = Value(1.0)
    for _ in range(3000):
        v = v + 1.0
    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            pickle.Pickler(Full(), 5).dump(v)
        assert pickle.loads(pickle.dumps(v)).data == 3001.0


def test_a_primitive_that_is_not_registered_is_named_on_loading():
    from microgradlike.ops import TABLE

    double = mg.primitive("double_in_a_pickle", lambda m, g, z, x: g * 2.0, formula=lambda m, x: x + x, doc="2x")
    text = pickle.dumps(double(Value(2.0)))
    assert pickle.loads(text).data == 4.0
    del TABLE["double_in_a_pickle"]
    with pytest.raises(LookupError, match=r"double_in_a_pickle.*register it"):
        pickle.loads(text)


def test_threads_pickle_one_graph_at_a_time_each():
    _, _, root = random_graph(Random(1), 300)
    expected, results = len(mg.topological_order(root)), []

    def work():
        results.extend(len(mg.topological_order(pickle.loads(pickle.dumps(root)))) for _ in range(20))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert results == [expected] * 80


def test_one_pickler_that_writes_twice_refers_back():
    x = Value(2.0)
    y = x * x
    file = io.BytesIO()
    pickler = pickle.Pickler(file)
    pickler.dump(y)
    pickler.dump(x)
    unpickler = pickle.Unpickler(io.BytesIO(file.getvalue()))
    first, second = unpickler.load(), unpickler.load()
    assert first.args[0] is second
