"""DarkNet networks with random weights: a .cfg and the .weights that fit it, written as parser.c reads them."""

import struct

import numpy as np


class DarknetWriter:
    """Sections are added one after another; sizes are followed so that weights have the right number."""

    def __init__(self, random: np.random.Generator, channels: int, height: int, width: int):
        self.random = random
        self.text = f"[net]\nbatch=1\nchannels={channels}\nheight={height}\nwidth={width}\n"
        self.numbers: list[np.ndarray] = []
        self.shapes: list[tuple[int, int, int]] = []
        self.shape = (channels, height, width)

    def section(self, name: str, shape=None, **options) -> int:
        self.text += f"\n[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
        self.shape = shape or self.shape
        self.shapes.append(self.shape)
        return len(self.shapes) - 1

    def draw(self, *shape, low=-1.0, high=1.0):
        self.numbers.append(self.random.uniform(low, high, shape).astype(np.float32))

    def convolutional(
        self, filters, size=3, stride=1, pad=1, groups=1, batch_normalize=1, activation="leaky", **more
    ) -> int:
        c, h, w = self.shape
        self.draw(filters)
        if batch_normalize:
            self.draw(filters, low=0.5, high=1.5)
            self.draw(filters)
            self.draw(filters, low=0.1, high=2)
        self.draw(filters, c // groups, size, size)
        self.numbers[-1] /= np.sqrt(c // groups * size * size)
        padding = size // 2 if pad else more.get("padding", 0)
        after = [(extent + 2 * padding - size) // stride + 1 for extent in (h, w)]
        return self.section(
            "convolutional",
            (filters, *after),
            filters=filters,
            size=size,
            stride=stride,
            pad=pad,
            groups=groups,
            batch_normalize=batch_normalize,
            activation=activation,
            **more,
        )

    def maxpool(self, size=2, stride=2, **more) -> int:
        c, h, w = self.shape
        padding = more.get("padding", size - 1)
        after = [(extent + padding - size) // stride + 1 for extent in (h, w)]
        return self.section("maxpool", (c, *after), size=size, stride=stride, **more)

    def connected(self, output, activation="linear") -> int:
        self.draw(output)
        self.draw(output, int(np.prod(self.shape)))
        self.numbers[-1] /= np.sqrt(np.prod(self.shape))
        return self.section("connected", (output, 1, 1), output=output, activation=activation)

    def route(self, *layers, groups=1, group_id=0) -> int:
        parts = [self.shapes[layer] for layer in layers]
        shape = (sum(part[0] // groups for part in parts), *parts[0][1:])
        options = {"groups": groups, "group_id": group_id} if groups > 1 else {}
        return self.section("route", shape, layers=", ".join(map(str, layers)), **options)

    def shortcut(self, layer, activation="linear", **more) -> int:
        return self.section("shortcut", **{"from": layer}, activation=activation, **more)

    def weights(self, version=(0, 2, 5)) -> bytes:
        seen = struct.pack("<q" if version[0] * 10 + version[1] >= 2 else "<i", 0)
        return struct.pack("<3i", *version) + seen + b"".join(part.tobytes() for part in self.numbers)

    def write(self, folder, name="net"):
        cfg = folder / f"{name}.cfg"
        cfg.write_text(self.text)
        (folder / f"{name}.weights").write_bytes(self.weights())
        return cfg
