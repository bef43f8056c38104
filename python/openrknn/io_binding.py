"""OrtValue and SessionIOBinding: arrays in device memory, and runs on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from openrknn import _core

_MEM_FLAGS = {
    "default": 0,
    "cacheable": 0,
    "non_cacheable": 2,
    "non-cacheable": 2,
    "uncached": 2,
    "try_sram": 4,
    "sram": 4,
}


def _mem_flags(value: str | int | None) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    if not isinstance(value, str):
        raise _core.OptionError("mem_flags must be a string, integer, or None")
    if value not in _MEM_FLAGS:
        raise _core.OptionError("mem_flags must be one of: default, cacheable, non_cacheable, try_sram")
    return _MEM_FLAGS[value]


def _shape(value: Any) -> list[int]:
    try:
        shape = [int(extent) for extent in value]
    except (TypeError, ValueError):
        raise _core.OptionError("shape must be a sequence of integers") from None
    if any(extent < 0 for extent in shape):
        raise _core.OptionError("shape dims must be >= 0")
    return shape


def _type_text(dtype: Any) -> str:
    name = numpy.dtype(dtype).name
    return f"tensor({'float' if name == 'float32' else name})"


def _dtype(element_type: Any) -> numpy.dtype:
    """From a numpy type, or a text as NodeArg.type has it."""
    if isinstance(element_type, str) and element_type.startswith("tensor("):
        name = element_type[len("tensor(") : -1]
        element_type = "float32" if name == "float" else name
    return numpy.dtype(element_type)


def _check_device(device_type: str) -> None:
    if device_type not in ("cpu", "rknpu2"):
        raise _core.OptionError("device_type must be 'cpu' or 'rknpu2'")


def _port(session: _core.Session, name: str, io_kind: str) -> Any:
    if io_kind not in ("input", "output"):
        raise _core.OptionError("io_kind must be 'input' or 'output'")
    for arg in session.get_inputs() if io_kind == "input" else session.get_outputs():
        if arg.name == name:
            return arg
    raise _core.RknnError(f"Unknown {io_kind} name: {name}")


def _normalized(array: numpy.ndarray, arg: Any) -> numpy.ndarray:
    """(x - mean) / std in float32, as run() does it."""
    array = array.astype(numpy.float32)
    if not arg.mean:
        return array
    per_channel = [1] * array.ndim
    per_channel[3 if arg.layout == "NHWC" else min(1, array.ndim - 1)] = -1
    mean, std = (numpy.asarray(values, numpy.float32).reshape(per_channel) for values in (arg.mean, arg.std))
    return (array - mean) / std


def _quantize(array: numpy.ndarray, arg: Any, dtype: numpy.dtype) -> numpy.ndarray:
    """Real numbers to codes: round(x / scale + zero point), half to even, saturated; NaN counts as 0."""
    limits = numpy.iinfo(dtype)
    real = numpy.nan_to_num(array.astype(numpy.float64), nan=0.0, posinf=numpy.inf, neginf=-numpy.inf)
    return numpy.clip(numpy.rint(real / arg.scale + arg.zero_point), limits.min, limits.max).astype(dtype)


def _as_device_holds_it(array: numpy.ndarray, value: OrtValue) -> numpy.ndarray:
    """What run() would make of the array. Its mean and std are left to the runtime where that reads the memory."""
    arg, dtype = value._arg, _dtype(value.element_type())
    if arg.scale is not None:
        return array if array.dtype == dtype else _quantize(_normalized(array, arg), arg, dtype)
    if dtype == numpy.float16 and value.memory_info()["pass_through"]:
        array = _normalized(array, arg)
    return array.astype(dtype, copy=False)


class OrtValue:
    """An array: on 'cpu' a numpy array, on 'rknpu2' memory of one input or output of a session.

    Device memory holds the model's own element type. It may outlive the session.
    """

    def __init__(self, array: numpy.ndarray | None, device: Any = None, arg: Any = None) -> None:
        self._array, self._device, self._arg = array, device, arg

    @staticmethod
    def ortvalue_from_numpy(
        arr: Any,
        device_type: str = "cpu",
        device_id: int = 0,
        *,
        name: str | None = None,
        session: _core.Session | None = None,
        io_kind: str | None = None,
        layout: str = "onnx",
        sync: bool = True,
    ) -> OrtValue:
        """'cpu': the array itself, without a copy. 'rknpu2': memory of `session`'s tensor `name`, filled
        with what run() makes of the array: a quantized tensor takes codes of its own type, and anything else as numbers
        that become codes by mean, std, scale and zero point. A runtime that is not OpenRKNN's does not tell mean and
        std: there they are left out (NodeArg.mean is empty)."""
        _check_device(device_type)
        array = numpy.ascontiguousarray(arr) if numpy.ndim(arr) else numpy.asarray(arr)
        if device_type == "cpu":
            return OrtValue(array)
        value = _allocate(session, name, io_kind, None)
        value.update_inplace(_as_device_holds_it(array, value))
        return value

    @staticmethod
    def ortvalue_from_shape_and_type(
        shape: Sequence[int],
        element_type: Any,
        device_type: str = "cpu",
        device_id: int = 0,
        *,
        name: str | None = None,
        session: _core.Session | None = None,
        io_kind: str | None = None,
        layout: str = "native",
        mem_flags: str | int | None = "cacheable",
    ) -> OrtValue:
        _check_device(device_type)
        shape = _shape(shape)
        if device_type == "cpu":
            return OrtValue(numpy.zeros(shape, _dtype(element_type)))
        value = _allocate(session, name, io_kind, mem_flags)
        _require(value, shape, _type_text(_dtype(element_type)), io_kind)
        return value

    @staticmethod
    def ortvalue_from_dmabuf(
        fd: int,
        shape: Sequence[int],
        element_type: Any,
        *,
        size: int,
        offset: int = 0,
        virt_addr: int | None = None,
        session: _core.Session | None = None,
        name: str | None = None,
        io_kind: str | None = None,
        layout: str = "native",
    ) -> OrtValue:
        """Memory of somebody else (a camera, a GPU), by file descriptor, which is duplicated."""
        if session is None or name is None or io_kind is None:
            raise _core.RknnError("session, name, and io_kind are required for dma-buf OrtValue")
        arg = _port(session, name, io_kind)
        device = _core.DeviceArray.from_fd(session, name, io_kind, fd, size, offset, virt_addr or 0)
        value = OrtValue(None, device, arg)
        _require(value, _shape(shape), _type_text(_dtype(element_type)), io_kind)
        return value

    def numpy(self) -> numpy.ndarray:
        """'cpu': the array itself. 'rknpu2': a new array of the model's own type, in the order of the shape."""
        return self._array if self._device is None else self._device.read()

    def dequantized(self) -> numpy.ndarray:
        """The real numbers as float32; of an input those behind mean and std."""
        array = self.numpy()
        if self._arg is None or self._arg.scale is None:
            return array.astype(numpy.float32)
        return ((array.astype(numpy.int32) - self._arg.zero_point) * numpy.float32(self._arg.scale)).astype(
            numpy.float32
        )

    def update_inplace(self, np_arr: Any) -> None:
        """Overwrites the elements; shape and type must be this array's."""
        array = numpy.asarray(np_arr)
        if self._device is not None:
            self._device.write(array)
            return
        if list(array.shape) != list(self._array.shape):
            raise _core.RknnError(
                f"update_inplace source shape mismatch: expected {list(self._array.shape)}, got {list(array.shape)}"
            )
        if array.dtype != self._array.dtype:
            raise _core.RknnError(
                "update_inplace source element type mismatch: "
                f"expected {_type_text(self._array.dtype)}, got {_type_text(array.dtype)}"
            )
        self._array[...] = array

    def data_ptr(self) -> int:
        return self._array.ctypes.data if self._device is None else self.memory_info()["virt_addr"]

    def device_name(self) -> str:
        return "cpu" if self._device is None else "rknpu2"

    def device_type(self) -> str:
        return self.device_name()

    def device_id(self) -> int:
        return 0

    def shape(self) -> list[int]:
        return list(self._array.shape) if self._device is None else list(self._device.shape)

    def element_type(self) -> str:
        return _type_text(self._array.dtype) if self._device is None else self._device.type

    def data_type(self) -> str:
        return self.element_type()

    def is_tensor(self) -> bool:
        return True

    def is_sparse_tensor(self) -> bool:
        return False

    def has_value(self) -> bool:
        return True

    def sync_to_device(self) -> None:
        if self._device is not None:
            self._device.sync_to_device()

    def sync_from_device(self) -> None:
        if self._device is not None:
            self._device.sync_from_device()

    def memory_info(self) -> dict:
        return {"device_type": "cpu", "device_id": 0} if self._device is None else self._device.memory_info()


def _allocate(session: Any, name: str | None, io_kind: str | None, mem_flags: str | int | None) -> OrtValue:
    if session is None or name is None or io_kind is None:
        raise _core.RknnError("session, name, and io_kind are required for RKNN OrtValue")
    arg = _port(session, name, io_kind)
    return OrtValue(None, _core.DeviceArray(session, name, io_kind, _mem_flags(mem_flags)), arg)


def _require(value: OrtValue, shape: list[int], element_type: str, io_kind: str | None) -> None:
    what = f"OrtValue for {io_kind} '{value._arg.name}'"
    if shape != value.shape():
        raise _core.RknnError(f"{what} shape mismatch: expected {value.shape()}, got {shape}")
    if element_type != value.element_type():
        raise _core.RknnError(f"{what} element type mismatch: expected {value.element_type()}, got {element_type}")


class SessionIOBinding:
    """Which arrays run_with_iobinding reads and writes. Thread-safe."""

    def __init__(self, session: _core.Session) -> None:
        self._session = session
        self._binding = _core.IoBinding(session)
        self._outputs: dict[str, OrtValue] = {}

    def bind_cpu_input(self, name: str, arr_on_cpu: Any) -> None:
        """Copies the array into device memory and binds that."""
        self.bind_ortvalue_input(
            name,
            OrtValue.ortvalue_from_numpy(arr_on_cpu, "rknpu2", session=self._session, name=name, io_kind="input"),
        )

    def bind_input(
        self, name: str, device_type: str, device_id: int, element_type: Any, shape: Sequence[int], buffer_ptr: int
    ) -> None:
        raise _core.RknnError(
            "bind_input with raw buffer_ptr is not supported for RKNN device memory because an address does not say "
            "which device memory it is; use bind_ortvalue_input, or OrtValue.ortvalue_from_dmabuf"
        )

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        if not isinstance(ortvalue, OrtValue) or ortvalue._device is None:
            raise _core.RknnError("bind_ortvalue_input requires an RKNN OrtValue")
        self._binding.bind_input(name, ortvalue._device)

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        if not isinstance(ortvalue, OrtValue) or ortvalue._device is None:
            raise _core.RknnError("bind_ortvalue_output requires an RKNN OrtValue")
        self._binding.bind_output(name, ortvalue._device)
        self._outputs[name] = ortvalue

    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
        *,
        layout: str = "native",
        mem_flags: str | int | None = "cacheable",
    ) -> None:
        """Allocates device memory for the output, whatever `device_type` says: numpy() brings it to the CPU."""
        _check_device(device_type)
        if buffer_ptr is not None:
            raise _core.RknnError(
                "bind_output with raw buffer_ptr is not implemented; use bind_ortvalue_output or let bind_output "
                "allocate an OrtValue"
            )
        value = _allocate(self._session, name, "output", mem_flags)
        if shape is not None or element_type is not None:
            wanted_type = value.element_type() if element_type is None else _type_text(_dtype(element_type))
            _require(value, value.shape() if shape is None else _shape(shape), wanted_type, "output")
        self.bind_ortvalue_output(name, value)

    def get_outputs(self) -> list[OrtValue]:
        """In the order they were bound first."""
        return list(self._outputs.values())

    def get_outputs_as_ortvaluevector(self) -> list[OrtValue]:
        return self.get_outputs()

    def copy_outputs_to_cpu(self) -> list[numpy.ndarray]:
        return [value.numpy() for value in self.get_outputs()]

    def clear_binding_inputs(self) -> None:
        self._binding.clear_inputs()

    def clear_binding_outputs(self) -> None:
        self._binding.clear_outputs()
        self._outputs.clear()

    def synchronize_inputs(self) -> None:
        self._binding.synchronize_inputs()

    def synchronize_outputs(self) -> None:
        self._binding.synchronize_outputs()


IOBinding = SessionIOBinding
