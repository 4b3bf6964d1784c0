"""Changes of colour and of single pixels from a batch's draws."""

import math

import torch
from torch import Tensor

from ...functional.color import (
    adjust_hue,
    apply_colors,
    blend,
    brightness_matrices,
    chain_colors,
    contrast_matrices,
    gray_means,
    grayscale,
    hue_matrices,
    saturation_matrices,
)
from ...functional.pixels import box_masks, gaussian_blur
from .draws import Draws

COLORS = ("brightness", "contrast", "saturation", "hue", "grayscale")
_ASPECT = math.log(10 / 3)


def recolor(images: Tensor, draws: Draws, bound: float, *, clamp: bool) -> Tensor:
    """Brightness, contrast, saturation, hue and grayscale; a fourth channel stays as it is.

    Args:
        images: Shape ``(N, C, H, W)`` with 1, 3 or 4 channels, floating point in 0..bound.
        draws: Of the batch.
        bound: 1, or 255 for images that were whole numbers.
        clamp: Clamp, and cut to whole numbers, after each operation as torchvision does;
            otherwise one matrix for all of them, clamped at the end.

    Returns:
        Tensor of the shape of ``images``.

    Raises:
        ValueError: If the images have another number of channels.
    """
    if not any(name in draws for name in COLORS):
        return images
    if images.shape[1] not in (1, 3, 4):
        raise ValueError(
            f"Expected `images` with 1, 3 or 4 channels for changes of colour, but got "
            f"{images.shape[1]}. Leave out {', '.join(name for name in COLORS if name in draws)}."
        )
    colors = images[:, :3]
    if clamp:
        colors = _one_by_one(colors, draws, bound)
    else:
        colors = apply_colors(colors, _matrices(colors, draws)).clamp_(0, bound)
    return colors if images.shape[1] < 4 else torch.cat([colors, images[:, 3:]], 1)


def _matrices(images: Tensor, draws: Draws) -> Tensor:
    channels = images.shape[1]
    matrices = brightness_matrices(
        draws.amount("brightness", 1) if "brightness" in draws else draws.constant(1), channels
    )
    if "contrast" in draws:
        means = images.mean((2, 3), dtype=torch.float32)[..., None]
        means = (matrices[:, :, :-1] @ means + matrices[:, :, -1:])[..., 0]
        contrast = contrast_matrices(draws.amount("contrast", 1), gray_means(means), channels)
        matrices = chain_colors(matrices, contrast)
    if channels == 1:
        return matrices
    if "saturation" in draws:
        matrices = chain_colors(matrices, saturation_matrices(draws.amount("saturation", 1)))
    if "hue" in draws:
        matrices = chain_colors(matrices, hue_matrices(draws.amount("hue")))
    if "grayscale" in draws:
        matrices = chain_colors(matrices, saturation_matrices(_color_kept(draws)))
    return matrices


def _one_by_one(images: Tensor, draws: Draws, bound: float) -> Tensor:
    whole = bound != 1
    if whole:
        images = images.round().clamp_(0, bound)
    if "brightness" in draws:
        images = blend(images, images.new_zeros(()), draws.amount("brightness", 1), bound)
    if "contrast" in draws:
        gray = grayscale(images)
        gray = gray.floor() if whole else gray
        mean = gray.mean((1, 2, 3), keepdim=True)
        images = blend(images, mean, draws.amount("contrast", 1), bound)
    if images.shape[1] == 1:
        return images
    if "saturation" in draws:
        gray = grayscale(images)
        gray = gray.floor() if whole else gray
        images = blend(images, gray, draws.amount("saturation", 1), bound)
    if "hue" in draws:
        images = adjust_hue(images / bound, draws.amount("hue"))
        # torchvision scales to whole numbers by nearly one more than the largest.
        images = (images * (bound + 1 - 1e-3)).floor() if whole else images
    if "grayscale" in draws:
        gray = grayscale(images)
        gray = gray.floor() if whole else gray
        kept = _color_kept(draws)[:, None, None, None]
        images = torch.where(kept == 1, images, gray)
    return images


def _color_kept(draws: Draws) -> Tensor:
    happens = draws.happens("grayscale")
    return draws.constant(0) if happens is None else 1 - happens.float()


def erase(images: Tensor, draws: Draws) -> Tensor:
    """Set a box of each image to 0, by the operation ``erasing``.

    Args:
        images: Shape ``(N, C, H, W)``.
        draws: Of the batch.

    Returns:
        Tensor of the shape of ``images``.
    """
    aspect = ((2 * draws.uniform("erasing", 1) - 1) * _ASPECT).exp()
    boxes = box_masks(
        draws.amount("erasing"),
        aspect,
        draws.uniform("erasing", 2),
        draws.uniform("erasing", 3),
        images.shape[-2],
        images.shape[-1],
    )
    return images.masked_fill(boxes, 0)


def blur(images: Tensor, draws: Draws) -> Tensor:
    """Blur by the operation ``blur``, with a kernel that reaches three of its largest sigmas.

    Args:
        images: Shape ``(N, C, H, W)``, floating point.
        draws: Of the batch.

    Returns:
        Tensor of the shape of ``images``.
    """
    kernel_size = 2 * math.ceil(3 * draws.operations["blur"].high) + 1
    return gaussian_blur(images, draws.amount("blur"), kernel_size)
