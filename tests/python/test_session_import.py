"""What importing the packages does, and does not: names, types, no runtime, no threads."""

import ast
import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("openrknn._core")

import openrknn  # noqa: E402
import ztu_somemodelruntime_ez_rknn_async as ez  # noqa: E402

PACKAGES = ["openrknn", "ztu_somemodelruntime_ez_rknn_async", "rknnlite.api"]


def run_python(script, **environment):
    path = os.pathsep.join(str(Path(each).resolve()) for each in sys.path if each)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_has_no_side_effects(package):
    done = run_python(
        f"""
        import os, pathlib, signal, sys, threading, warnings
        import numpy
        warnings.simplefilter("error")
        def state():
            handlers = [signal.getsignal(number) for number in signal.valid_signals()]
            libraries = "librknnrt" in pathlib.Path("/proc/self/maps").read_text()
            return (threading.active_count(), len(os.listdir("/proc/self/task")), handlers, dict(os.environ),
                    os.getcwd(), sys.excepthook, sys.unraisablehook, libraries)
        before = state()
        import {package}
        assert state() == before, (before, state())
        """,
        OPENRKNN_RUNTIME="/no/such/librknnrt.so",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("variables", "options", "named"),
    [
        ({"OPENRKNN_RUNTIME": "/no/such.so"}, {}, "/no/such.so"),
        ({"ZTU_RKNPU2_RUNTIME_LIBRARY": "/neither/this.so"}, {}, "/neither/this.so"),
        ({"OPENRKNN_RUNTIME": "/no/such.so"}, {"runtime_library": "/nor/that.so"}, "/nor/that.so"),
    ],
)
def test_without_a_runtime_constructing_names_the_places_searched(monkeypatch, variables, options, named):
    for name in ("OPENRKNN_RUNTIME", "ZTU_RKNPU2_RUNTIME_LIBRARY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RuntimeError) as raised:
        openrknn.InferenceSession(b"x", provider_options=options)
    text = str(raised.value)
    assert text.startswith(
        "no RKNN runtime library (librknnrt.so) could be opened; set OPENRKNN_RUNTIME to its path. Tried:"
    )
    assert named in text and all(other not in text for other in variables.values() if other != named)


def test_a_library_that_is_no_runtime_is_told_apart(tmp_path):
    for runtime, what in ((tmp_path / "empty.so", "file too short"), ("libm.so.6", "lacks rknn_init, ")):
        if isinstance(runtime, Path):
            runtime.write_bytes(b"")
        with pytest.raises(RuntimeError, match=what):
            openrknn.InferenceSession(b"x", provider_options={"runtime_library": runtime})


@pytest.mark.parametrize("variable", ["OPENRKNN_RUNTIME", "ZTU_RKNPU2_RUNTIME_LIBRARY"])
def test_variables_name_the_runtime(stub, monkeypatch, variable):
    for name in ("OPENRKNN_RUNTIME", "ZTU_RKNPU2_RUNTIME_LIBRARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, stub.path)
    with openrknn.InferenceSession(b"input x f32 1\noutput y f32 1\nversion 2.4.1\n") as session:
        assert session.runtime_info["path"] == stub.path


def test_public_names():
    assert ez.__all__ == [
        "IOBinding",
        "InferenceSession",
        "ModelMetadata",
        "NodeArg",
        "OrtValue",
        "RknnProviderOptions",
        "Rknpu2ProviderOptions",
        "Rknpu3ProviderOptions",
        "SessionIOBinding",
        "__version__",
        "make_provider_options",
        "make_rknpu2_provider_options",
        "make_rknpu3_provider_options",
    ]
    for name in ez.__all__:
        assert getattr(ez, name) is getattr(openrknn, name, getattr(ez, name))
    assert ez.IOBinding is ez.SessionIOBinding
    assert ez.__version__ == openrknn.__version__
    for name in openrknn.__all__:
        getattr(openrknn, name)
    from ztu_somemodelruntime_ez_rknn_async.options import LayoutLike, PathLikeStr, ScheduleLike, TpModeLike

    assert all(each is not None for each in (LayoutLike, PathLikeStr, ScheduleLike, TpModeLike))


METHODS = {
    "InferenceSession": "run run_async run_pipeline io_binding run_with_iobinding get_inputs get_outputs get_native_inputs "
    "get_native_outputs get_modelmeta get_providers get_provider_options input_names output_names",
    "OrtValue": "ortvalue_from_numpy ortvalue_from_shape_and_type ortvalue_from_dmabuf numpy update_inplace data_ptr "
    "device_name device_type device_id shape element_type is_tensor has_value sync_to_device sync_from_device memory_info",
    "IOBinding": "bind_cpu_input bind_input bind_ortvalue_input bind_ortvalue_output bind_output get_outputs "
    "copy_outputs_to_cpu clear_binding_inputs clear_binding_outputs synchronize_inputs synchronize_outputs",
    "NodeArg": "name shape type layout strides",
    "ModelMetadata": "custom_metadata_map",
}


@pytest.mark.parametrize("name", METHODS)
def test_classes_have_the_documented_members(name):
    missing = [member for member in METHODS[name].split() if not hasattr(getattr(ez, name), member)]
    assert missing == []


def test_errors_are_caught_as_what_scripts_expect():
    assert issubclass(openrknn.RknnError, RuntimeError)
    assert issubclass(openrknn.OptionError, openrknn.RknnError) and issubclass(openrknn.OptionError, ValueError)
    assert issubclass(openrknn.SessionTimeout, openrknn.RknnError) and issubclass(openrknn.SessionTimeout, TimeoutError)
    assert issubclass(openrknn.TaskCancelled, openrknn.RknnError)
    for error in (openrknn.Error, openrknn.RknnError, openrknn.OptionError, openrknn.SessionTimeout):
        assert error.__module__ == "openrknn"


@pytest.mark.parametrize("package", ["openrknn", "ztu_somemodelruntime_ez_rknn_async"])
def test_packages_say_that_they_are_typed(package):
    assert Path(importlib.import_module(package).__file__).with_name("py.typed").is_file()


def test_the_extension_has_stubs_with_all_its_names():
    stub = Path(openrknn.__file__).with_name("_core.pyi")
    if not stub.is_file():
        pytest.skip("stubs are not built for sanitizers and cross builds")
    tree = ast.parse(stub.read_text())
    described = {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    described |= {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    public = {name for name in vars(openrknn._core) if not name.startswith("_")}
    assert public - described == set()
    methods = {
        n.name
        for c in tree.body
        if isinstance(c, ast.ClassDef) and c.name == "Session"
        for n in c.body
        if isinstance(n, ast.FunctionDef)
    }
    assert {"run", "run_async", "run_pipeline", "close", "stats"} <= methods
