"""Exported w8a8 models in onnxruntime beside our ideal arithmetic: python qdq_export.py [CASE...] [--models DIR]

equal   share of output codes that are the same, and how far apart the others are at most; with onnxruntime's graph
        optimizations disabled (Q and DQ are computed as written) and enabled (they are fused into integer kernels)

Inputs are pictures rounded to the codes of the model's input: with mean and std of 127.5 every pixel lies in the middle
between two of them, and the last bit of a division decides. Cases as in accuracy.py. Output in float16 (what an int8 build does not quantize) counts in steps of 1/1000 of its range.
"""

import argparse
import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime
from accuracy import SHARED, bench_cases, digits_cases, ultraface_cases

import openrknn

Level = onnxruntime.GraphOptimizationLevel


def steps_of_outputs(path):
    """Per output the scale of its codes; None where it has none."""
    made = onnx.load(path)
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in made.graph.initializer}
    makers = {name: node for node in made.graph.node for name in node.output}
    return [
        float(constants[makers[o.name].input[1]]) if makers[o.name].op_type == "DequantizeLinear" else None
        for o in made.graph.output
    ]


def on_codes(path, array):
    """The numbers that the codes of the model's input stand for, nearest to `array`."""
    made = onnx.load(path)
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in made.graph.initializer}
    first = next(n for n in made.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == made.graph.input[0].name)
    scale, zero = (constants[name].astype(np.float64) for name in first.input[1:3])
    codes = np.clip(np.rint(array / scale) + zero, -128, 127)
    return ((codes - zero) * scale).astype(np.float32)


def run(path, feeds, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return [session.run(None, {name: feed}) for feed in feeds]


def compare(wanted, got, steps):
    off = []
    for ours, peers in zip(wanted, got, strict=True):
        for a, b, step in zip(ours, peers, steps, strict=True):
            off.append(np.rint(np.abs(a.astype(np.float64) - b) / (step or max(np.ptp(a) / 1000, 1e-30))).ravel())
    off = np.concatenate(off)
    return f"{np.mean(off == 0) * 100:.3f} % | {int(off.max())}"


def measure(case, work):
    evaluation = case.evaluation[:8]
    shape = evaluation[0].shape
    graph = openrknn.import_model(case.model, input_shapes=[list(shape)])
    model = openrknn.compile(graph, dataset=[case.normal(pixels) for pixels in case.calibration])
    path = work / "qdq.onnx"
    model.export_onnx(path)
    steps = steps_of_outputs(path)
    feeds = [on_codes(path, case.normal(pixels)) for pixels in evaluation]
    wanted = [model.run([feed], ideal=True) for feed in feeds]
    laws = [model.run([feed]) for feed in feeds]
    cells = [case.name, compare(wanted, laws, steps)]
    for level in (Level.ORT_DISABLE_ALL, Level.ORT_ENABLE_ALL):
        try:
            cells.append(compare(wanted, run(path, feeds, level), steps))
        except Exception as error:  # onnxruntime's own errors have many types
            cells.append(f"{str(error).splitlines()[0][:60]} | ")
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=["ultraface", "digits"])
    parser.add_argument("--models", type=pathlib.Path, default=SHARED, help="folder of the bench networks")
    parser.add_argument("--only", default="", help="part of a case's name")
    options = parser.parse_args()
    makers = {"ultraface": ultraface_cases, "digits": digits_cases, "bench": lambda: bench_cases(options.models)}
    print(
        "| network | laws: equal | apart | as written: equal | apart | optimized: equal | apart |\n" + "|---" * 7 + "|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.cases:
            for case in makers[kind]():
                if options.only in case.name:
                    print("| " + " | ".join(measure(case, pathlib.Path(folder))) + " |", flush=True)


if __name__ == "__main__":
    main()
