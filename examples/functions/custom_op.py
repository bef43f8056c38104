"""An operator of one's own, computed in Python: the last Softmax of a network becomes cstSoftmax, and classes stay.

python custom_op.py FOLDER    over the small network of network.py
python custom_op.py FOLDER --model net.onnx --images test.npz --dataset dataset.txt [--mean 127.5] [--std 127.5]
Needs numpy and onnx. The .npz has `images` (uint8, [count, height, width, channels]) and `labels`. On a board a plug-in
library computes the operator (examples/custom_op_plugin).
"""

import argparse

import numpy as np
import onnx
from onnx import helper

from rknn.api import RKNN
from rknn.api.custom_op import get_node_attr


class Softmax:
    op_type = "cstSoftmax"

    def shape_infer(self, node, in_shapes, in_dtypes):
        return [in_shapes[0]], [in_dtypes[0]]

    def compute(self, node, inputs):
        axis = get_node_attr(node, "axis")
        powers = np.exp(inputs[0] - inputs[0].max(axis, keepdims=True))
        return [powers / powers.sum(axis, keepdims=True)]


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def replaced(path, folder):
    """A copy of the model in which our operator has the place of the last Softmax."""
    model = onnx.load(path)
    node = [node for node in model.graph.node if node.op_type == "Softmax"][-1]
    if not node.attribute:
        node.attribute.append(helper.make_attribute("axis", -1))
    node.op_type, node.domain = Softmax.op_type, "rknn_cst"
    model.opset_import.append(helper.make_opsetid("rknn_cst", 1))
    onnx.save(model, f"{folder}/custom.onnx")
    return f"{folder}/custom.onnx"


def scores(options, images, model, custom=False):
    """What the model gives for each picture; of the one with our operator, also how good every layer is."""
    channels = images.shape[-1]
    rknn = RKNN()
    mean_std = {"mean_values": [[options.mean] * channels], "std_values": [[options.std] * channels]}
    check(rknn.config(target_platform="rk3588", **mean_std))
    if custom:
        check(rknn.reg_custom_op(Softmax()))
    check(rknn.load_onnx(model))
    check(rknn.build(dataset=options.dataset))
    check(rknn.export_rknn(f"{options.folder}/{'custom' if custom else 'original'}.rknn"))
    check(rknn.init_runtime())
    result = np.concatenate([rknn.inference([image[None]], data_format=["nhwc"])[0] for image in images])
    if custom:
        np.save(f"{options.folder}/image.npy", images[:1].transpose(0, 3, 1, 2))
        check(rknn.accuracy_analysis([f"{options.folder}/image.npy"], output_dir=None))
    rknn.release()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model")
    parser.add_argument("--images")
    parser.add_argument("--dataset")
    parser.add_argument("--mean", type=float, default=127.5)
    parser.add_argument("--std", type=float, default=127.5)
    options = parser.parse_args()
    if options.model:
        held = np.load(options.images)
        images, labels = held["images"], held["labels"]
    else:
        import network

        options.model = network.save(f"{options.folder}/net.onnx", 32, 32, softmax=True)
        options.dataset = network.pictures(options.folder, 32, 32)
        images, labels = np.random.default_rng(2).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8), None

    original = scores(options, images, options.model)
    custom = scores(options, images, replaced(options.model, options.folder), custom=True)
    same = np.sum(original.argmax(1) == custom.argmax(1))
    print(f"same class: {same} of {len(images)}, largest difference {np.abs(original - custom).max():.4f}")
    if labels is not None:
        for name, found in (("Softmax", original), (Softmax.op_type, custom)):
            print(f"{name}: {np.sum(found.argmax(1) == labels)} of {len(labels)} right")


if __name__ == "__main__":
    main()
