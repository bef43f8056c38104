"""Compile, quantize, simulate and serve models for Rockchip NPUs.

    graph = openrknn.import_model("net.onnx")
    model = openrknn.compile(graph, target="rk3588", dataset="dataset.txt")
    model.save("net.rknn")
    with openrknn.InferenceSession("net.rknn") as session:
        outputs = session.run(None, {"input": array})

Importing has no side effects. Work releases the GIL.
"""

from openrknn._core import Error, Graph, InferenceSession, Model, __version__
from openrknn.api import compile, import_model, load

__all__ = ["Error", "Graph", "InferenceSession", "Model", "__version__", "compile", "import_model", "load"]
