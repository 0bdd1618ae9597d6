"""A scene as Mermaid text, which a README shows as a picture."""

from __future__ import annotations

from ..picture.scene import Edge, Scene
from ..picture.text import visible
from ..picture.theme import Theme

MOST_EDGES, MOST_CHARACTERS = 500, 50_000  # beyond these, Mermaid refuses by default
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,−+×÷=∂/·…–()Σσ◀")


def quoted(text: str) -> str:
    """Text for between double quotes: everything that could mean something becomes a character code.

    >>> quoted('a "b" <i>')
    'a #34;b#34; #60;i#62;'
    """
    coded = "".join(c if c in SAFE or c.isalpha() else f"#{ord(c)};" for c in visible(text))
    return coded.replace("#92;n", "#92;#8203;n")  # Mermaid would break the line at \\n, even at a coded one


def mermaid(scene: Scene, theme: Theme, direction: str = "LR") -> str:
    """The picture as a Mermaid flowchart."""
    lines = [f"flowchart {direction}"]
    if scene.title:
        lines.insert(0, f'---\ntitle: "{_yaml(scene.title)}"\n---')
    for i, card in enumerate(scene.cards):
        parts = [f"<b>{quoted(card.head)}</b>"]
        if card.note:
            parts.append(quoted(card.note))
        if card.lines:
            parts += [f"{quoted(line.name)}: {quoted(line.value)}, {quoted(line.gradient)}" for line in card.lines]
        else:
            parts += [f"value {quoted(card.value)}", f"{quoted(card.gradient_name)} {quoted(card.gradient)}"]
        opening, closing = ('("', '")') if card.kind == "input" else ('["', '"]')
        lines.append(f"  n{i}{opening}{'<br/>'.join(parts)}{closing}:::{'output' if card.output else card.kind}")
    wires = 0
    labels: dict[tuple[int, int], list[str]] = {}  # two uses are one arrow: else one label would hide the other
    for edge in scene.edges:
        if edge.kind == "wire":
            labels.setdefault((edge.tail, edge.head), []).append(_label(edge))
    for number, edge in enumerate(scene.edges):
        texts = [_label(edge)] if edge.kind != "wire" else labels.pop((edge.tail, edge.head), None)
        if texts is None:
            continue
        label = f'|"{"<br/>".join(texts)}"|' if any(texts) else ""
        wires += 1
        if edge.kind == "wire":
            lines.append(f"  n{edge.tail} -->{label} n{edge.head}")
        else:
            lines.append(
                f'  e{number}(["{quoted(edge.texts[0][0])}"]):::{"constant" if edge.kind == "constant" else "input"}'
            )
            lines.append(f"  e{number} {'-.->' if edge.kind == 'constant' else '-->'}{label} n{edge.head}")
    papers = {"input": theme.input_paper, "parameter": theme.parameter_paper, "output": theme.output_paper}
    borders = {"input": theme.input_line, "parameter": theme.parameter_line, "output": theme.output_line}
    more = {"output": ",stroke-width:3px", "constant": ",stroke-dasharray:4 3"}
    for kind in ("input", "parameter", "operation", "neuron", "layer", "output", "constant"):
        paper, border = papers.get(kind, theme.card), borders.get(kind, theme.line)
        lines.append(f"  classDef {kind} fill:{paper},stroke:{border},color:{theme.ink}{more.get(kind, '')}")
    lines += [f"  %% {visible(note)}" for note in scene.caption]
    text = "\n".join(lines) + "\n"
    if wires > MOST_EDGES or len(text) > MOST_CHARACTERS:
        limits = f"{MOST_EDGES} edges or {MOST_CHARACTERS} characters"
        note = f"%% {wires} edges, {len(text)} characters: Mermaid shows at most {limits} unless it is told otherwise"
        text = text.replace("\n", f"\n  {note}\n", 1) if not scene.title else text + f"  {note}\n"
    return text


def _label(edge: Edge) -> str:
    pills = [("◀ " if kind == "sent" else "") + quoted(t) for t, kind in edge.texts if kind in ("derivative", "sent")]
    return "<br/>".join(pills)


def _yaml(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"')
