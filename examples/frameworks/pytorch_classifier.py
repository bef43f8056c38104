"""A TorchScript model on the simulator, as scripts for RKNN-Toolkit2 are written: the classes it sees in a picture.

python pytorch_classifier.py --model net.pt --image picture.png [--size 1 3 224 224] [--labels labels.txt]
                             [--mean 123.675 116.28 103.53] [--std 58.395 57.12 57.375] [--dataset dataset.txt]
Needs numpy and Pillow, and no torch: the model was saved with torch.jit.trace(model.eval(), example).save("net.pt"). With
--dataset it is built in int8; without, in float16, or with its own parameters if it was quantized.
"""

import argparse
import pathlib

import numpy as np
from PIL import Image

from rknn.api import RKNN


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument(
        "--size", type=int, nargs=4, default=[1, 3, 224, 224], help="the input's shape: files do not say it"
    )
    parser.add_argument("--labels", help="a line a class")
    parser.add_argument("--dataset", default="", help="a line a picture")
    parser.add_argument("--mean", type=float, nargs="+", default=[123.675, 116.28, 103.53])
    parser.add_argument("--std", type=float, nargs="+", default=[58.395, 57.12, 57.375])
    parser.add_argument("--output", default="", help="write the .rknn file here")
    options = parser.parse_args()

    rknn = RKNN(verbose=False)
    rknn.config(mean_values=[options.mean], std_values=[options.std], target_platform="rk3588")
    check(rknn.load_pytorch(model=options.model, input_size_list=[options.size]))
    check(rknn.build(do_quantization=bool(options.dataset), dataset=options.dataset or None))
    if options.output:
        check(rknn.export_rknn(options.output))
    check(rknn.init_runtime())

    _, channels, height, width = options.size
    picture = Image.open(options.image).convert("RGB" if channels == 3 else "L").resize((width, height))
    pixels = np.asarray(picture).reshape(1, height, width, channels)
    (scores,) = rknn.inference(inputs=[pixels], data_format=["nhwc"])
    rknn.release()
    scores = scores.ravel().astype(np.float64)
    if not np.isclose(scores.sum(), 1, atol=0.1):  # logits, as most classifiers of torch give
        scores = np.exp(scores - scores.max())
        scores /= scores.sum()
    labels = pathlib.Path(options.labels).read_text().splitlines() if options.labels else []
    for kind in np.argsort(-scores)[:5]:
        print(f"class {kind:4d}  {scores[kind]:.4f}  {labels[kind] if kind < len(labels) else ''}".rstrip())


if __name__ == "__main__":
    main()
