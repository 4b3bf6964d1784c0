"""The precision to compute in."""

import torch
from torch import Tensor


def widest(device: torch.device) -> torch.dtype:
    """Return double precision, or single if the device does not support it (Apple's GPUs).

    Args:
        device: The device.

    Returns:
        ``torch.float64`` or ``torch.float32``.

    Example:
        >>> widest(torch.device("cpu")), widest(torch.device("mps"))
        (torch.float64, torch.float32)
    """
    return torch.float32 if device.type == "mps" else torch.float64


def at_least_single(tensor: Tensor) -> Tensor:
    """Convert a tensor of lower precision, in which sums and squares overflow, to single.

    Example:
        >>> at_least_single(torch.ones(1, dtype=torch.float16)).dtype
        torch.float32
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
