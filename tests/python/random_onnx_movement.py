"""Random nodes of operators that move or choose elements, or give shapes. See random_onnx_operators.py."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper
from random_onnx_maker import i64, maker

# ---- shapes and movement


@maker("Reshape")
def reshape(b, op):
    x = b.pick()
    extents = list(b.shape(x))
    if b.flag() and len(extents) > 1:
        extents = [0] * (len(extents) - 2) + [-1]
    else:
        extents = [*extents, 1] if len(extents) < 6 else [-1]
        extents[b.integer(0, len(extents) - 1)] = -1
    b.node(op, [x, b.constant(i64(extents))], exact=True)


@maker("Flatten")
def flatten(b, op):
    x = b.pick(least=1)
    b.node(op, [x], exact=True, axis=b.axis(x))


@maker("Squeeze")
def squeeze(b, op):
    x = b.pick(least=1)
    ones = [a for a, extent in enumerate(b.shape(x)) if extent == 1]
    if not ones:
        x, ones = b.node("Unsqueeze", [x, b.constant(i64([0]))], exact=True), [0]
    b.node(op, [x, b.constant(i64([b.choice(ones)]))] if b.flag() else [x], exact=True)


@maker("Unsqueeze")
def unsqueeze(b, op):
    x = b.pick(most=4)
    rank = b.rank(x) + 1
    b.node(op, [x, b.constant(i64([b.integer(-rank, rank - 1)]))], exact=True)


@maker("Transpose")
def transpose(b, op):
    x = b.pick(least=1)
    order = list(range(b.rank(x)))
    for i in range(len(order) - 1, 0, -1):
        j = b.integer(0, i)
        order[i], order[j] = order[j], order[i]
    b.node(op, [x], exact=True, perm=order if b.flag() else None)


@maker("Concat")
def concat(b, op):
    x = b.pick(least=1)
    axis = b.axis(x)
    parts = [x]
    for _ in range(b.integer(0, 2)):
        shape = list(b.shape(x))
        shape[axis] = b.integer(1, 4)
        parts.append(b.choice([b.input, b.constant])(b.numbers(shape)))
    b.node(op, parts if b.flag() else parts[::-1], exact=True, axis=axis)


@maker("Split")
def split(b, op):
    x = b.pick(least=1)
    axis = b.axis(x)
    extent = b.shape(x)[axis]
    first = b.integer(0, extent)
    if b.flag() and extent > 1:
        return b.node(op, [x], outputs=2, exact=True, axis=axis, num_outputs=2)
    b.node(op, [x, b.constant(i64([first, extent - first]))], outputs=2, exact=True, axis=axis)


@maker("Slice")
def slice_(b, op):
    x = b.pick(least=1)
    axis = b.axis(x)
    extent = b.shape(x)[axis]
    step = b.choice([1, 1, 2, -1, -2])
    start = b.integer(-extent, extent)
    end = b.choice([extent + 3, -1, extent, np.iinfo(np.int64).max] if step > 0 else [-extent - 3, 0])
    b.node(op, [x, *(b.constant(i64([v])) for v in (start, end, axis, step))], exact=True)


@maker("Pad")
def pad(b, op):
    x = b.pick(least=1, most=4)
    rank = b.rank(x)
    mode = b.choice(["constant", "constant", "edge", "reflect", "wrap"])
    limit = 0 if mode == "reflect" and min(b.shape(x)) < 3 else 2
    pads = [b.integer(0, limit) for _ in range(2 * rank)]
    value = [b.constant(np.float32(0.5))] if mode == "constant" and b.flag() else []
    b.node(op, [x, b.constant(i64(pads)), *value], exact=True, mode=mode)


@maker("Expand")
def expand(b, op):
    x = b.pick(most=4)
    shape = [b.integer(1, 3) if extent == 1 else extent for extent in b.shape(x)]
    b.node(op, [x, b.constant(i64([2, *shape] if b.flag() else shape))], exact=True)


@maker("Tile")
def tile(b, op):
    x = b.pick(least=1, most=4)
    b.node(op, [x, b.constant(i64([b.integer(1, 3) for _ in b.shape(x)]))], exact=True)


@maker("DepthToSpace", "SpaceToDepth")
def depth_space(b, op):
    if op == "DepthToSpace":
        x = b.input(b.numbers([1, 8, b.integer(1, 3), b.integer(1, 3)]))
        return b.node(op, [x], exact=True, blocksize=2, mode=b.choice(["DCR", "CRD"]))
    b.node(op, [b.input(b.numbers([1, b.integer(1, 3), 4, 6]))], exact=True, blocksize=2)


@maker("Trilu")
def trilu(b, op):
    x = b.pick(least=2)
    k = [b.constant(i64(b.integer(-2, 2)))] if b.flag() else []
    b.node(op, [x, *k], exact=True, upper=b.integer(0, 1))


@maker("Shape", "Size")
def shape(b, op):
    b.node(op, [b.pick()])


@maker("ConstantOfShape")
def constant_of_shape(b, op):
    value = numpy_helper.from_array(np.asarray([1.5], np.float32))
    filled = b.node(op, [b.constant(i64([2, b.integer(1, 3)]))], value=value)
    b.node("Add", [filled, b.input(b.numbers([1, 1]))])


@maker("Constant")
def constant(b, op):
    x = b.node(op, [], value=numpy_helper.from_array(b.numbers([2, 3])))
    b.node("Add", [x, b.input(b.numbers([2, 3]))])


@maker("Range")
def range_(b, op):
    numbers = b.node(op, [b.constant(np.float32(v)) for v in (0, b.integer(1, 5), 1)])
    b.node("Add", [numbers, b.input(b.numbers([1]))])


# ---- indexing


@maker("Gather")
def gather(b, op):
    x = b.pick(least=1, most=4)
    axis = b.axis(x)
    extent = b.shape(x)[axis]
    shape = b.choice([[], [3], [2, 2]])
    indices = b.random.integers(-extent, extent, shape)
    b.node(op, [x, b.choice([b.input, b.constant])(i64(indices))], exact=True, axis=axis)


@maker("GatherElements")
def gather_elements(b, op):
    x = b.pick(least=1, most=4)
    axis = b.axis(x)
    extent = b.shape(x)[axis]
    shape = list(b.shape(x))
    shape[axis] = b.integer(1, 4)
    b.node(op, [x, b.input(i64(b.random.integers(-extent, extent, shape)))], exact=True, axis=axis)


@maker("GatherND")
def gather_nd(b, op):
    x = b.pick(least=2, most=4)
    depth = b.integer(1, b.rank(x))
    indices = np.stack([b.random.integers(-e, e, [2, 3]) for e in b.shape(x)[:depth]], -1)
    b.node(op, [x, b.input(i64(indices))], exact=True)


@maker("ScatterND")
def scatter_nd(b, op):
    x = b.pick(least=2, most=4)
    rows = b.random.permutation(b.shape(x)[0])[: b.integer(1, 2)]
    updates = b.numbers([len(rows), *b.shape(x)[1:]])
    b.node(op, [x, b.constant(i64(rows[:, None])), b.input(updates)], reduction=b.choice([None, "add", "mul", "max"]))


@maker("ScatterElements")
def scatter_elements(b, op):
    x = b.pick(least=1, most=4)
    axis = b.axis(x)
    shape = list(b.shape(x))
    count = b.integer(1, shape[axis])
    order = np.argsort(b.random.random(shape), axis)
    indices = np.take(order, range(count), axis)
    inputs = [x, b.input(i64(indices)), b.input(b.numbers(indices.shape))]
    b.node(op, inputs, axis=axis, reduction=b.choice([None, "add", "mul", "min"]))


@maker("OneHot")
def one_hot(b, op):
    indices = b.input(i64(b.random.integers(-4, 4, [2, 3])))
    depth, values = b.constant(i64(4)), b.constant(np.asarray([0.25, 1.5], np.float32))
    b.node(op, [indices, depth, values], axis=b.integer(-3, 2))


@maker("TopK")
def top_k(b, op):
    x = b.pick(least=1, most=4)
    axis = b.axis(x)
    values = b.values[b.input(b.random.permutation(np.size(b.values[x])).reshape(b.shape(x)).astype(np.float32))]
    name = next(n for n in b.values if b.values[n] is values)
    k = b.constant(i64([b.integer(1, b.shape(x)[axis])]))
    b.node(op, [name, k], outputs=2, axis=axis, largest=b.integer(0, 1))


@maker("ArgMax", "ArgMin")
def argument(b, op):
    x = b.pick(least=1, exact=True)
    b.node(op, [x], axis=b.axis(x), keepdims=b.integer(0, 1), select_last_index=b.integer(0, 1))


@maker("ReverseSequence")
def reverse_sequence(b, op):
    x = b.pick(least=2, most=4)
    time_axis = b.integer(0, 1)
    lengths = b.random.integers(1, b.shape(x)[time_axis] + 1, b.shape(x)[1 - time_axis])
    b.node(op, [x, b.constant(i64(lengths))], exact=True, time_axis=time_axis, batch_axis=1 - time_axis)


@maker("CumSum")
def cum_sum(b, op):
    x = b.pick(least=1, most=4)
    axis = b.constant(i64(b.axis(x)))
    b.node(op, [x, axis], exclusive=b.integer(0, 1), reverse=b.integer(0, 1))


@maker("NonMaxSuppression")
def non_max_suppression(b, op):
    count = b.integer(3, 8)
    corners = b.numbers([1, count, 2], 0, 8)
    boxes = np.concatenate([corners, corners + 1 + np.abs(b.numbers([1, count, 2]))], -1)
    scores = (b.random.permutation(count) / count).astype(np.float32)[None, None]
    limits = [b.constant(i64([b.integer(1, count)])), b.constant(np.float32([0.45])), b.constant(np.float32([0.15]))]
    b.node(op, [b.input(boxes.astype(np.float32)), b.input(scores), *limits])
