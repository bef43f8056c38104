"""onnx_edit: inputs and outputs of other dimensions, the same function, and a file that is otherwise the same bytes.

Numbers are small and whole, so that sums are exact in whatever order onnxruntime adds.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("openrknn._core")

import dimension_equations  # noqa: E402
import small_models  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402
from rknn.utils import onnx_edit  # noqa: E402

CACHE = "a,b,c,d->1,ad,b,c"


def run(path, feeds):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def shapes(values):
    return {
        value.name: [
            d.dim_param or (d.dim_value if d.HasField("dim_value") else None) for d in value.type.tensor_type.shape.dim
        ]
        for value in values
    }


def scaled(shape, declared=None):
    """x -> y = x * w, and the sum of y."""
    weights = np.random.default_rng(0).integers(-4, 5, shape).astype(np.float32)
    declared = list(shape) if declared is None else declared
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["y"], name="scale"),
        helper.make_node("ReduceSum", ["y"], ["sum"], name="sum", keepdims=0),
    ]
    values = [small_models.value(name, declared) for name in "xy"]
    return small_models.model(
        nodes, values[:1], [values[1], small_models.value("sum", [])], [small_models.constant("w", weights)]
    )


@pytest.fixture
def attention_cache(tmp_path):
    """The inputs of the toolkit's example: a feature, and a cache [4, 48, 1, 8] that is joined to it."""
    nodes = [
        helper.make_node("Relu", ["feature_0"], ["gate"]),
        helper.make_node("Concat", ["k_cache.1", "gate"], ["keys"], axis=1),
        helper.make_node("ReduceMean", ["keys"], ["mean"], axes=[3], keepdims=1),
    ]
    made = small_models.model(
        nodes,
        [small_models.value("feature_0", [4, 2, 1, 8]), small_models.value("k_cache.1", [4, 48, 1, 8])],
        [small_models.value("keys", [4, 50, 1, 8]), small_models.value("mean", [4, 50, 1, 1])],
        opset=15,
    )
    return small_models.save(made, tmp_path / "concat_block.onnx")


def feeds_of_cache():
    random = np.random.default_rng(1)
    return {
        name: random.integers(-8, 9, shape).astype(np.float32)
        for name, shape in [("feature_0", (4, 2, 1, 8)), ("k_cache.1", (4, 48, 1, 8))]
    }


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


# ---- external data


@pytest.fixture
def apart(tmp_path):
    """A model whose weights lie in a file below it."""
    folder = tmp_path / "from"
    (folder / "data").mkdir(parents=True)
    path = folder / "net.onnx"
    onnx.save(scaled([2, 64]), path, save_as_external_data=True, location="data/net.bin", size_threshold=0)
    return path


def test_external_data_goes_with_the_model(apart, tmp_path):
    sample = np.random.default_rng(0).integers(-8, 9, (2, 64)).astype(np.float32)
    wanted = run(apart, {"x": sample})
    for folder in ("from", "to"):
        (tmp_path / folder).mkdir(exist_ok=True)
        out = tmp_path / folder / "edited.onnx"
        openrknn.edit_onnx(apart, out, inputs={"x": "a,b->b,a"})
        assert np.array_equal(run(out, {"x": np.ascontiguousarray(sample.T)})[0], wanted[0])
        openrknn.edit_onnx(apart, out, inputs={"x": "a,b->b,a"})  # the copy that is there already will do
    assert sorted(p.name for p in (tmp_path / "to").rglob("*")) == ["data", "edited.onnx", "net.bin"]


def test_external_data_that_cannot_go_is_refused(apart, tmp_path):
    (tmp_path / "to" / "data").mkdir(parents=True)
    out = tmp_path / "to" / "edited.onnx"
    other = tmp_path / "to" / "data" / "net.bin"
    other.write_bytes(b"of another model")
    with pytest.raises(openrknn.Error, match="is another file.*remove that file"):
        openrknn.edit_onnx(apart, out)
    assert other.read_bytes() == b"of another model" and not out.exists()
    other.unlink()
    (apart.parent / "data" / "net.bin").unlink()
    with pytest.raises(openrknn.Error, match="'data/net.bin' is missing"):
        openrknn.edit_onnx(apart, out)
    made = onnx.load(apart, load_external_data=False)
    made.graph.initializer[0].external_data[0].value = "../net.bin"
    apart.write_bytes(made.SerializeToString())
    with pytest.raises(openrknn.Error, match="outside the model's folder"):
        openrknn.edit_onnx(apart, out)
    assert not out.exists()


def test_constants_of_nodes_may_be_external(apart, tmp_path):
    made = onnx.load(apart, load_external_data=False)
    tensor = made.graph.initializer.pop()
    tensor.name = ""
    made.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=tensor))
    apart.write_bytes(made.SerializeToString())
    (tmp_path / "to").mkdir()
    openrknn.edit_onnx(apart, tmp_path / "to" / "edited.onnx")
    assert (tmp_path / "to" / "data" / "net.bin").read_bytes() == (apart.parent / "data" / "net.bin").read_bytes()


def test_large_models_are_not_held_in_memory(tmp_path):
    """A model of 300 MB within 150 MB more than what an import takes; its bytes do not count, they are mapped."""
    path, out = tmp_path / "large.onnx", tmp_path / "out.onnx"
    made = scaled([1, 4])
    made.graph.initializer.append(numpy_helper.from_array(np.zeros(75_000_000, np.float32), "unused"))
    small_models.save(made, path)
    program = (
        "import resource, openrknn\n"
        "limit = int(open('/proc/self/status').read().split('VmData:')[1].split()[0]) * 1024 + (150 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))\n"
        f"openrknn.edit_onnx({str(path)!r}, {str(out)!r}, inputs={{'x': 'a,b->b,a'}})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert abs(out.stat().st_size - path.stat().st_size) < 1000


# ---- datasets


def save_samples(folder, count=3):
    folder.mkdir()
    lines, samples = [], []
    for i in range(count):
        feeds = feeds_of_cache()
        np.save(folder / f"feature {i}.npy", feeds["feature_0"])
        np.save(folder / f"cache{i}.npy", np.asfortranarray(feeds["k_cache.1"] + i))
        samples.append((feeds["feature_0"], feeds["k_cache.1"] + i))
        lines.append(f'"feature {i}.npy"  cache{i}.npy')
    (folder / "dataset.txt").write_text("# two inputs\n" + "\n\n".join(lines) + "\n")
    return folder / "dataset.txt", samples


@pytest.mark.proves("rknn.utils.onnx_edit.dataset")
def test_the_dataset_is_transformed_with_the_model(rknn, attention_cache, tmp_path):
    dataset, samples = save_samples(tmp_path / "samples")
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "concat_block_edited.onnx"
    assert onnx_edit(attention_cache, out, {"k_cache.1": CACHE}, dataset=str(dataset)) == 0
    written = tmp_path / "out" / "dataset_for_concat_block_edited.txt"
    lines = [line.rsplit(maxsplit=1) for line in written.read_text().splitlines()]
    assert len(lines) == 3
    for (first, second), (feature, cache) in zip(lines, samples, strict=True):
        assert np.array_equal(np.load(written.parent / first.strip('"')), feature)
        assert np.array_equal(np.load(written.parent / second), dimension_equations.apply(CACHE, cache))
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(out) == 0
    assert each.build(do_quantization=True, dataset=str(written)) == 0


def test_arrays_may_leave_out_a_batch_of_one_and_keep_their_type(tmp_path):
    source = small_models.save(scaled([1, 2, 3]), tmp_path / "net.onnx")
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    (tmp_path / "list.txt").write_text("a.npy\n")
    openrknn.edit_onnx(source, tmp_path / "out.onnx", inputs={"x": "n,a,b->n,ba"}, dataset=tmp_path / "list.txt")
    array = np.load(tmp_path / "dataset_for_out" / "00000_0.npy")
    assert array.dtype == np.int64 and np.array_equal(array, [[0, 3, 1, 4, 2, 5]])


def test_everything_wrong_with_a_dataset_is_told(attention_cache, tmp_path):
    dataset, _ = save_samples(tmp_path / "samples")
    np.save(tmp_path / "samples" / "cache1.npy", np.zeros((4, 48, 8)))
    (tmp_path / "samples" / "photo.jpg").write_bytes(b"")
    with open(dataset, "a") as file:
        file.write("cache0.npy\ncache0.npy nowhere.npy\ncache0.npy photo.jpg\n")
    with pytest.raises(openrknn.Error) as raised:
        openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx", inputs={"k_cache.1": CACHE}, dataset=dataset)
    told = str(raised.value)
    for part in (
        "the array has the shape [4, 48, 8], the input [4, 48, 1, 8]",
        "1 paths for 2 inputs",
        "no such file 'nowhere.npy'",
        "'photo.jpg' is no .npy file",
    ):
        assert part in told
    assert not (tmp_path / "out.onnx").exists() and not (tmp_path / "dataset_for_out").exists()


def test_a_dataset_is_not_replaced_by_its_own_transformation(attention_cache, tmp_path):
    dataset, _ = save_samples(tmp_path / "samples")
    own = dataset.rename(dataset.with_name("dataset_for_out.txt"))
    with pytest.raises(openrknn.Error, match="under another name"):
        openrknn.edit_onnx(attention_cache, dataset.with_name("out.onnx"), inputs={"k_cache.1": CACHE}, dataset=own)


def test_a_sample_that_breaks_off_leaves_nothing(attention_cache, tmp_path):
    dataset, _ = save_samples(tmp_path / "samples")
    broken = tmp_path / "samples" / "cache2.npy"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-8])
    (tmp_path / "out").mkdir()
    with pytest.raises(openrknn.Error, match="cache2.npy"):
        openrknn.edit_onnx(attention_cache, tmp_path / "out" / "out.onnx", inputs={"k_cache.1": CACHE}, dataset=dataset)
    assert os.listdir(tmp_path / "out") == []


# ---- what is refused


@pytest.mark.parametrize(
    "equation, problem",
    [
        ("a,b,c,d", "needs one '->'"),
        ("a,b,c,d->a->b", "needs one '->'"),
        ("a,b,c,d->a,b,c", "'d' is not on the right side"),
        ("a,b,c,d->a,b,c,d,e", "'e' is not on the left side"),
        ("a,b,c,c->a,b,c", "'c' is on the left side twice"),
        ("a,b,c,D->a,b,c", "'D' is no symbol"),
        ("a,b,2,d->a,b,d", "'2' is no symbol"),
        ("a,,c,d->a,c,d", "a dimension without symbol"),
        ("a,b,c->c,b,a", "left side has 3 dimensions, the tensor has 4: [4, 48, 1, 8]"),
        ("ae,b,c,d->a,e,b,c,d", "has the extent 4, and 2 letters have none; assign all but one of them, as in [a=2]"),
        ("ae,b,c,d[e=3]->a,e,b,c,d", "has the extent 4, which cannot be divided by 3"),
        ("a,b,c,d[a=3]->a,b,c,d", "dimension 0 ('a') is 3, the tensor has 4 there"),
        ("a,1,c,d->a,c,d", "dimension 1 ('1') is 1, the tensor has 48 there"),
        ("a,b,c,d[x=3]->a,b,c,d", "'x' is assigned 3 and not on the left side"),
        ("a,b,c,d[a=0]->a,b,c,d", "'a=0' assigns nothing"),
        ("a,b,c,d[a=1.5]->a,b,c,d", "'a=1.5' assigns nothing"),
        ("a,b,c,d[a=4,a=4]->a,b,c,d", "'a' is assigned twice"),
        ("a,b,c,d[a=4->a,b,c,d", "no ']'"),
        ("a,b,c,d->a,b,c,d[a=4]", "assignments stand on the right side"),
        ("aefghijk,b,c,d[" + ",".join(f"{x}=4000000000" for x in "aefghijk") + "]->aefghijkbcd", "larger than 2^63"),
    ],
)
def test_equations_that_say_nothing_are_refused(attention_cache, tmp_path, equation, problem):
    with pytest.raises(openrknn.Error) as raised:
        openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx", inputs={"k_cache.1": equation})
    assert problem in str(raised.value) and "k_cache.1" in str(raised.value)
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize(
    "equation, problem",
    [
        ("ab,c,d->a,b,c,d", "has the extent batch, and 2 letters have none"),
        ("a,b,c->a,bc", None),
        ("a,b,c->ac,b", "'ac' joins dimensions of which several are dynamic"),
    ],
)
def test_open_dimensions_that_cannot_be_told_apart(tmp_path, equation, problem):
    source = small_models.save(scaled([2, 3, 4], ["batch", 3, "width"]), tmp_path / "net.onnx")
    if problem is None:
        openrknn.edit_onnx(source, tmp_path / "out.onnx", inputs={"x": equation})
        return
    with pytest.raises(openrknn.Error) as raised:
        openrknn.edit_onnx(source, tmp_path / "out.onnx", inputs={"x": equation})
    assert problem in str(raised.value)


@pytest.mark.proves(
    "rknn.utils.onnx_edit.export_path",
    "rknn.utils.onnx_edit.inputs_transform",
    "rknn.utils.onnx_edit.outputs_transform",
    "rknn.utils.onnx_edit.dataset",
)
def test_all_problems_of_a_call_come_together_and_it_returns_minus_one(attention_cache, tmp_path, capfd, monkeypatch):
    arguments = {
        "model": attention_cache,
        "export_path": tmp_path / "nowhere" / "out.onnx",
        "inputs_transform": {"k_cache.1": "a,b->b", "cache": "a->a"},
        "outputs_transform": {"keys": "a,b,c,d->"},
        "dataset": tmp_path / "nowhere.txt",
    }
    assert onnx_edit(**arguments) == -1
    told = capfd.readouterr().err
    for part in (
        "'a' is not on the right side",
        "no input of this name; its inputs are 'feature_0', 'k_cache.1'",
        "'d' is not on the right side",
        "there is no such folder; make it first",
        "nowhere.txt",
        "WARN(0)",
    ):
        assert part in told
    assert all(line.startswith(("E ", "I ")) for line in told.splitlines())
    monkeypatch.setenv("OPENRKNN_RAISE", "1")
    with pytest.raises(openrknn.Error):
        onnx_edit(**arguments)


def test_tensors_that_cannot_be_edited(tmp_path):
    made = small_models.model(
        [helper.make_node("Add", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])],
        [small_models.value("x", [2, 3]), small_models.value("w", [2, 3])],
        [small_models.value("z", [2, 3]), small_models.value("x", [2, 3])],
        [small_models.constant("w", np.zeros((2, 3), np.float32))],
        check=False,
    )
    source = small_models.save(made, tmp_path / "net.onnx")
    with pytest.raises(openrknn.Error) as raised:
        openrknn.edit_onnx(source, tmp_path / "out.onnx", inputs={"w": "a,b->b,a", "x": "a,b->b,a"})
    assert "the input has a value in the file" in str(raised.value)
    assert "is an input and an output of the model; put an Identity between the two" in str(raised.value)
    old = small_models.model(
        [helper.make_node("Relu", ["x"], ["y"])],
        [small_models.value("x", [2, 3])],
        [small_models.value("y", [2, 3])],
        opset=4,
        check=False,
    )
    with pytest.raises(openrknn.Error, match="opset 4, expected 5 or newer"):
        openrknn.edit_onnx(small_models.save(old, tmp_path / "old.onnx"), tmp_path / "out.onnx")


@pytest.mark.parametrize("given", [{"x": 3}, [("x", "a->a")], "a->a"], ids=["number", "list", "text"])
def test_other_forms_of_arguments_are_refused(attention_cache, tmp_path, given):
    with pytest.raises(ValueError, match="expected a dict of tensor name to equation"):
        openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx", inputs=given)
    assert onnx_edit(attention_cache, tmp_path / "out.onnx", given) == -1


def test_a_file_above_the_limit_is_refused(attention_cache, tmp_path):
    os.truncate(attention_cache, 5 << 30)  # takes no space: the rest is a hole
    with pytest.raises(openrknn.Error, match="at most 4 GiB can; save the model with its weights as external data"):
        openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx")


def test_damaged_files_are_refused(attention_cache, tmp_path):
    whole = attention_cache.read_bytes()
    random = np.random.default_rng(0)
    for i in range(300):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), 3):
            damaged[position] = random.integers(0, 256)
        attention_cache.write_bytes(bytes(damaged[: len(whole) if i % 2 else random.integers(0, len(whole))]))
        try:
            openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx", inputs={"k_cache.1": CACHE})
        except openrknn.Error:
            assert not (tmp_path / "out.onnx").exists()
        else:
            (tmp_path / "out.onnx").unlink()


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
