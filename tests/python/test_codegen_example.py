"""examples/codegen: a real model as a C++ project, built and run here, gives what was recorded of it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openrknn._core")


def printed(repository, folder, *arguments):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # cmake of Python
    if shutil.which("cmake", path=environment["PATH"]) is None:
        pytest.skip("no cmake")
    if shutil.which("ninja", path=environment["PATH"]):
        environment["CMAKE_GENERATOR"] = "Ninja"
    if shutil.which("ccache"):  # the sources are the same for every model
        environment |= {"CMAKE_CXX_COMPILER_LAUNCHER": "ccache", "CCACHE_BASEDIR": str(folder)}
    command = [sys.executable, repository / "examples/codegen/demo.py", "--output", folder, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^ +cosine similarity: (\S+)$", done.stdout, re.MULTILINE) == ["1.000000"]  # with the simulator
    return done.stdout


def test_two_inputs_in_float16(repository, shared, tmp_path):
    model = shared / "models/multiple_input_rknn/test.onnx"
    text = printed(repository, tmp_path, "--model", model, "--recorded", f"{model}.io.npz")
    cosine, error, largest = re.search(r"PASS 8: .* (\S+), largest difference (\S+) of (\S+)", text).groups()
    assert float(cosine) > 0.99999 and float(error) < 0.002 * float(largest)


def test_digits_in_int8(repository, shared, tmp_path):
    model = shared / "models/digits/mobiledigits.op12.onnx"
    text = printed(repository, tmp_path, "--model", model, "--recorded", f"{model}.io.npz", "--quantize")
    cosine, error = re.search(r"PASS output: .* (\S+), largest difference (\S+) of", text).groups()
    assert float(cosine) > 0.999 and float(error) < 0.05
