"""Rows that have occurred before."""

import torch
from torch import Tensor


def repeated_rows(rows: Tensor, earlier: Tensor) -> Tensor:
    """Find the rows that equal any of the earlier ones.

    Args:
        rows: Shape ``(N, C)``, without NaN.
        earlier: Shape ``(M, C)``.

    Returns:
        Boolean tensor of shape ``(N,)``.

    Example:
        >>> repeated_rows(torch.tensor([[1, 2], [2, 1]]), torch.tensor([[2, 1], [3, 3]]))
        tensor([False,  True])
    """
    _, number = torch.unique(torch.cat([earlier, rows]), dim=0, return_inverse=True)
    return torch.isin(number[len(earlier) :], number[: len(earlier)])
