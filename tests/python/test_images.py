"""Images as OpenCV decodes and resizes them, bit for bit.

The tool under test is `read_image` of the build's tests folder, named by OPENRKNN_TEST_TOOLS.
"""

import itertools
import os
import struct
import subprocess
import zlib

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
PIL_Image = pytest.importorskip("PIL.Image")

TOOLS = os.environ.get("OPENRKNN_TEST_TOOLS")
pytestmark = pytest.mark.skipif(not TOOLS, reason="OPENRKNN_TEST_TOOLS names no folder with the read_image tool")


def photograph(height, width, channels=3, seed=0):
    """Smooth shapes and some noise: what JPEG is made for, every value range touched."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        127 + 120 * np.sin(x / rng.uniform(3, 40) + rng.uniform(0, 6)) * np.cos(y / rng.uniform(3, 40))
        for _ in range(channels)
    ]
    image = np.stack(planes, -1) + rng.normal(0, 12, (height, width, channels))
    return np.clip(image, 0, 255).astype(np.uint8)


def run(path, *arguments):
    out = f"{path}.npy"
    command = [os.path.join(TOOLS, "read_image"), str(path), out, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return np.load(out)


def refused(path, *arguments):
    command = [os.path.join(TOOLS, "read_image"), str(path), f"{path}.npy", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done
    assert path.name in done.stderr
    return done.stderr


def assert_as_opencv(path):
    color = cv2.imread(str(path), cv2.IMREAD_COLOR)
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert color is not None and gray is not None
    np.testing.assert_array_equal(run(path), color[:, :, ::-1])
    np.testing.assert_array_equal(run(path, "gray"), gray[:, :, None])


# JPEG


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (17, 31), (100, 75), (333, 517)])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg(tmp_path, size, subsampling, progressive):
    path = tmp_path / "x.jpg"
    PIL_Image.fromarray(photograph(*size)).save(path, quality=88, subsampling=subsampling, progressive=progressive)
    assert_as_opencv(path)


@pytest.mark.parametrize("sampling", ["0x411111", "0x420000", "0x221111", "0x211111", "0x441111", "0x111111"])
def test_jpeg_sampling_as_opencv_writes_it(tmp_path, sampling):
    path = tmp_path / "x.jpg"
    parameters = [cv2.IMWRITE_JPEG_QUALITY, 70, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, int(sampling, 16)]
    cv2.imwrite(str(path), photograph(67, 91), parameters)
    assert_as_opencv(path)


def test_jpeg_of_one_channel(tmp_path):
    path = tmp_path / "x.jpg"
    PIL_Image.fromarray(photograph(41, 57, 1)[:, :, 0]).save(path)
    assert_as_opencv(path)


def test_jpeg_of_four_inks(tmp_path):
    path = tmp_path / "x.jpg"
    PIL_Image.fromarray(photograph(41, 57, 4), "CMYK").save(path, quality=95)
    assert_as_opencv(path)


@pytest.mark.parametrize("keep_rgb", [False, True])
def test_jpeg_with_restart_markers(tmp_path, keep_rgb):
    path = tmp_path / "x.jpg"
    PIL_Image.fromarray(photograph(64, 80)).save(path, restart_marker_blocks=3, keep_rgb=keep_rgb)
    assert_as_opencv(path)


@pytest.mark.parametrize("orientation", range(0, 10))
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_exif_orientation(tmp_path, orientation, kind):
    path = tmp_path / f"x.{kind}"
    exif = PIL_Image.Exif()
    exif[0x010F] = "camera"
    exif[0x0112] = orientation
    PIL_Image.fromarray(photograph(40, 56)).save(path, exif=exif)
    assert_as_opencv(path)


# PNG


def png(color_type, depth, height, width, rows, chunks=(), interlace=0):
    """A PNG file from unfiltered rows of packed bytes."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlace)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [chunk(b"IHDR", header), *(chunk(k, d) for k, d in chunks), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def random_rows(rng, height, row_bytes):
    return [rng.integers(0, 256, row_bytes, dtype=np.uint8).tobytes() for _ in range(height)]


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
CASES = [(color, depth) for color in CHANNELS for depth in DEPTHS[color]]


@pytest.mark.parametrize("color_type,depth", CASES)
@pytest.mark.parametrize("transparency", [False, True])
def test_png(tmp_path, color_type, depth, transparency):
    rng = np.random.default_rng(color_type * 100 + depth)
    height, width = 23, 37
    rows = random_rows(rng, height, (width * CHANNELS[color_type] * depth + 7) // 8)
    chunks = []
    if color_type == 3:
        chunks.append((b"PLTE", rng.integers(0, 256, 3 << depth, dtype=np.uint8).tobytes()))
    if transparency:
        if color_type in (4, 6):
            pytest.skip("has an alpha channel already")
        chunks.append((b"tRNS", {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: b"\0\x80"}[color_type]))
    path = tmp_path / "x.png"
    path.write_bytes(png(color_type, depth, height, width, rows, chunks))
    assert_as_opencv(path)


@pytest.mark.parametrize("gamma", [45455, 100000, 220000])
@pytest.mark.parametrize("color_type,depth", [(2, 8), (2, 16), (3, 8), (6, 8)])
def test_png_with_a_gamma_chunk(tmp_path, gamma, color_type, depth):
    rng = np.random.default_rng(depth)
    rows = random_rows(rng, 20, 30 * CHANNELS[color_type] * depth // 8)
    chunks = [(b"gAMA", struct.pack(">I", gamma))]
    if color_type == 3:
        chunks.append((b"PLTE", rng.integers(0, 256, 768, dtype=np.uint8).tobytes()))
    path = tmp_path / "x.png"
    path.write_bytes(png(color_type, depth, 20, 30, rows, chunks))
    assert_as_opencv(path)


def test_png_with_an_srgb_chunk(tmp_path):
    rng = np.random.default_rng(3)
    path = tmp_path / "x.png"
    path.write_bytes(png(2, 8, 20, 30, random_rows(rng, 20, 90), [(b"sRGB", b"\0")]))
    assert_as_opencv(path)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (40, 33)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_interlaced(tmp_path, size, channels):
    image = photograph(*size, channels)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = []
    for y, x, dy, dx in passes:
        part = image[y::dy, x::dx]
        if part.shape[1]:
            rows += [row.tobytes() for row in part]
    path = tmp_path / "x.png"
    path.write_bytes(png({1: 0, 3: 2, 4: 6}[channels], 8, *size, rows, interlace=1))
    assert_as_opencv(path)


# BMP


def bmp(bits, height, width, rows, palette=b"", compression=0, masks=b"", core=False, top_down=False, colors=0):
    if core:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack(
            "<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, compression, 0, 0, 0, colors, 0
        )
    head = header + masks + palette
    offset = 14 + len(head)
    body = b"".join(rows)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + head + body


@pytest.mark.parametrize("bits", [1, 4, 8, 16, 24, 32])
@pytest.mark.parametrize("width", [1, 2, 7, 8, 31, 64])
@pytest.mark.parametrize("top_down", [False, True])
def test_bmp(tmp_path, bits, width, top_down):
    rng = np.random.default_rng(bits * 1000 + width)
    height = 9
    rows = random_rows(rng, height, (width * bits + 31) // 32 * 4)
    palette = rng.integers(0, 256, 4 << bits, dtype=np.uint8).tobytes() if bits <= 8 else b""
    path = tmp_path / "x.bmp"
    path.write_bytes(bmp(bits, height, width, rows, palette, top_down=top_down))
    assert_as_opencv(path)


@pytest.mark.parametrize("bits", [1, 4, 8, 24])
def test_bmp_with_the_old_header(tmp_path, bits):
    rng = np.random.default_rng(bits)
    rows = random_rows(rng, 6, (13 * bits + 31) // 32 * 4)
    palette = rng.integers(0, 256, 3 << bits, dtype=np.uint8).tobytes() if bits <= 8 else b""
    path = tmp_path / "x.bmp"
    path.write_bytes(bmp(bits, 6, 13, rows, palette, core=True))
    assert_as_opencv(path)


@pytest.mark.parametrize("bits", [4, 8])
def test_bmp_colors_outside_the_palette_are_black(tmp_path, bits):
    rng = np.random.default_rng(bits)
    rows = random_rows(rng, 6, (13 * bits + 31) // 32 * 4)
    palette = rng.integers(0, 256, 4 * 5, dtype=np.uint8).tobytes()
    path = tmp_path / "x.bmp"
    path.write_bytes(bmp(bits, 6, 13, rows, palette, colors=5))
    assert_as_opencv(path)


FIELDS = {
    "565": (16, (0xF800, 0x07E0, 0x001F)),
    "555": (16, (0x7C00, 0x03E0, 0x001F)),
    "8888": (32, (0xFF0000, 0xFF00, 0xFF)),
}


@pytest.mark.parametrize("name", FIELDS)
def test_bmp_with_bit_fields(tmp_path, name):
    bits, masks = FIELDS[name]
    rng = np.random.default_rng(bits)
    rows = random_rows(rng, 6, (13 * bits + 31) // 32 * 4)
    path = tmp_path / "x.bmp"
    path.write_bytes(bmp(bits, 6, 13, rows, compression=3, masks=struct.pack("<III", *masks)))
    assert_as_opencv(path)


# Files written by other programs


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_files_of_pillow(tmp_path, kind, mode):
    if kind == "jpg" and mode in ("1", "P", "RGBA"):
        pytest.skip("not a JPEG mode")
    path = tmp_path / f"x.{kind}"
    PIL_Image.fromarray(photograph(50, 63, 4 if mode == "RGBA" else 3)).convert(mode).save(path)
    assert_as_opencv(path)


@pytest.mark.parametrize("kind,progressive", [("jpg", False), ("jpg", True), ("png", False), ("bmp", False)])
def test_every_truncation_is_an_error_that_names_the_file(tmp_path, kind, progressive):
    whole = tmp_path / f"whole.{kind}"
    PIL_Image.fromarray(photograph(12, 14)).save(whole, progressive=progressive)
    content = whole.read_bytes()
    path = tmp_path / f"cut.{kind}"
    last = len(content) - (2 if kind == "jpg" else 0)  # the end marker of a JPEG may be missing
    for length in itertools.chain(range(0, last, 23), range(max(0, last - 6), last)):
        path.write_bytes(content[:length])
        assert "dataset.bad-image" in refused(path), length


# Resizing


def test_resize(tmp_path):
    rng = np.random.default_rng(7)
    for index in range(60):
        height, width, to_height, to_width = (int(v) for v in rng.integers(1, 80, 4))
        if index % 6 == 0:
            height, width = 2 * to_height, 2 * to_width
        if index % 6 == 1:
            to_height, to_width = 2 * height, 2 * width
        if index % 6 == 2:
            width = 2 * to_width
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        path = tmp_path / "x.png"
        cv2.imwrite(str(path), image[:, :, ::-1])
        expected = cv2.resize(image, (to_width, to_height), interpolation=cv2.INTER_LINEAR)
        got = run(path, to_height, to_width)
        np.testing.assert_array_equal(got, expected, f"{height}x{width} to {to_height}x{to_width}")
        expected = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (to_width, to_height))
        np.testing.assert_array_equal(run(path, "gray", to_height, to_width)[:, :, 0], expected)
