"""Metrics of an epoch that cost a step next to nothing."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection

# Entries of outputs that are kept before the metrics take them in: 1 MB in single precision.
_MAX_ENTRIES = 2**18


class EpochMetrics(nn.Module):
    """Keep each step's outputs on their device and give them to the metrics many at a time.

    An update of a few metrics costs about as much as a small network's step; an update with the
    outputs of fifty steps costs hardly more than one. What is kept is at most 1 MB, or the
    outputs of one step.

    Args:
        metrics: Metrics of ``(outputs, targets)``.
    """

    def __init__(self, metrics: MetricCollection) -> None:
        super().__init__()
        self.metrics = metrics
        self.loss = MeanMetric()
        self._clear()

    def _clear(self) -> None:
        self._losses: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._entries = 0

    def add(self, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        """Keep one step's mean loss and its outputs and targets, shape ``(N, ...)``."""
        kept = [loss.detach(), outputs.detach(), targets]
        if outputs.is_cuda:  # a CUDA graph writes its next outputs into the same memory
            kept = [tensor.clone() for tensor in kept]
        self._losses.append(kept[0])
        self._outputs.append(kept[1])
        self._targets.append(kept[2])
        self._entries += outputs.numel()
        if self._entries >= _MAX_ENTRIES:
            self._take_in()

    @torch.no_grad()
    def _take_in(self) -> None:
        if not self._losses:
            return
        counts = torch.tensor([len(targets) for targets in self._targets])
        losses = torch.stack([loss.reshape(()) for loss in self._losses]).float()
        self.loss.update(losses, weight=counts.to(losses))
        self.metrics.update(torch.cat(self._outputs).float(), torch.cat(self._targets))
        self._clear()

    def compute(self) -> dict[str, Any]:
        """Values over the epoch and all ranks, then start afresh; empty where nothing was kept."""
        self._take_in()
        if self.loss.update_count == 0:
            return {}
        with warnings.catch_warnings():
            # A class that is not in a small split.
            warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")
            values = {"loss": self.loss.compute(), **self.metrics.compute()}
        self.reset()
        return values

    def reset(self) -> None:
        """Start afresh."""
        self._clear()
        self.loss.reset()
        self.metrics.reset()
