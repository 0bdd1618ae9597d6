"""The loops over rows of a batch as C, the text of `loops.h`: one for each elementwise operation that array plans have.

Besides the rows of the table (rows.h has what they compute) a plan has `where less` … (a comparison that only chooses),
`weight` (of the softmax family). _build.py calls `text()`; the package itself never imports this.
"""

from __future__ import annotations

from typing import Any

from ..ops import COMPARISONS, TABLE, Op
from .c_text import BOTH, RARE, careful_functions
from .rows import Rows

MORE = {
    **{f"where_{row.name}": (4, f"x0 {sign} x1 ? x2 : x3") for sign, row in COMPARISONS.items()},
    "weight": (2, "mb_weight_of(x0, x1)"),
}
HEAD = (
    "#define MG_VECTOR",
    '#include "elementary.h"',
    '#include "rows.h"',
    "#define BLOCK 256",
    "/* exp(x − top), with what the difference loses put back */",
    "MG_INLINE double mb_weight_of(double x, double top) {",
    "  double d = x - top, b = d - x, lost = (x - (d - b)) - (top + b);",
    "  return mg_exp_more(d, d > -746.0 ? lost : 0.0);",
    "}",
)


def _plain(name: str, arity: int, function: str) -> list[str]:
    """A loop over n numbers, and one number. Bit j of `arrays`: operand j is an array, else it is one number."""
    declared = " ".join(f"const double *RESTRICT x{j} = x[{j}];" for j in range(arity))
    cases = []
    for arrays in range(2**arity):
        operands = ", ".join(f"x{j}[l]" if arrays >> j & 1 else f"s{j}" for j in range(arity))
        scalars = " ".join(f"const double s{j} = *x{j};" for j in range(arity) if not arrays >> j & 1)
        once = "" if arrays else f" const double y = {function}({operands});"
        result = f"{function}({operands})" if arrays else "y"
        cases.append(f"  case {arrays}: {{ {scalars}{once} for (i64 l = 0; l < n; l++) o[l] = {result}; break; }}")
    single = ", ".join(f"U[d[{j + 1}]]" for j in range(arity))
    return [
        f"static void l_{name}(i64 n, double *RESTRICT o, const double *const *x, int arrays) {{",
        f"  {declared}",
        "  switch (arrays) {",
        *cases,
        "  }",
        "}",
        f"static void s_{name}(const i64 *d, double *U) {{ U[d[0]] = {function}({single}); }}",
    ]


def _long(name: str, arity: int, rare: str) -> list[str]:
    """The same where the row takes long: one loop, for which single numbers are spread. Lanes that `rare`, the row
    without its branches, leaves in doubt are computed again."""
    operands = ", ".join(f"p{j}[l]" for j in range(arity))
    lines = [
        f"static void l_{name}(i64 n, double *RESTRICT o, const double *const *x, int arrays) {{",
        f"  double spread[{arity}][BLOCK];",
        f"  for (int j = 0; j < {arity}; j++)",
        "    if (!(arrays >> j & 1)) for (i64 l = 0; l < BLOCK && l < n; l++) spread[j][l] = *x[j];",
        "  for (i64 i = 0; i < n; i += BLOCK) {",
        "    i64 m = n - i < BLOCK ? n - i : BLOCK;",
        *[f"    const double *p{j} = arrays >> {j} & 1 ? x[{j}] + i : spread[{j}];" for j in range(arity)],
    ]
    if rare:
        lines += [
            "    int64_t doubt[BLOCK] = {0};",
            f"    for (i64 l = 0; l < m; l++) o[i + l] = mg_{rare}({operands}, doubt + l);",
            f"    for (i64 l = 0; l < m; l++) if (doubt[l]) o[i + l] = again_{name}({operands});",
        ]
    else:
        lines.append(f"    for (i64 l = 0; l < m; l++) o[i + l] = mg_{name}({operands});")
    places = ", ".join(f"U + d[{j + 1}]" for j in range(arity))
    return [
        *lines,
        "  }",
        "}",
        f"static void s_{name}(const i64 *d, double *U) {{ const double *x[] = {{{places}}}; "
        f"l_{name}(1, U + d[0], x, {2**arity - 1}); }}",
    ]


def _again(name: str, arity: int) -> str:
    arguments, operands = (", ".join(f"{kind}x{j}" for j in range(arity)) for kind in ("double ", ""))
    return f"static NOINLINE double again_{name}({arguments}) {{ return mg_{name}({operands}); }}"


class _Rule:
    """A namespace, and a gradient, for which a rule that reads g·slope(x) is the slope's name."""

    def __getattr__(self, name: str) -> Any:
        return lambda *xs: name if xs == (X,) else None

    def __mul__(self, other: Any) -> Any:
        return other


X = "x"


def _slope(row: Op) -> Any:
    """The row that is the derivative of this one, if there is one."""
    try:
        return row.rules[0](_Rule(), _Rule(), None, X) if row.arity == 1 and row.rules[0] else None
    except TypeError:  # the rule is something else
        return None


def _with_slope(name: str, slope: str) -> str:
    """Both in one loop: the compiler sees what they share, as far as c_text.py has not written that down."""
    both = (
        f"mg_{name}_both(x[l], o + l, d + l);" if name in BOTH else f"o[l] = mg_{name}(x[l]); d[l] = mg_{slope}(x[l]);"
    )
    head = f"static void p_{name}(i64 n, double *RESTRICT o, double *RESTRICT d, const double *RESTRICT x) {{"
    return f"{head} for (i64 l = 0; l < n; l++) {{ {both} }} }}"


def text() -> str:
    """The text of loops.h."""
    careful = careful_functions()
    arities = {name: TABLE[name].arity or 0 for name in Rows().forward}
    out = ["/* Generated from ops.py by native/loops.py. */", *HEAD]
    for name, (arity, formula) in MORE.items():
        arguments = ", ".join(f"double x{j}" for j in range(arity))
        out.append(f"MG_INLINE double mb_{name}({arguments}) {{ return {formula}; }}")
        arities[name] = arity
    for name, arity in arities.items():
        rare = f"{name}_most" if name in RARE else ""
        if rare:
            out.append(_again(name, arity))
        out += _long(name, arity, rare) if name in careful else _plain(name, arity, f"m{'gb'[name in MORE]}_{name}")
    out.append("typedef void (*single)(const i64 *d, double *U);")
    for kind, names in (("static const loop LOOPS", "l_"), ("static const single SINGLES", "s_")):
        out.append(f"{kind}[] = {{{', '.join(names + name for name in arities)}}};")
    slopes = {name: slope for name in arities if name in TABLE and (slope := _slope(TABLE[name])) in arities}
    out += [_with_slope(name, slope) for name, slope in slopes.items()]
    out.append(f"static const loop_pair PAIRS[] = {{{', '.join('p_' + name for name in slopes)}}};")
    quoted = ", ".join(f'"{name}"' for pair in slopes.items() for name in pair)
    out.append(f"static const char *const PAIR_NAMES[] = {{{quoted}, 0}};")
    quoted = ", ".join(f'"{name}"' for name in arities)
    out.append(f"static const char *const OPERATIONS[] = {{{quoted}, 0}};")
    return "\n".join(out) + "\n"
