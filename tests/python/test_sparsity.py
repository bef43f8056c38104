"""autosparsity: which weights stay, by numpy alone; and, with torch, that training keeps the others zero."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("openrknn._core")

from autosparsity import masks  # noqa: E402
from autosparsity.sparsity import sparsity_model  # noqa: E402

# ---- masks


def weights(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_the_two_largest_magnitudes_of_four_stay():
    row = np.array([[1, -5, 3, 2, 0.5, 0.1, -0.2, 0.3]])
    assert masks.mask_of(row, 0).astype(int).tolist() == [[0, 1, 1, 0, 1, 0, 0, 1]]
    assert masks.mask_of(row.T, 1).astype(int).ravel().tolist() == [0, 1, 1, 0, 1, 0, 0, 1]


def test_of_equal_magnitudes_the_first_stay():
    assert masks.two_of_four(np.array([1, -1, 1, -1, 0, 0, 0, 0]), 0).tolist() == [1, 1, 0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize("shape", [(8, 12), (4, 8, 3), (8, 4, 3, 3), (4, 4, 2, 3, 2)])
@pytest.mark.parametrize("mode", [0, 1])
def test_every_group_of_four_keeps_its_two_largest(shape, mode):
    array = weights(*shape)
    mask = masks.mask_of(array, mode)
    along = np.moveaxis(array, 1 - mode, 0).reshape(-1, 4, array.size // shape[1 - mode])
    kept = np.moveaxis(mask, 1 - mode, 0).reshape(along.shape)
    assert (kept.sum(axis=1) == 2).all()
    smallest_kept = np.where(kept, np.abs(along), np.inf).min(axis=1)
    largest_gone = np.where(kept, -np.inf, np.abs(along)).max(axis=1)
    assert (smallest_kept >= largest_gone).all()


def sixteen_by_hand(block, along_rows_first):
    """The four of a 4 x 4 block [output, input] that stay, as the two steps say, one number after the other."""
    if not along_rows_first:
        return {(o, i) for i, o in sixteen_by_hand(block.T, True)}
    rows = [sorted(sorted(range(4), key=lambda i: -abs(row[i]))[:2]) for row in block]
    kept = set()
    for slot in range(2):
        best = sorted(range(4), key=lambda o: -abs(block[o, rows[o][slot]]))[:2]
        kept |= {(o, rows[o][slot]) for o in best}
    return kept


@pytest.mark.parametrize("shape", [(8, 12), (4, 8, 3, 3)])
@pytest.mark.parametrize("mode", [2, 3])
def test_four_of_sixteen_stay_in_two_steps(shape, mode):
    array = weights(*shape, seed=mode)
    mask = masks.mask_of(array, mode)
    assert mask.sum() * 4 == mask.size
    for o, i in itertools.product(range(0, shape[0], 4), range(0, shape[1], 4)):
        for rest in np.ndindex(*shape[2:]):
            place = (slice(o, o + 4), slice(i, i + 4), *rest)
            wanted = sixteen_by_hand(array[place], mode == 2)
            assert set(zip(*map(tuple, np.nonzero(mask[place])), strict=True)) == wanted and len(wanted) == 4


def test_channels_may_lie_at_other_axes():
    array = weights(4, 8, 3, 3)
    for mode in range(4):
        moved = masks.mask_of(np.moveaxis(array, (0, 1), (3, 0)), mode, input_axis=0, output_axis=-1)
        assert np.array_equal(np.moveaxis(moved, (3, 0), (0, 1)), masks.mask_of(array, mode))


def test_a_mask_of_what_a_mask_left_is_the_same():
    array = weights(16, 16, 3)
    for mode in range(4):
        mask = masks.mask_of(array, mode)
        assert np.array_equal(masks.mask_of(np.where(mask, array, 0), mode), mask)


@pytest.mark.parametrize("mode", [-1, 4, True, "0", None, 1.0])
def test_other_modes_are_refused(mode):
    with pytest.raises(ValueError, match="0: 2 of 4 along input channels; 1:"):
        masks.mask_of(weights(4, 4), mode)


def test_extents_that_make_no_groups_are_refused():
    for shape, mode in (((4, 6), 0), ((6, 4), 1), ((6, 4), 2), ((4, 6), 3)):
        with pytest.raises(ValueError, match="a multiple of 4"):
            masks.mask_of(weights(*shape), mode)
        assert "channels are no multiple of 4" in masks.obstacle(shape, mode)
    assert masks.obstacle((4, 6), 1) == masks.obstacle((6, 4), 0) == ""


# ---- without torch


def test_importing_needs_numpy_alone_and_a_call_says_what_to_install():
    program = (
        "import sys\n"
        "sys.modules.update(torch=None, onnx=None)\n"  # importing them fails
        "import autosparsity.masks\n"
        "from autosparsity.sparsity import sparsity_model\n"
        "try:\n"
        "    sparsity_model(None)\n"
        "except ImportError as error:\n"
        "    assert 'pip install torch' in str(error), error\n"
        "else:\n"
        "    sys.exit('it was called without torch')\n"
        "assert not [name for name in sys.modules if name.startswith('openrknn')]\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---- with torch


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch


@pytest.fixture
def net(torch):
    """[N, 4, 6, 6] -> 4 numbers; its first layer and the depthwise one cannot be sparse along inputs."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(4, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, groups=32),
        nn.Conv2d(32, 32, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 4),
    )


def train(torch, net, optimizer, steps=5):
    random = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(steps):
        inputs, wanted = torch.randn(8, 4, 6, 6, generator=random), torch.randn(8, 4, generator=random)
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(inputs), wanted)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def weight_of(net, index):
    return net[index].weight.detach().numpy().copy()


@pytest.mark.parametrize("mode", range(4))
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_masks_are_kept_while_a_model_is_trained(torch, net, mode, kind, capsys):
    before = {index: weight_of(net, index) for index in (0, 2, 3, 6)}
    arguments = {"lr": 0.05, "weight_decay": 0.01} | ({"momentum": 0.9} if kind == "SGD" else {})
    optimizer = getattr(torch.optim, kind)(net.parameters(), **arguments)
    assert sparsity_model(net, optimizer, mode) is net
    wanted = {index: masks.mask_of(before[index], mode) for index in (0, 3, 6)}
    for index, mask in wanted.items():
        assert np.array_equal(weight_of(net, index), np.where(mask, before[index], 0))
    train(torch, net, optimizer)
    for index, mask in wanted.items():
        after = weight_of(net, index)
        assert np.array_equal(after != 0, mask)
        assert not np.array_equal(after, np.where(mask, before[index], 0))  # what stays is trained
    dense = mode == 1  # a depthwise layer has output channels alone
    assert (weight_of(net, 2) != 0).all() != dense
    assert f"{len(wanted) + dense} layers" in capsys.readouterr().out


def test_without_an_optimizer_zeros_are_made_once(torch, net):
    sparsity_model(net, verbose=0)
    assert (weight_of(net, 3) == 0).sum() * 2 == weight_of(net, 3).size
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    train(torch, net, optimizer, 1)
    assert (weight_of(net, 3) == 0).sum() * 2 < weight_of(net, 3).size


def test_optimizers_of_others_are_followed_too(torch, net):
    class Plain:
        """No torch.optim.Optimizer: has step() alone."""

        def zero_grad(self):
            net.zero_grad()

        def step(self):
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter -= 0.1 * parameter.grad
            return "done"

    optimizer = Plain()
    sparsity_model(net, optimizer, verbose=0)
    train(torch, net, optimizer, 2)
    assert (weight_of(net, 3) == 0).sum() * 2 == weight_of(net, 3).size
    assert optimizer.step() == "done"


def test_layers_are_chosen_by_kind_and_by_name(torch, net):
    def sparse(**arguments):
        copy = torch.nn.Sequential(*[type(layer)(*made) for layer, made in zip(net, made_with, strict=True)])
        sparsity_model(copy, verbose=0, **arguments)
        return [name for name, layer in copy.named_modules() if hasattr(layer, "weight") and (layer.weight == 0).any()]

    made_with = [(4, 32, 3), (), (32, 32, 3, 1, 0, 1, 32), (32, 32, 1), (1,), (), (32, 4)]
    assert sparse() == ["0", "3", "6"]
    assert sparse(whitelist=[torch.nn.Linear]) == ["6"]
    assert sparse(allowed_layer_names=["0", "6"]) == ["0", "6"]
    assert sparse(disallowed_layer_names=["0", "6"]) == ["3"]
    assert sparse(allowed_layer_names=[]) == []


def test_transposed_convolutions_have_inputs_first(torch):
    layer = torch.nn.ConvTranspose2d(8, 4, 3)
    before = layer.weight.detach().numpy().copy()
    sparsity_model(layer, whitelist=[torch.nn.ConvTranspose2d], verbose=0)
    assert np.array_equal(layer.weight.detach().numpy() != 0, masks.two_of_four(before, 0))


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float64"])
def test_other_types_of_weights(torch, name):
    layer = torch.nn.Linear(8, 8).to(getattr(torch, name))
    sparsity_model(layer, verbose=0)
    assert (layer.weight == 0).sum() == 32 and layer.weight.dtype == getattr(torch, name)


def test_what_stays_dense_and_what_no_npu_computes_faster_is_told(torch, net, capsys):
    sparsity_model(net)
    told = capsys.readouterr().out
    assert "  0: 32x4x3x3 (the NPU skips zeros where channels are multiples of 32)\n" in told
    assert "  2: stays dense, 1 input channels are no multiple of 4\n" in told
    assert "  3: 32x32x1x1\n" in told
    assert "  6: 4x32 (the NPU skips zeros of Conv2d with one group only)\n" in told
    assert told.endswith("autosparsity: 2 of 4 along input channels: 3 layers, 1152 of 2304 weights stay\n")
    sparsity_model(net, verbose=1)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_wrong_arguments_are_told(torch, net):
    for error, arguments, problem in (
        (TypeError, {"model": 3}, "expected a torch.nn.Module"),
        (ValueError, {"mode": 7}, "mode: got 7"),
        (
            ValueError,
            {"allowed_layer_names": ["3", "x"], "disallowed_layer_names": ["y"]},
            "no layer 'x'.*no layer 'y'",
        ),
        (ValueError, {"allowed_layer_names": "3"}, "got text, expected a list"),
        (ValueError, {"whitelist": ["Linear"]}, "expected kinds of layers"),
    ):
        with pytest.raises(error, match=problem):
            sparsity_model(**{"model": net, **arguments})
    assert (weight_of(net, 3) != 0).all()


def test_a_sparse_model_is_converted_like_any_other(torch, net, rknn, tmp_path):
    sparsity_model(net, verbose=0)
    sample = torch.randn(1, 4, 6, 6)
    path = tmp_path / "net.pt"
    torch.jit.trace(net.eval(), sample).save(str(path))
    each = rknn()
    each.config(target_platform="rk3576")
    assert each.load_pytorch(str(path), [[1, 4, 6, 6]]) == 0 and each.build(do_quantization=False) == 0
    assert each.init_runtime() == 0
    got = each.inference([sample.numpy()], data_format="nchw")[0]
    assert np.abs(got - net(sample).detach().numpy()).max() < 0.01
