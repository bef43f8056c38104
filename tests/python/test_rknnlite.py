"""RKNNLite: the board class of RKNN-Toolkit-Lite2, here on the simulator."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from rknn_arrays import image, nchw, nhwc  # noqa: E402

import openrknn  # noqa: E402
from rknnlite.api import RKNNLite  # noqa: E402


@pytest.fixture
def lite():
    made = []

    def make(path=None, **kwargs):
        made.append(RKNNLite(**kwargs))
        if path is not None:
            assert made[-1].load_rknn(str(path)) == 0
            assert made[-1].init_runtime() == 0
        return made[-1]

    yield make
    for each in made:
        each.release()


@pytest.fixture
def quantized_rknn(built, tmp_path):
    path = tmp_path / "int8.rknn"
    assert built(quantize=True, mean_values=[[127.5] * 3], std_values=[[127.5] * 3]).export_rknn(str(path)) == 0
    return path


def reference(path, array):
    with openrknn.InferenceSession(path, provider_options={"layout": "nhwc"}) as session:
        return session.run(None, array)


def test_the_usual_sequence_of_calls(quantized_rknn, lite):
    each = RKNNLite(verbose=False, verbose_file=None)
    assert each.load_rknn(str(quantized_rknn)) == 0
    assert each.init_runtime(core_mask=RKNNLite.NPU_CORE_0_1_2) == 0
    outputs = each.inference(inputs=[nhwc()])
    assert each.release() is None
    for got, want in zip(outputs, reference(quantized_rknn, nhwc()), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, want)


def test_core_masks_have_the_documented_values():
    assert [getattr(RKNNLite, f"NPU_CORE_{name}") for name in ("AUTO", "0", "1", "2", "0_1", "0_1_2", "ALL")] == [
        0, 1, 2, 4, 3, 7, 0xFFFF,
    ]  # fmt: skip


@pytest.mark.parametrize(("platform", "mask", "status"), [("rk3588", 4, 0), ("rk3588", 0xFFFF, 0), ("rk3576", 4, -1),
                                                          ("rk3566", 0, 0), ("rk3566", 3, -1), ("rk3588", 5, -1)])  # fmt: skip
def test_core_masks_follow_the_soc(built, lite, tmp_path, capfd, platform, mask, status):
    path = tmp_path / "model.rknn"
    built(target_platform=platform).export_rknn(str(path))
    each = lite()
    each.load_rknn(str(path))
    capfd.readouterr()
    assert each.init_runtime(core_mask=mask) == status
    assert ("E init_runtime: " in capfd.readouterr().err) == (status == -1)


def test_arguments_copied_from_the_pc_class_are_ignored(cnn_rknn, lite):
    each = lite()
    each.load_rknn(cnn_rknn)
    assert each.init_runtime(target="rk3588", device_id="1234", async_mode=False, perf_debug=False) == 0
    assert each.inference([nhwc()]) is not None


@pytest.mark.parametrize("data_format", [None, "nhwc", "NHWC", ["nhwc"]])
def test_images_are_nhwc_unless_said(cnn_rknn, lite, data_format):
    outputs = lite(cnn_rknn).inference(inputs=[nhwc()], data_format=data_format)
    np.testing.assert_array_equal(outputs[0], reference(cnn_rknn, nhwc())[0])


@pytest.mark.parametrize("data_format", ["nchw", "NCHW", ["nchw"], ("NCHW",)])
@pytest.mark.parametrize("dense", [True, False])
def test_images_may_be_nchw(cnn_rknn, lite, data_format, dense):
    array = np.ascontiguousarray(nchw()) if dense else nchw()
    outputs = lite(cnn_rknn).inference(inputs=[array], data_format=data_format)
    np.testing.assert_array_equal(outputs[0], reference(cnn_rknn, nhwc())[0])


def test_three_dimensions_are_an_image_without_its_batch(cnn_rknn, lite):
    np.testing.assert_array_equal(lite(cnn_rknn).inference([image()])[0], reference(cnn_rknn, nhwc())[0])


@pytest.mark.parametrize(("given", "data_type"), [(np.uint8, None), (np.float32, None), (np.float64, None),
                                                  (np.int64, "uint8"), (np.float64, ["float32"]), (np.uint8, "float16")])  # fmt: skip
def test_element_types(cnn_rknn, lite, given, data_type):
    outputs = lite(cnn_rknn).inference([nhwc().astype(given)], data_type=data_type)
    np.testing.assert_array_equal(outputs[0], reference(cnn_rknn, nhwc())[0])


def test_other_inputs_are_as_the_model_has_them(dense, lite, tmp_path):
    path = tmp_path / "dense.rknn"
    openrknn.compile(dense, quantize=None).save(path)
    array = np.random.default_rng(0).standard_normal((1, 6)).astype(np.float32)
    np.testing.assert_array_equal(lite(path).inference([array])[0], reference(path, array)[0])
    np.testing.assert_array_equal(lite(path).inference(array)[0], reference(path, array)[0])


def test_several_inputs(lite, tmp_path):
    path = tmp_path / "two.rknn"
    openrknn.compile(small_models.save(small_models.two_inputs(), tmp_path / "two.onnx"), quantize=None).save(path)
    random = np.random.default_rng(0)
    picture, vector = random.random((1, 8, 8, 3), np.float32), random.random((1, 4), np.float32)
    wanted = reference(path, [picture, vector])[0]
    each = lite(path)
    np.testing.assert_array_equal(each.inference([picture, vector])[0], wanted)
    planes = picture.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(each.inference([planes, vector], data_format=["nchw", None])[0], wanted)
    assert each.inference([picture]) is None


def test_whole_numbers_stay_whole(lite, tmp_path):
    path = tmp_path / "arg_max.rknn"
    openrknn.compile(small_models.save(small_models.arg_max(), tmp_path / "m.onnx"), quantize=None).save(path)
    index, doubled = lite(path).inference([np.arange(8, dtype=np.float32)[None]])
    assert index.tolist() == [7] and index.dtype == np.int64
    assert doubled.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "method"),
    [
        (lambda each, path: each.load_rknn("/no/such.rknn"), "load_rknn"),
        (lambda each, path: each.load_rknn(None), "load_rknn"),
        (lambda each, path: each.init_runtime(), "init_runtime"),
        (lambda each, path: each.inference([nhwc()]), "inference"),
        (lambda each, path: (each.load_rknn(path), each.inference([nhwc()]))[1], "inference"),
    ],
)
def test_failures_are_a_line_and_a_status_or_an_exception_if_asked(lite, cnn_rknn, monkeypatch, capfd, call, method):
    result = call(lite(), str(cnn_rknn))
    assert result == (None if method == "inference" else -1)
    assert f"E {method}: " in capfd.readouterr().err
    monkeypatch.setenv("OPENRKNN_RAISE", "1")
    with pytest.raises(RuntimeError):
        call(lite(), str(cnn_rknn))


@pytest.mark.parametrize(
    "arguments",
    [
        {"inputs": [nhwc()], "data_format": "hwc"},
        {"inputs": [nhwc()], "data_format": ["nhwc", "nhwc"]},
        {"inputs": [nhwc()[:, :4]]},
        {"inputs": [nhwc(), nhwc()]},
        {"inputs": []},
        {"inputs": None},
        {"inputs": [nhwc().astype(np.complex64)]},
        {"inputs": [nhwc()], "inputs_pass_through": [1]},
    ],
)
def test_wrong_inputs_give_none_and_a_line(cnn_rknn, lite, capfd, arguments):
    each = lite(cnn_rknn)
    assert each.inference(**arguments) is None
    assert "E inference: " in capfd.readouterr().err
    assert each.inference([nhwc()]) is not None


def test_versions(cnn_rknn, lite):
    text = lite(cnn_rknn).get_sdk_version()
    rule, title, api, driver, last = text.splitlines()
    assert set(rule) == set(last) == {"="} and title == "RKNN VERSION:"
    assert api.startswith("  API: ") and openrknn.__version__ in api
    assert driver.startswith("  DRV: ")


@pytest.mark.parametrize(("platform", "supported"), [("rk3566", ["RK3566", "RK3568"]), ("rk3568", ["RK3566", "RK3568"]),
                                                     ("rk3588", ["RK3588"]), ("rv1103", ["RV1103", "RV1106"])])  # fmt: skip
def test_platforms_of_a_model(built, lite, tmp_path, capfd, platform, supported):
    path = tmp_path / "model.rknn"
    built(quantize=True, target_platform=platform).export_rknn(str(path))
    capfd.readouterr()
    assert lite().list_support_target_platform(rknn_model=str(path)) == supported
    rule, filled, runs_on, last = capfd.readouterr().out.splitlines()
    assert set(rule) == set(last) == {"*"}
    assert filled == f"Target platforms filled in RKNN model:         {[platform]}"
    assert runs_on == f"Target platforms supported by this RKNN model: {supported}"
    each = lite()
    each.load_rknn(str(path))
    assert each.list_support_target_platform() == supported


def test_verbose_lines_go_to_a_file_too(cnn_rknn, lite, tmp_path, capfd):
    log = tmp_path / "log.txt"
    each = lite(cnn_rknn, verbose=True, verbose_file=str(log))
    each.inference([nchw()], data_format="nchw")
    said = capfd.readouterr().err
    note = "The input[0] need NHWC data format, but NCHW set, the data format and data buffer will be changed to NHWC."
    assert note in said and note in log.read_text()
    quiet = lite(cnn_rknn)
    quiet.inference([nchw()], data_format="nchw")
    assert capfd.readouterr().err == ""


def test_released_twice_and_used_again(cnn_rknn, lite):
    each = lite(cnn_rknn)
    each.release()
    each.release()
    assert each.inference([nhwc()]) is None
    assert each.init_runtime() == 0
    with each as same:
        assert same.inference([nhwc()]) is not None


def test_it_is_importable_and_usable_without_a_board(cnn_rknn):
    script = f"""
from rknnlite.api import RKNNLite
import numpy as np
lite = RKNNLite()
assert lite.load_rknn({str(cnn_rknn)!r}) == 0
assert lite.init_runtime(core_mask=RKNNLite.NPU_CORE_AUTO) == 0
print(lite.inference(inputs=[np.zeros((1, 16, 16, 3), np.uint8)])[0].shape)
"""
    path = os.pathsep.join(str(Path(each).resolve()) for each in sys.path if each)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "(1, 10)\n"), done.stderr
