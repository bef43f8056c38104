"""Torch's layers, recorded: tables of an output each."""

import torch
import torch.nn.functional as F
from torch import nn
from torchscript_recording import First, draw, record_table


def record_layers(x):
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
