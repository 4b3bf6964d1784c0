"""Inspected batches, first on their device, then as figures on the host."""

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
    """An inspected batch, still on its device.

    Attributes:
        number: Number of the inspection, from 1.
        reading: Figures of the batch.
        total: The total loss.
        comparable: Whether everything in the total loss beyond the data loss is penalty.
        mixed: Whether the loss compares one prediction with several targets.
        single: Whether the loss has a single known term.
        of_batch: See `is_of_batch`; None if it was not checked.
    """

    number: int
    reading: LossReading
    total: Tensor
    comparable: bool
    mixed: bool
    single: bool
    of_batch: Tensor | None


def look_at(number: int, calls: Sequence[LossCall], total: Tensor, batch: Any) -> Look:
    """Inspect the first of the losses that a batch's is made of, without waiting for the device.

    Args:
        number: Number of the inspection, from 1.
        calls: The losses, one or more.
        total: The total loss.
        batch: The batch, in which the targets may be found.
    """
    call, single = calls[0], len(calls) == 1
    comparable = single and call.reduction == 1 and call.weight is None and call.is_alone
    # One prediction compared with several targets, as in MixUp: the sum is what counts.
    mixed = not single and all(other.source == call.source for other in calls)
    # Checked repeatedly: targets made by a network do not depend on it while its head is 0.
    asks = task_of(call) == "regression" and number & (number - 1) == 0
    of_batch = is_of_batch(call.target, batch) if asks else None
    return Look(number, read_loss(call), total, comparable, mixed, single, of_batch)


def on_host(looks: Sequence[Look]) -> list[BatchReading]:
    """Move inspected batches to the host, in few transfers."""
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
