"""A product of matrices as an ONNX model, for points that were measured on it."""

import pathlib

import onnx
from onnx import TensorProto, helper


def write_matmul(folder, name: str, rows: int, inner: int, columns: int) -> pathlib.Path:
    """x[rows, inner] times a weight [inner, columns], which is filled at load: values do not matter to its cost."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [inner, columns])
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.01])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["b"], value=value),
        helper.make_node("MatMul", ["x", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, inner])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])],
        [shape],
    )
    path = pathlib.Path(folder) / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path
