"""What everyone meets sooner or later: files and arrays that are wrong. Each gets one clear message with a code, naming
the file, line, node or tensor and the fix; the process lives, and no output file is left.

`pytest -s -k table` prints the table of cases and messages.
"""

import json
import os
import re
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from small_models import constant, model, value  # noqa: E402

import openrknn  # noqa: E402
from rknn.api import RKNN  # noqa: E402

SHAPE = (1, 3, 16, 16)
CASES = {}


def case(title, code, *mentions):
    """Registers a bad input: `code` and every one of `mentions` must be in the message."""

    def register(function):
        CASES[title] = (function, code, mentions)
        return function

    return register


def message_of(title, folder):
    """The message a case gets, and what is left in its folder afterwards."""
    function, _, _ = CASES[title]
    before = {name for name in os.listdir(folder) if name.endswith(".rknn")}
    rknn = RKNN()
    os.environ["OPENRKNN_RAISE"] = "1"
    try:
        function(folder, rknn)
    except openrknn.Error as error:
        message = str(error)
    else:
        message = None
    finally:
        del os.environ["OPENRKNN_RAISE"]
        rknn.release()
    kept = {name for name in os.listdir(folder) if name.endswith(".rknn")} | before
    return message, {name for name in os.listdir(folder) if "rknn" in name} - kept


# ---- ONNX files


def load(rknn, path, **config):
    config.setdefault("target_platform", "rk3588")
    rknn.config(**config)
    rknn.load_onnx(str(path))


def load_made(folder, rknn, made, **config):
    load(rknn, small_models.save(made, folder / "bad.onnx"), **config)


def conv_relu(weights=None, weight_name="w", relu_input="conv", relu_output="y", input_shape=SHAPE):
    weights = np.ones((4, 3, 3, 3), np.float32) if weights is None else weights
    nodes = [
        helper.make_node("Conv", ["image", weight_name], ["conv"], name="first"),
        helper.make_node("Relu", [relu_input], [relu_output], name="second"),
    ]
    return model(nodes, [value("image", input_shape)], [value("y", None)], [constant("w", weights)], check=False)


@case("ONNX missing", "general.file-not-found", "nowhere.onnx")
def _(folder, rknn):
    load(rknn, folder / "nowhere.onnx")


@case("ONNX empty", "import.", "empty.onnx")
def _(folder, rknn):
    (folder / "empty.onnx").write_bytes(b"")
    load(rknn, folder / "empty.onnx")


@case("ONNX truncated", "import.truncated", "short.onnx")
def _(folder, rknn):
    whole = small_models.cnn().SerializeToString()
    (folder / "short.onnx").write_bytes(whole[: len(whole) // 2])
    load(rknn, folder / "short.onnx")


@case("ONNX of random bytes", "import.", "garbage.onnx")
def _(folder, rknn):
    (folder / "garbage.onnx").write_bytes(np.random.default_rng(0).bytes(4000))
    load(rknn, folder / "garbage.onnx")


@case("ONNX is an HTML page", "import.", "page.onnx")
def _(folder, rknn):
    (folder / "page.onnx").write_text("<!DOCTYPE html>\n<html><body>Not Found</body></html>\n")
    load(rknn, folder / "page.onnx")


@case("ONNX is a Git LFS pointer", "import.", "pointer.onnx", "git lfs")
def _(folder, rknn):
    (folder / "pointer.onnx").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
    )
    load(rknn, folder / "pointer.onnx")


@case("ONNX with a cycle", "import.cycle", "first")
def _(folder, rknn):
    nodes = [
        helper.make_node("Add", ["image", "b"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="second"),
    ]
    load_made(folder, rknn, model(nodes, [value("image", SHAPE)], [value("b", None)], check=False))


@case("ONNX where two nodes write one tensor", "import.duplicate-tensor", "'conv'", "second")
def _(folder, rknn):
    load_made(folder, rknn, conv_relu(relu_output="conv"))


@case("ONNX with a missing initializer", "import.missing-tensor", "'weights'", "first")
def _(folder, rknn):
    load_made(folder, rknn, conv_relu(weight_name="weights"))


@case("ONNX whose Conv does not fit its weights", "", "first", "3", "5")
def _(folder, rknn):
    load_made(folder, rknn, conv_relu(weights=np.ones((4, 5, 3, 3), np.float32)))


@case(
    "ONNX with two unknown operators", "import.unsupported-op", "2 nodes of type Frobnicate", "1 node of type Twiddle"
)
def _(folder, rknn):
    nodes = [
        helper.make_node("Frobnicate", ["image"], ["a"], name="first"),
        helper.make_node("Frobnicate", ["a"], ["b"], name="second"),
        helper.make_node("Twiddle", ["b"], ["c"], name="third"),
    ]
    load_made(folder, rknn, model(nodes, [value("image", SHAPE)], [value("c", None)], check=False))


@case("ONNX with symbolic dimensions", "import.unknown-dimension", "image", "height", "width", "input_size_list")
def _(folder, rknn):
    load_made(folder, rknn, conv_relu(input_shape=[1, 3, "height", "width"]))


@case("cropping at an unknown tensor", "import.bad-crop", "378", "outputs")
def _(folder, rknn):
    rknn.config(target_platform="rk3588")
    rknn.load_onnx(str(small_models.save(small_models.cnn(), folder / "cnn.onnx")), outputs=["378", "scores"])


@case("NaN in the weights", "not-finite", "'w'", "first")
def _(folder, rknn):
    weights = np.ones((4, 3, 3, 3), np.float32)
    weights[2, 1, 0, 0] = np.nan
    load_made(folder, rknn, conv_relu(weights=weights))
    rknn.build(do_quantization=False)


@case("Inf in the weights", "not-finite", "'w'", "first")
def _(folder, rknn):
    weights = np.ones((4, 3, 3, 3), np.float32)
    weights[0, 0, 0, 0] = np.inf
    load_made(folder, rknn, conv_relu(weights=weights))
    rknn.build(do_quantization=False)


# ---- config


@case("unknown platform", "config.unknown-platform", "Invalid target_platform 'rk9999'!", "rk3588")
def _(folder, rknn):
    rknn.config(target_platform="rk9999")


@case("platform of the first generation", "config.unknown-platform", "Invalid target_platform 'rv1126'!")
def _(folder, rknn):
    rknn.config(target_platform="rv1126")


@case("std 0", "config.bad-mean-std", "image", "std")
def _(folder, rknn):
    load(
        rknn,
        small_models.save(small_models.cnn(), folder / "cnn.onnx"),
        mean_values=[0, 0, 0],
        std_values=[[255, 0, 255]],
    )


@case("std NaN", "config.bad-mean-std", "image", "std")
def _(folder, rknn):
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"), std_values=[[255, float("nan"), 255]])


@case("mean of the wrong length", "config.bad-mean-std", "image", "mean_values", "3")
def _(folder, rknn):
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"), mean_values=[[128, 128]])


@case(
    "several bad arguments at once", "", "quantized_dtype", "optimization_level", "target_platform", "compress_weight"
)
def _(folder, rknn):
    rknn.config(target_platform="rk1", quantized_dtype="int3", optimization_level=9, compress_weight=True)


# ---- datasets


def calibrate(folder, rknn, lines, **files):
    """Builds int8 from a dataset of these lines; `files` are arrays (npy) or bytes by name."""
    samples = folder / "samples"
    samples.mkdir(exist_ok=True)
    for name, content in files.items():
        if isinstance(content, bytes):
            (samples / name.replace("_jpg", ".jpg")).write_bytes(content)
        else:
            np.save(samples / f"{name}.npy", content)
    (folder / "dataset.txt").write_text(lines)
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"))
    rknn.build(do_quantization=True, dataset=str(folder / "dataset.txt"))


GOOD = np.linspace(0, 255, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)


@case("no dataset", "dataset.missing", "dataset")
def _(folder, rknn):
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"))
    rknn.build()


@case("dataset file missing", "dataset.unreadable", "nowhere.txt")
def _(folder, rknn):
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"))
    rknn.build(dataset=str(folder / "nowhere.txt"))


@case("dataset: a sample is missing", "dataset.file-missing", "dataset.txt", ":2", "gone.npy")
def _(folder, rknn):
    calibrate(folder, rknn, "samples/good.npy\nsamples/gone.npy\n", good=GOOD)


@case("dataset: bad line", "dataset.bad-line", "dataset.txt", ":3", "-0.886949")
def _(folder, rknn):
    calibrate(folder, rknn, "# a comment\nsamples/good.npy\n-0.886949\n", good=GOOD)


@case("dataset: two files for one input", "dataset.bad-line", "dataset.txt", ":1", "1 input")
def _(folder, rknn):
    calibrate(folder, rknn, "samples/good.npy samples/good.npy\n", good=GOOD)


@case("dataset: npy of the wrong size", "dataset.bad-array", "dataset.txt", ":1", "wrong.npy", "[1, 3, 16, 16]")
def _(folder, rknn):
    calibrate(folder, rknn, "samples/wrong.npy\n", wrong=np.zeros((1, 3, 20, 20), np.float32))


@case("dataset: npy in NHWC order", "dataset.bad-array", "dataset.txt", ":1", "[1, 16, 16, 3]", "NCHW")
def _(folder, rknn):
    calibrate(folder, rknn, "samples/nhwc.npy\n", nhwc=np.zeros((1, 16, 16, 3), np.float32))


@case("dataset: npy that is no npy", "dataset.bad-array", "dataset.txt", ":1", "text.npy")
def _(folder, rknn):
    (folder / "samples").mkdir()
    (folder / "samples" / "text.npy").write_text("1 2 3\n")
    calibrate(folder, rknn, "samples/text.npy\n")


@case("dataset: damaged image", "dataset.bad-image", "dataset.txt", ":1", "broken.jpg")
def _(folder, rknn):
    calibrate(folder, rknn, "samples/broken.jpg\n", broken_jpg=b"\xff\xd8\xff\xe0 this is no picture")


@case("dataset: two paths with blanks, not quoted", "dataset.bad-line", "dataset.txt", ":1", "double quotes")
def _(folder, rknn):
    calibrate(folder, rknn, "my samples/a.npy my samples/b.npy\n")


@case("quant_img_RGB2BGR for too many inputs", "config.bad-value", "quant_img_RGB2BGR", "2 entries", "1 inputs")
def _(folder, rknn):
    (folder / "samples").mkdir()
    np.save(folder / "samples" / "good.npy", GOOD)
    (folder / "dataset.txt").write_text("samples/good.npy\n")
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"), quant_img_RGB2BGR=[True, False])
    rknn.build(dataset=str(folder / "dataset.txt"))


@case("float16 where the NPU has no float16 convolution", "config.unsupported", "'conv'", "RV1106")
def _(folder, rknn):
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"), target_platform="rv1106")
    rknn.build(do_quantization=False)


@case("w8a8 where the NPU has none", "config.unsupported", "RK2118", "w8a8", "rk3588")
def _(folder, rknn):
    (folder / "samples").mkdir()
    np.save(folder / "samples" / "good.npy", GOOD)
    (folder / "dataset.txt").write_text("samples/good.npy\n")
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"), target_platform="rk2118")
    rknn.build(dataset=str(folder / "dataset.txt"))


@case("dataset: empty", "dataset.empty", "dataset.txt")
def _(folder, rknn):
    calibrate(folder, rknn, "")


@case("dataset: comments only", "dataset.empty", "dataset.txt")
def _(folder, rknn):
    calibrate(folder, rknn, "# samples/good.npy\n\n   \n")


@case("dataset: NaN", "dataset.not-finite", "dataset.txt", ":2", "nan.npy")
def _(folder, rknn):
    bad = GOOD.copy()
    bad[0, 1, 2, 3] = np.nan
    calibrate(folder, rknn, "samples/good.npy\nsamples/nan.npy\n", good=GOOD, nan=bad)


@case("dataset: Inf", "dataset.not-finite", "dataset.txt", ":1", "inf.npy")
def _(folder, rknn):
    bad = GOOD.copy()
    bad[0, 1, 2, 3] = -np.inf
    calibrate(folder, rknn, "samples/inf.npy\n", inf=bad)


# ---- order of calls


@case("load_onnx before config", "config.wrong-state", "config")
def _(folder, rknn):
    rknn.load_onnx(str(small_models.save(small_models.cnn(), folder / "cnn.onnx")))


@case("build before load_onnx", "config.wrong-state", "load")
def _(folder, rknn):
    rknn.config(target_platform="rk3588")
    rknn.build(do_quantization=False)


@case("export_rknn before build", "config.wrong-state", "build")
def _(folder, rknn):
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"))
    rknn.export_rknn(str(folder / "out.rknn"))


@case("export_rknn to a folder that does not exist", "general.file-unwritable", "nowhere")
def _(folder, rknn):
    running(folder, rknn)
    rknn.export_rknn(str(folder / "nowhere" / "out.rknn"))


@case("init_runtime before build", "config.wrong-state", "build")
def _(folder, rknn):
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"))
    rknn.init_runtime()


@case("init_runtime on a board", "config.unsupported", "target='rk3588'")
def _(folder, rknn):
    running(folder, rknn)
    rknn.init_runtime(target="rk3588")


@case("inference before init_runtime", "runtime.not-initialized", "init_runtime")
def _(folder, rknn):
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"))
    rknn.build(do_quantization=False)
    rknn.inference([np.zeros((1, 16, 16, 3), np.uint8)])


# ---- inference


def running(folder, rknn, made=None):
    load(rknn, small_models.save(made or small_models.cnn(), folder / "cnn.onnx"))
    rknn.build(do_quantization=False)
    rknn.init_runtime()
    return rknn


@case("inference: wrong rank", "runtime.bad-input", "(16, 16)", "(1, 16, 16, 3)")
def _(folder, rknn):
    running(folder, rknn).inference([np.zeros((16, 16), np.float32)])


@case("inference: wrong shape", "runtime.bad-input", "(1, 20, 20, 3)", "expect 'nhwc' like (1, 16, 16, 3)")
def _(folder, rknn):
    running(folder, rknn).inference([np.zeros((1, 20, 20, 3), np.float32)])


@case("inference: NCHW array without data_format", "runtime.bad-input", "data_format='nchw'")
def _(folder, rknn):
    running(folder, rknn).inference([np.zeros(SHAPE, np.float32)])


@case("inference: too many inputs", "runtime.bad-input", "2", "1")
def _(folder, rknn):
    running(folder, rknn).inference([np.zeros((1, 16, 16, 3), np.float32)] * 2)


@case("inference: no inputs", "runtime.bad-input", "0", "1")
def _(folder, rknn):
    running(folder, rknn).inference([])


@case("inference: dtype object", "general.invalid-argument", "object")
def _(folder, rknn):
    running(folder, rknn).inference([np.full((1, 16, 16, 3), None)])


@case("inference: dtype complex", "general.invalid-argument", "complex64")
def _(folder, rknn):
    running(folder, rknn).inference([np.zeros((1, 16, 16, 3), np.complex64)])


@case("inference: None in the list", "general.invalid-argument", "inputs[0]", "None")
def _(folder, rknn):
    running(folder, rknn).inference([None])


@case("inference: NaN", "runtime.not-finite", "image", "NaN")
def _(folder, rknn):
    bad = np.zeros((1, 16, 16, 3), np.float32)
    bad[0, 3, 2, 1] = np.nan
    running(folder, rknn).inference([bad])


@case("inference: NaN in float64", "runtime.not-finite", "image", "NaN")
def _(folder, rknn):
    running(folder, rknn).inference([np.full((1, 16, 16, 3), np.nan)])


@case("inference: NaN in float16", "runtime.not-finite", "image", "NaN")
def _(folder, rknn):
    running(folder, rknn).inference([np.full((1, 16, 16, 3), np.nan, np.float16)])


@case("inference: unknown data_format", "runtime.bad-input", "'nchv'", "'nhwc'")
def _(folder, rknn):
    running(folder, rknn).inference([np.zeros((1, 16, 16, 3), np.float32)], data_format="nchv")


@case("inference: data_format for too many inputs", "runtime.bad-input", "data_format", "2", "1")
def _(folder, rknn):
    running(folder, rknn).inference([np.zeros((1, 16, 16, 3), np.float32)], data_format=["nhwc", "nhwc"])


@case("inference: data_format is a number", "runtime.bad-input", "data_format", "got 5")
def _(folder, rknn):
    running(folder, rknn).inference([np.zeros((1, 16, 16, 3), np.float32)], data_format=5)


@case("inference: inputs_pass_through is a number", "runtime.bad-input", "inputs_pass_through", "got 5")
def _(folder, rknn):
    running(folder, rknn).inference([np.zeros((1, 16, 16, 3), np.float32)], inputs_pass_through=5)


@case("inference: floats passed through to codes", "runtime.bad-input", "image", "i8", "f32")
def _(folder, rknn):
    calibrate(folder, rknn, "samples/good.npy\n", good=GOOD)
    rknn.init_runtime()
    rknn.inference([np.zeros((1, 16, 16, 3), np.float32)], inputs_pass_through=[1])


@case("inference: rows of different lengths", "general.invalid-argument", "inputs[0]", "numpy array")
def _(folder, rknn):
    running(folder, rknn).inference([[[1, 2], [3]]])


# ---- .rknn files


def small_rknn(folder):
    path = folder / "whole.rknn"
    openrknn.compile(
        openrknn.import_model(small_models.save(small_models.cnn(), folder / "cnn.onnx")),
        quantize=None,
        keep_golden=True,
        custom_string="for the sections",
    ).save(path)
    return path


@case(".rknn missing", "general.file-not-found", "nowhere.rknn")
def _(folder, rknn):
    rknn.load_rknn(str(folder / "nowhere.rknn"))


@case(".rknn empty", "rknn.", "empty.rknn")
def _(folder, rknn):
    (folder / "empty.rknn").write_bytes(b"")
    rknn.load_rknn(str(folder / "empty.rknn"))


@case(".rknn of other bytes", "rknn.bad-magic", "other.rknn")
def _(folder, rknn):
    (folder / "other.rknn").write_bytes(small_models.cnn().SerializeToString())
    rknn.load_rknn(str(folder / "other.rknn"))


@case(".rknn cut in half", "rknn.", "half.rknn")
def _(folder, rknn):
    whole = small_rknn(folder).read_bytes()
    (folder / "half.rknn").write_bytes(whole[: len(whole) // 2])
    rknn.load_rknn(str(folder / "half.rknn"))


@case(".rknn with one bit flipped", "rknn.damaged", "flipped.rknn")
def _(folder, rknn):
    bytes_ = bytearray(small_rknn(folder).read_bytes())
    bytes_[len(bytes_) // 2] ^= 0x10
    (folder / "flipped.rknn").write_bytes(bytes_)
    rknn.load_rknn(str(folder / "flipped.rknn"))


@pytest.mark.parametrize("title", CASES)
def test_bad_input(title, tmp_path):
    _, code, mentions = CASES[title]
    message, left = message_of(title, tmp_path)
    assert message is not None, "accepted"
    assert re.search(r"\[[a-z]+\.[a-z-]+\]|E\d{4}", message), f"no code in: {message}"
    for mention in (code, *mentions):
        assert mention in message, f"{mention!r} is not in: {message}"
    assert not left, f"left behind: {left}"


def test_bad_input_table(tmp_path):
    rows = []
    for i, title in enumerate(CASES):
        folder = tmp_path / str(i)
        folder.mkdir()
        message, _ = message_of(title, folder)
        message = message or "(accepted)"
        rows.append((title, message.replace(str(folder), "…").replace("\n", "<br>").replace("|", "\\|")))
    print("\n| case | message |\n|---|---|")
    for title, message in rows:
        print(f"| {title} | {message} |")
    assert "(accepted)" not in dict(rows).values()


# ---- damage in every place


@pytest.fixture
def whole(tmp_path):
    return small_rknn(tmp_path)


def sections_of(path):
    from tools_of_the_build import command_line

    done = subprocess.run([*command_line(), "inspect", path, "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["sections"]


def refuse_everywhere(path):
    """Every way to open the file: each raises, none dies."""
    with pytest.raises(openrknn.Error) as caught:
        openrknn.load(path)
    assert caught.value.code.startswith("E05")
    with pytest.raises(RuntimeError):
        openrknn.InferenceSession(path)
    with pytest.raises(RuntimeError):
        openrknn.InferenceSession(path.read_bytes())
    return str(caught.value)


def test_a_flip_in_any_section_is_found_and_named(whole, tmp_path):
    damaged = tmp_path / "damaged.rknn"
    sections = sections_of(whole)
    assert len(sections) >= 3
    for section in sections:
        for where in {0, section["size"] // 2, section["size"] - 1} if section["size"] else set():
            content = bytearray(whole.read_bytes())
            content[section["offset"] + where] ^= 0x01
            damaged.write_bytes(content)
            message = refuse_everywhere(damaged)
            assert "damaged.rknn" in message
            assert f"'{section['name']}'" in message


def test_every_truncation_is_refused(whole, tmp_path):
    content = whole.read_bytes()
    damaged = tmp_path / "damaged.rknn"
    lengths = {*range(0, 80), *np.linspace(80, len(content) - 1, 150).astype(int).tolist(), len(content) - 1}
    for length in sorted(lengths):
        damaged.write_bytes(content[:length])
        refuse_everywhere(damaged)


def test_flips_of_single_bits_never_give_other_outputs(whole, tmp_path):
    """A flipped bit is refused, or it lies where nothing is read and the outputs are the same."""
    seed = 20
    random = np.random.default_rng(seed)
    content = whole.read_bytes()
    x = np.arange(768, dtype=np.uint8).reshape(1, 3, 16, 16)
    wanted = openrknn.load(whole).run([x])
    damaged = tmp_path / "damaged.rknn"
    places = [*range(0, 64), *random.integers(0, len(content), 200).tolist(), *range(len(content) - 64, len(content))]
    refused = 0
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(random.integers(0, 8))
        damaged.write_bytes(flipped)
        try:
            got = openrknn.load(damaged).run([x])
        except openrknn.Error:
            refused += 1
            continue
        assert all(map(np.array_equal, got, wanted)), f"seed {seed}, byte {place}"
    assert refused > len(places) // 2


def test_truncated_onnx_files_never_die(tmp_path):
    content = small_models.cnn().SerializeToString()
    for length in np.linspace(0, len(content) - 1, 120).astype(int):
        path = tmp_path / "short.onnx"
        path.write_bytes(content[:length])
        with pytest.raises(openrknn.Error):
            openrknn.import_model(path)


def test_flipped_onnx_files_never_die(tmp_path):
    seed = 21
    random = np.random.default_rng(seed)
    content = small_models.cnn().SerializeToString()
    path = tmp_path / "flipped.onnx"
    for _ in range(200):
        flipped = bytearray(content)
        flipped[int(random.integers(0, len(content)))] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(flipped)
        try:
            openrknn.import_model(path)
        except openrknn.Error as error:
            assert re.search(r"E\d{4}", str(error)), f"seed {seed}: {error}"  # noqa: PT017
