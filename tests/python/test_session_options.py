"""Provider options of InferenceSession: values, containers, the helper that makes them."""

import inspect
import typing
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
from session_calls import APath  # noqa: E402
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
    "model_key_file",
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
    ({"model_key_file": b"key"}, "model_key_file must be a path-like object or string"),
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
