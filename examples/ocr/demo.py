"""Converts two PP-OCRv4 networks for RK3588 and reads a page of text on the simulator.

    python demo.py [WORK_FOLDER]

The networks come from the Apache-2.0 wheel rapidocr-onnxruntime 1.4.4 (taken as a file, not installed). Detection
becomes int8, calibrated on pages rendered here; recognition becomes float16.
"""

import pathlib
import subprocess
import sys
import time
import zipfile

import numpy as np
from PIL import Image, ImageDraw
from render import draw_lines, font, random_page
from text_reader import DETECTION_SIZE, RECOGNITION_HEIGHT, RECOGNITION_WIDTH, TextReader

import openrknn
from rknn.api import RKNN

WHEEL = "rapidocr-onnxruntime==1.4.4"
DETECTION, RECOGNITION = "ch_PP-OCRv4_det_infer.onnx", "ch_PP-OCRv4_rec_infer.onnx"
PAGE = ["OpenRKNN reads this page", "detection is int8", "words are read in fp16", "2026: no board needed"]
IMAGENET_MEAN, IMAGENET_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def fetch(folder: pathlib.Path) -> None:
    if (folder / DETECTION).exists() and (folder / RECOGNITION).exists():
        return
    print(f"Fetching {WHEEL} ...")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(folder.glob("rapidocr_onnxruntime-*.whl"))) as wheel:
        for member in wheel.namelist():
            if member.endswith((DETECTION, RECOGNITION)):
                (folder / pathlib.Path(member).name).write_bytes(wheel.read(member))


def render_calibration(folder: pathlib.Path, count: int = 20) -> pathlib.Path:
    names = [f"page_{i:02}.png" for i in range(count)]
    for i, name in enumerate(names):
        random_page(i, DETECTION_SIZE, DETECTION_SIZE).save(folder / name)
    (folder / "dataset.txt").write_text("\n".join(names) + "\n")
    return folder / "dataset.txt"


def check(result: int, step: str) -> None:
    if result != 0:
        sys.exit(f"{step} failed; the message above says why")


def convert(source: pathlib.Path, target: pathlib.Path, size, mean, std, dataset=None) -> None:
    """What every conversion script does; only the import names the toolkit."""
    started = time.perf_counter()
    rknn = RKNN()
    rknn.config(mean_values=[mean], std_values=[std], target_platform="rk3588")
    check(rknn.load_onnx(str(source), inputs=["x"], input_size_list=[[1, 3, *size]]), "load_onnx")
    check(rknn.build(do_quantization=dataset is not None, dataset=dataset and str(dataset)), "build")
    check(rknn.export_rknn(str(target)), "export_rknn")
    rknn.release()
    size_mb = target.stat().st_size / 1e6
    print(f"  {target.name}: {size_mb:.1f} MB in {time.perf_counter() - started:.1f} s")


class Float:
    """The source model in float32 behind the session's interface: what the NPU's numbers are compared with."""

    def __init__(self, path: pathlib.Path, size, mean, std):
        self.graph = openrknn.import_model(path, inputs=["x"], input_shapes=[[1, 3, *size]])
        self.mean, self.std = np.float32(mean), np.float32(std)

    def run(self, pixels: np.ndarray) -> np.ndarray:
        return self.graph.run([((pixels - self.mean) / self.std).transpose(0, 3, 1, 2)])[0]


def signal_to_noise_db(wanted: np.ndarray, got: np.ndarray) -> float:
    return float(10 * np.log10(np.square(wanted).sum() / max(np.square(wanted - got).sum(), 1e-30)))


def annotate(page: Image.Image, lines, path: pathlib.Path) -> None:
    picture = Image.new("RGB", (page.width * 2, page.height), "white")
    picture.paste(page, (0, 0))
    pen = ImageDraw.Draw(picture)
    for line in lines:
        pen.rectangle(line.box, outline=(220, 30, 30), width=3)
        pen.text((page.width + line.box[0], line.box[1]), line.text, font=font(30), fill=(20, 60, 160))
    picture.save(path)


def main() -> int:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "demo_output").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    fetch(folder)

    print("Converting for rk3588 ...")
    detection_size, recognition_size = (DETECTION_SIZE, DETECTION_SIZE), (RECOGNITION_HEIGHT, RECOGNITION_WIDTH)
    detection = (folder / DETECTION, folder / "detection_int8.rknn", detection_size, IMAGENET_MEAN, IMAGENET_STD)
    recognition = (folder / RECOGNITION, folder / "recognition_fp16.rknn", recognition_size, [127.5] * 3, [127.5] * 3)
    convert(*detection, dataset=render_calibration(folder))
    convert(*recognition)

    print("Reading the page on the simulator ...")
    page = draw_lines(PAGE, 640, 480, 40)
    page.save(folder / "page.png")
    pixels = np.asarray(page)
    options = {"layout": "nhwc"}
    with (
        openrknn.InferenceSession(detection[1], provider_options=options) as detector,
        openrknn.InferenceSession(recognition[1], provider_options=options) as recognizer,
    ):
        reader = TextReader(detector, recognizer)
        started = time.perf_counter()
        lines = reader.read(pixels)
        elapsed = time.perf_counter() - started
        for line in lines:
            print(f"  {line.text:<32} confidence {line.confidence:.3f}  at {line.box}")

        print("Against float32:")
        image = np.asarray(page.resize((DETECTION_SIZE, DETECTION_SIZE)))[None]
        for name, session, parts, sample in (
            ("detection, int8", detector, detection, image),
            (
                "recognition, fp16",
                recognizer,
                recognition,
                reader.line_image(pixels, lines[0].box)[None] if lines else None,
            ),
        ):
            if sample is None:
                continue
            wanted = Float(parts[0], parts[2], *parts[3:]).run(sample)
            feeds = {session.get_inputs()[0].name: sample}
            started = time.perf_counter()
            got = session.run(None, feeds)[0]
            one_run_ms = (time.perf_counter() - started) * 1e3
            cosine = float((wanted * got).sum() / np.sqrt(np.square(wanted).sum() * np.square(got).sum()))
            print(
                f"  {name:<18} cosine {cosine:.5f}  SQNR {signal_to_noise_db(wanted, got):5.1f} dB  {one_run_ms:6.1f} ms a run"
            )

    annotate(page, lines, folder / "annotated.png")
    read = [line.text for line in lines]
    right = sum(text.replace(" ", "") == wanted.replace(" ", "") for text, wanted in zip(read, PAGE, strict=False))
    print(
        f"{right} of {len(PAGE)} lines read exactly (spaces aside) in {elapsed * 1e3:.0f} ms; picture: {folder / 'annotated.png'}"
    )
    return 0 if right == len(PAGE) else 1


if __name__ == "__main__":
    sys.exit(main())
