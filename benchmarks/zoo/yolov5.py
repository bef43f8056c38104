"""YOLOv5 release 6/7 (docs.ultralytics.com/yolov5, architecture description): C3 blocks, SPPF, PAN neck, anchors.

The zoo cuts the decoding of boxes: three outputs of 3 * (5 + classes) channels after Sigmoid. Segmentation adds
3 * 32 mask coefficients a scale and the mask prototypes.
"""

from functools import partial

from .blocks import CLASSES, SIZE, csp, repeats, scaled, sppf
from .builder import Builder, Feature

ANCHORS, MASKS = 3, 32
SCALES = {"n": (0.33, 0.25), "s": (0.33, 0.50), "m": (0.67, 0.75)}  # depth, width


def features(b: Builder, depth: float, width: float) -> list:
    """The neck's maps at strides 8, 16 and 32."""

    def c(channels):
        return scaled(width, channels)

    def block(x, channels, count, shortcut=True):
        return csp(b, x, c(channels), repeats(depth, count), shortcut)

    x = b.conv(b.input(3, SIZE, SIZE), c(64), 6, stride=2, pad=2)
    x = block(b.conv(x, c(128), 3, stride=2), 128, 3)
    p3 = block(b.conv(x, c(256), 3, stride=2), 256, 6)
    p4 = block(b.conv(p3, c(512), 3, stride=2), 512, 9)
    x = sppf(b, block(b.conv(p4, c(1024), 3, stride=2), 1024, 3), c(1024))
    top = b.conv(x, c(512))
    x = block(b.concat(b.upsample(top), p4), 512, 3, shortcut=False)
    middle = b.conv(x, c(256))
    n3 = block(b.concat(b.upsample(middle), p3), 256, 3, shortcut=False)
    n4 = block(b.concat(b.conv(n3, c(256), 3, stride=2), middle), 512, 3, shortcut=False)
    n5 = block(b.concat(b.conv(n4, c(512), 3, stride=2), top), 1024, 3, shortcut=False)
    return [n3, n4, n5]


def output_anchors(b: Builder, x: Feature):
    b.output_feature(b.conv(x, ANCHORS * (5 + CLASSES), act="sigmoid"))


def yolov5(scale: str, act: str = "silu", segments: bool = False):
    depth, width = SCALES[scale]
    b = Builder("yolov5" + scale + ("_seg" if segments else "") + ("_relu" if act == "relu" else ""), act)
    maps = features(b, depth, width)
    for x in maps:
        output_anchors(b, x)
        if segments:
            b.output_feature(b.conv(x, ANCHORS * MASKS, act="none"))
    if segments:
        hidden = scaled(width, 256)
        x = b.upsample(b.conv(maps[0], hidden, 3))
        b.output_feature(b.conv(b.conv(x, hidden, 3), MASKS))
    return b.model()


# Published: the project's table of models, GFLOPs / 2. ReLU in place of SiLU changes no convolution.
NETWORKS = {
    "yolov5n": (partial(yolov5, "n"), 2.25),
    "yolov5s": (partial(yolov5, "s"), 8.25),
    "yolov5m": (partial(yolov5, "m"), 24.5),
    "yolov5s_relu": (partial(yolov5, "s", "relu"), 8.25),
    "yolov5n_seg": (partial(yolov5, "n", segments=True), 3.55),
    "yolov5s_seg": (partial(yolov5, "s", segments=True), 13.2),
    "yolov5m_seg": (partial(yolov5, "m", segments=True), 35.4),
}
