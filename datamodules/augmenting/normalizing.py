"""Normalisation of images by mean and standard deviation."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .precision import widen

Numbers = float | Sequence[float]


def checked_statistics(
    mean: Numbers | None, std: Numbers | None
) -> tuple[Tensor | None, Tensor | None]:
    """Return both as tensors that broadcast to images, or None twice.

    Args:
        mean: One number for all channels, or one for each.
        std: The same; above 0.

    Returns:
        Tensors of shape ``(1, 1 or C, 1, 1)``, float32.

    Raises:
        ValueError: If one of them is missing, has another length, or ``std`` is not above 0.

    Example:
        >>> checked_statistics(0.5, [0.25])[1].shape
        torch.Size([1, 1, 1, 1])
    """
    if mean is None and std is None:
        return None, None
    if mean is None or std is None:
        given, missing = ("std", "mean") if mean is None else ("mean", "std")
        raise ValueError(f"Expected `{missing}` together with `{given}`, but got None.")
    means, stds = (
        torch.as_tensor(v, dtype=torch.float32).reshape(1, -1, 1, 1) for v in (mean, std)
    )
    if means.shape != stds.shape:
        raise ValueError(
            f"Expected `std` to have as many numbers as `mean`, which has {means.shape[1]}, but "
            f"got {stds.shape[1]}."
        )
    if not (stds > 0).all() or not (means.isfinite() & stds.isfinite()).all():
        raise ValueError(
            f"Expected `std` to be above 0 and `mean` to be finite, but got {std} and {mean}."
        )
    return means, stds


def normalize(images: Tensor, mean: Tensor, std: Tensor, *, in_place: bool) -> Tensor:
    """Subtract the mean from images and divide them by the standard deviation.

    Args:
        images: Shape ``(N, C, H, W)``.
        mean: Broadcastable to it.
        std: Broadcastable to it.
        in_place: Whether ``images`` may be changed: a new tensor of this size takes longer to
            allocate than to fill.

    Returns:
        Tensor of the shape of ``images``, float32 or float64.

    Example:
        >>> normalize(torch.ones(1, 1, 1, 1), torch.tensor(0.5), torch.tensor(0.25), in_place=False)
        tensor([[[[2.]]]])
    """
    wide = widen(images)
    if in_place or wide is not images:
        return wide.sub_(mean).div_(std)
    return (wide - mean).div_(std)
