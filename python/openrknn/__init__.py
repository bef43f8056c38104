"""Compile, quantize, simulate and serve models for Rockchip NPUs.

    graph = openrknn.import_model("net.onnx")
    model = openrknn.compile(graph, target="rk3588", dataset="dataset.txt")
    model.save("net.rknn")
    with openrknn.InferenceSession("net.rknn") as session:
        outputs = session.run(None, {"input": array})

Importing has no side effects. Work releases the GIL.
"""

from openrknn import _core
from openrknn._core import (
    Error,
    ModelMetadata,
    NodeArg,
    OptionError,
    RknnError,
    SessionTimeout,
    TaskCancelled,
    __version__,
)
from openrknn.io_binding import IOBinding, OrtValue, SessionIOBinding
from openrknn.provider_options import RknnProviderOptions, make_provider_options
from openrknn.session import InferenceSession, SessionFuture, get_available_providers, get_device

if _core.has_compiler:
    from openrknn._core import Graph, Model
    from openrknn.api import Search, check, codegen, compile, edit_onnx, encrypt, estimate, import_model, load, search
else:
    from openrknn.board import (
        Graph,
        Model,
        Search,
        check,
        codegen,
        compile,
        edit_onnx,
        encrypt,
        estimate,
        import_model,
        load,
        search,
    )

# Where users know them from, also in tracebacks.
for _error in (Error, OptionError, RknnError, SessionTimeout, TaskCancelled):
    _error.__module__ = __name__

__all__ = [
    "Error",
    "Graph",
    "IOBinding",
    "InferenceSession",
    "Model",
    "ModelMetadata",
    "NodeArg",
    "OptionError",
    "OrtValue",
    "RknnError",
    "RknnProviderOptions",
    "Search",
    "SessionFuture",
    "SessionIOBinding",
    "SessionTimeout",
    "TaskCancelled",
    "__version__",
    "check",
    "codegen",
    "compile",
    "edit_onnx",
    "encrypt",
    "estimate",
    "get_available_providers",
    "get_device",
    "import_model",
    "load",
    "make_provider_options",
    "search",
]
