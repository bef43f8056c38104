"""run_async: callbacks, their order, what may be done inside them."""

import sys
import threading
import time

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from session_calls import Collector, tagged  # noqa: E402

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
