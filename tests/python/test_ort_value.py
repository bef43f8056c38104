"""OrtValue: arrays on the CPU and in device memory, on the simulator and over the stub runtime."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from device_values import HEIGHT, WIDTH, on_device, real_numbers  # noqa: E402

import openrknn  # noqa: E402
from openrknn import OrtValue  # noqa: E402

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
    device_session, channels, outputs, kind, zero_copy_layout, layout
):
    opened = device_session(
        channels, outputs, kind, zero_copy_layout=zero_copy_layout, layout=layout, output_type="native"
    )
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
def test_codes_are_taken_as_they_are(device_session, channels, outputs, zero_copy_layout):
    opened = device_session(channels, outputs, zero_copy_layout=zero_copy_layout)
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


def test_memory_info_tells_the_layout(device_session):
    padded = on_device(device_session(3, 80), real_numbers(3)).memory_info()
    assert (padded["device_type"], padded["device_id"], padded["w_stride"], padded["fmt"]) == ("rknpu2", 0, 16, 1)
    assert padded["size_with_stride"] == 16 * HEIGHT * 3 <= padded["size"] and not padded["pass_through"]
    cube = on_device(device_session(80, 5, zero_copy_layout="native"), real_numbers(80)).memory_info()
    assert (cube["fmt"], cube["pass_through"]) == (2, True)
    keys = "device_type device_id size fd offset virt_addr import_count dmabuf_backed attr_size size_with_stride w_stride h_stride fmt pass_through"
    assert list(cube) == keys.split()


def test_native_attributes(device_session):
    opened = device_session(80, 80, zero_copy_layout="native")
    (native,) = opened.get_native_inputs()
    assert (native.name, native.shape, native.layout, native.type) == (
        "x",
        [1, 5, HEIGHT, WIDTH, 16],
        "NC1HWC2",
        "tensor(int8)",
    )
    nhwc = device_session(3, 80)
    (native,), (output,) = nhwc.get_native_inputs(), nhwc.get_native_outputs()
    assert (native.shape, native.layout, native.strides[1]) == ([1, HEIGHT, WIDTH, 3], "NHWC", 48)
    assert (output.name, output.layout) == ("y", "NHWC")


def test_a_value_of_a_shape_and_type_on_the_device(device_session):
    opened = device_session(3, 80)
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
