"""Running sums, attention and signal operators through the importer, against onnxruntime and onnx's reference evaluator.
Every trial is seeded by its number, which is part of the test's name."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
openrknn = pytest.importorskip("openrknn")
from onnx import TensorProto, helper  # noqa: E402
from sequence_case import check, make_model, run_ours, run_reference  # noqa: E402


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
