"""Compiled grad, value_and_grad, jacobian, hessian: the function is recorded, and swept in C or by a plan.

What this does not take (has_aux, named arguments, results that are no number) is recorded whole, as any function is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ..graph.engine import data_of
from ..graph.trees import flatten
from .inputs import build, size
from .interpreted import EAGER, calls, quick_call
from .recording import Recording
from .tiers import Tier, patience

__all__ = ["Derivative"]


class Derivative:
    """A transform of a compiled function, of one example.

    Args:
        of: the function that is differentiated, as a Compiled.
        kind: "grad", "value_and_grad" or "jacobian"; a Hessian is the Jacobian of a gradient.
        argnums: which arguments to differentiate by.
    """

    def __init__(self, of: Any, kind: str, argnums: Any) -> None:
        self.of = of
        self.answer = {"grad": calls.GRADIENT, "value_and_grad": calls.BOTH, "jacobian": calls.JACOBIAN}[kind]
        self.argnums = argnums

    def __call__(self, arguments: Sequence[Any]) -> tuple[Any, Any] | None:
        """The answer, and a quick call for more arguments of the kind (or None); None if it is not to be had here."""
        wanted = self._wanted(len(arguments))
        if wanted is None:
            return None
        of = self.of
        signature, numbers = of._flat(arguments, {})
        recording = of._recording(signature, numbers)
        if not recording.scalar and self.answer != calls.JACOBIAN:
            return None
        runner = of._runner(recording, "interpreter")
        plan, tier = self._plan(recording, runner)
        several = None if recording.scalar else flatten(build(recording.result, iter([0.0] * recording.results)))[1]
        call = quick_call(runner, recording, arguments, self.answer, wanted, several, of._away, plan, tier)
        if plan and call and (found := call.attempt(*arguments)) is not None:
            return found, call
        results, gradients = runner.jacobian(data_of(recording.parameters), numbers)
        ends = [0, *accumulate(map(size, signature))]
        builds = {n: flatten(arguments[n])[1] for n in ([wanted] if isinstance(wanted, int) else wanted)}

        def shaped(gradient: list[float]) -> Any:
            parts = [make(gradient[ends[n] : ends[n + 1]]) for n, make in builds.items()]
            return parts[0] if isinstance(wanted, int) else tuple(parts)

        rows = [shaped(gradient) for gradient in gradients]
        if self.answer == calls.BOTH:
            return (results[0], rows[0]), call
        return (rows[0] if several is None else several(rows)), call

    def _plan(self, recording: Recording, runner: Any) -> tuple[Any, Tier]:
        """(what differentiates by array instructions, how many numbers it answers) or None; and the tier."""
        if self.answer == calls.JACOBIAN or recording.guards:
            return None, EAGER
        before, runner.runs = runner.runs, 0
        name = self.of._choose(recording, 1, True, before)
        found = self.of._runner(recording, "arguments").machine("gradient", True) if name == "native" else None
        runner.limit = patience(recording) if name == "interpreter" else -1
        return (None, EAGER) if found is None else ((found[0].gradient, found[1]), self.of._tier)

    def _wanted(self, count: int) -> Any:
        """argnums counted from the front; None if they are not right, of which the transform itself speaks."""
        single = not isinstance(self.argnums, (list, tuple, range))
        numbers = [self.argnums] if single else list(self.argnums)
        if not all(type(n) is int and -count <= n < count for n in numbers):
            return None
        numbers = [n % count for n in numbers]
        return None if len({*numbers}) != len(numbers) else numbers[0] if single else tuple(numbers)
