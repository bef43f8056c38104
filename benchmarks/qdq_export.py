"""Exported w8a8 models in onnxruntime beside our ideal arithmetic: python qdq_export.py [CASE...] [--models DIR]

equal   share of output codes that are the same, and how far apart the others are at most; with onnxruntime's graph
        optimizations disabled (Q and DQ are computed as written) and enabled (they are fused into integer kernels)
itself  the same between these two of onnxruntime's own results
layers  codes of all layers, each computed by both from the numbers that onnxruntime gave the layer: what is left where no
        difference is passed on

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


def quantized_layers(model):
    """(numbers before the codes of each input, number the output's codes stand for) of every layer between codes."""
    makers = {name: node for node in model.graph.node for name in node.output}
    constants = {i.name for i in model.graph.initializer}

    def codes_before(name):  # what QuantizeLinear reads, if a pair of it and DequantizeLinear made `name`
        node = makers.get(name)
        if node is None or node.op_type != "DequantizeLinear" or node.input[0] in constants:
            return None
        return makers[node.input[0]].input[0] if makers[node.input[0]].op_type == "QuantizeLinear" else None

    for node in model.graph.node:
        before = codes_before(node.output[0])
        if before is None or before not in makers:
            continue
        ends, inner, reads_codes = [], [before], True
        while inner:
            name = inner.pop()
            if codes_before(name) is not None:
                ends.append(name)
            elif name in makers and makers[name].op_type != "DequantizeLinear":
                inner += [one for one in makers[name].input if one and one not in constants]
            elif name not in makers:
                reads_codes = False
        if reads_codes and ends and before not in ends:
            yield {name: codes_before(name) for name in ends}, node.output[0]


def compare_layers(path, work, feed):
    """Codes of every layer from the same inputs."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    layers = list(quantized_layers(model))
    names = sorted({name for ends, output in layers for name in (*ends, output)})
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    infos = {info.name: info for info in (*model.graph.value_info, *model.graph.output)}
    shown.graph.output.extend(infos[name] for name in names)
    onnx.save(shown, work / "shown.onnx")
    values = dict(zip(names, run(work / "shown.onnx", [feed], Level.ORT_DISABLE_ALL)[0], strict=True))
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    extractor = onnx.utils.Extractor(model)
    off = []
    for ends, output in layers:
        layer = extractor.extract_model(list(ends.values()), [output])
        onnx.save(layer, work / "layer.onnx")
        order = {before: name for name, before in ends.items()}
        ours = openrknn.compile(work / "layer.onnx", quantize=None)
        got = ours.run([values[order[info.name]] for info in layer.graph.input], ideal=True)[0]
        scale = float(constants[makers[output].input[1]])
        off.append(np.rint(np.abs(values[output].astype(np.float64) - got) / scale).ravel())
    off = np.concatenate(off)
    return f"{np.mean(off == 0) * 100:.4f} % | {int(off.max())}"


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
    peers = []
    for level in (Level.ORT_DISABLE_ALL, Level.ORT_ENABLE_ALL):
        try:
            peers.append(run(path, feeds, level))
            cells.append(compare(wanted, peers[-1], steps))
        except Exception as error:  # onnxruntime's own errors have many types
            cells.append(f"{str(error).splitlines()[0][:60]} | ")
    cells.append(compare(*peers, steps) if len(peers) == 2 else " | ")
    cells.append(compare_layers(path, work, feeds[0]))
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=["ultraface", "digits"])
    parser.add_argument("--models", type=pathlib.Path, default=SHARED, help="folder of the bench networks")
    parser.add_argument("--only", default="", help="part of a case's name")
    options = parser.parse_args()
    makers = {"ultraface": ultraface_cases, "digits": digits_cases, "bench": lambda: bench_cases(options.models)}
    print(
        "| network | laws: equal | apart | as written: equal | apart | optimized: equal | apart | itself: equal | apart "
        "| layers: equal | apart |\n" + "|---" * 11 + "|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.cases:
            for case in makers[kind]():
                if options.only in case.name:
                    print("| " + " | ".join(measure(case, pathlib.Path(folder))) + " |", flush=True)


if __name__ == "__main__":
    main()
