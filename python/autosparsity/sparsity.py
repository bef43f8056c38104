"""Trains torch models whose weights have the structure that NPUs skip zeros of. docs/sparsity.md.

from autosparsity.sparsity import sparsity_model
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from autosparsity.masks import mask_of, mode_of, obstacle

__all__ = ["sparsity_model"]

# What the NPU computes faster: mode 0, convolutions over two dimensions, one group, channels a multiple of this.
_NPU_CHANNELS = 32


class _Layer(NamedTuple):
    name: str
    module: Any
    weight: Any
    axes: dict[str, int]  # of the weight: input_axis, output_axis


def sparsity_model(
    model,
    optimizer=None,
    mode: int = 0,
    verbose: int = 2,
    whitelist: Sequence[type] | None = None,
    allowed_layer_names: Sequence[str] | None = None,
    disallowed_layer_names: Sequence[str] = [],  # noqa: B006
    fast: bool = False,
):
    """Sets weights of a torch model to zero, and keeps them there while it is trained. Returns the model.

    model: a torch.nn.Module, changed in place; its weights should be trained already. optimizer: after each of its
    steps the zeros are zeros again; None: they are made once. mode: 0 two of four along input channels, 1 along output
    channels, 2 four of sixteen, along input and then along output channels, 3 the other way round; the largest
    magnitudes stay. verbose: 0 nothing is printed, 1 a summary, 2 every layer. whitelist: kinds of layers, default
    torch.nn.Linear and torch.nn.Conv2d. allowed_layer_names, disallowed_layer_names: names of model.named_modules();
    allowed None: all. fast: no effect, there is one way to choose and it is fast.

    Raises ImportError without torch, ValueError for modes, names and kinds that are not there, TypeError for what is no
    model. Layers whose channels are no multiple of 4 stay as they are.
    """
    torch = _torch()
    sentence = mode_of(mode).sentence
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model: got {type(model).__name__}, expected a torch.nn.Module")
    kinds = (torch.nn.Linear, torch.nn.Conv2d) if whitelist is None else tuple(whitelist)
    _check_names(model, allowed_layer_names, disallowed_layer_names)
    layers, stay = _layers_of(torch, model, kinds, allowed_layer_names, disallowed_layer_names, mode)

    zeros = {}
    for layer in layers:
        zeros[layer.weight] = _zeros_of(torch, layer, mode)
    _apply(torch, zeros)
    if optimizer is not None:
        _after_each_step(optimizer, lambda: _apply(torch, zeros))
    if verbose >= 2:
        for layer in layers:
            print(f"  {layer.name}: {_shape_text(layer.weight)} {_npu_note(torch, layer, mode)}".rstrip())
        for name, reason in stay:
            print(f"  {name}: stays dense, {reason}")
    if verbose >= 1:
        kept = sum(int((~mask).sum()) for mask in zeros.values())
        total = sum(mask.numel() for mask in zeros.values())
        print(f"autosparsity: {sentence}: {len(layers)} layers, {kept} of {total} weights stay")
    return model


def _torch():
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "autosparsity.sparsity_model trains torch models, and torch is not installed: "
            "install it with 'python3 -m pip install torch'"
        ) from error
    return torch


def _check_names(model, allowed, disallowed) -> None:
    if isinstance(allowed, str) or isinstance(disallowed, str):
        raise ValueError("allowed_layer_names, disallowed_layer_names: got text, expected a list of layer names")
    known = {name for name, _ in model.named_modules()}
    problems = [
        f"{argument}: the model has no layer '{name}'"
        for argument, names in (("allowed_layer_names", allowed), ("disallowed_layer_names", disallowed))
        for name in names or []
        if name not in known
    ]
    if problems:
        raise ValueError("; ".join([*problems, "names are those of model.named_modules()"]))


def _layers_of(torch, model, kinds, allowed, disallowed, mode):
    """The layers to be made sparse, and (name, reason) of those that cannot be."""
    if not all(isinstance(kind, type) and issubclass(kind, torch.nn.Module) for kind in kinds):
        raise ValueError(
            f"whitelist: got {list(kinds)}, expected kinds of layers, as [torch.nn.Linear, torch.nn.Conv2d]"
        )
    layers, stay = [], []
    for name, module in model.named_modules():
        if not isinstance(module, kinds) or name in disallowed or (allowed is not None and name not in allowed):
            continue
        weight = module._parameters.get("weight")
        if weight is None or weight.dim() < 2:
            stay.append((name, "it has no matrix of weights of its own"))
            continue
        # Transposed convolutions have their input channels first.
        swapped = getattr(module, "transposed", False)
        axes = {"input_axis": 0, "output_axis": 1} if swapped else {"input_axis": 1, "output_axis": 0}
        reason = obstacle(tuple(weight.shape), mode, **axes)
        if reason:
            stay.append((name, reason))
        else:
            layers.append(_Layer(name, module, weight, axes))
    return layers, stay


def _zeros_of(torch, layer: _Layer, mode: int):
    """True where the weight has to be zero, beside the weight."""
    weight = layer.weight.detach()
    exact = weight if weight.dtype in (torch.float32, torch.float64) else weight.float()
    mask = mask_of(exact.cpu().numpy(), mode, **layer.axes)
    return torch.from_numpy(~mask).to(weight.device)


def _apply(torch, zeros: dict) -> None:
    with torch.no_grad():
        for weight, mask in zeros.items():
            if mask.device != weight.device:  # the model has moved
                mask = zeros[weight] = mask.to(weight.device)
            weight.masked_fill_(mask, 0)  # a product would keep NaN


def _after_each_step(optimizer, work) -> None:
    if hasattr(optimizer, "register_step_post_hook"):  # torch 2.0 and newer
        optimizer.register_step_post_hook(lambda *_: work())
        return
    step = optimizer.step

    def step_and_work(*args, **kwargs):
        result = step(*args, **kwargs)
        work()
        return result

    optimizer.step = step_and_work


def _shape_text(weight) -> str:
    return "x".join(str(extent) for extent in weight.shape)


def _npu_note(torch, layer: _Layer, mode: int) -> str:
    """Why the NPU computes such a layer no faster; empty: it does."""
    module, channels = layer.module, layer.weight.shape[:2]
    if mode != 0:
        return "(no NPU skips zeros of this mode)"
    if not isinstance(module, torch.nn.Conv2d) or module.groups != 1:
        return "(the NPU skips zeros of Conv2d with one group only)"
    if any(extent % _NPU_CHANNELS for extent in channels):
        return f"(the NPU skips zeros where channels are multiples of {_NPU_CHANNELS})"
    return ""
