"""The convolutional networks of the rknn_model_zoo benchmark table, as ONNX models of the same layers.

Written from the architectures' papers and public descriptions; weights are placeholders (builder.py). A family a
module, each with a table NETWORKS: name -> (function that returns the model, published multiply-accumulates in 1e9).
"""

from . import classifiers, ppyoloe, retinaface, yolo11, yolov5, yolov6, yolov7, yolov8, yolov10, yolox

FAMILIES = (classifiers, yolov5, yolov6, yolov7, yolov8, yolov10, yolo11, yolox, ppyoloe, retinaface)
NETWORKS = {name: entry for family in FAMILIES for name, entry in family.NETWORKS.items()}
