"""Backend `python`: a program as generated Python source. Standard library only; every bit as the eager engine has it.

The rows of the table are run on the namespace of texts: what comes out is the source of the forward value and
of the sweep, in the eager engine's order. What may be absent (`gate`, see ops.py) has a flag beside its gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf, nan
from typing import Any

from .. import floats
from ..graph.program import Program
from ..graph.source import RELATIONS, Source, Text, bare
from ..graph.sweep import Step, arrive, pull
from ..graph.sweep import parts as parts_of
from ..ops import TABLE, Gated

__all__ = ["PythonRunner", "gradient_source", "value_source"]

_LONG = 300_000  # characters of arguments beyond which a program is interpreted rather than written out


literal = Text.literal
_OWN = frozenset(TABLE)  # the package's rows; those of users come later


class Python(Source):
    """The namespace of Python texts. What one operator says is written as such, the rest as a call of `floats`."""

    def __init__(self) -> None:
        self.used: dict[str, Callable[..., Any]] = {"inf": inf, "nan": nan}  # type: ignore[dict-item]
        self.before: list[str] = []  # lines that what was written last needs before it

    def where(self, c: Any, x: Any, y: Any) -> Text:
        return Text(f"({literal(x)} if {literal(c)} else {literal(y)})")

    def gate(self, condition: Any, g: Any) -> Any:
        if isinstance(condition, Text):
            return Gated(condition, g)
        return g if condition else None

    def defined(self, test: Any, x: Any) -> Text:
        return Text(f"({literal(x)} if {literal(test)} == {literal(test)} else nan)")

    def relu(self, x: Any) -> Text:
        return Text(f"({x} if {x} > 0.0 or {x} != {x} else 0.0)")

    def square(self, x: Any) -> Text:
        return Text(f"({literal(x)} * {literal(x)})")

    def _once(self, name: str, *arguments: str) -> str:
        """The name of what this function of `floats` answers, computed in a line of its own."""
        self.used[name] = getattr(floats, name)
        result = f"{name}_{len(self.before)}"
        self.before.append(f"{result} = {name}({', '.join(arguments)})")
        return result

    def unit_vector(self, xs: Sequence[Any], norm: Any) -> list[Text]:
        found = self._once("unit_vector", _tuple(xs), literal(norm))
        return [Text(f"{found}[{i}]") for i in range(len(xs))]

    def products_of_others(self, xs: Sequence[Any]) -> list[Text]:
        found = self._once("products_of_others", _tuple(xs))
        return [Text(f"{found}[{i}]") for i in range(len(xs))]

    def nth(self, name: str, xs: Sequence[Any], *head: Any) -> Callable[[float], Text]:
        found = self._once("nth", repr(name), _tuple(xs), *map(literal, head))
        return lambda j: Text(f"{found}({j!r})")

    def compared(self, name: str, x: Any, y: Any) -> Text:
        return Text(f"(1.0 if {literal(x)} {RELATIONS[name]} {literal(y)} else 0.0)")

    def function(self, name: str) -> Callable[..., Text]:
        own = name if name in _OWN else f"user_{name}"  # a user's name may be one of those that are generated
        self.used[own] = TABLE[name].on(floats)
        return lambda *xs: Text(f"{own}({', '.join(map(literal, xs))})")


def _tuple(xs: Sequence[Any]) -> str:
    return f"({''.join(f'{literal(x)}, ' for x in xs)})"


def _names(program: Program) -> list[Text]:
    return [Text(f"x{i}") for i in range(program.inputs)] + [Text(f"v{k}") for k in range(len(program))]


def _forward(program: Program, m: Python, names: list[Text], indent: str) -> list[str]:
    lines = []
    first = program.inputs
    units: dict[Any, str] = {}
    for k, (row, args) in enumerate(zip(program.rows, program.args, strict=True)):
        operands = [names[a] if type(a) is int else a for a in args]
        text = row.on(m)(*operands)
        if row.name == "fraction" and type(norm := args[1]) is int and norm >= first:
            vector = program.args[norm - first]
            if program.rows[norm - first].name == "norm" and args[0] in vector:
                if norm not in units:  # as the sweep has it, which knows what to do where the norm is out of range
                    units[norm] = f"u{norm}"
                    m.used["unit_vector"] = floats.unit_vector
                    xs = _tuple([names[a] if type(a) is int else a for a in vector])
                    lines.append(f"{indent}{units[norm]} = unit_vector({xs}, {names[norm]})")
                text = Text(f"{units[norm]}[{vector.index(args[0])}]")
        lines.append(f"{indent}{names[first + k]} = {bare(text)}")
    return lines


def _unpack(names: Sequence[str], source: str, indent: str) -> list[str]:
    return [f"{indent}({', '.join(names)},) = {source}"] if names else []


def value_source(program: Program, inputs: int) -> tuple[str, dict[str, Any]]:
    """The source of `run(parameters, rows)`, which lists the outputs for each row, and what it calls."""
    m, names = Python(), _names(program)
    lines = ["def run(parameters, rows):"]
    lines += _unpack(names[inputs : program.inputs], "parameters", "    ")
    lines += ["    outputs = []", "    for row in rows:"]
    lines += _unpack(names[:inputs], "row", "        ")
    lines += _forward(program, m, names, "        ")
    results = [names[a] if type(a) is int else literal(a) for a in program.outputs]
    lines += [f"        outputs.append(({', '.join(results)},))", "    return outputs", ""]
    return "\n".join(lines), m.used


def gradient_source(program: Program, inputs: int) -> tuple[str, dict[str, Any]]:
    """The source of `run(parameters, rows)`: the sums over rows of output 0 and of its gradients, and what it calls."""
    m, names = Python(), _names(program)
    first = program.inputs
    lines = ["def run(parameters, rows):"]
    lines += _unpack(names[inputs:first], "parameters", "    ")
    g = {a: Text(f"g{a}") for a in range(inputs, first)}
    sums = list(g.values())
    lines += [f"    {name} = 0.0" for name in sums]
    lines += ["    total = 0.0", "    for row in rows:"]
    pad = "        "
    lines += _unpack(names[:inputs], "row", pad)
    lines += _forward(program, m, names, pad)
    root = program.outputs[0]
    lines.append(f"{pad}total += {names[root] if type(root) is int else literal(root)}")
    lines += _sweep(program, inputs, m, names, g, pad)
    lines.append(f"    return total, [{', '.join(sums)}]")
    return "\n".join(lines) + "\n", m.used


def _sweep(program: Program, inputs: int, m: Python, names: list[Text], g: dict[int, Text], pad: str) -> list[str]:
    first, root = program.inputs, program.outputs[0]
    active = _active(program, inputs)
    if type(root) is not int or not active[root]:
        return []
    uses = _uses(program)
    if root < first:
        return [f"{pad}{g[root]} += 1.0"]
    body: list[str] = []
    started: list[str] = []
    gated: list[str] = []  # the flags of gradients that may be absent
    certain = {root, *range(inputs, first)}  # where something arrives whatever the numbers
    g[root] = Text(f"g{root}")
    for k in range(root - first, -1, -1):
        node = first + k
        if node not in g:
            continue
        row, args = program.rows[k], program.args[k]
        z, operands = names[node], [names[a] if type(a) is int else a for a in args]
        lines: list[str] = []
        m.before.clear()
        for a, contribution in zip(args, row.cotangents(m, g[node], z, *operands), strict=True):
            if contribution is None or type(a) is not int or not active[a]:
                continue
            condition, c = parts_of(contribution)
            text = literal(c)
            if a >= first and a not in g:
                if uses[a] == 1 and text == g[node] and condition is None and node in certain:
                    g[a] = g[node]  # its only contribution is this one, unchanged
                    certain.add(a)
                    continue
                g[a] = Text(f"g{a}")
                started.append(g[a])
            statement = f"{g[a]} += {bare(text)}"
            if condition is None and node in certain:
                certain.add(a)
            elif a not in certain:
                statement += f"; there{a} = True"
                gated.append(f"there{a}")
            lines.append(statement if condition is None else f"if {condition}: {statement}")
        if lines and node not in certain:
            body.append(f"{pad}if there{node}:")
            pad_within = pad + "    "
        else:
            pad_within = pad
        body += [pad_within + line for line in [*m.before, *lines] if lines]
    head = _all_set(started, "0.0", pad) + _all_set(list(dict.fromkeys(gated)), "False", pad)
    return [f"{pad}g{root} = 1.0", *head, *body]


def _all_set(names: list[str], to: str, pad: str) -> list[str]:
    return [f"{pad}{' = '.join(names[i : i + 50])} = {to}" for i in range(0, len(names), 50)]


def _active(program: Program, inputs: int) -> bytearray:
    """Which slots depend on a parameter."""
    active = bytearray(program.inputs + len(program))
    active[inputs : program.inputs] = b"\1" * (program.inputs - inputs)
    for k, args in enumerate(program.args):
        active[program.inputs + k] = any(type(a) is int and active[a] for a in args)
    return active


def _uses(program: Program) -> list[int]:
    """How often each slot is used on the way to output 0."""
    first = program.inputs
    uses = [0] * (first + len(program))
    root = program.outputs[0]
    uses[root] = 1
    for k in range(root - first, -1, -1):
        if uses[first + k]:
            for a in program.args[k]:
                if type(a) is int:
                    uses[a] += 1
    return uses


def executed(source: str, used: dict[str, Any], name: str) -> Callable[..., Any]:
    """The function `run` of generated source."""
    scope = dict(used)
    exec(compile(source, f"<compiled {name}>", "exec"), scope)  # our own text: numbers, slots, names of the table
    return scope["run"]  # type: ignore[no-any-return]


class PythonRunner:
    """Runs a recorded program with Python floats.

    Args:
        program: inputs are arguments, then parameters; output 0 is what `gradient` differentiates.
        inputs: how many inputs are arguments.
    """

    name = "python"

    def __init__(self, program: Program, inputs: int) -> None:
        self.program = program
        self.inputs = inputs
        self._functions: dict[str, Callable[..., Any]] = {}
        self._long = sum([len(args) ** 2 for args in program.args]) > _LONG

    def source(self) -> str:
        """The generated source: values, then gradients."""
        return "\n".join([value_source(self.program, self.inputs)[0], gradient_source(self.program, self.inputs)[0]])

    def _function(self, kind: str) -> Callable[..., Any]:
        if kind not in self._functions:
            write = value_source if kind == "values" else gradient_source
            self._functions[kind] = executed(*write(self.program, self.inputs), kind)
        return self._functions[kind]

    def values(self, parameters: Sequence[float], rows: Sequence[Sequence[float]]) -> list[Any]:
        """The outputs for each row."""
        if self._long:
            return [self.program.run(floats, [*row, *parameters]) for row in rows]
        return self._function("values")(parameters, rows)  # type: ignore[no-any-return]

    def gradient(self, parameters: Sequence[float], rows: Sequence[Sequence[float]]) -> tuple[float, list[float]]:
        """The mean of output 0 over the rows and the mean of its gradients with respect to the parameters."""
        if self._long:
            total, sums = 0.0, [0.0] * len(parameters)
            for row in rows:
                value, sums = interpreted(self.program, self.inputs, [*row, *parameters], sums)
                total += value
        else:
            total, sums = self._function("gradient")(parameters, rows)
        m = float(len(rows))
        return total / m, [s / m for s in sums]


def interpreted(program: Program, inputs: int, numbers: list[float], sums: list[float]) -> tuple[float, list[float]]:
    """Output 0 at one row, and `sums` plus its gradients, by running the table's rules on floats.

    The sums go on where the rows before left them, as in generated source: the same order, the same bits.
    """
    slots = program.slots(floats, numbers)
    root, first = program.outputs[0], program.inputs
    if type(root) is not int:
        return root, sums
    arrived: dict[Any, Any] = dict(zip(range(inputs, first), sums, strict=True))
    arrive(floats, arrived, root, 1.0)

    def steps() -> Iterator[Step]:
        for k in range(root - first, -1, -1):
            args = program.args[k]
            keys = [a if type(a) is int else None for a in args]
            yield first + k, program.rows[k], keys, slots[first + k], [slots[a] if type(a) is int else a for a in args]

    pull(floats, steps(), arrived)
    return slots[root], [arrived[i] for i in range(inputs, first)]
