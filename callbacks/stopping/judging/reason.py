"""Why training stopped."""

from dataclasses import dataclass
from enum import Enum

from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason


class StoppingReason(Enum):
    """Why training was stopped.

    Members that Lightning also has equal its ``EarlyStoppingReason`` of the same name, so that code
    written for Lightning's callback continues to work.

    Example:
        >>> StoppingReason.PATIENCE_EXHAUSTED == EarlyStoppingReason.PATIENCE_EXHAUSTED
        True
    """

    NOT_STOPPED = "not_stopped"
    STOPPING_THRESHOLD = "stopping_threshold"
    DIVERGENCE_THRESHOLD = "divergence_threshold"
    PATIENCE_EXHAUSTED = "patience_exhausted"
    NON_FINITE_METRIC = "non_finite_metric"
    DIVERGED = "diverged"
    OVERFITTING = "overfitting"
    BASELINE_MISSED = "baseline_missed"
    TIME_BUDGET_SPENT = "time_budget_spent"

    def __eq__(self, other: object) -> bool:
        # By name: Lightning's enum has members, so cannot be subclassed, and exists twice, in
        # lightning and in pytorch_lightning.
        if isinstance(other, Enum) and type(other).__name__ == "EarlyStoppingReason":
            return self.name == other.name
        return self is other

    __hash__ = Enum.__hash__  # of the name, as for Lightning's members

    @property
    def nearest_in_lightning(self) -> EarlyStoppingReason:
        """Nearest reason that Lightning's own callback knows when it loads our checkpoint."""
        match self:
            case StoppingReason.DIVERGED:
                return EarlyStoppingReason.DIVERGENCE_THRESHOLD
            case (
                StoppingReason.OVERFITTING
                | StoppingReason.BASELINE_MISSED
                | StoppingReason.TIME_BUDGET_SPENT
            ):
                return EarlyStoppingReason.PATIENCE_EXHAUSTED
            case _:
                return EarlyStoppingReason[self.name]


@dataclass(frozen=True)
class Verdict:
    """A decision to stop.

    Attributes:
        reason: Why, as an enum member.
        sentence: What was monitored, what happened, and what the limit was.
    """

    reason: StoppingReason
    sentence: str
