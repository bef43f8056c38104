"""The RKNN class: argument forms, return values and messages of RKNN-Toolkit2. All work is in openrknn._core."""

from __future__ import annotations

import functools
import os
import sys
import traceback

from openrknn import Error, _core
from openrknn.api import precision_rules

from .custom_op import custom_op_code

_VERSION = f"{_core.__version__}"


class _Log:
    """Lines as users know them: `I config: text`, to stderr and, with verbose, to a file."""

    def __init__(self, verbose: bool, path: str | None):
        self.verbose = bool(verbose)
        self.warnings = 0
        self.file = open(path, "a", encoding="utf-8") if verbose and path else None  # noqa: SIM115
        if self.file:
            self.line("I", "", f"Save log info to: {path}")

    def line(self, level: str, method: str, text: str) -> None:
        if level == "D" and not self.verbose:
            return
        self.warnings += level == "W"
        message = f"{level} {method}: {text}" if method else f"{level} {text}"
        print(message, file=sys.stderr)
        if self.file:
            print(message, file=self.file, flush=True)

    def block(self, method: str, error: BaseException) -> None:
        """What a failed call prints: the message, the count of warnings so far, version and traceback."""
        for part in str(error).splitlines():
            self.line("E", method, part)
        self.line(
            "I" if self.warnings == 0 else "W", "", f"===================== WARN({self.warnings}) ====================="
        )
        self.line("E", "", f"rknn-toolkit2 version: {_VERSION} (OpenRKNN)")
        if not isinstance(error, Error):  # ours say all there is to say; others need the place they come from
            self.line("E", method, traceback.format_exc().rstrip())
        elif self.verbose:
            self.line("D", method, traceback.format_exc().rstrip())

    def close(self) -> None:
        if self.file:
            self.file.close()
            self.file = None


def _status(method):
    """0 on success; on failure the log block and -1, or the exception itself with OPENRKNN_RAISE=1."""

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self._log.block(method.__name__, error)
            if os.environ.get("OPENRKNN_RAISE") == "1":
                raise
            return -1
        return 0

    return call


def _logged(method):
    """Raises, after the log block: for methods whose return value is data."""

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            self._log.block(method.__name__, error)
            raise

    return call


class RKNN:
    """Converts a model for a Rockchip NPU and runs it on the simulator.

    One object holds one model; several objects may live side by side. Methods documented with a status return 0, or log
    the problem and return -1 (OPENRKNN_RAISE=1 raises instead); `config` and `inference` raise ValueError.
    """

    NPU_CORE_AUTO = 0
    NPU_CORE_0 = 1
    NPU_CORE_1 = 2
    NPU_CORE_2 = 4
    NPU_CORE_0_1 = 3
    NPU_CORE_0_1_2 = 7
    NPU_CORE_ALL = 0xFFFF

    def __init__(self, verbose: bool = False, verbose_file: str | None = None):
        self._log = _Log(verbose, verbose_file)
        self._log.line("I", "", f"rknn-toolkit2 version: {_VERSION} (OpenRKNN)")
        self._core = _core.Toolkit(self._log.line)

    @_logged
    def config(
        self,
        mean_values=None,
        std_values=None,
        quantized_dtype="w8a8",
        quantized_algorithm="normal",
        quantized_method="channel",
        quant_img_RGB2BGR=False,
        float_dtype="float16",
        optimization_level=3,
        target_platform=None,
        custom_string=None,
        remove_weight=False,
        compress_weight=False,
        single_core_mode=False,
        model_pruning=False,
        op_target=None,
        dynamic_input=None,
        quantize_weight=False,
        remove_reshape=False,
        sparse_infer=False,
        enable_flash_attention=False,
        auto_hybrid_cos_thresh=0.98,
        auto_hybrid_euc_thresh=None,
        **kwargs,
    ) -> int:
        """Sets how the model will be converted. Returns 0; raises ValueError listing every bad argument."""
        values = {key: value for key, value in locals().items() if key not in ("self", "kwargs")}
        if "precision" in kwargs:
            kwargs["precision"] = precision_rules(kwargs["precision"])
        self._core.config({**values, **kwargs})
        return 0

    @_status
    def reg_custom_op(self, custom_op):
        """Registers an operator that Python code computes, before load_onnx. Returns 0 or -1.

        custom_op: a class or an instance with `op_type`, `shape_infer(self, node, in_shapes, in_dtypes)`, which gives
        (out_shapes, out_dtypes), and `compute(self, node, inputs)`, which gives a list of arrays. Attributes of the node:
        rknn.api.custom_op.get_node_attr(node, name). A class with op_type alone, of an operator of ONNX, is accepted.
        """
        self._core.reg_custom_op(*custom_op_code(custom_op))

    @_status
    def load_onnx(self, model, inputs=None, input_size_list=None, input_initial_val=None, outputs=None):
        """Loads an ONNX file; `inputs`/`outputs` crop it at any tensor names. Returns 0 or -1."""
        values = {"inputs": inputs, "input_size_list": input_size_list, "outputs": outputs}
        self._core.load_onnx(os.fspath(model), values, list(input_initial_val or []))

    @_status
    def load_darknet(self, model, weight):
        """Loads a DarkNet network: its .cfg and .weights files. Returns 0 or -1."""
        self._core.load_darknet(os.fspath(model), os.fspath(weight))

    @_status
    def load_caffe(self, model, blobs=None, input_name=None):
        """Loads a Caffe net: its .prototxt and .caffemodel files; input_name orders the inputs. Returns 0 or -1."""
        self._core.load_caffe(os.fspath(model), "" if blobs is None else os.fspath(blobs), list(input_name or []))

    @_status
    def load_tensorflow(self, tf_pb, inputs=None, input_size_list=None, outputs=None, input_is_nchw=False):
        """Loads a frozen TensorFlow graph between tensors; ':0' may be left out of names. Returns 0 or -1."""
        values = {"inputs": inputs, "input_size_list": input_size_list, "outputs": outputs}
        self._core.load_tensorflow(os.fspath(tf_pb), {**values, "input_is_nchw": bool(input_is_nchw)})

    @_status
    def load_pytorch(self, model, input_size_list):
        """Loads a TorchScript model (.pt of torch.jit.save); input_size_list has a shape an input. Returns 0 or -1."""
        self._core.load_pytorch(os.fspath(model), {"input_size_list": input_size_list})

    @_status
    def load_tflite(self, model, input_is_nchw=False):
        """Loads a TFLite model, float or quantized. Returns 0 or -1.

        input_is_nchw: its inputs of four dimensions are [N, C, H, W] in the file, not images [N, H, W, C].
        """
        self._core.load_tflite(os.fspath(model), bool(input_is_nchw))

    @_status
    def build(self, do_quantization=True, dataset=None, rknn_batch_size=None, auto_hybrid=False):
        """Builds the model, quantized with `dataset` (one sample a line) or in float16. Returns 0 or -1."""
        self._core.build(
            {
                "do_quantization": do_quantization,
                "dataset": None if dataset is None else os.fspath(dataset),
                "rknn_batch_size": rknn_batch_size,
                "auto_hybrid": auto_hybrid,
            }
        )

    @_status
    def hybrid_quantization_step1(
        self, dataset=None, rknn_batch_size=None, proposal=False, proposal_dataset_size=1, custom_hybrid=None
    ):
        """Calibrates and writes <name>.model, .data and .quantization.cfg into the working directory. Returns 0 or -1.

        <name> is the stem of the loaded model. Layers that shall not be int8 are then written under
        custom_quantize_layers of the .cfg; proposal=True and custom_hybrid=[[from, to], ...] do so beforehand.
        """
        values = {key: value for key, value in locals().items() if key != "self"}
        self._core.hybrid_quantization_step1({**values, "dataset": None if dataset is None else os.fspath(dataset)})

    @_status
    def hybrid_quantization_step2(self, model_input, data_input, model_quantization_cfg):
        """Builds from the three files of step 1, also on an object without config and model. Returns 0 or -1."""
        self._core.hybrid_quantization_step2(
            {
                "model_input": os.fspath(model_input),
                "data_input": os.fspath(data_input),
                "model_quantization_cfg": os.fspath(model_quantization_cfg),
            }
        )

    @_status
    def export_rknn(self, export_path, **kwargs):
        """Writes the built model to a .rknn file. Returns 0 or -1; a failed write leaves no file."""
        _core.check_options("export_rknn", kwargs)
        self._core.export_rknn(os.fspath(export_path))

    @_status
    def codegen(self, output_path, inputs=None, overwrite=False):
        """Writes a C++ project on the RKNN C API for the exported model. Returns 0 or -1.

        inputs: paths, one image or .npy file (4-D arrays NCHW) per model input; they go into the project together with what
        the simulator gives for them, and its program compares. A folder that exists is refused unless overwrite=True, which
        replaces a project. docs/codegen.md.
        """
        if isinstance(inputs, (list, tuple)):
            inputs = [os.fspath(path) if isinstance(path, os.PathLike) else path for path in inputs]
        elif isinstance(inputs, os.PathLike):
            inputs = os.fspath(inputs)
        self._core.codegen({"output_path": os.fspath(output_path), "inputs": inputs, "overwrite": overwrite})

    @_status
    def export_encrypted_rknn_model(self, input_model, output_model=None, crypt_level=1, key_file=None):
        """Writes an encrypted form of a .rknn file, by default {stem}.crypt.rknn beside it. Returns 0 or -1.

        No model needs to be loaded. crypt_level 1: viewers still show the graph, 2: target and framework, 3: nothing.
        key_file (not in the toolkit): a key of your own, 32 bytes or 64 hexadecimal digits; without it the key is one that
        every OpenRKNN has, which only deters (docs/encryption.md).
        """
        self._core.export_encrypted_rknn_model(
            {
                "input_model": os.fspath(input_model),
                "output_model": None if output_model is None else os.fspath(output_model),
                "crypt_level": crypt_level,
                "key_file": None if key_file is None else os.fspath(key_file),
            }
        )

    @_status
    def load_rknn(self, path, key_file=None):
        """Loads a .rknn file written by OpenRKNN; it runs on the simulator. Returns 0 or -1.

        key_file (not in the toolkit): the key of an encrypted file; without it OPENRKNN_MODEL_KEY_FILE or
        OPENRKNN_MODEL_KEY.
        """
        self._core.load_rknn(os.fspath(path), "" if key_file is None else os.fspath(key_file))

    @_status
    def init_runtime(
        self,
        target=None,
        device_id=None,
        perf_debug=False,
        eval_mem=False,
        async_mode=False,
        core_mask=NPU_CORE_AUTO,
        fallback_prior_device="cpu",
    ):
        """Prepares inference; target=None is the simulator. Returns 0 or -1.

        target: the SoC of a device that runs `openrknn serve`; device_id: its host[:port], or its serial of adb.
        """
        self._core.init_runtime({key: value for key, value in locals().items() if key != "self"})

    @_logged
    def inference(self, inputs, data_format=None, inputs_pass_through=None, get_frame_id=False):
        """Runs the model on a list of arrays and returns a list of arrays.

        4-D inputs are NHWC unless data_format says 'nchw' (one string, or one per input). Outputs keep the source
        model's rank and layout; quantized and float16 outputs come as float32. Raises ValueError.
        """
        if not isinstance(inputs, (list, tuple)):
            self._log.line(
                "W",
                "inference",
                "Inputs should be placed in a list, like [img1, img2], both the img1 and img2 are ndarray.",
            )
            inputs = [inputs]
        _core.check_options("inference", {"get_frame_id": get_frame_id})
        return self._core.inference(list(inputs), data_format, inputs_pass_through)

    @_logged
    def get_sdk_version(self):
        """Versions of the toolkit, and of the server and runtime of the device, as the toolkit's text."""
        text = self._core.get_sdk_version()
        print(text, end="")
        return text

    @_logged
    def list_devices(self):
        """(devices, []): serials that adb lists and servers that $OPENRKNN_DEVICES names; prints them. Needs no model.

        The second list is that of ntb devices in the toolkit; there are none here.
        """
        serials, servers = _core.list_devices()
        rule = "*" * 25
        for kind, found in (("adb mode", serials), ("server", servers)):
            if found or kind == "adb mode":
                print("\n".join([rule, f"all device(s) with {kind}:", *found, rule]))
        return [*serials, *servers], []

    @_logged
    def eval_perf(self, is_print=True, fix_freq=True):
        """The time a run takes, as the toolkit's text: of every layer with init_runtime(perf_debug=True).

        Without a device it is an estimate for the model's target (docs/estimates.md), and the text says so.
        """
        text = self._core.eval_perf(bool(fix_freq))
        if is_print:
            print(text)
        return text

    @_logged
    def eval_memory(self, is_print=True):
        """Bytes the model needs: weight_memory, internal_memory, other_memory, total_memory (total_model_allocation).

        Needs init_runtime(eval_mem=True). Without a device they are estimated, and the printed text says so.
        """
        text, sizes = self._core.eval_memory()
        if is_print:
            print(text)
        return sizes

    @_status
    def accuracy_analysis(self, inputs, output_dir="./snapshot", target=None, device_id=None):
        """Compares every layer of the simulator with the float model, for one sample. Returns 0 or -1.

        target, device_id: a device as in init_runtime, whose layers are compared too.

        inputs: paths, one image or .npy file (4-D arrays NCHW) per model input. The table goes to stdout and, with every
        layer's numbers, into output_dir; None writes nothing.
        """
        values = {key: value for key, value in locals().items() if key != "self"}
        print(self._core.accuracy_analysis(values, sys.stdout.isatty()), end="")

    def release(self) -> None:
        """Frees everything the object holds; it may be configured again afterwards."""
        self._core.release()
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.release()
