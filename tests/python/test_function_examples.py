"""examples/functions: the toolkit's flows of one function each, over networks of their own and over real models."""

import os
import re
import subprocess
import sys
from pathlib import Path

import digits
import numpy as np
import pytest

pytest.importorskip("openrknn._core")
pytest.importorskip("onnx")

FOLDER = Path(__file__).resolve().parents[2] / "examples/functions"
# What each prints when it did what it says.
LINES = {
    "dynamic_shape": ["64x96: [1, 4]", "32x48: [1, 4]", "16x16: [1, 4]"],
    "multi_batch": ["10 pictures, 4 a run: (10, 4), equal to one a run: True"],
    "custom_op": ["[cstSoftmax] scores", "same class: 10 of 10"],
    "model_pruning": ["Weight: -0.00077 MB (-37.5%)", "equal: True"],
    "onnx_edit": ["image: [1, 3, 32, 48] -> [1, 32, 48, 3]", "largest difference to the model as it was 0.000000"],
}


def printed(name, *arguments):
    environment = {**os.environ, "OPENRKNN_RAISE": "1"}
    command = [sys.executable, FOLDER / f"{name}.py", *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", LINES)
def test_example(name, tmp_path):
    text = printed(name, tmp_path)
    for line in LINES[name]:
        assert line in text


@pytest.fixture
def digits_of(shared, tmp_path):
    """Arguments for a classifier of digits: 50 of them calibrate, 500 are tested."""

    def arguments(model):
        folder = shared / "models/digits"
        for i, image in enumerate(digits.pictures(folder, "train")[0][:50]):
            np.save(tmp_path / f"{i}.npy", image)
        (tmp_path / "digits.txt").write_text("".join(f"{i}.npy\n" for i in range(50)))
        files = {"--model": folder / model, "--images": folder / "test.npz", "--dataset": tmp_path / "digits.txt"}
        return [part for pair in files.items() for part in pair]

    return arguments


def right(text, name):
    return int(re.search(rf"^{name}: (\d+) of 500 right$", text, re.MULTILINE).group(1))


@pytest.mark.parametrize("model", ["mobiledigits.op12.onnx", "resdigits.op20.onnx"])
def test_a_batch_reads_digits_as_one_by_one(digits_of, tmp_path, model):
    text = printed("multi_batch", tmp_path, *digits_of(model))
    assert "500 pictures, 4 a run: (500, 10), equal to one a run: True" in text
    assert right(text, "batch 1") == right(text, "batch 4") >= 495


def test_a_softmax_of_ones_own_reads_digits(digits_of, tmp_path):
    text = printed("custom_op", tmp_path, *digits_of("mobiledigits.op12.onnx"))
    assert "[cstSoftmax] output" in text
    same, difference = re.search(r"same class: (\d+) of 500, largest difference (\S+)", text).groups()
    assert int(same) >= 498 and float(difference) < 0.02
    assert right(text, "Softmax") >= 495 and right(text, "cstSoftmax") >= 495


@pytest.fixture
def ultraface(shared):
    return shared / "models/ultraface_slim"


def overlap(a, b):
    shared = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def test_faces_are_found_in_every_size(ultraface, tmp_path):
    pytest.importorskip("PIL")
    (tmp_path / "photos.txt").write_text(f"{ultraface}/photo1.jpg\n{ultraface}/photo2.jpg\n")
    model = ultraface / "slim-320_without_postprocessing.onnx"
    files = ["--model", model, "--image", ultraface / "photo2.jpg", "--dataset", tmp_path / "photos.txt"]
    text = printed("dynamic_shape", tmp_path, *files)

    # What onnxruntime found in this picture at 240 x 320, decoded by the network itself.
    recorded = np.load(ultraface / "slim-320.onnx.io.npz")
    sure = recorded["out1"][0][recorded["out0"][0, :, 1] > 0.9] * np.array([1024, 484, 1024, 484])
    found = {}
    for size, outputs, lines in re.findall(r"^(\d+x\d+): (.*)\n((?:  face .*\n)*)", text, re.MULTILINE):
        cosines = [float(number) for number in outputs.split("alone ")[1].split()]
        assert min(cosines) > 0.98, text
        found[size] = [np.array(re.findall(r"\d+", line.split("  ")[-1]), float) for line in lines.splitlines()]
    assert list(found) == ["480x640", "240x320", "120x160"]
    for size, boxes in found.items():
        good = [box for box in boxes if max(overlap(box, other) for other in sure) > 0.6]
        assert len(good) >= 4, (size, text)
    for other in sure:  # and none is missed at the size that was recorded
        assert max(overlap(box, other) for box in found["240x320"]) > 0.6


def test_channels_of_a_detector_that_are_nearly_silent_are_pruned(ultraface, tmp_path):
    model = ultraface / "slim-320_without_postprocessing.onnx"
    files = ["--model", model, "--recorded", f"{model}.io.npz"]
    errors = []
    for silence, lines in [
        (0, ["nothing to prune", "0.0% less"]),
        (0.01, ["silenced 61 of 2272", "Weight: -0.01846 MB (-1.8%)", "GFLOPs: -0.00480 (-2.9%)"]),
    ]:
        text = printed("model_pruning", tmp_path, *files, "--silence", silence)
        for line in [*lines, "equal: True"]:
            assert line in text
        errors.append([float(error) for error in re.findall(r"recorded one (\S+)", text)])
    assert np.all(np.array(errors) < [0.005, 0.1]), errors  # scores and offsets in float16, silenced or not


def test_inputs_of_another_order_change_no_result(shared, tmp_path):
    model = shared / "models/multiple_input_rknn/test.onnx"
    text = printed("onnx_edit", tmp_path, "--model", model, "--recorded", f"{model}.io.npz")
    for line in (
        "input.1: [1, 1, 128, 128] -> [1, 128, 128, 1]",
        "input: [1, 3, 128, 128] -> [1, 128, 128, 3]",
        "8: [1, 8, 128, 128] -> [1, 128, 128, 8]",
        "float16 output 0: largest difference to the model as it was 0.000000",
        "int8 output 0: largest difference to the model as it was 0.000000",
    ):
        assert line in text
    errors = re.findall(r"^(\S+) output 0: largest difference to the recorded (\S+) of (\S+)$", text, re.MULTILINE)
    shares = {dtype: float(error) / float(largest) for dtype, error, largest in errors}
    assert shares["float16"] < 0.002 and shares["int8"] < 0.02
