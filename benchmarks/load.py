"""Reading a model file beside the loader of its own framework or of OpenCV: python load.py [--models FOLDER]

Medians of several rounds, the two in turn, files in the cache; ratios under 1 mean that OpenRKNN is faster. "disk" is what
mapping the file and reading every byte once takes.
"""

import argparse
import os
import pathlib
import statistics
import time

import cv2
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

import openrknn

try:
    import torch  # a gigabyte: measured where it is
except ImportError:
    torch = None

onnxruntime.set_default_logger_severity(4)

HERE = pathlib.Path(__file__).resolve().parent
SHARED = pathlib.Path(os.environ.get("OPENRKNN_SHARED", HERE.parents[1] / "shared")) / "models"

# Ends of names: who else reads such a file, from it and the file of its weights.
LOADERS = {
    ".prototxt": (".caffemodel", "OpenCV", lambda net, weights: cv2.dnn.readNetFromCaffe(net, weights)),
    ".cfg": (".weights", "OpenCV", lambda net, weights: cv2.dnn.readNetFromDarknet(net, weights)),
    ".pb": (".pb", "OpenCV", lambda net, weights: cv2.dnn.readNetFromTensorflow(net)),
    ".tflite": (".tflite", "LiteRT", lambda net, weights: Interpreter(net).allocate_tensors()),
    ".pt": (".pt", "torch", lambda net, weights: torch.jit.load(net)),
    ".onnx": (".onnx", "onnxruntime", lambda net, weights: onnxruntime.InferenceSession(net)),
}


def seconds(function) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def measure(path: pathlib.Path, rounds: int) -> tuple[str, ...]:
    suffix, peer, load = LOADERS[path.suffix]
    weights = path.with_suffix(suffix)
    ways = {
        "ours": lambda: openrknn.import_model(path),
        "peer": lambda: load(str(path), str(weights)),
        "disk": lambda: np.memmap(weights, np.uint8, "r").sum(dtype=np.uint64),
    }
    if path.suffix == ".pt":  # shapes of inputs are in no such file
        held = np.load(f"{path}.io.npz")
        shapes = [list(held[key].shape) for key in sorted(held.files) if key.startswith("in")]
        ways["ours"] = lambda: openrknn.import_model(path, input_shapes=shapes)
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way))
    ours, theirs, disk = (statistics.median(times[name]) for name in ways)
    return (
        path.name,
        f"{weights.stat().st_size / 1e6:.2f} MB",
        f"{ours * 1e3:.2f} ms",
        f"{peer} {theirs * 1e3:.2f} ms",
        f"{ours / theirs:.2f}",
        f"{disk * 1e3:.2f} ms",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path, default=SHARED)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    header = ("model", "weights", "OpenRKNN", "peer", "ratio", "disk")
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header), flush=True)
    for path in sorted(options.models.rglob("*")):
        if path.suffix == ".pt" and torch is None:
            continue
        if path.suffix in LOADERS and path.with_suffix(LOADERS[path.suffix][0]).exists():
            try:
                row = measure(path, options.rounds)
            except openrknn.Error as error:  # shapes that the user has to say
                row = (path.name, "", f"{error.code}")
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
