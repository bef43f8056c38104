"""One model in several shapes, for several items, or without its weights: dynamic_input, rknn_batch_size, remove_weight."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
onnx = pytest.importorskip("onnx")
import small_models  # noqa: E402

import openrknn  # noqa: E402

SETS = [[[1, 3, 16, 16]], [[1, 3, 24, 32]], [[1, 3, 8, 12]]]


def image(height, width, seed=3):
    return small_models.photo(height, width, seed).transpose(2, 0, 1)[None].astype(np.float32)


def samples(height, width):
    return [image(height, width, seed) for seed in range(4)]


def identical(got, want):
    assert [g.dtype for g in got] == [w.dtype for w in want]
    for g, w in zip(got, want, strict=True):
        np.testing.assert_array_equal(g, w)


# ---- dynamic_input


def test_every_shape_gives_what_a_model_of_that_shape_gives(cnn):
    options = {"quantize": None, "mean": [120, 110, 100], "std": [60, 50, 40]}
    dynamic = openrknn.compile(cnn, dynamic_input=SETS, **options)
    for ((_, _, h, w),) in [*SETS, *SETS]:
        static = openrknn.compile(openrknn.import_model(cnn, input_shapes=[[1, 3, h, w]]), **options)
        identical(dynamic.run(image(h, w)), static.run(image(h, w)))


def test_a_quantized_model_has_one_set_of_scales(cnn):
    dynamic = openrknn.compile(cnn, dynamic_input=SETS, dataset=samples(24, 32))
    assert dynamic.inputs[0][1] == [1, 3, 24, 32]  # the largest is shown
    static = openrknn.compile(openrknn.import_model(cnn, input_shapes=SETS[1]), dataset=samples(24, 32))
    identical(dynamic.run(image(24, 32)), static.run(image(24, 32)))
    for h, w in [(16, 16), (8, 12)]:
        golden = openrknn.import_model(cnn, input_shapes=[[1, 3, h, w]]).run(image(h, w))
        for got, want in zip(dynamic.run(image(h, w)), golden, strict=True):
            assert np.abs(got - want).max() < 0.06 * np.ptp(want)


def test_weights_are_in_the_file_once_and_the_file_runs(cnn, tmp_path):
    dynamic = openrknn.compile(cnn, dynamic_input=SETS, dataset=samples(24, 32))
    again = openrknn.compile(cnn, dynamic_input=SETS, dataset=samples(24, 32))
    assert dynamic.to_bytes() == again.to_bytes()
    dynamic.save(tmp_path / "net.rknn")
    loaded = openrknn.load(tmp_path / "net.rknn")
    for ((_, _, h, w),) in SETS:
        identical(loaded.run(image(h, w)), dynamic.run(image(h, w)))
    with pytest.raises(openrknn.Error, match=r"shape \[1, 3, 9, 9\], expected .*\[1, 3, 24, 32\] or .*\[1, 3, 8, 12\]"):
        loaded.run(image(9, 9))


def test_shapes_of_several_inputs_go_together(tmp_path):
    path = small_models.save(small_models.two_inputs(), tmp_path / "two.onnx")
    sets = [[[1, 3, 8, 8], [1, 4]], [[1, 3, 12, 12], [1, 4]]]
    model = openrknn.compile(path, quantize=None, dynamic_input=sets)
    vector = np.ones((1, 4), np.float32)
    for size in (8, 12):
        golden = openrknn.import_model(path, input_shapes=[[1, 3, size, size], [1, 4]])
        feeds = {"image": image(size, size) / 255, "vector": vector}
        np.testing.assert_allclose(model.run(feeds)[0], golden.run(feeds)[0], atol=0.01)


def test_a_node_may_do_nothing_at_the_largest_shapes(tmp_path):
    nodes = [
        onnx.helper.make_node("Conv", ["image", "w"], ["conv"]),
        onnx.helper.make_node("Resize", ["conv", "", "", "sizes"], ["resized"], mode="linear"),
        onnx.helper.make_node("Add", ["resized", "resized"], ["twice"]),
    ]
    weights = np.random.default_rng(1).standard_normal((4, 3, 1, 1)).astype(np.float32)
    constants = [small_models.constant("w", weights), small_models.constant("sizes", np.int64([1, 4, 16, 16]))]
    made = small_models.model(
        nodes, [small_models.value("image", [1, 3, "h", "w"])], [small_models.value("twice", [1, 4, 16, 16])], constants
    )
    path = small_models.save(made, tmp_path / "resize.onnx")
    model = openrknn.compile(path, dynamic_input=[[[1, 3, 16, 16]], [[1, 3, 8, 8]]], dataset=samples(16, 16))
    golden = openrknn.import_model(path, input_shapes=[[1, 3, 8, 8]]).run(image(8, 8))[0]
    assert np.abs(model.run(image(8, 8))[0] - golden).max() < 0.06 * np.ptp(golden)


def test_problems_of_all_sets_come_together(tmp_path):
    path = small_models.save(small_models.two_inputs(), tmp_path / "two.onnx")
    sets = [[[1, 3, 8, 8], [1, 4]], [[1, 3, 8, 8]], [[1, 3, 8, 8], [1, 4]], [[1, 3, 8, 8], [1, 5]]]
    with pytest.raises(openrknn.Error) as caught:
        openrknn.compile(openrknn.import_model(path), quantize=None, dynamic_input=sets)
    text = str(caught.value)
    for mention in ("dynamic_input[1] = [[1, 3, 8, 8]]", "dynamic_input[2]", "again", "dynamic_input[3]"):
        assert mention in text


@pytest.mark.parametrize("sets", [[], [1, 3, 16, 16], [[1, 3, 16, 16]], "1,3,16,16", [[]]], ids=str)
def test_what_is_no_list_of_sets_is_refused(cnn, sets):
    with pytest.raises(openrknn.Error, match="dynamic_input"):
        openrknn.compile(openrknn.import_model(cnn), quantize=None, dynamic_input=sets)


@pytest.mark.proves("config.dynamic_input")
def test_small_platforms_have_static_shapes_only(rknn):
    with pytest.raises(openrknn.Error, match="dynamic_input is not supported by rv1106"):
        rknn().config(target_platform="rv1106", dynamic_input=SETS)


@pytest.mark.proves("config.dynamic_input")
def test_the_class_chooses_the_set_by_the_arrays(rknn, cnn, tmp_path, capfd):
    each = rknn(verbose=True)
    assert each.config(target_platform="rk3588", dynamic_input=SETS) == 0
    assert "The 'dynamic_input' function has been enabled, the MaxShape is dynamic_input[1]" in "".join(
        capfd.readouterr()
    )
    assert each.load_onnx(str(cnn)) == 0
    np.save(tmp_path / "a.npy", image(24, 32))
    (tmp_path / "dataset.txt").write_text("a.npy\n")
    assert each.build(dataset=str(tmp_path / "dataset.txt")) == 0
    assert each.init_runtime() == 0
    for ((_, _, h, w),) in SETS:
        scores, pooled = each.inference(inputs=[image(h, w)], data_format=["nchw"])
        assert pooled.shape == (1, 8, h // 2, w // 2)
    with pytest.raises(openrknn.Error, match=r"expected .*\[1, 24, 32, 3\]"):
        each.inference(inputs=[image(9, 9).transpose(0, 2, 3, 1)], data_format=["nhwc"])


# ---- rknn_batch_size


@pytest.mark.parametrize("quantize", [None, "w8a8"])
def test_items_of_a_batch_give_what_they_give_alone(cnn, quantize):
    options = {"quantize": quantize, "dataset": samples(16, 16) if quantize else None}
    one, four = (openrknn.compile(cnn, batch=n, **options) for n in (1, 4))
    assert four.inputs[0][1] == [4, 3, 16, 16]
    assert [shape for _, shape, _ in four.outputs] == [[4, 10], [4, 8, 8, 8]]
    items = [image(16, 16, seed) for seed in range(4)]
    alone = [one.run(item) for item in items]
    identical(four.run(np.concatenate(items)), [np.concatenate(parts) for parts in zip(*alone, strict=True)])
    with pytest.raises(openrknn.Error, match=r"expected \[4, 3, 16, 16\]"):
        four.run(items[0])


def test_a_batch_of_several_shapes(cnn):
    model = openrknn.compile(cnn, quantize=None, dynamic_input=SETS, batch=2)
    for ((_, _, h, w),) in SETS:
        one = openrknn.compile(openrknn.import_model(cnn, input_shapes=[[1, 3, h, w]]), quantize=None)
        x = image(h, w)
        identical(model.run(np.concatenate([x, x])), [np.concatenate([y, y]) for y in one.run(x)])


@pytest.mark.proves("build.rknn_batch_size")
def test_the_class_builds_batches(rknn, cnn, dataset, photos):
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn))
    assert each.build(dataset=str(dataset), rknn_batch_size=4) == 0
    each.init_runtime()
    scores, _ = each.inference(inputs=[np.stack(photos)], data_format="nhwc")
    assert scores.shape == (4, 10)


@pytest.mark.proves("build.rknn_batch_size")
@pytest.mark.parametrize("batch", [0, -2, "4", 1.5])
def test_batches_are_whole_numbers(rknn, cnn, batch, monkeypatch):
    monkeypatch.setenv("OPENRKNN_RAISE", "1")
    each = rknn()
    each.config(target_platform="rk3588")
    each.load_onnx(str(cnn))
    with pytest.raises(openrknn.Error, match="rknn_batch_size"):
        each.build(do_quantization=False, rknn_batch_size=batch)


# ---- remove_weight


@pytest.mark.proves("config.remove_weight")
def test_a_file_without_weights_is_smaller_and_says_what_it_needs(cnn, tmp_path):
    full, without = (openrknn.compile(cnn, dataset=samples(16, 16), remove_weight=r) for r in (False, True))
    assert len(without.to_bytes()) < len(full.to_bytes())
    identical(without.run(image(16, 16)), full.run(image(16, 16)))  # here they are at hand
    without.save(tmp_path / "slave.rknn")
    with pytest.raises(openrknn.Error, match="remove_weight.*RKNN_FLAG_SHARE_WEIGHT_MEM"):
        openrknn.load(tmp_path / "slave.rknn")


def test_golden_weights_are_not_kept_in_a_file_without_weights(cnn):
    with pytest.raises(openrknn.Error, match="contradict"):
        openrknn.compile(cnn, quantize=None, remove_weight=True, keep_golden=True)
