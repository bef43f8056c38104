"""A node of a spatial operator with random attributes, imported from ONNX, against onnxruntime.

Where onnxruntime has no kernel for the types or ranks, onnx's reference evaluator is the oracle. Every failure names the
seed and the node, so that a case can be repeated.
"""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
openrknn = pytest.importorskip("openrknn")
from onnx import helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

DIMENSIONS = pytest.mark.parametrize("dimensions", [1, 2, 3])


def model_of(op, attributes, arrays, outputs=1, opset=22, constants=()):
    """One node; `arrays` may hold None (left out), those whose index is in `constants` are initializers."""
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(arrays)]
    while not names[-1]:
        names.pop()
    node = helper.make_node(op, names, [f"y{i}" for i in range(outputs)], **attributes)
    given = [(i, n, arrays[i]) for i, n in enumerate(names) if n]
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for i, n, a in given
        if i not in constants
    ]
    weights = [numpy_helper.from_array(a, n) for i, n, a in given if i in constants]
    results = [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], "case", inputs, results, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model), {n: a for i, n, a in given if i not in constants}


def run_onnxruntime(model, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, feeds)


def run_standard(model, feeds):
    return ReferenceEvaluator(model).run(None, feeds)


class Spatial:
    def __init__(self, folder, seed):
        self.folder, self.seed, self.rng = folder, seed, np.random.default_rng(seed)

    def integer(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def integers(self, low, high, count):
        return [self.integer(low, high) for _ in range(count)]

    def pick(self, *options):
        return options[self.rng.integers(0, len(options))]

    def normal(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def image(self, spatial, low=5, high=11, channels=None):
        return self.normal(self.integer(1, 2), channels or self.integer(1, 5), *self.integers(low, high, spatial))

    def window(self, spatial, auto_pads=("NOTSET", "NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")):
        """Attributes of a window, pads asymmetric and smaller than the kernel. SAME comes without dilations, which
        onnxruntime forgets in its padding."""
        kernel = self.integers(1, 3, spatial)
        attributes = dict(kernel_shape=kernel, strides=self.integers(1, 3, spatial))
        attributes["dilations"] = self.integers(1, 2, spatial)
        auto_pad = self.pick(*auto_pads)
        if auto_pad == "NOTSET":
            attributes["pads"] = [self.integer(0, k - 1) for k in kernel + kernel]
        else:
            attributes["auto_pad"] = auto_pad
        if auto_pad.startswith("SAME"):
            attributes["dilations"] = [1] * spatial
        return attributes

    def ours(self, model, feeds):
        path = self.folder / "model.onnx"
        onnx.save(model, path)
        return openrknn.import_model(path).run(feeds)

    def check(self, op, attributes, arrays, outputs=1, opset=22, constants=(), oracle=run_onnxruntime, tolerance=1e-5):
        """`oracle` may be what is expected already."""
        model, feeds = model_of(op, attributes, arrays, outputs, opset, constants)
        wanted = oracle(model, feeds) if callable(oracle) else oracle
        for got, want in zip(self.ours(model, feeds), wanted, strict=True):
            want, name = np.asarray(want), f"seed {self.seed}: {op} {attributes} on {[np.shape(a) for a in arrays]}"
            assert got.shape == want.shape and got.dtype == want.dtype, (name, got.shape, want.shape, got.dtype)
            scale = max(1.0, float(np.abs(want).max())) if want.dtype.kind == "f" and want.size else 1.0
            np.testing.assert_allclose(
                got, want, rtol=0, atol=tolerance * scale * (want.dtype.kind == "f"), err_msg=name
            )


def refusal(folder, op, attributes, arrays, opset=22, constants=()):
    """The sentence with which the importer refuses."""
    model, _ = model_of(op, attributes, arrays, 1, opset, constants)
    path = folder / "model.onnx"
    onnx.save(model, path)
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model(path)
    return str(caught.value)
