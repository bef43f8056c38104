"""Quantized models written as ONNX: onnxruntime computes the codes our ideal arithmetic computes."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("openrknn._core")

import small_models  # noqa: E402
from onnx import helper  # noqa: E402

import openrknn  # noqa: E402

Level = onnxruntime.GraphOptimizationLevel


def run_reference(path, feeds, level=Level.ORT_DISABLE_ALL):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([i.name for i in session.get_inputs()], feeds, strict=True)))


def scales_of_outputs(made):
    """Per output the scale of the DequantizeLinear that gives it; None where it is no code."""
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in made.graph.initializer}
    makers = {name: node for node in made.graph.node for name in node.output}
    scales = []
    for output in made.graph.output:
        node = makers[output.name]
        while node.op_type == "Identity":
            node = makers[node.input[0]]
        scales.append(float(constants[node.input[1]]) if node.op_type == "DequantizeLinear" else None)
    return scales


def code_differences(model, feeds, path, level=Level.ORT_DISABLE_ALL):
    """Per output how many codes lie between onnxruntime and ideal arithmetic, element by element."""
    model.export_onnx(path)
    made = onnx.load(path)
    onnx.checker.check_model(made, full_check=True)
    ideal = model.run(feeds, ideal=True)
    got = run_reference(path, feeds, level)
    differences = []
    for g, w, scale in zip(got, ideal, scales_of_outputs(made), strict=True):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        step = scale or max(float(np.ptp(w)) / 1000, 1e-12)
        differences.append(np.rint(np.abs(g.astype(np.float64) - w) / step))
    return np.concatenate([d.ravel() for d in differences])


def images(count, size=16, channels=3):
    return [
        np.random.default_rng(seed).standard_normal((1, channels, size, size)).astype(np.float32)
        for seed in range(count)
    ]


@pytest.fixture
def compiled(tmp_path):
    def compile(model=None, **options):
        path = small_models.save(model or small_models.cnn(), tmp_path / "source.onnx")
        options.setdefault("dataset", images(4))
        return openrknn.compile(path, **options)

    return compile


SCHEMES = {
    "w8a8": {"target": "rk3588"},
    "w16a16i": {"target": "rv1106"},
    "w16a16i_dfp": {"target": "rv1106"},
    "w8a16": {"target": "rk3562", "dataset": None},
    "w4a16": {"target": "rk3576", "dataset": None},
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("method", ["channel", "layer"])
def test_codes_are_those_of_ideal_arithmetic(compiled, tmp_path, scheme, method):
    model = compiled(quantize=scheme, method=method, **SCHEMES[scheme])
    off = code_differences(model, images(1)[:1], tmp_path / "qdq.onnx")
    assert off.max() <= 2
    assert np.mean(off == 0) >= (0.999 if scheme == "w8a8" else 0.99)


def test_a_float16_build_is_casts(compiled, tmp_path):
    model = compiled(quantize=None, dataset=None)
    off = code_differences(model, images(1), tmp_path / "half.onnx")
    assert off.max() <= 1
    kinds = {node.op_type for node in onnx.load(tmp_path / "half.onnx").graph.node}
    assert "Cast" in kinds and "QuantizeLinear" not in kinds


def test_groups_of_weights_are_blocks(tmp_path):
    random = np.random.default_rng(3)
    weights = small_models.constant("w", random.standard_normal((70, 8)).astype(np.float32))
    source = small_models.model(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="dense")],
        [small_models.value("x", [2, 70])],
        [small_models.value("y", [2, 8])],
        [weights],
    )
    path = small_models.save(source, tmp_path / "source.onnx")
    model = openrknn.compile(path, target="rk3576", quantize="w4a16", method="group32")
    x = random.standard_normal((2, 70)).astype(np.float32)
    assert code_differences(model, [x], tmp_path / "groups.onnx").max() <= 1
    blocked = [
        n for n in onnx.load(tmp_path / "groups.onnx").graph.node if any(a.name == "block_size" for a in n.attribute)
    ]
    assert [n.op_type for n in blocked] == ["DequantizeLinear"]


def test_weights_and_biases_are_integers_in_the_file(compiled, tmp_path):
    compiled().export_onnx(tmp_path / "qdq.onnx")
    types = {i.name: i.data_type for i in onnx.load(tmp_path / "qdq.onnx").graph.initializer}
    assert types["w0"] == types["w1"] == onnx.TensorProto.INT8
    assert types["b0"] == onnx.TensorProto.INT32


def test_inputs_and_outputs_are_those_of_the_source(compiled, tmp_path):
    compiled().export_onnx(tmp_path / "qdq.onnx")
    made = onnx.load(tmp_path / "qdq.onnx")
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*made.graph.input, *made.graph.output]
    }
    assert shapes == {"image": [1, 3, 16, 16], "scores": [1, 10], "pooled": [1, 8, 8, 8]}
    assert {v.type.tensor_type.elem_type for v in [*made.graph.input, *made.graph.output]} == {onnx.TensorProto.FLOAT}


def test_a_file_that_was_saved_exports_the_same(compiled, tmp_path):
    model = compiled()
    model.save(tmp_path / "m.rknn")
    model.export_onnx(tmp_path / "a.onnx")
    openrknn.load(tmp_path / "m.rknn").export_onnx(tmp_path / "b.onnx")
    feeds = images(1)
    for a, b in zip(run_reference(tmp_path / "a.onnx", feeds), run_reference(tmp_path / "b.onnx", feeds), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("activation", ["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Softplus", "HardSwish", "Mish"])
def test_layers_with_a_curve(tmp_path, compiled, activation):
    random = np.random.default_rng(7)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node(activation, ["c"], ["a"]),
        helper.make_node("Add", ["a", "x"], ["s"]),
        helper.make_node("MaxPool", ["s"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("AveragePool", ["m"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    source = small_models.model(
        nodes,
        [small_models.value("x", [1, 3, 16, 16])],
        [small_models.value("y", [1, 3, 4, 4]), small_models.value("s", [1, 3, 16, 16])],
        [small_models.constant("w", random.standard_normal((3, 3, 3, 3)).astype(np.float32) * 0.2)],
        opset=18,
        check=False,
    )
    off = code_differences(compiled(source), images(1), tmp_path / "qdq.onnx")
    assert off.max() <= 2
    assert np.mean(off == 0) >= 0.999


def on_codes(made, array):
    """The numbers the input's codes stand for: pixels with mean and std 127.5 lie in the middle between two of them."""
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in made.graph.initializer}
    first = next(n for n in made.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == made.graph.input[0].name)
    scale, zero = (constants[name].astype(np.float64) for name in first.input[1:3])
    return ((np.clip(np.rint(array / scale) + zero, -128, 127) - zero) * scale).astype(np.float32)


@pytest.mark.parametrize("name", ["mobiledigits", "resdigits"])
def test_digits_networks_give_nearly_the_same_codes(shared, tmp_path, name):
    train = np.load(shared / "models" / "digits" / "train.npz")["images"]
    pixels = (train[:60].reshape(-1, 1, 1, 32, 32).astype(np.float32) - 127.5) / 127.5
    model = openrknn.compile(shared / "models" / "digits" / f"{name}.op12.onnx", dataset=list(pixels[:20]))
    path = tmp_path / "qdq.onnx"
    model.export_onnx(path)
    made = onnx.load(path)
    off = []
    for image in pixels[20:]:
        feed = on_codes(made, image)
        for got, ideal, scale in zip(
            run_reference(path, [feed]), model.run([feed], ideal=True), scales_of_outputs(made), strict=True
        ):
            off.append(np.rint(np.abs(got.astype(np.float64) - ideal) / (scale or 1e-3)).ravel())
    off = np.concatenate(off)
    assert off.max() <= 2
    assert np.mean(off == 0) >= 0.95
