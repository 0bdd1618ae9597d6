"""Loops over the arrays of a recording that need every node in turn: repetitions, sums and dots, levels. No NumPy.

Plain Python, which compiles unchanged with Cython to `microgradlike.compile._passes`, as value.py does. Arrays are
those of a `graph.program.Trace`: an operand ≥ 0 is a node, one < 0 a constant; the first `first` nodes are leaves.
"""

from __future__ import annotations

from array import array
from typing import Any

try:
    import cython
except ImportError:  # Cython is needed to build the compiled passes only
    from ..value import cython  # type: ignore[attr-defined]

__all__ = ["levels", "linear", "reached", "repeated"]

GONE = -(1 << 30)  # the new number of a node that is not needed, or was absorbed


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.locals(
    i=cython.int, j=cython.int, k=cython.int, a=cython.int, b=cython.int, length=cython.int, h=cython.longlong
)
def repeated(operations: Any, start: Any, operands: Any, first: cython.int) -> Any:
    """For every node the first one that computes the same from the same (its own number, as a rule)."""
    op: cython.int[::1] = operations  # type: ignore[misc]
    begin: cython.int[::1] = start  # type: ignore[misc]
    used: cython.int[::1] = operands  # type: ignore[misc]
    n: cython.int = len(operations)
    size: cython.longlong = 16
    while size < 2 * n:
        size *= 2
    found = array("i", bytes(4 * (first + n)))
    same: cython.int[::1] = found  # type: ignore[misc]
    for i in range(first + n):
        same[i] = i
    most: cython.longlong = 0x3FFFFFFFFFFFFFF  # a literal so large would be Python's in every step
    table = array("i", bytes(4 * size))  # a hash table with open addresses: 0 is free, k + 1 is node k
    place: cython.int[::1] = table  # type: ignore[misc]
    for i in range(n):
        h = op[i] + 1
        for j in range(begin[i], begin[i + 1]):
            a = used[j]
            h = ((h ^ (same[a] if a >= 0 else a & 0x7FFFFFFF)) * 0x5BD1E995) & most
            h = (h ^ (h >> 29)) & 0x7FFFFFFF
        h &= size - 1
        length = begin[i + 1] - begin[i]
        while place[h]:
            k = place[h] - 1
            if op[k] == op[i] and begin[k + 1] - begin[k] == length:
                for j in range(length):
                    a = used[begin[i] + j]
                    b = used[begin[k] + j]
                    if (same[a] if a >= 0 else a) != (same[b] if b >= 0 else b):
                        break
                else:
                    same[first + i] = same[first + k]
                    break
            h = (h + 1) & (size - 1)
        else:
            place[h] = i + 1
    return found


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.locals(i=cython.int, j=cython.int)
def reached(start: Any, operands: Any, first: cython.int, begin_of: cython.int, end_of: cython.int) -> Any:
    """1 for the leaves from `begin_of` to `end_of`, and for every node that depends on one of them; else 0."""
    begin: cython.int[::1] = start  # type: ignore[misc]
    used: cython.int[::1] = operands  # type: ignore[misc]
    n: cython.int = len(start) - 1
    found = array("i", bytes(4 * (first + n)))
    flag: cython.int[::1] = found  # type: ignore[misc]
    for i in range(begin_of, end_of):
        flag[i] = 1
    if begin_of < end_of:
        for i in range(n):
            for j in range(begin[i], begin[i + 1]):
                if used[j] >= 0 and flag[used[j]]:
                    flag[first + i] = 1
                    break
    return found


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.locals(i=cython.int, j=cython.int, a=cython.int, here=cython.int)
def levels(start: Any, operands: Any, flags: Any, first: cython.int, late: bool) -> Any:
    """The level of every node among those of its kind (shared or batched): as early as its operands allow, or as late
    as its users do.

    Late is better where strands of different length end in one sum, as the positions of a transformer do; early where
    each step of a long chain takes in one of many equal strands.
    """
    begin: cython.int[::1] = start  # type: ignore[misc]
    used: cython.int[::1] = operands  # type: ignore[misc]
    flag: cython.int[::1] = flags  # type: ignore[misc]
    n: cython.int = len(start) - 1
    most: cython.int = 0
    found = array("i", bytes(4 * (first + n)))
    level: cython.int[::1] = found  # type: ignore[misc]
    if not late:
        for i in range(n):
            for j in range(begin[i], begin[i + 1]):
                a = used[j]
                if a >= first and flag[a] == flag[first + i] and level[a] >= level[first + i]:
                    level[first + i] = level[a] + 1
        return found
    for i in range(n - 1, -1, -1):
        here = level[first + i] + 1
        if here > most:
            most = here
        for j in range(begin[i], begin[i + 1]):
            a = used[j]
            if a >= first and flag[a] == flag[first + i] and level[a] < here:
                level[a] = here
    for i in range(n):
        level[first + i] = most - level[first + i]
    return found


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.locals(
    i=cython.int,
    j=cython.int,
    a=cython.int,
    b=cython.int,
    u=cython.int,
    kind=cython.int,
    half=cython.int,
    top=cython.int,
    node=cython.int,
    pairs=cython.int,
    rest=cython.int,
    some=cython.int,
    dots=cython.int,
)
def linear(
    operations: Any,
    start: Any,
    operands: Any,
    constants: Any,
    first: cython.int,
    outputs: Any,
    flags: Any,
    names: tuple[int, int, int, int],
) -> tuple[Any, ...]:
    """Chains of additions as sums, sums of products as dots; what no output needs is left out.

    An addition takes over the terms of additions and dots, and the factors of products, that only it uses. The pairs
    become one dot for each kind (shared by shared, shared by batched, batched by batched), and where a batched sum has
    several shared terms, these become a sum of their own.

    Args:
        flags: 1 for every node that differs from row to row.
        names: the numbers of the rows add, sum, multiply, dot.

    Returns:
        (operations, start, operands, the new number of each old node).
    """
    op: cython.int[::1] = operations  # type: ignore[misc]
    begin: cython.int[::1] = start  # type: ignore[misc]
    used: cython.int[::1] = operands  # type: ignore[misc]
    flag: cython.int[::1] = flags  # type: ignore[misc]
    number: cython.double[::1] = constants  # type: ignore[misc]
    add: cython.int = names[0]
    total: cython.int = names[1]
    multiply: cython.int = names[2]
    dot: cython.int = names[3]
    n: cython.int = len(operations)
    m: cython.int = len(operands)
    uses: cython.int[::1] = array("i", bytes(4 * (first + n)))  # type: ignore[misc]
    user: cython.int[::1] = array("i", bytes(4 * (first + n)))  # type: ignore[misc]
    for a in outputs:
        if a >= 0:
            uses[a] += 2  # never absorbed
    for i in range(n - 1, -1, -1):
        if uses[first + i]:
            for j in range(begin[i], begin[i + 1]):
                a = used[j]
                if a >= 0:
                    uses[a] += 1
                    user[a] = i
    absorbed: cython.int[::1] = array("i", bytes(4 * n))  # type: ignore[misc]
    products: cython.int[::1] = array("i", bytes(4 * n))  # how many pairs an addition's tree has  # type: ignore[misc]
    width: cython.int[::1] = array("i", bytes(4 * n))  # how many operands  # type: ignore[misc]
    widest: cython.int = 1
    room: cython.int = 8
    extra: cython.int = 0
    for i in range(n):
        if uses[first + i] == 0:
            absorbed[i] = 2
            continue
        room += 1
        width[i] += begin[i + 1] - begin[i]
        if op[i] == dot:
            products[i] += (begin[i + 1] - begin[i]) // 2
        elif op[i] == multiply:
            products[i] += 1
        elif op[i] != add and op[i] != total:
            continue
        if uses[first + i] == 1:
            u = user[first + i]
            if (op[u] == add or op[u] == total) and flag[first + u] == flag[first + i]:
                absorbed[i] = 1
                products[u] += products[i]
                width[u] += width[i]
                room -= 1
                continue
        extra += 5
        if width[i] > widest:
            widest = width[i]
    for i in range(n - 1, -1, -1):  # a lone product stays an operation of its own
        if absorbed[i] == 1:
            products[i] = products[user[first + i]]
            if op[i] == multiply and products[i] < 2:
                absorbed[i] = 0
                room += 1
    room += extra
    new_operations = array("i", bytes(4 * room))
    new_start = array("i", bytes(4 * room + 4))
    new_operands = array("i", bytes(4 * (m + extra + extra + 16)))
    new_numbers = array("i", bytes(4 * (first + n)))
    nop: cython.int[::1] = new_operations  # type: ignore[misc]
    nbegin: cython.int[::1] = new_start  # type: ignore[misc]
    nused: cython.int[::1] = new_operands  # type: ignore[misc]
    new: cython.int[::1] = new_numbers  # type: ignore[misc]
    stack: cython.int[::1] = array("i", bytes(4 * widest + 8))  # type: ignore[misc]
    is_node: cython.int[::1] = array("i", bytes(4 * widest + 8))  # whether it stands for an absorbed node  # type: ignore[misc]
    left: cython.int[::1] = array("i", bytes(4 * widest + 8))  # type: ignore[misc]
    right: cython.int[::1] = array("i", bytes(4 * widest + 8))  # type: ignore[misc]
    kinds: cython.int[::1] = array("i", bytes(4 * widest + 8))  # type: ignore[misc]
    terms: cython.int[::1] = array("i", bytes(4 * widest + 32))  # of the new numbers  # type: ignore[misc]
    varies: cython.int[::1] = array("i", bytes(4 * widest + 32))  # whether a term is batched  # type: ignore[misc]
    count: cython.int = 0
    at: cython.int = 0
    for i in range(first):
        new[i] = i
    for i in range(n):
        new[first + i] = GONE
        if absorbed[i]:
            continue
        if op[i] != add and op[i] != total and op[i] != dot:
            nop[count] = op[i]
            nbegin[count] = at
            for j in range(begin[i], begin[i + 1]):
                a = used[j]
                nused[at] = new[a] if a >= 0 else a
                at += 1
            new[first + i] = first + count
            count += 1
            continue
        pairs = 0
        rest = 0
        stack[0] = i
        is_node[0] = 1
        top = 1
        while top:
            top -= 1
            node = stack[top]
            if not is_node[top]:
                terms[rest] = new[node] if node >= 0 else node
                varies[rest] = flag[node] if node >= 0 else 0
                rest += 1
            elif op[node] == multiply:
                left[pairs] = used[begin[node]]
                right[pairs] = used[begin[node] + 1]
                pairs += 1
            elif op[node] == dot:
                half = (begin[node + 1] - begin[node]) // 2
                for j in range(half):
                    left[pairs] = used[begin[node] + j]
                    right[pairs] = used[begin[node] + half + j]
                    pairs += 1
            else:
                for j in range(begin[node + 1] - 1, begin[node] - 1, -1):
                    a = used[j]
                    if a >= first and absorbed[a - first] == 1 and user[a] == node:
                        stack[top] = a - first
                        is_node[top] = 1
                    else:
                        stack[top] = a
                        is_node[top] = 0
                    top += 1
        some = 0
        for j in range(pairs):  # a bias, which a neuron writes as b · 1, is a term
            a = left[j]
            b = right[j]
            if a < 0 and number[-1 - a] == 1.0:
                a = b
                b = left[j]
            if b < 0 and number[-1 - b] == 1.0:
                terms[rest] = new[a] if a >= 0 else a
                varies[rest] = flag[a] if a >= 0 else 0
                rest += 1
            else:
                left[some] = a
                right[some] = b
                some += 1
        pairs = some
        for j in range(pairs):
            a = left[j]
            b = right[j]
            half = flag[a] if a >= 0 else 0
            kind = flag[b] if b >= 0 else 0
            if half > kind or (half == kind and not 0 <= a < first and 0 <= b < first):  # leaves are left factors
                left[j] = b
                right[j] = a
            kinds[j] = half + kind
        dots = 0
        for kind in range(3):
            some = 0
            for j in range(pairs):
                if kinds[j] == kind:
                    some += 1
                    u = j
            if some == 0:
                continue
            nbegin[count] = at
            if some == 1:
                nop[count] = multiply
                nused[at] = new[left[u]] if left[u] >= 0 else left[u]
                nused[at + 1] = new[right[u]] if right[u] >= 0 else right[u]
                at += 2
            else:
                nop[count] = dot
                u = at
                for j in range(pairs):
                    if kinds[j] == kind:
                        a = left[j]
                        b = right[j]
                        nused[u] = new[a] if a >= 0 else a
                        nused[u + some] = new[b] if b >= 0 else b
                        u += 1
                at += 2 * some
                dots += 1
            terms[rest] = first + count
            varies[rest] = kind > 0
            rest += 1
            count += 1
        if dots:  # the 0 that Python's sums begin with: only −0 would feel it, which no dot answers
            some = 0
            for j in range(rest):
                a = terms[j]
                if a >= 0 or number[-1 - a] != 0.0:
                    terms[some] = a
                    varies[some] = varies[j]
                    some += 1
            rest = some
        if rest == 1 and terms[0] >= 0:
            new[first + i] = terms[0]
            continue
        if flag[first + i] and rest > 2:
            some = 0
            for j in range(rest):
                some += varies[j]
            for kind in range(2 if some < rest else 0):  # a sum is of the shared or of the batched
                if (some if kind else rest - some) < 2:
                    continue
                nop[count] = total
                nbegin[count] = at
                u = 0
                for j in range(rest):
                    if varies[j] == kind:
                        nused[at] = terms[j]
                        at += 1
                    else:
                        terms[u] = terms[j]
                        varies[u] = varies[j]
                        u += 1
                terms[u] = first + count
                varies[u] = kind
                rest = u + 1
                if kind == 0:
                    some = rest - 1
                count += 1
        nop[count] = add if rest == 2 else total
        nbegin[count] = at
        for j in range(rest):
            nused[at] = terms[j]
            at += 1
        new[first + i] = first + count
        count += 1
    nbegin[count] = at
    return new_operations[:count], new_start[: count + 1], new_operands[:at], new_numbers
