"""YOLOv10 (arXiv:2405.14458): YOLOv8 with spatial-channel decoupled downsampling, compact inverted blocks and attention.

Only the one-to-one head is deployed, cut as the zoo cuts YOLOv8's (its notes do not list the outputs).
Depthwise pairs (7x7 + 3x3) are joined to one 7x7.
"""

from functools import partial

from .attention import partial_attention
from .blocks import CLASSES, SIZE, output_scores, repeats, scaled, sppf
from .builder import Builder, Feature
from .yolov8 import box_branch, c2f, class_width

SCALES = {"n": (0.33, 0.25, 1024), "s": (0.33, 0.50, 1024)}  # depth, width, most channels


def shrink(b: Builder, x: Feature, channels: int) -> Feature:
    """Spatial-channel decoupled downsampling: channels by 1x1, then stride 2 by a depthwise convolution."""
    return b.depthwise(b.conv(x, channels), stride=2, act="none")


def compact_inverted_block(b: Builder, x: Feature) -> Feature:
    y = b.conv(b.depthwise(x), 2 * x.channels)
    return b.add(x, b.depthwise(b.conv(b.depthwise(y, 7), x.channels)))


def class_branch(b: Builder, x: Feature, hidden: int) -> Feature:
    """The light class head: two depthwise separable convolutions and one of 1x1."""
    y = b.conv(b.depthwise(b.conv(b.depthwise(x), hidden)), hidden)
    return b.conv(y, CLASSES, act="sigmoid")


def split_heads(b: Builder, maps: list):
    """Outputs of a scale: box distributions, class scores and their clipped sum."""
    narrowest = maps[0].channels
    for x in maps:
        b.output_feature(box_branch(b, x, narrowest))
        output_scores(b, class_branch(b, x, class_width(narrowest)))


def yolov10(scale: str):
    depth, width, most = SCALES[scale]
    b = Builder(f"yolov10{scale}", act="silu")

    def c(channels):
        return scaled(width, channels, most)

    def block(x, channels, count, shortcut=False, compact=False):
        inner = compact_inverted_block if compact else None
        return c2f(b, x, c(channels), repeats(depth, count), shortcut, inner)

    x = b.conv(b.conv(b.input(3, SIZE, SIZE), c(64), 3, stride=2), c(128), 3, stride=2)
    x = block(x, 128, 3, shortcut=True)
    p3 = block(b.conv(x, c(256), 3, stride=2), 256, 6, shortcut=True)
    p4 = block(shrink(b, p3, c(512)), 512, 6, shortcut=True)
    x = block(shrink(b, p4, c(1024)), 1024, 3, shortcut=True, compact=scale != "n")
    p5 = partial_attention(b, sppf(b, x, c(1024)))
    middle = block(b.concat(b.upsample(p5), p4), 512, 3)
    n3 = block(b.concat(b.upsample(middle), p3), 256, 3)
    n4 = block(b.concat(b.conv(n3, c(256), 3, stride=2), middle), 512, 3)
    n5 = block(b.concat(shrink(b, n4, c(512)), p5), 1024, 3, compact=True)
    split_heads(b, [n3, n4, n5])
    return b.model()


# Published: table 1 of the paper, GFLOPs / 2.
NETWORKS = {"yolov10n": (partial(yolov10, "n"), 3.35), "yolov10s": (partial(yolov10, "s"), 10.8)}
