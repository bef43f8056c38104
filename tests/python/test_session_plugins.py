"""Custom-operator plug-ins of a session: which are loaded, what is warned of, what is refused."""

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from stub_runtime import ECHO  # noqa: E402

import openrknn  # noqa: E402

DISABLED = "Custom op loading requested; dup_context is disabled for this session to avoid known RKNN stability issues."
DEFAULT_DIRECTORY = "/usr/lib/rknpu/op_plugins/"


@pytest.fixture
def sigmoid():
    return plugin("sigmoid")


@pytest.fixture
def dual_residual():
    return plugin("dual_residual")


def plugin(name):
    path = Path(os.environ.get("OPENRKNN_TEST_TOOLS", "")).parent / f"examples/custom_op_plugin/librkcst_{name}.so"
    if not path.is_file():
        pytest.skip("the example plug-ins are not built")
    return path.resolve()


def opened(stub, **options):
    """The session, or the error; and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = stub.session(ECHO, **options)
        except openrknn.RknnError as error:
            result = str(error)
    return result, [str(each.message) for each in caught]


@pytest.mark.parametrize("key", ["custom_op_path", "custom_op_paths"])
def test_plugins_are_registered_in_one_call_a_context(stub, sigmoid, dual_residual, key):
    stub.record_calls()
    session, said = opened(stub, **{key: [sigmoid, str(dual_residual)], "schedule": [0, 1]})
    assert said == [DISABLED]
    assert [count for _, count in stub.recorded_calls("rknn_register_custom_ops")] == [2, 2]
    assert (stub.calls("rknn_init"), stub.calls("rknn_dup_context")) == (2, 0)
    assert session.run(None, np.full((1, 4), 2, np.float32))[0][0, 0] == 2
    binding = session.io_binding  # needs one more context, which bytes cannot give without rknn_dup_context
    with pytest.raises(openrknn.RknnError, match="open the model by its path"):
        binding()


def test_both_keys_add_up(stub, sigmoid, dual_residual):
    stub.record_calls()
    opened(stub, custom_op_path=sigmoid, custom_op_paths=[dual_residual])
    assert [count for _, count in stub.recorded_calls("rknn_register_custom_ops")] == [2]


@pytest.mark.parametrize("paths", [[], (), None])
def test_no_path_asks_for_nothing(stub, paths):
    session, said = opened(stub, custom_op_paths=paths, schedule=[0, 1])
    assert said == [] and stub.calls("rknn_dup_context") == 1 and stub.calls("rknn_register_custom_ops") == 0


def test_a_file_that_cannot_be_opened_is_warned_of_and_refused(stub, tmp_path):
    path = tmp_path / "librkcst_none.so"
    error, said = opened(stub, custom_op_path=path)
    assert error.startswith(f"dlopen {path} fail: ") and str(path) in error
    assert said == [DISABLED, error + " (this could lead to a crash due to internal bugs of rknnrt)"]
    assert stub.live_contexts == 0


def test_a_plugin_that_names_no_runtime_finds_the_sessions(stub, tmp_path):
    """In a process of its own: the runtime then is everybody's until the process ends."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, path = tmp_path / "asks.c", tmp_path / "librkcst_asks.so"
    source.write_text(
        "void rknn_custom_op_get_op_attr(void*, const char*, void*);\n"
        "void* get_rknn_custom_op(void) { rknn_custom_op_get_op_attr(0, 0, 0); return 0; }\n"
    )
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", path], check=True)
    script = f"""
import openrknn
try:
    openrknn.InferenceSession({ECHO.encode()!r}, provider_options={{"runtime_library": {stub.path!r}, "custom_op_path": {str(path)!r}}})
except openrknn.RknnError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(each).resolve()) for each in sys.path if each)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "get_rknn_custom_op returned null\n", done.stderr


def test_a_library_without_the_entry_is_refused(stub):
    error, said = opened(stub, custom_op_path=stub.path)
    assert error.startswith("dlsym fail for get_rknn_custom_op: ") and said == [DISABLED]
    assert stub.live_contexts == 0


def test_a_plugin_that_gives_nothing_is_refused(stub, tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, path = tmp_path / "null.c", tmp_path / "librkcst_null.so"
    source.write_text("void* get_rknn_custom_op(void) { return 0; }\n")
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", path], check=True)
    assert opened(stub, custom_op_path=path)[0] == "get_rknn_custom_op returned null"


def test_the_same_operator_twice_is_refused(stub, sigmoid):
    error, _ = opened(stub, custom_op_paths=[sigmoid, sigmoid])
    assert error.startswith("Duplicate custom op definition detected: cstSigmoid (version=")
    assert error.endswith(f") from {sigmoid}")
    assert stub.live_contexts == 0


def test_a_registration_that_fails_is_named(stub, sigmoid):
    stub.fail("rknn_register_custom_ops")
    assert opened(stub, custom_op_path=sigmoid)[0].startswith("rknn_register_custom_ops failed: RKNN_ERR_FAIL (-1)")
    assert stub.live_contexts == 0


@pytest.mark.skipif(os.path.isdir(DEFAULT_DIRECTORY), reason="this machine has a plug-in directory")
@pytest.mark.parametrize("key", ["custom_op_default_path", "load_custom_ops_from_default_path"])
def test_an_absent_default_directory_is_only_warned_of(stub, key):
    session, said = opened(stub, **{key: True, "schedule": [0, 1]})
    assert said == [DISABLED, f"Default plugin directory does not exist: {DEFAULT_DIRECTORY}"]
    assert (stub.calls("rknn_init"), stub.calls("rknn_register_custom_ops")) == (2, 0)
    assert session.run(None, np.zeros((1, 4), np.float32))


def test_of_two_switches_for_the_default_directory_the_last_wins(stub):
    _, said = opened(stub, custom_op_default_path=True, load_custom_ops_from_default_path=False)
    assert said == []


def test_warnings_point_at_the_callers_line(stub):
    with pytest.warns(UserWarning) as caught:
        openrknn.InferenceSession(
            ECHO.encode(), provider_options={"runtime_library": stub.path, "custom_op_default_path": True}
        ).close()
    assert [each.filename for each in caught] == [__file__, __file__]
