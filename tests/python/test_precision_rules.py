"""precision={...}: what single layers compute in, from the option to the file and to every report."""

import json
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from small_models import constant, value  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402


@pytest.fixture
def chain(tmp_path):
    """conv0, bn and relu become one node; conv1; pool; conv2."""
    random = np.random.default_rng(1)
    nodes, initializers, last = [], [], "x"
    for i in range(3):
        initializers.append(constant(f"w{i}", (random.standard_normal((4, 4, 3, 3)) * 0.3).astype(np.float32)))
        nodes.append(helper.make_node("Conv", [last, f"w{i}"], [f"c{i}"], name=f"/net/conv{i}", pads=[1] * 4))
        last = f"c{i}"
        if i == 0:
            for key, number in (("s", 1.5), ("b", 0.1), ("m", 0.2), ("v", 0.9)):
                initializers.append(constant(key, np.full(4, number, np.float32)))
            nodes.append(helper.make_node("BatchNormalization", ["c0", "s", "b", "m", "v"], ["n"], name="/net/bn"))
            nodes.append(helper.make_node("Relu", ["n"], ["r"], name="/net/relu"))
            last = "r"
        if i == 1:
            nodes.append(helper.make_node("MaxPool", [last], ["p"], name="/net/pool", kernel_shape=[2, 2]))
            last = "p"
    model = small_models.model(nodes, [value("x", [1, 4, 8, 8])], [value("c2", [1, 4, 7, 7])], initializers)
    return small_models.save(model, tmp_path / "chain.onnx")


def samples(count=4):
    random = np.random.default_rng(2)
    return [random.standard_normal((1, 4, 8, 8)).astype(np.float32) for _ in range(count)]


def compile_chain(chain, precision, **options):
    options = {"target": "rk3588", "dataset": samples()} | options
    return openrknn.compile(chain, precision=precision, **options)


def dtypes(model):
    return {row["node"]: row["dtype"] for row in model.report["precision"]}


ALL_INT8 = {"/net/conv0": "int8", "/net/conv1": "int8", "/net/pool": "int8", "/net/conv2": "int8"}


@pytest.mark.parametrize("name", ["c0", "n", "r", "/net/conv0", "/net/bn", "/net/relu", "op:BatchNormalization"])
def test_a_layer_that_was_fused_is_found_by_all_its_names(chain, name):
    model = compile_chain(chain, {name: "float16"})
    assert dtypes(model) == ALL_INT8 | {"/net/conv0": "float16"}


@pytest.mark.proves("config.precision")
@pytest.mark.parametrize(
    ("rules", "changed"),
    [
        ({"glob:/net/conv*": "int16", "c1": "int8"}, {"/net/conv0": "int16", "/net/conv2": "int16"}),
        ({"c1": "int8", "glob:/net/conv?": "int16"}, dict.fromkeys(ALL_INT8, "int16")),
        ({"c1": "int16", "c2": "int8"}, {"/net/conv1": "int16"}),
        ({"re:/net/conv[12]": "float16"}, dict.fromkeys(["/net/conv1", "/net/pool", "/net/conv2"], "float16")),
        ({"op:MaxPool": "float16"}, {"/net/pool": "float16"}),
        (["c1=int16", "tensor:c1=float16"], {"/net/conv1": "float16"}),
    ],
)
def test_patterns_and_their_order(chain, rules, changed):
    assert dtypes(compile_chain(chain, rules)) == ALL_INT8 | changed


def test_the_file_tells_what_each_operation_computes_in_and_why(chain, tmp_path):
    model = compile_chain(chain, {"op:MaxPool": "float16", "c2": "int16", "glob:none*": "int8"})
    assert model.report["precision_rules"] == [
        {"rule": "op:MaxPool=float16", "layers": ["p"]},
        {"rule": "c2=int16", "layers": ["c2"]},
        {"rule": "glob:none*=int8", "layers": []},
    ]
    assert model.report["warnings"] == ["precision rule 'glob:none*=int8' names no layer"]
    path = tmp_path / "net.rknn"
    model.save(path)
    assert openrknn.load(path).report["precision"] == model.report["precision"]
    done = subprocess.run([*command_line(), "inspect", path, "--json"], capture_output=True, text=True, check=True)
    rows = {row["name"]: row for row in json.loads(done.stdout)["operations"]}
    assert rows["/net/pool"]["precision"] == "float16: asked for by 'op:MaxPool=float16'"
    assert rows["/net/conv2"]["output"]["dtype"] == "i16"
    assert rows["/net/conv1"]["precision"] == "int8: computes with an output range of its own"
    text = subprocess.run([*command_line(), "inspect", path], capture_output=True, text=True, check=True).stdout
    assert "int16: asked for by 'c2=int16'" in text


def test_equal_rules_give_equal_bytes_and_the_runtime_the_same_numbers(chain, tmp_path):
    rules = {"c1": "int16", "p": "float16"}
    model, again = compile_chain(chain, rules), compile_chain(chain, rules, threads=1)
    assert model.to_bytes() == again.to_bytes()
    model.save(tmp_path / "net.rknn")
    x = samples()[1]
    wanted = model.run(x)[0]
    with openrknn.InferenceSession(tmp_path / "net.rknn") as session:
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], wanted)
    np.testing.assert_array_equal(openrknn.load(tmp_path / "net.rknn").run(x)[0], wanted)
    assert "%c1" in str(model) and "r__int16" in str(model) and "c1__float16" in str(model)


def noise_db(model, graph):
    wanted = np.concatenate([graph.run(x)[0].ravel() for x in samples()]).astype(float)
    got = np.concatenate([model.run(x)[0].ravel() for x in samples()]).astype(float)
    return 10 * np.log10((wanted**2).sum() / ((wanted - got) ** 2).sum())


def test_more_bits_give_better_numbers(chain):
    graph = openrknn.import_model(chain)
    plain = noise_db(compile_chain(graph, None), graph)
    some = noise_db(compile_chain(graph, {"c0": "int16", "c1": "int16"}), graph)
    every = noise_db(compile_chain(graph, {"glob:*": "int16"}), graph)
    assert 20 < plain < some < every
    assert every > 60


def test_all_bad_rules_are_told_together(chain):
    rules = {"konv9": "float16", "/net/conv3": "float16", "x": "float16", "re:(": "int8", "op:Gelu": "int8"}
    with pytest.raises(openrknn.Error) as caught:
        compile_chain(chain, rules)
    text = str(caught.value)
    assert "precision rule 'konv9=float16': no layer has this name" in text
    assert "did you mean '/net/conv0', '/net/conv1', '/net/conv2'?" in text
    assert "this is an input of the model" in text
    assert "not a regular expression" in text
    assert "Gelu" not in text
    with pytest.raises(openrknn.Error) as caught:
        compile_chain(chain, {"c0": "int7", "c1": "float32", "op:": "int8"})
    assert "got 'c0=int7', expected int8, int16 or float16" in str(caught.value)
    assert "float32" in str(caught.value)
    assert "the name of a layer" in str(caught.value)


def test_weights_alone_mix_with_float16_only(chain):
    with pytest.raises(openrknn.Error, match="w4a16 codes weights alone"):
        compile_chain(chain, {"c0": "int8"}, target="rk3576", quantize="w4a16")
    model = compile_chain(chain, {"c1": "float16"}, target="rk3576", quantize="w4a16")
    assert "w1 : f16" in str(model) and "w2 : i4" in str(model)


def test_a_float_build_takes_integer_layers_if_it_has_samples(chain):
    with pytest.raises(openrknn.Error, match="sample data"):
        compile_chain(chain, {"c1": "int16"}, quantize=None, dataset=None)
    assert dtypes(compile_chain(chain, {"c1": "int16"}, quantize=None)) == {
        "/net/conv0": "float16",
        "/net/conv1": "int16",
        "/net/pool": "float16",  # moves follow their users
        "/net/conv2": "float16",
    }


@pytest.mark.proves("config.precision")
def test_command_line_yaml_and_rknn_api_take_rules(chain, tmp_path, rknn):
    folder = tmp_path / "data"
    folder.mkdir()
    for i, sample in enumerate(samples()):
        np.save(folder / f"{i}.npy", sample)
    dataset = tmp_path / "dataset.txt"
    dataset.write_text("".join(f"data/{i}.npy\n" for i in range(4)))
    wanted = compile_chain(chain, {"op:Conv": "int16", "c2": "float16"}, dataset=dataset).to_bytes()
    rules = ["--precision", "op:Conv=int16", "--precision", "c2=float16"]
    common = [*command_line(), "convert", chain, "-t", "rk3588", "--dataset", dataset, "--json", "-q"]
    done = subprocess.run([*common, *rules, "-o", tmp_path / "a.rknn"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["precision_rules"][0] == {"rule": "op:Conv=int16", "layers": ["c0", "c1", "c2"]}
    (tmp_path / "options.yml").write_text("precision: ['op:Conv=int16', 'c2=float16']\n")
    yaml = ["--config", tmp_path / "options.yml", "-o", tmp_path / "b.rknn"]
    subprocess.run([*common, *yaml], capture_output=True, check=True)
    each = rknn()
    each.config(target_platform="rk3588", precision={"op:Conv": "int16", "c2": "float16"})
    assert each.load_onnx(str(chain)) == 0
    assert each.build(dataset=str(dataset)) == 0
    assert each.export_rknn(str(tmp_path / "c.rknn")) == 0
    for name in ("a", "b", "c"):
        assert (tmp_path / f"{name}.rknn").read_bytes() == wanted, name
    bad = subprocess.run([*common, "--precision", "c2=half"], capture_output=True, text=True)
    assert bad.returncode == 1
    assert "got 'c2=half', expected int8, int16 or float16" in bad.stderr
