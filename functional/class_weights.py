"""Weights that make up for rare classes."""

from torch import Tensor


def inverse_frequency_weights(counts: Tensor) -> Tensor:
    r"""Weight of each class in the loss, :math:`n / (K \max(n_k, 1))`.

    A class that is not there is weighted as if it had one item, so that all weights are finite
    and none is 0: a loss that divides by the sum of weights stays defined.

    Args:
        counts: Items of each class, shape ``(K,)``.

    Returns:
        Weights, float64 of shape ``(K,)``.

    Example:
        >>> import torch
        >>> inverse_frequency_weights(torch.tensor([6, 2, 0]))
        tensor([0.4444, 1.3333, 2.6667], dtype=torch.float64)

    Reference:
        King and Zeng 2001, "Logistic regression in rare events data".
    """
    return counts.sum().double() / (len(counts) * counts.clamp(min=1))
