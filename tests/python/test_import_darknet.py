"""DarkNet: networks against OpenCV's reader, the definitions of layers it does not know, and what is refused."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from darknet_writer import DarknetWriter  # noqa: E402
from digits import int8_accuracy  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402


def writer(seed=0, channels=3, height=16, width=20):
    return DarknetWriter(np.random.default_rng(seed), channels, height, width)


def run(cfg, x, **options):
    return openrknn.import_model(cfg, **options).run([x])


def sample(net, seed=1):
    c, h, w = net
    return np.random.default_rng(seed).standard_normal((1, c, h, w)).astype(np.float32)


def random_network(seed):
    """Blocks of every kind that OpenCV reads."""
    random = np.random.default_rng(seed)
    net = writer(seed, channels=3, height=24, width=32)
    net.convolutional(8, activation="leaky")
    for _ in range(random.integers(3, 7)):
        channels = net.shape[0]
        kind = random.integers(0, 7)
        if kind == 0:
            first = net.convolutional(channels, size=1, activation=str(random.choice(["mish", "swish", "relu"])))
            net.convolutional(channels, size=3, batch_normalize=0, activation="linear")
            net.shortcut(first)
        elif kind == 1:
            net.convolutional(channels, groups=channels, activation="relu")
        elif kind == 2 and min(net.shape[1:]) > 4:
            net.maxpool(2, 2)
        elif kind == 3:
            net.maxpool(int(random.choice([3, 5])), 1)
        elif kind == 4:
            first = len(net.shapes) - 1
            net.route(first, groups=2, group_id=int(random.integers(0, 2)))
            second = net.convolutional(4, size=1)
            net.route(second, first)
        elif kind == 5:
            net.convolutional(2 * channels, stride=2, activation="logistic")
        else:
            c, h, w = net.shape
            net.section("upsample", (c, 2 * h, 2 * w), stride=2)
    return net


@pytest.mark.parametrize("seed", range(12))
def test_a_network_of_random_layers_gives_what_opencv_computes(tmp_path, seed):
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip("this OpenCV has no DarkNet reader")
    net = random_network(seed)
    cfg = net.write(tmp_path)
    x = sample((3, 24, 32))
    oracle = cv2.dnn.readNetFromDarknet(str(cfg), str(cfg.with_suffix(".weights")))
    oracle.setInput(x)
    wanted = oracle.forward()
    (got,) = run(cfg, x)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= 1e-5 * np.ptp(wanted)


@pytest.mark.parametrize(
    ("cfg", "outputs"),
    [
        ("digits/resdigits.cfg", {"softmax_17": "out0"}),
        ("yolo_fastest_1.1/yolo-fastest-1.1.cfg", {"convolutional_120": "out2", "convolutional_129": "out3"}),
    ],
)
def test_real_networks_give_the_recorded_outputs(shared, cfg, outputs):
    recorded = np.load(shared / "models" / cfg.replace(".cfg", ".weights.io.npz"))
    graph = openrknn.import_model(shared / "models" / cfg)
    assert [name for name, _, _ in graph.outputs] == list(outputs)
    for got, key in zip(graph.run([recorded["in0"]]), outputs.values(), strict=True):
        assert np.abs(got.ravel() - recorded[key].ravel()).max() <= 1e-5 * np.ptp(recorded[key])


def test_int8_digits_are_all_but_as_right_as_float(shared):
    digits = shared / "models" / "digits"
    assert int8_accuracy(digits, digits / "resdigits.cfg") >= 0.994


def activation_of(name, x):
    """activations.h, one line each."""
    return {
        "hard_mish": lambda: np.where(x > 0, x, np.where(x > -2, x * x / 2 + x, 0)),
        "hardtan": lambda: np.clip(x, -1, 1),
        "lhtan": lambda: np.where(x < 0, 0.001 * x, np.where(x > 1, 0.001 * (x - 1) + 1, x)),
        "loggy": lambda: 2 / (1 + np.exp(-x)) - 1,
        "plse": lambda: np.where(x < -4, 0.01 * (x + 4), np.where(x > 4, 0.01 * (x - 4) + 1, 0.125 * x + 0.5)),
        "ramp": lambda: x * (x > 0) + 0.1 * x,
        "relie": lambda: np.where(x > 0, x, 0.01 * x),
        "relu6": lambda: np.clip(x, 0, 6),
        "elu": lambda: np.where(x >= 0, x, np.exp(x) - 1),
        "selu": lambda: np.where(x >= 0, 1.0507 * x, 1.0507 * 1.6732 * (np.exp(x) - 1)),
        "gelu": lambda: 0.5 * x * (1 + np.tanh(0.797885 * x + 0.035677 * x**3)),
        "tanh": lambda: np.tanh(x),
        "normalize_channels": lambda: np.maximum(x, 0) / (np.maximum(x, 0).sum(1, keepdims=True) + 0.0001),
        "normalize_channels_softmax": lambda: np.exp(x) / np.exp(x).sum(1, keepdims=True),
    }[name]()


@pytest.mark.parametrize(
    "name",
    "hard_mish hardtan lhtan loggy plse ramp relie relu6 elu selu gelu tanh normalize_channels "
    "normalize_channels_softmax".split(),
)
def test_activations_are_those_of_darknet(tmp_path, name):
    net = writer(channels=4)
    net.section("activation", activation=name)
    x = 5 * sample((4, 16, 20))
    (got,) = run(net.write(tmp_path), x)
    np.testing.assert_allclose(got, activation_of(name, x.astype(np.float64)), rtol=2e-5, atol=2e-5)


def test_reorg_moves_what_yolov2_was_trained_with(tmp_path):
    net = writer(channels=8, height=6, width=8)
    net.section("reorg", (32, 3, 4), stride=2)
    x = sample((8, 6, 8))
    (got,) = run(net.write(tmp_path), x)
    # reorg_cpu(x, w, h, c, batch, stride, forward=0) with the sizes of the input
    flat, out = x.ravel(), np.zeros(x.size, np.float32)
    c, h, w, s = 8, 6, 8, 2
    for k in range(c):
        for j in range(h):
            for i in range(w):
                inner, offset = k % (c // (s * s)), k // (c // (s * s))
                row, column = j * s + offset // s, i * s + offset % s
                out[i + w * (j + h * k)] = flat[column + w * s * (row + h * s * inner)]
    np.testing.assert_array_equal(got.ravel(), out)
    assert got.shape == (1, 32, 3, 4)


@pytest.mark.parametrize(("rule", "count"), [("none", 1), ("relu", 1), ("softmax", 6)])
def test_a_weighted_shortcut_shares_as_its_weights_say(tmp_path, rule, count):
    net = writer(channels=6)
    first = net.section("activation", activation="relu")
    net.section("activation", activation="tanh")
    kind = "per_feature" if count == 1 else "per_channel"
    net.draw(2, count, low=-0.5, high=1)
    stored = net.numbers[-1].astype(np.float64)
    net.shortcut(first, weights_type=kind, weights_normalization=rule)
    x = sample((6, 16, 20))
    (got,) = run(net.write(tmp_path), x)
    shares = {"none": stored, "relu": np.maximum(stored, 0), "softmax": np.exp(stored - stored.max(0))}[rule]
    if rule != "none":
        shares = shares / (shares.sum(0) + 0.0001)
    relu = np.maximum(x, 0)
    wanted = shares[0].reshape(1, -1, 1, 1) * np.tanh(relu) + shares[1].reshape(1, -1, 1, 1) * relu
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_squeeze_and_excite_and_spatial_attention(tmp_path):
    net = writer(channels=6)
    start = net.convolutional(6, activation="linear")
    net.section("avgpool", (6, 1, 1))
    net.convolutional(6, size=1, activation="logistic", batch_normalize=0)
    net.section("scale_channels", (6, 16, 20), **{"from": start})
    body = net.convolutional(6, size=1, activation="linear")
    net.convolutional(6, size=3, activation="logistic")
    net.section("sam", **{"from": body})
    cfg = net.write(tmp_path)
    x = sample((6, 16, 20))
    names = ["convolutional_0", "convolutional_2", "scale_channels_3", "convolutional_4", "convolutional_5", "sam_6"]
    start_x, share, scaled, body_x, mask, result = run(cfg, x, outputs=names)
    np.testing.assert_allclose(scaled, start_x * share, rtol=1e-6)
    np.testing.assert_allclose(result, body_x * mask, rtol=1e-6)


def test_connected_layers_of_either_order(tmp_path):
    net = writer(channels=4, height=3, width=5)
    net.connected(7)
    net.section("softmax", groups=1, temperature=2)
    x = sample((4, 3, 5))
    cfg = net.write(tmp_path)
    logits = net.numbers[1] @ x.ravel() + net.numbers[0]
    wanted = np.exp(logits / 2) / np.exp(logits / 2).sum()
    (got,) = run(cfg, x)
    assert got.shape == (1, 7, 1, 1)
    np.testing.assert_allclose(got.ravel(), wanted, rtol=1e-5)
    net.numbers[1] = np.ascontiguousarray(net.numbers[1].T)
    cfg.with_suffix(".weights").write_bytes(net.weights(version=(1001, 0, 0)))
    np.testing.assert_allclose(run(cfg, x)[0], got, rtol=1e-6)


def test_tiny_yolo_pools_to_the_same_size(tmp_path):
    """size=2, stride=1: one row and column of padding, at the end."""
    net = writer(channels=2, height=5, width=5)
    net.maxpool(2, 1)
    x = sample((2, 5, 5))
    padded = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 2), axis=(2, 3))
    np.testing.assert_array_equal(run(net.write(tmp_path), x)[0], windows.max((-2, -1)))


def test_heads_are_outputs_and_keep_their_anchors(tmp_path):
    net = writer()
    net.convolutional(18, size=1, activation="linear", batch_normalize=0)
    net.section("yolo", mask="0,1,2", anchors="1,2, 3,4, 5,6", classes=1)
    net.route(0)
    net.convolutional(12, size=1, activation="linear", batch_normalize=0)
    net.section("yolo", mask="0,1", anchors="1,2, 3,4, 5,6", classes=1)
    graph = openrknn.import_model(net.write(tmp_path))
    assert [name for name, _, _ in graph.outputs] == ["convolutional_0", "convolutional_3"]
    assert "anchors=1,2,3,4,5,6" in graph.metadata["darknet.yolo_1"]
    assert openrknn.import_model(tmp_path / "net.cfg", outputs=["yolo_4"]).outputs[0][0] == "convolutional_3"


def refused(cfg, **options) -> str:
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model(cfg, **options)
    return str(caught.value)


def test_weights_that_do_not_fit_say_by_how_much(tmp_path):
    net = writer()
    net.convolutional(8)
    cfg = net.write(tmp_path)
    weights = cfg.with_suffix(".weights")
    whole = weights.read_bytes()
    weights.write_bytes(whole + bytes(40))
    assert "has 248 weights, the file holds 258: 10 too many" in refused(cfg)
    weights.write_bytes(whole[:-400])
    assert "has 248 weights, the file holds 148: 100 too few" in refused(cfg)
    weights.write_bytes(whole[:-2])
    assert "no whole number of float32" in refused(cfg)
    weights.write_bytes(b"abc")
    assert "too short for a header" in refused(cfg)
    weights.unlink()
    assert "net.weights" in refused(cfg)
    assert "E0005" in refused(cfg)


def test_everything_wrong_is_told_with_its_line(tmp_path):
    cfg = tmp_path / "net.cfg"
    cfg.with_suffix(".weights").write_bytes(writer().weights())
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[lstm]\n[convolutional]\n[lstm]\n[wonder]\n")
    text = refused(cfg)
    assert "net.cfg:5" in text
    assert (
        "[lstm]: sections that keep a state from picture to picture are not supported, 2 times, in lines 5, 7" in text
    )
    assert "[wonder] is no known section" in text
    cfg.write_text(
        "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=many\n[maxpool]\nsize=0\n[route]\nlayers=9\n"
        "[shortcut]\nactivation=linear\n[activation]\nactivation=wavy\n"
    )
    text = refused(cfg)
    assert "net.cfg:6" in text and "filters: got 'many', expected a whole number" in text
    assert "layers names layer 9, and this is layer 2" in text
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[activation]\nactivation=wavy\n[shortcut]\n")
    text = refused(cfg)
    assert "got 'wavy', expected one of: elu, gelu" in text
    assert "from is missing" in text
    cfg.write_text("[net]\nnonsense\nwidth=8\n=5\n[convolutional\n")
    text = refused(cfg)
    assert "net.cfg:2" in text and "net.cfg:4" in text and "a section ends with ]" in text
    cfg.write_text("[convolutional]\nfilters=3\n")
    assert "it does not begin with [net]" in refused(cfg)
    cfg.write_text("[net]\nwidth=8\n[avgpool]\n")
    assert "says no size of the input" in refused(cfg)


def test_declared_sizes_are_not_believed(tmp_path):
    """A file of a few bytes cannot make us allocate what it dreams of."""
    cfg = tmp_path / "net.cfg"
    cfg.with_suffix(".weights").write_bytes(writer().weights())
    cfg.write_text(
        "[net]\nwidth=8\nheight=8\nchannels=1000000\n[convolutional]\nfilters=1000000\nsize=1000\npad=1\n"
        "activation=linear\n"
    )
    assert "too few" in refused(cfg)
    upsample = "[upsample]\nstride=1000\n"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n" + 12 * upsample)
    assert "which is beyond any network" in refused(cfg)


def test_crops_name_layers(tmp_path):
    net = writer()
    net.convolutional(4)
    net.maxpool()
    cfg = net.write(tmp_path)
    assert openrknn.import_model(cfg, outputs=["convolutional_0"]).outputs[0][1] == [1, 4, 16, 20]
    assert "names 'conv9', which is no layer" in refused(cfg, outputs=["conv9"])
    assert "the network's one input is 'data'" in refused(cfg, inputs=["image"])


def test_another_size_of_the_input(tmp_path):
    net = writer()
    net.convolutional(4)
    graph = openrknn.import_model(net.write(tmp_path), input_shapes=[[1, 3, 32, 48]])
    assert graph.outputs[0][1] == [1, 4, 32, 48]


@pytest.mark.proves("load_darknet.model", "load_darknet.weight")
def test_the_documented_calls(tmp_path):
    net = writer()
    net.convolutional(8)
    net.convolutional(18, size=1, activation="linear", batch_normalize=0)
    net.section("yolo", mask="0,1,2", anchors="1,2,3,4,5,6", classes=1)
    cfg = net.write(tmp_path)
    weights = tmp_path / "other.weights"
    os.rename(cfg.with_suffix(".weights"), weights)
    rknn = RKNN(verbose=False)
    assert rknn.config(target_platform="rk3588", mean_values=[[0, 0, 0]], std_values=[[255, 255, 255]]) == 0
    assert rknn.load_darknet(model=str(cfg), weight=str(tmp_path / "none.weights")) == -1
    assert rknn.load_darknet(model=str(cfg), weight=str(weights)) == 0
    assert rknn.build(do_quantization=False) == 0
    assert rknn.init_runtime() == 0
    (got,) = rknn.inference(inputs=[np.full((1, 16, 20, 3), 128, np.uint8)])
    assert got.shape == (1, 18, 16, 20)
    wanted = run(cfg, np.full((1, 3, 16, 20), 128 / 255, np.float32), weights=weights)[0]
    np.testing.assert_allclose(got, wanted, atol=2e-2)
    assert rknn.export_rknn(str(tmp_path / "net.rknn")) == 0
    rknn.release()


def test_a_loader_of_another_framework_is_told_so(tmp_path, capfd):
    net = writer()
    net.convolutional(8)
    cfg = net.write(tmp_path)
    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588")
    assert rknn.load_onnx(model=str(cfg)) == -1
    assert "this is a model of DarkNet, expected one of ONNX" in "".join(capfd.readouterr())
    rknn.release()


def test_command_line(tmp_path):
    net = writer()
    net.convolutional(8)
    cfg = net.write(tmp_path, "net")
    renamed = Path(os.rename(cfg, tmp_path / "network.txt") or tmp_path / "network.txt")
    command = [*command_line(), "convert", renamed, "-t", "rk3588", "--float", "-o", tmp_path / "net.rknn", "--json"]
    done = subprocess.run([*command, "--weights", tmp_path / "net.weights"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)
    shown = subprocess.run(
        [*command_line(), "inspect", tmp_path / "net.rknn"], capture_output=True, text=True, check=True
    )
    assert "DarkNet" in shown.stdout


@pytest.mark.parametrize(("size", "stride", "pad"), [(3, 1, 1), (3, 2, 1), (2, 1, 0), (3, 2, 0)])
def test_weights_of_their_own_at_every_place(size, stride, pad, tmp_path):
    net = writer(channels=2, height=6, width=7)
    height, width = (((extent - 1) if pad else (extent - size)) // stride + 1 for extent in (6, 7))
    net.draw(4, height, width)
    net.draw(height * width, 4, 2 * size * size)
    bias, weights = net.numbers
    options = {"filters": 4, "size": size, "stride": stride, "pad": pad, "activation": "linear"}
    net.section("local", (4, height, width), **options)
    x = sample((2, 6, 7))
    padded = np.pad(x[0], ((0, 0), (pad, pad), (pad, pad)))
    wanted = np.empty((4, height, width))
    for row in range(height):
        for column in range(width):
            window = padded[:, row * stride :, column * stride :][:, :size, :size].ravel()
            wanted[:, row, column] = weights[row * width + column] @ window + bias[:, row, column]
    np.testing.assert_allclose(run(net.write(tmp_path), x)[0][0], wanted, atol=1e-5)


def test_learned_constants_are_joined_like_layers(tmp_path):
    net = writer(channels=3, height=4, width=5)
    first = net.convolutional(6, size=1)
    net.draw(6)
    constant = net.section("implicit", (6, 1, 1), filters=6)
    net.section("route", (6, 4, 5), layers=first)
    net.section("scale_channels", (6, 4, 5), **{"from": constant})
    # The layer named by from is scaled by the one before: numbers of [1, 6, 1, 1] first.
    text = net.text.split("[route]")[0] + f"[scale_channels]\nfrom = {first}\n"
    cfg = net.write(tmp_path)
    cfg.write_text(text)
    before, after = run(cfg, sample((3, 4, 5)), outputs=["convolutional_0", "scale_channels_2"])
    np.testing.assert_allclose(after, before * net.numbers[-1].reshape(1, 6, 1, 1), rtol=1e-6)


def test_the_middle_of_a_picture(tmp_path):
    x = sample((3, 16, 20))
    net = writer()
    net.section("crop", (3, 10, 12), crop_height=10, crop_width=12, noadjust=0)
    net.convolutional(4, size=1)
    cfg = net.write(tmp_path)
    (cut,) = run(cfg, x, outputs=["crop_0"])
    np.testing.assert_allclose(cut, x[:, :, 3:13, 4:16] * 2 - 1, atol=1e-6)
    cfg.write_text(cfg.read_text().replace("crop_height = 10", "crop_height = 17"))
    with pytest.raises(openrknn.Error, match="17 x 12 out of 16 x 20"):
        openrknn.import_model(cfg)
