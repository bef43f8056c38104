"""openrknn.search and the verb search: the fewest layers lifted that reach a target."""

import json
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from small_models import constant, value  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402

LAYERS = 12


@pytest.fixture
def net(tmp_path):
    """Twelve convolutions of 1x1 and 3x3; two of them have weights that one scale serves badly."""
    random = np.random.default_rng(1)
    nodes, initializers, last = [], [], "x"
    for i in range(LAYERS):
        kernel = 3 if i % 3 == 0 else 1
        weights = random.standard_normal((6, 6, kernel, kernel)) / (2.2 * kernel)
        if i in (4, 7):
            weights[:, 0] *= 30
            weights[0] /= 30
        initializers.append(constant(f"w{i}", weights.astype(np.float32)))
        nodes.append(helper.make_node("Conv", [last, f"w{i}"], [f"c{i}"], name=f"n{i}", pads=[kernel // 2] * 4))
        last = f"c{i}"
    shape = [1, 6, 10, 10]
    model = small_models.model(nodes, [value("x", shape)], [value(last, shape)], initializers)
    return small_models.save(model, tmp_path / "net.onnx")


def samples(count=4):
    random = np.random.default_rng(2)
    return [random.standard_normal((1, 6, 10, 10)).astype(np.float32) for _ in range(count)]


def sqnr(model, graph):
    wanted = np.concatenate([graph.run(x)[0].ravel() for x in samples()]).astype(float)
    got = np.concatenate([model.run(x)[0].ravel() for x in samples()]).astype(float)
    return 10 * np.log10((wanted**2).sum() / ((wanted - got) ** 2).sum())


def test_the_model_reaches_what_was_asked_and_the_search_says_so(net):
    graph = openrknn.import_model(net)
    base = sqnr(openrknn.compile(graph, target="rk3588", dataset=samples()), graph)
    model, chosen, curve = openrknn.search(graph, dataset=samples(), target_sqnr=base + 5)
    assert sqnr(model, graph) == pytest.approx(chosen["metric"], abs=1e-3)
    assert chosen["metric"] >= base + 5
    assert 0 < len(chosen["layers"]) < LAYERS
    assert 0 < chosen["macs_share"] < 1
    assert curve[0]["layers"] == []
    assert curve[0]["metric"] == pytest.approx(base, abs=1e-3)
    assert chosen in curve
    lifted = {row["node"] for row in model.report["precision"] if row["dtype"] == "float16"}
    assert lifted == {layer.replace("c", "n") for layer in chosen["layers"]}
    again = openrknn.search(graph, dataset=samples(), target_sqnr=base + 5, threads=1)
    assert again.chosen == chosen
    assert again.model.to_bytes() == model.to_bytes()


def test_nothing_is_lifted_where_int8_is_enough(net):
    assert openrknn.search(net, dataset=samples(), target_sqnr=1).chosen["layers"] == []


def test_corrections_come_before_lifting(net):
    options = {"equalize": True, "rounding": "adaptive", "bias_correction": True, "algorithm": "auto"}
    corrected = openrknn.compile(net, dataset=samples(), **options)
    found = openrknn.search(net, dataset=samples(), target_sqnr=5, **options)
    assert found.chosen["layers"] == []
    assert found.model.to_bytes() == corrected.to_bytes()
    assert corrected.to_bytes() != openrknn.compile(net, dataset=samples()).to_bytes()


def test_budget_and_type(net):
    graph = openrknn.import_model(net)
    base = sqnr(openrknn.compile(graph, target="rk3588", dataset=samples()), graph)
    ops = openrknn.search(graph, dataset=samples(), target_sqnr=base + 5, budget="ops", lift="int16").chosen
    macs = openrknn.search(graph, dataset=samples(), target_sqnr=base + 5, budget="macs", lift="int16").chosen
    assert len(ops["layers"]) <= len(macs["layers"])
    assert macs["macs_share"] <= ops["macs_share"]


def test_a_metric_of_ones_own(net):
    graph = openrknn.import_model(net)
    wanted = [graph.run(x)[0] for x in samples(2)]
    seen = []

    def agreement(outputs):
        seen.append(len(outputs))
        return -max(np.abs(got[0] - want).max() for got, want in zip(outputs, wanted, strict=True))

    base = openrknn.search(graph, dataset=samples(), metric=agreement, target_metric=-1e9, samples=2).chosen["metric"]
    found = openrknn.search(graph, dataset=samples(), metric=agreement, target_metric=base / 2, samples=2).chosen
    assert found["metric"] >= base / 2
    assert set(seen) == {2}


def test_what_a_metric_raises_comes_through(net):
    def broken(outputs):
        raise KeyError("no such score")

    with pytest.raises(KeyError, match="no such score"):
        openrknn.search(net, dataset=samples(), metric=broken, target_metric=0)


def test_a_target_out_of_reach_names_the_best(net):
    with pytest.raises(openrknn.Error, match=r"the target of 300 cannot be reached.*the best is \d+"):
        openrknn.search(net, dataset=samples(), target_sqnr=300)


def test_within_a_limit_of_multiplications_the_outputs_are_as_good_as_it_allows(net):
    graph = openrknn.import_model(net)
    base = sqnr(openrknn.compile(graph, target="rk3588", dataset=samples()), graph)
    reached = []
    for share in (0.1, 0.4, 0.9):
        found = openrknn.search(graph, dataset=samples(), max_macs=share)
        assert found.chosen["macs_share"] <= share
        assert sqnr(found.model, graph) == pytest.approx(found.chosen["metric"], abs=1e-3)
        reached.append(found.chosen["metric"])
    assert base < reached[0] < reached[1] < reached[2]
    with pytest.raises(openrknn.Error, match=r"with at most 10 % of the multiplications: the best is \d+"):
        openrknn.search(graph, dataset=samples(), max_macs=0.1, target_sqnr=reached[0] + 5)


def test_biases_that_will_be_corrected_are_not_what_is_searched_for(net):
    """The metric of trials is near that of the build, whose biases are corrected."""
    graph = openrknn.import_model(net)
    found = openrknn.search(graph, dataset=samples(), max_macs=0.4, bias_correction=True)
    plain = openrknn.search(graph, dataset=samples(), max_macs=0.4)
    assert abs(sqnr(found.model, graph) - found.chosen["metric"]) < 1
    assert found.curve[0]["metric"] > plain.curve[0]["metric"]


def test_wrong_arguments(net):
    for options in ({}, {"metric": len}, {"target_sqnr": 1, "target_metric": 2}, {"target_sqnr": 1, "budget": "time"}):
        with pytest.raises(ValueError, match="search"):
            openrknn.search(net, dataset=samples(), **options)
    for share in (0, -1, 1.5, float("nan")):
        with pytest.raises(openrknn.Error, match="max_macs is a share"):
            openrknn.search(net, dataset=samples(), target_sqnr=1, max_macs=share)


def test_command_line(net, tmp_path):
    for i, sample in enumerate(samples()):
        np.save(tmp_path / f"{i}.npy", sample)
    dataset = tmp_path / "dataset.txt"
    dataset.write_text("".join(f"{i}.npy\n" for i in range(4)))
    graph = openrknn.import_model(net)
    base = sqnr(openrknn.compile(graph, target="rk3588", dataset=samples()), graph)
    wanted = openrknn.search(graph, dataset=dataset, target_sqnr=base + 5)
    command = [*command_line(), "search", net, "-t", "rk3588", "--dataset", dataset, "--target-sqnr", str(base + 5)]
    done = subprocess.run(
        [*command, "-o", tmp_path / "out.rknn", "--json", "-q"], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["chosen"]["layers"] == wanted.chosen["layers"]
    assert len(found["curve"]) == len(wanted.curve)
    assert (tmp_path / "out.rknn").read_bytes() == wanted.model.to_bytes()
    table = subprocess.run([*command, "-q"], capture_output=True, text=True, check=True).stdout
    assert "<- chosen" in table
    limited = subprocess.run(
        [*command[:-2], "--max-macs", "0.2", "--json", "-q"], capture_output=True, text=True, check=True
    )
    assert 0 < json.loads(limited.stdout)["chosen"]["macs_share"] <= 0.2
    nothing = subprocess.run(command[:-2], capture_output=True, text=True)
    assert nothing.returncode == 1
    assert "neither a target nor a limit" in nothing.stderr
    refused = subprocess.run([*command, "--float"], capture_output=True, text=True)
    assert refused.returncode == 1
    assert "does not go with a search" in refused.stderr
