"""reg_custom_op: operators that Python code computes, in golden, calibration, analysis and on the simulator."""

import numpy as np
import pytest

pytest.importorskip("openrknn._core")
import small_models  # noqa: E402
from onnx import helper  # noqa: E402

from rknn.api.custom_op import get_node_attr  # noqa: E402


class DualResidual:
    """x + alpha * y, as a class with the documented methods."""

    op_type = "cstDualResidual"

    def shape_infer(self, node, in_shapes, in_dtypes):
        return [in_shapes[0]], [in_dtypes[0]]

    def compute(self, node, inputs):
        return [inputs[0] + get_node_attr(node, "alpha") * inputs[1]]


def network(op="cstDualResidual", typed=False, **attributes):
    """conv -> relu -> op(conv, relu) -> conv."""
    random = np.random.default_rng(3)
    weights = [
        small_models.constant("w0", random.standard_normal((4, 3, 3, 3)).astype(np.float32) * 0.3),
        small_models.constant("w1", random.standard_normal((2, 4, 1, 1)).astype(np.float32)),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["conv"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"], name="relu"),
        helper.make_node(
            op, ["conv", "relu"], ["sum"], name="sum", domain="rknn_cst", **(attributes or {"alpha": 0.5})
        ),
        helper.make_node("Conv", ["sum", "w1"], ["out"], name="out"),
    ]
    graph = helper.make_graph(
        nodes, "net", [small_models.value("image", [1, 3, 8, 8])], [small_models.value("out", [1, 2, 8, 8])], weights
    )
    if typed:
        graph.value_info.extend([small_models.value("sum", [1, 4, 8, 8])])
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("rknn_cst", 1)], ir_version=8
    )


def plain():
    """The same function without a custom operator."""
    made = network()
    made.graph.initializer.append(small_models.constant("alpha", np.float32(0.5)))
    custom = next(node for node in made.graph.node if node.op_type == "cstDualResidual")
    at = list(made.graph.node).index(custom)
    made.graph.node.remove(custom)
    made.graph.node.insert(at, helper.make_node("Add", ["conv", "scaled"], ["sum"], name="sum"))
    made.graph.node.insert(at, helper.make_node("Mul", ["relu", "alpha"], ["scaled"]))
    return made


@pytest.fixture
def image():
    return np.random.default_rng(5).uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def dataset(tmp_path):
    random = np.random.default_rng(6)
    for i in range(3):
        np.save(tmp_path / f"s{i}.npy", random.uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32))
    path = tmp_path / "dataset.txt"
    path.write_text("".join(f"s{i}.npy\n" for i in range(3)))
    return path


def loaded(rknn, path, *operators):
    instance = rknn()
    assert instance.config(target_platform="rk3588") == 0
    for operator in operators:
        assert instance.reg_custom_op(operator) == 0
    assert instance.load_onnx(str(path)) == 0
    return instance


def infer(instance, image):
    assert instance.init_runtime() == 0
    return instance.inference([image], data_format="nchw")[0]


@pytest.mark.proves("reg_custom_op.custom_op")
@pytest.mark.parametrize("operator", [DualResidual, DualResidual()], ids=["class", "instance"])
def test_a_float_build_computes_it_like_the_operators_it_stands_for(rknn, tmp_path, image, operator):
    custom = loaded(rknn, small_models.save(network(), tmp_path / "custom.onnx"), operator)
    assert custom.build(do_quantization=False) == 0
    reference = loaded(rknn, small_models.save(plain(), tmp_path / "plain.onnx"))
    assert reference.build(do_quantization=False) == 0
    np.testing.assert_allclose(infer(custom, image), infer(reference, image), atol=2e-3)


def test_a_quantized_build_is_calibrated_with_it(rknn, tmp_path, image, dataset):
    custom = loaded(rknn, small_models.save(network(), tmp_path / "custom.onnx"), DualResidual())
    assert custom.build(dataset=str(dataset)) == 0
    reference = loaded(rknn, small_models.save(plain(), tmp_path / "plain.onnx"))
    assert reference.build(dataset=str(dataset)) == 0
    expected = infer(reference, image)
    np.testing.assert_allclose(infer(custom, image), expected, atol=0.05 * np.abs(expected).max())


def test_analysis_runs_it_too(rknn, tmp_path, dataset, capsys):
    custom = loaded(rknn, small_models.save(network(), tmp_path / "custom.onnx"), DualResidual())
    assert custom.build(dataset=str(dataset)) == 0
    assert custom.accuracy_analysis([str(tmp_path / "s0.npy")], output_dir=str(tmp_path / "snapshot")) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("[cstDualResidual] sum"))
    assert float(row.split()[2]) > 0.99


def test_attributes_arrive_as_what_they_are(rknn, tmp_path, image):
    seen = {}

    class Sees(DualResidual):
        op_type = "cstSees"

        def compute(self, node, inputs):
            seen.update({name: get_node_attr(node, name) for name in ("flag", "size", "list", "text", "gain")})
            with pytest.raises(KeyError, match="cstSees has no attribute 'alpha'; it has flag, gain, list, size, text"):
                get_node_attr(node, "alpha")
            return [inputs[0]]

    made = network("cstSees", flag=1, size=7, list=[1.5, 2.5], text="word", gain=0.25)
    instance = loaded(rknn, small_models.save(made, tmp_path / "net.onnx"), Sees())
    assert instance.build(do_quantization=False) == 0
    infer(instance, image)
    assert seen == {"flag": 1, "size": 7, "list": [1.5, 2.5], "text": "word", "gain": 0.25} or seen["text"] == b"word"


def test_what_the_code_raises_is_told_with_its_operator(rknn, tmp_path, image, capfd):
    class Fails(DualResidual):
        def compute(self, node, inputs):
            raise ZeroDivisionError("by hand")

    instance = loaded(rknn, small_models.save(network(), tmp_path / "net.onnx"), Fails())
    assert instance.build(do_quantization=False) == 0
    assert instance.init_runtime() == 0
    with pytest.raises(ValueError, match="custom operator cstDualResidual: compute raised ZeroDivisionError: by hand"):
        instance.inference([image], data_format="nchw")


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (lambda x: [], "compute gave 0 outputs, expected 1"),
        (lambda x: [x[:, :2]], "an output 0 of shape .1, 2, 8, 8., expected .1, 4, 8, 8."),
        (lambda x: x, "compute gave ndarray, expected a list of arrays"),
    ],
)
def test_results_of_other_shapes_are_refused(rknn, tmp_path, image, result, problem):
    class Wrong(DualResidual):
        def compute(self, node, inputs):
            return result(inputs[0])

    instance = loaded(rknn, small_models.save(network(), tmp_path / "net.onnx"), Wrong())
    assert instance.build(do_quantization=False) == 0
    assert instance.init_runtime() == 0
    with pytest.raises(ValueError, match=problem):
        instance.inference([image], data_format="nchw")


def test_a_class_without_methods_stands_for_an_operator_of_the_runtime(rknn, tmp_path, capfd):
    class ArgMax:
        op_type = "ArgMax"

    instance = rknn()
    assert instance.config(target_platform="rk3588") == 0
    assert instance.reg_custom_op(ArgMax) == 0
    assert "'ArgMax' is computed by the built-in operator here" in capfd.readouterr().err


@pytest.mark.proves("reg_custom_op.custom_op")
def test_wrong_registrations_are_refused(rknn, tmp_path, capfd):
    class Standard(DualResidual):
        op_type = "Relu"

    class Nothing:
        op_type = "cstNothing"

    class OtherNames(DualResidual):
        def compute(self, n, xs):
            return xs

    class Nameless(DualResidual):
        op_type = None

    cases = {
        Standard: "'Relu' is an operator of ONNX, which has its own meaning",
        Nothing: "'cstNothing' has neither shape_infer nor compute",
        OtherNames: "OtherNames.compute takes ['n', 'xs'], expected ['node', 'inputs'] after self",
        Nameless: "Nameless.op_type is None, expected text",
    }
    for operator, problem in cases.items():
        instance = rknn()
        assert instance.config(target_platform="rk3588") == 0
        assert instance.reg_custom_op(operator()) == -1
        assert problem in capfd.readouterr().err
    instance = loaded(rknn, small_models.save(network(), tmp_path / "net.onnx"), DualResidual())
    assert instance.reg_custom_op(DualResidual()) == -1
    assert "register operators before load_onnx" in capfd.readouterr().err
