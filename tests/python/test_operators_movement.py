"""Operators that move data against onnxruntime (or onnx's reference evaluator)."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
from onnx import helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from operator_case import needs_tools, run_oracle, trials  # noqa: E402

pytestmark = needs_tools


MOVED = ["float32", "int64", "int8", "bool", "float16"]


def numbered(case, *shape, dtype="float32"):
    return case.rng.permutation(int(np.prod(shape))).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", MOVED)
def test_reshape(case, dtype):
    x = numbered(case, 2, 3, 4, 5, dtype=dtype)
    case.check("Reshape", {"shape": [6, 20]}, [x], [x.reshape(6, 20)])
    case.check("Reshape", {"shape": [2, 60, 1]}, [x], [x.reshape(2, 60, 1)])


@pytest.mark.parametrize("dtype", MOVED)
@trials()
def test_transpose(case, dtype, trial):
    rank = case.integer(2, 5)
    x = numbered(case, *case.shape(rank, 1, 9), dtype=dtype)
    perm = [int(v) for v in case.rng.permutation(rank)]
    case.check("Transpose", {"perm": perm}, [x], [x.transpose(perm)])


def test_transpose_of_large_matrices(case):
    x = numbered(case, 3, 130, 217)
    case.check("Transpose", {"perm": [0, 2, 1]}, [x], [x.transpose(0, 2, 1)])
    case.check("Transpose", {"perm": [2, 0, 1]}, [x], [x.transpose(2, 0, 1)])


@pytest.mark.parametrize("dtype", MOVED)
@trials()
def test_concat_and_split(case, dtype, trial):
    rank = case.integer(1, 4)
    shape, axis = list(case.shape(rank, 1, 7)), case.integer(0, rank - 1)
    sizes = [case.integer(1, 5) for _ in range(case.integer(1, 4))]
    parts = [numbered(case, *shape[:axis], n, *shape[axis + 1 :], dtype=dtype) for n in sizes]
    joined = np.concatenate(parts, axis)
    case.check("Concat", {"axis": axis}, parts, [joined])
    case.check("Split", {"axis": axis, "split": sizes}, [joined], parts)


@pytest.mark.parametrize("dtype", MOVED)
@trials()
def test_slice(case, dtype, trial):
    x = numbered(case, *case.shape(case.integer(1, 4), 2, 10), dtype=dtype)
    starts, ends, steps, slices = [], [], [], []
    for extent in x.shape:
        step = case.pick(1, 1, 2, 3, -1, -2)
        low, high = sorted(int(v) for v in case.rng.integers(0, extent, 2))
        starts.append(low if step > 0 else high)
        ends.append(high + 1 if step > 0 else low - 1)
        steps.append(step)
        slices.append(slice(starts[-1], None if ends[-1] < 0 else ends[-1], step))
    case.check("Slice", {"starts": starts, "ends": ends, "steps": steps}, [x], [x[tuple(slices)]])


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("dtype", ["float32", "int64", "int8"])
@trials()
def test_pad(case, mode, dtype, trial):
    x = numbered(case, *case.shape(case.integer(1, 4), 3, 6), dtype=dtype)
    pads = [case.integer(0, 2) for _ in range(2 * x.ndim)]
    attributes = {"pads": pads, "mode": mode}
    inputs = [x, np.int64(pads)]
    if mode == "constant":
        attributes["value"] = 7.0
        inputs.append(np.asarray(7, x.dtype))
    expected = [
        np.pad(
            x,
            list(zip(pads[: x.ndim], pads[x.ndim :], strict=False)),
            mode,
            **({"constant_values": 7} if mode == "constant" else {}),
        )
    ]
    case.check("Pad", attributes, [x], expected)


def test_pad_crops(case):
    x = numbered(case, 5, 6)
    case.check(
        "Pad", {"pads": [-1, 2, 1, -3], "value": 1.0}, [x], [np.pad(x[1:, :3], [(0, 1), (2, 0)], constant_values=1)]
    )


def test_expand_and_tile(case):
    for dtype in MOVED:
        x = numbered(case, 1, 3, 1, 4, dtype=dtype)
        case.check("Expand", {"shape": [2, 3, 5, 4]}, [x], [np.broadcast_to(x, (2, 3, 5, 4))])
        case.check("Tile", {"repeats": [2, 1, 3, 2]}, [x], [np.tile(x, (2, 1, 3, 2))])
        case.check("Tile", {"repeats": [1, 2, 1, 1]}, [x], [np.tile(x, (1, 2, 1, 1))])


@trials()
def test_gather(case, trial):
    x = numbered(case, *case.shape(3, 1, 7))
    axis = trial % 3
    for dtype in ("int32", "int64"):
        indices = case.rng.integers(-x.shape[axis], x.shape[axis], case.shape(case.integer(0, 2))).astype(dtype)
        case.check("Gather", {"axis": axis}, [x, indices], [np.take(x, indices, axis)])


@trials()
def test_gather_elements(case, trial):
    x = numbered(case, *case.shape(3, 2, 7))
    axis = trial % 3
    shape = list(x.shape)
    shape[axis] = case.integer(1, 9)
    shape[(axis + 1) % 3] -= 1
    indices = case.rng.integers(-x.shape[axis], x.shape[axis], shape)
    case.check(
        "GatherElements",
        {"axis": axis},
        [x, indices],
        lambda x, i: run_oracle("GatherElements", {"axis": axis}, [x, i]),
    )


@pytest.mark.parametrize("batch_dims", [0, 1])
@pytest.mark.parametrize("parts", [1, 2])
def test_gather_nd(case, batch_dims, parts):
    x = numbered(case, 3, 4, 5, 2)
    extents = np.array(x.shape[batch_dims : batch_dims + parts])
    indices = case.rng.integers(0, extents, (*x.shape[:batch_dims], 6, parts)) - extents * (
        case.rng.random((parts,)) < 0.5
    )
    case.check(
        "GatherND",
        {"batch_dims": batch_dims},
        [x, indices.astype("i8")],
        lambda x, i: run_oracle("GatherND", {"batch_dims": batch_dims}, [x, i]),
    )


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_scatter_nd(case, reduction, dtype):
    x = numbered(case, 4, 5, 3, dtype=dtype)
    order = case.rng.permutation(20)[:7] if reduction == "none" else case.rng.integers(0, 20, 7)
    indices = np.stack(np.unravel_index(order, (4, 5)), -1).astype("i8")
    updates = case.normal(7, 3, scale=5).astype(dtype)
    case.check(
        "ScatterND",
        {"reduction": reduction},
        [x, indices, updates],
        lambda x, i, u: run_oracle("ScatterND", {"reduction": reduction}, [x, i, u]),
        half=False,
    )


COORDINATES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", COORDINATES)
@trials()
def test_resize(case, mode, coordinates, trial):
    rank = 4 if mode == "cubic" else case.integer(3, 5)
    x = case.normal(case.integer(1, 2), case.integer(1, 5), *case.shape(rank - 2, 2, 9))
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = case.pick("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        attributes["cubic_coeff_a"] = case.pick(-0.75, -0.5)
        attributes["exclude_outside"] = case.integer(0, 1)
    if trial % 2:
        scales = np.float32([1, 1] + [case.pick(0.5, 0.6, 1.0, 1.5, 2.0, 2.5, 3.7) for _ in range(rank - 2)])
        inputs = [None, scales]
    else:
        sizes = np.int64([*x.shape[:2], *(case.integer(1, 14) for _ in range(rank - 2))])
        inputs = [None, None, sizes]

    def oracle(x):
        return run_oracle("Resize", attributes, [x, *inputs], opset=19)

    sizes = [int(v) for v in oracle(x)[0].shape]
    scales = [float(v) for v in inputs[1]] if trial % 2 else [o / i for o, i in zip(sizes, x.shape, strict=False)]
    # Positions are float32: weights carry their rounding.
    tolerance = dict(rtol=2e-5, atol=1e-5) if mode != "nearest" else {}
    case.check("Resize", attributes | {"sizes": sizes, "scales": scales}, [x], oracle, **tolerance)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_crop(case, mode):
    x = case.normal(1, 2, 7, 8)
    roi = np.float32([0, 0, 0.2, -0.3, 1, 1, 0.9, 1.2])
    attributes = {"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 9.0}
    sizes = np.int64([1, 2, 5, 11])
    case.check(
        "Resize",
        attributes | {"sizes": sizes.tolist(), "roi": roi.tolist()},
        [x],
        lambda x: run_oracle("Resize", attributes, [x, roi, None, sizes], opset=19),
        rtol=2e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_depth_and_space(case, dtype):
    x = numbered(case, 2, 12, 4, 6, dtype=dtype)
    for mode in ("DCR", "CRD"):
        expected = ReferenceEvaluator(helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode=mode)).run(
            None, {"x": x}
        )
        case.check("DepthToSpace", {"blocksize": 2, "mode": mode}, [x], expected)
        case.check("SpaceToDepth", {"blocksize": 2, "mode": mode}, expected, [x])


@trials()
def test_one_hot(case, trial):
    shape = case.shape(case.integer(1, 3))
    axis, depth = case.integer(0, len(shape)), case.integer(1, 6)
    values = np.float32([-1.5, 2.5])
    for dtype in ("int32", "int64"):
        indices = case.rng.integers(-depth - 1, depth + 1, shape).astype(dtype)
        expected = ReferenceEvaluator(helper.make_node("OneHot", ["i", "d", "v"], ["y"], axis=axis)).run(
            None, {"i": indices, "d": np.int64(depth), "v": values}
        )
        inside = (indices >= -depth) & (indices < depth)  # the evaluator wraps what lies outside
        expected = [np.where(np.expand_dims(inside, axis), expected[0], values[0]).astype("f4")]
        case.check("OneHot", {"axis": axis, "depth": depth}, [indices, values], expected)


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [-3, -1, 0, 2, 100])
def test_trilu(case, upper, k):
    for dtype in ("float32", "int64"):
        x = numbered(case, 2, 4, 5, dtype=dtype)
        case.check("Trilu", {"upper": upper, "k": k}, [x], [(np.triu if upper else np.tril)(x, k)])
