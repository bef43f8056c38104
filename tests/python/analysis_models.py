"""Networks whose layers go wrong on purpose, and how the table of accuracy_analysis is read."""

import re

import numpy as np
import small_models
from onnx import helper
from small_models import constant, value


def chain(bad=False, names=("c0", "c1", "c2", "y")):
    """Four convolutions. With `bad`, the second has large weights for a channel that is always 0: the float model does
    not care, the other weights have few codes left."""
    random = np.random.default_rng(1)
    nodes, initializers, last = [], [], "x"
    for i, name in enumerate(names):
        weights = (random.standard_normal((6, 6, 3, 3)) * 0.15).astype(np.float32)
        if bad and i == 0:
            weights[0] = 0
        if bad and i == 1:
            weights[:, 0] *= 150
        initializers.append(constant(f"w{i}", weights))
        nodes.append(helper.make_node("Conv", [last, f"w{i}"], [name], name=f"node{i}", pads=[1, 1, 1, 1]))
        last = name
    shape = [1, 6, 12, 12]
    return small_models.model(nodes, [value("x", shape)], [value(last, shape)], initializers)


def unary(*operators, shape=(1, 8), factor=None):
    """y = the operators in a row; with `factor`, each result is multiplied by it."""
    nodes, initializers, last = [], [], "x"
    if factor is not None:
        initializers.append(constant("factor", np.float32(factor)))
    for i, operator in enumerate(operators):
        name = "y" if i == len(operators) - 1 else f"t{i}"
        inputs = [last, "factor"] if operator == "Mul" else [last]
        nodes.append(helper.make_node(operator, inputs, [name], name=f"node{i}"))
        last = name
    return small_models.model(nodes, [value("x", shape)], [value("y", shape)], initializers)


def rows_of(table):
    """[(op, tensor, None or (entire cos, entire euc, single cos, single euc))] of an error_analysis.txt."""
    lines = table.splitlines()
    start = next(i for i, line in enumerate(lines) if set(line) == {"-"}) + 1
    rows = []
    for line in lines[start:]:
        op, tensor, numbers = re.fullmatch(r"\[(\S+)\] (\S+)((?:\s+\S+\s+\| \S+){2})?\s*", line).groups()
        found = tuple(float(number) for number in re.findall(r"[^\s|]+", numbers)) if numbers else None
        rows.append((op, tensor, found))
    return rows
