"""The Figure that plots.py returns: matplotlib's, which a notebook shows as a PNG also where pyplot is not in use."""

from __future__ import annotations

import io

from matplotlib import figure

__all__ = ["Figure"]


class Figure(figure.Figure):  # type: ignore[misc]  # matplotlib may be missing where types are checked
    """A `matplotlib.figure.Figure` that shows itself as the result of a cell."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
