"""Program and Tape: a recorded computation as a list, and the namespace that writes such lists."""

from __future__ import annotations

import math

import pytest

import microgradlike as mg
from microgradlike import Value, floats, softmax, tanh
from microgradlike.graph import functions
from microgradlike.graph.engine import values
from microgradlike.graph.program import Program, Slot, Tape, Trace, pruned, trace
from microgradlike.ops import ROWS, TABLE


def test_trace_runs_to_the_same_numbers():
    a, b, w = Value(5.0, "a"), Value(3.0), Value(2.0, "w")
    root = tanh(a * b / 7 + w) ** 2
    program, others = trace([root, a], [a, b])
    assert others == [w]
    assert program.run(floats, [5.0, 3.0, 2.0]) == [root.data, 5.0]
    assert (program.inputs, len(program)) == (3, 5)
    assert [row.name for row in program.rows] == ["multiply", "divide", "add", "tanh", "pow"]


def test_steps_are_in_the_order_of_the_sweep():
    a, b = Value(1.0), Value(2.0)
    left, right = a * b, a + b
    program, _ = trace([left - right], [a, b])
    assert [row.name for row in program.rows] == ["multiply", "add", "subtract"]


def test_constants_are_given_as_numbers():
    x, c = Value(3.0), Value(4.0)
    program, others = trace([x * c], [x], constants=[c])
    assert others == []
    assert program.args == [(0, 4.0)]
    program, _ = trace([x * 2, 7.0], [x])
    assert program.run(floats, [1.5]) == [3.0, 7.0]


def test_text():
    a, b = Value(1.0, "a"), Value(2.0)
    program, _ = trace([a * b], [a, b])
    assert str(program) == "program of 2 inputs, 1 operations, 1 output\n%2 = multiply(a, %1)\nreturn %2"


def test_traces_are_the_same_by_the_bits_of_their_constants():
    a, b = Value(1.0), Value(2.0)

    def same(first, second, inputs=(a, b)):
        return Trace([first], inputs).same(Trace([second], inputs))

    assert same(a * b, a * b)
    assert not same(a * b, a + b)
    assert not same(a * b, b * a)
    assert not same(a * 0.0, a * -0.0)
    assert same(a * math.nan, a * math.nan)
    assert same(a * b, a * b, [])
    assert not same(a * a, b * b, [])  # other parameters
    assert same(a * a, b * b, [a]) is False
    assert not Trace([a], [a, b]).same(Trace([b], [a, b]))


def test_a_trace_writes_nodes_as_numbers():
    x, w, c, unused = Value(5.0), Value(2.0), Value(9.0), Value(1.0)
    root = mg.sum([w * x, 3.0, w, c]).tanh()
    t = Trace([root, x, 7.0, c], [unused, x], [c])
    assert [ROWS[k].name for k in t.operations] == ["multiply", "sum", "tanh"]
    assert (t.leaves, t.inputs) == ([unused, x, w], 2)
    assert (t.start.tolist(), t.operands.tolist()) == ([0, 2, 6, 7], [2, 1, 3, -2, 2, -1, 4])
    assert (t.constants.tolist(), t.outputs.tolist()) == ([9.0, 3.0, 7.0], [5, 1, -3, -1])
    assert {a.typecode for a in (t.operations, t.start, t.operands, t.outputs)} == {"i"}
    assert len(Trace([7.0], [])) == 0


def test_labels_do_not_change_a_trace():
    x = Value(5.0)
    plain = Trace([(x * 2.0).tanh()], [x])
    y = x * 2.0
    y.label = "y"
    z = y.tanh()
    z.label = "z"
    assert Trace([z], [x]).same(plain)


def test_rows_are_numbered_as_they_stand_in_the_table():
    assert [row.number for row in ROWS] == [*range(len(ROWS))]
    known = [row for row in TABLE.values() if row.number < TABLE["sigmoid_minus"].number]
    assert known == ROWS[: len(known)]
    count = len(ROWS)
    for _ in range(2):  # a primitive that is registered again is another row
        mg.primitive("numbered_twice", lambda m, g, z, x: g, formula=lambda m, x: x, doc="x")
        row = TABLE.pop("numbered_twice")
        functions._functions.pop("numbered_twice", None)
        assert ROWS[row.number] is row
        assert row.number >= count
    assert len(ROWS) == count + 2


def test_a_program_becomes_a_graph_again():
    a, b = Value(1.0, "a"), Value(2.0)
    program, _ = trace([a * b + a], [a, b])
    (root,) = program.graph([3.0, 4.0])
    assert isinstance(root, Value)
    assert (root.data, root.op.name) == (15.0, "add")
    assert root.args[1].label == "a"


def test_wrong_number_of_inputs():
    program, _ = trace([Value(1.0) * 2], [])
    with pytest.raises(ValueError, match="1 inputs, not 2"):
        program.run(floats, [1.0, 2.0])


def test_the_tape_writes_each_step_once():
    tape = Tape(2)
    x, y = Slot(tape, 0), Slot(tape, 1)
    a = tape.exp(x) * y + tape.exp(x) * y
    program = tape.program([a])
    assert [row.name for row in program.rows] == ["exp", "multiply", "add"]
    assert program.args[2] == (3, 3)


def test_the_tape_folds_constants_and_keeps_every_bit():
    tape = Tape(1)
    x = Slot(tape, 0)
    assert tape.exp(1.0) == math.e
    assert (x * 1.0) is not None
    assert tape.program([x * 1.0, 1.0 * x, tape.divide(x, 1.0), x - 0.0]).outputs == [0, 0, 0, 0]
    # these would change the result for −0, inf or nan
    assert len(tape.program([x * 0.0])) == 1
    assert len(tape.program([x + 0.0])) == 1
    assert len(tape.program([x - -0.0])) == 1
    assert len(tape.program([x - x])) == 1


def test_the_tape_selects_at_once_where_it_can():
    tape = Tape(2)
    x, y = Slot(tape, 0), Slot(tape, 1)
    assert tape.program([tape.where(1.0, x, y), tape.where(0.0, x, y)]).outputs == [0, 1]


def test_what_is_not_native_is_replaced_by_its_formula():
    tape = Tape(1, native={"exp", "where", "greater", "reciprocal", "divide", "abs", "negative", "add"})
    program = tape.program([tape.sigmoid(Slot(tape, 0))])
    assert "sigmoid" not in {row.name for row in program.rows}
    assert program.run(floats, [0.3])[0] == pytest.approx(floats.sigmoid(0.3), rel=4e-16)


def test_dead_steps_are_dropped():
    rows, args = [TABLE["exp"], TABLE["log"], TABLE["sin"]], [(0,), (1,), (0,)]
    program = pruned(Program(1, rows, args, [3]))
    assert [row.name for row in program.rows] == ["sin"]
    assert program.outputs == [1]


def test_a_program_runs_in_the_namespace_of_values():
    x = Value(0.3)
    program, _ = trace(softmax([x, x * 2]), [x])
    y = Value(0.5)
    assert [v.data for v in program.run(values, [y])] == program.run(floats, [0.5])
