"""Operators given what they cannot take: a diagnostic that names the node, whatever is wrong; never a crash or a hang.

Every operator of random_onnx_operators.py is built validly and then damaged in one way. The importer may find a damaged
model valid after all (an axis may be wrong for one operator and unused in another): then it must run.
"""

import os

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from random_onnx import Builder, Rejected  # noqa: E402
from random_onnx_operators import MAKERS  # noqa: E402
from test_random_onnx import ALONE  # noqa: E402

import openrknn  # noqa: E402

TRIALS = int(os.environ.get("OPENRKNN_TEST_TRIALS", "3"))


def build(op, seed):
    random = np.random.default_rng(seed)
    for attempt in range(20):
        opset = {"opset": ALONE[op]} if op in ALONE else {}
        builder = Builder(lambda low, high: int(random.integers(low, high + 1)), seed + attempt, **opset)
        try:
            MAKERS[op](builder, op)
        except Rejected:
            continue
        if op in builder.operators():
            return builder.model()[0]
    pytest.fail(f"seed {seed}: no graph with {op}")


def node_of(model, op):
    node = next(n for n in model.graph.node if n.op_type == op)
    node.name = "the_node"
    return node


def dimensions(model, name):
    for value in [*model.graph.input]:
        if value.name == name:
            return value.type.tensor_type
    return None


# Each changes the model; False if there is nothing it could change.


def leave_out_an_input(model, node, random):
    if not node.input:
        return False
    del node.input[0]
    return True


def add_inputs(model, node, random):
    node.input.extend([node.input[0] if node.input else "nothing"] * 9)
    return True


def read_what_nobody_makes(model, node, random):
    if not node.input:
        return False
    node.input[0] = "nowhere"
    return True


def change_rank(model, node, random):
    tensor = next((t for t in (dimensions(model, n) for n in node.input) if t), None)
    if tensor is None:
        return False
    extents = [d.dim_value for d in tensor.shape.dim]
    extents = extents[1:] if extents and random.integers(0, 2) else [2, *extents, 3]
    del tensor.shape.dim[:]
    for extent in extents:
        tensor.shape.dim.add(dim_value=extent)
    return True


def change_extents(model, node, random):
    tensor = next((t for t in (dimensions(model, n) for n in node.input) if t), None)
    if tensor is None or not tensor.shape.dim:
        return False
    for dimension in tensor.shape.dim:
        dimension.dim_value = int(dimension.dim_value + random.integers(0, 8))
    return True


def change_type(model, node, random):
    tensor = next((t for t in (dimensions(model, n) for n in node.input) if t), None)
    if tensor is None:
        return False
    kinds = [onnx.TensorProto.BOOL, onnx.TensorProto.INT64, onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT16]
    tensor.elem_type = kinds[int(random.integers(0, len(kinds)))]
    return True


def change_attribute(values):
    def change(model, node, random):
        attributes = [a for a in node.attribute if a.type in (a.INT, a.INTS)]
        if not attributes:
            return False
        attribute = attributes[int(random.integers(0, len(attributes)))]
        value = values[int(random.integers(0, len(values)))]
        if attribute.type == attribute.INT:
            attribute.i = value
        elif attribute.ints:
            attribute.ints[int(random.integers(0, len(attribute.ints)))] = value
        return True

    return change


def change_text(model, node, random):
    texts = [a for a in node.attribute if a.type == a.STRING]
    if not texts:
        return False
    texts[0].s = b"nonsense"
    return True


def lengthen_list(model, node, random):
    lists = [a for a in node.attribute if a.type == a.INTS]
    if not lists:
        return False
    lists[int(random.integers(0, len(lists)))].ints.extend([1, 1, 1, 1, 1])
    return True


def change_constant(values):
    def change(model, node, random):
        integers = [
            i for i in model.graph.initializer if i.name in node.input and i.data_type == onnx.TensorProto.INT64
        ]
        if not integers:
            return False
        tensor = integers[int(random.integers(0, len(integers)))]
        array = onnx.numpy_helper.to_array(tensor).copy()
        if array.size == 0:
            return False
        array.flat[int(random.integers(0, array.size))] = values[int(random.integers(0, len(values)))]
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        return True

    return change


def grow(model, node, random):
    """Extents whose product no memory holds, or no 64-bit number."""
    tensor = next((t for t in (dimensions(model, n) for n in node.input) if t), None)
    if tensor is None or not tensor.shape.dim:
        return False
    for dimension in tensor.shape.dim:
        dimension.dim_value = 2**36
    return True


DAMAGES = {
    "an input left out": leave_out_an_input,
    "too many inputs": add_inputs,
    "an input nobody makes": read_what_nobody_makes,
    "another rank": change_rank,
    "other extents": change_extents,
    "another type": change_type,
    "attributes of 0 and below": change_attribute([0, -1, -7]),
    "attributes far out of range": change_attribute([99, 2**31, 2**62, -(2**62)]),
    "an unknown word": change_text,
    "lists too long": lengthen_list,
    "constants of 0 and below": change_constant([0, -1, -7]),
    "constants far out of range": change_constant([99, 2**40, 2**62, -(2**62)]),
    "giant extents": grow,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("op", sorted(MAKERS))
def test_a_damaged_operator_is_refused_by_name_or_runs(op, damage, tmp_path):
    for seed in range(TRIALS):
        random = np.random.default_rng(seed)
        model = build(op, seed)
        node = node_of(model, op)
        if not DAMAGES[damage](model, node, random):
            continue
        path = tmp_path / "damaged.onnx"
        path.write_bytes(model.SerializeToString())
        context = f"seed {seed}\n{onnx.printer.to_text(model)[:2000]}"
        try:
            graph = openrknn.import_model(path)
            graph.run({n: np.zeros(shape, dtype) for n, shape, dtype in graph.inputs})
        except openrknn.Error as error:
            # Of the model as a whole (a tensor nobody makes, an input of 2^90 elements), or of this node.
            for found in error.diagnostics:
                assert found["node"] or found["tensor"] or found["file"], f"{error}\n{context}"
                assert found["name"] != "general.internal", f"{error}\n{context}"
        except (ValueError, MemoryError) as error:
            # numpy has no array for the feed of a graph that was found valid.
            assert damage == "giant extents" or "extents" in damage, f"{error!r}\n{context}"
