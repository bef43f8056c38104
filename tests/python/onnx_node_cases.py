"""The node cases of the ONNX standard (onnx.backend.test), run through importer and executor.

`python onnx_node_cases.py [NAME]` prints a table: passed, refused, missing and failed cases of each operator. A case whose operator needs
constants where the case feeds inputs (shapes, axes, bounds) is run with those inputs frozen, as a user would.
"""

import collections
import dataclasses
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx

import openrknn

# Cases that contradict the standard's own text, computed as the text says (docs/onnx.md, "Where the standard is open").
FRACTIONAL_LENGTH = "the case calculates with a length of 2.4 pixels, the text with that of the resized tensor, 2"


@dataclasses.dataclass
class Result:
    name: str
    op: str
    outcome: str  # passed, refused, failed
    reason: str = ""  # what the importer said, or what differs
    frozen: tuple = ()
    design: str = ""  # why such a case is refused by design; empty: it should pass


def collect():
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return collect_testcases(None)


def operator_of(case):
    """The operator a case is about: of the node if there is one, else what its name says, else the last node's."""
    nodes = case.model.graph.node
    if len(nodes) == 1:
        return nodes[0].op_type
    words = case.name.removeprefix("test_").replace("_", "")
    named = [n.op_type for n in nodes if words.startswith(n.op_type.lower())]
    return named[0] if named else nodes[-1].op_type


REFUSED_TYPES = {
    getattr(onnx.TensorProto, name): f"the type {name.lower()} has no place on the NPU"
    for name in dir(onnx.TensorProto)
    if name.startswith(("FLOAT8", "FLOAT4", "FLOAT6", "INT2", "UINT2", "COMPLEX", "STRING"))
}
REFUSED_OPERATORS = {
    "it gives random numbers": "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike",
    "it belongs to training": "Adagrad Adam Momentum Gradient",
    "text is not processed on the NPU": "StringConcat StringNormalizer StringSplit RegexFullMatch TfIdfVectorizer",
    "images are decoded before the model runs": "ImageDecoder",
    "sequences and optional values are no tensors": "SequenceAt SequenceConstruct SequenceEmpty SequenceErase "
    "SequenceInsert SequenceLength SequenceMap SplitToSequence ConcatFromSequence Optional OptionalGetElement "
    "OptionalHasElement",
}
REFUSED_OPERATORS = {op: reason for reason, ops in REFUSED_OPERATORS.items() for op in ops.split()}
AGAINST_THE_TEXT = {
    "test_resize_downsample_scales_linear_align_corners": FRACTIONAL_LENGTH,
    "test_resize_downsample_scales_cubic_align_corners": FRACTIONAL_LENGTH,
    "test_maxunpool_export_with_output_shape": "the case counts indices in another shape than output_shape",
}


def graphs_of(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs_of(attribute.g)


UNSEEN_FLOATS = {onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}


def element_type(value):
    return value.type.tensor_type.elem_type


def design_reason(case):
    """Why a case is refused by design; empty if it must pass."""
    if case.name in AGAINST_THE_TEXT:
        return AGAINST_THE_TEXT[case.name]
    for graph in graphs_of(case.model.graph):
        for value in [*graph.input, *graph.output]:
            if value.type.WhichOneof("value") in ("sequence_type", "optional_type"):
                return "sequences and optional values are no tensors"
            reason = REFUSED_TYPES.get(value.type.tensor_type.elem_type)
            if reason:
                return reason
        for node in graph.node:
            if node.domain.startswith("ai.onnx.ml"):
                return "classical machine learning does not run on an NPU"
            if node.op_type in REFUSED_OPERATORS:
                return REFUSED_OPERATORS[node.op_type]
            attributes = {a.name: a for a in node.attribute}
            is_training = node.op_type == "Dropout" and len(node.input) > 2 and case.name.startswith("test_training")
            if is_training or ("training_mode" in attributes and attributes["training_mode"].i):
                return "it belongs to training"
            if node.op_type == "BitCast" and UNSEEN_FLOATS & {element_type(v) for v in [*graph.input, *graph.output]}:
                return "floats of 16 and 64 bits are computed as float32, so their bits are not there"
            if node.op_type == "Cast" and attributes["to"].i in REFUSED_TYPES:
                return REFUSED_TYPES[attributes["to"].i]
    return ""


def freezing_plans(model):
    """What to freeze, mildest first: nothing, the parameters (small integers behind the first input), all but the first."""
    inputs = [i for i in model.graph.input]
    integers = (onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL)

    def is_parameter(info):
        return info.type.tensor_type.elem_type in integers and len(info.type.tensor_type.shape.dim) <= 1

    yield ()
    parameters = tuple(i.name for i in inputs[1:] if is_parameter(i))
    if parameters:
        yield parameters
    if inputs and is_parameter(inputs[0]):
        yield tuple(i.name for i in inputs if is_parameter(i))
    if len(inputs) > 1:
        yield tuple(i.name for i in inputs[1:])
    yield tuple(i.name for i in inputs)


def plain(array):
    """What can be compared: numpy's own types."""
    array = np.asarray(onnx.numpy_helper.to_array(array) if isinstance(array, onnx.TensorProto) else array)
    return array if array.dtype.isbuiltin == 1 else array.astype(np.float32)


def compare(got, wanted, case):
    if got.shape != wanted.shape:
        return f"shape {got.shape}, expected {wanted.shape}"
    if wanted.dtype.kind in "biu":
        if got.dtype != wanted.dtype:
            return f"type {got.dtype}, expected {wanted.dtype}"
        if not np.array_equal(got, wanted):
            return f"{np.sum(got != wanted)} of {wanted.size} differ"
        return ""
    # Golden is float32 whatever float type the file has: a 16-bit oracle rounds, golden does not.
    types = {i.type.tensor_type.elem_type for i in [*case.model.graph.input, *case.model.graph.output]}
    rtol, atol = case.rtol, max(case.atol, 1e-6)
    if onnx.TensorProto.FLOAT16 in types:
        rtol, atol = max(rtol, 2e-3), max(atol, 1e-4)
    if onnx.TensorProto.BFLOAT16 in types:
        rtol, atol = max(rtol, 1e-2), max(atol, 1e-2)
    if not np.allclose(got, wanted, rtol=rtol, atol=atol, equal_nan=True):
        return f"differs by {np.nanmax(np.abs(np.float64(got) - np.float64(wanted))):.3g}"
    return ""


def run(case, folder):
    result = run_case(case, folder)
    result.design = design_reason(case)
    if result.outcome == "failed" and case.name in AGAINST_THE_TEXT:
        result.outcome = "refused"
    return result


def run_case(case, folder):
    op = operator_of(case)
    path = Path(folder, "case.onnx")
    path.write_bytes(case.model.SerializeToString())
    names = [i.name for i in case.model.graph.input]
    problems = []
    for inputs, outputs in case.data_sets:
        if any(not isinstance(x, (np.ndarray, np.generic, float, int, onnx.TensorProto)) for x in [*inputs, *outputs]):
            problems.append("sequences and optional values are no tensors")
            continue
        values = dict(zip(names, inputs, strict=False))
        # An extent of 0 in a file may also mean "unknown", so it has to be said.
        is_empty = any(np.size(plain(v)) == 0 for v in values.values())
        shapes = [list(np.shape(plain(v))) for v in values.values()] if is_empty else None
        first = None
        for frozen in freezing_plans(case.model):
            try:
                constants = {n: plain(values[n]) for n in frozen if n in values}
                graph = openrknn.import_model(path, input_shapes=shapes, initial_values=constants)
                feeds = {n: plain(values[n]) for n, _, _ in graph.inputs}
                got = graph.run(feeds)
                break
            except (openrknn.Error, ValueError, KeyError) as error:
                first = first or error
        else:
            return Result(case.name, op, "refused", str(first).split("\n")[0])
        for one, wanted in zip(got, outputs, strict=True):
            problem = compare(np.asarray(one), plain(wanted), case)
            if problem:
                return Result(case.name, op, "failed", problem, frozen)
    if problems:
        return Result(case.name, op, "refused", problems[0])
    return Result(case.name, op, "passed", "", frozen)


def table(results):
    """Markdown: cases by operator. `refused` is by design, `missing` is refused without a reason of design."""
    columns = ("passed", "refused", "missing", "failed")

    def column(result):
        return "missing" if result.outcome == "refused" and not result.design else result.outcome

    def line(name, counts):
        return f"| {name} | " + " | ".join(str(counts[c] or "") for c in columns) + " |"

    counts = collections.defaultdict(collections.Counter)
    for result in results:
        counts[result.op][column(result)] += 1
    lines = [f"| operator | {' | '.join(columns)} |", "|---" * 5 + "|"]
    lines += [line(op, counts[op]) for op in sorted(counts)]
    return "\n".join([*lines, line(f"**all {len(results)}**", collections.Counter(map(column, results)))])


def run_all(only=""):
    with tempfile.TemporaryDirectory() as folder:
        return [run(case, folder) for case in collect() if only in case.name or only == operator_of(case)]


if __name__ == "__main__":
    import sys

    everything = run_all(sys.argv[1] if len(sys.argv) > 1 else "")
    print(table(everything))
    for result in everything:
        if result.outcome == "failed" or (result.outcome == "refused" and not result.design):
            print(f"{result.outcome} {result.op} {result.name}: {result.reason}")
