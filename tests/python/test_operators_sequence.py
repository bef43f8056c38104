"""Recurrent layers, running sums, attention and signal operators through the importer, against onnxruntime and onnx's
reference evaluator. Every trial is seeded by its number, which is part of the test's name."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
openrknn = pytest.importorskip("openrknn")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402


def make_model(op, attributes, inputs, constants, outputs, opset=22, domain=""):
    """`inputs`: name -> array or None (left out), in the order of the node; those named in `constants` are weights."""
    given = {n: a for n, a in inputs.items() if a is not None}
    names = [n if a is not None else "" for n, a in inputs.items()]
    while names[-1] == "":
        names.pop()
    node = helper.make_node(op, names, outputs, domain=domain, **attributes)
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in given.items()
        if n not in constants
    ]
    weights = [numpy_helper.from_array(a, n) for n, a in given.items() if n in constants]
    results = [helper.make_empty_tensor_value_info(n) for n in outputs if n]
    graph = helper.make_graph([node], "case", infos, results, weights)
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return onnx.shape_inference.infer_shapes(model), {n: a for n, a in given.items() if n not in constants}


def run_ours(folder, model, feeds):
    path = folder / "model.onnx"
    onnx.save(model, path)
    return openrknn.import_model(path).run(feeds)


def run_onnxruntime(model, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, feeds)


def check(
    folder, op, attributes, inputs, constants=(), outputs=("y",), oracle=run_onnxruntime, tolerance=2e-5, **model
):
    model, feeds = make_model(op, attributes, inputs, constants, list(outputs), **model)
    ours = run_ours(folder, model, feeds)
    wanted = oracle(model, feeds)
    assert len(ours) == len(wanted)
    for got, want in zip(ours, wanted, strict=True):
        assert got.shape == want.shape and got.dtype == want.dtype
        scale = max(1.0, float(np.abs(want).max(initial=0)))
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale, err_msg=f"{op} {attributes}")
    return ours


def run_reference(model, feeds):
    return ReferenceEvaluator(model).run(None, feeds)


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


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64])
def test_running_sums_and_products(tmp_path, dtype, exclusive, reverse):
    rng = np.random.default_rng(8)
    for shape, axis in [((5,), 0), ((3, 4, 300), 1), ((2, 7), -1), ((4, 3), 0)]:
        x = (rng.standard_normal(shape) * 3).astype(dtype)
        attributes = dict(exclusive=exclusive, reverse=reverse)
        inputs = dict(x=x, axis=np.array(axis, np.int64))
        check(tmp_path, "CumSum", attributes, inputs, ("axis",))
        check(tmp_path, "CumProd", attributes, inputs, ("axis",), oracle=run_reference, opset=26)


@pytest.mark.parametrize("batch_axis", [0, 1])
def test_sequences_are_reversed(tmp_path, batch_axis):
    rng = np.random.default_rng(9)
    x = rng.standard_normal((5, 4, 3, 2)).astype(np.float32)
    lengths = rng.integers(1, x.shape[1 - batch_axis] + 1, x.shape[batch_axis])
    attributes = dict(batch_axis=batch_axis, time_axis=1 - batch_axis)
    check(tmp_path, "ReverseSequence", attributes, dict(x=x, lengths=lengths), tolerance=0)


EQUATIONS = {
    "ij->ji": [(3, 4)],
    "ij->i": [(3, 4)],
    "ii->i": [(4, 4)],
    "iij->ij": [(3, 3, 2)],
    "ii": [(4, 4)],
    "...ii->...i": [(2, 3, 3)],
    "...ij,...jk->...ik": [(2, 1, 3, 4), (5, 4, 2)],
    "bij,bjk->bik": [(2, 3, 4), (2, 4, 5)],
    "i,j->ij": [(3,), (4,)],
    "ij,ij->": [(3, 4), (3, 4)],
    "ij,jk,kl->il": [(2, 3), (3, 4), (4, 5)],
    "abc,cd,be->ade": [(2, 3, 4), (4, 5), (3, 2)],
    "i,i,i->i": [(4,), (4,), (4,)],
    "bhid,bhjd->bhij": [(2, 3, 4, 5), (2, 3, 6, 5)],
    "a...,a...->...": [(3, 2, 4), (3, 2, 4)],
    "ik, jk": [(2, 3), (4, 3)],
    "bn,anm,bm->ba": [(2, 3), (5, 3, 4), (2, 4)],
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(tmp_path, equation):
    rng = np.random.default_rng(10)
    inputs = {f"x{i}": rng.standard_normal(s).astype(np.float32) for i, s in enumerate(EQUATIONS[equation])}

    def numpy(_, feeds):
        return [np.asarray(np.einsum(equation, *feeds.values()))]

    check(tmp_path, "Einsum", dict(equation=equation), inputs, oracle=numpy, opset=18)


def test_einsum_of_integers(tmp_path):
    inputs = dict(a=np.arange(6, dtype=np.int64).reshape(2, 3), b=np.arange(12, dtype=np.int64).reshape(3, 4))
    check(tmp_path, "Einsum", dict(equation="ij,jk->ik"), inputs, oracle=lambda _, f: [f["a"] @ f["b"]])


@pytest.mark.parametrize("equation,problem", [("ij->ik", "'k'"), ("ijk->i", "rank 2"), ("i!->i", "letter")])
def test_einsum_refuses_what_has_no_meaning(tmp_path, equation, problem):
    node = helper.make_node("Einsum", ["x"], ["y"], equation=equation)
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])]
    graph = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info("y")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "m.onnx")
    with pytest.raises(openrknn.Error, match=problem):
        openrknn.import_model(tmp_path / "m.onnx")


def test_layer_normalization_gives_mean_and_deviation(tmp_path):
    rng = np.random.default_rng(11)
    inputs = dict(x=rng.standard_normal((2, 3, 40)).astype(np.float32), scale=np.ones(40, np.float32))
    check(tmp_path, "LayerNormalization", dict(axis=-1), inputs, ("scale",), ("y", "mean", "deviation"), opset=17)


@pytest.mark.parametrize("length", [1, 2, 3, 8, 15, 100, 257])
@pytest.mark.parametrize("complex_input", [False, True])
@pytest.mark.parametrize("inverse", [0, 1])
def test_fourier_transforms_equal_numpy(tmp_path, length, complex_input, inverse):
    rng = np.random.default_rng(length)
    x = rng.standard_normal((2, length, 3, 2 if complex_input else 1)).astype(np.float32)
    for wanted in (length, max(1, length - 2), length + 3):

        def numpy(_, feeds, wanted=wanted):
            signal = feeds["x"][..., 0] + (1j * feeds["x"][..., 1] if complex_input else 0)
            y = (np.fft.ifft if inverse else np.fft.fft)(signal, n=wanted, axis=1)
            return [np.stack([y.real, y.imag], -1).astype(np.float32)]

        inputs = dict(x=x, length=np.array(wanted, np.int64), axis=np.array(1, np.int64))
        check(
            tmp_path, "DFT", dict(inverse=inverse), inputs, ("length", "axis"), oracle=numpy, opset=20, tolerance=2e-6
        )


@pytest.mark.parametrize("given,length", [(3000, 4096), (6000, 6000), (2310, 2310)])
@pytest.mark.parametrize("inverse", [0, 1])
def test_long_transforms_are_done_in_two_steps(tmp_path, given, length, inverse):
    rng = np.random.default_rng(length)
    x = rng.standard_normal((2, given, 2)).astype(np.float32)

    def numpy(_, feeds):
        y = (np.fft.ifft if inverse else np.fft.fft)(feeds["x"][..., 0] + 1j * feeds["x"][..., 1], n=length, axis=1)
        return [np.stack([y.real, y.imag], -1).astype(np.float32)]

    inputs = dict(x=x, length=np.array(length, np.int64))
    check(tmp_path, "DFT", dict(inverse=inverse), inputs, ("length",), oracle=numpy, opset=20, tolerance=2e-6)
    graph = openrknn.import_model(tmp_path / "model.onnx")
    assert str(graph).count("= MatMul(") == 2

    def one_sided(_, feeds):
        y = np.fft.rfft(feeds["x"][..., 0], n=length, axis=1)
        return [np.stack([y.real, y.imag], -1).astype(np.float32)]

    inputs["x"] = np.ascontiguousarray(x[..., :1])
    check(tmp_path, "DFT", dict(onesided=1), inputs, ("length",), oracle=one_sided, opset=20, tolerance=2e-6)


def test_a_transform_of_a_large_prime_length_is_refused(tmp_path):
    inputs = dict(x=np.zeros((1, 16411, 1), np.float32))
    model, _ = make_model("DFT", {}, inputs, (), ["y"], opset=20)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(openrknn.Error, match="length 16411 is too long"):
        openrknn.import_model(tmp_path / "model.onnx")


@pytest.mark.parametrize("length", [2, 5, 16, 401])
def test_one_sided_transforms_equal_numpy(tmp_path, length):
    rng = np.random.default_rng(length)
    x = rng.standard_normal((2, length, 1)).astype(np.float32)

    def forward(_, feeds):
        y = np.fft.rfft(feeds["x"][..., 0], axis=1)
        return [np.stack([y.real, y.imag], -1).astype(np.float32)]

    check(tmp_path, "DFT", dict(axis=1, onesided=1), dict(x=x), oracle=forward, opset=17, tolerance=2e-6)
    half = rng.standard_normal((2, length // 2 + 1, 2)).astype(np.float32)

    def backward(_, feeds):
        y = np.fft.irfft(feeds["x"][..., 0] + 1j * feeds["x"][..., 1], n=length, axis=1)
        return [y[..., None].astype(np.float32)]

    inputs = dict(x=half, length=np.array(length, np.int64))
    attributes = dict(inverse=1, onesided=1)
    check(tmp_path, "DFT", attributes, inputs, ("length",), oracle=backward, opset=20, tolerance=2e-6)


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("onesided", [0, 1])
def test_short_time_transforms_equal_onnxruntime(tmp_path, onesided, frozen):
    rng = np.random.default_rng(12)
    inputs = dict(
        x=rng.standard_normal((2, 400, 1)).astype(np.float32),
        step=np.array(25, np.int64),
        window=np.hanning(64).astype(np.float32),
        length=np.array(64, np.int64),
    )
    constants = ("step", "length") + (("window",) if frozen else ())
    check(tmp_path, "STFT", dict(onesided=onesided), inputs, constants, opset=17, tolerance=1e-5)


@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
def test_windows(tmp_path, op, periodic):
    for size in (2, 7, 400):
        inputs = dict(size=np.array(size, np.int64))
        check(tmp_path, op, dict(periodic=periodic), inputs, ("size",), oracle=run_reference, tolerance=3e-7)


def test_mel_weights(tmp_path):
    inputs = dict(
        bands=np.array(40, np.int64),
        length=np.array(512, np.int64),
        rate=np.array(16000, np.int64),
        low=np.array(20, np.float32),
        high=np.array(7600, np.float32),
    )
    check(tmp_path, "MelWeightMatrix", {}, inputs, tuple(inputs), oracle=run_reference, tolerance=1e-7)


ATTENTION = {
    "causal with a past": (dict(is_causal=1), dict(past=3)),
    "window on both sides": (dict(left_window_size=1, right_window_size=1), dict()),
    "window behind a past": (dict(left_window_size=2, is_causal=1), dict(past=2)),
    "padding": (dict(), dict(lengths=True)),
    "causal with padding": (dict(is_causal=1), dict(lengths=True)),
    "causal window with padding": (dict(is_causal=1, left_window_size=1), dict(lengths=True)),
    "short bool mask": (dict(), dict(mask=np.bool_, short=2)),
    "float mask with empty rows": (dict(softcap=2.0), dict(mask=np.float32, empty=True)),
    "causal with a float mask": (dict(is_causal=1), dict(mask=np.float32, past=1)),
    "scores": (dict(qk_matmul_output_mode=0), dict(scores=True)),
    "capped scores": (dict(qk_matmul_output_mode=1, softcap=1.5), dict(scores=True)),
    "masked scores": (dict(qk_matmul_output_mode=2, is_causal=1), dict(scores=True)),
    "weights": (dict(qk_matmul_output_mode=3, is_causal=1), dict(scores=True, mask=np.bool_)),
}


@pytest.mark.parametrize("what", ATTENTION)
def test_attention_equals_the_standard(tmp_path, what):
    attributes, form = ATTENTION[what]
    rng = np.random.default_rng(13)

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    past, queries, keys = form.get("past", 0), 4, 5
    inputs = dict(q=normal(2, 4, queries, 8), k=normal(2, 2, keys, 8), v=normal(2, 2, keys, 6))
    shape = (2, 4, queries, past + keys - form.get("short", 0))
    inputs["mask"] = None
    if "mask" in form:
        mask = rng.random(shape) < 0.5
        if form["mask"] is np.float32:
            mask = np.where(mask, normal(*shape), np.float32(-np.inf))
        if form.get("empty"):
            mask[0, 1, 2] = -np.inf
        inputs["mask"] = mask
    inputs["past_k"] = normal(2, 2, past, 8) if past else None
    inputs["past_v"] = normal(2, 2, past, 6) if past else None
    inputs["lengths"] = np.array([2, 5], np.int64) if form.get("lengths") else None
    outputs = ["y"] + (["present_k", "present_v"] if past else ["", ""] if form.get("scores") else [])
    if form.get("scores"):
        outputs.append("scores")
    model, feeds = make_model("Attention", attributes, inputs, (), outputs, opset=25)
    ours, wanted = run_ours(tmp_path, model, feeds), run_reference(model, feeds)
    for got, want in zip(ours, [w for w in wanted if w is not None], strict=True):
        np.testing.assert_allclose(got, want, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_linear_attention_equals_the_standard(tmp_path, rule):
    rng = np.random.default_rng(14)

    def normal(*shape):
        return (rng.standard_normal(shape) * 0.5).astype(np.float32)

    inputs = dict(q=normal(2, 5, 4 * 3), k=normal(2, 5, 2 * 3), v=normal(2, 5, 2 * 7), past=normal(2, 2, 3, 7))
    inputs["decay"] = -np.abs(normal(2, 5, 6)) if "gated" in rule else None
    inputs["beta"] = np.abs(normal(2, 5, 2)) if "delta" in rule else None
    attributes = dict(q_num_heads=4, kv_num_heads=2, update_rule=rule)
    check(tmp_path, "LinearAttention", attributes, inputs, (), ("y", "state"), run_reference, opset=27)


@pytest.mark.parametrize("circular", [False, True])
def test_caches_are_updated_where_the_indices_say(tmp_path, circular):
    rng = np.random.default_rng(15)
    inputs = dict(
        cache=rng.standard_normal((2, 3, 6, 4)).astype(np.float32),
        update=rng.standard_normal((2, 3, 2, 4)).astype(np.float32),
        indices=np.array([1, 5 if circular else 4], np.int64),
    )
    attributes = dict(mode="circular" if circular else "linear")
    check(tmp_path, "TensorScatter", attributes, inputs, oracle=run_reference, opset=24, tolerance=0)


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
