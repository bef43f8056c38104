"""Model.analyze: the layers of a built model as rows."""

import math

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import analysis_models  # noqa: E402
import small_models  # noqa: E402

import openrknn  # noqa: E402

KEYS = {
    *("op", "tensor", "dtype", "clipped", "golden_not_finite", "not_finite", "worst_sample"),
    *(f"{kind}_{error}" for kind in ("entire", "single") for error in ("cosine", "euclidean", "sqnr_db", "max_error")),
}


def samples(count=3, shape=(1, 6, 12, 12), seed=0):
    random = np.random.default_rng(seed)
    return [random.uniform(-1, 1, shape).astype(np.float32) for _ in range(count)]


def chain(tmp_path, **options):
    return small_models.save(analysis_models.chain(**options), tmp_path / "chain.onnx")


def test_rows_have_every_figure(tmp_path):
    model = openrknn.compile(chain(tmp_path), dataset=samples())
    rows = model.analyze(samples())
    assert [row["tensor"] for row in rows] == ["x", "x_int8", "c0", "c1", "c2", "y"]
    assert all(set(row) == KEYS for row in rows)
    for row in rows[1:]:
        assert row["dtype"] == "int8"
        assert 0.99 < row["single_cosine"] <= 1
        assert 30 < row["single_sqnr_db"] < 60
        assert 0 < row["single_max_error"] <= row["single_euclidean"]
        assert row["golden_not_finite"] == row["not_finite"] == 0
    assert rows[0]["dtype"] == "float32"
    assert math.isinf(rows[0]["entire_sqnr_db"])


def test_entire_figures_are_those_of_whole_runs(tmp_path):
    path = chain(tmp_path)
    given = samples(seed=4)
    model = openrknn.compile(path, dataset=given)
    wanted = np.concatenate([openrknn.import_model(path).run([x])[0].ravel() for x in given]).astype(np.float64)
    got = np.concatenate([model.run([x])[0].ravel() for x in given]).astype(np.float64)
    row = model.analyze(given)[-1]
    assert row["tensor"] == "y"
    assert row["entire_euclidean"] == pytest.approx(np.linalg.norm(wanted - got), rel=1e-4)
    assert row["entire_max_error"] == pytest.approx(np.abs(wanted - got).max(), rel=1e-4)
    assert row["entire_sqnr_db"] == pytest.approx(
        10 * np.log10((wanted**2).sum() / ((wanted - got) ** 2).sum()), abs=1e-3
    )


def test_what_saturates_is_counted_and_the_sample_named(tmp_path):
    model = openrknn.compile(chain(tmp_path), dataset=samples())
    ordinary, loud = samples(2, seed=9)
    rows = {row["tensor"]: row for row in model.analyze([ordinary, loud * 4, ordinary])}
    assert rows["x_int8"]["clipped"] == pytest.approx(np.mean(np.abs(loud * 4) > 1) / 3, abs=0.01)
    assert rows["x_int8"]["worst_sample"] == 1
    assert model.analyze([ordinary])[1]["clipped"] < 0.01


def test_layers_that_were_fused_away_are_none(cnn, dataset):
    rows = openrknn.compile(cnn, dataset=dataset).analyze(dataset)
    (blank,) = [row for row in rows if row["tensor"] == "conv"]
    assert {key for key, value in blank.items() if value is not None} == {"op", "tensor"}


def test_dataset_files_and_arrays_are_one(cnn, dataset, photos):
    model = openrknn.compile(cnn, dataset=dataset, mean=[127] * 3, std=[128] * 3)
    arrays = [photo.transpose(2, 0, 1)[None] for photo in photos]
    from_file = model.analyze(dataset)
    assert model.analyze(arrays) == from_file
    assert model.analyze([{"image": array} for array in arrays]) == from_file
    assert model.analyze(str(dataset), threads=1) == from_file


def test_a_kept_golden_model_serves_after_loading(cnn, dataset, tmp_path):
    model = openrknn.compile(cnn, dataset=dataset, keep_golden=True)
    model.save(tmp_path / "kept.rknn")
    assert openrknn.load(tmp_path / "kept.rknn").analyze(dataset) == model.analyze(dataset)


def test_every_build_can_be_analyzed(tmp_path):
    path = chain(tmp_path)
    builds = [
        ({"target": "rv1106", "quantize": "w16a16i"}, 70),
        ({"target": "rk3562", "quantize": "w8a16"}, 40),
        ({"target": "rk3576", "quantize": "w4a16"}, 12),
        ({"quantize": None}, 60),
        ({"batch": 2, "remove_weight": True}, 30),
    ]
    for options, least in builds:
        rows = openrknn.compile(path, dataset=samples(), **options).analyze(samples(1))
        for row in rows:
            assert row["single_sqnr_db"] > least, (options, row)
        assert not math.isinf(rows[-1]["single_sqnr_db"])


def test_several_shape_sets_are_analyzed_at_the_largest(cnn):
    sets = [[[1, 3, 16, 16]], [[1, 3, 24, 32]]]
    random = np.random.default_rng(2)
    large = [random.random((1, 3, 24, 32), np.float32)]
    model = openrknn.compile(cnn, dataset=large, dynamic_input=sets)
    assert {row["tensor"] for row in model.analyze(large)} >= {"relu", "scores"}


@pytest.mark.parametrize(
    ("given", "mentions"),
    [
        ([], ["E0306", "the dataset has no samples"]),
        ("nowhere.txt", ["E0301", "nowhere.txt"]),
        ([np.zeros((1, 3, 16, 16)), np.zeros((1, 3, 8, 8))], ["E0305", "sample 1", "[1, 3, 8, 8]"]),
        ([np.full((1, 3, 16, 16), np.nan)], ["E0307", "sample 0"]),
        ([[np.zeros((1, 3, 16, 16))] * 2], ["E0305"]),
        ([{"picture": np.zeros((1, 3, 16, 16))}], ["picture"]),
    ],
    ids=str,
)
def test_samples_that_do_not_fit(cnn, given, mentions):
    model = openrknn.compile(cnn, quantize=None)
    with pytest.raises(openrknn.Error) as caught:
        model.analyze(given)
    for mention in mentions:
        assert mention in str(caught.value)


def test_samples_must_be_something_to_go_through(cnn):
    with pytest.raises(TypeError):
        openrknn.compile(cnn, quantize=None).analyze(5)


def test_a_file_without_its_golden_model_says_so(cnn_rknn):
    with pytest.raises(openrknn.Error, match="holds no golden model.*--keep-golden") as caught:
        openrknn.load(cnn_rknn).analyze([np.zeros((1, 3, 16, 16))])
    assert caught.value.code == "E0705"
