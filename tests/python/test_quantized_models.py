"""Models that come quantized (QDQ and QOperator) keep their own parameters."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
onnxruntime = pytest.importorskip("onnxruntime")
import small_models  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from small_models import constant, value  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

X_SCALE, C_SCALE, Y_SCALE = 0.02, 0.05, 0.1
U8, I8 = np.uint8, np.int8


def oracle(path, feeds):
    """Every operator as the standard says: no graph optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, feeds)


class Maker:
    """Nodes and constants of a small model, in order."""

    def __init__(self, seed=0):
        self.nodes, self.constants, self.random = [], [], np.random.default_rng(seed)

    def node(self, op, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def const(self, name, array):
        self.constants.append(constant(name, array))
        return name

    def parameters(self, name, scale, zero_point):
        return [self.const(f"{name}_scale", np.float32(scale)), self.const(f"{name}_zero", zero_point)]

    def pair(self, x, scale, zero_point):
        parameters = self.parameters(x, scale, zero_point)
        self.node("QuantizeLinear", [x, *parameters], f"{x}_q")
        return self.node("DequantizeLinear", [f"{x}_q", *parameters], f"{x}_dq")

    def weights(self, name, shape, dtype=I8, channels=None):
        """DequantizeLinear of random codes; `channels`: the axis the scales run along."""
        limits = np.iinfo(dtype)
        codes = self.random.integers(limits.min + 1, limits.max, shape, dtype, endpoint=True)
        count = () if channels is None else shape[channels]
        scales = self.random.uniform(0.002, 0.01, count).astype(np.float32)
        zeros = np.full(count, 0 if dtype is I8 else 128, dtype)
        inputs = [
            self.const(f"{name}_codes", codes),
            self.const(f"{name}_scale", scales),
            self.const(f"{name}_zero", zeros),
        ]
        extra = {} if channels is None else {"axis": channels}
        return self.node("DequantizeLinear", inputs, name, **extra), scales

    def save(self, path, inputs, outputs, contrib=False):
        made = small_models.model(self.nodes, inputs, outputs, self.constants, check=not contrib)
        if contrib:
            made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        return small_models.save(made, path)


def qdq_net(path, dtype=U8, per_channel=True):
    """Image -> conv with int32 bias, Relu -> conv -> flatten -> Gemm, each between pairs."""
    net, zero = Maker(), dtype(128 if dtype is U8 else 0)
    x = net.pair("image", X_SCALE, zero)
    w, w_scale = net.weights("w", (8, 3, 3, 3), I8, 0 if per_channel else None)
    bias = net.const("bias_codes", net.random.integers(-500, 500, 8, np.int32))
    scales = [
        net.const("bias_scale", np.float32(X_SCALE) * w_scale),
        net.const("bias_zero", np.zeros(w_scale.shape, np.int32)),
    ]
    b = net.node("DequantizeLinear", [bias, *scales], "b", **({"axis": 0} if per_channel else {}))
    net.node("Conv", [x, w, b], "c", pads=[1, 1, 1, 1])
    net.node("Relu", ["c"], "r")
    r = net.pair("r", C_SCALE, dtype(0 if dtype is U8 else -128))
    v, _ = net.weights("v", (4, 8, 1, 1), I8, 0 if per_channel else None)
    net.node("Conv", [r, v], "d", strides=[4, 4])
    d = net.pair("d", Y_SCALE, zero)
    net.node("Flatten", [d], "f")
    f = net.pair("f", Y_SCALE, zero)
    g, _ = net.weights("g", (5, 16), I8, 0 if per_channel else None)
    net.node("Gemm", [f, g], "s", transB=1)
    s = net.pair("s", 0.5, zero)
    return net.save(path, [value("image", [1, 3, 8, 8])], [value(s, [1, 5])])


def images(count=4):
    random = np.random.default_rng(5)
    return [{"image": random.uniform(-2.5, 2.5, (1, 3, 8, 8)).astype(np.float32)} for _ in range(count)]


def steps(wanted, got, scale):
    return np.abs(np.rint((np.asarray(wanted, np.float64) - np.asarray(got, np.float64)) / scale))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("dtype", [U8, I8])
def test_a_qdq_model_computes_on_its_own_codes(tmp_path, dtype, per_channel):
    path = qdq_net(tmp_path / "net.onnx", dtype, per_channel)
    model = openrknn.compile(path, quantize=None)
    assert model.report["float_nodes"] == 0
    assert model.report["warnings"] == []
    for feeds in images():
        wanted = oracle(path, feeds)[0]
        assert steps(wanted, model.run(feeds, ideal=True)[0], 0.5).max() <= 1
        assert steps(wanted, model.run(feeds)[0], 0.5).max() <= 2
        np.testing.assert_allclose(openrknn.import_model(path).run(feeds)[0], wanted, atol=1e-5)


def test_the_toolkit_builds_runs_and_analyses_it_without_quantization(tmp_path):
    path = qdq_net(tmp_path / "net.onnx")
    np.save(tmp_path / "image.npy", images()[0]["image"])
    rknn = RKNN(verbose=False)
    assert rknn.config(target_platform="rk3588") == 0
    assert rknn.load_onnx(model=str(path)) == 0
    assert rknn.build(do_quantization=False) == 0
    assert rknn.export_rknn(str(tmp_path / "net.rknn")) == 0
    assert rknn.init_runtime() == 0
    feeds = images()[1]
    got = rknn.inference([feeds["image"]], data_format="nchw")[0]
    assert steps(oracle(path, feeds)[0], got, 0.5).max() <= 2
    snapshot = tmp_path / "snapshot"
    assert rknn.accuracy_analysis(inputs=[str(tmp_path / "image.npy")], output_dir=str(snapshot)) == 0
    assert "Conv" in (snapshot / "error_analysis.txt").read_text()
    rknn.release()


def test_do_quantization_true_keeps_the_parameters_and_says_so(tmp_path):
    path = qdq_net(tmp_path / "net.onnx")
    alone = openrknn.compile(path, quantize=None)
    calibrated = openrknn.compile(path, dataset=images())
    assert "quantized already" in calibrated.report["warnings"][0]
    for feeds in images():
        np.testing.assert_array_equal(alone.run(feeds)[0], calibrated.run(feeds)[0])


def computed(model):
    return {row["node"]: (row["dtype"], row["rule"]) for row in model.report["precision"]}


def test_rules_of_the_user_win_over_the_models_parameters(tmp_path):
    path = qdq_net(tmp_path / "net.onnx")
    own = "int8: with the model's own parameters"
    half = openrknn.compile(path, quantize=None, precision={"d": "float16"})
    assert computed(half)["d"] == ("float16", "float16: asked for by 'd=float16'")
    assert computed(half)["c"] == computed(half)["s"] == ("int8", own)
    wide = openrknn.compile(path, quantize=None, precision={"d": "int16"}, dataset=images())
    assert computed(wide)["d"][0] == "int16"
    assert computed(wide)["c"] == ("int8", own)
    for feeds in images():
        wanted = oracle(path, feeds)[0]
        for model in (half, wide):
            assert steps(wanted, model.run(feeds)[0], 0.5).max() <= 2
    with pytest.raises(openrknn.Error, match="needs sample data"):
        openrknn.compile(path, quantize=None, precision={"d": "int16"})


def test_search_and_auto_hybrid_lift_layers_of_a_quantized_model(tmp_path):
    path = qdq_net(tmp_path / "net.onnx")
    own = openrknn.search(path, dataset=images(), target_sqnr=-100)
    assert own.chosen["layers"] == []
    for feeds in images():
        np.testing.assert_array_equal(own.model.run(feeds)[0], openrknn.compile(path, quantize=None).run(feeds)[0])
    better = openrknn.search(path, dataset=images(), target_sqnr=own.chosen["metric"] + 6)
    assert better.chosen["layers"]
    assert better.chosen["metric"] >= own.chosen["metric"] + 6
    lifted = openrknn.compile(path, dataset=images(), auto_hybrid=True, auto_hybrid_cos_thresh=1.0)
    assert {dtype for dtype, _ in computed(lifted).values()} == {"float16"}


def test_hybrid_steps_refuse_a_quantized_model_by_name(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    path = qdq_net(tmp_path / "net.onnx")
    np.save("image.npy", images()[0]["image"])
    Path("dataset.txt").write_text("image.npy\n")
    rknn = RKNN(verbose=False)
    assert rknn.config(target_platform="rk3588") == 0
    assert rknn.load_onnx(model=str(path)) == 0
    assert rknn.hybrid_quantization_step1(dataset="dataset.txt") == -1
    assert "no place for its own parameters" in capfd.readouterr().err
    assert not Path("net.model").exists()
    rknn.release()


def test_what_export_onnx_writes_comes_back_with_its_codes(tmp_path):
    model = openrknn.compile(qdq_net(tmp_path / "net.onnx"), quantize=None)
    model.export_onnx(tmp_path / "again.onnx")
    again = openrknn.compile(tmp_path / "again.onnx", quantize=None)
    assert again.report["float_nodes"] == 0
    for feeds in images():
        np.testing.assert_array_equal(model.run(feeds)[0], again.run(feeds)[0])


def test_the_report_says_whose_parameters_they_are(tmp_path):
    model = openrknn.compile(qdq_net(tmp_path / "net.onnx"), quantize=None, keep_golden=True)
    model.analyze(images(), report=tmp_path / "report.html")
    assert "the model's own" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("scheme,target", [("w8a16", "rk3562"), ("w16a16i", "rv1106")])
def test_schemes_of_another_type_are_refused(tmp_path, scheme, target):
    path = qdq_net(tmp_path / "net.onnx")
    with pytest.raises(openrknn.Error, match="quantized"):
        openrknn.compile(path, quantize=scheme, target=target, dataset=images())


def test_int16_activations_compute_in_int16(tmp_path):
    net = Maker()
    x = net.pair("image", 2.5 / 32767, np.int16(0))
    w, _ = net.weights("w", (4, 3, 1, 1), I8, 0)
    net.node("Conv", [x, w], "c")
    y = net.pair("c", 2e-4, np.int16(0))
    made = helper.make_graph(net.nodes, "net", [value("image", [1, 3, 8, 8])], [value(y, [1, 4, 8, 8])], net.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    path = small_models.save(model, tmp_path / "wide.onnx")
    with pytest.raises(openrknn.Error, match="int16, which RK3588 does not compute"):
        openrknn.compile(path, quantize=None)
    built = openrknn.compile(path, quantize=None, target="rv1106")
    for feeds in images():
        assert steps(oracle(path, feeds)[0], built.run(feeds, ideal=True)[0], 2e-4).max() <= 1


def test_int8_layers_behind_int16_ones_compute_in_int8(tmp_path):
    net = Maker()
    x = net.pair("image", 2.5 / 32767, np.int16(0))
    w, _ = net.weights("w", (4, 3, 1, 1), I8, 0)
    net.node("Conv", [x, w], "c")
    wide = net.pair("c", 2e-4, np.int16(0))
    narrow = net.pair(wide, 0.05, I8(3))
    v, _ = net.weights("v", (2, 4, 1, 1), I8, 0)
    net.node("Conv", [narrow, v], "e")
    y = net.pair("e", C_SCALE, I8(-5))
    made = helper.make_graph(net.nodes, "net", [value("image", [1, 3, 8, 8])], [value(y, [1, 2, 8, 8])], net.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    path = small_models.save(model, tmp_path / "mixed.onnx")
    built = openrknn.compile(path, quantize=None, target="rv1106")
    assert [row["dtype"] for row in built.report["precision"]] == ["int16", "int8", "int8"]
    for feeds in images():
        assert steps(oracle(path, feeds)[0], built.run(feeds, ideal=True)[0], C_SCALE).max() <= 1
    with pytest.raises(openrknn.Error, match="int16 here, quantized_dtype w8a8 means int8"):
        openrknn.compile(path, target="rv1106", dataset=images())


def test_a_float_island_stays_float(tmp_path):
    net = Maker()
    x = net.pair("image", X_SCALE, U8(128))
    w, _ = net.weights("w", (4, 3, 1, 1), I8, 0)
    net.node("Conv", [x, w], "c")
    c = net.pair("c", C_SCALE, U8(128))
    net.node("Conv", [c, net.const("v", net.random.standard_normal((4, 4, 1, 1)).astype(np.float32))], "e")
    e = net.pair("e", Y_SCALE, U8(128))
    u, _ = net.weights("u", (2, 4, 1, 1), I8, 0)
    net.node("Conv", [e, u], "y")
    y = net.pair("y", 0.1, U8(128))
    path = net.save(tmp_path / "island.onnx", [value("image", [1, 3, 8, 8])], [value(y, [1, 2, 8, 8])])
    model = openrknn.compile(path, quantize=None)
    assert "f16[1,4,8,8] = Conv" in str(model)
    for feeds in images():
        assert steps(oracle(path, feeds)[0], model.run(feeds)[0], 0.1).max() <= 2


def test_ports_that_are_codes_stay_codes(tmp_path):
    net = Maker()
    net.node("DequantizeLinear", ["codes", *net.parameters("x", X_SCALE, U8(100))], "x")
    w, _ = net.weights("w", (4, 3, 3, 3), I8, 0)
    net.node("Conv", ["x", w], "c")
    net.node("QuantizeLinear", ["c", *net.parameters("y", 0.05, U8(120))], "y")
    inputs, outputs = [value("codes", [1, 3, 8, 8], TensorProto.UINT8)], [value("y", [1, 4, 6, 6], TensorProto.UINT8)]
    path = net.save(tmp_path / "codes.onnx", inputs, outputs)
    model = openrknn.compile(path, quantize=None)
    codes = np.random.default_rng(2).integers(0, 255, (1, 3, 8, 8), U8)
    wanted, got = oracle(path, {"codes": codes})[0], model.run({"codes": codes})[0]
    assert [port[2] for port in (*model.inputs, *model.outputs)] == ["uint8", "uint8"]
    assert steps(wanted, got, 1).max() <= 1


def contrib_cases():
    def add(net, a, b, y):
        return net.node("QLinearAdd", [*a, *b, *y], "y_q", domain="com.microsoft")

    def mul(net, a, b, y):
        return net.node("QLinearMul", [*a, *b, *y], "y_q", domain="com.microsoft")

    def sigmoid(net, a, b, y):
        return net.node("QLinearSigmoid", [*a, *y], "y_q", domain="com.microsoft")

    def leaky(net, a, b, y):
        return net.node("QLinearLeakyRelu", [*a, *y], "y_q", domain="com.microsoft", alpha=0.1)

    def pool(net, a, b, y):
        extra = {"kernel_shape": [2, 2], "strides": [2, 2]}
        return net.node("QLinearAveragePool", [*a, *y], "y_q", domain="com.microsoft", **extra)

    def global_pool(net, a, b, y):
        return net.node("QLinearGlobalAveragePool", [*a, *y], "y_q", domain="com.microsoft")

    def concat(net, a, b, y):
        return net.node("QLinearConcat", [*y, *a, *b], "y_q", domain="com.microsoft", axis=1)

    def softmax(net, a, b, y):
        return net.node("QLinearSoftmax", [*a, *y], "y_q", domain="com.microsoft", axis=-1, opset=13)

    return [add, mul, sigmoid, leaky, pool, global_pool, concat, softmax]


@pytest.mark.parametrize("case", contrib_cases(), ids=lambda case: case.__name__)
def test_operators_of_the_qoperator_format(tmp_path, case):
    net, scale = Maker(), 1 / 256 if case.__name__ in ("sigmoid", "softmax") else 0.03
    operands = []
    for name in ("a", "b"):
        parameters = net.parameters(name, {"a": 0.02, "b": 0.013}[name], U8(128))
        operands.append([net.node("QuantizeLinear", [name, *parameters], f"{name}_q"), *parameters])
    y = net.parameters("y", scale, U8(0 if scale < 0.01 else 120))
    case(net, *operands, y)
    net.node("DequantizeLinear", ["y_q", *y], "y")
    shape = [1, 3, 4, 4]
    path = net.save(tmp_path / "op.onnx", [value("a", shape), value("b", shape)], [value("y", None)], contrib=True)
    random = np.random.default_rng(7)
    feeds = {name: random.uniform(-2, 2, shape).astype(np.float32) for name in ("a", "b")}
    wanted = oracle(path, feeds)[0]
    assert steps(wanted, openrknn.import_model(path).run(feeds)[0], scale).max() <= 1
    model = openrknn.compile(path, quantize=None)
    assert model.report["quantized_nodes"] >= 1
    assert steps(wanted, model.run(feeds)[0], scale).max() <= 1


def test_integer_layers_of_the_qoperator_format(tmp_path):
    """QLinearConv, MaxPool on codes, QGemm and QLinearMatMul."""
    net = Maker()
    x, c, g, y = (
        net.parameters(name, scale, U8(128)) for name, scale in (("x", X_SCALE), ("c", C_SCALE), ("g", 0.2), ("y", 0.6))
    )

    def codes(name, shape, count):
        # Seven bits: without VNNI onnxruntime adds two products of eight bits in sixteen, saturated.
        low = net.random.integers(-63, 64, shape, I8)
        scales = net.random.uniform(0.004, 0.02, count).astype(np.float32)
        return [net.const(name, low), net.const(f"{name}_s", scales), net.const(f"{name}_z", np.zeros(count, I8))]

    net.node("QuantizeLinear", ["image", *x], "x_q")
    bias = net.const("bias", net.random.integers(-500, 500, 4, np.int32))
    net.node("QLinearConv", ["x_q", *x, *codes("w", (4, 3, 3, 3), 4), *c, bias], "c_q", pads=[1, 1, 1, 1])
    net.node("MaxPool", ["c_q"], "p_q", kernel_shape=[2, 2], strides=[2, 2])
    net.node("Reshape", ["p_q", net.const("flat", np.array([1, 64]))], "f_q")
    rest = net.const("rest", net.random.integers(-500, 500, 8, np.int32))
    net.node("QGemm", ["f_q", *c, *codes("v", (8, 64), 8), rest, *g], "g_q", domain="com.microsoft", transB=1)
    net.node("QLinearMatMul", ["g_q", *g, *codes("u", (8, 5), ()), *y], "y_q")
    net.node("DequantizeLinear", ["y_q", *y], "y")
    path = net.save(tmp_path / "net.onnx", [value("image", [1, 3, 8, 8])], [value("y", [1, 5])], contrib=True)
    model = openrknn.compile(path, quantize=None)
    assert model.report["float_nodes"] == 0, str(model)
    for feeds in images():
        wanted = oracle(path, feeds)[0]
        assert steps(wanted, openrknn.import_model(path).run(feeds)[0], 0.6).max() <= 1
        assert steps(wanted, model.run(feeds)[0], 0.6).max() <= 1


def test_bad_scales_are_named_all_together(tmp_path):
    net = Maker()
    net.pair("image", 0.0, U8(0))
    w, _ = net.weights("w", (4, 3, 1, 1), I8, 0)
    net.constants[-2].CopyFrom(constant("w_scale", np.array([0.1, -1, 0.1, 0.1], np.float32)))
    net.node("Conv", ["image_dq", w], "y")
    path = net.save(tmp_path / "bad.onnx", [value("image", [1, 3, 8, 8])], [value("y", [1, 4, 8, 8])])
    with pytest.raises(openrknn.Error) as told:
        openrknn.compile(path, quantize=None)
    text = str(told.value)
    assert "image_q" in text
    assert "image_scale" in text
    assert "scale is 0" in text
    assert "scale [1] is -1" in text
    assert "w_scale" in text


def damaged(kind):
    """QuantizeLinear and DequantizeLinear on `image`, one thing wrong."""
    net = Maker()
    scale, zero = net.parameters("p", X_SCALE, U8(128))
    if kind == "no scale":
        net.node("QuantizeLinear", ["image"], "q")
    elif kind == "missing tensor":
        net.node("QuantizeLinear", ["image", "nothing", zero], "q")
    else:
        net.node("QuantizeLinear", ["image", scale, zero], "q")
    wrong = {
        "zero point of another type": (None, I8(0)),
        "fewer scales than channels": (np.ones(2, np.float32), np.zeros(2, U8)),
        "fewer zero points than scales": (np.ones(3, np.float32), np.zeros(2, U8)),
    }.get(kind)
    if wrong:
        scale = scale if wrong[0] is None else net.const("s", wrong[0])
        zero = net.const("z", wrong[1])
    net.node("DequantizeLinear", ["q", scale, zero], "y")
    return net


@pytest.mark.parametrize(
    "kind",
    [
        "no scale",
        "missing tensor",
        "zero point of another type",
        "fewer scales than channels",
        "fewer zero points than scales",
    ],
)
def test_damaged_pairs_are_named(tmp_path, kind):
    shape = [1, 3, 8, 8]
    net = damaged(kind)
    graph = helper.make_graph(net.nodes, "net", [value("image", shape)], [value("y", shape)], net.constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = small_models.save(made, tmp_path / "bad.onnx")
    with pytest.raises(openrknn.Error) as told:
        openrknn.compile(path, quantize=None)
    assert any(name in str(told.value) for name in ("node 'q", "node 'y", "'nothing'")), told.value


class Feeds:
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


@pytest.mark.parametrize("kind", ["QDQ", "QOperator"])
@pytest.mark.parametrize("weights", ["QInt8", "QUInt8"])
def test_what_onnxruntime_quantizes_gives_its_codes(tmp_path, kind, weights):
    quantization = pytest.importorskip("onnxruntime.quantization")
    random = np.random.default_rng(3)
    feeds = [{"image": random.uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)} for _ in range(8)]
    small_models.save(small_models.cnn(), tmp_path / "float.onnx")
    quantization.quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "net.onnx",
        Feeds(feeds),
        quant_format=quantization.QuantFormat[kind],
        per_channel=weights == "QInt8",
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType[weights],
        reduce_range=weights == "QInt8",  # without VNNI its kernels saturate sums of two products
    )
    model = openrknn.compile(tmp_path / "net.onnx", quantize=None)
    for one in feeds:
        for wanted, got in zip(oracle(tmp_path / "net.onnx", one), model.run(one, ideal=True), strict=True):
            step = np.ptp(wanted) / 255
            assert np.mean(np.abs(wanted - got) <= 2 * step) >= 0.99
