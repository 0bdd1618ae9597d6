"""The reference of primitives and the table of accuracies, made from ops.py and accuracy.json at build time.

A page says `<!-- primitives -->`, `<!-- accuracy -->` or `<!-- accuracy of compiled programs -->` where they belong;
every public row gets an entry. What an entry shows is computed: the formula and the derivatives by running the row in
the namespace of formulas (latex.py), the curve by running it on floats (curves.py), the card by drawing one node.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

from curves import arguments, curve, fixed_arguments
from latex import derivatives, formula

from microgradlike import ops
from microgradlike.ops import TABLE, Op

ACCURACY = Path(__file__).resolve().parents[1] / "accuracy.json"
PEERS = {"microgradlike": "microgradlike", "torch": "PyTorch", "jax": "JAX"}
BACKENDS = {"compiled python": "Python", "compiled numpy": "NumPy", "compiled native": "C"}


def groups() -> dict[str, list[Op]]:
    """The public rows, under the headings that ops.py has for them."""
    source = inspect.getsource(ops)
    heads = [(found.start(), found.group(1)) for found in re.finditer(r"^# ── (.+?) ─+$", source, re.MULTILINE)]
    named = [
        (found.start(), found.group(1)) for found in re.finditer(r'^(?:op|loss|helper)\("(\w+)"', source, re.MULTILINE)
    ]
    begins = {}
    for start, head in heads:
        first = next((name for place, name in named if place > start), None)
        if first is not None:
            begins[first] = head
    found: dict[str, list[Op]] = {}
    current = "others"
    for row in TABLE.values():
        current = begins.get(row.name, current)
        if row.public:
            found.setdefault(current, []).append(row)
    return found


def call(row: Op) -> str:
    """How a user calls it: `mg.leaky_relu(x, slope=0.01)`."""
    if row.loss:
        names = {"mean_squared_error": "predictions, targets", "cross_entropy": "logits, class",
                 "soft_cross_entropy": "logits, targets"}.get(row.name, ", ".join(row.parameters))  # fmt: skip
        owner = "losses.cross_entropy" if row.name == "soft_cross_entropy" else f"losses.{row.name}"
        return f"{owner}({names})"
    if row.name == "take":
        return "mg.take(rows, index)"
    if row.name == "gelu":
        return 'mg.gelu(x, approximate="none")'
    if row.name == "gelu_tanh":
        return 'mg.gelu(x, approximate="tanh")'
    names = [name.removeprefix("*") for name in row.parameters if name != "index"]
    for i, default in enumerate(row.defaults, len(names) - len(row.defaults)):
        names[i] += f"={default:g}"
    return f"mg.{row.name}({', '.join(names)})"


def entry(row: Op, picture: str) -> str:
    """One primitive, in Markdown."""
    lines = [f"### {row.name}", "", f"`{call(row)}`", "", row.doc, ""]
    if row.name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"):
        lines += [
            rf"$$ z = \begin{{cases}}1 & \text{{if }} {formula(row)} \\ 0 & \text{{otherwise}}\end{{cases}} $$",
            "",
        ]
    else:
        parts = [f"z = {formula(row)}"]
        parts += [rf"\frac{{\partial z}}{{\partial {name}}} = {d}" for name, d in derivatives(row)]
        if sum(map(len, parts)) < 160:
            parts = [r", \qquad ".join(parts)]
        lines += [line for part in parts for line in (f"$$ {part} $$", "")]
    if "s_1" in lines[-2] or "s_2" in "".join(lines):
        lines += ["Here $s = \\operatorname{softmax}(x)$.", ""]
    if row.kinks:
        lines.append(f"- Where mathematics has no derivative: {row.kinks}.")
    domain = ", ".join(f"[{low:g}, {high:g}]" for low, high in row.domain)
    if row.differentiable:
        near = ", ".join(f"{x:g}" for x in row.trouble)
        lines.append(
            f"- Tested on {domain}{f', closely near {near}' if near else ''}.".replace("-", "−").replace("−", "-", 1)
        )
    measured = accuracy().get(row.name)
    if measured:
        ours = measured["microgradlike"]["anywhere"]
        worst = f"value at most {ours[0]:.2f} ulp, derivatives at most {ours[1]:.2f} ulp"
        lines.append(f"- Measured error: {worst} ([all figures](accuracy.md)).")
    if row.source:
        lines.append(f"- Source: {row.source}.")
    plot = curve(row)
    caption = fixed_arguments(row)
    if plot or picture:
        lines += ["", "```{raw} html", '<figure class="primitive">', plot, picture]
        if plot:
            legend = '<span class="curve-value">z</span>'
            if row.differentiable:
                legend += ', <span class="curve-slope">∂z/∂x</span>'
            lines.append(f"<figcaption>{legend}{f' ({caption})' if caption else ''}</figcaption>")
        lines += ["</figure>", "```"]
    return "\n".join([*lines, ""])


def drawn(row: Op, folder: Path) -> str:
    """The node as `mg.draw` shows it, saved beside the pages; the element that shows it."""
    import microgradlike as mg
    from microgradlike.graph.engine import record

    found = arguments(row)
    point = found[1] if found else [1.0, 2.0, 3.0]
    constants = sum(name in ("index", "class") for name in row.parameters)
    low, high = row.domain[0]
    letters = [name for name in row.parameters if not name.startswith("*")][constants:] or ["x₁", "x₂", "x₃", "x₄"]
    if found and point[constants : constants + 1] and not any(p.startswith("*") for p in row.parameters):
        point[constants] = round(low + 0.7 * (high - low), 2)
    operands = [x if i < constants else mg.Value(x, label=letters[i - constants]) for i, x in enumerate(point)]
    for i in range(len(row.parameters) - len(row.defaults), len(row.parameters)):
        operands[i] = point[i]
    result = record(row, *operands)
    result.label = "z"
    if row.differentiable:
        result.backward()
    folder.mkdir(parents=True, exist_ok=True)
    mg.draw(result).save(folder / f"{row.name}.svg")
    source = f"../_images/primitives/{row.name}.svg"
    return f'<img loading="lazy" class="card" alt="{row.name} as a node of a graph" src="{source}">'


def reference(folder: Path | None) -> str:
    """All entries; pictures of nodes are saved in `folder`."""
    parts = []
    for head, rows in groups().items():
        parts.append(f"## {head[0].upper()}{head[1:]}\n")
        parts += [entry(row, drawn(row, folder) if folder is not None else "") for row in rows]
    return "\n".join(parts)


# ── accuracy ────────────────────────────────────────────────────────────────────────────────────
def measurements() -> dict[str, Any]:
    """accuracy.json, as docs/measure_accuracy.py wrote it."""
    found: dict[str, Any] = json.loads(ACCURACY.read_text(encoding="utf-8"))
    return found


def accuracy() -> dict[str, Any]:
    """The rows of accuracy.json, by primitive."""
    rows: dict[str, Any] = measurements()["rows"]
    return rows


def ulps(x: float) -> str:
    """An error in ulp, for people: a large one says how few digits are left."""
    if x < 10:
        return f"{x:.2f}"
    return (
        f"{x:,.0f}"
        if x < 1e6
        else "no digit right"
        if x >= 2.0**51
        else f"{x:.0e}".replace("e+0", "e").replace("e+", "e")
    )


def accuracy_table(libraries: dict[str, str], limit: float = 2.0) -> str:
    """What was measured of these libraries as one table in HTML; errors above the limit are marked."""
    measured = measurements()
    found = [library for library in libraries if library in measured["versions"]]
    head = "".join(f'<th colspan="3">{libraries[name]} {measured["versions"][name]}</th>' for name in found)
    under = "<th>value</th><th>derivative</th><th>wrong</th>" * len(found)
    lines = [
        f'<table class="accuracy"><thead><tr><th rowspan="2">primitive</th>{head}</tr><tr>{under}</tr></thead><tbody>'
    ]
    for name in (row.name for row in TABLE.values() if row.name in measured["rows"]):
        cells = ""
        for library in found:
            row = measured["rows"][name].get(library)
            if row is None:
                cells += "<td>–</td>" * 3
                continue
            for ordinary, anywhere in zip(row["ordinary"], row["anywhere"], strict=True):
                bad = ' class="bad"' if anywhere > limit else ""
                cells += f'<td{bad}><span title="ordinary inputs">{ulps(ordinary)}</span> / {ulps(anywhere)}</td>'
            bad = ' class="bad"' if row["wrong"] else ""
            cells += f"<td{bad}>{row['wrong']}</td>"
        lines.append(f'<tr><th><a href="primitives.html#{name.replace("_", "-")}">{name}</a></th>{cells}</tr>')
    lines.append("</tbody></table>")
    note = f"{measured['cases']:,} cases; {measured['machine']}; Python {measured['versions']['python']}."
    return "\n".join(["```{raw} html", *lines, "```", "", note, ""])


def kinks() -> str:
    """The rows of the table of conventions."""
    rows = [row for row in TABLE.values() if row.kinks and row.public]
    return "\n".join(f"| [`{row.name}`](primitives.md#{row.name}) | {row.doc} | {row.kinks} |" for row in rows)


def fill(app: Any, docname: str, source: list[str]) -> None:
    """Put what is generated where a page asks for it."""
    if "<!-- primitives -->" in source[0]:
        source[0] = source[0].replace("<!-- primitives -->", reference(Path(app.outdir) / "_images" / "primitives"))
    if "<!-- accuracy -->" in source[0]:
        source[0] = source[0].replace("<!-- accuracy -->", accuracy_table(PEERS))
    if "<!-- accuracy of compiled programs -->" in source[0]:
        table = accuracy_table(BACKENDS, limit=4.0)
        source[0] = source[0].replace("<!-- accuracy of compiled programs -->", table)
    if "<!-- kinks -->" in source[0]:
        source[0] = source[0].replace("<!-- kinks -->", kinks())


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
