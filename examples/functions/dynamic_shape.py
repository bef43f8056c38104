"""One model for several sizes of pictures.

python dynamic_shape.py FOLDER    over the small network of network.py; needs numpy and onnx
python dynamic_shape.py FOLDER --model slim-320_without_postprocessing.onnx --image photo.jpg --dataset dataset.txt
                        [--sizes 480x640 240x320 120x160]
finds faces in every size; needs numpy and Pillow. The model is UltraFace
(github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB); its boxes are decoded here, for any size. Every size is
held against a float16 build of that size alone. Writes net.rknn.
"""

import argparse

import numpy as np

from rknn.api import RKNN


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def built(options, mean_std, quantize, shapes):
    """Runs a build for these shapes; a single one is asked of load_onnx."""
    rknn = RKNN()
    several = {"dynamic_input": [[shape] for shape in shapes]} if len(shapes) > 1 else {}
    check(rknn.config(target_platform="rk3588", **mean_std, **several))
    single = {} if several else {"inputs": [options.input], "input_size_list": shapes}
    check(rknn.load_onnx(options.model, **single))
    # The samples have the largest shape; one set of quantization parameters serves all.
    check(rknn.build(do_quantization=quantize, dataset=options.dataset if quantize else None))
    if quantize:
        check(rknn.export_rknn(f"{options.folder}/net.rknn"))
    check(rknn.init_runtime())
    return rknn


def cosine(a, b):
    a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return a @ b / np.sqrt((a @ a) * (b @ b))


def anchors(height, width):
    """What UltraFace's boxes are relative to: rows of (centre x, centre y, width, height), in 0 to 1."""
    rows = []
    for stride, sides in ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256))):
        for y in range(-(-height // stride)):
            for x in range(-(-width // stride)):
                centre = (x + 0.5) * stride / width, (y + 0.5) * stride / height
                rows += [(*centre, side / width, side / height) for side in sides]
    return np.clip(np.array(rows), 0, 1)


def overlap(a, b):
    shared = np.prod(np.maximum(np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2]), 0))
    return shared / (np.prod(a[2:4] - a[:2]) + np.prod(b[2:4] - b[:2]) - shared)


def faces(scores, offsets, height, width, threshold=0.7, most_overlap=0.3):
    """Rows of (left, top, right, bottom in 0 to 1, score), the surest first."""
    places = anchors(height, width)
    centres = places[:, :2] + offsets[0, :, :2] * 0.1 * places[:, 2:]
    halves = places[:, 2:] * np.exp(offsets[0, :, 2:] * 0.2) / 2
    boxes = np.concatenate([centres - halves, centres + halves, scores[0, :, 1:]], axis=1)
    kept = []
    for box in boxes[np.argsort(-boxes[:, 4])]:
        if box[4] >= threshold and all(overlap(box, other) < most_overlap for other in kept):
            kept.append(box)
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model")
    parser.add_argument("--image")
    parser.add_argument("--dataset")
    parser.add_argument("--sizes", nargs="+", default=["480x640", "240x320", "120x160"], help="height x width")
    options = parser.parse_args()
    if options.model:
        from PIL import Image

        options.input, mean_std = "input", {"mean_values": [[127] * 3], "std_values": [[128] * 3]}
        sizes = [tuple(map(int, size.split("x"))) for size in options.sizes]
        picture = Image.open(options.image).convert("RGB")
        images = [np.asarray(picture.resize((width, height)))[None] for height, width in sizes]
    else:
        import network

        options.input, mean_std = "image", {"mean_values": [[127.5] * 3], "std_values": [[127.5] * 3]}
        sizes = [(64, 96), (32, 48), (16, 16)]
        options.model = network.save(f"{options.folder}/net.onnx")
        options.dataset = network.pictures(options.folder, 64, 96)
        random = np.random.default_rng(2)
        images = [random.integers(0, 256, (1, *size, 3), dtype=np.uint8) for size in sizes]

    shapes = [[1, 3, *size] for size in sizes]
    dynamic = built(options, mean_std, True, shapes)
    for (height, width), shape, image in zip(sizes, shapes, images, strict=True):
        outputs = dynamic.inference([image])
        alone = built(options, mean_std, False, [shape])
        cosines = [f"{cosine(a, b):.4f}" for a, b in zip(outputs, alone.inference([image]), strict=True)]
        alone.release()
        shapes_of = " ".join(str(list(output.shape)) for output in outputs)
        print(f"{height}x{width}: {shapes_of}, cosine to float16 of this size alone {' '.join(cosines)}")
        if options.image:
            for box in faces(*outputs, height, width):
                left, top, right, bottom = box[:4] * (picture.size * 2)
                print(f"  face {box[4]:.2f}  {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}")
    dynamic.release()


if __name__ == "__main__":
    main()
