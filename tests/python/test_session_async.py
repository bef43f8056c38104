"""Calls that do not wait: run_async, futures, streams, pipelines, batches; what they do when the device is busy."""

import asyncio
import concurrent.futures
import json
import sys
import threading
import time

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from stub_runtime import ECHO  # noqa: E402

import openrknn  # noqa: E402

VERSION = "version 2.4.1 (stub)\n"
SATURATED = "submit timed out: async queue/callback pipeline is saturated"


def tagged(number):
    return np.full((1, 4), number, np.float32)


class Collector:
    """A callback that remembers what it was told."""

    def __init__(self, expected):
        self.told, self.expected = [], expected
        self.done = threading.Event()
        self.lock = threading.Lock()

    def __call__(self, results, user_data, error):
        with self.lock:
            self.told.append((None if results is None else results[0][0, 0], user_data, error))
            if len(self.told) == self.expected:
                self.done.set()

    def wait(self):
        assert self.done.wait(20), f"{len(self.told)} of {self.expected} callbacks were called"
        return self.told


# ---- run_async


def test_run_async_is_called_as_documented(stub):
    session, collector = stub.session(), Collector(3)
    assert session.run_async(None, tagged(1), collector) is None
    session.run_async(output_names=["y"], input_feed={"x": tagged(2)}, callback=collector, user_data=5)
    session.run_async([], [tagged(3)], collector, "third", None)
    assert collector.wait() == [(1, None, ""), (2, 5, ""), (3, "third", "")]


def test_results_are_a_list_and_user_data_is_the_very_object(stub):
    session, told, mark = stub.session(), [], object()
    done = threading.Event()

    def callback(results, user_data, error):
        told.append((type(results), len(results), results[0].dtype, user_data is mark, error))
        done.set()

    session.run_async(None, tagged(1), callback, mark)
    assert done.wait(10)
    assert told == [(list, 1, np.float32, True, "")]


def test_what_a_callback_holds_is_freed_when_it_was_called(stub):
    session = stub.session()
    mark, collector = object(), Collector(1)
    before = sys.getrefcount(mark)
    session.run_async(None, tagged(1), collector, mark)
    collector.wait()
    session.close()
    collector.told.clear()
    assert sys.getrefcount(mark) == before


def test_a_failed_task_tells_its_callback(stub):
    session, collector = stub.session(), Collector(3)
    stub.fail("rknn_run", 2, -2)
    for i in range(3):
        session.run_async(None, tagged(i), collector, i)
    told = sorted(collector.wait(), key=lambda each: each[1])
    assert told == [(0, 0, ""), (None, 1, "rknn_run failed: RKNN_ERR_TIMEOUT (-2): execute timeout."), (2, 2, "")]
    assert session.stats()["failed"] == 1


@pytest.mark.parametrize("callback", [None, 3, "f", object()])
def test_what_cannot_be_called_is_a_type_error(stub, callback):
    with pytest.raises(TypeError, match="^callback must be callable$"):
        stub.session().run_async(None, tagged(1), callback)
    assert stub.calls("rknn_run") == 0


@pytest.mark.parametrize("raised", [ValueError("boom"), KeyboardInterrupt(), SystemExit(3)])
def test_what_a_callback_raises_goes_to_the_unraisable_hook(stub, monkeypatch, raised):
    session, seen, done = stub.session(), [], threading.Event()

    def hook(unraisable):
        frames, traceback = [], unraisable.exc_traceback
        while traceback is not None:
            frames.append(traceback.tb_frame.f_code.co_name)
            traceback = traceback.tb_next
        seen.append((unraisable.exc_type, str(unraisable.exc_value), frames, unraisable.object))
        done.set()

    def callback(results, user_data, error):
        raise raised

    monkeypatch.setattr(sys, "unraisablehook", hook)
    session.run_async(None, tagged(1), callback)
    assert done.wait(10)
    assert seen == [(type(raised), str(raised), ["callback"], callback)]
    np.testing.assert_array_equal(session.run(None, tagged(2))[0][0, 0], 2)


@pytest.mark.parametrize("dispatch", ["static", "dynamic"])
def test_sequential_callbacks_come_in_the_order_of_submission(stub, dispatch):
    stub.configure("latency_us=4000,500,1500 jitter_us=1500 seed=7")
    session = stub.session(schedule=[0, 1, 2], dispatch=dispatch)
    collector = Collector(60)
    for i in range(60):
        if i in (11, 12, 40):
            stub.fail("rknn_run", 1)
        session.run_async(None, tagged(i), collector, i)
    assert [user_data for _, user_data, _ in collector.wait()] == list(range(60))
    assert all(tag is None or tag == user_data for tag, user_data, _ in collector.told)


def test_unordered_callbacks_come_as_tasks_are_done(stub):
    session = stub.session(schedule=[0, 1], sequential_callbacks=False)
    collector = Collector(4)
    stub.block()
    session.run_async(None, tagged(0), collector, 0)
    stub.wait_blocked()
    for i in (1, 2, 3):
        session.run_async(None, tagged(i), collector, i)
    while len(collector.told) < 2:  # 1 and 3 are core 1's
        time.sleep(0.001)
    assert [user_data for _, user_data, _ in collector.told] == [1, 3]
    stub.release()
    assert sorted(user_data for _, user_data, _ in collector.wait()) == [0, 1, 2, 3]


def test_several_threads_may_deliver(stub):
    session = stub.session(sequential_callbacks=False, callback_threads=3)
    meeting, met = threading.Barrier(3, timeout=10), Collector(3)

    def callback(*told):
        meeting.wait()
        met(*told)

    for i in range(3):
        session.run_async(None, tagged(i), callback, i)
    met.wait()


def test_calls_work_inside_a_callback(stub):
    session, seen, done = stub.session(), [], threading.Event()

    def callback(results, user_data, error):
        seen.append(session.run(None, tagged(10))[0][0, 0])
        seen.append([session.run_pipeline(tagged(i), 2) is None for i in range(3)])
        seen.append(len(session.pipeline_drain()))
        seen.append(session.submit(None, tagged(11)) is not None)
        done.set()

    session.run_async(None, tagged(1), callback)
    assert done.wait(10)
    assert seen == [10, [True, True, False], 2, True]


def test_a_chain_of_callbacks_may_submit_the_next_task(stub):
    session, order, done = stub.session(max_queue_size=1), [], threading.Event()

    def callback(results, number, error):
        order.append(number)
        if number == 200:
            done.set()
        else:
            session.run_async(None, tagged(number + 1), callback, number + 1)

    session.run_async(None, tagged(0), callback, 0)
    assert done.wait(20)
    assert order == list(range(201))


def test_a_slow_callback_does_not_hold_up_run(stub):
    session = stub.session()
    inside, leave = threading.Event(), threading.Event()
    session.run_async(None, tagged(1), lambda *_: (inside.set(), leave.wait(20)))
    assert inside.wait(10)
    assert session.run(None, tagged(2))[0][0, 0] == 2
    assert session.submit(None, tagged(3)).result(10)[0][0, 0] == 3
    leave.set()


# ---- run options


class OrtRunOptions:
    def __init__(self, entries):
        self.entries = entries

    def get_run_config_entry(self, key):
        if key not in self.entries:
            raise RuntimeError("no such entry")
        return self.entries[key]


KEY = "ztu_modelrt_dispatch_batch"


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


# ---- futures


def test_submit_gives_a_future(stub):
    session = stub.session()
    future = session.submit(None, tagged(4))
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(10)[0][0, 0] == 4 and future.done() and not future.cancelled()
    stub.fail("rknn_run", 1, -3)
    failed = session.submit(["y"], {"x": tagged(1)})
    with pytest.raises(openrknn.RknnError, match="RKNN_ERR_DEVICE_UNAVAILABLE"):
        failed.result(10)
    assert (failed.exception().api, failed.exception().code) == ("rknn_run", -3)


def test_futures_work_with_the_standard_library(stub):
    stub.configure("latency_us=2000,100,700")
    session = stub.session(schedule=[0, 1, 2])
    futures = {session.submit(None, tagged(i)): i for i in range(30)}
    for future in concurrent.futures.as_completed(futures, timeout=20):
        assert future.result()[0][0, 0] == futures[future]
    called = []
    future = session.submit(None, tagged(1))
    future.add_done_callback(called.append)
    concurrent.futures.wait([future], timeout=10)
    session.close()
    assert called == [future]


def test_a_waiting_future_can_be_cancelled_and_a_running_one_cannot(stub):
    session = stub.session()
    stub.block()
    running = session.submit(None, tagged(0))
    stub.wait_blocked()
    waiting = session.submit(None, tagged(1))
    assert not running.cancel() and not running.cancelled()
    assert waiting.cancel() and waiting.cancelled() and waiting.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.result(10)
    assert waiting in concurrent.futures.wait([waiting], timeout=10).done
    stub.release()
    assert running.result(10)[0][0, 0] == 0 and not running.cancel()
    session.close()
    assert stub.calls("rknn_run") == 1
    assert session.stats()["cancelled"] == 1


def test_cancel_takes_back_all_that_wait(stub):
    session = stub.session(max_queue_size=8)
    stub.block()
    collector = Collector(3)
    running = session.submit(None, tagged(0))
    stub.wait_blocked()
    for i in range(3):
        session.run_async(None, tagged(i), collector, i)
    waiting = [session.submit(None, tagged(i)) for i in range(2)]
    assert session.cancel() == 5
    assert collector.wait() == [(None, i, "task cancelled") for i in range(3)]
    assert all(future in concurrent.futures.wait(waiting, timeout=10).done and future.cancelled() for future in waiting)
    stub.release()
    assert running.result(10)[0][0, 0] == 0
    assert session.run(None, tagged(9))[0][0, 0] == 9


# ---- asyncio


def test_run_awaitable(stub):
    session = stub.session()

    async def several():
        stub.fail("rknn_run", 21)
        results = await asyncio.gather(*(session.run_awaitable(None, tagged(i)) for i in range(20)))
        with pytest.raises(openrknn.RknnError, match="RKNN_ERR_FAIL"):
            await session.run_awaitable(None, tagged(1))
        return [result[0][0, 0] for result in results]

    assert asyncio.run(several()) == list(range(20))


@pytest.mark.parametrize("options", [{}, {"enable_pacing": True}, {"overflow": "raise"}])
def test_the_event_loop_runs_on_while_tasks_wait(stub, options):
    """The queue is full and the device hangs: the loop must still turn."""
    session = stub.session(max_queue_size=1, **options)
    session.run(None, tagged(0))
    stub.block()

    async def several():
        tasks = [asyncio.ensure_future(session.run_awaitable(None, tagged(i))) for i in range(3)]
        for _ in range(50):
            await asyncio.sleep(0.002)
        assert not any(task.done() for task in tasks) or "overflow" in options
        stub.release()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(several())
    if "overflow" not in options:
        assert [result[0][0, 0] for result in results] == [0, 1, 2]


def test_cancelling_an_awaitable_takes_its_task_back(stub):
    session = stub.session()
    stub.block()

    async def cancelled():
        running = asyncio.ensure_future(session.run_awaitable(None, tagged(0)))
        await asyncio.get_running_loop().run_in_executor(None, stub.wait_blocked)
        waiting = asyncio.ensure_future(session.run_awaitable(None, tagged(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        stub.release()
        return await running

    assert asyncio.run(cancelled())[0][0, 0] == 0
    session.close()
    assert stub.calls("rknn_run") == 1


# ---- streams


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_stream_keeps_order_and_loses_nothing(stub, depth):
    stub.configure("latency_us=3000,200,900")
    session = stub.session(schedule=[0, 1, 2])
    assert [result[0][0, 0] for result in session.stream((tagged(i) for i in range(40)), depth)] == list(range(40))
    assert list(session.stream([])) == []


def test_an_unordered_stream_gives_results_as_they_are_done(stub):
    session = stub.session(schedule=[0, 1])
    stub.block()
    session.submit(None, tagged(9))
    stub.wait_blocked()  # core 0 is busy, which every second task is for
    stream = session.stream((tagged(i) for i in range(4)), 2, ordered=False)
    first, second = next(stream)[0][0, 0], next(stream)[0][0, 0]
    assert (first, second) == (0, 2)
    stub.release()
    assert sorted(result[0][0, 0] for result in stream) == [1, 3]


def test_a_stream_takes_no_more_feeds_than_it_may_have_on_their_way(stub):
    taken = []

    def feeds():
        for i in range(10):
            taken.append(i)
            yield tagged(i)

    stream = stub.session().stream(feeds(), depth=3)
    next(stream)
    assert len(taken) == 4
    stream.close()
    assert len(taken) == 4


def test_a_stream_that_is_left_takes_its_tasks_back(stub):
    session = stub.session(max_queue_size=8)
    stub.block("rknn_run", 2)
    stream = session.stream((tagged(i) for i in range(10)), depth=4)
    next(stream)
    stub.wait_blocked()
    stream.close()
    stub.release()
    session.close()
    assert stub.calls("rknn_run") == 2
    with pytest.raises(openrknn.OptionError, match="depth must be > 0"):
        next(session.stream([], depth=0))


# ---- pipelines


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_the_first_depth_calls_of_a_pipeline_give_none(stub, depth):
    stub.configure("latency_us=2000,100,500")
    session = stub.session(schedule=[0, 1, 2])
    results = [session.run_pipeline({"x": tagged(i)}, depth=depth) for i in range(12)]
    assert [result is None for result in results] == [i < depth for i in range(12)]
    assert [result[0][0, 0] for result in results[depth:]] == list(range(12 - depth))
    assert session.pipeline_pending == depth
    assert [result[0][0, 0] for result in session.pipeline_drain()] == list(range(12 - depth, 12))
    assert (session.pipeline_pending, session.pipeline_drain()) == (0, [])
    assert session.run_pipeline(tagged(1), depth) is None, "it fills again"


def test_depth_is_three_unless_said(stub):
    session = stub.session()
    assert [session.run_pipeline(tagged(i)) is None for i in range(4)] == [True, True, True, False]


def test_another_depth_and_reset_begin_anew(stub):
    session = stub.session()

    def pattern(numbers, **kwargs):
        results = [session.run_pipeline(tagged(i), **kwargs) for i in numbers]
        return [None if result is None else int(result[0][0, 0]) for result in results]

    assert pattern(range(4), depth=2) == [None, None, 0, 1]
    assert pattern(range(10, 14), depth=1) == [None, 10, 11, 12]
    assert pattern([20], depth=1, reset=True) == [None]
    assert pattern([21, 22], depth=1) == [20, 21]


def test_reset_takes_back_what_has_not_begun(stub):
    session = stub.session(max_queue_size=8)
    stub.block()
    for i in range(4):
        assert session.run_pipeline(tagged(i), depth=4) is None
    stub.wait_blocked()
    session.run_pipeline(tagged(9), depth=4, reset=True)
    stub.release()
    assert [result[0][0, 0] for result in session.pipeline_drain()] == [9]
    assert stub.calls("rknn_run") == 2


def test_a_failure_in_the_window_comes_at_its_turn(stub):
    session = stub.session()
    stub.fail("rknn_run", 2)
    assert session.run_pipeline(tagged(0), 2) is None
    assert session.run_pipeline(tagged(1), 2) is None
    assert session.run_pipeline(tagged(2), 2)[0][0, 0] == 0
    with pytest.raises(openrknn.RknnError, match="rknn_run failed"):
        session.run_pipeline(tagged(3), 2)
    assert session.run_pipeline(tagged(4), 2)[0][0, 0] == 2


@pytest.mark.parametrize("depth", [0, -1])
def test_a_pipeline_without_depth(stub, depth):
    with pytest.raises(RuntimeError, match="^pipeline depth must be > 0$"):
        stub.session().run_pipeline(tagged(1), depth)


# ---- full queues, time limits


@pytest.mark.parametrize(
    ("call", "who"),
    [
        (lambda session: session.run(None, tagged(9)), "run"),
        (lambda session: session.run(None, np.zeros((3, 4), np.float32), {KEY: True}), "run"),
        (lambda session: session.run_pipeline(tagged(9)), "run"),
        (lambda session: session.run_async(None, tagged(9), lambda *_: None), "run_async"),
        (lambda session: session.submit(None, tagged(9)), "run_async"),
    ],
    ids=["run", "batch", "pipeline", "run_async", "submit"],
)
def test_a_full_queue_is_waited_for_so_long(stub, call, who):
    session = stub.session(max_queue_size=1, submit_timeout_ms=60)
    stub.block()
    futures = [session.submit(None, tagged(0))]
    stub.wait_blocked()
    futures.append(session.submit(None, tagged(1)))
    with pytest.raises(openrknn.SessionTimeout) as raised:
        call(session)
    assert str(raised.value) == f"{who} {SATURATED}"
    assert isinstance(raised.value, TimeoutError) and isinstance(raised.value, RuntimeError)
    stub.release()
    assert [future.result(10)[0][0, 0] for future in futures] == [0, 1]


@pytest.mark.parametrize(
    "call",
    [
        lambda session: session.run(None, tagged(9)),
        lambda session: session.run(None, np.zeros((2, 4), np.float32), {KEY: True}),
        lambda session: session.run_pipeline(tagged(9)),
        lambda session: session.run_async(None, tagged(9), lambda *_: None),
        lambda session: session.submit(None, tagged(9)),
    ],
    ids=["run", "batch", "pipeline", "run_async", "submit"],
)
def test_other_threads_run_while_a_call_waits_for_a_place(stub, call):
    session = stub.session(max_queue_size=1)
    stub.block()
    session.submit(None, tagged(0))
    stub.wait_blocked()
    session.submit(None, tagged(1))
    ticks, done = 0, threading.Event()
    waiting = threading.Thread(target=lambda: (call(session), done.set()))
    waiting.start()
    while ticks < 20:  # would hang if the waiting call kept the interpreter to itself
        time.sleep(0.002)
        ticks += 1
    assert not done.is_set()
    stub.release()
    waiting.join(20)
    assert done.is_set()


def test_a_run_with_a_time_limit_gives_up_and_other_cores_go_on(stub):
    session = stub.session(schedule=[0, 1])
    stub.block()
    with pytest.raises(openrknn.SessionTimeout, match="^run timed out: no result within 30 ms$") as raised:
        session.run(None, tagged(0), {"timeout_ms": 30})
    assert isinstance(raised.value, TimeoutError)
    assert session.run(None, tagged(1))[0][0, 0] == 1, "core 1"
    with pytest.raises(openrknn.SessionTimeout):
        session.run(None, tagged(2), {"timeout_ms": "30"})
    assert session.run(None, tagged(3), OrtRunOptions({"timeout_ms": 20000}))[0][0, 0] == 3
    assert session.stats()["running"] == 1
    stub.release()
    assert session.run(None, tagged(4))[0][0, 0] == 4, "core 0 is back"
    assert stub.calls("rknn_run") == 4, "what had not begun in time never ran"


def test_a_batch_with_a_time_limit(stub):
    session = stub.session(max_queue_size=8)
    stub.block("rknn_run", 2)
    with pytest.raises(openrknn.SessionTimeout, match="the batch was not done within 30 ms"):
        session.run(None, np.zeros((3, 4), np.float32), {KEY: True, "timeout_ms": 30})
    stub.release()


# ---- overflow


def fill(stub, session):
    """One task runs, two wait."""
    collector = Collector(3)
    stub.block()
    session.run_async(None, tagged(0), collector, 0)
    stub.wait_blocked()
    session.run_async(None, tagged(1), collector, 1)
    session.run_async(None, tagged(2), collector, 2)
    return collector


def test_overflow_raise(stub):
    session = stub.session(max_queue_size=2, overflow="raise")
    collector = fill(stub, session)
    for submit in (lambda: session.run_async(None, tagged(3), collector), lambda: session.submit(None, tagged(3))):
        with pytest.raises(openrknn.SessionTimeout, match="^run_async: the queue is full$"):
            submit()
    stub.release()
    assert [user_data for _, user_data, _ in collector.wait()] == [0, 1, 2]


def test_overflow_drop_oldest(stub):
    session = stub.session(max_queue_size=2, overflow="drop_oldest")
    collector = fill(stub, session)
    collector.expected = 5
    session.run_async(None, tagged(3), collector, 3)
    session.run_async(None, tagged(4), collector, 4)
    stub.release()
    dropped = "dropped: newer tasks took its place in the queue"
    assert collector.wait() == [(0, 0, ""), (None, 1, dropped), (None, 2, dropped), (3, 3, ""), (4, 4, "")]


def test_overflow_drop_newest(stub):
    session = stub.session(max_queue_size=2, overflow="drop_newest")
    collector = fill(stub, session)
    collector.expected = 4
    session.run_async(None, tagged(3), collector, 3)
    with pytest.raises(openrknn.TaskCancelled, match="dropped: the queue is full"):
        session.submit(None, tagged(4)).result(10)
    stub.release()
    assert collector.wait() == [(0, 0, ""), (1, 1, ""), (2, 2, ""), (None, 3, "dropped: the queue is full")]


# ---- what it tells of itself


def test_statistics(stub):
    stub.configure("latency_us=1000")
    session = stub.session(schedule=[0, 1])
    collector = Collector(6)
    stub.fail("rknn_run", 2)
    for i in range(6):
        session.run_async(None, tagged(i), collector, i)
    collector.wait()
    session.run(None, tagged(1))
    session.close()
    stats = session.stats()
    assert {key: stats[key] for key in ("submitted", "completed", "failed", "cancelled")} == {
        "submitted": 7,
        "completed": 6,
        "failed": 1,
        "cancelled": 0,
    }
    assert (stats["waiting"], stats["running"], stats["undelivered"]) == (0, 0, 0)
    assert stats["tasks_per_worker"] == [4, 3]
    for phase in ("queue_us", "set_inputs_us", "run_us", "get_outputs_us", "callback_us"):
        assert 0 <= stats[phase]["p50"] <= stats[phase]["p95"]
    assert stats["run_us"]["p50"] >= 1000


def test_statistics_count_what_waits_and_runs(stub):
    session = stub.session(max_queue_size=4)
    collector = fill(stub, session)
    stats = session.stats()
    assert (stats["waiting"], stats["running"], stats["submitted"], stats["completed"]) == (2, 1, 3, 0)
    stub.release()
    collector.wait()


def test_a_trace_is_what_chrome_reads(stub, tmp_path):
    session = stub.session(schedule=[0, 1])
    with pytest.raises(RuntimeError, match="enable_profiling was not called"):
        session.end_profiling()
    session.run(None, tagged(0))
    session.enable_profiling(tmp_path / "trace.json")
    collector = Collector(4)
    stub.fail("rknn_run", 3)
    for i in range(4):
        session.run_async(None, tagged(i), collector, i)
    collector.wait()
    while session.stats()["completed"] + session.stats()["failed"] < 5:
        time.sleep(0.001)
    path = session.end_profiling()
    assert path == str(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    events = trace["traceEvents"]
    assert all({"ph", "pid", "name"} <= event.keys() for event in events)
    runs = [event for event in events if event["name"] == "run" and event["ph"] == "X"]
    tasks = {event["args"]["task"] for event in runs}
    assert len(tasks) == len(runs) == 3 and tasks < {1, 2, 3, 4}, "one failed before its run was over"
    assert all(event["dur"] >= 0 and event["ts"] >= 0 and event["args"]["core"] in (0, 1) for event in runs)
    assert sum(event["name"] == "callback" for event in events) == 4
    assert sum(event["ph"] == "b" for event in events) == sum(event["ph"] == "e" for event in events) == 4
    names = {event["args"]["name"] for event in events if event["ph"] == "M"}
    assert {"worker 0 (core 0)", "worker 1 (core 1)", "callbacks"} <= names


def test_the_environment_asks_for_a_line_a_task(stub, monkeypatch, capfd):
    monkeypatch.setenv("ZTU_EZRKNN_ASYNC_PRINT_PERF", "ON")
    session = stub.session(schedule=[2])
    session.run(None, tagged(1))
    (line,) = capfd.readouterr().err.splitlines()
    prefix = "[ztu_ez_rknn_async_perf] task_id=0 thread_id=0 core_id=2 "
    assert line.startswith(prefix)
    keys = [word.split("=")[0] for word in line[len(prefix) :].split()]
    assert keys == ["set_input_us", "infer_us", "copy_output_us", "total_us"]


def test_runs_on_bound_memory_have_a_line_of_their_own(stub, monkeypatch, capfd):
    monkeypatch.setenv("ZTU_EZRKNN_ASYNC_PRINT_PERF", "1")
    session = stub.session()
    binding = session.io_binding()
    binding.bind_cpu_input("x", tagged(1))
    binding.bind_output("y")
    session.run_with_iobinding(binding)
    stub.fail("rknn_run", 1, -1)
    with pytest.raises(RuntimeError, match="rknn_run failed"):
        session.run_with_iobinding(binding)
    lines = capfd.readouterr().err.splitlines()
    for number, line in enumerate(lines):
        assert line.startswith(f"[ztu_ez_rknn_async_perf] task_id={number} thread_id=-1 core_id=-1 import_us=")
        assert line.endswith(" mode=zero_copy")
    assert len(lines) == 2


def test_core_mode_changes_between_tasks(stub):
    stub.record_calls()
    session = stub.session()
    session.set_core_mode("all")
    session.run(None, tagged(1))
    assert [mask for _, mask in stub.recorded_calls("rknn_set_core_mask")] == [0, 0xFFFF]
    with pytest.raises(openrknn.OptionError, match="invalid core mode: '3', expected one of: auto, all, 0, 1, 2"):
        session.set_core_mode("3")
    with pytest.raises(RuntimeError, match="the session has a schedule"):
        stub.session(schedule=[0]).set_core_mode("0")


@pytest.mark.parametrize("dispatch", ["static", "dynamic"])
def test_many_threads_may_use_one_session(stub, dispatch):
    stub.configure("jitter_us=300 seed=3")
    session = stub.session(schedule=[0, 1, 2], threads_per_core=2, dispatch=dispatch)
    wrong, told = [], Collector(8 * 25)

    def work(base):
        for i in range(25):
            number = base * 1000 + i
            if session.run(None, tagged(number))[0][0, 0] != number:
                wrong.append(number)
            session.run_async(None, tagged(number), told, number)
            if session.submit(None, tagged(number)).result(20)[0][0, 0] != number:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(base,)) for base in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == [] and all(tag == number and error == "" for tag, number, error in told.wait())
    session.close()
    stats = session.stats()
    assert (stats["submitted"], stats["completed"]) == (600, 600)
