"""The roofline of an estimate: every dot under its roof, and a page that a browser draws without complaint."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import browser  # noqa: E402
import faulty_models  # noqa: E402
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from small_models import constant, value  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import zoo_networks  # noqa: E402

needs_browser = pytest.mark.skipif(browser.MISSING is not None, reason=str(browser.MISSING))


@pytest.fixture
def chromium(tmp_path):
    with browser.Browser(tmp_path / "profile") as page:
        yield page


def speed_of(path):
    text = path.read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(found.group(1))["speed"]


def report_of(model, path, **options):
    """(what estimate() gives, what its page says)."""
    rows = openrknn.estimate(model, report=path, **options)
    return rows, speed_of(path)


def dots_of(speed):
    return [layer for layer in speed["layers"] if layer["place"] == "NPU"]


def one_node(path, op, shape, name="the_node", **attributes):
    nodes = [helper.make_node(op, ["x"], ["y"], name=name, **attributes)]
    return small_models.save(small_models.model(nodes, [value("x", shape)], [value("y", None)], check=False), path)


def sparse_convolution(path):
    weights = np.random.default_rng(0).standard_normal((64, 64, 3, 3)).astype(np.float32)
    weights[:, ::4] = weights[:, 1::4] = 0
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])]
    shape = [1, 64, 16, 16]
    made = small_models.model(nodes, [value("x", shape)], [value("y", shape)], [constant("w", weights)])
    return small_models.save(made, path)


@pytest.mark.parametrize("network", ["mobilenetv2", "yolov8n", "yolov10n", "retinaface_mobile320"])
@pytest.mark.parametrize("options", [{}, {"quantize": ""}, {"cores": 3}], ids=["w8a8", "float16", "cores"])
def test_every_dot_is_under_its_roof_on_every_target(tmp_path, network, options):
    rows, speeds = report_of(zoo_networks.write(tmp_path, network), tmp_path / "speed.html", **options)
    assert len(speeds) == len(rows) == 11
    for row, speed in zip(rows, speeds, strict=True):
        assert speed["calibrated"] == row["calibrated"]
        assert speed["microseconds"] == pytest.approx(row["milliseconds"] * 1e3, rel=1e-5)
        flat = {(roof["dtype"], roof["sparse"]): roof["macs_per_second"] for roof in speed["roofs"]}
        dots = dots_of(speed)
        timed = [layer for layer in row["layers"] if layer["microseconds"] > 0]
        assert [layer["name"] for layer in dots] == [layer["node"] for layer in timed if layer["place"] == "NPU"]
        for layer in dots:
            roof = layer["macs"] / layer["bytes"] * speed["bytes_per_second"]
            if layer["macs"]:
                roof = min(roof, flat[layer["dtype"], layer["sparse"]])
            assert layer["roof"] == pytest.approx(roof, rel=1e-4)
            assert layer["macs"] / layer["microseconds"] * 1e6 <= roof * (1 + 1e-5), (speed["target"], layer)
        total = sum(layer["microseconds"] for layer in speed["layers"]) + speed["run_microseconds"]
        assert total == pytest.approx(speed["microseconds"], rel=1e-4)


def test_sparse_layers_have_a_roof_twice_as_high(tmp_path):
    model = sparse_convolution(tmp_path / "net.onnx")
    dataset = [np.random.default_rng(1).standard_normal((1, 64, 16, 16)).astype(np.float32)]
    dense, sparse = (
        report_of(openrknn.compile(model, dataset=dataset, target="rk3576", sparse_infer=sparse), tmp_path / "a.html")
        for sparse in (False, True)
    )
    (before,), (after,) = dense[1], sparse[1]
    assert [roof["sparse"] for roof in before["roofs"] + after["roofs"]] == [False, True]
    assert after["roofs"][0]["macs_per_second"] == 2 * before["roofs"][0]["macs_per_second"]
    (layer,) = [layer for layer in dots_of(after) if layer["macs"]]
    assert layer["sparse"]
    assert layer["macs"] / layer["microseconds"] * 1e6 <= layer["roof"]


def test_the_command_writes_it_and_refuses_early(tmp_path, cnn):
    def call(*more):
        return subprocess.run([*command_line(), "estimate", str(cnn), *map(str, more)], capture_output=True, text=True)

    done = call("-t", "rk3588", "--report", tmp_path / "speed.html")
    assert done.returncode == 0, done.stderr
    assert f"report: {tmp_path / 'speed.html'}" in done.stdout
    assert [speed["target"] for speed in speed_of(tmp_path / "speed.html")] == ["RK3588"]
    again = call("-t", "rk3588", "--report", tmp_path / "again.html", "--json")
    assert json.loads(again.stdout)["targets"]
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "speed.html").read_bytes()
    refused = call("--report", tmp_path / "nowhere" / "speed.html")
    assert refused.returncode == 1
    assert "nowhere" in refused.stderr
    assert call("-t", "rk1", "--report", tmp_path / "none.html").returncode == 1
    assert not (tmp_path / "none.html").exists()


COUNT = "document.querySelectorAll('{}').length"
TEXT = "document.querySelector('{}').textContent"
# A dot's top edge, and the lower of the two lines of the roof above it; in pixels, downwards.
HEIGHTS = """(() => {
  const numbers = (line) => ['x1', 'y1', 'x2', 'y2'].map((key) => Number(line.getAttribute(key)));
  const [x1, y1, x2, y2] = numbers(document.querySelector('.roofline line.bus'));
  const flat = numbers(document.querySelector('.roofline line.roof'))[1];
  return [...document.querySelectorAll('.roofline circle.dot')].filter((dot) => dot.getAttribute('cy') < 400).map((dot) => {
    const slope = y1 + (Number(dot.getAttribute('cx')) - x1) / (x2 - x1) * (y2 - y1);
    return [Number(dot.getAttribute('cy')), Math.max(flat, slope)];
  });
})()"""
OVERLAPPING = """(() => {
  const boxes = [...document.querySelectorAll('.roofline text')].map((text) => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([one, a], i) => boxes.slice(i + 1).filter(([, b]) =>
    a.left < b.right && b.left < a.right && a.top + 3 < b.bottom - 3 && b.top + 3 < a.bottom - 3).map(([two]) => [one, two]));
})()"""


@needs_browser
@pytest.mark.parametrize("network", ["mobilenetv2", "yolov8n"])
def test_a_browser_draws_dots_under_the_roof(tmp_path, chromium, network):
    report = tmp_path / "speed.html"
    _, (speed,) = report_of(zoo_networks.write(tmp_path, network), report, target="rk3588")
    chromium.open(report)
    assert chromium.evaluate(COUNT.format(".dot")) == len(dots_of(speed))
    heights = chromium.evaluate(HEIGHTS)
    assert len(heights) == sum(layer["macs"] > 0 for layer in dots_of(speed))
    assert all(dot >= roof - 0.01 for dot, roof in heights)
    assert chromium.evaluate(OVERLAPPING) == []
    assert chromium.evaluate(TEXT.format("#speed .run")) == f"{speed['microseconds'] / 1e3:.2f} ms"
    assert "An estimate, not a measurement" in chromium.evaluate(TEXT.format("#speed .card"))
    assert chromium.evaluate(COUNT.format(".uncalibrated")) == 0
    # The picture has words for those who do not see it, and the tables have every layer.
    assert chromium.evaluate(TEXT.format(".roofline title")) == "Roofline of RK3588"
    assert "1.02 TMACs a second in int8" in chromium.evaluate(TEXT.format(".roofline desc"))
    assert chromium.evaluate(COUNT.format("#speed .speed tbody tr")) == len(speed["layers"])
    slowest = max(speed["layers"], key=lambda layer: layer["microseconds"])
    row = chromium.evaluate(TEXT.format("#speed .speed tbody tr"))
    assert slowest["name"] in row
    assert slowest["limit"] in row
    chromium.hover(".dot", 0)  # the largest is drawn first; its number does not get in the way
    tip = chromium.evaluate(TEXT.format("#tip"))
    largest = max(dots_of(speed), key=lambda layer: layer["microseconds"])
    for part in (f"[{largest['op']}] {largest['name']}", "of the run", "B over the bus", largest["limit"]):
        assert part in tip
    chromium.screenshot(tmp_path / "speed.png")
    assert chromium.problems == []
    assert [url for url in chromium.requests if not url.startswith(("file:", "data:"))] == []


@needs_browser
def test_several_targets_stand_in_one_page(tmp_path, chromium, cnn):
    report = tmp_path / "speed.html"
    rows, speeds = report_of(cnn, report)
    chromium.open(report)
    assert chromium.evaluate(COUNT.format("#speed .targets tbody tr")) == 11
    assert chromium.evaluate(COUNT.format("svg.roofline")) == 11
    assert chromium.evaluate(COUNT.format(".uncalibrated")) == sum(not row["calibrated"] for row in rows) == 6
    assert chromium.evaluate(COUNT.format(".dot")) == sum(len(dots_of(speed)) for speed in speeds)
    assert chromium.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size") == (
        chromium.evaluate(COUNT.format("[id]"))
    )
    assert chromium.problems == []


@needs_browser
def test_a_model_without_multiplications_has_its_dots_in_the_lane(tmp_path, chromium):
    report = tmp_path / "speed.html"
    model = one_node(tmp_path / "net.onnx", "MaxPool", [1, 16, 32, 32], kernel_shape=[2, 2], strides=[2, 2])
    _, (speed,) = report_of(model, report, target="rk3588")
    assert [layer["macs"] for layer in dots_of(speed)] == [0]
    chromium.open(report)
    assert chromium.evaluate(COUNT.format(".dot")) == 1
    assert chromium.evaluate(COUNT.format("line.roof")) == 1
    assert "no MACs" in chromium.evaluate(TEXT.format(".roofline"))
    assert "NaN" not in chromium.evaluate("document.querySelector('#speed').innerHTML")
    chromium.hover(".dot")
    assert "multiplies nothing" in chromium.evaluate(TEXT.format("#tip"))
    assert chromium.problems == []


@needs_browser
def test_where_nothing_is_on_the_npu_there_is_a_table_and_no_picture(tmp_path, chromium):
    report = tmp_path / "speed.html"
    _, (speed,) = report_of(one_node(tmp_path / "net.onnx", "Sin", [1, 8, 4, 4]), report, target="rk3588")
    assert speed["roofs"] == []
    assert [layer["place"] for layer in speed["layers"]] == ["CPU"]
    chromium.open(report)
    assert chromium.evaluate(COUNT.format("svg.roofline")) == 0
    assert "No layer is on the NPU" in chromium.evaluate(TEXT.format("#speed .card"))
    assert "on the CPU of RK3588: operator is Sin" in chromium.evaluate(TEXT.format("#speed .speed tbody"))
    assert chromium.problems == []


@needs_browser
def test_the_accuracy_report_has_it_too(tmp_path, chromium):
    model = faulty_models.healthy(tmp_path / "net.onnx")
    built = openrknn.compile(model, dataset=faulty_models.samples(), target="rk3576", precision={"b": "float16"})
    built.analyze(faulty_models.samples(2), report=tmp_path / "report.html")
    (speed,) = speed_of(tmp_path / "report.html")
    (row,) = openrknn.estimate(built)
    assert row["build"] == speed["build"] == "int8 and float16"
    assert (speed["target"], speed["calibrated"]) == ("RK3576", True)
    chromium.open(tmp_path / "report.html")
    timed = [layer for layer in row["layers"] if layer["microseconds"] > 0 and layer["place"] == "NPU"]
    assert chromium.evaluate(COUNT.format(".dot")) == len(timed)
    assert chromium.evaluate(COUNT.format("line.roof")) == 2
    assert chromium.evaluate(COUNT.format("#layers tbody tr.layer")) >= 3
    assert chromium.evaluate(OVERLAPPING) == []
    assert chromium.problems == []


HOSTILE = "</script><img src=x onerror=document.title='broken'><!--<script>"


@needs_browser
def test_names_cannot_break_out(tmp_path, chromium):
    report = tmp_path / "speed.html"
    model = one_node(tmp_path / "net.onnx", "MaxPool", [1, 16, 8, 8], name=HOSTILE, kernel_shape=[2, 2])
    renamed = model.rename(tmp_path / "<img src=x onerror=alert(1)>.onnx")
    report_of(renamed, report, target="rk3588")
    assert report.read_text().count("</script>") == 2
    chromium.open(report)
    assert HOSTILE in chromium.evaluate(TEXT.format("#speed .speed tbody"))
    chromium.hover(".dot")
    assert HOSTILE in chromium.evaluate(TEXT.format("#tip"))
    assert chromium.evaluate(TEXT.format("h1")) == renamed.name
    assert chromium.evaluate(COUNT.format("img")) == 0
    assert "broken" not in chromium.evaluate("document.title")
    assert chromium.problems == []
