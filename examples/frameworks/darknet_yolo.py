"""A DarkNet detector in int8 on the simulator: boxes in a picture, decoded on the host as DarkNet's [yolo] layers do.

python darknet_yolo.py --cfg yolo-fastest-1.1.cfg --weights yolo-fastest-1.1.weights --image dog.jpg [--calibrate PICTURE…]
Needs numpy and Pillow. The heads are not part of the built model: what they decode are its outputs, and their anchors are
in the metadata of the graph.
"""

import argparse
import pathlib
import tempfile

import numpy as np
from PIL import Image

import openrknn
from rknn.api import RKNN


def heads(cfg, weights):
    """Options of the [yolo] layers, in the order of the model's outputs."""
    metadata = openrknn.import_model(cfg, weights=weights).metadata
    names = sorted((name for name in metadata if name.startswith("darknet.yolo")), key=lambda n: int(n.split("_")[1]))
    return [dict(option.split("=", 1) for option in metadata[name].split(";")) for name in names]


def decode(raw, head, size):
    """Rows of (x, y, width, height in pixels of the network's input, score, class) of one head."""
    anchors = np.float32(head["anchors"].split(",")).reshape(-1, 2)[[int(i) for i in head["mask"].split(",")]]
    classes = int(head["classes"])
    rows, columns = raw.shape[2:]
    cells = raw.reshape(len(anchors), 5 + classes, rows, columns).transpose(2, 3, 0, 1)

    def logistic(x):
        return 1 / (1 + np.exp(-x))

    stretch = float(head.get("scale_x_y", 1))
    y, x = np.mgrid[:rows, :columns][..., None]
    centre_x = (x + logistic(cells[..., 0]) * stretch - (stretch - 1) / 2) / columns * size
    centre_y = (y + logistic(cells[..., 1]) * stretch - (stretch - 1) / 2) / rows * size
    width, height = np.exp(cells[..., 2]) * anchors[:, 0], np.exp(cells[..., 3]) * anchors[:, 1]
    scores = logistic(cells[..., 4:5]) * logistic(cells[..., 5:])
    boxes = np.stack(
        [centre_x - width / 2, centre_y - height / 2, width, height, scores.max(-1), scores.argmax(-1)], -1
    )
    return boxes.reshape(-1, 6)


def overlap(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:4], b[:2] + b[2:4])
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (np.prod(a[2:4]) + np.prod(b[2:4]) - shared)


def chosen(boxes, threshold, most_overlap=0.45):
    kept = []
    for box in boxes[np.argsort(-boxes[:, 4])]:
        if box[4] >= threshold and all(box[5] != other[5] or overlap(box, other) < most_overlap for other in kept):
            kept.append(box)
    return kept


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--calibrate", nargs="*", default=[], help="pictures to calibrate with; default: the one")
    parser.add_argument("--threshold", type=float, default=0.3)
    options = parser.parse_args()

    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588", mean_values=[[0, 0, 0]], std_values=[[255, 255, 255]])
    check(rknn.load_darknet(model=options.cfg, weight=options.weights))
    with tempfile.TemporaryDirectory() as folder:
        listing = pathlib.Path(folder) / "dataset.txt"
        pictures = options.calibrate or [options.image]
        listing.write_text("".join(f"{pathlib.Path(picture).resolve()}\n" for picture in pictures))
        check(rknn.build(do_quantization=True, dataset=str(listing)))
    check(rknn.init_runtime())

    _, _, size, _ = openrknn.import_model(options.cfg, weights=options.weights).inputs[0][1]
    picture = Image.open(options.image).convert("RGB")
    outputs = rknn.inference(inputs=[np.asarray(picture.resize((size, size)))[None]])
    rknn.release()
    described = heads(options.cfg, options.weights)
    boxes = np.concatenate([decode(raw, head, size) for raw, head in zip(outputs, described, strict=True)])
    for x, y, width, height, score, kind in chosen(boxes, options.threshold):
        left, top, right, bottom = np.array([x, y, x + width, y + height]) / size * (picture.size * 2)
        print(f"class {int(kind):2d}  score {score:.2f}  {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}")


if __name__ == "__main__":
    main()
