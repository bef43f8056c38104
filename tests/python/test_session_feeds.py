"""What run is fed and what it gives: layouts, element types, names, shapes."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from stub_runtime import ECHO, IMAGE  # noqa: E402

import openrknn  # noqa: E402

VERSION = "version 2.4.1 (stub)\n"
LAYOUTS = ["nchw", "original", "nchw_software", "original_software", "nhwc", "any"]
AS_NCHW = LAYOUTS[:4]
DTYPES = ["float32", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool"]
STUB_TYPES = dict(zip(DTYPES, ["f32", "f16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "bool"], strict=True))


def counting(shape, dtype=np.float32):
    return (np.arange(np.prod(shape, dtype=int)) % 100 + 1).reshape(shape).astype(dtype)


@pytest.fixture
def echo(stub):
    """A stub whose output i holds the elements of input i, in the source model's order."""
    stub.configure("fill=echo")
    return stub


def message_of(session, feed, names=None, **kwargs):
    with pytest.raises(openrknn.RknnError) as raised:
        session.run(names, feed, **kwargs)
    return str(raised.value)


# ---- layouts


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_nhwc_input_is_presented_in_the_layout_asked_for(echo, layout):
    session = echo.session(IMAGE, layout=layout)
    (arg,) = session.get_inputs()
    nchw = counting([1, 3, 4, 5])
    array = nchw if layout in AS_NCHW else nchw.transpose(0, 2, 3, 1)
    assert arg.shape == list(array.shape)
    assert arg.layout == ("NCHW" if layout in AS_NCHW else "NHWC")
    np.testing.assert_array_equal(session.run(None, array)[0], nchw)
    np.testing.assert_array_equal(session.run(None, np.ascontiguousarray(array))[0], nchw)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("format", ["nchw", "undefined"])
def test_other_four_dimensional_inputs_are_presented_as_the_model_reports_them(echo, layout, format):
    session = echo.session(f"input x f32 {format} 1,3,2,4\noutput y f32 {format} 1,3,2,4\n{VERSION}", layout=layout)
    array = counting([1, 3, 2, 4])
    assert session.get_inputs()[0].shape == [1, 3, 2, 4]
    np.testing.assert_array_equal(session.run(None, array)[0], array)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(1,), (7,), (2, 3, 4), (1, 2, 3, 2, 2)])
def test_inputs_of_other_ranks_are_never_transposed(echo, layout, shape):
    dims = ",".join(map(str, shape))
    session = echo.session(f"input x f32 {dims}\noutput y f32 {dims}\n{VERSION}", layout=layout)
    arg = session.get_inputs()[0]
    assert (arg.shape, arg.layout) == (list(shape), "UNDEFINED")
    np.testing.assert_array_equal(session.run(None, counting(shape))[0], counting(shape))


def test_a_scalar_is_not_a_vector_of_one(echo):
    session = echo.session(f"input x f32 1\noutput y f32 1\n{VERSION}")
    assert message_of(session, np.float32(3)) in (
        "Input rank mismatch: expected 1, got 0",
        "input_feed must be a numpy array, list/tuple, or dict",
    )
    assert message_of(session, np.array(3, np.float32)) == "Input rank mismatch: expected 1, got 0"


@pytest.mark.parametrize("layout", ["nchw", "nchw_software", "nhwc"])
@pytest.mark.parametrize("channels", [1, 3, 4, 5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_layout_and_type_go_together(echo, layout, channels, dtype):
    """The transposition in the session has its own paths by channels and by element size."""
    model = f"input x {STUB_TYPES[dtype]} nhwc 1,6,7,{channels}\noutput y f32 nchw 1,{channels},6,7\n{VERSION}"
    session = echo.session(model, layout=layout)
    nchw = counting([1, channels, 6, 7], dtype)
    array = nchw if layout != "nhwc" else nchw.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(session.run(None, array)[0], nchw.astype(np.float32))


# ---- element types and how arrays lie in memory


@pytest.mark.parametrize("dtype", DTYPES)
def test_accepted_element_types(echo, dtype):
    session = echo.session(f"input x {STUB_TYPES[dtype]} 2,6\noutput y f32 2,6\n{VERSION}")
    array = counting([2, 6], dtype)
    np.testing.assert_array_equal(session.run(None, array)[0], array.astype(np.float32))


@pytest.mark.parametrize("dtype", ["float64", "uint64", "complex64", "object", "U3", "S4", "M8[s]", "longdouble"])
def test_refused_element_types(echo, dtype):
    session = echo.session()
    array = np.zeros((1, 4), dtype)
    text = message_of(session, array)
    assert text.startswith(f"Unsupported numpy dtype for RKNN input: {array.dtype}; give float32, ")
    assert message_of(session, [array]) == message_of(session, {"x": array}) == text


def test_long_long_is_int64_where_it_is_as_wide(echo):
    session = echo.session(f"input x i64 4\noutput y f32 4\n{VERSION}")
    for dtype in (np.longlong, np.dtype("l"), np.dtype("q")):
        np.testing.assert_array_equal(session.run(None, counting([4], dtype))[0], counting([4]))


LAID_OUT = {
    "read-only": lambda a: (a.setflags(write=False), a)[1],
    "every other row": lambda a: np.repeat(a, 2, 0)[::2],
    "every third column": lambda a: np.repeat(a, 3, 1)[:, ::3],
    "upside down": lambda a: a[::-1].copy()[::-1],
    "mirrored": lambda a: a[:, ::-1].copy()[:, ::-1],
    "column-major": np.asfortranarray,
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
    "memoryview": memoryview,
}


@pytest.mark.parametrize("how", LAID_OUT)
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8", "int64"])
def test_arrays_may_lie_in_memory_as_they_like(echo, how, dtype):
    session = echo.session(f"input x {STUB_TYPES[dtype]} 6,8\noutput y f32 6,8\n{VERSION}")
    array = LAID_OUT[how](counting([6, 8], dtype))
    want = np.asarray(array).astype(np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": array})[0], want)
    np.testing.assert_array_equal(session.run(None, [array])[0], want)


def test_empty_arrays(echo):
    session = echo.session(f"input x f32 2,3\noutput y f32 2,3\n{VERSION}")
    assert message_of(session, np.zeros((0, 3), np.float32)) == "Input 'x' shape mismatch: expected [2, 3], got [0, 3]"


class Tensor:
    """Of another library: only __array__ says what it is."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def test_arrays_of_other_libraries(echo):
    session = echo.session()
    array = counting([1, 4])
    for feed in (Tensor(array), [Tensor(array)], {"x": Tensor(array)}):
        np.testing.assert_array_equal(session.run(None, feed)[0], array)


def test_an_array_that_runs_the_session_while_it_is_read(echo):
    session = echo.session()
    inner = []

    class Nosy(Tensor):
        def __array__(self, dtype=None, copy=None):
            inner.append(session.run(None, self.array + 1)[0])
            return self.array

    array = counting([1, 4])
    np.testing.assert_array_equal(session.run(None, [Nosy(array)])[0], array)
    np.testing.assert_array_equal(inner[0], array + 1)


def test_arrays_are_the_callers_again_when_the_call_returns(echo):
    session = echo.session()
    echo.block()
    array = counting([1, 4])
    future = session.submit(None, array)
    array[:] = -1
    echo.wait_blocked()
    echo.release()
    np.testing.assert_array_equal(future.result(10)[0], counting([1, 4]))


# ---- forms of a feed

TWO = f"input a f32 2\ninput b f32 3\noutput p f32 2\noutput q f32 3\n{VERSION}"
A, B = counting([2]), counting([3])


@pytest.mark.parametrize("feed", [{"a": A, "b": B}, {"b": B, "a": A}, [A, B], (A, B)])
def test_forms_of_a_feed(echo, feed):
    p, q = echo.session(TWO).run(None, feed)
    np.testing.assert_array_equal(p, A)
    np.testing.assert_array_equal(q, B)


def test_nested_lists_are_what_numpy_makes_of_them(echo):
    session = echo.session(f"input x i64 2,2\noutput y f32 2,2\n{VERSION}")
    np.testing.assert_array_equal(session.run(None, [[[1, 2], [3, 4]]])[0], [[1, 2], [3, 4]])
    assert "Unsupported numpy dtype for RKNN input: float64" in message_of(session, [[[0.5, 2], [3, 4]]])


def test_the_feed_may_be_the_only_argument(echo):
    session = echo.session()
    np.testing.assert_array_equal(session.run(input_feed=counting([1, 4]))[0], counting([1, 4]))


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        (A, "Model expects 2 inputs, but a single array was given"),
        ({"a": A}, "Input dict size mismatch: expected 2, got 1"),
        ({"a": A, "b": B, "c": B}, "Input dict size mismatch: expected 2, got 3"),
        ({"a": A, "c": B}, "Missing input: b"),
        ([A], "Input list size mismatch: expected 2, got 1"),
        ((A, B, B), "Input list size mismatch: expected 2, got 3"),
        ("abc", "Input list size mismatch: expected 2, got 3"),
        ("ab", "Input must be a numpy array"),
        ({}, "No inputs provided"),
        ([], "No inputs provided"),
        (None, "input_feed must be a numpy array, list/tuple, or dict"),
        (3, "input_feed must be a numpy array, list/tuple, or dict"),
        (b"ab", "input_feed must be a numpy array, list/tuple, or dict"),
        ({A.tobytes(), B.tobytes()}, "input_feed must be a numpy array, list/tuple, or dict"),
        ([A, "text"], "Input must be a numpy array"),
        ([A, None], "Input must be a numpy array"),
        ({"a": A, "b": None}, "Input must be a numpy array"),
        ([A, [[1], [2, 3]]], "Input must be a numpy array"),
        ([np.zeros((1,) * 17, np.float32), B], "Input rank is too large"),
        ([np.zeros((1, 2), np.float32), B], "Input rank mismatch: expected 1, got 2"),
        ([np.zeros(3, np.float32), B], "Input 'a' shape mismatch: expected [2], got [3]"),
        ([A, np.zeros(2, np.float32)], "Input 'b' shape mismatch: expected [3], got [2]"),
    ],
)
def test_wrong_feeds_are_refused_with_their_documented_text(stub, feed, message):
    session = stub.session(TWO)
    assert message_of(session, feed) == message
    with pytest.raises(openrknn.RknnError) as raised:
        session.run_async(None, feed, lambda *_: None)
    assert str(raised.value) == message
    with pytest.raises(openrknn.RknnError) as raised:
        session.run_pipeline(feed)
    assert str(raised.value) == message
    assert stub.calls("rknn_inputs_set") == 0
    assert session.stats()["submitted"] == 0


# ---- outputs


def test_outputs_are_float32_contiguous_writable_and_the_callers(echo):
    session = echo.session(f"input x i8 2,3\noutput y i8 2,3\n{VERSION}")
    (first,) = session.run(None, counting([2, 3], np.int8))
    assert first.dtype == np.float32 and first.flags.c_contiguous and first.flags.writeable
    first[:] = 7
    (second,) = session.run(None, counting([2, 3], np.int8))
    np.testing.assert_array_equal(second, counting([2, 3]))
    assert (first == 7).all()


def test_results_outlive_their_session(echo):
    session = echo.session()
    results = [session.run(None, counting([1, 4]) + i)[0] for i in range(20)]
    session.close()
    del session
    for i, result in enumerate(results):
        np.testing.assert_array_equal(result, counting([1, 4]) + i)


@pytest.mark.parametrize(
    ("names", "want"),
    [(None, "pq"), ([], "pq"), (["q"], "q"), (["q", "p"], "qp"), (("p", "p", "q"), "ppq")],
)
def test_outputs_by_name(echo, names, want):
    session = echo.session(TWO)
    arrays = {"p": A, "q": B}
    results = session.run(names, [A, B])
    assert len(results) == len(want)
    for result, name in zip(results, want, strict=True):
        np.testing.assert_array_equal(result, arrays[name])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["r"], "Unknown output name: r"),
        (["p", 3], "Unknown output name: 3"),
        ("p", "output_names must be a sequence or None"),
        (3, "output_names must be a sequence or None"),
        ({"p"}, "output_names must be a sequence or None"),
    ],
)
def test_wrong_output_names(stub, names, message):
    assert message_of(stub.session(TWO), [A, B], names) == message


@pytest.mark.parametrize("dtype", DTYPES)
def test_native_outputs_have_the_models_type(echo, dtype):
    model = f"input x {STUB_TYPES[dtype]} 4\noutput y {STUB_TYPES[dtype]} 4\noutput z {STUB_TYPES[dtype]} 4\n{VERSION}"
    array = counting([4], dtype)
    y, z = echo.session(model, output_type="native").run(None, array)
    assert y.dtype == z.dtype == array.dtype
    np.testing.assert_array_equal(y, array)
    y, z = echo.session(model, output_type={"z": "native"}).run(None, array)
    assert (y.dtype, z.dtype) == (np.float32, array.dtype)
    np.testing.assert_array_equal(y, array.astype(np.float32))
    np.testing.assert_array_equal(z, array)


def test_native_int64_is_exact_where_float32_is_not(echo):
    model = f"input x i64 2\noutput y i64 2\n{VERSION}"
    array = np.array([3, (1 << 24) + 1])
    assert echo.session(model, output_type="native").run(None, array)[0].tolist() == array.tolist()
    assert echo.session(model).run(None, array)[0].tolist() == [3, 1 << 24]


def test_output_types_of_unknown_outputs_are_refused(stub):
    with pytest.raises(openrknn.OptionError, match="output_type names 'z', which is no output of the model"):
        stub.session(output_type={"z": "native"})


# ---- what the model says of itself


@pytest.mark.parametrize(
    ("type", "text"),
    [
        ("f32", "float"),
        ("f16", "float16"),
        ("i8", "int8"),
        ("u8", "uint8"),
        ("i16", "int16"),
        ("u16", "uint16"),
        ("i32", "int32"),
        ("u32", "uint32"),
        ("i64", "int64"),
        ("bool", "bool"),
    ],
)
def test_type_texts(stub, type, text):
    session = stub.session(f"input x {type} 2\noutput y {type} 2\n{VERSION}")
    assert session.get_inputs()[0].type == session.get_outputs()[0].type == f"tensor({text})"


def test_node_args(stub):
    model = (
        "input image i8 nhwc 1,4,5,3 scale=0.5 zp=-3\ninput other f16 7\n"
        f"output y u8 nchw 1,3,4,5 scale=0.25 zp=4\noutput z i64 2,3\n{VERSION}"
    )
    session = stub.session(model)
    image, other = session.get_inputs()
    assert (image.name, image.shape, image.type, image.layout) == ("image", [1, 3, 4, 5], "tensor(int8)", "NCHW")
    assert image.strides == [60, 20, 5, 1]
    assert (image.scale, image.zero_point) == (0.5, -3)
    assert (other.scale, other.zero_point, other.strides, other.shapes) == (None, None, [2], [])
    assert repr(image) == "NodeArg(name='image', shape=[1, 3, 4, 5], type='tensor(int8)', layout='NCHW')"
    y, z = session.get_outputs()
    assert (y.shape, y.layout, y.strides, y.scale, y.zero_point) == ([1, 3, 4, 5], "NCHW", [60, 20, 5, 1], 0.25, 4)
    assert (z.type, z.strides, z.scale) == ("tensor(int64)", [24, 8], None)
    assert all(type(extent) is int for extent in image.shape)
    assert session.get_inputs()[0] is not image
    with pytest.raises(AttributeError):
        image.name = "x"
    nhwc = stub.session(model, layout="nhwc").get_inputs()[0]
    assert (nhwc.shape, nhwc.layout, nhwc.strides) == ([1, 4, 5, 3], "NHWC", [60, 15, 3, 1])


def test_names_are_copies_and_read_only(stub):
    session = stub.session(TWO)
    assert (session.input_names, session.output_names) == (["a", "b"], ["p", "q"])
    session.input_names.append("c")
    assert session.input_names == ["a", "b"] == [arg.name for arg in session.get_inputs()]
    with pytest.raises(AttributeError):
        session.input_names = []


def test_model_metadata(stub):
    assert stub.session().get_modelmeta().custom_metadata_map == {}
    session = stub.session(ECHO + "custom_string yolov5s-640 für alle\n")
    assert session.get_modelmeta().custom_metadata_map == {"rknn_custom_string": "yolov5s-640 für alle"}
    assert isinstance(session.get_modelmeta(), openrknn.ModelMetadata)


def test_memory_and_runtime_info(stub):
    session = stub.session(ECHO + "memory 1000 200\ndriver 0.9.9\n")
    assert session.memory_info()["weights"] == 1000 and session.memory_info()["internal"] == 200
    info = session.runtime_info
    assert info == {"api_version": "2.4.1 (stub)", "driver_version": "0.9.9", "path": stub.path}


# ---- dynamic shapes

DYNAMIC = (
    "input image f32 nhwc 1,8,6,3\noutput y f32 nchw 1,3,8,6\n"
    f"dynamic 0 1,8,6,3 1,4,6,3 1,2,2,3\ndynamic_output 0 1,3,8,6 1,3,4,6 1,3,2,2\n{VERSION}"
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_dynamic_model_takes_and_gives_all_its_shapes(echo, layout):
    session = echo.session(DYNAMIC, layout=layout)
    (arg,) = session.get_inputs()
    nchw = layout in AS_NCHW
    assert arg.shapes == (
        [[1, 3, 8, 6], [1, 3, 4, 6], [1, 3, 2, 2]] if nchw else [[1, 8, 6, 3], [1, 4, 6, 3], [1, 2, 2, 3]]
    )
    assert arg.dynamic_shape == ([1, 3, None, None] if nchw else [1, None, None, 3])
    for height, width in ((8, 6), (4, 6), (2, 2), (2, 2), (8, 6)):
        array = counting([1, 3, height, width])
        result = session.run(None, array if nchw else array.transpose(0, 2, 3, 1))[0]
        np.testing.assert_array_equal(result, array)


def test_shapes_are_set_only_when_they_change(stub):
    session = stub.session(DYNAMIC)
    for height, width in ((8, 6), (8, 6), (4, 6), (4, 6), (8, 6)):
        session.run(None, counting([1, 3, height, width]))
    assert stub.calls("rknn_set_input_shapes") == 3


def test_other_shapes_are_refused_with_the_list_of_those(stub):
    session = stub.session(DYNAMIC)
    assert message_of(session, counting([1, 3, 5, 5])) == (
        "Input 'image' shape mismatch: expected [1, 3, 8, 6], got [1, 3, 5, 5]; "
        "this model takes [1, 3, 8, 6] or [1, 3, 4, 6] or [1, 3, 2, 2]"
    )


def test_shapes_of_several_inputs_belong_together(echo):
    session = echo.session(
        "input a f32 4\ninput b f32 6\noutput p f32 4\noutput q f32 6\n"
        f"dynamic 0 4 2\ndynamic 1 6 3\ndynamic_output 0 4 2\ndynamic_output 1 6 3\n{VERSION}"
    )
    p, q = session.run(None, [counting([2]), counting([3])])
    assert (p.shape, q.shape) == ((2,), (3,))
    assert message_of(session, [counting([2]), counting([6])]).startswith(
        "Input shapes do not belong together: 'a' [2] 'b' [6]"
    )


def test_workers_of_a_dynamic_model_have_shapes_of_their_own(echo):
    session = echo.session(DYNAMIC, schedule=[0, 1, 2])
    arrays = [counting([1, 3, *size]) + i for i, size in enumerate([(8, 6), (4, 6), (2, 2)] * 7)]
    futures = [session.submit(None, array) for array in arrays]
    for future, array in zip(futures, arrays, strict=True):
        np.testing.assert_array_equal(future.result(10)[0], array)


@pytest.mark.skipif(not openrknn._core.has_compiler, reason="this build makes no models")
@pytest.mark.parametrize("layout", ["nchw", "nchw_software", "nhwc"])
def test_a_compiled_model_of_several_shapes(tmp_path, layout):
    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    source = small_models.save(
        small_models.model(
            [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])],
            [small_models.value("x", [1, 3, "height", "width"])],
            [small_models.value("y", [1, 4, "height", "width"])],
            [small_models.constant("w", weights)],
        ),
        tmp_path / "x.onnx",
    )
    shapes = [[1, 3, 16, 12], [1, 3, 8, 8], [1, 3, 4, 20]]
    path = tmp_path / "dynamic.rknn"
    openrknn.compile(source, quantize=None, dynamic_input=[[shape] for shape in shapes]).save(path)
    session = openrknn.InferenceSession(path, provider_options={"layout": layout, "schedule": [0, 1]})
    for shape in [*shapes, *reversed(shapes)]:
        fixed = tmp_path / "fixed.rknn"
        openrknn.compile(openrknn.import_model(source, input_shapes=[shape]), quantize=None).save(fixed)
        array = np.random.default_rng(shape[2]).standard_normal(shape).astype(np.float32)
        array = array.transpose(0, 2, 3, 1) if layout == "nhwc" else array
        with openrknn.InferenceSession(fixed, provider_options={"layout": layout}) as alone:
            (wanted,) = alone.run(None, array)
        for _ in range(2):  # each core in turn
            (got,) = session.run(None, array)
            np.testing.assert_array_equal(got, wanted)
    session.close()
