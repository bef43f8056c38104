"""YOLOv6 v3/v4 (arXiv:2209.02976, arXiv:2301.05586), deployed: re-parameterised blocks are 3x3 convolutions with ReLU.

n and s: EfficientRep backbone and RepBiFPAN neck of plain rows of convolutions, SimCSPSPPF. m: the same stages as
cross stage partial blocks (BepC3) and SimSPPF. The decoupled heads have SiLU. The zoo cuts the decoding of boxes: a
scale gives box sides (4, or 4 * 17 bins in m), class scores and their clipped sum.
"""

from functools import partial

from .blocks import CLASSES, SIZE, output_scores, pools_in_row, repeats, scaled, sppf
from .builder import Builder, Feature

# depth, width, share of channels inside a cross stage partial block (None: rows of convolutions), channels of boxes
SCALES = {"n": (0.33, 0.25, None, 4), "s": (0.33, 0.50, None, 4), "m": (0.60, 0.75, 2 / 3, 68)}


def row(b: Builder, x: Feature, channels: int, count: int) -> Feature:
    for _ in range(count):
        x = b.conv(x, channels, 3)
    return x


def linear_step(b: Builder, x: Feature) -> Feature:
    """Two convolutions beside a shortcut that is scaled by a learned number."""
    y = b.conv(b.conv(x, x.channels, 3), x.channels, 3)
    return b.add(y, b.scale(x, b.constant([0.9])))


def bep_c3(b: Builder, x: Feature, channels: int, count: int, share: float) -> Feature:
    hidden = int(channels * share)
    y, side = b.conv(x, hidden), b.conv(x, hidden)
    for _ in range(count // 2):
        y = linear_step(b, y)
    return b.conv(b.concat(y, side), channels)


def sim_csp_sppf(b: Builder, x: Feature, channels: int) -> Feature:
    hidden = channels // 2
    y = b.conv(b.conv(b.conv(x, hidden), hidden, 3), hidden)
    side = b.conv(x, hidden)
    y = b.conv(b.conv(b.concat(*pools_in_row(b, y)), hidden), hidden, 3)
    return b.conv(b.concat(side, y), channels)


def fuse_three(b: Builder, deep: Feature, same: Feature, shallow: Feature) -> Feature:
    """Bi-directional concatenation of a map with those of half and of twice its size."""
    channels = deep.channels
    up, down = b.deconv(deep, channels), b.conv(b.conv(shallow, channels), channels, 3, stride=2)
    return b.conv(b.concat(up, b.conv(same, channels), down), channels)


def head(b: Builder, x: Feature, box: int):
    x = b.conv(x, x.channels, act="silu")
    scores = b.conv(b.conv(x, x.channels, 3, act="silu"), CLASSES, act="sigmoid")
    b.output_feature(b.conv(b.conv(x, x.channels, 3, act="silu"), box, act="none"))
    output_scores(b, scores)


def yolov6(scale: str):
    depth, width, share, box = SCALES[scale]
    b = Builder(f"yolov6{scale}", act="relu")

    def c(channels):
        return scaled(width, channels)

    def block(x, channels, count):
        count = repeats(depth, count)
        return bep_c3(b, x, c(channels), count, share) if share else row(b, x, c(channels), count)

    x = b.conv(b.input(3, SIZE, SIZE), c(64), 3, stride=2)
    p2 = block(b.conv(x, c(128), 3, stride=2), 128, 6)
    p3 = block(b.conv(p2, c(256), 3, stride=2), 256, 12)
    p4 = block(b.conv(p3, c(512), 3, stride=2), 512, 18)
    x = block(b.conv(p4, c(1024), 3, stride=2), 1024, 6)
    p5 = sppf(b, x, c(1024)) if share else sim_csp_sppf(b, x, c(1024))
    top = b.conv(p5, c(256))
    middle = b.conv(block(fuse_three(b, top, p4, p3), 256, 12), c(128))
    n3 = block(fuse_three(b, middle, p3, p2), 128, 12)
    n4 = block(b.concat(b.conv(n3, c(128), 3, stride=2), middle), 256, 12)
    n5 = block(b.concat(b.conv(n4, c(256), 3, stride=2), top), 512, 12)
    for x in (n3, n4, n5):
        head(b, x, box)
    return b.model()


# Published: the project's table of models (release 0.4), GFLOPs / 2.
NETWORKS = {
    "yolov6n": (partial(yolov6, "n"), 5.7),
    "yolov6s": (partial(yolov6, "s"), 22.65),
    "yolov6m": (partial(yolov6, "m"), 42.9),
}
