"""One operator in both languages: a line of the graph's text form for `run_graph_text`, an ONNX node for the oracle.

The tool is in the build's tests folder, named by OPENRKNN_TEST_TOOLS. Float16 graphs are compared with the float32 oracle
on the same (rounded) inputs: only one rounding may lie between.
"""

import os
import subprocess

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

TOOLS = os.environ.get("OPENRKNN_TEST_TOOLS")
needs_tools = pytest.mark.skipif(not TOOLS, reason="OPENRKNN_TEST_TOOLS names no folder with the run_graph_text tool")

TRIALS = 6
DTYPE_NAMES = {"float32": "f32", "float16": "f16", "float64": "f64", "bool": "bool"}
DTYPE_NAMES.update(
    {f"{sign}int{bits}": f"{'u' if sign else 'i'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
DTYPE_NUMBERS = {"f32": 0, "f16": 1, "f64": 3, "i8": 6, "u8": 7, "i16": 8, "i32": 10, "i64": 12, "bool": 14}
# Largest difference to the oracle: absolute, for outputs of size about 1, and relative. Exact where not named.
FLOAT = dict(rtol=2e-6, atol=2e-6)
SUMS = dict(rtol=1e-5, atol=1e-5)


def attribute_text(value):
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(attribute_text(v) for v in value) + "]"
    return repr(value)


def run_ours(folder, op, attributes, inputs, outputs=1, constants=(), reference=True):
    """`inputs`: arrays or None (left out); those whose index is in `constants` become constants of the graph."""
    lines, names, command = ["ir 1"], [], []
    for i, array in enumerate(inputs):
        if array is None:
            names.append("_")
            continue
        path = folder / f"in{i}.npy"
        np.save(path, array)
        kind = f"{DTYPE_NAMES[array.dtype.name]}[{','.join(map(str, array.shape))}]"
        if i in constants:
            lines.append(f"%x{i} : {kind} = data({command.count('--data')})")
            command += ["--data", path]
        else:
            lines.append(f"input %x{i} : {kind}")
            command += ["--input", path]
        names.append(f"%x{i}")
    text = ", ".join(f"{k}={attribute_text(v)}" for k, v in attributes.items())
    results = ", ".join(f"%y{i}" for i in range(outputs))
    lines.append(f"{results} = {op}({', '.join(names)})" + (f" {{{text}}}" if text else ""))
    lines += [f"output %y{i}" for i in range(outputs)]
    graph = folder / "graph.txt"
    graph.write_text("\n".join(lines) + "\n")
    command = [os.path.join(TOOLS, "run_graph_text"), graph, folder / "out"] + (["--reference"] * reference) + command
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\n{graph.read_text()}"
    return [np.load(folder / f"out{i}.npy") for i in range(outputs)]


def run_oracle(op, attributes, inputs, outputs=1, opset=18):
    """onnxruntime; where it lacks the operator or type, onnx's reference evaluator."""
    inputs = list(inputs)
    while inputs[-1] is None:  # an empty name at the end makes onnxruntime crash
        inputs.pop()
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)]
    node = helper.make_node(op, names, [f"y{i}" for i in range(outputs)], **attributes)
    of = [(n, a) for n, a in zip(names, inputs, strict=False) if a is not None]
    infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in of]
    results = [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], "case", infos, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    feeds = dict(of)
    try:
        model = onnx.shape_inference.infer_shapes(model)
        options = ort.SessionOptions()
        options.log_severity_level = 4
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, feeds)
    except Exception as problem:  # not implemented there: any type of exception, by version
        if "INVALID_ARGUMENT" in str(problem):
            raise
        return ReferenceEvaluator(model).run(None, feeds)


class Case:
    def __init__(self, tmp_path, seed):
        self.folder, self.rng = tmp_path, np.random.default_rng(seed)

    def normal(self, *shape, scale=1.0):
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    def shape(self, rank, low=1, high=6):
        return tuple(int(v) for v in self.rng.integers(low, high, rank))

    def integer(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def pick(self, *options):
        return options[self.rng.integers(0, len(options))]

    def check(self, op, attributes, inputs, expected, constants=(), rtol=0.0, atol=0.0, half=True):
        """Against `expected` (a list of arrays, or a function of the inputs); floats in Float16 too."""
        oracle = expected(*inputs) if callable(expected) else expected
        ours = run_ours(self.folder, op, attributes, inputs, len(oracle), constants)
        for mine, theirs in zip(ours, oracle, strict=False):
            assert mine.dtype == theirs.dtype and mine.shape == theirs.shape, (mine.dtype, mine.shape, theirs.shape)
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=atol, err_msg=f"{op} {attributes}")
        if not half or not callable(expected) or inputs[0].dtype != np.float32:
            return
        halves = [a if a is None or a.dtype != np.float32 else a.astype(np.float16) for a in inputs]
        floats = [a if a is None or a.dtype != np.float16 else a.astype(np.float32) for a in halves]
        with np.errstate(over="ignore"):
            ours = run_ours(self.folder, op, attributes, halves, len(oracle), constants)
            for mine, theirs in zip(ours, expected(*floats), strict=False):
                if theirs.dtype == np.float32:
                    assert mine.dtype == np.float16
                    theirs = theirs.astype(np.float16)
                    np.testing.assert_allclose(
                        mine, theirs, rtol=2**-10 + rtol, atol=2**-24 + atol, err_msg=f"{op} half"
                    )
                else:
                    np.testing.assert_array_equal(mine, theirs)


def trials(*names):
    return pytest.mark.parametrize(",".join(names) if names else "trial", range(TRIALS))
