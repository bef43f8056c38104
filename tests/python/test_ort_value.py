"""OrtValue and IOBinding: arrays in device memory, on the simulator and over the stub runtime."""

import gc
import os

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from stub_runtime import ECHO  # noqa: E402

import openrknn  # noqa: E402
from openrknn import OrtValue  # noqa: E402

HEIGHT, WIDTH = 10, 9  # rows of 9 pixels are padded to 16 where channels are few


def convolution(channels, outputs):
    random = np.random.default_rng(channels)
    weights = (random.standard_normal((outputs, channels, 3, 3)) * 0.2).astype(np.float32)
    return small_models.model(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])],
        [small_models.value("x", [1, channels, HEIGHT, WIDTH])],
        [small_models.value("y", [1, outputs, HEIGHT, WIDTH])],
        [small_models.constant("w", weights)],
    )


def real_numbers(channels, seed=0):
    return np.random.default_rng(seed).standard_normal((1, channels, HEIGHT, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Paths by (input channels, output channels, "int8" or "float16"), compiled when first asked for."""
    if not openrknn._core.has_compiler:
        pytest.skip("this build makes no models")
    folder, made = tmp_path_factory.mktemp("models"), {}

    def path_of(channels, outputs, kind):
        path = folder / f"{channels}_{outputs}_{kind}.rknn"
        if path not in made:
            source = small_models.save(convolution(channels, outputs), folder / "model.onnx")
            if kind == "int8":
                openrknn.compile(source, dataset=[real_numbers(channels, seed) for seed in range(4)]).save(path)
            else:
                openrknn.compile(source, quantize=None).save(path)
            made[path] = True
        return path

    return path_of


@pytest.fixture
def session(models):
    opened = []

    def open_session(channels=3, outputs=80, kind="int8", **options):
        made = openrknn.InferenceSession(models(channels, outputs, kind), provider_options=options)
        opened.append(made)
        return made

    yield open_session
    for each in opened:
        each.close()


def on_device(session, array, name="x", io_kind="input"):
    return OrtValue.ortvalue_from_numpy(array, "rknpu2", session=session, name=name, io_kind=io_kind)


def message_of(call, *args, **kwargs):
    with pytest.raises(openrknn.RknnError) as raised:
        call(*args, **kwargs)
    return str(raised.value)


# ---- values on the CPU


def test_a_cpu_value_is_the_array_itself():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = OrtValue.ortvalue_from_numpy(array)
    assert value.numpy() is array
    assert value.data_ptr() == array.ctypes.data
    assert (value.device_name(), value.device_type(), value.device_id()) == ("cpu", "cpu", 0)
    assert (value.shape(), value.element_type(), value.data_type()) == ([2, 3], "tensor(float)", "tensor(float)")
    assert value.is_tensor() and value.has_value() and not value.is_sparse_tensor()
    assert value.memory_info() == {"device_type": "cpu", "device_id": 0}
    value.sync_to_device()
    value.sync_from_device()
    value.update_inplace(np.ones((2, 3), np.float32))
    assert (array == 1).all()
    assert OrtValue.ortvalue_from_numpy(array.T).numpy().flags.c_contiguous


@pytest.mark.parametrize(
    ("element_type", "text"),
    [(np.float32, "float"), ("float16", "float16"), (np.dtype("int8"), "int8"), ("tensor(float)", "float"),
     ("tensor(int64)", "int64"), (bool, "bool")],
)  # fmt: skip
def test_a_cpu_value_of_a_shape_is_zeros(element_type, text):
    value = OrtValue.ortvalue_from_shape_and_type((2, np.int64(3)), element_type)
    assert (value.shape(), value.element_type()) == ([2, 3], f"tensor({text})")
    assert not value.numpy().any()


# ---- values on the device

CASES = [(3, 80), (80, 5), (1, 1), (4, 17)]


@pytest.mark.parametrize("layout", ["nchw", "nchw_software", "nhwc", "any"])
@pytest.mark.parametrize("zero_copy_layout", ["nhwc", "native"])
@pytest.mark.parametrize("kind", ["int8", "float16"])
@pytest.mark.parametrize(("channels", "outputs"), CASES)
def test_what_is_written_is_read_and_runs_give_what_run_gives(
    session, channels, outputs, kind, zero_copy_layout, layout
):
    opened = session(channels, outputs, kind, zero_copy_layout=zero_copy_layout, layout=layout, output_type="native")
    array = real_numbers(channels, 7)
    if layout in ("nhwc", "any"):
        array = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
    value = on_device(opened, array)
    arg = opened.get_inputs()[0]
    if kind == "int8":
        codes = np.clip(np.rint(array.astype(np.float64) / arg.scale + arg.zero_point), -128, 127).astype(np.int8)
        np.testing.assert_array_equal(value.numpy(), codes)
        np.testing.assert_allclose(
            value.dequantized(),
            np.clip(array, *((np.array([-128, 127]) - arg.zero_point) * arg.scale)),
            atol=arg.scale * 0.51,
        )
    else:
        np.testing.assert_array_equal(value.numpy(), array.astype(np.float16))
        np.testing.assert_array_equal(value.dequantized(), array.astype(np.float16).astype(np.float32))
    assert value.shape() == list(array.shape) and value.element_type() == arg.type

    binding = opened.io_binding()
    binding.bind_ortvalue_input("x", value)
    binding.bind_output("y", "rknpu2")
    opened.run_with_iobinding(binding)
    (wanted,) = opened.run(None, value.numpy() if kind == "float16" else array)
    (got,) = binding.copy_outputs_to_cpu()
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("zero_copy_layout", ["nhwc", "native"])
@pytest.mark.parametrize(("channels", "outputs"), CASES)
def test_codes_are_taken_as_they_are(session, channels, outputs, zero_copy_layout):
    opened = session(channels, outputs, zero_copy_layout=zero_copy_layout)
    codes = np.random.default_rng(3).integers(-128, 128, (1, channels, HEIGHT, WIDTH)).astype(np.int8)
    value = on_device(opened, codes)
    np.testing.assert_array_equal(value.numpy(), codes)
    value.update_inplace(codes[:, :, ::-1, ::-1])
    np.testing.assert_array_equal(value.numpy(), codes[:, :, ::-1, ::-1])
    value.numpy()[:] = 0
    np.testing.assert_array_equal(value.numpy(), codes[:, :, ::-1, ::-1])


STUB_TYPES = {"i8": np.int8, "u8": np.uint8, "f16": np.float16, "i16": np.int16}


@pytest.mark.parametrize("seed", range(60))
def test_cubes_of_any_extents_hold_what_was_written(stub, seed):
    """Over a runtime that names random native layouts: planes padded to C2 channels, rows padded to a stride."""
    random = np.random.default_rng(seed)
    height, width, channels = (int(random.integers(1, most)) for most in (9, 11, 40))
    type_name = random.choice(list(STUB_TYPES))
    lanes = int(random.choice([4, 8, 16, 32]))
    planes = -(-channels // lanes) + int(random.integers(0, 2))
    cube = f"1,{planes},{height},{width},{lanes}"
    as_cube = bool(random.integers(0, 2))
    stride = width if as_cube else width + int(random.integers(0, 8))
    model = (
        f"input x {type_name} nhwc 1,{height},{width},{channels}\n"
        f"output y {type_name} nchw 1,{channels},{height},{width}\n"
        + (f"native_input 0 {type_name} nc1hwc2 {cube}\n" if as_cube else "")
        + ("" if as_cube else f"native_input 0 {type_name} nhwc 1,{height},{width},{channels} wstride={stride}\n")
        + f"native_output 0 {type_name} nc1hwc2 {cube}\nversion 2.4.1\n"
    )
    layout = str(random.choice(["nchw", "nhwc"]))
    session = stub.session(model, layout=layout, zero_copy_layout="native")
    shape = (1, channels, height, width) if layout == "nchw" else (1, height, width, channels)
    for name, kind in (("x", "input"), ("y", "output")):
        own = shape if kind == "input" else (1, channels, height, width)
        codes = random.integers(0, 100, own).astype(STUB_TYPES[type_name])
        value = on_device(session, codes, name, kind)
        np.testing.assert_array_equal(value.numpy(), codes)
        codes = np.asfortranarray(codes + 1)
        value.update_inplace(codes)
        np.testing.assert_array_equal(value.numpy(), codes)


def test_memory_info_tells_the_layout(session):
    padded = on_device(session(3, 80), real_numbers(3)).memory_info()
    assert (padded["device_type"], padded["device_id"], padded["w_stride"], padded["fmt"]) == ("rknpu2", 0, 16, 1)
    assert padded["size_with_stride"] == 16 * HEIGHT * 3 <= padded["size"] and not padded["pass_through"]
    cube = on_device(session(80, 5, zero_copy_layout="native"), real_numbers(80)).memory_info()
    assert (cube["fmt"], cube["pass_through"]) == (2, True)
    keys = "device_type device_id size fd offset virt_addr import_count dmabuf_backed attr_size size_with_stride w_stride h_stride fmt pass_through"
    assert list(cube) == keys.split()


def test_native_attributes(session):
    opened = session(80, 80, zero_copy_layout="native")
    (native,) = opened.get_native_inputs()
    assert (native.name, native.shape, native.layout, native.type) == (
        "x",
        [1, 5, HEIGHT, WIDTH, 16],
        "NC1HWC2",
        "tensor(int8)",
    )
    nhwc = session(3, 80)
    (native,), (output,) = nhwc.get_native_inputs(), nhwc.get_native_outputs()
    assert (native.shape, native.layout, native.strides[1]) == ([1, HEIGHT, WIDTH, 3], "NHWC", 48)
    assert (output.name, output.layout) == ("y", "NHWC")


def test_a_value_of_a_shape_and_type_on_the_device(session):
    opened = session(3, 80)
    shape = [1, 3, HEIGHT, WIDTH]
    for element_type in (np.int8, "int8", "tensor(int8)"):
        value = OrtValue.ortvalue_from_shape_and_type(
            shape, element_type, "rknpu2", 0, session=opened, name="x", io_kind="input", mem_flags="non_cacheable"
        )
        assert (value.shape(), value.element_type(), value.device_name()) == (shape, "tensor(int8)", "rknpu2")
        assert value.data_ptr() == value.memory_info()["virt_addr"] != 0


@pytest.mark.skipif(not openrknn._core.has_compiler, reason="this build makes no models")
def test_vectors_have_device_memory_too(dense, tmp_path):
    path = tmp_path / "dense.rknn"
    openrknn.compile(dense, quantize=None).save(path)
    with openrknn.InferenceSession(path, provider_options={"output_type": "native"}) as opened:
        array = np.random.default_rng(1).standard_normal((1, 6)).astype(np.float16)
        binding = opened.io_binding()
        binding.bind_cpu_input("x", array)
        binding.bind_output("y")
        opened.run_with_iobinding(binding, None)
        np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], opened.run(None, array)[0])


# ---- bindings


def test_a_binding_runs_again_after_its_input_was_overwritten(session):
    opened = session(3, 80, output_type="native")
    value = on_device(opened, real_numbers(3, 1))
    binding = opened.io_binding()
    binding.bind_ortvalue_input("x", value)
    output = OrtValue.ortvalue_from_shape_and_type(
        [1, 80, HEIGHT, WIDTH], "tensor(int8)", "rknpu2", session=opened, name="y", io_kind="output"
    )
    binding.bind_ortvalue_output("y", output)
    for seed in (1, 2, 3):
        value.update_inplace(on_device(opened, real_numbers(3, seed)).numpy())
        binding.synchronize_inputs()
        opened.run_with_iobinding(binding)
        binding.synchronize_outputs()
        np.testing.assert_array_equal(output.numpy(), opened.run(None, real_numbers(3, seed))[0])
    assert binding.get_outputs() == [output] == binding.get_outputs_as_ortvaluevector()


def test_outputs_come_in_the_order_they_were_bound_first(stub):
    session = stub.session("input x f32 1,4\noutput a f32 1,4\noutput b f32 1,4\nversion 2.4.1\n")
    binding = session.io_binding()
    for name in ("b", "a", "b"):
        binding.bind_output(name)
    first, second = binding.get_outputs()
    assert (first._arg.name, second._arg.name) == ("b", "a")
    binding.clear_binding_outputs()
    assert binding.get_outputs() == []


def test_bindings_run_beside_the_workers_on_a_context_of_their_own(stub):
    stub.configure("jitter_us=200 seed=1")
    session = stub.session(schedule=[0, 1], max_queue_size=16)
    array = np.full((1, 4), 3, np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("x", array)
    binding.bind_output("y")
    futures = []
    for i in range(30):
        futures.append(session.submit(None, array + i))
        session.run_with_iobinding(binding)
        assert binding.copy_outputs_to_cpu()[0][0, 0] == 3
    assert [future.result(10)[0][0, 0] for future in futures] == [3 + i for i in range(30)]
    assert stub.calls("rknn_set_io_mem") == 2, "bound once"


def test_memory_by_file_descriptor(session):
    opened = session(3, 80, output_type="native")
    codes = on_device(opened, real_numbers(3, 5)).numpy()
    size, offset = on_device(opened, codes).memory_info()["size"], 64
    fd = os.memfd_create("camera")
    try:
        os.truncate(fd, size + offset)
        value = OrtValue.ortvalue_from_dmabuf(
            fd,
            [1, 3, HEIGHT, WIDTH],
            "tensor(int8)",
            size=size,
            offset=offset,
            session=opened,
            name="x",
            io_kind="input",
        )
        value.update_inplace(codes)
        row = np.frombuffer(os.pread(fd, 3 * WIDTH, offset), np.int8).reshape(WIDTH, 3)
        np.testing.assert_array_equal(row, codes[0, :, 0].T)
        assert value.memory_info()["import_count"] == 1
    finally:
        os.close(fd)  # it has a duplicate
    binding = opened.io_binding()
    binding.bind_ortvalue_input("x", value)
    binding.bind_output("y")
    opened.run_with_iobinding(binding)
    np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], opened.run(None, codes.astype(np.int8))[0])


# ---- messages


def test_texts_about_arguments(session):
    opened = session(3, 80)
    binding, shape = opened.io_binding(), [1, 3, HEIGHT, WIDTH]
    array = real_numbers(3)
    from_numpy, from_shape = OrtValue.ortvalue_from_numpy, OrtValue.ortvalue_from_shape_and_type
    named = {"session": opened, "name": "x", "io_kind": "input"}
    cpu = from_numpy(array)
    table = [
        ("bind_ortvalue_input requires an RKNN OrtValue", binding.bind_ortvalue_input, ("x", cpu), {}),
        ("bind_ortvalue_input requires an RKNN OrtValue", binding.bind_ortvalue_input, ("x", array), {}),
        ("bind_ortvalue_output requires an RKNN OrtValue", binding.bind_ortvalue_output, ("y", cpu), {}),
        ("device_type must be 'cpu' or 'rknpu2'", from_numpy, (array, "cuda"), {}),
        ("device_type must be 'cpu' or 'rknpu2'", from_shape, (shape, "int8", "npu"), {}),
        ("device_type must be 'cpu' or 'rknpu2'", binding.bind_output, ("y", "gpu"), {}),
        ("io_kind must be 'input' or 'output'", from_numpy, (array, "rknpu2"), {**named, "io_kind": "in"}),
        *(
            ("session, name, and io_kind are required for RKNN OrtValue", from_numpy, (array, "rknpu2"), {**named, key: None})
            for key in named
        ),
        ("session, name, and io_kind are required for RKNN OrtValue", from_shape, (shape, "int8", "rknpu2"), {}),
        (
            "session, name, and io_kind are required for dma-buf OrtValue",
            OrtValue.ortvalue_from_dmabuf,
            (0, shape, "int8"),
            {"size": 10},
        ),
        ("Unknown input name: z", from_numpy, (array, "rknpu2"), {**named, "name": "z"}),
        ("Unknown input name: z", binding.bind_cpu_input, ("z", array), {}),
        ("Unknown output name: x", binding.bind_output, ("x",), {}),
        ("Unknown output name: x", from_shape, (shape, "int8", "rknpu2"), {**named, "io_kind": "output"}),
        (
            f"OrtValue for input 'x' shape mismatch: expected {shape}, got [1, 3]",
            from_shape,
            ([1, 3], "int8", "rknpu2"),
            named,
        ),
        (
            "OrtValue for input 'x' element type mismatch: expected tensor(int8), got tensor(float)",
            from_shape,
            (shape, np.float32, "rknpu2"),
            named,
        ),
        (
            "OrtValue for output 'y' element type mismatch: expected tensor(int8), got tensor(float16)",
            binding.bind_output,
            ("y", "rknpu2", 0, np.float16),
            {},
        ),
        (
            f"OrtValue for output 'y' shape mismatch: expected [1, 80, {HEIGHT}, {WIDTH}], got [1]",
            binding.bind_output,
            ("y",),
            {"shape": [1]},
        ),
        (
            f"update_inplace source shape mismatch: expected {shape}, got [1, 3]",
            on_device(opened, array).update_inplace,
            (array[:, :, 0, 0],),
            {},
        ),
        (
            "update_inplace source element type mismatch: expected tensor(int8), got tensor(float)",
            on_device(opened, array).update_inplace,
            (array,),
            {},
        ),
        (f"update_inplace source shape mismatch: expected {shape}, got [3]", cpu.update_inplace, (np.zeros(3, np.float32),), {}),
        (
            "update_inplace source element type mismatch: expected tensor(float), got tensor(int8)",
            cpu.update_inplace,
            (array.astype(np.int8),),
            {},
        ),
        (
            "bind_output with raw buffer_ptr is not implemented; use bind_ortvalue_output or let bind_output allocate an OrtValue",
            binding.bind_output,
            ("y",),
            {"buffer_ptr": 4096},
        ),
        ("mem_flags must be a string, integer, or None", from_shape, (shape, "int8", "rknpu2"), {**named, "mem_flags": 1.5}),
        (
            "mem_flags must be one of: default, cacheable, non_cacheable, try_sram",
            from_shape,
            (shape, "int8", "rknpu2"),
            {**named, "mem_flags": "fast"},
        ),
        ("shape must be a sequence of integers", from_shape, (3, "int8"), {}),
        ("shape must be a sequence of integers", from_shape, (["x"], "int8"), {}),
        ("shape dims must be >= 0", from_shape, ([-1], "int8"), {}),
        ("All model inputs must be bound before run_with_iobinding", opened.run_with_iobinding, (opened.io_binding(),), {}),
        ("IOBinding belongs to a different session", session(3, 80).run_with_iobinding, (binding,), {}),
        ("OrtValue belongs to a different session", session(3, 80).io_binding().bind_ortvalue_input, ("x", on_device(opened, array)), {}),
    ]  # fmt: skip
    for message, call, args, kwargs in table:
        assert message_of(call, *args, **kwargs) == message
    text = message_of(binding.bind_input, "x", "cpu", 0, np.float32, shape, 4096)
    assert text.startswith("bind_input with raw buffer_ptr is not supported for RKNN device memory because ")
    binding.bind_cpu_input("x", array)
    assert message_of(opened.run_with_iobinding, binding) == "All model outputs must be bound before run_with_iobinding"
    binding.clear_binding_inputs()
    assert "model inputs" in message_of(opened.run_with_iobinding, binding)
    for flags in (None, 0, 4, "default", "cacheable", "uncached", "non-cacheable", "sram", "try_sram"):
        from_shape(shape, "int8", "rknpu2", **named, mem_flags=flags)


def test_values_made_for_something_else_are_refused(session):
    nhwc, native = session(80, 5), session(80, 5, zero_copy_layout="native")
    text = message_of(native.io_binding().bind_ortvalue_input, "x", on_device(nhwc, real_numbers(80)))
    assert text.startswith("OrtValue for input 'x' native zero-copy layout mismatch: expected NC1HWC2, scale ")
    other = session(3, 80)
    text = message_of(other.io_binding().bind_ortvalue_input, "x", on_device(nhwc, real_numbers(80)))
    assert (
        text
        == f"OrtValue for input 'x' shape mismatch: expected [1, 3, {HEIGHT}, {WIDTH}], got [1, 80, {HEIGHT}, {WIDTH}]"
    )
    half = session(80, 5, "float16")
    text = message_of(half.io_binding().bind_ortvalue_input, "x", on_device(nhwc, real_numbers(80)))
    assert text == "OrtValue for input 'x' element type mismatch: expected tensor(float16), got tensor(int8)"


def test_memory_that_is_too_small(session):
    opened = session(3, 80)
    needed = on_device(opened, real_numbers(3)).memory_info()["size"]
    fd = os.memfd_create("small")
    try:
        text = message_of(
            OrtValue.ortvalue_from_dmabuf,
            fd,
            [1, 3, HEIGHT, WIDTH],
            "int8",
            size=needed - 1,
            session=opened,
            name="x",
            io_kind="input",
        )
    finally:
        os.close(fd)
    assert text == f"OrtValue buffer is too small for bound tensor: required {needed} bytes, got {needed - 1} bytes (x)"
    closed = {"size": needed, "session": opened, "name": "x", "io_kind": "input"}
    assert (
        message_of(OrtValue.ortvalue_from_dmabuf, fd, [1, 3, HEIGHT, WIDTH], "int8", **closed)
        == "dup dma-buf fd failed"
    )


def test_failures_of_the_runtime_are_named(stub):
    session = stub.session(ECHO)
    array = np.zeros((1, 4), np.float32)
    stub.fail("rknn_create_mem")
    assert message_of(on_device, session, array) == "rknn_create_mem failed"
    stub.fail("rknn_create_mem_from_fd")
    fd = os.memfd_create("x")
    os.truncate(fd, 4096)
    named = {"session": session, "name": "x", "io_kind": "input", "size": 4096}
    assert message_of(OrtValue.ortvalue_from_dmabuf, fd, [1, 4], "float32", **named) == "rknn_create_mem_from_fd failed"
    os.close(fd)
    value = on_device(session, array)
    for direction, call in (("TO", value.sync_to_device), ("FROM", value.sync_from_device)):
        stub.fail("rknn_mem_sync")
        assert message_of(call) == f"rknn_mem_sync({direction}_DEVICE) failed: RKNN_ERR_FAIL (-1): execute failed."
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", value)
    binding.bind_output("y")
    for nth, kind in ((1, "input"), (2, "output")):
        stub.fail("rknn_set_io_mem", nth, -5)
        text = f"rknn_set_io_mem failed for {kind} index 0: RKNN_ERR_PARAM_INVALID (-5): parameter is invalid."
        assert message_of(session.run_with_iobinding, binding) == text
    stub.fail("rknn_run")
    assert message_of(session.run_with_iobinding, binding).startswith("rknn_run failed: RKNN_ERR_FAIL")
    session.run_with_iobinding(binding)
    del value, binding, call
    gc.collect()  # exceptions and the frames they came from
    session.close()
    assert (stub.live_contexts, stub.library.stub_live_mems()) == (0, 0)


def test_dynamic_models_have_no_bindings_yet(stub):
    session = stub.session("input x f32 4\noutput y f32 4\ndynamic 0 4 2\nversion 2.4.1\n")
    assert message_of(session.io_binding) == "io_binding does not support models with dynamic shapes"
