"""What else InferenceSession's constructor takes and does: providers, models, checks in order, contexts, versions."""

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from session_calls import APath  # noqa: E402
from stub_runtime import ECHO  # noqa: E402

import openrknn  # noqa: E402
import ztu_somemodelruntime_ez_rknn_async as ez  # noqa: E402

# ---- providers


@pytest.mark.parametrize(
    "providers",
    [
        None,
        [],
        ["RKNPU2ExecutionProvider"],
        "RKNPU2ExecutionProvider",
        ["RKNNExecutionProvider"],
        ["CPUExecutionProvider"],
        ("CUDAExecutionProvider", "RKNPU2ExecutionProvider"),
        [("CUDAExecutionProvider", {"device_id": 0}), "RKNPU2ExecutionProvider"],
        [("RKNPU2ExecutionProvider", {})],
        [("RKNPU2ExecutionProvider", None)],
    ],
)
def test_forms_of_providers(stub, providers):
    options = {"runtime_library": stub.path, "max_queue_size": np.int64(5)}
    with openrknn.InferenceSession(ECHO.encode(), None, providers, options) as session:
        assert session.get_providers() == ["RKNPU2ExecutionProvider"]
        assert session.get_provider_options() == {"RKNPU2ExecutionProvider": options}


@pytest.mark.parametrize("name", ["RKNPU2ExecutionProvider", "RKNNExecutionProvider"])
def test_options_may_come_with_the_provider(stub, name):
    options = {"runtime_library": stub.path, "layout": "nhwc"}
    with openrknn.InferenceSession(ECHO.encode(), providers=[(name, options)]) as session:
        assert session.get_provider_options() == {"RKNPU2ExecutionProvider": options}
    with pytest.raises(openrknn.OptionError, match="Unknown layout: hwc"):
        openrknn.InferenceSession(ECHO.encode(), providers=[(name, {"layout": "hwc"})])
    with pytest.raises(openrknn.OptionError, match="in providers and in provider_options; set only one"):
        openrknn.InferenceSession(ECHO.encode(), providers=[(name, options)], provider_options=options)


def test_another_generation_of_npus_is_refused_by_name(stub):
    with pytest.raises(RuntimeError, match="RKNPU3ExecutionProvider drives NPUs of another generation"):
        openrknn.InferenceSession(ECHO.encode(), providers=["RKNPU3ExecutionProvider"])
    with pytest.raises(RuntimeError, match="RKNPU3 is an NPU of another generation"):
        ez.make_rknpu3_provider_options(device_id="0")


def test_a_provider_that_is_ignored_is_logged_once(stub, caplog):
    name = "AProviderNobodyElseNames"
    with caplog.at_level("INFO", "openrknn"):
        for _ in range(2):
            openrknn.InferenceSession(
                ECHO.encode(), providers=[name], provider_options={"runtime_library": stub.path}
            ).close()
    assert [record.getMessage() for record in caplog.records] == [f"provider {name} is not ours and is ignored"]


def test_what_is_available():
    assert openrknn.get_available_providers() == ["RKNPU2ExecutionProvider"]
    assert openrknn.get_device() == "NPU"


# ---- other arguments and the order of checks


def test_unknown_keywords_are_type_errors_but_onnx_runtimes_are_ignored(stub):
    options = {"runtime_library": stub.path}
    with pytest.raises(TypeError, match="unexpected keyword argument 'provider_option'"):
        openrknn.InferenceSession(ECHO.encode(), provider_option=options)
    openrknn.InferenceSession(
        ECHO.encode(), object(), provider_options=options, disabled_optimizers=["x"], enable_fallback=1
    ).close()


@pytest.mark.parametrize("as_what", [str, Path, os.fsencode, APath, bytearray, memoryview])
def test_forms_of_the_model(stub, tmp_path, as_what):
    path = tmp_path / "möbel.rknn"
    path.write_text(ECHO)
    is_content = as_what in (bytearray, memoryview)
    # bytes are the model itself, as documented for 0.11; a path in bytes is nobody's wish
    given = as_what(ECHO.encode()) if is_content else ECHO.encode() if as_what is os.fsencode else as_what(str(path))
    with openrknn.InferenceSession(given, provider_options={"runtime_library": stub.path}) as session:
        assert session.input_names == ["x"]


@pytest.mark.parametrize("model", [3, 1.5, None, object()])
def test_models_of_other_types_are_type_errors(stub, model):
    with pytest.raises(TypeError, match=f"expected str, bytes or os.PathLike object, not {type(model).__name__}"):
        openrknn.InferenceSession(model, provider_options={"runtime_library": stub.path})


def test_a_missing_file_is_named(stub, tmp_path):
    for path in (tmp_path / "no.rknn", tmp_path):
        with pytest.raises(openrknn.RknnError) as raised:
            openrknn.InferenceSession(path, provider_options={"runtime_library": stub.path})
        assert str(raised.value) == f"Failed to open model file: {path}"


def test_checks_come_in_the_documented_order(stub, tmp_path):
    missing, bad = tmp_path / "no.rknn", {"layout": "hwc"}
    with pytest.raises(RuntimeError, match="^use_weight_from must be an InferenceSession or None$"):
        openrknn.InferenceSession(missing, provider_options=bad, use_weight_from="x")
    with pytest.raises(RuntimeError, match="^Unknown layout: hwc$"):
        openrknn.InferenceSession(3, provider_options=bad)
    with pytest.raises(RuntimeError, match="conflicts"):
        openrknn.InferenceSession(3, provider_options={"schedule": 0, "tp_mode": "0"})
    with pytest.raises(TypeError, match="os.PathLike"):
        openrknn.InferenceSession(3, provider_options={"runtime_library": "/no/such.so"})
    master = stub.session()
    plugin = {"runtime_library": stub.path, "custom_op_path": "a.so"}
    with pytest.raises(RuntimeError, match="^use_weight_from cannot be combined with custom-op loading$"):
        openrknn.InferenceSession(missing, provider_options=plugin, use_weight_from=master)
    master.close()
    with pytest.raises(RuntimeError, match="^use_weight_from cannot be combined with custom-op loading$"):
        openrknn.InferenceSession(missing, provider_options=plugin, use_weight_from=master)
    with pytest.raises(RuntimeError, match="^use_weight_from must reference an initialized master session$"):
        openrknn.InferenceSession(missing, provider_options={"runtime_library": stub.path}, use_weight_from=master)
    assert stub.calls("rknn_init") == 1


def test_nothing_is_left_of_a_construction_that_fails_at_any_call(stub):
    """The nth call of the C API fails, for every n until construction succeeds."""
    options = {"runtime_library": stub.path, "schedule": [0, 1, 2], "warmup": 1}
    failures = 0
    for nth in range(1, 200):
        stub.library.stub_reset()
        stub.library.stub_fail_any(nth, -1)
        try:
            openrknn.InferenceSession(ECHO.encode(), provider_options=options).close()
        except openrknn.RknnError as error:
            failures += 1
            api = stub.library.stub_failed_api().decode()
            assert api in str(error) and "RKNN_ERR_FAIL (-1): execute failed." in str(error)
            assert (error.code, error.api) == (-1, api)
        assert stub.live_contexts == 0
        if stub.calls() < nth:
            break
    assert failures >= 10


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-1, "RKNN_ERR_FAIL (-1): execute failed."),
        (-2, "RKNN_ERR_TIMEOUT (-2): execute timeout."),
        (-3, "RKNN_ERR_DEVICE_UNAVAILABLE (-3): device is unavailable."),
        (-4, "RKNN_ERR_MALLOC_FAIL (-4): memory malloc fail."),
        (-5, "RKNN_ERR_PARAM_INVALID (-5): parameter is invalid."),
        (-6, "RKNN_ERR_MODEL_INVALID (-6): model is invalid."),
        (-7, "RKNN_ERR_CTX_INVALID (-7): context is invalid."),
        (-8, "RKNN_ERR_INPUT_INVALID (-8): input is invalid."),
        (-9, "RKNN_ERR_OUTPUT_INVALID (-9): output is invalid."),
        (-10, "RKNN_ERR_DEVICE_UNMATCH (-10): the device is unmatch, please update rknn sdk and npu driver/firmware."),
        (-11, "RKNN_ERR_INCOMPATILE_PRE_COMPILE_MODEL (-11): "),
        (-12, "RKNN_ERR_INCOMPATILE_OPTIMIZATION_LEVEL_VERSION (-12): "),
        (-13, "RKNN_ERR_TARGET_PLATFORM_UNMATCH (-13): model target platform is not compatible with current platform."),
        (-99, "RKNN_ERR_UNKNOWN (-99): unknown RKNN error."),
    ],
)
def test_codes_of_the_runtime_have_names_and_descriptions(stub, code, text):
    stub.fail("rknn_init", code=code)
    with pytest.raises(openrknn.RknnError) as raised:
        stub.session()
    assert str(raised.value).startswith("rknn_init failed: " + text)


@pytest.mark.parametrize(
    ("api", "nth", "text"),
    [
        ("rknn_query", 1, "rknn_query(RKNN_QUERY_IN_OUT_NUM) failed: RKNN_ERR_FAIL"),
        ("rknn_query", 2, "rknn_query(RKNN_QUERY_INPUT_ATTR) failed for input attr index 0: RKNN_ERR_FAIL"),
        ("rknn_query", 4, "rknn_query(RKNN_QUERY_OUTPUT_ATTR) failed for output attr index 0: RKNN_ERR_FAIL"),
        ("rknn_dup_context", 1, "rknn_dup_context failed: RKNN_ERR_FAIL"),
        (
            "rknn_set_core_mask",
            2,
            "rknn_set_core_mask failed for thread 1: RKNN_ERR_FAIL (-1): execute failed.. Maybe you specified a "
            "configuration that is not supported by the current platform",
        ),
    ],
)
def test_failing_calls_are_named(stub, api, nth, text):
    stub.fail(api, nth)
    with pytest.raises(openrknn.RknnError) as raised:
        stub.session(schedule=[0, 1])
    assert str(raised.value).startswith(text)
    assert stub.live_contexts == 0


@pytest.mark.parametrize(("options", "works"), [({}, True), ({"tp_mode": "0"}, True), ({"schedule": 0}, True),
                                                ({"tp_mode": "all"}, False), ({"schedule": [0, 1]}, False)])  # fmt: skip
def test_a_soc_with_one_core_takes_its_only_core_by_any_name(stub, options, works):
    model = ECHO + "cores 1\n"
    if works:
        assert stub.session(model, **options).run(None, np.ones((1, 4), np.float32))[0][0, 0] == 1
        return
    with pytest.raises(openrknn.RknnError, match="rknn_set_core_mask failed for thread"):
        stub.session(model, **options)
    assert stub.live_contexts == 0
    with pytest.warns(UserWarning, match="is left out"):
        session = stub.session(model, strict_cores=False, **options)
    assert session.run(None, np.ones((1, 4), np.float32))[0][0, 0] == 1


# ---- which contexts are made


@pytest.mark.parametrize(
    ("options", "masks", "duplicates"),
    [
        ({}, [0], 0),
        ({"tp_mode": "auto"}, [0], 0),
        ({"tp_mode": "0,1"}, [3], 0),
        ({"tp_mode": "0,1,2"}, [7], 0),
        ({"tp_mode": "all"}, [0xFFFF], 0),
        ({"tp_mode": "2", "threads_per_core": 3}, [4, 4, 4], 2),
        ({"schedule": 2}, [4], 0),
        ({"schedule": [0, 0, 2], "threads_per_core": 2}, [1, 4, 1, 4], 3),
        ({"schedule": "2,1,0"}, [1, 2, 4], 2),
        ({"schedule": [0, 1], "disable_dup_context": True}, [1, 2], 0),
    ],
)
def test_contexts_and_core_masks(stub, options, masks, duplicates):
    stub.record_calls()
    session = stub.session(**options)
    assert [mask for _, mask in stub.recorded_calls("rknn_set_core_mask")] == masks
    assert stub.calls("rknn_dup_context") == duplicates
    assert stub.calls("rknn_init") == len(masks) - duplicates
    session.close()
    assert stub.live_contexts == 0
    assert stub.library.stub_originals_destroyed_first() == 0


def test_weights_are_shared_with_a_master_that_may_be_dropped_first(stub):
    stub.record_calls()
    master = stub.session()
    options = {"runtime_library": stub.path, "schedule": [0, 1]}
    slave = openrknn.InferenceSession(ECHO.encode(), provider_options=options, use_weight_from=master)
    assert [flags & 0x20 for _, flags in stub.recorded_calls("rknn_init")] == [0, 0x20, 0x20]
    assert stub.calls("rknn_dup_context") == 0
    del master
    assert slave.run(None, np.full((1, 4), 5, np.float32))[0][0, 0] == 5
    slave.close()
    del slave
    deadline = time.monotonic() + 10  # the thread that delivered the result may be the last to let go of the master
    while stub.live_contexts and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stub.live_contexts == 0
    contexts = [context for context, _ in stub.recorded_calls("rknn_destroy")]
    assert contexts[-1] == stub.recorded_calls("rknn_init")[0][0], "the master's context goes last"


@pytest.mark.skipif(not openrknn._core.has_compiler, reason="this build makes no models")
@pytest.mark.parametrize("options", [{}, {"schedule": [0, 1, 2]}])
def test_a_model_without_weights_runs_on_those_of_another(tmp_path, cnn, options):
    graph = openrknn.import_model(cnn)
    openrknn.compile(graph, quantize=None).save(tmp_path / "full.rknn")
    openrknn.compile(graph, quantize=None, remove_weight=True).save(tmp_path / "bare.rknn")
    array = np.random.default_rng(0).standard_normal((1, 3, 16, 16)).astype(np.float32)
    master = openrknn.InferenceSession(tmp_path / "full.rknn")
    slave = openrknn.InferenceSession(tmp_path / "bare.rknn", provider_options=options, use_weight_from=master)
    wanted = master.run(None, array)
    del master
    for _ in range(4):
        for got, want in zip(slave.run(None, array), wanted, strict=True):
            np.testing.assert_array_equal(got, want)
    slave.close()


# ---- versions


@pytest.mark.parametrize(
    ("version", "outdated"),
    [
        ("2.3.2 (429f97ae6b@2025-04-09)", True),
        ("2.4.0", True),
        ("1.6.0", True),
        ("2.4.1 (stub)", False),
        ("2.10.0", False),
        ("3.0.0", False),
        ("librknnrt 2.3.0", True),
        ("unknown", False),
    ],
)
def test_old_runtimes_are_warned_of(stub, version, outdated):
    model = f"input x f32 1,4\noutput y f32 1,4\nversion {version}\n"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session = stub.session(model)
    texts = [str(each.message) for each in caught if each.category is UserWarning]
    wanted = (
        f"RKNN API version {version} is likely outdated; behavior may be unstable. "
        "Recommended minimum version is 2.4.1."
    )
    assert texts == ([wanted] if outdated else [])
    assert session.runtime_info["api_version"] == version
    assert session.runtime_info["path"] == stub.path


def test_the_warning_points_at_the_callers_line(stub):
    with pytest.warns(UserWarning) as caught:
        openrknn.InferenceSession(
            b"input x f32 1,4\noutput y f32 1,4\n", provider_options={"runtime_library": stub.path}
        ).close()
    assert caught[0].filename == __file__
