"""Processes forked after threads exist compute as their parent does (what ProcessPoolExecutor does on Linux)."""

import concurrent.futures
import multiprocessing

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402

SECONDS = 60
SIZE = 128  # large enough for steps that are spread over threads
inherited = {}  # what the children find: made and used by the parent before it forks


def picture():
    return small_models.photo(SIZE, SIZE, 3).transpose(2, 0, 1)[None].astype(np.float32)


def run_inherited(kind):
    return [np.array(output) for output in inherited[kind].run([picture()])]


def compile_and_run(path):
    model = openrknn.compile(path, quantize=None)
    return [np.array(output) for output in model.run([picture()])]


@pytest.fixture
def large_cnn(tmp_path):
    return small_models.save(small_models.cnn(size=SIZE), tmp_path / "large.onnx")


@pytest.fixture
def executor(monkeypatch):
    monkeypatch.setenv("OPENRKNN_THREADS", "4")
    pools = []

    def make():
        context = multiprocessing.get_context("fork")
        pools.append(concurrent.futures.ProcessPoolExecutor(2, mp_context=context))
        return pools[-1]

    yield make
    for pool in pools:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list((pool._processes or {}).values()):
            process.kill()
    inherited.clear()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
@pytest.mark.parametrize("kind", ["graph", "model"])
def test_children_run_what_they_inherit(large_cnn, executor, kind):
    graph = openrknn.import_model(large_cnn)
    inherited[kind] = graph if kind == "graph" else openrknn.compile(graph, quantize=None)
    wanted = run_inherited(kind)  # threads run by now
    pool = executor()
    for future in [pool.submit(run_inherited, kind) for _ in range(6)]:
        for got, want in zip(future.result(timeout=SECONDS), wanted, strict=True):
            np.testing.assert_array_equal(got, want)
    for got, want in zip(run_inherited(kind), wanted, strict=True):  # the parent goes on
        np.testing.assert_array_equal(got, want)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_children_compile_and_run(large_cnn, executor):
    wanted = compile_and_run(large_cnn)
    for future in [executor().submit(compile_and_run, large_cnn) for _ in range(2)]:
        for got, want in zip(future.result(timeout=SECONDS), wanted, strict=True):
            np.testing.assert_array_equal(got, want)
