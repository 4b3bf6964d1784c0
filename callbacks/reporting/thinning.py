"""Reduce the number of values to plot; outliers are kept."""

from collections.abc import Sequence

import torch
from torch import Tensor


def thin_curve(
    steps: Sequence[float], values: Sequence[float], most: int
) -> tuple[list[float], list[float]]:
    """Keep the lowest and the highest value of each group of neighbours.

    Args:
        steps: Step of each value.
        values: Values; NaN and infinity count as highest.
        most: How many to keep at most, at least 2.

    Returns:
        The steps and values that are kept, in their order.

    Example:
        >>> thin_curve(range(6), [1.0, 9.0, 2.0, 2.0, 0.0, 3.0], 4)
        ([0, 1, 4, 5], [1.0, 9.0, 0.0, 3.0])
    """
    if len(values) <= most:
        return list(steps), list(values)
    size = -(-len(values) // (most // 2))
    table = torch.tensor(values, dtype=torch.float64)
    table = table.nan_to_num(float("inf"), float("inf"))
    # The last group is padded with its own last value, which changes no extreme.
    filled = torch.cat([table, table[-1:].expand(-len(table) % size)]).view(-1, size)
    first = torch.arange(0, len(table), size)
    low, high = first + filled.argmin(1), first + filled.argmax(1)
    places = sorted({*low.tolist(), *high.clamp(max=len(table) - 1).tolist()})
    return [steps[i] for i in places], [values[i] for i in places]


def smooth_curve(
    steps: Sequence[float], values: Sequence[float], windows: int
) -> tuple[list[float], list[float]]:
    """Return the mean of each of ``windows`` windows, at its middle; NaN if it contains NaN."""
    size = -(-len(values) // windows)
    blocks = torch.split(torch.tensor(values, dtype=torch.float64), size)
    middles = torch.split(torch.tensor(steps, dtype=torch.float64), size)
    return [float(m.mean()) for m in middles], [float(block.mean()) for block in blocks]


def thin_columns(values: Tensor, steps: Sequence[int], most: int) -> tuple[Tensor, list[int]]:
    """Join neighbouring columns, keeping of each row the value farthest from the row's median.

    Args:
        values: Shape ``(layers, steps)``; NaN where there is none.
        steps: Step of each column.
        most: How many columns to keep at most.

    Returns:
        The joined columns, and the step in the middle of each.
    """
    size = -(-len(steps) // most)
    if size <= 1:
        return values, list(steps)
    middles = [steps[min(i + size // 2, len(steps) - 1)] for i in range(0, len(steps), size)]
    return _joined(values, size), middles


def thin_rows(values: Tensor, layers: Sequence[str], most: int) -> tuple[Tensor, list[str]]:
    """Join neighbouring rows, keeping at each step the value farthest from the median of all rows.

    Args:
        values: Shape ``(layers, steps)``.
        layers: Name of each row.
        most: How many rows to keep at most.

    Returns:
        The joined rows, and a name for each: ``"first … last"`` for several layers.
    """
    size = -(-len(layers) // most)
    if size <= 1:
        return values, list(layers)
    groups = [layers[i : i + size] for i in range(0, len(layers), size)]
    names = [g[0] if len(g) == 1 else f"{g[0]} … {g[-1]}" for g in groups]
    return _joined(values.t(), size).t(), names


def _joined(values: Tensor, size: int) -> Tensor:
    """Join each ``size`` columns, keeping of each row the value farthest from its median."""
    centre = values.nanmedian(1, keepdim=True).values
    return torch.stack([_farthest(block, centre) for block in torch.split(values, size, 1)], 1)


def _farthest(block: Tensor, centre: Tensor) -> Tensor:
    """Pick from each row the entry that is farthest from the row's centre."""
    distance = (block - centre).abs().nan_to_num(-1.0, float("inf"))
    return block.gather(1, distance.argmax(1, keepdim=True)).squeeze(1)
