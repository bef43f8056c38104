"""If, Loop and Scan against onnxruntime: as imported and optimized."""

import signal

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from control_flow_case import LONG, B, F, N, body, check, const, info, model, refusal  # noqa: E402

import openrknn  # noqa: E402


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
