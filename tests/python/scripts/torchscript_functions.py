"""Torch's functions on tensors, recorded: tables of an output each."""

import torch
import torch.nn.functional as F
from torch import nn
from torchscript_models import written_in_place, written_to_zeros
from torchscript_recording import draw, record_table


def by_name(names, *places):
    return {n: (getattr(torch, n) if hasattr(torch, n) else getattr(F, n), *(places or [0])) for n in names.split()}


def record_functions(x, y, positive, vector):
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
