"""Checks of a batch before augmentation."""

from collections.abc import Collection

import torch
from torch import Tensor

from .recoloring import COLORS
from .toning import TONES

# Operations that clamp to black and white.
_COLORING = (*COLORS, *TONES, "noise")
# Bicubic resampling of sharp digits exceeds 0..1 by 0.26; normalisation exceeds it by more.
_OVERSHOOT = 0.3


def check_batch(
    images: Tensor,
    targets: Tensor | None = None,
    masks: Tensor | None = None,
    index: Tensor | None = None,
    mean: Tensor | None = None,
) -> None:
    """Raise if shapes or dtypes do not fit one another.

    Args:
        images: Shape ``(N, C, H, W)``, uint8 or floating point.
        targets: One entry for each image, or None.
        masks: Shape ``(N, ..., H, W)``, or None.
        index: Shape ``(N,)``, or None.
        mean: Shape ``(1, 1 or C, 1, 1)``, or None.

    Raises:
        ValueError: If something does not fit.

    Example:
        >>> check_batch(torch.zeros(2, 3, 4, 4), index=torch.arange(2))
    """
    if images.ndim != 4:
        raise ValueError(f"Expected `images` of shape (N, C, H, W), but got {tuple(images.shape)}.")
    if not images.is_floating_point() and images.dtype != torch.uint8:
        raise ValueError(
            f"Expected `images` to be uint8 or floating point in 0..1, but got {images.dtype}."
        )
    for name, value in (("targets", targets), ("masks", masks), ("index", index)):
        if value is not None and len(value) != len(images):
            raise ValueError(
                f"Expected `{name}` to have one entry for each of {len(images)} images, but "
                f"got {len(value)}."
            )
    if masks is not None and masks.shape[-2:] != images.shape[-2:]:
        raise ValueError(
            f"Expected `masks` of the images' size {tuple(images.shape[-2:])}, but got "
            f"{tuple(masks.shape[-2:])}."
        )
    if mean is not None and mean.shape[1] not in (1, images.shape[1]):
        raise ValueError(
            f"Expected `images` with {mean.shape[1]} channels, as many as `mean` has numbers, but "
            f"got {images.shape[1]}."
        )


def check_range(images: Tensor, operations: Collection[str]) -> None:
    """Raise if an operation clamps to 0..1 and images have a different range.

    This reads every pixel, and synchronises the device.

    Args:
        images: Any shape, floating point.
        operations: Names of operations; geometry accepts any numbers.

    Raises:
        ValueError: If the minimum or maximum exceeds the range by more than resampling does.

    Example:
        >>> check_range(torch.tensor([0.0, 255.0]), ["rotation"])
    """
    coloring = [name for name in _COLORING if name in operations]
    if not coloring or images.numel() == 0:
        return
    least, most = torch.stack(images.detach().aminmax()).tolist()
    if not (least < -_OVERSHOOT or most > 1 + _OVERSHOOT):
        return  # Or NaN, which is not a matter of the range.
    fix = (
        "Augment before you normalise: `mean` and `std` of BatchAugment normalise afterwards"
        if least < -_OVERSHOOT
        else "Divide them by 255, or pass whole numbers from 0 to 255 as uint8"
    )
    raise ValueError(
        f"Expected floating-point `images` in 0..1 for {', '.join(map(repr, coloring))}, but got "
        f"{least:g} to {most:g}. {fix}."
    )
