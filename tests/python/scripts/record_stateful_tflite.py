"""Converts a model that keeps a variable from run to run: data/tflite/stateful.tflite.

pip install tensorflow-cpu==2.21.0; python record_stateful_tflite.py
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(__file__).parent.parent / "data" / "tflite"


class Cell(tf.Module):
    def __init__(self):
        draws = np.random.default_rng(0)
        self.state = tf.Variable(draws.uniform(-1, 1, (1, 4)).astype(np.float32), name="state")
        self.weights = tf.constant(draws.uniform(-1, 1, (4, 4)).astype(np.float32))

    @tf.function
    def step(self, x):
        self.state.assign(tf.tanh(tf.matmul(self.state, self.weights) + x))
        y = self.state * 2.0
        self.state.assign_add(x)
        return {"y": y, "after": self.state.read_value()}


cell = Cell()
step = cell.step.get_concrete_function(tf.TensorSpec([1, 4], tf.float32, name="x"))
converter = tf.lite.TFLiteConverter.from_concrete_functions([step], cell)
converter.experimental_enable_resource_variables = True
(FOLDER / "stateful.tflite").write_bytes(converter.convert())
