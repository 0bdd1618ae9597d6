"""The loops that native code is made of: one small function for each kind of array instruction, shared by all programs.

A kernel is `void kernel(ptr d, ptr U, ptr V, ptr P, i64 T)`: d describes the instruction (counts, offsets, addresses of
index tables), U holds what is shared, V the batched slots (rows of T numbers, in a buffer of W ≥ T), P the partial sums
of reductions, one vector each. The name of a kernel says what it does; the length of a program changes only how many
descriptions there are, so long programs compile no longer than short ones.
"""

from __future__ import annotations

from collections.abc import Callable

from .llvm_operations import Function
from .llvm_text import LANES, kind

__all__ = ["DRIVER", "kernel"]

ARGUMENTS = "ptr noalias readonly %d, ptr %U, ptr %V, ptr %P, i64 %T"
PARTIAL = 4  # lanes that products use of a partial sum, which has LANES


def kernel(name: str) -> Function:
    """The kernel of this name: its kind, then what distinguishes it, separated by dots."""
    what, *rest = name.split(".")
    f = Function(f'"{name}"', ARGUMENTS)
    kinds: dict[str, Callable[..., None]] = {
        "rows": _rows, "shared": _shared, "product": _product, "pairs": _pairs, "rowdot": _rowdot, "rowsum": _rowsum,
        "rowsof": _reduce_rows, "sharedof": _reduce_shared, "matrix": _matrix, "dots": _dots, "take": _take,
        "fold": _fold, "scatter": _scatter, "fused": _fused,
    }  # fmt: skip
    kinds[what](f, *rest)
    return f


# ── elementwise ─────────────────────────────────────────────────────────────────────────────────
def _rows(f: Function, name: str, kinds: str) -> None:
    """d = [n, out, step, operand …]: row i of the result is the operation on row i of every operand.

    kinds: v, the table of offsets of rows in V; u, of numbers in U; c, a constant itself.
    """
    n, out, step = (f.field("%d", k) for k in range(3))
    fields = [f.field("%d", 3 + k) if c != "c" else f.load(f.at("%d", str(3 + k))) for k, c in enumerate(kinds)]
    tables = [f.new(f"inttoptr i64 {x} to ptr") if c != "c" else x for x, c in zip(fields, kinds, strict=True)]
    splats = [f.splat(x, LANES) if c == "c" else "" for x, c in zip(tables, kinds, strict=True)]
    i = f.begin("0", n)
    bases: list[str] = []
    for x, c, constant in zip(tables, kinds, splats, strict=True):
        if c == "c":
            bases.append(constant)
        else:
            offset = f.integer(f.at(x, i.counter))
            bases.append(f.at("%V", offset) if c == "v" else f.splat(f.load(f.at("%U", offset)), LANES))
    row = f.at("%V", f.plus(out, f.times(i.counter, step)))
    b = f.begin("0", "%T", LANES)
    operands = [
        f.load(f.at(base, b.counter), LANES) if c == "v" else base for base, c in zip(bases, kinds, strict=True)
    ]
    f.store(f.operation(name, LANES, *operands), f.at(row, b.counter), LANES)
    f.end(b)
    f.end(i)


def _shared(f: Function, name: str, kinds: str) -> None:
    """d = [n, out, operand …]: result i in U.

    kinds: s, the offset of a slice; b, of one number; g, a table; c, a constant.
    """
    n, out = f.field("%d", 0), f.field("%d", 1)
    bases = []
    for k, c in enumerate(kinds):
        if c == "c":
            bases.append(f.load(f.at("%d", str(2 + k))))
        else:
            x = f.field("%d", 2 + k)
            if c == "g":
                bases.append(f.new(f"inttoptr i64 {x} to ptr"))
            else:
                bases.append(f.at("%U", x) if c == "s" else f.load(f.at("%U", x)))
    target = f.at("%U", out)
    wide = f.new(f"and i64 {n}, -{LANES}")
    splats = [f.splat(x, LANES) if c in "bc" else "" for x, c in zip(bases, kinds, strict=True)]
    for lanes, start, stop in ((LANES, "0", wide), (1, wide, n)):
        i = f.begin(start, stop, lanes)
        operands = []
        for base, c, constant in zip(bases, kinds, splats, strict=True):
            if c == "s":
                operands.append(f.load(f.at(base, i.counter), lanes))
            elif c == "g":
                operands.append(_gathered(f, base, i.counter, lanes))
            else:
                operands.append(base if lanes == 1 else constant)
        f.store(f.operation(name, lanes, *operands), f.at(target, i.counter), lanes)
        f.end(i)


def _gathered(f: Function, table: str, i: str, lanes: int) -> str:
    address = f.at(table, i)
    if lanes == 1:
        return f.load(f.at("%U", f.integer(address)))
    result = "poison"
    for lane in range(lanes):
        value = f.load(f.at("%U", f.integer(f.at(address, str(lane)))))
        result = f.new(f"insertelement {kind(lanes)} {result}, double {value}, i64 {lane}")
    return result


class _Chain:
    """Elementwise operations on the same rows, one after another in registers.

    Its text is a list of members, separated by semicolons: "name,operands,!", where ! says that the result is stored.
    Operands, separated by +: m and a number, the result of that member; v, u, c as in `_rows`. In d, from field
    `start`: for each member where its first row goes, if it is stored, and its operands other than members.
    """

    def __init__(self, f: Function, text: str, start: int) -> None:
        self.f = f
        self.members: list[tuple[str, list[str], list[str], str]] = []
        for member in text.split(";"):
            name, operands, stored = member.split(",")
            out = ""
            if stored:
                out = f.field("%d", start)
                start += 1
            kinds = operands.split("+") if operands else []
            fields = []
            for c in kinds:
                if c[0] == "m":
                    fields.append("")
                    continue
                if c == "c":
                    fields.append(f.splat(f.load(f.at("%d", str(start))), LANES))
                else:
                    fields.append(f.new(f"inttoptr i64 {f.field('%d', start)} to ptr"))
                start += 1
            self.members.append((name, kinds, fields, out))

    def line(self, i: str, step: str) -> list[tuple[str, list[str]]]:
        """What belongs to row i: for each member, where its result goes, and its operands' addresses or vectors."""
        f = self.f
        found = []
        for _, kinds, fields, out in self.members:
            operands = []
            for c, field in zip(kinds, fields, strict=True):
                if c[0] in "mc":
                    operands.append(field)
                    continue
                offset = f.integer(f.at(field, i))
                operands.append(f.at("%V", offset) if c == "v" else f.splat(f.load(f.at("%U", offset)), LANES))
            found.append((f.at("%V", f.plus(out, f.times(i, step))) if out else "", operands))
        return found

    def compute(self, line: list[tuple[str, list[str]]], b: str, results: list[str]) -> None:
        """Compute the members at column b, those in `results` apart, and store those that are stored."""
        f = self.f
        for n, ((name, kinds, _, _), (row, operands)) in enumerate(zip(self.members, line, strict=True)):
            if n == len(results):
                x = [
                    results[int(c[1:])] if c[0] == "m" else f.load(f.at(operand, b), LANES) if c == "v" else operand
                    for c, operand in zip(kinds, operands, strict=True)
                ]
                results.append(f.operation(name, LANES, *x))
            if row:
                f.store(results[n], f.at(row, b), LANES)


def _fused(f: Function, chain: str) -> None:
    """d = [n, step, …]: a chain of elementwise operations on n rows."""
    n, step = f.field("%d", 0), f.field("%d", 1)
    members = _Chain(f, chain, 2)
    i = f.begin("0", n)
    line = members.line(i.counter, step)
    b = f.begin("0", "%T", LANES)
    members.compute(line, b.counter, [])
    f.end(b)
    f.end(i)


# ── reductions over several operands ────────────────────────────────────────────────────────────
def _reduce_rows(f: Function, name: str) -> None:
    """d = [n, k, out, step, table]: row i of the result is the sum (or maximum …) of the k rows of V in the table."""
    n, k, out, step, x = (f.field("%d", j) for j in range(5))
    table = f.new(f"inttoptr i64 {x} to ptr")
    i = f.begin("0", n)
    mine = f.at(table, f.times(i.counter, k))
    row = f.at("%V", f.plus(out, f.times(i.counter, step)))
    b = f.begin("0", "%T", LANES)

    def at(j: str) -> str:
        return f.load(f.at(f.at("%V", f.integer(f.at(mine, j))), b.counter), LANES)

    f.store(_reduction(f, name, k, at, LANES, f.at("%V", b.counter), mine), f.at(row, b.counter), LANES)
    f.end(b)
    f.end(i)


def _reduce_shared(f: Function, name: str, how: str) -> None:
    """d = [n, k, out, table or start, stride]: as above for numbers in U.

    how = g: a table; s: neighbours, the k of each apart by the stride.
    """
    n, k, out, x = (f.field("%d", j) for j in range(4))
    target = f.at("%U", out)
    if how == "s":
        stride = f.field("%d", 4)
        base = f.at("%U", x)
        wide = f.new(f"and i64 {n}, -{LANES}")
        for lanes, start, stop in ((LANES, "0", wide), (1, wide, n)):
            i = f.begin(start, stop, lanes)
            mine = f.at(base, i.counter)

            def near(j: str, mine: str = mine, lanes: int = lanes) -> str:
                return f.load(f.at(mine, f.times(j, stride)), lanes)

            f.store(_reduction(f, name, k, near, lanes, mine, "", stride), f.at(target, i.counter), lanes)
            f.end(i)
        return
    table = f.new(f"inttoptr i64 {x} to ptr")
    i = f.begin("0", n)
    mine = f.at(table, f.times(i.counter, k))

    def at(j: str) -> str:
        return f.load(f.at("%U", f.integer(f.at(mine, j))))

    f.store(_reduction(f, name, k, at, 1, "%U", mine), f.at(target, i.counter))
    f.end(i)


def _reduction(
    f: Function, name: str, k: str, at: Callable[[str], str], lanes: int, base: str, table: str, stride: str = "0"
) -> str:
    """The reduction of at(0) … at(k − 1), which are number (table[j] or, without a table, j·stride) after `base`."""
    t = kind(lanes)

    def again(row: str, doubtful: str, x: str, first: int = 0) -> str:
        """x, and in doubt what the eager engine's function makes of the operands from number `first`."""

        def operands() -> tuple[str, str, str, str]:
            where = f.at(table, str(first)) if table else "null"
            start = base if table else f.at(base, f.times(stride, str(first)))
            return start, where, stride, f.plus(k, str(-first))

        return f.again(row, doubtful, lanes, x, operands)

    if name == "sum":
        j = f.begin("1", k, 1, [(t, at("0"))])
        return f.end(j, [f.operation("add", lanes, j.carried[0], at(j.counter))])[0]
    if name == "top":
        j = f.begin("1", k, 1, [(t, at("0"))])
        return f.end(j, [f.operation("maximum", lanes, j.carried[0], at(j.counter))])[0]
    zero, one = f.constant(0.0, lanes), f.constant(1.0, lanes)
    if name == "prod":
        return _product_in_range(f, k, at, lanes)
    if name == "settled_logsumexp":
        return _near_zero(f, k, at, lanes, again)
    if name == "exact_sum":
        j = f.begin("0", k, 1, [(t, zero), (t, zero), (t, zero)])
        total, lost, size = j.carried
        x = at(j.counter)
        total, more = f.sum_of_two(lanes, total, x)
        size = f.operation("add", lanes, size, f.operation("abs", lanes, x))
        total, lost, size = f.end(j, [total, f.operation("add", lanes, lost, more), size])
        found = f.operation("add", lanes, total, lost)
        least = f.operation("multiply", lanes, size, f.constant(2.0**-40, lanes))
        return again("sum", f.test("ult", lanes, f.operation("abs", lanes, found), least), found)
    if name == "sum_tail":  # what every addition loses, added up (Ogita, Rump & Oishi 2005)
        j = f.begin("1", k, 1, [(t, f.operation("negative", lanes, at("0"))), (t, zero)])
        total, more = f.sum_of_two(lanes, j.carried[0], at(j.counter))
        total, lost = f.end(j, [total, f.operation("add", lanes, j.carried[1], more)])
        return f.finite_or_zero(lanes, f.operation("add", lanes, total, lost))
    # rest: the sum of weights, less the 1 of the first maximum. Exact to leave it out: count it and go round it.
    # What an addition loses is put into the next one (Kahan 1965): sums of many weights keep their digits.
    j = f.begin("0", k, 1, [(t, zero), (t, zero), (t, zero)])
    total, lost, seen = j.carried
    w = at(j.counter)
    fresh = f.operation("where equal", lanes, seen, zero, one, zero)
    first = f.operation("where equal", lanes, w, one, fresh, zero)
    kept = f.operation("subtract", lanes, f.operation("where equal", lanes, first, one, zero, w), lost)
    more = f.operation("add", lanes, total, kept)
    lost = f.operation("subtract", lanes, f.operation("subtract", lanes, more, total), kept)
    f.end(j, [more, lost, f.operation("add", lanes, seen, first)])
    return j.carried[0]


def _near_zero(f: Function, k: str, at: Callable[[str], str], lanes: int, again: Callable[..., str]) -> str:
    """The first operand; where it is small beside the second, of the others: with pairs, and last by the engine."""
    t, zero = kind(lanes), f.constant(0.0, lanes)
    found, log_total, top = at("0"), at("1"), at("2")

    def small(x: str, share: float) -> str:
        least = f.operation("multiply", lanes, f.constant(share, lanes), log_total)
        return f.test("olt", lanes, f.operation("abs", lanes, x), least)

    def better() -> str:
        j = f.begin("3", k, 1, [(t, zero), (t, zero)])
        e, e2 = f.weight_pair(lanes, at(j.counter), top)
        s, lost = f.sum_of_two(lanes, j.carried[0], e)
        s, s2 = f.end(j, [s, f.operation("add", lanes, j.carried[1], f.operation("add", lanes, e2, lost))])
        x = f.log_near_zero(lanes, top, log_total, s, s2)
        return again("logsumexp", small(x, 2.0**-44), x, 3)

    return f.only_where(small(found, 0.5), lanes, found, better)


def _product_in_range(f: Function, k: str, at: Callable[[str], str], lanes: int) -> str:
    """A product of which nothing leaves the range on the way: factors of 2^±600 are counted apart, and given back."""
    t = kind(lanes)

    def constant(x: float) -> str:
        return f.constant(x, lanes)

    def moderate(x: str, count: str) -> tuple[str, str]:
        size = f.operation("abs", lanes, x)
        up = f.operation("where less", lanes, size, constant(2.0**-300), constant(2.0**600), constant(1.0))
        scale = f.operation("where greater", lanes, size, constant(2.0**300), constant(2.0**-600), up)
        more = f.operation("where less", lanes, size, constant(2.0**-300), constant(-1.0), constant(0.0))
        more = f.operation("where greater", lanes, size, constant(2.0**300), constant(1.0), more)
        return f.operation("multiply", lanes, x, scale), f.operation("add", lanes, count, more)

    j = f.begin("0", k, 1, [(t, constant(1.0)), (t, constant(0.0))])
    product, count = j.carried
    x, count = moderate(at(j.counter), count)
    product, count = moderate(f.operation("multiply", lanes, product, x), count)
    product, count = f.end(j, [product, count])
    for turn in (0.5, 1.5, 2.5):  # the last turn rounds, if any does; after three it is 0 or infinite
        down = f.operation("where less", lanes, count, constant(-turn), constant(2.0**-600), constant(1.0))
        scale = f.operation("where greater", lanes, count, constant(turn), constant(2.0**600), down)
        product = f.operation("multiply", lanes, product, scale)
    return product


# ── dots ────────────────────────────────────────────────────────────────────────────────────────
def _product(f: Function, size: str, chain: str = "") -> None:
    """A shared matrix times batched rows, `size` rows of the result at a time.

    d = [groups, k, columns, A, table, out, step, column step]: A is the offset in U of the packed matrix,
    [group][k][size]; the table has the k rows of V of every column.
    """
    height = int(size)
    groups, k, columns, a, x, out, step, column_step = (f.field("%d", j) for j in range(8))
    table = f.new(f"inttoptr i64 {x} to ptr")
    matrix = f.at("%U", a)
    stride = f.times(k, str(height))
    t = kind(LANES)
    members = _Chain(f, chain, 10) if chain else None
    number, per_column = (f.field("%d", 8), f.field("%d", 9)) if chain else ("", "")
    c = f.begin("0", columns)
    mine = f.at(table, f.times(c.counter, k))
    base = f.plus(out, f.times(c.counter, column_step))
    g = f.begin("0", groups)
    panel = f.at(matrix, f.times(g.counter, stride))
    first = f.plus(base, f.times(f.times(g.counter, str(height)), step))
    lines = []
    if members:
        top = f.plus(f.plus(number, f.times(c.counter, per_column)), f.times(g.counter, str(height)))
        lines = [members.line(f.plus(top, str(r)), step) for r in range(height)]
    b = f.begin("0", "%T", LANES)
    zero = f.constant(0.0, LANES)
    j = f.begin("0", k, 1, [(t, zero)] * height)
    row = f.load(f.at(f.at("%V", f.integer(f.at(mine, j.counter))), b.counter), LANES)
    weights = f.at(panel, f.times(j.counter, str(height)))
    sums = []
    for r in range(height):
        w = f.splat(f.load(f.at(weights, str(r))), LANES)
        sums.append(f.fma(w, row, j.carried[r], LANES))
    for r, total in enumerate(f.end(j, sums)):
        if members:
            members.compute(lines[r], b.counter, [total])
        else:
            f.store(total, f.at(f.at("%V", f.plus(first, f.times(step, str(r)))), b.counter), LANES)
    f.end(b)
    f.end(g)
    f.end(c)


def _pairs(f: Function) -> None:
    """d = [n, k, left table, right table, out, step]: row i is Σⱼ leftᵢⱼ·rightᵢⱼ of rows of V."""
    n, k, left, right, out, step = (f.field("%d", j) for j in range(6))
    tables = [f.new(f"inttoptr i64 {x} to ptr") for x in (left, right)]
    i = f.begin("0", n)
    offset = f.times(i.counter, k)
    mine = [f.at(table, offset) for table in tables]
    row = f.at("%V", f.plus(out, f.times(i.counter, step)))
    b = f.begin("0", "%T", LANES)
    j = f.begin("0", k, 1, [(kind(LANES), f.constant(0.0, LANES))])
    x, y = (f.load(f.at(f.at("%V", f.integer(f.at(m, j.counter))), b.counter), LANES) for m in mine)
    total = f.end(j, [f.fma(x, y, j.carried[0], LANES)])[0]
    f.store(total, f.at(row, b.counter), LANES)
    f.end(b)
    f.end(i)


def _rowdot(f: Function, rows: str, columns: str) -> None:
    """Partial sums over the rows of the batch of products of rows of V, `rows` × `columns` of them in registers.

    d = [row groups, column groups, k, left table, right table, out, across, along]: partial sum (column c, row r) is
    vector out + c·across + r·along of P; left has k offsets for each row, right for each column.
    """
    height, width = int(rows), int(columns)
    n, m, k, left, right, out, across, along = (f.field("%d", j) for j in range(8))
    lefts, rights = (f.new(f"inttoptr i64 {x} to ptr") for x in (left, right))
    lanes = PARTIAL
    t = kind(lanes)
    whole = f.new(f"and i64 %T, -{lanes}")
    c = f.begin("0", m)
    r = f.begin("0", n)
    line, place = f.times(f.times(c.counter, str(width)), across), f.times(f.times(r.counter, str(height)), along)
    corner = f.plus(out, f.plus(line, place))
    cells = []
    for q in range(width):
        line = f.plus(corner, f.times(across, str(q)))
        cells += [f.at("%P", f.times(f.plus(line, f.times(along, str(p))), str(LANES))) for p in range(height)]
    sums = [f.load(cell, lanes) for cell in cells]
    j = f.begin("0", k, 1, [(t, s) for s in sums])

    def bases(table: str, group: str, count: int) -> list[str]:
        found = []
        for p in range(count):
            member = f.plus(f.times(group, str(count)), str(p))
            offset = f.integer(f.at(table, f.plus(f.times(member, k), j.counter)))
            found.append(f.at("%V", offset))
        return found

    xs, ys = bases(lefts, r.counter, height), bases(rights, c.counter, width)
    b = f.begin("0", whole, lanes, [(t, s) for s in j.carried])
    x = [f.load(f.at(base, b.counter), lanes) for base in xs]
    y = [f.load(f.at(base, b.counter), lanes) for base in ys]
    new = [f.fma(x[p], y[q], b.carried[q * height + p], lanes) for q in range(width) for p in range(height)]
    after = f.end(b, new)
    tail = f.begin(whole, "%T", 1, [(t, s) for s in after])
    zero = f.constant(0.0, lanes)

    def single(base: str) -> str:
        number = f.load(f.at(base, tail.counter))
        return f.new(f"insertelement {t} {zero}, double {number}, i64 0")

    x, y = [single(base) for base in xs], [single(base) for base in ys]
    new = [f.fma(x[p], y[q], tail.carried[q * height + p], lanes) for q in range(width) for p in range(height)]
    after = f.end(tail, new)
    for cell, total in zip(cells, f.end(j, after), strict=True):
        f.store(total, cell, lanes)
    f.end(r)
    f.end(c)


def _rowsum(f: Function) -> None:
    """d = [n, k, table, out]: partial sums over the batch of the k rows of V that belong to each result."""
    n, k, x, out = (f.field("%d", j) for j in range(4))
    table = f.new(f"inttoptr i64 {x} to ptr")
    lanes = LANES
    t = kind(lanes)
    whole = f.new(f"and i64 %T, -{lanes}")
    i = f.begin("0", n)
    mine = f.at(table, f.times(i.counter, k))
    cell = f.at("%P", f.times(f.plus(out, i.counter), str(LANES)))
    j = f.begin("0", k, 1, [(t, f.load(cell, lanes))])
    base = f.at("%V", f.integer(f.at(mine, j.counter)))
    b = f.begin("0", whole, lanes, [(t, j.carried[0])])
    (after,) = f.end(b, [f.operation("add", lanes, b.carried[0], f.load(f.at(base, b.counter), lanes))])
    tail = f.begin(whole, "%T", 1, [(t, after)])
    number = f.load(f.at(base, tail.counter))
    lane = f.new(f"insertelement {t} {f.constant(0.0, lanes)}, double {number}, i64 0")
    (after,) = f.end(tail, [f.operation("add", lanes, tail.carried[0], lane)])
    (total,) = f.end(j, [after])
    f.store(total, cell, lanes)
    f.end(i)


def _fold(f: Function) -> None:
    """d = [n, partial, out]: all lanes of the partial sums added up and scaled, into U; V is the scale's address."""
    n, partial, out = (f.field("%d", j) for j in range(3))
    scale = f.load("%V")
    i = f.begin("0", n)
    cell = f.at("%P", f.times(f.plus(partial, i.counter), str(LANES)))
    parts = [f.load(f.at(cell, str(lane))) for lane in range(LANES)]
    while len(parts) > 1:
        parts = [f.operation("add", 1, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    f.store(f.operation("multiply", 1, parts[0], scale), f.at("%U", f.plus(out, i.counter)))
    f.end(i)


def _matrix(f: Function, width: str, how: str) -> None:
    """A matrix product within U: out[block][column][row] = Σⱼ A[row][j]·B[column][j], LANES × `width` at a time.

    d = [blocks, column groups, rows, k, A, A across, A along, A block, B table, out, out column, out block]:
    entry (row, j) of A is at A + row + j·across; how = p: A is packed in panels of LANES rows, `A along` apart.
    """
    columns = int(width)
    names = (f.field("%d", j) for j in range(12))
    blocks, groups, rows, k, a, across, along, a_block, x, out, out_column, out_block = names
    table = f.new(f"inttoptr i64 {x} to ptr")
    wide = f.new(f"and i64 {rows}, -{LANES}")
    n = f.begin("0", blocks)
    a_start = f.plus(a, f.times(n.counter, a_block))
    out_start = f.plus(out, f.times(n.counter, out_block))
    per_block = f.times(f.times(groups, str(columns)), k)
    tables = f.at(table, f.times(n.counter, per_block))
    c = f.begin("0", groups)
    first = f.times(c.counter, str(columns))
    mine = [f.at(tables, f.times(f.plus(first, str(q)), k)) for q in range(columns)]
    lines = [f.plus(out_start, f.times(f.plus(first, str(q)), out_column)) for q in range(columns)]
    for lanes, start, stop in ((LANES, "0", wide), (1, wide, rows)):
        r = f.begin(start, stop, lanes)
        if how == "p":
            panel = f.new(f"lshr i64 {r.counter}, 3")
            base = f.plus(f.plus(a_start, f.times(panel, along)), f.new(f"and i64 {r.counter}, {LANES - 1}"))
        else:
            base = f.plus(a_start, r.counter)
        column = f.at("%U", base)
        j = f.begin("0", k, 1, [(kind(lanes), f.constant(0.0, lanes))] * columns)
        left = f.load(f.at(column, f.times(j.counter, across)), lanes)
        sums = []
        for q in range(columns):
            w = f.splat(f.load(f.at("%U", f.integer(f.at(mine[q], j.counter)))), lanes)
            sums.append(f.fma(left, w, j.carried[q], lanes))
        for q, total in enumerate(f.end(j, sums)):
            f.store(total, f.at(f.at("%U", lines[q]), r.counter), lanes)
        f.end(r)
    f.end(c)
    f.end(n)


def _dots(f: Function, how: str) -> None:
    """d = [n, k, left, right, out]: result i is Σⱼ leftᵢⱼ·rightᵢⱼ of numbers in U.

    how, for each side: g, a table; s, a slice per i.

    For a slice, fields 5 and 6 (left), 7 and 8 (right) are the strides of i and of j.
    """
    n, k, left, right, out = (f.field("%d", j) for j in range(5))
    bases = [f.new(f"inttoptr i64 {x} to ptr") if c == "g" else x for x, c in zip((left, right), how, strict=True)]
    strides = [[f.field("%d", 5 + 2 * side + j) if c == "s" else "" for j in range(2)] for side, c in enumerate(how)]
    target = f.at("%U", out)
    i = f.begin("0", n)
    mine = []
    for base, c, (step, _) in zip(bases, how, strides, strict=True):
        if c == "g":
            mine.append(f.at(base, f.times(i.counter, k)))
        else:
            mine.append(f.at("%U", f.plus(base, f.times(i.counter, step))))

    def at(side: int, j: str) -> str:
        if how[side] == "g":
            return f.load(f.at("%U", f.integer(f.at(mine[side], j))))
        return f.load(f.at(mine[side], f.times(j, strides[side][1])))

    even = f.new(f"and i64 {k}, -4")
    zero = f.constant(0.0, 1)
    j = f.begin("0", even, 4, [("double", zero)] * 4)
    sums = []
    for q in range(4):
        index = f.plus(j.counter, str(q))
        sums.append(f.fma(at(0, index), at(1, index), j.carried[q], 1))
    a, b, c, e = f.end(j, sums)
    total = f.operation("add", 1, f.operation("add", 1, a, b), f.operation("add", 1, c, e))
    j = f.begin(even, k, 1, [("double", total)])
    (total,) = f.end(j, [f.fma(at(0, j.counter), at(1, j.counter), j.carried[0], 1)])
    f.store(total, f.at(target, i.counter))
    f.end(i)


def _scatter(f: Function) -> None:
    """d = [n, slots, source, positions]: U[slot] = source[position]."""
    n = f.field("%d", 0)
    slots, source, positions = (f.new(f"inttoptr i64 {f.field('%d', k)} to ptr") for k in range(1, 4))
    i = f.begin("0", n)
    x = f.load(f.at(source, f.integer(f.at(positions, i.counter))))
    f.store(x, f.at("%U", f.integer(f.at(slots, i.counter))))
    f.end(i)


def _take(f: Function, index: str, table: str) -> None:
    """d = [n, k, index offsets, table, out, step]: the element of each row of the table that an index selects.

    index and table: u, in U; v, in V. If either is v, the results are rows of V.
    """
    n, k, x, y, out, step = (f.field("%d", j) for j in range(6))
    indices, tables = (f.new(f"inttoptr i64 {z} to ptr") for z in (x, y))
    i = f.begin("0", n)
    which = f.at("%U" if index == "u" else "%V", f.integer(f.at(indices, i.counter)))
    mine = f.at(tables, f.times(i.counter, k))
    row = f.at("%U" if index + table == "uu" else "%V", f.plus(out, f.times(i.counter, step)))

    def chosen(number: str) -> str:
        position = f.new(f"fptosi double {number} to i64")
        below = f.new(f"icmp slt i64 {position}, 0")
        position = f.new(f"select i1 {below}, i64 {f.plus(position, k)}, i64 {position}")
        low = f.new(f"icmp slt i64 {position}, 0")  # lanes beyond the batch hold anything
        position = f.new(f"select i1 {low}, i64 0, i64 {position}")
        high = f.new(f"icmp sge i64 {position}, {k}")
        position = f.new(f"select i1 {high}, i64 0, i64 {position}")
        return f.integer(f.at(mine, position))

    if index + table == "uu":
        f.store(f.load(f.at("%U", chosen(f.load(which)))), row)
    else:
        b = f.begin("0", "%T")
        offset = chosen(f.load(f.at(which, b.counter) if index == "v" else which))
        found = f.at("%U", offset) if table == "u" else f.at(f.at("%V", offset), b.counter)
        f.store(f.load(found), f.at(row, b.counter))
        f.end(b)
    f.end(i)


# ── the loop over instructions, and over tiles of rows ──────────────────────────────────────────
def _load() -> str:
    """Rows of an array into columns of V: LANES rows at a time, so that what is read lies in few cache lines."""
    f = Function(
        "load", "ptr noalias %X, i64 %width, i64 %stride, i64 %slot, ptr noalias %V, i64 %W, i64 %from, i64 %T"
    )
    wide = f.new(f"and i64 %T, -{LANES}")
    for lanes, start, stop in ((LANES, "0", wide), (1, wide, "%T")):
        b = f.begin(start, stop, lanes)
        first = f.times(f.plus("%from", b.counter), "%stride")
        rows = [f.at("%X", f.plus(first, f.times("%stride", str(lane)))) for lane in range(lanes)]
        j = f.begin("0", "%width")
        numbers = [f.load(f.at(row, j.counter)) for row in rows]
        x = numbers[0]
        if lanes > 1:
            x = "poison"
            for lane, number in enumerate(numbers):
                x = f.new(f"insertelement {kind(lanes)} {x}, double {number}, i64 {lane}")
        target = f.plus(f.times(f.plus("%slot", j.counter), "%W"), b.counter)
        f.store(x, f.at("%V", target), lanes)
        f.end(j)
        f.end(b)
    return f.text()


DRIVER = (
    _load()
    + """
define void @run(ptr %code, i64 %n, ptr %U, ptr %V, ptr %P, i64 %T) {
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %body, label %exit
body:
  %two = shl i64 %i, 1
  %at = getelementptr i64, ptr %code, i64 %two
  %kernel = load ptr, ptr %at, align 8
  %second = getelementptr i64, ptr %at, i64 1
  %d = load ptr, ptr %second, align 8
  call void %kernel(ptr %d, ptr %U, ptr %V, ptr %P, i64 %T)
  %next = add i64 %i, 1
  br label %head
exit:
  ret void
}

define void @tiles(ptr %code, i64 %n, ptr %U, ptr %V, ptr %P, i64 %W, ptr %blocks, i64 %count, i64 %start, i64 %stop) {
entry:
  br label %head
head:
  %from = phi i64 [ %start, %entry ], [ %after, %compute ]
  %more = icmp slt i64 %from, %stop
  br i1 %more, label %tile, label %exit
tile:
  %after = add i64 %from, %W
  %left = sub i64 %stop, %from
  %short = icmp slt i64 %left, %W
  %T = select i1 %short, i64 %left, i64 %W
  br label %next
next:
  %i = phi i64 [ 0, %tile ], [ %i2, %fill ]
  %again = icmp slt i64 %i, %count
  br i1 %again, label %fill, label %compute
fill:
  %four = shl i64 %i, 2
  %at = getelementptr i64, ptr %blocks, i64 %four
  %X = load ptr, ptr %at, align 8
  %a1 = getelementptr i64, ptr %at, i64 1
  %width = load i64, ptr %a1, align 8
  %a2 = getelementptr i64, ptr %at, i64 2
  %stride = load i64, ptr %a2, align 8
  %a3 = getelementptr i64, ptr %at, i64 3
  %slot = load i64, ptr %a3, align 8
  call void @load(ptr %X, i64 %width, i64 %stride, i64 %slot, ptr %V, i64 %W, i64 %from, i64 %T)
  %i2 = add i64 %i, 1
  br label %next
compute:
  call void @run(ptr %code, i64 %n, ptr %U, ptr %V, ptr %P, i64 %T)
  br label %head
exit:
  ret void
}
"""
)
