"""RetinaFace (arXiv:1905.00641) on MobileNetV1 x 0.25, 320x320: FPN, SSH context modules, two anchors a cell.

Outputs: boxes [1, 4200, 4], scores after Softmax [1, 4200, 2], five landmarks [1, 4200, 10].
"""

from .builder import Builder, Feature

SIZE, ANCHORS, WIDTH = 320, 2, 64
# MobileNetV1 x 0.25: channels and stride of its depthwise separable convolutions, for maps at strides 8, 16 and 32
STAGES = (
    ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)),
    ((128, 2), (128, 1), (128, 1), (128, 1), (128, 1), (128, 1)),
    ((256, 2), (256, 1)),
)
HEADS = ((4, False), (2, True), (10, False))  # numbers an anchor, whether Softmax follows


def context(b: Builder, x: Feature) -> Feature:
    """SSH: windows of 3, 5 and 7 as rows of 3x3 convolutions."""
    three = b.conv(x, WIDTH // 2, 3, act="none")
    row = b.conv(x, WIDTH // 4, 3)
    five = b.conv(row, WIDTH // 4, 3, act="none")
    seven = b.conv(b.conv(row, WIDTH // 4, 3), WIDTH // 4, 3, act="none")
    return b.activation(b.concat(three, five, seven), "relu")


def numbers_of_anchors(b: Builder, x: Feature, numbers: int) -> str:
    y = b.conv(x, ANCHORS * numbers, act="none")
    return b.reshape(b.node("Transpose", y.name, perm=[0, 2, 3, 1]), [1, ANCHORS * x.height * x.width, numbers])


def retinaface_mobile320():
    b = Builder("retinaface_mobile320", act="leaky")
    x = b.conv(b.input(3, SIZE, SIZE, "input0"), 8, 3, stride=2)
    laterals = []
    for stage in STAGES:
        for channels, stride in stage:
            x = b.conv(b.depthwise(x, stride=stride), channels)
        laterals.append(x)
    p3, p4, p5 = (b.conv(lateral, WIDTH) for lateral in laterals)
    p4 = b.conv(b.add(p4, b.upsample(p5)), WIDTH, 3)
    p3 = b.conv(b.add(p3, b.upsample(p4)), WIDTH, 3)
    maps = [context(b, x) for x in (p3, p4, p5)]
    cells = sum(x.height * x.width for x in maps)
    for numbers, probability in HEADS:
        y = b.node("Concat", *(numbers_of_anchors(b, x, numbers) for x in maps), axis=1)
        y = b.node("Softmax", y, axis=2) if probability else y
        b.output(y, [1, ANCHORS * cells, numbers])
    return b.model()


# Published: 1.02 GMAC at 640x640 (YongtaoGe/RetinaFace) and 0.194 at 320x240 (biubug6/Face-Detector-1MB-with-landmark),
# a quarter and four thirds of which are 0.255 and 0.259. They count normalizations, folded here, too.
NETWORKS = {"retinaface_mobile320": (retinaface_mobile320, 0.255)}
