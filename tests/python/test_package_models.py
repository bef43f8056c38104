"""Real models that other projects ship in their Python packages: float beside onnxruntime, state fed back where there is
one. A test is skipped where its package is not installed (or its unpacked wheel not on PYTHONPATH).
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
onnxruntime = pytest.importorskip("onnxruntime")
import openrknn  # noqa: E402

OCR = "rapidocr_onnxruntime/models"
SILERO = "silero_vad/data"
# File, shapes of the float inputs, frozen inputs, largest error as a part of the output's range.
MODELS = {
    # On noise its output is nearly constant; onnxruntime with and without its optimiser differs from itself by 3e-4.
    "ppocr-det": (f"{OCR}/ch_PP-OCRv4_det_infer.onnx", {"x": (1, 3, 160, 320)}, {}, 1e-3),
    "ppocr-rec": (f"{OCR}/ch_PP-OCRv4_rec_infer.onnx", {"x": (1, 3, 48, 320)}, {}, 1e-4),
    "ppocr-cls": (f"{OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": (1, 3, 48, 192)}, {}, 1e-4),
    "basic-pitch": (
        "basic_pitch/saved_models/icassp_2022/nmp.onnx",
        {"serving_default_input_2:0": (1, 43844, 1)},
        {},
        1e-3,  # a logarithm of spectrum bins near zero
    ),
    "silero-vad": (f"{SILERO}/silero_vad.onnx", {"input": (1, 576), "state": (2, 1, 128)}, {"sr": 16000}, 1e-4),
    "silero-vad-8k": (f"{SILERO}/silero_vad.onnx", {"input": (1, 288), "state": (2, 1, 128)}, {"sr": 8000}, 1e-4),
    "silero-vad-op15": (
        f"{SILERO}/silero_vad_16k_op15.onnx",
        {"input": (1, 576), "state": (2, 1, 128)},
        {"sr": 16000},
        1e-4,
    ),
    "silero-vad-ifless": (
        f"{SILERO}/silero_vad_op18_ifless.onnx",
        {"input": (1, 576), "state": (2, 1, 128)},
        {"sr": 16000},
        1e-4,
    ),
    "silero-vad-sequence": (
        f"{SILERO}/silero_vad_16k_sequence.onnx",
        {"input": (5, 576), "h": (1, 1, 128), "c": (1, 1, 128)},
        {},
        1e-4,
    ),
}
FRAMES = 4


def path_of(file):
    package, _, rest = file.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {package} is not installed")
    return Path(spec.origin).parent / rest


def feeds_of(shapes, seed):
    """Inputs of one frame: sound and pictures are small numbers, states begin with zeros."""
    random = np.random.default_rng(seed)
    return {
        name: (random.standard_normal(shape) * 0.3).astype(np.float32)
        if name in ("x", "input") or ":" in name
        else np.zeros(shape, np.float32)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize("freeze", [True, False], ids=["frozen", "fed"])
@pytest.mark.parametrize("name", MODELS)
def test_float_gives_what_onnxruntime_gives(name, freeze):
    file, shapes, numbers, tolerance = MODELS[name]
    if not freeze and not numbers:
        pytest.skip("it has no parameters to feed")
    path = path_of(file)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    order = [i.name for i in session.get_inputs()]
    parameters = {key: np.asarray(value, np.int64) for key, value in numbers.items()}
    every = {key: np.shape(value) for key, value in parameters.items()} | shapes
    graph = openrknn.import_model(
        path, input_shapes=[list(every[n]) for n in order], initial_values=parameters if freeze else {}
    )
    kept = [n for n, _, _ in graph.inputs]
    states = {"stateN": "state", "hn": "h", "cn": "c"}
    carried = {}
    worst = 0.0
    for frame in range(FRAMES if len(shapes) > 1 else 1):
        feeds = feeds_of(shapes, frame) | carried | parameters
        wanted = session.run(None, feeds)
        got = graph.run({n: feeds[n] for n in kept})
        for one, expected in zip(got, wanted, strict=True):
            assert one.shape == expected.shape
            worst = max(worst, np.abs(one - expected).max() / max(np.ptp(expected), 1e-3))
        outputs = [o.name for o in session.get_outputs()]
        carried = {states[o]: one for o, one in zip(outputs, got, strict=True) if o in states}
    print(f"{name}: error {worst:.2e} of the range")
    assert worst <= tolerance
