"""Swap noise: values of a row replaced by those of other rows, column by column."""

import torch
from torch import Tensor


def other_rows(keys: Tensor) -> Tensor:
    """Choose another row for each row, separately for each column: the next on a random circle.

    Args:
        keys: Random numbers, one for each row and column, shape ``(N, C)``; their order is that of
            the circle.

    Returns:
        Row indices, int64 of shape ``(N, C)``; each column is a permutation, without fixed points
        if there are at least two rows.

    Example:
        >>> other_rows(torch.tensor([[0.1, 0.1], [0.5, 0.9], [0.9, 0.5]]))
        tensor([[1, 2],
                [2, 0],
                [0, 1]])
    """
    order = keys.argsort(0)
    return torch.empty_like(order).scatter_(0, order, order.roll(-1, 0))


def swap_noise(x: Tensor, swapped: Tensor, rows: Tensor) -> Tensor:
    """Replace some values by those of other rows in the same column.

    Each replacement is a value of its column, so that the noise has the column's own distribution,
    whatever its unit.

    Args:
        x: Shape ``(N, F)``.
        swapped: Which values are replaced, boolean of shape ``(N, F)``.
        rows: Which row each comes from, int64 of shape ``(N, F)``.

    Returns:
        Tensor of the shape of ``x``.

    Example:
        >>> x = torch.tensor([[1.0, 10.0], [2.0, 20.0]])
        >>> swapped = torch.tensor([[True, False], [False, False]])
        >>> swap_noise(x, swapped, torch.tensor([[1, 1], [0, 0]]))
        tensor([[ 2., 10.],
                [ 2., 20.]])

    Reference:
        Vincent et al. 2010, "Stacked denoising autoencoders", section 3.3 (corruption); Bahri et
        al. 2022, "SCARF", algorithm 1 (corruption by a column's own values).
    """
    return torch.where(swapped, x.gather(0, rows), x)
