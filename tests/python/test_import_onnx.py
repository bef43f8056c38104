"""The ONNX importer against onnxruntime: the forms operators had over the opsets. (The standard's own cases: test_onnx_node_cases.py.)

A model is imported and run in float32 by `openrknn.import_model(path).run(feeds)`; where the Python package is not
built, by the tool `run_onnx` of the build's tests folder, named by OPENRKNN_TEST_TOOLS.
"""

import os
import subprocess

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

TOOLS = os.environ.get("OPENRKNN_TEST_TOOLS")
try:
    import openrknn
except ImportError:
    openrknn = None
pytestmark = pytest.mark.skipif(not TOOLS and openrknn is None, reason="neither the package nor OPENRKNN_TEST_TOOLS")


class Refused(Exception):
    """The importer said why it cannot."""


def run_ours(folder, model, feeds, shapes=None):
    path = folder / "model.onnx"
    onnx.save(model, path)
    shapes = shapes and [list(s) for s in shapes]
    if openrknn is not None:
        try:
            return openrknn.import_model(path, input_shapes=shapes).run(feeds)
        except (ValueError, RuntimeError) as error:
            raise Refused(str(error)) from error
    command = [os.path.join(TOOLS, "run_onnx"), path, folder / "out"]
    for shape in shapes or []:
        command += ["--shape", ",".join(map(str, shape))]
    for i, array in enumerate(feeds.values()):
        np.save(folder / f"in{i}.npy", array)
        command.append(folder / f"in{i}.npy")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode == 1:
        raise Refused(done.stderr)
    assert done.returncode == 0, f"died with {done.returncode}: {done.stderr}"
    return [np.load(folder / f"out{i}.npy") for i in range(len(model.graph.output))]


def run_oracle(model, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, feeds)


def assert_close(ours, wanted, tolerance=1e-4):
    assert len(ours) == len(wanted)
    for got, want in zip(ours, wanted, strict=True):
        want = np.asarray(want)
        assert got.shape == want.shape
        got, want = got.astype(np.float64), want.astype(np.float64)
        finite = want[np.isfinite(want)]
        scale = max(1.0, np.abs(finite).max()) if finite.size else 1.0
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale)


def since(op):
    return min(s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == op and s.domain == "")


X = (1, 4, 6, 6)


def floats(*values):
    return np.array(values, np.float32)


def longs(*values):
    return np.array(values, np.int64)


def as_attribute_until(last, name, values):
    """An attribute up to opset `last`, then a constant input."""

    def form(opset):
        return ({name: list(values)}, []) if opset <= last else ({}, [longs(*values)])

    return form


def resize(opset):
    if opset == 10:
        return {"mode": "linear"}, [floats(1, 1, 2, 2)]
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    roi, scales = (None, None) if opset >= 13 else (floats(), floats())  # empty, not absent, at first
    return attributes, [roi, scales, longs(1, 4, 9, 5)]


def batch_normalization(_):
    return {"epsilon": 1e-3}, [floats(1, 2, 3, 4), floats(0, 1, 0, 1), floats(1, 0, 1, 0), floats(1, 2, 1, 2)]


def slices(opset):
    if opset < 10:
        return {"starts": [1, -4], "ends": [99, -1], "axes": [1, 3]}, []
    return {}, [longs(1, -4), longs(99, -1), longs(1, 3), longs(1, 2)]


def pads(opset):
    if opset < 11:
        return {"pads": [0, 0, 1, 2, 0, 0, 0, 1], "value": 2.0}, []
    if opset < 18:
        return {}, [longs(0, 0, 1, 2, 0, 0, -1, 1), floats(2).reshape(())]
    return {"mode": "reflect"}, [longs(1, 2, 0, 1), None, longs(2, -1)]


def clips(opset):
    return ({"min": -0.5, "max": 0.5}, []) if opset < 11 else ({}, [floats(-0.5).reshape(()), floats(0.5).reshape(())])


def splits(opset):
    if opset < 13:
        return {"axis": 1, "split": [1, 3]}, []
    return ({"axis": 1}, [longs(1, 3)]) if opset < 18 else ({"axis": 1, "num_outputs": 2}, [])


def dropouts(opset):
    return ({"ratio": 0.3}, []) if opset < 12 else ({}, [floats(0.3).reshape(())])


def nothing(_):
    return {}, []


def gemm(_):
    return {"transB": 1, "alpha": 0.5, "beta": 2.0}, [np.ones((5, 4), np.float32), floats(1, 2, 3, 4, 5)]


def attribute_axis(axis):
    return lambda _: ({"axis": axis}, [])


def weights(*shape, **attributes):
    return lambda _: (attributes, [np.random.default_rng(1).standard_normal(shape).astype(np.float32)])


# op, shape of the data, form(opset) -> (attributes, constant inputs), outputs
FORMS = [
    ("Clip", X, clips, 1),
    ("Slice", X, slices, 1),
    ("Pad", X, pads, 1),
    ("Split", X, splits, 2),
    ("Dropout", X, dropouts, 1),
    ("Resize", X, resize, 1),
    ("BatchNormalization", X, batch_normalization, 1),
    ("Upsample", X, lambda o: ({"scales": [1.0, 1.0, 2.0, 3.0]}, []) if o < 9 else ({}, [floats(1, 1, 2, 3)]), 1),
    ("Squeeze", (1, 3, 1, 2), as_attribute_until(12, "axes", [0, 2]), 1),
    ("Unsqueeze", (3, 2), as_attribute_until(12, "axes", [0, 3]), 1),
    ("ReduceSum", X, as_attribute_until(12, "axes", [1, 3]), 1),
    ("Softmax", X, attribute_axis(1), 1),
    ("Softmax", X, nothing, 1),
    ("LogSoftmax", X, attribute_axis(2), 1),
    ("Hardmax", X, attribute_axis(2), 1),
    ("Flatten", X, attribute_axis(2), 1),
    ("ArgMax", X, attribute_axis(3), 1),
    ("Gemm", (3, 4), gemm, 1),
    ("Gemm", (4, 3), lambda _: ({"transA": 1}, [np.ones((4, 5), np.float32), floats(1, 2, 3).reshape(3, 1)]), 1),
    ("MatMul", (2, 3, 4), weights(4), 1),
    ("Conv", X, weights(6, 2, 3, 3, group=2, strides=[2, 2], auto_pad="SAME_LOWER"), 1),
    ("Conv", X, weights(5, 4, 3, 3, dilations=[2, 1], pads=[1, 2, 0, 1]), 1),
    ("ConvTranspose", X, weights(4, 3, 3, 3, strides=[2, 2], output_padding=[1, 0], pads=[1, 0, 0, 1]), 1),
    ("ConvTranspose", X, weights(4, 3, 3, 3, strides=[2, 2], auto_pad="SAME_UPPER"), 1),
    ("MaxPool", X, lambda _: ({"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1]}, []), 1),
    ("AveragePool", X, lambda _: ({"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}, []), 1),
    ("AveragePool", X, lambda _: ({"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, []), 1),
    ("Sum", X, lambda _: ({}, [np.ones(X, np.float32), np.ones((6,), np.float32)]), 1),
    ("Mean", X, lambda _: ({}, [np.ones(X, np.float32), np.ones((6,), np.float32)]), 1),
    ("Max", X, lambda _: ({}, [np.zeros(X, np.float32), floats(0.5)]), 1),
    ("PRelu", X, lambda _: ({}, [floats(0.1, 0.2, 0.3, 0.4).reshape(4, 1, 1)]), 1),
    ("LRN", X, lambda _: ({"size": 3, "alpha": 0.1, "beta": 0.7, "bias": 2.0}, []), 1),
    ("Cast", X, lambda _: ({"to": TensorProto.INT32}, []), 1),
    ("Tile", (2, 3), lambda _: ({}, [longs(2, 3)]), 1),
    ("Expand", (3, 1), lambda _: ({}, [longs(2, 1, 4)]), 1),
    ("Gather", X, lambda _: ({"axis": 1}, [longs(3, 0)]), 1),
    ("DepthToSpace", X, lambda _: ({"blocksize": 2}, []), 1),
    ("Transpose", X, lambda _: ({"perm": [0, 3, 1, 2]}, []), 1),
] + [
    (f"Reduce{kind}", X, as_attribute_until(17, "axes", [1, 3]), 1)
    for kind in ("Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp")
]


def cases_over_opsets():
    for op, shape, form, outputs in FORMS:
        last = 9 if op == "Upsample" else 24
        for opset in range(max(7, since(op)), last + 1):
            yield pytest.param(op, shape, form, outputs, opset, id=f"{op}-{opset}")


@pytest.mark.parametrize("op, shape, form, outputs, opset", list(cases_over_opsets()))
def test_every_form_over_the_opsets(tmp_path, op, shape, form, outputs, opset):
    attributes, constants = form(opset)
    if op in ("Sum", "Mean", "Max") and opset < 8:
        constants = [np.broadcast_to(c, shape).copy() for c in constants]  # no broadcasting yet
    names = ["x"] + [f"c{i}" if c is not None else "" for i, c in enumerate(constants)]
    results = [f"y{i}" for i in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(op, names, results, **attributes)],
        "case",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [onnx.ValueInfoProto(name=r) for r in results],
        [numpy_helper.from_array(c, f"c{i}") for i, c in enumerate(constants) if c is not None],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    feeds = {"x": np.random.default_rng(opset).standard_normal(shape).astype(np.float32)}
    assert_close(run_ours(tmp_path, inferred, feeds), run_oracle(inferred, feeds), 1e-5)
