"""Gradients that are not zeroed between the steps of an optimiser."""

from dataclasses import dataclass

from torch import Tensor
from torch.optim import Optimizer

from .anatomy import is_whole

_MAX_STEPS_COUNTED = 5


@dataclass
class _Sample:
    """A parameter, and its gradient at the optimiser's last step."""

    parameter: Tensor
    used: Tensor | None = None
    version: int = 0
    passes: int = 0
    steps: int = 0


class Clearing:
    """Count the optimiser steps whose gradients still include all earlier ones.

    One small parameter of each optimiser is inspected before every backward pass, until its
    gradient is once found cleared after a step, which shows that its optimiser's gradients are.
    Where they are set to None, as is usual, nothing synchronises with the device. If gradients are
    written to between two steps other than by adding to them, it stays open whether they were
    cleared.

    Attributes:
        uncleared: Most consecutive steps of an optimiser with gradients that were never cleared.
    """

    def __init__(self) -> None:
        self.uncleared = 0
        self._samples: dict[int, _Sample | None] = {}
        self._passes = 0

    def look(self) -> None:
        """Check, before a backward pass, which gradients were cleared since their step."""
        self._passes += 1
        for position, sample in self._samples.items():
            if sample is not None and sample.used is not None and _is_gone(sample.parameter.grad):
                self._samples[position] = None

    def step(self, position: int, optimizer: Optimizer) -> None:
        """Record that the optimiser at this position is about to make a step."""
        if position not in self._samples:
            parameter = _smallest(optimizer)
            self._samples[position] = None if parameter is None else _Sample(parameter)
        sample = self._samples[position]
        if sample is None or not isinstance(gradient := sample.parameter.grad, Tensor):
            return
        if sample.used is not None:
            added, passes = gradient._version - sample.version, self._passes - sample.passes
            if gradient is not sample.used or added > passes:
                self._samples[position] = None
                return
            sample.steps += added > 0
            self.uncleared = max(self.uncleared, sample.steps)
            if sample.steps >= _MAX_STEPS_COUNTED:
                self._samples[position] = None
        sample.used, sample.version, sample.passes = gradient, gradient._version, self._passes


def _smallest(optimizer: Optimizer) -> Tensor | None:
    """Return the smallest parameter with a gradient that this rank holds completely."""
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    whole = [p for p in parameters if is_whole(p.grad)]
    return min(whole, key=Tensor.numel, default=None)


def _is_gone(gradient: Tensor | None) -> bool:
    return gradient is None or not bool(gradient.any())
