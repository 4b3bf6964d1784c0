"""Blurring and erasing in whole batches, each image by its own amount."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad


def gaussian_blur(images: Tensor, sigma: Tensor, kernel_size: int) -> Tensor:
    """Blur each image with its own Gaussian, edges mirrored.

    Args:
        images: Shape ``(N, C, H, W)``, floating point.
        sigma: Standard deviation in pixels, shape ``(N,)``; near 0 leaves an image as it is.
        kernel_size: Odd; reduced where half of it reaches the image's size.

    Returns:
        Tensor of the shape of ``images``.

    Example:
        >>> gaussian_blur(torch.ones(1, 1, 3, 3), torch.tensor([1.0]), 3)[0, 0, 0]
        tensor([1., 1., 1.])
    """
    blurred = images
    for dim in (-1, -2):
        radius = min(kernel_size // 2, images.shape[dim] - 1)
        offset = torch.arange(-radius, radius + 1, device=images.device, dtype=torch.float32)
        # Below 0.01 pixels the Gaussian is the image itself, and 0 would divide by zero.
        spread = sigma.float().clamp(min=1e-2)[:, None]
        weight = torch.softmax(-(offset**2) / (2 * spread**2), -1).to(images.dtype)
        blurred = _convolve(blurred, weight, radius, dim)
    return blurred


def box_masks(
    area: Tensor, aspect: Tensor, x: Tensor, y: Tensor, height: int, width: int
) -> Tensor:
    """Compute boxes of a given area and shape that lie entirely inside the image.

    Args:
        area: Share of the image's area, shape ``(N,)``; 0 is an empty box.
        aspect: Height over width, shape ``(N,)``.
        x: Position of the box, from 0, at the left edge, to 1, shape ``(N,)``.
        y: The same from the top.
        height: Height of the images in pixels.
        width: Width of the images in pixels.

    Returns:
        Boolean tensor of shape ``(N, 1, H, W)``, True inside the box.

    Reference:
        Zhong et al. 2020, "Random erasing data augmentation", algorithm 1; a box that does not
        fit is cut to the image's size rather than resampled.

    Example:
        >>> half = torch.tensor([0.5])
        >>> box_masks(torch.tensor([0.25]), half * 2, half * 0, half * 0, 2, 2)[0, 0]
        tensor([[ True, False],
                [False, False]])
    """
    pixels = area * (height * width)
    tall = (pixels * aspect).sqrt().round().clamp(max=height)
    wide = (pixels / aspect).sqrt().round().clamp(max=width)
    top = (y * (height - tall + 1)).floor().clamp(max=height - 1)
    left = (x * (width - wide + 1)).floor().clamp(max=width - 1)
    return inside_boxes(left, top, left + wide, top + tall, height, width)


def inside_boxes(
    left: Tensor, top: Tensor, right: Tensor, bottom: Tensor, height: int, width: int
) -> Tensor:
    """Find the pixels in each image's box.

    Args:
        left: First column, shape ``(N,)``.
        top: First row, shape ``(N,)``.
        right: Column after the last.
        bottom: Row after the last.
        height: Height of the images in pixels.
        width: Width of the images in pixels.

    Returns:
        Boolean tensor of shape ``(N, 1, H, W)``.

    Example:
        >>> zero, one = torch.tensor([0]), torch.tensor([1])
        >>> inside_boxes(zero, zero, one, one, 1, 2)
        tensor([[[[ True, False]]]])
    """
    column = torch.arange(width, device=left.device)
    row = torch.arange(height, device=left.device)
    columns = (column >= left[:, None]) & (column < right[:, None])
    rows = (row >= top[:, None]) & (row < bottom[:, None])
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def normal_from_uniform(uniform: Tensor) -> Tensor:
    """Convert pairs of uniform numbers to pairs of standard normal ones.

    Args:
        uniform: In [0, 1), shape ``(..., 2 * K)``.

    Returns:
        Tensor of shape ``(..., 2 * K)``.

    Reference:
        Box and Muller 1958, "A note on the generation of random normal deviates".

    Example:
        >>> normal_from_uniform(torch.zeros(2))
        tensor([0., 0.])
    """
    first, second = uniform.chunk(2, -1)
    radius = (-2 * torch.log1p(-first)).sqrt()
    angle = 2 * math.pi * second
    return torch.cat([radius * angle.cos(), radius * angle.sin()], -1)


def _convolve(images: Tensor, weight: Tensor, radius: int, dim: int) -> Tensor:
    if radius == 0:
        return images
    count, channels, height, width = images.shape
    along_x = dim == -1
    edges = (radius, radius, 0, 0) if along_x else (0, 0, radius, radius)
    padded = pad(images, edges, mode="reflect")
    kernel = weight.repeat_interleave(channels, 0)[:, None]
    kernel = kernel[:, :, None, :] if along_x else kernel[:, :, :, None]
    grouped = padded.reshape(1, count * channels, *padded.shape[-2:])
    blurred = conv2d(grouped, kernel, groups=count * channels)
    return blurred.view(count, channels, height, width)
