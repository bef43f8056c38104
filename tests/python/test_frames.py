"""Models of YUV frames (inputs_yuv_fmt): the same results as for the picture that OpenCV makes of the frame."""

import json
import os
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
cv2 = pytest.importorskip("cv2")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402

import openrknn  # noqa: E402

FORMATS = ("nv12", "nv21", "i420", "yv12")
TO_RGB = {
    "nv12": cv2.COLOR_YUV2RGB_NV12,
    "nv21": cv2.COLOR_YUV2RGB_NV21,
    "i420": cv2.COLOR_YUV2RGB_I420,
    "yv12": cv2.COLOR_YUV2RGB_YV12,
}
HEIGHT, WIDTH = 12, 16


def picture(height=HEIGHT, width=WIDTH, seed=5):
    """Smooth colours: chroma is the same for each two by two pixels, give or take little."""
    y, x = np.mgrid[0:height, 0:width]
    phases = np.random.default_rng(seed).uniform(0, 6, 3)
    waves = [127 + 120 * np.sin(x / 9 + y / 7 + phase) for phase in phases]
    return np.stack(waves, -1).astype(np.uint8)


def frame_of(rgb, name):
    """[3 H / 2, W] of bytes in the format, by OpenCV."""
    height, width, _ = rgb.shape
    planar = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    luma, chroma = planar[:height], planar[height:].reshape(2, -1)
    if name in ("nv21", "yv12"):
        chroma = chroma[::-1]
    behind = chroma.T if name.startswith("nv") else chroma
    return np.concatenate([luma, np.ascontiguousarray(behind).reshape(height // 2, width)])


def identity(shape=(1, 3, HEIGHT, WIDTH), extra_input=False):
    """Gives its input back, through a layer so that there is something to compute."""
    weights = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
    inputs, outputs = [small_models.value("x", shape)], [small_models.value("y", shape)]
    if extra_input:
        nodes.append(helper.make_node("Relu", ["z"], ["r"], name="relu"))
        inputs.append(small_models.value("z", (1, 4)))
        outputs.append(small_models.value("r", (1, 4)))
    return small_models.model(nodes, inputs, outputs, [small_models.constant("w", weights)])


@pytest.fixture
def net(tmp_path):
    return small_models.save(identity(), tmp_path / "net.onnx")


def run(model, frame):
    return model.run({"x": frame.reshape(1, 1, *frame.shape)})[0]


@pytest.mark.proves("config.inputs_yuv_fmt")
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("quantize", [None, "w8a8"])
def test_a_frame_gives_what_its_picture_gives(net, name, quantize):
    frames = [frame_of(picture(seed=seed), name) for seed in range(4)]
    samples = [frame.reshape(1, 1, *frame.shape) for frame in frames]
    model = openrknn.compile(net, quantize=quantize, dataset=samples if quantize else None, inputs_yuv_fmt=name)
    for frame in frames:
        rgb = cv2.cvtColor(frame, TO_RGB[name]).astype(np.float32)
        error = np.abs(run(model, frame)[0].transpose(1, 2, 0) - rgb)
        assert error.max() <= (1.01 if quantize is None else 2.5)


def test_any_bytes_are_saturated_as_opencv_does_it(net):
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT * 3 // 2, WIDTH), np.uint8)
    model = openrknn.compile(net, quantize=None, inputs_yuv_fmt="nv12")
    # OpenCV's luma stops at 16 before the sum: darker bytes are none of a frame.
    noise[:HEIGHT] = np.maximum(noise[:HEIGHT], 16)
    rgb = cv2.cvtColor(noise, TO_RGB["nv12"]).astype(np.float32)
    result = run(model, noise)[0].transpose(1, 2, 0)
    assert result.min() == 0 and result.max() == 255
    assert np.abs(result - rgb).max() <= 1.01


@pytest.mark.parametrize(("mean", "std"), [([127.5] * 3, [127.5] * 3), ([123.675, 116.28, 103.53], [58.4, 57.1, 57.4])])
def test_mean_and_std_are_applied_behind_the_conversion(net, mean, std):
    frame = frame_of(picture(), "nv12")
    rgb = cv2.cvtColor(frame, TO_RGB["nv12"]).astype(np.float32)
    wanted = (rgb - np.float32(mean)) / np.float32(std)
    model = openrknn.compile(net, quantize=None, mean=mean, std=std, inputs_yuv_fmt="nv12")
    assert np.abs(run(model, frame)[0].transpose(1, 2, 0) - wanted).max() < 1.2 / min(std)
    coded = openrknn.compile(
        net, dataset=[frame.reshape(1, 1, *frame.shape)], mean=mean, std=std, inputs_yuv_fmt="nv12"
    )
    assert np.abs(run(coded, frame)[0].transpose(1, 2, 0) - wanted).max() < 4 / min(std)


def test_models_that_want_blue_first_get_it(net):
    frame = frame_of(picture(), "i420")
    red_first = run(openrknn.compile(net, quantize=None, inputs_yuv_fmt="i420"), frame)
    blue_first = run(openrknn.compile(net, quantize=None, inputs_yuv_fmt="i420", rgb_to_bgr=True), frame)
    np.testing.assert_array_equal(red_first[:, ::-1], blue_first)


def test_full_range_frames_are_those_of_jpeg(net):
    rgb = np.full((HEIGHT, WIDTH, 3), (250, 120, 10), np.uint8)
    luma, red, blue = cv2.cvtColor(rgb[:2, :2], cv2.COLOR_RGB2YCrCb)[0, 0]  # full range
    frame = np.full((HEIGHT * 3 // 2, WIDTH), luma, np.uint8)
    frame[HEIGHT:, ::2], frame[HEIGHT:, 1::2] = blue, red
    result = run(openrknn.compile(net, quantize=None, inputs_yuv_fmt="nv12_full"), frame)
    assert np.abs(result[0].transpose(1, 2, 0) - rgb).max() <= 2


def test_codes_of_an_int8_input_are_the_bytes(net, tmp_path):
    grey = np.full((1, 1, HEIGHT * 3 // 2, WIDTH), 100, np.uint8)  # says nothing of the range
    model = openrknn.compile(net, dataset=[grey], inputs_yuv_fmt="nv12")
    model.save(tmp_path / "net.rknn")
    with openrknn.InferenceSession(str(tmp_path / "net.rknn")) as session:
        quantization = session.get_inputs()[0]
        assert (quantization.scale, quantization.zero_point) == (1.0, -128)


@pytest.mark.parametrize("name", FORMATS)
def test_images_of_a_dataset_become_frames(rknn, net, tmp_path, name):
    rgb = picture(24, 32)
    cv2.imwrite(str(tmp_path / "large.png"), rgb[:, :, ::-1])
    dataset = tmp_path / "dataset.txt"
    dataset.write_text("large.png\n")
    instance = rknn()
    assert (
        instance.config(target_platform="rk3588", inputs_yuv_fmt=name, mean_values=[0, 0, 0], std_values=[1, 1, 1]) == 0
    )
    assert instance.load_onnx(str(net)) == 0
    assert instance.build(do_quantization=True, dataset=str(dataset)) == 0
    assert instance.init_runtime() == 0
    small = cv2.resize(rgb, (WIDTH, HEIGHT))
    frame = frame_of(small, name)
    (result,) = instance.inference([frame.reshape(1, HEIGHT * 3 // 2, WIDTH, 1)])
    back = cv2.cvtColor(frame, TO_RGB[name]).astype(np.float32)
    # Ranges came from the image: had it been taken as one of grey, or of another order, they would not fit.
    assert np.abs(result[0].transpose(1, 2, 0) - back).max() <= 4
    assert instance.accuracy_analysis([str(tmp_path / "large.png")], output_dir=None) == 0


def test_the_file_keeps_the_format(net, tmp_path):
    path = tmp_path / "net.rknn"
    openrknn.compile(net, quantize=None, inputs_yuv_fmt="yv12").save(path)
    command = os.environ.get("OPENRKNN_COMMAND")
    if not command:
        pytest.skip("OPENRKNN_COMMAND names no command")
    done = subprocess.run([command, "inspect", str(path), "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["inputs"][0]["pixel_format"] == "yv12"
    assert "yv12 frames" in subprocess.run([command, "inspect", str(path)], capture_output=True, text=True).stdout
    rgb = picture(HEIGHT // 2, WIDTH // 2).repeat(2, 0).repeat(2, 1)  # one colour a chroma sample
    cv2.imwrite(str(tmp_path / "picture.png"), rgb[:, :, ::-1])
    out = tmp_path / "out"
    subprocess.run([command, "run", str(path), "-i", str(tmp_path / "picture.png"), "--save", str(out)], check=True)
    result = np.load(next(out.glob("*.npy")))[0].transpose(1, 2, 0)
    assert np.abs(result - cv2.cvtColor(frame_of(rgb, "yv12"), TO_RGB["yv12"])).max() <= 4
    against = subprocess.run([command, "run", str(path), "--against", str(net)], capture_output=True, text=True)
    assert against.returncode == 1 and "yv12 frames" in against.stderr
    arguments = ["convert", str(net), "-t", "rk3588", "--float", "--inputs-yuv-fmt", "yv12", "-o", str(path)]
    told = subprocess.run([command, *arguments], capture_output=True, text=True, check=True).stdout
    assert f"openrknn run {path} --input PICTURE" in told  # not what was refused above


def test_other_inputs_stay_as_they_are(tmp_path):
    path = small_models.save(identity(extra_input=True), tmp_path / "net.onnx")
    model = openrknn.compile(path, quantize=None, inputs_yuv_fmt=["nv12", None])
    frame = frame_of(picture(), "nv12")
    result = model.run({"x": frame.reshape(1, 1, *frame.shape), "z": np.float32([[-1, 2, -3, 4]])})
    np.testing.assert_array_equal(result[1], [[0, 2, 0, 4]])


def test_every_set_of_shapes_takes_frames(rknn, net, tmp_path):
    instance = rknn()
    shapes = [[[1, 3, HEIGHT, WIDTH]], [[1, 3, 6, 8]]]
    model = identity(shape=("n", 3, "h", "w"))
    path = small_models.save(model, tmp_path / "dynamic.onnx")
    assert instance.config(target_platform="rk3588", inputs_yuv_fmt="nv12", dynamic_input=shapes) == 0
    assert instance.load_onnx(str(path)) == 0
    assert instance.build(do_quantization=False) == 0
    assert instance.init_runtime() == 0
    for height, width in ((HEIGHT, WIDTH), (6, 8)):
        frame = frame_of(picture(height, width), "nv12")
        (result,) = instance.inference([frame.reshape(1, -1, width, 1)])
        assert result.shape == (1, 3, height, width)
        assert np.abs(result[0].transpose(1, 2, 0) - cv2.cvtColor(frame, TO_RGB["nv12"])).max() <= 1.01


@pytest.mark.parametrize("value", ["rgb", 1, ["nv12", "yuyv"], "nv16"])
def test_unknown_formats_are_refused_with_the_list_of_known_ones(rknn, value):
    with pytest.raises(ValueError, match="inputs_yuv_fmt: got .*nv12, nv21, i420, yv12"):
        rknn().config(target_platform="rk3588", inputs_yuv_fmt=value)


@pytest.mark.parametrize(
    ("shape", "formats", "problem"),
    [
        ((1, 3, 13, 16), "nv12", r"input 0 has shape \[1, 3, 13, 16\], expected .* even height and width"),
        ((1, 3, 12, 16), ["nv12", "nv12"], "has 2 entries, the model has 1 inputs"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path, shape, formats, problem):
    path = small_models.save(identity(shape), tmp_path / "net.onnx")
    with pytest.raises(openrknn.Error, match=problem):
        openrknn.compile(path, quantize=None, inputs_yuv_fmt=formats)


def test_a_wrong_number_of_means_is_still_refused(net):
    with pytest.raises(openrknn.Error, match=r"mean_values \(\[1, 2\]\) for input 0 is wrong, got 2, expected 3"):
        openrknn.compile(net, quantize=None, inputs_yuv_fmt="nv12", mean=[[1, 2]], std=[[1, 1, 1]])


def test_every_added_layer_runs_on_every_npu(net, tmp_path):
    for name in FORMATS:
        path = tmp_path / f"{name}.rknn"
        frame = frame_of(picture(), name)
        openrknn.compile(net, dataset=[frame.reshape(1, 1, *frame.shape)], inputs_yuv_fmt=name).save(path)
        for soc in openrknn.check(path, target="all"):
            if soc["target"] != "rk2118":  # computes floats alone
                assert (soc["cpu"], soc["impossible"]) == (0, 0), (soc["target"], soc["layers"])
