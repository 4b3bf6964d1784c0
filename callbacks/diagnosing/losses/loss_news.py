"""What one rank has observed of its losses, and how ranks are merged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..vital_signs.signs import Objective

_MEANS = (
    "data_loss", "accuracy", "spread", "constant", "placed", "absolute_error", "squared_error",
)  # fmt: skip


@dataclass(frozen=True)
class BatchReading:
    """Figures of one inspected batch, on the host.

    Attributes:
        look: Number of the inspection, from 1: the same batch on every rank.
        figures, targets, predicted: See `LossReading`.
        total: The total loss.
        comparable: Whether it consists of the data loss and penalties.
        mixed: Whether it compares one prediction with several targets.
        single: Whether it has a single known term.
        of_batch: Whether the targets are the batch's own.
    """

    look: int
    figures: dict[str, float]
    total: float
    comparable: bool
    mixed: bool
    targets: Tensor
    predicted: Tensor
    single: bool = True
    of_batch: bool = True


@dataclass(frozen=True)
class LossNews:
    """What one rank has collected since the last time.

    Attributes:
        losses: Loss of each batch.
        readings: Readings of the inspected batches.
        described: The objective and its class weights, when first known.
        validated: Sums of a validation's targets, see `ValidationTargets`; None for nothing new.
        has_unread: See `Objective`.
    """

    losses: list[float]
    readings: list[BatchReading]
    described: tuple[Objective, Tensor | None] | None
    validated: Tensor | None = None
    has_unread: bool = False


def join_batch(ranks: Sequence[BatchReading]) -> BatchReading:
    """Merge the ranks' parts of a batch into one reading."""
    if len(ranks) == 1:
        return ranks[0]
    first = ranks[0]
    known = [rank for rank in ranks if rank.figures["samples"] > 0] or list(ranks)
    figures = {name: _join(name, [rank.figures for rank in known]) for name in first.figures}
    weights = [rank.figures["samples"] for rank in known]
    targets = _sum([rank.targets for rank in ranks])
    count = figures["samples"]
    for end, missed, farthest in (
        ("predicted_min", "missed_below", min), ("predicted_max", "missed_above", max)
    ):  # fmt: skip
        if math.isfinite(figures.get(end, math.nan)):
            figures[missed] = farthest(known, key=lambda rank: rank.figures[end]).figures[missed]
    if any(math.isfinite(rank.figures["pairs"]) for rank in known):
        # Only classes have pairs; their targets are counts. One sample alone has none.
        figures["pairs"] = (float(targets.square().sum()) - count) / (count * (count - 1))
    return BatchReading(
        first.look,
        figures,
        _mean([rank.total for rank in known], weights),
        all(rank.comparable for rank in ranks),
        any(rank.mixed for rank in ranks),
        targets,
        _sum([rank.predicted for rank in ranks]),
        all(rank.single for rank in ranks),
        all(rank.of_batch for rank in ranks),
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
