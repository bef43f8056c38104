"""from rknnlite.api import RKNNLite"""

from rknnlite.api.rknn_lite import RKNNLite

__all__ = ["RKNNLite"]
