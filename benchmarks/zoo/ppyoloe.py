"""PP-YOLOE+ (arXiv:2203.16250; PaddleDetection's description), deployed: RepVGG blocks are 3x3 convolutions.

CSPRepResNet backbone with effective squeeze and excitation, CSPPAN neck with SPP, task-aligned heads. The zoo cuts the
decoding of boxes: a scale gives box distributions (4 * 17), class scores and their clipped sum.
"""

from functools import partial

from .blocks import CLASSES, SIZE, output_scores, pools_beside, repeats
from .builder import Builder, Feature

BOX = 68  # four sides, 17 bins each
SCALES = {"s": (0.33, 0.50), "m": (0.67, 0.75)}  # depth, width
STAGES = ((3, 128), (6, 256), (6, 512), (3, 1024))  # blocks, channels


def gate(b: Builder, x: Feature, sigmoid: str, alpha=None) -> Feature:
    """x times a weight per channel: a 1x1 convolution of its mean, through Sigmoid or HardSigmoid."""
    weights = b.conv(b.global_average(x), x.channels, act="none")
    settings = {} if alpha is None else {"alpha": alpha, "beta": 0.5}
    return b.scale(x, b.node(sigmoid, weights.name, **settings))


def block(b: Builder, x: Feature, shortcut: bool) -> Feature:
    y = b.conv(b.conv(x, x.channels, 3), x.channels, 3)
    return b.add(x, y) if shortcut else y


def backbone_stage(b: Builder, x: Feature, channels: int, count: int) -> Feature:
    x = b.conv(x, (x.channels + channels) // 2, 3, stride=2)
    half = x.channels // 2
    side, y = b.conv(x, half), b.conv(x, half)
    for _ in range(count):
        y = block(b, y, shortcut=True)
    return b.conv(gate(b, b.concat(side, y), "HardSigmoid", alpha=1 / 6), channels)


def neck_stage(b: Builder, x: Feature, channels: int, count: int, pyramid=False) -> Feature:
    """pyramid: spatial pyramid pooling after the middle block."""
    half = channels // 2
    side, y = b.conv(x, half), b.conv(x, half)
    for number in range(count):
        y = block(b, y, shortcut=False)
        if pyramid and number == (count - 1) // 2:
            y = b.conv(b.concat(*pools_beside(b, y)), half)
    return b.conv(b.concat(side, y), channels)


def head(b: Builder, x: Feature):
    scores = b.add(b.conv(gate(b, x, "Sigmoid"), x.channels), x)
    box = b.conv(gate(b, x, "Sigmoid"), x.channels)
    b.output_feature(b.conv(box, BOX, 3, act="none"))
    output_scores(b, b.conv(scores, CLASSES, 3, act="sigmoid"))


def ppyoloe(scale: str):
    depth, width = SCALES[scale]
    b = Builder(f"ppyoloe_{scale}", act="silu")
    first = int(64 * width)
    x = b.conv(b.input(3, SIZE, SIZE, "image"), first // 2, 3, stride=2)
    x = b.conv(b.conv(x, first // 2, 3), first, 3)
    maps = []
    for count, channels in STAGES:
        x = backbone_stage(b, x, int(channels * width), repeats(depth, count))
        maps.append(x)
    _, p3, p4, p5 = maps
    count = repeats(depth, 3)
    wide, middle, narrow = (int(channels * width) for channels in (768, 384, 192))

    def down(x):
        return b.conv(x, x.channels, 3, stride=2)

    top = neck_stage(b, p5, wide, count, pyramid=True)
    n4 = neck_stage(b, b.concat(b.upsample(b.conv(top, wide // 2)), p4), middle, count)
    n3 = neck_stage(b, b.concat(b.upsample(b.conv(n4, middle // 2)), p3), narrow, count)
    m4 = neck_stage(b, b.concat(down(n3), n4), middle, count)
    m5 = neck_stage(b, b.concat(down(m4), top), wide, count)
    for x in (n3, m4, m5):
        head(b, x)
    return b.model()


# Published: PaddleDetection's table of models, GFLOPs / 2.
NETWORKS = {"ppyoloe_s": (partial(ppyoloe, "s"), 8.68), "ppyoloe_m": (partial(ppyoloe, "m"), 24.955)}
