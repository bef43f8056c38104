"""What the tests of sessions share: tagged arrays, a callback that remembers, a path that is no string, names, texts."""

import threading

import numpy as np

VERSION = "version 2.4.1 (stub)\n"
SATURATED = "submit timed out: async queue/callback pipeline is saturated"
KEY = "ztu_modelrt_dispatch_batch"


def tagged(number):
    return np.full((1, 4), number, np.float32)


class Collector:
    """A callback that remembers what it was told."""

    def __init__(self, expected):
        self.told, self.expected = [], expected
        self.done = threading.Event()
        self.lock = threading.Lock()

    def __call__(self, results, user_data, error):
        with self.lock:
            self.told.append((None if results is None else results[0][0, 0], user_data, error))
            if len(self.told) == self.expected:
                self.done.set()

    def wait(self):
        assert self.done.wait(20), f"{len(self.told)} of {self.expected} callbacks were called"
        return self.told


class OrtRunOptions:
    def __init__(self, entries):
        self.entries = entries

    def get_run_config_entry(self, key):
        if key not in self.entries:
            raise RuntimeError("no such entry")
        return self.entries[key]


def fill(stub, session):
    """One task runs, two wait."""
    collector = Collector(3)
    stub.block()
    session.run_async(None, tagged(0), collector, 0)
    stub.wait_blocked()
    session.run_async(None, tagged(1), collector, 1)
    session.run_async(None, tagged(2), collector, 2)
    return collector


class APath:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path
