"""Value: a float that remembers how it was computed. Recording, sorting and the backward sweep; no rules.

The rules are the table's (ops.py). This file is plain Python, and compiles unchanged with Cython to
`microgradlike._value`, which engine.py prefers where it is installed. Annotations such as
`cython.double` mean something to Cython only.

What a node holds: data, grad, the row of the table it came from, its operands. No closure and no set,
so a node refers only to older nodes: no reference cycle can exist, and the collector has nothing to do.
Nothing here recurses: a chain of ten million nodes builds, sorts, sweeps, copies and frees.
"""

from __future__ import annotations

import operator
import os
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from itertools import chain, repeat
from math import copysign
from operator import add as _plus
from operator import index as _index
from operator import is_ as _is
from typing import Any

from . import floats
from .floats.reading import checked, number
from .floats.rounding import floor_quotient, rounded
from .messages import did_you_mean
from .ops import GIVEN, NAN, NO_FORMULA, ROWS, TABLE, Gated, Op

try:
    import cython
except ImportError:  # Cython is needed to build the compiled engine only

    class cython:  # type: ignore[no-redef]  # noqa: N801  (stands in for the module of that name)
        """The names of Cython's pure-Python mode that are used here, doing nothing."""

        compiled = False
        double = longlong = int = int

        @staticmethod
        def cast(kind: Any, x: Any) -> Any:
            return kind(x)

        @staticmethod
        def boundscheck(_on: bool) -> Any:
            return lambda decorated: decorated

        wraparound = boundscheck

        @staticmethod
        def locals(**_types: Any) -> Any:
            return lambda decorated: decorated

        @staticmethod
        def no_gc(decorated: Any) -> Any:
            return decorated

        cclass = cfunc = inline = no_gc

        @staticmethod
        def freelist(_size: Any) -> Any:
            return lambda decorated: decorated


COMPILED: bool = cython.compiled
if not cython.compiled:  # the rows of the table in C, where there is C (value.pxd); each answers whether it can

    def mg_absent(g: float) -> bool:
        """Whether this is −0: the gradient of a node that nothing has reached."""
        return g == 0.0 and copysign(1.0, g) < 0.0

    ints_of: Any = lambda array: array
    _nothing_in_c: Any = lambda *_: False
    mg_call_1 = mg_call_2 = mg_call_n = mg_each = mg_back_1 = mg_back_2 = mg_back_n = mg_back_each = _nothing_in_c

# The rows of operators; tests/test_value.py holds what is written out below equal to the table.
ADD, SUBTRACT, MULTIPLY, DIVIDE, POW = (TABLE[_].number for _ in ("add", "subtract", "multiply", "divide", "pow"))
NEGATIVE, RELU, POSITIVE = (TABLE[_].number for _ in ("negative", "relu", "positive"))
EXP, LOG, TANH, SIGMOID, SQRT = (TABLE[_].number for _ in ("exp", "log", "tanh", "sigmoid", "sqrt"))

_EXACT = 2**53  # integers up to here are floats

_epoch = 0  # how many times any leaf's data was assigned: tells whether a graph is stale
_stamp = 0  # the number of the last sort, which marks the nodes that it has placed
_newest = 0  # of that sort: the epoch of the leaf that was assigned last, ...
_oldest = 0  # ... and of the oldest node; only if the leaf is newer can the graph be stale
_sweeping = 0  # how many sweeps are under way; more than one if a rule starts another
_special = 0  # how many contexts below are open in any thread; 0 on the fast path
_observer: Any = None  # told when Python branches on a Value or reads its data (compile's recording)
_lock = threading.RLock()  # one sweep at a time: sweeps share the scratch fields of leaves
if hasattr(os, "register_at_fork"):  # a child process has none of the threads that held it
    os.register_at_fork(after_in_child=_lock._at_fork_reinit)  # type: ignore[attr-defined]


class GraphError(RuntimeError):
    """A graph cannot be used like that: a computed value was assigned, or a leaf changed under a graph."""


class _Elsewhere:
    """What a Value answers by code that stands above this file, which gives it to `connect`: copies, NumPy's ufuncs,
    and the names that it has not itself."""


_elsewhere: Any = _Elsewhere()


def connect(**answers: Any) -> None:
    """Answer by these functions: `attribute(v, name)`, `methods()`, `array_ufunc(ufunc, method, inputs, options)`,
    `shallow_copy(v)`, `deep_copy(v, memo)`, `reduced(v)`."""
    vars(_elsewhere).update(answers)


@cython.no_gc
@cython.freelist(512)  # not more: what one list hands out comes from all over the memory after some steps
@cython.cclass
class Value:
    """A float64 that records the computation it takes part in.

    Args:
        data: a real number: int, float, Fraction, Decimal or a NumPy scalar; stored as a float.
        operands: what data was computed from by an operation of your own: a tuple of Values and numbers. None (or the
            empty tuple) for a leaf; text is the label.
        slopes: the derivative of data by each operand, numbers. Such a node has first derivatives only, and cannot be
            compiled: `microgradlike.primitive` makes operations without these limits.
        label: a name for pictures and messages; any text.

    Raises:
        TypeError: data is text, None, complex, a sequence, an array or already a Value; or operands came without
            slopes, or while a function is being compiled.
        ValueError: there are more operands than slopes, or fewer.
        OverflowError: data is an integer too large for a float.

    Example:
        >>> from microgradlike import Value
        >>> a, b = Value(5, label="a"), Value(3, label="b")
        >>> (a * b + a).backward()
        >>> a.grad, b.grad
        (4.0, 5.0)
        >>> c = Value(a.data**3, (a,), (3 * a.data**2,))
        >>> c.backward()
        >>> a.grad
        79.0

    `<`, `<=`, `>`, `>=`, `if`, and `==` with a number, look at the data. Two Values are equal only if they are the
    same node, and their hash is by identity.
    """

    __slots__ = ("_a", "_b", "_code", "_cot", "_data", "_epoch", "_grad", "_mark")

    _data: cython.double
    _grad: cython.double
    _cot: cython.double  # scratch of a sweep: the gradient gathered so far
    _code: cython.int  # the number of the row that computed it, see `op`
    _a: Any  # first operand (a Value or a float), or a tuple of all operands; None for a leaf
    # Second operand; None if there is none. Where `_a` is None or a tuple: the note, see `_note_of`, or a float, the
    # index in front of operands that several nodes share, see `elements`.
    _b: Any
    _epoch: cython.longlong
    _mark: cython.longlong

    kind = "input"  # what a leaf is in a picture; nn.Parameter says "parameter"

    def __init__(self, data: Any, operands: Any = None, slopes: Any = None, label: Any = None) -> None:
        self._grad = 0.0
        self._b = None
        self._mark = 0
        if isinstance(data, Value) and is_observed():  # of a number, which is a Value only because it is recorded
            v: Value = data
            self._data = v._data
            self._code = POSITIVE
            self._a = v
            self._epoch = _epoch
        else:
            self._data = checked(data)
            self._code = 0
            self._a = None
            self._epoch = 0
        if operands is not None:
            if type(operands) is str:
                label = operands
            else:
                _give(self, operands, slopes)
        elif slopes is not None:
            raise TypeError(f"slopes without operands: {slopes!r}")
        if label is not None:
            self.label = label
        if _observer is not None and self._a is None:
            _observer.created(self)

    # ── what it holds ───────────────────────────────────────────────────────────────────────────
    @property
    def data(self) -> float:
        """The number. Only a leaf's may be assigned: a computed one follows from its operands."""
        if _observer is not None:
            _observer.data_read(self)
        return self._data

    @data.setter
    def data(self, number: Any) -> None:
        global _epoch
        if self._a is not None:
            raise GraphError(
                f"data of {_name_of(self)} was computed by {ROWS[self._code].name} and cannot be assigned: "
                "assign the leaf it depends on and compute it again, or go on from a leaf, v = v.detach()"
            )
        if type(number) is not float:
            number = checked(number)
        if _observer is not None:
            _observer.assigned(self)
        if cython.compiled and not _sweeping:  # no other thread gets in between here: a training step assigns often
            _epoch += 1
            self._epoch = _epoch
            self._data = number
            return
        with _lock:
            _epoch += 1
            self._epoch = _epoch
            self._data = number

    @property
    def grad(self) -> float:
        """d(root)/d(self), from backward(): a leaf adds up all sweeps, a computed node holds the last one's."""
        if _observer is not None:
            _observer.grad_read(self)
        return self._grad

    @grad.setter
    def grad(self, number: Any) -> None:
        self._grad = number if type(number) is float else checked(number, "grad")

    @property
    def label(self) -> str | None:
        """The user's name for it, any text, or None."""
        note = _note_of(self)
        return note[0] if type(note) is tuple else note

    @label.setter
    def label(self, text: Any) -> None:
        if text is not None and not isinstance(text, str):
            raise TypeError(f"label must be text or None, not {type(text).__name__}: {text!r}")
        note = _note_of(self)
        _annotate(self, (text, note[1]) if type(note) is tuple else text)

    @property
    def origin(self) -> Any:
        """The line of code that made the node, if it was made under detect_anomaly(); else None."""
        note = _note_of(self)
        return note[1] if type(note) is tuple else None

    @property
    def op(self) -> Op | None:
        """The row of the table that computed it; None for a leaf."""
        return None if self._a is None else ROWS[self._code]

    @property
    def args(self) -> tuple[Any, ...]:
        """The operands, each a Value or, for a constant, a float."""
        a = self._a
        if a is None:
            return ()
        b = self._b
        if type(a) is tuple:
            return (b, *a) if type(b) is float else a
        if b is None:
            return (a,)
        if type(b) is float or isinstance(b, Value):
            return (a, b)
        return self._a  # another thread gave it a label just now, and put the operands into a tuple

    @property
    def is_leaf(self) -> bool:
        """Whether it was made from a number rather than computed."""
        return self._a is None

    # ── gradients ───────────────────────────────────────────────────────────────────────────────
    def backward(self, gradient: Any = 1.0) -> None:
        """Add d(self)/d(leaf) to the grad of every leaf, and set that of every computed node.

        Gradients over several paths add up. All of them are written in one step at the end: an
        error or an interrupt on the way changes none.

        Args:
            gradient: what d(self)/d(self) counts as; 1 unless self is a part of something else.

        Raises:
            GraphError: the data of a leaf was assigned after the graph was built.
        """
        if not isinstance(self, Value):
            raise _no_value("backward", self)
        first = checked(gradient, "gradient")
        if _observer is not None:
            _observer.grad_read(self)
        with _lock:
            before = _epoch
            order = _sweep([self], [first])
            if _epoch != before:  # a rule assigned a leaf on the way
                _check_fresh(order)
            _commit(order)

    def zero_grad(self) -> None:
        """Set grad to 0 for self and everything it depends on."""
        if not isinstance(self, Value):
            raise _no_value("zero_grad", self)
        with _lock:
            node: Value
            for node in _sort([self]):
                node._grad = 0.0

    def detach(self) -> Value:
        """A new leaf with the same data and label, that does not remember how it was computed."""
        if not isinstance(self, Value):
            raise _no_value("detach", self)
        if _observer is not None:
            _observer.data_read(self)
        return Value(self._data, self.label)

    # ── arithmetic ──────────────────────────────────────────────────────────────────────────────
    def __add__(self, other: Any) -> Value:
        if type(other) is not Value:
            other = _operand(other)
            if other is NotImplemented:
                return other
        v: Value = Value.__new__(Value)
        if type(other) is float:
            c: cython.double = other
            v._data = self._data + c
        else:
            y: Value = other
            v._data = self._data + y._data
        v._grad = 0.0
        v._code = ADD
        v._a = self
        v._b = other
        v._epoch = _epoch
        v._mark = 0
        return _noticed(v) if _special else v

    def __mul__(self, other: Any) -> Value:
        if type(other) is not Value:
            other = _operand(other)
            if other is NotImplemented:
                return other
        v: Value = Value.__new__(Value)
        if type(other) is float:
            c: cython.double = other
            v._data = self._data * c
        else:
            y: Value = other
            v._data = self._data * y._data
        v._grad = 0.0
        v._code = MULTIPLY
        v._a = self
        v._b = other
        v._epoch = _epoch
        v._mark = 0
        return _noticed(v) if _special else v

    # The reflected methods can get a Value too: compiled, Python asks a subclass on the right before the left.
    def __radd__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else _node(_float(other) + self._data, ADD, other, self)

    def __rmul__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else _node(_float(other) * self._data, MULTIPLY, other, self)

    def __sub__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else _node(self._data - _float(other), SUBTRACT, self, other)

    def __rsub__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else _node(_float(other) - self._data, SUBTRACT, other, self)

    def __neg__(self) -> Value:
        return _node(-self._data, NEGATIVE, self, None)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return values.abs(self)

    def __truediv__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else _node(_quotient(self._data, _float(other)), DIVIDE, self, other)

    def __rtruediv__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else _node(_quotient(_float(other), self._data), DIVIDE, other, self)

    def __pow__(self, other: Any, modulo: Any = None) -> Value:
        other = _operand(other)
        if other is NotImplemented or modulo is not None:
            return NotImplemented
        return _node(_power(self._data, _float(other)), POW, self, other)

    def __rpow__(self, other: Any, modulo: Any = None) -> Value:
        other = _operand(other)
        if other is NotImplemented or modulo is not None:
            return NotImplemented
        return _node(_power(_float(other), self._data), POW, other, self)

    def __mod__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else values.remainder(self, other)

    def __rmod__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else values.remainder(other, self)

    def __floordiv__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else floor_quotient(values, self, other)

    def __rfloordiv__(self, other: Any) -> Value:
        other = _operand(other)
        return other if other is NotImplemented else floor_quotient(values, other, self)

    def __divmod__(self, other: Any) -> Any:
        other = _operand(other)
        return other if other is NotImplemented else (self // other, self % other)

    def __rdivmod__(self, other: Any) -> Any:
        other = _operand(other)
        return other if other is NotImplemented else (other // self, other % self)

    def __floor__(self) -> Any:
        return values.floor(self)

    def __ceil__(self) -> Any:
        return values.ceil(self)

    def __trunc__(self) -> Any:
        return values.trunc(self)

    def __round__(self, ndigits: Any = None) -> Any:
        digits = 0 if ndigits is None else _index(ndigits)
        return values.round(self) if digits == 0 else rounded(values, self, digits)

    # np.round(v) and np.clip(v, low, high) call these two, with out=None.
    def round(self, decimals: Any = 0, out: Any = None) -> Any:  # noqa: ARG002
        """Nearest number with so many decimals, ties to even"""
        return self.__round__(decimals)

    def clip(self, low: Any, high: Any, out: Any = None) -> Any:  # noqa: ARG002
        """self, but at least low and at most high"""
        return values.clip(self, low, high)

    # The functions that programs use most, as methods; __getattr__ finds the others in the table.
    def relu(self) -> Any:
        """max(self, 0)"""
        if not isinstance(self, Value):  # Value.relu(3.0): compiled, self is whatever was passed
            return values.relu(self)
        x: cython.double = self._data
        return _node(x if x > 0.0 or x != x else 0.0, RELU, self, None)

    def exp(self) -> Value:
        """e to the power self"""
        return _applied(EXP, self)

    def log(self) -> Value:
        """Natural logarithm"""
        return _applied(LOG, self)

    def tanh(self) -> Value:
        """Hyperbolic tangent"""
        return _applied(TANH, self)

    def sigmoid(self) -> Value:
        """1 / (1 + e^−self)"""
        return _applied(SIGMOID, self)

    def sqrt(self) -> Value:
        """Square root"""
        return _applied(SQRT, self)

    def __getattr__(self, name: str) -> Any:
        return _elsewhere.attribute(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *_elsewhere.methods()})

    # ── comparison looks at the data; two Values are equal only if they are the same node, as their hash says ──
    def __lt__(self, other: Any) -> bool:
        if type(other) is not Value and type(other) is not float:
            return _compared(self, other, "<")
        return _outcome(self, other, "<", self._data < _float(other))

    def __le__(self, other: Any) -> bool:
        if type(other) is not Value and type(other) is not float:
            return _compared(self, other, "<=")
        return _outcome(self, other, "<=", self._data <= _float(other))

    def __gt__(self, other: Any) -> bool:
        if type(other) is not Value and type(other) is not float:
            return _compared(self, other, ">")
        return _outcome(self, other, ">", self._data > _float(other))

    def __ge__(self, other: Any) -> bool:
        if type(other) is not Value and type(other) is not float:
            return _compared(self, other, ">=")
        return _outcome(self, other, ">=", self._data >= _float(other))

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Value):
            if self is not other and _observer is not None:
                _observer.compared(self, other)
            return self is other
        return _compared(self, other, "==")

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __bool__(self) -> bool:
        return _outcome(self, 0.0, "!=", self._data != 0.0)

    def __hash__(self) -> int:
        if _observer is not None:
            return _observer.hashed(self, self._data)  # type: ignore[no-any-return]
        return object.__hash__(self)

    # ── nothing drops the graph silently ────────────────────────────────────────────────────────
    def __float__(self) -> float:
        raise TypeError(
            "float() of a Value would lose the graph: write v.data for the number, or the function of this "
            "package that records (mg.exp(v), not math.exp(v))"
        )

    def __int__(self) -> int:
        raise TypeError("int() of a Value would lose the graph: write int(v.data), or mg.trunc(v) to record")

    def __index__(self) -> int:
        raise TypeError(
            "a Value is no index and no count: mg.take(items, v) selects by it and records; int(v.data) is its number"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return _elsewhere.array_ufunc(ufunc, method, inputs, options)

    # ── text ────────────────────────────────────────────────────────────────────────────────────
    def __repr__(self) -> str:
        label = "" if self.label is None else f", label={self.label!r}"
        op = "" if self._a is None else f", op={ROWS[self._code].name}"
        number = self._data if _observer is None else _observer.shown(self, self._data)
        return f"{type(self).__name__}(data={number!r}, grad={self._grad!r}{label}{op})"

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        return format(self._data if _observer is None else _observer.shown(self, self._data), spec)

    # ── copying: flat, so that depth does not matter (copying.py) ───────────────────────────────
    def __copy__(self) -> Any:
        return _elsewhere.shallow_copy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return _elsewhere.deep_copy(self, memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _elsewhere.reduced(self)


if COMPILED:  # value.pxd defines these
    free_without_recursion(Value)  # type: ignore[name-defined]  # noqa: F821
    say_what_to_set(Value)  # type: ignore[name-defined]  # noqa: F821


# ── making nodes ────────────────────────────────────────────────────────────────────────────────
@cython.cfunc
def _node(data: cython.double, code: cython.int, a: Any, b: Any) -> Any:
    v: Value = Value.__new__(Value)
    v._data = data
    v._grad = 0.0
    v._code = code
    v._a = a
    v._b = b
    v._epoch = _epoch
    v._mark = 0
    return _noticed(v) if _special else v


@cython.cfunc
def _applied(code: cython.int, x: Any) -> Any:
    """A row of one operand, as `values` answers it, without looking it up where C knows it."""
    z: cython.double = 0.0
    if cython.compiled and type(x) is Value and mg_call_1(code, _float(x), cython.address(z)):
        return _node(z, code, x, None)
    return getattr(values, ROWS[code].name)(x)


def restore(
    cls: Any, data: float, grad: float, row: Op | None, args: tuple[Any, ...], label: str | None, epoch: Any = None
) -> Any:
    """A node exactly as it was, for copying and loading. Operands must be Values or floats.

    `epoch` is that of the original (see `epoch`), so that the copy of a stale graph is stale.
    """
    v: Value = cls.__new__(cls)
    v._data = data
    v._grad = grad
    v._code = 0 if row is None else row.number
    v._a = v._b = None
    if row is not None:
        if len(args) == 1 and row.arity == 1:
            v._a = args[0]
        elif len(args) == 2 and row.arity == 2:
            v._a, v._b = args
        elif row.name in floats.elements_back and type(args[0]) is float:
            v._a, v._b = _shared_operands(args[1:]), args[0]
        else:
            v._a = tuple(args)
    if label is not None:
        _annotate(v, label)
    if epoch is None:
        epoch = _epoch if row is not None else 0
    v._epoch = epoch
    v._mark = 0
    return v


def _shared_operands(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """These operands, or the same ones that the last call had: elements that share theirs do so again."""
    global _last_shared
    if not (len(operands) == len(_last_shared) and all(map(_is, operands, _last_shared))):
        _last_shared = operands
    return _last_shared


def restored_all() -> None:
    """Ends a number of calls of `restore` that belong together."""
    global _last_shared
    _last_shared = ()


_last_shared: tuple[Any, ...] = ()


@cython.cfunc
def _note_of(v: Value) -> Any:
    """What is noted about a node: its label, or (label, line of code that made it), or None.

    Few nodes have a note, so it has no field of its own: it is where a leaf, or a node with its operands in a tuple,
    has no second operand.
    """
    if v._a is not None and type(v._a) is not tuple:
        return None
    note = v._b
    return None if type(note) is float or isinstance(note, Value) else note


@cython.cfunc
def _annotate(v: Value, note: Any) -> object:
    with _lock:
        a = v._a
        if a is not None and type(a) is not tuple:
            if note is None:
                return None
            v._a = (a,) if v._b is None else (a, v._b)
        elif type(v._b) is float:
            if note is None:
                return None
            v._a = (v._b, *a)  # type: ignore[misc]  # a tuple, as was just asked
        v._b = note
    return None


def epoch(v: Any = None) -> int:
    """How many assignments to leaves had been made when v was assigned or computed; without v, by now."""
    if v is None:
        return _epoch
    node: Value = v
    return node._epoch


def _give(v: Value, operands: Any, slopes: Any) -> None:
    """Make a new leaf a node that depends on these operands with these slopes."""
    if isinstance(slopes, str) or (slopes is None and operands):
        raise TypeError(
            f"Value(data, operands, slopes) wants the derivative of data by each operand, not {slopes!r}, and has no "
            "_backward: say Value(x**2, (v,), (2 * x,)) for an operation of your own. mg.primitive(name, rule, "
            "formula=...) makes one that also compiles and has derivatives of any order, and mg.tanh, mg.exp, mg.log "
            "... are here already"
        )
    if not isinstance(operands, (tuple, list)):
        kind = type(operands).__name__
        raise TypeError(
            f"operands must be a tuple of Values and numbers (or text, the label), not {kind}: {operands!r}"
        )
    operands = _operands(GIVEN, tuple(operands))
    slopes = tuple([checked(slope, "slope") for slope in (() if slopes is None else slopes)])
    if len(slopes) != len(operands):
        raise ValueError(f"{len(operands)} operands, but {len(slopes)} slopes")
    if is_observed():
        raise TypeError(NO_FORMULA)
    if operands and is_recording():
        v._code = GIVEN.number
        v._a = slopes + operands
        v._epoch = _epoch
        if _special:
            _noticed(v)


def _noticed(v: Value) -> Any:
    """What no_grad() and detect_anomaly() make of a new node."""
    inspector = _mode("inspector", None)
    if inspector is not None:
        _annotate(v, (None, inspector.created(v)))
    return v if is_recording() else restore(Value, v._data, 0.0, None, (), None)


@cython.cfunc
def _operand(x: Any) -> Any:
    """x as an operand: a Value, or an exact float; NotImplemented if it is no real number."""
    if type(x) is float or isinstance(x, Value):
        return x
    if type(x) is int and -_EXACT <= x <= _EXACT:
        return float(x)
    if isinstance(x, (int, float)) and not hasattr(x, "__array_ufunc__"):
        return checked(x)
    try:
        return number(x)
    except TypeError:
        return NotImplemented


@cython.cfunc
def _float(x: Any) -> cython.double:
    """The number of an operand."""
    if type(x) is float:
        return x
    v: Value = x
    return v._data


@cython.cfunc
def _quotient(x: cython.double, y: cython.double) -> cython.double:
    z: cython.double = 0.0
    if cython.compiled and mg_call_2(DIVIDE, x, y, cython.address(z)):
        return z
    return floats.divide(x, y)


@cython.cfunc
def _power(x: cython.double, y: cython.double) -> cython.double:
    z: cython.double = 0.0
    if cython.compiled and mg_call_2(POW, x, y, cython.address(z)):
        return z
    return floats.pow(x, y)


_RELATIONS: dict[str, Any] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_ROUNDED = {"<": ("<=", "<"), "<=": ("<=", "<"), ">": (">", ">="), ">=": (">", ">=")}


def _compared(v: Value, other: Any, relation: str) -> Any:
    """How v compares with any number, exactly, as Python's float does: 2⁵³ < 2⁵³ + 1, and 0.1 > 1/10.

    Where the float next to it is not the number, the test is one with that float that has the same outcome.
    """
    try:
        x = _operand(other)
    except OverflowError:
        x = float("inf") if other > 0 else -float("inf")
    if x is NotImplemented:
        return x
    if type(x) is float and x == x and other != x:
        if relation == "==":
            return False
        relation = _ROUNDED[relation][0 if x < other else 1]
    return _outcome(v, x, relation, _RELATIONS[relation](v._data, _float(x)))


def _outcome(left: Any, right: Any, relation: str, outcome: bool) -> bool:
    if _observer is not None:
        _observer.branched(left, relation, right, outcome)
    return outcome


def _name_of(v: Value) -> str:
    return repr(v.label) if v.label is not None else f"a Value ({v._data:.6g})"


def _no_value(method: str, x: Any) -> TypeError:
    return TypeError(f"{method}() is a method of a Value, not of {type(x).__name__}: {x!r}")


# ── the namespace of Values ─────────────────────────────────────────────────────────────────────
class _Values:
    """Rows answered by recording: `values.tanh(x)` is a new node; plain numbers in, a float out."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        row = TABLE.get(name)
        if row is None:
            hint = did_you_mean(name, TABLE)
            raise AttributeError(f"no primitive is named {name!r}" + (hint and f"; {hint}"))
        function = recorder(row)
        setattr(self, name, function)
        return function

    def defined(self, test: Any, x: Any) -> Any:
        """x, and nan where test is nan: known at once here, so it needs no node of its own.

        But in a program that is recorded, which is run for other numbers later.
        """
        if _observer is not None and isinstance(test, Value) and is_observed():
            return _recorded_defined(test, x)
        if (t := _float(test)) == t:
            return x
        return self.multiply(x, NAN) if isinstance(x, Value) else NAN  # its derivatives are nan, too

    def gate(self, condition: Any, g: Any) -> Any:
        """The cotangent g, or None: known at once here, but in a program that is run for other numbers later."""
        if _observer is not None and isinstance(condition, Value) and is_observed():
            return Gated(condition, g)
        return g if _float(condition) else None

    def unit_vector(self, xs: Sequence[Any], norm: Any) -> list[Any]:
        """xᵢ / ‖x‖, of x times a power of two where the norm is subnormal or overflows.

        Not while a program is recorded, which must not depend on these numbers: there, compile/lowering.py sees to it.
        """
        z = _float(norm)
        if not (2.3e-308 < z < 1e308 or z == 0.0 or z != z) and not is_observed():
            largest = max([abs(_float(x)) for x in xs])
            if largest - largest == 0.0:
                scale = 2.0 ** (-600 if largest > 1.0 else 600)
                xs = [self.multiply(x, scale) for x in xs]
                norm = self.norm(*xs)
        return [self.fraction(x, norm) for x in xs]

    def __repr__(self) -> str:
        return "values"


def recorder(row: Op) -> Callable[..., Any]:
    """The function that computes `row` on Values and numbers, and records it."""
    forward = row.on(floats)
    if not hasattr(floats, row.name):
        forward = _checked_forward(row, forward)
    code: cython.int = row.number
    arity, defaults = row.arity, row.defaults

    def unary(x: Any) -> Any:
        if type(x) is not Value:
            operand = _operand(x)
            if operand is NotImplemented:
                raise _refused(row, (x,))
            x = operand
        p: cython.double = _float(x)
        z: cython.double = 0.0
        if not (cython.compiled and mg_call_1(code, p, cython.address(z))):
            z = forward(p)
        return z if type(x) is float else _node(z, code, x, None)

    def binary(x: Any, y: Any) -> Any:
        if type(x) is not Value or type(y) is not Value:
            a, b = _operand(x), _operand(y)
            if a is NotImplemented or b is NotImplemented:
                raise _refused(row, (x, y))
            x, y = a, b
        p: cython.double = _float(x)
        q: cython.double = _float(y)
        z: cython.double = 0.0
        if not (cython.compiled and mg_call_2(code, p, q, cython.address(z))):
            z = forward(p, q)
        return z if type(x) is float and type(y) is float else _node(z, code, x, y)

    def several(*args: Any) -> Any:
        operands = args
        constant = True
        for x in args:
            if isinstance(x, Value):
                constant = False
            elif type(x) is not float:
                operands = _operands(row, args)
                constant = all(type(x) is float for x in operands)
                break
        if arity is not None and len(args) != arity:
            if len(args) + len(defaults) < arity or len(args) > arity:
                raise TypeError(f"{row.name} takes {arity} arguments ({', '.join(row.parameters)}), not {len(args)}")
            operands += defaults[len(defaults) - (arity - len(args)) :]
        if arity == 2:
            return binary(*operands)
        z: cython.double = 0.0
        numbers: Any = None
        if cython.compiled:
            numbers = _numbers(operands)
            if not mg_call_n(code, _pointer(numbers), len(operands), cython.address(z)):
                numbers = None
        if numbers is None:
            z = forward(*[_float(x) for x in operands])
        return z if constant else _node(z, code, operands, None)

    if defaults or arity is None or arity > 2:
        function = several
    else:
        function = unary if arity == 1 else binary
    function.__name__ = function.__qualname__ = row.name
    return function


if COMPILED:

    @cython.cfunc
    def _numbers(operands: tuple) -> bytearray:  # type: ignore[type-arg]
        """The numbers of operands, as C has them."""
        raw = bytearray(8 * len(operands))
        p: cython.p_double = _pointer(raw)
        i: cython.Py_ssize_t
        for i in range(len(operands)):
            p[i] = _float(operands[i])
        return raw

    @cython.cfunc
    @cython.inline
    def _pointer(raw: bytearray) -> cython.p_double:
        return cython.cast(cython.p_double, cython.cast(cython.p_char, raw))


@cython.cfunc
def _operands(row: Op, args: tuple) -> tuple:  # type: ignore[type-arg]
    """The arguments as Values and exact floats."""
    operands: list = []  # type: ignore[type-arg]
    for x in args:
        operand = _operand(x)
        if operand is NotImplemented:
            raise _refused(row, args)
        operands.append(operand)
    return tuple(operands)


def elements(row: Op, xs: Sequence[Any]) -> list[Any]:
    """`row` of every index and these xs, in time and memory that grow as the list does: nodes share their operands."""
    operands = _operands(row, (0.0, *xs))[1:]
    n: cython.int = len(operands)
    results: Any
    if cython.compiled:
        results = bytearray(8 * n)
        numbers: bytearray = _numbers(operands)
        mg_each(row.number, _pointer(numbers), n, _pointer(results))
        results = memoryview(results).cast("d")
    else:
        results = map(floats.nth(row.name, tuple(map(_float, operands))), map(float, range(n)))
    if all(type(x) is float for x in operands):
        return list(results)
    code: cython.int = row.number
    return [_node(z, code, operands, float(k)) for k, z in enumerate(results)]


def _checked_forward(row: Op, forward: Callable[..., Any]) -> Callable[..., Any]:
    """A formula of the user's may compute an int (then it is a float after all) or no number at all."""

    def computed(*x: float) -> float:
        z = forward(*x)
        return z if type(z) is float else checked(z, f"{row.name}: the result of its formula")

    return computed


def _refused(row: Op, args: Sequence[Any]) -> TypeError:
    fixed = [name for name in row.parameters if not name.startswith("*")]
    for i, x in enumerate(args):
        try:
            if not isinstance(x, Value):
                number(x)
        except TypeError as error:  # noqa: PERF203  (an error is on its way)
            name = fixed[i] if i < len(fixed) else f"element {i - len(fixed)} of its arguments"
            return TypeError(f"{row.name}: {name} {error}")
    return TypeError(f"{row.name}: arguments must be Values or real numbers")


def record(row: Op, *args: Any) -> Any:
    """Compute `row` on these operands and record it; plain numbers in, a float out."""
    return getattr(values, row.name)(*args)


values: Any = _Values()
_recorded_defined = recorder(TABLE["defined"])


# ── sorting and sweeping ────────────────────────────────────────────────────────────────────────
def topological_order(roots: Any) -> list[Value]:
    """Every Value that `roots` depend on, operands before results, the roots included.

    Depth first, first operand first: the same graph gives the same order on every run.

    Args:
        roots: a Value, or a sequence of them.

    Example:
        >>> from microgradlike import Value, topological_order
        >>> a, b = Value(2, label="a"), Value(3, label="b")
        >>> [v.label or v.op.name for v in topological_order(a * b + a)]
        ['a', 'b', 'multiply', 'add']
    """
    if isinstance(roots, Value):
        roots = [roots]
    elif isinstance(roots, str) or not hasattr(roots, "__iter__"):
        raise TypeError(f"roots must be a Value or a sequence of Values, not {type(roots).__name__}: {roots!r}")
    roots = list(roots)
    for root in roots:
        if not isinstance(root, Value):
            raise TypeError(f"roots must be Values, not {type(root).__name__}")
    with _lock:
        order: list[Value] = _sort(roots)
    return order


@cython.cfunc
def _sort(roots: list) -> list:  # type: ignore[type-arg]
    """Depth first, by a stack of our own: a node whose operands must come first waits on it.

    A node bears the number of the sort when it is placed, and the negative of it while it waits: when it comes off
    the stack again, its operands are placed, and nothing is left to look at.
    """
    global _stamp, _newest, _oldest
    _stamp += 1
    placed: cython.longlong = _stamp
    newest: cython.longlong = 0
    oldest: cython.longlong = _epoch
    order: list = []  # type: ignore[type-arg]
    stack: list = []  # type: ignore[type-arg]
    shared: Any = None  # the last tuple of operands that are all placed
    node: Value
    x: Value
    for root in roots:
        node = root
        while True:
            if node._mark != placed:
                if node._mark != -placed:
                    node._mark = -placed
                    a = node._a
                    if a is shared and a is not None:  # its operands are placed
                        if node._epoch < oldest:
                            oldest = node._epoch
                    elif type(a) is tuple:
                        stack.append(node)
                        for b in reversed(a):
                            if type(b) is not float:
                                x = b
                                if x._mark != placed:
                                    stack.append(x)
                        node = stack.pop()
                        continue
                    elif a is None:
                        if node._epoch > newest:
                            newest = node._epoch
                    else:
                        if type(a) is not float:
                            x = a
                            if x._mark != placed:
                                stack.append(node)
                                b = node._b
                                if b is not None and type(b) is not float:
                                    node = b
                                    if node._mark != placed:
                                        stack.append(node)
                                node = x
                                continue
                        b = node._b
                        if b is not None and type(b) is not float:
                            x = b
                            if x._mark != placed:
                                stack.append(node)
                                node = x
                                continue
                        if node._epoch < oldest:
                            oldest = node._epoch
                else:
                    if type(node._a) is tuple:
                        shared = node._a
                    if node._epoch < oldest:
                        oldest = node._epoch
                node._mark = placed
                node._cot = -0.0  # nothing; what arrives as 0 is +0, and added to nothing it is itself
                order.append(node)
            if not stack:
                break
            node = stack.pop()
    _newest = newest
    _oldest = oldest
    return order


@cython.boundscheck(False)
@cython.wraparound(False)
def traced(roots: Iterable[Any], inputs: Iterable[Value], fixed: Iterable[Value]) -> tuple[Any, ...]:
    """How `roots` are computed, as arrays: (operations, start, operands, constants, leaves, outputs).

    Nodes are numbered: `inputs`, then the other leaves, then what is computed, each in the order of the sort. The
    k-th computed node comes of row `operations[k]`, and of `operands[start[k]:start[k + 1]]`: a number ≥ 0 is a
    node, −1 − c is constant c. Leaves in `fixed` are constants, and so are numbers among the roots.
    """
    node: Value
    i: cython.int
    at: cython.int = 0
    count: cython.int = 0
    places: cython.int = 0
    leaves: list = list(inputs)  # type: ignore[type-arg]
    numbers: list = []  # type: ignore[type-arg]
    roots = list(roots)
    with _lock:
        order: list = _sort([v for v in roots if isinstance(v, Value)])  # type: ignore[type-arg]
        for node in order:  # its number goes where a sweep gathers its gradient; ½ is none yet
            node._cot = 0.5
        for i, node in enumerate(leaves):
            node._cot = i
        for node in fixed:
            numbers.append(node._data)
            node._cot = -len(numbers)
        for node in order:
            if node._a is not None:
                count += 1
                places += len(node.args) if type(node._a) is tuple else 2  # room enough
            elif node._cot == 0.5:
                node._cot = len(leaves)
                leaves.append(node)
        first: cython.int = len(leaves)
        operations = array("i", bytes(4 * count))
        start = array("i", bytes(4 * count + 4))
        operands = array("i", bytes(4 * places))
        op: cython.p_int = ints_of(operations)
        begin: cython.p_int = ints_of(start)
        used: cython.p_int = ints_of(operands)
        i = 0
        for node in order:
            if node._a is None:
                continue
            node._cot = first + i
            op[i] = node._code
            begin[i] = at
            i += 1
            if type(node._a) is tuple:
                for operand in node.args:
                    used[at] = _place(operand, numbers)
                    at += 1
            else:
                used[at] = _place(node._a, numbers)
                at += 1
                if node._b is not None:
                    used[at] = _place(node._b, numbers)
                    at += 1
        begin[i] = at
        outputs = [_place(root if isinstance(root, Value) else float(root), numbers) for root in roots]
    return operations, start, operands[:at], array("d", numbers), leaves, array("i", outputs)


@cython.cfunc
@cython.inline
def _place(operand: Any, numbers: list) -> cython.int:  # type: ignore[type-arg]
    """The number of an operand, see `traced`; a constant joins the numbers."""
    if type(operand) is float:
        numbers.append(operand)
        return -len(numbers)
    x: Value = operand
    return cython.cast(cython.int, x._cot)


@cython.cfunc
def _sweep(roots: list, gradients: list) -> list:  # type: ignore[type-arg]
    """Fill `_cot` with d(Σ gradient·root)/d(node) for every node the roots depend on; return them, sorted."""
    global _sweeping
    _sweeping += 1
    try:
        return _swept(roots, gradients)
    finally:
        _sweeping -= 1


@cython.cfunc
def _swept(roots: list, gradients: list) -> list:  # type: ignore[type-arg]
    order: list = _sort(roots)  # type: ignore[type-arg]
    if _newest > _oldest:
        _check_fresh(order)
    placed: cython.longlong = _stamp
    watched: bool = _special != 0 and _mode("inspector", None) is not None
    node: Value
    x: Value
    y: Value
    g: cython.double
    to_x: cython.double = 0.0
    to_y: cython.double = 0.0
    for node, g in zip(roots, gradients):  # noqa: B905  (made by one caller, the same length)
        node._cot += g + 0.0
    shared: dict = {}  # type: ignore[type-arg]  # gradients of elements that share their operands, gathered
    for node in reversed(order):
        a = node._a
        if a is None:
            continue
        if node._mark != placed:  # an operand of these
            _spread(shared, placed)
        g = node._cot
        if g == 0.0 and mg_absent(g):  # nothing has come: a branch not taken. A gradient of 0 is a number
            continue
        b = node._b
        if watched:
            _inspected(node, g)
        elif type(a) is tuple:
            if type(b) is float:
                _gather(shared, node, g)
            else:
                _general(node, g)
        elif b is None:
            x = a
            if not cython.compiled:
                rule = ROWS[node._code].rules[0]
                if rule is not None and (found := rule(floats, g, node._data, x._data)) is not None:
                    x._cot += found + 0.0
            elif mg_back_1(node._code, g, node._data, x._data, cython.address(to_x)):
                x._cot += to_x
            else:
                _general(node, g)
        elif not cython.compiled:
            rules = ROWS[node._code].rules
            p, q = _float(a), _float(b)
            for operand, rule in ((a, rules[0]), (b, rules[1])):
                if type(operand) is not float and rule is not None:
                    found = rule(floats, g, node._data, p, q)
                    if found is not None:
                        operand._cot += found + 0.0
        elif mg_back_2(node._code, g, node._data, _float(a), _float(b), cython.address(to_x), cython.address(to_y)):
            if type(a) is not float:
                x = a
                x._cot += to_x
            if type(b) is not float:
                y = b
                y._cot += to_y
        else:
            _general(node, g)
    if shared:
        _spread(shared, placed)
    return order


@cython.cfunc
def _gather(shared: dict, node: Value, g: cython.double) -> object:  # type: ignore[type-arg]
    """Keep what comes to an element of a softmax until one of the operands is next: all elements are swept by then."""
    operands: tuple = node._a  # type: ignore[type-arg]
    key = (id(operands), node._code)
    found = shared.get(key)
    if found is None:
        found = shared[key] = (operands, array("d", bytes(8 * len(operands))))
        x: Value
        for operand in operands:
            if type(operand) is not float:
                x = operand
                x._mark = 0
    found[1][int(node._b)] += g
    return None


@cython.cfunc
def _spread(shared: dict, placed: cython.longlong) -> object:  # type: ignore[type-arg]
    """Give the operands of softmaxes what came to their elements, in time that grows as the lists do."""
    x: Value
    i: cython.Py_ssize_t
    for (_, code), (operands, gathered) in shared.items():
        contributions: Any
        if cython.compiled:
            contributions = bytearray(8 * len(operands))
            numbers: bytearray = _numbers(operands)
            g: bytearray = bytearray(gathered)
            mg_back_each(code, _pointer(g), _pointer(numbers), len(operands), _pointer(contributions))
            contributions = memoryview(contributions).cast("d")
        else:
            contributions = floats.elements_back[ROWS[code].name](tuple(map(_float, operands)), gathered)
        for i, operand in enumerate(operands):
            if type(operand) is not float:
                x = operand
                x._cot += contributions[i] + 0.0
                x._mark = placed
    shared.clear()
    return None


@cython.cfunc
def _general(node: Value, g: cython.double) -> object:
    """One step of the sweep for a node with any number of operands."""
    operands: tuple = node.args  # type: ignore[type-arg]
    x: Value
    if cython.compiled:
        n: cython.Py_ssize_t = len(operands)
        numbers: bytearray = _numbers(operands)
        found: bytearray = bytearray(8 * n)
        to: cython.p_double = _pointer(found)
        i: cython.Py_ssize_t
        if mg_back_n(node._code, g, node._data, _pointer(numbers), n, to):
            for i in range(n):
                operand = operands[i]
                if type(operand) is not float:
                    x = operand
                    x._cot += to[i]
            return None
    for operand, contribution in zip(operands, contributions(node, g, operands)):  # noqa: B905  (checked)
        if contribution is not None and type(operand) is not float:
            x = operand
            x._cot += contribution + 0.0
    return None


def contributions(node: Value, g: float, operands: Sequence[Any]) -> Sequence[Any]:
    """What g at a node is at each of its operands, by its row; None where there is no derivative."""
    row = ROWS[node._code]
    found = row.cotangents(floats, g, node._data, *[_float(each) for each in operands])
    if len(found) != len(operands):
        raise ValueError(
            f"the pullback of {row.name} gave {len(found)} gradients for {len(operands)} arguments: "
            "it must list one for each, None where there is no derivative"
        )
    return found


def _inspected(node: Value, g: float) -> None:
    """One step of the sweep under detect_anomaly()."""
    operands = node.args
    found = contributions(node, g, operands)
    inspector = _mode("inspector", None)
    inspector.swept(node, g, found)
    x: Value
    for operand, contribution in zip(operands, found):  # noqa: B905
        if contribution is not None and type(operand) is not float:
            x = operand
            x._cot += contribution + 0.0
            if x._cot - x._cot != 0.0:
                inspector.overflowed(node, operand, x._cot)


def _check_fresh(order: list) -> None:  # type: ignore[type-arg]
    """Refuse a graph with a leaf whose data was assigned after a node was computed from it."""
    node: Value
    x: Value
    for node in order:
        for operand in node.args:
            if type(operand) is not float:
                x = operand
                if x._a is None and x._epoch > node._epoch:
                    raise GraphError(
                        f"data of {_name_of(x)} was assigned after it was used to compute {_name_of(node)} "
                        f"({ROWS[node._code].name}): the graph no longer matches its numbers; compute it again, "
                        "then call backward()"
                    )


def check_fresh(order: list[Value]) -> None:
    """Raise GraphError if a leaf in this topological order was assigned after the graph was built."""
    _check_fresh(order)


def _commit(order: list) -> None:  # type: ignore[type-arg]
    """Write the gradients of a sweep: leaves add, computed nodes replace; all or nothing.

    Compiled, this loop runs no Python code, so that no signal handler can run in between. In plain
    Python it is one call of C code for the same reason: the interpreter looks for signals (and for
    other threads) between its own instructions only.
    """
    if COMPILED:
        node: Value
        for node in order:
            if node._a is None:
                node._grad += node._cot
            else:
                node._grad = node._cot + 0.0
        return
    inner = [node for node in order if node._a is not None]
    leaves = [node for node in order if node._a is None]
    fields: Any = Value
    write, read, swept = fields._grad.__set__, fields._grad.__get__, fields._cot.__get__
    totals = map(_plus, map(read, leaves), map(swept, leaves))
    deque(chain(map(write, inner, map(_plus, map(swept, inner), repeat(0.0))), map(write, leaves, totals)), maxlen=0)


def cotangents(roots: list[Any], gradients: list[float], wrt: Sequence[Value]) -> list[float]:
    """Σ gradient·d(root)/d(x) for every x of `wrt`, as floats; no grad is touched."""
    v: Value
    found: list = []  # type: ignore[type-arg]
    with _lock:
        for v in wrt:
            v._mark = 0
        before = _epoch
        order = _sweep(list(roots), list(gradients))
        if _epoch != before:  # a rule assigned a leaf on the way
            _check_fresh(order)
        for v in wrt:
            found.append(v._cot + 0.0 if v._mark != 0 else 0.0)  # noqa: PERF401  (compiled, a comprehension is untyped)
    return found


# ── many leaves at once: one pass that nothing interrupts, so that all of them change or none ───────
def data_of(leaves: Any) -> Any:
    """The data of these Values as a buffer of float64: an `array.array`."""
    return _gathered(list(leaves), False)


def grads_of(leaves: Any) -> Any:
    """Their gradients, likewise."""
    return _gathered(list(leaves), True)


def assign(leaves: Any, numbers: Any, owner: Any = None, items: Any = None) -> None:
    """Assign numbers (a buffer of float64, or a sequence) to the data of leaves; then `owner.update(items)`, a dict's.

    All or nothing: the checks come first, and no signal handler runs while it writes.

    Raises:
        GraphError: one of them is a computed node.
        ValueError: there are more or fewer numbers than leaves.
    """
    global _epoch
    leaves = list(leaves)
    raw: bytes = _raw(numbers, len(leaves))
    v: Value
    for v in leaves:
        if v._a is not None:
            v.data = 0.0  # raises, with the cure
        if _observer is not None:
            _observer.assigned(v)
    if items is None:
        owner, items = {}, {}
    with _lock:
        _epoch += 1
        if COMPILED:
            p: cython.p_double = cython.cast(cython.p_double, cython.cast(cython.p_char, raw))
            i: cython.Py_ssize_t
            for i in range(len(leaves)):
                v = leaves[i]
                v._epoch = _epoch
                v._data = p[i]
            owner.update(items)
        else:
            fields: Any = Value
            epochs = map(fields._epoch.__set__, leaves, repeat(_epoch))
            writes = map(fields._data.__set__, leaves, array("d", raw))
            deque(chain(epochs, writes, map(owner.update, (items,))), maxlen=0)


def add_grads(leaves: Any, numbers: Any) -> None:
    """Add numbers to the gradients of Values, all or nothing."""
    _write_grads(list(leaves), _raw(numbers, len(leaves)), True)


def set_grads(leaves: Any, numbers: Any = None) -> None:
    """Set the gradients of Values to these numbers, or all to 0."""
    raw = bytes(8 * len(leaves)) if numbers is None else _raw(numbers, len(leaves))
    _write_grads(list(leaves), raw, False)


@cython.cfunc
def _write_grads(leaves: list, raw: bytes, adding: bool) -> object:  # type: ignore[type-arg]
    with _lock:
        if COMPILED:
            p: cython.p_double = cython.cast(cython.p_double, cython.cast(cython.p_char, raw))
            i: cython.Py_ssize_t
            v: Value
            for i in range(len(leaves)):
                v = leaves[i]
                v._grad = v._grad + p[i] if adding else p[i]
        else:
            fields: Any = Value
            new = list(map(_plus, map(fields._grad.__get__, leaves), array("d", raw))) if adding else array("d", raw)
            deque(map(fields._grad.__set__, leaves, new), maxlen=0)
    return None


@cython.cfunc
def _gathered(leaves: list, grads: bool) -> object:  # type: ignore[type-arg]
    if COMPILED:
        raw = bytearray(8 * len(leaves))
        p: cython.p_double = cython.cast(cython.p_double, cython.cast(cython.p_char, raw))
        i: cython.Py_ssize_t
        v: Value
        for i in range(len(leaves)):
            v = leaves[i]
            p[i] = v._grad if grads else v._data
        return memoryview(raw).cast("d")
    fields: Any = Value
    return array("d", map((fields._grad if grads else fields._data).__get__, leaves))


def _raw(numbers: Any, count: int) -> bytes:
    """The bytes of so many float64."""
    if getattr(numbers, "dtype", "float64") != "float64" or not hasattr(numbers, "tobytes"):
        numbers = array("d", numbers)
    raw: bytes = numbers.tobytes()
    if len(raw) != 8 * count:
        raise ValueError(f"{len(raw) // 8} numbers for {count} Values")
    return raw


# ── contexts ────────────────────────────────────────────────────────────────────────────────────
open_modes: ContextVar[tuple[Any, ...]] = ContextVar("modes", default=())


def _mode(kind: str, default: Any) -> Any:
    """The mode of this kind that was entered last in this thread and task."""
    if _special:
        for mode in reversed(open_modes.get()):
            if mode.kind == kind and mode.thread == threading.get_ident():
                return mode.mode
    return default


def opened(change: int) -> None:
    """One more (1) or one less (−1) of the modes is open in some thread."""
    global _special
    with _lock:
        _special += change


def observe(observer: Any) -> None:
    """Tell this one from now on, see `modes.recording`; nobody if it is None."""
    global _observer
    _observer = observer


def is_recording() -> bool:
    """Whether this thread records, that is, is not within no_grad()."""
    return _mode("recording", True)  # type: ignore[no-any-return]


def is_observed() -> bool:
    """Whether this thread is recording a program (see `recording`), which will be run for other numbers."""
    return observer() is not None


def observer() -> Any:
    """Who listens to this thread while it records a program, or None."""
    found = _observer  # read once: another thread may take its own away meanwhile
    return found if found is not None and found.thread == threading.get_ident() else None
