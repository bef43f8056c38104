"""A conversion script as RKNN's model zoo has them runs unchanged: scripts/convert.py ONNX PLATFORM [i8|fp] [OUT]."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402

SCRIPT = Path(__file__).parent / "scripts" / "convert.py"


def convert(*arguments, folder, **environment):
    packages = str(Path(openrknn.__file__).parents[1])
    path = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )


def test_the_script_imports_nothing_of_ours_but_rknn_api():
    imports = [line for line in SCRIPT.read_text().splitlines() if line.startswith(("import ", "from "))]
    assert imports == ["import os", "import sys", "from rknn.api import RKNN"]


@pytest.mark.parametrize("platform", ["rk3562", "rk3566", "rk3568", "rk3576", "rk3588", "rv1106", "RK3588S"])
@pytest.mark.parametrize("kind", ["i8", "fp"])
def test_conversion(cnn, dataset, tmp_path, platform, kind):
    done = convert(cnn, platform, kind, tmp_path / "out.rknn", folder=tmp_path)
    if kind == "fp" and platform == "rv1106":  # no float16 convolution on this NPU
        assert done.returncode != 0
        assert "Build model failed!" in done.stdout
        assert "conv" in done.stderr
        assert not (tmp_path / "out.rknn").exists()
        return
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        *("--> Config model", "done", "--> Loading model", "done"),
        *("--> Building model", "done", "--> Export rknn model", "done"),
    ]
    model = openrknn.load(tmp_path / "out.rknn")
    assert model.inputs[0][2] == ("int8" if kind == "i8" else "float16")
    assert model.target == platform.lower().replace("3588s", "3588")


def test_defaults_of_the_script(cnn, dataset, tmp_path):
    assert convert(cnn, "rk3588", folder=tmp_path).returncode == 0
    assert openrknn.load(tmp_path / "cnn.rknn").inputs[0][2] == "int8"


def test_dynamic_models_are_given_their_sizes(dataset, tmp_path):
    made = small_models.cnn()
    for dimension in made.graph.input[0].type.tensor_type.shape.dim:
        dimension.dim_param = "any"
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 3
    del made.graph.output[1]
    path = small_models.save(made, tmp_path / "dynamic.onnx")
    asked = convert(path, "rk3588", "i8", folder=tmp_path)
    assert asked.returncode != 0
    assert "input_size_list" in asked.stderr
    given = convert(path, "rk3588", "i8", folder=tmp_path, MODEL_INPUTS="image", MODEL_SIZES="1x3x16x16")
    assert given.returncode == 0, given.stderr


def test_failures_end_the_script(cnn, tmp_path):
    missing = convert(tmp_path / "nowhere.onnx", "rk3588", folder=tmp_path)
    assert missing.returncode != 0
    assert "Load model failed!" in missing.stdout
    assert "nowhere.onnx" in missing.stderr
    without_samples = convert(cnn, "rk3588", folder=tmp_path)
    assert without_samples.returncode != 0
    assert "Build model failed!" in without_samples.stdout
    platform = convert(cnn, "rk1808", folder=tmp_path)
    assert platform.returncode != 0
    assert "Invalid target_platform 'rk1808'!" in platform.stderr
    assert not list(tmp_path.glob("*.rknn"))


def test_face_detector(shared, tmp_path):
    folder = shared / "models" / "ultraface_slim"
    (tmp_path / "dataset.txt").write_text(f"{folder / 'photo1.jpg'}\n{folder / 'photo2.jpg'}\n")
    source = folder / "slim-320_simplified.onnx"
    done = convert(source, "rk3566", "i8", tmp_path / "faces.rknn", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with openrknn.InferenceSession(tmp_path / "faces.rknn") as session:
        outputs = session.run(None, [np.zeros(session.get_inputs()[0].shape, np.uint8)])
    assert [out.shape for out in outputs] == [(1, 4420, 2), (1, 4420, 4)]
