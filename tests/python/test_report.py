"""The accuracy report: what it names, that it is one harmless file, and that a browser shows it without complaint."""

import json
import re
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import browser  # noqa: E402
import faulty_models  # noqa: E402
from faulty_models import samples  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402

needs_browser = pytest.mark.skipif(browser.MISSING is not None, reason=str(browser.MISSING))


def data_of(path):
    text = path.read_text()
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1))


def report_of(model, path, dataset=None, evaluation=None, **options):
    built = openrknn.compile(model, dataset=dataset or samples(), **options)
    built.analyze(evaluation or samples(4, seed=9), report=path)
    return data_of(path)


PLANTED = [
    ("outlier_channel", "outlier channel", {}),
    ("mixed_concat", "mixed-range concat", {}),
    ("saturated", "saturated activation", {}),
    ("deep", "accumulated error", {}),
    ("overflowing", "float16 overflow", {"quantize": None}),
]


@pytest.mark.parametrize(("maker", "reason", "options"), PLANTED, ids=[row[0] for row in PLANTED])
def test_a_planted_fault_is_named_and_its_fix_measured(tmp_path, maker, reason, options):
    if options:
        built = openrknn.compile(getattr(faulty_models, maker)(tmp_path / "net.onnx"), **options)
        built.analyze(samples(4, seed=9), report=tmp_path / "report.html")
        found = data_of(tmp_path / "report.html")["findings"]
    else:
        found = report_of(getattr(faulty_models, maker)(tmp_path / "net.onnx"), tmp_path / "report.html")["findings"]
    assert {finding["reason"] for finding in found} == {reason}
    for finding in found:
        assert finding["evidence"]
        assert finding["fix"]
    gains = [
        after - (before if isinstance(before, float) else -20) for before, after in (f["output_db"] for f in found)
    ]
    assert max(gains) > 2


def test_a_healthy_net_has_no_reason(tmp_path):
    for options in ({}, {"algorithm": "auto"}, {"method": "layer"}):
        data = report_of(faulty_models.healthy(tmp_path / "net.onnx"), tmp_path / "report.html", **options)
        assert data["findings"] == data["set"] == [], options
        assert all(output["db"] > 25 for output in data["outputs"])


def test_a_bad_calibration_set_is_noticed_and_named(tmp_path):
    model = faulty_models.healthy(tmp_path / "net.onnx")
    for scale, problem in ((0.2, "ranges too narrow"), (40, "ranges too wide")):
        data = report_of(model, tmp_path / "report.html", dataset=samples(seed=3, scale=scale))
        (finding,) = data["set"]
        assert finding["problem"] == problem
        before, after = finding["output_db"]
        assert after > 2 * before  # such a set halves the SQNR


def test_duplicates_are_warned_of_while_building(tmp_path):
    given = samples()
    given[3] = given[1]
    built = openrknn.compile(faulty_models.healthy(tmp_path / "net.onnx"), dataset=given)
    (warning,) = built.report["warnings"]
    assert "2 samples are equal: sample 1, sample 3" in warning
    built.analyze(given, report=tmp_path / "report.html")
    assert [finding["problem"] for finding in data_of(tmp_path / "report.html")["set"]] == ["duplicate samples"]


def test_equal_inputs_give_equal_bytes(tmp_path):
    model = faulty_models.outlier_channel(tmp_path / "net.onnx")
    for name, threads in (("a", 1), ("b", 2)):
        openrknn.compile(model, dataset=samples()).analyze(samples(3), threads=threads, report=tmp_path / name)
    assert (tmp_path / "a").read_text().replace("<h1", "") == (tmp_path / "b").read_text().replace("<h1", "").replace(
        '"model":"b"', '"model":"a"'
    )


def test_the_command_line_says_and_writes_it(tmp_path):
    model = faulty_models.outlier_channel(tmp_path / "net.onnx")
    for i, sample in enumerate(samples()):
        np.save(tmp_path / f"{i}.npy", sample)
    (tmp_path / "dataset.txt").write_text("".join(f"{i}.npy\n" for i in range(8)))
    command = [*command_line(), "analyze", model, "-t", "rk3588", "--dataset", tmp_path / "dataset.txt", "-q"]

    def call(*more):
        return subprocess.run([*map(str, command), *map(str, more)], capture_output=True, text=True, timeout=300)

    done = call("--report", tmp_path / "report.html")
    assert done.returncode == 0, done.stderr
    assert "outlier channel: channel 5 of 'a' reaches" in done.stdout
    assert data_of(tmp_path / "report.html")["model"] == "net.onnx"
    found = json.loads(call("--diagnose", "--json").stdout)
    assert found["findings"][0]["reason"] == "outlier channel"
    assert found["calibration_set"] == []
    refused = call("--report", tmp_path / "nowhere" / "report.html")
    assert refused.returncode == 1
    assert "nowhere" in refused.stderr
    assert not (tmp_path / "nowhere").exists()


def test_accuracy_analysis_leaves_it_beside_the_table(built, tmp_path, photos):
    np.save(tmp_path / "photo.npy", photos[0].transpose(2, 0, 1)[None].astype(np.float32))
    assert built(quantize=True).accuracy_analysis([str(tmp_path / "photo.npy")], output_dir=str(tmp_path / "out")) == 0
    data = data_of(tmp_path / "out" / "report.html")
    assert data["model"] == "cnn.onnx"
    assert [layer["tensor"] for layer in data["layers"]][-1] == "scores"


def test_a_file_that_was_not_built_here_has_layers_and_no_reasons(tmp_path):
    model = faulty_models.outlier_channel(tmp_path / "net.onnx")
    openrknn.compile(model, dataset=samples(), keep_golden=True).save(tmp_path / "net.rknn")
    openrknn.load(tmp_path / "net.rknn").analyze(samples(2), report=tmp_path / "report.html")
    data = data_of(tmp_path / "report.html")
    assert not data["diagnosed"]
    assert data["findings"] == []
    assert len(data["layers"]) == 5


@pytest.fixture
def chromium(tmp_path):
    with browser.Browser(tmp_path / "profile") as page:
        yield page


COLUMN = "[...document.querySelectorAll('#layers tbody tr.layer')].map((row) => row.cells[{}].textContent)"


@needs_browser
def test_a_browser_shows_it(tmp_path, chromium):
    report_of(faulty_models.outlier_channel(tmp_path / "net.onnx"), tmp_path / "report.html", evaluation=samples(4))
    chromium.open(tmp_path / "report.html")
    assert chromium.evaluate("document.querySelector('#findings .badge').textContent") == "outlier channel"
    assert "channel 5 of 'a'" in chromium.evaluate("document.querySelector('.finding p').textContent")

    in_order = chromium.evaluate(COLUMN.format(0))
    chromium.click("#layers th", 6)  # SQNR of the layers by themselves
    numbers = [float(cell.replace("exact", "inf")) for cell in chromium.evaluate(COLUMN.format(6))]
    assert numbers == sorted(numbers)
    assert chromium.evaluate(COLUMN.format(0)) != in_order
    chromium.click("#layers th", 6)
    again = [float(cell.replace("exact", "inf")) for cell in chromium.evaluate(COLUMN.format(6))]
    assert again == numbers[::-1]
    chromium.click("#layers th", 2)
    names = chromium.evaluate(COLUMN.format(2))
    assert names == sorted(names)

    chromium.click("tr.layer", names.index("b"))
    assert chromium.evaluate("document.querySelectorAll('.detail svg rect').length") > 50
    assert chromium.evaluate("document.querySelectorAll('.detail svg line.clip').length") == 2
    chromium.click("#filter")
    chromium.call("Input.insertText", text="conv c")
    assert chromium.evaluate(COLUMN.format(2)) == ["c"]
    assert chromium.evaluate("document.querySelectorAll('#map .node').length") == 4  # the input and three layers
    chromium.hover("#map .node", 2)
    assert "[Conv] b" in chromium.evaluate("document.querySelector('#tip').textContent")
    chromium.screenshot(tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert chromium.problems == []
    assert [url for url in chromium.requests if not url.startswith(("file:", "data:"))] == []


@pytest.fixture
def searched(tmp_path):
    """A net of layers with different needs, in which a search lifts some: its result and the report of it."""
    nodes, weights = faulty_models.convolutions(*"abcdefghij", channels=8)
    for name, factor in (("c", 20), ("g", 60)):
        weights[f"w_{name}"][2] *= factor
    model = faulty_models.finish(nodes, weights, "j", (1, 8, 16, 16), tmp_path / "net.onnx")
    path = tmp_path / "report.html"
    base = openrknn.search(model, dataset=samples(), target_sqnr=0).chosen["metric"]
    return openrknn.search(model, dataset=samples(), target_sqnr=base + 3, report=path), base + 3, path


def test_a_search_reports_its_curve(searched):
    found, target, path = searched
    data = data_of(path)
    curve = data["search"]
    assert curve["target"] == pytest.approx(target, rel=1e-5)
    assert [point["layers"] for point in curve["points"]] == [point["layers"] for point in found.curve]
    assert [point["metric"] for point in curve["points"]] == pytest.approx([p["metric"] for p in found.curve], rel=1e-5)
    assert curve["points"][curve["chosen"]]["layers"] == found.chosen["layers"] != []
    assert curve["to"] == "float16"
    # The rest is the report of the model that was found.
    assert {layer["tensor"] for layer in data["layers"] if layer.get("dtype") == "float16"} >= {*found.chosen["layers"]}
    assert data["outputs"][0]["db"] > 0


def test_a_model_that_was_not_searched_for_has_no_curve(tmp_path):
    assert report_of(faulty_models.healthy(tmp_path / "net.onnx"), tmp_path / "report.html")["search"] is None


@needs_browser
def test_a_browser_draws_the_curve(searched, tmp_path, chromium):
    found, target, path = searched
    chromium.open(path)
    count = "document.querySelectorAll('#search svg {}').length"
    assert chromium.evaluate(count.format("circle")) == 2 * len(found.curve)
    assert chromium.evaluate(count.format("circle.chosen")) == 2
    assert chromium.evaluate(count.format("line.target")) == 2
    # The chosen point lies on or above the target's line, and what lies below it does not reach it.
    places = chromium.evaluate("""[...document.querySelectorAll('#search svg')].map((svg) => [
      Number(svg.querySelector('line.target').getAttribute('y1')),
      [...svg.querySelectorAll('circle')].map((c) => [Number(c.getAttribute('cx')), Number(c.getAttribute('cy'))])])""")
    for line, circles in places:
        assert circles[-1][1] <= line  # drawn last
        reached = sorted(y <= line for _, y in circles)
        assert reached == sorted(point["metric"] >= target for point in found.curve)
        assert len({x for x, _ in circles}) > 1
    titles = chromium.evaluate(
        "[...document.querySelectorAll('#search circle.chosen title')].map((t) => t.textContent)"
    )
    assert all(found.chosen["layers"][0] in title for title in titles)
    assert f"{len(found.chosen['layers'])} layers" in chromium.evaluate(
        "document.querySelector('#search b').textContent"
    )
    chromium.screenshot(tmp_path / "curve.png")
    assert chromium.problems == []


@needs_browser
def test_a_limit_of_multiplications_is_drawn(tmp_path, chromium):
    nodes, weights = faulty_models.convolutions(*"abcdefghij", channels=8)
    model = faulty_models.finish(nodes, weights, "j", (1, 8, 16, 16), tmp_path / "net.onnx")
    report = tmp_path / "report.html"
    found = openrknn.search(model, dataset=samples(), max_macs=0.3, report=report)
    assert 0 < found.chosen["macs_share"] <= 0.3
    assert (data_of(report)["search"]["target"], data_of(report)["search"]["limit"]) == (None, 0.3)
    chromium.open(report)
    limit, chosen = chromium.evaluate("""(() => {
      const number = (e, key) => Number(document.querySelector(e).getAttribute(key));
      return [number('#search line.limit', 'x1'), number('#search figure:last-child circle.chosen', 'cx')];
    })()""")
    assert chosen <= limit
    assert chromium.evaluate("document.querySelectorAll('#search line.target').length") == 0
    assert chromium.problems == []


@needs_browser
def test_a_metric_may_be_infinite(tmp_path, chromium):
    nodes, weights = faulty_models.convolutions(*"abcdefghij", channels=8)
    model = faulty_models.finish(nodes, weights, "j", (1, 8, 16, 16), tmp_path / "net.onnx")
    tried = iter([-np.inf, np.inf])  # nothing lifted, all lifted
    report = tmp_path / "report.html"
    found = openrknn.search(model, dataset=samples(), metric=lambda _: next(tried, 20), target_metric=10, report=report)
    chromium.open(report)
    titles = chromium.evaluate("[...document.querySelectorAll('#search title')].map((t) => t.textContent)")
    assert len(titles) == 2 * len(found.curve) == 6
    assert {title.split(":")[0] for title in titles} == {"−∞", "20", "∞"}
    assert "SQNR" not in chromium.evaluate("document.querySelector('#search h2').textContent")
    assert chromium.problems == []


HOSTILE = "</script><img src=x onerror=document.title='broken'><!--<script>"


@needs_browser
def test_names_cannot_break_out(tmp_path, chromium):
    model = faulty_models.healthy(tmp_path / "net.onnx", names=("a", HOSTILE, "c\u2028'\"&"))
    report_of(model, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().count("</script>") == 2
    chromium.open(tmp_path / "report.html")
    assert HOSTILE in chromium.evaluate(COLUMN.format(2))
    chromium.click("tr.layer", 3)
    chromium.hover("#map .node", 2)
    assert HOSTILE in chromium.evaluate("document.querySelector('#tip').textContent")
    assert chromium.evaluate("document.querySelectorAll('img').length") == 0
    assert "broken" not in chromium.evaluate("document.title")
    assert chromium.problems == []


@needs_browser
def test_large_graphs_are_drawn_whole(tmp_path, chromium):
    nodes, weights = faulty_models.convolutions(*[f"c{i}" for i in range(300)], channels=4)
    model = faulty_models.finish(nodes, weights, "c299", (1, 4, 16, 16), tmp_path / "net.onnx")
    openrknn.compile(model, quantize=None).analyze(samples(1), report=tmp_path / "report.html")
    chromium.open(tmp_path / "report.html")
    assert chromium.evaluate("document.querySelectorAll('#map .node').length") == 301
    overlapping = """(() => {
      const boxes = [...document.querySelectorAll('#map .node rect')].map((e) => e.getBBox());
      return boxes.some((a, i) => boxes.some((b, j) => i < j && a.x < b.x + b.width && b.x < a.x + a.width &&
                                                       a.y < b.y + b.height && b.y < a.y + a.height));
    })()"""
    assert not chromium.evaluate(overlapping)
    assert chromium.evaluate("document.querySelector('#map').scrollWidth <= document.querySelector('#map').clientWidth")
    assert chromium.problems == []
