"""make_provider_options and the types of provider options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypedDict

from openrknn import _core

PathLikeStr = str | os.PathLike
ScheduleLike = int | str | Sequence[int]
TpModeLike = str
LayoutLike = str


class RknnProviderOptions(TypedDict, total=False):
    layout: LayoutLike
    zero_copy_layout: str
    max_queue_size: int
    threads_per_core: int
    submit_timeout_ms: int
    sequential_callbacks: bool
    schedule: ScheduleLike
    tp_mode: TpModeLike
    enable_pacing: bool
    disable_dup_context: bool
    custom_op_path: PathLikeStr | Sequence[PathLikeStr]
    custom_op_paths: PathLikeStr | Sequence[PathLikeStr]
    custom_op_default_path: bool
    load_custom_ops_from_default_path: bool
    dispatch: str
    overflow: str
    callback_threads: int
    output_type: str | dict[str, str]
    strict_cores: bool
    warmup: int
    priority: str
    enable_sram: bool
    collect_perf: bool
    runtime_library: PathLikeStr
    model_key_file: PathLikeStr


def make_provider_options(
    *,
    layout: LayoutLike = "original",
    zero_copy_layout: str = "nhwc",
    max_queue_size: int = 3,
    threads_per_core: int = 1,
    submit_timeout_ms: int = 10000,
    sequential_callbacks: bool = True,
    schedule: ScheduleLike | None = None,
    tp_mode: TpModeLike | None = None,
    enable_pacing: bool = False,
    disable_dup_context: bool = False,
    custom_op_path: Any = None,
    custom_op_paths: Any = None,
    custom_op_default_path: bool = False,
    load_custom_ops_from_default_path: bool | None = None,
    **native: Any,
) -> RknnProviderOptions:
    """A dict for InferenceSession's provider_options; what is None is left out.

    `native`: dispatch, overflow, callback_threads, output_type, strict_cores, warmup, priority, enable_sram,
    collect_perf, runtime_library, model_key_file. Raises ValueError for schedule together with tp_mode, TypeError for unknown names.
    """
    if schedule is not None and tp_mode is not None:
        raise ValueError("provider options 'tp_mode' conflicts with 'schedule'; set only one.")
    known = set(_core.provider_option_names())
    for name in native:
        if name not in known:
            raise TypeError(f"make_provider_options() got an unexpected keyword argument '{name}'")
    options = {
        "layout": layout,
        "zero_copy_layout": zero_copy_layout,
        "max_queue_size": max_queue_size,
        "threads_per_core": threads_per_core,
        "submit_timeout_ms": submit_timeout_ms,
        "sequential_callbacks": sequential_callbacks,
        "schedule": schedule,
        "tp_mode": tp_mode,
        "enable_pacing": enable_pacing,
        "disable_dup_context": disable_dup_context,
        "custom_op_path": custom_op_path,
        "custom_op_paths": custom_op_paths,
        "custom_op_default_path": custom_op_default_path,
        "load_custom_ops_from_default_path": load_custom_ops_from_default_path,
        **native,
    }
    return {name: value for name, value in options.items() if value is not None}
