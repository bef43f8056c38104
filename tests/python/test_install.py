"""What `cmake --install` puts down is enough to build and run programs, found by CMake and by pkg-config."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from tools_of_the_build import cmake, tool  # noqa: E402

import openrknn  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "session_cpp"
PROGRAMS = Path(__file__).parents[1] / "capi" / "programs"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installation, moved after it was made: nothing in it may name where it was."""
    build = Path(tool("")).parent
    folder = tmp_path_factory.mktemp("install")
    cmake("--install", build, "--prefix", folder / "made", "--strip")
    return (folder / "made").rename(folder / "moved")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A file, and what the example prints of it."""
    folder = tmp_path_factory.mktemp("model")
    path = small_models.save(small_models.cnn(), folder / "cnn.onnx")
    compiled = openrknn.compile(path, quantize=None)
    compiled.save(folder / "cnn.rknn")
    counting = (np.arange(3 * 16 * 16) % 256).astype(np.float32).reshape(1, 3, 16, 16)
    outputs = compiled.run([counting])
    lines = [
        f"{name}: " + " ".join(f"{value:.9g}" for value in output.ravel()[:4])
        for name, output in zip(["scores", "pooled"], outputs, strict=True)
    ]
    return folder / "cnn.rknn", lines


def check(program, model, **environment):
    file, lines = model
    bare = {name: value for name, value in os.environ.items() if name not in ("LD_LIBRARY_PATH", "OPENRKNN_RUNTIME")}
    done = subprocess.run(
        [program, file], capture_output=True, text=True, timeout=300, env={**bare, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    runtime, *printed = done.stdout.splitlines()
    assert "openrknn" in runtime
    assert printed == lines


def pkg_config(prefix, *arguments):
    found = next(prefix.glob("lib*/**/openrknn.pc")).parent
    done = subprocess.run(
        ["pkg-config", *arguments], capture_output=True, text=True, env={**os.environ, "PKG_CONFIG_PATH": str(found)}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_cmake_finds_the_session(prefix, model, tmp_path):
    build = tmp_path / "build"
    cmake("-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    cmake("--build", build)
    cmake("--install", build, "--prefix", prefix)
    check(prefix / "bin" / "session_example", model)  # finds lib/librknnrt.so from its own place


def test_pkg_config_finds_the_session(prefix, model, tmp_path):
    program = tmp_path / "example"
    flags = pkg_config(prefix, "--cflags", "--libs", "openrknn")
    subprocess.run(["c++", "-std=c++20", EXAMPLE / "main.cpp", "-o", program, *flags], check=True, timeout=300)
    check(program, model, OPENRKNN_RUNTIME=pkg_config(prefix, "--variable=runtime", "rknnrt")[0])


def test_pkg_config_finds_the_c_api(prefix, model, tmp_path):
    program = tmp_path / "general"
    flags = pkg_config(prefix, "--cflags", "--libs", "rknnrt")
    libraries = pkg_config(prefix, "--variable=libdir", "rknnrt")[0]
    subprocess.run(["cc", "-std=c99", PROGRAMS / "general.c", "-o", program, *flags], check=True, timeout=300)
    np.zeros((16, 16, 3), np.uint8).tofile(tmp_path / "image.bin")
    subprocess.run(
        [program, model[0], tmp_path / "out", tmp_path / "image.bin"],
        check=True,
        env={**os.environ, "LD_LIBRARY_PATH": libraries},
    )
    assert (tmp_path / "out0.float").stat().st_size == 40


def test_only_our_own_headers_and_libraries_are_installed(prefix):
    headers = {str(path.relative_to(prefix / "include")) for path in (prefix / "include").rglob("*") if path.is_file()}
    repository = Path(__file__).parents[2] / "include"
    assert headers == {str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file()}
    for name in headers:  # and they need nothing that is not installed with them
        text = (prefix / "include" / name).read_text()
        for included in re.findall(r'#include "([^"]+)"', text):
            assert included in headers, (name, included)
        for included in re.findall(r"#include <([^>]+)>", text):
            assert re.fullmatch(r"[a-z_]+|std[a-z]+\.h", included), (name, included)
    libraries = {path.name for path in prefix.glob("lib*/**/*") if path.suffix in (".so", ".a")}
    assert libraries == {"librknnrt.so", "libopenrknn_session.a"}
    assert not (prefix / "openrknn").exists()  # the wheel's
