"""Which units of a rectifier give a positive output."""

import torch
from torch import Tensor


def active_units(outputs: Tensor, unit_dim: int) -> Tensor:
    """Units with a positive output for at least one entry; the others are dead in this batch.

    Definition of a dead unit: no positive output for any input of the window (Lu et al. 2019,
    "Dying ReLU and initialization", arXiv:1903.06733). A unit whose outputs hold NaN counts as
    active: it has another problem.

    Args:
        outputs: Outputs of the activation, any shape with at least one dimension.
        unit_dim: Dimension of the units: channels of a convolution, features of a dense layer.

    Returns:
        Boolean tensor of shape ``(units,)``.

    Example:
        >>> active_units(torch.tensor([[0.0, 1.0], [0.0, 0.0]]), unit_dim=1)
        tensor([False,  True])
    """
    others = [d for d in range(outputs.ndim) if d != unit_dim % outputs.ndim]
    if outputs.numel() == 0:
        return torch.zeros(outputs.shape[unit_dim], dtype=torch.bool, device=outputs.device)
    highest = outputs.detach().amax(others) if others else outputs.detach()
    return ~(highest <= 0)
