"""Nonlinear least squares by Levenberg and Marquardt, checked against NIST's certified values.

    python docs/examples/curve_fitting.py            # all problems, from both starting points
    python docs/examples/curve_fitting.py --small    # one problem

To fit a model y ≈ f(x; b), minimise the sum of the squares of the residuals r(b) = y − f(x; b). `mg.jacobian` gives
J = dr/db; the Gauss–Newton step solves JᵀJ·s = −Jᵀr. Levenberg and Marquardt add λ·D² to the matrix, where D holds
the largest lengths of J's columns so far: a small λ makes it Gauss and Newton's step, a large one a short step
downhill. λ falls while things go well and rises when they do not.

The data, models, starting points and certified results are those of the Statistical Reference Datasets of the US
National Institute of Standards and Technology (https://www.itl.nist.gov/div898/strd/), made to tell good fitting
programs from bad ones. What is printed last is the number of digits on which we agree with them.

Sources: Marquardt 1963, doi:10.1137/0111030; Moré 1978, doi:10.1007/BFb0067700 (the scaling).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import log10, sqrt

import microgradlike as mg


@dataclass
class Problem:
    """A data set, a model, where to start, and what must come out."""

    name: str
    model: object  # f(x, b): b is a list of parameters
    x: list[float]
    y: list[float]
    starts: list[list[float]]
    certified: list[float]
    deviations: list[float]  # standard deviations of the parameters
    residual: float  # sum of squares


# Misra 1978: monomolecular adsorption of a dental material, pressure and volume. Four models of the same data.
PRESSURE = [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0]
VOLUME = [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78]

PROBLEMS = [
    Problem(
        "Misra1a", lambda x, b: b[0] * (1 - mg.exp(-b[1] * x)), PRESSURE, VOLUME,
        [[500, 0.0001], [250, 0.0005]],
        [2.3894212918e02, 5.5015643181e-04], [2.7070075241e00, 7.2668688436e-06], 1.2455138894e-01,
    ),
    Problem(
        "Misra1c", lambda x, b: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5), PRESSURE, VOLUME,
        [[500, 0.0001], [600, 0.0002]],
        [6.3642725809e02, 2.0813627256e-04], [4.6638326572e00, 1.7728423155e-06], 4.0966836971e-02,
    ),
    Problem(  # Daniel and Wood 1980: energy radiated by a carbon filament, by its temperature in 1000 K
        "DanWood", lambda x, b: b[0] * x ** b[1],
        [1.309, 1.471, 1.490, 1.565, 1.611, 1.680], [2.138, 3.421, 3.597, 4.340, 4.882, 5.660],
        [[1, 5], [0.7, 4]],
        [7.6886226176e-01, 3.8604055871e00], [1.8281973860e-02, 5.1726610913e-02], 4.3173084083e-03,
    ),
    Problem(  # Box, Hunter and Hunter 1978: biochemical oxygen demand, by days of incubation; hard from its first start
        "BoxBOD", lambda x, b: b[0] * (1 - mg.exp(-b[1] * x)),
        [1, 2, 3, 5, 7, 10], [109, 149, 149, 191, 213, 224],
        [[1, 1], [100, 0.75]],
        [2.1380940889e02, 5.4723748542e-01], [1.2354515176e01, 1.0455993237e-01], 1.1680088766e03,
    ),
    Problem(  # Kowalik and Osborne 1978: an enzyme reaction; hard from its first start
        "MGH09", lambda x, b: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
        [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625],
        [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246],
        [[25, 39, 41.5, 39], [0.25, 0.39, 0.415, 0.39]],
        [1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01],
        [1.1435312227e-02, 1.9633220911e-01, 8.0842031232e-02, 9.0025542308e-02], 3.0750560385e-04,
    ),
]  # fmt: skip


def solve(matrix, right):
    """Gaussian elimination with partial pivoting, for the few unknowns of a fit."""
    rows = [[*row, r] for row, r in zip(matrix, right, strict=True)]
    n = len(rows)
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    x = [0.0] * n
    for i in reversed(range(n)):
        x[i] = (rows[i][n] - sum(rows[i][k] * x[k] for k in range(i + 1, n))) / rows[i][i]
    return x


def dot(x, y):
    """Inner product."""
    return sum(a * b for a, b in zip(x, y, strict=True))


def fit(problem, start, steps=1000):
    """Levenberg–Marquardt. Returns parameters, standard deviations, sum of squares and steps taken."""

    def residuals(b):
        return [y - problem.model(x, b) for x, y in zip(problem.x, problem.y, strict=True)]

    b, damping, taken, scale = [float(p) for p in start], 100.0, 0, [0.0] * len(start)
    r, converged = residuals(b), False
    while not converged and taken < steps:
        taken += 1
        columns = list(zip(*mg.jacobian(residuals)(b), strict=True))
        normal = [[dot(p, q) for q in columns] for p in columns]
        downhill = [-dot(p, r) for p in columns]
        scale = [max(before, row[i]) for i, (before, row) in enumerate(zip(scale, normal, strict=True))]
        while True:
            damped = [[a + damping * scale[i] * (i == k) for k, a in enumerate(row)] for i, row in enumerate(normal)]
            step = solve(damped, downhill)
            moved = [p + s for p, s in zip(b, step, strict=True)]
            after = residuals(moved)
            converged = all(abs(s) <= 1e-12 * abs(p) for s, p in zip(step, moved, strict=True))
            if converged or dot(after, after) <= dot(r, r) * (1 + 1e-13):  # at the end rounding decides which is less
                break
            damping *= 10
        b, r, damping = moved, after, damping / 10
    variance = dot(r, r) / (len(r) - len(b))
    units = [[float(i == k) for k in range(len(b))] for i in range(len(b))]
    deviations = [sqrt(variance * solve(normal, unit)[i]) for i, unit in enumerate(units)]
    return b, deviations, dot(r, r), taken


def digits(found, certified):
    """On how many significant digits the worst of some numbers agrees with its certified value (which has 11)."""
    worst = max(abs(a - c) / abs(c) for a, c in zip(found, certified, strict=True))
    return 11.0 if worst == 0 else min(11.0, -log10(worst))


def main(argv=None):
    """Fits, prints, and returns the smallest number of digits on which a fit agrees with NIST."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="one problem instead of five")
    small = parser.parse_args(argv).small

    print("problem   start  steps  digits: parameters  deviations  sum of squares")
    agreed = []
    for problem in PROBLEMS[:1] if small else PROBLEMS:
        for number, start in enumerate(problem.starts, 1):
            b, deviations, total, taken = fit(problem, start)
            found = [digits(b, problem.certified), digits(deviations, problem.deviations),
                     digits([total], [problem.residual])]  # fmt: skip
            agreed += found
            print(f"{problem.name:9s} {number:5d}  {taken:5d}  {found[0]:18.1f}  {found[1]:10.1f}  {found[2]:14.1f}")
    for parameter, deviation in zip(b, deviations, strict=True):
        print(f"  {problem.name}: {parameter:.10e} ± {deviation:.1e}")
    return min(agreed)


if __name__ == "__main__":
    main()
