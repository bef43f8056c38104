"""Layers, pools, normalisations and reductions against onnxruntime (or onnx's reference evaluator)."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
from onnx import helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from operator_case import SUMS, needs_tools, run_oracle, trials  # noqa: E402

pytestmark = needs_tools


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
