"""Active and dead units of an activation."""

from typing import NamedTuple

import torch
from torch import Tensor

from .arguments import dimension, number, real_tensor

# Reducing over rows of fewer adjacent units is no faster.
_MIN_UNITS_ABREAST = 16


class ActivityRule(NamedTuple):
    """When a unit counts as active: its largest output, or magnitude, is above the threshold."""

    threshold: float
    magnitude: bool = False


ACTIVITY_RULES = {
    "relu": ActivityRule(0.0),
    "relu6": ActivityRule(0.0),
    "leaky_relu": ActivityRule(0.0),
    "elu": ActivityRule(-0.95),
    "gelu": ActivityRule(0.01, magnitude=True),
    "silu": ActivityRule(0.01, magnitude=True),
}
"""Rule of each activation, by torch's functional name.

An inactive unit of ReLU or ReLU6 has no gradient at all. One of LeakyReLU is in its negative part
for every input, and so linear. One of ELU (``alpha=1``) is so negative that its derivative,
``output + 1``, is below 0.05. One of GELU has inputs below -2.7, one of SiLU below -6.5, where both
return to 0.
"""


def active_units(
    outputs: Tensor, unit_dim: int, *, threshold: float = 0.0, magnitude: bool = False
) -> Tensor:
    """Find units above the threshold for at least one entry; the others are dead in this batch.

    A dead ReLU has no positive output for any input of the window (Lu et al. 2019, "Dying ReLU and
    initialization", arXiv:1903.06733). A unit whose outputs contain NaN counts as active: it has
    another problem.

    Args:
        outputs: Outputs of the activation, any shape with at least one dimension.
        unit_dim: Dimension of the units: channels of a convolution, features of a dense layer.
        threshold: Value that the largest output of an active unit exceeds.
        magnitude: Whether to use the largest magnitude instead of the largest output.

    Returns:
        Boolean tensor of shape ``(units,)``.

    Raises:
        TypeError: If ``outputs`` are not a tensor of real numbers or ``threshold`` is not a number.
        ValueError: If ``outputs`` have no dimension ``unit_dim`` or ``threshold`` is NaN.

    Example:
        >>> outputs = torch.tensor([[0.0, 1.0, -3.0], [0.0, 0.0, 0.0]])
        >>> active_units(outputs, unit_dim=1)
        tensor([False,  True, False])
        >>> active_units(outputs, unit_dim=1, magnitude=True)
        tensor([False,  True,  True])
    """
    unit_dim = dimension("unit_dim", unit_dim, real_tensor("outputs", outputs))
    number("threshold", threshold)
    outputs = outputs.detach()
    if outputs.numel() == 0:
        return torch.zeros(outputs.shape[unit_dim], dtype=torch.bool, device=outputs.device)
    if magnitude:
        outputs = outputs.abs()
    return ~(_highest(outputs, unit_dim) <= threshold)


def _highest(outputs: Tensor, unit_dim: int) -> Tensor:
    last = outputs.movedim(unit_dim, -1)
    if last.shape[-1] >= _MIN_UNITS_ABREAST and last.is_contiguous():  # As in channels_last.
        return last.reshape(-1, last.shape[-1]).amax(0)
    before, after = list(range(unit_dim)), list(range(1, outputs.ndim - unit_dim))
    # Samples first: reducing samples and few positions at once takes twenty times as long.
    highest = outputs.amax(before) if before else outputs
    return highest.amax(after) if after else highest
