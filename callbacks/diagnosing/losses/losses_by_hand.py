"""Losses under manual optimisation, of which a training step need not return any."""

import math
from typing import Any

import torch
from torch import Tensor

from .autograd_graph import base_name, factor_of, number_in


class LossesByHand:
    """Keep what a batch's backward passes differentiate, on its device.

    Attributes:
        most: The most backward passes that a batch had.
    """

    def __init__(self) -> None:
        self.most = 0
        self._losses: list[Tensor] = []
        self._divisor = 0.0
        self._passes = self._passes_of_step = 0
        self._has_stepped = False

    def look(self, loss: Tensor, scale: Tensor | float) -> None:
        """Take a loss that is about to be differentiated, and what it was multiplied with."""
        if loss.numel() != 1:
            return
        if not self._passes and loss.grad_fn is not None:
            is_scaled = isinstance(scale, Tensor)
            node = loss.grad_fn.next_functions[0][0] if is_scaled else loss.grad_fn
            self._divisor = _divisor_of(node)
        self._passes += 1
        self._losses.append(loss.detach().reshape(()) / scale)

    def step(self) -> None:
        """Count the passes whose gradients the first step is made of."""
        if not self._has_stepped:
            self._has_stepped, self._passes_of_step = True, self._passes

    def close(self) -> Tensor | None:
        """The mean of a batch's losses; None where it had none."""
        losses, self._losses = self._losses, []
        self.most = max(self.most, len(losses))
        if len(losses) <= 1:
            return losses[0] if losses else None
        return torch.stack(losses).mean()

    @property
    def factor(self) -> float:
        """Undoes the division by the number of passes that a step adds up, where there is one."""
        divides = self._passes_of_step > 1 and math.isclose(self._divisor, self._passes_of_step)
        return float(self._passes_of_step) if divides else 1.0


def _divisor_of(node: Any) -> float:
    """What a loss was divided by at the end, by plain numbers: those are on the host."""
    divisor = 1.0
    while base_name(node) in ("Div", "Mul"):
        factor = factor_of(node)
        if not (isinstance(factor, Tensor) and factor.ndim == 0 and factor.is_cpu):
            break
        number = float(number_in(factor))
        if number == 0:
            break
        divisor *= number if base_name(node) == "Div" else 1 / number
        node = node.next_functions[0][0]
    return divisor
