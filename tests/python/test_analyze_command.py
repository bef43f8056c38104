"""openrknn analyze: the table and its JSON, of a model file and of a .rknn with its golden model."""

import json
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from analysis_models import rows_of  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402

NORMALIZED = ["--mean-values", [127] * 3, "--std-values", [128] * 3]


def call(*arguments, **options):
    command = [*command_line(), "analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def succeed(*arguments, **options):
    done = call(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done


def test_table_and_json_say_what_python_says(cnn, dataset):
    arguments = [cnn, "-t", "rk3576", "--dataset", dataset, *NORMALIZED]
    wanted = openrknn.compile(cnn, target="rk3576", dataset=dataset, mean=[127] * 3, std=[128] * 3).analyze(dataset)
    found = json.loads(succeed(*arguments, "--json").stdout)
    assert found["samples"] == 4
    assert found["not_finite"] is found["golden_not_finite"] is None
    for layer, row in zip(found["layers"], wanted, strict=True):
        assert (layer["op"], layer["tensor"]) == (row["op"], row["tensor"])
        if row["dtype"] is None:
            assert set(layer) == {"op", "tensor"}
            continue
        assert layer["dtype"] == row["dtype"]
        for kind in ("entire", "single"):
            for error, number in layer[kind].items():
                if number is not None:  # infinity is null
                    assert number == pytest.approx(row[f"{kind}_{error}"])
    done = succeed(*arguments)
    assert "analyze: " in done.stderr
    for (op, tensor, numbers), row in zip(rows_of(done.stdout), wanted, strict=True):
        assert (op, tensor) == (row["op"], row["tensor"])
        if numbers is not None:
            assert numbers[0] == pytest.approx(row["entire_cosine"], abs=1e-5)
            assert numbers[2] == pytest.approx(row["single_cosine"], abs=1e-5)


def test_samples_may_be_others_and_fewer(cnn, dataset, tmp_path):
    (tmp_path / "other.txt").write_text("samples/2.npy\nsamples/3.npy\n")
    arguments = [cnn, "-t", "rk3588", "--dataset", dataset, "--json", "-q"]
    assert json.loads(succeed(*arguments, "--count", 3).stdout)["samples"] == 3
    assert json.loads(succeed(*arguments, "--count", 30).stdout)["samples"] == 4
    assert json.loads(succeed(*arguments, "--samples", tmp_path / "other.txt").stdout)["samples"] == 2
    (tmp_path / "options.yml").write_text(f"target_platform: rk3588\ndataset: {dataset}\n")
    assert json.loads(succeed(cnn, "--config", tmp_path / "options.yml", "--json", "-q").stdout)["samples"] == 4


def test_float_builds_and_files(cnn, dataset, tmp_path):
    done = succeed(cnn, "-t", "rk3588", "--float", "--dataset", dataset, "-o", tmp_path / "out")
    assert "dataset" not in done.stderr  # used, not ignored
    assert (tmp_path / "out" / "error_analysis.txt").read_text() == done.stdout
    assert np.load(tmp_path / "out" / "golden" / "npy" / "scores.npy").shape == (1, 10)


def test_a_rknn_file_with_its_golden_model(cnn, cnn_rknn, dataset, tmp_path):
    openrknn.compile(cnn, dataset=dataset, keep_golden=True).save(tmp_path / "kept.rknn")
    built = succeed(cnn, "-t", "rk3588", "--dataset", dataset, "-q")
    assert succeed(tmp_path / "kept.rknn", "--samples", dataset, "-q").stdout == built.stdout
    refused = call(cnn_rknn, "--samples", dataset)
    assert refused.returncode == 1
    assert "holds no golden model" in refused.stderr


def test_it_refuses_with_one_and_wrong_usage_with_two(cnn, dataset, tmp_path):
    for arguments, mention in (
        ([cnn, "-t", "rk3588", "--float"], "give --samples FILE"),
        ([cnn, "-t", "rk3588", "--dataset", dataset, "--samples", "nowhere.txt"], "nowhere.txt"),
        (["nowhere.onnx", "--samples", dataset, "--float"], "nowhere.onnx"),
    ):
        done = call(*arguments)
        assert done.returncode == 1
        assert mention in done.stderr
        assert done.stdout == ""
    assert call(cnn, "--count", -1).returncode == 2
    assert call().returncode == 2
