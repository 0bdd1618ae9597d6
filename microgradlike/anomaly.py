"""detect_anomaly(): the first value or gradient that is not finite becomes an error that explains itself."""

from __future__ import annotations

import linecache
import os
import sys
from contextlib import AbstractContextManager
from math import copysign, floor, inf, isfinite
from typing import Any, NamedTuple

from .engine import Value, inspecting
from .ops import Op

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class AnomalyError(FloatingPointError):
    """A value or gradient was not finite under detect_anomaly(). The message names the node and the cure.

    Attributes:
        node: the Value; None if the operation had not made one yet.
    """

    def __init__(self, message: str, node: Any = None) -> None:
        super().__init__(message)
        self.node = node


class Origin(NamedTuple):
    """The line of the user's code that made a node."""

    file: str
    line: int
    function: str
    code: str

    def __str__(self) -> str:
        return f'File "{self.file}", line {self.line}, in {self.function}: {self.code or "(source not available)"}'


def detect_anomaly() -> AbstractContextManager[None]:
    """Within it, the first result or gradient that is inf or nan raises AnomalyError.

    The message names the operation, the labels and values of its operands, the line of code that made the
    node, and the usual cure if it is a known trap (log of 0, overflow of exp, 0·inf on the way back ...).
    Graphs built within it remember their lines; it costs time, so use it to search, not to train.

    Example:
        >>> import microgradlike as mg
        >>> p = mg.Value(0.0, label="p")
        >>> try:
        ...     with mg.detect_anomaly():
        ...         mg.log(p)
        ... except mg.AnomalyError as error:
        ...     print(str(error).splitlines()[0])
        log(p = 0.0) is -inf
    """
    return inspecting(_Detective())


class _Detective:
    def created(self, v: Value) -> Origin:
        origin = _origin()
        x = _numbers(v)
        z = _data(v)
        if not isfinite(z):
            row: Any = v.op
            raise AnomalyError(
                _report(f"{_written(row, v.args, x)} is {z}", origin, _forward_trap(row, x, z)),
                v,
            )
        return origin

    def swept(self, v: Value, g: float, contributions: Any) -> None:
        row: Any = v.op
        if not isfinite(g):
            raise AnomalyError(_report(f"the gradient that reaches {_written(row, v.args, _numbers(v))} is {g}", v.origin, ""), v)
        for i, contribution in enumerate(contributions):
            operand = v.args[i]
            if contribution is None or type(operand) is float or isfinite(contribution):
                continue
            from . import floats

            x = _numbers(v)
            local = row.cotangents(floats, 1.0, _data(v), *x)[i]
            name = _name(operand, i, row)
            raise AnomalyError(
                _report(
                    f"the gradient of {name} in {_written(row, v.args, x)} is {contribution} "
                    f"(local derivative {local:.17g}, times {g:.17g} from above)",
                    v.origin,
                    _backward_trap(row, x, g, local),
                ),
                v,
            )


def _data(v: Any) -> float:
    data: float = v.data
    return data


def _numbers(v: Value) -> list[float]:
    return [a if type(a) is float else _data(a) for a in v.args]


def _name(operand: Any, i: int, row: Op) -> str:
    label: str | None = getattr(operand, "label", None)
    if label is not None:
        return label
    return row.parameters[i] if i < len(row.parameters) and "*" not in row.parameters[i] else f"operand {i}"


def _written(row: Op, args: tuple[Any, ...], x: list[float]) -> str:
    shown = []
    for i, (operand, number) in enumerate(zip(args, x, strict=True)):
        named = getattr(operand, "label", None)
        shown.append(f"{named} = {number!r}" if named is not None else repr(number))
        if i == 7 and len(x) > 9:
            shown.append(f"… {len(x) - 8} more")
            break
    return f"{row.name}({', '.join(shown)})"


def _report(what: str, origin: Any, trap: str) -> str:
    where = str(origin) if origin is not None else "(built outside detect_anomaly(): build it inside to see the line)"
    return "\n".join([what, f"  made at: {where}", *([f"  {trap}"] if trap else [])])


def _origin() -> Origin:
    """The nearest line of code that is not ours."""
    frame: Any = sys._getframe(1)
    while frame is not None and os.path.abspath(frame.f_code.co_filename).startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return Origin("<unknown>", 0, "<unknown>", "")
    file, line = frame.f_code.co_filename, frame.f_lineno
    return Origin(file, line, frame.f_code.co_name, linecache.getline(file, line, frame.f_globals).strip())


def _forward_trap(row: Op, x: list[float], z: float) -> str:
    bad = [i for i, number in enumerate(x) if not isfinite(number)]
    if bad:
        return f"Operand {bad[0]} is {x[bad[0]]} already: it was made outside detect_anomaly(), or is a leaf."
    name, first = row.name, x[0] if x else 0.0
    if name in ("log", "log2", "log10", "xlogy") and min(x) == 0.0:
        return "Log of 0: keep the argument away from 0, or use xlogy, log_softmax, log_sigmoid or a loss from logits."
    if name == "log1p" and first == -1.0:
        return "Log of 0 (1 + x is 0): use log_sigmoid or a loss from logits."
    if name in ("exp", "expm1", "sinh", "cosh", "exp_quotient"):
        return "Overflow of exp (above 709.78): use logsumexp, softmax, log_softmax, sigmoid or softplus, which cannot overflow."
    if name == "pow":
        if first < 0.0 and x[1] != floor(x[1]):
            return "x**y at a negative base with a fractional exponent is not real: use mg.abs(x)**y, or mg.cbrt for a third."
        return "0 to a negative power is infinite." if first == 0.0 else "Overflow of pow: work with logarithms instead."
    if name in ("divide", "reciprocal", "over_square"):
        return "Division by 0: add a small number to the divisor, or select with mg.where."
    if z != z:
        return f"Outside the domain of {name}: {row.doc}"
    return "Overflow: the result is larger than 1.8e308; scale the operands, or work with logarithms."


def _backward_trap(row: Op, x: list[float], g: float, local: float) -> str:
    if local != local and g != 0.0:
        return f"The derivative of {row.name} does not exist there: {row.doc}"
    if g == 0.0 or (local == 0.0 and not isfinite(g)):
        return "0·inf in the backward pass: one factor of the chain rule is infinite where another is 0."
    if not isfinite(local):
        cure = {
            "sqrt": "sqrt has an infinite slope at 0: use mg.sqrt(x + 1e-12), or mg.hypot or mg.norm for a length",
            "pow": "x**y with y < 1 has an infinite slope at 0: keep the base away from 0",
            "cbrt": "cbrt has an infinite slope at 0",
            "log": "log has an infinite slope at 0: keep the argument away from 0, or use a loss from logits",
        }.get(row.name, f"{row.name} has an infinite slope there")
        return cure + ". Below it, 0·inf in the backward pass would give nan."
    return f"Overflow: {local:.3g} × {g:.3g} is beyond {copysign(1.8e308, local * copysign(1.0, g)):.3g}; scale the loss." if local not in (inf, -inf) else ""
