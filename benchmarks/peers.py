"""What the peer, onnxruntime, is given: prepared, quantized and fp16-rounded copies of a model."""

import logging
import pathlib
from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

onnxruntime.set_default_logger_severity(4)
logging.getLogger().setLevel(logging.ERROR)  # "please pre-process": prepare() has done so


def prepare(model: pathlib.Path, prepared: pathlib.Path, shape: Sequence[int] | None = None) -> pathlib.Path:
    """What quantize_static needs to be valid and per channel: fixed shapes, opset 17 or later, weights as initializers."""
    loaded = onnx.load(model)
    names = {initializer.name for initializer in loaded.graph.initializer}
    for value in [value for value in loaded.graph.input if value.name in names]:
        loaded.graph.input.remove(value)
    if shape is not None:
        declared = loaded.graph.input[0].type.tensor_type.shape
        del declared.dim[:], loaded.graph.value_info[:]
        declared.dim.extend(onnx.TensorShapeProto.Dimension(dim_value=size) for size in shape)
        for value in loaded.graph.output:  # they follow from the input's
            value.type.tensor_type.ClearField("shape")
    constants = [node for node in loaded.graph.node if node.op_type == "Constant"]
    for node in constants:
        tensor = onnx.TensorProto()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        loaded.graph.initializer.append(tensor)
        loaded.graph.node.remove(node)
    if loaded.opset_import[0].version < 17:
        loaded = version_converter.convert_version(loaded, 17)
    onnx.save(loaded, prepared)
    return prepared


class Feeds(CalibrationDataReader):
    """Feeds one after another, read when asked for."""

    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def quantize(prepared: pathlib.Path, quantized: pathlib.Path, feeds) -> None:
    """Per-channel MinMax QDQ: QUInt8 activations, QInt8 weights."""
    quantize_static(
        prepared,
        quantized,
        Feeds(feeds),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def round_to_float16(prepared: pathlib.Path, rounded: pathlib.Path) -> None:
    """Every weight and every tensor between nodes rounded to fp16, arithmetic in fp32."""
    model = onnx.shape_inference.infer_shapes(onnx.load(prepared))
    graph = model.graph
    known = [*graph.value_info, *graph.input, *graph.output]
    floats = {value.name for value in known if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    for initializer in graph.initializer:
        if initializer.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(initializer)
            # Constants such as 1e-12 vanish and -inf masks stay: what a cast does.
            with np.errstate(over="ignore"):
                initializer.CopyFrom(
                    numpy_helper.from_array(values.astype(np.float16).astype(np.float32), initializer.name)
                )
    outputs = {value.name for value in graph.output}
    nodes, renamed = [], {}

    def round_tensor(name: str, result: str) -> None:
        nodes.append(helper.make_node("Cast", [name], [f"{result}/half"], to=TensorProto.FLOAT16))
        nodes.append(helper.make_node("Cast", [f"{result}/half"], [result], to=TensorProto.FLOAT))

    for value in graph.input:
        if value.name in floats:
            renamed[value.name] = f"{value.name}/rounded"
            round_tensor(value.name, renamed[value.name])
    for node in list(graph.node):
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
        nodes.append(node)
        for i, name in enumerate(node.output):
            if name not in floats:
                continue
            if name in outputs:  # the output keeps its name, so the node's own result gets another
                node.output[i] = f"{name}/exact"
                round_tensor(node.output[i], name)
            else:
                renamed[name] = f"{name}/rounded"
                round_tensor(name, renamed[name])
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    onnx.save(model, rounded)


def session(path: pathlib.Path, optimised: bool = True, threads: int = 0) -> onnxruntime.InferenceSession:
    """threads: 0 = as many as it likes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if not optimised:  # its optimiser would take pairs of casts out
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
