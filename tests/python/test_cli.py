"""The command line: convert, run, inspect, doctor; exit codes 0 done, 1 refused or failed, 2 wrong usage."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402


def call(*arguments, **options):
    command = [*command_line(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def succeed(*arguments, **options):
    done = call(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done


def leftovers(folder):
    return [path.name for path in folder.iterdir() if "rknn" in path.name]


# ---- convert


def test_convert_to_float(cnn, tmp_path):
    done = succeed("convert", cnn, "--target", "rk3588", "--float")
    written = tmp_path / "cnn.rknn"
    assert written.exists()
    for line in (f"{written}  for rk3588", "operations  7 source layers", "size ", "time ", "peak memory "):
        assert line in done.stdout
    assert f"openrknn run {written} --against {cnn}" in done.stdout
    succeed(*done.stdout.split("next")[1].split()[1:])  # the command it names works


def test_convert_quantized_gives_what_python_gives(cnn, dataset, tmp_path):
    mean, std = [127.5] * 3, [127.5, 127, 126]
    output = tmp_path / "out.rknn"
    done = succeed(
        "convert", cnn, "-t", "RK3576", "--dataset", dataset, "--mean-values", mean, "--std-values", std, "-o", output
    )
    assert "int8" in done.stdout
    wanted = openrknn.compile(cnn, target="rk3576", dataset=dataset, mean=mean, std=std)
    assert output.read_bytes() == wanted.to_bytes()


def test_convert_tells_its_progress_unless_quiet(cnn, dataset, tmp_path):
    arguments = ["convert", cnn, "-t", "rk3588", "--dataset", dataset, "-o", tmp_path / "out.rknn"]
    assert "4 of 4" in succeed(*arguments).stderr
    assert succeed(*arguments, "--quiet").stderr == ""


def test_summary_as_json(cnn, dataset, tmp_path):
    done = succeed("convert", cnn, "-t", "rk3588", "--dataset", dataset, "-o", tmp_path / "out.rknn", "--json", "-q")
    summary = json.loads(done.stdout)
    assert summary["output"] == str(tmp_path / "out.rknn")
    assert summary["target"] == "rk3588"
    assert summary["source_nodes"] == 7
    assert summary["int8_nodes"] >= 4
    assert summary["samples"] == 4
    assert 0 < summary["megabytes"] < 1
    assert summary["peak_memory_mb"] > 0
    assert summary["seconds"] > 0
    assert summary["stages"]


def test_a_yaml_file_holds_any_option_and_flags_win(cnn, dataset, tmp_path):
    yaml = tmp_path / "options.yml"
    yaml.write_text(
        "# how this network is converted\n"
        "target_platform: rk3566\n"
        "mean_values: [[127.5, 127.5, 127.5]]\n"
        "std_values: [127.5, 127.5, 127.5]\n"
        "outputs: [pooled]\n"
        "custom_string: '1.10'\n"
        f"dataset: {dataset}\n"
    )
    succeed("convert", cnn, "--config", yaml, "--target", "rk3588", "-o", tmp_path / "out.rknn")
    found = json.loads(succeed("inspect", tmp_path / "out.rknn", "--json").stdout)
    assert found["target"] == "rk3588"
    assert found["custom_string"] == "1.10"
    assert [out["name"] for out in found["outputs"]] == ["pooled"]
    assert found["inputs"][0]["mean"] == [127.5] * 3


def test_texts_on_the_command_line_stay_as_they_are_typed(cnn, tmp_path):
    succeed("convert", cnn, "-t", "rk3588", "--float", "--custom-string", "1.10", "-o", tmp_path / "out.rknn")
    assert json.loads(succeed("inspect", tmp_path / "out.rknn", "--json").stdout)["custom_string"] == "1.10"


def test_convert_crops_and_fixes_dimensions(tmp_path):
    made = small_models.cnn()
    for dimension, name in zip(made.graph.input[0].type.tensor_type.shape.dim[2:], ("height", "width"), strict=True):
        dimension.dim_param = name
    for dimension in made.graph.output[1].type.tensor_type.shape.dim[2:]:
        dimension.dim_param = "any"
    path = small_models.save(made, tmp_path / "dynamic.onnx")
    refused = call("convert", path, "-t", "rk3588", "--float")
    assert refused.returncode == 1
    assert "'height', 'width' must be fixed" in refused.stderr
    output = tmp_path / "out.rknn"
    succeed(
        *("convert", path, "-t", "rk3588", "--float", "-o", output),
        *("--dimension", "height=32", "--dimension", "width=24", "--outputs", "[pooled]"),
    )
    assert openrknn.load(output).outputs == [("pooled", [1, 8, 16, 12], "float16")]
    succeed("convert", path, "-t", "rk3588", "--float", "-o", output, "--inputs", "image", "--input-size-list", "3,8,8")
    assert openrknn.load(output).inputs == [("image", [1, 3, 8, 8], "float16")]
    assert call("convert", path, "--dimension", "height=many").returncode == 2


def test_dump_after_prints_the_graph(cnn, tmp_path):
    done = succeed("convert", cnn, "-t", "rk3588", "--float", "-o", tmp_path / "out.rknn", "--dump-after", "all")
    assert done.stdout.count("# after ") > 3
    assert "= Conv(" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["nowhere.onnx", "--float"], ["nowhere.onnx", "E0005"]),
        (["CNN", "-t", "rk9999", "--float"], ["Invalid target_platform 'rk9999'!", "E0701"]),
        (["CNN", "-t", "rk3588"], ["dataset", "E0308"]),
        (["CNN", "-t", "rk3588", "--dataset", "nowhere.txt"], ["nowhere.txt", "E0301"]),
        (
            ["CNN", "-t", "rk3588", "--float", "--enable-flash-attention", "True"],
            ["enable_flash_attention is not supported by rk3588", "E0703"],
        ),
        (["CNN", "-t", "rk3588", "--float", "--mean-values", "[1, 2"], ["mean_values", "E0702"]),
        (["CNN", "-t", "rk3588", "--float", "--outputs", "[no such]"], ["no such", "E0112"]),
        (["CNN", "-t", "rk3588", "--float", "--config", "nowhere.yml"], ["nowhere.yml", "E0005"]),
        (["CNN", "-t", "rk3588", "--float", "-o", "no/such/folder/out.rknn"], ["no/such/folder", "E0007"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) and value[-1].startswith("E0") else "",
)
def test_convert_refuses_with_one_and_leaves_nothing(cnn, tmp_path, arguments, mentions):
    done = call("convert", *[str(cnn) if a == "CNN" else a for a in arguments], cwd=tmp_path)
    assert done.returncode == 1
    for mention in mentions:
        assert mention in done.stderr
    assert leftovers(tmp_path) == []


def test_converting_twice_is_explained(quantized, tmp_path):
    done = call("convert", quantized, "-t", "rk3588", "--float", "-o", tmp_path / "again.rknn")
    assert done.returncode == 1
    assert "converted already" in done.stderr
    assert "openrknn run" in done.stderr


def test_a_bad_yaml_file_is_named_with_its_line(cnn, tmp_path):
    for content, mentions in (
        ("target_platform: rk3588\nmean_valuse: [0, 0, 0]\n", ["options.yml", "mean_valuse"]),
        ("target_platform: rk3588\nmean_values: [0, 0\n", ["options.yml:"]),
        ("- just\n- a list\n", ["options.yml"]),
    ):
        (tmp_path / "options.yml").write_text(content)
        done = call("convert", cnn, "--float", "--config", "options.yml", cwd=tmp_path)
        assert done.returncode == 1
        for mention in mentions:
            assert mention in done.stderr


# ---- run


@pytest.fixture
def quantized(cnn, dataset, tmp_path):
    path = tmp_path / "quantized.rknn"
    options = ["--mean-values", [127] * 3, "--std-values", [128] * 3]
    succeed("convert", cnn, "-t", "rk3588", "--dataset", dataset, "-o", path, "--keep-golden", *options)
    return path


@pytest.mark.parametrize("against", ["source", "golden", "itself"])
def test_run_against(quantized, cnn, tmp_path, against):
    image = tmp_path / "image.npy"
    np.save(image, small_models.photo(16, 16, 9)[None])
    other = {"source": cnn, "golden": "golden", "itself": quantized}[against]
    found = json.loads(succeed("run", quantized, "--input", image, "--against", other, "--json").stdout)
    assert [out["name"] for out in found["outputs"]] == ["scores", "pooled"]
    for out in found["outputs"]:
        assert out["identical"] == (against == "itself")
        assert out["cosine"] > 0.95
        assert out["min"] <= out["mean"] <= out["max"]
    text = succeed("run", quantized, "--input", image, "--against", other).stdout
    assert f"against {other}: cosine" in text


def test_run_of_a_float_model_saves_outputs(cnn, tmp_path):
    x = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)
    np.save(tmp_path / "x.npy", x)
    succeed("run", cnn, "--input", f"image={tmp_path / 'x.npy'}", "--save", tmp_path / "outputs")
    for name, wanted in zip(("scores", "pooled"), openrknn.import_model(cnn).run([x]), strict=True):
        assert np.array_equal(np.load(tmp_path / "outputs" / f"{name}.npy"), wanted)


def test_run_takes_images_and_random_numbers(quantized, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    pixels = small_models.photo(16, 16, 9)
    image_module.fromarray(pixels).save(tmp_path / "image.png")
    np.save(tmp_path / "image.npy", pixels[None])
    outputs = [
        json.loads(succeed("run", quantized, "-i", tmp_path / name, "--json").stdout)["outputs"]
        for name in ("image.png", "image.npy")
    ]
    assert outputs[0] == outputs[1]
    seeds = [json.loads(succeed("run", quantized, "--json", "--seed", s).stdout)["outputs"] for s in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        (["nowhere.rknn"], ["nowhere.rknn", "E0005"]),
        (["FLOAT", "--against", "golden"], ["no golden", "--keep-golden"]),
        (["FLOAT", "--against", "nowhere.onnx"], ["nowhere.onnx"]),
        (["FLOAT", "--input", "nowhere.npy"], ["nowhere.npy"]),
        (["FLOAT", "--input", "picture=wrong.npy"], ["picture"]),
        (["FLOAT", "--input", "wrong.npy"], ["wrong.npy", "[1, 2, 3]", "[1, 3, 16, 16]"]),
        (["FLOAT", "--input", "wrong.npy", "--input", "wrong.npy"], ["[1, 2, 3]"]),
    ],
    ids=lambda value: "-".join(value) if value[0] in ("FLOAT", "nowhere.rknn") else "",
)
def test_run_refuses_with_one(cnn_rknn, tmp_path, arguments, mentions):
    np.save(tmp_path / "wrong.npy", np.zeros((1, 2, 3), np.float32))
    done = call("run", *[str(cnn_rknn) if a == "FLOAT" else a for a in arguments], cwd=tmp_path)
    assert done.returncode == 1
    for mention in mentions:
        assert mention in done.stderr


# ---- profile


def test_profile_times_every_node(quantized, cnn, tmp_path):
    """The table, the CSV and the trace speak of the same nodes, of an int8 file and of a float model."""
    for model, dtype in ((quantized, "i8"), (cnn, "f32")):
        lines, timeline = tmp_path / "times.csv", tmp_path / "times.json"
        done = succeed("profile", model, "--csv", lines, "--trace", timeline, "--rounds", 2, "--threads", 1)
        rows = list(csv.DictReader(lines.open()))
        events = json.loads(timeline.read_text())["traceEvents"]
        assert f"{len(rows)} nodes" in done.stdout
        assert [row["node"] for row in rows] == [event["name"] for event in events]
        assert any(row["op"] == "Conv" and row["dtype"] == dtype and int(row["products"]) > 0 for row in rows)
        ends = [event["ts"] + event["dur"] for event in events]
        assert all(event["ts"] == pytest.approx(end) for event, end in zip(events[1:], ends, strict=False))
    printed = succeed("profile", cnn, "--top", 1).stdout.splitlines()
    assert len(printed) == 3


def test_profile_refuses_with_one(tmp_path):
    assert call("profile", tmp_path / "missing.rknn").returncode == 1


# ---- inspect


def test_inspect_prints_everything_known(quantized):
    text = succeed("inspect", quantized).stdout
    for mention in ("rk3588", "Inputs", "image", "mean [127, 127, 127]", "Outputs", "scores", "Operations", "Conv"):
        assert mention in text
    assert "golden       kept" in text
    found = json.loads(succeed("inspect", quantized, "--json").stdout)
    assert found["ours"] is True
    assert found["golden"] is True
    assert found["inputs"][0]["dtype"] == "i8"
    assert len(found["inputs"][0]["quant"]["scale"]) == 1
    assert found["sections"][0]["size"] > 0
    assert {op["op"] for op in found["operations"]} >= {"Conv", "MaxPool"}
    assert all(op["origins"] for op in found["operations"] if op["op"] == "Conv")


def test_inspect_describes_files_of_the_vendor(shared):
    for path in sorted((shared / "models" / "multiple_input_rknn").glob("*.rknn")):
        text = succeed("inspect", path).stdout
        assert "made by the vendor's toolkit" in text
        found = json.loads(succeed("inspect", path, "--json").stdout)
        assert found["ours"] is False
        assert {entry["name"] for entry in found["inputs"]} == {"input", "input.1"}
        assert found["outputs"]
        assert "rk35" in found["target"].lower()
        refused = call("run", path)
        assert refused.returncode == 1
        assert "E0505" in refused.stderr


def test_inspect_tells_what_a_model_file_holds(cnn):
    text = succeed("inspect", cnn).stdout
    assert text.startswith(f"{cnn.name}: a model of ONNX\n")
    for word in ("input   ", "output  ", "layers  ", "weights "):
        assert f"\n{word}" in text
    found = json.loads(succeed("inspect", cnn, "--json").stdout)
    graph = openrknn.import_model(cnn)
    assert [(i["name"], i["shape"]) for i in found["inputs"]] == [(name, shape) for name, shape, _ in graph.inputs]
    assert sum(found["operators"].values()) == len(found["layers"])
    assert found["weights"]["f32"]["bytes"] == 4 * found["weights"]["f32"]["numbers"] > 0


def test_inspect_refuses_what_is_no_model(quantized, tmp_path):
    (tmp_path / "cut.rknn").write_bytes(quantized.read_bytes()[:100])
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "text.rknn").write_bytes(b"no model")
    names = ("cut.rknn", "nowhere.rknn", "picture.png", "text.rknn", ".")
    for path in (tmp_path / name for name in names):
        done = call("inspect", path)
        assert done.returncode == 1
        assert str(path) in done.stderr
        assert done.stdout == ""


# ---- doctor, usage


def test_doctor_finds_the_installation_whole():
    done = call("doctor")
    for subject in ("version", "cpu", "threads", "runtime"):
        assert subject in done.stdout
    findings = json.loads(call("doctor", "--json").stdout)
    assert {"subject", "good", "text", "fix"} == set(findings[0])
    assert done.returncode == (0 if all(finding["good"] for finding in findings) else 1)
    assert all(finding["good"] for finding in findings if finding["subject"] != "cpu")  # an old CPU is only slow


def test_doctor_says_what_is_missing(tmp_path):
    done = call("doctor", env={**os.environ, "OPENRKNN_RUNTIME": str(tmp_path / "nowhere.so")})
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert "runtime" in line
    assert "nowhere.so" in done.stdout
    assert "OPENRKNN_RUNTIME" in done.stdout


def test_the_command_finds_its_runtime_when_called_by_name(tmp_path):
    """argv[0] is no path then, and a folder of the command's name lies in the way."""
    (command,) = command_line()
    (tmp_path / "openrknn").mkdir()
    folder = str(Path(command).parent)
    environment = {**os.environ, "PATH": folder + os.pathsep + os.environ["PATH"]}
    done = subprocess.run(["openrknn", "doctor"], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert "ok   runtime" in done.stdout


def test_inspect_tells_batch_and_shape_sets(cnn, tmp_path):
    sets = "[[[1,3,16,16]],[[1,3,24,32]]]"
    options = ["--float", "--dynamic-input", sets, "--rknn-batch-size", "2", "-o", "dynamic.rknn"]
    succeed("convert", str(cnn), "-t", "rk3588", *options, cwd=tmp_path)
    told = json.loads(succeed("inspect", "dynamic.rknn", "--json", cwd=tmp_path).stdout)
    assert told["batch"] == 2
    assert told["shape_sets"] == [[[1, 3, 24, 32]], [[1, 3, 16, 16]]]
    text = succeed("inspect", "dynamic.rknn", cwd=tmp_path).stdout
    assert "batch        2 items" in text
    assert "shape sets   2" in text


def test_compatibility_page_is_up_to_date(repository):
    """And every row of it has a test that proves it."""
    tool = [sys.executable, repository / "tools" / "compatibility_page.py", "--check", "--command", *command_line()]
    done = subprocess.run(tool, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_operator_page_is_up_to_date(repository):
    written = (repository / "docs" / "operators.md").read_text(encoding="utf-8")
    assert succeed("operators").stdout == written, "write it again: openrknn operators > docs/operators.md"


@pytest.mark.parametrize(
    "arguments",
    [[], ["transmogrify"], ["convert"], ["convert", "a.onnx", "--colour"], ["inspect"], ["run", "a", "--seed", "x"]],
    ids=" ".join,
)
def test_wrong_usage_exits_with_two(arguments):
    done = call(*arguments)
    assert done.returncode == 2
    assert "--help" in done.stderr


@pytest.mark.parametrize("verb", [[], ["convert"], ["run"], ["profile"], ["inspect"], ["doctor"]], ids=" ".join)
def test_help_exits_with_zero(verb):
    assert "--help" in succeed(*verb, "--help").stdout


def test_version():
    assert succeed("--version").stdout.strip() == f"openrknn {openrknn.__version__}"
