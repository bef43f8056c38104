"""Builds convolutional networks as ONNX models whose weights take no room in the file.

Only shapes matter to a cost model, so weights are ConstantOfShape nodes: a few bytes for any number of elements, and
constants after folding. Constants of one shape differ in value, and once quantized too, lest they be stored once or
their layers merged.
"""

import collections
import math
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 12  # what the model zoo's own exports use
LARGEST_FILL = 1 << 18  # elements: a node that makes more than 1 MiB out of nothing is not folded, joining is


class Feature(NamedTuple):
    """A feature map [1, channels, height, width]."""

    name: str
    channels: int
    height: int
    width: int

    @property
    def shape(self) -> list:
        return [1, self.channels, self.height, self.width]


class Builder:
    """Adds nodes in order; methods that take and return a Feature keep its shape.

    act: the activation of conv and deconv where none is named, a key of ACTIVATIONS.
    """

    def __init__(self, name: str, act: str = "none"):
        self.name, self.act = name, act
        self.nodes, self.initializers, self.inputs, self.outputs = [], {}, [], []
        self.fills, self.weights = collections.Counter(), collections.Counter()  # made of each shape so far

    def node(self, op: str, *inputs: str, count: int = 1, **attributes):
        """One node; returns the name of its output, or of its count outputs."""
        stem = f"{op}_{len(self.nodes)}"
        names = [stem] if count == 1 else [f"{stem}_{i}" for i in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=stem, **attributes))
        return names[0] if count == 1 else names

    def constant(self, values, dtype=np.float32) -> str:
        array = np.asarray(values, dtype=dtype)
        name = f"{array.dtype.name}_{'x'.join(map(str, array.shape))}_{'_'.join(map(str, array.ravel()))}"
        if len(name) > 80 or name not in self.initializers:
            name = name if len(name) <= 80 else f"constant_{len(self.initializers)}"
            self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def fill(self, shape, value: float) -> str:
        """A constant of this shape, all of about this value: 0.4 % more than the last of its shape."""
        value *= 1 + 0.004 * self.fills[tuple(shape)]  # float16 tells 0.1 % apart
        self.fills[tuple(shape)] += 1
        rows = min(shape[0], LARGEST_FILL // math.prod(shape[1:]))
        pieces = [self.fill_node([rows, *shape[1:]], value)] * (shape[0] // rows)
        if shape[0] % rows:
            pieces.append(self.fill_node([shape[0] % rows, *shape[1:]], value))
        return pieces[0] if len(pieces) == 1 else self.node("Concat", *pieces, axis=0)

    def fill_node(self, shape, value: float) -> str:
        tensor = helper.make_tensor("value", TensorProto.FLOAT, [1], [value])
        return self.node("ConstantOfShape", self.constant(shape, np.int64), value=tensor)

    def weight(self, shape, fan_in: int) -> str:
        # Halves the mean of what comes in; with bias() a chain of layers stays near 1, inside float16.
        if shape[1] == 1:
            return self.fill(shape, 0.5 / fan_in)
        self.weights[tuple(shape)] += 1
        ratio = 1 - self.weights[tuple(shape)] / 128  # of two halves: what tells weights of int8 apart
        left = shape[1] // 2
        halves = ((left, 0.5 / fan_in), (shape[1] - left, 0.5 * ratio / fan_in))
        parts = [self.fill([shape[0], columns, *shape[2:]], value) for columns, value in halves]
        return self.node("Concat", *parts, axis=1)

    def bias(self, channels: int) -> str:
        return self.fill([channels], 0.5)

    def input(self, channels: int, height: int, width: int, name: str = "images") -> Feature:
        x = Feature(name, channels, height, width)
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape))
        return x

    def activation(self, x: Feature, act: str) -> Feature:
        return x._replace(name=ACTIVATIONS[act](self, x.name))

    def conv(self, x: Feature, channels: int, kernel=1, stride=1, act=None, group=1, pad=None) -> Feature:
        """Convolution with bias and activation; pads by kernel // 2 unless told otherwise."""
        pad, fan_in = kernel // 2 if pad is None else pad, x.channels // group
        weight = self.weight([channels, fan_in, kernel, kernel], fan_in * kernel * kernel)
        y = self.node(
            "Conv",
            x.name,
            weight,
            self.bias(channels),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            dilations=[1, 1],
            group=group,
        )
        height, width = ((size + 2 * pad - kernel) // stride + 1 for size in (x.height, x.width))
        return self.activation(Feature(y, channels, height, width), self.act if act is None else act)

    def depthwise(self, x: Feature, kernel=3, stride=1, act=None) -> Feature:
        return self.conv(x, x.channels, kernel, stride, act=act, group=x.channels)

    def deconv(self, x: Feature, channels: int) -> Feature:
        """Transposed convolution 2x2, stride 2: twice the height and width, no activation."""
        weight = self.weight([x.channels, channels, 2, 2], x.channels)
        y = self.node("ConvTranspose", x.name, weight, self.bias(channels), kernel_shape=[2, 2], strides=[2, 2])
        return Feature(y, channels, 2 * x.height, 2 * x.width)

    def batch_norm(self, x: Feature, act="none") -> Feature:
        """A normalization that no convolution precedes."""
        parameters = (self.fill([x.channels], value) for value in (1.0, 0.1, 0.05, 1.1))
        return self.activation(x._replace(name=self.node("BatchNormalization", x.name, *parameters)), act)

    def max_pool(self, x: Feature, kernel: int, stride=1, pad=None) -> Feature:
        pad = kernel // 2 if pad is None else pad
        y = self.node("MaxPool", x.name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)
        height, width = ((size + 2 * pad - kernel) // stride + 1 for size in (x.height, x.width))
        return Feature(y, x.channels, height, width)

    def global_average(self, x: Feature) -> Feature:
        return Feature(self.node("GlobalAveragePool", x.name), x.channels, 1, 1)

    def upsample(self, x: Feature) -> Feature:
        """Nearest neighbour, twice the height and width."""
        scales = self.constant([1, 1, 2, 2])
        rule = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        y = self.node("Resize", x.name, self.constant([]), scales, mode="nearest", **rule)
        return Feature(y, x.channels, 2 * x.height, 2 * x.width)

    def concat(self, *parts: Feature) -> Feature:
        assert len({part[2:] for part in parts}) == 1, f"{self.name}: parts of a Concat differ in size, got {parts}"
        y = self.node("Concat", *(part.name for part in parts), axis=1)
        return parts[0]._replace(name=y, channels=sum(part.channels for part in parts))

    def split(self, x: Feature, *channels: int) -> list:
        names = self.node("Split", x.name, count=len(channels), axis=1, split=list(channels))
        return [x._replace(name=name, channels=count) for name, count in zip(names, channels, strict=True)]

    def add(self, a: Feature, b: Feature) -> Feature:
        assert a[1:] == b[1:], f"{self.name}: terms of an Add differ in shape, got {a} and {b}"
        return a._replace(name=self.node("Add", a.name, b.name))

    def scale(self, x: Feature, factors: str) -> Feature:
        return x._replace(name=self.node("Mul", x.name, factors))

    def reshape(self, x: str, shape) -> str:
        return self.node("Reshape", x, self.constant(shape, np.int64))

    def classifier(self, x: Feature, classes=1000):
        y = self.node("Flatten", self.global_average(x).name)
        y = self.node("Gemm", y, self.weight([classes, x.channels], x.channels), self.bias(classes), transB=1)
        self.output(y, [1, classes])

    def output(self, name: str, shape):
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def output_feature(self, x: Feature):
        self.output(x.name, x.shape)

    def model(self) -> onnx.ModelProto:
        initializers = list(self.initializers.values())
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=7)


ACTIVATIONS = {
    "none": lambda b, x: x,
    "relu": lambda b, x: b.node("Relu", x),
    "relu6": lambda b, x: b.node("Clip", x, b.constant(0.0), b.constant(6.0)),
    "leaky": lambda b, x: b.node("LeakyRelu", x, alpha=0.1),
    "sigmoid": lambda b, x: b.node("Sigmoid", x),
    "silu": lambda b, x: b.node("Mul", x, b.node("Sigmoid", x)),
}
