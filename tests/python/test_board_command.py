"""The `openrknn` command of a board: it runs and looks at .rknn files without the compiler half."""

import json
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from tools_of_the_build import board_program  # noqa: E402

import openrknn  # noqa: E402


def run(*arguments):
    command = [*board_program("openrknn", folder="apps"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def file(tmp_path):
    path = small_models.save(small_models.cnn(), tmp_path / "cnn.onnx")
    samples = [[small_models.photo(16, 16, seed).transpose(2, 0, 1)[None].astype(np.float32)] for seed in range(3)]
    openrknn.compile(path, dataset=samples, mean=[127.5] * 3, std=[127.5] * 3).save(tmp_path / "cnn.rknn")
    return tmp_path / "cnn.rknn"


def test_run_on_a_board_gives_the_simulators_bits(file, tmp_path):
    image = small_models.photo(16, 16, 9).transpose(2, 0, 1)[None]
    np.save(tmp_path / "image.npy", image)
    saved = tmp_path / "outputs"
    done = run("run", file, "-i", f"image={tmp_path / 'image.npy'}", "--save", saved, "--count", "4", "--cores", "0,1")
    assert done.returncode == 0, done.stderr
    assert "runs/s over" in done.stdout
    for name, expected in zip(["scores", "pooled"], openrknn.load(file).run([image]), strict=True):
        assert np.load(saved / f"{name}.npy").tobytes() == expected.tobytes()


def test_inspect_and_doctor_on_a_board(file):
    described = json.loads(run("inspect", file, "--json").stdout)
    assert described["target"] == "rk3588"
    findings = {finding["subject"]: finding for finding in json.loads(run("doctor", "--json").stdout)}
    assert findings["runtime"]["good"]


def test_refusals_on_a_board(file, tmp_path):
    assert run("run").returncode == 2
    assert run("run", tmp_path / "none.rknn").returncode == 1
    wrong = run("run", file, "-i", "x=y.npy")
    assert wrong.returncode == 1
    assert "the model has no such input, it has 1" in wrong.stderr
    assert "Models are converted on a PC" in run("--help").stdout
