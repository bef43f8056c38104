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


def digits(shared, tmp_path):
    """Where the models are, a dataset of 20 pictures to calibrate with, and the pictures to test with."""
    folder = shared / "models" / "digits"
    train, test = np.load(folder / "train.npz"), np.load(folder / "test.npz")
    for i in range(20):
        Image.fromarray(train["images"][i].reshape(32, 32)).save(tmp_path / f"{i}.png")
    dataset = tmp_path / "dataset.txt"
    dataset.write_text("".join(f"{i}.png\n" for i in range(20)))
    return folder, dataset, test


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
    folder, dataset, test = digits(shared, tmp_path)
    net = folder / "resdigits.prototxt"
    files = ["--prototxt", net, "--caffemodel", net.with_suffix(".caffemodel"), "--dataset", dataset]
    for i in range(3):
        Image.fromarray(test["images"][i].reshape(32, 32)).save(tmp_path / "digit.png")
        text = example(repository, "caffe_classifier.py", *files, "--image", tmp_path / "digit.png")
        kind, share = re.search(r"class +(\d+) +([\d.]+)", text).groups()
        assert int(kind) == test["labels"][i]
        assert float(share) > 0.8


def test_a_quantized_tflite_classifier_sees_a_sunflower(repository, shared):
    images = shared / "models" / "images"
    for model in (
        "mobilenet_v1_0.25_128_quant/mobilenet_v1_0.25_128_quant",
        "tf2_mobilenet_v2_ptq/tf2_mobilenet_v2_1.0_224_ptq",
    ):
        path = shared / "models" / f"{model}.tflite"
        picture, labels = next(images.glob("sunflower.*")), images / "imagenet_labels.txt"
        text = example(repository, "tflite_classifier.py", "--model", path, "--image", picture, "--labels", labels)
        assert "daisy" in text.split("\n")[0], text  # ImageNet has no sunflower


def test_a_float_tflite_classifier_reads_digits_in_int8(repository, shared, tmp_path):
    folder, dataset, test = digits(shared, tmp_path)
    Image.fromarray(test["images"][0].reshape(32, 32)).save(tmp_path / "digit.png")
    files = ["--model", folder / "mobiledigits_float.tflite", "--dataset", dataset]
    text = example(repository, "tflite_classifier.py", *files, "--image", tmp_path / "digit.png")
    assert int(re.search(r"class +(\d+)", text).group(1)) == test["labels"][0]


def test_a_tensorflow_classifier_reads_digits_in_int8(repository, shared, tmp_path):
    folder, dataset, test = digits(shared, tmp_path)
    Image.fromarray(test["images"][1].reshape(32, 32)).save(tmp_path / "digit.png")
    tensors = ["--input", "input", "--output", "Identity", "--size", 32, 32, 1]
    files = ["--pb", folder / "mobiledigits_frozen.pb", "--dataset", dataset]
    text = example(repository, "tensorflow_classifier.py", *files, *tensors, "--image", tmp_path / "digit.png")
    assert int(re.search(r"class +(\d+)", text).group(1)) == test["labels"][1]


def test_a_pytorch_classifier_reads_digits_in_int8(repository, shared, tmp_path):
    folder, dataset, test = digits(shared, tmp_path)
    Image.fromarray(test["images"][2].reshape(32, 32)).save(tmp_path / "digit.png")
    of_training = ["--size", 1, 1, 32, 32, "--mean", 127.5, "--std", 127.5, "--dataset", dataset]
    files = ["--model", folder / "resdigits.pt", "--image", tmp_path / "digit.png"]
    text = example(repository, "pytorch_classifier.py", *files, *of_training)
    kind, share = re.search(r"class +(\d+) +([\d.]+)", text).groups()
    assert int(kind) == test["labels"][2] and float(share) > 0.8
