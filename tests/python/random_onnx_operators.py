"""How a random node of each operator is made: one row an operator. See random_onnx.py."""

from __future__ import annotations

import numpy as np
from onnx import helper, numpy_helper
from random_onnx import TENSOR_BOOL, TENSOR_FLOAT, TENSOR_INT64, Rejected, bool_graph

MAKERS = {}


def maker(*operators):
    def register(function):
        for op in operators:
            MAKERS[op] = function
        return function

    return register


def i64(values):
    return np.asarray(values, np.int64)


def within(low, high):
    return lambda value: value.size == 0 or bool(np.all((value >= low) & (value <= high)))


def away_from_zero(value):
    return bool(np.all(np.abs(value) > 0.1))


# ---- elementwise

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


# ---- shapes and movement


@maker("Reshape")
def reshape(b, op):
    x = b.pick()
    extents = list(b.shape(x))
    if b.flag() and len(extents) > 1:
        extents = [0] * (len(extents) - 2) + [-1]
    else:
        extents = [*extents, 1] if len(extents) < 6 else [-1]
        extents[b.integer(0, len(extents) - 1)] = -1
    b.node(op, [x, b.constant(i64(extents))], exact=True)


@maker("Flatten")
def flatten(b, op):
    x = b.pick(least=1)
    b.node(op, [x], exact=True, axis=b.axis(x))


@maker("Squeeze")
def squeeze(b, op):
    x = b.pick(least=1)
    ones = [a for a, extent in enumerate(b.shape(x)) if extent == 1]
    if not ones:
        x, ones = b.node("Unsqueeze", [x, b.constant(i64([0]))], exact=True), [0]
    b.node(op, [x, b.constant(i64([b.choice(ones)]))] if b.flag() else [x], exact=True)


@maker("Unsqueeze")
def unsqueeze(b, op):
    x = b.pick(most=4)
    rank = b.rank(x) + 1
    b.node(op, [x, b.constant(i64([b.integer(-rank, rank - 1)]))], exact=True)


@maker("Transpose")
def transpose(b, op):
    x = b.pick(least=1)
    order = list(range(b.rank(x)))
    for i in range(len(order) - 1, 0, -1):
        j = b.integer(0, i)
        order[i], order[j] = order[j], order[i]
    b.node(op, [x], exact=True, perm=order if b.flag() else None)


@maker("Concat")
def concat(b, op):
    x = b.pick(least=1)
    axis = b.axis(x)
    parts = [x]
    for _ in range(b.integer(0, 2)):
        shape = list(b.shape(x))
        shape[axis] = b.integer(1, 4)
        parts.append(b.choice([b.input, b.constant])(b.numbers(shape)))
    b.node(op, parts if b.flag() else parts[::-1], exact=True, axis=axis)


@maker("Split")
def split(b, op):
    x = b.pick(least=1)
    axis = b.axis(x)
    extent = b.shape(x)[axis]
    first = b.integer(0, extent)
    if b.flag() and extent > 1:
        return b.node(op, [x], outputs=2, exact=True, axis=axis, num_outputs=2)
    b.node(op, [x, b.constant(i64([first, extent - first]))], outputs=2, exact=True, axis=axis)


@maker("Slice")
def slice_(b, op):
    x = b.pick(least=1)
    axis = b.axis(x)
    extent = b.shape(x)[axis]
    step = b.choice([1, 1, 2, -1, -2])
    start = b.integer(-extent, extent)
    end = b.choice([extent + 3, -1, extent, np.iinfo(np.int64).max] if step > 0 else [-extent - 3, 0])
    b.node(op, [x, *(b.constant(i64([v])) for v in (start, end, axis, step))], exact=True)


@maker("Pad")
def pad(b, op):
    x = b.pick(least=1, most=4)
    rank = b.rank(x)
    mode = b.choice(["constant", "constant", "edge", "reflect", "wrap"])
    limit = 0 if mode == "reflect" and min(b.shape(x)) < 3 else 2
    pads = [b.integer(0, limit) for _ in range(2 * rank)]
    value = [b.constant(np.float32(0.5))] if mode == "constant" and b.flag() else []
    b.node(op, [x, b.constant(i64(pads)), *value], exact=True, mode=mode)


@maker("Expand")
def expand(b, op):
    x = b.pick(most=4)
    shape = [b.integer(1, 3) if extent == 1 else extent for extent in b.shape(x)]
    b.node(op, [x, b.constant(i64([2, *shape] if b.flag() else shape))], exact=True)


@maker("Tile")
def tile(b, op):
    x = b.pick(least=1, most=4)
    b.node(op, [x, b.constant(i64([b.integer(1, 3) for _ in b.shape(x)]))], exact=True)


@maker("DepthToSpace", "SpaceToDepth")
def depth_space(b, op):
    if op == "DepthToSpace":
        x = b.input(b.numbers([1, 8, b.integer(1, 3), b.integer(1, 3)]))
        return b.node(op, [x], exact=True, blocksize=2, mode=b.choice(["DCR", "CRD"]))
    b.node(op, [b.input(b.numbers([1, b.integer(1, 3), 4, 6]))], exact=True, blocksize=2)


@maker("Trilu")
def trilu(b, op):
    x = b.pick(least=2)
    k = [b.constant(i64(b.integer(-2, 2)))] if b.flag() else []
    b.node(op, [x, *k], exact=True, upper=b.integer(0, 1))


@maker("Shape", "Size")
def shape(b, op):
    b.node(op, [b.pick()])


@maker("ConstantOfShape")
def constant_of_shape(b, op):
    value = numpy_helper.from_array(np.asarray([1.5], np.float32))
    filled = b.node(op, [b.constant(i64([2, b.integer(1, 3)]))], value=value)
    b.node("Add", [filled, b.input(b.numbers([1, 1]))])


@maker("Constant")
def constant(b, op):
    x = b.node(op, [], value=numpy_helper.from_array(b.numbers([2, 3])))
    b.node("Add", [x, b.input(b.numbers([2, 3]))])


@maker("Range")
def range_(b, op):
    numbers = b.node(op, [b.constant(np.float32(v)) for v in (0, b.integer(1, 5), 1)])
    b.node("Add", [numbers, b.input(b.numbers([1]))])


# ---- indexing


@maker("Gather")
def gather(b, op):
    x = b.pick(least=1, most=4)
    axis = b.axis(x)
    extent = b.shape(x)[axis]
    shape = b.choice([[], [3], [2, 2]])
    indices = b.random.integers(-extent, extent, shape)
    b.node(op, [x, b.choice([b.input, b.constant])(i64(indices))], exact=True, axis=axis)


@maker("GatherElements")
def gather_elements(b, op):
    x = b.pick(least=1, most=4)
    axis = b.axis(x)
    extent = b.shape(x)[axis]
    shape = list(b.shape(x))
    shape[axis] = b.integer(1, 4)
    b.node(op, [x, b.input(i64(b.random.integers(-extent, extent, shape)))], exact=True, axis=axis)


@maker("GatherND")
def gather_nd(b, op):
    x = b.pick(least=2, most=4)
    depth = b.integer(1, b.rank(x))
    indices = np.stack([b.random.integers(-e, e, [2, 3]) for e in b.shape(x)[:depth]], -1)
    b.node(op, [x, b.input(i64(indices))], exact=True)


@maker("ScatterND")
def scatter_nd(b, op):
    x = b.pick(least=2, most=4)
    rows = b.random.permutation(b.shape(x)[0])[: b.integer(1, 2)]
    updates = b.numbers([len(rows), *b.shape(x)[1:]])
    b.node(op, [x, b.constant(i64(rows[:, None])), b.input(updates)], reduction=b.choice([None, "add", "mul", "max"]))


@maker("ScatterElements")
def scatter_elements(b, op):
    x = b.pick(least=1, most=4)
    axis = b.axis(x)
    shape = list(b.shape(x))
    count = b.integer(1, shape[axis])
    order = np.argsort(b.random.random(shape), axis)
    indices = np.take(order, range(count), axis)
    inputs = [x, b.input(i64(indices)), b.input(b.numbers(indices.shape))]
    b.node(op, inputs, axis=axis, reduction=b.choice([None, "add", "mul", "min"]))


@maker("OneHot")
def one_hot(b, op):
    indices = b.input(i64(b.random.integers(-4, 4, [2, 3])))
    depth, values = b.constant(i64(4)), b.constant(np.asarray([0.25, 1.5], np.float32))
    b.node(op, [indices, depth, values], axis=b.integer(-3, 2))


@maker("TopK")
def top_k(b, op):
    x = b.pick(least=1, most=4)
    axis = b.axis(x)
    values = b.values[b.input(b.random.permutation(np.size(b.values[x])).reshape(b.shape(x)).astype(np.float32))]
    name = next(n for n in b.values if b.values[n] is values)
    k = b.constant(i64([b.integer(1, b.shape(x)[axis])]))
    b.node(op, [name, k], outputs=2, axis=axis, largest=b.integer(0, 1))


@maker("ArgMax", "ArgMin")
def argument(b, op):
    x = b.pick(least=1, exact=True)
    b.node(op, [x], axis=b.axis(x), keepdims=b.integer(0, 1), select_last_index=b.integer(0, 1))


@maker("ReverseSequence")
def reverse_sequence(b, op):
    x = b.pick(least=2, most=4)
    time_axis = b.integer(0, 1)
    lengths = b.random.integers(1, b.shape(x)[time_axis] + 1, b.shape(x)[1 - time_axis])
    b.node(op, [x, b.constant(i64(lengths))], exact=True, time_axis=time_axis, batch_axis=1 - time_axis)


@maker("CumSum")
def cum_sum(b, op):
    x = b.pick(least=1, most=4)
    axis = b.constant(i64(b.axis(x)))
    b.node(op, [x, axis], exclusive=b.integer(0, 1), reverse=b.integer(0, 1))


@maker("NonMaxSuppression")
def non_max_suppression(b, op):
    count = b.integer(3, 8)
    corners = b.numbers([1, count, 2], 0, 8)
    boxes = np.concatenate([corners, corners + 1 + np.abs(b.numbers([1, count, 2]))], -1)
    scores = (b.random.permutation(count) / count).astype(np.float32)[None, None]
    limits = [b.constant(i64([b.integer(1, count)])), b.constant(np.float32([0.45])), b.constant(np.float32([0.15]))]
    b.node(op, [b.input(boxes.astype(np.float32)), b.input(scores), *limits])


# ---- layers


def require_room(b, x, kernel, pads, dilations):
    """Where the window is larger than the tensor onnxruntime rounds towards zero and gives one output."""
    for i, extent in enumerate(b.shape(x)[2:]):
        if extent + pads[i] + pads[i + len(kernel)] < (kernel[i] - 1) * dilations[i] + 1:
            raise Rejected("the window is larger than the tensor")


def windows(b, x, kernel):
    """Strides, pads, dilations of a window that fits into x."""
    spatial = b.shape(x)[2:]
    style = b.integer(0, 2)
    if style == 0:
        # A stride beyond the kernel makes onnxruntime pad by less than nothing.
        strides = [b.integer(1, min(2, k)) for k in kernel]
        return {"auto_pad": b.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]), "strides": strides}
    pads = [b.integer(0, k - 1) for k in kernel] + [b.integer(0, k - 1) for k in kernel]
    strides = [b.integer(1, 3) for _ in spatial]
    dilations = [b.choice([1, 1, 2]) for _ in spatial]
    require_room(b, x, kernel, pads, dilations)
    return {"pads": pads, "strides": strides, "dilations": dilations}


def image(b, least=3, most=5):
    return b.pick(least=least, most=most, fits=lambda v: v.size and min(v.shape[2:]) >= 3 and v.shape[1] <= 16)


@maker("Conv")
def conv(b, op):
    x = image(b)
    channels = b.shape(x)[1]
    group = b.choice([1, 1, channels])
    filters = group * b.integer(1, 4) if group > 1 else b.integer(1, 9)
    kernel = [b.integer(1, 3) for _ in b.shape(x)[2:]]
    weights = b.constant(b.numbers([filters, channels // group, *kernel], -1, 1))
    bias = [b.constant(b.numbers([filters]))] if b.flag() else []
    b.node(op, [x, weights, *bias], group=group, kernel_shape=kernel, **windows(b, x, kernel))


@maker("ConvTranspose")
def conv_transpose(b, op):
    x = image(b, 3, 4)
    channels = b.shape(x)[1]
    group = b.choice([1, 1, channels])
    kernel = [b.integer(1, 4) for _ in b.shape(x)[2:]]
    weights = b.constant(b.numbers([channels, b.integer(1, 4), *kernel], -1, 1))
    strides = [b.integer(1, 3) for _ in kernel]
    padding = [b.integer(0, s - 1) for s in strides] if b.flag() else None
    pads = [b.integer(0, k // 2) for k in kernel] + [b.integer(0, k // 2) for k in kernel]
    b.node(op, [x, weights], group=group, kernel_shape=kernel, strides=strides, pads=pads, output_padding=padding)


@maker("MaxPool", "AveragePool")
def pool(b, op):
    x = image(b)
    kernel = [b.integer(1, 3) for _ in b.shape(x)[2:]]
    attributes = windows(b, x, kernel)
    if "auto_pad" not in attributes:
        attributes["ceil_mode"] = b.integer(0, 1)
    if op == "AveragePool":
        attributes["count_include_pad"] = b.integer(0, 1)
    if op == "MaxPool" and "pads" in attributes:
        # A window entirely in the padding has no maximum.
        attributes["pads"] = [min(p, (k - 1) // 2) for p, k in zip(attributes["pads"], kernel * 2, strict=True)]
        attributes["ceil_mode"] = 0
        require_room(b, x, kernel, attributes["pads"], attributes["dilations"])
    b.node(op, [x], exact=op == "MaxPool", kernel_shape=kernel, **attributes)


@maker("GlobalAveragePool", "GlobalMaxPool")
def global_pool(b, op):
    b.node(op, [image(b)])


@maker("MatMul")
def matmul(b, op):
    x = b.pick(least=2, most=4)
    inner, outer = b.shape(x)[-1], b.integer(1, 5)
    batch = list(b.shape(x)[:-2]) if b.flag() else []
    y = b.numbers([*batch, inner, outer], -1, 1)
    b.node(op, [x, b.choice([b.input, b.constant])(y)])


@maker("Gemm")
def gemm(b, op):
    x = b.pick(rank=2)
    transposed, columns = b.integer(0, 1), b.integer(1, 5)
    inner = b.shape(x)[0 if transposed else 1]
    trans_b = b.integer(0, 1)
    y = b.constant(b.numbers([columns, inner] if trans_b else [inner, columns], -1, 1))
    bias = [b.constant(b.numbers([columns]))] if b.flag() else []
    attributes = {"transA": transposed, "transB": trans_b, "alpha": b.choice([1.0, 0.5]), "beta": b.choice([1.0, 2.0])}
    b.node(op, [x, y, *bias], **attributes)


@maker("Einsum")
def einsum(b, op):
    equation, shapes = b.choice(
        [
            ("bij,bjk->bik", ([2, 3, 4], [2, 4, 5])),
            ("ij,kj->ik", ([3, 4], [5, 4])),
            ("bhqd,bhkd->bhqk", ([1, 2, 3, 4], [1, 2, 5, 4])),
            ("ij->ji", ([3, 4],)),
            ("ij,j->i", ([3, 4], [4])),
            ("...ij,...jk->...ik", ([2, 3, 4], [2, 4, 2])),
        ]
    )
    b.node(op, [b.input(b.numbers(shape)) for shape in shapes], equation=equation)


# ---- normalization and reduction


@maker("BatchNormalization")
def batch_normalization(b, op):
    x = image(b)
    channels = b.shape(x)[1]
    scale, bias, mean = (b.constant(b.numbers([channels])) for _ in range(3))
    b.node(op, [x, scale, bias, mean, b.constant(np.abs(b.numbers([channels])) + np.float32(0.5))])


@maker("InstanceNormalization")
def instance_normalization(b, op):
    x = b.pick(least=3, most=4, exact=True, fits=lambda v: np.prod(v.shape[2:]) > 4)
    channels = b.shape(x)[1]
    b.node(op, [x, b.constant(b.numbers([channels])), b.constant(b.numbers([channels]))], epsilon=0.01)


@maker("GroupNormalization")
def group_normalization(b, op):
    x = b.input(b.numbers([1, 4, 3, 4]))
    b.node(op, [x, b.constant(b.numbers([4])), b.constant(b.numbers([4]))], num_groups=2, epsilon=0.01)


@maker("LayerNormalization", "RMSNormalization")
def layer_normalization(b, op):
    x = b.pick(least=2, most=4, exact=True, fits=lambda v: v.shape[-1] > 1)
    scale = b.constant(b.numbers([b.shape(x)[-1]]))
    bias = [b.constant(b.numbers([b.shape(x)[-1]]))] if op == "LayerNormalization" and b.flag() else []
    b.node(op, [x, scale, *bias], axis=-1, epsilon=0.01)


@maker("LpNormalization")
def lp_normalization(b, op):
    x = b.pick(least=1, most=4, fits=lambda v: bool(np.all(np.abs(v) > 0.05)))
    b.node(op, [x], axis=b.axis(x), p=b.integer(1, 2))


@maker("MeanVarianceNormalization")
def mean_variance(b, op):
    b.node(op, [b.input(b.numbers([2, 3, 4, 4]))])


@maker("LRN")
def lrn(b, op):
    b.node(op, [image(b, 4, 4)], size=b.choice([1, 3, 5]), alpha=0.01, beta=0.75, bias=1.0)


@maker("Det")
def determinant(b, op):
    n = b.integer(1, 4)
    b.node(op, [b.input(b.numbers([b.integer(1, 3), n, n]))])


@maker("Softmax", "LogSoftmax")
def softmax(b, op):
    x = b.pick(least=1)
    b.node(op, [x], axis=b.axis(x))


@maker(*"ReduceMean ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceProd ReduceSumSquare".split())
@maker("ReduceLogSum", "ReduceLogSumExp")
def reduce(b, op):
    domain = {"ReduceLogSum": within(0.05, 1e3), "ReduceLogSumExp": within(-20, 20), "ReduceProd": within(-4, 4)}
    try:
        x = b.pick(least=1, most=5, fits=domain.get(op))
    except Rejected:
        x = b.input(np.abs(b.numbers([2, 3, 4])) + np.float32(0.25))
    axes = [b.constant(i64(b.axes(x)))] if b.integer(0, 3) > 0 else []
    b.node(op, [x, *axes], exact=op in ("ReduceMax", "ReduceMin"), keepdims=b.integer(0, 1))


# ---- resize and sampling


@maker("Resize")
def resize(b, op):
    x = b.pick(rank=4)
    mode = b.choice(["nearest", "linear", "cubic"])
    transforms = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    attributes = {"mode": mode, "coordinate_transformation_mode": b.choice(transforms)}
    if mode == "nearest":
        attributes["nearest_mode"] = b.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    spatial = [max(1, int(extent * b.choice([1, 2, 3]))) for extent in b.shape(x)[2:]]
    if b.flag():
        return b.node(op, [x, "", "", b.constant(i64([*b.shape(x)[:2], *spatial]))], **attributes)
    scales = [s / extent for s, extent in zip(spatial, b.shape(x)[2:], strict=True)]
    b.node(op, [x, "", b.constant(np.float32([1, 1, *scales]))], **attributes)


@maker("Upsample")
def upsample(b, op):
    x = b.input(b.numbers([1, 2, 3, 4]))
    b.node(op, [x, b.constant(np.float32([1, 1, 2, b.choice([1, 2, 3])]))], mode=b.choice(["nearest", "linear"]))


@maker("GridSample")
def grid_sample(b, op):
    x = b.pick(rank=4)
    grid = (b.random.random([b.shape(x)[0], 3, 4, 2]) * 2.4 - 1.2).astype(np.float32)
    attributes = {"mode": b.choice(["linear", "cubic"]), "padding_mode": b.choice(["zeros", "border", "reflection"])}
    b.node(op, [x, b.input(grid)], align_corners=b.integer(0, 1), **attributes)


@maker("RoiAlign")
def roi_align(b, op):
    x = b.pick(rank=4, fits=lambda v: min(v.shape[2:]) >= 3)
    boxes = np.float32([[0.25, 0.5, 2.75, 2.25], [0, 0, 2, 2]])
    batches = b.constant(i64(b.random.integers(0, b.shape(x)[0], 2)))
    attributes = {"mode": b.choice(["avg", "max"]), "sampling_ratio": b.integer(0, 2), "output_height": 2}
    b.node(op, [x, b.input(boxes), batches], output_width=3, spatial_scale=b.choice([1.0, 0.5]), **attributes)


# ---- recurrent


@maker("LSTM", "GRU")
def recurrent(b, op):
    gates = 4 if op == "LSTM" else 3
    direction = b.choice(["forward", "reverse", "bidirectional"])
    directions, hidden, size = 2 if direction == "bidirectional" else 1, b.integer(1, 5), b.integer(1, 4)
    x = b.input(b.numbers([b.integer(1, 4), b.integer(1, 2), size]))
    w = b.constant(b.numbers([directions, gates * hidden, size], -1, 1))
    r = b.constant(b.numbers([directions, gates * hidden, hidden], -1, 1))
    bias = [b.constant(b.numbers([directions, 2 * gates * hidden], -1, 1))] if b.flag() else []
    attributes = {"linear_before_reset": b.integer(0, 1)} if op == "GRU" else {}
    outputs = 3 if op == "LSTM" else 2
    b.node(op, [x, w, r, *bias], outputs=outputs, direction=direction, hidden_size=hidden, **attributes)


# ---- quantized operators


def scale(b, *shape):
    return b.constant((b.random.integers(1, 9, shape) / 64).astype(np.float32))


@maker("QuantizeLinear")
def quantize(b, op):
    x = b.pick(exact=True)
    kind = b.choice([np.int8, np.uint8])
    b.node(op, [x, b.constant(np.float32(b.choice([0.0625, 0.125]))), b.constant(np.asarray(b.integer(0, 9), kind))])


@maker("DequantizeLinear")
def dequantize(b, op):
    x = b.input(b.random.integers(-128, 128, [2, 3, 4]).astype(np.int8))
    if b.flag():
        return b.node(op, [x, scale(b, 3), b.constant(b.random.integers(-5, 6, 3).astype(np.int8))], axis=1)
    b.node(op, [x, scale(b)])


@maker("QLinearConv")
def q_linear_conv(b, op):
    x = b.input(b.random.integers(0, 256, [1, 2, 5, 5]).astype(np.uint8))
    w = b.constant(b.random.integers(-128, 128, [3, 2, 3, 3]).astype(np.int8))
    zero = b.constant(np.uint8(b.integer(0, 200)))
    inputs = [x, b.constant(np.float32(0.0625)), zero, w, b.constant(np.float32(0.03125)), b.constant(np.int8(0))]
    b.node(op, [*inputs, b.constant(np.float32(2.0)), b.constant(np.uint8(128))])


@maker("QLinearMatMul")
def q_linear_matmul(b, op):
    x = b.input(b.random.integers(0, 256, [3, 4]).astype(np.uint8))
    y = b.constant(b.random.integers(0, 256, [4, 5]).astype(np.uint8))
    zero = [b.constant(np.uint8(b.integer(0, 200))) for _ in range(3)]
    scales = [b.constant(np.float32(v)) for v in (0.0625, 0.03125, 1.0)]
    b.node(op, [x, scales[0], zero[0], y, scales[1], zero[1], scales[2], zero[2]])


@maker("MatMulInteger")
def matmul_integer(b, op):
    x = b.input(b.random.integers(0, 256, [b.integer(1, 2), 3, 4]).astype(np.uint8))
    y = b.constant(b.random.integers(0, 256, [4, 5]).astype(np.uint8))
    zeros = [b.constant(np.uint8(b.integer(0, 200))) for _ in range(2)] if b.flag() else []
    b.node(op, [x, y, *zeros])


@maker("ConvInteger")
def conv_integer(b, op):
    x = b.input(b.random.integers(0, 256, [1, 2, 5, 5]).astype(np.uint8))
    w = b.constant(b.random.integers(0, 256, [3, 2, 2, 3]).astype(np.uint8))
    zeros = [b.constant(np.uint8(b.integer(0, 200))) for _ in range(2)] if b.flag() else []
    b.node(op, [x, w, *zeros], pads=[b.integer(0, 1) for _ in range(4)], strides=[1, b.integer(1, 2)])


@maker("DynamicQuantizeLinear")
def dynamic_quantize(b, op):
    b.node(op, [b.pick(exact=True)], outputs=3)


# ---- control


@maker("If")
def branches(b, op):
    """If on an input, its branches reading a tensor of the graph around it."""
    x = b.pick(most=4)
    condition = b.input(np.asarray(b.flag()))
    then_graph, else_graph = bool_graph("Neg", x), bool_graph("Abs", x)
    node = helper.make_node("If", [condition], [f"t{len(b.nodes)}_0"], then_branch=then_graph, else_branch=else_graph)
    b.nodes.append(node)
    b.used.update([x, condition])
    b.values[node.output[0]] = np.asarray(-b.values[x] if b.values[condition] else np.abs(b.values[x]))
