"""The Value class that a scalar GPT in one file brings along: data, grad, children, local derivatives; nothing else.

It is the peer of workload W2, and in tests/test_drop_in.py the class that a program drops for ours. As in such
programs a node keeps its operands and the derivative with respect to each, differences and quotients are made of
sums, products and powers, and constants are nodes. It differs in one thing: the topological sort does not recurse,
so that it runs at any depth.
"""

from __future__ import annotations

import math


class Value:
    """A number, and how it came about."""

    __slots__ = ("children", "data", "grad", "local_grads")

    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0.0
        self.children = children
        self.local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, exponent):
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,))

    def log(self):
        return Value(math.log(self.data), (self,), (1.0 / self.data,))

    def relu(self):
        return Value(max(0.0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self):
        return self * -1

    def __radd__(self, other):
        return self + other

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __rmul__(self, other):
        return self * other

    def __truediv__(self, other):
        return self * other**-1

    def __rtruediv__(self, other):
        return other * self**-1

    def backward(self):
        order, placed, stack = [], set(), [(self, iter(self.children))]
        placed.add(self)
        while stack:
            node, rest = stack[-1]
            for child in rest:
                if child not in placed:
                    placed.add(child)
                    stack.append((child, iter(child.children)))
                    break
            else:
                order.append(node)
                stack.pop()
        self.grad = 1.0
        for node in reversed(order):
            for child, local in zip(node.children, node.local_grads):  # noqa: B905  (one for each)
                child.grad += local * node.grad
