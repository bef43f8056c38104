"""Ratios beside onnxruntime, in one run on one machine: python bench.py [infer|build|growth|import|size]...

infer   latency of float golden beside onnxruntime fp32, of the int8 simulator beside onnxruntime's int8 (QDQ, QUInt8
        activations, QInt8 weights) and fp32, 1 and 2 threads; how two threads scale, beside pure multiply-adds
build   build(do_quantization=True), loading included, beside onnxruntime merely running the same pictures in fp32 and
        beside its quantize_static alone; peak memory of all three
growth  build over ever more pictures, one convolution over ever more multiplications: times that grow linearly
import  time and memory of `import rknn.api`
size    installed size of the wheel without numpy

Times are medians. Speeds (infer) over 1 mean that OpenRKNN is faster, time ratios (build) under 1. Nothing is asserted.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

# What the bench networks subtract from a pixel and divide it by (ImageNet's numbers).
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


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
    started = time.perf_counter()
    work()
    elapsed = time.perf_counter() - started
    stop.set()
    watcher.join()
    return {"seconds": elapsed, "peak_mb": peak[0]}


def child_build(model: str, dataset: str) -> dict:
    from rknn.api import RKNN

    def work():
        rknn = RKNN()
        rknn.config(mean_values=[MEAN], std_values=[STD], target_platform="rk3588")
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


def ask(child: subprocess.Popen) -> str:
    child.stdin.write("\n")
    child.stdin.flush()
    return child.stdout.readline()


def start(command: list) -> subprocess.Popen:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def median_milliseconds(folder: pathlib.Path, probe: pathlib.Path | None, rounds: int) -> tuple[dict, float]:
    """Milliseconds by (kind, threads), and by how much two threads are faster than one at pure multiply-adds. Rounds
    alternate between all of them, so that a busy moment of the machine hits everybody."""
    children = {
        (kind, threads): start([sys.executable, __file__, "child-infer", kind, str(threads), str(folder)])
        for kind in KINDS
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


CHILDREN = {
    "child-build": child_build,
    "child-peer-build": child_peer_build,
    "child-peer-run": child_peer_run,
}


def in_child(name: str, *arguments) -> dict:
    command = [sys.executable, __file__, name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


# ---- the tables ----


@dataclasses.dataclass
class Network:
    """What is compared: the file, the shape of its one input, what it subtracts from pixels and divides them by."""

    name: str
    file: pathlib.Path
    shape: list[int] | None = None
    mean: list[float] = dataclasses.field(default_factory=lambda: MEAN)
    std: list[float] = dataclasses.field(default_factory=lambda: STD)


# Real networks, looked for below the folders of --models. None of them comes with this project.
REAL = (
    Network("ultraface", pathlib.Path("slim-320.onnx"), None, [127.0] * 3, [128.0] * 3),
    Network("ppocr_det", pathlib.Path("ch_PP-OCRv4_det_infer.onnx"), [1, 3, 480, 480]),
    Network("ppocr_rec", pathlib.Path("ch_PP-OCRv4_rec_infer.onnx"), [1, 3, 48, 320], [127.5] * 3, [127.5] * 3),
    Network("mobiledigits", pathlib.Path("mobiledigits.op12.onnx"), None, [127.5], [127.5]),
    Network("resdigits", pathlib.Path("resdigits.op12.onnx"), None, [127.5], [127.5]),
)


def real_networks(folders: list[pathlib.Path]) -> list[Network]:
    found = []
    for network in REAL:
        files = [file for folder in folders for file in sorted(folder.rglob(network.file.name))]
        if files:
            found.append(dataclasses.replace(network, file=files[0]))
    return found


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


def bench_infer(networks: list[Network], work: pathlib.Path, rounds: int) -> None:
    probe = build_probe(work)
    rows: dict[str, tuple[dict, float]] = {}
    print("\ninfer: median ms a run, and speed as a multiple of onnxruntime's (of its int8; of its fp32)")
    print(f"{'model':<14} {'threads':>7} {'ort fp32':>9} {'float golden':>17} {'ort int8':>9} {'int8 simulator':>24}")
    for network in networks:
        folder = work / network.name
        prepare_network(network, folder)
        ms, pure = rows[network.name] = median_milliseconds(folder, probe, rounds)
        for threads in (1, 2):
            fp32, golden, peer, int8 = (ms[kind, threads] for kind in KINDS)
            print(
                f"{network.name:<14} {threads:>7} {fp32:>9.3f} {golden:>9.3f} ({fp32 / golden:.2f}x) {peer:>9.3f}"
                f" {int8:>9.3f} ({peer / int8:.2f}x; {fp32 / int8:.2f}x)",
                flush=True,
            )
    for threads in (1, 2):
        every = [ms for ms, _ in rows.values()]
        golden = geometric_mean([ms["onnxruntime", threads] / ms["float", threads] for ms in every])
        int8 = geometric_mean([ms["onnxruntime int8", threads] / ms["int8", threads] for ms in every])
        over_float = geometric_mean([ms["onnxruntime", threads] / ms["int8", threads] for ms in every])
        print(f"geometric mean, {threads} threads: float golden {golden}, int8 simulator {int8} ({over_float} of fp32)")
    print("\ntwo threads: how much faster than one; pure: multiply-adds alone, measured between the runs")
    print(f"{'model':<14} {'pure':>6}" + "".join(f" {kind:>17}" for kind in KINDS))
    gains = {kind: [ms[kind, 1] / ms[kind, 2] for ms, _ in rows.values()] for kind in KINDS}
    for i, (name, (_, pure)) in enumerate(rows.items()):
        print(f"{name:<14} {pure:>5.2f}x" + "".join(f" {gains[kind][i]:>16.2f}x" for kind in KINDS))
    pure = geometric_mean([pure for _, pure in rows.values()]) if probe else "-"
    print(f"{'mean':<14} {pure:>6}" + "".join(f" {geometric_mean(gains[kind]):>17}" for kind in KINDS), flush=True)


def dataset_for(model: pathlib.Path, work: pathlib.Path, count: int = 20) -> pathlib.Path:
    from pictures import picture_size, write_dataset

    size = picture_size(model)
    return write_dataset(work / f"pictures_{size}", size, count)


def bench_build(models: list[pathlib.Path], work: pathlib.Path, rounds: int = 3) -> None:
    from peers import prepare

    print(
        "\nbuild: 20 pictures; seconds (the goal: 1.6 times as long as onnxruntime runs them, plus 0.3 s), peak anonymous MB"
    )
    heading = f"{'model':<16} {'ort runs 20':>11} {'goal':>6} {'build':>6} {'at 200':>7} {'quantize_static':>16}"
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
        memory = [max(one["peak_mb"] for one in kind) * 1.048576 for kind in (runs, ours, [at_200])]
        print(
            f"{model.stem:<16} {run:>11.2f} {1.6 * run + 0.3:>6.2f} {build:>6.2f} {at_200['seconds']:>7.2f}"
            f" {static:>16.2f} {memory[0]:>8.0f} {memory[1]:>6.0f} {memory[2]:>7.0f}",
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
    print("growth: one 3x3 convolution; million multiplications, and billions a second on one thread")
    print(f"{'size':>8} {'channels':>8} {'million':>9} {'float':>8} {'int8':>8}")
    for size, channels in ((14, 64), (28, 64), (56, 64), (112, 64), (28, 32), (28, 128), (28, 256), (28, 512)):
        graph = openrknn.import_model(one_convolution(work / f"conv_{size}_{channels}.onnx", size, channels))
        samples = [np.random.RandomState(seed).randn(1, channels, size, size).astype(np.float32) for seed in range(2)]
        profiles = graph.profile(threads=1), openrknn.compile(graph, dataset=samples).profile(threads=1)
        layers = [next(step for step in profile if step["op"] == "Conv") for profile in profiles]
        speeds = "".join(f" {layer['products'] / layer['microseconds'] / 1e3:>8.1f}" for layer in layers)
        print(f"{size:>8} {channels:>8} {layers[0]['products'] / 1e6:>9.1f}{speeds}", flush=True)


def bench_import() -> None:
    # VmHWM, not ru_maxrss: a child inherits the latter from the process that started it.
    peak = "next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM')) / 1024"
    code = f"import time; t = time.perf_counter(); import rknn.api; print(time.perf_counter() - t, {peak})"

    def run(program: str) -> tuple[float, ...]:
        out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        return tuple(map(float, out.split()))

    seconds, whole = (statistics.median(column) for column in zip(*(run(code) for _ in range(7)), strict=True))
    (bare,), (with_numpy,) = run(f"print({peak})"), run(f"import numpy; print({peak})")
    print(
        f"\nimport rknn.api: {seconds:.3f} s, peak {whole:.0f} MB in all; {whole - bare:.0f} MB above a bare "
        f"interpreter, of which numpy {with_numpy - bare:.0f} MB"
    )


def bench_size() -> None:
    import importlib.metadata

    files = importlib.metadata.files("openrknn") or []
    total = sum(file.locate().stat().st_size for file in files if file.locate().exists())
    print(f"\ninstalled size without numpy: {total / 1e6:.1f} MB in {len(files)} files")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=["infer", "build", "growth", "import", "size"])
    parser.add_argument(
        "--models",
        type=pathlib.Path,
        action="append",
        default=[],
        help="folder below which real networks are looked for (UltraFace, PP-OCR, digits); may be repeated",
    )
    parser.add_argument("--only", help="names of models, comma-separated")
    parser.add_argument("--rounds", type=int, default=6, help="of infer")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        networks: list[Network] = []
        if {"infer", "build", "growth"} & set(options.tables):
            from networks import write_all

            generated = sorted(write_all(work / "models").glob("*.onnx"))
            networks = [Network(model.stem, model) for model in generated] + real_networks(options.models)
            if options.only:
                networks = [network for network in networks if network.name in options.only.split(",")]
        if "infer" in options.tables:
            bench_infer(networks, work, options.rounds)
        if "build" in options.tables:
            bench_build([network.file for network in networks if network.file.parent == work / "models"], work)
        if "growth" in options.tables:
            bench_growth(next(network.file for network in networks if network.name == "mobilenet_v2"), work)
        if "import" in options.tables:
            bench_import()
        if "size" in options.tables:
            bench_size()


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "child-infer":
        child_infer(*sys.argv[2:])
    elif len(sys.argv) > 1 and sys.argv[1] in CHILDREN:
        print(json.dumps(CHILDREN[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
