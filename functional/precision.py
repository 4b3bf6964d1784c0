"""The widest floating-point type of a device."""

import torch


def widest(device: torch.device) -> torch.dtype:
    """Double precision, or single where a device has no other (Apple's GPUs).

    Args:
        device: The device.

    Returns:
        ``torch.float64`` or ``torch.float32``.

    Example:
        >>> widest(torch.device("cpu")), widest(torch.device("mps"))
        (torch.float64, torch.float32)
    """
    return torch.float32 if device.type == "mps" else torch.float64
