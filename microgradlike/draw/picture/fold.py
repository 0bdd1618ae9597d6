"""Which values share a card: every value its own, neurons as one, layers as one, or stretches of a long computation.

A neuron is found by its structure: everything that serves one result alone (its fan-out-free cone), cut where
labels, losses, activations and parameters say that something of its own begins. Nothing is dropped: what is
folded is counted, and the picture's caption says so.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .blocks import ENOUGH, Block, Blocks, kind_of
from .graph import Graph

DETAILS = ("auto", "full", "cards", "neurons", "parts", "layers")
MOST_WITH_PILLS, MOST_CARDS, MOST_ASKED_FOR, MOST_LAYERS, MOST_STRETCHES = 60, 200, 5_000, 60, 12
MOST_PARTS, FEW_PARTS, MOST_IN_SHORT, MOST_KINDS = 30, 5, 3, 6
MOST_TO_TRY = 20_000  # values of a graph that may turn out to have few enough neurons
MOST_BESIDE = 32  # numbers of a grid, in a row
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
    rows: list[list[int]] = field(default_factory=list)  # of `listed`, where it forms a grid
    matrices: list[tuple[str, list[list[int]]]] = field(default_factory=list)  # the same, of several with their names
    run: list[int] = field(default_factory=list)  # of several runs of the same, the nodes of the first
    whole: bool = False  # whether there is no more to say of it
    wide: int = 0  # how many of `outputs` stand beside each other, where they form a grid


@dataclass(slots=True)
class Folding:
    """All groups, operands before results.

    Attributes:
        group_of: the group of each node; −1 for a parameter that is listed in every card that uses it.
        again: leaves that are drawn again at each use.
        pills: whether edges carry pills.
        notes: what was folded, for the caption.
        short: whether a neuron's card shows its parameters as colours instead of a list, and a part's no grid.
    """

    detail: str
    groups: list[Group]
    group_of: list[int]
    again: set[int]
    pills: bool
    notes: list[str]
    short: bool = False

    @property
    def coarse(self) -> bool:
        """Whether cards are so large that edges between them have no derivatives."""
        return self.detail in ("layers", "parts")


def fold(graph: Graph, detail: str = "auto", max_nodes: int | None = None) -> Folding:
    """Fold `graph` to this detail; "auto" takes the finest one that has at most `max_nodes` cards (200)."""
    if detail == "auto":
        return next(foldings(graph, max_nodes))
    if detail == "layers":
        return _layers(graph, max_nodes or MOST_LAYERS)
    if detail == "parts":
        most = max_nodes or MOST_PARTS
        parts = _parts(graph, lambda folding: len(folding.groups) <= most, max_nodes or ENOUGH)
        return parts or _layers(graph, max_nodes or MOST_LAYERS)
    folding = _neurons(graph) if detail == "neurons" else _single(graph, pills=detail == "full")
    limit = max_nodes or MOST_ASKED_FOR
    if len(folding.groups) > limit:
        raise ValueError(
            f"detail={detail!r} needs {len(folding.groups):,} cards, more than max_nodes={limit:,}: "
            f"raise max_nodes, or use detail='auto' or 'layers', which fold the graph"
        )
    return folding


def foldings(
    graph: Graph, max_nodes: int | None = None, fits: Callable[[Folding], bool] = lambda _: True
) -> Iterator[Folding]:
    """Ways to draw a graph with at most `max_nodes` cards (200), from the finest to the coarsest."""
    most = max_nodes or MOST_CARDS
    if len(graph) <= most:
        if len(graph) <= MOST_WITH_PILLS:
            yield _single(graph, pills=True)
        bare = _single(graph, pills=False)
        if len(graph) <= MOST_WITH_PILLS:
            bare.notes.append("edges drawn without their local derivatives: detail='full' has them")
        yield bare
    if len(graph) <= MOST_TO_TRY:
        folding = _neurons(graph)
        if len(folding.groups) <= most and not _is_one_piece(graph, max(len(g.nodes) for g in folding.groups)):
            yield folding
            if any(len(g.listed) > MOST_IN_SHORT for g in folding.groups):
                yield replace(folding, short=True)
            yield replace(folding, short=True, pills=False)
    most = max_nodes or MOST_PARTS
    parts = _parts(graph, lambda folding: len(folding.groups) <= most and fits(folding), max_nodes or ENOUGH)
    if parts and len(parts.groups) < FEW_PARTS:  # without grids, more may fit
        brief = _parts(graph, lambda f: len(f.groups) <= most and fits(replace(f, short=True)), max_nodes or ENOUGH)
        parts = replace(brief, short=True) if brief and len(brief.groups) > len(parts.groups) else parts
    if parts:
        yield parts
    yield _layers(graph, max_nodes or MOST_LAYERS)
    if any(graph.rows):
        for fewer in (1, 2):
            yield _stretches(graph, max((max_nodes or MOST_STRETCHES) // fewer, 1))


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
    return _grouped(graph, keys, cone_nodes, places, result)


def _add(group: Group, groups: list[Group], group_of: list[int]) -> None:
    """One more card: its nodes are on it, and so is what it lists, unless a card before it lists that."""
    for x in group.listed:
        if group_of[x] < 0:
            group_of[x] = len(groups)
    for v in group.nodes:
        group_of[v] = len(groups)
    groups.append(group)


def _grouped(
    graph: Graph,
    keys: dict[tuple[Any, ...], list[int]],
    cone_nodes: dict[int, list[int]],
    places: dict[int, tuple[str, ...]],
    result: Sequence[int],
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
            group.wide = _square(len(ends))
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
            group.rows = _rows(graph, weights, result)
            group.wide = len(owners) if len(owners) > 1 else min(len(ends), MOST_BESIDE)
            units = f"{len(owners):,} neurons" if layer and len(owners) > 1 else ""
            uses = f"{len(ends) // len(owners):,} uses each" if units and len(ends) > len(owners) else ""
            group.subtitle = " · ".join(part for part in (units, uses, what) if part)
        _add(group, groups, group_of)
    what = f"{n:,} values and {graph.edges:,} edges drawn as {len(groups):,} cards"
    note = f"{what}: values of the same layer, or of the same depth and kind, share one"
    return Folding("layers", groups, group_of, set(), False, [note])


def _square(count: int) -> int:
    """How many numbers stand beside each other: an image's are as many as below each other."""
    side = math.isqrt(count)
    return side if side * side == count and side >= 5 else min(count, MOST_BESIDE)


_INDICES = re.compile(r"(?<!\d)\d+")


def _rows(graph: Graph, listed: Sequence[int], result: Sequence[int]) -> list[list[int]]:
    """Parameters as the matrix that they are: by the two numbers in their names, or one row for each neuron."""
    if len({kind_of(graph.labels[x]) for x in listed}) == 1 and graph.labels[listed[0]]:
        at = {x: [int(k) for k in _INDICES.findall(graph.labels[x] or "")] for x in listed}
        if min(map(len, at.values())) >= 2:
            rows: dict[tuple[int, ...], list[int]] = {}
            for x in sorted(listed, key=at.__getitem__):
                rows.setdefault(tuple(at[x][:-1]), []).append(x)
            if len({len(row) for row in rows.values()}) == 1:
                return list(rows.values())
    by_user: dict[int, list[int]] = {}
    for x in listed:
        if graph.users[x]:
            by_user.setdefault(result[graph.users[x][0]], []).append(x)
    found = [by_user[end] for end in sorted(by_user)]
    return found if len({len(row) for row in found}) == 1 and len(found[0]) > 1 else []


def _parts(graph: Graph, fits: Callable[[Folding], bool], enough: int) -> Folding | None:
    """The functions and groups of the program, opened as far as there is room; None where none are known."""
    if not any(place is not None for place in graph.places):
        return None
    blocks = Blocks(graph)
    if not blocks.any:
        return None
    result, _ = _cones(graph)
    found = blocks.unfold(lambda found: fits(_in_parts(graph, found, result)), enough)
    return _in_parts(graph, found, result)


def _in_parts(graph: Graph, blocks: Sequence[Block], result: Sequence[int]) -> Folding:
    n = len(graph)
    block_of = [-1] * n
    for b, block in enumerate(blocks):
        for v in block.nodes:
            block_of[v] = b
    listed: dict[int, list[int]] = {}
    given: dict[tuple[Any, ...], list[int]] = {}
    for v, row in enumerate(graph.rows):
        if row is not None:
            continue
        users = dict.fromkeys(block_of[u] for u in graph.users[v])
        if users and (graph.kinds[v] == "parameter" or (graph.labels[v] is None and len(users) == 1)):
            for b in users:
                listed.setdefault(b, []).append(v)
        else:
            given.setdefault((kind_of(graph.labels[v]), tuple(users)), []).append(v)
    groups: list[Group] = []
    group_of = [-1] * n
    for leaves in given.values():
        many = len(leaves) > 1
        group = Group("layer" if many else graph.kinds[leaves[0]], leaves[-1], leaves, leaves)
        names = {kind_of(graph.labels[v]).replace("#", "i") for v in leaves}
        group.title = (
            f"{names.pop()} × {len(leaves):,}" if len(names) == 1 and names != {""} else f"{len(leaves):,} inputs"
        )
        group.wide = _square(len(leaves))
        groups.append(group)
    roots = set(graph.roots)
    for block in blocks:
        weights = listed.get(len(groups) - len(given), [])
        nodes = set(block.nodes)
        outputs = [v for v in block.nodes if v in roots or any(u not in nodes for u in graph.users[v])]
        group = Group("layer", block.nodes[-1], list(block.nodes), outputs or block.nodes[-1:], weights)
        if len(block.nodes) == 1 and not weights:
            group.kind = "operation"
        times = len(block.nodes) if block.loose else block.times
        group.title = block.titles[-1] + (f" × {times:,}" if times > 1 else "")
        group.subtitle = " · ".join(block.parts) or _summary(graph, block.nodes)
        group.whole = block.loose
        group.run = block.run if times > 1 and not block.loose else []
        group.band = " › ".join(block.titles[:-1])
        kinds: dict[str, list[int]] = {}
        for x in sorted(weights, key=lambda x: graph.users[x][0]):
            kinds.setdefault(kind_of(graph.labels[x]), []).append(x)
        if len(kinds) <= MOST_KINDS and all("[" in kind for kind in kinds):
            group.matrices = [
                (kind.split("#")[0].rstrip("[. "), _rows(graph, x, result) or [x]) for kind, x in kinds.items()
            ]
        group.rows = _rows(graph, weights, result) if weights else []
        count = len(outputs)
        group.wide = count // times if count % times == 0 and count > times else min(count, MOST_BESIDE)
        _add(group, groups, group_of)
    for leaves, k in zip(given.values(), range(len(given)), strict=True):
        for v in leaves:
            group_of[v] = k
    note = f"{n:,} values and {graph.edges:,} edges drawn as {len(groups):,} cards: the parts of the program"
    return Folding("parts", groups, group_of, set(), False, [note])


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
    """Which operations there are how often: `4,096 ×, 4,096 +, 16 tanh`."""
    names: Counter[str] = Counter()
    for v in nodes:
        row = graph.rows[v]
        if row is not None:
            names[row.symbol if row.arity == 2 and row.symbol in "+−×÷" else row.name] += 1
    shown = [f"{count:,} {name}" for name, count in names.most_common(4)]
    return ", ".join(shown) + (f", {len(names) - 4} more kind{'s' * (len(names) > 5)}" if len(names) > 4 else "")


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
        group.wide = min(len(group.outputs), MOST_BESIDE)
        span = f"depth {low[g]:,}" if low[g] == high[g] else f"depth {low[g]:,} – {high[g]:,}"
        count = sum(graph.rows[v] is not None for v in group.nodes)
        group.title = f"{count:,} operations"
        leaves = len(group.nodes) - count - len(group.listed)
        group.subtitle = " · ".join(
            [span, *([f"{leaves:,} input{'s' * (leaves > 1)}"] if leaves else []), _summary(graph, group.nodes)]
        )
    what = f"{n:,} values and {graph.edges:,} edges, {deepest:,} operations deep"
    note = f"{what}, drawn as {len(groups):,} stretches of the computation"
    return Folding("layers", groups, group_of, set(), False, [note])
