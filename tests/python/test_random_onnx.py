"""Random small graphs of supported operators give what onnxruntime gives (random_onnx.py, random_onnx_operators.py).

Every operator of the table is the first of OPENRKNN_RANDOM_GRAPHS (default 17) graphs and turns up in others. A failing
graph is shrunk and printed as text. OPENRKNN_RANDOM_SEED draws other graphs than the ones everybody sees.
"""

import collections
import os
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
hypothesis = pytest.importorskip("hypothesis")

from hypothesis import strategies as st  # noqa: E402
from random_onnx import Builder, Rejected  # noqa: E402
from random_onnx_operators import MAKERS  # noqa: E402

import openrknn  # noqa: E402

GRAPHS = int(os.environ.get("OPENRKNN_RANDOM_GRAPHS", "17"))
SEED = int(os.environ.get("OPENRKNN_RANDOM_SEED", "0"))
# Operators of the past, and those whose newest form onnxruntime lacks, need another opset: they stand alone.
ALONE = {"Upsample": 9, "RoiAlign": 20}
# Error a node may add, of the largest value of the tensor.
TOLERANCE = 2e-5

counts = collections.Counter()
graphs = 0


def build(data, op):
    seed = data.draw(st.integers(0, 2**32 - 1), label="seed of the values") + SEED
    builder = Builder(
        lambda low, high: data.draw(st.integers(low, high)), seed, **{"opset": ALONE[op]} if op in ALONE else {}
    )
    others = sorted(set(MAKERS) - set(ALONE))
    before = 0 if op in ALONE else data.draw(st.integers(0, 2))
    after = 0 if op in ALONE else data.draw(st.integers(0, 3))
    for name in [data.draw(st.sampled_from(others)) for _ in range(before)]:
        try_node(builder, name)
    if not any(try_node(builder, op) for _ in range(8)):
        hypothesis.reject()
    for name in [data.draw(st.sampled_from(others)) for _ in range(after)]:
        try_node(builder, name)
    return builder


def try_node(builder, op):
    try:
        MAKERS[op](builder, op)
    except Rejected:
        return False
    return True


def differences(graph, feeds, expected):
    names = [name for name, _, _ in graph.outputs]
    for name, got in zip(names, graph.run(feeds), strict=True):
        wanted = expected[name]
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            yield f"{name}: {got.dtype}{list(got.shape)}, expected {wanted.dtype}{list(wanted.shape)}"
        elif wanted.dtype.kind != "f":
            if not np.array_equal(got, wanted):
                yield f"{name}: {np.sum(got != wanted)} of {wanted.size} elements differ"
        else:
            bound = TOLERANCE * max(1.0, float(np.max(np.abs(wanted), initial=0)))
            error = float(np.max(np.abs(got - wanted), initial=0))
            if not error <= bound:
                yield f"{name}: differs by {error:.3g}, at most {bound:.3g} expected"


def check(data, op, folder):
    global graphs
    builder = build(data, op)
    model, feeds, expected = builder.model()
    path = folder / "random.onnx"
    onnx.save(model, path)
    shapes = {name: list(array.shape) for name, array in feeds.items()}
    graph = openrknn.import_model(path, input_shapes=[shapes[i.name] for i in model.graph.input])
    kept = [name for name, _, _ in graph.inputs]
    found = list(differences(graph, {n: feeds[n] for n in kept}, expected))
    assert not found, "\n".join([*found, onnx.printer.to_text(model)])
    graphs += 1
    counts.update(set(builder.operators()))


@pytest.mark.parametrize("op", sorted(MAKERS))
def test_random_graphs_give_what_onnxruntime_gives(op, tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")

    @hypothesis.settings(
        max_examples=GRAPHS,
        deadline=None,
        derandomize=SEED == 0,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(data=st.data())
    def run(data):
        check(data, op, folder)

    run()


def test_every_operator_was_met_often_enough():
    if graphs == 0:
        pytest.skip("no graphs were built in this process")
    print(f"\n{graphs} graphs; graphs an operator is part of: {dict(sorted(counts.items()))}", file=sys.stderr)
    rare = {op: counts[op] for op in MAKERS if counts[op] < min(10, GRAPHS)}
    assert not rare
