"""How a value reads: its label, its number, or the expression of its operands. From the table's `write`.

Brackets follow from the table as well: how loosely a row's `write` binds is read off its operators, so a
new primitive is bracketed correctly without being mentioned here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from ...ops import Op
from .text import ELLIPSIS, MINUS

TIGHTEST = 9
# How tightly operators bind. A sign counts as an infix operator only between spaces, as the table writes them.
_LEVELS: tuple[tuple[int, re.Pattern[str]], ...] = (
    (0, re.compile(r" [?:<>=≤≥≠] ")),
    (1, re.compile(r" [+−] ")),
    (2, re.compile(r" (?:×|/|mod|ln|÷) |·|(?<=.)/")),
    (3, re.compile(r"^[−√∛]")),
    (4, re.compile(r" \^ |[²³]$")),
    (5, re.compile(r"^\w+ \S")),  # such as "ln softmax(x)"
)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\|[^|]*\||‖[^‖]*‖|⌊[^⌊⌋]*⌋|⌈[^⌈⌉]*⌉")


@lru_cache(maxsize=8192)
def binding(text: str) -> int:
    """How tightly the loosest operator outside of brackets binds; `TIGHTEST` for a name or a call.

    >>> binding("x > 0 ? a : b"), binding("a + b × c"), binding("b × c"), binding("tanh(a + b)"), binding("w1")
    (0, 1, 2, 9, 9)
    """
    before = None
    while before != text:
        before, text = text, _BRACKETS.sub("()", text)
        if before == text or text.count("()") > 400:
            break
        text = text.replace("()", "x")
    for level, pattern in _LEVELS:
        if pattern.search(text):
            return level
    return TIGHTEST


def _probes(arity: int) -> list[str]:
    return [f"\ue000{i}\ue001" for i in range(arity)]


# What an operand must bind like to stand without brackets, by the operator on its left or right.
_BESIDE = {
    "left": ((" + ", 1), (f" {MINUS} ", 2), (" × ", 2), ("·", 2), (" / ", 3), (" mod ", 3), ("", TIGHTEST)),
    "right": ((" + ", 1), (f" {MINUS} ", 1), (" × ", 2), ("·", 2), (" / ", 2), ("", TIGHTEST)),
}
_OPENING, _CLOSING = "([|‖⌊⌈,", ")]|‖⌋⌉,"


@lru_cache(maxsize=4096)
def _shape(row: Op, fixed: tuple[str, ...], count: int) -> tuple[str, tuple[int, ...], tuple[bool, ...]]:
    """The row written with stand-ins for `count` operands; how tightly each must bind, and which follow an operator."""
    probes = _probes(count)
    text = row.expression(*fixed, *probes)
    needs, follows = [], []
    for probe in probes:
        left, _, right = text.partition(probe)
        alone_left = not left.strip() or left.rstrip()[-1] in _OPENING
        alone_right = not right.strip() or right.lstrip()[0] in _CLOSING
        need = 0
        if not alone_left:
            need = next(level for sign, level in _BESIDE["left"] if left.endswith(sign))
        if not alone_right:
            need = max(need, next(level for sign, level in _BESIDE["right"] if right.startswith(sign)))
        needs.append(need)
        follows.append(not alone_left)
    return text, tuple(needs), tuple(follows)


def _elided(row: Op, operands: Sequence[str], most: int) -> list[str]:
    """The operands with the middle of a long list left out, in both halves where a row takes two lists."""
    lead = _leading(row)
    lists = len(row.parameters) - lead
    if row.arity is not None or len(operands) - lead <= most * lists:
        return list(operands)
    kept = list(operands[:lead])
    rest = operands[lead:]
    length = len(rest) // lists
    for k in range(lists):
        part = rest[k * length : (k + 1) * length]
        kept += [*part[: most - 1], ELLIPSIS, part[-1]]
    return kept


def written(row: Op, operands: Sequence[str], most: int = 4) -> str:
    """The row as an expression of these operands, with the brackets it needs.

    >>> from microgradlike.ops import TABLE
    >>> written(TABLE["multiply"], ["3", "a + u"]), written(TABLE["subtract"], ["a", "b − c"])
    ('3 × (a + u)', 'a − (b − c)')
    >>> written(TABLE["sum"], [f"x{i}" for i in range(1, 6)])
    'x1 + x2 + x3 + … + x5'
    """
    operands = _elided(row, operands, most)
    lead = _leading(row)  # an index, which a row may write as a subscript
    text, needs, follows = _shape(row, tuple(operands[:lead]), len(operands) - lead)
    for probe, operand, need, follow in zip(_probes(len(needs)), operands[lead:], needs, follows, strict=True):
        if binding(operand) < need or (follow and operand.startswith(MINUS)):
            operand = f"({operand})"
        text = text.replace(probe, operand)
    return text.replace(f"{ELLIPSIS}·{ELLIPSIS}", ELLIPSIS)


def _leading(row: Op) -> int:
    """How many arguments come before the list of a row that takes one."""
    return sum(not p.startswith("*") for p in row.parameters) if row.arity is None else 0


def described(row: Op, count: int, name: Callable[[int], str]) -> str:
    """`written`, asking for the names of those operands alone that will be shown."""
    if count <= 12:
        return written(row, [name(i) for i in range(count)])
    lead = _leading(row)
    lists = max(len(row.parameters) - lead, 1)
    length = (count - lead) // lists
    shown = {*range(lead)}
    for k in range(lists):
        start = lead + k * length
        shown |= {start, start + 1, start + 2, start + length - 1}
    return written(row, [name(i) if i in shown else ELLIPSIS for i in range(count)])
