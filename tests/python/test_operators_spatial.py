"""Pools, convolutions, resizing, sampling and normalization with random attributes, imported from ONNX, against onnxruntime.

Where onnxruntime has no kernel for the types or ranks, onnx's reference evaluator is the oracle. Every failure names the
seed and the node, so that a case can be repeated.
"""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
openrknn = pytest.importorskip("openrknn")
from onnx import helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

SEEDS = range(12)


def model_of(op, attributes, arrays, outputs=1, opset=22, constants=()):
    """One node; `arrays` may hold None (left out), those whose index is in `constants` are initializers."""
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(arrays)]
    while not names[-1]:
        names.pop()
    node = helper.make_node(op, names, [f"y{i}" for i in range(outputs)], **attributes)
    given = [(i, n, arrays[i]) for i, n in enumerate(names) if n]
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for i, n, a in given
        if i not in constants
    ]
    weights = [numpy_helper.from_array(a, n) for i, n, a in given if i in constants]
    results = [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], "case", inputs, results, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model), {n: a for i, n, a in given if i not in constants}


def run_onnxruntime(model, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, feeds)


def run_standard(model, feeds):
    return ReferenceEvaluator(model).run(None, feeds)


class Spatial:
    def __init__(self, folder, seed):
        self.folder, self.seed, self.rng = folder, seed, np.random.default_rng(seed)

    def integer(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def integers(self, low, high, count):
        return [self.integer(low, high) for _ in range(count)]

    def pick(self, *options):
        return options[self.rng.integers(0, len(options))]

    def normal(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def image(self, spatial, low=5, high=11, channels=None):
        return self.normal(self.integer(1, 2), channels or self.integer(1, 5), *self.integers(low, high, spatial))

    def window(self, spatial, auto_pads=("NOTSET", "NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")):
        """Attributes of a window, pads asymmetric and smaller than the kernel. SAME comes without dilations, which
        onnxruntime forgets in its padding."""
        kernel = self.integers(1, 3, spatial)
        attributes = dict(kernel_shape=kernel, strides=self.integers(1, 3, spatial))
        attributes["dilations"] = self.integers(1, 2, spatial)
        auto_pad = self.pick(*auto_pads)
        if auto_pad == "NOTSET":
            attributes["pads"] = [self.integer(0, k - 1) for k in kernel + kernel]
        else:
            attributes["auto_pad"] = auto_pad
        if auto_pad.startswith("SAME"):
            attributes["dilations"] = [1] * spatial
        return attributes

    def ours(self, model, feeds):
        path = self.folder / "model.onnx"
        onnx.save(model, path)
        return openrknn.import_model(path).run(feeds)

    def check(self, op, attributes, arrays, outputs=1, opset=22, constants=(), oracle=run_onnxruntime, tolerance=1e-5):
        """`oracle` may be what is expected already."""
        model, feeds = model_of(op, attributes, arrays, outputs, opset, constants)
        wanted = oracle(model, feeds) if callable(oracle) else oracle
        for got, want in zip(self.ours(model, feeds), wanted, strict=True):
            want, name = np.asarray(want), f"seed {self.seed}: {op} {attributes} on {[np.shape(a) for a in arrays]}"
            assert got.shape == want.shape and got.dtype == want.dtype, (name, got.shape, want.shape, got.dtype)
            scale = max(1.0, float(np.abs(want).max())) if want.dtype.kind == "f" and want.size else 1.0
            np.testing.assert_allclose(
                got, want, rtol=0, atol=tolerance * scale * (want.dtype.kind == "f"), err_msg=name
            )


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed{seed}")
def spatial(request, tmp_path):
    return Spatial(tmp_path, request.param)


def refusal(folder, op, attributes, arrays, opset=22, constants=()):
    """The sentence with which the importer refuses."""
    model, _ = model_of(op, attributes, arrays, 1, opset, constants)
    path = folder / "model.onnx"
    onnx.save(model, path)
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model(path)
    return str(caught.value)


# ---- Pools ----

DIMENSIONS = pytest.mark.parametrize("dimensions", [1, 2, 3])


@DIMENSIONS
def test_max_pool_and_where_it_found_its_elements(spatial, dimensions):
    attributes = spatial.window(dimensions) | {"ceil_mode": spatial.integer(0, 1)}
    attributes["storage_order"] = spatial.integer(0, 1)
    x = spatial.image(dimensions)
    if spatial.seed % 3 == 0:
        x = np.round(x)  # equal elements: the first one counts
    spatial.check("MaxPool", attributes, [x], outputs=2, opset=spatial.pick(12, 22), tolerance=0)


@DIMENSIONS
def test_average_pool(spatial, dimensions):
    attributes = spatial.window(dimensions) | {"ceil_mode": spatial.integer(0, 1)}
    attributes["count_include_pad"] = spatial.integer(0, 1)
    spatial.check("AveragePool", attributes, [spatial.image(dimensions)], opset=19)


@DIMENSIONS
def test_lp_pool(spatial, dimensions):
    attributes = spatial.window(dimensions) | {"p": spatial.integer(1, 4)}
    opset = spatial.pick(11, 18, 22)
    if opset < 18:
        del attributes["dilations"]
    else:
        attributes["ceil_mode"] = spatial.integer(0, 1)
    spatial.check("LpPool", attributes, [spatial.image(dimensions)], opset=opset)


@DIMENSIONS
def test_global_pools(spatial, dimensions):
    x = spatial.image(dimensions)
    spatial.check("GlobalLpPool", {"p": spatial.integer(1, 3)}, [x], opset=13)
    spatial.check("GlobalMaxPool", {}, [x], tolerance=0)
    spatial.check("GlobalAveragePool", {}, [x])


@DIMENSIONS
def test_max_unpool_puts_back_what_max_pool_found(spatial, dimensions):
    kernel = spatial.integers(2, 3, dimensions)
    attributes = dict(kernel_shape=kernel, strides=kernel)
    x = spatial.image(dimensions, 6, 11)
    pooled, indices = run_onnxruntime(*model_of("MaxPool", attributes, [x], 2))
    size = None
    if spatial.seed % 2:
        size = np.int64(x.shape)  # the pooled image was larger than the kernel's multiple
    elif any(s % k for s, k in zip(x.shape[2:], kernel, strict=True)):
        x = x[tuple(slice(0, s // k * k) for s, k in zip(x.shape, [1, 1, *kernel], strict=True))]
        pooled, indices = run_onnxruntime(*model_of("MaxPool", attributes, [x], 2))
    spatial.check("MaxUnpool", attributes, [pooled, indices, size], constants=(2,), tolerance=0)
    expected = np.zeros(x.size, np.float32)
    expected[indices.ravel()] = pooled.ravel()
    spatial.check("MaxUnpool", attributes, [pooled, indices, size], constants=(2,), oracle=[expected.reshape(x.shape)])


def test_max_unpool_refuses_an_index_outside_the_output(tmp_path):
    spatial = Spatial(tmp_path, 0)
    x, indices = np.ones((1, 1, 2, 2), np.float32), np.int64([[[[0, 1], [2, 16]]]])
    model, feeds = model_of("MaxUnpool", dict(kernel_shape=[2, 2], strides=[2, 2]), [x, indices])
    with pytest.raises(openrknn.Error, match="index 16 is out of range, expected 0 to 15"):
        spatial.ours(model, feeds)


# ---- Convolutions ----


@DIMENSIONS
def test_conv(spatial, dimensions):
    group = spatial.integer(1, 3)
    attributes = spatial.window(dimensions) | {"group": group}
    x = spatial.image(dimensions, channels=group * spatial.integer(1, 3))
    w = spatial.normal(group * spatial.integer(1, 3), x.shape[1] // group, *attributes["kernel_shape"])
    bias = spatial.normal(w.shape[0]) if spatial.integer(0, 1) else None
    spatial.check("Conv", attributes, [x, w, bias], constants=(1, 2), opset=spatial.pick(11, 22))


@DIMENSIONS
def test_conv_transpose(spatial, dimensions):
    group = spatial.integer(1, 2)
    attributes = spatial.window(dimensions) | {"group": group}
    strides, dilations = attributes["strides"], attributes["dilations"]
    if attributes.get("auto_pad", "").startswith("SAME"):  # wider strides: onnxruntime does not reach in * stride
        attributes["strides"] = strides = [min(s, k) for s, k in zip(strides, attributes["kernel_shape"], strict=True)]
    x = spatial.image(dimensions, 3, 6, channels=group * spatial.integer(1, 3))
    form = spatial.pick("plain", "output_padding", "output_shape")
    if form == "output_padding":
        attributes["output_padding"] = [
            spatial.integer(0, max(s, d) - 1) for s, d in zip(strides, dilations, strict=True)
        ]
    if form == "output_shape":
        attributes.pop("pads", None)
        attributes["auto_pad"] = spatial.pick("NOTSET", "SAME_UPPER", "SAME_LOWER")
        reach = [d * (k - 1) + 1 for d, k in zip(dilations, attributes["kernel_shape"], strict=True)]
        full = [s * (e - 1) + r for s, e, r in zip(strides, x.shape[2:], reach, strict=True)]
        attributes["output_shape"] = [f - spatial.integer(0, min(r - 1, 2)) for f, r in zip(full, reach, strict=True)]
    w = spatial.normal(x.shape[1], spatial.integer(1, 3), *attributes["kernel_shape"])
    bias = spatial.normal(w.shape[1] * group) if spatial.integer(0, 1) else None
    spatial.check("ConvTranspose", attributes, [x, w, bias], constants=(1, 2), opset=spatial.pick(11, 22))


# ---- Resize ----

COORDINATES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]


@pytest.mark.parametrize("coordinates", [*COORDINATES, "tf_crop_and_resize"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_images(spatial, mode, coordinates):
    """Two dimensions of an image, by scales or sizes, growing and shrinking."""
    x = spatial.image(2, 3, 9)
    attributes = dict(mode=mode, coordinate_transformation_mode=coordinates)
    if mode == "nearest":
        attributes["nearest_mode"] = spatial.pick("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        attributes["cubic_coeff_a"] = spatial.pick(-0.75, -0.5)
        attributes["exclude_outside"] = spatial.integer(0, 1)
    roi = None
    if coordinates == "tf_crop_and_resize":
        begin, end = [v / 8 for v in spatial.integers(-1, 3, 2)], [v / 8 for v in spatial.integers(5, 9, 2)]
        roi = np.float32([0, 0, *begin, 1, 1, *end])
        attributes["extrapolation_value"] = 0.5
    wanted = [x.shape[0], x.shape[1], *spatial.integers(2, 14, 2)]
    scales, sizes = np.float32([1, 1, *[spatial.pick(0.5, 0.6, 1.0, 1.5, 2.0, 2.6) for _ in range(2)]]), None
    if spatial.seed % 2 or roi is not None:
        scales, sizes = None, np.int64(wanted)
    if roi is not None:  # onnxruntime forgets it in the size a scale gives, and where the size stays
        sizes += sizes == x.shape
        sizes[:2] = x.shape[:2]
    arrays, opset = [x, roi, scales, sizes], spatial.pick(13, 18, 19)
    oracle = run_standard if mode == "cubic" and roi is not None else run_onnxruntime  # which forgets the extrapolation
    spatial.check("Resize", attributes, arrays, opset=opset, constants=(1, 2, 3), oracle=oracle)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_any_dimensions(spatial, mode):
    """One to five dimensions, any of them resized, named by axes or not; sizes, so that lengths are whole numbers."""
    rank = spatial.integer(1, 5)
    x = spatial.normal(*spatial.integers(2, 5, rank))
    axes = sorted(int(a) for a in spatial.rng.choice(rank, spatial.integer(1, rank), replace=False))
    attributes = dict(mode=mode, axes=axes)
    attributes["coordinate_transformation_mode"] = spatial.pick("half_pixel", "align_corners", "asymmetric")
    if attributes["coordinate_transformation_mode"] != "align_corners":  # the oracle's length would be no whole number
        attributes["keep_aspect_ratio_policy"] = spatial.pick("stretch", "not_larger", "not_smaller")
    sizes = np.int64(spatial.integers(2, 7, len(axes)))
    arrays = [x, None, None, sizes]
    wanted = run_standard(*model_of("Resize", attributes, arrays, opset=19, constants=(3,)))
    attributes["axes"] = [a - rank if spatial.integer(0, 1) else a for a in axes]
    spatial.check("Resize", attributes, arrays, opset=19, constants=(3,), oracle=wanted, tolerance=2e-5)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_resize_with_antialias(spatial, mode):
    x = spatial.image(2, 6, 15)
    attributes = dict(mode=mode, antialias=1, exclude_outside=spatial.integer(0, 1))
    attributes["coordinate_transformation_mode"] = spatial.pick("half_pixel", "align_corners", "asymmetric")
    sizes = np.int64([*x.shape[:2], *spatial.integers(2, 18, 2)])
    arrays = [x, None, None, sizes]
    spatial.check("Resize", attributes, arrays, opset=19, constants=(3,), oracle=run_standard, tolerance=2e-5)


def test_resize_of_integers(spatial):
    x = spatial.rng.integers(0, 255, (1, 3, 5, 6)).astype(spatial.pick(np.uint8, np.int32))
    scales = np.float32([1, 1, 2, 2])
    arrays = [x, None, scales]
    spatial.check("Resize", dict(mode="nearest"), arrays, opset=13, constants=(2,), tolerance=0)
    attributes = dict(mode="linear", coordinate_transformation_mode="asymmetric")
    spatial.check("Resize", attributes, arrays, opset=13, constants=(2,), tolerance=0)


def test_upsample_and_the_first_resize(spatial):
    x = spatial.image(2, 3, 7)
    mode = spatial.pick("nearest", "linear")
    scales = [1.0, 1.0, spatial.pick(1.0, 2.0, 3.0), spatial.pick(1.0, 2.0, 2.5)]
    spatial.check("Upsample", dict(mode=mode), [x, np.float32(scales)], opset=9, constants=(1,))
    spatial.check("Upsample", dict(mode=mode, scales=scales), [x], opset=7)
    scales[2] = spatial.pick(0.4, 0.5, 2.0)  # one dimension may shrink while the other grows
    spatial.check("Resize", dict(mode=mode), [x, np.float32(scales)], opset=10, constants=(1,))


def test_resize_refuses_a_filter_of_unbounded_width(tmp_path):
    x = np.zeros((1, 1, 4096, 1), np.float32)
    attributes = dict(mode="linear", antialias=1, coordinate_transformation_mode="tf_crop_and_resize")
    roi, scales = np.float32([0, 0, 0, 0, 1, 1, 1e12, 1]), np.float32([1, 1, 1e-9, 1])
    sentence = refusal(tmp_path, "Resize", attributes, [x, roi, scales], opset=19, constants=(1, 2))
    assert "antialias with scale" in sentence and "weights" in sentence


# ---- Sampling ----


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@DIMENSIONS
def test_grid_sample(spatial, dimensions, mode, padding):
    x = spatial.image(dimensions, 2 if mode != "cubic" else 4, 6)
    grid = spatial.rng.uniform(-2.5, 2.5, (x.shape[0], *spatial.integers(1, 4, dimensions), dimensions))
    attributes = dict(mode=mode, padding_mode=padding, align_corners=spatial.integer(0, 1))
    opset = spatial.pick(16, 20, 22) if dimensions == 2 else spatial.pick(20, 22)
    if opset < 20:
        attributes["mode"] = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    known = dimensions == 2 or (dimensions == 3 and mode != "cubic")
    oracle = run_onnxruntime if known else run_standard
    if not known and padding == "border":
        grid = grid.clip(-1, 1)  # beyond, the evaluator clamps the place instead of each neighbour
    spatial.check("GridSample", attributes, [x, grid.astype(np.float32)], opset=opset, oracle=oracle, tolerance=3e-5)


def test_grid_sample_survives_places_that_are_no_numbers(tmp_path):
    spatial, x = Spatial(tmp_path, 0), np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    grid = np.float32([[[[np.nan, 0], [np.inf, np.inf], [-np.inf, 0], [1e30, -1e30]]]])
    spatial.check("GridSample", dict(mode="nearest"), [x, grid], opset=20, oracle=[np.zeros((1, 1, 1, 4), np.float32)])
    expected = np.float32([[[[4, 9, 4, 3]]]])
    spatial.check("GridSample", dict(padding_mode="border"), [x, grid], opset=20, oracle=[expected])
    for mode in ("linear", "nearest", "cubic"):
        model, feeds = model_of("GridSample", dict(mode=mode, padding_mode="reflection"), [x, grid], opset=20)
        assert np.isfinite(spatial.ours(model, feeds)[0]).all()


def boxes(spatial, count, extent):
    corners = np.sort(spatial.rng.uniform(-0.2 * extent, 1.2 * extent, (count, 2, 2)), axis=1)
    return corners.reshape(count, 4).astype(np.float32)


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_roi_align(spatial, mode):
    x = spatial.image(2, 6, 12)
    count, scale = spatial.integer(1, 5), spatial.pick(1.0, 0.5)
    attributes = dict(mode=mode, output_height=spatial.integer(1, 4), output_width=spatial.integer(1, 4))
    attributes |= dict(sampling_ratio=spatial.integer(0, 3), spatial_scale=scale)
    opset = spatial.pick(10, 16)
    if opset >= 16:
        attributes["coordinate_transformation_mode"] = spatial.pick("half_pixel", "output_half_pixel")
    arrays = [x, boxes(spatial, count, 12 / scale), spatial.rng.integers(0, x.shape[0], count).astype(np.int64)]
    spatial.check("RoiAlign", attributes, arrays, opset=opset)


def test_roi_align_of_hopeless_boxes(tmp_path):
    """Boxes without extent, far away, or no numbers at all take no time and give 0; a bad batch index is named."""
    spatial, x = Spatial(tmp_path, 0), np.ones((1, 2, 4, 4), np.float32)
    rois = np.float32([[2, 2, 2, 2], [1e30, 0, 2e30, 4], [np.nan, 0, 4, 4], [-1e6, -1e6, 1e6, 1e6]])
    model, feeds = model_of("RoiAlign", {}, [x, rois, np.zeros(4, np.int64)])
    (y,) = spatial.ours(model, feeds)
    assert not y[:3].any() and 0 < y[3].max() < 1e-3
    feeds["x2"] = np.int64([0, 0, 0, 7])
    with pytest.raises(openrknn.Error, match="batch index 7 is out of range, expected 0 to 0"):
        spatial.ours(model, feeds)


def test_max_roi_pool(spatial):
    x = spatial.image(2, 6, 12)
    count, scale = spatial.integer(1, 5), spatial.pick(1.0, 0.5)
    rois = np.concatenate(
        [spatial.rng.integers(0, x.shape[0], (count, 1)).astype(np.float32), boxes(spatial, count, 12 / scale)], axis=1
    )
    attributes = dict(pooled_shape=spatial.integers(1, 4, 2), spatial_scale=scale)
    spatial.check("MaxRoiPool", attributes, [x, rois], opset=13, tolerance=0)


def test_affine_grid(spatial):
    dimensions = spatial.integer(2, 3)
    size = np.int64([spatial.integer(1, 2), 3, *spatial.integers(2, 6, dimensions)])
    theta = spatial.normal(int(size[0]), dimensions, dimensions + 1)
    attributes = dict(align_corners=spatial.integer(0, 1))
    spatial.check("AffineGrid", attributes, [theta, size], opset=20, constants=(1,))


def test_deform_conv(spatial):
    group, offset_group = spatial.integer(1, 2), spatial.integer(1, 2)
    attributes = spatial.window(2, auto_pads=["NOTSET"]) | {"group": group, "offset_group": offset_group}
    x = spatial.image(2, 6, 9, channels=2 * spatial.integer(1, 3))
    kernel = attributes["kernel_shape"]
    w = spatial.normal(group * spatial.integer(1, 3), x.shape[1] // group, *kernel)
    plain = {k: v for k, v in attributes.items() if k != "offset_group"}
    out = run_onnxruntime(*model_of("Conv", plain, [x, w]))[0].shape
    places = offset_group * kernel[0] * kernel[1]
    offset = 2 * spatial.normal(x.shape[0], 2 * places, *out[2:])
    bias = spatial.normal(w.shape[0]) if spatial.integer(0, 1) else None
    mask = spatial.normal(x.shape[0], places, *out[2:]) if spatial.integer(0, 1) else None
    constants = (1, 3) if spatial.integer(0, 1) else ()
    arrays = [x, w, offset, bias, mask]
    try:
        wanted = run_onnxruntime(*model_of("DeformConv", attributes, arrays, opset=19))
    except Exception:  # versions without the kernel
        wanted = run_standard(*model_of("DeformConv", attributes, arrays, opset=19))
    spatial.check("DeformConv", attributes, arrays, opset=19, constants=constants, oracle=wanted, tolerance=2e-5)


@DIMENSIONS
def test_col2im(spatial, dimensions):
    block, image = spatial.integers(1, 3, dimensions), spatial.integers(5, 8, dimensions)
    attributes = dict(strides=spatial.integers(1, 2, dimensions), dilations=spatial.integers(1, 2, dimensions))
    attributes["pads"] = spatial.integers(0, 1, 2 * dimensions)
    blocks = 1
    for d in range(dimensions):
        reach = attributes["dilations"][d] * (block[d] - 1) + 1
        room = image[d] + attributes["pads"][d] + attributes["pads"][d + dimensions] - reach
        blocks *= room // attributes["strides"][d] + 1
    x = spatial.normal(spatial.integer(1, 2), spatial.integer(1, 3) * int(np.prod(block)), blocks)
    arrays = [x, np.int64(image), np.int64(block)]
    oracle = run_onnxruntime if dimensions == 2 else run_standard
    spatial.check("Col2Im", attributes, arrays, opset=18, constants=(1, 2), oracle=oracle)


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
