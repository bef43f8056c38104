"""What record_torchscript.py records beside its tables of operators: writes in place, and small networks of each kind."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.ao import quantization


def written_in_place(x):
    y = x.clone()
    y[:, 1] = 0
    y[..., 1:3] = x[..., 2:4] * 2
    y[:, :, ::2] += 1
    y[y > 1.5] = 9
    y[:, [0, 2]] = 5.0
    lines = y.view(4, 30)
    lines.mul_(2)
    lines[1].add_(1)
    y.transpose(1, 2)[:, 3].zero_()
    y.chunk(2, 1)[1].clamp_(min=0)
    return y


def written_to_zeros(x):
    y = torch.zeros(4, 6, 5)
    y[1:3] = x[0, 1:3]
    y[0].copy_(x[0, 3])
    y.unsqueeze_(0)
    y.index_put_((torch.tensor([0]), torch.tensor([3])), torch.tensor(2.0), accumulate=True)
    return y


class Scripted(nn.Module):
    """Loops, conditions, lists, dicts, early ends and optional arguments, all of it known once shapes are."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)])
        self.rounds, self.joins = 2, True

    def forward(self, x, scale: float = 0.5):
        parts = []
        for i, layer in enumerate(self.layers):
            x = F.relu(layer(x))
            if i % 2 == 0:
                parts.append(x * scale)
        count = 0
        while count < self.rounds:
            x, count = x + count, count + 1
        if self.joins and x.dim() == 4:
            x = torch.cat(parts + [x], 1)
        assert x.shape[1] == 12, "channels"
        for name, part in {"a": x, "b": x.mean()}.items():
            x = x + part.mean() * len(name)
        return F.interpolate(x, scale_factor=2.0, mode="nearest"), F.normalize(x, dim=1)


class Steps(nn.Module):
    """A recurrent layer with optional states, and a list filled step by step."""

    def __init__(self):
        super().__init__()
        self.memory = nn.LSTM(5, 6, batch_first=True)
        self.head = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Dropout(0.5))
        self.register_buffer("offset", torch.arange(3.0))

    def forward(self, x):
        y, _ = self.memory(x)
        return torch.stack([self.head(y[:, t]) + self.offset for t in range(y.size(1))], dim=1)


class Counting(nn.Module):
    """A state that the model writes: it is as in the file when a run begins."""

    def __init__(self):
        super().__init__()
        self.register_buffer("state", torch.full((3,), 2.0))

    def forward(self, x, times: int):
        for _ in range(times):
            self.state = self.state + x
        return self.state


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8)
        self.depth, self.point, self.swish = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 8, 1), nn.Hardswish()
        self.gate, self.pool, self.head = nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Linear(8, 5)

    def forward(self, x):
        x = F.relu(self.norm(self.first(x)))
        y = self.point(self.swish(self.depth(x)))
        x = F.max_pool2d(torch.cat([x + y, y], 1), 2)
        return self.head(torch.flatten(self.pool(x[:, :8] * self.gate(x[:, 8:])), 1))


class Eager(nn.Module):
    def __init__(self):
        super().__init__()
        self.quantize, self.dequantize = quantization.QuantStub(), quantization.DeQuantStub()
        self.layer, self.relu, self.head = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 3)

    def forward(self, x):
        x = self.relu(self.layer(self.quantize(x)))
        return self.dequantize(self.head(x.mean([2, 3])))
