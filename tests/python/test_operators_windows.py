"""Pools and convolutions with random attributes, imported from ONNX, against onnxruntime (spatial_case.py)."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
openrknn = pytest.importorskip("openrknn")
from spatial_case import DIMENSIONS, Spatial, model_of, run_onnxruntime  # noqa: E402


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
