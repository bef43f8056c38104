"""How a random node of each operator is made: one row an operator, a file a family. See random_onnx.py."""

# Importing a family fills the table; the order is that of the rows.
import random_onnx_elementwise  # noqa: F401, I001
import random_onnx_movement  # noqa: F401
import random_onnx_layers  # noqa: F401
from random_onnx_maker import MAKERS

__all__ = ["MAKERS"]
