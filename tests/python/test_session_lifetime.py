"""How sessions end: closed, dropped, collected, with their process."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("openrknn._core")

import openrknn  # noqa: E402

# How often a process is ended in each way; OPENRKNN_TEST_REPEAT=100 for a thorough look.
REPEAT = int(os.environ.get("OPENRKNN_TEST_REPEAT", "25"))
CLOSED = "session closed"


def tagged(number=0):
    return np.full((1, 4), number, np.float32)


# ---- close


def test_close_runs_what_waits_and_delivers_everything(stub):
    stub.configure("latency_us=2000")
    session, told = stub.session(max_queue_size=32), []
    for i in range(20):
        session.run_async(None, tagged(i), lambda results, i, error: told.append((i, error)), i)
    assert session.close() is True
    assert told == [(i, "") for i in range(20)]
    assert stub.live_contexts == 0


def test_close_without_drain_tells_every_callback_once(stub):
    session, told = stub.session(max_queue_size=32), []
    stub.block()
    for i in range(10):
        session.run_async(None, tagged(i), lambda results, i, error: told.append((i, results is None, error)), i)
    future = session.submit(None, tagged())
    stub.wait_blocked()
    closer = threading.Thread(target=session.close, kwargs={"drain": False})
    closer.start()
    with pytest.raises(openrknn.TaskCancelled, match=CLOSED):
        future.result(10)
    assert closer.is_alive(), "task 0 still runs"
    stub.release()
    closer.join(10)
    assert told == [(0, False, ""), *((i, True, CLOSED) for i in range(1, 10))]
    assert stub.live_contexts == 0


def test_a_closed_session_refuses_work_and_still_answers(stub):
    session = stub.session()
    session.close()
    for call in (
        lambda: session.run(None, tagged()),
        lambda: session.run(None, tagged(), {"ztu_modelrt_dispatch_batch": True}),
        lambda: session.run_async(None, tagged(), print),
        lambda: session.submit(None, tagged()),
        lambda: session.run_pipeline(tagged()),
        lambda: session.io_binding(),
        lambda: session.memory_info(),
        lambda: next(session.stream([tagged()])),
    ):
        with pytest.raises(openrknn.RknnError, match=f"^{CLOSED}$"):
            call()
    assert session.close() and session.close(drain=False, timeout=0)
    assert session.input_names == ["x"] and session.get_outputs()[0].name == "y"
    assert session.stats()["submitted"] == 0 and session.cancel() == 0


def test_close_waits_no_longer_than_it_may(stub):
    session = stub.session()
    stub.block()
    future, waiting = session.submit(None, tagged(1)), session.submit(None, tagged(2))
    stub.wait_blocked()
    assert session.close(timeout=0.05) is False
    with pytest.raises(openrknn.TaskCancelled, match=CLOSED):
        waiting.result(10)
    stub.release()
    assert future.result(10)[0][0, 0] == 1
    assert session.close() is True
    assert stub.live_contexts == 0


def test_close_wakes_those_that_wait_for_a_place(stub):
    session = stub.session(max_queue_size=1)
    stub.block()
    session.submit(None, tagged())
    stub.wait_blocked()
    session.submit(None, tagged())
    errors = []

    def work():
        try:
            session.run(None, tagged())
        except openrknn.RknnError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    session.close(drain=False, timeout=0)
    for thread in threads:
        thread.join(10)
    assert errors == [CLOSED] * 4
    stub.release()


def test_a_session_is_a_context(stub):
    told = []
    with stub.session() as session:
        session.run_async(None, tagged(), lambda *each: told.append(each[2]))
    assert told == [""] and stub.live_contexts == 0
    with pytest.raises(KeyError), stub.session() as session:
        raise KeyError
    with pytest.raises(openrknn.RknnError, match=CLOSED):
        session.run(None, tagged())


def test_close_in_a_callback_goes_on_behind_it(stub):
    session, said, done = stub.session(max_queue_size=8), [], threading.Event()

    def callback(results, i, error):
        if i == 0:
            said.append(session.close())
        said.append((i, error))
        if i == 3:
            done.set()

    stub.block()
    for i in range(4):
        session.run_async(None, tagged(), callback, i)
    stub.wait_blocked()
    stub.release()
    assert done.wait(10)
    assert session.close() is True
    assert said[0] is False and said[1:] == [(0, ""), *((i, said[i + 1][1]) for i in (1, 2, 3))]
    assert all(error in ("", CLOSED) for _, error in said[1:])
    assert stub.live_contexts == 0


def test_other_threads_run_while_a_session_opens_and_closes(stub):
    opened, closed = threading.Event(), threading.Event()

    def work():
        session = stub.session()
        opened.set()
        stub.block("rknn_destroy")
        session.close()
        closed.set()

    stub.block("rknn_init")
    thread = threading.Thread(target=work)
    thread.start()
    for done in (opened, closed):
        stub.wait_blocked()
        for _ in range(20):  # would hang if the blocked call kept the interpreter to itself
            time.sleep(0.001)
        assert not done.is_set()
        stub.release()
        assert done.wait(10)
    thread.join(10)


# ---- dropped and collected


def test_dropping_the_last_reference_tells_every_callback_once(stub):
    session, told = stub.session(max_queue_size=32), []
    for i in range(20):
        session.run_async(None, tagged(i), lambda results, i, error: told.append((i, error)), i)
    del session
    assert [i for i, _ in told] == list(range(20))
    assert all(error in ("", CLOSED) for _, error in told)
    assert stub.live_contexts == 0


def test_a_session_dropped_at_any_moment_loses_and_repeats_nothing(stub):
    stub.configure("latency_us=100 jitter_us=300 seed=5")
    random = np.random.default_rng(11)
    for _ in range(150):
        told = []
        session = stub.session(max_queue_size=32, schedule=[0, 1])
        for i in range(20):
            session.run_async(None, tagged(i), lambda results, i, error, told=told: told.append(i), i)
        time.sleep(random.uniform(0, 0.003))
        del session
        assert told == list(range(20))
    assert stub.live_contexts == 0


def test_a_session_may_be_dropped_in_its_own_callback(stub):
    for _ in range(50):
        held, done = [stub.session()], threading.Event()
        gone = weakref.ref(held[0])

        def callback(results, user_data, error, held=held, done=done):
            held.clear()
            done.set()

        held[0].run_async(None, tagged(), callback)
        assert done.wait(10)
        assert gone() is None
    deadline = time.monotonic() + 10
    while stub.live_contexts and time.monotonic() < deadline:
        time.sleep(0.001)
    assert stub.live_contexts == 0


def test_a_session_kept_by_its_own_callback_is_collected(stub):
    class Owner:
        def __init__(self):
            self.session = stub.session()
            self.session.owner = self
            self.told = []

        def callback(self, results, user_data, error):
            self.told.append(error)

    owner = Owner()
    owner.session.run_async(None, tagged(), owner.callback)
    while not owner.told:
        time.sleep(0.001)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None
    assert stub.live_contexts == 0


def test_futures_streams_and_bindings_may_outlive_their_session(stub):
    session = stub.session()
    future = session.submit(None, tagged(3))
    stream = session.stream(tagged(i) for i in range(3))
    binding = session.io_binding()
    binding.bind_cpu_input("x", tagged(4))
    binding.bind_output("y")
    value = binding.get_outputs()[0]
    del session, binding
    gc.collect()
    assert future.result(10)[0][0, 0] == 3
    assert [result[0][0, 0] for result in stream] == [0, 1, 2], "a stream keeps its session"
    del stream
    gc.collect()
    assert value.shape() == [1, 4] and value.numpy().shape == (1, 4)
    del value
    gc.collect()
    assert stub.live_contexts == 0


# ---- the end of the process

PREAMBLE = """
    import ctypes, os, sys, threading, time
    import numpy as np
    import openrknn
    from tools_of_the_build import tool

    path = tool("librknnrt_stub.so")
    stub = ctypes.CDLL(path)
    def open_session(**options):
        model = b"input x f32 1,4\\noutput y f32 1,4\\nversion 2.4.1 (stub)\\n"
        return openrknn.InferenceSession(model, provider_options={"runtime_library": path, **options})
    def configure(text):
        assert stub.stub_configure(text) == 0
    array = np.zeros((1, 4), np.float32)
"""
ENDS = {
    "after the last callback": (
        0,
        """
        session, done = open_session(), threading.Event()
        session.run_async(None, array, lambda *_: done.set())
        done.wait()
        """,
    ),
    "with twenty tasks in flight": (
        0,
        """
        configure(b"latency_us=2000,500")
        told = []
        session = open_session(max_queue_size=32, schedule=[0, 1])
        for i in range(20):
            session.run_async(None, array, lambda results, i, error: told.append(i), i)
        """,
    ),
    "with futures, a stream and a pipeline in flight": (
        0,
        """
        configure(b"latency_us=1000")
        session = open_session(max_queue_size=32)
        futures = [session.submit(None, array) for _ in range(5)]
        stream = session.stream([array] * 9)
        next(stream)
        session.run_pipeline(array, 5)
        """,
    ),
    "with a daemon thread that submits": (
        0,
        """
        session = open_session()
        def work():
            while True:
                try:
                    session.run_async(None, array, lambda *_: None)
                except openrknn.RknnError:
                    pass
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.02)
        """,
    ),
    "with daemon threads that run": (
        0,
        """
        configure(b"latency_us=300")
        session = open_session(schedule=[0, 1])
        def work():
            while True:
                try:
                    session.run(None, array)
                except openrknn.RknnError:
                    pass
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.02)
        """,
    ),
    "on an exception": (
        1,
        """
        configure(b"latency_us=1000")
        session = open_session(max_queue_size=32)
        for i in range(10):
            session.run_async(None, array, lambda *_: None)
        raise SystemError("the user's own")
        """,
    ),
    "with an exit code of its own": (
        7,
        """
        session = open_session(max_queue_size=32)
        for i in range(10):
            session.run_async(None, array, lambda *_: None)
        sys.exit(7)
        """,
    ),
    "with a callback that raises": (
        0,
        """
        sys.unraisablehook = lambda _: None
        session = open_session(max_queue_size=32)
        for i in range(10):
            session.run_async(None, array, lambda *_: 1 / 0)
        """,
    ),
    "inside a reference cycle": (
        0,
        """
        session = open_session(max_queue_size=32)
        session.me = session
        def callback(results, user_data, error):
            try:
                session.run(None, array)
            except openrknn.TaskCancelled:
                pass
        for i in range(10):
            session.run_async(None, array, callback)
        """,
    ),
}


def end_process(script, timeout=60):
    """Exit code, stderr."""
    text = textwrap.dedent(PREAMBLE) + textwrap.dedent(script)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, timeout=timeout
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("how", ENDS)
def test_a_process_ends_with_its_own_exit_code(stub, how):
    wanted, script = ENDS[how]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ends = list(pool.map(lambda _: end_process(script), range(REPEAT)))
    assert [code for code, _ in ends] == [wanted] * REPEAT, [err for code, err in ends if code != wanted][0]
    if wanted != 1:
        assert {errors for _, errors in ends} == {""}


def test_every_callback_was_called_when_a_process_ends(stub):
    code, errors = end_process(
        """
        import atexit
        told = []
        # Before the session's own hook is registered: hooks run last in, first out.
        atexit.register(lambda: os._exit(0 if sorted(told) == list(range(20)) else 3))
        configure(b"latency_us=1000")
        session = open_session(max_queue_size=32)
        for i in range(20):
            session.run_async(None, array, lambda results, i, error: told.append(i), i)
        """
    )
    assert (code, errors) == (0, "")


def test_a_process_ends_although_a_run_hangs(stub):
    code, errors = end_process(
        """
        session, second = open_session(), open_session()
        stub.stub_block(b"rknn_run", 1)
        session.submit(None, array)
        stub.stub_wait_blocked(1, 10000)
        def work():
            try:
                session.run(None, array)
            except openrknn.TaskCancelled:
                pass
        threading.Thread(target=work, daemon=True).start()
        second.run_async(None, array, lambda *_: None)
        """
    )
    assert (code, errors) == (0, "")


def test_a_forked_child_neither_uses_nor_ends_its_parents_session(stub):
    code, errors = end_process(
        """
        session = open_session()
        stub.stub_block(b"rknn_run", 1)
        future = session.submit(None, array)
        stub.stub_wait_blocked(1, 10000)
        child = os.fork()
        if child == 0:
            try:
                session.run(None, array)
            except openrknn.RknnError as error:
                assert "open another one after fork" in str(error), error
                assert session.close() is True
                del session, future
                sys.exit(5)  # with the interpreter's whole end
            sys.exit(6)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
        stub.stub_release(0)
        assert future.result(10)[0].shape == (1, 4)
        assert stub.stub_live_contexts() == 1
        """
    )
    assert (code, errors) == (0, "")


def test_a_hundred_sessions_one_after_another_leave_nothing(stub):
    threads = threading.active_count()
    for i in range(100):
        with stub.session(schedule=[0, 1, 2], threads_per_core=2) as session:
            assert session.run(None, tagged(i))[0][0, 0] == i
    assert stub.live_contexts == 0
    assert threading.active_count() == threads
    deadline = time.monotonic() + 10
    while len(os.listdir("/proc/self/task")) > 64 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/task")) <= 64, "threads of closed sessions end"
