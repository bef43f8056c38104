"""A video over three NPU cores: 300 frames through run_pipeline, and again through run_async.

    python examples/video_pipeline/demo.py [--frames 300] [--output DIR]

A bright square wanders over the frames and a small network finds it, so every result tells which frame it belongs to:
the demo checks that none is lost and all come in order. It writes the Chrome trace of both runs (chrome://tracing,
https://ui.perfetto.dev) and a picture of it. On a PC the cores are the simulator's; OPENRKNN_SIM_LATENCY says how many
milliseconds a frame holds one.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from trace_picture import draw

import openrknn

HEIGHT, WIDTH, SQUARE = 96, 128, 16
CELL = 4  # of the heat map, pixels


def build_model(path: Path) -> None:
    """An average over 16x16 pixels at every fourth pixel: largest where the square is."""
    kernel = np.full((1, 3, SQUARE, SQUARE), 1 / (3 * SQUARE * SQUARE * 255), np.float32)
    rows, columns = (HEIGHT - SQUARE) // CELL + 1, (WIDTH - SQUARE) // CELL + 1
    graph = helper.make_graph(
        [helper.make_node("Conv", ["frame", "kernel"], ["heat"], strides=[CELL, CELL])],
        "finder",
        [helper.make_tensor_value_info("frame", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("heat", TensorProto.FLOAT, [1, 1, rows, columns])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    source = path.with_suffix(".onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), source)
    openrknn.compile(source, target="rk3588", quantize=None).save(path)


def place_of(number: int) -> tuple[int, int]:
    """Where the square is in a frame: row and column of the heat map, never the same in neighbouring frames."""
    return (7 * number) % ((HEIGHT - SQUARE) // CELL + 1), (11 * number) % ((WIDTH - SQUARE) // CELL + 1)


def frame(number: int) -> np.ndarray:
    picture = np.full((1, HEIGHT, WIDTH, 3), 40, np.uint8)
    row, column = place_of(number)
    picture[0, row * CELL : row * CELL + SQUARE, column * CELL : column * CELL + SQUARE] = 230
    return picture


def found(outputs: list) -> tuple[int, int]:
    heat = outputs[0][0, 0]
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    return int(row), int(column)


def through_pipeline(session: openrknn.InferenceSession, frames: int) -> list:
    """The next frame is prepared while the last ones are computed."""
    places = []
    for number in range(frames):
        outputs = session.run_pipeline({"frame": frame(number)}, depth=6)
        if outputs is not None:
            places.append(found(outputs))
    return places + [found(outputs) for outputs in session.pipeline_drain()]


def through_callbacks(session: openrknn.InferenceSession, frames: int) -> list:
    """A full queue makes run_async wait, so nothing more is needed to slow a fast camera down."""
    places, failures, done = [], [], threading.Event()

    def on_result(outputs: list | None, number: int, error: str) -> None:
        if error:
            failures.append(f"frame {number}: {error}")
        else:
            places.append(found(outputs))
        if len(places) + len(failures) == frames:
            done.set()

    for number in range(frames):
        session.run_async(None, {"frame": frame(number)}, on_result, number)
    done.wait()
    if failures:
        raise SystemExit("\n".join(failures))
    return places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path("video_pipeline_output"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OPENRKNN_SIM_LATENCY", "4")
    model = arguments.output / "finder.rknn"
    build_model(model)

    wanted = [place_of(number) for number in range(arguments.frames)]
    for name, process in (("run_pipeline", through_pipeline), ("run_async", through_callbacks)):
        options = openrknn.make_provider_options(layout="nhwc", schedule=[0, 1, 2], max_queue_size=6)
        with openrknn.InferenceSession(model, provider_options=options) as session:
            session.enable_profiling(arguments.output / f"{name}.json")
            begin = time.perf_counter()
            places = process(session, arguments.frames)
            seconds = time.perf_counter() - begin
            session.close()  # the last tasks' bookkeeping, too
            trace = json.loads(Path(session.end_profiling()).read_text())
            per_core = session.stats()["tasks_per_worker"]
        (arguments.output / f"{name}.svg").write_text(draw(trace))
        if places != wanted:
            raise SystemExit(f"{name}: frames were lost or came out of order")
        print(f"{name}: {len(places)} frames in order, {len(places) / seconds:.0f} a second, per core {per_core}")


if __name__ == "__main__":
    main()
