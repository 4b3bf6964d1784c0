"""Area under the ROC curve in bounded memory, for any distribution of scores."""

import torch
from torch import Tensor
from torchmetrics import Metric

from ...functional.ranking import area_under_roc, log_odds, log_odds_bins

_MOST_BINS, _FEWEST_BINS = 2**15 + 1, 2**9 + 1
# Bins of all classes together, unless that leaves a class less than the minimum: 8 MB of counts.
_BINS = 2**19


class AUROC(Metric):
    """Mean over classes of the area under the ROC curve, each class against all others.

    The mean is over the classes that have both positive and negative samples, and NaN if there are
    none. Logits are binned by their log-odds, because probabilities near 0 and 1, as of rare
    classes and confident networks, fall into few of torchmetrics' evenly spaced bins and suffer
    from rounding. Scores in the same bin count as ties. The width of a bin is 0.1% of its distance
    from the log-odds of equally probable classes, and up to 6% with more than 16 classes. The exact
    area would require every score of the epoch.

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
        """Add logits, shape ``(N, num_classes)``, and class indices, shape ``(N,)``."""
        bins = log_odds_bins(log_odds(logits), self.bins)
        places = bins + torch.arange(len(self.scores), device=bins.device) * self.bins
        _count_(self.scores, places.flatten())
        _count_(self.positives, places.gather(1, targets[:, None]).flatten())

    def compute(self) -> Tensor:
        """Return the mean area."""
        return area_under_roc(self.positives, self.scores - self.positives).nanmean()


def _count_(counts: Tensor, places: Tensor) -> None:
    counts.view(-1).index_add_(0, places, torch.ones_like(places))
