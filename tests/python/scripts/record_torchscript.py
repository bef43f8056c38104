"""Saves small models with torch and records what they compute: data/torchscript/NAME.pt and NAME.npz.

pip install numpy torch==2.13.0; python record_torchscript.py

An archive holds many operators, one output each: NAME.npz has in0, in1, …, out0, out1, … and the outputs' names.
"""

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.ao import quantization
from torch.ao.quantization import quantize_fx
from torchscript_models import Counting, Detector, Eager, Scripted, Steps, written_in_place, written_to_zeros

FOLDER = Path(__file__).parent.parent / "data" / "torchscript"
IMAGE = (1, 4, 6, 5)
warnings.filterwarnings("ignore")
torch.manual_seed(0)


def draw(*shape, low=-2.0, high=2.0):
    return torch.rand(*shape) * (high - low) + low


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value.detach().numpy()]
    return [array for item in (value.values() if isinstance(value, dict) else value) for array in flat(item)]


def packed(archive):
    """The archive without what debuggers read, compressed and with fixed dates."""
    small = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            if not entry.filename.endswith((".debug_pkl", "sample_inputs/model.pt")):
                target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry), zipfile.ZIP_DEFLATED)
    return small.getvalue()


def write(name, saved, inputs, outputs, names=None):
    buffer = io.BytesIO()
    is_exported = isinstance(saved, torch.export.ExportedProgram)
    (torch.export if is_exported else torch.jit).save(saved, buffer)
    (FOLDER / (f"{name}.pt2" if is_exported else f"{name}.pt")).write_bytes(packed(buffer))
    arrays = flat(outputs)
    named = {f"in{i}": x.numpy() for i, x in enumerate(inputs)} | {f"out{i}": x for i, x in enumerate(arrays)}
    np.savez_compressed(FOLDER / f"{name}.npz", names=names or [f"out{i}" for i in range(len(arrays))], **named)


class Table(nn.Module):
    """A function or module an output, each of as many of the inputs as it takes."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows
        self.modules_of_rows = nn.ModuleDict({k: v[0] for k, v in rows.items() if isinstance(v[0], nn.Module)})

    def forward(self, *inputs):
        return tuple(function(*[inputs[i] for i in places]) for function, *places in self.rows.values())


class First(nn.Module):
    """The first of what a module gives."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)[0]


def record_table(name, rows, *inputs):
    rows = {key: row if isinstance(row, tuple) else (row, 0) for key, row in rows.items()}
    model = Table(rows).eval()
    for module in model.modules():
        for parameter in [*module.parameters(recurse=False)]:
            parameter.data = draw(*parameter.shape, low=-0.5, high=0.7)
        if getattr(module, "running_var", None) is not None:
            module.running_mean, module.running_var = (
                draw(*module.running_mean.shape),
                draw(*module.running_mean.shape, low=0.5),
            )
    with torch.no_grad():
        traced = torch.jit.trace(model, inputs, check_trace=False)
        outputs = model(*[x.clone() for x in inputs])
        assert all(isinstance(x, torch.Tensor) for x in outputs), "an output an operator"
    write(name, traced, inputs, outputs, list(rows))


def by_name(names, *places):
    return {n: (getattr(torch, n) if hasattr(torch, n) else getattr(F, n), *(places or [0])) for n in names.split()}


def record_exported():
    model, x = Detector().eval(), draw(1, 3, 16, 16)
    program = torch.export.export(model, (x,))
    write("exported", program, [x], model(x))
    write("decomposed", program.run_decompositions(), [x], model(x))
    x = draw(4, 3, 16, 16)
    sizes = {"x": {0: torch.export.Dim("batch", min=2, max=8)}}
    write("open_batch", torch.export.export(model, (x,), dynamic_shapes=sizes), [x], model(x))


def record_quantized():
    torch.backends.quantized.engine = "qnnpack"
    samples = [draw(1, 3, 16, 16, low=-1, high=1) for _ in range(20)]

    def fed(model):
        for x in samples:
            model(x)
        return model

    mapping = quantization.get_default_qconfig_mapping("qnnpack")
    by_fx = quantize_fx.convert_fx(fed(quantize_fx.prepare_fx(Detector().eval(), mapping, (samples[0],))))
    write("quantized_fx", torch.jit.trace(by_fx, samples[0]), samples[:1], by_fx(samples[0]))

    mapping = quantization.get_default_qat_qconfig_mapping("qnnpack")
    trained = fed(quantize_fx.prepare_qat_fx(Detector().train(), mapping, (samples[0],))).eval()
    trained.apply(quantization.disable_observer)
    write("fake_quantized", torch.jit.freeze(torch.jit.trace(trained, samples[0])), samples[:1], trained(samples[0]))

    by_hand = quantization.fuse_modules(Eager().eval(), [["layer", "relu"]])
    by_hand.qconfig = quantization.get_default_qconfig("x86")  # weights by channel
    torch.backends.quantized.engine = "x86"
    by_hand = quantization.convert(fed(quantization.prepare(by_hand)))
    write("quantized_eager", torch.jit.script(by_hand), samples[:1], by_hand(samples[0]))


def record_all():
    x, y, positive, vector = draw(*IMAGE), draw(*IMAGE), draw(*IMAGE, low=0.1), draw(4, 1, 1)
    record_table(
        "functions",
        by_name("abs neg floor ceil round trunc sign sin cos tan sinh cosh asinh atan erf erfc expm1 exp square exp2")
        | by_name("log sqrt rsqrt reciprocal log1p log2 log10", 1)
        | {
            "acos": lambda x: torch.acos(x * 0.45),
            "asin": lambda x: torch.asin(x * 0.45),
            "atanh": lambda x: torch.atanh(x * 0.45),
        }
        | {
            "acosh": (lambda x: torch.acosh(x + 1), 1),
            "frac": torch.frac,
            "logit": (lambda x: torch.logit(x / 4, 1e-3), 1),
        }
        | {"nan_to_num": lambda x: torch.nan_to_num(torch.log(x), 3.0), "isnan": lambda x: torch.isnan(torch.log(x))}
        | {"isinf": lambda x: torch.isinf(x / 0), "isfinite": lambda x: torch.isfinite(torch.log(x))},
        draw(2, 3, 5),
        draw(2, 3, 5, low=0.1),
    )
    record_table(
        "activations",
        by_name("relu relu6 sigmoid tanh hardswish hardsigmoid hardtanh leaky_relu elu celu selu gelu silu mish")
        | by_name("softplus softsign logsigmoid hardshrink softshrink tanhshrink")
        | {"gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "softplus_2": lambda x: F.softplus(x, 2.0)}
        | {"threshold": lambda x: F.threshold(x, 0.3, -5.0), "clamp": lambda x: torch.clamp(x, -0.5, 0.7)}
        | {"clamp_min": lambda x: x.clamp(min=0.2), "clamp_max": lambda x: x.clamp_max(0.2)}
        | {"clamp_tensor": lambda x: torch.clamp(x, torch.tensor(-0.5), torch.tensor(0.5)), "prelu": (nn.PReLU(4), 0)}
        | {"clamp_int": lambda x: (x * 5).long().clamp(0, 3), "softmax": lambda x: F.softmax(x, 1)}
        | {"log_softmax": lambda x: F.log_softmax(x, -1), "glu": lambda x: F.glu(x, 1), "dropout": (nn.Dropout(), 0)},
        draw(1, 4, 2, 4, low=-4.0, high=4.0),
    )
    record_table(
        "arithmetic",
        by_name("maximum minimum atan2 hypot logaddexp add sub mul max min", 0, 1)
        | {
            "add_alpha": (lambda a, b: torch.add(a, b, alpha=2.5), 0, 1),
            "rsub": lambda x: 1 - x,
            "div": lambda x: x / 3,
        }
        | {"broadcast": (torch.add, 0, 3), "floor": (lambda a, b: torch.div(a, b, rounding_mode="floor"), 0, 2)}
        | {"trunc": (lambda a, b: torch.div(a, b, rounding_mode="trunc"), 0, 2), "floor_divide": lambda a: a // 0.7}
        | {"remainder": lambda a: torch.remainder(a, 0.7), "fmod": lambda a: torch.fmod(a, 0.7), "pow": lambda x: x**3}
        | {"pow_tensor": (torch.pow, 2, 1), "two_to": lambda x: 2**x, "root": (lambda x: x**0.5, 2)}
        | {
            "lerp": (lambda a, b: torch.lerp(a, b, 0.3), 0, 1),
            "where": (lambda a, b: torch.where(a > b, a, b * 2), 0, 1),
        }
        | {"addcmul": (lambda a, b, c: torch.addcmul(a, b, c, value=0.5), 0, 1, 2)}
        | {"addcdiv": (lambda a, b, c: torch.addcdiv(a, b, c, value=0.5), 0, 1, 2)}
        | {"masked_fill": lambda a: a.masked_fill(a < 0.2, -7), "int_mod": lambda x: (x * 9).long() % 4}
        | {
            "int_div": lambda x: (x * 9).long() // 4,
            "bits": lambda x: ((x * 3).int() & 3) | 4,
            "cosine": (nn.CosineSimilarity(1), 0, 1),
        }
        | {"compare": (lambda a, b: (a >= b) & (a != 0) | (b <= -1), 0, 1), "equal": (lambda a: a == a.floor(), 0)}
        | {"logic": (lambda a, b: torch.logical_xor(a > 0, b < 0) | torch.logical_not(a), 0, 1)}
        | {
            "types": lambda x: x.int().float() + x.long() + x.to(torch.bool),
            "type_as": (lambda a, b: a.int().type_as(b), 0, 1),
        },
        x,
        y,
        positive,
        vector,
    )
    record_table(
        "shapes",
        {
            "view": lambda x: x.view(1, -1, 5),
            "reshape": lambda x: x.transpose(1, 2).reshape(2, -1),
            "squeeze": lambda x: x.squeeze(),
        }
        | {
            "squeeze_none": lambda x: x.squeeze(1),
            "unsqueeze": lambda x: x.unsqueeze(-1),
            "permute": lambda x: x.permute(0, 2, 3, 1),
        }
        | {"contiguous": lambda x: x.transpose(1, -1).contiguous(), "movedim": lambda x: torch.movedim(x, 1, -1)}
        | {
            "expand": lambda x: x.expand(3, -1, 6, 5),
            "repeat": lambda x: x.repeat(2, 1, 1, 1, 2),
            "tile": lambda x: x.tile(2, 2),
        }
        | {
            "repeat_interleave": lambda x: x.repeat_interleave(2, 1),
            "flip": lambda x: x.flip(2, 3),
            "t": lambda x: x[0, 0].t(),
        }
        | {
            "roll": lambda x: torch.roll(x, (1, -2), (2, 3)),
            "roll_all": lambda x: torch.roll(x, 3),
            "mT": lambda x: x.mT,
        }
        | {
            "flatten": lambda x: torch.flatten(x, 1, 2),
            "unflatten": (nn.Unflatten(1, (2, 2)), 0),
            "rot90": lambda x: torch.rot90(x, 1, (2, 3)),
        }
        | {"shape_math": lambda x: x.view(x.size(0), x.shape[1] * x.shape[2] // 2, -1) * x.shape[3]}
        | {
            "zeros_like": lambda x: torch.zeros_like(x) + x * torch.ones_like(x),
            "arange": lambda x: x + torch.arange(x.shape[3]),
        }
        | {
            "linspace": lambda x: x + torch.linspace(-1, 1, 5),
            "full": lambda x: x + torch.full((5,), 3),
            "eye": lambda x: x @ torch.eye(5),
        }
        | {
            "meshgrid": lambda x: (
                torch.stack(torch.meshgrid(torch.arange(3.0), torch.arange(4.0), indexing="xy")) + x.mean()
            )
        }
        | {"triangles": lambda x: x.tril(1) + x.triu(-1), "new_full": lambda x: x.new_full((3,), 2.0) + x.mean()},
        x,
    )
    record_table(
        "parts",
        {"cat": (lambda a, b: torch.cat([a, b], 1), 0, 1), "stack": (lambda a, b: torch.stack([a, b], 1), 0, 1)}
        | {
            "split": lambda x: torch.cat(torch.split(x, 4, 2)[::-1], 2),
            "splits": lambda x: torch.split(x, [2, 4], 2)[1],
        }
        | {
            "chunk": lambda x: x.chunk(3, 3)[2],
            "unbind": lambda x: torch.unbind(x, 1)[2],
            "narrow": lambda x: x.narrow(2, 1, 4),
        }
        | {
            "select": lambda x: x[:, 2],
            "slice": lambda x: x[..., 1:-1:2],
            "slices": lambda x: x[:, 1:, 2:5],
            "diff": lambda x: torch.diff(x, dim=2),
        }
        | {
            "hstack": (lambda a, b: torch.hstack([a, b]), 0, 1),
            "tensor_split": lambda x: torch.tensor_split(x, 3, 3)[1],
        }
        | {
            "index": lambda x: x[:, [0, 2, 3]],
            "pairs": lambda x: x[:, :, [0, 2], [1, 3]],
            "apart": lambda x: x[0, [0, 2], :, [1, 3]],
        }
        | {
            "grid": lambda x: x[:, torch.tensor([[0, 1], [2, -1]])],
            "index_select": lambda x: x.index_select(2, torch.tensor([3, 1])),
        }
        | {"mask": lambda x: x[:, torch.tensor([True, False, True, False])], "unfold": lambda x: x.unfold(2, 3, 2)}
        | {
            "gather": lambda x: x.gather(2, torch.full((1, 4, 2, 5), 3)),
            "scatter": lambda x: x.scatter(1, torch.tensor([[[[1]]]]), 3.0),
        }
        | {"scatter_add": lambda x: torch.zeros(1, 4, 6, 5).scatter_add(2, torch.full((1, 4, 2, 5), 3), x)}
        | {
            "one_hot": lambda x: F.one_hot(x.abs().long(), 4),
            "take_along": lambda x: torch.take_along_dim(x, torch.ones(1, 4, 1, 5).long(), 2),
        }
        | {"embedding": lambda x: F.embedding(x.abs().long(), torch.arange(24.0).view(8, 3))}
        | {"in_place": written_in_place, "in_zeros": written_to_zeros},
        x,
        y,
    )
    record_table(
        "reductions",
        {
            "mean": lambda x: x.mean((2, 3)),
            "mean_kept": lambda x: x.mean(1, keepdim=True),
            "mean_all": lambda x: x.mean(),
            "sum": lambda x: x.sum(-1),
        }
        | {
            "prod": lambda x: x.prod(1),
            "amax": lambda x: x.amax((1, 2)),
            "max": lambda x: torch.max(x, 1)[0],
            "argmax_of_max": lambda x: torch.max(x, 1)[1],
        }
        | {
            "max_all": lambda x: x.max(),
            "min": lambda x: torch.min(x, 2, keepdim=True)[0],
            "argmax": lambda x: x.argmax(1),
            "argmin_all": lambda x: x.argmin(),
        }
        | {
            "topk": lambda x: torch.topk(x, 3, 1)[0],
            "sort": lambda x: torch.sort(x, 2, descending=True)[1],
            "argsort": lambda x: torch.argsort(x, 1),
        }
        | {
            "cumsum": lambda x: x.cumsum(2),
            "cumprod": lambda x: x.cumprod(1),
            "norm": lambda x: x.norm(dim=1),
            "norm_1": lambda x: x.norm(1, dim=1, keepdim=True),
        }
        | {
            "norm_3": lambda x: torch.linalg.vector_norm(x, 3, dim=1),
            "normalize": lambda x: F.normalize(x, dim=1),
            "std": lambda x: x.std(1),
        }
        | {
            "std_biased": lambda x: x.std((2, 3), unbiased=False, keepdim=True),
            "var_all": lambda x: x.var(),
            "var_2": lambda x: x.var(1, correction=2),
        }
        | {
            "var_mean": lambda x: torch.var_mean(x, 1)[1],
            "logsumexp": lambda x: torch.logsumexp(x, 1),
            "all": lambda x: (x > -1).all(1),
            "any": lambda x: (x > 1.5).any(),
        }
        | {
            "count": lambda x: (x > 0).sum(1),
            "count_nonzero": lambda x: torch.count_nonzero(x.int(), dim=1),
            "aminmax": lambda x: torch.aminmax(x)[1],
        },
        x,
    )
    record_table(
        "convolutions",
        {
            "plain": (nn.Conv2d(4, 6, 3, 2, 1), 0),
            "same": (nn.Conv2d(4, 2, 4, padding="same", dilation=2), 0),
            "valid": (nn.Conv2d(4, 2, 3, padding="valid"), 0),
        }
        | {
            "groups": (nn.Conv2d(4, 4, 3, groups=2, bias=False), 0),
            "depthwise": (nn.Conv2d(4, 4, (3, 5), padding=(1, 2), groups=4), 0),
        }
        | {
            "reflected": (nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"), 0),
            "unbatched": (nn.Conv2d(4, 2, 3), 3),
            "line": (nn.Conv1d(4, 3, 3, 2, 1), 1),
        }
        | {
            "volume": (nn.Conv3d(2, 2, 3, padding=1), 2),
            "transposed": (nn.ConvTranspose2d(4, 3, 3, 2, 1, 1), 0),
            "transposed_groups": (nn.ConvTranspose2d(4, 4, 4, 2, 1, groups=2), 0),
        }
        | {
            "transposed_dilated": (nn.ConvTranspose2d(4, 2, 3, 1, 1, dilation=2), 0),
            "transposed_line": (nn.ConvTranspose1d(4, 2, 3, 2), 1),
        }
        | {
            "batch_norm": (nn.BatchNorm2d(4), 0),
            "batch_norm_line": (nn.BatchNorm1d(4), 1),
            "instance_norm": (nn.InstanceNorm2d(4, affine=True), 0),
        }
        | {
            "instance_norm_fixed": (nn.InstanceNorm2d(4, affine=True, track_running_stats=True), 0),
            "layer_norm": (nn.LayerNorm([6, 5]), 0),
        }
        | {
            "layer_norm_plain": (nn.LayerNorm(5, elementwise_affine=False), 0),
            "group_norm": (nn.GroupNorm(2, 4), 0),
            "rms_norm": (nn.RMSNorm(5), 0),
            "local_response": (nn.LocalResponseNorm(3), 0),
        },
        x,
        draw(1, 4, 9),
        draw(1, 2, 3, 4, 5),
        draw(4, 5, 6),
    )
    record_table(
        "pooling",
        {
            "max": (nn.MaxPool2d(3, 2, 1), 0),
            "max_ceil": (nn.MaxPool2d(3, 2, ceil_mode=True), 0),
            "max_dilated": (nn.MaxPool2d(2, 1, 0, 2), 0),
            "max_line": (nn.MaxPool1d(2), 1),
        }
        | {
            "max_places": lambda x: F.max_pool2d(x, 2, return_indices=True)[1],
            "mean": (nn.AvgPool2d(3, 2, 1), 0),
            "mean_ceil": (nn.AvgPool2d(3, 2, 1, ceil_mode=True), 0),
        }
        | {
            "mean_inside": (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), 0),
            "mean_divisor": (nn.AvgPool2d(2, 2, divisor_override=3), 0),
            "mean_line": (nn.AvgPool1d(3, 2), 1),
        }
        | {
            "global": (nn.AdaptiveAvgPool2d(1), 0),
            "uneven": (nn.AdaptiveAvgPool2d((4, 3)), 0),
            "kept": (nn.AdaptiveAvgPool2d((None, 3)), 0),
            "even": (nn.AdaptiveAvgPool2d((3, 5)), 0),
        }
        | {
            "uneven_max": (nn.AdaptiveMaxPool2d((4, 3)), 0),
            "uneven_line": (nn.AdaptiveAvgPool1d(4), 1),
            "p_norm": (nn.LPPool2d(2, 3), 0),
        }
        | {
            "nearest": (nn.Upsample(scale_factor=1.5), 0),
            "size": (nn.Upsample(size=(5, 13)), 0),
            "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), 0),
        }
        | {
            "corners": (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), 0),
            "bicubic": (nn.Upsample(scale_factor=1.7, mode="bicubic"), 0),
            "line": (nn.Upsample(scale_factor=2.5, mode="linear"), 1),
        }
        | {
            "exact": lambda x: F.interpolate(x, size=(5, 13), mode="nearest-exact"),
            "antialias": lambda x: F.interpolate(x, size=(3, 4), mode="bilinear", antialias=True),
        }
        | {
            "factors": lambda x: F.interpolate(x, scale_factor=(1.5, 0.7), mode="bilinear"),
            "shuffle": (nn.PixelShuffle(2), 0),
            "channels": (nn.ChannelShuffle(2), 0),
        }
        | {
            "unshuffle": lambda x: F.pixel_unshuffle(x[..., :4], 2),
            "reflected": (nn.ReflectionPad2d((1, 2, 3, 0)), 0),
            "replicated": (nn.ReplicationPad2d((1, 2, 3, 0)), 0),
            "circular": (nn.CircularPad2d((1, 2, 3, 0)), 0),
        }
        | {
            "padded": (nn.ConstantPad2d((1, -2, 3, 0), 1.5), 0),
            "columns": (nn.Unfold((2, 3), 2, 1, (1, 2)), 0),
            "image": (nn.Fold((4, 5), (2, 2)), 3),
        }
        | {
            "grid": (lambda x, g: F.grid_sample(x, g, align_corners=False), 0, 2),
            "grid_nearest": (
                lambda x, g: F.grid_sample(x, g, mode="nearest", padding_mode="border", align_corners=True),
                0,
                2,
            ),
        }
        | {"affine": lambda x: F.affine_grid(x[0, :2, :2, :3].reshape(2, 2, 3), [2, 3, 5, 6], align_corners=False)},
        x,
        draw(1, 4, 9),
        draw(1, 3, 4, 2, low=-1.2, high=1.2),
        draw(1, 8, 12),
    )
    a, b = draw(2, 3, 4), draw(2, 4, 5)
    attention = {
        "sdpa": (F.scaled_dot_product_attention, 2, 2, 2),
        "causal": (lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True), 2),
    }
    record_table(
        "products",
        {
            "matmul": (torch.matmul, 0, 1),
            "bmm": (torch.bmm, 0, 1),
            "linear": (nn.Linear(4, 5), 0),
            "linear_plain": (nn.Linear(4, 5, bias=False), 0),
        }
        | {
            "mm": (lambda a, b: torch.mm(a[0], b[0]), 0, 1),
            "mv": (lambda a, b: torch.mv(a[0], b[0, :, 0]), 0, 1),
            "dot": (lambda a: torch.dot(a[0, 0], a[0, 1]), 0),
        }
        | {
            "outer": (lambda a, b: torch.outer(a[0, 0], b[0, 0]), 0, 1),
            "addmm": (lambda a, b: torch.addmm(b[0, 0], a[0], b[0], beta=0.5, alpha=2), 0, 1),
        }
        | {
            "baddbmm": (lambda a, b: torch.baddbmm(b[:, :3], a, b), 0, 1),
            "einsum": (lambda a, b: torch.einsum("bij,bjk->bki", a, b), 0, 1),
            "cdist": (lambda a: torch.cdist(a[0], a[1]), 0),
        }
        | attention
        | {"masked": (lambda q: F.scaled_dot_product_attention(q, q, q, attn_mask=q[0, 0] @ q[0, 0].T > 0), 2)},
        a,
        b,
        draw(1, 2, 5, 4),
    )
    encoder = {"batch_first": True, "dim_feedforward": 6}
    record_table(
        "transformers",
        {
            "layer": (nn.TransformerEncoderLayer(8, 2, **encoder), 0),
            "norm_first": (nn.TransformerEncoderLayer(8, 2, norm_first=True, activation="gelu", **encoder), 0),
        },
        draw(2, 5, 8),
    )
    record_table(
        "recurrent",
        {
            "lstm": (First(nn.LSTM(5, 3, 2, bidirectional=True)), 0),
            "batch_first": (First(nn.LSTM(5, 3, batch_first=True)), 0),
            "no_bias": (First(nn.LSTM(5, 3, bias=False)), 0),
        }
        | {
            "gru": (First(nn.GRU(5, 3, 2, bidirectional=True)), 0),
            "rnn": (First(nn.RNN(5, 3, nonlinearity="relu")), 0),
            "unbatched": (First(nn.RNN(5, 3)), 1),
        }
        | {"lstm_cell": (First(nn.LSTMCell(5, 3)), 1), "gru_cell": (nn.GRUCell(5, 3), 1)},
        draw(4, 2, 5),
        draw(4, 5),
    )
    for name, model, shape in [("scripted", Scripted(), IMAGE), ("steps", Steps(), (1, 4, 5))]:
        x = draw(*shape)
        scripted = torch.jit.script(model.eval())
        write(name, scripted, [x], model(x))
        if name == "scripted":
            write("frozen", torch.jit.freeze(scripted), [x], model(x))
    x = draw(3)
    counting = torch.jit.script(Counting())
    write("counting", counting, [x], [Counting()(x, 3)])
    record_exported()
    record_quantized()


if __name__ == "__main__":
    record_all()
