"""A kit for people who test functions written in Values: gradient checks, and random programs for Hypothesis.

    from microgradlike.testing import check_gradients, expressions, finite_floats, graphs, values

`check_gradients` needs nothing but this package, and judges by mpmath where that is installed. The strategies
need Hypothesis: `pip install "microgradlike[testing]"`.
"""

from __future__ import annotations

from typing import Any

from .check import Finding, GradientError, GradientReport, check_gradients

_STRATEGIES = ("expressions", "finite_floats", "graphs", "values")

__all__ = ["Finding", "GradientError", "GradientReport", "Program", "check_gradients", *_STRATEGIES]  # noqa: PLE0604


def register_with_hypothesis() -> None:
    """Makes `st.from_type(Value)` and `st.from_type(Program)` known. Hypothesis calls it when it is imported itself."""
    from hypothesis import strategies as st

    from ..graph.engine import Value
    from . import programs

    def later(name: str) -> Any:  # strategies.py imports Hypothesis, which is not ready while it calls this
        return lambda _: __getattr__(name)()

    st.register_type_strategy(Value, later("values"))
    st.register_type_strategy(programs.Program, later("expressions"))


def __getattr__(name: str) -> Any:
    if name in _STRATEGIES:
        from . import strategies

        return getattr(strategies, name)
    if name == "Program":
        from .programs import Program

        return Program
    raise AttributeError(f"microgradlike.testing has no {name!r}")


def __dir__() -> list[str]:
    return __all__
