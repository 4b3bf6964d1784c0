"""Moments of the first layer's input features, within and between batches."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..vital_signs.signs import NAN

# Rows of a batch, and for each feature their mean, the sum of squared distances from it, and the
# largest distance.
Moments = tuple[int, Tensor, Tensor, Tensor]


class FeatureMoments:
    """Join the moments of batches.

    Attributes:
        joined: Moments of all rows; None if there are none.
        batches: Number of batches that were joined.
    """

    def __init__(self) -> None:
        self.joined: Moments | None = None
        self.batches = 0
        self._within: Tensor | None = None

    def add(self, batch: Moments) -> None:
        """Add a batch; one with another number of features is left out."""
        if self.joined is None or self._within is None:
            self.joined, self._within, self.batches = batch, batch[2], 1
        elif len(batch[1]) == len(self.joined[1]):
            self.joined = _join(self.joined, batch)
            self._within = self._within + batch[2]
            self.batches += 1

    @property
    def spread(self) -> float:
        """Standard deviation of the batches' means, in those within a batch, where it is largest.

        By chance it is about one over the root of the samples in a batch. NaN for a single batch.
        """
        if self.joined is None or self._within is None or self.batches < 2:
            return NAN
        rows, _, squares, _ = self.joined
        varies = squares > 1e-12 * squares.max().clamp(min=1e-300)
        between = ((squares - self._within).clamp(min=0) / rows)[varies]
        within = (self._within / max(1, rows - self.batches))[varies]
        known = between[within > 0] / within[within > 0]
        return float(known.max().sqrt()) if len(known) else NAN

    def state_dict(self) -> dict[str, Any]:
        """Return what was joined so far."""
        return {"joined": self.joined, "within": self._within, "batches": self.batches}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.joined, self._within = state_dict["joined"], state_dict["within"]
        self.batches = state_dict["batches"]


def _join(one: Moments, other: Moments) -> Moments:
    (n, mean, squares, farthest), (m, other_mean, other_squares, other_farthest) = one, other
    distance = other_mean - mean
    joined = squares + other_squares + distance.square() * (n * m / (n + m))
    farthest = torch.maximum(farthest, other_farthest)
    return n + m, mean + distance * (m / (n + m)), joined, farthest
