"""A layered layout (Sugiyama's four steps) in plain Python: pure geometry, no Values, no drawing.

Columns follow each other "along" the direction of reading, boxes lie "across" it; the caller decides which
of the two is x. Deterministic: no hashing, no randomness. What is special here:

- A box brings its attachments (pills, constants) as a `lead` in front of it, so they never overlap anything.
- All long edges of one box share one trunk through the columns, which is drawn straight. A box that is used
  far away two hundred times costs one trunk, not two hundred.
- Positions across come from blocks that must be straight (trunks, chains), which a relaxation then balances.

Steps: ranks (longest path, then short edges), order (barycentres and transpositions, counting crossings with
the order of operands), across (blocks), along (columns as wide as their boxes, gaps as the slopes need).
Sources: Sugiyama, Tagawa & Toda 1981; Gansner, Koutsofios, North & Vo 1993; the blocks are those of
Brandes & Köpf 2001.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Box:
    """Something to place: `along` × `across` pixels, with `lead` pixels of attachments before it."""

    along: float
    across: float
    lead: float = 0.0
    grows: bool = True  # may be made as long as the longest of its column


@dataclass(slots=True)
class Link:
    """An edge: arrives `offset` from the head's centre across, `entry` pixels before the head's box.

    It may arrive up to `slack` further up or down, if it is straight then.
    """

    tail: int
    head: int
    offset: float = 0.0
    entry: float = 0.0
    slack: float = 0.0


@dataclass(slots=True)
class Layout:
    """Where everything is.

    Attributes:
        along: of each box, where it begins (its lead is before that).
        across: of each box, its centre.
        length: of each box, along (it may have grown).
        routes: of each link, the points it passes; it runs straight along each column and bends in the gaps.
        rank: the column of each box.
        extent: the size of everything, along and across.
        crossings: how many pairs of edges cross between neighbouring columns.
    """

    along: list[float]
    across: list[float]
    length: list[float]
    routes: list[list[tuple[float, float]]]
    rank: list[int]
    extent: tuple[float, float]
    crossings: int = 0


@dataclass(slots=True)
class _Layers:
    """Boxes and the bends of trunks (items n, n+1, …) in columns, with their neighbours on either side."""

    rank: list[int]
    before: list[list[int]]  # items of the column before, one entry for each link
    after: list[list[tuple[int, float]]]  # items of the column after, and where the link arrives (0 … 1)
    columns: list[list[int]] = field(default_factory=list)


def layered(
    boxes: Sequence[Box], links: Sequence[Link], *, space: float = 16.0, gap: float = 34.0, most_bends: int = 40_000
) -> Layout:
    """Place boxes and route links.

    Args:
        boxes: what to place, operands before results.
        links: the edges, those of one head in the order of its operands.
        space: the least distance between neighbours in a column.
        gap: the least distance between columns.
        most_bends: how many bends long edges may have in all; beyond, the longest run outside of everything.

    Example:
        >>> plan = layered([Box(10, 10), Box(10, 10), Box(10, 10)], [Link(0, 2, -2), Link(1, 2, 2)], space=4, gap=20)
        >>> plan.across, plan.rank
        ([5.0, 19.0, 12.0], [0, 0, 1])
    """
    if not boxes:
        return Layout([], [], [], [], [], (0.0, 0.0))
    rank = _ranks(len(boxes), links)
    layers, trunks, outside = _with_trunks(boxes, links, rank, most_bends)
    _first_order(layers, len(boxes))
    crossings = _fewer_crossings(layers)
    across = _across(boxes, links, layers, trunks, outside, space)
    return _finish(boxes, links, layers, trunks, outside, across, gap, crossings)


# ── ranks ───────────────────────────────────────────────────────────────────────────────────────
def _ranks(n: int, links: Sequence[Link]) -> list[int]:
    """The column of each box: after all its operands, and then as far along as makes the trunks short."""
    tails: list[list[int]] = [[] for _ in range(n)]
    heads: list[list[int]] = [[] for _ in range(n)]
    for link in links:
        tails[link.head].append(link.tail)
        heads[link.tail].append(link.head)
    tails = [list(dict.fromkeys(t)) for t in tails]
    heads = [list(dict.fromkeys(h)) for h in heads]
    rank = [0] * n
    order = _topological(tails, heads)
    for v in order:
        rank[v] = max((rank[t] + 1 for t in tails[v]), default=0)
    # A box is loose if everything before it serves it alone: the whole branch moves along at no cost.
    loose = [False] * n
    for v in order:
        loose[v] = all(loose[t] and len(heads[t]) == 1 for t in tails[v])
    for v in reversed(order):
        latest = min((rank[h] for h in heads[v]), default=0) - 1
        if latest <= rank[v]:
            continue
        # Moving v along shortens its own trunk, and lengthens those of its tails, unless they reach as far already.
        # Where a tail has many heads, they are likely to move together: each bears its share.
        cost = 0.0
        for t in tails[v]:
            if not (loose[t] and len(heads[t]) == 1):
                cost += max(0, latest - max(rank[h] for h in heads[t])) / len(heads[t])
        if cost < latest - rank[v]:
            rank[v] = latest
    lowest = min(rank)
    return [r - lowest for r in rank]


def _topological(tails: list[list[int]], heads: list[list[int]]) -> list[int]:
    waiting = [len(t) for t in tails]
    order = [v for v, count in enumerate(waiting) if not count]
    for v in order:
        for h in heads[v]:
            waiting[h] -= 1
            if not waiting[h]:
                order.append(h)
    if len(order) != len(tails):
        raise ValueError("links must not form a cycle")
    return order


# ── trunks ──────────────────────────────────────────────────────────────────────────────────────
def _with_trunks(
    boxes: Sequence[Box], links: Sequence[Link], rank: list[int], most_bends: int
) -> tuple[_Layers, list[list[int]], set[int]]:
    """Bends for long edges: `trunks[v]` are the items that carry the links of box v through the columns."""
    n = len(boxes)
    reach = list(rank)  # the last column that the trunk of each box must cross
    for link in links:
        reach[link.tail] = max(reach[link.tail], rank[link.head] - 1)
    outside: set[int] = set()
    bends = 0
    for v in sorted(range(n), key=lambda v: reach[v] - rank[v]):
        bends += reach[v] - rank[v]
        if bends > most_bends:
            outside.add(v)
    all_ranks = list(rank)
    trunks: list[list[int]] = [[] for _ in range(n)]
    for v in range(n):
        if v not in outside:
            trunks[v] = list(range(len(all_ranks), len(all_ranks) + reach[v] - rank[v]))
            all_ranks += range(rank[v] + 1, reach[v] + 1)
    layers = _Layers(all_ranks, [[] for _ in all_ranks], [[] for _ in all_ranks])
    for v, trunk in enumerate(trunks):
        for a, b in zip([v, *trunk], trunk, strict=False):
            layers.before[b].append(a)
            layers.after[a].append((b, 0.5))
    low, high = [0.0] * n, [0.0] * n
    for link in links:
        low[link.head] = min(low[link.head], link.offset)
        high[link.head] = max(high[link.head], link.offset)
    for link in links:
        distance = rank[link.head] - rank[link.tail]
        if link.tail in outside and distance > 1:
            continue
        a = link.tail if distance == 1 else trunks[link.tail][distance - 2]
        room = high[link.head] - low[link.head]
        layers.before[link.head].append(a)
        layers.after[a].append((link.head, (link.offset - low[link.head] + 1.0) / (room + 2.0)))
    return layers, trunks, outside


# ── order ───────────────────────────────────────────────────────────────────────────────────────
def _first_order(layers: _Layers, n: int) -> None:
    """Depth first from the results, operands in order: a tree comes out without a crossing."""
    count = len(layers.rank)
    layers.columns = [[] for _ in range(max(layers.rank) + 1)]
    seen = [False] * count
    ends = [v for v in range(n) if not layers.after[v]]
    for end in [*reversed(ends), *range(n)]:
        stack = [end]
        while stack:
            v = stack.pop()
            if not seen[v]:
                seen[v] = True
                layers.columns[layers.rank[v]].append(v)
                stack.extend(reversed(layers.before[v]))


def _crossings_after(layers: _Layers, column: list[int], position: list[int]) -> int:
    seen: list[float] = []
    count = 0
    for v in column:
        arrivals = sorted([position[h] + at for h, at in layers.after[v]])
        for arrival in arrivals:
            count += len(seen) - bisect_right(seen, arrival)
        for arrival in arrivals:
            insort(seen, arrival)
    return count


def _fewer_crossings(layers: _Layers) -> int:
    """Reorder the columns, keeping the best order seen; the number of crossings that are left."""
    columns, position = layers.columns, [0] * len(layers.rank)
    for column in columns:
        for i, v in enumerate(column):
            position[v] = i
    items = len(layers.rank)
    rounds = 24 if items < 800 else 12 if items < 3_000 else 6 if items < 12_000 else 2
    count = sum(_crossings_after(layers, column, position) for column in columns)
    best, best_columns = count, [list(column) for column in columns]
    stale = 0
    for turn in range(rounds):
        if best == 0 or stale >= 6:
            break
        forward = turn % 2 == 0
        for column in columns[1:] if forward else reversed(columns[:-1]):
            _sort_column(layers, column, position, forward)
        if items < 6_000:
            _transpose(layers, position)
        count = sum(_crossings_after(layers, column, position) for column in columns)
        stale += 1
        if count < best:
            best, best_columns, stale = count, [list(column) for column in columns], 0
    layers.columns = best_columns
    return best


def _sort_column(layers: _Layers, column: list[int], position: list[int], forward: bool) -> None:
    keys: dict[int, float] = {}
    for v in column:
        if forward:
            near = [float(position[u]) for u in layers.before[v]]
        else:
            near = [position[h] + at for h, at in layers.after[v]]
        if near:
            keys[v] = sum(near) / len(near)
    if len(keys) < 2:
        return
    placed = iter(sorted((v for v in column if v in keys), key=keys.__getitem__))
    column[:] = [next(placed) if v in keys else v for v in column]
    for i, v in enumerate(column):
        position[v] = i


def _transpose(layers: _Layers, position: list[int]) -> None:
    """Exchange neighbours as long as that removes crossings."""
    for column in layers.columns:
        if len(column) < 2 or len(column) > 400:
            continue
        before = {v: sorted([float(position[u]) for u in layers.before[v]]) for v in column}
        after = {v: sorted([position[h] + at for h, at in layers.after[v]]) for v in column}
        for _ in range(4):
            better = False
            for i in range(len(column) - 1):
                a, b = column[i], column[i + 1]
                gain = _inversions(before[a], before[b]) + _inversions(after[a], after[b])
                if gain and gain > _inversions(before[b], before[a]) + _inversions(after[b], after[a]):
                    column[i], column[i + 1] = b, a
                    position[a], position[b] = i + 1, i
                    better = True
            if not better:
                break


def _inversions(first: list[float], second: list[float]) -> int:
    """How many crossings the edges of two neighbours have, `first` lying before `second`."""
    if not first or not second or first[-1] <= second[0]:
        return 0
    return sum(bisect_left(second, x) for x in first)


# ── across ──────────────────────────────────────────────────────────────────────────────────────
def _across(
    boxes: Sequence[Box],
    links: Sequence[Link],
    layers: _Layers,
    trunks: list[list[int]],
    outside: set[int],
    space: float,
) -> list[float]:
    """The centre of every item across."""
    n, count = len(boxes), len(layers.rank)
    half = [box.across / 2 for box in boxes] + [1.0] * (count - n)
    position = [0] * count
    for column in layers.columns:
        for i, v in enumerate(column):
            position[v] = i

    # Every connection between neighbouring columns: (item, item, offset at the second, weight, wish to be straight).
    wires: list[tuple[int, int, float, float, int]] = []
    for v, trunk in enumerate(trunks):
        wires += [
            (a, b, 0.0, 8.0 if a >= n else 3.0, 3 if a >= n else 2) for a, b in zip([v, *trunk], trunk, strict=False)
        ]
    operands = [0] * n
    uses = [0] * n
    for link in links:
        operands[link.head] += 1
        uses[link.tail] += 1
    for link in links:
        distance = layers.rank[link.head] - layers.rank[link.tail]
        if distance > 1 and link.tail in outside:
            continue
        a = link.tail if distance == 1 else trunks[link.tail][distance - 2]
        alone = operands[link.head] == 1
        # Two operands lie on either side of their result, unless one comes from far away: then its trunk ends straight.
        wish = 2 if alone and (distance > 1 or uses[link.tail] == 1) else int(distance > 4)
        wires.append((a, link.head, link.offset, 2.0 if alone else 1.0, wish))

    block, shift = _blocks(layers, wires, position)
    members = max(block) + 1
    # Neighbours in a column keep their distance: block p, then block q at least `least` further on.
    apart: dict[tuple[int, int], float] = {}
    for column in layers.columns:
        for a, b in itertools.pairwise(column):
            room = space if a < n and b < n else space * 0.75 if a < n or b < n else space * 0.6
            least = half[a] + half[b] + room + shift[a] - shift[b]
            key = (block[a], block[b])
            apart[key] = max(apart.get(key, least), least)
    order = _block_order(members, apart)
    place = {p: i for i, p in enumerate(order)}
    constraints = sorted(((p, q, least) for (p, q), least in apart.items()), key=lambda c: place[c[0]])
    backward = sorted(constraints, key=lambda c: -place[c[1]])
    pulls: list[list[tuple[int, float, float]]] = [[] for _ in range(members)]
    for a, b, offset, weight, _ in wires:
        p, q = block[a], block[b]
        if p != q:
            ahead = shift[a] - shift[b] - offset  # y[q] should be y[p] + ahead
            pulls[p].append((q, -ahead, weight))
            pulls[q].append((p, ahead, weight))
    return _relaxed(members, constraints, backward, pulls, block, shift, count)


def _blocks(
    layers: _Layers, wires: list[tuple[int, int, float, float, int]], position: list[int]
) -> tuple[list[int], list[float]]:
    """Items that lie on one straight line, as block numbers, and each item's distance from its block's line.

    A wire may be straight if it is the best of both its ends and crosses no other straight one; trunks first.
    """
    count = len(layers.rank)
    following: list[tuple[int, float] | None] = [None] * count
    has_before = [False] * count
    taken: list[list[tuple[int, int]]] = [
        [] for _ in layers.columns
    ]  # by column: sorted (position, position) of straight wires
    ends: list[list[int]] = [[] for _ in layers.columns]
    for a, b, offset, _, _wish in sorted(
        (w for w in wires if w[4]), key=lambda w: (-w[4], layers.rank[w[0]], position[w[0]], position[w[1]])
    ):
        if following[a] is not None or has_before[b]:
            continue
        column, x, y = layers.rank[a], position[a], position[b]
        at = bisect_left(taken[column], (x, y))
        if (at and ends[column][at - 1] > y) or (at < len(ends[column]) and ends[column][at] < y):
            continue
        taken[column].insert(at, (x, y))
        ends[column].insert(at, y)
        following[a] = (b, offset)
        has_before[b] = True
    block, shift = [-1] * count, [0.0] * count
    number = 0
    for column_items in layers.columns:
        for v in column_items:
            if has_before[v]:
                continue
            line = 0.0
            step: tuple[int, float] | None = (v, 0.0)
            while step is not None:
                item, offset = step
                line -= offset  # the wire is straight: centre of the head + offset = centre of the tail
                block[item], shift[item] = number, line
                step = following[item]
            number += 1
    return block, shift


def _block_order(members: int, apart: dict[tuple[int, int], float]) -> list[int]:
    after: list[list[int]] = [[] for _ in range(members)]
    waiting = [0] * members
    for p, q in apart:
        after[p].append(q)
        waiting[q] += 1
    order = [p for p in range(members) if not waiting[p]]
    for p in order:
        for q in after[p]:
            waiting[q] -= 1
            if not waiting[q]:
                order.append(q)
    return order


def _relaxed(
    members: int,
    constraints: list[tuple[int, int, float]],
    backward: list[tuple[int, int, float]],
    pulls: list[list[tuple[int, float, float]]],
    block: list[int],
    shift: list[float],
    count: int,
) -> list[float]:
    """Blocks where their neighbours pull them, as far as the distances allow.

    Each round moves every block towards the mean of its wishes; then blocks that are too close are pushed
    apart, once downwards and once upwards, and the mean of the two is taken: it keeps every distance too.
    """
    y = [0.0] * members
    for p, q, least in constraints:
        y[q] = max(y[q], y[p] + least)
    totals = [sum(w for _, _, w in pull) for pull in pulls]
    rounds = 60 if count < 1_500 else 30 if count < 5_000 else 14 if count < 20_000 else 8
    for turn in range(rounds):
        step = 1.0 if turn % 3 == 2 else 0.6
        wish = list(y)
        for p, pull in enumerate(pulls):
            if pull:
                mean = sum([(y[q] + d) * w for q, d, w in pull]) / totals[p]
                wish[p] += step * (mean - wish[p])
        down = list(wish)
        for p, q, least in constraints:
            if down[q] < down[p] + least:
                down[q] = down[p] + least
        up = wish
        for p, q, least in backward:
            if up[p] > up[q] - least:
                up[p] = up[q] - least
        y = [(a + b) / 2 for a, b in zip(down, up, strict=True)]
    _straightened(y, constraints, pulls)
    return [y[block[v]] + shift[v] for v in range(count)]


def _straightened(
    y: list[float],
    constraints: list[tuple[int, int, float]],
    pulls: list[list[tuple[int, float, float]]],
    most: float = 8.0,
) -> None:
    """Move blocks by a few pixels where that makes a wire straight that is nearly so, and room is left for it."""
    low, high = [-1e18] * len(y), [1e18] * len(y)  # where a block may lie while its neighbours stay

    def bound(p: int, q: int, least: float) -> None:
        low[q] = max(low[q], y[p] + least)
        high[p] = min(high[p], y[q] - least)

    around: list[list[tuple[int, int, float]]] = [[] for _ in y]
    for p, q, least in constraints:
        bound(p, q, least)
        around[p].append((p, q, least))
        around[q].append((p, q, least))
    settled = [any(abs(y[q] + d - y[p]) < 1e-6 for q, d, _ in pull) for p, pull in enumerate(pulls)]
    slanted = [  # of a block with very many wires none deserves it, and to compare each with all takes time n²
        (abs(y[q] + d - y[p]), p, q, d) for p, pull in enumerate(pulls) if len(pull) <= 64 for q, d, _ in pull
    ]
    for _, p, q, d in sorted(entry for entry in slanted if entry[0] <= most):
        goal = y[q] + d
        if settled[p] or abs(goal - y[p]) > most or not low[p] <= goal <= high[p]:
            continue
        if any(abs((y[r] + e - y[p]) + (goal - y[p])) < 1.0 for r, e, _ in pulls[p]):
            continue  # it lies halfway between two: leave it there
        y[p] = goal
        settled[p] = settled[q] = True
        for a, b, _ in around[p]:
            low[b] = max((y[x] + room for x, other, room in around[b] if other == b), default=-1e18)
            high[a] = min((y[other] - room for x, other, room in around[a] if x == a), default=1e18)


# ── along, and the routes ───────────────────────────────────────────────────────────────────────
def _finish(
    boxes: Sequence[Box],
    links: Sequence[Link],
    layers: _Layers,
    trunks: list[list[int]],
    outside: set[int],
    across: list[float],
    gap: float,
    crossings: int,
) -> Layout:
    n, rank = len(boxes), layers.rank
    columns = len(layers.columns)
    low = min(across[v] - box.across / 2 for v, box in enumerate(boxes))
    low = min([low, *across[n:]])
    lanes = {v: low - 14.0 - 9.0 * k for k, v in enumerate(sorted(outside))}
    top = min([low, *lanes.values()])
    across = [a - top for a in across]
    lanes = {v: y - top for v, y in lanes.items()}

    lead, body, steep = [0.0] * columns, [0.0] * columns, [0.0] * columns
    for v, box in enumerate(boxes):
        lead[rank[v]] = max(lead[rank[v]], box.lead)
        body[rank[v]] = max(body[rank[v]], box.along)
    ways: list[list[int]] = []  # the items each link passes
    for link in links:
        distance = rank[link.head] - rank[link.tail]
        way = (
            [] if link.tail in outside and distance > 1 else [link.tail, *trunks[link.tail][: distance - 1], link.head]
        )
        ways.append(way)
        for a, b in itertools.pairwise(way):
            arrival = across[b] + (link.offset if b == link.head else 0.0)
            steep[rank[a]] = max(steep[rank[a]], abs(arrival - across[a]))
    start, x = [0.0] * columns, 0.0  # where the leads of a column begin
    for k in range(columns):
        start[k] = x
        x += lead[k] + body[k] + gap + min(0.16 * steep[k], 1.6 * gap)
    end = [start[k] + lead[k] + body[k] for k in range(columns)]
    length = [
        box.along if not box.grows or body[rank[v]] > 1.9 * box.along else body[rank[v]] for v, box in enumerate(boxes)
    ]
    along = [start[rank[v]] + lead[rank[v]] for v in range(n)]

    routes: list[list[tuple[float, float]]] = []
    for link, way in zip(links, ways, strict=True):
        t, h = link.tail, link.head
        points = [(along[t] + length[t], across[t])]
        goal = (along[h] - link.entry, across[h] + link.offset)
        if way and 0 < abs(across[way[-2]] - goal[1]) <= link.slack:
            goal = (goal[0], across[way[-2]])
        if not way:
            lane = lanes[t]
            points += [(end[rank[t]], across[t]), (end[rank[t]] + gap, lane), (start[rank[h]] - gap, lane)]
        for item, following in itertools.pairwise(way):
            points.append((end[rank[item]], across[item]))
            if following != h:
                points.append((start[rank[following]], across[following]))
        points.append((start[rank[h]], goal[1]))
        points.append(goal)
        routes.append(_tidy(points))
    bottom = max([across[v] + box.across / 2 for v, box in enumerate(boxes)] + across[n:])
    return Layout(along, across[:n], length, routes, rank[:n], (max(end), bottom), crossings)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────
MOST_TURNING = 6  # edges that go on in the next row, at one place
TURN, LANE = 12.0, 6.0  # room beside a row for edges that go on in the next, and for each further one


def in_rows(plan: Layout, boxes: Sequence[Box], links: Sequence[Link], widest: float) -> Layout:
    """A plan that is wider than `widest` as several rows, read like lines of text; as it is, where edges are many.

    >>> boxes, links = [Box(80, 40) for _ in range(6)], [Link(k, k + 1) for k in range(5)]
    >>> plan = layered(boxes, links, gap=20)
    >>> plan.extent, in_rows(plan, boxes, links, 400).extent
    ((580.0, 40.0), (316.0, 110.0))
    """
    columns = max(plan.rank, default=0) + 1
    start, end = [math.inf] * columns, [0.0] * columns
    for v, box in enumerate(boxes):
        start[plan.rank[v]] = min(start[plan.rank[v]], plan.along[v] - box.lead)
        end[plan.rank[v]] = max(end[plan.rank[v]], plan.along[v] + plan.length[v])
    if end[-1] <= widest:
        return plan
    room = widest - 2 * (TURN + MOST_TURNING * LANE)
    turning = [
        sorted({link.tail for link in links if plan.rank[link.tail] <= k < plan.rank[link.head]})
        for k in range(columns)
    ]
    target = 1.05 * end[-1] / math.ceil(end[-1] / room)
    last: list[int] = []  # the last column of each row
    first = 0
    while end[-1] - start[first] > room:
        fitting = [k for k in range(first, columns - 1) if end[k] - start[first] <= room]
        long_enough = [k for k in fitting if end[k] - start[first] >= 0.6 * target] or fitting[-1:]
        if not long_enough:
            return plan
        best = min(long_enough, key=lambda k: (len(turning[k]), abs(end[k] - start[first] - target)))
        if len(turning[best]) > MOST_TURNING:
            return plan
        last.append(best)
        first = best + 1
    row_of = [bisect_left(last, k) for k in range(columns)]
    begins = [0.0, *(start[k + 1] for k in last)]
    ends = [end[k] for k in [*last, columns - 1]]

    def row(a: float) -> int:
        return bisect_right(begins, a + 1e-6) - 1

    top, bottom = [math.inf] * len(begins), [-math.inf] * len(begins)
    for v, box in enumerate(boxes):
        k = row_of[plan.rank[v]]
        top[k] = min(top[k], plan.across[v] - box.across / 2)
        bottom[k] = max(bottom[k], plan.across[v] + box.across / 2)
    for a, c in itertools.chain.from_iterable(plan.routes):
        k = row(a)
        top[k], bottom[k] = min(top[k], c), max(bottom[k], c)
    margin = TURN + LANE * max(len(turning[k]) for k in last)
    left = [margin - a for a in begins]
    down, at = [], 0.0
    for k in range(len(begins)):
        down.append(at - top[k])
        at += bottom[k] - top[k] + 2 * TURN + LANE * (len(turning[last[k]]) if k < len(last) else 0)
    most = margin + max(e - b for b, e in zip(begins, ends, strict=True))

    def turned(link: Link, route: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        points = [(route[0][0] + left[row(route[0][0])], route[0][1] + down[row(route[0][0])])]
        for (a0, c0), (a1, c1) in itertools.pairwise(route):
            for k in range(row(a0), row(a1)):
                lane = LANE * turning[last[k]].index(link.tail)
                far, near, gutter = most + TURN + lane, margin - TURN - lane, bottom[k] + down[k] + TURN + lane
                points += [
                    (ends[k] + left[k], c0 + down[k]), (far, c0 + down[k]), (far, gutter),
                    (near, gutter), (near, c1 + down[k + 1]), (margin, c1 + down[k + 1]),
                ]  # fmt: skip
                c0 = c1
            points.append((a1 + left[row(a1)], c1 + down[row(a1)]))
        return _tidy(points)

    rows = [row_of[r] for r in plan.rank]
    return Layout(
        [a + left[k] for a, k in zip(plan.along, rows, strict=True)],
        [c + down[k] for c, k in zip(plan.across, rows, strict=True)],
        plan.length, [turned(*pair) for pair in zip(links, plan.routes, strict=True)], plan.rank,
        (most + margin, at - 2 * TURN), plan.crossings,
    )  # fmt: skip


def _tidy(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without points that lie on a straight run or repeat their neighbour."""
    kept = [points[0]]
    for i in range(1, len(points)):
        (x0, y0), (x1, y1) = kept[-1], points[i]
        if abs(x1 - x0) < 1e-9 and abs(y1 - y0) < 1e-9:
            continue
        if len(kept) > 1 and abs(kept[-2][1] - y0) < 1e-6 and abs(y1 - y0) < 1e-6:
            kept[-1] = (x1, y1)
        else:
            kept.append((x1, y1))
    return kept
