"""The RKNN class: return values, the order of calls, objects and logs."""

import inspect

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from rknn_arrays import nhwc, said  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

# ---- return values and the state machine


def test_every_step_of_a_conversion_returns_zero(rknn, cnn, dataset, tmp_path):
    each = rknn()
    assert each.config(mean_values=[[127, 127, 127]], std_values=[[128, 128, 128]], target_platform="rk3588") == 0
    assert each.load_onnx(model=str(cnn)) == 0
    assert each.build(do_quantization=True, dataset=str(dataset)) == 0
    assert each.export_rknn(str(tmp_path / "out.rknn")) == 0
    assert each.init_runtime() == 0
    outputs = each.inference([nhwc()], data_format=["nhwc"])
    assert [(type(out), out.shape, out.dtype) for out in outputs] == [
        (np.ndarray, (1, 10), np.float32),
        (np.ndarray, (1, 8, 8, 8), np.float32),
    ]
    assert each.release() is None


def test_paths_may_be_path_objects(rknn, cnn, dataset, tmp_path):
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(cnn) == 0
    assert each.build(True, dataset) == 0
    assert each.export_rknn(tmp_path / "out.rknn") == 0
    assert each.load_rknn(tmp_path / "out.rknn") == 0


@pytest.mark.proves("load_onnx.model", "export_rknn.export_path", "load_rknn.path")
@pytest.mark.parametrize(
    "call",
    [
        lambda each: each.load_onnx("nowhere.onnx"),
        lambda each: each.build(do_quantization=False),
        lambda each: each.export_rknn("out.rknn"),
        lambda each: each.load_rknn("nowhere.rknn"),
        lambda each: each.init_runtime(),
    ],
    ids=["load_onnx", "build", "export_rknn", "load_rknn", "init_runtime"],
)
def test_failed_steps_log_and_return_minus_one_or_raise_on_demand(rknn, call, monkeypatch, capfd):
    each = rknn()
    each.config(target_platform="rk3588")
    capfd.readouterr()
    assert call(each) == -1
    text = said(capfd)
    assert text.startswith("E ")
    assert "WARN(0)" in text
    monkeypatch.setenv("OPENRKNN_RAISE", "1")
    with pytest.raises(ValueError):
        call(each)


def test_config_and_inference_raise_value_error(rknn):
    each = rknn()
    with pytest.raises(ValueError, match="Invalid target_platform"):
        each.config(target_platform="rk0")
    with pytest.raises(ValueError, match="The runtime has not been initialized"):
        each.inference([nhwc()])


def test_failures_that_are_not_ours_also_give_minus_one(rknn, capfd):
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(None) == -1
    assert "TypeError" in said(capfd)


def test_signatures_are_those_of_the_toolkit():
    def defaults(method):
        parameters = list(inspect.signature(getattr(RKNN, method)).parameters.values())[1:]
        return {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}

    empty = inspect.Parameter.empty
    assert list(defaults("config").items()) == [
        ("mean_values", None),
        ("std_values", None),
        ("quantized_dtype", "w8a8"),
        ("quantized_algorithm", "normal"),
        ("quantized_method", "channel"),
        ("quant_img_RGB2BGR", False),
        ("float_dtype", "float16"),
        ("optimization_level", 3),
        ("target_platform", None),
        ("custom_string", None),
        ("remove_weight", False),
        ("compress_weight", False),
        ("single_core_mode", False),
        ("model_pruning", False),
        ("op_target", None),
        ("dynamic_input", None),
        ("quantize_weight", False),
        ("remove_reshape", False),
        ("sparse_infer", False),
        ("enable_flash_attention", False),
        ("auto_hybrid_cos_thresh", 0.98),
        ("auto_hybrid_euc_thresh", None),
    ]
    assert list(defaults("load_onnx").items()) == [
        ("model", empty),
        ("inputs", None),
        ("input_size_list", None),
        ("input_initial_val", None),
        ("outputs", None),
    ]
    assert list(defaults("build").items()) == [
        ("do_quantization", True),
        ("dataset", None),
        ("rknn_batch_size", None),
        ("auto_hybrid", False),
    ]
    assert list(defaults("init_runtime").items()) == [
        ("target", None),
        ("device_id", None),
        ("perf_debug", False),
        ("eval_mem", False),
        ("async_mode", False),
        ("core_mask", RKNN.NPU_CORE_AUTO),
        ("fallback_prior_device", "cpu"),
    ]
    assert list(defaults("inference").items()) == [
        ("inputs", empty),
        ("data_format", None),
        ("inputs_pass_through", None),
        ("get_frame_id", False),
    ]


def test_core_constants():
    names = "AUTO 0 1 2 0_1 0_1_2 ALL".split()
    assert [getattr(RKNN, f"NPU_CORE_{name}") for name in names] == [0, 1, 2, 4, 3, 7, 0xFFFF]


# ---- objects and logs


def test_two_objects_at_once_do_not_mix(built):
    one, other = built(mean_values=[0, 0, 0]), built(mean_values=[100, 100, 100])
    one.init_runtime()
    other.init_runtime()
    a, b = one.inference([nhwc()])[0], other.inference([nhwc()])[0]
    assert not np.array_equal(a, b)
    assert np.array_equal(one.inference([nhwc()])[0], a)
    one.release()
    assert np.array_equal(other.inference([nhwc()])[0], b)


@pytest.mark.proves("release")
def test_an_object_may_be_released_twice_and_used_again(built, cnn):
    each = built()
    each.init_runtime()
    wanted = each.inference([nhwc()])[0]
    each.release()
    each.release()
    with pytest.raises(ValueError):
        each.inference([nhwc()])
    assert each.build(do_quantization=False) == -1
    assert each.config(target_platform="rk3588") == 0
    assert each.load_onnx(str(cnn)) == 0
    assert each.build(do_quantization=False) == 0
    assert each.init_runtime() == 0
    assert np.array_equal(each.inference([nhwc()])[0], wanted)


def test_a_rebuilt_object_does_not_run_the_old_model(built, cnn, dataset):
    each = built()
    each.init_runtime()
    assert each.build(do_quantization=True, dataset=str(dataset)) == 0
    with pytest.raises(ValueError, match="init_runtime"):
        each.inference([nhwc()])


def test_the_first_line_names_the_version(rknn, capfd):
    rknn()
    assert said(capfd).startswith(f"I rknn-toolkit2 version: {openrknn.__version__}")


@pytest.mark.proves("RKNN.verbose")
def test_verbose_tells_what_was_changed_and_where_a_failure_came_from(rknn, cnn, capfd):
    for verbose in (False, True):
        each = rknn(verbose=verbose)
        each.config(target_platform="rk3588")
        each.load_onnx(str(cnn))
        assert each.build(do_quantization=False) == 0
        assert each.load_rknn("nowhere.rknn") == -1
        details = [line for line in said(capfd).splitlines() if line.startswith("D ")]
        assert any(line.startswith("D build: fuse_activation") for line in details) == verbose
        assert any("Traceback" in line for line in details) == verbose


@pytest.mark.proves("RKNN.verbose_file")
def test_verbose_file_holds_what_was_logged(rknn, tmp_path, cnn, capfd):
    path = tmp_path / "log.txt"
    each = rknn(verbose=True, verbose_file=str(path))
    each.config()
    each.load_onnx("nowhere.onnx")
    each.release()
    text = path.read_text()
    assert f"I Save log info to: {path}" in text
    assert "W config: 'target_platform' is None" in text
    assert "E load_onnx: nowhere.onnx: E0005 general.file-not-found" in text
    assert "WARN(1)" in text
    assert text == "".join(line for line in said(capfd).splitlines(keepends=True) if line in text)


@pytest.mark.proves("RKNN.verbose_file")
def test_verbose_file_needs_verbose(rknn, tmp_path):
    rknn(verbose_file=str(tmp_path / "log.txt"))
    assert not (tmp_path / "log.txt").exists()
