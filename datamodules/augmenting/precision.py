"""The dtypes in which pixels are computed and returned."""

import torch
from torch import Tensor


def widen(images: Tensor) -> Tensor:
    """Convert images to at least single precision: half precision places pixels too coarsely.

    Args:
        images: Any shape and dtype.

    Returns:
        Tensor of the shape of ``images``, float32 or float64.

    Example:
        >>> widen(torch.zeros(1, dtype=torch.uint8)).dtype
        torch.float32
    """
    return images if images.dtype in (torch.float32, torch.float64) else images.float()


def narrow(work: Tensor, images: Tensor) -> Tensor:
    """Convert results to the dtype and memory format of the input images.

    Args:
        work: Shape ``(N, C, H, W)``; rounded if the images are integers.
        images: Input images, of the same shape.

    Returns:
        Tensor of the shape, dtype and memory format of ``images``.

    Example:
        >>> narrow(torch.full((1, 1, 1, 1), 2.6), torch.zeros(1, 1, 1, 1, dtype=torch.uint8))
        tensor([[[[3]]]], dtype=torch.uint8)
    """
    if work.is_floating_point() and not images.is_floating_point():
        work = work.round_()
    if images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous():
        return work.to(images.dtype, memory_format=torch.channels_last)
    return work.to(images.dtype)
