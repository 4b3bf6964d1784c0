"""Running mean and standard deviation of a series."""

import math
from dataclasses import dataclass

from .arguments import number


@dataclass
class RunningMoments:
    r"""Exponentially weighted mean and variance, exact from the first value on.

    With weights :math:`w_i = \beta^{n-i}`, mean :math:`\sum w_i x_i / \sum w_i` and variance
    :math:`\sum w_i (x_i - mean)^2 / \sum w_i`; no bias towards zero at the start.

    Attributes:
        decay: Factor of the weight per step back, in (0, 1).
        mean: Mean of the values; NaN before the first.
        variance: Their variance.
        weight: Sum of the weights.
        count: Number of values.

    Raises:
        TypeError: If ``decay`` is not a number.
        ValueError: If ``decay`` is not above 0 and below 1.

    Example:
        >>> moments = RunningMoments(decay=0.5)
        >>> moments.add(1.0)
        >>> moments.add(4.0)
        >>> moments.mean, moments.deviation
        (3.0, 1.4142135623730951)
    """

    decay: float = 0.97
    mean: float = float("nan")
    variance: float = float("nan")
    weight: float = 0.0
    count: int = 0

    def __post_init__(self) -> None:
        """Check the decay."""
        if number("decay", self.decay, above=0) >= 1:
            raise ValueError(f"Expected `decay` to be below 1, but got {self.decay}.")

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.variance)

    def add(self, value: float) -> None:
        """Add a value; one that is not finite is skipped."""
        if not math.isfinite(value):
            return
        self.count += 1
        if self.count == 1:
            self.mean, self.variance, self.weight = value, 0.0, 1.0
            return
        old = self.decay * self.weight
        self.weight = old + 1.0
        difference = value - self.mean
        self.mean += difference / self.weight
        self.variance = old / self.weight * (self.variance + difference * difference / self.weight)
