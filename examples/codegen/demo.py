"""A small network becomes a C++ project on the RKNN C API, which is built and run on this machine.

python demo.py [--output DIR]   needs numpy, onnx, CMake and a C++ compiler. Writes net.rknn and the project net_demo there.
"""

import argparse
import os
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rknn.api import RKNN

SIZE = 32


def network():
    """An image -> convolution, ReLU, the mean of each channel: four numbers."""
    random = np.random.default_rng(0)
    weights = numpy_helper.from_array(random.standard_normal((4, 3, 3, 3)).astype(np.float32), "weights")
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["features"], name="features", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["active"], name="active"),
        helper.make_node("GlobalAveragePool", ["active"], ["means"], name="means"),
        helper.make_node("Flatten", ["means"], ["scores"], name="scores"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("codegen"))
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    os.chdir(output)
    onnx.save(network(), "net.onnx")
    random = np.random.default_rng(1)
    for i in range(4):
        np.save(f"{i}.npy", random.integers(0, 256, (1, 3, SIZE, SIZE), dtype=np.uint8))
    pathlib.Path("dataset.txt").write_text("".join(f"{i}.npy\n" for i in range(4)))

    rknn = RKNN()
    check(rknn.config(mean_values=[127.5] * 3, std_values=[127.5] * 3, target_platform="rk3588"))
    check(rknn.load_onnx("net.onnx"))
    check(rknn.build(do_quantization=True, dataset="dataset.txt"))
    check(rknn.export_rknn("net.rknn"))
    check(rknn.codegen("net_demo", inputs=["0.npy"], overwrite=True))

    # For a device: ./build-linux.sh -a aarch64, with RKNN_RUNTIME_DIR=<folder of its librknnrt.so>.
    subprocess.run(["./build-linux.sh"], cwd="net_demo", check=True)
    installed = pathlib.Path("net_demo/install", f"linux_{os.uname().machine}").resolve()
    command = [installed / "rknn_app_demo", "model/net.rknn", "data/inputs/0.npy", "5"]
    subprocess.run(command, cwd=installed, check=True)


if __name__ == "__main__":
    main()
