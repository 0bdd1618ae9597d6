"""Functions of functions: grad, value_and_grad, jacobian, hessian, jvp, vjp, hvp; and gradients of a graph.

Given numbers they answer floats; given Values they answer Values, which is how they nest to any order.
Conventions (argnums, shapes of results) are JAX's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import Any

from ..floats.reading import number
from .anomaly import AnomalyError
from .engine import (
    Value,
    check_fresh,
    cotangents,
    epoch,
    is_observed,
    is_recording,
    topological_order,
    values,
)
from .modes import recording_again
from .observed import inputs_of, open_inputs, plain
from .sweep import Step, pull, push, settled
from .trees import flatten


class _Unit(float):
    """The 1 that starts a sweep: `1·y` is y itself, so that gradient graphs have no multiplications by 1."""

    __slots__ = ()

    def __mul__(self, other: Any) -> Any:
        return other

    __rmul__ = __mul__


_ONE = _Unit(1.0)


def gradients(y: Value, xs: Sequence[Value]) -> list[Value]:
    """dy/dx for every x, as Values: graphs that can be differentiated, drawn or used again.

    Args:
        y: the Value to differentiate.
        xs: Values anywhere in the graph of y; the derivative with respect to one that y does not
            depend on is 0.

    Raises:
        TypeError: y or an x is no Value.
        GraphError: a leaf was assigned after the graph was built.

    Example:
        >>> from microgradlike import Value, gradients
        >>> x = Value(2.0)
        >>> dy, = gradients(x**3, [x])
        >>> d2y, = gradients(dy, [x])
        >>> dy.data, d2y.data
        (12.0, 12.0)
    """
    if not isinstance(y, Value):
        raise TypeError(f"y must be a Value, not {type(y).__name__}")
    xs = [xs] if isinstance(xs, Value) else list(xs)
    for x in xs:
        if not isinstance(x, Value):
            raise TypeError(f"xs must be Values, not {type(x).__name__}")
    return [x if isinstance(x, Value) else Value(x) for x in _pull(y, _ONE, xs)]


def _pull(y: Value, seed: Any, xs: Sequence[Value]) -> list[Any]:
    """The backward sweep with Values as the namespace: cotangents are Values, or floats where they are constant."""
    order = topological_order(y)
    check_fresh(order)
    # Nodes go by their id: a subclass may compare and hash by value, and two nodes are two all the same.
    active = set(map(id, xs))  # what depends on an x: the others need no gradient
    for v in order:
        if id(v) not in active and not active.isdisjoint(map(id, v.args)):
            active.add(id(v))
    arrived: dict[int, Any] = {id(y): seed}
    _swept(pull, (v for v in reversed(order) if id(v) in active), active, arrived)
    return [_as_number(settled(values, arrived[id(x)])) if id(x) in arrived else 0.0 for x in xs]


def _push(y: Value, tangents: Iterable[tuple[Value, Any]]) -> Any:
    """The derivative of y along `tangents`, (node, tangent) each, forward."""
    order = topological_order(y)
    check_fresh(order)
    arrived: dict[int, Any] = {id(x): t for x, t in tangents}
    _swept(push, order, set(map(id, order)), arrived)
    return settled(values, arrived[id(y)]) if id(y) in arrived else 0.0


def _swept(sweep: Callable[..., None], order: Iterable[Value], active: set[int], arrived: dict[int, Any]) -> None:
    """One sweep over these nodes; an anomaly in a derivative names the operation that it is the derivative of."""
    node: Any = None

    def steps(nodes: list[Value]) -> Iterator[Step]:
        nonlocal node
        for node in nodes:
            if node.op is not None:
                operands = node.args
                keys = [id(x) if id(x) in active else None for x in operands]
                yield id(node), node.op, keys, node, operands

    before, nodes = epoch(), list(order)
    try:
        sweep(values, steps(nodes), arrived)
    except AnomalyError as error:
        raise error.in_the_derivative_of(node) from None
    if epoch() != before:  # a rule assigned a leaf on the way
        check_fresh(nodes)


def _plain(x: Any) -> float:
    return x.data if isinstance(x, Value) else float(x)


def _as_number(x: Any) -> Any:
    return x if isinstance(x, Value) else float(x)


class _Call:
    """One call of a user's function with the chosen arguments as fresh Values."""

    def __init__(
        self,
        f: Callable[..., Any],
        argnums: int | Sequence[int],
        args: tuple[Any, ...],
        kwargs: Any,
        has_aux: bool = False,
    ) -> None:
        _check_callable(f)
        several = list(argnums) if isinstance(argnums, (list, tuple, range)) else None
        self.single = several is None
        self.numbers = [_argument(n, len(args)) for n in ([argnums] if several is None else several)]
        if len(set(self.numbers)) != len(self.numbers):
            raise ValueError(f"argnums names an argument twice: {argnums!r}")
        chosen = tuple([args[n] for n in self.numbers])
        leaves, self.build = flatten(chosen)
        for leaf in leaves:
            if not isinstance(leaf, Value):
                _number(leaf)
        self.nested = any(isinstance(x, Value) for x in leaves)
        # A fresh node for each argument: an outer derivative may hold the same Value, and must not be mixed up.
        self.inputs = [values.positive(x) if isinstance(x, Value) else Value(x) for x in leaves]
        inner = list(args)
        for n, tree in zip(self.numbers, self.build(list(self.inputs)), strict=True):
            inner[n] = tree
        with open_inputs(self.inputs):
            self.result = f(*inner, **kwargs)
        self.has_aux, self.aux = has_aux, None
        if has_aux:
            if not isinstance(self.result, tuple) or len(self.result) != 2:
                raise TypeError(
                    "with has_aux=True the function must return a pair (result, anything else), "
                    f"not {type(self.result).__name__}"
                )
            self.result, self.aux = self.result

    def scalar(self) -> Any:
        """The result, which must be one number."""
        y = self.result
        if isinstance(y, Value):
            return y
        if getattr(y, "shape", None) == () and hasattr(y, "item"):  # a NumPy array without dimensions
            y = y.item()
            if isinstance(y, Value):
                return y
        try:
            return number(y)
        except TypeError:
            raise TypeError(
                f"the function must return one Value or number to be differentiated, not {type(y).__name__}; "
                "for several results there is jacobian()"
            ) from None

    def pull(self, y: Any, seed: float = 1.0) -> list[Any]:
        """seed·dy/d(input) for every input."""
        if not isinstance(y, Value):
            return [0.0] * len(self.inputs)
        if self.nested or _reaches_outside(y, self.inputs):
            return _pull(y, _ONE if seed == 1.0 else seed, self.inputs)
        if is_observed():  # numbers, but not of these arguments and parameters alone: the recording is for no others
            return [plain(x) for x in _pull(y, _ONE if seed == 1.0 else seed, self.inputs)]
        return cotangents([y], [seed], self.inputs)

    def shaped(self, leaves: list[Any]) -> Any:
        """One result for each input, in the shape of the arguments."""
        trees = self.build(leaves)
        return trees[0] if self.single else trees

    def plain(self, y: Any) -> Any:
        """y for the caller: a Value only if the caller gave one."""
        return plain(y) if isinstance(y, Value) and not self.keeps_values(y) else y

    def with_aux(self, answer: Any) -> Any:
        """answer, or (answer, what else the function returned), its Values as numbers if the caller gave numbers."""
        if not self.has_aux:
            return answer
        leaves, build = flatten(self.aux)
        return answer, build([self.plain(x) for x in leaves])

    def keeps_values(self, y: Any) -> bool:
        return self.nested or (isinstance(y, Value) and _reaches_outside(y, self.inputs))


def _reaches_outside(y: Value, inputs: Sequence[Value]) -> bool:
    """Whether y depends on an argument of an enclosing transform, which the function closed over."""
    frames = inputs_of()
    if not frames:
        return False
    outer = {id(x) for frame in frames for x in frame}.difference(map(id, inputs))
    return not outer.isdisjoint(map(id, topological_order(y)))


def _argument(n: Any, count: int) -> int:
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"argnums must be an integer or a sequence of them, not {n!r}")
    if not -count <= n < count:
        raise ValueError(f"argnums is {n}, but the function was called with {count} positional argument(s)")
    return n % count


def _number(x: Any, what: str = "arguments to differentiate") -> None:
    try:
        number(x)
    except TypeError as error:
        raise TypeError(f"{what} must be numbers, Values or nested lists of them: one {error}") from None


def _sequence(xs: Any, name: str) -> tuple[Any, ...]:
    if isinstance(xs, (list, tuple)):
        return tuple(xs)
    raise TypeError(f"{name} must be a list or tuple with one entry for each argument of f, not {type(xs).__name__}")


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that returns (f(x), gradient of f at x), or ((f(x), aux), gradient); otherwise like `grad`.

    Example:
        >>> import microgradlike as mg
        >>> mg.value_and_grad(lambda x: x * x)(3.0)
        (9.0, 6.0)
    """

    def transformed(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        call = _Call(f, argnums, args, kwargs, has_aux)
        y = call.scalar()
        return call.with_aux(call.plain(y)), call.shaped(call.pull(y))

    return _named(transformed, "value_and_grad", f, (argnums, has_aux))


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of f, as a function of the same arguments.

    Args:
        f: a function of numbers that computes with Values and returns one.
        argnums: which positional argument to differentiate; a sequence gives a tuple of gradients.
        has_aux: f returns (what is differentiated, anything else), and the result is (gradient, anything else).

    Returns:
        A function whose result has the shape of the argument: a float for a number, nested lists,
        tuples, dicts and arrays for such arguments. Called with Values it returns Values.

    Raises:
        TypeError: f does not return a single Value or number, or an argument holds something else.
        ValueError: argnums names no argument of the call.

    Example:
        >>> import microgradlike as mg
        >>> mg.grad(lambda p: p["w"] * p["w"] + 3 * p["b"])({"w": 2.0, "b": 1.0})
        {'w': 4.0, 'b': 3.0}
        >>> mg.grad(mg.grad(mg.exp))(0.0)
        1.0
        >>> mg.grad(lambda x: (x * x, {"input": x}), has_aux=True)(3.0)
        (6.0, {'input': 3.0})
    """

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call(f, argnums, args, kwargs, has_aux)
        return call.with_aux(call.shaped(call.pull(call.scalar())))

    return _named(transformed, "grad", f, (argnums, has_aux))


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The derivative of every number in f's result with respect to every number in its argument.

    The result has the shape of f's result, with the shape of the argument in place of each number.

    Example:
        >>> import microgradlike as mg
        >>> mg.jacobian(lambda v: [v[0] * v[1], v[0] + v[1]])([2.0, 3.0])
        [[3.0, 2.0], [1.0, 1.0]]
    """

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call(f, argnums, args, kwargs, has_aux)
        ys, build = flatten(call.result)
        for y in ys:
            if not isinstance(y, Value):
                _number(y, "results of the function")
        return call.with_aux(build([call.shaped(call.pull(y)) for y in ys]))

    return _named(transformed, "jacobian", f, (argnums, has_aux))


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The matrix of second derivatives of f, as nested results of `jacobian` and `grad`.

    Example:
        >>> import microgradlike as mg
        >>> mg.hessian(lambda x, y: x * x * y, argnums=(0, 1))(2.0, 3.0)
        ((6.0, 4.0), (4.0, 0.0))
    """
    return _named(jacobian(grad(f, argnums, has_aux), argnums, has_aux), "hessian", f)


def _within_no_grad_too(transform: Callable[..., Any]) -> Callable[..., Any]:
    """no_grad() around a transform makes its results plain leaves; its function is recorded all the same."""

    @wraps(transform)
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_recording():
            return transform(*args, **kwargs)
        with recording_again():
            leaves, build = flatten(transform(*args, **kwargs))
        for x in leaves:
            plain(x)  # a recording is for this number
        return build([x.detach() if isinstance(x, Value) else x for x in leaves])

    return call


@_within_no_grad_too
def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """(f(*primals), its derivative along `tangents`), by one forward sweep; with has_aux also what else f returned.

    Args:
        primals: a sequence of arguments.
        tangents: directions, in the shapes of the arguments.
        has_aux: f returns (what is differentiated, anything else).

    Raises:
        ValueError: the shapes of primals and tangents do not agree.

    Example:
        >>> import microgradlike as mg
        >>> mg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
        (6.0, 3.0)
    """
    primals, tangents = _sequence(primals, "primals"), _sequence(tangents, "tangents")
    directions, _ = flatten(tangents)
    call = _Call(f, tuple(range(len(primals))), primals, {}, has_aux)
    if len(directions) != len(call.inputs):
        raise ValueError(f"tangents have {len(directions)} numbers, but primals have {len(call.inputs)}")
    counts = [[len(flatten(x)[0]) for x in xs] for xs in (primals, tangents)]
    if counts[0] != counts[1]:
        raise ValueError(f"tangents have {counts[1]} numbers for the arguments, but primals have {counts[0]}")
    for t in directions:
        if not isinstance(t, Value):
            _number(t, "tangents")
    nested = call.nested or any(isinstance(t, Value) for t in directions)
    along = list(zip(call.inputs, directions, strict=True))
    ys, build = flatten(call.result)
    pushed = [_push(y, along) if isinstance(y, Value) else 0.0 for y in ys]
    if not nested:
        pushed = [t if call.keeps_values(t) else float(plain(t)) for t in pushed]
        ys = [call.plain(y) if isinstance(y, Value) else number(y) for y in ys]
    answer = build(pushed)
    return (build(ys), *call.with_aux(answer)) if has_aux else (build(ys), answer)


@_within_no_grad_too
def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """(f(*primals), pull): `pull(cotangent)` carries a gradient of the result back to each argument.

    With has_aux, f returns (what is differentiated, anything else), and that else comes third.

    Example:
        >>> import microgradlike as mg
        >>> y, pull = mg.vjp(lambda x, y: x * y, 2.0, 3.0)
        >>> y, pull(1.0)
        (6.0, (3.0, 2.0))
    """
    call = _Call(f, tuple(range(len(primals))), primals, {}, has_aux)
    ys, build = flatten(call.result)

    def pull(cotangent: Any) -> tuple[Any, ...]:
        seeds, _ = flatten(cotangent)
        if len(seeds) != len(ys):
            raise ValueError(f"cotangent has {len(seeds)} numbers, but the result has {len(ys)}")
        total: list[Any] = [0.0] * len(call.inputs)
        if not call.nested and all(not isinstance(s, Value) for s in seeds):
            roots = [(y, number(s)) for y, s in zip(ys, seeds, strict=True) if isinstance(y, Value)]
            if not is_observed() and not any(_reaches_outside(y, call.inputs) for y, _ in roots):
                total = cotangents([y for y, _ in roots], [s for _, s in roots], call.inputs)
                return tuple(call.build(total))
        for y, s in zip(ys, seeds, strict=True):
            if isinstance(y, Value):
                total = [a + b for a, b in zip(total, _pull(y, s, call.inputs), strict=True)]
        if is_observed() and not call.nested and not any(isinstance(s, Value) for s in seeds):
            total = [call.plain(g) for g in total]
        return tuple(call.build(total))

    answer = build([call.plain(y) if isinstance(y, Value) else number(y) for y in ys])
    return (answer, *call.with_aux(pull)) if has_aux else (answer, pull)


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of f at `primals` times the vector `tangents`, without forming the Hessian.

    Returns:
        A tuple in the shapes of the arguments; for a single argument, its entry alone.

    Example:
        >>> import microgradlike as mg
        >>> mg.hvp(lambda v: v[0] * v[0] * v[1], ([2.0, 3.0],), ([1.0, 0.0],))
        [6.0, 4.0]
    """
    primals = _sequence(primals, "primals")
    argnums: int | tuple[int, ...] = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(f, argnums), primals, tangents)[1]


def _check_callable(f: Any) -> None:
    if not callable(f):
        raise TypeError(f"f must be a function, not {type(f).__name__}: {f!r}")


def _named(transformed: Callable[..., Any], kind: str, f: Any, options: Any = None) -> Callable[..., Any]:
    _check_callable(f)
    if options is not None:
        transformed.derivative = (kind, f, *options)  # type: ignore[attr-defined]  # for compile, which sweeps in C
    transformed.__name__ = transformed.__qualname__ = f"{kind}({getattr(f, '__name__', 'f')})"
    return _within_no_grad_too(transformed)
