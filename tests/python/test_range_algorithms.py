"""quantized_algorithm: every way of finding ranges, from the option to what the model computes."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402

ALGORITHMS = ["normal", "kl_divergence", "mmse", "percentile", "auto"]
MEAN, STD = [120, 110, 100], [60, 50, 40]


def photos(count=6):
    return [small_models.photo(16, 16, seed).transpose(2, 0, 1)[None] for seed in range(count)]


def compile_cnn(cnn, algorithm, **more):
    options = {"mean": MEAN, "std": STD, "dataset": photos()} | more
    return openrknn.compile(openrknn.import_model(cnn), algorithm=algorithm, **options)


def noise_ratio(wanted, got):
    wanted, got = np.ravel(wanted).astype(np.float64), np.ravel(got).astype(np.float64)
    return 10 * np.log10((wanted**2).sum() / max(((wanted - got) ** 2).sum(), 1e-30))


def saved(model, path):
    model.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_build_does_not_depend_on_threads_or_order(cnn, algorithm, tmp_path):
    one = saved(compile_cnn(cnn, algorithm, threads=1), tmp_path / "one.rknn")
    assert saved(compile_cnn(cnn, algorithm, threads=3), tmp_path / "three.rknn") == one
    assert saved(compile_cnn(cnn, algorithm, dataset=photos()[::-1]), tmp_path / "reversed.rknn") == one


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_model_stays_close_to_float(cnn, algorithm):
    x = photos()[0]
    mean, std = (np.float32(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    wanted = openrknn.import_model(cnn).run({"image": (x - mean) / std})
    for exact, got in zip(wanted, compile_cnn(cnn, algorithm).run({"image": x}), strict=True):
        assert noise_ratio(exact, got) > 15


@pytest.mark.parametrize("algorithm", ["kl_divergence", "mmse"])
def test_each_algorithm_has_ranges_of_its_own(cnn, algorithm, tmp_path):
    files = [saved(compile_cnn(cnn, name), tmp_path / f"{name}.rknn") for name in ("normal", algorithm)]
    assert files[0] != files[1]


@pytest.mark.proves("config.quantized_algorithm")
@pytest.mark.parametrize("algorithm", ["kl_divergence", "mmse"])
def test_rknn_api_builds_with_it(rknn, cnn, algorithm, tmp_path):
    listing = tmp_path / "dataset.txt"
    for i, photo in enumerate(photos()):
        np.save(tmp_path / f"{i}.npy", photo)
    listing.write_text("".join(f"{i}.npy\n" for i in range(len(photos()))))
    each = rknn()
    assert each.config(mean_values=MEAN, std_values=STD, quantized_algorithm=algorithm, target_platform="rk3588") == 0
    assert each.load_onnx(str(cnn)) == 0
    assert each.build(do_quantization=True, dataset=str(listing)) == 0
    assert each.export_rknn(str(tmp_path / "net.rknn")) == 0
    wanted = compile_cnn(cnn, algorithm, dataset=str(listing)).run({"image": photos()[1]})
    for got, want in zip(openrknn.load(tmp_path / "net.rknn").run({"image": photos()[1]}), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("algorithm", ["kl_divergence", "percentile"])
@pytest.mark.parametrize("scheme", ["w8a16", "w4a16"])
def test_ranges_of_activations_are_refused_where_these_are_float(rknn, algorithm, scheme):
    with pytest.raises(ValueError, match=f"{algorithm}.*chooses ranges of activations.*{scheme}.*'mmse'"):
        rknn().config(target_platform="rk3562", quantized_dtype=scheme, quantized_algorithm=algorithm)


@pytest.mark.proves("config.quantized_algorithm")
def test_an_unknown_algorithm_is_told_the_list(rknn):
    with pytest.raises(ValueError, match="Invalid quantized_algorithm 'best', expect in .*'mmse', 'kl_divergence'"):
        rknn().config(target_platform="rk3588", quantized_algorithm="best")
