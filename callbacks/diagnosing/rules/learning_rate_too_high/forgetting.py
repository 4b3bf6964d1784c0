"""A loss that was well below the constant baseline, and is back at it."""

import math
import statistics

from ...vital_signs.vitals import Vitals
from .steps import Steps

_USUAL_UPDATE_RATIO = 1e-3  # Length of a step over that of the weights.
_MIN_RATIO_OF_A_SUM = 1.1

# What was learned and forgotten, as a share of the constant baseline.
_MIN_SHARE_FORGOTTEN = 0.2
_MIN_SHARE_FORGOTTEN_SOON = 0.1
_MAX_SHARE_STILL_KNOWN = 0.1
_STANDARD_ERRORS_TO_BE_SURE = 8.0
_BATCHES_IN_A_ROW = 5
_BATCHES_OF_A_WINDOW = 20
_BATCHES_OF_A_LONG_TRAINING = 400


def is_forgotten(vitals: Vitals, steps: Steps) -> bool:
    """Whether the loss fell well below the constant baseline, beyond noise, and is back at it."""
    constant, curve = vitals.objective.constant_loss, vitals.finite_curve
    if not steps.typical > _USUAL_UPDATE_RATIO:
        return False
    # In a regression that learns from its own predictions, targets grow.
    if vitals.objective.task == "regression":
        return False
    if not constant > 0 or vitals.has_learned or vitals.has_other_terms or not vitals.one_loss:
        return False
    window = len(vitals.losses) // max(1, len(curve))
    if window < _BATCHES_OF_A_WINDOW or not curve or vitals.sum_of > _MIN_RATIO_OF_A_SUM:
        return False
    means = [statistics.fmean(vitals.losses)] * len(vitals.losses)
    spread = math.dist(vitals.losses, means) / math.sqrt(len(means) - 1)
    error = spread / math.sqrt(window)
    return constant - min(curve) > max(_MIN_SHARE_FORGOTTEN * constant, 4 * error)


def is_forgotten_soon(vitals: Vitals, steps: Steps) -> bool:
    """The same for a few batches of a short run, beyond the noise of the batches since."""
    constant, losses = vitals.objective.constant_loss, vitals.losses
    if not steps.typical > _USUAL_UPDATE_RATIO:
        return False
    if vitals.objective.task == "regression" or not constant > 0:
        return False
    if (
        vitals.has_learned
        or vitals.has_other_terms
        or vitals.is_falling
        or vitals.sum_of > _MIN_RATIO_OF_A_SUM
    ):
        return False
    late = losses[-_BATCHES_OF_A_WINDOW:]
    is_short = 3 * _BATCHES_OF_A_WINDOW <= len(losses) < _BATCHES_OF_A_LONG_TRAINING
    if not is_short or not all(map(math.isfinite, losses)):
        return False
    noise = statistics.stdev(late) / math.sqrt(_BATCHES_IN_A_ROW)
    means = [
        statistics.fmean(losses[i : i + _BATCHES_IN_A_ROW])
        for i in range(len(losses) - 2 * _BATCHES_OF_A_WINDOW)
    ]
    stands = statistics.fmean(late) > (1 - _MAX_SHARE_STILL_KNOWN) * constant
    return stands and constant - min(means) > max(
        _MIN_SHARE_FORGOTTEN_SOON * constant, _STANDARD_ERRORS_TO_BE_SURE * noise
    )
