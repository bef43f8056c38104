"""TensorFlow graphs: operators by their definitions and OpenCV's reader, recorded outputs of real ones, what is refused."""

import math
import re
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from digits import int8_accuracy  # noqa: E402
from tensorflow_writer import TensorflowWriter  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

F, I32 = np.float32, np.int32
IMAGE = (1, 5, 6, 4)


def run(path, *inputs, **options):
    return openrknn.import_model(path, **options).run(list(inputs))


def unary(op, function, low=-3.0, **attributes):
    return lambda w: w.op(op, [w.input(IMAGE)], **attributes), function, low


def binary(op, function, other=(4,), low=-3.0):
    return lambda w: w.op(op, [w.input(IMAGE), w.input(other)]), function, low


def with_constant(op, array, function, shape=IMAGE, **attributes):
    return lambda w: w.op(op, [w.input(shape), w.constant(np.array(array, I32))], **attributes), function, -3.0


def behind_an_image(after, function):
    """A 1x1 convolution that exchanges channels in front, so that the operator meets channels that come first."""
    exchange = np.eye(4, dtype=F)[::-1].reshape(1, 1, 4, 4)
    return lambda w: after(w, w.convolution(w.input(IMAGE), exchange)), lambda x: function(x[..., ::-1]), -3.0


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def strided(begin, end, strides, function, **masks):
    return (
        lambda w: w.op("StridedSlice", [w.input(IMAGE), w.ints(*begin), w.ints(*end), w.ints(*strides)], **masks),
        function,
        -3.0,
    )


# name: the graph, what it is by definition, lowest number fed
OPERATORS = {
    "relu": unary("Relu", lambda x: np.maximum(x, 0)),
    "relu6": unary("Relu6", lambda x: np.clip(x, 0, 6)),
    "leaky": unary("LeakyRelu", lambda x: np.where(x < 0, 0.2 * x, x)),
    "leaky_alpha": unary("LeakyRelu", lambda x: np.where(x < 0, 0.5 * x, x), alpha=0.5),
    "elu": unary("Elu", lambda x: np.where(x < 0, np.exp(x) - 1, x)),
    "sigmoid": unary("Sigmoid", sigmoid),
    "tanh": unary("Tanh", np.tanh),
    "softplus": unary("Softplus", lambda x: np.log1p(np.exp(x))),
    "softmax": unary("Softmax", softmax),
    "rsqrt": unary("Rsqrt", lambda x: 1 / np.sqrt(x), low=0.1),
    "square": unary("Square", np.square),
    "floor": unary("Floor", np.floor),
    "identity": unary("Identity", lambda x: x),
    "swish": unary("swish_f32", lambda x: x * sigmoid(x)),
    "tan": unary("Tan", np.tan, low=-1.0),
    "atan": unary("Atan", np.arctan),
    "asinh": unary("Asinh", np.arcsinh),
    "cosh": unary("Cosh", np.cosh),
    "log1p": unary("Log1p", np.log1p, low=0.0),
    "expm1": unary("Expm1", np.expm1),
    "erfc": unary("Erfc", np.vectorize(math.erfc)),
    "is_finite": unary("IsFinite", np.isfinite),
    "half_of_squares": unary("L2Loss", lambda x: (x * x).sum() / 2),
    "floor_mod": binary("FloorMod", np.mod, other=(5, 1, 4)),
    "truncate_mod": binary("TruncateMod", np.fmod),
    "div_no_nan": (
        lambda w: w.op("DivNoNan", [w.input(IMAGE), w.op("Relu", [w.input(IMAGE)])]),
        lambda x, y: np.where(y > 0, x / np.where(y > 0, y, 1), 0),
        -3.0,
    ),
    "xlogy": (
        lambda w: w.op("Xlogy", [w.op("Relu", [w.input(IMAGE)]), w.op("Exp", [w.input(IMAGE)])]),
        lambda x, y: np.maximum(x, 0) * y,
        -3.0,
    ),
    "clip_by_value": (
        lambda w: w.op("ClipByValue", [w.input(IMAGE), w.constant(F(-1)), w.constant(F(0.5))]),
        lambda x: np.clip(x, -1, 0.5),
        -3.0,
    ),
    "add": binary("AddV2", np.add),
    "sub": binary("Sub", np.subtract, other=(5, 1, 4)),
    "mul": binary("Mul", np.multiply),
    "div": binary("RealDiv", np.divide, low=0.5),
    "maximum": binary("Maximum", np.maximum),
    "floor_div": binary("FloorDiv", np.floor_divide, low=0.5),
    "squared_difference": binary("SquaredDifference", lambda x, y: (x - y) ** 2),
    "greater": binary("Greater", np.greater),
    "bias": (lambda w: w.op("BiasAdd", [w.input(IMAGE), w.input((4,))]), np.add, -3.0),
    "bias_nchw": (
        lambda w: w.op("BiasAdd", [w.input(IMAGE), w.input((5,))], data_format="NCHW"),
        lambda x, b: x + b.reshape(5, 1, 1),
        -3.0,
    ),
    "matmul": (
        lambda w: w.op("MatMul", [w.input((3, 8)), w.input((5, 8))], transpose_b=True),
        lambda x, y: x @ y.T,
        -3.0,
    ),
    "batch_matmul": (
        lambda w: w.op("BatchMatMulV2", [w.input((2, 8, 3)), w.input((2, 8, 5))], adj_x=True),
        lambda x, y: x.transpose(0, 2, 1) @ y,
        -3.0,
    ),
    "einsum": (
        lambda w: w.op("Einsum", [w.input((2, 3, 4)), w.input((4, 5, 6))], equation="abc,cde->abde"),
        lambda x, y: np.einsum("abc,cde->abde", x, y),
        -3.0,
    ),
    "cumprod": with_constant("Cumprod", 1, lambda x: np.cumprod(x, 1)),
    "roll": (
        lambda w: w.op("Roll", [w.input(IMAGE), w.ints(1, -2), w.ints(1, 2)]),
        lambda x: np.roll(x, (1, -2), (1, 2)),
        -3.0,
    ),
    "band": (
        lambda w: w.op("MatrixBandPart", [w.input((5, 6)), w.constant(I32(1)), w.constant(I32(-1))]),
        lambda x: np.triu(x, -1),
        -3.0,
    ),
    "gather_in_batches": (
        lambda w: w.op(
            "GatherV2",
            [w.input((2, 3, 5, 4)), w.constant(np.array([[4, 0], [1, 1]], I32)), w.constant(I32(2))],
            batch_dims=1,
        ),
        lambda x: np.stack([x[0][:, [4, 0]], x[1][:, [1, 1]]]),
        -3.0,
    ),
    "scatter": (
        lambda w: w.op("ScatterNd", [w.constant(np.array([[3], [1]], I32)), w.input((2, 4)), w.ints(5, 4)]),
        lambda x: np.stack([0 * x[0], x[1], 0 * x[0], x[0], 0 * x[0]]),
        -3.0,
    ),
    "inverse_of_a_permutation": (
        lambda w: w.op("Transpose", [w.input(IMAGE), w.op("InvertPermutation", [w.ints(0, 2, 3, 1)])]),
        lambda x: x.transpose(0, 3, 1, 2),
        -3.0,
    ),
    "broadcast_shapes": (
        lambda w: w.op("BroadcastTo", [w.input((4, 1)), w.op("BroadcastArgs", [w.ints(4, 1), w.ints(2, 1, 3)])]),
        lambda x: np.broadcast_to(x, (2, 4, 3)),
        -3.0,
    ),
    "reshape": with_constant("Reshape", [2, -1, 4], lambda x: x.reshape(2, -1, 4)),
    "transpose": with_constant("Transpose", [0, 3, 1, 2], lambda x: x.transpose(0, 3, 1, 2)),
    "expand_dims": with_constant("ExpandDims", 1, lambda x: x[:, None], shape=(5, 6)),
    "tile": with_constant("Tile", [1, 2, 1, 3], lambda x: np.tile(x, (1, 2, 1, 3))),
    "mean": with_constant("Mean", [1, 2], lambda x: x.mean((1, 2))),
    "mean_kept": with_constant("Mean", [1, 2], lambda x: x.mean((1, 2), keepdims=True), keep_dims=True),
    "sum": with_constant("Sum", [1], lambda x: x.sum(1)),
    "arg_max": with_constant("ArgMax", 3, lambda x: x.argmax(3)),
    "pad": with_constant(
        "Pad", [[0, 0], [1, 2], [3, 0], [0, 1]], lambda x: np.pad(x, [(0, 0), (1, 2), (3, 0), (0, 1)])
    ),
    "mirror": with_constant(
        "MirrorPad",
        [[0, 0], [1, 2], [3, 0], [0, 1]],
        lambda x: np.pad(x, [(0, 0), (1, 2), (3, 0), (0, 1)], "symmetric"),
        mode="SYMMETRIC",
    ),
    "gather": (
        lambda w: w.op("GatherV2", [w.input(IMAGE), w.ints(3, 0, 0), w.constant(I32(3))]),
        lambda x: x[..., [3, 0, 0]],
        -3.0,
    ),
    "squeeze": (lambda w: w.op("Squeeze", [w.input((1, 5, 1, 4))], squeeze_dims=[0, 2]), lambda x: x[0, :, 0], -3.0),
    "pack": (
        lambda w: w.op("Pack", [w.input((3, 4)), w.input((3, 4))], axis=1),
        lambda x, y: np.stack([x, y], 1),
        -3.0,
    ),
    "concat": (
        lambda w: w.op("ConcatV2", [w.input(IMAGE), w.input(IMAGE), w.constant(I32(-1))]),
        lambda x, y: np.concatenate([x, y], -1),
        -3.0,
    ),
    "concat_v1": (
        lambda w: w.op("Concat", [w.constant(I32(1)), w.input((2, 3)), w.input((2, 4))]),
        lambda x, y: np.concatenate([x, y], 1),
        -3.0,
    ),
    "slice": (
        lambda w: w.op("Slice", [w.input(IMAGE), w.ints(0, 1, 2, 1), w.ints(1, -1, 3, 2)]),
        lambda x: x[:, 1:, 2:5, 1:3],
        -3.0,
    ),
    "strided": strided((0, 4, 1, 0), (1, 0, 6, 4), (1, -2, 3, 2), lambda x: x[:, 4:0:-2, 1:6:3, 0:4:2]),
    "strided_masks": strided(
        (0, 0, 3), (0, 0, 0), (1, 1, 1), lambda x: x[0, ..., 3], ellipsis_mask=2, shrink_axis_mask=5
    ),
    "image_softmax": behind_an_image(lambda w, x: w.op("Softmax", [x]), softmax),
    "image_reshape": behind_an_image(lambda w, x: w.op("Reshape", [x, w.ints(1, -1)]), lambda x: x.reshape(1, -1)),
    "image_mean": behind_an_image(lambda w, x: w.op("Mean", [x, w.ints(1, 2)]), lambda x: x.mean((1, 2))),
    "image_split": behind_an_image(
        lambda w, x: w.op("Split", [w.constant(I32(3)), x], num_split=2), lambda x: x[..., :2]
    ),
    "image_arithmetic": behind_an_image(
        lambda w, x: w.op("Mul", [x, w.constant(np.arange(6, dtype=F).reshape(6, 1))]),
        lambda x: x * np.arange(6, dtype=F).reshape(6, 1),
    ),
    "shape_arithmetic": behind_an_image(
        lambda w, x: w.op(
            "Reshape",
            [
                x,
                w.op(
                    "Pack",
                    [
                        w.op(
                            "StridedSlice",
                            [w.op("Shape", [x]), w.ints(0), w.ints(1), w.ints(1)],
                            shrink_axis_mask=1,
                        ),
                        w.constant(I32(-1)),
                    ],
                    axis=0,
                ),
            ],
        ),
        lambda x: x.reshape(1, -1),
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_do_what_they_are_defined_to_do(name, tmp_path):
    build, function, low = OPERATORS[name]
    writer = TensorflowWriter()
    last = build(writer)
    path = writer.write(tmp_path / "net.pb")
    inputs = [writer.draw(*shape, low=low, high=3.0) for shape in writer.inputs]
    (got,) = run(path, *inputs, outputs=[last])
    expected = np.asarray(function(*[x.astype(np.float64) for x in inputs]))
    assert got.shape == expected.shape
    assert np.abs(got.astype(np.float64) - expected).max() <= 2e-6 * max(1.0, np.abs(expected).max())


def chain(w, x, kind):
    if kind == "strided":
        return w.convolution(x, w.draw(3, 3, 4, 6), stride=2)
    if kind == "valid":
        return w.convolution(x, w.draw(3, 2, 4, 6), padding="VALID")
    if kind == "depthwise":
        return w.op("DepthwiseConv2dNative", [x, w.constant(w.draw(3, 3, 4, 2))], strides=[1, 2, 2, 1], padding="SAME")
    if kind == "batch_norm":
        parameters = [w.constant(w.draw(4, low=0.5, high=2.0)) for _ in range(4)]
        return w.op("FusedBatchNormV3", [x, *parameters], epsilon=0.001, is_training=False)
    if kind == "max_pool":
        return w.op("MaxPool", [x], ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="SAME")
    if kind == "mean_pool":
        return w.op("AvgPool", [x], ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="SAME")
    if kind == "bilinear":
        return w.op("ResizeBilinear", [x, w.ints(14, 16)], align_corners=True)
    assert kind == "nearest"
    return w.op("ResizeNearestNeighbor", [x, w.ints(14, 16)])


KINDS = "strided valid depthwise batch_norm max_pool mean_pool bilinear nearest".split()


@pytest.mark.parametrize("kind", KINDS)
def test_layers_give_what_opencv_gives(kind, tmp_path):
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2.dnn, "readNetFromTensorflow"):
        pytest.skip("this OpenCV reads no TensorFlow graphs")
    w = TensorflowWriter()
    chain(w, w.input((1, 7, 8, 4)), kind)
    path = w.write(tmp_path / "net.pb")
    x = w.draw(1, 7, 8, 4)
    net = cv2.dnn.readNetFromTensorflow(str(path))
    net.setInput(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    expected = net.forward()
    (got,) = run(path, x)
    if got.ndim == 4:
        got = got.transpose(0, 3, 1, 2)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 1e-5 * max(1.0, float(np.ptp(expected)))


def test_transposed_convolutions_are_gradients_of_convolutions(tmp_path):
    w = TensorflowWriter()
    weights = w.draw(3, 3, 5, 4)  # [H, W, out, in]
    x = w.input((1, 3, 4, 4))
    w.op("Conv2DBackpropInput", [w.ints(1, 6, 8, 5), w.constant(weights), x], strides=[1, 2, 2, 1], padding="SAME")
    given = w.draw(1, 3, 4, 4)
    (got,) = run(w.write(tmp_path / "net.pb"), given)
    expected = np.zeros((1, 8, 10, 5))  # one row and column of padding at the end
    for y in range(3):
        for z in range(4):
            expected[0, 2 * y : 2 * y + 3, 2 * z : 2 * z + 3] += np.einsum("hwoi,i->hwo", weights, given[0, y, z])
    assert np.abs(got - expected[:, :6, :8]).max() < 1e-5


def test_transposed_convolutions_may_be_dilated(tmp_path):
    w = TensorflowWriter()
    weights = w.draw(2, 2, 5, 4)
    x = w.input((1, 3, 4, 4))
    w.op(
        "Conv2DBackpropInput",
        [w.ints(1, 6, 7, 5), w.constant(weights), x],
        strides=[1, 1, 1, 1],
        dilations=[1, 3, 3, 1],
        padding="VALID",
    )
    given = w.draw(1, 3, 4, 4)
    (got,) = run(w.write(tmp_path / "net.pb"), given)
    expected = np.zeros((1, 6, 7, 5))
    for y in range(3):
        for z in range(4):
            expected[0, y : y + 4 : 3, z : z + 4 : 3] += np.einsum("hwoi,i->hwo", weights, given[0, y, z])
    assert np.abs(got - expected).max() < 1e-5


def test_patches_of_an_image_become_channels(tmp_path):
    w = TensorflowWriter()
    w.op(
        "ExtractImagePatches",
        [w.input(IMAGE)],
        ksizes=[1, 2, 3, 1],
        strides=[1, 1, 2, 1],
        rates=[1, 2, 1, 1],
        padding="VALID",
    )
    x = w.draw(*IMAGE)
    (got,) = run(w.write(tmp_path / "net.pb"), x)
    rows = [[x[:, i : i + 3 : 2, j : j + 3].reshape(1, -1) for j in (0, 2)] for i in range(3)]
    assert np.array_equal(got, np.stack([np.stack(row, 1) for row in rows], 1))


def test_every_output_of_a_node_bears_its_own_name(tmp_path):
    w = TensorflowWriter()
    x = w.op("Split", [w.constant(I32(3)), w.input(IMAGE)], num_split=4)
    path = w.write(tmp_path / "net.pb")
    names = [f"{x}:2", f"{x}:0"]
    graph = openrknn.import_model(path, outputs=names)
    assert [name for name, _, _ in graph.outputs] == names
    given = w.draw(*IMAGE)
    assert all(np.array_equal(got, given[..., c : c + 1]) for got, c in zip(graph.run([given]), (2, 0), strict=True))
    assert "output 4 is read, it gives 4" in refusal(path, outputs=[f"{x}:4"])


def test_floats_of_other_widths_are_computed_in_float32(tmp_path):
    w = TensorflowWriter()
    x = w.input((2, 3), np.float64)
    half = w.op("Cast", [w.constant(np.float16(0.5))], DstT=("type", np.float32))
    w.op("Mul", [w.op("Cast", [x], DstT=("type", np.float16)), half])
    given = w.draw(2, 3).astype(np.float64)
    (got,) = run(w.write(tmp_path / "net.pb"), given)
    assert got.dtype == F and np.array_equal(got, given.astype(F) * F(0.5))


@pytest.mark.parametrize("borders, crops", [((0, 0, 0, 0), (0, 0, 0, 0)), ((2, 2, 2, 3), (0, 0, 0, 1))])
def test_a_dilated_convolution_is_one_between_blocks_in_the_batch(borders, crops, tmp_path):
    w = TensorflowWriter()
    weights, x = w.draw(3, 3, 4, 6), w.input((1, 8, 8 - borders[3] % 2, 4))
    padding = {"explicit_paddings": [0, 0, 2, 2, 2, 2, 0, 0]} if any(borders) else {}
    dilated = w.convolution(x, weights, padding="EXPLICIT" if padding else "VALID", dilations=[1, 2, 2, 1], **padding)
    around, inside = (w.constant(np.array(each, I32).reshape(2, 2)) for each in (borders, crops))
    blocks = w.op("SpaceToBatchND", [x, w.ints(2, 2), around])
    between = w.convolution(blocks, weights, padding="VALID")
    joined = w.op("BatchToSpaceND", [between, w.ints(2, 2), inside])
    path = w.write(tmp_path / "net.pb")
    given = w.draw(*w.inputs[0])
    one, other, batch = run(path, given, outputs=[dilated, joined, between])
    height, width = batch.shape[1:3]
    pixels = batch.reshape(2, 2, 1, height, width, 6).transpose(2, 3, 0, 4, 1, 5).reshape(1, 2 * height, 2 * width, 6)
    assert np.array_equal(one, other)
    assert np.abs(other - pixels[:, :, : pixels.shape[2] - crops[3]]).max() < 1e-5
    assert [node["op"] for node in openrknn.import_model(path, outputs=[joined]).nodes] == ["Conv"]


def test_a_branch_is_taken_where_its_predicate_is_constant(tmp_path):
    w = TensorflowWriter()
    x = w.input((2, 3))
    w.op("PlaceholderWithDefault", [w.constant(np.bool_(False))], name="is_training")
    w.op("Switch", [x, "is_training"], name="switch")
    # What the other branch computes does not matter.
    taken, other = w.op("Relu", ["switch"]), w.op("NoSuchOperator", ["switch:1"])
    w.op("Merge", [taken, other], name="merge")
    w.op("Neg", ["merge"])
    path = w.write(tmp_path / "net.pb")
    given = w.draw(2, 3)
    (got,) = run(path, given)
    assert np.array_equal(got, -np.maximum(given, 0))
    with pytest.raises(openrknn.Error, match="NoSuchOperator"):
        openrknn.import_model(path, initial_values={"is_training": np.bool_(True)}, inputs=[x, "is_training"])


def test_dropout_is_nothing_at_a_probability_of_one(tmp_path):
    w = TensorflowWriter()
    x, keep = w.input((2, 3)), w.input((), name="keep_prob")
    noise = w.op("AddV2", [w.op("RandomUniform", [w.ints(2, 3)]), keep])
    w.op("Mul", [w.op("RealDiv", [x, keep]), w.op("Floor", [noise])])
    path = w.write(tmp_path / "net.pb")
    given = w.draw(2, 3)
    (got,) = run(path, given, initial_values={"keep_prob": F(1)})
    assert np.array_equal(got, given)
    with pytest.raises(openrknn.Error, match="random number"):
        openrknn.import_model(path, initial_values={"keep_prob": F(0.5)})


def test_fake_quant_keeps_the_range_of_the_training(tmp_path):
    w = TensorflowWriter()
    x = w.op("FakeQuantWithMinMaxArgs", [w.input((1, 6, 6, 4))], min=-1.0, max=1.5)
    ranges = [w.constant(F(-2)), w.constant(F(2))]
    weights = w.op("FakeQuantWithMinMaxVars", [w.constant(w.draw(3, 3, 4, 5)), *ranges], narrow_range=True)
    y = w.op("Conv2D", [x, weights], strides=[1, 1, 1, 1], padding="SAME")
    w.op("FakeQuantWithMinMaxVars", [y, w.constant(F(-12)), w.constant(F(12))])
    path = w.write(tmp_path / "net.pb")
    graph = openrknn.import_model(path)
    assert sum(node["op"] == "QuantizeLinear" for node in graph.nodes) == 3
    given = w.draw(1, 6, 6, 4)
    step = 2.5 / 255
    ours = run(path, given, outputs=["fakequantwithminmaxargs_1"])[0]
    zero = round(1.0 / step)
    expected = (np.clip(np.round(given / step) + zero, 0, 255) - zero) * step
    assert np.abs(ours - expected).max() < 1e-6
    model = openrknn.compile(graph, quantize=None)
    assert "Conv(" in str(model) and np.abs(model.run([given])[0] - graph.run([given])[0]).max() < 0.3


@pytest.mark.parametrize(
    "low, high, bits, narrow",
    [(-1.0, 1.0, 8, False), (-1.0, 1.0, 4, False), (-0.9, 1.0, 8, True), (0.5, 1.0, 8, False), (-2.0, 1.0, 16, False)],
)
def test_fake_quant_moves_ranges_as_tensorflow_does(low, high, bits, narrow, tmp_path):
    w = TensorflowWriter()
    w.op("FakeQuantWithMinMaxArgs", [w.input((4, 64))], min=low, max=high, num_bits=bits, narrow_range=narrow)
    given = w.draw(4, 64, low=-3.0, high=3.0)
    (got,) = run(w.write(tmp_path / "net.pb"), given)
    least, most = F(narrow), F(2**bits - 1)
    scale = F(F(high) - F(low)) / (most - least)
    zero = np.floor(np.clip(least - F(low) / scale, least, most) + F(0.5))
    expected = (np.clip(np.round(given / scale) + zero, least, most) - zero) * scale
    assert np.abs(got - expected).max() < 1e-6


def test_fake_quant_leaves_the_lowest_code_out_in_each_channel(tmp_path):
    w = TensorflowWriter()
    most = np.array([0.5, 1.0, 2.0], F)
    w.op(
        "FakeQuantWithMinMaxVarsPerChannel",
        [w.input((4, 3)), w.constant(-most), w.constant(most)],
        narrow_range=True,
    )
    (got,) = run(w.write(tmp_path / "net.pb"), np.full((4, 3), -9, F))
    assert np.allclose(got, -np.broadcast_to(most, (4, 3)), atol=1e-6)


def test_models_are_cropped_with_and_without_the_number_of_the_output(tmp_path):
    w = TensorflowWriter()
    middle = w.op("Relu", [w.op("NoSuchOperator", [w.input((1, 4))])])
    last = w.op("Neg", [middle])
    w.op("Exp", [last])
    path = w.write(tmp_path / "net.pb")
    x = w.draw(1, 5, 6, 3)
    for begin, end in ((middle, last), (f"{middle}:0", f"{last}:0")):
        graph = openrknn.import_model(path, inputs=[begin], input_shapes=[[5, 6, 3]], outputs=[end])
        assert graph.inputs == [(f"{middle}:0", [1, 5, 6, 3], "float32")]
        assert graph.outputs == [(f"{last}:0", [1, 5, 6, 3], "float32")]
        assert np.array_equal(graph.run([x])[0], -x)


def refusal(path, **options):
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model(path, **options)
    return str(caught.value)


def test_everything_unsupported_is_told_at_once(tmp_path):
    w = TensorflowWriter()
    x = w.op("NonMaxSuppressionV3", [w.op("NoSuchOperator", [w.op("NoSuchOperator", [w.input((1, 4))])])])
    w.op("Enter", [x])
    text = refusal(w.write(tmp_path / "net.pb"))
    assert "NoSuchOperator: is not supported (2 nodes: " in text
    assert "NonMaxSuppressionV3: boxes are chosen on the host" in text and "Enter: loops are not supported" in text


def test_what_is_not_frozen_is_refused_with_the_command_that_freezes(tmp_path):
    w = TensorflowWriter()
    w.op("MatMul", [w.input((1, 4)), w.op("VariableV2", name="weights")])
    text = refusal(w.write(tmp_path / "net.pb"))
    assert "1 variables, expected a frozen one" in text and "convert_variables_to_constants_v2" in text
    saved = tmp_path / "saved_model.pb"
    saved.write_bytes(b"\x08\x01\x12\x08\x0a\x06" + b"\x00" * 6)
    for named in (saved, tmp_path):
        text = refusal(named)
        assert "this is a SavedModel" in text and "python -c" in text
        # The model has a name of its own: without one its variables are gone before they are frozen.
        assert f"m = tf.saved_model.load('{tmp_path}'); f = m.signatures" in text


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("model.h5", b"\x89HDF\r\n\x1a\n", "tf.keras.models.load_model("),
        ("named_otherwise.bin", b"\x89HDF\r\n\x1a\n", "tf.keras.models.load_model("),
        ("model.keras", b"PK\x03\x04", "tf.keras.models.load_model("),
        ("model.ckpt.meta", b"\x0a\x02\x10\x01\x12\x00", "--input_checkpoint {folder}/model.ckpt "),
    ],
)
def test_other_formats_of_tensorflow_are_refused_with_the_command_that_freezes(tmp_path, name, content, command):
    path = tmp_path / name
    path.write_bytes(content)
    text = refusal(path)
    assert "expected a frozen graph" in text and command.format(folder=tmp_path) in text


def test_a_folder_that_is_no_saved_model_is_no_model(tmp_path):
    folder = tmp_path / "net.onnx.d"
    folder.mkdir()
    assert "no model file" in refusal(folder)


def test_shapes_that_are_not_known_have_to_be_given(tmp_path):
    w = TensorflowWriter()
    w.op("Relu", [w.input((-1, -1, -1, 3))])
    path = w.write(tmp_path / "net.pb")
    assert "input_size_list" in refusal(path)
    assert openrknn.import_model(path, input_shapes=[[4, 5, 3]]).inputs[0][1] == [1, 4, 5, 3]
    assert "2 input shapes are given, there are 1 inputs" in refusal(path, input_shapes=[[1], [2]])


def test_names_that_are_not_there_are_told_together(tmp_path):
    w = TensorflowWriter()
    w.op("Relu", [w.input((1, 4))])
    text = refusal(w.write(tmp_path / "net.pb"), inputs=["a"], outputs=["b:1", "c"], input_shapes=[[1]])
    assert "inputs names 'a'" in text and "outputs names 'b:1'" in text and "outputs names 'c'" in text


def test_cycles_and_missing_nodes_are_told(tmp_path):
    w = TensorflowWriter()
    w.op("Relu", ["b", "nowhere"], name="a")
    w.op("Neg", ["a"], name="b")
    w.op("Exp", ["b"], name="c")
    text = refusal(w.write(tmp_path / "net.pb"))
    assert "depends on its own result" in text and "it reads 'nowhere', and there is no such node" in text


def test_loops_are_refused_by_name(tmp_path):
    w = TensorflowWriter()
    w.op("Enter", [w.input((1, 4))], name="enter")
    w.op("Merge", ["enter", "next"], name="merge")
    w.op("LoopCond", [w.op("Less", ["merge", w.constant(F(1))])], name="goes_on")
    w.op("Switch", ["merge", "goes_on"], name="switch")
    w.op("NextIteration", [w.op("Exp", ["switch:1"])], name="next")
    w.op("Exit", ["switch"], name="exit")
    text = refusal(w.write(tmp_path / "net.pb"), outputs=["exit"])
    assert "Enter: loops are not supported" in text and "its own result" not in text and "Switch" not in text


def test_functions_are_read_in_place_of_their_calls(tmp_path):
    w = TensorflowWriter()
    inner, outer = TensorflowWriter(), TensorflowWriter()
    inner.op("Split", ["axis", "x"], name="parts", num_split=2)
    inner.op("Neg", ["parts:output:1"], name="negative")
    w.function("inner", inner, ["axis", "x"], {"y": "negative:y:0"})
    outer.op("Const", name="axis", value=("tensor", I32(1)))
    outer.op("PartitionedCall", ["axis:output:0", "x"], name="call", f=("function", "inner"))
    outer.op("Exp", ["call:output:0"], name="exp")
    w.function("outer", outer, ["x"], {"first": "exp:y:0", "second": "call:output:0"})
    x = w.op("StatefulPartitionedCall", [w.input((2, 6))], name="net", f=("function", "outer"))
    path = w.write(tmp_path / "net.pb")
    given = w.draw(2, 6)
    first, second, middle = run(path, given, outputs=[f"{x}:0", f"{x}:1", "net/call/negative"])
    assert np.array_equal(second, -given[:, 3:]) and np.array_equal(middle, second)
    assert np.abs(first - np.exp(second)).max() < 1e-6


def test_functions_that_call_themselves_are_refused(tmp_path):
    for calls, problem in ((1, "the function it calls"), (3, "beyond any network")):
        w, body = TensorflowWriter(), TensorflowWriter()
        for i in range(calls):
            body.op("PartitionedCall", ["x"], name=f"again{i}", f=("function", "self"))
        w.function("self", body, ["x"], {"y": "again0:output:0"})
        w.op("PartitionedCall", [w.input((1, 2))], f=("function", "self"))
        assert problem in refusal(w.write(tmp_path / "net.pb"))


def test_a_chain_of_many_nodes_is_no_deep_recursion(tmp_path):
    w = TensorflowWriter()
    x = w.input((1, 2))
    for _ in range(20000):
        x = w.op("Identity", [x])
    given = w.draw(1, 2)
    assert np.array_equal(run(w.write(tmp_path / "net.pb"), given)[0], given)


def test_inspect_knows_a_graph_by_its_content(tmp_path):
    w = TensorflowWriter()
    w.convolution(w.input((1, 8, 9, 4)), w.draw(3, 3, 4, 6))
    path = tmp_path / "renamed.bin"
    w.write(path)
    done = subprocess.run([*command_line(), "inspect", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "a model of TensorFlow" in done.stdout and "input_0:0 f32[1, 8, 9, 4]" in done.stdout


@pytest.mark.proves(
    "load_tensorflow.tf_pb", "load_tensorflow.inputs", "load_tensorflow.input_size_list", "load_tensorflow.outputs"
)
def test_the_toolkit_loads_a_graph_between_two_tensors(tmp_path):
    w = TensorflowWriter()
    middle = w.op("Sub", [w.input((-1, -1, -1, 4)), w.constant(F(1))], name="Preprocessor/sub")
    w.op("NoSuchOperator", [w.op("Softmax", [w.convolution(middle, w.draw(3, 3, 4, 6))], name="end")])
    path = w.write(tmp_path / "net.pb")
    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588", mean_values=[0, 0, 0, 0], std_values=[1, 1, 1, 1])
    assert rknn.load_tensorflow(str(path), inputs=["none"], input_size_list=[[8, 8, 4]], outputs=["end"]) == -1
    loaded = rknn.load_tensorflow(
        tf_pb=str(path), inputs=["Preprocessor/sub"], input_size_list=[[8, 8, 4]], outputs=["end"]
    )
    assert loaded == 0
    assert rknn.build(do_quantization=False) == 0
    assert rknn.init_runtime() == 0
    x = w.draw(1, 8, 8, 4)
    (got,) = rknn.inference(inputs=[x])
    (expected,) = run(path, x, inputs=["Preprocessor/sub:0"], input_shapes=[[1, 8, 8, 4]], outputs=["end"])
    assert got.shape == (1, 8, 8, 6) and np.abs(got - expected).max() < 2e-2


@pytest.mark.proves("load_tensorflow.input_is_nchw")
def test_inputs_that_are_nchw_stay_so(tmp_path):
    w = TensorflowWriter()
    w.convolution(w.op("Transpose", [w.input((1, 4, 7, 8)), w.ints(0, 2, 3, 1)]), w.draw(3, 3, 4, 6))
    path = w.write(tmp_path / "net.pb")
    array = w.draw(1, 4, 7, 8)
    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588")
    assert rknn.load_tensorflow(tf_pb=str(path), input_is_nchw=True) == 0
    assert rknn.build(do_quantization=False) == 0
    assert rknn.init_runtime() == 0
    (got,) = rknn.inference(inputs=[array], data_format=["nchw"])
    (expected,) = run(path, array)  # whose four dimensions would be those of an image without the argument
    assert got.shape == expected.shape and np.abs(got - expected).max() < 2e-2
    assert rknn.load_tensorflow(tf_pb=str(path)) == 0
    assert rknn.build(do_quantization=False) == 0
    assert rknn.init_runtime() == 0
    with pytest.raises(ValueError, match="shape"):
        rknn.inference(inputs=[array], data_format=["nchw"])
    rknn.release()


RECORDED = Path(__file__).parent / "data" / "tensorflow"


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDED.glob("*.pb")))
def test_small_graphs_give_what_tensorflow_gave(name):
    """scripts/record_tensorflow.py made them."""
    recorded = np.load(RECORDED / f"{name}.npz")
    graph = openrknn.import_model(RECORDED / f"{name}.pb", input_shapes=[recorded["in0"].shape])
    (got,) = graph.run([recorded["in0"]])
    expected = recorded["out0"]
    assert got.shape == expected.shape
    # One step of the last FakeQuant is 1/255 of the range, and a sum just between two codes may go either way.
    assert np.abs(got - expected).max() <= (5e-3 if name == "fake_quantized" else 2e-6) * np.ptp(expected)


LAYERS = {
    "classifier": {"Conv": 3, "PRelu": 1, "ConvTranspose": 1},
    "dilated": {"Conv": 1},
    "grouped": {"Conv": 1},
    "normalised_by_hand": {"Conv": 1},
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_in_parts_are_built_as_the_layers_they_are(name):
    model = openrknn.compile(openrknn.import_model(RECORDED / f"{name}.pb"), quantize=None)
    ops = Counter(re.findall(r" = (\w+)\(", str(model)))
    assert {op: ops[op] for op in LAYERS[name]} == LAYERS[name], ops
    assert not {"Mul", "Add", "Relu", "Clip", "Neg"} & set(ops)


MODELS = ["digits/mobiledigits_frozen", "mtcnn_pnet/pnet", "mtcnn_rnet/rnet", "fc_layers/frozen", "lstm/frozen"]


@pytest.mark.parametrize("model", MODELS)
def test_models_give_the_recorded_outputs(model, shared):
    path = shared / "models" / f"{model}.pb"
    arrays = np.load(f"{path}.io.npz")
    inputs = [arrays[key] for key in sorted(arrays.files) if key.startswith("in")]
    outputs = [arrays[key] for key in sorted(arrays.files) if key.startswith("out")]
    frozen = {"keep_prob": F(1)} if model.startswith("lstm") else {}
    graph = openrknn.import_model(path, initial_values=frozen)
    for got, expected in zip(graph.run([x for x in inputs if x.ndim > 0]), outputs, strict=True):
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= 2e-6 * np.ptp(expected)


def test_digits_keep_their_accuracy_in_int8_and_are_those_of_onnx(shared):
    folder = shared / "models" / "digits"
    ours = openrknn.import_model(folder / "mobiledigits_frozen.pb")
    assert int8_accuracy(folder, ours) >= 0.994
    onnx = openrknn.import_model(folder / "mobiledigits.op12.onnx")
    for pixels in np.load(folder / "test.npz")["images"][:20]:
        image = ((pixels.reshape(1, 1, 32, 32) - 127.5) / 127.5).astype(F)
        assert np.abs(ours.run([image.reshape(1, 32, 32, 1)])[0] - onnx.run([image])[0]).max() <= 2e-4
