"""Corrections of the float graph, from the option to what the model computes: native API, rknn.api, command line, YAML."""

import subprocess

import numpy as np
import onnx
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402

OPTIONS = ["equalize", "absorb_bias", "migrate_scales", "split_concat", "rescue_float16"]


def sqnr(wanted, got):
    wanted, got = np.ravel(wanted).astype(np.float64), np.ravel(got).astype(np.float64)
    return 10 * np.log10((wanted**2).sum() / max(((wanted - got) ** 2).sum(), 1e-30))


def inputs_for(shape, count=6):
    random = np.random.default_rng(3)
    return [random.uniform(-1, 1, shape).astype(np.float32) for _ in range(count)]


def weights(name, *shape, seed=0, scale=1.0):
    return small_models.constant(name, (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32))


@pytest.fixture
def joined_head(tmp_path):
    """Boxes in pixels and scores in one output, as YOLO models are exported."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "wb"], ["features"], name="features"),
        helper.make_node("Relu", ["features"], ["relu"], name="relu"),
        helper.make_node("Conv", ["relu", "b", "bb"], ["boxes"], name="boxes"),
        helper.make_node("Conv", ["relu", "c"], ["logits"], name="logits"),
        helper.make_node("Sigmoid", ["logits"], ["scores"], name="scores"),
        helper.make_node("Concat", ["boxes", "scores"], ["joined"], name="join", axis=1),
        helper.make_node("Reshape", ["joined", "shape"], ["output0"], name="flat"),
    ]
    initializers = [
        weights("w", 16, 3, 1, 1),
        weights("wb", 16, seed=1),
        weights("b", 4, 16, 1, 1, seed=2, scale=20),
        small_models.constant("bb", np.full(4, 320, np.float32)),
        weights("c", 6, 16, 1, 1, seed=3, scale=0.5),
        small_models.constant("shape", np.array([1, 10, 64], np.int64)),
    ]
    made = small_models.model(
        nodes,
        [small_models.value("x", [1, 3, 8, 8])],
        [small_models.value("output0", [1, 10, 64])],
        initializers,
    )
    return small_models.save(made, tmp_path / "head.onnx")


@pytest.fixture
def overflowing(tmp_path):
    """Activations beyond 65504, brought back by the last layer."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["big"], name="first"),
        helper.make_node("Relu", ["big"], ["relu"], name="relu"),
        helper.make_node("Conv", ["relu", "v"], ["y"], name="last"),
    ]
    initializers = [weights("w", 8, 3, 1, 1, scale=60000), weights("v", 4, 8, 1, 1, seed=1, scale=1e-5)]
    made = small_models.model(
        nodes, [small_models.value("x", [1, 3, 8, 8])], [small_models.value("y", [1, 4, 8, 8])], initializers
    )
    return small_models.save(made, tmp_path / "overflowing.onnx")


# ---- the joined head


def test_a_joined_head_collapses_and_the_warning_says_what_to_do(joined_head):
    graph, samples = openrknn.import_model(joined_head), inputs_for((1, 3, 8, 8))
    model = openrknn.compile(graph, dataset=samples)
    wanted, got = graph.run([samples[0]])[0], model.run([samples[0]])[0]
    assert sqnr(wanted[:, 4:], got[:, 4:]) < 10
    (warning,) = [line for line in model.report["warnings"] if "split_concat" in line]
    assert "'boxes'" in warning
    assert "'scores'" in warning
    assert "0.0 of its 8 bits" in warning


@pytest.mark.proves("config.split_concat")
def test_split_concat_keeps_the_scores(joined_head):
    graph, samples = openrknn.import_model(joined_head), inputs_for((1, 3, 8, 8))
    model = openrknn.compile(graph, dataset=samples, split_concat=True)
    wanted, got = graph.run([samples[0]])[0], model.run([samples[0]])[0]
    assert sqnr(wanted[:, 4:], got[:, 4:]) > 30
    assert sqnr(wanted[:, :4], got[:, :4]) > 30
    assert not [line for line in model.report["warnings"] if "split_concat" in line]
    assert model.report["float_nodes"] >= 2, "the Concat and the Reshape behind it"


def test_operands_alike_stay_int8_without_a_warning(cnn, dataset):
    plain = openrknn.compile(cnn, dataset=dataset)
    assert not [line for line in plain.report["warnings"] if "split_concat" in line]
    assert openrknn.compile(cnn, dataset=dataset, split_concat=True).to_bytes() == plain.to_bytes()


# ---- float16


def test_an_overflowing_float_build_is_rescued(overflowing):
    graph, samples = openrknn.import_model(overflowing), inputs_for((1, 3, 8, 8))
    wanted = graph.run([samples[0]])[0]
    model = openrknn.compile(graph, quantize=None, dataset=samples, rescue_float16=True)
    assert sqnr(wanted, model.run([samples[0]])[0]) > 50
    assert any(line.startswith("rescue_float16: ") for line in model.report["pass_log"])


def test_without_a_dataset_only_constants_are_looked_at(overflowing):
    model = openrknn.compile(overflowing, quantize=None, rescue_float16=True)
    assert any("without a dataset" in line for line in model.report["warnings"])


@pytest.mark.proves("config.rescue_float16")
def test_what_cannot_be_rescued_is_refused_by_name(overflowing, tmp_path):
    network = onnx.load(overflowing)
    network.graph.output.append(small_models.value("relu", [1, 8, 8, 8]))
    path = small_models.save(network, tmp_path / "out.onnx")
    with pytest.raises(openrknn.Error, match="'relu' is an output of the model") as caught:
        openrknn.compile(path, quantize=None, dataset=inputs_for((1, 3, 8, 8)), rescue_float16=True)
    assert "do_quantization=True" in str(caught.value)


# ---- the class


def net(nodes, shape, output, initializers):
    values = [small_models.value("x", shape), small_models.value("y", output)]
    return small_models.model(nodes, values[:1], values[1:], initializers)


def channels_of_three_decades():
    """The first layer's channels differ by up to a thousand, which the second takes back."""
    factors = np.logspace(0, 3, 16, dtype=np.float32)
    first = weights("w", 16, 3, 1, 1)
    second = weights("v", 4, 16, 1, 1, seed=1)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "v"], ["y"]),
    ]
    spread = small_models.constant("w", onnx.numpy_helper.to_array(first) * factors.reshape(16, 1, 1, 1))
    taken_back = small_models.constant("v", onnx.numpy_helper.to_array(second) / factors.reshape(1, 16, 1, 1))
    return net(nodes, [1, 3, 8, 8], [1, 4, 8, 8], [spread, taken_back])


def channels_far_above_zero():
    """A layer's bias keeps it about 300; the next looks at differences alone."""
    kernels = onnx.numpy_helper.to_array(weights("v", 16, 1, 3, 3, seed=1))
    centred = small_models.constant("v", kernels - kernels.mean(axis=(2, 3), keepdims=True))
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "v"], ["d"], group=16),
        helper.make_node("Conv", ["d", "u"], ["y"]),
    ]
    bias = small_models.constant("b", np.full(16, 300, np.float32))
    return net(
        nodes,
        [1, 8, 12, 12],
        [1, 4, 10, 10],
        [weights("w", 16, 8, 1, 1), bias, centred, weights("u", 4, 16, 1, 1, seed=2)],
    )


def channels_with_outliers():
    """Three channels of a normalisation are a hundred times as large as the others, and weighed less."""
    outliers = [5, 23, 41]
    scale, matrix = np.ones(64, np.float32), onnx.numpy_helper.to_array(weights("m", 64, 32, seed=1)).copy()
    scale[outliers] = 100
    matrix[outliers] *= 0.01
    nodes = [
        helper.make_node("LayerNormalization", ["x", "g", "b"], ["n"]),
        helper.make_node("MatMul", ["n", "m"], ["y"]),
    ]
    constants = [small_models.constant("g", scale), weights("b", 64), small_models.constant("m", matrix)]
    return net(nodes, [1, 16, 64], [1, 16, 32], constants)


@pytest.mark.proves("config.equalize", "config.absorb_bias", "config.migrate_scales")
@pytest.mark.parametrize(
    ("option", "model", "config"),
    [
        ("equalize", channels_of_three_decades, {"quantized_method": "layer"}),
        ("absorb_bias", channels_far_above_zero, {}),
        ("migrate_scales", channels_with_outliers, {}),
    ],
)
def test_int8_loses_less_with_it(rknn, tmp_path, option, model, config):
    path = small_models.save(model(), tmp_path / "net.onnx")
    graph = openrknn.import_model(path)
    samples = inputs_for(graph.inputs[0][1], count=8)
    listing = write_dataset(tmp_path, samples[1:])
    ratios = []
    for wanted in (False, True):
        each = rknn()
        assert each.config(target_platform="rk3588", **config, **{option: wanted}) == 0
        assert each.load_onnx(str(path)) == 0
        assert each.build(dataset=str(listing)) == 0
        assert each.export_rknn(str(tmp_path / "net.rknn")) == 0
        got = openrknn.load(tmp_path / "net.rknn").run([samples[0]])[0]
        ratios.append(sqnr(graph.run([samples[0]])[0], got))
    assert ratios[1] > ratios[0] + 10


@pytest.mark.proves("config.rescue_float16")
def test_the_class_rescues_a_float_build(rknn, overflowing, tmp_path):
    samples = inputs_for((1, 3, 8, 8))
    listing = write_dataset(tmp_path, samples)
    results = []
    for wanted in (False, True):
        each = rknn()
        assert each.config(target_platform="rk3588", rescue_float16=wanted) == 0
        assert each.load_onnx(str(overflowing)) == 0
        results.append(each.build(do_quantization=False, dataset=str(listing)))
    assert results == [-1, 0]  # weights beyond float16 end the build
    assert each.export_rknn(str(tmp_path / "net.rknn")) == 0
    rescued = openrknn.load(tmp_path / "net.rknn").run([samples[0]])[0]
    assert sqnr(openrknn.import_model(overflowing).run([samples[0]])[0], rescued) > 50


# ---- every surface


@pytest.mark.proves("config.equalize", "config.absorb_bias", "config.migrate_scales")
@pytest.mark.parametrize("option", OPTIONS)
def test_a_value_that_is_no_bool_is_refused(rknn, option):
    with pytest.raises(ValueError, match=f"config: {option}: got 'yes', expected True or False"):
        rknn().config(target_platform="rk3588", **{option: "yes"})


def test_builds_do_not_depend_on_threads_or_order(joined_head):
    samples = inputs_for((1, 3, 8, 8))
    wanted = dict.fromkeys(OPTIONS, True)
    one = openrknn.compile(joined_head, dataset=samples, threads=1, **wanted).to_bytes()
    assert openrknn.compile(joined_head, dataset=samples, threads=3, **wanted).to_bytes() == one
    assert openrknn.compile(joined_head, dataset=samples[::-1], **wanted).to_bytes() == one


def write_dataset(folder, samples):
    for i, sample in enumerate(samples):
        np.save(folder / f"{i}.npy", sample)
    listing = folder / "dataset.txt"
    listing.write_text("".join(f"{i}.npy\n" for i in range(len(samples))))
    return listing


@pytest.mark.proves("config.split_concat")
def test_rknn_api_and_command_build_the_same(rknn, joined_head, tmp_path):
    listing = write_dataset(tmp_path, inputs_for((1, 3, 8, 8)))
    each = rknn()
    assert each.config(target_platform="rk3588", split_concat=True, migrate_scales=True) == 0
    assert each.load_onnx(str(joined_head)) == 0
    assert each.build(do_quantization=True, dataset=str(listing)) == 0
    assert each.export_rknn(str(tmp_path / "api.rknn")) == 0
    yaml = tmp_path / "build.yml"
    yaml.write_text("split_concat: true\nmigrate_scales: true\n")
    for name, arguments in (
        ("flags", ["--split-concat", "True", "--migrate-scales", "True"]),
        ("yaml", ["--config", yaml]),
    ):
        command = [*command_line(), "convert", joined_head, "-t", "rk3588", "--dataset", listing, *arguments]
        done = subprocess.run(
            [*map(str, command), "-o", str(tmp_path / f"{name}.rknn")], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / f"{name}.rknn").read_bytes() == (tmp_path / "api.rknn").read_bytes()
    native = openrknn.compile(joined_head, dataset=listing, split_concat=True, migrate_scales=True)
    assert native.to_bytes() == (tmp_path / "api.rknn").read_bytes()


def test_a_float_build_of_the_command_takes_a_dataset(overflowing, tmp_path):
    listing = write_dataset(tmp_path, inputs_for((1, 3, 8, 8)))
    command = [*command_line(), "convert", overflowing, "-t", "rk3588", "--float", "--rescue-float16", "True"]
    output = tmp_path / "out.rknn"
    done = subprocess.run(
        [*map(str, command), "--dataset", str(listing), "-o", str(output)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "ignored" not in done.stderr
    sample = inputs_for((1, 3, 8, 8))[0]
    wanted = openrknn.import_model(overflowing).run([sample])[0]
    assert sqnr(wanted, openrknn.load(output).run([sample])[0]) > 50
