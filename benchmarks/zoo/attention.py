"""Self-attention over the cells of a feature map, as YOLOv10 (arXiv:2405.14458, figure 3) introduced it."""

from .builder import Builder, Feature

HEAD = 64  # channels of a head's values; its keys and queries have half as many


def attention(b: Builder, x: Feature) -> Feature:
    """Multi-head attention with a depthwise convolution of the values as position encoding; no residual."""
    heads, cells, key = x.channels // HEAD, x.height * x.width, HEAD // 2
    joined = b.conv(x, x.channels + 2 * heads * key, act="none").name
    joined = b.reshape(joined, [1, heads, 2 * key + HEAD, cells])
    query, keys, values = b.node("Split", joined, count=3, axis=2, split=[key, key, HEAD])
    scores = b.node("MatMul", b.node("Transpose", query, perm=[0, 1, 3, 2]), keys)
    weights = b.node("Softmax", b.node("Mul", scores, b.constant(key**-0.5)), axis=3)
    y = b.node("MatMul", values, b.node("Transpose", weights, perm=[0, 1, 3, 2]))
    position = b.depthwise(x._replace(name=b.reshape(values, x.shape)), act="none")
    return b.conv(b.add(x._replace(name=b.reshape(y, x.shape)), position), x.channels, act="none")


def partial_attention(b: Builder, x: Feature, count: int = 1) -> Feature:
    """Attention and a feed-forward network, count times, over one half of the channels (PSA, C2PSA)."""
    side, y = b.split(b.conv(x, x.channels), x.channels // 2, x.channels // 2)
    for _ in range(count):
        y = b.add(y, attention(b, y))
        y = b.add(y, b.conv(b.conv(y, 2 * y.channels), y.channels, act="none"))
    return b.conv(b.concat(side, y), x.channels)
