"""Caffe's layers of detection and of sequences: against OpenCV's reader and their definitions."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from caffe_writer import CaffeWriter  # noqa: E402

import openrknn  # noqa: E402

F = np.float32


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def detector(seed, variance=(0.1, 0.1, 0.2, 0.2), **options):
    """A head of SSD over a map of 5 x 6 cells: 3 boxes each, 4 classes, the first of which is the background."""
    net = CaffeWriter(np.random.default_rng(seed), (1, 3, 5, 6))
    start = net.convolution(3, 8, 3, pad=1)
    parts = []
    for name, width in (("loc", 4), ("conf", 4)):
        net.convolution(8, 3 * width, 1, bottoms=[start])
        net.layer("Permute", permute_param={"order": [0, 2, 3, 1]})
        parts.append(net.layer("Flatten", name=name))
    net.layer("Reshape", ["conf"], reshape_param={"shape": {"dim": [0, -1, 4]}})
    net.layer("Softmax", softmax_param={"axis": 2})
    scores = net.layer("Flatten")
    sizes = {"min_size": 2.0, "aspect_ratio": 2.0, "clip": False, "variance": list(variance)}
    priors = net.layer("PriorBox", [start, "data"], name="priors", prior_box_param=sizes)
    given = {
        "num_classes": 4,
        "share_location": True,
        "background_label_id": 0,
        "nms_param": {"nms_threshold": 0.3, "top_k": 40},
        **options,
    }
    net.layer("DetectionOutput", ["loc", scores, priors], name="found", detection_output_param=given)
    return net


@pytest.mark.parametrize(
    "options",
    [
        {"code_type": "CENTER_SIZE", "keep_top_k": 20, "confidence_threshold": 0.2},
        {"code_type": "CENTER_SIZE", "keep_top_k": 200, "confidence_threshold": 0.01},
        {"code_type": "CORNER", "keep_top_k": 5, "confidence_threshold": 0.3},
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_boxes_are_those_of_opencv(options, seed, tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = detector(seed, **options).write(tmp_path)
    x = np.random.default_rng(seed + 10).standard_normal((1, 3, 5, 6)).astype(F)
    (got,) = openrknn.import_model(path).run([x])
    peer = cv2.dnn.readNetFromCaffe(str(path), str(path.with_suffix(".caffemodel")))
    peer.setInput(x)
    wanted = peer.forward().reshape(-1, 7)
    wanted = wanted[wanted[:, 1] > 0]  # it fills up to keep_top_k with zeros
    assert got.shape == (1, 1, len(wanted), 7) and len(wanted) >= 5

    def in_order(rows):
        return rows[np.lexsort((rows[:, 3], -rows[:, 2].round(5), rows[:, 1]))]

    np.testing.assert_allclose(in_order(got.reshape(-1, 7)), in_order(wanted), atol=2e-5)


def test_options_that_change_nothing_change_nothing(tmp_path):
    x = np.random.default_rng(5).standard_normal((1, 3, 5, 6)).astype(F)

    def found(variance=(1.0, 1.0, 1.0, 1.0), **options):
        given = {"code_type": "CORNER_SIZE", "confidence_threshold": 0.1, **options}
        return openrknn.import_model(detector(3, variance, **given).write(tmp_path)).run([x])[0]

    wanted = found(keep_top_k=200)
    assert wanted.shape[2] > 20
    assert np.array_equal(wanted, found(keep_top_k=-1))
    assert np.array_equal(wanted, found((0.3, 0.3, 0.3, 0.3), keep_top_k=200, variance_encoded_in_target=True))
    fewer = found(keep_top_k=7)[0, 0]
    best = wanted[0, 0][np.sort(np.argsort(-wanted[0, 0, :, 2])[:7])]
    assert np.array_equal(fewer, best)
    assert found(confidence_threshold=2.0).shape == (1, 1, 0, 7)


def test_a_build_refuses_boxes_that_depend_on_the_data(tmp_path):
    path = detector(0).write(tmp_path)
    with pytest.raises(openrknn.Error, match="NonMaxSuppression"):
        openrknn.compile(openrknn.import_model(path), target="rk3588", quantize=None)
    assert openrknn.compile(openrknn.import_model(path, outputs=["loc", "conf"]), target="rk3588", quantize=None)


def test_boxes_that_are_no_boxes_are_refused(tmp_path):
    for options, part in [
        ({"share_location": False}, "share_location"),
        ({"num_classes": 5}, "for 5 classes"),
        ({"code_type": "POLAR"}, "got POLAR"),
        ({"nms_param": {"eta": 0.9}}, "eta"),
    ]:
        with pytest.raises(openrknn.Error, match=part):
            openrknn.import_model(detector(0, **options).write(tmp_path))


def lstm(x, weights, recurrent, bias, goes_on):
    steps, batch, _ = x.shape
    hidden = recurrent.shape[1]
    state, cell, outputs = np.zeros((batch, hidden)), np.zeros((batch, hidden)), []
    for t in range(steps):
        kept = goes_on[t][:, None]
        sums = x[t] @ weights.T + (state * kept) @ recurrent.T + bias
        i, f, o, g = np.split(sums, 4, axis=1)
        cell = sigmoid(f) * cell * kept + sigmoid(i) * np.tanh(g)
        state = sigmoid(o) * np.tanh(cell)
        outputs.append(state)
    return np.stack(outputs)


def sequences(kind, shape, blobs, **options):
    net = CaffeWriter(np.random.default_rng(0), shape)
    bottoms = ["data"]
    if kind != "Lstm":
        net.layer("Input", bottoms=[], top="cont", input_param={"shape": {"dim": list(shape[:2])}})
        bottoms.append("cont")
    net.layer(kind, bottoms, name="states", blobs=blobs, **options)
    return net


def test_whole_sequences(tmp_path):
    draws = np.random.default_rng(1)
    weights, recurrent, bias = (draws.uniform(-1, 1, shape).astype(F) for shape in [(16, 5), (16, 4), (16,)])
    x = draws.standard_normal((6, 2, 5)).astype(F)
    wanted = lstm(x, weights, recurrent, bias, np.ones((6, 2)))
    blobs = [weights, recurrent, bias]
    path = sequences("Lstm", (6, 2, 5), blobs, lstm_param={"num_output": 4}).write(tmp_path)
    np.testing.assert_allclose(openrknn.import_model(path).run([x])[0], wanted, atol=1e-6)
    rows = sequences("Lstm", (12, 5), blobs, lstm_param={"num_output": 4, "batch_size": 2}).write(tmp_path)
    got = openrknn.import_model(rows).run([x.reshape(12, 5)])[0]
    np.testing.assert_allclose(got, wanted.reshape(12, 4), atol=1e-6)


def test_sequences_that_begin_again(tmp_path):
    draws = np.random.default_rng(2)
    weights, recurrent, bias = (draws.uniform(-1, 1, shape).astype(F) for shape in [(16, 6), (16, 4), (16,)])
    x = draws.standard_normal((5, 2, 2, 3)).astype(F)
    goes_on = np.array([[0, 0], [1, 1], [1, 0], [0, 1], [1, 1]], F)
    blobs = [weights, bias, recurrent]
    path = sequences("LSTM", x.shape, blobs, recurrent_param={"num_output": 4}).write(tmp_path)
    got = openrknn.import_model(path).run([x, goes_on])[0]
    np.testing.assert_allclose(got, lstm(x.reshape(5, 2, 6), weights, recurrent, bias, goes_on), atol=1e-6)


def test_a_plain_recurrence(tmp_path):
    draws = np.random.default_rng(3)
    shapes = [(4, 5), (4,), (4, 4), (4, 4), (4,)]
    weights, bias, recurrent, out, out_bias = blobs = [draws.uniform(-1, 1, shape).astype(F) for shape in shapes]
    x = draws.standard_normal((3, 2, 5)).astype(F)
    goes_on = np.array([[0, 0], [1, 0], [1, 1]], F)
    path = sequences("RNN", x.shape, blobs, recurrent_param={"num_output": 4}).write(tmp_path)
    state, wanted = np.zeros((2, 4)), []
    for t in range(3):
        state = np.tanh(x[t] @ weights.T + bias + (state * goes_on[t][:, None]) @ recurrent.T)
        wanted.append(np.tanh(state @ out.T + out_bias))
    np.testing.assert_allclose(openrknn.import_model(path).run([x, goes_on])[0], np.stack(wanted), atol=1e-6)
