"""Models of every framework beside what their own frameworks recorded: python frameworks.py [--models FOLDER]

Error: largest difference of the imported float model to the recorded outputs, as a part of their range (coded outputs: in
codes). Build: int8 calibrated on the recorded inputs (the digits on 50 of their own), or a coded model's own parameters;
SQNR in dB of its worst output against golden, or codes apart from the recorded ones. Digits: right of the 500.
"""

import argparse
import json
import os
import pathlib

import numpy as np

import openrknn

HERE = pathlib.Path(__file__).resolve().parent
SHARED = pathlib.Path(os.environ.get("OPENRKNN_SHARED", HERE.parents[1] / "shared")) / "models"
FORMS = {".tflite", ".pb", ".pt", ".caffemodel", ".weights"}


def recordings(path: pathlib.Path):
    for file in sorted(path.parent.glob(path.name + "*.io.npz")):
        held = np.load(file)
        meta = json.loads(str(held["meta"]))
        arrays = [[held[key] for key in sorted(held.files) if key.startswith(side)] for side in ("in", "out")]
        yield meta, arrays[0], arrays[1]


def sqnr(got: np.ndarray, golden: np.ndarray) -> float:
    noise = float(np.sum((got.astype(np.float64) - golden) ** 2))
    return np.inf if noise == 0 else 10 * np.log10(float(np.sum(golden.astype(np.float64) ** 2)) / noise)


def digits_of(models: pathlib.Path, name: str, shape, dtype):
    held = np.load(models / "digits" / f"{name}.npz")
    pixels = held["images"].reshape(-1, *shape).astype(np.int32)
    offset, scale = {"int8": (-128, 1), "uint8": (0, 1)}.get(dtype, (-127.5, 1 / 127.5))
    return ((pixels + offset) * scale).astype(dtype), held["labels"]


def outputs_like(got, expected):
    """By shape: readers list outputs in orders of their own, and may list more."""
    left = list(got)

    def extents(array):
        return [extent for extent in array.shape if extent != 1]

    for wanted in expected:
        match = next((i for i, one in enumerate(left) if extents(one) == extents(wanted)), None)
        if match is not None:
            yield left.pop(match).reshape(wanted.shape), wanted


def row_of(path: pathlib.Path, models: pathlib.Path) -> tuple[str, ...]:
    records = list(recordings(path))
    shapes = [list(array.shape) for array in records[0][1]] if path.suffix in {".pt", ".pb"} else None
    # Numbers that are no pictures (the keep_prob of a dropout) are constants of the model.
    fixed = {
        about["name"]: array
        for about, array in zip(records[0][0]["inputs"], records[0][1], strict=True)
        if array.ndim == 0
    }
    records = [(meta, [array for array in inputs if array.ndim > 0], outputs) for meta, inputs, outputs in records]
    graph = openrknn.import_model(path, input_shapes=shapes, initial_values=fixed)
    coded = "DequantizeLinear" in [node["op"] for node in graph.nodes]
    errors, codes = [], False
    for _, inputs, outputs in records:
        for got, expected in outputs_like(graph.run(inputs), outputs):
            codes = expected.dtype.kind in "iu"
            apart = np.abs(got.astype(np.float64) - expected).max()
            errors.append(apart if codes else apart / max(float(np.ptp(expected)), 1e-30))
    is_digits, (_, shape, dtype) = path.parent.name == "digits", graph.inputs[0]
    target = "rv1106" if "int16" in path.name else "rk3588"
    samples = [inputs for _, inputs, _ in records]
    if is_digits:
        samples = [[image] for image in digits_of(models, "train", shape, dtype)[0][:50]]
    model = openrknn.compile(graph, target=target, **({"quantize": None} if coded else {"dataset": samples}))
    worst = []
    for _, inputs, outputs in records:
        golden = outputs if codes else graph.run(inputs)
        for got, expected in zip(model.run(inputs), golden, strict=False):
            if got.size == expected.size:
                worst.append(np.abs(got - expected.astype(np.float64)).max() if codes else -sqnr(got, expected))
    right = ""
    if is_digits:
        images, labels = digits_of(models, "test", shape, dtype)
        right = f"{np.mean([model.run([image])[0].argmax() for image in images] == labels):.1%}"
    unit = " codes" if codes else ""
    build = f"{max(worst):.0f} codes" if codes else f"{-max(worst):.1f} dB"
    return (
        f"{path.parent.name}/{path.name}",
        f"{max(errors):.0f}{unit}" if codes else f"{max(errors):.1e}",
        build,
        right,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path, default=SHARED)
    options = parser.parse_args()
    print("| model | error | build | digits |\n|---|---|---|---|", flush=True)
    for path in sorted(options.models.rglob("*")):
        if path.suffix not in FORMS:
            continue
        try:
            row = row_of(path, options.models)
        except openrknn.Error as error:
            row = (path.name, str(error).split(":")[1].strip()[:100], "", "")
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
