"""Colour changes: as one 3x4 matrix for each image, or one at a time with clamping."""

import math

import torch
from torch import Tensor

_LUMA = (0.2989, 0.587, 0.114)  # Weights of red, green and blue in torchvision's grayscale.


def brightness_matrices(factor: Tensor, channels: int = 3) -> Tensor:
    """Build matrices that multiply every channel.

    Args:
        factor: Shape ``(N,)``; 0 is black, 1 the image as it is.
        channels: 1 or 3.

    Returns:
        Tensor of shape ``(N, channels, channels + 1)``.

    Example:
        >>> brightness_matrices(torch.tensor([0.5]), channels=1)
        tensor([[[0.5000, 0.0000]]])
    """
    return _matrices(factor, torch.zeros_like(factor), channels)


def contrast_matrices(factor: Tensor, mean: Tensor, channels: int = 3) -> Tensor:
    """Build matrices that blend each image with its own mean.

    Args:
        factor: Shape ``(N,)``; 0 is plain gray, 1 the image as it is.
        mean: Mean of each image in grayscale, shape ``(N,)``.
        channels: 1 or 3.

    Returns:
        Tensor of shape ``(N, channels, channels + 1)``.

    Example:
        >>> contrast_matrices(torch.tensor([0.5]), torch.tensor([0.2]), channels=1)
        tensor([[[0.5000, 0.1000]]])
    """
    return _matrices(factor, (1 - factor) * mean, channels)


def saturation_matrices(factor: Tensor) -> Tensor:
    """Build matrices that blend each image with its own grayscale; 0 is grayscale.

    Args:
        factor: Shape ``(N,)``; 1 is the image as it is.

    Returns:
        Tensor of shape ``(N, 3, 4)``.

    Example:
        >>> saturation_matrices(torch.tensor([0.0]))[0, 0]
        tensor([0.2989, 0.5870, 0.1140, 0.0000])
    """
    matrices = _matrices(factor, torch.zeros_like(factor), 3)
    matrices[:, :, :3] += torch.stack([(1 - factor) * weight for weight in _LUMA], -1)[:, None]
    return matrices


def hue_matrices(shift: Tensor) -> Tensor:
    """Build matrices that rotate colours about the gray axis and leave grays unchanged.

    The rotation is linear, unlike the hue shift in HSV of ``adjust_hue``: it is the same at 0, and
    close to it for colours of low saturation.

    Args:
        shift: In turns of the colour circle, shape ``(N,)``.

    Returns:
        Tensor of shape ``(N, 3, 4)``.

    Reference:
        Rodrigues' rotation formula with the axis (1, 1, 1) / sqrt(3).

    Example:
        >>> red = torch.tensor([1.0, 0.0, 0.0])
        >>> (hue_matrices(torch.tensor([1 / 3]))[0, :, :3] @ red).round().abs()
        tensor([0., 1., 0.])
    """
    angle = shift * (2 * math.pi)
    cos, sin = angle.cos(), angle.sin() / math.sqrt(3)
    third = (1 - cos) / 3
    same, ahead, behind = third + cos, third - sin, third + sin
    zero = torch.zeros_like(shift)
    rows = [
        torch.stack([same, ahead, behind, zero], -1),
        torch.stack([behind, same, ahead, zero], -1),
        torch.stack([ahead, behind, same, zero], -1),
    ]
    return torch.stack(rows, 1)


def chain_colors(first: Tensor, then: Tensor) -> Tensor:
    """Combine two colour changes into one matrix.

    Args:
        first: The first change, shape ``(N, C, C + 1)``.
        then: The second change, of the same shape.

    Returns:
        Tensor of the same shape.

    Example:
        >>> half = brightness_matrices(torch.tensor([0.5]), channels=1)
        >>> chain_colors(half, half)
        tensor([[[0.2500, 0.0000]]])
    """
    linear = then[:, :, :-1]
    offset = linear @ first[:, :, -1:] + then[:, :, -1:]
    return torch.cat([linear @ first[:, :, :-1], offset], -1)


def apply_colors(images: Tensor, matrices: Tensor) -> Tensor:
    """Change the colours of each image by its own matrix, without clamping.

    Args:
        images: Shape ``(N, C, H, W)``, floating point.
        matrices: Shape ``(N, C, C + 1)``: factors of the channels, then an offset.

    Returns:
        Tensor of the shape and dtype of ``images``.

    Example:
        >>> apply_colors(torch.ones(1, 1, 1, 2), torch.tensor([[[0.5, 0.25]]]))
        tensor([[[[0.7500, 0.7500]]]])
    """
    matrices = matrices.to(images.dtype)
    if images.shape[1] == 1:
        # A plain product needs no matrix kernel.
        return images * matrices[:, :, :1, None] + matrices[:, :, 1:, None]
    changed = torch.bmm(matrices[:, :, :-1], images.flatten(2)).add_(matrices[:, :, -1:])
    return changed.view(images.shape)


def grayscale(images: Tensor) -> Tensor:
    """Weighted sum of red, green and blue, with torchvision's weights.

    Args:
        images: Shape ``(N, 3, H, W)``, or ``(N, 1, H, W)``, which stay as they are.

    Returns:
        Tensor of shape ``(N, 1, H, W)``.

    Example:
        >>> grayscale(torch.ones(1, 3, 1, 1))
        tensor([[[[0.9999]]]])
    """
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    # In torchvision's order and with its rounding: a sum that is nearly whole is truncated later.
    gray = red.mul(_LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])
    return gray[:, None]


def gray_means(channel_means: Tensor) -> Tensor:
    """Mean of each image in grayscale from the means of its channels.

    Args:
        channel_means: Shape ``(N, C)`` with 1 or 3 channels.

    Returns:
        Tensor of shape ``(N,)``.

    Example:
        >>> gray_means(torch.tensor([[1.0, 0.0, 0.0]]))
        tensor([0.2989])
    """
    return grayscale(channel_means[:, :, None, None])[:, 0, 0, 0]


def rest_of_one(factor: Tensor) -> Tensor:
    """Compute 1 minus each factor, rounded once: to the last bit what torchvision blends with.

    Args:
        factor: Any shape, floating point.

    Returns:
        Tensor of the shape and dtype of ``factor``.

    Example:
        >>> rest_of_one(torch.tensor([0.25]))
        tensor([0.7500])
    """
    return (1 - factor.double()).to(factor.dtype)


def blend(
    images: Tensor,
    others: Tensor | None,
    factor: Tensor,
    bound: float = 1.0,
    *,
    whole: bool = False,
) -> Tensor:
    """Blend each image, by its factor, with another one; clamp as torchvision does.

    Args:
        images: Shape ``(N, C, H, W)``.
        others: Broadcastable to ``images``; None is black.
        factor: Shape ``(N,)``; may be above 1.
        bound: Largest value.
        whole: Whether the values are whole numbers, which are truncated at the end, not rounded.

    Returns:
        Tensor of the shape of ``images``.

    Example:
        >>> blend(torch.full((1, 1, 1, 1), 99.0), None, torch.tensor([1.5]), 255.0, whole=True)
        tensor([[[[148.]]]])
    """
    factor = factor[:, None, None, None].to(images.dtype)
    blended = images * factor
    if others is not None:
        # One rounding for product and sum, as in torchvision's `add_` with `alpha`.
        blended = torch.addcmul(blended, others, rest_of_one(factor))
    blended = blended.clamp_(0, bound)
    return blended.floor_() if whole else blended


def adjust_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Shift the hue of each image in HSV, as torchvision and Pillow do.

    Args:
        images: Shape ``(N, 3, H, W)`` in 0..1.
        shift: In turns of the colour circle, shape ``(N,)``.

    Returns:
        Tensor of the shape of ``images``.

    Reference:
        Smith 1978, "Color gamut transform pairs"; each step is rounded as torchvision rounds it.

    Example:
        >>> adjust_hue(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1), torch.tensor([1 / 3])).flatten()
        tensor([0., 1., 0.])
    """
    low, value = images.aminmax(dim=1)
    chroma = value - low
    plain = chroma == 0
    divisor = torch.where(plain, 1, chroma)
    hue = _hue(images, value, divisor).add_(shift[:, None, None].to(images.dtype))
    turned = hue.remainder_(1) * 6
    sector = turned.floor()
    share, saturation = turned - sector, chroma / torch.where(plain, 1, value)
    part, gray = saturation * share, 1 - saturation
    # In each sector, a channel is the largest, the least, falling or rising.
    kinds = [value, gray * value, (1 - part) * value, (part + gray) * value]
    levels = torch.stack(kinds, 1).clamp_(0, 1)
    return levels.gather(1, _kinds(sector.to(torch.int32)).to(torch.int64))


def _hue(images: Tensor, value: Tensor, divisor: Tensor) -> Tensor:
    """Hue in turns of the colour circle, shape ``(N, H, W)``; a multiple of 1 where gray."""
    red, green, _ = images.unbind(1)
    far_red, far_green, far_blue = ((value[:, None] - images) / divisor[:, None]).unbind(1)
    sector = torch.where(
        value == red,
        far_blue - far_green,
        torch.where(value == green, far_red + 2 - far_blue, far_green + 4 - far_red),
    )
    return sector.mul_(1 / 6).add_(1).fmod_(1)


def _kinds(sector: Tensor) -> Tensor:
    """Return the kinds of red, green and blue in each sector, shape ``(N, 3, H, W)``."""
    # Green and blue are as red is four and two sectors further on. In sectors 0 to 10, with two
    # bits each, red is: largest, falling, least, least, rising, largest, and so on.
    sectors = torch.stack([sector, sector + 4, sector + 2], 1) * 2
    return torch.bitwise_right_shift(0b11_01_01_10_00_00_11_01_01_10_00, sectors).bitwise_and_(3)


def _matrices(factor: Tensor, offset: Tensor, channels: int) -> Tensor:
    linear = factor[:, None, None] * torch.eye(channels, dtype=factor.dtype, device=factor.device)
    return torch.cat([linear, offset[:, None, None].expand(-1, channels, 1)], -1)
