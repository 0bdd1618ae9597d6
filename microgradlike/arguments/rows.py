"""Data as rows: lists or arrays read into clean rows of floats, with errors that say which row and column.

NumPy is not needed. What came as an array (or data frame) is handled as a float64 array, what came as lists as
lists of floats; `like` gives answers back in the same kind: arrays for arrays, lists for lists.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..floats.reading import number
from ..graph.engine import Value

Rows = Any  # list[list[float]], or a two-dimensional float64 array


def is_array(data: Any) -> bool:
    """Whether it is an array or a data frame rather than a list: something NumPy reads as one."""
    return hasattr(data, "__array__") or hasattr(data, "__array_interface__")


def read_rows(X: Any, name: str = "X") -> Rows:
    """`X` as finite numbers in m rows and n columns, both at least 1.

    Raises TypeError or ValueError that names the row and column, counted from 0.
    """
    if hasattr(X, "toarray"):
        raise TypeError(f"{name} is a sparse matrix, which is not supported: pass {name}.toarray()")
    if is_array(X):
        return _read_array(X, name)
    if isinstance(X, (str, bytes, dict)) or not isinstance(X, Iterable):
        raise TypeError(f"{name} must be rows of numbers, a list of lists or an array, not {type(X).__name__}")
    rows = [_read_row(row, i, name) for i, row in enumerate(X)]
    if not rows:
        raise ValueError(f"{name} is empty: 0 sample(s) (shape=(0, 0)) while a minimum of 1 is required.")
    width = len(rows[0])
    for i, row in enumerate(rows):
        if len(row) != width:
            raise ValueError(f"{name} is ragged: row 0 has {width} columns, row {i} has {len(row)}")
    _check_shape(len(rows), width, name)
    return rows


def _read_row(row: Any, i: int, name: str) -> list[float]:
    if isinstance(row, Value) or not isinstance(row, Iterable):
        raise ValueError(f"{name} must have rows and columns, but {name}[{i}] is one number: {_RESHAPE}")
    if isinstance(row, (str, bytes, dict)):
        raise TypeError(f"{name}[{i}] must be a row of numbers, not {type(row).__name__}")
    return [_read_number(x, i, j, name) for j, x in enumerate(row.tolist() if hasattr(row, "tolist") else row)]


def _read_number(x: Any, i: int, j: int, name: str) -> float:
    if type(x) is not float:
        if isinstance(x, complex):
            raise ValueError(f"Complex data not supported: row {i}, column {j} of {name} is {x!r}")
        try:
            x = number(x)
        except (TypeError, OverflowError) as error:
            raise type(error)(
                f"row {i}, column {j} of {name} {error} (an argument must be no string but a number)"
            ) from None
    if x - x != 0.0:
        raise ValueError(_not_finite(x, i, j, name))
    return x  # type: ignore[no-any-return]


def _read_array(X: Any, name: str) -> Rows:
    import numpy as np

    array = np.asarray(X)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {array.dtype}")
    if array.ndim != 2:
        raise ValueError(f"{name} must have two dimensions, rows and columns, not shape {array.shape}: {_RESHAPE}")
    _check_shape(len(array), array.shape[1], name)
    if array.dtype.kind not in "biuf":
        rows = [_read_row(row, i, name) for i, row in enumerate(array)]
        return np.array(rows, dtype=np.float64)
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        i, j = (int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(_not_finite(float(array[i, j]), i, j, name))
    return array


_RESHAPE = "Reshape your data, with X.reshape(-1, 1) if it has one feature or [x] if it is one example"


def _check_shape(m: int, n: int, name: str) -> None:
    if m < 1:
        raise ValueError(f"{name} is empty: 0 sample(s) (shape=({m}, {n})) while a minimum of 1 is required.")
    if n < 1:
        raise ValueError(f"{name} has 0 feature(s) (shape=({m}, {n})) while a minimum of 1 is required.")


def _not_finite(x: float, i: int, j: int, name: str) -> str:
    kind = "NaN" if math.isnan(x) else "infinity (inf)"
    return f"{name} contains {kind}: row {i}, column {j} (counted from 0) is {x!r}; drop that row or fill it in"


def read_column(y: Any, name: str = "y") -> list[Any]:
    """`y` as a list with one entry per example, of any type; a column of shape (m, 1) counts, with a warning."""
    if y is None:
        raise ValueError(f"this estimator requires y to be passed, but the target {name} is None")
    if hasattr(y, "toarray"):
        raise TypeError(f"{name} is a sparse matrix, which is not supported: pass {name}.toarray()")
    if is_array(y):
        import numpy as np

        array = np.asarray(y)
        if array.ndim == 2 and array.shape[1] == 1:
            _warn_column()
            array = array[:, 0]
        if array.ndim != 1:
            raise ValueError(f"{name} must have one dimension, not shape {array.shape}")
        column: list[Any] = array.tolist()
    elif isinstance(y, (str, bytes, dict)) or not isinstance(y, Iterable):
        raise TypeError(f"{name} must be a list or array with one entry per example, not {type(y).__name__}")
    else:
        column = [x.item() if hasattr(x, "item") and not getattr(x, "shape", ()) else x for x in y]
    if not column:
        raise ValueError(f"{name} is empty")
    return column


def _warn_column() -> None:
    import sys
    import warnings

    exceptions = sys.modules.get("sklearn.exceptions")
    category = exceptions.DataConversionWarning if exceptions else UserWarning
    message = "A column-vector y was passed when a 1d array was expected: y.ravel() is used"
    warnings.warn(message, category, stacklevel=4)


def check_lengths(X: Rows, y: Sequence[Any]) -> None:
    """Raises ValueError unless there is one y for each row of X."""
    if len(X) != len(y):
        raise ValueError(f"X and y must agree: X has {len(X)} rows, y {len(y)} entries")


def take(rows: Any, indices: Sequence[int]) -> Any:
    """The rows (or entries) of these indices, in this order, in the same kind."""
    if hasattr(rows, "iloc"):  # pandas, whose [] asks for labels
        return rows.iloc[indices]
    return rows[indices] if is_array(rows) else [rows[i] for i in indices]


def as_lists(rows: Rows) -> list[list[float]]:
    """The rows as lists of floats."""
    lists: list[list[float]] = rows.tolist() if hasattr(rows, "tolist") else rows
    return lists


def like(data: Any, result: list[Any], labels: bool = False) -> Any:
    """`result` as an array if `data` came as one, else as it is.

    Class `labels` that are neither all numbers, all bools nor all text stay objects.
    """
    if not is_array(data):
        return result
    import numpy as np

    if labels and {_family(x) for x in result} not in ({"number"}, {"bool"}, {"str"}):
        array = np.empty(len(result), dtype=object)
        array[:] = result
        return array
    return np.asarray(result) if labels else np.asarray(result, dtype=np.float64)


def _family(x: Any) -> str:
    return "number" if isinstance(x, (int, float)) and not isinstance(x, bool) else type(x).__name__
