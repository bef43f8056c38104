"""openrknn: import_model, compile, load, Model, Error, InferenceSession."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402


def nchw(seed=7):
    return small_models.photo(16, 16, seed).transpose(2, 0, 1)[None]


def cosine(a, b):
    a, b = np.ravel(a).astype(np.float64), np.ravel(b).astype(np.float64)
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


@pytest.fixture
def graph(cnn):
    return openrknn.import_model(cnn)


@pytest.fixture
def model_file(graph, tmp_path):
    path = tmp_path / "net.rknn"
    openrknn.compile(graph, quantize=None, mean=[120, 110, 100], std=[60, 50, 40], custom_string="hello").save(path)
    return path


# ---- graphs


def test_a_graph_describes_itself(graph):
    assert graph.inputs == [("image", [1, 3, 16, 16], "float32")]
    assert graph.outputs == [("scores", [1, 10], "float32"), ("pooled", [1, 8, 8, 8], "float32")]
    assert [node["name"] for node in graph.nodes][0].startswith("conv")
    assert {"Conv", "MaxPool"} <= {node["op"] for node in graph.nodes}
    assert "Conv" in str(graph)


def test_a_graph_runs_like_onnxruntime(graph, cnn):
    ort = pytest.importorskip("onnxruntime")
    x = nchw().astype(np.float32)
    wanted = ort.InferenceSession(str(cnn)).run(None, {"image": x})
    for feeds in ({"image": x}, [x], (x,), x):
        for got, want in zip(graph.run(feeds), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.ptp(want))


def test_wrong_feeds_of_a_graph_are_named(graph):
    with pytest.raises(openrknn.Error) as caught:
        graph.run({"picture": nchw()})
    assert [d["tensor"] for d in caught.value.diagnostics] == ["picture", "image"]
    with pytest.raises(openrknn.Error, match=r"\[1, 3, 8, 8\], expected \[1, 3, 16, 16\]"):
        graph.run([np.zeros((1, 3, 8, 8))])
    with pytest.raises(openrknn.Error, match="got 2 inputs, the model has 1"):
        graph.run([nchw(), nchw()])


def test_import_crops_and_fixes_dimensions(cnn, tmp_path):
    cropped = openrknn.import_model(cnn, inputs=["relu"], outputs=["pooled"], input_shapes=[[1, 8, 16, 16]])
    assert cropped.inputs == [("relu", [1, 8, 16, 16], "float32")]
    made = small_models.cnn()
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    path = small_models.save(made, tmp_path / "batch.onnx")
    with pytest.raises(openrknn.Error, match="batch"):
        openrknn.import_model(path)
    assert openrknn.import_model(path, dimensions={"batch": 1}).inputs[0][1] == [1, 3, 16, 16]


def test_metadata_of_the_source(tmp_path):
    path = small_models.save(small_models.cnn(metadata={"author": "me"}), tmp_path / "meta.onnx")
    assert openrknn.import_model(path).metadata["author"] == "me"


# ---- errors


def test_error_is_a_value_error_and_a_runtime_error_with_code_and_diagnostics():
    assert issubclass(openrknn.Error, ValueError)
    assert issubclass(openrknn.Error, RuntimeError)
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model("nowhere.onnx")
    assert caught.value.code == "E0005"
    (found,) = caught.value.diagnostics
    assert found["code"] == "E0005"
    assert found["name"] == "general.file-not-found"
    assert found["severity"] == "error"
    assert found["file"] == "nowhere.onnx"
    assert found["problem"]
    assert found["fix"]
    assert str(caught.value).startswith("nowhere.onnx: E0005 general.file-not-found: ")


# ---- compile


@pytest.mark.parametrize(
    "form",
    [
        lambda arrays: list(arrays),
        lambda arrays: (array for array in arrays),
        lambda arrays: [[array] for array in arrays],
        lambda arrays: [{"image": array} for array in arrays],
        lambda arrays: [array.astype(np.float64) for array in arrays],
        lambda arrays: np.stack(arrays),
    ],
    ids=["arrays", "generator", "lists", "dicts", "float64", "one stack"],
)
def test_datasets_are_any_iterable_of_samples(graph, dataset, photos, form):
    arrays = [image.transpose(2, 0, 1)[None].astype(np.float32) for image in photos]
    wanted = openrknn.compile(graph, dataset=dataset, mean=[127] * 3, std=[128] * 3).to_bytes()
    assert openrknn.compile(graph, dataset=form(arrays), mean=[127] * 3, std=[128] * 3).to_bytes() == wanted


def test_compile_takes_a_path_and_reports(cnn, dataset):
    model = openrknn.compile(cnn, target="RK3566", dataset=str(dataset), threads=1)
    assert model.target == "rk3566"
    assert model.inputs == [("image", [1, 3, 16, 16], "int8")]
    assert model.outputs[0] == ("scores", [1, 10], "int8")
    report = model.report
    assert report["samples"] == 4
    assert report["quantized_nodes"] >= 4
    assert report["nodes_imported"] == 7
    assert report["seconds"]
    assert "Conv" in str(model)


def test_compile_says_what_is_wrong(graph, photos):
    with pytest.raises(openrknn.Error, match="Invalid target_platform 'rk1'!"):
        openrknn.compile(graph, target="rk1", quantize=None)
    with pytest.raises(openrknn.Error) as caught:
        openrknn.compile(graph)
    assert caught.value.code == "E0308"
    with pytest.raises(openrknn.Error) as caught:
        openrknn.compile(graph, dataset=[{"image": nchw()}, {"image": nchw(), "picture": nchw()}])
    assert "tensor 'picture'" in str(caught.value)
    assert "sample 1 of the dataset" in str(caught.value)
    with pytest.raises(TypeError):
        openrknn.compile(graph, dataset=5)
    with pytest.raises(openrknn.Error, match=r"\(1, 16, 16, 3\)|\[1, 16, 16, 3\]"):
        openrknn.compile(graph, dataset=[photos[0][None]])
    with pytest.raises(openrknn.Error, match="nan"):
        openrknn.compile(graph, dataset=[np.full((1, 3, 16, 16), np.nan, np.float32)])
    with pytest.raises(openrknn.Error) as caught:
        openrknn.compile(graph, dataset=[])
    assert caught.value.code == "E0306"


@pytest.mark.parametrize("quantize", ["w8a8", None])
def test_simulator_against_golden(graph, dataset, quantize):
    mean, std = [127.5] * 3, [127.5] * 3
    model = openrknn.compile(graph, quantize=quantize, dataset=dataset, mean=mean, std=std)
    wanted = graph.run([((nchw() - np.float32(127.5)) / np.float32(127.5))])
    for got, want in zip(model.run([nchw()]), wanted, strict=True):
        assert got.dtype == np.float32
        assert got.shape == want.shape
        assert cosine(got, want) > (0.99 if quantize else 0.999999)


def test_native_options_change_the_file(graph, dataset):
    files = {
        openrknn.compile(graph, dataset=dataset, **options).to_bytes()
        for options in ({}, {"method": "layer"}, {"symmetric_weights": True}, {"equalize": True}, {"target": "rk3566"})
    }
    assert len(files) == 5


# ---- models


def test_a_model_survives_its_file(graph, dataset, tmp_path):
    model = openrknn.compile(graph, dataset=dataset, keep_golden=True)
    model.save(tmp_path / "net.rknn")
    assert (tmp_path / "net.rknn").read_bytes() == model.to_bytes()
    loaded = openrknn.load(tmp_path / "net.rknn")
    assert loaded.to_bytes() == model.to_bytes()
    for a, b in zip(loaded.run([nchw()]), model.run({"image": nchw()}), strict=True):
        assert np.array_equal(a, b)


def test_layouts_of_model_run(graph):
    model = openrknn.compile(graph, quantize=None)
    wanted = model.run([nchw()])
    assert np.array_equal(model.run([nchw().transpose(0, 2, 3, 1)], layout="nhwc")[0], wanted[0])
    with pytest.raises(openrknn.Error, match="layout 'nchv' is not known"):
        model.run([nchw()], layout="nchv")


def test_wrong_feeds_of_a_model_are_told(graph):
    model = openrknn.compile(graph, quantize=None)
    with pytest.raises(openrknn.Error, match="picture"):
        model.run({"picture": nchw()})
    with pytest.raises(openrknn.Error, match="got 2 inputs, the model has 1"):
        model.run([nchw(), nchw()])
    with pytest.raises(openrknn.Error, match=r"\[1, 3, 8, 8\], expected \[1, 3, 16, 16\]"):
        model.run([np.zeros((1, 3, 8, 8), np.float32)])
    with pytest.raises(openrknn.Error, match=r"\[1, 3, 32, 32\], expected \[1, 3, 16, 16\]"):
        model.run([np.zeros((1, 3, 32, 32), np.float32)])


def test_profile_names_every_step(graph, dataset):
    steps = openrknn.compile(graph, dataset=dataset).profile(threads=1)
    columns = {"node", "op", "kernel", "dtype", "shape", "conversions", "products", "microseconds"}
    assert columns == set(steps[0])
    assert any(step["op"] == "Conv" and step["dtype"] == "i8" for step in steps)
    assert all(step["microseconds"] >= 0 for step in steps)
    in_floats = graph.profile(threads=1)
    assert any(step["op"] == "Conv" and step["dtype"] == "f32" and step["products"] > 0 for step in in_floats)


def test_bad_files_are_refused(tmp_path):
    (tmp_path / "bad.rknn").write_bytes(b"RKNN" + bytes(60))
    with pytest.raises(openrknn.Error, match="bad.rknn"):
        openrknn.load(tmp_path / "bad.rknn")


def test_files_of_the_vendor_cannot_be_loaded(shared):
    path = next((shared / "models" / "multiple_input_rknn").glob("*.rknn"))
    with pytest.raises(openrknn.Error) as caught:
        openrknn.load(path)
    assert caught.value.code == "E0505"


# ---- sessions


def test_a_session_describes_the_model(model_file):
    session = openrknn.InferenceSession(str(model_file))
    (image,) = session.get_inputs()
    assert (image.name, list(image.shape), image.type) == ("image", [1, 3, 16, 16], "tensor(float16)")
    assert [out.name for out in session.get_outputs()] == ["scores", "pooled"]
    assert list(session.get_outputs()[1].shape) == [1, 8, 8, 8]
    assert image.layout == "NCHW"
    assert session.input_names == ["image"]
    assert session.output_names == ["scores", "pooled"]
    assert session.get_modelmeta().custom_metadata_map["rknn_custom_string"] == "hello"
    assert "image" in repr(image)


def test_forms_of_a_feed_and_of_output_names(model_file):
    with openrknn.InferenceSession(model_file) as session:
        wanted = session.run(None, {"image": nchw()})
        assert [type(out) for out in wanted] == [np.ndarray, np.ndarray]
        for feed in ([nchw()], (nchw(),), nchw(), {"image": nchw().astype(np.float32)}):
            for got, want in zip(session.run(None, feed), wanted, strict=True):
                assert np.array_equal(got, want)
        (pooled,) = session.run(["pooled"], {"image": nchw()})
        assert np.array_equal(pooled, wanted[1])
        assert len(session.run([], {"image": nchw()})) == 2  # as ONNX Runtime: all


def test_session_and_model_agree(model_file):
    with openrknn.InferenceSession(model_file) as session:
        for a, b in zip(session.run(None, [nchw()]), openrknn.load(model_file).run([nchw()]), strict=True):
            assert np.array_equal(a, b)


def test_sessions_pass_nan_through(model_file):
    x = nchw().astype(np.float32)
    x[...] = np.nan
    with openrknn.InferenceSession(model_file) as session:
        assert np.isnan(session.run(None, [x])[0]).any()


def test_a_session_from_bytes(model_file):
    wanted = openrknn.InferenceSession(model_file).run(None, [nchw()])
    got = openrknn.InferenceSession(model_file.read_bytes()).run(None, [nchw()])
    assert np.array_equal(got[0], wanted[0])


def test_a_closed_session_refuses(model_file):
    session = openrknn.InferenceSession(model_file)
    session.close()
    session.close()
    with pytest.raises(RuntimeError):
        session.run(None, [nchw()])
    with openrknn.InferenceSession(model_file) as session:
        pass
    with pytest.raises(RuntimeError):
        session.run(None, [nchw()])


def test_unknown_options_list_the_known_ones(model_file):
    with pytest.raises(RuntimeError, match="layout") as caught:
        openrknn.InferenceSession(model_file, provider_options={"layuot": "nchw"})
    assert "layuot" in str(caught.value)
    for options in ({"layout": "nhwc"}, [{"layout": "nhwc"}], None, [], [{}]):
        openrknn.InferenceSession(model_file, provider_options=options).close()


@pytest.mark.parametrize(
    "feed",
    [
        {"picture": nchw()},
        {},
        [],
        [nchw(), nchw()],
        {"image": np.zeros((1, 3, 8, 8), np.float32)},
        {"image": np.zeros((3,), np.float32)},
        {"image": np.full((1, 3, 16, 16), None)},
        None,
        "text",
    ],
    ids=["unknown name", "no name", "none", "too many", "shape", "rank", "dtype", "None", "text"],
)
def test_wrong_feeds_of_a_session_raise(model_file, feed):
    with openrknn.InferenceSession(model_file) as session:
        with pytest.raises(RuntimeError):
            session.run(None, feed)
        assert len(session.run(None, [nchw()])) == 2  # and it goes on


def test_wrong_models_of_a_session_raise(tmp_path):
    with pytest.raises(RuntimeError, match="nowhere"):
        openrknn.InferenceSession(tmp_path / "nowhere.rknn")
    with pytest.raises(RuntimeError):
        openrknn.InferenceSession(b"RKNN but not really")


def test_digits_stay_right(shared):
    """Labels of a whole network: int8 as good as float, raw pixels in, mean and std applied by the model."""
    folder = shared / "models" / "digits"
    graph = openrknn.import_model(folder / "resdigits.op20.onnx")
    train, test = np.load(folder / "train.npz"), np.load(folder / "test.npz")
    model = openrknn.compile(
        graph, dataset=list(train["images"][:40].transpose(0, 3, 1, 2)[:, None]), mean=[127.5], std=[127.5]
    )
    pixels = test["images"][:100].transpose(0, 3, 1, 2)[:, None]
    labels = test["labels"][:100]
    real = [np.argmax(graph.run([(x - np.float32(127.5)) / np.float32(127.5)])[0]) for x in pixels]
    codes = [np.argmax(model.run([x])[0]) for x in pixels]
    assert np.sum(real == labels) >= 90
    assert np.sum(codes == labels) >= np.sum(real == labels) - 1
