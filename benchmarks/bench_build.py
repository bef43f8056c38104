"""The tables `build` and `growth` of bench.py: how long a build takes, and how its time grows."""

import json
import pathlib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from real_networks import MEAN, STD

# ---- measured in child processes, so that neither side meets the other's threads, caches or memory ----


def peak_anonymous(stop: threading.Event, result: list) -> None:
    """Samples RssAnon: memory that is ours, file pages apart."""
    while not stop.is_set():
        with open("/proc/self/status") as status:
            anonymous = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
        result[0] = max(result[0], anonymous / 1024)
        time.sleep(0.002)


def timed(work):
    stop, peak = threading.Event(), [0.0]
    watcher = threading.Thread(target=peak_anonymous, args=(stop, peak))
    watcher.start()
    try:
        started, used = time.perf_counter(), time.process_time()
        work()
        elapsed, used = time.perf_counter() - started, time.process_time() - used
    finally:  # or a failure would be waited for, and never told
        stop.set()
        watcher.join()
    return {"seconds": elapsed, "processor": used, "peak_mb": peak[0]}


def child_build(model: str, dataset: str, algorithm: str = "normal") -> dict:
    from rknn.api import RKNN

    def work():
        rknn = RKNN()
        rknn.config(mean_values=[MEAN], std_values=[STD], target_platform="rk3588", quantized_algorithm=algorithm)
        assert rknn.load_onnx(model) == 0
        assert rknn.build(do_quantization=True, dataset=dataset) == 0
        rknn.release()

    return timed(work)


def picture_feeds(prepared: str, dataset: str):
    """What the peer is given: pictures as normalized arrays, one after another."""
    import numpy as np
    import peers
    from PIL import Image

    folder = pathlib.Path(dataset).parent
    name = peers.session(prepared).get_inputs()[0].name
    for file in pathlib.Path(dataset).read_text().split():
        pixels = np.asarray(Image.open(folder / file).convert("RGB"), np.float32)
        normal = (pixels - np.float32(MEAN)) / np.float32(STD)
        yield {name: normal.transpose(2, 0, 1)[None]}


def child_peer_build(prepared: str, dataset: str, quantized: str) -> dict:
    import peers

    return timed(lambda: peers.quantize(prepared, quantized, picture_feeds(prepared, dataset)))


def child_peer_run(prepared: str, dataset: str) -> dict:
    """The session is made and the pictures are read outside the clock: running alone."""
    import peers

    feeds = list(picture_feeds(prepared, dataset))
    session = peers.session(prepared)
    session.run(None, feeds[0])

    def work():
        for feed in feeds:
            session.run(None, feed)

    return timed(work)


CHILDREN = {
    "child-build": child_build,
    "child-peer-build": child_peer_build,
    "child-peer-run": child_peer_run,
}


def in_child(name: str, *arguments, program: str = __file__) -> dict:
    command = [sys.executable, program, name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


# ---- the tables ----


def dataset_for(model: pathlib.Path, work: pathlib.Path, count: int = 20) -> pathlib.Path:
    from pictures import picture_size, write_dataset

    size = picture_size(model)
    return write_dataset(work / f"pictures_{size}", size, count)


def bench_build(models: list[pathlib.Path], work: pathlib.Path, rounds: int = 3) -> None:
    from peers import prepare

    print(
        "\nbuild: 20 pictures; seconds (the goal: 1.6 times as long as onnxruntime runs them, plus 0.3 s), peak anonymous MB"
    )
    heading = (
        f"{'model':<16} {'ort runs 20':>11} {'goal':>6} {'build':>6} {'':>6} {'at 200':>7} {'quantize_static':>16}"
    )
    print(f"{heading} {'MB: ort':>8} {'build':>6} {'at 200':>7}")
    for model in models:
        prepared, quantized = work / f"{model.stem}_17.onnx", work / f"{model.stem}_qdq.onnx"
        prepare(model, prepared)
        few, many = dataset_for(model, work, 20), dataset_for(model, work, 200)
        ours, runs, peer = [], [], []
        for _ in range(rounds):
            runs.append(in_child("child-peer-run", prepared, few))
            ours.append(in_child("child-build", model, few))
        peer.append(in_child("child-peer-build", prepared, few, quantized))
        at_200 = in_child("child-build", model, many)
        run, build, static = (statistics.median(one["seconds"] for one in kind) for kind in (runs, ours, peer))
        goal = 1.6 * run + 0.3
        memory = [max(one["peak_mb"] for one in kind) * 1.048576 for kind in (runs, ours, [at_200])]
        print(
            f"{model.stem:<16} {run:>11.2f} {goal:>6.2f} {build:>6.2f} {'met' if build <= goal else 'MISSED':>6}"
            f" {at_200['seconds']:>7.2f} {static:>16.2f} {memory[0]:>8.0f} {memory[1]:>6.0f} {memory[2]:>7.0f}",
            flush=True,
        )


def one_convolution(file: pathlib.Path, size: int, channels: int) -> pathlib.Path:
    from networks import Builder

    builder = Builder(file.stem, seed=15)
    builder.conv("x", channels, channels, 3)
    builder.nodes[-1].output[0] = "output"
    shape = [1, channels, size, size]
    builder.save(file.parent, {"x": shape}, {"output": shape})
    return file


def linear_fit(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Least squares: slope, intercept, and which part of y's variance they explain (R²)."""
    slope, intercept = statistics.linear_regression(x, y)
    return slope, intercept, statistics.correlation(x, y) ** 2


def bench_growth(model: pathlib.Path, work: pathlib.Path) -> None:
    import numpy as np

    import openrknn

    print(f"\ngrowth: build of {model.stem} by pictures; milliseconds for each picture beyond the first 10")
    seconds = {
        count: in_child("child-build", model, dataset_for(model, work, count))["seconds"]
        for count in (10, 20, 40, 80, 160)
    }
    for count, time_taken in seconds.items():
        each = f"{(time_taken - seconds[10]) / (count - 10) * 1e3:>8.2f}" if count > 10 else ""
        print(f"{count:>8} {time_taken:>8.2f} s {each}")
    slope, intercept, explained = linear_fit(list(seconds), list(seconds.values()))
    print(f"fit: {intercept:.2f} s + {slope * 1e3:.2f} ms a picture, R² {explained:.4f}")
    print("growth: one 3x3 convolution; million multiplications, and billions a second on one thread")
    measured: dict[str, list[tuple[float, float]]] = {"float": [], "int8": []}
    print(f"{'size':>8} {'channels':>8} {'million':>9} {'float':>8} {'int8':>8}")
    for size, channels in ((14, 64), (28, 64), (56, 64), (112, 64), (28, 32), (28, 128), (28, 256), (28, 512)):
        graph = openrknn.import_model(one_convolution(work / f"conv_{size}_{channels}.onnx", size, channels))
        samples = [np.random.RandomState(seed).randn(1, channels, size, size).astype(np.float32) for seed in range(2)]
        profiles = graph.profile(threads=1), openrknn.compile(graph, dataset=samples).profile(threads=1)
        layers = [next(step for step in profile if step["op"] == "Conv") for profile in profiles]
        for points, layer in zip(measured.values(), layers, strict=True):
            points.append((layer["products"], layer["microseconds"]))
        speeds = "".join(f" {layer['products'] / layer['microseconds'] / 1e3:>8.1f}" for layer in layers)
        print(f"{size:>8} {channels:>8} {layers[0]['products'] / 1e6:>9.1f}{speeds}", flush=True)
    for kind, points in measured.items():
        slope, intercept, explained = linear_fit(*zip(*points, strict=True))
        print(f"fit, {kind}: {intercept:.0f} µs + {slope * 1e6:.2f} µs a million multiplications, R² {explained:.4f}")


if __name__ == "__main__":
    print(json.dumps(CHILDREN[sys.argv[1]](*sys.argv[2:])))
