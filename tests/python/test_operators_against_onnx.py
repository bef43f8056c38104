"""Every operator of docs/ir.md against onnxruntime (or onnx's reference evaluator), with random attributes.

A case is one operator in both languages: a line of the graph's text form and an ONNX node. The tool under test is
`run_graph_text` of the build's tests folder, named by OPENRKNN_TEST_TOOLS. Float16 graphs are compared with the float32
oracle on the same (rounded) inputs: only one rounding may lie between.
"""

import os
import subprocess
import zlib

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

TOOLS = os.environ.get("OPENRKNN_TEST_TOOLS")
pytestmark = pytest.mark.skipif(not TOOLS, reason="OPENRKNN_TEST_TOOLS names no folder with the run_graph_text tool")

TRIALS = 6
DTYPE_NAMES = {"float32": "f32", "float16": "f16", "float64": "f64", "bool": "bool"}
DTYPE_NAMES.update(
    {f"{sign}int{bits}": f"{'u' if sign else 'i'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
DTYPE_NUMBERS = {"f32": 0, "f16": 1, "f64": 3, "i8": 6, "u8": 7, "i16": 8, "i32": 10, "i64": 12, "bool": 14}
# Largest difference to the oracle: absolute, for outputs of size about 1, and relative. Exact where not named.
FLOAT = dict(rtol=2e-6, atol=2e-6)
SUMS = dict(rtol=1e-5, atol=1e-5)


def attribute_text(value):
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(attribute_text(v) for v in value) + "]"
    return repr(value)


def run_ours(folder, op, attributes, inputs, outputs=1, constants=(), reference=True):
    """`inputs`: arrays or None (left out); those whose index is in `constants` become constants of the graph."""
    lines, names, command = ["ir 1"], [], []
    for i, array in enumerate(inputs):
        if array is None:
            names.append("_")
            continue
        path = folder / f"in{i}.npy"
        np.save(path, array)
        kind = f"{DTYPE_NAMES[array.dtype.name]}[{','.join(map(str, array.shape))}]"
        if i in constants:
            lines.append(f"%x{i} : {kind} = data({command.count('--data')})")
            command += ["--data", path]
        else:
            lines.append(f"input %x{i} : {kind}")
            command += ["--input", path]
        names.append(f"%x{i}")
    text = ", ".join(f"{k}={attribute_text(v)}" for k, v in attributes.items())
    results = ", ".join(f"%y{i}" for i in range(outputs))
    lines.append(f"{results} = {op}({', '.join(names)})" + (f" {{{text}}}" if text else ""))
    lines += [f"output %y{i}" for i in range(outputs)]
    graph = folder / "graph.txt"
    graph.write_text("\n".join(lines) + "\n")
    command = [os.path.join(TOOLS, "run_graph_text"), graph, folder / "out"] + (["--reference"] * reference) + command
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\n{graph.read_text()}"
    return [np.load(folder / f"out{i}.npy") for i in range(outputs)]


def run_oracle(op, attributes, inputs, outputs=1, opset=18):
    """onnxruntime; where it lacks the operator or type, onnx's reference evaluator."""
    inputs = list(inputs)
    while inputs[-1] is None:  # an empty name at the end makes onnxruntime crash
        inputs.pop()
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)]
    node = helper.make_node(op, names, [f"y{i}" for i in range(outputs)], **attributes)
    of = [(n, a) for n, a in zip(names, inputs, strict=False) if a is not None]
    infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in of]
    results = [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], "case", infos, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    feeds = dict(of)
    try:
        model = onnx.shape_inference.infer_shapes(model)
        options = ort.SessionOptions()
        options.log_severity_level = 4
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, feeds)
    except Exception as problem:  # not implemented there: any type of exception, by version
        if "INVALID_ARGUMENT" in str(problem):
            raise
        return ReferenceEvaluator(model).run(None, feeds)


class Case:
    def __init__(self, tmp_path, seed):
        self.folder, self.rng = tmp_path, np.random.default_rng(seed)

    def normal(self, *shape, scale=1.0):
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    def shape(self, rank, low=1, high=6):
        return tuple(int(v) for v in self.rng.integers(low, high, rank))

    def integer(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def pick(self, *options):
        return options[self.rng.integers(0, len(options))]

    def check(self, op, attributes, inputs, expected, constants=(), rtol=0.0, atol=0.0, half=True):
        """Against `expected` (a list of arrays, or a function of the inputs); floats in Float16 too."""
        oracle = expected(*inputs) if callable(expected) else expected
        ours = run_ours(self.folder, op, attributes, inputs, len(oracle), constants)
        for mine, theirs in zip(ours, oracle, strict=False):
            assert mine.dtype == theirs.dtype and mine.shape == theirs.shape, (mine.dtype, mine.shape, theirs.shape)
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=atol, err_msg=f"{op} {attributes}")
        if not half or not callable(expected) or inputs[0].dtype != np.float32:
            return
        halves = [a if a is None or a.dtype != np.float32 else a.astype(np.float16) for a in inputs]
        floats = [a if a is None or a.dtype != np.float16 else a.astype(np.float32) for a in halves]
        with np.errstate(over="ignore"):
            ours = run_ours(self.folder, op, attributes, halves, len(oracle), constants)
            for mine, theirs in zip(ours, expected(*floats), strict=False):
                if theirs.dtype == np.float32:
                    assert mine.dtype == np.float16
                    theirs = theirs.astype(np.float16)
                    np.testing.assert_allclose(
                        mine, theirs, rtol=2**-10 + rtol, atol=2**-24 + atol, err_msg=f"{op} half"
                    )
                else:
                    np.testing.assert_array_equal(mine, theirs)


@pytest.fixture
def case(tmp_path, request):
    seed = zlib.crc32(request.node.name.encode())
    print("seed", seed)
    return Case(tmp_path, seed)


def trials(*names):
    return pytest.mark.parametrize(",".join(names) if names else "trial", range(TRIALS))


# ---- Elementwise ----

UNARY = {
    "Relu": ({}, {}, {}),
    "LeakyRelu": ({"alpha": 0.1}, {"alpha": 0.1}, {}),
    "Elu": ({"alpha": 1.3}, {"alpha": 1.3}, FLOAT),
    "Selu": ({}, {}, FLOAT),
    "Celu": ({"alpha": 0.7}, {"alpha": 0.7}, FLOAT),
    "HardSigmoid": ({"alpha": 0.3, "beta": 0.4}, {"alpha": 0.3, "beta": 0.4}, FLOAT),
    "ThresholdedRelu": ({"alpha": 0.5}, {"alpha": 0.5}, {}),
    "Sigmoid": ({}, {}, FLOAT),
    "Tanh": ({}, {}, FLOAT),
    "Softplus": ({}, {}, FLOAT),
    "Softsign": ({}, {}, FLOAT),
    "HardSwish": ({}, {}, FLOAT),
    "Mish": ({}, {}, FLOAT),
    "Erf": ({}, {}, FLOAT),
    "Exp": ({}, {}, FLOAT),
    "Neg": ({}, {}, {}),
    "Abs": ({}, {}, {}),
    "Floor": ({}, {}, {}),
    "Ceil": ({}, {}, {}),
    "Round": ({}, {}, {}),
    "Sign": ({}, {}, {}),
    "Sin": ({}, {}, FLOAT),
    "Cos": ({}, {}, FLOAT),
    "Reciprocal": ({}, {}, FLOAT),
    "Gelu": ({"approximate": "none"}, {"approximate": "none"}, FLOAT),
    "Gelu tanh": ({"approximate": "tanh"}, {"approximate": "tanh"}, FLOAT),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(case, name):
    ours, theirs, tolerance = UNARY[name]
    op = name.split()[0]
    x = np.concatenate([case.normal(500, scale=3), [0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 6.0, -6.0, 3.0, -3.0]])
    x = x.astype(np.float32).reshape(2, 3, 5, 17)
    opset = 20 if op == "Gelu" else 22 if op == "Mish" else 18
    case.check(op, ours, [x], lambda x: run_oracle(op, theirs, [x], opset=opset), **tolerance)


@pytest.mark.parametrize("op", ["Log", "Sqrt"])
def test_unary_of_positive(case, op):
    x = np.abs(case.normal(300, scale=5)) + np.float32(1e-3)
    case.check(op, {}, [x], lambda x: run_oracle(op, {}, [x]), **FLOAT)


def test_silu_is_x_times_sigmoid(case):
    x = case.normal(4, 100, scale=4)
    case.check("SiLU", {}, [x], lambda x: [x * run_oracle("Sigmoid", {}, [x])[0]], **FLOAT)


@pytest.mark.parametrize("bounds", [{"min": -0.5, "max": 0.75}, {"min": 0.0}, {"max": 6.0}, {}])
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
def test_clip(case, bounds, dtype):
    x = case.normal(3, 70, scale=8).astype(dtype)
    low, high = bounds.get("min", -np.inf), bounds.get("max", np.inf)
    inside = (
        (lambda x: [np.clip(x, low, high).astype(x.dtype)])
        if dtype == "float32"
        else (lambda x: [np.clip(x, np.ceil(low), np.floor(high)).astype(dtype)])
    )
    case.check("Clip", bounds, [x], inside)


@pytest.mark.parametrize("op", ["Neg", "Abs", "Sign", "Relu"])
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
def test_unary_of_integers(case, op, dtype):
    x = case.rng.integers(-128, 128, (5, 40)).astype(dtype)
    functions = {"Neg": np.negative, "Abs": np.abs, "Sign": np.sign, "Relu": lambda v: np.maximum(v, 0)}
    case.check(op, {}, [x], lambda x: [functions[op](x).astype(dtype)])


def broadcastable(case):
    rank = case.integer(1, 4)
    shape = case.shape(rank)

    def part():
        kept = [1 if case.rng.random() < 0.4 else d for d in shape]
        return kept[case.integer(0, rank - 1) if case.rng.random() < 0.3 else 0 :]

    return part(), part()


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@trials()
def test_binary(case, op, trial):
    a, b = broadcastable(case)
    a, b = case.normal(*a), case.normal(*b) + np.float32(3)
    case.check(op, {}, [a, b], lambda a, b: run_oracle(op, {}, [a, b]))
    for dtype in ("int32", "int64", "uint8"):
        p, q = ((v * 10).astype(np.int64) for v in (a, b))
        if dtype == "uint8":
            p, q = np.abs(p), np.abs(q)
        p, q = p.astype(dtype), q.astype(dtype)
        if op == "Div":
            q[q == 0] = 7
        case.check(op, {}, [p, q], lambda p, q: run_oracle(op, {}, [p, q]))


def test_binary_activation(case):
    a, b = case.normal(2, 30), case.normal(30)
    case.check("Add", {"activation": "Relu"}, [a, b], lambda a, b: [np.maximum(a + b, 0)])
    clip = {"activation": "Clip", "activation_min": -0.5, "activation_max": 0.5}
    case.check("Mul", clip, [a, b], lambda a, b: [np.clip(a * b, np.float32(-0.5), np.float32(0.5))])


@trials()
def test_prelu(case, trial):
    x = case.normal(2, 4, *case.shape(case.integer(1, 2)))
    slope = case.normal(4, *([1] * (x.ndim - 2)))
    case.check("PRelu", {}, [x, slope], lambda x, s: run_oracle("PRelu", {}, [x, s]))
    case.check("PRelu", {}, [x, slope], lambda x, s: run_oracle("PRelu", {}, [x, s]), constants=(1,))


def test_pow(case):
    x = np.abs(case.normal(400, scale=4)) + np.float32(0.01)
    y = case.normal(400, scale=3)
    case.check(
        "Pow", {}, [x, y], lambda x, y: [np.power(x.astype("f8"), y.astype("f8")).astype("f4")], half=False, rtol=1.2e-7
    )
    for exponent in (0.0, 0.5, 1.0, 2.0, 3.0, -1.0, -2.0, 0.33333334):
        e = np.float32([exponent])
        case.check(
            "Pow",
            {},
            [x, e],
            lambda x, e: [np.power(x.astype("f8"), e.astype("f8")).astype("f4")],
            rtol=1.2e-7,
            constants=(1,),
        )
    signed = case.normal(100, scale=4)
    for exponent in (2, 3, -3):
        case.check(
            "Pow",
            {},
            [signed, np.int64([exponent])],
            lambda x, e: [np.power(x.astype("f8"), float(e[0])).astype("f4")],
            rtol=1.2e-7,
        )
    special = np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, 1.0, -8.0, 1e30, -1e30, 1e-30])
    p, q = (
        v.ravel().copy() for v in np.meshgrid(special, np.float32([0, 1, -1, 2, 3, -3, 0.5, np.inf, -np.inf, np.nan]))
    )
    with np.errstate(all="ignore"):
        case.check("Pow", {}, [p, q], [np.power(p, q)], rtol=1e-6)
    x = case.rng.integers(-5, 6, 50)
    case.check("Pow", {}, [x, np.int64([3])], lambda x, e: [x**3])


@pytest.mark.parametrize("fmod", [0, 1])
def test_mod(case, fmod):
    a, b = case.rng.integers(-50, 50, 200), case.rng.integers(1, 9, 200) * case.rng.choice([-1, 1], 200)
    for dtype in ("int32", "int64"):
        case.check(
            "Mod",
            {"fmod": fmod},
            [a.astype(dtype), b.astype(dtype)],
            lambda a, b: run_oracle("Mod", {"fmod": fmod}, [a, b]),
        )
    if fmod:
        x, y = case.normal(200, scale=9), case.normal(200)
        case.check("Mod", {"fmod": 1}, [x, y], lambda x, y: [np.fmod(x, y)])


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
def test_compare(case, op, dtype):
    a, b = broadcastable(case)
    a, b = (np.round(case.normal(*s)).astype(dtype) for s in (a, b))
    case.check(op, {}, [a, b], lambda a, b: run_oracle(op, {}, [a, b]))


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_logic(case, op):
    a, b = case.rng.random((3, 4)) < 0.5, case.rng.random((2, 3, 1)) < 0.5
    case.check(op, {}, [a, b], lambda a, b: run_oracle(op, {}, [a, b]))
    case.check("Not", {}, [a], lambda a: [~a])


@trials()
def test_where(case, trial):
    x, y = broadcastable(case)
    shape = np.broadcast_shapes(x, y)
    condition = case.rng.random([1 if case.rng.random() < 0.3 else d for d in shape]) < 0.5
    for dtype in ("float32", "int64", "uint8", "bool"):
        inputs = [condition, case.normal(*x, scale=9).astype(dtype), case.normal(*y, scale=9).astype(dtype)]
        case.check("Where", {}, inputs, [np.where(*inputs)])


@pytest.mark.parametrize("source", ["f32", "f16", "f64", "i8", "u8", "i16", "i32", "i64", "bool"])
@pytest.mark.parametrize("target", ["f32", "f16", "f64", "i8", "u8", "i16", "i32", "i64", "bool"])
def test_cast(case, source, target):
    dtypes = {text: name for name, text in DTYPE_NAMES.items()}
    x = np.concatenate([case.normal(40, scale=30), [0.0, 1.0, -1.0, 0.5, -0.5, 100.75]])
    if "u8" in (source, target):
        x = np.abs(x)
    x = x.astype(dtypes[source])
    case.check("Cast", {"to": DTYPE_NUMBERS[target]}, [x], [x.astype(dtypes[target])])


def test_cast_saturates_and_drops_nan(case):
    x = np.float32([1e20, -1e20, np.nan, np.inf, -np.inf, 2147483648.0, 300.0])
    limits = np.iinfo(np.int32)
    expected = np.int32([limits.max, limits.min, 0, limits.max, limits.min, limits.max, 300])
    case.check("Cast", {"to": DTYPE_NUMBERS["i32"]}, [x], [expected])


# ---- Layers ----

ACTIVATIONS = {
    "Relu": lambda y: np.maximum(y, 0),
    "LeakyRelu": lambda y: np.where(y < 0, y * np.float32(0.01), y),
    "Sigmoid": lambda y: run_oracle("Sigmoid", {}, [y])[0],
    "SiLU": lambda y: y * run_oracle("Sigmoid", {}, [y])[0],
    "HardSwish": lambda y: run_oracle("HardSwish", {}, [y])[0],
    "Gelu": lambda y: run_oracle("Gelu", {}, [y], opset=20)[0],
    "Tanh": lambda y: np.tanh(y),
    "Mish": lambda y: run_oracle("Mish", {}, [y], opset=22)[0],
}


def window(case, spatial):
    kernel = [case.integer(1, 3) for _ in range(spatial)]
    return dict(
        kernel_shape=kernel,
        strides=[case.integer(1, 3) for _ in range(spatial)],
        dilations=[case.integer(1, 2) for _ in range(spatial)],
        pads=[case.integer(0, k - 1) for k in kernel + kernel],
    )


@pytest.mark.parametrize("spatial", [1, 2, 3])
@trials()
def test_conv(case, spatial, trial):
    group = case.integer(1, 3)
    inputs, outputs = group * case.integer(1, 4), group * case.integer(1, 5)
    attributes = window(case, spatial) | {"group": group}
    x = case.normal(case.integer(1, 2), inputs, *case.shape(spatial, 6, 12))
    w = case.normal(outputs, inputs // group, *attributes["kernel_shape"])
    b = case.normal(outputs) if trial % 2 else None
    for constants in ((), (1, 2)):
        case.check(
            "Conv",
            attributes,
            [x, w, b],
            lambda x, w, b: run_oracle("Conv", attributes, [x, w, b]),
            constants=constants,
            **SUMS,
        )
    name = case.pick(*ACTIVATIONS)
    case.check(
        "Conv",
        attributes | {"activation": name},
        [x, w, b],
        lambda x, w, b: [ACTIVATIONS[name](run_oracle("Conv", attributes, [x, w, b])[0])],
        half=False,
        **SUMS,
    )


@pytest.mark.parametrize("spatial", [1, 2, 3])
@trials()
def test_conv_transpose(case, spatial, trial):
    group = case.integer(1, 2)
    inputs, outputs = group * case.integer(1, 3), group * case.integer(1, 4)
    attributes = window(case, spatial) | {"group": group}
    attributes["output_padding"] = [case.integer(0, s - 1) for s in attributes["strides"]]
    x = case.normal(case.integer(1, 2), inputs, *case.shape(spatial, 3, 7))
    w = case.normal(inputs, outputs // group, *attributes["kernel_shape"])
    b = case.normal(outputs) if trial % 2 else None
    case.check(
        "ConvTranspose",
        attributes,
        [x, w, b],
        lambda x, w, b: run_oracle("ConvTranspose", attributes, [x, w, b]),
        constants=(1, 2) if trial % 2 else (),
        **SUMS,
    )


@pytest.mark.parametrize(
    "a,b",
    [
        ((5, 7), (7, 3)),
        ((2, 1, 4, 6), (3, 6, 5)),
        ((7,), (7, 4)),
        ((3, 7), (7,)),
        ((9,), (9,)),
        ((2, 3, 4), (4, 6)),
        ((6, 1, 64, 33), (6, 33, 64)),
        ((1, 300, 20), (20, 70)),
    ],
)
def test_matmul(case, a, b):
    x, y = case.normal(*a), case.normal(*b)
    for constants in ((), (1,)):
        case.check("MatMul", {}, [x, y], lambda x, y: run_oracle("MatMul", {}, [x, y]), constants=constants, **SUMS)
    if len(b) > 1:
        bias = case.normal(b[-1])
        case.check(
            "MatMul",
            {"activation": "Relu"},
            [x, y, bias],
            lambda x, y, bias: [np.maximum(np.matmul(x, y) + bias, 0)],
            constants=(1, 2),
            **SUMS,
        )


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("spatial", [1, 2, 3])
@trials()
def test_pool(case, op, spatial, trial):
    attributes = window(case, spatial)
    attributes["ceil_mode"] = case.integer(0, 1)
    if op == "AveragePool":
        attributes["count_include_pad"] = case.integer(0, 1)
    x = case.normal(2, case.integer(1, 20), *case.shape(spatial, 6, 13))
    case.check(op, attributes, [x], lambda x: run_oracle(op, attributes, [x], opset=19), **SUMS)


def test_max_pool_of_codes(case):
    x = case.rng.integers(-128, 128, (1, 3, 9, 9)).astype(np.int8)
    attributes = dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    case.check("MaxPool", attributes, [x], lambda x: run_oracle("MaxPool", attributes, [x]))


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_global_pool(case, op, spatial):
    x = case.normal(2, 7, *case.shape(spatial, 2, 9))
    case.check(op, {}, [x], lambda x: run_oracle(op, {}, [x]), **SUMS)


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_batch_normalization(case, rank):
    x = case.normal(2, 6, *case.shape(rank - 2, 2, 7))
    inputs = [x, case.normal(6), case.normal(6), case.normal(6), np.abs(case.normal(6)) + np.float32(0.1)]
    case.check(
        "BatchNormalization",
        {"epsilon": 0.001},
        inputs,
        lambda *i: run_oracle("BatchNormalization", {"epsilon": 0.001}, list(i)),
        constants=(1, 2, 3, 4),
        **SUMS,
    )


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_instance_normalization(case, rank):
    inputs = [case.normal(2, 6, *case.shape(rank - 2, 4, 9)), case.normal(6), case.normal(6)]
    case.check(
        "InstanceNormalization",
        {"epsilon": 0.01},
        inputs,
        lambda *i: run_oracle("InstanceNormalization", {"epsilon": 0.01}, list(i)),
        **SUMS,
    )


@trials()
def test_layer_normalization(case, trial):
    x = case.normal(*case.shape(case.integer(1, 3), 1, 5), case.integer(2, 100))
    axis = case.integer(0, x.ndim - 1)
    bias = case.normal(*x.shape[axis:]) if trial % 2 else None
    attributes = {"axis": axis, "epsilon": 1e-5}
    case.check(
        "LayerNormalization",
        attributes,
        [x, case.normal(*x.shape[axis:]), bias],
        lambda *i: run_oracle("LayerNormalization", attributes, list(i)),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("p", [1, 2])
@trials()
def test_lp_normalization(case, p, trial):
    x = case.normal(*case.shape(3, 2, 70))
    attributes = {"axis": trial % 3, "p": p}

    def expected(x):
        norm = np.sum(np.abs(x.astype("f8")) ** p, axis=trial % 3, keepdims=True) ** (1 / p)
        return [(x / norm).astype("f4")]

    case.check("LpNormalization", attributes, [x], expected, **SUMS)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@trials()
def test_softmax(case, op, trial):
    x = case.normal(*case.shape(3, 1, 70), scale=5)
    case.check(op, {"axis": trial % 3}, [x], lambda x: run_oracle(op, {"axis": trial % 3}, [x]), **SUMS)


# ---- Reductions ----

REDUCTIONS = ["Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"]


@pytest.mark.parametrize("name", REDUCTIONS)
@trials()
def test_reduce(case, name, trial):
    op, rank = f"Reduce{name}", case.integer(1, 4)
    x = case.normal(*case.shape(rank, 1, 12))
    if name == "LogSum":
        x = np.abs(x) + np.float32(0.1)
    axes = sorted(int(a) for a in case.rng.choice(rank, case.integer(1, rank), replace=False))
    attributes = {"axes": axes, "keepdims": case.integer(0, 1)}

    def oracle(x):
        return run_oracle(op, {"keepdims": attributes["keepdims"]}, [x, np.int64(axes)])

    case.check(op, attributes, [x], oracle, half=name != "Prod", rtol=2e-5, atol=2e-5)
    if name in ("Sum", "Max", "Min", "Prod", "L1", "SumSquare", "Mean"):
        for dtype in ("int32", "int64"):
            n = case.rng.integers(-9, 10, x.shape).astype(dtype)
            if name == "Mean":
                total = n.sum(axis=tuple(axes), keepdims=bool(attributes["keepdims"]))
                count = int(np.prod([x.shape[a] for a in axes]))
                expected = [np.asarray(np.trunc(total / count)).astype(dtype)]
            else:
                expected = [
                    np.asarray(v).astype(dtype)
                    for v in ReferenceEvaluator(
                        helper.make_node(op, ["x", "axes"], ["y"], keepdims=attributes["keepdims"])
                    ).run(None, {"x": n, "axes": np.int64(axes)})
                ]
            case.check(op, attributes, [n], expected)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@trials()
def test_arg(case, op, trial):
    x = np.round(case.normal(*case.shape(3, 1, 12), scale=2)).astype(np.float32)
    attributes = {"axis": trial % 3, "keepdims": case.integer(0, 1), "select_last_index": case.integer(0, 1)}
    case.check(op, attributes, [x], lambda x: run_oracle(op, attributes, [x]))
    case.check(op, attributes, [x.astype(np.int32)], lambda x: run_oracle(op, attributes, [x]))


# ---- Moving data ----

MOVED = ["float32", "int64", "int8", "bool", "float16"]


def numbered(case, *shape, dtype="float32"):
    return case.rng.permutation(int(np.prod(shape))).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", MOVED)
def test_reshape(case, dtype):
    x = numbered(case, 2, 3, 4, 5, dtype=dtype)
    case.check("Reshape", {"shape": [6, 20]}, [x], [x.reshape(6, 20)])
    case.check("Reshape", {"shape": [2, 60, 1]}, [x], [x.reshape(2, 60, 1)])


@pytest.mark.parametrize("dtype", MOVED)
@trials()
def test_transpose(case, dtype, trial):
    rank = case.integer(2, 5)
    x = numbered(case, *case.shape(rank, 1, 9), dtype=dtype)
    perm = [int(v) for v in case.rng.permutation(rank)]
    case.check("Transpose", {"perm": perm}, [x], [x.transpose(perm)])


def test_transpose_of_large_matrices(case):
    x = numbered(case, 3, 130, 217)
    case.check("Transpose", {"perm": [0, 2, 1]}, [x], [x.transpose(0, 2, 1)])
    case.check("Transpose", {"perm": [2, 0, 1]}, [x], [x.transpose(2, 0, 1)])


@pytest.mark.parametrize("dtype", MOVED)
@trials()
def test_concat_and_split(case, dtype, trial):
    rank = case.integer(1, 4)
    shape, axis = list(case.shape(rank, 1, 7)), case.integer(0, rank - 1)
    sizes = [case.integer(1, 5) for _ in range(case.integer(1, 4))]
    parts = [numbered(case, *shape[:axis], n, *shape[axis + 1 :], dtype=dtype) for n in sizes]
    joined = np.concatenate(parts, axis)
    case.check("Concat", {"axis": axis}, parts, [joined])
    case.check("Split", {"axis": axis, "split": sizes}, [joined], parts)


@pytest.mark.parametrize("dtype", MOVED)
@trials()
def test_slice(case, dtype, trial):
    x = numbered(case, *case.shape(case.integer(1, 4), 2, 10), dtype=dtype)
    starts, ends, steps, slices = [], [], [], []
    for extent in x.shape:
        step = case.pick(1, 1, 2, 3, -1, -2)
        low, high = sorted(int(v) for v in case.rng.integers(0, extent, 2))
        starts.append(low if step > 0 else high)
        ends.append(high + 1 if step > 0 else low - 1)
        steps.append(step)
        slices.append(slice(starts[-1], None if ends[-1] < 0 else ends[-1], step))
    case.check("Slice", {"starts": starts, "ends": ends, "steps": steps}, [x], [x[tuple(slices)]])


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("dtype", ["float32", "int64", "int8"])
@trials()
def test_pad(case, mode, dtype, trial):
    x = numbered(case, *case.shape(case.integer(1, 4), 3, 6), dtype=dtype)
    pads = [case.integer(0, 2) for _ in range(2 * x.ndim)]
    attributes = {"pads": pads, "mode": mode}
    inputs = [x, np.int64(pads)]
    if mode == "constant":
        attributes["value"] = 7.0
        inputs.append(np.asarray(7, x.dtype))
    expected = [
        np.pad(
            x,
            list(zip(pads[: x.ndim], pads[x.ndim :], strict=False)),
            mode,
            **({"constant_values": 7} if mode == "constant" else {}),
        )
    ]
    case.check("Pad", attributes, [x], expected)


def test_pad_crops(case):
    x = numbered(case, 5, 6)
    case.check(
        "Pad", {"pads": [-1, 2, 1, -3], "value": 1.0}, [x], [np.pad(x[1:, :3], [(0, 1), (2, 0)], constant_values=1)]
    )


def test_expand_and_tile(case):
    for dtype in MOVED:
        x = numbered(case, 1, 3, 1, 4, dtype=dtype)
        case.check("Expand", {"shape": [2, 3, 5, 4]}, [x], [np.broadcast_to(x, (2, 3, 5, 4))])
        case.check("Tile", {"repeats": [2, 1, 3, 2]}, [x], [np.tile(x, (2, 1, 3, 2))])
        case.check("Tile", {"repeats": [1, 2, 1, 1]}, [x], [np.tile(x, (1, 2, 1, 1))])


@trials()
def test_gather(case, trial):
    x = numbered(case, *case.shape(3, 1, 7))
    axis = trial % 3
    for dtype in ("int32", "int64"):
        indices = case.rng.integers(-x.shape[axis], x.shape[axis], case.shape(case.integer(0, 2))).astype(dtype)
        case.check("Gather", {"axis": axis}, [x, indices], [np.take(x, indices, axis)])


@trials()
def test_gather_elements(case, trial):
    x = numbered(case, *case.shape(3, 2, 7))
    axis = trial % 3
    shape = list(x.shape)
    shape[axis] = case.integer(1, 9)
    shape[(axis + 1) % 3] -= 1
    indices = case.rng.integers(-x.shape[axis], x.shape[axis], shape)
    case.check(
        "GatherElements",
        {"axis": axis},
        [x, indices],
        lambda x, i: run_oracle("GatherElements", {"axis": axis}, [x, i]),
    )


@pytest.mark.parametrize("batch_dims", [0, 1])
@pytest.mark.parametrize("parts", [1, 2])
def test_gather_nd(case, batch_dims, parts):
    x = numbered(case, 3, 4, 5, 2)
    extents = np.array(x.shape[batch_dims : batch_dims + parts])
    indices = case.rng.integers(0, extents, (*x.shape[:batch_dims], 6, parts)) - extents * (
        case.rng.random((parts,)) < 0.5
    )
    case.check(
        "GatherND",
        {"batch_dims": batch_dims},
        [x, indices.astype("i8")],
        lambda x, i: run_oracle("GatherND", {"batch_dims": batch_dims}, [x, i]),
    )


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_scatter_nd(case, reduction, dtype):
    x = numbered(case, 4, 5, 3, dtype=dtype)
    order = case.rng.permutation(20)[:7] if reduction == "none" else case.rng.integers(0, 20, 7)
    indices = np.stack(np.unravel_index(order, (4, 5)), -1).astype("i8")
    updates = case.normal(7, 3, scale=5).astype(dtype)
    case.check(
        "ScatterND",
        {"reduction": reduction},
        [x, indices, updates],
        lambda x, i, u: run_oracle("ScatterND", {"reduction": reduction}, [x, i, u]),
        half=False,
    )


COORDINATES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", COORDINATES)
@trials()
def test_resize(case, mode, coordinates, trial):
    rank = 4 if mode == "cubic" else case.integer(3, 5)
    x = case.normal(case.integer(1, 2), case.integer(1, 5), *case.shape(rank - 2, 2, 9))
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = case.pick("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        attributes["cubic_coeff_a"] = case.pick(-0.75, -0.5)
        attributes["exclude_outside"] = case.integer(0, 1)
    if trial % 2:
        scales = np.float32([1, 1] + [case.pick(0.5, 0.6, 1.0, 1.5, 2.0, 2.5, 3.7) for _ in range(rank - 2)])
        inputs = [None, scales]
    else:
        sizes = np.int64([*x.shape[:2], *(case.integer(1, 14) for _ in range(rank - 2))])
        inputs = [None, None, sizes]

    def oracle(x):
        return run_oracle("Resize", attributes, [x, *inputs], opset=19)

    sizes = [int(v) for v in oracle(x)[0].shape]
    scales = [float(v) for v in inputs[1]] if trial % 2 else [o / i for o, i in zip(sizes, x.shape, strict=False)]
    # Positions are float32: weights carry their rounding.
    tolerance = dict(rtol=2e-5, atol=1e-5) if mode != "nearest" else {}
    case.check("Resize", attributes | {"sizes": sizes, "scales": scales}, [x], oracle, **tolerance)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_crop(case, mode):
    x = case.normal(1, 2, 7, 8)
    roi = np.float32([0, 0, 0.2, -0.3, 1, 1, 0.9, 1.2])
    attributes = {"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 9.0}
    sizes = np.int64([1, 2, 5, 11])
    case.check(
        "Resize",
        attributes | {"sizes": sizes.tolist(), "roi": roi.tolist()},
        [x],
        lambda x: run_oracle("Resize", attributes, [x, roi, None, sizes], opset=19),
        rtol=2e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_depth_and_space(case, dtype):
    x = numbered(case, 2, 12, 4, 6, dtype=dtype)
    for mode in ("DCR", "CRD"):
        expected = ReferenceEvaluator(helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode=mode)).run(
            None, {"x": x}
        )
        case.check("DepthToSpace", {"blocksize": 2, "mode": mode}, [x], expected)
        case.check("SpaceToDepth", {"blocksize": 2, "mode": mode}, expected, [x])


@trials()
def test_one_hot(case, trial):
    shape = case.shape(case.integer(1, 3))
    axis, depth = case.integer(0, len(shape)), case.integer(1, 6)
    values = np.float32([-1.5, 2.5])
    for dtype in ("int32", "int64"):
        indices = case.rng.integers(-depth - 1, depth + 1, shape).astype(dtype)
        expected = ReferenceEvaluator(helper.make_node("OneHot", ["i", "d", "v"], ["y"], axis=axis)).run(
            None, {"i": indices, "d": np.int64(depth), "v": values}
        )
        inside = (indices >= -depth) & (indices < depth)  # the evaluator wraps what lies outside
        expected = [np.where(np.expand_dims(inside, axis), expected[0], values[0]).astype("f4")]
        case.check("OneHot", {"axis": axis, "depth": depth}, [indices, values], expected)


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [-3, -1, 0, 2, 100])
def test_trilu(case, upper, k):
    for dtype in ("float32", "int64"):
        x = numbered(case, 2, 4, 5, dtype=dtype)
        case.check("Trilu", {"upper": upper, "k": k}, [x], [(np.triu if upper else np.tril)(x, k)])


# ---- Values that are no numbers ----


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "Tanh", "Exp", "Sqrt", "Abs", "Neg", "Floor", "Sign", "Erf", "SiLU"])
def test_nan_stays_nan(case, op):
    x = np.float32([np.nan, 1.0])
    assert np.isnan(run_ours(case.folder, op, {}, [x])[0]).tolist() == [True, False]


@pytest.mark.parametrize("op", ["Add", "Mul", "Max", "Min"])
def test_nan_of_either_operand_stays_nan(case, op):
    x, y = np.float32([np.nan, 1.0, 1.0]), np.float32([1.0, np.nan, 1.0])
    assert np.isnan(run_ours(case.folder, op, {}, [x, y])[0]).tolist() == [True, True, False]


def test_nan_wins_every_pool_and_maximum(case):
    x = case.normal(1, 2, 3, 3)
    x[0, 1, 1, 1] = np.nan
    for op, attributes in [
        ("MaxPool", {"kernel_shape": [3, 3]}),
        ("GlobalAveragePool", {}),
        ("GlobalMaxPool", {}),
        ("ReduceMax", {"axes": [2, 3]}),
        ("ReduceMin", {"axes": [2, 3]}),
    ]:
        y = run_ours(case.folder, op, attributes, [x])[0].ravel()
        assert np.isnan(y).tolist() == [False, True], op
