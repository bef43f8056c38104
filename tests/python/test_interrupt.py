"""Long work on a terminal shows how far it is and what is left; Ctrl-C ends it and leaves no half-written file."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import faulty_models  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402

BAR = r"\r([\w ]*\w) +\[(#*) *\] (\d+)/(\d+)  (left|took) \d+:\d\d"


@pytest.fixture
def arguments(tmp_path):
    """What a build of the deep network with 8 samples needs."""
    model = faulty_models.deep(tmp_path / "net.onnx")
    for i, sample in enumerate(faulty_models.samples()):
        np.save(tmp_path / f"{i}.npy", sample)
    (tmp_path / "dataset.txt").write_text("".join(f"{i}.npy\n" for i in range(8)))
    return [str(model), "-t", "rk3588", "--dataset", str(tmp_path / "dataset.txt")]


def start(verb, arguments, **options):
    return subprocess.Popen([*map(str, command_line()), verb, *arguments], text=True, **options)


@pytest.mark.parametrize(
    ("verb", "more", "stages"),
    [
        ("analyze", ["--diagnose"], {"calibrate", "analyze"}),
        ("search", ["--target-sqnr", "25"], {"calibrate", "search"}),
        ("convert", ["--preset", "accurate"], {"calibrate", "observe", "round", "correct biases"}),
        ("profile", [], {"profile"}),
    ],
)
def test_a_terminal_shows_bars_with_the_time_that_is_left(arguments, verb, more, stages):
    ours, theirs = pty.openpty()
    given = arguments[:1] if verb == "profile" else arguments
    process = start(verb, [*given, *more], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how a terminal ends
            break
        if not part:
            break
        shown += part
    os.close(ours)
    text = shown.decode().replace("\x1b[K", "").replace("\r\n", "\n")
    assert process.wait() == 0, text
    assert text.count("\r") == len(re.findall(BAR, text)) > 0
    bars = list(re.finditer(BAR, text))
    last = {bar[1]: bar for bar in bars}
    assert set(last) >= stages
    for bar in last.values():
        assert bar[3] == bar[4]
        assert bar[5] == "took"
    assert any(bar[5] == "left" for bar in bars)


def test_an_analysis_that_was_interrupted_goes_on(arguments, tmp_path):
    """The last sample cannot be read at first: what is before it need not be run again."""
    command, state = [*arguments, "--json", "--report", str(tmp_path / "report.html")], tmp_path / "state"
    whole = start("analyze", command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).communicate()[0]
    report = (tmp_path / "report.html").read_bytes()
    samples = tmp_path / "samples.txt"
    samples.write_text("".join(f"{i}.npy\n" for i in range(7)) + "late.npy\n")
    late = np.load(tmp_path / "7.npy")
    np.save(tmp_path / "late.npy", np.full_like(late, np.nan))
    command += ["--samples", str(samples), "--resume", str(state)]
    failed = start("analyze", command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert "late.npy" in failed.communicate()[1]
    assert failed.returncode == 1
    assert state.exists()
    np.save(tmp_path / "late.npy", late)
    resumed = start("analyze", command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    found, said = resumed.communicate()
    assert "starts over" not in said
    assert json.loads(found)["layers"] == json.loads(whole)["layers"]
    assert (tmp_path / "report.html").read_bytes().replace(b"samples.txt", b"dataset.txt") == report
    assert not state.exists()


@pytest.mark.parametrize("verb", ["convert", "analyze", "search"])
def test_an_interrupt_leaves_whole_files_only(arguments, tmp_path, verb):
    out = tmp_path / "out"
    out.mkdir()
    model, report = ["-o", str(out / "net.rknn")], ["--report", str(out / "report.html")]
    options = {"convert": model, "analyze": ["-o", str(out)], "search": ["--target-sqnr", "1", *model, *report]}[verb]
    process = start(verb, [*arguments, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    process.stderr.readline()  # the first stage is done: files come next
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 0)  # 0: it was faster
    for path in out.rglob("*"):
        assert ".part" not in path.name
        if path.suffix == ".npy":
            np.load(path)
    table = out / "error_analysis.txt"
    assert not table.exists() or table.read_text().endswith("\n")
    for report in out.glob("*.html"):
        assert report.read_text().endswith("</html>\n")
    for model in out.glob("*.rknn"):
        openrknn.load(model)


LONG = {
    "compile": "openrknn.compile(model, dataset=long).save('net.rknn')",
    "corrections": "openrknn.compile(model, dataset=long, migrate_scales=True).save('net.rknn')",
    "analyze": "openrknn.compile(model, dataset=short).analyze(long, report='report.html')",
    "search": "openrknn.search(model, dataset=long, target_sqnr=25, report='report.html')",
    "build": "rknn.build(do_quantization=True, dataset=long) or rknn.export_rknn('net.rknn')",
    "hybrid": "rknn.hybrid_quantization_step1(dataset=long)",
}
SCRIPT = """
import signal
import sys
import openrknn
from rknn.api import RKNN
model, short, long = sys.argv[1:4]
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs in the background is given none
rknn = RKNN()
rknn.config(target_platform="rk3588")
rknn.load_onnx(model)
print("begun", flush=True)
{}
"""


@pytest.mark.parametrize("work", LONG.values(), ids=LONG.keys())
def test_an_interrupt_ends_a_call_half_way(arguments, tmp_path, work):
    """The last sample is a bad one: who gets there tells of it."""
    model, dataset, out = arguments[0], arguments[-1], tmp_path / "out"
    out.mkdir()
    bad = np.full(faulty_models.SHAPE, np.nan, np.float32)
    np.save(tmp_path / "bad.npy", bad)
    long = tmp_path / "long.txt"
    long.write_text("0.npy\n" * 100_000 + "bad.npy\n")
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(work), model, dataset, str(long)],
        cwd=out,
        env=os.environ | {"PYTHONPATH": str(Path(openrknn.__file__).parents[1])},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while process.stdout.readline() not in ("begun\n", ""):
        pass
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == -signal.SIGINT, said
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert "bad.npy" not in said
    assert "long.txt:" not in said
    assert [path.name for path in out.rglob("*")] == []
