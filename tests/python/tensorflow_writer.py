"""Writes small frozen graphs of TensorFlow (graph.proto, attr_value.proto, tensor.proto), without TensorFlow."""

import numpy as np
from caffe_writer import field as bytes_field
from caffe_writer import varint

TYPES = {
    np.dtype(np.float32): 1,
    np.dtype(np.float64): 2,
    np.dtype(np.int32): 3,
    np.dtype(np.uint8): 4,
    np.dtype(np.int64): 9,
    np.dtype(np.bool_): 10,
    np.dtype(np.float16): 19,
}


def field(number, value):
    """Bytes, or a whole number (negative ones as 64 bits of two's complement)."""
    return varint(number << 3) + varint(int(value) % 2**64) if isinstance(value, int) else bytes_field(number, value)


def text(number, value):
    return field(number, value.encode())


def shape_message(shape):
    return b"".join(field(2, field(1, extent)) for extent in shape)


def tensor_message(array):
    array = np.asarray(array, order="C")
    return field(1, TYPES[array.dtype]) + field(2, shape_message(array.shape)) + field(4, array.tobytes())


def attribute(value):
    """By its Python type; what has none of its own by a pair: ("type", dtype), "shape", "tensor" or "function"."""
    if isinstance(value, tuple):
        kind, content = value
        if kind == "type":
            return field(6, TYPES[np.dtype(content)])
        if kind == "function":
            return field(10, text(1, content))
        return field(7, shape_message(content)) if kind == "shape" else field(8, tensor_message(content))
    if isinstance(value, bool):
        return field(5, int(value))
    if isinstance(value, int):
        return field(3, value)
    if isinstance(value, float):
        return b"\x25" + np.float32(value).tobytes()
    if isinstance(value, str):
        return text(2, value)
    return field(1, b"".join(field(3, number) for number in value))


class TensorflowWriter:
    def __init__(self, seed=0):
        self.random, self.nodes, self.inputs = np.random.default_rng(seed), [], []
        self.functions = []

    def draw(self, *shape, low=-1.0, high=1.0):
        return self.random.uniform(low, high, shape).astype(np.float32)

    def op(self, op, inputs=(), name=None, **attributes):
        name = name or f"{op.lower()}_{len(self.nodes)}"
        body = text(1, name) + text(2, op) + b"".join(text(3, each) for each in inputs)
        for key, value in attributes.items():
            body += field(5, text(1, key) + field(2, attribute(value)))
        self.nodes.append(field(1, body))
        return name

    def input(self, shape, dtype=np.float32, name=None):
        name = name or f"input_{len(self.inputs)}"
        self.inputs.append(shape)
        return self.op("Placeholder", name=name, dtype=("type", dtype), shape=("shape", shape))

    def constant(self, array, name=None):
        return self.op("Const", name=name, value=("tensor", array), dtype=("type", np.asarray(array).dtype))

    def ints(self, *numbers):
        return self.constant(np.array(numbers, np.int32))

    def convolution(self, x, weights, stride=1, padding="SAME", **attributes):
        return self.op(
            "Conv2D", [x, self.constant(weights)], strides=[1, stride, stride, 1], padding=padding, **attributes
        )

    def function(self, name, body, arguments, results):
        """Named by calls; `body` a writer of its own, `results` the tensor of each result."""
        signature = text(1, name) + b"".join(field(2, text(1, each)) for each in arguments)
        signature += b"".join(field(3, text(1, each)) for each in results)
        nodes = b"".join(b"\x1a" + node[1:] for node in body.nodes)  # field 3, where a graph has field 1
        returned = b"".join(field(4, text(1, key) + text(2, tensor)) for key, tensor in results.items())
        self.functions.append(field(1, field(1, signature) + nodes + returned))

    def bytes(self):
        library = field(2, b"".join(self.functions)) if self.functions else b""
        return b"".join(self.nodes) + library

    def write(self, path):
        path.write_bytes(self.bytes())
        return path
