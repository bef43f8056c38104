"""Small models with bodies, against onnxruntime: as imported and optimized."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import openrknn  # noqa: E402

TYPES = {np.dtype(t): getattr(TensorProto, n) for t, n in
         [("f4", "FLOAT"), ("i8", "INT64"), ("i4", "INT32"), ("i2", "INT16"), ("i1", "INT8"), ("u1", "UINT8"),
          ("?", "BOOL"), ("f8", "DOUBLE"), ("f2", "FLOAT16")]}  # fmt: skip
F, LONG, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
N = helper.make_node


def info(name, kind=F, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def const(name, value, dtype=np.float32):
    return numpy_helper.from_array(np.array(value, dtype), name)


def model(nodes, inputs, outputs, constants=(), opset=18):
    graph = helper.make_graph(
        nodes, "g", [info(n, TYPES[a.dtype], a.shape) for n, a in inputs.items()], outputs, list(constants)
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def body(nodes, inputs, outputs, constants=()):
    return helper.make_graph(nodes, "body", inputs, outputs, list(constants))


def check(tmp_path, made, inputs, more_inputs=(), rtol=1e-6):
    """Every set of inputs through one import; the oracle is onnxruntime."""
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    graph = openrknn.import_model(path)
    for feeds in [inputs, *more_inputs]:
        expected = session.run(None, {n: np.asarray(v) for n, v in feeds.items()})
        for optimize in (True, False):
            got = graph.run(feeds, optimize=optimize)
            assert len(got) == len(expected)
            for mine, theirs in zip(got, expected, strict=True):
                mine = np.asarray(mine)
                assert mine.shape == theirs.shape, (mine.shape, theirs.shape)
                if theirs.dtype.kind == "f":
                    np.testing.assert_allclose(mine, theirs.astype(np.float32), rtol=rtol, atol=1e-6)
                else:
                    assert mine.dtype == theirs.dtype
                    np.testing.assert_array_equal(mine, theirs)
    return graph


def refusal(tmp_path, made, feeds=None):
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(openrknn.Error) as caught:
        graph = openrknn.import_model(path)
        assert feeds is not None, "the import was to fail"
        graph.run(feeds)
    return str(caught.value)
