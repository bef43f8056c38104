"""Corrections by data: bias_correction, rounding, gdq, quantize_weight and --preset, from the option to the numbers."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import onnx  # noqa: E402
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from test_cli import call, succeed  # noqa: E402

import openrknn  # noqa: E402

W4 = {"quantize": "w4a16", "target": "rk3576"}
W8 = {"quantize": "w8a8", "target": "rk3588"}


def pictures(count, first=0):
    return [small_models.photo(16, 16, seed).transpose(2, 0, 1)[None] for seed in range(first, first + count)]


def build(model, **options):
    return openrknn.compile(model, **{"mean": [120] * 3, "std": [60] * 3, "dataset": pictures(12)} | options)


def noise(model, **options):
    """Squared error of both outputs over pictures that were not calibrated with."""
    graph = openrknn.import_model(model)
    built = build(graph, **options)
    total = 0
    for picture in pictures(6, first=50):
        exact = graph.run({"image": ((picture - np.float32(120)) / np.float32(60)).astype(np.float32)})
        for a, b in zip(exact, built.run({"image": picture}), strict=True):
            total += ((a.astype(np.float64) - b) ** 2).sum() / (a.astype(np.float64) ** 2).sum()
    return total


@pytest.mark.proves("config.bias_correction", "config.rounding")
@pytest.mark.parametrize(
    "correction", [{"bias_correction": True}, {"rounding": "adaptive"}, {"algorithm": "gdq"}], ids=str
)
def test_four_bit_weights_lose_less(cnn, correction):
    assert noise(cnn, **W4, **correction) < 0.75 * noise(cnn, **W4)


def test_int8_loses_less_with_both(cnn):
    options = {**W8, "method": "layer"}  # one scale a layer: weights matter beside activations
    assert noise(cnn, **options, bias_correction=True, rounding="adaptive") < 0.95 * noise(cnn, **options)


@pytest.mark.parametrize(
    "options",
    [
        {**W8, "rounding": "adaptive", "bias_correction": True},
        {**W4, "algorithm": "gdq", "bias_correction": True, "method": "group32"},
    ],
    ids=["w8a8", "w4a16"],
)
def test_a_build_does_not_depend_on_threads_or_order(cnn, options):
    one = build(cnn, **options, threads=1).to_bytes()
    assert build(cnn, **options, threads=3).to_bytes() == one
    assert build(cnn, **options, dataset=pictures(12)[::-1]).to_bytes() == one


def test_nothing_changes_by_default(cnn):
    assert build(cnn, bias_correction=False, rounding="nearest").to_bytes() == build(cnn).to_bytes()


def test_every_set_of_shapes_has_the_corrected_weights(tmp_path):
    made = small_models.cnn()
    for each in (*made.graph.input, *made.graph.output):
        for extent in each.type.tensor_type.shape.dim[2:]:
            extent.ClearField("dim_value")
            extent.dim_param = "n"
    made.graph.output[1].type.tensor_type.shape.Clear()
    model = small_models.save(made, tmp_path / "any.onnx")
    sets = [[[1, 3, 16, 16]], [[1, 3, 8, 8]]]
    options = {**W8, "dynamic_input": sets, "rounding": "adaptive", "bias_correction": True}
    graph = openrknn.import_model(model, input_shapes=sets[0])
    small = openrknn.import_model(model, input_shapes=sets[1])
    built = build(graph, **options)
    picture = pictures(1, first=60)[0][:, :, :8, :8]
    exact = small.run({"image": ((picture - np.float32(120)) / np.float32(60)).astype(np.float32)})
    for a, b in zip(exact, built.run({"image": picture}), strict=True):
        assert ((a - b) ** 2).sum() < 0.01 * (a**2).sum()
    plain = build(graph, **W8, dynamic_input=sets)
    assert len(built.to_bytes()) < 1.1 * len(plain.to_bytes()), "the sets share their weights"


# ---- options


@pytest.mark.parametrize("scheme", ["w8a8", "w16a16i"])
def test_gdq_goes_with_weights_alone(rknn, scheme):
    with pytest.raises(ValueError, match=f"'gdq' goes with quantized_dtype='w4a16' or 'w8a16', got '{scheme}'"):
        rknn().config(target_platform="rk3576", quantized_dtype=scheme, quantized_algorithm="gdq")


def test_adaptive_rounding_is_for_few_bits(rknn):
    with pytest.raises(ValueError, match=r"rounding='adaptive' goes with weights of 8 and 4 bits, got 'w16a16i'"):
        rknn().config(target_platform="rv1106", quantized_dtype="w16a16i", rounding="adaptive")


def test_two_ways_to_choose_codes_are_one_too_many(rknn):
    with pytest.raises(ValueError, match="both choose codes"):
        rknn().config(target_platform="rk3576", quantized_dtype="w4a16", quantized_algorithm="gdq", rounding="adaptive")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rounding": "best"}, r"Invalid rounding 'best', expect in \['nearest', 'adaptive'\]"),
        ({"bias_correction": "yes"}, "bias_correction.*expected True or False"),
        ({"quantize_weight": 3}, "quantize_weight.*expected True or False"),
    ],
    ids=str,
)
def test_bad_values_are_named(rknn, options, says):
    with pytest.raises(ValueError, match=says):
        rknn().config(target_platform="rk3588", **options)


@pytest.mark.parametrize(
    "correction", [{"bias_correction": True}, {"rounding": "adaptive"}, {"quantized_algorithm": "gdq"}], ids=str
)
def test_weights_alone_need_a_dataset_for_corrections(rknn, cnn, correction, capfd):
    each = rknn()
    each.config(target_platform="rk3576", quantized_dtype="w4a16", **correction)
    each.load_onnx(str(cnn))
    assert each.build() == -1
    assert "gdq' need a dataset, got None" in capfd.readouterr().err
    with pytest.raises(openrknn.Error, match="gdq do, and none were given"):
        native = {key.replace("quantized_", ""): value for key, value in correction.items()}
        openrknn.compile(cnn, **W4, **native)


def test_few_samples_for_gdq_are_a_warning(rknn, cnn, dataset, capfd):
    each = rknn()
    each.config(target_platform="rk3576", quantized_dtype="w4a16", quantized_algorithm="gdq")
    each.load_onnx(str(cnn))
    assert each.build(dataset=str(dataset)) == 0
    assert "W build: gdq has 4 samples, 200 or more are recommended!" in capfd.readouterr().err


# ---- presets


def test_the_accurate_preset_is_its_options(cnn, dataset, tmp_path):
    def convert(*options):
        succeed("convert", cnn, "--dataset", dataset, "-o", tmp_path / "out.rknn", *options)
        return (tmp_path / "out.rknn").read_bytes()

    accurate = convert("-t", "rk3588", "--preset", "accurate")
    spelled = ("--quantized-algorithm", "auto", "--rounding", "adaptive", "--equalize", "True")
    spelled += ("--bias-correction", "True", "--split-concat", "True", "--migrate-scales", "True")
    assert accurate == convert("-t", "rk3588", *spelled)
    assert accurate != convert("-t", "rk3588")
    four = ("-t", "rk3576", "--quantized-dtype", "w4a16")
    assert convert(*four, "--preset", "accurate") == convert(
        *four,
        "--quantized-algorithm",
        "gdq",
        "--bias-correction",
        "True",
        "--equalize",
        "True",
        "--rescue-float16",
        "True",
    )


def test_what_is_given_beats_the_preset(cnn, dataset, tmp_path):
    def convert(*options):
        succeed("convert", cnn, "-t", "rk3588", "--dataset", dataset, "-o", tmp_path / "out.rknn", *options)
        return (tmp_path / "out.rknn").read_bytes()

    plain = ("--quantized-algorithm", "normal", "--rounding", "nearest", "--bias-correction", "False")
    plain += ("--equalize", "False")
    assert convert("--preset", "accurate", *plain) == convert()


def test_an_unknown_preset_is_told_the_list(cnn, tmp_path):
    done = call("convert", cnn, "-t", "rk3588", "--float", "--preset", "best", "-o", tmp_path / "out.rknn")
    assert done.returncode == 1
    assert "--preset: got 'best', expected one of: accurate" in done.stderr
    assert not (tmp_path / "out.rknn").exists()


# ---- quantize_weight


WEIGHTS = 128 * 1024  # of each matrix


def wide(tmp_path, spread):
    """Two matrices; in each column of the second the first number is `spread` times as large as the others."""
    random = np.random.default_rng(0)
    first = random.standard_normal((128, 1024)).astype(np.float32) / 11
    second = random.standard_normal((1024, 128)).astype(np.float32) / 32
    second[0] *= spread
    made = small_models.model(
        [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("MatMul", ["h", "b"], ["y"])],
        [small_models.value("x", [4, 128])],
        [small_models.value("y", [4, 128])],
        [small_models.constant("a", first), small_models.constant("b", second)],
    )
    onnx.checker.check_model(made)
    return small_models.save(made, tmp_path / "wide.onnx")


def test_quantize_weight_shrinks_a_float_model(tmp_path):
    model = wide(tmp_path, 1)
    x = np.random.default_rng(1).standard_normal((4, 128)).astype(np.float32)
    exact = openrknn.import_model(model).run({"x": x})[0]
    sizes, errors = [], []
    for shrink in (False, True):
        built = openrknn.compile(model, quantize=None, quantize_weight=shrink)
        sizes.append(len(built.to_bytes()))
        errors.append(((built.run({"x": x})[0] - exact) ** 2).sum() / (exact**2).sum())
    assert sizes[0] - sizes[1] > 0.9 * 2 * WEIGHTS
    assert errors[0] < errors[1] < 1e-3


@pytest.mark.proves("config.quantize_weight")
def test_the_class_shrinks_a_float_model_too(rknn, tmp_path):
    model = wide(tmp_path, 1)
    sizes = []
    for shrink in (False, True):
        each = rknn()
        assert each.config(target_platform="rk3588", quantize_weight=shrink) == 0
        assert each.load_onnx(str(model)) == 0
        assert each.build(do_quantization=False) == 0
        assert each.export_rknn(str(tmp_path / "out.rknn")) == 0
        sizes.append((tmp_path / "out.rknn").stat().st_size)
    assert sizes[0] - sizes[1] > 0.9 * 2 * WEIGHTS


def test_quantize_weight_leaves_what_int8_would_lose(tmp_path):
    plain, kept = (
        len(openrknn.compile(wide(tmp_path, 1000), quantize=None, quantize_weight=shrink).to_bytes())
        for shrink in (False, True)
    )
    saved = plain - kept
    assert 0.8 * WEIGHTS < saved < 1.2 * WEIGHTS, "one matrix of two"


@pytest.mark.proves("config.quantize_weight")
def test_quantize_weight_says_when_it_has_no_effect(rknn, cnn, dataset, capfd):
    each = rknn()
    each.config(target_platform="rk3588", quantize_weight=True)
    each.load_onnx(str(cnn))
    assert each.build(dataset=str(dataset)) == 0
    assert "no effect in a w8a8 build: quantize_weight" in capfd.readouterr().err
