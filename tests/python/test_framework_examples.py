"""examples/frameworks: the flows of the documented loaders over real models."""

import re
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
Image = pytest.importorskip("PIL.Image")


def example(repository, name, *arguments):
    script = repository / "examples" / "frameworks" / name
    done = subprocess.run([sys.executable, script, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_darknet_detector_finds_dog_bicycle_and_truck(repository, shared):
    folder = shared / "models" / "yolo_fastest_1.1"
    net = folder / "yolo-fastest-1.1.cfg"
    text = example(
        repository,
        "darknet_yolo.py",
        "--cfg",
        net,
        "--weights",
        net.with_suffix(".weights"),
        "--image",
        folder / "dog.jpg",
    )
    found = {int(kind): float(score) for kind, score in re.findall(r"class +(\d+) +score ([\d.]+)", text)}
    names = (folder / "coco.names").read_text().split("\n")
    seen = {names[kind] for kind in found}
    assert {"dog", "bicycle", "car"} <= seen, text


def test_a_caffe_classifier_reads_digits(repository, shared, tmp_path):
    folder = shared / "models" / "digits"
    train, test = np.load(folder / "train.npz"), np.load(folder / "test.npz")
    for i in range(20):
        Image.fromarray(train["images"][i].reshape(32, 32)).save(tmp_path / f"{i}.png")
    (tmp_path / "dataset.txt").write_text("".join(f"{i}.png\n" for i in range(20)))
    net = folder / "resdigits.prototxt"
    files = ["--prototxt", net, "--caffemodel", net.with_suffix(".caffemodel"), "--dataset", tmp_path / "dataset.txt"]
    for i in range(3):
        Image.fromarray(test["images"][i].reshape(32, 32)).save(tmp_path / "digit.png")
        text = example(repository, "caffe_classifier.py", *files, "--image", tmp_path / "digit.png")
        kind, share = re.search(r"class +(\d+) +([\d.]+)", text).groups()
        assert int(kind) == test["labels"][i]
        assert float(share) > 0.8
