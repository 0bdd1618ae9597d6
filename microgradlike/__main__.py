"""The command line: `python -m microgradlike live "3*(a + b*c)" a=5 b=3 c=2`. Parses arguments and reports errors."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DESCRIPTION = "Scalar automatic differentiation that can be read, seen, trusted and run fast."
EXAMPLE = """
an expression has numbers, names, + - * / % **, comparisons, "x if c else y", and the table's functions:

  python -m microgradlike live "3*(a + b*c)" a=5 b=3 c=2       a page that computes, in the browser
  python -m microgradlike step "u = b*c; J = 3*(a + u)" a=5 b=3 c=2    the same, opened on its steps
  python -m microgradlike draw "tanh(w*x + b)" w=.5 x=1 b=0 -o neuron.svg
  python -m microgradlike explain x "2*x * x" x=5              the paths of one gradient
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 1 if something is off, 2 for wrong usage."""
    parser = _parser()
    if arguments is None:
        arguments = sys.argv[1:]
        for stream in (sys.stdout, sys.stderr):  # a console that lacks σ or − shows a ? rather than a traceback
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    chosen = parser.parse_args([f" {word}" if _is_negative(word) else word for word in arguments])
    commands = {"tour": _tour, "version": _version, "live": _page, "step": _page, "draw": _draw, "explain": _explain}
    try:
        return commands[chosen.command](chosen)
    except (ValueError, TypeError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def _is_negative(word: str) -> bool:
    """Whether a word that begins with "-" is an expression, such as -a*b, and no option."""
    return word[:1] == "-" and word[1:2] not in ("-", "o", "h", "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m microgradlike", description=DESCRIPTION, epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    tour = commands.add_parser(
        "tour", help="a lesson: one graph, one neuron, a network, models of real data; every figure is checked"
    )
    tour.add_argument(
        "folder", nargs="?", default="microgradlike-tour", help="where the pictures go (default: %(default)s)"
    )
    tour.add_argument("--figures", action="store_true", help="list every figure that was compared")
    version = commands.add_parser("version", help="the version, and which engine runs")
    version.add_argument("--all", action="store_true", help="all that a bug report needs: backends, versions, platform")
    for name, what in (
        ("live", "an expression as a page that computes as its numbers are changed"),
        ("step", "the same page, opened on the steps of the forward and the backward pass"),
        ("draw", "a picture of an expression's graph, with values and gradients"),
        ("explain", "one gradient of an expression as a sum over paths"),
    ):
        command = commands.add_parser(name, help=what, description=what)
        if name == "explain":
            command.add_argument("name", help="the name to differentiate with respect to")
        command.add_argument("expression", help='such as "3*(a + b*c)"; several steps have ";" between them')
        command.add_argument("numbers", nargs="*", metavar="name=number", help="the number of each name")
        if name != "explain":
            files = ".svg, .png, .pdf, .txt …; default: graph.svg" if name == "draw" else ".html; default: opened"
            command.add_argument("-o", "--output", metavar="FILE", help=f"where it is written ({files})")
            command.add_argument("--title", help="a heading")
            command.add_argument("--theme", choices=("light", "dark", "auto"), help="colours")
        if name == "live":
            command.add_argument("--quiz", action="store_true", help="hide the gradients and ask for them")
            command.add_argument("--rate", type=float, default=0.1, help="the learning rate of Descend (%(default)s)")
    return parser


def _graph(chosen: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The graph of the expression on the command line."""
    from .graph.parsing import assignments, graph_of

    rest, numbers = assignments(chosen.numbers)
    if rest:
        raise ValueError(f"{rest[0]!r} is no name=number, such as a=5 (an expression of several words needs quotes)")
    return graph_of(chosen.expression, numbers)


def _looks(chosen: argparse.Namespace) -> dict[str, Any]:
    given = {"title": chosen.title, "theme": chosen.theme}
    return {name: value for name, value in given.items() if value is not None}


def _page(chosen: argparse.Namespace) -> int:
    from .draw import live, step_through

    result, _ = _graph(chosen)
    looks = _looks(chosen) | {"title": chosen.title or chosen.expression}
    if chosen.command == "step":
        page = step_through(result, **looks)
    else:
        page = live(result, quiz=chosen.quiz, rate=chosen.rate, **looks)
    if chosen.output:
        return _written(page, chosen.output)
    import webbrowser

    file = page.save(Path(tempfile.mkdtemp(prefix="microgradlike-")) / f"{chosen.command}.html")
    print(file)
    if not webbrowser.open(file.as_uri()):
        print("there is no browser to open it here: open the file in one", file=sys.stderr)
    return 0


def _draw(chosen: argparse.Namespace) -> int:
    from .draw import draw

    result, _ = _graph(chosen)
    result.backward()
    return _written(draw(result, **_looks(chosen)), chosen.output or "graph.svg")


def _written(drawn: Any, output: str) -> int:
    try:
        print(drawn.save(output))
    except OSError as error:
        print(f"cannot write {output!r}: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def _explain(chosen: argparse.Namespace) -> int:
    from .graph.explain import explain

    result, leaves = _graph(chosen)
    if chosen.name not in leaves:
        raise ValueError(f"{chosen.name!r} is no name of the expression: its names are {', '.join(leaves)}")
    if result.label is None:
        result.label = "result"
    print(explain(result, leaves[chosen.name]))
    return 0


def _version(chosen: argparse.Namespace) -> int:
    import microgradlike

    if chosen.all:
        from .environment import described

        for name, text in described():
            print(f"{name:<20} {text}")
        return 0
    print(f"microgradlike {microgradlike.__version__} ({'compiled' if microgradlike.compiled else 'plain'} engine)")
    return 0


def _tour(chosen: argparse.Namespace) -> int:
    from .tour import tour

    try:
        return tour(chosen.folder, chosen.figures)
    except OSError as error:
        print(f"cannot write to {chosen.folder!r}: {error.strerror or error}; name another folder", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
