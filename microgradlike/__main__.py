"""The command line: `python -m microgradlike tour`. Parses arguments and reports errors; no work of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DESCRIPTION = "Scalar automatic differentiation that can be read, seen, trusted and run fast."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 1 if something is off, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m microgradlike", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    tour = commands.add_parser(
        "tour", help="the worked examples, checked digit by digit, and a first model on real data"
    )
    tour.add_argument(
        "folder", nargs="?", default="microgradlike-tour", help="where the pictures go (default: %(default)s)"
    )
    commands.add_parser("version", help="the version, and which engine runs")
    if arguments is None:
        arguments = sys.argv[1:]
        for stream in (sys.stdout, sys.stderr):  # a console that lacks σ or − shows a ? rather than a traceback
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
    if not arguments:
        parser.print_help(sys.stderr)
        return 2
    chosen = parser.parse_args(arguments)
    if chosen.command == "version":
        import microgradlike

        print(f"microgradlike {microgradlike.__version__} ({'compiled' if microgradlike.compiled else 'plain'} engine)")
        return 0
    from .tour import tour as run_tour

    try:
        return run_tour(chosen.folder)
    except OSError as error:
        print(f"cannot write to {chosen.folder!r}: {error.strerror or error}; name another folder", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
