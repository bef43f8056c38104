"""The RKNN class: what config takes, refuses and says."""

import inspect

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from rknn_arrays import nhwc, said  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

PLATFORMS = "rv1103 rv1103b rv1106 rv1106b rv1126b rk2118 rk3562 rk3566 rk3568 rk3576 rk3588 rk3588s".split()


# ---- config


def test_all_defaults_written_out_are_accepted(rknn, cnn):
    parameters = inspect.signature(RKNN.config).parameters.values()
    values = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"}
    assert rknn().config(**{**values, "target_platform": "rk3588"}) == 0


@pytest.mark.parametrize("platform", PLATFORMS + [name.upper() for name in PLATFORMS] + ["Rk3588"])
def test_platforms_in_any_case(rknn, platform, capfd):
    assert rknn().config(target_platform=platform) == 0
    assert "W config" not in said(capfd)


@pytest.mark.parametrize("platform", ["rk1808", "rv1109", "rv1126", "RV1126", "rk3399pro"])
def test_platforms_of_the_first_generation_are_refused(rknn, platform):
    with pytest.raises(ValueError, match=f"Invalid target_platform '{platform}'!"):
        rknn().config(target_platform=platform)


def test_no_platform_means_rk3566_with_a_warning(rknn, cnn, capfd, tmp_path):
    each = rknn()
    assert each.config() == 0
    assert (
        "W config: 'target_platform' is None, use rk3566 as default, "
        "Please set according to the actual platform!" in said(capfd)
    )
    each.load_onnx(str(cnn))
    each.build(do_quantization=False)
    each.export_rknn(str(tmp_path / "out.rknn"))
    assert openrknn.load(tmp_path / "out.rknn").target == "rk3566"


@pytest.mark.parametrize(
    "argument",
    "npu_do_output_nhwc target_sub_class batch_size core_num input_attrs output_attrs".split(),
)
def test_undocumented_arguments_warn_once_by_name(rknn, argument, capfd):
    assert rknn().config(target_platform="rk3588", **{argument: 1}) == 0
    assert said(capfd).count(f"'{argument}'") == 1


def test_unknown_arguments_are_refused_with_the_list_of_known_ones(rknn):
    with pytest.raises(ValueError, match="unknown argument 'mean_value'.*mean_values"):
        rknn().config(mean_value=[0, 0, 0], target_platform="rk3588")


def test_all_problems_of_a_config_come_together(rknn):
    with pytest.raises(openrknn.Error) as caught:
        rknn().config(target_platform="rk1", optimization_level=7, float_dtype="float32", compress_weight=3)
    assert len(caught.value.diagnostics) == 4


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("optimization_level", -1),
        ("optimization_level", "high"),
        ("quantized_dtype", "float16"),
        ("quantized_algorithm", "best"),
        ("quantized_method", "row"),
        ("float_dtype", "bfloat16"),
        ("mean_values", "127"),
        ("std_values", [["a", "b", "c"]]),
        ("custom_string", "x" * 1024),
        ("quant_img_RGB2BGR", "yes"),
    ],
)
def test_bad_values_are_named(rknn, argument, value):
    with pytest.raises(ValueError, match=argument):
        rknn().config(target_platform="rk3588", **{argument: value})


def test_the_legacy_name_of_w8a8(rknn):
    assert rknn().config(quantized_dtype="asymmetric_quantized-8", target_platform="rk3588") == 0


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_optimization_levels(built, level):
    each = built(optimization_level=level)
    assert each.init_runtime() == 0
    assert np.isfinite(each.inference([nhwc()])[0]).all()


# ---- mean and std


@pytest.mark.parametrize("quantize", [False, True])
@pytest.mark.parametrize("form", [list, tuple, np.array], ids=["list", "tuple", "array"])
def test_flat_and_nested_mean_and_std_are_the_same(built, quantize, form):
    mean, std = [120.5, 116.25, 103.5], [58.5, 57.0, 57.25]
    outputs = []
    for values in ((form(mean), form(std)), (form([mean]), form([std]))):
        each = built(quantize, mean_values=values[0], std_values=values[1])
        each.init_runtime()
        outputs.append(each.inference([nhwc()]))
    for a, b in zip(*outputs, strict=True):
        assert np.array_equal(a, b)


def test_mean_and_std_are_applied_to_inputs(built, cnn):
    mean, std = np.array([120, 110, 100], np.float32), np.array([60, 50, 40], np.float32)
    each = built(mean_values=mean.tolist(), std_values=std.tolist())
    each.init_runtime()
    wanted = openrknn.import_model(cnn).run([((nhwc() - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)])
    for a, b in zip(each.inference([nhwc()]), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=0.002 * np.ptp(b))


@pytest.mark.parametrize("quantize", [False, True])
def test_mean_and_std_apply_to_inputs_of_any_rank(rknn, dense, tmp_path, quantize):
    mean, std = [1.0, 2, 3, 4, 5, 6], [2.0, 2, 4, 4, 8, 8]
    x = np.array([[3, 0, 11, 4, 21, -2]], np.float32)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "list.txt").write_text("x.npy\n")
    each = rknn()
    each.config(mean_values=mean, std_values=std, target_platform="rk3588")
    assert each.load_onnx(str(dense)) == 0
    assert each.build(do_quantization=quantize, dataset=str(tmp_path / "list.txt") if quantize else None) == 0
    assert each.init_runtime() == 0
    wanted = openrknn.import_model(dense).run([(x - np.float32(mean)) / np.float32(std)])[0]
    np.testing.assert_allclose(each.inference([x])[0], wanted, rtol=0, atol=0.1 if quantize else 0.01)


def test_warns_that_no_mean_and_std_were_given(rknn, cnn, capfd):
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn))
    text = said(capfd)
    assert "W load_onnx: The config.mean_values is None, zeros will be set for input 0!" in text
    assert "W load_onnx: The config.std_values is None, ones will be set for input 0!" in text


def test_wrong_channel_counts_are_found_when_the_model_is_loaded(rknn, cnn, capfd):
    each = rknn()
    assert each.config(mean_values=[[1, 2]], target_platform="rk3588") == 0
    assert each.load_onnx(str(cnn)) == -1
    assert "mean_values ([1, 2]) for input 0 is wrong" in said(capfd)
