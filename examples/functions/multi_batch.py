"""Four pictures in one run, spread over the cores. python multi_batch.py FOLDER; needs numpy and onnx."""

import sys

import network
import numpy as np

from rknn.api import RKNN


def main(folder):
    rknn = RKNN()
    network.check(rknn.config(mean_values=[127.5] * 3, std_values=[127.5] * 3, target_platform="rk3588"))
    network.check(rknn.load_onnx(network.save(f"{folder}/net.onnx", 32, 32)))
    # Samples have one item, the model four.
    network.check(rknn.build(dataset=network.pictures(folder, 32, 32), rknn_batch_size=4))
    network.check(rknn.export_rknn(f"{folder}/net.rknn"))
    network.check(rknn.init_runtime())
    images = np.concatenate([np.full((1, 32, 32, 3), 60 * i, np.uint8) for i in range(4)])
    scores = rknn.inference([images])[0]
    print(scores.shape)
    print(scores.round(3))
    rknn.release()


if __name__ == "__main__":
    main(sys.argv[1])
