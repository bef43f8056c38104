"""Generators of the benchmark networks: five well-known architectures with seeded random weights, as ONNX files.

python networks.py FOLDER writes resnet18_bn, resnet50, mobilenet_v2, yolov8n_like and vit_tiny. Weights are scaled so
that activations keep a sensible size; equal seeds give equal files.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    """Adds nodes and initializers; every method returns the name of what it computes."""

    def __init__(self, name: str, seed: int):
        self.name, self.rng = name, np.random.RandomState(seed)
        self.nodes, self.initializers = [], []

    def constant(self, values, dtype=np.float32) -> str:
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=dtype), name))
        return name

    def node(self, op: str, *inputs: str, outputs=None, **attributes):
        number = len(self.nodes)
        names = outputs or [f"{op.lower()}_{number}"]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"{op}_{number}", **attributes))
        return names[0] if len(names) == 1 else names

    def conv(self, x, c_in, c_out, k, stride=1, group=1, act="relu", norm=False, gain=2.0, pad=None):
        fan_in = c_in // group * k * k
        weight = self.rng.randn(c_out, c_in // group, k, k) * np.sqrt(gain / fan_in)
        inputs = [x, self.constant(weight)]
        if not norm:
            inputs.append(self.constant(self.rng.randn(c_out) * 0.05))
        pad = k // 2 if pad is None else pad
        y = self.node("Conv", *inputs, kernel_shape=[k, k], strides=[stride] * 2, pads=[pad] * 4, group=group)
        if norm:
            scale, shift = 1 + 0.1 * self.rng.randn(c_out), 0.05 * self.rng.randn(c_out)
            mean, variance = 0.05 * self.rng.randn(c_out), 1 + 0.2 * self.rng.rand(c_out)
            y = self.node("BatchNormalization", y, *(self.constant(v) for v in (scale, shift, mean, variance)))
        return ACTIVATIONS[act](self, y)

    def linear(self, x, c_in, c_out):
        product = self.node("MatMul", x, self.constant(self.rng.randn(c_in, c_out) / np.sqrt(c_in)))
        return self.node("Add", product, self.constant(np.zeros(c_out)))

    def classifier(self, x, channels, classes=1000):
        x = self.node("Flatten", self.node("GlobalAveragePool", x))
        weight = self.constant(self.rng.randn(classes, channels) / np.sqrt(channels))
        return self.node("Gemm", x, weight, self.constant(np.zeros(classes)), outputs=["output"], transB=1)

    def save(self, folder, inputs, outputs, opset=13):
        def infos(table):
            return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in table.items()]

        graph = helper.make_graph(self.nodes, self.name, infos(inputs), infos(outputs), self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, folder / f"{self.name}.onnx")


ACTIVATIONS = {
    "none": lambda b, x: x,
    "relu": lambda b, x: b.node("Relu", x),
    "relu6": lambda b, x: b.node("Clip", x, b.constant(0.0), b.constant(6.0)),
    "silu": lambda b, x: b.node("Mul", x, b.node("Sigmoid", x)),
}


def resnet(folder, name, blocks, bottleneck, norm):
    b = Builder(name, seed=11)
    x = b.conv("data", 3, 64, 7, stride=2, norm=norm)
    x = b.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (count, width) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True)):
        for block in range(count):
            stride = 2 if block == 0 and stage > 0 else 1
            width_out = width * 4 if bottleneck else width
            if bottleneck:
                y = b.conv(x, channels, width, 1, norm=norm)
                y = b.conv(y, width, width, 3, stride=stride, norm=norm)
                y = b.conv(y, width, width_out, 1, act="none", norm=norm, gain=0.3)
            else:
                y = b.conv(x, channels, width, 3, stride=stride, norm=norm)
                y = b.conv(y, width, width, 3, act="none", norm=norm, gain=0.5)
            if stride > 1 or channels != width_out:
                x = b.conv(x, channels, width_out, 1, stride=stride, act="none", norm=norm, gain=1.0)
            x = b.node("Relu", b.node("Add", y, x))
            channels = width_out
    b.classifier(x, channels)
    b.save(folder, {"data": [1, 3, 224, 224]}, {"output": [1, 1000]})


def mobilenet_v2(folder):
    b = Builder("mobilenet_v2", seed=12)
    x, channels = b.conv("input", 3, 32, 3, stride=2, act="relu6"), 32
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, width, count, first_stride in table:
        for block in range(count):
            stride = first_stride if block == 0 else 1
            inner = channels * expansion
            y = b.conv(x, channels, inner, 1, act="relu6") if expansion > 1 else x
            y = b.conv(y, inner, inner, 3, stride=stride, group=inner, act="relu6")
            y = b.conv(y, inner, width, 1, act="none", gain=1.0)
            x = b.node("Add", x, y) if stride == 1 and channels == width else y
            channels = width
    b.classifier(b.conv(x, channels, 1280, 1, act="relu6"), 1280)
    b.save(folder, {"input": [1, 3, 224, 224]}, {"output": [1, 1000]})


def yolov8n_like(folder, size=320, pixels=False):
    """pixels: boxes as centre and size in pixels, joined with the scores: how YOLO models are exported."""
    b = Builder("yolov8n_pixels" if pixels else "yolov8n_like", seed=13)

    def conv(x, c_in, c_out, k, stride=1):
        return b.conv(x, c_in, c_out, k, stride=stride, act="silu", gain=2.6)

    def c2f(x, c_in, c_out, count, shortcut):
        half = c_out // 2
        sizes = b.constant([half, half], np.int64)
        first, second = b.node(
            "Split", conv(x, c_in, c_out, 1), sizes, outputs=[f"a_{len(b.nodes)}", f"b_{len(b.nodes)}"], axis=1
        )
        parts = [first, second]
        for _ in range(count):
            y = conv(conv(parts[-1], half, half, 3), half, half, 3)
            parts.append(b.node("Add", parts[-1], y) if shortcut else y)
        return conv(b.node("Concat", *parts, axis=1), half * len(parts), c_out, 1)

    def upsample(x):
        scales = b.constant([1, 1, 2, 2])
        settings = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return b.node("Resize", x, "", scales, mode="nearest", **settings)

    def concat(*parts):
        return b.node("Concat", *parts, axis=1)

    x = conv(conv("images", 3, 16, 3, 2), 16, 32, 3, 2)
    x = c2f(x, 32, 32, 1, True)
    p3 = c2f(conv(x, 32, 64, 3, 2), 64, 64, 2, True)
    p4 = c2f(conv(p3, 64, 128, 3, 2), 128, 128, 2, True)
    x = c2f(conv(p4, 128, 256, 3, 2), 256, 256, 1, True)
    pools = [conv(x, 256, 128, 1)]
    for _ in range(3):
        pools.append(b.node("MaxPool", pools[-1], kernel_shape=[5, 5], strides=[1, 1], pads=[2, 2, 2, 2]))
    p5 = conv(concat(*pools), 512, 256, 1)
    n4 = c2f(concat(upsample(p5), p4), 384, 128, 1, False)
    n3 = c2f(concat(upsample(n4), p3), 192, 64, 1, False)
    m4 = c2f(concat(conv(n3, 64, 64, 3, 2), n4), 192, 128, 1, False)
    m5 = c2f(concat(conv(m4, 128, 128, 3, 2), p5), 384, 256, 1, False)
    boxes, scores, centres, strides, cells = [], [], [], [], 0
    for feature, channels, stride in ((n3, 64, 8), (m4, 128, 16), (m5, 256, 32)):
        side = size // stride
        cells += side**2
        centres.append(np.stack(np.meshgrid(np.arange(side), np.arange(side))).reshape(2, -1) + 0.5)
        strides.append(np.full((1, side**2), stride))
        for kept, width in ((boxes, 64), (scores, 80)):
            y = conv(conv(feature, channels, width, 3), width, width, 3)
            y = b.conv(y, width, width, 1, act="none")
            kept.append(b.node("Reshape", y, b.constant([1, width, -1], np.int64)))
    # Distribution focal loss: a softmax over 16 bins, then their expectation as a 1x1 convolution.
    y = b.node("Reshape", b.node("Concat", *boxes, axis=2), b.constant([1, 4, 16, cells], np.int64))
    y = b.node("Softmax", b.node("Transpose", y, perm=[0, 2, 1, 3]), axis=1)
    y = b.node("Conv", y, b.constant(np.arange(16).reshape(1, 16, 1, 1)), kernel_shape=[1, 1])
    y = b.node("Reshape", y, b.constant([1, 4, cells], np.int64))
    if pixels:
        centre = b.constant(np.concatenate(centres, axis=1)[None])
        before, behind = b.node("Split", y, b.constant([2, 2], np.int64), outputs=["before", "behind"], axis=1)
        first, last = b.node("Sub", centre, before), b.node("Add", centre, behind)
        middle = b.node("Mul", b.node("Add", first, last), b.constant(0.5))
        y = b.node("Concat", middle, b.node("Sub", last, first), axis=1)
        y = b.node("Mul", y, b.constant(np.concatenate(strides, axis=1)[None]))
    b.node("Concat", y, b.node("Sigmoid", b.node("Concat", *scores, axis=2)), outputs=["output0"], axis=1)
    b.save(folder, {"images": [1, 3, size, size]}, {"output0": [1, 84, cells]})


def vit_tiny(folder, layers=6, width=192, heads=3, patch=16, size=224):
    b = Builder("vit_tiny", seed=14)
    tokens = (size // patch) ** 2

    def layer_norm(x):
        centred = b.node("Sub", x, b.node("ReduceMean", x, axes=[-1]))
        variance = b.node("ReduceMean", b.node("Pow", centred, b.constant(2.0)), axes=[-1])
        y = b.node("Div", centred, b.node("Sqrt", b.node("Add", variance, b.constant(1e-6))))
        y = b.node("Mul", y, b.constant(1 + 0.1 * b.rng.randn(width)))
        return b.node("Add", y, b.constant(0.05 * b.rng.randn(width)))

    def gelu(x):
        y = b.node("Erf", b.node("Div", x, b.constant(np.sqrt(2))))
        return b.node("Mul", b.node("Mul", x, b.node("Add", y, b.constant(1.0))), b.constant(0.5))

    embedding = b.constant(b.rng.randn(width, 3, patch, patch) / np.sqrt(3 * patch * patch))
    x = b.node("Conv", "pixels", embedding, kernel_shape=[patch, patch], strides=[patch, patch])
    x = b.node("Transpose", b.node("Reshape", x, b.constant([1, width, tokens], np.int64)), perm=[0, 2, 1])
    x = b.node("Add", x, b.constant(0.1 * b.rng.randn(1, tokens, width)))
    split, join = b.constant([1, tokens, heads, width // heads], np.int64), b.constant([1, tokens, width], np.int64)
    for _ in range(layers):
        y = layer_norm(x)
        q, k, v = (b.node("Reshape", b.linear(y, width, width), split) for _ in range(3))
        q, v = (b.node("Transpose", part, perm=[0, 2, 1, 3]) for part in (q, v))
        scores = b.node("MatMul", q, b.node("Transpose", k, perm=[0, 2, 3, 1]))
        weights = b.node("Softmax", b.node("Mul", scores, b.constant((width // heads) ** -0.5)), axis=-1)
        y = b.node("Transpose", b.node("MatMul", weights, v), perm=[0, 2, 1, 3])
        x = b.node("Add", x, b.linear(b.node("Reshape", y, join), width, width))
        y = b.linear(gelu(b.linear(layer_norm(x), width, 4 * width)), 4 * width, width)
        x = b.node("Add", x, y)
    x = b.node("ReduceMean", layer_norm(x), axes=[1], keepdims=0)
    weight = b.constant(b.rng.randn(1000, width) / np.sqrt(width))
    b.node("Gemm", x, weight, b.constant(np.zeros(1000)), outputs=["output"], transB=1)
    b.save(folder, {"pixels": [1, 3, size, size]}, {"output": [1, 1000]})


NETWORKS = {
    "resnet18_bn": lambda folder: resnet(folder, "resnet18_bn", (2, 2, 2, 2), bottleneck=False, norm=True),
    "resnet50": lambda folder: resnet(folder, "resnet50", (3, 4, 6, 3), bottleneck=True, norm=False),
    "mobilenet_v2": mobilenet_v2,
    "yolov8n_like": yolov8n_like,
    "vit_tiny": vit_tiny,
}


def write(folder, name: str) -> pathlib.Path:
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    NETWORKS[name](folder)
    return folder / f"{name}.onnx"


def write_all(folder) -> pathlib.Path:
    for name in NETWORKS:
        write(folder, name)
    return pathlib.Path(folder)


if __name__ == "__main__":
    write_all(sys.argv[1])
