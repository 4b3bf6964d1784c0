"""The tensors of a batch of any form, and what is made of them."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ....functional.precision import widest
from ..weights.anatomy import is_whole

_MIN_ROWS = 4
_MAX_ROWS = 1_000
_MAX_COLUMNS = 8
_HAIR_SHARE_OF_RANGE = 1e-5
_MAX_ROUNDING_SHARE = 1e-3  # Of the root mean square; of a difference in half precision.


def tensors_of(batch: Any) -> Iterator[Tensor]:
    """All that are whole and dense in a batch of any form, of which nothing is made anew."""
    if isinstance(batch, Tensor):
        if is_whole(batch):
            yield batch
    elif isinstance(batch, Mapping):
        for part in batch.values():
            yield from tensors_of(part)
    elif isinstance(batch, list | tuple):
        for part in batch:
            yield from tensors_of(part)
    elif is_dataclass(batch):
        for field in fields(batch):
            yield from tensors_of(getattr(batch, field.name, None))


def is_of_batch(target: Tensor, batch: Any) -> Tensor:
    """Whether a target is one of a batch's tensors, or rises or falls with one; on its device.

    Those that a network has a part in, as in Q-learning, do not. What cannot be compared is taken
    to be the batch's.

    Args:
        target: Of any shape; the first of many rows and columns count.
        batch: Of any form.
    """
    given = [tensor for tensor in tensors_of(batch) if is_plain(tensor)]
    sure = torch.ones((), dtype=torch.bool, device=target.device)
    if not given or not is_plain(target) or _rows(target) < _MIN_ROWS:
        return sure
    if any(_shares_memory(target, tensor) for tensor in given):
        return sure
    alike = [t for t in given if t.numel() == target.numel() and t.device == target.device]
    return torch.stack([_follows(target, t) for t in alike]).any() if alike else ~sure


def are_same(target: Tensor, inputs: Tensor | None) -> bool:
    """Whether a target is what a network was given, in any form; may wait for the device.

    Up to rounding: where a loss is written by hand, it is the prediction less their difference.
    """
    if inputs is None or target.numel() != inputs.numel() or target.device != inputs.device:
        return False
    if not (is_plain(target) and is_plain(inputs)):
        return False
    if target.data_ptr() == inputs.data_ptr():
        return True
    known, values = (x.detach().flatten().to(widest(x.device)) for x in (inputs, target))
    apart, size = (x.square().mean() for x in (values - known, known))
    return bool(apart <= _MAX_ROUNDING_SHARE**2 * size)


def is_plain(x: Any) -> bool:
    """Whether it is a tensor of real numbers in memory of its own."""
    plain = type(x) in (Tensor, nn.Parameter) and is_whole(x)
    return plain and not (x.is_complex() or x.is_quantized)


def _shares_memory(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _follows(target: Tensor, given: Tensor) -> Tensor:
    """Whether each column of the one is a monotone function of the other's, up to rounding."""
    known, values = _columns(given, target), _columns(target, target)
    known, order = known.sort(0)
    values = values.gather(0, order)
    steps, ties = values.diff(dim=0), known.diff(dim=0) == 0
    low, high = values.aminmax(dim=0)
    hair = _HAIR_SHARE_OF_RANGE * (high - low)
    same = ~(ties & (steps.abs() > hair)).any(0)
    ordered = (steps >= -hair).all(0) | (steps <= hair).all(0)
    told = ~ties.all(0)
    return (same & ordered & (told | (high == low))).all() & told.any()


def _rows(x: Tensor) -> int:
    return len(x) if x.ndim > 1 else x.numel()


def _columns(x: Tensor, like: Tensor) -> Tensor:
    table = x.detach().reshape(_rows(like), -1)[:_MAX_ROWS, :_MAX_COLUMNS]
    return table.to(widest(x.device))
