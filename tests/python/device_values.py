"""What the tests of device memory share: a convolution, numbers for it, OrtValues on the device."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402

import openrknn  # noqa: E402
from openrknn import OrtValue  # noqa: E402

HEIGHT, WIDTH = 10, 9  # rows of 9 pixels are padded to 16 where channels are few


def convolution(channels, outputs):
    random = np.random.default_rng(channels)
    weights = (random.standard_normal((outputs, channels, 3, 3)) * 0.2).astype(np.float32)
    return small_models.model(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])],
        [small_models.value("x", [1, channels, HEIGHT, WIDTH])],
        [small_models.value("y", [1, outputs, HEIGHT, WIDTH])],
        [small_models.constant("w", weights)],
    )


def real_numbers(channels, seed=0):
    return np.random.default_rng(seed).standard_normal((1, channels, HEIGHT, WIDTH)).astype(np.float32)


def on_device(session, array, name="x", io_kind="input"):
    return OrtValue.ortvalue_from_numpy(array, "rknpu2", session=session, name=name, io_kind=io_kind)


def message_of(call, *args, **kwargs):
    with pytest.raises(openrknn.RknnError) as raised:
        call(*args, **kwargs)
    return str(raised.value)
