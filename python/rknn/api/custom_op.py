"""Operators that Python code computes: what RKNN.reg_custom_op takes, and what its methods are handed."""

from __future__ import annotations

import inspect

import numpy as np


class Node:
    """A node of the model as shape_infer and compute see it: `name` is unknown there, `attributes` are the model's."""

    def __init__(self, op_type: str, attributes: dict):
        self.op_type, self.attributes = op_type, attributes

    def __repr__(self) -> str:
        return f"Node({self.op_type}, {self.attributes})"


def get_node_attr(node: Node, name: str):
    """The value of the node's attribute: a number, text, list or array. Raises KeyError naming those there are."""
    try:
        return node.attributes[name]
    except KeyError:
        known = ", ".join(sorted(node.attributes)) or "none"
        raise KeyError(f"{node.op_type} has no attribute '{name}'; it has {known}") from None


def _method(custom_op, name: str, parameters: list[str]):
    """The bound method, None if the class has none. Raises ValueError for other parameters than documented."""
    method = getattr(custom_op, name, None)
    if method is None:
        return None
    found = list(inspect.signature(method).parameters)
    if found != parameters:
        raise ValueError(
            f"reg_custom_op: {type(custom_op).__name__}.{name} takes {found}, expected {parameters} after self"
        )
    return method


def custom_op_code(custom_op) -> tuple:
    """(op_type, shape inference or None, computation or None) on plain arrays, for openrknn._core.Toolkit."""
    instance = custom_op() if inspect.isclass(custom_op) else custom_op
    op_type = getattr(instance, "op_type", None)
    if not isinstance(op_type, str):
        raise ValueError(f"reg_custom_op: {type(instance).__name__}.op_type is {op_type!r}, expected text")
    infer = _method(instance, "shape_infer", ["node", "in_shapes", "in_dtypes"])
    compute = _method(instance, "compute", ["node", "inputs"])

    def infer_types(attributes: dict, inputs: list) -> list:
        shapes, dtypes = infer(
            Node(op_type, attributes), [list(shape) for shape, _ in inputs], [np.dtype(name).type for _, name in inputs]
        )
        if len(shapes) != len(dtypes):
            raise ValueError(f"{op_type}: shape_infer gave {len(shapes)} shapes and {len(dtypes)} dtypes")
        pairs = zip(shapes, dtypes, strict=True)
        return [([int(extent) for extent in shape], np.dtype(dtype).name) for shape, dtype in pairs]

    def compute_outputs(attributes: dict, inputs: list) -> list:
        outputs = compute(Node(op_type, attributes), inputs)
        if not isinstance(outputs, (list, tuple)):
            raise ValueError(f"{op_type}: compute gave {type(outputs).__name__}, expected a list of arrays")
        return [np.asarray(output) for output in outputs]

    return op_type, infer and infer_types, compute and compute_outputs
