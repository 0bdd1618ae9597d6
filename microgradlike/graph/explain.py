"""explain(J, a): a derivative as the sum over all paths from a to J, as text and as data. Nothing is drawn here.

The chain rule over a graph: dJ/da is the sum over paths of the product of the local derivatives on the path
(Bauer 1974, "Computational graphs and rounding error"). The number of paths grows exponentially with depth, so
beyond a limit they are summed per edge: all paths through an edge together contribute
(derivative of its start by a) × (local derivative) × (derivative of J by its end).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from .. import floats
from ..messages import printable
from .engine import Value, check_fresh, topological_order
from .formulas import Term, formulas_of, in_parentheses, local_formulas, written_number
from .sweep import Step, pull, push, sent

MANY = 10**18  # where counting paths stops
_SYMBOLS_UP_TO = 500  # nodes; in a larger graph nobody reads formulas
_ROWS_SHOWN = 25
_WIDTH = 100


@dataclass(frozen=True, eq=False)
class Edge:
    """One use of an operand: from `source` to the node `target` computed from it.

    Attributes:
        source: the operand.
        target: the result.
        position: which operand of `target` it is, from 0.
        local: the local derivative, ∂target/∂source through this operand alone.
        flow: what all paths through this edge contribute to the derivative, together.
        share: `flow` as a fraction of the whole derivative; None where that is 0 or not finite.
        formula: the local derivative in terms of labels, say "3y"; None where an operand has none.
    """

    source: Value
    target: Value
    position: int
    local: float
    flow: float
    share: float | None
    formula: str | None
    _term: Any = field(repr=False)
    _closed: bool = field(repr=False)  # a branch not taken: nothing flows back, which is not the same as 0


@dataclass(frozen=True, eq=False)
class Path:
    """One path from a to J.

    Attributes:
        nodes: the Values on it, a first and J last.
        edges: the steps between them; one fewer.
        product: the product of the local derivatives.
        share: `product` as a fraction of the whole derivative; None where that is 0 or not finite.
        formula: the product in terms of labels, say "6z"; None where no label takes part.
    """

    nodes: tuple[Value, ...]
    edges: tuple[Edge, ...]
    product: float
    share: float | None
    formula: str | None


class Explanation:
    """What explain() found; printing it shows the paths, or the edges where there are too many paths.

    Attributes:
        of: J.
        wrt: a.
        total: dJ/da, as backward() computes it.
        count: how many paths there are; 10**18 stands for that many or more.
        paths: all of them, those through first operands first; empty if there are more than max_paths.
        edges: every edge on a path from a to J, those near a first.
        max_paths: the limit that was asked for.
    """

    def __init__(
        self, of: Value, wrt: Value, total: float, count: int, paths: Any, edges: Any, max_paths: int, names: Any
    ) -> None:
        self.of, self.wrt, self.total, self.count = of, wrt, total, count
        self.paths: tuple[Path, ...] = tuple(paths)
        self.edges: tuple[Edge, ...] = tuple(edges)
        self.max_paths = max_paths
        self._names = names

    def __repr__(self) -> str:
        return printable("\n".join([self._headline(), *(["", *self._rows()] if self.edges else [])]))

    def _headline(self) -> str:
        derivative = f"∂{_atom(self._names(self.of))}/∂{_atom(self._names(self.wrt))}"
        if self.count == 0:
            return f"{derivative} = 0: {self._names(self.of)} does not depend on {self._names(self.wrt)}"
        if self.of is self.wrt:
            return f"{derivative} = 1: they are the same Value"
        formulas = [path.formula for path in self.paths]
        formula = "".join(f"{f} + " for f in formulas[:-1]) + f"{formulas[-1]} = " if all(formulas) and formulas else ""
        formula = formula.replace("+ −", "− ")
        number = f"{self.count} paths" if self.count < MANY else "more than 10^18 paths"
        over = "over one path" if self.count == 1 else f"the sum over {number}"
        headline = f"{derivative} = {formula}{written_number(self.total)}, {over}"
        if self.paths:
            return headline
        return f"{headline}\n(more than max_paths={self.max_paths}, so they are summed per edge)"

    def _rows(self) -> list[str]:
        if self.paths:
            header: list[str] = []
            rows = [
                [
                    f"{path.formula} = " * (path.formula is not None) + written_number(path.product),
                    _percent(path.share),
                    self._steps(path.nodes),
                    _chain(path),
                ]
                for path in self.paths[:_ROWS_SHOWN]
            ]
            left, noun = len(self.paths) - len(rows), "paths"
        else:
            header = ["all paths through it", "share", "edge", "local derivative"]
            largest = sorted(self.edges, key=lambda edge: -abs(edge.flow) if edge.flow == edge.flow else -inf)
            rows = [
                [
                    written_number(edge.flow),
                    _percent(edge.share),
                    f"{self._names(edge.source)} → {self._names(edge.target)}",
                    written_number(edge.local),
                ]
                for edge in largest[:_ROWS_SHOWN]
            ]
            left, noun = len(largest) - len(rows), "edges, with smaller contributions"
        lines = _aligned([header, *rows] if header else rows)
        if self.paths and max(map(len, lines)) > _WIDTH:
            lines = [line for row in rows for line in (f"  {row[0]}  ({row[1]})", f"      {row[2]}", f"      {row[3]}")]
        return [*lines, f"  … and {left} more {noun}"] if left else lines

    def _steps(self, nodes: Sequence[Value]) -> str:
        names = [self._names(v) for v in (nodes if len(nodes) <= 10 else [*nodes[:5], *nodes[-4:]])]
        if len(nodes) > 10:
            names.insert(5, f"… {len(nodes) - 9} more …")
        return " → ".join(names)


def explain(J: Value, a: Value, max_paths: int = 100) -> Explanation:
    """dJ/da as a sum over the paths from a to J: each path's chain of local derivatives, product and share.

    Args:
        J: the Value to explain.
        a: the Value to differentiate with respect to, a leaf or any other.
        max_paths: up to this many paths are listed one by one; more are summed per edge.

    Returns:
        An Explanation: readable when printed; as data in `total`, `paths` and `edges`. Where the Values
        have labels, products are shown in terms of them too.

    Raises:
        TypeError: J or a is no Value, or max_paths no integer.
        ValueError: max_paths is negative.
        GraphError: a leaf was assigned after the graph was built.

    Example:
        >>> import microgradlike as mg
        >>> from microgradlike import Value
        >>> x = Value(5, label="x")
        >>> y = 2 * x
        >>> z = mg.positive(x)
        >>> y.label, z.label = "y", "z"
        >>> J = 3 * y * z
        >>> mg.explain(J, x)
        ∂(3yz)/∂x = 6z + 3y = 60, the sum over 2 paths
        <BLANKLINE>
          6z = 30   50 %   x → y → 3y → 3yz   2 · 3 · z = 2 · 3 · 5
          3y = 30   50 %   x → z → 3yz        1 · 3y = 1 · 30
        >>> [path.product for path in mg.explain(J, x).paths]
        [30.0, 30.0]
    """
    for argument, v in (("J", J), ("a", a)):
        if not isinstance(v, Value):
            raise TypeError(f"{argument} must be a Value, not {type(v).__name__}")
    if not isinstance(max_paths, int) or isinstance(max_paths, bool):
        raise TypeError(f"max_paths must be an integer, not {max_paths!r}")
    if max_paths < 0:
        raise ValueError(f"max_paths must be at least 0, not {max_paths}")
    order = topological_order(J)
    check_fresh(order)
    between, counts = _forward(order, a)
    steps = [_step(v) for v in order if v.op is not None]
    arriving, reached = {J: 1.0}, {a: 1.0}
    pull(floats, reversed(steps), arriving)
    push(floats, steps, reached)
    total, count = (arriving.get(a, 0.0), counts[J]) if J in counts else (0.0, 0)
    terms = formulas_of(order) if len(order) <= _SYMBOLS_UP_TO else {}

    uses: dict[Value, list[Edge]] = {}
    for target, edges_in in between.items():
        symbols = local_formulas(target, terms) if terms else {}
        for source, position, local, closed in edges_in:
            nothing = closed or target not in arriving or source not in reached
            flow = 0.0 if nothing else arriving[target] * local * reached[source]
            term = symbols.get(position, Term(local))
            edge = Edge(source, target, position, local, flow, _share(flow, total), term.text, term, closed)
            uses.setdefault(target, []).append(edge)
    edges = [edge for v in order if v in uses for edge in uses[v]]
    paths = [_path(steps, a, total) for steps in _enumerate(J, a, uses)] if 0 < count <= max_paths else []

    def name(v: Value) -> str:
        if v.label is not None:
            return v.label if v.label.isprintable() else repr(v.label)
        if v in terms and (text := terms[v].text) is not None:
            return text
        if v is J or v is a:
            return "J" if v is J else "a"
        return (v.op.name if v.op is not None else "leaf") + f"({written_number(v.data)})"

    return Explanation(J, a, total, count, paths, edges, max_paths, name)


def _numbers(v: Value) -> list[float]:
    return [x if type(x) is float else x.data for x in v.args]


def _step(v: Value) -> Step:
    return v, v.op, [None if type(x) is float else x for x in v.args], v.data, _numbers(v)  # type: ignore[return-value]


def _forward(order: list[Value], a: Value) -> tuple[Any, dict[Value, int]]:
    """For each node that depends on a: its edges from such nodes, and how many paths from a reach it."""
    between: dict[Value, list[tuple[Value, int, float, bool]]] = {}
    counts = {a: 1} if a in set(order) else {}
    for v in order:
        if v.op is None or v is a or not any(type(x) is not float and x in counts for x in v.args):
            continue
        x = _numbers(v)
        locals_, passing = sent(v.op, 1.0, v.data, x), v.op.cotangents(floats, 1.0, v.data, *x)
        steps = [
            (operand, position, float(local), passing[position] is None)
            for position, (operand, local) in enumerate(zip(v.args, locals_, strict=True))
            if local is not None and type(operand) is not float and operand in counts
        ]
        if steps:
            between[v] = steps
            counts[v] = min(sum(counts[x] for x, *_ in steps), MANY)
    return between, counts


def _enumerate(J: Value, a: Value, uses: dict[Value, list[Edge]]) -> Any:
    """Every path from a to J as a list of edges; without recursion, first operands first."""
    stack: list[tuple[Value, Any]] = [(J, None)]
    while stack:
        v, later = stack.pop()
        if v is a:
            steps = []
            while later is not None:
                edge, later = later
                steps.append(edge)
            yield steps
        else:
            stack.extend((edge.source, (edge, later)) for edge in reversed(uses.get(v, [])))


def _path(steps: list[Edge], a: Value, total: float) -> Path:
    product, term = 1.0, Term(1.0)
    for edge in reversed(steps):  # from J back to a, as the sweep multiplies
        product *= edge.local
    if any(edge._closed for edge in steps):
        product = 0.0
    for edge in steps:
        term = term * (edge._term if edge._term.text is not None else Term(edge.local))
    nodes = (a, *(edge.target for edge in steps))
    formula = term.text if term.factors and term.text is not None else None
    return Path(nodes, tuple(steps), product, _share(product, total), formula)


def _share(part: float, total: float) -> float | None:
    return part / total if total != 0.0 and total - total == 0.0 else None


# ── text ────────────────────────────────────────────────────────────────────────────────────────
def _percent(share: float | None) -> str:
    return "–" if share is None else f"{written_number(float(f'{100 * share:.3g}') + 0.0)} %"


def _chain(path: Path) -> str:
    edges = path.edges if len(path.edges) <= 8 else (*path.edges[:4], *path.edges[-3:])
    symbols = [in_parentheses(edge.formula or written_number(edge.local)) for edge in edges]
    numbers = [in_parentheses(written_number(edge.local)) for edge in edges]
    if len(path.edges) > 8:
        for texts in (symbols, numbers):
            texts.insert(4, "…")
    return " · ".join(symbols) + (" = " + " · ".join(numbers) if symbols != numbers else "")


def _atom(text: str) -> str:
    return text if text.isidentifier() else f"({text})"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    numeric = 1  # the share is flushed right
    return [
        "  "
        + "   ".join(
            text.rjust(width) if k == numeric else text.ljust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
