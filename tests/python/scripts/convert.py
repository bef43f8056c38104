"""convert.py ONNX PLATFORM [i8|fp] [OUT]: the form scripts of RKNN's model zoo have, nothing of ours but the import."""

import os
import sys

from rknn.api import RKNN

MEAN = [123.675, 116.28, 103.53]
STD = [58.395, 57.12, 57.375]
# What a script of the zoo knows of its model: names and sizes for exporters that left them open, and a dataset.
INPUTS = os.environ.get("MODEL_INPUTS")
SIZES = os.environ.get("MODEL_SIZES")
DATASET = os.environ.get("MODEL_DATASET", "dataset.txt")


def parse_arguments():
    if len(sys.argv) < 3:
        print(f"Usage: python3 {sys.argv[0]} ONNX PLATFORM [i8|fp] [OUT]")
        sys.exit(1)
    do_quant = True
    if len(sys.argv) > 3:
        if sys.argv[3] not in ["i8", "fp"]:
            print(f"ERROR: Invalid model type: {sys.argv[3]}")
            sys.exit(1)
        do_quant = sys.argv[3] == "i8"
    output = sys.argv[4] if len(sys.argv) > 4 else os.path.splitext(sys.argv[1])[0] + ".rknn"
    return sys.argv[1], sys.argv[2], do_quant, output


if __name__ == "__main__":
    model_path, platform, do_quant, output_path = parse_arguments()

    rknn = RKNN(verbose=False)

    print("--> Config model")
    rknn.config(mean_values=[MEAN], std_values=[STD], target_platform=platform)
    print("done")

    print("--> Loading model")
    options = {}
    if INPUTS:
        options["inputs"] = INPUTS.split(",")
    if SIZES:
        options["input_size_list"] = [[int(extent) for extent in size.split("x")] for size in SIZES.split(",")]
    ret = rknn.load_onnx(model=model_path, **options)
    if ret != 0:
        print("Load model failed!")
        sys.exit(ret)
    print("done")

    print("--> Building model")
    ret = rknn.build(do_quantization=do_quant, dataset=DATASET)
    if ret != 0:
        print("Build model failed!")
        sys.exit(ret)
    print("done")

    print("--> Export rknn model")
    ret = rknn.export_rknn(output_path)
    if ret != 0:
        print("Export rknn model failed!")
        sys.exit(ret)
    print("done")

    rknn.release()
