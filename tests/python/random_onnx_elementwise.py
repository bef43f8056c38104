"""Random nodes of elementwise operators. See random_onnx_operators.py."""

from __future__ import annotations

import numpy as np
from random_onnx import TENSOR_BOOL, TENSOR_FLOAT, TENSOR_INT64, Rejected
from random_onnx_maker import away_from_zero, maker, within

SMOOTH = "Relu Neg Abs Sigmoid Tanh Softplus Softsign HardSwish Mish Erf Sin Cos Identity".split()
JUMPING = "Floor Ceil Round Sign".split()


CURVES = {
    "Tan": within(-1.4, 1.4),
    "Asin": within(-0.99, 0.99),
    "Acos": within(-0.99, 0.99),
    "Atan": within(-1e4, 1e4),
    "Sinh": within(-5, 5),
    "Cosh": within(-5, 5),
    "Asinh": within(-1e4, 1e4),
    "Acosh": within(1.05, 1e4),
    "Atanh": within(-0.95, 0.95),
}


@maker(*CURVES)
def curve(b, op):
    try:
        x = b.pick(fits=CURVES[op])
    except Rejected:
        x = b.input(b.numbers([2, 3], 2, 4) if op == "Acosh" else b.numbers([2, 3], -0.9, 0.9))
    b.node(op, [x])


@maker(*SMOOTH, *JUMPING, "Exp", "Log", "Sqrt", "Reciprocal", "Dropout")
def unary(b, op):
    domains = {
        "Exp": within(-20, 6),
        "Log": within(0.05, 1e4),
        "Sqrt": within(0.01, 1e4),
        "Reciprocal": away_from_zero,
        "Sin": within(-50, 50),
        "Cos": within(-50, 50),
    }
    if op in ("Log", "Sqrt") and b.flag():
        x = b.node("Add", [b.node("Abs", [b.pick()]), b.constant(np.float32(0.25))])
    elif op == "Reciprocal" and b.flag():
        x = b.node("Add", [b.node("Abs", [b.pick()]), b.constant(np.float32(0.5))])
    else:
        try:
            x = b.pick(exact=op in JUMPING, fits=domains.get(op))
        except Rejected:
            x = b.input(np.abs(b.numbers([2, 3])) + np.float32(0.25))
    b.node(op, [x], exact=op in ("Relu", "Neg", "Abs", "Identity", "Dropout", *JUMPING))


ALPHAS = {"LeakyRelu": (0.1, 0.3), "Elu": (0.5, 2.0), "Celu": (0.5, 2.0), "ThresholdedRelu": (0.3, 1.1)}


@maker(*ALPHAS, "Selu", "HardSigmoid", "Gelu", "Swish")
def parametrised(b, op):
    x = b.pick(exact=op == "ThresholdedRelu", fits=within(-80, 80))
    attributes = {}
    if op in ALPHAS and b.flag():
        attributes["alpha"] = b.choice(ALPHAS[op])
    if op == "Selu" and b.flag():
        attributes.update(alpha=1.5, gamma=1.1)
    if op == "HardSigmoid" and b.flag():
        attributes.update(alpha=1 / 6, beta=0.5)
    if op == "Gelu" and b.flag():
        attributes["approximate"] = "tanh"
    if op == "Swish" and b.flag():
        attributes["alpha"] = 1.5
    b.node(op, [x], **attributes)


@maker("Clip")
def clip(b, op):
    low, high = b.choice([(-1.0, 1.0), (0.0, 6.0), (None, 0.5), (-0.5, None)])
    bounds = ["" if v is None else b.constant(np.float32(v)) for v in (low, high)]
    b.node(op, [b.pick(), *(bounds if bounds[1] else bounds[:1])], exact=True)


def partner(b, x, **wanted):
    """A tensor that broadcasts with x: from the graph, a constant, or a new input."""
    shape = list(b.shape(x))
    kind = b.integer(0, 3)
    if kind == 0:
        others = [n for n in b.values if not n.startswith("c") and b.shape(n) == tuple(shape)]
        others = [n for n in others if b.values[n].dtype == b.values[x].dtype]
        if others:
            return b.choice(others)
    shape = [1 if b.integer(0, 2) == 0 else extent for extent in shape]
    shape = shape[b.integer(0, len(shape)) :] if b.flag() else shape
    array = b.numbers(shape) if b.values[x].dtype == np.float32 else b.random.integers(1, 5, shape)
    array = array.astype(b.values[x].dtype)
    return b.constant(array) if b.flag() else b.input(array)


@maker("Add", "Sub", "Mul", "Div", "Pow", "Mod", "PRelu")
def binary(b, op):
    kind = b.choice([np.float32, np.float32, np.int64, np.int32]) if op not in ("PRelu", "Pow") else np.float32
    x = b.pick(dtype=kind, exact=op == "Mod")
    if op == "Div":
        y = partner(b, x)
        if not away_from_zero(b.values[y]):
            y = b.constant(np.asarray(b.choice([2, 3, 4]), kind))
    elif op == "Pow":
        x = b.pick(fits=within(0.05, 6))
        y = b.constant(np.float32(b.choice([0.5, 2, 3, 1.5, -1])))
    elif op == "Mod":
        y = b.constant(np.asarray(b.choice([2, 3]), kind))
        return b.node(op, [x, y], fmod=1 if kind == np.float32 else b.integer(0, 1))
    elif op == "PRelu":
        x = b.pick(least=2)
        slope = b.numbers([b.shape(x)[1], *[1] * (b.rank(x) - 2)] if b.flag() else [1], 0, 1)
        return b.node(op, [x, b.constant(slope)])
    else:
        y = partner(b, x)
    pair = [x, y] if op in ("Div", "Pow") or b.flag() else [y, x]
    b.node(op, pair, exact=op in ("Add", "Sub", "Mul"))


@maker("Max", "Min", "Sum", "Mean")
def variadic(b, op):
    x = b.pick()
    b.node(op, [x] + [partner(b, x) for _ in range(b.integer(0, 2))], exact=op in ("Max", "Min"))


@maker("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
def comparison(b, op):
    x = b.pick(exact=True, dtype=b.choice([np.float32, np.int64]))
    y = partner(b, x)
    b.node(op, [x, y if y in b.exact or y in b.constants else b.input(b.values[x].copy())])


@maker("And", "Or")
def logical(b, op):
    x = b.pick(dtype=np.bool_)
    b.node(op, [x, b.input(b.random.integers(0, 2, b.shape(x)).astype(bool))])


@maker("Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift")
def bits(b, op):
    kinds = {"Xor": [np.bool_], "BitShift": [np.uint8, np.uint32, np.uint64]}
    kind = b.choice(kinds.get(op, [np.int8, np.uint16, np.int32, np.uint64]))
    shape = [b.integer(1, 3), b.integer(1, 4)]
    most = 2 if op == "Xor" else 7 if op == "BitShift" else 100
    x, y = (b.input(b.random.integers(0, most, s).astype(kind)) for s in (shape, shape[1:]))
    direction = b.choice(["LEFT", "RIGHT"]) if op == "BitShift" else None
    b.node(op, [x] if op == "BitwiseNot" else [x, y], direction=direction)


@maker("Not")
def negation(b, op):
    b.node(op, [b.pick(dtype=np.bool_)])


@maker("Where")
def where(b, op):
    x = b.pick()
    condition = b.input(b.random.integers(0, 2, b.shape(x)).astype(bool))
    b.node(op, [condition, x, partner(b, x)])


@maker("Cast")
def cast(b, op):
    if b.flag():
        return b.node(op, [b.pick(exact=True)], to=b.choice([TENSOR_INT64, TENSOR_BOOL]))
    b.node(op, [b.pick(dtype=b.choice([np.bool_, np.int64, np.int32]))], to=TENSOR_FLOAT)
