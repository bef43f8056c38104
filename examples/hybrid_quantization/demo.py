"""Hybrid quantization: one layer of a small network loses too much in int8 and is lifted to float16.

python demo.py [--output DIR]   needs numpy and onnx. Writes net.model, net.data, net.quantization.cfg and net.rknn there.
"""

import argparse
import os
import pathlib
import re

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rknn.api import RKNN

SIZE = 32


def network():
    """Two convolutions around a depthwise one whose channels differ by four decades: one int8 scale does not fit it."""
    random = np.random.default_rng(0)

    def weights(name, *shape):
        return numpy_helper.from_array(
            (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32), name
        )

    spread = numpy_helper.from_array(np.logspace(0, 3, 8, dtype=np.float32).reshape(1, 8, 1, 1), "spread")
    back = numpy_helper.from_array(np.logspace(0, -3, 8, dtype=np.float32).reshape(1, 8, 1, 1), "back")
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["first"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["first"], ["bent"], name="bent"),
        helper.make_node("Mul", ["bent", "spread"], ["wide"], name="wide"),
        helper.make_node("Abs", ["wide"], ["folded"], name="folded"),
        helper.make_node("Mul", ["folded", "back"], ["level"], name="level"),
        helper.make_node("Conv", ["level", "w1"], ["last"], name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("last", TensorProto.FLOAT, [1, 4, SIZE, SIZE])],
        [weights("w0", 8, 3, 3, 3), weights("w1", 4, 8, 1, 1), spread, back],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def pictures(count):
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (1, SIZE, SIZE, 3), dtype=np.uint8) for _ in range(count)]


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def run(rknn, images):
    check(rknn.init_runtime())
    return np.stack([rknn.inference([image], data_format=["nhwc"])[0] for image in images])


def decibels(wanted, got):
    return 10 * np.log10(np.square(wanted).sum() / np.square(wanted - got).sum())


def loaded():
    rknn = RKNN()
    check(rknn.config(mean_values=[127.5] * 3, std_values=[127.5] * 3, target_platform="rk3588"))
    check(rknn.load_onnx("net.onnx"))
    return rknn


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("hybrid"))
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    os.chdir(output)  # step 1 writes its files into the working directory
    onnx.save(network(), "net.onnx")
    images = pictures(8)
    for i, image in enumerate(images):
        np.save(f"{i}.npy", image.transpose(0, 3, 1, 2))
    pathlib.Path("dataset.txt").write_text("".join(f"{i}.npy\n" for i in range(len(images))))

    float16, int8 = loaded(), loaded()
    check(float16.build(do_quantization=False))
    check(int8.build(do_quantization=True, dataset="dataset.txt"))
    wanted = run(float16, images)

    # Step 1: calibrate and write the files.
    check(loaded().hybrid_quantization_step1(dataset="dataset.txt", proposal=False))
    # Edit: the layers that give and read the wide tensor compute in float16. Their names are keys of the file.
    config = pathlib.Path("net.quantization.cfg")
    text = config.read_text()
    names = [
        name for name in re.findall(r"^    (.+):$", text, re.MULTILINE) if name in ("wide", "folded", "level", "last")
    ]
    layers = "custom_quantize_layers:\n" + "\n".join(f"    {name}: float16" for name in names)
    config.write_text(text.replace("custom_quantize_layers: {}", layers))
    # Step 2: build. A fresh object needs neither config nor the model.
    hybrid = RKNN()
    check(hybrid.hybrid_quantization_step2("net.model", "net.data", "net.quantization.cfg"))
    check(hybrid.export_rknn("net.rknn"))

    print(f"int8:   {decibels(wanted, run(int8, images)):.1f} dB")
    print(f"hybrid: {decibels(wanted, run(hybrid, images)):.1f} dB, float16: {', '.join(names)}")


if __name__ == "__main__":
    main()
