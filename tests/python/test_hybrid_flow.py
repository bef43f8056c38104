"""Hybrid quantization as the toolkit documents it: step 1 writes three files, users edit one, step 2 builds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("openrknn._core")

import small_models  # noqa: E402
from rknn_arrays import said  # noqa: E402

import openrknn  # noqa: E402

FILES = ["net.data", "net.model", "net.quantization.cfg"]


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The working directory, where step 1 writes."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def loaded(rknn, tmp_path, dataset):
    """An object with the small network loaded from net.onnx."""

    def load(model=None, **config):
        path = small_models.save(model or small_models.cnn(), tmp_path / "net.onnx")
        each = rknn()
        config.setdefault("target_platform", "rk3588")
        assert each.config(**{"mean_values": [127, 127, 127], "std_values": [128, 128, 128], **config}) == 0
        assert each.load_onnx(str(path)) == 0
        return each

    return load


@pytest.fixture
def step1(loaded, work, dataset):
    def run(model=None, config=None, **arguments):
        each = loaded(model, **(config or {}))
        assert each.hybrid_quantization_step1(dataset=str(dataset), **arguments) == 0
        return each

    return run


def step2(each, folder=Path(), **paths):
    names = {"model_input": "net.model", "data_input": "net.data", "model_quantization_cfg": "net.quantization.cfg"}
    return each.hybrid_quantization_step2(**{key: str(folder / name) for key, name in {**names, **paths}.items()})


def edit(*pairs, path="net.quantization.cfg"):
    text = Path(path).read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    Path(path).write_text(text)


def custom(**layers):
    """The edit users' scripts make: the literal is replaced by a block."""
    lines = "".join(f"\n    {name}: {dtype}" for name, dtype in layers.items())
    edit(("custom_quantize_layers: {}", "custom_quantize_layers:" + lines))


def nhwc(photos):
    return [photos[0][None]]


def outputs(each, photos):
    assert each.init_runtime() == 0
    return each.inference(nhwc(photos), data_format=["nhwc"])


def refusal(each, capfd, **paths):
    capfd.readouterr()
    assert step2(each, **paths) == -1
    return said(capfd)


# ---- step 1


def test_step_1_writes_three_files_named_after_the_model(step1):
    step1()
    assert sorted(os.listdir()) == FILES


def test_the_model_file_is_onnx_with_the_tensors_the_cfg_names(step1):
    step1()
    made = onnx.load("net.model")
    onnx.checker.check_model(made)
    tensors = {name for node in made.graph.node for name in node.output} | {i.name for i in made.graph.input}
    names = re.findall(r"^    (\S.*):$", Path("net.quantization.cfg").read_text(), re.MULTILINE)
    assert names
    assert set(names) <= tensors


def test_the_cfg_has_the_shapes_users_match(step1):
    step1()
    text = Path("net.quantization.cfg").read_text()
    assert text.startswith("custom_quantize_layers: {}\nquantize_parameters:\n    image:\n")
    assert re.search(
        r"^    relu:\n        qtype: asymmetric_quantized\n        qmethod: layer\n        dtype: int8\n"
        r"        min:\n        -   0\.0\n        max:\n        -   [0-9.]+\n        scale:\n        -   [0-9.e-]+\n"
        r"        zero_point:\n        -   -128\n        ori_min:\n        -   0\.0\n        ori_max:\n        -   [0-9.]+\n",
        text,
        re.MULTILINE,
    )


def test_the_cfg_is_yaml_to_everybody_else(step1):
    yaml = pytest.importorskip("yaml")
    step1()
    read = yaml.safe_load(Path("net.quantization.cfg").read_text())
    assert read["custom_quantize_layers"] == {}
    relu = read["quantize_parameters"]["relu"]
    assert relu["scale"][0] == pytest.approx((relu["max"][0] - relu["min"][0]) / 255)


def test_names_with_colons_stay_unquoted(step1):
    model = small_models.cnn()
    for node in model.graph.node:
        node.input[:] = [name.replace("relu", "a/b/Relu6:0") for name in node.input]
        node.output[:] = [name.replace("relu", "a/b/Relu6:0") for name in node.output]
    each = step1(model)
    assert "\n    a/b/Relu6:0:\n        qtype" in Path("net.quantization.cfg").read_text()
    edit(("custom_quantize_layers: {}", "custom_quantize_layers:\n    a/b/Relu6:0: float16"))
    assert step2(each) == 0


def test_strange_names_survive_the_round_trip(step1):
    strange = [
        '"quoted"',
        "- dash",
        "{brace}",
        "#hash",
        "a: b",
        "a #b",
        "null",
        "378",
        "ünï",
        "back\\slash",
        "*star",
        "tab\tx",
    ]
    nodes, names = [], ["image", *strange]
    for before, after in zip(names, strange, strict=False):
        nodes.append(onnx.helper.make_node("Sigmoid" if len(nodes) % 2 else "Tanh", [before], [after]))
    model = small_models.model(
        nodes, [small_models.value("image", [1, 3, 16, 16])], [small_models.value(strange[-1], [1, 3, 16, 16])]
    )
    each = step1(model)
    assert step2(each) == 0


@pytest.mark.proves("hybrid_quantization_step1.dataset")
def test_step_1_without_a_model_or_dataset_is_refused(rknn, loaded, work, capfd):
    empty = rknn()
    empty.config(target_platform="rk3588")
    assert empty.hybrid_quantization_step1(dataset="x.txt") == -1
    assert "please load a model first" in said(capfd)
    assert loaded().hybrid_quantization_step1() == -1
    assert "dataset.missing" in said(capfd)
    assert os.listdir() == []


def test_a_failed_step_1_leaves_no_file(loaded, work, tmp_path, capfd):
    (tmp_path / "bad.txt").write_text("nowhere.npy\n")
    assert loaded().hybrid_quantization_step1(dataset=str(tmp_path / "bad.txt")) == -1
    assert os.listdir() == []


# ---- step 2


@pytest.mark.proves(
    "hybrid_quantization_step1.dataset", "hybrid_quantization_step2.model_input", "hybrid_quantization_step2.data_input"
)
def test_without_edits_step_2_builds_what_build_builds(step1, loaded, dataset, photos, tmp_path):
    each = step1()
    assert step2(each) == 0
    plain = loaded()
    assert plain.build(do_quantization=True, dataset=str(dataset)) == 0
    each.export_rknn(str(tmp_path / "a.rknn"))
    plain.export_rknn(str(tmp_path / "b.rknn"))
    for got, wanted in zip(outputs(each, photos), outputs(plain, photos), strict=True):
        assert np.array_equal(got, wanted)


@pytest.mark.parametrize("algorithm", ["kl_divergence", "mmse"])
def test_step_2_keeps_the_algorithm_of_config(step1, loaded, dataset, photos, algorithm):
    each = step1(config={"quantized_algorithm": algorithm})
    assert step2(each) == 0
    plain = loaded(quantized_algorithm=algorithm)
    assert plain.build(do_quantization=True, dataset=str(dataset)) == 0
    for got, wanted in zip(outputs(each, photos), outputs(plain, photos), strict=True):
        assert np.array_equal(got, wanted)


def test_a_fresh_object_needs_nothing_but_the_files(step1, rknn, photos, tmp_path):
    first = step1(config={"custom_string": "it's 'quoted'"})
    custom(depthwise="float16")
    assert step2(first) == 0
    fresh = rknn()
    assert step2(fresh) == 0
    assert fresh.export_rknn(str(tmp_path / "fresh.rknn")) == 0
    for got, wanted in zip(outputs(fresh, photos), outputs(first, photos), strict=True):
        assert np.array_equal(got, wanted)
    np.save(tmp_path / "x.npy", photos[0].transpose(2, 0, 1)[None].astype(np.float32))
    assert fresh.accuracy_analysis(inputs=[str(tmp_path / "x.npy")], output_dir=str(tmp_path / "snapshot")) == 0


@pytest.mark.proves("hybrid_quantization_step2.model_quantization_cfg")
@pytest.mark.parametrize("key", ["custom_quantize_layers", "customized_quantize_layers"])
@pytest.mark.parametrize("dtype", ["float16", "int16", "int8"])
def test_layers_compute_in_the_dtype_asked_for(step1, tmp_path, key, dtype):
    each = step1()
    edit(("custom_quantize_layers: {}", f"{key}:\n    depthwise: {dtype}  # sensitive"))
    assert step2(each) == 0
    assert each.export_rknn(str(tmp_path / "m.rknn")) == 0
    text = str(openrknn.load(tmp_path / "m.rknn"))
    kept = re.search(r"^%depthwise : (\w+)\[", text, re.MULTILINE).group(1)
    assert kept == {"float16": "f16", "int16": "i16", "int8": "i8"}[dtype]


def test_the_regex_edit_of_real_scripts_works(step1):
    """What scripts do: find layer names by pattern, replace the literal."""
    each = step1()
    text = Path("net.quantization.cfg").read_text()
    names = [n for n in re.findall(r"^    (.+):$", text, re.MULTILINE) if re.search("depth|pool", n)]
    block = "custom_quantize_layers:\n" + "\n".join(f"    {n}: float16" for n in names)
    Path("net.quantization.cfg").write_text(text.replace("custom_quantize_layers: {}", block))
    assert names == ["depthwise", "pooled"]
    assert step2(each) == 0


def test_other_writers_of_yaml_may_rewrite_the_file(step1, photos):
    yaml = pytest.importorskip("yaml")
    each = step1()
    read = yaml.safe_load(Path("net.quantization.cfg").read_text())
    read["custom_quantize_layers"] = {"depthwise": "float16"}
    read["notes"] = {"mine": [1, 2]}
    for flow in (True, False):
        Path("net.quantization.cfg").write_text(yaml.safe_dump(read, default_flow_style=flow, indent=2))
        assert step2(each) == 0


def test_qtype_of_the_newer_toolkit_is_taken(step1):
    each = step1()
    text = Path("net.quantization.cfg").read_text().replace("asymmetric_quantized", "asym")
    Path("net.quantization.cfg").write_text(text)
    assert step2(each) == 0


def test_an_edited_range_is_taken_with_a_warning(step1, photos, capfd, tmp_path):
    each = step1()
    assert step2(each) == 0
    before = outputs(each, photos)
    text = Path("net.quantization.cfg").read_text()
    relu = re.search(r"^    relu:\n(?:        .*\n)+", text, re.MULTILINE).group(0)
    high = re.search(r"max:\n        -   (\S+)", relu).group(1)
    edit((relu, relu.replace(f"max:\n        -   {high}", "max:\n        -   0.5", 1)))
    capfd.readouterr()
    assert step2(each) == 0
    assert f"The quantize_parameters['relu']['max'] is changed from {high} to 0.5!" in said(capfd)
    assert any(not np.array_equal(a, b) for a, b in zip(before, outputs(each, photos), strict=True))
    assert each.export_rknn(str(tmp_path / "m.rknn")) == 0


@pytest.mark.proves("hybrid_quantization_step1.rknn_batch_size")
def test_several_shapes_and_a_batch_pass_through_the_files(step1, rknn, photos):
    each = step1(config={"dynamic_input": [[[1, 3, 16, 16]], [[1, 3, 8, 8]]]}, rknn_batch_size=2)
    fresh = rknn()
    for one in (each, fresh):
        assert step2(one) == 0
        assert one.init_runtime() == 0
        two = np.stack([photos[0], photos[1]])
        assert one.inference([two], data_format=["nhwc"])[0].shape == (2, 10)


# ---- what is refused, each with its own message


def test_unknown_layers_are_told_all_together(step1, capfd):
    each = step1()
    custom(nothing="float16", depthwise="float16", neither="int16")
    text = refusal(each, capfd)
    assert "Invalid operands name 'nothing' in custom_quantize_layers!" in text
    assert "Invalid operands name 'neither' in custom_quantize_layers!" in text
    assert "depthwise'" not in text


def test_inputs_are_no_layers(step1, capfd):
    each = step1()
    custom(image="float16")
    assert "Invalid operands name 'image' in custom_quantize_layers!" in refusal(each, capfd)


def test_scales_are_not_to_be_modified(step1, capfd):
    each = step1()
    text = Path("net.quantization.cfg").read_text()
    edit((re.search(r"scale:\n        -   (\S+)", text).group(0), "scale:\n        -   0.5"))
    assert "The quantize_parameters['image']['scale'] is not allowed to be modified!" in refusal(each, capfd)


def test_a_scale_written_with_other_digits_is_the_same_scale(step1):
    each = step1()
    text = Path("net.quantization.cfg").read_text()
    scale = re.search(r"scale:\n        -   (\S+)", text).group(1)
    Path("net.quantization.cfg").write_text(text.replace(scale, f"{float(scale):.9e}"))
    assert step2(each) == 0


@pytest.mark.parametrize("dtype", ["float32", "int4", "fp16", "3", "true"])
def test_other_dtypes_are_refused_with_the_choice(step1, capfd, dtype):
    each = step1()
    custom(depthwise=dtype)
    text = refusal(each, capfd)
    assert f"got dtype '{dtype}', expected int8, int16 or float16" in text


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("custom_quantize_layers: {}", "custom_quantize_layers: {a", "not valid YAML"),
        ("custom_quantize_layers: {}", "custom_quantize_layers: [depthwise]", "no mapping of layers"),
        ("custom_quantize_layers: {}", "custom_quantize_layers:\n    depthwise:", "has no dtype"),
        ("custom_quantize_layers: {}", "custom_quantize_layers:\n    relu: int8\n    relu: int16", "twice"),
        ("custom_quantize_layers: {}", "custom_quantize_layers: &a {}", "anchor"),
        ("custom_quantize_layers: {}", "custom_quantize_layers: *a", ""),
        ("custom_quantize_layers: {}", "custom_quantize_layers: " + "[" * 5000, "not valid YAML"),
        ("custom_quantize_layers: {}", "custom_quantize_layers: " + "{a: " * 100, "nesting"),
        ("quantize_parameters:", "parameters:", "'quantize_parameters' is missing"),
        ("        min:\n        -   ", "        min:\n        -   x", "expected a finite number"),
        ("        min:\n        -   ", "        min:\n        -   .inf #", "expected a finite number"),
        ("    image:\n", "    other:\n", "tensors the model does not have: 'other'"),
    ],
)
def test_a_broken_cfg_is_refused_where_it_is_broken(step1, capfd, old, new, word):
    each = step1()
    edit((old, new))
    text = refusal(each, capfd)
    assert "net.quantization.cfg" in text
    assert word in text


@pytest.mark.parametrize("content", ["", "just text", "[]", "\x00\x01", "a: b\n" * 3])
def test_other_files_are_no_cfg(step1, capfd, content):
    each = step1()
    Path("net.quantization.cfg").write_text(content)
    assert "net.quantization.cfg" in refusal(each, capfd)


@pytest.mark.proves("hybrid_quantization_step2.model_quantization_cfg")
@pytest.mark.parametrize("key", ["model_input", "data_input", "model_quantization_cfg"])
def test_a_missing_file_is_named(step1, capfd, key):
    assert "nowhere.x" in refusal(step1(), capfd, **{key: "nowhere.x"})


@pytest.mark.proves("hybrid_quantization_step2.model_input", "hybrid_quantization_step2.data_input")
def test_files_of_another_model_are_told_apart(step1, loaded, work, dataset, capfd):
    each = step1()
    os.mkdir("other")
    os.chdir("other")
    assert loaded(small_models.cnn(seed=1)).hybrid_quantization_step1(dataset=str(dataset)) == 0
    os.chdir("..")
    assert "not the .model file that was written together with net.data" in refusal(
        each, capfd, model_input="other/net.model"
    )
    assert "not the .model file" in refusal(each, capfd, data_input="other/net.data")


def test_a_damaged_data_file_is_refused_wherever_it_is_damaged(step1, rknn, capfd):
    step1()
    whole = Path("net.data").read_bytes()
    random = np.random.default_rng(0)
    each = rknn()
    places = [*random.integers(0, len(whole), 40).tolist(), 0, 8, 64, len(whole) - 1]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(0, 8))
        Path("damaged.data").write_bytes(bytes(damaged))
        status = step2(each, data_input="damaged.data")
        text = said(capfd)
        # A bit of padding between sections changes nothing.
        assert status == 0 or "damaged.data" in text, place
    for length in [0, 1, 100, len(whole) // 2, len(whole) - 1]:
        Path("damaged.data").write_bytes(whole[:length])
        assert "damaged.data" in refusal(each, capfd, data_input="damaged.data")


def test_a_compiled_model_is_no_data_file(step1, built, capfd):
    each = step1()
    assert built().export_rknn("plain.data") == 0
    assert "no .data file of hybrid quantization" in refusal(each, capfd, data_input="plain.data")


def test_a_failed_step_2_keeps_the_model_that_was_built(step1, photos, capfd):
    each = step1()
    assert step2(each) == 0
    before = outputs(each, photos)
    assert step2(each, data_input="nowhere.data") == -1
    for got, wanted in zip(each.inference(nhwc(photos), data_format=["nhwc"]), before, strict=True):
        assert np.array_equal(got, wanted)


def test_schemes_without_codes_have_nothing_to_choose(loaded, work, dataset, capfd):
    each = loaded(quantized_dtype="w8a16", target_platform="rk3562")
    assert each.hybrid_quantization_step1(dataset=str(dataset)) == -1
    assert "keeps every activation in float16" in said(capfd)


# ---- custom_hybrid and proposal


@pytest.mark.proves("hybrid_quantization_step1.custom_hybrid")
def test_custom_hybrid_names_every_layer_on_the_way(step1):
    each = step1(custom_hybrid=[["relu", "average"]])
    text = Path("net.quantization.cfg").read_text()
    block = text[: text.index("quantize_parameters:")]
    assert block == "custom_quantize_layers:\n    depthwise: float16\n    pooled: float16\n    average: float16\n"
    assert step2(each) == 0


@pytest.mark.proves("hybrid_quantization_step1.custom_hybrid")
def test_custom_hybrid_tells_every_bad_pair(loaded, work, dataset, capfd):
    pairs = [["relu", "nothing"], ["scores", "relu"], ["one"]]
    assert loaded().hybrid_quantization_step1(dataset=str(dataset), custom_hybrid=pairs) == -1
    text = said(capfd)
    assert "no tensor 'nothing'" in text
    assert "no path leads from 'scores' to 'relu'" in text
    assert "['one']" in text
    assert os.listdir() == []


def wide():
    """Channels a thousandfold apart, brought back by a depthwise convolution: one scale for its input does not fit."""
    random = np.random.default_rng(4)
    spread = np.float32([1, 100, 10000]).reshape(1, 3, 1, 1)
    nodes = [
        onnx.helper.make_node("Conv", ["image", "w"], ["first"]),
        onnx.helper.make_node("Tanh", ["first"], ["bent"]),
        onnx.helper.make_node("Mul", ["bent", "spread"], ["wide"]),
        onnx.helper.make_node("Abs", ["wide"], ["folded"]),
        onnx.helper.make_node("Conv", ["folded", "back"], ["level"], group=3),
    ]
    constants = [
        small_models.constant("w", random.standard_normal((3, 3, 1, 1)).astype(np.float32)),
        small_models.constant("spread", spread),
        small_models.constant("back", (1 / spread).reshape(3, 1, 1, 1)),
    ]
    return small_models.model(
        nodes, [small_models.value("image", [1, 3, 16, 16])], [small_models.value("level", [1, 3, 16, 16])], constants
    )


@pytest.mark.proves("hybrid_quantization_step1.proposal")
def test_a_proposal_names_the_layer_that_loses_most(step1):
    each = step1(wide(), proposal=True, proposal_dataset_size=2)
    first = Path("net.quantization.cfg").read_text().splitlines()[:2]
    assert first[0] == "custom_quantize_layers:"
    assert re.fullmatch(r"    level: float16  # cosine of the layer alone: 0\.\d{5}", first[1])
    assert step2(each) == 0


@pytest.mark.proves("hybrid_quantization_step1.proposal_dataset_size")
def test_a_proposal_looks_at_as_many_samples_as_it_is_told(step1, loaded, dataset, capfd):
    cosines = []
    for size in (1, 4):
        step1(wide(), proposal=True, proposal_dataset_size=size)
        cosines.append(
            re.search(r"cosine of the layer alone: (\S+)", Path("net.quantization.cfg").read_text()).group(1)
        )
    assert cosines[0] != cosines[1]
    said(capfd)
    for size in (0, "2"):
        each = loaded()
        assert each.hybrid_quantization_step1(dataset=str(dataset), proposal=True, proposal_dataset_size=size) == -1
        assert f"proposal_dataset_size: got {size!r}, expected a whole number, 1 or more" in said(capfd)


def test_a_good_model_gets_no_proposal(step1):
    step1(proposal=True)
    assert Path("net.quantization.cfg").read_text().startswith("custom_quantize_layers: {}\n")


# ---- the example


def test_the_example_runs(tmp_path):
    script = Path(__file__).resolve().parents[2] / "examples" / "hybrid_quantization" / "demo.py"
    path = os.pathsep.join(str(Path(each).resolve()) for each in sys.path if each)
    done = subprocess.run(
        [sys.executable, script, "--output", tmp_path],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert {"net.model", "net.data", "net.quantization.cfg", "net.rknn"} <= set(os.listdir(tmp_path))
    errors = dict(re.findall(r"^(int8|hybrid): +([0-9.]+) dB", done.stdout, re.MULTILINE))
    assert float(errors["hybrid"]) > float(errors["int8"]) + 3
