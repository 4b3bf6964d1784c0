"""Statistics of a noisy loss curve: whether it falls, and how much it swings."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import torch


def window_means(values: Sequence[float], windows: int) -> list[float]:
    """Average successive windows of (almost) the same length, leaving out non-finite values.

    Args:
        values: The curve.
        windows: Number of windows; at most one per value is used.

    Returns:
        One mean for each window; NaN where a window has no finite value.

    Example:
        >>> window_means([1.0, 3.0, 5.0, 7.0], 2)
        [2.0, 6.0]
    """
    if not values:
        return []
    y = torch.tensor(values, dtype=torch.float64)
    windows = min(windows, len(y))
    sizes = torch.tensor([len(part) for part in y.tensor_split(windows)])
    finite = y.isfinite()
    index = torch.arange(windows).repeat_interleave(sizes)
    zeros = torch.zeros(windows, dtype=torch.float64)
    sums = zeros.index_add(0, index, y.where(finite, y.new_zeros(())))
    means: list[float] = (sums / zeros.index_add(0, index, finite.double())).tolist()
    return means


def best_window(values: Sequence[float], windows: int) -> list[float]:
    """Return the window with the lowest mean, of those that `window_means` averages.

    Args:
        values: The curve.
        windows: Number of windows; at most one per value is used.

    Returns:
        Its finite values, of windows without any other; empty if there is no such window.

    Example:
        >>> best_window([4.0, 3.0, 1.0, 2.0, 5.0, 6.0], 3)
        [1.0, 2.0]
    """
    y = torch.tensor(values, dtype=torch.float64)
    parts = y.tensor_split(max(1, min(windows, len(y))))
    finite = [part for part in parts if len(part) and bool(part.isfinite().all())]
    return min(finite, key=lambda part: float(part.mean())).tolist() if finite else []


def slope_score(values: Sequence[float]) -> float:
    """Divide the slope of the least-squares line by its standard error.

    Below -3 a curve falls, above 3 it rises, whatever its noise (for 10 values or more, and as
    far as the noise of successive values is independent).

    Args:
        values: The curve, evenly spaced.

    Returns:
        The t-statistic of the slope; 0 for fewer than three values or a flat line, infinite for
        a line without noise.

    Example:
        >>> slope_score([4.0, 3.0, 2.1, 1.0, 0.0]) < -3
        True
    """
    y = torch.tensor([v for v in values if math.isfinite(v)], dtype=torch.float64)
    n = len(y)
    if n < 3:
        return 0.0
    x = torch.arange(n, dtype=torch.float64) - (n - 1) / 2
    slope = float((x * y).sum() / (x * x).sum())
    rest = y - y.mean() - slope * x
    error = math.sqrt(float((rest * rest).sum()) / (n - 2) / float((x * x).sum()))
    if slope == 0.0:
        return 0.0
    return slope / error if error > 0 else math.copysign(math.inf, slope)


def share_above(later: Sequence[float], earlier: Sequence[float]) -> float:
    """Compute how often a value of one sample is above a value of another one.

    Args:
        later: One sample, of ``n`` values.
        earlier: Another one, of ``m`` values.

    Returns:
        Share of the ``n * m`` pairs in which the first is above, where ties count half: about 0.5
        for samples of one distribution, however far its outliers are; NaN if one is empty.

    Example:
        >>> share_above([2.0, 9.0], [1.0, 2.0])
        0.875

    Reference:
        Mann and Whitney 1947, "On a test of whether one of two random variables is stochastically
        larger than the other": U over ``n * m``.
    """
    if not later or not earlier:
        return math.nan
    ordered = sorted(earlier)
    below = sum(bisect_left(ordered, a) + bisect_right(ordered, a) for a in later) / 2
    return below / (len(later) * len(earlier))


def excess_swing(values: Sequence[float], windows: int) -> float:
    r"""Compare the differences of successive window means with those expected from noise alone.

    Args:
        values: The curve, one value per batch.
        windows: Number of windows.

    Returns:
        Root mean square difference of successive window means, divided by the one expected from
        the variance within windows, :math:`\sqrt{2 \sigma^2 / n}`; about 1 for a curve that is
        steady except for the noise of its batches, NaN for fewer than two windows or three values
        per window.

    Example:
        >>> round(excess_swing([1.0, 1.1, 0.9, 5.0, 5.1, 4.9], 2))
        49
    """
    y = torch.tensor(values, dtype=torch.float64)
    size = len(y) // windows if windows else 0
    if windows < 2 or size < 3:
        return math.nan
    parts = y[-size * windows :].view(windows, size)
    noise = float(parts.var(1).mean())
    steps = float(parts.mean(1).diff().square().mean())
    if noise == 0.0:
        return math.inf if steps > 0 else 1.0
    return math.sqrt(steps / (2 * noise / size))
