"""The tables `quant`, `analysis` and `search` of bench.py: what the choice of ranges, layer analysis and the search for
layers to lift cost."""

import contextlib
import io
import json
import pathlib
import statistics
import sys
import tempfile
import time
from functools import partial

from bench_build import dataset_for, in_child
from real_networks import MEAN, STD

# How much longer than `normal` a build may take; None: no goal.
GOALS = {"kl_divergence": 1.5, "mmse": 3.0, "auto": 3.0, "percentile": None}
ANALYSIS_GOAL, SEARCH_GOAL = 3.0, 60.0


def verdict(value: float, goal: float | None) -> str:
    return "" if goal is None else "met" if value <= goal else "MISSED"


# ---- measured in child processes ----


def child_analysis(model: str, dataset: str) -> dict:
    """Seconds of the two passes, of the analysis, and of one that writes every layer into files. Each from a loaded
    model: planning is part of it."""
    import numpy as np
    from PIL import Image

    import openrknn
    from rknn.api import RKNN

    folder = pathlib.Path(dataset).parent
    files = [str(folder / name) for name in pathlib.Path(dataset).read_text().split()]
    pictures = [np.asarray(Image.open(file).convert("RGB"), np.float32).transpose(2, 0, 1)[None] for file in files]
    mean, std = (np.float32(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))

    def seconds(work) -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    # Compiled from the same graph that golden is; the first run of each plans it.
    options = {"target": "rk3588", "dataset": dataset, "mean": [MEAN], "std": [STD], "keep_golden": True}
    built, graph = openrknn.compile(model, **options), openrknn.import_model(model)
    normal = [(picture - mean) / std for picture in pictures]
    times = {
        "float": seconds(lambda: [graph.run([picture]) for picture in normal]),
        "int8": seconds(lambda: [built.run([picture]) for picture in pictures]),
        "analysis": seconds(lambda: built.analyze(pictures)),
    }
    with tempfile.TemporaryDirectory() as output, RKNN() as rknn:
        rknn.config(mean_values=[MEAN], std_values=[STD], target_platform="rk3588")
        assert rknn.load_onnx(model) == 0 and rknn.build(do_quantization=True, dataset=dataset) == 0
        assert rknn.init_runtime() == 0
        for name, where in {"one": None, "one with files": output}.items():
            with contextlib.redirect_stdout(io.StringIO()):
                times[name] = seconds(partial(rknn.accuracy_analysis, [files[0]], output_dir=where))
        written = [file.stat().st_size for file in pathlib.Path(output).rglob("*") if file.is_file()]
        times["megabytes"] = sum(written) / 1e6
    return times


def child_search(model: str, dataset: str, lift: str) -> dict:
    import openrknn

    started = time.perf_counter()
    found = openrknn.search(model, dataset=dataset, target_sqnr=33, lift=lift, mean=[MEAN], std=[STD])
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "layers": len(found.chosen["layers"]), "sqnr": found.chosen["metric"]}


CHILDREN = {"child-analysis": child_analysis, "child-search": child_search}


def ask(name: str, *arguments) -> dict:
    return in_child(name, *arguments, program=__file__)


# ---- the tables ----


def bench_quant(models: list[pathlib.Path], work: pathlib.Path, rounds: int = 5) -> None:
    goals = ", ".join(f"{name} {goal:g}" for name, goal in GOALS.items() if goal)
    print(
        f"\nquant: build with 20 pictures by range algorithm, in times that of normal (goals: {goals}); the same of"
        " processor time; peak MB"
    )
    print(f"{'model':<14} {'normal':>8} {'MB':>5}" + "".join(f" {name:>19} {'MB':>5}" for name in GOALS), flush=True)
    for model in models:
        dataset = dataset_for(model, work, 20)
        runs: dict[str, list[dict]] = {name: [] for name in ("normal", *GOALS)}
        for _ in range(rounds):
            for name, done in runs.items():
                done.append(in_child("child-build", model, dataset, name))
        peak = {name: max(one["peak_mb"] for one in done) * 1.048576 for name, done in runs.items()}
        cells = ""
        for name, goal in GOALS.items():
            # Round by round: a machine that is busy for a while is so for both.
            ratio, processor = (
                statistics.median(
                    one[kind] / normal[kind] for one, normal in zip(runs[name], runs["normal"], strict=True)
                )
                for kind in ("seconds", "processor")
            )
            cells += f" {ratio:>6.2f} {processor:>5.2f} {verdict(ratio, goal):>6} {peak[name]:>5.0f}"
        normal = statistics.median(one["seconds"] for one in runs["normal"])
        print(f"{model.stem:<14} {normal:>6.2f} s {peak['normal']:>5.0f}{cells}", flush=True)


def bench_memory(model: pathlib.Path, work: pathlib.Path) -> None:
    counts, algorithms = (1, 20, 200), ("normal", "kl_divergence", "mmse")
    print(f"\nquant: peak MB of a build of {model.stem} by pictures")
    print(f"{'pictures':>8}" + "".join(f" {name:>14}" for name in algorithms), flush=True)
    for count in counts:
        dataset = dataset_for(model, work, count)
        cells = [in_child("child-build", model, dataset, name)["peak_mb"] * 1.048576 for name in algorithms]
        print(f"{count:>8}" + "".join(f" {cell:>14.0f}" for cell in cells), flush=True)


def bench_analysis(models: list[pathlib.Path], work: pathlib.Path, rounds: int = 3) -> None:
    print(
        f"\nanalysis: Model.analyze of 20 pictures, in times the two passes over them alone (goal: {ANALYSIS_GOAL:g});"
        " accuracy_analysis of one, files apart"
    )
    print(
        f"{'model':<14} {'float':>8} {'int8':>8} {'analysis':>9} {'ratio':>6} {'':>6}"
        f" {'one':>8} {'with files':>11} {'MB written':>11}",
        flush=True,
    )
    for model in models:
        runs = [ask("child-analysis", model, dataset_for(model, work, 20)) for _ in range(rounds)]
        middle = {name: statistics.median(one[name] for one in runs) for name in runs[0]}
        ratio = statistics.median(one["analysis"] / (one["float"] + one["int8"]) for one in runs)
        print(
            f"{model.stem:<14} {middle['float']:>6.2f} s {middle['int8']:>6.2f} s {middle['analysis']:>7.2f} s"
            f" {ratio:>6.2f} {verdict(ratio, ANALYSIS_GOAL):>6} {middle['one']:>6.2f} s"
            f" {middle['one with files']:>9.2f} s {middle['megabytes']:>11.0f}",
            flush=True,
        )


def bench_search(model: pathlib.Path, work: pathlib.Path) -> None:
    print(f"\nsearch: {model.stem} to 33 dB, judged by 4 of 20 pictures (goal: {SEARCH_GOAL:g} s)")
    print(f"{'lift':<8} {'seconds':>8} {'':>6} {'layers':>7} {'dB':>6}", flush=True)
    for lift in ("float16", "int16"):
        found = ask("child-search", model, dataset_for(model, work, 20), lift)
        print(
            f"{lift:<8} {found['seconds']:>8.1f} {verdict(found['seconds'], SEARCH_GOAL):>6} {found['layers']:>7}"
            f" {found['sqnr']:>6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    print(json.dumps(CHILDREN[sys.argv[1]](*sys.argv[2:])))
