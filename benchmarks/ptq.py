"""Post-training quantization beside onnxruntime's, same images on both sides: python ptq.py [CASE...] [--models DIR] [--ocr DIR]

SQNR in dB against the float model, mean / worst over the evaluation images, of every output. Rows: onnxruntime's all-int8
QDQ by each of its calibration methods, w8a8 as documented ("normal"), with range choice per tensor and corrections
("accurate": what --preset accurate sets), and the same with at most --macs of the multiplications lifted to float16.
Never a mean alone: one bad image is what users meet. Cases: those of accuracy.py.
"""

import argparse
import pathlib
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import peers
from accuracy import Case, chosen_cases
from corrections import decibel
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

import openrknn

Outputs = list[np.ndarray]
ACCURATE = {
    "algorithm": "auto",
    "equalize": True,
    "migrate_scales": True,
    "split_concat": True,
    "rounding": "adaptive",
    "bias_correction": True,
}
METHODS = {
    "MinMax": (CalibrationMethod.MinMax, QuantType.QUInt8),
    "MinMax, signed": (CalibrationMethod.MinMax, QuantType.QInt8),
    "Percentile": (CalibrationMethod.Percentile, QuantType.QUInt8),
    "Entropy": (CalibrationMethod.Entropy, QuantType.QUInt8),
}


def cosine(wanted: np.ndarray, got: np.ndarray) -> float:
    a, b = wanted.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    return a @ b / np.sqrt((a @ a) * (b @ b))


def rows_of(case: Case, names: list[str], how: str, lifted: str, wanted: list[Outputs], got: list[Outputs]):
    for i, name in enumerate(names):
        pairs = [(expected[i], result[i]) for expected, result in zip(wanted, got, strict=True)]
        values, cosines = [decibel(*pair) for pair in pairs], [cosine(*pair) for pair in pairs]
        label = case.name if len(names) == 1 else f"{case.name} {name}"
        yield label, how, lifted, f"{np.mean(values):.1f} / {np.min(values):.1f}", f"{np.min(cosines):.5f}"


def measure(case: Case, work: pathlib.Path, macs: float, wants: Callable[[str], bool]) -> Iterator[tuple[str, ...]]:
    prepared = peers.prepare(case.model, work / "prepared.onnx", case.evaluation[0].shape)
    exact = peers.session(prepared)
    feed = exact.get_inputs()[0].name
    names = [output.name for output in exact.get_outputs()]
    wanted = [exact.run(None, {feed: case.normal(pixels)}) for pixels in case.evaluation]

    for method, (calibration, activations) in METHODS.items():
        if not wants(f"onnxruntime {method}"):
            continue
        quantize_static(
            prepared,
            work / "int8.onnx",
            peers.Feeds({feed: case.normal(pixels)} for pixels in case.calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=activations,
            weight_type=QuantType.QInt8,
            calibrate_method=calibration,
        )
        peer = peers.session(work / "int8.onnx")
        got = [peer.run(None, {feed: case.normal(pixels)}) for pixels in case.evaluation]
        yield from rows_of(case, names, f"onnxruntime {method}", "", wanted, got)

    graph = openrknn.import_model(case.model, input_shapes={feed: case.evaluation[0].shape})
    options = {
        "dataset": [{feed: pixels.astype(np.float32)} for pixels in case.calibration],
        "target": "rk3588",
        "mean": [case.mean],
        "std": [case.std],
    }

    def ours(model: openrknn.Model) -> list[Outputs]:
        return [model.run({feed: pixels}) for pixels in case.evaluation]

    for how, more in (("normal", {}), ("accurate", ACCURATE)):
        if wants(how):
            model = openrknn.compile(graph, **options, **more)
            yield from rows_of(case, names, how, "0 %", wanted, ours(model))
        if wants(f"{how}, lifted"):
            found = openrknn.search(graph, **options, **more, max_macs=macs, budget="macs", samples=8)
            share = f"{found.chosen['macs_share'] * 100:.1f} %, {len(found.chosen['layers'])} layers"
            yield from rows_of(case, names, f"{how}, lifted", share, wanted, ours(found.model))


HEADER = ("network and output", "build", "lifted MACs", "SQNR mean / worst", "worst cosine")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=["ultraface", "ocr", "bench"])
    parser.add_argument("--models", type=pathlib.Path, help="folder of the bench networks; default: generated")
    parser.add_argument("--ocr", type=pathlib.Path, help="folder of the PP-OCR .onnx files")
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--builds", default="", help="parts of rows' names, separated by semicolons; default: all rows")
    parser.add_argument("--macs", type=float, default=0.1, help="share of the multiplications that may be lifted")
    options = parser.parse_args()
    print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        builds = options.builds.split(";")
        for case in chosen_cases(options.cases, options.only, work, options.models, options.ocr):
            for row in measure(case, work, options.macs, lambda name: any(part in name for part in builds)):
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
