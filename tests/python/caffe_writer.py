"""Caffe nets with random weights: a .prototxt and the .caffemodel that fits it (only what readers look at)."""

import numpy as np


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def blob(array: np.ndarray, legacy=False) -> bytes:
    data = field(5, array.astype("<f4").tobytes())
    if legacy:  # num, channels, height, width
        shape = (1,) * (4 - array.ndim) + array.shape
        return b"".join(varint(i + 1 << 3) + varint(extent) for i, extent in enumerate(shape)) + data
    return field(7, field(1, b"".join(map(varint, array.shape)))) + data


ENUMS = {"code_type", "pool", "operation", "norm_region", "phase", "round_mode"}


def text_of(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def message(options: dict, indent="  ") -> str:
    lines = []
    for key, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                lines.append(f"{indent}{key} {{\n{message(one, indent + '  ')}{indent}}}\n")
            elif isinstance(one, str) and key not in ENUMS:
                lines.append(f'{indent}{key}: "{one}"\n')
            else:
                lines.append(f"{indent}{key}: {text_of(one)}\n")
    return "".join(lines)


class CaffeWriter:
    def __init__(self, random: np.random.Generator, shape=(1, 3, 16, 20), name="net"):
        self.random = random
        self.text = f'name: "{name}"\n'
        self.blobs: dict[str, list[np.ndarray]] = {}
        self.legacy = False
        self.count = 0
        self.last = "data"
        self.layer("Input", bottoms=[], top="data", input_param={"shape": {"dim": list(shape)}})

    def layer(self, kind, bottoms=None, top=None, blobs=(), name=None, tops=None, **options) -> str:
        self.count += 1
        name = name or (top if kind == "Input" else f"{kind.lower()}{self.count}")
        bottoms = [self.last] if bottoms is None else bottoms
        tops = tops or [top or name]
        self.text += f"layer {{\n{message({'name': name, 'type': kind, 'bottom': bottoms, 'top': tops, **options})}}}\n"
        if blobs:
            self.blobs[name] = [np.asarray(array, np.float32) for array in blobs]
        self.last = tops[0]
        return self.last

    def draw(self, *shape, low=-1.0, high=1.0):
        return self.random.uniform(low, high, shape).astype(np.float32)

    def convolution(self, channels, filters, kernel=3, group=1, kind="Convolution", bottoms=None, **options) -> str:
        shape = (filters, channels // group, kernel, kernel)
        if kind == "Deconvolution":
            shape = (channels, filters // group, kernel, kernel)
        weights = self.draw(*shape) / np.sqrt(channels // group * kernel * kernel)
        given = {"num_output": filters, "kernel_size": kernel, **({"group": group} if group > 1 else {}), **options}
        return self.layer(kind, bottoms, blobs=[weights, self.draw(filters)], convolution_param=given)

    def model(self) -> bytes:
        layers = b""
        for name, arrays in self.blobs.items():
            body = field(1, name.encode()) + field(2, b"Layer")
            layers += field(100, body + b"".join(field(7, blob(array, self.legacy)) for array in arrays))
        return field(1, b"net") + layers

    def write(self, folder, name="net"):
        path = folder / f"{name}.prototxt"
        path.write_text(self.text)
        path.with_suffix(".caffemodel").write_bytes(self.model() if self.blobs else field(1, b"net"))
        return path
