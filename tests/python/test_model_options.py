"""Options of config() that change the model: what each does, and where it is refused."""

import json
import os
import subprocess

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402

import openrknn  # noqa: E402


def convolutions(*layers, shape=(1, 4, 8, 8), activation="Relu"):
    """A chain of convolutions with the given weights and biases, a function between them."""
    nodes, constants, tensor = [], [], "x"
    for i, (weights, bias) in enumerate(layers):
        constants += [small_models.constant(f"w{i}", weights), small_models.constant(f"b{i}", bias)]
        last = i == len(layers) - 1
        result = "y" if last else f"c{i}"
        pad = weights.shape[2] // 2
        nodes.append(helper.make_node("Conv", [tensor, f"w{i}", f"b{i}"], [result], name=f"conv{i}", pads=[pad] * 4))
        tensor = result
        if not last:
            nodes.append(helper.make_node(activation, [result], [f"r{i}"], name=f"act{i}"))
            tensor = f"r{i}"
    out = [shape[0], layers[-1][0].shape[0], *shape[2:]]
    graph = helper.make_graph(nodes, "net", [small_models.value("x", shape)], [small_models.value("y", out)], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def random_layer(random, outputs, inputs, kernel=3):
    return (
        random.standard_normal((outputs, inputs, kernel, kernel)).astype(np.float32) * 0.3,
        random.standard_normal(outputs).astype(np.float32) * 0.1,
    )


@pytest.fixture
def random():
    return np.random.default_rng(11)


@pytest.fixture
def said(capfd):
    return lambda: capfd.readouterr().err


def built(rknn, path, *, dataset=None, **config):
    instance = rknn()
    assert instance.config(**{"target_platform": "rk3588", **config}) == 0
    assert instance.load_onnx(str(path)) == 0
    assert instance.build(do_quantization=dataset is not None, dataset=dataset) == 0
    return instance


def output_of(instance, array):
    assert instance.init_runtime() == 0
    return instance.inference([array], data_format="nchw")[0]


def inspected(instance, path):
    assert instance.export_rknn(str(path)) == 0
    command = os.environ.get("OPENRKNN_COMMAND")
    if not command:
        pytest.skip("OPENRKNN_COMMAND names no command")
    done = subprocess.run([command, "estimate", str(path), "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["targets"][0]


# ---- model_pruning


def prunable(random):
    """Channels 1 and 3 of the first layer are always zero (weights 0, bias below 0 in front of a Relu); channel 5 is
    computed and read by zero weights alone."""
    w0, b0 = random_layer(random, 8, 4)
    w1, b1 = random_layer(random, 6, 8)
    w0[[1, 3]] = 0
    b0[1], b0[3] = -0.5, 0.0
    w1[:, 5] = 0
    return convolutions((w0, b0), (w1, b1))


@pytest.mark.proves("config.model_pruning")
def test_pruning_removes_channels_and_no_number_changes(rknn, tmp_path, random, said):
    path = small_models.save(prunable(random), tmp_path / "net.onnx")
    x = random.standard_normal((1, 4, 8, 8)).astype(np.float32)
    plain, pruned = built(rknn, path), built(rknn, path, model_pruning=True)
    told = said()
    assert "I model_pruning results:\nI     Weight: -" in told.replace("\n    ", "\nI     ") or "Weight: -" in told
    assert "GFLOPs: -" in told
    np.testing.assert_array_equal(output_of(plain, x), output_of(pruned, x))
    before, after = inspected(plain, tmp_path / "a.rknn"), inspected(pruned, tmp_path / "b.rknn")
    # 8 channels became 5 in both layers.
    products = [sum(layer["products"] for layer in entry["layers"]) for entry in (before, after)]
    assert products[1] * 8 == products[0] * 5
    assert after["weight_bytes"] < before["weight_bytes"]


def test_pruning_says_nothing_where_there_is_nothing_to_remove(rknn, tmp_path, random, said):
    model = convolutions(random_layer(random, 8, 4), random_layer(random, 6, 8))
    built(rknn, small_models.save(model, tmp_path / "net.onnx"), model_pruning=True)
    assert "model_pruning" not in said()


def test_pruning_leaves_channels_whose_bias_shows(rknn, tmp_path, random, said):
    w0, b0 = random_layer(random, 8, 4)
    w1, b1 = random_layer(random, 6, 8)
    w0[1], b0[1] = 0, 0.5
    path = small_models.save(convolutions((w0, b0), (w1, b1)), tmp_path / "net.onnx")
    built(rknn, path, model_pruning=True)
    assert "model_pruning" not in said()


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_keep_their_numbers_when_pruned(rknn, tmp_path, seed):
    random = np.random.default_rng(seed)
    layers, channels = [], 4
    for _ in range(4):
        outputs = int(random.integers(3, 9))
        w, b = random_layer(random, outputs, channels, kernel=int(random.choice([1, 3])))
        dead = random.random(outputs) < 0.4
        w[dead], b[dead] = 0, -abs(b[dead]) * (random.random() < 0.5)
        if layers:
            w[:, random.random(channels) < 0.3] = 0
        layers.append((w, b))
        channels = outputs
    activation = str(random.choice(["Relu", "Sigmoid", "Tanh"]))
    path = small_models.save(convolutions(*layers, activation=activation), tmp_path / "net.onnx")
    x = random.standard_normal((1, 4, 8, 8)).astype(np.float32)
    results = [output_of(built(rknn, path, model_pruning=on), x) for on in (False, True)]
    np.testing.assert_array_equal(*results, err_msg=f"seed {seed}, {activation}")


# ---- op_target


def places(entry):
    return {layer["node"]: layer["place"] for layer in entry["layers"]}


@pytest.mark.proves("config.op_target")
def test_op_target_moves_layers_by_tensor_and_by_type_and_numbers_stay(rknn, tmp_path, random):
    model = convolutions(random_layer(random, 8, 4), random_layer(random, 6, 8))
    path = small_models.save(model, tmp_path / "net.onnx")
    x = random.standard_normal((1, 4, 8, 8)).astype(np.float32)
    plain = built(rknn, path)
    by_name = built(rknn, path, op_target={"y": "cpu"})
    by_type = built(rknn, path, op_target={"Conv": "cpu", "y": "npu"})
    by_vendors_name = built(rknn, path, op_target={"y_rs": "CPU"})
    np.testing.assert_array_equal(output_of(plain, x), output_of(by_name, x))
    assert places(inspected(plain, tmp_path / "a.rknn")) == {"conv0": "NPU", "conv1": "NPU"}
    assert places(inspected(by_name, tmp_path / "b.rknn")) == {"conv0": "NPU", "conv1": "CPU"}
    assert places(inspected(by_type, tmp_path / "c.rknn")) == {"conv0": "CPU", "conv1": "NPU"}
    assert places(inspected(by_vendors_name, tmp_path / "d.rknn")) == {"conv0": "NPU", "conv1": "CPU"}


def test_op_target_warns_of_names_and_places_that_there_are_not(rknn, tmp_path, random, said):
    model = convolutions(random_layer(random, 8, 4), random_layer(random, 6, 8))
    path = small_models.save(model, tmp_path / "net.onnx")
    built(rknn, path, op_target={"nowhere": "cpu", "y": "gpu"})
    told = said()
    assert "'nowhere' is neither a tensor nor an operator type of this model, ignored" in told
    assert "there are no GPU kernels: 'conv1' runs on the CPU" in told


@pytest.mark.proves("config.op_target")
def test_op_target_is_checked_as_a_whole(rknn):
    with pytest.raises(ValueError, match="(?s)'a': got 'tpu', expected 'cpu'.*'b': got 3"):
        rknn().config(target_platform="rk3588", op_target={"a": "tpu", "b": 3})


def test_small_runtimes_say_which_layers_stay(rknn, tmp_path, random, said):
    model = convolutions(random_layer(random, 8, 4), random_layer(random, 6, 8))
    path = small_models.save(model, tmp_path / "net.onnx")
    dataset = tmp_path / "d.txt"
    np.save(tmp_path / "d.npy", random.standard_normal((1, 4, 8, 8)).astype(np.float32))
    dataset.write_text("d.npy\n")
    built(rknn, path, dataset=str(dataset), target_platform="rv1106", op_target={"y": "cpu"})
    assert "RV1106 has no CPU kernel of Conv: 'conv1' stays where it is" in said()


# ---- disable_rules


@pytest.mark.proves("config.disable_rules")
def test_rules_are_left_out_by_our_names_and_the_vendors(rknn, tmp_path, random):
    model = convolutions(random_layer(random, 8, 4), random_layer(random, 6, 8))
    path = small_models.save(model, tmp_path / "net.onnx")
    plain = inspected(built(rknn, path), tmp_path / "a.rknn")
    apart = inspected(built(rknn, path, disable_rules=["fuse_activation"]), tmp_path / "b.rknn")
    assert [layer["op"] for layer in plain["layers"]].count("Relu") == 0
    assert [layer["op"] for layer in apart["layers"]].count("Relu") == 1


@pytest.mark.proves("config.disable_rules")
def test_rules_that_are_unknown_or_needed_are_told_and_ignored(rknn, said):
    rules = ["fuse_conv_gather", "fold_constants"]
    assert rknn().config(target_platform="rk3588", disable_rules=rules) == 0
    told = said()
    assert "'fuse_conv_gather' is not a pass of this compiler" in told
    assert "no build can do without 'fold_constants'" in told


# ---- single_core_mode


@pytest.mark.proves("config.single_core_mode")
def test_a_single_core_model_refuses_masks_of_several_cores(rknn, tmp_path, random):
    model = convolutions(random_layer(random, 8, 4))
    instance = built(rknn, small_models.save(model, tmp_path / "net.onnx"), single_core_mode=True)
    assert instance.export_rknn(str(tmp_path / "net.rknn")) == 0
    with openrknn.InferenceSession(tmp_path / "net.rknn", provider_options=[{"tp_mode": "0"}]) as session:
        assert session.run(None, {"x": np.zeros((1, 4, 8, 8), np.float32)})[0].shape == (1, 8, 8, 8)
    with pytest.raises(Exception, match="single_core_mode"):
        openrknn.InferenceSession(tmp_path / "net.rknn", provider_options=[{"tp_mode": "0,1,2"}])


@pytest.mark.proves("config.single_core_mode")
def test_single_core_mode_is_for_the_platforms_with_several(rknn):
    with pytest.raises(ValueError, match="single_core_mode is for RK3588 and RK3576, RK3566 has one core"):
        rknn().config(target_platform="rk3566", single_core_mode=True)


# ---- sparse_infer


def sparse_layer(random, outputs=32, inputs=32):
    w, b = random_layer(random, outputs, inputs)
    grouped = w.reshape(outputs, inputs // 4, 4, 3, 3)
    grouped[:, :, 2:] = 0
    return grouped.reshape(w.shape), b


@pytest.mark.proves("config.sparse_infer")
def test_sparse_layers_are_found_and_estimated_as_such(rknn, tmp_path, random, said):
    model = convolutions(sparse_layer(random), random_layer(random, 32, 32), shape=(1, 32, 8, 8))
    path = small_models.save(model, tmp_path / "net.onnx")
    plain = inspected(built(rknn, path, target_platform="rk3576"), tmp_path / "a.rknn")
    sparse = inspected(built(rknn, path, target_platform="rk3576", sparse_infer=True), tmp_path / "b.rknn")
    assert "sparse_infer: 1 of 2 convolutions are computed as 4:2 sparse" in said()
    steps = [[layer["array_steps"] for layer in entry["layers"]] for entry in (plain, sparse)]
    assert steps[1] == [steps[0][0] / 2, steps[0][1]]


def test_dense_models_hear_why_sparse_infer_does_nothing(rknn, tmp_path, random, said):
    path = small_models.save(convolutions(random_layer(random, 32, 32), shape=(1, 32, 8, 8)), tmp_path / "net.onnx")
    built(rknn, path, target_platform="rk3576", sparse_infer=True)
    told = said()
    assert "sparse_infer=True has no effect" in told
    assert "hold 4 weights that are not zero, at most 2 of 4 may" in told


@pytest.mark.proves("config.sparse_infer")
def test_sparse_infer_is_refused_where_the_npu_cannot(rknn):
    with pytest.raises(ValueError, match="sparse_infer is not supported by rk3588.*rk3576, rv1126b"):
        rknn().config(target_platform="rk3588", sparse_infer=True)


# ---- remove_reshape


def reshaped():
    """[1, 16] -> Reshape [1, 4, 2, 2] -> Conv -> Flatten [1, 12]."""
    random = np.random.default_rng(2)
    weights, bias = random_layer(random, 3, 4, kernel=1)
    return small_models.model(
        [
            helper.make_node("Reshape", ["x", "shape"], ["image"], name="reshape"),
            helper.make_node("Conv", ["image", "w", "b"], ["c"], name="conv"),
            helper.make_node("Flatten", ["c"], ["y"], name="flatten"),
        ],
        [small_models.value("x", [1, 16])],
        [small_models.value("y", [1, 12])],
        [
            small_models.constant("shape", np.array([1, 4, 2, 2], np.int64)),
            small_models.constant("w", weights),
            small_models.constant("b", bias),
        ],
    )


@pytest.mark.proves("config.remove_reshape")
def test_reshapes_at_the_ends_leave_and_every_new_shape_is_told(rknn, tmp_path, random, said):
    path = small_models.save(reshaped(), tmp_path / "net.onnx")
    x = random.standard_normal((1, 16)).astype(np.float32)
    plain = built(rknn, path)
    assert plain.init_runtime() == 0
    expected = plain.inference([x])[0]
    bare = built(rknn, path, remove_reshape=True)
    told = said()
    assert "the shape of input 'x' is [1, 4, 2, 2] now, it was [1, 16]!" in told
    assert "the shape of output 'y' is [1, 3, 2, 2] now, it was [1, 12]!" in told
    result = output_of(bare, x.reshape(1, 4, 2, 2))
    assert result.shape == (1, 3, 2, 2)
    np.testing.assert_array_equal(result.reshape(1, 12), expected)
    assert [layer["op"] for layer in inspected(bare, tmp_path / "net.rknn")["layers"]] == ["Conv"]


def test_reshapes_that_others_need_stay(rknn, tmp_path, said):
    made = reshaped()
    made.graph.output.append(small_models.value("image", [1, 4, 2, 2]))
    bare = built(rknn, small_models.save(made, tmp_path / "net.onnx"), remove_reshape=True)
    told = said()
    assert "input 'x'" not in told and "output 'y'" in told
    assert bare.init_runtime() == 0


# ---- compress_weight


@pytest.mark.proves("config.compress_weight")
def test_compressed_files_are_smaller_and_give_the_same_numbers(rknn, tmp_path, random):
    weights, bias = random_layer(random, 64, 64)
    weights[np.abs(weights) < 0.3] = 0
    path = small_models.save(convolutions((weights, bias), shape=(1, 64, 8, 8)), tmp_path / "net.onnx")
    x = {"x": random.standard_normal((1, 64, 8, 8)).astype(np.float32)}
    results = []
    for name, on in (("plain", False), ("packed", True)):
        assert built(rknn, path, compress_weight=on).export_rknn(str(tmp_path / f"{name}.rknn")) == 0
        with openrknn.InferenceSession(tmp_path / f"{name}.rknn") as session:
            results.append(session.run(None, x)[0])
    np.testing.assert_array_equal(*results)
    assert (tmp_path / "packed.rknn").stat().st_size < 0.8 * (tmp_path / "plain.rknn").stat().st_size


@pytest.mark.proves("config.compress_weight")
def test_a_file_without_weights_has_none_to_compress(rknn, tmp_path, random, said):
    path = small_models.save(convolutions(random_layer(random, 8, 4)), tmp_path / "net.onnx")
    instance = rknn()
    assert instance.config(target_platform="rk3588", remove_weight=True, compress_weight=True) == 0
    assert instance.load_onnx(str(path)) == 0
    assert instance.build(do_quantization=False) == -1
    assert "remove_weight and compress_weight contradict each other" in said()
