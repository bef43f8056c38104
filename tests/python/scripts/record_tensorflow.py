"""Freezes small graphs with TensorFlow and records what it computes: data/tensorflow/NAME.pb and NAME.npz.

pip install tensorflow-cpu==2.21.0; python record_tensorflow.py
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

FOLDER = Path(__file__).parent.parent / "data" / "tensorflow"
IMAGE = [1, 8, 9, 4]
CORNERS_AND_HALVES = [(False, False), (True, False), (False, True)]
v1, layers = tf.compat.v1, tf.keras.layers
draws = np.random.default_rng(0)


def draw(*shape, low=-1.0, high=1.0):
    return draws.uniform(low, high, shape).astype(np.float32)


def write(name, graph, inputs, outputs):
    (FOLDER / f"{name}.pb").write_bytes(graph.as_graph_def().SerializeToString(deterministic=True))
    arrays = {f"in{i}": array for i, array in enumerate(inputs)} | {f"out{i}": array for i, array in enumerate(outputs)}
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)


def record(name, function, shape):
    """A function of one tensor, as TensorFlow 2 freezes it."""
    traced = tf.function(function).get_concrete_function(tf.TensorSpec(shape, tf.float32, name="x"))
    frozen = convert_variables_to_constants_v2(traced)
    x = draw(*[extent or 1 for extent in shape], low=-2, high=2)
    write(name, frozen.graph, [x], [np.asarray(frozen(tf.constant(x))[0])])


def record_model(name, *parts, shape):
    model = tf.keras.Sequential([layers.Input(shape), *parts])
    for variable in model.variables:
        positive = any(word in variable.path for word in ("variance", "gamma"))
        variable.assign(draw(*variable.shape, low=0.3 if positive else -0.5, high=0.8 if positive else 0.5))
    record(name, lambda x: model(x, training=False), [None, *shape])


def record_graph(name, build, draw_inputs):
    """A graph of TensorFlow 1."""
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        placeholder, output = build()
        x = draw_inputs()
        write(name, graph, [x], [session.run(output, {placeholder: x})])


def normalised_by_hand(x):
    y = tf.nn.conv2d(x, draw(3, 3, 4, 6), 1, "SAME")
    y = tf.nn.batch_normalization(y, draw(6), draw(6, low=0.5, high=1.5), draw(6), draw(6), 1e-3)
    return tf.nn.relu6(y)


def fake_quantized(x):
    most = draw(6, low=0.1, high=1.0)
    x = tf.quantization.fake_quant_with_min_max_args(x, -1.0, 1.5)
    weights = tf.quantization.fake_quant_with_min_max_vars_per_channel(draw(3, 3, 4, 6), -most, most, narrow_range=True)
    return tf.quantization.fake_quant_with_min_max_vars(tf.nn.relu6(tf.nn.conv2d(x, weights, 1, "SAME")), 0.0, 6.0)


def functions(x):
    y = tf.nn.relu(x) + draw(4, low=0.1, high=0.9) * (x - abs(x)) * 0.5
    y = tf.concat([y, tf.nn.gelu(x), tf.nn.gelu(x, True), x * tf.nn.relu6(x + 3) * (1 / 6), tf.maximum(0.1 * x, x)], 3)
    return tf.reduce_logsumexp(y, [1, 2])


def branches():
    v1.disable_control_flow_v2()
    x, training = (
        v1.placeholder(tf.float32, [None, *IMAGE[1:]], "x"),
        v1.placeholder_with_default(False, [], "training"),
    )
    y = v1.cond(training, lambda: tf.nn.dropout(x, rate=0.5) * 2.0, lambda: x + 1.0)
    parts = v1.cond(tf.logical_not(training), lambda: tf.split(y, 4, 3), lambda: tf.split(tf.nn.relu(y), 4, 3))
    return x, tf.concat(parts[::-1], 3, name="joined")


def detector():
    x = v1.placeholder(tf.uint8, [1, None, None, 3], "image_tensor")
    y = v1.image.resize_images(tf.cast(x, tf.float32), [10, 10])
    y = tf.reshape((2.0 / 255.0) * y - 1.0, [1, 10, 10, 3])
    coarse = tf.nn.conv2d(y, tf.constant(draw(3, 3, 3, 12)), 2, "SAME")
    fine = tf.nn.avg_pool2d(coarse, 2, 2, "SAME")
    boxes = [tf.reshape(each, [tf.shape(each)[0], -1, 4]) for each in (coarse, fine)]
    return x, tf.concat(boxes, 1, name="concat")


def resized(x):
    sizes = [(16, 18), (5, 7), (13, 4)]
    ways = [{"align_corners": corners, "half_pixel_centers": half} for corners, half in CORNERS_AND_HALVES]
    return tf.concat(
        [
            tf.reshape(resize(images=x, size=size, **way), [1, -1])
            for resize in (tf.raw_ops.ResizeBilinear, tf.raw_ops.ResizeNearestNeighbor)
            for size in sizes
            for way in ways
        ],
        1,
    )


def dilated(x):
    blocks = tf.space_to_batch(x, [2, 2], [[2, 2], [2, 3]])
    blocks = tf.nn.conv2d(blocks, draw(3, 3, 4, 6), 1, "VALID")
    return tf.nn.bias_add(tf.batch_to_space(blocks, [2, 2], [[0, 0], [0, 1]]), draw(6))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    record_model("lstm", layers.LSTM(6, unroll=True, return_sequences=True), shape=[4, 5])
    record_model("gru", layers.GRU(6, unroll=True), shape=[4, 5])
    record_model(
        "classifier",
        layers.Conv2D(6, 3, padding="same"),
        layers.BatchNormalization(),
        layers.PReLU(shared_axes=[1, 2]),
        layers.SeparableConv2D(5, 3, dilation_rate=2),
        layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
        layers.MaxPool2D(3, 2, padding="same"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, activation="softmax"),
        shape=IMAGE[1:],
    )
    record_model("grouped", layers.Conv2D(6, 3, groups=2), shape=IMAGE[1:])
    record("normalised_by_hand", normalised_by_hand, IMAGE)
    record("fake_quantized", fake_quantized, IMAGE)
    record("functions", functions, IMAGE)
    record("resized", resized, IMAGE)
    record("dilated", dilated, IMAGE)
    record_graph("branches", branches, lambda: draw(*IMAGE))
    record_graph("detector", detector, lambda: draws.integers(0, 256, (1, 12, 14, 3)).astype(np.uint8))


if __name__ == "__main__":
    main()
