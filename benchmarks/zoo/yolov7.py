"""YOLOv7 and YOLOv7-tiny (arXiv:2207.02696), deployed: RepConv and implicit knowledge are folded to convolutions.

ELAN blocks, SPPCSPC, anchors. YOLOv7 has SiLU, tiny LeakyReLU(0.1). The zoo cuts the decoding of boxes: three outputs
of 255 channels after Sigmoid.
"""

from .blocks import SIZE, pools_beside
from .builder import Builder, Feature
from .yolov5 import output_anchors


def elan(b: Builder, x: Feature, entry: int, step: int, taken, channels: int) -> Feature:
    """Two 1x1 convolutions of x, then a chain of 3x3; those numbered in taken are joined with the two.

    entry, step: channels of the first two and of each of the chain. channels: of the result.
    """
    side, y = b.conv(x, entry), b.conv(x, entry)
    parts = [side, y]
    for number in range(1, max(taken) + 1):
        y = b.conv(y, step, 3)
        if number in taken:
            parts.append(y)
    return b.conv(b.concat(*reversed(parts)), channels)


def halve(b: Builder, x: Feature, channels: int, *others: Feature) -> Feature:
    """Half the size by pooling and by a strided convolution side by side, joined with others of that size."""
    pooled = b.conv(b.max_pool(x, 2, stride=2, pad=0), channels)
    return b.concat(b.conv(b.conv(x, channels), channels, 3, stride=2), pooled, *others)


def spp_csp(b: Builder, x: Feature, channels: int) -> Feature:
    y = b.conv(b.conv(b.conv(x, channels), channels, 3), channels)
    y = b.conv(b.conv(b.concat(*pools_beside(b, y)), channels), channels, 3)
    return b.conv(b.concat(y, b.conv(x, channels)), channels)


def yolov7():
    b = Builder("yolov7", act="silu")

    def backbone(x, width, channels):
        return elan(b, x, width, width, (2, 4), channels)

    def neck(x, channels):
        return elan(b, x, channels, channels // 2, (1, 2, 3, 4), channels)

    x = b.conv(b.conv(b.input(3, SIZE, SIZE), 32, 3), 64, 3, stride=2)
    x = b.conv(b.conv(x, 64, 3), 128, 3, stride=2)
    x = backbone(x, 64, 256)
    p3 = backbone(halve(b, x, 128), 128, 512)
    p4 = backbone(halve(b, p3, 256), 256, 1024)
    x = backbone(halve(b, p4, 512), 256, 1024)
    p5 = spp_csp(b, x, 512)
    middle = neck(b.concat(b.conv(p4, 256), b.upsample(b.conv(p5, 256))), 256)
    n3 = neck(b.concat(b.conv(p3, 128), b.upsample(b.conv(middle, 128))), 128)
    n4 = neck(halve(b, n3, 128, middle), 256)
    n5 = neck(halve(b, n4, 256, p5), 512)
    for x in (n3, n4, n5):
        output_anchors(b, b.conv(x, 2 * x.channels, 3))
    return b.model()


def yolov7_tiny():
    b = Builder("yolov7_tiny", act="leaky")

    def block(x, width, channels):
        return elan(b, x, width, width, (1, 2), channels)

    def halved(x):
        return b.max_pool(x, 2, stride=2, pad=0)

    x = b.conv(b.conv(b.input(3, SIZE, SIZE), 32, 3, stride=2), 64, 3, stride=2)
    p3 = block(halved(block(x, 32, 64)), 64, 128)
    p4 = block(halved(p3), 128, 256)
    x = block(halved(p4), 256, 512)
    side, y = b.conv(x, 256), b.conv(x, 256)
    p5 = b.conv(b.concat(b.conv(b.concat(*pools_beside(b, y)), 256), side), 256)
    middle = block(b.concat(b.conv(p4, 128), b.upsample(b.conv(p5, 128))), 64, 128)
    n3 = block(b.concat(b.conv(p3, 64), b.upsample(b.conv(middle, 64))), 32, 64)
    n4 = block(b.concat(b.conv(n3, 128, 3, stride=2), middle), 64, 128)
    n5 = block(b.concat(b.conv(n4, 256, 3, stride=2), p5), 128, 256)
    for x in (n3, n4, n5):
        output_anchors(b, b.conv(x, 2 * x.channels, 3))
    return b.model()


# Published: the project's table of models, GFLOPs / 2. The paper (table 2) has 13.8 GFLOPs for tiny with SiLU, which is
# 6.9 as here.
NETWORKS = {"yolov7_tiny": (yolov7_tiny, 6.6), "yolov7": (yolov7, 52.35)}
