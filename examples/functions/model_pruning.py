"""Channels that are always zero leave the network, and no number changes.

python model_pruning.py FOLDER    over the small network of network.py
python model_pruning.py FOLDER --model net.onnx --recorded net.npz [--silence 0.01]
Needs numpy and onnx. The .npz has the model's inputs as in0, in1, … and what it gave for them as out0, out1, …
Trained networks rarely have channels that are zero to the last bit, but many that are almost: --silence makes those of
BatchNormalization quite silent whose scale is under this and whose bias is not positive, in a copy, before both builds.
"""

import argparse
import os
import pathlib

import numpy as np
import onnx
from onnx import numpy_helper

from rknn.api import RKNN


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def silenced(path, folder, least):
    """A copy of the model without the channels that BatchNormalization scales to less than `least`."""
    model = onnx.load(path)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    count = total = 0
    for node in model.graph.node:
        if node.op_type != "BatchNormalization":
            continue
        names = node.input[1:3]
        scale, bias = (numpy_helper.to_array(constants[name]).copy() for name in names)
        quiet = (np.abs(scale) < least) & (bias <= 0)
        scale[quiet] = bias[quiet] = 0
        for name, values in zip(names, (scale, bias), strict=True):
            constants[name].CopyFrom(numpy_helper.from_array(values, name))
        count, total = count + quiet.sum(), total + len(quiet)
    print(f"silenced {count} of {total} channels")
    onnx.save(model, f"{folder}/silenced.onnx")
    return f"{folder}/silenced.onnx"


def outputs(options, inputs, prune):
    log = pathlib.Path(options.folder, "build.log")
    log.unlink(missing_ok=True)
    rknn = RKNN(verbose=True, verbose_file=str(log))
    check(rknn.config(target_platform="rk3588", model_pruning=prune))
    check(rknn.load_onnx(options.model))
    check(rknn.build(do_quantization=False))
    path = f"{options.folder}/{'pruned' if prune else 'whole'}.rknn"
    check(rknn.export_rknn(path))
    check(rknn.init_runtime())
    result = rknn.inference(inputs, data_format=["nchw"] * len(inputs))
    rknn.release()
    if prune and "model_pruning results" not in log.read_text():
        print("nothing to prune: no channel is always zero")
    return result, os.path.getsize(path)


def numbered(held, kind):
    return [held[f"{kind}{i}"] for i in range(sum(key.startswith(kind) for key in held))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model")
    parser.add_argument("--recorded")
    parser.add_argument("--silence", type=float, default=0)
    options = parser.parse_args()
    if options.model:
        held = np.load(options.recorded)
        inputs, recorded = numbered(held, "in"), numbered(held, "out")
    else:
        import network

        options.model = network.save(f"{options.folder}/net.onnx", 32, 32, silent_channels=6)
        inputs, recorded = [np.full((1, 3, 32, 32), 0.5, np.float32)], []
    if options.silence:
        options.model = silenced(options.model, options.folder, options.silence)

    whole, size = outputs(options, inputs, False)
    pruned, pruned_size = outputs(options, inputs, True)
    print(f"whole {size} bytes, pruned {pruned_size} bytes: {1 - pruned_size / size:.1%} less")
    print("equal:", all(np.array_equal(a, b) for a, b in zip(whole, pruned, strict=True)))
    for i, (wanted, got) in enumerate(zip(recorded, pruned, strict=bool(recorded))):
        print(f"output {i}: largest difference to the recorded one {np.abs(wanted - got).max():.5f}")


if __name__ == "__main__":
    main()
