"""YOLOv8 (docs.ultralytics.com/models/yolov8, architecture description): C2f blocks, SPPF, PAN neck, split heads.

The zoo cuts the decoding of boxes: a scale gives box distributions (4 * 16), class scores and their clipped sum.
Segmentation adds 32 mask coefficients a scale and the prototypes; pose joins boxes and the one class of a scale and
decodes the key points.
"""

from functools import partial

import numpy as np

from .blocks import CLASSES, SIZE, bottleneck, output_scores, repeats, scaled, sppf
from .builder import Builder, Feature

BOX = 64  # four sides, 16 bins each
MASKS, KEY_POINTS = 32, 17
SCALES = {"n": (0.33, 0.25, 1024), "s": (0.33, 0.50, 1024), "m": (0.67, 0.75, 768)}  # depth, width, most channels


def c2f(b: Builder, x: Feature, channels: int, count: int, shortcut=True, inner=None, hidden=None) -> Feature:
    """Cross stage partial block that keeps every step.

    inner(b, x): a step; two 3x3 convolutions unless given. hidden: its channels; half of channels unless given.
    """
    hidden = hidden or channels // 2
    parts = b.split(b.conv(x, 2 * hidden), hidden, hidden)
    for _ in range(count):
        step = parts[-1]
        parts.append(inner(b, step) if inner else bottleneck(b, step, hidden, shortcut=shortcut))
    return b.conv(b.concat(*parts), channels)


def features(b: Builder, depth: float, width: float, most: int) -> list:
    """The neck's maps at strides 8, 16 and 32."""

    def c(channels):
        return scaled(width, channels, most)

    def block(x, channels, count, shortcut=True):
        return c2f(b, x, c(channels), repeats(depth, count), shortcut)

    x = b.conv(b.conv(b.input(3, SIZE, SIZE), c(64), 3, stride=2), c(128), 3, stride=2)
    x = block(x, 128, 3)
    p3 = block(b.conv(x, c(256), 3, stride=2), 256, 6)
    p4 = block(b.conv(p3, c(512), 3, stride=2), 512, 6)
    p5 = sppf(b, block(b.conv(p4, c(1024), 3, stride=2), 1024, 3), c(1024))
    middle = block(b.concat(b.upsample(p5), p4), 512, 3, shortcut=False)
    n3 = block(b.concat(b.upsample(middle), p3), 256, 3, shortcut=False)
    n4 = block(b.concat(b.conv(n3, c(256), 3, stride=2), middle), 512, 3, shortcut=False)
    n5 = block(b.concat(b.conv(n4, c(512), 3, stride=2), p5), 1024, 3, shortcut=False)
    return [n3, n4, n5]


def branch(b: Builder, x: Feature, hidden: int, channels: int, act="none") -> Feature:
    """A branch of a head: two 3x3 convolutions and one of 1x1."""
    return b.conv(b.conv(b.conv(x, hidden, 3), hidden, 3), channels, act=act)


def box_branch(b: Builder, x: Feature, narrowest: int) -> Feature:
    """narrowest: channels of the map at stride 8, by which the heads of all scales are sized."""
    return branch(b, x, max(16, narrowest // 4, BOX), BOX)


def class_width(narrowest: int, classes=CLASSES) -> int:
    return max(narrowest, min(classes, 100))


def yolov8(scale: str, segments: bool = False):
    b = Builder(f"yolov8{scale}" + ("_seg" if segments else ""), act="silu")
    maps = features(b, *SCALES[scale])
    narrowest = maps[0].channels
    for x in maps:
        b.output_feature(box_branch(b, x, narrowest))
        output_scores(b, branch(b, x, class_width(narrowest), CLASSES, act="sigmoid"))
        if segments:
            b.output_feature(branch(b, x, max(narrowest // 4, MASKS), MASKS))
    if segments:
        x = b.conv(maps[0], narrowest, 3)
        b.output_feature(b.conv(b.conv(b.deconv(x, narrowest), narrowest, 3), MASKS))
    return b.model()


def yolov8_pose(scale: str):
    b = Builder(f"yolov8{scale}_pose", act="silu")
    maps = features(b, *SCALES[scale])
    narrowest, numbers = maps[0].channels, 3 * KEY_POINTS
    points = []
    for x in maps:
        person = branch(b, x, class_width(narrowest, classes=1), 1)
        b.output_feature(b.concat(box_branch(b, x, narrowest), person))
        y = branch(b, x, max(narrowest // 4, numbers), numbers)
        points.append(b.reshape(y.name, [1, KEY_POINTS, 3, x.height * x.width]))
    decode_points(b, b.node("Concat", *points, axis=3), maps)
    return b.model()


def decode_points(b: Builder, points: str, maps: list):
    """Positions from [cell offset / 2 - 1] to pixels, visibility through Sigmoid: [1, points, 3, cells]."""
    sides = [x.height for x in maps]
    corners = np.concatenate([np.stack(np.meshgrid(*[np.arange(s)] * 2)).reshape(2, -1) for s in sides], axis=1)
    strides = np.concatenate([np.full(s * s, SIZE // s) for s in sides])
    position, visibility = b.node("Split", points, count=2, axis=2, split=[2, 1])
    position = b.node("Mul", position, b.constant(2.0))
    position = b.node("Add", position, b.constant(corners[None, None]))
    position = b.node("Mul", position, b.constant(strides[None, None, None]))
    y = b.node("Concat", position, b.node("Sigmoid", visibility), axis=2)
    b.output(y, [1, KEY_POINTS, 3, len(strides)])


# Published: the project's tables of models, GFLOPs / 2. Those of segmentation count the transposed convolution per element
# of its output, four times what it takes: 5 % of the whole, and all of the deviation (parameters agree).
NETWORKS = {
    "yolov8n": (partial(yolov8, "n"), 4.35),
    "yolov8s": (partial(yolov8, "s"), 14.3),
    "yolov8m": (partial(yolov8, "m"), 39.45),
    "yolov8n_seg": (partial(yolov8, "n", segments=True), 6.3),
    "yolov8s_seg": (partial(yolov8, "s", segments=True), 21.3),
    "yolov8m_seg": (partial(yolov8, "m", segments=True), 55.1),
    "yolov8n_pose": (partial(yolov8_pose, "n"), 4.6),
}
