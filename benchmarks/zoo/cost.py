"""What a network of the zoo costs: multiply-accumulates and parameters, from the shapes of its layers."""

import math

import onnx

LAYERS = ("Conv", "ConvTranspose", "Gemm", "BatchNormalization")


def shapes_of(model: onnx.ModelProto) -> dict:
    """Name to shape of every tensor. Raises if the shape of one cannot be inferred."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    infos = [*graph.input, *graph.value_info, *graph.output]
    shapes = {info.name: [axis.dim_value for axis in info.type.tensor_type.shape.dim] for info in infos}
    shapes.update({tensor.name: list(tensor.dims) for tensor in graph.initializer})
    missing = [name for node in graph.node for name in node.output if 0 in shapes.get(name, [0])]
    if missing:
        raise ValueError(
            f"{graph.name}: no shape could be inferred for {missing[:5]} and others, {len(missing)} in all"
        )
    return shapes


def macs_of(node: onnx.NodeProto, shapes: dict) -> int:
    """Multiply-accumulates of a layer with weights; 0 for other nodes, as in the published counts."""
    if node.op_type == "Conv":  # one kernel [c_in / group, h, w] per element of the output
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "ConvTranspose":  # one kernel [c_out / group, h, w] per element of the input
        return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "Gemm":
        return math.prod(shapes[node.input[1]]) * shapes[node.output[0]][0]
    return 0


def count_macs(model: onnx.ModelProto) -> int:
    shapes = shapes_of(model)
    return sum(macs_of(node, shapes) for node in model.graph.node)


def count_parameters(model: onnx.ModelProto) -> int:
    """Elements of all layers' weights and biases."""
    shapes = shapes_of(model)
    layers = [node for node in model.graph.node if node.op_type in LAYERS]
    return sum(math.prod(shapes[name]) for node in layers for name in node.input[1:])
