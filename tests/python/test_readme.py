"""The quick starts of README.md do what they say."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402


def snippets(repository, language):
    text = (repository / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """What a reader has: a classifier of 1000 classes, a list of pictures, a picture."""
    random = np.random.default_rng(0)
    made = small_models.model(
        [
            helper.make_node("Conv", ["image", "w"], ["conv"], name="conv", strides=[8, 8]),
            helper.make_node("GlobalAveragePool", ["conv"], ["average"], name="average"),
            helper.make_node("Flatten", ["average"], ["flat"], name="flatten"),
            helper.make_node("Gemm", ["flat", "w1"], ["scores"], name="scores"),
        ],
        [small_models.value("image", [1, 3, 224, 224], TensorProto.FLOAT)],
        [small_models.value("scores", [1, 1000])],
        [
            small_models.constant("w", random.standard_normal((8, 3, 8, 8)).astype(np.float32)),
            small_models.constant("w1", random.standard_normal((8, 1000)).astype(np.float32)),
        ],
    )
    small_models.save(made, tmp_path / "mobilenet_v2.onnx")
    image_module = pytest.importorskip("PIL.Image")
    image_module.fromarray(small_models.photo(240, 320, 0)).save(tmp_path / "image.png")
    (tmp_path / "dataset.txt").write_text("image.png\n")
    return tmp_path


def test_python(repository, folder):
    program = "\n".join(snippets(repository, "python"))  # one goes on from the other
    packages = str(Path(openrknn.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program + "\nassert scores.shape == (1, 1000)\n"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": packages},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_command_line(repository, folder):
    lines = [line for block in snippets(repository, "sh") for line in block.splitlines() if line.startswith("openrknn")]
    verbs = ["convert", "run", "analyze", "inspect", "profile", "check", "estimate", "doctor"]
    assert [line.split()[1] for line in lines] == verbs
    for line in lines:
        done = subprocess.run(
            [*command_line(), *shlex.split(line)[1:]], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


def test_cpp_compiles(repository, folder):
    compiler = next(filter(None, map(shutil.which, ("g++", "clang++"))), None)
    if compiler is None:
        pytest.skip("no C++ compiler")
    (program,) = snippets(repository, "cpp")
    (folder / "main.cpp").write_text(program)
    command = [compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    done = subprocess.run(
        [*command, "-I", repository / "include", "main.cpp"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
