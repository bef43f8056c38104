"""The native functions: argument forms only, the work is in the extension."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

from openrknn import _core

PathLike = str | os.PathLike


def import_model(
    path: PathLike,
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | Sequence[Sequence[int]] | None = None,
    dimensions: Mapping[str, int] | None = None,
    initial_values: Mapping[str, Any] | None = None,
    weights: PathLike | None = None,
) -> _core.Graph:
    """Reads a model file of any supported framework, which is known by its content.

    inputs, outputs: crop the model at these tensors. input_shapes: one shape per input, in order, or by name (then the
    names are the inputs, unless `inputs` says otherwise). dimensions: values for symbolic dimensions by name.
    initial_values: arrays by input name; such an input becomes a constant of the graph, as shapes, axes and the like
    must be. weights: the second file of frameworks that have two (DarkNet's .weights); by default the one beside the model
    that has its name. Raises openrknn.Error listing every problem found.
    """
    if isinstance(input_shapes, Mapping):
        inputs = list(input_shapes) if inputs is None else inputs
        unknown = sorted(set(inputs) ^ set(input_shapes))
        if unknown:
            raise ValueError(
                f"import_model: inputs and input_shapes must name the same tensors, they differ in {unknown}"
            )
        input_shapes = [input_shapes[name] for name in inputs]
    return _core.import_model(
        os.fspath(path),
        list(inputs or []),
        list(outputs or []),
        [list(shape) for shape in input_shapes or []],
        dict(dimensions or {}),
        dict(initial_values or {}),
        "" if weights is None else os.fspath(weights),
    )


def edit_onnx(
    path: PathLike,
    output: PathLike,
    *,
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
    dataset: PathLike | None = None,
) -> list[str]:
    """Writes an ONNX model whose inputs and outputs have other dimensions; what it computes stays.

    inputs, outputs: an equation by tensor name, {"image": "n,c,h,w->n,h,w,c"} (docs/onnx_edit.md). dataset: the dataset
    file of the model; one for the edited model, dataset_for_<stem of output>.txt, is written beside it. Returns a text
    about each tensor. Raises openrknn.Error listing every problem found; then nothing is written.
    """
    return _core.edit_onnx(
        os.fspath(path),
        os.fspath(output),
        _equations("inputs", inputs),
        _equations("outputs", outputs),
        "" if dataset is None else os.fspath(dataset),
    )


def _equations(argument: str, given: Mapping[str, str] | None) -> list[tuple[str, str]]:
    items = list(given.items()) if isinstance(given, Mapping) else [] if given is None else None
    if items is None or not all(isinstance(text, str) for item in items for text in item):
        raise ValueError(f"edit_onnx: {argument}: got {given!r}, expected a dict of tensor name to equation")
    return items


def precision_rules(precision: Mapping[str, str] | Sequence[str] | None) -> list[str] | None:
    """Rules in the order in which they count: a dict of the extension has none."""
    if isinstance(precision, Mapping):
        return [f"{key}={dtype}" for key, dtype in precision.items()]
    return None if precision is None else list(precision)


def compile(
    graph: _core.Graph | PathLike,
    *,
    target: str = "rk3588",
    quantize: str | None = "w8a8",
    dataset: PathLike | Iterable[Any] | None = None,
    mean: Sequence | None = None,
    std: Sequence | None = None,
    algorithm: str = "normal",
    method: str = "channel",
    rgb_to_bgr: bool | Sequence[bool] = False,
    inputs_yuv_fmt: str | Sequence[str | None] | None = None,
    skip_unreadable: bool = False,
    symmetric_weights: bool = False,
    equalize: bool = False,
    absorb_bias: bool = False,
    migrate_scales: bool = False,
    split_concat: bool = False,
    rescue_float16: bool = False,
    precision: Mapping[str, str] | Sequence[str] | None = None,
    quantized_hybrid_level: int = 0,
    auto_hybrid: bool = False,
    auto_hybrid_cos_thresh: float = 0.98,
    auto_hybrid_euc_thresh: float | None = None,
    bias_correction: bool = False,
    rounding: str = "nearest",
    quantize_weight: bool = False,
    optimization_level: int = 3,
    disable_rules: Sequence[str] | None = None,
    model_pruning: bool = False,
    remove_reshape: bool = False,
    sparse_infer: bool = False,
    enable_flash_attention: bool = False,
    op_target: Mapping[str, str] | None = None,
    single_core_mode: bool = False,
    custom_string: str | None = None,
    keep_golden: bool = False,
    dynamic_input: Sequence[Sequence[Sequence[int]]] | None = None,
    batch: int = 1,
    remove_weight: bool = False,
    compress_weight: bool = False,
    threads: int = 0,
    executor: Executor | None = None,
) -> _core.Model:
    """Compiles an imported graph for a SoC.

    quantize: "w8a8"; "w16a16i" or "w16a16i_dfp" (int16, RV1103 and RV1106); "w8a16" (RK3562) or "w4a16" (RK3576,
    RV1126B), which code weights alone and need no dataset; or None for a float16 build. method: "channel", "layer", or
    with w4a16 "group32" to "group256" (input channels that share a scale). algorithm, how ranges are found: "normal"
    (minimum to maximum), "kl_divergence", "mmse", "percentile" (99.99 %), "auto" (the least error a tensor), or for w4a16 and w8a16 "gdq" (weights rounded with
    error feedback over a dataset). dataset: a dataset file, or samples: each an array, a list of arrays
    in input order, or a dict by input name (raw values in the model's own layout; mean and std are applied). mean, std:
    one list per input, or one flat list for a single input. skip_unreadable: go on without samples that cannot be read, with
    a warning; otherwise the first one is an error. equalize: scale the channels between layers so that the
    weights of both use their range alike; the float function stays. absorb_bias, migrate_scales: two more such changes,
    from what the samples show. split_concat: a joined output whose parts have very different ranges becomes float16.
    rescue_float16: powers of two move between layers where numbers exceed float16; give a float16 build a dataset for
    it (docs/corrections.md has all of these). precision: what single layers compute in, a dict (or a
    list of "KEY=DTYPE") of rules, later ones win: {"conv1": "float16", "re:head.*": "int16", "op:Softmax": "int8",
    "glob:/model.22/*": "float16"}; see docs/hybrid.md. quantized_hybrid_level: 1 leaves the first and last layers out of
    int8, 2 depthwise ones too, 3 all that have no weights. auto_hybrid: layers whose output, fed with the float model's
    numbers, has a cosine below auto_hybrid_cos_thresh or a distance above auto_hybrid_euc_thresh become float16; with
    quantize=None, those beyond float16 become int16 (needs a dataset).
    bias_correction: take
    the mean error of every channel over the dataset out of the layers' biases. rounding: "nearest", or "adaptive": each
    weight up or down, whichever makes the error of the layer's results over the dataset least. quantize_weight: in a
    float16 build large layers keep their weights in int8. disable_rules: names of passes that do not run
    (docs/passes.md). model_pruning: channels that are always zero, or that nothing reads, leave the network.
    remove_reshape: a Reshape at the model's ends leaves, inputs and outputs change their shapes. sparse_infer: layers of
    4:2 sparse weights are computed as such (RK3576, RV1126B). enable_flash_attention: attention is one layer, in float16
    (RK3562, RK3576). inputs_yuv_fmt: the model takes YUV 4:2:0 frames of these formats ("nv12", …) in place of pictures
    (docs/frames.md). op_target: which layers run on the "cpu" or "npu" of a
    device, by tensor or operator type; numbers do not depend on it. single_core_mode: the model runs on one core at a
    time. keep_golden: keep the float32 model in the
    file (about four times an int8 file). dynamic_input: several sets of input shapes in one model, each one shape per
    input; arrays choose the set, the dataset has the largest. batch: items of one run, computed over the cores; the
    first extent of every input and output counts them. remove_weight: save the model without its layers' weights, to
    run beside the full model (RKNN_FLAG_SHARE_WEIGHT_MEM). threads: of the calibration, 0 = all; running takes OPENRKNN_THREADS. executor: who
    calibrates, any concurrent.futures.Executor (a ProcessPoolExecutor, Dask's Client.get_executor()); the model is the
    same, bit for bit (docs/distributed.md). Raises openrknn.Error; KeyboardInterrupt soon after Ctrl-C.
    """
    if not isinstance(graph, _core.Graph):
        shapes = dynamic_input[0] if dynamic_input else None
        graph = import_model(graph, input_shapes=shapes)
    path, samples = None, None
    if dataset is not None and isinstance(dataset, (str, os.PathLike)):
        path = os.fspath(dataset)
    elif dataset is not None:
        samples = dataset
    settings = {
        "target_platform": target,
        "quantized_algorithm": algorithm,
        "quantized_method": method,
        "quant_img_RGB2BGR": rgb_to_bgr,
        "inputs_yuv_fmt": inputs_yuv_fmt
        if inputs_yuv_fmt is None or isinstance(inputs_yuv_fmt, str)
        else list(inputs_yuv_fmt),
        "quantized_hybrid_level": quantized_hybrid_level,
        "enable_flash_attention": enable_flash_attention,
        "skip_unreadable": skip_unreadable,
        "optimization_level": optimization_level,
        "mean_values": mean,
        "std_values": std,
        "custom_string": custom_string,
        "dynamic_input": dynamic_input,
        "remove_weight": remove_weight,
        "compress_weight": compress_weight,
        "equalize": equalize,
        "absorb_bias": absorb_bias,
        "migrate_scales": migrate_scales,
        "split_concat": split_concat,
        "rescue_float16": rescue_float16,
        "precision": precision_rules(precision),
        "auto_hybrid_cos_thresh": auto_hybrid_cos_thresh,
        "auto_hybrid_euc_thresh": auto_hybrid_euc_thresh,
        "bias_correction": bias_correction,
        "rounding": rounding,
        "quantize_weight": quantize_weight,
        "disable_rules": None if disable_rules is None else list(disable_rules),
        "model_pruning": model_pruning,
        "remove_reshape": remove_reshape,
        "sparse_infer": sparse_infer,
        "op_target": None if op_target is None else dict(op_target),
        "single_core_mode": single_core_mode,
    }
    if quantize is not None:
        settings["quantized_dtype"] = quantize
    return _core.compile(
        graph,
        settings,
        quantize is not None,
        path,
        samples,
        auto_hybrid,
        symmetric_weights,
        keep_golden,
        batch,
        threads,
        executor,
    )


def load(path: PathLike) -> _core.Model:
    """Reads a .rknn file written by OpenRKNN. Raises openrknn.Error.

    Encrypted files are refused, since a Model can be saved: run them with InferenceSession.
    """
    return _core.load(os.fspath(path))


def codegen(
    model: PathLike,
    folder: PathLike,
    inputs: Sequence[PathLike] | None = None,
    *,
    rgb_to_bgr: bool | Sequence[bool] = False,
    overwrite: bool = False,
) -> None:
    """Writes a C++ project on the RKNN C API for a .rknn file: sources, build scripts, the model (docs/codegen.md).

    inputs: one image or .npy file (4-D arrays NCHW) per model input. They go into the project together with the outputs
    the simulator gives for them, with which its program compares. rgb_to_bgr: feed images blue first, one for all inputs or
    one each. overwrite: replace a project that is there; otherwise a folder that exists is refused. Raises openrknn.Error;
    a failure leaves nothing behind.
    """
    swaps = [rgb_to_bgr] if isinstance(rgb_to_bgr, bool) else list(rgb_to_bgr)
    _core.codegen(os.fspath(model), os.fspath(folder), [os.fspath(path) for path in inputs or []], swaps, overwrite)


def encrypt(
    path: PathLike, output: PathLike | None = None, *, level: int = 1, key: PathLike | bytes | None = None
) -> str:
    """Writes an encrypted form of a .rknn file and returns its path, by default {stem}.crypt.rknn beside it.

    level: what stays readable, 1 the graph with names and shapes, 2 target and framework, 3 nothing. key: the path of a
    key file (32 raw bytes or 64 hexadecimal digits), or the 32 bytes; None: a key that every OpenRKNN has, which only
    deters (docs/encryption.md). Two calls never give the same bytes. Raises openrknn.Error.
    """
    is_bytes = isinstance(key, bytes)
    return _core.encrypt(
        os.fspath(path),
        "" if output is None else os.fspath(output),
        level,
        key if is_bytes else None,
        "" if is_bytes or key is None else os.fspath(key),
    )


class Search(NamedTuple):
    """What search() found."""

    model: _core.Model
    chosen: dict[str, Any]
    """layers (output tensors lifted), macs_share (of the network's multiplications), metric"""
    curve: list[dict[str, Any]]
    """the trade-off: every set tried that none of no more layers and no more multiplications beats"""


def search(
    graph: _core.Graph | PathLike,
    *,
    target: str = "rk3588",
    dataset: PathLike | Iterable[Any],
    target_sqnr: float | None = None,
    metric: Callable[[list[list[Any]]], float] | None = None,
    target_metric: float | None = None,
    max_macs: float | None = None,
    budget: str = "ops",
    lift: str = "float16",
    samples: int = 4,
    mean: Sequence | None = None,
    std: Sequence | None = None,
    algorithm: str = "normal",
    method: str = "channel",
    precision: Mapping[str, str] | Sequence[str] | None = None,
    rgb_to_bgr: bool | Sequence[bool] = False,
    equalize: bool = False,
    absorb_bias: bool = False,
    migrate_scales: bool = False,
    split_concat: bool = False,
    bias_correction: bool = False,
    rounding: str = "nearest",
    threads: int = 0,
    report: PathLike | None = None,
    executor: Executor | None = None,
) -> Search:
    """Finds which layers of an int8 build have to be lifted so that the outputs are good enough, and builds so.

    target_sqnr: what the worst output shall reach beside the float model, in dB. Or metric, a function of the outputs
    (a list of arrays per sample) that gives a number, more is better, and target_metric, what it shall reach. max_macs: no
    more than this share (0 to 1) of the multiplications is lifted; without a target, what makes the outputs best within it.
    budget: "ops", as few layers as possible, or "macs", as few multiplications. lift: "float16" or "int16". samples: trials are
    judged by so many, the first of the dataset. precision: rules that stand whatever is found. bias_correction and
    rounding are applied to what is found, trials go without. report: an HTML file to write, Model.analyze's of what is
    found over the dataset, with the trade-off curve. executor: who calibrates, runs the samples of trials and analyzes
    for the report. Everything else is as in compile(). Raises openrknn.Error naming the best that can be reached.
    """
    if target_sqnr is not None and metric is not None:
        raise ValueError("search: target_sqnr is without a metric of your own: give it, or metric and target_metric")
    if metric is None and target_metric is not None:
        raise ValueError("search: target_metric is what the metric shall reach: give the metric too")
    goal = target_sqnr if metric is None else target_metric
    if goal is None and max_macs is None:
        raise ValueError("search: give target_sqnr, metric and target_metric, or max_macs")
    for name, value, known in (("budget", budget, ("ops", "macs")), ("lift", lift, ("float16", "int16"))):
        if value not in known:
            raise ValueError(f"search: {name}={value!r} is not known, expected one of {known}")
    if not isinstance(graph, _core.Graph):
        graph = import_model(graph)
    is_path = isinstance(dataset, (str, os.PathLike))
    settings = {
        "target_platform": target,
        "quantized_algorithm": algorithm,
        "quantized_method": method,
        "quant_img_RGB2BGR": rgb_to_bgr,
        "mean_values": mean,
        "std_values": std,
        "precision": precision_rules(precision),
        "equalize": equalize,
        "absorb_bias": absorb_bias,
        "migrate_scales": migrate_scales,
        "split_concat": split_concat,
        "bias_correction": bias_correction,
        "rounding": rounding,
    }
    return Search(
        *_core.search(
            graph,
            settings,
            os.fspath(dataset) if is_path else None,
            None if is_path else dataset,
            None if goal is None else float(goal),
            1.0 if max_macs is None else float(max_macs),
            metric,
            budget == "macs",
            lift == "int16",
            samples,
            threads,
            None if report is None else os.fspath(report),
            executor,
        )
    )


def check(
    path: PathLike,
    *,
    target: str | Sequence[str] = "all",
    quantize: str | None = None,
    input_shapes: Sequence[Sequence[int]] | None = None,
) -> list[dict[str, Any]]:
    """Where SoCs compute the layers of a model file, without building it: one dict a SoC.

    target: names, or "all" (of a .rknn None means its own). quantize: "w8a8" and so on, "" for the float16 build, None
    for w8a8 where the SoC has it. Each dict has target, build, the counts npu, cpu and impossible, and under layers
    those that are not on the NPU, with the limits they exceed (docs/estimates.md). Raises openrknn.Error.
    """
    targets = [target] if isinstance(target, str) else list(target or [])
    shapes = [list(shape) for shape in input_shapes or []]
    return json.loads(_core.check_targets(os.fspath(path), targets, quantize, shapes))["targets"]


def estimate(
    model: PathLike | _core.Model,
    *,
    target: str | Sequence[str] = "all",
    quantize: str | None = None,
    cores: int = 1,
    input_shapes: Sequence[Sequence[int]] | None = None,
    report: PathLike | None = None,
) -> list[dict[str, Any]]:
    """How long SoCs would take for a model and how much memory, one dict a SoC: estimates, not measurements.

    model: a model file, or a compiled model (then on its own target). target, quantize: as in check(). cores: that share
    a run. report: an HTML file to write, with a roofline for each SoC (docs/report.md). Each dict has milliseconds,
    frames_per_second, weight_bytes, feature_bytes, memory_bytes, calibrated (False: no rates of the SoC are public), and
    layers (docs/estimates.md). Raises openrknn.Error.
    """
    page = None if report is None else os.fspath(report)
    if isinstance(model, _core.Model):
        return json.loads(_core.estimate_model(model, cores, page))["targets"]
    targets = [target] if isinstance(target, str) else list(target or [])
    shapes = [list(shape) for shape in input_shapes or []]
    return json.loads(_core.estimate_targets(os.fspath(model), targets, quantize, shapes, cores, page))["targets"]
