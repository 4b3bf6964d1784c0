"""What is read of an inspected batch: on its device, then on the host, then of all ranks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from ..inputs.batch_tensors import is_of_batch
from .autograd_graph import LossCall
from .loss_reading import FIGURES, read_loss, task_of

Number = TypeVar("Number", Tensor, float)
_FIGURES = (*FIGURES, "total", "foreign")
_MEANS = (
    "data_loss", "accuracy", "spread", "constant", "placed", "absolute_error", "squared_error",
    "total",
)  # fmt: skip


@dataclass(frozen=True)
class BatchReading(Generic[Number]):
    """An inspected batch.

    Attributes:
        look: Number of the inspection, from 1: the same batch on every rank.
        figures: See `read_loss`; and ``total``, the total loss, and whether the targets are
            ``foreign``, and not the batch's own, see `is_of_batch`. On the host, those that do not
            apply or were not inspected are NaN.
        targets, predicted: See `read_loss`.
        comparable: Whether everything in the total loss beyond the data loss is penalty.
        mixed: Whether the loss compares one prediction with several targets.
        single: Whether the loss has a single known term.
    """

    look: int
    figures: dict[str, Number]
    targets: Tensor
    predicted: Tensor
    comparable: bool
    mixed: bool
    single: bool


def read_batch(
    look: int, calls: Sequence[LossCall], total: Tensor, batch: Any
) -> BatchReading[Tensor]:
    """Inspect the first of the losses that a batch's is made of, without waiting for the device.

    Args:
        look: Number of the inspection, from 1.
        calls: The losses, one or more.
        total: The total loss.
        batch: The batch, in which the targets may be found.
    """
    call, single = calls[0], len(calls) == 1
    figures, targets, predicted = read_loss(call)
    figures["total"] = total
    # Checked repeatedly: targets made by a network do not depend on it while its head is 0.
    if task_of(call) == "regression" and look & (look - 1) == 0:
        figures["foreign"] = ~is_of_batch(call.target, batch)
    comparable = single and call.reduction == 1 and call.weight is None and call.is_alone
    # One prediction compared with several targets, as in MixUp: the sum is what counts.
    mixed = not single and all(other.source == call.source for other in calls)
    return BatchReading(look, figures, targets, predicted, comparable, mixed, single)


def on_host(readings: Sequence[BatchReading[Tensor]]) -> list[BatchReading[float]]:
    """Move readings to the host, in few transfers."""
    if not readings:
        return []
    table = torch.stack([_row(reading) for reading in readings]).tolist()
    return [
        BatchReading(
            reading.look, dict(zip(_FIGURES, row, strict=True)), reading.targets.cpu().double(),
            reading.predicted.cpu(), reading.comparable, reading.mixed, reading.single,
        )
        for reading, row in zip(readings, table, strict=True)
    ]  # fmt: skip


def _row(reading: BatchReading[Tensor]) -> Tensor:
    unknown = reading.targets.new_full((), math.nan, dtype=torch.float32)
    return torch.stack([reading.figures.get(name, unknown).to(unknown) for name in _FIGURES])


def join_batch(ranks: Sequence[BatchReading[float]]) -> BatchReading[float]:
    """Merge the ranks' parts of a batch into one reading."""
    if len(ranks) == 1:
        return ranks[0]
    known = [rank for rank in ranks if rank.figures["samples"] > 0] or list(ranks)
    figures = {name: _join(name, [rank.figures for rank in known]) for name in _FIGURES}
    targets = _sum([rank.targets for rank in ranks])
    count = figures["samples"]
    for end, missed, farthest in (
        ("predicted_min", "missed_below", min), ("predicted_max", "missed_above", max)
    ):  # fmt: skip
        if math.isfinite(figures[end]):
            figures[missed] = farthest(known, key=lambda rank: rank.figures[end]).figures[missed]
    if any(math.isfinite(rank.figures["pairs"]) for rank in known):
        # Only classes have pairs; their targets are counts. One sample alone has none.
        figures["pairs"] = (float(targets.square().sum()) - count) / (count * (count - 1))
    return replace(
        ranks[0],
        figures=figures,
        targets=targets,
        predicted=_sum([rank.predicted for rank in ranks]),
        comparable=all(rank.comparable for rank in ranks),
        mixed=any(rank.mixed for rank in ranks),
        single=all(rank.single for rank in ranks),
    )


def _join(name: str, rows: Sequence[dict[str, float]]) -> float:
    values = [row[name] for row in rows]
    if name == "samples":
        return sum(values)
    if name in _MEANS:
        return _mean(values, [row["samples"] for row in rows])
    broken = any(map(math.isnan, values))
    return math.nan if broken else (min if name.endswith("_min") else max)(values)


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    total = sum(weights)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total if total else values[0]


def _sum(counts: Sequence[Tensor]) -> Tensor:
    """Sum those counts that have as many classes as the first."""
    return torch.stack([c for c in counts if len(c) == len(counts[0])]).sum(0)
