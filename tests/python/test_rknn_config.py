"""The RKNN class: what config takes, refuses and says."""

import inspect
import re

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
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


@pytest.mark.proves("config.target_platform")
@pytest.mark.parametrize("platform", ["rk3562", "RK3576", "rv1126b"])
def test_the_file_is_for_the_platform(built, tmp_path, platform):
    assert built(target_platform=platform).export_rknn(str(tmp_path / "out.rknn")) == 0
    assert openrknn.load(tmp_path / "out.rknn").target == platform.lower()


@pytest.mark.proves("config.target_platform")
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


@pytest.mark.proves(
    "config.npu_do_output_nhwc",
    "config.target_sub_class",
    "config.batch_size",
    "config.core_num",
    "config.input_attrs",
    "config.output_attrs",
)
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


@pytest.mark.proves(
    "config.mean_values",
    "config.std_values",
    "config.quantized_method",
    "config.optimization_level",
    "config.custom_string",
    "config.quant_img_RGB2BGR",
)
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


@pytest.mark.proves("config.optimization_level")
@pytest.mark.parametrize(
    ("level", "operators"), [(0, ["Conv", "Div", "Relu"]), (1, ["Conv", "Div"]), (2, ["Conv"]), (3, ["Conv"])]
)
def test_optimization_levels_run_more_rules_and_keep_the_function(built, tmp_path, level, operators):
    """Level 1 puts the Relu into what is before it, level 2 the quotient into the weights, which rounds otherwise."""
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["conv"]),
        helper.make_node("Div", ["conv", "c"], ["quotient"]),
        helper.make_node("Relu", ["quotient"], ["y"]),
    ]
    constants = [
        small_models.constant("w", np.random.default_rng(0).standard_normal((4, 3, 1, 1)).astype(np.float32)),
        small_models.constant("c", np.float32([3, 5, 7, 9]).reshape(4, 1, 1)),
    ]
    values = [small_models.value("image", [1, 3, 16, 16]), small_models.value("y", [1, 4, 16, 16])]
    path = small_models.save(small_models.model(nodes, values[:1], values[1:], constants), tmp_path / "net.onnx")
    each = built(model=path, optimization_level=level)
    assert each.export_rknn(str(tmp_path / "net.rknn")) == 0
    text = str(openrknn.load(tmp_path / "net.rknn"))
    assert [name for name in re.findall(r"= ([A-Z]\w*)\(", text) if name != "Convert"] == operators
    assert each.init_runtime() == 0
    (wanted,) = openrknn.import_model(path).run([nhwc().transpose(0, 3, 1, 2).astype(np.float32)])
    np.testing.assert_allclose(each.inference([nhwc()])[0], wanted, rtol=0, atol=0.002 * np.ptp(wanted))


@pytest.mark.proves("config.float_dtype")
def test_float16_is_the_one_float_dtype(built, rknn, tmp_path):
    assert built(float_dtype="float16").export_rknn(str(tmp_path / "out.rknn")) == 0
    assert {dtype for _, _, dtype in openrknn.load(tmp_path / "out.rknn").outputs} == {"float16"}
    for other in ("float32", "bfloat16"):
        with pytest.raises(ValueError, match="config: float_dtype: .*'float16'"):
            rknn().config(target_platform="rk3588", float_dtype=other)


@pytest.mark.proves(
    "config.quantized_dtype",
    "config.quantized_method",
    "config.remove_weight",
    "config.bias_correction",
    "config.rounding",
)
@pytest.mark.parametrize(
    ("config", "native"),
    [
        ({"quantized_dtype": "w4a16"}, {"quantize": "w4a16"}),
        ({"quantized_method": "layer"}, {"method": "layer"}),
        ({"remove_weight": True}, {"remove_weight": True}),
        ({"bias_correction": True}, {"bias_correction": True}),
        ({"rounding": "adaptive"}, {"rounding": "adaptive"}),
    ],
    ids=lambda options: next(iter(options)),
)
def test_the_file_is_that_of_compile_with_the_same_option(built, cnn, dataset, tmp_path, config, native):
    each = built(quantize=True, target_platform="rk3576", **config)
    assert each.export_rknn(str(tmp_path / "out.rknn")) == 0
    plain, wanted = (openrknn.compile(cnn, target="rk3576", dataset=dataset, **options) for options in ({}, native))
    assert (tmp_path / "out.rknn").read_bytes() == wanted.to_bytes() != plain.to_bytes()


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


@pytest.mark.proves("config.mean_values", "config.std_values")
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
