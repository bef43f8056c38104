"""Provider options, providers and other arguments of InferenceSession's constructor."""

import inspect
import os
import typing
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from stub_runtime import ECHO  # noqa: E402

import openrknn  # noqa: E402
import ztu_somemodelruntime_ez_rknn_async as ez  # noqa: E402

DOCUMENTED = [
    "layout",
    "zero_copy_layout",
    "max_queue_size",
    "threads_per_core",
    "submit_timeout_ms",
    "sequential_callbacks",
    "schedule",
    "tp_mode",
    "enable_pacing",
    "disable_dup_context",
    "custom_op_path",
    "custom_op_paths",
    "custom_op_default_path",
    "load_custom_ops_from_default_path",
]
OWN = [
    "dispatch",
    "overflow",
    "callback_threads",
    "output_type",
    "strict_cores",
    "warmup",
    "priority",
    "enable_sram",
    "collect_perf",
    "runtime_library",
]
COUNTS = ["max_queue_size", "threads_per_core", "submit_timeout_ms"]
SWITCHES = [
    "sequential_callbacks",
    "enable_pacing",
    "disable_dup_context",
    "custom_op_default_path",
    "load_custom_ops_from_default_path",
    "strict_cores",
    "enable_sram",
    "collect_perf",
]


class APath:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


def parse(options):
    return openrknn._core.parse_provider_options(options)


def message_of(options):
    with pytest.raises(RuntimeError) as raised:
        parse(options)
    assert isinstance(raised.value, openrknn.OptionError) and isinstance(raised.value, ValueError)
    return str(raised.value)


# ---- values


@pytest.mark.parametrize("key", ["layout", "zero_copy_layout"])
@pytest.mark.parametrize("value", ["nhwc", "NHWC", b"nhwc"])
def test_layouts_are_words_in_any_case_also_as_bytes(key, value):
    parse({key: value})


@pytest.mark.parametrize("value", ["nchw", "original", "nchw_software", "original_software", "nhwc", "any", "Any"])
def test_layouts(value):
    parse({"layout": value})


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("value", [1, 4, "4", "  4 ", "+4", True, np.int64(3), np.uint8(3), None])
def test_counts_are_whole_numbers_also_numpys_and_as_text(key, value):
    parse({key: value})


@pytest.mark.parametrize("key", SWITCHES)
@pytest.mark.parametrize(
    "value",
    [True, False, 1, 0, 7, "true", " ON ", "yes", "1", "False", "off", "no", "0", np.bool_(True), np.int32(0), None],
)
def test_switches_are_booleans_numbers_or_words(key, value):
    parse({key: value})


@pytest.mark.parametrize(
    "value",
    [
        0,
        2,
        "0",
        "0,1,2",
        "[0, 1 2]",
        " 0 ",
        [0],
        (0, 1),
        ["0", "1"],
        [np.int64(2)],
        np.array([0, 1]),
        range(3),
        True,
        None,
    ],
)
def test_schedules(value):
    parse({"schedule": value})


@pytest.mark.parametrize("value", ["auto", "all", "0", "1", "2", "0,1", "0,1,2", " ALL ", None])
def test_tp_modes(value):
    parse({"tp_mode": value})


@pytest.mark.parametrize("key", ["custom_op_path", "custom_op_paths"])
@pytest.mark.parametrize("value", ["a.so", Path("a.so"), APath("a.so"), ["a.so", Path("b.so")], (), None])
def test_plugin_paths(key, value):
    parse({key: value})


@pytest.mark.parametrize("key", DOCUMENTED + OWN)
def test_none_leaves_every_option_at_its_default(key):
    parse({key: None})


WRONG = [
    ({"layout": "hwc"}, "Unknown layout: hwc"),
    ({"layout": "HWC"}, "Unknown layout: HWC"),
    ({"layout": 3}, "layout must be a string"),
    ({"zero_copy_layout": "nchw"}, "Unknown zero_copy_layout: nchw, expected 'nhwc' or 'native'"),
    *(
        ({key: value}, f"{key} must be an integer")
        for key in COUNTS
        for value in ("", "0x4", "4.0", 1.0, np.float32(1), [1], 1 << 70)
    ),
    *(({key: value}, f"{key} must be > 0") for key in COUNTS for value in (0, -1, "0", False, np.int64(-3))),
    ({"max_queue_size": 1 << 40}, "max_queue_size must be <= 2147483647"),
    ({"threads_per_core": 65}, "threads_per_core must be <= 64"),
    *(
        ({key: value}, f"{key} must be a boolean")
        for key in SWITCHES
        for value in ("", "maybe", 1.0, [], b"true", 1 << 70)
    ),
    ({"schedule": -1}, "schedule values must be >= 0"),
    ({"schedule": "0,-1"}, "schedule values must be >= 0"),
    ({"schedule": [0, -1]}, "schedule values must be >= 0"),
    ({"schedule": [0, 5]}, "schedule values must be <= 2, got 5"),
    ({"schedule": "0 one"}, "schedule must contain integers"),
    ({"schedule": "1.5"}, "schedule must contain integers"),
    ({"schedule": ""}, "schedule must not be empty"),
    ({"schedule": "[ ]"}, "schedule must not be empty"),
    ({"schedule": []}, "schedule must not be empty"),
    ({"schedule": [0, 1.5]}, "schedule must be an integer"),
    ({"schedule": ["0,1"]}, "schedule must be an integer"),
    ({"schedule": [None]}, "schedule must be an integer"),
    ({"schedule": 1.5}, "schedule must be an integer, string, or sequence"),
    ({"schedule": {0: 1}}, "schedule must be an integer, string, or sequence"),
    ({"tp_mode": 0}, "tp_mode must be a string"),
    ({"tp_mode": ["0"]}, "tp_mode must be a string"),
    ({"tp_mode": "0, 1"}, "invalid tp_mode: '0, 1', expected one of: auto, all, 0, 1, 2, 0,1, 0,1,2"),
    ({"tp_mode": " Both "}, "invalid tp_mode: 'both', expected one of: auto, all, 0, 1, 2, 0,1, 0,1,2"),
    *(
        ({key: value}, f"{key} must be a path-like object or sequence of path-like objects")
        for key in ("custom_op_path", "custom_op_paths")
        for value in (1, 1.5, {})
    ),
    *(
        ({key: value}, f"{key} must be a path-like object or string")
        for key in ("custom_op_path", "custom_op_paths")
        for value in ([1], ["a.so", None], [b"a.so"])
    ),
    ({"schedule": 0, "tp_mode": "all"}, "provider_options 'tp_mode' conflicts with 'schedule'; set only one."),
    ({"dispatch": "best"}, "invalid dispatch: 'best', expected one of: static, dynamic"),
    ({"overflow": "drop"}, "invalid overflow: 'drop', expected one of: block, raise, drop_oldest, drop_newest"),
    ({"priority": 1}, "priority must be a string, one of: high, medium, low"),
    ({"output_type": "int8"}, "invalid output_type: 'int8', expected one of: float32, native"),
    ({"output_type": {"y": "f"}}, "invalid output_type of 'y': 'f', expected one of: float32, native"),
    ({"warmup": -1}, "warmup must be an integer from 0 to 1000"),
    ({"callback_threads": 2}, "callback_threads > 1 needs sequential_callbacks=False: one thread keeps the order"),
    ({"runtime_library": 5}, "runtime_library must be a path-like object or string"),
    ({1: 2}, "provider_options keys must be strings"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[str(options)[:60] for options, _ in WRONG])
def test_wrong_values_are_refused_with_their_documented_text(options, message):
    assert message_of(options) == message


@pytest.mark.parametrize("key", ["custom_op_path", "custom_op_paths"])
def test_plugin_paths_as_bytes_are_refused(key):
    assert message_of({key: b"a.so"}) in (
        f"{key} must be a path-like object or string",
        f"{key} must be a path-like object or sequence of path-like objects",
    )


def test_an_unknown_key_lists_the_accepted_ones():
    assert message_of({"layuot": "nchw"}) == (
        "Unknown provider_options key: layuot. Supported keys: " + ", ".join(DOCUMENTED + OWN)
    )


def test_the_first_bad_key_in_the_order_given_is_named():
    assert message_of({"max_queue_size": 0, "layout": "hwc"}) == "max_queue_size must be > 0"
    assert message_of({"layout": "hwc", "max_queue_size": 0}) == "Unknown layout: hwc"
    assert message_of({"schedule": 0, "tp_mode": "auto", "layout": "hwc"}) == "Unknown layout: hwc"


# ---- containers


@pytest.mark.parametrize("options", [None, {}, [], (), [{}], [{"max_queue_size": 2}], ({"layout": "nhwc"},)])
def test_options_come_as_a_dict_or_in_a_sequence(options):
    parse(options)


@pytest.mark.parametrize("options", [[None], "x", 3, ["x"], [[]], np.float32(1), object()])
def test_other_containers_are_refused(options):
    assert message_of(options) == "provider_options must be a dict or a sequence whose first element is a dict"


def test_only_the_first_of_several_dicts_is_used_and_that_is_said(stub):
    options = {"runtime_library": stub.path, "max_queue_size": 2}
    with pytest.warns(UserWarning, match="only the first entry of provider_options is used"):
        session = openrknn.InferenceSession(ECHO.encode(), provider_options=[options, {"layout": "hwc"}])
    assert session.get_provider_options() == {"RKNPU2ExecutionProvider": options}
    session.close()


# ---- the helper


def test_make_provider_options_has_the_documented_signature():
    parameters = inspect.signature(ez.make_provider_options).parameters
    assert all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters.values())
    defaults = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert defaults == {
        "layout": "original",
        "zero_copy_layout": "nhwc",
        "max_queue_size": 3,
        "threads_per_core": 1,
        "submit_timeout_ms": 10000,
        "sequential_callbacks": True,
        "schedule": None,
        "tp_mode": None,
        "enable_pacing": False,
        "disable_dup_context": False,
        "custom_op_path": None,
        "custom_op_paths": None,
        "custom_op_default_path": False,
        "load_custom_ops_from_default_path": None,
    }


def test_make_provider_options_leaves_out_what_is_none():
    assert ez.make_provider_options() == {
        "layout": "original",
        "zero_copy_layout": "nhwc",
        "max_queue_size": 3,
        "threads_per_core": 1,
        "submit_timeout_ms": 10000,
        "sequential_callbacks": True,
        "enable_pacing": False,
        "disable_dup_context": False,
        "custom_op_default_path": False,
    }
    full = ez.make_provider_options(schedule=[0, 1], custom_op_paths="a.so", overflow="raise")
    assert full["schedule"] == [0, 1] and full["custom_op_paths"] == "a.so" and full["overflow"] == "raise"
    parse(full)


def test_make_provider_options_refuses_a_conflict_and_unknown_names():
    with pytest.raises(ValueError, match="^provider options 'tp_mode' conflicts with 'schedule'; set only one.$"):
        ez.make_provider_options(schedule=0, tp_mode="auto")
    ez.make_provider_options(schedule=None, tp_mode="auto")
    with pytest.raises(TypeError, match="unexpected keyword argument 'shedule'"):
        ez.make_provider_options(shedule=0)


def test_the_typed_dict_has_every_option():
    assert list(typing.get_type_hints(openrknn.RknnProviderOptions)) == DOCUMENTED + OWN
    assert openrknn._core.provider_option_names() == DOCUMENTED + OWN
    assert not openrknn.RknnProviderOptions.__required_keys__
    assert ez.Rknpu2ProviderOptions is ez.RknnProviderOptions is openrknn.RknnProviderOptions
    assert ez.make_rknpu2_provider_options is ez.make_provider_options


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
