"""Gradients that are not set to zero between the steps of an optimiser."""

from torch import Tensor
from torch.optim import Optimizer

from .anatomy import is_whole

_STEPS = 5


class Clearing:
    """Count the steps of an optimiser whose gradients hold all earlier ones, too.

    Of each optimiser one small parameter is looked at before every backward pass, until its
    gradient was once seen to be gone after a step: then its optimiser clears them. Where it is set
    to None, as is usual, nothing waits for the device.

    Attributes:
        uncleared: The most steps in a row that an optimiser made with gradients never cleared.
    """

    def __init__(self) -> None:
        self.uncleared = 0
        self._samples: dict[Optimizer, Tensor | None] = {}
        self._used: dict[Optimizer, Tensor] = {}
        self._steps: dict[Optimizer, int] = {}
        self._passes = 0

    def look(self) -> None:
        """See, before a backward pass, which gradients are gone since their step."""
        self._passes += 1
        for optimizer, sample in list(self._samples.items()):
            if sample is not None and optimizer in self._used and _is_gone(sample.grad):
                self._settle(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """Take down that an optimiser is about to make a step."""
        if optimizer not in self._samples:
            self._samples[optimizer] = _smallest(optimizer)
        sample = self._samples[optimizer]
        if sample is None or not isinstance(sample.grad, Tensor):
            return
        used, self._used[optimizer] = self._used.get(optimizer), sample.grad
        if used is not None and used is not sample.grad:
            self._settle(optimizer)
        elif used is not None and self._passes:
            self._steps[optimizer] = self._steps.get(optimizer, 0) + 1
            self.uncleared = max(self.uncleared, self._steps[optimizer])
            if self._steps[optimizer] >= _STEPS:
                self._settle(optimizer)
        self._passes = 0

    def _settle(self, optimizer: Optimizer) -> None:
        """Look no more: what there is to know is known."""
        self._samples[optimizer] = None
        self._used.pop(optimizer, None)


def _smallest(optimizer: Optimizer) -> Tensor | None:
    """The smallest parameter that has a gradient this rank has all of."""
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    whole = [p for p in parameters if is_whole(p.grad)]
    return min(whole, key=Tensor.numel, default=None)


def _is_gone(gradient: Tensor | None) -> bool:
    return gradient is None or not bool(gradient.any())
