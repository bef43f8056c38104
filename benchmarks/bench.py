"""Ratios beside onnxruntime, in one run on one machine: python bench.py [TABLE]...

infer   latency of float golden beside onnxruntime fp32, of the int8 simulator beside onnxruntime's int8 (QDQ, QUInt8
        activations, QInt8 weights) and fp32, 1 and 2 threads; how two threads scale, beside pure multiply-adds. Where
        OpenVINO can be imported, the same int8 file in it stands beside them as the next mark (pip install openvino:
        an optional peer, which script/bootstrap does not install)
build   build(do_quantization=True), loading included, beside onnxruntime merely running the same pictures in fp32 and
        beside its quantize_static alone, and whether the goal was met; peak memory of all three
quant   build by range algorithm, in times that of normal; peak memory by number of pictures
analysis  layer analysis in times the two passes over the same pictures alone; its files apart
search  how long the search for layers to lift takes
growth  build over ever more pictures, one convolution over ever more multiplications: times that grow linearly, with
        the line fitted to them (least squares) and how well it fits (R²)
import  time and memory of `import rknn.api`
size    installed size of the wheel without numpy

Times are medians. Speeds (infer) over 1 mean that OpenRKNN is faster, time ratios (build) under 1. Nothing is asserted.
"""

import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

from bench_build import bench_build, bench_growth
from bench_infer import bench_infer
from bench_quant import bench_analysis, bench_memory, bench_quant, bench_search
from real_networks import Network, real_networks


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
    every = ["infer", "build", "quant", "analysis", "search", "growth", "import", "size"]
    parser.add_argument("tables", nargs="*", default=every, metavar="TABLE", help=", ".join(every))
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
    if unknown := set(options.tables) - set(every):
        parser.error(f"there is no table {', '.join(sorted(unknown))}; expected {', '.join(every)}")
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        networks: list[Network] = []
        if set(options.tables) - {"import", "size"}:
            from networks import NETWORKS, write

            wanted = options.only.split(",") if options.only else None
            print("networks:", end="", flush=True)
            for name in sorted(NETWORKS):
                # One is what the tables of a single network show.
                if wanted is None or name in wanted or name == "mobilenet_v2":
                    print(f" {name}", end="", flush=True)
                    networks.append(Network(name, write(work / "models", name)))
            print(flush=True)
            networks += real_networks(options.models)
            mobilenet = next(network.file for network in networks if network.name == "mobilenet_v2")
            if wanted:
                networks = [network for network in networks if network.name in wanted]
        made = [network.file for network in networks if network.file.parent == work / "models"]
        if "infer" in options.tables:
            bench_infer(networks, work, options.rounds)
        if "build" in options.tables:
            bench_build(made, work)
        if "quant" in options.tables:
            bench_quant(made, work)
            bench_memory(mobilenet, work)
        if "analysis" in options.tables:
            bench_analysis(made, work)
        if "search" in options.tables:
            bench_search(mobilenet, work)
        if "growth" in options.tables:
            bench_growth(mobilenet, work)
        if "import" in options.tables:
            bench_import()
        if "size" in options.tables:
            bench_size()


if __name__ == "__main__":
    main()
