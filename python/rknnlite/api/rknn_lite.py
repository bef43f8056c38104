"""The RKNNLite class: argument forms, return values and messages of RKNN-Toolkit-Lite2. Runs are the session's."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy

import openrknn

# SoCs that run each other's models.
_TWINS = [("rk3566", "rk3568"), ("rv1103", "rv1106"), ("rv1103b", "rv1106b")]
_CORE_MODES = {0: "auto", 1: "0", 2: "1", 4: "2", 3: "0,1", 7: "0,1,2", 0xFFFF: "all"}
# Whole numbers stay what they are; codes and halves come as float32.
_WHOLE = ("tensor(int64)", "tensor(int32)", "tensor(bool)")


class RKNNLite:
    """Runs a .rknn model, on the NPU of a board or on the simulator of a PC.

    Methods return 0, or -1 after a line on stderr; OPENRKNN_RAISE=1 raises instead. One object, one thread.
    """

    NPU_CORE_AUTO = 0
    NPU_CORE_0 = 1
    NPU_CORE_1 = 2
    NPU_CORE_2 = 4
    NPU_CORE_0_1 = 3
    NPU_CORE_0_1_2 = 7
    NPU_CORE_ALL = 0xFFFF

    def __init__(self, verbose: bool = False, verbose_file: str | None = None) -> None:
        self._verbose = verbose
        self._file = open(verbose_file, "a", encoding="utf-8") if verbose and verbose_file else None  # noqa: SIM115
        self._model: str | bytes | None = None
        self._session: openrknn.InferenceSession | None = None

    def _line(self, level: str, text: str) -> None:
        if level == "D" and not self._verbose:
            return
        print(f"{level} {text}", file=sys.stderr)
        if self._file is not None:
            print(f"{level} {text}", file=self._file, flush=True)

    def _failed(self, method: str, error: Exception) -> int:
        if os.environ.get("OPENRKNN_RAISE") == "1":
            raise error
        for part in str(error).splitlines():
            self._line("E", f"{method}: {part}")
        return -1

    def load_rknn(self, path: str | os.PathLike) -> int:
        """Only looks whether the file is there: the runtime reads it in init_runtime."""
        try:
            name = os.fspath(path)
            with open(name, "rb"):
                pass
        except (OSError, TypeError) as error:
            return self._failed("load_rknn", RuntimeError(f"cannot open the model: {error}"))
        self._model = name
        return 0

    def init_runtime(self, core_mask: int = NPU_CORE_AUTO, async_mode: bool = False, **ignored: Any) -> int:
        """target, device_id and what else scripts copy from RKNN-Toolkit2 are ignored: the device is this machine."""
        for name in ignored:
            self._line("D", f"init_runtime: {name} is ignored, the model runs on this machine")
        try:
            if self._model is None:
                raise RuntimeError("no model is loaded; call load_rknn first")
            if core_mask not in _CORE_MODES:
                raise RuntimeError(f"core_mask {core_mask} is none of {sorted(_CORE_MODES)}")
            self.release()
            self._session = self._open(_CORE_MODES[core_mask])
        except Exception as error:  # noqa: BLE001 whatever it is, this method's answer is -1
            return self._failed("init_runtime", error)
        info = self._session.runtime_info
        self._line("D", f"RKNN Runtime Information, librknnrt version: {info['api_version']}")
        return 0

    def _open(self, core_mode: str) -> openrknn.InferenceSession:
        options = {"layout": "any", "tp_mode": core_mode}
        session = openrknn.InferenceSession(self._model, provider_options=options)
        whole = {arg.name: "native" for arg in session.get_outputs() if arg.type in _WHOLE}
        if not whole:
            return session
        session.close()
        return openrknn.InferenceSession(self._model, provider_options={**options, "output_type": whole})

    def inference(
        self,
        inputs: Sequence[Any],
        data_format: str | Sequence[str] | None = None,
        data_type: str | Sequence[str] | None = None,
        inputs_pass_through: Sequence[int] | None = None,
    ) -> list[numpy.ndarray] | None:
        """One array an input: 4-D in NHWC (data_format 'nchw': in NCHW), others as the model defines them.

        data_type: converts the arrays first. Returns one array an output, None after a failure.
        """
        try:
            if self._session is None:
                raise RuntimeError("the runtime is not initialised; call init_runtime first")
            if any(inputs_pass_through or ()):
                raise RuntimeError("inputs_pass_through is not built; use openrknn.InferenceSession.io_binding")
            arrays = [inputs] if isinstance(inputs, numpy.ndarray) else list(inputs or ())
            args = self._session.get_inputs()
            if len(arrays) != len(args):
                raise RuntimeError(f"the model has {len(args)} inputs, got {len(arrays)}")
            formats = _per_input(data_format, len(args), "data_format")
            types = _per_input(data_type, len(args), "data_type")
            return self._session.run(
                None,
                [self._as_input(i, *item) for i, item in enumerate(zip(args, arrays, formats, types, strict=True))],
            )
        except Exception as error:  # noqa: BLE001
            self._failed("inference", error)
            return None

    def _as_input(self, index: int, arg: Any, array: Any, layout: str | None, dtype: str | None) -> numpy.ndarray:
        array = numpy.asarray(array)
        if dtype is not None:
            array = array.astype(dtype)
        if array.dtype == numpy.float64:
            array = array.astype(numpy.float32)
        if array.ndim == 3 and len(arg.shape) == 4:
            array = array[numpy.newaxis]
        if layout not in (None, "nchw", "nhwc"):
            raise RuntimeError(f"data_format {layout!r} of input {index} is neither 'nchw' nor 'nhwc'")
        if layout == "nchw" and arg.layout == "NHWC" and array.ndim == 4:
            self._line(
                "D",
                f"The input[{index}] need NHWC data format, but NCHW set, the data format and data buffer will be "
                "changed to NHWC.",
            )
            array = array.transpose(0, 2, 3, 1)
        return array

    def get_sdk_version(self) -> str:
        """API and driver versions as a block of text."""
        if self._session is None:
            raise RuntimeError("get_sdk_version: the runtime is not initialised; call init_runtime first")
        info, rule = self._session.runtime_info, "=" * 46
        return f"{rule}\nRKNN VERSION:\n  API: {info['api_version']}\n  DRV: {info['driver_version']}\n{rule}"

    def list_support_target_platform(self, rknn_model: str | os.PathLike | None = None) -> list[str]:
        """Prints and returns the SoCs the model (default: the loaded one) runs on."""
        path = self._model if rknn_model is None else os.fspath(rknn_model)
        if path is None:
            raise RuntimeError("list_support_target_platform: give a model, or call load_rknn first")
        target = openrknn.load(path).target
        together = next((group for group in _TWINS if target in group), (target,))
        supported, rule = [name.upper() for name in together], "*" * 62
        print(rule)
        print(f"Target platforms filled in RKNN model:         {[target]}")
        print(f"Target platforms supported by this RKNN model: {supported}")
        print(rule)
        return supported

    def release(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> RKNNLite:
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()


def _per_input(value: Any, count: int, name: str) -> list[str | None]:
    """One word for all inputs, or one an input; any case."""
    words = [value] * count if value is None or isinstance(value, str) else list(value)
    if len(words) != count:
        raise RuntimeError(f"{name} has {len(words)} entries for {count} inputs")
    return [word.lower() if isinstance(word, str) else word for word in words]
