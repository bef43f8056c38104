"""Channels that are always zero leave the network, and no number changes. python model_pruning.py FOLDER; needs numpy
and onnx."""

import os
import sys

import network
import numpy as np

from rknn.api import RKNN


def scores(folder, prune):
    rknn = RKNN()
    network.check(rknn.config(target_platform="rk3588", model_pruning=prune))
    network.check(rknn.load_onnx(network.save(f"{folder}/net.onnx", 32, 32, silent_channels=6)))
    network.check(rknn.build(do_quantization=False))
    path = f"{folder}/{'pruned' if prune else 'whole'}.rknn"
    network.check(rknn.export_rknn(path))
    network.check(rknn.init_runtime())
    result = rknn.inference([np.full((1, 32, 32, 3), 0.5, np.float32)])[0]
    rknn.release()
    print(path, os.path.getsize(path), "bytes")
    return result


def main(folder):
    whole, pruned = scores(folder, False), scores(folder, True)
    print("equal:", np.array_equal(whole, pruned))


if __name__ == "__main__":
    main(sys.argv[1])
