"""Networks with one planted fault each, for diagnosis and report."""

import numpy as np
import small_models
from onnx import helper
from small_models import constant, value

SHAPE = (1, 4, 16, 16)


def samples(count=8, seed=0, scale=1.0):
    random = np.random.default_rng(seed)
    return [(random.uniform(-1, 1, SHAPE) * scale).astype(np.float32) for _ in range(count)]


def convolutions(*names, first="x", channels=16, seed=1):
    """(nodes, {weight: array}) of a chain of 3 x 3 convolutions."""
    random = np.random.default_rng(seed)
    nodes, weights, last, width = [], {}, first, SHAPE[1]
    for name in names:
        weights[f"w_{name}"] = (random.standard_normal((channels, width, 3, 3)) * (9 * width) ** -0.5).astype(
            np.float32
        )
        nodes.append(helper.make_node("Conv", [last, f"w_{name}"], [name], name=f"conv_{name}", pads=[1, 1, 1, 1]))
        last, width = name, channels
    return nodes, weights


def finish(nodes, weights, output, shape, path):
    constants = [constant(name, array) for name, array in weights.items()]
    return small_models.save(small_models.model(nodes, [value("x", SHAPE)], [value(output, shape)], constants), path)


def healthy(path, names=("a", "b", "c")):
    nodes, weights = convolutions(*names)
    return finish(nodes, weights, names[-1], (1, 16, 16, 16), path)


def outlier_channel(path, names=("a", "b", "c"), factor=300):
    """Channel 5 of the first layer is that much louder; the next layer takes it back."""
    nodes, weights = convolutions(*names)
    weights[f"w_{names[0]}"][5] *= factor
    weights[f"w_{names[1]}"][:, 5] /= factor
    return finish(nodes, weights, names[-1], (1, 16, 16, 16), path)


def mixed_concat(path):
    nodes, weights = convolutions("loud")
    more, quiet = convolutions("quiet", seed=2)
    random = np.random.default_rng(3)
    joined = (random.standard_normal((8, 32, 1, 1)) * 0.2).astype(np.float32)
    weights |= quiet
    weights["w_quiet"] *= 0.004
    joined[:, 16:] *= 250
    weights["w_y"] = joined
    nodes += [
        *more,
        helper.make_node("Concat", ["loud", "quiet"], ["joined"], name="concat", axis=1),
        helper.make_node("Conv", ["joined", "w_y"], ["y"], name="conv_y"),
    ]
    return finish(nodes, weights, "y", (1, 8, 16, 16), path)


def saturated(path):
    """One channel goes far into the flat part of a Sigmoid; the pooling keeps it from being fused into the layer."""
    nodes, weights = convolutions("a")
    weights["w_a"][2] *= 2000
    weights["w_y"] = (np.random.default_rng(3).standard_normal((8, 16, 1, 1)) * 0.2).astype(np.float32)
    nodes += [
        helper.make_node("MaxPool", ["a"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Sigmoid", ["p"], ["s"], name="sigmoid"),
        helper.make_node("Conv", ["s", "w_y"], ["y"], name="conv_y"),
    ]
    return finish(nodes, weights, "y", (1, 8, 8, 8), path)


def overflowing(path):
    nodes, weights = convolutions("a", "b", "c")
    weights["w_b"] *= 60000
    weights["w_c"] /= 10000
    return finish(nodes, weights, "c", (1, 16, 16, 16), path)


def deep(path, depth=48):
    names = [f"c{i}" for i in range(depth)]
    nodes, weights = convolutions(*names, channels=8)
    return finish(nodes, weights, names[-1], (1, 8, 16, 16), path)
