"""Which values share a card: every value its own, neurons as one, layers as one, or stretches of a long computation.

A neuron is found by its structure: everything that serves one result alone (its fan-out-free cone), cut where
labels, losses, activations and parameters say that something of its own begins. Nothing is dropped: what is
folded is counted, and the picture's caption says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .graph import Graph

DETAILS = ("auto", "full", "cards", "neurons", "layers")
MOST_WITH_PILLS, MOST_CARDS, MOST_ASKED_FOR, MOST_LAYERS, MOST_STRETCHES = 60, 200, 5_000, 60, 12
MOST_TO_TRY = 20_000  # values of a graph that may turn out to have few enough neurons
MOST_USES = 4  # a leaf used more often is drawn again at each use
_LINEAR = ("positive", "negative")
_SCALING = ("multiply", "dot", "divide")


@dataclass(slots=True)
class Group:
    """One card: `nodes`, of which `outputs` are used outside and `listed` are shown inside."""

    kind: str
    result: int
    nodes: list[int]
    outputs: list[int]
    listed: list[int] = field(default_factory=list)
    title: str = ""
    subtitle: str = ""
    band: str = ""


@dataclass(slots=True)
class Folding:
    """All groups, operands before results.

    Attributes:
        group_of: the group of each node; −1 for a parameter that is listed in every card that uses it.
        again: leaves that are drawn again at each use.
        pills: whether edges carry pills.
        notes: what was folded, for the caption.
    """

    detail: str
    groups: list[Group]
    group_of: list[int]
    again: set[int]
    pills: bool
    notes: list[str]


def fold(graph: Graph, detail: str = "auto", max_nodes: int | None = None) -> Folding:
    """Fold `graph` to this detail; "auto" takes the finest one that has at most `max_nodes` cards (200)."""
    most = max_nodes or MOST_CARDS
    if detail == "auto":
        if len(graph) <= most:
            return _single(graph, pills=len(graph) <= MOST_WITH_PILLS)
        if len(graph) <= MOST_TO_TRY:
            folding = _neurons(graph)
            if len(folding.groups) <= most and not _is_one_piece(graph, max(len(g.nodes) for g in folding.groups)):
                return folding
        return _layers(graph, max_nodes or MOST_LAYERS)
    if detail == "layers":
        return _layers(graph, max_nodes or MOST_LAYERS)
    folding = _neurons(graph) if detail == "neurons" else _single(graph, pills=detail == "full")
    limit = max_nodes or MOST_ASKED_FOR
    if len(folding.groups) > limit:
        raise ValueError(
            f"detail={detail!r} needs {len(folding.groups):,} cards, more than max_nodes={limit:,}: "
            f"raise max_nodes, or use detail='auto' or 'layers', which fold the graph"
        )
    return folding


def _is_one_piece(graph: Graph, largest: int) -> bool:
    """Whether one cone is most of the graph, so that folding cones would hide everything."""
    return largest > MOST_WITH_PILLS and largest > 0.6 * len(graph)


# ── every value a card ──────────────────────────────────────────────────────────────────────────
def _single(graph: Graph, pills: bool) -> Folding:
    bands = _bands(graph)
    groups = [Group(graph.kinds[v], v, [v], [v], band=bands[v]) for v in range(len(graph))]
    again = {v for v, users in enumerate(graph.users) if len(users) > MOST_USES and graph.rows[v] is None}
    notes = []
    if again:
        count = "One leaf" if len(again) == 1 else f"{len(again):,} leaves"
        notes.append(f"{count} used more than {MOST_USES} times: drawn again at each use")
    return Folding("full" if pills else "cards", groups, list(range(len(graph))), again, pills, notes)


# ── neurons ─────────────────────────────────────────────────────────────────────────────────────
_NUMBERED = re.compile(r"[^\W\d_]+(\d+(?:\.\d+)*)")  # w1.2.3: weight 3 of neuron 2 of layer 1


def _path(label: str | None) -> tuple[str, ...]:
    """Where a parameter's label says it is, its own name last: ("layers", "0", "w[2]") or ("1", "2", "3")."""
    if label is None:
        return ()
    numbered = _NUMBERED.fullmatch(label)
    return tuple((numbered.group(1) if numbered else label).split("."))


def _place(labels: Sequence[str | None]) -> tuple[str, ...]:
    """What the labels of a cone's parameters have in common: the neuron they belong to."""
    paths = [_path(label) for label in labels]
    if not paths or not all(paths):
        return ()
    if len(set(paths)) == 1:
        return paths[0][:-1]
    common = paths[0]
    for path in paths[1:]:
        same = next(
            (i for i, (a, b) in enumerate(zip(common, path, strict=False)) if a != b), min(len(common), len(path))
        )
        common = common[:same]
    return common


def _layer_name(place: tuple[str, ...]) -> str:
    """`layers.0` of ("layers", "0", "neurons", "1"), `layer 1` of ("1", "2"); "" where no layer is told apart."""
    if all(part.isdecimal() for part in place):
        return f"layer {place[0]}" if len(place) > 1 else ""
    numbered = [i for i, part in enumerate(place) if part.isdecimal()]
    return ".".join(place[: numbered[0] + 1]) if numbered else ".".join(place)


def _neuron_name(place: tuple[str, ...]) -> str:
    return "neuron " + ".".join(place) if all(part.isdecimal() for part in place) else ".".join(place)


def _cones(graph: Graph) -> tuple[list[int], list[bool]]:
    """For each operation the result of the cone it belongs to, −1 for leaves; and whether it rests on parameters."""
    n = len(graph)
    rows, operands = graph.rows, graph.operands
    is_parameter = [kind == "parameter" for kind in graph.kinds]
    weighted, cut = [False] * n, [False] * n  # cut[v]: v is the end of its cone
    for v in range(n):
        if rows[v] is None:
            continue
        for x in dict.fromkeys(x for x in operands[v] if type(x) is int):
            if is_parameter[x]:
                weighted[v] = True
            elif rows[x] is not None:
                if _ends(graph, x, v, weighted, is_parameter):
                    cut[x] = True
                elif weighted[x] and not cut[x]:
                    weighted[v] = True
    result = [-1] * n
    roots = set(graph.roots)
    for v in range(n - 1, -1, -1):
        if rows[v] is None:
            continue
        ends = {result[user] for user in graph.users[v]}
        result[v] = v if v in roots or cut[v] or len(ends) != 1 else ends.pop()
    return result, weighted


def _ends(graph: Graph, v: int, user: int, weighted: list[bool], is_parameter: list[bool]) -> bool:
    """Whether the cone of v ends with v although `user` alone may use it."""
    row, next_row = graph.rows[v], graph.rows[user]
    assert row is not None and next_row is not None
    if next_row.loss:
        return True
    others = [x for x in graph.operands[user] if type(x) is int and x != v]
    kin = all(is_parameter[x] or weighted[x] for x in others)
    if (
        graph.labels[v] is not None
        and not (next_row.arity == 1 and row.arity != 1)
        and not (weighted[v] and others and kin)
    ):
        return True
    if not weighted[v]:
        return False
    if row.arity == 1 and row.name not in _LINEAR:
        return True
    if next_row.name in _SCALING and any(is_parameter[x] for x in others):
        return True
    return not kin


def _places(graph: Graph, result: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The place in a model of each cone that rests on parameters."""
    labels: dict[int, dict[int, str | None]] = {}
    for v, operands in enumerate(graph.operands):
        for x in operands:
            if type(x) is int and graph.kinds[x] == "parameter":
                labels.setdefault(result[v], {})[x] = graph.labels[x]
    return {end: _place(list(found.values())) for end, found in labels.items()}


def _neurons(graph: Graph) -> Folding:
    result, weighted = _cones(graph)
    places = _places(graph, result)
    n = len(graph)
    members: dict[int, list[int]] = {}
    for v in range(n):
        if result[v] >= 0:
            members.setdefault(result[v], []).append(v)
    users_of_leaf: list[set[int]] = [
        {result[u] for u in graph.users[v]} if graph.rows[v] is None else set() for v in range(n)
    ]
    group_of = [-1] * n
    inside: dict[int, list[int]] = {}
    cards: list[int] = []
    roots = set(graph.roots)
    for v in range(n):
        if graph.rows[v] is not None:
            if result[v] == v:
                cards.append(v)
            continue
        users = users_of_leaf[v]
        sizes_allow = all(len(members[u]) > 1 or graph.kinds[v] == "parameter" for u in users)
        if v not in roots and users and graph.kinds[v] == "parameter":
            for u in users:
                inside.setdefault(u, []).append(v)
        elif v not in roots and len(users) == 1 and not weighted[min(users)] and sizes_allow:
            inside.setdefault(min(users), []).append(v)
        else:
            cards.append(v)
    groups: list[Group] = []
    folded = 0
    for v in cards:
        if graph.rows[v] is None:
            group = Group(graph.kinds[v], v, [v], [v])
        else:
            leaves = inside.get(v, [])
            inner = members[v]
            named = [u for u in inner if u != v and graph.labels[u] is not None]
            kind = "neuron" if len(inner) > 1 or leaves else "operation"
            place = places.get(v, ())
            title = _neuron_name(place) if place and graph.labels[v] is None else ""
            own = [x for x in leaves if graph.kinds[x] != "parameter" or len(users_of_leaf[x]) == 1]
            group = Group(kind, v, sorted([*own, *inner]), [v], [*leaves, *named], title, band=_layer_name(place))
            folded += kind == "neuron"
        for u in group.nodes:
            group_of[u] = len(groups)
        groups.append(group)
    notes = (
        [f"{n:,} values drawn as {len(groups):,} cards: what serves one result alone is folded into its card"]
        if folded
        else []
    )
    return Folding("neurons", groups, group_of, set(), len(groups) <= MOST_WITH_PILLS, notes)


def _bands(graph: Graph) -> list[str]:
    """The layer of each node, by the labels of the parameters it rests on; "" where there are none."""
    if "parameter" not in graph.kinds:
        return [""] * len(graph)
    result, _ = _cones(graph)
    layers = {end: _layer_name(place) for end, place in _places(graph, result).items()}
    bands = [layers.get(result[v], "") for v in range(len(graph))]
    for v, kind in enumerate(graph.kinds):
        if kind == "parameter" and graph.users[v]:
            bands[v] = layers.get(result[graph.users[v][0]], "")
    return bands


# ── layers ──────────────────────────────────────────────────────────────────────────────────────
def _layers(graph: Graph, most: int) -> Folding:
    """Cones of the same depth and kind as one card; if those are too many, stretches of the computation."""
    if not any(graph.rows):
        return _single(graph, pills=False)
    result, _ = _cones(graph)
    places = _places(graph, result)
    n = len(graph)
    cone_nodes: dict[int, list[int]] = {}
    for v in range(n):
        if result[v] >= 0:
            cone_nodes.setdefault(result[v], []).append(v)
    if _is_one_piece(graph, max(map(len, cone_nodes.values()), default=0)):
        return _stretches(graph, most)
    level: dict[int, int] = {}
    for end in sorted(cone_nodes):
        before = [
            level[result[x]]
            for v in cone_nodes[end]
            for x in graph.operands[v]
            if type(x) is int and result[x] not in (-1, end)
        ]
        level[end] = max(before, default=-1) + 1
    keys: dict[tuple[Any, ...], list[int]] = {}
    for end, nodes in cone_nodes.items():
        layer = _layer_name(places.get(end, ()))
        kind: object = layer or frozenset(Counter(graph.rows[v].name for v in nodes).items())  # type: ignore[union-attr]
        keys.setdefault((level[end], kind), []).append(end)
    for v in range(n):
        if graph.rows[v] is None and graph.kinds[v] != "parameter":
            depth = min((level[result[u]] for u in graph.users[v]), default=0)
            keys.setdefault(("leaf", depth), []).append(v)
    if len(keys) > most:
        return _stretches(graph, most)
    return _grouped(graph, keys, cone_nodes, places)


def _grouped(
    graph: Graph,
    keys: dict[tuple[Any, ...], list[int]],
    cone_nodes: dict[int, list[int]],
    places: dict[int, tuple[str, ...]],
) -> Folding:
    n = len(graph)
    group_of = [-1] * n
    groups: list[Group] = []

    def place(item: tuple[tuple[Any, ...], list[int]]) -> tuple[int, int]:
        """Leaves first, then by depth: operands before results."""
        return -1 if item[0][0] == "leaf" else item[0][0], max(item[1])

    for key, ends in sorted(keys.items(), key=place):
        if key[0] == "leaf":
            group = Group("layer" if len(ends) > 1 else "input", ends[-1], ends, ends)
            group.title = f"{len(ends):,} inputs"
        else:
            nodes = [v for end in ends for v in cone_nodes[end]]
            weights = sorted(
                {x for v in nodes for x in graph.operands[v] if type(x) is int and graph.kinds[x] == "parameter"}
            )
            layer = _layer_name(places.get(ends[0], ()))
            alone = len(nodes) == 1 and not weights
            group = Group("operation" if alone else "layer", ends[-1], nodes, list(ends), weights)
            what = _summary(graph, nodes)
            group.title = layer or (f"{len(ends):,} × " if len(ends) > 1 else "") + _pattern(graph, ends[0])
            owners = {places.get(end, ()) for end in ends}
            units = f"{len(owners):,} neurons" if layer and len(owners) > 1 else ""
            uses = f"{len(ends) // len(owners):,} uses each" if units and len(ends) > len(owners) else ""
            group.subtitle = " · ".join(part for part in (units, uses, what) if part)
            for x in weights:
                if group_of[x] < 0:
                    group_of[x] = len(groups)
        for v in group.nodes:
            group_of[v] = len(groups)
        groups.append(group)
    what = f"{n:,} values and {graph.edges:,} edges drawn as {len(groups):,} cards"
    note = f"{what}: values of the same layer, or of the same depth and kind, share one"
    return Folding("layers", groups, group_of, set(), False, [note])


def _pattern(graph: Graph, end: int) -> str:
    row = graph.rows[end]
    assert row is not None
    label = graph.labels[end]
    return (
        label
        if label is not None
        else row.expression(*["x", "y", "z"][: row.arity])
        if row.arity and row.arity <= 3
        else row.name
    )


def _summary(graph: Graph, nodes: Iterable[int]) -> str:
    """Which operations there are how often: `4,096 × · 4,096 + · 16 tanh`."""
    names: Counter[str] = Counter()
    for v in nodes:
        row = graph.rows[v]
        if row is not None:
            names[row.symbol if row.symbol and row.symbol not in "x=" and len(row.symbol) < 3 else row.name] += 1
    shown = [f"{count:,} {name}" for name, count in names.most_common(4)]
    return " · ".join(shown) + (f" · {len(names) - 4} more kinds" if len(names) > 4 else "")


def _stretches(graph: Graph, most: int) -> Folding:
    """The operations cut by depth into stretches of about the same size; leaves go to their first user."""
    n = len(graph)
    depth = [0] * n
    for v, operands in enumerate(graph.operands):
        if graph.rows[v] is not None:
            depth[v] = 1 + max((depth[x] for x in operands if type(x) is int), default=0)
    per_depth = Counter(depth[v] for v in range(n) if graph.rows[v] is not None)
    deepest, operations = max(per_depth), sum(per_depth.values())
    target = max(operations / min(most, MOST_STRETCHES), 1.0)
    bin_of_depth, filled, bins = [0] * (deepest + 1), 0.0, 0
    for d in range(1, deepest + 1):
        if filled >= target * (bins + 1) and d > 1:
            bins += 1
        bin_of_depth[d] = bins
        filled += per_depth[d]
    groups = [Group("layer", -1, [], []) for _ in range(bins + 1)]
    group_of = [-1] * n
    for v in range(n - 1, -1, -1):
        users = graph.users[v]
        group_of[v] = (
            bin_of_depth[depth[v]] if graph.rows[v] is not None else min((group_of[u] for u in users), default=0)
        )
    roots = set(graph.roots)
    low, high = [deepest] * len(groups), [0] * len(groups)
    for v in range(n):
        g = group_of[v]
        group = groups[g]
        if graph.rows[v] is None:
            if graph.kinds[v] == "parameter":
                group.listed.append(v)
            group.nodes.append(v)
            continue
        group.nodes.append(v)
        group.result = v
        low[g], high[g] = min(low[g], depth[v]), max(high[g], depth[v])
        if v in roots or any(group_of[u] != g for u in graph.users[v]):
            group.outputs.append(v)
    for g, group in enumerate(groups):
        span = f"depth {low[g]:,}" if low[g] == high[g] else f"depth {low[g]:,} – {high[g]:,}"
        count = sum(graph.rows[v] is not None for v in group.nodes)
        group.title = f"{count:,} operations"
        leaves = len(group.nodes) - count - len(group.listed)
        group.subtitle = " · ".join([span, *([f"{leaves:,} inputs"] if leaves else []), _summary(graph, group.nodes)])
    what = f"{n:,} values and {graph.edges:,} edges, {deepest:,} operations deep"
    note = f"{what}, drawn as {len(groups):,} stretches of the computation"
    return Folding("layers", groups, group_of, set(), False, [note])
