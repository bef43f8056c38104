"""Parts that several families of detectors share."""

from .builder import Builder, Feature

SIZE = 640  # of the square input picture, pixels
CLASSES = 80  # COCO


def scaled(width: float, channels: int, most: int = 1024) -> int:
    """Channels of a scaled network: a multiple of 8, as the YOLO families round."""
    return -(-int(min(channels, most) * width) // 8) * 8


def repeats(depth: float, count: int) -> int:
    return max(round(count * depth), 1)


def csp(b: Builder, x: Feature, channels: int, count: int, shortcut=True, kernels=(1, 3)) -> Feature:
    """Cross stage partial block with three convolutions around it (C3 of YOLOv5, CSPLayer of YOLOX)."""
    half = channels // 2
    y, side = b.conv(x, half), b.conv(x, half)
    for _ in range(count):
        y = bottleneck(b, y, half, kernels, shortcut)
    return b.conv(b.concat(y, side), channels)


def bottleneck(b: Builder, x: Feature, hidden: int, kernels=(3, 3), shortcut=True) -> Feature:
    """Two convolutions, the second back to the channels of x."""
    y = b.conv(b.conv(x, hidden, kernels[0]), x.channels, kernels[1])
    return b.add(x, y) if shortcut else y


def pools_in_row(b: Builder, x: Feature, kernel=5) -> list:
    """x and what three poolings one after the other make of it."""
    pools = [x]
    for _ in range(3):
        pools.append(b.max_pool(pools[-1], kernel))
    return pools


def pools_beside(b: Builder, x: Feature, kernels=(5, 9, 13)) -> list:
    """x and what poolings of growing windows make of it."""
    return [x, *(b.max_pool(x, kernel) for kernel in kernels)]


def sppf(b: Builder, x: Feature, channels: int) -> Feature:
    """Spatial pyramid pooling, fast: three 5x5 poolings in a row stand for windows 5, 9 and 13."""
    return b.conv(b.concat(*pools_in_row(b, b.conv(x, x.channels // 2))), channels)


def output_scores(b: Builder, scores: Feature):
    """The zoo's class outputs: the scores, and their sum clipped to [0, 1] by which empty cells are skipped."""
    b.output_feature(scores)
    total = b.node("ReduceSum", scores.name, axes=[1], keepdims=1)
    clipped = b.node("Clip", total, b.constant(0.0), b.constant(1.0))
    b.output_feature(scores._replace(name=clipped, channels=1))
