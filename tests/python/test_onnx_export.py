"""Float graphs written as ONNX: valid, computing what golden computes, and read back as the same function."""

import collections
import itertools
import os
import subprocess

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("openrknn._core")

import onnx_node_cases  # noqa: E402
import small_models  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402

MODELS = [
    *("digits/mobiledigits.op12.onnx", "digits/mobiledigits.op20.onnx"),
    *("digits/resdigits.op12.onnx", "digits/resdigits.op20.onnx"),
    *("ultraface_slim/slim-320.onnx", "ultraface_slim/slim-320_without_postprocessing.onnx"),
    *("mtcnn_pnet/pnet.onnx", "mtcnn_rnet/rnet.onnx", "multiple_input_rknn/test.onnx"),
]


def run_reference(path, feeds):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return session.run(None, dict(zip(names, feeds, strict=True)))


def worst_error(got, wanted):
    """The largest difference as a part of the output's range."""
    errors = [0.0]
    for g, w in zip(got, wanted, strict=True):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        if not g.size:
            continue
        if w.dtype == bool or np.issubdtype(w.dtype, np.integer):
            assert np.array_equal(g, w)
        elif not np.array_equal(g, w, equal_nan=True):
            with np.errstate(invalid="ignore"):
                finite = np.isfinite(w) & (g != w)
            assert np.array_equal(np.isfinite(g), np.isfinite(w))
            if finite.any():
                errors.append(
                    np.abs(g[finite] - w[finite]).max() / max(np.ptp(w[np.isfinite(w)]), np.abs(w[finite]).max(), 1e-30)
                )
    return max(errors)


def check_export(graph, feeds, folder, tolerance=1e-5):
    """Golden, onnxruntime on what was written, and golden of what was written agree."""
    golden = graph.run(feeds)
    path = folder / "export.onnx"
    graph.export_onnx(path)
    made = onnx.load(path)
    onnx.checker.check_model(made, full_check=True)
    assert worst_error(run_reference(path, feeds), golden) <= tolerance
    again = openrknn.import_model(path, input_shapes=[shape for _, shape, _ in graph.inputs])
    assert again.inputs == graph.inputs
    assert [o[0] for o in again.outputs] == [o[0] for o in graph.outputs]
    assert worst_error(again.run(feeds), golden) <= tolerance
    return made


@pytest.fixture
def single(tmp_path):
    """Checks one operator, made of nodes over one input."""

    def check(nodes, shape, outputs, constants=(), opset=21, dtype=TensorProto.FLOAT, seed=0):
        model = small_models.model(
            nodes,
            [small_models.value("x", shape, dtype)],
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            constants,
            opset=opset,
            check=False,
        )
        path = small_models.save(model, tmp_path / "model.onnx")
        x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
        return check_export(openrknn.import_model(path), [x], tmp_path)

    return check


@pytest.mark.parametrize("name", MODELS)
def test_real_networks_compute_what_golden_computes(shared, tmp_path, name):
    path = shared / "models" / name
    with np.load(f"{path}.io.npz") as arrays:
        feeds = [arrays[key] for key in sorted(arrays) if key.startswith("in")]
    check_export(openrknn.import_model(path, input_shapes=[feed.shape for feed in feeds]), feeds, tmp_path)


def test_names_of_source_tensors_and_nodes_stay(cnn, tmp_path):
    image = np.random.default_rng(1).standard_normal((1, 3, 16, 16)).astype(np.float32)
    made = check_export(openrknn.import_model(cnn), [image], tmp_path)
    tensors = {name for node in made.graph.node for name in node.output}
    assert {"relu", "depthwise", "pooled", "average", "scores"} <= tensors
    assert {"conv", "depthwise", "pool", "average"} <= {node.name for node in made.graph.node}


def test_opset_and_file_version_are_the_documented_ones(dense, tmp_path):
    made = check_export(openrknn.import_model(dense), [np.ones((1, 6), np.float32)], tmp_path)
    assert [(o.domain, o.version) for o in made.opset_import] == [("", 21)]
    assert made.ir_version == 10
    assert made.producer_name == "OpenRKNN"


def test_metadata_of_the_source_stays(tmp_path):
    path = small_models.save(small_models.cnn(metadata={"names": "{0: 'cat'}"}), tmp_path / "m.onnx")
    image = np.zeros((1, 3, 16, 16), np.float32)
    made = check_export(openrknn.import_model(path), [image], tmp_path)
    assert {p.key: p.value for p in made.metadata_props}["names"] == "{0: 'cat'}"


ACTIVATIONS = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.2},
    "Elu": {"alpha": 0.7},
    "Sigmoid": {},
    "Tanh": {},
    "Softplus": {},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "HardSwish": {},
    "Mish": {},
    "Gelu": {"approximate": "tanh"},
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layer", ["Conv", "MatMul"])
def test_fused_activations_come_apart_again(single, activation, layer):
    random = np.random.default_rng(5)
    if layer == "Conv":
        shape, weights = (1, 3, 6, 6), random.standard_normal((4, 3, 3, 3)).astype(np.float32)
    else:
        shape, weights = (2, 5), random.standard_normal((5, 4)).astype(np.float32)
    nodes = [
        helper.make_node(layer, ["x", "w"], ["linear"], name="layer"),
        helper.make_node(activation, ["linear"], ["y"], name="act", **ACTIVATIONS[activation]),
    ]
    made = single(nodes, shape, ["y"], [small_models.constant("w", weights)])
    assert [node.op_type for node in made.graph.node] == [layer, activation]


def test_silu_is_a_product_with_a_sigmoid(single):
    weights = small_models.constant("w", np.ones((4, 3, 1, 1), np.float32))
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node("Mul", ["c", "s"], ["y"]),
    ]
    made = single(nodes, (1, 3, 4, 4), ["y"], [weights])
    assert [node.op_type for node in made.graph.node] == ["Conv", "Sigmoid", "Mul"]


def test_clip_behind_an_addition_keeps_its_bounds(single):
    low, high = (small_models.constant(name, np.float32(v)) for name, v in (("low", -0.5), ("high", 0.75)))
    nodes = [helper.make_node("Add", ["x", "x"], ["a"]), helper.make_node("Clip", ["a", "low", "high"], ["y"])]
    made = single(nodes, (3, 4), ["y"], [low, high])
    assert [node.op_type for node in made.graph.node] == ["Add", "Clip"]


def test_outputs_that_are_one_tensor_keep_both_names(single):
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Identity", ["y"], ["z"]),
        helper.make_node("Identity", ["x"], ["w"]),
    ]
    made = single(nodes, (2, 3), ["y", "z", "w"])
    assert [output.name for output in made.graph.output] == ["y", "z", "w"]


def test_a_loop_reads_what_is_outside_of_it(tmp_path):
    body = helper.make_graph(
        [
            helper.make_node("Add", ["carried", "x"], ["next"]),
            helper.make_node("Identity", ["more"], ["again"]),
            helper.make_node("Mul", ["next", "next"], ["square"]),
        ],
        "body",
        [
            small_models.value("i", [], TensorProto.INT64),
            small_models.value("more", [], TensorProto.BOOL),
            small_models.value("carried", [2]),
        ],
        [
            small_models.value("again", [], TensorProto.BOOL),
            small_models.value("next", [2]),
            small_models.value("square", [2]),
        ],
    )
    model = small_models.model(
        [helper.make_node("Loop", ["trips", "yes", "x"], ["y", "squares"], body=body)],
        [small_models.value("x", [2]), small_models.value("trips", [], TensorProto.INT64)],
        [small_models.value("y", [2]), small_models.value("squares", [None, 2])],
        [small_models.constant("yes", np.bool_(True))],
    )
    path = small_models.save(model, tmp_path / "loop.onnx")
    graph = openrknn.import_model(path)
    check_export(graph, [np.float32([1, -2]), np.array(3)], tmp_path)


# ---- every operator: the standard's own cases


def import_case(case, folder):
    """The graph of a standard's case and its feeds, with inputs frozen where the importer wants that; None if refused."""
    path = folder / "case.onnx"
    path.write_bytes(case.model.SerializeToString())
    values = dict(zip([i.name for i in case.model.graph.input], case.data_sets[0][0], strict=False))
    if not all(isinstance(v, (np.ndarray, np.generic, float, int, onnx.TensorProto)) for v in values.values()):
        return None
    values = {name: onnx_node_cases.plain(value) for name, value in values.items()}
    shapes = [list(v.shape) for v in values.values()] if any(v.size == 0 for v in values.values()) else None
    for frozen in onnx_node_cases.freezing_plans(case.model):
        try:
            constants = {name: values[name] for name in frozen if name in values}
            graph = openrknn.import_model(path, input_shapes=shapes, initial_values=constants)
            return graph, [values[name] for name, _, _ in graph.inputs]
        except (openrknn.Error, ValueError, KeyError):
            continue
    return None


def problem_of_case(graph, feeds, folder):
    export = folder / "export.onnx"
    golden = graph.run(feeds)
    graph.export_onnx(export)
    made = onnx.load(export)
    own = any(node.domain == "openrknn" for node in made.graph.node)
    onnx.checker.check_model(made, full_check=not own)
    again = openrknn.import_model(export, input_shapes=[list(feed.shape) for feed in feeds])  # 0 may mean unknown
    error = worst_error(again.run(feeds), golden)
    return f"read back differs by {error}" if error > 1e-5 else "own" if own else ""


# Operators that ONNX has only in newer opsets, or not at all.
OWN = set("AveragePool BitCast BitShift ConvInteger CumProd DeformConv LinearAttention Resize SpaceToDepth".split())


def test_every_operator_is_written_validly_and_read_back(tmp_path):
    wrong, written, own = [], collections.Counter(), collections.Counter()
    for case in onnx_node_cases.collect():
        imported = import_case(case, tmp_path)
        if imported is None:
            continue  # refused by the importer: test_onnx_node_cases.py
        op = onnx_node_cases.operator_of(case)
        try:
            problem = problem_of_case(*imported, tmp_path)
        except Exception as error:  # of the checker, of either program: all of them are findings
            problem = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        if problem and problem != "own":
            wrong.append(f"{case.name}: {problem}")
        (own if problem == "own" else written)[op] += 1
    print(written, own)
    assert not wrong, f"{len(wrong)} cases\n" + "\n".join(wrong)
    assert set(own) <= OWN
    assert len(written) > 120


# ---- command line and refusals


def test_the_command_line_writes_a_float_model(cnn, tmp_path):
    done = subprocess.run(
        [*command_line(), "export-onnx", cnn, "-o", tmp_path / "float.onnx"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "float.onnx")
    image = np.random.default_rng(2).standard_normal((1, 3, 16, 16)).astype(np.float32)
    wanted = openrknn.import_model(cnn).run([image])
    assert worst_error(run_reference(tmp_path / "float.onnx", [image]), wanted) <= 1e-5


def test_a_folder_that_is_not_there_leaves_nothing(cnn, tmp_path):
    with pytest.raises(openrknn.Error, match="nowhere"):
        openrknn.import_model(cnn).export_onnx(tmp_path / "nowhere" / "a.onnx")
    assert sorted(os.listdir(tmp_path)) == ["cnn.onnx"]


def test_names_never_collide(single):
    """Inner tensors of a node are named after it: a source tensor of that name keeps it."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y/Conv"]),
        helper.make_node("Sigmoid", ["y/Conv"], ["y/Sigmoid"]),
        helper.make_node("Mul", ["y/Conv", "y/Sigmoid"], ["y"]),
        helper.make_node("Relu", ["y/Conv"], ["z"]),
    ]
    made = single(
        nodes, (1, 3, 4, 4), ["y", "z", "y/Conv"], [small_models.constant("w", np.ones((2, 3, 1, 1), np.float32))]
    )
    tensors = list(itertools.chain.from_iterable(node.output for node in made.graph.node))
    assert len(tensors) == len(set(tensors))
