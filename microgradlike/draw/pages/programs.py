"""The programs of pages, as JavaScript: a picture's values, local derivatives and gradients; a model's training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...graph.program import Program
from ...graph.source import bare
from ..picture.graph import Graph
from ..picture.scene import Scene
from .javascript import JavaScript, Script, forward, identifiers, literal, scoped

MOST_NAMED = 1_500  # values of a program whose lines have names; beyond, they are places of an array
CHUNK = 400  # lines of one function of such a program


class PictureProgram:
    """`compute(p)` of a picture: from the leaves' numbers to [values, gradients] of all nodes, and of `edges` the
    [local derivatives, gradients sent back]. What is sent is written as the chain rule has it, upstream × local.
    """

    def __init__(self, graph: Graph, scene: Scene) -> None:
        self.graph, self.scene = graph, scene
        self.leaves = [v for v, row in enumerate(graph.rows) if row is None]
        self.m = JavaScript()
        self.short = len(graph) > MOST_NAMED
        self.names = [Script(f"v[{i}]") for i in range(len(graph))] if self.short else identifiers(graph.labels)
        self.gated = False
        self.local: dict[tuple[int, int], Script] = {}
        self.sent: dict[tuple[int, int], Script] = {}

    def name(self, text: str, index: int) -> Script:
        """What a result is called: by a name that says what it is, or by a place of an array."""
        return Script(f"{text[0]}[{index}]" if self.short else text)

    def be(self, name: str, value: str) -> str:
        return f"{'' if self.short else 'const '}{name} = {value};"

    def operands(self, node: int) -> list[Any]:
        return [self.names[x] if type(x) is int else x for x in self.graph.operands[node]]

    def forward(self) -> list[str]:
        lines = []
        for node, row in enumerate(self.graph.rows):
            if row is not None:
                text = row.on(self.m)(*self.operands(node))
                lines.append(self.be(self.names[node], bare(literal(text))))
        return lines

    def derivatives(self) -> list[str]:
        graph, lines = self.graph, []
        for node, row in enumerate(graph.rows):
            if row is None:
                continue
            operands = graph.operands[node]
            found = row.cotangents(self.m, 1.0, self.names[node], *self.operands(node))
            for position, (x, slope) in enumerate(zip(operands, found, strict=True)):
                if type(x) is int and slope is not None:
                    again = f"_{position}" if operands.count(x) > 1 else ""
                    own = self.name(f"l_{self.names[node]}_{self.names[x]}{again}", len(self.local))
                    self.local[node, position] = own
                    lines.append(self.be(own, self.slope(slope)))
        return lines

    def slope(self, cotangent: Any) -> str:
        """A local derivative as source; null where a gate is shut, so that nothing flows."""
        condition = getattr(cotangent, "condition", None)
        if condition is None:
            return bare(literal(cotangent))
        self.gated = True
        return bare(self.m.where(condition, cotangent.cotangent, Script("null")))

    def backward(self) -> list[str]:
        graph, root, lines = self.graph, self.graph.roots[0], []
        parts: dict[int, list[Script]] = {}
        for node in range(len(graph) - 1, -1, -1):
            own = self.gradient(node)
            total = "1" if node == root else self.added(parts.get(node, []))
            lines.append(self.be(own, total))
            if graph.rows[node] is None:
                continue
            for position, x in enumerate(graph.operands[node]):
                if type(x) is int and (node, position) in self.local:
                    sent = self.sent[node, position] = self.name(f"s{len(self.sent)}", len(self.sent))
                    local = self.local[node, position]
                    lines.append(self.be(sent, f"chain({own}, {local})" if self.gated else f"{own} * {local}"))
                    parts.setdefault(x, []).append(sent)
        return lines

    def gradient(self, node: int) -> Script:
        return self.name(f"d_{self.names[node]}", node)

    def added(self, parts: Sequence[str]) -> str:
        if not parts:
            return "null" if self.gated else "0"
        return f"add({', '.join(parts)})" if self.gated and len(parts) > 1 else " + ".join(parts)

    def through(self) -> tuple[list[str], list[str], list[str]]:
        """Lines for the edges into folded cards; the local derivatives and what is sent, of all edges."""
        lines: list[str] = []
        local, sent = list[str](), list[str]()
        graph, scene = self.graph, self.scene
        found: dict[int, tuple[dict[int, list[str]], dict[int, list[str]]]] = {}
        for edge in scene.edges:
            if edge.local is None or edge.kind == "constant":
                local.append("null")
                sent.append("null")
                continue
            head = scene.cards[edge.head]
            if not head.lines:
                local.append(self.local.get((head.node, edge.position), "null"))
                sent.append(self.sent.get((head.node, edge.position), "null"))
                continue
            if edge.head not in found:
                slopes: dict[int, list[str]] = {head.node: ["1"]}
                sends: dict[int, list[str]] = {}
                for node in sorted((v for v in head.nodes if graph.rows[v] is not None), reverse=True):
                    if node in slopes and slopes[node] != ["1"]:  # a sum gets a name, where it is used
                        name = self.name(f"through_{self.names[node]}", 0) if not self.short else None
                        if name is not None:
                            lines.append(self.be(name, " + ".join(slopes[node])))
                            slopes[node] = [name]
                    for position, x in enumerate(graph.operands[node]):
                        if type(x) is int and (node, position) in self.local:
                            sends.setdefault(x, []).append(self.sent[node, position])
                            if node in slopes:
                                factor = f"({' + '.join(slopes[node])})" if len(slopes[node]) > 1 else slopes[node][0]
                                own = self.local[node, position]
                                slopes.setdefault(x, []).append(own if factor == "1" else f"{factor} * {own}")
                found[edge.head] = slopes, sends
            slopes, sends = found[edge.head]
            source = scene.cards[edge.tail].node
            local.append(" + ".join(slopes.get(source, ["null"])))
            sent.append(self.added(sends.get(source, [])) if source in sends else "null")
        return lines, local, sent

    def values_source(self) -> str:
        """`look(p)`: the values of all nodes, no more."""
        head = f"  const [{', '.join(self.names[v] for v in self.leaves)}] = p;"
        if self.short:
            head = "  const v = [];\n" + "\n".join(f"  {self.names[v]} = p[{k}];" for k, v in enumerate(self.leaves))
        lines = [f"  {line}" for line in self.forward()]
        result = "v" if self.short else f"[{', '.join(self.names)}]"
        body = [self.m.prelude(), "function look(p) {", head, *lines, f"  return {result};", "}"]
        return scoped("\n".join(line for line in body if line), "look")

    def source(self) -> str:
        """The program, in a scope of its own, which leaves `compute` outside."""
        graph = self.graph
        parts = {"forward": self.forward(), "local derivatives": self.derivatives()}
        parts["backward: upstream × local, added up"] = self.backward()
        lines, local, sent = self.through()
        helpers = []
        if self.gated:
            helpers = [
                "const chain = (g, local) => g === null || local === null ? null : g * local; // null: nothing flows",
                "const add = (...parts) => parts.reduce((x, y) => x === null ? y : y === null ? x : x + y);",
            ]
        body: list[str] = []
        if self.short:
            head = [f"const v = new Array({len(graph)}), d = new Array({len(graph)}), l = [], s = [];"]
            body += [f"  {self.names[v]} = p[{k}];" for k, v in enumerate(self.leaves)]
            every = [line for part in parts.values() for line in part]
            pieces = [every[i : i + CHUNK] for i in range(0, len(every), CHUNK)]
            head += [f"const part{k} = () => {{\n{chr(10).join(piece)}\n}};" for k, piece in enumerate(pieces)]
            body += [f"  part{k}();" for k in range(len(pieces))] + [f"  {line}" for line in lines]
            values, gradients = "[...v]", "d.slice()"
        else:
            head = []
            body.append(f"  const [{', '.join(self.names[v] for v in self.leaves)}] = p;")
            for title, part in parts.items():
                body += [f"  // {title}", *(f"  {line}" for line in part)]
            body += [f"  {line}" for line in lines]
            values = f"[{', '.join(self.names)}]"
            gradients = f"[{', '.join(self.gradient(v) for v in range(len(graph)))}]"
        body.append(f"  return [{values}, {gradients},\n    [{', '.join(local)}],\n    [{', '.join(sent)}]];")
        text = [self.m.prelude(), *helpers, *head, "function compute(p) {", *body, "}"]
        return scoped("\n".join(line for line in text if line), "compute")


def branches_source(program: Program, tests: Sequence[tuple[str, Any, Any]]) -> str:
    """`branches(p)`: the outcome of each comparison (name, left slot, right slot) of `program`."""
    m, names = JavaScript(), identifiers([program.names.get(i) for i in range(program.inputs + len(program))])
    lines = forward(program, m, names, "  ")
    outcomes = [bare(m.compared(name, *(names[a] if type(a) is int else a for a in sides))) for name, *sides in tests]
    head = f"  const [{', '.join(names[: program.inputs])}] = p;"
    body = [m.prelude(), "function branches(p) {", head, *lines, f"  return [{', '.join(outcomes)}];", "}"]
    return scoped("\n".join(line for line in body if line), "branches")
