"""The RKNN class: init_runtime and inference."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from rknn_arrays import image, nchw, nhwc, said  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

# ---- init_runtime, inference


def test_init_runtime_says_that_it_is_the_simulator_and_may_be_repeated(built, capfd):
    each = built()
    said(capfd)
    assert each.init_runtime() == 0
    assert "Target is None, use simulator!" in said(capfd)
    assert each.init_runtime() == 0


@pytest.mark.proves("init_runtime.core_mask")
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


@pytest.mark.proves("inference.data_format")
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


@pytest.mark.proves("inference.inputs", "inference.data_format")
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


@pytest.mark.proves("inference.get_frame_id")
def test_get_frame_id_is_taken_and_changes_nothing(built):
    each = built()
    each.init_runtime()
    wanted = each.inference([nhwc()])
    for got, want in zip(each.inference([nhwc()], get_frame_id=True), wanted, strict=True):
        assert np.array_equal(got, want)


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


@pytest.mark.proves("inference.inputs")
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


@pytest.mark.proves("inference.inputs_pass_through")
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


@pytest.mark.proves("inference.inputs_pass_through")
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
