"""YOLO11 (docs.ultralytics.com/models/yolo11; arXiv:2410.17725): C3k2 blocks, attention after SPPF, light class heads.

The zoo cuts the heads as YOLOv8's.
"""

from functools import partial

from .attention import partial_attention
from .blocks import SIZE, bottleneck, csp, repeats, scaled, sppf
from .builder import Builder, Feature
from .yolov8 import c2f
from .yolov10 import split_heads

# depth, width, most channels, whether all blocks are of the deep kind
SCALES = {"n": (0.5, 0.25, 1024, False), "s": (0.5, 0.50, 1024, False), "m": (0.5, 1.0, 512, True)}


def shallow_step(b: Builder, x: Feature) -> Feature:
    return bottleneck(b, x, x.channels // 2)


def deep_step(b: Builder, x: Feature) -> Feature:
    return csp(b, x, x.channels, 2, kernels=(3, 3))


def c3k2(b: Builder, x: Feature, channels: int, count: int, deep: bool, share: float) -> Feature:
    """C2f whose steps carry this share of the channels."""
    inner = deep_step if deep else shallow_step
    return c2f(b, x, channels, count, inner=inner, hidden=int(channels * share))


def yolo11(scale: str):
    depth, width, most, all_deep = SCALES[scale]
    b = Builder(f"yolo11{scale}", act="silu")

    def c(channels):
        return scaled(width, channels, most)

    def block(x, channels, deep=False, share=0.5):
        return c3k2(b, x, c(channels), repeats(depth, 2), deep or all_deep, share)

    x = b.conv(b.conv(b.input(3, SIZE, SIZE), c(64), 3, stride=2), c(128), 3, stride=2)
    x = block(x, 256, share=0.25)
    p3 = block(b.conv(x, c(256), 3, stride=2), 512, share=0.25)
    p4 = block(b.conv(p3, c(512), 3, stride=2), 512, deep=True)
    x = block(b.conv(p4, c(1024), 3, stride=2), 1024, deep=True)
    p5 = partial_attention(b, sppf(b, x, c(1024)), repeats(depth, 2))
    middle = block(b.concat(b.upsample(p5), p4), 512)
    n3 = block(b.concat(b.upsample(middle), p3), 256)
    n4 = block(b.concat(b.conv(n3, c(256), 3, stride=2), middle), 512)
    n5 = block(b.concat(b.conv(n4, c(512), 3, stride=2), p5), 1024, deep=True)
    split_heads(b, [n3, n4, n5])
    return b.model()


# Published: the project's table of models, GFLOPs / 2.
NETWORKS = {
    "yolo11n": (partial(yolo11, "n"), 3.25),
    "yolo11s": (partial(yolo11, "s"), 10.75),
    "yolo11m": (partial(yolo11, "m"), 34.0),
}
