"""Copies of figures on the host."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def to_host(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the entries of tensors of one shape, with one transfer per device.

    Args:
        tensors: Flags, figures or rows of figures, by name.

    Returns:
        Each as a Python number or a list of them.
    """
    found: dict[str, Any] = {}
    for device in {tensor.device for tensor in tensors.values()}:
        names = [name for name, tensor in tensors.items() if tensor.device == device]
        found |= zip(names, torch.stack([tensors[n] for n in names]).tolist(), strict=True)
    return {name: found[name] for name in tensors}
