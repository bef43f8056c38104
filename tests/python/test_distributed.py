"""Work of other processes: the same results, bit for bit, whoever computed what, and workers may die."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, wait

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402

import openrknn  # noqa: E402

needs_command = pytest.mark.skipif("OPENRKNN_COMMAND" not in os.environ, reason="OPENRKNN_COMMAND names no openrknn")
NORMALISATION = {"mean": [120, 110, 100], "std": [60, 50, 40]}


def photos(count):
    return [small_models.photo(16, 16, seed).transpose(2, 0, 1)[None] for seed in range(count)]


def calibrated(cnn, executor=None, count=40, **options):
    model = openrknn.compile(cnn, dataset=photos(count), executor=executor, **NORMALISATION, **options)
    return model.to_bytes()


def analyzed(cnn, executor=None, count=40, **options):
    # Not the photos it is calibrated with: some numbers are clipped.
    model = openrknn.compile(cnn, dataset=photos(3), **NORMALISATION, **options)
    return repr(model.analyze(photos(count), executor=executor))


def searched(cnn, executor=None, count=8, **options):
    found = openrknn.search(
        cnn, dataset=photos(count), samples=count, target_sqnr=45, executor=executor, **NORMALISATION, **options
    )
    assert found.chosen["layers"]
    return found.model.to_bytes(), found.chosen, found.curve


WORK = [calibrated, analyzed, searched]
each_work = pytest.mark.parametrize("work", WORK, ids=[work.__name__ for work in WORK])


def processes(count):
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


@each_work
@pytest.mark.parametrize("algorithm", ["normal", "auto"])
def test_processes_give_the_result_of_one_process(cnn, work, algorithm):
    alone = work(cnn, algorithm=algorithm)
    for count in (1, 3):
        with processes(count) as executor:
            assert work(cnn, executor, algorithm=algorithm) == alone


@each_work
def test_the_number_of_samples_need_not_fill_the_shares(cnn, work):
    for count in (1, 7, 9):
        with ThreadPoolExecutor(2) as executor:
            assert work(cnn, executor, count) == work(cnn, count=count)


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


@each_work
def test_shares_of_a_process_that_dies_are_computed_here(cnn, work):
    with processes(2) as pool:
        # Both are there before one dies: CPython may wait for ever for a process that it starts while the pool breaks.
        wait([pool.submit(time.sleep, 0.3) for _ in range(2)])

        def kill():
            os.kill(next(iter(pool._processes)), signal.SIGKILL)

        with pytest.warns(RuntimeWarning, match=r"\d of \d+ shares were lost with their workers \(BrokenProcessPool"):
            assert work(cnn, Interfering(pool, 2, kill)) == work(cnn)


@pytest.mark.parametrize(("work", "after"), [(calibrated, 4), (analyzed, 4), (searched, 30)])
def test_dask_survives_a_worker_that_is_killed(cnn, work, after):
    """A search shares out its calibration (two shares), the float model's outputs and then one trial after another."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        victims = client.run(os.getpid)
        executor = client.get_executor(pure=False)
        interfering = Interfering(executor, after, lambda: os.kill(next(iter(victims.values())), signal.SIGKILL))
        count = 8 if work is searched else 80
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # Dask gives the share to another worker; nothing is lost
            assert work(cnn, interfering, count=count) == work(cnn, count=count)
        assert interfering.submitted > after if work is searched else interfering.submitted == 10


def call(verb, cnn, dataset, *more, **environment):
    command = [os.environ["OPENRKNN_COMMAND"], verb, cnn, "-t", "rk3588", "--dataset", dataset, "-q"]
    environment = os.environ | {"OPENRKNN_PYTHON": sys.executable} | environment
    return subprocess.run([*command, *more], env=environment, capture_output=True, text=True, timeout=120)


def convert(cnn, dataset, output, *more, **environment):
    return call("convert", cnn, dataset, "-o", output, *more, **environment)


def report_data(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(), re.S).group(1))


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
@pytest.mark.parametrize("verb", ["analyze", "search"])
def test_the_command_analyzes_and_searches_on_a_cluster(cnn, dataset, tmp_path, scheduler, verb):
    results = []
    for place, more in (("here", []), ("there", ["--dask", scheduler])):
        folder = tmp_path / place
        files = {"analyze": ["-o", folder], "search": ["--target-sqnr", "45", "-o", tmp_path / f"{place}.rknn"]}[verb]
        report = tmp_path / f"{place}.html"
        done = call(verb, cnn, dataset, "--json", "--report", report, *files, *more)
        assert done.returncode == 0, done.stderr
        written = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        model = tmp_path / f"{place}.rknn"
        told, shown = json.loads(done.stdout), report_data(report)
        told.pop("calibration_set", None)  # a set that is calibrated with elsewhere is not looked at
        shown.pop("set")
        results.append((told, shown, written, model.read_bytes() if model.exists() else None))
    assert results[0] == results[1]


@needs_command
def test_the_command_tells_how_far_a_cluster_is(cnn, dataset, scheduler):
    command = [os.environ["OPENRKNN_COMMAND"], "search", cnn, "-t", "rk3588", "--dataset", dataset]
    for place in ([], ["--dask", scheduler]):
        environment = os.environ | {"OPENRKNN_PYTHON": sys.executable}
        done = subprocess.run(
            [*command, "--target-sqnr", "45", *place], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.stderr.splitlines() == ["calibrate: 4 of 4", "search: 16 of 16"], done.stderr


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


def test_an_analysis_elsewhere_has_nothing_to_go_on_from(cnn, tmp_path):
    model = openrknn.compile(cnn, dataset=photos(3))
    with ThreadPoolExecutor(1) as executor, pytest.raises(openrknn.Error, match="leave 'resume' out, or the executor"):
        model.analyze(photos(2), resume=tmp_path / "state", executor=executor)
    assert not (tmp_path / "state").exists()


def test_reports_are_the_same_wherever_they_are_analyzed(cnn, tmp_path):
    model = openrknn.compile(cnn, dataset=photos(3), **NORMALISATION)
    with processes(2) as executor:
        for name, options in (("here", {}), ("there", {"executor": executor})):
            model.analyze(photos(20), report=tmp_path / name, **options)
    here, there = ((tmp_path / name).read_text().replace(f'"model":"{name}"', "") for name in ("here", "there"))
    assert there == here


@each_work
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b + b"x", lambda b: b"", lambda b: b"x" + b])
def test_damaged_answers_are_refused(cnn, work, damage):
    class Damaging(ThreadPoolExecutor):
        def submit(self, function, *arguments):
            return super().submit(lambda: damage(function(*arguments)))

    with Damaging(1) as executor, pytest.raises(openrknn.Error, match="serialised"):
        work(cnn, executor)
