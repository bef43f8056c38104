"""The packages of python/ are those of the wheel and of the build folder, and need numpy alone."""

import re
import subprocess
import sys

import pytest

pytest.importorskip("openrknn._core")

MODULES = [
    "autosparsity.masks",
    "autosparsity.sparsity",
    "openrknn",
    "openrknn.distributed",
    "rknn.api",
    "rknn.api.rknn_convert",
    "rknn.utils",
    "rknnlite.api",
    "ztu_somemodelruntime_ez_rknn_async",
]


@pytest.fixture
def packages(repository):
    return sorted(path.parent.name for path in (repository / "python").glob("*/__init__.py"))


def test_the_wheel_has_every_package(repository, packages):
    text = (repository / "pyproject.toml").read_text()
    listed = re.search(r"^wheel\.packages = \[(.*)\]$", text, re.M).group(1)
    assert sorted(re.findall(r'"python/(\w+)"', listed)) == packages
    ours = re.search(r"^known-first-party = \[(.*)\]$", text, re.M).group(1)
    assert sorted(re.findall(r'"(\w+)"', ours)) == packages


def test_the_build_folder_has_every_package(repository, packages):
    text = (repository / "python" / "CMakeLists.txt").read_text()
    assert sorted(re.search(r"^foreach\(package ([\w ]+)\)$", text, re.M).group(1).split()) == packages


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_with_numpy_alone(module):
    absent = ["torch", "onnx", "onnxruntime", "yaml", "tensorflow", "tflite_runtime", "PIL", "cv2", "distributed"]
    program = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); import {module}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
