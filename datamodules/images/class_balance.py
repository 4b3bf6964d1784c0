"""How often each class occurs, and weights against it."""

import torch
from torch import Tensor


def class_counts(labels: Tensor, num_classes: int) -> Tensor:
    """Number of images of each class, int64 of shape ``(num_classes,)``.

    Example:
        >>> class_counts(torch.tensor([0, 2, 2]), 4)
        tensor([1, 0, 2, 0])
    """
    return torch.bincount(labels, minlength=num_classes)


def balancing_weights(counts: Tensor) -> Tensor:
    """Weight of each class, such that classes weigh alike and the mean over all images is 1.

    A class that does not occur has the weight of the rarest that does: it may occur elsewhere.

    Args:
        counts: Number of images of each class, shape ``(K,)``, not all 0.

    Returns:
        Tensor of shape ``(K,)``, float32.

    Reference:
        King and Zeng 2001, "Logistic regression in rare events data", section 4.2.

    Example:
        >>> balancing_weights(torch.tensor([1, 3, 0]))
        tensor([2.0000, 0.6667, 2.0000])
    """
    present = counts > 0
    least = counts[present].min()
    return counts.sum() / (present.sum() * counts.clamp(min=int(least)))
