"""A frozen TensorFlow graph in int8 on the simulator, as scripts for RKNN-Toolkit2 are written: what it sees in a picture.

python tensorflow_classifier.py --pb frozen.pb --input input --output Identity --size 224 224 3 --dataset dataset.txt
                                --image picture.png [--mean 127.5] [--std 127.5]
Needs numpy and Pillow; TensorFlow is not needed. --input and --output are tensors, ':0' may be left out.
"""

import argparse

import numpy as np
from PIL import Image

from rknn.api import RKNN


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pb", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--size", type=int, nargs=3, required=True, metavar=("HEIGHT", "WIDTH", "CHANNELS"))
    parser.add_argument("--dataset", required=True, help="a line a picture")
    parser.add_argument("--image", required=True)
    parser.add_argument("--mean", type=float, nargs="+", default=[127.5])
    parser.add_argument("--std", type=float, nargs="+", default=[127.5])
    parser.add_argument("--rknn", default="", help="write the .rknn file here")
    options = parser.parse_args()

    height, width, channels = options.size
    mean, std = (values * channels if len(values) == 1 else values for values in (options.mean, options.std))
    rknn = RKNN(verbose=False)
    rknn.config(mean_values=[mean], std_values=[std], target_platform="rk3588")
    check(
        rknn.load_tensorflow(
            tf_pb=options.pb, inputs=[options.input], input_size_list=[options.size], outputs=[options.output]
        )
    )
    check(rknn.build(do_quantization=True, dataset=options.dataset))
    if options.rknn:
        check(rknn.export_rknn(options.rknn))
    check(rknn.init_runtime())

    picture = Image.open(options.image).convert("RGB" if channels == 3 else "L").resize((width, height))
    pixels = np.asarray(picture).reshape(1, height, width, channels)
    (scores,) = rknn.inference(inputs=[pixels], data_format=["nhwc"])
    rknn.release()
    scores = scores.ravel()
    for kind in np.argsort(-scores)[:5]:
        print(f"class {kind:4d}  {scores[kind]:.4f}")


if __name__ == "__main__":
    main()
