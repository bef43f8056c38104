"""Weights that are no numbers are refused by every importer, with the tensor that holds them."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import torchscript_writer  # noqa: E402
from caffe_writer import CaffeWriter  # noqa: E402
from darknet_writer import DarknetWriter  # noqa: E402
from tensorflow_writer import TensorflowWriter  # noqa: E402
from tflite_writer import TfliteWriter  # noqa: E402

import openrknn  # noqa: E402

BAD = np.array([1, np.nan, np.inf, 4], np.float32)


def of_caffe(folder):
    net = CaffeWriter(np.random.default_rng(0), (1, 4, 5, 6))
    net.layer("PReLU", blobs=[BAD])
    return net.write(folder)


def of_darknet(folder):
    net = DarknetWriter(np.random.default_rng(0), 4, 5, 6)
    net.convolutional(4, batch_normalize=0)
    net.numbers[-1].ravel()[:4] = BAD
    return net.write(folder)


def of_tensorflow(folder):
    w = TensorflowWriter()
    w.op("Mul", [w.input((1, 5, 6, 4)), w.constant(BAD)])
    return w.write(folder / "net.pb")


def of_tflite(folder):
    w = TfliteWriter()
    return w.write(folder / "net.tflite", w.op("MUL", [w.input((1, 5, 6, 4)), w.constant(BAD)]))


def of_torchscript(folder):
    weight = {"w": torchscript_writer.tensor("0", (4,))}
    data = {"0": BAD.tobytes()}
    return torchscript_writer.write(folder / "net.pt", "return torch.mul(x, self.w)", attributes=weight, data=data)


@pytest.mark.parametrize("write", [of_caffe, of_darknet, of_tensorflow, of_tflite, of_torchscript])
def test_weights_that_are_no_numbers_are_refused(write, tmp_path):
    path = write(tmp_path)
    shapes = [[1, 5, 6, 4]] if write is of_torchscript else None
    with pytest.raises(openrknn.Error, match="1 NaN and 1 infinite values in") as caught:
        openrknn.import_model(path, input_shapes=shapes)
    assert str(caught.value).startswith(str(tmp_path))


def test_infinite_masks_are_ordinary(tmp_path):
    attributes = {"w": torchscript_writer.tensor("0", (4,))}
    mask = {"0": np.array([0, -np.inf, 0, 0], np.float32).tobytes()}
    body = "return torch.softmax(torch.add(x, self.w), -1)"
    path = torchscript_writer.write(tmp_path / "net.pt", body, attributes=attributes, data=mask)
    (got,) = openrknn.import_model(path, input_shapes=[[1, 4]]).run([np.zeros((1, 4), np.float32)])
    np.testing.assert_allclose(got, [[1 / 3, 0, 1 / 3, 1 / 3]], atol=1e-6)
