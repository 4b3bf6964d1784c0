"""Weights that compensate for rare classes."""

from torch import Tensor


def inverse_frequency_weights(counts: Tensor) -> Tensor:
    r"""Weight each class in the loss by :math:`n / (K n_k)`, with :math:`K` classes that occur.

    All classes then have the same total weight, and the mean over all items is 1. A class that does
    not occur gets the weight of the rarest that does: it may occur elsewhere, where it should
    neither be left out nor outweigh all others, and it changes no other weight.

    Args:
        counts: Items of each class, shape ``(classes,)``, not all 0.

    Returns:
        Weights, float64 of shape ``(classes,)``, finite and above 0.

    Example:
        >>> import torch
        >>> inverse_frequency_weights(torch.tensor([6, 2, 0]))
        tensor([0.6667, 2.0000, 2.0000], dtype=torch.float64)

    Reference:
        King and Zeng 2001, "Logistic regression in rare events data", section 4.2.
    """
    present = counts > 0
    least = counts[present].min()
    return counts.sum().double() / (present.sum() * counts.clamp(min=least))
