"""Changes of colours and single pixels by a batch's random draws."""

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
from .precision import widen
from .toning import TONES, retone

COLORS = ("brightness", "contrast", "saturation", "hue", "grayscale")
_LOG_OF_MAX_ASPECT = math.log(10 / 3)


def recolor(images: Tensor, draws: Draws, bound: float, *, clamp: bool) -> Tensor:
    """Change brightness, contrast, saturation, hue and grayscale, then apply `retone`.

    Args:
        images: Shape ``(N, C, H, W)``; a fourth channel stays as it is.
        draws: Random draws of the batch.
        bound: 1, or 255 for images that were integers.
        clamp: Clamp, and truncate to integers, after each operation as torchvision does;
            otherwise use one matrix for all colour operations, and clamp at the end.

    Returns:
        Tensor of the shape of ``images``, floating point if anything changed.

    Raises:
        ValueError: If colours change and the images do not have 1, 3 or 4 channels.
    """
    changes = [name for name in COLORS if name in draws]
    retones = any(name in draws for name in TONES)
    if not changes and not retones:
        return images
    if changes and images.shape[1] not in (1, 3, 4):
        raise ValueError(
            f"Expected `images` with 1, 3 or 4 channels for colour operations, but got "
            f"{images.shape[1]}. Leave out {', '.join(changes)}."
        )
    whole = bound != 1
    images = widen(images)
    colors = images[:, :3] if images.shape[1] == 4 else images
    colors = colors.round() if whole and clamp else colors
    if changes and clamp:
        colors = _one_by_one(colors, draws, bound)
    elif changes:
        colors = apply_colors(colors, _matrices(colors, draws)).clamp_(0, bound)
    if retones:
        # Tone operations are step functions: rounding errors must not miss a step.
        colors = retone(colors.round() if whole else colors, draws, bound, whole=whole)
    return torch.cat([colors, images[:, 3:]], 1) if images.shape[1] == 4 else colors


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
    if "brightness" in draws:
        images = blend(images, None, draws.amount("brightness", 1), bound, whole=whole)
    if "contrast" in draws:
        mean = _gray(images, whole).mean((1, 2, 3), keepdim=True)
        images = blend(images, mean, draws.amount("contrast", 1), bound, whole=whole)
    if images.shape[1] == 1:
        return images
    if "saturation" in draws:
        gray = _gray(images, whole)
        images = blend(images, gray, draws.amount("saturation", 1), bound, whole=whole)
    if "hue" in draws:
        images = adjust_hue(images * (1 / bound), draws.amount("hue"))
        # torchvision converts to integers with a factor of nearly one more than the maximum.
        images = images.mul_(bound + 1 - 1e-3).floor_() if whole else images
    if "grayscale" in draws:
        kept = _color_kept(draws)[:, None, None, None]
        images = torch.where(kept == 1, images, _gray(images, whole))
    return images


def _gray(images: Tensor, whole: bool) -> Tensor:
    gray = grayscale(images)
    return gray.floor() if whole else gray


def _color_kept(draws: Draws) -> Tensor:
    return draws.where("grayscale", draws.constant(0), 1.0)


def erase(images: Tensor, draws: Draws) -> Tensor:
    """Set a box of each image to 0, for the operation ``erasing``.

    Args:
        images: Shape ``(N, C, H, W)``.
        draws: Random draws of the batch.

    Returns:
        Tensor of the shape of ``images``.
    """
    aspect = ((2 * draws.uniform("erasing", 1) - 1) * _LOG_OF_MAX_ASPECT).exp()
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
    """Blur for the operation ``blur``, with a kernel that reaches three maximum sigmas.

    Args:
        images: Shape ``(N, C, H, W)``.
        draws: Random draws of the batch.

    Returns:
        Tensor of the shape of ``images``, floating point.
    """
    kernel_size = 2 * math.ceil(3 * draws.operations["blur"].high) + 1
    return gaussian_blur(widen(images), draws.amount("blur"), kernel_size)
