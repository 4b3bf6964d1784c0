"""How well scores rank the samples of each class above the others."""

import math

import torch
from torch import Tensor

# The finest distance that the bins resolve, near equal chances, and the farthest one.
_FINEST, _FARTHEST = 0.01, 1e4


def log_odds(logits: Tensor) -> Tensor:
    r"""Log-odds of each class against all others, :math:`z_k - \log \sum_{j \ne k} e^{z_j}`.

    They rank like the probabilities, but still differ where those are rounded to 0 or 1.

    Args:
        logits: Logits or log-probabilities, floating point, shape ``(N, K)``.

    Returns:
        Log-odds, dtype and shape of ``logits``.

    Example:
        >>> log_odds(torch.tensor([[0.0, 40.0], [0.0, 50.0]]))
        tensor([[-40.,  40.],
                [-50.,  50.]])
    """
    share = torch.log_softmax(logits, 1)
    # Accurate to the last digits up to a probability of a half, which only the largest can exceed.
    odds = share - torch.log1p(-share.exp())
    largest, index = logits.max(1, keepdim=True)
    others = logits.scatter(1, index, -math.inf).logsumexp(1, keepdim=True)
    return odds.scatter(1, index, largest - others)


def log_odds_bins(odds: Tensor, bins: int) -> Tensor:
    r"""Assign each of the log-odds to a bin.

    With :math:`d` the distance from :math:`-\log (K - 1)`, the log-odds if all classes are equally
    probable, bins are uniform in :math:`\operatorname{arsinh}(d / 0.01)`: they are narrow near
    equal chances, and farther away their width is a fixed share of :math:`d`. NaN ranks lowest.

    Args:
        odds: Log-odds, shape ``(N, K)``.
        bins: Number of bins, odd, so that equal chances are in the middle of one.

    Returns:
        Bin numbers from 0 to ``bins - 1``, int64, shape of ``odds``.

    Example:
        >>> log_odds_bins(torch.tensor([[-20.0, 0.0], [0.1, 20.0]]), 101)
        tensor([[21, 50],
                [60, 79]])
    """
    half = bins // 2
    distance = (odds + math.log(odds.shape[1] - 1)) / _FINEST
    place = distance.asinh() * (half / math.asinh(_FARTHEST / _FINEST))
    return place.nan_to_num(nan=-half).clamp(-half, half).round().long() + half


def area_under_roc(positives: Tensor, negatives: Tensor) -> Tensor:
    r"""Compute the probability that a positive sample scores higher than a negative one.

    .. math:: \sum_b \frac{p_b}{P} \frac{\sum_{c < b} n_c + n_b / 2}{N}

    Samples in one bin are ties, which count as half, as in the trapezoidal area.

    Args:
        positives: Number of positive samples by class and bin, lowest scores first, int64, shape
            ``(K, B)``.
        negatives: The same of negative samples.

    Returns:
        Areas from 0 to 1, float32 of shape ``(K,)``; NaN where a class has no positives or no
        negatives.

    Example:
        >>> positives = torch.tensor([[0, 1, 3], [1, 0, 0]])
        >>> area_under_roc(positives, torch.tensor([[2, 2, 0], [0, 0, 0]]))
        tensor([0.9375,    nan])

    Reference:
        Fawcett 2006, "An introduction to ROC analysis", section 7.
    """
    # Twice the negatives below, so that halves are whole numbers and every sum is exact.
    below = 2 * negatives.cumsum(1) - negatives
    shares = positives / positives.sum(1, keepdim=True)
    return (shares * (below / (2 * negatives.sum(1, keepdim=True)))).sum(1)
