"""Errors that validation logs in place of its loss, in units of the loss."""

import math
import statistics
from dataclasses import dataclass

from .metric_names import error_in
from .vital_signs.vitals import Vitals


@dataclass(frozen=True)
class ErrorUnits:
    """What a regression's loss is of.

    Attributes:
        squares: Whether the loss is the mean squared error, and not the mean absolute one.
        shape: Ratio of the mean squared error to the square of the mean absolute one, pi / 2 for
            normally distributed errors.
    """

    squares: bool
    shape: float

    def loss_at(self, name: str, error: float) -> float | None:
        """Convert an error that is logged under this name; None if the name is of none.

        Between absolute and squared errors, this assumes the shape of their distribution.
        """
        match error_in(name):
            case "absolute":
                square = self.shape * error**2
            case "root":
                square = error**2
            case "squared":
                square = error
            case _:
                return None
        return square if self.squares else math.sqrt(square / self.shape)


def error_units(vitals: Vitals) -> ErrorUnits | None:
    """Return the units by the inspected batches; None for other losses than the two.

    The usual shape counts: where training data is memorised, few errors are left, but large ones.
    """
    errors = zip(vitals.absolute_errors, vitals.squared_errors, strict=True)
    shapes = [square / absolute**2 for absolute, square in errors if absolute > 0]
    kind = vitals.objective.kind
    if kind not in ("squared", "absolute") or not shapes:
        return None
    return ErrorUnits(kind == "squared", statistics.median(shapes))
