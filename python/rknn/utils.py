"""`from rknn.utils import onnx_edit`, as RKNN-Toolkit2 has it: argument forms and messages, the work is in openrknn."""

from __future__ import annotations

import os

import openrknn
from rknn.api.rknn import _Log

__all__ = ["onnx_edit"]


def onnx_edit(model, export_path, inputs_transform={}, outputs_transform={}, dataset=None) -> int:  # noqa: B006
    """Writes an ONNX model whose inputs and outputs have other dimensions, by an equation a tensor.

    inputs_transform, outputs_transform: {'k_cache.1': 'a,b,c,d->1,ad,b,c'}; see docs/onnx_edit.md. dataset: the dataset
    file of `model`; one for the edited model is written beside export_path, dataset_for_<its stem>.txt. Returns 0, or
    logs every problem and returns -1 (OPENRKNN_RAISE=1 raises instead); then nothing is written.
    """
    log = _Log(False, None)
    try:
        texts = openrknn.edit_onnx(
            model, export_path, inputs=inputs_transform, outputs=outputs_transform, dataset=dataset
        )
    except Exception as error:
        log.block("onnx_edit", error)
        if os.environ.get("OPENRKNN_RAISE") == "1":
            raise
        return -1
    for text in texts:
        log.line("I", "", text)
    return 0
