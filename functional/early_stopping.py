r"""When to stop training: Prechelt's criteria, and smoothing of curves before they are judged.

Reference: L. Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade,
Springer 1998. :math:`E_{va}` is the loss on the validation data and :math:`E_{tr}` that on the
training data. A strip is a number of successive validations; he uses 5.
"""

import torch
from torch import Tensor

from .arguments import real_tensor, whole_number
from .precision import at_least_single


def generalization_loss(validation_losses: Tensor) -> Tensor:
    r"""Compute by how many percent the loss is above its lowest so far.

    .. math:: GL(t) = 100 \left(\frac{E_{va}(t)}{\min_{t' \le t} E_{va}(t')} - 1\right)

    Args:
        validation_losses: Shape ``(checks,)``, in order. NaN is skipped.

    Returns:
        Percent, shape ``(checks,)``; NaN where the loss is NaN, or the lowest is not positive, as
        a ratio is meaningless then.

    Raises:
        TypeError: If ``validation_losses`` are not a tensor of real numbers.
        ValueError: If they have another shape.

    Example:
        >>> generalization_loss(torch.tensor([4.0, 2.0, 3.0]))
        tensor([ 0.,  0., 50.])
    """
    real_tensor("validation_losses", validation_losses, "checks")
    known = validation_losses.nan_to_num(float("inf"), float("inf"), float("-inf"))
    lowest = known.cummin(0).values if len(known) else known
    ratio = 100 * (validation_losses / lowest - 1)
    return torch.where(lowest > 0, ratio, float("nan"))


def training_progress(training_losses: Tensor) -> Tensor:
    r"""Compute by how many per mille the mean of the training loss is above its lowest.

    .. math:: P_k(t) = 1000 \left(\frac{\sum_{t'=t-k+1}^{t} E_{tr}(t')}
        {k \min_{t'=t-k+1}^{t} E_{tr}(t')} - 1\right)

    It is high while the training loss falls or jumps, and goes to zero as training settles.

    Args:
        training_losses: The last strip, shape ``(..., k)``.

    Returns:
        Per mille, shape ``(...)``; NaN where the lowest is not positive.

    Raises:
        TypeError: If ``training_losses`` are not a tensor of real numbers.
        ValueError: If the strip is empty.

    Example:
        >>> training_progress(torch.tensor([3.0, 2.0, 1.0]))
        tensor(1000.)
    """
    if not real_tensor("training_losses", training_losses).shape[-1:].numel():
        raise ValueError(
            "Expected `training_losses` to have at least one entry in the last dimension, but got "
            f"the shape {tuple(training_losses.shape)}."
        )
    losses = at_least_single(_real(training_losses))
    lowest = losses.amin(-1)
    progress = 1000 * (losses.mean(-1) / lowest - 1)
    return torch.where(lowest > 0, progress, float("nan")).to(_real(training_losses).dtype)


def progress_quotient(
    validation_losses: Tensor, training_losses: Tensor, strip_length: int = 5
) -> Tensor:
    r"""Divide the generalisation loss by the training progress, at the end of each strip.

    .. math:: PQ(t) = \frac{GL(t)}{P_k(t)}

    Over-fitting counts for less while the training loss still falls fast, because the
    validation loss may yet come down again.

    Args:
        validation_losses: Shape ``(checks,)``.
        training_losses: Mean training loss up to each validation, shape ``(checks,)``.
        strip_length: Validations in a strip, k.

    Returns:
        Shape ``(checks // strip_length,)``: 0 where the generalisation loss is 0, infinite where
        it is not but the training progress is, NaN where either is undefined.

    Raises:
        TypeError: If the curves are not tensors of real numbers or ``strip_length`` is not a whole
            number.
        ValueError: If the curves have another shape or differ in length, or ``strip_length`` is
            below 1.

    Example:
        >>> validation, training = torch.tensor([4.0, 2.0, 3.0]), torch.tensor([3.0, 2.0, 1.0])
        >>> progress_quotient(validation, training, strip_length=3)
        tensor([0.0500])
    """
    real_tensor("validation_losses", validation_losses, "checks")
    real_tensor("training_losses", training_losses, "checks")
    if len(validation_losses) != len(training_losses):
        raise ValueError(
            "Expected `training_losses` to have as many entries as `validation_losses`, "
            f"{len(validation_losses)}, but got {len(training_losses)}."
        )
    ends = _strip_ends(len(validation_losses), strip_length)
    lost = generalization_loss(validation_losses)[ends]
    strips = training_losses[: len(ends) * strip_length].reshape(-1, strip_length)
    quotient = lost / training_progress(strips)
    # 0/0: no generalisation loss, whatever the progress.
    return torch.where(lost == 0, 0.0, quotient)


def successive_increases(validation_losses: Tensor, strip_length: int = 5) -> Tensor:
    r"""Count the strips in a row, up to each strip's end, that ended above the previous one.

    Prechelt's :math:`UP_s` stops when it reaches s: at persistent over-fitting, however small.

    Args:
        validation_losses: Shape ``(checks,)``.
        strip_length: Validations in a strip, k.

    Returns:
        Whole numbers of shape ``(checks // strip_length,)``; the first is 0.

    Raises:
        TypeError: If ``validation_losses`` are not a tensor of real numbers or ``strip_length`` is
            not a whole number.
        ValueError: If ``validation_losses`` have another shape or ``strip_length`` is below 1.

    Example:
        >>> successive_increases(torch.tensor([3.0, 2.0, 2.5, 2.6, 1.0, 1.1]), strip_length=1)
        tensor([0, 0, 1, 2, 0, 1])
    """
    real_tensor("validation_losses", validation_losses, "checks")
    at_ends = validation_losses[_strip_ends(len(validation_losses), strip_length)]
    count, counts = 0, [0] * len(at_ends)
    for i, increased in enumerate((at_ends[1:] > at_ends[:-1]).tolist(), start=1):
        count = count + 1 if increased else 0
        counts[i] = count
    return torch.tensor(counts, dtype=torch.long)


def exponential_average(values: Tensor, window: int) -> Tensor:
    r"""Compute the exponentially weighted mean of all values, the last weighing most.

    .. math:: s = \frac{\sum_{i \ge 0} (1-a)^i v_{n-i}}{\sum_{i \ge 0} (1-a)^i},
        \quad a = \frac{2}{w + 1}

    Dividing by the sum of the weights keeps the first values from weighing more than they should.

    Args:
        values: Shape ``(n,)``, n at least 1.
        window: The span w: the weights have the same centre as those of a mean of w values.

    Returns:
        Scalar tensor; in the default dtype for whole numbers.

    Raises:
        TypeError: If ``values`` are not a tensor of real numbers or ``window`` is not a whole
            number.
        ValueError: If ``window`` is below 1, or ``values`` have another shape or are empty.

    Example:
        >>> exponential_average(torch.tensor([1.0, 4.0]), window=3)
        tensor(3.)
    """
    _check_last(values, window)
    exact = at_least_single(_real(values))
    age = torch.arange(len(exact) - 1, -1, -1, device=exact.device)
    weights = torch.pow(torch.as_tensor(1 - 2 / (window + 1), dtype=exact.dtype), age)
    # Values of weight 0 do not count, even if they are infinite.
    parts = torch.where(weights > 0, weights * exact, 0.0)
    return (parts.sum() / weights.sum()).to(_real(values).dtype)


def windowed_median(values: Tensor, window: int) -> Tensor:
    """Compute the median of the last values; of an even number, the mean of the middle two.

    Args:
        values: Shape ``(n,)``, n at least 1.
        window: How many values, at most.

    Returns:
        Scalar tensor; in the default dtype for whole numbers.

    Raises:
        TypeError: If ``values`` are not a tensor of real numbers or ``window`` is not a whole
            number.
        ValueError: If ``window`` is below 1, or ``values`` have another shape or are empty.

    Example:
        >>> windowed_median(torch.tensor([9.0, 1.0, 7.0, 2.0]), window=3)
        tensor(2.)
    """
    _check_last(values, window)
    last = _real(values[-window:])
    ranked, middle = at_least_single(last).sort().values, len(last) // 2
    # The mean of two equal values is either of them, also of two infinite ones.
    low, high = ranked[middle if len(last) % 2 else middle - 1], ranked[middle]
    median = torch.where(low == high, high, (low + high) / 2)
    return torch.where(last.isnan().any(), float("nan"), median).to(last.dtype)


def _real(values: Tensor) -> Tensor:
    return values if values.is_floating_point() else values.to(torch.get_default_dtype())


def _check_last(values: Tensor, window: int) -> None:
    whole_number("window", window)
    if real_tensor("values", values).ndim != 1 or not len(values):
        raise ValueError(
            f"Expected `values` to be a non-empty sequence, but got shape {tuple(values.shape)}."
        )


def _strip_ends(checks: int, strip_length: int) -> list[int]:
    whole_number("strip_length", strip_length)
    return list(range(strip_length - 1, checks, strip_length))
