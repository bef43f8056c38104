"""python3 -m rknn.api.rknn_convert: a YAML description or a model file becomes a .rknn file, or an exit code that is not 0."""

import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("openrknn._core")

import openrknn  # noqa: E402
from openrknn import _core  # noqa: E402
from rknn.api import RKNN, rknn_convert  # noqa: E402


def call(*arguments, cwd):
    command = [sys.executable, "-m", "rknn.api.rknn_convert", *map(str, arguments)]
    paths = os.pathsep.join(
        os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path
    )
    environment = dict(os.environ, PYTHONPATH=paths)
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def described(cnn, dataset, tmp_path):
    """The description of the small network, beside it; the working directory of calls is another one."""
    text = """
models:
    # the form of the toolkit's examples
    name: small
    platform: onnx
    model_file_path: ./cnn.onnx
    quantize: true
    dataset: ./dataset.txt
    configs:
        quantized_dtype: asymmetric_quantized-8
        mean_values: [127.5, 127.5, 127.5]
        std_values: [[128, 128, 128]]
        quant_img_RGB2BGR: false
        quantized_algorithm: normal
        quantized_method: channel
"""
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "model_config.yml"
    path.write_text(text)
    return path


# ---- real conversions


def test_a_description_gives_what_the_class_gives(described, cnn, dataset, tmp_path, rknn):
    done = call("-t", "rk3588", "-i", described, "-o", "made/here", cwd=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    written = tmp_path / "elsewhere" / "made" / "here" / "small.rknn"
    assert done.stdout.strip() == "made/here/small.rknn"
    each = rknn()
    each.config(mean_values=[127.5] * 3, std_values=[128] * 3, target_platform="rk3588")
    each.load_onnx(cnn)
    each.build(True, dataset)
    each.export_rknn(tmp_path / "wanted.rknn")
    assert written.read_bytes() == (tmp_path / "wanted.rknn").read_bytes()


def test_a_model_file_alone_becomes_float16(cnn, tmp_path):
    done = call("-t", "RK3576", "-i", "cnn.onnx", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert openrknn.load(tmp_path / "cnn.rknn").run({"image": np.zeros((1, 3, 16, 16), np.float32)})[0].shape == (1, 10)


def test_layers_are_compared_for_a_sample(described, tmp_path):
    np.save(tmp_path / "elsewhere" / "a sample.npy", np.zeros((1, 3, 16, 16), np.float32))
    done = call("-t", "rk3588", "-i", described, "-a", "'a sample.npy'", "-o", "out", cwd=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    assert "simulator_error" in done.stdout
    assert (tmp_path / "elsewhere" / "out" / "snapshot" / "error_analysis.txt").is_file()


def test_subgraphs_crop_the_model(described, cnn, tmp_path):
    text = described.read_text().replace("quantize: true", "quantize: false")
    crop = "subgraphs: {input_size_list: ['8,16,16'], inputs: [relu], outputs: [pooled]}\n    quantize"
    described.write_text(text.replace("quantize", crop, 1).replace("mean_values", "# ").replace("std_values", "# "))
    done = call("-t", "rk3588", "-i", described, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with openrknn.InferenceSession(str(tmp_path / "small.rknn")) as session:
        assert [each.name for each in session.get_inputs()] == ["relu"]
        assert [each.name for each in session.get_outputs()] == ["pooled"]


# ---- what ends with another exit code


def failed(*arguments, cwd):
    done = call(*arguments, cwd=cwd)
    assert done.returncode == 1
    assert not list(cwd.rglob("*.rknn"))
    return done.stderr


def test_files_that_are_missing_are_named_together(described, dataset, cnn, tmp_path):
    dataset.unlink()
    cnn.unlink()
    told = failed("-t", "rk3588", "-i", described, cwd=tmp_path / "elsewhere")
    assert "model_file_path: no such file" in told and "dataset: no such file" in told
    assert "relative to the folder of the .yml file" in told
    assert "no such file 'nowhere.yml'" in failed("-t", "rk3588", "-i", "nowhere.yml", cwd=tmp_path)


def test_platforms_nobody_knows(described, tmp_path):
    told = failed("-t", "rk9999", "-i", described, cwd=tmp_path / "elsewhere")
    assert "Invalid target_platform 'rk9999'!" in told and told.endswith("E rknn_convert: config failed\n")
    assert "-t is missing" in failed("-i", described, cwd=tmp_path / "elsewhere")


@pytest.mark.parametrize(
    "old, new, problem",
    [
        ("platform: onnx", "platform: pytorch", "subgraphs: 'input_size_list' is missing"),
        ("models:", "model:", "'models:' is missing"),
        ("platform: onnx", "platform: mxnet", "platform: got 'mxnet', expected one of onnx, tensorflow,"),
        ("model_file_path: ./cnn.onnx", "", "'model_file_path' is missing"),
        ("quantize: true", "quantize: 1", "quantize: got 1, expected true or false"),
        ("dataset: ./dataset.txt", "", "true needs 'dataset'"),
        ("name: small", "name: a/b", "expected a file name without folders"),
        ("quantize: true", "subgraphs: {input_size_list: [big]}", "input_size_list: got ['big'], expected shapes"),
        ("quantize: true", "subgraphs: [1]", "subgraphs: got [1], expected a mapping"),
        ("quantized_method: channel", "quantised_method: channel", "unknown argument 'quantised_method'"),
        ("name: small", "name: &a small", "an anchor (&name) has no place in this file"),
        (
            "name: small",
            "name: small\n    name: large",
            "model_config.yml:5: E0702 config.bad-value: 'name' is said twice",
        ),
        ("[127.5, 127.5, 127.5]", "[127.5", "not valid YAML"),
        ("[127.5, 127.5, 127.5]", "[127.5]", "mean_values"),
    ],
)
def test_descriptions_that_say_nothing_usable(described, tmp_path, old, new, problem):
    described.write_text(described.read_text().replace(old, new))
    told = failed("-t", "rk3588", "-i", described, cwd=tmp_path / "elsewhere")
    assert problem in told
    assert "Traceback" not in told


def test_other_files_and_wrong_usage(tmp_path):
    (tmp_path / "net.txt").write_text("")
    assert "a file of an unknown kind" in failed("-t", "rk3588", "-i", "net.txt", cwd=tmp_path)
    (tmp_path / "net.cfg").write_text("")
    assert "no such file 'net.weights'" in failed("-t", "rk3588", "-i", "net.cfg", cwd=tmp_path)
    (tmp_path / "net.pt").write_text("")
    assert "does not say its input_size_list: describe it" in failed("-t", "rk3588", "-i", "net.pt", cwd=tmp_path)
    assert call("-t", "rk3588", cwd=tmp_path).returncode == 2
    assert call("--help", cwd=tmp_path).returncode == 0


def test_what_belongs_to_no_step_is_refused(described, tmp_path):
    told = failed("-t", "rk3588", "-i", described, "-d", cwd=tmp_path / "elsewhere")
    assert "-d names a board, and nothing is to run there" in told
    told = failed("-t", "rk3588", "-i", described, "-a", "a.jpg b.jpg", cwd=tmp_path / "elsewhere")
    assert "no such file 'a.jpg'" in told and "no such file 'b.jpg'" in told


# ---- which methods are called


class Recorder:
    """An RKNN that only remembers; a method named in `failing` fails."""

    calls: list = []
    failing = ""

    def __init__(self, verbose=False):
        Recorder.calls = [("RKNN", {"verbose": verbose})]

    def release(self):
        Recorder.calls.append(("release", {}))

    def __getattr__(self, name):
        assert hasattr(RKNN, name), name

        def method(**arguments):
            Recorder.calls.append((name, arguments))
            if name == Recorder.failing:
                raise RuntimeError(name)
            return {"eval_perf": "", "eval_memory": {}}.get(name, 0)

        method.__name__ = name
        return method


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setattr(rknn_convert, "RKNN", Recorder)
    monkeypatch.setattr(Recorder, "failing", "")
    return Recorder


def describe(folder, platform, extra):
    for name in ("a.bin", "b.bin"):
        (folder / name).write_bytes(b"")
    path = folder / "net.yml"
    path.write_text(f"models:\n  platform: {platform}\n" + "".join(f"  {line}\n" for line in extra))
    return str(path)


@pytest.mark.parametrize(
    "platform, lines, loader, wanted",
    [
        ("onnx", ["model_file_path: a.bin"], "load_onnx", {"model": "a.bin"}),
        (
            "TensorFlow",
            [
                "model_file_path: a.bin",
                "subgraphs:",
                "  inputs: [x, z]",
                '  input_size_list: ["1, 224,224,3", [8, 8, 3]]',
                "  outputs: y",
            ],
            "load_tensorflow",
            {
                "tf_pb": "a.bin",
                "inputs": ["x", "z"],
                "input_size_list": [[1, 224, 224, 3], [1, 8, 8, 3]],
                "outputs": ["y"],
            },
        ),
        ("tflite", ["model_file_path: a.bin"], "load_tflite", {"model": "a.bin"}),
        (
            "pytorch",
            ["model_file_path: a.bin", "subgraphs: {input_size_list: [1, 3, 4, 4]}"],
            "load_pytorch",
            {"model": "a.bin", "input_size_list": [[1, 3, 4, 4]]},
        ),
        (
            "caffe",
            ["prototxt_file_path: a.bin", "caffemodel_file_path: b.bin", "subgraphs: {inputs: [x]}"],
            "load_caffe",
            {"model": "a.bin", "blobs": "b.bin", "input_name": ["x"]},
        ),
        (
            "darknet",
            ["darknet_cfg_path: a.bin", "darknet_weights_path: b.bin"],
            "load_darknet",
            {"model": "a.bin", "weight": "b.bin"},
        ),
    ],
)
def test_every_framework_has_its_loader(recorder, tmp_path, platform, lines, loader, wanted):
    yml = describe(tmp_path, platform, [*lines, "configs: {target_platform: rk3566, custom_string: '1.10'}"])
    assert rknn_convert.main(["-i", yml, "-o", str(tmp_path)]) == 0
    files = {key: str(tmp_path / value) if value in ("a.bin", "b.bin") else value for key, value in wanted.items()}
    assert recorder.calls == [
        ("RKNN", {"verbose": False}),
        ("config", {"target_platform": "rk3566", "custom_string": "1.10"}),
        (loader, files),
        ("build", {"do_quantization": False, "dataset": None}),
        ("export_rknn", {"export_path": str(tmp_path / "a.rknn")}),
        ("release", {}),
    ]


def test_keys_without_effect_are_warned_of(recorder, tmp_path, capsys):
    yml = describe(tmp_path, "tflite", ["model_file_path: a.bin", "subgraphs: {outputs: [y]}", "colour: red"])
    assert rknn_convert.main(["-t", "rk3566", "-i", yml, "-o", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert (
        "W rknn_convert" in told and "'subgraphs: outputs' has no effect" in told and "'colour' has no effect" in told
    )


@pytest.mark.parametrize(
    "device, id_given", [([], None), (["-d"], None), (["-d", "0123"], "0123")], ids=["none", "only", "named"]
)
def test_boards_are_asked_for_times_then_memory(recorder, tmp_path, device, id_given):
    yml = describe(tmp_path, "onnx", ["model_file_path: a.bin"])
    sample = tmp_path / "x.npy"
    np.save(sample, np.zeros(1))
    assert (
        rknn_convert.main(["-t", "rk3588", "-i", yml, "-o", str(tmp_path), "-v", "-e", "-a", str(sample), *device]) == 0
    )
    assert recorder.calls[0] == ("RKNN", {"verbose": True})
    on_board = {"target": "rk3588", "device_id": id_given}
    assert recorder.calls[5:] == [
        (
            "accuracy_analysis",
            {"inputs": [str(sample)], "output_dir": str(tmp_path / "snapshot"), **(on_board if device else {})},
        ),
        ("init_runtime", {"perf_debug": True, **on_board}),
        ("eval_perf", {}),
        ("init_runtime", {"eval_mem": True, **on_board}),
        ("eval_memory", {}),
        ("release", {}),
    ]


@pytest.mark.parametrize(
    "step", ["config", "load_onnx", "build", "export_rknn", "init_runtime", "eval_perf", "eval_memory"]
)
def test_a_failing_step_is_named_and_ends_it(recorder, tmp_path, capsys, step):
    recorder.failing = step
    yml = describe(tmp_path, "onnx", ["model_file_path: a.bin"])
    assert rknn_convert.main(["-t", "rk3588", "-i", yml, "-o", str(tmp_path), "-e"]) == 1
    assert [name for name, _ in recorder.calls[-2:]] == [step, "release"]
    assert f"E rknn_convert: {step} failed" in capsys.readouterr().err


# ---- the reader below it


def test_yaml_becomes_plain_python(tmp_path):
    path = tmp_path / "any.yml"
    path.write_text("a: 1\nb: [1.5, true, null, 'on', \"2\"]\nc: {d: text, e: }\n")
    assert _core.read_yaml(str(path)) == {"a": 1, "b": [1.5, True, None, "on", "2"], "c": {"d": "text", "e": None}}
    path.write_text("a: " + "[" * 50 + "]" * 50)
    with pytest.raises(openrknn.Error, match="any.yml:1.*nesting of more than 8 levels"):
        _core.read_yaml(str(path))


def test_loaders_have_the_arguments_of_the_table():
    for framework in rknn_convert.FRAMEWORKS.values():
        names = set(inspect.signature(getattr(RKNN, framework.loader)).parameters)
        assert {*framework.files.values(), *framework.subgraphs.values()} <= names
