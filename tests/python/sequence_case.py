"""A node with named inputs through the importer, against onnxruntime or onnx's reference evaluator."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
openrknn = pytest.importorskip("openrknn")
from onnx import helper, numpy_helper  # noqa: E402
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
