"""Seeded pictures for calibration: shapes, gradients and noise. python pictures.py FOLDER SIZE [COUNT]"""

import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def picture_size(model: pathlib.Path) -> int:
    """Height and width a bench network takes."""
    return 320 if "yolo" in model.stem else 224


def picture(seed: int, size: int) -> np.ndarray:
    rng = np.random.RandomState(seed)
    ramp = np.linspace(-60, 60, size)
    base = (
        rng.randint(0, 256, 3)
        + ramp[:, None, None] * rng.uniform(-1, 1, 3)
        + ramp[None, :, None] * rng.uniform(-1, 1, 3)
    )
    image = Image.fromarray(base.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.randint(3, 12)):
        x, y, r = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(size / 12, size / 3)
        colour, box = tuple(int(c) for c in rng.randint(0, 256, 3)), [x - r, y - r, x + r, y + r]
        kind = rng.randint(4)
        if kind == 0:
            pen.ellipse(box, fill=colour)
        elif kind == 1:
            pen.rectangle(box, fill=colour)
        elif kind == 2:
            pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=colour)
        else:
            pen.line(box, fill=colour, width=max(2, int(r / 5)))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5)))
    return (np.asarray(image) + rng.randn(size, size, 3) * rng.uniform(0, 10)).clip(0, 255).astype(np.uint8)


def write_dataset(folder, size: int, count: int = 20) -> pathlib.Path:
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{i:03}.jpg" for i in range(count)]
    for i, name in enumerate(names):
        Image.fromarray(picture(1000 + i, size)).save(folder / name, quality=95)
    listing = folder / f"dataset_{count}.txt"
    listing.write_text("\n".join(names) + "\n")
    return listing


if __name__ == "__main__":
    write_dataset(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 20)
