"""detect_anomaly(): the first value or gradient that is not finite becomes an error that explains itself."""

from __future__ import annotations

import linecache
import os
import sys
from contextlib import AbstractContextManager
from math import copysign, floor, isfinite
from typing import Any, NamedTuple

from .engine import Value, topological_order
from .modes import inspecting
from .places import cell
from .sweep import sent

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class AnomalyError(FloatingPointError):
    """A value or gradient was not finite under detect_anomaly(). The message names the node and the cure.

    Attributes:
        node: the Value whose number, or whose step of the backward pass, is not finite.
    """

    def __init__(self, message: str, node: Any = None) -> None:
        super().__init__(message)
        self.node = node

    def in_the_derivative_of(self, v: Value) -> AnomalyError:
        """The same error for a derivative that is built as a graph, which also says what was differentiated."""
        return AnomalyError(f"{self}\n  in the derivative of {_written(v)}\n{_made_at(v)}", v)


class Origin(NamedTuple):
    """The line of the user's code that made a node."""

    file: str
    line: int
    function: str
    code: str

    def __str__(self) -> str:
        place = cell(self.file) or f'File "{self.file}"'
        inside = f", in {self.function}" if self.function != "<module>" or place.startswith("File") else ""
        return f"{place}, line {self.line}{inside}: {self.code or '(source not available)'}"


def detect_anomaly() -> AbstractContextManager[None]:
    """Within it, the first result or gradient that is inf or nan raises AnomalyError.

    The message names the operation, the labels and values of its operands, the line of code that made the
    node, and the usual cure if it is a known trap (log of 0, overflow of exp, x**y at a negative base,
    0·inf on the way back ...). Graphs built within it remember their lines; it costs time, so use it to
    search, not to train. It holds for the thread that enters it.

    Raises:
        AnomalyError: within the context, as soon as a number is not finite; no grad is changed then.

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
    context: AbstractContextManager[None] = inspecting(_Detective())
    return context


class _Detective:
    """What the engine reports to (see value.inspecting)."""

    def created(self, v: Value) -> Origin:
        """A new node: where it was made; AnomalyError if it is not finite."""
        origin = _origin()
        if not isfinite(_data(v)):
            raise AnomalyError(_lines(f"{_written(v)} is {_data(v)}", f"  made at: {origin}", _forward_trap(v)), v)
        return origin

    def swept(self, v: Value, g: float, contributions: Any) -> None:
        """A step of the sweep: what flows to the operands of v."""
        if not isfinite(_data(v)):  # it was made outside, else created() had raised
            raise AnomalyError(
                _lines(f"{_written(v)} is {_data(v)}, and a gradient reaches it", _made_at(v), _already_bad(v)), v
            )
        if not isfinite(g):
            raise AnomalyError(
                _lines(f"the gradient that reaches {_written(v)} is {g}", _made_at(v), _already_bad(v)), v
            )
        for i, contribution in enumerate(contributions):
            if contribution is None or type(v.args[i]) is float or isfinite(contribution):
                continue
            row: Any = v.op
            local: Any = sent(row, 1.0, _data(v), _numbers(v))[i]
            raise AnomalyError(
                _lines(
                    f"the gradient of {_name(v, i)} in {_written(v)} is {contribution}: "
                    f"local derivative {local:.17g}, times {g:.17g} from above",
                    _made_at(v),
                    _already_bad(v) or _backward_trap(v, i, g, local),
                ),
                v,
            )

    def overflowed(self, v: Value, operand: Value, g: float) -> None:
        """The sum of the gradients of an operand of v is not finite, though each of them is."""
        i = next(i for i, x in enumerate(v.args) if x is operand)
        raise AnomalyError(
            _lines(
                f"the gradient of {_name(v, i)}, summed over its uses up to {_written(v)}, is {g}",
                _made_at(v),
                "Overflow: the sum is larger than 1.8e308; scale the loss, or work with logarithms.",
            ),
            v,
        )


# ── how it is said ──────────────────────────────────────────────────────────────────────────────
def _lines(what: str, where: str, trap: str) -> str:
    return "\n".join([what, where, *([f"  {trap}"] if trap else [])])


def _made_at(v: Value) -> str:
    outside = "outside detect_anomaly(): build the graph within it to see the line"
    return f"  made at: {v.origin if isinstance(v.origin, Origin) else outside}"


def _data(v: Any) -> float:
    data: float = v.data
    return data


def _numbers(v: Value) -> list[float]:
    return [a if type(a) is float else _data(a) for a in v.args]


def _label(v: Any) -> str | None:
    label: str | None = getattr(v, "label", None)
    return label if label is None or (label.isprintable() and label.strip()) else repr(label)


def _name(v: Value, i: int) -> str:
    """What operand i of v is called: its label, else its parameter's name."""
    row: Any = v.op
    label = _label(v.args[i])
    if label is not None:
        return label
    return row.parameters[i] if i < len(row.parameters) and "*" not in row.parameters[i] else f"operand {i}"


def _written(v: Value) -> str:
    """The operation with the labels and numbers of its operands, and its own label where it has one."""
    row: Any = v.op
    label = _label(v)
    prefix = "" if label is None else f"{label} = "
    if row is None:
        return f"{prefix}{_data(v)!r}"
    shown = []
    for i, (operand, number) in enumerate(zip(v.args, _numbers(v), strict=True)):
        name = _label(operand)
        shown.append(repr(number) if name is None else f"{name} = {number!r}")
        if i == 7 and len(v.args) > 9:
            shown.append(f"… {len(v.args) - 8} more")
            break
    return f"{prefix}{row.name}({', '.join(shown)})"


def _origin() -> Origin:
    """The nearest line of code that is not ours."""
    frame: Any = sys._getframe(1)
    while frame is not None and os.path.abspath(frame.f_code.co_filename).startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return Origin("<unknown>", 0, "<unknown>", "")
    file, line = frame.f_code.co_filename, frame.f_lineno
    return Origin(file, line, frame.f_code.co_name, linecache.getline(file, line, frame.f_globals).strip())


# ── the known traps and their cures ─────────────────────────────────────────────────────────────
def _already_bad(v: Value) -> str:
    """Where the numbers below v stopped to be finite, if they did before v."""
    first = next((x for x in topological_order(v) if not isfinite(_data(x))), None)
    if first is None:
        return ""
    if first.op is None:
        name = _label(first)
        return f"The leaf {_data(first) if name is None else f'{name} = {_data(first)}'} is not finite to begin with."
    constant = next((x for x in first.args if type(x) is float and not isfinite(x)), None)
    if constant is not None:  # a mask of −inf, say
        cure = "" if constant != constant else f": write a large number instead, {copysign(1e9, constant):g} say"
        return f"The constant {constant!r} in {_written(first)} is not finite to begin with{cure}."
    if first is v:
        return _forward_trap(v)
    return f"Before that, {_written(first)} is {_data(first)}: {_forward_trap(first)}"


_LOGARITHMS = ("log", "log2", "log10", "xlogy", "binary_cross_entropy", "logit")
_EXPONENTIALS = ("exp", "expm1", "sinh", "cosh", "exp_quotient")


def _forward_trap(v: Value) -> str:
    row: Any = v.op
    x = _numbers(v)
    name, first = row.name, x[0] if x else 0.0
    if not all(map(isfinite, x)):
        if name == "multiply" and 0.0 in x:
            return f"0·inf is nan. {_already_bad(v)}"
        return _already_bad(v)
    if name in _LOGARITHMS and (0.0 in x or (1.0 in x and name in ("logit", "binary_cross_entropy"))):
        return (
            "Log of 0: keep the argument away from 0, or use log_sigmoid, log_softmax, logsumexp, xlogy or a loss "
            "from logits, which never take it."
        )
    if name == "log1p" and first == -1.0:
        return "Log of 0 (1 + x is 0): use log_sigmoid or a loss from logits."
    if name in _EXPONENTIALS:
        return (
            "Overflow of exp (its argument is above 709.78): use logsumexp, softmax, log_softmax, sigmoid or "
            "softplus, which cannot overflow, or scale the argument."
        )
    if name == "pow":
        if first < 0.0 and x[1] != floor(x[1]):
            return (
                "x**y at a negative base with a fractional exponent is not real: use mg.abs(x)**y, or mg.cbrt for "
                "a third."
            )
        if first == 0.0:
            return "0 to a negative power is infinite: keep the base away from 0."
        return "Overflow of pow: work with logarithms instead."
    if name in ("divide", "reciprocal", "over_square", "remainder") and x[-1] == 0.0:
        return "Division by 0: add a small number to the divisor, or select a safe divisor with mg.where first."
    if _data(v) != _data(v):
        return f"Outside the domain of {name}: {row.doc}"
    if name in ("atanh", "tan"):
        return f"A pole of {name}: keep the argument away from {first!r}."
    if row.pullback is None and not any(abs(operand) > 1e15 for operand in x):
        return f"A pole of {name}, or an overflow within it: keep the arguments away from there."
    return "Overflow: the result is larger than 1.8e308; scale the operands, or work with logarithms."


_INFINITE_SLOPES = {
    "sqrt": "sqrt has an infinite slope at 0: use mg.sqrt(x + 1e-12), or mg.hypot or mg.norm for a length",
    "pow": "x**y with y < 1 has an infinite slope at 0: keep the base away from 0",
    "cbrt": "cbrt has an infinite slope at 0: keep the argument away from 0",
    "log": "log has an infinite slope at 0: keep the argument away from 0, or use a loss from logits",
}


def _backward_trap(v: Value, i: int, g: float, local: float) -> str:
    row: Any = v.op
    x = _numbers(v)
    if row.name == "pow" and i == 1 and x[0] <= 0.0:
        return (
            "x**y at a negative base (or 0) has no derivative by the exponent, which would be x**y·log(x): make the "
            "exponent a plain number, or use mg.abs(x)**y."
        )
    if local != local:
        return f"The derivative of {row.name} does not exist there: {row.doc}"
    if isfinite(local):
        return f"Overflow: {local:.3g} × {g:.3g} is larger than 1.8e308; scale the loss, or work with logarithms."
    cure = _INFINITE_SLOPES.get(row.name, f"{row.name} has an infinite slope there: keep the argument away from it")
    if g == 0.0:
        return f"0·inf is nan, and a gradient of 0 is a number (only a branch not taken has none): {cure}."
    return f"{cure}. {_what_inf_becomes(v.args[i])}"


def _what_inf_becomes(operand: Value) -> str:
    """Whether an infinite gradient meets a derivative of 0 one step further down: the trap 0·inf."""
    row: Any = operand.op
    locals_ = [] if row is None else sent(row, 1.0, _data(operand), _numbers(operand))
    if any(d == 0.0 for d, x in zip(locals_, operand.args, strict=False) if d is not None and type(x) is not float):
        return f"Next, {_written(operand)} has the derivative 0: 0·inf in the backward pass, which is nan."
    return "Further down, 0·inf in the backward pass would be nan."
