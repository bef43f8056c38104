"""Published frame rates of the networks, and measured points: what estimates are fitted to.

The rates are the rknn_model_zoo README's (Apache-2.0): frames a second at the highest NPU clock, inference alone, int8,
one core. Columns: RK3566/RK3568, RK3562, RK3588, RK3576.
"""

TARGETS = ("rk3568", "rk3562", "rk3588", "rk3576")

FRAMES_PER_SECOND = {
    "mobilenetv2": (180.7, 281.3, 450.7, 467.0),
    "resnet50_v2": (37.9, 54.9, 110.1, 99.0),
    "yolov5n": (39.7, 47.4, 82.5, 112.7),
    "yolov5s": (19.3, 23.6, 48.4, 57.5),
    "yolov5m": (8.6, 10.8, 20.9, 23.7),
    "yolov5s_relu": (25.5, 33.2, 66.1, 65.0),
    "yolov6n": (48.8, 56.4, 106.4, 109.1),
    "yolov6s": (15.2, 17.3, 36.4, 35.0),
    "yolov6m": (7.2, 8.6, 17.8, 17.4),
    "yolov7_tiny": (27.9, 36.5, 72.7, 74.8),
    "yolov7": (4.6, 5.9, 11.4, 13.0),
    "yolov8n": (34.0, 41.0, 73.5, 90.2),
    "yolov8s": (15.1, 18.4, 38.0, 40.8),
    "yolov8m": (6.5, 8.2, 16.2, 16.7),
    "yolov10n": (20.7, 34.1, 61.2, 80.2),
    "yolov10s": (10.3, 16.9, 33.8, 39.9),
    "yolo11n": (20.6, 34.0, 60.0, 77.9),
    "yolo11s": (10.2, 16.7, 33.0, 38.2),
    "yolo11m": (4.6, 6.5, 12.7, 14.6),
    "yolox_s_conv_stem": (15.2, 18.3, 37.1, 41.5),
    "yolox_m_conv_stem": (6.6, 8.2, 16.0, 17.6),
    "ppyoloe_s": (17.1, 20.0, 32.5, 41.3),
    "ppyoloe_m": (7.8, 9.2, 15.8, 17.8),
    "yolov8n_pose": (22.6, 31.0, 55.9, 66.8),
    "yolov5n_seg": (32.2, 38.5, 69.3, 88.3),
    "yolov5s_seg": (15.0, 18.1, 36.8, 41.6),
    "yolov5m_seg": (6.8, 8.4, 16.4, 18.0),
    "yolov8n_seg": (27.8, 33.0, 60.8, 71.1),
    "yolov8s_seg": (11.7, 14.1, 28.9, 30.8),
    "yolov8m_seg": (5.2, 6.4, 12.6, 12.7),
    "retinaface_mobile320": (156.4, 300.8, 227.2, 470.5),
}

# RKNN matmul API on one core of RK3588, published measurements (clehaxze.tw, 2023-09-02 and 2024-02-14): rows, inner
# extent, columns, type, milliseconds. The one of a single row streams its weights: 11 GFLOP/s.
MATMULS = {
    "matmul_float16_128": (128, 1024, 8192, "float16", 2 * 128 * 1024 * 8192 / 900e9 * 1e3),
    "matmul_int8_128": (128, 1024, 8192, "int8", 2 * 128 * 1024 * 8192 / 1.8e12 * 1e3),
    "matmul_float16_1": (1, 4096, 4096, "float16", 2 * 4096 * 4096 / 11e9 * 1e3),
}
