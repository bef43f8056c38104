"""The table `infer` of bench.py: latency of one run beside the peers."""

import importlib.util
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

from real_networks import Network

# ---- measured in child processes, so that neither side meets the other's threads, caches or memory ----


def openvino_run(model: pathlib.Path, threads: int, feed: dict):
    import openvino

    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", hints)
    return lambda: compiled(feed)


def child_infer(kind: str, threads: str, folder: str) -> None:
    """Answers each line of standard input with the seconds of a few runs. One process a kind: a peer's spinning threads
    must not hold the cores while another is timed."""
    os.environ["OPENRKNN_THREADS"] = threads
    import numpy as np
    import peers

    import openrknn

    work = pathlib.Path(folder)
    feed = dict(np.load(work / "feed.npz"))
    if kind in ("onnxruntime", "onnxruntime int8"):
        session = peers.session(work / ("float.onnx" if kind == "onnxruntime" else "int8.onnx"), threads=int(threads))
        run = lambda: session.run(None, feed)  # noqa: E731
    elif kind == OPENVINO:
        run = openvino_run(work / "int8.onnx", int(threads), feed)
    elif kind == "float":
        graph = openrknn.import_model(work / "float.onnx")
        run = lambda: graph.run(feed)  # noqa: E731
    else:
        session = openrknn.InferenceSession(work / "int8.rknn", provider_options={"layout": "nhwc"})
        pixels = {
            name: np.ascontiguousarray((values * 50 + 128).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1))
            for name, values in feed.items()
        }
        run = lambda: session.run(None, pixels)  # noqa: E731
    run()
    begin = time.perf_counter()
    run()
    count = int(min(max(0.2 / (time.perf_counter() - begin), 3), 200))
    print("ready", flush=True)
    for _ in sys.stdin:
        for _ in range(3):  # wakes threads and caches; the scheduler spreads the threads over the cores
            run()
        times = []
        for _ in range(count):
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
        print(json.dumps(times), flush=True)


KINDS = ("onnxruntime", "float", "onnxruntime int8", "int8")
OPENVINO = "openvino int8"  # the next mark: measured where the package is installed


def ask(child: subprocess.Popen) -> str:
    child.stdin.write("\n")
    child.stdin.flush()
    return child.stdout.readline()


def start(command: list) -> subprocess.Popen:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def median_milliseconds(
    folder: pathlib.Path, kinds: tuple[str, ...], probe: pathlib.Path | None, rounds: int
) -> tuple[dict, float]:
    """Milliseconds by (kind, threads), and by how much two threads are faster than one at pure multiply-adds. Rounds
    alternate between all of them, so that a busy moment of the machine hits everybody."""
    children = {
        (kind, threads): start([sys.executable, __file__, kind, str(threads), str(folder)])
        for kind in kinds
        for threads in (1, 2)
    }
    for (kind, _), child in children.items():
        if child.stdout.readline() != "ready\n":
            sys.exit(f"{kind} does not run {folder.name}")
    pure = start([str(probe)]) if probe else None
    times, gains = {key: [] for key in children}, []
    for _ in range(rounds):
        for key, child in children.items():
            time.sleep(0.05)  # the peer's threads stop spinning
            times[key] += json.loads(ask(child))
            if pure and key[1] == 2:
                time.sleep(0.05)
                one, two = map(float, ask(pure).split())
                gains.append(one / two)
    for child in [*children.values(), *([pure] if pure else [])]:
        child.stdin.close()
        child.wait()
    milliseconds = {key: statistics.median(values) * 1e3 for key, values in times.items()}
    return milliseconds, statistics.median(gains) if gains else float("nan")


# ---- the table ----


def prepare_network(network: Network, folder: pathlib.Path) -> None:
    """float.onnx and int8.onnx for onnxruntime, int8.rknn for us, one input for all."""
    import numpy as np
    import peers

    import openrknn

    folder.mkdir()
    prepared = peers.prepare(network.file, folder / "float.onnx", network.shape)
    given = peers.session(prepared).get_inputs()[0]
    random = np.random.RandomState(0)
    pixels = [random.randint(0, 256, given.shape).astype(np.float32) for _ in range(4)]
    mean, std = (np.float32(values).reshape(1, -1, 1, 1) for values in (network.mean, network.std))
    peers.quantize(prepared, folder / "int8.onnx", ({given.name: (x - mean) / std} for x in pixels))
    options = {"target": "rk3588", "mean": [network.mean], "std": [network.std]}
    compiled = openrknn.compile(openrknn.import_model(prepared), dataset=[{given.name: x} for x in pixels], **options)
    compiled.save(folder / "int8.rknn")
    np.savez(folder / "feed.npz", **{given.name: random.randn(*given.shape).astype(np.float32)})


def build_probe(work: pathlib.Path) -> pathlib.Path | None:
    """Compiles fma_probe.cpp; None without a compiler."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return None
    source, probe = pathlib.Path(__file__).with_name("fma_probe.cpp"), work / "fma_probe"
    subprocess.run([compiler, "-O2", "-std=c++20", "-pthread", str(source), "-o", str(probe)], check=True)
    return probe


def geometric_mean(ratios: list[float]) -> str:
    return f"{statistics.geometric_mean(ratios):.2f}x" if ratios else "-"


def print_times(networks: list[Network], kinds: tuple[str, ...], work: pathlib.Path, rounds: int, probe) -> dict:
    """A line a network and thread count; milliseconds and the gain of two threads (median_milliseconds) by name."""
    rows: dict[str, tuple[dict, float]] = {}
    print("\ninfer: median ms a run, and speed as a multiple of onnxruntime's (of its int8; of its fp32)")
    mark = f" {OPENVINO:>17}" if OPENVINO in kinds else ""
    print(
        f"{'model':<14} {'threads':>7} {'ort fp32':>9} {'float golden':>17} {'ort int8':>9} {'int8 simulator':>24}{mark}"
    )
    for network in networks:
        folder = work / network.name
        prepare_network(network, folder)
        ms, _ = rows[network.name] = median_milliseconds(folder, kinds, probe, rounds)
        for threads in (1, 2):
            fp32, golden, peer, int8 = (ms[kind, threads] for kind in KINDS)
            mark = f" {ms[OPENVINO, threads]:>9.3f} ({fp32 / ms[OPENVINO, threads]:.2f}x)" if OPENVINO in kinds else ""
            print(
                f"{network.name:<14} {threads:>7} {fp32:>9.3f} {golden:>9.3f} ({fp32 / golden:.2f}x) {peer:>9.3f}"
                f" {int8:>9.3f} ({peer / int8:.2f}x; {fp32 / int8:.2f}x){mark}",
                flush=True,
            )
    return rows


def bench_infer(networks: list[Network], work: pathlib.Path, rounds: int) -> None:
    probe = build_probe(work)
    kinds = (*KINDS, OPENVINO) if importlib.util.find_spec("openvino") else KINDS
    rows = print_times(networks, kinds, work, rounds, probe)
    for threads in (1, 2):

        def mean(peer: str, kind: str, threads: int = threads) -> str:
            return geometric_mean([ms[peer, threads] / ms[kind, threads] for ms, _ in rows.values()])

        mark = f", {OPENVINO} ({mean('onnxruntime', OPENVINO)} of fp32)" if OPENVINO in kinds else ""
        print(
            f"geometric mean, {threads} threads: float golden {mean('onnxruntime', 'float')}, int8 simulator"
            f" {mean('onnxruntime int8', 'int8')} ({mean('onnxruntime', 'int8')} of fp32){mark}"
        )
    print("\ntwo threads: how much faster than one; pure: multiply-adds alone, measured between the runs")
    print(f"{'model':<14} {'pure':>6}" + "".join(f" {kind:>17}" for kind in kinds))
    gains = {kind: [ms[kind, 1] / ms[kind, 2] for ms, _ in rows.values()] for kind in kinds}
    for i, (name, (_, pure)) in enumerate(rows.items()):
        print(f"{name:<14} {pure:>5.2f}x" + "".join(f" {gains[kind][i]:>16.2f}x" for kind in kinds))
    pure = geometric_mean([pure for _, pure in rows.values()]) if probe else "-"
    print(f"{'mean':<14} {pure:>6}" + "".join(f" {geometric_mean(gains[kind]):>17}" for kind in kinds), flush=True)


if __name__ == "__main__":
    child_infer(*sys.argv[1:])
