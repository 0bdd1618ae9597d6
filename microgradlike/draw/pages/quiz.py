"""Questions about the backward pass, in the order of the sweep: a local derivative, then what it carries on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..picture.scene import Card
from .numbers import Number, of
from .steps import Span, Step, arrivals, key_text, short, spans

if TYPE_CHECKING:
    from .live import Pass


def questions(part: Pass, which: bool | str) -> list[dict[str, Any]]:
    """What is asked, which texts of the picture it hides, and what a wrong answer may have been."""
    shown, asked = part.scene, []
    root = next(card for card in shown.cards if card.output)
    for k, step in enumerate(part.told):
        if step.phase != "backward" or not step.edges or not step.senders:
            continue
        j = step.edges[0]
        edge, head, tail = shown.edges[j], shown.cards[step.senders[0]], shown.cards[step.cards[0]]
        local = f"∂{short(head.name)}/∂{short(tail.name)}"
        above, below = (f"∂{root.name}/∂{short(card.name)}" for card in (head, tail))
        paths = arrivals(shown, step.cards[0])
        complete = paths[-1] == j
        whole = [key_text(("sent", j)), *_hides(step, tail)]
        others = [o for o, e in enumerate(shown.edges) if e.head == edge.head and o != j and e.local is not None]
        if which in (True, "local derivatives"):
            keys = [key_text(("local", j)), *(whole if head is root and which is True else [])]
            asked.append({
                "name": local, "sentence": spans(_local(head.head, local)), "answer": of("local", j).json(),
                "keys": keys, "step": k, "others": [of("local", o).json() for o in others],
            })  # fmt: skip
        if which not in (True, "gradients"):
            continue
        question = {
            "name": below if len(paths) == 1 else f"{above} · {local}",
            "sentence": spans(_sent(head.name, tail.name, above, local, head.node, j)),
            "answer": of("sent", j).json(), "keys": whole, "step": k,
            "above": of("gradient", head.node).json(), "local": of("local", j).json(),
            "aboveName": above, "localName": local,
        }  # fmt: skip
        if head is not root or which is not True:  # what the root sends back is the local derivative itself
            asked.append(question)
        if complete and len(paths) > 1:
            asked.append({
                "name": below, "sentence": spans(_sum(tail.name, below, paths)),
                "answer": Number("sum", tuple(paths), tail.node).json(), "keys": _hides(step, tail), "step": k,
                "terms": paths,
            })  # fmt: skip
    return asked


def _hides(step: Step, tail: Card) -> list[str]:
    """The keys of the gradient that a step completes: that of its card."""
    i = step.cards[0]
    return [key_text(("line-gradient", i, len(tail.lines) - 1) if tail.lines else ("gradient", i))]


def _local(head: str, local: str) -> list[Span]:
    return [("name", head), ("", ". What is the local derivative "), ("name", local), ("", "?")]


def _sent(head: str, tail: str, above: str, local: str, node: int, j: int) -> list[Span]:
    return [
        ("", "At "), ("name", head), ("", " arrives "), ("name", above), ("", " = "),
        ("gradient", of("gradient", node)),
        ("", ", and "), ("name", local), ("", " = "), ("", of("local", j)), ("", ". What goes on to "), ("name", tail),
        ("", "?"),
    ]  # fmt: skip


def _sum(tail: str, below: str, paths: list[int]) -> list[Span]:
    found: list[Span] = [("name", tail), ("", " is reached by "), ("", f"{len(paths)} paths, with ")]
    for k, j in enumerate(paths):
        found += [("", " and " if k and k == len(paths) - 1 else ", " if k else ""), ("gradient", of("sent", j))]
    return [*found, ("", ". So what is "), ("name", below), ("", "?")]
