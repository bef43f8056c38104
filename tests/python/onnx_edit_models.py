"""Small models for the tests of onnx_edit, what they compute and samples for them.

Numbers are small and whole, so that sums are exact in whatever order onnxruntime adds.
"""

import numpy as np
import onnxruntime
import small_models
from onnx import helper

CACHE = "a,b,c,d->1,ad,b,c"


def run(path, feeds):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def shapes(values):
    return {
        value.name: [
            d.dim_param or (d.dim_value if d.HasField("dim_value") else None) for d in value.type.tensor_type.shape.dim
        ]
        for value in values
    }


def scaled(shape, declared=None):
    """x -> y = x * w, and the sum of y."""
    weights = np.random.default_rng(0).integers(-4, 5, shape).astype(np.float32)
    declared = list(shape) if declared is None else declared
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["y"], name="scale"),
        helper.make_node("ReduceSum", ["y"], ["sum"], name="sum", keepdims=0),
    ]
    values = [small_models.value(name, declared) for name in "xy"]
    return small_models.model(
        nodes, values[:1], [values[1], small_models.value("sum", [])], [small_models.constant("w", weights)]
    )


def attention_cache():
    """The inputs of the toolkit's example: a feature, and a cache [4, 48, 1, 8] that is joined to it."""
    nodes = [
        helper.make_node("Relu", ["feature_0"], ["gate"]),
        helper.make_node("Concat", ["k_cache.1", "gate"], ["keys"], axis=1),
        helper.make_node("ReduceMean", ["keys"], ["mean"], axes=[3], keepdims=1),
    ]
    return small_models.model(
        nodes,
        [small_models.value("feature_0", [4, 2, 1, 8]), small_models.value("k_cache.1", [4, 48, 1, 8])],
        [small_models.value("keys", [4, 50, 1, 8]), small_models.value("mean", [4, 50, 1, 1])],
        opset=15,
    )


def feeds_of_cache():
    random = np.random.default_rng(1)
    return {
        name: random.integers(-8, 9, shape).astype(np.float32)
        for name, shape in [("feature_0", (4, 2, 1, 8)), ("k_cache.1", (4, 48, 1, 8))]
    }


def save_samples(folder, count=3):
    folder.mkdir()
    lines, samples = [], []
    for i in range(count):
        feeds = feeds_of_cache()
        np.save(folder / f"feature {i}.npy", feeds["feature_0"])
        np.save(folder / f"cache{i}.npy", np.asfortranarray(feeds["k_cache.1"] + i))
        samples.append((feeds["feature_0"], feeds["k_cache.1"] + i))
        lines.append(f'"feature {i}.npy"  cache{i}.npy')
    (folder / "dataset.txt").write_text("# two inputs\n" + "\n\n".join(lines) + "\n")
    return folder / "dataset.txt", samples
