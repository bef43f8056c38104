"""YOLOX (arXiv:2107.08430): Focus stem, CSPDarknet, SPP, PAN neck, decoupled heads without anchors.

The zoo cuts the decoding of boxes: a scale gives box, objectness and class scores joined to 85 channels. The zoo's
notes on exporting YOLOv5 (models/vision/object_detection/yolov5-pytorch) make Focus a convolution with the weights of a
permutation, since Slice is slow on NPUs; for YOLOX they do not say. The networks named conv_stem are made so.
"""

from functools import partial

from .blocks import CLASSES, SIZE, csp, pools_beside, repeats, scaled
from .builder import Builder, Feature

SCALES = {"s": (0.33, 0.50), "m": (0.67, 0.75)}  # depth, width


def focus(b: Builder, x: Feature) -> Feature:
    """Space to depth: the four phases of 2x2 cells (even row and column first, then down, right, both) joined."""
    ends, steps = b.constant([2**31 - 1], "int64"), b.constant([2], "int64")
    rows, columns = b.constant([2], "int64"), b.constant([3], "int64")
    phases = []
    for left in (0, 1):
        for top in (0, 1):
            y = b.node("Slice", x.name, b.constant([top], "int64"), ends, rows, steps)
            y = b.node("Slice", y, b.constant([left], "int64"), ends, columns, steps)
            phases.append(Feature(y, x.channels, x.height // 2, x.width // 2))
    return b.concat(*phases)


def focus_as_conv(b: Builder, x: Feature) -> Feature:
    return b.conv(x, 4 * x.channels, 2, stride=2, pad=0, act="none")


def spp(b: Builder, x: Feature, channels: int) -> Feature:
    return b.conv(b.concat(*pools_beside(b, b.conv(x, x.channels // 2))), channels)


def head(b: Builder, x: Feature, channels: int):
    x = b.conv(x, channels)
    scores, box = (b.conv(b.conv(x, channels, 3), channels, 3) for _ in range(2))
    scores = b.conv(scores, CLASSES, act="sigmoid")
    b.output_feature(b.concat(b.conv(box, 4, act="none"), b.conv(box, 1, act="sigmoid"), scores))


def yolox(scale: str, stem=focus):
    depth, width = SCALES[scale]
    b = Builder(f"yolox_{scale}" + ("" if stem is focus else "_conv_stem"), act="silu")

    def c(channels):
        return scaled(width, channels)

    def block(x, channels, count=3, shortcut=False):
        return csp(b, x, c(channels), repeats(depth, 3) * (count // 3), shortcut)

    x = b.conv(stem(b, b.input(3, SIZE, SIZE)), c(64), 3)
    x = block(b.conv(x, c(128), 3, stride=2), 128, shortcut=True)
    p3 = block(b.conv(x, c(256), 3, stride=2), 256, 9, shortcut=True)
    p4 = block(b.conv(p3, c(512), 3, stride=2), 512, 9, shortcut=True)
    p5 = block(spp(b, b.conv(p4, c(1024), 3, stride=2), c(1024)), 1024)
    top = b.conv(p5, c(512))
    middle = b.conv(block(b.concat(b.upsample(top), p4), 512), c(256))
    n3 = block(b.concat(b.upsample(middle), p3), 256)
    n4 = block(b.concat(b.conv(n3, c(256), 3, stride=2), middle), 512)
    n5 = block(b.concat(b.conv(n4, c(512), 3, stride=2), top), 1024)
    for x in (n3, n4, n5):
        head(b, x, c(256))
    return b.model()


# Published: table 2 of the paper, GFLOPs / 2.
NETWORKS = {
    "yolox_s": (partial(yolox, "s"), 13.4),
    "yolox_m": (partial(yolox, "m"), 36.9),
    "yolox_s_conv_stem": (partial(yolox, "s", focus_as_conv), 13.4),
    "yolox_m_conv_stem": (partial(yolox, "m", focus_as_conv), 36.9),
}
