"""A network becomes a C++ project on the RKNN C API, which is built and run on this machine.

python demo.py [--output DIR]    over a small network of its own, in int8; needs numpy, onnx, CMake and a C++ compiler
python demo.py [--output DIR] --model net.onnx --recorded net.npz [--quantize]
The .npz has the model's inputs as in0, in1, … and what it gave for them as out0, out1, …: what the C++ program gives is
compared with that. --quantize: int8, calibrated with these inputs, in place of float16. Writes net.rknn and the project
net_demo there.
"""

import argparse
import os
import pathlib
import re
import subprocess

import numpy as np

from rknn.api import RKNN

SIZE = 32


def network():
    """An image -> convolution, ReLU, the mean of each channel: four numbers."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

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
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "net.onnx")
    return "net.onnx"


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def cosine(a, b):
    a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return a @ b / np.sqrt((a @ a) * (b @ b))


def numbered(held, kind):
    return [held[f"{kind}{i}"] for i in range(sum(key.startswith(kind) for key in held))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("codegen"))
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--recorded", type=pathlib.Path)
    parser.add_argument("--quantize", action="store_true")
    options = parser.parse_args()
    model = options.model and str(options.model.resolve())
    held = np.load(options.recorded) if model else {}
    options.output.mkdir(parents=True, exist_ok=True)
    os.chdir(options.output)

    preprocessing = {}  # recorded inputs went through it
    if model:
        inputs, recorded = numbered(held, "in"), numbered(held, "out")
        samples = [inputs]
    else:
        model, options.quantize, recorded = network(), True, []
        preprocessing = {"mean_values": [127.5] * 3, "std_values": [127.5] * 3}
        random = np.random.default_rng(1)
        samples = [[random.integers(0, 256, (1, 3, SIZE, SIZE), dtype=np.uint8)] for _ in range(4)]
    lines = []
    for i, sample in enumerate(samples):
        lines.append([f"{i}_{j}.npy" for j in range(len(sample))])
        for name, array in zip(lines[-1], sample, strict=True):
            np.save(name, array)
    pathlib.Path("dataset.txt").write_text("".join(" ".join(line) + "\n" for line in lines))

    rknn = RKNN()
    check(rknn.config(target_platform="rk3588", **preprocessing))
    check(rknn.load_onnx(model))
    check(rknn.build(do_quantization=options.quantize, dataset="dataset.txt" if options.quantize else None))
    check(rknn.export_rknn("net.rknn"))
    check(rknn.codegen("net_demo", inputs=lines[0], overwrite=True))
    rknn.release()

    # For a device: ./build-linux.sh -a aarch64, with RKNN_RUNTIME_DIR=<folder of its librknnrt.so>.
    subprocess.run(["./build-linux.sh"], cwd="net_demo", check=True)
    installed = pathlib.Path("net_demo/install", f"linux_{os.uname().machine}").resolve()
    paths = "#".join(f"data/inputs/{name}" for name in lines[0])
    command = [installed / "rknn_app_demo", "model/net.rknn", paths, "5"]
    printed = subprocess.run(command, cwd=installed, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(printed)

    good = True
    names = re.findall(r"output\[\d+\] - (.*):$", printed, re.MULTILINE)
    for name, wanted in zip(names, recorded, strict=bool(recorded)):
        got = np.load(installed / "data/outputs/runtime" / (re.sub(r"[^0-9A-Za-z]", "_", name) + ".npy"))
        near = cosine(wanted, got) > 0.99
        print(f"{'PASS' if near else 'FAIL'} {name}: cosine to the recorded output {cosine(wanted, got):.6f}, ", end="")
        print(f"largest difference {np.abs(wanted - got).max():.5f} of {np.abs(wanted).max():.5f}")
        good = good and near
    if not good:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
