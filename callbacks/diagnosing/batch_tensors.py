"""The tensors of a batch of any form, and what is made of them."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

from .anatomy import is_whole

_MOST_ENTRIES, _HAIR = 4_096, 1e-5


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


def is_of_batch(target: Tensor, batch: Any) -> bool:
    """Whether a target is one of a batch's tensors, or rises or falls with one.

    Those that a network has a part in, as in Q-learning, do not. Waits for the device.

    Args:
        target: Of any shape.
        batch: Of any form.
    """
    if not target.numel():
        return True
    return any(
        _shares_memory(target, given) or _follows(target, given) for given in tensors_of(batch)
    )


def _shares_memory(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _follows(target: Tensor, given: Tensor) -> bool:
    """Whether the one is a monotone function of the other, entry by entry, up to rounding."""
    if target.numel() != given.numel() or target.device != given.device or given.is_complex():
        return False
    known, values = given.flatten()[:_MOST_ENTRIES], target.flatten()[:_MOST_ENTRIES]
    known, order = known.sort()
    values = values[order]
    steps, ties = values.diff(), known.diff() == 0
    hair = _HAIR * (values.max() - values.min())
    if bool((steps[ties].abs() > hair).any()) or bool(ties.all()):
        return False
    return bool((steps >= -hair).all()) or bool((steps <= hair).all())
