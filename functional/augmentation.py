"""Augmentation maths: reproducible draws by key, and one warp per image."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from .hashing import GOLDEN, shift_right, splitmix64


def keyed_uniform(index: Tensor, draws: int | Tensor, *, seed: int, epoch: int) -> Tensor:
    """Uniform numbers that depend on the key (seed, epoch, index) alone.

    The same image gets the same draws whatever the batch size, the order or the number of
    processes. The hash is SplitMix64 (Steele et al. 2014), in wrapping 64-bit arithmetic.

    Args:
        index: Index of each image in its data set, int64, shape ``(N,)``.
        draws: How many numbers for each image, or which of them: an int64 tensor of positions,
            each of which has the same number whatever others are asked for.
        seed: Seed of the run.
        epoch: Epoch, so that each epoch differs.

    Returns:
        Tensor of shape ``(N, draws)``, float32 in [0, 1), on the device of ``index``.
    """
    # Filled rather than copied: a copy to a GPU waits for it.
    key = torch.full((1,), seed, dtype=torch.int64, device=index.device)
    key = splitmix64(splitmix64(key) + epoch)
    key = splitmix64(key + index.to(torch.int64))
    if isinstance(draws, int):
        draws = torch.arange(draws, dtype=torch.int64, device=index.device)
    bits = splitmix64(key[:, None] + (draws + 1) * GOLDEN)
    return shift_right(bits, 40).to(torch.float32) / 2**24


def affine_warp(images: Tensor, matrices: Tensor, mode: str = "bilinear") -> Tensor:
    """Warp each image by its own affine map, zero outside.

    Args:
        images: Shape ``(N, C, H, W)``, floating point.
        matrices: Shape ``(N, 2, 3)``: maps an output position (x, y, 1), in pixels from the
            image's centre, to the input position that it is read from.
        mode: ``"bilinear"``, or ``"nearest"`` for masks.

    Returns:
        Tensor of the shape and dtype of ``images``.
    """
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device, dtype=torch.float32) - (width - 1) / 2
    y = torch.arange(height, device=images.device, dtype=torch.float32) - (height - 1) / 2
    m = matrices.to(torch.float32)[:, :, None, None, :]
    grid = m[..., 0] * x + m[..., 1] * y[:, None] + m[..., 2]
    grid = torch.stack([grid[:, 0] * (2 / width), grid[:, 1] * (2 / height)], -1)
    return grid_sample(
        images, grid.to(images.dtype), mode=mode, padding_mode="zeros", align_corners=False
    )
