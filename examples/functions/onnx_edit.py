"""A model whose input comes in another order than a camera gives. python onnx_edit.py FOLDER; needs numpy and onnx."""

import sys

import network
import onnx

from rknn.api import RKNN
from rknn.utils import onnx_edit


def main(folder):
    path = network.save(f"{folder}/net.onnx", 32, 48)
    dataset = network.pictures(folder, 32, 48)
    # [1, 3, 32, 48] in the model becomes [1, 32, 48, 3]; the samples are rearranged with it.
    onnx_edit(
        model=path,
        export_path=f"{folder}/edited.onnx",
        inputs_transform={"image": "a,b,c,d->a,c,d,b"},
        dataset=dataset,
    )
    shape = onnx.load(f"{folder}/edited.onnx").graph.input[0].type.tensor_type.shape
    print([dimension.dim_value for dimension in shape.dim])
    rknn = RKNN()
    network.check(rknn.config(target_platform="rk3588"))
    network.check(rknn.load_onnx(f"{folder}/edited.onnx"))
    network.check(rknn.build(dataset=f"{folder}/dataset_for_edited.txt"))
    network.check(rknn.export_rknn(f"{folder}/edited.rknn"))
    rknn.release()


if __name__ == "__main__":
    main(sys.argv[1])
