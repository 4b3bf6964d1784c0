"""Exact comparison of tensors."""

import torch
from torch import Tensor

_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal bit for bit, so that NaN equals itself.

    Args:
        one: A tensor.
        other: Another one, on any device.

    Returns:
        Whether they are, with the same dtype and shape.

    Example:
        >>> same_bits(torch.tensor(float("nan")), torch.tensor(float("nan")))
        True
    """
    if one is other:
        return True
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(_words(one), _words(other).to(one.device))


def _words(value: Tensor) -> Tensor:
    """View a tensor's memory as integers."""
    return value.detach().contiguous().flatten().view(_WORDS[value.element_size()])
