"""IOBinding: runs on arrays in device memory; and what is said where device memory does not fit."""

import gc
import os

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from device_values import HEIGHT, WIDTH, convolution, message_of, on_device, real_numbers  # noqa: E402
from stub_runtime import ECHO  # noqa: E402

import openrknn  # noqa: E402
from openrknn import OrtValue  # noqa: E402

# ---- bindings


def test_a_binding_runs_again_after_its_input_was_overwritten(device_session):
    opened = device_session(3, 80, output_type="native")
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


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("zero_copy_layout", ["nhwc", "native"])
@pytest.mark.parametrize("quantize", ["w8a8", None])
@pytest.mark.skipif(not openrknn._core.has_compiler, reason="this build makes no models")
@pytest.mark.parametrize("channels", [3, 80])  # 80: a cube that the runtime takes as it is
def test_inputs_are_normalized_as_run_does_it(tmp_path, channels, quantize, zero_copy_layout, layout):
    source = small_models.save(convolution(channels, 80), tmp_path / "model.onnx")
    pixels = [np.random.default_rng(seed).integers(0, 256, (1, channels, HEIGHT, WIDTH)) for seed in range(3)]
    mean, std = [[base + i % 4 for i in range(channels)] for base in (100.5, 57.0)]
    samples = [pixel.astype(np.float32) for pixel in pixels] if quantize else None
    path = tmp_path / "model.rknn"
    openrknn.compile(source, quantize=quantize, dataset=samples, mean=[mean], std=[std]).save(path)
    options = {"zero_copy_layout": zero_copy_layout, "layout": layout, "output_type": "native"}
    with openrknn.InferenceSession(path, provider_options=options) as session:
        (arg,) = session.get_inputs()
        assert (arg.mean, arg.std) == (mean, std)
        for dtype in (np.float32, np.uint8, np.float16):
            array = pixels[0].astype(dtype)
            if layout == "nhwc":
                array = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
            binding = session.io_binding()
            binding.bind_cpu_input("x", array)
            binding.bind_output("y", "rknpu2")
            session.run_with_iobinding(binding)
            (wanted,) = session.run(None, array)
            np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], wanted, err_msg=np.dtype(dtype).name)


def test_no_number_counts_as_0_where_codes_are_made(device_session):
    opened = device_session(3, 80, output_type="native")
    array = real_numbers(3)
    array[0, :, 0] = np.nan
    array[0, :, 1] = np.inf
    array[0, :, 2] = -np.inf
    value = on_device(opened, array)
    zero_point = opened.get_inputs()[0].zero_point
    assert [set(value.numpy()[0, :, row].ravel()) for row in range(3)] == [{zero_point}, {127}, {-128}]
    binding = opened.io_binding()
    binding.bind_ortvalue_input("x", value)
    binding.bind_output("y")
    opened.run_with_iobinding(binding)
    np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], opened.run(None, array)[0])


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


def test_memory_by_file_descriptor(device_session):
    opened = device_session(3, 80, output_type="native")
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


def test_texts_about_arguments(device_session):
    opened = device_session(3, 80)
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
        ("IOBinding belongs to a different session", device_session(3, 80).run_with_iobinding, (binding,), {}),
        ("OrtValue belongs to a different session", device_session(3, 80).io_binding().bind_ortvalue_input, ("x", on_device(opened, array)), {}),
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


def test_values_made_for_something_else_are_refused(device_session):
    nhwc, native = device_session(80, 5), device_session(80, 5, zero_copy_layout="native")
    text = message_of(native.io_binding().bind_ortvalue_input, "x", on_device(nhwc, real_numbers(80)))
    assert text.startswith("OrtValue for input 'x' native zero-copy layout mismatch: expected NC1HWC2, scale ")
    other = device_session(3, 80)
    text = message_of(other.io_binding().bind_ortvalue_input, "x", on_device(nhwc, real_numbers(80)))
    assert (
        text
        == f"OrtValue for input 'x' shape mismatch: expected [1, 3, {HEIGHT}, {WIDTH}], got [1, 80, {HEIGHT}, {WIDTH}]"
    )
    half = device_session(80, 5, "float16")
    text = message_of(half.io_binding().bind_ortvalue_input, "x", on_device(nhwc, real_numbers(80)))
    assert text == "OrtValue for input 'x' element type mismatch: expected tensor(float16), got tensor(int8)"


def test_memory_that_is_too_small(device_session):
    opened = device_session(3, 80)
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
