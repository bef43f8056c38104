"""Long work on a terminal shows how far it is and what is left; Ctrl-C ends it and leaves no half-written file."""

import json
import os
import pty
import re
import signal
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import faulty_models  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

BAR = r"\r(\w+) +\[(#*) *\] (\d+)/(\d+)  (left|took) \d+:\d\d"


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


def test_a_terminal_shows_bars_with_the_time_that_is_left(arguments, tmp_path):
    ours, theirs = pty.openpty()
    process = start("analyze", [*arguments, "--diagnose"], stdout=subprocess.DEVNULL, stderr=theirs)
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
    assert process.wait() == 0
    text = shown.decode().replace("\x1b[K", "")
    assert text.count("[") == len(re.findall(BAR, text)) > 0
    bars = list(re.finditer(BAR, text))
    last = {bar[1]: bar for bar in bars}
    assert set(last) >= {"calibrate", "analyze"}
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


@pytest.mark.parametrize("verb", ["convert", "analyze"])
def test_an_interrupt_leaves_whole_files_only(arguments, tmp_path, verb):
    out = tmp_path / "out"
    out.mkdir()
    options = {"convert": ["-o", str(out / "net.rknn")], "analyze": ["-o", str(out)]}[verb]
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
