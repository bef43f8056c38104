"""One ONNX node as a model, run through importer and executor and by onnxruntime."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

import openrknn


def make_model(op, attributes, inputs, outputs=1, opset=18, constants=(), types=None, domain=""):
    """`inputs`: arrays, or None for one left out; those whose index is in `constants` become initializers. `types`: the
    element types of inputs whose arrays cannot say it (4-bit integers)."""
    types = types or {}
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(inputs)]
    given = [(i, name, np.asarray(array)) for i, (name, array) in enumerate(zip(names, inputs, strict=True)) if name]

    def kind(i, array):
        return types.get(i, None) or helper.np_dtype_to_tensor_dtype(array.dtype)

    ports = [helper.make_tensor_value_info(n, kind(i, a), a.shape) for i, n, a in given if i not in constants]
    initializers = []
    for i, name, array in given:
        if i not in constants:
            continue
        if i in types:
            initializers.append(helper.make_tensor(name, types[i], array.shape, array.ravel().tolist()))
        else:
            initializers.append(numpy_helper.from_array(array, name))
    results = [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)]
    node = helper.make_node(op, names, [r.name for r in results], domain=domain, **attributes)
    graph = helper.make_graph([node], "case", ports, results, initializers)
    domains = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=domains, ir_version=10)


def feeds_of(model, inputs):
    arrays = {f"x{i}": np.asarray(a) for i, a in enumerate(inputs) if a is not None}
    return {i.name: arrays[i.name] for i in model.graph.input}


def run_ours(folder, model, inputs):
    path = folder / "node.onnx"
    onnx.save(model, path)
    feeds = feeds_of(model, inputs)
    # An extent of 0 in a file may also mean "unknown", so it has to be said.
    graph = openrknn.import_model(path, input_shapes=[list(a.shape) for a in feeds.values()])
    return graph.run(feeds)


def run_oracle(model, inputs):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    inferred = onnx.shape_inference.infer_shapes(model)
    session = ort.InferenceSession(inferred.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds_of(model, inputs))


def refusal(folder, model, inputs=()):
    """What the importer says about the model; fails if it says nothing."""
    path = folder / "refused.onnx"
    onnx.save(model, path)
    try:
        openrknn.import_model(path)
    except (openrknn.Error, ValueError) as problem:
        return str(problem)
    raise AssertionError("the model was imported")
