"""Gradients that are not set to zero between the steps of an optimiser."""

from dataclasses import dataclass

from torch import Tensor
from torch.optim import Optimizer

from .anatomy import is_whole

_MAX_STEPS_COUNTED = 5


@dataclass
class _Sample:
    """A parameter, and its gradient when the optimiser last made a step."""

    parameter: Tensor
    used: Tensor | None = None
    version: int = 0
    passes: int = 0
    steps: int = 0


class Clearing:
    """Count the steps of an optimiser whose gradients hold all earlier ones, too.

    Of each optimiser one small parameter is looked at before every backward pass, until its
    gradient was once seen to be gone after a step: then its optimiser clears them. Where it is set
    to None, as is usual, nothing waits for the device. What writes to gradients between two steps
    in another way than to add to them leaves it open whether they were cleared.

    Attributes:
        uncleared: The most steps in a row that an optimiser made with gradients never cleared.
    """

    def __init__(self) -> None:
        self.uncleared = 0
        self._samples: dict[int, _Sample | None] = {}
        self._passes = 0

    def look(self) -> None:
        """See, before a backward pass, which gradients are gone since their step."""
        self._passes += 1
        for position, sample in self._samples.items():
            if sample is not None and sample.used is not None and _is_gone(sample.parameter.grad):
                self._samples[position] = None

    def step(self, position: int, optimizer: Optimizer) -> None:
        """Take down that the optimiser at this position is about to make a step."""
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
    """The smallest parameter that has a gradient this rank has all of."""
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    whole = [p for p in parameters if is_whole(p.grad)]
    return min(whole, key=Tensor.numel, default=None)


def _is_gone(gradient: Tensor | None) -> bool:
    return gradient is None or not bool(gradient.any())
