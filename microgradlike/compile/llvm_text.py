"""Writing LLVM's language: a function with registers, memory, loops and branches. No operation of the table."""

from __future__ import annotations

import struct
from collections.abc import Callable

__all__ = ["AGAIN", "LANES", "Loop", "Writer", "hexadecimal", "kind", "mangled"]

LANES = 8  # examples (or neighbours) per vector: two registers of AVX2, one of AVX-512, four of NEON
# Rows that native code gives back to the eager engine's function where their digits cancel, which is rare: see `again`.
AGAIN = ("binary_cross_entropy_with_logits", "dot", "logaddexp", "logsumexp", "sigmoid_minus", "sum")


def hexadecimal(x: float) -> str:
    """A double as LLVM reads it to the last bit."""
    return f"0x{struct.unpack('>Q', struct.pack('>d', x))[0]:016X}"


class Loop:
    """A loop that is being written: its counter, and the values it carries from turn to turn."""

    __slots__ = ("carried", "counter", "head", "line", "step", "types")

    def __init__(self, number: int, step: int, line: int, types: list[str]) -> None:
        self.counter = f"%i{number}"
        self.head = f"head{number}"
        self.carried = [f"%c{number}_{k}" for k in range(len(types))]
        self.step = step
        self.line = line  # of the phi nodes, which are written when the loop is closed
        self.types = types


class Writer:
    """The text of one function. Every method writes instructions and returns the register of the result."""

    def __init__(self, name: str, arguments: str) -> None:
        self.name = name
        self.arguments = arguments
        self.lines: list[str] = ["entry:"]
        self.block = "entry"
        self.count = 0
        self.declared: set[str] = set()
        self.memory: list[str] = []  # what the function needs on the stack

    def text(self) -> str:
        lines = [self.lines[0], *self.memory, *self.lines[1:]]
        return f"define void @{self.name}({self.arguments}) {{\n" + "\n".join(lines) + "\n  ret void\n}\n"

    # ── registers and memory ────────────────────────────────────────────────────────────────────
    def new(self, code: str) -> str:
        self.count += 1
        name = f"%r{self.count}"
        self.lines.append(f"  {name} = {code}")
        return name

    def do(self, code: str) -> None:
        self.lines.append("  " + code)

    def at(self, base: str, index: str) -> str:
        """The address of the double (or i64) number `index` after `base`."""
        return self.new(f"getelementptr double, ptr {base}, i64 {index}")

    def load(self, address: str, lanes: int = 1) -> str:
        return self.new(f"load {kind(lanes)}, ptr {address}, align 8")

    def integer(self, address: str) -> str:
        return self.new(f"load i64, ptr {address}, align 8")

    def pointer(self, address: str) -> str:
        return self.new(f"load ptr, ptr {address}, align 8")

    def field(self, base: str, number: int) -> str:
        """The integer in field `number` of an instruction's description."""
        return self.integer(self.at(base, str(number)))

    def store(self, x: str, address: str, lanes: int = 1) -> None:
        self.do(f"store {kind(lanes)} {x}, ptr {address}, align 8")

    def splat(self, x: str, lanes: int) -> str:
        if lanes == 1:
            return x
        first = self.new(f"insertelement {kind(lanes)} poison, double {x}, i64 0")
        return self.new(f"shufflevector {kind(lanes)} {first}, {kind(lanes)} poison, <{lanes} x i32> zeroinitializer")

    def constant(self, x: float, lanes: int) -> str:
        text = hexadecimal(x)
        return text if lanes == 1 else "<" + ", ".join([f"double {text}"] * lanes) + ">"

    def plus(self, a: str, b: str) -> str:
        return self.new(f"add i64 {a}, {b}")

    def times(self, a: str, b: str) -> str:
        return self.new(f"mul i64 {a}, {b}")

    def fma(self, a: str, b: str, c: str, lanes: int) -> str:
        """a·b + c, fused: only for sums of products, whose order of addition is free."""
        t = kind(lanes)
        self.declared.add(f"declare {t} @llvm.fmuladd.{mangled(lanes)}({t}, {t}, {t})")
        return self.new(f"call {t} @llvm.fmuladd.{mangled(lanes)}({t} {a}, {t} {b}, {t} {c})")

    # ── loops ───────────────────────────────────────────────────────────────────────────────────
    def begin(self, start: str, stop: str, step: int = 1, carried: list[tuple[str, str]] | None = None) -> Loop:
        """Open `for counter in range(start, stop, step)`; `carried` are (type, initial value)."""
        self.count += 1
        n, before, body = self.count, self.block, f"body{self.count}"
        self.do(f"br label %head{n}")
        self.lines.append(f"head{n}:")
        loop = Loop(n, step, len(self.lines), [t for t, _ in carried or []])
        self.lines += [f"{before}|{start}", *(f"{before}|{x}" for _, x in carried or [])]
        test = self.new(f"icmp slt i64 {loop.counter}, {stop}")
        self.do(f"br i1 {test}, label %{body}, label %exit{n}")
        self.lines.append(f"{body}:")
        self.block = body
        return loop

    def end(self, loop: Loop, values: list[str] | None = None) -> list[str]:
        """Close the loop; `values` are carried to the next turn. Returns what is carried out."""
        n = loop.head[4:]
        following = self.new(f"add i64 {loop.counter}, {loop.step}")
        self.do(f"br label %{loop.head}")
        names = [loop.counter, *loop.carried]
        for k, (t, new) in enumerate(zip(["i64", *loop.types], [following, *(values or [])], strict=True)):
            before, initial = self.lines[loop.line + k].split("|")
            self.lines[loop.line + k] = f"  {names[k]} = phi {t} [ {initial}, %{before} ], [ {new}, %{self.block} ]"
        self.lines.append(f"exit{n}:")
        self.block = f"exit{n}"
        return loop.carried

    def only_where(self, test: str, lanes: int, x: str, better: Callable[[], str]) -> str:
        """x, and better() in the lanes of the test; it is not computed where there are none."""
        self.count += 1
        n, some = self.count, test
        if lanes > 1:
            self.declared.add(f"declare i1 @llvm.vector.reduce.or.v{lanes}i1(<{lanes} x i1>)")
            some = self.new(f"call i1 @llvm.vector.reduce.or.v{lanes}i1(<{lanes} x i1> {test})")
        before = self.block
        self.do(f"br i1 {some}, label %rare{n}, label %done{n}")
        self.lines.append(f"rare{n}:")
        self.block = f"rare{n}"
        found = self.select(test, lanes, better(), x)
        inside = self.block
        self.do(f"br label %done{n}")
        self.lines.append(f"done{n}:")
        self.block = f"done{n}"
        return self.new(f"phi {kind(lanes)} [ {x}, %{before} ], [ {found}, %{inside} ]")

    def again(self, name: str, test: str, lanes: int, x: str, operands: Callable[[], tuple[str, str, str, str]]) -> str:
        """x, and in the lanes of the test what the eager engine's function finds.

        `operands()` says where they are, as (base, table, stride, count): operand j of a lane is number
        (table[j] or, if the table is null, j·stride) + lane after the base.
        """
        self.declared.add(f"declare void @microgradlike.{name}(ptr, ptr, i64, i64, i64, ptr)")
        self.count += 1
        n, result = self.count, f"%again{self.count}"
        self.memory.append(f"  {result} = alloca [{lanes + 1} x double], align 64")

        def call() -> str:
            bits = test
            if lanes > 1:
                bits = self.new(f"bitcast <{lanes} x i1> {test} to i{lanes}")
            bits = self.new(f"zext i{lanes} {bits} to i64")
            base, table, stride, k = operands()
            # The first number is 1 before the call and 0 after it; if not, the call was interrupted, and comes again.
            self.store(self.constant(1.0, 1), result)
            self.do(f"br label %call{n}")
            self.lines.append(f"call{n}:")
            self.do(
                f"call void @microgradlike.{name}(ptr {base}, ptr {table}, i64 {stride}, i64 {k}, i64 {bits},"
                f" ptr {result})"
            )
            done = self.test("oeq", 1, self.load(result), self.constant(0.0, 1))
            self.store(self.constant(2.0, 1), result)
            self.do(f"br i1 {done}, label %called{n}, label %call{n}")
            self.lines.append(f"called{n}:")
            self.block = f"called{n}"
            return self.load(self.at(result, "1"), lanes)

        return self.only_where(test, lanes, x, call)

    def test(self, relation: str, lanes: int, a: str, b: str) -> str:
        return self.new(f"fcmp {relation} {kind(lanes)} {a}, {b}")

    def select(self, test: str, lanes: int, x: str, y: str) -> str:
        t, bit = kind(lanes), "i1" if lanes == 1 else f"<{lanes} x i1>"
        return self.new(f"select {bit} {test}, {t} {x}, {t} {y}")

    def fused(self, lanes: int, a: str, b: str, c: str) -> str:
        """a·b + c in one rounding, whatever the processor."""
        t = kind(lanes)
        self.declared.add(f"declare {t} @llvm.fma.{mangled(lanes)}({t}, {t}, {t})")
        return self.new(f"call {t} @llvm.fma.{mangled(lanes)}({t} {a}, {t} {b}, {t} {c})")

    def in_memory(self, lanes: int, *xs: str) -> Callable[[], tuple[str, str, str, str]]:
        """Registers, put into memory for `again` where it needs them."""
        self.count += 1
        memory = f"%operands{self.count}"
        self.memory.append(f"  {memory} = alloca [{len(xs) * lanes} x double], align 64")

        def stored() -> tuple[str, str, str, str]:
            for k, x in enumerate(xs):
                self.store(x, self.at(memory, str(k * lanes)), lanes)
            return memory, "null", str(lanes), str(len(xs))

        return stored


def kind(lanes: int) -> str:
    """The type of a number or a vector."""
    return "double" if lanes == 1 else f"<{lanes} x double>"


def mangled(lanes: int) -> str:
    return "f64" if lanes == 1 else f"v{lanes}f64"
