"""Full queues, time limits and overflow policies."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from session_calls import KEY, SATURATED, OrtRunOptions, fill, tagged  # noqa: E402

import openrknn  # noqa: E402

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
