"""build(auto_hybrid=True) and openrknn.compile(auto_hybrid=True)."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import analysis_models  # noqa: E402
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from small_models import constant, value  # noqa: E402

import openrknn  # noqa: E402


def samples(shape=(1, 6, 12, 12), factor=1.0, count=4):
    random = np.random.default_rng(2)
    return [(factor * random.standard_normal(shape)).astype(np.float32) for _ in range(count)]


@pytest.fixture
def bad_chain(tmp_path):
    return small_models.save(analysis_models.chain(bad=True), tmp_path / "bad.onnx")


@pytest.fixture
def dataset(tmp_path):
    for i, sample in enumerate(samples()):
        np.save(tmp_path / f"{i}.npy", sample)
    path = tmp_path / "dataset.txt"
    path.write_text("".join(f"{i}.npy\n" for i in range(4)))
    return path


def dtypes(model):
    return {row["node"]: row["dtype"] for row in model.report["precision"]}


def layer_cosine(model, tensor):
    rows = {row["tensor"]: row for row in model.analyze(samples())}
    return rows[tensor]["single_cosine"]


def test_layers_below_the_threshold_become_float16_and_no_others(bad_chain):
    # Layer quantization: one scale for weights of which one channel is 150 times as large.
    options = {"target": "rk3588", "method": "layer", "dataset": samples()}
    plain = openrknn.compile(bad_chain, **options)
    cosines = {tensor: layer_cosine(plain, tensor) for tensor in ("c0", "c1", "c2", "y")}
    worst = min(cosines, key=cosines.get)
    assert worst == "c1"
    others = min(v for k, v in cosines.items() if k != worst)
    lifted = openrknn.compile(
        bad_chain, auto_hybrid=True, auto_hybrid_cos_thresh=(cosines[worst] + others) / 2, **options
    )
    nodes = {"c0": "node0", "c1": "node1", "c2": "node2", "y": "node3"}
    assert dtypes(lifted) == {nodes[t]: "float16" if t == worst else "int8" for t in cosines}
    assert layer_cosine(lifted, worst) > 0.999
    [rule] = lifted.report["precision_rules"]
    assert rule["layers"] == ["c1"]
    assert rule["rule"].startswith(f"auto_hybrid: c1 (cosine {cosines[worst]:.3f}"[:-1])
    # One calibration, not two.
    assert lifted.report["samples"] == 4


def test_rknn_api_logs_what_was_lifted(rknn, bad_chain, dataset, capfd):
    each = rknn(verbose=True)
    each.config(target_platform="rk3588", quantized_method="layer", auto_hybrid_cos_thresh=0.99)
    assert each.load_onnx(str(bad_chain)) == 0
    assert each.build(do_quantization=True, dataset=str(dataset), auto_hybrid=True) == 0
    assert "I build: precision rule 'auto_hybrid: c1 (cosine" in capfd.readouterr().err


@pytest.mark.proves("build.auto_hybrid")
def test_thresholds_alone_do_nothing(rknn, bad_chain, dataset, tmp_path):
    for name, config in (("plain", {}), ("thresholds", {"auto_hybrid_cos_thresh": 1.0, "auto_hybrid_euc_thresh": 0})):
        each = rknn()
        each.config(target_platform="rk3588", **config)
        each.load_onnx(str(bad_chain))
        assert each.build(dataset=str(dataset)) == 0
        assert each.export_rknn(str(tmp_path / f"{name}.rknn")) == 0
    assert (tmp_path / "plain.rknn").read_bytes() == (tmp_path / "thresholds.rknn").read_bytes()


def test_the_distance_is_a_threshold_too(bad_chain):
    options = {"target": "rk3588", "dataset": samples(), "auto_hybrid": True, "auto_hybrid_cos_thresh": -1}
    assert set(dtypes(openrknn.compile(bad_chain, **options)).values()) == {"int8"}
    assert set(dtypes(openrknn.compile(bad_chain, auto_hybrid_euc_thresh=0, **options)).values()) == {"float16"}


@pytest.mark.proves("config.auto_hybrid_cos_thresh", "config.auto_hybrid_euc_thresh", "build.auto_hybrid")
@pytest.mark.parametrize(
    ("config", "dtype"),
    [
        ({"auto_hybrid_cos_thresh": -1}, "int8"),
        ({"auto_hybrid_cos_thresh": 1.0}, "float16"),
        ({"auto_hybrid_cos_thresh": -1, "auto_hybrid_euc_thresh": 0}, "float16"),
    ],
    ids=str,
)
def test_rknn_api_takes_both_thresholds(rknn, bad_chain, dataset, tmp_path, config, dtype):
    each = rknn()
    each.config(target_platform="rk3588", **config)
    each.load_onnx(str(bad_chain))
    assert each.build(dataset=str(dataset), auto_hybrid=True) == 0
    assert each.export_rknn(str(tmp_path / "out.rknn")) == 0
    assert set(dtypes(openrknn.load(tmp_path / "out.rknn")).values()) == {dtype}


@pytest.mark.proves("config.auto_hybrid_cos_thresh", "config.auto_hybrid_euc_thresh")
@pytest.mark.parametrize("options", [{"auto_hybrid_cos_thresh": 2}, {"auto_hybrid_euc_thresh": -1}])
def test_bad_thresholds_are_refused(bad_chain, options):
    with pytest.raises(openrknn.Error, match=next(iter(options))):
        openrknn.compile(bad_chain, target="rk3588", dataset=samples(), auto_hybrid=True, **options)


@pytest.fixture
def overflowing(tmp_path):
    """The product of the first two layers reaches some 10^6; the last brings it back."""
    random = np.random.default_rng(1)
    nodes, initializers, last = [], [], "x"
    for i, (name, factor) in enumerate((("a", 30), ("b", 300), ("y", 0.0003))):
        initializers.append(constant(f"w{i}", (random.standard_normal((6, 6, 1, 1)) * factor).astype(np.float32)))
        nodes.append(helper.make_node("Conv", [last, f"w{i}"], [name], name=f"node_{name}"))
        last = name
    shape = [1, 6, 12, 12]
    model = small_models.model(nodes, [value("x", shape)], [value("y", shape)], initializers)
    return small_models.save(model, tmp_path / "overflowing.onnx")


def test_a_float_build_lifts_what_overflows_to_int16(overflowing, rknn, tmp_path):
    data = samples(factor=20.0)
    plain = openrknn.compile(overflowing, target="rk3588", quantize=None)
    lifted = openrknn.compile(overflowing, target="rk3588", quantize=None, auto_hybrid=True, dataset=data)
    assert dtypes(lifted) == {"node_a": "float16", "node_b": "int16", "node_y": "int16"}
    wanted = openrknn.import_model(overflowing).run(data[0])[0]
    assert not np.isfinite(plain.run(data[0])[0]).all()
    np.testing.assert_allclose(lifted.run(data[0])[0], wanted, atol=np.abs(wanted).max() * 0.01)
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(overflowing))
    assert each.build(do_quantization=False, auto_hybrid=True) == -1  # what overflows is not known without samples


def test_float_builds_without_samples_and_weight_only_builds_are_refused(overflowing):
    with pytest.raises(openrknn.Error, match="sample data"):
        openrknn.compile(overflowing, target="rk3588", quantize=None, auto_hybrid=True)
    with pytest.raises(openrknn.Error, match="auto_hybrid lifts layers of int8"):
        openrknn.compile(overflowing, target="rk3562", quantize="w8a16", auto_hybrid=True)
