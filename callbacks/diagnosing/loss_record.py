"""The losses of a training and what they are of, kept on the device until somebody reads."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .autograd_graph import LossCall, find_loss_calls, has_graph, own_shape
from .loss_reading import FIGURES, LossReading, read_loss, task_of
from .vitals import Objective

_RECENT = 40


class LossRecord:
    """Collect a number for each batch, and look closer at some.

    Attributes:
        losses: Loss of each batch, up to the last `settle`.
        data_losses, accuracies, penalty_shares: Of the batches that were looked at.
        objective: What is minimised.
    """

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.data_losses: list[float] = []
        self.accuracies: list[float] = []
        self.penalty_shares: list[float] = []
        self.objective = Objective()
        self._pending: list[Tensor] = []
        self._readings: list[tuple[LossReading, Tensor, bool]] = []
        self._predicted: list[Tensor] = []
        self._targets: Tensor | None = None
        self._weight: list[float] | None = None

    def add(self, outputs: Any, factor: float) -> None:
        """Take up what a training step returned; ``factor`` undoes what accumulation divided by."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor) and loss.numel() == 1:
            self._pending.append(loss.detach().float().reshape(()) * factor)

    def look(self, loss: Tensor, factor: float) -> None:
        """Look at the loss of a batch before it is differentiated."""
        calls = find_loss_calls(loss) if has_graph(loss) else []
        if not calls:
            return
        call = calls[0]
        self._describe(call, len(calls))
        has_penalty = len(calls) == 1 and call.reduction == 1 and call.weight is None
        total = loss.detach().float().reshape(()) * factor
        self._readings.append((read_loss(call), total, has_penalty and call.is_alone))

    def _describe(self, call: LossCall, calls: int) -> None:
        if self.objective.kind is not None:
            return
        prediction, shapes = call.prediction, (own_shape(call.prediction), own_shape(call.target))
        differ = shapes[0] != shapes[1] and task_of(call) != "classification"
        self.objective = Objective(
            task=task_of(call),
            kind=call.kind,
            output=call.output,
            ascends=call.ascends and calls == 1,
            shapes=shapes if differ else None,
            classes=prediction.shape[1] if prediction.ndim > 1 else 1,
        )
        self._weight = None if call.weight is None else call.weight.detach().tolist()

    def settle(self) -> None:
        """Move what was collected to the host."""
        if self._pending:
            self.losses += torch.stack(self._pending).tolist()
            self._pending = []
        if self._readings:
            readings, self._readings = self._readings, []
            self._take(readings)

    def _take(self, readings: list[tuple[LossReading, Tensor, bool]]) -> None:
        table = torch.stack([reading.figures for reading, _, _ in readings]).tolist()
        totals = torch.stack([total for _, total, _ in readings]).tolist()
        rows = [dict(zip(FIGURES, row, strict=True)) for row in table]
        for row, total, (_, _, comparable) in zip(rows, totals, readings, strict=True):
            if math.isfinite(row["data_loss"]):
                self.data_losses.append(row["data_loss"])
            if math.isfinite(row["accuracy"]):
                self.accuracies.append(row["accuracy"])
            if comparable and total > 0 and row["data_loss"] >= 0:
                self.penalty_shares.append(max(0.0, 1 - row["data_loss"] / total))
        objective = self.objective
        known = (
            [objective.target_range]
            if objective.target_range[0] == objective.target_range[0]
            else []
        )
        objective.target_range = _span(rows, "target", known)
        objective.prediction_range = _span(rows, "prediction", [])
        objective.sum_range = _span(rows, "sum", [])
        for reading, _, _ in readings:
            new = reading.targets.double().cpu()
            same = self._targets is not None and len(self._targets) == len(new)
            self._targets = self._targets + new if same and self._targets is not None else new
            self._predicted = [*self._predicted, reading.predicted.cpu()][-_RECENT:]
        self._judge_constant()

    def _judge_constant(self) -> None:
        objective, targets = self.objective, self._targets
        if targets is None:
            return
        if objective.task == "classification":
            weights = targets * torch.tensor(self._weight) if self._weight else targets
            shares = targets / targets.sum()
            weighted = weights / weights.sum()
            # A constant is best by the weighted shares, and is judged without weights.
            objective.constant_loss = float(-(shares * weighted.clamp(min=1e-12).log()).sum())
            objective.target_counts = targets.tolist()
        else:
            count, total, squares = targets.view(3, -1)
            mean = total / count
            if objective.task == "binary":
                entropy = torch.special.entr(mean) + torch.special.entr(1 - mean)
                objective.constant_loss = float(entropy.mean())
                if len(mean) == 1:
                    positive = float(total)
                    objective.target_counts = [float(count) - positive, positive]
            else:
                variance = squares / count - mean * mean
                objective.constant_loss = float(variance.clamp(min=0).mean())
        same = [p for p in self._predicted if len(p) == len(self._predicted[-1])]
        objective.predicted_counts = torch.stack(same).sum(0).tolist() if same else []


def _span(
    rows: list[dict[str, float]], name: str, known: list[tuple[float, float]]
) -> tuple[float, float]:
    low = [row[f"{name}_min"] for row in rows] + [span[0] for span in known]
    high = [row[f"{name}_max"] for row in rows] + [span[1] for span in known]
    return min(low), max(high)
