"""Area under the ROC curve of any distribution of scores, in bounded memory."""

import torch
from torch import Tensor
from torchmetrics import Metric

from ...functional.ranking import area_under_roc, log_odds, log_odds_bins

_MOST_BINS, _FEWEST_BINS = 2**15 + 1, 2**9 + 1
# Bins of all classes together, as long as these are enough for the fewest: 8 MB of counts.
_BINS = 2**19


class AUROC(Metric):
    """Mean over classes of the area under the ROC curve, each class against all others.

    The mean is over the classes of which there are both positive and negative samples, and NaN
    where there is none. It takes in logits and counts by their log-odds, because probabilities
    near 0 and 1, of rare classes and of confident networks, fall into few of the evenly spaced
    bins that torchmetrics has, and are rounded besides. Scores of one bin count as equal. A bin is
    0.1% as wide as its log-odds are away from those of equal chances, with more than 16 classes up
    to 6%. The exact area would need every score of the epoch.

    Args:
        num_classes: Number of classes, at least 2.
    """

    scores: Tensor
    positives: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.bins = max(_FEWEST_BINS, min(_MOST_BINS, _BINS // num_classes // 2 * 2 + 1))
        counts = torch.zeros(num_classes, self.bins, dtype=torch.int64)
        self.add_state("scores", counts, dist_reduce_fx="sum")
        self.add_state("positives", counts.clone(), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Take in logits, shape ``(N, num_classes)``, and class indices, shape ``(N,)``."""
        bins = log_odds_bins(log_odds(logits), self.bins)
        places = bins + torch.arange(len(self.scores), device=bins.device) * self.bins
        _count_(self.scores, places.flatten())
        _count_(self.positives, places.gather(1, targets[:, None]).flatten())

    def compute(self) -> Tensor:
        """The mean."""
        return area_under_roc(self.positives, self.scores - self.positives).nanmean()


def _count_(counts: Tensor, places: Tensor) -> None:
    counts.view(-1).index_add_(0, places, torch.ones_like(places))
