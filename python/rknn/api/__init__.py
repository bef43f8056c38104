"""`from rknn.api import RKNN`, as RKNN-Toolkit2 has it. State of every argument: docs/compatibility.md."""

from rknn.api.rknn import RKNN

__all__ = ["RKNN"]
