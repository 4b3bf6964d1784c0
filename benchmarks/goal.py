"""What a trained program ought to reach."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """What a good engineer expects of the score. A score that is not finite reaches nothing."""

    metric: str
    at_least: float = -math.inf
    at_most: float = math.inf

    def reached(self, score: float) -> bool:
        return math.isfinite(score) and self.at_least <= score <= self.at_most

    def __str__(self) -> str:
        if math.isfinite(self.at_least):
            return f"{self.metric} >= {self.at_least:g}"
        return f"{self.metric} <= {self.at_most:g}"
