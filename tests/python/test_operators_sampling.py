"""Resizing and sampling with random attributes, imported from ONNX, against onnxruntime (spatial_case.py)."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
openrknn = pytest.importorskip("openrknn")
from spatial_case import DIMENSIONS, Spatial, model_of, refusal, run_onnxruntime, run_standard  # noqa: E402

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
