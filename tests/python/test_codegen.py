"""Generated C++ projects build, run on the C API and give the simulator's bits, here and on a board's CPU."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from tools_of_the_build import board_program, cmake, command_line, environment_with_cmake  # noqa: E402

import openrknn  # noqa: E402

MEAN, STD = [120.0, 110.0, 100.0], [60.0, 50.0, 40.0]
SETS = [[[1, 3, 24, 32]], [[1, 3, 16, 16]]]


def nchw(image):
    return image.transpose(2, 0, 1)[None]


def build_program(folder, *options):
    """Configures and builds a project; the program."""
    build = folder / "build"
    cmake("-S", folder, "-B", build, "-DCMAKE_CXX_FLAGS=-O1 -Werror", *options)
    cmake("--build", build, "-j1")
    return build / "rknn_app_demo"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program of a project, built once: the sources are the same for every model."""
    folder = tmp_path_factory.mktemp("program")
    path = small_models.save(small_models.cnn(), folder / "cnn.onnx")
    openrknn.compile(path, quantize=None).save(folder / "cnn.rknn")
    openrknn.codegen(folder / "cnn.rknn", folder / "project")
    return [str(build_program(folder / "project"))]


def run(program, project, inputs, repeats=2, code=0):
    """The program in the project's folder: what it prints."""
    joined = "#".join(map(str, inputs))
    (model,) = (project / "model").iterdir()
    done = subprocess.run(
        [*program, f"model/{model.name}", joined, str(repeats)],
        cwd=project, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def assert_equal_outputs(printed, project, expected):
    """Every output has cosine 1 with golden; golden and the program's are the expected arrays, by file stem."""
    assert re.findall(r"^    cosine similarity: (\S+)$", printed, re.M) == ["1.000000"] * len(expected)
    for part in ("golden", "runtime"):
        folder = project / "data/outputs" / part
        assert sorted(path.stem for path in folder.iterdir()) == sorted(expected)
        for stem, array in expected.items():
            got = np.load(folder / f"{stem}.npy")
            assert got.dtype == array.dtype and got.shape == array.shape
            assert got.tobytes() == array.tobytes(), f"{part} of {stem}"


def int8_cnn(folder, **options):
    path = small_models.save(small_models.cnn(), folder / "cnn.onnx")
    shape = options.get("dynamic_input", [[[1, 3, 16, 16]]])[0][0][2:]
    samples = [nchw(small_models.photo(*shape, seed)).astype(np.float32) for seed in range(4)]
    openrknn.compile(path, dataset=samples, mean=MEAN, std=STD, **options).save(folder / "cnn.rknn")
    return folder / "cnn.rknn"


def outputs(file, *arrays, names=("scores", "pooled")):
    return dict(zip(names, openrknn.load(file).run(list(arrays)), strict=True))


@pytest.mark.proves("codegen.output_path", "codegen.inputs")
def test_rknn_class_writes_a_project_whose_program_agrees_with_the_simulator(rknn, cnn, dataset, program, tmp_path):
    each = rknn()
    assert each.config(target_platform="rk3588", mean_values=[MEAN], std_values=[STD]) == 0
    assert each.load_onnx(str(cnn)) == 0
    assert each.build(do_quantization=True, dataset=str(dataset)) == 0
    file, project = tmp_path / "my net.rknn", tmp_path / "deep" / "project"
    assert each.export_rknn(str(file)) == 0
    image = nchw(small_models.photo(16, 16, 9)).astype(np.float32)
    np.save(tmp_path / "sample #1.npy", image)
    assert each.codegen(project, [tmp_path / "sample #1.npy"]) == 0

    for name in ("README.md", "CMakeLists.txt", "build-linux.sh", "build-android.sh", "src/main.cc", "src/rknn_app.cc",
                 "src/rknn_app.h", "src/data_utils.h", "src/path_utils.h", "src/timer.h"):  # fmt: skip
        assert (project / name).stat().st_size > 0
    assert os.access(project / "build-linux.sh", os.X_OK)
    assert (project / "libs/include/rknn_api.h").read_bytes() == (
        Path(__file__).parents[2] / "include/rknn_api.h"
    ).read_bytes()
    assert (project / "model/my_net.rknn").read_bytes() == file.read_bytes()
    assert "data/inputs/sample__1.npy" in (project / "README.md").read_text()

    printed = run(program, project, ["data/inputs/sample__1.npy"], repeats=3)
    times = [float(time) for time in re.findall(r"^  loop\[\d\] time: ([\d.]+) ms$", printed, re.M)]
    assert len(times) == 3
    assert re.search(r"^Average time: [\d.]+ ms$", printed, re.M)
    assert re.findall(r"^  output\[(\d)\] - (\w+):$", printed, re.M) == [("0", "scores"), ("1", "pooled")]
    assert_equal_outputs(printed, project, outputs(file, image))


@pytest.mark.parametrize("extension", ["bmp", "jpg", "png"])
@pytest.mark.parametrize("size", [(30, 20), (11, 40), (32, 32)], ids=["tall", "wide", "twice"])
def test_pictures_are_letterboxed_as_opencv_resizes(program, tmp_path, extension, size):
    cv2 = pytest.importorskip("cv2")
    file, project = int8_cnn(tmp_path), tmp_path / "project"
    picture = tmp_path / f"picture.{extension}"
    cv2.imwrite(str(picture), small_models.photo(*size, 5))
    openrknn.codegen(file, project, [picture])

    height, width = size
    scale = min(16 / height, 16 / width)
    fitted = [int(side * scale + 0.5) for side in size]
    frame = np.full((16, 16, 3), 114, np.uint8)
    top, left = [(16 - side) // 2 for side in fitted]
    red_first = cv2.imread(str(picture))[..., ::-1]
    frame[top : top + fitted[0], left : left + fitted[1]] = cv2.resize(red_first, fitted[::-1])
    expected = outputs(file, nchw(frame))
    assert_equal_outputs(run(program, project, [f"data/inputs/picture.{extension}"]), project, expected)
    # The same pixels for programs without libjpeg and libpng.
    assert_equal_outputs(run(program, project, ["data/inputs/picture.ppm"]), project, expected)


def test_photographs_are_turned_as_exif_says(program, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    file = int8_cnn(tmp_path)
    for orientation in range(1, 9):
        made = image_module.fromarray(small_models.photo(12, 20, 3))
        exif = made.getexif()
        exif[0x0112] = orientation
        picture, project = tmp_path / f"turned{orientation}.jpg", tmp_path / f"project{orientation}"
        made.save(picture, exif=exif)
        openrknn.codegen(file, project, [picture])
        printed = run(program, project, [f"data/inputs/turned{orientation}.jpg"], repeats=1)
        for name in ("scores", "pooled"):
            golden, got = (np.load(project / f"data/outputs/{part}/{name}.npy") for part in ("golden", "runtime"))
            np.testing.assert_array_equal(golden, got, err_msg=printed)


def test_broken_off_photographs_are_refused_and_a_missing_end_marker_is_not(program, tmp_path):
    cv2 = pytest.importorskip("cv2")
    file, project = int8_cnn(tmp_path), tmp_path / "project"
    picture, short = tmp_path / "picture.jpg", tmp_path / "short.jpg"
    cv2.imwrite(str(picture), small_models.photo(40, 40, 5))
    whole = picture.read_bytes()
    picture.write_bytes(whole[:-2])
    openrknn.codegen(file, project, [picture])
    expected = outputs(file, nchw(cv2.resize(cv2.imread(str(picture))[..., ::-1], (16, 16))))
    assert_equal_outputs(run(program, project, ["data/inputs/picture.jpg"]), project, expected)
    short.write_bytes(whole[: len(whole) // 2])
    assert "the file ends too early" in run(program, project, [short], code=1)
    with pytest.raises(openrknn.Error, match="the file ends too early"):
        openrknn.codegen(file, tmp_path / "none", [short])


def test_gray_inputs_take_pictures_in_color(program, tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = small_models.save(small_models.cnn(channels=1), tmp_path / "gray.onnx")
    openrknn.compile(path, quantize=None).save(tmp_path / "gray.rknn")
    for extension in ("bmp", "jpg", "png"):
        picture, project = tmp_path / f"picture.{extension}", tmp_path / extension
        cv2.imwrite(str(picture), small_models.photo(16, 16, 5))
        openrknn.codegen(tmp_path / "gray.rknn", project, [picture])
        expected = outputs(tmp_path / "gray.rknn", cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)[None, None])
        for name in (f"picture.{extension}", "picture.pgm"):
            assert_equal_outputs(run(program, project, [f"data/inputs/{name}"]), project, expected)


def two_inputs(folder):
    path = small_models.save(small_models.two_inputs(), folder / "two.onnx")
    openrknn.compile(path, quantize=None).save(folder / "two.rknn")
    return folder / "two.rknn"


def test_several_inputs_are_joined_by_a_hash(program, tmp_path):
    cv2 = pytest.importorskip("cv2")
    file, project = two_inputs(tmp_path), tmp_path / "project"
    cv2.imwrite(str(tmp_path / "x.png"), small_models.photo(8, 8, 1))
    vector = np.arange(4).reshape(1, 4)  # int64: taken by value
    np.save(tmp_path / "x.npy", vector)
    openrknn.codegen(file, project, [tmp_path / "x.png", tmp_path / "x.npy"])
    inputs = re.search(r"'(data/inputs/.*)' 10", (project / "README.md").read_text()).group(1).split("#")
    assert len(set(inputs)) == 2
    image = nchw(small_models.photo(8, 8, 1)[..., ::-1])
    expected = outputs(file, image, vector.astype(np.float32), names=["sum"])
    assert_equal_outputs(run(program, project, inputs), project, expected)
    assert "got 1 input paths, the model has 2 inputs" in run(program, project, inputs[:1], code=1)


def test_inputs_choose_the_shapes_of_a_dynamic_model(program, tmp_path):
    cv2 = pytest.importorskip("cv2")
    file = int8_cnn(tmp_path, dynamic_input=SETS)
    arrays = {size: nchw(small_models.photo(*size, 7)) for size in [(24, 32), (16, 16)]}
    for size, array in arrays.items():
        np.save(tmp_path / "array.npy", array)
        project = tmp_path / f"array{size[0]}"
        openrknn.codegen(file, project, [tmp_path / "array.npy"])
        printed = run(program, project, ["data/inputs/array.npy"])
        assert "2 sets of input shapes" in printed
        assert_equal_outputs(printed, project, outputs(file, array))
    # A picture takes the set of its size; others go to the first set, the largest.
    for size, shape in [((16, 16), (16, 16)), ((24, 32), (24, 32)), ((48, 64), (24, 32))]:
        picture, project = tmp_path / "picture.bmp", tmp_path / f"picture{size[0]}"
        cv2.imwrite(str(picture), small_models.photo(*size, 7))
        openrknn.codegen(file, project, [picture])
        fitted = cv2.resize(small_models.photo(*size, 7)[..., ::-1], shape[::-1])
        assert_equal_outputs(run(program, project, ["data/inputs/picture.bmp"]), project, outputs(file, nchw(fitted)))
    # Golden of one shape is nothing to compare another shape with.
    np.save(tmp_path / "other.npy", arrays[(24, 32)])
    assert "has the shape [1, 8, 8, 8]" in run(program, tmp_path / "array16", [tmp_path / "other.npy"], code=1)
    np.save(tmp_path / "wrong.npy", np.zeros((1, 3, 5, 5), np.float32))
    assert "fit none of the model's sets" in run(program, tmp_path / "array16", [tmp_path / "wrong.npy"], code=1)


def test_whole_numbers_come_as_they_are(program, tmp_path):
    path = small_models.save(small_models.arg_max(), tmp_path / "net.onnx")
    openrknn.compile(path, quantize=None).save(tmp_path / "net.rknn")
    values = np.array([[3, 1, 4, 1, 5, 9, 2, 6]], np.float64)
    np.save(tmp_path / "x.npy", values)
    openrknn.codegen(tmp_path / "net.rknn", tmp_path / "project", [tmp_path / "x.npy"])
    expected = outputs(tmp_path / "net.rknn", values.astype(np.float32), names=["index", "doubled"])
    assert expected["index"].dtype == np.int64
    assert_equal_outputs(run(program, tmp_path / "project", ["data/inputs/x.npy"]), tmp_path / "project", expected)


def test_a_batch_is_fed_and_compared_as_a_whole(program, tmp_path):
    file = int8_cnn(tmp_path, batch=2)
    images = np.concatenate([nchw(small_models.photo(16, 16, seed)) for seed in (1, 2)])
    np.save(tmp_path / "images.npy", images)
    openrknn.codegen(file, tmp_path / "project", [tmp_path / "images.npy"])
    printed = run(program, tmp_path / "project", ["data/inputs/images.npy"])
    assert_equal_outputs(printed, tmp_path / "project", outputs(file, images))


def test_the_program_says_what_is_wrong(program, tmp_path):
    project = tmp_path / "project"
    openrknn.codegen(int8_cnn(tmp_path), project)
    assert list((project / "data/inputs").iterdir()) == []
    np.save(tmp_path / "image.npy", nchw(small_models.photo(16, 16, 1)))
    printed = run(program, project, [tmp_path / "image.npy"])
    assert "no ./data/outputs/golden/scores.npy to compare with" in printed
    assert np.load(project / "data/outputs/runtime/scores.npy").shape == (1, 10)

    np.save(tmp_path / "wrong.npy", np.zeros((1, 3, 8, 16), np.float32))
    np.save(tmp_path / "complex.npy", np.zeros((1, 3, 16, 16), np.complex64))
    (tmp_path / "short.npy").write_bytes((tmp_path / "image.npy").read_bytes()[:-1])
    (tmp_path / "text.jpg").write_text("no picture")
    for name, message in [
        ("wrong.npy", "the array has the shape [1, 3, 8, 16], input 'image' takes [1, 3, 16, 16] (NCHW)"),
        ("complex.npy", "arrays of '<c8' are not read"),
        ("short.npy", "the file ends too early"),
        ("none.npy", "the file cannot be opened"),
        ("text.jpg", "this is none of JPEG, PNG, BMP, PPM and PGM"),
    ]:
        assert message in run(program, project, [tmp_path / name], code=1)
    assert "repeat_times: got '0'" in run(program, project, [tmp_path / "image.npy"], repeats=0, code=1)
    assert subprocess.run(program, capture_output=True, check=False).returncode == 2
    (project / "model/cnn.rknn").write_bytes(b"nothing")
    assert "rknn_init of model/cnn.rknn failed with code -6" in run(program, project, [tmp_path / "image.npy"], code=1)


def test_blue_comes_first_where_the_dataset_was_read_so(rknn, cnn, dataset, tmp_path):
    cv2 = pytest.importorskip("cv2")
    each = rknn()
    assert each.config(target_platform="rk3588", quant_img_RGB2BGR=True) == 0
    assert each.load_onnx(str(cnn)) == 0
    assert each.build(dataset=str(dataset)) == 0
    file, project = tmp_path / "net.rknn", tmp_path / "project"
    assert each.export_rknn(str(file)) == 0
    cv2.imwrite(str(tmp_path / "picture.bmp"), small_models.photo(16, 16, 5))
    assert each.codegen(str(project), inputs=str(tmp_path / "picture.bmp")) == 0
    expected = outputs(file, nchw(small_models.photo(16, 16, 5)))  # OpenCV wrote its planes as blue, green, red
    program = [str(build_program(project))]
    assert_equal_outputs(run(program, project, ["data/inputs/picture.bmp"]), project, expected)


# ---- refusals


def test_nothing_is_written_before_export(built, tmp_path, capfd):
    each = built()
    assert each.codegen(str(tmp_path / "project")) == -1
    assert "the model has not been exported" in capfd.readouterr().err
    assert not (tmp_path / "project").exists()
    assert each.export_rknn(str(tmp_path / "net.rknn")) == 0
    assert each.codegen(str(tmp_path / "project")) == 0
    assert each.build(do_quantization=False) == 0  # another model, which is not exported yet
    assert each.codegen(str(tmp_path / "another")) == -1


def test_an_existing_folder_is_left_alone(cnn_rknn, tmp_path):
    project, other = tmp_path / "project", tmp_path / "other"
    openrknn.codegen(cnn_rknn, project)
    (project / "notes.txt").write_text("mine")
    with pytest.raises(openrknn.Error, match="the folder exists"):
        openrknn.codegen(cnn_rknn, project)
    assert (project / "notes.txt").exists()
    openrknn.codegen(cnn_rknn, f"{project}/", overwrite=True)
    assert not (project / "notes.txt").exists()
    other.mkdir()
    openrknn.codegen(cnn_rknn, other, overwrite=True)  # nothing in it
    shutil.rmtree(other / "src")
    with pytest.raises(openrknn.Error, match="something else than a generated project"):
        openrknn.codegen(cnn_rknn, other, overwrite=True)
    assert (other / "README.md").exists()
    with pytest.raises(openrknn.Error, match="this is a file"):
        openrknn.codegen(cnn_rknn, cnn_rknn, overwrite=True)


@pytest.mark.proves("codegen.output_path", "codegen.overwrite")
def test_the_class_replaces_a_project_only_where_told(built, tmp_path, capfd):
    each = built()
    assert each.export_rknn(str(tmp_path / "net.rknn")) == 0
    project = tmp_path / "project"
    assert each.codegen(str(project)) == 0
    assert (project / "src/main.cc").exists()
    (project / "notes.txt").write_text("mine")
    assert each.codegen(str(project)) == -1
    assert "the folder exists" in capfd.readouterr().err
    assert (project / "notes.txt").exists()
    assert each.codegen(str(project), overwrite=True) == 0
    assert not (project / "notes.txt").exists()


@pytest.mark.proves("codegen.inputs")
def test_bad_inputs_are_refused_together_and_leave_nothing(built, tmp_path, capfd):
    file = two_inputs(tmp_path)
    np.save(tmp_path / "image.npy", np.zeros((1, 3, 8, 8), np.float32))
    np.save(tmp_path / "nan.npy", np.full((1, 4), np.nan, np.float32))
    np.save(tmp_path / "long.npy", np.zeros((1, 5), np.float32))
    (tmp_path / "text.jpg").write_text("no picture")
    before = sorted(tmp_path.iterdir())
    for inputs, mentions in [
        (["image.npy"], ["got 1 paths, the model has 2 inputs ('image', 'vector')"]),
        (["none.npy", "nan.npy"], ["none.npy", "holds NaN"]),
        (["text.jpg", "text.jpg"], ["none of jpg, png or bmp", "a picture cannot be this input"]),
        (["image.npy", "long.npy"], ["vector", "[1, 5], expected [1, 4]"]),
    ]:
        with pytest.raises(openrknn.Error) as caught:
            openrknn.codegen(file, tmp_path / "project", [tmp_path / name for name in inputs])
        for mention in mentions:
            assert mention in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before

    each = built()
    assert each.export_rknn(str(tmp_path / "cnn.rknn")) == 0
    assert each.codegen(str(tmp_path / "project"), inputs=[str(tmp_path / "none.npy")]) == -1
    assert each.codegen(str(tmp_path / "project"), inputs=[3]) == -1
    assert "expected a list of paths" in capfd.readouterr().err
    assert not (tmp_path / "project").exists()


def test_a_file_without_weights_is_refused(cnn, tmp_path):
    openrknn.compile(cnn, quantize=None, remove_weight=True).save(tmp_path / "half.rknn")
    with pytest.raises(openrknn.Error, match="remove_weight"):
        openrknn.codegen(tmp_path / "half.rknn", tmp_path / "project")


# ---- other ways in


def test_command_line_writes_the_same_project(tmp_path):
    file = two_inputs(tmp_path)
    np.save(tmp_path / "image.npy", np.ones((3, 8, 8), np.float32))
    np.save(tmp_path / "vector.npy", np.ones(4, np.float16))
    inputs = [tmp_path / "image.npy", tmp_path / "vector.npy"]
    openrknn.codegen(file, tmp_path / "native", inputs)
    flags = [part for path in inputs for part in ("--input", path)]
    command = [*command_line(), "codegen", file, tmp_path / "typed", *flags]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    files = sorted(path.relative_to(tmp_path / "native") for path in (tmp_path / "native").rglob("*"))
    assert sorted(path.relative_to(tmp_path / "typed") for path in (tmp_path / "typed").rglob("*")) == files
    for path in files:
        if (tmp_path / "native" / path).is_file():
            assert (tmp_path / "native" / path).read_bytes() == (tmp_path / "typed" / path).read_bytes()
    again = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 1 and "the folder exists" in again.stderr


def test_build_script_installs_what_a_device_needs(tmp_path):
    project = tmp_path / "project"
    file = two_inputs(tmp_path)
    np.save(tmp_path / "image.npy", np.ones((1, 3, 8, 8), np.float32))
    np.save(tmp_path / "vector.npy", np.ones((1, 4), np.float32))
    openrknn.codegen(file, project, [tmp_path / "image.npy", tmp_path / "vector.npy"])
    machine = os.uname().machine
    if not (project / f"libs/Linux/{machine}/librknnrt.so").exists():
        pytest.skip("the runtime in use was not found as a file")
    environment = environment_with_cmake()
    command = ["sh", project / "build-linux.sh", "--", "-DCMAKE_CXX_FLAGS=-O0", "-DRKNN_APP_LINKS_JPEG=OFF"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    installed = (project / f"install/linux_{machine}").rename(tmp_path / "device")
    shutil.rmtree(project)
    inputs = ["data/inputs/image.npy", "data/inputs/vector.npy"]
    expected = outputs(file, np.ones((1, 3, 8, 8)), np.ones((1, 4)), names=["sum"])
    assert_equal_outputs(run([str(installed / "rknn_app_demo")], installed, inputs), installed, expected)
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff")
    printed = run([str(installed / "rknn_app_demo")], installed, [tmp_path / "x.jpg", inputs[1]], code=1)
    assert "built without libjpeg" in printed


def test_project_on_a_board(tmp_path):
    """Cross built for the CPU of the build whose tests folder OPENRKNN_BOARD_TOOLS names, against its runtime."""
    cv2 = pytest.importorskip("cv2")
    *runner, library = board_program("librknnrt.so", folder="src/runtime")
    compiler = "aarch64-linux-gnu-g++" if runner else "c++"
    if shutil.which(compiler) is None or (runner and shutil.which(runner[0]) is None):
        pytest.skip(f"no {compiler} or nothing that runs its programs here")
    file, project = int8_cnn(tmp_path), tmp_path / "project"
    cv2.imwrite(str(tmp_path / "picture.bmp"), small_models.photo(30, 20, 5))
    openrknn.codegen(file, project, [tmp_path / "picture.bmp"])
    options = [f"-DRKNN_RUNTIME_DIR={Path(library).parent}", f"-DCMAKE_CXX_COMPILER={compiler}"]
    if runner:
        options += ["-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"]
    program = [*runner, str(build_program(project, *options))]
    printed = run(program, project, ["data/inputs/picture.bmp"])
    assert re.findall(r"cosine similarity: (\S+)", printed) == ["1.000000"] * 2
    for name in ("scores", "pooled"):
        golden, got = (np.load(project / f"data/outputs/{part}/{name}.npy") for part in ("golden", "runtime"))
        assert golden.tobytes() == got.tobytes()
