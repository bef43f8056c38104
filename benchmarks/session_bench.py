"""The session beside the ideal: a stub runtime with stated latencies, so that whatever is above them is the session's.

Every line prints a figure, what it is measured against, and the bound it should keep. Times depend on the machine; the
ratios hardly do. Run by `script/bench session`, which builds the stub.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import threading
import time

import numpy

import openrknn

SMALL = b"input x f32 1,2,3,2\noutput y f32 1,4\nversion 2.4.1\n"
# A 640 x 640 image in float32, and a YOLOv5's output as float32.
LARGE = b"input x f32 1,640,640,3\noutput y f32 1,25200,85\nversion 2.4.1\n"


class Stub:
    def __init__(self, path: str):
        self.path = path
        self.library = ctypes.CDLL(path)
        self.library.stub_nanoseconds.restype = ctypes.c_int64

    def configure(self, settings: str) -> None:
        self.library.stub_reset()
        if self.library.stub_configure(settings.encode()) != 0:
            raise RuntimeError(settings)

    def seconds(self) -> float:
        return self.library.stub_nanoseconds(b"") / 1e9

    def session(self, model: bytes = SMALL, **options) -> openrknn.InferenceSession:
        return openrknn.InferenceSession(model, provider_options={"runtime_library": self.path, **options})


ROWS: list[dict] = []


def row(name: str, value: float, unit: str, bound: str, holds: bool, note: str = "") -> None:
    ROWS.append({"name": name, "value": value, "unit": unit, "bound": bound, "holds": holds, "note": note})
    print(f"{name:<58} {value:>10.3f} {unit:<10} {bound:<16} {'ok' if holds else 'MISSED':<7} {note}", flush=True)


def feed(tag: int = 0) -> numpy.ndarray:
    array = numpy.zeros((1, 2, 2, 3), numpy.float32)
    array.flat[0] = tag
    return array


def throughput(stub: Stub, latency: str, tasks: int, **options) -> float:
    stub.configure(f"latency_us={latency}")
    with stub.session(schedule=[0, 1, 2], **options) as session:
        done, count, lock = threading.Event(), 0, threading.Lock()

        def callback(results, user_data, error):
            nonlocal count
            with lock:
                count += 1
                if count == tasks:
                    done.set()

        array = feed()
        start = time.perf_counter()
        for _ in range(tasks):
            session.run_async(None, array, callback)
        done.wait()
        return tasks / (time.perf_counter() - start)


def scheduling(stub: Stub) -> None:
    rate = throughput(stub, "10000,10000,10000", 900)
    row("cores 10/10/10 ms, static", rate / 300, "of 300/s", ">= 0.98", rate / 300 >= 0.98, f"{rate:.1f}/s")
    rate = throughput(stub, "40000,10000,10000", 900, dispatch="dynamic")
    row("cores 40/10/10 ms, dynamic", rate / 225, "of 225/s", ">= 0.95", rate / 225 >= 0.95, f"{rate:.1f}/s")
    rate = throughput(stub, "40000,10000,10000", 300)
    row("cores 40/10/10 ms, static (bound by the schedule)", rate / 75, "of 75/s", "", True, f"{rate:.1f}/s")


def independence(stub: Stub) -> None:
    stub.configure("latency_us=5000")
    with stub.session() as session:
        entered = threading.Event()

        def slow(results, user_data, error):
            entered.set()
            time.sleep(1)

        session.run_async(None, feed(), slow)
        entered.wait()
        times = []
        for _ in range(100):
            start = time.perf_counter()
            session.run(None, feed())
            times.append(time.perf_counter() - start)
        median, worst = statistics.median(times) * 1e3, max(times) * 1e3
    row("run() of 5 ms during a callback of 1 s", median, "ms", "<= 6", median <= 6, f"worst of 100: {worst:.2f} ms")


def overhead(stub: Stub) -> None:
    for workers in (1, 4, 16):
        stub.configure("latency_us=0 copy=0")
        with stub.session(threads_per_core=workers) as session:
            arrays = {"x": feed()}
            for _ in range(2000):
                session.run(None, arrays)
            rounds = []
            for _ in range(9):
                inside, switches = stub.seconds(), context_switches()
                start = time.perf_counter()
                for _ in range(5000):
                    session.run(None, arrays)
                elapsed = time.perf_counter() - start - (stub.seconds() - inside)
                rounds.append((elapsed / 5000 * 1e6, (context_switches() - switches) / 5000))
            microseconds, per_call = (statistics.median(part) for part in zip(*rounds, strict=True))
        row(f"run() overhead, {workers} workers", microseconds, "us", "< 15", microseconds < 15)
        row(f"context switches a call, {workers} workers", per_call, "", "<= 4", per_call <= 4)
        callers(stub, workers)


def callers(stub: Stub, count: int) -> None:
    """As many threads as workers, all calling run(): what waiting for one another costs."""
    if count == 1:
        return
    stub.configure("latency_us=0 copy=0")
    with stub.session(threads_per_core=count) as session:
        calls = 4000

        def work():
            arrays = {"x": feed()}
            for _ in range(calls):
                session.run(None, arrays)

        threads = [threading.Thread(target=work) for _ in range(count)]
        switches, start = context_switches(), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.perf_counter() - start
        per_call = (context_switches() - switches) / (calls * count)
    row(
        f"context switches a call, {count} threads calling",
        per_call,
        "",
        "<= 4",
        per_call <= 4,
        f"{elapsed / (calls * count) * 1e6:.1f} us a call, Python's own lock included",
    )


def context_switches() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw + usage.ru_nivcsw


def copies(stub: Stub) -> None:
    image = numpy.random.default_rng(0).random((1, 3, 640, 640), numpy.float32)
    target = numpy.empty_like(image)
    for layout, bound in (("nchw", 0.1), ("nchw_software", 1.5)):
        stub.configure("latency_us=0 copy=0 fill=none")
        with stub.session(LARGE, layout=layout) as session:
            for _ in range(20):
                session.run(None, image)
            ratios, own, plain = [], [], []
            for _ in range(15):
                start = time.perf_counter()
                for _ in range(10):
                    numpy.copyto(target, image)
                memcpy = (time.perf_counter() - start) / 10
                inside, start = stub.seconds(), time.perf_counter()
                for _ in range(10):
                    session.run(None, image)
                mine = (time.perf_counter() - start - (stub.seconds() - inside)) / 10
                ratios.append(mine / memcpy)
                own.append(mine * 1e3)
                plain.append(memcpy * 1e3)
        ratio = statistics.median(ratios)
        row(
            f"4.9 MB in, 8.6 MB out, {layout}",
            ratio,
            "x memcpy",
            f"<= {bound}",
            ratio <= bound,
            f"{statistics.median(own):.3f} ms, a memcpy of the input {statistics.median(plain):.3f} ms",
        )


def pacing(stub: Stub) -> None:
    stub.configure("latency_us=50000")
    with stub.session(enable_pacing=True) as session:
        session.run(None, feed())
        arrivals = []

        def callback(results, user_data, error):
            arrivals.append(time.perf_counter())

        cpu, start = time.process_time(), time.perf_counter()
        for _ in range(60):
            session.run_async(None, feed(), callback)
        session.close()
        share = (time.process_time() - cpu) / (time.perf_counter() - start)
    gaps = [b - a for a, b in zip(arrivals, arrivals[1:], strict=False)]
    row(
        "CPU while pacing 50 ms tasks",
        share * 100,
        "%",
        "<= 2",
        share <= 0.02,
        f"{60 / (arrivals[-1] - start):.2f}/s of 20/s, deviation of arrivals {statistics.pstdev(gaps) * 1e3:.2f} ms",
    )


def submit_timeouts(stub: Stub) -> None:
    """A full queue, or a pacer's slot too far away: how far from submit_timeout_ms (100) the error comes."""
    worst = {}
    for kind in ("run", "run_async", "run_pipeline", "batch", "pacing"):
        stub.configure("latency_us=400000")
        with stub.session(max_queue_size=1, submit_timeout_ms=100, enable_pacing=kind == "pacing") as session:
            batch = {"ztu_modelrt_dispatch_batch": True}
            calls = {
                "run": lambda session=session: session.run(None, feed()),
                "run_async": lambda session=session: session.run_async(None, feed(), lambda *_: None),
                "run_pipeline": lambda session=session: session.run_pipeline(feed()),
                "batch": lambda session=session, batch=batch: session.run(None, feed(), batch),
                "pacing": lambda session=session: session.run(None, feed()),
            }
            if kind == "pacing":
                session.run(None, feed())
            for _ in range(1 if kind == "pacing" else 2):  # one runs, one waits
                session.run_async(None, feed(), lambda *_: None)
                time.sleep(0.01)
            start = time.perf_counter()
            try:
                calls[kind]()
            except TimeoutError:
                worst[kind] = abs(time.perf_counter() - start - 0.1) * 1e3
    missing = 5 - len(worst)
    row(
        "submit timeout of 100 ms, all five ways: worst deviation",
        max(worst.values()),
        "ms",
        "<= 20",
        missing == 0 and max(worst.values()) <= 20,
        f"{missing} ways without a timeout" if missing else "",
    )


def asynchronous(stub: Stub) -> None:
    """run_async with nothing to compute: what queue, worker and callback thread cost a task."""
    for workers in (1, 4, 16):
        stub.configure("latency_us=0 copy=0")
        tasks = 20_000
        with stub.session(threads_per_core=workers, max_queue_size=64) as session:
            done, array = threading.Semaphore(0), feed()
            start, switches = time.perf_counter(), context_switches()
            for _ in range(tasks):
                session.run_async(None, array, lambda results, user_data, error, done=done: done.release())
            for _ in range(tasks):
                done.acquire()
            elapsed, per_task = time.perf_counter() - start, (context_switches() - switches) / tasks
        row(
            f"run_async, {workers} workers: a task",
            elapsed / tasks * 1e6,
            "us",
            "",
            True,
            f"{per_task:.2f} context switches a task",
        )


def resident_kb() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def memory(stub: Stub, runs: int) -> None:
    stub.configure("latency_us=0 copy=0")
    with stub.session(schedule=[0, 1, 2]) as session:
        array = feed()

        def burst(count: int) -> None:
            done = threading.Semaphore(0)
            for i in range(count):
                if i % 2:
                    session.run(None, array)
                else:
                    session.run_async(None, array, lambda results, user_data, error: done.release())
            for _ in range((count + 1) // 2):
                done.acquire()

        burst(runs // 10)
        before = resident_kb()
        burst(runs)
        grown = resident_kb() - before
    row(f"memory grown over {runs} runs", grown, "kB", "flat: < 256", grown < 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stub", default="build/release/tests/librknnrt_stub.so", help="path of librknnrt_stub.so")
    parser.add_argument("--runs", type=int, default=100_000, help="of the memory test")
    parser.add_argument("--json", help="also write the table here")
    arguments = parser.parse_args()
    stub = Stub(os.path.abspath(arguments.stub))
    print(f"{os.cpu_count()} CPUs; medians", flush=True)
    scheduling(stub)
    independence(stub)
    overhead(stub)
    asynchronous(stub)
    copies(stub)
    pacing(stub)
    submit_timeouts(stub)
    memory(stub, arguments.runs)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(ROWS, file, indent=1)


if __name__ == "__main__":
    main()
