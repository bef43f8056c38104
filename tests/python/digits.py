"""The digits of the shared models: pictures of 32 x 32, one channel, and what is right about them."""

import numpy as np

import openrknn

MEAN_STD = {"mean": [[127.5]], "std": [[127.5]]}


def pictures(folder, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels as float32 [n, 1, 1, 32, 32] and labels of "train" or "test"."""
    held = np.load(folder / f"{name}.npz")
    return held["images"].reshape(-1, 1, 1, 32, 32).astype(np.float32), held["labels"]


def int8_accuracy(folder, model) -> float:
    """Share of the 500 test digits that an int8 build, calibrated on 50 others, has right. Of one channel, so that NCHW
    and NHWC are the same pixels."""
    graph = model if isinstance(model, openrknn.Graph) else openrknn.import_model(model)
    shape = graph.inputs[0][1]
    built = openrknn.compile(
        graph, dataset=[image.reshape(shape) for image in pictures(folder, "train")[0][:50]], **MEAN_STD
    )
    images, labels = pictures(folder, "test")
    return float(np.mean([built.run([image.reshape(shape)])[0].argmax() for image in images] == labels))
