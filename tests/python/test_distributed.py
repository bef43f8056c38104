"""Calibration by other processes: the same model, bit for bit, whoever computed what, and workers may die."""

import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402

needs_command = pytest.mark.skipif("OPENRKNN_COMMAND" not in os.environ, reason="OPENRKNN_COMMAND names no openrknn")


def photos(count):
    return [small_models.photo(16, 16, seed).transpose(2, 0, 1)[None] for seed in range(count)]


def build(cnn, executor=None, count=40, **options):
    graph = openrknn.import_model(cnn)
    model = openrknn.compile(
        graph, dataset=photos(count), mean=[120, 110, 100], std=[60, 50, 40], executor=executor, **options
    )
    return model.to_bytes()


def processes(count):
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("algorithm", ["normal", "auto"])
def test_processes_give_the_model_of_one_process(cnn, algorithm):
    alone = build(cnn, algorithm=algorithm)
    for count in (1, 3):
        with processes(count) as executor:
            assert build(cnn, executor, algorithm=algorithm) == alone


def test_the_number_of_samples_need_not_fill_the_shares(cnn):
    for count in (1, 7, 9):
        with ThreadPoolExecutor(2) as executor:
            assert build(cnn, executor, count) == build(cnn, count=count)


class Interfering(Executor):
    """Another executor, with something that happens after the n-th share was given to it."""

    def __init__(self, inner, after, action):
        self.inner, self.after, self.action, self.submitted = inner, after, action, 0

    def submit(self, *arguments):
        future = self.inner.submit(*arguments)
        self.submitted += 1
        if self.submitted == self.after:
            self.action()
        return future


def test_shares_of_a_process_that_dies_are_computed_here(cnn):
    with processes(2) as pool:
        pool.submit(os.getpid).result()

        def kill():
            os.kill(next(iter(pool._processes)), signal.SIGKILL)

        with pytest.warns(RuntimeWarning, match=r"\d of 5 shares were lost with their workers \(BrokenProcessPool"):
            assert build(cnn, Interfering(pool, 2, kill)) == build(cnn)


def test_dask_survives_a_worker_that_is_killed(cnn):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        victims = client.run(os.getpid)
        executor = client.get_executor(pure=False)
        interfering = Interfering(executor, 4, lambda: os.kill(next(iter(victims.values())), signal.SIGKILL))
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # Dask gives the share to another worker; nothing is lost
            assert build(cnn, interfering, count=80) == build(cnn, count=80)
        assert interfering.submitted == 10


def convert(cnn, dataset, output, *more, **environment):
    command = [os.environ["OPENRKNN_COMMAND"], "convert", cnn, "-t", "rk3588", "--dataset", dataset, "-o", output, "-q"]
    environment = os.environ | {"OPENRKNN_PYTHON": sys.executable} | environment
    return subprocess.run([*command, *more], env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def scheduler():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@needs_command
def test_the_command_calibrates_on_a_cluster(cnn, dataset, tmp_path, scheduler):
    here = convert(cnn, dataset, tmp_path / "here.rknn")
    there = convert(cnn, dataset, tmp_path / "there.rknn", "--dask", scheduler)
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    assert (tmp_path / "there.rknn").read_bytes() == (tmp_path / "here.rknn").read_bytes()


@needs_command
def test_the_command_passes_on_what_a_worker_found(cnn, dataset, tmp_path, scheduler):
    bad = np.full([1, 3, 16, 16], np.inf, np.float32)
    np.save(tmp_path / "samples" / "2.npy", bad)
    here = convert(cnn, dataset, tmp_path / "here.rknn")
    there = convert(cnn, dataset, tmp_path / "there.rknn", "--dask", scheduler)
    assert here.returncode == there.returncode == 1
    assert there.stderr == here.stderr and "dataset.txt:3" in here.stderr
    assert not (tmp_path / "there.rknn").exists()


@needs_command
@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"OPENRKNN_PYTHON": "/nowhere/python3"}, "cannot be started: No such file or directory"),
        ({"OPENRKNN_PYTHON": "false"}, "ended with code 1 before it was done"),
        ({"OPENRKNN_PYTHON": "true"}, "ended with code 0 before it was done"),
        ({"OPENRKNN_PYTHON": "echo"}, "before it was done"),
        ({}, "Timed out"),
    ],
)
def test_the_command_says_why_there_is_no_cluster(cnn, dataset, tmp_path, environment, says):
    pytest.importorskip("distributed")
    ran = convert(cnn, dataset, tmp_path / "out.rknn", "--dask", "tcp://127.0.0.1:9", **environment)
    assert ran.returncode == 1
    assert "E0011" in ran.stderr and says in ran.stderr and "OPENRKNN_PYTHON" in ran.stderr
    assert not (tmp_path / "out.rknn").exists()


def test_an_error_of_a_worker_is_the_error_of_the_compile(cnn):
    samples = photos(20)
    samples[13] = samples[13].astype(np.float32)
    samples[13][0, 1, 2, 3] = np.nan
    with processes(2) as executor, pytest.raises(openrknn.Error, match="sample 13") as alone:
        openrknn.compile(openrknn.import_model(cnn), dataset=samples, executor=executor)
    with pytest.raises(openrknn.Error) as here:
        openrknn.compile(openrknn.import_model(cnn), dataset=samples)
    assert (alone.value.code, str(alone.value)) == (here.value.code, str(here.value))
    assert alone.value.diagnostics == here.value.diagnostics


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b + b"x", lambda b: b"", lambda b: b"x" + b])
def test_damaged_answers_are_refused(cnn, damage):
    class Damaging(ThreadPoolExecutor):
        def submit(self, function, *arguments):
            return super().submit(lambda: damage(function(*arguments)))

    with Damaging(1) as executor, pytest.raises(openrknn.Error, match="serialised"):
        build(cnn, executor)
