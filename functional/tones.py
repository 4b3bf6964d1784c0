"""Tone changes other than by a matrix: each image by its own amount, without a loop over images."""

import torch
from torch import Tensor

from .color import rest_of_one

_LEVELS = 256


def sharpen(images: Tensor, factor: Tensor, bound: float = 1.0, *, whole: bool = False) -> Tensor:
    """Blend each image with a smoothed one; the outermost pixels stay as they are.

    Args:
        images: Shape ``(N, C, H, W)``, floating point in 0..bound.
        factor: Shape ``(N,)``; 0 is smooth, 1 the image as it is, more is sharper.
        bound: Largest value.
        whole: Whether the values are whole numbers, which are truncated at the end.

    Returns:
        Tensor of the shape of ``images``.

    Reference:
        Pillow's ``ImageFilter.SMOOTH``: weights 5 in the middle and 1 around, over 13.

    Example:
        >>> dot = torch.tensor([[0.0, 0, 0], [0, 13, 0], [0, 0, 0]]).view(1, 1, 3, 3)
        >>> sharpen(dot, torch.tensor([0.0]), 255.0)[0, 0, 1]
        tensor([0., 5., 0.])
    """
    if min(images.shape[-2:]) <= 2:
        return images
    rows = images[..., :-2, :] + images[..., 1:-1, :] + images[..., 2:, :]
    inner = images[..., 1:-1, 1:-1]
    smooth = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * inner) / 13
    smooth = smooth.round() if whole else smooth
    share = rest_of_one(factor)[:, None, None, None].to(images.dtype)
    sharpened = images.clone()
    sharpened[..., 1:-1, 1:-1] = torch.addcmul(inner, smooth - inner, share)
    sharpened = sharpened.clamp_(0, bound)
    return sharpened.floor_() if whole else sharpened


def posterize(images: Tensor, bits: Tensor, bound: float = 1.0) -> Tensor:
    """Keep the highest bits of every value.

    Args:
        images: Shape ``(N, C, H, W)``, floating point in 0..bound.
        bits: How many of 8 bits to keep, whole, shape ``(N,)``.
        bound: 1, or 255 for whole numbers of 8 bits.

    Returns:
        Tensor of the shape of ``images``.

    Example:
        >>> posterize(torch.tensor([0.3, 0.6]).view(1, 1, 1, 2), torch.tensor([1]))
        tensor([[[[0.0000, 0.5000]]]])
    """
    levels = (2.0 ** bits.to(torch.float32))[:, None, None, None].to(images.dtype)
    step = (1 if bound == 1 else _LEVELS) / levels
    return (images / step).floor_().clamp_(max=levels - 1) * step


def solarize(images: Tensor, threshold: Tensor, bound: float = 1.0) -> Tensor:
    """Invert the values that are at least as bright as a threshold.

    Args:
        images: Shape ``(N, C, H, W)``, floating point in 0..bound.
        threshold: As a share of ``bound``, shape ``(N,)``; above 1 nothing is inverted.
        bound: Largest value.

    Returns:
        Tensor of the shape of ``images``.

    Example:
        >>> solarize(torch.tensor([0.25, 0.5]).view(1, 1, 1, 2), torch.tensor([0.5]))
        tensor([[[[0.2500, 0.5000]]]])
    """
    least = (threshold * bound)[:, None, None, None]
    return torch.where(images >= least, bound - images, images)


def autocontrast(images: Tensor, bound: float = 1.0, *, whole: bool = False) -> Tensor:
    """Stretch each channel of each image from black to white; a constant one stays as it is.

    Args:
        images: Shape ``(N, C, H, W)``, floating point in 0..bound.
        bound: Largest value.
        whole: Whether the values are whole numbers, which are truncated at the end.

    Returns:
        Tensor of the shape of ``images``.

    Example:
        >>> autocontrast(torch.tensor([0.25, 0.5]).view(1, 1, 1, 2))
        tensor([[[[0., 1.]]]])
    """
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    plain = low == high
    scale = torch.where(plain, 1, (high - low) * (1 / bound))
    stretched = ((images - torch.where(plain, 0, low)) / scale).clamp_(0, bound)
    return stretched.floor_() if whole else stretched


def equalize(images: Tensor, bound: float = 1.0) -> Tensor:
    """Spread the values of each channel of each image evenly, in 256 levels.

    Args:
        images: Shape ``(N, C, H, W)``, floating point in 0..bound.
        bound: 1, or 255 for whole numbers.

    Returns:
        Tensor of the shape of ``images``.

    Reference:
        Pillow's ``ImageOps.equalize``: the brightest pixels are left out of the step, and a
        channel that has fewer than 255 others stays as it is.

    Example:
        >>> pixels = torch.arange(512).remainder(64).view(1, 1, 16, 32).float()
        >>> equalize(pixels, 255.0).unique()[:4]
        tensor([ 0.,  8., 16., 24.])
    """
    # torchvision scales to whole numbers by almost one more than the largest.
    scaled = images * (_LEVELS - 1e-3) if bound == 1 else images.round()
    level = scaled.flatten(2).to(torch.int64).clamp_(0, _LEVELS - 1)
    counts = torch.zeros(*level.shape[:2], _LEVELS, dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, level, torch.ones_like(level))
    below = counts.cumsum(2) - counts
    brightest = level.amax(2, keepdim=True)
    step = (level.shape[2] - counts.gather(2, brightest)) // (_LEVELS - 1)
    table = ((below + step // 2) // step.clamp(min=1)).clamp_(max=_LEVELS - 1)
    spread = torch.where(step > 0, table.gather(2, level), level)
    return spread.view(images.shape).to(images.dtype) * (bound / (_LEVELS - 1))
