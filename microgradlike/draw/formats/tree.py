"""A scene as text: a tree from the results down to the inputs, numbers in columns."""

from __future__ import annotations

from unicodedata import category, combining, east_asian_width

from ..picture.scene import Scene
from ..picture.text import number, visible

DEEPEST = 12  # levels of indentation; below, a branch is continued in a paragraph of its own


def tree(scene: Scene, digits: int = 4) -> str:
    """The picture as text. A value that is used twice is written out once; later it just has its name."""
    cards = scene.cards
    operands: list[list[tuple[int, int]]] = [[] for _ in cards]  # (card or −1, number of the edge)
    for i, edge in enumerate(scene.edges):
        operands[edge.head].append((edge.tail, i))
    for entries in operands:
        entries.sort(key=lambda entry: scene.edges[entry[1]].position)
    used = {edge.tail for edge in scene.edges}
    roots = [i for i, card in enumerate(cards) if card.output] or [i for i in range(len(cards)) if i not in used]
    loose = [i for i in range(len(cards)) if i not in used and i not in roots]
    rows: list[tuple[str, str, str, str]] = []
    written: set[int] = set()
    paragraphs = [*roots, *loose]
    for start in paragraphs:
        if start in written:
            continue
        if rows:
            rows.append(("", "", "", ""))
        # (card, edge, the indentation of its line and of the lines below, depth)
        stack: list[tuple[int, int, str, str, int]] = [(start, -1, "", "", 0)]
        while stack:
            i, e, first, rest, depth = stack.pop()
            back = ""
            if e >= 0:
                edge = scene.edges[e]
                if edge.kind == "constant":
                    rows.append((f"{first}{edge.texts[0][0]}", "", "", ""))
                    continue
                if edge.local is not None:
                    back = f"× {number(edge.local, digits)}"
            card = cards[i]
            again = i in written
            head = visible(card.name if again else card.head)
            later = not again and bool(operands[i]) and depth >= DEEPEST
            if later:
                head = f"{visible(card.name)}  (continued below)"
                paragraphs.append(i)
            elif again and operands[i]:
                head += "  (see above)"
            rows.append((first + head, card.value, card.gradient, back))
            if again or later:
                continue
            written.add(i)
            margin = f"{rest}{'│ ' if operands[i] else '  '}"
            if card.note:
                rows.append((f"{margin}{card.note}", "", "", ""))
            rows += [(f"{margin}{line.name}", line.value, line.gradient, "") for line in card.lines[:-1]]
            for k, (x, edge_number) in enumerate(reversed(operands[i])):
                last = k == 0
                first, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
                stack.append((x, edge_number, rest + first, rest + below, depth + 1))
    lines = _aligned([("", "value", "gradient", "local"), *rows])
    title = [visible(scene.title)] if scene.title else []
    return "\n".join([*title, *lines, *(f"({note})" for note in scene.caption)])


def _columns(text: str) -> int:
    """How many columns a terminal takes for `text`."""
    return sum(0 if combining(c) or category(c) == "Cf" else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _aligned(rows: list[tuple[str, str, str, str]]) -> list[str]:
    sizes = [max(_columns(row[k]) for row in rows) for k in range(4)]
    lines = []
    for row in rows:
        cells = [row[0] + " " * (sizes[0] - _columns(row[0]))]
        cells += [" " * (sizes[k] - _columns(row[k])) + row[k] for k in (1, 2, 3)]
        lines.append("   ".join(cells).rstrip())
    return lines
