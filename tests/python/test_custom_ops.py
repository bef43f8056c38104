"""Models with custom operators: imported from ONNX, written, inspected, run with plug-ins."""

import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402

PLUGINS = [
    pathlib.Path(os.environ.get("OPENRKNN_TEST_TOOLS", "")).parent / f"examples/custom_op_plugin/librkcst_{name}.so"
    for name in ("sigmoid", "dual_residual")
]


def network(typed=True):
    """conv -> cstSigmoid -> cstDualResidual(conv, .) {alpha} -> conv, with the custom results' types in value_info."""
    random = np.random.default_rng(3)
    weights = [
        small_models.constant("w0", random.standard_normal((4, 3, 3, 3)).astype(np.float32) * 0.3),
        small_models.constant("w1", random.standard_normal((2, 4, 1, 1)).astype(np.float32)),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["conv"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("cstSigmoid", ["conv"], ["gate"], name="gate", domain="rknn_cst"),
        helper.make_node("cstDualResidual", ["conv", "gate"], ["sum"], name="sum", domain="rknn_cst", alpha=0.5),
        helper.make_node("Conv", ["sum", "w1"], ["out"], name="out"),
    ]
    graph = helper.make_graph(
        nodes, "net", [small_models.value("image", [1, 3, 8, 8])], [small_models.value("out", [1, 2, 8, 8])], weights
    )
    if typed:
        graph.value_info.extend(small_models.value(name, [1, 4, 8, 8]) for name in ("gate", "sum"))
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("rknn_cst", 1)], ir_version=8
    )


def plain_network():
    """The same network without custom operators."""
    made = network()
    for node in list(made.graph.node):
        if node.op_type == "cstSigmoid":
            node.op_type, node.domain = "Sigmoid", ""
        elif node.op_type == "cstDualResidual":
            made.graph.initializer.append(small_models.constant("alpha", np.float32(0.5)))
            scaled = helper.make_node("Mul", ["gate", "alpha"], ["scaled"])
            add = helper.make_node("Add", ["conv", "scaled"], ["sum"])
            at = list(made.graph.node).index(node)
            made.graph.node.remove(node)
            made.graph.node.insert(at, add)
            made.graph.node.insert(at, scaled)
    return made


@pytest.fixture
def model_file(tmp_path):
    onnx_file = small_models.save(network(), tmp_path / "net.onnx")
    path = tmp_path / "net.rknn"
    openrknn.compile(openrknn.import_model(onnx_file), quantize=None).save(path)
    return path


@pytest.fixture
def image():
    return np.random.default_rng(5).uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32)


def test_a_graph_shows_the_users_operators(tmp_path):
    graph = openrknn.import_model(small_models.save(network(), tmp_path / "net.onnx"))
    assert "cstDualResidual" in str(graph)
    assert "alpha=0.5" in str(graph)


def test_unknown_shapes_name_the_node_and_what_to_do(tmp_path):
    with pytest.raises(openrknn.Error, match="(?s)gate.*value_info.*shape_infer"):
        openrknn.import_model(small_models.save(network(typed=False), tmp_path / "net.onnx"))


def test_running_without_the_code_names_the_operators(model_file, image):
    with pytest.raises(openrknn.Error, match="cstSigmoid.*rknn_register_custom_ops") as raised:
        openrknn.load(model_file).run({"image": image})
    assert "cstDualResidual" in str(raised.value)


def test_golden_without_the_code_names_the_operator(tmp_path, image):
    graph = openrknn.import_model(small_models.save(network(), tmp_path / "net.onnx"))
    with pytest.raises(openrknn.Error, match="cstSigmoid is a custom operator"):
        graph.run({"image": image})


def test_an_int8_build_without_the_code_says_so(tmp_path, image):
    graph = openrknn.import_model(small_models.save(network(), tmp_path / "net.onnx"))
    with pytest.raises(openrknn.Error, match="cstSigmoid is a custom operator"):
        openrknn.compile(graph, quantize="w8a8", dataset=[{"image": image}])


@pytest.mark.skipif(not all(path.exists() for path in PLUGINS), reason="the example plug-ins are not built")
def test_a_session_with_plugins_computes_what_built_in_operators_compute(model_file, tmp_path, image):
    plain = openrknn.import_model(small_models.save(plain_network(), tmp_path / "plain.onnx"))
    (wanted,) = plain.run({"image": image})
    with pytest.warns(UserWarning, match="Custom op loading requested"):
        session = openrknn.InferenceSession(
            str(model_file), provider_options={"custom_op_paths": [str(path) for path in PLUGINS], "layout": "nchw"}
        )
    (got,) = session.run(None, {"image": image})
    np.testing.assert_allclose(got, wanted, rtol=0, atol=4e-3 * np.abs(wanted).max())


def test_inspect_lists_the_custom_operators(model_file):
    command = [*command_line(), "inspect", str(model_file)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "cstDualResidual (1 node), cstSigmoid (1 node)" in text
    said = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    assert said["custom_ops"] == {"cstDualResidual": 1, "cstSigmoid": 1}
    assert "cstSigmoid" in [operation["op"] for operation in said["operations"]]
