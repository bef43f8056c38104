"""enable_flash_attention: attention as one layer, the same numbers, every source layer found."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402

import openrknn  # noqa: E402


@pytest.fixture
def random():
    return np.random.default_rng(11)


def attention(masked, heads=2, tokens=6, size=4, mask_shape=None):
    """One head-split attention as exporters write it: Transpose, MatMul, Div, Add, Softmax, MatMul."""
    shape = (1, tokens, heads, size)
    nodes = [
        helper.make_node("Transpose", ["q"], ["qh"], name="qh", perm=[0, 2, 1, 3]),
        helper.make_node("Transpose", ["k"], ["kh"], name="kh", perm=[0, 2, 3, 1]),
        helper.make_node("Transpose", ["v"], ["vh"], name="vh", perm=[0, 2, 1, 3]),
        helper.make_node("MatMul", ["qh", "kh"], ["scores"], name="scores"),
        helper.make_node("Div", ["scores", "root"], ["scaled"], name="scaled"),
    ]
    last, constants = "scaled", [small_models.constant("root", np.float32(size**0.5))]
    if masked:
        mask = np.random.default_rng(3).standard_normal(mask_shape or (1, 1, tokens, tokens)).astype(np.float32)
        constants.append(small_models.constant("mask", mask))
        nodes.append(helper.make_node("Add", [last, "mask"], ["masked"], name="masked"))
        last = "masked"
    nodes += [
        helper.make_node("Softmax", [last], ["weights"], name="weights", axis=-1),
        helper.make_node("MatMul", ["weights", "vh"], ["y"], name="y"),
    ]
    inputs = [small_models.value(name, shape) for name in "qkv"]
    return small_models.model(nodes, inputs, [small_models.value("y", (1, heads, tokens, size))], constants)


def layers_of(model):
    return [layer["op"] for layer in openrknn.estimate(model)[0]["layers"]]


@pytest.mark.proves("config.enable_flash_attention")
@pytest.mark.parametrize("masked", [False, True])
def test_attention_becomes_one_layer_of_the_same_numbers(tmp_path, random, masked):
    path = small_models.save(attention(masked), tmp_path / "net.onnx")
    feeds = {name: random.standard_normal((1, 6, 2, 4)).astype(np.float32) for name in "qkv"}
    golden = openrknn.import_model(path).run(feeds)[0]
    apart = openrknn.compile(path, target="rk3576", quantize=None)
    fused = openrknn.compile(path, target="rk3576", quantize=None, enable_flash_attention=True)
    assert layers_of(apart).count("MatMul") == 2 and "Attention" not in layers_of(apart)
    assert layers_of(fused).count("Attention") == 1 and "MatMul" not in layers_of(fused)
    assert "Softmax" not in layers_of(fused) and len(layers_of(fused)) == 4
    # What lies between is never rounded to float16.
    error = [np.abs(model.run(feeds)[0] - golden).max() for model in (apart, fused)]
    assert error[1] <= error[0] < 5e-3 and error[1] < 1e-3


def built(rknn, path, dataset=None, target="rk3576"):
    instance = rknn()
    assert instance.config(target_platform=target, enable_flash_attention=True) == 0
    assert instance.load_onnx(str(path)) == 0
    assert instance.build(do_quantization=dataset is not None, dataset=dataset) == 0
    return instance


def test_attention_of_an_int8_build_is_float16_and_every_layer_is_found(rknn, tmp_path, random, capfd):
    path = small_models.save(attention(True), tmp_path / "net.onnx")
    names = []
    for name in "qkv":
        np.save(tmp_path / f"{name}.npy", random.standard_normal((1, 6, 2, 4)).astype(np.float32))
        names.append(f"{name}.npy")
    dataset = tmp_path / "dataset.txt"
    dataset.write_text(" ".join(names) + "\n")
    fused = built(rknn, path, str(dataset), "rk3562")
    assert "enable_flash_attention: 1 attention is computed as one layer, in float16" in capfd.readouterr().err
    arrays = [str(tmp_path / name) for name in names]
    assert fused.accuracy_analysis(arrays, output_dir=str(tmp_path / "snapshot")) == 0
    rows = (tmp_path / "snapshot" / "error_analysis.txt").read_text()
    for layer in ("scores", "weights", "kh"):
        assert layer in rows


def test_models_without_attention_hear_that_the_option_does_nothing(rknn, tmp_path, capfd):
    built(rknn, small_models.save(small_models.cnn(), tmp_path / "net.onnx"))
    assert "enable_flash_attention=True has no effect" in capfd.readouterr().err


def test_a_mask_that_differs_from_head_to_head_is_left_alone(rknn, tmp_path, capfd):
    built(rknn, small_models.save(attention(True, mask_shape=(1, 2, 6, 6)), tmp_path / "net.onnx"))
    assert "enable_flash_attention=True has no effect" in capfd.readouterr().err


def test_flash_attention_is_refused_where_the_npu_cannot(rknn):
    with pytest.raises(ValueError, match="enable_flash_attention is not supported by rk3588.*rk3562, rk3576"):
        rknn().config(target_platform="rk3588", enable_flash_attention=True)
