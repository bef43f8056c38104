"""onnx_edit: inputs and outputs of other dimensions, the same function, and a file that is otherwise the same bytes."""

import subprocess

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openrknn._core")

import dimension_equations  # noqa: E402
import small_models  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from onnx_edit_models import CACHE, feeds_of_cache, run, save_samples, scaled, shapes  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402
from rknn.utils import onnx_edit  # noqa: E402

# ---- what it does


@pytest.mark.proves(
    "rknn.utils.onnx_edit.model", "rknn.utils.onnx_edit.export_path", "rknn.utils.onnx_edit.inputs_transform"
)
def test_the_documented_example(attention_cache, tmp_path, capfd):
    out = tmp_path / "concat_block_edited.onnx"
    assert onnx_edit(model=str(attention_cache), export_path=str(out), inputs_transform={"k_cache.1": CACHE}) == 0
    edited = onnx.load(out)
    onnx.checker.check_model(edited, full_check=True)
    assert shapes(edited.graph.input) == {"feature_0": [4, 2, 1, 8], "k_cache.1": [1, 32, 48, 1]}
    assert capfd.readouterr().err == (
        "I For 'k_cache.1':'a,b,c,d->1,ad,b,c'\n"
        "  Input:'k_cache.1' was reset as shape-[1, 32, 48, 1].(Origin shape is [4, 48, 1, 8])\n"
        "  Insert ops to transform [1, 32, 48, 1] to [4, 48, 1, 8]:\n"
        "  - Insert reshape op. [1, 32, 48, 1] reshape to [4, 8, 48, 1].\n"
        "  - Insert transpose op. [4, 8, 48, 1] transpose(0, 2, 3, 1) to [4, 48, 1, 8].\n"
    )
    feeds = feeds_of_cache()
    wanted = run(attention_cache, feeds)
    feeds["k_cache.1"] = feeds["k_cache.1"].transpose(0, 3, 1, 2).reshape(1, 32, 48, 1)
    for got, want in zip(run(out, feeds), wanted, strict=True):
        assert np.array_equal(got, want)


@pytest.mark.proves("rknn.utils.onnx_edit.outputs_transform")
def test_inputs_and_outputs_together_and_read_back_here(attention_cache, tmp_path):
    out = tmp_path / "edited.onnx"
    texts = openrknn.edit_onnx(
        attention_cache,
        out,
        inputs={"k_cache.1": CACHE, "feature_0": "a,b,c,d->b,a,c,d"},
        outputs={"keys": "a,b,c,d->1,ad,b,c", "mean": "a,b,c,d->a,bcd"},
    )
    assert len(texts) == 4
    edited = onnx.load(out)
    onnx.checker.check_model(edited, full_check=True)
    assert shapes(edited.graph.output) == {"keys": [1, 32, 50, 1], "mean": [4, 50]}
    feeds = feeds_of_cache()
    keys, mean = run(attention_cache, feeds)
    feeds = {
        "feature_0": feeds["feature_0"].transpose(1, 0, 2, 3),
        "k_cache.1": dimension_equations.apply(CACHE, feeds["k_cache.1"]),
    }
    for got in (run(out, feeds), openrknn.import_model(out).run(feeds)):
        assert np.array_equal(got[0], dimension_equations.apply(CACHE, keys))
        assert np.array_equal(got[1], mean.reshape(4, 50))


def test_reuse_as_step_of_a_conversion(rknn, attention_cache, tmp_path):
    out = tmp_path / "edited.onnx"
    assert onnx_edit(attention_cache, out, {"k_cache.1": CACHE}) == 0
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(out) == 0 and each.build(do_quantization=False) == 0


@pytest.mark.parametrize("seed", range(60))
def test_random_equations_keep_the_function(seed, tmp_path):
    random = np.random.default_rng(seed)
    taken = dimension_equations.RandomEquation(random)
    source = small_models.save(scaled(taken.shape), tmp_path / "net.onnx")
    out = tmp_path / "edited.onnx"
    outputs = {"y": taken.text.partition("->")[0] + "->" + ",".join(random.permutation(taken.right))}
    openrknn.edit_onnx(source, out, inputs={"x": taken.text}, outputs=outputs)
    onnx.checker.check_model(onnx.load(out), full_check=True)
    sample = taken.sample(random)
    y, total = run(source, {"x": sample})
    feed = dimension_equations.apply(taken.text, sample)
    got = run(out, {"x": feed})
    assert shapes(onnx.load(out).graph.input) == {"x": list(feed.shape)}
    assert np.array_equal(got[0], dimension_equations.apply(outputs["y"], y))
    assert np.array_equal(got[1], total)


@pytest.mark.parametrize("seed", range(60))
def test_random_equations_over_open_dimensions(seed, tmp_path):
    random = np.random.default_rng(1000 + seed)
    taken = dimension_equations.RandomEquation(random, open_dimensions=True)
    declared = [f"d{i}" if extent is None else extent for i, extent in enumerate(taken.declared)]
    source = small_models.save(scaled(taken.shape, declared), tmp_path / "net.onnx")
    out = tmp_path / "edited.onnx"
    openrknn.edit_onnx(source, out, inputs={"x": taken.text}, outputs={"y": taken.text})
    onnx.checker.check_model(onnx.load(out))
    sample = taken.sample(random)
    y, total = run(source, {"x": sample})
    got = run(out, {"x": dimension_equations.apply(taken.text, sample)})
    assert np.array_equal(got[0], dimension_equations.apply(taken.text, y))
    assert np.array_equal(got[1], total)


@pytest.mark.parametrize(
    "equation", ["a,b,c,d->ab,cd", "a,b,c,d->dc,ba", "a,b,c,d->1,abc,d", "ae,b,c,df[e=2,f=3]->fb,ea,1,cd"]
)
def test_outputs_may_join_open_dimensions(equation, tmp_path):
    shape = [4, 3, 5, 6]
    source = small_models.save(scaled(shape, ["n", None, "h", None]), tmp_path / "net.onnx")
    out = tmp_path / "edited.onnx"
    openrknn.edit_onnx(source, out, outputs={"y": equation})
    sample = np.random.default_rng(0).integers(-8, 9, shape).astype(np.float32)
    assert np.array_equal(
        run(out, {"x": sample})[0], dimension_equations.apply(equation, run(source, {"x": sample})[0])
    )


def test_symbols_stay_and_assignments_freeze(tmp_path):
    source = small_models.save(scaled([2, 3, 4], ["batch", 3, "width"]), tmp_path / "net.onnx")
    out = tmp_path / "edited.onnx"
    openrknn.edit_onnx(source, out, inputs={"x": "a,b,c[a=2]->b,a,c"}, outputs={"y": "a,b,c->c,ab"})
    edited = onnx.load(out)
    assert shapes(edited.graph.input) == {"x": [3, 2, "width"]}
    assert shapes(edited.graph.output)["y"] == ["width", None]
    openrknn.edit_onnx(source, out, inputs={"x": "a,b,c[a=1,c=4]->a,b,c"})
    edited = onnx.load(out)
    assert shapes(edited.graph.input) == {"x": [1, 3, 4]}
    assert [node.op_type for node in edited.graph.node] == ["Mul", "ReduceSum"]


# ---- what stays


def test_everything_else_stays_byte_for_byte(attention_cache, tmp_path):
    model = onnx.load(attention_cache)
    model.doc_string, model.producer_name = "doc", "maker"
    helper.set_model_props(model, {"key": "value"})
    model.graph.input[1].doc_string = "the cache"
    model.graph.value_info.append(small_models.value("gate", [4, 2, 1, 8]))
    # A field that no version of the format knows: number 5000, two bytes.
    unknown = b"\xc2\xb8\x02\x02ok"
    source = tmp_path / "source.onnx"
    source.write_bytes(model.SerializeToString() + unknown)
    out = tmp_path / "out.onnx"
    openrknn.edit_onnx(source, out, inputs={"k_cache.1": CACHE})
    edited = onnx.load(out)
    assert unknown in out.read_bytes()
    assert [node.op_type for node in edited.graph.node] == [
        "Constant",
        "Reshape",
        "Transpose",
        "Relu",
        "Concat",
        "ReduceMean",
    ]
    del edited.graph.node[:3]
    edited.graph.node[1].input[0] = "k_cache.1"
    edited.graph.input[1].type.CopyFrom(model.graph.input[1].type)
    assert edited.SerializeToString() == source.read_bytes()
    openrknn.edit_onnx(source, out)
    assert out.read_bytes() == source.read_bytes()


def test_bodies_of_nodes_follow(tmp_path):
    """An If whose one branch reads the input from around it, and whose other has a value of that name."""
    branches = [
        helper.make_graph(
            [helper.make_node("Neg", ["x"], ["negative"])], "then", [], [small_models.value("negative", [2, 3])]
        ),
        helper.make_graph(
            [helper.make_node("Abs", ["y"], ["positive"])], "else", [], [small_models.value("positive", [2, 3])]
        ),
    ]
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("If", ["which"], ["z"], then_branch=branches[0], else_branch=branches[1]),
    ]
    made = small_models.model(
        nodes,
        [small_models.value("x", [2, 3]), small_models.value("which", [], TensorProto.BOOL)],
        [small_models.value("z", [2, 3]), small_models.value("y", [2, 3])],
    )
    source, out = small_models.save(made, tmp_path / "if.onnx"), tmp_path / "out.onnx"
    openrknn.edit_onnx(source, out, inputs={"x": "a,b->b,a"}, outputs={"y": "a,b->b,a", "z": "a,b->ab"})
    onnx.checker.check_model(onnx.load(out), full_check=True)
    x = np.arange(6, dtype=np.float32).reshape(2, 3) - 3
    for which in (True, False):
        z, y = run(source, {"x": x, "which": np.array(which)})
        got = run(out, {"x": np.ascontiguousarray(x.T), "which": np.array(which)})
        assert np.array_equal(got[0], z.ravel()) and np.array_equal(got[1], y.T)


def test_a_name_that_a_body_defines_itself_is_another_value(tmp_path):
    body = helper.make_graph(
        [helper.make_node("Add", ["x", "carried"], ["sum"])],
        "body",
        [
            small_models.value("i", [], TensorProto.INT64),
            small_models.value("go", [], TensorProto.BOOL),
            small_models.value("x", [2, 3]),
        ],
        [small_models.value("go", [], TensorProto.BOOL), small_models.value("sum", [2, 3])],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["carried"]),
        helper.make_node("Loop", ["", "on", "x"], ["z"], body=body),
    ]
    made = small_models.model(
        nodes,
        [small_models.value("x", [2, 3])],
        [small_models.value("z", [2, 3])],
        [small_models.constant("on", np.array(True))],
        check=False,
    )
    source, out = small_models.save(made, tmp_path / "loop.onnx"), tmp_path / "out.onnx"
    openrknn.edit_onnx(source, out, inputs={"x": "a,b->b,a"})
    loop = onnx.load(out).graph.node[-1]
    assert loop.input[2] != "x"
    assert loop.attribute[0].g == body


def test_names_that_are_taken_are_left_alone(tmp_path):
    made = small_models.model(
        [
            helper.make_node("Relu", ["x"], ["x/original"]),
            helper.make_node("Neg", ["x/original"], ["y"], name="x/Transpose"),
        ],
        [small_models.value("x", [2, 3])],
        [small_models.value("y", [2, 3])],
    )
    source, out = small_models.save(made, tmp_path / "net.onnx"), tmp_path / "out.onnx"
    openrknn.edit_onnx(source, out, inputs={"x": "a,b->b,a"})
    onnx.checker.check_model(onnx.load(out), full_check=True)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(run(out, {"x": np.ascontiguousarray(x.T)})[0], -x)


def test_the_model_may_be_replaced_in_place(attention_cache):
    assert onnx_edit(attention_cache, attention_cache, {"k_cache.1": CACHE}) == 0
    assert shapes(onnx.load(attention_cache).graph.input)["k_cache.1"] == [1, 32, 48, 1]


# ---- the command


def test_the_command(attention_cache, tmp_path):
    dataset, _ = save_samples(tmp_path / "samples")
    out = tmp_path / "out.onnx"
    arguments = [
        attention_cache,
        out,
        "--input",
        f"k_cache.1={CACHE}",
        "--output",
        "mean=a,b,c,d->a,bcd",
        "--dataset",
        dataset,
    ]
    done = subprocess.run(
        [*command_line(), "edit", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("For 'k_cache.1':'a,b,c,d->1,ad,b,c'\n  Input:")
    assert done.stdout.endswith(f"{out}\n{tmp_path / 'dataset_for_out.txt'}\n")
    assert shapes(onnx.load(out).graph.output)["mean"] == [4, 50]
    for wrong, code in ((["--input", "k_cache.1"], 2), (["--input", "k_cache.1=a->a"], 1)):
        done = subprocess.run(
            [*command_line(), "edit", str(attention_cache), str(out), *wrong],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code and "k_cache.1" in done.stderr
