"""One model for three sizes of pictures. python dynamic_shape.py FOLDER; needs numpy and onnx."""

import sys

import network
import numpy as np

from rknn.api import RKNN

SHAPES = [[1, 3, 64, 96], [1, 3, 32, 48], [1, 3, 16, 16]]


def main(folder):
    rknn = RKNN()
    network.check(
        rknn.config(
            mean_values=[127.5] * 3,
            std_values=[127.5] * 3,
            target_platform="rk3588",
            dynamic_input=[[shape] for shape in SHAPES],
        )
    )
    network.check(rknn.load_onnx(network.save(f"{folder}/net.onnx")))
    # The samples have the largest shape; one set of quantization parameters serves all.
    network.check(rknn.build(dataset=network.pictures(folder, 64, 96)))
    network.check(rknn.export_rknn(f"{folder}/net.rknn"))
    network.check(rknn.init_runtime())
    for _, _, height, width in SHAPES:
        image = np.full((1, height, width, 3), 128, np.uint8)
        print(height, width, rknn.inference([image])[0].round(3))
    rknn.release()


if __name__ == "__main__":
    main(sys.argv[1])
