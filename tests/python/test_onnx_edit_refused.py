"""onnx_edit: what is refused, and in which words."""

import os

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openrknn._core")

import small_models  # noqa: E402
from onnx import helper  # noqa: E402
from onnx_edit_models import CACHE, scaled  # noqa: E402

import openrknn  # noqa: E402
from rknn.utils import onnx_edit  # noqa: E402


@pytest.mark.parametrize(
    "equation, problem",
    [
        ("a,b,c,d", "needs one '->'"),
        ("a,b,c,d->a->b", "needs one '->'"),
        ("a,b,c,d->a,b,c", "'d' is not on the right side"),
        ("a,b,c,d->a,b,c,d,e", "'e' is not on the left side"),
        ("a,b,c,c->a,b,c", "'c' is on the left side twice"),
        ("a,b,c,D->a,b,c", "'D' is no symbol"),
        ("a,b,2,d->a,b,d", "'2' is no symbol"),
        ("a,,c,d->a,c,d", "a dimension without symbol"),
        ("a,b,c->c,b,a", "left side has 3 dimensions, the tensor has 4: [4, 48, 1, 8]"),
        ("ae,b,c,d->a,e,b,c,d", "has the extent 4, and 2 letters have none; assign all but one of them, as in [a=2]"),
        ("ae,b,c,d[e=3]->a,e,b,c,d", "has the extent 4, which cannot be divided by 3"),
        ("a,b,c,d[a=3]->a,b,c,d", "dimension 0 ('a') is 3, the tensor has 4 there"),
        ("a,1,c,d->a,c,d", "dimension 1 ('1') is 1, the tensor has 48 there"),
        ("a,b,c,d[x=3]->a,b,c,d", "'x' is assigned 3 and not on the left side"),
        ("a,b,c,d[a=0]->a,b,c,d", "'a=0' assigns nothing"),
        ("a,b,c,d[a=1.5]->a,b,c,d", "'a=1.5' assigns nothing"),
        ("a,b,c,d[a=4,a=4]->a,b,c,d", "'a' is assigned twice"),
        ("a,b,c,d[a=4->a,b,c,d", "no ']'"),
        ("a,b,c,d->a,b,c,d[a=4]", "assignments stand on the right side"),
        ("aefghijk,b,c,d[" + ",".join(f"{x}=4000000000" for x in "aefghijk") + "]->aefghijkbcd", "larger than 2^63"),
    ],
)
def test_equations_that_say_nothing_are_refused(attention_cache, tmp_path, equation, problem):
    with pytest.raises(openrknn.Error) as raised:
        openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx", inputs={"k_cache.1": equation})
    assert problem in str(raised.value) and "k_cache.1" in str(raised.value)
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize(
    "equation, problem",
    [
        ("ab,c,d->a,b,c,d", "has the extent batch, and 2 letters have none"),
        ("a,b,c->a,bc", None),
        ("a,b,c->ac,b", "'ac' joins dimensions of which several are dynamic"),
    ],
)
def test_open_dimensions_that_cannot_be_told_apart(tmp_path, equation, problem):
    source = small_models.save(scaled([2, 3, 4], ["batch", 3, "width"]), tmp_path / "net.onnx")
    if problem is None:
        openrknn.edit_onnx(source, tmp_path / "out.onnx", inputs={"x": equation})
        return
    with pytest.raises(openrknn.Error) as raised:
        openrknn.edit_onnx(source, tmp_path / "out.onnx", inputs={"x": equation})
    assert problem in str(raised.value)


@pytest.mark.proves(
    "rknn.utils.onnx_edit.export_path",
    "rknn.utils.onnx_edit.inputs_transform",
    "rknn.utils.onnx_edit.outputs_transform",
    "rknn.utils.onnx_edit.dataset",
)
def test_all_problems_of_a_call_come_together_and_it_returns_minus_one(attention_cache, tmp_path, capfd, monkeypatch):
    arguments = {
        "model": attention_cache,
        "export_path": tmp_path / "nowhere" / "out.onnx",
        "inputs_transform": {"k_cache.1": "a,b->b", "cache": "a->a"},
        "outputs_transform": {"keys": "a,b,c,d->"},
        "dataset": tmp_path / "nowhere.txt",
    }
    assert onnx_edit(**arguments) == -1
    told = capfd.readouterr().err
    for part in (
        "'a' is not on the right side",
        "no input of this name; its inputs are 'feature_0', 'k_cache.1'",
        "'d' is not on the right side",
        "there is no such folder; make it first",
        "nowhere.txt",
        "WARN(0)",
    ):
        assert part in told
    assert all(line.startswith(("E ", "I ")) for line in told.splitlines())
    monkeypatch.setenv("OPENRKNN_RAISE", "1")
    with pytest.raises(openrknn.Error):
        onnx_edit(**arguments)


def test_tensors_that_cannot_be_edited(tmp_path):
    made = small_models.model(
        [helper.make_node("Add", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])],
        [small_models.value("x", [2, 3]), small_models.value("w", [2, 3])],
        [small_models.value("z", [2, 3]), small_models.value("x", [2, 3])],
        [small_models.constant("w", np.zeros((2, 3), np.float32))],
        check=False,
    )
    source = small_models.save(made, tmp_path / "net.onnx")
    with pytest.raises(openrknn.Error) as raised:
        openrknn.edit_onnx(source, tmp_path / "out.onnx", inputs={"w": "a,b->b,a", "x": "a,b->b,a"})
    assert "the input has a value in the file" in str(raised.value)
    assert "is an input and an output of the model; put an Identity between the two" in str(raised.value)
    old = small_models.model(
        [helper.make_node("Relu", ["x"], ["y"])],
        [small_models.value("x", [2, 3])],
        [small_models.value("y", [2, 3])],
        opset=4,
        check=False,
    )
    with pytest.raises(openrknn.Error, match="opset 4, expected 5 or newer"):
        openrknn.edit_onnx(small_models.save(old, tmp_path / "old.onnx"), tmp_path / "out.onnx")


@pytest.mark.parametrize("given", [{"x": 3}, [("x", "a->a")], "a->a"], ids=["number", "list", "text"])
def test_other_forms_of_arguments_are_refused(attention_cache, tmp_path, given):
    with pytest.raises(ValueError, match="expected a dict of tensor name to equation"):
        openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx", inputs=given)
    assert onnx_edit(attention_cache, tmp_path / "out.onnx", given) == -1


def test_a_file_above_the_limit_is_refused(attention_cache, tmp_path):
    os.truncate(attention_cache, 5 << 30)  # takes no space: the rest is a hole
    with pytest.raises(openrknn.Error, match="at most 4 GiB can; save the model with its weights as external data"):
        openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx")


def test_damaged_files_are_refused(attention_cache, tmp_path):
    whole = attention_cache.read_bytes()
    random = np.random.default_rng(0)
    for i in range(300):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), 3):
            damaged[position] = random.integers(0, 256)
        attention_cache.write_bytes(bytes(damaged[: len(whole) if i % 2 else random.integers(0, len(whole))]))
        try:
            openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx", inputs={"k_cache.1": CACHE})
        except openrknn.Error:
            assert not (tmp_path / "out.onnx").exists()
        else:
            (tmp_path / "out.onnx").unlink()
