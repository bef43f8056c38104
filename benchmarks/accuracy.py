"""Accuracy beside onnxruntime, same images on both sides: python accuracy.py [CASE...] [--models DIR] [--ocr DIR]

float  OpenRKNN's float32 against onnxruntime fp32: largest error as a part of the output's range, worst cosine
fp16   SQNR of the fp16 build, beside onnxruntime with every weight and tensor rounded to fp16
int8   SQNR of the w8a8 build, beside onnxruntime's per-channel MinMax QDQ; worst cosine of an image on both sides

Cases: ultraface and digits (from OPENRKNN_SHARED/models), ocr (--ocr: folder of the PP-OCR files), bench (generated).
A network with several outputs has a row for each. SQNR is taken over all evaluation images together, in dB.
"""

import argparse
import dataclasses
import os
import pathlib
import sys
import tempfile

import numpy as np
import peers
from pictures import picture, picture_size
from PIL import Image
from real_networks import MEAN, STD

import openrknn

HERE = pathlib.Path(__file__).resolve().parent
SHARED = pathlib.Path(os.environ.get("OPENRKNN_SHARED", HERE.parents[1] / "shared")) / "models"
sys.path.insert(0, str(HERE.parent / "examples" / "ocr"))


@dataclasses.dataclass
class Case:
    name: str
    model: pathlib.Path
    mean: list[float]
    std: list[float]
    calibration: list[np.ndarray]  # uint8 pixels, NCHW
    evaluation: list[np.ndarray]
    labels: np.ndarray | None = None

    def normal(self, pixels: np.ndarray) -> np.ndarray:
        mean, std = (np.float32(values).reshape(1, -1, 1, 1) for values in (self.mean, self.std))
        return (pixels.astype(np.float32) - mean) / std


def nchw(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)[None]


def ultraface_cases():
    def read(path):
        return nchw(Image.open(path).convert("RGB").resize((320, 240), Image.BILINEAR))

    images, folder = SHARED / "images", SHARED / "ultraface_slim"
    calibration = [read(images / f"{name}.png") for name in ("cat", "sunflower", "bird_segmentation")]
    calibration.append(read(SHARED / "yolo_fastest_1.1" / "dog.jpg"))
    evaluation = [read(path) for path in (folder / "photo1.jpg", folder / "photo2.jpg", images / "parrot.jpg")]
    for stem in ("slim-320", "slim-320_simplified", "slim-320_without_postprocessing"):
        yield Case(stem, folder / f"{stem}.onnx", [127] * 3, [128] * 3, calibration, evaluation)


def digits_cases():
    folder = SHARED / "digits"
    train, test = np.load(folder / "train.npz"), np.load(folder / "test.npz")

    def images(array):
        return [image.reshape(1, 1, 32, 32) for image in array]

    for model in sorted(folder.glob("*.onnx")):
        name = model.name.removesuffix(".onnx")
        yield Case(name, model, [127.5], [127.5], images(train["images"][:100]), images(test["images"]), test["labels"])


def ocr_cases(folder: pathlib.Path):
    from render import draw_lines, random_page

    pages = [nchw(random_page(seed, 480, 480)) for seed in range(28)]
    lines = [nchw(draw_lines([f"sensor {seed} frame {seed * 37}"], 320, 48, 28)) for seed in range(28)]
    short = [nchw(draw_lines([f"gate {seed * 37}"], 192, 48, 28)) for seed in range(28)]
    half = [127.5] * 3, [127.5] * 3
    for name, file, (mean, std), images in (
        ("ppocr_det", "ch_PP-OCRv4_det_infer.onnx", (MEAN, STD), pages),
        ("ppocr_rec", "ch_PP-OCRv4_rec_infer.onnx", half, lines),
        ("ppocr_cls", "ch_ppocr_mobile_v2.0_cls_infer.onnx", half, short),
    ):
        yield Case(name, folder / file, mean, std, images[:20], images[20:])


def bench_cases(folder: pathlib.Path):
    for model in sorted(folder.glob("*.onnx")):
        images = [picture(seed, picture_size(model)).transpose(2, 0, 1)[None] for seed in range(28)]
        yield Case(model.stem, model, MEAN, STD, images[:20], images[20:])


def chosen_cases(kinds, only: str, work: pathlib.Path, models=None, ocr=None, more=None):
    """Cases of these kinds whose names hold `only`. Bench networks are generated unless they lie in `models`; more: further
    kinds and who makes them."""

    def generated():
        from networks import write_all

        return bench_cases(models if models is not None else write_all(work / "models"))

    makers = {
        "ultraface": ultraface_cases,
        "digits": digits_cases,
        "ocr": lambda: ocr_cases(ocr) if ocr else (),
        "bench": generated,
        **(more or {}),
    }
    for kind in kinds:
        yield from (case for case in makers[kind]() if only in case.name)


def decibel(wanted: list[np.ndarray], got: list[np.ndarray]) -> float:
    wanted, got = np.stack(wanted).astype(np.float64), np.stack(got).astype(np.float64)
    noise = ((wanted - got) ** 2).sum()
    return float("inf") if noise == 0 else 10 * np.log10((wanted**2).sum() / noise)


def cosine(wanted: list[np.ndarray], got: list[np.ndarray]) -> float:
    pairs = [(a.astype(np.float64).ravel(), b.astype(np.float64).ravel()) for a, b in zip(wanted, got, strict=True)]
    return min(a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in pairs)


def by_output(runs: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    return [list(output) for output in zip(*runs, strict=True)]


def right(outputs: list[np.ndarray], labels: np.ndarray | None) -> str:
    return "" if labels is None else f"{np.mean([o.argmax() for o in outputs] == labels) * 100:.1f} %"


def measure(case: Case, work: pathlib.Path) -> list[tuple]:
    prepared = peers.prepare(case.model, work / "prepared.onnx", case.evaluation[0].shape)
    exact = peers.session(prepared)
    name = exact.get_inputs()[0].name

    def peer(session):
        return by_output([session.run(None, {name: case.normal(pixels)}) for pixels in case.evaluation])

    def ours(model, feed):
        return by_output([model.run({name: feed(pixels)}) for pixels in case.evaluation])

    peers.round_to_float16(prepared, work / "half.onnx")
    peers.quantize(prepared, work / "int8.onnx", ({name: case.normal(pixels)} for pixels in case.calibration))
    wanted = peer(exact)
    half_peer = peer(peers.session(work / "half.onnx", optimised=False))
    int8_peer = peer(peers.session(work / "int8.onnx"))

    graph = openrknn.import_model(case.model, input_shapes={name: case.evaluation[0].shape})
    options = {"target": "rk3588", "mean": [case.mean], "std": [case.std]}
    samples = [{name: pixels.astype(np.float32)} for pixels in case.calibration]
    golden = ours(graph, case.normal)
    half = ours(openrknn.compile(graph, quantize=None, **options), lambda pixels: pixels)
    int8 = ours(openrknn.compile(graph, dataset=samples, **options), lambda pixels: pixels)

    rows = []
    for i, output in enumerate(exact.get_outputs()):
        spread = np.ptp(np.stack(wanted[i]))
        error = np.abs(np.stack(wanted[i]) - np.stack(golden[i])).max() / spread
        rows.append(
            (
                case.name if len(wanted) == 1 else f"{case.name} {output.name}",
                f"{error:.1e}",
                f"{cosine(wanted[i], golden[i]):.7f}",
                f"{decibel(wanted[i], half[i]):.1f}",
                f"{decibel(wanted[i], half_peer[i]):.1f}",
                f"{decibel(wanted[i], int8[i]):.2f}",
                f"{decibel(wanted[i], int8_peer[i]):.2f}",
                f"{cosine(wanted[i], int8[i]):.5f}",
                f"{cosine(wanted[i], int8_peer[i]):.5f}",
                " / ".join(filter(None, (right(runs[i], case.labels) for runs in (wanted, int8, int8_peer)))),
            )
        )
    return rows


HEADER = (
    *("network and output", "float error", "cosine", "fp16 dB", "peer fp16", "int8 dB", "peer int8"),
    *("int8 cosine", "peer cosine", "right: float / int8 / peer"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=["ultraface", "digits", "ocr", "bench"])
    parser.add_argument("--models", type=pathlib.Path, help="folder of the bench networks; default: generated")
    parser.add_argument("--ocr", type=pathlib.Path, help="folder of the PP-OCR .onnx files")
    parser.add_argument("--only", default="", help="part of a case's name")
    options = parser.parse_args()
    print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER))
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for case in chosen_cases(options.cases, options.only, work, options.models, options.ocr):
            for row in measure(case, work):
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
