"""Errors that validation logs in place of its loss, in units of the loss."""

import math
import statistics
from dataclasses import dataclass

from .metric_names import error_in
from .vital_signs.vitals import Vitals

_MIN_BATCHES = 5
_MIN_SPREAD_OF_LOGS = 0.1
_POWERS = {"squared": 2.0, "absolute": 1.0}


@dataclass(frozen=True)
class ErrorUnits:
    """What a regression's loss is of the mean absolute error: ``scale * error ** power``.

    Attributes:
        scale: Factor.
        power: 2 for the squared error, 1 for the absolute one, between them for a Huber loss.
        shape: Ratio of the mean squared error to the square of the mean absolute one, pi / 2 for
            normally distributed errors.
        variance: Of the targets; NaN if unknown.
    """

    scale: float
    power: float
    shape: float
    variance: float = math.nan

    def loss_at(self, name: str, error: float) -> float | None:
        """Convert an error, or a coefficient of determination, logged under this name.

        Exact for a root mean squared error if that is squared in training, and for a mean absolute
        error if that is the loss. Otherwise errors are assumed to be distributed as in training,
        and validation's targets to vary as much.

        Returns:
            The loss; None if the name is of neither, or the number is of another unit, as of R2 in
            percent.
        """
        kind = error_in(name)
        rest = 1 - error if kind == "determination" else error
        if rest < 0:
            return None
        match kind:
            case "absolute":
                absolute = rest
            case "root":
                absolute = rest / math.sqrt(self.shape)
            case "squared":
                absolute = math.sqrt(rest / self.shape)
            case "determination" if self.variance > 0:
                absolute = math.sqrt(rest * self.variance / self.shape)
            case _:
                return None
        return float(self.scale * absolute**self.power)


def error_units(vitals: Vitals) -> ErrorUnits | None:
    """Return the units by the inspected batches; None for a loss that grows otherwise.

    The usual shape counts: where training data is memorised, few errors are left, but large ones.
    """
    rows = zip(vitals.data_losses, vitals.absolute_errors, vitals.squared_errors, strict=False)
    known = [(loss, a, s) for loss, a, s in rows if loss > 0 and a > 0 and s > 0]
    kind = vitals.objective.kind or ""
    power = _power_of([(math.log(a), math.log(loss)) for loss, a, _ in known])
    power = _POWERS.get(kind, power if kind == "huber" else math.nan)
    if not known or math.isnan(power):
        return None
    scale = statistics.median(loss / a**power for loss, a, _ in known)
    shape = statistics.median(s / a**2 for _, a, s in known)
    return ErrorUnits(scale, power, shape, vitals.objective.target_variance)


def _power_of(logs: list[tuple[float, float]]) -> float:
    """Return the power of the error with which a loss has grown; NaN if too few batches tell."""
    errors = [error for error, _ in logs]
    if len(logs) < _MIN_BATCHES or statistics.stdev(errors) < _MIN_SPREAD_OF_LOGS:
        return math.nan
    slope, _ = statistics.linear_regression(errors, [loss for _, loss in logs])
    return min(max(slope, 1.0), 2.0)
