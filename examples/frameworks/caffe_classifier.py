"""A Caffe net in int8 on the simulator, as scripts for RKNN-Toolkit2 are written: the classes it sees in a picture.

python caffe_classifier.py --prototxt net.prototxt --caffemodel net.caffemodel --dataset dataset.txt --image picture.png
                           [--mean 127.5] [--std 127.5] [--bgr]
Needs numpy and Pillow. --bgr: the net was trained on pictures read by OpenCV.
"""

import argparse

import numpy as np
from PIL import Image

import openrknn
from rknn.api import RKNN


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prototxt", required=True)
    parser.add_argument("--caffemodel", required=True)
    parser.add_argument("--dataset", required=True, help="a line a picture")
    parser.add_argument("--image", required=True)
    parser.add_argument("--mean", type=float, nargs="+", default=[127.5])
    parser.add_argument("--std", type=float, nargs="+", default=[127.5])
    parser.add_argument("--bgr", action="store_true")
    parser.add_argument("--output", default="", help="write the .rknn file here")
    options = parser.parse_args()

    _, channels, height, width = openrknn.import_model(options.prototxt, weights=options.caffemodel).inputs[0][1]
    mean, std = (values * channels if len(values) == 1 else values for values in (options.mean, options.std))
    rknn = RKNN(verbose=False)
    rknn.config(mean_values=[mean], std_values=[std], quant_img_RGB2BGR=options.bgr, target_platform="rk3588")
    check(rknn.load_caffe(model=options.prototxt, blobs=options.caffemodel))
    check(rknn.build(do_quantization=True, dataset=options.dataset))
    if options.output:
        check(rknn.export_rknn(options.output))
    check(rknn.init_runtime())

    picture = Image.open(options.image).convert("RGB" if channels == 3 else "L").resize((width, height))
    pixels = np.asarray(picture).reshape(1, height, width, channels)
    (scores,) = rknn.inference(inputs=[pixels[..., ::-1] if options.bgr else pixels], data_format=["nhwc"])
    rknn.release()
    scores = scores.ravel().astype(np.float64)
    if scores.min() < 0 or abs(scores.sum() - 1) > 0.1:  # logits
        scores = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    for kind in np.argsort(-scores)[:5]:
        print(f"class {kind:4d}  {scores[kind]:.4f}")


if __name__ == "__main__":
    main()
