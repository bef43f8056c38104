"""The table of bad inputs and what its rows share. See test_bad_input.py."""

import os

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

SHAPE = (1, 3, 16, 16)
CASES = {}


def case(title, code, *mentions):
    """Registers a bad input: `code` and every one of `mentions` must be in the message."""

    def register(function):
        CASES[title] = (function, code, mentions)
        return function

    return register


def message_of(title, folder):
    """The message a case gets, and what is left in its folder afterwards."""
    function, _, _ = CASES[title]
    before = {name for name in os.listdir(folder) if name.endswith(".rknn")}
    rknn = RKNN()
    os.environ["OPENRKNN_RAISE"] = "1"
    try:
        function(folder, rknn)
    except openrknn.Error as error:
        message = str(error)
    else:
        message = None
    finally:
        del os.environ["OPENRKNN_RAISE"]
        rknn.release()
    kept = {name for name in os.listdir(folder) if name.endswith(".rknn")} | before
    return message, {name for name in os.listdir(folder) if "rknn" in name} - kept


def load(rknn, path, **config):
    config.setdefault("target_platform", "rk3588")
    rknn.config(**config)
    rknn.load_onnx(str(path))


def load_made(folder, rknn, made, **config):
    load(rknn, small_models.save(made, folder / "bad.onnx"), **config)


def calibrate(folder, rknn, lines, **files):
    """Builds int8 from a dataset of these lines; `files` are arrays (npy) or bytes by name."""
    samples = folder / "samples"
    samples.mkdir(exist_ok=True)
    for name, content in files.items():
        if isinstance(content, bytes):
            (samples / name.replace("_jpg", ".jpg")).write_bytes(content)
        else:
            np.save(samples / f"{name}.npy", content)
    (folder / "dataset.txt").write_text(lines)
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"))
    rknn.build(do_quantization=True, dataset=str(folder / "dataset.txt"))


GOOD = np.linspace(0, 255, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)


def running(folder, rknn, made=None):
    load(rknn, small_models.save(made or small_models.cnn(), folder / "cnn.onnx"))
    rknn.build(do_quantization=False)
    rknn.init_runtime()
    return rknn


def small_rknn(folder):
    path = folder / "whole.rknn"
    openrknn.compile(
        openrknn.import_model(small_models.save(small_models.cnn(), folder / "cnn.onnx")),
        quantize=None,
        keep_golden=True,
        custom_string="for the sections",
    ).save(path)
    return path
