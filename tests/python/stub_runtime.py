"""librknnrt_stub.so seen from Python (tests/stub_runtime/stub_runtime.h), and sessions over it."""

import ctypes
import weakref
from pathlib import Path

import pytest
from tools_of_the_build import tool

import openrknn

# One float in and out, recent enough that nobody is warned.
ECHO = "input x f32 1,4\noutput y f32 1,4\nversion 2.4.1 (stub)\n"
# An image as RKNN reports it, and what comes out in the source model's order.
IMAGE = "input image f32 nhwc 1,4,5,3\noutput y f32 nchw 1,3,4,5\nversion 2.4.1 (stub)\n"


class Call(ctypes.Structure):
    _fields_ = [
        ("api", ctypes.c_char_p),
        ("context", ctypes.c_uint64),
        ("argument", ctypes.c_uint64),
        ("start_ns", ctypes.c_int64),
        ("code", ctypes.c_int32),
    ]


class Stub:
    """One process has one; a test that ends resets it and finds no context left."""

    def __init__(self):
        self.path = tool("librknnrt_stub.so")
        if not Path(self.path).is_file():
            pytest.skip("the stub runtime is not built")
        self.library = ctypes.CDLL(self.path)
        for name, arguments, result in (
            ("stub_fail", [ctypes.c_char_p, ctypes.c_int64, ctypes.c_int], ctypes.c_int),
            ("stub_fail_any", [ctypes.c_int64, ctypes.c_int], ctypes.c_int),
            ("stub_failed_api", [], ctypes.c_char_p),
            ("stub_block", [ctypes.c_char_p, ctypes.c_int64], ctypes.c_int),
            ("stub_calls", [ctypes.c_char_p], ctypes.c_int64),
            ("stub_core_jobs", [ctypes.c_int], ctypes.c_int64),
            ("stub_concurrent_uses", [], ctypes.c_int64),
            ("stub_bad_handles", [], ctypes.c_int64),
            ("stub_originals_destroyed_first", [], ctypes.c_int64),
            ("stub_registered_custom_ops", [], ctypes.c_int64),
            ("stub_last_error", [], ctypes.c_char_p),
            ("stub_record_calls", [ctypes.c_int64], None),
            ("stub_recorded_calls", [ctypes.POINTER(Call), ctypes.c_int64], ctypes.c_int64),
        ):
            function = getattr(self.library, name)
            function.argtypes, function.restype = arguments, result
        self.library.stub_reset()
        self._sessions = []

    def session(self, model=ECHO, **options):
        made = openrknn.InferenceSession(model.encode(), provider_options={"runtime_library": self.path, **options})
        self._sessions.append(weakref.ref(made))
        return made

    def configure(self, settings):
        assert self.library.stub_configure(settings.encode()) == 0, self.library.stub_last_error()

    def fail(self, api, nth=1, code=-1):
        assert self.library.stub_fail(api.encode(), nth, code) == 0

    def block(self, api="rknn_run", nth=1):
        assert self.library.stub_block(api.encode(), nth) == 0

    def wait_blocked(self, calls=1):
        assert self.library.stub_wait_blocked(calls, 10000) == 0

    def release(self, code=0):
        self.library.stub_release(code)

    def calls(self, api=""):
        return self.library.stub_calls(api.encode())

    def record_calls(self):
        self.library.stub_record_calls(4096)

    def recorded_calls(self, api):
        """(context, argument) of each."""
        calls = (Call * 4096)()
        count = self.library.stub_recorded_calls(calls, 4096)
        return [(call.context, call.argument) for call in calls[:count] if call.api.decode() == api]

    @property
    def live_contexts(self):
        return self.library.stub_live_contexts()

    def finish(self):
        self.release()
        for reference in self._sessions:
            if (session := reference()) is not None:
                session.close(drain=False, timeout=10)
        self._sessions.clear()
        concurrent, bad = self.library.stub_concurrent_uses(), self.library.stub_bad_handles()
        self.library.stub_reset()
        assert (concurrent, bad) == (0, 0), "calls that the documentation of the C API forbids"
