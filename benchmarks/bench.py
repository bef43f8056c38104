"""Ratios beside onnxruntime, in one run on one machine: python bench.py [infer|build|import|size]...

infer   latency of float golden and of the int8 simulator against onnxruntime fp32, 1 and 2 threads
build   build(do_quantization=True), loading included, against onnxruntime's quantize_static alone; peak memory
import  time and memory of `import rknn.api`
size    installed size of the wheel without numpy

Times are medians; a ratio under 1 means OpenRKNN is faster. Nothing is asserted.
"""

import argparse
import json
import os
import pathlib
import platform
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


def child_peer_build(prepared: str, dataset: str, quantized: str) -> dict:
    import numpy as np
    import peers
    from PIL import Image

    folder = pathlib.Path(dataset).parent
    name = peers.session(prepared).get_inputs()[0].name

    def feeds():
        for file in pathlib.Path(dataset).read_text().split():
            pixels = np.asarray(Image.open(folder / file).convert("RGB"), np.float32)
            normal = (pixels - np.float32(MEAN)) / np.float32(STD)
            yield {name: normal.transpose(2, 0, 1)[None]}

    return timed(lambda: peers.quantize(prepared, quantized, feeds()))


def child_infer(kind: str, model: str, rknn_file: str, threads: str) -> None:
    """Answers each line of standard input with the seconds of a few runs. One process a kind: a peer's spinning threads
    must not hold the cores while another is timed."""
    os.environ["OPENRKNN_THREADS"] = threads
    import numpy as np

    import openrknn

    graph = openrknn.import_model(model)
    name, shape, _ = graph.inputs[0]
    x = np.random.RandomState(0).randn(*shape).astype(np.float32)
    if kind == "onnxruntime":
        import peers

        session = peers.session(model, threads=int(threads))
        run = lambda: session.run(None, {name: x})  # noqa: E731
    elif kind == "float":
        run = lambda: graph.run([x])  # noqa: E731
    else:
        session = openrknn.InferenceSession(rknn_file, provider_options={"layout": "nhwc"})
        pixels = np.random.RandomState(0).randint(0, 256, (shape[0], shape[2], shape[3], shape[1])).astype(np.uint8)
        run = lambda: session.run(None, {name: pixels})  # noqa: E731
    for _ in range(3):
        run()
    print("ready", flush=True)
    for _ in sys.stdin:
        for _ in range(3):  # wakes threads and caches; the scheduler spreads the threads over the cores
            run()
        times = []
        for _ in range(10):
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
        print(json.dumps(times), flush=True)


def median_milliseconds(model: pathlib.Path, rknn_file: pathlib.Path, threads: int) -> dict:
    """Rounds alternate between the three, so that a busy moment of the machine hits all of them."""
    children = {}
    for kind in KINDS:
        command = [sys.executable, __file__, "child-infer", kind, str(model), str(rknn_file), str(threads)]
        children[kind] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for kind, child in children.items():
        if child.stdout.readline() != "ready\n":
            sys.exit(f"{kind} does not run {model}")
    times = {kind: [] for kind in KINDS}
    for _ in range(6):
        for kind, child in children.items():
            time.sleep(0.05)  # the peer's threads stop spinning
            child.stdin.write("\n")
            child.stdin.flush()
            times[kind] += json.loads(child.stdout.readline())
    for child in children.values():
        child.stdin.close()
        child.wait()
    return {kind: statistics.median(values) * 1e3 for kind, values in times.items()}


KINDS = ("onnxruntime", "float", "int8")
CHILDREN = {
    "child-build": child_build,
    "child-peer-build": child_peer_build,
}


def in_child(name: str, *arguments) -> dict:
    command = [sys.executable, __file__, name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


# ---- the tables ----


def bench_infer(models: list[pathlib.Path], work: pathlib.Path) -> None:
    print("\ninfer: median ms a run (ratio to onnxruntime fp32)")
    print(f"{'model':<16} {'threads':>7} {'onnxruntime':>12} {'float golden':>20} {'int8 simulator':>20}")
    for model in models:
        rknn_file = work / f"{model.stem}.rknn"
        build_rknn(model, rknn_file, work)
        for threads in (1, 2):
            ms = median_milliseconds(model, rknn_file, threads)
            cells = [f"{ms[key]:8.2f} ({ms[key] / ms['onnxruntime']:.2f}x)" for key in ("float", "int8")]
            print(f"{model.stem:<16} {threads:>7} {ms['onnxruntime']:>12.2f} {cells[0]:>20} {cells[1]:>20}", flush=True)


def dataset_for(model: pathlib.Path, work: pathlib.Path, count: int = 20) -> pathlib.Path:
    from pictures import picture_size, write_dataset

    size = picture_size(model)
    return write_dataset(work / f"pictures_{size}", size, count)


def build_rknn(model: pathlib.Path, target: pathlib.Path, work: pathlib.Path) -> None:
    import openrknn

    compiled = openrknn.compile(model, target="rk3588", dataset=dataset_for(model, work), mean=[MEAN], std=[STD])
    compiled.save(target)


def bench_build(models: list[pathlib.Path], work: pathlib.Path, rounds: int = 3) -> None:
    from peers import prepare

    print("\nbuild: 20 pictures; seconds (ratio to quantize_static alone), peak anonymous MB above the model's size")
    print(f"{'model':<16} {'size MB':>8} {'quantize_static':>16} {'build':>16} {'peak above':>11} {'at 200':>8}")
    for model in models:
        prepared, quantized = work / f"{model.stem}_17.onnx", work / f"{model.stem}_qdq.onnx"
        prepare(model, prepared)
        few, many = dataset_for(model, work, 20), dataset_for(model, work, 200)
        ours, peer = [], []
        for _ in range(rounds):
            peer.append(in_child("child-peer-build", prepared, few, quantized))
            ours.append(in_child("child-build", model, few))
        at_200 = in_child("child-build", model, many)
        seconds = [statistics.median(run["seconds"] for run in runs) for runs in (peer, ours)]
        size_mb = model.stat().st_size / 1e6
        above = [max(run["peak_mb"] for run in runs) * 1.048576 - size_mb for runs in (ours, [at_200])]
        print(
            f"{model.stem:<16} {size_mb:>8.1f} {seconds[0]:>16.2f} {seconds[1]:>8.2f} ({seconds[1] / seconds[0]:.2f}x)"
            f" {above[0]:>11.0f} {above[1]:>8.0f}",
            flush=True,
        )


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
    parser.add_argument("tables", nargs="*", default=["infer", "build", "import", "size"])
    parser.add_argument("--models", type=pathlib.Path, help="folder of .onnx files; default: generated")
    parser.add_argument("--only", help="names of models, comma-separated")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        models: list[pathlib.Path] = []
        if {"infer", "build"} & set(options.tables):
            if options.models is None:
                from networks import write_all

                options.models = write_all(work / "models")
            models = sorted(options.models.glob("*.onnx"))
            if options.only:
                models = [model for model in models if model.stem in options.only.split(",")]
        if "infer" in options.tables:
            bench_infer(models, work)
        if "build" in options.tables:
            bench_build(models, work)
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
