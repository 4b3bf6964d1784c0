"""A batch that was looked at, still on its device, and what it says on the host."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..inputs.batch_tensors import is_of_batch
from .autograd_graph import LossCall
from .loss_news import BatchReading
from .loss_reading import FIGURES, LossReading, read_loss, task_of


@dataclass(frozen=True)
class Look:
    """A look at a batch; its whole loss is still on the device.

    Attributes:
        number: Number of the look, from 1.
        reading: What it says.
        total: The whole loss.
        comparable: Whether what the loss has beyond the reading's is penalty.
        mixed: Whether the loss is of several targets for one prediction.
        single: Whether it has one known term.
        of_batch: See `is_of_batch`; None where it was not asked.
    """

    number: int
    reading: LossReading
    total: Tensor
    comparable: bool
    mixed: bool
    single: bool
    of_batch: Tensor | None


def look_at(number: int, calls: Sequence[LossCall], total: Tensor, batch: Any) -> Look:
    """Look at the first of the losses that a batch's is made of, without waiting for the device.

    Args:
        number: Number of the look, from 1.
        calls: One or more.
        total: The whole loss.
        batch: What the targets may be found in.
    """
    call, single = calls[0], len(calls) == 1
    comparable = single and call.reduction == 1 and call.weight is None and call.is_alone
    # One prediction held against several targets, as MixUp does: the sum is what counts.
    mixed = not single and all(other.source == call.source for other in calls)
    # Now and then: a head that begins at 0 has no part in its targets yet.
    asks = task_of(call) == "regression" and number & (number - 1) == 0
    of_batch = is_of_batch(call.target, batch) if asks else None
    return Look(number, read_loss(call), total, comparable, mixed, single, of_batch)


def on_host(looks: Sequence[Look]) -> list[BatchReading]:
    """What they say, in few transfers."""
    if not looks:
        return []
    table = torch.stack([look.reading.figures for look in looks]).tolist()
    totals = torch.stack([look.total for look in looks]).tolist()
    return [
        BatchReading(
            look.number, dict(zip(FIGURES, row, strict=True)), total, look.comparable, look.mixed,
            look.reading.targets.cpu().double(), look.reading.predicted.cpu(), look.single,
            look.of_batch is None or bool(look.of_batch),
        )
        for look, row, total in zip(looks, table, totals, strict=True)
    ]  # fmt: skip
