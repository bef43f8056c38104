"""Small ONNX models, made as a test needs them. Weights come from fixed seeds, so every run builds the same bytes."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def value(name, shape, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs, outputs, initializers=(), opset=17, metadata=None, check=True):
    graph = helper.make_graph(nodes, "net", inputs, outputs, list(initializers))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if metadata:
        helper.set_model_props(made, metadata)
    if check:
        onnx.checker.check_model(made)
    return made


def save(made, path):
    path.write_bytes(made.SerializeToString())
    return path


def cnn(channels=3, size=16, seed=0, metadata=None):
    """[1, channels, size, size] image -> conv, ReLU, depthwise conv, pool -> 10 numbers, and the pooled map."""
    random = np.random.default_rng(seed)

    def weights(name, *shape):
        return constant(name, (random.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5).astype(np.float32))

    nodes = [
        helper.make_node("Conv", ["image", "w0", "b0"], ["conv"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"], name="relu"),
        helper.make_node("Conv", ["relu", "w1"], ["depthwise"], name="depthwise", group=8, pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["depthwise"], ["pooled"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["pooled"], ["average"], name="average"),
        helper.make_node("Flatten", ["average"], ["flat"], name="flatten"),
        helper.make_node("Gemm", ["flat", "w2", "b2"], ["scores"], name="scores", transB=1),
    ]
    initializers = [
        weights("w0", 8, channels, 3, 3),
        constant("b0", random.standard_normal(8).astype(np.float32) * 0.1),
        weights("w1", 8, 1, 3, 3),
        weights("w2", 10, 8),
        constant("b2", random.standard_normal(10).astype(np.float32) * 0.1),
    ]
    inputs = [value("image", [1, channels, size, size])]
    outputs = [value("scores", [1, 10]), value("pooled", [1, 8, size // 2, size // 2])]
    return model(nodes, inputs, outputs, initializers, metadata=metadata)


def dense(features=6, seed=0):
    """[1, features] -> 4 numbers: a model without images."""
    random = np.random.default_rng(seed)
    return model(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="dense", transB=1)],
        [value("x", [1, features])],
        [value("y", [1, 4])],
        [
            constant("w", random.standard_normal((4, features)).astype(np.float32)),
            constant("b", random.standard_normal(4).astype(np.float32)),
        ],
    )


def two_inputs():
    """An image and a vector: conv(image) averaged, plus the vector."""
    random = np.random.default_rng(3)
    return model(
        [
            helper.make_node("Conv", ["image", "w"], ["conv"], name="conv"),
            helper.make_node("GlobalAveragePool", ["conv"], ["average"], name="average"),
            helper.make_node("Flatten", ["average"], ["flat"], name="flatten"),
            helper.make_node("Add", ["flat", "vector"], ["sum"], name="sum"),
        ],
        [value("image", [1, 3, 8, 8]), value("vector", [1, 4])],
        [value("sum", [1, 4])],
        [constant("w", random.standard_normal((4, 3, 3, 3)).astype(np.float32))],
    )


def arg_max():
    """[1, 8] -> the index of the largest (int64) and the values doubled."""
    return model(
        [
            helper.make_node("Add", ["x", "x"], ["doubled"], name="doubled"),
            helper.make_node("ArgMax", ["doubled"], ["index"], name="index", axis=1, keepdims=0),
        ],
        [value("x", [1, 8])],
        [value("index", [1], TensorProto.INT64), value("doubled", [1, 8])],
    )


def photo(height, width, seed):
    """A smooth uint8 RGB picture: nearer to a photograph than noise is."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = [
        127 + 90 * np.sin(x * random.uniform(0.05, 0.6) + y * random.uniform(0.05, 0.6) + random.uniform(0, 6))
        for _ in range(3)
    ]
    noise = random.normal(0, 12, (height, width, 3))
    return np.clip(np.stack(planes, -1) + noise, 0, 255).astype(np.uint8)
