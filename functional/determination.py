"""Share of the targets' variance that outputs explain, from sums that can be merged."""

import torch
from torch import Tensor

# Rows of the sums; deviations are from the reference, which is one of the targets.
_COUNT, _REFERENCE, _MEAN, _SQUARES, _ERRORS = range(5)


def determination_sums(outputs: Tensor, targets: Tensor) -> Tensor:
    """Compute the sums over some samples that R2 needs.

    Deviations are squared, never the targets themselves: if the mean is large compared with the
    standard deviation, the difference of two sums of squares loses all its digits.

    Args:
        outputs: Outputs, shape ``(N, O)``, N at least 1.
        targets: Targets of the same shape.

    Returns:
        Sums, float32 of shape ``(5, O)``: number of samples, a target as the reference, the mean
        deviation from it, the sum of squared deviations from the mean, and that of squared errors.
    """
    reference = targets[0].float()
    deviations = (targets - reference).float()
    mean = deviations.mean(0)
    squares = (deviations - mean).square().sum(0)
    errors = (targets - outputs).float().square().sum(0)
    count = torch.full_like(mean, len(targets))
    return torch.stack([count, reference, mean, squares, errors])


def add_determination_sums(first: Tensor, second: Tensor) -> Tensor:
    """Merge two results of `determination_sums`, or zeros for no samples.

    Args:
        first: Sums, shape ``(5, O)``, or ``(5, 1)`` of zeros.
        second: Sums, shape ``(5, O)``.

    Returns:
        Sums over the samples of both, shape ``(5, O)``.

    Reference:
        Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", equation 2.1.
    """
    first = first.expand_as(second)
    count = first[_COUNT] + second[_COUNT]
    share = second[_COUNT] / count.clamp(min=1)
    # References are close, so that their difference is exact where that of two means is not.
    apart = second[_REFERENCE] - first[_REFERENCE] + second[_MEAN] - first[_MEAN]
    # If the first is empty, the second keeps its own reference.
    none = first[_COUNT] == 0
    return torch.stack(
        [
            count,
            torch.where(none, second[_REFERENCE], first[_REFERENCE]),
            torch.where(none, second[_MEAN], first[_MEAN] + apart * share),
            first[_SQUARES] + second[_SQUARES] + apart.square() * first[_COUNT] * share,
            first[_ERRORS] + second[_ERRORS],
        ]
    )


def determination(sums: Tensor) -> Tensor:
    r"""Compute R2, :math:`1 - \sum (y - f)^2 / \sum (y - \bar y)^2`.

    Args:
        sums: Sums over all samples, shape ``(5, O)``, from `determination_sums`.

    Returns:
        R2 of each output, shape ``(O,)``. NaN for fewer than two samples; for constant targets 1 if
        all errors are 0, and otherwise 0, as in scikit-learn.

    Example:
        >>> y = torch.tensor([[1.0], [2.0], [3.0]])
        >>> determination(determination_sums(y + 0.5, y))
        tensor([0.6250])
    """
    squares, errors = sums[_SQUARES], sums[_ERRORS]
    constant = (errors == 0).to(errors.dtype)
    share = torch.where(squares == 0, constant, 1 - errors / squares)
    return share.masked_fill(sums[_COUNT] < 2, torch.nan)
