"""Targets and predictions of a training, and the loss of the best constant prediction."""

import math
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from ..vital_signs.signs import Objective
from .batch_reading import BatchReading

_MIN_LOOKS_KEPT = 40
_SAMPLES_TO_SEE_RARE_CLASSES = 5_000
_MAX_VARIANCE_SHARE_IF_ALIKE = 1e-9  # Of the mean square.


class TargetRecord:
    """Add up the targets of the inspected batches, and keep recent predictions.

    Attributes:
        weight: Weights of the classes, or of the positives in each column that is added up; None if
            not given.
    """

    def __init__(self) -> None:
        self.weight: list[float] | float | None = None
        self._targets: Tensor | None = None
        self._predicted: list[Tensor] = []
        self._samples: list[float] = []
        # Figures of `read_loss`, summed over the samples where they are known, and their number.
        self._sums = {"constant": [0.0, 0.0], "placed": [0.0, 0.0]}

    def add(self, reading: BatchReading[float]) -> None:
        """Add a batch."""
        known, new = self._targets, reading.targets
        self._targets = known + new if known is not None and len(known) == len(new) else new
        samples = reading.figures["samples"]
        self._predicted.append(reading.predicted)
        self._samples.append(samples)
        for name, (total, count) in self._sums.items():
            if math.isfinite(reading.figures[name]):
                self._sums[name] = [total + samples * reading.figures[name], count + samples]

    def _mean_of(self, name: str) -> float:
        total, samples = self._sums[name]
        return total / samples if samples else math.nan

    def means(self) -> list[float]:
        """Return the mean of each of the first thousand columns of a regression's targets."""
        if self._targets is None:
            return []
        count, total, _ = self._targets.view(3, -1)
        means: list[float] = (total / count).tolist()
        return means

    def describe(self, objective: Objective, looks: int) -> None:
        """Write what is known of targets and predictions into an objective.

        Args:
            objective: The objective with these targets.
            looks: Number of batches inspected so far.
        """
        self._forget_old_predictions(max(_MIN_LOOKS_KEPT, looks // 2))
        if self._targets is None:
            return
        describe = {"classification": self._describe_classes, "binary": self._describe_binary}
        describe.get(objective.task or "", self._describe_numbers)(objective, self._targets)
        same = [p for p in self._predicted if len(p) == len(self._predicted[-1])]
        objective.predicted_counts = torch.stack(same).sum(0).tolist() if same else []
        if len(same) == len(self._samples) and math.isfinite(objective.positives):
            objective.predicted_positives = sum(objective.predicted_counts) / sum(self._samples)

    def _forget_old_predictions(self, half: int) -> None:
        """Keep the latest ones; of the last half, as many as it takes to see rare classes."""
        samples = accumulate(float(predicted.sum()) for predicted in reversed(self._predicted))
        enough = 1 + sum(count <= _SAMPLES_TO_SEE_RARE_CLASSES for count in samples)
        kept = min(half, max(_MIN_LOOKS_KEPT, enough))
        self._predicted, self._samples = self._predicted[-kept:], self._samples[-kept:]

    def _describe_classes(self, objective: Objective, targets: Tensor) -> None:
        weighted = targets * self._weights_of(targets)
        objective.constant_loss = float(torch.special.entr(weighted / weighted.sum()).sum())
        objective.target_counts = targets.tolist()

    def _describe_binary(self, objective: Objective, targets: Tensor) -> None:
        count, total, _ = targets.view(3, -1)
        mean = total / count
        objective.constant_loss = float(_binary_entropy(mean, self._weights_of(mean)).mean())
        objective.placed_loss = self._mean_of("placed")
        if len(mean) == objective.classes:
            objective.positives = float(mean.sum())
        if len(mean) == 1:
            positive = float(total)
            objective.target_counts = [float(count) - positive, positive]

    def _weights_of(self, columns: Tensor) -> Tensor:
        """Return the weight of each column; NaN if that of another number of columns is known."""
        weights = columns.new_tensor(1.0 if self.weight is None else self.weight).flatten()
        return weights if len(weights) in (1, len(columns)) else weights.new_full((1,), math.nan)

    def _describe_numbers(self, objective: Objective, targets: Tensor) -> None:
        count, total, squares = targets.view(3, -1)
        mean = total / count
        variances = (squares / count - mean * mean).clamp(min=0)
        variance = variances.mean()
        if bool((variances <= _MAX_VARIANCE_SHARE_IF_ALIKE * squares / count).all()):
            return  # Identical targets for all samples serve another purpose than prediction.
        # If the loss is lenient on outliers, these would make up most of the variance.
        is_squared = objective.kind == "squared"
        objective.constant_loss = float(variance) if is_squared else self._mean_of("constant")
        objective.target_variance = float(variance)
        low, high = objective.target_range
        around = variance + mean.var(correction=0)
        objective.flat_loss = float((squares / count).mean() if low >= 0 and high <= 1 else around)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, in types that ``torch.load(weights_only=True)`` accepts."""
        return {
            "predicted": list(self._predicted),
            "samples": list(self._samples),
            "sums": dict(self._sums),
            "targets": self._targets,
            "weight": self.weight,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state."""
        self._predicted, self._samples = list(state_dict["predicted"]), list(state_dict["samples"])
        self._sums = dict(state_dict["sums"])
        self._targets, self.weight = state_dict["targets"], state_dict["weight"]


def _binary_entropy(mean: Tensor, weights: Tensor) -> Tensor:
    """Return the best constant prediction's cross-entropy; positives count ``weights`` times."""
    positive = mean * weights
    total = positive + 1 - mean
    share = positive / total
    entropy: Tensor = torch.special.entr(share) + torch.special.entr(1 - share)
    return total * entropy
