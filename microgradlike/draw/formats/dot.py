"""A scene for Graphviz: the DOT text with HTML-like labels, and the program `dot` run on it with a time limit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..picture.scene import Card, Edge, Scene
from ..picture.text import visible
from ..picture.theme import Theme

if TYPE_CHECKING:
    import graphviz

FONT = "Helvetica,Arial,sans-serif"
SECONDS = 60.0


def digraph(scene: Scene, theme: Theme, direction: str = "LR") -> graphviz.Digraph:
    """The picture as a `graphviz.Digraph`."""
    try:
        import graphviz
    except ImportError:
        raise ImportError(
            "to_graphviz needs the graphviz package: `pip install graphviz`; to_dot() gives the text without it"
        ) from None
    graph = graphviz.Digraph("computation")
    graph.attr(
        rankdir=direction,
        ordering="in",
        bgcolor=theme.paper,
        nodesep="0.25",
        ranksep="0.5",
        fontname=FONT,
        fontcolor=theme.ink,
    )
    if scene.title or scene.caption:
        lines = [f"<b>{_html(scene.title)}</b>"] if scene.title else []
        graph.attr(
            label=f"<{'<br/>'.join([*lines, *map(_html, scene.caption)])}>", labelloc="t" if scene.title else "b"
        )
    graph.attr("node", shape="plain", fontname=FONT, fontsize="11", fontcolor=theme.ink)
    graph.attr("edge", fontname=FONT, fontsize="10", color=theme.line, fontcolor=theme.muted, arrowsize="0.7")
    bands: dict[str, list[str]] = {}
    for i, card in enumerate(scene.cards):
        graph.node(f"n{i}", f"<{_card(card, theme)}>", tooltip=_plain(card.tooltip))
        bands.setdefault(card.band, []).append(f"n{i}")
    for k, (band, nodes) in enumerate(bands.items()):
        if band and len(nodes) > 1:
            with graph.subgraph(name=f"cluster_{k}") as layer:
                layer.attr(label=f"<{_html(band)}>", style="rounded,filled", color=theme.faint, fillcolor=theme.band)
                layer.attr(fontname=FONT, fontsize="10", fontcolor=theme.muted, labeljust="l")
                for node in nodes:
                    layer.node(node)
    for number, edge in enumerate(scene.edges):
        if edge.kind == "wire":
            graph.edge(f"n{edge.tail}", f"n{edge.head}", **_wire(edge, theme))
            continue
        name, shown = f"e{number}", edge.texts[0][0]
        style = "rounded,dashed" if edge.kind == "constant" else "rounded,filled"
        graph.node(
            name, f"<{_html(shown)}>", shape="box", style=style, color=theme.line, fontcolor=theme.muted,
            fillcolor=theme.input_paper, height="0.2", width="0.3", margin="0.08,0.03",
        )  # fmt: skip
        graph.edge(name, f"n{edge.head}", style="dashed" if edge.kind == "constant" else "solid", **_wire(edge, theme))
    return graph


def dot_text(scene: Scene, theme: Theme, direction: str = "LR") -> str:
    """The picture as DOT text."""
    return str(digraph(scene, theme, direction).source)


def _html(text: str) -> str:
    return escape(visible(text).replace("\\", "\\\\"), quote=True)  # \N would become the name of the node


def _plain(text: str) -> str:
    """Text for an ordinary attribute: no escape sequence of DOT may come to life."""
    return "\\n".join(visible(line).replace("\\", "\\\\") for line in text.split("\n"))


def _card(card: Card, theme: Theme) -> str:
    paper = {"input": theme.input_paper, "parameter": theme.parameter_paper}.get(card.kind, theme.card)
    border = {"input": theme.input_line, "parameter": theme.parameter_line}.get(card.kind, theme.line)
    if card.output:
        paper, border = theme.output_paper, theme.output_line
    head = f'<tr><td colspan="3" bgcolor="{paper}" cellpadding="4"><b>{_html(card.head)}</b></td></tr>'
    if card.note:
        note = f'<font color="{theme.muted}" point-size="9">{_html(card.note)}</font>'
        head += f'<tr><td colspan="3" bgcolor="{paper}">{note}</td></tr>'

    def cell(text: str, colour: str, paper: str, align: str, bold: bool = True) -> str:
        inner = f'<font color="{colour}">{_html(text) or " "}</font>'
        return f'<td align="{align}" bgcolor="{paper}">{f"<b>{inner}</b>" if bold else inner}</td>'

    rows = ""
    if card.lines:
        titles = (("", theme.ink), ("value", theme.value), ("gradient", theme.gradient))
        rows = f"<tr>{''.join(cell(text, colour, theme.card, 'right', False) for text, colour in titles)}</tr>"
        for line in card.lines:
            back = theme.parameter_paper if line.kind == "parameter" else theme.card
            name = cell(line.name, theme.ink, back, "left", line.kind == "output")
            numbers = ((line.value, theme.value), (line.gradient, theme.gradient))
            rows += f"<tr>{name}{''.join(cell(text, colour, back, 'right') for text, colour in numbers)}</tr>"
    else:
        for name, text, colour, back in (
            ("value", card.value, theme.value, theme.value_paper),
            (card.gradient_name, card.gradient, theme.gradient, theme.gradient_paper),
        ):
            label = f'<td align="left" bgcolor="{back}"><font color="{colour}" point-size="9">{_html(name)}</font></td>'
            value = f'<b><font color="{colour}">{_html(text)}</font></b>'
            rows += f'<tr>{label}<td colspan="2" align="right" bgcolor="{back}">{value}</td></tr>'
    # The cells of a rounded table keep away from its corners.
    shape = f'style="rounded" bgcolor="{paper}" cellspacing="3"' if card.kind == "input" else 'cellspacing="0"'
    frame = f'border="{2 if card.output else 1}" color="{border}" cellborder="0" cellpadding="3" {shape}'
    return f"<table {frame}>{head}{rows}</table>"


def _wire(edge: Edge, theme: Theme) -> dict[str, str]:
    lines = [
        f'<font color="{theme.gradient}"><b>◂ {_html(text)}</b></font>' if kind == "sent" else _html(text)
        for text, kind in edge.texts
        if kind in ("derivative", "sent")
    ]
    attributes = {"label": f"<{'<br/>'.join(lines)}>"} if lines else {}
    if edge.count > 1:
        attributes["penwidth"] = "2"
    if edge.dimmed:
        attributes["color"] = theme.faint
    return attributes


def run_dot(source: str, format: str, options: Sequence[str] = (), seconds: float = SECONDS) -> bytes:
    """What `dot -T<format>` makes of DOT text.

    Raises:
        FileNotFoundError: there is no program `dot` on this machine.
        TimeoutError: it took longer than `seconds`.
        RuntimeError: it refused; the message says what it said.
    """
    program = shutil.which("dot")
    cure = "the built-in layout needs no program: leave out engine='dot' (or say engine='layered')"
    if program is None:
        raise FileNotFoundError(
            "engine='dot' needs the program `dot` of Graphviz, which is not on the PATH "
            f"(https://graphviz.org/download); {cure}"
        )
    try:
        done = subprocess.run(
            [program, f"-T{format}", *options],
            input=source.encode("utf-8"),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"`dot` did not finish within {seconds:g} s; {cure}") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RuntimeError(
            f"`dot` failed with exit code {done.returncode}: {said[0] if said else 'it said nothing'}; {cure}"
        )
    return done.stdout
