"""Elementwise operators against onnxruntime (or onnx's reference evaluator), with random attributes."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
from operator_case import DTYPE_NAMES, DTYPE_NUMBERS, FLOAT, needs_tools, run_oracle, run_ours, trials  # noqa: E402

pytestmark = needs_tools


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


# Where each function lives, and how far from it to look.
TRIGONOMETRIC = {
    "Tan": (np.tan, -1e5, 1e5),
    "Asin": (np.arcsin, -1, 1),
    "Acos": (np.arccos, -1, 1),
    "Atan": (np.arctan, -1e5, 1e5),
    "Sinh": (np.sinh, -90, 90),
    "Cosh": (np.cosh, -90, 90),
    "Asinh": (np.arcsinh, -1e30, 1e30),
    "Acosh": (np.arccosh, 1, 1e30),
    "Atanh": (np.arctanh, -1, 1),
}


@pytest.mark.parametrize("op", TRIGONOMETRIC)
def test_trigonometric_functions_are_exact_to_two_ulp(case, op):
    function, low, high = TRIGONOMETRIC[op]
    x = np.concatenate([case.rng.uniform(low, high, 4000), case.rng.uniform(max(low, -2), min(high, 2), 4000)])
    tiny = np.float32(10.0) ** -np.arange(1, 40)  # where differences cancel; subnormals too
    x = np.concatenate([x, tiny, -tiny, 1 + tiny, 1 - tiny, [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1.5]])
    x = x.astype(np.float32)
    with np.errstate(all="ignore"):
        exact = function(x.astype(np.float64))
        wanted = exact.astype(np.float32)
    ours = run_ours(case.folder, op, {}, [x])[0]
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(wanted))
    special = ~np.isfinite(wanted) | (wanted == 0)
    np.testing.assert_array_equal(ours[special], wanted[special])
    np.testing.assert_array_equal(np.signbit(ours[~np.isnan(wanted)]), np.signbit(wanted[~np.isnan(wanted)]))
    apart = np.abs(ours[~special] - exact[~special]) / np.spacing(np.abs(wanted[~special]))
    assert apart.max() <= 2, f"{apart.max()} ULP at {x[~special][apart.argmax()]}"
    halves = x[np.abs(x) < 60000].astype(np.float16)
    with np.errstate(all="ignore"):
        rounded = function(halves.astype(np.float64)).astype(np.float16)
    np.testing.assert_allclose(run_ours(case.folder, op, {}, [halves])[0], rounded, rtol=2**-10, atol=2**-24)


@pytest.mark.parametrize("op", TRIGONOMETRIC)
def test_trigonometric_functions_agree_with_onnxruntime(case, op):
    _, low, high = TRIGONOMETRIC[op]
    x = case.rng.uniform(max(low, -3), min(high, 3), (2, 300)).astype(np.float32)
    case.check(op, {}, [x], lambda x: run_oracle(op, {}, [x]), rtol=1e-6, atol=1e-7, half=False)


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
