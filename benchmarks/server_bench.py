"""The device server beside the session it stands on: what a request costs on top of the session's own call.

    python benchmarks/server_bench.py [--soak] [--only NAME,NAME]     overhead, tensors, clients, cores, soak

Server and load share this machine: the client of a request takes its share of the same cores. Runtimes: the stub (computes
nothing, copies its arrays) for overhead, tensors and clients; OpenRKNN's simulator, held to 10 ms a run, for the cores.
Needs OPENRKNN_COMMAND and OPENRKNN_TEST_TOOLS of one build, as the tests do.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy

import openrknn

SMALL = "input x f32 1,2,3,2\noutput y f32 1,4\nversion 2.4.1\n"
# A 640 x 640 image in float32, and a YOLOv5's output as float32.
LARGE = "input x f32 1,640,640,3\noutput y f32 1,25200,85\nversion 2.4.1\n"
THREADS = 2  # of the server's network

COMMAND = os.environ.get("OPENRKNN_COMMAND", "build/release/apps/openrknn")
STUB = str(Path(os.environ.get("OPENRKNN_TEST_TOOLS", "build/release/tests"), "librknnrt_stub.so").resolve())


def row(name: str, value: float, unit: str, bound: str = "", holds: bool = True, note: str = "") -> None:
    print(f"{name:<52} {value:>10.3f} {unit:<8} {bound:<10} {'ok' if holds else 'MISSED':<7} {note}", flush=True)


class Server:
    def __init__(self, models: dict[str, bytes], runtime: str = "", **environment: str):
        self.folder = tempfile.TemporaryDirectory()
        for name, content in models.items():
            Path(self.folder.name, name + ".rknn").write_bytes(content)
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--models", self.folder.name, "--port", "0", "--threads", str(THREADS), "--quiet"],
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, **({"OPENRKNN_RUNTIME": runtime} if runtime else {}), **environment},
        )  # fmt: skip
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])
        while b" 200 " not in Client(self.port).send(b"GET /v2/health/ready HTTP/1.1\r\n\r\n")[0]:
            time.sleep(0.01)

    def resident_megabytes(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.folder.cleanup()


def request_for(model: str, name: str, array: numpy.ndarray) -> bytes:
    tensor = {"name": name, "datatype": "FP32", "shape": list(array.shape)}
    tensor["parameters"] = {"binary_data_size": array.nbytes}
    header = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    head = (
        f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(header) + array.nbytes}\r\n"
        f"Inference-Header-Content-Length: {len(header)}\r\n\r\n"
    )
    return head.encode() + header + array.tobytes()


class Client:
    """As little as HTTP needs, so that it is the server that is measured."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> tuple[bytes, memoryview]:
        self.socket.sendall(request)
        received = self.socket.recv(65536)
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self.socket.recv(65536)
        head, rest = received[:end], received[end + 4 :]
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        body = memoryview(bytearray(length))
        body[: len(rest)] = rest
        have = len(rest)
        while have < length:
            have += self.socket.recv_into(body[have:])
        return head, body


def median_microseconds(call, count: int) -> float:
    for _ in range(count // 10):
        call()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def session_of(model: str, runtime: str, **options) -> openrknn.InferenceSession:
    extra = {"runtime_library": runtime} if runtime else {}
    return openrknn.InferenceSession(model.encode(), provider_options={**extra, **options})


def overhead() -> None:
    array = numpy.zeros((1, 2, 2, 3), numpy.float32)
    with session_of(SMALL, STUB) as session:
        inside = median_microseconds(lambda: session.run(None, {"x": array}), 5000)
    with Server({"m": SMALL.encode()}, STUB) as server:
        client, request = Client(server.port), request_for("m", "x", array)
        outside = median_microseconds(lambda: client.send(request), 5000)
    row("small request, median", outside, "us", note=f"the session's own call: {inside:.1f} us; 1 client")
    row("… on top of the session's call", outside - inside, "us", "<= 150", outside - inside <= 150)


def tensors() -> None:
    array = numpy.zeros((1, 3, 640, 640), numpy.float32)
    sent, answered = array.nbytes, 25200 * 85 * 4
    with session_of(LARGE, STUB) as session:
        inside = median_microseconds(lambda: session.run(None, {"x": array}), 50)
    with Server({"m": LARGE.encode()}, STUB) as server:
        client, request = Client(server.port), request_for("m", "x", array)
        outside = median_microseconds(lambda: client.send(request), 50)
    rate = (sent + answered) / outside
    note = f"{sent / 1e6:.1f} MB in, {answered / 1e6:.1f} MB out, {outside / 1e3:.1f} ms; session {inside / 1e3:.1f} ms"
    row("large tensors, 1 client", rate, "MB/s", ">= 100", rate >= 100, note)


def clients(count: int = 1000, rounds: int = 10) -> None:
    """Every client keeps its connection and asks again as soon as it was answered."""
    request = request_for("m", "x", numpy.zeros((1, 2, 2, 3), numpy.float32))
    with Server({"m": SMALL.encode()}, STUB) as server:
        selector = selectors.DefaultSelector()
        sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
        states = {}
        start = time.perf_counter()
        for each in sockets:
            states[each] = [rounds, b"", time.perf_counter()]
            selector.register(each, selectors.EVENT_READ)
            each.sendall(request)
        times, refused = [], 0
        while states:
            for key, _ in selector.select(30) or sys.exit("no answer within 30 s"):
                state = states[key.fileobj]
                piece = key.fileobj.recv(65536)
                if not piece:
                    sys.exit("the server closed a connection")
                state[1] += piece
                head, found, body = state[1].partition(b"\r\n\r\n")
                if not found or len(body) < int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]):
                    continue
                refused += b" 200 " not in head.split(b"\r\n")[0]
                times.append(time.perf_counter() - state[2])
                state[0] -= 1
                if state[0] == 0:
                    selector.unregister(key.fileobj)
                    del states[key.fileobj]
                    continue
                state[1], state[2] = b"", time.perf_counter()
                key.fileobj.sendall(request)
        rate = count * rounds / (time.perf_counter() - start)
        for each in sockets:
            each.close()
        note = (
            f"{count} connections kept; median {statistics.median(times) * 1e3:.0f} ms, worst {max(times) * 1e3:.0f} ms"
        )
        row(f"{count} clients, {rounds} requests each", rate, "1/s", note=note)
        row("… not answered with 200", refused, "", "0", refused == 0)


def asked_by(port: int, request: bytes, threads: int, each: int) -> float:
    """Requests a second of so many clients in threads, which sleep while they wait."""
    failed = []

    def work() -> None:
        client = Client(port)
        for _ in range(each):
            if b" 200 " not in client.send(request)[0]:
                failed.append(1)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        sys.exit(f"{len(failed)} requests failed")
    return threads * each / (time.perf_counter() - start)


def small_network() -> bytes:
    import onnx

    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    shape = [1, 3, 16, 16]
    graph = onnx.helper.make_graph([node], "g", [value("x", 1, shape)], [value("y", 1, shape)])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, Path(folder, "net.onnx"))
        openrknn.compile(Path(folder, "net.onnx"), target="rk3588", quantize=None).save(Path(folder, "net.rknn"))
        return Path(folder, "net.rknn").read_bytes()


def cores() -> None:
    array, content, count = numpy.zeros((1, 3, 16, 16), numpy.float32), small_network(), 900
    os.environ["OPENRKNN_SIM_LATENCY"] = "10"
    with openrknn.InferenceSession(content, provider_options={"schedule": [0, 1, 2], "dispatch": "dynamic"}) as session:
        done, left, lock = threading.Event(), count, threading.Lock()

        def callback(results, user_data, error) -> None:
            nonlocal left
            with lock:
                left -= 1
                if left == 0:
                    done.set()

        start = time.perf_counter()
        for _ in range(count):
            session.run_async(None, {"x": array}, callback)
        done.wait()
        inside = count / (time.perf_counter() - start)
    with Server({"m": content}, OPENRKNN_SIM_LATENCY="10") as server:
        outside = asked_by(server.port, request_for("m", "x", array), 12, count // 12)
    del os.environ["OPENRKNN_SIM_LATENCY"]
    row("3 virtual cores of 10 ms, the session", inside, "1/s", note="run_async, 300/s are possible")
    row("3 virtual cores of 10 ms, the server", outside, "1/s", note="12 clients in threads")
    row("… of the session's", outside / inside, "", ">= 0.95", outside / inside >= 0.95)


def soak(count: int = 24000) -> None:
    array = numpy.random.default_rng(0).random((1, 3, 16, 16), numpy.float32)
    with Server({"m": small_network()}) as server:
        request = request_for("m", "x", array)
        asked_by(server.port, request, 8, 250)
        before, start = server.resident_megabytes(), time.perf_counter()
        for part in range(4):
            asked_by(server.port, request, 8, count // 32)
            row(f"soak: resident after {(part + 1) * count // 4} requests", server.resident_megabytes(), "MB")
        grown = server.resident_megabytes() - before
        note = (
            f"{count / (time.perf_counter() - start):.0f} requests/s, 8 clients; {before:.1f} MB after the first 2000"
        )
        row("soak: grown", grown, "MB", "<= 1", grown <= 1, note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soak", action="store_true", help="24,000 requests and the server's memory, after the rest")
    parser.add_argument("--only", default="overhead,tensors,clients,cores", help="parts, comma-separated")
    arguments = parser.parse_args()
    print(
        f"{os.cpu_count()} cores; the server's network has {THREADS} threads, each session a thread a core and 1 for results"
    )
    for part in [name for name in arguments.only.split(",") if name] + (["soak"] if arguments.soak else []):
        globals()[part]()
