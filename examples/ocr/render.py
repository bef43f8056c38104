"""Pictures of text, drawn with Pillow's own font: calibration images and the page that the demo reads."""

import random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORDS = (
    "OPEN NPU Radxa Rock vision edge camera 2048 conv Linux kernel Hello World inference 60 FPS tensor model quantize "
    "robot arm INT8 board sensor stream frame detect latency scale zero point bridge garden Monday 14:35 route 66 coffee"
).split()


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def draw_lines(
    lines: list[str], width: int, height: int, size: int, paper=(255, 255, 255), ink=(20, 20, 20)
) -> Image.Image:
    page = Image.new("RGB", (width, height), paper)
    pen = ImageDraw.Draw(page)
    step = height // (len(lines) + 1)
    for i, line in enumerate(lines):
        pen.text((width // 12, step * (i + 1) - size // 2), line, font=font(size), fill=ink)
    return page


def random_page(seed: int, width: int, height: int) -> Image.Image:
    """A page of a few lines in random size and colour; equal seeds give equal pages."""
    rng = random.Random(seed)
    light = rng.random() < 0.7
    paper = tuple(rng.randint(190, 255) if light else rng.randint(0, 70) for _ in range(3))
    ink = tuple(rng.randint(0, 90) if light else rng.randint(170, 255) for _ in range(3))
    count = rng.randint(2, 7)
    lines = [" ".join(rng.choices(WORDS, k=rng.randint(1, 3))) for _ in range(count)]
    page = draw_lines(lines, width, height, rng.randint(height // 24, height // (count + 5)), paper, ink)
    return page.filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 0.8)))
