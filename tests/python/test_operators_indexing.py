"""TopK, the scatters, Range and Det against onnxruntime, numpy and onnx's reference evaluator."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openrknn")
from node_model import make_model, refusal, run_oracle, run_ours  # noqa: E402

NUMBERS = ["float32", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.fixture
def rng(request):
    seed = sum(map(ord, request.node.name))
    print(f"seed {seed}")
    return np.random.default_rng(seed)


# ---- TopK ----


def top_k(x, k, axis, largest):
    """Stable: equal elements keep their order."""
    keys = x.astype(object) if x.dtype.kind in "iu" else x.astype(np.float64)
    order = np.argsort(-keys if largest else keys, axis=axis, kind="stable")
    order = np.take(order, range(k), axis)
    return np.take_along_axis(x, order, axis), order


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_top_k_gives_equal_elements_by_index(tmp_path, rng, dtype, largest, axis):
    x = rng.integers(0, 9, (6, 7, 8)).astype(dtype)  # few values: ties everywhere
    for k in (0, 1, 4, x.shape[axis]):
        inputs = [x, np.array([k], np.int64)]
        model = make_model("TopK", {"axis": axis, "largest": largest}, inputs, 2, constants=[1])
        values, places = run_ours(tmp_path, model, inputs)
        wanted_values, wanted_places = top_k(x, k, axis, largest)
        np.testing.assert_array_equal(values, wanted_values)
        np.testing.assert_array_equal(places, wanted_places)
        assert values.dtype == x.dtype and places.dtype == np.int64


def test_top_k_agrees_with_onnxruntime(tmp_path, rng):
    for axis, largest in [(1, 1), (2, 0), (-1, 1)]:
        x = rng.standard_normal((2, 30, 40)).astype(np.float32)
        inputs = [x, np.array([5], np.int64)]
        model = make_model("TopK", {"axis": axis, "largest": largest}, inputs, 2, constants=[1])
        for mine, theirs in zip(run_ours(tmp_path, model, inputs), run_oracle(model, inputs), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_nan_counts_as_the_largest_of_all(tmp_path):
    x = np.float32([1, np.nan, np.inf, -np.inf])
    for largest, order in [(1, [1, 2, 0, 3]), (0, [3, 0, 2, 1])]:
        inputs = [x, np.array([4], np.int64)]
        model = make_model("TopK", {"largest": largest}, inputs, 2, constants=[1])
        assert run_ours(tmp_path, model, inputs)[1].tolist() == order


def test_one_output_of_top_k_may_go_unused(tmp_path):
    x = np.float32([3, 1, 2])
    model = make_model("TopK", {}, [x, np.array([2], np.int64)], 2, constants=[1])
    del model.graph.output[0]
    assert run_ours(tmp_path, model, [x, None])[0].tolist() == [0, 2]


def test_top_k_as_it_was_before_opset_10(tmp_path):
    x = np.float32([[3, 1, 2], [0, 5, 4]])
    values, places = run_ours(tmp_path, make_model("TopK", {"k": 2}, [x], 2, opset=9), [x])
    assert values.tolist() == [[3, 2], [5, 4]] and places.tolist() == [[0, 2], [1, 2]]


def test_more_elements_than_there_are_is_an_error(tmp_path):
    model = make_model("TopK", {}, [np.zeros((2, 3), np.float32), np.array([4], np.int64)], 2, constants=[1])
    assert "k is 4, expected 0 to 3" in refusal(tmp_path, model)


# ---- Scatters ----

JOIN = {
    "none": lambda a, b: b,
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "max": np.maximum,
    "min": np.minimum,
}


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("reduction", JOIN)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_scatter_elements(tmp_path, rng, dtype, reduction, axis):
    x = rng.integers(0, 100, (4, 5, 6)).astype(dtype)
    shape = [3, 4, 6]
    shape[axis] = 7 if reduction != "none" else 4
    if reduction == "none":  # no index twice, else the result is open
        indices = np.argsort(rng.random([*shape[:axis], x.shape[axis], *shape[axis % 3 + 1 :]]), axis)
        indices = np.take(indices, range(4), axis)
    else:
        indices = rng.integers(0, x.shape[axis], shape)
    indices = np.where(rng.random(indices.shape) < 0.4, indices - x.shape[axis], indices)
    updates = rng.integers(0, 100, indices.shape).astype(dtype)
    expected = x.copy()
    with np.errstate(over="ignore"):
        for at in np.ndindex(indices.shape):
            to = list(at)
            to[axis] = indices[at]
            expected[tuple(to)] = JOIN[reduction](expected[tuple(to)], updates[at])
    for index_type in ("int32", "int64"):
        inputs = [x, indices.astype(index_type), updates]
        model = make_model("ScatterElements", {"axis": axis, "reduction": reduction}, inputs)
        np.testing.assert_array_equal(run_ours(tmp_path, model, inputs)[0], expected)


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("reduction", JOIN)
def test_scatter_nd_reduces_every_type(tmp_path, rng, dtype, reduction):
    x = rng.integers(0, 100, (4, 5, 6)).astype(dtype)
    pairs = rng.permutation(20)[:7] if reduction == "none" else rng.integers(0, 20, 7)
    indices = np.stack([pairs // 5, pairs % 5 - 5], -1)
    updates = rng.integers(0, 100, (7, 6)).astype(dtype)
    expected = x.copy()
    with np.errstate(over="ignore"):
        for at, update in zip(indices, updates, strict=True):
            expected[tuple(at)] = JOIN[reduction](expected[tuple(at)], update)
    inputs = [x, indices, updates]
    got = run_ours(tmp_path, make_model("ScatterND", {"reduction": reduction}, inputs), inputs)[0]
    np.testing.assert_array_equal(got, expected)


def test_scatter_is_the_old_name_of_scatter_elements(tmp_path):
    inputs = [np.zeros((1, 4), np.float32), np.array([[1, 3]], np.int64), np.float32([[5, 6]])]
    got = run_ours(tmp_path, make_model("Scatter", {"axis": 1}, inputs, opset=10), inputs)[0]
    assert got.tolist() == [[0, 5, 0, 6]]


def test_an_index_out_of_range_is_an_error(tmp_path):
    inputs = [np.zeros((1, 4), np.float32), np.array([[4]], np.int64), np.float32([[5]])]
    model = make_model("ScatterElements", {"axis": 1}, inputs)
    with pytest.raises(Exception, match="index 4 is out of range, expected -4 to 3"):
        run_ours(tmp_path, model, inputs)


def test_updates_must_fit_the_indices(tmp_path):
    inputs = [np.zeros((1, 4), np.float32), np.array([[1, 2]], np.int64), np.float32([[5]])]
    assert "updates have shape [1, 1]" in refusal(tmp_path, make_model("ScatterElements", {"axis": 1}, inputs))


# ---- Gather with batches ----


@pytest.mark.parametrize("batch_dims", [0, 1, 2])
def test_gather_nd_in_batches(tmp_path, rng, batch_dims):
    x = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    parts = 4 - batch_dims
    for depth in range(1, parts + 1):
        shape = [*x.shape[:batch_dims], 3, depth]
        indices = np.stack([rng.integers(-n, n, shape[:-1]) for n in x.shape[batch_dims:][:depth]], -1)
        inputs = [x, indices]
        model = make_model("GatherND", {"batch_dims": batch_dims}, inputs)
        np.testing.assert_array_equal(run_ours(tmp_path, model, inputs)[0], run_oracle(model, inputs)[0])


# ---- Range, Det ----


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("start, limit, delta", [(1, 10, 3), (10, 0, -4), (3, 3, 1), (5, 1, 2), (0, 7, 7)])
def test_range_of_every_type(tmp_path, dtype, start, limit, delta):
    inputs = [np.array(v, dtype) for v in (start, limit, delta)]
    got = run_ours(tmp_path, make_model("Range", {}, inputs, constants=[0, 1, 2]), inputs)[0]
    expected = np.arange(start, limit, delta).astype("float32" if dtype == "float64" else dtype)
    assert got.dtype == expected.dtype and got.tolist() == expected.tolist()


def test_range_of_integers_that_doubles_cannot_hold(tmp_path):
    first = 2**62 + 1
    inputs = [np.array(v, np.int64) for v in (first, first + 5, 2)]
    got = run_ours(tmp_path, make_model("Range", {}, inputs, constants=[0, 1, 2]), inputs)[0]
    assert got.tolist() == [first, first + 2, first + 4]


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (7, 7), (2, 3, 5, 5), (0, 3, 3), (2, 0, 0)])
def test_determinant(tmp_path, rng, shape):
    x = rng.standard_normal(shape).astype(np.float32)
    got = run_ours(tmp_path, make_model("Det", {}, [x]), [x])[0]
    expected = np.linalg.det(x.astype(np.float64))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=2e-7, atol=1e-12)


def test_the_determinant_of_a_singular_matrix_is_0(tmp_path):
    x = np.float32([[1, 2], [2, 4]])
    assert run_ours(tmp_path, make_model("Det", {}, [x]), [x])[0] == 0
    text = refusal(tmp_path, make_model("Det", {}, [np.zeros((2, 3), np.float32)]))
    assert "expected square matrices" in text
