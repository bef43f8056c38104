"""Random nodes of layers, norms, resampling, recurrent layers, quantized operators and branches. See
random_onnx_operators.py."""

from __future__ import annotations

import numpy as np
from onnx import helper
from random_onnx import Rejected, bool_graph
from random_onnx_maker import i64, maker, within

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
    # Seven bits: without VNNI onnxruntime adds two products of eight bits in sixteen, saturated.
    w = b.constant(b.random.integers(-64, 64, [3, 2, 3, 3]).astype(np.int8))
    zero = b.constant(np.uint8(b.integer(0, 200)))
    inputs = [x, b.constant(np.float32(0.0625)), zero, w, b.constant(np.float32(0.0625)), b.constant(np.int8(0))]
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
