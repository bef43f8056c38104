"""examples/functions: the toolkit's flows of one function each run as they are written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openrknn._core")
pytest.importorskip("onnx")

FOLDER = Path(__file__).resolve().parents[2] / "examples/functions"
# What each prints when it did what it says.
LINES = {
    "dynamic_shape": ["64 96 [[", "32 48 [[", "16 16 [["],
    "multi_batch": ["(4, 4)"],
    "custom_op": ["[cstScaledSoftsign] features"],
    "model_pruning": ["equal: True"],
    "onnx_edit": ["[1, 32, 48, 3]"],
}


@pytest.mark.parametrize("name", LINES)
def test_example(name, tmp_path):
    environment = {**os.environ, "OPENRKNN_RAISE": "1"}
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", tmp_path], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    for line in LINES[name]:
        assert line in done.stdout
