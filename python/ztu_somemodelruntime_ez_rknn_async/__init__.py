"""Drop-in module: the names of EZ RKNN Async over openrknn.InferenceSession. No logic of its own."""

from openrknn import (
    InferenceSession,
    IOBinding,
    ModelMetadata,
    NodeArg,
    OrtValue,
    SessionIOBinding,
    __version__,
)
from ztu_somemodelruntime_ez_rknn_async.options import (
    RknnProviderOptions,
    Rknpu2ProviderOptions,
    Rknpu3ProviderOptions,
    make_provider_options,
    make_rknpu2_provider_options,
    make_rknpu3_provider_options,
)

__all__ = [
    "IOBinding",
    "InferenceSession",
    "ModelMetadata",
    "NodeArg",
    "OrtValue",
    "RknnProviderOptions",
    "Rknpu2ProviderOptions",
    "Rknpu3ProviderOptions",
    "SessionIOBinding",
    "__version__",
    "make_provider_options",
    "make_rknpu2_provider_options",
    "make_rknpu3_provider_options",
]
