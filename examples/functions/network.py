"""What the examples of this folder share: a small network as an ONNX file, and pictures for its dataset."""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(path, height="height", width="width", silent_channels=0, softmax=False):
    """An image [1, 3, height, width] -> two convolutions -> the mean of four channels. Names stand for open extents.

    silent_channels: so many of the first layer's sixteen give nothing but zeros. softmax: the four numbers are shares.
    """
    random = np.random.default_rng(0)

    def weights(name, *shape):
        return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32), name

    first, bias = weights("w0", 16, 3, 3, 3)[0], np.full(16, 0.1, np.float32)
    first[16 - silent_channels :], bias[16 - silent_channels :] = 0, -0.1
    nodes = [
        helper.make_node("Conv", ["image", "w0", "b0"], ["conv"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["features"], name="features"),
        helper.make_node("Conv", ["features", "w1"], ["maps"], name="maps"),
        helper.make_node("GlobalAveragePool", ["maps"], ["means"], name="means"),
        helper.make_node("Flatten", ["means"], ["flat" if softmax else "scores"], name="flat"),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["flat"], ["scores"], name="scores"))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, height, width])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4])],
        [
            numpy_helper.from_array(first, "w0"),
            numpy_helper.from_array(bias, "b0"),
            numpy_helper.from_array(*weights("w1", 4, 16, 1, 1)),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def pictures(folder, height, width, count=4):
    """Writes 0.npy, 1.npy, ... [1, 3, height, width] and dataset.txt into the folder. Returns the dataset's path."""
    random = np.random.default_rng(1)
    folder = pathlib.Path(folder)
    for i in range(count):
        np.save(folder / f"{i}.npy", random.integers(0, 256, (1, 3, height, width), dtype=np.uint8))
    (folder / "dataset.txt").write_text("".join(f"{i}.npy\n" for i in range(count)))
    return str(folder / "dataset.txt")
