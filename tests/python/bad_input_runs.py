"""Arrays that do not fit the model and .rknn files that are none. See test_bad_input.py."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from bad_input import GOOD, SHAPE, calibrate, case, running, small_rknn  # noqa: E402

# ---- inference


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
