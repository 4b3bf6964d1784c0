"""Large steps that keep validation from improving, shake it, or have lost its best."""

import math
import statistics
from itertools import pairwise

from ...vital_signs.levels import RECENT_CHECKS, Gain, UpdateRatio
from ...vital_signs.vitals import Vitals
from .steps import Steps, first_layer_step

# Length of a step over that of the weights.
_MIN_UPDATE_RATIO_TO_JUMP = 5e-3


_CHECKS_TO_SEE_JUMPS = 10
_MIN_MEAN_JUMP_OF_ACCURACY = 0.1
_MAX_RATIO_CLEARLY_BELOW = 0.95
_MIN_RATIO_TO_TRAINING_THEN = 0.9

# Of the scale of the loss.
_MIN_MEAN_JUMP_OF_LOSS = 0.05
_MIN_RISE_SHARE_WHEN_TURNED = 0.03
_MIN_SHARE_OF_BEST_LOST = 0.1  # At most checks since.
_MIN_SHARE_OF_BEST_LOST_FOR_GOOD = 0.02  # At all of them.


def is_hurt(vitals: Vitals, steps: Steps) -> bool:
    """Whether steps that were huge beyond the first ones left a network that never generalised.

    Its validation loss was never clearly below the constant baseline.
    """
    checks, constant = vitals.validation_losses, vitals.validation_constant
    if not steps.lasting > UpdateRatio.HUGE or not constant > 0 or len(checks) < RECENT_CHECKS:
        return False
    if not vitals.had_a_long_chance or vitals.evaluates_late or not vitals.gain < Gain.LITTLE:
        return False
    return vitals.validates_the_same_loss and min(checks) > _MAX_RATIO_CLEARLY_BELOW * constant


def has_turned(vitals: Vitals, steps: Steps) -> bool:
    """Whether steps that are still large have raised training and validation loss for good."""
    checks, curve = vitals.validation_losses, vitals.finite_curve
    if (
        not (steps.recent > UpdateRatio.LARGE and steps.lasting > UpdateRatio.HUGE)
        or not vitals.gain < Gain.EXCELLENT
    ):
        return False
    if len(checks) < 2 * RECENT_CHECKS or not curve or vitals.evaluates_late or vitals.is_falling:
        return False
    rose = vitals.recent_loss - min(curve) > _MIN_RISE_SHARE_WHEN_TURNED * vitals.whole_scale
    rose &= vitals.recent_loss > vitals.curve[len(vitals.curve) // 2]
    return rose and (
        min(checks[-RECENT_CHECKS:]) - min(checks)
        > _MIN_RISE_SHARE_WHEN_TURNED * vitals.whole_scale
    )


def validation_jumps(vitals: Vitals, steps: Steps) -> bool:
    """Whether steps that are still large make the validation accuracy jump up and down."""
    scores = vitals.validation_scores[-_CHECKS_TO_SEE_JUMPS:]
    if (
        not (vitals.is_past_half and vitals.scores_are_accuracies)
        or len(scores) < _CHECKS_TO_SEE_JUMPS
    ):
        return False
    jumps = statistics.fmean(abs(after - before) for before, after in pairwise(scores))
    return steps.late > UpdateRatio.LARGE and jumps > _MIN_MEAN_JUMP_OF_ACCURACY


def validation_loss_jumps(vitals: Vitals, steps: Steps) -> bool:
    """Whether large steps keep a loss high that goes up and down in validation.

    Where there is nothing more to learn, such steps change the validation loss by less.
    """
    checks, scale = vitals.validation_losses[-_CHECKS_TO_SEE_JUMPS:], vitals.whole_scale
    if not vitals.is_past_half or len(checks) < 2 * RECENT_CHECKS or not vitals.gain < Gain.LITTLE:
        return False
    if vitals.is_falling or vitals.evaluates_late or not vitals.validates_the_same_loss:
        return False
    if vitals.is_imbalanced:
        return False  # A few samples of the rare class make it go up and down.
    jumps = statistics.fmean(abs(after - before) for before, after in pairwise(checks))
    return steps.late > _MIN_UPDATE_RATIO_TO_JUMP and jumps > _MIN_MEAN_JUMP_OF_LOSS * scale > 0


def has_lost_its_best(vitals: Vitals, steps: Steps) -> bool:
    """Whether validation was once clearly better and training was not worse: no over-fitting.

    The first steps were large for each layer, which the ratio of the whole network may hide.
    """
    checks, curve = vitals.validation_losses, vitals.finite_curve
    if not vitals.is_past_half or not curve:
        return False
    if not vitals.validates_the_same_loss or vitals.evaluates_late:
        return False
    best = checks.index(min(checks)) if all(map(math.isfinite, checks)) else 0
    since = checks[best + 1 :]
    if len(checks) < 2 * RECENT_CHECKS or len(since) < RECENT_CHECKS:
        return False
    until_then = curve[: max(1, len(curve) * (best + 1) // len(checks))]
    return (
        first_layer_step(vitals) > UpdateRatio.HUGE
        and statistics.median(since) - checks[best] > _MIN_SHARE_OF_BEST_LOST * vitals.whole_scale
        and min(since) - checks[best] > _MIN_SHARE_OF_BEST_LOST_FOR_GOOD * vitals.whole_scale
        and vitals.recent_loss > _MIN_RATIO_TO_TRAINING_THEN * min(until_then)
    )
