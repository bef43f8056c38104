"""onnx_edit: weights beside the model, models too large for memory, and the samples that go with a model."""

import os
import subprocess
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openrknn._core")

import dimension_equations  # noqa: E402
import small_models  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402
from onnx_edit_models import CACHE, run, save_samples, scaled  # noqa: E402

import openrknn  # noqa: E402
from rknn.utils import onnx_edit  # noqa: E402

# ---- external data


@pytest.fixture
def apart(tmp_path):
    """A model whose weights lie in a file below it."""
    folder = tmp_path / "from"
    (folder / "data").mkdir(parents=True)
    path = folder / "net.onnx"
    onnx.save(scaled([2, 64]), path, save_as_external_data=True, location="data/net.bin", size_threshold=0)
    return path


def test_external_data_goes_with_the_model(apart, tmp_path):
    sample = np.random.default_rng(0).integers(-8, 9, (2, 64)).astype(np.float32)
    wanted = run(apart, {"x": sample})
    for folder in ("from", "to"):
        (tmp_path / folder).mkdir(exist_ok=True)
        out = tmp_path / folder / "edited.onnx"
        openrknn.edit_onnx(apart, out, inputs={"x": "a,b->b,a"})
        assert np.array_equal(run(out, {"x": np.ascontiguousarray(sample.T)})[0], wanted[0])
        openrknn.edit_onnx(apart, out, inputs={"x": "a,b->b,a"})  # the copy that is there already will do
    assert sorted(p.name for p in (tmp_path / "to").rglob("*")) == ["data", "edited.onnx", "net.bin"]


def test_external_data_that_cannot_go_is_refused(apart, tmp_path):
    (tmp_path / "to" / "data").mkdir(parents=True)
    out = tmp_path / "to" / "edited.onnx"
    other = tmp_path / "to" / "data" / "net.bin"
    other.write_bytes(b"of another model")
    with pytest.raises(openrknn.Error, match="is another file.*remove that file"):
        openrknn.edit_onnx(apart, out)
    assert other.read_bytes() == b"of another model" and not out.exists()
    other.unlink()
    (apart.parent / "data" / "net.bin").unlink()
    with pytest.raises(openrknn.Error, match="'data/net.bin' is missing"):
        openrknn.edit_onnx(apart, out)
    made = onnx.load(apart, load_external_data=False)
    made.graph.initializer[0].external_data[0].value = "../net.bin"
    apart.write_bytes(made.SerializeToString())
    with pytest.raises(openrknn.Error, match="outside the model's folder"):
        openrknn.edit_onnx(apart, out)
    assert not out.exists()


def test_constants_of_nodes_may_be_external(apart, tmp_path):
    made = onnx.load(apart, load_external_data=False)
    tensor = made.graph.initializer.pop()
    tensor.name = ""
    made.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=tensor))
    apart.write_bytes(made.SerializeToString())
    (tmp_path / "to").mkdir()
    openrknn.edit_onnx(apart, tmp_path / "to" / "edited.onnx")
    assert (tmp_path / "to" / "data" / "net.bin").read_bytes() == (apart.parent / "data" / "net.bin").read_bytes()


def test_large_models_are_not_held_in_memory(tmp_path):
    """A model of 300 MB within 150 MB more than what an import takes; its bytes do not count, they are mapped."""
    path, out = tmp_path / "large.onnx", tmp_path / "out.onnx"
    made = scaled([1, 4])
    made.graph.initializer.append(numpy_helper.from_array(np.zeros(75_000_000, np.float32), "unused"))
    small_models.save(made, path)
    program = (
        "import resource, openrknn\n"
        "limit = int(open('/proc/self/status').read().split('VmData:')[1].split()[0]) * 1024 + (150 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))\n"
        f"openrknn.edit_onnx({str(path)!r}, {str(out)!r}, inputs={{'x': 'a,b->b,a'}})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert abs(out.stat().st_size - path.stat().st_size) < 1000


# ---- datasets


@pytest.mark.proves("rknn.utils.onnx_edit.dataset")
def test_the_dataset_is_transformed_with_the_model(rknn, attention_cache, tmp_path):
    dataset, samples = save_samples(tmp_path / "samples")
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "concat_block_edited.onnx"
    assert onnx_edit(attention_cache, out, {"k_cache.1": CACHE}, dataset=str(dataset)) == 0
    written = tmp_path / "out" / "dataset_for_concat_block_edited.txt"
    lines = [line.rsplit(maxsplit=1) for line in written.read_text().splitlines()]
    assert len(lines) == 3
    for (first, second), (feature, cache) in zip(lines, samples, strict=True):
        assert np.array_equal(np.load(written.parent / first.strip('"')), feature)
        assert np.array_equal(np.load(written.parent / second), dimension_equations.apply(CACHE, cache))
    each = rknn()
    each.config(target_platform="rk3588")
    assert each.load_onnx(out) == 0
    assert each.build(do_quantization=True, dataset=str(written)) == 0


def test_arrays_may_leave_out_a_batch_of_one_and_keep_their_type(tmp_path):
    source = small_models.save(scaled([1, 2, 3]), tmp_path / "net.onnx")
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    (tmp_path / "list.txt").write_text("a.npy\n")
    openrknn.edit_onnx(source, tmp_path / "out.onnx", inputs={"x": "n,a,b->n,ba"}, dataset=tmp_path / "list.txt")
    array = np.load(tmp_path / "dataset_for_out" / "00000_0.npy")
    assert array.dtype == np.int64 and np.array_equal(array, [[0, 3, 1, 4, 2, 5]])


def test_everything_wrong_with_a_dataset_is_told(attention_cache, tmp_path):
    dataset, _ = save_samples(tmp_path / "samples")
    np.save(tmp_path / "samples" / "cache1.npy", np.zeros((4, 48, 8)))
    (tmp_path / "samples" / "photo.jpg").write_bytes(b"")
    with open(dataset, "a") as file:
        file.write("cache0.npy\ncache0.npy nowhere.npy\ncache0.npy photo.jpg\n")
    with pytest.raises(openrknn.Error) as raised:
        openrknn.edit_onnx(attention_cache, tmp_path / "out.onnx", inputs={"k_cache.1": CACHE}, dataset=dataset)
    told = str(raised.value)
    for part in (
        "the array has the shape [4, 48, 8], the input [4, 48, 1, 8]",
        "1 paths for 2 inputs",
        "no such file 'nowhere.npy'",
        "'photo.jpg' is no .npy file",
    ):
        assert part in told
    assert not (tmp_path / "out.onnx").exists() and not (tmp_path / "dataset_for_out").exists()


def test_a_dataset_is_not_replaced_by_its_own_transformation(attention_cache, tmp_path):
    dataset, _ = save_samples(tmp_path / "samples")
    own = dataset.rename(dataset.with_name("dataset_for_out.txt"))
    with pytest.raises(openrknn.Error, match="under another name"):
        openrknn.edit_onnx(attention_cache, dataset.with_name("out.onnx"), inputs={"k_cache.1": CACHE}, dataset=own)


def test_a_sample_that_breaks_off_leaves_nothing(attention_cache, tmp_path):
    dataset, _ = save_samples(tmp_path / "samples")
    broken = tmp_path / "samples" / "cache2.npy"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-8])
    (tmp_path / "out").mkdir()
    with pytest.raises(openrknn.Error, match="cache2.npy"):
        openrknn.edit_onnx(attention_cache, tmp_path / "out" / "out.onnx", inputs={"k_cache.1": CACHE}, dataset=dataset)
    assert os.listdir(tmp_path / "out") == []
