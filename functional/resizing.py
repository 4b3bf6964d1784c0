"""Resize whole batches of images."""

from torch import Tensor
from torch.nn.functional import interpolate


def cover_and_cut(images: Tensor, height: int, width: int) -> Tensor:
    """Scale images until they cover a size, and crop the excess equally on both sides.

    Args:
        images: Shape ``(N, C, H, W)``, floating point.
        height: In pixels.
        width: In pixels.

    Returns:
        Tensor of shape ``(N, C, height, width)`` and of the dtype of ``images``: bilinear, with
        antialiasing.

    Example:
        >>> import torch
        >>> cover_and_cut(torch.ones(1, 1, 2, 4), 4, 4).shape
        torch.Size([1, 1, 4, 4])
    """
    rows, columns = images.shape[-2:]
    if (rows, columns) == (height, width):
        return images
    scale = max(height / rows, width / columns)
    tall, wide = max(round(rows * scale), height), max(round(columns * scale), width)
    scaled = interpolate(images, (tall, wide), mode="bilinear", antialias=True)
    top, left = (tall - height) // 2, (wide - width) // 2
    return scaled[..., top : top + height, left : left + width]
