"""Newton's method in Rosenbrock's valley: with the whole Hessian, and with Hessian-vector products only.

    python docs/examples/rosenbrock.py            # 2 dimensions, then 12
    python docs/examples/rosenbrock.py --small    # 2 dimensions, then 6

f(x) = Σ 100·(xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)² has its minimum 0 at (1, …, 1), at the end of a long curved valley in which
gradient descent needs thousands of steps. The second derivatives know the curve.

1. In two dimensions `mg.hessian` gives the matrix H, and every step solves H·s = −∇f.
2. In many, `mg.hvp` gives H·v without H, and the conjugate gradient method needs no more than that to solve for
   the step: roughly at first, ever more exactly near the end.

Sources: Rosenbrock 1960, doi:10.1093/comjnl/3.3.175; Nocedal and Wright, Numerical Optimization (2006), algorithm 7.1.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from math import sqrt

import microgradlike as mg


def rosenbrock(x):
    """f of a list of numbers or Values."""
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def dot(x, y):
    """Inner product."""
    return sum(a * b for a, b in zip(x, y, strict=True))


def along(x, step, direction):
    """x + step·direction"""
    return [a + step * d for a, d in zip(x, direction, strict=True)]


def newton(x, tolerance=1e-12):
    """Newton's method as it is: full steps, the 2×2 system solved by Cramer's rule. Returns x and the values of f."""
    history = [rosenbrock(x)]
    while len(history) < 50:
        slope = mg.grad(rosenbrock)(x)
        (a, b), (c, d) = mg.hessian(rosenbrock)(x)
        determinant = a * d - b * c
        step = [-(d * slope[0] - b * slope[1]) / determinant, -(a * slope[1] - c * slope[0]) / determinant]
        x = along(x, 1.0, step)
        history.append(rosenbrock(x))
        if sqrt(dot(step, step)) < tolerance:
            break
    return x, history


def newton_cg(x, tolerance=1e-10):
    """Newton's method with H known by its products only. Returns x, the values of f, and the number of products."""
    history, products = [rosenbrock(x)], 0
    while len(history) < 500:
        slope = mg.grad(rosenbrock)(x)
        size = sqrt(dot(slope, slope))
        if size < tolerance:
            break
        step, used = conjugate_gradients(
            lambda v, at=x: mg.hvp(rosenbrock, (at,), (v,)), [-g for g in slope], min(0.5, sqrt(size)) * size
        )
        products += used
        length, descent = 1.0, dot(slope, step)
        while rosenbrock(along(x, length, step)) > history[-1] + 1e-4 * length * descent and length > 1e-12:
            length /= 2
        x = along(x, length, step)
        history.append(rosenbrock(x))
    return x, history, products


def conjugate_gradients(product, right, tolerance):
    """Solves H·s = right by products H·v until the residual is small, or a direction of negative curvature shows up."""
    s, residual, direction = [0.0] * len(right), right, right
    for used in range(1, 2 * len(right) + 1):
        bent = product(direction)
        curvature = dot(direction, bent)
        if curvature <= 0:
            return (direction if used == 1 else s), used
        length = dot(residual, residual) / curvature
        s = along(s, length, direction)
        rest = along(residual, -length, bent)
        if sqrt(dot(rest, rest)) < tolerance:
            break
        direction = along(rest, dot(rest, rest) / dot(residual, residual), direction)
        residual = rest
    return s, used


def main(argv=None):
    """Runs both, prints how f falls. Returns the two points."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="6 dimensions instead of 12")
    count = 6 if parser.parse_args(argv).small else 12

    print("Newton with mg.hessian from (-1.2, 1):")
    flat, history = newton([-1.2, 1.0])
    for step, f in enumerate(history):
        print(f"  step {step}  f = {f:.4g}")
    print(f"  x = ({flat[0]:.15g}, {flat[1]:.15g})")

    print(f"Newton-CG with mg.hvp in {count} dimensions from 0:")
    deep, history, products = newton_cg([0.0] * count)
    for step in range(0, len(history), 5):
        print(f"  step {step:2d}  f = {history[step]:.4g}")
    print(f"  {len(history) - 1} steps, {products} Hessian-vector products, f = {history[-1]:.4g}")
    print(f"  largest |x - 1| = {max(abs(a - 1) for a in deep):.2g}")
    return flat, deep


if __name__ == "__main__":
    main()
