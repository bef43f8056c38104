"""examples/video_pipeline: three hundred frames over three virtual cores, in order, none lost, with a picture."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

pytest.importorskip("openrknn._core")

FRAMES = 300


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The folder of a whole run of the demo, and what it printed."""
    folder = tmp_path_factory.mktemp("video")
    script = Path(__file__).resolve().parents[2] / "examples" / "video_pipeline" / "demo.py"
    path = os.pathsep.join(str(Path(each).resolve()) for each in sys.path if each)
    done = subprocess.run(
        [sys.executable, script, "--frames", str(FRAMES), "--output", folder],
        env={"OPENRKNN_SIM_LATENCY": "1", **os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


def test_all_frames_come_in_order_from_three_cores(output):
    said = output[1].splitlines()
    assert [line.split(":")[0] for line in said] == ["run_pipeline", "run_async"]
    for line in said:
        assert f"{FRAMES} frames in order" in line
        assert re.search(r"per core \[100, 100, 100\]", line)


@pytest.mark.parametrize("name", ["run_pipeline", "run_async"])
def test_the_trace_has_every_frame_on_its_core(output, name):
    events = json.loads((output[0] / f"{name}.json").read_text())["traceEvents"]
    runs = {event["args"]["task"]: event["args"]["core"] for event in events if event["name"] == "run"}
    assert runs == {number: number % 3 for number in range(FRAMES)}
    assert sum(event["name"] == "callback" for event in events) == (FRAMES if name == "run_async" else 0)


@pytest.mark.parametrize("name", ["run_pipeline", "run_async"])
def test_cores_work_at_the_same_time(output, name):
    events = json.loads((output[0] / f"{name}.json").read_text())["traceEvents"]
    edges = []
    for event in events:
        if event["name"] == "run":
            edges += [(event["ts"], 1), (event["ts"] + event["dur"], -1)]
    running = most = 0
    for _, change in sorted(edges):
        running += change
        most = max(most, running)
    assert most == 3


@pytest.mark.parametrize("name", ["run_pipeline", "run_async"])
def test_the_picture_has_a_row_a_core(output, name):
    root = xml.etree.ElementTree.parse(output[0] / f"{name}.svg").getroot()
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {f"worker {core} (core {core})" for core in range(3)} <= set(texts)
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert sum(": run " in title for title in titles) >= 10
