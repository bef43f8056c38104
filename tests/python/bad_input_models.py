"""Bad ONNX files and configurations. See test_bad_input.py."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from bad_input import SHAPE, case, load, load_made  # noqa: E402
from onnx import helper  # noqa: E402
from small_models import constant, model, value  # noqa: E402

# ---- ONNX files


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
    rknn.config(target_platform="rk1", quantized_dtype="int3", optimization_level=9, compress_weight=3)
