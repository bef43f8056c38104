"""Models that come quantized, beside onnxruntime running the same file: python quantized_models.py [--models DIR] [--only PART]

onnxruntime's quantize_static makes each file. Its run has no graph optimisations, so that every operator computes what the
standard says. "codes" compares what leaves the last QuantizeLinear: share of equal codes, share within one, largest
difference; law is the SoC's integers, ideal real numbers between codes. SQNR is against onnxruntime's quantized result
and, in the last two columns, of both against the float model.
"""

import argparse
import pathlib
import tempfile

import accuracy
import numpy as np
import onnx
import peers
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

import openrknn

U8, S8, S16 = QuantType.QUInt8, QuantType.QInt8, QuantType.QInt16
# name: format, activations, weights, per channel, calibration
FORMS = {
    "QDQ U8S8 channel": (QuantFormat.QDQ, U8, S8, True, CalibrationMethod.MinMax),
    "QDQ S8S8 channel": (QuantFormat.QDQ, S8, S8, True, CalibrationMethod.MinMax),
    "QDQ S8S8 tensor": (QuantFormat.QDQ, S8, S8, False, CalibrationMethod.MinMax),
    "QDQ U8U8 tensor": (QuantFormat.QDQ, U8, U8, False, CalibrationMethod.MinMax),
    "QDQ U8S8 channel, entropy": (QuantFormat.QDQ, U8, S8, True, CalibrationMethod.Entropy),
    "QDQ S16S8 channel": (QuantFormat.QDQ, S16, S8, True, CalibrationMethod.MinMax),
    "QOperator U8S8 channel": (QuantFormat.QOperator, U8, S8, True, CalibrationMethod.MinMax),
    "QOperator U8U8 tensor": (QuantFormat.QOperator, U8, U8, False, CalibrationMethod.MinMax),
}


def scale_of_output(model: onnx.ModelProto, name: str) -> float | None:
    """Of the DequantizeLinear that gives the output."""
    constants = {constant.name: constant for constant in model.graph.initializer}
    for node in model.graph.node:
        if name in node.output and node.op_type == "DequantizeLinear" and node.input[1] in constants:
            return float(numpy_helper.to_array(constants[node.input[1]]).reshape(-1)[0])
    return None


def codes(wanted, got, scale):
    if scale is None:
        return "-"
    steps = np.abs(np.rint((np.stack(wanted).astype(np.float64) - np.stack(got)) / scale))
    return f"{(steps == 0).mean() * 100:.2f} % / {(steps <= 1).mean() * 100:.2f} % / {int(steps.max())}"


def measure(case, form, work):
    kind, activations, weights, per_channel, method = FORMS[form]
    prepared = peers.prepare(case.model, work / "prepared.onnx", case.evaluation[0].shape)
    exact = peers.session(prepared)
    name = exact.get_inputs()[0].name
    quantize_static(
        prepared,
        work / "quantized.onnx",
        peers.Feeds({name: case.normal(pixels)} for pixels in case.calibration),
        quant_format=kind,
        per_channel=per_channel,
        activation_type=activations,
        weight_type=weights,
        calibrate_method=method,
    )
    oracle = peers.session(work / "quantized.onnx", optimised=False)
    target = "rv1106" if activations is S16 else "rk3588"
    model = openrknn.compile(work / "quantized.onnx", target=target, quantize=None)
    feeds = [{name: case.normal(pixels)} for pixels in case.evaluation]
    real = accuracy.by_output([exact.run(None, feed) for feed in feeds])
    wanted = accuracy.by_output([oracle.run(None, feed) for feed in feeds])
    law = accuracy.by_output([model.run(feed) for feed in feeds])
    ideal = accuracy.by_output([model.run(feed, ideal=True) for feed in feeds])
    source = onnx.load(work / "quantized.onnx")
    for i, output in enumerate(oracle.get_outputs()):
        scale = scale_of_output(source, output.name)
        right = " / ".join(filter(None, (accuracy.right(runs[i], case.labels) for runs in (real, wanted, law))))
        yield (
            case.name if len(wanted) == 1 else f"{case.name} {output.name}",
            form,
            f"{model.report['quantized_nodes']} + {model.report['float_nodes']}",
            codes(wanted[i], ideal[i], scale),
            codes(wanted[i], law[i], scale),
            f"{accuracy.decibel(wanted[i], ideal[i]):.1f}",
            f"{accuracy.decibel(wanted[i], law[i]):.1f}",
            f"{accuracy.decibel(real[i], wanted[i]):.1f}",
            f"{accuracy.decibel(real[i], law[i]):.1f}",
            right,
        )


HEADER = (
    *("network and output", "form", "integer + float nodes", "codes, ideal: equal / within 1 / largest", "codes, law"),
    *("SQNR ideal", "SQNR law", "float: onnxruntime", "float: law", "right: float / onnxruntime / law"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path, help="folder of further float networks for 224x224 pictures")
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--form", default="", help="part of a form's name")
    options = parser.parse_args()
    print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER))
    cases = [case for case in accuracy.digits_cases() if case.name.endswith("op20")]
    cases += accuracy.bench_cases(options.models) if options.models else []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            for form in FORMS:
                if options.only not in case.name or options.form not in form:
                    continue
                for row in measure(case, form, pathlib.Path(folder)):
                    print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
