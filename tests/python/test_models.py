"""Real networks: float against recorded outputs of onnxruntime, int8 against float. Models live outside the repository."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import openrknn  # noqa: E402

MODELS = [
    *("digits/mobiledigits.op12.onnx", "digits/mobiledigits.op20.onnx"),
    *("digits/resdigits.op12.onnx", "digits/resdigits.op20.onnx"),
    *("ultraface_slim/slim-320.onnx", "ultraface_slim/slim-320_simplified.onnx"),
    *("ultraface_slim/slim-320_without_postprocessing.onnx", "mtcnn_pnet/pnet.onnx", "mtcnn_rnet/rnet.onnx"),
    "multiple_input_rknn/test.onnx",
]


@pytest.fixture(params=MODELS)
def recorded(request, shared):
    """The model, what the oracle was fed, what it gave back."""
    path = shared / "models" / request.param
    with np.load(f"{path}.io.npz") as arrays:
        kinds = {kind: sorted(key for key in arrays if key.startswith(kind)) for kind in ("in", "out")}
        return path, [arrays[key] for key in kinds["in"]], [arrays[key] for key in kinds["out"]]


def load(path, feeds):
    return openrknn.import_model(path, input_shapes=[feed.shape for feed in feeds])


def worst_error(got, wanted):
    """The largest difference as a part of the output's range."""
    return max(np.abs(g - w).max() / max(np.ptp(w), 1e-30) for g, w in zip(got, wanted, strict=True))


def test_float_gives_what_onnxruntime_gave(recorded):
    path, feeds, wanted = recorded
    assert worst_error(load(path, feeds).run(feeds), wanted) <= 1e-4


def test_golden_computes_the_imported_function(recorded):
    path, feeds, _ = recorded
    graph = load(path, feeds)
    golden, imported = graph.run(feeds), graph.run(feeds, optimize=False)
    assert worst_error(golden, imported) <= 1e-5


def normalised(images):
    return (images.reshape(-1, 1, 1, 32, 32).astype(np.float32) - 127.5) / 127.5


@pytest.mark.parametrize("name", ["mobiledigits.op12", "resdigits.op12"])
@pytest.mark.parametrize("quantize", ["w8a8", None])
def test_digits_are_read_as_well_as_in_float(shared, name, quantize):
    folder = shared / "models" / "digits"
    graph = openrknn.import_model(folder / f"{name}.onnx")
    train, test = np.load(folder / "train.npz"), np.load(folder / "test.npz")
    samples = [image.reshape(1, 1, 32, 32).astype(np.float32) for image in train["images"][:100]]
    model = openrknn.compile(graph, quantize=quantize, dataset=samples if quantize else None, mean=[127.5], std=[127.5])
    images, labels = test["images"], test["labels"]
    wanted = np.stack([graph.run([x])[0][0] for x in normalised(images)])
    got = np.stack([model.run([image.reshape(1, 1, 32, 32)])[0][0] for image in images])
    assert np.mean(got.argmax(1) == labels) >= np.mean(wanted.argmax(1) == labels)
    noise = 10 * np.log10((wanted**2).sum() / ((wanted - got) ** 2).sum())
    assert noise > (36 if quantize else 60), f"{noise:.1f} dB"
