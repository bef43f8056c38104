"""A model whose inputs and outputs come in another order than a camera gives and a program wants.

python onnx_edit.py FOLDER    over the small network of network.py
python onnx_edit.py FOLDER --model net.onnx --recorded net.npz
Needs numpy and onnx. The .npz has the model's inputs as in0, in1, … and what it gave for them as out0, out1, …
Every input and output of four dimensions, [1, C, H, W], becomes [1, H, W, C]. Writes edited.onnx and edited.rknn.
"""

import argparse
import pathlib

import numpy as np
import onnx

from rknn.api import RKNN
from rknn.utils import onnx_edit

CHANNELS_LAST = "a,b,c,d->a,c,d,b"


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def described(path):
    """Shapes by name, of inputs and of outputs. Older files list their constants among the inputs."""
    graph = onnx.load(path).graph
    constants = {tensor.name for tensor in graph.initializer}
    shapes = [
        {value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim] for value in values}
        for values in (graph.input, graph.output)
    ]
    return [{name: shape for name, shape in each.items() if name not in constants} for each in shapes]


def turned(array):
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def outputs(options, model, inputs, dataset=None):
    """int8 with a dataset, float16 without."""
    rknn = RKNN()
    check(rknn.config(target_platform="rk3588"))
    check(rknn.load_onnx(model))
    check(rknn.build(do_quantization=dataset is not None, dataset=dataset))
    check(rknn.export_rknn(f"{options.folder}/{pathlib.Path(model).stem}.rknn"))
    check(rknn.init_runtime())
    # Arrays are given in the model's own shape.
    result = rknn.inference(inputs, data_format=["nchw"] * len(inputs))
    rknn.release()
    return result


def numbered(held, kind):
    return [held[f"{kind}{i}"] for i in range(sum(key.startswith(kind) for key in held))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model")
    parser.add_argument("--recorded")
    options = parser.parse_args()
    if options.model:
        held = np.load(options.recorded)
        inputs, recorded = numbered(held, "in"), numbered(held, "out")
    else:
        import network

        options.model = network.save(f"{options.folder}/net.onnx", 32, 48)
        inputs, recorded = [np.random.default_rng(2).uniform(0, 255, (1, 3, 32, 48)).astype(np.float32)], []
    folder = pathlib.Path(options.folder)
    for i, array in enumerate(inputs):
        np.save(folder / f"in{i}.npy", array)
    (folder / "dataset.txt").write_text(" ".join(f"in{i}.npy" for i in range(len(inputs))) + "\n")

    edited = f"{folder}/edited.onnx"
    transforms = [
        {name: CHANNELS_LAST for name, shape in values.items() if len(shape) == 4}
        for values in described(options.model)
    ]
    # The samples of the dataset are rearranged with the inputs.
    status = onnx_edit(
        model=options.model,
        export_path=edited,
        inputs_transform=transforms[0],
        outputs_transform=transforms[1],
        dataset=f"{folder}/dataset.txt",
    )
    check(status)
    for before, after in zip(described(options.model), described(edited), strict=True):
        for name, shape in before.items():
            print(f"{name}: {shape} -> {after[name]}")

    for dtype in ("float16", "int8"):
        datasets = (f"{folder}/dataset.txt", f"{folder}/dataset_for_edited.txt") if dtype == "int8" else (None, None)
        original = outputs(options, options.model, inputs, datasets[0])
        changed = outputs(options, edited, [turned(array) for array in inputs], datasets[1])
        for i, (a, b) in enumerate(zip(original, changed, strict=True)):
            print(f"{dtype} output {i}: largest difference to the model as it was {np.abs(turned(a) - b).max():.6f}")
        for i, (a, b) in enumerate(zip(recorded, changed, strict=bool(recorded))):
            error = np.abs(turned(a) - b).max()
            print(f"{dtype} output {i}: largest difference to the recorded {error:.6f} of {np.abs(a).max():.3f}")


if __name__ == "__main__":
    main()
