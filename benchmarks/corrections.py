"""What corrections gain: python corrections.py [CASE...] [--models DIR] [--only NAME] [--method channel,layer]

SQNR of w8a8 builds in dB, mean / worst over the evaluation images, golden as the reference. A row is a network, output and
method of weights, a column a set of options. Cases: those of accuracy.py, and joined: a YOLO head whose boxes in pixels and
scores are one output, reported apart.
"""

import argparse
import pathlib
import tempfile

import numpy as np
from accuracy import MEAN, STD, Case, chosen_cases
from networks import yolov8n_like
from pictures import picture

import openrknn

SETS = {
    "none": {},
    "equalize": {"equalize": True},
    "absorb_bias": {"absorb_bias": True},
    "migrate_scales": {"migrate_scales": True},
    "split_concat": {"split_concat": True},
    "all": {"equalize": True, "absorb_bias": True, "migrate_scales": True, "split_concat": True},
    **{f"level {level}": {"quantized_hybrid_level": level} for level in (1, 2, 3)},
}


def joined_cases(folder: pathlib.Path):
    yolov8n_like(folder, pixels=True)
    images = [picture(seed, 320).transpose(2, 0, 1)[None] for seed in range(28)]
    yield Case("yolov8n_pixels", folder / "yolov8n_pixels.onnx", MEAN, STD, images[:20], images[20:])


def parts(name: str, output: np.ndarray) -> dict[str, np.ndarray]:
    if name != "yolov8n_pixels":
        return {"": output}
    return {"boxes": output[:, :4], "scores": output[:, 4:]}


def decibel(wanted: np.ndarray, got: np.ndarray) -> float:
    wanted, got = wanted.astype(np.float64), got.astype(np.float64)
    noise = ((wanted - got) ** 2).sum()
    return 200.0 if noise == 0 else 10 * np.log10((wanted**2).sum() / noise)


def measure(case: Case, method: str, sets: list[str]) -> list[list[str]]:
    graph = openrknn.import_model(case.model, input_shapes=[case.evaluation[0].shape])
    name = graph.inputs[0][0]
    samples = [{name: pixels.astype(np.float32)} for pixels in case.calibration]
    golden = [graph.run({name: case.normal(pixels)}) for pixels in case.evaluation]
    cells: dict[str, list[str]] = {}
    for column in sets:
        model = openrknn.compile(
            graph, dataset=samples, target="rk3588", mean=[case.mean], std=[case.std], method=method, **SETS[column]
        )
        results: dict[str, list[float]] = {}
        for pixels, wanted in zip(case.evaluation, golden, strict=True):
            for i, (expected, got) in enumerate(zip(wanted, model.run({name: pixels}), strict=True)):
                for (part, one), other in zip(
                    parts(case.name, expected).items(), parts(case.name, got).values(), strict=True
                ):
                    label = part or (f"output {i}" if len(wanted) > 1 else "")
                    results.setdefault(label, []).append(decibel(one, other))
        for label, values in results.items():
            cells.setdefault(label, []).append(f"{np.mean(values):.1f} / {np.min(values):.1f}")
    return [[f"{case.name} {label}".strip(), method, *row] for label, row in cells.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=["ultraface", "bench", "joined"])
    parser.add_argument("--models", type=pathlib.Path, help="folder of the bench networks; default: generated")
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--method", default="channel,layer")
    parser.add_argument("--sets", default=",".join(SETS))
    options = parser.parse_args()
    sets = options.sets.split(",")
    header = ["network and output", "method", *sets]
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        more = {"joined": lambda: joined_cases(work)}
        for case in chosen_cases(options.cases, options.only, work, options.models, more=more):
            for method in options.method.split(","):
                for row in measure(case, method, sets):
                    print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
