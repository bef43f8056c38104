"""quantized_hybrid_level: which layers of an int8 build are not int8."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402

import openrknn  # noqa: E402


@pytest.fixture
def random():
    return np.random.default_rng(11)


def network():
    """first -> depthwise -> middle -> Add -> pool -> Gemm: a layer for every level."""
    random = np.random.default_rng(3)
    constants = [
        small_models.constant(name, (random.standard_normal(shape) * 0.3).astype(np.float32))
        for name, shape in [("w0", (8, 3, 3, 3)), ("w1", (8, 1, 3, 3)), ("w2", (8, 8, 1, 1)), ("w3", (8, 4))]
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["first"], name="first", pads=[1] * 4),
        helper.make_node("Conv", ["first", "w1"], ["depthwise"], name="depthwise", group=8, pads=[1] * 4),
        helper.make_node("Conv", ["depthwise", "w2"], ["middle"], name="middle"),
        helper.make_node("Add", ["middle", "depthwise"], ["sum"], name="sum"),
        helper.make_node("GlobalAveragePool", ["sum"], ["pooled"], name="pooled"),
        helper.make_node("Flatten", ["pooled"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "w3"], ["last"], name="last"),
    ]
    inputs, outputs = [small_models.value("x", (1, 3, 8, 8))], [small_models.value("last", (1, 4))]
    return small_models.model(nodes, inputs, outputs, constants)


@pytest.fixture
def levels(tmp_path, random):
    path = small_models.save(network(), tmp_path / "net.onnx")
    samples = [random.uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32) for _ in range(8)]

    def at(level, target="rk3588", **options):
        model = openrknn.compile(path, target=target, dataset=samples, quantized_hybrid_level=level, **options)
        return {row["node"]: row for row in model.report["precision"]}

    return at


def lifted(rows):
    return {name for name in ("first", "depthwise", "middle", "sum", "pooled", "last") if rows[name]["dtype"] != "int8"}


@pytest.mark.proves("config.quantized_hybrid_level")
def test_each_hybrid_level_leaves_more_out_of_int8(levels):
    assert lifted(levels(0)) == set()
    assert lifted(levels(1)) == {"first", "last"}
    assert lifted(levels(2)) == {"first", "last", "depthwise"}
    assert lifted(levels(3)) == {"first", "last", "depthwise", "sum", "pooled"}


def test_hybrid_levels_say_why_and_rules_win_over_them(levels):
    reason = "float16: it is the first layer behind an input (quantized_hybrid_level 1)"
    assert levels(1)["first"]["rule"] == reason
    assert lifted(levels(1, precision={"first": "int8"})) == {"last"}


def test_hybrid_levels_use_int16_where_there_is_no_float16(levels):
    assert levels(1, target="rv1106")["first"]["dtype"] == "int16"


@pytest.mark.parametrize("level", [-1, 4, "2", None])
def test_hybrid_levels_are_0_to_3(rknn, level):
    with pytest.raises(ValueError, match="quantized_hybrid_level: got .*expected 0, 1, 2 or 3"):
        rknn().config(target_platform="rk3588", quantized_hybrid_level=level)


def test_hybrid_levels_have_no_effect_without_int8(tmp_path):
    path = small_models.save(small_models.cnn(), tmp_path / "net.onnx")
    model = openrknn.compile(path, quantize=None, quantized_hybrid_level=2)
    assert any("no effect" in line and "quantized_hybrid_level" in line for line in model.report["warnings"])
