"""Provider options under their documented names."""

from __future__ import annotations

from typing import Any, TypedDict

from openrknn import OptionError
from openrknn.provider_options import (
    LayoutLike,
    PathLikeStr,
    RknnProviderOptions,
    ScheduleLike,
    TpModeLike,
    make_provider_options,
)

__all__ = [
    "LayoutLike",
    "PathLikeStr",
    "RknnProviderOptions",
    "Rknpu2ProviderOptions",
    "Rknpu3ProviderOptions",
    "ScheduleLike",
    "TpModeLike",
    "make_provider_options",
    "make_rknpu2_provider_options",
    "make_rknpu3_provider_options",
]

Rknpu2ProviderOptions = RknnProviderOptions
make_rknpu2_provider_options = make_provider_options


class Rknpu3ProviderOptions(TypedDict, total=False):
    runtime_library: PathLikeStr
    device_id: str
    weight_path: PathLikeStr
    priority: int
    run_timeout_ms: int
    run_core_mask: str


def make_rknpu3_provider_options(
    *,
    runtime_library: Any = None,
    device_id: Any = None,
    weight_path: Any = None,
    priority: int = 0,
    run_timeout_ms: int = 0,
    run_core_mask: str = "auto",
) -> Rknpu3ProviderOptions:
    """Refused: these options are for NPUs of another generation."""
    raise OptionError("RKNPU3 is an NPU of another generation, which OpenRKNN does not support")
