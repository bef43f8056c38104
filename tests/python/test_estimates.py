"""Placement and estimates: what `check` and `estimate` say, and that the fitted formula is the one the product computes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402

import openrknn  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import fit_estimates  # noqa: E402
import zoo_networks  # noqa: E402

TARGETS = "rk2118 rk3562 rk3566 rk3568 rk3576 rk3588 rv1103 rv1103b rv1106 rv1106b rv1126b".split()


@pytest.fixture
def openrknn_command(monkeypatch):
    command = os.environ.get("OPENRKNN_COMMAND")
    if not command:
        pytest.skip("OPENRKNN_COMMAND names no command")
    monkeypatch.setenv("OPENRKNN", command)

    def run(*arguments, code=0):
        done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    return run


def one_node(tmp_path, op, shape, **attributes):
    """A model of one node on float32."""
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], name="the_node", **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    path = tmp_path / f"{op}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    return path


def test_check_looks_at_all_targets_and_says_how_many_layers_run_where(openrknn_command, cnn):
    rows = json.loads(openrknn_command("check", cnn, "--json"))["targets"]
    assert [row["target"] for row in rows] == TARGETS
    assert {row["build"] for row in rows} == {"w8a8", "float16"}
    assert all(row["npu"] > 0 and row["impossible"] == 0 for row in rows)


def test_check_names_the_limit_and_exits_with_one_where_a_layer_runs_nowhere(openrknn_command, tmp_path):
    path = one_node(tmp_path, "Sin", [1, 8, 4, 4])
    row = json.loads(openrknn_command("check", path, "-t", "rk3588", "--json"))["targets"][0]
    assert row["layers"][0]["node"] == "the_node"
    assert row["layers"][0]["place"] == "cpu"
    text = openrknn_command("check", path, "-t", "rv1106", code=1)
    assert "not possible: Sin: the_node\n      operator is Sin in" in text


def test_check_names_unknown_targets(openrknn_command, cnn):
    assert "'rk1' is not a target" in openrknn_command("check", cnn, "-t", "rk1", code=1)


def test_a_transpose_that_rk3588_refuses_is_taken_by_rk3576(openrknn_command, tmp_path):
    path = one_node(tmp_path, "Transpose", [1, 64, 256, 200], perm=[0, 1, 3, 2])
    rows = json.loads(openrknn_command("check", path, "-t", "rk3588", "-t", "rk3576", "--json"))["targets"]
    assert [row["cpu"] for row in rows] == [1, 0]
    assert rows[0]["layers"][0]["exceeded"][0]["expected"] == "less than 4096"


@pytest.mark.parametrize("name", ["mobilenetv2", "yolov10n"])
def test_the_fitted_formula_is_the_one_that_is_computed(openrknn_command, tmp_path, name):
    entries = fit_estimates.count(zoo_networks.write(tmp_path, name), fit_estimates.BUS_GBPS)
    for target, entry in entries.items():
        predicted = fit_estimates.predict(fit_estimates.columns(entry), fit_estimates.committed_parameters(target))
        assert predicted / 1e3 == pytest.approx(entry["milliseconds"], rel=1e-6), target


def test_estimates_are_within_what_the_document_says_of_published_rates(openrknn_command, tmp_path):
    from zoo import rates

    entries = fit_estimates.count(zoo_networks.write(tmp_path, "yolov8n"), rates.TARGETS)
    for target, frames in zip(rates.TARGETS, rates.FRAMES_PER_SECOND["yolov8n"], strict=True):
        assert entries[target]["frames_per_second"] == pytest.approx(frames, rel=0.16), target
        assert entries[target]["calibrated"]


def test_uncalibrated_targets_say_so(openrknn_command, cnn):
    lines = openrknn_command("estimate", cnn).splitlines()
    uncalibrated = {line.split()[0] for line in lines if "uncalibrated" in line}
    assert uncalibrated == set(TARGETS) - {"rk3562", "rk3566", "rk3568", "rk3576", "rk3588"}


def test_more_cores_take_no_longer_than_one_per_layer_of_size(openrknn_command, tmp_path):
    path = zoo_networks.write(tmp_path, "resnet50_v2")
    one, three = (
        json.loads(openrknn_command("estimate", path, "-t", "rk3588", "--cores", cores, "--json"))["targets"][0]
        for cores in (1, 3)
    )
    assert three["cores"] == 3
    assert three["milliseconds"] < one["milliseconds"]


def built(rknn, model, dataset, **runtime):
    instance = rknn()
    assert instance.config(target_platform="rk3588", mean_values=[[0, 0, 0]], std_values=[[255, 255, 255]]) == 0
    assert instance.load_onnx(str(model)) == 0
    assert instance.build(do_quantization=True, dataset=str(dataset)) == 0
    assert instance.init_runtime(**runtime) == 0
    return instance


@pytest.mark.proves("init_runtime.perf_debug", "eval_perf.is_print")
def test_eval_perf_gives_total_time_or_a_table_of_layers_and_calls_both_estimates(rknn, cnn, dataset, capsys):
    text = built(rknn, cnn, dataset).eval_perf(is_print=False)
    assert text.startswith("Estimated for RK3588, not measured.")
    assert "Total Time(us): " in text and "FPS: " in text
    assert capsys.readouterr().out == ""
    table = built(rknn, cnn, dataset, perf_debug=True).eval_perf()
    assert "Network Layer Information Table" in table and "Operator Time Consuming Ranking Table" in table
    assert "WorkLoad(0/1/2)" in table and "100.0%/0.0%/0.0%" in table
    assert capsys.readouterr().out == table + "\n"


@pytest.mark.proves("eval_perf.fix_freq")
def test_fix_freq_is_taken_and_changes_no_estimate(rknn, cnn, dataset):
    instance = built(rknn, cnn, dataset)
    assert instance.eval_perf(is_print=False, fix_freq=False) == instance.eval_perf(is_print=False, fix_freq=True)


@pytest.mark.proves("init_runtime.eval_mem", "eval_memory.is_print")
def test_eval_memory_gives_bytes_under_both_documented_names(rknn, cnn, dataset, capsys):
    instance = built(rknn, cnn, dataset, eval_mem=True)
    sizes = instance.eval_memory()
    assert sizes["total_memory"] == sizes["total_model_allocation"]
    assert sizes["total_memory"] == sizes["weight_memory"] + sizes["internal_memory"] + sizes["other_memory"]
    assert all(size > 0 for size in sizes.values())
    printed = capsys.readouterr().out
    assert "Memory Profile Info Dump (estimate)" in printed and "Total Memory: " in printed
    assert instance.eval_memory(is_print=False) == sizes
    assert capsys.readouterr().out == ""


@pytest.mark.proves("init_runtime.eval_mem")
def test_eval_memory_asks_for_eval_mem_and_both_for_init_runtime(rknn, cnn, dataset):
    with pytest.raises(ValueError, match="init_runtime.eval_mem=True"):
        built(rknn, cnn, dataset).eval_memory()
    with pytest.raises(ValueError, match="please call init_runtime first"):
        rknn().eval_perf()


@pytest.mark.proves("init_runtime.perf_debug")
def test_layers_are_not_timed_where_the_platform_times_none(rknn, cnn, capfd):
    instance = rknn()
    instance.config(target_platform="rv1106")
    instance.load_onnx(str(cnn))
    dataset = cnn.parent / "one.txt"
    np.save(cnn.parent / "one.npy", np.zeros((1, 3, 16, 16), np.float32))
    dataset.write_text("one.npy\n")
    assert instance.build(dataset=str(dataset)) == 0
    assert instance.init_runtime(perf_debug=True) == -1
    assert "perf_debug=True: the runtime of RV1106 times no layers" in capfd.readouterr().err


@pytest.mark.proves("init_runtime.async_mode", "init_runtime.fallback_prior_device")
def test_asynchronous_runs_and_the_gpu_warn_and_go_on(rknn, cnn, dataset, capfd):
    instance = built(rknn, cnn, dataset, async_mode=True, fallback_prior_device="gpu")
    told = capfd.readouterr().err
    assert "async_mode=True is not supported by the toolkit" in told
    assert "there are no GPU kernels, the CPU is used" in told
    assert instance.init_runtime(fallback_prior_device="tpu") == -1
    assert "fallback_prior_device: got 'tpu', expected 'cpu' or 'gpu'" in capfd.readouterr().err


def test_the_native_api_gives_what_the_commands_print(openrknn_command, cnn):
    assert openrknn.check(cnn) == json.loads(openrknn_command("check", cnn, "--json"))["targets"]
    printed = json.loads(openrknn_command("estimate", cnn, "-t", "rk3588", "--cores", "2", "--json"))["targets"]
    assert openrknn.estimate(cnn, target="rk3588", cores=2) == printed
    model = openrknn.compile(cnn, quantize=None, target="rk3576")
    assert openrknn.estimate(model)[0]["target"] == "rk3576"
    with pytest.raises(openrknn.Error, match="quantize: 'w2a2' is not known"):
        openrknn.check(cnn, quantize="w2a2")
