"""What the targets of a training are, what is predicted of them, and what a constant would do."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .loss_news import BatchReading
from .signs import Objective

_RECENT = 40
_LEAST_SAMPLES = 5_000


class TargetRecord:
    """Add up the targets of the batches that were looked at, and keep the late predictions.

    Attributes:
        weight: Of the classes, or of the positives in each column; None where none is given.
    """

    def __init__(self) -> None:
        self.weight: list[float] | float | None = None
        self._targets: Tensor | None = None
        self._predicted: list[Tensor] = []

    def add(self, reading: BatchReading) -> None:
        """Take up a batch."""
        known, new = self._targets, reading.targets
        self._targets = known + new if known is not None and len(known) == len(new) else new
        self._predicted.append(reading.predicted)

    def means(self) -> list[float]:
        """Mean of each column of a regression's targets, of the first thousand."""
        if self._targets is None:
            return []
        count, total, _ = self._targets.view(3, -1)
        means: list[float] = (total / count).tolist()
        return means

    def describe(self, objective: Objective, looks: int) -> None:
        """Write the counts and the loss of the best constant into an objective.

        Args:
            objective: Of these targets.
            looks: Batches that were looked at so far.
        """
        self._forget_old_predictions(max(_RECENT, looks // 2))
        targets = self._targets
        if targets is None:
            return
        if objective.task == "classification":
            self._describe_classes(objective, targets)
        else:
            count, total, squares = targets.view(3, -1)
            mean = total / count
            if objective.task == "binary":
                self._describe_binary(objective, mean, float(count[0]), float(total[0]))
            else:
                _describe_numbers(objective, (squares / count - mean * mean).clamp(min=0).mean())
        same = [p for p in self._predicted if len(p) == len(self._predicted[-1])]
        objective.predicted_counts = torch.stack(same).sum(0).tolist() if same else []
