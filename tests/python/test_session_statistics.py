"""What a session tells of itself: statistics, traces, log lines."""

import json
import threading
import time

import pytest

pytest.importorskip("openrknn._core")
from session_calls import Collector, fill, tagged  # noqa: E402

import openrknn  # noqa: E402

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
