"""The networks of the model zoo's benchmark have the layers of those that are published (benchmarks/zoo)."""

import math
import sys
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import zoo_networks  # noqa: E402
from zoo import NETWORKS  # noqa: E402
from zoo.builder import LARGEST_FILL  # noqa: E402
from zoo.cost import count_macs, count_parameters, shapes_of  # noqa: E402

# A classifier, plain detector blocks, attention: parameters in millions as their authors publish them.
SMALL = {"mobilenetv2": 3.5, "yolov8n": 3.2, "yolov10n": 2.3}


@pytest.fixture(scope="module", params=SMALL)
def network(request, tmp_path_factory):
    path = zoo_networks.write(tmp_path_factory.mktemp("zoo"), request.param)
    return request.param, path, onnx.load(path)


def test_costs_what_is_published(network):
    name, _, model = network
    assert count_macs(model) / 1e9 == pytest.approx(NETWORKS[name][1], rel=0.05)
    assert count_parameters(model) / 1e6 == pytest.approx(SMALL[name], rel=0.05)


def test_is_valid_and_declares_the_shapes_that_onnx_infers(network):
    _, _, model = network
    onnx.checker.check_model(model, full_check=True)
    declared = {info.name: [axis.dim_value for axis in info.type.tensor_type.shape.dim] for info in model.graph.output}
    bare = onnx.ModelProto.FromString(model.SerializeToString())
    for info in bare.graph.output:
        info.type.tensor_type.ClearField("shape")
    inferred = shapes_of(bare)
    assert declared == {name: inferred[name] for name in declared}


def test_takes_no_room_for_its_weights(network):
    _, path, model = network
    assert path.stat().st_size < 100 * 1024
    shapes = shapes_of(model)
    made = [math.prod(shapes[node.output[0]]) for node in model.graph.node if node.op_type == "ConstantOfShape"]
    assert max(made) <= LARGEST_FILL


@pytest.mark.parametrize("name", ["yolov8n", "yolo11n"])
def test_heads_are_cut_as_the_zoo_documents_them(name):
    model = NETWORKS[name][0]()
    shapes = [[axis.dim_value for axis in info.type.tensor_type.shape.dim] for info in model.graph.output]
    assert shapes == [[1, channels, side, side] for side in (80, 40, 20) for channels in (64, 80, 1)]


def test_macs_are_counted_by_hand():
    """A transposed convolution costs a kernel per element of its input, a depthwise one a kernel per channel."""
    from zoo.builder import Builder

    b = Builder("counted")
    x = b.depthwise(b.conv(b.input(3, 8, 8), 4, 3, stride=2))
    b.output_feature(b.deconv(x, 5))
    model = b.model()
    assert count_macs(model) == 4 * 4 * 4 * (3 * 9) + 4 * 4 * 4 * 9 + 4 * 4 * 4 * (5 * 4)
    assert count_parameters(model) == (4 * 3 * 9 + 4) + (4 * 9 + 4) + (4 * 5 * 4 + 5)


def test_an_unknown_name_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(SystemExit, match="no such network: yolov99"):
        zoo_networks.main(str(tmp_path / "out"), "mobilenetv2", "yolov99")
    assert not (tmp_path / "out").exists()
