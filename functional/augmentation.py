"""Augmentation maths: reproducible draws by key, and one warp per image."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from .hashing import GOLDEN, shift_right, splitmix64


def keyed_uniform(index: Tensor, draws: int, *, seed: int, epoch: int) -> Tensor:
    """Uniform numbers that depend on the key (seed, epoch, index) alone.

    The same image gets the same draws whatever the batch size, the order or the number of
    processes. The hash is SplitMix64 (Steele et al. 2014), in wrapping 64-bit arithmetic.

    Args:
        index: Index of each image in its data set, int64, shape ``(N,)``.
        draws: Numbers for each image.
        seed: Seed of the run.
        epoch: Epoch, so that each epoch differs.

    Returns:
        Tensor of shape ``(N, draws)``, float32 in [0, 1), on the device of ``index``.
    """
    key = torch.tensor([seed], dtype=torch.int64, device=index.device)
    key = splitmix64(splitmix64(key) + epoch)
    key = splitmix64(key + index.to(torch.int64))
    counter = torch.arange(1, draws + 1, dtype=torch.int64, device=index.device)
    bits = splitmix64(key[:, None] + counter * GOLDEN)
    return shift_right(bits, 40).to(torch.float32) / 2**24


def affine_warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Warp each image by its own affine map, bilinear, zero outside.

    Args:
        images: Shape ``(N, C, H, W)``, floating point.
        matrices: Shape ``(N, 2, 3)``: maps an output position (x, y, 1), in pixels from the
            image's centre, to the input position that it is read from.

    Returns:
        Tensor of the shape and dtype of ``images``.
    """
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device, dtype=torch.float32) - (width - 1) / 2
    y = torch.arange(height, device=images.device, dtype=torch.float32) - (height - 1) / 2
    m = matrices.to(torch.float32)[:, :, None, None, :]
    grid = m[..., 0] * x + m[..., 1] * y[:, None] + m[..., 2]
    size = torch.tensor([width, height], device=images.device, dtype=torch.float32)
    grid = grid.permute(0, 2, 3, 1) * (2 / size)
    return grid_sample(images, grid.to(images.dtype), padding_mode="zeros", align_corners=False)
