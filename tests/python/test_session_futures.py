"""Futures, asyncio and streams."""

import asyncio
import concurrent.futures

import pytest

pytest.importorskip("openrknn._core")
from session_calls import Collector, tagged  # noqa: E402

import openrknn  # noqa: E402

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
