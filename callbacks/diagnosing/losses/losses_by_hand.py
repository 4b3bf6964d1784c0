"""Losses under manual optimisation, where a training step need not return any."""

import math
from typing import Any

import torch
from torch import Tensor

from .autograd_graph import base_name, factor_of, number_in


class LossesByHand:
    """Keep the losses that a batch's backward passes differentiate, on their device.

    Several optimisers may follow one loss, as Muon and AdamW do, each with its own parameters: then
    all of them step in the same batches, after a backward pass.

    Args:
        optimizers: Number of optimisers.

    Attributes:
        most: Largest number of losses of a batch: of backward passes, or at least 2 if the
            optimisers do not step together.
    """

    def __init__(self, optimizers: int = 1) -> None:
        self.most = 0
        self._optimizers = optimizers
        self._stepped = set[int]()
        self._losses: list[Tensor] = []
        self._divisor = 0.0
        self._passes = self._passes_of_step = 0

    def look(self, loss: Tensor, scale: Tensor | float) -> None:
        """Record a loss that is about to be differentiated, with its scale divided out."""
        if loss.numel() != 1:
            return
        if not self._passes and loss.grad_fn is not None:
            is_scaled = isinstance(scale, Tensor)
            node = loss.grad_fn.next_functions[0][0] if is_scaled else loss.grad_fn
            self._divisor = _divisor_of(node)
        self._passes += 1
        self._losses.append(loss.detach().reshape(()) / scale)

    def set_apart(self) -> None:
        """Record that some optimisers step on other losses than those that are seen."""
        self.most = max(self.most, 2)

    def step(self, optimizer: int = 0) -> None:
        """Record a step, and how many passes contributed to the gradients of the first one.

        Args:
            optimizer: Position of the optimiser.
        """
        self._stepped.add(optimizer)
        if self._optimizers > 1 and not self._losses:
            self.set_apart()  # This one's loss was not seen.
        if not self._passes_of_step:
            self._passes_of_step = self._passes

    def close(self) -> Tensor | None:
        """End a batch, and return the mean of its losses; None if it had none."""
        losses, self._losses = self._losses, []
        apart = 0 < len(self._stepped) < self._optimizers
        self.most = max(self.most, 2 if apart else 0, len(losses))
        self._stepped.clear()
        if len(losses) <= 1:
            return losses[0] if losses else None
        return torch.stack(losses).mean()

    @property
    def factor(self) -> float:
        """Factor that undoes a division by the number of accumulated passes; 1 without one."""
        divides = self._passes_of_step > 1 and math.isclose(self._divisor, self._passes_of_step)
        return float(self._passes_of_step) if divides else 1.0


def _divisor_of(node: Any) -> float:
    """Return what a loss was last divided by, if by plain numbers: those are on the host."""
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
