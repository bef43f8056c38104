"""Batches over the cores, and the run options that ask for them."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from session_calls import KEY, VERSION, OrtRunOptions, tagged  # noqa: E402
from stub_runtime import ECHO  # noqa: E402

import openrknn  # noqa: E402

# ---- run options


@pytest.mark.parametrize("value", [True, 1, -3, "true", " ON ", "yes", "1", np.bool_(True), np.int64(1)])
@pytest.mark.parametrize("form", [dict, OrtRunOptions])
def test_batches_are_asked_for_by_a_dict_or_run_options(stub, value, form):
    batch = np.arange(12, dtype=np.float32).reshape(3, 4)
    results = stub.session().run(None, batch, form({KEY: value, "other": object()}))
    assert results[0].shape == (3, 4)
    assert stub.calls("rknn_run") == 3


@pytest.mark.parametrize(
    "options",
    [
        None,
        {},
        {"other": 1},
        {KEY: False},
        {KEY: "off"},
        {KEY: 0},
        OrtRunOptions({}),
        OrtRunOptions({KEY: "0"}),
        3,
        "x",
        object(),
    ],
)
def test_otherwise_nothing_is_split(stub, options):
    session = stub.session()
    session.run(None, tagged(1), options)
    session.run_async(None, tagged(1), lambda *_: None, run_options=options)
    session.close()
    assert stub.calls("rknn_run") == 2


@pytest.mark.parametrize("value", [None, "maybe", 1.5, [], ""])
def test_a_batch_switch_that_is_no_boolean(stub, value):
    with pytest.raises(RuntimeError, match=f"^{KEY} must be a boolean$"):
        stub.session().run(None, tagged(1), {KEY: value})


@pytest.mark.parametrize("value", [0, -5, "x", 1.5, []])
def test_a_time_limit_that_is_none(stub, value):
    with pytest.raises(RuntimeError, match="^timeout_ms must be an integer > 0$"):
        stub.session().run(None, tagged(1), {"timeout_ms": value})


def test_run_async_refuses_batches(stub):
    with pytest.raises(RuntimeError, match=f"^run_async does not support {KEY}=True$"):
        stub.session().run_async(None, tagged(1), lambda *_: None, run_options={KEY: True})


# ---- batches


def test_a_batch_is_split_over_the_cores_and_joined_in_order(stub):
    stub.configure("fill=echo latency_us=3000,200,900")
    session = stub.session(schedule=[0, 1, 2])
    batch = np.random.default_rng(1).standard_normal((20, 4)).astype(np.float32)
    for array in (batch, np.asfortranarray(batch), batch[::-1]):
        np.testing.assert_array_equal(session.run(None, {"x": array}, {KEY: True})[0], array)
    assert [stub.library.stub_core_jobs(core) for core in range(3)] == [20, 20, 20]


@pytest.mark.parametrize(
    ("own", "joined"),
    [
        ("1,3", (4, 3)),
        ("2,3", (8, 3)),
        ("5", (20,)),
        ("1", (4,)),
        ("1,2,1,2", (4, 2, 1, 2)),
        ("3,1,1,1,2", (12, 1, 1, 1, 2)),
    ],
)
def test_outputs_of_a_batch_are_joined_along_their_first_dimension(stub, own, joined):
    stub.configure("fill=tag")
    session = stub.session(f"input x f32 1,2\noutput y f32 {own}\noutput z f32 1\n{VERSION}")
    batch = np.array([[i + 1, 0] for i in range(4)], np.float32)
    y, z = session.run(None, batch, {KEY: True})
    assert y.shape == joined
    np.testing.assert_array_equal(y, np.repeat(np.arange(1, 5), y.size // 4).reshape(joined).astype(np.float32))
    assert z.tolist() == [1, 2, 3, 4]
    assert session.run(["z"], batch, {KEY: True})[0].tolist() == [1, 2, 3, 4]


def test_a_batch_of_images_in_each_layout(stub):
    stub.configure("fill=echo")
    model = f"input x u8 nhwc 1,4,5,3\noutput y f32 nchw 1,3,4,5\n{VERSION}"
    batch = np.random.default_rng(2).integers(0, 255, (3, 3, 4, 5)).astype(np.uint8)
    for layout in ("nchw", "nchw_software", "nhwc"):
        array = batch.transpose(0, 2, 3, 1) if layout == "nhwc" else batch
        result = stub.session(model, layout=layout).run(None, array, {KEY: True})[0]
        np.testing.assert_array_equal(result, batch.astype(np.float32))


ONE, FOUR = np.zeros((2, 4), np.float32), np.zeros((3, 2), np.float32)


@pytest.mark.parametrize(
    ("model", "feed", "message"),
    [
        (ECHO, np.zeros((3, 5), np.float32), "Batch input 'x' shape mismatch: expected [3, 4], got [3, 5]"),
        (ECHO, np.zeros((3, 4, 1), np.float32), "Batch input 'x' shape mismatch: expected [3, 4], got [3, 4, 1]"),
        (ECHO, np.array(1, np.float32), "Batch input must have ndim >= 1"),
        (ECHO, np.zeros((0, 4), np.float32), "Batch size must be greater than 0"),
        (ECHO.replace("1,4", "2,4"), ONE, "Batch mode requires model input batch dimension == 1"),
        (
            "input x f32 1,4\ninput w f32 1,2\noutput y f32 1,4\n" + VERSION,
            [ONE, FOUR],
            "Batch size mismatch across inputs",
        ),
    ],
)
def test_wrong_batches_are_refused_with_their_documented_text(stub, model, feed, message):
    with pytest.raises(openrknn.RknnError) as raised:
        stub.session(model).run(None, feed, {KEY: True})
    assert str(raised.value) == message
    assert stub.calls("rknn_run") == 0


def test_the_first_failure_is_the_batchs_and_the_others_still_run(stub):
    session = stub.session(max_queue_size=16)
    stub.fail("rknn_run", 3, -1)
    with pytest.raises(openrknn.RknnError, match="rknn_run failed: RKNN_ERR_FAIL"):
        session.run(None, np.zeros((6, 4), np.float32), {KEY: True})
    session.close()
    assert stub.calls("rknn_run") == 6
