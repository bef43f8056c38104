"""An operator of one's own, computed in Python. python custom_op.py FOLDER; needs numpy and onnx.

On a board a plug-in library computes it (examples/custom_op_plugin).
"""

import sys

import network
import numpy as np
import onnx
from onnx import helper

from rknn.api import RKNN
from rknn.api.custom_op import get_node_attr


class Softsign:
    op_type = "cstScaledSoftsign"

    def shape_infer(self, node, in_shapes, in_dtypes):
        return [in_shapes[0]], [in_dtypes[0]]

    def compute(self, node, inputs):
        x = inputs[0] * get_node_attr(node, "scale")
        return [x / (1 + np.abs(x))]


def main(folder):
    path = network.save(f"{folder}/net.onnx", 32, 32)
    model = onnx.load(path)
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type, relu.domain = "cstScaledSoftsign", "rknn_cst"
    relu.attribute.append(helper.make_attribute("scale", 2.0))
    model.opset_import.append(helper.make_opsetid("rknn_cst", 1))
    onnx.save(model, path)

    rknn = RKNN()
    network.check(rknn.config(mean_values=[127.5] * 3, std_values=[127.5] * 3, target_platform="rk3588"))
    network.check(rknn.reg_custom_op(Softsign()))
    network.check(rknn.load_onnx(path))
    network.check(rknn.build(dataset=network.pictures(folder, 32, 32)))
    network.check(rknn.export_rknn(f"{folder}/net.rknn"))
    network.check(rknn.init_runtime())
    print(rknn.inference([np.full((1, 32, 32, 3), 200, np.uint8)])[0].round(3))
    network.check(rknn.accuracy_analysis([f"{folder}/0.npy"], output_dir=None))
    rknn.release()


if __name__ == "__main__":
    main(sys.argv[1])
