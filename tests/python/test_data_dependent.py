"""Operators whose output extents depend on data, against onnxruntime: as imported and optimized."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from control_flow_case import LONG, TYPES, F, N, check, const, info, model, refusal  # noqa: E402

import openrknn  # noqa: E402


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.mark.parametrize("dtype", ["f4", "i8", "i4", "u1", "?"])
def test_non_zero_and_what_usually_follows_it(tmp_path, rng, dtype):
    x = rng.integers(0, 3, (3, 4, 5)).astype(dtype)
    nodes = [
        N("NonZero", ["x"], ["z"]),
        N("Transpose", ["z"], ["t"], perm=[1, 0]),
        N("GatherND", ["w", "t"], ["g"]),
        N("Slice", ["t", "from", "to", "axis"], ["column"]),
        N("Squeeze", ["column", "axis"], ["flat"]),
        N("Cast", ["flat"], ["f"], to=F),
        N("Mul", ["f", "g"], ["m"]),
        N("Concat", ["m", "g"], ["both"], axis=0),
        N("Shape", ["t"], ["shape"]),
        N("Reshape", ["t", "minus"], ["line"]),
    ]
    made = model(nodes, {"x": x, "w": np.zeros((3, 4, 5), np.float32)},
                 [info("z", LONG), info("both"), info("shape", LONG), info("line", LONG)],
                 [const("from", [1], np.int64), const("to", [2], np.int64), const("axis", [1], np.int64),
                  const("minus", [-1], np.int64)])  # fmt: skip
    w = rng.standard_normal((3, 4, 5)).astype(np.float32)
    check(tmp_path, made, {"x": x, "w": w}, [{"x": np.zeros_like(x), "w": w}, {"x": np.ones_like(x), "w": w}])


@pytest.mark.parametrize("dtype", ["i1", "i2", "f8", "f2"])
def test_non_zero_of_types_onnxruntime_lacks(tmp_path, rng, dtype):
    x = rng.integers(-1, 2, (3, 4)).astype(dtype)
    path = tmp_path / "model.onnx"
    path.write_bytes(model([N("NonZero", ["x"], ["z"])], {"x": x}, [info("z", LONG)]).SerializeToString())
    np.testing.assert_array_equal(openrknn.import_model(path).run({"x": x})[0], np.stack(np.nonzero(x)))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("dtype", ["f4", "i8", "u1"])
def test_compress(tmp_path, rng, axis, dtype):
    x = rng.integers(0, 50, (3, 4, 2)).astype(dtype)
    attributes = {} if axis is None else {"axis": axis}
    extent = x.size if axis is None else x.shape[axis]
    condition = rng.integers(0, 2, extent) > 0
    made = model([N("Compress", ["x", "c"], ["y"], **attributes)], {"x": x, "c": condition},
                 [info("y", TYPES[x.dtype])])  # fmt: skip
    check(tmp_path, made, {"x": x, "c": condition}, [{"x": x, "c": condition & False}, {"x": x, "c": condition | True}])


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("is_sorted", [0, 1])
@pytest.mark.parametrize("dtype", ["f4", "i8", "i1"])
def test_unique(tmp_path, rng, axis, is_sorted, dtype):
    x = rng.integers(-1, 2, (5, 3)).astype(dtype)
    attributes = {} if axis is None else {"axis": axis}
    made = model([N("Unique", ["x"], ["y", "first", "inverse", "counts"], sorted=is_sorted, **attributes)], {"x": x},
                 [info("y", TYPES[x.dtype]), info("first", LONG), info("inverse", LONG), info("counts", LONG)])  # fmt: skip
    check(tmp_path, made, {"x": x}, [{"x": rng.integers(0, 9, (5, 3)).astype(dtype)}])


@pytest.mark.parametrize("centred", [0, 1])
def test_non_max_suppression(tmp_path, rng, centred):
    boxes = np.round(rng.uniform(0, 1, (2, 40, 4)), 2).astype(np.float32)
    if centred:
        boxes[..., 2:] = boxes[..., 2:] * 0.4 + 0.05
    scores = np.round(rng.uniform(0, 1, (2, 3, 40)), 1).astype(np.float32)  # many ties
    feeds = {"b": boxes, "s": scores, "m": np.int64([7]), "i": np.float32([0.3]), "t": np.float32([0.45])}
    made = model([N("NonMaxSuppression", ["b", "s", "m", "i", "t"], ["y"], center_point_box=centred)], feeds,
                 [info("y", LONG)])  # fmt: skip
    more = [feeds | {"m": np.int64([m]), "i": np.float32([i]), "t": np.float32([t])}
            for m, i, t in [(0, 0.5, 0.1), (100, 0.0, 0.0), (3, 1.0, 0.9), (100, 0.5, 2.0)]]  # fmt: skip
    check(tmp_path, made, feeds, more)


def test_non_max_suppression_without_its_optional_inputs(tmp_path, rng):
    boxes, scores = rng.uniform(0, 1, (1, 9, 4)).astype(np.float32), rng.uniform(-1, 1, (1, 2, 9)).astype(np.float32)
    for names in (["b", "s"], ["b", "s", "m"], ["b", "s", "m", "", "t"]):
        made = model([N("NonMaxSuppression", names, ["y"])], {"b": boxes, "s": scores}, [info("y", LONG)],
                     [const("m", [5], np.int64), const("t", [0.1])])  # fmt: skip
        check(tmp_path, made, {"b": boxes, "s": scores})


def test_detections_are_gathered_by_what_suppression_keeps(tmp_path, rng):
    boxes, scores = rng.uniform(0, 1, (1, 30, 4)).astype(np.float32), rng.uniform(0, 1, (1, 2, 30)).astype(np.float32)
    nodes = [
        N("NonMaxSuppression", ["b", "s", "m", "i", "t"], ["kept"]),
        N("Gather", ["kept", "two"], ["index"], axis=1),
        N("Squeeze", ["index", "axis"], ["flat"]),
        N("Squeeze", ["b", "batch"], ["b2"]),
        N("Gather", ["b2", "flat"], ["chosen"], axis=0),
        N("GatherND", ["s", "kept"], ["best"]),
        N("Unsqueeze", ["best", "axis"], ["best2"]),
        N("Concat", ["chosen", "best2"], ["rows"], axis=1),
        N("MatMul", ["rows", "w"], ["y"]),
        N("Shape", ["rows"], ["extents"]),
        N("Gather", ["extents", "none"], ["count"]),
        N("Range", ["none", "count", "step"], ["numbers"]),
        N("ConstantOfShape", ["extents"], ["zeros"]),
        N("Expand", ["step", "extents"], ["ones"]),
    ]
    constants = [const("m", [10], np.int64), const("i", [0.3]), const("t", [0.5]), const("two", [2], np.int64),
                 const("axis", [1], np.int64), const("batch", [0], np.int64), const("none", 0, np.int64),
                 const("step", 1, np.int64), const("w", rng.standard_normal((5, 3)))]  # fmt: skip
    made = model(nodes, {"b": boxes, "s": scores},
                 [info("y"), info("numbers", LONG), info("zeros"), info("ones", LONG)], constants)  # fmt: skip
    check(tmp_path, made, {"b": boxes, "s": scores}, [{"b": boxes, "s": scores * 0}], rtol=1e-5)


def test_parameters_that_are_inputs(tmp_path, rng):
    x = rng.standard_normal((4, 6)).astype(np.float32)
    nodes = [
        N("Slice", ["x", "from", "to", "axes", "steps"], ["s"]),
        N("Reshape", ["x", "shape"], ["r"]),
        N("Tile", ["x", "repeats"], ["t"]),
    ]
    feeds = {"x": x, "from": np.int64([1, -1]), "to": np.int64([4, -100]), "axes": np.int64([0, 1]),
             "steps": np.int64([2, -2]), "shape": np.int64([3, -1]), "repeats": np.int64([2, 1])}  # fmt: skip
    more = {"from": np.int64([-99, 3]), "to": np.int64([99, 5]), "axes": np.int64([-1, 0]), "steps": np.int64([1, 1]),
            "shape": np.int64([0, 6]), "repeats": np.int64([0, 3])}  # fmt: skip
    check(tmp_path, model(nodes, feeds, [info("s"), info("r"), info("t")]), feeds, [{"x": x, **more}])


def test_the_best_of_as_many_as_there_are(tmp_path, rng):
    x = rng.standard_normal((3, 8)).astype(np.float32)
    nodes = [N("Greater", ["x", "zero"], ["m"]), N("NonZero", ["m"], ["z"]), N("Transpose", ["z"], ["t"], perm=[1, 0]),
             N("GatherND", ["x", "t"], ["p"]), N("Shape", ["p"], ["n"]), N("Min", ["n", "five"], ["k"]),
             N("TopK", ["p", "k"], ["y", "i"])]  # fmt: skip
    made = model(nodes, {"x": x}, [info("y"), info("i", LONG)], [const("zero", 0), const("five", [5], np.int64)])
    few = np.full_like(x, -1)
    few[1, 2:4] = 3, 4
    check(tmp_path, made, {"x": x}, [{"x": few}])
    made = model([N("TopK", ["x", "k"], ["y", "i"], name="best")], {"x": x, "k": np.int64([1])},
                 [info("y"), info("i", LONG)])  # fmt: skip
    assert "best" in refusal(tmp_path, made, {"x": x, "k": np.int64([9])})


def test_several_unknown_extents_at_once(tmp_path):
    nodes = [
        N("NonZero", ["a"], ["p"]), N("NonZero", ["b"], ["q"]),
        N("Cast", ["p"], ["pf"], to=F), N("Cast", ["q"], ["qf"], to=F),
        N("Transpose", ["pf"], ["pt"], perm=[1, 0]), N("MatMul", ["pt", "qf"], ["table"]),
        N("Unsqueeze", ["table", "ends"], ["wide"]), N("Softmax", ["wide"], ["soft"], axis=2),
        N("Squeeze", ["soft", "ends"], ["y"]),
    ]  # fmt: skip
    feeds = {"a": np.float32([1, 0, 2, 3]), "b": np.float32([0, 5, 6])}
    made = model(nodes, feeds, [info("y")], [const("ends", [0, 3], np.int64)])
    check(tmp_path, made, feeds, [{"a": np.float32([1, 1, 1, 1]), "b": np.float32([1, 0, 0])}], rtol=1e-5)
