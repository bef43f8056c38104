"""RKNN.accuracy_analysis: the files, the table, and every way to call it wrongly."""

import numpy as np
import pytest

pytest.importorskip("rknn.api")
import analysis_models  # noqa: E402
import small_models  # noqa: E402
from analysis_models import rows_of  # noqa: E402
from rknn_arrays import said  # noqa: E402

import openrknn  # noqa: E402

NORMALIZED = {"mean_values": [127, 127, 127], "std_values": [128, 128, 128]}


@pytest.fixture
def sample(tmp_path):
    path = tmp_path / "sample.npy"
    np.save(path, small_models.photo(16, 16, 9).transpose(2, 0, 1)[None])
    return path


@pytest.fixture
def build(rknn, tmp_path):
    """Builds a model whose samples are random numbers."""

    def make(model, quantize=True, method="channel", shape=None, low=-1.0, high=1.0):
        path = small_models.save(model, tmp_path / "net.onnx")
        shape = shape or [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        random = np.random.default_rng(5)
        for i in range(3):
            np.save(tmp_path / f"x{i}.npy", random.uniform(low, high, shape).astype(np.float32))
        (tmp_path / "list.txt").write_text("x0.npy\nx1.npy\nx2.npy\n")
        each = rknn()
        each.config(target_platform="rk3588", quantized_method=method)
        assert each.load_onnx(str(path)) == 0
        assert each.build(do_quantization=quantize, dataset=str(tmp_path / "list.txt") if quantize else None) == 0
        return each

    return make


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.proves("accuracy_analysis.inputs", "accuracy_analysis.output_dir")
def test_every_layer_has_its_files_and_they_hold_golden_and_simulator(built, cnn, sample, tmp_path):
    each = built(quantize=True, **NORMALIZED)
    folder = tmp_path / "snapshot"
    assert each.accuracy_analysis(inputs=[str(sample)], output_dir=str(folder)) == 0
    tensors = ["average", "depthwise", "flat", "image", "image_int8", "pooled", "relu", "scores"]
    per_stream = [f"{stream}/{tensor}.txt" for stream in ("golden", "simulator") for tensor in tensors]
    arrays = [f"{stream}/npy/{tensor}.npy" for stream in ("golden", "simulator") for tensor in tensors]
    assert files(folder) == sorted(["error_analysis.txt", "report.html", *per_stream, *arrays])

    image = np.load(sample)
    golden = openrknn.import_model(cnn).run([(image.astype(np.float32) - 127) / 128])
    each.init_runtime()
    outputs = each.inference([image], data_format="nchw")
    for stream, wanted in (("golden", golden), ("simulator", outputs)):
        for tensor, array in zip(("scores", "pooled"), wanted, strict=True):
            kept = np.load(folder / stream / "npy" / f"{tensor}.npy")
            assert kept.dtype == np.float32
            assert kept.shape == array.shape
            # Golden is computed with fewer nodes than were imported: equal but for the order of additions.
            np.testing.assert_allclose(kept, array, rtol=0, atol=0 if stream == "simulator" else 1e-5)
    for name in per_stream:
        text = np.genfromtxt(folder / name, dtype=np.float32)
        array = np.load(folder / name.replace("/", "/npy/").replace(".txt", ".npy"))
        assert np.array_equal(text, array.ravel())


def test_the_table_is_what_the_files_say(built, sample, tmp_path, capfd):
    folder = tmp_path / "snapshot"
    assert built(quantize=True, **NORMALIZED).accuracy_analysis([str(sample)], str(folder)) == 0
    out, err = capfd.readouterr()
    table = (folder / "error_analysis.txt").read_text()
    assert out == table
    assert f"I The error analysis results save to: {folder}/error_analysis.txt" in err
    assert table.startswith("# simulator_error: calculate the output error of each layer of the simulator")
    rows = rows_of(table)
    assert [f"[{op}] {tensor}" for op, tensor, _ in rows] == [
        "[Input] image",
        "[exDataConvert] image_int8",
        "[Conv] conv",
        "[Relu] relu",
        "[Conv] depthwise",
        "[MaxPool] pooled",
        "[GlobalAveragePool] average",
        "[Flatten] flat",
        "[Gemm] scores",
    ]
    assert rows[0][2] == (1, 0, 1, 0)
    assert rows[2][2] is None  # fused into the Relu
    for _, tensor, numbers in rows:
        if numbers is None:
            continue
        golden, simulator = (np.load(folder / s / "npy" / f"{tensor}.npy").ravel() for s in ("golden", "simulator"))
        cosine = golden @ simulator / np.linalg.norm(golden) / np.linalg.norm(simulator)
        assert numbers[0] == pytest.approx(cosine, abs=1.1e-5)
        assert numbers[1] == pytest.approx(np.linalg.norm(golden - simulator), rel=1e-2, abs=1e-3)


def test_a_bad_layer_shows_in_its_single_error_and_in_entire_errors_after_it(build, tmp_path):
    each = build(analysis_models.chain(bad=True))
    assert each.accuracy_analysis([str(tmp_path / "x0.npy")], str(tmp_path / "out")) == 0
    rows = {tensor: numbers for _, tensor, numbers in rows_of((tmp_path / "out" / "error_analysis.txt").read_text())}
    for tensor in ("c0", "c2", "y"):
        assert rows[tensor][2] > 0.999, tensor
    assert rows["c0"][0] > 0.999
    assert rows["c1"][2] < 0.97
    for tensor in ("c1", "c2", "y"):
        assert rows[tensor][0] < 0.97, tensor


@pytest.mark.proves("accuracy_analysis.output_dir")
def test_no_output_dir_writes_nothing(built, sample, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    each = built(quantize=True)
    before = files(tmp_path)
    assert each.accuracy_analysis(inputs=[str(sample)], output_dir=None) == 0
    assert files(tmp_path) == before
    assert "[Gemm] scores" in capfd.readouterr().out


def test_the_default_folder_is_snapshot(built, sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert built().accuracy_analysis([sample]) == 0  # any path-like
    assert (tmp_path / "snapshot" / "golden" / "scores.txt").exists()


def test_float16_builds_are_analyzed(built, sample, tmp_path, capfd):
    assert built(quantize=False, **NORMALIZED).accuracy_analysis([str(sample)], str(tmp_path / "out")) == 0
    rows = rows_of(capfd.readouterr().out)
    assert ("exDataConvert", "image__float16") in [row[:2] for row in rows]
    assert all(row[2] is None or row[2][0] > 0.99999 for row in rows)
    assert any(row[2] is not None and row[2][1] > 0 for row in rows)


def test_overflow_of_float16_is_named(build, tmp_path, capfd):
    each = build(analysis_models.unary("Mul", "Mul", "Abs", factor=1e4), quantize=False)
    assert each.accuracy_analysis([str(tmp_path / "x0.npy")], str(tmp_path / "out")) == 0
    out, err = capfd.readouterr()
    assert "elements of the built model are NaN or infinite in inputs, first in [Mul] t1" in err
    assert "the float model" not in err
    numbers = {tensor: row for _, tensor, row in rows_of(out)}
    assert np.isinf(numbers["t1"][1])
    assert np.isinf(numbers["y"][1])
    assert np.isinf(np.genfromtxt(tmp_path / "out" / "simulator" / "t1.txt")).any()
    assert np.isfinite(np.genfromtxt(tmp_path / "out" / "golden" / "t1.txt")).all()


def test_nan_of_the_float_model_is_named(build, tmp_path, capfd):
    each = build(analysis_models.unary("Log", "Abs"), quantize=False)
    assert each.accuracy_analysis([str(tmp_path / "x0.npy")], str(tmp_path / "out")) == 0
    assert "elements of the float model are NaN or infinite in inputs, first in [Log] t0" in said(capfd)
    assert np.isnan(np.genfromtxt(tmp_path / "out" / "golden" / "t0.txt")).any()


def test_names_that_are_no_file_names_are_mapped(build, tmp_path, capfd):
    each = build(analysis_models.chain(names=("/block.1/conv", "_block_1_conv", "/block:1/conv", "y")))
    assert each.accuracy_analysis([str(tmp_path / "x0.npy")], str(tmp_path / "out")) == 0
    path = tmp_path / "out" / "map_name_to_file.txt"
    assert f"W accuracy_analysis: The mapping of layer_name & file_name save to: {path}" in said(capfd)
    mapping = dict(line.split("\t") for line in path.read_text().splitlines())
    assert mapping["y"] == "y"
    assert mapping["_block_1_conv"] == "_block_1_conv"
    assert {mapping["/block.1/conv"], mapping["/block:1/conv"]} == {"_block_1_conv_1", "_block_1_conv_2"}
    for name in mapping.values():
        assert (tmp_path / "out" / "simulator" / "npy" / f"{name}.npy").exists()


def test_several_inputs_take_several_files(rknn, tmp_path):
    path = small_models.save(small_models.two_inputs(), tmp_path / "two.onnx")
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(str(path)) == 0
    assert each.build(do_quantization=False) == 0
    shapes = [shape for _, shape, _ in openrknn.compile(path, quantize=None).inputs]
    names = []
    for i, shape in enumerate(shapes):
        names.append(str(tmp_path / f"{i}.npy"))
        np.save(names[-1], np.full(shape, i + 1, np.float32))
    assert each.accuracy_analysis(names, str(tmp_path / "out")) == 0
    assert each.accuracy_analysis(names[:1], str(tmp_path / "out")) == -1


def test_images_are_read_as_the_dataset_reads_them(built, photos, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    image_module.fromarray(photos[0]).save(tmp_path / "photo.png")
    np.save(tmp_path / "swapped.npy", photos[0][:, :, ::-1].transpose(2, 0, 1)[None])
    each = built(quant_img_RGB2BGR=True)
    assert each.accuracy_analysis([str(tmp_path / "photo.png")], str(tmp_path / "image")) == 0
    assert each.accuracy_analysis([str(tmp_path / "swapped.npy")], str(tmp_path / "array")) == 0
    outputs = [np.load(tmp_path / kind / "golden" / "npy" / "scores.npy") for kind in ("image", "array")]
    assert np.array_equal(*outputs)


def test_a_file_with_its_golden_model_can_be_analyzed(rknn, cnn, dataset, sample, tmp_path, capfd):
    openrknn.compile(cnn, dataset=dataset, keep_golden=True).save(tmp_path / "kept.rknn")
    each = rknn()
    assert each.load_rknn(str(tmp_path / "kept.rknn")) == 0
    assert each.accuracy_analysis([str(sample)], str(tmp_path / "out")) == 0
    loaded = rows_of(capfd.readouterr().out)
    other = openrknn.compile(cnn, dataset=dataset).analyze([np.load(sample)])
    assert [(op, tensor) for op, tensor, _ in loaded] == [(row["op"], row["tensor"]) for row in other]
    for (_, _, numbers), row in zip(loaded, other, strict=True):
        if numbers is not None:
            assert numbers[2] == pytest.approx(row["single_cosine"], abs=1e-5)


# ---- called wrongly


def refused(each, capfd, *mentions, **arguments):
    assert each.accuracy_analysis(**arguments) == -1
    text = said(capfd)
    for mention in ("E accuracy_analysis: ", *mentions):
        assert mention in text


def test_without_a_build(rknn, cnn, sample, capfd):
    each = rknn()
    refused(each, capfd, "E0705", "no model has been built; call build first", inputs=[str(sample)])
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn))
    refused(each, capfd, "no model has been built; call build first", inputs=[str(sample)])


def test_a_loaded_file_has_no_golden_model(rknn, cnn_rknn, sample, capfd):
    each = rknn()
    assert each.load_rknn(str(cnn_rknn)) == 0
    refused(each, capfd, "E0705", "this file holds no golden model", "build it", "--keep-golden", inputs=[str(sample)])


@pytest.mark.proves("accuracy_analysis.target", "accuracy_analysis.device_id")
def test_a_device_that_is_not_there_is_told_and_nothing_is_written(built, sample, tmp_path, capfd):
    each = built()
    folder = tmp_path / "out"
    said(capfd)
    options = {"inputs": [str(sample)], "output_dir": str(folder), "target": "rk3588"}
    refused(each, capfd, "E0808", "127.0.0.1:1", "openrknn serve", **options, device_id="127.0.0.1:1")
    assert not folder.exists()


@pytest.mark.proves("accuracy_analysis.inputs")
@pytest.mark.parametrize(
    ("given", "mentions"),
    [
        (["nowhere.npy"], ["E0302", "no such file 'nowhere.npy'", "relative paths start at the working directory"]),
        ([], ["E0303", "0 paths for 1 input ('image')", "give one path per input"]),
        (["good.npy", "good.npy"], ["2 paths for 1 input ('image')"]),
        (["flat.npy"], ["E0305", "flat.npy", "[768]", "[1, 3, 16, 16]"]),
        (["nhwc.npy"], ["E0305", "this looks like NHWC"]),
        (["text.npy"], ["text.npy", "element type"]),
        (["complex.npy"], ["complex.npy", "element type"]),
        (["nan.npy"], ["E0307", "nan.npy", "element 5 is nan"]),
        (["list.txt"], ["'list.txt' is neither an image nor a .npy file"]),
        (["empty.npy"], ["empty.npy"]),
        (5, ["E0702", "inputs: got 5, expected a list of paths"]),
        ([5], ["E0702", "inputs: got [5], expected a list of paths"]),
        (None, ["E0702", "inputs: got None"]),
    ],
    ids=lambda value: "" if isinstance(value, list) and value and "E0" in str(value[0]) else str(value),
)
def test_inputs_that_do_not_fit(built, tmp_path, monkeypatch, capfd, given, mentions):
    monkeypatch.chdir(tmp_path)
    good = np.zeros((1, 3, 16, 16), np.float32)
    np.save("good.npy", good)
    np.save("flat.npy", good.ravel())
    np.save("nhwc.npy", good.transpose(0, 2, 3, 1))
    np.save("text.npy", np.array(["a"]))
    np.save("complex.npy", good.astype(np.complex64))
    good.ravel()[5] = np.nan
    np.save("nan.npy", good)
    (tmp_path / "list.txt").write_text("good.npy\n")
    (tmp_path / "empty.npy").write_bytes(b"")
    refused(built(), capfd, *mentions, inputs=given)
    assert not list(tmp_path.glob("snapshot/**/*.txt"))


def test_one_path_need_not_be_in_a_list(built, sample):
    assert built().accuracy_analysis(str(sample), None) == 0


def test_a_folder_that_cannot_be_made(built, sample, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    each = built()
    refused(each, capfd, "E0007", "cannot make the folder", inputs=[str(sample)], output_dir=str(tmp_path / "file"))
    refused(each, capfd, "E0702", "output_dir: got 7, expected a path", inputs=[str(sample)], output_dir=7)


def test_a_failed_write_leaves_no_half_file(built, sample, tmp_path, capfd):
    (tmp_path / "out" / "simulator" / "relu.txt" / "in the way").mkdir(parents=True)
    refused(built(), capfd, "E0007", "relu.txt", inputs=[str(sample)], output_dir=str(tmp_path / "out"))
    assert not [name for name in files(tmp_path / "out") if "part" in name]
    assert not (tmp_path / "out" / "error_analysis.txt").exists()


def test_it_raises_where_asked_to(rknn, monkeypatch):
    monkeypatch.setenv("OPENRKNN_RAISE", "1")
    with pytest.raises(openrknn.Error, match="no model has been built"):
        rknn().accuracy_analysis(["a.npy"])
