"""Caffe: nets against OpenCV's reader, the definitions of layers it does not know, old spellings, and what is refused."""

import os
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from caffe_writer import CaffeWriter, blob, field  # noqa: E402
from digits import int8_accuracy  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402


def net_of(seed=0, shape=(1, 3, 16, 20)):
    return CaffeWriter(np.random.default_rng(seed), shape)


def sample(shape=(1, 3, 16, 20), seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run(path, *inputs, **options):
    return openrknn.import_model(path, **options).run(list(inputs))


def start(net):
    """A convolution first: a net without any weights is no net."""
    return net.convolution(3, 8, 1)


# name: what is added behind a convolution of 8 channels, 16 x 20
LAYERS = {
    "relu": lambda n: n.layer("ReLU"),
    "leaky": lambda n: n.layer("ReLU", relu_param={"negative_slope": 0.3}),
    "prelu": lambda n: n.layer("PReLU", blobs=[n.draw(8)]),
    "elu": lambda n: n.layer("ELU", elu_param={"alpha": 0.7}),
    "sigmoid": lambda n: n.layer("Sigmoid"),
    "tanh": lambda n: n.layer("TanH"),
    "bnll": lambda n: n.layer("BNLL"),
    "absval": lambda n: n.layer("AbsVal"),
    "power": lambda n: n.layer("Power", power_param={"power": 2, "scale": 0.5, "shift": 1.5}),
    "affine": lambda n: n.layer("Power", power_param={"scale": -2, "shift": 3}),
    "padded": lambda n: n.convolution(8, 6, 3, pad=1, stride=2),
    "dilated": lambda n: n.convolution(8, 6, 3, pad=2, dilation=2),
    "grouped": lambda n: n.convolution(8, 8, 3, group=4, pad=1),
    "deconvolution": lambda n: n.convolution(8, 4, 4, kind="Deconvolution", stride=2, pad=1),
    "upsampling": lambda n: n.convolution(8, 8, 4, kind="Deconvolution", group=8, stride=2, pad=1),
    "max": lambda n: n.layer("Pooling", pooling_param={"pool": "MAX", "kernel_size": 3, "stride": 2}),
    "max_pad": lambda n: n.layer("Pooling", pooling_param={"pool": "MAX", "kernel_size": 3, "stride": 2, "pad": 1}),
    "mean": lambda n: n.layer("Pooling", pooling_param={"pool": "AVE", "kernel_size": 3, "stride": 2}),
    "mean_pad": lambda n: n.layer("Pooling", pooling_param={"pool": "AVE", "kernel_size": 3, "stride": 1, "pad": 1}),
    "global": lambda n: n.layer("Pooling", pooling_param={"pool": "AVE", "global_pooling": True}),
    "batch_norm": lambda n: n.layer("BatchNorm", blobs=[n.draw(8), n.draw(8, low=0.5, high=2), np.float32([2])]),
    "scale": lambda n: n.layer("Scale", blobs=[n.draw(8), n.draw(8)], scale_param={"bias_term": True}),
    "lrn": lambda n: n.layer("LRN", lrn_param={"local_size": 5, "alpha": 0.4, "beta": 0.7}),
    "lrn_within": lambda n: n.layer("LRN", lrn_param={"local_size": 3, "alpha": 0.4, "norm_region": "WITHIN_CHANNEL"}),
    "normalize": lambda n: n.layer(
        "Normalize", blobs=[n.draw(8)], norm_param={"across_spatial": False, "channel_shared": False}
    ),
    "softmax": lambda n: n.layer("Softmax"),
    "inner_product": lambda n: n.layer(
        "InnerProduct", blobs=[n.draw(5, 2560) / 50, n.draw(5)], inner_product_param={"num_output": 5}
    ),
    "flatten": lambda n: n.layer("Flatten"),
    "reshape": lambda n: n.layer("Reshape", reshape_param={"shape": {"dim": [0, 4, -1, 20]}}),
    "permute": lambda n: n.layer("Permute", permute_param={"order": [0, 2, 3, 1]}),
    "sum": lambda n: n.layer("Eltwise", ["convolution2", n.layer("TanH")], eltwise_param={"operation": "SUM"}),
    "weighted": lambda n: n.layer("Eltwise", ["convolution2", n.layer("TanH")], eltwise_param={"coeff": [0.5, -2]}),
    "difference": lambda n: n.layer("Eltwise", ["convolution2", n.layer("TanH")], eltwise_param={"coeff": [1, -1]}),
    "product": lambda n: n.layer("Eltwise", ["convolution2", n.layer("TanH")], eltwise_param={"operation": "PROD"}),
    "largest": lambda n: n.layer("Eltwise", ["convolution2", n.layer("TanH")], eltwise_param={"operation": "MAX"}),
    "concat": lambda n: n.layer("Concat", ["convolution2", n.layer("TanH")]),
    "slice": lambda n: n.layer(
        "Concat",
        [n.layer("Slice", tops=["a", "b", "c"], slice_param={"slice_point": [1, 5]}), "c", "b"],
    ),
    "crop": lambda n: n.layer(
        "Crop", ["convolution2", n.convolution(8, 8, 5)], crop_param={"axis": 2, "offset": [1, 3]}
    ),
    "dropout": lambda n: n.layer("Dropout", dropout_param={"dropout_ratio": 0.5}),
}
# What OpenCV computes otherwise than Caffe, or not at all: against the definitions below.
NOT_IN_OPENCV = {"lrn_within", "mean_pad"}


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in NOT_IN_OPENCV])
def test_layers_give_what_opencv_computes(tmp_path, name):
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip("this OpenCV has no Caffe reader")
    net = net_of()
    start(net)
    LAYERS[name](net)
    path, x = net.write(tmp_path), sample()
    oracle = cv2.dnn.readNetFromCaffe(str(path), str(path.with_suffix(".caffemodel")))
    oracle.setInput(x)
    wanted = oracle.forward()
    (got,) = run(path, x)
    assert got.size == wanted.size
    assert np.abs(got.ravel() - wanted.ravel()).max() <= 1e-5 * np.ptp(wanted)


def after_start(name, tmp_path):
    """The net's first convolution and what the layer makes of it."""
    net = net_of()
    first = start(net)
    (LAYERS[name] if isinstance(name, str) else name)(net)
    path = net.write(tmp_path)
    x, got = run(path, sample(), outputs=[first, net.last])
    return x.astype(np.float64), got, net


def windows(x, size, pad):
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))


def test_a_mean_counts_the_padding_around(tmp_path):
    x, got, _ = after_start("mean_pad", tmp_path)
    np.testing.assert_allclose(got, windows(x, 3, 1).mean((-2, -1)), atol=1e-6)


def test_response_within_a_channel(tmp_path):
    x, got, _ = after_start("lrn_within", tmp_path)
    np.testing.assert_allclose(got, x * (1 + 0.4 * windows(x * x, 3, 1).mean((-2, -1))) ** -0.75, atol=1e-6)


@pytest.mark.parametrize(
    ("add", "expected"),
    [
        (lambda n: n.layer("MVN", mvn_param={"eps": 0.01}), lambda x: (x - x.mean((2, 3), keepdims=True)) / (x.std((2, 3), keepdims=True) + 0.01)),
        (lambda n: n.layer("MVN", mvn_param={"across_channels": True, "normalize_variance": False}), lambda x: x - x.mean()),
        (lambda n: n.layer("Exp", exp_param={"base": 2, "scale": 0.5, "shift": 1}), lambda x: 2 ** (1 + 0.5 * x)),
        (lambda n: n.layer("Log", log_param={"base": 10, "scale": 0, "shift": 100}), lambda x: np.full_like(x, 2)),
        (lambda n: n.layer("Swish", swish_param={"beta": 2}), lambda x: x / (1 + np.exp(-2 * x))),
        (lambda n: n.layer("Clip", clip_param={"min": -0.25, "max": 0.5}), lambda x: np.clip(x, -0.25, 0.5)),
        (lambda n: n.layer("ReLU6"), lambda x: np.clip(x, 0, 6)),
        (lambda n: n.layer("HardSigmoid"), lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
        (lambda n: n.layer("Tile", tile_param={"axis": 1, "tiles": 3}), lambda x: np.tile(x, (1, 3, 1, 1))),
        (lambda n: n.layer("Reduction", reduction_param={"operation": "MEAN", "axis": 1, "coeff": 3}), lambda x: 3 * x.mean((1, 2, 3))),
        (lambda n: n.layer("Reduction", reduction_param={"operation": "ASUM", "axis": 2}), lambda x: np.abs(x).sum((2, 3))),
        (lambda n: n.layer("Reverse", reverse_param={"axis": 1}), lambda x: x[:, ::-1]),
        (lambda n: n.layer("ShuffleChannel", shuffle_channel_param={"group": 2}), lambda x: x.reshape(1, 2, 4, 16, 20).swapaxes(1, 2).reshape(x.shape)),
        (lambda n: n.layer("ArgMax", argmax_param={"axis": 1}), lambda x: x.argmax(1, keepdims=True)),
        (lambda n: n.layer("ArgMax"), lambda x: np.float64([[[x.argmax()]]])),
        (lambda n: n.layer("Upsample", upsample_param={"scale": 2}), lambda x: x.repeat(2, 2).repeat(2, 3)),
        (lambda n: n.layer("Reshape", reshape_param={"axis": 1, "num_axes": 2, "shape": {"dim": [4, -1]}}), lambda x: x.reshape(1, 4, 32, 20)),
        (lambda n: n.layer("Flatten", flatten_param={"axis": 2}), lambda x: x.reshape(1, 8, 320)),
        (lambda n: n.layer("Normalize", blobs=[[3]]), lambda x: 3 * x / np.sqrt((x * x).sum() + 1e-10)),
        (lambda n: n.layer("bn", blobs=[np.full(8, 2), np.arange(8)]), lambda x: 2 * x + np.arange(8).reshape(1, 8, 1, 1)),
        (lambda n: n.layer("Bias", blobs=[np.arange(8)]), lambda x: x + np.arange(8).reshape(1, 8, 1, 1)),
        (lambda n: n.layer("Slice", tops=["p", "q"]), lambda x: x[:, :4]),
    ],
)  # fmt: skip
def test_layers_are_those_of_caffe(tmp_path, add, expected):
    x, got, _ = after_start(add, tmp_path)
    wanted = expected(x)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-6)


def test_interp_keeps_the_corners(tmp_path):
    _, got, _ = after_start(lambda n: n.layer("Interp", interp_param={"zoom_factor": 3}), tmp_path)
    assert got.shape == (1, 8, 46, 58)
    x, got, _ = after_start(lambda n: n.layer("Interp", interp_param={"height": 31, "width": 39}), tmp_path)
    np.testing.assert_allclose(got[..., ::2, ::2], x, atol=1e-6)


def test_a_second_bottom_scales_by_channel(tmp_path):
    net = net_of()
    start(net)
    net.layer("Pooling", pooling_param={"pool": "AVE", "global_pooling": True}, name="squeezed")
    net.layer("Reshape", reshape_param={"shape": {"dim": [1, 8]}}, name="factors")
    net.layer("Scale", ["convolution2", "factors"], name="scaled", scale_param={"axis": 0})
    x, factors, scaled = run(net.write(tmp_path), sample(), outputs=["convolution2", "factors", "scaled"])
    np.testing.assert_allclose(scaled, x * factors.reshape(1, 8, 1, 1), rtol=1e-6)


def test_priors_are_constants_of_the_sizes(tmp_path):
    net = net_of()
    start(net)
    net.layer(
        "PriorBox",
        ["convolution2", "data"],
        name="priors",
        prior_box_param={"min_size": 4.0, "max_size": 9.0, "aspect_ratio": 2.0, "variance": [0.1, 0.1, 0.2, 0.2]},
    )
    net.layer("Concat", ["priors", "priors"], name="both", concat_param={"axis": 2})
    (both,) = run(net.write(tmp_path), sample())
    priors = both[:, :, : both.shape[2] // 2]
    assert priors.shape == (1, 2, 16 * 20 * 4 * 4)
    first = priors[0, 0, :16].reshape(4, 4) * np.float32([20, 16, 20, 16])
    root = np.sqrt(2)
    sizes = [(4, 4), (6, 6), (4 * root, 4 / root), (4 / root, 4 * root)]
    wanted = [(0.5 - w / 2, 0.5 - h / 2, 0.5 + w / 2, 0.5 + h / 2) for w, h in sizes]
    np.testing.assert_allclose(first, wanted, atol=1e-5)
    np.testing.assert_array_equal(priors[0, 1, :4], np.float32([0.1, 0.1, 0.2, 0.2]))


@pytest.mark.parametrize(
    ("path", "outputs"),
    [("digits/resdigits.prototxt", ["fc"]), ("ultraface_slim/slim-320.prototxt", ["boxes", "scores"])],
)
def test_real_nets_give_the_recorded_outputs(shared, path, outputs):
    path = shared / "models" / path
    recorded = np.load(path.with_suffix(".caffemodel.io.npz"))
    graph = openrknn.import_model(path)
    assert [name for name, _, _ in graph.outputs] == outputs
    for i, got in enumerate(graph.run([recorded["in0"]])):
        wanted = recorded[f"out{i}"]
        assert np.abs(got.ravel() - wanted.ravel()).max() <= 1e-5 * np.ptp(wanted)


def test_the_same_network_through_caffe_onnx_and_darknet_gives_the_same(shared):
    digits = shared / "models" / "digits"
    images = np.load(digits / "test.npz")["images"][:20].reshape(-1, 1, 1, 32, 32)
    x = (images.astype(np.float32) - 127.5) / 127.5
    caffe, onnx, darknet = (
        openrknn.import_model(digits / f"resdigits.{end}") for end in ("prototxt", "op12.onnx", "cfg")
    )

    def softmax(v):
        return np.exp(v - v.max()) / np.exp(v - v.max()).sum()

    for image in x:
        a, b, c = (graph.run([image])[0].ravel() for graph in (caffe, onnx, darknet))
        assert np.abs(a - b).max() <= 1e-4 * np.ptp(b)
        assert np.abs(softmax(a) - c).max() <= 2e-4


def test_int8_digits_are_all_but_as_right_as_float(shared):
    digits = shared / "models" / "digits"
    assert int8_accuracy(digits, digits / "resdigits.prototxt") >= 0.994


# ---- spellings


def test_layers_in_place_keep_the_blobs_name_for_the_last(tmp_path):
    net = net_of()
    net.convolution(3, 8, 1)
    top = net.last
    for kind in ("BNLL", "Sigmoid"):
        net.layer(kind, [top], top=top, name=f"{kind.lower()}_in_place")
    path = net.write(tmp_path)
    graph = openrknn.import_model(path)
    assert [name for name, _, _ in graph.outputs] == [top]
    first, second, last = run(path, sample(), outputs=[f"{top}/Convolution", "bnll_in_place", top])
    np.testing.assert_allclose(second, np.log1p(np.exp(first)), rtol=1e-5)
    np.testing.assert_allclose(last, 1 / (1 + np.exp(-second)), rtol=1e-5)


V1 = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 20
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1
         convolution_param { num_output: 8 kernel_size: 3 } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "pool" type: POOLING bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "pool" bottom: "label" include { phase: TRAIN } }
"""
V0 = """
input: 'data'  # the oldest form
input_shape { dim: 1, dim: 3; dim: [16] dim: 20 }
layers { layer { name: "conv" type: "conv" num_output: 8 kernelsize: 3 } bottom: "data" top: "conv" }
layers < layer < name: "relu" type: "relu" > bottom: "conv" top: "conv" >
layers { layer { name: "pool" type: "pool" kernelsize: 2 stride: 2 pool: MAX } bottom: "conv" top: "pool" }
"""


@pytest.mark.parametrize("text", [V1, V0], ids=["V1", "V0"])
def test_old_spellings_mean_the_same(tmp_path, text):
    net = net_of()
    net.convolution(3, 8, 3)
    net.layer("ReLU", [net.last], top=net.last)
    net.layer("Pooling", pooling_param={"pool": "MAX", "kernel_size": 2, "stride": 2}, name="pool")
    (wanted,) = run(net.write(tmp_path), sample())
    blobs = [blob(array, legacy=True) for array in net.blobs["convolution2"]]
    old = tmp_path / "old.prototxt"
    old.write_text(text)
    weights = [field(6 if text is V1 else 50, part) for part in blobs]
    body = field(4 if text is V1 else 1, b"conv") + b"".join(weights)
    old.with_suffix(".caffemodel").write_bytes(field(2, body if text is V1 else field(1, body)))
    np.testing.assert_array_equal(run(old, sample())[0], wanted)


def test_phases_choose_the_layers_of_a_deployed_net(tmp_path):
    net = net_of()
    start(net)
    net.layer("Sigmoid", name="trained", include={"phase": "TRAIN"})
    net.layer("TanH", ["convolution2"], name="tested", include={"phase": "TEST"})
    net.layer("AbsVal", ["tested"], name="kept", exclude={"phase": "TRAIN"})
    net.layer("Sigmoid", ["kept"], name="dropped", exclude={"phase": "TEST"})
    net.layer("Accuracy", ["kept", "label"], name="accuracy")
    graph = openrknn.import_model(net.write(tmp_path))
    assert [name for name, _, _ in graph.outputs] == ["kept"]


# ---- refusals


def refused(path, **options) -> str:
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model(path, **options)
    return str(caught.value)


def test_files_that_do_not_belong_together(tmp_path):
    net = net_of()
    start(net)
    net.convolution(8, 4, 3)
    path = net.write(tmp_path)
    model = path.with_suffix(".caffemodel")
    kept = dict(net.blobs)
    net.blobs = {"convolution2": kept["convolution2"]}
    model.write_bytes(net.model())
    assert "no weights of 1 layer of" in refused(path) and "convolution3" in refused(path)
    net.blobs = {**kept, "convolution3": [kept["convolution3"][0][:, :7], kept["convolution3"][1]]}
    model.write_bytes(net.model())
    text = refused(path)
    assert "weights: the .caffemodel has 252 numbers (shape [4, 7, 3, 3]), expected [4, 8, 3, 3]" in text
    assert "convolution3" in text
    net.blobs = {**kept, "convolution3": kept["convolution3"][:1]}
    model.write_bytes(net.model())
    assert "the .caffemodel has 1 blob for the layer, bias would be number 2" in refused(path)
    model.write_bytes(b"")
    assert "holds no weights of any layer" in refused(path)
    net.blobs = kept
    for size in range(0, len(net.model()) - 1, 7):
        model.write_bytes(net.model()[:size])
        with pytest.raises(openrknn.Error):
            openrknn.import_model(path)
    model.unlink()
    assert "E0005" in refused(path)


def test_everything_unknown_is_listed_once(tmp_path):
    net = net_of()
    start(net)
    net.layer("Wonder", name="w1")
    net.layer("Wonder", name="w2")
    net.layer("Proposal", name="boxes")
    text = refused(net.write(tmp_path))
    assert "Wonder: no layer type that is known here (2 layers: w1, w2)" in text
    assert "Proposal: boxes are chosen on the host" in text


def test_bad_options_name_layer_and_line(tmp_path):
    net = net_of()
    start(net)
    net.layer("Concat", name="joined", concat_param={"axis": 7})
    net.layer("ReLU", ["nowhere"], name="lost")
    net.layer("Slice", ["convolution2"], name="cut", tops=["a", "b", "c"])
    net.convolution(8, 0, 1, bottoms=["convolution2"])
    text = refused(net.write(tmp_path))
    assert "node 'joined'" in text and "axis: got 7, and the input [1, 8, 16, 20] has 4 dimensions" in text
    assert "bottom 'nowhere' is given by no layer before" in text
    assert "8 along axis 1 cannot be cut into 3 equal parts" in text
    assert "num_output: got 0, expected 1 to" in text
    assert "net.prototxt:" in text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("layer {", "the file ends inside a message"),
        ("layer { name: }", "where the value of 'name' is expected"),
        ('layer { name: "a', "a string does not end in its line"),
        ("layer }", "'layer' is followed by neither : nor {"),
        ("layer { x [1 }", "expected"),
        ("layer {" * 40, "nested too deeply"),
        ("name: 'x'", "it has no layers"),
        ("layer { name: 'd' type: 'ImageData' top: 'data' }", "reads samples from files: this net is for training"),
        ("layer { name: 'd' type: 'ReLU' bottom: 'data' top: 'a' }", "the net has no input"),
        (
            "input: 'data' layer { name: 'd' type: 'ReLU' bottom: 'data' top: 'a' }",
            "the file says no shape of the input",
        ),
        ("input: 'data' input_dim: x layer { type: 'ReLU' }", "input_dim: got 'x', expected a whole number"),
    ],
)
def test_texts_that_are_no_net(tmp_path, text, problem):
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    path.with_suffix(".caffemodel").write_bytes(field(100, field(1, b"a") + field(7, field(5, b"\0\0\0\0"))))
    assert problem in refused(path)


def test_inputs_in_another_order_and_of_another_size(tmp_path):
    net = net_of()
    net.layer("Input", bottoms=[], top="other", input_param={"shape": {"dim": [1, 3, 16, 20]}})
    net.layer("Eltwise", ["data", "other"], name="sum", eltwise_param={"coeff": [1, -1]})
    net.convolution(3, 4, 1)
    path = net.write(tmp_path)
    graph = openrknn.import_model(path, inputs=["other", "data"], input_shapes=[[1, 3, 8, 8], [1, 3, 8, 8]])
    assert [name for name, _, _ in graph.inputs] == ["other", "data"]
    assert graph.outputs[0][1] == [1, 4, 8, 8]
    assert "expected all of 'data', 'other'" in refused(path, inputs=["data"])
    assert "outputs names 'none', which no layer gives" in refused(path, outputs=["none"])


# ---- surfaces


@pytest.mark.proves("load_caffe.model", "load_caffe.blobs")
def test_the_documented_calls(tmp_path):
    net = net_of()
    start(net)
    net.layer("ReLU")
    path = net.write(tmp_path)
    weights = tmp_path / "other.caffemodel"
    os.rename(path.with_suffix(".caffemodel"), weights)
    rknn = RKNN(verbose=False)
    rknn.config(
        target_platform="rk3588",
        mean_values=[[103.94, 116.78, 123.68]],
        std_values=[[58.82] * 3],
        quant_img_RGB2BGR=True,
    )
    assert rknn.load_caffe(model=str(path), blobs=str(tmp_path / "none.caffemodel")) == -1
    assert rknn.load_caffe(model=str(path), blobs=str(weights)) == 0
    assert rknn.build(do_quantization=False) == 0
    assert rknn.init_runtime() == 0
    (got,) = rknn.inference(inputs=[np.full((1, 16, 20, 3), 120, np.uint8)])
    mean = np.float32([103.94, 116.78, 123.68]).reshape(1, 3, 1, 1)
    wanted = run(path, ((120 - mean) / 58.82 * np.ones((1, 3, 16, 20))).astype(np.float32), weights=weights)[0]
    np.testing.assert_allclose(got, wanted, atol=2e-2)
    rknn.release()


@pytest.mark.proves("load_caffe.input_name")
def test_the_class_takes_inputs_in_the_order_asked_for(tmp_path, capfd):
    net = net_of()
    net.layer("Input", bottoms=[], top="other", input_param={"shape": {"dim": [1, 3, 16, 20]}})
    net.layer("Eltwise", ["data", "other"], name="sum", eltwise_param={"coeff": [1, -1]})
    net.convolution(3, 4, 1)
    path = net.write(tmp_path)
    arrays = {"data": sample(seed=1), "other": sample(seed=2)}
    (wanted,) = run(path, arrays["data"], arrays["other"])
    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588")
    for order in (["data", "other"], ["other", "data"]):
        assert rknn.load_caffe(model=str(path), input_name=order) == 0
        assert rknn.build(do_quantization=False) == 0
        assert rknn.init_runtime() == 0
        (got,) = rknn.inference(inputs=[arrays[name] for name in order], data_format="nchw")
        np.testing.assert_allclose(got, wanted, atol=2e-2)
    assert rknn.load_caffe(model=str(path), input_name=["data"]) == -1
    assert "got 'data', expected all of 'data', 'other'" in "".join(capfd.readouterr())
    rknn.release()


def test_command_line(tmp_path):
    net = net_of()
    start(net)
    path = net.write(tmp_path)
    shown = subprocess.run([*command_line(), "inspect", path], capture_output=True, text=True, check=True).stdout
    assert "a model of Caffe" in shown
    subprocess.run([*command_line(), "convert", path, "-t", "rk3588", "--float", "-q"], check=True)
    assert (tmp_path / "net.rknn").stat().st_size > 0


@pytest.mark.parametrize(
    "options", [{"scale": 2}, {"upsample_h": 11, "upsample_w": 13}, {"scale_h": 3, "scale_w": 2, "pad_out_h": True}]
)
def test_numbers_go_back_to_where_pooling_took_them(options, tmp_path):
    net = net_of(shape=(2, 3, 10, 12))
    first = start(net)
    net.layer("Pooling", tops=["pooled", "mask"], pooling_param={"pool": "MAX", "kernel_size": 2, "stride": 2})
    net.layer("ReLU", ["pooled"], name="relu")
    net.layer("Upsample", ["relu", "mask"], name="back", upsample_param=options)
    x = sample((2, 3, 10, 12))
    before, pooled, got = run(net.write(tmp_path), x, outputs=[first, "relu", "back"])
    height = options.get("upsample_h", 5 * options.get("scale_h", 2) - options.get("pad_out_h", False))
    width = options.get("upsample_w", 12)
    wanted = np.zeros((2, 8, height * width), np.float32)
    for image, channel, row, column in np.ndindex(2, 8, 5, 6):
        window = before[image, channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        down, right = divmod(int(window.argmax()), 2)
        place = (2 * row + down) * 12 + 2 * column + right  # as the plane that was pooled counts
        wanted[image, channel, place] = pooled[image, channel, row, column]
    assert got.shape == (2, 8, height, width)
    assert np.array_equal(got.reshape(wanted.shape), wanted)


def test_boxes_of_planes_are_pooled_to_one_size(tmp_path):
    cv2 = pytest.importorskip("cv2")
    net = net_of(shape=(1, 3, 12, 14))
    net.layer("Input", bottoms=[], top="rois", input_param={"shape": {"dim": [2, 5]}})
    first = net.convolution(3, 4, 1, bottoms=["data"])
    options = {"pooled_h": 3, "pooled_w": 2, "spatial_scale": 0.5}
    net.layer("ROIPooling", [first, "rois"], name="pooled", roi_pooling_param=options)
    path = net.write(tmp_path)
    x, rois = sample((1, 3, 12, 14)), np.array([[0, 2, 3, 20, 19], [0, 8, 4, 11, 9]], np.float32)
    (got,) = run(path, x, rois)
    peer = cv2.dnn.readNetFromCaffe(str(path), str(path.with_suffix(".caffemodel")))
    peer.setInput(x, "data")
    peer.setInput(rois, "rois")
    np.testing.assert_allclose(got, peer.forward(), atol=1e-5)
