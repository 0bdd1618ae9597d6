"""An optimiser's rule as native code over a whole parameter vector."""

from __future__ import annotations

from typing import Any

from ..graph.program import Program, Slot, Tape, pruned
from .llvm_kernels import ARGUMENTS
from .llvm_operations import REGISTERS, Function
from .llvm_text import LANES, kind

__all__ = ["rule_program", "update_text"]


def rule_program(optimizer: Any, coefficients: int) -> Program | None:
    """The rule as a program, from x, g, states, coefficients to x and states; None if it does not record."""
    states = len(optimizer.state)
    tape = Tape(2 + states + coefficients, REGISTERS)
    slots = [Slot(tape, i) for i in range(tape.inputs)]
    x, g, state, c = slots[0], slots[1], slots[2 : 2 + states], tuple(slots[2 + states :])
    try:
        if optimizer._couples_weight_decay():
            g = g + optimizer.weight_decay * x
        results = optimizer.rule(tape, c, x, g, *state)
        program = tape.program(results)
    except (TypeError, AttributeError, NotImplementedError):
        return None
    if len(program.outputs) != 1 + states or any(row.name not in REGISTERS for row in program.rows):
        return None
    return pruned(program)


def update_text(name: str, program: Program, states: int) -> str:
    """A kernel that applies the rule to every parameter, out of place.

    d = [n, x, new x, table of gradients in U, coefficients, state …, new state …]; P[0] becomes nan if a gradient is
    not finite, else 0. A state that the rule leaves alone is not written. Quotients by a coefficient may differ from
    the rule's in the last digit.
    """
    f = Function(f'"{name}"', ARGUMENTS)
    n = f.field("%d", 0)
    x, new_x, table, numbers = (f.new(f"inttoptr i64 {f.field('%d', k)} to ptr") for k in range(1, 5))
    pointers = [f.new(f"inttoptr i64 {f.field('%d', 5 + k)} to ptr") for k in range(2 * states)]
    coefficients = [f.load(f.at(numbers, str(k))) for k in range(program.inputs - 2 - states)]
    first = 2 + states
    divisors = {args[1] for row, args in zip(program.rows, program.args, strict=True) if row.name == "divide"}
    inverses = {
        a: f.operation("reciprocal", 1, coefficients[a - first])
        for a in sorted(a for a in divisors if type(a) is int and first <= a < program.inputs)
    }
    wide = f.new(f"and i64 {n}, -{LANES}")
    finite: list[str] = []
    for lanes, start, stop in ((LANES, "0", wide), (1, wide, n)):
        splats = [f.splat(c, lanes) for c in coefficients]
        i = f.begin(start, stop, lanes, [(kind(lanes), f.constant(0.0, lanes))])
        address = f.at(table, i.counter)
        if lanes == 1:
            g = f.load(f.at("%U", f.integer(address)))
        else:
            g = "poison"
            for lane in range(lanes):
                number = f.load(f.at("%U", f.integer(f.at(address, str(lane)))))
                g = f.new(f"insertelement {kind(lanes)} {g}, double {number}, i64 {lane}")
        slots = [f.load(f.at(x, i.counter), lanes), g]
        slots += [f.load(f.at(p, i.counter), lanes) for p in pointers[:states]]
        slots += splats
        for row, args in zip(program.rows, program.args, strict=True):
            operands = [slots[a] if type(a) is int else f.constant(a, lanes) for a in args]
            if row.name == "divide" and args[1] in inverses:  # a division takes as long as ten multiplications
                slots.append(f.operation("multiply", lanes, operands[0], f.splat(inverses[args[1]], lanes)))
            else:
                slots.append(f.operation(row.name, lanes, *operands))
        for result, (target, a) in enumerate(zip([new_x, *pointers[states:]], program.outputs, strict=True)):
            if result and a == result + 1 and type(a) is int:
                continue  # a state that stays as it is
            f.store(slots[a] if type(a) is int else f.constant(a, lanes), f.at(target, i.counter), lanes)
        nothing = f.operation("subtract", lanes, g, g)
        (total,) = f.end(i, [f.operation("add", lanes, i.carried[0], nothing)])
        if lanes == 1:
            finite.append(total)
        else:
            finite += [f.new(f"extractelement {kind(lanes)} {total}, i64 {lane}") for lane in range(lanes)]
    total = finite[0]
    for part in finite[1:]:
        total = f.operation("add", 1, total, part)
    f.store(total, "%P")
    return "\n".join([*sorted(f.declared), f.text()])
