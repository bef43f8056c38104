"""quantized_dtype: int16 and weight-only builds, from ONNX through the file to the runtime."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402

PLATFORM = {"w16a16i": "rv1106", "w16a16i_dfp": "rv1103", "w8a16": "rk3562", "w4a16": "rk3576"}


def photos(count=4):
    return [small_models.photo(16, 16, seed).transpose(2, 0, 1)[None] for seed in range(count)]


def compile_cnn(cnn, scheme, target=None, **more):
    options = {"mean": [120, 110, 100], "std": [60, 50, 40], "dataset": photos()} | more
    return openrknn.compile(openrknn.import_model(cnn), target=target or PLATFORM[scheme], quantize=scheme, **options)


def noise_ratio(wanted, got):
    wanted, got = np.ravel(wanted).astype(np.float64), np.ravel(got).astype(np.float64)
    return 10 * np.log10((wanted**2).sum() / max(((wanted - got) ** 2).sum(), 1e-30))


@pytest.mark.parametrize("scheme", PLATFORM)
def test_a_file_keeps_what_the_scheme_computes(cnn, scheme, tmp_path):
    model = compile_cnn(cnn, scheme)
    model.save(tmp_path / "net.rknn")
    again = openrknn.load(tmp_path / "net.rknn")
    model.save(tmp_path / "twice.rknn")
    assert (tmp_path / "net.rknn").read_bytes() == (tmp_path / "twice.rknn").read_bytes()
    x = photos()[0]
    wanted = model.run({"image": x})
    real = openrknn.import_model(cnn).run({"image": (x - [[[[120]], [[110]], [[100]]]]) / [[[[60]], [[50]], [[40]]]]})
    least = {"w16a16i": 70, "w16a16i_dfp": 60, "w8a16": 35, "w4a16": 10}[scheme]
    for got, want, exact in zip(again.run({"image": x}), wanted, real, strict=True):
        np.testing.assert_array_equal(got, want)
        assert noise_ratio(exact, got) > least
    with openrknn.InferenceSession(tmp_path / "net.rknn") as session:
        for got, want in zip(session.run(None, {"image": x.astype(np.float32)}), wanted, strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.proves("config.quantized_dtype")
@pytest.mark.parametrize("scheme", PLATFORM)
def test_other_platforms_are_refused_and_the_right_ones_named(cnn, scheme):
    right = {"w8a16": "rk3562", "w4a16": "rk3576, rv1126b"}.get(scheme, "rv1103, rv1106")
    with pytest.raises(openrknn.Error, match=f"RK3588 does not support {scheme} quantization.*: {right}$"):
        compile_cnn(cnn, scheme, "rk3588")


@pytest.mark.parametrize("scheme", ["w8a16", "w4a16"])
def test_coded_weights_need_no_samples(cnn, scheme):
    x = photos()[0]
    wanted = compile_cnn(cnn, scheme).run({"image": x})
    for got, want in zip(compile_cnn(cnn, scheme, dataset=None).run({"image": x}), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


def test_coded_weights_make_files_smaller(tmp_path):
    graph = openrknn.import_model(small_models.save(small_models.dense(4096), tmp_path / "dense.onnx"))
    size = {}
    for scheme, target in (("w8a16", "rk3562"), ("w4a16", "rk3576"), (None, "rk3562")):
        openrknn.compile(graph, target=target, quantize=scheme).save(tmp_path / "net.rknn")
        size[scheme] = (tmp_path / "net.rknn").stat().st_size
    weights = 4 * 4096
    assert size[None] - size["w8a16"] > 0.9 * weights
    assert size["w8a16"] - size["w4a16"] > 0.45 * weights


def test_groups_are_finer_than_channels(cnn):
    x = photos()[0]
    real = compile_cnn(cnn, None, "rk3576").run({"image": x})[0]
    noise = {
        m: noise_ratio(real, compile_cnn(cnn, "w4a16", method=m).run({"image": x})[0])
        for m in ("layer", "channel", "group32")
    }
    assert noise["layer"] < noise["channel"] <= noise["group32"]


@pytest.mark.parametrize("method", ["group", "group31", "group48", "group512", "group-32", "group32x"])
def test_groups_of_other_sizes_are_refused(cnn, method):
    with pytest.raises(openrknn.Error, match="multiple of 32 in 32..256"):
        compile_cnn(cnn, "w4a16", method=method)


def test_groups_go_with_w4a16(cnn):
    with pytest.raises(openrknn.Error, match="goes with quantized_dtype='w4a16', got 'w8a16'"):
        compile_cnn(cnn, "w8a16", method="group32")


def test_the_runtime_says_how_int16_tensors_are_coded(cnn, tmp_path):
    compile_cnn(cnn, "w16a16i").save(tmp_path / "net.rknn")
    with openrknn.InferenceSession(tmp_path / "net.rknn") as session:
        binding = session.io_binding()
        x = photos()[0].astype(np.float32)
        binding.bind_cpu_input("image", x)
        binding.bind_output("scores", "rknpu2")
        binding.bind_output("pooled", "rknpu2")
        session.run_with_iobinding(binding)
        scores, _ = binding.get_outputs()
        assert scores.numpy().dtype == np.int16
        np.testing.assert_allclose(scores.dequantized(), session.run(["scores"], {"image": x})[0], rtol=1e-6, atol=1e-6)


DIGITS = [
    ("w16a16i", "channel", 60),
    ("w16a16i_dfp", "channel", 60),
    ("w8a16", "channel", 36),
    ("w4a16", "group32", 16),
]


@pytest.mark.parametrize("name", ["mobiledigits.op12", "resdigits.op12"])
@pytest.mark.parametrize(("scheme", "method", "least"), DIGITS)
def test_digits_are_read_as_well_as_in_float(shared, name, scheme, method, least):
    folder = shared / "models" / "digits"
    graph = openrknn.import_model(folder / f"{name}.onnx")
    test = np.load(folder / "test.npz")  # calibrated with it too: what is measured is the arithmetic, not the ranges
    samples = [image.reshape(1, 1, 32, 32).astype(np.float32) for image in test["images"]]
    model = openrknn.compile(
        graph, target=PLATFORM[scheme], quantize=scheme, method=method, dataset=samples, mean=[127.5], std=[127.5]
    )
    images, labels = test["images"], test["labels"]
    reals = (images.reshape(-1, 1, 1, 32, 32).astype(np.float32) - 127.5) / 127.5
    wanted = np.stack([graph.run([x])[0][0] for x in reals])
    got = np.stack([model.run([image.reshape(1, 1, 32, 32)])[0][0] for image in images])
    assert np.mean(got.argmax(1) == labels) >= np.mean(wanted.argmax(1) == labels) - 0.005
    noise = noise_ratio(wanted, got)
    assert noise > least, f"{noise:.1f} dB"
