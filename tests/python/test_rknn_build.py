"""The RKNN class: loading, building and exporting models."""

import os

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from rknn_arrays import nchw, nhwc, said  # noqa: E402

import openrknn  # noqa: E402

# ---- load_onnx


@pytest.mark.proves("load_onnx.model", "load_onnx.inputs", "load_onnx.outputs")
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


@pytest.mark.proves("load_onnx.outputs")
def test_outputs_come_in_the_order_asked_for(rknn, cnn):
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn), outputs=["pooled", "conv", "scores"])
    each.build(do_quantization=False)
    each.init_runtime()
    assert [out.shape for out in each.inference([nhwc()])] == [(1, 8, 8, 8), (1, 8, 16, 16), (1, 10)]


@pytest.mark.proves("load_onnx.inputs")
def test_inputs_need_input_size_list_but_not_the_reverse(rknn, cnn, capfd):
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(str(cnn), inputs=["image"]) == -1
    assert "'input_size_list' must be given too" in said(capfd)
    assert each.load_onnx(str(cnn), input_size_list=[[1, 3, 16, 16]]) == 0


@pytest.mark.proves("load_onnx.input_size_list")
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


@pytest.mark.proves("load_onnx.input_initial_val")
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


@pytest.mark.proves("build.do_quantization")
def test_dataset_is_ignored_without_quantization(rknn, cnn, capfd):
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn))
    assert each.build(do_quantization=False, dataset="x.txt") == 0
    assert "W build: The dataset='x.txt' is ignored because do_quantization = False!" in said(capfd)


@pytest.mark.proves("build.do_quantization")
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


@pytest.mark.proves("build.dataset")
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


@pytest.mark.proves("config.quant_img_RGB2BGR")
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


@pytest.mark.proves("export_rknn.export_path")
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


@pytest.mark.proves("export_rknn.cpp_gen_cfg")
def test_export_takes_the_old_argument_and_refuses_unknown_ones(built, tmp_path, capfd):
    each = built()
    assert each.export_rknn(str(tmp_path / "a.rknn"), cpp_gen_cfg=True) == 0
    assert each.export_rknn(str(tmp_path / "plain.rknn")) == 0
    assert (tmp_path / "a.rknn").read_bytes() == (tmp_path / "plain.rknn").read_bytes()
    assert each.export_rknn(str(tmp_path / "b.rknn"), compress=True) == -1
    assert "unknown argument 'compress'" in said(capfd)
    assert not (tmp_path / "b.rknn").exists()


@pytest.mark.proves("load_rknn.path")
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


@pytest.mark.proves("config.custom_string")
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
