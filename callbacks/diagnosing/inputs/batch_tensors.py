"""The tensors of a batch of any structure, and targets derived from them."""

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
_MAX_ROUNDING_SHARE = 1e-3  # Of the root mean square, for a difference in half precision.


def tensors_of(batch: Any) -> Iterator[Tensor]:
    """Yield the dense, unsharded tensors of a batch of any structure, without copying any."""
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
    """Whether a target is a tensor of the batch or a monotone function of one; on its device.

    Targets that a network helps to compute, as in Q-learning, are neither. A target that cannot be
    compared counts as the batch's.

    Args:
        target: Of any shape; of a large one, only the first rows and columns are compared.
        batch: Of any structure.
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
    """Whether a target equals the network's inputs, in any shape; may synchronise with the device.

    Up to rounding: the target of a hand-written loss is found as the prediction minus its error.
    """
    if inputs is None or target.numel() != inputs.numel() or target.device != inputs.device:
        return False
    if not (is_plain(target) and is_plain(inputs)):
        return False
    if target.data_ptr() == inputs.data_ptr() and target.is_contiguous() == inputs.is_contiguous():
        return True
    known, values = (x.detach().flatten().to(widest(x.device)) for x in (inputs, target))
    apart, size = (x.square().mean() for x in (values - known, known))
    return bool(apart <= _MAX_ROUNDING_SHARE**2 * size)


def is_plain(x: Any) -> bool:
    """Whether it is a dense tensor of real numbers, and not of a subclass."""
    plain = type(x) in (Tensor, nn.Parameter) and is_whole(x)
    return plain and not (x.is_complex() or x.is_quantized)


def _shares_memory(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _follows(target: Tensor, given: Tensor) -> Tensor:
    """Whether each column of a target is a monotone function of a given one, up to rounding."""
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
