"""Which weights stay: two of four, or four of sixteen, those of the largest magnitudes. Plain numpy arrays.

A weight has output channels along one axis and input channels along another; what lies at other axes is taken apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GROUP, KEPT = 4, 2


class Mode(NamedTuple):
    sentence: str
    steps: tuple[str, ...]  # along which channels, one after the other


MODES = (
    Mode("2 of 4 along input channels", ("input",)),
    Mode("2 of 4 along output channels", ("output",)),
    Mode("4 of 16, along input channels and then along output channels", ("input", "output")),
    Mode("4 of 16, along output channels and then along input channels", ("output", "input")),
)


def mode_of(mode: int) -> Mode:
    """Raises ValueError for numbers that stand for none."""
    if isinstance(mode, bool) or not isinstance(mode, (int, np.integer)) or not 0 <= mode < len(MODES):
        listed = "; ".join(f"{i}: {each.sentence}" for i, each in enumerate(MODES))
        raise ValueError(f"mode: got {mode!r}, expected {listed}")
    return MODES[mode]


def two_of_four(weights: np.ndarray, axis: int) -> np.ndarray:
    """True where a weight is one of the two largest magnitudes of its group: neighbours 0 to 3, 4 to 7, … along `axis`.

    Of equal ones the first stay. Raises ValueError if the extent is no multiple of 4.
    """
    _require_groups(weights, axis)
    groups = _grouped(np.abs(weights), axis)
    order = np.argsort(-groups, axis=-1, kind="stable")
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, order[..., :KEPT], True, axis=-1)
    return _ungrouped(mask, weights.shape, axis)


def four_of_sixteen(weights: np.ndarray, first: int, second: int) -> np.ndarray:
    """Two of four along the axis `first`; what stays moves together, and of that two of four along `second`.

    So a block of 4 x 4 keeps four: two columns of survivors, in which two stay each. A block that a mask has been at
    before, four weights that are not zero and two at most along `first`, stays as it is.
    """
    _require_groups(weights, first)
    _require_groups(weights, second)
    blocks = np.abs(_blocks(weights, second, first))
    places = np.sort(np.argsort(-blocks, axis=-1, kind="stable")[..., :KEPT], axis=-1)
    survivors = np.take_along_axis(blocks, places, axis=-1)
    kept = np.zeros(survivors.shape, bool)
    best = np.argsort(-survivors, axis=-2, kind="stable")[..., :KEPT, :]
    np.put_along_axis(kept, best, True, axis=-2)
    mask = np.zeros(blocks.shape, bool)
    np.put_along_axis(mask, places, kept, axis=-1)
    there = blocks != 0
    along = there.sum(axis=-1)
    masked_before = (along.sum(axis=-1) == KEPT * KEPT) & (along <= KEPT).all(axis=-1)
    return _unblocked(np.where(masked_before[..., None, None], there, mask), weights.shape, second, first)


def mask_of(weights: np.ndarray, mode: int = 0, input_axis: int = 1, output_axis: int = 0) -> np.ndarray:
    """True where a weight stays, of the shape of `weights`. Raises ValueError for modes and extents that do not fit."""
    axes = [{"input": input_axis, "output": output_axis}[step] for step in mode_of(mode).steps]
    return two_of_four(weights, *axes) if len(axes) == 1 else four_of_sixteen(weights, *axes)


def obstacle(shape: tuple[int, ...], mode: int, input_axis: int = 1, output_axis: int = 0) -> str:
    """Why weights of this shape cannot have that mode; empty: they can."""
    for step in mode_of(mode).steps:
        extent = shape[input_axis if step == "input" else output_axis]
        if extent % GROUP != 0 or extent == 0:
            return f"{extent} {step} channels are no multiple of {GROUP}"
    return ""


def _require_groups(weights: np.ndarray, axis: int) -> None:
    if not -weights.ndim <= axis < weights.ndim or weights.shape[axis] % GROUP != 0:
        raise ValueError(f"axis {axis} of the shape {weights.shape}: expected an extent that is a multiple of {GROUP}")


def _grouped(array: np.ndarray, axis: int) -> np.ndarray:
    """`axis` moved to the end and split into [groups, GROUP]."""
    moved = np.moveaxis(array, axis, -1)
    return moved.reshape(*moved.shape[:-1], moved.shape[-1] // GROUP, GROUP)


def _ungrouped(groups: np.ndarray, shape: tuple[int, ...], axis: int) -> np.ndarray:
    return np.moveaxis(groups.reshape(*groups.shape[:-2], shape[axis]), -1, axis)


def _blocks(array: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """[.., groups of rows, groups of columns, GROUP rows, GROUP columns]"""
    moved = np.moveaxis(array, (rows, columns), (-2, -1))
    *rest, height, width = moved.shape
    return moved.reshape(*rest, height // GROUP, GROUP, width // GROUP, GROUP).swapaxes(-3, -2)


def _unblocked(blocks: np.ndarray, shape: tuple[int, ...], rows: int, columns: int) -> np.ndarray:
    flat = blocks.swapaxes(-3, -2).reshape(*blocks.shape[:-4], shape[rows], shape[columns])
    return np.moveaxis(flat, (-2, -1), (rows, columns))
