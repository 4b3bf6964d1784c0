"""What a batch must be like to be augmented."""

import torch
from torch import Tensor


def check_batch(
    images: Tensor,
    targets: Tensor | None = None,
    masks: Tensor | None = None,
    index: Tensor | None = None,
    mean: Tensor | None = None,
) -> None:
    """Raise where shapes or dtypes do not fit one another.

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
