"""Keeps a model and what it computes with torch: data/torchscript/NAME.pt and NAME.npz."""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).parent.parent / "data" / "torchscript"


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
