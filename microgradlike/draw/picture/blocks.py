"""The parts of a program as cards: functions and groups, those that do the same drawn once with their number.

A part is a Place (see graph/groups.py) with all that was computed in it. Parts of one name, with the same kinds of
operations and of parameters, share a card. The picture opens the largest parts first, for as long as it has room.
What would make a circle of cards is told apart by its turn (the first `normalise`, the second), or stays one card.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ...graph.groups import Place
from .graph import Graph

MOST_TURNS = 12  # of one part that are told apart
MOST_OPENINGS = 40
ENOUGH = 7  # cards: with as many, a picture tells what a program does, and further parts stay closed
_DIGITS = re.compile(r"\d+")
FEW = 3  # cards say too little

Key = tuple[str, ...]


@dataclass(slots=True)
class Atom:
    """What a place computes by itself with one operation: nodes that always share a card."""

    path: tuple[Place, ...]
    what: str
    nodes: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Block:
    """Some atoms that share a card.

    Attributes:
        titles: the name of the part, after those of the parts it is in; loose: it is no part, but an operation in one.
        times: how many runs of the part there are.
        inside: whether it has parts of its own, or several operations.
        run: the nodes of its first run.
        parts: what those parts are called, with their number in one run.
    """

    titles: Key
    nodes: list[int]
    times: int
    loose: bool
    inside: bool
    run: list[int]
    parts: list[str]


def kind_of(label: str | None) -> str:
    """A label without its numbers: parameters that differ in those alone are of one kind.

    >>> kind_of("layers.0.w[12]"), kind_of(None)
    ('layers.#.w[#]', '')
    """
    return _DIGITS.sub("#", label or "")


class Blocks:
    """All parts of a graph, closed; `opened` opens them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        paths: dict[int, tuple[Place, ...]] = {}

        def path(place: Place | None) -> tuple[Place, ...]:
            if place is None:
                return ()
            found = paths.get(id(place))
            if found is None:
                found = paths[id(place)] = (*path(place.parent), place)
            return found

        self.atom_of = [-1] * len(graph)
        numbers: dict[tuple[int, str], int] = {}
        self.atoms: list[Atom] = []
        for v, row in enumerate(graph.rows):
            if row is None:
                continue
            label = graph.labels[v]
            key = (id(graph.places[v]), kind_of(label) if label else row.name)
            if key not in numbers:
                numbers[key] = len(self.atoms)
                self.atoms.append(Atom(path(graph.places[v]), key[1]))
            self.atom_of[v] = numbers[key]
            self.atoms[numbers[key]].nodes.append(v)
        shared = _shared([atom.path for atom in self.atoms])
        for atom in self.atoms:
            atom.path = atom.path[shared:]
        self.links: set[tuple[int, int]] = set()
        for v, operands in enumerate(graph.operands):
            for x in operands:
                if type(x) is int and self.atom_of[x] >= 0 and self.atom_of[x] != self.atom_of[v]:
                    self.links.add((self.atom_of[x], self.atom_of[v]))
        self.kinds = self._kinds()
        self.turns = self._turns()

    def _kinds(self) -> dict[int, str]:
        """What each place does, so that places that do the same can share a card."""
        graph = self.graph
        rows: dict[int, set[str]] = defaultdict(set)
        named: dict[int, set[str]] = defaultdict(set)
        names: dict[int, str] = {}
        for atom in self.atoms:
            weights = {
                kind_of(graph.labels[x])
                for v in atom.nodes
                for x in graph.operands[v]
                if type(x) is int and graph.kinds[x] == "parameter" and graph.labels[x]
            }
            operations = {graph.rows[v].name for v in atom.nodes}  # type: ignore[union-attr]
            for place in atom.path:
                names[id(place)] = place.name
                rows[id(place)] |= operations
                named[id(place)] |= weights
        return {
            key: "\0".join([name, *sorted(rows[key]), "\1", *sorted(named[key])[:20]]) for key, name in names.items()
        }

    def _turns(self) -> dict[int, int]:
        """Which of the runs of one name in its parent each place is."""
        seen: Counter[tuple[int, str]] = Counter()
        turns: dict[int, int] = {}
        for atom in self.atoms:
            parent = 0
            for place in atom.path:
                key = id(place)
                if key not in turns:
                    turns[key] = seen[parent, place.name]
                    seen[parent, place.name] += 1
                parent = key
        return turns

    @property
    def any(self) -> bool:
        """Whether there is more than one part."""
        return len({atom.path[:1] for atom in self.atoms}) > 1

    def partition(self, opened: set[Key]) -> tuple[list[Block], list[Key], list[int]]:
        """The blocks where these parts are open, their keys, and the block of each atom."""
        told_apart: set[Key] = set()
        while True:
            keys: list[Key] = []
            for atom in self.atoms:
                key: Key = ()
                for place in atom.path:
                    kind = self.kinds[id(place)]
                    if (*key, kind) in told_apart:
                        kind = f"{kind}\2{self.turns[id(place)]}"
                    key = (*key, kind)
                    if key not in opened:
                        break
                else:
                    key = (*key, f"\3{atom.what}")
                keys.append(key)
            circles = _circles(keys, self.links)
            split = {key for circle in circles for key in circle} & self._several(keys)
            split -= told_apart
            if not split:
                break
            told_apart |= split
        merged = {key: _one(circle) for circle in circles for key in circle}
        return self._blocks([merged.get(key, key) for key in keys])

    def _several(self, keys: list[Key]) -> set[Key]:
        """Keys that stand for several runs in one parent, but not for too many."""
        most: dict[Key, int] = {}
        for key, atom in zip(keys, self.atoms, strict=True):
            depth = len(key)
            if not key[-1].startswith("\3"):
                most[key] = max(most.get(key, 0), self.turns[id(atom.path[depth - 1])])
        return {key for key, turn in most.items() if 0 < turn <= MOST_TURNS}

    def _blocks(self, keys: list[Key]) -> tuple[list[Block], list[Key], list[int]]:
        order = _ordered(keys, self.links)
        number = {key: i for i, key in enumerate(order)}
        blocks: list[Block] = []
        members: dict[Key, list[int]] = defaultdict(list)
        for i, key in enumerate(keys):
            members[key].append(i)
        for key in order:
            atoms = [self.atoms[i] for i in members[key]]
            loose = key[-1].startswith("\3") if key else True
            depth = len(key)
            runs = {id(atom.path[depth - 1]) for atom in atoms if not loose and len(atom.path) >= depth}
            titles = tuple(_name(part) for part in key)
            kinds = {(atom.path[depth] if len(atom.path) > depth else None, atom.what) for atom in atoms}
            nodes = sorted(v for atom in atoms for v in atom.nodes)
            inner = dict.fromkeys(atom.path[depth] for atom in atoms if not loose and len(atom.path) > depth)
            names = Counter(place.name for place in inner)
            times = max(len(runs), 1)
            parts = [name if k <= times else f"{round(k / times):,} {name}" for name, k in names.items()]
            first = next((atom.path[depth - 1] for atom in atoms), None) if not loose else None
            run = sorted(v for atom in atoms for v in atom.nodes if atom.path[depth - 1] is first) if first else nodes
            blocks.append(Block(titles, nodes, times, loose, not loose and len(kinds) > 1, run, parts))
        return blocks, order, [number[key] for key in keys]

    def unfold(self, fits: Callable[[list[Block]], bool], enough: int = ENOUGH) -> list[Block]:
        """Open the largest part, again and again, for as long as `fits` says so and there are not `enough` cards."""
        opened: set[Key] = {()}
        blocks, keys, _ = self.partition(opened)
        closed: set[Key] = set()
        for _ in range(MOST_OPENINGS):
            inner = [  # operations of a part that has no parts say less than its name
                (len(b.nodes), k)
                for b, k in zip(blocks, keys, strict=True)
                if b.inside and k not in closed and (b.parts or len(blocks) < FEW)
            ]
            if not inner or len(blocks) >= enough:
                break
            key = max(inner)[1]
            more, more_keys, _ = self.partition(opened | {key})
            if len(more) > len(blocks) and fits(more):
                opened, blocks, keys = opened | {key}, more, more_keys
            else:
                closed.add(key)
        return blocks


def _shared(paths: Iterable[tuple[Place, ...]]) -> int:
    """How many places all paths begin with."""
    first: tuple[Place, ...] | None = None
    shared = 0
    for path in paths:
        if first is None:
            first, shared = path, len(path)
        shared = next((i for i in range(shared) if i >= len(path) or path[i] is not first[i]), shared)
    return shared


def _one(circle: list[Key]) -> Key:
    """The key of a card that holds a circle of them: where they part, it names some."""
    depth = next(i for i in range(len(circle[0]) + 1) if len({key[: i + 1] for key in circle}) > 1)
    names = list(dict.fromkeys(_name(key[depth]) for key in circle if len(key) > depth))
    return (*circle[0][:depth], "\3" + " · ".join(names[:3]) + (" · …" if len(names) > 3 else ""))


def _name(part: str) -> str:
    return re.split("[\0-\3]", part.removeprefix("\3"))[0]


def _successors(keys: list[Key], links: Iterable[tuple[int, int]]) -> dict[Key, set[Key]]:
    found: dict[Key, set[Key]] = {key: set() for key in keys}
    for a, b in links:
        if keys[a] != keys[b]:
            found[keys[a]].add(keys[b])
    return found


def _circles(keys: list[Key], links: Iterable[tuple[int, int]]) -> list[list[Key]]:
    """The sets of cards that lead to each other (Tarjan 1972, without recursion)."""
    after = _successors(keys, links)
    index: dict[Key, int] = {}
    low: dict[Key, int] = {}
    stack: list[Key] = []
    on_stack: set[Key] = set()
    found: list[list[Key]] = []
    for start in after:
        if start in index:
            continue
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        work = [(start, iter(after[start]))]
        while work:
            key, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(after[other])))
                    break
                if other in on_stack:
                    low[key] = min(low[key], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[key])
                if low[key] == index[key]:
                    circle: list[Key] = []
                    while not circle or circle[-1] != key:
                        circle.append(stack.pop())
                        on_stack.discard(circle[-1])
                    if len(circle) > 1:
                        found.append(sorted(circle))
    return found


def _ordered(keys: list[Key], links: Iterable[tuple[int, int]]) -> list[Key]:
    """The cards, operands before results, else in the order of the program."""
    after = _successors(keys, links)
    waiting = Counter(other for others in after.values() for other in others)
    ready = [key for key in after if not waiting[key]]
    order: list[Key] = []
    while ready:
        key = ready.pop(0)
        order.append(key)
        for other in sorted(after[key]):
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return order
