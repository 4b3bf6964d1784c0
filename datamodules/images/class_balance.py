"""How often each class occurs."""

import torch
from torch import Tensor


def class_counts(labels: Tensor, num_classes: int) -> Tensor:
    """Count the images of each class, int64 of shape ``(num_classes,)``.

    Example:
        >>> class_counts(torch.tensor([0, 2, 2]), 4)
        tensor([1, 0, 2, 0])
    """
    return torch.bincount(labels, minlength=num_classes)
