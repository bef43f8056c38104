"""TFLite: every operator against LiteRT's reference kernels."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
pytest.importorskip("ai_edge_litert")
from tflite_writer import TfliteWriter, run_litert  # noqa: E402

import openrknn  # noqa: E402

F, I32, I64, BOOL = np.float32, np.int32, np.int64, np.bool_


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
