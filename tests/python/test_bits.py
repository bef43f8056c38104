"""Outputs are the same bits for any number of threads and on every kind of CPU: float, float16 and int8."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402

CPUS = ["baseline", "avx2", "avx512", "vnni"] if os.uname().machine == "x86_64" else ["neon", "dotprod"]

# Runs in a process of its own: both settings are read once.
PROGRAM = """
import hashlib, json, sys
import numpy as np
import openrknn
job = json.load(sys.stdin)
def digest(arrays):
    assert all(np.isfinite(a).all() for a in arrays)
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
feeds = [np.load(path) for path in job["feeds"]]
graph = openrknn.import_model(job["model"])
print(json.dumps({
    "float": digest(graph.run(feeds)),
    **{name: digest(openrknn.load(path).run(feeds)) for name, path in job["files"].items()},
    "int8 build": hashlib.sha256(
        openrknn.compile(graph, dataset=[feeds], mean=job["mean"], std=job["std"]).to_bytes()).hexdigest(),
}))
"""


def digests(job, cpu, threads):
    packages = str(Path(openrknn.__file__).parents[1])
    environment = {**os.environ, "OPENRKNN_CPU": cpu, "OPENRKNN_THREADS": str(threads), "PYTHONPATH": packages}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(model, feeds, samples, folder, mean=None, std=None):
    files = {"float16": folder / "half.rknn", "int8": folder / "codes.rknn"}
    openrknn.compile(model, quantize=None, mean=mean, std=std).save(files["float16"])
    openrknn.compile(model, dataset=samples, mean=mean, std=std).save(files["int8"])
    paths = [folder / f"feed{i}.npy" for i in range(len(feeds))]
    for path, feed in zip(paths, feeds, strict=True):
        np.save(path, feed)
    job = {
        "model": str(model),
        "feeds": list(map(str, paths)),
        "files": {name: str(path) for name, path in files.items()},
        "mean": mean,
        "std": std,
    }
    wanted = digests(job, "baseline", 1)
    assert len(set(wanted.values())) == 4
    for cpu in CPUS:
        for threads in (1, 2):
            assert digests(job, cpu, threads) == wanted, (cpu, threads)


def photo(height, width, seed):
    return small_models.photo(height, width, seed).transpose(2, 0, 1)[None].astype(np.float32)


def test_small_network(tmp_path):
    path = small_models.save(small_models.cnn(size=64), tmp_path / "cnn.onnx")
    samples = [photo(64, 64, seed) for seed in range(3)]
    check(path, [photo(64, 64, 9)], samples, tmp_path, [127.5] * 3, [127.5] * 3)


def test_digits(shared, tmp_path):
    folder = shared / "models" / "digits"
    images = np.load(folder / "train.npz")["images"].transpose(0, 3, 1, 2)[:, None].astype(np.float32)
    for name in ("resdigits.op20.onnx", "mobiledigits.op20.onnx"):
        check(folder / name, [images[50]], list(images[:4]), tmp_path, [127.5], [127.5])


def test_face_detector(shared, tmp_path):
    model = shared / "models" / "ultraface_slim" / "slim-320.onnx"
    samples = [photo(240, 320, seed) for seed in range(2)]
    check(model, [photo(240, 320, 9)], samples, tmp_path, [127] * 3, [128] * 3)


def check_board(model, feed, samples, tmp_path, mean, std):
    """Compiled graph and golden of int8 and fp16 files: the same bytes from this machine and from a board's CPU."""
    from tools_of_the_build import board_program, tool

    np.save(tmp_path / "x.npy", feed)
    emulated = board_program("run_rknn")
    graph = openrknn.import_model(model)
    for name, quantize in (("int8", "w8a8"), ("fp16", None)):
        file = tmp_path / f"{name}.rknn"
        data = samples if quantize else None
        openrknn.compile(graph, quantize=quantize, dataset=data, mean=mean, std=std, keep_golden=True).save(file)
        written = []
        for side, command in (("here", [tool("run_rknn")]), ("board", emulated)):
            folder = tmp_path / name / side
            folder.mkdir(parents=True)
            subprocess.run([*command, file, f"{folder}/out", tmp_path / "x.npy"], check=True, timeout=600)
            written.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
        assert written[0] == written[1]
        assert any(key.startswith("outgolden") for key in written[0])


def test_small_network_on_a_board(tmp_path):
    path = small_models.save(small_models.cnn(size=64), tmp_path / "cnn.onnx")
    samples = [photo(64, 64, seed) for seed in range(3)]
    check_board(path, photo(64, 64, 9) - 127, samples, tmp_path, [127.5] * 3, [127.5] * 3)


def test_face_detector_on_a_board(shared, tmp_path):
    model = shared / "models" / "ultraface_slim" / "slim-320.onnx"
    samples = [photo(240, 320, seed) for seed in range(2)]
    check_board(model, photo(240, 320, 9) - 127, samples, tmp_path, [127] * 3, [128] * 3)


def test_the_settings_reach_the_program(tmp_path):
    """Else the tests above would compare a thing with itself."""
    from tools_of_the_build import command_line

    def doctor(**environment):
        done = subprocess.run(
            [*command_line(), "doctor", "--json"], capture_output=True, text=True, env={**os.environ, **environment}
        )
        return {finding["subject"]: finding["text"] for finding in json.loads(done.stdout)}

    first = "baseline" if CPUS[0] == "baseline" else "neon"
    assert doctor(OPENRKNN_CPU=first)["cpu"].startswith(("baseline", "neon"))
    assert doctor(OPENRKNN_THREADS="1")["threads"].startswith("1 ")
    assert doctor(OPENRKNN_THREADS="2")["threads"].startswith("2 ")
