"""Scaling of columns: standardise, min-max and robust, in double precision."""

from typing import NamedTuple

import torch
from torch import Tensor

_EPS = torch.finfo(torch.float64).eps


class Scaling(NamedTuple):
    """The scaling of each column by `scale_columns`: ``(x - center) / scale``.

    Attributes:
        center: Value that becomes 0, float64, shape ``(C,)``.
        scale: Distance from ``center`` that becomes 1, float64, shape ``(C,)``; infinite for a
            column without finite values, so that its later values become 0, and for one whose
            standard deviation or range is beyond float64.
    """

    center: Tensor
    scale: Tensor


def standard_scaling(x: Tensor) -> Scaling:
    r"""Compute mean and standard deviation of each column, :math:`\sqrt{\sum (x - mean)^2 / n}`.

    A column that is constant up to rounding gets the scale 1, so that it becomes 0.

    Args:
        x: Shape ``(N, C)``; non-finite values are ignored.

    Returns:
        Scaling of the C columns.

    Example:
        >>> standard_scaling(torch.tensor([[1.0, 5.0], [3.0, 5.0], [torch.nan, 5.0]]))
        Scaling(center=tensor([2., 5.], dtype=torch.float64), scale=tensor([1., 1.], dtype=torch.float64))

    Reference:
        Chan et al. 1983, "Algorithms for computing the sample variance", equations 1.4 (the
        bound on the rounding of a variance) and 1.7 (the corrected two-pass sum).
    """  # noqa: E501
    x, finite, count = _finite(x)
    mean = torch.where(finite, x, 0).sum(0) / count
    deviations = torch.where(finite, x - mean, 0)
    correction = deviations.sum(0) / count
    mean = mean + correction
    variance = ((deviations**2).sum(0) / count - correction**2).clamp(min=0)
    rounding = count * _EPS * variance + (count * _EPS * mean) ** 2
    constant = (variance <= rounding) & variance.isfinite()
    return _safe(mean, torch.where(constant, 1.0, variance.sqrt()), finite)


def min_max_scaling(x: Tensor, low: float = 0.0, high: float = 1.0) -> Scaling:
    """Compute the scaling that maps each column's least value to ``low``, its greatest to ``high``.

    A constant column gets the scale 1, so that it becomes ``low``.

    Args:
        x: Shape ``(N, C)``; non-finite values are ignored.
        low: What the least value becomes.
        high: What the greatest value becomes, above ``low``.

    Returns:
        Scaling of the C columns.

    Raises:
        ValueError: If ``high`` is not above ``low``.

    Example:
        >>> scaling = min_max_scaling(torch.tensor([[10.0], [30.0]]), low=-1.0)
        >>> scale_columns(torch.tensor([[10.0], [20.0], [50.0]]), scaling).T
        tensor([[-1.,  0.,  3.]], dtype=torch.float64)
    """
    if not high > low:
        raise ValueError(f"Expected `high` to be above `low`={low}, but got {high}.")
    x, finite, _ = _finite(x)
    least, greatest = _extremes(x, finite)
    span = greatest - least
    constant = span <= 10 * _EPS * torch.maximum(least.abs(), greatest.abs())
    scale = torch.where(constant, 1.0, span / (high - low))
    return _safe(least - low * scale, scale, finite)


def robust_scaling(x: Tensor) -> Scaling:
    """Compute median and interquartile range of each column, which outliers do not affect.

    Where the range is 0, as for a column mostly filled by one value, the standard deviation is used
    instead, or 1 if that is 0, too.

    Args:
        x: Shape ``(N, C)``; non-finite values are ignored.

    Returns:
        Scaling of the C columns.

    Example:
        >>> robust_scaling(torch.tensor([[1.0], [2.0], [3.0], [4.0], [1e6]]))
        Scaling(center=tensor([3.], dtype=torch.float64), scale=tensor([2.], dtype=torch.float64))
    """
    x, finite, _ = _finite(x)
    first, median, third = column_quantiles(x, torch.tensor([0.25, 0.5, 0.75]))
    span = third - first
    flat = span <= 10 * _EPS * torch.maximum(first.abs(), third.abs())
    scale = torch.where(flat, standard_scaling(x).scale, span)
    return _safe(median, scale, finite)


def column_quantiles(x: Tensor, quantiles: Tensor) -> Tensor:
    """Compute quantiles of each column, interpolated linearly, of any number of rows.

    Args:
        x: Shape ``(N, C)``; non-finite values are ignored.
        quantiles: Shape ``(Q,)``, in 0..1.

    Returns:
        Tensor of shape ``(Q, C)``, float64; NaN for a column without finite values.

    Example:
        >>> column_quantiles(torch.tensor([[1.0], [torch.nan], [2.0]]), torch.tensor([0.5]))
        tensor([[1.5000]], dtype=torch.float64)
    """
    x, finite, count = _finite(x)
    if not len(x):
        return x.new_full((len(quantiles), x.shape[1]), torch.nan)
    # Sorting puts NaN last.
    ordered = torch.where(finite, x, torch.nan).sort(0).values
    position = quantiles.to(x)[:, None] * (count - 1)
    below = position.floor().long()
    above = torch.minimum(below + 1, (count - 1).long())
    return torch.lerp(ordered.gather(0, below), ordered.gather(0, above), position - below)


def scale_columns(x: Tensor, scaling: Scaling) -> Tensor:
    """Scale columns; NaN stays NaN.

    Args:
        x: Shape ``(N, C)``.
        scaling: Scaling of the C columns.

    Returns:
        Tensor of the shape of ``x``, float64.

    Example:
        >>> scale_columns(torch.tensor([[5.0]]), Scaling(torch.tensor([1.0]), torch.tensor([2.0])))
        tensor([[2.]], dtype=torch.float64)
    """
    return (x.double() - scaling.center) / scaling.scale


def unscale_columns(x: Tensor, scaling: Scaling) -> Tensor:
    """Invert `scale_columns`; NaN for a column without finite values.

    Args:
        x: Shape ``(N, C)``.
        scaling: Scaling of the C columns.

    Returns:
        Tensor of the shape of ``x``, float64.

    Example:
        >>> unscale_columns(torch.tensor([[2.0]]), Scaling(torch.tensor([1.0]), torch.tensor([2.0])))
        tensor([[5.]], dtype=torch.float64)
    """  # noqa: E501
    return x.double() * scaling.scale + scaling.center


def _finite(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Convert to double precision; also return the finite entries and their counts, at least 1."""
    x = x.double()
    finite = x.isfinite()
    return x, finite, finite.sum(0).clamp(min=1).double()


def _extremes(x: Tensor, finite: Tensor) -> tuple[Tensor, Tensor]:
    if not len(x):
        return x.new_zeros(x.shape[1]), x.new_zeros(x.shape[1])
    least = torch.where(finite, x, torch.inf).amin(0)
    greatest = torch.where(finite, x, -torch.inf).amax(0)
    return least, greatest


def _safe(center: Tensor, scale: Tensor, finite: Tensor) -> Scaling:
    empty = ~finite.any(0)
    return Scaling(torch.where(empty, 0.0, center), torch.where(empty, torch.inf, scale))
