"""Integers, bits and codes: computed exactly in every type the standard allows, as onnxruntime or numpy compute them."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
openrknn = pytest.importorskip("openrknn")
from node_model import make_model, refusal, run_oracle, run_ours  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
SIGNED = [t for t in INTEGERS if not t.startswith("u")]


@pytest.fixture
def rng(request):
    seed = sum(map(ord, request.node.name))
    print(f"seed {seed}")
    return np.random.default_rng(seed)


def spread(rng, dtype, shape):
    """Numbers over the whole range of the type, its ends and the neighbourhood of 0 included."""
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    edges = np.array([limits.min, limits.max, 0, 1, limits.max - 1, limits.min + 1], dtype)
    x.reshape(-1)[: edges.size] = edges[: x.size]
    return x


def check(folder, op, attributes, inputs, expected, opset=18, constants=()):
    got = run_ours(folder, make_model(op, attributes, inputs, len(expected), opset, constants), inputs)
    for mine, wanted in zip(got, expected, strict=True):
        assert mine.dtype == wanted.dtype and mine.shape == wanted.shape
        np.testing.assert_array_equal(mine, wanted, err_msg=f"{op} {attributes}")


# ---- Arithmetic ----


@pytest.mark.parametrize("dtype", INTEGERS)
def test_arithmetic_is_exact_and_wraps_around(tmp_path, rng, dtype):
    a, b = spread(rng, dtype, (3, 40)), spread(rng, dtype, (40,))
    with np.errstate(over="ignore"):
        for op, result in [("Add", a + b), ("Sub", a - b), ("Mul", a * b)]:
            check(tmp_path, op, {}, [a, b], [result])
        check(tmp_path, "Abs", {}, [a], [np.abs(a)])
        if dtype in SIGNED:
            check(tmp_path, "Neg", {}, [a], [np.negative(a)])
    check(tmp_path, "Max", {}, [a, b], [np.maximum(a, b)])
    check(tmp_path, "Min", {}, [a, b], [np.minimum(a, b)])
    check(tmp_path, "Sign", {}, [a], [np.sign(a)])
    for op, result in [("Equal", a == b), ("Less", a < b), ("LessOrEqual", a <= b), ("Greater", a > b)]:
        check(tmp_path, op, {}, [a, b], [result])
    check(tmp_path, "Where", {}, [a > b, a, b], [np.where(a > b, a, b)])
    check(tmp_path, "Clip", {}, [a, np.array(b[3]), np.array(max(b[3], b[7]))], [np.clip(a, b[3], max(b[3], b[7]))])


@pytest.mark.parametrize("dtype", INTEGERS)
def test_division_truncates_and_never_traps(tmp_path, rng, dtype):
    a, b = spread(rng, dtype, (60,)), spread(rng, dtype, (60,))
    b = np.where(rng.random(60) < 0.5, b % 7 + 1, b).astype(dtype)
    whole = [(int(p), int(q)) for p, q in zip(a, b, strict=True)]

    def quotient(p, q):
        return 0 if q == 0 else abs(p) // abs(q) * (1 if (p < 0) == (q < 0) else -1)

    def wrapped(values):
        return np.array([v % 2**64 for v in values], np.uint64).astype(dtype)

    check(tmp_path, "Div", {}, [a, b], [wrapped(quotient(p, q) for p, q in whole)])
    check(tmp_path, "Mod", {"fmod": 0}, [a, b], [wrapped(0 if q == 0 else p % q for p, q in whole)])
    check(tmp_path, "Mod", {"fmod": 1}, [a, b], [wrapped(0 if q == 0 else p - q * quotient(p, q) for p, q in whole)])
    lowest, minus_one, zero = np.iinfo(dtype).min, np.array([-1]).astype(dtype), np.zeros(1, dtype)
    if dtype in SIGNED:
        check(tmp_path, "Div", {}, [np.array([lowest], dtype), minus_one], [np.array([lowest], dtype)])
    check(tmp_path, "Div", {}, [np.array([lowest], dtype), zero], [zero])


@pytest.mark.parametrize("dtype", INTEGERS)
def test_powers_are_exact_and_wrap_around(tmp_path, rng, dtype):
    x, y = spread(rng, dtype, (50,)), rng.integers(0, 70, 50).astype(dtype)
    expected = np.array([pow(int(p), int(q), 2**64) for p, q in zip(x, y, strict=True)], np.uint64).astype(dtype)
    check(tmp_path, "Pow", {}, [x, y], [expected])


def test_a_fractional_power_of_an_integer_truncates(tmp_path):
    x = np.array([0, 1, 4, 9, 10, 15, 16, 10**12, -4], np.int64)
    check(tmp_path, "Pow", {}, [x, np.float32([0.5])], [np.array([0, 1, 2, 3, 3, 3, 4, 10**6, 0], np.int64)])


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
def test_prelu_of_integers(tmp_path, rng, dtype):
    x, slope = rng.integers(-9, 9, (2, 3, 4)).astype(dtype), np.array([2, 3, 4, 5]).astype(dtype)
    with np.errstate(over="ignore"):
        check(tmp_path, "PRelu", {}, [x, slope], [np.where(x < np.zeros(1, dtype), x * slope, x)])


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("axes", [[0, 1, 2], [1], [2], [0, 2]])
def test_reductions_are_exact_and_wrap_around(tmp_path, rng, dtype, axes):
    x = spread(rng, dtype, (3, 5, 7))
    of, axis = np.array(axes, np.int64), tuple(axes)
    with np.errstate(over="ignore"):
        for op, result in [
            ("ReduceSum", x.sum(axis, keepdims=True, dtype=dtype)),
            ("ReduceProd", x.prod(axis, keepdims=True, dtype=dtype)),
            ("ReduceMax", x.max(axis, keepdims=True)),
            ("ReduceMin", x.min(axis, keepdims=True)),
            ("ReduceSumSquare", (x * x).sum(axis, keepdims=True, dtype=dtype)),
            ("ReduceL1", np.abs(x).sum(axis, keepdims=True, dtype=dtype)),
        ]:
            check(tmp_path, op, {}, [x, of], [result], constants=[1])


def test_roots_and_logarithms_of_integer_sums_truncate(tmp_path):
    x = np.array([[3, 4], [1, 1], [94906267, 0], [0, 0]], np.int64)
    axes = np.array([1], np.int64)
    check(tmp_path, "ReduceL2", {"keepdims": 0}, [x, axes], [np.array([5, 1, 94906267, 0], np.int64)], constants=[1])
    lowest = np.iinfo(np.int64).min
    expected = np.array([1, 0, 18, lowest], np.int64)
    check(tmp_path, "ReduceLogSum", {"keepdims": 0}, [x, axes], [expected], constants=[1])
    small = np.array([[3, 4], [1, 1], [20, 0], [0, 0]], np.int64)
    expected = np.log(np.exp(small.astype(float)).sum(1)).astype(np.int64)
    check(tmp_path, "ReduceLogSumExp", {"keepdims": 0}, [small, axes], [expected], constants=[1])


def test_the_mean_of_integers_truncates_and_that_of_nothing_is_0(tmp_path):
    x, axes = np.array([[7, -2], [-7, 0], [1, 2]], np.int32), np.array([1], np.int64)
    check(tmp_path, "ReduceMean", {"keepdims": 0}, [x, axes], [np.array([2, -3, 1], np.int32)], constants=[1])
    empty = np.zeros((2, 0), np.int32)
    check(tmp_path, "ReduceMean", {"keepdims": 0}, [empty, axes], [np.zeros(2, np.int32)], constants=[1])


@pytest.mark.parametrize("op, function", [("ReduceMax", np.max), ("ReduceMin", np.min)])
def test_extremes_of_bools(tmp_path, rng, op, function):
    x, axes = rng.random((4, 5)) < 0.4, np.array([1], np.int64)
    check(tmp_path, op, {}, [x, axes], [function(x, 1, keepdims=True)], opset=20, constants=[1])


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
def test_products_of_integer_matrices_wrap_around(tmp_path, rng, dtype):
    a, b = spread(rng, dtype, (2, 3, 5)), spread(rng, dtype, (5, 4))
    with np.errstate(over="ignore"):
        check(tmp_path, "MatMul", {}, [a, b], [a @ b])


# ---- Bits ----


@pytest.mark.parametrize("dtype", INTEGERS)
def test_bitwise_operators(tmp_path, rng, dtype):
    a, b = spread(rng, dtype, (2, 1, 20)), spread(rng, dtype, (3, 20))
    for op, result in [("BitwiseAnd", a & b), ("BitwiseOr", a | b), ("BitwiseXor", a ^ b)]:
        check(tmp_path, op, {}, [a, b], [result])
    check(tmp_path, "BitwiseNot", {}, [a], [~a])


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts_beyond_the_type_leave_its_sign(tmp_path, rng, dtype, direction):
    bits = np.iinfo(dtype).bits
    a, b = spread(rng, dtype, (2, 80)), np.arange(80).astype(dtype)
    shifted = [
        [int(v) << int(n) if direction == "LEFT" else int(v) >> int(n) for v, n in zip(r, b, strict=True)] for r in a
    ]
    expected = np.array([[v % 2**bits for v in row] for row in shifted], np.uint64).astype(dtype)
    check(tmp_path, "BitShift", {"direction": direction}, [a, b], [expected])


@pytest.mark.parametrize(
    "source, target",
    [("float32", "int32"), ("int32", "float32"), ("uint32", "int32"), ("int64", "uint64"), ("int8", "uint8")],
)
def test_bit_cast_keeps_the_bits(tmp_path, rng, source, target):
    x = rng.integers(0, 256, (3, 8 * np.dtype(source).itemsize), np.uint8).view(source)
    if source == "float32":
        x = np.where(np.isnan(x), np.float32(-0.0), x)
    to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
    got = run_ours(tmp_path, make_model("BitCast", {"to": to}, [x], opset=26), [x])[0]
    assert got.dtype == target and got.tobytes() == x.tobytes()


def test_bit_cast_of_floats_that_are_kept_as_float32_is_refused(tmp_path):
    x = np.zeros(3, np.float16)
    text = refusal(tmp_path, make_model("BitCast", {"to": TensorProto.INT16}, [x], opset=26))
    assert "computed as float32" in text
    text = refusal(tmp_path, make_model("BitCast", {"to": TensorProto.DOUBLE}, [np.zeros(3, np.int64)], opset=26))
    assert "double" in text and "computed as float32" in text


# ---- Casts ----


@pytest.mark.parametrize("source", [*INTEGERS, "bool", "float32"])
def test_casts_between_integers_keep_the_low_bits(tmp_path, rng, source):
    if source == "bool":
        x = rng.random(30) < 0.5
    elif source == "float32":
        x = rng.integers(0, 100, 30).astype(np.float32) + rng.random(30).astype(np.float32)
    else:
        x = spread(rng, source, (30,))
    for target in [*INTEGERS, "bool", "float32"]:
        to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
        check(tmp_path, "Cast", {"to": to}, [x], [x.astype(target)], opset=19)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_casts_of_floats_truncate_and_saturate(tmp_path, dtype):
    limits = np.iinfo(dtype)
    x = np.float32([1e30, -1e30, np.nan, np.inf, -np.inf, 2.75, 100.5, 0.99])
    expected = np.array([limits.max, limits.min, 0, limits.max, limits.min, 2, 100, 0], dtype)
    check(tmp_path, "Cast", {"to": helper.np_dtype_to_tensor_dtype(np.dtype(dtype))}, [x], [expected])


FOUR_BITS = {"int4": (TensorProto.INT4, -8, 7, np.int8), "uint4": (TensorProto.UINT4, 0, 15, np.uint8)}


@pytest.mark.parametrize("name", FOUR_BITS)
def test_casts_to_and_from_4_bits(tmp_path, name):
    kind, low, high, bytes_type = FOUR_BITS[name]
    codes = np.arange(low, high + 1).astype(bytes_type)[:15].reshape(3, 5)  # an odd number: half a byte is left over
    for target in ("float32", "int8", "int64", "uint8"):
        to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
        model = make_model("Cast", {"to": to}, [codes], opset=21, types={0: kind})
        np.testing.assert_array_equal(run_ours(tmp_path, model, [codes])[0], codes.astype(target))
    reals = np.float32([-100, -8.5, -1.5, 0.5, 3.9, 7.9, 15.9, 100, np.nan])
    got = run_ours(tmp_path, make_model("Cast", {"to": kind}, [reals], opset=21), [reals])[0]
    low_bits = np.nan_to_num(np.trunc(reals)).astype(int) & 15
    expected = np.where((low < 0) & (low_bits > 7), low_bits - 16, low_bits)
    np.testing.assert_array_equal(got, expected.astype(bytes_type))
    integers = np.array([-9, -1, 0, 7, 8, 16, 255], np.int32)
    low_bits = integers & 15
    got = run_ours(tmp_path, make_model("Cast", {"to": kind}, [integers], opset=21), [integers])[0]
    expected = np.where((low < 0) & (low_bits > 7), low_bits - 16, low_bits)
    np.testing.assert_array_equal(got, expected.astype(bytes_type))


@pytest.mark.parametrize("name", FOUR_BITS)
def test_4_bit_codes_move(tmp_path, name):
    kind, low, high, bytes_type = FOUR_BITS[name]
    codes = np.arange(low, high + 1).astype(bytes_type)[:15].reshape(3, 5)
    for op, attributes, extra, expected in [
        ("Transpose", {"perm": [1, 0]}, [], codes.T),
        ("Reshape", {}, [np.array([5, 3], np.int64)], codes.reshape(5, 3)),
        ("Identity", {}, [], codes),
        ("Unsqueeze", {}, [np.array([0], np.int64)], codes[None]),
        ("Pad", {}, [np.array([1, 0, 0, 2], np.int64)], np.pad(codes, [(1, 0), (0, 2)])),
    ]:
        model = make_model(op, attributes, [codes, *extra], opset=21, constants=[1], types={0: kind})
        np.testing.assert_array_equal(run_ours(tmp_path, model, [codes, *extra])[0], expected, err_msg=op)


@pytest.mark.parametrize("kind", ["FLOAT8E4M3FN", "FLOAT8E5M2", "FLOAT4E2M1", "UINT2", "INT2"])
def test_types_the_npu_lacks_are_refused_by_name(tmp_path, kind):
    model = make_model("Cast", {"to": TensorProto.DataType.Value(kind)}, [np.zeros(3, np.float32)], opset=25)
    text = refusal(tmp_path, model)
    assert kind.lower() in text and "import.unsupported-type" in text


# ---- Codes ----


def quantized(x, scale, zero_point, dtype):
    low, high = {"int4": (-8, 7), "uint4": (0, 15)}.get(dtype) or (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.clip(np.rint((x / scale).astype(np.float32)) + zero_point, low, high)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_quantize_linear_rounds_half_to_even_and_saturates(tmp_path, rng, dtype, axis):
    x = (rng.standard_normal((3, 4, 5)) * 40).astype(np.float32)
    x.reshape(-1)[:6] = [0.5, 1.5, -2.5, 1e9, -1e9, 0.25]
    limits = np.iinfo(dtype)
    shape = () if axis is None else (x.shape[axis],)
    scale = np.float32(1) if axis is None else rng.uniform(0.05, 2, shape).astype(np.float32)
    zero_point = rng.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)
    attributes = {} if axis is None else {"axis": axis}
    inputs = [x, np.asarray(scale), np.asarray(zero_point)]
    model = make_model("QuantizeLinear", attributes, inputs, opset=21)
    np.testing.assert_array_equal(run_ours(tmp_path, model, inputs)[0], run_oracle(model, inputs)[0])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_dequantize_linear(tmp_path, rng, dtype, axis):
    x = spread(rng, dtype, (3, 4, 5))
    shape = () if axis is None else (x.shape[axis],)
    scale = rng.uniform(0.05, 2, shape).astype(np.float32)
    zero_point = None if dtype == "int32" else spread(rng, dtype, shape if shape else (1,)).reshape(shape)
    attributes = {} if axis is None else {"axis": axis}
    inputs = [x, np.asarray(scale), zero_point]
    if zero_point is None:
        inputs.pop()
    model = make_model("DequantizeLinear", attributes, inputs, opset=21)
    np.testing.assert_array_equal(run_ours(tmp_path, model, inputs)[0], run_oracle(model, inputs)[0])


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int4", "uint4"])
@pytest.mark.parametrize("axis, block", [(0, 2), (1, 3), (2, 4)])
def test_scales_of_blocks(tmp_path, rng, dtype, axis, block):
    x = (rng.standard_normal((3, 7, 10)) * 9).astype(np.float32)
    shape = list(x.shape)
    shape[axis] = -(-shape[axis] // block)
    scale = rng.uniform(0.5, 3, shape).astype(np.float32)
    zero_point = rng.integers(0, 6, shape).astype("int8" if dtype == "int4" else "uint8" if dtype == "uint4" else dtype)

    def widened(parameter):
        return np.repeat(parameter, block, axis)[tuple(slice(n) for n in x.shape)]

    kind = FOUR_BITS[dtype][0] if dtype in FOUR_BITS else None
    attributes = {"axis": axis, "block_size": block}
    model = make_model(
        "QuantizeLinear", attributes, [x, scale, zero_point], opset=21, types=kind and {2: kind}, constants=[1, 2]
    )
    codes = run_ours(tmp_path, model, [x, scale, zero_point])[0]
    np.testing.assert_array_equal(codes, quantized(x, widened(scale), widened(zero_point), dtype))
    model = make_model(
        "DequantizeLinear", attributes, [codes, scale, zero_point], opset=21, types=kind and {0: kind, 2: kind}
    )
    reals = run_ours(tmp_path, model, [codes, scale, zero_point])[0]
    difference = codes.astype(np.float32) - widened(zero_point).astype(np.float32)
    np.testing.assert_array_equal(reals, difference * widened(scale))


@pytest.mark.parametrize("scale", [1.0, 0.0, -3.0, 1e-6])
def test_dynamic_quantize_linear(tmp_path, rng, scale):
    x = (rng.standard_normal((4, 50)) * scale + scale).astype(np.float32)
    model = make_model("DynamicQuantizeLinear", {}, [x], 3)
    for mine, theirs in zip(run_ours(tmp_path, model, [x]), run_oracle(model, [x]), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("a_type, b_type", [("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8")])
def test_integer_matrix_products_are_exact(tmp_path, rng, a_type, b_type):
    a, b = spread(rng, a_type, (2, 5, 700)), spread(rng, b_type, (700, 6))  # sums beyond 2^24, where float32 rounds
    za, zb = np.array(7, a_type), np.arange(6).astype(b_type)
    expected = (a.astype(np.int32) - za.astype(np.int32)) @ (b.astype(np.int32) - zb.astype(np.int32))
    check(tmp_path, "MatMulInteger", {}, [a, b, za, zb], [expected.astype(np.int32)])
    check(tmp_path, "MatMulInteger", {}, [a, b], [a.astype(np.int32) @ b.astype(np.int32)])
    rows = np.arange(5).astype(a_type)
    expected = (a.astype(np.int32) - rows.astype(np.int32)[:, None]) @ b.astype(np.int32)
    check(tmp_path, "MatMulInteger", {}, [a, b, rows], [expected])


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("per_column", [False, True])
def test_qlinear_matmul_gives_the_codes_of_onnxruntime(tmp_path, rng, dtype, per_column):
    a, b = spread(rng, dtype, (3, 9, 64)), spread(rng, dtype, (64, 12))
    scales = rng.uniform(0.01, 0.02, 12 if per_column else 1).astype(np.float32)
    zeros = (np.full(12, 3) if per_column else np.array([3])).astype(dtype)
    if not per_column:
        scales, zeros = scales.reshape(()), zeros.reshape(())
    inputs = [a, np.float32(0.02), np.array(9, dtype), b, scales, zeros, np.float32(0.9), np.array(100, dtype)]
    inputs = [np.asarray(i) for i in inputs]
    model = make_model("QLinearMatMul", {}, inputs, opset=10, constants=[1, 2, 3, 4, 5, 6, 7])
    np.testing.assert_array_equal(run_ours(tmp_path, model, inputs)[0], run_oracle(model, inputs)[0])


@pytest.mark.parametrize("group", [1, 2])
def test_conv_integer_pads_with_the_zero_point(tmp_path, rng, group):
    x, w = spread(rng, "uint8", (2, 4, 7, 6)), spread(rng, "uint8", (6, 4 // group, 3, 3))
    inputs = [x, w, np.array(130, np.uint8), np.array(7, np.uint8)]
    attributes = {"group": group, "pads": [1, 0, 2, 1], "strides": [2, 1]}
    model = make_model("ConvInteger", attributes, inputs, opset=10)
    np.testing.assert_array_equal(run_ours(tmp_path, model, inputs)[0], run_oracle(model, inputs)[0])


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_qlinear_conv_is_within_a_code_of_onnxruntime(tmp_path, rng, per_channel, biased):
    # Weights of seven bits: without VNNI onnxruntime adds two products of eight bits in sixteen, saturated.
    x, w = spread(rng, "uint8", (1, 8, 9, 9)), spread(rng, "int8", (5, 8, 3, 3)) // 2
    w_scale = rng.uniform(0.002, 0.02, 5).astype(np.float32) if per_channel else np.float32(0.01)
    w_zero = np.zeros(5, np.int8) if per_channel else np.int8(0)
    inputs = [x, np.float32(0.02), np.uint8(128), w, w_scale, w_zero, np.float32(0.11), np.uint8(120)]
    inputs = [np.asarray(i) for i in inputs] + ([rng.integers(-9000, 9000, 5).astype(np.int32)] if biased else [])
    model = make_model("QLinearConv", {"pads": [1, 1, 1, 1]}, inputs, opset=10, constants=list(range(1, len(inputs))))
    ours, theirs = run_ours(tmp_path, model, inputs)[0], run_oracle(model, inputs)[0]
    apart = np.abs(ours.astype(int) - theirs.astype(int))
    assert ours.dtype == theirs.dtype and apart.max() <= 1 and np.mean(apart) < 0.01
    assert np.unique(ours).size > 50  # a case that saturates everywhere would say nothing


# ---- In compiled models ----


def coded_network():
    """Conv between codes, TopK of its channels, and the best ones scattered back: reals, codes and indices together."""
    random = np.random.default_rng(9)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "sx", "zx"], ["xd"]),
        helper.make_node("DequantizeLinear", ["wq", "sw"], ["wd"], axis=0),
        helper.make_node("Conv", ["xd", "wd"], ["y"], pads=[1, 1, 1, 1]),
        helper.make_node("TopK", ["y", "k"], ["best", "places"], axis=1),
        helper.make_node("Atan", ["best"], ["bent"]),
        helper.make_node("ScatterElements", ["y", "places", "bent"], ["scattered"], axis=1),
        helper.make_node("Cast", ["places"], ["bits"], to=TensorProto.UINT8),
        helper.make_node("BitShift", ["bits", "one"], ["shifted"], direction="LEFT"),
    ]
    constants = {
        "sx": np.float32(2 / 255),
        "zx": np.uint8(128),
        "wq": random.integers(-127, 128, (6, 3, 3, 3)).astype(np.int8),
        "sw": random.uniform(1e-3, 2e-3, 6).astype(np.float32),
        "k": np.array([2], np.int64),
        "one": np.uint8(1),
    }
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])]
    results = [onnx.ValueInfoProto(name=n) for n in ("scattered", "shifted")]
    initializers = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    graph = helper.make_graph(nodes, "net", ports, results, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("quantize", [None, "w8a8"])
def test_codes_reals_and_indices_live_in_one_compiled_model(tmp_path, rng, quantize):
    path = tmp_path / "net.onnx"
    onnx.save(coded_network(), path)
    x = rng.uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    reals, bits = session.run(None, {"x": x})
    golden = openrknn.import_model(path)
    got = golden.run({"x": x})
    np.testing.assert_allclose(got[0], reals, atol=1e-5)
    np.testing.assert_array_equal(got[1], bits)
    compiled = openrknn.compile(golden, quantize=quantize, dataset=[{"x": x}] if quantize else None)
    compiled.save(tmp_path / "net.rknn")
    mine = openrknn.load(tmp_path / "net.rknn").run({"x": x})
    # A small change may exchange two nearly equal channels, whose numbers then move.
    assert np.mean(np.abs(mine[0] - reals) > 0.05 * np.abs(reals).max()) < 0.05
    assert np.mean(mine[1] != bits) < 0.1
