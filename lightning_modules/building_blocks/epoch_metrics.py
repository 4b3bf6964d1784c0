"""Metrics of an epoch at next to no cost per step."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from ...functional.metric_states import metric_states, restore_metric_states_

# Entries of outputs that are buffered between updates of the metrics: 1 MB in single precision.
_MAX_ENTRIES = 2**18
# Each step's tensors have an overhead, above all in a checkpoint.
_MAX_STEPS = 256


class MeanLoss(Metric):
    """Mean of the batches' mean losses, weighted by their samples; NaN is propagated.

    torchmetrics' ``MeanMetric`` filters NaN out, which hides it and synchronises the device.
    """

    total: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, losses: Tensor, counts: Tensor) -> None:
        """Add mean losses and numbers of samples, each of shape ``(batches,)``."""
        self.total += (losses * counts).sum()
        self.samples += counts.sum()

    def compute(self) -> Tensor:
        """Return the mean."""
        return self.total / self.samples


class EpochMetrics(nn.Module):
    """Buffer each step's outputs on their device and update the metrics with many at a time.

    An update of a few metrics costs about as much as a small network's step; an update with the
    outputs of fifty steps costs hardly more than with those of one. The buffer holds at most 256
    steps, and 1 MB plus the outputs of one step.

    Args:
        metrics: Metrics of ``(outputs, targets)``.
        metric_outputs: Converts outputs of many steps into the form that the metrics expect.
    """

    def __init__(
        self, metrics: MetricCollection, metric_outputs: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.metrics = metrics
        self.metric_outputs = metric_outputs
        self.loss = MeanLoss()
        self._clear()

    def _clear(self) -> None:
        self._steps: list[tuple[Tensor, ...]] = []  # loss, outputs, targets
        self._entries = self._begun = 0

    @property
    def is_empty(self) -> bool:
        """Whether the epoch has no step so far."""
        return not self._steps and self.loss.update_count == 0

    def begin_batch(self) -> None:
        """Mark what is added from now on as part of an unfinished batch."""
        self._begun = 0

    def add(self, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        """Buffer one step's mean loss and its outputs and targets, shape ``(N, ...)``."""
        if self._entries >= _MAX_ENTRIES or len(self._steps) >= _MAX_STEPS:
            self._take_in()
        step: tuple[Tensor, ...] = loss.detach(), outputs.detach(), targets
        if outputs.is_cuda:  # a CUDA graph writes its next outputs into the same memory
            step = tuple(tensor.clone() for tensor in step)
        self._steps.append(step)
        self._entries += outputs.numel()
        self._begun += 1

    @torch.no_grad()
    def _take_in(self) -> None:
        if not self._steps:
            return
        each_loss, outputs, targets = zip(*self._steps, strict=True)
        losses = torch.stack([loss.reshape(()) for loss in each_loss]).float()
        # Created on the device: a copy from the host would synchronise it.
        counts = torch.stack([losses.new_full((), len(batch)) for batch in targets])
        self.loss.update(losses, counts)
        self.metrics.update(self.metric_outputs(torch.cat(outputs).float()), torch.cat(targets))
        self._clear()

    def compute(self) -> dict[str, Any]:
        """Return the values over the epoch and all ranks, then reset; empty if none were added."""
        self._take_in()
        if self.loss.update_count == 0:
            return {}
        values = {"loss": self.loss.compute(), **self.metrics.compute()}
        self.reset()
        return values

    def state(self, batch_done: bool) -> dict[str, Any] | None:
        """Return the state of the epoch so far, for a checkpoint; None if there is none.

        Args:
            batch_done: Whether the last batch counts; if not, it is trained on again on resuming.
        """
        count = len(self._steps) - (0 if batch_done else min(self._begun, len(self._steps)))
        if count == 0 and self.loss.update_count == 0:
            return None
        steps = [tuple(tensor.cpu() for tensor in step) for step in self._steps[:count]]
        return {"steps": steps, "metrics": metric_states(self)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the epoch so far from a checkpoint."""
        self.reset()
        device = self.loss.device
        self._steps = [tuple(tensor.to(device) for tensor in step) for step in state["steps"]]
        self._entries = sum(outputs.numel() for _, outputs, _ in self._steps)
        restore_metric_states_(self, state["metrics"])

    def reset(self) -> None:
        """Discard the epoch so far."""
        self._clear()
        self.loss.reset()
        self.metrics.reset()
