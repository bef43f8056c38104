"""If, Loop, Scan and operators whose output extents depend on data, against onnxruntime: as imported and optimized."""

import signal

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import openrknn  # noqa: E402

TYPES = {np.dtype(t): getattr(TensorProto, n) for t, n in
         [("f4", "FLOAT"), ("i8", "INT64"), ("i4", "INT32"), ("i2", "INT16"), ("i1", "INT8"), ("u1", "UINT8"),
          ("?", "BOOL"), ("f8", "DOUBLE"), ("f2", "FLOAT16")]}  # fmt: skip
F, LONG, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
N = helper.make_node


def info(name, kind=F, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def const(name, value, dtype=np.float32):
    return numpy_helper.from_array(np.array(value, dtype), name)


def model(nodes, inputs, outputs, constants=(), opset=18):
    graph = helper.make_graph(
        nodes, "g", [info(n, TYPES[a.dtype], a.shape) for n, a in inputs.items()], outputs, list(constants)
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def body(nodes, inputs, outputs, constants=()):
    return helper.make_graph(nodes, "body", inputs, outputs, list(constants))


def check(tmp_path, made, inputs, more_inputs=(), rtol=1e-6):
    """Every set of inputs through one import; the oracle is onnxruntime."""
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    graph = openrknn.import_model(path)
    for feeds in [inputs, *more_inputs]:
        expected = session.run(None, {n: np.asarray(v) for n, v in feeds.items()})
        for optimize in (True, False):
            got = graph.run(feeds, optimize=optimize)
            assert len(got) == len(expected)
            for mine, theirs in zip(got, expected, strict=True):
                mine = np.asarray(mine)
                assert mine.shape == theirs.shape, (mine.shape, theirs.shape)
                if theirs.dtype.kind == "f":
                    np.testing.assert_allclose(mine, theirs.astype(np.float32), rtol=rtol, atol=1e-6)
                else:
                    assert mine.dtype == theirs.dtype
                    np.testing.assert_array_equal(mine, theirs)
    return graph


def refusal(tmp_path, made, feeds=None):
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(openrknn.Error) as caught:
        graph = openrknn.import_model(path)
        assert feeds is not None, "the import was to fail"
        graph.run(feeds)
    return str(caught.value)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


# ---- If


def test_if_on_an_input_takes_the_branch_that_holds(tmp_path, rng):
    x = rng.standard_normal((2, 3)).astype(np.float32)
    then = body([N("Mul", ["x", "two"], ["t"])], [], [info("t")], [const("two", 2)])
    other = body([N("Add", ["x", "w"], ["e"])], [], [info("e")])
    made = model([N("If", ["c"], ["y"], then_branch=then, else_branch=other)], {"c": np.array(True), "x": x},
                 [info("y")], [const("w", [1, 2, 3])])  # fmt: skip
    check(tmp_path, made, {"c": np.array(True), "x": x}, [{"c": np.array(False), "x": x}])


def test_if_branches_may_differ_in_extents_and_what_follows_adapts(tmp_path, rng):
    x = rng.standard_normal((4, 3)).astype(np.float32)
    then = body([N("Identity", ["x"], ["t"])], [], [info("t")])
    other = body([N("Concat", ["x", "x"], ["e"], axis=0)], [], [info("e")])
    nodes = [
        N("ReduceSum", ["x"], ["s"], keepdims=0),
        N("Greater", ["s", "zero"], ["c"]),
        N("If", ["c"], ["b"], then_branch=then, else_branch=other),
        N("Relu", ["b"], ["r"]),
        N("ReduceMean", ["r", "axis"], ["y"], keepdims=0),
        N("Unsqueeze", ["b", "axis"], ["u"]),
    ]
    made = model(nodes, {"x": x}, [info("y"), info("u")], [const("zero", 0), const("axis", [0], np.int64)])
    check(tmp_path, made, {"x": np.abs(x)}, [{"x": -np.abs(x)}, {"x": np.abs(x) + 1}], rtol=1e-5)


def test_nested_if_captures_through_both_bodies(tmp_path, rng):
    x = rng.standard_normal(5).astype(np.float32)
    deep = body([N("Add", ["x", "s"], ["d"])], [], [info("d")])
    deep_other = body([N("Sub", ["x", "outside"], ["d2"])], [], [info("d2")])
    then = body([N("Sqrt", ["two"], ["s"]), N("If", ["c2"], ["t"], then_branch=deep, else_branch=deep_other)],
                [], [info("t")], [const("two", 2)])  # fmt: skip
    other = body([N("Neg", ["outside"], ["e"])], [], [info("e")])
    nodes = [N("Abs", ["x"], ["outside"]), N("If", ["c1"], ["y"], then_branch=then, else_branch=other)]
    feeds = [{"c1": np.array(a), "c2": np.array(b), "x": x} for a in (True, False) for b in (True, False)]
    check(tmp_path, model(nodes, feeds[0], [info("y")]), feeds[0], feeds[1:])


def test_branches_of_unequal_rank_need_a_known_condition(tmp_path):
    then = body([N("Identity", ["x"], ["t"])], [], [info("t")])
    other = body([N("ReduceSum", ["x"], ["e"], keepdims=0)], [], [info("e")])
    made = model([N("If", ["c"], ["y"], name="fork", then_branch=then, else_branch=other)],
                 {"c": np.array(True), "x": np.float32([1, 2])}, [info("y")])  # fmt: skip
    message = refusal(tmp_path, made)
    assert "fork" in message and "f32[2]" in message and "initial_values" in message


# ---- Loop


def branch_of(node, constants=()):
    return body([node], [], [info("out")], constants)


FITS = branch_of(N("MatMul", ["x", "w3"], ["out"]), [const("w3", np.ones((3, 4)))])
MISFITS = branch_of(N("MatMul", ["x", "w5"], ["out"]), [const("w5", np.ones((5, 4)))])


@pytest.mark.parametrize("fits_if", [True, False])
def test_a_branch_that_does_not_fit_matters_only_when_it_is_taken(tmp_path, rng, fits_if):
    branches = (
        {"then_branch": FITS, "else_branch": MISFITS} if fits_if else {"then_branch": MISFITS, "else_branch": FITS}
    )
    feeds = {"c": np.array(fits_if), "x": rng.standard_normal((2, 3)).astype(np.float32)}
    made = model([N("If", ["c"], ["y"], name="rate", **branches), N("Relu", ["y"], ["z"])], feeds, [info("z")])
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    graph = openrknn.import_model(path)
    wanted = np.maximum(feeds["x"].sum(1, keepdims=True), 0).repeat(4, 1)
    np.testing.assert_allclose(graph.run(feeds)[0], wanted, rtol=1e-6)
    with pytest.raises(openrknn.Error) as caught:
        graph.run({**feeds, "c": np.array(not fits_if)})
    for said in ("'rate (If)'", "else_branch" if fits_if else "then_branch", "MatMul", "[2, 3]", "[5, 4]"):
        assert said in str(caught.value)


def test_branches_that_cannot_be_sound_in_any_shape_are_refused(tmp_path):
    feeds = {"c": np.array(True), "x": np.ones((2, 3), np.float32)}
    for then, other, said in (
        (MISFITS, MISFITS, "[5, 4]"),
        (FITS, branch_of(N("Twiddle", ["x"], ["out"])), "Twiddle"),
        (FITS, branch_of(N("Relu", ["nowhere"], ["out"])), "nowhere"),
    ):
        made = model([N("If", ["c"], ["y"], then_branch=then, else_branch=other)], feeds, [info("y")])
        assert said in refusal(tmp_path, made)


def counting_body():
    """iteration, condition, a → condition, a + x, and a's square as a scan output."""
    nodes = [N("Identity", ["c"], ["c_out"]), N("Add", ["a", "x"], ["a_out"]), N("Mul", ["a_out", "a_out"], ["sq"])]
    shape = [2, 3]  # onnxruntime takes it from here where nothing runs
    return body(nodes, [info("i", LONG, []), info("c", B, []), info("a", F, shape)],
                [info("c_out", B, []), info("a_out", F, shape), info("sq", F, shape)])  # fmt: skip


@pytest.mark.parametrize("trips", [0, 1, 7])
def test_loop_with_a_scan_output_runs_as_often_as_its_input_says(tmp_path, rng, trips):
    x = rng.standard_normal((2, 3)).astype(np.float32)
    made = model([N("Loop", ["m", "", "x"], ["y", "all"], body=counting_body())],
                 {"m": np.array(5), "x": x}, [info("y"), info("all")])  # fmt: skip
    check(tmp_path, made, {"m": np.array(trips), "x": x})


def test_counted_loop_keeps_shapes_known(tmp_path, rng):
    x = rng.standard_normal((2, 3)).astype(np.float32)
    nodes = [N("Loop", ["m", "t", "x"], ["y", "all"], body=counting_body()), N("Flatten", ["all"], ["z"], axis=1)]
    made = model(nodes, {"x": x}, [info("y"), info("z")], [const("m", 4, np.int64), const("t", True, bool)])
    graph = check(tmp_path, made, {"x": x})
    assert [list(o[1]) for o in graph.outputs] == [[2, 3], [4, 6]]


def test_loop_ends_when_its_condition_does(tmp_path):
    nodes = [N("Add", ["a", "a"], ["a_out"]), N("Less", ["a_out", "limit"], ["c_out"])]
    grow = body(nodes, [info("i", LONG, []), info("c", B, []), info("a")], [info("c_out", B, []), info("a_out")])
    made = model([N("Reshape", ["x", "one"], ["x1"]), N("ReduceSum", ["x1"], ["s"], keepdims=0),
                  N("Loop", ["", "c0", "s"], ["y"], body=grow)],
                 {"c0": np.array(True), "x": np.float32([1]), "limit": np.float32(0)}, [info("y")],
                 [const("one", [1], np.int64)])  # fmt: skip
    feeds = [{"c0": np.array(c), "x": np.float32([1.5]), "limit": np.float32(n)} for c, n in
             [(True, 100), (True, 0), (False, 100)]]  # fmt: skip
    check(tmp_path, made, feeds[0], feeds[1:])


def test_carried_shapes_may_change_between_iterations(tmp_path, rng):
    x = rng.standard_normal((1, 3)).astype(np.float32)
    nodes = [N("Identity", ["c"], ["c_out"]), N("Concat", ["a", "x"], ["a_out"], axis=0),
             N("ReduceSum", ["a_out"], ["total"], keepdims=0)]  # fmt: skip
    grow = body(nodes, [info("i", LONG, []), info("c", B, []), info("a", F, [None, 3])],
                [info("c_out", B, []), info("a_out", F, [None, 3]), info("total")])  # fmt: skip
    made = model([N("Loop", ["m", "", "x"], ["y", "totals"], body=grow), N("Transpose", ["y"], ["z"])],
                 {"m": np.array(3), "x": x}, [info("z"), info("totals")])  # fmt: skip
    check(tmp_path, made, {"m": np.array(3), "x": x}, [{"m": np.array(12), "x": x}], rtol=1e-5)


def test_loop_in_if_in_loop(tmp_path, rng):
    x = rng.standard_normal(4).astype(np.float32)
    inner = body([N("Identity", ["ic"], ["ic_out"]), N("Mul", ["b", "half"], ["b_out"])],
                 [info("ii", LONG, []), info("ic", B, []), info("b")], [info("ic_out", B, []), info("b_out")])  # fmt: skip
    then = body([N("Loop", ["i", "", "a"], ["t"], body=inner)], [], [info("t")])
    other = body([N("Add", ["a", "x"], ["e"])], [], [info("e")])
    nodes = [N("Mod", ["i", "two"], ["odd"]), N("Cast", ["odd"], ["is_odd"], to=B), N("Identity", ["c"], ["c_out"]),
             N("If", ["is_odd"], ["a_out"], then_branch=then, else_branch=other)]  # fmt: skip
    outer = body(nodes, [info("i", LONG, []), info("c", B, []), info("a")],
                 [info("c_out", B, []), info("a_out"), info("a_out")])  # fmt: skip
    made = model([N("Loop", ["m", "", "x"], ["y", "all"], body=outer)], {"m": np.array(5), "x": x},
                 [info("y"), info("all")], [const("half", 0.5), const("two", 2, np.int64)])  # fmt: skip
    check(tmp_path, made, {"m": np.array(5), "x": x}, [{"m": np.array(2), "x": x}])


def test_slice_bounds_computed_in_a_loop(tmp_path, rng):
    x = rng.standard_normal((6, 2)).astype(np.float32)
    nodes = [N("Add", ["i", "one"], ["next"]), N("Unsqueeze", ["i", "first"], ["from"]),
             N("Unsqueeze", ["next", "first"], ["to"]), N("Slice", ["x", "from", "to", "first"], ["row"]),
             N("Add", ["a", "row"], ["a_out"]), N("Identity", ["c"], ["c_out"])]  # fmt: skip
    rows = body(nodes, [info("i", LONG, []), info("c", B, []), info("a", F, [1, 2])],
                [info("c_out", B, []), info("a_out", F, [1, 2]), info("row", F, [None, 2])])  # fmt: skip
    made = model([N("Loop", ["m", "", "a0"], ["y", "all"], body=rows)], {"m": np.array(5), "x": x},
                 [info("y"), info("all")],
                 [const("a0", [[0, 0]]), const("one", 1, np.int64), const("first", [0], np.int64)])  # fmt: skip
    check(tmp_path, made, {"m": np.array(5), "x": x})


def test_an_endless_loop_can_be_interrupted(tmp_path):
    turn = body([N("Identity", ["c"], ["c_out"]), N("Neg", ["a"], ["a_out"])],
                [info("i", LONG, []), info("c", B, []), info("a")], [info("c_out", B, []), info("a_out")])  # fmt: skip
    path = tmp_path / "model.onnx"
    made = model([N("Loop", ["", "", "x"], ["y"], body=turn)], {"x": np.float32([1])}, [info("y")])
    path.write_bytes(made.SerializeToString())
    graph = openrknn.import_model(path)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            graph.run({"x": np.float32([1])})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---- Scan


@pytest.mark.parametrize("in_axis, out_axis", [(0, 0), (1, 0), (0, 1), (1, -1)])
@pytest.mark.parametrize("in_direction, out_direction", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_scan_axes_and_directions(tmp_path, rng, in_axis, out_axis, in_direction, out_direction):
    x = rng.standard_normal((4, 5)).astype(np.float32)
    other = rng.standard_normal((3, 4 if in_axis == 0 else 5)).astype(np.float32)
    nodes = [N("ReduceSum", ["slice"], ["s"], keepdims=0), N("Add", ["state", "s"], ["state_out"]),
             N("Mul", ["o", "state_out"], ["row"])]  # fmt: skip
    step = body(nodes, [info("state"), info("slice"), info("o")], [info("state_out"), info("row")])
    made = model([N("Scan", ["s0", "x", "other"], ["y", "rows"], body=step, num_scan_inputs=2,
                    scan_input_axes=[in_axis, 1], scan_input_directions=[in_direction, 0], scan_output_axes=[out_axis],
                    scan_output_directions=[out_direction])],
                 {"s0": np.float32(0.5), "x": x, "other": other}, [info("y"), info("rows")])  # fmt: skip
    check(tmp_path, made, {"s0": np.float32(0.5), "x": x, "other": other}, rtol=1e-5)


# ---- extents that depend on data


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


# ---- refusals


def test_compile_says_why_it_cannot_take_such_a_graph(tmp_path, capfd):
    made = model([N("NonZero", ["x"], ["y"])], {"x": np.float32([1, 0])}, [info("y", LONG)])
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    from rknn.api import RKNN

    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588")
    assert rknn.load_onnx(str(tmp_path / "model.onnx")) == 0
    assert rknn.build(do_quantization=False) != 0
    said = "".join(capfd.readouterr())
    assert "a compile needs fixed shapes" in said and "NonZero" in said, said


def test_a_run_names_the_node_and_the_number(tmp_path):
    made = model([N("Loop", ["m", "", "x"], ["y", "all"], name="counting", body=counting_body())],
                 {"m": np.array(5), "x": np.zeros((2, 3), np.float32)}, [info("y"), info("all")])  # fmt: skip
    message = refusal(tmp_path, made, {"m": np.array(-3), "x": np.zeros((2, 3), np.float32)})
    assert "counting" in message and "trip count is -3" in message
    made = model([N("Reshape", ["x", "shape"], ["y"], name="bend")], {"x": np.float32([1, 2]), "shape": np.int64([1])},
                 [info("y")])  # fmt: skip
    message = refusal(tmp_path, made, {"x": np.float32([1, 2]), "shape": np.int64([3])})
    assert "bend" in message and "[3]" in message
    made = model([N("Tile", ["x", "n"], ["y"], name="huge")], {"x": np.float32([1, 2]), "n": np.int64([1])},
                 [info("y")])  # fmt: skip
    message = refusal(tmp_path, made, {"x": np.float32([1, 2]), "n": np.int64([1 << 30])})
    assert "huge" in message and "at most" in message


def loop_with(nodes, outputs):
    broken = body(nodes, [info("i", LONG, []), info("c", B, []), info("a")], outputs)
    return model([N("Loop", ["m", "", "x"], ["y"], name="bad", body=broken)],
                 {"m": np.array(5), "x": np.float32([1])}, [info("y")])  # fmt: skip


@pytest.mark.parametrize("nodes, outputs, said", [
    ([N("Identity", ["c"], ["c_out"])], [info("c_out", B, [])], "1 outputs, expected 2"),
    ([N("Identity", ["c"], ["c_out"])], [info("c_out", B, []), info("gone")], "'gone'"),
    ([N("Identity", ["c"], ["c_out"]), N("Add", ["a", "nowhere"], ["o"])], [info("c_out", B, []), info("o")], "'nowhere'"),
    ([N("Identity", ["c"], ["c_out"]), N("Cast", ["a"], ["o"], to=LONG)], [info("c_out", B, []), info("o", LONG)], "one type"),
    ([N("Identity", ["c"], ["c_out"]), N("Unsqueeze", ["a", "i1"], ["o"]), N("Constant", [], ["i1"], value_ints=[0])],
     [info("c_out", B, []), info("o")], "one type and rank"),
    ([N("Identity", ["a"], ["c_out"]), N("Identity", ["a"], ["o"])], [info("c_out"), info("o")], "bool"),
])  # fmt: skip
def test_broken_bodies_are_refused_by_name(tmp_path, nodes, outputs, said):
    message = refusal(tmp_path, loop_with(nodes, outputs))
    assert said in message, message


def test_bodies_with_the_wrong_number_of_inputs(tmp_path):
    broken = body(
        [N("Identity", ["c"], ["c_out"])],
        [info("i", LONG, []), info("c", B, [])],
        [info("c_out", B, []), info("i", LONG)],
    )
    made = model([N("Loop", ["m", "", "x"], ["y"], name="bad", body=broken)],
                 {"m": np.array(5), "x": np.float32([1])}, [info("y")])  # fmt: skip
    message = refusal(tmp_path, made)
    assert "bad" in message and "2 inputs" in message and "3" in message
