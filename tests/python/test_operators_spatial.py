"""Normalization, padding and moves between channels and space with random attributes, imported from ONNX, against onnxruntime (spatial_case.py)."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
openrknn = pytest.importorskip("openrknn")
from onnx import helper, numpy_helper  # noqa: E402
from spatial_case import DIMENSIONS, Spatial, refusal, run_standard  # noqa: E402

# ---- Normalization ----


def test_lrn(spatial):
    x = spatial.image(2, 2, 5, channels=spatial.integer(1, 9))
    attributes = dict(size=spatial.pick(1, 3, 5, 7), alpha=0.1, beta=spatial.pick(0.5, 0.75, 1.0, 0.6), bias=1.5)
    spatial.check("LRN", attributes, [x])


@DIMENSIONS
def test_instance_and_group_normalization(spatial, dimensions):
    groups = spatial.integer(1, 3)
    x = spatial.image(dimensions, channels=groups * spatial.integer(1, 3))
    scale, bias = spatial.normal(x.shape[1]), spatial.normal(x.shape[1])
    spatial.check("InstanceNormalization", dict(epsilon=1e-3), [x, scale, bias], tolerance=2e-5)
    grouped = x.reshape(x.shape[0], groups, -1).astype(np.float64)
    mean, variance = grouped.mean(-1, keepdims=True), grouped.var(-1, keepdims=True)
    normal = ((grouped - mean) / np.sqrt(variance + 1e-3)).reshape(x.shape)
    for opset, count in ((18, groups), (21, x.shape[1])):
        own = [np.repeat(v[:count], x.shape[1] // count).reshape(-1, *[1] * dimensions) for v in (scale, bias)]
        wanted = [(normal * own[0] + own[1]).astype(np.float32)]
        arrays, attributes = [x, scale[:count], bias[:count]], dict(num_groups=groups, epsilon=1e-3)
        spatial.check("GroupNormalization", attributes, arrays, opset=opset, oracle=wanted, tolerance=2e-5)


def test_batch_normalization_of_each_element(spatial):
    """spatial = 0 of opset 7: one statistic for every element of an image."""
    x = spatial.image(2, 2, 4)
    scale, bias, mean = (spatial.normal(*x.shape[1:]) for _ in range(3))
    variance = np.abs(spatial.normal(*x.shape[1:])) + np.float32(0.1)
    wanted = [((x - mean) / np.sqrt(variance + np.float32(1e-5)) * scale + bias).astype(np.float32)]
    arrays = [x, scale, bias, mean, variance]
    spatial.check("BatchNormalization", dict(spatial=0), arrays, opset=7, oracle=wanted)


def test_batch_normalization_refuses_training(tmp_path):
    x, c = np.zeros((1, 2, 3), np.float32), np.ones(2, np.float32)
    assert "training_mode is 1" in refusal(tmp_path, "BatchNormalization", dict(training_mode=1), [x, c, c, c, c], 15)


def test_layer_normalization_gives_its_statistics(spatial):
    x = spatial.normal(*spatial.integers(2, 5, 4))
    axis = spatial.integer(-4, 3)
    normalised = x.shape[axis % 4 :]
    arrays = [x, spatial.normal(*normalised), spatial.normal(*normalised)]
    spatial.check("LayerNormalization", dict(axis=axis, epsilon=1e-3), arrays, outputs=3, opset=17, tolerance=2e-5)


def test_mean_variance_and_lp_normalization(spatial):
    x = spatial.normal(*spatial.integers(2, 5, 4))
    axes = sorted(int(a) for a in spatial.rng.choice(4, spatial.integer(1, 4), replace=False))
    spatial.check("MeanVarianceNormalization", dict(axes=axes), [x], opset=13, tolerance=2e-5)
    spatial.check("LpNormalization", dict(axis=spatial.integer(-4, 3), p=spatial.integer(1, 2)), [x], opset=17)


def test_lp_normalization_of_zeros_is_zero(tmp_path):
    x = np.float32([[0, 0, 0], [3, 0, 4]])
    wanted = [np.float32([[0, 0, 0], [0.6, 0, 0.8]])]
    Spatial(tmp_path, 0).check("LpNormalization", dict(axis=1, p=2), [x], oracle=wanted)


# ---- Moving data ----


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_pad(spatial, mode):
    rank = spatial.integer(1, 4)
    x = spatial.normal(*spatial.integers(4, 7, rank))
    axes = sorted(int(a) for a in spatial.rng.choice(rank, spatial.integer(1, rank), replace=False))
    most = 9 if mode == "wrap" else min(x.shape) - 3  # around several times; reflection has extent - 1 elements to give
    pads = np.int64(spatial.integers(-1, most, 2 * len(axes)))
    value = np.float32(1.5) if mode == "constant" else None
    arrays = [x, pads, value, np.int64(axes)]
    spatial.check("Pad", dict(mode=mode), arrays, opset=19, constants=(1, 2, 3), tolerance=0)


def test_depth_and_space(spatial):
    block = spatial.integer(1, 3)
    x = spatial.normal(spatial.integer(1, 2), block * block * spatial.integer(1, 3), *spatial.integers(1, 4, 2))
    spatial.check("DepthToSpace", dict(blocksize=block, mode=spatial.pick("DCR", "CRD")), [x], tolerance=0)
    y = spatial.normal(x.shape[0], spatial.integer(1, 3), x.shape[2] * block, x.shape[3] * block)
    spatial.check("SpaceToDepth", dict(blocksize=block), [y], tolerance=0)


def test_center_crop_pad(spatial):
    x = spatial.normal(*spatial.integers(1, 7, 3))
    axes = sorted(int(a) for a in spatial.rng.choice(3, spatial.integer(1, 3), replace=False))
    shape = np.int64(spatial.integers(1, 7, len(axes)))
    arrays = [x, shape]
    spatial.check("CenterCropPad", dict(axes=axes), arrays, opset=18, constants=(1,), oracle=run_standard, tolerance=0)


# ---- What does not fit is said ----


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


IMAGE = zeros(1, 2, 6, 6)
REFUSALS = [
    (
        "GridSample",
        {},
        [IMAGE, zeros(1, 4, 4, 3)],
        "the grid has shape [1, 4, 4, 3], expected [1, 2 output extents, 2]",
    ),
    (
        "GridSample",
        {"mode": "quintic"},
        [IMAGE, zeros(1, 4, 4, 2)],
        "attribute 'mode' is \"quintic\", expected one of linear",
    ),
    (
        "RoiAlign",
        {},
        [IMAGE, zeros(3, 5), zeros(3, dtype=np.int64)],
        "rois have shape [3, 5], expected [number of rois, 4]",
    ),
    (
        "RoiAlign",
        {},
        [IMAGE, zeros(3, 4), zeros(2, dtype=np.int64)],
        "batch_indices (input 2) has shape [2], expected [3]",
    ),
    (
        "RoiAlign",
        {"output_height": -1},
        [IMAGE, zeros(3, 4), zeros(3, dtype=np.int64)],
        "'output_height' is -1, expected 1 to",
    ),
    ("MaxRoiPool", {"pooled_shape": [2, 0]}, [IMAGE, zeros(3, 5)], "'pooled_shape' holds 0, expected 1 to"),
    (
        "MaxUnpool",
        {"kernel_shape": [2, 2]},
        [IMAGE, zeros(1, 2, 6, 5, dtype=np.int64)],
        "the indices have shape [1, 2, 6, 5]",
    ),
    (
        "DeformConv",
        {},
        [IMAGE, zeros(4, 2, 3, 3), zeros(1, 16, 4, 4)],
        "offset (input 1) has shape [1, 16, 4, 4], expected [1, 18, 4, 4]",
    ),
    (
        "Col2Im",
        {},
        [zeros(1, 9, 5), np.int64([5, 5]), np.int64([3, 3])],
        "expected [N, C * 9, 9]: blocks of 9 elements",
    ),
    ("LpPool", {"kernel_shape": [2, 2], "p": 0}, [IMAGE], "attribute 'p' is 0, expected 1 to"),
    ("LRN", {"size": 0}, [IMAGE], "attribute 'size' is 0, expected 1 to"),
    (
        "AffineGrid",
        {},
        [zeros(1, 2, 4), np.int64([1, 1, 2, 2])],
        "theta has shape [1, 2, 4] for size [1, 1, 2, 2], expected",
    ),
    ("AffineGrid", {}, [zeros(1, 2, 3), np.int64([1, 1, 2, 0])], "size is [1, 1, 2, 0], expected positive extents"),
    (
        "Resize",
        {"mode": "cubic"},
        [zeros(1, 1, 4, 4, dtype=np.int32), None, None, np.int64([1, 1, 8, 8])],
        "expected floats",
    ),
]


@pytest.mark.parametrize("op,attributes,arrays,sentence", REFUSALS, ids=[f"{r[0]}{i}" for i, r in enumerate(REFUSALS)])
def test_what_does_not_fit_is_said(tmp_path, op, attributes, arrays, sentence):
    constants = [
        i for i, a in enumerate(arrays) if i > 0 and a is not None and a.dtype == np.int64 and op != "MaxUnpool"
    ]
    node = helper.make_node(op, [f"x{i}" if a is not None else "" for i, a in enumerate(arrays)], ["y"], **attributes)
    inputs = [
        helper.make_tensor_value_info(f"x{i}", helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for i, a in enumerate(arrays)
        if a is not None and i not in constants
    ]
    weights = [numpy_helper.from_array(arrays[i], f"x{i}") for i in constants]
    graph = helper.make_graph([node], "case", inputs, [onnx.ValueInfoProto(name="y")], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model(path)
    assert sentence in str(caught.value) and op in str(caught.value)


# ---- Builds ----


def network_of_spatial_operators(rng):
    """Convolutions with what stays float16 between them: unpooling, sampling, boxes, norms, antialias."""

    def weights(*shape):
        return (rng.standard_normal(shape) * 0.3).astype(np.float32)

    grid = rng.uniform(-1.1, 1.1, (1, 8, 8, 2)).astype(np.float32)
    constants = {
        "w1": weights(8, 3, 3, 3),
        "w2": weights(8, 8, 3, 3),
        "offset": weights(1, 18, 8, 8),
        "grid": grid,
        "rois": np.float32([[0, 0, 7, 7], [2, 1, 6, 5]]),
        "images": np.int64([0, 0]),
        "scales": np.float32([1, 1, 0.5, 0.5]),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["a"], ["b", "indices"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("LRN", ["b"], ["c"], size=3),
        helper.make_node("MaxUnpool", ["c", "indices"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["d", "", "scales"], ["e"], mode="linear", antialias=1),
        helper.make_node("GridSample", ["e", "grid"], ["f"]),
        helper.make_node("DeformConv", ["f", "w2", "offset"], ["g"], pads=[1, 1, 1, 1]),
        helper.make_node("LpPool", ["g"], ["h"], kernel_shape=[2, 2]),
        helper.make_node("RoiAlign", ["h", "rois", "images"], ["y"], output_height=3, output_width=3),
    ]
    graph = helper.make_graph(
        nodes,
        "spatial",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, n) for n, a in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


@pytest.mark.parametrize("quantize", [None, "w8a8"])
def test_builds_carry_spatial_operators(tmp_path, quantize):
    rng = np.random.default_rng(4)
    path, file = tmp_path / "model.onnx", tmp_path / "model.rknn"
    onnx.save(network_of_spatial_operators(rng), path)
    samples = [rng.standard_normal((1, 3, 16, 16)).astype(np.float32) for _ in range(4)]
    graph = openrknn.import_model(path)
    dataset = samples if quantize else None
    openrknn.compile(graph, target="rk3588", quantize=quantize, dataset=dataset).save(file)
    got, golden = openrknn.load(file).run([samples[0]])[0], graph.run([samples[0]])[0]
    assert got.shape == golden.shape == (2, 8, 3, 3)
    cosine = np.vdot(got, golden) / np.linalg.norm(got) / np.linalg.norm(golden)
    assert cosine > (0.98 if quantize else 0.9999)
