"""Bad datasets and calls in a wrong order. See test_bad_input.py."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from bad_input import GOOD, calibrate, case, load, running  # noqa: E402

# ---- datasets


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


@case("init_runtime on a device that is not there", "server.unreachable", "127.0.0.1:1", "openrknn serve")
def _(folder, rknn):
    running(folder, rknn)
    rknn.init_runtime(target="rk3588", device_id="127.0.0.1:1")


@case("inference before init_runtime", "runtime.not-initialized", "init_runtime")
def _(folder, rknn):
    load(rknn, small_models.save(small_models.cnn(), folder / "cnn.onnx"))
    rknn.build(do_quantization=False)
    rknn.inference([np.zeros((1, 16, 16, 3), np.uint8)])
