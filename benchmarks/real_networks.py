"""What is compared: a network, and where real ones are looked for."""

import dataclasses
import pathlib

# What the bench networks subtract from a pixel and divide it by (ImageNet's numbers).
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


@dataclasses.dataclass
class Network:
    """What is compared: the file, the shape of its one input, what it subtracts from pixels and divides them by."""

    name: str
    file: pathlib.Path
    shape: list[int] | None = None
    mean: list[float] = dataclasses.field(default_factory=lambda: MEAN)
    std: list[float] = dataclasses.field(default_factory=lambda: STD)


# Real networks, looked for below the folders of --models. None of them comes with this project.
REAL = (
    Network("ultraface", pathlib.Path("slim-320.onnx"), None, [127.0] * 3, [128.0] * 3),
    Network("ppocr_det", pathlib.Path("ch_PP-OCRv4_det_infer.onnx"), [1, 3, 480, 480]),
    Network("ppocr_rec", pathlib.Path("ch_PP-OCRv4_rec_infer.onnx"), [1, 3, 48, 320], [127.5] * 3, [127.5] * 3),
    Network("mobiledigits", pathlib.Path("mobiledigits.op12.onnx"), None, [127.5], [127.5]),
    Network("resdigits", pathlib.Path("resdigits.op12.onnx"), None, [127.5], [127.5]),
)


def real_networks(folders: list[pathlib.Path]) -> list[Network]:
    found = []
    for network in REAL:
        files = [file for folder in folders for file in sorted(folder.rglob(network.file.name))]
        if files:
            found.append(dataclasses.replace(network, file=files[0]))
    return found
