"""How a total loss is made of the loss of the data: scaled, moved by a constant, or neither."""

import math
import statistics
from collections.abc import Sequence

_MIN_BATCHES = 5
_FIRST_BATCHES = 10
_MIN_VARIATION = 0.01
_MAX_ERROR = 1e-3
_MIN_SHARE_ALIKE = 0.8
_ERROR_OF_SINGLE_PRECISION = 1e-6


def multiple_of(parts: Sequence[float], totals: Sequence[float]) -> float:
    """Find the number that the data loss is multiplied by to give the total.

    Up to a fifth of the batches may differ, as sums over a smaller last batch do, but not more of
    the first ten: a penalty on the weights may shrink to nothing.

    Args:
        parts: Data loss of each batch.
        totals: Total loss of each, in the same order.

    Returns:
        The number; NaN if there is none, or if batches are too few or too alike to tell.

    Example:
        >>> multiple_of([2.0, 1.5, 1.8, 1.2, 1.0], [200.0, 150.0, 180.0, 120.0, 100.0])
        100.0
        >>> multiple_of([2.0, 1.5, 1.8, 1.2, 1.0], [3.0, 2.5, 2.8, 2.2, 2.0])
        nan
    """
    if not _can_tell(parts) or not min(parts) > 0:
        return math.nan
    ratios = [total / part for part, total in zip(parts, totals, strict=True)]
    usual = statistics.median(ratios)
    alike = [abs(ratio - usual) < _MAX_ERROR * abs(usual) for ratio in ratios]
    least = min(statistics.fmean(alike), statistics.fmean(alike[:_FIRST_BATCHES]))
    return usual if least > _MIN_SHARE_ALIKE else math.nan


def is_moved(parts: Sequence[float], totals: Sequence[float]) -> bool:
    """Whether a number added to the data loss, maybe scaled, gives the total in all batches.

    Args:
        parts: Data loss of each batch.
        totals: Total loss of each, in the same order.

    Returns:
        Whether the batches lie on one rising line; False if they are too few or too alike to tell.

    Example:
        >>> is_moved([2.0, 1.5, 1.8, 1.2, 1.0], [12.0, 11.5, 11.8, 11.2, 11.0])
        True
        >>> is_moved([2.0, 1.5, 1.8, 1.2, 1.0], [12.0, 10.5, 9.8, 8.2, 7.0])
        False
    """
    if not _can_tell(parts) or min(totals) == max(totals):
        return False
    slope, _ = statistics.linear_regression(parts, totals)
    rest = [total - slope * part for part, total in zip(parts, totals, strict=True)]
    noise = _ERROR_OF_SINGLE_PRECISION * max(map(abs, totals))
    return slope > 0 and statistics.stdev(rest) < _MAX_ERROR * statistics.stdev(totals) + noise


def _can_tell(parts: Sequence[float]) -> bool:
    varies = bool(parts) and max(parts) - min(parts) > _MIN_VARIATION * abs(min(parts))
    return varies and len(parts) >= _MIN_BATCHES
