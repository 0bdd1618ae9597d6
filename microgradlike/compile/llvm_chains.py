"""Which array instructions on rows run as one loop: elementwise operations on the results of one another."""

from __future__ import annotations

import numpy as np

from .llvm_operations import REGISTERS
from .plan import BODY, Instruction, Operand, Plan, U, V

__all__ = ["Member", "chains"]

# An instruction; for each operand, the member of its chain whose result it is, or −1; whether its result is stored.
Member = tuple[Instruction, list[int], bool]

_LONGEST = 24  # operations of a chain: their results should stay in registers
_MOST = 2_000  # instructions beyond which nothing is fused: a program that long has too many kinds of chains


def chains(plan: Plan) -> list[list[Member]]:
    """The instructions on rows as chains, in an order in which they can run; most consist of one instruction.

    A chain begins with an elementwise operation, or with a product of a shared matrix, and runs where its first member
    ran. Another instruction joins it if its operands are results of members, row by row, or there already.
    """
    body = [i for i in plan.instructions if i.phase == BODY]
    if len(body) > _MOST:
        return [[(i, [-1] * len(i.operands), True)] for i in body]
    producer = np.full(plan.batched, -1)  # of each slot of V; −1: an argument
    place = np.full(len(body) + 1, -1)  # where an instruction runs; the last entry is for arguments
    groups: dict[int, list[int]] = {}
    for number, i in enumerate(body):
        place[number] = number
        if i.name in REGISTERS:
            head = _joins(i, body, producer, place, groups)
            if head >= 0:
                place[number] = head
                groups[head].append(number)
        if place[number] == number:
            groups[number] = [number]
        producer[i.start : i.start + i.count] = number
    inner: dict[int, list[int]] = {}
    needed = np.zeros(plan.batched, bool)
    for members in groups.values():
        position = {number: n for n, number in enumerate(members)}
        for number in members:
            i = body[number]
            inner[number] = [-1] * len(i.operands)
            for k, x in enumerate(i.operands):
                if isinstance(x, float) or x.buffer == U:
                    continue
                source = _source(x, i, body, producer) if number != members[0] else -1
                inner[number][k] = position.get(source, -1)
                if inner[number][k] < 0:
                    needed[x.index] = True
    for i in plan.instructions:
        if i.phase != BODY:
            for x in i.operands:
                if not isinstance(x, float) and x.buffer == V:
                    needed[x.index] = True
    for output in plan.outputs:
        if not isinstance(output, float) and output[0] == V:
            needed[output[1]] = True

    def stored(i: Instruction) -> bool:
        return bool(needed[i.start : i.start + i.count].any())

    return [[(body[n], inner[n], stored(body[n])) for n in members] for members in groups.values()]


def _source(x: Operand, i: Instruction, body: list[Instruction], producer: np.ndarray) -> int:
    """The instruction whose results are the operand, in the same order; −1 if there is none."""
    number = int(producer[x.index.flat[0]])
    if number < 0 or body[number].count != i.count or x.index.shape != (i.count,):
        return -1
    start = body[number].start
    return number if np.array_equal(x.index, np.arange(start, start + i.count)) else -1


def _joins(
    i: Instruction, body: list[Instruction], producer: np.ndarray, place: np.ndarray, groups: dict[int, list[int]]
) -> int:
    """The chain that the instruction can join, by the number of its first member; −1 if there is none."""
    rows = [x for x in i.operands if not isinstance(x, float) and x.buffer == V]
    sources = [_source(x, i, body, producer) for x in rows]
    for head in sorted({int(place[n]) for n in sources if n >= 0}, reverse=True):
        first = body[head]
        heads = first.name in REGISTERS or (first.name == "dot" and first.operands[0].buffer == U)
        if not heads or len(groups[head]) >= _LONGEST:
            continue
        if all(
            (n >= 0 and place[n] == head) or bool((place[producer[x.index]] < head).all())
            for x, n in zip(rows, sources, strict=True)
        ):
            return head
    return -1
