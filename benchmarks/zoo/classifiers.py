"""Image classifiers of the zoo, 224x224: MobileNetV2 (arXiv:1801.04381) and ResNet-50 v2 (arXiv:1603.05027)."""

from .builder import Builder

# MobileNetV2, table 2: expansion, channels, blocks, stride of the first block.
MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
RESNET50_STAGES = ((3, 256), (4, 512), (6, 1024), (3, 2048))  # blocks, channels


def mobilenetv2():
    b = Builder("mobilenetv2", act="relu6")
    x = b.conv(b.input(3, 224, 224, "input"), 32, 3, stride=2)
    for expansion, channels, blocks, first_stride in MOBILENET_STAGES:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            y = b.conv(x, expansion * x.channels) if expansion > 1 else x
            y = b.conv(b.depthwise(y, stride=stride), channels, act="none")
            x = b.add(x, y) if stride == 1 and x.channels == channels else y
    b.classifier(b.conv(x, 1280))
    return b.model()


def resnet50_v2():
    """Pre-activation: a normalization of the sum begins every block, so no convolution can take it up.

    Those between a block's own convolutions are folded. The stride is in the 3x3 convolution, and the first
    normalization (of the picture) is a layer too, as in the ONNX model zoo's resnet50-v2-7.
    """
    b = Builder("resnet50_v2", act="relu")
    x = b.conv(b.batch_norm(b.input(3, 224, 224, "data")), 64, 7, stride=2)
    x = b.max_pool(x, 3, stride=2)
    for stage, (blocks, channels) in enumerate(RESNET50_STAGES):
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            y = b.batch_norm(x, "relu")
            shortcut = b.conv(y, channels, stride=stride, act="none") if block == 0 else x
            y = b.conv(b.conv(y, channels // 4), channels // 4, 3, stride=stride)
            x = b.add(b.conv(y, channels, act="none"), shortcut)
    b.classifier(b.batch_norm(x, "relu"))
    return b.model()


# Published: MobileNetV2 table 4 (300 M multiply-adds); ResNet-50 4.1 G.
NETWORKS = {"mobilenetv2": (mobilenetv2, 0.30), "resnet50_v2": (resnet50_v2, 4.1)}
