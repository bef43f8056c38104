"""Ratios beside onnxruntime, in one run on one machine: python bench.py [infer|build|quant|growth|import|size]...

infer   latency of float golden beside onnxruntime fp32, of the int8 simulator beside onnxruntime's int8 (QDQ, QUInt8
        activations, QInt8 weights) and fp32, 1 and 2 threads; how two threads scale, beside pure multiply-adds. Where
        OpenVINO can be imported, the same int8 file in it stands beside them as the next mark (pip install openvino:
        an optional peer, which script/bootstrap does not install)
build   build(do_quantization=True), loading included, beside onnxruntime merely running the same pictures in fp32 and
        beside its quantize_static alone, and whether the goal was met; peak memory of all three
quant   build by range algorithm, in times that of normal
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

from bench_build import bench_build, bench_growth, bench_quant
from bench_infer import bench_infer
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
    parser.add_argument("tables", nargs="*", default=["infer", "build", "quant", "growth", "import", "size"])
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
        if {"infer", "build", "quant", "growth"} & set(options.tables):
            from networks import write_all

            generated = sorted(write_all(work / "models").glob("*.onnx"))
            networks = [Network(model.stem, model) for model in generated] + real_networks(options.models)
            if options.only:
                networks = [network for network in networks if network.name in options.only.split(",")]
        if "infer" in options.tables:
            bench_infer(networks, work, options.rounds)
        if "build" in options.tables:
            bench_build([network.file for network in networks if network.file.parent == work / "models"], work)
        if "quant" in options.tables:
            bench_quant([network.file for network in networks if network.file.parent == work / "models"], work)
        if "growth" in options.tables:
            bench_growth(next(network.file for network in networks if network.name == "mobilenet_v2"), work)
        if "import" in options.tables:
            bench_import()
        if "size" in options.tables:
            bench_size()


if __name__ == "__main__":
    main()
