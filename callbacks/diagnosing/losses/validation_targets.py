"""Validation's targets, on which the best constant prediction may have another loss."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..inputs.batch_tensors import are_same, is_plain, tensors_of
from .loss_reading import moments_of


class ValidationTargets:
    """Add up the targets of one validation, if they are a tensor of the batch.

    Which of the batch's tensors they are is determined in training. This is for regressions alone:
    classes usually have the same distribution in both, and so the same constant baseline.

    Attributes:
        sums: Count, sum and sum of squares of each column, over all ranks; None if unknown.
    """

    def __init__(self) -> None:
        self.sums: Tensor | None = None
        self._place = -1
        self._columns = 0
        self._own: Tensor | None = None
        self._is_read = False

    def find(self, target: Tensor, batch: Any) -> None:
        """Find which of a training batch's tensors the targets are; may wait for the device."""
        if not target.ndim:
            return
        alike = (n for n, given in enumerate(tensors_of(batch)) if are_same(target, given))
        self._place = next(alike, -1)
        self._columns = target.numel() // len(target) if len(target) else 0

    def begin(self, loaders: int) -> None:
        """Begin a validation; one is enough, but not with several loaders: targets may differ."""
        wanted = self.sums is None and self._place >= 0 and self._columns > 0
        self._is_read, self._own = wanted and loaders == 1, None

    def add(self, batch: Any) -> None:
        """Add a batch of validation, without waiting for the device."""
        if not self._is_read:
            return
        target = dict(enumerate(tensors_of(batch))).get(self._place)
        fits = target is not None and is_plain(target) and target.numel() % self._columns == 0
        if target is None or not fits:
            self._is_read, self._own = False, None
            return
        sums = moments_of(target.detach().reshape(-1, self._columns).float())
        self._own = sums if self._own is None else self._own + sums

    def news(self) -> Tensor | None:
        """Return this rank's sums, on the host, and reset them."""
        own, self._own, self._is_read = self._own, None, False
        return None if own is None else own.cpu().double()

    def take(self, ranks: Sequence[Tensor | None]) -> None:
        """Merge the sums of all ranks, if each has some."""
        known = [sums for sums in ranks if sums is not None]
        if known and len(known) == len(ranks) and len({len(sums) for sums in known}) == 1:
            self.sums = torch.stack(known).sum(0)

    def spread_around(self, means: Sequence[float]) -> float:
        """Return the mean squared distance of the targets from given means, over all columns.

        NaN if it is unknown.
        """
        if self.sums is None or len(self.sums) != 3 * len(means):
            return math.nan
        count, total, squares = self.sums.view(3, -1)
        center = torch.tensor(means, dtype=torch.float64)
        return float((squares / count - 2 * center * total / count + center**2).mean())
