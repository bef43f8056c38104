"""Samples that turn out unreadable half-way: named and counted, and the build goes on or stops as the user says."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from PIL import Image  # noqa: E402

import openrknn  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    """Four images, of which the second and the last break off; a NaN array stands between."""
    names = []
    for i in range(4):
        Image.fromarray(small_models.photo(16, 16, i)).save(tmp_path / f"{i}.jpg", quality=95)
        names.append(f"{i}.jpg")
    for i in (1, 3):
        whole = (tmp_path / f"{i}.jpg").read_bytes()
        (tmp_path / f"{i}.jpg").write_bytes(whole[: len(whole) - 200])
    np.save(tmp_path / "nan.npy", np.full([1, 3, 16, 16], np.nan, np.float32))
    names.insert(2, "nan.npy")
    (tmp_path / "dataset.txt").write_text("\n".join(names) + "\n")
    return tmp_path


def test_the_first_one_ends_the_build(cnn, folder):
    with pytest.raises(openrknn.Error, match=r"dataset.txt:2.*1.jpg"):
        openrknn.compile(cnn, dataset=folder / "dataset.txt")


@pytest.mark.proves("config.skip_unreadable")
def test_the_build_goes_on_without_them_where_asked(cnn, folder):
    model = openrknn.compile(cnn, dataset=folder / "dataset.txt", skip_unreadable=True)
    warning = next(line for line in model.report["warnings"] if "left out" in line)
    assert warning.startswith("3 of 5 samples cannot be read")
    assert [f"dataset.txt:{line}" in warning for line in range(1, 6)] == [False, True, True, False, True]
    good = folder / "good.txt"
    good.write_text("0.jpg\n2.jpg\n")
    assert model.to_bytes() == openrknn.compile(cnn, dataset=good).to_bytes()
    assert model.report["samples"] == 2


@pytest.mark.proves("config.skip_unreadable")
def test_rknn_warns_of_them(cnn, folder, rknn, capfd):
    rknn = rknn()
    rknn.config(target_platform="rk3588", skip_unreadable=True)
    assert rknn.load_onnx(str(cnn)) == 0
    assert rknn.build(do_quantization=True, dataset=str(folder / "dataset.txt")) == 0
    assert "W build: 3 of 5 samples cannot be read and are left out" in capfd.readouterr().err


def test_arrays_in_memory_are_skipped_too(cnn):
    good = np.ones([1, 3, 16, 16], np.float32)
    model = openrknn.compile(cnn, dataset=[good, good * np.inf, good * 2], skip_unreadable=True)
    assert model.report["samples"] == 2


def test_nothing_readable_ends_the_build_with_all_reasons(cnn, folder):
    (folder / "dataset.txt").write_text("1.jpg\n3.jpg\n")
    with pytest.raises(openrknn.Error, match="none of the 2 samples can be read") as error:
        openrknn.compile(cnn, dataset=folder / "dataset.txt", skip_unreadable=True)
    assert error.value.code == "E0306"
    assert "dataset.txt:1" in str(error.value) and "dataset.txt:2" in str(error.value)
