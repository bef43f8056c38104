"""The RKNN class: what its arguments mean, what its methods return and what they say, as RKNN-Toolkit2's scripts expect."""

import inspect
import os

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

PLATFORMS = "rv1103 rv1103b rv1106 rv1106b rv1126b rk2118 rk3562 rk3566 rk3568 rk3576 rk3588 rk3588s".split()


def image(seed=7):
    return small_models.photo(16, 16, seed)


def nhwc(seed=7):
    return image(seed)[None]


def nchw(seed=7):
    return nhwc(seed).transpose(0, 3, 1, 2)


def said(capfd):
    return capfd.readouterr().err


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


NOT_BUILT = {
    "config": {
        "quantized_dtype": ["w8a16", "w16a16i", "w16a16i_dfp", "w4a16"],
        "quantized_algorithm": ["mmse", "kl_divergence", "gdq"],
        "quantized_method": ["group32", "group128"],
        "remove_weight": [True],
        "compress_weight": [True],
        "model_pruning": [True],
        "op_target": [{"relu": "cpu"}],
        "dynamic_input": [[[[1, 3, 16, 16]], [[1, 3, 32, 32]]]],
        "quantize_weight": [True],
        "remove_reshape": [True],
        "sparse_infer": [True],
        "enable_flash_attention": [True],
        "auto_hybrid_cos_thresh": [0.9],
        "auto_hybrid_euc_thresh": [1.0],
    },
    "build": {"rknn_batch_size": [4], "auto_hybrid": [True]},
    "init_runtime": {
        "target": ["rk3588"],
        "device_id": ["1234"],
        "perf_debug": [True],
        "eval_mem": [True],
        "async_mode": [True],
        "fallback_prior_device": ["gpu"],
    },
    "inference": {"get_frame_id": [True]},
}


@pytest.mark.parametrize(
    ("method", "argument", "value"),
    [(m, a, v) for m, arguments in NOT_BUILT.items() for a, values in arguments.items() for v in values],
    ids=str,
)
def test_what_is_not_built_is_refused_by_name(rknn, cnn, method, argument, value, monkeypatch):
    monkeypatch.setenv("OPENRKNN_RAISE", "1")
    each = rknn()
    if method != "config":
        each.config(target_platform="rk3588")
        each.load_onnx(str(cnn))
    if method in ("init_runtime", "inference"):
        each.build(do_quantization=False)
    if method == "inference":
        each.init_runtime()
    positional = {"build": [False], "inference": [[nhwc()]]}.get(method, [])
    with pytest.raises(openrknn.Error, match=f"{argument}=.*not built yet") as caught:
        getattr(each, method)(*positional, **{argument: value})
    assert caught.value.code == "E0703"


@pytest.mark.parametrize(
    "method",
    "load_caffe load_tensorflow load_tflite load_darknet load_pytorch hybrid_quantization_step1 "
    "hybrid_quantization_step2 accuracy_analysis export_encrypted_rknn_model reg_custom_op codegen".split(),
)
def test_methods_that_are_not_built_log_it_and_return_minus_one(rknn, method, capfd):
    assert getattr(rknn(), method)("some", "arguments") == -1
    assert f"E {method}: E0008 general.not-built: {method}: this method is not built yet" in said(capfd)


@pytest.mark.parametrize("method", ["eval_perf", "eval_memory", "get_sdk_version", "list_devices"])
def test_methods_that_give_data_and_are_not_built_raise(rknn, method):
    with pytest.raises(openrknn.Error, match=f"{method}: this method is not built yet"):
        getattr(rknn(), method)()


@pytest.mark.parametrize(
    "argument",
    "inputs_yuv_fmt quantized_hybrid_level disable_rules npu_do_output_nhwc target_sub_class batch_size core_num "
    "input_attrs output_attrs".split(),
)
def test_undocumented_arguments_warn_once_by_name(rknn, argument, capfd):
    assert rknn().config(target_platform="rk3588", **{argument: 1}) == 0
    assert said(capfd).count(f"'{argument}'") == 1


def test_unknown_arguments_are_refused_with_the_list_of_known_ones(rknn):
    with pytest.raises(ValueError, match="unknown argument 'mean_value'.*mean_values"):
        rknn().config(mean_value=[0, 0, 0], target_platform="rk3588")


def test_all_problems_of_a_config_come_together(rknn):
    with pytest.raises(openrknn.Error) as caught:
        rknn().config(target_platform="rk1", optimization_level=7, float_dtype="float32", remove_weight=True)
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


# ---- load_onnx


def test_cropping_at_any_tensors(rknn, cnn):
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(str(cnn), inputs=["relu"], input_size_list=[[1, 8, 16, 16]], outputs=["pooled"]) == 0
    assert each.build(do_quantization=False) == 0
    each.init_runtime()
    x = np.random.default_rng(0).random((1, 8, 16, 16), np.float32)
    (got,) = each.inference([x], data_format="nchw")
    (wanted,) = openrknn.import_model(cnn, inputs=["relu"], outputs=["pooled"], input_shapes=[x.shape]).run([x])
    np.testing.assert_allclose(got, wanted, rtol=0, atol=0.01)


def test_outputs_come_in_the_order_asked_for(rknn, cnn):
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn), outputs=["pooled", "conv", "scores"])
    each.build(do_quantization=False)
    each.init_runtime()
    assert [out.shape for out in each.inference([nhwc()])] == [(1, 8, 8, 8), (1, 8, 16, 16), (1, 10)]


def test_inputs_need_input_size_list_but_not_the_reverse(rknn, cnn, capfd):
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(str(cnn), inputs=["image"]) == -1
    assert "'input_size_list' must be given too" in said(capfd)
    assert each.load_onnx(str(cnn), input_size_list=[[1, 3, 16, 16]]) == 0


@pytest.mark.parametrize("shape", [[[1, 3, 24, 16]], ["1, 3, 24, 16"], ((1, 3, 24, 16),), [[3, 24, 16]], ["3,24,16"]])
def test_forms_of_input_size_list(rknn, tmp_path, shape):
    made = small_models.cnn()
    for dimension, name in zip(made.graph.input[0].type.tensor_type.shape.dim[2:], ("height", "width"), strict=True):
        dimension.dim_param = name
    for dimension in made.graph.output[1].type.tensor_type.shape.dim[2:]:
        dimension.dim_param = "any"
    path = small_models.save(made, tmp_path / "dynamic.onnx")
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(str(path), inputs=["image"], input_size_list=shape) == 0
    assert each.build(do_quantization=False) == 0
    each.init_runtime()
    assert each.inference([np.zeros((1, 24, 16, 3), np.uint8)])[1].shape == (1, 8, 12, 8)


def test_input_initial_val_freezes_an_input(rknn, tmp_path):
    path = small_models.save(small_models.two_inputs(), tmp_path / "two.onnx")
    vector = np.array([[1, -2, 3, -4]], np.float32)
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(str(path), input_initial_val=[None, vector]) == 0
    assert each.build(do_quantization=False) == 0
    each.init_runtime()
    x = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    (got,) = each.inference([x])
    (wanted,) = openrknn.import_model(path).run({"image": x.transpose(0, 3, 1, 2), "vector": vector})
    np.testing.assert_allclose(got, wanted, rtol=0, atol=0.01)


# ---- build


def test_dataset_is_ignored_without_quantization(rknn, cnn, capfd):
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn))
    assert each.build(do_quantization=False, dataset="x.txt") == 0
    assert "W build: The dataset='x.txt' is ignored because do_quantization = False!" in said(capfd)


def test_build_says_which_types_changed(built, capfd):
    built(quantize=True)
    text = said(capfd)
    assert "I rknn building ..." in text
    assert "I rknn building done." in text
    for what, name in (("input", "image"), ("output", "scores")):
        assert (
            f"W build: The default {what} dtype of '{name}' is changed from 'float32' to 'int8' in rknn model for "
            "performance!" in text
        )


@pytest.mark.parametrize("batch", [None, 1, -1])
def test_spellings_of_no_batch(rknn, cnn, batch):
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn))
    assert each.build(do_quantization=False, rknn_batch_size=batch) == 0


def test_paths_of_a_dataset_lead_from_its_folder(rknn, cnn, tmp_path, photos, monkeypatch):
    folder = tmp_path / "data set"
    folder.mkdir()
    np.save(folder / "my sample.npy", photos[0].transpose(2, 0, 1)[None])
    np.save(folder / "other.npy", photos[1].transpose(2, 0, 1)[None].astype(np.float64))
    (folder / "list.txt").write_text('# a comment\n\n"my sample.npy"\r\n./other.npy  \n')
    monkeypatch.chdir("/")
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn))
    assert each.build(dataset=str(folder / "list.txt")) == 0


def test_an_all_zero_dataset_builds(rknn, cnn, tmp_path):
    np.save(tmp_path / "zero.npy", np.zeros((1, 3, 16, 16), np.float32))
    (tmp_path / "list.txt").write_text("zero.npy\n")
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn))
    assert each.build(dataset=str(tmp_path / "list.txt")) == 0
    each.init_runtime()
    assert np.isfinite(each.inference([nhwc()])[0]).all()


def test_quantized_outputs_are_near_the_float_ones(built, cnn):
    each = built(quantize=True, mean_values=[127.5] * 3, std_values=[127.5] * 3)
    each.init_runtime()
    wanted = openrknn.import_model(cnn).run([((nchw() - 127.5) / 127.5).astype(np.float32)])
    for got, want, error in zip(each.inference([nhwc()]), wanted, (0.3, 0.05), strict=True):
        assert np.linalg.norm(got - want) < error * np.linalg.norm(want)


def test_rgb2bgr_only_swaps_dataset_images(rknn, cnn, tmp_path, photos):
    image_module = pytest.importorskip("PIL.Image")
    image_module.fromarray(photos[0]).save(tmp_path / "a.png")
    np.save(tmp_path / "swapped.npy", photos[0][..., ::-1].transpose(2, 0, 1)[None])
    files = []
    for line, swap in (("a.png", True), ("swapped.npy", True), ("a.png", [True]), ("a.png", False)):
        (tmp_path / "list.txt").write_text(line + "\n")
        each = rknn()
        each.config(quant_img_RGB2BGR=swap, target_platform="rk3588")
        each.load_onnx(str(cnn))
        assert each.build(dataset=str(tmp_path / "list.txt")) == 0
        each.export_rknn(str(tmp_path / "out.rknn"))
        files.append((tmp_path / "out.rknn").read_bytes())
    assert files[0] == files[1] == files[2]
    assert files[3] != files[0]


# ---- export_rknn, load_rknn


@pytest.mark.parametrize("quantize", [False, True])
def test_two_builds_give_the_same_bytes(built, tmp_path, quantize):
    for name in ("a.rknn", "b.rknn"):
        assert built(quantize, custom_string="same").export_rknn(str(tmp_path / name)) == 0
    assert (tmp_path / "a.rknn").read_bytes() == (tmp_path / "b.rknn").read_bytes()


def test_export_replaces_a_file_whole_or_not_at_all(built, tmp_path):
    each = built()
    target = tmp_path / "out.rknn"
    target.write_bytes(b"what was there before")
    assert each.export_rknn(str(target)) == 0
    whole = target.read_bytes()
    assert whole[:4] == b"RKNN"
    folder = tmp_path / "taken"
    folder.mkdir()
    before = sorted(os.listdir(tmp_path))
    assert each.export_rknn(str(folder)) == -1
    assert each.export_rknn(str(tmp_path / "nowhere" / "out.rknn")) == -1
    assert sorted(os.listdir(tmp_path)) == before
    assert os.listdir(folder) == []
    assert target.read_bytes() == whole


def test_export_takes_the_old_argument_and_refuses_unknown_ones(built, tmp_path, capfd):
    each = built()
    assert each.export_rknn(str(tmp_path / "a.rknn"), cpp_gen_cfg=True) == 0
    assert each.export_rknn(str(tmp_path / "b.rknn"), compress=True) == -1
    assert "unknown argument 'compress'" in said(capfd)
    assert not (tmp_path / "b.rknn").exists()


@pytest.mark.parametrize("quantize", [False, True])
def test_a_loaded_file_runs_like_the_object_that_wrote_it(built, rknn, tmp_path, quantize):
    writer = built(quantize, mean_values=[127] * 3, std_values=[128] * 3)
    writer.export_rknn(str(tmp_path / "out.rknn"))
    writer.init_runtime()
    reader = rknn()
    assert reader.load_rknn(str(tmp_path / "out.rknn")) == 0
    assert reader.init_runtime() == 0
    for a, b in zip(writer.inference([nhwc()]), reader.inference([nhwc()]), strict=True):
        assert np.array_equal(a, b)


def test_build_after_load_rknn_is_refused(rknn, cnn_rknn, capfd):
    each = rknn()
    each.load_rknn(str(cnn_rknn))
    assert each.build(do_quantization=False) == -1
    assert "no model has been loaded" in said(capfd)


def test_custom_string_and_metadata_are_in_the_file(rknn, tmp_path):
    path = small_models.save(small_models.cnn(metadata={"stride": "32", "names": "cat,dog"}), tmp_path / "meta.onnx")
    each = rknn()
    each.config(custom_string="für alle", target_platform="rk3588")
    each.load_onnx(str(path))
    each.build(do_quantization=False)
    each.export_rknn(str(tmp_path / "out.rknn"))
    with openrknn.InferenceSession(tmp_path / "out.rknn") as session:
        known = session.get_modelmeta().custom_metadata_map
    assert known["stride"] == "32"
    assert known["names"] == "cat,dog"
    assert known["rknn_custom_string"] == "für alle"


# ---- init_runtime, inference


def test_init_runtime_says_that_it_is_the_simulator_and_may_be_repeated(built, capfd):
    each = built()
    said(capfd)
    assert each.init_runtime() == 0
    assert "Target is None, use simulator!" in said(capfd)
    assert each.init_runtime() == 0


@pytest.mark.parametrize(
    ("platform", "mask", "status"),
    [
        ("rk3588", RKNN.NPU_CORE_0_1_2, 0),
        ("rk3588", RKNN.NPU_CORE_ALL, 0),
        ("rk3576", RKNN.NPU_CORE_0_1, 0),
        ("rk3576", RKNN.NPU_CORE_2, -1),
        ("rk3566", RKNN.NPU_CORE_AUTO, 0),
        ("rk3566", RKNN.NPU_CORE_0_1, -1),
    ],
)
def test_core_masks(built, platform, mask, status):
    assert built(target_platform=platform).init_runtime(core_mask=mask) == status


def test_forms_of_data_format(built, capfd):
    each = built()
    each.init_runtime()
    said(capfd)
    wanted = each.inference([nhwc()])
    assert "W inference: The 'data_format' is not set, and its default value is 'nhwc'!" in said(capfd)
    for array, form in (
        (nhwc(), "nhwc"),
        (nhwc(), ["nhwc"]),
        (nhwc(), ["NHWC"]),
        (nchw(), "nchw"),
        (nchw(), "NCHW"),
        (nchw(), ["nchw"]),
        (nchw(), ("NCHW",)),
    ):
        for got, want in zip(each.inference(inputs=[array], data_format=form), wanted, strict=True):
            assert np.array_equal(got, want)
    assert "data_format" not in said(capfd)


def test_three_dimensions_are_expanded_with_a_warning(built, capfd):
    each = built()
    each.init_runtime()
    got = each.inference([image()])
    assert (
        "W inference: The dims of input(ndarray) shape (16, 16, 3) is wrong, expect dims is 4! "
        "Try expand dims to (1, 16, 16, 3)!" in said(capfd)
    )
    assert np.array_equal(got[0], each.inference([nhwc()])[0])


def test_a_bare_array_is_taken_with_a_warning(built, capfd):
    each = built()
    each.init_runtime()
    got = each.inference(nhwc())
    assert (
        "W inference: Inputs should be placed in a list, like [img1, img2], both the img1 and img2 are ndarray."
        in said(capfd)
    )
    assert np.array_equal(got[0], each.inference([nhwc()])[0])


def test_the_wrong_shape_has_the_known_words(built):
    each = built()
    each.init_runtime()
    with pytest.raises(ValueError) as caught:
        each.inference([nchw()])
    message = "The input(ndarray) shape (1, 3, 16, 16) is wrong, expect 'nhwc' like (1, 16, 16, 3)!"
    assert message in str(caught.value)
    with pytest.raises(ValueError, match="data_format='nhwc'"):
        each.inference([nhwc()], data_format="nchw")


@pytest.mark.parametrize("quantize", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float16", "int8", "uint8", "int16", "int32", "int64", "uint64", ">f4"])
def test_any_numeric_type_goes_by_value(built, quantize, dtype):
    each = built(quantize, mean_values=[60] * 3, std_values=[30] * 3)
    each.init_runtime()
    values = nhwc() // 2  # what int8 can hold
    got, wanted = each.inference([values.astype(dtype)]), each.inference([values.astype(np.float32)])
    for a, b in zip(got, wanted, strict=True):
        assert np.array_equal(a, b)


def test_arrays_need_not_lie_in_one_piece(built):
    each = built()
    each.init_runtime()
    flipped = nhwc()[:, :, ::-1]
    assert np.array_equal(each.inference([flipped])[0], each.inference([flipped.copy()])[0])


def test_nan_is_refused(built):
    each = built()
    each.init_runtime()
    bad = nhwc().astype(np.float32)
    bad[0, 1, 1, 1] = np.nan
    with pytest.raises(ValueError, match="image.*NaN"):
        each.inference([bad])


def test_whole_number_outputs_stay_whole_numbers(rknn, tmp_path):
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(small_models.save(small_models.arg_max(), tmp_path / "argmax.onnx")))
    assert each.build(do_quantization=False) == 0
    each.init_runtime()
    index, doubled = each.inference([np.array([[0, 5, 1, 2, 9, 3, 4, 1]], np.float32)])
    assert (index.dtype, index.tolist()) == (np.int64, [4])
    assert (doubled.dtype, doubled[0, 4]) == (np.float32, 18)


def test_several_inputs_and_one_format_for_all(rknn, tmp_path):
    path = small_models.save(small_models.two_inputs(), tmp_path / "two.onnx")
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(path))
    each.build(do_quantization=False)
    each.init_runtime()
    x, vector = np.random.default_rng(0).random((1, 3, 8, 8), np.float32), np.ones((1, 4), np.float32)
    (wanted,) = openrknn.import_model(path).run([x, vector])
    for form in ("nchw", ["nchw", "nchw"]):
        np.testing.assert_allclose(each.inference([x, vector], data_format=form)[0], wanted, rtol=0, atol=0.01)


def test_pass_through_skips_mean_and_std(built):
    mean, std = np.float32([120, 110, 100]), np.float32([60, 50, 40])
    each = built(mean_values=mean.tolist(), std_values=std.tolist())
    each.init_runtime()
    wanted = each.inference([nhwc()])
    ready = (nhwc() - mean) / std
    for array, form in ((ready, "nhwc"), (ready.transpose(0, 3, 1, 2), "nchw")):
        for got, want in zip(each.inference([array], form, inputs_pass_through=[1]), wanted, strict=True):
            assert np.array_equal(got, want)


def test_layouts_of_inputs_that_are_not_pixels(rknn, tmp_path):
    """4-D whole numbers obey data_format like images."""
    made = small_models.model(
        [
            small_models.helper.make_node("Cast", ["ids"], ["real"], to=small_models.TensorProto.FLOAT),
            small_models.helper.make_node("ReduceMax", ["real"], ["largest"], axes=[2, 3], keepdims=0),
        ],
        [small_models.value("ids", [1, 3, 4, 5], small_models.TensorProto.INT64)],
        [small_models.value("largest", [1, 3])],
    )
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(str(small_models.save(made, tmp_path / "ids.onnx"))) == 0
    assert each.build(do_quantization=False) == 0
    each.init_runtime()
    ids = np.random.default_rng(0).integers(0, 100, (1, 3, 4, 5))
    wanted = ids.max(axis=(2, 3)).astype(np.float32)
    assert np.array_equal(each.inference([ids], "nchw")[0], wanted)
    assert np.array_equal(each.inference([ids.transpose(0, 2, 3, 1)], "nhwc")[0], wanted)


@pytest.mark.parametrize("channels", [3, 20])
def test_pass_through_takes_codes_of_a_quantized_model(rknn, tmp_path, channels):
    random = np.random.default_rng(5)
    np.save(tmp_path / "x.npy", random.uniform(0, 255, (1, channels, 16, 16)).astype(np.float32))
    (tmp_path / "list.txt").write_text("x.npy\n")
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(small_models.save(small_models.cnn(channels=channels), tmp_path / "net.onnx")))
    assert each.build(dataset=str(tmp_path / "list.txt")) == 0
    each.export_rknn(str(tmp_path / "out.rknn"))
    each.init_runtime()
    quant = _input_quantization(tmp_path / "out.rknn")
    codes = random.integers(-128, 128, (1, 16, 16, channels)).astype(np.int8)
    values = (codes.astype(np.float64) - quant["zero_point"][0]) * quant["scale"][0]
    got, wanted = each.inference([codes], inputs_pass_through=[1]), each.inference([values])
    for a, b in zip(got, wanted, strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(ValueError, match="'?image'?.*takes int8|takes i8"):
        each.inference([values], inputs_pass_through=[True])


def _input_quantization(path):
    import json
    import subprocess

    from tools_of_the_build import command_line

    done = subprocess.run([*command_line(), "inspect", path, "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["inputs"][0]["quant"]


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


def test_verbose_file_needs_verbose(rknn, tmp_path):
    rknn(verbose_file=str(tmp_path / "log.txt"))
    assert not (tmp_path / "log.txt").exists()
