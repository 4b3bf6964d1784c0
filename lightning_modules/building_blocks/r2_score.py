"""R2 for targets of any mean and outputs of any shape."""

from functools import reduce

import torch
from torch import Tensor
from torchmetrics import Metric

from ...functional.determination import add_determination_sums, determination, determination_sums


class R2Score(Metric):
    """Mean over outputs of R2; NaN, not an error, for an epoch of one sample.

    torchmetrics' ``R2Score`` sums squares of the targets in single precision, which is inaccurate
    if their mean is large relative to their standard deviation, and accepts outputs of one or two
    dimensions only.
    """

    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(5, 1), dist_reduce_fx=_added_up)

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Add outputs and targets, each of shape ``(N, ...)``."""
        count = len(targets)
        new = determination_sums(outputs.reshape(count, -1), targets.reshape(count, -1))
        self.sums = add_determination_sums(self.sums, new)

    def compute(self) -> Tensor:
        """Return the mean."""
        return determination(self.sums).mean()


def _added_up(sums: Tensor) -> Tensor:
    """Combine the sums of all ranks, shape ``(ranks, 5, outputs)``."""
    return reduce(add_determination_sums, sums.unbind())
