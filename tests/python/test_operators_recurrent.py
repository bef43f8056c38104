"""Recurrent layers through the importer, against onnxruntime. Every trial is seeded by its number, which is part of the
test's name."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
openrknn = pytest.importorskip("openrknn")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from sequence_case import check, make_model, run_onnxruntime, run_ours  # noqa: E402

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
FUNCTIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}


def layer(op, rng, direction, steps, batch, size, hidden, lengths=False, states=False, peephole=False, bias=True):
    directions, rows = 2 if direction == "bidirectional" else 1, GATES[op] * hidden

    def normal(*shape):
        return (rng.standard_normal(shape) * 0.5).astype(np.float32)

    inputs = {
        "x": normal(steps, batch, size),
        "w": normal(directions, rows, size),
        "r": normal(directions, rows, hidden),
    }
    inputs["b"] = normal(directions, 2 * rows) if bias else None
    inputs["lengths"] = rng.integers(1, steps + 1, batch).astype(np.int32) if lengths else None
    inputs["h"] = normal(directions, batch, hidden) if states else None
    if op == "LSTM":
        inputs["c"] = normal(directions, batch, hidden) if states else None
        inputs["p"] = normal(directions, 3 * hidden) if peephole else None
    return inputs


WEIGHTS = ("w", "r", "b", "p")
OUTPUTS = {"LSTM": ("y", "y_h", "y_c"), "GRU": ("y", "y_h"), "RNN": ("y", "y_h")}


@pytest.mark.parametrize("trial", range(3))
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", GATES)
def test_recurrent_layers_equal_onnxruntime(tmp_path, op, direction, trial):
    rng = np.random.default_rng(trial)
    steps, batch, size, hidden = (int(v) for v in rng.integers(1, [9, 12, 20, 40]))
    inputs = layer(op, rng, direction, steps, batch, size, hidden, trial > 0, trial > 1, trial == 2, trial != 1)
    check(tmp_path, op, dict(hidden_size=hidden, direction=direction), inputs, WEIGHTS, OUTPUTS[op])


ACTIVATIONS = {
    "LSTM": [["HardSigmoid", "Softsign", "Relu"], ["Affine", "ScaledTanh", "ThresholdedRelu"]],
    "GRU": [["LeakyRelu", "Softsign"], ["HardSigmoid", "ScaledTanh"]],
    "RNN": [["Elu"], ["Softplus"]],
}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("op", GATES)
def test_recurrent_layers_use_the_activations_they_name(tmp_path, op, which):
    rng = np.random.default_rng(which)
    inputs = layer(op, rng, "bidirectional", 4, 2, 5, 6)
    attributes = dict(hidden_size=6, direction="bidirectional", activations=ACTIVATIONS[op][which] * 2)
    takers = {"Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu"}
    alphas = [a for a in attributes["activations"] if a in takers]
    betas = [a for a in attributes["activations"] if a in {"Affine", "ScaledTanh", "HardSigmoid"}]
    if alphas:
        attributes["activation_alpha"] = [0.3 + 0.1 * i for i in range(len(alphas))]
    if betas:
        attributes["activation_beta"] = [0.4 + 0.05 * i for i in range(len(betas))]
    check(tmp_path, op, attributes, inputs, WEIGHTS, OUTPUTS[op], tolerance=1e-4)


@pytest.mark.parametrize("op", GATES)
def test_recurrent_layers_clip_what_gates_are_computed_from(tmp_path, op):
    inputs = layer(op, np.random.default_rng(1), "forward", 5, 2, 8, 7)
    check(tmp_path, op, dict(hidden_size=7, clip=0.3), inputs, WEIGHTS, OUTPUTS[op])


def test_gru_with_linear_before_reset(tmp_path):
    for direction in ("forward", "bidirectional"):
        inputs = layer("GRU", np.random.default_rng(2), direction, 5, 3, 8, 17, lengths=True, states=True)
        check(
            tmp_path,
            "GRU",
            dict(hidden_size=17, linear_before_reset=1, direction=direction),
            inputs,
            WEIGHTS,
            OUTPUTS["GRU"],
        )


def test_lstm_with_input_forget(tmp_path):
    inputs = layer("LSTM", np.random.default_rng(3), "forward", 5, 3, 8, 9)
    check(tmp_path, "LSTM", dict(hidden_size=9, input_forget=1), inputs, WEIGHTS, OUTPUTS["LSTM"])


@pytest.mark.parametrize("op", GATES)
def test_layout_1_is_layout_0_with_the_batch_first(tmp_path, op):
    inputs = layer(op, np.random.default_rng(4), "bidirectional", 4, 3, 5, 6, states=True)
    model, feeds = make_model(op, dict(hidden_size=6, direction="bidirectional"), inputs, WEIGHTS, list(OUTPUTS[op]))
    wanted = run_onnxruntime(model, feeds)
    turned = {n: a.swapaxes(0, 1) if a is not None and n in ("x", "h", "c") else a for n, a in inputs.items()}
    model, feeds = make_model(
        op, dict(hidden_size=6, direction="bidirectional", layout=1), turned, WEIGHTS, list(OUTPUTS[op])
    )
    y, *last = run_ours(tmp_path, model, feeds)
    np.testing.assert_allclose(y, wanted[0].transpose(2, 0, 1, 3), atol=2e-5)
    for got, want in zip(last, wanted[1:], strict=True):
        np.testing.assert_allclose(got, want.swapaxes(0, 1), atol=2e-5)


@pytest.mark.parametrize("op", GATES)
def test_every_output_of_a_recurrent_layer_may_be_left_out(tmp_path, op):
    inputs = layer(op, np.random.default_rng(5), "forward", 4, 3, 5, 6)
    for i in range(len(OUTPUTS[op])):
        outputs = [""] * i + [OUTPUTS[op][i]]
        check(tmp_path, op, dict(hidden_size=6), inputs, WEIGHTS, outputs)


@pytest.mark.parametrize("op", GATES)
def test_a_sequence_of_no_steps_has_no_state(tmp_path, op):
    inputs = layer(op, np.random.default_rng(18), "reverse", 4, 3, 5, 6, states=True)
    inputs["lengths"] = np.array([0, 4, 2], np.int32)
    check(tmp_path, op, dict(hidden_size=6, direction="reverse"), inputs, WEIGHTS, OUTPUTS[op])


def test_weights_that_are_computed(tmp_path):
    inputs = layer("LSTM", np.random.default_rng(6), "forward", 4, 2, 5, 6)
    check(tmp_path, "LSTM", dict(hidden_size=6), inputs, (), OUTPUTS["LSTM"])


def test_shapes_that_do_not_fit_are_named(tmp_path):
    inputs = layer("LSTM", np.random.default_rng(7), "forward", 4, 2, 5, 6)
    inputs["b"] = inputs["b"][:, 1:]
    node = helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], name="memory", hidden_size=6)
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 2, 5])]
    weights = [numpy_helper.from_array(inputs[n], n) for n in ("w", "r", "b")]
    graph = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info("y")], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(openrknn.Error, match=r"(?s)memory.*B \(input 3\) has shape \[1, ?47\]"):
        openrknn.import_model(tmp_path / "model.onnx")


def recognizer(rng):
    """Two bidirectional LSTMs between linear layers, as text recognizers have them."""
    steps, size, hidden = 12, 16, 24

    def weights(name, *shape):
        return numpy_helper.from_array((rng.standard_normal(shape) * 0.3).astype(np.float32), name)

    nodes = [helper.make_node("MatMul", ["x", "w0"], ["a"]), helper.make_node("Relu", ["a"], ["features0"])]
    constants = [
        weights("w0", size, size),
        numpy_helper.from_array(np.array([steps, 1, 2 * hidden], np.int64), "shape"),
    ]
    for i, inputs in enumerate((size, 2 * hidden)):
        names = [f"w_{i}", f"r_{i}", f"b_{i}"]
        shapes = [(2, 4 * hidden, inputs), (2, 4 * hidden, hidden), (2, 8 * hidden)]
        constants += [weights(n, *s) for n, s in zip(names, shapes, strict=True)]
        attributes = dict(hidden_size=hidden, direction="bidirectional")
        nodes += [
            helper.make_node("LSTM", [f"features{i}", *names], [f"y{i}", f"h{i}", f"c{i}"], f"lstm{i}", **attributes),
            helper.make_node("Transpose", [f"y{i}"], [f"t{i}"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", [f"t{i}", "shape"], [f"features{i + 1}"]),
        ]
    nodes.append(helper.make_node("MatMul", ["features2", "w1"], ["y"]))
    constants.append(weights("w1", 2 * hidden, 10))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [steps, 1, s]) for n, s in (("x", size), ("y", 10))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), (steps, 1, size)


def test_recurrent_layers_run_in_float16_and_int8_builds(tmp_path):
    rng = np.random.default_rng(16)
    model, shape = recognizer(rng)
    onnx.save(model, tmp_path / "model.onnx")
    samples = [{"x": rng.standard_normal(shape).astype(np.float32)} for _ in range(20)]
    wanted = run_onnxruntime(model, samples[0])[0]
    graph = openrknn.import_model(tmp_path / "model.onnx")
    np.testing.assert_allclose(graph.run(samples[0])[0], wanted, atol=1e-5)
    for quantize, tolerance in ((None, 2e-3), ("w8a8", 4e-2)):
        compiled = openrknn.compile(graph, target="rk3588", quantize=quantize, dataset=samples if quantize else None)
        got = compiled.run(samples[0])[0]
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())
        compiled.save(tmp_path / "model.rknn")
        np.testing.assert_array_equal(openrknn.load(tmp_path / "model.rknn").run(samples[0])[0], got)


def test_a_state_is_carried_from_call_to_call(tmp_path):
    """A voice detector in small: frames, spectrum, LSTM whose state goes out and comes back."""
    rng = np.random.default_rng(17)
    hidden = 8

    def weights(name, *shape):
        return numpy_helper.from_array((rng.standard_normal(shape) * 0.2).astype(np.float32), name)

    nodes = [
        helper.make_node("STFT", ["audio", "step", "window"], ["spectrum"]),
        helper.make_node("ReduceSumSquare", ["spectrum"], ["power"], axes=[3], keepdims=0),
        helper.make_node("Transpose", ["power"], ["frames"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["frames", "w", "r", "b", "", "h", "c"], ["", "h_out", "c_out"], hidden_size=hidden),
        helper.make_node("ReduceMean", ["h_out"], ["y"], keepdims=0),
    ]
    window = numpy_helper.from_array(np.hanning(32).astype(np.float32), "window")
    constants = [window, numpy_helper.from_array(np.array(16, np.int64), "step")]
    constants += [weights("w", 1, 4 * hidden, 17), weights("r", 1, 4 * hidden, hidden), weights("b", 1, 8 * hidden)]

    def port(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    states = [port("h", 1, 1, hidden), port("c", 1, 1, hidden)]
    results = [port("y"), port("h_out", 1, 1, hidden), port("c_out", 1, 1, hidden)]
    graph = helper.make_graph(nodes, "g", [port("audio", 1, 160, 1), *states], results, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    ours = openrknn.import_model(tmp_path / "model.onnx")
    state, wanted_state = ([np.zeros((1, 1, hidden), np.float32)] * 2 for _ in range(2))
    for _ in range(3):
        audio = rng.standard_normal((1, 160, 1)).astype(np.float32)
        y, *state = ours.run(dict(audio=audio, h=state[0], c=state[1]))
        wanted, *wanted_state = run_onnxruntime(model, dict(audio=audio, h=wanted_state[0], c=wanted_state[1]))
        np.testing.assert_allclose(y, wanted, atol=1e-5)
        np.testing.assert_allclose(state[1], wanted_state[1], atol=1e-5)
