"""Hypothesis strategies: numbers, Values, random programs over the table, random graphs. All shrink to small ones."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

try:
    from hypothesis import currently_in_test_context, note
    from hypothesis import strategies as st
except ImportError:
    raise ImportError(
        'the strategies of microgradlike.testing need Hypothesis: pip install "microgradlike[testing]"'
    ) from None

from ..graph import functions
from ..graph.engine import Value
from ..ops import TABLE, Op
from .programs import Program, name_of, written

_LARGEST = 1e6  # larger results are not computed with any further
_GRAPH_OPS = (
    "add",
    "subtract",
    "multiply",
    "negative",
    "tanh",
    "sin",
    "sigmoid",
    "relu",
    "maximum",
    "sum",
    "dot",
    "softmax",
)


def finite_floats(
    min_value: float | None = None, max_value: float | None = None, *, near: Iterable[float] = ()
) -> st.SearchStrategy[float]:
    """Finite doubles: the whole range by default, ±0, subnormal and huge ones included.

    Args:
        min_value: the least; None for the whole range.
        max_value: the largest.
        near: numbers that deserve attention, such as kinks or poles: they and the doubles beside them are drawn often.

    Raises:
        ValueError: a bound is not finite, min_value exceeds max_value, or one of `near` is out of bounds.

    Example:
        >>> from hypothesis import given
        >>> from microgradlike.testing import finite_floats
        >>> @given(finite_floats(0, 1))
        ... def test(p):
        ...     assert 0 <= p <= 1
        >>> test()
    """
    for name, bound in (("min_value", min_value), ("max_value", max_value)):
        if bound is not None and not math.isfinite(bound):
            raise ValueError(f"{name} must be finite, not {bound!r}")
    if min_value is not None and max_value is not None and min_value > max_value:
        raise ValueError(f"min_value is {min_value!r}, which is more than max_value, {max_value!r}")
    low, high = (None if bound is None else float(bound) for bound in (min_value, max_value))
    anywhere = st.floats(low, high, allow_nan=False, allow_infinity=False)
    points = [float(x) for x in near]
    if not points:
        return anywhere
    for x in points:
        if not (-math.inf if low is None else low) <= x <= (math.inf if high is None else high):
            raise ValueError(f"near holds {x!r}, which is not between {low!r} and {high!r}")
    beside = {x + d * math.ulp(x) for x in points for d in (-2, -1, 0, 1, 2)}
    inside = [
        x for x in sorted(beside) if math.isfinite(x) and (low is None or x >= low) and (high is None or x <= high)
    ]
    return anywhere | st.sampled_from(inside)


def values(
    min_value: float | None = -10.0, max_value: float | None = 10.0, *, near: Iterable[float] = ()
) -> st.SearchStrategy[Value]:
    """Leaf Values with numbers like those of `finite_floats`, from −10 to 10 by default.

    Example:
        >>> from hypothesis import given
        >>> from microgradlike.testing import values
        >>> @given(values(), values())
        ... def test(x, y):
        ...     (x * y).backward()
        ...     assert (x.grad, y.grad) == (y.data, x.data)
        >>> test()
    """
    return st.builds(Value, finite_floats(min_value, max_value, near=near))


def expressions(
    ops: Iterable[str | Op] | None = None, *, max_size: int = 8, max_inputs: int = 3, draw: bool = True
) -> st.SearchStrategy[Program]:
    """Random programs over the table of primitives, each operand in the domain of its row, with a point to run at.

    A Program is a function: `program(*program.numbers)`. It shrinks to few and simple lines, and prints as code
    that can be pasted. Results that are huge or not finite are not computed with any further.

    Args:
        ops: names of primitives (or rows) to use, also ones of `mg.primitive`; None for all that have a derivative.
        max_size: the largest number of operations.
        max_inputs: how many inputs a program may have at most.
        draw: whether to save a drawing of a failing example, below .hypothesis, where pictures are available.

    Raises:
        LookupError: an unknown primitive; the message names the near ones.
        ValueError: ops is empty, or a size is less than 1.

    Example:
        >>> from hypothesis import given, settings
        >>> from microgradlike.testing import check_gradients, expressions
        >>> @settings(max_examples=5, deadline=None)
        ... @given(expressions(["tanh", "multiply", "add"]))
        ... def test(program):
        ...     check_gradients(program, *program.numbers)
        >>> test()
    """
    rows = _rows(ops if ops is not None else [r for r in TABLE.values() if r.public and r.differentiable])
    _at_least_one(max_size=max_size, max_inputs=max_inputs)
    return _programs(rows, max_size, max_inputs, False, draw)


def graphs(
    ops: Iterable[str | Op] = _GRAPH_OPS, *, max_size: int = 12, max_inputs: int = 3, draw: bool = True
) -> st.SearchStrategy[Value]:
    """Roots of random graphs in which nodes are shared, and operands repeated (x·x).

    Everything that is computed is used: what nothing else uses is summed up in the root. Leaves and nodes have
    labels. It shrinks and prints like `expressions`.

    Args:
        ops: as in `expressions`.
        max_size: the largest number of operations before the sum.
        max_inputs: how many leaves there may be at most.
        draw: as in `expressions`.

    Raises:
        LookupError, ValueError: as `expressions` does.

    Example:
        >>> from hypothesis import given, settings
        >>> import microgradlike as mg
        >>> from microgradlike.testing import graphs
        >>> @settings(max_examples=20, deadline=None)
        ... @given(graphs())
        ... def test(root):
        ...     root.backward()
        ...     once = [v.grad for v in mg.topological_order(root) if v.is_leaf]
        ...     root.backward()
        ...     assert [v.grad for v in mg.topological_order(root) if v.is_leaf] == [2 * g for g in once]
        >>> test()
    """
    rows = _rows(ops)
    _at_least_one(max_size=max_size, max_inputs=max_inputs)
    return _roots(_programs(rows, max_size, max_inputs, True, draw))


@st.composite
def _roots(draw: Any, programs: st.SearchStrategy[Program]) -> Value:
    """(Composed and not mapped, so that the report shows the Value, and the note the code to paste.)"""
    program: Program = draw(programs)
    if currently_in_test_context():
        note(f"the graph, as code:\n{program.code}\n")  # printed for the failing example only
    return program.root


def _rows(ops: Iterable[str | Op]) -> list[Op]:
    if isinstance(ops, (str, Op)):
        raise TypeError(f"ops must be a sequence of names, not {ops!r}: write [{ops!r}]")
    rows = []
    for each in ops:
        if not isinstance(each, (str, Op)):
            raise TypeError(f"ops must hold names of primitives, not {each!r}")
        name = each if isinstance(each, str) else each.name
        functions.function(name)  # LookupError, with the near names
        rows.append(TABLE[name])
    if not rows:
        raise ValueError("ops is empty: name at least one primitive")
    return rows


def _at_least_one(**sizes: int) -> None:
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be an integer of at least 1, not {size!r}")


# ── drawing a program, statement by statement ───────────────────────────────────────────────────
class _Draft:
    """A program in the making: its inputs and nodes with the numbers they have at the point."""

    def __init__(self, draw: Callable[..., Any], max_inputs: int) -> None:
        self.draw, self.max_inputs = draw, max_inputs
        self.inputs: list[tuple[str, float]] = []
        self.nodes: list[tuple[str, float, str, list[str]]] = []  # name, number, row, operands

    def new_input(self, x: float) -> tuple[str, float]:
        self.inputs.append((f"?input{len(self.inputs)}", x))
        return self.inputs[-1]

    def operand(self, low: float, high: float, must_vary: bool) -> tuple[str, float]:
        """A variable whose number lies in the interval, or a new one, or a constant."""
        computed = [(name, x) for name, x, _, _ in reversed(self.nodes) if low <= x <= high]
        known = [(name, x) for name, x in self.inputs if low <= x <= high] + computed
        may_add = len(self.inputs) < self.max_inputs or (must_vary and not known)
        may_be_constant = not must_vary
        again = 2 * len(known) + 2 if computed else 0  # most often the last result, so that programs are deep
        choice: int = self.draw(st.integers(0, len(known) + may_add + may_be_constant + again - 1))
        if choice < len(known):
            return known[choice]
        if choice >= len(known) + may_add + may_be_constant:
            return computed[0]
        x: float = self.draw(st.floats(low, high, allow_subnormal=False)) + 0.0
        return self.new_input(x) if may_add and choice == len(known) else (repr(x), x)

    def add(self, row: Op) -> None:
        """One more statement, unless its result is no use."""
        index: list[tuple[str, float]] = []
        if row.arity is not None:
            count = row.arity
        else:
            count = self.draw(st.integers(1, 3)) * max(row.lists, 1)
            if row.parameters[0] in ("index", "class"):
                k = self.draw(st.integers(0, count - 1))
                index = [(repr(k), float(k))]
        varies = int(index[0][1]) if row.name == "take" else _first_that_counts(row)
        operands = [self.operand(*row.domain[min(i, len(row.domain) - 1)], must_vary=i == varies) for i in range(count)]
        names, numbers = (list(column) for column in zip(*index, *operands, strict=True))
        try:
            result = _number_of(row, numbers)
        except ArithmeticError:  # a user's formula may raise
            return
        if abs(result) <= _LARGEST:
            self.nodes.append((f"?node{len(self.nodes)}", result, row.name, names))

    def finished(self, keep_all: bool) -> Program:
        if not self.inputs:
            self.new_input(self.draw(st.floats(-5.0, 5.0, allow_subnormal=False)) + 0.0)
        nodes = list(self.nodes)
        if not nodes:
            nodes = [("?node0", self.inputs[0][1], "positive", [self.inputs[0][0]])]
        if keep_all:
            used = {name for _, _, _, operands in nodes for name in operands}
            loose = [name for name, _, _, _ in nodes if name not in used]
            if len(loose) > 1:
                nodes.append((f"?node{len(nodes)}", 0.0, "sum", loose))
        needed = {nodes[-1][0]}
        for name, _, _, operands in reversed(nodes):
            if name in needed:
                needed.update(operands)
        inputs = [(name, x) for name, x in self.inputs if name in needed]
        renamed = {name: name_of(k, "xyzw") for k, (name, _) in enumerate(inputs)}
        kept = [node for node in nodes if node[0] in needed]
        renamed.update({node[0]: name_of(k, "abcdefghijkmnopqrstuv") for k, node in enumerate(kept)})
        lines = [
            f"{renamed[name]} = {written(row, [renamed.get(x, x) for x in operands])}"
            for name, _, row, operands in kept
        ]
        lines[-1] = lines[-1].partition(" = ")[2]
        return Program("\n".join(lines), **{renamed[name]: x for name, x in inputs})


def _first_that_counts(row: Op) -> int:
    """The first operand with a derivative: it is never a constant."""
    return next((i for i, rule in enumerate(row.rules) if rule is not None), 0)


def _number_of(row: Op, numbers: Sequence[float]) -> float:
    from .. import floats

    result: float = row.on(floats)(*numbers)
    return result


@st.composite
def _programs(draw: Any, rows: list[Op], max_size: int, max_inputs: int, keep_all: bool, save_drawing: bool) -> Program:
    draft = _Draft(draw, max_inputs)

    @st.composite
    def statement(draw: Any) -> None:
        draft.add(draw(st.sampled_from(rows)))

    draw(st.lists(statement(), min_size=1, max_size=max_size))
    program = draft.finished(keep_all)
    if save_drawing:
        _save_drawing_if_failing(program)
    return program


def _save_drawing_if_failing(program: Program) -> None:
    """Hypothesis runs the smallest failing example once more to report it: that run draws it."""
    if not currently_in_test_context():
        return
    try:
        from hypothesis.control import current_build_context

        if not current_build_context().is_final:
            return
    except (ImportError, AttributeError):  # another version of Hypothesis: no drawing
        return
    try:
        from ..draw import draw

        folder = Path(os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY", ".hypothesis")) / "drawings"
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(repr(program).encode()).hexdigest()[:12]
        twin = Program("\n".join(program.lines), **program.point)  # with gradients, and the test's own untouched
        twin.root.backward()
        path = draw(twin.root).save(folder / f"{digest}.svg")
    except Exception as error:  # the failure to report is the test's, not that of its picture
        note(f"no drawing: {error}")
    else:
        note(f"drawing: {path}")
