"""Values that show their graph in a notebook: an opt-in, for the plain repr of a Value stays text."""

from __future__ import annotations

from typing import Any

from ..graph.engine import Value


def rich_values(on: bool = True, **options: Any) -> None:
    """From now on, a cell that ends in a Value shows its graph (or, with `on=False`, its repr again).

    Args:
        on: whether to show graphs.
        options: as for `draw`, such as theme="dark".

    Raises:
        RuntimeError: this is no notebook, nor any other IPython.
    """
    try:
        from IPython import get_ipython

        shell = get_ipython()
    except ImportError:
        shell = None
    if shell is None:
        raise RuntimeError("rich_values needs a notebook (or IPython): elsewhere, use draw(v).save('graph.svg')")
    formatter = shell.display_formatter.formatters["image/svg+xml"]
    if not on:
        formatter.pop(Value, None)
        return

    def picture(v: Value) -> str:
        from .drawing import draw

        return draw(v, **options).to_svg()

    formatter.for_type(Value, picture)
