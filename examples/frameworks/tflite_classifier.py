"""A TFLite model on the simulator, as scripts for RKNN-Toolkit2 are written: the classes it sees in a picture.

python tflite_classifier.py --model net.tflite --image picture.png [--labels labels.txt] [--mean 127.5] [--std 127.5]
                            [--dataset dataset.txt]
Needs numpy and Pillow. With --dataset a float model is built in int8 (mean and std are then those of its training);
without, float models are built in float16 and quantized ones with the parameters they bring.
"""

import argparse
import pathlib

import numpy as np
from PIL import Image

import openrknn
from rknn.api import RKNN


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--labels", help="a line a class")
    parser.add_argument("--dataset", default="", help="a line a picture")
    parser.add_argument("--mean", type=float, nargs="+", default=[127.5])
    parser.add_argument("--std", type=float, nargs="+", default=[127.5])
    parser.add_argument("--output", default="", help="write the .rknn file here")
    options = parser.parse_args()

    _, (_, height, width, channels), dtype = openrknn.import_model(options.model).inputs[0]
    mean, std = (values * channels if len(values) == 1 else values for values in (options.mean, options.std))
    rknn = RKNN(verbose=False)
    if dtype == "float32":
        rknn.config(mean_values=[mean], std_values=[std], target_platform="rk3588")
    else:  # takes pixels as they are: what is subtracted from them is in its own parameters
        rknn.config(target_platform="rk3588")
    check(rknn.load_tflite(model=options.model))
    check(rknn.build(do_quantization=bool(options.dataset), dataset=options.dataset or None))
    if options.output:
        check(rknn.export_rknn(options.output))
    check(rknn.init_runtime())

    picture = Image.open(options.image).convert("RGB" if channels == 3 else "L").resize((width, height))
    pixels = np.asarray(picture).reshape(1, height, width, channels)
    (scores,) = rknn.inference(inputs=[pixels], data_format=["nhwc"])
    rknn.release()
    scores = scores.ravel().astype(np.float64)
    if dtype == "uint8":
        scores /= scores.sum()  # codes come back as codes; the scale of a softmax is 1/256
    labels = pathlib.Path(options.labels).read_text().splitlines() if options.labels else []
    for kind in np.argsort(-scores)[:5]:
        print(f"class {kind:4d}  {scores[kind]:.4f}  {labels[kind] if kind < len(labels) else ''}".rstrip())


if __name__ == "__main__":
    main()
