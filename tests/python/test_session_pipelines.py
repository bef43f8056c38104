"""run_pipeline: results some calls late."""

import pytest

pytest.importorskip("openrknn._core")
from session_calls import tagged  # noqa: E402

import openrknn  # noqa: E402

# ---- pipelines


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_the_first_depth_calls_of_a_pipeline_give_none(stub, depth):
    stub.configure("latency_us=2000,100,500")
    session = stub.session(schedule=[0, 1, 2])
    results = [session.run_pipeline({"x": tagged(i)}, depth=depth) for i in range(12)]
    assert [result is None for result in results] == [i < depth for i in range(12)]
    assert [result[0][0, 0] for result in results[depth:]] == list(range(12 - depth))
    assert session.pipeline_pending == depth
    assert [result[0][0, 0] for result in session.pipeline_drain()] == list(range(12 - depth, 12))
    assert (session.pipeline_pending, session.pipeline_drain()) == (0, [])
    assert session.run_pipeline(tagged(1), depth) is None, "it fills again"


def test_depth_is_three_unless_said(stub):
    session = stub.session()
    assert [session.run_pipeline(tagged(i)) is None for i in range(4)] == [True, True, True, False]


def test_another_depth_and_reset_begin_anew(stub):
    session = stub.session()

    def pattern(numbers, **kwargs):
        results = [session.run_pipeline(tagged(i), **kwargs) for i in numbers]
        return [None if result is None else int(result[0][0, 0]) for result in results]

    assert pattern(range(4), depth=2) == [None, None, 0, 1]
    assert pattern(range(10, 14), depth=1) == [None, 10, 11, 12]
    assert pattern([20], depth=1, reset=True) == [None]
    assert pattern([21, 22], depth=1) == [20, 21]


def test_reset_takes_back_what_has_not_begun(stub):
    session = stub.session(max_queue_size=8)
    stub.block()
    for i in range(4):
        assert session.run_pipeline(tagged(i), depth=4) is None
    stub.wait_blocked()
    session.run_pipeline(tagged(9), depth=4, reset=True)
    stub.release()
    assert [result[0][0, 0] for result in session.pipeline_drain()] == [9]
    assert stub.calls("rknn_run") == 2


def test_a_failure_in_the_window_comes_at_its_turn(stub):
    session = stub.session()
    stub.fail("rknn_run", 2)
    assert session.run_pipeline(tagged(0), 2) is None
    assert session.run_pipeline(tagged(1), 2) is None
    assert session.run_pipeline(tagged(2), 2)[0][0, 0] == 0
    with pytest.raises(openrknn.RknnError, match="rknn_run failed"):
        session.run_pipeline(tagged(3), 2)
    assert session.run_pipeline(tagged(4), 2)[0][0, 0] == 2


@pytest.mark.parametrize("depth", [0, -1])
def test_a_pipeline_without_depth(stub, depth):
    with pytest.raises(RuntimeError, match="^pipeline depth must be > 0$"):
        stub.session().run_pipeline(tagged(1), depth)
