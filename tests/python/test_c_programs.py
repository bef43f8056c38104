"""Plain C99 and C++17 programs over librknnrt.so give the simulator's exact outputs, here and on a board's CPU.

What they ought to give is computed past the C API: codes by numpy, the graph by the tool run_rknn.
"""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from tools_of_the_build import board_program, tool  # noqa: E402

import openrknn  # noqa: E402

MEAN, STD = 120.0, 60.0


class Case:
    """An int8 model, an image for it, and what every output is."""

    def __init__(self, folder, channels):
        self.folder = folder
        self.file = folder / "model.rknn"
        random = np.random.default_rng(5)
        images = random.integers(0, 256, (5, 1, channels, 16, 16)).astype(np.float32)
        path = small_models.save(small_models.cnn(channels=channels), folder / "model.onnx")
        means, stds = [MEAN] * channels, [STD] * channels
        openrknn.compile(path, dataset=[[image] for image in images[:4]], mean=means, std=stds).save(self.file)
        self.image = images[4].astype(np.uint8).transpose(0, 2, 3, 1)
        self.image.tofile(folder / "image.bin")
        self.floats = openrknn.load(self.file).run([images[4]])

    def quantize(self, scale, zero_point):
        """The image as the model's own codes: mean and std, then half to even, saturating."""
        real = (self.image.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)
        codes = np.rint(real / np.float32(scale)) + zero_point
        return np.clip(codes, -128, 127).astype(np.int8)

    def expected_codes(self, scale, zero_point):
        codes = self.quantize(scale, zero_point).transpose(0, 3, 1, 2)
        np.save(self.folder / "codes.npy", np.ascontiguousarray(codes))
        out = self.folder / "expected"
        subprocess.run([tool("run_rknn"), self.file, out, self.folder / "codes.npy"], check=True)
        return [np.load(f"{out}{i}.npy") for i in range(2)]


def attributes(printed):
    """[(side, {name: text})] of the lines a program prints."""
    lines = [line.split() for line in printed.splitlines() if line.startswith(("input ", "output "))]
    return [(side, dict(field.split("=", 1) for field in fields)) for side, *fields in lines]


def run(command, case, given="image.bin"):
    """The attributes the program saw, its floats (if it writes any) and its codes."""
    out = case.folder / "out"
    done = subprocess.run(
        [*command, case.file, out, case.folder / given], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = attributes(done.stdout)
    shapes = [(1, 10), (1, 8, 8, 8)]
    floats = [Path(f"{out}{i}.float") for i in range(2)]
    return (
        seen,
        [
            np.fromfile(path, np.float32).reshape(shape)
            for path, shape in zip(floats, shapes, strict=True)
            if path.exists()
        ],
        [np.fromfile(f"{out}{i}.codes", np.int8).reshape(shape) for i, shape in enumerate(shapes)],
    )


def here(name):
    return [tool(name)]


machines = pytest.mark.parametrize("machine", [here, board_program], ids=["here", "on_a_board"])


def parameters(attribute):
    return float.fromhex(attribute["scale"]), int(attribute["zp"])


@machines
@pytest.mark.parametrize("program", ["capi_general", "capi_general_cxx"])
def test_general_sequence(machine, program, tmp_path):
    case = Case(tmp_path, channels=3)
    seen, floats, codes = run(machine(program), case)
    image = seen[0][1]
    assert (seen[0][0], image["name"], image["fmt"], image["dims"]) == ("input", "image", "NHWC", "1,16,16,3")
    assert [a["name"] for side, a in seen if side == "output"] == ["scores", "pooled"]
    for ours, simulated in zip(floats, case.floats, strict=True):
        assert ours.tobytes() == simulated.tobytes()
    for ours, expected in zip(codes, case.expected_codes(*parameters(image)), strict=True):
        assert ours.tobytes() == expected.tobytes()
        assert len(np.unique(ours)) > 3  # else equal bytes would say little


@machines
def test_zero_copy_sequence(machine, tmp_path):
    """An image with 3 channels is NHWC for the hardware too; outputs are NC1HWC2."""
    case = Case(tmp_path, channels=3)
    seen, _, codes = run(machine("capi_zero_copy"), case)
    assert [a["fmt"] for _, a in seen] == ["NHWC", "UNDEFINED", "NC1HWC2"]
    assert seen[2][1]["dims"] == "1,1,8,8,16"
    for ours, expected in zip(codes, case.expected_codes(*parameters(seen[0][1])), strict=True):
        assert ours.tobytes() == expected.tobytes()


@machines
def test_zero_copy_with_native_input(machine, tmp_path):
    """20 channels are NC1HWC2: the program packs codes and they go in as they are."""
    case = Case(tmp_path, channels=20)
    general, *_ = run(here("capi_general"), case)
    scale, zero_point = parameters(general[0][1])
    case.quantize(scale, zero_point).tofile(tmp_path / "codes.bin")
    seen, _, codes = run(machine("capi_zero_copy"), case, given="codes.bin")
    assert (seen[0][1]["fmt"], seen[0][1]["dims"]) == ("NC1HWC2", "1,2,16,16,16")
    for ours, expected in zip(codes, case.expected_codes(scale, zero_point), strict=True):
        assert ours.tobytes() == expected.tobytes()


def test_the_programs_need_nothing_but_the_public_headers():
    folder = Path(__file__).parents[1] / "capi" / "programs"
    public = {path.name for path in Path(__file__).parents[2].joinpath("include").glob("rknn_*.h")}
    included = {name for path in folder.iterdir() for name in re.findall(r'#include [<"]([^>"]+)', path.read_text())}
    own = {path.name for path in folder.iterdir()}
    assert included <= public | own | {"string.h", "stdio.h", "stdlib.h"}
