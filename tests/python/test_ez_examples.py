"""The code examples of EZ RKNN Async's documentation, read where they are and run as they stand.

Only model and plug-in files are supplied, under the names the examples give them. Fragments, which lean on what their
page said before, get a preamble.
"""

import ast
import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402

import openrknn  # noqa: E402

OPEN = (
    "import ztu_somemodelruntime_ez_rknn_async as ez\nimport numpy as np\nsession = ez.InferenceSession('model.rknn')\n"
)
MAKE = "from ztu_somemodelruntime_ez_rknn_async import InferenceSession, make_provider_options\n"
CALLED = """
import numpy as np, threading
from ztu_somemodelruntime_ez_rknn_async import InferenceSession
sess, frame, frame_id, called = InferenceSession('model.rknn'), np.zeros((1, 3, 32, 32), np.float32), 7, threading.Event()
seen = []
def on_result(results, user_data, err):
    seen.append((len(results), user_data, err))
    called.set()
"""

# page, how the example's first line begins, which of those that begin so, (input, outputs, size) of model.rknn,
# preamble, what must hold afterwards.
EXAMPLES = {
    "constructor": ("inference-session", "import ztu_", 0, ("images", ["output0"], 64), "", "session.input_names == ['images']"),
    "run": ("inference-session", "import numpy", 0, ("images", ["output0", "output1"], 640), "", "len(outputs) == 2"),
    "batch": ("inference-session", "# 4 samples", 0, ("images", ["output0"], 640), OPEN, "len(outputs[0]) == 4"),
    "run_async": ("inference-session", "import threading", 0, ("images", ["output0"], 640), "", "done.is_set()"),
    "run_pipeline": ("inference-session", "import numpy", 2, ("images", ["output0"], 640), "", "len(results) == 7"),
    "get_inputs": ("inference-session", "for node in session.get_inputs", 0, ("images", ["output0"], 64), OPEN, "node.name == 'images'"),
    "get_outputs": ("inference-session", "for node in session.get_outputs", 0, ("images", ["output0"], 64), OPEN, "node.name == 'output0'"),
    "get_modelmeta": ("inference-session", "meta = ", 0, ("images", ["output0"], 64), OPEN, "meta.custom_metadata_map['rknn_custom_string'] == 'yolov5s-640'"),
    "input_names": ("inference-session", "print(session.input_names", 0, ("images", ["output0"], 64), OPEN, "True"),
    "output_names": ("inference-session", "print(session.output_names", 0, ("images", ["output0", "output1"], 64), OPEN, "True"),
    "options": ("provider-options", "from ztu_", 0, ("images", ["output0"], 64), "", "sess.get_inputs()"),
    "all options": ("provider-options", "from ztu_", 1, ("images", ["output0"], 64), "", "sess.get_inputs()"),
    "callback": ("async-inference", "def callback", 0, ("input", ["y"], 32), "from typing import *\n", "callable(callback)"),
    "async": ("async-inference", "import threading", 0, ("input", ["y"], 224), "", "[i for i, _ in results_received] == list(range(10))"),
    "queue": ("async-inference", "opts = ", 0, ("input", ["y"], 32), MAKE, "opts['submit_timeout_ms'] == 10000"),
    "ordering": ("async-inference", "# In-order", 0, ("input", ["y"], 32), MAKE, "opts['sequential_callbacks'] is False"),
    "names": ("async-inference", "sess.run_async(", 0, ("input", ["y", "output_logits"], 32), CALLED, "called.wait(20) and seen == [(1, 7, '')]"),
    "plugin": ("custom-operators", "from ztu_", 0, None, "", "sess.input_names == ['input']"),
    "plugins": ("custom-operators", "opts = ", 1, None, MAKE, "InferenceSession('model_with_custom_op.rknn', provider_options=opts)"),
    "default directory": ("custom-operators", "opts = ", 2, ("input", ["y"], 32), MAKE, "InferenceSession('model.rknn', provider_options=opts)"),
    "dup_context": ("custom-operators", "# Both lines", 0, ("input", ["y"], 32), MAKE, "all(InferenceSession('model.rknn', provider_options=o) for o in (opts_a, opts_b))"),
    "complete plugin": ("custom-operators", "from ztu_", 1, None, "", "outputs[0].shape == (1, 2, 256, 256)"),
}  # fmt: skip
# Where the examples have plug-ins, and those of examples/custom_op_plugin that take their place.
PLUGINS = {
    "/usr/lib/rknpu/op_plugins/librkcst_myop.so": "sigmoid",
    "/usr/lib/rknpu/op_plugins/librkcst_op_a.so": "sigmoid",
    "/usr/lib/rknpu/op_plugins/librkcst_op_b.so": "dual_residual",
    "/path/to/librkcst_my_layer.so": "sigmoid",
}


@pytest.fixture(scope="module")
def pages(shared):
    def read(name):
        path = shared / "sources" / f"ez-{name}.txt"
        if not path.is_file():
            pytest.skip(f"{path.name} is not here")
        return path.read_text().splitlines()

    return read


def parses(lines):
    try:
        return ast.parse("\n".join(lines))
    except SyntaxError:
        return None


def example_at(lines, start):
    """The longest run of lines from `start` that is Python; words of the text that follows are Python by accident."""
    best = []
    for end in range(start + 1, min(start + 60, len(lines)) + 1):
        tree = parses(lines[start:end])
        if tree is None:
            continue
        if any(isinstance(node, ast.Expr) and isinstance(node.value, ast.Name) for node in tree.body):
            break
        best = lines[start:end]
    return "\n".join(best)


def example(lines, beginning, which):
    starts, end = [], 0
    for i, line in enumerate(lines):
        if i >= end and line.startswith(beginning):
            starts.append(i)
            end = i + 1
    return example_at(lines, starts[which])


def test_every_example_of_the_pages_is_in_the_table(pages):
    """Lines that begin an example: imports at the beginning of a line after a line of text."""
    ran = {(page, example(pages(page), beginning, which)) for page, beginning, which, *_ in EXAMPLES.values()}
    for page in ("inference-session", "provider-options", "async-inference", "custom-operators"):
        covered = "\n".join(text for name, text in ran if name == page)
        for line in pages(page):
            if re.match(r"(import|from) [\w.]+( |$)|(opts|sess|session|outputs|meta) = |sess(ion)?\.run", line):
                assert line in covered, f"{page}: {line}"


def network(input_name, outputs, size):
    random = np.random.default_rng(0)
    nodes, weights = [], []
    for i, name in enumerate(outputs):
        weights.append(small_models.constant(f"w{i}", random.standard_normal((2, 3, 4, 4)).astype(np.float32)))
        nodes.append(helper.make_node("Conv", [input_name, f"w{i}"], [name], name=f"conv{i}", strides=[16, 16]))
    extent = (size - 4) // 16 + 1
    values = [small_models.value(name, [1, 2, extent, extent]) for name in outputs]
    return small_models.model(nodes, [small_models.value(input_name, [1, 3, size, size])], values, weights)


def custom_network(size=256):
    weights = np.random.default_rng(0).standard_normal((2, 3, 1, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "w"], ["conv"], name="conv"),
            helper.make_node("cstSigmoid", ["conv"], ["y"], name="gate", domain="rknn_cst"),
        ],
        "net",
        [small_models.value("input", [1, 3, size, size])],
        [small_models.value("y", [1, 2, size, size])],
        [small_models.constant("w", weights)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("rknn_cst", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def plugin(name):
    path = Path(os.environ.get("OPENRKNN_TEST_TOOLS", "")).parent / f"examples/custom_op_plugin/librkcst_{name}.so"
    if not path.is_file():
        pytest.skip("the example plug-ins are not built")
    return str(path.resolve())


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(pages, name, tmp_path, monkeypatch, capsys):
    page, beginning, which, model, preamble, holds = EXAMPLES[name]
    text = example(pages(page), beginning, which)
    for path, stand_in in PLUGINS.items():
        if path in text:
            text = text.replace(path, plugin(stand_in))
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "model.onnx"
    if model is None:
        small_models.save(custom_network(), source)
        for path in ("model_with_custom_op.rknn", "model_with_my_layer.rknn"):
            openrknn.compile(source, quantize=None).save(path)
    else:
        small_models.save(network(*model), source)
        openrknn.compile(source, quantize=None, custom_string="yolov5s-640").save("model.rknn")
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    names = {"__name__": "__main__"}
    with warnings.catch_warnings():
        # What the page says will be warned of.
        warnings.filterwarnings("error")
        warnings.filterwarnings("ignore", "Custom op loading requested")
        warnings.filterwarnings("ignore", "Default plugin directory does not exist")
        exec(compile(preamble, "preamble", "exec"), names)
        exec(compile(text, f"{page}: {name}", "exec"), names)
        assert eval(holds, {"InferenceSession": openrknn.InferenceSession, **names}), text
        for value in list(names.values()):
            if isinstance(value, openrknn.InferenceSession):
                value.close()
    assert unraisable == []
    said = capsys.readouterr().out.lower()
    assert "error" not in said and "failed" not in said
